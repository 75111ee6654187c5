//! The tools that come with Flow: the standard catalog, and what provides it.

mod args;
#[cfg(feature = "http")]
mod endpoint;
#[cfg(feature = "http")]
pub mod http;
pub mod standard;
pub mod system;
mod unconfigured;
#[cfg(feature = "web")]
pub mod web;

#[cfg(feature = "http")]
pub use endpoint::Endpoint;
pub use unconfigured::Unconfigured;
