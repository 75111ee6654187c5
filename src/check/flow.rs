//! Flows and functions: the order in which they are checked, their defaults, and the results they declare or give.

use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

use crate::check::ItemRef;
use crate::check::call::Callee;
use crate::check::context::{Checker, LocalKind, Prev};
use crate::check::effects::Harm;
use crate::check::exits::{Frame, FrameKind};
use crate::check::walk::{self, Visitor};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Block, Call, FlowDecl, FnBody, FnDecl, Item, ItemKind, Name, Param};
use crate::types::{Field, Fields, Type};

impl<'a> Checker<'a> {
    /// Checks the body of every item. Flows and functions come after those they call, so that a result that is not
    /// declared is known where it is used; tests come last.
    pub(crate) fn item_bodies(&mut self) {
        let items = self.units.iter().flat_map(|unit| &unit.tree.items);
        self.body.budgets = items.flat_map(|item| &item.annotations).any(|said| said.name.text == "budget");
        for (at, item) in self.callables() {
            match &item.kind {
                ItemKind::Flow(flow) => self.flow(at, flow),
                ItemKind::Fn(function) => self.function(at, function),
                _ => {}
            }
        }
        let units = self.units;
        for unit in units {
            self.file = unit.id;
            for (index, item) in unit.tree.items.iter().enumerate() {
                let at = ItemRef { file: unit.id, index: index as u32 };
                self.annotations(at, item);
                if let ItemKind::Test(test) = &item.kind {
                    self.test(test);
                }
            }
        }
        self.unused_results();
    }

    /// Checks the body of a flow.
    fn flow(&mut self, at: ItemRef, flow: &FlowDecl) {
        self.begin(at);
        let mark = self.mark();
        let params = self.params(Callee::Flow(at), &flow.params);
        self.input = Some(Type::record(params));
        let result = flow.result.as_ref().map(|_| self.returns(at));
        let kind = FrameKind::Flow(result.clone());
        let (frame, falls) =
            self.in_new_path(|checker| checker.within(kind, flow.name.span, |checker| checker.block(&flow.body)));
        self.leave(mark);
        self.input = None;
        match result {
            Some(result) => self.missing_return(falls, &frame, &flow.name, &flow.body, &result),
            None => {
                let mut ty = self.settle(&frame.given);
                if falls {
                    ty = if frame.given.is_empty() { Type::Null } else { ty.or_null() };
                }
                self.out.returns.insert(at, ty);
            }
        }
        if self.body.budgets {
            self.note_least(at, &flow.body);
        }
        self.unhandled_failure(at, &flow.body);
        if self.body.destructive_seen {
            self.note_harm(at, &flow.body);
        }
    }

    /// Checks the body of a function.
    fn function(&mut self, at: ItemRef, function: &FnDecl) {
        self.begin(at);
        self.pure_because = Some("a `fn`");
        let mark = self.mark();
        self.params(Callee::Function(at), &function.params);
        let result = function.result.as_ref().map(|_| self.returns(at));
        let name = &function.name;
        match &function.body {
            FnBody::Expr(value) => {
                let role = format!("the value of `{}`", name.text);
                let ty = match &result {
                    Some(result) => self.expect(value, result, role),
                    None => self.infer(value, None),
                };
                if result.is_none() {
                    self.out.returns.insert(at, ty);
                }
            }
            FnBody::Block(body) => {
                let kind = FrameKind::Function(result.clone());
                let (frame, falls) = self.within(kind, name.span, |checker| checker.block(body));
                let wanted = result.clone().unwrap_or(Type::Never);
                self.missing_return(falls, &frame, name, body, &wanted);
                if result.is_none() {
                    let ty = self.settle(&frame.given);
                    self.out.returns.insert(at, if falls { Type::Error } else { ty });
                }
            }
        }
        self.leave(mark);
        self.pure_because = None;
    }

    /// Begins an item: nothing around it is in sight.
    pub(crate) fn begin(&mut self, at: ItemRef) {
        self.file = at.file;
        self.prev = Prev::Nothing("at the start of a block");
        self.body.frames.clear();
        self.body.segments.clear();
        self.body.doubtful = false;
    }

    /// Declares parameters, each after its default, which may use those before it. Gives them as fields.
    fn params(&mut self, of: Callee, params: &[Param]) -> Fields {
        let known = self.parameters(&of);
        let prev = std::mem::replace(&mut self.prev, Prev::Nothing("in a default"));
        let mut fields = Fields::with_capacity_and_hasher(params.len(), FxBuildHasher);
        for (at, param) in params.iter().enumerate() {
            let ty = known.list.get(at).map_or(Type::Error, |known| known.ty.clone());
            let name = &param.name;
            if let Some(default) = &param.default {
                self.expect(default, &ty, format!("the default of `{}`", name.text));
            }
            // One that is declared twice has been reported.
            if !fields.contains_key(&name.text) {
                self.declare(&name.text, name.span, param.id, ty.clone(), LocalKind::Param);
            }
            fields.insert(name.text.clone(), Field::required(ty));
        }
        self.prev = prev;
        fields
    }

    /// Says of a body whose end is reached that it must return, at the very path.
    fn missing_return(&mut self, falls: bool, frame: &Frame, name: &Name, body: &Block, result: &Type) {
        if !falls || result.allows_null() || *result == Type::Error {
            return;
        }
        let (span, when) = self.open_path(body);
        let name = &name.text;
        let what = match when {
            Some(when) => format!("`{name}` returns nothing {when}"),
            None if frame.given.is_empty() => format!("`{name}` never returns a value"),
            None => format!("`{name}` returns nothing on this path"),
        };
        let mut wrong = Diagnostic::new(Code::MISSING_RETURN, span, what).here("the end is reached without a `return`");
        wrong = if *result == Type::Never {
            wrong.help("every path of a function returns or fails")
        } else {
            wrong.help(format!("return `{result}` or `fail` here, or declare the result as `{result}?`"))
        };
        self.report_unless_doubtful(wrong);
    }

