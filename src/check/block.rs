//! Sequences of statements: what is reached, what stays known, and the block forms as statements.

use crate::check::context::{Checker, Fact, LocalKind, Prev};
use crate::check::exits::{Form, FrameKind, Jump};
use crate::check::step::head;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Action, ActionKind, Block, Catch, Expr, For, If, Match, Repeat, Stmt, StmtKind, Try};
use crate::types::Type;

/// The ways through a statement, in order.
pub(crate) struct Ways {
    list: Vec<Way>,
    /// What holds where one condition after the other was refused: each way begins where some of them were.
    refused: Vec<Fact>,
}

/// A way through a statement.
struct Way {
    /// Whether it goes on after the statement.
    falls: bool,
    /// How many of the refused facts hold on it.
    refused: usize,
    /// What is known on it beyond them.
    known: Vec<Fact>,
}

impl Ways {
    /// Whether any goes on.
    pub(crate) fn fall(&self) -> bool {
        self.list.iter().any(|way| way.falls)
    }

    /// What is known on all the ways that go on.
    fn common(&self) -> Vec<Fact> {
        let mut open = self.list.iter().filter(|way| way.falls);
        let Some(first) = open.next() else { return Vec::new() };
        let shared = self.refused.get(..first.refused).unwrap_or_default();
        let elsewhere = |fact: &&Fact| {
            let refused = self.refused.iter().position(|other| other == *fact).unwrap_or(usize::MAX);
            open.clone().all(|way| refused < way.refused || way.known.contains(fact))
        };
        shared.iter().chain(first.known.iter().filter(elsewhere)).cloned().collect()
    }
}

