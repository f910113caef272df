//! Checks the structure of SMIRKS and SMARTS without RDKit.
//!
//! `>` and `.` mean the same as in RDKit's `ReactionFromSmarts`: a `>` directly after a `-` is a dative bond, and a `.`
//! separates templates only outside all brackets, so a whole side in parentheses is one template.

use super::error::RuleFault;

/// A fault and its byte in the text.
type Found = (usize, RuleFault);

/// Checks a SMIRKS: visible ASCII, balanced brackets, one `>>`, one reactant, no empty product.
pub(super) fn check_smirks(smirks: &str) -> Result<(), Found> {
    const KEY: &str = "smirks";
    check_characters(KEY, smirks)?;
    let arrow = arrow(smirks)?;
    let (reactant, products) = (&smirks[..arrow], &smirks[arrow + 2..]);
    let reactant_dots = dots(KEY, reactant)?;
    let product_dots = dots(KEY, products).map_err(|(byte, fault)| (arrow + 2 + byte, fault))?;
    if let Some(dot) = reactant_dots.first() {
        return Err((*dot, RuleFault::TwoReactants));
    }
    if reactant.is_empty() {
        return Err((0, RuleFault::NoReactant));
    }
    let mut start = 0;
    for end in product_dots.into_iter().chain([products.len()]) {
        if start == end {
            return Err((arrow + 2 + start, RuleFault::NoProduct));
        }
        start = end + 1;
    }
    Ok(())
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
