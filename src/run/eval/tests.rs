use std::sync::Arc;

use proptest::prelude::*;

use super::reference::Reference;
use super::*;
use crate::builtins::MethodRef;
use crate::program::{Arm, Block, Constant, Lambda, ListItem, Param, Stmt, TemplatePart};
use crate::source::FileId;
use crate::types::{BinaryOp, Text};
use crate::value::{Record, Shape};

fn constant(value: impl Into<Value>) -> Expr {
    Expr::Const(Constant(value.into()))
}

fn span() -> Span {
    Span::new(FileId(0), 3, 7)
}

fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    Expr::Binary { op, sides: Box::new((left, right)), span: span() }
}

fn method(id: &str, receiver: Expr, args: Vec<Expr>, lambda: Option<(Vec<u32>, Expr)>) -> Expr {
    let lambda = lambda.map(|(params, body)| Box::new(Lambda { params, body }));
    let method = MethodRef::by_id(id).unwrap_or_else(|| panic!("there is no method {id}"));
    Expr::Method { method, receiver: Box::new(receiver), args, lambda, span: span() }
}

fn run(expr: &Expr, frame: &mut [Value]) -> Evaluated {
    Evaluator::new(&[], &Value::Null).eval(expr, frame)
}

fn kind(result: Evaluated) -> Option<(ErrorKind, Option<Span>)> {
    result.err().map(|error| (error.kind, error.span))
}

#[test]
fn failures_blame_their_place() {
    let failing = [
        (binary(BinaryOp::Add, constant(i64::MAX), constant(1)), ErrorKind::Arithmetic),
        (binary(BinaryOp::Div, constant(1), constant(0)), ErrorKind::Arithmetic),
        (binary(BinaryOp::Rem, constant(i64::MIN), constant(-1)), ErrorKind::Arithmetic),
        (binary(BinaryOp::Mul, constant(Value::Float(1e300)), constant(Value::Float(1e300))), ErrorKind::Arithmetic),
        (
            Expr::Index { base: Box::new(Expr::List(vec![])), index: Box::new(constant(0)), span: span() },
            ErrorKind::Index,
        ),
        (Expr::As(Box::new(constant("x")), Type::Int, span()), ErrorKind::Invalid),
        (method("string.repeat", constant("ab"), vec![constant(1 << 40)], None), ErrorKind::Exhausted),
        (method("string.parse_json", constant("{"), vec![], None), ErrorKind::Invalid),
        (method("string.matches", constant("a"), vec![constant("(")], None), ErrorKind::Invalid),
    ];
    for (expr, expected) in failing {
        assert_eq!(kind(run(&expr, &mut [])), Some((expected, Some(span()))), "{expr:?}");
    }
}

#[test]
fn json_is_read_leniently_and_lists_strictly() {
    let list = || Box::new(Expr::List(vec![ListItem::Value(constant(1)), ListItem::Value(constant(2))]));
    let index = |at: i64| Expr::Index { base: list(), index: Box::new(constant(at)), span: span() };
    assert_eq!(run(&index(-1), &mut []).ok(), Some(Value::Int(2)));
    assert_eq!(kind(run(&index(2), &mut [])), Some((ErrorKind::Index, Some(span()))));
    assert_eq!(kind(run(&index(i64::MIN), &mut [])), Some((ErrorKind::Index, Some(span()))));
    let lookup = Expr::Lookup { base: list(), index: Box::new(constant(5)) };
    assert_eq!(run(&lookup, &mut []).ok(), Some(Value::Null));
}

#[test]
fn no_expression_runs_without_end() {
    let doubled = method(
        "list.reduce",
        Expr::Slot(0),
        vec![constant("ab")],
        Some((vec![1, 2], binary(BinaryOp::Add, Expr::Slot(1), Expr::Slot(1)))),
    );
    let mut frame = vec![Value::list((0..100).map(Value::Int)), Value::Null, Value::Null];
    assert_eq!(kind(run(&doubled, &mut frame)).map(|(kind, _)| kind), Some(ErrorKind::Exhausted));

    let sum = method(
        "list.reduce",
        Expr::Slot(0),
        vec![constant(0)],
        Some((vec![1, 2], binary(BinaryOp::Add, Expr::Slot(1), Expr::Slot(2)))),
    );
    let poor = Evaluator::new(&[], &Value::Null).limits(50, 1 << 20);
    assert_eq!(kind(poor.eval(&sum, &mut frame)), Some((ErrorKind::Exhausted, Some(span()))));

    let mut deep = constant(true);
    for _ in 0..10_000 {
        deep = Expr::Not(Box::new(deep));
    }
    assert_eq!(kind(run(&deep, &mut [])).map(|(kind, _)| kind), Some(ErrorKind::Exhausted));
    // Taken apart by hand: dropping a deep tree recurses.
    while let Expr::Not(inner) = deep {
        deep = *inner;
    }
}

