//! Rules of several reactants: rows, provenance, samples, routes and errors.

use std::{collections::BTreeSet, fs, path::Path};

use arrow::{array::AsArray, datatypes::UInt16Type};

use crate::kit::{
    Folder, Molsieve, Python, Run, args,
    library::{shipped_rules, smiles_lines},
    output::{self, assert_complete, manifest},
};

const ACIDS: &str = "CC(=O)O acetic\nOC(=O)c1ccccc1 benzoic\nOC(=O)CCC(=O)O succinic\nCCO ethanol\n\
    OC(=O)/C=C/c1ccccc1 cinnamic\nC[C@H](N)C(=O)O alanine\n";
const AMINES: &str = "CN methylamine\nC1CCNC1 pyrrolidine\nNCCN ethylenediamine\nC1CC broken\nCCC propane\n\
    N[C@@H](C)c1ccccc1 phenethylamine\nNC/C=C/C crotylamine\n";
const HALIDES: &str = "Ic1ccccc1 iodobenzene\nBrc1ccc(I)cc1 both\nCc1ccncc1Br bromopicoline\n";
const BORONIC: &str = "OB(O)c1ccccc1 phenyl\nOB(O)c1ccc(I)cc1 iodophenyl\nOB(O)/C=C/C propenyl\n";
const MORE: &str = "O=Cc1ccccc1 benzaldehyde\nO=CC(C)C isobutanal\n[C-]#[N+]CC(=O)OC isocyanoacetate\n\
    [C-]#[N+]C(C)(C)C tbunc\nC=CC=C butadiene\nO=C1C=CC(=O)N1 maleimide\n[N-]=[N+]=NCc1ccccc1 azide\n\
    OCC#C propargyl\nClC/C(Cl)=C/Cl trichloropropene\nCC(=O)[O-].[Na+] salt\nN[C@@H](Cc1ccccc1)C(=O)O |&1:1| phe\n";

/// Couplings of every kind that products can have: bonds between reactants, rings that close, atoms that leave, several
/// products, stereo, hydrogens as atoms, several matches, protected atoms.
const RULES: &str = r#"
[[rule]]
name = "amide"
smirks = "[C:1](=[O:2])[OX2H1].[NX3;H2,H1;!$(NC=O):3]>>[C:1](=[O:2])[N:3]"
reagents = { 2 = "amines.smi" }
examples = [{ from = ["CC(=O)O", "CN"], to = ["CNC(C)=O"] }, { from = ["CC(=O)O", "CO"], to = [] }]
[[rule]]
name = "suzuki"
smirks = "[c:1][I,Br].[c,C;$([#6]=,:*):2]B(O)O>>[c:1]-[*:2]"
parent = "any"
reagents = { 1 = "halides", 2 = "boronic" }
[[rule]]
name = "methylation"
smirks = "[c:1][OX2H:2]>>[c:1][O:2]C"
[[rule]]
name = "ugi"
smirks = "[NX3;H2,H1;!$(NC=O):1].[CX3H1:2]=[O].[C-:3]#[N+:4]>>[N:1][C:2][C+0:3](=O)[NH+0:4]"
parent = "any"
reagents = { 1 = "amines.smi", 2 = "more.smi", 3 = "more.smi" }
exclude = ["[NX3]CCN"]
[[rule]]
name = "ester"
smirks = "[C:1](=[O:2])[OX2H1].[CX4:4][OX2H:3]>>[C:1](=[O:2])[O:3][C:4]"
parent = 2
reagents = { 1 = "acids.smi" }
require = "C"
[[rule]]
name = "diels_alder"
smirks = "[C:1]=[C:2][C:3]=[C:4].[C:5]=[C:6]>>[C:1]1[C:2]=[C:3][C:4][C:5][C:6]1"
parent = 2
reagents = { 1 = "more.smi" }
[[rule]]
name = "metathesis"
smirks = "[C:1]=[O:9].[C:2]=[C:3]>>[C:1]=[C:2].[O:9]=[C:3]"
reagents = { 2 = "more.smi" }
[[rule]]
name = "hydrogens"
smirks = "[c:1][H].[C:2][Cl,Br]>>[c:1][C:2]"
add_hydrogens = true
reagents = { 2 = "more.smi" }
[[rule]]
name = "vinyl"
smirks = "[c:1][OX2H:2].[C:3][OX2H:4]>>[c:1][O:2]/C=C/[O:4][C:3]"
reagents = { 2 = "more.smi" }
[[rule]]
name = "click"
smirks = "[C:1]#[CH:2].[N-:3]=[N+:4]=[N:5]>>[c:1]1[cH:2][n+0:3][n+0:4][n:5]1"
parent = "any"
reagents = { 1 = "more.smi", 2 = "more.smi" }
"#;

