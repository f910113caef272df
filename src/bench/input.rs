//! The input of all measurements: molecules, rows that resemble their products, keys. The same on every machine.

use crate::{
    key::Key,
    slot::{Slot, text_range},
};

/// Natural products of different classes from the shipped library, as canonical SMILES. [`RULE`] has a site in all of
/// them.
pub(super) const MOLECULES: [&str; 36] = [
    "Cc1cc(O)c2c(c1)C(=O)c1cc(O)cc(O)c1C2=O",
    "COc1ccc([C@@H]2CC(=O)c3c(O)cc(O[C@@H]4O[C@H](CO)[C@@H](O)[C@H](O)[C@H]4O[C@@H]4O[C@@H](C)[C@H](O)[C@@H](O)[C@H]4O)cc3O2)cc1O",
    "COc1cc(CCC(=O)CC(=O)CCc2ccc(O)c(OC)c2)ccc1O",
    "Cc1ccc(C(C)C)cc1O",
    "CC(C)=CC(=O)CC(C)c1ccc(C)cc1",
    "O=c1ccc2ccc(O)cc2o1",
    "CC(C)c1ccc2c(c1)CCC1C(C)(C(=O)O)CCCC21C",
    "C=CC(C)(C)c1cc(/C=C/C(=O)c2ccc(O)cc2)c(OC)cc1O",
    "Cc1ncc(CO)c(CN)c1O",
    "COC(=O)/C=C/c1ccccc1",
    "Oc1ccc([C@H]2Oc3cc(O)cc(O)c3C[C@H]2O)cc1",
    "O=c1cc(-c2ccc(O)c(O)c2)oc2cc(O)c([C@@H]3O[C@H](CO)[C@@H](O)[C@H](O)[C@H]3O)c(O)c12",
    "O=c1c(O)c(-c2ccc(O)cc2)oc2cc(O)cc(O)c12",
    "O=C1c2c(O)cc(O)cc2O[C@H](c2cc(O)c(O)c(O)c2)[C@H]1O",
    "COc1c(O)cc2oc3cc(O)c(CC=C(C)C)c(O)c3c(=O)c2c1CC=C(C)C",
    "O=c1c(-c2ccc(O)cc2)coc2cc(O[C@@H]3O[C@H](CO)[C@@H](O)[C@H](O)[C@H]3O)ccc12",
    "O=c1c(O[C@@H]2O[C@H](CO)[C@@H](O)[C@H](O)[C@H]2O)c(-c2ccc(O)c(O)c2)oc2cc(O)cc(O)c12",
    "COc1c(O)cc2occ(-c3ccc(O)cc3)c(=O)c2c1O",
    "OC[C@H]1O[C@@H](Oc2cc(O)cc(/C=C/c3ccc(O)cc3)c2)[C@H](O)[C@@H](O)[C@@H]1O",
    "COc1cc(-c2[o+]c3cc(O)cc(O)c3cc2O)cc(OC)c1O",
    "CC(C)=CCOc1c2occc2cc2ccc(=O)oc12",
    "N[C@@H](Cc1ccc(O)cc1)C(=O)O",
    "COc1ccc(-c2cc(=O)c3c(OC)c(OC)c(OC)c(OC)c3o2)cc1",
    "CN(C)CCc1ccc(O)cc1",
    "C=CCc1ccc(O)c(-c2cc(CC=C)ccc2O)c1",
    "C=CCc1ccc(OC)cc1",
    "O=C(/C=C/c1ccc(O[C@@H]2O[C@H](CO)[C@@H](O)[C@H](O)[C@H]2O)cc1)c1ccc(O)cc1O",
    "O=C1C[C@@H](c2ccc(O)cc2)Oc2cc(O)ccc21",
    "OC[C@H]1O[C@@H](Oc2cc3c(O)cc(O)cc3[o+]c2-c2ccc(O)c(O)c2)[C@H](O)[C@@H](O)[C@@H]1O",
    "CC(Cc1ccc(O)c(O)c1)C(C)Cc1ccc(O)c(O)c1",
    "CCc1occc(=O)c1O",
    "CCCCCCCCOC(=O)c1cc(O)c(O)c(O)c1",
    "COc1cc(C=O)ccc1O",
    "COc1ccc(CCC(=O)c2c(O)cc(O[C@@H]3O[C@H](CO)[C@@H](O)[C@H](O)[C@H]3O[C@@H]3O[C@@H](C)[C@H](O)[C@@H](O)[C@H]3O)cc2O)cc1O",
    "OCc1ccccc1O[C@@H]1O[C@H](CO)[C@@H](O)[C@H](O)[C@H]1O",
    "CC(C)=CC[C@@H](O)C1=CC(=O)c2c(O)ccc(O)c2C1=O",
];

