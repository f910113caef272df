//! A Parquet footer, read as a stream, so that a footer may have any length.
//!
//! It returns the columns of the schema, and then for one row group at a time the chunks of the wanted columns.

use std::io::{self, BufReader};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::schema::types::ColumnDescPtr;

use super::error::SourceError;
use super::parquet_file::{PageFile, beyond_limits, no_damage};
use super::parquet_leaves::{FooterThrift, Leaf, read_leaves};
use super::parquet_thrift::{Thrift, kind, wrong};

/// The part of a footer up to the list of row groups.
pub(super) struct Schema {
    pub leaves: Vec<Leaf>,
    /// Rows of all row groups together.
    pub rows: u64,
    pub listing: Listing,
}

/// The list of row groups in a footer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listing {
    at: u64,
    groups: u64,
    /// The byte offset at which the footer must end.
    footer_end: u64,
}

/// The wanted chunks of a row group.
#[derive(Default)]
pub(super) struct GroupFooter {
    pub rows: u64,
    /// One for each wanted leaf, in the order asked for.
    pub chunks: Vec<Chunk>,
}

/// A column chunk: where the pages of a column in one row group are.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Chunk {
    codec: i64,
    values: i64,
    pub uncompressed_bytes: i64,
    pub compressed_bytes: i64,
    data_at: i64,
    dictionary_at: Option<i64>,
}

/// Reads the schema, up to the list of row groups.
pub(super) fn read_schema(path: &Path, file: &PageFile) -> Result<Schema, SourceError> {
    let footer = file.footer(path)?;
    schema_at(file, footer).map_err(|error| footer_error(path, &error))
}

fn footer_error(path: &Path, error: &io::Error) -> SourceError {
    no_damage(path, error).unwrap_or_else(|| {
        let reason = match error.kind() {
            io::ErrorKind::UnexpectedEof => "it is truncated".to_owned(),
            _ => error.to_string(),
        };
        let reason = format_args!("its Parquet footer can't be read: {reason}");
        SourceError::corrupt(path, reason)
    })
}

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
                    leaves: leaves.ok_or_else(|| wrong("it has no schema"))?,
                    rows: rows.ok_or_else(|| wrong("it has no number of rows"))?,
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
    Err(wrong("it lists no row groups"))
}

/// Reads the row groups of a footer, one after another.
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

    /// After the last row group: checks that the footer ends at its stored length. A corrupted size or type makes
    /// it end elsewhere.
    pub fn check_end(&mut self, path: &Path) -> Result<(), SourceError> {
        // The fields after the row groups.
        let rest = self.thrift.skip(kind::STRUCT);
        rest.map_err(|error| footer_error(path, &error))?;
        if self.listing.at + self.thrift.read != self.listing.footer_end {
            return Err(footer_error(path, &wrong("it doesn't end where it should")));
        }
        Ok(())
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
        let whole = || wrong("a row group lacks a column or its number of rows");
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
                return Err(beyond_limits(reason));
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
        let field_value = match (field, kind) {
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
        *field_value = thrift.integer()?;
        there |= 1 << field;
    }
    for needed in [CODEC, VALUES, UNPACKED, PACKED, DATA] {
        if there & 1 << needed == 0 {
            return Err(wrong("a column chunk lacks a size or its place"));
        }
    }
    Ok(chunk)
}

impl Chunk {
    /// The metadata for the `parquet` crate.
    ///
    /// # Errors
    /// The compression is unknown.
    pub fn metadata(&self, column: &ColumnDescPtr) -> parquet::errors::Result<ColumnChunkMetaData> {
        // Some writers store 0 if there is no dictionary.
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
