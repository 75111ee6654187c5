//! Properties of parser and formatter: what is printed from a tree reads as that tree; formatting twice is formatting
//! once; comments are kept; no text makes either of them panic.

use std::sync::LazyLock;

use flowc::format::{format, format_tree};
use flowc::source::{FileId, SourceFile, Span};
use flowc::syntax::ast::*;
use flowc::syntax::{NodeIds, parse};
use flowc::types::{BinaryOp, Literal as TypeLiteral, Text};
use proptest::prelude::*;
use regex::Regex;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(150),
        max_shrink_iters: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_printed_reads_as_the_same_tree(tape in proptest::collection::vec(any::<u16>(), 0..600)) {
        let file = Trees::new(tape).file();
        let text = format_tree(&file, "");
        let parsed = parse(&SourceFile::new("printed", text.as_str()), FileId::default(), &mut NodeIds::default());
        prop_assert!(parsed.diagnostics.is_empty(), "{:#?}\n{text}", parsed.diagnostics);
        prop_assert_eq!(shape(&parsed.file), shape(&file), "{}", text);
        prop_assert_eq!(format_tree(&parsed.file, &text), text);
    }

    #[test]
    fn comments_are_kept_wherever_they_stand(
        tape in proptest::collection::vec(any::<u16>(), 0..300),
        places in proptest::collection::vec(any::<prop::sample::Index>(), 1..6),
    ) {
        let text = format_tree(&Trees::new(tape).file(), "");
        let gaps: Vec<usize> = gaps(&text);
        prop_assume!(!gaps.is_empty());
        let mut at: Vec<usize> = places.iter().map(|place| gaps[place.index(gaps.len())]).collect();
        at.sort_unstable();
        at.dedup();
        let mut commented = text.clone();
        for (number, place) in at.iter().enumerate().rev() {
            commented.insert_str(*place, &format!(" // note {number}\n"));
        }
        let once = match format(&SourceFile::new("commented", commented.as_str())) {
            Ok(once) => once,
            Err(found) => return Err(TestCaseError::fail(format!("{found:#?}\n{commented}"))),
        };
        for number in 0..at.len() {
            prop_assert_eq!(once.matches(&format!("// note {number}\n")).count(), 1, "{}\n{}", commented, once);
        }
        let twice = format(&SourceFile::new("once", once.as_str()));
        prop_assert_eq!(twice.as_deref(), Ok(once.as_str()), "{}", commented);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,200}") {
        check_spans(&text);
    }

    #[test]
    fn no_soup_of_tokens_makes_the_parser_panic(tokens in proptest::collection::vec(prop::sample::select(TOKENS), 0..80)) {
        check_spans(&tokens.join(" "));
        check_spans(&tokens.join("\n"));
        check_spans(&tokens.concat());
    }

    #[test]
    fn no_cut_of_a_program_makes_the_parser_panic(
        tape in proptest::collection::vec(any::<u16>(), 0..300),
        from in any::<prop::sample::Index>(),
        length in 1_usize..40,
    ) {
        let text = format_tree(&Trees::new(tape).file(), "");
        let cut: String = match text.char_indices().map(|(at, _)| at).collect::<Vec<_>>() {
            places if places.is_empty() => String::new(),
            places => {
                let start = places[from.index(places.len())];
                let end = places.iter().copied().find(|at| *at >= start + length).unwrap_or(text.len());
                format!("{}{}", &text[..start], &text[end..])
            }
        };
        check_spans(&cut);
    }
}

/// The layout moves a comment after a bracket below it, where it documents what follows: it does so before too.
#[test]
fn what_follows_a_bracket_documents_the_next() {
    for doc in ["/// all of it\n", "///\n    ///   lines\n", "// no doc\n    /// lines\n"] {
        check_spans(&format!("tool crm.find({doc}    a: int,\n) -> int\n"));
        check_spans(&format!("type A = {{ {doc}    a: int }}\n"));
    }
}

const TOKENS: &[&str] = &[
    "flow", "fn", "type", "tool", "test", "use", "let", "var", "set", "step", "if", "then", "else", "match", "for",
    "in", "parallel", "race", "repeat", "max", "every", "limit", "do", "try", "catch", "finally", "yield", "return",
    "fail", "emit", "break", "continue", "mock", "assert", "and", "or", "not", "is", "as", "a", "b.c", "(", ")", "[",
    "]", "{", "}", "{{", "}}", "\"", "\"\"\"", "'", "\\", "//", "///x\n", "@a", "=", "==", "=>", "->", "|", "||", "&&",
    "!", "?", "??", "?.", "...", "..", ",", ":", ";", "+", "-", "*", "/", "%", "<", ">", "1", "1.5", "2s", "“", "”",
    "é", "\n", "\r", "retry", "timeout",
];

