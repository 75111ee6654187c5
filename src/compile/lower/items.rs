//! Flows, functions and tests.

use std::sync::{Arc, OnceLock};

use crate::check::ItemRef;
use crate::compile::Analysis;
use crate::compile::lower::Lowering;
use crate::program::{self, Block, Budget, Flow, Function, Program, SourceText, Stmt, Test};
use crate::source::FileId;
use crate::syntax::ast::{self, Annotation, ExprKind, FnBody, Item, ItemKind, Literal};

/// The file that a program is made of; the others are imported.
const ROOT: FileId = FileId(0);

impl Lowering<'_> {
    /// The whole program: the flows and functions of all files, the tests of the first.
    pub(super) fn program(mut self, analysis: &Analysis) -> Program {
        let items = || {
            analysis.units.iter().flat_map(|unit| {
                unit.tree.items.iter().zip(0..).map(|(item, index)| (ItemRef { file: unit.id, index }, item))
            })
        };
        // Every place first: a call may come before what it calls.
        for (at, item) in items() {
            match &item.kind {
                ItemKind::Flow(_) => {
                    self.flows.insert(at, self.flows.len() as u32);
                }
                ItemKind::Fn(_) => {
                    self.functions.insert(at, self.functions.len() as u32);
                }
                _ => {}
            }
        }
        let (mut flows, mut functions, mut tests) = (Vec::new(), Vec::new(), Vec::new());
        for (at, item) in items() {
            match &item.kind {
                ItemKind::Flow(flow) => flows.push(self.flow(at, item, flow)),
                ItemKind::Fn(function) => functions.push(self.function(function)),
                ItemKind::Test(test) if at.file == ROOT => tests.push(self.test(item, test)),
                _ => {}
            }
        }
        let text = |file: &crate::source::SourceFile| SourceText { name: file.name().into(), text: file.shared_text() };
        Program {
            sources: analysis.sources.iter().map(|(_, file)| text(file)).collect(),
            tools: self.tools.into_values().collect(),
            flows,
            functions,
            tests,
            hash: OnceLock::new(),
        }
    }

    fn flow(&mut self, at: ItemRef, item: &Item, flow: &ast::FlowDecl) -> Flow {
        self.params = flow.params.iter().map(|param| (param.name.text.clone(), param.id)).collect();
        let ((params, body), slots) = self.frame(|lowering| {
            let params = lowering.params(&flow.params);
            (params, lowering.segments(|lowering| lowering.block(&flow.body)))
        });
        self.params = Vec::new();
        Flow {
            name: flow.name.text.clone(),
            doc: item.doc.clone().unwrap_or_default(),
            span: flow.name.span,
            exported: at.file == ROOT,
            params,
            result: self.checked.returns.get(&at).cloned().unwrap_or(crate::types::Type::Null),
            triggers: annotation(item, "trigger").map(triggers).unwrap_or_default(),
            budget: annotation(item, "budget").map(budget).unwrap_or_default(),
            timeout: annotation(item, "timeout").and_then(timeout),
            slots,
            body,
        }
    }

    fn function(&mut self, function: &ast::FnDecl) -> Function {
        let ((params, body), slots) = self.frame(|lowering| {
            let params = lowering.params(&function.params);
            let body = match &function.body {
                FnBody::Expr(value) => Block { stmts: vec![Stmt::Return(lowering.expr(value))] },
                FnBody::Block(block) => lowering.block(block),
            };
            (params, body)
        });
        Function { name: function.name.text.clone(), params, slots, body }
    }

    fn test(&mut self, item: &Item, test: &ast::TestDecl) -> Test {
        let (body, slots) = self.frame(|lowering| lowering.segments(|lowering| lowering.block(&test.body)));
        Test { title: test.title.clone(), span: item.span, slots, body }
    }

    /// Parameters: the n-th has slot n, and its default sees those before it.
    fn params(&mut self, params: &[ast::Param]) -> Vec<program::Param> {
        let slots: Vec<_> = params.iter().map(|_| self.temp()).collect();
        let mut lowered = Vec::with_capacity(params.len());
        for (param, slot) in params.iter().zip(slots) {
            let ty = self.checked.ty(param.ty.id).clone();
            let default = param.default.as_ref().map(|default| self.expr(default));
            lowered.push(program::Param {
                name: param.name.text.clone(),
                doc: param.doc.clone().unwrap_or_default(),
                ty: if param.optional && default.is_none() { ty.or_null() } else { ty },
                optional: param.optional || default.is_some(),
                default,
            });
            self.alias(param.id, slot);
        }
        lowered
    }
}

fn annotation<'i>(item: &'i Item, name: &str) -> Option<&'i Annotation> {
    item.annotations.iter().find(|annotation| annotation.name.text == name)
}

fn literal(expr: &ast::Expr) -> Option<&Literal> {
    match &expr.kind {
        ExprKind::Literal(literal) => Some(literal),
        ExprKind::Paren(inner) => literal(inner),
        _ => None,
    }
}

/// `@trigger("…", "…")`
fn triggers(annotation: &Annotation) -> Vec<String> {
    let texts = annotation.args.iter().filter_map(|arg| match literal(&arg.value) {
        Some(Literal::String(text)) => Some(text.to_string()),
        _ => None,
    });
    texts.collect()
}

/// `@budget(usd: 0.50, calls: 100, tokens: 200_000)`
fn budget(annotation: &Annotation) -> Budget {
    let number = |name: &str| {
        let arg = annotation.args.iter().find(|arg| arg.name.as_ref().is_some_and(|given| given.text == name))?;
        literal(&arg.value)
    };
    let count = |name| match number(name) {
        Some(Literal::Int(int)) => u64::try_from(*int).ok(),
        _ => None,
    };
    Budget {
        usd: match number("usd") {
            Some(Literal::Int(int)) => Some(*int as f64),
            Some(Literal::Float(float)) => Some(*float),
            _ => None,
        },
        calls: count("calls"),
        tokens: count("tokens"),
    }
}

/// `@timeout(5m)`, in milliseconds.
fn timeout(annotation: &Annotation) -> Option<u64> {
    match literal(&annotation.args.first()?.value)? {
        Literal::Duration(millis) => u64::try_from(*millis).ok(),
        _ => None,
    }
}

/// Makes the compiler hold that a program can be shared between runs and threads.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Arc<Program>>();
};
