//! Errors of the inputs as a whole. A bad row is not an error but a row with a fault.

#![allow(
    missing_docs,
    reason = "the variants are documented, their fields named for what they hold"
)]

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::unpack::Packing;
use crate::{limits::UNPACK_WINDOW_BYTES_MAX, store::StoreError};

/// Why a library can't be opened or read. Each message is one line that names the file and says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SourceError {
    /// No input was given.
    #[error("no input given: name at least one library file, directory or pattern")]
    NoInputs,
    /// `-` was given to a command that can't save standard input. A library is read more than once (checks, sample,
    /// job).
    #[error("-: only run and dedup read a library from standard input; save it to a file first")]
    StandardInput,
    /// A file of the job itself, from which products of an earlier step are read, can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such file or directory.
    #[error("{}: no such file or directory", Shown(.path))]
    NotFound { path: PathBuf },
    /// A pattern with `*`, `?` or `[` matches no file.
    #[error("{pattern}: no file matches this pattern")]
    NoMatch { pattern: String },
    /// The pattern's syntax is wrong.
    #[error("{pattern}: not a valid pattern: {reason}")]
    BadPattern { pattern: String, reason: String },
    /// The tree under a directory has no file with a known extension.
    #[error(
        "{}: directory has no library files (read are {extensions}, each also with .gz, .bz2, .xz or .zst)",
        Shown(.path)
    )]
    EmptyDirectory {
        path: PathBuf,
        extensions: &'static str,
    },
    /// The inputs resolve to more files than the limit.
    #[error("the inputs name more than {files_max} files; merge some of them")]
    TooManyFiles { files_max: usize },
    /// The path is a pipe, socket or device.
    #[error("{}: is not a regular file", Shown(.path))]
    NotRegular { path: PathBuf },
    /// The operating system refused to open or read the file.
    #[error("{}: can't be read: {reason}", Shown(.path))]
    Unreadable {
        path: PathBuf,
        kind: io::ErrorKind,
        reason: String,
    },
    /// The file is empty, compressed or not.
    #[error("{}: is empty", Shown(.path))]
    Empty { path: PathBuf },
    /// The file has only a header or comments.
    #[error("{}: has no rows", Shown(.path))]
    NoRows { path: PathBuf },
    /// The first bytes are those of an unsupported format.
    #[error("{}: is {what}, which isn't supported; {advice}", Shown(.path))]
    Unsupported {
        path: PathBuf,
        what: &'static str,
        advice: &'static str,
    },
    /// Neither the content nor the extension shows the format.
    #[error("{}: can't tell its format; rename it to one of {extensions}", Shown(.path))]
    UnknownFormat {
        path: PathBuf,
        extensions: &'static str,
    },
    /// The extension is that of text, but the content is not text. `offset` is that of the first unreadable byte, counted
    /// from 0 after decompression.
    #[error("{}: is not text (first unreadable byte at offset {offset})", Shown(.path))]
    NotText { path: PathBuf, offset: u64 },
    /// A CSV or TSV header that is too long, or has too many columns.
    #[error("{}: line {line}: the header {reason}", Shown(.path))]
    Header {
        path: PathBuf,
        line: u64,
        reason: String,
    },
    /// The chosen column doesn't exist, or no column has a known name.
    #[error("{}: {}", Shown(.path), missing(*.role, .wanted.as_deref(), .columns))]
    MissingColumn {
        path: PathBuf,
        role: ColumnRole,
        wanted: Option<String>,
        columns: Vec<String>,
    },
    /// A table without header has no column that looks like SMILES.
    #[error(
        "{}: has no header, and none of its {columns} columns looks like SMILES; give its number with --smiles-column",
        Shown(.path)
    )]
    NoSmilesColumn { path: PathBuf, columns: usize },
    /// The type of the column can't be that of a SMILES or an id.
    #[error("{}: column `{}` is {found}, but {role} must be {}", Shown(.path), one_line(.column), .role.types())]
    ColumnType {
        path: PathBuf,
        role: ColumnRole,
        column: String,
        found: String,
    },
    /// Columns can't be kept as `--keep-columns` asks.
    #[error("{}: {reason}", Shown(.path))]
    Keep { path: PathBuf, reason: String },
    /// A frame needs a larger window than the plan counted, or than the limit.
    #[error(
        "{}: its {packing} stream needs more than {mebibytes} MiB of memory to decompress; compress it again without --long, --ultra or -9",
        Shown(.path)
    )]
    Window {
        path: PathBuf,
        packing: String,
        mebibytes: u64,
    },
    /// The file is intact but exceeds a limit.
    #[error("{}: {reason}", Shown(.path))]
    TooLarge { path: PathBuf, reason: String },
    /// The file is damaged: truncated, bytes changed, sizes out of bounds.
    #[error("{}: is damaged: {reason}", Shown(.path))]
    Corrupt { path: PathBuf, reason: String },
}