fn check_spans(text: &str) {
    let source = SourceFile::new("soup", text);
    let parsed = parse(&source, FileId::default(), &mut NodeIds::default());
    for diagnostic in &parsed.diagnostics {
        assert!(text.get(diagnostic.span.range()).is_some(), "{diagnostic:?}");
        for edit in diagnostic.fixes.iter().flat_map(|fix| &fix.edits) {
            assert!(text.get(edit.span.range()).is_some(), "{diagnostic:?}");
        }
    }
    if let Ok(once) = format(&source) {
        let formatted = SourceFile::new("once", once.as_str());
        assert_eq!(format(&formatted).as_deref(), Ok(once.as_str()), "{text:?}");
        let again = parse(&formatted, FileId::default(), &mut NodeIds::default());
        assert_eq!(shape(&again.file), shape(&parsed.file), "{text:?}");
    }
}

/// A tree without its ids and places.
pub(crate) fn shape(file: &File) -> String {
    static PLACES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"Span \{ file: FileId\(\d+\), start: \d+, end: \d+ \}|NodeId\(\d+\)").expect("a pattern")
    });
    PLACES.replace_all(&format!("{file:?}"), "_").into_owned()
}

/// Where a line of a text may end in a comment: at white space outside of strings.
fn gaps(text: &str) -> Vec<usize> {
    let mut gaps = Vec::new();
    let mut quoted = false;
    let mut holes = 0;
    let mut skip = false;
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if skip => skip = false,
            b'\\' if quoted => skip = true,
            // Strings nest in holes: this simple walk leaves every line with a hole alone.
            b'"' => quoted = !quoted,
            b'\n' => {
                quoted = false;
                holes = 0;
            }
            b'{' if bytes.get(at + 1) == Some(&b'{') => holes += 1,
            b'/' if bytes.get(at + 1) == Some(&b'/') => holes += 1,
            b' ' if !quoted && holes == 0 && !text[at..].lines().next().unwrap_or_default().contains("//") => {
                gaps.push(at);
            }
            _ => {}
        }
    }
    gaps
}

const NAMES: [&str; 12] = ["a", "b2", "item", "url", "type", "test", "limit", "max", "key", "when", "_x", "input"];
const FIELDS: [&str; 10] = ["a", "if", "in", "step", "title", "odd key", "", "q\"uote", "match", "x1"];
const WORDS: [&str; 8] = ["a", "if", "in", "step", "title", "match", "x1", "check"];
const TEXTS: [&str; 9] =
    ["", "plain", "a \"quote\"", "{{ not a hole }}", "{", "new\nline\ttab", "back\\slash", "ünï", "}}"];

/// Builds trees from a tape of numbers: what is short is simple, so that shrinking helps.
struct Trees {
    tape: std::vec::IntoIter<u16>,
    ids: NodeIds,
}

impl Trees {
    fn new(tape: Vec<u16>) -> Self {
        Self { tape: tape.into_iter(), ids: NodeIds::default() }
    }

    fn pick(&mut self, below: usize) -> usize {
        self.tape.next().map_or(0, |number| usize::from(number) % below)
    }

    fn flip(&mut self) -> bool {
        self.pick(2) == 1
    }

    fn id(&mut self) -> NodeId {
        self.ids.fresh()
    }

    fn many<T>(&mut self, least: usize, most: usize, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = least + self.pick(most + 1 - least);
        (0..count).map(|_| one(self)).collect()
    }

    fn maybe<T>(&mut self, one: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.flip() { Some(one(self)) } else { None }
    }

    fn of(text: &str) -> Name {
        Name { text: Text::new(text), span: Span::default() }
    }

    /// A name that may be declared.
    fn name(&mut self) -> Name {
        let at = self.pick(NAMES.len() - 1);
        Self::of(NAMES[at])
    }

    fn word(&mut self) -> Name {
        let at = self.pick(WORDS.len());
        Self::of(WORDS[at])
    }

    fn field_name(&mut self) -> Name {
        let at = self.pick(FIELDS.len());
        Self::of(FIELDS[at])
    }

