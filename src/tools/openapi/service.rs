//! A service that an OpenAPI document describes, and its tools.

use std::sync::Arc;

use futures::future::BoxFuture;
use http::{HeaderName, StatusCode};
use tokio::sync::OnceCell;
use url::Url;

use crate::run::{Secrets, Tool, ToolContext, ToolError};
use crate::tools::http::{HttpClient, Redirects, Request, Response, decode, mime_type, status_error};
use crate::tools::listed::{Listed, Remote, arguments};
use crate::tools::openapi::auth::Tokens;
use crate::tools::openapi::document::OpenApiDocument;
use crate::tools::openapi::operation::{Operation, is_json};
use crate::tools::openapi::request;
use crate::tools::openapi::settings::{Auth, Document, OpenApiSettings};
use crate::types::{Signature, Text, Type};
use crate::value::{ErrorKind, Value};

/// A client for a service at this address.
type Clients = Box<dyn Fn(&Url) -> Arc<HttpClient> + Send + Sync>;

/// A service that an OpenAPI document describes. Cheap to clone.
#[derive(Clone)]
pub struct OpenApi {
    shared: Arc<Shared>,
}

struct Shared {
    /// What it is called in messages.
    name: String,
    settings: OpenApiSettings,
    clients: Clients,
    read: OnceCell<Ready>,
    tokens: Tokens,
}

/// A document that was read, and where its service is.
struct Ready {
    document: OpenApiDocument,
    base: Url,
    client: Arc<HttpClient>,
}

impl OpenApi {
    /// The service of these settings, under this name. Nothing is read yet. `clients` makes a client for a service at
    /// an address that the operator named, or that a document of theirs names.
    pub fn new(
        name: &str,
        settings: OpenApiSettings,
        clients: impl Fn(&Url) -> Arc<HttpClient> + Send + Sync + 'static,
    ) -> Self {
        let clients: Clients = Box::new(clients);
        let (name, read, tokens) = (name.to_owned(), OnceCell::new(), Tokens::default());
        Self { shared: Arc::new(Shared { name, settings, clients, read, tokens }) }
    }

    async fn ready(&self) -> Result<&Ready, ToolError> {
        self.shared.read.get_or_try_init(|| self.read()).await
    }

    async fn read(&self) -> Result<Ready, ToolError> {
        let Shared { name, settings, clients, .. } = &*self.shared;
        let wrong = |why: String| {
            ToolError::new(ErrorKind::Invalid, format!("the document of `{name}` cannot be used: {why}")).undelivered()
        };
        let (text, at) = match &settings.document {
            Document::File(path) => {
                let text = tokio::fs::read_to_string(path).await;
                (text.map_err(|error| wrong(format!("`{}`: {error}", path.display())))?, None)
            }
            Document::Url(url) => {
                let response = clients(url).send(Request::get(url.clone())).await.map_err(ToolError::undelivered)?;
                if let Some(error) = status_error(&response) {
                    return Err(error.undelivered());
                }
                (decode(&response).unwrap_or_default(), Some(url))
            }
        };
        let document = OpenApiDocument::read(&text).map_err(wrong)?;
        let base = settings.base_url.clone().or_else(|| document.server(at));
        let base = base.ok_or_else(|| wrong("it names no server: add `base_url` in `flow.toml`".into()))?;
        let client = clients(&base);
        Ok(Ready { document, base, client })
    }

    async fn call(&self, call: &Call, args: &Value, context: ToolContext<'_>) -> Result<Value, ToolError> {
        let ready = self.ready().await?;
        let found = ready.document.operations.iter().find(|operation| operation.listed.name == call.operation);
        let Some(operation) = found else {
            let message =
                format!("the document of `{}` has no operation `{}` any more", self.shared.name, call.operation);
            return Err(ToolError::new(ErrorKind::Tool, message).undelivered());
        };
        let arguments = arguments(args, &call.renamed);
        let mut again = matches!(self.shared.settings.auth, Some(Auth::ClientCredentials { .. }));
        loop {
            let mut request = request::build(operation, &ready.base, &arguments)?;
            request.timeout = context.timeout;
            self.sign(&mut request, operation, ready, context.secrets).await?;
            let response = ready.client.open(request, Redirects::Keep).await?.read().await?;
            // A token may have been taken back before its time; another one is asked for, once.
            if response.status == StatusCode::UNAUTHORIZED && std::mem::take(&mut again) {
                self.shared.tokens.forget().await;
                continue;
            }
            return answer(&response, &call.signature.result, context).await;
        }
    }

    async fn sign(
        &self,
        request: &mut Request,
        operation: &Operation,
        ready: &Ready,
        secrets: &dyn Secrets,
    ) -> Result<(), ToolError> {
        let Shared { settings, clients, tokens, .. } = &*self.shared;
        for (name, setting) in &settings.headers {
            if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
                request.headers.insert(name, setting.header(secrets, &request.url)?);
            }
        }
        match &settings.auth {
            Some(auth) if operation.secured => tokens.sign(request, auth, &ready.document, secrets, clients).await,
            _ => Ok(()),
        }
    }
}

impl Remote for OpenApi {
    fn list<'a>(&'a self, _secrets: &'a dyn Secrets) -> BoxFuture<'a, Result<Vec<Listed>, ToolError>> {
        Box::pin(async move {
            let operations = &self.ready().await?.document.operations;
            Ok(operations.iter().map(|operation| operation.listed.clone()).collect())
        })
    }

    fn tool(&self, name: &str, listed: &Listed) -> Arc<dyn Tool> {
        let (signature, renamed) = listed.signature(name);
        let operation = listed.name.clone();
        Arc::new(Call { service: self.clone(), operation, signature: Arc::new(signature), renamed })
    }
}

/// An operation as a tool.
struct Call {
    service: OpenApi,
    operation: String,
    signature: Arc<Signature>,
    /// Arguments whose names are other ones in the document.
    renamed: Vec<(Text, Text)>,
}

impl Tool for Call {
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.signature)
    }

    fn call<'a>(&'a self, args: Value, context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(async move { self.service.call(self, &args, context).await })
    }
}

/// What a service answered, as a value of about the declared type; the engine makes it fit.
async fn answer(response: &Response, declared: &Type, context: ToolContext<'_>) -> Result<Value, ToolError> {
    if let Some(error) = status_error(response) {
        return Err(error);
    }
    let kind = mime_type(response).unwrap_or_default();
    if response.body.is_empty() || *declared == Type::Null {
        return Ok(Value::Null);
    }
    if is_json(&kind) {
        let json: serde_json::Value = serde_json::from_slice(&response.body).map_err(|error| {
            ToolError::new(ErrorKind::Invalid, format!("`{}` answered with what is not JSON: {error}", response.url))
        })?;
        return Ok(json.into());
    }
    match decode(response) {
        Some(text) if !matches!(declared, Type::Image | Type::File) => Ok(text.into()),
        _ => {
            let name = response.url.path_segments().and_then(|mut path| path.next_back()).unwrap_or_default();
            context.store(response.body.to_vec(), &kind, name).await
        }
    }
}
