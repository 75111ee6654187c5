//! Methods of `int`, `float` and `bool`.

use crate::builtins::args::{Outcome, arg, finite, float, given, int};
use crate::builtins::{Method, Size};
use crate::value::{Fault, Value};

pub(super) const METHODS: &[Method] = &[
    Method {
        id: "int.abs",
        signature: "int.abs() -> int",
        doc: "Without its sign.",
        examples: &["(-3).abs() == 3"],
        bare: false,
        size: Size::Any,
        run: |number, _, _| {
            let abs = int(&number)?.checked_abs();
            abs.map(Value::Int).ok_or_else(|| Fault::arithmetic("the result is too large for an int"))
        },
    },
    Method {
        id: "int.round",
        signature: "int.round() -> int",
        doc: "Itself.",
        examples: &["3.round() == 3"],
        bare: false,
        size: Size::Any,
        run: |number, _, _| Ok(number),
    },
    Method {
        id: "int.floor",
        signature: "int.floor() -> int",
        doc: "Itself.",
        examples: &["3.floor() == 3"],
        bare: false,
        size: Size::Any,
        run: |number, _, _| Ok(number),
    },
    Method {
        id: "int.ceil",
        signature: "int.ceil() -> int",
        doc: "Itself.",
        examples: &["3.ceil() == 3"],
        bare: false,
        size: Size::Any,
        run: |number, _, _| Ok(number),
    },
    Method {
        id: "int.clamp",
        signature: "int.clamp(min: int, max: int) -> int",
        doc: "The nearest number from `min` to `max`. Fails with kind `invalid` where `min` is above `max`.",
        examples: &["12.clamp(0, 10) == 10", "3.clamp(0, 10) == 3"],
        bare: false,
        size: Size::Any,
        run: |number, args, _| {
            let (number, min, max) = (int(&number)?, int(arg(args, 0)?)?, int(arg(args, 1)?)?);
            if min > max {
                return Err(Fault::invalid(format!("`min` ({min}) is above `max` ({max})")));
            }
            Ok(Value::Int(number.clamp(min, max)))
        },
    },
    Method {
        id: "int.to_string",
        signature: "int.to_string() -> string",
        doc: "Its decimal digits.",
        examples: &[r#"42.to_string() == "42""#],
        bare: false,
        size: Size::Any,
        run: |number, _, _| Ok(number.to_text().into()),
    },
    Method {
        id: "float.abs",
        signature: "float.abs() -> float",
        doc: "Without its sign.",
        examples: &["(-1.5).abs() == 1.5"],
        bare: false,
        size: Size::Any,
        run: |number, _, _| Ok(Value::Float(float(&number)?.abs())),
    },
    Method {
        id: "float.round",
        signature: "float.round() -> int",
        doc: "The nearest int; halves are rounded away from zero. Fails with kind `arithmetic` where an int cannot hold it.",
        examples: &["2.5.round() == 3", "(-2.4).round() == -2"],
        bare: false,
        size: Size::Any,
        run: |number, _, _| whole(float(&number)?.round()),
    },
    Method {
        id: "float.floor",
        signature: "float.floor() -> int",
        doc: "The greatest int that is not above it.",
        examples: &["2.9.floor() == 2", "(-2.1).floor() == -3"],
        bare: false,
        size: Size::Any,
        run: |number, _, _| whole(float(&number)?.floor()),
    },
    Method {
        id: "float.ceil",
        signature: "float.ceil() -> int",
        doc: "The least int that is not below it.",
        examples: &["2.1.ceil() == 3"],
        bare: false,
        size: Size::Any,
        run: |number, _, _| whole(float(&number)?.ceil()),
    },
    Method {
        id: "float.clamp",
        signature: "float.clamp(min: float, max: float) -> float",
        doc: "The nearest number from `min` to `max`. Fails with kind `invalid` where `min` is above `max`.",
        examples: &["1.5.clamp(0.0, 1.0) == 1.0"],
        bare: false,
        size: Size::Any,
        run: |number, args, _| {
            let (number, min, max) = (float(&number)?, float(arg(args, 0)?)?, float(arg(args, 1)?)?);
            if min > max {
                return Err(Fault::invalid(format!("`min` ({min}) is above `max` ({max})")));
            }
            Ok(Value::Float(number.clamp(min, max)))
        },
    },
    Method {
        id: "float.to_string",
        signature: "float.to_string(digits?: int) -> string",
        doc: "The fewest digits that tell it from every other float, as in `{{ }}`; with `digits` (0 to 20), rounded to so \
              many after the point.",
        examples: &[r#"1.5.to_string() == "1.5""#, r#"1.005.to_string(1) == "1.0""#, r#"(10 / 2).to_string() == "5""#],
        bare: false,
        size: Size::Any,
        run: |number, args, _| match given(args, 0).map(int).transpose()? {
            None => Ok(Value::Float(float(&number)?).to_text().into()),
            Some(digits @ 0..=20) => Ok(format!("{:.*}", digits as usize, float(&number)?).into()),
            Some(digits) => Err(Fault::invalid(format!("`digits` must be from 0 to 20, found {digits}"))),
        },
    },
    Method {
        id: "bool.to_string",
        signature: "bool.to_string() -> string",
        doc: "`true` or `false`.",
        examples: &[r#"true.to_string() == "true""#],
        bare: false,
        size: Size::Any,
        run: |bool, _, _| Ok(bool.to_text().into()),
    },
];

/// A float without fraction as an int.
fn whole(float: f64) -> Outcome {
    finite(float)?;
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&float) {
        Ok(Value::Int(float as i64))
    } else {
        Err(Fault::arithmetic("the result is too large for an int"))
    }
}
