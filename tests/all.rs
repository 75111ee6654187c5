//! The one integration test binary: linking is what costs on small machines.

#[path = "all/check.rs"]
mod check;
#[cfg(feature = "cli")]
#[path = "all/cli/mod.rs"]
mod cli;
#[path = "all/docs.rs"]
mod docs;
#[path = "all/schemas.rs"]
mod schemas;
#[path = "all/tidy.rs"]
mod tidy;
