//! What follows an expression: fields, indices, methods, and `?.`, which skips the rest of its chain on null.

use crate::builtins::{MethodRef, ParamKind};
use crate::check::Resolution;
use crate::compile::lower::Lowering;
use crate::compile::lower::expr::constant;
use crate::program::Expr;
use crate::source::Span;
use crate::syntax::ast::{self, NodeId, Postfix, PostfixKind};
use crate::types::{Text, Type};
use crate::value::Value;

impl Lowering<'_> {
    pub(super) fn postfix(&mut self, base: &ast::Expr, chain: &[Postfix]) -> Expr {
        let start = base.span;
        let value = self.expr(base);
        self.chain(value, base.id, start, chain)
    }

    /// `value` and what follows it. From `?.` on the rest stands in a [`Expr::Guard`] over the value so far.
    fn chain(&mut self, mut value: Expr, mut base: NodeId, start: Span, chain: &[Postfix]) -> Expr {
        for (at, postfix) in chain.iter().enumerate() {
            if postfix.optional {
                return self.scope(|lowering| {
                    let slot = lowering.temp();
                    let first = lowering.link(Expr::Slot(slot), base, start, postfix);
                    let rest = lowering.chain(first, postfix.id, start, chain.get(at + 1..).unwrap_or_default());
                    Expr::Guard { slot, parts: Box::new((value, rest)) }
                });
            }
            value = self.link(value, base, start, postfix);
            base = postfix.id;
        }
        value
    }

    /// A postfix on a value; `base` is the node that the value comes from.
    fn link(&mut self, value: Expr, base: NodeId, start: Span, postfix: &Postfix) -> Expr {
        let span = start.to(postfix.span);
        match (self.resolution(postfix.id), &postfix.kind) {
            (Some(Resolution::Secret(name)), _) => constant(Value::Secret(name.as_str().into())),
            (Some(Resolution::CheckMethod(ty)), _) => Expr::Check(Box::new(value), ty.clone()),
            (Some(Resolution::Method(method)), PostfixKind::Method(_, args)) => {
                self.method(*method, value, postfix, args, span)
            }
            (Some(Resolution::Method(method)), _) => self.method(*method, value, postfix, &[], span),
            (found, PostfixKind::Field(name) | PostfixKind::Method(name, _)) => {
                let hint = if let Some(Resolution::Field(hint)) = found { *hint } else { 0 };
                field(value, &name.text, hint)
            }
            (_, PostfixKind::Index(index)) if *self.checked.ty(base) == Type::Json => {
                Expr::Lookup { base: Box::new(value), index: Box::new(self.expr(index)) }
            }
            (_, PostfixKind::Index(index)) => {
                Expr::Index { base: Box::new(value), index: Box::new(self.expr(index)), span }
            }
        }
    }

    fn method(&mut self, method: MethodRef, receiver: Expr, postfix: &Postfix, args: &[ast::Arg], span: Span) -> Expr {
        let order = self.checked.arguments.get(postfix.id).map(Vec::as_slice).unwrap_or_default();
        let mut values = Vec::new();
        let mut given = 0;
        let mut lambda = None;
        for (param, index) in method.types().params.iter().zip(order) {
            let arg = index.and_then(|index| args.get(index as usize)).map(|arg| &arg.value);
            if matches!(param.kind, ParamKind::Lambda(..)) {
                lambda = arg.and_then(|arg| self.lambda(arg));
                continue;
            }
            // One that is left out before one that is given is null; those left out at the end are not there.
            values.push(arg.map_or_else(|| constant(Value::Null), |arg| self.expr(arg)));
            if arg.is_some() {
                given = values.len();
            }
        }
        values.truncate(given);
        Expr::Method { method, receiver: Box::new(receiver), args: values, lambda, span }
    }
}

/// A field of a value. A field of a record that is made on the spot from what is at hand (`input.url`,
/// `prev.success`) is that value.
pub(super) fn field(base: Expr, name: &Text, hint: u32) -> Expr {
    match base {
        Expr::Record { shape, mut values }
            if shape.index_of(name).is_some()
                && values.iter().all(|value| matches!(value, Expr::Slot(_) | Expr::Const(_))) =>
        {
            let at = shape.index_of(name).unwrap_or_default();
            values.swap_remove(at)
        }
        base => Expr::Field { base: Box::new(base), name: name.clone(), hint },
    }
}