/// A folder with the sets and rules above, and a library of all of them with some natural products.
fn folder() -> Folder {
    let folder = Folder::new();
    for (name, text) in [
        ("acids.smi", ACIDS),
        ("amines.smi", AMINES),
        ("halides.smi", HALIDES),
        ("boronic.smi", BORONIC),
        ("more.smi", MORE),
        ("rules.toml", RULES),
    ] {
        folder.write(name, text);
    }
    let library = [ACIDS, AMINES, HALIDES, BORONIC, MORE, &smiles_lines(30)];
    folder.write("library.smi", library.concat());
    folder
}

fn molsieve(folder: &Folder, flags: &str) -> Run {
    let set = |name: &str| format!("{name}={}", folder.path(&format!("{name}.smi")).display());
    Molsieve::new("run --overwrite")
        .args(flags)
        .arg("--reagents")
        .arg(set("halides"))
        .arg(set("boronic"))
        .input(folder.path("library.smi"))
        .rules(folder.path("rules.toml"))
        .output(folder.out())
        .run()
}

/// Compares the output with the plain loop; `flags` are the oracle's.
#[track_caller]
fn assert_equal(folder: &Folder, python: &Python, flags: &str) {
    let (input, rules) = (folder.path("library.smi"), folder.path("rules.toml"));
    let mut words = args!["--input", input, "--rules", rules].to_vec();
    for name in ["halides", "boronic"] {
        let path = folder.path(&format!("{name}.smi"));
        let set = format!("{name}={}", path.display());
        words.extend_from_slice(args!["--reagents", set]);
    }
    words.extend_from_slice(args!["--compare", folder.out()]);
    words.extend(flags.split_whitespace().map(Into::into));
    let compared = python.oracle("reactants.py", &words);
    assert_eq!(compared.code, Some(0), "{compared:#?}");
    assert!(compared.stdout.ends_with("equal\n"), "{compared:#?}");
}

#[test]
fn combinations_are_those_of_the_plain_loop() {
    let Some(python) = Python::find("comparison of combinations with Python") else {
        return;
    };
    let folder = folder();
    for flags in [
        "",
        "--chemistry reference --threads 1",
        "--expected-products 1 --false-positive-rate 0.5",
    ] {
        // A molecule of the library and one of a set can't be read.
        molsieve(&folder, flags).ends_with(4);
        assert_complete(&folder.out());
        assert_equal(&folder, &python, "");
    }
    let made = manifest(&folder.out());
    let settled = &made["filter"]["products_settled"];
    assert!(settled.as_u64().unwrap() > 50, "{settled}");
    for rule in made["by_rule"].as_array().unwrap() {
        assert!(rule["made"].as_u64().unwrap() > 0, "{rule}");
        assert!(rule["parents"].as_u64().unwrap() > 0, "{rule}");
    }
    let amines = &made["reagents"][0];
    assert_eq!(
        (amines["rows"].as_u64(), amines["rejected"].as_u64()),
        (Some(7), Some(1))
    );
    assert_eq!(amines["rejects"][0]["id"], "broken");
}

#[test]
fn couplings_are_made_on_flat_molecules() {
    let folder = folder();
    let rules: Vec<&str> = RULES.split("[[rule]]").collect();
    folder.write(
        "rules.toml",
        format!("[[rule]]{}[[rule]]{}", rules[1], rules[2]),
    );
    molsieve(&folder, "").ends_with(4);
    let made = manifest(&folder.out());
    let number = |group: &str, name: &str| made[group][name].as_u64().unwrap();
    let on_graphs = number("chemistry_products", "on_graphs");
    let all = number("counts", "products_made");
    // RDKit makes those at whose new bond a double bond has stereo.
    assert!(
        on_graphs > 50 && 4 * on_graphs >= 3 * all,
        "{on_graphs} of {all}"
    );
}

