//! Literals: lists, records and maps.

use std::sync::Arc;

use crate::program::{Expr, ListItem, MapEntry, RecordPart};
use crate::run::eval::{Cx, Evaluated, odd};
use crate::types::Text;
use crate::value::{Map, Record, Shape, Value};

impl Cx<'_> {
    pub(super) fn list(&mut self, parts: &[ListItem], frame: &mut [Value]) -> Evaluated {
        let mut items = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                ListItem::Value(value) => items.push(self.eval(value, frame)?),
                ListItem::Spread(list) => match self.eval(list, frame)? {
                    Value::List(more) => {
                        self.spend(more.len() as u64)?;
                        self.room((items.len() + more.len()).saturating_mul(size_of::<Value>()))?;
                        items.extend_from_slice(&more);
                    }
                    other => return Err(odd(&other, "a list")),
                },
            }
        }
        Ok(Value::List(Arc::new(items)))
    }

    /// A record; all records made here share the shape.
    pub(super) fn record(&mut self, shape: &Arc<Shape>, values: &[Expr], frame: &mut [Value]) -> Evaluated {
        let mut made = Vec::with_capacity(values.len());
        for value in values {
            made.push(self.eval(value, frame)?);
        }
        Ok(Value::Record(Arc::new(Record { shape: Arc::clone(shape), values: made })))
    }

    pub(super) fn spread(&mut self, shape: &Arc<Shape>, parts: &[RecordPart], frame: &mut [Value]) -> Evaluated {
        let mut values = vec![Value::Null; shape.len()];
        let mut put = |at: usize, value: Value| {
            if let Some(place) = values.get_mut(at) {
                *place = value;
            }
        };
        for part in parts {
            match part {
                RecordPart::Field(at, value) => put(*at as usize, self.eval(value, frame)?),
                RecordPart::Spread(record) => {
                    let record = self.eval(record, frame)?;
                    // Absent and null are one: neither replaces what is there.
                    for (name, value) in entries(&record).filter(|(_, value)| !value.is_null()) {
                        if let Some(at) = shape.index_of(name) {
                            put(at, value.clone());
                        }
                    }
                }
            }
        }
        Ok(Value::Record(Arc::new(Record { shape: Arc::clone(shape), values })))
    }

    pub(super) fn map(&mut self, parts: &[MapEntry], frame: &mut [Value]) -> Evaluated {
        let mut map = Map::with_capacity(parts.len());
        for part in parts {
            match part {
                MapEntry::Entry(key, value) => {
                    map.insert(key.clone(), self.eval(value, frame)?);
                }
                MapEntry::Spread(other) => {
                    let other = self.eval(other, frame)?;
                    for (key, value) in entries(&other) {
                        map.insert(key.clone(), value.clone());
                    }
                    self.spend(map.len() as u64)?;
                }
            }
        }
        Ok(Value::Map(Arc::new(map)))
    }
}

/// The entries of a record or map; none of anything else.
fn entries(value: &Value) -> impl Iterator<Item = (&Text, &Value)> {
    let (record, map) = match value {
        Value::Record(record) => (Some(record), None),
        Value::Map(map) => (None, Some(map)),
        _ => (None, None),
    };
    record.into_iter().flat_map(|record| record.iter()).chain(map.into_iter().flat_map(|map| map.iter()))
}
