//! Statements and blocks, and how to go on after one that is wrong.

use super::ast::{Block, Expr, LetField, LetPattern, Mock, MockAnswer, MockArgs, Name, Stmt, StmtKind, TypeExpr};
use super::parse::{Builder, Pair, Rule};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::source::Span;

/// What the statements that bind or hold one value are made of.
#[derive(Default)]
struct Parts {
    names: Vec<Name>,
    ty: Option<TypeExpr>,
    values: Vec<Expr>,
}

impl Parts {
    fn value(&mut self, builder: &mut Builder<'_>, span: Span) -> Expr {
        if self.values.is_empty() { builder.error_expr(span) } else { self.values.remove(0) }
    }
}

impl Builder<'_> {
    /// A `block`, or the mark that one is missing.
    pub(super) fn block(&mut self, pair: Pair<'_>) -> Block {
        let span = self.span(&pair);
        let close = self.close(&pair);
        let id = self.fresh();
        if pair.as_rule() != Rule::block {
            self.missing(&pair);
            return Block { id, span, close, stmts: Vec::new() };
        }
        let mut stmts: Vec<Stmt> = pair.list();
        let mut mistaken = false;
        let mut end = pair.start() + 1;
        for part in pair.into_inner() {
            let before = self.diagnostics.len();
            let start = part.start();
            let same_line = !self.between(end, start).contains('\n');
            end = self.trim(start, part.end());
            match part.as_rule() {
                Rule::lost_stmt => {
                    let of_step = stmts.last().is_some_and(|last| {
                        matches!(last.kind, StmtKind::Step(_) | StmtKind::YieldStep(_) | StmtKind::ReturnStep(_))
                    });
                    mistaken = self.lost_stmt(&part, mistaken, same_line, of_step);
                }
                Rule::no_close => self.missing(&part),
                _ => {
                    let stmt = self.stmt(part);
                    stmts.push(stmt);
                    mistaken = self.diagnostics.len() > before;
                }
            }
        }
        Block { id, span, close, stmts }
    }

    /// The `}` of a block. One that was inserted has no characters.
    fn close(&self, block: &Pair<'_>) -> Span {
        let end = self.trim(block.start(), block.end());
        let brace = self.between(block.start(), end).ends_with('}');
        self.span_of(end - usize::from(brace), end)
    }

    pub(super) fn error_block(&mut self, span: Span) -> Block {
        Block { id: self.fresh(), span, close: span.after(), stmts: Vec::new() }
    }

    fn stmt(&mut self, pair: Pair<'_>) -> Stmt {
        let span = self.span(&pair);
        let id = self.fresh();
        let kind = match pair.as_rule() {
            Rule::let_stmt => self.let_stmt(pair, span),
            Rule::var_stmt => self.var_stmt(pair, span),
            Rule::set_stmt => self.set_stmt(pair, span),
            Rule::step => StmtKind::Step(self.step(pair)),
            Rule::yield_stmt => match self.step_or_value(pair, span) {
                Ok(step) => StmtKind::YieldStep(step),
                Err(value) => StmtKind::Yield(value),
            },
            Rule::return_stmt => match self.step_or_value(pair, span) {
                Ok(step) => StmtKind::ReturnStep(step),
                Err(value) => StmtKind::Return(value),
            },
            Rule::fail_stmt => self.fail_stmt(pair, span),
            Rule::emit_stmt => StmtKind::Emit(self.only_value(pair, span)),
            Rule::assert_stmt => StmtKind::Assert(self.only_value(pair, span)),
            Rule::break_stmt => StmtKind::Break,
            Rule::continue_stmt => StmtKind::Continue,
            Rule::mock_stmt => self.mock_stmt(pair, span),
            _ => StmtKind::Block(self.action(pair)),
        };
        Stmt { id, span, kind }
    }

    /// Names, types and values, in the order written.
    fn parts(&mut self, pair: Pair<'_>) -> Parts {
        let mut parts = Parts::default();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name | Rule::reserved_name | Rule::no_name => {
                    if let Some(name) = self.declared(&part) {
                        parts.names.push(name);
                    }
                }
                Rule::type_expr | Rule::no_type => parts.ty = Some(self.ty(part)),
                Rule::expr | Rule::no_expr => {
                    let value = self.expr(part);
                    parts.values.push(value);
                }
                Rule::details => {
                    if let Some(value) = part.into_inner().next() {
                        let value = self.expr(value);
                        parts.values.push(value);
                    }
                }
                _ => self.missing(&part),
            }
        }
        parts
    }

    /// The name that a pair declares; none where it is missing, which is reported.
    pub(super) fn declared(&mut self, pair: &Pair<'_>) -> Option<Name> {
        match pair.as_rule() {
            Rule::name | Rule::reserved_name => {
                let name = self.name(pair);
                self.check_declared(&name);
                Some(name)
            }
            _ => {
                self.missing(pair);
                None
            }
        }
    }

    fn only_value(&mut self, pair: Pair<'_>, span: Span) -> Expr {
        self.parts(pair).value(self, span)
    }

    fn let_stmt(&mut self, pair: Pair<'_>, span: Span) -> StmtKind {
        if pair.into_inner().next().is_some_and(|part| part.as_rule() == Rule::let_record) {
            return self.let_record(pair, span);
        }
        let mut parts = self.parts(pair);
        let value = parts.value(self, span);
        match parts.names.pop() {
            Some(name) => StmtKind::Let { pattern: LetPattern::Name(name), ty: parts.ty, value },
            None => StmtKind::Error,
        }
    }

    fn let_record(&mut self, pair: Pair<'_>, span: Span) -> StmtKind {
        let mut fields = Vec::new();
        let mut ty = None;
        let mut value = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::let_record => {
                    for part in part.into_inner() {
                        match part.as_rule() {
                            Rule::let_field => fields.extend(self.let_field(part)),
                            _ => self.missing(&part),
                        }
                    }
                }
                Rule::type_expr | Rule::no_type => ty = Some(self.ty(part)),
                Rule::expr | Rule::no_expr => value = Some(self.expr(part)),
                _ => self.missing(&part),
            }
        }
        let value = value.unwrap_or_else(|| self.error_expr(span));
        StmtKind::Let { pattern: LetPattern::Record(fields), ty, value }
    }

    fn let_field(&mut self, pair: Pair<'_>) -> Option<LetField> {
        let mut field = None;
        let mut local = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::word => field = Some(self.name(&part)),
                _ => local = Some(self.declared(&part)?),
            }
        }
        let field = field?;
        let name = match local {
            Some(name) => name,
            None => {
                self.check_declared(&field);
                field.clone()
            }
        };
        Some(LetField { id: self.fresh(), field, name })
    }

    fn var_stmt(&mut self, pair: Pair<'_>, span: Span) -> StmtKind {
        let mut parts = self.parts(pair);
        let value = parts.value(self, span);
        match parts.names.pop() {
            Some(name) => StmtKind::Var { name, ty: parts.ty, value },
            None => StmtKind::Error,
        }
    }

    fn set_stmt(&mut self, pair: Pair<'_>, span: Span) -> StmtKind {
        let mut parts = self.parts(pair);
        let value = parts.value(self, span);
        match parts.names.pop() {
            Some(name) => StmtKind::Set { id: self.fresh(), name, value },
            None => StmtKind::Error,
        }
    }

    fn step_or_value(&mut self, pair: Pair<'_>, span: Span) -> Result<super::ast::Step, Expr> {
        match pair.into_inner().next() {
            Some(part) if part.as_rule() == Rule::step => {
                let step = self.step(part);
                if let Some(name) = &step.name {
                    let message = "a step whose value is handed on has no name";
                    let until = step.title.as_ref().map_or(step.action.span.start, |title| title.span.start);
                    let gone = Span { end: until, ..name.span };
                    self.report(Diagnostic::new(Code::SYNTAX, name.span, message).fix("remove the name", gone, ""));
                }
                Ok(step)
            }
            Some(part) => Err(self.expr(part)),
            None => Err(self.error_expr(span)),
        }
    }

    fn fail_stmt(&mut self, pair: Pair<'_>, span: Span) -> StmtKind {
        let mut parts = self.parts(pair);
        let value = parts.value(self, span);
        StmtKind::Fail { value, details: parts.values.pop() }
    }

    fn mock_stmt(&mut self, pair: Pair<'_>, span: Span) -> StmtKind {
        let mut tool = None;
        let mut args = MockArgs::Any;
        let mut after = None;
        let mut answer = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::callee => tool = Some(self.name(&part)),
                Rule::mock_args => args = self.mock_args(part),
                Rule::after => after = part.into_inner().next().map(|part| self.expr(part)),
                Rule::expr | Rule::no_expr => answer = Some(MockAnswer::Value(self.expr(part))),
                Rule::fails => answer = self.fails(part),
                _ => self.missing(&part),
            }
        }
        let (Some(tool), Some(answer)) = (tool, answer) else { return StmtKind::Error };
        let _ = span;
        StmtKind::Mock(Mock { id: self.fresh(), tool, args, after, answer })
    }

    fn mock_args(&mut self, pair: Pair<'_>) -> MockArgs {
        let mut args = MockArgs::Any;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::record_pattern => args = MockArgs::Record(self.pattern_fields(part)),
                Rule::any_args => {}
                _ => self.missing(&part),
            }
        }
        args
    }

    fn fails(&mut self, pair: Pair<'_>) -> Option<MockAnswer> {
        let part = pair.into_inner().next()?;
        self.kind_name(part).map(MockAnswer::Fails)
    }

    /// An error kind: a plain string, as a name.
    pub(super) fn kind_name(&mut self, pair: Pair<'_>) -> Option<Name> {
        if pair.as_rule() == Rule::no_string {
            self.missing(&pair);
            return None;
        }
        let span = self.span(&pair);
        self.plain_string(pair).map(|text| Name { text, span })
    }

    /// Text that begins no statement. What follows a mistake on its line, or goes on with it on the next, is part of it.
    /// Behind a step it may be a clause. Gives whether this is a mistake, told or not.
    fn lost_stmt(&mut self, pair: &Pair<'_>, mistaken: bool, same_line: bool, of_step: bool) -> bool {
        let start = pair.start();
        let (found, words) = self.found(start);
        let text = pair.as_str().trim_end();
        let first = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
        if mistaken && (same_line || goes_on(first) && !text.starts_with(['#', '/', ';'])) {
            return true;
        }
        let diagnostic =
            if text.starts_with(';') {
                Diagnostic::new(Code::SYNTAX, found, "statements are not ended with `;`: each begins with a keyword")
                    .fix("remove `;`", found, "")
            } else if text.starts_with("=>") {
                Diagnostic::new(Code::SYNTAX, found, "a lambda stands only as an argument of a call, found `=>`")
            } else if text.starts_with("/*") || text.starts_with('#') {
                Diagnostic::new(Code::SYNTAX, found, "comments begin with `//` and end with the line")
            } else if let Some(clause) = of_step.then(|| meant_clause(text, first)).flatten() {
                Diagnostic::new(Code::SYNTAX, found, format!("a step has no clause {words}")).fix(
                    format!("replace it with `{clause}`"),
                    found,
                    clause,
                )
            } else if same_line && !matches!(first, "const" | "while" | "function" | "def" | "func") {
                Diagnostic::new(Code::SYNTAX, found, format!("expected the next statement, found {words}"))
            } else {
                self.not_a_statement(text, first, found, &words)
            };
        self.report(diagnostic);
        // After `;` a new statement may begin.
        !text.starts_with(';')
    }

    /// What another language's statement, a call or an assignment should have been.
    fn not_a_statement(&self, text: &str, first: &str, found: Span, words: &str) -> Diagnostic {
        let diagnostic = |message: &str| Diagnostic::new(Code::NOT_A_STATEMENT, found, message);
        let after = text.get(first.len()..).unwrap_or_default().trim_start();
        match first {
            "const" => diagnostic("a name is bound with `let`").fix("replace `const` with `let`", found, "let"),
            "while" | "loop" => diagnostic("loops have an end: `for x in list { }`, or `repeat max 30 { }`"),
            "function" | "def" | "func" | "fn" | "flow" | "type" | "tool" | "test" | "use" => {
                diagnostic("functions, flows, types, tools and tests are declared at the top of a file, not in a block")
            }
            "await" | "async" => diagnostic("a call is a `step`, which waits for its result by itself"),
            "throw" | "raise" => diagnostic("a flow fails with `fail`").suggest("write `fail`", found, "fail"),
            "print" | "console" => diagnostic("progress is told with `emit`"),
            "else" | "elif" => diagnostic("this `else` belongs to no `if`"),
            "catch" | "finally" => diagnostic("this belongs to no `try`"),
            "" => diagnostic(&format!("a statement begins with a keyword, found {words}")),
            _ if after.starts_with('=') && !after.starts_with("==") => {
                diagnostic("a value is bound with `let`, and a `var` is changed with `set`")
                    .suggest("bind a new name", found.before(), "let ")
                    .suggest("change the var", found.before(), "set ")
            }
            _ if after.starts_with('(') || after.starts_with('.') => {
                diagnostic("a call is made by a `step`").suggest("make it a step", found.before(), "step ")
            }
            _ => {
                let told = diagnostic(&format!("a statement begins with a keyword, found {words}"));
                match nearest(first, KEYWORDS) {
                    Some(word) => told.fix(format!("replace it with `{word}`"), found, word),
                    None => told,
                }
            }
        }
    }
}