#[test]
fn a_chain_of_strings_is_joined_once() {
    let rest = (0..1_000).map(|_| (BinaryOp::Add, constant("ab"), span())).collect();
    let chain = Expr::Chain { first: Box::new(constant("")), rest };
    let joined = run(&chain, &mut []).ok();
    assert_eq!(joined.as_ref().and_then(Value::as_str).map(str::len), Some(2_000));
}

#[test]
fn functions_have_frames_of_their_own_and_defaults_see_earlier_parameters() {
    let param =
        |name: &str, default| Param { name: name.into(), doc: String::new(), ty: Type::Int, optional: true, default };
    let twice = binary(BinaryOp::Mul, Expr::Slot(0), constant(2));
    let body = vec![
        Stmt::Assign { slot: 2, value: binary(BinaryOp::Add, Expr::Slot(0), Expr::Slot(1)) },
        Stmt::If(Box::new(crate::program::If {
            branches: vec![(
                binary(BinaryOp::Gt, Expr::Slot(2), constant(100)),
                Block { stmts: vec![Stmt::Fail { message: constant("too much"), details: None, span: span() }] },
            )],
            otherwise: None,
        })),
        Stmt::Return(Expr::Slot(2)),
    ];
    let function = Function {
        name: "f".into(),
        params: vec![param("a", None), param("b", Some(twice))],
        slots: 3,
        body: Block { stmts: body },
    };
    let functions = [function];
    let evaluator = Evaluator::new(&functions, &Value::Null);
    let call = |args: Vec<Option<Expr>>| Expr::Call { function: 0, args, span: Span::default() };
    assert_eq!(evaluator.eval(&call(vec![Some(constant(3)), None]), &mut []).ok(), Some(Value::Int(9)));
    assert_eq!(evaluator.eval(&call(vec![Some(constant(3)), Some(constant(1))]), &mut []).ok(), Some(Value::Int(4)));
    let failed = kind(evaluator.eval(&call(vec![Some(constant(99)), None]), &mut []));
    assert_eq!(failed, Some((ErrorKind::Failed, Some(span()))));
}

/// The frame of generated expressions: an int, a float, a text, a list of ints, a list of records, a record or null, and
/// slots for lambdas, guards and patterns.
fn frame(seed: i64) -> Vec<Value> {
    let shape = Arc::new(Shape::new(["a", "b"].map(Text::new_static)));
    let record = |a: i64, b: &str| {
        Value::Record(Arc::new(Record { shape: Arc::clone(&shape), values: vec![Value::Int(a), b.into()] }))
    };
    let mut frame = vec![
        Value::Int(seed),
        Value::Float(seed as f64 / 7.0),
        "héllo wörld".into(),
        Value::list([3, 1, 2, 1].map(Value::Int)),
        Value::list([record(seed, "x"), record(2, "y"), record(seed, "z")]),
        if seed % 2 == 0 { Value::Null } else { record(1, "r") },
    ];
    frame.resize(6 + 6 * 6, Value::Null);
    frame
}

/// What to build, as plain data: expressions themselves cannot be copied.
#[derive(Clone, Debug)]
enum Plan {
    Int(i64),
    Slot,
    Float,
    Operate(BinaryOp, Box<Plan>, Box<Plan>),
    Chain(Box<Plan>, Vec<(BinaryOp, Plan)>),
    If(Box<Plan>, Box<Plan>, Box<Plan>),
    Reduce(Box<Plan>, Box<Plan>),
    MapSum(Box<Plan>),
    SortedFirst(Box<Plan>),
    FilterCount(Box<Plan>),
    Length(Box<Plan>, Box<Plan>),
    Item(Box<Plan>),
    Guard(Box<Plan>),
    Match(Box<Plan>, Box<Plan>),
    Call(Box<Plan>, Option<Box<Plan>>),
    Neg(Box<Plan>),
    Field,
}

