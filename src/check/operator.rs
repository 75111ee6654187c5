//! Operators on values. What conditions tell is in [`crate::check::narrow`].

use crate::builtins;
use crate::check::context::Checker;
use crate::check::expr::{Brief, Want};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, PrefixOp};
use crate::types::{BinaryOp, Literal, Type};

impl Checker<'_> {
    /// Operators of one level, left to right.
    pub(crate) fn binary(
        &mut self,
        expr: &Expr,
        first: &Expr,
        rest: &[(BinaryOp, Span, Expr)],
        hint: Option<&Type>,
    ) -> Type {
        match rest.first().map(|(op, ..)| *op) {
            Some(BinaryOp::Coalesce) => self.coalesce(first, rest, hint),
            Some(BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem) => {
                self.arithmetic(expr, first, rest, hint)
            }
            _ => {
                self.comparison(expr);
                Type::Bool
            }
        }
    }

    /// `not x`, `-x`
    pub(crate) fn prefix(&mut self, operators: &[(PrefixOp, Span)], operand: &Expr, hint: Option<&Type>) -> Type {
        if operators.iter().any(|(op, _)| *op == PrefixOp::Not) {
            self.truth(operand, Code::OPERATOR, "`not`");
            return Type::Bool;
        }
        let found = self.infer(operand, hint);
        let negative = operators.len() % 2 == 1;
        match base(&found) {
            Type::Int => match found {
                Type::Literal(Literal::Int(int)) if negative => {
                    int.checked_neg().map_or(Type::Int, |int| Type::Literal(Literal::Int(int)))
                }
                found => found,
            },
            plain @ (Type::Float | Type::Duration | Type::Error) => plain,
            _ => {
                let span = operators.first().map_or(operand.span, |(_, span)| *span);
                self.bad_operand(operand, &found, "`-`", span, &Type::Int);
                Type::Error
            }
        }
    }

    /// `a ?? b ?? c`
    fn coalesce(&mut self, first: &Expr, rest: &[(BinaryOp, Span, Expr)], hint: Option<&Type>) -> Type {
        let wanted = hint.map(|hint| hint.clone().or_null());
        let mut parts = vec![(first, self.infer(first, wanted.as_ref()))];
        for (at, (_, span, next)) in rest.iter().enumerate() {
            if let Some((left, ty)) = parts.last()
                && !ty.allows_null()
                && !matches!(ty, Type::Json | Type::Error | Type::Never)
            {
                let redundant = Diagnostic::new(Code::REDUNDANT, *span, "the value before `??` is never null");
                let redundant = redundant.label(left.span, format!("this is `{}`", Brief(ty)));
                self.report(redundant.help("leave out the `??` and what follows it"));
            }
            let last = at + 1 == rest.len();
            let ty = self.infer(next, if last { hint } else { wanted.as_ref() });
            parts.push((next, ty));
        }
        let count = parts.len();
        let stripped =
            parts.iter().enumerate().map(|(at, (_, ty))| if at + 1 < count { ty.without_null() } else { ty.clone() });
        let joined = stripped.fold(Type::Never, Type::join);
        for (part, ty) in parts {
            self.convert(part.id, &ty, &joined.clone().or_null());
        }
        joined
    }

    /// `+ - * / %`
    fn arithmetic(&mut self, expr: &Expr, first: &Expr, rest: &[(BinaryOp, Span, Expr)], hint: Option<&Type>) -> Type {
        let list_hint = hint.filter(|hint| matches!(hint, Type::List(_)));
        let mut left = self.infer(first, list_hint);
        let mut left_expr = Some(first);
        let mut whole = first.span;
        let mut converted = false;
        for (op, span, right_expr) in rest {
            // Plain items make a list wider; others say what form those they are joined with should have.
            let form = matches!(&left, Type::List(of) if !is_plain(of)).then_some(&left);
            let right = self.infer(right_expr, list_hint.or(form));
            whole = whole.to(right_expr.span);
            let result = match result(*op, &left, &right) {
                Some(result) => result,
                None => self.bad_operands(*op, *span, (left_expr, &left, whole), (right_expr, &right)),
            };
            if let Type::List(_) = result {
                converted |= !left.same_shape(&result) || !right.same_shape(&result);
            }
            left = result;
            left_expr = None;
        }
        if converted {
            self.out.coercions.insert(expr.id, left.clone());
        }
        left
    }

    fn bad_operands(
        &mut self,
        op: BinaryOp,
        span: Span,
        (left_expr, left, whole): (Option<&Expr>, &Type, Span),
        (right_expr, right): (&Expr, &Type),
    ) -> Type {
        let name = format!("`{}`", op.symbol());
        // One operand that may be null or is json is what is wrong, where the other is fine.
        let sides = [(left_expr, left, right), (Some(right_expr), right, left)];
        for (side, found, other) in sides {
            let Some(side) = side else { continue };
            if found.allows_null() || *found == Type::Json {
                self.bad_operand(side, found, &name, span, &base(&other.without_null()));
                return Type::Error;
            }
        }
        let left_span =
            left_expr.map_or(Span { end: right_expr.span.start.min(span.start), ..whole }, |left| left.span);
        let message = format!("{name} does not work on `{}` and `{}`", Brief(&left.widen()), Brief(&right.widen()));
        let wrong = Diagnostic::new(Code::OPERATOR, span, message)
            .label(left_span, format!("this is `{}`", Brief(left)))
            .label(right_expr.span, format!("this is `{}`", Brief(right)));
        let wrong = match (op, base(left), base(right)) {
            (BinaryOp::Add, Type::String | Type::Url, other) | (BinaryOp::Add, other, Type::String | Type::Url)
                if builtins::has_text(&other) =>
            {
                wrong.help("put the value into the string: `\"… {{ value }} …\"`")
            }
            (BinaryOp::Add, Type::List(_), _) => {
                wrong.help("a list takes a list: write `[item]`, or `[...list, item]`")
            }
            (BinaryOp::Add, Type::Record(_), Type::Record(_)) => wrong.help("merge records with `{ ...a, ...b }`"),
            (BinaryOp::Add, Type::Datetime, Type::Duration) => wrong.help("move a datetime with `.add(duration)`"),
            (BinaryOp::Sub, Type::Datetime, Type::Duration) => wrong.help("move a datetime with `.add(-duration)`"),
            (BinaryOp::Sub, Type::Datetime, Type::Datetime) => wrong.help("the time between is `a.since(b)`"),
            (BinaryOp::Rem, ..) => wrong.help("`%` is for ints"),
            (BinaryOp::Mul, Type::String, Type::Int) => wrong.help("repeat a text with `.repeat(n)`"),
            _ => wrong,
        };
        self.report(wrong);
        Type::Error
    }

    /// Reports one operand; `like` is what it should be.
    pub(crate) fn bad_operand(&mut self, operand: &Expr, found: &Type, what: &str, span: Span, like: &Type) {
        let like = if matches!(like, Type::Json | Type::Error | Type::Never | Type::Null) { &Type::Int } else { like };
        if *found == Type::Error {
        } else if *found == Type::Json {
            self.report_json(operand, Some(like), format_args!("{what} needs `{}`", Brief(like)));
        } else if found.allows_null() {
            self.report_nullable(operand, found, what);
        } else {
            let message = format!("{what} does not work on `{}`", Brief(&found.widen()));
            self.report(
                Diagnostic::new(Code::OPERATOR, span, message)
                    .label(operand.span, format!("this is `{}`", Brief(found))),
            );
        }
    }

    /// `== !=`: both sides must have a value in common. Gives their types.
    pub(crate) fn equality(&mut self, op: (BinaryOp, Span), left: &Expr, right: &Expr) -> (Type, Type) {
        // The literal takes its form from the other side.
        let (a, b) = if matches!(left.kind, ExprKind::Literal(_)) {
            let b = self.infer(right, None);
            (self.infer(left, Some(&b)), b)
        } else {
            let a = self.infer(left, None);
            let b = self.typed(right, Want::Infer(Some(&a)));
            (a, b)
        };
        let silent = a == Type::Null || b == Type::Null || a.overlaps(&b) || b.overlaps(&a);
        if silent || both_literals(&a, &b) {
            return (a, b);
        }
        let message = format!("`{}` and `{}` are never equal", Brief(&a), Brief(&b));
        let mut wrong = Diagnostic::new(Code::OPERATOR, op.1, message)
            .label(left.span, format!("this is `{}`", Brief(&a)))
            .label(right.span, format!("this is `{}`", Brief(&b)));
        for (literal, other) in [(right, &a), (left, &b)] {
            if let Some(right) = super::fit::nearest_literal(literal, other) {
                wrong = wrong.fix(format!("compare with `{right}`"), literal.span, format!("{right:?}"));
            }
        }
        self.report(wrong);
        (Type::Error, Type::Error)
    }

    /// `< <= > >=`
    pub(crate) fn ordering(&mut self, op: (BinaryOp, Span), left: &Expr, right: &Expr) {
        let a = self.infer(left, None);
        let b = self.infer(right, Some(&a));
        if a == Type::Error || b == Type::Error || builtins::is_ordered(&Type::union([a.clone(), b.clone()])) {
            return;
        }
        self.bad_operands(op.0, op.1, (Some(left), &a, left.span.to(right.span)), (right, &b));
    }

    /// `x in list`
    pub(crate) fn membership(&mut self, span: Span, left: &Expr, right: &Expr) -> (Type, Type) {
        let item = self.infer(left, None);
        let hint = Type::list(item.clone());
        let hint = matches!(right.kind, ExprKind::List(_)).then_some(&hint).filter(|_| has_literals(&item));
        let whole = self.infer(right, hint);
        let of = match &whole {
            Type::Error => return (item, Type::Error),
            Type::List(of) => Type::clone(of),
            Type::Map(_) => Type::String,
            found if found.allows_null() => {
                self.report_nullable(right, found, "`in`");
                return (item, Type::Error);
            }
            Type::Json => {
                self.report_json(right, Some(&Type::list(item.widen())), "`in` needs a list");
                return (item, Type::Error);
            }
            found => {
                let message = format!("`in` looks into a list or map, not into `{}`", Brief(found));
                let wrong = Diagnostic::new(Code::OPERATOR, span, message).label(right.span, "this is neither");
                let help = match found {
                    Type::String | Type::Literal(_) | Type::Url => {
                        "a text within a text is found with `text.contains(part)`"
                    }
                    _ => "a record's field is tested with `!= null`",
                };
                self.report(wrong.help(help));
                return (item, Type::Error);
            }
        };
        if !item.overlaps(&of) {
            let message = format!("`{}` is never in a list of `{}`", Brief(&item), Brief(&of));
            let mut wrong = Diagnostic::new(Code::OPERATOR, span, message)
                .label(left.span, format!("this is `{}`", Brief(&item)))
                .label(right.span, format!("this is `{}`", Brief(&whole)));
            if let Some(near) = super::fit::nearest_literal(left, &of) {
                wrong = wrong.fix(format!("look for `{near}`"), left.span, format!("{near:?}"));
            }
            self.report(wrong);
        }
        (item, of)
    }
}

