//! Types as written.

use super::ast::{TypeExpr, TypeExprKind, TypeField};
use super::parse::{Builder, Pair, Rule};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::types::Literal;

impl Builder<'_> {
    /// A `type_expr`, or the mark that one is missing.
    pub(super) fn ty(&mut self, pair: Pair<'_>) -> TypeExpr {
        if pair.as_rule() == Rule::no_type {
            return self.no_type(&pair);
        }
        let span = self.span(&pair);
        let mut members: Vec<TypeExpr> = Vec::new();
        let mut negative = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::optional => self.optional(&mut members, &part),
                Rule::sign => negative = Some(self.span(&part).start),
                _ => {
                    let member = self.type_atom(part, negative.take());
                    members.push(member);
                }
            }
        }
        if members.len() == 1 {
            return members.remove(0);
        }
        TypeExpr { id: self.fresh(), span, kind: TypeExprKind::Union(members) }
    }

    fn optional(&mut self, members: &mut Vec<TypeExpr>, mark: &Pair<'_>) {
        let Some(of) = members.pop() else { return };
        let span = of.span.to(self.span(mark));
        // `T??` is `T?`.
        if let TypeExprKind::Optional(_) = of.kind {
            members.push(TypeExpr { span, ..of });
        } else {
            members.push(TypeExpr { id: self.fresh(), span, kind: TypeExprKind::Optional(Box::new(of)) });
        }
    }

    fn type_atom(&mut self, pair: Pair<'_>, negative: Option<u32>) -> TypeExpr {
        let mut span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::named_type => self.named_type(pair),
            Rule::record_type => TypeExprKind::Record(self.type_fields(pair)),
            Rule::type_group => return self.type_group(pair),
            Rule::number => {
                span.start = negative.map_or(span.start, |start| start);
                match self.number(&pair, negative.is_some()) {
                    super::ast::Literal::Int(value) => TypeExprKind::Literal(Literal::Int(value)),
                    _ => {
                        self.report(Diagnostic::new(
                            Code::BAD_LITERAL,
                            span,
                            "a literal type is a string, an int or a bool",
                        ));
                        TypeExprKind::Error
                    }
                }
            }
            Rule::plain_line | Rule::plain_block | Rule::raw_string => match self.plain_string(pair) {
                Some(text) => TypeExprKind::Literal(Literal::String(text)),
                None => TypeExprKind::Error,
            },
            _ => return self.no_type(&pair),
        };
        TypeExpr { id: self.fresh(), span, kind }
    }

    fn named_type(&mut self, pair: Pair<'_>) -> TypeExprKind {
        let mut args = Vec::new();
        let mut name = self.no_name(&pair);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::type_name => name = self.name(&part),
                _ => args = self.type_args(part),
            }
        }
        match name.text.as_str() {
            "true" => TypeExprKind::Literal(Literal::Bool(true)),
            "false" => TypeExprKind::Literal(Literal::Bool(false)),
            _ => TypeExprKind::Name { name, args },
        }
    }

    fn type_args(&mut self, pair: Pair<'_>) -> Vec<TypeExpr> {
        let mut args = pair.list();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::type_expr | Rule::no_type => args.push(self.ty(part)),
                _ => self.missing(&part),
            }
        }
        args
    }

    fn type_group(&mut self, pair: Pair<'_>) -> TypeExpr {
        let mut inside = None;
        let span = self.span(&pair);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::type_expr | Rule::no_type => inside = Some(self.ty(part)),
                _ => self.missing(&part),
            }
        }
        match inside {
            Some(inside) => TypeExpr { span, ..inside },
            None => TypeExpr { id: self.fresh(), span, kind: TypeExprKind::Error },
        }
    }

    fn type_fields(&mut self, pair: Pair<'_>) -> Vec<TypeField> {
        let mut fields = pair.list();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::type_field => fields.push(self.type_field(part)),
                _ => self.missing(&part),
            }
        }
        fields
    }

    fn type_field(&mut self, pair: Pair<'_>) -> TypeField {
        let span = self.span(&pair);
        let doc = self.doc(&pair);
        let mut name = self.no_name(&pair);
        let mut optional = false;
        let mut ty = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::optional => optional = true,
                Rule::type_expr | Rule::no_type => ty = Some(self.ty(part)),
                Rule::no_colon => self.missing(&part),
                _ => name = self.field_name(part),
            }
        }
        let ty = ty.unwrap_or_else(|| self.error_type(span));
        TypeField { span, doc, name, optional, ty }
    }

    fn no_type(&mut self, mark: &Pair<'_>) -> TypeExpr {
        self.missing(mark);
        self.error_type(self.span(mark))
    }

    pub(super) fn error_type(&mut self, span: Span) -> TypeExpr {
        TypeExpr { id: self.fresh(), span, kind: TypeExprKind::Error }
    }
}
