//! Types as the user would write them.

use std::fmt;

use crate::types::{Literal, RecordType, Type};

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Error => f.write_str("unknown"),
            Type::Never => f.write_str("never"),
            Type::Null => f.write_str("null"),
            Type::Bool => f.write_str("bool"),
            Type::Int => f.write_str("int"),
            Type::Float => f.write_str("float"),
            Type::String => f.write_str("string"),
            Type::Url => f.write_str("url"),
            Type::Datetime => f.write_str("datetime"),
            Type::Duration => f.write_str("duration"),
            Type::Image => f.write_str("image"),
            Type::File => f.write_str("file"),
            Type::Json => f.write_str("json"),
            Type::Secret => f.write_str("secret"),
            Type::Literal(literal) => literal.fmt(f),
            Type::List(of) => write!(f, "list<{of}>"),
            Type::Map(of) => write!(f, "map<{of}>"),
            Type::Schema(of) => write!(f, "schema<{of}>"),
            Type::Var(name) => f.write_str(name),
            Type::Record(record) => match &record.name {
                Some(name) => f.write_str(name),
                None => record.fmt(f),
            },
            Type::Union(union) => {
                if let Some(name) = &union.name {
                    return f.write_str(name);
                }
                let plain: Vec<&Type> = union.members.iter().filter(|m| **m != Type::Null).collect();
                if let ([only], true) = (plain.as_slice(), plain.len() < union.members.len()) {
                    return write!(f, "{only}?");
                }
                for (at, member) in union.members.iter().enumerate() {
                    let bar = if at == 0 { "" } else { " | " };
                    write!(f, "{bar}{member}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for RecordType {
    /// The fields, whatever the name: `{ a: int, b?: string }`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.fields.is_empty() {
            return f.write_str("{}");
        }
        for (at, (name, field)) in self.fields.iter().enumerate() {
            let open = if at == 0 { "{ " } else { ", " };
            let mark = if field.optional { "?" } else { "" };
            if is_name(name) {
                write!(f, "{open}{name}{mark}: {}", field.ty)?;
            } else {
                write!(f, "{open}{name:?}{mark}: {}", field.ty)?;
            }
        }
        f.write_str(" }")
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::String(text) => write!(f, "{text:?}"),
            Literal::Int(int) => write!(f, "{int}"),
            Literal::Bool(bool) => write!(f, "{bool}"),
        }
    }
}

/// Whether a text can stand as a name without quotes.
pub(crate) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
