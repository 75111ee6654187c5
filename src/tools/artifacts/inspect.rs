//! What bytes are. The sender's word counts only where the bytes themselves tell nothing against it.

use crate::tools::artifacts::picture::Picture;

/// What bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) mime_type: String,
    /// Without a dot, for the file's name.
    pub(super) extension: &'static str,
    /// Width and height of a picture.
    pub(super) dimensions: Option<(u32, u32)>,
}

/// Types that are told by how their bytes begin, with the extension of their files.
const BEGINNINGS: [(&[u8], &str); 8] = [
    (b"%PDF-", "application/pdf"),
    (b"\x1f\x8b", "application/gzip"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
    (b"PK\x03\x04", "application/zip"),
];

/// The extensions of what is kept often; all else is `bin` or `txt`.
const EXTENSIONS: [(&str, &str); 24] = [
    ("application/pdf", "pdf"),
    ("application/gzip", "gz"),
    ("application/zstd", "zst"),
    ("application/zip", "zip"),
    ("application/json", "json"),
    ("application/xml", "xml"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx"),
    ("application/epub+zip", "epub"),
    ("audio/ogg", "ogg"),
    ("audio/mpeg", "mp3"),
    ("audio/flac", "flac"),
    ("audio/wav", "wav"),
    ("video/webm", "webm"),
    ("video/mp4", "mp4"),
    ("image/svg+xml", "svg"),
    ("image/avif", "avif"),
    ("text/html", "html"),
    ("text/csv", "csv"),
    ("text/markdown", "md"),
    ("text/xml", "xml"),
    ("text/css", "css"),
    ("text/plain", "txt"),
];

/// Looks at bytes that someone calls `claimed`, which may be empty.
///
/// # Errors
/// What claims to be a picture or a PDF document and is none; the sentence says what was found.
pub(super) fn inspect(bytes: &[u8], claimed: &str) -> Result<Kind, String> {
    let claimed = claimed.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if let Some(picture) = Picture::of(bytes) {
        let dimensions =
            picture.dimensions(bytes).map_err(|why| format!("a {} picture is not kept that {why}", picture.name()))?;
        return Ok(Kind {
            mime_type: picture.mime_type().to_owned(),
            extension: picture.extension(),
            dimensions: Some(dimensions),
        });
    }
    let text = !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok();
    let begins = BEGINNINGS.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, mime_type)| *mime_type);
    let mime_type = match begins {
        Some("application/zip") if is_packed(&claimed) => claimed.as_str(),
        Some(known) => known,
        None if must_show(&claimed) => return Err(contradicted(&claimed)),
        None if text && is_text(&claimed) => claimed.as_str(),
        None if text => "text/plain",
        None if claimed.is_empty() || is_text(&claimed) || !is_mime_type(&claimed) => "application/octet-stream",
        None => claimed.as_str(),
    };
    if mime_type == "image/svg+xml" && !is_svg(bytes) {
        return Err(contradicted(&claimed));
    }
    let extension = EXTENSIONS.iter().find(|(known, _)| *known == mime_type).map(|(_, extension)| *extension);
    let extension = extension.unwrap_or(if text { "txt" } else { "bin" });
    Ok(Kind { mime_type: mime_type.to_owned(), extension, dimensions: None })
}

fn contradicted(claimed: &str) -> String {
    format!("what is called `{claimed}` is not kept: its bytes are something else")
}

/// Types whose bytes would have been recognised.
fn must_show(claimed: &str) -> bool {
    matches!(
        claimed,
        "image/png" | "image/jpeg" | "image/jpg" | "image/pjpeg" | "image/webp" | "image/gif" | "application/pdf"
    )
}

fn is_text(mime_type: &str) -> bool {
    (mime_type.starts_with("text/") && is_mime_type(mime_type))
        || matches!(mime_type, "application/json" | "application/xml" | "application/yaml" | "application/toml")
        || (is_mime_type(mime_type) && (mime_type.ends_with("+json") || mime_type.ends_with("+xml")))
}

/// Formats that are ZIP archives inside.
fn is_packed(mime_type: &str) -> bool {
    is_mime_type(mime_type)
        && (mime_type.ends_with("+zip")
            || mime_type.starts_with("application/vnd.openxmlformats-officedocument.")
            || mime_type.starts_with("application/vnd.oasis.opendocument."))
}

fn is_svg(bytes: &[u8]) -> bool {
    bytes.windows(4).take(4096).any(|four| four == b"<svg")
}

