//! Rows as a table, and as JSON.

use arrow::{
    array::{Array, ArrayRef, AsArray},
    compute::cast,
    datatypes::{DataType, Float64Type, Int64Type, UInt64Type},
    util::display::{ArrayFormatter, FormatOptions},
};
use serde_json::{Map, Value};

use crate::show::FoundRow;

/// Columns that a table shows only if they are named.
pub(super) const NOT_SHOWN: [&str; 5] = [
    "key",
    "structure_key",
    "parent_key",
    "parent_row",
    "root_row",
];
/// Least width to which a column is cut.
const WIDTH_MIN: usize = 10;
/// Blanks between columns.
const GAP: usize = 2;

/// A text of a row.
pub(super) fn text_of(row: &FoundRow, name: &str) -> Option<String> {
    let column = row.batch.column_by_name(name)?.as_string_opt::<i32>()?;
    column.is_valid(0).then(|| column.value(0).to_owned())
}

/// A row as a JSON object.
pub(super) fn json(row: &FoundRow, columns: &[String]) -> String {
    let mut object = Map::new();
    object.insert("row".into(), row.number.into());
    for name in columns {
        if let Some(column) = row.batch.column_by_name(name) {
            object.insert(name.clone(), value(column, 0));
        }
    }
    Value::Object(object).to_string()
}

fn value(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    let as_type = |to: &DataType| cast(column, to).ok().filter(|cast| cast.is_valid(row));
    match column.data_type() {
        DataType::Boolean => column.as_boolean().value(row).into(),
        kind if kind.is_unsigned_integer() => as_type(&DataType::UInt64)
            .map_or(Value::Null, |cast| {
                cast.as_primitive::<UInt64Type>().value(row).into()
            }),
        kind if kind.is_signed_integer() => as_type(&DataType::Int64).map_or(Value::Null, |cast| {
            cast.as_primitive::<Int64Type>().value(row).into()
        }),
        kind if kind.is_floating() => as_type(&DataType::Float64).map_or(Value::Null, |cast| {
            cast.as_primitive::<Float64Type>().value(row).into()
        }),
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            (0..items.len()).map(|item| value(&items, item)).collect()
        }
        _ => text(column, row).into(),
    }
}

fn text(column: &ArrayRef, row: usize) -> String {
    if let DataType::Float64 | DataType::Float32 = column.data_type() {
        let cast = cast(column, &DataType::Float64).ok();
        let number = cast.filter(|cast| cast.is_valid(row));
        return number.map_or_else(String::new, |cast| {
            short(cast.as_primitive::<Float64Type>().value(row))
        });
    }
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column, &options);
    formatter.map_or_else(
        |error| error.to_string(),
        |formatter| formatter.value(row).to_string(),
    )
}

/// A number with at most three digits behind the point.
fn short(number: f64) -> String {
    let text = format!("{number:.3}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// Rows as a table.
pub(super) struct Table {
    columns: Vec<String>,
    /// Whether a column has numbers, which are aligned to the right; the row number is the first.
    is_number: Vec<bool>,
    /// The names of the columns, then the rows.
    lines: Vec<Vec<String>>,
}

impl Table {
    /// Without rows yet.
    pub(super) fn new(columns: Vec<String>) -> Self {
        let heads = std::iter::once("row".to_owned());
        Self {
            lines: vec![heads.chain(columns.iter().cloned()).collect()],
            is_number: vec![true; 1 + columns.len()],
            columns,
        }
    }

    /// Adds a row behind those that there are.
    pub(super) fn add(&mut self, row: &FoundRow) {
        for (is_number, name) in self.is_number[1..].iter_mut().zip(&self.columns) {
            let column = row.batch.column_by_name(name);
            *is_number &= column.is_some_and(|column| column.data_type().is_numeric());
        }
        self.lines.push(cells_of(row, &self.columns));
    }

    /// The table. `width`: of the terminal, to which long texts are cut; else nothing is cut.
    pub(super) fn text(&self, width: Option<usize>) -> String {
        let mut widths = vec![0; self.is_number.len()];
        for line in &self.lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = (*width).max(cell.chars().count());
            }
        }
        if let Some(width) = width {
            shrink(&mut widths, width);
        }
        let text = |line: &Vec<String>| {
            let cells = line.iter().zip(&widths).zip(&self.is_number);
            let cells = cells.map(|((cell, width), is_number)| match is_number {
                true => format!("{:>width$}", cut(cell, *width)),
                false => format!("{:<width$}", cut(cell, *width)),
            });
            let text = cells.collect::<Vec<_>>().join(&" ".repeat(GAP));
            text.trim_end().to_owned()
        };
        self.lines.iter().map(text).collect::<Vec<_>>().join("\n")
    }
}

fn cells_of(row: &FoundRow, columns: &[String]) -> Vec<String> {
    let cell = |name: &String| {
        let column = row.batch.column_by_name(name);
        let column = column.filter(|column| column.is_valid(0));
        // A line break would end the row.
        column.map_or_else(String::new, |column| {
            text(column, 0).replace(char::is_control, " ")
        })
    };
    let number = std::iter::once(row.number.to_string());
    number.chain(columns.iter().map(cell)).collect()
}

/// Makes the widest columns narrower until all fit, but none narrower than they must be read.
fn shrink(widths: &mut [usize], all: usize) {
    let gaps = GAP * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > all {
        match widths.iter_mut().max() {
            Some(widest) if *widest > WIDTH_MIN => *widest -= 1,
            _ => return,
        }
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept = text.chars().take(width.saturating_sub(1));
    kept.chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_columns_are_cut_first_and_none_too_far() {
        let mut widths = [3, 60, 30, 8];
        shrink(&mut widths, 60);
        assert_eq!(widths, [3, 22, 21, 8]);
        let mut widths = [40, 40];
        shrink(&mut widths, 5);
        assert_eq!(widths, [WIDTH_MIN, WIDTH_MIN]);
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("äöü", 3), "äöü");
    }

    #[test]
    fn reals_have_three_digits_at_most() {
        assert_eq!(
            [254.2390, -0.5, 3.0, 1e9].map(short),
            ["254.239", "-0.5", "3", "1000000000"]
        );
    }
}
