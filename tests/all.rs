//! The one integration test binary: linking is what costs on small machines.

#[path = "all/imports.rs"]
mod imports;
#[path = "all/outputs.rs"]
mod outputs;
#[path = "all/tidy.rs"]
mod tidy;
