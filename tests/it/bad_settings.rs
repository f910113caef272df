//! Unusable rules, flags, job files and output directories: the job ends with the right exit code and one clear line
//! and leaves no files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::kit::{
    Folder, Molsieve, Run, assert_absent,
    library::{shipped_library, shipped_rules},
    output::{self, read_parquet},
    run_command, skipped,
};
use arrow::array::RecordBatch;

/// A wrong rule file and the expected words of the message.
struct WrongRule {
    text: &'static str,
    words: &'static [&'static str],
}

const WRONG_RULES: [WrongRule; 13] = [
    WrongRule {
        text: "[[rule]]\nname = 'x'\nsmirks = '[c:1][OX2H:2>>[c:1][O:2]C'\n",
        words: &["r.toml:3:16: rule \"x\"", "'['", "never closed"],
    },
    WrongRule {
        text: "[[rule]]\nname = 'x'\nsmirks = '[c:1][Qq:2]>>[c:1][O:2]C'\n",
        words: &["r.toml:3:", "rule \"x\"", "syntax error at position 7"],
    },
    WrongRule {
        text: "[[rule]]\nname = 'x'\nsmirks = '[c:1].[O:2].C.N.S>>[c:1][O:2]C'\n",
        words: &["r.toml:3:26: rule \"x\"", "more than 4 reactants"],
    },
    WrongRule {
        text: "[[rule]]\nname = 'x'\nsmirks = '[c:1]>>'\n",
        words: &["r.toml:3:18: rule \"x\"", "no product"],
    },
    WrongRule {
        text: "[[rule]]\nname = 'x'\nsmirks = '>>[c:1]'\n",
        words: &["r.toml:3:", "no reactant"],
    },
    WrongRule {
        text: "[[rule]]\nname = 'x'\nsmirks = '[c:1]'\n",
        words: &["r.toml:3:", ">>"],
    },
    WrongRule {
        text: "[[rule]]\nname = 'x'\nsmirks = '[c:1]>>[c:1]F'\n\
               [[rule]]\nname = 'x'\nsmirks = '[c:1]>>[c:1]Cl'\n",
        words: &["r.toml:5:", "rule \"x\"", "r.toml:2"],
    },
    WrongRule {
        text: "[[rule]]\nname = 'x'\nsmirks = '[c:1]>>[c:1]F'\nexlude = ['c']\n",
        words: &["r.toml:4:1: rule \"x\"", "\"exlude\"", "\"exclude\"?"],
    },
    WrongRule {
        text: "[[rule]]\nname = 'x'\nsmirks = '[c:1]>>[c:1]F'\nexclude = ['c1cc']\n",
        words: &["r.toml:4:13: rule \"x\"", "c1cc", "unclosed ring"],
    },
    WrongRule {
        text: "[[rule]]\nname = 'x'\nsmirks = '[c:1]>>[c:1]F'\nrequire = '[Qq]'\n",
        words: &["r.toml:4:12: rule \"x\"", "[Qq]", "syntax error"],
    },
    WrongRule {
        text: "[[rule]]\nsmirks = '[c:1]>>[c:1]F'\n",
        words: &["r.toml:1", "\"name\" is missing"],
    },
    WrongRule {
        text: "[[rule]\n",
        words: &["r.toml:1:8: unclosed"],
    },
    WrongRule {
        text: "",
        words: &["r.toml: holds no rules"],
    },
];

fn run_with_rules(folder: &Folder, rules: impl AsRef<Path>) -> Run {
    Molsieve::new("run")
        .input(folder.write("a.smi", "c1ccccc1\n"))
        .rules(rules.as_ref())
        .output(folder.out())
        .run()
}

