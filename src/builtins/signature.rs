//! Reads a method's types from its signature text, so that what the reference shows and what the checker believes
//! cannot part.
//!
//! `receiver.name(param: T, other?: U, f: (T) -> U) -> R`; without parentheses for those that stand without them.
//! Single capitals are type variables; `record` is any record.

use crate::builtins::{MethodParam, MethodType, ParamKind};
use crate::types::{Field, Text, Type};

/// The types of a signature; `None` where it is not well formed, which a test rules out.
pub(super) fn parse(signature: &str) -> Option<MethodType> {
    let mut reader = Reader { rest: signature };
    let receiver = reader.ty()?;
    reader.expect(".")?;
    reader.word()?;
    let mut params = Vec::new();
    if reader.eat("(") {
        while !reader.eat(")") {
            params.push(reader.param()?);
            reader.eat(",");
        }
    }
    reader.expect("->")?;
    let result = reader.ty()?;
    reader.rest.trim().is_empty().then_some(MethodType { receiver, params, result })
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn param(&mut self) -> Option<MethodParam> {
        let name = Text::new(self.word()?);
        let optional = self.eat("?");
        self.expect(":")?;
        let kind = if self.eat("(") {
            let mut takes = Vec::new();
            while !self.eat(")") {
                takes.push(self.ty()?);
                self.eat(",");
            }
            self.expect("->")?;
            ParamKind::Lambda(takes, self.ty()?)
        } else {
            ParamKind::Value(self.ty()?)
        };
        Some(MethodParam { name, kind, optional })
    }

    fn ty(&mut self) -> Option<Type> {
        let mut members = vec![self.member()?];
        while self.eat("|") {
            members.push(self.member()?);
        }
        Some(Type::union(members))
    }

    fn member(&mut self) -> Option<Type> {
        let mut ty = self.plain()?;
        while self.eat("?") {
            ty = Type::union([ty, Type::Null]);
        }
        Some(ty)
    }

    fn plain(&mut self) -> Option<Type> {
        if self.eat("{") {
            return self.record();
        }
        if self.eat("\"") {
            let (literal, rest) = self.rest.split_once('"')?;
            self.rest = rest;
            return Some(Type::literal(literal));
        }
        let word = self.word()?;
        if let Some(of) = Type::constructor(word) {
            return self.parameter().map(of);
        }
        match word {
            "record" => Some(Type::record([])),
            "any" => Some(Type::Var(Text::new_static("any"))),
            _ if word.len() == 1 && word.starts_with(|c: char| c.is_ascii_uppercase()) => Some(Type::Var(word.into())),
            _ => Type::of_name(word),
        }
    }

    fn parameter(&mut self) -> Option<Type> {
        self.expect("<")?;
        let ty = self.ty()?;
        self.expect(">")?;
        Some(ty)
    }

    fn record(&mut self) -> Option<Type> {
        let mut fields = Vec::new();
        while !self.eat("}") {
            let name = Text::new(self.word()?);
            let optional = self.eat("?");
            self.expect(":")?;
            fields.push((name, Field { optional, ..Field::required(self.ty()?) }));
            self.eat(",");
        }
        Some(Type::record(fields))
    }

    fn word(&mut self) -> Option<&'a str> {
        let text = self.rest.trim_start();
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn eat(&mut self, token: &str) -> bool {
        match self.rest.trim_start().strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Option<()> {
        self.eat(token).then_some(())
    }
}
