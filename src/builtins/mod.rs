//! The pure methods of the language. Each is one entry: signature, documentation, example and implementation; the
//! reference is generated from them.
//!
//! A receiver in a signature says what a method is found on: `url` is a `string` too, `record` is any record, `any`
//! everything. Of its type variables `N` is a number, `O` has an order ([`is_ordered`]), `S` has a text
//! ([`has_text`]); the other ones are free.

// Every method has the type [`Run`], whether it keeps the receiver or not; faults are boxed from the start, so that
// results stay as small as values.
#![allow(clippy::needless_pass_by_value, clippy::unnecessary_box_returns)]

mod any;
mod args;
mod each;
mod list;
mod map;
mod number;
mod signature;
mod string;
mod time;
mod url;

use std::fmt;
use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::types::{Text, Type};
use crate::value::{ErrorKind, Fault, MAX_VALUE_BYTES, Value};

pub use crate::value::{parse_datetime, parse_url};
pub(crate) use list::compare;
pub(crate) use time::{between, later};

/// A built-in method.
#[derive(Debug)]
pub struct Method {
    /// `list.map`, `list<int>.sum`: the receiver's kind and the name; unique.
    pub id: &'static str,
    /// As the reference shows it: `list<T>.map(f: (T) -> U) -> list<U>`. Type variables are single capitals.
    pub signature: &'static str,
    /// What it gives, in a sentence or two.
    pub doc: &'static str,
    /// Expressions with their values, as `expr == value`; each is run by a test.
    pub examples: &'static [&'static str],
    /// Whether it stands without parentheses (`length`).
    pub bare: bool,
    /// How long the list is that it gives.
    pub size: Size,
    /// What it does.
    pub run: Run,
}

/// How many items a method's list has at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Any number; or it gives no list.
    Any,
    /// No more than its receiver has.
    Kept,
    /// No more than its receiver has, nor than this argument says where it is a number from 0.
    UpTo(usize),
}

/// A method's implementation: the receiver, the arguments that were given (those left out at the end are not there),
/// and its lambda. The checker has made sure that the types fit.
pub type Run = fn(Value, &[Value], &mut dyn Callback) -> Result<Value, Box<Fault>>;

/// How a method calls its lambda and answers for its work.
pub trait Callback {
    /// Calls a lambda of one parameter.
    ///
    /// # Errors
    /// What the lambda fails with.
    fn call1(&mut self, a: Value) -> Result<Value, Box<Fault>>;
    /// Calls a lambda of two parameters.
    ///
    /// # Errors
    /// What the lambda fails with.
    fn call2(&mut self, a: Value, b: Value) -> Result<Value, Box<Fault>>;
    /// Accounts for work in proportion to `units`, so that no expression runs without end.
    ///
    /// # Errors
    /// `exhausted` where the fuel is spent.
    fn spend(&mut self, units: usize) -> Result<(), Box<Fault>>;

    /// How large a string or list may get, in bytes (24 for each item of a list).
    fn limit(&self) -> usize {
        MAX_VALUE_BYTES
    }

    /// Asks whether there is room for a value of so many bytes.
    ///
    /// # Errors
    /// `exhausted` where it is larger than [`Callback::limit`].
    fn room(&self, bytes: usize) -> Result<(), Box<Fault>> {
        if bytes <= self.limit() { Ok(()) } else { Err(too_large(self.limit())) }
    }
}

/// A value that outgrows the limit.
#[cold]
pub(crate) fn too_large(limit: usize) -> Box<Fault> {
    Fault::new(ErrorKind::Exhausted, format!("the value is larger than the limit of {} KiB", limit / 1024))
}

/// A method's types.
#[derive(Clone, Debug)]
pub struct MethodType {
    /// What stands before the dot; [`Type::Var`] for what may vary.
    pub receiver: Type,
    /// Its parameters.
    pub params: Vec<MethodParam>,
    /// What it gives.
    pub result: Type,
}

/// A method's parameter.
#[derive(Clone, Debug)]
pub struct MethodParam {
    /// Its name, for named arguments.
    pub name: Text,
    /// What it takes.
    pub kind: ParamKind,
    /// Whether it may be left out.
    pub optional: bool,
}

/// What a method's parameter takes.
#[derive(Clone, Debug)]
pub enum ParamKind {
    /// A value.
    Value(Type),
    /// A lambda from these types to that one.
    Lambda(Vec<Type>, Type),
}

