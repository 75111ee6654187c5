//! A flow as a drawing: boxes for steps, boxes around boxes for blocks. What stands in a lane runs from top to bottom;
//! lanes beside each other are alternatives, or run at once. Written as Mermaid, as Graphviz, or laid out as SVG.

use std::fmt::Write;

use crate::plan::describe::Names;
use crate::program::{Action, Arm, Block, Branch, Expr, Flow, Guard, Pattern, Program, Step, Stmt};

/// A flow as boxes within boxes.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The flow and its parameters: `multi_scrape(urls, at_once)`.
    pub title: String,
    /// What runs one after the other.
    pub nodes: Vec<Node>,
}

/// A box.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// The first line: a step's name, a block's head.
    pub label: String,
    /// The second line: what is called, with the clauses that matter; maybe empty.
    pub detail: String,
    /// What stands inside, side by side.
    pub lanes: Vec<Lane>,
}

/// Boxes one after the other.
#[derive(Clone, Debug)]
pub struct Lane {
    /// When it is taken: a condition, `else`, `catch`; maybe empty.
    pub title: String,
    /// Its boxes.
    pub nodes: Vec<Node>,
}

/// What a box is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A call of a tool.
    Tool,
    /// A call of a flow.
    Flow,
    /// A block.
    Block,
    /// `return yield fail break continue`
    End,
}

/// The drawing of a flow.
pub fn graph(program: &Program, flow: &Flow) -> Graph {
    let mut names = Names::of(flow, program);
    let params: Vec<&str> = flow.params.iter().map(|param| param.name.as_str()).collect();
    let nodes = Drawing { program }.block(&flow.body, &mut names);
    Graph { title: format!("{}({})", flow.name, params.join(", ")), nodes }
}

struct Drawing<'p> {
    program: &'p Program,
}

