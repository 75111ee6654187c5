//! Where a value does not fit what is wanted: one message for each way to miss, with the way to mend it.

use std::fmt::Display;

use crate::check::context::{Checker, LocalKind};
use crate::check::expr::{Brief, conversion};
use crate::diagnostic::{Code, Diagnostic, Edit, Fix, nearest};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, Literal as Lit};
use crate::types::{Literal, Mismatch, MismatchKind, Type};
use crate::value::parse_duration;

impl Checker<'_> {
    /// Checks that what was found fits; gives the expected type, or [`Type::Error`] after a report.
    pub(crate) fn fit(&mut self, expr: &Expr, found: &Type, expected: &Type, role: &dyn Display) -> Type {
        if *found == Type::Error {
            return expected.clone();
        }
        if found.fits(expected) {
            self.convert(expr.id, found, expected);
            return expected.clone();
        }
        let wrong = misfit(expr, found, expected, role);
        let wrong = if wrong.code == Code::NULLABLE { self.let_it_first(wrong, expr) } else { wrong };
        self.report(wrong);
        Type::Error
    }

    /// Reports a value that may be null where none may be.
    pub(crate) fn report_nullable(&mut self, expr: &Expr, found: &Type, what: impl Display) {
        let message =
            format!("the value may be null: {what} needs `{}`, found `{}`", without_null(found), Brief(found));
        let wrong = Diagnostic::new(Code::NULLABLE, expr.span, message).here("this may be null");
        let wrong = with_default(wrong, expr, &found.without_null())
            .help("give a value for null with `??`, or test it first: `if x != null { … }`");
        let wrong = self.let_it_first(wrong, expr);
        self.report(wrong);
    }

    /// What is said of a `var` that may be null: a test does not narrow it. Where it was tested all the same, offers to
    /// test a `let` in its place.
    pub(crate) fn let_it_first(&self, wrong: Diagnostic, expr: &Expr) -> Diagnostic {
        let (ExprKind::Name(name), Some(place)) = (&expr.kind, self.place_of(expr)) else { return wrong };
        if !self.local(name).is_some_and(|local| local.kind == LocalKind::Var) {
            return wrong;
        }
        let mut wrong = wrong.help(format!(
            "`{name}` is a `var`, which may change after a test: `let` it first and test that, or give a value for null with `??`"
        ));
        let now = format!("{name}_now");
        let holds = self.fact(place.local, &[]).is_some_and(|known| !known.allows_null());
        if let Some(tested) = self.tested.get(&place.local)
            && holds
            && tested.block.range().contains(&expr.span.range().start)
            && self.local(&now).is_none()
        {
            let title = format!("test and read `let {now} = {name}`");
            let edits = vec![
                Edit { span: tested.before, text: format!("let {now} = {name}\n") },
                Edit { span: tested.name, text: now.clone() },
                Edit { span: expr.span, text: now },
            ];
            wrong.fixes.insert(0, Fix { title, edits, safe: false });
        }
        wrong
    }

    /// Reports `json` where a type is needed; `wanted` is the type to check it against, where there is one.
    pub(crate) fn report_json(&mut self, expr: &Expr, wanted: Option<&Type>, what: impl Display) {
        self.report(json_unchecked(expr, wanted, &what));
    }

    /// Reports a secret in a place that would show it.
    pub(crate) fn report_secret(&mut self, span: Span) {
        self.report(
            Diagnostic::new(Code::SECRET, span, "a secret may stand only as a tool's argument of type `secret`")
                .help("pass `secrets.NAME` itself to the tool: it is never part of a string, a record or a name"),
        );
    }
}

fn without_null(ty: &Type) -> String {
    Brief(&ty.without_null()).to_string()
}

