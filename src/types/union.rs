//! Unions: building one of many members costs as much as reading them.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::{Literal, Type, UnionType};

/// How many members are searched one by one.
const FEW: usize = 16;

/// The members of a union that is being built.
#[derive(Default)]
struct Members {
    list: Vec<Type>,
    /// The same, once they are more than a few.
    many: FxHashSet<Type>,
    json: bool,
    error: bool,
}

impl Members {
    fn contain(&self, ty: &Type) -> bool {
        if self.list.len() <= FEW { self.list.contains(ty) } else { self.many.contains(ty) }
    }

    fn add(&mut self, ty: Type) {
        match ty {
            Type::Never => {}
            Type::Error => self.error = true,
            Type::Json => self.json = true,
            Type::Union(union) => union.members.iter().for_each(|member| self.add(member.clone())),
            ty if self.contain(&ty) => {}
            Type::Literal(ref literal) if self.contain(&literal.base()) => {}
            Type::Bool | Type::Int | Type::String => {
                self.retain(|member| !matches!(member, Type::Literal(literal) if literal.base() == ty));
                self.push(ty);
            }
            ty => self.push(ty),
        }
    }

    fn push(&mut self, ty: Type) {
        if self.list.len() == FEW {
            self.many = self.list.iter().cloned().collect();
        }
        if self.list.len() >= FEW {
            self.many.insert(ty.clone());
        }
        self.list.push(ty);
    }

    fn retain(&mut self, keep: impl Fn(&Type) -> bool) {
        self.list.retain(|member| keep(member));
        self.many = if self.list.len() > FEW { self.list.iter().cloned().collect() } else { FxHashSet::default() };
    }

    /// `true | false` is `bool`.
    fn merge_bools(&mut self) {
        let both = [true, false].map(|bool| Type::Literal(Literal::Bool(bool)));
        if self.list.len() > 1 && both.iter().all(|bool| self.contain(bool)) {
            self.retain(|member| !both.contains(member));
            self.push(Type::Bool);
        }
    }

    fn finish(mut self) -> Type {
        self.merge_bools();
        match self.list.len() {
            _ if self.error => Type::Error,
            _ if self.json => Type::Json,
            0 => Type::Never,
            1 => self.list.swap_remove(0),
            _ => Type::Union(Arc::new(UnionType { name: None, members: self.list })),
        }
    }
}

impl Type {
    /// `A | B | …`: flattened, without duplicates or `never`; a literal beside its base type, and whatever stands
    /// beside `error` or `json`, is absorbed; `true | false` is `bool`. One member left is that member, none is [`Type::Never`].
    pub fn union(of: impl IntoIterator<Item = Type>) -> Type {
        let mut members = Members::default();
        of.into_iter().for_each(|ty| members.add(ty));
        members.finish()
    }

    /// The type of a value that is one or the other: the wider of the two where one fits the other, else their union.
    #[must_use]
    pub fn join(self, other: Type) -> Type {
        Type::join_all([self, other])
    }

    /// [`Type::join`] of any number of types, one after the other.
    pub fn join_all(of: impl IntoIterator<Item = Type>) -> Type {
        // What it is so far: one type, kept as it is, or the members of a union.
        let mut one = Type::Never;
        let mut several = Members::default();
        for ty in of {
            if !several.list.is_empty() {
                several.add(ty);
            } else if one == ty || ty == Type::Never {
                continue;
            } else {
                one = match (one, ty) {
                    (Type::Never, ty) => ty,
                    (Type::Error, _) | (_, Type::Error) => Type::Error,
                    (Type::Json, _) | (_, Type::Json) => Type::Json,
                    (Type::List(a), Type::List(b)) => Type::list(Type::clone(&a).join(Type::clone(&b))),
                    (Type::Int, Type::Float) | (Type::Float, Type::Int) => Type::Float,
                    (Type::Url, Type::String) | (Type::String, Type::Url) => Type::String,
                    (one, ty) => {
                        several.add(one);
                        several.add(ty);
                        Type::Never
                    }
                };
            }
            several.merge_bools();
            if several.error || several.json || several.list.len() == 1 {
                one = std::mem::take(&mut several).finish();
            }
        }
        if several.list.is_empty() { one } else { several.finish() }
    }
}