#[test]
fn combinations_have_the_same_bytes_with_any_number_of_threads() {
    let folder = folder();
    let flags = "--part-size 64KiB --properties --steps 2 --max-products-per-step 600";
    molsieve(&folder, &format!("--threads 1 {flags}")).ends_with(4);
    let expected = output::part_bytes(&folder.out());
    assert!(expected.len() > 1, "{}", expected.len());
    for threads in [2, 7] {
        molsieve(&folder, &format!("--threads {threads} {flags}")).ends_with(4);
        assert!(output::part_bytes(&folder.out()) == expected, "{threads}");
    }
}

#[test]
fn a_sample_is_a_part_of_all_combinations() {
    let Some(python) = Python::find("comparison of a sample with Python") else {
        return;
    };
    let folder = folder();
    molsieve(&folder, "").ends_with(4);
    let all = manifest(&folder.out())["counts"]["products_made"].clone();
    for (drawn, seen) in [("1", 0), ("500", 20)] {
        molsieve(&folder, &format!("--sample {drawn}")).ends_with(4);
        assert_equal(&folder, &python, "--sampled");
        let made = manifest(&folder.out());
        assert_eq!(made["samples"][0]["drawn"].to_string(), drawn);
        let count = made["counts"]["products_unique"].as_u64().unwrap();
        assert!(count >= seen && count < all.as_u64().unwrap(), "{count}");
    }
    // More than there are: all of them.
    molsieve(&folder, "--sample 1000000000").ends_with(4);
    assert_equal(&folder, &python, "");
    assert_eq!(manifest(&folder.out())["counts"]["products_made"], all);
}

/// Per row: rule and reagents.
fn reagents(output: &Path) -> Vec<(String, Vec<String>, Vec<String>)> {
    let mut rows = Vec::new();
    for part in output::parts(output) {
        for batch in output::read_parquet(&part).1 {
            let texts = |name: &str| -> Vec<Vec<String>> {
                let lists = batch.column_by_name(name).unwrap().as_list::<i32>().clone();
                let texts = lists.iter().map(|list| {
                    let list = list.unwrap();
                    let texts = list.as_string::<i32>().iter();
                    texts.map(|text| text.unwrap().to_owned()).collect()
                });
                texts.collect()
            };
            let rules = batch.column_by_name("rule").unwrap();
            let rules = rules.as_dictionary::<UInt16Type>();
            let names = rules.values().as_string::<i32>();
            let rules = rules
                .keys()
                .iter()
                .map(|key| names.value(key.unwrap().into()));
            let rules: Vec<String> = rules.map(str::to_owned).collect();
            let (ids, smiles) = (texts("reagent_ids"), texts("reagent_smiles"));
            rows.extend(
                rules
                    .into_iter()
                    .zip(ids)
                    .zip(smiles)
                    .map(|((a, b), c)| (a, b, c)),
            );
        }
    }
    rows
}

#[test]
fn rows_name_their_reagents_in_every_step_and_routes_too() {
    let folder = folder();
    molsieve(&folder, "--steps 2 --sample 400").ends_with(4);
    assert_complete(&folder.out());
    let rows = reagents(&folder.out());
    for (rule, ids, smiles) in &rows {
        let expected = match rule.as_str() {
            "methylation" => 0,
            "ugi" => 2,
            _ => 1,
        };
        assert_eq!((ids.len(), smiles.len()), (expected, expected), "{rule}");
    }
    let all: String = [ACIDS, AMINES, HALIDES, BORONIC, MORE].concat();
    for (_, ids, smiles) in &rows {
        for (id, smiles) in ids.iter().zip(smiles) {
            assert!(all.contains(&format!("{smiles} {id}\n")), "{smiles} {id}");
        }
    }
    let last = output::rows(&folder.out()).pop().unwrap();
    for flags in ["", "--all"] {
        let route = Molsieve::new("route --json")
            .args(flags)
            .arg(folder.out())
            .arg(&last.smiles)
            .run();
        let lines: Vec<serde_json::Value> = route
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert!(!lines.is_empty(), "{route:#?}");
        let (_, ids, _) = rows.last().unwrap();
        let named = lines.iter().any(|route| {
            let step = &route["steps"][1];
            let found = step["reagents"].as_array().into_iter().flatten();
            found.map(|reagent| reagent["id"].as_str().unwrap()).eq(ids)
        });
        assert!(named, "{lines:#?}");
    }
}