#[test]
fn a_wrong_rule_is_reported_with_its_position_before_work_starts() {
    let folder = Folder::new();
    for WrongRule { text, words } in &WRONG_RULES {
        let rules = folder.write("r.toml", text);
        run_with_rules(&folder, &rules).refuses(3, words);
        assert_absent(&folder.out());
        // The check says the same, on standard output, and ends with a line of its own.
        let check = Molsieve::new("rules check").arg(&rules).run().ends_with(3);
        let lines: Vec<&str> = check.stdout.lines().collect();
        assert_eq!(lines.len(), 2, "{text}: {}", check.stdout);
        for word in *words {
            assert!(lines[0].contains(word), "`{word}` is not in: {}", lines[0]);
        }
        assert!(lines[1].ends_with(": 1 fault"), "{}", lines[1]);
        assert_eq!(check.stderr, "");
    }
}

#[test]
fn files_without_rules_are_refused() {
    let folder = Folder::new();
    let missing = folder.path("missing.toml");
    run_with_rules(&folder, missing).refuses(3, &["missing.toml: can't be read"]);
    let odd = folder.write("rules.doc", "x");
    run_with_rules(&folder, odd).refuses(3, &["rules.doc: has an unknown extension"]);
    assert_absent(&folder.out());
}

#[test]
fn rules_check_runs_examples_and_lists_every_fault() {
    let folder = Folder::new();
    let rules = folder.write(
        "r.toml",
        "[[rule]]\nname = 'good'\nsmirks = '[cH:1]>>[c:1]F'\n\
         examples = [{ from = 'c1ccccc1', to = ['Fc1ccccc1'] }]\n\
         [[rule]]\nname = 'wrong'\nsmirks = '[cH:1]>>[c:1]F'\n\
         examples = [{ from = 'c1ccccc1', to = ['Clc1ccccc1'] }]\n\
         [[rule]]\nname = 'no_product'\nsmirks = '[cH:1]>>'\n",
    );
    let check = Molsieve::new("rules check").arg(&rules).run().ends_with(3);
    let faults: Vec<&str> = check
        .stdout
        .lines()
        .filter(|l| l.contains("r.toml:"))
        .collect();
    assert_eq!(faults.len(), 2, "{}", check.stdout);
    let wrong = faults
        .iter()
        .find(|line| line.contains("\"wrong\""))
        .unwrap();
    assert!(wrong.contains("r.toml:8"), "{wrong}");
    assert!(wrong.contains("gives Fc1ccccc1"), "{wrong}");
    assert!(wrong.contains("Clc1ccccc1"), "{wrong}");
    let events = Molsieve::new("rules check --json").arg(&rules).run();
    let events = events.ends_with(3).json_lines();
    assert_eq!(events.last().unwrap()["faults"], 2);

    let shipped = Molsieve::new("rules check").arg(shipped_rules()).run();
    let shipped = shipped.ends_with(0).stdout;
    assert!(shipped.ends_with(": all good\n"), "{shipped}");
}

/// Runs a job of one molecule with more `flags`.
fn run_with_flags(folder: &Folder, flags: &str) -> Run {
    Molsieve::new("run")
        .args(flags)
        .input(folder.write("a.smi", "c1ccccc1\n"))
        .output(folder.out())
        .run()
}

#[test]
fn flags_with_impossible_values_are_refused() {
    let folder = Folder::new();
    for (flags, words) in [
        ("--slots 1", &["--slots: 1 is not between 2 and"][..]),
        ("--slot-size 1KiB", &["--slot-size: 1 KiB is not between"]),
        ("--part-size 1KiB", &["--part-size: 1 KiB is not between"]),
        ("--threads 5000", &["--threads: 5000 is not between"]),
        ("--false-positive-rate 2", &["--false-positive-rate: 2 is"]),
        (
            "--max-products-per-parent 0",
            &["--max-products-per-parent: 0"],
        ),
    ] {
        run_with_flags(&folder, flags).refuses(2, words);
        assert_absent(&folder.out());
    }
    let no_input = Molsieve::new("run").output(folder.out()).run();
    no_input.refuses(2, &["no --input is given"]);
    let no_output = Molsieve::new("run").input(shipped_library()).run();
    no_output.refuses(2, &["no --output is given"]);
    assert_absent(&folder.out());
}

