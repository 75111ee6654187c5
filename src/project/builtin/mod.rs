//! The providers that come with Flow, one file each.
//!
//! A file `NAME.rs` has a `pub(super) const KIND: Kind` with the provider's name and keys (each with its shape and a
//! sentence, which the published JSON Schema shows), a function that reads its settings, and `impl Provide` for them,
//! which makes the tools; [`crate::project::provide`]'s `endpoint.rs` is the pattern to follow. Its name then goes into
//! [`KINDS`], and that is all: unknown keys, the rules beside them (`timeout`, `rate`, …), secrets and the schema are
//! taken care of.
//!
//! - `builtin = "NAME"` chooses it for any namespace; the namespace of its own name has it without saying so, as soon as
//!   there is a table `[provide.NAME]`. A key of its own name (`skills = "folder"`) chooses it, too.
//! - Secrets are read with `reader.secret(entry)` or `reader.setting(entry)`, kept by name, listed in
//!   [`Provide::secrets`](crate::project::provide::Provide::secrets) with the address they are sent to, and resolved in
//!   the call with [`crate::tools::setting`].
//! - A service that the operator named may be private: its client is `world.client(&base_url)`.

mod api;
mod brave;
#[cfg(unix)]
pub(super) mod browser;
pub(super) mod cloudinary;
mod llm;
mod memory;
mod skills;
mod vercel;

use crate::project::provide::Kind;

/// Every built-in provider.
pub(super) const KINDS: &[Kind] = &[
    brave::KIND,
    #[cfg(unix)]
    browser::KIND,
    cloudinary::KIND,
    llm::KIND,
    memory::KIND,
    skills::KIND,
    vercel::KIND,
];
