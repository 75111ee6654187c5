//! Blocks, statements, steps and actions.

use super::Printer;
use super::comments::Line;
use super::doc::Doc;
use crate::source::Span;
use crate::syntax::ast::{
    Action, ActionKind, Block, Call, Clause, ClauseKind, Expr, For, If, LetPattern, Match, MatchArm, Mock, MockAnswer,
    MockArgs, Name, Range, Repeat, Step, Stmt, StmtKind, Try, TypeExpr,
};

impl<'a> Printer<'a> {
    /// A block, always on lines of its own; `{}` where it is empty.
    pub(super) fn block(&mut self, block: &'a Block) -> Doc {
        let inside = (block.span.start + 1, block.span.end);
        let lines = self.lines(&block.stmts, inside, |stmt| stmt.span, |this, stmt| this.stmt(stmt));
        if lines.is_empty() {
            return Doc::text("{}");
        }
        let body = Doc::concat([Doc::hard_line(), Self::stack(lines)]).nest();
        Doc::concat([Doc::text("{"), body, Doc::hard_line(), Doc::text("}")])
    }

    /// The block of a match arm: a single plain statement stays beside the arrow where it fits.
    fn arm_block(&mut self, block: &'a Block) -> Doc {
        let inside = (block.span.start + 1, block.span.end);
        let mut lines = self.lines(&block.stmts, inside, |stmt| stmt.span, |this, stmt| this.stmt(stmt));
        if let ([stmt], [line]) = (block.stmts.as_slice(), lines.as_slice())
            && !matches!(stmt.kind, StmtKind::Block(_))
            && !line.doc.is_forced()
        {
            let only = lines.swap_remove(0).doc;
            let flat = Doc::concat([Doc::text("{ "), only.clone(), Doc::text(" }")]);
            let body = Doc::concat([Doc::hard_line(), only]).nest();
            return Doc::choice(flat, Doc::concat([Doc::text("{"), body, Doc::hard_line(), Doc::text("}")]));
        }
        if lines.is_empty() {
            return Doc::text("{}");
        }
        let body = Doc::concat([Doc::hard_line(), Self::stack(lines)]).nest();
        Doc::concat([Doc::text("{"), body, Doc::hard_line(), Doc::text("}")])
    }

    fn stmt(&mut self, stmt: &'a Stmt) -> Doc {
        match &stmt.kind {
            StmtKind::Let { pattern, ty, value } => {
                let name = match pattern {
                    LetPattern::Name(name) => Doc::text(name.text.as_str()),
                    LetPattern::Record(fields) => {
                        let names: Vec<(&Name, &Name)> =
                            fields.iter().map(|field| (&field.field, &field.name)).collect();
                        Self::let_fields(&names)
                    }
                };
                self.binding("let ", name, ty.as_ref(), value)
            }
            StmtKind::Var { name, ty, value } => {
                self.binding("var ", Doc::text(name.text.as_str()), ty.as_ref(), value)
            }
            StmtKind::Set { name, value, .. } => self.binding("set ", Doc::text(name.text.as_str()), None, value),
            StmtKind::Step(step) => self.step(step),
            StmtKind::Block(action) => self.action(action),
            StmtKind::Yield(value) => self.keyword("yield ", value),
            StmtKind::YieldStep(step) => Doc::concat([Doc::text("yield "), self.step(step)]),
            StmtKind::Return(value) => self.keyword("return ", value),
            StmtKind::ReturnStep(step) => Doc::concat([Doc::text("return "), self.step(step)]),
            StmtKind::Fail { value, details } => {
                let fail = self.keyword("fail ", value);
                match details {
                    Some(details) => Doc::concat([fail, Doc::text(" details "), self.expr(details)]),
                    None => fail,
                }
            }
            StmtKind::Emit(value) => self.keyword("emit ", value),
            StmtKind::Assert(value) => self.keyword("assert ", value),
            StmtKind::Break => Doc::text("break"),
            StmtKind::Continue => Doc::text("continue"),
            StmtKind::Mock(mock) => self.mock(mock),
            StmtKind::Error => Doc::text(self.slice(stmt.span)),
        }
    }

    fn keyword(&mut self, word: &str, value: &'a Expr) -> Doc {
        Doc::concat([Doc::text(word), self.expr(value)])
    }

