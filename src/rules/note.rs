//! Notes: what molsieve leaves out or reads in another way in a file of another tool. A note changes no rule.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::error::printable;
use super::place::Position;
use crate::limits::ERRORS_MAX;

/// What is left out of a file, or read in another way, and where. Displays as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleNote {
    /// The rule file, as given.
    pub file: Arc<Path>,
    /// Where it is first.
    pub position: Position,
    /// What it is.
    pub kind: NoteKind,
    /// How many rules of the file have it. At least 1.
    pub rules: usize,
}

/// The kinds of notes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NoteKind {
    /// A key of another tool that does not change what a rule makes.
    LeftOut(String),
    /// A key that molsieve does not know, in a file whose SMIRKS has another tool's name.
    Unknown(String),
    /// A description that is longer than a label may be; its key.
    TooLong(String),
    /// A name that an earlier rule of the file has, and the name that the rule gets.
    Renamed(String, String),
    /// Further notes are not listed.
    More,
}

impl fmt::Display for RuleNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = printable(&self.file.to_string_lossy());
        let Position { line, column } = self.position;
        write!(f, "{file}:{line}:{column}: warning: {}", self.kind)?;
        match self.rules {
            1 => Ok(()),
            rules => write!(f, " ({rules} rules)"),
        }
    }
}

impl fmt::Display for NoteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftOut(key) => write!(
                f,
                "\"{}\" is left out; this key of another tool does not change what a rule makes",
                printable(key)
            ),
            Self::Unknown(key) => write!(
                f,
                "\"{}\" is left out; molsieve does not know this key",
                printable(key)
            ),
            Self::TooLong(key) => write!(
                f,
                "\"{}\" is left out; it is longer than a label may be",
                printable(key)
            ),
            Self::Renamed(name, read_as) => write!(
                f,
                "an earlier rule has the name \"{}\" too; this rule is read as \"{}\"",
                printable(name),
                printable(read_as)
            ),
            Self::More => write!(f, "there are more notes than the {ERRORS_MAX} listed"),
        }
    }
}

/// The notes of several files: one for each kind in a file, at most [`ERRORS_MAX`], and then one that says that there
/// are more.
#[derive(Default)]
pub(super) struct Notes {
    notes: Vec<RuleNote>,
    places: HashMap<(Arc<Path>, NoteKind), usize>,
}

impl Notes {
    pub(super) fn add(&mut self, file: &Arc<Path>, position: Position, kind: NoteKind) {
        if let Some(place) = self.places.get(&(file.clone(), kind.clone())) {
            self.notes[*place].rules += 1;
            return;
        }
        let kind = match self.notes.len() {
            0..ERRORS_MAX => kind,
            ERRORS_MAX => NoteKind::More,
            _ => return,
        };
        let place = self.notes.len();
        self.places.insert((file.clone(), kind.clone()), place);
        self.notes.push(RuleNote {
            file: file.clone(),
            position,
            kind,
            rules: 1,
        });
    }

    pub(super) fn into_list(self) -> Vec<RuleNote> {
        self.notes
    }
}