/// The role of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnRole {
    /// The parent's SMILES.
    Smiles,
    /// The parent's id.
    Id,
    /// None: it is kept.
    Kept,
}

impl ColumnRole {
    fn types(self) -> &'static str {
        match self {
            ColumnRole::Smiles => "text",
            ColumnRole::Id => "text, a number or a UUID",
            ColumnRole::Kept => "of a type that Arrow has",
        }
    }
}

impl fmt::Display for ColumnRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ColumnRole::Smiles => "the SMILES column",
            ColumnRole::Id => "the id column",
            ColumnRole::Kept => "a kept column",
        })
    }
}

impl SourceError {
    pub(crate) fn unreadable(path: &Path, error: &io::Error) -> SourceError {
        match error.kind() {
            io::ErrorKind::NotFound => SourceError::NotFound {
                path: path.to_owned(),
            },
            kind => SourceError::Unreadable {
                path: path.to_owned(),
                kind,
                reason: one_line(&error.to_string()),
            },
        }
    }

    pub(super) fn window(path: &Path, packing: Packing) -> SourceError {
        let bytes_max = packing.memory_bytes().min(UNPACK_WINDOW_BYTES_MAX);
        SourceError::Window {
            path: path.to_owned(),
            packing: packing.to_string(),
            mebibytes: bytes_max >> 20,
        }
    }

    pub(super) fn corrupt(path: &Path, reason: impl fmt::Display) -> SourceError {
        SourceError::Corrupt {
            path: path.to_owned(),
            reason: one_line(&reason.to_string()),
        }
    }
}

/// Maximum number of characters that a message quotes from a file or another library.
const SHOWN_CHARS_MAX: usize = 300;

/// `text` with control characters replaced by blanks, cut to `SHOWN_CHARS_MAX` characters.
pub(super) fn one_line(text: &str) -> String {
    let mut line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(SHOWN_CHARS_MAX)
        .collect();
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        line.push('…');
    }
    line
}

/// A path on one line; file names may contain line ends.
struct Shown<'a>(&'a PathBuf);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.display().to_string().chars() {
            let c = if c.is_control() { '\u{fffd}' } else { c };
            write!(f, "{c}")?;
        }
        Ok(())
    }
}

/// The message about a missing column, with the existing columns.
struct Missing<'a> {
    role: ColumnRole,
    wanted: Option<&'a str>,
    columns: &'a [String],
}

fn missing<'a>(role: ColumnRole, wanted: Option<&'a str>, columns: &'a [String]) -> Missing<'a> {
    Missing {
        role,
        wanted,
        columns,
    }
}

/// Maximum number of columns that a message lists.
const COLUMNS_SHOWN_MAX: usize = 20;

impl fmt::Display for Missing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.wanted, self.role) {
            (Some(name), _) => write!(f, "has no column `{}`", one_line(name))?,
            (None, ColumnRole::Smiles) => {
                f.write_str("no column looks like SMILES; name it with --smiles-column")?;
            }
            (None, ColumnRole::Id | ColumnRole::Kept) => {
                f.write_str("no column looks like an id")?
            }
        }
        f.write_str("; its columns are ")?;
        for (i, column) in self.columns.iter().take(COLUMNS_SHOWN_MAX).enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{}", one_line(column))?;
        }
        if self.columns.is_empty() {
            f.write_str("none")?;
        }
        match self.columns.len().saturating_sub(COLUMNS_SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_stay_on_one_line_and_list_the_columns() {
        let error = SourceError::MissingColumn {
            path: PathBuf::from("lib\nrary.csv"),
            role: ColumnRole::Smiles,
            wanted: Some("structure".to_owned()),
            columns: (0..22).map(|i| format!("c{i}")).collect(),
        };
        let shown = error.to_string();
        assert!(
            shown.starts_with(
                "lib\u{fffd}rary.csv: has no column `structure`; its columns are c0, c1"
            ),
            "{shown}"
        );
        assert!(shown.ends_with("c19 and 2 more"), "{shown}");
        assert!(!shown.contains('\n'));
    }

    #[test]
    fn long_foreign_messages_are_cut() {
        let shown = one_line(&"é".repeat(1000));
        assert_eq!(shown.chars().count(), SHOWN_CHARS_MAX + 1);
        assert!(shown.ends_with('…'));
    }
}
