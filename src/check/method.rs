//! Calls of built-in methods.

use crate::builtins::{MethodParam, MethodRef, ParamKind};
use crate::check::Resolution;
use crate::check::call::Slot;
use crate::check::context::{Checker, Place};
use crate::check::expr::Brief;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Arg, Expr, ExprKind, ListItem, Literal as Lit, Name, NodeId, Postfix};
use crate::types::{Bindings, Field, Literal, Text, Type};

impl Checker<'_> {
    /// A method that stands without parentheses.
    pub(crate) fn bare_method(&mut self, id: NodeId, method: MethodRef, found: &Type) -> Type {
        self.resolve(id, Resolution::Method(method));
        let types = method.types();
        let mut bound = Bindings::default();
        types.receiver.bind(found, &mut bound);
        types.result.substitute(&bound, &Type::Never)
    }

    /// `.name(args)`
    pub(crate) fn call_method(
        &mut self,
        part: &Postfix,
        name: &Name,
        method: MethodRef,
        args: &[Arg],
        found: &Type,
        wanted: Option<&Type>,
    ) -> Type {
        self.resolve(part.id, Resolution::Method(method));
        let types = method.types();
        let mut bound = Bindings::default();
        types.receiver.bind(found, &mut bound);
        let slots: Vec<Slot<'_>> = types
            .params
            .iter()
            .map(|param| Slot { name: &param.name, required: !param.optional, span: None })
            .collect();
        let parentheses = Span { start: name.span.end, ..part.span };
        let of = format_args!("the method `{}`", method.name());
        let Some(placed) = self.place_arguments(args, parentheses, &slots, &of) else {
            self.stray_arguments(args);
            return Type::Error;
        };
        let mut narrowed = None;
        for (param, arg) in types.params.iter().zip(&placed) {
            let Some(arg) = arg.and_then(|at| args.get(at as usize)) else { continue };
            match &param.kind {
                ParamKind::Value(ty) => self.method_value(param, ty, &arg.value, &mut bound),
                ParamKind::Lambda(takes, gives) => {
                    let facts = self.method_lambda(param, (takes, gives), &arg.value, &mut bound, wanted);
                    narrowed = narrowed.or(facts);
                }
            }
        }
        self.out.arguments.insert(part.id, placed);
        if let Some(ty) = self.special_result(method, found, args) {
            return ty;
        }
        match (method.id, narrowed) {
            ("list.filter", Some((yes, _))) => Type::list(yes),
            ("list.find", Some((yes, _))) => yes.or_null(),
            ("list.partition", Some((yes, no))) => Type::record_of([("yes", Type::list(yes)), ("no", Type::list(no))]),
            _ => types.result.substitute(&bound, &Type::Never),
        }
    }

    fn method_value(&mut self, param: &MethodParam, ty: &Type, arg: &Expr, bound: &mut Bindings) {
        let role = format_args!("the argument `{}`", param.name);
        if !ty.is_generic() {
            let any_record = matches!(ty, Type::Record(record) if record.fields.is_empty());
            if any_record {
                self.any_record(arg);
            } else {
                self.expect(arg, ty, role);
            }
            return;
        }
        let hint = ty.substitute(bound, &Type::Error);
        if is_known(ty, bound) {
            self.expect(arg, &hint, role);
            return;
        }
        let found = self.infer(arg, Some(&hint)).widen();
        ty.bind(&found, bound);
        let wanted = ty.substitute(bound, &Type::Error);
        self.fit(arg, &found, &wanted, &role);
    }

    /// An argument that may be any record: of `merge`.
    fn any_record(&mut self, arg: &Expr) {
        let found = self.infer(arg, None);
        if !matches!(found, Type::Record(_) | Type::Error | Type::Image | Type::File) {
            self.fit(arg, &found, &Type::record([]), &"the argument `other`");
        }
    }

    /// Checks a method's lambda; gives what its condition tells of the item where it holds and where it does not.
    fn method_lambda(
        &mut self,
        param: &MethodParam,
        (takes, gives): (&[Type], &Type),
        arg: &Expr,
        bound: &mut Bindings,
        wanted: Option<&Type>,
    ) -> Option<(Type, Type)> {
        let mut inner = arg;
        while let ExprKind::Paren(within) = &inner.kind {
            inner = within;
        }
        let ExprKind::Lambda(lambda) = &inner.kind else {
            self.report_no_lambda(param, arg, takes.len());
            return None;
        };
        if lambda.params.len() != takes.len() {
            let (has, needs) = (lambda.params.len(), takes.len());
            let message =
                format!("the lambda takes {needs} {}, not {has}", if needs == 1 { "value" } else { "values" });
            self.report(Diagnostic::new(Code::LAMBDA, inner.span, message));
            self.lambda_of_errors(inner, lambda);
            return None;
        }
        let takes_now: Vec<Type> = takes.iter().map(|ty| ty.substitute(bound, &Type::Never)).collect();
        let role = format_args!("the value of the lambda `{}`", param.name);
        if *gives == Type::Bool {
            let facts = self.lambda_condition(inner, lambda, &takes_now);
            let ((id, _), item) = (lambda.params.first()?, takes_now.first()?);
            let root = Place { local: *id, path: Vec::new() };
            let newest = |facts: &[crate::check::context::Fact]| {
                facts.iter().rev().find(|fact| fact.place == root).map_or_else(|| item.clone(), |fact| fact.ty.clone())
            };
            return Some((newest(&facts.when_true), newest(&facts.when_false)));
        }
        if !gives.is_generic() {
            self.lambda_value(inner, lambda, &takes_now, Some((gives, &role)));
            return None;
        }
        if let (Type::Var(name), true) = (gives, is_known(gives, bound)) {
            self.accumulator(inner, lambda, (takes, name), bound);
            return None;
        }
        // What the chain ends in may say what the items should be.
        let hint = match (gives, wanted) {
            (Type::Var(_), Some(Type::List(of))) if takes.len() == 1 && param.name == "f" => Some(Type::clone(of)),
            _ => None,
        };
        let found = self.lambda_infer(inner, lambda, &takes_now, hint.as_ref());
        gives.bind(&found, bound);
        let wanted = gives.substitute(bound, &Type::Error);
        if matches!(gives, Type::Var(name) if name == "O") {
            self.ordered_key(&lambda.body, &found);
        } else {
            self.fit(&lambda.body, &found, &wanted, &role);
        }
        None
    }

    /// `reduce`: the lambda's value is what it takes the next time. Where it is wider than the start, it is checked
    /// again with the wider type.
    fn accumulator(
        &mut self,
        expr: &Expr,
        lambda: &crate::syntax::ast::Lambda,
        (takes, name): (&[Type], &Text),
        bound: &mut Bindings,
    ) {
        let start = bound.get(name).cloned().unwrap_or(Type::Error);
        let types = |bound: &Bindings| takes.iter().map(|ty| ty.substitute(bound, &Type::Never)).collect::<Vec<_>>();
        let reported = self.out.diagnostics.len();
        let found = self.lambda_infer(expr, lambda, &types(bound), Some(&start));
        if found.fits(&start) {
            self.convert(lambda.body.id, &found, &start);
            return;
        }
        let wider = start.clone().join(found.clone()).widen();
        let may_widen = matches!(
            (&start, &wider),
            (Type::List(_), Type::List(_)) | (Type::Map(_), Type::Map(_)) | (Type::Int, Type::Float)
        ) || start == Type::Null
            || start.allows_null();
        if self.out.diagnostics.len() > reported || !may_widen || self.second_tries >= 2 {
            self.fit(&lambda.body, &found, &start, &"the value of the lambda, which begins as the start value");
            return;
        }
        bound.set(name, wider.clone());
        self.second_tries += 1;
        let role = "the value of the lambda, which begins as the start value";
        self.lambda_value(expr, lambda, &types(bound), Some((&wider, &role)));
        self.second_tries -= 1;
    }

    fn report_no_lambda(&mut self, param: &MethodParam, arg: &Expr, takes: usize) {
        let example = if takes == 1 { "x => …" } else { "(a, b) => …" };
        let mut callee = None;
        if let ExprKind::Name(name) = &arg.kind
            && self.local(name).is_none()
            && let Some((_, false)) = self.callable_named(name)
        {
            callee = Some(name.clone());
        }
        let found = if callee.is_some() { Type::Never } else { self.infer(arg, None) };
        if found == Type::Error {
            return;
        }
        let message = format!("the argument `{}` is a lambda: `{example}`", param.name);
        let mut wrong = Diagnostic::new(Code::LAMBDA, arg.span, message);
        if let Some(callee) = callee.filter(|_| takes == 1) {
            wrong = wrong.fix("call it in a lambda", arg.span, format!("x => {callee}(x)"));
        }
        self.report(wrong);
    }

    fn ordered_key(&mut self, body: &Expr, found: &Type) {
        if *found == Type::Error || crate::builtins::is_ordered(found) {
            return;
        }
        if found.allows_null() {
            self.report_nullable(body, found, "a sort key");
        } else if *found == Type::Json {
            self.report_json(body, Some(&Type::Float), "a sort key has an order");
        } else {
            let message = format!("`{}` has no order", Brief(found));
            let wrong = Diagnostic::new(Code::OPERATOR, body.span, message);
            self.report(wrong.help("sort by a number, a text, a datetime or a duration"));
        }
    }

    /// `x.check(T)`
    pub(crate) fn check_method(&mut self, part: &Postfix, name: &Name, args: &[Arg]) -> Type {
        let [arg] = args else {
            let span = Span { start: name.span.end, ..part.span };
            let code = if args.is_empty() { Code::MISSING_ARGUMENT } else { Code::TOO_MANY_ARGUMENTS };
            self.report(Diagnostic::new(code, span, "`check` takes one type: `.check(Page)`"));
            self.stray_arguments(args);
            return Type::Error;
        };
        let found = self.infer(&arg.value, None);
        match self.out.resolutions.get(arg.value.id) {
            Some(Resolution::Schema(of)) => {
                let of = of.clone();
                self.resolve(part.id, Resolution::CheckMethod(of.clone()));
                Type::outcome(of)
            }
            _ if found == Type::Error => Type::Error,
            _ => {
                let message = format!("`check` takes the name of a type, found `{}`", Brief(&found));
                self.report(Diagnostic::new(Code::MISMATCH, arg.value.span, message));
                Type::Error
            }
        }
    }

    /// What methods of records give, which depends on the fields.
    fn special_result(&mut self, method: MethodRef, found: &Type, args: &[Arg]) -> Option<Type> {
        let handle = found.handle_record();
        let Type::Record(record) = handle.as_ref().unwrap_or(found) else { return None };
        let all = || record.fields.values().map(Field::read).fold(Type::Never, Type::join);
        let first = args.first().map(|arg| &arg.value);
        Some(match method.id {
            "record.values" => Type::list(all()),
            "record.entries" => Type::list(Type::record_of([("key", Type::String), ("value", all())])),
            "record.get" => match self.out.ty(first?.id) {
                Type::Literal(Literal::String(name)) => match record.fields.get(name) {
                    Some(field) => field.read().or_null(),
                    None => Type::Null,
                },
                _ => all().or_null(),
            },
            "record.merge" => {
                let Type::Record(other) = self.out.ty(first?.id).clone() else { return Some(Type::Error) };
                let mut fields = record.fields.clone();
                for (name, field) in &other.fields {
                    super::record::overlay(&mut fields, name, field.clone());
                }
                Type::record(fields)
            }
            "record.pick" | "record.omit" => {
                let names = literal_names(first?)?;
                let picks = method.id == "record.pick";
                let kept = record.fields.iter().filter(|(name, _)| names.contains(name) == picks);
                let fields: Vec<(Text, Field)> = kept.map(|(name, field)| (name.clone(), field.clone())).collect();
                Type::record(fields)
            }
            _ => return None,
        })
    }
}

/// The names in a list literal of plain strings.
fn literal_names(list: &Expr) -> Option<Vec<Text>> {
    let ExprKind::List(items) = &list.kind else { return None };
    let names = items.iter().map(|item| match item {
        ListItem::Value(Expr { kind: ExprKind::Literal(Lit::String(name)), .. }) => Some(name.clone()),
        _ => None,
    });
    names.collect()
}

/// Whether all type variables of a type are bound to something that says what it is.
fn is_known(ty: &Type, bound: &Bindings) -> bool {
    let otherwise = Type::Var("?".into());
    let now = ty.substitute(bound, &otherwise);
    !now.is_generic() && !matches!(now, Type::Never)
}