/// A reference to a method; written by its id.
#[derive(Clone, Copy)]
pub struct MethodRef(pub &'static Method);

/// Every method, in the order of the reference.
pub fn all() -> impl Iterator<Item = &'static Method> {
    const ROOMS: [&[Method]; 8] = [
        string::METHODS,
        list::METHODS,
        each::METHODS,
        map::METHODS,
        number::METHODS,
        url::METHODS,
        time::METHODS,
        any::METHODS,
    ];
    ROOMS.into_iter().flatten()
}

/// The method of a name on a type (without `null`; `url` has the methods of `string` too, a literal those of its base,
/// a record or handle those of `record`, a union those that all its members share, and every type those of `any`).
pub fn find(receiver: &Type, name: &str) -> Option<MethodRef> {
    if let Type::Union(union) = receiver {
        let mut found = union.members.iter().map(|member| find(member, name));
        let first = found.next()??;
        return found.all(|other| other == Some(first)).then_some(first);
    }
    let named = INDEX.by_name.get(name)?;
    // A url's own `join` comes before that of strings, and a string's `to_string` before that of any.
    let best = named.iter().filter_map(|method| Some((rank(receiver, &method.types().receiver)?, *method)));
    best.min_by_key(|(rank, _)| *rank).map(|(_, method)| method)
}

/// The names of all methods on a type, for suggestions and completion.
pub fn names(receiver: &Type) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = all().map(|method| MethodRef(method).name()).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| find(receiver, name).is_some());
    names
}

/// Whether values of a type have an order: `< <= > >=`, `sort`, `min`, `max`, the key of `sort_by`.
pub fn is_ordered(ty: &Type) -> bool {
    let kind = |ty: &Type| match ty.widen() {
        Type::Int | Type::Float => Some(0),
        Type::String | Type::Url => Some(1),
        Type::Datetime => Some(2),
        Type::Duration => Some(3),
        _ => None,
    };
    match ty {
        Type::Error | Type::Never => true,
        ty => {
            let mut kinds = ty.members().iter().map(kind);
            kinds.next().flatten().is_some_and(|first| kinds.all(|other| other == Some(first)))
        }
    }
}

/// Whether values of a type have a text of their own: may stand in a string's `{{ }}`, be joined.
pub fn has_text(ty: &Type) -> bool {
    let plain = |ty: &Type| {
        use Type::{Bool, Datetime, Duration, Error, Float, Int, Never, String, Url};
        matches!(ty.widen(), String | Url | Int | Float | Bool | Datetime | Duration | Error | Never)
    };
    ty.members().iter().all(plain)
}

/// How near a type is to what a signature wants before the dot; `None` where it does not fit at all.
fn rank(receiver: &Type, wanted: &Type) -> Option<u8> {
    match (receiver, wanted) {
        (Type::Error | Type::Never | Type::Null | Type::Secret, _) => None,
        (_, Type::Var(any)) if any == "any" => Some(3),
        (Type::Literal(literal), wanted) => rank(&literal.base(), wanted),
        (Type::Url, Type::String) => Some(1),
        (Type::List(of), Type::List(wanted)) => element_rank(of, wanted),
        (Type::Map(_), Type::Map(_)) => Some(0),
        (Type::Record(_) | Type::Image | Type::File, Type::Record(fields)) if fields.fields.is_empty() => Some(0),
        (receiver, wanted) => (receiver == wanted).then_some(0),
    }
}

/// The same for a list's items. Those of an empty list (`never`) have every method, sums among them as ints.
fn element_rank(of: &Type, wanted: &Type) -> Option<u8> {
    let is_number = |ty: &Type| matches!(ty.widen(), Type::Int | Type::Float | Type::Error | Type::Never);
    let fits = match wanted {
        Type::Var(name) => match name.as_str() {
            "N" => of.members().iter().all(is_number),
            "O" => is_ordered(of),
            "S" => has_text(of),
            _ => true,
        },
        Type::Int => matches!(of, Type::Never | Type::Error) || of.members().iter().all(|of| of.widen() == Type::Int),
        Type::Float => of.members().iter().all(is_number) && !of.members().iter().all(|of| of.widen() == Type::Int),
        Type::Duration => *of == Type::Duration,
        Type::List(_) => of.members().iter().all(|of| matches!(of, Type::List(_) | Type::Never | Type::Error)),
        Type::Record(_) => of.fits(&entry_of_anything()),
        // `list<T?>`
        _ => true,
    };
    fits.then_some(0)
}

