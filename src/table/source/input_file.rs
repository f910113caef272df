//! One file of a library: what it is, checked as far as its head or footer tells, and its rows.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::batch::ParentBatch;
use super::columns::{self, ColumnChoice, Resolved};
use super::delimited::{Delimited, DelimitedLayout, header_fields};
use super::error::{ColumnRole, SourceError};
use super::format::{self, Container, InputFormat, TextFormat};
use super::lines::{self, Lines};
use super::parquet_rows::ParquetRows;
use super::parquet_schema::{self, ParquetLayout};
use super::sdf::{self, Sdf, SdfLayout};
use super::smiles_lines::SmilesLines;
use crate::limits::{HEAD_BYTES, LINE_BYTES_MAX};

/// A file of the library, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// As named, or found in a directory or by a pattern.
    pub path: PathBuf,
    /// What it holds.
    pub format: InputFormat,
    /// Whether that is packed with gzip.
    pub gzip: bool,
    /// Size as stored.
    pub bytes: u64,
    /// Rows, if the file says (Parquet does).
    pub rows: Option<u64>,
    /// Name of the column or SD tag with the SMILES; `None` where there are no columns.
    pub smiles_column: Option<String>,
    /// Name of the column or SD tag with the id; `None` if there is none, or ids need no column.
    pub id_column: Option<String>,
    pub(super) layout: Layout,
}

/// What has to be known to read the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Layout {
    Parquet(ParquetLayout),
    Smiles,
    Delimited(DelimitedLayout),
    Sdf(SdfLayout),
}

impl InputFile {
    /// Looks at `path`: that it can be read, what it is, where its columns are, and (of text)
    /// that there is a row.
    pub(super) fn inspect(path: &Path, choice: &ColumnChoice) -> Result<InputFile, SourceError> {
        let unreadable = |error| SourceError::unreadable(path, &error);
        let metadata = fs::metadata(path).map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(SourceError::NotRegular {
                path: path.to_owned(),
            });
        }
        if metadata.len() == 0 {
            return Err(SourceError::Empty {
                path: path.to_owned(),
            });
        }
        let mut start = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(16).read_to_end(&mut start).map_err(unreadable)?;
        let bytes = metadata.len();
        match format::container(path, &start)? {
            Container::Parquet => InputFile::inspect_parquet(path, bytes, choice),
            Container::Gzip => InputFile::inspect_text(path, bytes, true, choice),
            Container::Plain => InputFile::inspect_text(path, bytes, false, choice),
        }
    }

    fn inspect_parquet(
        path: &Path,
        bytes: u64,
        choice: &ColumnChoice,
    ) -> Result<InputFile, SourceError> {
        let layout = parquet_schema::inspect(path, choice)?;
        Ok(InputFile {
            path: path.to_owned(),
            format: InputFormat::Parquet,
            gzip: false,
            bytes,
            rows: Some(layout.rows),
            smiles_column: Some(layout.smiles_name.clone()),
            id_column: layout.id_name.clone(),
            layout: Layout::Parquet(layout),
        })
    }

    fn inspect_text(
        path: &Path,
        bytes: u64,
        gzip: bool,
        choice: &ColumnChoice,
    ) -> Result<InputFile, SourceError> {
        let head = text_head(path, gzip)?;
        let header = first_line(path, gzip)?;
        let format = format::text_format(path, &head, &header.text, choice)?;
        let (layout, smiles_column, id_column) = match format {
            TextFormat::Smiles => (Layout::Smiles, None, None),
            TextFormat::Delimited { delimiter } => {
                delimited_layout(path, &header, delimiter, choice)?
            }
            TextFormat::Sdf => sdf_layout(path, &head, choice)?,
        };
        let file = InputFile {
            path: path.to_owned(),
            format: format.into(),
            gzip,
            bytes,
            rows: None,
            smiles_column,
            id_column,
            layout,
        };
        let mut batch = ParentBatch::default();
        if !FileRows::open(&file)?.next_row(0, &mut batch)? {
            return Err(SourceError::NoRows {
                path: path.to_owned(),
            });
        }
        Ok(file)
    }
}

fn text_head(path: &Path, gzip: bool) -> Result<Vec<u8>, SourceError> {
    let head = lines::head(path, gzip, HEAD_BYTES)?;
    if head.is_empty() {
        return Err(SourceError::Empty {
            path: path.to_owned(),
        });
    }
    if gzip && format::container(path, &head)? != Container::Plain {
        return Err(SourceError::Unsupported {
            path: path.to_owned(),
            what: "gzip around gzip or Parquet",
            advice: "unpack it first",
        });
    }
    format::check_text(path, &head)?;
    Ok(head)
}

/// The first line that isn't blank.
struct FirstLine {
    text: Vec<u8>,
    number: u64,
    bytes: u64,
}

fn first_line(path: &Path, gzip: bool) -> Result<FirstLine, SourceError> {
    let mut lines = Lines::open(path, gzip)?;
    while lines.advance()? && lines.line().trim_ascii().is_empty() {}
    Ok(FirstLine {
        text: lines.line().to_vec(),
        number: lines.number(),
        bytes: lines.line_bytes(),
    })
}

type LayoutAndColumns = (Layout, Option<String>, Option<String>);

