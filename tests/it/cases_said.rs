//! Settings, paths and rules from user reports: what molsieve refuses before it changes anything, and with which
//! messages.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::{Path, PathBuf},
    process::Command,
};

use crate::kit::{
    Folder, Molsieve, Python, args, assert_absent,
    library::smiles_lines,
    output::{self, manifest},
    run_command, skipped,
};

const FLUORINATION: &str = "[[rule]]\nname = 'f'\nsmirks = '[cH:1]>>[c:1]F'\n";

/// The output folder `lib` of a job, with its `a.smi` and `r.toml` beside it.
fn library(folder: &Folder) -> PathBuf {
    let input = folder.write("a.smi", smiles_lines(20));
    let rules = folder.write("r.toml", FLUORINATION);
    let lib = folder.path("lib");
    Molsieve::new("run")
        .input(input)
        .rules(rules)
        .output(&lib)
        .run()
        .ends_with(0);
    lib
}

/// Every file below a folder with its content.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for name in output::names(folder) {
        let path = folder.join(name);
        match path.is_dir() {
            true => files.extend(self::files(&path)),
            false => files.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    files
}

#[test]
fn an_input_in_the_output_directory_is_refused_before_any_change() {
    let folder = Folder::new();
    let lib = library(&folder);
    let part = output::parts(&lib).remove(0);
    let link = folder.path("link");
    symlink(&lib, &link).unwrap();
    let file_link = folder.path("file-link.parquet");
    symlink(&part, &file_link).unwrap();
    let second = folder.path("second.parquet");
    symlink(&file_link, &second).unwrap();
    let hard = folder.path("hard.parquet");
    fs::hard_link(&part, &hard).unwrap();
    let pattern = part.parent().unwrap().join("part-*.parquet");
    let before = files(&lib);
    let inputs = [&lib, &part, &link, &file_link, &second, &hard, &pattern];
    for verb in [
        "run",
        "run --overwrite",
        "dedup --overwrite",
        "plan --overwrite",
    ] {
        for (input, output) in inputs
            .into_iter()
            .map(|input| (input, &lib))
            .chain([(&lib, &link)])
        {
            Molsieve::new(verb)
                .input(input)
                .output(output)
                .run()
                .refuses(
                    2,
                    &[
                        "the input lies in the output directory",
                        "another directory",
                    ],
                );
            assert_eq!(files(&lib), before, "{verb} {}", input.display());
        }
    }
    // The client refuses before it looks for a daemon.
    Molsieve::new("submit --overwrite --socket /nowhere")
        .input(&lib)
        .output(&lib)
        .run()
        .refuses(2, &["the input lies in the output directory"]);
    assert_eq!(files(&lib), before);
}

#[test]
fn any_other_file_that_a_job_reads_in_its_output_directory_is_refused() {
    let folder = Folder::new();
    let lib = library(&folder);
    let input = folder.path("a.smi");
    let rules = folder.write("lib/mine.toml", FLUORINATION);
    let job = folder.write("lib/night.toml", "input = ['../a.smi']\noutput = '.'\n");
    let before = files(&lib);
    let run = || Molsieve::new("run --overwrite").input(&input).output(&lib);
    let runs = [
        (
            run().rules(&rules),
            "the rule file lies in the output directory",
        ),
        (
            run().arg("--exclude").arg(&lib),
            "the run to exclude lies in",
        ),
        (
            Molsieve::new("run --overwrite").arg(&job),
            "the job file lies in",
        ),
    ];
    for (run, words) in runs {
        run.run().refuses(2, &[words]);
        assert_eq!(files(&lib), before);
    }
    // Files beside the output directory are not part of it.
    Molsieve::new("run")
        .input(folder.path("a.smi"))
        .output(folder.path("beside"))
        .run()
        .ends_with(0);
    // The job file that a run has written is written again.
    let beside = folder.path("beside");
    Molsieve::new("run --overwrite")
        .arg(beside.join("job.toml"))
        .run()
        .ends_with(0);
}

