//! `--require-smarts` and `--reject-smarts`: a SMARTS, or a file of them.

use std::{
    convert::Infallible,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

/// Endings of files of SMARTS.
const ENDINGS: [&str; 5] = [".smarts", ".sma", ".txt", ".smi", ".tsv"];
/// What marks a file of any other name.
const MARK: char = '@';

/// A SMARTS, or a file of them: its name ends with `.smarts`, `.sma`, `.txt`, `.smi` or `.tsv`, or `@` stands before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum SmartsSource {
    /// The SMARTS itself.
    Text(String),
    /// A file.
    File(PathBuf),
}

impl From<String> for SmartsSource {
    fn from(text: String) -> Self {
        let named = text.strip_prefix(MARK);
        match named {
            Some(path) => Self::File(path.into()),
            None if ENDINGS.iter().any(|ending| text.ends_with(ending)) => Self::File(text.into()),
            None => Self::Text(text.trim().into()),
        }
    }
}

impl SmartsSource {
    /// The path, if it is a file.
    pub fn path_mut(&mut self) -> Option<&mut PathBuf> {
        match self {
            Self::Text(_) => None,
            Self::File(path) => Some(path),
        }
    }
}

impl FromStr for SmartsSource {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.to_owned().into())
    }
}

impl From<SmartsSource> for String {
    fn from(source: SmartsSource) -> Self {
        match source {
            SmartsSource::Text(text) => text,
            SmartsSource::File(path) => format!("{MARK}{}", path.display()),
        }
    }
}

impl fmt::Display for SmartsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::File(path) => path
                .file_name()
                .unwrap_or(path.as_os_str())
                .display()
                .fmt(f),
        }
    }
}

/// A SMARTS with its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern {
    /// The SMARTS.
    pub smarts: String,
    /// Its name in the file; the SMARTS where there is none.
    pub name: String,
    /// Its line, from 1; 0 if it is not in a file.
    pub line: u64,
}

impl Pattern {
    /// A SMARTS that is not in a file.
    pub(super) fn alone(smarts: &str) -> Self {
        Self {
            smarts: smarts.into(),
            name: smarts.into(),
            line: 0,
        }
    }

    /// The patterns of a file: one on each line, with a name behind it. Lines that are empty or begin with `#` are left
    /// out.
    pub(super) fn all_of(content: &str) -> Vec<Self> {
        let lines = content.trim_start_matches('\u{feff}').lines().zip(1..);
        let lines = lines.map(|(line, number)| (line.trim(), number));
        lines
            .filter(|(line, _)| !line.is_empty() && !line.starts_with('#'))
            .map(|(line, number)| {
                let (smarts, name) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
                let name = if name.trim().is_empty() { smarts } else { name };
                Self {
                    smarts: smarts.into(),
                    name: name.trim().into(),
                    line: number,
                }
            })
            .collect()
    }

    /// Where it stands: the file with the line, or nothing.
    pub fn place(&self, file: Option<&Path>) -> String {
        match file {
            Some(path) => format!("{}:{}: ", path.display(), self.line),
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_ending_or_by_a_mark() {
        let file = |path: &str| SmartsSource::File(path.into());
        let text = |smarts: &str| SmartsSource::Text(smarts.into());
        for (given, source) in [
            ("[N+](=O)[O-]", text("[N+](=O)[O-]")),
            ("C/C=C/C", text("C/C=C/C")),
            ("alerts.smarts", file("alerts.smarts")),
            ("/lists/alerts.txt", file("/lists/alerts.txt")),
            ("@alerts", file("alerts")),
        ] {
            assert_eq!(given.parse::<SmartsSource>().unwrap(), source);
            let json = serde_json::to_string(&source).unwrap();
            assert_eq!(serde_json::from_str::<SmartsSource>(&json).unwrap(), source);
        }
    }

    #[test]
    fn a_file_has_a_smarts_and_a_name_on_each_line() {
        let content = "# alerts\n\n[N+](=O)[O-]\tnitro group\r\n  C=O  \n";
        let patterns = Pattern::all_of(content);
        let read: Vec<_> = patterns
            .iter()
            .map(|p| (p.smarts.as_str(), p.name.as_str(), p.line))
            .collect();
        assert_eq!(
            read,
            [("[N+](=O)[O-]", "nitro group", 3), ("C=O", "C=O", 4)]
        );
    }
}
