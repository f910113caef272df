//! The bounds of a job: slots, caps and memory. Waiting for slots loses nothing, caps are reported, and the memory
//! budget holds.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use crate::kit::{
    Folder, Molsieve, Run, alone,
    library::{
        THREE_RULES, chain_of_rings, repository, rule_file, shipped_library, shipped_rules,
        smiles_lines,
    },
    output::{self, assert_complete, counted, manifest, rows},
};

const MIB: u64 = 1 << 20;

/// The peak memory of a run, reported and measured; fails if it is over `budget`.
#[track_caller]
fn assert_within(budget: u64, run: &Run, output: &Path) -> u64 {
    let manifest = manifest(output);
    assert_eq!(manifest["memory_budget_bytes"], budget);
    let reported = manifest["peak_memory_bytes"].as_u64().unwrap();
    let peak = reported.max(run.peak_memory_bytes);
    assert!(peak > 20 * MIB, "a peak was measured: {peak}");
    assert!(peak <= budget, "{} MiB of {}", peak / MIB, budget / MIB);
    peak
}

// ── Back-pressure ───────────────────────────────────────────────────────────────────────────────

/// Compiles a library that delays every write.
fn slow_write_library(folder: &Folder) -> PathBuf {
    let library = folder.path("slow_write.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(repository().join("tests/shim/slow_write.c"))
        .status();
    assert!(compiled.is_ok_and(|status| status.success()), "cc failed");
    library
}

#[test]
fn workers_wait_for_a_lagging_disk_and_memory_stays() {
    let _alone = alone();
    let folder = Folder::new();
    let job = |name: &str| {
        Molsieve::new("run --json --threads 2 --slots 3 --slot-size 512KiB")
            .args("--part-size 64KiB --memory 128MiB")
            .input(folder.write("a.smi", smiles_lines(250)))
            .rules(shipped_rules())
            .output(folder.path(name))
    };
    let fast = job("fast").run().ends_with(0);
    let slow = job("slow")
        .env("LD_PRELOAD", slow_write_library(&folder))
        .env("SLOW_WRITE_MICROSECONDS", "90000")
        .run()
        .ends_with(0);
    let [fast_out, slow_out] = ["fast", "slow"].map(|name| folder.path(name));
    assert_complete(&slow_out);
    assert!(output::part_bytes(&slow_out) == output::part_bytes(&fast_out));

    let (fast_told, slow_told) = (manifest(&fast_out), manifest(&slow_out));
    let seconds = |manifest: &serde_json::Value, name: &str| manifest[name].as_f64().unwrap();
    let waited = seconds(&slow_told, "slot_wait_seconds");
    let elapsed = seconds(&slow_told, "elapsed_seconds");
    assert!(slow_told["slot_waits"].as_u64() > Some(0));
    assert!(
        waited > 0.5 * elapsed && waited > 2.0 * seconds(&fast_told, "slot_wait_seconds"),
        "the two workers waited {waited} s of {elapsed} s each"
    );
    let seen_waiting = slow.json_lines().iter().any(|event| {
        event["ring"]["workers_waiting"] == 2 && event["busiest"].as_str().unwrap().contains("sink")
    });
    assert!(seen_waiting, "{}", slow.stdout);

    let peak = assert_within(128 * MIB, &slow, &slow_out);
    let peak_fast = assert_within(128 * MIB, &fast, &fast_out);
    assert!(peak <= peak_fast + 6 * MIB, "{peak_fast} → {peak} bytes");
}

#[test]
fn sixteen_threads_and_two_slots_finish_every_time() {
    let _alone = alone();
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(150));
    let rules = rule_file(&folder, &THREE_RULES);
    let mut first = None;
    for _ in 0..10 {
        Molsieve::new("run --overwrite --threads 16 --slots 2 --slot-size 512KiB")
            .args("--max-products-per-parent 1000 --memory 256MiB")
            .input(&input)
            .rules(&rules)
            .output(folder.out())
            .run()
            .ends_with(0);
        let files = output::part_bytes(&folder.out());
        assert!(*first.get_or_insert_with(|| files.clone()) == files);
    }
}

// ── One parent with very many products ──────────────────────────────────────────────────────────

/// n (n − 1) products of a molecule with n different aromatic CH.
const TWO_SITES: (&str, &str) = ("two_sites", "([cH:1].[cH:2])>>([c:1]F.[c:2]Cl)");

