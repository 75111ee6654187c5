//! List and record literals.

use rustc_hash::FxHashMap;

use crate::check::context::Checker;
use crate::check::expr::Brief;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::source::Span;
use crate::syntax::ast::{Expr, ListItem, Name, RecordField};
use crate::types::{Field, Fields, Literal, RecordType, Text, Type};

/// A record literal under way.
#[derive(Default)]
struct Built {
    /// The fields so far.
    fields: Fields,
    /// Where each written name stands.
    written: FxHashMap<Text, Span>,
    /// The first spread.
    spread: Option<Span>,
    /// The values of a spread map: the fields are not known.
    map: Option<Type>,
    /// Whether something in it is not known because of a mistake.
    broken: bool,
    /// `...`
    filled: bool,
}

impl Checker<'_> {
    /// `[a, ...b]`
    pub(crate) fn list(&mut self, expr: &Expr, items: &[ListItem], hint: Option<&Type>) -> Type {
        let wanted = hint.and_then(|hint| one_of_form(hint, |member| matches!(member, Type::List(_))));
        if let Some(list @ Type::List(of)) = wanted
            && **of != Type::Never
        {
            for item in items {
                match item {
                    ListItem::Value(value) => _ = self.expect(value, of, "an item of the list"),
                    ListItem::Spread(value) => _ = self.expect(value, list, "a spread in a list"),
                }
            }
            return list.clone();
        }
        let mut of = Type::Never;
        let mut parts = Vec::with_capacity(items.len());
        for item in items {
            let (value, ty) = match item {
                ListItem::Value(value) => (value, self.infer(value, None).widen()),
                ListItem::Spread(value) => (value, self.spread_item(value)),
            };
            if of != ty {
                of = of.join(ty.clone());
            }
            parts.push((matches!(item, ListItem::Spread(_)), value.id, ty));
        }
        for (spread, id, ty) in parts {
            if !ty.same_shape(&of) {
                let wanted = if spread { Type::list(of.clone()) } else { of.clone() };
                self.out.coercions.insert(id, wanted);
            }
        }
        self.record(expr.id, Type::list(of))
    }

    /// The items of `...list`.
    fn spread_item(&mut self, value: &Expr) -> Type {
        match self.infer(value, None) {
            Type::List(of) => Type::clone(&of),
            Type::Error => Type::Error,
            Type::Json => {
                self.report_json(value, Some(&Type::list(Type::Json)), "a spread in a list needs a list");
                Type::Error
            }
            found if found.allows_null() => {
                self.report_nullable(value, &found, "a spread in a list");
                Type::Error
            }
            found => {
                let message = format!("expected a list for a spread in a list, found `{}`", Brief(&found));
                self.report(Diagnostic::new(Code::MISMATCH, value.span, message));
                Type::Error
            }
        }
    }

    /// `{ a: 1, b, ...c }`
    pub(crate) fn record_literal(&mut self, expr: &Expr, fields: &[RecordField], hint: Option<&Type>) -> Type {
        match hint.and_then(|hint| self.wanted_form(hint, fields)) {
            Some(Type::Record(wanted)) => self.wanted_record(expr, fields, &wanted),
            Some(Type::Map(of)) => self.wanted_map(fields, of.as_ref()),
            _ => self.free_record(expr, fields, hint),
        }
    }

    /// The one record or map of a hint that a literal is meant to be.
    fn wanted_form(&self, hint: &Type, fields: &[RecordField]) -> Option<Type> {
        let forms: Vec<Type> = hint
            .members()
            .iter()
            .filter_map(|member| match member {
                Type::Record(_) | Type::Map(_) => Some(member.clone()),
                handle => handle.handle_record(),
            })
            .collect();
        if let [only] = forms.as_slice() {
            return Some(only.clone());
        }
        let mut fitting = forms.into_iter().filter(|form| match form {
            Type::Record(record) => may_be(record, fields),
            _ => false,
        });
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    }

    fn wanted_record(&mut self, expr: &Expr, fields: &[RecordField], wanted: &std::sync::Arc<RecordType>) -> Type {
        let mut built = Built::default();
        for field in fields {
            match field {
                RecordField::Value(name, value) => {
                    self.no_second(&mut built, name);
                    let Some(declared) = wanted.fields.get(&name.text) else {
                        if let Some(meant) = self.report_extra_field(name, fields, wanted) {
                            built.fields.insert(meant, Field::required(Type::Error));
                            built.broken = true;
                        }
                        self.infer(value, None);
                        continue;
                    };
                    let ty = declared.read();
                    let found = self.expect(value, &ty, format_args!("the field `{}`", name.text));
                    built.broken |= found == Type::Error;
                    built.fields.insert(name.text.clone(), Field::required(ty));
                }
                RecordField::Spread(value) => self.spread(&mut built, value),
                RecordField::Fill(span) => self.fill(&mut built, expr, *span, Some(wanted)),
            }
        }
        let expected = Type::Record(std::sync::Arc::clone(wanted));
        if built.map.is_some() {
            if !built.broken {
                let span = built.spread.unwrap_or(expr.span);
                let message = format!("a map's entries are not known: `{}` needs its fields", Brief(&expected));
                self.report(
                    Diagnostic::new(Code::MISMATCH, span, message).help("check it first: `x.json().parse_json() as T`"),
                );
            }
            return expected;
        }
        self.missing_fields(expr, &built, wanted);
        if let Some(span) = built.spread.filter(|_| !built.broken && !built.filled) {
            self.spread_fits(expr, built, span, &expected);
        }
        expected
    }

    /// Whether what the spreads bring fits; what is missing has been reported.
    fn spread_fits(&mut self, expr: &Expr, built: Built, span: Span, expected: &Type) {
        let complete = match expected {
            Type::Record(wanted) => wanted
                .fields
                .iter()
                .all(|(name, field)| built.fields.contains_key(name) || field.optional || field.ty.allows_null()),
            _ => true,
        };
        let found = Type::record(built.fields);
        match found.misfit(expected) {
            None => self.convert(expr.id, &found, expected),
            Some(mismatch) if complete => {
                let message = format!("what is spread here does not fit `{}`: {mismatch}", Brief(expected));
                let code = match mismatch.kind {
                    crate::types::MismatchKind::MayBeAbsent(_) => Code::NULLABLE,
                    _ => Code::MISMATCH,
                };
                self.report(Diagnostic::new(code, span, message));
            }
            Some(_) => {}
        }
    }

    fn missing_fields(&mut self, expr: &Expr, built: &Built, wanted: &RecordType) {
        if built.broken && built.spread.is_some() || built.filled {
            return;
        }
        let missing: Vec<(&Text, &Field)> = wanted
            .fields
            .iter()
            .filter(|(name, field)| {
                !built.fields.contains_key(*name)
                    && !field.optional
                    && !field.ty.allows_null()
                    && field.ty != Type::Error
            })
            .collect();
        let (fields, are) = match missing.len() {
            0 => return,
            1 => ("field", "is"),
            _ => ("fields", "are"),
        };
        let of = match &wanted.name {
            Some(name) => format!(" in `{name}`"),
            None => String::new(),
        };
        let names: Vec<String> = missing.iter().map(|(name, _)| format!("`{name}`")).collect();
        let message = format!("the {fields} {} {are} missing{of}", names.join(", "));
        let typed: Vec<String> =
            missing.iter().map(|(name, field)| format!("`{name}: {}`", Brief(&field.ty))).collect();
        self.report(Diagnostic::new(Code::MISSING_FIELD, expr.span, message).help(format!("add {}", typed.join(", "))));
    }

    /// Reports a field that a wanted record does not have. Gives the one that is probably meant.
    fn report_extra_field(&mut self, name: &Name, fields: &[RecordField], wanted: &RecordType) -> Option<Text> {
        let what = wanted.name.as_ref().map_or_else(|| "the record wanted here".to_owned(), |name| format!("`{name}`"));
        let message = format!("{what} has no field `{}`", name.text);
        let mut wrong = Diagnostic::new(Code::EXTRA_FIELD, name.span, message);
        let given = |wanted: &str| {
            fields.iter().any(|field| matches!(field, RecordField::Value(name, _) if name.text == wanted))
        };
        let free = wanted.fields.keys().map(Text::as_str).filter(|field| !given(field));
        let near = nearest(&name.text, free);
        if let Some(near) = near {
            wrong = wrong.suggest(format!("call it `{near}`"), name.span, near);
        } else if wanted.fields.len() <= 12 {
            let names: Vec<String> = wanted.fields.keys().map(|name| format!("`{name}`")).collect();
            if !names.is_empty() {
                wrong = wrong.help(format!("it has {}", names.join(", ")));
            }
        }
        self.report(wrong);
        near.map(Text::new)
    }

    /// A record literal where a map is wanted.
    fn wanted_map(&mut self, fields: &[RecordField], of: &Type) -> Type {
        let map = Type::map(of.clone());
        let mut built = Built::default();
        for field in fields {
            match field {
                RecordField::Value(name, value) => {
                    self.no_second(&mut built, name);
                    self.expect(value, of, format_args!("the entry `{}`", name.text));
                }
                RecordField::Spread(value) => {
                    let found = self.infer(value, None);
                    match &found {
                        Type::Record(record) if record.fields.values().all(|field| field.read().fits(of)) => {}
                        _ => _ = self.fit(value, &found, &map, &"a spread in a map"),
                    }
                }
                RecordField::Fill(span) => self.report_stray_fill(*span),
            }
        }
        map
    }

    /// A record literal of which nothing is wanted.
    fn free_record(&mut self, expr: &Expr, fields: &[RecordField], hint: Option<&Type>) -> Type {
        let json = hint == Some(&Type::Json);
        let mut built = Built::default();
        for field in fields {
            match field {
                RecordField::Value(name, value) => {
                    self.no_second(&mut built, name);
                    let ty = self.infer(value, if json { hint } else { None });
                    built.fields.insert(name.text.clone(), Field::required(ty));
                }
                RecordField::Spread(value) => self.spread(&mut built, value),
                // The mock of an unknown tool, which has been reported.
                RecordField::Fill(_) if hint == Some(&Type::Error) => built.filled = true,
                RecordField::Fill(_) if hint == Some(&Type::Error) && self.filling => built.filled = true,
                RecordField::Fill(span) => self.fill(&mut built, expr, *span, None),
            }
        }
        match built.map {
            Some(of) => Type::map(built.fields.values().map(Field::read).fold(of, Type::join)),
            None => Type::record(built.fields),
        }
    }

    fn no_second(&mut self, built: &mut Built, name: &Name) {
        if let Some(first) = built.written.insert(name.text.clone(), name.span) {
            let message = format!("the field `{}` is given twice", name.text);
            self.report(Diagnostic::new(Code::DUPLICATE, name.span, message).label(first, "first given here"));
        }
    }

    /// `...record`
    fn spread(&mut self, built: &mut Built, value: &Expr) {
        let found = self.infer(value, None);
        built.spread.get_or_insert(value.span);
        match &found {
            Type::Error => built.broken = true,
            Type::Map(of) => {
                let so_far = built.map.take().unwrap_or(Type::Never);
                built.map = Some(so_far.join(Type::clone(of)));
            }
            Type::Json => {
                built.broken = true;
                self.report_json(value, Some(&Type::map(Type::Json)), "a spread in a record needs a record or map");
            }
            found if found.allows_null() => {
                built.broken = true;
                self.report_nullable(value, found, "a spread in a record");
            }
            found => match fields_of(found) {
                Some(fields) => {
                    for (name, field) in fields {
                        overlay(&mut built.fields, &name, field);
                    }
                }
                None => {
                    built.broken = true;
                    let message = format!("expected a record for a spread in a record, found `{}`", Brief(found));
                    self.report(Diagnostic::new(Code::MISMATCH, value.span, message));
                }
            },
        }
    }

    /// `...` in a mock's answer.
    fn fill(&mut self, built: &mut Built, expr: &Expr, span: Span, wanted: Option<&std::sync::Arc<RecordType>>) {
        built.filled = true;
        if !self.filling {
            self.report_stray_fill(span);
        } else if let Some(wanted) = wanted {
            self.out.fills.insert(expr.id, Type::Record(std::sync::Arc::clone(wanted)));
        } else {
            let message = "`...` has nothing to fill in: which fields there are is not known";
            self.report(Diagnostic::new(Code::CANNOT_INFER, span, message).help("write the fields yourself"));
        }
    }

    fn report_stray_fill(&mut self, span: Span) {
        self.report(
            Diagnostic::new(Code::NOT_TESTABLE, span, "`...` fills in sample values only in the answer of a `mock`")
                .help("to take over the fields of a record, say which: `...record`"),
        );
    }
}

