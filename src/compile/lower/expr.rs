//! Expressions.

use crate::check::Resolution;
use crate::compile::lower::Lowering;
use crate::compile::lower::record::plain_record;
use crate::program::{Arm, Constant, Expr, Lambda, ListItem, TemplatePart};
use crate::source::Span;
use crate::syntax::ast::{self, ExprKind, Literal, NodeId, PrefixOp};
use crate::types::{BinaryOp, Type};
use crate::value::Value;

impl Lowering<'_> {
    /// Lowers an expression, and converts its value where it crosses over to a wider type.
    pub(super) fn expr(&mut self, expr: &ast::Expr) -> Expr {
        let lowered = self.bare(expr);
        self.coerced(expr.id, lowered)
    }

    /// Converts the value of a node where the checker says so.
    pub(super) fn coerced(&self, id: NodeId, value: Expr) -> Expr {
        match (value, self.checked.coercions.get(id)) {
            (value, None) => value,
            (Expr::Const(Constant(value)), Some(ty)) => constant(value.coerce(ty)),
            (value, Some(ty)) => Expr::Coerce(Box::new(value), ty.clone()),
        }
    }

    fn bare(&mut self, expr: &ast::Expr) -> Expr {
        match &expr.kind {
            ExprKind::Literal(literal) => constant(literal_value(literal)),
            ExprKind::Template(parts) => self.template(parts),
            ExprKind::Name(_) => self.name(expr.id),
            ExprKind::List(items) => self.list(items),
            ExprKind::Record(fields) => self.record(expr.id, fields),
            ExprKind::Paren(inner) => self.expr(inner),
            ExprKind::Prefix(operators, operand) => self.prefix(operators, operand, expr.span),
            ExprKind::Binary(first, rest) => self.binary(first, rest),
            ExprKind::Is(value, ty) => Expr::Is(Box::new(self.expr(value)), self.checked.ty(ty.id).clone()),
            ExprKind::As(value, types) => {
                let first = self.expr(value);
                types.iter().fold(first, |value, (_, ty)| {
                    Expr::As(Box::new(value), self.checked.ty(ty.id).clone(), expr.span.to(ty.span))
                })
            }
            ExprKind::Postfix(base, chain) => self.postfix(base, chain),
            ExprKind::Call(call) => self.function_call(call),
            ExprKind::If { branches, otherwise } => Expr::If {
                branches: branches.iter().map(|(condition, value)| (self.expr(condition), self.expr(value))).collect(),
                otherwise: Box::new(self.expr(otherwise)),
            },
            ExprKind::Match(found) => Expr::Match {
                value: Box::new(self.expr(&found.value)),
                arms: found.arms.iter().map(|arm| self.arm(arm, Self::expr)).collect(),
            },
            ExprKind::Type(ty) => constant(schema(self.checked.ty(ty.id))),
            // Lambdas stand only as arguments of methods, which take them apart; errors stop a program from being
            // lowered.
            ExprKind::Lambda(_) | ExprKind::Error => constant(Value::Null),
        }
    }

    fn name(&mut self, id: NodeId) -> Expr {
        match self.resolution(id) {
            Some(Resolution::Local(local) | Resolution::PrevValue(local)) => Expr::Slot(self.local(*local)),
            Some(Resolution::PrevSuccess(step)) => {
                let result = Expr::Slot(self.local(*step));
                let fields = [("success", constant(true.into())), ("result", result), ("error", constant(Value::Null))];
                plain_record(fields.map(|(name, value)| (name.into(), value)))
            }
            Some(Resolution::Input) => {
                let params = self.params.clone();
                let fields: Vec<_> = params.into_iter().map(|(name, id)| (name, Expr::Slot(self.local(id)))).collect();
                plain_record(fields)
            }
            Some(Resolution::Run) => Expr::Run,
            Some(Resolution::Schema(ty)) => constant(schema(ty)),
            // `secrets` alone is nothing: its postfix names the secret.
            _ => constant(Value::Null),
        }
    }

    fn template(&mut self, parts: &[ast::TemplatePart]) -> Expr {
        let part = |part: &ast::TemplatePart| match part {
            ast::TemplatePart::Text(text) => TemplatePart::Text(text.clone()),
            ast::TemplatePart::Hole(hole) => TemplatePart::Hole(self.expr(hole)),
        };
        Expr::Template(parts.iter().map(part).collect())
    }

    fn list(&mut self, items: &[ast::ListItem]) -> Expr {
        let item = |item: &ast::ListItem| match item {
            ast::ListItem::Value(value) => ListItem::Value(self.expr(value)),
            ast::ListItem::Spread(list) => ListItem::Spread(self.expr(list)),
        };
        let items: Vec<ListItem> = items.iter().map(item).collect();
        // A list of constants is made once.
        let constants = items.iter().map(|item| match item {
            ListItem::Value(Expr::Const(Constant(value))) => Some(value.clone()),
            _ => None,
        });
        match constants.collect::<Option<Vec<Value>>>() {
            Some(values) => constant(Value::list(values)),
            None => Expr::List(items),
        }
    }

    fn prefix(&mut self, operators: &[(PrefixOp, Span)], operand: &ast::Expr, span: Span) -> Expr {
        let mut value = self.expr(operand);
        let mut rest = operators;
        while let Some((operator, _)) = rest.last() {
            let same = rest.iter().rev().take_while(|(other, _)| other == operator).count();
            rest = rest.get(..rest.len() - same).unwrap_or_default();
            value = match operator {
                PrefixOp::Not if same % 2 == 0 => value,
                PrefixOp::Not => Expr::Not(Box::new(value)),
                PrefixOp::Neg => negated(value, same, span),
            };
        }
        value
    }

    fn binary(&mut self, first: &ast::Expr, rest: &[(BinaryOp, Span, ast::Expr)]) -> Expr {
        let mut operands = Vec::with_capacity(rest.len() + 1);
        operands.push(self.expr(first));
        match rest.first().map(|(op, ..)| *op) {
            Some(BinaryOp::And) => {
                operands.extend(rest.iter().map(|(_, _, side)| self.expr(side)));
                Expr::And(operands)
            }
            Some(BinaryOp::Or) => {
                operands.extend(rest.iter().map(|(_, _, side)| self.expr(side)));
                Expr::Or(operands)
            }
            Some(BinaryOp::Coalesce) => {
                operands.extend(rest.iter().map(|(_, _, side)| self.expr(side)));
                Expr::Coalesce(operands)
            }
            _ => {
                let left = operands.pop().unwrap_or_else(|| constant(Value::Null));
                self.operators(left, first.span, rest)
            }
        }
    }

    /// Operators that evaluate both sides, from left to right.
    fn operators(&mut self, left: Expr, start: Span, rest: &[(BinaryOp, Span, ast::Expr)]) -> Expr {
        if let [(op, _, right)] = rest {
            let right_span = right.span;
            let sides = Box::new((left, self.expr(right)));
            return Expr::Binary { op: *op, sides, span: start.to(right_span) };
        }
        let rest = rest.iter().map(|(op, _, right)| (*op, self.expr(right), start.to(right.span))).collect();
        Expr::Chain { first: Box::new(left), rest }
    }

    fn function_call(&mut self, call: &ast::Call) -> Expr {
        match self.resolution(call.id) {
            Some(Resolution::Function(item)) => {
                let function = self.functions.get(item).copied().unwrap_or_default();
                Expr::Call { function, args: self.positional(call.id, &call.args), span: call.span }
            }
            Some(Resolution::Calls(signature)) => Expr::Calls(self.tool(signature)),
            _ => constant(Value::Null),
        }
    }

    /// A call's arguments: one for each parameter, none where it is left out.
    pub(super) fn positional(&mut self, call: NodeId, args: &[ast::Arg]) -> Vec<Option<Expr>> {
        let Some(order) = self.checked.arguments.get(call) else { return Vec::new() };
        let place = |index: &Option<u32>| index.and_then(|index| args.get(index as usize));
        order.iter().map(|index| place(index).map(|arg| self.expr(&arg.value))).collect()
    }

    /// An argument as a lambda, perhaps in parentheses.
    pub(super) fn lambda(&mut self, arg: &ast::Expr) -> Option<Box<Lambda>> {
        let mut arg = arg;
        while let ExprKind::Paren(inner) = &arg.kind {
            arg = inner;
        }
        let ExprKind::Lambda(lambda) = &arg.kind else { return None };
        Some(Box::new(self.scope(|lowering| {
            let params = lambda.params.iter().map(|(id, _)| lowering.declare(*id)).collect();
            Lambda { params, body: lowering.expr(&lambda.body) }
        })))
    }

    /// An arm of a `match`; its names are gone after it.
    pub(super) fn arm<From, To>(
        &mut self,
        arm: &ast::MatchArm<From>,
        lower: impl FnOnce(&mut Self, &From) -> To,
    ) -> Arm<To> {
        self.scope(|lowering| Arm {
            patterns: lowering.patterns(&arm.patterns),
            guard: arm.guard.as_ref().map(|guard| lowering.expr(guard)),
            body: lower(lowering, &arm.body),
        })
    }
}

