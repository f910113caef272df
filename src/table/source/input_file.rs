//! One file of a library: its format, columns and layout, checked as far as its head or footer shows.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::batch::ParentBatch;
use super::columns::{self, ColumnChoice, Resolved, names_smiles};
use super::delimited::{DelimitedLayout, header_fields};
use super::error::{ColumnRole, SourceError};
use super::file_rows::{FileRows, Layout};
use super::format::{self, Container, InputFormat, TextFormat};
use super::headerless;
use super::kept_of_file::KeptOfFile;
use super::lines::{self, Lines};
use super::parquet_schema;
use super::sdf::{self, SdfLayout};
use super::smiles_likeness::looks_like_smiles;
use super::smiles_lines::split;
use super::unpack::{self, Packing};
use crate::limits::{HEAD_BYTES, LINE_BYTES_MAX};

/// A file of the library, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// As named, or found in a directory or by a pattern.
    pub path: PathBuf,
    /// What it holds.
    pub format: InputFormat,
    /// How that is packed.
    pub packing: Packing,
    /// Size as stored.
    pub bytes: u64,
    /// Rows, if the file says (Parquet does).
    pub rows: Option<u64>,
    /// Name of the column or SD tag with the SMILES; `None` where there are no columns.
    pub smiles_column: Option<String>,
    /// Name of the column or SD tag with the id; `None` if there is none, or ids need no column.
    pub id_column: Option<String>,
    /// What a user should know of how its columns were found.
    pub notes: Vec<String>,
    /// Where columns are kept: of a table of text all its columns, of an SD file the tags in its head.
    pub(super) columns: Vec<String>,
    pub(super) layout: Layout,
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
        file.take(unpack::START_BYTES)
            .read_to_end(&mut start)
            .map_err(unreadable)?;
        let bytes = metadata.len();
        match format::container(path, &start)? {
            Container::Parquet => InputFile::inspect_parquet(path, bytes, choice),
            Container::Text(packing) if packing.is_too_large() => {
                Err(SourceError::window(path, packing))
            }
            Container::Text(packing) => InputFile::inspect_text(path, bytes, packing, choice),
        }
    }

    /// The file's rows, from the first.
    pub(super) fn open_rows(&self) -> Result<FileRows, SourceError> {
        FileRows::open(&self.path, self.packing, &self.layout, None)
    }

    /// The file's rows, from the first, with their kept columns.
    pub(super) fn open_rows_keeping(&self, kept: &KeptOfFile) -> Result<FileRows, SourceError> {
        FileRows::open(&self.path, self.packing, &self.layout, Some(kept))
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
            packing: Packing::None,
            bytes,
            rows: Some(layout.rows),
            smiles_column: Some(layout.smiles.path.clone()),
            id_column: layout.id.as_ref().map(|id| id.path.clone()),
            notes: layout.notes.clone(),
            columns: Vec::new(),
            layout: Layout::Parquet(layout),
        })
    }

    fn inspect_text(
        path: &Path,
        bytes: u64,
        packing: Packing,
        choice: &ColumnChoice,
    ) -> Result<InputFile, SourceError> {
        let (head, whole) = text_head(path, packing)?;
        let start = TextStart::read(path, packing, &head, whole)?;
        let format = match start.separator {
            Some(delimiter) => TextFormat::Delimited(delimiter),
            None => format::text_format(path, &head, &start.header.text, choice)?,
        };
        let found = match format {
            TextFormat::Smiles => smiles_layout(path, &start, choice)?,
            TextFormat::Delimited(delimiter) => delimited_layout(path, &start, delimiter, choice)?,
            TextFormat::Sdf => sdf_layout(path, &head, choice)?,
        };
        let file = InputFile {
            path: path.to_owned(),
            format: match &found.layout {
                Layout::Delimited(layout) => TextFormat::Delimited(layout.delimiter).into(),
                _ => format.into(),
            },
            packing,
            bytes,
            rows: None,
            smiles_column: found.smiles_column,
            id_column: found.id_column,
            notes: found.notes,
            columns: match choice.keep.is_none() {
                true => Vec::new(),
                false => found.columns,
            },
            layout: found.layout,
        };
        let mut batch = ParentBatch::default();
        if !file.open_rows()?.next_row(0, &mut batch)? {
            return Err(SourceError::NoRows {
                path: path.to_owned(),
            });
        }
        Ok(file)
    }
}

