//! What can be wrong with a rule file: where it is ([`RuleError`]) and what it is ([`RuleFault`]).

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::place::Position;

/// Characters of foreign text (a parser's message, a key, a name) that a message repeats.
const QUOTED_CHARS_MAX: usize = 200;

/// A fault and where it is. Displays as one line: `rules.toml:12:10: rule "x": …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// The rule file, as it was named.
    pub file: Arc<Path>,
    /// Where in the file; `None` when the fault is the file's as a whole.
    pub position: Option<Position>,
    /// The name of the rule that it is in, where that is known.
    pub rule: Option<Box<str>>,
    /// What is wrong.
    pub fault: RuleFault,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.file.to_string_lossy()))?;
        if let Some(position) = self.position {
            write!(f, ":{}:{}", position.line, position.column)?;
        }
        if let Some(rule) = &self.rule {
            write!(f, ": rule \"{}\"", printable(rule))?;
        }
        write!(f, ": {}", self.fault)
    }
}

impl std::error::Error for RuleError {}

/// What is wrong with a rule file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleFault {
    /// The file is missing, is a directory, or may not be read.
    #[error("can't be read: {reason}")]
    Unreadable {
        /// The kind of I/O error, for tests and callers that tell a missing file from others.
        kind: std::io::ErrorKind,
        /// The operating system's message.
        reason: String,
    },
    /// The file holds bytes that are not UTF-8.
    #[error("isn't UTF-8 text; save it as UTF-8")]
    NotUtf8,
    /// The file is larger than [`super::RULE_FILE_BYTES_MAX`].
    #[error("is larger than {bytes_max} bytes, the most a rule file may have")]
    FileTooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// The file's extension is none of those that name a format.
    #[error("has an unknown extension; rule files end in .toml, .yaml, .yml, .csv or .tsv")]
    UnknownFormat,
    /// The file is not well-formed TOML, YAML, CSV or TSV.
    #[error("{message}")]
    Syntax {
        /// The parser's own message, made one line.
        message: String,
    },
    /// The file is well-formed and holds no rule.
    #[error("holds no rules")]
    NoRules,
    /// The files together hold more than [`super::RULES_MAX`] rules.
    #[error("has more than {rules_max} rules in all; the rest of the file wasn't read")]
    TooManyRules {
        /// The limit.
        rules_max: usize,
    },
    /// More than [`super::ERRORS_MAX`] errors were found; the others are not listed.
    #[error("has more errors than the {errors_max} listed; correct these first")]
    TooManyErrors {
        /// The limit.
        errors_max: usize,
    },
    /// A key (or a CSV column) that means nothing here.
    #[error("unknown key \"{}\"; {}", printable(key), suggestion(*nearest, known))]
    UnknownKey {
        /// The key as it stands in the file.
        key: String,
        /// The known key that it resembles, if it does.
        nearest: Option<&'static str>,
        /// Every key that could stand here.
        known: &'static [&'static str],
    },
    /// Two keys (or CSV columns) of one rule that say the same thing.
    #[error("\"{key}\" repeats \"{first}\"; keep one of them")]
    RepeatedKey {
        /// The second key.
        key: String,
        /// The first one.
        first: String,
    },
    /// A rule without its name or SMIRKS, an example without one of its ends.
    #[error("\"{key}\" is missing")]
    MissingKey {
        /// The key that is missing.
        key: &'static str,
    },
    /// A value of another type than the key takes.
    #[error("\"{}\" must be {expected}, not {found}", printable(key))]
    WrongType {
        /// The key, or what the value stands for.
        key: String,
        /// What it takes.
        expected: &'static str,
        /// What it was given.
        found: &'static str,
    },
    /// A value that is empty or blank.
    #[error("\"{key}\" is empty")]
    EmptyValue {
        /// The key.
        key: &'static str,
    },
    /// A value above its limit.
    #[error("\"{key}\" has {bytes} bytes; the most is {bytes_max}")]
    TooLong {
        /// The key.
        key: &'static str,
        /// Its length.
        bytes: usize,
        /// Its limit.
        bytes_max: usize,
    },
    /// A rule bears the name of an earlier one, in this file or another.
    #[error("another rule has this name: {}:{first_line}", printable(&first_file.to_string_lossy()))]
    DuplicateName {
        /// The file of the earlier rule.
        first_file: Arc<Path>,
        /// The line of its name.
        first_line: usize,
    },
    /// A name that starts or ends with a blank.
    #[error("the name starts or ends with a blank")]
    NameEdgeBlank,
    /// A control character or line separator in a name, label or tag.
    #[error("\"{key}\" holds the control character U+{:04X}", u32::from(*character))]
    ControlCharacter {
        /// The key.
        key: &'static str,
        /// The character.
        character: char,
    },
    /// A blank or a character outside ASCII in a SMIRKS, SMARTS or SMILES.
    #[error("\"{key}\" holds {character:?} (U+{:04X}); it takes visible ASCII characters and no blanks", u32::from(*character))]
    BadCharacter {
        /// The key.
        key: &'static str,
        /// The character.
        character: char,
    },
    /// A bracket that is never closed, at the position of the bracket.
    #[error("\"{key}\": this '{bracket}' is never closed")]
    Unclosed {
        /// The key.
        key: &'static str,
        /// `(`, `[` or `{`.
        bracket: char,
    },
    /// A closing bracket that no opening one matches, at its position.
    #[error("\"{key}\": this '{bracket}' closes nothing")]
    Unopened {
        /// The key.
        key: &'static str,
        /// `)`, `]` or `}`.
        bracket: char,
    },
    /// A SMIRKS without `>>`.
    #[error(
        "the SMIRKS needs exactly one \">>\" between reactant and products; it has no such sign"
    )]
    NoArrow,
    /// A SMIRKS with a third `>`, at the position of that one.
    #[error("the SMIRKS needs exactly one \">>\"; a rule is one step")]
    ManyArrows,
    /// A SMIRKS with something between its two `>`, at the position of that.
    #[error(
        "the SMIRKS has agents between its '>'; write reactant>>products, agents aren't supported"
    )]
    Agents,
    /// A SMIRKS with nothing on the left.
    #[error("the SMIRKS has no reactant: nothing stands before \">>\"")]
    NoReactant,
    /// A SMIRKS with nothing on the right, or with an empty one among several products.
    #[error("the SMIRKS has no product here")]
    NoProduct,
    /// A SMIRKS with a `.` between reactants, at the position of that `.`.
    #[error("the SMIRKS has two reactants; molsieve applies rules to one molecule at a time")]
    TwoReactants,
    /// RDKit (or a check that needs it) refuses a part of a rule that is well-formed here.
    #[error("\"{key}\": {message}")]
    Refused {
        /// The key.
        key: &'static str,
        /// Why, in one line.
        message: String,
    },
}

/// Makes foreign text fit to stand in a one-line message: control characters and line breaks
/// become blanks, runs of blanks one blank, and the end is cut off (with `…`) after
/// `QUOTED_CHARS_MAX` characters.
pub(super) fn printable(text: &str) -> String {
    let mut line = String::new();
    let blank = |c: char| c.is_whitespace() || is_control(c);
    for (count, c) in text.trim_matches(blank).chars().enumerate() {
        if count == QUOTED_CHARS_MAX {
            line.push('…');
            break;
        }
        match blank(c) {
            true if line.ends_with(' ') => {}
            true => line.push(' '),
            false => line.push(c),
        }
    }
    line
}

/// Whether a character would break or disturb a line of output.
pub(super) fn is_control(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

fn suggestion(nearest: Option<&str>, known: &[&str]) -> String {
    match nearest {
        Some(nearest) => format!("did you mean \"{nearest}\"?"),
        None => format!("known here: {}", known.join(", ")),
    }
}