    fn text(&mut self) -> Text {
        let at = self.pick(TEXTS.len());
        Text::new(TEXTS[at])
    }

    fn doc(&mut self) -> Doc {
        match self.pick(5) {
            1 => Some("A line.".to_owned()),
            2 => Some("Two\n\n  lines".to_owned()),
            3 => Some(String::new()),
            _ => None,
        }
    }

    // ── items ──

    fn file(&mut self) -> File {
        File { items: self.many(0, 4, Self::item), comments: Vec::new() }
    }

    fn item(&mut self) -> Item {
        let doc = self.doc();
        let annotations =
            self.many(0, 2, |this| Annotation { span: Span::default(), name: this.word(), args: this.args(2) });
        let kind = match self.pick(6) {
            0 => ItemKind::Flow(FlowDecl {
                name: self.name(),
                params: self.params(),
                result: self.maybe(|this| this.ty(3)),
                body: self.block(3),
            }),
            1 => ItemKind::Fn(FnDecl {
                name: self.name(),
                params: self.params(),
                result: self.maybe(|this| this.ty(3)),
                body: if self.flip() { FnBody::Block(self.block(2)) } else { FnBody::Expr(self.expr(4)) },
            }),
            2 => ItemKind::Type(TypeDecl { name: self.name(), ty: self.ty(4) }),
            3 => ItemKind::Tool(ToolDecl {
                name: Self::of("crm.find"),
                generics: self.many(0, 2, Self::name),
                params: self.params(),
                result: self.maybe(|this| this.ty(3)),
            }),
            4 => ItemKind::Test(TestDecl { title: self.text(), title_span: Span::default(), body: self.block(2) }),
            _ => {
                ItemKind::Use(Use { names: self.many(1, 3, Self::name), path: self.text(), path_span: Span::default() })
            }
        };
        Item { span: Span::default(), doc, annotations, kind }
    }

    fn params(&mut self) -> Vec<Param> {
        self.many(0, 3, |this| Param {
            id: this.id(),
            span: Span::default(),
            doc: this.doc(),
            name: this.name(),
            optional: this.flip(),
            ty: this.ty(2),
            default: this.maybe(|this| this.expr(2)),
        })
    }

    // ── types ──

    fn ty(&mut self, depth: usize) -> TypeExpr {
        let below = depth.saturating_sub(1);
        let kind = match if depth == 0 { self.pick(2) } else { self.pick(7) } {
            0 => TypeExprKind::Name { name: self.name(), args: Vec::new() },
            1 => TypeExprKind::Literal(match self.pick(3) {
                0 => TypeLiteral::String(self.text()),
                1 => TypeLiteral::Int(i64::from(self.pick(9) as u32) - 4),
                _ => TypeLiteral::Bool(self.flip()),
            }),
            2 => TypeExprKind::Name { name: Self::of("list"), args: self.many(1, 2, |this| this.ty(below)) },
            3 => TypeExprKind::Union(self.many(2, 3, |this| this.ty(below))),
            4 => {
                let of = self.ty(below);
                return if matches!(of.kind, TypeExprKind::Optional(_)) { of } else { self.optional(of) };
            }
            _ => TypeExprKind::Record(self.many(0, 3, |this| TypeField {
                span: Span::default(),
                doc: None,
                name: this.field_name(),
                optional: this.flip(),
                ty: this.ty(below),
            })),
        };
        TypeExpr { id: self.id(), span: Span::default(), kind }
    }

    fn optional(&mut self, of: TypeExpr) -> TypeExpr {
        TypeExpr { id: self.id(), span: Span::default(), kind: TypeExprKind::Optional(Box::new(of)) }
    }

    // ── statements ──

    fn block(&mut self, depth: usize) -> Block {
        let stmts = if depth == 0 { Vec::new() } else { self.many(0, 3, |this| this.stmt(depth - 1)) };
        Block { id: self.id(), span: Span::default(), close: Span::default(), stmts }
    }

