//! Finds the columns with the SMILES and the id.

use std::path::Path;

use super::error::{ColumnRole, SourceError};
use super::keep_columns::KeepColumns;

/// The columns that the user named; `None`: find the column by its usual names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnChoice {
    /// The column (or SD tag) with the SMILES.
    pub smiles: Option<String>,
    /// The column (or SD tag) with the id.
    pub id: Option<String>,
    /// Whether text files have no header; columns are then named by their numbers from 1.
    pub no_header: bool,
    /// The columns that rows carry.
    pub keep: KeepColumns,
}

impl ColumnChoice {
    /// The number chosen for the SMILES column, if any.
    pub(super) fn smiles_number(&self) -> Option<usize> {
        self.smiles.as_deref()?.trim().parse().ok()
    }

    /// The number chosen for the id column, if any.
    pub(super) fn id_number(&self) -> Option<usize> {
        self.id.as_deref()?.trim().parse().ok()
    }
}

/// Usual names of a SMILES column, normalized by `normal`, likeliest first: names that promise stereo, then
/// names that don't mention it, then names of SMILES without stereo. `parentsmiles` comes late because the files
/// that molsieve writes have it beside `smiles`.
pub const SMILES_NAMES: [&str; 35] = [
    "isomericsmiles",
    "smilesisomeric",
    "isosmiles",
    "openeyeisosmiles",
    "pubchemopeneyeisosmiles",
    "absolutesmiles",
    "stereosmiles",
    "smiles",
    "canonicalsmiles",
    "smilescanonical",
    "cansmiles",
    "standardizedsmiles",
    "rdkitsmiles",
    "pubchemsmiles",
    "cxsmiles",
    "smi",
    "smile",
    "smilesstring",
    "smilescode",
    "structure",
    "structuresmiles",
    "molsmiles",
    "moleculesmiles",
    "compoundsmiles",
    "ligandsmiles",
    "drugsmiles",
    "inputsmiles",
    "parentsmiles",
    "openeyecansmiles",
    "pubchemopeneyecansmiles",
    "connectivitysmiles",
    "pubchemconnectivitysmiles",
    "flatsmiles",
    "nonstereosmiles",
    "nonisomericsmiles",
];

/// Usual names of an id column, normalized by `normal`, likeliest first: identifiers before names, because
/// names need not be unique.
pub const ID_NAMES: [&str; 49] = [
    "id",
    "identifier",
    "idnumber",
    "molid",
    "moleculeid",
    "moleculeidentifier",
    "compoundid",
    "compoundidentifier",
    "compoundnumber",
    "cmpdid",
    "cpdid",
    "catalogid",
    "catalogueid",
    "catalognumber",
    "cataloguenumber",
    "zincid",
    "chemblid",
    "moleculechemblid",
    "compoundchemblid",
    "cid",
    "pubchemcid",
    "pubchemcompoundcid",
    "compoundcid",
    "coconutid",
    "enamineid",
    "molportid",
    "mculeid",
    "drugbankid",
    "chebiid",
    "bindingdbmonomerid",
    "npaid",
    "structureid",
    "substanceid",
    "sid",
    "sampleid",
    "vendorid",
    "supplierid",
    "registrynumber",
    "regid",
    "code",
    "compound",
    "name",
    "compoundname",
    "moleculename",
    "molname",
    "preferredname",
    "prefname",
    "title",
    "parentid",
];

/// Indices of the SMILES column and, if there is one, of the id column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resolved {
    pub smiles: usize,
    pub id: Option<usize>,
}

/// Finds both columns among `columns`, see [`find`].
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
    let smiles = find(columns, choice.smiles.as_deref(), ColumnRole::Smiles)
        .ok_or_else(|| missing(ColumnRole::Smiles, &choice.smiles))?;
    let id = find(columns, choice.id.as_deref(), ColumnRole::Id);
    if id.is_none() && choice.id.is_some() {
        return Err(missing(ColumnRole::Id, &choice.id));
    }
    Ok(Resolved { smiles, id })
}

/// The chosen column, or without a choice the column with the likeliest known name.
///
/// A chosen name matches exactly, else ignoring case, else after `normal`; a number that is no name is a column
/// number from 1. Without a known name, the only column whose name ends in `smiles` holds the SMILES. Of
/// columns with the same name the first one counts.
pub(super) fn find(columns: &[String], chosen: Option<&str>, role: ColumnRole) -> Option<usize> {
    let position = |fits: &dyn Fn(&str) -> bool| columns.iter().position(|column| fits(column));
    let normal_is = |name: &str| position(&|column| normal(column.as_bytes()) == name);
    match chosen {
        Some(name) => position(&|column| column == name)
            .or_else(|| position(&|column| column.trim().eq_ignore_ascii_case(name.trim())))
            .or_else(|| normal_is(&normal(name.as_bytes())))
            .or_else(|| number(name, columns.len())),
        None => (known(role).iter().find_map(|name| normal_is(name)))
            .or_else(|| only_smiles_like(columns).filter(|_| role == ColumnRole::Smiles)),
    }
}

