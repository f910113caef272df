//! Compares the committed PTX of every kernel, run in an interpreter (`tests/it/ptx/`), with the CPU.
//!
//! A GPU runs code made from `kernels/*.ptx`. `tests/it/structure_key.rs` and `tests/it/conformance.rs` compare the
//! source with the CPU; this file compares the output of the compiler: every key, reason, verdict, tally and bit of
//! the filter.
//!
//! - Each kernel in `kernels/*.ptx` has a comparison (`compare::COMPARISONS`), or a test names it.
//! - A comparison detects a kernel with one instruction changed.
//! - `semantics` compares the interpreter with values computed by hand.
//!
//! The interpreter runs PTX, the assembly in which the kernels are embedded, one thread at a time, exactly and with
//! every access to memory checked. It models no warps, caches or time, and only integers: the kernels use no others.
//!
//! | module | what |
//! |---|---|
//! | `lex`, `parse` | text into statements; `types` names what they are made of |
//! | `compile` | names, labels and variables get their places; `decode*` does single instructions |
//! | `program` | what comes of it: instructions of fixed size over one file of registers |
//! | `machine` | blocks and threads; `execute` and `integers` say what each instruction does |
//! | `memory` | spaces, bounds, alignment, counts of loads |
//! | `kernels` | the kernels in the place of a GPU |
//! | `compare` | each kernel beside the CPU: `sieve`, `structure_key`, `probes` |
//! | `mutants` | kernels with one instruction changed |
//! | `semantics`, `refusals` | single instructions beside values worked out by hand; what must not pass |

mod compare;
mod compile;
mod decode;
mod decode_arithmetic;
mod decode_flow;
mod decode_memory;
mod decode_moves;
mod decode_predicates;
mod execute;
mod integers;
mod kernels;
mod lex;
mod machine;
mod memory;
mod mutants;
mod parse;
mod probes;
mod program;
mod refusals;
mod semantics;
mod sieve;
mod structure_key;
mod types;

use std::{collections::BTreeSet, fs, path::Path, thread, time::Instant};

use self::{
    compare::{COMPARISONS, Comparison},
    kernels::{Kernels, Notes},
    mutants::Mutant,
    structure_key::ByLine,
};
use crate::kit::structure_key::{first_words, read};

fn ptx_of(file: &str) -> String {
    read(&format!("kernels/{file}"))
}

fn kernels_of(file: &str) -> Kernels {
    Kernels::of(&ptx_of(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn every_kernel_has_a_comparison() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "ptx") {
            continue;
        }
        let file = path.file_name().unwrap().to_str().unwrap();
        let here = COMPARISONS
            .iter()
            .filter(|comparison| comparison.file == file);
        let compared: Vec<&str> = here
            .flat_map(|comparison| comparison.kernels)
            .copied()
            .collect();
        for kernel in kernels_of(file).names() {
            let count = compared.iter().filter(|&&name| name == kernel).count();
            assert_eq!(
                count, 1,
                "comparisons of {kernel} in {file}; see tests/it/ptx/compare.rs"
            );
        }
    }
}

#[test]
fn every_kernel_agrees_with_the_cpu_slow() {
    let compare = |comparison: &Comparison| {
        let kernels = kernels_of(comparison.file);
        let begin = Instant::now();
        let outcome = (comparison.compare)(&kernels);
        let account = outcome.unwrap_or_else(|error| panic!("{:?}: {error}", comparison.kernels));
        println!(
            "{:?}: {account}, {:.1?}",
            comparison.kernels,
            begin.elapsed()
        );
    };
    thread::scope(|scope| {
        for comparison in COMPARISONS {
            scope.spawn(move || compare(comparison));
        }
    });
}

/// `MOLSIEVE_KEY_FILE` names a file with a SMILES at the beginning of each line, for large runs.
#[test]
fn a_named_file_has_the_keys_and_reasons_of_the_cpu() {
    if let Ok(path) = std::env::var("MOLSIEVE_KEY_FILE") {
        let texts = first_words(&path);
        let counts = structure_key::compare_file(&kernels_of("structure_key.ptx"), &texts);
        println!("{} rows, by status {counts:?}", texts.len());
    }
}

