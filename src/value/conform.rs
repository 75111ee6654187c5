//! Making a value fit a type, once, where it crosses the edge.
//!
//! [`Value::conform`] is for what comes from outside or from `json`; [`Value::coerce`] for what the checker knows to
//! fit, but whose form differs; [`Value::matches`] is the language's `is`. Nothing is copied where nothing changes.

use std::cell::RefCell;
use std::sync::{Arc, LazyLock};

use rustc_hash::FxHashMap;

use crate::types::{Literal, RecordType, Text, Type, UnionType};
use crate::value::misfit::{Misfit, describe, expected};
use crate::value::{Map, Record, Shape, Value, parse_duration};

impl Value {
    /// Makes the value fit the type, or says where it does not: drops extra fields, fills absent optional ones with
    /// null, makes ints floats (and floats without fraction ints), objects records, texts datetimes and durations.
    ///
    /// Of a union's members it takes the one that leaves the value as it is, else the one that drops the fewest fields.
    ///
    /// # Errors
    /// The first place that does not fit.
    pub fn conform(self, ty: &Type) -> Result<Value, Misfit> {
        Ok(fit(&self, ty)?.value.unwrap_or(self))
    }

    /// Gives a value that surely fits the type its exact form. One that does not fit after all stays as it is.
    #[must_use]
    pub fn coerce(self, ty: &Type) -> Value {
        match fit(&self, ty) {
            Ok(Fit { value: Some(value), .. }) => value,
            _ => self,
        }
    }

    /// Whether it is a value of the type as it stands (`x is T`): nothing would have to be read from text. A record may
    /// have more fields, an int is a float, objects of `json` are records and maps.
    pub fn matches(&self, ty: &Type) -> bool {
        match (ty, self) {
            (Type::Never, _) | (Type::Json, Value::Secret(_)) => false,
            (Type::Error | Type::Var(_) | Type::Json, _)
            | (Type::Null, Value::Null)
            | (Type::Bool, Value::Bool(_))
            | (Type::Int, Value::Int(_))
            | (Type::Float, Value::Float(_) | Value::Int(_))
            | (Type::String, Value::String(_))
            | (Type::Datetime, Value::Datetime(_))
            | (Type::Duration, Value::Duration(_))
            | (Type::Secret, Value::Secret(_))
            | (Type::Schema(_), Value::Map(_) | Value::Record(_) | Value::Bool(_)) => true,
            (Type::Url, Value::String(text)) => parse_url(text).is_some(),
            (Type::Literal(literal), value) => literal_matches(literal, value),
            (Type::List(of), Value::List(items)) => items.iter().all(|item| item.matches(of)),
            (Type::Map(of), Value::Map(map)) => map.values().all(|value| value.matches(of)),
            (Type::Map(of), Value::Record(record)) => record.values.iter().all(|value| value.matches(of)),
            (Type::Record(record), Value::Record(_) | Value::Map(_)) => record.fields.iter().all(|(name, field)| {
                let value = self.get(name).unwrap_or(&Value::Null);
                (field.optional && value.is_null()) || value.matches(&field.ty)
            }),
            (Type::Image | Type::File, Value::Record(_) | Value::Map(_)) => self.matches(handle(ty)),
            (Type::Union(union), value) => union.members.iter().any(|member| value.matches(member)),
            _ => false,
        }
    }
}

/// An instant in RFC 3339.
pub fn parse_datetime(text: &str) -> Option<jiff::Timestamp> {
    text.parse().ok()
}

/// A `url`: an absolute http(s) address, or the address of an artifact on this machine.
pub fn parse_url(text: &str) -> Option<url::Url> {
    let url = url::Url::parse(text).ok()?;
    match url.scheme() {
        "http" | "https" => url.has_host(),
        "file" => !url.has_host() && url.path_segments()?.next_back().is_some_and(is_artifact_name),
        _ => false,
    }
    .then_some(url)
}

