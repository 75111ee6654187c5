//! Patterns and the heads of match arms.

use super::ast::{Expr, Literal, MatchArm, Pattern, PatternField, PatternKind};
use super::parse::{Builder, Pair, Rule};
use crate::source::Span;

/// An arm without its body.
pub(super) struct ArmHead {
    pub(super) span: Span,
    patterns: Vec<Pattern>,
    guard: Option<Expr>,
}

impl ArmHead {
    pub(super) fn with<Body>(self, body: Body) -> MatchArm<Body> {
        MatchArm { span: self.span, patterns: self.patterns, guard: self.guard, body }
    }
}

impl Builder<'_> {
    /// An arm of a match; `body` builds what stands after the arrow.
    pub(super) fn arm<'i, Body>(
        &mut self,
        pair: Pair<'i>,
        mut body: impl FnMut(&mut Self, Pair<'i>) -> Option<Body>,
    ) -> (ArmHead, Option<Body>) {
        let mut head = ArmHead { span: self.span(&pair), patterns: Vec::new(), guard: None };
        let mut built = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::patterns => {
                    head.patterns = part.into_inner().map(|part| self.pattern(part)).collect();
                }
                Rule::guard => {
                    head.guard = part.into_inner().next().map(|part| self.expr(part));
                }
                Rule::no_arrow => self.missing(&part),
                _ => built = body(self, part),
            }
        }
        // An arm's span ends with its body, not with the comma that may follow it.
        (head, built)
    }

    /// A `pattern`, or the mark that one is missing.
    pub(super) fn pattern(&mut self, pair: Pair<'_>) -> Pattern {
        let span = self.span(&pair);
        if pair.as_rule() != Rule::pattern {
            self.missing(&pair);
            return Pattern { id: self.fresh(), span, kind: PatternKind::Error };
        }
        let mut negative = false;
        let mut kind = PatternKind::Error;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::sign => negative = true,
                Rule::number => kind = PatternKind::Literal(self.number(&part, negative)),
                Rule::is_pattern => {
                    if let Some(part) = part.into_inner().next() {
                        kind = PatternKind::Is(self.ty(part));
                    }
                }
                Rule::record_pattern => kind = PatternKind::Record(self.pattern_fields(part)),
                Rule::name => kind = self.name_pattern(&part),
                _ => {
                    if let Some(text) = self.plain_string(part) {
                        kind = PatternKind::Literal(Literal::String(text));
                    }
                }
            }
        }
        Pattern { id: self.fresh(), span, kind }
    }

    fn name_pattern(&mut self, pair: &Pair<'_>) -> PatternKind {
        match pair.as_str() {
            "_" => PatternKind::Any,
            "null" => PatternKind::Literal(Literal::Null),
            "true" => PatternKind::Literal(Literal::Bool(true)),
            "false" => PatternKind::Literal(Literal::Bool(false)),
            _ => {
                let name = self.name(pair);
                self.check_declared(&name);
                PatternKind::Bind(name)
            }
        }
    }

    pub(super) fn pattern_fields(&mut self, pair: Pair<'_>) -> Vec<PatternField> {
        let mut fields = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::pattern_field => fields.push(self.pattern_field(part)),
                _ => self.missing(&part),
            }
        }
        fields
    }

    fn pattern_field(&mut self, pair: Pair<'_>) -> PatternField {
        let mut name = self.no_name(&pair);
        let mut pattern = None;
        let mut quoted = false;
        let mut after = 0;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::pattern | Rule::no_pattern => pattern = Some(self.pattern(part)),
                rule => {
                    quoted = rule != Rule::word;
                    after = part.end();
                    name = self.field_name(part);
                }
            }
        }
        let pattern = match pattern {
            Some(pattern) => pattern,
            None if quoted => {
                self.expected(self.skip_trivia(after), "`:` and a pattern");
                Pattern { id: self.fresh(), span: name.span, kind: PatternKind::Error }
            }
            None => {
                self.check_declared(&name);
                Pattern { id: self.fresh(), span: name.span, kind: PatternKind::Bind(name.clone()) }
            }
        };
        PatternField { name, pattern }
    }
}
