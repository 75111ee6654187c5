//! Expressions of a program in the words of its author, for plans and drawings. Slots are told by the names that stand
//! in them.

use rustc_hash::FxHashMap;

use crate::program::{Capture, Expr, Flow, Function, ListItem, Program, Slot, TemplatePart};
use crate::types::{BinaryOp, Text};
use crate::value::{Value, format_duration};

/// Which name stands in which slot of a frame.
#[derive(Clone, Debug)]
pub(super) struct Names<'p> {
    functions: &'p [Function],
    names: FxHashMap<Slot, Text>,
}

/// Texts longer than this are cut.
const LONGEST: usize = 60;

impl<'p> Names<'p> {
    /// The names in the frame of a flow: its parameters.
    pub(super) fn of(flow: &Flow, program: &'p Program) -> Self {
        let names = flow.params.iter().zip(0..).map(|(param, slot)| (slot, param.name.clone())).collect();
        Self { functions: &program.functions, names }
    }

    /// Puts a name in a slot.
    pub(super) fn set(&mut self, slot: Slot, name: impl Into<Text>) {
        self.names.insert(slot, name.into());
    }

    /// Forgets what a slot stood for: it is used anew.
    pub(super) fn forget(&mut self, slot: Slot) {
        self.names.remove(&slot);
    }

    /// The names in a branch's frame.
    pub(super) fn captured(&self, frame: &Capture) -> Names<'p> {
        let copied = frame.copies.iter().filter_map(|(from, to)| Some((*to, self.names.get(from)?.clone())));
        Names { functions: self.functions, names: copied.collect() }
    }

    /// An expression, in a few words.
    pub(super) fn describe(&self, expr: &Expr) -> String {
        let mut text = String::new();
        self.write(expr, &mut text, 0);
        if text.chars().count() > LONGEST {
            let cut: String = text.chars().take(LONGEST - 1).collect();
            // Between words, where one ends in the second half.
            let kept = cut.rfind(' ').filter(|at| *at > LONGEST / 2).and_then(|at| cut.get(..at));
            return format!("{}…", kept.unwrap_or(&cut).trim_end());
        }
        text
    }

    /// A text as it reads, any other expression in a few words.
    pub(super) fn say(&self, expr: &Expr) -> String {
        match expr {
            Expr::Const(constant) => match &constant.0 {
                Value::String(text) => text.to_string(),
                _ => self.describe(expr),
            },
            _ => self.describe(expr),
        }
    }

    fn write(&self, expr: &Expr, text: &mut String, depth: usize) {
        if depth > 8 || text.len() > 4 * LONGEST {
            text.push('…');
            return;
        }
        let next = depth + 1;
        match expr {
            Expr::Const(constant) => text.push_str(&literal(&constant.0)),
            Expr::Slot(slot) => text.push_str(self.names.get(slot).map_or("…", Text::as_str)),
            Expr::Run => text.push_str("run"),
            Expr::Template(parts) => {
                for part in parts {
                    match part {
                        TemplatePart::Text(plain) => text.push_str(plain),
                        TemplatePart::Hole(value) => {
                            text.push('{');
                            self.write(value, text, next);
                            text.push('}');
                        }
                    }
                }
            }
            Expr::List(items) => {
                text.push('[');
                for (at, item) in items.iter().enumerate() {
                    text.push_str(if at == 0 { "" } else { ", " });
                    let (ListItem::Value(value) | ListItem::Spread(value)) = item;
                    text.push_str(if matches!(item, ListItem::Spread(_)) { "..." } else { "" });
                    self.write(value, text, next);
                }
                text.push(']');
            }
            Expr::Record { .. } | Expr::Spread { .. } | Expr::Map(_) => text.push_str("{ … }"),
            Expr::Field { base, name, .. } => {
                self.write(base, text, next);
                text.push('.');
                text.push_str(name);
            }
            Expr::Index { base, index, .. } => {
                self.write(base, text, next);
                text.push('[');
                self.write(index, text, next);
                text.push(']');
            }
            Expr::Neg(of, _) => {
                text.push('-');
                self.write(of, text, next);
            }
            Expr::Not(of) => match &**of {
                Expr::Binary { op: BinaryOp::Eq, sides, .. } => {
                    self.write(&sides.0, text, next);
                    text.push_str(" != ");
                    self.write(&sides.1, text, next);
                }
                _ => {
                    let mut inner = String::new();
                    self.write(of, &mut inner, next);
                    let of_parts = inner.contains(' ');
                    text.push_str(&if of_parts { format!("not ({inner})") } else { format!("not {inner}") });
                }
            },
            Expr::Binary { op, sides, .. } => {
                self.write(&sides.0, text, next);
                text.push(' ');
                text.push_str(op.symbol());
                text.push(' ');
                self.write(&sides.1, text, next);
            }
            Expr::Chain { first, rest } => {
                self.write(first, text, next);
                for (op, side, _) in rest {
                    text.push(' ');
                    text.push_str(op.symbol());
                    text.push(' ');
                    self.write(side, text, next);
                }
            }
            Expr::Coalesce(of) => self.joined(of, " ?? ", text, next),
            Expr::And(of) => self.joined(of, " and ", text, next),
            Expr::Or(of) => self.joined(of, " or ", text, next),
            Expr::Coerce(of, _) | Expr::Check(of, _) => self.write(of, text, next),
            Expr::Is(of, ty) => {
                self.write(of, text, next);
                text.push_str(&format!(" is {ty}"));
            }
            Expr::As(of, ty, _) => {
                self.write(of, text, next);
                text.push_str(&format!(" as {ty}"));
            }
            Expr::Method { method, receiver, args, lambda, .. } => {
                self.write(receiver, text, next);
                text.push('.');
                text.push_str(method.name());
                if !method.bare {
                    text.push('(');
                    self.joined(args, ", ", text, next);
                    text.push_str(if lambda.is_some() { "…)" } else { ")" });
                }
            }
            Expr::Call { function, args, .. } => {
                text.push_str(self.functions.get(*function as usize).map_or("…", |function| &function.name));
                text.push('(');
                self.joined(args.iter().flatten(), ", ", text, next);
                text.push(')');
            }
            Expr::Lookup { .. } | Expr::Guard { .. } | Expr::If { .. } | Expr::Match { .. } | Expr::Calls(_) => {
                text.push('…');
            }
        }
    }

    fn joined<'e>(&self, of: impl IntoIterator<Item = &'e Expr>, by: &str, text: &mut String, depth: usize) {
        for (at, expr) in of.into_iter().enumerate() {
            text.push_str(if at == 0 { "" } else { by });
            self.write(expr, text, depth);
        }
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::Secret(name) => format!("secrets.{name}"),
        Value::Duration(millis) => format_duration(*millis),
        other => other.to_json_text(),
    }
}
