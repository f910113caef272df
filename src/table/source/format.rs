//! Detects the format of a file: by its content where that is clear, else by its extension.

use std::fmt;
use std::path::Path;

use super::columns::{self, ColumnChoice, names_smiles};
use super::delimited::header_fields;
use super::error::{ColumnRole, SourceError};
use super::sdf::looks_like_sdf;
use super::smiles_lines::split;
use super::unpack::Packing;

/// The supported formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputFormat {
    /// Parquet, by its magic.
    Parquet,
    /// `SMILES[blanks id]`, one a line.
    Smiles,
    /// A header and rows with commas, semicolons or bars between the fields.
    Csv,
    /// A header and rows with tabs between the fields.
    Tsv,
    /// Mol blocks and tags.
    Sdf,
}

impl fmt::Display for InputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InputFormat::Parquet => "Parquet",
            InputFormat::Smiles => "SMILES",
            InputFormat::Csv => "CSV",
            InputFormat::Tsv => "TSV",
            InputFormat::Sdf => "SDF",
        })
    }
}

/// The supported extensions, for messages.
pub(super) const EXTENSIONS: &str =
    ".parquet .pq .smi .smiles .ism .can .cxsmiles .txt .csv .tsv .sdf .sd";

/// Extensions of compressed files.
const PACKED: [&str; 5] = [".gz", ".bz2", ".xz", ".zst", ".zstd"];

/// The format that the extension names, before an extension of compressed files if there is one.
pub(super) fn of_extension(path: &Path) -> Option<InputFormat> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let unpacked = PACKED.iter().find_map(|packed| name.strip_suffix(packed));
    let name = unpacked.unwrap_or(&name);
    let (_, extension) = name.rsplit_once('.')?;
    match extension {
        "parquet" | "pq" => Some(InputFormat::Parquet),
        "smi" | "smiles" | "ism" | "can" | "cxsmi" | "cxsmiles" | "txt" => {
            Some(InputFormat::Smiles)
        }
        "csv" => Some(InputFormat::Csv),
        "tsv" => Some(InputFormat::Tsv),
        "sdf" | "sd" => Some(InputFormat::Sdf),
        _ => None,
    }
}

/// Whether a path has the extension of a library file, compressed or not.
pub fn names_a_format(path: &Path) -> bool {
    const COMPRESSED: [&str; 5] = ["gz", "bz2", "xz", "zst", "zip"];
    const OTHERS: [&str; 5] = ["mol", "json", "jsonl", "tab", "feather"];
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    let is_one_of = |known: &[&str]| known.iter().any(|known| extension == *known);
    of_extension(path).is_some() || is_one_of(&COMPRESSED) || is_one_of(&OTHERS)
}

/// The delimiter that Excel's `sep=` line before the header names, if `line` is one.
pub(super) fn excel_separator(line: &[u8]) -> Option<u8> {
    let line = match line.trim_ascii_start() {
        [b'"', inner @ .., b'"'] => inner,
        line => line,
    };
    match line {
        [s, e, p, b'=', delimiter] if [s, e, p].map(u8::to_ascii_lowercase) == *b"sep" => {
            DELIMITERS.contains(delimiter).then_some(*delimiter)
        }
        _ => None,
    }
}

/// What the first bytes of a file show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Parquet,
    /// Compressed text, or no known magic: perhaps text.
    Text(Packing),
}

/// Magic bytes of unsupported formats, the name of each format, and advice.
const UNSUPPORTED: [(&[u8], &str, &str); 7] = [
    (
        b"\x04\x22\x4D\x18",
        "lz4 (it starts with 04 22 4d 18)",
        REPACK,
    ),
    (b"PK\x03\x04", "a zip archive (it starts with PK)", REPACK),
    (
        b"7z\xBC\xAF\x27\x1C",
        "a 7z archive (it starts with 7z)",
        REPACK,
    ),
    (
        b"ARROW1",
        "an Arrow file (it starts with ARROW1)",
        "save it as Parquet",
    ),
    (
        b"PARE",
        "encrypted Parquet (it starts with PARE)",
        "decrypt it first",
    ),
    (
        b"\xFF\xFE",
        "UTF-16 text (it starts with ff fe)",
        "save it as UTF-8",
    ),
    (
        b"\xFE\xFF",
        "UTF-16 text (it starts with fe ff)",
        "save it as UTF-8",
    ),
];
const REPACK: &str = "decompress it, or compress it with gzip";