/// The rule for which RDKit is measured, as a rule file.
pub(super) const RULE: &str =
    "[[rule]]\nname = \"aromatic_fluorination\"\nsmirks = \"[cH:1]>>[c:1]F\"\n";

/// Characters that encode a row's number, four bits each. All of them occur in SMILES.
const DIGITS: [u8; 16] = *b"CNOSPFIBcnosp123";
/// Characters of a row's number.
const NUMBER_BYTES: usize = 10;

/// Rows and bytes of one or more slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Filled {
    pub rows: u64,
    /// Bytes that an engine reads: text and ends.
    pub bytes: u64,
}

/// Fills a slot with at most `rows_max` rows, numbered from `number` on: a molecule and its number. Different numbers
/// below 2^40 give different rows.
pub(super) fn fill(slot: &mut Slot, number: u64, rows_max: usize) -> Filled {
    slot.clear();
    let rows_max = rows_max.min(slot.layout().rows_max);
    let columns = slot.columns_mut();
    let (mut rows, mut end) = (0, 0);
    while rows < rows_max {
        let molecule = MOLECULES[rows % MOLECULES.len()].as_bytes();
        let (digits_at, row_end) = (end + molecule.len(), end + molecule.len() + NUMBER_BYTES);
        if row_end > columns.text.len() {
            break;
        }
        columns.text[end..digits_at].copy_from_slice(molecule);
        write_number(&mut columns.text[digits_at..row_end], number + rows as u64);
        columns.text_end[rows] = row_end as u32;
        (rows, end) = (rows + 1, row_end);
    }
    slot.set_filled(rows, end);
    Filled {
        rows: rows as u64,
        bytes: (end + rows * size_of::<u32>()) as u64,
    }
}

/// Renumbers the rows of a filled slot, so that all of them are new rows.
pub(super) fn renumber(slot: &mut Slot, number: u64) {
    let rows = slot.rows();
    let columns = slot.columns_mut();
    for row in 0..rows {
        let end = text_range(columns.text_end, row).end;
        write_number(
            &mut columns.text[end - NUMBER_BYTES..end],
            number + row as u64,
        );
    }
}

fn write_number(digits: &mut [u8], number: u64) {
    for (place, digit) in digits.iter_mut().enumerate() {
        *digit = DIGITS[(number >> (4 * place)) as usize & 15];
    }
}

/// Distinct keys, numbered from `number` on.
pub(super) fn keys(number: u64, count: usize) -> Vec<[u64; 2]> {
    (number..number + count as u64)
        .map(|number| Key::of(&number.to_le_bytes()).words())
        .collect()
}

/// Average bytes of a row's text.
pub(super) fn mean_row_bytes() -> f64 {
    let bytes: usize = MOLECULES.iter().map(|molecule| molecule.len()).sum();
    bytes as f64 / MOLECULES.len() as f64 + NUMBER_BYTES as f64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{property::PropertySet, slot::SlotLayout};

    #[test]
    fn rows_are_distinct_and_as_long_as_products_are() {
        let mut slot = Slot::new(SlotLayout::smallest(PropertySet::NONE));
        let mut seen = HashSet::new();
        let filled = fill(&mut slot, 0, usize::MAX);
        assert!(filled.rows > 1_000, "{filled:?}");
        for number in [None, Some(filled.rows), Some(1 << 39)] {
            if let Some(number) = number {
                renumber(&mut slot, number);
            }
            assert!((0..slot.rows()).all(|row| seen.insert(slot.smiles(row).to_vec())));
        }
        assert!(
            (40.0..80.0).contains(&mean_row_bytes()),
            "{}",
            mean_row_bytes()
        );
        assert_eq!(fill(&mut slot, 0, 7).rows, 7);
    }
}
