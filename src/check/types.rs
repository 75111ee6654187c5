//! The meaning of types as written.

use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use crate::check::ItemRef;
use crate::check::context::Checker;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::source::Span;
use crate::syntax::ast::{ItemKind, Name, TypeExpr, TypeExprKind, TypeField};
use crate::types::{Field, Fields, RecordType, Type};

/// What other languages call them.
const FOREIGN: [(&str, &str); 21] = [
    ("String", "string"),
    ("str", "string"),
    ("text", "string"),
    ("number", "float"),
    ("double", "float"),
    ("Float", "float"),
    ("integer", "int"),
    ("Int", "int"),
    ("i64", "int"),
    ("long", "int"),
    ("boolean", "bool"),
    ("Bool", "bool"),
    ("any", "json"),
    ("object", "json"),
    ("unknown", "json"),
    ("array", "list"),
    ("Array", "list"),
    ("List", "list"),
    ("dict", "map"),
    ("Map", "map"),
    ("Date", "datetime"),
];

/// How deep and how large a type is. Named types are counted in full wherever they are used, so that a few lines
/// cannot make a type of endless size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measure {
    depth: u32,
    size: u32,
}

/// The deepest a type may be, as deep as the text of a program may be nested.
const MAX_DEPTH: u32 = 64;
/// The most parts a type may have.
const MAX_SIZE: u32 = 20_000;

impl Measure {
    const LEAF: Measure = Measure { depth: 1, size: 1 };

    /// Counts a part that stands inside.
    fn hold(&mut self, part: Measure) {
        self.depth = self.depth.max(part.depth + 1);
        self.size = self.size.saturating_add(part.size);
    }

    fn is_too_large(self) -> bool {
        self.depth > MAX_DEPTH || self.size > MAX_SIZE
    }
}