#[test]
fn the_job_process_refuses_an_input_in_the_output_directory() {
    let folder = Folder::new();
    let lib = library(&folder);
    let before = files(&lib);
    let order = serde_json::json!({
        "version": 1, "settings": { "input": [lib], "output": lib }, "mode": "overwrite",
        "run_as": null,
    });
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "(printf '%s\\n' \"$1\"; sleep 3) | \"$2\" worker",
        "sh",
    ]);
    command
        .arg(order.to_string())
        .arg(env!("CARGO_BIN_EXE_molsieve"));
    let run = run_command(command);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(
        run.stdout
            .contains("the input lies in the output directory"),
        "{run:?}"
    );
    assert_eq!(files(&lib), before);
}

#[test]
fn an_output_that_is_a_file_is_refused_with_advice() {
    let folder = Folder::new();
    let input = folder.write("a.smi", "CCO\n");
    for (name, instead) in [
        ("out.smi", "--output out"),
        ("out.parquet", "--output out"),
        ("out.csv", "--output out"),
        ("out.smi.gz", "--output out"),
        ("v1.2.sdf", "--output v1.2"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_molsieve"));
        let temporary = input.parent().unwrap();
        command
            .current_dir(temporary)
            .args(["run", "-i", "a.smi", "-o", name]);
        run_command(command).refuses(2, &[name, "a directory of files", instead]);
        assert_absent(&folder.path(name));
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_molsieve"));
    command
        .current_dir(input.parent().unwrap())
        .args(["run", "-i", "a.smi", "-o", "-"]);
    let printed = run_command(command).ends_with(0);
    assert_eq!(printed.stdout, "CCO\t0\n");
    assert_absent(&folder.path("-"));
    // A directory that is there may have any name.
    fs::create_dir(folder.path("dir.parquet")).unwrap();
    Molsieve::new("run")
        .input(&input)
        .output(folder.path("dir.parquet"))
        .run()
        .ends_with(0);
}

#[test]
fn a_library_or_rule_file_given_as_job_file_is_refused_with_the_flag_to_use() {
    let folder = Folder::new();
    for verb in ["run", "dedup", "submit"] {
        for name in ["l.smi", "l.csv", "l.tsv", "l.sdf", "l.smi.gz", "l.txt"] {
            let file = folder.write(name, "smiles\nCCO ethanol\n");
            let words = format!("--input {}", file.display());
            Molsieve::new(verb)
                .arg(&file)
                .run()
                .refuses(2, &["this is not a job file", &words]);
        }
        let parquet = folder.write("l.parquet", b"PAR1\xFF\xFE");
        Molsieve::new(verb)
            .arg(parquet)
            .run()
            .refuses(2, &["this is not a job file", "--input"]);
    }
    fs::create_dir(folder.path("lib")).unwrap();
    let run = Molsieve::new("run").arg(folder.path("lib")).run();
    run.refuses(2, &["lib: this is not a job file", "--input"]);
    for (name, text) in [
        ("r.toml", FLUORINATION),
        ("r.yaml", "- name: a\n  smirks: 'C>>N'\n"),
        ("r.csv", "name,smirks\na,C>>N\n"),
    ] {
        let rules = folder.write(name, text);
        Molsieve::new("run")
            .arg(rules)
            .run()
            .refuses(2, &["this is not a job file", "--rules"]);
    }
}

#[test]
fn paths_that_are_not_utf8_work() {
    let folder = Folder::new();
    let odd = |name: &[u8]| folder.path("").join(OsStr::from_bytes(name));
    let home = odd(b"100%\xFF home");
    fs::create_dir(&home).unwrap();
    let name = |bytes: &'static [u8]| OsStr::from_bytes(bytes).to_owned();
    let (input, rules, out) = (name(b"lib\xFE.smi"), name(b"r\xFE.toml"), name(b"out\xFE"));
    fs::write(home.join(&input), smiles_lines(20)).unwrap();
    fs::write(home.join(&rules), FLUORINATION).unwrap();
    let run = |args: &[&OsStr]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_molsieve"));
        command
            .current_dir(&home)
            .args(args)
            .env("RUST_BACKTRACE", "1");
        run_command(command)
    };
    let all: [&OsStr; 7] = [
        "run".as_ref(),
        "-i".as_ref(),
        &input,
        "-r".as_ref(),
        &rules,
        "-o".as_ref(),
        &out,
    ];
    run(&all).ends_with(0);
    let first = output::part_bytes(&home.join(&out));
    assert!(!first.is_empty());
    let path = manifest(&home.join(&out))["inputs"][0]["path"].clone();
    assert!(
        path.as_str()
            .unwrap()
            .ends_with("100%25%FF home/lib%FE.smi")
            || path.as_str().unwrap().ends_with("lib%FE.smi"),
        "{path}"
    );
    // Its job file is one.
    let mut job = PathBuf::from(&out).join("job.toml").into_os_string();
    run(&["run".as_ref(), &job, "-o".as_ref(), "again".as_ref()]).ends_with(0);
    assert_eq!(output::part_bytes(&home.join("again")), first);
    run(&["run".as_ref(), "--resume".as_ref(), "-o".as_ref(), &out]).ends_with(0);
    // A plain working directory that is not UTF-8 is the commonest.
    fs::write(home.join("a.smi"), "CCO\n").unwrap();
    run(&["dedup", "-i", "a.smi", "-o", "d"].map(OsStr::new)).ends_with(0);
    run(&["submit", "-i", "a.smi", "-o", "s", "--socket", "/nowhere"].map(OsStr::new))
        .refuses(2, &["the daemon accepts only UTF-8 paths"]);
    let pattern = name(b"\xFE*.smi");
    run(&[
        "run".as_ref(),
        "-i".as_ref(),
        &pattern,
        "-o".as_ref(),
        "p".as_ref(),
    ])
    .refuses(3, &["a pattern must be UTF-8"]);
    job.clear();
}

#[test]
fn rules_whose_products_are_invalid_are_named() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(60));
    let rules = folder.write(
        "r.toml",
        "[[rule]]\nname = 'good'\nsmirks = '[cH:1]>>[c:1]F'\n\
         [[rule]]\nname = 'five bonds'\nsmirks = '[c:1]>>[CH2:1]F'\n",
    );
    let run = Molsieve::new("run --threads 2 --slot-size 512KiB")
        .input(&input)
        .rules(&rules)
        .output(folder.out())
        .run()
        .ends_with(0);
    let line = run
        .stdout
        .lines()
        .find(|line| line.starts_with("  invalid"));
    let line = line.unwrap_or_else(|| panic!("{}", run.stdout));
    assert!(
        line.contains("\"five bonds\"") && !line.contains("good"),
        "{line}"
    );
    let manifest = manifest(&folder.out());
    let by_rule = manifest["by_rule"].as_array().unwrap();
    assert_eq!(by_rule.len(), 2);
    for (count, total) in [
        ("made", "products_made"),
        ("unique", "products_unique"),
        ("unchanged", "products_unchanged"),
        ("invalid", "products_invalid"),
        ("capped", "products_capped"),
    ] {
        let sum: u64 = by_rule
            .iter()
            .map(|rule| rule[count].as_u64().unwrap())
            .sum();
        assert_eq!(manifest["counts"][total], sum, "{count}: {by_rule:?}");
    }
    assert_eq!(by_rule[0]["invalid"], 0);
    assert_eq!(by_rule[1]["name"], "five bonds");
    assert!(by_rule[1]["invalid"].as_u64() > Some(10));
}

