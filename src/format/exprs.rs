//! Expressions.

use super::Printer;
use super::comments::Line;
use super::doc::Doc;
use crate::source::Span;
use crate::syntax::ast::{
    Arg, Expr, ExprKind, ExprMatch, Lambda, ListItem, MatchArm, Name, Pattern, PatternField, PatternKind, Postfix,
    PostfixKind, PrefixOp, RecordField,
};
use crate::types::BinaryOp;

/// A lambda's body up to this width is laid flat before its call is broken.
const FLAT_BODY: usize = 80;

impl<'a> Printer<'a> {
    pub(super) fn expr(&mut self, expr: &'a Expr) -> Doc {
        match &expr.kind {
            ExprKind::Literal(crate::syntax::ast::Literal::String(_)) | ExprKind::Template(_) => self.string(expr),
            ExprKind::Literal(literal) => self.literal(literal, expr.span),
            ExprKind::Name(name) => Doc::text(name.as_str()),
            ExprKind::List(items) => {
                let lines =
                    self.lines(items, (expr.span.start + 1, expr.span.end), list_item_span, |this, item| match item {
                        ListItem::Value(value) => this.expr(value),
                        ListItem::Spread(value) => Doc::concat([Doc::text("..."), this.expr(value)]),
                    });
                self.commas("[", lines, "]", false)
            }
            ExprKind::Record(fields) => self.record(fields, expr.span),
            ExprKind::Lambda(lambda) => self.lambda(lambda),
            ExprKind::Paren(inner) => {
                let inside = Doc::concat([Doc::soft_line(), self.expr(inner)]).nest();
                Doc::concat([Doc::text("("), inside, Doc::soft_line(), Doc::text(")")]).group()
            }
            ExprKind::Prefix(ops, operand) => {
                let signs: String = ops.iter().map(|(op, _)| if *op == PrefixOp::Not { "not " } else { "-" }).collect();
                Doc::concat([Doc::text(signs), self.expr(operand)])
            }
            ExprKind::Binary(first, rest) => self.binary(first, rest),
            ExprKind::Is(value, ty) => Doc::concat([self.expr(value), Doc::text(" is "), self.ty(ty)]),
            ExprKind::As(value, types) => {
                let mut parts = vec![self.expr(value)];
                for (_, ty) in types {
                    parts.extend([Doc::text(" as "), self.ty(ty)]);
                }
                Doc::concat(parts)
            }
            ExprKind::Postfix(base, tail) => self.chain(base, tail),
            ExprKind::Call(call) => {
                Doc::concat([Doc::text(call.callee.text.as_str()), self.args(&call.args, call.args_span)])
            }
            ExprKind::If { branches, otherwise } => self.if_expr(branches, otherwise),
            ExprKind::Match(matched) => self.match_expr(matched, expr.span),
            ExprKind::Type(ty) => self.ty(ty),
            ExprKind::Error => Doc::text(self.slice(expr.span)),
        }
    }

    fn binary(&mut self, first: &'a Expr, rest: &'a [(BinaryOp, Span, Expr)]) -> Doc {
        let first = self.expr(first);
        let mut tail = Vec::new();
        for (op, _, operand) in rest {
            tail.extend([Doc::line(), Doc::text(format!("{} ", op.symbol())), self.expr(operand)]);
        }
        Doc::concat([first, Doc::concat(tail).nest()]).group()
    }

    fn record(&mut self, fields: &'a [RecordField], span: Span) -> Doc {
        let inside = (span.start + 1, span.end);
        let lines = self.lines(fields, inside, record_field_span, |this, field| match field {
            RecordField::Value(name, value) if is_shorthand(name, value) => Doc::text(name.text.as_str()),
            RecordField::Value(name, value) => Doc::concat([this.field_name(name), Doc::text(": "), this.expr(value)]),
            RecordField::Spread(value) => Doc::concat([Doc::text("..."), this.expr(value)]),
            RecordField::Fill(_) => Doc::text("..."),
        });
        self.commas("{", lines, "}", true)
    }