    fn stmt(&mut self, depth: usize) -> Stmt {
        let kind = match self.pick(15) {
            0 => StmtKind::Emit(self.expr(3)),
            1 => StmtKind::Let {
                pattern: LetPattern::Name(self.name()),
                ty: self.maybe(|this| this.ty(2)),
                value: self.expr(4),
            },
            2 => StmtKind::Let { pattern: LetPattern::Record(self.let_fields()), ty: None, value: self.expr(3) },
            3 => StmtKind::Var { name: self.name(), ty: self.maybe(|this| this.ty(2)), value: self.expr(3) },
            4 => StmtKind::Set { id: self.id(), name: self.name(), value: self.expr(3) },
            5 | 6 => StmtKind::Step(self.step(depth, true)),
            7 => StmtKind::Block(self.block_action(depth)),
            8 => StmtKind::Yield(self.expr(3)),
            9 => StmtKind::ReturnStep(self.step(depth, false)),
            10 => StmtKind::Return(self.expr(4)),
            11 => StmtKind::Fail { value: self.expr(2), details: self.maybe(|this| this.expr(2)) },
            12 => StmtKind::Mock(self.mock()),
            13 => StmtKind::Assert(self.expr(3)),
            _ => {
                if self.flip() {
                    StmtKind::Break
                } else {
                    StmtKind::YieldStep(self.step(depth, false))
                }
            }
        };
        Stmt { id: self.id(), span: Span::default(), kind }
    }

    fn let_fields(&mut self) -> Vec<LetField> {
        self.many(1, 3, |this| {
            let name = this.name();
            let field = if this.flip() { name.clone() } else { this.word() };
            LetField { id: this.id(), field, name }
        })
    }

    fn mock(&mut self) -> Mock {
        Mock {
            id: self.id(),
            tool: Self::of("web.scrape"),
            args: if self.flip() { MockArgs::Record(self.pattern_fields(1)) } else { MockArgs::Any },
            after: self.maybe(|this| this.expr(1)),
            answer: if self.flip() { MockAnswer::Fails(Self::of("timeout")) } else { MockAnswer::Value(self.expr(3)) },
        }
    }

    fn step(&mut self, depth: usize, named: bool) -> Step {
        let name = if named { self.maybe(Self::name) } else { None };
        let title = if named { self.maybe(Self::string) } else { None };
        let action = if self.flip() { self.block_action(depth) } else { self.call_action() };
        let mut kinds = Vec::new();
        if self.flip() {
            kinds.push(ClauseKind::As(self.ty(2)));
        }
        if self.flip() {
            kinds.push(ClauseKind::Retry {
                count: self.expr(1),
                backoff: self.maybe(Self::range),
                on: self.many(0, 2, |_| Self::of("timeout")),
            });
        }
        match self.pick(6) {
            1 => kinds.push(ClauseKind::Timeout(self.expr(1))),
            2 => kinds.push(ClauseKind::When(self.expr(2))),
            3 => kinds.push(ClauseKind::Undo(self.call())),
            4 => kinds.push(ClauseKind::Key(self.expr(2))),
            // After `if` and what may end in one, `else` is a branch.
            5 if matches!(action.kind, ActionKind::Call(_)) => kinds.push(ClauseKind::Else(self.expr(2))),
            _ => {}
        }
        let clauses = kinds.into_iter().map(|kind| Clause { span: Span::default(), kind }).collect();
        Step { id: self.id(), span: Span::default(), name, title, action, clauses }
    }

    fn range(&mut self) -> Range {
        Range { from: self.expr(1), to: self.maybe(|this| this.expr(1)) }
    }

    fn call(&mut self) -> Call {
        let callee = if self.flip() { Self::of("web.scrape") } else { self.name() };
        Call { id: self.id(), span: Span::default(), callee, args: self.args(3), args_span: Span::default() }
    }

    fn call_action(&mut self) -> Action {
        let call = self.call();
        let call = Action { id: self.id(), span: Span::default(), kind: ActionKind::Call(call) };
        if self.flip() {
            return call;
        }
        let kind = ActionKind::Try(Box::new(Try { action: call, catch: None, finally: None }));
        Action { id: self.id(), span: Span::default(), kind }
    }