/// Classifies a file by its first `unpack::START_BYTES` bytes.
///
/// # Errors
/// [`SourceError::Unsupported`] for compressions and formats that are known but not supported.
pub(super) fn container(path: &Path, start: &[u8]) -> Result<Container, SourceError> {
    let unsupported = |what, advice| {
        Err(SourceError::Unsupported {
            path: path.to_owned(),
            what,
            advice,
        })
    };
    if start.starts_with(b"PAR1") {
        return Ok(Container::Parquet);
    }
    let packing = Packing::of(start);
    if packing.is_packed() {
        return Ok(Container::Text(packing));
    }
    for (magic, what, advice) in UNSUPPORTED {
        if start.starts_with(magic) {
            return unsupported(what, advice);
        }
    }
    Ok(Container::Text(Packing::None))
}

/// Checks that the head of a file is text, perhaps with some Latin-1: no NUL byte, and at most 30 % of its bytes
/// neither UTF-8 nor printable.
pub(super) fn check_text(path: &Path, head: &[u8]) -> Result<(), SourceError> {
    let not_text = |offset: usize| {
        Err(SourceError::NotText {
            path: path.to_owned(),
            offset: offset as u64,
        })
    };
    if let Some(nul) = memchr::memchr(0, head) {
        return not_text(nul);
    }
    let (mut odd_bytes, mut first_odd, mut at) = (0, None, 0);
    for chunk in head.utf8_chunks() {
        for (i, byte) in chunk.valid().bytes().enumerate() {
            let blank = byte.is_ascii_whitespace() || byte == 0x0B;
            if byte.is_ascii_control() && !blank {
                odd_bytes += 1;
                first_odd.get_or_insert(at + i);
            }
        }
        at += chunk.valid().len();
        if !chunk.invalid().is_empty() {
            odd_bytes += chunk.invalid().len();
            first_odd.get_or_insert(at);
            at += chunk.invalid().len();
        }
    }
    match first_odd {
        Some(offset) if odd_bytes * 10 > head.len() * 3 => not_text(offset),
        _ => check_line_ends(path, head),
    }
}

/// Refuses lines that end with `\r` alone (old Macs): the whole file would be one line.
fn check_line_ends(path: &Path, head: &[u8]) -> Result<(), SourceError> {
    let inner = head.trim_ascii();
    if memchr::memchr(b'\r', inner).is_some() && memchr::memchr(b'\n', inner).is_none() {
        return Err(SourceError::Unsupported {
            path: path.to_owned(),
            what: "text whose lines end with CR alone",
            advice: "convert its line ends to LF",
        });
    }
    Ok(())
}

/// The format of a text file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextFormat {
    Smiles,
    /// A table, and the byte between its fields.
    Delimited(u8),
    Sdf,
}

impl From<TextFormat> for InputFormat {
    fn from(format: TextFormat) -> InputFormat {
        match format {
            TextFormat::Smiles => InputFormat::Smiles,
            TextFormat::Delimited(b'\t') => InputFormat::Tsv,
            TextFormat::Delimited(_) => InputFormat::Csv,
            TextFormat::Sdf => InputFormat::Sdf,
        }
    }
}

/// Detects the format of a text file from its head, its first non-blank line and its extension.
pub(super) fn text_format(
    path: &Path,
    head: &[u8],
    first_line: &[u8],
    choice: &ColumnChoice,
) -> Result<TextFormat, SourceError> {
    let extension = of_extension(path);
    if extension == Some(InputFormat::Parquet) {
        let reason = "it doesn't start with PAR1, so it is no Parquet file";
        return Err(SourceError::corrupt(path, reason));
    }
    if extension == Some(InputFormat::Sdf) || looks_like_sdf(head) {
        return Ok(TextFormat::Sdf);
    }
    let header = delimiter_of_header(first_line, choice, extension);
    match extension {
        Some(InputFormat::Csv) => Ok(TextFormat::Delimited(
            header.unwrap_or_else(|| likely_delimiter(first_line, b',')),
        )),
        Some(InputFormat::Tsv) => Ok(TextFormat::Delimited(
            header.unwrap_or_else(|| likely_delimiter(first_line, b'\t')),
        )),
        _ => match (header, extension) {
            (Some(delimiter), _) if !is_smiles_header(first_line, delimiter) => {
                Ok(TextFormat::Delimited(delimiter))
            }
            (Some(delimiter), None) => Ok(TextFormat::Delimited(delimiter)),
            (_, Some(_)) => Ok(TextFormat::Smiles),
            (None, None) => Err(SourceError::UnknownFormat {
                path: path.to_owned(),
                extensions: EXTENSIONS,
            }),
        },
    }
}

