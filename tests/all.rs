//! The one integration test binary: linking is what costs on small machines.

#[path = "all/check.rs"]
mod check;
#[path = "all/tidy.rs"]
mod tidy;
#[path = "all/docs.rs"]
mod docs;
#[path = "all/schemas.rs"]
mod schemas;
