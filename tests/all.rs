//! The one integration test binary: linking is what costs on small machines.

#[path = "all/tidy.rs"]
mod tidy;
#[path = "all/docs.rs"]
mod docs;
#[path = "all/schemas.rs"]
mod schemas;
