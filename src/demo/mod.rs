//! A small world on this machine for the example flows to run in without accounts or a network: a site of real pages, and
//! stand-ins for the services that the flows' tools call. They speak the services' own protocols; what they answer follows
//! from what they are asked.

mod cloudinary;
mod llm;
mod search;
mod site;
mod vercel;

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The world, served for as long as this lives.
#[derive(Debug)]
pub struct Demo {
    /// Where it is served: a port of 127.0.0.1.
    pub address: SocketAddr,
    server: JoinHandle<()>,
}

/// Whom all stand-ins take to be a customer.
pub const KEY: &str = "demo-key";

impl Demo {
    /// Serves it on a free port, on the tokio runtime this is called in.
    ///
    /// # Errors
    /// No port of this machine can be listened on.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .route("/res/v1/web/search", get(move |request| std::future::ready(search::answer(address, &request))))
            .route("/v6/deployments", get(vercel::list))
            .route("/v13/deployments/{id}", get(vercel::one))
            .route("/v3/deployments/{id}/events", get(vercel::events))
            .route("/v1/messages", post(llm::answer))
            .route("/v1_1/{cloud}/{kind}/upload", post(cloudinary::upload))
            .route("/demo/image/upload/v1/{*name}", get(cloudinary::picture))
            .with_state(cloudinary::Cloud::new(address))
            .fallback(site::answer);
        #[allow(clippy::disallowed_methods, reason = "the server lives as long as the world, which aborts it")]
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::warn!("the demo's server came to an end: {error}");
            }
        });
        Ok(Self { address, server })
    }

    /// The pages worth comparing, failing ones included, each on a host of its own, as such pages are.
    pub fn compared(&self) -> Vec<String> {
        site::compared().map(|path| on_own_host(self.address, path)).collect()
    }

    /// A page worth a picture.
    pub fn pictured(&self) -> String {
        on_own_host(self.address, "/lists/lighthouses.html")
    }

    /// The `flow.toml` of a project in which every tool of the example flows is provided by this world. The secret `KEY` is
    /// read from the file `key`.
    pub fn settings(&self) -> String {
        let base = format!("http://{}", self.address);
        format!(
            r#"
            [http]
            allow_private = ["127.0.0.1", "::1"]

            [secrets]
            KEY = {{ file = "key" }}

            [provide.brave]
            api_key = "KEY"
            base_url = "{base}"

            [provide.vercel]
            api_key = "KEY"
            base_url = "{base}"

            [provide.llm.providers.anthropic]
            api_key = "KEY"
            base_url = "{base}"

            [provide.llm.models.demo]
            provider = "anthropic"
            model = "stand-in"
            price = {{ input = 3.0, output = 15.0 }}

            [artifacts]
            dir = "artifacts"
            cloudinary = {{ cloud = "demo", key = "{KEY}", secret = "KEY", base_url = "{base}" }}

            [provide.memory]
            path = "memory.db"
            "#
        )
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// `/shop/kettle.html` on a host of its own: `http://shop.localhost:8000/shop/kettle.html`.
fn on_own_host(address: SocketAddr, path: &str) -> String {
    let host = path.trim_start_matches('/').split('/').next().unwrap_or("site");
    format!("http://{host}.localhost:{}{path}", address.port())
}
