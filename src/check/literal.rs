//! Literals, and the addresses among them.

use crate::check::context::Checker;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Expr, Literal as Lit};
use crate::types::{Literal, Type};

impl Checker<'_> {
    /// A literal; a string is a `url` where one is wanted.
    pub(crate) fn literal(&mut self, expr: &Expr, literal: &Lit, hint: Option<&Type>) -> Type {
        match literal {
            Lit::Null => Type::Null,
            Lit::Bool(bool) => Type::Literal(Literal::Bool(*bool)),
            Lit::Int(int) => Type::Literal(Literal::Int(*int)),
            Lit::Float(_) => Type::Float,
            Lit::Duration(_) => Type::Duration,
            Lit::String(text) => {
                let literal = Type::Literal(Literal::String(text.clone()));
                match hint {
                    Some(hint) if wants_url(hint, &literal) => self.url(text, expr.span),
                    _ => literal,
                }
            }
        }
    }

    fn url(&mut self, text: &str, span: Span) -> Type {
        if is_url(text) {
            return Type::Url;
        }
        let mut wrong =
            Diagnostic::new(Code::BAD_URL, span, format!("`{text}` is not an absolute http or https address"));
        let full = format!("https://{}", text.trim_start_matches('/'));
        let looks_like_host =
            text.split('/').next().is_some_and(|host| host.contains('.') && !host.contains([' ', ':']));
        wrong = if looks_like_host && is_url(&full) {
            wrong.fix(format!("write `{full}`"), span, format!("{full:?}"))
        } else {
            wrong.help("an address begins with `https://` or `http://` and has a host")
        };
        self.report(wrong);
        Type::Error
    }
}

/// Whether a string literal should be read as an address: a url is wanted, and the literal fits in no other way.
fn wants_url(hint: &Type, literal: &Type) -> bool {
    hint.members().contains(&Type::Url) && !literal.fits(hint)
}

/// Whether a text is an absolute http(s) address.
pub(crate) fn is_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}