#[test]
fn absent_keys_cost_few_loads_of_a_half_full_filter() {
    let loads = sieve::loads_per_absent_look_up(&kernels_of("sieve.ptx"));
    println!("{loads:.3} loads of the filter for each absent key");
    assert!(loads <= 2.7, "{loads}");
}

/// Runs a comparison on a kernel with the change of a mutant.
fn compare(
    mutant: &Mutant,
    text: &str,
    kernels: &Kernels,
    kernel: &str,
    comparison: impl Fn(&Kernels) -> Result<(), String>,
) -> Result<(), String> {
    // A mutant that is no valid PTX proves nothing.
    let wrong = kernels.with(&mutant.apply(text), kernel);
    comparison(&wrong.unwrap_or_else(|error| panic!("{}: {error}", mutant.to)))
}

/// The number of mutants detected; prints the others. Uses two threads.
fn seen(
    mutants: &[Mutant],
    kernel: &str,
    compare: impl Fn(&Mutant) -> Result<(), String> + Sync,
) -> usize {
    let begin = Instant::now();
    let unseen_of = |mutants: &[Mutant]| {
        let unseen = mutants.iter().filter(|mutant| compare(mutant).is_ok());
        let lines = unseen.map(|Mutant { line, from, to }| {
            println!(
                "{kernel}: not detected, line {line}: {} for {}",
                to.trim(),
                from.trim()
            );
        });
        lines.count()
    };
    let (first, second) = mutants.split_at(mutants.len() / 2);
    let unseen = thread::scope(|scope| {
        let second = scope.spawn(|| unseen_of(second));
        unseen_of(first) + second.join().unwrap()
    });
    let seen = mutants.len() - unseen;
    println!(
        "{kernel}: {seen} of {} mutants detected, {:.1?}",
        mutants.len(),
        begin.elapsed()
    );
    seen
}

/// Minimum share of detected mutants. Most of the others have no observable effect: a sentinel of 254 instead of 255, a
/// comparison whose sides are never equal, bits that are truncated later, another mixing of values that are only
/// compared for equality, a shortcut not taken. Some mutants of the structure key affect only molecules outside the
/// samples.
const SEEN_PERCENT_MIN_SIEVE: usize = 85;
const SEEN_PERCENT_MIN_KEY: usize = 70;

#[test]
fn errors_planted_in_the_sieve_are_detected_slow() {
    let text = ptx_of("sieve.ptx");
    let kernels = kernels_of("sieve.ptx");
    let notes = Notes::default();
    sieve::compare_briefly(&kernels, &notes, true).unwrap();
    let noted = notes.get();
    for (&kernel, lines) in &noted.lines_reached {
        let drawn = mutants::drawn(&text, lines, 40, 1);
        let count = seen(&drawn, kernel, |mutant| {
            compare(mutant, &text, &kernels, kernel, |wrong| {
                sieve::compare_briefly(wrong, &Notes::default(), false)
            })
        });
        assert!(
            count * 100 >= drawn.len() * SEEN_PERCENT_MIN_SIEVE,
            "{kernel}: {count}"
        );
    }
}

#[test]
fn errors_planted_in_the_probes_are_detected_slow() {
    let text = ptx_of("sieve.ptx");
    let kernels = kernels_of("sieve.ptx");
    for kernel in ["fill_at_random", "read_at_random", "add_at_random"] {
        let lines = mutants::lines_of(&text, kernel);
        let drawn = mutants::drawn(&text, &lines, 40, 1);
        let count = seen(&drawn, kernel, |mutant| {
            let compare_probes = |wrong: &Kernels| probes::compare(wrong).map(drop);
            compare(mutant, &text, &kernels, kernel, compare_probes)
        });
        assert!(
            count * 100 >= drawn.len() * SEEN_PERCENT_MIN_SIEVE,
            "{kernel}: {count}"
        );
    }
}

