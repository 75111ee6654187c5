//! Annotations: which there are, where they stand and what they take.

use crate::check::ItemRef;
use crate::check::context::Checker;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::source::Span;
use crate::syntax::ast::{Annotation, Arg, Expr, ExprKind, Item, ItemKind, Literal, Param, PrefixOp};

/// Those of flows.
const OF_FLOWS: [&str; 3] = ["trigger", "budget", "timeout"];
/// Those of tools.
const OF_TOOLS: [&str; 5] = ["read_only", "idempotent", "destructive", "key", "cost"];

impl Checker<'_> {
    /// Checks the annotations of an item.
    pub(crate) fn annotations(&mut self, at: ItemRef, item: &Item) {
        let mut seen: Vec<&Annotation> = Vec::new();
        for annotation in &item.annotations {
            let name = annotation.name.text.as_str();
            if !OF_FLOWS.contains(&name) && !OF_TOOLS.contains(&name) {
                self.unknown_annotation(annotation, item);
                continue;
            }
            if let Some(first) = seen.iter().find(|first| first.name.text == name && name != "trigger") {
                let first = first.span;
                self.report(
                    Diagnostic::new(Code::ANNOTATION, annotation.span, format!("`@{name}` is said twice"))
                        .label(first, "first said here"),
                );
                continue;
            }
            seen.push(annotation);
            match &item.kind {
                ItemKind::Flow(flow) if OF_FLOWS.contains(&name) => match name {
                    "trigger" => self.trigger(annotation, &flow.params),
                    "budget" => self.budget(at, annotation),
                    _ => self.flow_timeout(annotation),
                },
                ItemKind::Tool(tool) if OF_TOOLS.contains(&name) => match name {
                    "key" => self.key_parameter(annotation, &tool.params),
                    "cost" => self.cost(annotation),
                    _ => self.takes_nothing(annotation),
                },
                ItemKind::Error => {}
                _ => {
                    let of = if OF_FLOWS.contains(&name) { "a `flow`" } else { "a `tool`" };
                    self.unfit(annotation.span, format!("`@{name}` belongs to {of}"), "remove it");
                }
            }
        }
        self.contradiction(&seen);
    }

    fn unknown_annotation(&mut self, annotation: &Annotation, item: &Item) {
        let name = &annotation.name;
        let known: &[&str] = match &item.kind {
            ItemKind::Tool(_) => &OF_TOOLS,
            _ => &OF_FLOWS,
        };
        let wrong =
            Diagnostic::new(Code::UNKNOWN_ANNOTATION, name.span, format!("there is no annotation `@{}`", name.text));
        self.report(match nearest(&name.text, known.iter().copied()) {
            Some(near) => wrong.fix(format!("replace it with `@{near}`"), name.span, near),
            None => wrong.help(format!(
                "there are {}",
                known.iter().map(|known| format!("`@{known}`")).collect::<Vec<_>>().join(", ")
            )),
        });
    }

    fn unfit(&mut self, span: Span, message: impl Into<String>, help: &str) {
        self.report(Diagnostic::new(Code::ANNOTATION, span, message).help(help));
    }

    /// `@trigger("screenshot {url}")`: each `{name}` is a parameter.
    fn trigger(&mut self, annotation: &Annotation, params: &[Param]) {
        if annotation.args.is_empty() {
            self.unfit(annotation.span, "`@trigger` says what people ask", "write `@trigger(\"… {parameter} …\")`");
        }
        for arg in &annotation.args {
            let ExprKind::Literal(Literal::String(text)) = &arg.value.kind else {
                self.unfit(arg.span, "a trigger is a plain string", "write `\"… {parameter} …\"`, with single braces");
                continue;
            };
            for (inside, name) in placeholders(text) {
                let Some(name) = name else {
                    self.unfit(
                        arg.span,
                        "a `{` of this trigger is not closed",
                        "write the name of a parameter as `{name}`",
                    );
                    break;
                };
                if params.iter().any(|param| param.name.text == name) {
                    continue;
                }
                // A string without escapes stands in the text as it is, after its quote.
                let plain = arg.value.span.range().len() == text.len() + 2;
                let start = arg.value.span.start + 1 + inside as u32;
                let span =
                    if plain { Span { start, end: start + name.len() as u32, ..arg.value.span } } else { arg.span };
                let wrong = Diagnostic::new(Code::ANNOTATION, span, format!("the flow has no parameter `{name}`"));
                let names = params.iter().map(|param| param.name.text.as_str());
                self.report(match nearest(name, names.clone()) {
                    Some(near) if plain => wrong.fix(format!("replace it with `{near}`"), span, near),
                    _ if params.is_empty() => wrong.help("this flow takes no parameters"),
                    _ => wrong.help(format!(
                        "its parameters are {}",
                        names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
                    )),
                });
            }
        }
    }

    /// `@budget(usd: 0.50, calls: 100, tokens: 200_000)`
    fn budget(&mut self, at: ItemRef, annotation: &Annotation) {
        if annotation.args.is_empty() {
            self.unfit(
                annotation.span,
                "`@budget` says what a run may spend",
                "write `@budget(usd: 0.50, calls: 100)`",
            );
        }
        let mut seen: Vec<&str> = Vec::new();
        for arg in &annotation.args {
            let Some(name) = &arg.name else {
                self.unfit(arg.span, "`@budget` takes named bounds", "write `usd: …`, `calls: …` or `tokens: …`");
                continue;
            };
            match name.text.as_str() {
                "usd" | "calls" | "tokens" if seen.contains(&name.text.as_str()) => {
                    self.unfit(name.span, format!("`{}` is said twice", name.text), "keep one of them");
                }
                "usd" => {
                    if let Some(usd) = self.amount(arg, true) {
                        self.least_usd(at, arg.span, usd);
                    }
                }
                "calls" => {
                    if let Some(calls) = self.amount(arg, false) {
                        self.least_calls(at, arg.span, calls as u64);
                    }
                }
                "tokens" => drop(self.amount(arg, false)),
                other => {
                    let names = ["usd", "calls", "tokens"];
                    let wrong =
                        Diagnostic::new(Code::UNKNOWN_ARGUMENT, name.span, format!("`@budget` has no `{other}`"));
                    self.report(match nearest(other, names) {
                        Some(near) => wrong.fix(format!("replace it with `{near}`"), name.span, near),
                        None => wrong.help("it takes `usd`, `calls` and `tokens`"),
                    });
                }
            }
            seen.push(&name.text);
        }
    }

    /// A literal number that is not negative.
    fn amount(&mut self, arg: &Arg, fraction: bool) -> Option<f64> {
        let amount = match number(&arg.value) {
            Some(Number::Int(int)) if int >= 0 => Some(int as f64),
            Some(Number::Float(float)) if fraction && float >= 0.0 => Some(float),
            _ => None,
        };
        if amount.is_none() {
            let what = if fraction { "a number" } else { "a whole number" };
            self.unfit(arg.value.span, format!("{what} from 0 is wanted here"), "write it as a plain number");
        }
        amount
    }

    /// `@timeout(5m)`
    fn flow_timeout(&mut self, annotation: &Annotation) {
        if let [Arg { name: None, value: Expr { kind: ExprKind::Literal(Literal::Duration(_)), .. }, .. }] =
            annotation.args.as_slice()
        {
            return;
        }
        let span = annotation.args.first().map_or(annotation.span, |arg| arg.span);
        self.unfit(span, "`@timeout` takes one duration", "write `@timeout(5m)`");
    }

    /// `@key(param)`
    fn key_parameter(&mut self, annotation: &Annotation, params: &[Param]) {
        if let [Arg { name: None, value: Expr { kind: ExprKind::Name(name), span, .. }, .. }] =
            annotation.args.as_slice()
        {
            if params.iter().any(|param| param.name.text == *name) {
                return;
            }
            let wrong = Diagnostic::new(Code::ANNOTATION, *span, format!("the tool has no parameter `{name}`"));
            let names = params.iter().map(|param| param.name.text.as_str());
            self.report(match nearest(name, names) {
                Some(near) => wrong.fix(format!("replace it with `{near}`"), *span, near),
                None => wrong.help("name the parameter that takes the idempotency key"),
            });
            return;
        }
        let span = annotation.args.first().map_or(annotation.span, |arg| arg.span);
        self.unfit(span, "`@key` takes the name of one parameter", "write `@key(idempotency_key)`");
    }

    /// `@cost(usd: 0.01)`
    fn cost(&mut self, annotation: &Annotation) {
        match annotation.args.as_slice() {
            [arg] if arg.name.as_ref().is_some_and(|name| name.text == "usd") => drop(self.amount(arg, true)),
            _ => self.unfit(annotation.span, "`@cost` says what a call costs at most", "write `@cost(usd: 0.01)`"),
        }
    }

    fn takes_nothing(&mut self, annotation: &Annotation) {
        if let Some(arg) = annotation.args.first() {
            self.unfit(arg.span, format!("`@{}` takes nothing", annotation.name.text), "remove the parentheses");
        }
    }

    /// A tool that changes nothing destroys nothing.
    fn contradiction(&mut self, seen: &[&Annotation]) {
        let find = |name: &str| seen.iter().find(|annotation| annotation.name.text == name).map(|found| found.span);
        if let (Some(reads), Some(destroys)) = (find("read_only"), find("destructive")) {
            self.report(
                Diagnostic::new(Code::ANNOTATION, destroys, "a tool that is read-only is not destructive")
                    .label(reads, "said to be read-only here")
                    .help("keep the one that is true"),
            );
        }
    }
}

