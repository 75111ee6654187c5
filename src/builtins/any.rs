//! Methods of every value.

use crate::builtins::args::{arg, string};
use crate::builtins::{Callback, Method, Size};
use crate::types::Type;
use crate::value::{Fault, Value, outcome};

pub(super) const METHODS: &[Method] = &[
    Method {
        id: "any.json",
        signature: "any.json() -> string",
        doc: "Its JSON text, on one line.",
        examples: &[r#"{ a: [1, null], at: 20s }.json() == '{"a":[1,null],"at":"20s"}'"#],
        bare: false,
        size: Size::Any,
        run: |value, _, cx| {
            let text = value.to_json_text();
            cx.spend(text.len() / 8)?;
            string(text, cx)
        },
    },
    Method {
        id: "any.check",
        signature: "any.check(type: schema<T>) -> outcome<T>",
        doc: "Whether it fits a type: an outcome with the value as that type, or with the place where it does not fit. \
              `x as T` is the form that fails.",
        examples: &[
            r#""7".parse_json().check(int).success == true"#,
            r#""7".parse_json().check(string).success == false"#,
        ],
        bare: false,
        size: Size::Any,
        run: check,
    },
];

/// The checker makes an expression of its own of `x.check(T)`; this serves a schema that is a value.
fn check(value: Value, args: &[Value], cx: &mut dyn Callback) -> Result<Value, Box<Fault>> {
    let schema = arg(args, 0)?;
    cx.spend(16)?;
    Ok(outcome(value.conform(&Type::from_json_schema(&schema.into()))))
}
