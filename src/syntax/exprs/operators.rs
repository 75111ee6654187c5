//! A flat run of operands and operators becomes a tree by the strength of the operators.

use super::Parts;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, PrefixOp};
use crate::syntax::parse::{Builder, Pair, Rule};
use crate::types::BinaryOp;

/// How strongly operators bind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Coalesce,
    Or,
    And,
    Not,
    Compare,
    Add,
    Multiply,
    Negate,
}

impl Level {
    fn above(self) -> Option<Level> {
        match self {
            Level::Coalesce => Some(Level::Or),
            Level::Or => Some(Level::And),
            Level::And => Some(Level::Not),
            Level::Not => Some(Level::Compare),
            Level::Compare => Some(Level::Add),
            Level::Add => Some(Level::Multiply),
            Level::Multiply => Some(Level::Negate),
            Level::Negate => None,
        }
    }
}

/// The operator that a token stands for, its level, and how it should have been written where it is foreign.
fn operator(text: &str) -> (BinaryOp, Level, Option<&'static str>) {
    match text {
        "??" => (BinaryOp::Coalesce, Level::Coalesce, None),
        "or" => (BinaryOp::Or, Level::Or, None),
        "||" | "|" => (BinaryOp::Or, Level::Or, Some("or")),
        "and" => (BinaryOp::And, Level::And, None),
        "&&" | "&" => (BinaryOp::And, Level::And, Some("and")),
        "==" => (BinaryOp::Eq, Level::Compare, None),
        "===" | "=" => (BinaryOp::Eq, Level::Compare, Some("==")),
        "!=" => (BinaryOp::Ne, Level::Compare, None),
        "!==" => (BinaryOp::Ne, Level::Compare, Some("!=")),
        "<" => (BinaryOp::Lt, Level::Compare, None),
        "<=" => (BinaryOp::Le, Level::Compare, None),
        ">" => (BinaryOp::Gt, Level::Compare, None),
        ">=" => (BinaryOp::Ge, Level::Compare, None),
        "in" => (BinaryOp::In, Level::Compare, None),
        "+" => (BinaryOp::Add, Level::Add, None),
        "-" => (BinaryOp::Sub, Level::Add, None),
        "/" => (BinaryOp::Div, Level::Multiply, None),
        "%" => (BinaryOp::Rem, Level::Multiply, None),
        "**" => (BinaryOp::Mul, Level::Multiply, Some("*")),
        _ => (BinaryOp::Mul, Level::Multiply, None),
    }
}

