//! `WWW-Authenticate: Bearer …` (RFC 6750, section 3; RFC 9728, section 5.1).

/// What a refusal says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    /// Where the server describes itself.
    pub(super) metadata: Option<String>,
    /// What a token must allow.
    pub(super) scopes: Vec<String>,
    /// Whether the token that was sent is good, and not enough.
    pub(super) wants_more: bool,
}

impl Challenge {
    pub(super) fn of(header: &str) -> Self {
        let mut challenge = Self::default();
        for (name, value) in parameters(header) {
            match name.to_ascii_lowercase().as_str() {
                "resource_metadata" => challenge.metadata = Some(value),
                "scope" => challenge.scopes = value.split_ascii_whitespace().map(str::to_owned).collect(),
                "error" => challenge.wants_more = value == "insufficient_scope",
                _ => {}
            }
        }
        challenge
    }
}

/// The parameters of a header, whatever its scheme.
fn parameters(header: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = header;
    while let Some((before, after)) = rest.split_once('=') {
        let name = before.rsplit([' ', ',']).next().unwrap_or_default().trim().to_owned();
        let mut value = String::new();
        rest = match after.strip_prefix('"') {
            Some(quoted) => {
                let mut escaped = false;
                let end = quoted.char_indices().find(|(_, c)| {
                    let ends = *c == '"' && !escaped;
                    let escapes = *c == '\\' && !escaped;
                    if !ends && !escapes {
                        value.push(*c);
                    }
                    escaped = escapes;
                    ends
                });
                end.and_then(|(at, _)| quoted.get(at + 1..)).unwrap_or_default()
            }
            None => {
                let end = after.find([',', ' ']).unwrap_or(after.len());
                value.push_str(after.get(..end).unwrap_or_default());
                after.get(end..).unwrap_or_default()
            }
        };
        found.push((name, value));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_refusal_says_is_read() {
        let header = r#"Bearer realm="a, \"b\"=c", error="insufficient_scope", scope="a:read  b",resource_metadata="https://x.example/.well-known/p?q=1""#;
        let challenge = Challenge::of(header);
        assert_eq!(challenge.metadata.as_deref(), Some("https://x.example/.well-known/p?q=1"));
        assert_eq!(challenge.scopes, ["a:read", "b"]);
        assert!(challenge.wants_more);
        assert_eq!(Challenge::of("Bearer"), Challenge::default());
        assert_eq!(Challenge::of("Bearer scope=one, error=invalid_token").scopes, ["one"]);
    }
}
