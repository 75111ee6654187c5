//! The questions of a run, put to the person at the terminal, one after the other.

use std::collections::VecDeque;
use std::io::{BufRead, IsTerminal};

use tokio::sync::mpsc;

use super::output::{err, paint, watched};
use super::progress::Progress;
use super::report;
use crate::run::{AnswerError, Event, EventKind, Request, RequestKind, Run, Waiting, step_of};
use crate::types::{Text, Type};
use crate::value::Value;

/// Asks what a run wants to know.
pub(super) struct Asker {
    /// Whether somebody is at the terminal.
    here: bool,
    /// The paths of the steps that wait; the first is being asked.
    open: VecDeque<Text>,
    /// What the person types, line by line; none until the first question.
    lines: Option<mpsc::UnboundedReceiver<String>>,
}

/// Why nobody answers where there is no terminal.
const NOBODY: &str = "nobody is here to answer: `flowc run` asks on a terminal, and a program that embeds the run answers \
                      with `Run::answer` and `Run::signal`";

/// Why a flow gets no model.
const NO_MODEL: &str = "there is no model here to lend: what `flow.toml` has with `protocol = \"client\"` is the model of \
                        an MCP client that calls the flow (`flowc mcp`)";

impl Asker {
    /// Where there is no terminal, it is said how to answer a run that is kept; any other is told that nobody does.
    pub(super) fn new(run: &Run, kept: bool) -> Self {
        let here = std::io::stdin().is_terminal() && watched();
        if !here && !kept {
            run.unattended(NOBODY);
        }
        Self { here, open: VecDeque::new(), lines: None }
    }

    /// Takes an event: a step begins to wait, or ends.
    pub(super) fn event(&mut self, event: &Event, run: &Run, progress: &mut Progress) {
        match &event.kind {
            EventKind::RunWaiting { path, .. } => match find(run, path) {
                Some(Waiting { request, .. }) if request.kind == RequestKind::Model => {
                    let _ = run.decline(path, NO_MODEL);
                }
                Some(Waiting { path, request }) if !self.here => {
                    err(format_args!("           {}", how_to_answer(run.id(), &path, &request)));
                }
                _ if self.here => {
                    self.open.push_back(path.clone());
                    if self.open.len() == 1 {
                        self.ask(run, progress);
                    }
                }
                _ => {}
            },
            EventKind::RunReceived { path, .. } => self.close(|open| open == path, run, progress),
            kind if kind.ends_step() => {
                self.close(
                    |open| Some(step_of(open)) == kind.path() || Some(open.as_str()) == kind.path(),
                    run,
                    progress,
                );
            }
            _ => {}
        }
    }

    /// Some questions need no answer any more.
    fn close(&mut self, closed: impl Fn(&Text) -> bool, run: &Run, progress: &mut Progress) {
        let asked = self.open.front().is_some_and(&closed);
        self.open.retain(|open| !closed(open));
        if asked {
            self.ask(run, progress);
        }
    }

    /// The next line that answers a question; waits for ever while there is none.
    pub(super) async fn line(&mut self) -> Option<String> {
        match &mut self.lines {
            Some(lines) if !self.open.is_empty() => lines.recv().await,
            _ => std::future::pending().await,
        }
    }

    /// Takes a line as the answer to the question that is asked; none is the end of all input.
    pub(super) fn take(&mut self, line: Option<&str>, run: &Run, progress: &mut Progress) {
        let Some(waiting) = self.open.front().and_then(|path| find(run, path)) else { return };
        let given = match line {
            Some(line) => read(line, &waiting.request).and_then(|value| match run.answer(&waiting.path, value) {
                Err(error @ AnswerError::Misfit(_)) => Err(error.to_string()),
                // It has just ended by itself: the next question comes with its last event.
                _ => Ok(()),
            }),
            None => {
                let _ = run.decline(&waiting.path, "the person at the terminal gave no answer");
                Ok(())
            }
        };
        if let Err(why) = given {
            err(paint().red().apply_to(why));
            self.ask(run, progress);
        }
    }

    /// Asks the first question there is.
    fn ask(&mut self, run: &Run, progress: &mut Progress) {
        while let Some(path) = self.open.front() {
            if let Some(Waiting { request, .. }) = find(run, path) {
                progress.hold(true);
                question(&request);
                self.lines.get_or_insert_with(typed);
                return;
            }
            self.open.pop_front();
        }
        progress.hold(false);
    }
}

