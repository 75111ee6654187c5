//! A tool called by name, outside of any program: a run of one step.

use std::sync::Arc;

use crate::program::Program;
use crate::run::engine::{Engine, StartError};
use crate::run::handle::Run;
use crate::types::{Bindings, Signature, Text, Type};
use crate::value::Value;

impl Engine {
    /// Starts a run that calls one tool, with the retries, limits, hooks and checks of any step, and returns what the
    /// tool gives. `args` is an object of its arguments; a secret is given by its name, a type as a JSON Schema.
    ///
    /// # Errors
    /// As [`Engine::start`]; [`StartError::MissingTools`] where there is no such tool.
    pub fn call(&self, tool: &str, args: impl Into<Value>) -> Result<Run, StartError> {
        let Some(signature) = self.catalog().get(tool) else {
            return Err(StartError::MissingTools(vec![tool.into()]));
        };
        let args = with_secrets(signature, args.into());
        let program = Arc::new(Program::of_call(signature, &bindings(signature, &args)));
        self.start(&program, tool, args)
    }
}

/// What the tool's type parameters stand for: the schemas among the arguments say so.
fn bindings(tool: &Signature, args: &Value) -> Bindings {
    let mut bound = Bindings::default();
    for param in &tool.params {
        if let (Type::Schema(_), Some(schema)) = (&param.ty, args.get(&param.name)) {
            let wanted = Type::from_json_schema(&schema.into());
            param.ty.bind(&Type::schema(wanted), &mut bound);
        }
    }
    bound
}

/// The arguments with the names of secrets as secrets.
fn with_secrets(tool: &Signature, args: Value) -> Value {
    let wanted = |name: &Text| tool.find(name).is_some_and(|param| param.ty.without_null() == Type::Secret);
    let of = |(name, value): (&Text, &Value)| match value.as_str() {
        Some(secret) if wanted(name) => (name.clone(), Value::Secret(secret.into())),
        _ => (name.clone(), value.clone()),
    };
    match &args {
        Value::Map(map) if map.keys().any(wanted) => Value::map(map.iter().map(of)),
        Value::Record(record) if record.shape.names().any(wanted) => Value::record(record.iter().map(of)),
        _ => args,
    }
}

#[cfg(test)]
mod tests {
    use futures::future::BoxFuture;
    use serde_json::json;

    use super::*;
    use crate::run::{Tool, ToolContext, ToolError};
    use crate::value::ErrorKind;

    /// Says what it was given.
    struct Echo(Arc<Signature>);

    impl Tool for Echo {
        fn signature(&self) -> Arc<Signature> {
            Arc::clone(&self.0)
        }

        fn call<'a>(&'a self, args: Value, _: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
            Box::pin(async move { Ok(args.get("answer").cloned().unwrap_or(args)) })
        }
    }

    fn engine() -> Engine {
        let plain = Signature::new("test.echo", "Says what it was given.", Type::Json)
            .param("text", Type::String, "Any.")
            .optional("times", Type::Int, None, "How often.");
        let generic = Signature::new("test.fill", "Fills a type.", Type::Var("T".into()))
            .generic("T")
            .param("into", Type::schema(Type::Var("T".into())), "The type.")
            .param("answer", Type::Json, "What is answered.");
        let tools = [plain, generic].map(|signature| Arc::new(Echo(Arc::new(signature))) as Arc<dyn Tool>);
        Engine::builder().tools(tools).build().expect("an engine")
    }

    async fn call(tool: &str, args: serde_json::Value) -> Result<Value, String> {
        let run = engine().call(tool, args).map_err(|error| error.to_string())?;
        run.value().await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_tool_is_called_with_what_is_given() {
        let echoed = call("test.echo", json!({ "text": "a" })).await.expect("an answer");
        assert_eq!(echoed, json!({ "text": "a" }).into());
        assert_eq!(
            call("test.echo", json!({})).await.expect_err("nothing given"),
            "the input does not fit `test.echo`\n  `text`: missing; expected string"
        );
        assert!(call("test.ecco", json!({})).await.expect_err("no such tool").contains("test.ecco"));
    }

    #[tokio::test]
    async fn a_schema_settles_the_result() {
        let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"] });
        let fits = call("test.fill", json!({ "into": schema, "answer": { "n": 3.0 } })).await.expect("an answer");
        assert_eq!(fits.get("n"), Some(&Value::Int(3)));
        let misfit =
            call("test.fill", json!({ "into": schema, "answer": { "n": "three" } })).await.expect_err("no int");
        assert!(misfit.contains(ErrorKind::Invalid.name()) && misfit.contains('n'), "{misfit}");
    }
}
