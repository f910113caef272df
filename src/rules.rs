//! Rule files: reading TOML, YAML, CSV and TSV into a [`RuleSet`] that holds no doubtful rule.
//!
//! Everything about a rule that can be told without RDKit is checked here, once: that its name is
//! one and is unique over all files, that its SMIRKS is one reaction of one reactant with balanced
//! brackets, that nothing is misspelt, empty or over a limit. Whether RDKit accepts the SMIRKS, the
//! patterns and the examples is found out by who compiles them; [`Rule::refusal`] then makes an
//! error that points into the file just as those here do.
//!
//! A file is read whole, and at most [`RULE_FILE_BYTES_MAX`] of it; the parsers' own trees take
//! several times that. All lengths are in bytes; lines and columns count from 1.

mod error;
mod format_table;
mod format_toml;
mod format_yaml;
mod place;
mod record;
mod smirks;
mod source;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use error::{RuleError, RuleFault};
pub use place::{Position, TextPlace};
use source::{Format, Source};

pub use crate::limits::{
    ERRORS_MAX, LABEL_BYTES_MAX, NAME_BYTES_MAX, RULE_FILE_BYTES_MAX, RULES_MAX, SMIRKS_BYTES_MAX,
};

/// The rules of a job in the order of the files given and within each: well-formed, at most
/// [`RULES_MAX`], their names unique. It is empty only for a job without rules, which cleans a
/// library.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
}

/// A reaction rule: what it is called, what it does, to what, and where it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Unique; 1 to [`NAME_BYTES_MAX`] bytes, no control characters, no blank at either end.
    pub name: String,
    /// Visible ASCII with exactly one `>>`, one reactant and one or more products.
    pub smirks: String,
    /// For people.
    pub label: Option<String>,
    /// From `tags` and `scope_classes`, in the order of the file.
    pub tags: Vec<String>,
    /// SMARTS; the atoms they match are protected from the rule.
    pub exclude: Vec<String>,
    /// SMARTS (`require` or `query_smarts`); the rule is applied only to parents that match it.
    pub require: Option<String>,
    /// Whether the rule is applied to the parent with its hydrogens as atoms (RDKit's `AddHs`), which are
    /// taken out of each product again (`RemoveHs`).
    pub add_hydrogens: bool,
    /// What the rule is known to make, for `molsieve rules check`.
    pub examples: Vec<Example>,
    /// Where it was read.
    pub origin: Origin,
}

/// A parent and everything that the rule makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// SMILES of the parent.
    pub from: String,
    /// SMILES of the products; none if the rule must leave the parent alone.
    pub to: Vec<String>,
    /// 1-based line of the example.
    pub line: usize,
    /// 1-based column of the example.
    pub column: usize,
}

/// Where the parts of a rule stand in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file, as it was named.
    pub file: Arc<Path>,
    /// Of the name.
    pub name: Position,
    /// Of every byte of the SMIRKS.
    pub smirks: TextPlace,
    /// Of each of [`Rule::exclude`].
    pub exclude: Vec<TextPlace>,
    /// Of [`Rule::require`].
    pub require: Option<TextPlace>,
}

/// A part of a rule that only RDKit can judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RulePart {
    /// The SMIRKS.
    Smirks,
    /// The SMARTS that a parent must match.
    Require,
    /// One of the SMARTS that protect atoms, by its index.
    Exclude(usize),
    /// One of the examples, by its index.
    Example(usize),
}

impl RuleSet {
    /// The rules of all files. No files, no rules.
    ///
    /// # Errors
    /// The first fault found, in the order of the files.
    pub fn load(files: &[PathBuf]) -> Result<RuleSet, RuleError> {
        let mut loader = Loader::new(1);
        files.iter().for_each(|file| loader.file(file));
        loader.finish()
    }

    /// Every rule that could be read, and every error found on the way: at most [`ERRORS_MAX`],
    /// and one more that says so.
    pub fn load_all(files: &[PathBuf]) -> (Vec<Rule>, Vec<RuleError>) {
        let (rules, errors, _) = Self::load_counted(files);
        (rules, errors)
    }

    /// As [`RuleSet::load_all`], and how many rules there are with those that can't be used.
    pub fn load_counted(files: &[PathBuf]) -> (Vec<Rule>, Vec<RuleError>, usize) {
        let mut loader = Loader::new(ERRORS_MAX);
        files.iter().for_each(|file| loader.file(file));
        (loader.rules, loader.errors, loader.rules_seen)
    }

    /// The rules of one text; `file` gives it a name for messages and, by its extension, a format.
    ///
    /// # Errors
    /// The first fault found.
    pub fn parse(file: &Path, text: &str) -> Result<RuleSet, RuleError> {
        let mut loader = Loader::new(1);
        loader.text(file, text);
        loader.finish()
    }

    /// No rules: the job cleans a library.
    pub fn empty() -> RuleSet {
        RuleSet::default()
    }

    /// In the order in which they are applied.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// How many rules.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether the job has no rules and cleans a library.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

/// `FILE:LINE:COLUMN` of the SMIRKS.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.smirks.start();
        let file = error::printable(&self.file.to_string_lossy());
        write!(f, "{file}:{line}:{column}")
    }
}

