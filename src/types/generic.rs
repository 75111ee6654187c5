//! Type parameters: what binds them and what they then stand for.

use std::sync::Arc;

use crate::types::{Field, RecordType, Text, Type};

/// What type parameters are bound to. There are few, so they are found by walking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bindings(Vec<(Text, Type)>);

impl Bindings {
    /// What a type parameter is bound to.
    pub fn get(&self, name: &str) -> Option<&Type> {
        self.0.iter().find(|(bound, _)| bound == name).map(|(_, ty)| ty)
    }

    /// Binds a type parameter, in place of what it was bound to.
    pub fn set(&mut self, name: &Text, ty: Type) {
        match self.0.iter_mut().find(|(bound, _)| bound == name) {
            Some((_, bound)) => *bound = ty,
            None => self.0.push((name.clone(), ty)),
        }
    }
}

impl Type {
    /// Whether it speaks of a type parameter.
    pub fn is_generic(&self) -> bool {
        match self {
            Type::Var(_) => true,
            Type::List(of) | Type::Map(of) | Type::Schema(of) => of.is_generic(),
            Type::Record(record) => record.fields.values().any(|field| field.ty.is_generic()),
            Type::Union(union) => union.members.iter().any(Type::is_generic),
            _ => false,
        }
    }

    /// Binds the type parameters of this pattern so that `actual` fits it: `list<T>` against `list<int>` binds `T` to
    /// `int`. What is bound already is joined with what is found. Parts that do not match bind nothing; whether
    /// `actual` fits the substituted pattern is to be asked afterwards.
    pub fn bind(&self, actual: &Type, to: &mut Bindings) {
        match (self, actual) {
            (Type::Var(name), _) => {
                let ty = match to.get(name) {
                    Some(bound) => bound.clone().join(actual.clone()),
                    None => actual.clone(),
                };
                to.set(name, ty);
            }
            (_, Type::Error) => self.each_var(&mut |name| {
                if to.get(name).is_none() {
                    to.set(name, Type::Error);
                }
            }),
            (Type::List(pattern), Type::List(actual))
            | (Type::Map(pattern), Type::Map(actual))
            | (Type::Schema(pattern), Type::Schema(actual)) => pattern.bind(actual, to),
            (Type::Record(pattern), Type::Record(actual)) => {
                for (name, field) in &pattern.fields {
                    if let Some(found) = actual.fields.get(name) {
                        field.ty.bind(&if field.optional { found.ty.clone() } else { found.read() }, to);
                    }
                }
            }
            // `T?` against `int?` binds `T` to `int`.
            (Type::Union(pattern), _) if pattern.members.contains(&Type::Null) => {
                let actual = actual.without_null();
                for member in pattern.members.iter().filter(|member| **member != Type::Null) {
                    member.bind(&actual, to);
                }
            }
            (Type::Union(pattern), _) => pattern.members.iter().for_each(|member| member.bind(actual, to)),
            // A list of one kind or another: each binds.
            (_, Type::Union(actual)) => actual.members.iter().for_each(|member| self.bind(member, to)),
            _ => {}
        }
    }

    fn each_var(&self, visit: &mut dyn FnMut(&Text)) {
        match self {
            Type::Var(name) => visit(name),
            Type::List(of) | Type::Map(of) | Type::Schema(of) => of.each_var(visit),
            Type::Record(record) => record.fields.values().for_each(|field| field.ty.each_var(visit)),
            Type::Union(union) => union.members.iter().for_each(|member| member.each_var(visit)),
            _ => {}
        }
    }

    /// The type with its type parameters replaced by what they are bound to; those that are not bound become
    /// `otherwise`.
    #[must_use]
    pub fn substitute(&self, bound: &Bindings, otherwise: &Type) -> Type {
        if !self.is_generic() {
            return self.clone();
        }
        match self {
            Type::Var(name) => bound.get(name).unwrap_or(otherwise).clone(),
            Type::List(of) => Type::list(of.substitute(bound, otherwise)),
            Type::Map(of) => Type::map(of.substitute(bound, otherwise)),
            Type::Schema(of) => Type::schema(of.substitute(bound, otherwise)),
            Type::Record(record) => {
                let fields = record.fields.iter().map(|(name, field)| {
                    (name.clone(), Field { ty: field.ty.substitute(bound, otherwise), ..field.clone() })
                });
                Type::Record(Arc::new(RecordType { name: record.name.clone(), fields: fields.collect() }))
            }
            Type::Union(union) => Type::union(union.members.iter().map(|member| member.substitute(bound, otherwise))),
            other => other.clone(),
        }
    }
}