impl Builder<'_> {
    /// A run up to its end.
    pub(super) fn climb(&mut self, parts: &mut Parts<'_>) -> Expr {
        let mut first = None;
        if !self.at_prefix(parts, Level::Not) {
            let operand = self.operand(parts);
            // An operand with nothing around it is the common case.
            if parts.peek().is_none() {
                return operand;
            }
            first = Some(operand);
        }
        let first = self.level(parts, Level::Coalesce, first);
        // Nothing is looser than the loosest level: what is left follows a type, and a type has no members.
        if let Some(rest) = parts.next() {
            self.not_a_tail(&rest);
        }
        first
    }

    /// A run up to an operator looser than a level. Its first operand may have been built already.
    fn level(&mut self, parts: &mut Parts<'_>, level: Level, first: Option<Expr>) -> Expr {
        if level == Level::Not && first.is_none() && self.at_prefix(parts, level) {
            return self.prefixes(parts, level);
        }
        let mut first = match (level.above(), first) {
            (Some(above), first) => self.level(parts, above, first),
            (None, Some(first)) => return first,
            (None, None) => return self.operand(parts),
        };
        let mut rest: Vec<(BinaryOp, Span, Expr)> = Vec::new();
        let mut compared = false;
        while let Some(part) = parts.peek() {
            if part.as_rule() == Rule::is_tail && level == Level::Compare {
                let Some(tail) = parts.next() else { break };
                first = self.is_tail(first, &mut rest, tail, compared);
                compared = true;
                continue;
            }
            if part.as_rule() != Rule::infix_op {
                break;
            }
            let wrote = part.as_str().trim_ascii_end();
            let (op, strength, native) = operator(wrote);
            if strength != level {
                break;
            }
            let span = self.span(part);
            self.foreign(wrote, span, native);
            parts.next();
            let next = match level.above() {
                Some(above) => self.level(parts, above, None),
                None => self.operand(parts),
            };
            if level == Level::Compare {
                if compared {
                    self.chained(&rest, span, &next);
                }
                compared = true;
            }
            rest.push((op, span, next));
        }
        if level == Level::Compare {
            rest.truncate(1);
        }
        self.binary(first, rest)
    }

    fn binary(&mut self, first: Expr, rest: Vec<(BinaryOp, Span, Expr)>) -> Expr {
        match rest.last() {
            None => first,
            Some((_, _, last)) => {
                let span = first.span.to(last.span);
                Expr { id: self.fresh(), span, kind: ExprKind::Binary(Box::new(first), rest) }
            }
        }
    }

    fn is_tail(&mut self, first: Expr, rest: &mut Vec<(BinaryOp, Span, Expr)>, tail: Pair<'_>, compared: bool) -> Expr {
        let first = self.binary(first, std::mem::take(rest));
        if compared {
            let span = self.span(&tail);
            self.report(Diagnostic::new(
                Code::CHAINED_COMPARISON,
                span,
                "comparisons are not chained: join two with `and`",
            ));
        }
        let span = first.span.to(self.span(&tail));
        let ty = self.inner_type(tail);
        Expr { id: self.fresh(), span, kind: ExprKind::Is(Box::new(first), ty) }
    }

    fn chained(&mut self, rest: &[(BinaryOp, Span, Expr)], span: Span, next: &Expr) {
        let message = "comparisons are not chained: join two with `and`";
        let mut diagnostic = Diagnostic::new(Code::CHAINED_COMPARISON, span.to(next.span), message);
        let text = rest.last().map_or("", |(_, _, middle)| self.slice(middle.span));
        if !text.is_empty() && !text.contains('\n') {
            diagnostic = diagnostic.suggest(format!("compare `{text}` again"), span.before(), format!("and {text} "));
        }
        self.report(diagnostic);
    }

    fn foreign(&mut self, wrong: &str, span: Span, native: Option<&'static str>) {
        let Some(right) = native else { return };
        let message = match wrong {
            "=" => "`=` binds a name and compares nothing: compare with `==`".to_owned(),
            "**" => "there is no operator `**`: multiply instead".to_owned(),
            _ => format!("`{wrong}` is not an operator here: write `{right}`"),
        };
        let diagnostic = Diagnostic::new(Code::FOREIGN_OPERATOR, span, message);
        let title = format!("replace `{wrong}` with `{right}`");
        let diagnostic = match wrong {
            "**" => diagnostic,
            "=" | "&" | "|" => diagnostic.suggest(title, span, right),
            _ => diagnostic.fix(title, span, right),
        };
        self.report(diagnostic);
    }

    /// A chain of prefix operators and what they stand before. Only `not` at its own level takes a comparison; a chain
    /// that stands deeper (`a == not b`, `- not c`) takes one operand.
    pub(super) fn prefixes(&mut self, parts: &mut Parts<'_>, level: Level) -> Expr {
        let mut operators = Vec::new();
        while self.at_prefix(parts, level) {
            let Some(part) = parts.next() else { break };
            let span = self.span(&part);
            let wrote = part.as_str();
            if wrote.starts_with('!') {
                self.foreign_not(span);
            }
            operators.push((if wrote.starts_with('-') { PrefixOp::Neg } else { PrefixOp::Not }, span));
        }
        let operand = if level == Level::Not { self.level(parts, Level::Compare, None) } else { self.operand(parts) };
        let span = operators.first().map_or(operand.span, |(_, first)| first.to(operand.span));
        Expr { id: self.fresh(), span, kind: ExprKind::Prefix(operators, Box::new(operand)) }
    }

    /// Whether a prefix operator of a level comes next: only `not` at its own, any before an operand.
    pub(super) fn at_prefix(&self, parts: &mut Parts<'_>, level: Level) -> bool {
        let fits = |part: &Pair<'_>| level != Level::Not || !part.as_str().starts_with('-');
        parts.peek().is_some_and(|part| part.as_rule() == Rule::prefix_op && fits(part))
    }

    fn foreign_not(&mut self, span: Span) {
        self.report(Diagnostic::new(Code::FOREIGN_OPERATOR, span, "`!` is not an operator here: write `not`").fix(
            "replace `!` with `not`",
            span,
            "not ",
        ));
    }
}
