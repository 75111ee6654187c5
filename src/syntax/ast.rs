//! The tree of a source file. Every node that the checker says something about carries a [`NodeId`], dense within one
//! analysis, so that what is known of it lives in side tables. Long chains (`a + b + c`, `x.y.z()`, `else if`) are
//! flat, so that neither building nor dropping the tree recurses along them.

use crate::source::Span;
use crate::types::{BinaryOp, Text};

/// Identifies a node within one analysis (all files of a program share the numbering).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// A file's tree.
#[derive(Clone, Debug)]
pub struct File {
    /// Its items in order.
    pub items: Vec<Item>,
    /// Its comments in order, doc comments (`///`) left out where they document something.
    pub comments: Vec<Comment>,
}

/// A comment that documents nothing.
#[derive(Clone, Debug)]
pub struct Comment {
    /// From `//` to the end of the line.
    pub span: Span,
}

/// A name where it is declared or used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub text: Text,
    /// Where it stands.
    pub span: Span,
}

/// A documentation comment: its lines without `///` and one blank, joined by newlines.
pub type Doc = Option<String>;

/// A declaration at the top of a file.
#[derive(Clone, Debug)]
pub struct Item {
    /// The whole item, from its annotations to its last character, doc comment left out.
    pub span: Span,
    /// Its documentation.
    pub doc: Doc,
    /// Annotations before it.
    pub annotations: Vec<Annotation>,
    /// What it declares.
    pub kind: ItemKind,
}

/// What an item declares.
#[derive(Clone, Debug)]
pub enum ItemKind {
    /// `use { A, b } from "./x.flow"`
    Use(Use),
    /// `type Page = { … }`
    Type(TypeDecl),
    /// `tool crm.find(…) -> T`
    Tool(ToolDecl),
    /// `fn slug(…) -> T = expr` or `{ … }`
    Fn(FnDecl),
    /// `flow name(…) -> T { … }`
    Flow(FlowDecl),
    /// `test "…" { … }`
    Test(TestDecl),
    /// Text that is no item; a diagnostic says why.
    Error,
}

/// `@name(args)`
#[derive(Clone, Debug)]
pub struct Annotation {
    /// From `@` to the closing parenthesis.
    pub span: Span,
    /// The name without `@`.
    pub name: Name,
    /// Its arguments.
    pub args: Vec<Arg>,
}

/// An import.
#[derive(Clone, Debug)]
pub struct Use {
    /// The names it brings in.
    pub names: Vec<Name>,
    /// The path as written.
    pub path: Text,
    /// The path's literal.
    pub path_span: Span,
}

/// A type declaration.
#[derive(Clone, Debug)]
pub struct TypeDecl {
    /// Its name.
    pub name: Name,
    /// What it stands for.
    pub ty: TypeExpr,
}

/// A tool declaration.
#[derive(Clone, Debug)]
pub struct ToolDecl {
    /// The namespace and the tool's name, as one dotted name (`crm.find`).
    pub name: Name,
    /// Type parameters.
    pub generics: Vec<Name>,
    /// Parameters.
    pub params: Vec<Param>,
    /// What it gives; null where left out.
    pub result: Option<TypeExpr>,
}

/// A pure function.
#[derive(Clone, Debug)]
pub struct FnDecl {
    /// Its name.
    pub name: Name,
    /// Parameters.
    pub params: Vec<Param>,
    /// What it gives; inferred where left out.
    pub result: Option<TypeExpr>,
    /// Its body.
    pub body: FnBody,
}

/// A function's body.
#[derive(Clone, Debug)]
pub enum FnBody {
    /// `= expr`
    Expr(Expr),
    /// `{ … }` of `let`, `if`, `match`, `return`, `fail`
    Block(Block),
}

/// A flow.
#[derive(Clone, Debug)]
pub struct FlowDecl {
    /// Its name.
    pub name: Name,
    /// Parameters.
    pub params: Vec<Param>,
    /// What it gives; inferred where left out.
    pub result: Option<TypeExpr>,
    /// Its body.
    pub body: Block,
}