impl Checker<'_> {
    /// Checks a block in a scope of its own. Gives whether its end is reached.
    pub(crate) fn block(&mut self, block: &Block) -> bool {
        self.block_knowing(block, &[])
    }

    /// Checks a block with facts that hold in it.
    pub(crate) fn block_knowing(&mut self, block: &Block, facts: &[Fact]) -> bool {
        let mark = self.mark();
        self.assume(facts);
        let falls = self.statements(block);
        self.leave(mark);
        falls
    }

    /// Checks the statements of a block in the scope at hand. Gives whether its end is reached.
    pub(crate) fn statements(&mut self, block: &Block) -> bool {
        let outer = std::mem::replace(&mut self.prev, Prev::Nothing("at the start of a block"));
        let mut falls = true;
        let mut unreached = None;
        for stmt in &block.stmts {
            if !falls && unreached.is_none() && !matches!(stmt.kind, StmtKind::Error) {
                unreached = Some(self.locals.len());
                self.report_unless_doubtful(
                    Diagnostic::new(Code::UNREACHABLE, stmt.span, "this is never reached")
                        .help("remove it, or move it before what ends the block"),
                );
            }
            let around = std::mem::replace(&mut self.statement, (stmt.span, block.span));
            falls &= self.statement(stmt);
            self.statement = around;
        }
        if falls {
            self.body.open_ended.insert(block.id);
        }
        if let Some(first) = unreached {
            // What is never reached is never used: that has been said.
            self.locals.iter_mut().skip(first).for_each(|local| local.used = true);
        }
        self.prev = outer;
        falls
    }

    /// Checks a block form that stands as a statement. Gives whether what follows it is reached.
    pub(crate) fn block_statement(&mut self, action: &Action) -> bool {
        self.record(action.id, Type::Null);
        match &action.kind {
            ActionKind::If(form) => {
                let ways = self.if_ways(form);
                self.go_on(&ways)
            }
            ActionKind::Match(form) => {
                let ways = self.match_ways(form, action.span);
                self.go_on(&ways)
            }
            ActionKind::Try(form) => self.try_statement(form),
            ActionKind::For(form) => {
                let kind = if form.parallel { Form::ParallelFor } else { Form::For };
                let frame = FrameKind::Statement(kind);
                self.in_new_path(|checker| {
                    checker.within(frame, action.span, |checker| checker.each(form, action.span))
                });
                true
            }
            ActionKind::Repeat(form) => {
                let frame = FrameKind::Statement(Form::Repeat);
                let (frame, ()) =
                    self.in_new_path(|checker| checker.within(frame, action.span, |checker| checker.rounds(form)));
                frame.broken
            }
            ActionKind::Do(block) => {
                let frame = FrameKind::Statement(Form::Do);
                let (_, falls) =
                    self.in_new_path(|checker| checker.within(frame, action.span, |checker| checker.block(block)));
                falls
            }
            ActionKind::Parallel(block) => self.parallel_statement(action, block),
            ActionKind::Race(block) => self.race_statement(action, block),
            ActionKind::Call(call) => {
                self.call_of_effect(call, None);
                true
            }
            ActionKind::Error => true,
        }
    }

    /// The ways through an `if`; one without `else` ends with the way around it.
    pub(crate) fn if_ways(&mut self, form: &If) -> Ways {
        let mark = self.mark();
        let mut list = Vec::with_capacity(form.branches.len() + 1);
        let mut refused: Vec<Fact> = Vec::new();
        for (condition, block) in &form.branches {
            let facts = self.condition(condition);
            let falls = self.block_knowing(block, &facts.when_true);
            list.push(Way { falls, refused: refused.len(), known: facts.when_true });
            self.assume(&facts.when_false);
            refused.extend(facts.when_false);
        }
        let falls = form.otherwise.as_ref().is_none_or(|block| self.block(block));
        list.push(Way { falls, refused: refused.len(), known: Vec::new() });
        self.forget_facts(mark);
        Ways { list, refused }
    }

    /// The ways through a `match`, one for each arm.
    pub(crate) fn match_ways(&mut self, form: &Match, span: Span) -> Ways {
        let mut matching = self.matching(&form.value);
        let mut list = Vec::with_capacity(form.arms.len());
        for arm in &form.arms {
            let mark = self.mark();
            self.patterns(&mut matching, &arm.patterns, arm.guard.as_ref());
            let known = self.facts_since(mark);
            let falls = self.block(&arm.body);
            self.leave(mark);
            list.push(Way { falls, refused: 0, known });
        }
        self.exhaustive(&matching, &form.value, head(span, "match"));
        if matching.left != Type::Never {
            // What is left out, which has been reported, goes some way too: nothing is known after it.
            list.iter_mut().for_each(|way| way.known.clear());
        }
        Ways { list, refused: Vec::new() }
    }

    /// Takes for true what holds after a statement with these ways. Gives whether any goes on.
    fn go_on(&mut self, ways: &Ways) -> bool {
        self.assume(&ways.common());
        ways.fall()
    }

    /// `try` as a statement.
    fn try_statement(&mut self, form: &Try) -> bool {
        let body = match &form.action.kind {
            ActionKind::Do(block) => {
                self.record(form.action.id, Type::Null);
                self.block(block)
            }
            _ => self.block_statement(&form.action),
        };
        let caught = match (&form.catch, &form.finally) {
            (Some(catch), _) => self.catch_block(catch),
            (None, Some(_)) => false,
            (None, None) => true,
        };
        if let Some(finally) = &form.finally {
            self.finally_block(finally);
        }
        body || caught
    }

    /// `catch err { }` in a scope of its own.
    pub(crate) fn catch_block(&mut self, catch: &Catch) -> bool {
        let mark = self.mark();
        match &catch.name {
            Some(name) => self.declare(&name.text, name.span, catch.id, Type::error_record(), LocalKind::Caught),
            None => {
                self.record(catch.id, Type::error_record());
            }
        }
        let falls = self.block(&catch.body);
        self.leave(mark);
        falls
    }

    /// `finally { }`
    pub(crate) fn finally_block(&mut self, block: &Block) {
        self.within(FrameKind::Finally, block.span, |checker| checker.block(block));
    }

    /// The list and body of `for` and `parallel for`.
    pub(crate) fn each(&mut self, form: &For, span: Span) {
        let item = self.items_of(&form.list);
        if let Some(limit) = &form.limit {
            self.expect(limit, &Type::Int, "`limit`");
        }
        if form.parallel {
            self.unbounded_fanout(form, span);
            self.in_new_control(|checker| checker.iteration(form, item));
        } else {
            self.iteration(form, item);
        }
    }

    fn iteration(&mut self, form: &For, item: Type) {
        let mark = self.mark();
        self.declare(&form.item.text, form.item.span, form.item_id, item, LocalKind::Loop);
        if let Some(index) = &form.index {
            self.declare(&index.text, index.span, form.index_id, Type::Int, LocalKind::Loop);
        }
        self.block(&form.body);
        self.leave(mark);
    }

    /// The type of the items of a list that a loop walks.
    fn items_of(&mut self, list: &Expr) -> Type {
        let ty = self.infer(list, None);
        match &ty {
            Type::List(item) => Type::clone(item),
            Type::Error => Type::Error,
            Type::Union(union) if union.members.iter().all(|member| matches!(member, Type::List(_))) => {
                union.members.iter().fold(Type::Never, |joined, member| match member {
                    Type::List(item) => joined.join(Type::clone(item)),
                    _ => joined,
                })
            }
            _ => {
                let wrong = self.not_iterable(list.span, &ty);
                self.report(wrong);
                Type::Error
            }
        }
    }

    fn not_iterable(&self, span: Span, ty: &Type) -> Diagnostic {
        let bare = ty.without_null();
        if ty.allows_null() && matches!(bare, Type::List(_)) {
            return Diagnostic::new(Code::NULLABLE, span, "this list may be null")
                .here(format!("this is `{ty}`"))
                .suggest("walk an empty list when it is null", span.after(), " ?? []");
        }
        let wrong = match ty {
            Type::Json => Diagnostic::new(Code::JSON_UNCHECKED, span, "`json` must be checked before it is walked")
                .suggest("check that it is a list", span.after(), " as list<json>"),
            _ => Diagnostic::new(Code::NOT_ITERABLE, span, format!("only a list can be walked, and this is `{ty}`")),
        };
        let wrong = wrong.here(format!("this is `{ty}`"));
        match ty {
            Type::Map(_) | Type::Record(_) => wrong.help("walk its `.entries()`, `.keys()` or `.values()`"),
            Type::String => wrong.help("walk its `.lines()`, `.words()` or what `.split(…)` gives"),
            Type::Int => wrong.help("to do something a number of times, use `repeat max n`"),
            _ => wrong,
        }
    }

    /// The bound, the pause and the body of `repeat`.
    pub(crate) fn rounds(&mut self, form: &Repeat) {
        self.expect(&form.max, &Type::Int, "`max`");
        if let Some(every) = &form.every {
            self.expect(&every.from, &Type::Duration, "`every`");
            if let Some(to) = &every.to {
                self.expect(to, &Type::Duration, "`every`");
            }
        }
        self.block(&form.body);
    }

    /// `break` and `continue`
    pub(crate) fn jump_statement(&mut self, stmt: &Stmt, jump: Jump) -> bool {
        self.jump(jump, stmt.span);
        false
    }
}
