//! A Parquet footer, read as a stream: of the schema what a column can be found by, of the row groups
//! the chunks of the wanted columns, one row group at a time. So a footer may be of any length.

use std::io::{self, BufReader};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, Repetition, Type as PhysicalType};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::schema::types::{ColumnDescPtr, ColumnDescriptor, ColumnPath, Type};

use super::error::SourceError;
use super::parquet_pages::{PageFile, ReadAt};
use super::parquet_thrift::{Thrift, kind};
use crate::limits::{COLUMN_NAME_BYTES_MAX, PARQUET_SCHEMA_BYTES_MAX};

/// A column of the file that holds values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The names on the way to it, with dots between.
    pub path: String,
    /// Nesting: 1 for a column of the file, more inside a struct.
    pub depth: usize,
    /// The physical type's number in the format.
    pub physical: i64,
    pub length: i32,
    pub converted: Option<i64>,
    pub scale: i32,
    pub logical: Option<Logical>,
    pub max_def_level: i16,
    pub max_rep_level: i16,
}

/// A logical type, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logical {
    Text,
    Decimal {
        scale: i32,
    },
    Integer {
        bits: u8,
        signed: bool,
    },
    Uuid,
    /// The type's number in the format.
    Other(i64),
}

/// What is known of a file after its schema has been read.
pub(super) struct Schema {
    pub leaves: Vec<Leaf>,
    /// Of all row groups together.
    pub rows: u64,
    pub listing: Listing,
}

/// The list of row groups in a footer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listing {
    at: u64,
    groups: u64,
    /// Where the footer must end.
    footer_end: u64,
}

/// The wanted chunks of a row group.
#[derive(Default)]
pub(super) struct GroupFooter {
    pub rows: u64,
    /// One for each wanted leaf, in the order asked for.
    pub chunks: Vec<Chunk>,
}

/// Where a column's pages of one row group are.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Chunk {
    codec: i64,
    values: i64,
    pub uncompressed_bytes: i64,
    pub compressed_bytes: i64,
    data_at: i64,
    dictionary_at: Option<i64>,
}

type FooterThrift = Thrift<BufReader<ReadAt>>;

/// Reads the schema, up to the list of row groups.
pub(super) fn read_schema(path: &Path, file: &PageFile) -> Result<Schema, SourceError> {
    let footer = file.footer(path)?;
    schema_at(file, footer).map_err(|error| footer_error(path, &error))
}

fn footer_error(path: &Path, error: &io::Error) -> SourceError {
    if error.raw_os_error().is_some() {
        return SourceError::unreadable(path, error);
    }
    if let Some(needs) = error.get_ref().and_then(|e| e.downcast_ref::<Needs>()) {
        return SourceError::TooLarge {
            path: path.to_owned(),
            reason: needs.0.clone(),
        };
    }
    let reason = match error.kind() {
        io::ErrorKind::UnexpectedEof => "it is cut short".to_owned(),
        _ => error.to_string(),
    };
    SourceError::corrupt(
        path,
        format_args!("its Parquet footer can't be read: {reason}"),
    )
}

/// A sound file that takes more than it may; the words say what.
#[derive(Debug)]
pub(super) struct Needs(pub String);

impl std::fmt::Display for Needs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Needs {}

fn schema_at(file: &PageFile, footer: Range<u64>) -> io::Result<Schema> {
    let mut thrift = Thrift::new(BufReader::new(file.read_at(footer.start)));
    let (mut last, mut leaves, mut rows) = (0, None, None);
    while let Some((field, kind)) = thrift.field(&mut last)? {
        match (field, kind) {
            (2, kind::LIST) => leaves = Some(read_leaves(&mut thrift)?),
            (3, 6) => rows = u64::try_from(thrift.integer()?).ok(),
            (4, kind::LIST) => {
                let (_, groups) = thrift.list()?;
                return Ok(Schema {
                    leaves: leaves.ok_or_else(|| io::Error::other("it has no schema"))?,
                    rows: rows.ok_or_else(|| io::Error::other("it has no number of rows"))?,
                    listing: Listing {
                        at: footer.start + thrift.read,
                        groups,
                        footer_end: footer.end,
                    },
                });
            }
            _ => thrift.skip(kind)?,
        }
    }
    Err(io::Error::other("it lists no row groups"))
}

