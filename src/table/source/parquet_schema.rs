//! Finds the columns of a Parquet file with the SMILES and the id, and checks their types.

use std::io::Write;
use std::path::Path;

use parquet::basic::Type as PhysicalType;

use super::columns::{self, ColumnChoice, Resolved};
use super::error::{ColumnRole, SourceError};
use super::parquet_file::PageFile;
use super::parquet_footer::{Groups, Listing, read_schema};
use super::parquet_leaves::{Leaf, Logical};
use crate::limits::PARQUET_PAGE_BYTES_MAX;

/// The columns to read and how the file stores them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ParquetLayout {
    pub smiles: Leaf,
    pub id: Option<Leaf>,
    /// What a user should know of how the columns were found.
    pub notes: Vec<String>,
    /// The indices of these leaves in the schema.
    wanted: Vec<usize>,
    listing: Listing,
    pub rows: u64,
    /// Largest column chunk of these columns, before or after compression: no page is larger.
    pub chunk_bytes: u64,
    /// Larger pages are split into small ones, in bytes.
    pub page_bytes_max: usize,
}

impl ParquetLayout {
    /// The list of row groups in the footer, with the chunks of other columns.
    pub fn row_groups_of(&self, file: &PageFile, leaves: Vec<usize>) -> Groups {
        Groups::new(file, self.listing, leaves)
    }

    /// The list of row groups in the footer, with the chunks of further columns behind those of SMILES and id.
    pub fn row_groups_with(&self, file: &PageFile, leaves: &[usize]) -> Groups {
        self.row_groups_of(file, [&self.wanted, leaves].concat())
    }

    /// The list of row groups in the footer.
    pub fn row_groups(&self, file: &PageFile) -> Groups {
        Groups::new(file, self.listing, self.wanted.clone())
    }
}

/// Reads the footer and finds the columns.
pub(super) fn inspect(path: &Path, choice: &ColumnChoice) -> Result<ParquetLayout, SourceError> {
    let file = PageFile::open(path, PARQUET_PAGE_BYTES_MAX)?;
    let schema = read_schema(path, &file)?;
    let found = resolve(path, &schema.leaves, choice)?;
    let flat = flat_names(&schema.leaves, |leaf| {
        ColumnType::of(leaf).fits(ColumnRole::Smiles)
    });
    let mut notes = Vec::from_iter(columns::note_of_others(&flat, found.smiles, choice));
    if choice.id.is_none() {
        notes.extend(unused_id(&schema.leaves, found.id));
    }
    let mut layout = ParquetLayout {
        notes,
        smiles: schema.leaves[found.smiles].clone(),
        id: found.id.map(|id| schema.leaves[id].clone()),
        wanted: [Some(found.smiles), found.id]
            .into_iter()
            .flatten()
            .collect(),
        listing: schema.listing,
        rows: 0,
        chunk_bytes: 0,
        page_bytes_max: PARQUET_PAGE_BYTES_MAX,
    };
    let rows = schema.rows;
    drop(schema);
    let mut groups = layout.row_groups(&file);
    while let Some(group) = groups.next(path)? {
        layout.rows = layout
            .rows
            .checked_add(group.rows)
            .ok_or_else(|| SourceError::corrupt(path, "its row groups have too many rows"))?;
        for chunk in &group.chunks {
            let bytes = chunk.compressed_bytes.max(chunk.uncompressed_bytes);
            layout.chunk_bytes = layout.chunk_bytes.max(u64::try_from(bytes).unwrap_or(0));
        }
    }
    groups.check_end(path)?;
    if layout.rows != rows {
        let counted = layout.rows;
        let reason = format!("its row groups have {counted} rows, its footer says {rows}");
        return Err(SourceError::corrupt(path, reason));
    }
    Ok(layout)
}

/// Without a choice, considers only columns of a usable type outside of structs. A chosen column must have a usable
/// type and may be named by its path.
fn resolve(path: &Path, leaves: &[Leaf], choice: &ColumnChoice) -> Result<Resolved, SourceError> {
    let names: Vec<String> = leaves.iter().map(|leaf| leaf.path.clone()).collect();
    let fits = |role, leaf: usize| ColumnType::of(&leaves[leaf]).fits(role);
    let wrong_type = |role, leaf: usize| SourceError::ColumnType {
        path: path.to_owned(),
        role,
        column: names[leaf].clone(),
        found: describe_type(&leaves[leaf]),
    };
    for (role, chosen) in [
        (ColumnRole::Smiles, &choice.smiles),
        (ColumnRole::Id, &choice.id),
    ] {
        if let Some(chosen) = chosen
            && columns::find(&names, Some(chosen), role).is_none()
            && let Some(inside) = leaves_inside(leaves, chosen)
        {
            return Err(SourceError::ColumnType {
                path: path.to_owned(),
                role,
                column: chosen.clone(),
                found: format!("nested (name one of {inside})"),
            });
        }
    }
    let first = |role| {
        let usable = flat_names(leaves, |leaf| ColumnType::of(leaf).fits(role));
        columns::find(&usable, None, role)
    };
    let missing = |role, wanted: &Option<String>| SourceError::MissingColumn {
        path: path.to_owned(),
        role,
        wanted: wanted.clone(),
        columns: names.clone(),
    };
    let chosen = |role, wanted: &Option<String>| {
        let leaf = columns::find(&flat_names(leaves, |_| true), wanted.as_deref(), role)
            .or_else(|| columns::find(&names, wanted.as_deref(), role))
            .ok_or_else(|| missing(role, wanted))?;
        match fits(role, leaf) {
            true => Ok(leaf),
            false => Err(wrong_type(role, leaf)),
        }
    };
    let smiles = match &choice.smiles {
        Some(_) => chosen(ColumnRole::Smiles, &choice.smiles)?,
        None => first(ColumnRole::Smiles).ok_or_else(|| {
            match columns::find(&flat_names(leaves, |_| true), None, ColumnRole::Smiles) {
                Some(leaf) => wrong_type(ColumnRole::Smiles, leaf),
                None => missing(ColumnRole::Smiles, &None),
            }
        })?,
    };
    let id = match &choice.id {
        Some(_) => Some(chosen(ColumnRole::Id, &choice.id)?),
        None => first(ColumnRole::Id),
    };
    Ok(Resolved { smiles, id })
}

