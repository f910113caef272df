//! The columns of a Parquet file as Arrow has them, for those that are kept.
//!
//! The `parquet` crate makes Arrow's types from schema and metadata of a footer, but would read all row groups with it,
//! of which there may be any number. So it is given a footer that has the schema and the metadata alone, cut out of the
//! file's.

use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::schema::types::SchemaDescriptor;

use super::error::SourceError;
use super::parquet_file::{PageFile, guarded, no_damage};
use super::parquet_thrift::Thrift;
use crate::limits::KEPT_FOOTER_BYTES_MAX;

/// Schema and metadata of a file.
#[derive(Debug)]
pub(super) struct KeptSchema {
    /// Without row groups.
    pub metadata: ParquetMetaData,
    /// The columns that are not inside of others, as they are read: values of a dictionary stand for themselves.
    pub fields: Fields,
}

/// Key of the metadata of a field that holds its number in the file.
const FIELD_ID: &str = "PARQUET:field_id";

impl KeptSchema {
    /// Reads the footer of a file.
    pub fn read(path: &Path, file: &PageFile) -> Result<KeptSchema, SourceError> {
        let footer = file.footer(path)?;
        let cut = cut_footer(file, footer).map_err(|error| {
            no_damage(path, &error).unwrap_or_else(|| {
                let reason = format_args!("its Parquet footer can't be read: {error}");
                SourceError::corrupt(path, reason)
            })
        })?;
        let Some(cut) = cut else {
            let most = KEPT_FOOTER_BYTES_MAX >> 20;
            return Err(SourceError::TooLarge {
                path: path.to_owned(),
                reason: format!(
                    "its schema or its metadata takes more than {most} MiB, with which --keep-columns can't be used"
                ),
            });
        };
        guarded(path, || KeptSchema::of(&cut)).map_err(|error| match error {
            // Some writers have types that Arrow lacks.
            SourceError::Corrupt { path, reason } => SourceError::Keep {
                path,
                reason: format!("its schema can't be read for --keep-columns: {reason}"),
            },
            other => other,
        })
    }

    fn of(footer: &[u8]) -> ParquetResult<KeptSchema> {
        let metadata = ParquetMetaDataReader::decode_metadata(footer)?;
        let file = metadata.file_metadata();
        let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())?;
        let fields = schema.fields().iter().map(|field| {
            let mut about = field.metadata().clone();
            about.remove(FIELD_ID);
            let read = Field::new(field.name(), plain(field.data_type()), field.is_nullable());
            Arc::new(read.with_metadata(about))
        });
        Ok(KeptSchema {
            fields: fields.collect(),
            metadata,
        })
    }

    pub fn descriptor(&self) -> &SchemaDescriptor {
        self.metadata.file_metadata().schema_descr()
    }

    /// The columns of values that these columns have inside of them.
    pub fn leaves(&self, roots: &[usize]) -> Vec<usize> {
        let descriptor = self.descriptor();
        let leaves = 0..descriptor.num_columns();
        leaves
            .filter(|leaf| roots.contains(&descriptor.get_column_root_idx(*leaf)))
            .collect()
    }
}

/// The type as which a column is read: values of a dictionary stand for themselves, and fields inside have no metadata.
fn plain(of: &DataType) -> DataType {
    with_types(of, &|of| match of {
        DataType::Dictionary(_, values) => Some(plain(values)),
        DataType::RunEndEncoded(_, values) => Some(plain(values.data_type())),
        _ => None,
    })
}

/// The type as which a column that is read is kept. The encoder writes dates of 64 bits as numbers, which other readers
/// do not take for dates.
pub(super) fn kept_type(read: &DataType) -> DataType {
    with_types(read, &|of| match of {
        DataType::Date64 => Some(DataType::Date32),
        _ => None,
    })
}

/// A type with the types inside of it, and itself, replaced where `other` says so.
fn with_types(of: &DataType, other: &dyn Fn(&DataType) -> Option<DataType>) -> DataType {
    if let Some(other) = other(of) {
        return other;
    }
    let field = |field: &Arc<Field>| {
        let of = with_types(field.data_type(), other);
        Arc::new(Field::new(field.name(), of, field.is_nullable()))
    };
    match of {
        DataType::List(item) => DataType::List(field(item)),
        DataType::LargeList(item) => DataType::LargeList(field(item)),
        DataType::FixedSizeList(item, length) => DataType::FixedSizeList(field(item), *length),
        DataType::Map(entries, sorted) => DataType::Map(field(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(field).collect()),
        other => other.clone(),
    }
}

/// A footer that has the schema and the metadata of this one; `None` if they are too long.
fn cut_footer(file: &PageFile, footer: Range<u64>) -> io::Result<Option<Vec<u8>>> {
    const SCHEMA: i64 = 2;
    const KEY_VALUES: i64 = 5;
    let mut thrift = Thrift::new(BufReader::new(file.read_at(footer.start)));
    let (mut last, mut schema, mut key_values) = (0, None, None);
    while let Some((field, kind)) = thrift.field(&mut last)? {
        let begin = thrift.read;
        thrift.skip(kind)?;
        match field {
            SCHEMA => schema = Some(begin..thrift.read),
            KEY_VALUES => key_values = Some(begin..thrift.read),
            _ => {}
        }
    }
    let schema = schema.ok_or_else(|| io::Error::other("it has no schema"))?;
    let all = [Some(schema.clone()), key_values.clone()];
    let too_long = |range: &Range<u64>| range.end - range.start > KEPT_FOOTER_BYTES_MAX;
    if all.iter().flatten().any(too_long) {
        return Ok(None);
    }
    let read = |range: Range<u64>, into: &mut Vec<u8>| -> io::Result<()> {
        let bytes = range.end - range.start;
        let from = file.read_at(footer.start + range.start);
        let there = BufReader::new(from).take(bytes).read_to_end(into)?;
        match there as u64 == bytes {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    };
    // Thrift's compact protocol: each field begins with the step from the number of the one before and its type. First
    // the version, an i32; then the schema, a list.
    let mut cut = vec![0x15, 0x02, 0x19];
    read(schema, &mut cut)?;
    // The number of rows, an i64; and no row groups, a list of structs.
    cut.extend([0x16, 0x00, 0x19, 0x0C]);
    if let Some(key_values) = key_values {
        cut.push(0x19);
        read(key_values, &mut cut)?;
    }
    cut.push(0);
    Ok(Some(cut))
}
