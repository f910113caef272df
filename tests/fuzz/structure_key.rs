//! The structure key of a SMILES. An input is the text.

use std::cell::RefCell;

use molsieve::{
    chem::RdKit,
    identity::{KeyMaker, StructureKeys},
};

use super::assert_one_line;

/// The key makers of a thread: with and without vector instructions, and with RDKit.
struct Makers {
    keys: StructureKeys,
    atom_by_atom: StructureKeys,
    rdkit: RdKit,
    maker: KeyMaker,
}

impl Makers {
    fn new() -> Self {
        let rdkit = RdKit::initialise().expect("RDKit works");
        Self {
            keys: StructureKeys::new(),
            atom_by_atom: StructureKeys::plain(),
            rdkit,
            maker: KeyMaker::new(rdkit),
        }
    }

    /// RDKit reads every accepted text, as the same molecule. Any other text has a key of RDKit or a reason.
    fn check(&mut self, input: &[u8]) {
        let made = self.keys.key(input);
        assert_eq!(made, self.atom_by_atom.key(input));
        let Ok(key) = made else {
            if wildcards(input) > WILDCARDS_MAX {
                return;
            }
            if let Err(reason) = self.maker.by_rdkit(input) {
                assert_one_line(&reason.reason);
            }
            return;
        };
        let text = std::str::from_utf8(input).expect("what has a key is ASCII");
        let canonical = self.rdkit.canonical_smiles(text);
        let canonical = canonical.expect("what has a key can be read");
        // RDKit writes a few molecules as other ones.
        let again = self.rdkit.canonical_smiles(&canonical);
        if again.as_ref() == Ok(&canonical) && !has_sides_in_rings(input) {
            let of_canonical = self.keys.key(canonical.as_bytes());
            assert!(
                of_canonical.is_err() || of_canonical == Ok(key),
                "{canonical}"
            );
        }
    }
}

/// RDKit tries all forms of aromatic rings with wildcards: every other one makes it take four times as long.
const WILDCARDS_MAX: usize = 12;

fn wildcards(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'*').count()
}

/// Whether there are several marked double bonds and a ring: RDKit writes some of those as other molecules.
fn has_sides_in_rings(text: &[u8]) -> bool {
    let sides = text.iter().filter(|byte| b"/\\".contains(byte)).count();
    sides > 2
        && text
            .iter()
            .any(|byte| byte.is_ascii_digit() || *byte == b'%')
}

/// Makes the key in all ways and compares them.
pub fn structure_key(input: &[u8]) {
    thread_local! {
        static MAKERS: RefCell<Makers> = RefCell::new(Makers::new());
    }
    // `chem::check_text` refuses control characters before.
    if input.iter().any(|byte| byte.is_ascii_control()) {
        return;
    }
    MAKERS.with_borrow_mut(|makers| makers.check(input));
}
