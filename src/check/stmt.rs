//! Single statements.

use crate::check::Resolution;
use crate::check::context::{Checker, LocalKind, Stepwise};
use crate::check::exits::{FrameKind, Jump};
use crate::check::step::head;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::source::Span;
use crate::syntax::ast::{Expr, LetField, LetPattern, Name, NodeId, Step, Stmt, StmtKind, TypeExpr};
use crate::types::Type;

impl Checker<'_> {
    /// Checks a statement. Gives whether what follows it is reached.
    pub(crate) fn statement(&mut self, stmt: &Stmt) -> bool {
        if !self.belongs_here(stmt) {
            return true;
        }
        match &stmt.kind {
            StmtKind::Let { pattern, ty, value } => self.let_statement(stmt, pattern, ty.as_ref(), value),
            StmtKind::Var { name, ty, value } => self.var_statement(stmt, name, ty.as_ref(), value),
            StmtKind::Set { id, name, value } => self.set_statement(*id, name, value),
            StmtKind::Step(step) => return self.step_statement(step),
            StmtKind::Block(action) => {
                let falls = self.block_statement(action);
                self.nothing_before(action);
                return falls;
            }
            StmtKind::Yield(value) => {
                self.stepwise = Some((value.id, Stepwise::Given));
                match self.yield_frame(stmt.span) {
                    Some(frame) => self.given_value(value, frame, None, "the value of `yield`"),
                    None => drop(self.infer(value, None)),
                }
                return false;
            }
            StmtKind::YieldStep(step) => {
                let frame = self.yield_frame(stmt.span);
                let (ty, _) = self.step(step);
                if let Some(frame) = frame {
                    self.give(frame, step.id, ty);
                }
                return false;
            }
            StmtKind::Return(value) => {
                self.return_statement(stmt, value);
                return false;
            }
            StmtKind::ReturnStep(step) => {
                self.return_step(stmt, step);
                return false;
            }
            StmtKind::Fail { value, details } => {
                self.fail_statement(value, details.as_ref());
                return false;
            }
            StmtKind::Emit(value) => drop(self.infer(value, None)),
            StmtKind::Break => return self.jump_statement(stmt, Jump::Break),
            StmtKind::Continue => return self.jump_statement(stmt, Jump::Continue),
            StmtKind::Mock(mock) => self.mock_statement(mock, stmt.span),
            StmtKind::Assert(condition) => self.assert_statement(condition, stmt.span),
            StmtKind::Error => {}
        }
        true
    }

    /// Functions hold `let`, `if`, `match`, `return` and `fail`; says so of anything else.
    fn belongs_here(&mut self, stmt: &Stmt) -> bool {
        let Some(why) = self.pure_because else { return true };
        let word = match &stmt.kind {
            StmtKind::Let { .. }
            | StmtKind::Return(_)
            | StmtKind::Fail { .. }
            | StmtKind::Mock(_)
            | StmtKind::Assert(_)
            | StmtKind::Error => return true,
            StmtKind::Block(action) => {
                use crate::syntax::ast::ActionKind::{Call, Do, Error, For, If, Match, Parallel, Race, Repeat, Try};
                match &action.kind {
                    If(_) | Match(_) | Error => return true,
                    Call(_) => "a call of a tool or flow",
                    Parallel(_) => "`parallel`",
                    Race(_) => "`race`",
                    For(form) if form.parallel => "`parallel for`",
                    For(_) => "`for`",
                    Repeat(_) => "`repeat`",
                    Do(_) => "`do`",
                    Try(_) => "`try`",
                }
            }
            StmtKind::Step(step) | StmtKind::YieldStep(step) | StmtKind::ReturnStep(step) => {
                self.report(
                    Diagnostic::new(
                        Code::EFFECT,
                        Span { end: step.span.start + 4, ..step.span },
                        format!("{why} holds no steps"),
                    )
                    .help("a `fn` is pure; make it a `flow`, or do the step before and hand its value in"),
                );
                if let Some(name) = &step.name {
                    self.declare(&name.text, name.span, step.id, Type::Error, LocalKind::Step);
                }
                return false;
            }
            StmtKind::Var { .. } => "`var`",
            StmtKind::Set { .. } => "`set`",
            StmtKind::Yield(_) => "`yield`",
            StmtKind::Emit(_) => "`emit`",
            StmtKind::Break => "`break`",
            StmtKind::Continue => "`continue`",
        };
        let help = match &stmt.kind {
            StmtKind::Yield(_) => "use `return`",
            StmtKind::Var { .. } | StmtKind::Set { .. } => "use `let`; lists have `map`, `filter` and `reduce`",
            StmtKind::Block(_) => "lists have `map`, `filter`, `flat_map` and `reduce`",
            _ => "make it a `flow`",
        };
        self.report(
            Diagnostic::new(Code::MISPLACED, stmt.span, format!("{why} holds no {word}"))
                .help(format!("a `fn` holds `let`, `if`, `match`, `return` and `fail`: {help}")),
        );
        if let StmtKind::Var { name, .. } = &stmt.kind {
            self.declare(&name.text, name.span, stmt.id, Type::Error, LocalKind::Let);
        }
        false
    }

    fn let_statement(&mut self, stmt: &Stmt, pattern: &LetPattern, ty: Option<&TypeExpr>, value: &Expr) {
        match pattern {
            LetPattern::Name(name) => {
                let declared = ty.map(|ty| (Span { start: name.span.end, end: ty.span.end, ..ty.span }, ty.id));
                self.stepwise = Some((value.id, Stepwise::Let(head(stmt.span, "let"), declared)));
                let found = self.initial(name, ty, value);
                if self.is_bounded(value) {
                    self.body.bounded.insert(stmt.id);
                }
                self.declare(&name.text, name.span, stmt.id, found, LocalKind::Let);
            }
            LetPattern::Record(fields) => {
                let found = match ty {
                    Some(ty) => {
                        let wanted = self.resolve_type(ty);
                        self.expect(value, &wanted, "the value of this `let`")
                    }
                    None => self.infer(value, None),
                };
                for field in fields {
                    self.taken_field(field, &found, value.span);
                }
            }
        }
    }

    /// The value that a `let` or `var` begins with.
    fn initial(&mut self, name: &Name, ty: Option<&TypeExpr>, value: &Expr) -> Type {
        match ty {
            Some(ty) => {
                let wanted = self.resolve_type(ty);
                self.expect(value, &wanted, format!("the value of `{}`", name.text));
                wanted
            }
            None => self.infer(value, None),
        }
    }

    /// A field that a `let { a, b: c }` takes.
    fn taken_field(&mut self, field: &LetField, from: &Type, value: Span) {
        let found = if from.allows_null() && *from != Type::Null {
            self.report(
                Diagnostic::new(Code::NULLABLE, value, "this may be null, so its fields cannot be taken")
                    .here(format!("this is `{from}`"))
                    .help("say what to take instead with `??`, or leave early: `if … == null { … }`"),
            );
            Type::Error
        } else if let Some(found) = from.field(&field.field.text) {
            found
        } else {
            let wrong = &field.field;
            let mut diagnostic =
                Diagnostic::new(Code::UNKNOWN_FIELD, wrong.span, format!("`{from}` has no field `{}`", wrong.text));
            if let Type::Record(record) = from {
                let names = record.fields.keys().map(smol_str::SmolStr::as_str);
                if let Some(name) = nearest(&wrong.text, names) {
                    diagnostic = diagnostic.help(format!("did you mean `{name}`?"));
                }
            }
            self.report(diagnostic);
            Type::Error
        };
        self.declare(&field.name.text, field.name.span, field.id, found, LocalKind::Let);
    }

    fn var_statement(&mut self, stmt: &Stmt, name: &Name, ty: Option<&TypeExpr>, value: &Expr) {
        let mut found = self.initial(name, ty, value);
        if ty.is_none() {
            found = found.widen();
            let unknown = match &found {
                Type::Null => Some("T?"),
                Type::List(item) if **item == Type::Never => Some("list<T>"),
                Type::Map(item) if **item == Type::Never => Some("map<T>"),
                _ => None,
            };
            if let Some(form) = unknown {
                self.report(
                    Diagnostic::new(
                        Code::CANNOT_INFER,
                        value.span,
                        format!("the type of `{}` cannot be told from this", name.text),
                    )
                    .help(format!("say what it will hold: `var {}: {form} = …`", name.text)),
                );
                found = Type::Error;
            }
        }
        self.declare(&name.text, name.span, stmt.id, found, LocalKind::Var);
    }

    fn set_statement(&mut self, id: NodeId, name: &Name, value: &Expr) {
        let Some(local) = self.local(&name.text).cloned() else {
            let vars = self.locals.iter().filter(|local| local.kind == LocalKind::Var).map(|local| local.name.as_str());
            let mut wrong = Diagnostic::new(Code::UNKNOWN_NAME, name.span, format!("there is no var `{}`", name.text));
            wrong = match nearest(&name.text, vars) {
                Some(near) => wrong.suggest(format!("set `{near}`"), name.span, near),
                None => wrong.help(format!("declare it first: `var {} = …`", name.text)),
            };
            self.report(wrong);
            self.infer(value, None);
            return;
        };
        self.resolve(id, Resolution::Local(local.id));
        if local.kind != LocalKind::Var {
            self.infer(value, None);
            self.not_a_var(name, &local);
            return;
        }
        self.record(id, local.ty.clone());
        self.expect(value, &local.ty, format!("the value of `{}`", name.text));
        if local.control != self.control {
            self.set_across(name, &local);
        }
    }

    fn return_statement(&mut self, stmt: &Stmt, value: &Expr) {
        self.stepwise = Some((value.id, Stepwise::Given));
        let Some(at) = self.return_frame(stmt.span) else {
            self.infer(value, None);
            return;
        };
        let expected = self.declared_result(at);
        self.given_value(value, at, expected.as_ref(), "the value of `return`");
    }

    fn return_step(&mut self, stmt: &Stmt, step: &Step) {
        let frame = self.return_frame(stmt.span);
        let (ty, _) = self.step(step);
        let Some(frame) = frame else { return };
        if let Some(expected) = self.declared_result(frame) {
            self.fit_step(step, &ty, &expected, "the value of `return`");
        }
        self.give(frame, step.id, ty);
    }

    /// The result that the flow or function of a frame declares.
    fn declared_result(&self, frame: usize) -> Option<Type> {
        match self.body.frames.get(frame).map(|frame| &frame.kind) {
            Some(FrameKind::Flow(result) | FrameKind::Function(result)) => result.clone(),
            _ => None,
        }
    }

    fn fail_statement(&mut self, value: &Expr, details: Option<&Expr>) {
        let ty = self.infer(value, Some(&Type::String));
        let error = Type::error_record();
        let again = !ty.fits(&Type::String) && ty.fits(&error);
        if !again && !ty.fits(&Type::String) {
            let mut wrong = Diagnostic::new(
                Code::MISMATCH,
                value.span,
                format!("`fail` takes a message or a caught error, and this is `{ty}`"),
            )
            .here(format!("expected `string` or `Error`, found `{ty}`"));
            if ty.allows_null() {
                wrong.code = Code::NULLABLE;
                wrong = wrong.help("say what to say when it is null with `??`");
            }
            self.report(wrong);
        }
        if let Some(details) = details {
            self.expect(details, &Type::Json, "the details of `fail`");
            if again {
                self.report(
                    Diagnostic::new(Code::CLAUSE, details.span, "a caught error keeps the details it has")
                        .help("fail with a message of your own, or leave the details out"),
                );
            }
        }
    }
}