/// An element of the schema as stored: the tree in preorder.
struct Element {
    name: String,
    children: u64,
    repetition: i64,
    leaf: Leaf,
}

fn read_element(thrift: &mut FooterThrift, is_root: bool) -> io::Result<Element> {
    let mut element = Element {
        name: String::new(),
        children: 0,
        repetition: if is_root { 0 } else { -1 },
        leaf: Leaf {
            path: String::new(),
            depth: 0,
            physical: -1,
            length: -1,
            converted: None,
            scale: 0,
            logical: None,
            max_def_level: 0,
            max_rep_level: 0,
        },
    };
    let narrow = |value: i64| i32::try_from(value).map_err(io::Error::other);
    let mut last = 0;
    while let Some((field, kind)) = thrift.field(&mut last)? {
        match (field, kind) {
            (1, 5) => element.leaf.physical = thrift.integer()?,
            (2, 5) => element.leaf.length = narrow(thrift.integer()?)?,
            (3, 5) => element.repetition = thrift.integer()?,
            (4, kind::BINARY) => element.name = thrift.text(COLUMN_NAME_BYTES_MAX)?,
            (5, 5) => element.children = u64::try_from(thrift.integer()?).unwrap_or(0),
            (6, 5) => element.leaf.converted = Some(thrift.integer()?),
            (7, 5) => element.leaf.scale = narrow(thrift.integer()?)?,
            (10, kind::STRUCT) => element.leaf.logical = read_logical(thrift)?,
            _ => thrift.skip(kind)?,
        }
    }
    // The root has neither.
    if !is_root && (element.name.is_empty() || !(0..=2).contains(&element.repetition)) {
        return Err(io::Error::other("a column has no name or no repetition"));
    }
    Ok(element)
}

fn read_logical(thrift: &mut FooterThrift) -> io::Result<Option<Logical>> {
    let (mut last, mut logical) = (0, None);
    while let Some((number, kind)) = thrift.field(&mut last)? {
        logical = Some(match (number, kind) {
            (5, kind::STRUCT) => {
                let (mut last, mut scale) = (0, 0);
                while let Some((field, kind)) = thrift.field(&mut last)? {
                    match field {
                        1 => scale = i32::try_from(thrift.integer()?).unwrap_or(0),
                        _ => thrift.skip(kind)?,
                    }
                }
                Logical::Decimal { scale }
            }
            (10, kind::STRUCT) => {
                let (mut last, mut bits, mut signed) = (0, 0, true);
                while let Some((field, kind)) = thrift.field(&mut last)? {
                    match (field, kind) {
                        (1, kind::BYTE) => bits = thrift.byte()?,
                        (2, kind::TRUE | kind::FALSE) => signed = kind == kind::TRUE,
                        _ => thrift.skip(kind)?,
                    }
                }
                Logical::Integer { bits, signed }
            }
            (number, kind) => {
                thrift.skip(kind)?;
                match number {
                    1 | 4 | 12 => Logical::Text,
                    14 => Logical::Uuid,
                    other => Logical::Other(other),
                }
            }
        });
    }
    Ok(logical)
}