impl Drawing<'_> {
    fn block(&self, block: &Block, names: &mut Names<'_>) -> Vec<Node> {
        let mut nodes = Vec::new();
        let mut pending: Option<u32> = None;
        for stmt in &block.stmts {
            let node = match stmt {
                Stmt::Assign { slot, value } => {
                    let text = names.describe(value);
                    names.set(*slot, text);
                    None
                }
                Stmt::Step(step) => {
                    pending = step.slot.filter(|_| step.name.is_none());
                    Some(self.step(step, names))
                }
                Stmt::Block(block) => Some(self.action(&block.action, String::new(), names)),
                Stmt::If(form) => Some(self.choice("if", self.if_lanes(form, names))),
                Stmt::Match(form) => Some(self.match_node(&form.value, &form.arms, names)),
                Stmt::Try(form) => {
                    let mut lanes = vec![Lane { title: String::new(), nodes: self.block(&form.body, names) }];
                    self.handlers(
                        form.catch.as_ref().map(|catch| &catch.body),
                        form.finally.as_ref(),
                        &mut lanes,
                        names,
                    );
                    Some(self.choice("try", lanes))
                }
                // The value of `return step` stands in the box of the step already.
                Stmt::Yield(value) => Some(end("yield", value, names, pending)),
                Stmt::Return(value) => Some(end("return", value, names, pending)),
                Stmt::Fail { message, .. } => Some(end("fail", message, names, None)),
                Stmt::Refail { error, .. } => Some(end("fail", error, names, None)),
                Stmt::Break => Some(leaf(NodeKind::End, "break".into(), String::new())),
                Stmt::Continue => Some(leaf(NodeKind::End, "continue".into(), String::new())),
                Stmt::Emit(_) | Stmt::Mock(_) | Stmt::Assert(_) => None,
            };
            nodes.extend(node);
        }
        nodes
    }

    fn step(&self, step: &Step, names: &mut Names<'_>) -> Node {
        let name = step.name.as_ref().map_or(String::new(), ToString::to_string);
        let title = step.title.as_ref().map(|title| names.say(title));
        let mut node = self.action(&step.action, name.clone(), names);
        let mut notes = Vec::new();
        if let Some(when) = &step.when {
            notes.push(format!("when {}", names.describe(when)));
        }
        if matches!(step.guard, Some(Guard::Outcome)) {
            notes.push("try".into());
        }
        if let Some(retry) = &step.retry {
            notes.push(format!("retry {}", names.describe(&retry.count)));
        }
        if let Some(timeout) = &step.timeout {
            notes.push(format!("timeout {}", names.describe(timeout)));
        }
        if step.otherwise.is_some() {
            notes.push("else".into());
        }
        if let Some(undo) = &step.undo {
            notes.push(format!("undo {}", self.callee(&undo.call)));
        }
        if let Some(Guard::Catch { catch, finally }) = &step.guard {
            if node.lanes.is_empty() {
                let call = std::mem::replace(&mut node, leaf(NodeKind::Block, name.clone(), String::new()));
                node.lanes.push(Lane { title: "try".into(), nodes: vec![call] });
            }
            self.handlers(catch.as_ref().map(|catch| &catch.body), finally.as_ref(), &mut node.lanes, names);
        }
        if let Some(slot) = step.slot {
            match &step.name {
                Some(name) => names.set(slot, name.clone()),
                None => names.forget(slot),
            }
        }
        if let Some(title) = title {
            notes.insert(0, format!("“{title}”"));
        }
        if !notes.is_empty() {
            let notes = notes.join(" · ");
            node.detail = if node.detail.is_empty() { notes } else { format!("{} · {notes}", node.detail) };
        }
        node
    }

    fn handlers(&self, catch: Option<&Block>, finally: Option<&Block>, lanes: &mut Vec<Lane>, names: &mut Names<'_>) {
        for (title, body) in [("catch", catch), ("finally", finally)] {
            if let Some(body) = body {
                lanes.push(Lane { title: title.into(), nodes: self.block(body, names) });
            }
        }
    }

    /// What a step or block statement does. `name` is the step's; without one the action is its own label.
    fn action(&self, action: &Action, name: String, names: &mut Names<'_>) -> Node {
        let headed = |head: String, lanes: Vec<Lane>| {
            let (label, detail) = if name.is_empty() { (head, String::new()) } else { (name.clone(), head) };
            Node { kind: NodeKind::Block, label, detail, lanes }
        };
        match action {
            Action::Tool { .. } | Action::Flow { .. } => {
                let kind = if matches!(action, Action::Tool { .. }) { NodeKind::Tool } else { NodeKind::Flow };
                let callee = self.callee(action);
                if name.is_empty() { leaf(kind, callee, String::new()) } else { leaf(kind, name, callee) }
            }
            Action::Parallel(branches) => headed("parallel".into(), self.branches(branches, names)),
            Action::Race(branches) => headed("race".into(), self.branches(branches, names)),
            Action::For(form) => {
                names.set(form.item, "item");
                let head = format!("for each of {}", names.describe(&form.list));
                headed(head, vec![Lane { title: String::new(), nodes: self.block(&form.body, names) }])
            }
            Action::ParallelFor(form) => {
                let limit = form.limit.as_ref().map_or("16".into(), |limit| names.describe(limit));
                let head = format!("parallel for each of {} · {limit} at once", names.describe(&form.list));
                let mut inner = names.captured(&form.frame);
                inner.set(form.item, "item");
                headed(head, vec![Lane { title: String::new(), nodes: self.block(&form.body, &mut inner) }])
            }
            Action::Repeat(form) => {
                let mut head = format!("repeat at most {}", names.describe(&form.max));
                if let Some((from, to)) = &form.every {
                    let _ = write!(head, " · every {}", names.describe(from));
                    if let Some(to) = to {
                        let _ = write!(head, "..{}", names.describe(to));
                    }
                }
                headed(head, vec![Lane { title: String::new(), nodes: self.block(&form.body, names) }])
            }
            Action::Do(body) => {
                headed("do".into(), vec![Lane { title: String::new(), nodes: self.block(body, names) }])
            }
            Action::If(form) => headed("if".into(), self.if_lanes(form, names)),
            Action::Match(form) => {
                let head = format!("match {}", names.describe(&form.value));
                headed(head, self.arm_lanes(&form.arms, names))
            }
        }
    }

    fn choice(&self, head: &str, lanes: Vec<Lane>) -> Node {
        Node { kind: NodeKind::Block, label: head.into(), detail: String::new(), lanes }
    }

    fn match_node(&self, value: &Expr, arms: &[Arm<Block>], names: &mut Names<'_>) -> Node {
        self.choice(&format!("match {}", names.describe(value)), self.arm_lanes(arms, names))
    }

    fn if_lanes(&self, form: &crate::program::If, names: &mut Names<'_>) -> Vec<Lane> {
        let mut lanes = Vec::with_capacity(form.branches.len() + 1);
        for (condition, body) in &form.branches {
            lanes.push(Lane { title: names.describe(condition), nodes: self.block(body, names) });
        }
        if let Some(body) = &form.otherwise {
            lanes.push(Lane { title: "else".into(), nodes: self.block(body, names) });
        }
        lanes
    }

    fn arm_lanes(&self, arms: &[Arm<Block>], names: &mut Names<'_>) -> Vec<Lane> {
        let mut lanes = Vec::with_capacity(arms.len());
        for arm in arms {
            let patterns: Vec<String> = arm.patterns.iter().map(|pattern| described(pattern, names)).collect();
            lanes.push(Lane { title: patterns.join(" | "), nodes: self.block(&arm.body, names) });
        }
        lanes
    }

    fn branches(&self, branches: &[Branch], names: &mut Names<'_>) -> Vec<Lane> {
        let mut lanes = Vec::with_capacity(branches.len());
        for branch in branches {
            let mut inner = names.captured(&branch.frame);
            lanes.push(Lane { title: String::new(), nodes: vec![self.step(&branch.step, &mut inner)] });
        }
        for branch in branches {
            if let (Some(slot), Some(name)) = (branch.bind, &branch.step.name) {
                names.set(slot, name.clone());
            }
        }
        lanes
    }

    fn callee(&self, action: &Action) -> String {
        match action {
            Action::Tool { tool, .. } => {
                self.program.tools.get(*tool as usize).map_or(String::new(), |tool| tool.name.to_string())
            }
            Action::Flow { flow, .. } => {
                self.program.flows.get(*flow as usize).map_or(String::new(), |flow| format!("flow {}", flow.name))
            }
            _ => String::new(),
        }
    }
}

