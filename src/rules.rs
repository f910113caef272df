//! Reads rule files (TOML, YAML, CSV, TSV, and the lists of other tools) into a checked [`RuleSet`].
//!
//! This module makes every check that needs no RDKit, once: each name is valid and unique over all files, each
//! SMIRKS is one reaction with balanced brackets, each reactant is the parent or has reagents, and no key is unknown,
//! no value empty or over a limit. `chem` compiles the rules and finds what RDKit refuses; [`Rule::origin`] says where
//! that is in the file.
//!
//! A file of more than [`RULE_FILE_BYTES_MAX`] is refused; the parsers' trees take several times the size of the
//! file. All lengths are in bytes; lines and columns count from 1.

mod draft;
mod error;
mod foreign;
mod foreign_lists;
#[cfg(test)]
mod foreign_tests;
mod format_json;
mod format_list;
mod format_table;
mod format_toml;
mod format_yaml;
mod note;
mod place;
mod reactants;
mod record;
mod rule;
mod smirks;
mod source;
#[cfg(test)]
mod tests;
mod toml_text;

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use error::{RuleError, RuleFault};
use foreign::{Surroundings, translate};
use note::Notes;
pub use note::{NoteKind, RuleNote};
pub use place::{Position, TextPlace};
pub use rule::{Example, Origin, Rule};
use source::{Format, Node, Source};
pub use toml_text::to_toml;

pub use crate::limits::{
    ERRORS_MAX, LABEL_BYTES_MAX, NAME_BYTES_MAX, REACTANTS_MAX, RULE_FILE_BYTES_MAX, RULES_MAX,
    SMIRKS_BYTES_MAX,
};

/// The rules of a job, in the order of the files and within each file. They are well-formed, at most
/// [`RULES_MAX`], and their names are unique. Only a job that cleans a library has an empty set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
}

impl RuleSet {
    /// Loads the rules of all files; without files the set is empty.
    ///
    /// # Errors
    /// The first fault found, in the order of the files.
    pub fn load(files: &[PathBuf]) -> Result<RuleSet, RuleError> {
        let mut loader = Loader::new(1);
        files.iter().for_each(|file| loader.file(file));
        for note in std::mem::take(&mut loader.notes).into_list() {
            tracing::info!("{note}");
        }
        loader.finish()
    }

    /// Loads every valid rule and collects the errors: at most [`ERRORS_MAX`], and then one that says that there
    /// are more. Last the number of rules, invalid ones included.
    pub fn load_all(files: &[PathBuf]) -> (Vec<Rule>, Vec<RuleError>, usize) {
        let loaded = Loaded::of(files);
        (loaded.rules, loaded.errors, loaded.rules_seen)
    }

    /// The set of rules that were loaded together.
    pub(crate) fn of(rules: Vec<Rule>) -> RuleSet {
        RuleSet { rules }
    }

    /// Parses the rules in `text`; `file` is its name in messages, and its extension gives the format.
    ///
    /// # Errors
    /// The first fault found.
    pub fn parse(file: &Path, text: &str) -> Result<RuleSet, RuleError> {
        let mut loader = Loader::new(1);
        loader.text(file, text);
        loader.finish()
    }

    /// The rules, in the order in which they are applied.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Number of rules.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether the job has no rules and cleans a library.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

/// What rule files hold, faults included.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Every valid rule.
    pub rules: Vec<Rule>,
    /// At most [`ERRORS_MAX`], and then one that says that there are more.
    pub errors: Vec<RuleError>,
    /// What is left out of files of other tools; as many at most.
    pub notes: Vec<RuleNote>,
    /// Number of rules, invalid ones included.
    pub rules_seen: usize,
    /// Whether a file could not be read to its end.
    pub is_partial: bool,
}

impl Loaded {
    /// Loads all files.
    pub fn of(files: &[PathBuf]) -> Loaded {
        let mut loader = Loader::new(ERRORS_MAX);
        files.iter().for_each(|file| loader.file(file));
        Loaded {
            rules: loader.rules,
            errors: loader.errors,
            notes: loader.notes.into_list(),
            rules_seen: loader.rules_seen,
            is_partial: loader.is_partial || loader.stopped,
        }
    }
}

type Fault = (Position, RuleFault);
type Faults = Vec<Fault>;

/// Collects rules and errors over several files.
#[derive(Default)]
struct Loader {
    rules: Vec<Rule>,
    errors: Vec<RuleError>,
    errors_max: usize,
    notes: Notes,
    /// File and line of the first use of each name.
    names: HashMap<String, (Arc<Path>, usize)>,
    /// Rules seen, faulty ones included.
    rules_seen: usize,
    /// Set when the limit on rules or on errors is reached.
    stopped: bool,
    /// Set when a file is not read.
    is_partial: bool,
}

impl Loader {
    fn new(errors_max: usize) -> Loader {
        Loader {
            errors_max,
            ..Loader::default()
        }
    }

