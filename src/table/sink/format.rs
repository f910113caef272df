//! `--format`, `--coordinates` and `--columns`: how rows become files.

use std::{fmt, path::Path, str::FromStr};

use arrow::datatypes::Schema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// `--format`: what a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum OutputFormat {
    /// Parquet, with pages compressed by `--compression`.
    Parquet,
    /// Text, and how the file is compressed.
    Text(TextKind, TextCompression),
}

/// A format of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    /// A SMILES, a tab and a name on each line.
    Smi,
    /// A header and a record for each row.
    Csv,
    /// A mol block and data items for each row.
    Sdf,
}

/// How a text file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextCompression {
    /// It is not.
    None,
    /// gzip, one member.
    Gzip,
    /// Zstandard, one frame.
    Zstd,
}

/// Each format, by its name, which is the extension of its files too.
const FORMATS: [(&str, OutputFormat); 10] = {
    use OutputFormat::{Parquet, Text};
    use TextCompression::{Gzip, None, Zstd};
    use TextKind::{Csv, Sdf, Smi};
    [
        ("parquet", Parquet),
        ("smi", Text(Smi, None)),
        ("smi.gz", Text(Smi, Gzip)),
        ("smi.zst", Text(Smi, Zstd)),
        ("csv", Text(Csv, None)),
        ("csv.gz", Text(Csv, Gzip)),
        ("csv.zst", Text(Csv, Zstd)),
        ("sdf", Text(Sdf, None)),
        ("sdf.gz", Text(Sdf, Gzip)),
        ("sdf.zst", Text(Sdf, Zstd)),
    ]
};

impl OutputFormat {
    /// The names of all formats.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FORMATS.into_iter().map(|(name, _)| name)
    }

    /// Its name, which is the extension of its files.
    pub fn name(self) -> &'static str {
        let found = FORMATS.into_iter().find(|(_, format)| *format == self);
        found.expect("the list has all formats").0
    }

    /// The format of a file by its name.
    pub fn of_file(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let has = |extension: &str| {
            let stem = name.strip_suffix(extension);
            stem.is_some_and(|stem| stem.ends_with('.'))
        };
        // Of "smi.gz" and "gz", only the longer is a format.
        let found = FORMATS.into_iter().find(|(extension, _)| has(extension));
        found.map(|(_, format)| format)
    }

    /// The kind of text; `None` for Parquet.
    pub fn text(self) -> Option<TextKind> {
        match self {
            Self::Parquet => None,
            Self::Text(kind, _) => Some(kind),
        }
    }
}

impl FromStr for OutputFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = FORMATS.into_iter().find(|(name, _)| *name == text);
        found.map(|(_, format)| format).ok_or_else(|| {
            format!(
                "`{text}` is not a format; use parquet, smi, csv or sdf, or one of the last three with .gz or .zst, such as \
                 smi.gz"
            )
        })
    }
}

impl fmt::Display for OutputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl TryFrom<String> for OutputFormat {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<OutputFormat> for String {
    fn from(format: OutputFormat) -> Self {
        format.name().into()
    }
}

/// `--coordinates`: which molecules of an SDF have 2D coordinates. The coordinates of the others are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Coordinates {
    /// Those with stereo, which a mol block can't state otherwise.
    #[default]
    Stereo,
    /// All.
    #[serde(rename = "2d")]
    All,
}

/// The column of the ids of reagents.
pub(super) const REAGENT_IDS: &str = "reagent_ids";

/// What names a row in a line of SMILES and in the title of a mol block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowName {
    /// The id of its parent, where a row is a molecule of the library.
    Parent,
    /// Parent, reagents, rule, site and the start of the key.
    Product,
    /// Root, step, rule, site and the start of the key.
    ProductOfSteps,
}

impl RowName {
    /// The columns of which a name is made, beside the key. The reagents are optional.
    pub(super) fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Parent => &["parent_id"],
            Self::Product => &["parent_id", "rule", "site", REAGENT_IDS],
            Self::ProductOfSteps => &["root_id", "step", "rule", "site", REAGENT_IDS],
        }
    }

    /// Of rows that rules have made, and of a job of several steps.
    pub fn of(is_derived: bool, has_steps: bool) -> Self {
        match (is_derived, has_steps) {
            (false, _) => Self::Parent,
            (true, false) => Self::Product,
            (true, true) => Self::ProductOfSteps,
        }
    }
}

