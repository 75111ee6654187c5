//! `llm`: language models behind Anthropic's Messages API or any that speaks OpenAI's chat completions, or lent by whoever
//! runs the flow.

mod anthropic;
mod chat;
mod client;
mod extract;
mod openai;
mod prompts;

use std::sync::Arc;

use futures::future::BoxFuture;
use indexmap::IndexMap;
use serde_json::{Map, Value as Json};
use url::Url;

use crate::run::{Tool, ToolContext, ToolError};
use crate::tools::Setting;
use crate::tools::api::{ApiConfig, ApiKey};
use crate::tools::args::{Args, invalid};
use crate::tools::http::HttpClient;
use crate::tools::llm::chat::Chat;
use crate::tools::llm::prompts::Prompt;
use crate::tools::standard;
use crate::types::Signature;
use crate::value::Value;

/// Which models there are.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The models by the names that steps call them by.
    pub models: IndexMap<String, Model>,
    /// The one that is asked where a step names none; the first where this is none.
    pub default: Option<String>,
}

/// A model, and who runs it.
#[derive(Clone, Debug)]
pub struct Model {
    /// Who runs it; none where it is asked of whoever runs the flow, an MCP client for one.
    pub provider: Option<Provider>,
    /// What its provider calls it; a wish, where whoever runs the flow chooses.
    pub name: String,
    /// What it costs.
    pub price: Price,
    /// The most tokens of an answer whose length the step does not say.
    pub max_tokens: i64,
    /// Whether answers are streamed, so that they show while they are written.
    pub stream: bool,
    /// How it is held to JSON.
    pub json: JsonMode,
    /// What else is sent with each request, as its API has it: `temperature`, `reasoning_effort`, ….
    pub parameters: Map<String, Json>,
}

/// A service that runs models.
#[derive(Clone, Debug)]
pub struct Provider {
    /// What it speaks.
    pub protocol: Protocol,
    /// Where it is.
    pub api: ApiConfig,
}

/// What a service speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// <https://docs.anthropic.com/en/api/messages>
    Anthropic,
    /// <https://platform.openai.com/docs/api-reference/chat>, and what is compatible with it.
    OpenAi,
}

/// US dollars for a million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Price {
    /// Read.
    pub input: f64,
    /// Written.
    pub output: f64,
}

/// How a model is held to JSON of a schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JsonMode {
    /// By its API: a tool that it must use (Anthropic), `response_format` (OpenAI).
    #[default]
    Schema,
    /// By the prompt alone, for services that know neither.
    Prompt,
}

impl Model {
    /// A model of a provider, or of whoever runs the flow: free, streamed, with answers of up to 4,096 tokens.
    pub fn new(provider: impl Into<Option<Provider>>, name: impl Into<String>) -> Self {
        Self {
            provider: provider.into(),
            name: name.into(),
            price: Price::default(),
            max_tokens: 4096,
            stream: true,
            json: JsonMode::Schema,
            parameters: Map::new(),
        }
    }
}

impl Provider {
    /// Anthropic, with the name of the secret that is its key.
    pub fn anthropic(secret: &str) -> Self {
        let key = ApiKey::header("x-api-key", secret);
        let mut api = ApiConfig::new(address("https://api.anthropic.com"), Some(key));
        api.headers.insert("anthropic-version".to_owned(), Setting::Plain("2023-06-01".to_owned()));
        Self { protocol: Protocol::Anthropic, api }
    }

    /// OpenAI, with the name of the secret that is its key.
    pub fn openai(secret: &str) -> Self {
        let api = ApiConfig::new(address("https://api.openai.com/v1"), Some(ApiKey::bearer(secret)));
        Self { protocol: Protocol::OpenAi, api }
    }
}

/// An object of some fields.
fn object<const N: usize>(fields: [(&str, Json); N]) -> Map<String, Json> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[allow(clippy::expect_used, reason = "for constants")]
fn address(text: &'static str) -> Url {
    Url::parse(text).expect("an address")
}

/// `llm.complete`, `llm.summarize` and `llm.extract`; `client` gives the client that reaches a provider's address.
pub fn tools(config: Config, client: impl Fn(&Url) -> Arc<HttpClient>) -> Vec<Arc<dyn Tool>> {
    let chat = |(alias, model): (String, Model)| {
        let client = model.provider.as_ref().map(|provider| client(&provider.api.base_url));
        (alias, Chat::new(model, client.as_ref()))
    };
    let models = Arc::new(Models { default: config.default, chats: config.models.into_iter().map(chat).collect() });
    let all =
        [("llm.complete", Action::Complete), ("llm.summarize", Action::Summarize), ("llm.extract", Action::Extract)];
    standard::provide(all, |signature, action| Arc::new(Llm { action, models: Arc::clone(&models), signature }))
}

#[derive(Clone, Copy)]
enum Action {
    Complete,
    Summarize,
    Extract,
}

struct Llm {
    action: Action,
    models: Arc<Models>,
    signature: Arc<Signature>,
}

impl Tool for Llm {
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.signature)
    }

    fn call<'a>(&'a self, args: Value, context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(async move {
            let args = Args(&args);
            let chat = self.models.find(args.optional_text("model")?)?;
            match self.action {
                Action::Complete => {
                    let max_tokens = args.int("max_tokens", 1024, 1..=1_000_000)?;
                    let prompt = Prompt::complete(args.text("prompt")?, args.optional_text("system")?, max_tokens);
                    Ok(chat.ask(&prompt, context).await?.into())
                }
                Action::Summarize => {
                    let words = args.int("max_words", 150, 1..=100_000)?;
                    let instruction = args.optional_text("instruction")?.unwrap_or_default();
                    let prompt = Prompt::summarize(args.text("text")?, instruction, words, chat.model.max_tokens);
                    Ok(chat.ask(&prompt, context).await?.into())
                }
                Action::Extract => extract::extract(chat, args, context).await,
            }
        })
    }
}

struct Models {
    default: Option<String>,
    chats: IndexMap<String, Chat>,
}

impl Models {
    fn find(&self, alias: Option<&str>) -> Result<&Chat, ToolError> {
        let found = match alias.or(self.default.as_deref()) {
            Some(alias) => self.chats.get(alias),
            None => self.chats.values().next(),
        };
        found.ok_or_else(|| {
            let known: Vec<_> = self.chats.keys().map(|alias| format!("`{alias}`")).collect();
            let asked = alias.or(self.default.as_deref()).unwrap_or_default();
            invalid(match known.as_slice() {
                [] => "no model is configured".to_owned(),
                known => format!("there is no model `{asked}`; there is {}", known.join(", ")),
            })
        })
    }
}
