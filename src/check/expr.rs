//! Expressions: one function that infers, one that expects, and the way to each construct.

use std::fmt::Display;

use crate::check::context::Checker;
use crate::diagnostic::{Code, Diagnostic};
use crate::syntax::ast::{Expr, ExprKind, ExprMatch, NodeId, TypeExpr};
use crate::types::Type;

/// What is wanted of an expression.
#[derive(Clone, Copy)]
pub(crate) enum Want<'w> {
    /// Its type, with a hint of what would be welcome.
    Infer(Option<&'w Type>),
    /// That it fits a type, which the second wants.
    Expect(&'w Type, &'w dyn Display),
}

impl<'w> Want<'w> {
    /// The type that is wanted or welcome.
    pub(crate) fn hint(self) -> Option<&'w Type> {
        match self {
            Want::Infer(hint) => hint,
            Want::Expect(expected, _) => Some(expected),
        }
    }
}

impl Checker<'_> {
    /// The type of an expression. `hint` is the type that is wanted, where one is: literals, lambdas and records take
    /// their form from it; whether the result fits is for the caller ([`Checker::expect`]) to say.
    pub(crate) fn infer(&mut self, expr: &Expr, hint: Option<&Type>) -> Type {
        self.typed(expr, Want::Infer(hint))
    }

    /// Checks that an expression fits a type: reports where it does not, records the coercion where its form differs.
    /// Gives the expected type, or [`Type::Error`] after a report. `role` is what wants it, for the message: `the
    /// argument `url``, `the value of `return``; pass `format_args!` where a name goes in.
    pub(crate) fn expect(&mut self, expr: &Expr, expected: &Type, role: impl Display) -> Type {
        self.typed(expr, Want::Expect(expected, &role))
    }

    /// Checks an expression as it is wanted.
    pub(crate) fn typed(&mut self, expr: &Expr, want: Want<'_>) -> Type {
        let hint = want.hint();
        let found = match &expr.kind {
            // What is wanted of these is wanted of their parts, so that a mistake is shown where it stands.
            ExprKind::Paren(inner) => {
                let ty = self.typed(inner, want);
                return self.record(expr.id, ty);
            }
            ExprKind::If { branches, otherwise } => {
                let ty = self.conditional(branches, otherwise, want);
                return self.record(expr.id, ty);
            }
            ExprKind::Match(of) => {
                let ty = self.match_expr(expr, of, want);
                return self.record(expr.id, ty);
            }
            ExprKind::Literal(literal) => self.literal(expr, literal, hint),
            ExprKind::Template(parts) => self.template(parts, hint),
            ExprKind::Name(name) => self.name(expr, name),
            ExprKind::List(items) => self.list(expr, items, hint),
            ExprKind::Record(fields) => self.record_literal(expr, fields, hint),
            ExprKind::Lambda(lambda) => self.stray_lambda(expr, lambda),
            ExprKind::Prefix(operators, operand) => self.prefix(operators, operand, hint),
            ExprKind::Binary(first, rest) => self.binary(expr, first, rest, hint),
            ExprKind::Is(..) => {
                self.comparison(expr);
                Type::Bool
            }
            ExprKind::As(inner, casts) => self.casts(inner, casts),
            ExprKind::Postfix(base, chain) => self.postfix(expr, base, chain, hint),
            ExprKind::Call(call) => self.call(expr, call),
            ExprKind::Type(ty) => self.type_as_value(expr, ty),
            ExprKind::Error => Type::Error,
        };
        let found = match (&found, hint) {
            (Type::Secret, hint) if !hint.is_some_and(|ty| Type::Secret.fits(ty)) => {
                self.report_secret(expr.span);
                Type::Error
            }
            _ => found,
        };
        let found = self.record(expr.id, found);
        match want {
            Want::Infer(_) => found,
            Want::Expect(expected, role) => self.fit(expr, &found, expected, role),
        }
    }

    /// `if c then a else b`
    fn conditional(&mut self, branches: &[(Expr, Expr)], otherwise: &Expr, want: Want<'_>) -> Type {
        let start = self.mark();
        let mut parts = Vec::with_capacity(branches.len() + 1);
        for (condition, value) in branches {
            let facts = self.condition(condition);
            let before = self.mark();
            self.assume(&facts.when_true);
            parts.push((value.id, self.typed(value, want)));
            self.forget_facts(before);
            self.assume(&facts.when_false);
        }
        parts.push((otherwise.id, self.typed(otherwise, want)));
        self.forget_facts(start);
        self.join_of(parts, want)
    }

    /// `match v { … }`
    fn match_expr(&mut self, expr: &Expr, of: &ExprMatch, want: Want<'_>) -> Type {
        let mut matching = self.matching(&of.value);
        let mut parts = Vec::with_capacity(of.arms.len());
        for arm in &of.arms {
            let before = self.mark();
            self.patterns(&mut matching, &arm.patterns, arm.guard.as_ref());
            parts.push((arm.body.id, self.typed(&arm.body, want)));
            self.leave(before);
        }
        self.exhaustive(&matching, &of.value, expr.span);
        self.join_of(parts, want)
    }

    /// The type of a value that is one of several; those of another form are converted to it.
    fn join_of(&mut self, parts: Vec<(NodeId, Type)>, want: Want<'_>) -> Type {
        if let Want::Expect(expected, _) = want {
            return expected.clone();
        }
        let joined = Type::join_all(parts.iter().map(|(_, ty)| ty.clone()));
        for (id, ty) in parts {
            self.convert(id, &ty, &joined);
        }
        joined
    }

    /// Records that a value which fits a type must be given its form.
    pub(crate) fn convert(&mut self, id: NodeId, found: &Type, wanted: &Type) {
        if !found.same_shape(wanted) {
            self.out.coercions.insert(id, wanted.clone());
        }
    }

    /// `x as T as U`
    fn casts(&mut self, inner: &Expr, casts: &[(NodeId, TypeExpr)]) -> Type {
        let mut found = self.infer(inner, None);
        for (id, ty) in casts {
            let wanted = self.resolve_type(ty);
            if !castable(&found, &wanted) {
                let message = format!("`{}` can never be `{}`", Brief(&found), Brief(&wanted));
                let mut wrong = Diagnostic::new(Code::MISMATCH, inner.span.to(ty.span), message);
                if let Some(method) = conversion(&found, &wanted) {
                    wrong = wrong.help(format!("convert it: `.{method}`"));
                }
                self.report(wrong);
                self.record(*id, Type::Error);
                found = Type::Error;
                continue;
            }
            if found == wanted && found != Type::Error {
                self.report(
                    Diagnostic::new(Code::REDUNDANT, ty.span, format!("it is a `{}` already", Brief(&found)))
                        .help("leave out the `as`"),
                );
            }
            found = self.record(*id, wanted);
        }
        found
    }

    /// A type as a value: its JSON Schema.
    fn type_as_value(&mut self, expr: &Expr, ty: &TypeExpr) -> Type {
        let of = self.resolve_type(ty);
        if of == Type::Error {
            return Type::Error;
        }
        self.resolve(expr.id, crate::check::Resolution::Schema(of.clone()));
        Type::schema(of)
    }
}