impl Rule {
    /// An error in a part that is well-formed but that RDKit refuses, or whose outcome is wrong.
    /// `byte` is where in the part's text, if that is known; an example has one place only.
    pub fn refusal(&self, part: RulePart, byte: Option<usize>, message: &str) -> RuleError {
        let byte = byte.unwrap_or(0);
        let place = |place: Option<&TextPlace>| place.map(|place| place.at(byte));
        let (key, position) = match part {
            RulePart::Smirks => ("smirks", place(Some(&self.origin.smirks))),
            RulePart::Require => ("require", place(self.origin.require.as_ref())),
            RulePart::Exclude(index) => ("exclude", place(self.origin.exclude.get(index))),
            RulePart::Example(index) => {
                let example = self.examples.get(index);
                let position = example.map(|Example { line, column, .. }| Position {
                    line: *line,
                    column: *column,
                });
                ("examples", position)
            }
        };
        RuleError {
            file: self.origin.file.clone(),
            position: Some(position.unwrap_or(self.origin.name)),
            rule: Some(self.name.as_str().into()),
            fault: RuleFault::Refused {
                key,
                message: error::printable(message),
            },
        }
    }
}

/// Gathers rules and errors over several files.
struct Loader {
    rules: Vec<Rule>,
    errors: Vec<RuleError>,
    errors_max: usize,
    /// Where each name was first given.
    names: HashMap<String, (Arc<Path>, usize)>,
    /// Rules seen, faulty ones included.
    rules_seen: usize,
    /// Set when a limit of the whole was reached.
    stopped: bool,
}

impl Loader {
    fn new(errors_max: usize) -> Loader {
        Loader {
            rules: Vec::new(),
            errors: Vec::new(),
            errors_max,
            names: HashMap::new(),
            rules_seen: 0,
            stopped: false,
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
            Err((position, fault)) => self.fault(&Arc::from(file), position, None, fault),
        }
    }

    fn text(&mut self, file: &Path, text: &str) {
        let file: Arc<Path> = Arc::from(file);
        let Some(format) = format_of(&file) else {
            self.fault(&file, None, None, RuleFault::UnknownFormat);
            return;
        };
        let source = Source::new(text, format);
        let read = match format {
            Format::Toml => format_toml::read(&source).map(|document| (document, Vec::new())),
            Format::Yaml => format_yaml::read(&source).map(|document| (document, Vec::new())),
            Format::Table { delimiter } => {
                let read = format_table::read(&source, delimiter);
                self.rules_seen += format_table::rows_left_out(&read);
                Ok(read)
            }
        };
        let (document, mut faults) = match read {
            Ok(read) => read,
            Err((position, fault)) => {
                self.fault(&file, Some(position), None, fault);
                return;
            }
        };
        let (nodes, more) = record::rule_nodes(&source, document);
        faults.extend(more);
        if nodes.is_empty() && faults.is_empty() {
            self.fault(&file, None, None, RuleFault::NoRules);
        }
        for (position, fault) in faults {
            self.fault(&file, Some(position), None, fault);
        }
        for node in &nodes {
            if self.stopped {
                break;
            }
            self.rule(&source, &file, node);
        }
    }

    fn rule(&mut self, source: &Source<'_>, file: &Arc<Path>, node: &source::Node) {
        if self.rules_seen == RULES_MAX {
            let position = source.position(node.at);
            let rules_max = RULES_MAX;
            self.fault(
                file,
                Some(position),
                None,
                RuleFault::TooManyRules { rules_max },
            );
            self.stopped = true;
            return;
        }
        self.rules_seen += 1;
        let outcome = record::read_rule(source, file, node);
        let name = outcome.named.as_ref().map(|(name, _)| name.as_str());
        let repeats = outcome.named.as_ref().and_then(|(name, position)| {
            let (first_file, first_line) = self.names.get(name)?.clone();
            let fault = RuleFault::DuplicateName {
                first_file,
                first_line,
            };
            Some((*position, fault))
        });
        let is_repeated = repeats.is_some();
        for (position, fault) in repeats.into_iter().chain(outcome.faults) {
            self.fault(file, Some(position), name, fault);
        }
        if is_repeated {
            return;
        }
        if let Some((name, position)) = outcome.named {
            self.names.insert(name, (file.clone(), position.line));
        }
        self.rules.extend(outcome.rule);
    }

    fn fault(
        &mut self,
        file: &Arc<Path>,
        position: Option<Position>,
        rule: Option<&str>,
        fault: RuleFault,
    ) {
        if self.errors.len() > self.errors_max {
            return;
        }
        let error = RuleError {
            file: file.clone(),
            position,
            rule: rule.map(Box::from),
            fault,
        };
        if self.errors.len() < self.errors_max {
            self.errors.push(error);
            return;
        }
        self.stopped = true;
        self.errors.push(RuleError {
            rule: None,
            fault: RuleFault::TooManyErrors {
                errors_max: self.errors_max,
            },
            ..error
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
        _ => None,
    }
}

/// The file's text. A file of unknown format isn't opened: it may be anything.
fn read_text(file: &Path) -> Result<String, (Option<Position>, RuleFault)> {
    let format = format_of(file).ok_or((None, RuleFault::UnknownFormat))?;
    let unreadable = |error: std::io::Error| {
        let fault = RuleFault::Unreadable {
            kind: error.kind(),
            reason: error::printable(&crate::store::plain(&error)),
        };
        (None, fault)
    };
    let opened = File::open(file).map_err(unreadable)?;
    let mut bytes = Vec::new();
    opened
        .take(RULE_FILE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() > RULE_FILE_BYTES_MAX {
        let bytes_max = RULE_FILE_BYTES_MAX;
        return Err((None, RuleFault::FileTooLarge { bytes_max }));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let valid = String::from_utf8_lossy(valid);
        let source = Source::new(&valid, format);
        let position = source.position(source.text.len());
        (Some(position), RuleFault::NotUtf8)
    })
}
