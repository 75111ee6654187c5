//! Bytes to text: which encoding a body is in (WHATWG Encoding and HTML standards: byte order mark, then the header,
//! then what the page says of itself, then UTF-8 where it is valid).

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use http::header::CONTENT_TYPE;

use crate::tools::http::client::Response;

/// How far into a page its `<meta charset>` is looked for.
const PRESCAN: usize = 1024;

/// What the answer says it is: `text/html`, in lower case; none where it says nothing.
pub fn mime_type(response: &Response) -> Option<String> {
    let value = response.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let mime = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    (!mime.is_empty()).then_some(mime)
}

/// The body as text; none where it is not text.
pub fn decode(response: &Response) -> Option<String> {
    let mime = mime_type(response);
    let declared = charset(response);
    let body = &response.body;
    if !is_text(mime.as_deref(), declared.is_some(), body) {
        return None;
    }
    if let Some((encoding, mark)) = Encoding::for_bom(body) {
        return Some(encoding.decode_without_bom_handling(body.get(mark..).unwrap_or_default()).0.into_owned());
    }
    let markup = mime.as_deref().is_none_or(|mime| mime.contains("html") || mime.contains("xml"));
    let said = declared.or_else(|| if markup { meta_charset(body) } else { None });
    let encoding = said.unwrap_or(if std::str::from_utf8(body).is_ok() { UTF_8 } else { WINDOWS_1252 });
    Some(encoding.decode_without_bom_handling(body).0.into_owned())
}

/// The encoding that the header names.
fn charset(response: &Response) -> Option<&'static Encoding> {
    let value = response.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    value.split(';').skip(1).find_map(|parameter| {
        let (name, label) = parameter.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("charset") {
            return None;
        }
        Encoding::for_label(label.trim().trim_matches(['"', '\'']).as_bytes())
    })
}

/// Whether a body is meant to be read as text: by its type, else by whether it looks like it.
fn is_text(mime: Option<&str>, has_charset: bool, body: &[u8]) -> bool {
    let Some(mime) = mime else { return !body.contains(&0) };
    has_charset
        || mime.starts_with("text/")
        || mime.ends_with("+json")
        || mime.ends_with("+xml")
        || ["json", "xml", "javascript", "ecmascript", "yaml", "toml", "x-www-form-urlencoded", "graphql", "x-ndjson"]
            .iter()
            .any(|known| {
                mime.strip_prefix("application/")
                    .is_some_and(|rest| rest.trim_start_matches("x-") == known.trim_start_matches("x-"))
            })
}

/// The encoding that a page's own `<meta>` names in its first kilobyte: `charset="…"` or `content="…; charset=…"`.
fn meta_charset(body: &[u8]) -> Option<&'static Encoding> {
    let head = body.get(..PRESCAN.min(body.len())).unwrap_or_default().to_ascii_lowercase();
    let head = String::from_utf8_lossy(&head);
    head.split("<meta").skip(1).chain(head.split("<?xml").skip(1)).find_map(|rest| {
        let tag = rest.split('>').next().unwrap_or_default();
        let label = ["charset", "encoding"].iter().find_map(|key| tag.split_once(key))?.1;
        let label = label.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
        let label = label.split(['"', '\'', ';', ' ', '/', '?']).next().unwrap_or_default();
        let encoding = Encoding::for_label(label.as_bytes())?;
        // A page that could be read so far is not UTF-16, whatever it says.
        Some(if encoding.is_ascii_compatible() { encoding } else { UTF_8 })
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, StatusCode};
    use url::Url;

    use super::*;

    fn answer(content_type: &'static str, body: &[u8]) -> Response {
        let mut headers = HeaderMap::new();
        if !content_type.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        let url = Url::parse("https://example.com/").expect("a URL");
        Response { status: StatusCode::OK, url, headers, body: Bytes::copy_from_slice(body) }
    }

    #[test]
    fn charsets_come_from_mark_header_page_and_guess() {
        let read = |content_type, body: &[u8]| decode(&answer(content_type, body));
        assert_eq!(read("text/plain; charset=ISO-8859-1", b"caf\xe9").as_deref(), Some("café"));
        assert_eq!(read("text/plain; charset=\"utf-8\"", "café".as_bytes()).as_deref(), Some("café"));
        assert_eq!(read("text/plain", "café".as_bytes()).as_deref(), Some("café"));
        assert_eq!(read("text/plain", b"\x93caf\xe9\x94").as_deref(), Some("“café”"));
        assert_eq!(
            read("text/html", b"<meta charset=windows-1251>\xcf\xf0\xe8").as_deref(),
            Some("<meta charset=windows-1251>При")
        );
        let old = b"<META http-equiv=\"Content-Type\" content=\"text/html; charset=shift_jis\">\x83\x65";
        assert!(read("text/html", old).is_some_and(|text| text.ends_with('テ')));
        assert_eq!(read("text/html; charset=utf-8", b"\xff\xfeh\0i\0").as_deref(), Some("hi"));
        assert_eq!(read("", "é".as_bytes()).as_deref(), Some("é"));
    }

    #[test]
    fn what_is_not_text_is_not_read_as_text() {
        assert_eq!(decode(&answer("image/png", b"\x89PNG")), None);
        assert_eq!(decode(&answer("application/octet-stream", b"abc")), None);
        assert_eq!(decode(&answer("", b"a\0b")), None);
        assert!(decode(&answer("application/problem+json", b"{}")).is_some());
        assert!(decode(&answer("application/x-ndjson", b"{}")).is_some());
    }
}
