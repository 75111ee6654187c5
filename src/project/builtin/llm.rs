//! `[provide.llm]`: language models, and the services that run them.

use std::sync::Arc;

use indexmap::IndexMap;
use url::Url;

use crate::project::builtin::api;
use crate::project::config::set;
use crate::project::keys::{Key, Keys, Shape};
use crate::project::provide::{Kind, Provide, World, choice};
use crate::project::reader::{Entry, Reader};
use crate::run::Tool;
use crate::tools::ApiKey;
use crate::tools::llm::{self, Config, JsonMode, Model, Price, Protocol, Provider};

pub(super) const KIND: Kind = Kind {
    name: "llm",
    keys: Keys::new(
        &[
            Key::new("providers", Shape::Each(&Shape::Table(PROVIDER)), "The services that run models, by name."),
            Key::new("models", Shape::Each(&Shape::Table(MODEL)), "The models, by the names that steps call them by."),
            Key::new("default", Shape::Text, "The model where a step names none; else the first."),
        ],
        &["providers", "models"],
    ),
    read: |reader, entries| Some(Arc::new(Settings(read(reader, entries)?))),
};

const PROVIDER: Keys = Keys::new(
    &[
        Key::new(
            "protocol",
            Shape::Pattern("^(anthropic|openai|client)$"),
            "What it speaks, \"anthropic\" or \"openai\", or \"client\": the model of the MCP client that calls the flow; \
             not needed where it is named so.",
        ),
        api::API_KEY,
        Key::new("bearer", Shape::Secret, "The secret that is sent as `Authorization: Bearer …` instead."),
        api::BASE_URL,
        api::HEADERS,
    ],
    &[],
);

const MODEL: Keys = Keys::new(
    &[
        Key::new("provider", Shape::Text, "Who runs it: one of `providers`."),
        Key::new("model", Shape::Text, "What its provider calls it."),
        Key::new("price", Shape::Table(PRICE), "What a million tokens cost, in US dollars; nothing without it."),
        Key::new("max_tokens", Shape::Count, "The longest answer where a step does not say; 4096."),
        Key::new("stream", Shape::Flag, "Whether its words show while it writes; true."),
        Key::new(
            "json",
            Shape::Pattern("^(schema|prompt)$"),
            "How `extract` holds it to JSON: \"schema\", by its API, or \"prompt\", for services that cannot.",
        ),
        Key::new("parameters", Shape::Each(&Shape::Any), "What else is sent with each request, such as `temperature`."),
    ],
    &["provider", "model"],
);

const PRICE: Keys = Keys::new(
    &[
        Key::new("input", Shape::Amount, "Tokens that it reads."),
        Key::new("output", Shape::Amount, "Tokens that it writes."),
    ],
    &["input", "output"],
);