    /// Remembers whether running a flow a second time could do harm.
    fn note_harm(&mut self, at: ItemRef, body: &Block) {
        let mut harm = Harm { checker: self, found: None };
        walk::block(body, &mut harm);
        if let Some((_, tool)) = harm.found {
            self.body.harmful.insert(at, tool);
        }
    }

    /// Flows and functions, each after those it calls. Those that call one another in a circle are reported, and
    /// what they give is not known unless it is declared.
    fn callables(&mut self) -> Vec<(ItemRef, &'a Item)> {
        let units = self.units;
        let mut graph = Graph::default();
        for unit in units {
            for (index, item) in unit.tree.items.iter().enumerate() {
                if matches!(item.kind, ItemKind::Flow(_) | ItemKind::Fn(_)) {
                    let at = ItemRef { file: unit.id, index: index as u32 };
                    let mut calls = Calls { checker: self, at, found: Vec::new() };
                    walk::item(item, &mut calls);
                    let found = calls.found;
                    graph.nodes.insert(at, (item, found));
                }
            }
        }
        let starts: Vec<ItemRef> = graph.nodes.keys().copied().collect();
        for start in starts {
            graph.visit(start);
        }
        for cycle in std::mem::take(&mut graph.cycles) {
            self.recursion(&graph, &cycle);
        }
        graph.order.iter().filter_map(|at| graph.nodes.get(at).map(|(item, _)| (*at, *item))).collect()
    }

    /// Reports a circle of calls.
    fn recursion(&mut self, graph: &Graph<'_>, cycle: &[(ItemRef, Span)]) {
        let Some((first, span)) = cycle.first().copied() else { return };
        let mut names: Vec<&str> = cycle.iter().map(|(at, _)| graph.name(*at)).collect();
        names.push(graph.name(first));
        let path = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" → ");
        let message = if cycle.len() == 1 {
            format!("`{}` calls itself", graph.name(first))
        } else {
            format!("these call one another in a circle: {path}")
        };
        let mut wrong = Diagnostic::new(Code::RECURSION, span, message)
            .help("flows and functions do not recurse, so that every run ends: walk a list with `for`, or go round with `repeat max n`");
        for (pair, (_, call)) in names.windows(2).zip(cycle).skip(1) {
            if let [from, to] = pair {
                wrong = wrong.label(*call, format!("`{from}` calls `{to}` here"));
            }
        }
        self.report(wrong);
    }
}

/// Which flow or function calls which.
#[derive(Default)]
struct Graph<'a> {
    nodes: IndexMap<ItemRef, Node<'a>, FxBuildHasher>,
    /// Each after those it calls.
    order: Vec<ItemRef>,
    /// Circles: each call of it with the one that makes it.
    cycles: Vec<Vec<(ItemRef, Span)>>,
    done: FxHashSet<ItemRef>,
    /// Where those under way stand on the path from the start.
    path: FxHashMap<ItemRef, usize>,
}

/// A flow or function with what it calls.
type Node<'a> = (&'a Item, Vec<(ItemRef, Span)>);

impl Graph<'_> {
    /// Orders what can be reached from an item; walks with a stack of its own, since chains of calls may be long.
    fn visit(&mut self, start: ItemRef) {
        if !self.done.insert(start) {
            return;
        }
        self.path.insert(start, 0);
        let mut stack: Vec<(ItemRef, usize)> = vec![(start, 0)];
        while let Some((at, next)) = stack.last().copied() {
            let call = self.nodes.get(&at).and_then(|(_, calls)| calls.get(next)).copied();
            let Some((callee, _)) = call else {
                stack.pop();
                self.path.remove(&at);
                self.order.push(at);
                continue;
            };
            if let Some(top) = stack.last_mut() {
                top.1 += 1;
            }
            if let Some(from) = self.path.get(&callee) {
                let circle = stack.iter().skip(*from).filter_map(|(at, next)| {
                    let (_, calls) = self.nodes.get(at)?;
                    Some((*at, calls.get(next.checked_sub(1)?)?.1))
                });
                let circle: Vec<_> = circle.collect();
                self.cycles.push(circle);
            } else if self.done.insert(callee) {
                self.path.insert(callee, stack.len());
                stack.push((callee, 0));
            }
        }
    }

    fn name(&self, at: ItemRef) -> &str {
        match self.nodes.get(&at).map(|(item, _)| &item.kind) {
            Some(ItemKind::Flow(flow)) => &flow.name.text,
            Some(ItemKind::Fn(function)) => &function.name.text,
            _ => "",
        }
    }
}

/// Collects what an item calls, each once.
struct Calls<'c, 'u> {
    checker: &'c Checker<'u>,
    at: ItemRef,
    found: Vec<(ItemRef, Span)>,
}

impl Visitor for Calls<'_, '_> {
    fn call(&mut self, call: &Call) {
        let names = self.checker.items.get(&self.at.file);
        let Some(callee) = names.and_then(|names| names.get(&call.callee.text)) else { return };
        if !self.found.iter().any(|(found, _)| found == callee) {
            self.found.push((*callee, call.callee.span));
        }
    }
}
