//! Errors in rule files: a fault ([`RuleFault`]) and its place ([`RuleError`]).

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::place::Position;
use crate::limits::{ERRORS_MAX, REACTANTS_MAX, RULE_FILE_BYTES_MAX, RULES_MAX};
use crate::named::suggestion;

/// Maximum number of characters that a message quotes from a parser's message, a key or a name.
const QUOTED_CHARS_MAX: usize = 200;

/// A fault and its place. Displays as one line: `rules.toml:12:10: rule "x": …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// The rule file, as given.
    pub file: Arc<Path>,
    /// The position in the file; `None` if the fault concerns the file as a whole.
    pub position: Option<Position>,
    /// The name of the faulty rule, if known.
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
    /// The file is missing, is a directory, or may not be read; the operating system's message.
    #[error("can't be read: {0}")]
    Unreadable(String),
    /// The file is not UTF-8.
    #[error("isn't UTF-8 text; save it as UTF-8")]
    NotUtf8,
    /// The file is larger than [`RULE_FILE_BYTES_MAX`].
    #[error("is larger than {RULE_FILE_BYTES_MAX} bytes, the most a rule file may have")]
    FileTooLarge,
    /// The file's extension names no known format.
    #[error(
        "has an unknown extension; rule files end in .toml, .yaml, .yml, .csv or .tsv; lists of other tools in .json, \
         or in .smirks, .smarts or .txt with a reaction SMARTS on each line"
    )]
    UnknownFormat,
    /// The file is not well-formed TOML, YAML, CSV, TSV or JSON; the parser's message, on one line.
    #[error("{0}")]
    Syntax(String),
    /// The file is well-formed and holds no rule.
    #[error("holds no rules")]
    NoRules,
    /// The files together hold more than [`RULES_MAX`] rules.
    #[error("has more than {RULES_MAX} rules in all; the rest of the file wasn't read")]
    TooManyRules,
    /// More than [`ERRORS_MAX`] errors were found; the others are not listed.
    #[error("has more errors than the {ERRORS_MAX} listed; correct these first")]
    TooManyErrors,
    /// An unknown key or CSV column.
    #[error("unknown key \"{}\"; {}", printable(key), suggestion(*nearest, known))]
    UnknownKey {
        /// The key as written in the file.
        key: String,
        /// The known key that it resembles, if any.
        nearest: Option<&'static str>,
        /// All known keys.
        known: &'static [&'static str],
    },
    /// Something of another tool that molsieve lacks and that changes what rules make; what it is and what to do.
    #[error("{0}")]
    Foreign(String),
    /// Two keys or CSV columns of one rule with the same meaning.
    #[error("\"{key}\" repeats \"{first}\"; keep one of them")]
    RepeatedKey {
        /// The second key.
        key: String,
        /// The first one.
        first: String,
    },
    /// A rule without name or SMIRKS, or an example without `from` or `to`.
    #[error("\"{0}\" is missing")]
    MissingKey(&'static str),
    /// A value of the wrong type.
    #[error("\"{}\" must be {expected}, not {found}", printable(key))]
    WrongType {
        /// The key, or the role of the value.
        key: String,
        /// The expected type.
        expected: &'static str,
        /// The type found.
        found: &'static str,
    },
    /// A value that is empty or blank.
    #[error("\"{0}\" is empty")]
    EmptyValue(&'static str),
    /// A value over its length limit.
    #[error("\"{key}\" has {bytes} bytes; the most is {bytes_max}")]
    TooLong {
        /// The key.
        key: &'static str,
        /// Its length.
        bytes: usize,
        /// Its limit.
        bytes_max: usize,
    },
    /// A rule has the name of an earlier rule in this file or another.
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
    /// A control character or line separator in a name, label or tag; the key and the character.
    #[error("\"{0}\" holds the control character U+{code:04X}", code = u32::from(*.1))]
    ControlCharacter(&'static str, char),
    /// A blank or a character outside ASCII in a SMIRKS, SMARTS or SMILES; the key and the character.
    #[error("\"{0}\" holds {1:?} (U+{code:04X}); it takes visible ASCII characters and no blanks", code = u32::from(*.1))]
    BadCharacter(&'static str, char),
    /// A bracket that is never closed, at the position of the bracket; the key and the bracket.
    #[error("\"{0}\": this '{1}' is never closed")]
    Unclosed(&'static str, char),
    /// A closing bracket that no opening one matches, at its position; the key and the bracket.
    #[error("\"{0}\": this '{1}' closes nothing")]
    Unopened(&'static str, char),
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
    /// A SMIRKS with more reactants than a rule may have, at the position of the `.` before the first of them.
    #[error("the SMIRKS has more than {REACTANTS_MAX} reactants")]
    TooManyReactants,
    /// Reagents for the only reactant that the parent can be, by number from 1.
    #[error("reactant {0} is the parent, so it takes no reagents; \"parent\" says which one it is")]
    ReagentsOfParent(usize),
    /// A key of `reagents` that is no number of a reactant.
    #[error(
        "\"{}\" is no reactant of this rule; its reactants are 1 to {reactants}",
        printable(key)
    )]
    NoSuchReactant {
        /// The key.
        key: String,
        /// Number of reactants.
        reactants: usize,
    },
    /// A `parent` that is neither a number of a reactant nor `any`.
    #[error("\"parent\" must be the number of a reactant, from 1 to {0}, or \"any\"")]
    BadParent(usize),
    /// An example with another number of molecules in `from` than the rule has reactants.
    #[error("the example has {found} molecules in \"from\"; the rule has {reactants} reactants")]
    ExampleReactants {
        /// Molecules in `from`.
        found: usize,
        /// Number of reactants.
        reactants: usize,
    },
}

/// Makes quoted text fit a one-line message: control characters and line breaks become blanks, runs of blanks become
/// one, and text after `QUOTED_CHARS_MAX` characters is replaced by `…`.
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

/// Whether a character would break a line of output.
pub(super) fn is_control(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}
