//! The tools that come with Flow: the standard catalog, and what provides it.

#[cfg(feature = "http")]
mod api;
mod args;
#[cfg(feature = "http")]
pub mod artifacts;
#[cfg(feature = "http")]
pub mod brave;
#[cfg(all(feature = "browser", unix))]
pub mod browser;
#[cfg(feature = "http")]
pub mod cloudinary;
#[cfg(feature = "mcp")]
mod descent;
#[cfg(feature = "http")]
mod endpoint;
#[cfg(feature = "http")]
mod governed;
#[cfg(feature = "http")]
pub mod http;
pub mod human;
#[cfg(feature = "mcp")]
pub mod listed;
#[cfg(feature = "http")]
pub mod llm;
#[cfg(feature = "mcp")]
pub mod mcp;
#[cfg(feature = "sqlite")]
pub mod memory;
#[cfg(feature = "project")]
pub mod openapi;
#[cfg(feature = "mcp")]
mod process;
#[cfg(feature = "http")]
pub mod setting;
#[cfg(feature = "project")]
pub mod skill;
pub mod standard;
pub mod system;
mod unconfigured;
#[cfg(feature = "http")]
pub mod vercel;
#[cfg(feature = "web")]
pub mod web;

#[cfg(feature = "http")]
pub use api::{ApiConfig, ApiKey};
#[cfg(feature = "mcp")]
pub use descent::adopt_orphans;
#[cfg(feature = "http")]
pub use endpoint::Endpoint;
#[cfg(feature = "http")]
pub use governed::{Gate, Governed, Rate};
#[cfg(feature = "mcp")]
pub use process::kill_all;
#[cfg(feature = "http")]
pub use setting::Setting;
pub use unconfigured::Unconfigured;

/// Every tool of the standard catalog: `http`, `web`, `time`, `random`, `log`, `human` and `signal` over this client, and for each tool
/// that needs a provider a stand-in that says how to name one ([`Unconfigured`]).
#[cfg(feature = "web")]
pub fn standard_tools(client: &std::sync::Arc<http::HttpClient>) -> Vec<std::sync::Arc<dyn crate::run::Tool>> {
    use std::sync::Arc;

    let clock: Arc<dyn crate::run::Clock> = Arc::new(crate::run::TokioClock::default());
    let mut tools = system::tools(&clock);
    tools.extend(human::tools());
    tools.extend(http::Http::tools(client));
    if let Some(scrape) = web::WebScrape::new(client) {
        tools.push(Arc::new(scrape));
    }
    for signature in standard::signatures() {
        if !tools.iter().any(|tool| tool.signature().name == signature.name) {
            tools.push(Arc::new(Unconfigured::new(Arc::clone(signature))));
        }
    }
    tools
}
