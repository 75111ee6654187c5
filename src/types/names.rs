//! The types that are always there, by their names.

use crate::types::{ERROR_KINDS, Type};

impl Type {
    /// The names of the types that are always there.
    pub const NAMES: [&str; 18] = [
        "string",
        "int",
        "float",
        "bool",
        "null",
        "url",
        "datetime",
        "duration",
        "image",
        "file",
        "json",
        "secret",
        "list",
        "map",
        "schema",
        "outcome",
        "Error",
        "ErrorKind",
    ];

    /// The type of a name that takes no type in `<…>`.
    pub fn of_name(name: &str) -> Option<Type> {
        Some(match name {
            "string" => Type::String,
            "int" => Type::Int,
            "float" => Type::Float,
            "bool" => Type::Bool,
            "null" => Type::Null,
            "url" => Type::Url,
            "datetime" => Type::Datetime,
            "duration" => Type::Duration,
            "image" => Type::Image,
            "file" => Type::File,
            "json" => Type::Json,
            "secret" => Type::Secret,
            "Error" => Type::error_record(),
            "ErrorKind" => Type::union(ERROR_KINDS.map(Type::literal)).named("ErrorKind"),
            _ => return None,
        })
    }

    /// What a name that takes one type in `<…>` makes of it.
    pub fn constructor(name: &str) -> Option<fn(Type) -> Type> {
        Some(match name {
            "list" => Type::list,
            "map" => Type::map,
            "schema" => Type::schema,
            "outcome" => Type::outcome,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_of_one_kind() {
        for name in Type::NAMES {
            assert!(Type::of_name(name).is_some() != Type::constructor(name).is_some(), "{name}");
        }
    }
}