/// The words that begin statements.
const KEYWORDS: [&str; 20] = [
    "step", "set", "let", "var", "if", "match", "for", "parallel", "race", "repeat", "return", "do", "try", "yield",
    "fail", "emit", "break", "continue", "mock", "assert",
];

/// The clause of a step that an unknown word before its value likely means: one misspelled, or another language's.
fn meant_clause(text: &str, word: &str) -> Option<&'static str> {
    const WORDS: [(&str, &str); 20] = [
        ("retry", "retry"),
        ("retries", "retry"),
        ("attempts", "retry"),
        ("max_retries", "retry"),
        ("backoff", "backoff"),
        ("timeout", "timeout"),
        ("deadline", "timeout"),
        ("time_limit", "timeout"),
        ("when", "when"),
        ("where", "when"),
        ("only_if", "when"),
        ("otherwise", "else"),
        ("fallback", "else"),
        ("default", "else"),
        ("undo", "undo"),
        ("rollback", "undo"),
        ("revert", "undo"),
        ("compensate", "undo"),
        ("key", "key"),
        ("idempotency_key", "key"),
    ];
    let after = text.get(word.len()..).unwrap_or_default().trim_start();
    if word.is_empty() || after.is_empty() || after.starts_with(['=', '(', '.']) {
        return None;
    }
    let known = |wanted: &str| WORDS.iter().find(|(word, _)| *word == wanted).map(|(_, clause)| *clause);
    // A statement's keyword that is nearer than these was meant instead.
    known(word).or_else(|| known(nearest(word, WORDS.iter().map(|(word, _)| *word).chain(KEYWORDS))?))
}

/// Whether a word goes on with a statement rather than beginning one.
fn goes_on(word: &str) -> bool {
    const WORDS: [&str; 19] = [
        "retry", "backoff", "on", "timeout", "when", "undo", "key", "as", "then", "else", "in", "is", "and", "or",
        "not", "limit", "max", "every", "details",
    ];
    word.is_empty() || WORDS.contains(&word)
}