const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// The delimiter that splits `line` into a header of two or more columns, one of them with SMILES.
fn delimiter_of_header(
    line: &[u8],
    choice: &ColumnChoice,
    extension: Option<InputFormat>,
) -> Option<u8> {
    // A chosen number is no name, so look for the usual names.
    let chosen = match choice.smiles_number() {
        Some(_) => None,
        None => choice.smiles.as_deref(),
    };
    let preferred = if extension == Some(InputFormat::Tsv) {
        b'\t'
    } else {
        b','
    };
    let others = DELIMITERS.into_iter().filter(|&d| d != preferred);
    std::iter::once(preferred).chain(others).find(|&delimiter| {
        header_fields(line, delimiter).is_ok_and(|fields| {
            fields.len() > 1 && columns::find(&fields, chosen, ColumnRole::Smiles).is_some()
        })
    })
}

/// The delimiter that splits `line` into the most fields; `preferred` among equals. Also `preferred` if no delimiter
/// splits `line`; the caller then reports the missing column.
fn likely_delimiter(line: &[u8], preferred: u8) -> u8 {
    let fields = |delimiter| header_fields(line, delimiter).map(|fields| fields.len());
    let Ok(mut most) = fields(preferred) else {
        return preferred;
    };
    let mut likely = preferred;
    for delimiter in DELIMITERS {
        if let Ok(count) = fields(delimiter)
            && count > most
        {
            (likely, most) = (delimiter, count);
        }
    }
    likely
}

/// A header that a SMILES file may have: the SMILES, a tab, and at most one name.
fn is_smiles_header(line: &[u8], delimiter: u8) -> bool {
    delimiter == b'\t'
        && names_smiles(split(line.trim_ascii()).0)
        && header_fields(line, delimiter).is_ok_and(|fields| fields.len() <= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(name: &str, text: &str) -> Result<TextFormat, SourceError> {
        let first = text.lines().next().unwrap_or_default();
        text_format(
            Path::new(name),
            text.as_bytes(),
            first.as_bytes(),
            &ColumnChoice::default(),
        )
    }

    #[test]
    fn content_goes_before_the_extension() {
        let cases: [(&str, &str, TextFormat); 11] = [
            ("a.smi", "CCO ethanol\n", TextFormat::Smiles),
            ("a.smi.gz", "smiles id\nCCO 1\n", TextFormat::Smiles),
            ("a.smi", "smiles\tid\nCCO\t1\n", TextFormat::Smiles),
            ("a.smi", "id\tsmiles\n", TextFormat::Delimited(b'\t')),
            ("a.txt", "smiles\tid\tmw\n", TextFormat::Delimited(b'\t')),
            ("a.txt", "id,smiles\n", TextFormat::Delimited(b',')),
            ("a.csv", "\"id\";\"SMILES\"\n", TextFormat::Delimited(b';')),
            ("a.csv", "a\tb\tc\n", TextFormat::Delimited(b'\t')),
            ("a.tsv", "smiles\n", TextFormat::Delimited(b'\t')),
            ("a.txt", "t\n\n\n\nM  END\n", TextFormat::Sdf),
            ("a", "smiles,id\n", TextFormat::Delimited(b',')),
        ];
        for (name, text, expected) in cases {
            assert_eq!(format(name, text), Ok(expected), "{name}: {text:?}");
        }
        assert!(matches!(
            format("library", "CCO 1\n"),
            Err(SourceError::UnknownFormat { .. })
        ));
        assert!(matches!(
            format("a.parquet", "CCO 1\n"),
            Err(SourceError::Corrupt { .. })
        ));
    }

    #[test]
    fn latin_1_is_text_and_binary_is_not() {
        let path = Path::new("f.smi");
        let mut text = b"CCO caf\xE9\n".repeat(100);
        assert_eq!(check_text(path, &text), Ok(()));
        text[20] = 0;
        assert_eq!(
            check_text(path, &text),
            Err(SourceError::NotText {
                path: path.into(),
                offset: 20
            })
        );
        let noise: Vec<u8> = (0..4096u32).map(|i| (i * 7 % 255 + 1) as u8).collect();
        assert!(matches!(
            check_text(path, &noise),
            Err(SourceError::NotText { .. })
        ));
        // a character parted by the end of the head is no odd byte worth an error
        assert_eq!(check_text(path, "CCO é".as_bytes()[..5].as_ref()), Ok(()));
    }
}
