//! A row of the input as a parent: its id and its SMILES.

use std::{borrow::Cow, io::Write};

use crate::{
    chem::RdKit,
    reject::Rejection,
    table::source::{ParentRow, RowId, TextKind},
};

/// The id of a row. `number` takes the text of its row number, if that is the id.
pub(crate) fn id_of<'p>(parent: ParentRow<'p>, number: &'p mut Vec<u8>) -> &'p [u8] {
    match parent.id {
        RowId::Named(id) => id.as_bytes(),
        RowId::RowNumber => {
            number.clear();
            write!(number, "{}", parent.row).expect("writing to a Vec can't fail");
            number
        }
    }
}

/// The SMILES of a row, or why it has none.
pub(crate) fn smiles_of<'p>(
    rdkit: RdKit,
    parent: ParentRow<'p>,
) -> Result<Cow<'p, [u8]>, Rejection> {
    match (parent.fault, parent.kind) {
        (Some(fault), _) => Err(fault.code.because(fault.reason)),
        (None, TextKind::Smiles) => Ok(parent.text.into()),
        (None, TextKind::MolBlock) => rdkit
            .mol_block_to_smiles(parent.text)
            .map(|smiles| smiles.into_bytes().into()),
    }
}