#[test]
fn counts_by_rule_survive_caps_and_settling() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(60).repeat(2));
    let rules = folder.write(
        "r.toml",
        "[[rule]]\nname = 'f'\nsmirks = '[cH:1]>>[c:1]F'\n\
         [[rule]]\nname = 'cut'\nsmirks = '[#6:1]-!@[O:2]>>[#6:1].[O:2]'\n",
    );
    Molsieve::new(
        "run --max-products-per-parent 3 --false-positive-rate 0.5 --expected-products 1",
    )
    .input(&input)
    .rules(&rules)
    .output(folder.out())
    .run()
    .ends_with(4);
    let manifest = manifest(&folder.out());
    for (count, total) in [
        ("made", "products_made"),
        ("unique", "products_unique"),
        ("capped", "products_capped"),
    ] {
        let rules = manifest["by_rule"].as_array().unwrap();
        let sum: u64 = rules.iter().map(|rule| rule[count].as_u64().unwrap()).sum();
        assert_eq!(manifest["counts"][total], sum, "{count}");
    }
}

/// Case 19.
#[test]
fn rules_that_match_explicit_hydrogens_cause_a_warning() {
    let folder = Folder::new();
    let rules = "[[rule]]\nname = 'r0'\n\
         smirks = '''[#8:7]([H])-[#6:6]=[#6:5]>>[O:7]=[#6:6]-[#6:5]'''\n\
         [[rule]]\nname = 'r1'\nsmirks = '''[c:1][H:2]>>[c:1]F'''\n\
         [[rule]]\nname = 'required'\nsmirks = '[NX3:1]>>[N:1]C'\nrequire = '[#8][H]'\n";
    let warned = folder.write("warned.toml", rules);
    let run = Molsieve::new("rules check").arg(&warned).run().ends_with(0);
    for rule in ["\"r0\"", "\"r1\"", "\"required\""] {
        let line = run.stdout.lines().find(|line| line.contains(rule)).unwrap();
        assert!(
            line.contains("warning") && line.contains("add_hydrogens"),
            "{line}"
        );
    }
    assert!(
        run.stdout
            .contains("3 rules, 0 examples (3 rules without an example): 3 warnings"),
        "{run:?}"
    );
    let input = folder.write("in.smi", "CC(O)C=C\tm0\nc1ccccc1O\tm1\n");
    let run = Molsieve::new("run")
        .input(&input)
        .rules(&warned)
        .output(folder.out())
        .run();
    let run = run.ends_with(0);
    assert_eq!(
        run.stderr.matches("add_hydrogens").count(),
        1,
        "{}",
        run.stderr
    );
    assert_eq!(output::rows(&folder.out()).len(), 0);
    // Counts of hydrogens, isotopes, ions and H2 are no such rules.
    let good = folder.write(
        "good.csv",
        "name,smirks\na,[OH:1]>>[O:1]C\nb,[c:1][2H]>>[c:1]F\nc,[H+:1]>>[H+0:1]\nd,[H][H:1]>>[H:1]\n\
         e,[!#1:1][C;H3:2]>>[*:1][C:2]F\nf,\"[$([#6]),$([H]):1]>>[*:1]F\"\n",
    );
    let run = Molsieve::new("rules check").arg(good).run();
    assert!(!run.stdout.contains("warning"), "{}", run.stdout);
}

