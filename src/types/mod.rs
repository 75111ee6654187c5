//! What a value can be. Types are structural; names ride along for messages only.

mod catalog;
mod display;
mod generic;
mod names;
mod operator;
mod relations;
mod schema;
mod union;

use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHasher};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

pub use catalog::{Annotations, Catalog, Param, Retry, Signature};
pub(crate) use display::is_name;
pub use generic::Bindings;
pub use operator::BinaryOp;
pub use relations::{Mismatch, MismatchKind};

/// A name or other short text, shared.
pub type Text = SmolStr;

/// A type. Cheap to clone. Equality is structural and ignores names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// The type of what has already been reported: fits everything, and silences what follows.
    Error,
    /// No value: the type of what never comes to an end, and of an empty list's elements.
    Never,
    /// `null`
    Null,
    /// `bool`
    Bool,
    /// `int`, 64 bits
    Int,
    /// `float`
    Float,
    /// `string`
    String,
    /// `url`: an absolute http(s) address, or that of an artifact on this machine
    Url,
    /// `datetime`: an instant, RFC 3339
    Datetime,
    /// `duration`
    Duration,
    /// `image`: a handle to a stored picture
    Image,
    /// `file`: a handle to a stored file
    File,
    /// `json`: any JSON value
    Json,
    /// `secret`: for tool parameters only
    Secret,
    /// `"ready"`, `3`, `true`
    Literal(Literal),
    /// `list<T>`
    List(Arc<Type>),
    /// `map<T>`
    Map(Arc<Type>),
    /// `{ a: T, b?: U }`
    Record(Arc<RecordType>),
    /// `A | B`; flat, without duplicates, of at least two members. Built by [`Type::union`].
    Union(Arc<UnionType>),
    /// `schema<T>`
    Schema(Arc<Type>),
    /// A type parameter of a generic tool (`T`), before it is bound.
    Var(Text),
}

/// The value of a literal type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Literal {
    /// A string.
    String(Text),
    /// An int.
    Int(i64),
    /// A bool.
    Bool(bool),
}

/// Fields by their names, in declared order.
pub type Fields = IndexMap<Text, Field, FxBuildHasher>;

/// A record's fields, in declared order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordType {
    /// The name it was declared with, for messages.
    pub name: Option<Text>,
    /// Its fields.
    pub fields: Fields,
}

/// A field of a record type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Field {
    /// Its type, without the `?` of an optional field.
    pub ty: Type,
    /// Whether it may be left out; it then reads as `T?`.
    pub optional: bool,
    /// Its documentation; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
}

/// The members of a union.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnionType {
    /// The name it was declared with, for messages.
    pub name: Option<Text>,
    /// Its members: at least two, none a union itself.
    pub members: Vec<Type>,
}

impl PartialEq for RecordType {
    fn eq(&self, other: &Self) -> bool {
        self.fields == other.fields
    }
}
impl Eq for RecordType {}
impl Hash for RecordType {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Fields are the same in any order; what is inside them may be large, and is left to the comparison.
        let of = |(name, field): (&Text, &Field)| {
            let mut state = FxHasher::default();
            (name, std::mem::discriminant(&field.ty)).hash(&mut state);
            state.finish()
        };
        self.fields.iter().map(of).fold(0, u64::wrapping_add).hash(state);
    }
}
impl PartialEq for UnionType {
    fn eq(&self, other: &Self) -> bool {
        self.members.len() == other.members.len() && self.members.iter().all(|m| other.members.contains(m))
    }
}
impl Eq for UnionType {}
impl Hash for UnionType {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.members.len().hash(state);
    }
}

impl Field {
    /// A required field.
    pub fn required(ty: Type) -> Self {
        Self { ty, optional: false, doc: String::new() }
    }

    /// A field that may be left out.
    pub fn optional(ty: Type) -> Self {
        Self { ty, optional: true, doc: String::new() }
    }

    /// What reading it gives: `T`, or `T?` where it is optional.
    pub fn read(&self) -> Type {
        if self.optional { self.ty.clone().or_null() } else { self.ty.clone() }
    }
}

impl Type {
    /// `list<T>`
    pub fn list(of: Type) -> Type {
        Type::List(Arc::new(of))
    }

    /// `map<T>`
    pub fn map(of: Type) -> Type {
        Type::Map(Arc::new(of))
    }

    /// `schema<T>`
    pub fn schema(of: Type) -> Type {
        Type::Schema(Arc::new(of))
    }

    /// A string literal's type.
    pub fn literal(text: impl Into<Text>) -> Type {
        Type::Literal(Literal::String(text.into()))
    }

    /// An unnamed record.
    pub fn record(fields: impl IntoIterator<Item = (Text, Field)>) -> Type {
        Type::Record(Arc::new(RecordType { name: None, fields: fields.into_iter().collect() }))
    }

    /// A record of required fields, from plain names: for signatures written in Rust.
    pub fn record_of<const N: usize>(fields: [(&str, Type); N]) -> Type {
        Type::record(fields.map(|(name, ty)| (Text::new(name), Field::required(ty))))
    }

