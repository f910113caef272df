//! Job files: TOML with the keys of [`JobSettings`].

use std::{io::ErrorKind, path::Path};

use super::{error::ConfigError, path::read_path, settings::JobSettings};
use crate::{store::plain, table::source::names_a_format};

/// First words of every job file that a job wrote.
pub const WRITTEN_BY: &str = "# Written by molsieve ";

impl JobSettings {
    /// Reads a job file. Relative paths in it start at the folder of the file.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
            ErrorKind::InvalidData | ErrorKind::IsADirectory => no_job_file(path, "--input"),
            _ => ConfigError::Unreadable {
                path: path.into(),
                reason: plain(&error),
            },
        })?;
        if let Some(flag) = flag_of(path, &text) {
            return Err(no_job_file(path, flag));
        }
        let settings: Self = toml::from_str(&text).map_err(|error| {
            let before = &text[..error.span().map_or(0, |span| span.start)];
            ConfigError::Syntax {
                path: path.into(),
                line: before.matches('\n').count() + 1,
                column: before.chars().rev().take_while(|c| *c != '\n').count() + 1,
                reason: error.message().lines().collect::<Vec<_>>().join(" "),
            }
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let settings = settings.with_paths(|path| folder.join(read_path(path.into())));
        Ok(Self {
            job_file: Some(path.into()),
            ..settings
        })
    }

    /// The text of a job file with these settings, in which no path may be relative or other than UTF-8 (see
    /// [`JobSpec::written`](super::JobSpec::written)).
    pub fn to_job_file(&self) -> String {
        let text = toml::to_string(self).expect("settings are texts, numbers and lists");
        let version = env!("CARGO_PKG_VERSION");
        format!("{WRITTEN_BY}{version}: every setting as resolved.\n{text}")
    }
}

fn no_job_file(path: &Path, flag: &'static str) -> ConfigError {
    let path = path.into();
    ConfigError::NoJobFile { path, flag }
}

/// The flag that takes a file which is not a job file, judged by its name and its keys.
fn flag_of(path: &Path, text: &str) -> Option<&'static str> {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    if extension == "yaml" || extension == "yml" {
        return Some("--rules");
    }
    if names_a_format(path) {
        let header = text.lines().next().unwrap_or_default();
        let is_rules = header.to_ascii_lowercase().contains("smirks");
        return Some(if is_rules { "--rules" } else { "--input" });
    }
    let keys: toml::Table = text.parse().ok()?;
    let lists_rules = ["rule", "rules", "reactions"]
        .iter()
        .filter_map(|key| keys.get(*key)?.as_array()?.first())
        .any(toml::Value::is_table);
    lists_rules.then_some("--rules")
}