/// The head of the text, and whether that is all of it.
fn text_head(path: &Path, packing: Packing) -> Result<(Vec<u8>, bool), SourceError> {
    let head = lines::head(path, packing, HEAD_BYTES)?;
    if head.is_empty() {
        return Err(SourceError::Empty {
            path: path.to_owned(),
        });
    }
    if packing.is_packed() && format::container(path, &head)? != Container::Text(Packing::None) {
        return Err(SourceError::Unsupported {
            path: path.to_owned(),
            what: "a compressed file inside a compressed file",
            advice: "decompress it first",
        });
    }
    format::check_text(path, &head)?;
    let whole = head.len() < HEAD_BYTES;
    Ok((head, whole))
}

/// What a text file begins with.
struct TextStart<'a> {
    /// Where a header would be.
    header: FirstLine,
    /// What Excel's `sep=` line before it says.
    separator: Option<u8>,
    /// The first rows, the header among them.
    rows: Vec<&'a [u8]>,
}

impl<'a> TextStart<'a> {
    fn read(
        path: &Path,
        packing: Packing,
        head: &'a [u8],
        whole: bool,
    ) -> Result<Self, SourceError> {
        let mut lines = Lines::open(path, packing)?;
        let first = first_line(&mut lines)?;
        let separator = format::excel_separator(&first.text);
        let mut rows = headerless::first_rows(head, whole);
        let header = if separator.is_some() {
            rows.drain(..1.min(rows.len()));
            first_line(&mut lines)?
        } else {
            first
        };
        Ok(TextStart {
            header,
            separator,
            rows,
        })
    }

    /// Lines before the first row of a table.
    fn header_lines(&self, has_header: bool) -> u8 {
        u8::from(self.separator.is_some()) + u8::from(has_header)
    }
}

/// The first line that isn't blank.
struct FirstLine {
    text: Vec<u8>,
    number: u64,
    bytes: u64,
}

fn first_line(lines: &mut Lines) -> Result<FirstLine, SourceError> {
    while lines.advance()? && lines.line().trim_ascii().is_empty() {}
    Ok(FirstLine {
        text: lines.line().to_vec(),
        number: lines.number(),
        bytes: lines.line_bytes(),
    })
}

/// How a text file is read, and what to say of that.
struct Found {
    layout: Layout,
    smiles_column: Option<String>,
    id_column: Option<String>,
    notes: Vec<String>,
    /// All columns, or all tags that were seen.
    columns: Vec<String>,
}

/// A SMILES file, or the table without header that it turns out to be.
fn smiles_layout(
    path: &Path,
    start: &TextStart<'_>,
    choice: &ColumnChoice,
) -> Result<Found, SourceError> {
    let numbers = [choice.smiles_number(), choice.id_number()];
    let asked = numbers.into_iter().flatten().max();
    if let Some(fields_min) = asked.filter(|_| choice.smiles_number().is_some()) {
        let delimiter = headerless::delimiter_for(&start.rows, fields_min);
        let (delimiter, _) = delimiter.unwrap_or((b'\t', 1));
        return delimited_layout(path, start, delimiter, choice);
    }
    let has_header = names_smiles(split(start.header.text.trim_ascii()).0);
    let behind = match choice.smiles {
        None if !has_header => headerless::find_behind_ids(&start.rows),
        _ => None,
    };
    if let Some(found) = behind {
        return headerless_layout(
            path,
            start,
            found.delimiter,
            found.fields,
            Some(found.smiles),
            choice,
        );
    }
    Ok(Found {
        layout: Layout::Smiles {
            header_possible: !choice.no_header,
        },
        smiles_column: None,
        id_column: None,
        notes: Vec::new(),
        columns: Vec::new(),
    })
}

