//! The columns of a Parquet file: which hold the SMILES and the id, and whether they can.

use std::path::Path;
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as PhysicalType};
use parquet::schema::types::Type;

use super::columns::{self, ColumnChoice, Resolved};
use super::error::{ColumnRole, SourceError};
use super::parquet_pages::{PageFile, read_footer};
use crate::limits::PARQUET_PAGE_BYTES_MAX;

/// Where the columns are, as leaf indices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ParquetLayout {
    pub smiles: usize,
    pub id: Option<usize>,
    pub smiles_name: String,
    pub id_name: Option<String>,
    /// Columns that could have been meant for the SMILES as well.
    pub smiles_others: Vec<String>,
    pub rows: u64,
    /// Largest column chunk of these columns, before or after compression: no page is larger.
    pub chunk_bytes: u64,
    /// Larger pages are refused.
    pub page_bytes_max: usize,
}

/// Reads the footer and finds the columns.
pub(super) fn inspect(path: &Path, choice: &ColumnChoice) -> Result<ParquetLayout, SourceError> {
    let metadata = read_footer(path, &PageFile::open(path, PARQUET_PAGE_BYTES_MAX)?)?;
    let mut rows = 0u64;
    for group in metadata.row_groups() {
        rows = u64::try_from(group.num_rows())
            .ok()
            .and_then(|group_rows| rows.checked_add(group_rows))
            .ok_or_else(|| SourceError::corrupt(path, "a row group has a negative row count"))?;
    }
    let schema = metadata.file_metadata().schema_descr();
    let fields = schema.root_schema().get_fields();
    let names: Vec<String> = fields.iter().map(|f| f.name().to_owned()).collect();
    let found = resolve(path, fields, &names, choice)?;
    let leaf = |field: usize| {
        (0..schema.num_columns())
            .find(|&leaf| schema.get_column_root_idx(leaf) == field)
            .ok_or_else(|| SourceError::corrupt(path, "a column of the schema has no leaf"))
    };
    let smiles = leaf(found.smiles)?;
    let id = found.id.map(leaf).transpose()?;
    let chunk_bytes = metadata
        .row_groups()
        .iter()
        .flat_map(|group| {
            [Some(smiles), id]
                .into_iter()
                .flatten()
                .map(|leaf| group.column(leaf))
        })
        .map(|chunk| chunk.compressed_size().max(chunk.uncompressed_size()))
        .max();
    Ok(ParquetLayout {
        smiles,
        id,
        chunk_bytes: chunk_bytes
            .and_then(|bytes| u64::try_from(bytes).ok())
            .unwrap_or(0),
        page_bytes_max: PARQUET_PAGE_BYTES_MAX,
        smiles_name: names[found.smiles].clone(),
        smiles_others: match choice.smiles {
            Some(_) => Vec::new(),
            None => columns::passed_over(&names, found.smiles, ColumnRole::Smiles),
        },
        id_name: found.id.map(|id| names[id].clone()),
        rows,
    })
}

/// Without a choice only columns of a fitting type are looked at; a chosen one must fit.
fn resolve(
    path: &Path,
    fields: &[Arc<Type>],
    names: &[String],
    choice: &ColumnChoice,
) -> Result<Resolved, SourceError> {
    let fits = |role, field: usize| ColumnType::of(&fields[field]).fits(role);
    let wrong_type = |role, field: usize| SourceError::ColumnType {
        path: path.to_owned(),
        role,
        column: names[field].clone(),
        found: describe_type(&fields[field]),
    };
    let named = columns::resolve(path, names, choice)?;
    let first_fitting = |role| {
        let fitting: Vec<String> = (0..names.len())
            .map(|i| {
                if fits(role, i) {
                    names[i].clone()
                } else {
                    String::new()
                }
            })
            .collect();
        columns::find(&fitting, None, role)
    };
    let smiles = match choice.smiles {
        Some(_) => Some(named.smiles).filter(|&i| fits(ColumnRole::Smiles, i)),
        None => first_fitting(ColumnRole::Smiles),
    };
    let smiles = smiles.ok_or_else(|| wrong_type(ColumnRole::Smiles, named.smiles))?;
    let id = match (&choice.id, named.id) {
        (Some(_), Some(id)) if !fits(ColumnRole::Id, id) => {
            return Err(wrong_type(ColumnRole::Id, id));
        }
        (Some(_), id) => id,
        (None, _) => first_fitting(ColumnRole::Id),
    };
    Ok(Resolved { smiles, id })
}

/// What a top-level column can be used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnType {
    Text,
    Integer { signed: bool },
    Other,
}

impl ColumnType {
    pub fn of(field: &Type) -> ColumnType {
        let basic = field.get_basic_info();
        let repeated = basic.has_repetition() && basic.repetition() == Repetition::REPEATED;
        if field.is_group() || repeated {
            return ColumnType::Other;
        }
        let (converted, logical) = (basic.converted_type(), basic.logical_type_ref());
        match field.get_physical_type() {
            PhysicalType::BYTE_ARRAY => {
                use ConvertedType::{ENUM, JSON, NONE, UTF8};
                use LogicalType::{Enum, Json, String};
                let text = matches!(converted, NONE | UTF8 | ENUM | JSON)
                    && matches!(logical, None | Some(String | Enum | Json));
                if text {
                    ColumnType::Text
                } else {
                    ColumnType::Other
                }
            }
            PhysicalType::INT32 | PhysicalType::INT64 => {
                use ConvertedType::{
                    INT_8, INT_16, INT_32, INT_64, NONE, UINT_8, UINT_16, UINT_32, UINT_64,
                };
                match (converted, logical) {
                    (_, Some(LogicalType::Integer(integer))) => ColumnType::Integer {
                        signed: integer.is_signed,
                    },
                    (_, Some(_)) => ColumnType::Other,
                    (NONE | INT_8 | INT_16 | INT_32 | INT_64, None) => {
                        ColumnType::Integer { signed: true }
                    }
                    (UINT_8 | UINT_16 | UINT_32 | UINT_64, None) => {
                        ColumnType::Integer { signed: false }
                    }
                    _ => ColumnType::Other,
                }
            }
            _ => ColumnType::Other,
        }
    }

    fn fits(self, role: ColumnRole) -> bool {
        match self {
            ColumnType::Text => true,
            ColumnType::Integer { .. } => role == ColumnRole::Id,
            ColumnType::Other => false,
        }
    }
}

/// The type as the file's schema has it, for an error.
fn describe_type(field: &Type) -> String {
    if field.is_group() {
        return "nested".to_owned();
    }
    let basic = field.get_basic_info();
    if basic.has_repetition() && basic.repetition() == Repetition::REPEATED {
        return "a list".to_owned();
    }
    let physical = field.get_physical_type();
    match (basic.logical_type_ref(), basic.converted_type()) {
        (Some(LogicalType::Integer(integer)), _) => format!("a {}-bit integer", integer.bit_width),
        (Some(logical), _) => {
            let name = format!("{logical:?}");
            let end = name.find(|c: char| !c.is_alphanumeric());
            format!("{physical} ({})", &name[..end.unwrap_or(name.len())])
        }
        (None, ConvertedType::NONE) => physical.to_string(),
        (None, converted) => format!("{physical} ({converted})"),
    }
}