    fn block_action(&mut self, depth: usize) -> Action {
        let kind = match self.pick(8) {
            0 => ActionKind::Do(self.block(depth)),
            1 => ActionKind::Parallel(self.block(depth)),
            2 => ActionKind::Race(self.block(depth)),
            3 => {
                let parallel = self.flip();
                ActionKind::For(Box::new(For {
                    parallel,
                    item_id: self.id(),
                    item: self.name(),
                    index_id: self.id(),
                    index: self.maybe(Self::name),
                    list: self.expr(2),
                    limit: if parallel { self.maybe(|this| this.expr(1)) } else { None },
                    body: self.block(depth),
                }))
            }
            4 => ActionKind::Repeat(Box::new(Repeat {
                max: self.expr(1),
                every: self.maybe(Self::range),
                body: self.block(depth),
            })),
            5 => ActionKind::If(Box::new(If {
                branches: self.many(1, 3, |this| (this.expr(2), this.block(depth))),
                otherwise: self.maybe(|this| this.block(depth)),
            })),
            6 => ActionKind::Match(Box::new(Match {
                value: self.expr(2),
                arms: self.many(0, 3, |this| {
                    let (patterns, guard) = this.arm();
                    MatchArm { span: Span::default(), patterns, guard, body: this.block(depth) }
                }),
            })),
            _ => {
                let body = self.block(depth);
                let action = Action { id: self.id(), span: Span::default(), kind: ActionKind::Do(body) };
                let catch =
                    self.maybe(|this| Catch { id: this.id(), name: this.maybe(Self::name), body: this.block(depth) });
                ActionKind::Try(Box::new(Try { action, catch, finally: self.maybe(|this| this.block(depth)) }))
            }
        };
        Action { id: self.id(), span: Span::default(), kind }
    }

    // ── patterns ──

    fn arm(&mut self) -> (Vec<Pattern>, Option<Expr>) {
        (self.many(1, 2, |this| this.pattern(2)), self.maybe(|this| this.expr(2)))
    }

    fn pattern(&mut self, depth: usize) -> Pattern {
        let kind = match self.pick(if depth == 0 { 4 } else { 6 }) {
            0 => PatternKind::Any,
            1 => PatternKind::Bind(self.name()),
            2 | 3 => PatternKind::Literal(match self.literal() {
                Literal::Int(value) if self.flip() => Literal::Int(-value),
                other => other,
            }),
            4 => PatternKind::Is(self.ty(1)),
            _ => PatternKind::Record(self.pattern_fields(depth - 1)),
        };
        Pattern { id: self.id(), span: Span::default(), kind }
    }

    fn pattern_fields(&mut self, depth: usize) -> Vec<PatternField> {
        self.many(0, 2, |this| PatternField { name: this.field_name(), pattern: this.pattern(depth) })
    }

    fn literal(&mut self) -> Literal {
        match self.pick(6) {
            0 => Literal::Int(self.pick(1000) as i64),
            1 => Literal::Null,
            2 => Literal::Bool(self.flip()),
            3 => Literal::Float([0.5, 1e-7, 6.02e23, 3.0][self.pick(4)]),
            4 => Literal::Duration([0, 1, 1500, 60_000, 86_400_000][self.pick(5)]),
            _ => Literal::String(self.text()),
        }
    }

    // ── expressions ──

    fn node(&mut self, kind: ExprKind) -> Expr {
        Expr { id: self.id(), span: Span::default(), kind }
    }

    /// Any expression but a lambda.
    fn expr(&mut self, depth: usize) -> Expr {
        if depth > 0 && self.pick(8) == 7 {
            let branches = self.many(1, 2, |this| (this.expr(depth - 1), this.expr(depth - 1)));
            let otherwise = Box::new(self.level(0, depth - 1));
            return self.node(ExprKind::If { branches, otherwise });
        }
        self.level(0, depth)
    }

    /// An expression that binds at least as strongly as a level: 0 is `??`, 8 an operand.
    fn level(&mut self, level: usize, depth: usize) -> Expr {
        if depth == 0 {
            return self.operand(0);
        }
        let at = level + self.pick(9 - level);
        let below = depth - 1;
        let binary = |this: &mut Self, ops: &[BinaryOp], most: usize| {
            let first = Box::new(this.level(at + 1, below));
            let rest =
                this.many(1, most, |this| (ops[this.pick(ops.len())], Span::default(), this.level(at + 1, below)));
            this.node(ExprKind::Binary(first, rest))
        };
        match at {
            0 => binary(self, &[BinaryOp::Coalesce], 3),
            1 => binary(self, &[BinaryOp::Or], 3),
            2 => binary(self, &[BinaryOp::And], 3),
            3 => {
                let ops = self.many(1, 2, |_| (PrefixOp::Not, Span::default()));
                let operand = Box::new(self.level(4, below));
                self.node(ExprKind::Prefix(ops, operand))
            }
            4 if self.flip() => {
                let value = Box::new(self.level(5, below));
                let ty = self.ty(1);
                self.node(ExprKind::Is(value, ty))
            }
            4 => binary(self, &[BinaryOp::Eq, BinaryOp::Lt, BinaryOp::Ge, BinaryOp::In], 1),
            5 => binary(self, &[BinaryOp::Add, BinaryOp::Sub], 3),
            6 => binary(self, &[BinaryOp::Mul, BinaryOp::Div, BinaryOp::Rem], 3),
            7 => {
                let ops = self.many(1, 2, |_| (PrefixOp::Neg, Span::default()));
                let operand = Box::new(self.operand(below));
                self.node(ExprKind::Prefix(ops, operand))
            }
            _ => self.operand(depth),
        }
    }

