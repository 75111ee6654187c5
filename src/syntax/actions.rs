//! Steps, the actions they take, and their clauses.

use super::ast::{
    Action, ActionKind, Block, Call, Catch, Clause, ClauseKind, Expr, For, If, Match, MatchArm, Name, Range, Repeat,
    Step, Try,
};
use super::parse::{Builder, Pair, Rule};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;

impl Builder<'_> {
    pub(super) fn step(&mut self, pair: Pair<'_>) -> Step {
        let span = self.span(&pair);
        let id = self.fresh();
        let (mut name, mut title, mut action) = (None, None, None);
        let clauses = pair.into_inner().filter(|part| is_clause(part.as_rule()));
        let mut clauses: Vec<Clause> = Vec::with_capacity(clauses.count());
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::step_name => {
                    let declared = self.name(&part);
                    self.check_declared(&declared);
                    name = Some(declared);
                }
                Rule::string | Rule::block_string | Rule::raw_string => title = Some(self.string(part)),
                Rule::no_eq => self.missing(&part),
                Rule::catch | Rule::finally => self.late_handler(&mut action, part),
                rule if is_clause(rule) => {
                    let clause = self.clause(part);
                    self.check_clause(&clauses, &clause);
                    clauses.push(clause);
                }
                _ => {
                    if name.is_none() && title.is_none() && action.is_none() {
                        name = self.unbound_name(&part);
                    }
                    action = Some(self.action(part));
                }
            }
        }
        let action = action.unwrap_or_else(|| self.error_action(span));
        Step { id, span, name, title, action, clauses }
    }

    /// `step page web.scrape(url)`: a name whose `=` was left out. It is reported, and bound all the same.
    fn unbound_name(&mut self, action: &Pair<'_>) -> Option<Name> {
        if action.as_rule() != Rule::call {
            return None;
        }
        let mut inner = action.into_inner();
        let (callee, args) = (inner.next()?, inner.next()?);
        if args.as_rule() != Rule::no_args || callee.as_str().contains('.') {
            return None;
        }
        let at = args.start();
        if !self.rest(at).starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let name = self.name(&callee);
        let (found, words) = self.found(at);
        let message = format!("expected `=` after the step's name `{}`, found {words}", name.text);
        self.report(Diagnostic::new(Code::SYNTAX, found, message).suggest("add `=`", found.before(), "= "));
        Some(name)
    }

    /// `catch` and `finally` after the clauses of a step whose action is a `try`.
    fn late_handler(&mut self, action: &mut Option<Action>, part: Pair<'_>) {
        let span = self.span(&part);
        let is_catch = part.as_rule() == Rule::catch;
        let (catch, finally) = if is_catch {
            (Some(self.catch(part)), None)
        } else {
            (None, part.into_inner().next().map(|part| self.block(part)))
        };
        match action.as_mut().map(|action| &mut action.kind) {
            Some(ActionKind::Try(attempt)) if is_catch && attempt.catch.is_none() => attempt.catch = catch,
            Some(ActionKind::Try(attempt)) if !is_catch && attempt.finally.is_none() => attempt.finally = finally,
            _ => {
                let word = if is_catch { "catch" } else { "finally" };
                let head = Span { end: span.start + word.len() as u32, ..span };
                self.report(Diagnostic::new(Code::CLAUSE, head, format!("`{word}` belongs to a `try`")));
            }
        }
    }

    pub(super) fn action(&mut self, pair: Pair<'_>) -> Action {
        let span = self.span(&pair);
        let id = self.fresh();
        let kind = match pair.as_rule() {
            Rule::call => self.call(pair).map_or(ActionKind::Error, ActionKind::Call),
            Rule::for_action => ActionKind::For(Box::new(self.for_action(pair, false))),
            Rule::parallel_action => match pair.into_inner().next() {
                Some(part) if part.as_rule() == Rule::for_action => {
                    ActionKind::For(Box::new(self.for_action(part, true)))
                }
                Some(part) => ActionKind::Parallel(self.block(part)),
                None => ActionKind::Error,
            },
            Rule::race_action => ActionKind::Race(self.inner_block(pair, span)),
            Rule::do_action => ActionKind::Do(self.inner_block(pair, span)),
            Rule::repeat_action => ActionKind::Repeat(Box::new(self.repeat_action(pair, span))),
            Rule::if_action => ActionKind::If(Box::new(self.if_action(pair))),
            Rule::match_action => ActionKind::Match(Box::new(self.match_action(pair, span))),
            Rule::try_action | Rule::try_stmt => ActionKind::Try(Box::new(self.try_action(pair, span))),
            _ => {
                self.missing(&pair);
                ActionKind::Error
            }
        };
        Action { id, span, kind }
    }

    fn error_action(&mut self, span: Span) -> Action {
        Action { id: self.fresh(), span, kind: ActionKind::Error }
    }

    fn call(&mut self, pair: Pair<'_>) -> Option<Call> {
        let mut inner = pair.into_inner();
        let callee = self.name(&inner.next()?);
        Some(self.call_of(callee, inner.next()?))
    }

    fn inner_block(&mut self, pair: Pair<'_>, span: Span) -> Block {
        match pair.into_inner().next() {
            Some(part) => self.block(part),
            None => self.error_block(span),
        }
    }

    fn for_action(&mut self, pair: Pair<'_>, parallel: bool) -> For {
        let span = self.span(&pair);
        let mut names = Vec::new();
        let (mut list, mut limit, mut body) = (None, None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name | Rule::reserved_name | Rule::no_name => {
                    let name = self.declared(&part).unwrap_or_else(|| self.no_name(&part));
                    names.push(name);
                }
                Rule::expr | Rule::no_expr => list = Some(self.expr(part)),
                Rule::limit => limit = self.clause_value(part),
                Rule::block | Rule::no_block => body = Some(self.block(part)),
                _ => self.missing(&part),
            }
        }
        if let (Some(limit), false) = (&limit, parallel) {
            let message = "`limit` belongs to `parallel for`: a plain `for` runs one iteration at a time";
            self.report(Diagnostic::new(Code::CLAUSE, limit.span, message).suggest(
                "make it parallel",
                span.before(),
                "parallel ",
            ));
        }
        let mut names = names.into_iter();
        let item = names.next().unwrap_or(Name { text: crate::types::Text::default(), span });
        For {
            parallel,
            item_id: self.fresh(),
            item,
            index_id: self.fresh(),
            index: names.next(),
            list: list.unwrap_or_else(|| self.error_expr(span)),
            limit,
            body: body.unwrap_or_else(|| self.error_block(span)),
        }
    }

    fn repeat_action(&mut self, pair: Pair<'_>, span: Span) -> Repeat {
        let (mut max, mut every, mut body) = (None, None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr | Rule::no_expr => max = Some(self.expr(part)),
                Rule::every => every = part.into_inner().next().map(|part| self.range(part)),
                Rule::block | Rule::no_block => body = Some(self.block(part)),
                _ => self.missing(&part),
            }
        }
        Repeat {
            max: max.unwrap_or_else(|| self.error_expr(span)),
            every,
            body: body.unwrap_or_else(|| self.error_block(span)),
        }
    }

    fn range(&mut self, pair: Pair<'_>) -> Range {
        let span = self.span(&pair);
        let mut inner = pair.into_inner();
        let from = match inner.next() {
            Some(part) => self.expr(part),
            None => self.error_expr(span),
        };
        Range { from, to: inner.next().map(|part| self.expr(part)) }
    }

    fn if_action(&mut self, pair: Pair<'_>) -> If {
        let mut branches = Vec::new();
        let mut cond = None;
        let mut otherwise = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr | Rule::no_expr => cond = Some(self.expr(part)),
                Rule::block | Rule::no_block => {
                    let block = self.block(part);
                    let cond = cond.take().unwrap_or_else(|| self.error_expr(block.span));
                    branches.push((cond, block));
                }
                Rule::otherwise => otherwise = part.into_inner().next().map(|part| self.block(part)),
                Rule::foreign_else_if => {
                    let span = self.span(&part);
                    let wrong = part.as_str().trim();
                    self.report(
                        Diagnostic::new(Code::FOREIGN_OPERATOR, span, format!("write `else if` instead of `{wrong}`"))
                            .fix("write `else if`", span, "else if"),
                    );
                }
                _ => self.missing(&part),
            }
        }
        If { branches, otherwise }
    }

    fn match_action(&mut self, pair: Pair<'_>, span: Span) -> Match {
        let mut value = None;
        let mut arms: Vec<MatchArm<Block>> = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr | Rule::no_expr => value = Some(self.expr(part)),
                Rule::stmt_arm => {
                    let (head, body) = self.arm(part, |this, body| Some(this.block(body)));
                    let body = body.unwrap_or_else(|| self.error_block(head.span));
                    let end = body.span.end;
                    let mut arm = head.with(body);
                    arm.span.end = end;
                    arms.push(arm);
                }
                _ => self.missing(&part),
            }
        }
        Match { value: value.unwrap_or_else(|| self.error_expr(span)), arms }
    }

    fn try_action(&mut self, pair: Pair<'_>, span: Span) -> Try {
        let (mut action, mut catch, mut finally) = (None, None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::block | Rule::no_block => {
                    let block = self.block(part);
                    action = Some(Action { id: self.fresh(), span: block.span, kind: ActionKind::Do(block) });
                }
                Rule::catch => catch = Some(self.catch(part)),
                Rule::finally => finally = part.into_inner().next().map(|part| self.block(part)),
                _ => action = Some(self.action(part)),
            }
        }
        Try { action: action.unwrap_or_else(|| self.error_action(span)), catch, finally }
    }

    fn catch(&mut self, pair: Pair<'_>) -> Catch {
        let span = self.span(&pair);
        let id = self.fresh();
        let (mut name, mut body) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::block | Rule::no_block => body = Some(self.block(part)),
                _ => name = self.declared(&part),
            }
        }
        Catch { id, name, body: body.unwrap_or_else(|| self.error_block(span)) }
    }

    /// The value of a clause that holds just one.
    fn clause_value(&mut self, pair: Pair<'_>) -> Option<Expr> {
        pair.into_inner().next().map(|part| self.expr(part))
    }

    fn clause(&mut self, pair: Pair<'_>) -> Clause {
        let span = self.span(&pair);
        let rule = pair.as_rule();
        let kind = match rule {
            Rule::as_clause => {
                let ty = pair.into_inner().next().map(|part| self.ty(part));
                ClauseKind::As(ty.unwrap_or_else(|| self.error_type(span)))
            }
            Rule::retry_clause => self.retry_clause(pair, span),
            Rule::undo_clause => {
                let part = pair.into_inner().next();
                let call = part.and_then(|part| match part.as_rule() {
                    Rule::call => self.call(part),
                    _ => {
                        self.missing(&part);
                        None
                    }
                });
                ClauseKind::Undo(call.unwrap_or_else(|| self.error_call(span)))
            }
            _ => {
                let value = self.clause_value(pair).unwrap_or_else(|| self.error_expr(span));
                match rule {
                    Rule::timeout_clause => ClauseKind::Timeout(value),
                    Rule::when_clause => ClauseKind::When(value),
                    Rule::else_clause => ClauseKind::Else(value),
                    _ => ClauseKind::Key(value),
                }
            }
        };
        Clause { span, kind }
    }

    fn error_call(&mut self, span: Span) -> Call {
        let callee = Name { text: crate::types::Text::default(), span: span.after() };
        Call { id: self.fresh(), span, callee, args: Vec::new(), args_span: span.after() }
    }

    fn retry_clause(&mut self, pair: Pair<'_>, span: Span) -> ClauseKind {
        let (mut count, mut backoff, mut on) = (None, None, Vec::new());
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::backoff => backoff = part.into_inner().next().map(|part| self.range(part)),
                Rule::on => on = part.into_inner().filter_map(|part| self.kind_name(part)).collect(),
                _ => count = Some(self.expr(part)),
            }
        }
        ClauseKind::Retry { count: count.unwrap_or_else(|| self.error_expr(span)), backoff, on }
    }

    /// Each clause at most once, `as` first.
    fn check_clause(&mut self, before: &[Clause], clause: &Clause) {
        let word = clause_word(&clause.kind);
        let head = Span { end: clause.span.start + word.len() as u32, ..clause.span };
        if let Some(first) = before.iter().find(|known| clause_word(&known.kind) == word) {
            let message = format!("this step has a `{word}` already");
            self.report(Diagnostic::new(Code::CLAUSE, head, message).label(first.span, "the first one"));
        } else if word == "as" && !before.is_empty() {
            self.report(Diagnostic::new(Code::CLAUSE, head, "`as` comes before the other clauses"));
        }
    }
}

fn is_clause(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::as_clause
            | Rule::retry_clause
            | Rule::timeout_clause
            | Rule::when_clause
            | Rule::else_clause
            | Rule::undo_clause
            | Rule::key_clause
    )
}

/// The word a clause begins with.
fn clause_word(kind: &ClauseKind) -> &'static str {
    match kind {
        ClauseKind::As(_) => "as",
        ClauseKind::Retry { .. } => "retry",
        ClauseKind::Timeout(_) => "timeout",
        ClauseKind::Else(_) => "else",
        ClauseKind::When(_) => "when",
        ClauseKind::Undo(_) => "undo",
        ClauseKind::Key(_) => "key",
    }
}
