//! Which columns hold the SMILES and the id.

use std::path::Path;

use super::error::{ColumnRole, SourceError};

/// The columns the user named; `None` means: find one by its usual names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnChoice {
    /// The column (or SD tag) with the SMILES.
    pub smiles: Option<String>,
    /// The column (or SD tag) with the id.
    pub id: Option<String>,
}

/// Names that a SMILES column usually has, the likeliest first. `parent_smiles` is last: the
/// files that molsieve writes have it beside `smiles`.
pub const SMILES_NAMES: [&str; 8] = [
    "smiles",
    "canonical_smiles",
    "isomeric_smiles",
    "smi",
    "structure",
    "structure_smiles",
    "mol_smiles",
    "parent_smiles",
];

/// Names that an id column usually has, the likeliest first.
pub const ID_NAMES: [&str; 11] = [
    "id",
    "name",
    "mol_id",
    "molecule_id",
    "compound_id",
    "zinc_id",
    "chembl_id",
    "molecule_chembl_id",
    "cid",
    "title",
    "parent_id",
];

/// Indices of the SMILES column and, if there is one, of the id column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resolved {
    pub smiles: usize,
    pub id: Option<usize>,
}

/// Finds both columns among `columns`. A chosen name is taken exactly, else ignoring case; of
/// columns with the same name the first is taken.
///
/// # Errors
/// [`SourceError::MissingColumn`] if a chosen column isn't there, or no column looks like SMILES.
pub(super) fn resolve(
    path: &Path,
    columns: &[String],
    choice: &ColumnChoice,
) -> Result<Resolved, SourceError> {
    let missing = |role, wanted: &Option<String>| SourceError::MissingColumn {
        path: path.to_owned(),
        role,
        wanted: wanted.clone(),
        columns: columns.to_vec(),
    };
    let smiles = find(columns, choice.smiles.as_deref(), &SMILES_NAMES)
        .ok_or_else(|| missing(ColumnRole::Smiles, &choice.smiles))?;
    let id = find(columns, choice.id.as_deref(), &ID_NAMES);
    if id.is_none() && choice.id.is_some() {
        return Err(missing(ColumnRole::Id, &choice.id));
    }
    Ok(Resolved { smiles, id })
}

/// The chosen column, or without a choice the first of the known `names` that is there.
pub(super) fn find(columns: &[String], chosen: Option<&str>, names: &[&str]) -> Option<usize> {
    let ignoring_case = |name: &str| {
        columns
            .iter()
            .position(|column| column.trim().eq_ignore_ascii_case(name))
    };
    match chosen {
        Some(name) => columns
            .iter()
            .position(|column| column == name)
            .or_else(|| ignoring_case(name.trim())),
        None => names.iter().find_map(|name| ignoring_case(name)),
    }
}

/// Whether `name` is a usual name of a SMILES column.
pub(super) fn names_smiles(name: &[u8]) -> bool {
    SMILES_NAMES
        .iter()
        .any(|known| name.trim_ascii().eq_ignore_ascii_case(known.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_likeliest_name_wins_whatever_the_order_of_columns() {
        let file = columns(&["parent_smiles", "Name", "key", "SMILES", "ID"]);
        let found = resolve(Path::new("f"), &file, &ColumnChoice::default());
        assert_eq!(
            found,
            Ok(Resolved {
                smiles: 3,
                id: Some(4)
            })
        );
    }

    #[test]
    fn a_chosen_name_is_exact_before_it_ignores_case() {
        let file = columns(&["SMI", "smi", "smiles"]);
        assert_eq!(find(&file, Some("smi"), &SMILES_NAMES), Some(1));
        assert_eq!(find(&file, Some("Smi"), &SMILES_NAMES), Some(0));
        assert_eq!(find(&file, Some("mol"), &SMILES_NAMES), None);
    }

    #[test]
    fn a_chosen_id_that_is_missing_is_an_error_but_no_id_at_all_is_fine() {
        let file = columns(&["smiles", "mw"]);
        let none = resolve(Path::new("f"), &file, &ColumnChoice::default());
        assert_eq!(
            none,
            Ok(Resolved {
                smiles: 0,
                id: None
            })
        );
        let chosen = ColumnChoice {
            smiles: None,
            id: Some("vendor".to_owned()),
        };
        assert_eq!(
            resolve(Path::new("f"), &file, &chosen),
            Err(SourceError::MissingColumn {
                path: "f".into(),
                role: ColumnRole::Id,
                wanted: Some("vendor".to_owned()),
                columns: file,
            })
        );
    }
}