impl Checker<'_> {
    /// The meaning of a type as written in the file at hand, recorded on its node; what is wrong with it is reported.
    pub(crate) fn resolve_type(&mut self, ty: &TypeExpr) -> Type {
        self.meaning(ty).0
    }

    fn meaning(&mut self, ty: &TypeExpr) -> (Type, Measure) {
        let (meaning, measure) = match &ty.kind {
            TypeExprKind::Name { name, args } => self.named_type(name, args, ty.span),
            TypeExprKind::Literal(literal) => (Type::Literal(literal.clone()), Measure::LEAF),
            TypeExprKind::Record(fields) => self.record_type(fields),
            TypeExprKind::Union(members) => {
                let mut measure = Measure::LEAF;
                let members: Vec<Type> = members
                    .iter()
                    .map(|member| {
                        let (member, inner) = self.meaning(member);
                        measure.hold(inner);
                        member
                    })
                    .collect();
                (Type::union(members), measure)
            }
            TypeExprKind::Optional(inner) => {
                let (inner, mut measure) = self.meaning(inner);
                measure.size = measure.size.saturating_add(1);
                (inner.or_null(), measure)
            }
            TypeExprKind::Error => (Type::Error, Measure::LEAF),
        };
        if measure.is_too_large() && meaning != Type::Error {
            self.report(
                Diagnostic::new(Code::TOO_DEEP, ty.span, "the type is too large").help(format!(
                    "types nest up to {MAX_DEPTH} deep and have up to {MAX_SIZE} parts; use `json` inside"
                )),
            );
            return (self.record(ty.id, Type::Error), Measure::LEAF);
        }
        (self.record(ty.id, meaning), measure)
    }

    fn record_type(&mut self, of: &[TypeField]) -> (Type, Measure) {
        let mut measure = Measure::LEAF;
        let mut fields = Fields::with_capacity_and_hasher(of.len(), FxBuildHasher);
        for field in of {
            let (ty, inner) = self.meaning(&field.ty);
            measure.hold(inner);
            let doc = field.doc.clone().unwrap_or_default();
            let declared = Field { ty, optional: field.optional, doc };
            if fields.insert(field.name.text.clone(), declared).is_some() {
                let first =
                    of.iter().find(|first| first.name.text == field.name.text).map_or(field.span, |f| f.name.span);
                let message = format!("the field `{}` is declared twice", field.name.text);
                let wrong = Diagnostic::new(Code::DUPLICATE, field.name.span, message);
                self.report(wrong.label(first, "first declared here"));
            }
        }
        (Type::Record(Arc::new(RecordType { name: None, fields })), measure)
    }

    fn named_type(&mut self, name: &Name, args: &[TypeExpr], span: Span) -> (Type, Measure) {
        if self.declared.generics.contains(&name.text) {
            self.no_type_arguments(name, args);
            return (Type::Var(name.text.clone()), Measure::LEAF);
        }
        if let Some(item) = self.named(&name.text) {
            self.no_type_arguments(name, args);
            return self.item_type(item, name);
        }
        if let Some(of) = Type::constructor(&name.text) {
            return self.applied_type(of, name, args, span);
        }
        let Some(plain) = Type::of_name(&name.text) else {
            for arg in args {
                self.resolve_type(arg);
            }
            if !self.is_unknown_import(&name.text) {
                self.report_unknown_type(name);
            }
            return (Type::Error, Measure::LEAF);
        };
        self.no_type_arguments(name, args);
        if plain == Type::Secret && !self.declared.secret_allowed {
            let message = "`secret` is a type for the parameters of tools only";
            let wrong = Diagnostic::new(Code::SECRET_TYPE, name.span, message);
            self.report(wrong.help("name the secret where the tool is called: `secrets.NAME`"));
            return (Type::Error, Measure::LEAF);
        }
        (plain, Measure::LEAF)
    }

    fn item_type(&mut self, item: ItemRef, name: &Name) -> (Type, Measure) {
        if let Some(known) = self.declared.types.get(&item) {
            return known.clone();
        }
        match self.item(item).map(|item| &item.kind) {
            Some(ItemKind::Type(_)) => self.declared_type(item),
            Some(ItemKind::Fn(_)) => self.not_a_type(name, "a function"),
            _ => self.not_a_type(name, "a flow"),
        }
    }

    fn not_a_type(&mut self, name: &Name, what: &str) -> (Type, Measure) {
        let message = format!("`{}` is {what}, not a type", name.text);
        self.report(Diagnostic::new(Code::UNKNOWN_TYPE, name.span, message));
        (Type::Error, Measure::LEAF)
    }

    /// What a type declaration means; found out once.
    pub(crate) fn declared_type(&mut self, at: ItemRef) -> (Type, Measure) {
        if let Some(known) = self.declared.types.get(&at) {
            return known.clone();
        }
        let Some(ItemKind::Type(decl)) = self.item(at).map(|item| &item.kind) else {
            return (Type::Error, Measure::LEAF);
        };
        let cycle = self.declared.resolving.iter().position(|other| *other == at);
        if cycle.is_some() || self.declared.resolving.len() > MAX_DEPTH as usize {
            self.report_recursive_type(cycle, &decl.name);
            self.declared.types.insert(at, (Type::Error, Measure::LEAF));
            return (Type::Error, Measure::LEAF);
        }
        self.declared.resolving.push(at);
        let file = std::mem::replace(&mut self.file, at.file);
        let generics = std::mem::take(&mut self.declared.generics);
        let secret_allowed = std::mem::replace(&mut self.declared.secret_allowed, false);
        let (meaning, measure) = self.meaning(&decl.ty);
        self.file = file;
        self.declared.generics = generics;
        self.declared.secret_allowed = secret_allowed;
        self.declared.resolving.pop();
        let meaning = match decl.ty.kind {
            // An alias goes by the name of what it stands for.
            TypeExprKind::Name { .. } => meaning,
            _ => meaning.named(decl.name.text.clone()),
        };
        // A cycle through here has been found on the way: it stays unknown.
        self.declared.types.entry(at).or_insert((meaning, measure)).clone()
    }

    fn report_recursive_type(&mut self, cycle: Option<usize>, name: &Name) {
        let Some(start) = cycle else {
            let message = format!("the types that lead to `{}` are nested too deep", name.text);
            self.report(Diagnostic::new(Code::TOO_DEEP, name.span, message));
            return;
        };
        let through = self.declared.resolving.get(start..).unwrap_or_default().to_vec();
        let names = through.iter().filter_map(|item| match self.item(*item).map(|item| &item.kind) {
            Some(ItemKind::Type(decl)) => Some(&decl.name),
            _ => None,
        });
        let names: Vec<&Name> = names.collect();
        let path: Vec<String> = names.iter().chain(names.first()).map(|name| format!("`{}`", name.text)).collect();
        let mut wrong =
            Diagnostic::new(Code::RECURSIVE_TYPE, name.span, format!("the type `{}` contains itself", name.text));
        if names.len() > 1 {
            wrong = wrong.here(path.join(" → "));
            for other in names.iter().skip(1) {
                wrong = wrong.label(other.span, "through this one");
            }
        }
        self.report(wrong.help("use `json` where it comes back to itself, and check it with `as` when it is read"));
    }

    /// `list<T>`, `map<T>`, `schema<T>`, `outcome<T>`.
    fn applied_type(&mut self, make: fn(Type) -> Type, name: &Name, args: &[TypeExpr], span: Span) -> (Type, Measure) {
        let mut measure = Measure::LEAF;
        let mut inner = args.iter().map(|arg| {
            let (ty, inner) = self.meaning(arg);
            measure.hold(inner);
            ty
        });
        let first = inner.next();
        let more = inner.count();
        let of = match first {
            Some(of) if more == 0 => of,
            _ => {
                let found = if more == 0 { "none is given".to_owned() } else { format!("{} are given", more + 1) };
                let message = format!("`{}` takes one type, {found}", name.text);
                let help = match name.text.as_str() {
                    "map" => "the keys of a map are strings; say what its values are: `map<int>`".to_owned(),
                    name => format!("say what is in it: `{name}<string>`"),
                };
                self.report(Diagnostic::new(Code::TYPE_ARGUMENTS, span, message).help(help));
                return (Type::Error, Measure::LEAF);
            }
        };
        if name.text == "outcome" {
            measure = Measure { depth: measure.depth + 1, size: measure.size.saturating_add(30) };
        }
        (make(of), measure)
    }

    fn no_type_arguments(&mut self, name: &Name, args: &[TypeExpr]) {
        for arg in args {
            self.resolve_type(arg);
        }
        if let (Some(first), Some(last)) = (args.first(), args.last()) {
            let message = format!("`{}` takes no types in `<…>`", name.text);
            self.report(Diagnostic::new(Code::TYPE_ARGUMENTS, first.span.to(last.span), message));
        }
    }

    fn report_unknown_type(&mut self, name: &Name) {
        let mut wrong = Diagnostic::new(Code::UNKNOWN_TYPE, name.span, format!("there is no type `{}`", name.text));
        let foreign = FOREIGN.iter().find(|(foreign, _)| *foreign == name.text).map(|(_, own)| (*own).to_owned());
        if let Some(right) = foreign.or_else(|| self.nearest_type(&name.text)) {
            wrong = wrong.fix(format!("replace it with `{right}`"), name.span, right);
        }
        self.report(wrong);
    }

    fn nearest_type(&mut self, name: &str) -> Option<String> {
        if !self.may_suggest() {
            return None;
        }
        let items = self.items.get(&self.file).into_iter().flatten();
        let types = items.filter(|(_, at)| matches!(self.item(**at).map(|item| &item.kind), Some(ItemKind::Type(_))));
        let names = types.map(|(name, _)| name.as_str()).chain(Type::NAMES);
        nearest(name, names).map(str::to_owned)
    }

    /// The type that a name in an expression stands for: a declared one, or a built-in one without arguments.
    pub(crate) fn type_of_name(&mut self, name: &str) -> Option<Type> {
        let is_type = self.type_named(name).is_some();
        match self.named(name) {
            Some(item) => is_type.then(|| self.declared_type(item).0),
            None => Type::of_name(name).filter(|ty| *ty != Type::Secret && *ty != Type::Null),
        }
    }
}
