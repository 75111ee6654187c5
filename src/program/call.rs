//! The program of a single tool call: what a tool called by name runs as.

use std::sync::Arc;

use crate::program::{Action, Block, Budget, Expr, Flow, Param, Program, Slot, Step, Stmt};
use crate::source::Span;
use crate::types::{Bindings, Signature, Type};
use crate::value::Shape;

impl Program {
    /// A program whose one flow, named as the tool, has the tool's parameters and returns what a step that calls it
    /// gives: with the default policy, the hooks and the checks of any other step. Type parameters that are not bound
    /// are `json`.
    pub fn of_call(tool: &Arc<Signature>, bound: &Bindings) -> Self {
        let at = Span::default();
        let names = tool.params.iter().map(|param| param.name.clone());
        let params: Vec<Param> = tool.params.iter().map(|param| a_param(param, bound)).collect();
        let slots = params.len() as Slot;
        let result = tool.result.substitute(bound, &Type::Json);
        let action =
            Action::Tool { tool: 0, shape: Arc::new(Shape::new(names)), args: (0..slots).map(Expr::Slot).collect() };
        let step = Step::new(format!("{}@1", tool.name), action, result.clone(), at);
        let step = Step { slot: Some(slots), ..step };
        let flow = Flow {
            name: tool.name.clone(),
            doc: tool.doc.clone(),
            span: at,
            exported: true,
            params,
            result,
            triggers: Vec::new(),
            budget: Budget::default(),
            timeout: None,
            slots: slots + 1,
            body: Block { stmts: vec![Stmt::Step(Box::new(step)), Stmt::Return(Expr::Slot(slots))] },
        };
        Self::new(Vec::new(), vec![Arc::clone(tool)], vec![flow], Vec::new(), Vec::new())
    }
}

/// A parameter of the tool as one of the flow; its default is left to the tool.
fn a_param(param: &crate::types::Param, bound: &Bindings) -> Param {
    let ty = param.ty.substitute(bound, &Type::Json);
    Param {
        name: param.name.clone(),
        doc: param.doc.clone(),
        ty: if param.required { ty } else { ty.or_null() },
        optional: !param.required,
        default: None,
    }
}
