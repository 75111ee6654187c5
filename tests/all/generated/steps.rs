//! Generated steps: calls, block forms, clauses. A step's value goes into a `let` that says its type, since what is
//! inferred may say more.

use std::fmt::Write;

use super::{Generator, Ty};

/// An action as written, what its value is, and what may follow it.
struct Action {
    text: String,
    ty: Ty,
    /// Whether `else` would be a branch of it.
    ends_with_if: bool,
    calls_tool: bool,
}

impl Action {
    fn block(text: String, ty: Ty) -> Self {
        Self { text, ty, ends_with_if: false, calls_tool: false }
    }
}

impl Generator {
    /// A step with a name, and the `let` of its value. Steps in its blocks have at most `depth` blocks around them.
    pub(super) fn step(&mut self, indent: usize, depth: usize) -> String {
        let pad = "    ".repeat(indent);
        let name = self.name("s");
        if depth > 0 && self.choose(6) == 5 {
            return self.parallel(&name, indent, depth);
        }
        let (condition, narrowed) = if self.choose(5) == 4 { self.condition(1) } else { (String::new(), None) };
        let retried = self.choose(4) == 3;
        let ty = self.ty(1);
        let tried = self.choose(5) == 4;
        let action = self.narrowed(narrowed.as_ref(), true, |this| {
            let vars = this.vars.clone();
            if retried {
                this.vars.clear();
            }
            let action = this.action(&ty, indent, depth);
            this.vars = vars;
            action
        });
        let mut text = format!("{pad}step {name} = {}{}", if tried { "try " } else { "" }, action.text);
        if retried {
            text.push_str([" retry 0", " retry 1", " retry 3 backoff 1s..4s on \"network\""][self.choose(3)]);
        }
        if self.choose(4) == 3 {
            text.push_str([" timeout 30s", " timeout 1s"][self.choose(2)]);
        }
        let mut ty = action.ty;
        let mut value = name.clone();
        if tried {
            ty = optional(ty);
            value.push_str(".result");
        } else if !action.ends_with_if && self.choose(4) == 3 {
            let _ = write!(text, " else {}", self.whole(&ty, 1));
        }
        if !condition.is_empty() {
            let _ = write!(text, " when {condition}");
            ty = optional(ty);
            if tried {
                value = format!("{name}?.result");
            }
        }
        if action.calls_tool && self.choose(4) == 3 {
            let _ = write!(text, " undo test.any(value: {name})");
        }
        text.push('\n');
        text.push_str(&self.kept(&pad, &value, ty));
        text
    }

    fn kept(&mut self, pad: &str, value: &str, ty: Ty) -> String {
        let name = self.name("v");
        let text = format!("{pad}let {name}: {ty} = {value}\n");
        self.locals.push((name, ty));
        text
    }

    /// `parallel { }` with two steps.
    fn parallel(&mut self, name: &str, indent: usize, depth: usize) -> String {
        let pad = "    ".repeat(indent);
        let vars = std::mem::take(&mut self.vars);
        let mut text = format!("{pad}step {name} = parallel {{\n");
        let mut fields = Vec::new();
        for _ in 0..2 {
            let (branch, ty) = (self.name("b"), self.ty(1));
            let action = self.action(&ty, indent + 1, depth - 1);
            let _ = writeln!(text, "{pad}    step {branch} = {}", action.text);
            fields.push((branch, action.ty));
        }
        self.vars = vars;
        let _ = writeln!(text, "{pad}}}");
        for (branch, ty) in fields {
            text.push_str(&self.kept(&pad, &format!("{name}.{branch}"), ty));
        }
        text
    }

