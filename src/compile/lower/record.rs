//! Record literals: records, maps, spreads, and what `...` fills in a mock's answer.

use std::sync::Arc;

use crate::compile::lower::Lowering;
use crate::compile::lower::expr::constant;
use crate::program::{Constant, Expr, MapEntry, RecordPart};
use crate::syntax::ast::{NodeId, RecordField};
use crate::types::{RecordType, Text, Type};
use crate::value::{Record, Shape, Value, sample};

impl Lowering<'_> {
    pub(super) fn record(&mut self, id: NodeId, fields: &[RecordField]) -> Expr {
        let ty = self.checked.ty(id);
        if let Some(fill) = self.checked.fills.get(id).and_then(record_of) {
            return self.filled(&fill, fields);
        }
        if matches!(ty, Type::Map(_) | Type::Json) {
            return self.map(fields);
        }
        if fields.iter().any(|field| matches!(field, RecordField::Spread(_))) {
            let names = record_of(ty).map(|record| record.fields.keys().cloned().collect()).unwrap_or_default();
            return self.spread(names, Vec::new(), fields);
        }
        let values = fields.iter().filter_map(|field| match field {
            RecordField::Value(name, value) => Some((name.text.clone(), self.expr(value))),
            RecordField::Spread(_) | RecordField::Fill(_) => None,
        });
        let values: Vec<_> = values.collect();
        plain_record(values)
    }

    fn map(&mut self, fields: &[RecordField]) -> Expr {
        let entries = fields.iter().filter_map(|field| match field {
            RecordField::Value(name, value) => Some(MapEntry::Entry(name.text.clone(), self.expr(value))),
            RecordField::Spread(map) => Some(MapEntry::Spread(self.expr(map))),
            RecordField::Fill(_) => None,
        });
        Expr::Map(entries.collect())
    }

    /// A record with spreads: `first`, then the fields as written; later ones win.
    fn spread(&mut self, mut names: Vec<Text>, first: Vec<RecordPart>, fields: &[RecordField]) -> Expr {
        for field in fields {
            if let RecordField::Value(name, _) = field
                && !names.contains(&name.text)
            {
                names.push(name.text.clone());
            }
        }
        let shape = Arc::new(Shape::new(names));
        let place = |name: &Text| shape.index_of(name).unwrap_or_default() as u32;
        let mut parts = first;
        parts.extend(fields.iter().filter_map(|field| match field {
            RecordField::Value(name, value) => Some(RecordPart::Field(place(&name.text), self.expr(value))),
            RecordField::Spread(record) => Some(RecordPart::Spread(self.expr(record))),
            RecordField::Fill(_) => None,
        }));
        Expr::Spread { shape, parts }
    }

    /// A mock's record with `...`: what is written, and samples for the other fields of the type.
    fn filled(&mut self, ty: &RecordType, fields: &[RecordField]) -> Expr {
        let names: Vec<Text> = ty.fields.keys().cloned().collect();
        if fields.iter().any(|field| matches!(field, RecordField::Spread(_))) {
            let samples = ty.fields.iter().zip(0..);
            let samples = samples
                .map(|((name, field), at)| RecordPart::Field(at, constant(sample(&field.read(), name))))
                .collect();
            return self.spread(names, samples, fields);
        }
        let mut values: Vec<(Text, Expr)> =
            ty.fields.iter().map(|(name, field)| (name.clone(), constant(sample(&field.read(), name)))).collect();
        for field in fields {
            let RecordField::Value(name, value) = field else { continue };
            let value = self.expr(value);
            match ty.fields.get_index_of(&name.text).and_then(|at| values.get_mut(at)) {
                Some(place) => place.1 = value,
                None => values.push((name.text.clone(), value)),
            }
        }
        plain_record(values)
    }
}

/// A record of values; of constants, it is made once.
pub(super) fn plain_record(fields: impl IntoIterator<Item = (Text, Expr)>) -> Expr {
    let (names, values): (Vec<Text>, Vec<Expr>) = fields.into_iter().unzip();
    let shape = Arc::new(Shape::new(names));
    let constants = values.iter().map(|value| match value {
        Expr::Const(Constant(value)) => Some(value.clone()),
        _ => None,
    });
    match constants.collect::<Option<Vec<Value>>>() {
        Some(values) => constant(Value::Record(Arc::new(Record { shape, values }))),
        None => Expr::Record { shape, values },
    }
}

/// The record type that a literal has: of a handle its fields, of a union its first record.
fn record_of(ty: &Type) -> Option<Arc<RecordType>> {
    ty.members().iter().find_map(|member| match member {
        Type::Record(record) => Some(Arc::clone(record)),
        other => match other.handle_record() {
            Some(Type::Record(record)) => Some(record),
            _ => None,
        },
    })
}
