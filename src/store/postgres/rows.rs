//! Many rows as one parameter for each column, which `unnest` makes rows of again: one statement writes them all.

use jiff::Timestamp;
use tokio_postgres::types::ToSql;

use crate::store::filter::Param;
use crate::store::text::whole;

/// A column's name and type.
pub(super) type Column = (&'static str, &'static str);

/// A value.
#[derive(Debug)]
pub(super) enum Cell {
    Text(Option<String>),
    Number(Option<i64>),
    Float(f64),
    Time(Option<Timestamp>),
}

/// The values of one column.
enum Cells {
    Text(Vec<Option<String>>),
    Number(Vec<Option<i64>>),
    Float(Vec<f64>),
    Time(Vec<Option<Timestamp>>),
}

/// Rows to be written.
pub(super) struct Rows(Vec<Cells>);

impl Rows {
    pub(super) fn new(columns: &[Column]) -> Self {
        let cells = |(_, ty): &Column| match *ty {
            "text" => Cells::Text(Vec::new()),
            "bigint" => Cells::Number(Vec::new()),
            "timestamptz" => Cells::Time(Vec::new()),
            _ => Cells::Float(Vec::new()),
        };
        Self(columns.iter().map(cells).collect())
    }

    /// Adds a row, whose values are of the columns' types.
    pub(super) fn push(&mut self, row: impl IntoIterator<Item = Cell>) {
        let mut row = row.into_iter();
        for column in &mut self.0 {
            match (column, row.next()) {
                (Cells::Text(column), Some(Cell::Text(text))) => column.push(text),
                (Cells::Number(column), Some(Cell::Number(number))) => column.push(number),
                (Cells::Float(column), Some(Cell::Float(float))) => column.push(float),
                (Cells::Time(column), Some(Cell::Time(at))) => column.push(at.map(whole)),
                (_, cell) => debug_assert!(false, "a row has the columns' types, not {cell:?}"),
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.first().is_none_or(|column| match column {
            Cells::Text(column) => column.is_empty(),
            Cells::Number(column) => column.is_empty(),
            Cells::Float(column) => column.is_empty(),
            Cells::Time(column) => column.is_empty(),
        })
    }

    pub(super) fn params(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.0.iter().map(Cells::param).collect()
    }
}

impl Cells {
    fn param(&self) -> &(dyn ToSql + Sync) {
        match self {
            Cells::Text(column) => column,
            Cells::Number(column) => column,
            Cells::Float(column) => column,
            Cells::Time(column) => column,
        }
    }
}

/// `unnest($1::text[], …) AS u (run_id, …)`
pub(super) fn unnest(columns: &[Column]) -> String {
    let arrays: Vec<_> = (1..).zip(columns).map(|(at, (_, ty))| format!("${at}::{ty}[]")).collect();
    format!("unnest({}) AS u ({})", arrays.join(", "), names(columns, ""))
}

/// The names of columns, each after a prefix: `u.run_id, …`
pub(super) fn names(columns: &[Column], prefix: &str) -> String {
    columns.iter().map(|(name, _)| format!("{prefix}{name}")).collect::<Vec<_>>().join(", ")
}

/// `status = u.status, …`
pub(super) fn set(columns: &[Column]) -> String {
    columns.iter().map(|(name, _)| format!("{name} = u.{name}")).collect::<Vec<_>>().join(", ")
}

pub(super) fn text(text: &str) -> Cell {
    Cell::Text(Some(clean(text)))
}

pub(super) fn maybe(text: Option<&str>) -> Cell {
    Cell::Text(text.map(clean))
}

/// JSON, which has no zero byte.
pub(super) fn json(text: Option<String>) -> Cell {
    Cell::Text(text)
}

pub(super) fn number(number: u64) -> Cell {
    Cell::Number(Some(number as i64))
}

/// Text as PostgreSQL can keep it: without zero bytes.
pub(super) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// A parameter, as PostgreSQL takes it.
pub(super) fn bound(param: &Param) -> Box<dyn ToSql + Sync + Send> {
    match param {
        Param::Text(text) => Box::new(clean(text)),
        Param::Time(at) => Box::new(whole(*at)),
        Param::Number(number) => Box::new(*number),
    }
}
