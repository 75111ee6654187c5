//! Calls: what a name in front of parentheses stands for, and the arguments between them.

use std::fmt::Display;
use std::sync::Arc;

use crate::check::context::{Checker, Stepwise};
use crate::check::expr::Brief;
use crate::check::step::head;
use crate::check::{ItemRef, Resolution};
use crate::diagnostic::{Code, Diagnostic, Edit, Fix, nearest};
use crate::source::Span;
use crate::syntax::ast::{Arg, Call, Expr, ExprKind, Name, NodeId, PostfixKind};
use crate::types::{Bindings, Field, Signature, Text, Type};

/// What a name in front of parentheses stands for.
#[derive(Clone, Debug)]
pub(crate) enum Callee {
    /// A tool of the catalog or a declared one.
    Tool(Arc<Signature>),
    /// A flow.
    Flow(ItemRef),
    /// A pure function.
    Function(ItemRef),
}

/// What a tool, flow or function takes.
#[derive(Debug)]
pub(crate) struct Parameters {
    /// ``the tool `web.scrape` `` and the like, for messages.
    pub(crate) of: String,
    /// In declared order.
    pub(crate) list: Vec<Parameter>,
}

/// A parameter as a caller sees it.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    /// Its name.
    pub(crate) name: Text,
    /// What it takes; where it may be left out without a default, null too.
    pub(crate) ty: Type,
    /// Whether a call must give it.
    pub(crate) required: bool,
    /// Where it is declared; none for tools of the catalog.
    pub(crate) span: Option<Span>,
}

/// A parameter as far as placing arguments goes.
pub(crate) struct Slot<'p> {
    pub(crate) name: &'p Text,
    pub(crate) required: bool,
    pub(crate) span: Option<Span>,
}

