//! Columns of the input that a job carries to its rows (`--keep-columns`).
//!
//! The values that a row of the input has in these columns travel as one run of bytes, a *kept row*: Arrow's row format
//! ([`arrow::row`]), which holds every Arrow type that Parquet has, nulls included. The source makes it, slots and the
//! spills of settling carry it, and the sink turns it back into columns. An empty run of bytes stands for no kept row.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, StringBuilder, UInt32Array, new_null_array},
    compute::take,
    datatypes::{DataType, Field, FieldRef},
    error::ArrowError,
    row::{RowConverter, Rows, SortField},
};

use super::content::array_bytes;

/// The columns that a job keeps, in their order.
#[derive(Debug)]
pub struct KeptColumns {
    fields: Vec<FieldRef>,
    converter: RowConverter,
    null_row_bytes: usize,
}

/// Length of a missing value in the fields of a row of text.
const MISSING: u32 = u32::MAX;

impl KeptColumns {
    /// The columns of these names and types; all of them may have nulls.
    ///
    /// # Errors
    /// Arrow's row format does not have one of the types.
    pub fn new(fields: Vec<Field>) -> Result<Self, ArrowError> {
        let types = fields.iter().map(|field| field.data_type().clone());
        let converter = RowConverter::new(types.map(SortField::new).collect())?;
        let nulls = fields
            .iter()
            .map(|field| new_null_array(field.data_type(), 1));
        Ok(Self {
            null_row_bytes: nulls.map(|null| array_bytes(&null)).sum(),
            fields: fields.into_iter().map(Arc::new).collect(),
            converter,
        })
    }

    /// Names and types, in order.
    pub fn fields(&self) -> &[FieldRef] {
        &self.fields
    }

    /// Number of columns.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Bytes that a row of the columns takes beyond its kept row, about: what its nulls take as arrays.
    pub fn null_row_bytes(&self) -> usize {
        self.null_row_bytes
    }

    /// The kept rows of arrays, of which there is one for each column.
    ///
    /// # Errors
    /// An array has another type than its column.
    pub fn rows(&self, arrays: &[ArrayRef]) -> Result<Rows, ArrowError> {
        self.converter.convert_columns(arrays)
    }

    /// The kept rows of rows of text, as [`push_fields`] has written them.
    ///
    /// # Errors
    /// None at present.
    pub fn rows_of_text(&self, texts: &[&[u8]]) -> Result<Rows, ArrowError> {
        let mut rest = texts.to_vec();
        let column = |field: &FieldRef| -> ArrayRef {
            let values = rest.iter_mut().map(take_field);
            match field.data_type() {
                DataType::Utf8 => {
                    let mut column = StringBuilder::new();
                    values
                        .for_each(|value| column.append_option(value.map(String::from_utf8_lossy)));
                    Arc::new(column.finish())
                }
                // A column of other files.
                other => new_null_array(other, values.count()),
            }
        };
        let arrays: Vec<_> = self.fields.iter().map(column).collect();
        self.rows(&arrays)
    }

    /// The columns of rows, of which `runs` has kept rows, each with the number of rows that have it.
    ///
    /// # Errors
    /// A text is not UTF-8, or there are more than 2^31 bytes.
    ///
    /// # Panics
    /// If bytes are not a kept row of these columns.
    pub fn arrays(&self, runs: &[(u32, &[u8])]) -> Result<Vec<ArrayRef>, ArrowError> {
        let parser = self.converter.parser();
        let rows = runs.iter().map(|(_, kept)| parser.parse(kept));
        let arrays = self.converter.convert_rows(rows)?;
        if runs.iter().all(|(rows, _)| *rows == 1) {
            return Ok(arrays);
        }
        let indices = runs.iter().zip(0..);
        let indices = indices.flat_map(|((rows, _), run)| std::iter::repeat_n(run, *rows as usize));
        let indices = UInt32Array::from_iter_values(indices);
        arrays
            .iter()
            .map(|array| take(array, &indices, None))
            .collect()
    }
}

/// Appends the fields of a row of text, one for each column; `None` is null.
pub fn push_fields<'a>(text: &mut Vec<u8>, fields: impl IntoIterator<Item = Option<&'a [u8]>>) {
    for field in fields {
        let length = field.map_or(MISSING, |field| field.len() as u32);
        text.extend(length.to_le_bytes());
        text.extend_from_slice(field.unwrap_or_default());
    }
}

fn take_field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, behind) = rest
        .split_first_chunk::<4>()
        .expect("a row of text has a field for each column");
    let length = u32::from_le_bytes(*length);
    let bytes = if length == MISSING {
        0
    } else {
        length as usize
    };
    let (field, behind) = behind.split_at(bytes);
    *rest = behind;
    (length != MISSING).then_some(field)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn columns() -> KeptColumns {
        let fields = [("vendor", DataType::Utf8), ("price", DataType::Int64)];
        let fields = fields.map(|(name, of)| Field::new(name, of, true));
        KeptColumns::new(fields.into()).unwrap()
    }

    #[test]
    fn values_come_back_with_their_nulls_as_often_as_asked() {
        let columns = columns();
        let vendors = StringArray::from(vec![Some("Enamine"), None, Some("")]);
        let prices = Int64Array::from(vec![None, Some(-7), Some(0)]);
        let rows = columns
            .rows(&[Arc::new(vendors.clone()), Arc::new(prices.clone())])
            .unwrap();
        let once: Vec<_> = rows.iter().map(|row| (1, row.data())).collect();
        let back = columns.arrays(&once).unwrap();
        assert_eq!(back[0].as_string::<i32>(), &vendors);
        assert_eq!(back[1].as_primitive::<Int64Type>(), &prices);
        let runs = [(2, rows.row(1).data()), (3, rows.row(0).data())];
        let back = columns.arrays(&runs).unwrap();
        let vendors: Vec<_> = back[0].as_string::<i32>().iter().collect();
        let enamine = Some("Enamine");
        assert_eq!(vendors, [None, None, enamine, enamine, enamine]);
        assert_eq!(back[1].null_count(), 3);
    }

    #[test]
    fn fields_of_text_are_utf8_and_a_column_of_other_files_is_null() {
        let columns = columns();
        let texts = [[Some(&b"A\xFFB"[..]), None], [None, None]].map(|fields| {
            let mut text = Vec::new();
            push_fields(&mut text, fields);
            text
        });
        let texts = [&texts[0][..], &texts[1][..]];
        let rows = columns.rows_of_text(&texts).unwrap();
        let runs: Vec<_> = rows.iter().map(|row| (1, row.data())).collect();
        let back = columns.arrays(&runs).unwrap();
        let vendors: Vec<_> = back[0].as_string::<i32>().iter().collect();
        assert_eq!(vendors, [Some("A\u{fffd}B"), None]);
        assert_eq!(back[1].null_count(), 2);
    }
}
