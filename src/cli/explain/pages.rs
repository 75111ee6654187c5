//! The pages of `docs/errors`, in the binary.

macro_rules! pages {
    ($($id:literal)*) => {
        /// The page of a code, as Markdown.
        pub(super) fn page(id: &str) -> Option<&'static str> {
            match id {
                $($id => Some(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors/", $id, ".md"))),)*
                _ => None,
            }
        }
    };
}

pages! {}