pub(super) fn constant(value: Value) -> Expr {
    Expr::Const(Constant(value))
}

pub(super) fn literal_value(literal: &Literal) -> Value {
    match literal {
        Literal::Null => Value::Null,
        Literal::Bool(bool) => Value::Bool(*bool),
        Literal::Int(int) => Value::Int(*int),
        Literal::Float(float) => Value::Float(*float),
        Literal::String(text) => Value::String(text.clone()),
        Literal::Duration(millis) => Value::Duration(*millis),
    }
}

/// A value under a number of minus signs. Two of them still say that the least int has no opposite; more say no more.
fn negated(value: Expr, times: usize, span: Span) -> Expr {
    match value {
        Expr::Const(Constant(Value::Int(int))) if times % 2 == 1 && int != i64::MIN => constant(Value::Int(-int)),
        Expr::Const(Constant(Value::Float(float))) if times % 2 == 1 => constant(Value::Float(-float)),
        value if times % 2 == 1 => Expr::Neg(Box::new(value), span),
        value => Expr::Neg(Box::new(Expr::Neg(Box::new(value), span)), span),
    }
}

/// A type as the value that its name stands for: its JSON Schema.
pub(super) fn schema(ty: &Type) -> Value {
    Value::from(ty.to_json_schema())
}