/// The names of the leaves outside of structs that are `usable`, and an empty name for the others.
fn flat_names(leaves: &[Leaf], usable: impl Fn(&Leaf) -> bool) -> Vec<String> {
    leaves
        .iter()
        .map(|leaf| match leaf.depth == 1 && usable(leaf) {
            true => leaf.path.clone(),
            false => String::new(),
        })
        .collect()
}

/// The note for a column that has the name of an id and can't be used.
fn unused_id(leaves: &[Leaf], taken: Option<usize>) -> Option<String> {
    let likeliest = columns::find(&flat_names(leaves, |_| true), None, ColumnRole::Id);
    let leaf = &leaves[likeliest.filter(|_| likeliest != taken)?];
    let instead = match taken {
        Some(taken) => format!("column `{}` is", leaves[taken].path),
        None => "row numbers are".to_owned(),
    };
    Some(format!(
        "column `{}` is {}, which can't be an id; {instead} used instead",
        leaf.path,
        describe_type(leaf),
    ))
}

/// The columns inside a struct, for a message.
fn leaves_inside(leaves: &[Leaf], name: &str) -> Option<String> {
    const SHOWN: usize = 8;
    let prefix = format!("{}.", name.trim());
    let inside: Vec<&str> = leaves
        .iter()
        .map(|leaf| leaf.path.as_str())
        .filter(|path| {
            path.get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(&prefix))
        })
        .collect();
    let more = if inside.len() > SHOWN { " …" } else { "" };
    let shown = inside.iter().take(SHOWN).copied().collect::<Vec<_>>();
    (!inside.is_empty()).then(|| shown.join(", ") + more)
}

/// How the values of a column are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnType {
    Text,
    Integer {
        signed: bool,
    },
    Real,
    /// An integer with so many decimal places, big-endian in byte arrays.
    Decimal {
        scale: i32,
    },
    Uuid,
    /// Bytes of fixed length: text, or shown as hexadecimal digits.
    Fixed,
    Other,
}

impl ColumnType {
    pub fn of(leaf: &Leaf) -> ColumnType {
        if leaf.max_rep_level > 0 {
            return ColumnType::Other;
        }
        /// Converted types of old writers.
        const UTF8: i64 = 0;
        const ENUM: i64 = 4;
        const DECIMAL: i64 = 5;
        const UNSIGNED: std::ops::RangeInclusive<i64> = 11..=14;
        const SIGNED: std::ops::RangeInclusive<i64> = 15..=18;
        const JSON: i64 = 19;
        let decimal = match (leaf.logical, leaf.converted) {
            (Some(Logical::Decimal { scale }), _) => Some(ColumnType::Decimal { scale }),
            (None, Some(DECIMAL)) => Some(ColumnType::Decimal { scale: leaf.scale }),
            _ => None,
        };
        let plain = leaf.logical.is_none() && leaf.converted.is_none();
        match leaf.physical_type() {
            Some(PhysicalType::BYTE_ARRAY) => match (leaf.logical, leaf.converted) {
                (Some(Logical::Text), _) | (None, None | Some(UTF8 | ENUM | JSON)) => {
                    ColumnType::Text
                }
                _ => decimal.unwrap_or(ColumnType::Other),
            },
            Some(PhysicalType::INT32 | PhysicalType::INT64) => {
                match (leaf.logical, leaf.converted) {
                    (Some(Logical::Integer { signed, .. }), _) => ColumnType::Integer { signed },
                    (None, None) => ColumnType::Integer { signed: true },
                    (None, Some(converted)) if SIGNED.contains(&converted) => {
                        ColumnType::Integer { signed: true }
                    }
                    (None, Some(converted)) if UNSIGNED.contains(&converted) => {
                        ColumnType::Integer { signed: false }
                    }
                    _ => decimal.unwrap_or(ColumnType::Other),
                }
            }
            Some(PhysicalType::FLOAT | PhysicalType::DOUBLE) => ColumnType::Real,
            Some(PhysicalType::FIXED_LEN_BYTE_ARRAY) if plain => ColumnType::Fixed,
            Some(PhysicalType::FIXED_LEN_BYTE_ARRAY) => match leaf.logical {
                Some(Logical::Uuid) => ColumnType::Uuid,
                _ => decimal.unwrap_or(ColumnType::Other),
            },
            _ => ColumnType::Other,
        }
    }