fn misfit(expr: &Expr, found: &Type, expected: &Type, role: &dyn Display) -> Diagnostic {
    if *found == Type::Secret {
        return Diagnostic::new(Code::SECRET, expr.span, format!("a secret would leak into {role}"))
            .help("a secret may stand only as a tool's argument of type `secret`");
    }
    if *found == Type::Null {
        let message = format!("expected `{}` for {role}, found `null`", Brief(expected));
        return Diagnostic::new(Code::NULLABLE, expr.span, message);
    }
    if found.allows_null() && found.without_null().fits(expected) {
        let message =
            format!("the value may be null: expected `{}` for {role}, found `{}`", Brief(expected), Brief(found));
        let wrong = Diagnostic::new(Code::NULLABLE, expr.span, message).here("this may be null");
        return with_default(wrong, expr, expected)
            .help("give a value for null with `??`, or test it first: `if x != null { … }`");
    }
    if *found == Type::Json {
        return json_unchecked(expr, Some(expected), &format_args!("{role} needs `{}`", Brief(expected)));
    }
    let Some(mismatch) = found.misfit(expected) else {
        return Diagnostic::new(Code::MISMATCH, expr.span, format!("expected `{}` for {role}", Brief(expected)));
    };
    match &mismatch.kind {
        MismatchKind::MissingField(name) => {
            let message = format!("the field `{name}` is missing{} in {role}", place(&mismatch));
            Diagnostic::new(Code::MISSING_FIELD, expr.span, message).here(format!("this is `{}`", Brief(found)))
        }
        MismatchKind::MayBeAbsent(name) => {
            let message = format!("the field `{name}`{} may be absent, and {role} needs it", place(&mismatch));
            Diagnostic::new(Code::NULLABLE, expr.span, message).help("give it a value with `??`")
        }
        MismatchKind::Type { expected: inner, found: strange } => {
            let message = if mismatch.path.is_empty() {
                format!("expected `{}` for {role}, found `{}`", Brief(inner), Brief(strange))
            } else {
                let (inner, strange) = (Brief(inner), Brief(strange));
                format!(
                    "expected `{inner}` at `{}` of {role}, found `{strange}`",
                    mismatch.path.trim_start_matches('.')
                )
            };
            let wrong = Diagnostic::new(Code::MISMATCH, expr.span, message);
            if mismatch.path.is_empty() { advise(wrong, expr, found, expected) } else { wrong }
        }
    }
}

fn place(of: &Mismatch) -> String {
    if of.path.is_empty() { String::new() } else { format!(" at `{}`", of.path.trim_start_matches('.')) }
}

/// Says how one type becomes the other, where there is a way.
fn advise(wrong: Diagnostic, expr: &Expr, found: &Type, expected: &Type) -> Diagnostic {
    let wanted = expected.without_null();
    if let (ExprKind::Literal(Lit::String(text)), Some(right)) = (&expr.kind, nearest_literal(expr, &wanted)) {
        return wrong.fix(format!("replace `{text}` with `{right}`"), expr.span, format!("{right:?}"));
    }
    match (found.widen(), &wanted) {
        (Type::Union(_), _) if found.field("success").is_some() && found.field("result").is_some() => {
            wrong.help("this is the outcome of a `try`: test `.success`, then take its `.result`")
        }
        (single, Type::List(of)) if single.fits(of) => around(wrong, expr.span, "put it in a list", "[", "]"),
        (Type::List(of), single) if of.fits(single) => {
            wrong.help("this is a list: take one of its items, with `.first` or `[0]`")
        }
        (Type::String, Type::Url) => {
            wrong.help("a text becomes an address with `.to_url()`, which is null where it is none")
        }
        (Type::Int, Type::Duration) if matches!(expr.kind, ExprKind::Literal(Lit::Int(_))) => {
            after(wrong, expr, "give it a unit: `s` for seconds", "s")
        }
        (Type::Int | Type::Float, Type::Duration) => after(wrong, expr, "give it a unit with `* 1s`", " * 1s"),
        (Type::String, Type::Duration) => match &expr.kind {
            ExprKind::Literal(Lit::String(text)) if parse_duration(text).is_some() => {
                wrong.fix(format!("write `{text}`, which is no text"), expr.span, text.as_str())
            }
            ExprKind::Literal(_) => wrong.help("write it with a unit: `500ms`, `20s`, `5m`, `24h`, `7d`"),
            _ => after(wrong, expr, "read it with `as duration`", " as duration"),
        },
        (Type::Schema(_), _) => wrong.help("the name of a type stands for its JSON Schema here"),
        (from, to) => match conversion(&from, to) {
            Some(method @ ("to_string()" | "round()" | "json()" | "seconds")) => {
                after(wrong, expr, &format!("convert it with `.{method}`"), &format!(".{method}"))
            }
            Some(method) => wrong.help(format!("convert it: `.{method}`, which is null where it cannot be")),
            None => wrong,
        },
    }
}

