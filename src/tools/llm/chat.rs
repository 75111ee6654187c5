//! One question to a model and its answer: sent in the provider's protocol, shown while it is written, paid for, and
//! refused where it is no answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::run::{Report, ToolContext, ToolError, Usage};
use crate::tools::api::{Api, Events, Streamed};
use crate::tools::http::HttpClient;
use crate::tools::llm::prompts::Prompt;
use crate::tools::llm::{Model, Protocol, anthropic, client, openai};
use crate::value::{ErrorKind, Value};

/// How often what was written is shown: a few times a second is live enough, and a run's events are counted.
const SHOW_EVERY: Duration = Duration::from_millis(250);

/// A model, ready to be asked.
#[derive(Debug)]
pub(super) struct Chat {
    pub(super) model: Model,
    /// The service that runs it; none where whoever runs the flow lends it.
    service: Option<Service>,
}

#[derive(Debug)]
struct Service {
    protocol: Protocol,
    api: Api,
}

/// What came of a question so far, whatever its provider speaks.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) text: String,
    /// Why the model will not answer, in its own words.
    pub(super) refusal: Option<String>,
    /// Why it stopped, as its provider says it.
    pub(super) stop: Option<String>,
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
}

/// What an event of a stream means.
pub(super) enum Heard {
    /// More may come.
    More,
    /// The answer is whole.
    End,
    /// The provider gave up.
    Failed(ToolError),
}

impl Chat {
    pub(super) fn new(model: Model, client: Option<&Arc<HttpClient>>) -> Self {
        let service = model.provider.as_ref().zip(client).map(|(provider, client)| {
            let host = provider.api.base_url.host_str().unwrap_or_default();
            Service { protocol: provider.protocol, api: Api::new(format!("`{host}`"), client, provider.api.clone()) }
        });
        Self { model, service }
    }

    /// The answer's text; of one that must be JSON, the JSON's. What was spent is reported however it ends.
    ///
    /// # Errors
    /// Those of the API; `denied` where the model refuses; `tool` where the answer was cut off or says nothing, with
    /// the `reason` and the `text` so far in the details.
    pub(super) async fn ask(&self, prompt: &Prompt, context: ToolContext<'_>) -> Result<String, ToolError> {
        let mut answer = Answer::default();
        let asked = match &self.service {
            Some(service) => service.answer(&self.model, prompt, &mut answer, context).await,
            None => client::ask(&self.model, prompt, &mut answer, context).await,
        };
        let price = self.model.price;
        let usd = (answer.input_tokens as f64 * price.input + answer.output_tokens as f64 * price.output) / 1e6;
        let (input_tokens, output_tokens) = (answer.input_tokens, answer.output_tokens);
        context.report.usage(Usage { input_tokens, output_tokens, usd });
        asked?;
        self.conclude(answer)
    }

    /// Only what is an answer is one.
    fn conclude(&self, answer: Answer) -> Result<String, ToolError> {
        let model = &self.model.name;
        let stop = answer.stop.as_deref().unwrap_or_default();
        let (kind, reason, message) = match (answer.refusal, stop) {
            (Some(refusal), _) => (ErrorKind::Denied, "refusal", format!("`{model}` refuses to answer: {refusal}")),
            (None, "refusal" | "content_filter") => {
                (ErrorKind::Denied, "refusal", format!("`{model}` refuses to answer ({stop})"))
            }
            (None, "max_tokens" | "length") => {
                let spent = answer.output_tokens;
                let message =
                    format!("the answer of `{model}` was cut off at {spent} tokens: allow more, or ask for less");
                (ErrorKind::Tool, "max_tokens", message)
            }
            (None, "model_context_window_exceeded") => {
                (ErrorKind::Tool, "max_tokens", format!("question and answer are longer than `{model}` can hold"))
            }
            _ if answer.text.trim().is_empty() => {
                (ErrorKind::Tool, "empty", format!("`{model}` answered without a text (it stopped with `{stop}`)"))
            }
            _ => return Ok(answer.text),
        };
        let details = Value::record_of([("reason", reason.into()), ("text", answer.text.into())]);
        let mut error = ToolError::new(kind, message).details(details);
        // A model that said nothing once may say something the next time.
        error.retryable = reason == "empty";
        Err(error)
    }
}

