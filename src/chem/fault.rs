//! Where the text is wrong that RDKit rejects.

use crate::rules::Rule;

/// File, line and column of what RDKit rejects: a SMARTS of the rule if the reason begins with it, else the SMIRKS.
pub(super) fn place(rule: &Rule, reason: &str) -> String {
    let origin = &rule.origin;
    let faulty = |smarts: &str| reason.starts_with(&format!("SMARTS '{smarts}'"));
    let excluded = rule.exclude.iter().position(|smarts| faulty(smarts));
    let place = match excluded.and_then(|index| origin.exclude.get(index)) {
        Some(place) => Some(place),
        None => origin
            .require
            .as_ref()
            .filter(|_| rule.require.as_deref().is_some_and(faulty)),
    };
    match place.map(|place| place.start()) {
        Some(start) => format!("{}:{}:{}", origin.file.display(), start.line, start.column),
        None => origin.to_string(),
    }
}

/// The reason with, where it names a position, the SMARTS and a caret under it.
pub(super) fn with_caret(reason: &str, smarts: &str) -> String {
    let position = reason.rsplit_once(" at position ");
    let position = position.and_then(|(_, digits)| digits.parse::<usize>().ok());
    match position {
        // RDKit counts from 1.
        Some(position) if (1..=smarts.len() + 1).contains(&position) => {
            format!("{reason}\n  {smarts}\n  {:>position$}", "^")
        }
        _ => format!("{reason}\n  {smarts}"),
    }
}
