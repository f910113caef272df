//! Checks the structure of SMIRKS and SMARTS without RDKit.
//!
//! `>` and `.` mean the same as in RDKit's `ReactionFromSmarts`: a `>` directly after a `-` is a dative bond, and a `.`
//! separates templates only outside all brackets, so a whole side in parentheses is one template.

use super::error::RuleFault;
use crate::limits::REACTANTS_MAX;

/// A fault and its byte in the text.
type Found = (usize, RuleFault);

/// Checks a SMIRKS: visible ASCII, balanced brackets, one `>>`, no empty reactant and no empty product. Returns the number
/// of its reactants.
pub(super) fn check_smirks(smirks: &str) -> Result<usize, Found> {
    const KEY: &str = "smirks";
    check_characters(KEY, smirks)?;
    let arrow = arrow(smirks)?;
    let (reactants, products) = (&smirks[..arrow], &smirks[arrow + 2..]);
    let reactant_dots = dots(KEY, reactants)?;
    let product_dots = dots(KEY, products).map_err(|(byte, fault)| (arrow + 2 + byte, fault))?;
    if let Some(dot) = reactant_dots.get(REACTANTS_MAX - 1) {
        return Err((*dot, RuleFault::TooManyReactants));
    }
    let count = reactant_dots.len() + 1;
    check_filled(reactants, reactant_dots).map_err(|byte| (byte, RuleFault::NoReactant))?;
    check_filled(products, product_dots)
        .map_err(|byte| (arrow + 2 + byte, RuleFault::NoProduct))?;
    Ok(count)
}

/// Checks that something stands between the dots; the byte where nothing does.
fn check_filled(side: &str, dots: Vec<usize>) -> Result<(), usize> {
    let mut start = 0;
    for end in dots.into_iter().chain([side.len()]) {
        if start == end {
            return Err(start);
        }
        start = end + 1;
    }
    Ok(())
}

/// The text of a reactant of a valid SMIRKS, by number from 0: equal texts match the same molecules. An extension behind
/// the reaction may change a pattern, so then it is the whole.
pub(super) fn reactant_text(smirks: &str, reactant: usize) -> String {
    let arrow = arrow(smirks).unwrap_or_default();
    let side = &smirks[..arrow];
    match dots("smirks", side) {
        Ok(dots) if !smirks.contains('|') => {
            let begin = reactant.checked_sub(1).map_or(0, |before| dots[before] + 1);
            let end = dots.get(reactant).copied().unwrap_or(side.len());
            side[begin..end].to_owned()
        }
        _ => format!("{reactant} {smirks}"),
    }
}

/// Checks a SMARTS: visible ASCII, balanced brackets. `key` is the key of the text.
pub(super) fn check_smarts(key: &'static str, smarts: &str) -> Result<(), Found> {
    check_characters(key, smarts)?;
    dots(key, smarts).map(|_| ())
}

/// Checks that a SMIRKS, SMARTS or SMILES is visible ASCII, so that its bytes are its characters.
pub(super) fn check_characters(key: &'static str, text: &str) -> Result<(), Found> {
    match text.char_indices().find(|(_, c)| !c.is_ascii_graphic()) {
        Some((byte, character)) => Err((byte, RuleFault::BadCharacter(key, character))),
        None => Ok(()),
    }
}

/// The byte offset of the only `>>`.
fn arrow(smirks: &str) -> Result<usize, Found> {
    let bytes = smirks.as_bytes();
    let is_dative = |byte: usize| byte > 0 && bytes[byte - 1] == b'-';
    let signs: Vec<usize> = (0..bytes.len())
        .filter(|byte| bytes[*byte] == b'>' && !is_dative(*byte))
        .collect();
    match signs[..] {
        [first, second] if second == first + 1 => Ok(first),
        [first, _] => Err((first + 1, RuleFault::Agents)),
        [_, _, third, ..] => Err((third, RuleFault::ManyArrows)),
        [lone] => Err((lone, RuleFault::NoArrow)),
        [] => Err((0, RuleFault::NoArrow)),
    }
}

/// The byte offsets of the dots outside all brackets.
fn dots(key: &'static str, text: &str) -> Result<Vec<usize>, Found> {
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut dots = Vec::new();
    for (byte, bracket) in text.char_indices() {
        match bracket {
            '(' | '[' | '{' => open.push((byte, bracket)),
            ')' | ']' | '}' => {
                let matching = open.pop().is_some_and(|(_, opening)| {
                    matches!((opening, bracket), ('(', ')') | ('[', ']') | ('{', '}'))
                });
                if !matching {
                    return Err((byte, RuleFault::Unopened(key, bracket)));
                }
            }
            '.' if open.is_empty() => dots.push(byte),
            _ => {}
        }
    }
    match open.pop() {
        Some((byte, bracket)) => Err((byte, RuleFault::Unclosed(key, bracket))),
        None => Ok(dots),
    }
}
