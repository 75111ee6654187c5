//! The one integration test binary: linking is what costs on small machines.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "the helpers of tests may do what tests may"
)]

#[cfg(all(feature = "project", unix))]
#[path = "all/browser.rs"]
mod browser;
#[path = "all/check.rs"]
mod check;
#[cfg(feature = "cli")]
#[path = "all/cli/mod.rs"]
mod cli;
#[cfg(feature = "project")]
#[path = "all/cloudinary.rs"]
mod cloudinary;
#[path = "all/docs.rs"]
mod docs;
#[path = "all/errors.rs"]
mod errors;
#[cfg(all(feature = "sqlite", target_os = "linux"))]
#[path = "all/faults.rs"]
mod faults;
#[path = "all/fixes.rs"]
mod fixes;
#[path = "all/generated/mod.rs"]
mod generated;
#[path = "all/imports.rs"]
mod imports;
#[path = "all/lower.rs"]
mod lower;
#[cfg(feature = "project")]
#[path = "all/mcp/mod.rs"]
mod mcp;
#[path = "all/methods.rs"]
mod methods;
#[cfg(feature = "project")]
#[path = "all/openapi.rs"]
mod openapi;
#[path = "all/outputs.rs"]
mod outputs;
#[path = "all/plan.rs"]
mod plan;
#[cfg(feature = "project")]
#[path = "all/providers/mod.rs"]
mod providers;
#[path = "all/run.rs"]
mod run;
#[path = "all/schemas.rs"]
mod schemas;
#[cfg(feature = "cli")]
#[path = "all/serving/mod.rs"]
mod serving;
#[cfg(feature = "project")]
#[path = "all/settings.rs"]
mod settings;
#[cfg(feature = "sqlite")]
#[path = "all/store/mod.rs"]
mod store;
#[path = "all/syntax.rs"]
mod syntax;
#[cfg(all(feature = "cli", feature = "otel"))]
#[path = "all/telemetry.rs"]
mod telemetry;
#[path = "all/tidy.rs"]
mod tidy;
#[cfg(feature = "web")]
#[path = "all/tools.rs"]
mod tools;
#[path = "all/tools_reference.rs"]
mod tools_reference;
#[path = "all/trees.rs"]
mod trees;
#[path = "all/waiting.rs"]
mod waiting;
