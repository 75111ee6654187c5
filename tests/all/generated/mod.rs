//! Programs that check never fail with a type error: generated well-typed programs are compiled and run, their steps
//! with tools that give back what they get, or fail, in virtual time. They may fail for reasons that types do not rule
//! out (overflow, division by zero, an index, a tool), but never with `invalid` or `internal`, and what they return has
//! the type they declare.

mod exprs;
mod steps;
mod tools;

use std::fmt::Write;
use std::pin::pin;
use std::sync::Arc;

use flowc::compile::compile;
use flowc::program::Program;
use flowc::run::{Engine, RunError, VirtualClock};
use flowc::source::{NoLoader, SourceFile};
use flowc::types::Catalog;
use flowc::value::{ErrorKind, Value};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(200),
        max_shrink_iters: 4_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_checks_does_not_fail_with_a_type_error(tape in proptest::collection::vec(any::<u16>(), 0..1_000)) {
        let text = Generator::new(tape).program();
        let program = compiled(&text);
        let flow = program.flow("main").expect("main");
        match run(&program) {
            Ok(value) => {
                let again = value.clone().conform(&flow.result);
                prop_assert_eq!(again.as_ref(), Ok(&value), "the result does not have the declared type\n{}", text);
            }
            Err(error) => {
                let allowed = [
                    ErrorKind::Arithmetic,
                    ErrorKind::Index,
                    ErrorKind::Exhausted,
                    ErrorKind::Failed,
                    ErrorKind::Network,
                    ErrorKind::Timeout,
                    ErrorKind::Tool,
                ];
                prop_assert!(allowed.contains(&error.kind), "{error}\n{text}");
            }
        }
    }

    #[test]
    fn a_stored_program_runs_alike(tape in proptest::collection::vec(any::<u16>(), 0..200)) {
        let text = Generator::new(tape).program();
        let program = compiled(&text);
        let read = Program::from_json(&program.to_json().expect("plain data")).expect("what was written");
        let outcome = |result: Result<Value, RunError>| result.map_err(|error| (error.kind, error.message));
        prop_assert_eq!(outcome(run(&program)), outcome(run(&Arc::new(read))), "{}", text);
    }
}

fn compiled(text: &str) -> Arc<Program> {
    match compile(SourceFile::new("generated.flow", text), &Catalog::empty(), &NoLoader) {
        Ok(program) => Arc::new(program),
        Err(diagnostics) => panic!("a generated program does not check\n{diagnostics}\n{text}"),
    }
}

fn run(program: &Arc<Program>) -> Result<Value, RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let clock = VirtualClock::default();
        let tools = tools::of(program, &clock);
        let engine = Engine::builder().tools(tools).clock(clock.clone()).build().expect("an engine");
        let run = engine.start(program, "main", Value::record([])).expect("main takes nothing");
        let mut value = pin!(run.value());
        loop {
            tokio::select! {
                biased;
                value = &mut value => return value,
                () = tokio::task::yield_now() => drop(clock.advance()),
            }
        }
    })
}

/// The types that are generated.
#[derive(Clone, Debug, PartialEq)]
enum Ty {
    Int,
    Float,
    Bool,
    Str,
    /// One of a few words.
    Word,
    List(Box<Ty>),
    Map(Box<Ty>),
    /// The n-th record type of the program.
    Record(usize),
    Optional(Box<Ty>),
}

impl Ty {
    fn has_map(&self) -> bool {
        match self {
            Ty::Map(_) => true,
            Ty::List(of) | Ty::Optional(of) => of.has_map(),
            _ => false,
        }
    }
}

impl std::fmt::Display for Ty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ty::Int => f.write_str("int"),
            Ty::Float => f.write_str("float"),
            Ty::Bool => f.write_str("bool"),
            Ty::Str => f.write_str("string"),
            Ty::Word => f.write_str("Word"),
            Ty::List(of) => write!(f, "list<{of}>"),
            Ty::Map(of) => write!(f, "map<{of}>"),
            Ty::Record(number) => write!(f, "R{number}"),
            Ty::Optional(of) => write!(f, "{of}?"),
        }
    }
}

