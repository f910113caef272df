//! Whether a text looks like SMILES, without chemistry.

/// Whether the letters, brackets and ring closures of `text` could be those of a SMILES.
pub(super) fn looks_like_smiles(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let end = text.iter().position(u8::is_ascii_whitespace);
    let (smiles, rest) = text.split_at(end.unwrap_or(text.len()));
    (rest.is_empty() || rest.trim_ascii_start().starts_with(b"|")) && Likeness::default().of(smiles)
}

/// The state of a scan over a text that may be a SMILES.
#[derive(Default)]
struct Likeness {
    branches: usize,
    /// Ring closures opened and not yet closed: bit n is number n.
    rings: u128,
    /// An atom was read since the start or the last dot, so a ring closure may follow.
    bound: bool,
    /// An aromatic atom outside brackets was read; it must be in a ring.
    aromatic: bool,
    any_ring: bool,
    /// The last token was a bond or a dot: an atom must follow, or after a bond a ring closure.
    open: bool,
}

impl Likeness {
    fn of(mut self, mut text: &[u8]) -> bool {
        while let Some(&byte) = text.first() {
            let Some(taken) = self.take(byte, text) else {
                return false;
            };
            text = &text[taken..];
        }
        let ended = self.bound && !self.open && self.branches == 0 && self.rings == 0;
        ended && (self.any_ring || !self.aromatic)
    }

    /// Length in bytes of the next token; `None` if no SMILES continues this way.
    fn take(&mut self, byte: u8, text: &[u8]) -> Option<usize> {
        let next = text.get(1).copied();
        match (byte, next) {
            (b'C', Some(b'l')) | (b'B', Some(b'r')) => self.atom(2),
            (b'B' | b'C' | b'N' | b'O' | b'P' | b'S' | b'F' | b'I' | b'*', _) => self.atom(1),
            (b'b' | b'c' | b'n' | b'o' | b'p' | b's', _) => {
                self.aromatic = true;
                self.atom(1)
            }
            (b'[', _) => {
                let length = memchr::memchr(b']', text)?;
                (length > 1).then(|| self.atom(length + 1)).flatten()
            }
            (b'(', _) => {
                self.branches += 1;
                (self.bound && !self.open).then_some(1)
            }
            (b')', _) => {
                self.branches = self.branches.checked_sub(1)?;
                (self.bound && !self.open).then_some(1)
            }
            (b'0'..=b'9', _) => self.ring(byte - b'0', 1),
            (b'%', _) => match text.get(1..3)? {
                [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
                    self.ring((tens - b'0') * 10 + ones - b'0', 3)
                }
                _ => None,
            },
            (b'.', _) => {
                let allowed = self.bound && !self.open;
                (self.bound, self.open) = (false, true);
                allowed.then_some(1)
            }
            (b'-' | b'=' | b'#' | b'$' | b':' | b'/' | b'\\' | b'~' | b'<' | b'>', _) => {
                self.open = true;
                // `->` and `<-` are dative bonds; `>>` is a reaction.
                (self.bound && !text.starts_with(b">>")).then_some(1)
            }
            _ => None,
        }
    }

    fn atom(&mut self, bytes: usize) -> Option<usize> {
        (self.bound, self.open) = (true, false);
        Some(bytes)
    }

    fn ring(&mut self, number: u8, bytes: usize) -> Option<usize> {
        self.rings ^= 1 << number;
        self.any_ring = true;
        self.open = false;
        self.bound.then_some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smiles_look_like_smiles_and_ids_do_not() {
        let smiles = [
            "C",
            "CCO",
            "c1ccccc1",
            "C[C@H](N)O",
            "[Na+].[Cl-]",
            "CC(=O)Oc1ccccc1C(=O)O",
            "F/C=C/F",
            "C%12CCCC%12",
            "CC |^1:0|",
            "N->[Cu]",
            "*c1ccncc1",
            "ClCBr",
        ];
        for text in smiles {
            assert!(looks_like_smiles(text.as_bytes()), "{text}");
        }
        let others = [
            "",
            "702",
            "CHEMBL25",
            "ZINC0001",
            "CNP1.1",
            "C1",
            "ethanol",
            "CC(",
            "46.07",
            "C)",
            "CC foo",
            "b",
            "no",
            "CCO>>CCN",
            "smiles",
            "structure",
            "InChI=1S/C2H6O",
            "C-",
            "=C",
            "Z1",
            "[]",
        ];
        for text in others {
            assert!(!looks_like_smiles(text.as_bytes()), "{text}");
        }
    }
}