/// Whether a type has members that are literals.
fn has_literals(ty: &Type) -> bool {
    ty.members().len() > 1 && ty.members().iter().any(|member| matches!(member, Type::Literal(_)))
}

/// Two different values of one base: comparing them makes sense, and is always the same.
fn both_literals(a: &Type, b: &Type) -> bool {
    matches!((a, b), (Type::Literal(a), Type::Literal(b)) if a.base() == b.base())
}

/// A type with its literals widened: what operators work on.
pub(crate) fn base(ty: &Type) -> Type {
    match ty {
        Type::Union(union) if union.members.iter().any(|member| matches!(member, Type::Literal(_))) => {
            Type::union(union.members.iter().map(Type::widen))
        }
        Type::Literal(literal) => literal.base(),
        other => other.clone(),
    }
}

/// The type of an arithmetic operator's value; none where it does not work.
fn result(op: BinaryOp, left: &Type, right: &Type) -> Option<Type> {
    use Type::{Duration, Error, Float, Int, List, Never, String, Url};
    Some(match (op, base(left), base(right)) {
        (_, Error | Never, _) | (_, _, Error | Never) => Error,
        (BinaryOp::Rem, Int, Int) => Int,
        (BinaryOp::Rem, ..) => return None,
        (BinaryOp::Div, Int | Float, Int | Float) => Float,
        (BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul, Int, Int) => Int,
        (BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul, a, b) if is_number(&a) && is_number(&b) => Float,
        (BinaryOp::Add, String | Url, String | Url) => String,
        (BinaryOp::Add, List(a), List(b)) => Type::list(Type::clone(&a).join(Type::clone(&b))),
        (BinaryOp::Add | BinaryOp::Sub, Duration, Duration) => Duration,
        (BinaryOp::Mul, Duration, number) | (BinaryOp::Mul, number, Duration) if is_number(&number) => Duration,
        _ => return None,
    })
}

/// Whether a type has but one way to be written.
fn is_plain(ty: &Type) -> bool {
    matches!(ty, Type::Int | Type::Float | Type::Bool | Type::String | Type::Never | Type::Null)
}

fn is_number(ty: &Type) -> bool {
    ty.members().iter().all(|member| matches!(member, Type::Int | Type::Float))
}
