//! Values of Arrow arrays as text, of any type.
//!
//! Whole numbers, times and words as one expects them; real numbers with as many digits as bring them back to the last
//! bit; bytes in hex; the items of a list with `;` between them.

use std::fmt::Write;

use arrow::{
    array::{Array, ArrayRef, AsArray, StringArray},
    buffer::OffsetBuffer,
    datatypes::DataType,
    util::display::{ArrayFormatter, FormatOptions},
};

use super::error::{SinkError, encode_error};

/// Between the items of a list.
const BETWEEN_ITEMS: char = ';';

const OPTIONS: FormatOptions<'static> = FormatOptions::new().with_display_error(false);

/// The values of a column.
pub(super) enum Cells<'a> {
    Texts(&'a StringArray),
    Lists {
        /// Which rows are null.
        lists: &'a dyn Array,
        offsets: &'a OffsetBuffer<i32>,
        items: Box<Cells<'a>>,
    },
    Others {
        values: &'a dyn Array,
        formatter: ArrayFormatter<'a>,
    },
}

impl<'a> Cells<'a> {
    pub(super) fn of(column: &'a ArrayRef) -> Result<Self, SinkError> {
        Ok(match column.data_type() {
            DataType::Utf8 => Self::Texts(column.as_string()),
            DataType::List(_) => {
                let lists = column.as_list::<i32>();
                Self::Lists {
                    lists,
                    offsets: lists.offsets(),
                    items: Box::new(Self::of(lists.values())?),
                }
            }
            _ => Self::Others {
                values: column.as_ref(),
                formatter: ArrayFormatter::try_new(column.as_ref(), &OPTIONS)
                    .map_err(encode_error)?,
            },
        })
    }

    /// Appends the text of a value; false: it is null, and nothing is appended.
    pub(super) fn write(&self, row: usize, text: &mut String) -> Result<bool, SinkError> {
        let is_null = match self {
            Self::Texts(texts) => texts.is_null(row),
            Self::Lists { lists, .. } => lists.is_null(row),
            Self::Others { values, .. } => values.is_null(row),
        };
        if is_null {
            return Ok(false);
        }
        match self {
            Self::Texts(texts) => text.push_str(texts.value(row)),
            Self::Lists { offsets, items, .. } => {
                let (first, end) = (offsets[row] as usize, offsets[row + 1] as usize);
                for item in first..end {
                    if item > first {
                        text.push(BETWEEN_ITEMS);
                    }
                    items.write(item, text)?;
                }
            }
            Self::Others { formatter, .. } => {
                let written = write!(text, "{}", formatter.value(row));
                written.map_err(|_| encode_error("a value has no text"))?;
            }
        }
        Ok(true)
    }
}

/// About how many bytes of text the values of a column take: their number, where quotes and such do not count.
pub(super) fn text_bytes(column: &ArrayRef) -> usize {
    /// Longest text of a number or a time.
    const NUMBER_BYTES: usize = 32;
    let rows = column.len();
    match column.data_type() {
        DataType::Utf8 => {
            let offsets = column.as_string::<i32>().value_offsets();
            (offsets[rows] - offsets[0]) as usize
        }
        DataType::FixedSizeBinary(bytes) => rows * 2 * *bytes as usize,
        DataType::Dictionary(_, _) => {
            let dictionary = column.as_any_dictionary();
            let words = dictionary.values();
            let longest = words.as_string_opt::<i32>().map_or(NUMBER_BYTES, |words| {
                words.iter().flatten().map(str::len).max().unwrap_or(0)
            });
            rows * longest
        }
        other if other.primitive_width().is_some() => rows * NUMBER_BYTES,
        _ => {
            let bytes = column.to_data().get_slice_memory_size();
            3 * bytes.unwrap_or(column.get_array_memory_size())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{
            BooleanArray, Decimal128Array, FixedSizeBinaryArray, Float64Array, ListArray,
            StructArray, TimestampMicrosecondArray, UInt64Array,
        },
        datatypes::{Field, UInt64Type},
    };

    use super::*;

    fn texts(column: ArrayRef) -> Vec<Option<String>> {
        let cells = Cells::of(&column).unwrap();
        let text = |row| {
            let mut text = String::new();
            cells.write(row, &mut text).unwrap().then_some(text)
        };
        (0..column.len()).map(text).collect()
    }

    fn some(texts: &[&str]) -> Vec<Option<String>> {
        let text = |text: &&str| (*text != "-").then(|| text.to_string());
        texts.iter().map(text).collect()
    }

    #[test]
    fn values_of_any_type_have_a_text() {
        let reals = [1.0, 0.1 + 0.2, -1e-300, f64::NAN];
        let written = texts(Arc::new(Float64Array::from(reals.to_vec())));
        for (real, text) in reals.iter().zip(&written) {
            let read: f64 = text.as_ref().unwrap().parse().unwrap();
            assert!(read == *real || real.is_nan(), "{text:?}");
        }
        let numbers = UInt64Array::from(vec![Some(7), None, Some(u64::MAX)]);
        assert_eq!(
            texts(Arc::new(numbers)),
            some(&["7", "-", "18446744073709551615"])
        );
        let keys = FixedSizeBinaryArray::try_new(2, vec![0_u8, 255, 16, 1].into(), None).unwrap();
        assert_eq!(texts(Arc::new(keys)), some(&["00ff", "1001"]));
        let money = Decimal128Array::from(vec![Some(12_345), None]);
        let money = money.with_precision_and_scale(7, 2).unwrap();
        assert_eq!(texts(Arc::new(money)), some(&["123.45", "-"]));
        let times = TimestampMicrosecondArray::from(vec![Some(1_700_000_000_000_000), None]);
        assert_eq!(texts(Arc::new(times)), some(&["2023-11-14T22:13:20", "-"]));
        let lists = ListArray::from_iter_primitive::<UInt64Type, _, _>([
            Some(vec![Some(1), None, Some(3)]),
            None,
            Some(vec![]),
        ]);
        assert_eq!(texts(Arc::new(lists.clone())), some(&["1;;3", "-", ""]));
        assert_eq!(texts(Arc::new(lists.slice(1, 2))), some(&["-", ""]));
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
        let field = Arc::new(Field::new("flag", DataType::Boolean, false));
        let record = StructArray::from(vec![(field, flags)]);
        assert_eq!(texts(Arc::new(record)), some(&["{flag: true}"]));
    }
}
