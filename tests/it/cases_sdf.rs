//! SD files as written by databases and drawing programs.

use crate::kit::{
    Folder, Molsieve,
    library::rule_file,
    output::{self, rejects, rows, smiles},
};
use arrow::array::AsArray;

/// RDKit reads another molecule from the SMILES that it writes for this one.
const CUNEANE: &str = include_str!("../cases/cuneane.sdf");
const CUNEANE_SMILES: &str = "O=C(O)C1CCC(C23C4[C@H]5C6[C@H]4[C@@H]2[C@@H]6[C@H]53)CC1";
const ESTER: &str = "COC(=O)C1CCC(C23C4[C@H]5C6[C@H]4[C@@H]2[C@@H]6[C@H]53)CC1";

/// A mol block of two bonded carbons and this atom.
fn block(title: &str, third: &str) -> String {
    format!(
        "{title}
  tool

  3  2  0  0  0  0  0  0  0  0999 V2000
   -1.2990   -0.2500    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
    0.0000    0.5000    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
    1.2990   -0.2500    0.0000 {third}   0  0  0  0  0  0  0  0  0  0  0  0
  1  2  1  0
  2  3  1  0
M  END
"
    )
}

/// 1-aminoethanol with a drawn stereocentre, and a stereo collection.
fn aminoethanol(collection: &str) -> String {
    format!(
        "
  tool

  0  0  0  0  0  0  0  0  0  0999 V3000
M  V30 BEGIN CTAB
M  V30 COUNTS 4 3 0 0 0
M  V30 BEGIN ATOM
M  V30 1 C -1.299038 -0.750000 0.000000 0
M  V30 2 C 0.000000 0.000000 0.000000 0
M  V30 3 N 1.299038 -0.750000 0.000000 0
M  V30 4 O 0.000000 1.500000 0.000000 0
M  V30 END ATOM
M  V30 BEGIN BOND
M  V30 1 1 2 1 CFG=1
M  V30 2 1 2 3
M  V30 3 1 2 4
M  V30 END BOND
M  V30 BEGIN COLLECTION
M  V30 {collection} ATOMS=(1 2)
M  V30 END COLLECTION
M  V30 END CTAB
M  END
$$$$
"
    )
}

fn run(folder: &Folder, flags: &str, content: &str, code: i32) {
    Molsieve::new(flags)
        .args("--overwrite --memory 256MiB")
        .input(folder.write("a.sdf", content))
        .output(folder.out())
        .run()
        .ends_with(code);
}

/// The molecules that `dedup` kept.
fn kept(folder: &Folder) -> Vec<String> {
    let mut kept = Vec::new();
    for part in output::parts(&folder.out()) {
        for batch in output::read_parquet(&part).1 {
            let column = batch.column_by_name("smiles").unwrap().as_string::<i32>();
            kept.extend((0..batch.num_rows()).map(|row| column.value(row).to_owned()));
        }
    }
    kept
}

#[test]
fn a_molecule_whose_smiles_does_not_read_back_is_transformed() {
    let folder = Folder::new();
    let rules = rule_file(
        &folder,
        &[("ester", "[C:1](=[O:2])[OH:3]>>[C:1](=[O:2])[O:3]C")],
    );
    for chemistry in ["fast", "reference"] {
        let flags = format!("run --chemistry {chemistry} --rules {}", rules.display());
        run(&folder, &flags, CUNEANE, 0);
        let made = rows(&folder.out());
        assert_eq!(made.len(), 1);
        assert_eq!(made[0].smiles, ESTER);
        assert_eq!(made[0].parent_smiles, CUNEANE_SMILES);
        assert_eq!(made[0].parent_id, "cuneane");
    }
}

#[test]
fn a_molecule_whose_smiles_does_not_read_back_is_cleaned() {
    let folder = Folder::new();
    let twice = format!("{CUNEANE}{}$$$$\n{CUNEANE}", block("a", "O"));
    run(&folder, "run", &twice, 0);
    assert_eq!(smiles(&folder.out()), [CUNEANE_SMILES, "CCO"]);
    run(&folder, "dedup --check 10", &twice, 0);
    assert_eq!(kept(&folder), [CUNEANE_SMILES, "CCO"]);
}

#[test]
fn a_mol_block_in_a_tag_value_is_text() {
    let inner = block("inner", "F");
    let untitled = block("", "F");
    let reaction = format!("$RXN\n\n  tool\n\n  1  1\n$MOL\n{untitled}$MOL\n{inner}");
    let values = [
        inner.clone(),
        untitled.clone(),
        format!("text\n{inner}"),
        format!("{inner}{untitled}"),
        reaction,
    ];
    let folder = Folder::new();
    for value in values {
        let text = format!(
            "{}>  <SRC>\n{value}\n>  <NEXT>\n1\n\n$$$$\n{}$$$$\n",
            block("t", "O"),
            block("u", "N")
        );
        run(&folder, "run", &text, 0);
        assert_eq!(smiles(&folder.out()), ["CCO", "CCN"], "{value}");
    }
}

#[test]
fn a_missing_record_end_loses_no_molecule_silently() {
    let (first, second) = (block("t", "O"), block("", "N"));
    let between = [
        "",
        "\n",
        ">  <A>\n1\n\n",
        ">  <A>\n\n\n",
        ">  <A>\n1\n\n>  <B>\ntwo\nlines\n\n",
    ];
    let folder = Folder::new();
    for tags in between {
        let last = block("v", "F");
        run(
            &folder,
            "run",
            &format!("{first}{tags}{second}$$$$\n{last}$$$$\n"),
            4,
        );
        assert_eq!(smiles(&folder.out()), ["CCF"], "{tags:?}");
        let reject: output::Reject = rejects(&folder.out()).remove(0);
        assert!(
            reject.reason.contains("two mol blocks"),
            "{}",
            reject.reason
        );
    }
}

#[test]
fn a_racemate_in_an_sd_file_differs_from_its_enantiomer() {
    let one = aminoethanol("MDLV30/STEABS");
    let both = aminoethanol("MDLV30/STERAC1");
    let folder = Folder::new();
    run(&folder, "dedup", &format!("{one}{both}{one}{both}"), 0);
    let kept = self::kept(&folder);
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(
        !kept[0].contains('|') && kept[1].ends_with("|&1:1|"),
        "{kept:?}"
    );
}