/// `type/subtype` in the characters of RFC 6838.
fn is_mime_type(text: &str) -> bool {
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    text.len() <= 127 && text.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = include_bytes!("../../../examples/site/images/courier.png");
    const GIF: &[u8] =
        b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\
        \x00\x00\x01\x00\x01\x00\x00\x02\x01D\x00;";
    /// A lossless picture of one pixel.
    const WEBP: &[u8] = b"RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\
        \x07\x00";

    /// A JPEG of 2 × 3 pixels, as far as its markers tell.
    fn jpeg() -> Vec<u8> {
        let mut bytes = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00".to_vec();
        bytes.extend(b"\xff\xc0\x00\x0b\x08\x00\x03\x00\x02\x01\x01\x11\x00");
        bytes.extend(b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\x12\xff\x00\x34\xff\xd0\x56\xff\xd9");
        bytes
    }

    fn with_size(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = PNG.to_vec();
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        bytes
    }

    fn told(bytes: &[u8], claimed: &str) -> (String, &'static str, Option<(u32, u32)>) {
        let kind = inspect(bytes, claimed).expect("kept");
        (kind.mime_type, kind.extension, kind.dimensions)
    }

    #[test]
    fn pictures_are_known_by_their_bytes_whatever_they_are_called() {
        for claimed in ["", "image/png", "image/jpeg", "text/html"] {
            let (mime_type, extension, dimensions) = told(PNG, claimed);
            assert_eq!((mime_type.as_str(), extension), ("image/png", "png"));
            assert!(dimensions.is_some_and(|(width, height)| width > 1 && height > 1));
        }
        assert_eq!(told(GIF, ""), ("image/gif".into(), "gif", Some((1, 1))));
        assert_eq!(told(WEBP, ""), ("image/webp".into(), "webp", Some((1, 1))));
        assert_eq!(told(&jpeg(), ""), ("image/jpeg".into(), "jpg", Some((2, 3))));
        let padded = [PNG, b"\n\0\0"].concat();
        assert_eq!(told(&padded, "").0, "image/png");
        let two = [jpeg(), jpeg()].concat();
        assert_eq!(told(&two, "").2, Some((2, 3)));
        let without_trailer = &GIF[..GIF.len() - 1];
        assert_eq!(told(without_trailer, "").2, Some((1, 1)));
    }

    #[test]
    fn what_only_claims_to_be_a_picture_is_refused() {
        let refused = |bytes: &[u8], claimed: &str, why: &str| {
            let error = inspect(bytes, claimed).expect_err(why);
            assert!(error.contains(why), "{error}");
        };
        refused(b"<html>", "image/png", "called `image/png` is not kept");
        refused(b"\0\0", "IMAGE/JPEG; q=1", "called `image/jpeg` is not kept");
        refused(b"no pdf", "application/pdf", "called `application/pdf`");
        refused(b"<html>", "image/svg+xml", "called `image/svg+xml`");
        refused(&with_size(0, 10), "", "no pixels: 0 × 10");
        refused(&with_size(70_000, 10), "", "absurdly large");
        refused(&with_size(60_000, 60_000), "", "absurdly large");
        for (whole, name) in [(PNG, "PNG"), (GIF, "GIF"), (WEBP, "WebP"), (&jpeg(), "JPEG")] {
            let polyglot = [whole, b"PK\x03\x04<script>"].concat();
            refused(&polyglot, "", &format!("a {name} picture is not kept that goes on as something else"));
            // The last byte of a GIF may be missing.
            for cut in 12..whole.len() - 1 {
                assert!(
                    inspect(&whole[..cut], "").is_err_and(|why| why.contains("picture is not kept that")),
                    "{name} cut at {cut}"
                );
            }
        }
        let comment = b"\xff\xfe\x00\x0a%PDF-1.4";
        let both = [&jpeg()[..2], comment, &jpeg()[2..]].concat();
        refused(&both, "", "PDF document as well");
    }

    #[test]
    fn other_files_keep_the_name_that_nothing_contradicts() {
        assert_eq!(told(b"%PDF-1.7\n", "text/plain"), ("application/pdf".into(), "pdf", None));
        assert_eq!(told(b"{}", "application/json"), ("application/json".into(), "json", None));
        assert_eq!(told(b"a,b", "text/csv; charset=utf-8"), ("text/csv".into(), "csv", None));
        assert_eq!(told(b"plain", "video/mp4"), ("text/plain".into(), "txt", None));
        assert_eq!(told(b"\xff\0", "text/plain"), ("application/octet-stream".into(), "bin", None));
        assert_eq!(told(b"\xff\0", "application/x-thing"), ("application/x-thing".into(), "bin", None));
        assert_eq!(told(b"\xff\0", "not a type"), ("application/octet-stream".into(), "bin", None));
        assert_eq!(told(b"PK\x03\x04..", "application/epub+zip").1, "epub");
        assert_eq!(told(b"PK\x03\x04..", "text/html").1, "zip");
        assert_eq!(told(b"<?xml?><svg/>", "image/svg+xml").1, "svg");
        assert_eq!(told(b"", ""), ("text/plain".into(), "txt", None));
    }
}
