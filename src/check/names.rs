//! Names in expressions.

use crate::check::context::{Checker, LocalKind, Prev};
use crate::check::{ItemRef, Resolution};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::source::Span;
use crate::syntax::ast::{Expr, ItemKind, Name};
use crate::types::{Literal, Text, Type};

/// What other languages call the words of this one.
const FOREIGN: [(&str, &str); 9] = [
    ("None", "null"),
    ("nil", "null"),
    ("NULL", "null"),
    ("Null", "null"),
    ("undefined", "null"),
    ("True", "true"),
    ("TRUE", "true"),
    ("False", "false"),
    ("FALSE", "false"),
];

/// How many unknown names are worth a search for the nearest: a text with more is not mended name by name.
const MAX_SUGGESTIONS: u32 = 200;

impl Checker<'_> {
    /// What a name stands for.
    pub(crate) fn name(&mut self, expr: &Expr, name: &Text) -> Type {
        if let Some(local) = self.use_local(name) {
            let (id, kind, span, ty) = (local.id, local.kind, local.span, local.ty.clone());
            self.resolve(expr.id, Resolution::Local(id));
            return match kind {
                LocalKind::Sibling => self.report_sibling(expr.span, name, span),
                LocalKind::Var => ty,
                _ => self.fact(id, &[]).cloned().unwrap_or(ty),
            };
        }
        match name.as_str() {
            "input" => self.input(expr),
            "run" => {
                self.resolve(expr.id, Resolution::Run);
                Type::record_of([("id", Type::String), ("flow", Type::String), ("started_at", Type::Datetime)])
            }
            "prev" => self.prev(expr),
            "secrets" => {
                self.report_secret(expr.span);
                Type::Error
            }
            _ => self.item_name(expr, name),
        }
    }

    fn input(&mut self, expr: &Expr) -> Type {
        self.resolve(expr.id, Resolution::Input);
        if let Some(input) = &self.input {
            return input.clone();
        }
        let message = "`input` is the record of a flow's parameters, and this is no flow";
        self.report(Diagnostic::new(Code::UNKNOWN_NAME, expr.span, message));
        Type::Error
    }

    /// `prev`
    fn prev(&mut self, expr: &Expr) -> Type {
        match self.prev {
            Prev::Nothing(why) => {
                let message = format!("`prev` has nothing to stand for {why}");
                self.report(Diagnostic::new(Code::PREV, expr.span, message).help("use the name of the step"));
                Type::Error
            }
            Prev::Value(step) => {
                self.resolve(expr.id, Resolution::PrevValue(step));
                self.fact(step, &[]).cloned().unwrap_or_else(|| self.out.ty(step).clone())
            }
            Prev::Success(step) => {
                self.resolve(expr.id, Resolution::PrevSuccess(step));
                let value = self.fact(step, &[]).cloned().unwrap_or_else(|| self.out.ty(step).clone());
                if value == Type::Error {
                    return Type::Error;
                }
                let success = Type::Literal(Literal::Bool(true));
                Type::record_of([("success", success), ("result", value), ("error", Type::Null)])
            }
        }
    }

    fn report_sibling(&mut self, span: Span, name: &str, declared: Span) -> Type {
        self.report(
            Diagnostic::new(Code::PARALLEL_DEPENDENCY, span, format!("`{name}` is another step of the same block"))
                .label(declared, "it runs at the same time")
                .help("the steps of `parallel` and `race` may not use one another: move the one that needs the other behind the block"),
        );
        Type::Error
    }

    /// A name that is no local: a type as its schema, or a mistake.
    fn item_name(&mut self, expr: &Expr, name: &Text) -> Type {
        if let Some(of) = self.type_of_name(name) {
            if of == Type::Error {
                return Type::Error;
            }
            self.resolve(expr.id, Resolution::Schema(of.clone()));
            return Type::schema(of);
        }
        if let Some(item) = self.named(name) {
            self.report_bare_callable(expr.span, name, item);
        } else if !self.is_unknown_import(name) {
            self.report_unknown_name(expr.span, name);
        }
        Type::Error
    }

    fn report_bare_callable(&mut self, span: Span, name: &str, item: ItemRef) {
        let wrong = match self.item(item).map(|item| &item.kind) {
            Some(ItemKind::Flow(_)) => {
                Diagnostic::new(Code::EFFECT, span, format!("`{name}` is a flow: only a step calls it"))
                    .help(format!("write a step: `step … = {name}(…)`"))
            }
            _ => Diagnostic::new(Code::LAMBDA, span, format!("`{name}` is a function, and functions are not values"))
                .suggest("call it in a lambda", span, format!("x => {name}(x)")),
        };
        self.report(wrong);
    }

    pub(crate) fn report_unknown_name(&mut self, span: Span, name: &str) {
        let mut wrong = Diagnostic::new(Code::UNKNOWN_NAME, span, format!("there is no `{name}` here"));
        let foreign = FOREIGN.iter().find(|(foreign, _)| *foreign == name).map(|(_, own)| (*own).to_owned());
        if let Some(right) = foreign.or_else(|| self.nearest_name(name)) {
            wrong = wrong.fix(format!("replace it with `{right}`"), span, right);
        } else if self.has_namespace(name) {
            wrong = wrong.help(format!("`{name}` holds tools: call one in a step, `step … = {name}.…(…)`"));
        }
        self.report(wrong);
    }

    fn nearest_name(&mut self, name: &str) -> Option<String> {
        if !self.may_suggest() {
            return None;
        }
        let locals = self.locals.iter().rev().map(|local| local.name.as_str());
        let words: &[&str] = if self.input.is_some() { &["input", "run", "prev"] } else { &["run", "prev"] };
        let types = self.items.get(&self.file).into_iter().flatten().map(|(name, _)| name.as_str());
        nearest(name, locals.chain(words.iter().copied()).chain(types)).map(str::to_owned)
    }

    /// Whether one more search for a nearest name is worth its time.
    pub(crate) fn may_suggest(&mut self) -> bool {
        self.suggestions += 1;
        self.suggestions <= MAX_SUGGESTIONS
    }

    /// What a callee's name stands for; without a report.
    pub(crate) fn callable_named(&mut self, name: &str) -> Option<(ItemRef, bool)> {
        let item = self.named(name)?;
        match self.item(item).map(|item| &item.kind) {
            Some(ItemKind::Fn(_)) => Some((item, false)),
            Some(ItemKind::Flow(_)) => Some((item, true)),
            _ => None,
        }
    }

    pub(crate) fn report_unknown_function(&mut self, name: &Name) {
        let text = &name.text;
        if self.type_of_name(text).is_some() {
            let message = format!("`{text}` is a type and cannot be called");
            let wrong = Diagnostic::new(Code::NOT_CALLABLE, name.span, message);
            self.report(wrong.help("a record literal stands for itself: `{ … }`; check json with `as`"));
            return;
        }
        if self.use_local(text).is_some() {
            let message = format!("`{text}` is a value and cannot be called");
            self.report(Diagnostic::new(Code::NOT_CALLABLE, name.span, message));
            return;
        }
        let mut wrong =
            Diagnostic::new(Code::UNKNOWN_FUNCTION, name.span, format!("there is no function or flow `{text}`"));
        let near = if self.may_suggest() {
            let items = self.items.get(&self.file).into_iter().flatten();
            let callable = items.filter(|(_, at)| {
                matches!(self.item(**at).map(|item| &item.kind), Some(ItemKind::Fn(_) | ItemKind::Flow(_)))
            });
            nearest(text, callable.map(|(name, _)| name.as_str())).map(str::to_owned)
        } else {
            None
        };
        if let Some(near) = near {
            wrong = wrong.fix(format!("call `{near}`"), name.span, near);
        } else if crate::builtins::all().any(|method| crate::builtins::MethodRef(method).name() == text) {
            wrong = wrong.help(format!("`{text}` is a method: it stands after its value, `value.{text}`"));
        }
        self.report(wrong);
    }
}