fn plan() -> impl Strategy<Value = Plan> {
    let numbers = prop_oneof![Just(0_i64), Just(1), Just(2), Just(-3), Just(1 << 40), Just(i64::MAX), Just(i64::MIN)];
    let leaf = prop_oneof![numbers.prop_map(Plan::Int), Just(Plan::Slot), Just(Plan::Float), Just(Plan::Field)];
    leaf.prop_recursive(4, 40, 3, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let ops = prop_oneof![Just(BinaryOp::Add), Just(BinaryOp::Sub), Just(BinaryOp::Mul)];
        prop_oneof![
            (ops.clone(), boxed.clone(), boxed.clone()).prop_map(|(op, a, b)| Plan::Operate(op, a, b)),
            (boxed.clone(), boxed.clone()).prop_map(|(a, b)| Plan::Operate(BinaryOp::Div, a, b)),
            (boxed.clone(), proptest::collection::vec((ops, inner), 2..4)).prop_map(|(a, rest)| Plan::Chain(a, rest)),
            (boxed.clone(), boxed.clone(), boxed.clone()).prop_map(|(a, b, c)| Plan::If(a, b, c)),
            (boxed.clone(), boxed.clone()).prop_map(|(a, b)| Plan::Reduce(a, b)),
            boxed.clone().prop_map(Plan::MapSum),
            boxed.clone().prop_map(Plan::SortedFirst),
            boxed.clone().prop_map(Plan::FilterCount),
            (boxed.clone(), boxed.clone()).prop_map(|(a, b)| Plan::Length(a, b)),
            boxed.clone().prop_map(Plan::Item),
            boxed.clone().prop_map(Plan::Guard),
            (boxed.clone(), boxed.clone()).prop_map(|(a, b)| Plan::Match(a, b)),
            (boxed.clone(), proptest::option::of(boxed.clone())).prop_map(|(a, b)| Plan::Call(a, b)),
            boxed.prop_map(Plan::Neg),
        ]
    })
}

fn field(base: Expr, name: &str, hint: u32) -> Expr {
    Expr::Field { base: Box::new(base), name: name.into(), hint }
}

