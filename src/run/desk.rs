//! The port through which a step waits for what only the world outside the run can give it.

use futures::future::BoxFuture;
use serde_json::{Map, Value as Json};

use crate::run::ports::ToolError;
use crate::types::{Text, Type};
use crate::value::{ErrorKind, Misfit, Value};

/// Where steps wait for what comes from outside: the engine's makes the run wait (`run.waiting`), and whoever holds
/// the [`crate::run::Run`] answers.
pub trait Desk: Send + Sync {
    /// Waits until the request is met. The answer fits what is wanted. Dropping the future withdraws the request.
    ///
    /// # Errors
    /// `denied` where it is declined; `invalid` for a signal that came before and does not fit.
    fn wait(&self, request: Request) -> BoxFuture<'_, Result<Value, ToolError>>;
}

/// What a step waits for.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What kind of thing.
    pub kind: RequestKind,
    /// The question, or the signal's name.
    pub text: Text,
    /// What a person needs to know to answer; null where that is nothing.
    pub details: Value,
    /// What an answer must be.
    pub wanted: Type,
    /// What a form shows besides: keywords of JSON Schema (`title`, `default`, `oneOf` with titles), of each field where a
    /// record is wanted, else of the answer; null where that is nothing. They make no answer fit that the type refuses.
    pub form: Value,
}

/// The kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// A person's answer.
    Answer,
    /// A person's yes or no.
    Approval,
    /// A signal.
    Signal,
    /// A language model's words: whoever runs the flow lends one, or declines.
    Model,
}

impl Request {
    /// One that says no more than what is wanted.
    pub fn new(kind: RequestKind, text: impl Into<Text>, wanted: Type) -> Self {
        Self { kind, text: text.into(), details: Value::Null, wanted, form: Value::Null }
    }

    /// What is waited for, in a few words.
    pub fn reason(&self) -> String {
        match self.kind {
            RequestKind::Answer => format!("an answer: {}", self.text),
            RequestKind::Approval => format!("approval: {}", self.text),
            RequestKind::Signal => format!("the signal `{}`", self.text),
            RequestKind::Model => "the model of whoever runs the flow".to_owned(),
        }
    }

    /// The JSON Schema of an answer, with what a form shows besides.
    pub fn schema(&self) -> Json {
        let mut schema = self.wanted.to_json_schema();
        let Json::Object(form) = Json::from(&self.form) else { return schema };
        match schema.get_mut("properties").and_then(Json::as_object_mut) {
            Some(fields) => {
                for (name, keywords) in form {
                    if let (Some(field), Json::Object(keywords)) = (fields.get_mut(&name), keywords) {
                        show(field, keywords);
                    }
                }
            }
            None => show(&mut schema, form),
        }
        schema
    }

    /// The answer that stands where nothing is said: a form's defaults, if they leave nothing open.
    pub fn default(&self) -> Option<Value> {
        match &self.form {
            Value::Null => None,
            form => match self.wanted {
                Type::Record(_) => self.fit(Value::record([])).ok(),
                _ => form.get("default").and_then(|default| self.fit(default.clone()).ok()),
            },
        }
    }

    /// An answer as it is wanted. Fields that it leaves out are what the form's defaults say.
    ///
    /// # Errors
    /// It does not fit.
    pub fn fit(&self, answer: Value) -> Result<Value, Misfit> {
        let (Json::Object(form), Type::Record(_)) = (Json::from(&self.form), &self.wanted) else {
            return answer.conform(&self.wanted);
        };
        let Json::Object(mut fields) = Json::from(&answer) else { return answer.conform(&self.wanted) };
        for (name, keywords) in form {
            if let (Some(default), None | Some(Json::Null)) = (keywords.get("default"), fields.get(&name)) {
                fields.insert(name, default.clone());
            }
        }
        Value::from(Json::Object(fields)).conform(&self.wanted)
    }

    /// For programs: `{ kind, question, details, schema }`, of a signal `{ kind, name, schema }`.
    pub fn to_value(&self) -> Value {
        let schema = ("schema".into(), self.schema().into());
        let text = Value::String(self.text.clone());
        match self.kind {
            RequestKind::Signal => Value::map([("kind".into(), "signal".into()), ("name".into(), text), schema]),
            kind => {
                let kind = match kind {
                    RequestKind::Approval => "approval",
                    RequestKind::Model => "model",
                    _ => "answer",
                };
                let details = ("details".into(), self.details.clone());
                Value::map([("kind".into(), kind.into()), ("question".into(), text), details, schema])
            }
        }
    }
}

/// Adds keywords to a schema. A choice that comes with titles stands in place of the bare one.
fn show(schema: &mut Json, keywords: Map<String, Json>) {
    let Json::Object(schema) = schema else { return };
    if keywords.contains_key("oneOf") || keywords.contains_key("anyOf") {
        schema.shift_remove("enum");
    }
    schema.extend(keywords);
}

/// Nobody who answers.
#[derive(Debug, Clone, Copy)]
pub struct NoDesk;

impl Desk for NoDesk {
    fn wait(&self, request: Request) -> BoxFuture<'_, Result<Value, ToolError>> {
        let why = format!("nobody can be asked here for {}", request.reason());
        Box::pin(std::future::ready(Err(ToolError::new(ErrorKind::Denied, why))))
    }
}
