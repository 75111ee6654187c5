//! `vercel`: deployments and their logs, <https://vercel.com/docs/rest-api>.

use std::sync::Arc;

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use url::Url;

use crate::run::{Tool, ToolContext, ToolError};
use crate::tools::api::{Api, ApiConfig, ApiKey};
use crate::tools::args::Args;
use crate::tools::http::HttpClient;
use crate::tools::standard;
use crate::types::Signature;
use crate::value::Value;

/// The most deployments that one page of the list has.
const PAGE: i64 = 100;

/// How Vercel is reached.
#[derive(Clone, Debug)]
pub struct Config {
    /// The API.
    pub api: ApiConfig,
    /// The team whose deployments are meant: its id (`team_…`) or its slug; the token's own account where it is none.
    pub team: Option<String>,
}

/// The service itself, with the name of the secret that is its token.
///
/// # Panics
/// Never: the address is one.
pub fn config(secret: &str) -> Config {
    #[allow(clippy::expect_used, reason = "a constant")]
    let base_url = Url::parse("https://api.vercel.com").expect("an address");
    Config { api: ApiConfig::new(base_url, Some(ApiKey::bearer(secret))), team: None }
}

/// `vercel.deployments`, `vercel.deployment` and `vercel.logs`.
pub fn tools(config: Config, client: &Arc<HttpClient>) -> Vec<Arc<dyn Tool>> {
    let account = Arc::new(Account { api: Api::new("Vercel", client, config.api), team: config.team });
    let all = [
        ("vercel.deployments", Action::Deployments),
        ("vercel.deployment", Action::Deployment),
        ("vercel.logs", Action::Logs),
    ];
    standard::provide(all, |signature, action| Arc::new(Vercel { action, account: Arc::clone(&account), signature }))
}

#[derive(Clone, Copy)]
enum Action {
    Deployments,
    Deployment,
    Logs,
}

struct Vercel {
    action: Action,
    account: Arc<Account>,
    signature: Arc<Signature>,
}

impl Tool for Vercel {
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.signature)
    }

    fn call<'a>(&'a self, args: Value, context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(async move {
            let args = Args(&args);
            match self.action {
                Action::Deployments => self.account.deployments(args, context).await,
                Action::Deployment => self.account.deployment(args, context).await,
                Action::Logs => self.account.logs(args, context).await,
            }
        })
    }
}

struct Account {
    api: Api,
    team: Option<String>,
}

impl Account {
    /// Pages through the list, the newest first: a page names the time that the next one ends before.
    async fn deployments(&self, args: Args<'_>, context: ToolContext<'_>) -> Result<Value, ToolError> {
        let wanted = args.int("limit", 20, 1..=10_000)?;
        let state = args.optional_text("state")?;
        let mut found: Vec<Value> = Vec::new();
        let mut until: Option<String> = None;
        loop {
            let missing = wanted - found.len() as i64;
            let limit = missing.min(PAGE).to_string();
            let mut query = vec![("projectId", args.text("project")?), ("limit", limit.as_str())];
            query.extend(state.map(|state| ("state", state)));
            query.extend(until.as_deref().map(|until| ("until", until)));
            query.extend(self.team());
            let page: Page = self.api.get(&["v6", "deployments"], &query, context).await?;
            let empty = page.deployments.is_empty();
            found.extend(page.deployments.into_iter().take(missing as usize).map(Deployment::into_value));
            match page.pagination.and_then(|pagination| pagination.next).map(|next| next.to_string()) {
                Some(next) if !empty && (found.len() as i64) < wanted && until.as_ref() != Some(&next) => {
                    until = Some(next);
                }
                _ => return Ok(Value::list(found)),
            }
        }
    }

    async fn deployment(&self, args: Args<'_>, context: ToolContext<'_>) -> Result<Value, ToolError> {
        let id = bare(args.text("id")?);
        let query: Vec<_> = self.team().into_iter().collect();
        let deployment: Deployment = self.api.get(&["v13", "deployments", id], &query, context).await?;
        Ok(deployment.into_value())
    }

    /// The last lines, asked for backwards and put in order.
    async fn logs(&self, args: Args<'_>, context: ToolContext<'_>) -> Result<Value, ToolError> {
        let id = bare(args.text("id")?);
        let limit = args.int("limit", 100, 1..=100_000)?;
        let text = limit.to_string();
        let mut query = vec![("builds", "1"), ("direction", "backward"), ("follow", "0"), ("limit", text.as_str())];
        query.extend(self.team());
        let events: Vec<LogEvent> = self.api.get(&["v3", "deployments", id, "events"], &query, context).await?;
        let mut lines: Vec<_> = events.into_iter().filter_map(LogEvent::into_line).collect();
        lines.sort_by_key(|(at, _)| *at);
        let surplus = lines.len().saturating_sub(limit as usize);
        Ok(Value::list(lines.into_iter().skip(surplus).map(|(_, line)| line)))
    }

    fn team(&self) -> Option<(&str, &str)> {
        let team = self.team.as_deref()?;
        Some((if team.starts_with("team_") { "teamId" } else { "slug" }, team))
    }
}