/// Whether a file is named as artifacts are: by the SHA-256 of its bytes in hex, and what they are: `9f86….png`. No
/// other file of the machine can be meant.
pub fn is_artifact_name(name: &str) -> bool {
    let (hash, extension) = name.split_once('.').unwrap_or((name, "bin"));
    hash.len() == 64
        && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && (1..=5).contains(&extension.len())
        && extension.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// A value that fits.
#[derive(Default)]
struct Fit {
    /// Its new form; none where it is right as it is.
    value: Option<Value>,
    /// How many fields were dropped.
    dropped: usize,
}

impl Fit {
    const AS_IS: Fit = Fit { value: None, dropped: 0 };

    fn new(value: Value) -> Self {
        Self { value: Some(value), dropped: 0 }
    }
}

type Fitting = Result<Fit, Misfit>;

fn fit(value: &Value, ty: &Type) -> Fitting {
    match (ty, value) {
        (Type::Json, Value::Secret(_)) | (Type::Never, _) => Err(Misfit::of(value, ty)),
        (Type::Error | Type::Var(_) | Type::Json, _)
        | (Type::Null, Value::Null)
        | (Type::Bool, Value::Bool(_))
        | (Type::Int, Value::Int(_))
        | (Type::Float, Value::Float(_))
        | (Type::String, Value::String(_))
        | (Type::Datetime, Value::Datetime(_))
        | (Type::Duration, Value::Duration(_))
        | (Type::Secret, Value::Secret(_))
        | (Type::Schema(_), Value::Map(_) | Value::Record(_) | Value::Bool(_)) => Ok(Fit::AS_IS),
        (Type::Float, Value::Int(int)) => Ok(Fit::new(Value::Float(*int as f64))),
        (Type::Int, Value::Float(float)) => match whole(*float) {
            Some(int) => Ok(Fit::new(Value::Int(int))),
            None => Err(Misfit::of(value, ty)),
        },
        (Type::Url, Value::String(text)) if parse_url(text).is_some() => Ok(Fit::AS_IS),
        (Type::Datetime, Value::String(text)) => match parse_datetime(text) {
            Some(at) => Ok(Fit::new(Value::Datetime(at))),
            None => Err(Misfit::of(value, ty)),
        },
        (Type::Duration, Value::String(text)) => match parse_duration(text) {
            Some(millis) => Ok(Fit::new(Value::Duration(millis))),
            None => Err(Misfit::of(value, ty)),
        },
        (Type::Literal(literal), value) => fit_literal(literal, value, ty),
        (Type::List(of), Value::List(items)) => fit_list(items, of),
        (Type::Map(of), Value::Map(map)) => fit_map(map, of),
        (Type::Map(of), Value::Record(record)) => record_to_map(record, of),
        (Type::Record(record), Value::Record(_) | Value::Map(_)) => fit_record(value, record),
        (Type::Image | Type::File, Value::Record(_) | Value::Map(_)) => fit(value, handle(ty)),
        (Type::Union(union), value) => fit_union(value, union, ty),
        _ => Err(Misfit::of(value, ty)),
    }
}

/// A float without fraction as an int: JSON does not tell `3.0` from `3`.
fn whole(float: f64) -> Option<i64> {
    let int = float as i64;
    (Value::Int(int) == Value::Float(float)).then_some(int)
}

fn literal_matches(literal: &Literal, value: &Value) -> bool {
    match (literal, value) {
        (Literal::String(wanted), Value::String(text)) => wanted == text,
        (Literal::Int(wanted), Value::Int(int)) => wanted == int,
        (Literal::Bool(wanted), Value::Bool(bool)) => wanted == bool,
        _ => false,
    }
}

fn fit_literal(literal: &Literal, value: &Value, ty: &Type) -> Fitting {
    match (literal, value) {
        (literal, value) if literal_matches(literal, value) => Ok(Fit::AS_IS),
        (Literal::Int(wanted), Value::Float(float)) if whole(*float) == Some(*wanted) => {
            Ok(Fit::new(Value::Int(*wanted)))
        }
        _ => Err(Misfit::of(value, ty)),
    }
}

fn fit_list(items: &[Value], of: &Type) -> Fitting {
    let mut changed: Option<Vec<Value>> = None;
    let mut dropped = 0;
    for (at, item) in items.iter().enumerate() {
        let fitted = fit(item, of).map_err(|misfit| misfit.under_index(at))?;
        dropped += fitted.dropped;
        match (&mut changed, fitted.value) {
            (Some(list), value) => list.push(value.unwrap_or_else(|| item.clone())),
            (None, Some(value)) => {
                let mut list = Vec::with_capacity(items.len());
                list.extend_from_slice(items.get(..at).unwrap_or_default());
                list.push(value);
                changed = Some(list);
            }
            (None, None) => {}
        }
    }
    Ok(Fit { value: changed.map(|list| Value::List(Arc::new(list))), dropped })
}

fn fit_map(map: &Arc<Map>, of: &Type) -> Fitting {
    let mut changed: Option<Map> = None;
    let mut dropped = 0;
    for (key, value) in map.iter() {
        let fitted = fit(value, of).map_err(|misfit| misfit.under_key(key))?;
        dropped += fitted.dropped;
        if let Some(value) = fitted.value {
            changed.get_or_insert_with(|| Map::clone(map)).insert(key.clone(), value);
        }
    }
    Ok(Fit { value: changed.map(|map| Value::Map(Arc::new(map))), dropped })
}

/// A record that was `json` in between. A field that is null is an absent entry where the map's values cannot be null.
fn record_to_map(record: &Record, of: &Type) -> Fitting {
    let mut map = Map::with_capacity(record.values.len());
    let mut dropped = 0;
    for (key, value) in record.iter() {
        if value.is_null() && !value.matches(of) {
            continue;
        }
        let fitted = fit(value, of).map_err(|misfit| misfit.under_key(key))?;
        dropped += fitted.dropped;
        map.insert(key.clone(), fitted.value.unwrap_or_else(|| value.clone()));
    }
    Ok(Fit { value: Some(Value::Map(Arc::new(map))), dropped })
}

fn fit_record(value: &Value, ty: &Arc<RecordType>) -> Fitting {
    // The record is right as it is when it has these fields and no other one, each right as it is.
    let (length, is_record) = match value {
        Value::Record(record) => (record.shape.len(), true),
        Value::Map(map) => (map.len(), false),
        _ => (0, false),
    };
    let mut present = 0;
    let mut dropped = 0;
    let mut changed: Option<Vec<Value>> = None;
    for (at, (name, field)) in ty.fields.iter().enumerate() {
        let found = value.get(name);
        present += usize::from(found.is_some());
        let fitted = match found {
            None | Some(Value::Null) if field.optional => Fit::AS_IS,
            Some(value) => fit(value, &field.ty).map_err(|misfit| misfit.under_field(name))?,
            // `{ a: T? }` may come without `a`.
            None if Value::Null.matches(&field.ty) => Fit::AS_IS,
            None => return Err(Misfit::missing(&field.ty).under_field(name)),
        };
        dropped += fitted.dropped;
        match (&mut changed, fitted.value) {
            (Some(values), new) => values.push(new.or_else(|| found.cloned()).unwrap_or(Value::Null)),
            (None, Some(new)) => {
                let before = ty.fields.keys().take(at).map(|name| value.get(name).cloned().unwrap_or(Value::Null));
                let mut values = Vec::with_capacity(ty.fields.len());
                values.extend(before);
                values.push(new);
                changed = Some(values);
            }
            (None, None) => {}
        }
    }
    dropped += length.saturating_sub(present);
    let exact = is_record && length == present && present == ty.fields.len();
    if exact && changed.is_none() {
        return Ok(Fit::AS_IS);
    }
    let values = changed
        .unwrap_or_else(|| ty.fields.keys().map(|name| value.get(name).cloned().unwrap_or(Value::Null)).collect());
    Ok(Fit { value: Some(Value::Record(Arc::new(Record { shape: shape_of(ty), values }))), dropped })
}

thread_local! {
    /// Shapes of record types, by the type's address; the type is kept, so that its address stays its own.
    static SHAPES: RefCell<Shapes> = RefCell::default();
}

type Shapes = FxHashMap<usize, (Arc<RecordType>, Arc<Shape>)>;

/// How many shapes a thread keeps.
const KEPT_SHAPES: usize = 512;

/// The shape of a record type, made once per thread: records that cross the edge at one place share it.
pub(crate) fn shape_of(ty: &Arc<RecordType>) -> Arc<Shape> {
    SHAPES.with_borrow_mut(|shapes| {
        if shapes.len() >= KEPT_SHAPES {
            shapes.clear();
        }
        let make = || (Arc::clone(ty), Arc::new(Shape::new(ty.fields.keys().cloned())));
        Arc::clone(&shapes.entry(Arc::as_ptr(ty).addr()).or_insert_with(make).1)
    })
}

/// The record type of `image` and `file`.
fn handle(ty: &Type) -> &'static Type {
    static IMAGE: LazyLock<Type> = LazyLock::new(|| Type::Image.handle_record().unwrap_or(Type::Never));
    static FILE: LazyLock<Type> = LazyLock::new(|| Type::File.handle_record().unwrap_or(Type::Never));
    if *ty == Type::Image { &IMAGE } else { &FILE }
}