fn leaf(kind: NodeKind, label: String, detail: String) -> Node {
    Node { kind, label, detail, lanes: Vec::new() }
}

fn end(word: &str, value: &Expr, names: &Names<'_>, of_step: Option<u32>) -> Node {
    let of_step = matches!((value, of_step), (Expr::Slot(slot), Some(step)) if *slot == step);
    let label = match value {
        _ if of_step => word.to_owned(),
        Expr::Template(_) => format!("{word} “{}”", names.say(value)),
        _ => format!("{word} {}", names.describe(value)),
    };
    leaf(NodeKind::End, label, String::new())
}

fn described(pattern: &Pattern, names: &mut Names<'_>) -> String {
    match pattern {
        Pattern::Any => "_".into(),
        Pattern::Bind(slot) => {
            names.set(*slot, "it");
            "it".into()
        }
        Pattern::Const(constant) => constant.0.to_json_text(),
        Pattern::Is(ty) => format!("is {ty}"),
        Pattern::Record(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, pattern)| format!("{name}: {}", described(pattern, names))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
    }
}

impl Graph {
    /// As a Mermaid flowchart.
    pub fn to_mermaid(&self) -> String {
        let mut out = format!("flowchart TD\n  start([{}])\n", mermaid(&self.title, ""));
        let mut next = 0;
        let mut last = "start".to_owned();
        for node in &self.nodes {
            let id = mermaid_node(node, &mut next, 1, &mut out);
            let _ = writeln!(out, "  {last} --> {id}");
            last = id;
        }
        out
    }

    /// As a Graphviz digraph.
    pub fn to_dot(&self) -> String {
        let mut out = String::from(
            "digraph flow {\n  compound=true;\n  node [shape=box, style=\"rounded\", fontname=\"sans-serif\", fontsize=11];\n  graph [fontname=\"sans-serif\", fontsize=11];\n",
        );
        let _ = writeln!(out, "  start [label={}, shape=oval];", dot(&self.title, ""));
        let mut next = 0;
        let mut last = Anchor { first: "start".into(), last: "start".into(), cluster: None };
        for node in &self.nodes {
            let anchor = dot_node(node, &mut next, 1, &mut out);
            dot_edge(&last, &anchor, 1, &mut out);
            last = anchor;
        }
        out.push_str("}\n");
        out
    }

    /// As an SVG image with real text.
    pub fn to_svg(&self) -> String {
        super::svg::draw(self)
    }
}

fn indent(depth: usize, out: &mut String) {
    for _ in 0..depth {
        out.push_str("  ");
    }
}

/// A quoted label; what Mermaid would read as markup is written as entities.
fn mermaid(label: &str, detail: &str) -> String {
    let escape = |text: &str| {
        let mut escaped = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '"' => escaped.push_str("#quot;"),
                '<' => escaped.push_str("#lt;"),
                '>' => escaped.push_str("#gt;"),
                '#' => escaped.push_str("#35;"),
                '`' => escaped.push_str("#96;"),
                '\n' | '\r' => escaped.push(' '),
                c => escaped.push(c),
            }
        }
        escaped
    };
    if detail.is_empty() {
        format!("\"{}\"", escape(label))
    } else {
        format!("\"{}<br>{}\"", escape(label), escape(detail))
    }
}