impl Checker<'_> {
    /// What a callee's name stands for. An unknown one is reported, with the nearest, and gives none. Whether it may
    /// be called here is for the caller to say.
    pub(crate) fn callee(&mut self, name: &Name) -> Option<Callee> {
        if let Some((item, is_flow)) = self.callable_named(&name.text) {
            return Some(if is_flow { Callee::Flow(item) } else { Callee::Function(item) });
        }
        if name.text.contains('.') {
            return self.tool(name).map(Callee::Tool);
        }
        if !self.is_unknown_import(&name.text) {
            self.report_unknown_function(name);
        }
        None
    }

    /// The parameters of a callee.
    pub(crate) fn parameters(&mut self, of: &Callee) -> Arc<Parameters> {
        match of {
            Callee::Flow(item) | Callee::Function(item) => match self.declared.parameters.get(item) {
                Some(known) => Arc::clone(known),
                None => Arc::new(Parameters { of: String::new(), list: Vec::new() }),
            },
            Callee::Tool(tool) => {
                if let Some(known) = self.declared.tool_parameters.get(&tool.name) {
                    return Arc::clone(known);
                }
                let list = tool.params.iter().map(|param| {
                    // Absent and null are one: null leaves the argument out.
                    let ty = if param.required { param.ty.clone() } else { param.ty.clone().or_null() };
                    Parameter { name: param.name.clone(), ty, required: param.required, span: None }
                });
                let known = Arc::new(Parameters { of: format!("the tool `{}`", tool.name), list: list.collect() });
                self.declared.tool_parameters.insert(tool.name.clone(), Arc::clone(&known));
                known
            }
        }
    }

    /// Checks the arguments of a call (`id`; `span` is its parentheses) against its parameters, first those by place,
    /// then those by name, and records which fills which ([`crate::check::Checked::arguments`]). Gives what its type
    /// parameters are bound to, with which to [`Type::substitute`] its result.
    pub(crate) fn arguments(&mut self, id: NodeId, span: Span, args: &[Arg], to: &Parameters) -> Bindings {
        let slots: Vec<Slot<'_>> = to
            .list
            .iter()
            .map(|param| Slot { name: &param.name, required: param.required, span: param.span })
            .collect();
        let mut bound = Bindings::default();
        let Some(placed) = self.place_arguments(args, span, &slots, &to.of) else {
            self.stray_arguments(args);
            for param in &to.list {
                param.ty.bind(&Type::Error, &mut bound);
            }
            return bound;
        };
        // Schemas first: they say what the type parameters of the others are.
        for schemas in [true, false] {
            for (param, arg) in to.list.iter().zip(&placed) {
                let generic = param.ty.is_generic();
                let Some(arg) = arg.and_then(|at| args.get(at as usize)) else {
                    if generic && param.required {
                        param.ty.bind(&Type::Error, &mut bound);
                    }
                    continue;
                };
                if schemas == (generic && matches!(param.ty.without_null(), Type::Schema(_))) {
                    self.argument(param, generic, &arg.value, &mut bound);
                }
            }
        }
        self.out.arguments.insert(id, placed);
        bound
    }

    fn argument(&mut self, param: &Parameter, generic: bool, value: &Expr, bound: &mut Bindings) {
        let role = format_args!("the argument `{}`", param.name);
        if param.ty.members().contains(&Type::Secret) {
            self.secret_argument(param, value);
            return;
        }
        if !generic {
            self.expect(value, &param.ty, role);
            return;
        }
        let hint = param.ty.substitute(bound, &Type::Error);
        let found = self.infer(value, Some(&hint));
        param.ty.bind(&found, bound);
        let wanted = param.ty.substitute(bound, &Type::Json);
        if self.fit(value, &found, &wanted, &role) == Type::Error {
            // It has been said: what its type parameters stand for is not asked again.
            param.ty.bind(&Type::Error, bound);
        }
    }

    /// An argument whose parameter has type `secret`: only `secrets.NAME` gives one.
    fn secret_argument(&mut self, param: &Parameter, value: &Expr) {
        let found = self.infer(value, Some(&param.ty));
        if found.fits(&param.ty) {
            return;
        }
        let what = match &value.kind {
            ExprKind::Literal(_) | ExprKind::Template(_) => "a text that anyone can read".to_owned(),
            _ => format!("`{}`", Brief(&found)),
        };
        let name = param.name.to_uppercase();
        self.report(
            Diagnostic::new(
                Code::SECRET,
                value.span,
                format!("the argument `{}` is a secret, and takes `secrets.NAME`, not {what}", param.name),
            )
            .help("a secret is kept outside of the program, under a name, so that no text, log or journal holds it")
            .suggest(format!("name it: `secrets.{name}`"), value.span, format!("secrets.{name}")),
        );
    }

    /// Infers arguments that belong to nothing known, so that what stands in them is checked all the same.
    pub(crate) fn stray_arguments(&mut self, args: &[Arg]) {
        for arg in args {
            match &arg.value.kind {
                // They stand as arguments, if of nothing known.
                ExprKind::Lambda(lambda) => self.lambda_of_errors(&arg.value, lambda),
                ExprKind::Postfix(base, _) if matches!(&base.kind, ExprKind::Name(name) if name == "secrets") => {
                    self.infer(&arg.value, Some(&Type::Secret));
                }
                _ => _ = self.infer(&arg.value, None),
            }
        }
    }

    /// Says for each parameter which argument fills it; reports arguments that fill none and parameters that none
    /// fills. None where it is not clear what an argument is for.
    pub(crate) fn place_arguments(
        &mut self,
        args: &[Arg],
        span: Span,
        params: &[Slot<'_>],
        of: &dyn Display,
    ) -> Option<Vec<Option<u32>>> {
        let mut placed: Vec<Option<u32>> = vec![None; params.len()];
        let mut clear = true;
        let mut named = false;
        for (at, arg) in args.iter().enumerate() {
            let slot = match &arg.name {
                Some(name) => {
                    named = true;
                    match params.iter().position(|param| *param.name == name.text) {
                        Some(slot) => slot,
                        None => {
                            self.report_unknown_argument(name, params, &placed, of);
                            clear = false;
                            continue;
                        }
                    }
                }
                None if named => {
                    let message = "arguments by place stand before those by name";
                    self.report(
                        Diagnostic::new(Code::TOO_MANY_ARGUMENTS, arg.span, message)
                            .help("give it its name: `name: value`"),
                    );
                    clear = false;
                    continue;
                }
                None => at,
            };
            match placed.get_mut(slot) {
                Some(free @ None) => *free = Some(at as u32),
                Some(Some(first)) => {
                    let first = args.get(*first as usize).map_or(span, |arg| arg.span);
                    let name = params.get(slot).map_or("", |param| param.name.as_str());
                    let message = format!("the argument `{name}` is given twice");
                    self.report(
                        Diagnostic::new(Code::TOO_MANY_ARGUMENTS, arg.span, message).label(first, "first given here"),
                    );
                    clear = false;
                }
                None => {
                    self.report_too_many(args, at, params, of);
                    clear = false;
                    break;
                }
            }
        }
        if clear {
            clear = self.required_arguments(args, span, params, &placed, of);
        }
        clear.then_some(placed)
    }

    fn required_arguments(
        &mut self,
        args: &[Arg],
        span: Span,
        params: &[Slot<'_>],
        placed: &[Option<u32>],
        of: &dyn Display,
    ) -> bool {
        let missing: Vec<&Slot<'_>> = params
            .iter()
            .zip(placed)
            .filter(|(param, arg)| param.required && arg.is_none())
            .map(|(param, _)| param)
            .collect();
        if missing.is_empty() {
            return true;
        }
        let names: Vec<String> = missing.iter().map(|param| format!("`{}`", param.name)).collect();
        let (arguments, are) = if names.len() == 1 { ("argument", "is") } else { ("arguments", "are") };
        let message = format!("the {arguments} {} of {of} {are} missing", names.join(", "));
        let mut wrong = Diagnostic::new(Code::MISSING_ARGUMENT, span, message);
        // What has the name of the parameter is probably what is meant for it.
        let own: Vec<String> = missing.iter().map(|param| format!("{0}: {0}", param.name)).collect();
        if missing.iter().all(|param| self.local(param.name).is_some()) {
            let (at, text) = match args.last() {
                Some(last) => (last.span.after(), format!(", {}", own.join(", "))),
                None => (head(span, "(").after(), own.join(", ")),
            };
            wrong = wrong.suggest(format!("add `{}`", own.join(", ")), at, text);
        } else {
            let named: Vec<String> = missing.iter().map(|param| format!("`{}: …`", param.name)).collect();
            wrong = wrong.help(format!("add {}", named.join(", ")));
        }
        for param in missing {
            if let Some(declared) = param.span {
                wrong = wrong.label(declared, "declared here");
            }
        }
        self.report(wrong);
        // The others are checked all the same.
        true
    }

    fn report_unknown_argument(&mut self, name: &Name, params: &[Slot<'_>], placed: &[Option<u32>], of: &dyn Display) {
        let message = format!("{of} has no parameter `{}`", name.text);
        let mut wrong = Diagnostic::new(Code::UNKNOWN_ARGUMENT, name.span, message);
        let free: Vec<&str> =
            params.iter().zip(placed).filter(|(_, arg)| arg.is_none()).map(|(param, _)| param.name.as_str()).collect();
        if let Some(near) = nearest(&name.text, free.iter().copied()) {
            wrong = wrong.fix(format!("call it `{near}`"), name.span, near);
        } else if params.is_empty() {
            wrong = wrong.help("it takes no arguments");
        } else {
            let names: Vec<String> = params.iter().map(|param| format!("`{}`", param.name)).collect();
            wrong = wrong.help(format!("it takes {}", names.join(", ")));
        }
        self.report(wrong);
    }

    fn report_too_many(&mut self, args: &[Arg], first: usize, params: &[Slot<'_>], of: &dyn Display) {
        let extra = args.get(first..).unwrap_or_default();
        let (Some(from), Some(to)) = (extra.first(), extra.last()) else { return };
        let takes = match params.len() {
            0 => "no arguments".to_owned(),
            1 => "one argument".to_owned(),
            n => format!("{n} arguments"),
        };
        let message = format!("{of} takes {takes}, found {}", args.len());
        self.report(Diagnostic::new(Code::TOO_MANY_ARGUMENTS, from.span.to(to.span), message));
    }

    /// What a flow or function gives, declared or inferred; [`Type::Error`] where it is not known.
    pub(crate) fn returns(&self, item: ItemRef) -> Type {
        self.out.returns.get(&item).cloned().unwrap_or(Type::Error)
    }

    /// `f(args)` in an expression.
    pub(crate) fn call(&mut self, expr: &Expr, call: &Call) -> Type {
        if call.callee.text == "calls" && self.callable_named("calls").is_none() {
            return self.calls(expr, call);
        }
        let Some(callee) = self.callee(&call.callee) else {
            self.stray_arguments(&call.args);
            return Type::Error;
        };
        match &callee {
            Callee::Function(item) => {
                self.resolve(call.id, Resolution::Function(*item));
                let parameters = self.parameters(&callee);
                self.arguments(call.id, call.args_span, &call.args, &parameters);
                let ty = self.returns(*item);
                self.record(call.id, ty)
            }
            Callee::Flow(_) | Callee::Tool(_) => {
                let what = if matches!(callee, Callee::Flow(_)) { "flow" } else { "tool" };
                self.report_effect(Some(expr), &call.callee, what);
                self.stray_arguments(&call.args);
                Type::Error
            }
        }
    }

    /// Reports a tool or flow that an expression calls; `whole` is the expression where it is nothing but the call.
    pub(crate) fn report_effect(&mut self, whole: Option<&Expr>, name: &Name, what: &str) {
        let message = format!("the {what} `{}` is called in an expression: only a step calls it", name.text);
        let wrong = Diagnostic::new(Code::EFFECT, name.span, message);
        let fix = whole.and_then(|whole| self.step_instead(whole, &name.text));
        self.report(match fix {
            Some(fix) => wrong.with_fix(fix),
            None => {
                wrong.help(format!("write a step before this one, and use its name here: `step … = {}(…)`", name.text))
            }
        });
    }

    /// How the statement whose value this expression is becomes a step.
    fn step_instead(&self, value: &Expr, callee: &str) -> Option<Fix> {
        let (_, how) = self.stepwise.filter(|(id, _)| *id == value.id && self.pure_because.is_none())?;
        let edit = |span: Span, text: String| Edit { span, text };
        let form = if matches!(how, Stepwise::Given) { "step" } else { "step … =" };
        let edits = match how {
            Stepwise::Given => vec![edit(value.span.before(), "step ".to_owned())],
            Stepwise::Let(keyword, None) => vec![edit(keyword, "step".to_owned())],
            Stepwise::Let(keyword, Some((declared, ty))) => vec![
                edit(keyword, "step".to_owned()),
                edit(declared, String::new()),
                edit(value.span.after(), format!(" as {}", self.out.ty(ty))),
            ],
        };
        Some(Fix { title: format!("make it a step: `{form} {callee}(…)`"), edits, safe: true })
    }

    /// `calls(tool)`: the arguments of each call so far, in a test.
    fn calls(&mut self, expr: &Expr, call: &Call) -> Type {
        if !self.in_test {
            let message = "`calls` counts the calls of a tool in a test, and this is none";
            self.report(Diagnostic::new(Code::NOT_TESTABLE, call.span, message));
            return Type::Error;
        }
        let name = match call.args.as_slice() {
            [Arg { name: None, value, .. }] => dotted(value),
            _ => None,
        };
        let Some(name) = name else {
            let code = if call.args.is_empty() { Code::MISSING_ARGUMENT } else { Code::MISMATCH };
            self.report(Diagnostic::new(code, call.args_span, "`calls` takes the name of a tool: `calls(web.scrape)`"));
            return Type::Error;
        };
        let Some(tool) = self.tool(&name) else { return Type::Error };
        let fields = tool.params.iter().map(|param| {
            let ty = if param.ty.is_generic() { Type::Json } else { param.ty.clone() };
            // A secret is known by name only, also in a test.
            let ty = if matches!(ty.without_null(), Type::Secret | Type::Schema(_)) { Type::Json } else { ty };
            (param.name.clone(), Field { ty, optional: !param.required, doc: String::new() })
        });
        let ty = Type::list(Type::record(fields));
        self.resolve(call.id, Resolution::Calls(tool));
        self.record(call.id, ty.clone());
        self.record(expr.id, ty)
    }
}

/// A dotted name that was read as an expression.
pub(crate) fn dotted(expr: &Expr) -> Option<Name> {
    match &expr.kind {
        ExprKind::Name(name) => Some(Name { text: name.clone(), span: expr.span }),
        ExprKind::Postfix(base, chain) => {
            let ExprKind::Name(name) = &base.kind else { return None };
            let mut text = name.to_string();
            for part in chain {
                let PostfixKind::Field(name) = &part.kind else { return None };
                text.push('.');
                text.push_str(&name.text);
            }
            Some(Name { text: text.into(), span: expr.span })
        }
        _ => None,
    }
}
