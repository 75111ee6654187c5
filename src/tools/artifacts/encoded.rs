//! Pictures written as text: base64 that stands alone, and `data:` addresses, alone or within a longer text (RFC 4648,
//! RFC 2397). Looking for them reads each text once and copies nothing.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Bytes written as base64 within a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Encoded<'a> {
    /// What stands for them: the whole text, or the `data:` address in it.
    pub(super) range: Range<usize>,
    /// What they are said to be; may be empty.
    pub(super) mime_type: &'a str,
    /// The base64, spaces and line breaks included.
    pub(super) base64: &'a str,
}

/// How the base64 of what is kept begins: PNG, JPEG (also in the alphabet of URLs), GIF, WebP and PDF.
const BEGINNINGS: [&str; 6] = ["iVBORw0KGgo", "/9j/", "_9j_", "R0lGOD", "UklGR", "JVBERi0"];

/// The shortest text that is taken for a picture: no picture of a pixel is shorter, and a word may be.
const SHORTEST: usize = 48;

/// The longest type, with its parameters, that a `data:` address may have.
const LONGEST_TYPE: usize = 200;

const MARK: &str = ";base64,";

/// All pictures, documents, sounds and films in a text, from left to right.
pub(super) fn find(text: &str) -> Vec<Encoded<'_>> {
    let trimmed = text.trim();
    if trimmed.len() >= SHORTEST
        && BEGINNINGS.iter().any(|beginning| trimmed.starts_with(beginning))
        && run(trimmed, true) == trimmed.len()
    {
        return vec![Encoded { range: 0..text.len(), mime_type: "", base64: trimmed }];
    }
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(MARK)).map(|at| from + at) {
        let data = at + MARK.len();
        if let Some((start, mime_type)) = head(text, from, at) {
            let rest = text.get(data..).unwrap_or_default();
            // An address that is the whole text may be folded into lines.
            let alone = start == text.len() - text.trim_start().len() && run(rest, true) == rest.len();
            let end = data + if alone { rest.len() } else { run(rest, false) };
            let range = if alone { 0..text.len() } else { start..end };
            found.push(Encoded { range, mime_type, base64: text.get(data..end).unwrap_or_default() });
            from = end;
        } else {
            from = data;
        }
    }
    found
}

/// Where the address that has its mark at `at` begins, and the type it names, if its bytes are to be kept.
fn head(text: &str, from: usize, at: usize) -> Option<(usize, &str)> {
    let before = text.get(from..at)?;
    let start = before.rfind("data:")?;
    let described = before.get(start + 5..)?;
    let mime_type = described.split(';').next()?.trim();
    let kept = ["image/", "audio/", "video/", "application/pdf"].iter().any(|kept| mime_type.starts_with(kept));
    let plain = described.len() <= LONGEST_TYPE && !described.contains(['"', '\'', '<', '>', ',', ')', '\n']);
    (kept && plain).then_some((from + start, mime_type))
}

/// How many bytes of base64 a text begins with.
fn run(text: &str, spaced: bool) -> usize {
    let part = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
            || (spaced && byte.is_ascii_whitespace())
    };
    text.bytes().position(|byte| !part(byte)).unwrap_or(text.len())
}

/// The bytes; none where the text is no base64 after all.
pub(super) fn decode(base64: &str) -> Option<Vec<u8>> {
    const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);
    let engine = if base64.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    if base64.bytes().any(|byte| byte.is_ascii_whitespace()) {
        return engine.decode(base64.split_ascii_whitespace().collect::<String>()).ok();
    }
    engine.decode(base64).ok()
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    const PNG: &[u8] = include_bytes!("../../../examples/site/images/courier.png");

    fn png() -> String {
        BASE64_STANDARD.encode(PNG)
    }

    #[test]
    fn base64_that_stands_alone_is_found_however_it_is_written() {
        let plain = png();
        let lines: Vec<_> = plain.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line)).collect();
        let texts = [
            plain.clone(),
            format!(" {plain}\n"),
            plain.trim_end_matches('=').to_owned(),
            plain.replace('+', "-").replace('/', "_"),
            lines.join("\r\n"),
            format!("data:image/png;base64,{plain}"),
            format!("data:image/png;charset=utf-8;base64,\n{}\n", lines.join("\n")),
        ];
        for text in texts {
            let found = find(&text);
            assert_eq!(found.len(), 1, "{}", &text[..40]);
            assert_eq!(found[0].range, 0..text.len());
            assert_eq!(decode(found[0].base64).as_deref(), Some(PNG));
        }
    }

    #[test]
    fn addresses_within_a_text_are_found_each() {
        let png = png();
        let text = format!("![a](data:image/png;base64,{png}) and <img src=\"data:image/png;base64,{png}\"> or none");
        let found = find(&text);
        assert_eq!(found.len(), 2);
        let mut rest = text.clone();
        for encoded in found.iter().rev() {
            assert_eq!(decode(encoded.base64).as_deref(), Some(PNG));
            rest.replace_range(encoded.range.clone(), "#");
        }
        assert_eq!(rest, "![a](#) and <img src=\"#\"> or none");
    }

    #[test]
    fn other_texts_are_left_alone() {
        let word = "iVBORw0KGgo".to_owned();
        let path = format!("/9j/{}", "a/".repeat(40) + "b.c");
        let font = "src: url(data:font/woff2;base64,d09GMgABAAAAA)".to_owned();
        let talk = "a data: address has \";base64,\" before its bytes".to_owned();
        let plain = "data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg'/>".to_owned();
        let json = "data:application/json;base64,eyJhIjoxfQ==".to_owned();
        for text in [word, path, font, talk, plain, json, String::new(), "é".repeat(100)] {
            assert_eq!(find(&text), [], "{text}");
        }
        assert_eq!(decode("iVBOR!"), None);
    }

    #[test]
    fn the_cost_is_linear_in_hostile_texts() {
        let marks = ";base64,".repeat(200_000);
        assert_eq!(find(&marks), []);
        let heads = "data:image/png".repeat(100_000) + ";base64,";
        assert_eq!(find(&heads).len(), 1);
        let many = "data:image/png;base64,".repeat(50_000);
        assert!(find(&many).len() > 1000);
    }
}