/// The number a plan stands for; slots from `free` on are its own.
fn build(plan: &Plan, free: u32) -> Expr {
    // Slots of lambdas, guards and patterns that are alive at once differ.
    let inner = free + 6;
    let build = |plan: &Plan| build(plan, inner);
    match plan {
        Plan::Int(int) => constant(*int),
        Plan::Slot => Expr::Slot(0),
        Plan::Float => Expr::Slot(1),
        // The hint is wrong on purpose.
        Plan::Field => {
            field(Expr::Index { base: Box::new(Expr::Slot(4)), index: Box::new(constant(-1)), span: span() }, "a", 1)
        }
        Plan::Operate(op, a, b) => binary(*op, build(a), build(b)),
        Plan::Chain(first, rest) => Expr::Chain {
            first: Box::new(build(first)),
            rest: rest.iter().map(|(op, plan)| (*op, build(plan), span())).collect(),
        },
        Plan::If(a, b, c) => Expr::If {
            branches: vec![(
                Expr::Or(vec![
                    Expr::Not(Box::new(binary(BinaryOp::Lt, build(a), build(b)))),
                    binary(BinaryOp::In, build(c), Expr::Slot(3)),
                ]),
                build(b),
            )],
            otherwise: Box::new(build(c)),
        },
        Plan::Reduce(start, body) => method(
            "list.reduce",
            Expr::Slot(3),
            vec![build(start)],
            Some((
                vec![free, free + 1],
                binary(BinaryOp::Add, binary(BinaryOp::Mul, Expr::Slot(free), Expr::Slot(free + 1)), build(body)),
            )),
        ),
        Plan::MapSum(body) => {
            let made = Expr::Record {
                shape: Arc::new(Shape::new(["n", "t"].map(Text::new_static))),
                values: vec![
                    binary(BinaryOp::Add, field(Expr::Slot(free + 2), "a", 0), build(body)),
                    Expr::Template(vec![
                        TemplatePart::Text("<".into()),
                        TemplatePart::Hole(build(body)),
                        TemplatePart::Hole(field(Expr::Slot(free + 2), "b", 1)),
                    ]),
                ],
            };
            let mapped = method("list.map", Expr::Slot(4), vec![], Some((vec![free + 2], made)));
            let last = method("list.last", mapped, vec![], None);
            let text = field(Expr::Slot(free + 3), "t", 1);
            Expr::Guard {
                slot: free + 3,
                parts: Box::new((
                    last,
                    binary(
                        BinaryOp::Add,
                        method("string.length", text, vec![], None),
                        field(Expr::Slot(free + 3), "n", 0),
                    ),
                )),
            }
        }
        Plan::SortedFirst(key) => {
            let key = binary(BinaryOp::Mul, Expr::Slot(free + 2), build(key));
            let sorted = method("list.sort_by", Expr::Slot(3), vec![], Some((vec![free + 2], key)));
            Expr::Coalesce(vec![method("list.first", sorted, vec![], None), constant(0)])
        }
        Plan::FilterCount(least) => {
            let kept = method(
                "list.filter",
                Expr::List(vec![ListItem::Spread(Expr::Slot(3)), ListItem::Value(build(least))]),
                vec![],
                Some((vec![free + 2], binary(BinaryOp::Ge, Expr::Slot(free + 2), build(least)))),
            );
            method("list.length", kept, vec![], None)
        }
        Plan::Length(a, b) => {
            let text = |plan: &Plan| Expr::Template(vec![TemplatePart::Hole(build(plan))]);
            let joined = binary(BinaryOp::Add, text(a), binary(BinaryOp::Add, Expr::Slot(2), text(b)));
            method("string.length", method("string.slice", joined, vec![constant(1), constant(-1)], None), vec![], None)
        }
        Plan::Item(at) => {
            let at = method("string.length", Expr::Template(vec![TemplatePart::Hole(build(at))]), vec![], None);
            Expr::Index { base: Box::new(Expr::Slot(3)), index: Box::new(at), span: span() }
        }
        Plan::Guard(other) => Expr::Coalesce(vec![
            Expr::Guard { slot: free + 4, parts: Box::new((Expr::Slot(5), field(Expr::Slot(free + 4), "a", 0))) },
            build(other),
        ]),
        Plan::Match(value, other) => Expr::Match {
            value: Box::new(build(value)),
            arms: vec![
                Arm {
                    patterns: vec![Pattern::Const(Constant(Value::Int(1))), Pattern::Const(Constant(Value::Int(2)))],
                    guard: None,
                    body: build(other),
                },
                Arm {
                    patterns: vec![Pattern::Bind(free + 5)],
                    guard: Some(Expr::Is(Box::new(Expr::Slot(free + 5)), Type::Int)),
                    body: binary(BinaryOp::Sub, Expr::Slot(free + 5), build(other)),
                },
                Arm { patterns: vec![Pattern::Any], guard: None, body: constant(7) },
            ],
        },
        Plan::Call(a, b) => {
            Expr::Call { function: 0, args: vec![Some(build(a)), b.as_deref().map(build)], span: span() }
        }
        Plan::Neg(inner) => Expr::Neg(Box::new(build(inner)), span()),
    }
}

fn functions() -> Vec<Function> {
    let param = |name: &str, default| Param {
        name: name.into(),
        doc: String::new(),
        ty: Type::Float,
        optional: false,
        default,
    };
    let sum = binary(BinaryOp::Add, Expr::Slot(0), Expr::Slot(1));
    vec![Function {
        name: "f".into(),
        params: vec![param("a", None), param("b", Some(binary(BinaryOp::Add, Expr::Slot(0), constant(1))))],
        slots: 3,
        body: Block {
            stmts: vec![
                Stmt::Assign { slot: 2, value: sum },
                Stmt::If(Box::new(crate::program::If {
                    branches: vec![(
                        binary(BinaryOp::Gt, Expr::Slot(2), constant(1_000)),
                        Block { stmts: vec![Stmt::Fail { message: constant("no"), details: None, span: span() }] },
                    )],
                    otherwise: None,
                })),
                Stmt::Return(Expr::Slot(2)),
            ],
        },
    }]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
    #[test]
    fn it_agrees_with_the_plain_evaluator(plan in plan(), seed in -3_i64..4) {
        let expr = build(&plan, 6);
        let functions = functions();
        let plain = Reference { functions: &functions }.eval(&expr, &mut frame(seed));
        let real = Evaluator::new(&functions, &Value::Null).eval(&expr, &mut frame(seed));
        match (plain, real) {
            (Ok(a), Ok(b)) => prop_assert!(a == b && a.kind() == b.kind(), "{a:?} and {b:?}"),
            (Err(a), Err(b)) => prop_assert_eq!(a.kind, b.kind),
            (a, b) => prop_assert!(false, "{a:?} and {b:?}"),
        }
    }
}