/// A test.
#[derive(Clone, Debug)]
pub struct TestDecl {
    /// Its title.
    pub title: Text,
    /// The title's literal.
    pub title_span: Span,
    /// Its body.
    pub body: Block,
}

/// A parameter.
#[derive(Clone, Debug)]
pub struct Param {
    /// Identifies the local it declares.
    pub id: NodeId,
    /// The whole parameter.
    pub span: Span,
    /// Its documentation.
    pub doc: Doc,
    /// Its name.
    pub name: Name,
    /// `name?: T`
    pub optional: bool,
    /// Its type.
    pub ty: TypeExpr,
    /// `= default`
    pub default: Option<Expr>,
}

/// A type as written.
#[derive(Clone, Debug)]
pub struct TypeExpr {
    /// Identifies it.
    pub id: NodeId,
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: TypeExprKind,
}

/// The forms of types.
#[derive(Clone, Debug)]
pub enum TypeExprKind {
    /// `string`, `Page`, `list<T>`: a name and its arguments.
    Name {
        /// The name.
        name: Name,
        /// What stands in `<…>`.
        args: Vec<TypeExpr>,
    },
    /// A literal: a string without holes, an int with its sign, a bool. `null` is a [`TypeExprKind::Name`].
    Literal(crate::types::Literal),
    /// `{ a: T, b?: U }`
    Record(Vec<TypeField>),
    /// `A | B`, at least two.
    Union(Vec<TypeExpr>),
    /// `T?`
    Optional(Box<TypeExpr>),
    /// Text that is no type; a diagnostic says why.
    Error,
}

/// A field of a record type.
#[derive(Clone, Debug)]
pub struct TypeField {
    /// The whole field.
    pub span: Span,
    /// Its documentation.
    pub doc: Doc,
    /// Its name; quoted ones without quotes.
    pub name: Name,
    /// `name?: T`
    pub optional: bool,
    /// Its type.
    pub ty: TypeExpr,
}

/// Statements between braces.
#[derive(Clone, Debug)]
pub struct Block {
    /// Identifies it.
    pub id: NodeId,
    /// From `{` to `}`.
    pub span: Span,
    /// Its statements.
    pub stmts: Vec<Stmt>,
}

/// A statement.
#[derive(Clone, Debug)]
pub struct Stmt {
    /// Identifies it: the local that a `var` or plain `let` declares, the block statement for its path.
    pub id: NodeId,
    /// The whole statement.
    pub span: Span,
    /// Documentation before it; belongs to steps.
    pub kind: StmtKind,
}

/// The forms of statements.
#[derive(Clone, Debug)]
pub enum StmtKind {
    /// `let name: T = expr`, `let { a, b } = record`
    Let {
        /// What it binds.
        pattern: LetPattern,
        /// The declared type.
        ty: Option<TypeExpr>,
        /// The value.
        value: Expr,
    },
    /// `var name: T = expr`
    Var {
        /// Its name.
        name: Name,
        /// The declared type.
        ty: Option<TypeExpr>,
        /// The first value.
        value: Expr,
    },
    /// `set name = expr`
    Set {
        /// Identifies the use of the name.
        id: NodeId,
        /// The var.
        name: Name,
        /// Its new value.
        value: Expr,
    },
    /// `step …`
    Step(Step),
    /// A block form standing as a statement: `if for parallel race repeat do try match`.
    Block(Action),
    /// `yield expr`
    Yield(Expr),
    /// `yield step call(…)`: an unnamed step.
    YieldStep(Step),
    /// `return expr`
    Return(Expr),
    /// `return step call(…)`: an unnamed step.
    ReturnStep(Step),
    /// `fail expr`, `fail expr details expr`
    Fail {
        /// A message or a caught error.
        value: Expr,
        /// `details`
        details: Option<Expr>,
    },
    /// `emit expr`
    Emit(Expr),
    /// `break`
    Break,
    /// `continue`
    Continue,
    /// `mock tool(pattern) => expr` and so on.
    Mock(Mock),
    /// `assert expr`
    Assert(Expr),
    /// Text that is no statement; a diagnostic says why.
    Error,
}