    fn lambda(&mut self, lambda: &'a Lambda) -> Doc {
        let params = match lambda.params.as_slice() {
            [(_, only)] => only.text.to_string(),
            several => {
                let names: Vec<&str> = several.iter().map(|(_, name)| name.text.as_str()).collect();
                format!("({})", names.join(", "))
            }
        };
        let body = self.expr(&lambda.body);
        let short = matches!(lambda.body.kind, ExprKind::Binary(..) | ExprKind::If { .. }) && !body.is_forced();
        let body = if short && body.clone().flat_text().chars().count() <= FLAT_BODY { body.flat() } else { body };
        Doc::concat([Doc::text(format!("{params} => ")), body])
    }

    fn if_expr(&mut self, branches: &'a [(Expr, Expr)], otherwise: &'a Expr) -> Doc {
        let mut parts = Vec::new();
        for (at, (cond, value)) in branches.iter().enumerate() {
            if at > 0 {
                parts.extend([Doc::line(), Doc::text("else ")]);
            }
            parts.extend([Doc::text("if "), self.expr(cond), Doc::text(" then "), self.expr(value)]);
        }
        parts.extend([Doc::line(), Doc::text("else "), self.expr(otherwise)]);
        Doc::concat(parts).nest().group()
    }

    fn match_expr(&mut self, matched: &'a ExprMatch, span: Span) -> Doc {
        let value = self.expr(&matched.value);
        let inside = (matched.value.span.end, span.end);
        let lines = self.lines(
            &matched.arms,
            inside,
            |arm| arm.span,
            |this, arm| {
                let head = this.arm_head(arm);
                Doc::concat([head, this.expr(&arm.body)])
            },
        );
        Doc::concat([Doc::text("match "), value, Doc::text(" "), self.commas("{", lines, "}", true)])
    }

    /// Patterns, guard and arrow of an arm.
    pub(super) fn arm_head<Body>(&mut self, arm: &'a MatchArm<Body>) -> Doc {
        let mut parts = Vec::new();
        for (at, pattern) in arm.patterns.iter().enumerate() {
            if at > 0 {
                parts.push(Doc::text(" | "));
            }
            parts.push(self.pattern(pattern));
        }
        if let Some(guard) = &arm.guard {
            parts.extend([Doc::text(" if "), self.expr(guard)]);
        }
        parts.push(Doc::text(" => "));
        Doc::concat(parts)
    }

    fn pattern(&mut self, pattern: &'a Pattern) -> Doc {
        match &pattern.kind {
            PatternKind::Any => Doc::text("_"),
            PatternKind::Bind(name) => Doc::text(name.text.as_str()),
            PatternKind::Literal(literal) => self.literal(literal, pattern.span),
            PatternKind::Is(ty) => Doc::concat([Doc::text("is "), self.member(ty)]),
            PatternKind::Record(fields) => self.pattern_fields(fields, pattern.span),
            PatternKind::Error => Doc::text(self.slice(pattern.span)),
        }
    }

    pub(super) fn pattern_fields(&mut self, fields: &'a [PatternField], span: Span) -> Doc {
        let span_of = |field: &PatternField| field.name.span.to(field.pattern.span);
        let lines = self.lines(fields, (span.start, span.end), span_of, |this, field| match &field.pattern.kind {
            PatternKind::Bind(name) if name.text == field.name.text => Doc::text(name.text.as_str()),
            _ => Doc::concat([this.field_name(&field.name), Doc::text(": "), this.pattern(&field.pattern)]),
        });
        self.commas("{", lines, "}", true)
    }

    /// Arguments in their parentheses. A single record, list or lambda takes them with it when it breaks.
    pub(super) fn args(&mut self, args: &'a [Arg], span: Span) -> Doc {
        let lines = self.lines(args, (span.start + 1, span.end), |arg| arg.span, |this, arg| this.arg(arg));
        if let ([only], [Line { comment: false, .. }]) = (args, lines.as_slice())
            && self.hugs(&only.value)
        {
            let inside = lines.into_iter().map(|line| line.doc);
            return Doc::concat([Doc::text("("), Doc::concat(inside), Doc::text(")")]);
        }
        self.commas("(", lines, ")", false)
    }

