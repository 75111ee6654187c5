//! Statements.

use std::sync::Arc;

use crate::check::Resolution;
use crate::compile::lower::Lowering;
use crate::compile::lower::expr::constant;
use crate::compile::lower::postfix::field;
use crate::program::{Block, BlockStmt, Catch, Expr, If, Match, Slot, Stmt, Try};
use crate::syntax::ast::{self, ActionKind, LetPattern, StmtKind};
use crate::types::Type;
use crate::value::Value;

impl Lowering<'_> {
    /// The statements of a block, in a scope of their own.
    pub(super) fn block(&mut self, block: &ast::Block) -> Block {
        self.scope(|lowering| lowering.statements(block))
    }

    /// The statements of a block, in the scope at hand.
    pub(super) fn statements(&mut self, block: &ast::Block) -> Block {
        let mut stmts = Vec::with_capacity(block.stmts.len());
        for stmt in &block.stmts {
            self.statement(stmt, &mut stmts);
        }
        Block { stmts }
    }

    fn statement(&mut self, stmt: &ast::Stmt, out: &mut Vec<Stmt>) {
        match &stmt.kind {
            StmtKind::Let { pattern: LetPattern::Name(_), value, .. } | StmtKind::Var { value, .. } => {
                let value = self.expr(value);
                out.push(Stmt::Assign { slot: self.declare(stmt.id), value });
            }
            StmtKind::Let { pattern: LetPattern::Record(fields), value, .. } => self.destructure(fields, value, out),
            StmtKind::Set { id, value, .. } => {
                let value = self.expr(value);
                let Some(Resolution::Local(var)) = self.resolution(*id) else { return };
                out.push(Stmt::Assign { slot: self.local(*var), value });
            }
            StmtKind::Step(step) => {
                let keep = step.name.is_some() || self.read_by_prev.contains(&step.id);
                let step = self.step(step, keep);
                out.push(Stmt::Step(Box::new(step)));
            }
            StmtKind::YieldStep(step) => {
                let value = self.step_value(step, out);
                out.push(Stmt::Yield(value));
            }
            StmtKind::ReturnStep(step) => {
                let value = self.step_value(step, out);
                out.push(Stmt::Return(value));
            }
            StmtKind::Block(action) => self.block_statement(action, out),
            StmtKind::Yield(value) => out.push(Stmt::Yield(self.expr(value))),
            StmtKind::Return(value) => out.push(Stmt::Return(self.expr(value))),
            StmtKind::Fail { value, details } => out.push(self.fail(stmt, value, details.as_ref())),
            StmtKind::Emit(value) => out.push(Stmt::Emit(self.expr(value))),
            StmtKind::Break => out.push(Stmt::Break),
            StmtKind::Continue => out.push(Stmt::Continue),
            StmtKind::Mock(mock) => {
                let mock = self.mock(mock, stmt.span);
                out.push(Stmt::Mock(Arc::new(mock)));
            }
            StmtKind::Assert(condition) => {
                let assert = self.assert(condition);
                out.push(Stmt::Assert(Box::new(assert)));
            }
            StmtKind::Error => {}
        }
    }

    /// `let { a, b: c } = record`: the record goes into a slot of its own for so long, unless it stands in one.
    fn destructure(&mut self, fields: &[ast::LetField], value: &ast::Expr, out: &mut Vec<Stmt>) {
        let ty = self.checked.ty(value.id);
        let value = self.expr(value);
        let slots: Vec<Slot> = fields.iter().map(|taken| self.declare(taken.id)).collect();
        self.scope(|lowering| {
            let record = if let Expr::Slot(slot) = value {
                slot
            } else {
                let slot = lowering.temp();
                out.push(Stmt::Assign { slot, value });
                slot
            };
            for (taken, slot) in fields.iter().zip(slots) {
                let hint = match ty {
                    Type::Record(record) => record.fields.get_index_of(&taken.field.text).unwrap_or_default() as u32,
                    _ => 0,
                };
                let value = lowering.coerced(taken.id, field(Expr::Slot(record), &taken.field.text, hint));
                out.push(Stmt::Assign { slot, value });
            }
        });
    }

    /// The step of `yield step` and `return step`, and its value.
    fn step_value(&mut self, step: &ast::Step, out: &mut Vec<Stmt>) -> Expr {
        let lowered = self.step(step, true);
        let value = lowered.slot.map(Expr::Slot).map(|value| self.coerced(step.id, value));
        out.push(Stmt::Step(Box::new(lowered)));
        value.unwrap_or_else(|| constant(Value::Null))
    }

    fn fail(&mut self, stmt: &ast::Stmt, value: &ast::Expr, details: Option<&ast::Expr>) -> Stmt {
        let caught = matches!(self.checked.ty(value.id), Type::Record(_));
        let value = self.expr(value);
        if caught {
            return Stmt::Refail { error: value, span: stmt.span };
        }
        Stmt::Fail { message: value, details: details.map(|details| self.expr(details)), span: stmt.span }
    }

    fn block_statement(&mut self, action: &ast::Action, out: &mut Vec<Stmt>) {
        match &action.kind {
            ActionKind::If(found) => out.push(Stmt::If(Box::new(self.if_blocks(found)))),
            ActionKind::Match(found) => out.push(Stmt::Match(Box::new(self.match_blocks(found)))),
            ActionKind::Try(found) => {
                let lowered = self.try_statement(found);
                out.push(Stmt::Try(Box::new(lowered)));
            }
            _ => {
                let segment = self.unnamed(action);
                let lowered = self.action(action, true);
                out.push(Stmt::Block(Box::new(BlockStmt { segment, action: lowered, span: action.span })));
            }
        }
    }

    pub(super) fn if_blocks(&mut self, found: &ast::If) -> If {
        If {
            branches: found
                .branches
                .iter()
                .map(|(condition, block)| (self.expr(condition), self.block(block)))
                .collect(),
            otherwise: found.otherwise.as_ref().map(|block| self.block(block)),
        }
    }

    pub(super) fn match_blocks(&mut self, found: &ast::Match) -> Match {
        let value = self.expr(&found.value);
        Match { value, arms: found.arms.iter().map(|arm| self.arm(arm, Self::block)).collect() }
    }

    fn try_statement(&mut self, found: &ast::Try) -> Try {
        let body = if let ActionKind::Do(block) = &found.action.kind {
            self.block(block)
        } else {
            let mut stmts = Vec::new();
            self.scope(|lowering| lowering.block_statement(&found.action, &mut stmts));
            Block { stmts }
        };
        Try {
            body,
            catch: found.catch.as_ref().map(|catch| self.catch(catch)),
            finally: found.finally.as_ref().map(|block| self.block(block)),
        }
    }

    pub(super) fn catch(&mut self, catch: &ast::Catch) -> Catch {
        self.scope(|lowering| {
            let slot = catch.name.as_ref().map(|_| lowering.declare(catch.id));
            Catch { slot, body: lowering.block(&catch.body) }
        })
    }
}