/// Rules that match explicit hydrogens, of many kinds.
const ON_HYDROGENS: &str = "[[rule]]\nname = 'aryl'\nsmirks = '[c:1][H:2]>>[c:1]F'\nadd_hydrogens = true\n\
     [[rule]]\nname = 'ether'\nsmirks = '[O:1]([H])[#6:2]>>[O:1](C)[#6:2]'\nadd_hydrogens = true\n\
     exclude = ['[OX2H]C=O']\n\
     [[rule]]\nname = 'plain'\nsmirks = '[OX2H:1]>>[O:1]C'\n\
     [[rule]]\nname = 'pyrrole'\nsmirks = '[n:1][H]>>[n:1]C'\nadd_hydrogens = true\nrequire = '[nH]'\n\
     [[rule]]\nname = 'tautomer'\n\
     smirks = '[H:4][C:1][C:2]=[O:3]>>[C:1]=[C:2][O:3][H:4]'\nadd_hydrogens = true\n\
     [[rule]]\nname = 'alcohol'\n\
     smirks = '[C:1]([H:2])([O:3][H:4])>>[C:1](=[O:3]).[H:2][H:4]'\nadd_hydrogens = true\n\
     [[rule]]\nname = 'same'\nsmirks = '[C:1][H:2]>>[C:1][H:2]'\nadd_hydrogens = true\n\
     [[rule]]\nname = 'invalid'\nsmirks = '[C:1][H:2]>>[C:1](F)[H:2]'\nadd_hydrogens = true\n";

