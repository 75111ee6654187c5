//! The HTTP client of a server's transport: every request says who calls, and one that is refused for that is sent again
//! with another token.

use std::collections::HashMap;
use std::sync::Arc;

use futures::stream::BoxStream;
use http::{HeaderName, HeaderValue};
use rmcp::model::ClientJsonRpcMessage;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse, StreamableHttpResponseLimits,
};
use sse_stream::{Error as SseError, Sse};

use super::challenge::Challenge;
use super::{Auth, RENEWALS};
use crate::run::ToolError;

/// The guarded client beneath, and the authorization, where there is one.
#[derive(Clone)]
pub(in super::super) struct Authorized {
    pub(in super::super) inner: reqwest::Client,
    pub(in super::super) auth: Option<Arc<Auth>>,
}

type Failure = StreamableHttpError<reqwest::Error>;

/// What an authorization that failed said, where it is the cause.
pub(in super::super) fn said(failure: &Failure) -> Option<&ToolError> {
    match failure {
        StreamableHttpError::Io(error) => error.get_ref()?.downcast_ref::<ToolError>(),
        _ => None,
    }
}

fn failed(error: ToolError) -> Failure {
    StreamableHttpError::Io(std::io::Error::other(error))
}

impl Authorized {
    async fn send<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        configured: Option<String>,
        send: impl Fn(Option<String>) -> F,
    ) -> Result<T, Failure> {
        let Some(auth) = &self.auth else { return send(configured).await };
        let mut token = auth.token().await.map_err(failed)?;
        for _ in 0..RENEWALS {
            let refusal = match send(token.clone()).await {
                Err(StreamableHttpError::AuthRequired(refusal)) => Challenge::of(&refusal.www_authenticate_header),
                Err(StreamableHttpError::InsufficientScope(refusal)) => {
                    Challenge { wants_more: true, ..Challenge::of(&refusal.www_authenticate_header) }
                }
                other => return other,
            };
            token = Some(auth.challenged(&refusal, token.as_deref()).await.map_err(failed)?);
        }
        send(token).await
    }
}

impl StreamableHttpClient for Authorized {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        token: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        self.send(token, |token| {
            self.inner.post_message(uri.clone(), message.clone(), session.clone(), token, headers.clone())
        })
        .await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        token: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
        limits: StreamableHttpResponseLimits,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        self.send(token, |token| {
            let (uri, message) = (uri.clone(), message.clone());
            self.inner.post_message_with_response_limits(uri, message, session.clone(), token, headers.clone(), limits)
        })
        .await
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        token: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), Failure> {
        self.send(token, |token| self.inner.delete_session(uri.clone(), session.clone(), token, headers.clone())).await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last: Option<String>,
        token: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failure> {
        self.send(token, |token| {
            self.inner.get_stream(uri.clone(), session.clone(), last.clone(), token, headers.clone())
        })
        .await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last: Option<String>,
        token: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
        most: usize,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Failure> {
        self.send(token, |token| {
            let (uri, session, last) = (uri.clone(), session.clone(), last.clone());
            self.inner.get_stream_with_max_sse_event_size(uri, session, last, token, headers.clone(), most)
        })
        .await
    }
}