/// A table. Without a header it is if that is said, if a column was chosen by its number and has
/// something like SMILES on the first line already, or if no name means SMILES and the first rows
/// look like SMILES in some column.
fn delimited_layout(
    path: &Path,
    start: &TextStart<'_>,
    delimiter: u8,
    choice: &ColumnChoice,
) -> Result<Found, SourceError> {
    let header = &start.header;
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
    let names = header_fields(&header.text, delimiter).map_err(header_error)?;
    let found = headerless::find(&start.rows, delimiter);
    let like_smiles = |number: usize| {
        let name = number.checked_sub(1).and_then(|i| names.get(i));
        name.is_some_and(|name| looks_like_smiles(name.as_bytes()))
    };
    let number = choice.smiles_number();
    let number = number.filter(|_| {
        !names
            .iter()
            .any(|name| Some(name) == choice.smiles.as_ref())
    });
    if choice.no_header || number.is_some_and(like_smiles) {
        let smiles = found.map(|found| found.smiles);
        return headerless_layout(path, start, delimiter, names.len(), smiles, choice);
    }
    let Resolved { smiles, id } = match (columns::resolve(path, &names, choice), found) {
        (Ok(resolved), _) => resolved,
        (Err(_), Some(found)) if choice.smiles.is_none() && like_smiles(found.smiles) => {
            let smiles = Some(found.smiles);
            return headerless_layout(path, start, delimiter, names.len(), smiles, choice);
        }
        (Err(error), _) => return Err(error),
    };
    let layout = DelimitedLayout {
        delimiter,
        header_lines: start.header_lines(true),
        fields: names.len(),
        smiles,
        id,
    };
    Ok(Found {
        layout: Layout::Delimited(layout),
        notes: Vec::from_iter(columns::note_of_others(&names, smiles, choice)),
        smiles_column: Some(names[smiles].clone()),
        id_column: id.map(|id| names[id].clone()),
        columns: names,
    })
}

/// A table without header, of `fields` columns. `smiles` is the column that looks like SMILES.
fn headerless_layout(
    path: &Path,
    start: &TextStart<'_>,
    delimiter: u8,
    fields: usize,
    smiles: Option<usize>,
    choice: &ColumnChoice,
) -> Result<Found, SourceError> {
    let names = headerless::names(fields);
    let chosen = headerless::choice(choice, smiles, fields);
    let Resolved { smiles, id } = match chosen.smiles {
        Some(_) => columns::resolve(path, &names, &chosen)?,
        None => {
            return Err(SourceError::NoSmilesColumn {
                path: path.to_owned(),
                columns: fields,
            });
        }
    };
    let id_column = id.map(|id| names[id].clone());
    let ids = id_column
        .as_ref()
        .map(|id| format!(", the ids in column {id}"));
    let note = format!(
        "no header: the SMILES are in column {}{}; choose others with --smiles-column and --id-column",
        names[smiles],
        ids.unwrap_or_default(),
    );
    let layout = DelimitedLayout {
        delimiter,
        header_lines: start.header_lines(false),
        fields,
        smiles,
        id,
    };
    Ok(Found {
        layout: Layout::Delimited(layout),
        smiles_column: Some(names[smiles].clone()),
        id_column,
        notes: vec![note],
        columns: names,
    })
}

/// A chosen SMILES column that isn't a tag of this file leaves the mol block in use, so that it
/// can be meant for another input; a chosen id must be there.
fn sdf_layout(path: &Path, head: &[u8], choice: &ColumnChoice) -> Result<Found, SourceError> {
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
    Ok(Found {
        layout: Layout::Sdf(layout),
        smiles_column: smiles_tag,
        id_column: id_tag,
        notes: Vec::new(),
        columns: tags,
    })
}
