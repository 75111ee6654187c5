//! What a call answers to whoever asked by name: a model, or a program that speaks for one.

use serde_json::{Value as Json, json};

use crate::run::{Run, RunError, StartError};
use crate::value::{ErrorKind, Value};

/// How a call of a tool or workflow ended. As JSON, [`Answer::to_json`]:
///
/// - `{ success: true, result }`;
/// - for a stored picture `{ success: true, url, width, height, message }`;
/// - `{ success: false, error: { kind, message, step, attempts, retryable, details } }`.
#[derive(Clone, Debug)]
pub struct Answer(
    /// What it gave, or why it failed.
    pub Result<Value, RunError>,
);

impl Answer {
    /// The answer of a run that was, or could not be, started.
    pub(super) async fn of_start(started: Result<Run, StartError>) -> Self {
        match started {
            Ok(run) => {
                run.unattended("nobody can be asked before the end: start the workflow and answer its run");
                Self(run.value().await)
            }
            Err(error) => Self(Err(RunError::new(ErrorKind::Invalid, error.to_string()))),
        }
    }

    /// Whether it succeeded.
    pub fn success(&self) -> bool {
        self.0.is_ok()
    }

    /// As JSON.
    pub fn to_json(&self) -> Json {
        match &self.0 {
            Ok(value) => picture(value).unwrap_or_else(|| json!({ "success": true, "result": Json::from(value) })),
            Err(error) => json!({ "success": false, "error": Json::from(&error.to_value()) }),
        }
    }
}

/// A picture's handle, told for a person to be shown it.
fn picture(value: &Value) -> Option<Json> {
    let (url, mime) = (value.get("url")?.as_str()?, value.get("mime_type")?.as_str()?);
    let (width, height) = (value.get("width")?.as_int()?, value.get("height")?.as_int()?);
    let message = format!("A picture of {width} x {height} pixels was stored at {url}");
    mime.starts_with("image/")
        .then(|| json!({ "success": true, "url": url, "width": width, "height": height, "message": message }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_told_by_its_address() {
        let handle = json!({ "url": "https://img.example/1.png", "mime_type": "image/png", "size": 10, "width": 3, "height": 2 });
        let told = Answer(Ok(handle.into())).to_json();
        assert_eq!(
            told,
            json!({
                "success": true, "url": "https://img.example/1.png", "width": 3, "height": 2,
                "message": "A picture of 3 x 2 pixels was stored at https://img.example/1.png",
            })
        );
    }

    #[test]
    fn a_failure_says_why() {
        let told = Answer(Err(RunError::new(ErrorKind::Network, "no route to host"))).to_json();
        assert_eq!(told["success"], false);
        assert_eq!(told["error"]["kind"], "network");
        assert_eq!(told["error"]["retryable"], true);
    }
}
