//! The pure methods of the language. Each is one entry: signature, documentation, example and implementation; the
//! reference is generated from them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::types::{Text, Type};
use crate::value::{Fault, Value};

/// A built-in method.
#[derive(Debug)]
pub struct Method {
    /// `list.map`: the receiver's kind and the name; unique.
    pub id: &'static str,
    /// As the reference shows it: `list<T>.map(f: (T) -> U) -> list<U>`. Type variables are single capitals.
    pub signature: &'static str,
    /// What it gives, in a sentence or two.
    pub doc: &'static str,
    /// Expressions with their values, as `expr == value`; each is run by a test.
    pub examples: &'static [&'static str],
    /// Whether it stands without parentheses (`length`).
    pub bare: bool,
    /// What it does.
    pub run: Run,
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

/// Every method.
pub fn all() -> &'static [Method] {
    &[]
}

/// The method of a name on a type (without `null`; `url` has the methods of `string` too, a literal those of its base,
/// a record those of `record`, and every type those of `any`).
pub fn find(receiver: &Type, name: &str) -> Option<MethodRef> {
    let _ = (receiver, name);
    None
}

/// The names of all methods on a type, for suggestions and completion.
pub fn names(receiver: &Type) -> Vec<&'static str> {
    let _ = receiver;
    Vec::new()
}

impl MethodRef {
    /// The method of an id.
    pub fn by_id(id: &str) -> Option<MethodRef> {
        all().iter().find(|method| method.id == id).map(MethodRef)
    }

    /// Its types, read from its signature once.
    pub fn types(self) -> &'static MethodType {
        unimplemented!("parsed from the signature, cached")
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
