//! What follows an expression: fields, indices, methods, and the chain they make.

use crate::builtins::{self, MethodRef};
use crate::check::Resolution;
use crate::check::context::{Checker, LocalKind, Prev, sharper};
use crate::check::expr::Brief;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::source::Span;
use crate::syntax::ast::{Arg, Expr, ExprKind, Name, NodeId, Postfix, PostfixKind};
use crate::types::{Text, Type};

/// A chain under way: `a.b?.c`.
struct Chain<'e> {
    /// The whole expression, for fixes around it.
    whole: &'e Expr,
    /// From the first character to the end of what has been checked.
    span: Span,
    /// The type so far, without the null of the `?.` before.
    ty: Type,
    /// Whether a `?.` before may have ended it with null.
    skips: bool,
    /// The place it reads, as long as it reads fields of an immutable local of which something is known.
    place: Option<(NodeId, Vec<Text>)>,
}

impl Checker<'_> {
    /// `base.f?.g[i].m(args)`
    pub(crate) fn postfix(&mut self, expr: &Expr, base: &Expr, chain: &[Postfix], hint: Option<&Type>) -> Type {
        if let Some(ty) = self.special_base(expr, base, chain) {
            return ty;
        }
        let ty = self.infer(base, None);
        let place = self.known_place(base);
        let mut at = Chain { whole: expr, span: base.span, ty, skips: false, place };
        let mut rest = chain;
        // `prev.result` is the place of the step's value.
        if let (Prev::Success(step), Some((first, after))) = (self.prev, chain.split_first())
            && matches!(self.out.resolutions.get(base.id), Some(Resolution::PrevSuccess(_)))
            && matches!(&first.kind, PostfixKind::Field(name) if name.text == "result")
        {
            self.link(&mut at, first, None);
            at.place = self.has_facts(step).then(|| (step, Vec::new()));
            rest = after;
        }
        for (n, part) in rest.iter().enumerate() {
            let wanted = hint.filter(|_| n + 1 == rest.len());
            self.link(&mut at, part, wanted);
        }
        if at.skips { at.ty.or_null() } else { at.ty }
    }

    /// Bases that are no values: `secrets.NAME`, and `namespace.tool(…)` by mistake.
    fn special_base(&mut self, expr: &Expr, base: &Expr, chain: &[Postfix]) -> Option<Type> {
        let ExprKind::Name(name) = &base.kind else { return None };
        if self.local(name).is_some() {
            return None;
        }
        let (first, rest) = chain.split_first()?;
        if name == "secrets" {
            if let (PostfixKind::Field(secret), true) = (&first.kind, rest.is_empty()) {
                self.resolve(first.id, Resolution::Secret(secret.text.clone()));
                return Some(self.record(first.id, Type::Secret));
            }
            self.report_secret(expr.span);
            self.stray_chain(chain);
            return Some(Type::Error);
        }
        if self.items.get(&self.file).is_some_and(|items| items.contains_key(name)) || !self.has_namespace(name) {
            return None;
        }
        let (PostfixKind::Method(tool, _) | PostfixKind::Field(tool)) = &first.kind else { return None };
        let called = Name { text: format!("{name}.{}", tool.text).into(), span: base.span.to(tool.span) };
        if self.tool(&called).is_some() {
            let whole = rest.is_empty() && matches!(first.kind, PostfixKind::Method(..));
            self.report_effect(whole.then_some(expr), &called, "tool");
        }
        self.stray_chain(chain);
        Some(Type::Error)
    }

    /// Checks what stands inside a chain that means nothing.
    fn stray_chain(&mut self, chain: &[Postfix]) {
        for part in chain {
            match &part.kind {
                PostfixKind::Method(_, args) => self.stray_arguments(args),
                PostfixKind::Index(index) => _ = self.infer(index, None),
                PostfixKind::Field(_) => {}
            }
        }
    }

    /// The place of a base, where something is known of it.
    fn known_place(&self, base: &Expr) -> Option<(NodeId, Vec<Text>)> {
        let local = match &base.kind {
            ExprKind::Name(name) => match self.local(name) {
                Some(local) if !matches!(local.kind, LocalKind::Var | LocalKind::Sibling) => local.id,
                Some(_) => return None,
                None => match self.out.resolutions.get(base.id) {
                    Some(Resolution::PrevValue(step)) => *step,
                    _ => return None,
                },
            },
            ExprKind::Paren(inner) => return self.known_place(inner),
            _ => return None,
        };
        self.has_facts(local).then(|| (local, Vec::new()))
    }

    /// One part of a chain.
    fn link(&mut self, at: &mut Chain<'_>, part: &Postfix, wanted: Option<&Type>) {
        let found = self.receiver(at, part);
        let ty = match &part.kind {
            PostfixKind::Field(name) => self.field(at, part, name, &found),
            PostfixKind::Method(name, args) => {
                at.place = None;
                self.method(at, part, name, args, &found, wanted)
            }
            PostfixKind::Index(index) => {
                at.place = None;
                self.index(at, index, &found)
            }
        };
        at.ty = self.record(part.id, ty);
        at.span = at.span.to(part.span);
    }

    /// What stands before a part of a chain, with the null that `?.` takes away.
    fn receiver(&mut self, at: &mut Chain<'_>, part: &Postfix) -> Type {
        let found = at.ty.clone();
        if part.optional {
            if found.allows_null() || found == Type::Json {
                at.skips = true;
            } else if !matches!(found, Type::Error | Type::Never) && !self.is_narrowed(at) {
                let dot = Span { end: part.span.start + 2, ..part.span };
                self.report(Diagnostic::new(Code::REDUNDANT, dot, "what stands before `?.` is never null").fix(
                    "replace `?.` with `.`",
                    dot,
                    ".",
                ));
            }
            return found.without_null();
        }
        if !found.allows_null() {
            return found;
        }
        // Every value has its JSON text and can be checked, null too.
        if let PostfixKind::Method(name, _) = &part.kind
            && matches!(name.text.as_str(), "json" | "check")
        {
            return found;
        }
        let what = match &part.kind {
            PostfixKind::Field(name) | PostfixKind::Method(name, _) => format!("`.{}`", name.text),
            PostfixKind::Index(_) => "`[…]`".to_owned(),
        };
        let message = if found == Type::Null {
            format!("the value is null, and null has no {what}")
        } else {
            format!("the value may be null: {what} needs `{}`, found `{}`", Brief(&found.without_null()), Brief(&found))
        };
        let mut wrong = Diagnostic::new(Code::NULLABLE, at.span, message).here("this may be null");
        if !matches!(part.kind, PostfixKind::Index(_)) && found != Type::Null {
            wrong = wrong.suggest("read it only where it is there", part.span.before(), "?");
            wrong = wrong.help("`?.` gives null where it is null; or test it first: `if x != null { … }`");
        }
        if let ExprKind::Postfix(base, _) = &at.whole.kind
            && at.span == base.span
        {
            wrong = self.let_it_first(wrong, base);
        }
        self.report(wrong);
        Type::Error
    }

    /// Whether it is known only here that what the chain reads is not null: then `?.` is no mistake.
    fn is_narrowed(&self, at: &Chain<'_>) -> bool {
        at.place.is_some()
    }

    fn field(&mut self, at: &mut Chain<'_>, part: &Postfix, name: &Name, found: &Type) -> Type {
        if *found == Type::Error {
            at.place = None;
            return Type::Error;
        }
        if let Some(ty) = found.field(&name.text) {
            let hint = match found {
                Type::Record(record) => record.fields.get_index_of(&name.text).unwrap_or(0),
                _ => 0,
            };
            self.resolve(part.id, Resolution::Field(hint as u32));
            let Some((local, mut path)) = at.place.take() else { return ty };
            path.push(name.text.clone());
            let ty = match self.fact(local, &path) {
                Some(fact) => sharper(fact, ty),
                None => ty,
            };
            at.place = Some((local, path));
            return ty;
        }
        at.place = None;
        match builtins::find(found, &name.text) {
            Some(method) if method.bare => self.bare_method(part.id, method, found),
            Some(_) => {
                let message = format!("`{}` is a method: it takes parentheses", name.text);
                let wrong = Diagnostic::new(Code::UNKNOWN_FIELD, name.span, message);
                self.report(wrong.fix("call it", name.span.after(), "()"));
                Type::Error
            }
            None => {
                self.report_unknown_field(name, found);
                Type::Error
            }
        }
    }

    pub(crate) fn report_unknown_field(&mut self, name: &Name, found: &Type) {
        let text = &name.text;
        // A union of which some members have it.
        let with: Vec<&Type> = found.members().iter().filter(|member| member.field(text).is_some()).collect();
        if !with.is_empty() {
            let message = format!("not every member of `{}` has the field `{text}`", Brief(found));
            let without = found.members().iter().find(|member| member.field(text).is_none());
            let mut wrong = Diagnostic::new(Code::UNKNOWN_FIELD, name.span, message);
            if let Some(without) = without {
                wrong = wrong.here(format!("`{}` has none", Brief(without)));
            }
            self.report(
                wrong.help(
                    "find out first which one it is: with `is`, `match`, or `==` on a field that tells them apart",
                ),
            );
            return;
        }
        let message = format!("`{}` has no field `{text}`", Brief(found));
        let mut wrong = Diagnostic::new(Code::UNKNOWN_FIELD, name.span, message);
        let fields = fields_of(found);
        let methods = builtins::names(found);
        let near = nearest(text, fields.iter().map(Text::as_str)).map(str::to_owned);
        if let Some(near) = near {
            wrong = wrong.fix(format!("read `{near}`"), name.span, near);
        } else if let Some(own) = foreign_method(text).filter(|own| methods.contains(own)) {
            wrong = wrong.fix(format!("use `{own}`"), name.span, written(own, found));
        } else if let Some(near) = nearest(text, methods.iter().copied()) {
            wrong = wrong.fix(format!("use `{near}`"), name.span, written(near, found));
        } else if !fields.is_empty() {
            let names: Vec<String> = fields.iter().take(12).map(|field| format!("`{field}`")).collect();
            let more = if fields.len() > 12 { ", …" } else { "" };
            wrong = wrong.help(format!("it has {}{more}", names.join(", ")));
        } else if let Type::List(of) = found
            && of.field(text).is_some()
        {
            wrong = wrong.help(format!("its items have it: `.map(x => x.{text})`"));
        } else if let Type::Map(_) = found {
            wrong = wrong.help(format!("an entry of a map is `[\"{text}\"]`, which is null where there is none"));
        }
        self.report(wrong);
    }

    /// `base[index]`
    fn index(&mut self, at: &Chain<'_>, index: &Expr, found: &Type) -> Type {
        match found {
            Type::Error => {
                self.infer(index, None);
                Type::Error
            }
            Type::List(of) => {
                self.expect(index, &Type::Int, "an index");
                Type::clone(of)
            }
            Type::Map(of) => {
                self.expect(index, &Type::String, "a key");
                Type::clone(of).or_null()
            }
            Type::Json => {
                let ty = self.infer(index, None);
                if ty != Type::Json && !ty.fits(&Type::union([Type::Int, Type::String])) {
                    self.expect_index_of_json(index, &ty);
                }
                Type::Json
            }
            Type::Union(union) if union.members.iter().all(|member| matches!(member, Type::List(_))) => {
                self.expect(index, &Type::Int, "an index");
                let items = union.members.iter().filter_map(|member| match member {
                    Type::List(of) => Some(Type::clone(of)),
                    _ => None,
                });
                items.fold(Type::Never, Type::join)
            }
            other => {
                let ty = self.infer(index, None);
                let message = format!("`{}` cannot be indexed", Brief(other));
                let wrong = Diagnostic::new(Code::INDEX, at.span, message);
                let wrong = match (other.widen(), &index.kind) {
                    (Type::String | Type::Url, _) => wrong.help("a part of a text is `.slice(start, end)`"),
                    (Type::Record(_) | Type::Union(_) | Type::Image | Type::File, ExprKind::Literal(_)) => match &ty {
                        Type::Literal(crate::types::Literal::String(name)) => {
                            wrong.help(format!("read the field: `.{name}`"))
                        }
                        _ => wrong.help("only lists, maps and json are indexed"),
                    },
                    _ => wrong.help("only lists, maps and json are indexed"),
                };
                self.report(wrong);
                Type::Error
            }
        }
    }

    fn expect_index_of_json(&mut self, index: &Expr, found: &Type) {
        if *found != Type::Error {
            let message = format!("expected `int` or `string` for an index of json, found `{}`", Brief(found));
            self.report(Diagnostic::new(Code::MISMATCH, index.span, message));
        }
    }

    fn method(
        &mut self,
        at: &Chain<'_>,
        part: &Postfix,
        name: &Name,
        args: &[Arg],
        found: &Type,
        wanted: Option<&Type>,
    ) -> Type {
        if *found == Type::Error {
            self.stray_arguments(args);
            return Type::Error;
        }
        if name.text == "check" {
            return self.check_method(part, name, args);
        }
        if let Some(method) = builtins::find(found, &name.text) {
            if method.bare {
                let parentheses = Span { start: name.span.end, ..part.span };
                let message = format!("`{}` takes no parentheses", name.text);
                let wrong = Diagnostic::new(Code::NOT_CALLABLE, parentheses, message);
                self.report(wrong.fix("leave them out", parentheses, ""));
                self.stray_arguments(args);
                return self.bare_method(part.id, method, found);
            }
            return self.call_method(part, name, method, args, found, wanted);
        }
        self.report_unknown_method(at, name, found);
        self.stray_arguments(args);
        Type::Error
    }

    fn report_unknown_method(&mut self, at: &Chain<'_>, name: &Name, found: &Type) {
        let text = name.text.as_str();
        if found.field(text).is_some() && *found != Type::Json {
            let message = format!("`{text}` is a field, not a method");
            self.report(Diagnostic::new(Code::NOT_CALLABLE, name.span, message));
            return;
        }
        if *found == Type::Json {
            let base = Expr { id: at.whole.id, span: at.span, kind: ExprKind::Error };
            let wanted = like_method(text);
            self.report_json(&base, wanted.as_ref(), format_args!("`.{text}()` needs to know what it is"));
            return;
        }
        let message = format!("`{}` has no method `{text}`", Brief(found));
        let mut wrong = Diagnostic::new(Code::UNKNOWN_METHOD, name.span, message);
        let methods = builtins::names(found);
        if let Some(own) = foreign_method(text).filter(|own| methods.contains(own)) {
            wrong = wrong.suggest(format!("use `{own}`"), name.span, own);
        } else if let Some(near) = nearest(text, methods.iter().copied()) {
            wrong = wrong.fix(format!("call `{near}`"), name.span, near);
        } else if let Some(method) = builtins::all().find(|method| MethodRef(method).name() == text) {
            let receiver = &MethodRef(method).types().receiver;
            wrong = wrong.help(format!("`{text}` is a method of `{}`", Brief(receiver)));
        } else if matches!(text, "push" | "append" | "concat") && matches!(found, Type::List(_)) {
            wrong = wrong.help("a list never changes: make a longer one with `[...list, item]` or `a + b`");
        }
        self.report(wrong);
    }
}

