//! Programs that check never fail with a type error: generated well-typed pure programs are compiled and run. They may
//! fail for reasons that types do not rule out (overflow, division by zero, an index), but never with `invalid` or
//! `internal`, and what they return has the type they declare.

use std::fmt::Write;
use std::sync::Arc;

use flowc::compile::compile;
use flowc::program::Program;
use flowc::run::{Engine, RunError};
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
    fn what_checks_does_not_fail_with_a_type_error(tape in proptest::collection::vec(any::<u16>(), 0..400)) {
        let text = Generator::new(tape).program();
        let program = compiled(&text);
        let flow = program.flow("main").expect("main");
        match run(&program) {
            Ok(value) => {
                let again = value.clone().conform(&flow.result);
                prop_assert_eq!(again.as_ref(), Ok(&value), "the result does not have the declared type\n{}", text);
            }
            Err(error) => {
                let allowed = [ErrorKind::Arithmetic, ErrorKind::Index, ErrorKind::Exhausted, ErrorKind::Failed];
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let engine = Engine::builder().build().expect("an engine without tools");
        let run = engine.start(program, "main", Value::record([])).expect("main takes nothing");
        run.value().await
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
    in_flow: bool,
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
            in_flow: false,
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
        let result = self.ty(2);
        let _ = writeln!(out, "flow main() -> {result} {{");
        out.push_str(&self.body(&result, 1, 3));
        out.push_str("}\n");
        for (number, ty) in self.identities.iter().enumerate() {
            let _ = writeln!(out, "\nfn as_{number}(value: {ty}) -> {ty} = value");
        }
        out
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
            let value = self.expr(result, 3);
            let _ = writeln!(out, "{pad}return {value}");
        }
        self.locals.truncate(locals);
        self.vars.truncate(vars);
        out
    }

    fn statement(&mut self, result: &Ty, indent: usize, statements: usize) -> String {
        let pad = "    ".repeat(indent);
        match self.choose(5) {
            3 if !self.vars.is_empty() => {
                let chosen = self.choose(self.vars.len());
                let (name, ty) = self.vars[chosen].clone();
                format!("{pad}set {name} = {}\n", self.expr(&ty, 2))
            }
            // A fn has no vars.
            2 if self.in_flow => {
                let ty = self.ty(1);
                let value = self.expr(&ty, 2);
                let name = self.name("v");
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

    /// An expression of the type. What is not a leaf stands in parentheses, so that binding strength plays no part.
    fn expr(&mut self, ty: &Ty, depth: usize) -> String {
        let fitting: Vec<String> =
            self.locals.iter().filter(|(_, local)| local == ty).map(|(name, _)| name.clone()).collect();
        if !fitting.is_empty() && self.choose(3) == 1 {
            return fitting[self.choose(fitting.len())].clone();
        }
        if depth == 0 {
            return self.leaf(ty);
        }
        match self.choose(9) {
            1 => {
                let (condition, narrowed) = self.condition(depth - 1);
                let then = self.narrowed(narrowed.as_ref(), true, |this| this.expr(ty, depth - 1));
                let otherwise = self.narrowed(narrowed.as_ref(), false, |this| this.expr(ty, depth - 1));
                format!("(if {condition} then {then} else {otherwise})")
            }
            2 => self.matched(ty, depth - 1),
            3 => {
                let fits: Vec<usize> =
                    (0..self.functions.len()).filter(|number| self.functions[*number].2 == *ty).collect();
                if fits.is_empty() {
                    return self.made(ty, depth - 1);
                }
                let chosen = fits[self.choose(fits.len())];
                let (name, params, _) = self.functions[chosen].clone();
                let args: Vec<String> = params.iter().map(|param| self.expr(param, depth - 1)).collect();
                format!("{name}({})", args.join(", "))
            }
            4 if !matches!(ty, Ty::Optional(_)) => self.reduced(ty, depth - 1),
            5 => self.field_of(ty).unwrap_or_else(|| self.made(ty, depth - 1)),
            6 if !matches!(ty, Ty::Optional(_)) => {
                let optional = self.expr_optional(ty, depth - 1);
                format!("({optional} ?? {})", self.expr(ty, depth - 1))
            }
            _ => self.made(ty, depth - 1),
        }
    }

    /// A condition, and the optional local that it tells to be there, with what it then is.
    fn condition(&mut self, depth: usize) -> (String, Option<(String, Ty)>) {
        let vars: Vec<String> = self.vars.iter().map(|(name, _)| name.clone()).collect();
        let optional = self.locals.iter().rev().find_map(|(name, ty)| match ty {
            Ty::Optional(inner) if !vars.contains(name) => Some((name.clone(), Ty::clone(inner))),
            _ => None,
        });
        match optional {
            Some(found) if self.choose(2) == 1 => (format!("{} != null", found.0), Some(found)),
            _ => (self.expr(&Ty::Bool, depth), None),
        }
    }

    /// Writes something where a local is known to be there, or known to be null.
    fn narrowed(
        &mut self,
        narrowed: Option<&(String, Ty)>,
        there: bool,
        write: impl FnOnce(&mut Self) -> String,
    ) -> String {
        let Some((name, ty)) = narrowed else { return write(self) };
        let before = self.locals.clone();
        self.locals.retain(|(local, _)| local != name);
        if there {
            self.locals.push((name.clone(), ty.clone()));
        }
        let text = write(self);
        self.locals = before;
        text
    }

    fn matched(&mut self, ty: &Ty, depth: usize) -> String {
        match self.choose(3) {
            0 => {
                let Some(value) = self.word_local() else { return self.made(ty, depth) };
                // In each arm it is known to be one word, and another match on it would be an error.
                let before = self.locals.clone();
                self.locals.retain(|(local, _)| *local != value);
                let arms: Vec<String> =
                    WORDS.iter().map(|word| format!("\"{word}\" => {}", self.expr(ty, depth))).collect();
                self.locals = before;
                format!("(match {value} {{ {} }})", arms.join(", "))
            }
            1 => {
                let number = self.expr(&Ty::Int, depth);
                let name = self.name("m");
                let first = self.expr(ty, depth);
                self.locals.push((name.clone(), Ty::Int));
                let (guard, bound) = (self.expr(&Ty::Bool, depth), self.expr(ty, depth));
                self.locals.pop();
                let rest = self.expr(ty, depth);
                // In a list, so that the checker does not know the number.
                format!(
                    "(match [{number}].length + 1 {{ 0 | 1 => {first}, {name} if {guard} => {bound}, _ => {rest} }})"
                )
            }
            _ => {
                let Some((local, number)) = self.record_local() else { return self.made(ty, depth) };
                let chosen = self.choose(self.records[number].len());
                let (field, field_ty) = self.records[number][chosen].clone();
                let name = self.name("m");
                self.locals.push((name.clone(), field_ty));
                let bound = self.expr(ty, depth);
                self.locals.pop();
                format!("(match {local} {{ {{ {field}: {name} }} => {bound} }})")
            }
        }
    }

    fn word_local(&mut self) -> Option<String> {
        let words: Vec<&String> = self.locals.iter().filter(|(_, ty)| *ty == Ty::Word).map(|(name, _)| name).collect();
        let words: Vec<String> = words.into_iter().cloned().collect();
        if words.is_empty() { None } else { Some(words[self.choose(words.len())].clone()) }
    }

    fn record_local(&mut self) -> Option<(String, usize)> {
        let found = self.locals.iter().filter_map(|(name, ty)| match ty {
            Ty::Record(number) => Some((name.clone(), *number)),
            _ => None,
        });
        let found: Vec<(String, usize)> = found.collect();
        if found.is_empty() { None } else { Some(found[self.choose(found.len())].clone()) }
    }

    /// A field of this type of a record in sight.
    fn field_of(&mut self, ty: &Ty) -> Option<String> {
        let (local, number) = self.record_local()?;
        let (field, _) = self.records[number].iter().find(|(_, field)| field == ty)?;
        Some(format!("{local}.{field}"))
    }

    /// `list.reduce(start, (so_far, item) => …)`
    fn reduced(&mut self, ty: &Ty, depth: usize) -> String {
        let item = self.ty(0);
        let list = self.whole(&Ty::List(Box::new(item.clone())), depth);
        let (so_far, each) = (self.name("a"), self.name("x"));
        let start = self.whole(ty, 0);
        self.locals.push((so_far.clone(), ty.clone()));
        self.locals.push((each.clone(), item));
        let body = self.expr(ty, depth.min(1));
        self.locals.truncate(self.locals.len() - 2);
        format!("{list}.reduce({start}, ({so_far}, {each}) => {body})")
    }

    /// `T?` of a `T`.
    fn expr_optional(&mut self, ty: &Ty, depth: usize) -> String {
        let list = self.whole(&Ty::List(Box::new(ty.clone())), depth);
        match self.choose(4) {
            0 => format!("{list}.first"),
            1 => format!("{list}.get({})", self.expr(&Ty::Int, depth)),
            2 => {
                let name = self.name("x");
                self.locals.push((name.clone(), ty.clone()));
                let test = self.expr(&Ty::Bool, depth);
                self.locals.pop();
                format!("{list}.find({name} => {test})")
            }
            _ => {
                let map = self.whole(&Ty::Map(Box::new(ty.clone())), depth);
                format!("{map}[{}]", self.expr(&Ty::Str, depth))
            }
        }
    }

    /// An expression whose type is wanted though nothing says it: what stands before a dot or begins a `reduce`. A
    /// literal alone would not say its whole type (`[null]`, `{ a: 1 }`), so it passes through a function that does.
    fn whole(&mut self, ty: &Ty, depth: usize) -> String {
        let local = self.locals.iter().find(|(_, local)| local == ty).map(|(name, _)| name.clone());
        if let Some(local) = local.filter(|_| self.choose(2) == 0) {
            return local;
        }
        let value = self.expr(ty, depth);
        let number = self.identities.iter().position(|known| known == ty).unwrap_or_else(|| {
            self.identities.push(ty.clone());
            self.identities.len() - 1
        });
        format!("as_{number}({value})")
    }

    fn leaf(&mut self, ty: &Ty) -> String {
        match ty {
            Ty::Int => ["1", "0", "7", "-3", "9223372036854775807"][self.choose(5)].to_owned(),
            Ty::Float => ["1.5", "0.0", "-2.25", "1e300"][self.choose(4)].to_owned(),
            Ty::Bool => ["true", "false"][self.choose(2)].to_owned(),
            Ty::Str => ["\"a\"", "\"\"", "\"two words\"", "\"12\"", "\"äöü €\""][self.choose(5)].to_owned(),
            Ty::Word => format!("\"{}\"", WORDS[self.choose(WORDS.len())]),
            Ty::List(of) => format!("[{}]", self.leaf(of)),
            Ty::Map(of) => format!("{{ key: {} }}", self.leaf(of)),
            Ty::Record(number) => {
                let fields = self.records[*number].clone();
                let fields: Vec<String> =
                    fields.iter().map(|(name, field)| format!("{name}: {}", self.leaf(field))).collect();
                format!("{{ {} }}", fields.join(", "))
            }
            Ty::Optional(of) => {
                if self.choose(2) == 0 {
                    "null".to_owned()
                } else {
                    self.leaf(of)
                }
            }
        }
    }

    /// An expression that belongs to the type.
    fn made(&mut self, ty: &Ty, depth: usize) -> String {
        match ty {
            Ty::Int => self.int(depth),
            Ty::Float => self.float(depth),
            Ty::Bool => self.bool(depth),
            Ty::Str => self.string(depth),
            Ty::Word => self.leaf(ty),
            Ty::List(of) => self.list(of, depth),
            Ty::Map(of) => self.map(of, depth),
            Ty::Record(number) => {
                let fields = self.records[*number].clone();
                let fields: Vec<String> =
                    fields.iter().map(|(name, field)| format!("{name}: {}", self.expr(field, depth))).collect();
                format!("{{ {} }}", fields.join(", "))
            }
            Ty::Optional(of) => match self.choose(3) {
                0 => self.leaf(ty),
                1 => self.expr(of, depth),
                _ => self.expr_optional(of, depth),
            },
        }
    }

    fn int(&mut self, depth: usize) -> String {
        let int = |this: &mut Self| this.expr(&Ty::Int, depth);
        match self.choose(8) {
            1 => format!("({} + {})", int(self), int(self)),
            2 => format!("({} - {} * {})", int(self), int(self), int(self)),
            3 => format!("({} % {})", int(self), int(self)),
            4 => format!("{}.length", self.expr(&Ty::Str, depth)),
            5 => format!("{}.sum()", self.whole(&Ty::List(Box::new(Ty::Int)), depth)),
            6 => format!("{}[{}]", self.whole(&Ty::List(Box::new(Ty::Int)), depth), int(self)),
            7 => format!("(-{})", int(self)),
            _ => self.leaf(&Ty::Int),
        }
    }

    fn float(&mut self, depth: usize) -> String {
        let float = |this: &mut Self| this.expr(&Ty::Float, depth);
        match self.choose(5) {
            1 => format!("({} / {})", self.expr(&Ty::Int, depth), self.expr(&Ty::Int, depth)),
            2 => format!("({} + {})", float(self), self.expr(&Ty::Int, depth)),
            3 => format!("({} * {})", float(self), float(self)),
            4 => format!("({}.avg() ?? 0.0)", self.whole(&Ty::List(Box::new(Ty::Float)), depth)),
            _ => self.leaf(&Ty::Float),
        }
    }

    fn bool(&mut self, depth: usize) -> String {
        let bool = |this: &mut Self| this.expr(&Ty::Bool, depth);
        match self.choose(8) {
            1 => format!("({} and {})", bool(self), bool(self)),
            2 => format!("({} or {})", bool(self), bool(self)),
            3 => format!("(not {})", bool(self)),
            4 => format!("({} < {})", self.expr(&Ty::Int, depth), self.expr(&Ty::Float, depth)),
            5 => {
                let list = self.whole(&Ty::List(Box::new(Ty::Int)), depth);
                format!("({} in {list})", self.expr(&Ty::Int, depth))
            }
            6 => format!("{}.contains({})", self.expr(&Ty::Str, depth), self.expr(&Ty::Str, depth)),
            7 => format!("([{}].length == {})", self.expr(&Ty::Int, depth), self.expr(&Ty::Int, depth)),
            _ => self.leaf(&Ty::Bool),
        }
    }

    fn string(&mut self, depth: usize) -> String {
        let string = |this: &mut Self| this.expr(&Ty::Str, depth);
        match self.choose(6) {
            1 => format!("({} + {})", string(self), string(self)),
            2 => format!("\"<{{{{{}}}}} {{{{{}}}}}>\"", self.expr(&Ty::Int, depth), string(self)),
            3 => format!("{}.upper()", string(self)),
            4 => format!("{}.join(\", \")", self.whole(&Ty::List(Box::new(Ty::Str)), depth)),
            5 => format!("{}.slice({}, {})", string(self), self.leaf(&Ty::Int), self.leaf(&Ty::Int)),
            _ => self.leaf(&Ty::Str),
        }
    }

    fn list(&mut self, of: &Ty, depth: usize) -> String {
        let ty = Ty::List(Box::new(of.clone()));
        match self.choose(7) {
            1 => {
                let items: Vec<String> = (0..=self.choose(3)).map(|_| self.expr(of, depth)).collect();
                format!("[{}]", items.join(", "))
            }
            2 => format!("[...{}, {}]", self.expr(&ty, depth), self.expr(of, depth)),
            // The body has no type to take its form from, and a literal that is to be a map needs one.
            3 if !of.has_map() => {
                let from = self.ty(0);
                let list = self.whole(&Ty::List(Box::new(from.clone())), depth);
                let name = self.name("x");
                self.locals.push((name.clone(), from));
                let body = self.expr(of, depth);
                self.locals.pop();
                format!("{list}.map({name} => {body})")
            }
            4 => {
                let list = self.whole(&ty, depth);
                let name = self.name("x");
                self.locals.push((name.clone(), of.clone()));
                let test = self.expr(&Ty::Bool, depth);
                self.locals.pop();
                format!("{list}.filter({name} => {test})")
            }
            5 => format!("{}.take({})", self.whole(&ty, depth), self.leaf(&Ty::Int)),
            6 => format!("{}.reverse()", self.whole(&ty, depth)),
            _ => self.leaf(&ty),
        }
    }

    fn map(&mut self, of: &Ty, depth: usize) -> String {
        match self.choose(3) {
            1 => format!("{{ a: {}, \"b c\": {} }}", self.expr(of, depth), self.expr(of, depth)),
            2 => {
                let ty = Ty::Map(Box::new(of.clone()));
                format!("{}.merge({})", self.whole(&ty, depth), self.expr(&ty, depth))
            }
            _ => self.leaf(&Ty::Map(Box::new(of.clone()))),
        }
    }
}