/// What a `let` binds.
#[derive(Clone, Debug)]
pub enum LetPattern {
    /// A name; the local is identified by the statement.
    Name(Name),
    /// `{ a, b: c }`: fields of a record.
    Record(Vec<LetField>),
}

/// A field that a `let` takes from a record.
#[derive(Clone, Debug)]
pub struct LetField {
    /// Identifies the local it declares.
    pub id: NodeId,
    /// The field's name.
    pub field: Name,
    /// The local's name: the same, or what stands after the colon.
    pub name: Name,
}

/// A step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Identifies it and the local it declares.
    pub id: NodeId,
    /// From `step` to its last clause.
    pub span: Span,
    /// Its name, where it has one.
    pub name: Option<Name>,
    /// Its title: a string literal, maybe with holes.
    pub title: Option<Expr>,
    /// What it does.
    pub action: Action,
    /// Its clauses, in the order written.
    pub clauses: Vec<Clause>,
}

/// A call or a block form.
#[derive(Clone, Debug)]
pub struct Action {
    /// Identifies it.
    pub id: NodeId,
    /// The whole action, clauses left out.
    pub span: Span,
    /// What it is.
    pub kind: ActionKind,
}

/// The forms of actions.
#[derive(Clone, Debug)]
pub enum ActionKind {
    /// A call of a tool or flow.
    Call(Call),
    /// `parallel { step … }`
    Parallel(Block),
    /// `race { step … }`
    Race(Block),
    /// `for …` and `parallel for …`
    For(Box<For>),
    /// `repeat …`
    Repeat(Box<Repeat>),
    /// `do { … }`
    Do(Block),
    /// `if … { } else if … { } else { }`
    If(Box<If>),
    /// `match v { pattern => { } }`
    Match(Box<Match>),
    /// `try X`, `try { } catch err { } finally { }`
    Try(Box<Try>),
    /// Text that is no action; a diagnostic says why.
    Error,
}

/// A call of a tool or flow, where effects are allowed.
#[derive(Clone, Debug)]
pub struct Call {
    /// Identifies it.
    pub id: NodeId,
    /// From the callee to the closing parenthesis.
    pub span: Span,
    /// The dotted name of a tool, or the name of a flow, as one name.
    pub callee: Name,
    /// Its arguments.
    pub args: Vec<Arg>,
    /// The parentheses.
    pub args_span: Span,
}

/// An argument.
#[derive(Clone, Debug)]
pub struct Arg {
    /// The whole argument.
    pub span: Span,
    /// `name:`
    pub name: Option<Name>,
    /// Its value.
    pub value: Expr,
}

/// A loop over a list.
#[derive(Clone, Debug)]
pub struct For {
    /// `parallel for`
    pub parallel: bool,
    /// Identifies the item's local.
    pub item_id: NodeId,
    /// The item's name.
    pub item: Name,
    /// Identifies the index's local.
    pub index_id: NodeId,
    /// The index's name.
    pub index: Option<Name>,
    /// The list.
    pub list: Expr,
    /// `limit n`
    pub limit: Option<Expr>,
    /// Its body.
    pub body: Block,
}

/// A loop with a bound.
#[derive(Clone, Debug)]
pub struct Repeat {
    /// `max n`
    pub max: Expr,
    /// `every D`, `every A..B`
    pub every: Option<Range>,
    /// Its body.
    pub body: Block,
}

/// `A` or `A..B` of durations.
#[derive(Clone, Debug)]
pub struct Range {
    /// `A`
    pub from: Expr,
    /// `B`
    pub to: Option<Expr>,
}

/// A conditional of statements.
#[derive(Clone, Debug)]
pub struct If {
    /// `if c { }`, `else if c { }` …, at least one.
    pub branches: Vec<(Expr, Block)>,
    /// `else { }`
    pub otherwise: Option<Block>,
}

