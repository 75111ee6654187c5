//! How types relate: what fits where, and what two paths have in common.

use std::fmt;

use crate::types::{Literal, Type};

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
        self.misfit(expected).is_none()
    }

    /// Why this type does not fit `expected`; `None` where it does.
    pub fn misfit(&self, expected: &Type) -> Option<Mismatch> {
        self.misfit_at(expected, &mut String::new())
    }

    fn misfit_at(&self, expected: &Type, path: &mut String) -> Option<Mismatch> {
        let differ = |path: &str| {
            let kind = MismatchKind::Type { expected: expected.clone(), found: self.clone() };
            Some(Mismatch { path: path.to_owned(), kind })
        };
        match (self, expected) {
            (Type::Error | Type::Never, _) | (_, Type::Error) => None,
            (Type::Secret, Type::Secret) => None,
            (Type::Secret, _) => differ(path),
            (_, Type::Json) => None,
            (Type::Union(found), Type::Union(_)) => {
                found.members.iter().find(|member| !member.fits(expected)).and_then(|member| {
                    let inner = member.misfit_at(expected, path)?;
                    if inner.path == *path { differ(path) } else { Some(inner) }
                })
            }
            (Type::Union(found), _) => {
                if found.members.iter().all(|member| member.fits(expected)) {
                    None
                } else {
                    differ(path)
                }
            }
            (_, Type::Union(wanted)) => {
                if wanted.members.iter().any(|member| self.fits(member)) {
                    return None;
                }
                // One member of the same form is what was meant: say what is wrong inside it.
                let mut alike = wanted.members.iter().filter(|member| self.same_form(member));
                match (alike.next(), alike.next()) {
                    (Some(only), None) => self.misfit_at(only, path),
                    _ => differ(path),
                }
            }
            (Type::List(found), Type::List(wanted)) => inside(path, "[]", |path| found.misfit_at(wanted, path)),
            (Type::Map(found), Type::Map(wanted)) => inside(path, "[]", |path| found.misfit_at(wanted, path)),
            (Type::Schema(found), Type::Schema(wanted)) => {
                if found.fits(wanted) {
                    None
                } else {
                    differ(path)
                }
            }
            (Type::Record(found), Type::Record(wanted)) => {
                for (name, want) in &wanted.fields {
                    match found.fields.get(name) {
                        None if want.optional || want.ty.allows_null() => {}
                        None => {
                            return Some(Mismatch {
                                path: path.clone(),
                                kind: MismatchKind::MissingField(name.to_string()),
                            });
                        }
                        Some(have) if have.optional && !want.optional && !want.ty.allows_null() => {
                            return Some(Mismatch {
                                path: path.clone(),
                                kind: MismatchKind::MayBeAbsent(name.to_string()),
                            });
                        }
                        Some(have) => {
                            let want_ty = if want.optional { want.ty.clone().or_null() } else { want.ty.clone() };
                            let step = format!(".{name}");
                            if let Some(inner) = inside(path, &step, |path| have.ty.misfit_at(&want_ty, path)) {
                                return Some(inner);
                            }
                        }
                    }
                }
                None
            }
            (Type::Record(_), Type::Image | Type::File) => match expected.handle_record() {
                Some(handle) => self.misfit_at(&handle, path),
                None => differ(path),
            },
            (Type::Image | Type::File, Type::Record(_)) => match self.handle_record() {
                Some(handle) => handle.misfit_at(expected, path),
                None => differ(path),
            },
            (found, wanted) if found.fits_plainly(wanted) => None,
            _ => differ(path),
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

    /// Whether both are records, both lists and so on.
    fn same_form(&self, other: &Type) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Whether a value of this type, which fits `expected`, is already in its exact form: no field to drop, no int to
    /// make a float. Where it is not, the value is converted when it crosses over.
    pub fn same_shape(&self, expected: &Type) -> bool {
        match (self, expected) {
            (a, b) if a == b => true,
            (_, Type::Json | Type::Error) | (Type::Error | Type::Never, _) => true,
            (Type::Int | Type::Literal(Literal::Int(_)), Type::Float) => false,
            (Type::List(a), Type::List(b)) | (Type::Map(a), Type::Map(b)) => a.same_shape(b),
            (Type::Record(a), Type::Record(b)) => a
                .fields
                .iter()
                .all(|(name, field)| b.fields.get(name).is_some_and(|wanted| field.read().same_shape(&wanted.read()))),
            (Type::Union(a), b) => a.members.iter().all(|member| member.same_shape(b)),
            (a, Type::Union(b)) => {
                let exact = b.members.iter().any(|member| a == member);
                exact || b.members.iter().any(|member| a.fits(member) && a.same_shape(member))
            }
            (Type::Record(_) | Type::Image, Type::Image | Type::File) | (Type::Image | Type::File, Type::Record(_)) => {
                false
            }
            _ => true,
        }
    }

    /// The type of a value that is one or the other: the wider of the two where one fits the other, else their union.
    #[must_use]
    pub fn join(self, other: Type) -> Type {
        if self == other || matches!(other, Type::Never) {
            return self;
        }
        if matches!(self, Type::Never) {
            return other;
        }
        match (&self, &other) {
            (Type::Error, _) | (_, Type::Error) => Type::Error,
            (Type::Json, _) | (_, Type::Json) => Type::Json,
            (Type::List(a), Type::List(b)) => Type::list(Type::clone(a).join(Type::clone(b))),
            (Type::Int, Type::Float) | (Type::Float, Type::Int) => Type::Float,
            (Type::Url, Type::String) | (Type::String, Type::Url) => Type::String,
            _ => Type::union([self, other]),
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
                let mut joined = Type::Never;
                for member in &union.members {
                    joined = joined.join(member.field(name)?);
                }
                Some(joined)
            }
            _ => None,
        }
    }
}

fn inside(path: &mut String, step: &str, check: impl FnOnce(&mut String) -> Option<Mismatch>) -> Option<Mismatch> {
    let length = path.len();
    path.push_str(step);
    let found = check(path);
    path.truncate(length);
    found
}
