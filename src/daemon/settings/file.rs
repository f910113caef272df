//! Reading the configuration file: TOML, of which each value has its place.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use super::kind::Setting;
use crate::{
    config::ConfigError,
    limits::SERVE_FILE_BYTES_MAX,
    named::{nearest, suggestion},
    store::plain,
};

/// A place in the file: line and column from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// 1-based.
    pub line: usize,
    /// 1-based.
    pub column: usize,
}

/// A table of the file, from which settings are taken until none is left.
#[derive(Clone, Debug)]
pub(super) struct Table {
    source: Arc<Source>,
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Source {
    path: PathBuf,
    text: String,
}

#[derive(Clone, Debug)]
struct Entry {
    key_at: usize,
    value_at: usize,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Value(toml::Value),
    Table(BTreeMap<String, Entry>),
}

impl Table {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = read_text(path).map_err(|reason| ConfigError::Unreadable {
            path: path.into(),
            reason,
        })?;
        let source = Source {
            path: path.into(),
            text,
        };
        let entries = match DeTable::parse(&source.text) {
            Ok(table) => entries(table.get_ref()),
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                let reason = error.message().lines().collect::<Vec<_>>().join(" ");
                return Err(source.wrong(source.place(at), reason));
            }
        };
        Ok(Self {
            source: Arc::new(source),
            entries,
        })
    }

    /// Takes a setting out of the table, with the place of its value.
    pub(super) fn take<T: Setting>(
        &mut self,
        key: &str,
    ) -> Result<Option<(T, Place)>, ConfigError> {
        let Some(entry) = self.entries.remove(key) else {
            return Ok(None);
        };
        let place = self.source.place(entry.value_at);
        let expected = T::EXPECTED;
        let value = match entry.content {
            Content::Value(value) if T::takes(&value) => value,
            Content::Value(value) => {
                let reason = format!("{key} must be {expected}, not {value}");
                return Err(self.wrong(place, reason));
            }
            Content::Table(_) => {
                let reason = format!("{key} must be {expected}, not a table");
                return Err(self.wrong(place, reason));
            }
        };
        match T::deserialize(value) {
            Ok(value) => {
                let folder = self.source.path.parent().unwrap_or(Path::new(""));
                Ok(Some((value.in_folder(folder), place)))
            }
            Err(error) => {
                let reason = error.message().lines().collect::<Vec<_>>().join(" ");
                Err(self.wrong(place, format!("{key}: {reason}")))
            }
        }
    }

    /// Takes a table out of this one.
    pub(super) fn take_table(&mut self, key: &str) -> Result<Option<Self>, ConfigError> {
        let Some(entry) = self.entries.remove(key) else {
            return Ok(None);
        };
        match entry.content {
            Content::Table(entries) => Ok(Some(Self {
                source: Arc::clone(&self.source),
                entries,
            })),
            Content::Value(value) => {
                let reason = format!("{key} must be a table, not {value}");
                Err(self.wrong(self.source.place(entry.value_at), reason))
            }
        }
    }

    /// The tables of this one, each with its name and the place of the name.
    pub(super) fn take_tables(&mut self) -> Result<Vec<(String, Place, Self)>, ConfigError> {
        let names = self.entries.iter();
        let mut names: Vec<_> = names
            .map(|(name, entry)| (entry.key_at, name.clone()))
            .collect();
        names.sort_unstable();
        let tables = names.into_iter().filter_map(|(at, name)| {
            let place = self.source.place(at);
            let table = self.take_table(&name).transpose()?;
            Some(table.map(|table| (name, place, table)))
        });
        tables.collect()
    }

    /// Refuses what is left: keys that are not known.
    pub(super) fn finish(self, known: &[&str]) -> Result<(), ConfigError> {
        let Some((key, entry)) = self.entries.iter().min_by_key(|(_, entry)| entry.key_at) else {
            return Ok(());
        };
        let near = nearest(key, known);
        let reason = format!("unknown key \"{key}\"; {}", suggestion(near, known));
        Err(self.wrong(self.source.place(entry.key_at), reason))
    }

    /// Takes a setting and checks its range.
    pub(super) fn take_checked<T: Setting>(
        &mut self,
        key: &'static str,
        range: Option<&RangeInclusive<T>>,
    ) -> Result<Option<(T, Place)>, ConfigError> {
        let Some((value, place)) = self.take::<T>(key)? else {
            return Ok(None);
        };
        match value.checked(key, range) {
            Ok(value) => Ok(Some((value, place))),
            Err(ConfigError::Value { reason, .. }) => {
                Err(self.wrong(place, format!("{key}: {reason}")))
            }
            Err(other) => Err(other),
        }
    }

    /// An error at a place of the file.
    pub(super) fn wrong(&self, place: Place, reason: String) -> ConfigError {
        self.source.wrong(place, reason)
    }
}

impl Source {
    fn place(&self, byte: usize) -> Place {
        let before = self.text.get(..byte).unwrap_or_default();
        Place {
            line: before.matches('\n').count() + 1,
            column: before.chars().rev().take_while(|c| *c != '\n').count() + 1,
        }
    }

    fn wrong(&self, place: Place, reason: String) -> ConfigError {
        ConfigError::Syntax {
            path: self.path.clone(),
            line: place.line,
            column: place.column,
            reason,
        }
    }
}

/// The text of a file, or why it can't be read.
fn read_text(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|error| plain(&error))?;
    let mut text = String::new();
    let most = SERVE_FILE_BYTES_MAX as u64;
    let read = file.take(most + 1).read_to_string(&mut text);
    read.map_err(|error| plain(&error))?;
    if text.len() > SERVE_FILE_BYTES_MAX {
        return Err(format!("larger than {most} bytes"));
    }
    Ok(text)
}

fn entries(table: &DeTable<'_>) -> BTreeMap<String, Entry> {
    let entry = |key: &Spanned<_>, value: &Spanned<DeValue<'_>>| Entry {
        key_at: key.span().start,
        value_at: value.span().start,
        content: match value.get_ref() {
            DeValue::Table(table) => Content::Table(entries(table)),
            other => Content::Value(owned(other)),
        },
    };
    let entries = table.iter();
    entries
        .map(|(key, value)| (key.get_ref().to_string(), entry(key, value)))
        .collect()
}

/// Recursion is bounded: the parser refuses more than 80 levels.
fn owned(value: &DeValue<'_>) -> toml::Value {
    match value {
        DeValue::String(text) => toml::Value::String(text.to_string()),
        DeValue::Integer(number) => {
            let whole = i64::from_str_radix(number.as_str(), number.radix());
            toml::Value::Integer(whole.unwrap_or(i64::MAX))
        }
        DeValue::Float(number) => {
            toml::Value::Float(number.as_str().parse().unwrap_or(f64::INFINITY))
        }
        DeValue::Boolean(flag) => toml::Value::Boolean(*flag),
        DeValue::Datetime(time) => toml::Value::Datetime(*time),
        DeValue::Array(items) => {
            toml::Value::Array(items.iter().map(|item| owned(item.get_ref())).collect())
        }
        DeValue::Table(table) => {
            let entries = table.iter();
            let pairs =
                entries.map(|(key, value)| (key.get_ref().to_string(), owned(value.get_ref())));
            toml::Value::Table(pairs.collect())
        }
    }
}