const FOR_HYDROGENS: &str = "c1ccccc1O\nCC(O)C=C\nC[C@H](O)[C@@H](N)C(=O)O\nc1cc[nH]c1\nCC(=O)C/C=C/C\n\
     [2H]C([2H])O\nOC1CCCC1=O\nC[N+](C)(C)CCO\n[H][H]\nC[C@@](F)(Cl)O\n";

#[test]
fn add_hydrogens_gives_what_rdkit_gives() {
    let folder = Folder::new();
    let input = folder.write("a.smi", FOR_HYDROGENS);
    let rules = folder.write("r.toml", ON_HYDROGENS);
    for (chemistry, out) in [
        ("fast", folder.out()),
        ("reference", folder.path("reference")),
    ] {
        Molsieve::new("run --dedup exact --chemistry")
            .arg(chemistry)
            .input(&input)
            .rules(&rules)
            .output(&out)
            .run()
            .ends_with(0);
    }
    let rows = output::rows(&folder.out());
    assert_eq!(rows, output::rows(&folder.path("reference")));
    let of_phenol: Vec<_> = rows
        .iter()
        .filter(|row| row.parent_row == 0 && row.rule == "aryl")
        .map(|row| row.smiles.as_str())
        .collect();
    assert_eq!(of_phenol, ["Oc1ccccc1F", "Oc1cccc(F)c1", "Oc1ccc(F)cc1"]);
    assert!(
        rows.iter()
            .any(|row| row.smiles == "Cn1cccc1" && row.rule == "pyrrole")
    );
    assert!(rows.iter().all(|row| row.rule != "same"), "unchanged");
    let Some(python) = Python::find("comparison with Python") else {
        return;
    };
    let out = folder.out();
    let args = args!["--input", &input, "--rules", &rules, "--compare", out];
    let compared = python.oracle("plain_loop.py", args);
    assert_eq!(compared.code, Some(0), "{compared:#?}");
}

#[test]
fn add_hydrogens_is_read_from_every_format() {
    let folder = Folder::new();
    let input = folder.write("a.smi", "c1ccccc1\n");
    for (name, text) in [
        (
            "r.toml",
            "[[rule]]\nname = 'r'\nsmirks = '[c:1][H:2]>>[c:1]F'\nadd_hydrogens = true\nexamples = [{ from = 'c1ccccc1', to = 'Fc1ccccc1' }]\n",
        ),
        (
            "r.yaml",
            "- name: r\n  smirks: '[c:1][H:2]>>[c:1]F'\n  add_hydrogens: true\n",
        ),
        (
            "r.csv",
            "name,smirks,add_hydrogens\nr,[c:1][H:2]>>[c:1]F,true\n",
        ),
        (
            "s.csv",
            "name;smirks;add_hydrogens\nr;[c:1][H:2]>>[c:1]F;TRUE\n",
        ),
    ] {
        let rules = folder.write(name, text);
        let run = Molsieve::new("rules check").arg(&rules).run().ends_with(0);
        assert!(run.stdout.contains("all good"), "{name}: {}", run.stdout);
        Molsieve::new("run --overwrite")
            .input(&input)
            .rules(&rules)
            .output(folder.out())
            .run()
            .ends_with(0);
        assert_eq!(output::smiles(&folder.out()), ["Fc1ccccc1"], "{name}");
    }
    let wrong = folder.write(
        "w.csv",
        "name,smirks,add_hydrogens\nr,[c:1][H:2]>>[c:1]F,perhaps\n",
    );
    let run = Molsieve::new("rules check").arg(wrong).run().ends_with(3);
    assert!(
        run.stdout
            .contains("w.csv:2:22: rule \"r\": \"add_hydrogens\" must be true or false"),
        "{}",
        run.stdout
    );
}

