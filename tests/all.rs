//! The one integration test binary: linking is what costs on small machines.

#[path = "all/tidy.rs"]
mod tidy;

#[cfg(feature = "cli")]
#[path = "all/cli/mod.rs"]
mod cli;
