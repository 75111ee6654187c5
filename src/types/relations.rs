//! How types relate: what fits where, and what two paths have in common.

use std::fmt;
use std::sync::Arc;

use crate::types::{Field, Literal, Type};

/// Why a type does not fit, with the path of the first difference inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// `.items[].url`; empty at the top.
    pub path: String,
    /// What differs there.
    pub kind: MismatchKind,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MismatchKind {
    /// Another type.
    Type {
        /// What was wanted.
        expected: Type,
        /// What is there.
        found: Type,
    },
    /// A required field is not there.
    MissingField(String),
    /// A required field may be absent or null.
    MayBeAbsent(String),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            MismatchKind::Type { expected, found } => write!(f, "expected `{expected}`, found `{found}`")?,
            MismatchKind::MissingField(name) => write!(f, "the field `{name}` is missing")?,
            MismatchKind::MayBeAbsent(name) => write!(f, "the field `{name}` may be absent")?,
        }
        if self.path.is_empty() { Ok(()) } else { write!(f, " at `{}`", self.path) }
    }
}

impl Type {
    /// Whether every value of this type may stand where `expected` is wanted (perhaps after dropping fields or making
    /// ints floats, which [`Type::same_shape`] tells).
    pub fn fits(&self, expected: &Type) -> bool {
        match (self, expected) {
            (Type::Error | Type::Never, _) | (_, Type::Error) => true,
            (Type::Secret, wanted) => wanted.members().contains(&Type::Secret),
            (_, Type::Json) => true,
            (Type::Union(found), Type::Union(wanted)) if Arc::ptr_eq(found, wanted) => true,
            (Type::Union(found), _) => found.members.iter().all(|member| member.fits(expected)),
            (Type::Bool, Type::Union(wanted)) => {
                let has = |bool| wanted.members.contains(&Type::Literal(Literal::Bool(bool)));
                wanted.members.contains(&Type::Bool) || (has(true) && has(false))
            }
            (_, Type::Union(wanted)) => wanted.members.iter().any(|member| self.fits(member)),
            (Type::List(found), Type::List(wanted))
            | (Type::Map(found), Type::Map(wanted))
            | (Type::Schema(found), Type::Schema(wanted)) => found.fits(wanted),
            (Type::Record(found), Type::Record(wanted)) => {
                Arc::ptr_eq(found, wanted)
                    || wanted.fields.iter().all(|(name, want)| match found.fields.get(name) {
                        None => want.optional || want.ty.allows_null(),
                        Some(have) => field_fits(have, want),
                    })
            }
            (Type::Record(_), Type::Image | Type::File) => {
                expected.handle_record().is_some_and(|handle| self.fits(&handle))
            }
            (Type::Image | Type::File, Type::Record(_)) => {
                self.handle_record().is_some_and(|handle| handle.fits(expected))
            }
            _ => self.fits_plainly(expected),
        }
    }

    /// The relations between types without parts.
    fn fits_plainly(&self, expected: &Type) -> bool {
        self == expected
            || match (self, expected) {
                (Type::Int | Type::Literal(Literal::Int(_)), Type::Float)
                | (Type::Url, Type::String)
                | (Type::Image, Type::File) => true,
                (Type::Literal(literal), base) => literal.base() == *base,
                _ => false,
            }
    }

    /// Why this type does not fit `expected`; `None` where it does.
    pub fn misfit(&self, expected: &Type) -> Option<Mismatch> {
        if self.fits(expected) { None } else { Some(self.difference(expected, &mut String::new())) }
    }

    /// The first place where this type, which does not fit `expected`, differs from it.
    fn difference(&self, expected: &Type, path: &mut String) -> Mismatch {
        match (self, expected) {
            (Type::Union(found), Type::Union(_)) => {
                let strange = found.members.iter().find(|member| !member.fits(expected));
                let inner = strange.map(|member| member.difference(expected, path));
                if let Some(inner) = inner.filter(|inner| inner.path != *path) {
                    return inner;
                }
            }
            (_, Type::Union(wanted)) => {
                // One member of the same form is what was meant: say what is wrong inside it.
                let mut alike = wanted.members.iter().filter(|member| self.same_form(member));
                if let (Some(only), None) = (alike.next(), alike.next())
                    && !matches!(self, Type::Literal(_))
                {
                    return self.difference(only, path);
                }
            }
            (Type::List(found), Type::List(wanted)) | (Type::Map(found), Type::Map(wanted)) => {
                return inside(path, "[]", |path| found.difference(wanted, path));
            }
            (Type::Record(found), Type::Record(wanted)) => {
                for (name, want) in &wanted.fields {
                    let kind = match found.fields.get(name) {
                        None if want.optional || want.ty.allows_null() => continue,
                        None => MismatchKind::MissingField(name.to_string()),
                        Some(have) if field_fits(have, want) => continue,
                        Some(have) if have.optional && have.ty.fits(&want.read()) => {
                            MismatchKind::MayBeAbsent(name.to_string())
                        }
                        Some(have) => {
                            let step = format!(".{name}");
                            return inside(path, &step, |path| have.ty.difference(&want.read(), path));
                        }
                    };
                    return Mismatch { path: path.clone(), kind };
                }
            }
            (Type::Record(_), Type::Image | Type::File) => {
                if let Some(handle) = expected.handle_record() {
                    return self.difference(&handle, path);
                }
            }
            (Type::Image | Type::File, Type::Record(_)) => {
                if let Some(handle) = self.handle_record() {
                    return handle.difference(expected, path);
                }
            }
            _ => {}
        }
        Mismatch { path: path.clone(), kind: MismatchKind::Type { expected: expected.clone(), found: self.clone() } }
    }

