//! Types as written.

use super::Printer;
use super::doc::Doc;
use super::literals::escape;
use crate::source::Span;
use crate::syntax::ast::{Name, TypeExpr, TypeExprKind, TypeField};
use crate::types::Literal;

impl<'a> Printer<'a> {
    /// A type; a union is one line, or a group whose members stand below each other.
    pub(super) fn ty(&mut self, ty: &'a TypeExpr) -> Doc {
        match &ty.kind {
            TypeExprKind::Name { name, args } => self.named_type(ty, name, args),
            TypeExprKind::Literal(literal) => self.type_literal(literal, ty.span),
            TypeExprKind::Record(fields) => self.record_type(fields, ty.span),
            TypeExprKind::Union(members) => {
                let mut parts = Vec::new();
                for (at, member) in members.iter().enumerate() {
                    if at > 0 {
                        parts.extend([Doc::line(), Doc::text("| ")]);
                    }
                    parts.push(self.member(member));
                }
                Doc::concat(parts).nest().group()
            }
            TypeExprKind::Optional(of) => Doc::concat([self.member(of), Doc::text("?")]),
            TypeExprKind::Error => Doc::text(self.slice(ty.span)),
        }
    }

    /// A type where a union stands in parentheses.
    pub(super) fn member(&mut self, ty: &'a TypeExpr) -> Doc {
        let doc = self.ty(ty);
        match ty.kind {
            TypeExprKind::Union(_) => Doc::concat([Doc::text("("), doc, Doc::text(")")]),
            _ => doc,
        }
    }

    fn named_type(&mut self, ty: &TypeExpr, name: &Name, args: &'a [TypeExpr]) -> Doc {
        let text = Doc::text(name.text.as_str());
        match args {
            [] => text,
            // `list<{ … }>` breaks inside the braces.
            [only] if !matches!(only.kind, TypeExprKind::Union(_)) => {
                Doc::concat([text, Doc::text("<"), self.ty(only), Doc::text(">")])
            }
            _ => {
                let inside = (name.span.end, ty.span.end);
                let lines = self.lines(args, inside, |arg| arg.span, |this, arg| this.ty(arg));
                Doc::concat([text, self.commas("<", lines, ">", false)])
            }
        }
    }

    fn type_literal(&self, literal: &Literal, span: Span) -> Doc {
        let source = self.slice(span);
        match literal {
            Literal::String(_) if source.starts_with(['"', '\'']) && !source.contains('\n') => Doc::text(source),
            Literal::String(text) => Doc::text(format!("\"{}\"", escape(text, false))),
            Literal::Int(value) if source.is_empty() => Doc::text(value.to_string()),
            Literal::Int(_) => Doc::text(source.split_whitespace().collect::<String>()),
            Literal::Bool(value) => Doc::text(value.to_string()),
        }
    }

    fn record_type(&mut self, fields: &'a [TypeField], span: Span) -> Doc {
        let inside = (span.start + 1, span.end);
        let lines = self.lines(fields, inside, |field| field.span, |this, field| this.type_field(field));
        self.commas("{", lines, "}", true)
    }

    fn type_field(&mut self, field: &'a TypeField) -> Doc {
        let doc = Self::doc_comment(field.doc.as_deref());
        let mark = if field.optional { "?: " } else { ": " };
        Doc::concat([doc, self.field_name(&field.name), Doc::text(mark), self.ty(&field.ty)])
    }

    /// A field's name, quoted where it is no word.
    pub(super) fn field_name(&self, name: &Name) -> Doc {
        let is_word = name.text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if is_word { Doc::text(name.text.as_str()) } else { Doc::text(format!("\"{}\"", escape(&name.text, false))) }
    }
}