/// The only member of a type that has a form.
fn one_of_form(ty: &Type, form: impl Fn(&Type) -> bool) -> Option<&Type> {
    let mut of_form = ty.members().iter().filter(|member| form(member));
    match (of_form.next(), of_form.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// Whether a literal may be meant as a record: its names are among the fields, its plain literals fit theirs, and
/// nothing required is missing.
fn may_be(record: &RecordType, fields: &[RecordField]) -> bool {
    use crate::syntax::ast::{ExprKind, Literal as Lit};
    let mut open = false;
    for field in fields {
        let RecordField::Value(name, value) = field else {
            open = true;
            continue;
        };
        let Some(declared) = record.fields.get(&name.text) else { return false };
        let literal = match &value.kind {
            ExprKind::Literal(Lit::String(text)) => Type::Literal(Literal::String(text.clone())),
            ExprKind::Literal(Lit::Bool(bool)) => Type::Literal(Literal::Bool(*bool)),
            ExprKind::Literal(Lit::Int(int)) => Type::Literal(Literal::Int(*int)),
            ExprKind::Literal(Lit::Null) => Type::Null,
            _ => continue,
        };
        if !literal.overlaps(&declared.read()) {
            return false;
        }
    }
    let given =
        |name: &Text| fields.iter().any(|field| matches!(field, RecordField::Value(given, _) if given.text == *name));
    open || record.fields.iter().all(|(name, field)| field.optional || field.ty.allows_null() || given(name))
}

/// The fields that a value brings when it is spread; those that only some members of a union have are optional.
fn fields_of(ty: &Type) -> Option<Fields> {
    match ty {
        Type::Record(record) => Some(record.fields.clone()),
        Type::Image | Type::File => fields_of(&ty.handle_record()?),
        Type::Union(union) => {
            let mut members = union.members.iter().map(fields_of);
            let mut all = members.next()??;
            for fields in members {
                let fields = fields?;
                for (name, field) in &mut all {
                    match fields.get(name) {
                        Some(other) => {
                            field.ty = field.ty.clone().join(other.ty.clone());
                            field.optional |= other.optional;
                        }
                        None => field.optional = true,
                    }
                }
                for (name, field) in fields {
                    all.entry(name).or_insert(Field { optional: true, ..field });
                }
            }
            Some(all)
        }
        _ => None,
    }
}

/// Puts a field over what is there: one that is absent or null leaves what it would replace.
pub(crate) fn overlay(fields: &mut Fields, name: &Text, field: Field) {
    match fields.get_mut(name) {
        Some(under) if field.optional || field.ty.allows_null() => {
            under.ty = under.ty.clone().join(field.ty.without_null());
        }
        Some(under) => *under = field,
        None => _ = fields.insert(name.clone(), field),
    }
}