#[test]
fn sets_that_do_not_fit_in_memory_give_the_same_rows() {
    let folder = Folder::new();
    let amines: String = (0..250_000)
        .map(|i| {
            let chain = |number: usize| "C".repeat(1 + number);
            let (a, b, c, d) = (i % 13, i / 13 % 17, i / 221 % 19, i / 4_199);
            let tail = "OCCSCCOCCSCCOCC";
            format!(
                "N{}C({})O{}S{}{tail}N {i}\n",
                chain(a),
                chain(b),
                chain(c),
                chain(d)
            )
        })
        .collect();
    assert!(amines.len() > 18 << 20, "{}", amines.len());
    folder.write("amines.smi", amines);
    folder.write("library.smi", ACIDS);
    let amide = RULES.split("[[rule]]").nth(1).unwrap();
    folder.write("rules.toml", format!("[[rule]]{amide}"));
    let run = |flags: &str| {
        Molsieve::new("run --overwrite --sample 3000")
            .args(flags)
            .input(folder.path("library.smi"))
            .rules(folder.path("rules.toml"))
            .output(folder.out())
            .run()
            .ends_with(0);
        let peak = manifest(&folder.out())["peak_memory_bytes"]
            .as_u64()
            .unwrap();
        (output::rows(&folder.out()), reagents(&folder.out()), peak)
    };
    // An eighth of the budget is more than the SMILES take, or less.
    let (rows, reagents, _) = run("--memory 1GiB --threads 1");
    let (same_rows, same_reagents, peak) = run("--memory 128MiB --threads 3");
    assert!(rows.len() > 1_500, "{}", rows.len());
    assert_eq!(rows, same_rows);
    assert_eq!(reagents, same_reagents);
    assert!(peak < 128 << 20, "{peak}");
    let distinct: BTreeSet<_> = reagents.iter().map(|(_, ids, _)| ids.clone()).collect();
    // Each reagent has two amino groups.
    assert!(distinct.len() > rows.len() * 2 / 5, "{}", distinct.len());
}

/// Each bad use, and words of the message.
#[test]
fn bad_uses_say_what_is_wrong() {
    let rule = |keys: &str| {
        format!(
            "[[rule]]\nname = 'x'\nsmirks = '[C:1](=[O:2])[OX2H1].[N:3]>>[C:1](=[O:2])[N:3]'\n{keys}\n"
        )
    };
    let amines = "reagents = { 2 = 'amines.smi' }";
    for (keys, flags, code, words) in [
        (
            "",
            "",
            3,
            &[
                "rules.toml:3:11: rule \"x\" has 2 reactants",
                "--reagents 2=FILE",
            ][..],
        ),
        (
            "reagents = { 2 = 'amines' }",
            "",
            3,
            &[
                "rules.toml:4:19",
                "no set of reagents \"amines\"",
                "--reagents amines=FILE",
            ],
        ),
        (
            "reagents = { 2 = 'none.smi' }",
            "",
            3,
            &["rules.toml:4:19", "none.smi", "no such file"],
        ),
        (
            amines,
            "--reagents amine=acids.smi",
            2,
            &["--reagents amine", "the rules take amines.smi"],
        ),
        (amines, "--reagents amines", 2, &["NAME=FILE"]),
        (
            amines,
            "--reagents a=acids.smi --reagents a=acids.smi",
            2,
            &["--reagents", "two sets have the name \"a\""],
        ),
        (
            "reagents = { 2 = 'halides.smi' }",
            "",
            3,
            &[
                "none of the 3 molecules of",
                "halides.smi matches reactant 2",
            ],
        ),
        (
            "reagents = { 1 = 'amines.smi' }",
            "",
            3,
            &["rules.toml:4:14", "reactant 1 is the parent"],
        ),
        (
            "reagents = { 3 = 'amines.smi' }",
            "",
            3,
            &["rules.toml:4:14", "\"3\" is no reactant", "1 to 2"],
        ),
        (
            "parent = 3",
            "",
            3,
            &["rules.toml:4:10", "from 1 to 2, or \"any\""],
        ),
        (
            "parent = 'each'",
            "",
            3,
            &["rules.toml:4:10", "from 1 to 2, or \"any\""],
        ),
        (
            "examples = [{ from = 'CC(=O)O', to = [] }]",
            "",
            3,
            &["1 molecules in \"from\"", "2 reactants"],
        ),
    ] {
        let folder = folder();
        folder.write("rules.toml", rule(keys));
        let run = Molsieve::new("run")
            .args(flags)
            .input(folder.path("library.smi"))
            .rules(folder.path("rules.toml"))
            .output(folder.out())
            .run();
        assert_eq!(run.code, Some(code), "{keys} {flags}: {run:#?}");
        for word in words {
            assert!(
                run.stderr.contains(word),
                "{keys} {flags}: {word}: {}",
                run.stderr
            );
        }
        assert!(run.stderr.lines().count() <= 3, "{}", run.stderr);
        assert!(!folder.out().exists());
    }
    let folder = folder();
    let run = Molsieve::new("run --sample 10")
        .input(folder.path("library.smi"))
        .rules(shipped_rules())
        .output(folder.out())
        .run();
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("no rule combines"), "{}", run.stderr);
}

