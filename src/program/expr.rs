//! Pure expressions over slots.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::program::{Arm, Constant, Slot};
use crate::source::Span;
use crate::types::{BinaryOp, Text, Type};
use crate::value::Shape;

/// An expression. Those that can fail carry the span to blame.
#[derive(Debug, Serialize, Deserialize)]
pub enum Expr {
    /// A constant.
    Const(Constant),
    /// A local.
    Slot(Slot),
    /// `run`: `{ id, flow, started_at }`.
    Run,
    /// `calls(tool)`, in tests: the list of argument records of its calls so far.
    Calls(u32),
    /// A string with holes.
    Template(Vec<TemplatePart>),
    /// A list.
    List(Vec<ListItem>),
    /// A record without spreads: one value for each name of the shape.
    Record {
        /// Its names.
        #[serde(with = "shape")]
        shape: Arc<Shape>,
        /// Its values.
        values: Vec<Expr>,
    },
    /// A record with spreads: later fields win, but a spread field that is null leaves what is there. The result has
    /// exactly the names of the shape, null where absent.
    Spread {
        /// The names of the result.
        #[serde(with = "shape")]
        shape: Arc<Shape>,
        /// What it is made of, in order.
        parts: Vec<RecordPart>,
    },
    /// A record literal where a map or json is wanted.
    Map(Vec<MapEntry>),
    /// `base.name` of a record, a handle, a map or json; null where absent.
    Field {
        /// The record.
        base: Box<Expr>,
        /// The field.
        name: Text,
        /// Where the field probably stands in the record's shape.
        hint: u32,
    },
    /// `base[index]`: an item of a list (fails `index`), an entry of a map (null where absent).
    Index {
        /// The list or map.
        base: Box<Expr>,
        /// The index or key.
        index: Box<Expr>,
        /// Where to blame.
        span: Span,
    },
    /// `base[index]` of json: an item or entry, null where absent.
    Lookup {
        /// The json value.
        base: Box<Expr>,
        /// The index or key.
        index: Box<Expr>,
    },
    /// `-x`
    Neg(Box<Expr>, Span),
    /// `not x`
    Not(Box<Expr>),
    /// An operator that evaluates both sides.
    Binary {
        /// The operator: arithmetic, comparison or `in`.
        op: BinaryOp,
        /// Both sides.
        sides: Box<(Expr, Expr)>,
        /// Where to blame.
        span: Span,
    },
    /// `and` of all, stopping at the first false.
    And(Vec<Expr>),
    /// `or` of all, stopping at the first true.
    Or(Vec<Expr>),
    /// Operators of one level, from left to right: `a + b - c`. Where there are several they lie flat, so that
    /// neither evaluating nor dropping a long chain recurses along it.
    Chain {
        /// The first operand.
        first: Box<Expr>,
        /// The operators with their right sides and where to blame.
        rest: Vec<(BinaryOp, Expr, Span)>,
    },
    /// `a ?? b ?? c`: the first that is not null, else the last; at least two.
    Coalesce(Vec<Expr>),
    /// The first value goes into the slot; if it is null so is the whole, else it is the second: `a?.b.c`.
    Guard {
        /// Where the value goes.
        slot: Slot,
        /// The value and what follows from it.
        parts: Box<(Expr, Expr)>,
    },
    /// `x is T`
    Is(Box<Expr>, Type),
    /// `x as T`: fails `invalid` where it does not fit.
    As(Box<Expr>, Type, Span),
    /// Makes a value that surely fits have the exact form of the type: drops fields, makes ints floats.
    Coerce(Box<Expr>, Type),
    /// `x.check(T)`: an outcome.
    Check(Box<Expr>, Type),
    /// `if c then a else b`
    If {
        /// Conditions with their values.
        branches: Vec<(Expr, Expr)>,
        /// The value else.
        otherwise: Box<Expr>,
    },
    /// `match`, exhaustive.
    Match {
        /// What is matched.
        value: Box<Expr>,
        /// Its arms, tried in order.
        arms: Vec<Arm<Expr>>,
    },
    /// A call of a pure function.
    Call {
        /// Its place in [`crate::program::Program::functions`].
        function: u32,
        /// One for each parameter; `None` takes the default.
        args: Vec<Option<Expr>>,
        /// Where to blame.
        span: Span,
    },
    /// A call of a built-in method.
    Method {
        /// Which one.
        method: crate::builtins::MethodRef,
        /// What stands before the dot.
        receiver: Box<Expr>,
        /// Its arguments in declared order; those left out at the end are not there.
        args: Vec<Expr>,
        /// Its lambda, for methods that take one.
        lambda: Option<Box<Lambda>>,
        /// Where to blame.
        span: Span,
    },
}

/// A part of a string.
#[derive(Debug, Serialize, Deserialize)]
pub enum TemplatePart {
    /// Text.
    Text(Text),
    /// A value, written as text.
    Hole(Expr),
}

/// A part of a list.
#[derive(Debug, Serialize, Deserialize)]
pub enum ListItem {
    /// An item.
    Value(Expr),
    /// The items of a list.
    Spread(Expr),
}

/// A part of a record with spreads.
#[derive(Debug, Serialize, Deserialize)]
pub enum RecordPart {
    /// A field: its place in the shape and its value.
    Field(u32, Expr),
    /// The fields of a record.
    Spread(Expr),
}

/// A part of a map.
#[derive(Debug, Serialize, Deserialize)]
pub enum MapEntry {
    /// An entry.
    Entry(Text, Expr),
    /// The entries of a map or record.
    Spread(Expr),
}

/// A lambda: its parameters are slots of the frame it stands in.
#[derive(Debug, Serialize, Deserialize)]
pub struct Lambda {
    /// The slots of its parameters.
    pub params: Vec<Slot>,
    /// Its value.
    pub body: Expr,
}

/// A pattern. What it binds is bound only if the whole arm matches.
#[derive(Debug, Serialize, Deserialize)]
pub enum Pattern {
    /// Anything.
    Any,
    /// Anything, which goes into the slot.
    Bind(Slot),
    /// An equal value.
    Const(Constant),
    /// A value of the type.
    Is(Type),
    /// A record or map with these fields; an absent field is null.
    Record(Vec<(Text, Pattern)>),
}

pub(super) mod shape {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::types::Text;
    use crate::value::Shape;

    pub(crate) fn serialize<S: Serializer>(shape: &Arc<Shape>, to: S) -> Result<S::Ok, S::Error> {
        shape.names().collect::<Vec<_>>().serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<Shape>, D::Error> {
        Vec::<Text>::deserialize(from).map(|names| Arc::new(Shape::new(names)))
    }
}
