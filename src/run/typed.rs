//! A Rust function as a tool, in one line: its signature comes from its types.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use futures::future::BoxFuture;
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::run::ports::{Tool, ToolContext, ToolError};
use crate::types::{Annotations, Signature};
use crate::value::{ErrorKind, Value};

/// A tool made of a Rust function.
///
/// The function takes one struct, whose fields are the tool's parameters (their doc comments become its
/// documentation), and gives what can be serialized.
///
/// ```
/// # use flowc::run::{Engine, ToolError, tool};
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Find {
///     /// Whom to look for.
///     email: String,
/// }
///
/// let find = tool("crm.find", "Finds a customer.", |args: Find| async move {
///     Ok::<_, ToolError>(format!("customer of {}", args.email))
/// });
/// let engine = Engine::builder().tool(find.read_only()).build()?;
/// assert!(engine.catalog().get("crm.find").is_some());
/// # Ok::<(), flowc::run::BuildError>(())
/// ```
pub fn tool<A, R, F, Fut>(name: &str, doc: &str, function: F) -> TypedTool<A, R, impl Call<A, R>>
where
    A: DeserializeOwned + JsonSchema + Send + 'static,
    R: Serialize + JsonSchema + Send + 'static,
    F: Fn(A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
{
    TypedTool::new(name, doc, Plain(function))
}

/// As [`tool`], for a function that reports progress or resolves secrets: it is given the call's context, and boxes
/// its future.
pub fn tool_in_context<A, R, F>(name: &str, doc: &str, function: F) -> TypedTool<A, R, impl Call<A, R>>
where
    A: DeserializeOwned + JsonSchema + Send + 'static,
    R: Serialize + JsonSchema + Send + 'static,
    F: for<'a> Fn(A, ToolContext<'a>) -> BoxFuture<'a, Result<R, ToolError>> + Send + Sync + 'static,
{
    TypedTool::new(name, doc, InContext(function))
}

/// A function that a [`TypedTool`] calls.
pub trait Call<A, R>: Send + Sync {
    /// Calls it.
    fn call<'a>(&'a self, args: A, context: ToolContext<'a>) -> BoxFuture<'a, Result<R, ToolError>>;
}

struct Plain<F>(F);

impl<A, R, F, Fut> Call<A, R> for Plain<F>
where
    F: Fn(A) -> Fut + Send + Sync,
    Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
{
    fn call<'a>(&'a self, args: A, _context: ToolContext<'a>) -> BoxFuture<'a, Result<R, ToolError>> {
        Box::pin((self.0)(args))
    }
}

struct InContext<F>(F);

impl<A, R, F> Call<A, R> for InContext<F>
where
    F: for<'a> Fn(A, ToolContext<'a>) -> BoxFuture<'a, Result<R, ToolError>> + Send + Sync,
{
    fn call<'a>(&'a self, args: A, context: ToolContext<'a>) -> BoxFuture<'a, Result<R, ToolError>> {
        (self.0)(args, context)
    }
}

/// A Rust function with its signature; see [`tool`].
pub struct TypedTool<A, R, F> {
    signature: Arc<Signature>,
    function: F,
    types: PhantomData<fn(A) -> R>,
}

impl<A: JsonSchema, R: JsonSchema, F> TypedTool<A, R, F> {
    fn new(name: &str, doc: &str, function: F) -> Self {
        let schema =
            |generator: SchemaGenerator, root: fn(SchemaGenerator) -> schemars::Schema| root(generator).to_value();
        let input = schema(SchemaSettings::draft2020_12().for_deserialize().into_generator(), |generator| {
            generator.into_root_schema_for::<A>()
        });
        let output = schema(SchemaSettings::draft2020_12().for_serialize().into_generator(), |generator| {
            generator.into_root_schema_for::<R>()
        });
        let signature = Signature::from_json_schemas(name, doc, &input, Some(&output));
        Self { signature: Arc::new(signature), function, types: PhantomData }
    }
}

impl<A, R, F> TypedTool<A, R, F> {
    /// Says that it changes nothing.
    #[must_use]
    pub fn read_only(self) -> Self {
        self.annotated(|it| *it = Annotations { key: it.key.take(), cost_usd: it.cost_usd, ..Annotations::read_only() })
    }

    /// Says that calling it twice is the same as calling it once.
    #[must_use]
    pub fn idempotent(self) -> Self {
        self.annotated(|it| it.idempotent = Some(true))
    }

    /// Says that it may destroy.
    #[must_use]
    pub fn destructive(self) -> Self {
        self.annotated(|it| it.destructive = Some(true))
    }

    /// Names the parameter that takes the idempotency key.
    #[must_use]
    pub fn key(self, param: &str) -> Self {
        self.annotated(|it| it.key = Some(param.into()))
    }

    /// Says what one call costs at most.
    #[must_use]
    pub fn cost_usd(self, usd: f64) -> Self {
        self.annotated(|it| it.cost_usd = Some(usd))
    }

    fn annotated(mut self, change: impl FnOnce(&mut Annotations)) -> Self {
        change(&mut Arc::make_mut(&mut self.signature).annotations);
        self
    }
}

impl<A, R, F> Tool for TypedTool<A, R, F>
where
    A: DeserializeOwned + Send,
    R: Serialize,
    F: Call<A, R>,
{
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.signature)
    }

    fn call<'a>(&'a self, args: Value, context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        let typed = serde_json::from_value::<A>(serde_json::Value::from(&args));
        Box::pin(async move {
            let invalid =
                |what: &str, why: serde_json::Error| ToolError::new(ErrorKind::Invalid, format!("{what}: {why}"));
            let args = typed.map_err(|why| invalid("the arguments do not fit", why))?;
            let result = self.function.call(args, context).await?;
            let json = serde_json::to_value(result).map_err(|why| invalid("the result cannot be written", why))?;
            Ok(Value::from(json))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Engine;

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Find {
        /// Whom to look for.
        email: String,
        limit: Option<u32>,
    }

    #[derive(serde::Serialize, schemars::JsonSchema)]
    struct Customer {
        id: u64,
        name: Option<String>,
    }

    fn find() -> impl Tool + 'static {
        tool("crm.find", "Finds a customer.", |args: Find| async move {
            let id = u64::from(args.limit.unwrap_or(1));
            Ok(vec![Customer { id, name: Some(args.email) }])
        })
        .read_only()
    }

    #[test]
    fn the_signature_comes_from_the_types() {
        let signature = find().signature();
        assert_eq!(signature.params.len(), 2);
        assert!(signature.find("email").is_some_and(|param| param.required && param.doc == "Whom to look for."));
        assert!(signature.find("limit").is_some_and(|param| !param.required));
        assert_eq!(signature.result.to_string(), "list<{ id: int, name: string? }>");
        assert_eq!(signature.annotations.read_only, Some(true));
        assert!(Engine::builder().tool(find()).build().is_ok());
        assert!(Engine::builder().tool(find()).tool(find()).build().is_err());
    }
}