/// The literal of a type that a wrong string literal is likely to mean.
pub(crate) fn nearest_literal(expr: &Expr, expected: &Type) -> Option<String> {
    let ExprKind::Literal(Lit::String(text)) = &expr.kind else { return None };
    let texts = expected.members().iter().filter_map(|member| match member {
        Type::Literal(Literal::String(text)) => Some(text.as_str()),
        _ => None,
    });
    nearest(text, texts).map(str::to_owned)
}

fn json_unchecked(expr: &Expr, wanted: Option<&Type>, what: &dyn Display) -> Diagnostic {
    let wrong =
        Diagnostic::new(Code::JSON_UNCHECKED, expr.span, format!("`json` must be checked before it is used: {what}"));
    match wanted.filter(|wanted| is_writable(wanted)) {
        Some(wanted) => {
            let text = wanted.to_string();
            after(wrong, expr, &format!("check it with `as {text}`"), &format!(" as {text}"))
        }
        None => wrong.help("check it first: `x as T`, or `x.check(T)` for an outcome"),
    }
}

/// Whether a type can be written as it is shown, in a reasonable length.
fn is_writable(ty: &Type) -> bool {
    !ty.is_generic() && !matches!(ty, Type::Error | Type::Never) && !Brief(ty).to_string().ends_with('…')
}

/// Suggests `?? default`.
fn with_default(wrong: Diagnostic, expr: &Expr, wanted: &Type) -> Diagnostic {
    let default = match wanted.without_null().widen() {
        Type::String => "\"\"",
        Type::Int => "0",
        Type::Float => "0.0",
        Type::Bool => "false",
        Type::List(_) => "[]",
        _ => return wrong,
    };
    let title = format!("use `{default}` where it is null");
    if is_tight(expr) {
        // `??` binds loosest, so it needs parentheses unless it stands alone.
        around(wrong, expr.span, &title, "(", &format!(" ?? {default})"))
    } else {
        wrong
    }
}

/// Whether something after the expression binds to all of it.
fn is_tight(expr: &Expr) -> bool {
    use ExprKind::{Call, List, Literal, Name, Postfix, Record, Template, Type};
    matches!(expr.kind, Name(_) | Postfix(..) | Call(_) | Literal(_) | Template(_) | List(_) | Record(_) | Type(_))
}

/// Offers to write something after an expression.
fn after(wrong: Diagnostic, expr: &Expr, title: &str, text: &str) -> Diagnostic {
    if is_tight(expr) || (matches!(expr.kind, ExprKind::As(..)) && text.starts_with(" as")) {
        wrong.fix(title, expr.span.after(), text)
    } else {
        around(wrong, expr.span, title, "(", &format!("){text}"))
    }
}

/// Offers to write something around a span.
fn around(wrong: Diagnostic, span: Span, title: &str, open: &str, close: &str) -> Diagnostic {
    let edits =
        vec![Edit { span: span.before(), text: open.to_owned() }, Edit { span: span.after(), text: close.to_owned() }];
    wrong.with_fix(Fix { title: title.to_owned(), edits, safe: false })
}