    fn binding(&mut self, word: &str, name: Doc, ty: Option<&'a TypeExpr>, value: &'a Expr) -> Doc {
        let mut parts = vec![Doc::text(word), name];
        if let Some(ty) = ty {
            parts.extend([Doc::text(": "), self.ty(ty)]);
        }
        parts.extend([Doc::text(" = "), self.expr(value)]);
        Doc::concat(parts)
    }

    fn mock(&mut self, mock: &'a Mock) -> Doc {
        let mut parts = vec![Doc::text(format!("mock {}(", mock.tool.text))];
        parts.push(match &mock.args {
            MockArgs::Any => Doc::text("_"),
            MockArgs::Record(fields) => {
                let ends = |field: &crate::syntax::ast::PatternField| field.name.span.to(field.pattern.span);
                match (fields.first(), fields.last()) {
                    (Some(first), Some(last)) => self.pattern_fields(fields, ends(first).to(ends(last))),
                    _ => Doc::text("{}"),
                }
            }
        });
        parts.push(Doc::text(")"));
        if let Some(after) = &mock.after {
            parts.extend([Doc::text(" after "), self.expr(after)]);
        }
        match &mock.answer {
            MockAnswer::Value(value) => parts.extend([Doc::text(" => "), self.expr(value)]),
            MockAnswer::Fails(kind) => parts.extend([Doc::text(" fails "), self.kind(kind)]),
        }
        Doc::concat(parts)
    }

    /// An error kind in its quotes.
    fn kind(&self, kind: &Name) -> Doc {
        let source = self.slice(kind.span);
        if source.starts_with('"') && !source.contains('\n') {
            return Doc::text(source);
        }
        Doc::text(format!("\"{}\"", super::literals::escape(&kind.text, false)))
    }

    fn step(&mut self, step: &'a Step) -> Doc {
        let mut head = vec![Doc::text("step ")];
        if let Some(name) = &step.name {
            head.push(Doc::text(format!("{} ", name.text)));
        }
        if let Some(title) = &step.title {
            head.extend([self.string(title), Doc::text(" ")]);
        }
        if step.name.is_some() || step.title.is_some() {
            head.push(Doc::text("= "));
        }
        let head = Doc::concat(head);
        let action = self.action(&step.action);
        if step.clauses.is_empty() {
            return Doc::concat([head, action]);
        }
        let inside = (step.action.span.end, step.span.end);
        let lines = self.lines(&step.clauses, inside, |clause| clause.span, |this, clause| this.clause(clause));
        let below = |break_line: fn() -> Doc| {
            // Nothing may follow a comment on its line.
            let end = |line: &Line| if line.comment { Doc::break_here() } else { Doc::nil() };
            let parts = lines.iter().flat_map(|line| [break_line(), line.doc.clone(), end(line)]);
            Doc::concat(parts.collect::<Vec<_>>()).nest()
        };
        let is_call = match &step.action.kind {
            ActionKind::Call(_) => true,
            ActionKind::Try(attempt) => {
                matches!(attempt.action.kind, ActionKind::Call(_))
                    && attempt.catch.is_none()
                    && attempt.finally.is_none()
            }
            _ => false,
        };
        let behind = Doc::concat([action.clone(), below(Doc::line).group()]);
        if !is_call || action.is_forced() {
            return Doc::concat([head, behind]);
        }
        // All on one line; else the call on one line and the clauses below it; else the clauses behind the broken call.
        let flat = Doc::concat([action.clone(), below(Doc::line)]);
        let clauses_below = Doc::concat([action, below(Doc::hard_line)]);
        let layouts =
            if flat.is_forced() { clauses_below } else { Doc::choice(flat, Doc::choice(clauses_below, behind)) };
        Doc::concat([head, layouts])
    }

    fn clause(&mut self, clause: &'a Clause) -> Doc {
        match &clause.kind {
            ClauseKind::As(ty) => Doc::concat([Doc::text("as "), self.ty(ty)]),
            ClauseKind::Retry { count, backoff, on } => {
                let mut parts = vec![Doc::text("retry "), self.expr(count)];
                if let Some(backoff) = backoff {
                    parts.extend([Doc::text(" backoff "), self.range(backoff)]);
                }
                for (at, kind) in on.iter().enumerate() {
                    parts.extend([Doc::text(if at == 0 { " on " } else { ", " }), self.kind(kind)]);
                }
                Doc::concat(parts)
            }
            ClauseKind::Timeout(value) => self.keyword("timeout ", value),
            ClauseKind::Else(value) => self.keyword("else ", value),
            ClauseKind::When(value) => self.keyword("when ", value),
            ClauseKind::Undo(call) => Doc::concat([Doc::text("undo "), self.call(call)]),
            ClauseKind::Key(value) => self.keyword("key ", value),
        }
    }

