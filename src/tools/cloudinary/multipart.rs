//! The body of an upload: `multipart/form-data` (RFC 7578).

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::tools::cloudinary::Source;
use crate::tools::cloudinary::signature::hex;

/// The content type and the body: the signed parameters, the signature, the key, and last the file.
pub(super) fn form(params: &[(&'static str, String)], signature: &str, key: &str, source: &Source) -> (String, Bytes) {
    let boundary = boundary(signature, source);
    let room = if let Source::Bytes { bytes, .. } = source { bytes.len() } else { 0 };
    let mut body = Vec::with_capacity(room + 2048);
    let proofs = [("signature", signature), ("api_key", key)];
    for (name, value) in params.iter().map(|(name, value)| (*name, value.as_str())).chain(proofs) {
        begin(&mut body, &boundary, name, "");
        body.extend_from_slice(value.as_bytes());
    }
    match source {
        Source::Remote(url) => {
            begin(&mut body, &boundary, "file", "");
            body.extend_from_slice(url.as_str().as_bytes());
        }
        Source::Bytes { bytes, mime_type, name } => {
            let name = name.replace('"', "%22").replace(['\r', '\n'], "_");
            begin(&mut body, &boundary, "file", &format!("; filename=\"{name}\"\r\nContent-Type: {mime_type}"));
            body.extend_from_slice(bytes);
        }
    }
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body.into())
}

/// The head of a part; the line break before a boundary belongs to it.
fn begin(body: &mut Vec<u8>, boundary: &str, name: &str, more: &str) {
    let first = if body.is_empty() { "" } else { "\r\n" };
    let head = format!("{first}--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n");
    body.extend_from_slice(head.as_bytes());
}

/// A digest of what it stands between, so that it cannot stand within: bytes that hold their own SHA-256 are not known.
fn boundary(signature: &str, source: &Source) -> String {
    let mut digest = Sha256::new();
    digest.update(signature);
    if let Source::Bytes { bytes, .. } = source {
        digest.update(bytes);
    }
    hex(&digest.finalize()).split_off(16)
}