fn entry_of_anything() -> Type {
    Type::record_of([("key", Type::String), ("value", Type::Json)])
}

/// The methods by name and by id, their types read once.
struct Index {
    by_name: FxHashMap<&'static str, Vec<MethodRef>>,
    by_id: FxHashMap<&'static str, (MethodRef, MethodType)>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut by_name: FxHashMap<&'static str, Vec<MethodRef>> = FxHashMap::default();
    let mut by_id = FxHashMap::default();
    for method in all().map(MethodRef) {
        // A test holds that every signature can be read.
        if let Some(types) = signature::parse(method.signature) {
            by_name.entry(method.name()).or_default().push(method);
            by_id.insert(method.id, (method, types));
        }
    }
    Index { by_name, by_id }
});

static UNKNOWN: MethodType = MethodType { receiver: Type::Error, params: Vec::new(), result: Type::Error };

impl MethodRef {
    /// The method of an id.
    pub fn by_id(id: &str) -> Option<MethodRef> {
        INDEX.by_id.get(id).map(|(method, _)| *method)
    }

    /// Its types, read from its signature once.
    pub fn types(self) -> &'static MethodType {
        INDEX.by_id.get(self.0.id).map_or(&UNKNOWN, |(_, types)| types)
    }

    /// Its name without the receiver's kind.
    pub fn name(self) -> &'static str {
        self.0.id.split_once('.').map_or(self.0.id, |(_, name)| name)
    }
}

impl std::ops::Deref for MethodRef {
    type Target = Method;
    fn deref(&self) -> &Method {
        self.0
    }
}

impl PartialEq for MethodRef {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl fmt::Debug for MethodRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.id)
    }
}

impl Serialize for MethodRef {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.id)
    }
}

impl<'de> Deserialize<'de> for MethodRef {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let id = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        Self::by_id(&id).ok_or_else(|| serde::de::Error::custom(format!("there is no method `{id}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(receiver: &Type, name: &str) -> Option<String> {
        find(receiver, name).map(|method| method.types().result.to_string())
    }

    #[test]
    fn every_entry_is_well_formed_and_unique() {
        let mut ids = std::collections::BTreeSet::new();
        for method in all() {
            assert!(ids.insert(method.id), "`{}` is there twice", method.id);
            assert!(signature::parse(method.signature).is_some(), "`{}` cannot be read", method.signature);
            let head = method.signature.split(['(', ' ']).next().unwrap_or_default();
            assert!(method.signature.contains(&format!(".{}", MethodRef(method).name())), "{head}");
            assert_eq!(method.bare, !method.signature.contains('('), "{}", method.id);
            assert!(!method.examples.is_empty() && method.doc.ends_with('.'), "{}", method.id);
            assert_eq!(MethodRef::by_id(method.id), Some(MethodRef(method)));
        }
    }

    #[test]
    fn methods_are_found_by_what_stands_before_the_dot() {
        let ints = Type::list(Type::Int);
        assert_eq!(result(&ints, "sum").as_deref(), Some("int"));
        assert_eq!(result(&Type::list(Type::Float), "sum").as_deref(), Some("float"));
        assert_eq!(result(&Type::list(Type::literal("a")), "sum"), None);
        assert_eq!(result(&Type::list(Type::Never), "sum").as_deref(), Some("int"));
        assert_eq!(result(&Type::Url, "join").as_deref(), Some("url"));
        assert_eq!(result(&Type::Url, "length").as_deref(), Some("int"));
        assert_eq!(result(&Type::literal("a"), "upper").as_deref(), Some("string"));
        assert_eq!(result(&Type::union([Type::literal("a"), Type::Url]), "upper").as_deref(), Some("string"));
        assert_eq!(result(&Type::union([Type::Int, Type::String]), "upper"), None);
        assert_eq!(result(&Type::outcome(Type::Int), "keys").as_deref(), Some("list<string>"));
        assert_eq!(result(&Type::Json, "json").as_deref(), Some("string"));
        assert_eq!(result(&Type::list(Type::record_of([("a", Type::Int)])), "sort"), None);
        assert_eq!(result(&Type::list(Type::String), "to_map"), None);
        assert!(names(&Type::String).contains(&"trim") && !names(&Type::String).contains(&"host"));
    }
}
