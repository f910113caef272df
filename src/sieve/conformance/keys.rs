//! Structure keys of a device compared with those of the CPU, which is the oracle: the shipped natural products,
//! uncommon molecules, and both with changed bytes, so that there are faults of all kinds.

use super::{batches::Random, report::KeyMismatch};
use crate::{
    identity::StructureKeys,
    sieve::structure_key::{
        KeyBatch,
        device::{KeyDevice, KeyOutcome, KeyRoom},
    },
};

/// The shipped library as CSV: name, which may hold commas, SMILES, class and formula.
const NATURAL_PRODUCTS: &str = include_str!("../../../examples/natural_products.csv");

/// Cages, salts, repeated components, isotopes, stereo marks, metals, atom maps, open rings, and texts that are not
/// SMILES, separated by blanks.
const UNCOMMON: &str = r"
    CC1C[C@H](C)C[C@@H](C)C1 C12C3C4C1C5C2C3C45 C12C3C1C23 C1C2CC3CC1CC(C2)C3
    C12C3C4C5C1C6C7C2C8C3C9C4C%10C5C6C%11C7C8C9C%10%11 C12C3C4C1C5C2C3C45.C12C3C4C1C5C2C3C45
    F[C@H]1C[C@@H](F)C[C@H](F)C1 F/C=C/F F/C=C\C=C/F C[N+](C)(C)CC([O-])=O C[N+](=O)[O-] CN(=O)=O
    [Na+].[Cl-] [13CH4] [2H]C([2H])([2H])O [H][H] [H]OC C[Fe]C [U](C)(C)(C)(C)(C)(C)(C)(C)C [CH3:1]C
    *CC C1CC c1cccc1 C%10CC%10 C%01CC%01 C[N@]1CC1C C[P@]1C=CC=C1C C[S@](=O)O[S@](=O)C
    C[C@H](C=C)C1CC(C1)[C@H](C)C=C CN=P(C)=O C[C@H](F)c1ccc[cH-]1 [Fe+++] C[C@H]1CCCCC1 C1CCC1
    [1000CH4] CN(=O)=C C1=CC2=CC=C12 C1=CC2C=CC1C=C2 F/C1=C(F)/CCCCC1 F/C1=C(F)/CCCCCC1
    C/C=C/1CCC(C)CC1 c1ccc2c(ccc(O)c2C([O-])=O)c1 c1c2c(ccc1)c1NC(CCCCCCCCCCCc(c2)c1)=O
";

/// Characters that replace others.
const ALPHABET: &[u8] = b"CNOFPSIBcnops[]()=#-+/\\@.%0123456789Hlr*";
/// Changed texts for each original.
const CHANGED_PER_TEXT: usize = 16;
/// Rows of a batch: around the edges of a block, and as many as a job's batch may have.
const ROWS: [usize; 9] = [1, 2, 127, 128, 129, 255, 257, 4_096, 31];
/// Of the unchanged natural products, one in so many may be too large for a device.
const TOO_LARGE_ONE_IN: usize = 20;

/// Room for the largest of the batches.
pub fn key_room() -> KeyRoom {
    KeyRoom::for_batches(4_096)
}

/// Checks a device that was opened with [`key_room`]. Returns the number of rows.
pub fn conform_on_keys(device: &mut dyn KeyDevice) -> Result<u64, KeyMismatch> {
    let (texts, shipped) = texts();
    let mut batch = KeyBatch::new(device, key_room())?;
    let (mut cpu, mut sizes) = (StructureKeys::new(), ROWS.into_iter().cycle());
    let (mut done, mut too_large) = (0, 0);
    while done < texts.len() {
        let size = sizes.next().unwrap_or(1).min(texts.len() - done);
        let rows = &texts[done..done + size];
        let asked: Vec<_> = rows.iter().map(|text| Some(text.as_slice())).collect();
        batch.fill(&asked);
        assert_eq!(
            batch.rows(),
            size,
            "the texts are short, so the batch holds all of them"
        );
        batch.poison();
        batch.compute_keys(device)?;
        for (row, text) in rows.iter().enumerate() {
            let outcome = batch.outcome(row).expect("the batch holds all texts");
            compare(text, outcome, &mut cpu)?;
            too_large += usize::from(outcome == KeyOutcome::TooLarge && done + row < shipped);
        }
        done += size;
    }
    if too_large * TOO_LARGE_ONE_IN > shipped {
        return Err(KeyMismatch::TooLarge { too_large, shipped });
    }
    Ok(done as u64)
}