    fn arg(&mut self, arg: &'a Arg) -> Doc {
        let value = self.expr(&arg.value);
        match &arg.name {
            Some(name) => Doc::concat([Doc::text(format!("{}: ", name.text)), value]),
            None => value,
        }
    }

    /// `a.b.c(…).d(…)`: on one line where it fits, else broken where the author broke it, else, with three calls and
    /// more, before each call.
    fn chain(&mut self, base: &'a Expr, tail: &'a [Postfix]) -> Doc {
        let base_doc = self.expr(base);
        let mut end = base.span.end;
        let mut segments: Vec<(Doc, bool, bool)> = Vec::new();
        for postfix in tail {
            let authored = self.between(end, postfix.span.start).contains('\n');
            end = postfix.span.end;
            segments.push((self.postfix(postfix), authored, matches!(postfix.kind, PostfixKind::Method(..))));
        }
        let flat = Doc::concat(std::iter::once(base_doc.clone()).chain(segments.iter().map(|(doc, ..)| doc.clone())));
        let authored = segments.iter().any(|(_, authored, _)| *authored);
        let calls = segments.iter().filter(|(_, _, call)| *call).count();
        if self.in_hole || !(authored || calls > 2) {
            return flat;
        }
        let mut broken = Vec::new();
        let mut seen_call = false;
        for (doc, here, call) in segments {
            let breaks = if authored { here } else { call && seen_call };
            seen_call |= call;
            if breaks {
                broken.push(Doc::hard_line());
            }
            broken.push(doc);
        }
        Doc::choice(flat, Doc::concat([base_doc, Doc::concat(broken).nest()]))
    }

    fn postfix(&mut self, postfix: &'a Postfix) -> Doc {
        let dot = if postfix.optional { "?." } else { "." };
        match &postfix.kind {
            PostfixKind::Field(name) => Doc::text(format!("{dot}{}", name.text)),
            PostfixKind::Method(name, args) => {
                let head = Doc::text(format!("{dot}{}", name.text));
                let span = Span { start: name.span.end, ..postfix.span };
                Doc::concat([head, self.args(args, span)])
            }
            PostfixKind::Index(index) => Doc::concat([Doc::text("["), self.expr(index), Doc::text("]")]),
        }
    }

    /// Whether a sole argument breaks together with its parentheses.
    fn hugs(&self, value: &Expr) -> bool {
        match &value.kind {
            ExprKind::Record(_) | ExprKind::List(_) | ExprKind::Lambda(_) => true,
            ExprKind::Literal(_) | ExprKind::Template(_) => self.slice(value.span).starts_with("\"\"\""),
            _ => false,
        }
    }

    /// `{ a, b: c }` of a `let`.
    pub(super) fn let_fields(names: &[(&Name, &Name)]) -> Doc {
        let fields: Vec<String> = names
            .iter()
            .map(|(field, local)| {
                if field.text == local.text {
                    field.text.to_string()
                } else {
                    format!("{}: {}", field.text, local.text)
                }
            })
            .collect();
        Doc::text(format!("{{ {} }}", fields.join(", ")))
    }
}

/// `name: name`, which is written `name`.
fn is_shorthand(name: &Name, value: &Expr) -> bool {
    match &value.kind {
        ExprKind::Name(text) => *text == name.text,
        ExprKind::Literal(_) => value.span == name.span && value.span.start < value.span.end,
        _ => false,
    }
}

fn list_item_span(item: &ListItem) -> Span {
    match item {
        ListItem::Value(value) | ListItem::Spread(value) => value.span,
    }
}

fn record_field_span(field: &RecordField) -> Span {
    match field {
        RecordField::Value(name, value) => name.span.to(value.span),
        RecordField::Spread(value) => value.span,
        RecordField::Fill(span) => *span,
    }
}