/// Writes a box and gives its id.
fn mermaid_node(node: &Node, next: &mut u32, depth: usize, out: &mut String) -> String {
    let id = format!("n{next}");
    *next += 1;
    indent(depth, out);
    if node.lanes.is_empty() {
        let label = mermaid(&node.label, &node.detail);
        let _ = match node.kind {
            NodeKind::Tool => writeln!(out, "{id}[{label}]"),
            NodeKind::Flow => writeln!(out, "{id}[[{label}]]"),
            NodeKind::Block => writeln!(out, "{id}({label})"),
            NodeKind::End => writeln!(out, "{id}([{label}])"),
        };
        return id;
    }
    let _ = writeln!(out, "subgraph {id}[{}]", mermaid(&node.label, &node.detail));
    for lane in &node.lanes {
        let titled = !lane.title.is_empty();
        let inner = if titled { depth + 2 } else { depth + 1 };
        if titled {
            indent(depth + 1, out);
            let _ = writeln!(out, "subgraph n{next}[{}]", mermaid(&lane.title, ""));
            *next += 1;
        }
        let mut last: Option<String> = None;
        for node in &lane.nodes {
            let id = mermaid_node(node, next, inner, out);
            if let Some(last) = last {
                indent(inner, out);
                let _ = writeln!(out, "{last} --> {id}");
            }
            last = Some(id);
        }
        if last.is_none() {
            indent(inner, out);
            let _ = writeln!(out, "n{next}((\" \"))");
            *next += 1;
        }
        if titled {
            indent(depth + 1, out);
            out.push_str("end\n");
        }
    }
    indent(depth, out);
    out.push_str("end\n");
    id
}

/// What an edge can hold on to: boxes inside a cluster stand for it.
struct Anchor {
    first: String,
    last: String,
    cluster: Option<String>,
}

fn dot(label: &str, detail: &str) -> String {
    let escape = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ");
    if detail.is_empty() {
        format!("\"{}\"", escape(label))
    } else {
        format!("\"{}\\n{}\"", escape(label), escape(detail))
    }
}

fn dot_edge(from: &Anchor, to: &Anchor, depth: usize, out: &mut String) {
    indent(depth, out);
    let mut how = Vec::new();
    if let Some(cluster) = &from.cluster {
        how.push(format!("ltail={cluster}"));
    }
    if let Some(cluster) = &to.cluster {
        how.push(format!("lhead={cluster}"));
    }
    let how = if how.is_empty() { String::new() } else { format!(" [{}]", how.join(", ")) };
    let _ = writeln!(out, "{} -> {}{how};", from.last, to.first);
}

fn dot_node(node: &Node, next: &mut u32, depth: usize, out: &mut String) -> Anchor {
    let id = format!("n{next}");
    *next += 1;
    if node.lanes.is_empty() {
        let shape = match node.kind {
            NodeKind::Tool | NodeKind::Block => "",
            NodeKind::Flow => ", peripheries=2",
            NodeKind::End => ", shape=oval",
        };
        indent(depth, out);
        let _ = writeln!(out, "{id} [label={}{shape}];", dot(&node.label, &node.detail));
        return Anchor { first: id.clone(), last: id, cluster: None };
    }
    let cluster = format!("cluster_{id}");
    indent(depth, out);
    let _ = writeln!(out, "subgraph {cluster} {{ label={}; style=rounded;", dot(&node.label, &node.detail));
    let mut ends: Option<(String, String)> = None;
    for lane in &node.lanes {
        indent(depth + 1, out);
        let style = if lane.title.is_empty() { "invis" } else { "dashed" };
        let _ = writeln!(out, "subgraph cluster_n{next} {{ label={}; style={style};", dot(&lane.title, ""));
        *next += 1;
        let mut last: Option<Anchor> = None;
        for node in &lane.nodes {
            let anchor = dot_node(node, next, depth + 2, out);
            if let Some(last) = &last {
                dot_edge(last, &anchor, depth + 2, out);
            }
            ends.get_or_insert_with(|| (anchor.first.clone(), anchor.last.clone()));
            last = Some(anchor);
        }
        if last.is_none() {
            indent(depth + 2, out);
            let _ = writeln!(out, "n{next} [shape=point];");
            ends.get_or_insert_with(|| (format!("n{next}"), format!("n{next}")));
            *next += 1;
        }
        indent(depth + 1, out);
        out.push_str("}\n");
    }
    indent(depth, out);
    out.push_str("}\n");
    let (first, last) = ends.unwrap_or_default();
    Anchor { first, last, cluster: Some(cluster) }
}