fn compare(text: &[u8], found: KeyOutcome, cpu: &mut StructureKeys) -> Result<(), KeyMismatch> {
    let expected = match cpu.key(text) {
        Ok(key) => KeyOutcome::Key(key),
        Err(reason) => KeyOutcome::Reason(reason),
    };
    if found == KeyOutcome::TooLarge || found == expected {
        return Ok(());
    }
    Err(KeyMismatch::Row {
        text: String::from_utf8_lossy(text).into_owned(),
        expected,
        found,
    })
}

/// The SMILES of the shipped library, unchanged.
pub fn natural_products() -> impl Iterator<Item = &'static str> {
    let lines = NATURAL_PRODUCTS.lines().skip(1);
    lines.filter_map(|line| line.rsplit(',').nth(2))
}

/// All texts, and how many of the first of them are unchanged natural products.
fn texts() -> (Vec<Vec<u8>>, usize) {
    let mut texts: Vec<Vec<u8>> = natural_products().map(|smiles| smiles.into()).collect();
    let shipped = texts.len();
    texts.extend(UNCOMMON.split_ascii_whitespace().map(|text| text.into()));
    let mut random = Random::new(1);
    for place in 0..texts.len() * CHANGED_PER_TEXT {
        let text = texts[place / CHANGED_PER_TEXT].clone();
        texts.push(changed(text, &mut random));
    }
    (texts, shipped)
}

/// A text with one or two bytes inserted, removed or replaced.
fn changed(mut text: Vec<u8>, random: &mut Random) -> Vec<u8> {
    for _ in 0..=random.below(2) {
        let at = random.below(text.len() as u64) as usize;
        let byte = ALPHABET[random.below(ALPHABET.len() as u64) as usize];
        match random.below(3) {
            0 => text.insert(at, byte),
            1 if text.len() > 1 => drop(text.remove(at)),
            _ => text[at] = byte,
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::sieve::{
        error::EngineError,
        rows::{Keyed, Texts},
    };

    /// The CPU in place of a device, with a fault if wanted.
    struct OnCpu {
        keys: StructureKeys,
        fault: fn(usize, &mut [u64; 2], &mut u8),
    }

    impl KeyDevice for OnCpu {
        fn name(&self) -> &'static str {
            "toy"
        }

        fn compute_keys(
            &mut self,
            texts: Texts<'_>,
            to: &mut Keyed<'_>,
        ) -> Result<(), EngineError> {
            for (row, text) in texts.rows().enumerate() {
                let (key, status) = (&mut to.keys[row], &mut to.codes[row]);
                (*key, *status) = match self.keys.key(text) {
                    Ok(key) => (key.words(), 0),
                    Err(reason) => ([0; 2], 1 + reason as u8),
                };
                (self.fault)(row, key, status);
            }
            Ok(())
        }
    }

    fn conform(fault: fn(usize, &mut [u64; 2], &mut u8)) -> Result<u64, KeyMismatch> {
        let keys = StructureKeys::new();
        conform_on_keys(&mut OnCpu { keys, fault })
    }

    #[test]
    fn faults_of_a_device_are_seen() {
        assert!(conform(|_, _, _| ()).unwrap() > 3_000);
        let mismatch = conform(|row, key, _| key[1] ^= u64::from(row == 200)).unwrap_err();
        assert!(matches!(mismatch, KeyMismatch::Row { .. }), "{mismatch}");
        let mismatch = conform(|row, key, status| {
            if row == 256 {
                (*key, *status) = ([u64::MAX; 2], 0);
            }
        });
        assert!(matches!(mismatch, Err(KeyMismatch::Row { .. })));
        let mismatch = conform(|row, _, status| {
            if row % 2 == 0 {
                *status = u8::MAX;
            }
        });
        assert!(matches!(mismatch, Err(KeyMismatch::TooLarge { .. })));
        let mismatch = conform(|_, _, status| *status = (*status).min(3)).unwrap_err();
        assert!(matches!(mismatch, KeyMismatch::Row { .. }), "{mismatch}");
    }

    #[test]
    fn there_are_keys_and_reasons_of_most_kinds() {
        let (texts, shipped) = texts();
        assert_eq!(shipped, 621);
        let mut keys = StructureKeys::new();
        let mut reasons = BTreeSet::new();
        let without_key = texts.iter().filter_map(|text| keys.key(text).err());
        let without_key = without_key.map(|reason| reasons.insert(reason)).count();
        assert!(texts.len() - without_key > 900, "{without_key}");
        assert!(reasons.len() >= 10, "{reasons:?}");
        let smiles = |text: &Vec<u8>| text.iter().all(|byte| !b",\" ".contains(byte));
        assert!(texts.iter().all(smiles));
    }
}