fn delimited_layout(
    path: &Path,
    header: &FirstLine,
    delimiter: u8,
    choice: &ColumnChoice,
) -> Result<LayoutAndColumns, SourceError> {
    let header_error = |reason| SourceError::Header {
        path: path.to_owned(),
        line: header.number,
        reason,
    };
    if header.bytes > LINE_BYTES_MAX as u64 {
        let bytes = header.bytes;
        return Err(header_error(format!(
            "is {bytes} bytes long, at most {LINE_BYTES_MAX} are read"
        )));
    }
    let fields = header_fields(&header.text, delimiter).map_err(header_error)?;
    let Resolved { smiles, id } = columns::resolve(path, &fields, choice)?;
    let layout = DelimitedLayout {
        delimiter,
        fields: fields.len(),
        smiles,
        id,
    };
    let name = |column: usize| fields[column].clone();
    Ok((Layout::Delimited(layout), Some(name(smiles)), id.map(name)))
}

/// A chosen SMILES column that isn't a tag of this file leaves the mol block in use, so that it
/// can be meant for another input; a chosen id must be there.
fn sdf_layout(
    path: &Path,
    head: &[u8],
    choice: &ColumnChoice,
) -> Result<LayoutAndColumns, SourceError> {
    let mut tags = sdf::tag_names(head);
    let tag = |chosen: &Option<String>, tags: &[String]| {
        let found = columns::find(tags, Some(chosen.as_deref()?), ColumnRole::Id)?;
        Some(tags[found].clone())
    };
    let smiles_tag = tag(&choice.smiles, &tags);
    let id_tag = tag(&choice.id, &tags);
    if choice.id.is_some() && id_tag.is_none() {
        tags.sort();
        return Err(SourceError::MissingColumn {
            path: path.to_owned(),
            role: ColumnRole::Id,
            wanted: choice.id.clone(),
            columns: tags,
        });
    }
    let layout = SdfLayout {
        smiles_tag: smiles_tag.clone(),
        id_tag: id_tag.clone(),
    };
    Ok((Layout::Sdf(layout), smiles_tag, id_tag))
}

/// The rows of one file, one after the other.
pub(super) enum FileRows {
    Parquet {
        rows: Box<ParquetRows>,
        rows_all: u64,
        bytes_all: u64,
    },
    Text {
        lines: Lines,
        parser: TextParser,
    },
}

/// What makes rows of lines.
pub(super) enum TextParser {
    Smiles(SmilesLines),
    Delimited(Box<Delimited>),
    Sdf(Sdf),
}

impl FileRows {
    /// The file's rows from the first.
    pub fn open(file: &InputFile) -> Result<FileRows, SourceError> {
        match &file.layout {
            Layout::Parquet(layout) => Ok(FileRows::Parquet {
                rows: Box::new(ParquetRows::open(&file.path, layout)?),
                rows_all: layout.rows,
                bytes_all: file.bytes,
            }),
            text => Ok(FileRows::Text {
                lines: Lines::open(&file.path, file.gzip)?,
                parser: TextParser::new(text, true),
            }),
        }
    }

    /// The rows of an uncompressed text file from the first that starts at byte `offset` or after
    /// it.
    pub fn open_text_at(file: &InputFile, offset: u64) -> Result<FileRows, SourceError> {
        Ok(FileRows::Text {
            lines: Lines::open_at(&file.path, offset)?,
            parser: TextParser::new(&file.layout, offset == 0),
        })
    }

    /// Appends the next row to `batch` as number `row`; false at the end.
    pub fn next_row(&mut self, row: u64, batch: &mut ParentBatch) -> Result<bool, SourceError> {
        match self {
            FileRows::Parquet { rows, .. } => rows.next_row(row, batch),
            FileRows::Text { lines, parser } => match parser {
                TextParser::Smiles(parser) => parser.next_row(lines, row, batch),
                TextParser::Delimited(parser) => parser.next_row(lines, row, batch),
                TextParser::Sdf(parser) => parser.next_row(lines, row, batch),
            },
        }
    }

    /// Passes over `rows` rows; fewer only at the end.
    pub fn skip_rows(&mut self, rows: u64) -> Result<u64, SourceError> {
        if let FileRows::Parquet { rows: file, .. } = self {
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

    /// Bytes of the file read so far, as stored; of Parquet the share of its rows.
    pub fn disk_bytes(&self) -> u64 {
        match self {
            FileRows::Text { lines, .. } => lines.disk_bytes(),
            FileRows::Parquet {
                rows,
                rows_all,
                bytes_all,
            } => {
                let (read, all) = (u128::from(rows.rows_read()), u128::from(*rows_all));
                // Without rows, all of the file is read.
                let share = (u128::from(*bytes_all) * read).checked_div(all);
                share.map_or(*bytes_all, |bytes| bytes as u64)
            }
        }
    }
}

impl TextParser {
    fn new(layout: &Layout, from_start: bool) -> TextParser {
        match layout {
            Layout::Delimited(layout) => {
                TextParser::Delimited(Box::new(Delimited::new(*layout, from_start)))
            }
            Layout::Sdf(layout) => TextParser::Sdf(Sdf::new(layout.clone(), from_start)),
            Layout::Smiles | Layout::Parquet(_) => TextParser::Smiles(SmilesLines::new(from_start)),
        }
    }
}
