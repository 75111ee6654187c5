//! Steps, their actions, and the values of block forms.

use crate::check::clause::Clauses;
use crate::check::context::{Checker, LocalKind, Prev};
use crate::check::exits::{Form, Frame, FrameKind};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Action, ActionKind, Block, If, Step, Stmt, StmtKind, Try};
use crate::types::{Field, Text, Type};

impl Checker<'_> {
    /// A step as a statement: its name stands for its value from here on. Gives whether it comes to an end.
    pub(crate) fn step_statement(&mut self, step: &Step) -> bool {
        let fresh = self.name_segment(step);
        let (ty, completes) = self.step(step);
        if let (Some(name), true) = (&step.name, fresh) {
            self.declare(&name.text, name.span, step.id, ty, LocalKind::Step);
        }
        self.prev = self.prev_after(step);
        completes
    }

    /// Checks a step and gives its value's type, and whether it comes to an end.
    pub(crate) fn step(&mut self, step: &Step) -> (Type, bool) {
        let clauses = Clauses::of(step);
        let mark = self.mark();
        if let Some(when) = clauses.when {
            let facts = self.condition(when);
            self.assume(&facts.when_true);
        }
        if let Some(title) = &step.title {
            self.expect(title, &Type::String, "the title of a step");
        }
        let (guard, action) = match &step.action.kind {
            ActionKind::Try(guard) => (Some(guard.as_ref()), &guard.action),
            _ => (None, &step.action),
        };
        let wanted = clauses.as_type.map(|ty| self.resolve_type(ty));
        let again = clauses.retry.is_some() && !matches!(action.kind, ActionKind::Call(_));
        let (mut ty, mut completes) = if let Some(guard) = guard {
            self.in_new_path(|checker| checker.guarded(step, guard, &clauses, wanted.as_ref(), again))
        } else {
            let (found, completes) = self.attempt(step, action, &clauses, wanted.as_ref(), again);
            (found, completes)
        };
        if let Some(otherwise) = clauses.otherwise {
            ty = self.else_value(otherwise, ty, guard.is_some());
            completes = true;
        }
        self.leave(mark);
        if clauses.when.is_some() {
            ty = ty.or_null();
            completes = true;
        }
        self.record(step.action.id, ty.clone());
        self.note_reads_only(step, &ty);
        (self.record(step.id, ty), completes)
    }

    /// One attempt at an action with the clauses that act on it: what it gives, `as` applied.
    fn attempt(
        &mut self,
        step: &Step,
        action: &Action,
        clauses: &Clauses<'_>,
        wanted: Option<&Type>,
        again: bool,
    ) -> (Type, bool) {
        let (found, completes) = if again {
            self.in_new_control(|checker| checker.action(action, wanted))
        } else {
            self.action(action, wanted)
        };
        (self.finish_attempt(step, action, clauses, wanted, found), completes)
    }

    /// Applies `as` to what an action gives, and checks the other clauses.
    fn finish_attempt(
        &mut self,
        step: &Step,
        action: &Action,
        clauses: &Clauses<'_>,
        wanted: Option<&Type>,
        found: Type,
    ) -> Type {
        let ty = wanted.cloned().unwrap_or(found);
        if wanted.is_some() || self.calls_tool(action) {
            self.out.results.insert(step.id, ty.clone());
        }
        self.check_clauses(step, action, clauses, &ty);
        ty
    }

    /// `try X` and `try X catch err { } finally { }` as an action.
    fn guarded(
        &mut self,
        step: &Step,
        guard: &Try,
        clauses: &Clauses<'_>,
        wanted: Option<&Type>,
        again: bool,
    ) -> (Type, bool) {
        if guard.catch.is_none() && guard.finally.is_none() {
            let (tried, _) = self.attempt(step, &guard.action, clauses, wanted, again);
            return (Type::outcome(tried), true);
        }
        // The paths of a `try { }` are judged together with those of its `catch`.
        let tried = if let ActionKind::Do(block) = &guard.action.kind {
            let (frame, falls) = self.within(FrameKind::Value(Form::Try), step.action.span, |checker| {
                if again { checker.in_new_control(|checker| checker.block(block)) } else { checker.block(block) }
            });
            Tried::Block(block, frame, falls)
        } else {
            let (ty, completes) = self.attempt(step, &guard.action, clauses, wanted, again);
            Tried::Value(ty, completes)
        };
        let caught = guard.catch.as_ref().map(|catch| {
            let kind = FrameKind::Value(Form::Catch);
            let (frame, falls) = self.within(kind, catch.body.span, |checker| checker.catch_block(catch));
            (&catch.body, frame, falls)
        });
        let catch_yields = caught.as_ref().is_some_and(|(_, frame, _)| !frame.given.is_empty());
        let (value, completes, yields) = match tried {
            Tried::Value(ty, completes) => (ty, completes, catch_yields),
            Tried::Block(block, frame, falls) => {
                let yields = catch_yields || !frame.given.is_empty();
                if yields && falls {
                    self.missing_yield(block, step.action.span, "try");
                }
                let found = self.settle(&frame.given);
                let found = if falls && !yields { Type::Null } else { found };
                let ty = self.finish_attempt(step, &guard.action, clauses, wanted, found);
                (ty, falls || !frame.given.is_empty(), yields)
            }
        };
        let (mut ty, mut completes) = (value, completes);
        if let Some((block, frame, falls)) = caught {
            let of_catch = self.settle(&frame.given);
            if yields && falls {
                self.missing_yield(block, step.action.span, "try");
            }
            ty = ty.join(if falls && !yields { of_catch.join(Type::Null) } else { of_catch });
            completes |= falls || catch_yields;
        }
        if let Some(finally) = &guard.finally {
            self.finally_block(finally);
        }
        (ty, completes)
    }

    /// The value of an action, and whether it comes to an end. `wanted` is what `as` says of it.
    pub(crate) fn action(&mut self, action: &Action, wanted: Option<&Type>) -> (Type, bool) {
        let span = action.span;
        let (ty, completes) = match &action.kind {
            ActionKind::Call(call) => (self.call_of_effect(call, wanted), true),
            ActionKind::Parallel(block) => self.in_new_path(|checker| checker.parallel_value(action, block)),
            ActionKind::Race(block) => self.in_new_path(|checker| checker.race_value(action, block)),
            ActionKind::For(form) => {
                let kind = if form.parallel { Form::ParallelFor } else { Form::For };
                let (frame, ()) = self.value_block(kind, span, |checker| checker.each(form, span));
                (Type::list(self.settle(&frame.given)), true)
            }
            ActionKind::Repeat(form) => {
                let (frame, ()) = self.value_block(Form::Repeat, span, |checker| checker.rounds(form));
                if frame.given.is_empty() && self.body.open_ended.contains(&form.body.id) {
                    self.report_unless_doubtful(
                        Diagnostic::new(Code::MISSING_YIELD, head(span, "repeat"), "this `repeat` never yields, so it can only fail")
                            .help("`yield` its value when it is there; without one it goes round again, and after `max` rounds fails with kind `exhausted`"),
                    );
                    (Type::Error, true)
                } else {
                    let completes = !frame.given.is_empty();
                    (self.settle(&frame.given), completes)
                }
            }
            ActionKind::Do(block) => {
                let (frame, falls) = self.value_block(Form::Do, span, |checker| checker.block(block));
                self.value_of(&frame, falls, &[block], span, None)
            }
            ActionKind::If(form) => {
                let (frame, ways) = self.value_block(Form::If, span, |checker| checker.if_ways(form));
                self.value_of(&frame, ways.fall(), &blocks(form), span, form.otherwise.is_none().then_some("if"))
            }
            ActionKind::Match(form) => {
                let (frame, ways) = self.value_block(Form::Match, span, |checker| checker.match_ways(form, span));
                let falls = ways.fall();
                let arms: Vec<&Block> = form.arms.iter().map(|arm| &arm.body).collect();
                self.value_of(&frame, falls, &arms, span, None)
            }
            ActionKind::Try(guard) => {
                // Only `try try X`: the outer one has been taken off by the step.
                let (tried, _) = self.action(&guard.action, wanted);
                (Type::outcome(tried), true)
            }
            ActionKind::Error => (Type::Error, true),
        };
        (self.record(action.id, ty), completes)
    }

    fn value_block<T>(&mut self, form: Form, span: Span, inside: impl FnOnce(&mut Self) -> T) -> (Frame, T) {
        self.in_new_path(|checker| checker.within(FrameKind::Value(form), span, inside))
    }

    /// The value of a block whose every path must yield, or none.
    fn value_of(
        &mut self,
        frame: &Frame,
        falls: bool,
        blocks: &[&Block],
        span: Span,
        without_else: Option<&str>,
    ) -> (Type, bool) {
        let FrameKind::Value(form) = frame.kind else { return (Type::Error, true) };
        if frame.given.is_empty() {
            return if falls { (Type::Null, true) } else { (Type::Never, false) };
        }
        if falls {
            match blocks.iter().find(|block| self.body.open_ended.contains(&block.id)) {
                Some(block) => self.missing_yield(block, span, form.keyword()),
                None => self.report_unless_doubtful(
                    Diagnostic::new(Code::MISSING_YIELD, head(span, without_else.unwrap_or(form.keyword())), "nothing is yielded when no condition holds")
                        .help("add an `else` that yields: every path of a block used as a step's action yields, fails or returns"),
                ),
            }
        }
        (self.settle(&frame.given), true)
    }

    /// Says of a block whose end is reached that it must yield, at the very path.
    fn missing_yield(&mut self, block: &Block, whole: Span, word: &str) {
        let (span, message) = self.open_path(block);
        let message = match message {
            Some(why) => format!("nothing is yielded {why}"),
            None => "this path yields nothing".to_owned(),
        };
        let mut wrong = Diagnostic::new(Code::MISSING_YIELD, span, message)
            .here("the end is reached without a value")
            .help("every path of a block used as a step's action yields, fails or returns: `yield null` where there is no value");
        if !word.is_empty() {
            wrong = wrong.label(head(whole, word), "other paths of this block yield");
        }
        self.report_unless_doubtful(wrong);
    }

    /// Where a block's end is reached: the innermost path that comes to it, and which one it is where the characters
    /// alone do not tell.
    pub(crate) fn open_path(&self, block: &Block) -> (Span, Option<&'static str>) {
        let mut block = block;
        loop {
            let end = block.close;
            let Some(Stmt { kind: StmtKind::Block(last), .. }) = block.stmts.last() else { return (end, None) };
            let open = |inner: &&Block| self.body.open_ended.contains(&inner.id);
            let inner = match &last.kind {
                ActionKind::If(form) => match (blocks(form).into_iter().find(open), &form.otherwise) {
                    (Some(inner), _) => inner,
                    (None, None) => return (head(last.span, "if"), Some("when no condition holds")),
                    (None, Some(_)) => return (end, None),
                },
                ActionKind::Match(form) => match form.arms.iter().map(|arm| &arm.body).find(open) {
                    Some(inner) => inner,
                    None => return (end, None),
                },
                ActionKind::Try(form) => {
                    let body = match &form.action.kind {
                        ActionKind::Do(body) => Some(body),
                        _ => None,
                    };
                    match (body.filter(open), form.catch.as_ref().map(|catch| &catch.body).filter(open)) {
                        (Some(inner), _) | (None, Some(inner)) => inner,
                        (None, None) if form.catch.is_none() && form.finally.is_none() => {
                            return (head(last.span, "try"), Some("when this fails"));
                        }
                        (None, None) => return (end, None),
                    }
                }
                _ => return (end, None),
            };
            block = inner;
        }
    }

    /// What `prev` stands for after a step.
    fn prev_after(&self, step: &Step) -> Prev {
        let clauses = Clauses::of(step);
        if clauses.when.is_some() {
            Prev::Nothing("after a step with `when`, which may have been skipped: use the step's name")
        } else if clauses.otherwise.is_some() {
            Prev::Nothing("after a step with `else`, which hides whether it failed: use the step's name")
        } else if matches!(step.action.kind, ActionKind::Try(_)) {
            Prev::Value(step.id)
        } else {
            Prev::Success(step.id)
        }
    }

    /// Checks that the value of a step, which has no expression to blame, fits where it goes.
    pub(crate) fn fit_step(&mut self, step: &Step, found: &Type, expected: &Type, role: &str) {
        if let Some(mismatch) = found.misfit(expected) {
            let wrong = Diagnostic::new(Code::MISMATCH, step.action.span, format!("{role} does not fit: {mismatch}"));
            self.report(wrong.here(format!("this gives `{found}`")));
        } else if !found.same_shape(expected) {
            self.out.coercions.insert(step.id, expected.clone());
        }
    }

    /// After a block statement, `prev` has nothing to stand for.
    pub(crate) fn nothing_before(&mut self, action: &Action) {
        self.prev = match &action.kind {
            ActionKind::Parallel(_) | ActionKind::Race(_) => {
                Prev::Nothing("after steps that ran at once: use a step's name")
            }
            _ => Prev::Nothing("right after a block: use a step's name"),
        };
    }

    /// Takes a step's name in the path scope at hand: each is used once. Gives whether the name is free to declare.
    pub(crate) fn name_segment(&mut self, step: &Step) -> bool {
        let Some(name) = &step.name else { return true };
        let Some(scope) = self.body.segments.last_mut() else { return true };
        let Some(first) = scope.get(&name.text).copied() else {
            scope.insert(name.text.clone(), name.span);
            return true;
        };
        self.report(
            Diagnostic::new(
                Code::STEP_NAME_TAKEN,
                name.span,
                format!("a step of this block is already called `{}`", name.text),
            )
            .label(first, "first used here")
            .help("choose another name: a step's name is its path, in the journal and everywhere else"),
        );
        self.local(&name.text).is_none()
    }

    /// `parallel { }` as a statement: its steps' names stand for their values after it.
    pub(crate) fn parallel_statement(&mut self, action: &Action, block: &Block) -> bool {
        let frame = FrameKind::Statement(Form::Parallel);
        let (_, branches) = self
            .in_new_path(|checker| checker.within(frame, action.span, |checker| checker.branches(block, "parallel")));
        self.bind_branches(&branches);
        branches.iter().all(|branch| branch.completes)
    }

    /// `race { }` as a statement.
    pub(crate) fn race_statement(&mut self, action: &Action, block: &Block) -> bool {
        let mark = self.mark();
        let frame = FrameKind::Statement(Form::Race);
        let (_, branches) =
            self.in_new_path(|checker| checker.within(frame, action.span, |checker| checker.branches(block, "race")));
        self.leave(mark);
        branches.is_empty() || branches.iter().any(|branch| branch.completes)
    }

    fn parallel_value(&mut self, action: &Action, block: &Block) -> (Type, bool) {
        let mark = self.mark();
        let frame = FrameKind::Value(Form::Parallel);
        let (_, branches) = self.within(frame, action.span, |checker| checker.branches(block, "parallel"));
        self.leave(mark);
        let completes = branches.iter().all(|branch| branch.completes);
        let fields: Vec<(Text, Field)> = branches
            .into_iter()
            .filter_map(|branch| Some((branch.step.name.as_ref()?.text.clone(), Field::required(branch.ty))))
            .collect();
        (Type::record(fields), completes)
    }

    fn race_value(&mut self, action: &Action, block: &Block) -> (Type, bool) {
        let mark = self.mark();
        let frame = FrameKind::Value(Form::Race);
        let (_, branches) = self.within(frame, action.span, |checker| checker.branches(block, "race"));
        self.leave(mark);
        let completes = branches.is_empty() || branches.iter().any(|branch| branch.completes);
        let ty = Type::join_all(branches.into_iter().map(|branch| branch.ty));
        (if ty == Type::Never && completes { Type::Null } else { ty }, completes)
    }
}

/// What a `try` tries, checked.
enum Tried<'a> {
    /// A call or a block form with its value, and whether it comes to an end.
    Value(Type, bool),
    /// A block with what it yields, and whether its end is reached.
    Block(&'a Block, Frame, bool),
}

/// The blocks of an `if`, in order.
fn blocks(form: &If) -> Vec<&Block> {
    form.branches.iter().map(|(_, block)| block).chain(&form.otherwise).collect()
}

/// The keyword at the start of a span; of `parallel for`, whose words a comment may part, the first.
pub(crate) fn head(span: Span, keyword: &str) -> Span {
    let word = keyword.split(' ').next().unwrap_or(keyword);
    Span { end: span.end.min(span.start + word.len() as u32), ..span }
}