fn fit_union(value: &Value, union: &UnionType, ty: &Type) -> Fitting {
    if value.is_null() {
        let fits = union.members.iter().any(|member| value.matches(member));
        return if fits { Ok(Fit::AS_IS) } else { Err(Misfit::of(value, ty)) };
    }
    // `T?`, and unions told apart by a literal field: one member is meant, and its misfit is the one to tell.
    let mut meant = union.members.iter().filter(|member| **member != Type::Null && may_be_meant(value, member));
    match (meant.next(), meant.next()) {
        (Some(only), None) => return fit(value, only).map_err(|misfit| misfit.or_whole(value, ty)),
        (None, _) => return Err(Misfit::of(value, ty)),
        _ => {}
    }
    let mut best: Option<Fit> = None;
    let mut nearest: Option<Misfit> = None;
    for member in union.members.iter().filter(|member| may_be_meant(value, member)) {
        match fit(value, member) {
            Ok(Fit { value: None, .. }) => return Ok(Fit::AS_IS),
            Ok(found) if best.as_ref().is_none_or(|best| found.dropped < best.dropped) => best = Some(found),
            Err(misfit) if nearest.as_ref().is_none_or(|nearest| misfit.depth() > nearest.depth()) => {
                nearest = Some(misfit);
            }
            _ => {}
        }
    }
    match (best, nearest) {
        (Some(fit), _) => Ok(fit),
        (None, Some(misfit)) => Err(misfit.or_whole(value, ty)),
        (None, None) => Err(Misfit::of(value, ty)),
    }
}