fn read_leaves(thrift: &mut FooterThrift) -> io::Result<Vec<Leaf>> {
    struct Open {
        children_left: u64,
        path_bytes: usize,
        levels: (i16, i16),
    }
    let (_, elements) = thrift.list()?;
    let mut leaves = Vec::new();
    let mut path = String::new();
    let mut open: Vec<Open> = Vec::new();
    let mut bytes = 0;
    for number in 0..elements {
        let element = read_element(thrift, number == 0)?;
        let Some(parent) = open.last_mut() else {
            if number > 0 {
                return Err(io::Error::other("its schema has two roots"));
            }
            open.push(Open {
                children_left: element.children,
                path_bytes: 0,
                levels: (0, 0),
            });
            continue;
        };
        parent.children_left = parent
            .children_left
            .checked_sub(1)
            .ok_or_else(|| io::Error::other("its schema has a column too many"))?;
        path.truncate(parent.path_bytes);
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(&element.name);
        let levels = (
            parent.levels.0 + i16::from(element.repetition != 0),
            parent.levels.1 + i16::from(element.repetition == 2),
        );
        if element.children > 0 {
            if open.len() > 64 || path.len() as u64 > COLUMN_NAME_BYTES_MAX {
                return Err(io::Error::other("its columns are nested too deeply"));
            }
            open.push(Open {
                children_left: element.children,
                path_bytes: path.len(),
                levels,
            });
        } else {
            bytes += path.len() + size_of::<Leaf>();
            if bytes > PARQUET_SCHEMA_BYTES_MAX {
                let reason = format!(
                    "its Parquet footer lists {elements} columns, which take more than {} MiB; write the SMILES and id columns to a file of their own",
                    PARQUET_SCHEMA_BYTES_MAX >> 20
                );
                return Err(io::Error::other(Needs(reason)));
            }
            leaves.push(Leaf {
                path: path.clone(),
                depth: open.len(),
                max_def_level: levels.0,
                max_rep_level: levels.1,
                ..element.leaf
            });
        }
        while open.len() > 1 && open.last().is_some_and(|open| open.children_left == 0) {
            open.pop();
        }
    }
    Ok(leaves)
}

/// Reads the row groups one after the other.
pub(super) struct Groups {
    thrift: FooterThrift,
    listing: Listing,
    left: u64,
    wanted: Vec<usize>,
}

impl Groups {
    pub fn new(file: &PageFile, listing: Listing, wanted: Vec<usize>) -> Groups {
        Groups {
            thrift: Thrift::new(BufReader::new(file.read_at(listing.at))),
            listing,
            left: listing.groups,
            wanted,
        }
    }

    /// Checks that the footer ends where it should, once all groups were read: a size or a type that isn't
    /// what was written leads past or short of it.
    pub fn check_end(&mut self, path: &Path) -> Result<(), SourceError> {
        const GROUPS: i64 = 4;
        let mut last = GROUPS;
        let end = loop {
            match self.thrift.field(&mut last) {
                Ok(Some((_, kind))) => {
                    if let Err(error) = self.thrift.skip(kind) {
                        break Err(error);
                    }
                }
                Ok(None) => break Ok(self.listing.at + self.thrift.read),
                Err(error) => break Err(error),
            }
        };
        end.and_then(|end| match end == self.listing.footer_end {
            true => Ok(()),
            false => Err(io::Error::other("it doesn't end where it should")),
        })
        .map_err(|error| footer_error(path, &error))
    }

    pub fn next(&mut self, path: &Path) -> Result<Option<GroupFooter>, SourceError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.read()
            .map(Some)
            .map_err(|error| footer_error(path, &error))
    }

    fn read(&mut self) -> io::Result<GroupFooter> {
        let (mut rows, mut chunks) = (None, vec![None; self.wanted.len()]);
        let mut last = 0;
        while let Some((field, kind)) = self.thrift.field(&mut last)? {
            match (field, kind) {
                (1, kind::LIST) => {
                    let (element, columns) = self.thrift.list()?;
                    for column in 0..columns {
                        match self.wanted.iter().position(|&leaf| leaf as u64 == column) {
                            Some(first) => {
                                let chunk = read_chunk(&mut self.thrift)?;
                                for (&leaf, slot) in self.wanted.iter().zip(&mut chunks).skip(first)
                                {
                                    if leaf as u64 == column {
                                        *slot = chunk;
                                    }
                                }
                            }
                            None => self.thrift.skip(element)?,
                        }
                    }
                }
                (3, 6) => rows = u64::try_from(self.thrift.integer()?).ok(),
                _ => self.thrift.skip(kind)?,
            }
        }
        let whole = || io::Error::other("a row group lacks a column or its number of rows");
        Ok(GroupFooter {
            rows: rows.ok_or_else(whole)?,
            chunks: chunks
                .into_iter()
                .collect::<Option<_>>()
                .ok_or_else(whole)?,
        })
    }
}