    /// An action. Where it can be, its value is of the wanted type; a loop gives a list of such.
    fn action(&mut self, ty: &Ty, indent: usize, depth: usize) -> Action {
        let pad = "    ".repeat(indent);
        match self.choose(if depth == 0 { 3 } else { 12 }) {
            1 => {
                let text = format!("test.any(value: {}) as {ty}", self.whole(ty, 1));
                Action { calls_tool: true, ..Action::block(text, ty.clone()) }
            }
            2 if !self.flows.is_empty() => {
                let chosen = self.choose(self.flows.len());
                let (name, params, result) = self.flows[chosen].clone();
                let args: Vec<String> = params.iter().map(|param| self.expr(param, 1)).collect();
                Action::block(format!("{name}({})", args.join(", ")), result)
            }
            3 => Action::block(format!("do {}", self.yielding(ty, indent, depth)), ty.clone()),
            4 | 5 => {
                let (condition, narrowed) = self.condition(1);
                let then = self.narrowed(narrowed.as_ref(), true, |this| this.yielding(ty, indent, depth));
                let otherwise = self.narrowed(narrowed.as_ref(), false, |this| this.yielding(ty, indent, depth));
                let text = format!("if {condition} {then} else {otherwise}");
                Action { ends_with_if: true, ..Action::block(text, ty.clone()) }
            }
            6 | 7 => self.each(ty, indent, depth, false),
            8 => self.each(ty, indent, depth, true),
            9 => {
                let body = self.yielding(ty, indent, depth);
                let caught = self.name("e");
                let handler = self.yielding(ty, indent, depth);
                let mut text = format!("do {{\n{pad}    step {} = try {body} catch {caught} {handler}", self.name("t"));
                if self.choose(3) == 2 {
                    let _ = write!(text, " finally {{\n{pad}        step test.any(value: 1)\n{pad}    }}");
                }
                let _ = write!(text, "\n{pad}    yield {}\n{pad}}}", self.whole(ty, 1));
                Action::block(text, ty.clone())
            }
            10 => {
                let (skip, body) = (self.expr(&Ty::Bool, 1), self.yielding(ty, indent, depth));
                let body = body.replacen('{', &format!("{{\n{pad}    if {skip} {{ continue }}"), 1);
                Action::block(format!("repeat max 3 every 1s..4s {body}"), ty.clone())
            }
            11 => {
                let vars = std::mem::take(&mut self.vars);
                let (a, b) = (self.name("b"), self.name("b"));
                let (first, second) = (self.yielding(ty, indent + 1, depth), self.yielding(ty, indent + 1, depth));
                self.vars = vars;
                let text = format!("race {{\n{pad}    step {a} = do {first}\n{pad}    step {b} = do {second}\n{pad}}}");
                Action::block(text, ty.clone())
            }
            _ => {
                let number = self.echoes.iter().position(|known| known == ty).unwrap_or_else(|| {
                    self.echoes.push(ty.clone());
                    self.echoes.len() - 1
                });
                let text = format!("test.echo_{number}(value: {})", self.expr(ty, 2));
                Action { calls_tool: true, ..Action::block(text, ty.clone()) }
            }
        }
    }

    /// `for` or `parallel for`.
    fn each(&mut self, ty: &Ty, indent: usize, depth: usize, parallel: bool) -> Action {
        let item_ty = self.ty(0);
        let list = self.whole(&Ty::List(Box::new(item_ty.clone())), 1);
        let (item, at) = (self.name("x"), self.name("i"));
        let vars = self.vars.clone();
        if parallel {
            self.vars.clear();
        }
        self.locals.push((item.clone(), item_ty));
        self.locals.push((at.clone(), Ty::Int));
        let body = self.yielding(ty, indent, depth);
        self.locals.truncate(self.locals.len() - 2);
        self.vars = vars;
        let (word, limit) = if parallel { ("parallel for", " limit 2") } else { ("for", "") };
        let text = format!("{word} {item}, {at} in {list}{limit} {body}");
        Action::block(text, Ty::List(Box::new(ty.clone())))
    }

    /// A block that yields a value of the type.
    fn yielding(&mut self, ty: &Ty, indent: usize, depth: usize) -> String {
        let yields = std::mem::replace(&mut self.yields, true);
        let body = self.body(ty, indent + 1, depth.saturating_sub(1));
        self.yields = yields;
        format!("{{\n{body}{}}}", "    ".repeat(indent))
    }
}

fn optional(ty: Ty) -> Ty {
    match ty {
        Ty::Optional(_) => ty,
        other => Ty::Optional(Box::new(other)),
    }
}