    fn range(&mut self, range: &'a Range) -> Doc {
        let from = self.expr(&range.from);
        match &range.to {
            Some(to) => Doc::concat([from, Doc::text(".."), self.expr(to)]),
            None => from,
        }
    }

    fn call(&mut self, call: &'a Call) -> Doc {
        Doc::concat([Doc::text(call.callee.text.as_str()), self.args(&call.args, call.args_span)])
    }

    fn action(&mut self, action: &'a Action) -> Doc {
        match &action.kind {
            ActionKind::Call(call) => self.call(call),
            ActionKind::Parallel(block) => Doc::concat([Doc::text("parallel "), self.block(block)]),
            ActionKind::Race(block) => Doc::concat([Doc::text("race "), self.block(block)]),
            ActionKind::For(each) => self.for_action(each),
            ActionKind::Repeat(repeat) => self.repeat(repeat),
            ActionKind::Do(block) => Doc::concat([Doc::text("do "), self.block(block)]),
            ActionKind::If(conditional) => self.if_action(conditional),
            ActionKind::Match(matched) => self.match_action(matched, action.span),
            ActionKind::Try(attempt) => self.try_action(attempt),
            ActionKind::Error => Doc::text(self.slice(action.span)),
        }
    }

    fn for_action(&mut self, each: &'a For) -> Doc {
        let mut head = String::from(if each.parallel { "parallel for " } else { "for " });
        head.push_str(&each.item.text);
        if let Some(index) = &each.index {
            head.push_str(", ");
            head.push_str(&index.text);
        }
        head.push_str(" in ");
        let mut parts = vec![Doc::text(head), self.expr(&each.list)];
        if let Some(limit) = &each.limit {
            parts.extend([Doc::text(" limit "), self.expr(limit)]);
        }
        parts.extend([Doc::text(" "), self.block(&each.body)]);
        Doc::concat(parts)
    }

    fn repeat(&mut self, repeat: &'a Repeat) -> Doc {
        let mut parts = vec![Doc::text("repeat max "), self.expr(&repeat.max)];
        if let Some(every) = &repeat.every {
            parts.extend([Doc::text(" every "), self.range(every)]);
        }
        parts.extend([Doc::text(" "), self.block(&repeat.body)]);
        Doc::concat(parts)
    }

    fn if_action(&mut self, conditional: &'a If) -> Doc {
        let mut parts = Vec::new();
        for (at, (cond, block)) in conditional.branches.iter().enumerate() {
            let word = if at == 0 { "if " } else { " else if " };
            parts.extend([Doc::text(word), self.expr(cond), Doc::text(" "), self.block(block)]);
        }
        if let Some(block) = &conditional.otherwise {
            parts.extend([Doc::text(" else "), self.block(block)]);
        }
        Doc::concat(parts)
    }

    fn match_action(&mut self, matched: &'a Match, span: Span) -> Doc {
        let head = Doc::concat([Doc::text("match "), self.expr(&matched.value)]);
        let inside = (matched.value.span.end, span.end);
        let lines = self.lines(
            &matched.arms,
            inside,
            |arm| arm.span,
            |this, arm: &'a MatchArm<Block>| {
                let head = this.arm_head(arm);
                Doc::concat([head, this.arm_block(&arm.body)])
            },
        );
        if lines.is_empty() {
            return Doc::concat([head, Doc::text(" {}")]);
        }
        let body = Doc::concat([Doc::hard_line(), Self::stack(lines)]).nest();
        Doc::concat([head, Doc::text(" {"), body, Doc::hard_line(), Doc::text("}")])
    }

    fn try_action(&mut self, attempt: &'a Try) -> Doc {
        let mut parts = vec![Doc::text("try ")];
        // `try do { }` is `try { }`.
        parts.push(match &attempt.action.kind {
            ActionKind::Do(block) => self.block(block),
            _ => self.action(&attempt.action),
        });
        if let Some(catch) = &attempt.catch {
            parts.push(Doc::text(" catch "));
            if let Some(name) = &catch.name {
                parts.push(Doc::text(format!("{} ", name.text)));
            }
            parts.push(self.block(&catch.body));
        }
        if let Some(finally) = &attempt.finally {
            parts.extend([Doc::text(" finally "), self.block(finally)]);
        }
        Doc::concat(parts)
    }
}