/// A match of statements.
#[derive(Clone, Debug)]
pub struct Match {
    /// What is matched.
    pub value: Expr,
    /// Its arms.
    pub arms: Vec<MatchArm<Block>>,
}

/// An arm of a match.
#[derive(Clone, Debug)]
pub struct MatchArm<Body> {
    /// The whole arm.
    pub span: Span,
    /// What it takes; several stand for any of them.
    pub patterns: Vec<Pattern>,
    /// `if cond`
    pub guard: Option<Expr>,
    /// What it gives.
    pub body: Body,
}

/// A pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Identifies it, and the local that a name binds.
    pub id: NodeId,
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: PatternKind,
}

/// The forms of patterns.
#[derive(Clone, Debug)]
pub enum PatternKind {
    /// `_`
    Any,
    /// A name, which binds.
    Bind(Name),
    /// A literal with its sign: null, bool, int, float, string without holes, duration.
    Literal(Literal),
    /// `is T`
    Is(TypeExpr),
    /// `{ state: "ready", url }`
    Record(Vec<PatternField>),
    /// Text that is no pattern; a diagnostic says why.
    Error,
}

/// A field of a record pattern.
#[derive(Clone, Debug)]
pub struct PatternField {
    /// The field's name.
    pub name: Name,
    /// What it must be; a bare name binds it, as `name: name` would (the pattern is then a [`PatternKind::Bind`] of
    /// the same span).
    pub pattern: Pattern,
}

/// A guarded action.
#[derive(Clone, Debug)]
pub struct Try {
    /// What is tried: a call or a block form; `try { }` is a [`ActionKind::Do`] of the block.
    pub action: Action,
    /// `catch err { }`
    pub catch: Option<Catch>,
    /// `finally { }`
    pub finally: Option<Block>,
}

/// What is done with a failure.
#[derive(Clone, Debug)]
pub struct Catch {
    /// Identifies the error's local.
    pub id: NodeId,
    /// The error's name, where it has one.
    pub name: Option<Name>,
    /// Its body.
    pub body: Block,
}

/// A clause of a step.
#[derive(Clone, Debug)]
pub struct Clause {
    /// The whole clause.
    pub span: Span,
    /// What it says.
    pub kind: ClauseKind,
}

/// The clauses.
#[derive(Clone, Debug)]
pub enum ClauseKind {
    /// `as T`
    As(TypeExpr),
    /// `retry N backoff A..B on "timeout", …`
    Retry {
        /// `N`
        count: Expr,
        /// `backoff A..B`
        backoff: Option<Range>,
        /// `on …`: kinds with their spans.
        on: Vec<Name>,
    },
    /// `timeout D`
    Timeout(Expr),
    /// `else expr`
    Else(Expr),
    /// `when cond`
    When(Expr),
    /// `undo call`
    Undo(Call),
    /// `key expr`
    Key(Expr),
}

/// A mock of a tool, in a test.
#[derive(Clone, Debug)]
pub struct Mock {
    /// Identifies it.
    pub id: NodeId,
    /// The tool's dotted name.
    pub tool: Name,
    /// Which calls it answers.
    pub args: MockArgs,
    /// `after D`
    pub after: Option<Expr>,
    /// What it answers.
    pub answer: MockAnswer,
}

/// Which calls a mock answers.
#[derive(Clone, Debug)]
pub enum MockArgs {
    /// `()` and `(_)`: all.
    Any,
    /// A record pattern of named arguments.
    Record(Vec<PatternField>),
}

/// What a mock answers.
#[derive(Clone, Debug)]
pub enum MockAnswer {
    /// `=> expr`
    Value(Expr),
    /// `fails "kind"`
    Fails(Name),
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// Identifies it.
    pub id: NodeId,
    /// Where it stands, parentheses around it left out.
    pub span: Span,
    /// What it is.
    pub kind: ExprKind,
}

/// The value of a literal without holes.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// An int.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string.
    String(Text),
    /// A duration in milliseconds.
    Duration(i64),
}

