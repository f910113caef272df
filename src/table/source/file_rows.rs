//! The rows of one file, whatever its format.

use std::path::Path;

use super::batch::ParentBatch;
use super::delimited::{Delimited, DelimitedLayout};
use super::error::SourceError;
use super::kept_of_file::{KeptOfFile, Places};
use super::lines::Lines;
use super::parquet_rows::ParquetRows;
use super::parquet_schema::ParquetLayout;
use super::sdf::{Sdf, SdfLayout};
use super::smiles_lines::SmilesLines;
use super::unpack::Packing;

/// What is needed to read the rows of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one for each input file"
)]
pub(super) enum Layout {
    Parquet(ParquetLayout),
    Smiles { header_possible: bool },
    Delimited(DelimitedLayout),
    Sdf(SdfLayout),
}

/// The rows of one file, one after another.
pub(super) enum FileRows {
    Parquet(Box<ParquetRows>),
    Text {
        lines: Box<Lines>,
        parser: TextParser,
    },
}

/// Turns lines into rows.
pub(super) enum TextParser {
    Smiles(SmilesLines),
    Delimited(Box<Delimited>),
    Sdf(Sdf),
}

impl FileRows {
    /// The rows of the file at `path` from the first.
    /// `kept`: where its kept columns are, if rows are to have them.
    pub fn open(
        path: &Path,
        packing: Packing,
        layout: &Layout,
        kept: Option<&KeptOfFile>,
    ) -> Result<FileRows, SourceError> {
        match layout {
            Layout::Parquet(layout) => {
                let rows = ParquetRows::open(path, layout, kept)?;
                Ok(FileRows::Parquet(Box::new(rows)))
            }
            text => Ok(FileRows::Text {
                lines: Lines::open(path, packing)?.into(),
                parser: TextParser::new(text, true).keeping(kept),
            }),
        }
    }

    /// The rows of an uncompressed text file, beginning with the first that starts at or after byte `offset`.
    pub fn open_text_at(
        path: &Path,
        layout: &Layout,
        offset: u64,
    ) -> Result<FileRows, SourceError> {
        Ok(FileRows::Text {
            lines: Lines::open_at(path, offset)?.into(),
            parser: TextParser::new(layout, offset == 0),
        })
    }

    /// Appends the next row to `batch` as number `row`; false at the end.
    pub fn next_row(&mut self, row: u64, batch: &mut ParentBatch) -> Result<bool, SourceError> {
        match self {
            FileRows::Parquet(rows) => rows.next_row(row, batch),
            FileRows::Text { lines, parser } => match parser {
                TextParser::Smiles(parser) => parser.next_row(lines, row, batch),
                TextParser::Delimited(parser) => parser.next_row(lines, row, batch),
                TextParser::Sdf(parser) => parser.next_row(lines, row, batch),
            },
        }
    }

    /// Skips `rows` rows, or as many as there are; returns how many.
    pub fn skip_rows(&mut self, rows: u64) -> Result<u64, SourceError> {
        if let FileRows::Parquet(file) = self {
            return file.skip_rows(rows);
        }
        let mut scratch = ParentBatch::default();
        let mut skipped = 0;
        while skipped < rows && self.next_row(0, &mut scratch)? {
            scratch.clear();
            skipped += 1;
        }
        Ok(skipped)
    }
}

impl TextParser {
    fn keeping(self, kept: Option<&KeptOfFile>) -> TextParser {
        match (self, kept.map(|kept| &*kept.places)) {
            (TextParser::Delimited(mut parser), Some(Places::Fields(places))) => {
                parser.keep(places);
                TextParser::Delimited(parser)
            }
            (TextParser::Sdf(mut parser), Some(Places::Tags(tags))) => {
                parser.keep(tags);
                TextParser::Sdf(parser)
            }
            (parser, _) => parser,
        }
    }

    fn new(layout: &Layout, from_start: bool) -> TextParser {
        match layout {
            Layout::Delimited(layout) => {
                TextParser::Delimited(Box::new(Delimited::new(*layout, from_start)))
            }
            Layout::Sdf(layout) => TextParser::Sdf(Sdf::new(layout.clone(), from_start)),
            Layout::Smiles { header_possible } => {
                TextParser::Smiles(SmilesLines::new(from_start && *header_possible))
            }
            Layout::Parquet(_) => TextParser::Smiles(SmilesLines::new(false)),
        }
    }
}
