//! What a file is checked against and run with: the project it stands in.

use crate::source::SourceFile;
use crate::types::Catalog;

/// The tools that the file's project knows.
///
/// # Errors
/// What is wrong with the project's configuration.
pub(super) fn catalog(_file: &SourceFile) -> Result<Catalog, String> {
    Ok(crate::tools::standard::catalog())
}