/// Says, where the user chose no SMILES column, which of several columns with a known name was taken;
/// `parent_smiles` doesn't count.
pub(super) fn note_of_others(
    columns: &[String],
    taken: usize,
    choice: &ColumnChoice,
) -> Option<String> {
    let others = passed_over(columns, taken);
    if choice.smiles.is_some() || others.is_empty() {
        return None;
    }
    let taken = &columns[taken];
    let others: Vec<_> = others.iter().map(|other| format!("`{other}`")).collect();
    Some(format!(
        "the SMILES are taken from column `{taken}`, not from {}; choose with --smiles-column",
        others.join(" or ")
    ))
}

/// Names of the other columns that may hold the SMILES.
fn passed_over(columns: &[String], taken: usize) -> Vec<&str> {
    let meant = |name: &str| name != "parentsmiles" && SMILES_NAMES.contains(&name);
    let others = columns.iter().enumerate().filter(|&(i, _)| i != taken);
    others
        .filter(|(_, column)| meant(&normal(column.as_bytes())))
        .map(|(_, column)| column.as_str())
        .collect()
}

/// Whether `name` is a usual name of a SMILES column.
pub(super) fn names_smiles(name: &[u8]) -> bool {
    SMILES_NAMES.contains(&normal(name).as_str())
}

/// The usual names of a role, likeliest first.
fn known(role: ColumnRole) -> &'static [&'static str] {
    match role {
        ColumnRole::Smiles => &SMILES_NAMES,
        ColumnRole::Id => &ID_NAMES,
        ColumnRole::Kept => &[],
    }
}

/// `name` normalized for comparison: in lower case, without blanks, dots, dashes and underscores.
fn normal(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let parts = name
        .chars()
        .filter(|&c| !c.is_whitespace() && !matches!(c, '.' | '-' | '_'));
    parts.flat_map(char::to_lowercase).collect()
}

/// The index of the column that `name` gives as its number, counted from 1.
fn number(name: &str, columns: usize) -> Option<usize> {
    let number: usize = name.trim().parse().ok()?;
    (1..=columns).contains(&number).then(|| number - 1)
}

/// The column whose name ends in `smiles`, if there is exactly one and its name doesn't mention reactions.
fn only_smiles_like(columns: &[String]) -> Option<usize> {
    let smiles_like = |column: &String| {
        let name = normal(column.as_bytes());
        name.ends_with("smiles") && !name.contains("reaction") && !name.contains("rxn")
    };
    let mut found = (0..columns.len()).filter(|&i| smiles_like(&columns[i]));
    found.next().filter(|_| found.next().is_none())
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
        assert_eq!(find(&file, Some("smi"), ColumnRole::Smiles), Some(1));
        assert_eq!(find(&file, Some("Smi"), ColumnRole::Smiles), Some(0));
        assert_eq!(find(&file, Some("mol"), ColumnRole::Smiles), None);
    }

    #[test]
    fn a_chosen_number_is_a_column_where_no_name_is_that_number() {
        let file = columns(&["cid", "1", "structure"]);
        assert_eq!(find(&file, Some("3"), ColumnRole::Smiles), Some(2));
        assert_eq!(find(&file, Some("1"), ColumnRole::Smiles), Some(1));
        assert_eq!(find(&file, Some("0"), ColumnRole::Smiles), None);
        assert_eq!(find(&file, Some("4"), ColumnRole::Smiles), None);
    }

    #[test]
    fn names_are_known_without_case_blanks_dots_dashes_and_underscores() {
        for name in [
            "Isomeric SMILES",
            "IsomericSMILES",
            "isomeric-smiles",
            "ISOMERIC.SMILES",
        ] {
            let file = columns(&["CanonicalSMILES", name]);
            assert_eq!(find(&file, None, ColumnRole::Smiles), Some(1), "{name}");
            assert_eq!(passed_over(&file, 1), ["CanonicalSMILES"]);
        }
        for name in [
            "ChEMBL ID",
            "Molecule ChEMBL ID",
            "zinc_id",
            "identifier",
            "Catalog ID",
        ] {
            let file = columns(&["Name", "title", name]);
            assert_eq!(find(&file, None, ColumnRole::Id), Some(2), "{name}");
        }
        let pubchem = columns(&["ConnectivitySMILES", "SMILES"]);
        assert_eq!(find(&pubchem, None, ColumnRole::Smiles), Some(1));
    }

    #[test]
    fn known_names_are_written_as_they_are_compared() {
        for role in [ColumnRole::Smiles, ColumnRole::Id] {
            assert!(
                known(role)
                    .iter()
                    .all(|name| normal(name.as_bytes()) == *name)
            );
        }
    }

    #[test]
    fn one_name_that_ends_in_smiles_is_taken_and_of_two_none() {
        let one = columns(&["mw", "QSAR ready SMILES", "reaction_smiles"]);
        assert_eq!(find(&one, None, ColumnRole::Smiles), Some(1));
        let two = columns(&["mono_smiles", "QSAR ready SMILES"]);
        assert_eq!(find(&two, None, ColumnRole::Smiles), None);
        let own = columns(&["smiles", "parent_smiles"]);
        assert!(passed_over(&own, 0).is_empty());
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
            ..ColumnChoice::default()
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