fn read(reader: &mut Reader, entries: &[Entry<'_>]) -> Option<Config> {
    let find = |name: &str| entries.iter().find(|entry| entry.name == name);
    let mut providers = IndexMap::new();
    let table = reader.table(find("providers")?)?;
    for entry in reader.all(table) {
        if let Some(provider) = read_provider(reader, &entry) {
            providers.insert(entry.name.to_owned(), provider);
        }
    }
    let mut config = Config::default();
    let table = reader.table(find("models")?)?;
    for entry in reader.all(table) {
        if let Some(model) = read_model(reader, &entry, &providers) {
            config.models.insert(entry.name.to_owned(), model);
        }
    }
    if let Some(entry) = find("default") {
        let default = reader.text(entry)?;
        let known: Vec<_> = table.keys().map(|name| name.get_ref().as_ref()).collect();
        if !known.contains(&default) {
            reader.wrong_value(entry, &format!("there is no model `{default}`"), &choice(default, &known));
        }
        config.default = Some(default.to_owned());
    }
    Some(config)
}

/// Who runs models.
enum By {
    Service(Provider),
    /// Whoever runs the flow lends its own.
    Client,
}

fn read_provider(reader: &mut Reader, provider: &Entry<'_>) -> Option<By> {
    let entries = reader.whole(provider, &PROVIDER)?;
    let known = match entries.iter().find(|entry| entry.name == "protocol") {
        Some(entry) => reader.read(entry, "`\"anthropic\"`, `\"openai\"` or `\"client\"`", known)?,
        None => match known(provider.name) {
            Some(known) => known,
            None => {
                let help = "write `protocol = \"anthropic\"`, `protocol = \"openai\"` or `protocol = \"client\"`";
                reader.wrong(provider, &format!("nothing says what `{}` speaks", provider.name), help);
                return None;
            }
        },
    };
    let Spoken::Api(protocol) = known else {
        if let Some(idle) = entries.iter().find(|entry| entry.name != "protocol") {
            let help = "the client asks its own model: leave it out";
            reader.wrong(idle, &format!("`{}` says nothing to a client", idle.name), help);
        }
        return Some(By::Client);
    };
    let mut read = match protocol {
        Protocol::Anthropic => Provider::anthropic(""),
        Protocol::OpenAi => Provider::openai(""),
    };
    // A service on one's own machine may want none.
    read.api.key = None;
    for entry in &entries {
        match (entry.name, protocol) {
            ("bearer", _) => read.api.key = reader.secret(entry).map(ApiKey::Bearer),
            (_, Protocol::Anthropic) => {
                api::take(&mut read.api, reader, entry, |secret| ApiKey::header("x-api-key", secret));
            }
            (_, Protocol::OpenAi) => api::take(&mut read.api, reader, entry, ApiKey::Bearer),
        }
    }
    Some(By::Service(read))
}

/// What a provider speaks.
enum Spoken {
    Api(Protocol),
    Client,
}

fn known(name: &str) -> Option<Spoken> {
    match name {
        "anthropic" => Some(Spoken::Api(Protocol::Anthropic)),
        "openai" => Some(Spoken::Api(Protocol::OpenAi)),
        "client" => Some(Spoken::Client),
        _ => None,
    }
}

fn read_model(reader: &mut Reader, model: &Entry<'_>, providers: &IndexMap<String, By>) -> Option<Model> {
    let entries = reader.whole(model, &MODEL)?;
    let find = |name: &str| entries.iter().find(|entry| entry.name == name);
    let by = find("provider")?;
    let name = reader.text(by)?;
    let Some(provider) = providers.get(name) else {
        let known: Vec<_> = providers.keys().map(String::as_str).collect();
        reader.wrong_value(by, &format!("there is no provider `{name}`"), &choice(name, &known));
        return None;
    };
    let provider = match provider {
        By::Service(provider) => Some(provider.clone()),
        By::Client => None,
    };
    let mut read = Model::new(provider, reader.text(find("model")?)?);
    for entry in &entries {
        match entry.name {
            "price" => set(&mut read.price, read_price(reader, entry)),
            "max_tokens" => set(&mut read.max_tokens, reader.count(entry).map(|count| count as i64)),
            "stream" => set(&mut read.stream, reader.flag(entry)),
            "json" => set(&mut read.json, reader.read(entry, "`\"schema\"` or `\"prompt\"`", json_mode)),
            "parameters" => set(&mut read.parameters, reader.json(entry)),
            _ => {}
        }
    }
    Some(read)
}

fn read_price(reader: &mut Reader, entry: &Entry<'_>) -> Option<Price> {
    let mut price = Price::default();
    for entry in reader.whole(entry, &PRICE)? {
        match entry.name {
            "input" => price.input = reader.amount(&entry)?,
            _ => price.output = reader.amount(&entry)?,
        }
    }
    Some(price)
}

fn json_mode(name: &str) -> Option<JsonMode> {
    match name {
        "schema" => Some(JsonMode::Schema),
        "prompt" => Some(JsonMode::Prompt),
        _ => None,
    }
}

#[derive(Debug)]
struct Settings(Config);

impl Provide for Settings {
    fn secrets(&self) -> Vec<(&str, &Url)> {
        let apis = self.0.models.values().filter_map(|model| Some(&model.provider.as_ref()?.api));
        apis.flat_map(|api| api.secrets().map(move |secret| (secret, &api.base_url))).collect()
    }

    fn tools(&self, _namespace: &str, world: &World) -> Vec<Arc<dyn Tool>> {
        llm::tools(self.0.clone(), |service| world.client(service))
    }
}