#[test]
fn a_parent_with_more_products_than_four_slots_hold_is_complete() {
    let folder = Folder::new();
    // 40 aromatic CH; the tail makes each product's SMILES 1,500 bytes long.
    let parent = chain_of_rings(10, &"[13CH2]".repeat(190));
    let input = folder.write(
        "a.smi",
        format!("c1ccccc1 before\n{parent} big\nOc1ccccc1 after\n"),
    );
    let rules = rule_file(&folder, &[TWO_SITES]);
    let small_slots = "--threads 2 --slots 2 --slot-size 512KiB --memory 128MiB";
    let large_slots = "--threads 1 --slots 2 --slot-size 16MiB --memory 256MiB";
    let [small, large] = [("small", small_slots), ("large", large_slots)].map(|(name, flags)| {
        let out = folder.path(name);
        Molsieve::new("run")
            .args(flags)
            .input(&input)
            .rules(&rules)
            .output(&out)
            .run()
            .ends_with(0);
        assert_complete(&out);
        rows(&out)
    });
    let of_big: Vec<_> = small.iter().filter(|row| row.parent_id == "big").collect();
    let text_bytes: usize = of_big.iter().map(|row| row.smiles.len()).sum();
    assert!(text_bytes > 4 * 512 * 1024, "fits four slots: {text_bytes}");
    // More than RDKit's default limit of 1,000.
    assert_eq!(of_big.len(), 40 * 39);
    let distinct: BTreeSet<&str> = of_big.iter().map(|row| row.smiles.as_str()).collect();
    assert_eq!(distinct.len(), 40 * 39);
    let sites: Vec<u16> = of_big.iter().map(|row| row.site).collect();
    assert_eq!(sites, (0..40 * 39).collect::<Vec<u16>>());
    assert!(small == large, "the slots' size shows in the rows");
    assert_eq!(counted(&folder.path("small"), "parents_read"), 3);
    assert_eq!(small.last().unwrap().parent_id, "after");
}

#[test]
fn the_cap_on_products_is_reported_with_the_parent() {
    let folder = Folder::new();
    // 16, 12 and 8 aromatic CH, each different.
    let parents: String = [("capped", 4), ("also_capped", 3), ("whole", 2)]
        .map(|(id, rings)| format!("{} {id}\n", chain_of_rings(rings, "")))
        .concat();
    let rules = rule_file(
        &folder,
        &[("f", "[cH:1]>>[c:1]F"), ("cl", "[cH:1]>>[c:1]Cl")],
    );
    let run = |flags: &str| {
        Molsieve::new("run --overwrite")
            .args(flags)
            .input(folder.write("a.smi", &parents))
            .rules(&rules)
            .output(folder.out())
            .run()
    };
    let capped = run("--max-products-per-parent 16").ends_with(4);
    assert_complete(&folder.out());
    let reported = manifest(&folder.out());
    let caps = |row: u64, id: &str| serde_json::json!({ "row": row, "id": id, "caps": ["products per parent"] });
    assert_eq!(reported["capped_parents"][0], caps(0, "capped"));
    assert_eq!(reported["capped_parents"][1], caps(1, "also_capped"));
    assert_eq!(reported["capped_parents"].as_array().unwrap().len(), 2);
    assert_eq!(reported["counts"]["parents_capped"], 2);
    // Of 2 × 16 and 2 × 12 products 16 are kept; the third parent has just 16.
    assert_eq!(reported["counts"]["products_capped"], 16 + 8);
    assert_eq!(reported["counts"]["products_unique"], 3 * 16);
    let of = |id: &str| {
        rows(&folder.out())
            .iter()
            .filter(|row| row.parent_id == id)
            .count()
    };
    assert_eq!([of("capped"), of("also_capped"), of("whole")], [16; 3]);
    let line = capped
        .stdout
        .lines()
        .find(|line| line.contains("capped "))
        .unwrap();
    for word in ["2 molecules", "24 products", "capped (products per parent)"] {
        assert!(line.contains(word), "`{word}` is not in: {line}");
    }

    run("--max-products-per-parent 10").ends_with(4);
    assert_eq!(counted(&folder.out(), "parents_capped"), 3);
    assert_eq!(counted(&folder.out(), "products_capped"), 22 + 14 + 6);
    run("--max-products-per-parent 32").ends_with(0);
    assert_eq!(counted(&folder.out(), "products_capped"), 0);
    assert_eq!(counted(&folder.out(), "products_unique"), 32 + 24 + 16);
}

#[test]
fn the_cap_on_sites_is_reported_with_the_parent() {
    let folder = Folder::new();
    // Six of the eight CH2 of cyclooctane in any order: 20,160 matches, all of one product.
    let on_ring = |carbons: &str| {
        let left: Vec<String> = (1..=6).map(|i| format!("[CH2:{i}]")).collect();
        format!("({})>>({carbons})", left.join("."))
    };
    let right = "[C:1]F.[C:2].[C:3].[C:4].[C:5].[C:6]";
    let rules = rule_file(&folder, &[("six", &on_ring(right))]);
    // Seven CH2 match in 5,040 ways, under the cap of 16,384.
    let input = folder.write("a.smi", "C1CCCCCC1 heptane\nC1CCCCCCC1 octane\n");
    let run = Molsieve::new("run")
        .input(input)
        .rules(rules)
        .output(folder.out())
        .run()
        .ends_with(4);
    assert_complete(&folder.out());
    assert_eq!(output::smiles(&folder.out()), ["FC1CCCCCC1", "FC1CCCCCCC1"]);
    let reported = manifest(&folder.out());
    assert_eq!(
        reported["capped_parents"],
        serde_json::json!([{ "row": 1, "id": "octane", "caps": ["sites per rule"] }])
    );
    assert_eq!(reported["counts"]["parents_capped"], 1);
    let capped = reported["counts"]["products_capped"].as_u64().unwrap();
    assert!(capped > 0);
    assert_eq!(reported["counts"]["products_made"], 5_040 + 16_384 + capped);
    assert!(
        run.stdout.contains("octane (sites per rule)"),
        "{}",
        run.stdout
    );
}

