//! Calls, their arguments, and the lambdas that are given in them.

use crate::diagnostic::{Code, Diagnostic};
use crate::syntax::ast::{Arg, Call, Expr, ExprKind, Lambda, ListItem, Name, NodeId};
use crate::syntax::parse::{Builder, Pair, Rule};

impl Builder<'_> {
    /// A call from its callee and its arguments, which may be missing.
    pub(in crate::syntax) fn call_of(&mut self, callee: Name, args: Pair<'_>) -> Call {
        let called = args.as_rule() == Rule::args;
        // The parenthesis stands right before what it holds.
        let args_span = if called { self.span_of(args.start() - 1, args.end()) } else { self.span(&args) };
        let span = callee.span.to(args_span);
        let args = if called {
            self.args(args)
        } else {
            self.missing(&args);
            Vec::new()
        };
        Call { id: self.fresh(), span, callee, args, args_span }
    }

    pub(in crate::syntax) fn args(&mut self, pair: Pair<'_>) -> Vec<Arg> {
        let mut args = pair.list();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::arg => args.push(self.arg(part)),
                _ => self.missing(&part),
            }
        }
        args
    }

    fn arg(&mut self, pair: Pair<'_>) -> Arg {
        let span = self.span(&pair);
        let mut name = None;
        let mut value = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::arg_name => name = Some(self.name(&part)),
                Rule::type_arg => {
                    let ty = self.inner_type(part);
                    value = Some(Expr { id: self.fresh(), span: ty.span, kind: ExprKind::Type(ty) });
                }
                Rule::lambda_tail => value = value.map(|params| self.lambda(params, part)),
                _ => value = Some(self.lambda_params_or_expr(part)),
            }
        }
        let value = value.unwrap_or_else(|| self.error_expr(span));
        Arg { span, name, value }
    }

    /// `(a, b)` before `=>` is no expression: it is read as one whose parentheses hold several names.
    fn lambda_params_or_expr(&mut self, pair: Pair<'_>) -> Expr {
        if pair.as_rule() == Rule::expr {
            let mut inner = pair.into_inner();
            if let (Some(only), None) = (inner.next(), inner.next())
                && only.as_rule() == Rule::paren
                && only.into_inner().filter(|part| part.as_rule() == Rule::expr).nth(1).is_some()
                && self.rest(pair.end()).starts_with("=>")
            {
                let span = self.span(&only);
                let items = only.into_inner().filter(|part| part.as_rule() == Rule::expr);
                let items = items.map(|part| ListItem::Value(self.expr(part))).collect();
                return Expr { id: self.fresh(), span, kind: ExprKind::List(items) };
            }
        }
        self.expr(pair)
    }

    fn lambda(&mut self, params: Expr, tail: Pair<'_>) -> Expr {
        let span = params.span.to(self.span(&tail));
        let mut names = Vec::new();
        self.lambda_params(params, &mut names);
        let body = match tail.into_inner().next() {
            Some(body) => self.expr(body),
            None => self.error_expr(span),
        };
        Expr { id: self.fresh(), span, kind: ExprKind::Lambda(Box::new(Lambda { params: names, body })) }
    }

    fn lambda_params(&mut self, params: Expr, names: &mut Vec<(NodeId, Name)>) {
        match params.kind {
            ExprKind::Name(text) => {
                let name = Name { text, span: params.span };
                self.check_declared(&name);
                names.push((params.id, name));
            }
            ExprKind::Paren(inner) => self.lambda_params(*inner, names),
            ExprKind::List(items) => {
                for item in items {
                    if let ListItem::Value(value) = item {
                        self.lambda_params(value, names);
                    }
                }
            }
            ExprKind::Error => {}
            _ => {
                let message = "a lambda's parameter is a name";
                self.report(
                    Diagnostic::new(Code::SYNTAX, params.span, message).help("write `x => …` or `(a, b) => …`"),
                );
            }
        }
    }
}