#[test]
fn named_errors_in_the_sieve_are_detected() {
    let text = ptx_of("sieve.ptx");
    let kernels = kernels_of("sieve.ptx");
    for (kernel, from, to) in [
        ("hash_rows", "bar.sync \t0;", ""),
        ("hash_rows", ", -16;", ", -8;"),
        ("hash_rows", ", 20481;", ", 40481;"),
        ("hash_rows", "1390208809", "1390208808"),
        ("hash_rows", "944331445", "944331444"),
        ("hash_rows", "ld.shared.u64", "mov.u64 %rd0, 0; // "),
        ("claim_rows", "setp.ge.u32", "setp.gt.u32"),
        ("claim_rows", "atom.global.min.u32", "atom.global.max.u32"),
        ("claim_rows", "and.pred", "or.pred"),
        ("claim_rows", "st.global.u32", "// "),
        ("look_up", "bar.sync \t0;", ""),
        ("look_up", "mul.hi.u64", "mul.lo.u64"),
        ("look_up", "shf.l.wrap", "shf.r.wrap"),
        ("look_up", ", 63;", ", 31;"),
        ("look_up", "atom.shared.add", "atom.shared.max"),
        ("look_up", "atom.global.add", "atom.global.max"),
        ("insert_new", "setp.ne.s16", "setp.eq.s16"),
        ("insert_new", "atom.global.or", "atom.global.xor"),
        ("insert_new", "mul.hi.u64", "mul.lo.u64"),
        ("insert_keys", "5871781006564002453", "5871781006564002452"),
        ("insert_keys", "atom.global.or", "atom.global.and"),
        ("insert_keys", ", 63;", ", 31;"),
    ] {
        let mutant = mutants::named(&text, &format!(".entry {kernel}("), from, to);
        let outcome = compare(&mutant, &text, &kernels, kernel, |wrong| {
            sieve::compare_briefly(wrong, &Notes::default(), false)
        });
        let error = outcome.expect_err(&format!("not detected: {kernel}: {to} for {from}"));
        println!("{kernel}: {to} for {from}: {error}");
    }
}

#[test]
fn errors_planted_in_the_structure_key_are_detected_slow() {
    let text = ptx_of("structure_key.ptx");
    let kernels = kernels_of("structure_key.ptx");
    let begin = Instant::now();
    let by_line = ByLine::of(&kernels);
    let lines: BTreeSet<u32> = by_line.lines().collect();
    println!("{} lines reached, {:.1?}", lines.len(), begin.elapsed());
    let compared = |mutant: &Mutant| {
        compare(mutant, &text, &kernels, KEY_KERNEL, |wrong| {
            by_line.compare(wrong, mutant.line)
        })
    };
    let kinds = [
        ("popc.b32", "clz.b32"),
        ("bfind.shiftamt", "bfind"),
        ("brev.b32", "not.b32"),
        ("xor.b64", "or.b64"),
        ("mul.lo.s64", "mul.hi.u64"),
        ("shf.l.wrap", "shf.r.wrap"),
        ("st.local.u64", "// "),
        ("setp.lt.u32", "setp.le.u32"),
        ("st.global.v2.u64", "// "),
        ("st.global.u8", "// "),
    ];
    let kinds = kinds.map(|(from, to)| mutants::everywhere(&text, from, to));
    // At least one mutant of each kind must be detected.
    for kind in kinds.into_iter().chain(mutants::of_tables(&text, 24)) {
        let begin = Instant::now();
        let first = kind.iter().zip(1..).find_map(|(mutant, number)| {
            let error = compared(mutant).err()?;
            Some((number, mutant, error))
        });
        let (number, mutant, error) = first.expect("no mutant of a kind was detected");
        println!(
            "{KEY_KERNEL}: {number} of {}, {} for {}: {error}, {:.1?}",
            kind.len(),
            mutant.to.trim(),
            mutant.from.trim(),
            begin.elapsed()
        );
    }
    let drawn = mutants::drawn(&text, &lines, 150, 1);
    let count = seen(&drawn, KEY_KERNEL, compared);
    assert!(count * 100 >= drawn.len() * SEEN_PERCENT_MIN_KEY, "{count}");
}

const KEY_KERNEL: &str = "structure_key";
