//! Anthropic's Messages API. There is no model behind it: it quotes the sentences of what it is given that have most words of
//! what it is asked, and says that it does.

use std::fmt::Write;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Response, StatusCode};
use serde_json::{Value as Json, json};

use super::KEY;
use super::search::{json_response, words};

/// The longest request that is read, in bytes.
const LONGEST: usize = 4 << 20;

pub(super) async fn answer(request: Request) -> Response<Body> {
    let error = |kind: &str, message: &str| json!({ "type": "error", "error": { "type": kind, "message": message } });
    if request.headers().get("x-api-key").is_none_or(|key| key != KEY) {
        return json_response(StatusCode::UNAUTHORIZED, &error("authentication_error", "invalid x-api-key"));
    }
    let body = to_bytes(request.into_body(), LONGEST).await.unwrap_or_default();
    let Ok(request) = serde_json::from_slice::<Json>(&body) else {
        return json_response(StatusCode::BAD_REQUEST, &error("invalid_request_error", "the body is not JSON"));
    };
    let prompt = request.pointer("/messages/0/content").and_then(Json::as_str).unwrap_or_default();
    let input_tokens = request.to_string().len() / 4;
    let gives = request.pointer("/tools/0/name").and_then(Json::as_str);
    let (content, text, stop) = match gives {
        Some(tool) => {
            let found = findings(prompt);
            (json!([{ "type": "tool_use", "id": "toolu_1", "name": tool, "input": found }]), String::new(), "tool_use")
        }
        None => {
            let text = explanation(prompt);
            (json!([{ "type": "text", "text": text }]), text, "end_turn")
        }
    };
    let output_tokens = content.to_string().len() / 4;
    let usage = json!({ "input_tokens": input_tokens, "output_tokens": output_tokens });
    if request.get("stream") == Some(&Json::Bool(true)) && gives.is_none() {
        return stream(&text, &usage);
    }
    let message = json!({
        "id": "msg_demo", "type": "message", "role": "assistant", "model": request.get("model"), "content": content,
        "stop_reason": stop, "stop_sequence": null, "usage": usage,
    });
    json_response(StatusCode::OK, &message)
}

/// `{ summary, key_points }` of pages that stand one after the other, each under `# title (address)`.
fn findings(prompt: &str) -> Json {
    let (instruction, text) = prompt.split_once("\n\n<").unwrap_or(("", prompt));
    let wanted = words(instruction);
    let (mut points, mut source, mut best) = (Vec::new(), "", Vec::<(usize, &str)>::new());
    let mut close = |source: &str, best: &mut Vec<(usize, &str)>| {
        best.sort_by_key(|(shared, _)| std::cmp::Reverse(*shared));
        points.extend(
            best.drain(..)
                .take(2)
                .filter(|(shared, _)| *shared > 0)
                .map(|(shared, point)| (shared, point.to_owned(), source.to_owned())),
        );
    };
    for line in text.lines() {
        let heading = line.strip_prefix("# ").and_then(|line| line.strip_suffix(')')?.rsplit_once(" ("));
        if let Some((_, address)) = heading.filter(|(_, address)| address.starts_with("http")) {
            close(source, &mut best);
            source = address;
        } else if !line.starts_with(['#', '|', '!', '<', '-', '*', '>']) {
            best.extend(sentences(line).map(|sentence| (shared(&wanted, sentence), sentence)));
        }
    }
    close(source, &mut best);
    points.sort_by_key(|(shared, ..)| std::cmp::Reverse(*shared));
    let summary: Vec<&str> = points.iter().take(2).map(|(_, point, _)| point.as_str()).collect();
    let key_points: Vec<Json> =
        points.iter().take(4).map(|(_, point, source)| json!({ "point": point, "source": source })).collect();
    json!({ "summary": summary.join(" "), "key_points": key_points })
}

/// What the lines of a log say went wrong.
fn explanation(prompt: &str) -> String {
    let lines: Vec<&str> = prompt.lines().skip(1).map(str::trim).filter(|line| !line.is_empty()).collect();
    let cause = lines.iter().find(|line| line.contains("not found") || line.contains("Cannot")).or(lines.first());
    let place = lines.iter().find(|line| line.starts_with("./"));
    let mut text =
        format!("The log blames this: {}.", cause.copied().unwrap_or("nothing in particular").trim_end_matches('.'));
    if let Some(place) = place {
        text.push_str(&format!(" It happened at {place}."));
    }
    text.push_str(&format!(" {} lines of the log name errors; those after it follow from it.", lines.len()));
    text
}

fn sentences(line: &str) -> impl Iterator<Item = &str> {
    line.split_inclusive(". ").map(str::trim).filter(|sentence| sentence.len() > 40)
}

fn shared(wanted: &[String], sentence: &str) -> usize {
    let held = words(sentence);
    wanted.iter().filter(|word| held.contains(word)).count()
}

/// The text as a stream of events, a few words at a time.
fn stream(text: &str, usage: &Json) -> Response<Body> {
    let mut events = vec![
        json!({ "type": "message_start", "message": { "id": "msg_demo", "content": [], "stop_reason": null, "usage": usage } }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
    ];
    let words: Vec<&str> = text.split_inclusive(' ').collect();
    let deltas = words.chunks(4).map(|words| json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": words.concat() } }));
    events.extend(deltas);
    events.extend([
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn", "stop_sequence": null }, "usage": usage }),
        json!({ "type": "message_stop" }),
    ]);
    let mut body = String::new();
    for event in &events {
        let name = event.get("type").and_then(Json::as_str).unwrap_or_default();
        let _ = write!(body, "event: {name}\ndata: {event}\n\n");
    }
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert("content-type", axum::http::HeaderValue::from_static("text/event-stream"));
    response
}
