//! Property columns against RDKit's functions in Python, and how a user names properties.

use crate::kit::{
    Folder, Molsieve, Python, args,
    library::{THREE_RULES, made_both_ways, repository, rule_file, shipped_library, smiles_lines},
    output::{self, manifest},
};
use std::path::Path;

/// Runs tests/oracle/properties.py over SMILES files and returns what it printed.
fn compare(libraries: &[&Path]) -> Option<String> {
    let python = Python::find("properties against RDKit in Python")?;
    let mut args = args!["--molsieve", env!("CARGO_BIN_EXE_molsieve")].to_vec();
    args.extend(libraries.iter().map(|library| library.into()));
    Some(python.oracle("properties.py", &args).ends_with(0).stdout)
}

#[test]
fn properties_of_many_kinds_of_molecules_equal_those_of_rdkit() {
    let folder = Folder::new();
    let shipped = folder.write("shipped.smi", smiles_lines(621));
    let kinds = repository().join("tests/oracle/kinds.smi");
    let hard = repository().join("tests/parse/cases.smi");
    let Some(said) = compare(&[&shipped, &kinds, &hard]) else {
        return;
    };
    assert!(said.contains("621 molecules, 0.00% by RDKit"), "{said}");
}

/// With all shipped rules: every property of a product is the same both ways.
#[test]
fn properties_of_products_equal_those_of_the_reference() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(150));
    let [fast, reference] = made_both_ways(&folder, "run --properties", &input);
    assert_eq!(output::part_bytes(&fast), output::part_bytes(&reference));
    let by_rdkit = |out: &Path| {
        let products = &manifest(out)["chemistry_products"];
        products["described_by_rdkit"].as_u64().unwrap()
    };
    assert!(
        20 * by_rdkit(&fast) < by_rdkit(&reference),
        "{}",
        by_rdkit(&fast)
    );
}

#[test]
fn the_summary_and_the_job_file_name_the_properties_in_the_order_of_the_columns() {
    let folder = Folder::new();
    let run = Molsieve::new("run --properties=charge,mw,charge")
        .input(shipped_library())
        .rules(rule_file(&folder, &THREE_RULES))
        .output(folder.out())
        .run()
        .ends_with(0);
    assert!(run.stdout.contains("  properties mw,charge"), "{run:#?}");
    let job = std::fs::read_to_string(folder.out().join("job.toml")).unwrap();
    assert!(job.contains("properties = [\"mw\", \"charge\"]"), "{job}");
}

#[test]
fn an_unknown_property_is_refused_with_the_names_there_are() {
    let folder = Folder::new();
    let run = Molsieve::new("run --properties mw,weight")
        .input(shipped_library())
        .output(folder.out())
        .run()
        .ends_with(2);
    for words in ["no property \"weight\"", "there are mw, clogp, tpsa"] {
        assert!(run.stderr.contains(words), "{run:#?}");
    }
    // A job file behind the flag is taken for a list.
    let run = Molsieve::new("run --properties job.toml")
        .run()
        .ends_with(2);
    let advice = "put the job file before --properties";
    assert!(run.stderr.contains(advice), "{run:#?}");
}
