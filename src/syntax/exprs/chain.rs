//! Operands: a primary and the members, calls, indices and casts that follow it.

use super::Parts;
use super::operators::Level;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, Postfix, PostfixKind};
use crate::syntax::guard::MAX_LINKS;
use crate::syntax::parse::{Builder, Pair, Rule};

impl Builder<'_> {
    /// A primary and what follows it; also a prefix that stands deeper than its level, as in `a == not b`.
    pub(super) fn operand(&mut self, parts: &mut Parts<'_>) -> Expr {
        if self.at_prefix(parts, Level::Negate) {
            return self.prefixes(parts, Level::Negate);
        }
        let Some(part) = parts.next() else { return self.error_expr(Span::default()) };
        // Chains beside this one do not make it deeper, only those within it.
        let beside = std::mem::take(&mut self.links);
        let mut value = self.primary(part, parts);
        let tail = self.postfixes(parts);
        if let Some(last) = tail.last() {
            let span = value.span.to(last.span);
            value = Expr { id: self.fresh(), span, kind: ExprKind::Postfix(Box::new(value), tail) };
        }
        let mut casts = Vec::new();
        let mut span = value.span;
        while let Some(part) = parts.next_if(|part| part.as_rule() == Rule::as_tail) {
            if self.links > MAX_LINKS {
                continue;
            }
            span = span.to(self.span(&part));
            let ty = self.inner_type(part);
            casts.push((self.fresh(), ty));
            self.links += 1;
        }
        if self.links > MAX_LINKS {
            self.links = beside;
            return self.too_long(span);
        }
        self.links = self.links.max(beside);
        if casts.is_empty() {
            return value;
        }
        Expr { id: self.fresh(), span, kind: ExprKind::As(Box::new(value), casts) }
    }

    fn too_long(&mut self, span: Span) -> Expr {
        let message = format!("more than {MAX_LINKS} fields, indices and calls in a row");
        let help = "name a part of it with `let`";
        self.report(Diagnostic::new(Code::TOO_DEEP, span, message).help(help));
        self.error_expr(span)
    }

    /// The fields, methods and indices that follow an operand.
    pub(super) fn postfixes(&mut self, parts: &mut Parts<'_>) -> Vec<Postfix> {
        let links = parts.clone().take_while(|part| is_postfix(part.as_rule())).filter(|part| is_link(part.as_rule()));
        let mut chain = Vec::with_capacity(links.count());
        while let Some(part) = parts.next_if(|part| is_postfix(part.as_rule())) {
            let safe = part.as_rule() == Rule::safe;
            let named = if safe { parts.next() } else { Some(part) };
            let args = match named.map(|part| part.as_rule()) {
                Some(Rule::word | Rule::no_name) => parts.next_if(|part| part.as_rule() == Rule::args),
                _ => None,
            };
            let Some(named) = named.filter(|_| self.links <= MAX_LINKS) else { continue };
            if named.as_rule() == Rule::args {
                self.not_a_tail(&named);
            } else {
                chain.push(self.postfix(named, safe, args));
            }
            self.links += 1;
        }
        chain
    }

    /// A member by its name, perhaps called, or an index.
    fn postfix(&mut self, pair: Pair<'_>, optional: bool, args: Option<Pair<'_>>) -> Postfix {
        if pair.as_rule() == Rule::index {
            let span = self.span(&pair);
            let mut at = None;
            for part in pair.into_inner() {
                match part.as_rule() {
                    Rule::expr | Rule::no_expr => at = Some(self.expr(part)),
                    _ => self.missing(&part),
                }
            }
            let kind = PostfixKind::Index(at.unwrap_or_else(|| self.error_expr(span)));
            return Postfix { id: self.fresh(), span, optional, kind };
        }
        // From the dot, which stands right before the name.
        let start = pair.start() - if optional { 2 } else { 1 };
        let name = match pair.as_rule() {
            Rule::word => self.name(&pair),
            _ => {
                self.missing(&pair);
                self.no_name(&pair)
            }
        };
        let span = self.span_of(start, args.unwrap_or(pair).end());
        let kind = match args {
            Some(args) => PostfixKind::Method(name, self.args(args)),
            None => PostfixKind::Field(name),
        };
        Postfix { id: self.fresh(), span, optional, kind }
    }

    /// Reports what cannot follow the expression that it follows.
    pub(super) fn not_a_tail(&mut self, pair: &Pair<'_>) {
        let before = usize::from(matches!(pair.as_rule(), Rule::word | Rule::no_name | Rule::args));
        self.expected(pair.start() - before, "the end of the expression");
    }
}

/// Whether a part is a link of the chain that follows an operand.
fn is_link(rule: Rule) -> bool {
    matches!(rule, Rule::word | Rule::no_name | Rule::index)
}

/// Whether a part goes on with the chain that follows an operand.
fn is_postfix(rule: Rule) -> bool {
    is_link(rule) || matches!(rule, Rule::safe | Rule::args)
}