/// Whether a value could be meant as a union's member: it has its form, and its literal fields.
fn may_be_meant(value: &Value, member: &Type) -> bool {
    match (member, value) {
        (Type::Record(record), Value::Record(_) | Value::Map(_)) => {
            record.fields.iter().all(|(name, field)| match (&field.ty, value.get(name)) {
                (Type::Literal(literal), Some(found)) => {
                    literal_matches(literal, found) || (field.optional && found.is_null())
                }
                _ => true,
            })
        }
        (Type::Image | Type::File | Type::Map(_), Value::Record(_) | Value::Map(_))
        | (Type::List(_), Value::List(_))
        | (Type::Datetime | Type::Duration | Type::Url | Type::String, Value::String(_))
        | (Type::Int | Type::Float, Value::Int(_) | Value::Float(_))
        | (Type::Json | Type::Error | Type::Var(_) | Type::Schema(_) | Type::Union(_), _) => true,
        (Type::Literal(_), value) => fit(value, member).is_ok(),
        (member, value) => value.matches(member),
    }
}

impl Misfit {
    /// A misfit at the top of a union's member is the union's: all its members are what was expected.
    fn or_whole(self, value: &Value, ty: &Type) -> Self {
        if self.path.is_empty() { Self::of(value, ty) } else { self }
    }

    fn of(value: &Value, ty: &Type) -> Self {
        Self { path: String::new(), expected: expected(ty), found: describe(value) }
    }

    fn missing(ty: &Type) -> Self {
        Self { path: String::new(), expected: expected(ty), found: "nothing".to_owned() }
    }

    fn under_field(mut self, name: &Text) -> Self {
        if crate::types::is_name(name) {
            self.path.insert_str(0, &format!(".{name}"));
            self
        } else {
            self.under_key(name)
        }
    }

    fn under_key(mut self, key: &Text) -> Self {
        self.path.insert_str(0, &format!("[{key:?}]"));
        self
    }

    fn under_index(mut self, at: usize) -> Self {
        self.path.insert_str(0, &format!("[{at}]"));
        self
    }

    fn depth(&self) -> usize {
        self.path.bytes().filter(|byte| matches!(byte, b'.' | b'[')).count()
    }
}

#[cfg(test)]
#[path = "conform_tests.rs"]
mod tests;
