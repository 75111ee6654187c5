//! Pure expressions: Flow's evaluator beside plain Rust and rhai, in the same process on the same data.
//!
//! `cargo bench --bench expressions`

#![allow(clippy::expect_used, reason = "a bench that cannot be set up has nothing to measure")]

use std::fmt::Write;
use std::sync::Arc;

use divan::{Bencher, black_box};
use flowc::builtins::MethodRef;
use flowc::program::{Constant, Expr, Lambda, TemplatePart};
use flowc::run::eval::Evaluator;
use flowc::source::Span;
use flowc::types::BinaryOp;
use flowc::value::{Record, Shape, Value};

fn main() {
    divan::main();
}

/// The slots of a frame here: the data, and the parameters of lambdas.
const DATA: u32 = 0;
const A: u32 = 1;
const B: u32 = 2;

fn constant(value: impl Into<Value>) -> Expr {
    Expr::Const(Constant(value.into()))
}

fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    Expr::Binary { op, sides: Box::new((left, right)), span: Span::default() }
}

fn field(slot: u32, name: &str, hint: u32) -> Expr {
    Expr::Field { base: Box::new(Expr::Slot(slot)), name: name.into(), hint }
}

fn method(id: &str, receiver: Expr, args: Vec<Expr>, params: Vec<u32>, body: Expr) -> Expr {
    let method = MethodRef::by_id(id).expect("a method");
    let lambda = Some(Box::new(Lambda { params, body }));
    Expr::Method { method, receiver: Box::new(receiver), args, lambda, span: Span::default() }
}

/// Evaluates an expression over data again and again.
fn flow(bencher: Bencher<'_, '_>, expr: &Expr, data: &Value) {
    let evaluator = Evaluator::new(&[], &Value::Null).limits(1 << 40, 1 << 40);
    let mut frame = vec![data.clone(), Value::Null, Value::Null];
    bencher.bench_local(|| evaluator.eval(black_box(expr), &mut frame).expect("a value"));
}

fn rhai(bencher: Bencher<'_, '_>, script: &str, data: rhai::Dynamic) {
    let mut engine = rhai::Engine::new();
    engine.set_max_expr_depths(0, 0);
    let ast = engine.compile(script).expect("a script");
    let mut scope = rhai::Scope::new();
    scope.push_dynamic("xs", data);
    bencher.bench_local(|| engine.eval_ast_with_scope::<rhai::Dynamic>(&mut scope, black_box(&ast)).expect("a value"));
}

/// The sum of the squares of a million ints: `xs.reduce(0, (sum, x) => sum + x * x % 7)`.
mod reduce {
    use super::{A, B, Bencher, BinaryOp, DATA, Expr, Value, binary, black_box, constant, method};

    const COUNT: i64 = 1_000_000;

    #[divan::bench]
    fn flow(bencher: Bencher<'_, '_>) {
        let square = binary(BinaryOp::Rem, binary(BinaryOp::Mul, Expr::Slot(B), Expr::Slot(B)), constant(7));
        let body = binary(BinaryOp::Add, Expr::Slot(A), square);
        let expr = method("list.reduce", Expr::Slot(DATA), vec![constant(0)], vec![A, B], body);
        super::flow(bencher, &expr, &Value::list((0..COUNT).map(Value::Int)));
    }

    #[divan::bench]
    fn rhai(bencher: Bencher<'_, '_>) {
        let data: rhai::Array = (0..COUNT).map(rhai::Dynamic::from).collect();
        super::rhai(bencher, "let sum = 0; for x in xs { sum += x * x % 7; } sum", data.into());
    }

    #[divan::bench]
    fn rust(bencher: Bencher<'_, '_>) {
        let data: Vec<i64> = (0..COUNT).collect();
        bencher
            .bench_local(|| black_box(&data).iter().try_fold(0_i64, |sum, x| sum.checked_add(x.checked_mul(*x)? % 7)));
    }
}

/// Ten thousand records: `xs.filter(r => r.words > 500).map(r => { url: r.url, title: r.title, words: r.words * 2 })`.
mod records {
    use super::{
        A, Arc, B, Bencher, BinaryOp, DATA, Expr, Record, Shape, Value, binary, black_box, constant, field, method,
    };