impl Service {
    async fn answer(
        &self,
        model: &Model,
        prompt: &Prompt,
        answer: &mut Answer,
        context: ToolContext<'_>,
    ) -> Result<(), ToolError> {
        // JSON that is half there is nothing to show.
        let stream = model.stream && prompt.schema.is_none();
        let (path, body) = match self.protocol {
            Protocol::Anthropic => (&["v1", "messages"][..], anthropic::request(model, prompt, stream)),
            Protocol::OpenAi => (&["chat", "completions"][..], openai::request(model, prompt, stream)),
        };
        if !stream {
            return match self.protocol {
                Protocol::Anthropic => {
                    self.api.post::<anthropic::Message>(path, &body, context).await?.into_answer(answer);
                    Ok(())
                }
                Protocol::OpenAi => {
                    self.api.post::<openai::Completion>(path, &body, context).await?.into_answer(answer);
                    Ok(())
                }
            };
        }
        match self.api.stream(path, &body, context).await? {
            Streamed::Whole(json) => self.whole(json, answer),
            Streamed::Events(mut events) => {
                let mut shown = Shown::new(context.report);
                let listened = self.listen(&mut events, answer, &mut shown).await;
                shown.rest(&answer.text);
                listened
            }
        }
    }

    /// Takes in a stream until its end.
    async fn listen(&self, events: &mut Events, answer: &mut Answer, shown: &mut Shown<'_>) -> Result<(), ToolError> {
        while let Some(data) = events.next().await? {
            let heard = match self.protocol {
                Protocol::Anthropic => anthropic::hear(&data, answer),
                Protocol::OpenAi => openai::hear(&data, answer),
            };
            match heard {
                Ok(Heard::More) => shown.show(&answer.text),
                Ok(Heard::End) => return Ok(()),
                Ok(Heard::Failed(error)) => return Err(error),
                Err(why) => {
                    return Err(self.api.error(ErrorKind::Invalid, format!("sent an event of another form: {why}")));
                }
            }
        }
        // Some services close the stream without a last word.
        if answer.stop.is_some() {
            return Ok(());
        }
        let bytes = answer.text.len();
        Err(self.api.error(ErrorKind::Network, format!("broke the answer off after {bytes} bytes")))
    }

    fn whole(&self, json: serde_json::Value, answer: &mut Answer) -> Result<(), ToolError> {
        let read = match self.protocol {
            Protocol::Anthropic => {
                serde_json::from_value::<anthropic::Message>(json).map(|message| message.into_answer(answer))
            }
            Protocol::OpenAi => {
                serde_json::from_value::<openai::Completion>(json).map(|completion| completion.into_answer(answer))
            }
        };
        read.map_err(|why| self.api.error(ErrorKind::Invalid, format!("answered with JSON of another form: {why}")))
    }
}

/// Shows a text while it grows.
struct Shown<'a> {
    report: &'a dyn Report,
    bytes: usize,
    last: Option<Instant>,
}

impl<'a> Shown<'a> {
    fn new(report: &'a dyn Report) -> Self {
        Self { report, bytes: 0, last: None }
    }

    /// Reports what is new, unless something was reported a moment ago.
    fn show(&mut self, text: &str) {
        if self.last.is_none_or(|last| last.elapsed() >= SHOW_EVERY) {
            self.rest(text);
        }
    }

    /// Reports what is new: what was reported is the text then, piece by piece.
    fn rest(&mut self, text: &str) {
        if let Some(new) = text.get(self.bytes..).filter(|new| !new.is_empty()) {
            self.report.output(new.into());
            self.bytes = text.len();
            self.last = Some(Instant::now());
        }
    }
}
