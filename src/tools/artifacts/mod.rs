//! Artifacts: pictures and documents that tools make. They are kept in a store, and values hold their handles only.
//!
//! [`LocalArtifacts`] keeps them in a folder, [`UploadedArtifacts`] uploads them besides. [`StoreImages`] is the hook that
//! turns whatever picture a tool returns into its handle.

mod encoded;
mod inspect;
mod local;
mod picture;
mod store_images;
mod uploaded;

pub use local::{LocalArtifacts, MAX_BYTES};
pub use store_images::StoreImages;
pub use uploaded::UploadedArtifacts;