    /// Whether both are records, both lists and so on.
    fn same_form(&self, other: &Type) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Whether a value of this type, which fits `expected`, is already in its exact form: no field to drop, no int to
    /// make a float. Where it is not, the value is converted when it crosses over.
    pub fn same_shape(&self, expected: &Type) -> bool {
        match (self, expected) {
            (_, Type::Json | Type::Error) | (Type::Error | Type::Never, _) => true,
            (Type::Int | Type::Literal(Literal::Int(_)), Type::Float) => false,
            (Type::List(a), Type::List(b)) | (Type::Map(a), Type::Map(b)) => Arc::ptr_eq(a, b) || a.same_shape(b),
            (Type::Record(a), Type::Record(b)) => {
                Arc::ptr_eq(a, b)
                    || a.fields.iter().all(|(name, field)| {
                        b.fields.get(name).is_some_and(|wanted| field.ty.same_shape(&wanted.read()))
                    })
            }
            (Type::Union(a), Type::Union(b)) if Arc::ptr_eq(a, b) => true,
            (Type::Union(a), b) => a.members.iter().all(|member| member.same_shape(b)),
            (a, Type::Union(b)) => {
                let exact = b.members.iter().any(|member| a == member);
                exact || b.members.iter().any(|member| a.fits(member) && a.same_shape(member))
            }
            (Type::Record(_) | Type::Image, Type::Image | Type::File) | (Type::Image | Type::File, Type::Record(_)) => {
                self == expected
            }
            _ => true,
        }
    }

    /// Whether some value is of both types: what `==` may compare, a pattern may match and `as` may find.
    pub fn overlaps(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Error | Type::Never | Type::Json, _) | (_, Type::Error | Type::Never | Type::Json) => true,
            (Type::Union(a), _) => a.members.iter().any(|member| member.overlaps(other)),
            (_, Type::Union(b)) => b.members.iter().any(|member| self.overlaps(member)),
            (Type::Literal(a), Type::Literal(b)) => a == b,
            (Type::Literal(literal), base) | (base, Type::Literal(literal)) => literal.base().overlaps(base),
            (Type::Int | Type::Float, Type::Int | Type::Float)
            | (Type::Url | Type::String, Type::Url | Type::String)
            | (Type::List(_), Type::List(_))
            | (Type::Map(_) | Type::Record(_), Type::Map(_))
            | (Type::Map(_), Type::Record(_))
            | (Type::Schema(_), Type::Schema(_))
            | (Type::Image | Type::File | Type::Record(_), Type::Image | Type::File) => true,
            (Type::Image | Type::File, Type::Record(_)) => true,
            (Type::Record(a), Type::Record(b)) => {
                Arc::ptr_eq(a, b)
                    || a.fields.iter().all(|(name, field)| {
                        b.fields.get(name).is_none_or(|other| field.read().overlaps(&other.read()))
                    })
            }
            (a, b) => a == b,
        }
    }

    /// What is left of this type where a value is known to be of `known` too: the members that fit it, or the parts of
    /// it that fit a member.
    #[must_use]
    pub fn narrowed_to(&self, known: &Type) -> Type {
        match (self, known) {
            (Type::Error, _) => Type::Error,
            (Type::Json, _) => known.clone(),
            _ => Type::union(self.members().iter().filter_map(|member| {
                if member.fits(known) {
                    return Some(member.clone());
                }
                let parts = known.members().iter().filter(|part| part.overlaps(member));
                let part = Type::union(parts.cloned());
                (part != Type::Never).then_some(part)
            })),
        }
    }

    /// What is left of this type where a value is known not to be of `known`.
    #[must_use]
    pub fn excluding(&self, known: &Type) -> Type {
        match (self, known) {
            (Type::Error | Type::Json, _) => self.clone(),
            (Type::Bool, Type::Literal(Literal::Bool(bool))) => Type::Literal(Literal::Bool(!bool)),
            (Type::Union(union), _) => {
                if union.members.iter().any(|member| *member == Type::Bool || member.fits(known)) {
                    Type::union(union.members.iter().map(|member| match member {
                        Type::Bool => member.excluding(known),
                        member if member.fits(known) => Type::Never,
                        member => member.clone(),
                    }))
                } else {
                    self.clone()
                }
            }
            (ty, known) if ty.fits(known) => Type::Never,
            (ty, _) => ty.clone(),
        }
    }

    /// The type of a field, method-free: of a record, of a handle, of every member of a union, or `json` in `json`.
    /// Members that are null have no fields: take [`Type::without_null`] first.
    pub fn field(&self, name: &str) -> Option<Type> {
        match self {
            Type::Error => Some(Type::Error),
            Type::Json => Some(Type::Json),
            Type::Record(record) => record.fields.get(name).map(super::Field::read),
            Type::Image | Type::File => self.handle_record()?.field(name),
            Type::Union(union) => {
                let of: Option<Vec<Type>> = union.members.iter().map(|member| member.field(name)).collect();
                of.map(Type::join_all)
            }
            _ => None,
        }
    }
}

/// Whether a record's field may stand where another is wanted.
fn field_fits(have: &Field, want: &Field) -> bool {
    let nullable = want.optional || want.ty.allows_null() || matches!(want.ty, Type::Json | Type::Error);
    if have.optional && !nullable {
        return false;
    }
    if have.ty.fits(&want.ty) {
        return true;
    }
    want.optional && have.ty.allows_null() && have.ty.without_null().fits(&want.ty)
}

fn inside(path: &mut String, step: &str, differ: impl FnOnce(&mut String) -> Mismatch) -> Mismatch {
    let length = path.len();
    path.push_str(step);
    let found = differ(path);
    path.truncate(length);
    found
}