// ── Memory ──────────────────────────────────────────────────────────────────────────────────────

/// About 1,700 molecules: the shipped ones and what two rules make of them.
fn many_molecules(folder: &Folder) -> [PathBuf; 2] {
    let made = folder.path("made");
    Molsieve::new("run")
        .input(shipped_library())
        .rules(rule_file(folder, &[THREE_RULES[0], THREE_RULES[2]]))
        .output(&made)
        .run()
        .ends_with(0);
    [shipped_library(), made]
}

fn run_all_rules(folder: &Folder, inputs: &[PathBuf], flags: &str) -> Run {
    inputs
        .iter()
        .fold(Molsieve::new("run"), Molsieve::input)
        .args(flags)
        .rules(shipped_rules())
        .output(folder.out())
        .run()
        .ends_with(0)
}

#[test]
fn a_small_memory_budget_is_kept() {
    let folder = Folder::new();
    let inputs = many_molecules(&folder);
    let run = run_all_rules(&folder, &inputs, "--memory 96MiB --threads 2");
    let parents = counted(&folder.out(), "parents_read");
    assert!((1_600..3_000).contains(&parents), "{parents}");
    assert_within(96 * MIB, &run, &folder.out());
}

#[test]
fn sixteen_threads_keep_the_budget() {
    let _alone = alone();
    let folder = Folder::new();
    let run = run_all_rules(
        &folder,
        &[shipped_library()],
        "--memory 256MiB --threads 16",
    );
    assert_within(256 * MIB, &run, &folder.out());
    assert_eq!(manifest(&folder.out())["threads"], 16);
}

/// A SMARTS under `exclude` with more matches than the cap leaves atoms unprotected. That must be reported.
#[test]
fn the_cap_on_matches_of_an_exclude_pattern_is_reported() {
    let folder = Folder::new();
    // Two atoms that need not be neighbours: n × (n - 1) matches.
    let rule = "[[rule]]\nname = 'x'\nsmirks = '[CH3:1]>>[C:1]Cl'\nexclude = ['F.F']\n";
    let parents = [(100, 0), (140, 4)];
    for (atoms, code) in parents {
        let smiles = format!("C{}C p{atoms}\n", "C(F)".repeat(atoms));
        let out = folder.path(&format!("out{atoms}"));
        Molsieve::new("run")
            .input(folder.write("a.smi", smiles))
            .rules(folder.write("r.toml", rule))
            .output(&out)
            .run()
            .ends_with(code);
        assert_eq!(counted(&out, "parents_capped"), u64::from(code == 4));
    }
}

// ── Depth ───────────────────────────────────────────────────────────────────────────────────────

/// RDKit's writer and ring search recurse along the atoms; the longest allowed parents must not overflow the stack.
#[test]
fn the_longest_chain_and_the_deepest_nesting_are_transformed() {
    let folder = Folder::new();
    let (chain, nest) = (
        "C".repeat(1_024),
        format!("{}C{}", "C(".repeat(900), ")C".repeat(100)),
    );
    let nest = format!("{nest}{}", ")".repeat(800));
    let input = folder.write(
        "a.smi",
        format!("{chain} chain\n{nest} nest\nC{chain} longer\n"),
    );
    Molsieve::new("run --threads 2")
        .input(input)
        .rules(rule_file(&folder, &[("fluorination", "[CH3:1]>>[C:1]F")]))
        .output(folder.out())
        .run()
        .ends_with(4);
    assert_eq!(counted(&folder.out(), "parents_transformed"), 2);
    let rejected = &output::rejects(&folder.out())[0];
    assert_eq!(rejected.id, "longer");
    assert!(
        rejected.reason.contains("1025 atoms"),
        "{}",
        rejected.reason
    );
}

// ── The allocator ───────────────────────────────────────────────────────────────────────────────

/// Without the override RDKit uses the system allocator, and a job takes half as long again; and RDKit lists rings
/// without a bound.
#[test]
fn the_executable_replaces_functions_of_the_whole_process() {
    let symbols = Command::new("nm")
        .args(["-D", "--defined-only", env!("CARGO_BIN_EXE_molsieve")])
        .output()
        .unwrap();
    let symbols = String::from_utf8(symbols.stdout).unwrap();
    for symbol in [
        "malloc",
        "free",
        "_Znwm",
        "_ZNK5RDKit8RingInfo18atomRelevantCyclesEv",
    ] {
        let exported = symbols
            .lines()
            .any(|line| line.ends_with(&format!(" T {symbol}")));
        assert!(exported, "the executable does not define {symbol}");
    }
}