    fn finish(self) -> Result<RuleSet, RuleError> {
        match self.errors.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(RuleSet { rules: self.rules }),
        }
    }

    fn file(&mut self, file: &Path) {
        if self.stopped {
            return;
        }
        match read_text(file) {
            Ok(text) => self.text(file, &text),
            Err((position, fault)) => self.unread(&Arc::from(file), position, fault),
        }
    }

    fn text(&mut self, file: &Path, text: &str) {
        let file: Arc<Path> = Arc::from(file);
        let Some(format) = format_of(&file) else {
            return self.unread(&file, None, RuleFault::UnknownFormat);
        };
        let source = Source::new(text, format);
        let read = match self.document(&source, &file) {
            Ok((document, faults)) => foreign_lists::lists(&source, document)
                .map(|(document, notes)| (document, notes, faults)),
            Err(fault) => Err(fault),
        };
        let (document, notes, mut faults) = match read {
            Ok(read) => read,
            Err((position, fault)) => return self.unread(&file, Some(position), fault),
        };
        for (position, note) in notes {
            self.notes.add(&file, position, note);
        }
        let (nodes, more) = record::rule_nodes(&source, document);
        faults.extend(more);
        if nodes.is_empty() && faults.is_empty() {
            self.unread(&file, None, RuleFault::NoRules);
        }
        for (position, fault) in faults {
            self.fault(&file, Some(position), None, fault);
        }
        for node in nodes {
            if self.stopped {
                break;
            }
            self.rule(&source, &file, node);
        }
    }

    /// The tree of a file, and the faults of a table's header and rows.
    fn document(&mut self, source: &Source<'_>, file: &Path) -> Result<(Node, Faults), Fault> {
        let whole = |document| (document, Vec::new());
        match source.format {
            Format::Toml => format_toml::read(source).map(whole),
            Format::Yaml => format_yaml::read(source).map(whole),
            Format::Json => format_json::read(source).map(whole),
            Format::List => format_list::read(source, has_extension(file, "txt")).map(whole),
            Format::Table { delimiter } => {
                let read = format_table::read(source, delimiter);
                self.rules_seen += format_table::rows_left_out(&read);
                Ok(read)
            }
        }
    }

    fn rule(&mut self, source: &Source<'_>, file: &Arc<Path>, node: Node) {
        if self.rules_seen == RULES_MAX {
            let position = Some(source.position(node.at));
            self.stopped = true;
            return self.fault(file, position, None, RuleFault::TooManyRules);
        }
        self.rules_seen += 1;
        let stem = stem(file);
        let translated = translate(
            node,
            &Surroundings {
                source,
                stem: &stem,
                taken: &|name| self.names.contains_key(name),
                taken_here: &|name| self.names.get(name).is_some_and(|(at, _)| at == file),
            },
        );
        for (position, note) in translated.notes {
            self.notes.add(file, position, note);
        }
        let node = &translated.node;
        let mut parsed = record::read_rule(source, file, node);
        if !translated.faults.is_empty() {
            parsed.rule = None;
            parsed.faults.extend(translated.faults);
        }
        let name = parsed.named.as_ref().map(|(name, _)| name.as_str());
        let repeats = parsed.named.as_ref().and_then(|(name, position)| {
            let (first_file, first_line) = self.names.get(name)?.clone();
            let fault = RuleFault::DuplicateName {
                first_file,
                first_line,
            };
            Some((*position, fault))
        });
        let is_repeated = repeats.is_some();
        for (position, fault) in repeats.into_iter().chain(parsed.faults) {
            self.fault(file, Some(position), name, fault);
        }
        if is_repeated {
            return;
        }
        if let Some((name, position)) = parsed.named {
            self.names.insert(name, (file.clone(), position.line));
        }
        self.rules.extend(parsed.rule);
    }

    /// Records why a file was not read.
    fn unread(&mut self, file: &Arc<Path>, position: Option<Position>, fault: RuleFault) {
        self.is_partial = true;
        self.fault(file, position, None, fault);
    }

    fn fault(
        &mut self,
        file: &Arc<Path>,
        position: Option<Position>,
        rule: Option<&str>,
        fault: RuleFault,
    ) {
        let (rule, fault) = match self.errors.len().cmp(&self.errors_max) {
            Ordering::Less => (rule.map(Box::from), fault),
            Ordering::Equal => {
                self.stopped = true;
                (None, RuleFault::TooManyErrors)
            }
            Ordering::Greater => return,
        };
        self.errors.push(RuleError {
            file: file.clone(),
            position,
            rule,
            fault,
        });
    }
}

fn format_of(file: &Path) -> Option<Format> {
    let extension = file.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "toml" => Some(Format::Toml),
        "yaml" | "yml" => Some(Format::Yaml),
        "csv" => Some(Format::Table { delimiter: b',' }),
        "tsv" => Some(Format::Table { delimiter: b'\t' }),
        "json" => Some(Format::Json),
        "smirks" | "smarts" | "txt" => Some(Format::List),
        _ => None,
    }
}

fn has_extension(file: &Path, extension: &str) -> bool {
    let found = file.extension();
    found.is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

/// The name of a file without its extensions, for the names of its rules.
fn stem(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let end = name.find('.').filter(|end| *end > 0);
    error::printable(&name[..end.unwrap_or(name.len())])
}

/// The file's text. A file of unknown format is not opened, because it could be a device or very large.
fn read_text(file: &Path) -> Result<String, (Option<Position>, RuleFault)> {
    let format = format_of(file).ok_or((None, RuleFault::UnknownFormat))?;
    let unreadable = |error: std::io::Error| {
        let reason = error::printable(&crate::store::plain(&error));
        (None, RuleFault::Unreadable(reason))
    };
    let opened = File::open(file).map_err(unreadable)?;
    let mut bytes = Vec::new();
    opened
        .take(RULE_FILE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() > RULE_FILE_BYTES_MAX {
        return Err((None, RuleFault::FileTooLarge));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let valid = String::from_utf8_lossy(valid);
        let source = Source::new(&valid, format);
        let position = source.position(source.text.len());
        (Some(position), RuleFault::NotUtf8)
    })
}
