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

pages! {
    "E0101" "E0102" "E0103" "E0104" "E0105" "E0106" "E0107" "E0108" "E0109" "E0110"
    "E0111"
    "E0201" "E0202" "E0203" "E0204" "E0205" "E0206" "E0207" "E0208" "E0209" "E0210"
    "E0211" "E0212" "E0213" "E0214"
    "E0301" "E0302" "E0303" "E0304" "E0305" "E0306" "E0307" "E0308" "E0309" "E0310"
    "E0311" "E0312" "E0313" "E0314" "E0315" "E0316" "E0317" "E0318" "E0319" "E0320"
    "E0321"
    "E0401" "E0402" "E0403" "E0404" "E0405" "E0406"
    "E0501" "E0502" "E0503" "E0504" "E0505" "E0506" "E0507"
    "E0601" "E0602" "E0603" "E0604" "E0605"
    "E0801" "E0802"
    "W0701" "W0702" "W0703" "W0704" "W0705" "W0706"
}
