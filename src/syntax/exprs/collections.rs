//! Lists and records.

use super::name_or_literal;
use crate::syntax::ast::{Expr, ExprKind, ListItem, Name, RecordField};
use crate::syntax::parse::{Builder, Pair, Rule};
use crate::syntax::words;

impl Builder<'_> {
    pub(super) fn list(&mut self, pair: Pair<'_>) -> ExprKind {
        let mut items = pair.list();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr => items.push(ListItem::Value(self.expr(part))),
                Rule::spread => {
                    let end = part.end();
                    match part.into_inner().next() {
                        Some(value) => items.push(ListItem::Spread(self.expr(value))),
                        None => self.expected(end, "a list"),
                    }
                }
                _ => self.missing(&part),
            }
        }
        ExprKind::List(items)
    }

    pub(super) fn record(&mut self, pair: Pair<'_>) -> Vec<RecordField> {
        let mut fields = pair.list();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::field => {
                    let (name, value) = self.field(part);
                    fields.push(RecordField::Value(name, value));
                }
                Rule::spread => {
                    let span = self.span(&part);
                    fields.push(match part.into_inner().next() {
                        Some(value) => RecordField::Spread(self.expr(value)),
                        None => RecordField::Fill(span),
                    });
                }
                _ => self.missing(&part),
            }
        }
        fields
    }

    fn field(&mut self, pair: Pair<'_>) -> (Name, Expr) {
        let mut name = self.no_name(&pair);
        let mut value = None;
        let mut quoted = false;
        let mut after = 0;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr | Rule::no_expr => value = Some(self.expr(part)),
                rule => {
                    quoted = rule != Rule::word;
                    after = part.end();
                    name = self.field_name(part);
                }
            }
        }
        let value = match value {
            Some(value) => value,
            None if quoted || words::is_keyword(&name.text) => {
                self.expected(self.skip_trivia(after), "`:` and a value");
                self.error_expr(name.span)
            }
            None => Expr { id: self.fresh(), span: name.span, kind: name_or_literal(&name.text) },
        };
        (name, value)
    }
}