/// The fields that a value of a type has, in order.
fn fields_of(ty: &Type) -> Vec<Text> {
    match ty {
        Type::Record(record) => record.fields.keys().cloned().collect(),
        Type::Image | Type::File => ty.handle_record().as_ref().map(fields_of).unwrap_or_default(),
        Type::Union(union) => {
            let mut names = union.members.first().map(fields_of).unwrap_or_default();
            names.retain(|name| ty.field(name).is_some());
            names
        }
        _ => Vec::new(),
    }
}

/// A method as it is written after the dot.
fn written(name: &str, of: &Type) -> String {
    let bare = builtins::find(of, name).is_some_and(|method| method.bare);
    if bare { name.to_owned() } else { format!("{name}()") }
}

/// What other languages call the methods of this one.
fn foreign_method(name: &str) -> Option<&'static str> {
    Some(match name {
        "len" | "size" | "count" => "length",
        "toLowerCase" | "to_lower" | "lowercase" | "downcase" => "lower",
        "toUpperCase" | "to_upper" | "uppercase" | "upcase" => "upper",
        "strip" => "trim",
        "includes" | "has" | "include" => "contains",
        "indexOf" => "index_of",
        "startsWith" | "startswith" => "starts_with",
        "endsWith" | "endswith" => "ends_with",
        "flatMap" => "flat_map",
        "some" => "any",
        "every" => "all",
        "select" | "where" => "filter",
        "fold" => "reduce",
        "substring" | "substr" => "slice",
        "parseInt" | "int" => "to_int",
        "toString" | "str" => "to_string",
        "sorted" => "sort",
        "head" => "first",
        "distinct" | "uniq" => "unique",
        "stringify" | "to_json" | "toJSON" => "json",
        "items" => "entries",
        "limit" => "take",
        "skip" => "drop",
        _ => return None,
    })
}

/// A type whose values have a method, to suggest as what json may be.
fn like_method(name: &str) -> Option<Type> {
    let method = builtins::all().find(|method| MethodRef(method).name() == name)?;
    match &MethodRef(method).types().receiver {
        Type::String => Some(Type::String),
        Type::List(_) => Some(Type::list(Type::Json)),
        Type::Map(_) => Some(Type::map(Type::Json)),
        Type::Int | Type::Float => Some(Type::Float),
        Type::Url => Some(Type::Url),
        _ => None,
    }
}