/// The forms of expressions.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A literal; a string without holes is one.
    Literal(Literal),
    /// A string with holes, escapes resolved and dedented.
    Template(Vec<TemplatePart>),
    /// A name: a local, `input`, `prev`, `run`, `secrets`, a type's name as its schema, or `calls`.
    Name(Text),
    /// `[a, ...b]`
    List(Vec<ListItem>),
    /// `{ a: 1, b, ...c }`
    Record(Vec<RecordField>),
    /// `x => e`, `(a, b) => e`
    Lambda(Box<Lambda>),
    /// `( e )`: kept so that a formatter need not guess.
    Paren(Box<Expr>),
    /// A chain of prefix operators, outermost first, on one operand: `not not x`, `- x`.
    Prefix(Vec<(PrefixOp, Span)>, Box<Expr>),
    /// Operators of one level, left to right: `a + b - c`. Comparisons, `in`, and `is` hold exactly one; `??` is
    /// right to left.
    Binary(Box<Expr>, Vec<(BinaryOp, Span, Expr)>),
    /// `x is T`
    Is(Box<Expr>, TypeExpr),
    /// `x as T as U`: each with the id of its result.
    As(Box<Expr>, Vec<(NodeId, TypeExpr)>),
    /// What follows an expression: `.f ?.f [i] .m(args)`, left to right.
    Postfix(Box<Expr>, Vec<Postfix>),
    /// `f(args)`: a pure function by its name, `calls(tool)`, or a tool or flow by mistake (one dotted name).
    Call(Box<Call>),
    /// `if c then a else if d then b else e`
    If {
        /// Conditions with their values, at least one.
        branches: Vec<(Expr, Expr)>,
        /// The value else.
        otherwise: Box<Expr>,
    },
    /// `match v { pattern => e, … }`
    Match(Box<ExprMatch>),
    /// A type that is no expression too, as an argument: `check(list<int>)`, `check(Page?)`. A type that is just a name
    /// is a [`ExprKind::Name`].
    Type(TypeExpr),
    /// Text that is no expression; a diagnostic says why.
    Error,
}

/// A part of a string.
#[derive(Clone, Debug)]
pub enum TemplatePart {
    /// Text, escapes resolved.
    Text(Text),
    /// `{{ expr }}`
    Hole(Expr),
}

/// An item of a list literal.
#[derive(Clone, Debug)]
pub enum ListItem {
    /// A value.
    Value(Expr),
    /// `...list`
    Spread(Expr),
}

/// A field of a record literal.
#[derive(Clone, Debug)]
pub enum RecordField {
    /// `name: value`; a bare `name` has a [`ExprKind::Name`] of the same span as its value.
    Value(Name, Expr),
    /// `...record`
    Spread(Expr),
    /// `...` in a mock's answer: sample values for what is left out.
    Fill(Span),
}

/// A lambda.
#[derive(Clone, Debug)]
pub struct Lambda {
    /// Its parameters, each with the id of its local.
    pub params: Vec<(NodeId, Name)>,
    /// Its value.
    pub body: Expr,
}

/// A match as an expression.
#[derive(Clone, Debug)]
pub struct ExprMatch {
    /// What is matched.
    pub value: Expr,
    /// Its arms.
    pub arms: Vec<MatchArm<Expr>>,
}

/// Something after an expression.
#[derive(Clone, Debug)]
pub struct Postfix {
    /// Identifies the value so far.
    pub id: NodeId,
    /// From the dot or bracket to its end.
    pub span: Span,
    /// `?.`: null where what stands before is null, and the rest of the chain is then skipped.
    pub optional: bool,
    /// What it is.
    pub kind: PostfixKind,
}

/// The forms of what follows an expression.
#[derive(Clone, Debug)]
pub enum PostfixKind {
    /// `.name`, also a method without parentheses
    Field(Name),
    /// `.name(args)`
    Method(Name, Vec<Arg>),
    /// `[index]`
    Index(Expr),
}

/// A prefix operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixOp {
    /// `not`
    Not,
    /// `-`
    Neg,
}
