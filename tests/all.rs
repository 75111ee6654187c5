//! The one integration test binary: linking is what costs on small machines.

#[path = "all/schemas.rs"]
mod schemas;
#[path = "all/tidy.rs"]
mod tidy;