    fn fits(self, role: ColumnRole) -> bool {
        match self {
            ColumnType::Text => true,
            ColumnType::Other => false,
            _ => role == ColumnRole::Id,
        }
    }

    /// Writes an id that is stored as an integer.
    pub fn write_integer(self, id: i64, text: &mut Vec<u8>) {
        let written = match self {
            ColumnType::Integer { signed: false } => write!(text, "{}", id.cast_unsigned()),
            ColumnType::Decimal { scale } => {
                write_decimal(&id.to_be_bytes(), scale, text);
                Ok(())
            }
            _ => write!(text, "{id}"),
        };
        written.expect("writing to a Vec can't fail");
    }

    /// Writes an id that is stored as bytes.
    pub fn write_bytes(self, id: &[u8], text: &mut Vec<u8>) {
        match self {
            ColumnType::Decimal { scale } => write_decimal(id, scale, text),
            ColumnType::Uuid => {
                for (i, byte) in id.iter().enumerate() {
                    let dash = if matches!(i, 4 | 6 | 8 | 10) { "-" } else { "" };
                    write!(text, "{dash}{byte:02x}").expect("writing to a Vec can't fail");
                }
            }
            ColumnType::Fixed => {
                // Shorter texts are padded with NUL bytes.
                let end = id
                    .iter()
                    .rposition(|&byte| byte != 0)
                    .map_or(0, |last| last + 1);
                let is_text = |text: &str| !text.contains(char::is_control);
                match std::str::from_utf8(&id[..end]) {
                    Ok(shown) if is_text(shown) && end > 0 => text.extend_from_slice(&id[..end]),
                    _ => {
                        for byte in id {
                            write!(text, "{byte:02x}").expect("writing to a Vec can't fail");
                        }
                    }
                }
            }
            _ => text.extend_from_slice(id),
        }
    }
}

/// A big-endian two's complement number with `scale` decimal places, without trailing zeros.
fn write_decimal(number: &[u8], scale: i32, text: &mut Vec<u8>) {
    let negative = number.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut left = number.to_vec();
    if negative {
        let mut carry = true;
        for byte in left.iter_mut().rev() {
            (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
        }
    }
    let mut digits = Vec::new();
    while left.iter().any(|&byte| byte != 0) {
        let mut rest = 0u32;
        for byte in &mut left {
            let value = rest << 8 | u32::from(*byte);
            *byte = (value / 10) as u8;
            rest = value % 10;
        }
        digits.push(b'0' + rest as u8);
    }
    let places = usize::try_from(scale).unwrap_or(0);
    let padded = digits.len().max(places + 1);
    digits.resize(padded, b'0');
    let zeros = digits[..places]
        .iter()
        .take_while(|&&digit| digit == b'0')
        .count();
    if negative {
        text.push(b'-');
    }
    text.extend(digits[places..].iter().rev());
    if zeros < places {
        text.push(b'.');
        text.extend(digits[zeros..places].iter().rev());
    }
}

/// The name of the type in the schema, for an error.
fn describe_type(leaf: &Leaf) -> String {
    if leaf.max_rep_level > 0 {
        return "a list".to_owned();
    }
    let Some(physical) = leaf.physical_type() else {
        return "of an unknown type".to_owned();
    };
    let logical = match (leaf.logical, leaf.converted) {
        (Some(Logical::Integer { bits, .. }), _) => return format!("a {bits}-bit integer"),
        (Some(Logical::Decimal { .. }), _) | (None, Some(5)) => "Decimal",
        (Some(Logical::Other(6)), _) | (None, Some(6)) => "Date",
        (Some(Logical::Other(7)), _) | (None, Some(7 | 8)) => "Time",
        (Some(Logical::Other(8)), _) | (None, Some(9 | 10)) => "Timestamp",
        (None, Some(21)) => "Interval",
        (Some(Logical::Other(13)), _) | (None, Some(20)) => "Bson",
        (Some(Logical::Other(15)), _) => "Float16",
        (Some(Logical::Other(_)), _) => "of another logical type",
        _ => return physical.to_string(),
    };
    format!("{physical} ({logical})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_without_zeros_at_the_end() {
        let written = |number: i64, scale| {
            let mut text = Vec::new();
            ColumnType::Decimal { scale }.write_integer(number, &mut text);
            String::from_utf8(text).unwrap()
        };
        assert_eq!(written(10_100, 2), "101");
        assert_eq!(written(10_150, 2), "101.5");
        assert_eq!(written(-5, 3), "-0.005");
        assert_eq!(written(0, 2), "0");
        assert_eq!(written(i64::MIN, 0), i64::MIN.to_string());
    }
}
