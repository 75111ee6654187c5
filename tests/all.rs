//! The one integration test binary: linking is what costs on small machines.

#[cfg(feature = "cli")]
#[path = "all/cli/mod.rs"]
mod cli;
#[path = "all/docs.rs"]
mod docs;
#[path = "all/run.rs"]
mod run;
#[path = "all/schemas.rs"]
mod schemas;
#[path = "all/tidy.rs"]
mod tidy;