/// A deployment's address as Vercel takes it in a path.
fn bare(id: &str) -> &str {
    id.trim_start_matches("https://").trim_end_matches('/')
}

/// Milliseconds since 1970.
fn instant(millis: i64) -> Value {
    Timestamp::from_millisecond(millis).map_or(Value::Null, Value::Datetime)
}

#[derive(Deserialize)]
struct Page {
    deployments: Vec<Deployment>,
    pagination: Option<Pagination>,
}

#[derive(Deserialize)]
struct Pagination {
    next: Option<i64>,
}

/// A deployment as the list has it (`uid`, `state`, `created`) and as it is alone (`id`, `readyState`, `createdAt`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Deployment {
    id: Option<String>,
    uid: Option<String>,
    name: String,
    url: Option<String>,
    state: Option<String>,
    ready_state: Option<String>,
    target: Option<String>,
    created: Option<i64>,
    created_at: Option<i64>,
    ready: Option<i64>,
    creator: Option<Creator>,
    #[serde(default)]
    meta: Map<String, Json>,
    error_message: Option<String>,
}

#[derive(Deserialize)]
struct Creator {
    username: Option<String>,
    email: Option<String>,
    uid: Option<String>,
}

impl Deployment {
    fn into_value(self) -> Value {
        let commit = self.commit();
        let url = self.url.map(|url| if url.contains("://") { url } else { format!("https://{url}") });
        // Every deployment that is not for production is a preview, also those of environments with names of their own.
        let target = if self.target.as_deref() == Some("production") { "production" } else { "preview" };
        Value::record_of([
            ("id", self.id.or(self.uid).into()),
            ("project", self.name.into()),
            ("url", url.into()),
            ("state", self.state.or(self.ready_state).into()),
            ("target", target.into()),
            ("created_at", self.created_at.or(self.created).map_or(Value::Null, instant)),
            ("ready_at", self.ready.map_or(Value::Null, instant)),
            ("creator", self.creator.and_then(|by| by.username.or(by.email).or(by.uid)).into()),
            ("commit", commit),
            ("error", self.error_message.into()),
        ])
    }

    /// What the git integrations leave in a deployment's metadata: `githubCommitSha`, `gitlabCommitRef`, ….
    fn commit(&self) -> Value {
        let text = |service: &str, what: &str| self.meta.get(&format!("{service}Commit{what}"))?.as_str();
        let commit = |service| {
            Some(Value::record_of([
                ("sha", text(service, "Sha")?.into()),
                ("message", text(service, "Message").unwrap_or_default().into()),
                ("branch", text(service, "Ref").unwrap_or_default().into()),
            ]))
        };
        ["github", "gitlab", "bitbucket"].into_iter().find_map(commit).unwrap_or(Value::Null)
    }
}

/// A line of a log in either of its forms: flat, or with most of it in `payload`.
#[derive(Deserialize)]
struct LogEvent {
    #[serde(rename = "type")]
    kind: String,
    created: Option<i64>,
    level: Option<String>,
    text: Option<String>,
    payload: Option<Payload>,
}

#[derive(Deserialize)]
struct Payload {
    date: Option<i64>,
    level: Option<String>,
    text: Option<String>,
}

impl LogEvent {
    /// The line with its time; none for events that say nothing, such as changes of state.
    fn into_line(self) -> Option<(i64, Value)> {
        let payload = self.payload.unwrap_or(Payload { date: None, level: None, text: None });
        let text = self.text.or(payload.text).filter(|text| !text.trim().is_empty())?;
        let at = self.created.or(payload.date).unwrap_or_default();
        let level = match (self.level.or(payload.level).as_deref(), self.kind.as_str()) {
            (Some("error" | "fatal"), _) | (None, "stderr" | "fatal") => "error",
            (Some("warning" | "warn"), _) => "warning",
            _ => "info",
        };
        let line = Value::record_of([
            ("at", instant(at)),
            ("level", level.into()),
            ("source", self.kind.into()),
            ("text", text.trim_end().into()),
        ]);
        Some((at, line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_found_whatever_service_holds_them() {
        let read = |json: Json| serde_json::from_value::<Deployment>(json).expect("a deployment").into_value();
        let of_list = read(serde_json::json!({
            "uid": "dpl_1", "name": "shop", "url": "shop-1.vercel.app", "created": 1_700_000_000_000_i64, "state": "READY",
            "meta": { "gitlabCommitSha": "abc", "gitlabCommitRef": "main" }, "target": "production",
            "creator": { "uid": "u1" },
        }));
        assert_eq!(of_list.get("commit").and_then(|commit| commit.get("sha")), Some(&"abc".into()));
        assert_eq!(of_list.get("url"), Some(&"https://shop-1.vercel.app".into()));
        assert_eq!(of_list.get("creator"), Some(&"u1".into()));
        let alone = read(serde_json::json!({
            "id": "dpl_1", "name": "shop", "url": "https://x.example", "createdAt": 1, "readyState": "ERROR",
            "errorMessage": "no build", "target": null,
        }));
        assert_eq!(alone.get("state"), Some(&"ERROR".into()));
        assert_eq!(alone.get("target"), Some(&"preview".into()));
        assert_eq!(alone.get("error"), Some(&"no build".into()));
    }
}