    /// `T?`
    #[must_use]
    pub fn or_null(self) -> Type {
        if self.allows_null() || matches!(self, Type::Json | Type::Error) {
            self
        } else {
            Type::union([self, Type::Null])
        }
    }

    /// The type without `null`; [`Type::Never`] where nothing else is left.
    #[must_use]
    pub fn without_null(&self) -> Type {
        match self {
            Type::Null => Type::Never,
            Type::Union(union) if union.members.contains(&Type::Null) => {
                Type::union(union.members.iter().filter(|member| **member != Type::Null).cloned())
            }
            other => other.clone(),
        }
    }

    /// Whether `null` itself is one of its values by declaration (`json`, which may be null too, does not count).
    pub fn allows_null(&self) -> bool {
        match self {
            Type::Null => true,
            Type::Union(union) => union.members.contains(&Type::Null),
            _ => false,
        }
    }

    /// Its members: those of a union, else itself.
    pub fn members(&self) -> &[Type] {
        match self {
            Type::Union(union) => &union.members,
            other => std::slice::from_ref(other),
        }
    }

    /// The same type under a name, for messages. Only records and unions carry one.
    #[must_use]
    pub fn named(self, name: impl Into<Text>) -> Type {
        match self {
            Type::Record(record) => {
                Type::Record(Arc::new(RecordType { name: Some(name.into()), ..Arc::unwrap_or_clone(record) }))
            }
            Type::Union(union) => {
                Type::Union(Arc::new(UnionType { name: Some(name.into()), ..Arc::unwrap_or_clone(union) }))
            }
            other => other,
        }
    }

    /// The type that a value of it may vary in: a literal's base type, also inside lists and unnamed records, so that
    /// `0` is an int and `{ n: 0 }` a `{ n: int }`. Unions and named records are what they are.
    #[must_use]
    pub fn widen(&self) -> Type {
        match self {
            Type::Literal(literal) => literal.base(),
            Type::List(of) if of.can_widen() => Type::list(of.widen()),
            Type::Map(of) if of.can_widen() => Type::map(of.widen()),
            Type::Record(record) if self.can_widen() => Type::record(
                record
                    .fields
                    .iter()
                    .map(|(name, field)| (name.clone(), Field { ty: field.ty.widen(), ..field.clone() })),
            ),
            other => other.clone(),
        }
    }

    fn can_widen(&self) -> bool {
        match self {
            Type::Literal(_) => true,
            Type::List(of) | Type::Map(of) => of.can_widen(),
            Type::Record(record) => record.name.is_none() && record.fields.values().any(|field| field.ty.can_widen()),
            _ => false,
        }
    }

    /// `outcome<T>`: `{ success: true, result: T, error: null } | { success: false, result: null, error: Error }`.
    pub fn outcome(of: Type) -> Type {
        fn arm(success: bool, result: Type, error: Type) -> Type {
            Type::record_of([("success", Type::Literal(Literal::Bool(success))), ("result", result), ("error", error)])
        }
        static FAILURE: LazyLock<Type> = LazyLock::new(|| arm(false, Type::Null, Type::error_record()));
        let name = format!("outcome<{of}>");
        let members = vec![arm(true, of, Type::Null), FAILURE.clone()];
        Type::Union(Arc::new(UnionType { name: Some(name.into()), members }))
    }

    /// The `Error` that `catch` binds and an outcome carries.
    pub fn error_record() -> Type {
        static ERROR: LazyLock<Type> = LazyLock::new(|| {
            Type::record_of([
                ("kind", Type::union(ERROR_KINDS.map(Type::literal)).named("ErrorKind")),
                ("message", Type::String),
                ("step", Type::String),
                ("attempts", Type::Int),
                ("retryable", Type::Bool),
                ("details", Type::Json),
            ])
            .named("Error")
        });
        ERROR.clone()
    }

    /// The fields of an `image` or `file` handle as a record; none for other types.
    pub fn handle_record(&self) -> Option<Type> {
        match self {
            Type::File => Some(Type::record_of([("url", Type::Url), ("mime_type", Type::String), ("size", Type::Int)])),
            Type::Image => Some(Type::record_of([
                ("url", Type::Url),
                ("mime_type", Type::String),
                ("size", Type::Int),
                ("width", Type::Int),
                ("height", Type::Int),
            ])),
            _ => None,
        }
    }
}

impl Literal {
    /// The type it is a value of.
    pub fn base(&self) -> Type {
        match self {
            Literal::String(_) => Type::String,
            Literal::Int(_) => Type::Int,
            Literal::Bool(_) => Type::Bool,
        }
    }
}

/// Every kind of error, as the language names them.
pub const ERROR_KINDS: [&str; 14] = [
    "timeout",
    "network",
    "rate_limit",
    "tool",
    "invalid",
    "denied",
    "cancelled",
    "budget",
    "exhausted",
    "interrupted",
    "arithmetic",
    "index",
    "failed",
    "internal",
];
