//! Bytes of the values of arrays, as plain pages of Parquet would hold them: a function of the values alone.

use arrow::{
    array::{Array, ArrayRef, AsArray, OffsetSizeTrait, RecordBatch},
    datatypes::{ByteArrayType, ByteViewType, DataType},
};

/// Bytes of the values of a batch.
pub(super) fn batch_bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(array_bytes).sum()
}

/// Bytes of the values of an array. A text, a list and a byte array have their length too; nulls are not counted apart.
pub(super) fn array_bytes(array: &ArrayRef) -> usize {
    use arrow::datatypes as types;
    let rows = array.len();
    match array.data_type() {
        DataType::Utf8 => texts::<types::Utf8Type>(array),
        DataType::LargeUtf8 => texts::<types::LargeUtf8Type>(array),
        DataType::Binary => texts::<types::BinaryType>(array),
        DataType::LargeBinary => texts::<types::LargeBinaryType>(array),
        DataType::Utf8View => views::<types::StringViewType>(array),
        DataType::BinaryView => views::<types::BinaryViewType>(array),
        DataType::List(_) => list::<i32>(array),
        DataType::LargeList(_) => list::<i64>(array),
        DataType::FixedSizeList(..) => array_bytes(array.as_fixed_size_list().values()),
        DataType::Map(..) => {
            let map = array.as_map();
            let items = within(map.value_offsets());
            let entries = map.entries().columns().iter();
            let entries = entries.map(|column| array_bytes(&column.slice(items.0, items.1)));
            rows * size_of::<i32>() + entries.sum::<usize>()
        }
        DataType::Struct(_) => array.as_struct().columns().iter().map(array_bytes).sum(),
        DataType::FixedSizeBinary(width) => rows * *width as usize,
        DataType::Dictionary(key, _) => rows * key.primitive_width().unwrap_or(0),
        DataType::Boolean => rows.div_ceil(8),
        other => rows * other.primitive_width().unwrap_or(0),
    }
}

fn texts<T: ByteArrayType>(array: &ArrayRef) -> usize {
    let (_, bytes) = within(array.as_bytes::<T>().value_offsets());
    bytes + array.len() * size_of::<T::Offset>()
}

fn views<T: ByteViewType>(array: &ArrayRef) -> usize {
    let views = array.as_byte_view::<T>();
    let bytes = views.lengths().map(|bytes| bytes as usize).sum::<usize>();
    bytes + array.len() * size_of::<u32>()
}

fn list<O: OffsetSizeTrait>(array: &ArrayRef) -> usize {
    let list = array.as_list::<O>();
    let (begin, items) = within(list.value_offsets());
    array_bytes(&list.values().slice(begin, items)) + array.len() * size_of::<O>()
}

/// Where the values begin to which offsets lead, and how many they are.
fn within<O: OffsetSizeTrait>(offsets: &[O]) -> (usize, usize) {
    match (offsets.first(), offsets.last()) {
        (Some(begin), Some(end)) => (begin.as_usize(), end.as_usize() - begin.as_usize()),
        _ => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int16Array, ListBuilder, StringArray, StringBuilder, StringViewArray};

    use super::*;

    #[test]
    fn values_count_with_their_lengths_whatever_is_before_and_behind_them() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["before", "ab", "", "behind"]));
        assert_eq!(array_bytes(&texts.slice(1, 2)), 2 + 2 * 4);
        let views: ArrayRef = Arc::new(StringViewArray::from(vec!["ab", "a text of 20 bytes ."]));
        assert_eq!(array_bytes(&views), 22 + 2 * 4);
        let numbers: ArrayRef = Arc::new(Int16Array::from(vec![Some(1), None, Some(3)]));
        assert_eq!(array_bytes(&numbers), 6);
        let mut lists = ListBuilder::new(StringBuilder::new());
        lists.append_value([Some("abc"), None]);
        lists.append_null();
        lists.append_value([Some("d")]);
        let lists: ArrayRef = Arc::new(lists.finish());
        assert_eq!(array_bytes(&lists), 3 * 4 + 3 * 4 + 4);
        assert_eq!(array_bytes(&lists.slice(2, 1)), 4 + 4 + 1);
    }
}