#[test]
fn rules_check_runs_examples_of_several_reactants() {
    let folder = folder();
    let check = Molsieve::new("rules check")
        .arg(folder.path("rules.toml"))
        .run();
    assert_eq!(check.code, Some(0), "{check:#?}");
    let wrong = RULES.replace("to = [\"CNC(C)=O\"]", "to = [\"CCNC(C)=O\"]");
    let wrong = folder.write("wrong.toml", wrong);
    let check = Molsieve::new("rules check").arg(wrong).run();
    assert_eq!(check.code, Some(3), "{check:#?}");
    let expected = "`CC(=O)O + CN` gives CNC(C)=O; the example says CCNC(C)=O";
    assert!(check.stdout.contains(expected), "{}", check.stdout);
}

#[test]
fn converted_rules_find_their_sets_from_another_folder() {
    let folder = folder();
    fs::create_dir(folder.path("other")).unwrap();
    let out = folder.path("other/rules.toml");
    let convert = Molsieve::new("rules convert").arg(folder.path("rules.toml"));
    convert.arg("-o").arg(&out).run().ends_with(0);
    let written = fs::read_to_string(&out).unwrap();
    let amines = format!("2 = \"{}\"", folder.path("amines.smi").display());
    assert!(written.contains(&amines), "{written}");
    assert!(written.contains("1 = \"halides\""), "{written}");
    let rules = fs::read_to_string(folder.path("rules.toml")).unwrap();
    molsieve(&folder, "").ends_with(4);
    let expected = output::rows(&folder.out());
    fs::remove_file(folder.path("rules.toml")).unwrap();
    fs::write(folder.path("rules.toml"), &written).unwrap();
    assert_ne!(rules, written);
    molsieve(&folder, "").ends_with(4);
    assert_eq!(output::rows(&folder.out()), expected);
}

#[test]
fn a_job_file_and_a_resumed_run_know_the_sets() {
    let folder = folder();
    let job = "input = ['library.smi']\nrules = ['rules.toml']\noutput = 'out'\nsample = 300\n\
        reagents = ['halides=halides.smi', 'boronic=boronic.smi']\n";
    let job = folder.write("job.toml", job);
    Molsieve::new("run").arg(&job).run().ends_with(4);
    let written = fs::read_to_string(folder.out().join("job.toml")).unwrap();
    let expected = format!("halides={}", folder.path("halides.smi").display());
    assert!(written.contains(&expected), "{written}");
    let first = output::part_bytes(&folder.out());
    let again = folder.path("again");
    let written = written.replace(
        &folder.out().display().to_string(),
        &again.display().to_string(),
    );
    let again_job = folder.write("again.toml", written);
    Molsieve::new("run").arg(&again_job).run().ends_with(4);
    assert!(output::part_bytes(&again) == first);
}