/// Case 23.
#[test]
fn rule_tables_are_read_with_any_delimiter() {
    let folder = Folder::new();
    let smirks = "[c:1][OH:2]>>[c:1][O:2]C";
    for (name, text) in [
        ("semicolon.csv", format!("name;smirks\nr1;{smirks}\n")),
        ("tab.csv", format!("name\tsmirks\nr1\t{smirks}\n")),
        ("bar.csv", format!("label|name|smirks\nfirst|r1|{smirks}\n")),
        ("comma.tsv", format!("name,smirks\nr1,{smirks}\n")),
        (
            "excel.csv",
            format!("\u{feff}sep=;\r\nName;SMIRKS\r\nr1;{smirks}\r\n"),
        ),
        (
            "quoted.csv",
            format!("\"name\";\"smirks\";\"tags\"\n\"r1\";\"{smirks}\";\"a; b\"\n"),
        ),
        ("blank.csv", format!("\n\nname;smirks\nr1;{smirks}\n")),
    ] {
        let rules = folder.write(name, text);
        let run = Molsieve::new("rules check").arg(&rules).run().ends_with(0);
        assert_eq!(
            run.stdout, "1 rule, 0 examples (1 rule without an example): all good\n",
            "{name}"
        );
    }
    // Places are those in the file.
    let wrong = folder.write("wrong.csv", "sep=;\nname;smirks\nr1;[c:1>>[c:1]C\n");
    let run = Molsieve::new("rules check").arg(wrong).run().ends_with(3);
    assert!(
        run.stdout
            .starts_with(&format!("{}:3:4: ", folder.path("wrong.csv").display())),
        "{}",
        run.stdout
    );
}

#[test]
fn rules_check_counts_all_rules() {
    let folder = Folder::new();
    let rules = folder.write(
        "seven.csv",
        "name,smirks\na,[cH:1]>>[c:1]F\nb,[cH:1>>[c:1]F\nc,[cH:1]>>\nd,\n a,C>>N\nf,C.C.C.C.C>>N\ng,\"C>>N\n",
    );
    let run = Molsieve::new("rules check").arg(&rules).run().ends_with(3);
    let last = run.stdout.lines().last().unwrap();
    assert!(
        last.starts_with("7 rules (6 faulty), 0 examples"),
        "{}",
        run.stdout
    );
    let more = folder.write("more.toml", FLUORINATION);
    let run = Molsieve::new("rules check --json")
        .arg(&rules)
        .arg(more)
        .run()
        .ends_with(3);
    let last = run.json_lines().pop().unwrap();
    assert_eq!(
        (&last["rules"], &last["rules_faulty"]),
        (&8.into(), &7.into())
    );
}

#[test]
fn progress_fits_a_terminal_whose_width_changes() {
    let folder = Folder::new();
    let line = |i: usize| {
        let (left, right) = ("C".repeat(1 + i % 12), "C".repeat(i % 9));
        format!("{left}c1ccc(N{right})cc1 m{i}\n")
    };
    let input = folder.write("a.smi", (0..200_000).map(line).collect::<String>());
    let rules = folder.write("r.toml", FLUORINATION);
    let python = std::env::var_os("MOLSIEVE_PYTHON").unwrap_or_else(|| "python3".into());
    if Command::new(&python).arg("--version").output().is_err() {
        skipped("no terminal to draw on: there is no Python");
        return;
    }
    let mut command = Command::new(python);
    command
        .arg("-c")
        .arg(include_str!("../cases/terminal_widths.py"))
        .arg(env!("CARGO_BIN_EXE_molsieve"))
        .args(["run", "--threads", "1", "--chemistry", "reference", "-i"])
        .arg(input)
        .arg("-r")
        .arg(rules)
        .arg("-o")
        .arg(folder.out());
    run_command(command).ends_with(0);
}

#[test]
fn a_hydrogen_in_a_recursive_pattern_causes_a_warning() {
    let folder = Folder::new();
    let rules = folder.write(
        "r.toml",
        "[[rule]]\nname = 'f'\nsmirks = '[$([#7][H]):1]>>[N:1]C'\n",
    );
    let run = Molsieve::new("rules check").arg(rules).run().ends_with(0);
    let said = format!("{}{}", run.stdout, run.stderr);
    for words in ["warning: RDKit keeps hydrogens implicit", "add_hydrogens"] {
        assert!(said.contains(words), "{said}");
    }
}