/// The members of [`Ty::Word`].
const WORDS: [&str; 3] = ["red", "green", "blue"];

/// What names of vars begin with: a test does not narrow one.
const VAR: &str = "var";

/// Writes a program. Every choice is read off a tape, so that a shorter tape of smaller numbers is a simpler program.
struct Generator {
    tape: Vec<u16>,
    at: usize,
    records: Vec<Vec<(String, Ty)>>,
    functions: Vec<(String, Vec<Ty>, Ty)>,
    /// Names in sight with their types.
    locals: Vec<(String, Ty)>,
    /// The vars among them that may be set here.
    vars: Vec<(String, Ty)>,
    names: usize,
    /// Types that [`Generator::whole`] needs a function for.
    identities: Vec<Ty>,
    /// Types that a step needs a tool for.
    echoes: Vec<Ty>,
    /// Flows that steps may call: name, parameters, result.
    flows: Vec<(String, Vec<Ty>, Ty)>,
    in_flow: bool,
    /// Whether blocks give their value with `yield`, as those of a step do.
    yields: bool,
}

impl Generator {
    fn new(tape: Vec<u16>) -> Self {
        Self {
            tape,
            at: 0,
            records: Vec::new(),
            functions: Vec::new(),
            locals: Vec::new(),
            vars: Vec::new(),
            names: 0,
            identities: Vec::new(),
            echoes: Vec::new(),
            flows: Vec::new(),
            in_flow: false,
            yields: false,
        }
    }

    /// A number below `below`; 0, the simplest choice, once the tape is read.
    fn choose(&mut self, below: usize) -> usize {
        let read = self.tape.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(read) % below.max(1)
    }

    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    fn program(mut self) -> String {
        let mut out = String::from("type Word = \"red\" | \"green\" | \"blue\"\n\n");
        for number in 0..self.choose(3) {
            let fields: Vec<(String, Ty)> =
                (0..=self.choose(3)).map(|field| (format!("f{field}"), self.ty(2))).collect();
            let shown: Vec<String> = fields.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
            let _ = writeln!(out, "type R{number} = {{ {} }}\n", shown.join(", "));
            self.records.push(fields);
        }
        for _ in 0..self.choose(3) {
            let function = self.function();
            out.push_str(&function);
        }
        self.in_flow = true;
        for _ in 0..self.choose(2) {
            let flow = self.flow();
            out.push_str(&flow);
        }
        let result = self.ty(2);
        let _ = writeln!(out, "flow main() -> {result} {{");
        out.push_str(&self.body(&result, 1, 3));
        out.push_str("}\n");
        for (number, ty) in self.identities.iter().enumerate() {
            let _ = writeln!(out, "\nfn as_{number}(value: {ty}) -> {ty} = value");
        }
        for (number, ty) in self.echoes.iter().enumerate() {
            let _ = writeln!(out, "\ntool test.echo_{number}(value: {ty}) -> {ty}");
        }
        out.push_str("\n@read_only\ntool test.any(value: json) -> json\n");
        out
    }

    /// A flow whose body may have steps.
    fn flow(&mut self) -> String {
        let name = self.name("flow_");
        let params: Vec<(String, Ty)> = (0..=self.choose(2)).map(|_| (self.name("p"), self.ty(1))).collect();
        let result = self.ty(1);
        let shown: Vec<String> = params.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
        self.locals.clone_from(&params);
        let text = format!("flow {name}({}) -> {result} {{\n{}}}\n\n", shown.join(", "), self.body(&result, 1, 2));
        self.locals.clear();
        self.vars.clear();
        self.flows.push((name, params.into_iter().map(|(_, ty)| ty).collect(), result));
        text
    }