    const COUNT: i64 = 10_000;

    #[derive(Clone)]
    struct Page {
        url: String,
        title: String,
        words: i64,
    }

    fn page(at: i64) -> Page {
        Page { url: format!("https://example.com/pages/{at}"), title: format!("Page {at}"), words: at % 1_000 }
    }

    #[divan::bench]
    fn flow(bencher: Bencher<'_, '_>) {
        let shape = Arc::new(Shape::new(["url", "title", "words"].map(Into::into)));
        let record = |page: Page| {
            let values = vec![page.url.into(), page.title.into(), Value::Int(page.words)];
            Value::Record(Arc::new(Record { shape: Arc::clone(&shape), values }))
        };
        let many = binary(BinaryOp::Gt, field(A, "words", 2), constant(500));
        let kept = method("list.filter", Expr::Slot(DATA), vec![], vec![A], many);
        let twice = binary(BinaryOp::Mul, field(B, "words", 2), constant(2));
        let values = vec![field(B, "url", 0), field(B, "title", 1), twice];
        let made = Expr::Record { shape: Arc::clone(&shape), values };
        let expr = method("list.map", kept, vec![], vec![B], made);
        super::flow(bencher, &expr, &Value::list((0..COUNT).map(|at| record(page(at)))));
    }

    #[divan::bench]
    fn rhai(bencher: Bencher<'_, '_>) {
        let record = |page: Page| {
            let mut map = rhai::Map::new();
            map.insert("url".into(), page.url.into());
            map.insert("title".into(), page.title.into());
            map.insert("words".into(), page.words.into());
            rhai::Dynamic::from(map)
        };
        let data: rhai::Array = (0..COUNT).map(|at| record(page(at))).collect();
        let script = "
            let made = [];
            for r in xs { if r.words > 500 { made.push(#{ url: r.url, title: r.title, words: r.words * 2 }); } }
            made";
        super::rhai(bencher, script, data.into());
    }

    #[divan::bench]
    fn rust(bencher: Bencher<'_, '_>) {
        let data: Vec<Page> = (0..COUNT).map(page).collect();
        bencher.bench_local(|| {
            let kept = black_box(&data).iter().filter(|page| page.words > 500);
            kept.map(|page| Page { words: page.words * 2, ..page.clone() }).collect::<Vec<_>>()
        });
    }
}

/// A hundred thousand strings of ten holes each.
mod templates {
    use super::{A, Bencher, BinaryOp, DATA, Expr, TemplatePart, Value, Write, binary, black_box, constant, method};

    const COUNT: i64 = 100_000;

    #[divan::bench]
    fn flow(bencher: Bencher<'_, '_>) {
        let mut parts = Vec::new();
        for hole in 0..10_i64 {
            parts.push(TemplatePart::Text("part ".into()));
            parts.push(TemplatePart::Hole(binary(BinaryOp::Add, Expr::Slot(A), constant(hole))));
        }
        let expr = method("list.map", Expr::Slot(DATA), vec![], vec![A], Expr::Template(parts));
        super::flow(bencher, &expr, &Value::list((0..COUNT).map(Value::Int)));
    }

    #[divan::bench]
    fn rhai(bencher: Bencher<'_, '_>) {
        let holes: String = (0..10).fold(String::new(), |mut text, hole| {
            let _ = write!(text, "part ${{x + {hole}}}");
            text
        });
        let data: rhai::Array = (0..COUNT).map(rhai::Dynamic::from).collect();
        let script = format!("let made = []; for x in xs {{ made.push(`{holes}`); }} made");
        super::rhai(bencher, &script, data.into());
    }

    #[divan::bench]
    fn rust(bencher: Bencher<'_, '_>) {
        let data: Vec<i64> = (0..COUNT).collect();
        bencher.bench_local(|| {
            let text = |x: &i64| {
                let mut text = String::new();
                for hole in 0..10 {
                    let _ = write!(text, "part {}", x + hole);
                }
                text
            };
            black_box(&data).iter().map(text).collect::<Vec<_>>()
        });
    }
}