/// `--columns`: names of columns, in the order in which they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnNames(Vec<String>);

impl ColumnNames {
    /// The names.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    fn checked(names: Vec<String>) -> Result<Self, String> {
        if names.iter().any(String::is_empty) || names.is_empty() {
            return Err("a name is missing; use names such as smiles,parent_id".into());
        }
        for (place, name) in names.iter().enumerate() {
            if names[..place].contains(name) {
                return Err(format!("\"{name}\" is named twice"));
            }
        }
        Ok(Self(names))
    }
}

impl FromStr for ColumnNames {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::checked(text.split(',').map(|name| name.trim().into()).collect())
    }
}

impl fmt::Display for ColumnNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

impl Serialize for ColumnNames {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

impl<'de> Deserialize<'de> for ColumnNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::checked(Vec::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Rows have no column of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{wanted_by}: there is no column \"{name}\"; there are {there}")]
pub struct UnknownColumn {
    /// What asks for it.
    pub wanted_by: String,
    /// The name.
    pub name: String,
    /// The names of the columns, with commas between them.
    pub there: String,
}

impl UnknownColumn {
    fn new(wanted_by: &str, name: &str, schema: &Schema) -> Self {
        let fields = schema.fields().iter();
        let there: Vec<_> = fields.map(|field| field.name().as_str()).collect();
        Self {
            wanted_by: wanted_by.into(),
            name: name.into(),
            there: there.join(", "),
        }
    }
}

/// The place of a column in a schema.
pub fn column_place(schema: &Schema, name: &str, wanted_by: &str) -> Result<usize, UnknownColumn> {
    let place = schema
        .fields()
        .iter()
        .position(|field| field.name() == name);
    place.ok_or_else(|| UnknownColumn::new(wanted_by, name, schema))
}

/// The places of the columns to write: those that are named, or all.
pub fn places(schema: &Schema, names: Option<&ColumnNames>) -> Result<Vec<usize>, UnknownColumn> {
    match names {
        None => Ok((0..schema.fields().len()).collect()),
        Some(names) => names
            .iter()
            .map(|name| column_place(schema, name, "--columns"))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field};

    use super::*;
    use crate::store::{part_name, part_number};

    #[test]
    fn every_format_is_read_back_from_its_name_and_from_a_file() {
        for name in OutputFormat::names() {
            let format: OutputFormat = name.parse().unwrap();
            assert_eq!(format.to_string(), name);
            let file = format!("/a/b.{name}").to_uppercase();
            assert_eq!(
                OutputFormat::of_file(Path::new(&file)),
                Some(format),
                "{file}"
            );
            let part = part_name(7, name);
            assert_eq!(part_number(Path::new(&part)), Some(7), "{part}");
        }
        for name in ["", "smiles", "smi.xz", "parquet.gz", "gz", ".smi"] {
            assert!(name.parse::<OutputFormat>().is_err(), "{name}");
        }
        for file in ["smi", "a.gz", "a.smi.bz2", "asmi"] {
            assert_eq!(OutputFormat::of_file(Path::new(file)), None, "{file}");
        }
    }

    #[test]
    fn columns_are_those_that_are_named_in_their_order() {
        let fields = ["smiles", "key", "mw"].map(|name| Field::new(name, DataType::Utf8, true));
        let schema = Schema::new(fields.to_vec());
        let of = |text: &str| places(&schema, Some(&text.parse().unwrap()));
        assert_eq!(of("mw, smiles"), Ok(vec![2, 0]));
        assert_eq!(places(&schema, None), Ok(vec![0, 1, 2]));
        assert_eq!(
            of("mw,id").unwrap_err().to_string(),
            "--columns: there is no column \"id\"; there are smiles, key, mw"
        );
        assert!("a,,b".parse::<ColumnNames>().is_err());
        assert_eq!(
            "a,b,a".parse::<ColumnNames>(),
            Err("\"a\" is named twice".into())
        );
    }
}