    fn function(&mut self) -> String {
        let name = self.name("fn_");
        let params: Vec<(String, Ty)> = (0..=self.choose(2)).map(|_| (self.name("p"), self.ty(1))).collect();
        let result = self.ty(2);
        let shown: Vec<String> = params.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
        self.locals.clone_from(&params);
        let head = format!("fn {name}({}) -> {result}", shown.join(", "));
        let text = if self.choose(2) == 0 {
            format!("{head} = {}\n\n", self.expr(&result, 3))
        } else {
            format!("{head} {{\n{}}}\n\n", self.body(&result, 1, 2))
        };
        self.locals.clear();
        self.vars.clear();
        let params = params.into_iter().map(|(_, ty)| ty).collect();
        self.functions.push((name, params, result));
        text
    }

    /// A type.
    fn ty(&mut self, depth: usize) -> Ty {
        let simple = [Ty::Int, Ty::Str, Ty::Bool, Ty::Float, Ty::Word];
        let choices = if depth == 0 { 5 } else { 9 };
        match self.choose(choices) {
            5 => Ty::List(Box::new(self.ty(depth - 1))),
            6 => Ty::Map(Box::new(self.ty(depth - 1))),
            7 if !self.records.is_empty() => Ty::Record(self.choose(self.records.len())),
            8 => match self.ty(depth - 1) {
                Ty::Optional(inner) => Ty::Optional(inner),
                other => Ty::Optional(Box::new(other)),
            },
            number => simple[number % simple.len()].clone(),
        }
    }

    /// Statements that return a value of the type.
    fn body(&mut self, result: &Ty, indent: usize, statements: usize) -> String {
        let pad = "    ".repeat(indent);
        let (locals, vars) = (self.locals.len(), self.vars.len());
        let mut out = String::new();
        for _ in 0..self.choose(statements + 1) {
            out.push_str(&self.statement(result, indent, statements));
        }
        if statements > 0 && self.choose(4) == 3 {
            let condition = self.expr(&Ty::Bool, 1);
            let _ = writeln!(out, "{pad}if {condition} {{");
            out.push_str(&self.body(result, indent + 1, statements - 1));
            let _ = writeln!(out, "{pad}}} else {{");
            out.push_str(&self.body(result, indent + 1, statements - 1));
            let _ = writeln!(out, "{pad}}}");
        } else {
            // What is yielded has no type to take its form from.
            let (word, value) =
                if self.yields { ("yield", self.whole(result, 2)) } else { ("return", self.expr(result, 3)) };
            let _ = writeln!(out, "{pad}{word} {value}");
        }
        self.locals.truncate(locals);
        self.vars.truncate(vars);
        out
    }

    fn statement(&mut self, result: &Ty, indent: usize, statements: usize) -> String {
        let pad = "    ".repeat(indent);
        match self.choose(8) {
            5.. if self.in_flow && statements > 0 => self.step(indent, statements - 1),
            3 if !self.vars.is_empty() => {
                let chosen = self.choose(self.vars.len());
                let (name, ty) = self.vars[chosen].clone();
                format!("{pad}set {name} = {}\n", self.expr(&ty, 2))
            }
            // A fn has no vars.
            2 if self.in_flow => {
                let ty = self.ty(1);
                let value = self.expr(&ty, 2);
                let name = self.name(VAR);
                let text = format!("{pad}var {name}: {ty} = {value}\n");
                self.locals.push((name.clone(), ty.clone()));
                self.vars.push((name, ty));
                text
            }
            4 if statements > 0 => {
                let condition = self.expr(&Ty::Bool, 2);
                let inner = self.body(result, indent + 1, statements - 1);
                format!("{pad}if {condition} {{\n{inner}{pad}}}\n")
            }
            _ => {
                let ty = self.ty(2);
                let value = self.expr(&ty, 3);
                let name = self.name("v");
                let text = format!("{pad}let {name}: {ty} = {value}\n");
                self.locals.push((name, ty));
                text
            }
        }
    }
}