fn read_chunk(thrift: &mut FooterThrift) -> io::Result<Option<Chunk>> {
    let (mut last, mut chunk) = (0, None);
    while let Some((field, kind)) = thrift.field(&mut last)? {
        match (field, kind) {
            (3, kind::STRUCT) => chunk = Some(read_chunk_metadata(thrift)?),
            (8, _) => {
                let reason = "a needed column is encrypted; decrypt the file first".to_owned();
                return Err(io::Error::other(Needs(reason)));
            }
            _ => thrift.skip(kind)?,
        }
    }
    Ok(chunk)
}

fn read_chunk_metadata(thrift: &mut FooterThrift) -> io::Result<Chunk> {
    const CODEC: i64 = 4;
    const VALUES: i64 = 5;
    const UNPACKED: i64 = 6;
    const PACKED: i64 = 7;
    const DATA: i64 = 9;
    const DICTIONARY: i64 = 11;
    let (mut last, mut chunk, mut there) = (0, Chunk::default(), 0u16);
    while let Some((field, kind)) = thrift.field(&mut last)? {
        let place = match (field, kind) {
            (CODEC, 5) => &mut chunk.codec,
            (VALUES, 6) => &mut chunk.values,
            (UNPACKED, 6) => &mut chunk.uncompressed_bytes,
            (PACKED, 6) => &mut chunk.compressed_bytes,
            (DATA, 6) => &mut chunk.data_at,
            (DICTIONARY, 6) => chunk.dictionary_at.insert(0),
            _ => {
                thrift.skip(kind)?;
                continue;
            }
        };
        *place = thrift.integer()?;
        there |= 1 << field;
    }
    for needed in [CODEC, VALUES, UNPACKED, PACKED, DATA] {
        if there & 1 << needed == 0 {
            return Err(io::Error::other("a column chunk lacks a size or its place"));
        }
    }
    Ok(chunk)
}

impl Leaf {
    pub fn physical_type(&self) -> Option<PhysicalType> {
        Some(match self.physical {
            0 => PhysicalType::BOOLEAN,
            1 => PhysicalType::INT32,
            2 => PhysicalType::INT64,
            3 => PhysicalType::INT96,
            4 => PhysicalType::FLOAT,
            5 => PhysicalType::DOUBLE,
            6 => PhysicalType::BYTE_ARRAY,
            7 => PhysicalType::FIXED_LEN_BYTE_ARRAY,
            _ => return None,
        })
    }

    /// As the `parquet` crate wants it; `None` for a type it doesn't know.
    pub fn descriptor(&self) -> Option<ColumnDescPtr> {
        let leaf = Type::primitive_type_builder(&self.path, self.physical_type()?)
            .with_length(self.length)
            .with_repetition(match self.max_def_level {
                0 => Repetition::REQUIRED,
                _ => Repetition::OPTIONAL,
            })
            .build()
            .ok()?;
        Some(Arc::new(ColumnDescriptor::new(
            Arc::new(leaf),
            self.max_def_level,
            self.max_rep_level,
            ColumnPath::from(self.path.clone()),
        )))
    }
}

impl Chunk {
    /// As the `parquet` crate wants it; fails for an unknown compression.
    pub fn metadata(&self, column: &ColumnDescPtr) -> parquet::errors::Result<ColumnChunkMetaData> {
        // Writers note 0 for a dictionary that isn't there.
        let dictionary_at = self.dictionary_at.filter(|&at| at > 0);
        ColumnChunkMetaData::builder(Arc::clone(column))
            .set_compression(match self.codec {
                0 => Compression::UNCOMPRESSED,
                1 => Compression::SNAPPY,
                2 => Compression::GZIP(Default::default()),
                4 => Compression::BROTLI(Default::default()),
                5 => Compression::LZ4,
                6 => Compression::ZSTD(Default::default()),
                7 => Compression::LZ4_RAW,
                other => {
                    return Err(parquet::errors::ParquetError::General(format!(
                        "compression {other} is unknown"
                    )));
                }
            })
            .set_num_values(self.values)
            .set_total_uncompressed_size(self.uncompressed_bytes)
            .set_total_compressed_size(self.compressed_bytes)
            .set_data_page_offset(self.data_at)
            .set_dictionary_page_offset(dictionary_at)
            .build()
    }
}