/// A literal number, perhaps with its sign.
enum Number {
    Int(i64),
    Float(f64),
}

fn number(value: &Expr) -> Option<Number> {
    match &value.kind {
        ExprKind::Literal(Literal::Int(int)) => Some(Number::Int(*int)),
        ExprKind::Literal(Literal::Float(float)) => Some(Number::Float(*float)),
        ExprKind::Paren(inner) => number(inner),
        ExprKind::Prefix(signs, inner) if signs.iter().all(|(sign, _)| *sign == PrefixOp::Neg) => {
            let odd = signs.len() % 2 == 1;
            Some(match number(inner)? {
                Number::Int(int) => Number::Int(if odd { int.checked_neg()? } else { int }),
                Number::Float(float) => Number::Float(if odd { -float } else { float }),
            })
        }
        _ => None,
    }
}

/// The `{name}`s of a trigger with where each name begins; none for a brace that is not closed.
fn placeholders(text: &str) -> Vec<(usize, Option<&str>)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = text.get(from..).and_then(|rest| rest.find('{')) {
        let start = from + open + 1;
        let name = text.get(start..).and_then(|rest| rest.find('}').and_then(|end| rest.get(..end)));
        found.push((start, name));
        match name {
            Some(name) => from = start + name.len() + 1,
            None => break,
        }
    }
    found
}
