//! Why a row of the input can't be used: a fixed word ([`RejectCode`]) that programs can group by, and a sentence for
//! people.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::REASON_BYTES_MAX;

/// The kind of a reject: column `code` of `rejects.parquet`. The words are part of the output contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum RejectCode {
    /// The row has no SMILES, or a molecule without atoms.
    Empty,
    /// The text is not UTF-8, or contains a NUL byte, a line break or another control character.
    Encoding,
    /// The row, its SMILES, its mol block or its molecule is larger than molsieve accepts.
    TooLarge,
    /// A line of a table is not a record of it: it has another number of fields than the header, or a quote that is
    /// not closed.
    Table,
    /// A record of an SD file is incomplete, or RDKit can't read its mol block.
    Sdf,
    /// RDKit can't parse the SMILES or its CXSMILES extension.
    Syntax,
    /// RDKit rejects the valence of an atom.
    Valence,
    /// RDKit finds no Kekulé form of the aromatic atoms.
    Kekulize,
    /// RDKit can't sanitize the molecule for another reason.
    Sanitize,
    /// RDKit reads the molecule but can't write its SMILES.
    Write,
    /// RDKit worked on the row for longer than `--parent-timeout` without giving a product.
    Timeout,
    /// RDKit crashed on the row.
    Crash,
    /// RDKit failed in another way. Products that it made before the failure are kept.
    Rdkit,
    /// RDKit reads the molecule but can't clean it (`--clean`).
    Clean,
}

impl RejectCode {
    /// All codes; the number of a code is its index here.
    pub const ALL: [Self; 14] = [
        Self::Empty,
        Self::Encoding,
        Self::TooLarge,
        Self::Table,
        Self::Sdf,
        Self::Syntax,
        Self::Valence,
        Self::Kekulize,
        Self::Sanitize,
        Self::Write,
        Self::Timeout,
        Self::Crash,
        Self::Rdkit,
        Self::Clean,
    ];

    /// The word in the column `code`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Encoding => "encoding",
            Self::TooLarge => "too_large",
            Self::Table => "table",
            Self::Sdf => "sdf",
            Self::Syntax => "syntax",
            Self::Valence => "valence",
            Self::Kekulize => "kekulize",
            Self::Sanitize => "sanitize",
            Self::Write => "write",
            Self::Timeout => "timeout",
            Self::Crash => "crash",
            Self::Rdkit => "rdkit",
            Self::Clean => "clean",
        }
    }

    /// The code of this number; `None` if there is none.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// A rejection with this code.
    pub fn because(self, reason: impl Into<String>) -> Rejection {
        Rejection {
            code: self,
            reason: reason.into(),
        }
    }
}

impl fmt::Display for RejectCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a row can't be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{reason}")]
pub struct Rejection {
    /// The kind.
    pub code: RejectCode,
    /// A sentence for people.
    pub reason: String,
}

impl Rejection {
    /// The same with a reason of at most [`REASON_BYTES_MAX`] bytes, cut between characters.
    pub fn shortened(mut self) -> Self {
        let end = self.reason.floor_char_boundary(REASON_BYTES_MAX);
        self.reason.truncate(end);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_its_word_and_its_number() {
        for (number, code) in RejectCode::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, number);
            assert_eq!(RejectCode::from_number(number as u8), Some(code));
            let json = serde_json::to_string(&code).unwrap();
            assert_eq!(json, format!("\"{code}\""));
            assert_eq!(serde_json::from_str::<RejectCode>(&json).unwrap(), code);
        }
        assert_eq!(RejectCode::from_number(RejectCode::ALL.len() as u8), None);
        assert!(serde_json::from_str::<RejectCode>("\"Syntax\"").is_err());
    }
}
