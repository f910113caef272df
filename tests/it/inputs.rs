//! Inputs of a job: formats, several inputs, columns; and properties of products.

use std::path::{Path, PathBuf};

use crate::kit::{
    Folder, Molsieve,
    library::{
        PHENOL_AND_CRESOL_SDF, THREE_RULES, gzip, parquet_file, rule_file, shipped_library,
        shipped_molecules, smiles_lines,
    },
    output::{self, assert_complete, counted, manifest, rows},
};
use arrow::{
    array::AsArray,
    datatypes::{Float64Type, UInt16Type},
};

/// Runs a cleaning job over `inputs` and returns (row, id, SMILES) of every parent.
fn parents(folder: &Folder, inputs: &[PathBuf]) -> Vec<(u64, String, String)> {
    let job = inputs
        .iter()
        .fold(Molsieve::new("run --overwrite"), Molsieve::input);
    job.output(folder.out()).run().ends_with(0);
    assert_complete(&folder.out());
    rows(&folder.out())
        .into_iter()
        .map(|row| (row.parent_row, row.parent_id, row.smiles))
        .collect()
}

fn parent(row: u64, id: &str, smiles: &str) -> (u64, String, String) {
    (row, id.into(), smiles.into())
}

#[test]
fn inputs_are_read_in_the_order_given_and_rows_count_on() {
    let folder = Folder::new();
    let last = folder.write("zz.smi", "CCO ethanol\nCCC propane\n");
    let csv = folder.write("m.csv", "id,SMILES\nx,CO\ny,CN\n");
    folder.write("dir/b.smi", "CCCC butane\n");
    folder.write("dir/a.smi.gz", gzip(b"CCN amine\n"));
    folder.write("dir/readme.md", "not a library");
    folder.write("many/2.smi", "CF f\n");
    folder.write("many/1.smi", "CCl cl\n");
    let inputs = [last, csv, folder.path("dir"), folder.path("many/?.smi")];
    assert_eq!(
        parents(&folder, &inputs),
        [
            parent(0, "ethanol", "CCO"),
            parent(1, "propane", "CCC"),
            parent(2, "x", "CO"),
            parent(3, "y", "CN"),
            parent(4, "amine", "CCN"),
            parent(5, "butane", "CCCC"),
            parent(6, "cl", "CCl"),
            parent(7, "f", "CF"),
        ]
    );
    let reported = manifest(&folder.out());
    let paths: Vec<&str> = reported["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|input| input["path"].as_str().unwrap())
        .map(|path| path.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(
        paths,
        ["zz.smi", "m.csv", "a.smi.gz", "b.smi", "1.smi", "2.smi"]
    );
}

#[test]
fn blank_lines_comments_and_headers_of_smiles_files_are_not_rows() {
    let folder = Folder::new();
    let input = folder.write(
        "a.smi",
        "smiles id\n\n# made by hand\nCCO 1\n \nCCC 2\r\nCCN\n",
    );
    assert_eq!(
        parents(&folder, &[input]),
        [
            parent(0, "1", "CCO"),
            parent(1, "2", "CCC"),
            parent(2, "2", "CCN"),
        ]
    );
}

#[test]
fn sd_files_are_read_with_titles_or_tags_as_ids() {
    let folder = Folder::new();
    let input = folder.write("a.sdf", PHENOL_AND_CRESOL_SDF);
    assert_eq!(
        parents(&folder, std::slice::from_ref(&input)),
        [
            parent(0, "phenol", "Oc1ccccc1"),
            parent(1, "cresol", "Cc1ccc(O)cc1"),
        ]
    );
    Molsieve::new("run --overwrite --id-column vendor")
        .input(&input)
        .rules(rule_file(&folder, &THREE_RULES[..1]))
        .output(folder.out())
        .run()
        .ends_with(0);
    let made: Vec<_> = rows(&folder.out())
        .into_iter()
        .map(|row| (row.smiles, row.parent_id, row.parent_smiles))
        .collect();
    assert_eq!(made[0].0, "COc1ccccc1");
    assert_eq!(made[0].1, "A-17");
    assert_eq!(
        made[0].2, "Oc1ccccc1",
        "the parent of an SD record is written as SMILES"
    );
    assert_eq!(made[1].0, "COc1ccc(C)cc1");
}

#[test]
fn every_format_of_one_library_gives_the_same_parts() {
    let folder = Folder::new();
    let molecules = shipped_molecules(200);
    let lines = smiles_lines(200);
    let table = |delimiter: char| -> String {
        let mut text = format!("Name{delimiter}Canonical_SMILES{delimiter}mw\n");
        for (id, smiles) in &molecules {
            text += &format!("\"{id}\"{delimiter}{smiles}{delimiter}1.5\n");
        }
        text
    };
    let parquet = folder.path("a.parquet");
    parquet_file(&parquet, ["molecule_id", "Structure"], &molecules, 70);
    let inputs = [
        folder.write("a.smi", &lines),
        folder.write("a.smi.gz", gzip(lines.as_bytes())),
        folder.write("a.csv", table(',')),
        folder.write("a.csv.gz", gzip(table(',').as_bytes())),
        folder.write("a.tsv", table('\t')),
        parquet,
    ];
    let rules = rule_file(&folder, &THREE_RULES);
    // Otherwise the filter size, and so the counts of verdicts, would follow the estimate of each file.
    let parts_of = |input: &Path| {
        Molsieve::new("run --overwrite --part-size 64KiB --expected-products 10000")
            .input(input)
            .rules(&rules)
            .output(folder.out())
            .run()
            .ends_with(0);
        assert_complete(&folder.out());
        assert_eq!(counted(&folder.out(), "parents_read"), 200);
        output::part_bytes(&folder.out())
    };
    let expected = parts_of(&inputs[0]);
    for input in &inputs[1..] {
        assert!(parts_of(input) == expected, "{}", input.display());
    }
}

#[test]
fn columns_are_chosen_by_name_and_a_missing_id_is_the_row_number() {
    let folder = Folder::new();
    let two_columns = folder.write("a.csv", "id,smiles,product\n7,CCO,CCCl\n,CCC,CCBr\n");
    Molsieve::new("run --smiles-column PRODUCT")
        .input(&two_columns)
        .output(folder.out())
        .run()
        .ends_with(0);
    let reported: Vec<_> = rows(&folder.out())
        .into_iter()
        .map(|row| (row.parent_id, row.smiles))
        .collect();
    let expected = [("7", "CCCl"), ("1", "CCBr")].map(|(id, s)| (id.into(), s.into()));
    assert_eq!(reported, expected);
}

#[test]
fn the_output_of_a_job_is_the_input_of_the_next() {
    let folder = Folder::new();
    let rules = rule_file(&folder, &[("methylation", "[c:1][OX2H:2]>>[c:1][O:2]C")]);
    let input = folder.write("a.smi", "Oc1ccccc1O catechol\nOc1cccc broken\n");
    let (first, second) = (folder.path("first"), folder.path("second"));
    // The first job leaves a rejects.parquet beside its part.
    for (from, to, code) in [(&input, &first, 4), (&first, &second, 0)] {
        Molsieve::new("run")
            .input(from)
            .rules(&rules)
            .output(to)
            .run()
            .ends_with(code);
    }
    assert_eq!(output::smiles(&first), ["COc1ccccc1O"]);
    assert_eq!(output::smiles(&second), ["COc1ccccc1OC"]);
    // Only the parts in the directory were read: no rejects, manifest or job file.
    assert_eq!(counted(&second, "parents_read"), 1);
}

#[test]
fn properties_equal_those_of_rdkit() {
    let folder = Folder::new();
    let input = folder.write("a.smi", "CC(=O)Oc1ccccc1C(=O)O aspirin\nCCO ethanol\n");
    Molsieve::new("run --properties")
        .input(input)
        .output(folder.out())
        .run()
        .ends_with(0);
    let (_, batches) = output::read_parquet(&output::parts(&folder.out())[0]);
    let batch = &batches[0];
    let real = |name: &str, row| batch[name].as_primitive::<Float64Type>().value(row);
    let count = |name: &str, row| batch[name].as_primitive::<UInt16Type>().value(row);
    // RDKit in Python: rdMolDescriptors._CalcMolWt, CalcCrippenDescriptors, CalcTPSA,
    // CalcNumHBD, CalcNumHBA, CalcNumRotatableBonds
    let close = |value: f64, expected: f64| (value - expected).abs() < 1e-6;
    assert!(close(real("mw", 0), 180.159), "{}", real("mw", 0));
    assert!(close(real("clogp", 0), 1.3101), "{}", real("clogp", 0));
    assert!(close(real("tpsa", 0), 63.6), "{}", real("tpsa", 0));
    let counts = [
        "hbd",
        "hba",
        "rotatable_bonds",
        "heavy_atoms",
        "rings",
        "aromatic_rings",
    ];
    assert_eq!(counts.map(|name| count(name, 0)), [1, 3, 2, 13, 1, 1]);
    assert!(
        close(real("exact_mass", 0), 180.042_259),
        "{}",
        real("exact_mass", 0)
    );
    assert!(close(real("fraction_csp3", 1), 1.0));
    assert!(close(real("mw", 1), 46.069), "{}", real("mw", 1));
}

#[test]
fn the_shipped_library_holds_no_molecule_twice() {
    let folder = Folder::new();
    Molsieve::new("run")
        .input(shipped_library())
        .output(folder.out())
        .run()
        .ends_with(0);
    assert_eq!(counted(&folder.out(), "products_unique"), 621);
    assert_eq!(counted(&folder.out(), "parents_rejected"), 0);
}