    fn operand(&mut self, depth: usize) -> Expr {
        if depth == 0 {
            return self.primary(0);
        }
        match self.pick(4) {
            0 | 1 => self.primary(depth),
            2 => {
                let base = Box::new(self.primary(depth - 1));
                let tail = self.many(1, 3, |this| this.postfix(depth - 1));
                self.node(ExprKind::Postfix(base, tail))
            }
            _ => {
                let value = Box::new(self.primary(depth - 1));
                let types = self.many(1, 2, |this| (this.id(), this.ty(1)));
                self.node(ExprKind::As(value, types))
            }
        }
    }

    fn postfix(&mut self, depth: usize) -> Postfix {
        let kind = match self.pick(3) {
            0 => PostfixKind::Field(self.word()),
            1 => PostfixKind::Method(self.word(), self.args(depth)),
            _ => PostfixKind::Index(self.expr(depth)),
        };
        let optional = !matches!(kind, PostfixKind::Index(_)) && self.flip();
        Postfix { id: self.id(), span: Span::default(), optional, kind }
    }

    fn primary(&mut self, depth: usize) -> Expr {
        let below = depth.saturating_sub(1);
        let kind = match self.pick(if depth == 0 { 3 } else { 8 }) {
            0 => ExprKind::Name(Text::new(NAMES[self.pick(NAMES.len())])),
            1 => ExprKind::Literal(self.literal()),
            2 => return self.string(),
            3 => ExprKind::List(self.many(0, 3, |this| {
                let value = this.expr(below);
                if this.pick(4) == 3 { ListItem::Spread(value) } else { ListItem::Value(value) }
            })),
            4 => ExprKind::Record(self.many(0, 3, |this| match this.pick(5) {
                3 => RecordField::Spread(this.expr(below)),
                4 => RecordField::Fill(Span::default()),
                _ => RecordField::Value(this.field_name(), this.expr(below)),
            })),
            5 => ExprKind::Paren(Box::new(self.expr(below))),
            6 => {
                let callee = self.name();
                let args = self.args(below);
                let call = Call { id: self.id(), span: Span::default(), callee, args, args_span: Span::default() };
                ExprKind::Call(Box::new(call))
            }
            _ => ExprKind::Match(Box::new(ExprMatch {
                value: self.expr(below),
                arms: self.many(0, 2, |this| {
                    let (patterns, guard) = this.arm();
                    MatchArm { span: Span::default(), patterns, guard, body: this.expr(below) }
                }),
            })),
        };
        self.node(kind)
    }

    /// A string, with holes or without.
    fn string(&mut self) -> Expr {
        if self.flip() {
            let text = self.text();
            return self.node(ExprKind::Literal(Literal::String(text)));
        }
        let mut parts = Vec::new();
        for _ in 0..=self.pick(2) {
            let text = self.text();
            if !text.is_empty() {
                parts.push(TemplatePart::Text(text));
            }
            parts.push(TemplatePart::Hole(self.expr(1)));
        }
        self.node(ExprKind::Template(parts))
    }

    fn args(&mut self, depth: usize) -> Vec<Arg> {
        self.many(0, 2, |this| {
            let name = this.maybe(Self::word);
            let value = match this.pick(5) {
                3 => {
                    let params = this.many(1, 2, |this| (this.id(), this.name()));
                    let body = this.expr(depth.saturating_sub(1));
                    this.node(ExprKind::Lambda(Box::new(Lambda { params, body })))
                }
                4 => {
                    let of = TypeExprKind::Name { name: Self::of("list"), args: vec![this.ty(1)] };
                    let ty = TypeExpr { id: this.id(), span: Span::default(), kind: of };
                    this.node(ExprKind::Type(ty))
                }
                _ => this.expr(depth.saturating_sub(1)),
            };
            Arg { span: Span::default(), name, value }
        })
    }
}
