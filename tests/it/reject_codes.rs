//! The column `code` of the rejects: each kind of row that can't be used has its word, in jobs with rules, without
//! rules and in `dedup`, and the manifest counts them.

use std::{collections::BTreeMap, path::Path};

use crate::kit::{
    Folder, Molsieve,
    library::rule_file,
    output::{self, manifest, read_parquet},
};

/// Text of a row and its code.
const SMILES: [(&str, &str); 10] = [
    ("CC(", "syntax"),
    ("CQ", "syntax"),
    ("C11", "syntax"),
    ("C(C)(C)(C)(C)C", "valence"),
    ("N(C)(C)(C)C", "valence"),
    ("c1cccc1", "kekulize"),
    ("c1ccc[nH]cc1c", "kekulize"),
    ("", "empty"),
    ("CC\u{1}C", "encoding"),
    ("CCO", ""),
];

/// Runs the job and fails unless its rejects have these codes, by row, and the manifest counts them.
#[track_caller]
fn assert_codes(job: Molsieve, output: &Path, codes: &[&str]) {
    let run = job.output(output).run().ends_with(4);
    let rejects = output::rejects(output);
    let expected: Vec<(u64, &str)> = (0..)
        .zip(codes.iter().copied())
        .filter(|(_, code)| !code.is_empty())
        .collect();
    let found: Vec<(u64, &str)> = rejects.iter().map(|row| (row.row, &*row.code)).collect();
    assert_eq!(found, expected, "{rejects:?}\n{}", run.stdout);
    let mut counts = BTreeMap::new();
    for (_, code) in expected {
        *counts.entry(code).or_insert(0u64) += 1;
    }
    let counted = &manifest(output)["rejected_by_code"];
    assert_eq!(*counted, serde_json::json!(counts));
}

fn jobs(folder: &Folder) -> [(&'static str, Molsieve); 4] {
    let rules = rule_file(folder, &[("r0", "[cH:1]>>[c:1]F")]);
    [
        ("rules", Molsieve::new("run").rules(&rules)),
        (
            "reference",
            Molsieve::new("run --chemistry reference").rules(&rules),
        ),
        ("clean", Molsieve::new("run")),
        ("dedup", Molsieve::new("dedup")),
    ]
}

#[test]
fn smiles_of_every_kind() {
    let folder = Folder::new();
    let long = "C".repeat(5_000);
    let many_atoms = "C".repeat(1_025);
    let mut lines: Vec<&str> = SMILES.map(|(text, _)| text).to_vec();
    let mut codes = SMILES.map(|(_, code)| code).to_vec();
    lines.push(&long);
    codes.push("too_large");
    let table = format!("smiles,id\n{}\n", lines.join(",x\n") + ",x");
    let mut bytes = table.clone().into_bytes();
    bytes.extend(b"C\xffC,x\nCC,x,y\nCC,\"x\n");
    codes.extend(["encoding", "table", "table"]);
    let input = folder.write("a.csv", bytes);
    for (name, job) in jobs(&folder) {
        assert_codes(job.input(&input), &folder.path(name), &codes);
    }
    // How many atoms a molecule may have is a limit of the chemistry.
    let input = folder.write("atoms.smi", format!("CCO\n{many_atoms}\n"));
    for (name, job) in jobs(&folder).into_iter().take(3) {
        let out = folder.path(&format!("atoms-{name}"));
        assert_codes(job.input(&input), &out, &["", "too_large"]);
    }
}

/// A mol block with these atoms and bonds.
fn block(atoms: &[&str], bonds: &[(usize, usize, u8)]) -> String {
    let counts = format!("{:3}{:3}", atoms.len(), bonds.len());
    let mut text = format!("\n  test\n\n{counts}  0  0  0  0  0  0  0  0999 V2000\n");
    for atom in atoms {
        text += &format!(
            "    0.0000    0.0000    0.0000 {atom:<3} 0  0  0  0  0  0  0  0  0  0  0  0\n"
        );
    }
    for (from, to, order) in bonds {
        text += &format!("{from:3}{to:3}{order:3}  0\n");
    }
    text + "M  END\n"
}

#[test]
fn records_of_an_sd_file() {
    let folder = Folder::new();
    let ethane = block(&["C", "C"], &[(1, 2, 1)]);
    let records = [
        (ethane.clone(), ""),
        // More bonds of one carbon than it has.
        (
            block(&["C", "C", "C", "C"], &[(1, 2, 2), (1, 3, 2), (1, 4, 2)]),
            "valence",
        ),
        // A bond to an atom that is not there.
        (block(&["C", "C"], &[(1, 7, 1)]), "sdf"),
        (ethane.replace("M  END\n", ""), "sdf"),
        (ethane.clone() + &ethane, "sdf"),
        (block(&[], &[]), "empty"),
    ];
    let text: String = records
        .iter()
        .map(|(record, _)| format!("{record}$$$$\n"))
        .collect();
    let input = folder.write("a.sdf", text);
    let codes = records.map(|(_, code)| code);
    for (name, job) in jobs(&folder) {
        assert_codes(job.input(&input), &folder.path(name), &codes);
    }
}

#[test]
fn the_code_stands_behind_the_reason_and_is_text() {
    let folder = Folder::new();
    let input = folder.write("a.smi", "CCO\nCC( cut\n");
    Molsieve::new("run")
        .input(input)
        .output(folder.out())
        .run()
        .ends_with(4);
    let (schema, _) = read_parquet(&folder.out().join("rejects.parquet"));
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| &**field.name())
        .collect();
    assert_eq!(names, ["row", "id", "text", "reason", "code"]);
    assert_eq!(
        schema.field(4).data_type(),
        &arrow::datatypes::DataType::Utf8
    );
}

/// A text that no small slot holds is cut in the rejects.
#[test]
fn a_smiles_that_is_longer_than_the_rejects_hold() {
    let folder = Folder::new();
    let input = folder.write("a.smi", format!("{} long\nCCO e\n", "C".repeat(300_000)));
    for (name, job) in jobs(&folder) {
        let out = folder.path(name);
        let job = job.args("--memory 200MiB").input(&input);
        assert_codes(job, &out, &["too_large", ""]);
        assert_eq!(output::rejects(&out)[0].text.len(), 100 << 10);
    }
}