/// The command that gives a kept run's step what it waits for.
pub(super) fn how_to_answer(run: &str, path: &str, request: &Request) -> String {
    let wanted = &request.wanted;
    match request.kind {
        RequestKind::Signal => format!("flowc runs signal {run} {} '…'  with {wanted}", request.text),
        RequestKind::Approval => format!("flowc runs answer {run} {path} y"),
        RequestKind::Answer | RequestKind::Model => format!("flowc runs answer {run} {path} '…'  with {wanted}"),
    }
}

fn find(run: &Run, path: &str) -> Option<Waiting> {
    run.waiting().into_iter().find(|waiting| waiting.path == path)
}

fn question(request: &Request) {
    let text = match request.kind {
        RequestKind::Signal => format!("the run waits for the signal `{}`: what is its value?", request.text),
        _ => request.text.to_string(),
    };
    // A script's words: none of them are the terminal's commands.
    let text: String = text.chars().filter(|c| !c.is_control() || *c == '\n').collect();
    err(format_args!("{} {text}", paint().cyan().bold().apply_to("?")));
    if !request.details.is_null() {
        err(paint().dim().apply_to(report::pretty(&serde_json::Value::from(&request.details))));
    }
    let wanted = match (&request.kind, &request.wanted) {
        (RequestKind::Approval, _) => "y or n".to_owned(),
        (_, Type::String) => "a line of text".to_owned(),
        (_, Type::Union(_) | Type::Literal(_)) => request.wanted.to_string(),
        (_, wanted) => format!("{wanted}, as JSON"),
    };
    let default = request.default().map(|default| format!("; nothing is {}", default.to_json_text()));
    err(paint().dim().apply_to(wanted + &default.unwrap_or_default()));
}

/// A line as the value that is wanted.
pub(super) fn read(line: &str, request: &Request) -> Result<Value, String> {
    let line = line.trim();
    if let (true, Some(default)) = (line.is_empty(), request.default()) {
        return Ok(default);
    }
    if request.kind == RequestKind::Approval {
        return match line.to_lowercase().as_str() {
            "y" | "yes" | "true" => Ok(Value::Bool(true)),
            "n" | "no" | "false" => Ok(Value::Bool(false)),
            _ => Err("answer `y` or `n`".to_owned()),
        };
    }
    let text = Value::from(line);
    if request.wanted == Type::String {
        return Ok(text);
    }
    let json = serde_json::from_str::<serde_json::Value>(line).map(Value::from);
    // What is no JSON is a text, of a choice or of a datetime, say.
    Ok(json.ok().filter(|json| request.fit(json.clone()).is_ok()).unwrap_or(text))
}

/// What is typed, line by line, until the end of the input. A read cannot be interrupted, so a thread of its own waits in
/// it; it ends with the process.
fn typed() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if line.map(|line| sender.send(line)).is_err() {
                return;
            }
        }
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_what_is_wanted() {
        let request = |kind, wanted| Request::new(kind, "q", wanted);
        let approval = request(RequestKind::Approval, Type::Bool);
        assert_eq!(read(" Yes ", &approval), Ok(Value::Bool(true)));
        assert_eq!(read("n", &approval), Ok(Value::Bool(false)));
        assert!(read("maybe", &approval).is_err());
        let answer = |line, wanted| read(line, &request(RequestKind::Answer, wanted)).expect("a value");
        assert_eq!(answer("42", Type::String), Value::from("42"));
        assert_eq!(answer("42", Type::Int), Value::Int(42));
        let colours = Type::union(["red", "blue"].map(Type::literal));
        assert_eq!(answer("red", colours.clone()), Value::from("red"));
        assert_eq!(answer("\"red\"", colours), Value::from("red"));
        assert_eq!(answer("[1, 2]", Type::list(Type::Int)), Value::list([Value::Int(1), Value::Int(2)]));
        let form =
            |form: serde_json::Value, wanted| Request { form: form.into(), ..request(RequestKind::Answer, wanted) };
        let age = form(serde_json::json!({ "default": 30 }), Type::Int);
        assert_eq!(read("", &age), Ok(Value::Int(30)));
        let of = Type::record_of([("name", Type::String), ("age", Type::Int)]);
        let person = form(serde_json::json!({ "age": { "default": 30 } }), of);
        assert_eq!(read("", &person), Ok(Value::from("")), "no name is given");
    }
}