#[test]
fn flags_that_cannot_be_parsed_are_refused() {
    let folder = Folder::new();
    // The command-line parser adds usage lines.
    for (flags, words) in [
        ("--bogus", "unexpected argument '--bogus'"),
        ("--threads x", "invalid value 'x' for '--threads"),
        ("--threads 0", "invalid value '0' for '--threads"),
        ("--memory lots", "`lots` is not a size"),
        ("--engine tpu", "invalid value 'tpu' for '--engine"),
        ("--overwrite --resume", "cannot be used with '--resume'"),
    ] {
        let run = run_with_flags(&folder, flags).ends_with(2);
        let first = run.stderr.lines().next().unwrap_or_default();
        assert!(first.starts_with("error: "), "{}", run.stderr);
        assert!(first.contains(words), "{first}");
        assert_absent(&folder.out());
    }
}

#[test]
fn a_budget_too_small_for_the_job_is_refused_with_the_memory_table() {
    let folder = Folder::new();
    let run = |command: &str| {
        Molsieve::new(command)
            .input(shipped_library())
            .rules(shipped_rules())
            .output(folder.out())
            .run()
            .ends_with(2)
    };
    for command in ["run --memory 48MiB", "plan --memory 48MiB"] {
        let refused = run(command);
        let lines: Vec<&str> = refused.stderr.lines().collect();
        assert!(
            lines[0].starts_with("molsieve: the job needs "),
            "{}",
            lines[0]
        );
        assert!(lines[0].contains("--memory allows 48 MiB"), "{}", lines[0]);
        let items: Vec<&str> = lines[1..]
            .iter()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        let expected = "base chemistry source ring filter sieve sink settle total";
        assert_eq!(items.join(" "), expected);
        assert_absent(&folder.out());
    }
    let refused = run("run --memory 128MiB --threads 40");
    assert!(
        refused.stderr.contains("; with --threads "),
        "{}",
        refused.stderr
    );
}

#[test]
fn an_error_in_a_job_file_is_reported_with_its_position() {
    let folder = Folder::new();
    for (text, words) in [
        (
            "input = ['a.smi']\noutput = 'out'\nmemroy = '2GiB'\n",
            "job.toml:3:1: unknown field `memroy`",
        ),
        ("input = [\n", "job.toml:1:"),
        ("memory = 'lots'\n", "`lots` is not a size"),
        ("engine = 'tpu'\n", "job.toml:1:10: "),
        ("input = ['a.smi']\n", "no --output is given"),
    ] {
        let job = folder.write("job.toml", text);
        Molsieve::new("run").arg(job).run().refuses(2, &[words]);
        assert_absent(&folder.out());
    }
    let missing = folder.path("missing.toml");
    let run = Molsieve::new("run").arg(missing).run();
    run.refuses(2, &["missing.toml: no such file"]);
}

#[test]
fn unusable_output_directories_are_refused() {
    let folder = Folder::new();
    let input = folder.write("a.smi", "CCO\n");
    let run = |output: &Path| Molsieve::new("run").input(&input).output(output).run();
    let full = folder.path("full");
    folder.write("full/notes.txt", "mine");
    run(&full).refuses(
        2,
        &["full: the output directory is not empty", "--overwrite"],
    );
    assert_eq!(output::names(&full), ["notes.txt"]);
    run(&input).refuses(2, &["a.smi: the output must be a directory"]);
    assert_eq!(fs::read(&input).unwrap(), b"CCO\n");
    run(&input.join("out")).refuses(2, &["a.smi/out: the output must be a directory"]);
    let nowhere = Path::new("/proc/molsieve-output");
    run(nowhere).refuses(
        1,
        &["/proc/molsieve-output: cannot create the output directory"],
    );
    // An existing empty directory is allowed and stays when the job fails.
    fs::create_dir(folder.out()).unwrap();
    let broken = folder.write("b.smi", "");
    let failed = Molsieve::new("run")
        .input(broken)
        .output(folder.out())
        .run();
    failed.refuses(3, &["b.smi"]);
    assert_eq!(output::names(&folder.out()), [""; 0]);
    run(&folder.out()).ends_with(0);
}