/// Whether a value of one type may turn out to be of another, as it is or from its text.
fn castable(found: &Type, wanted: &Type) -> bool {
    let from_text = |found: &Type| {
        matches!(found.widen(), Type::String)
            && wanted.members().iter().any(|member| matches!(member, Type::Url | Type::Datetime | Type::Duration))
    };
    found.overlaps(wanted) || found.members().iter().any(from_text)
}

/// The method that makes one type of another.
pub(crate) fn conversion(found: &Type, wanted: &Type) -> Option<&'static str> {
    Some(match (found.widen(), wanted) {
        (Type::String, Type::Int) => "to_int()",
        (Type::String, Type::Float) => "to_float()",
        (Type::String, Type::Url) => "to_url()",
        (Type::String, Type::Datetime) => "to_datetime()",
        (Type::Int | Type::Float | Type::Bool | Type::Datetime | Type::Duration, Type::String) => "to_string()",
        (Type::Float, Type::Int) => "round()",
        (Type::Duration, Type::Int | Type::Float) => "seconds",
        (Type::Record(_) | Type::Map(_) | Type::List(_), Type::String) => "json()",
        _ => return None,
    })
}

/// A type in a message: as it is written, cut short where it is long.
pub(crate) struct Brief<'t>(pub(crate) &'t Type);

/// How many characters of a type a message shows.
const BRIEF: usize = 72;

impl Display for Brief<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = Cut { text: String::new(), full: false };
        // Writing stops where the cut is full, however large the type.
        _ = std::fmt::Write::write_fmt(&mut text, format_args!("{}", self.0));
        f.write_str(&text.text)?;
        if text.full { f.write_str("…") } else { Ok(()) }
    }
}

struct Cut {
    text: String,
    full: bool,
}

impl std::fmt::Write for Cut {
    fn write_str(&mut self, more: &str) -> std::fmt::Result {
        for c in more.chars() {
            if self.text.chars().count() >= BRIEF {
                self.full = true;
                return Err(std::fmt::Error);
            }
            self.text.push(c);
        }
        Ok(())
    }
}