/// Runs a job with its output on a separate file system, mounted with `options`, and copies the output to `saved`.
/// `None` where the kernel does not permit mounting.
fn run_on_file_system(folder: &Folder, options: &str, after_mount: &str) -> Option<(Run, PathBuf)> {
    let (disk, saved) = (folder.path("disk"), folder.path("saved"));
    fs::create_dir_all(&disk).unwrap();
    let script = format!(
        "mount -t tmpfs -o {options} tmpfs \"$1\" || exit 99\n{after_mount}\n\
         \"$3\" run --memory 256MiB --threads 2 --part-size 64KiB --slot-size 512KiB \
             --expected-products 1000 --input \"$4\" --rules \"$5\" --output \"$1/out\"\n\
         code=$?; mkdir -p \"$2\"; cp -a \"$1/.\" \"$2\"; exit $code"
    );
    let mut command = Command::new("unshare");
    command.args(["-mr", "sh", "-c", &script, "sh"]);
    command
        .args([&disk, &saved])
        .arg(env!("CARGO_BIN_EXE_molsieve"))
        .args([shipped_library(), shipped_rules()])
        .env("RUST_BACKTRACE", "1");
    let probe = Command::new("unshare")
        .args(["-mr", "sh", "-c", "mount -t tmpfs tmpfs \"$1\"", "sh"])
        .arg(&disk)
        .output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        skipped("no full disk: this machine does not permit unshare -mr and mount");
        return None;
    }
    Some((run_command(command), saved.join("out")))
}

#[test]
fn a_disk_that_fills_up_ends_the_job_and_leaves_valid_parts() {
    let folder = Folder::new();
    let Some((run, output)) = run_on_file_system(&folder, "size=500k", "") else {
        return;
    };
    // Whether the job foresees the full disk depends on timing.
    let (code, words) = match run.code {
        Some(75) => (75, "the disk is nearly full"),
        _ => (1, "no space left on the disk"),
    };
    run.refuses(code, &["/disk/out", words]);
    let parts = output::parts(&output);
    assert!(parts.len() >= 2, "published before: {parts:?}");
    assert_eq!(
        output::names(&output),
        [".molsieve", "job.toml", "products"],
        "no manifest"
    );
    let expected: Vec<_> = (0..parts.len()).map(|i| output::part(&output, i)).collect();
    assert_eq!(parts, expected);
    let unfinished = output::names(&output.join(".molsieve"));
    assert!(
        !unfinished.iter().any(|name| name.ends_with(".tmp")),
        "{unfinished:?}"
    );
    for part in parts {
        let rows: usize = read_parquet(&part)
            .1
            .iter()
            .map(RecordBatch::num_rows)
            .sum();
        assert!(rows > 0, "{}", part.display());
    }
}

#[test]
fn a_disk_too_small_for_one_part_is_left_empty() {
    let folder = Folder::new();
    let Some((run, output)) = run_on_file_system(&folder, "size=8k", "") else {
        return;
    };
    run.refuses(1, &["no space left on the disk"]);
    assert_absent(&output);
}

#[test]
fn a_read_only_disk_is_reported() {
    let folder = Folder::new();
    let read_only = "mount -o remount,ro \"$1\"";
    let Some((run, output)) = run_on_file_system(&folder, "size=1m", read_only) else {
        return;
    };
    run.refuses(1, &["cannot create the output directory", "read-only"]);
    assert_absent(&output);
}

#[test]
fn a_directory_that_can_be_created_but_not_used_is_removed() {
    let folder = Folder::new();
    let Some((run, output)) = run_on_file_system(&folder, "nr_inodes=2", "") else {
        return;
    };
    run.refuses(1, &["no space left on the disk"]);
    assert_absent(&output);
}
