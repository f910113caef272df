//! Structure keys on a GPU equal those of the CPU: `kernels/structure_key.cu`, compiled for the host (`tests/shim/`),
//! gives every text the same key, or the same reason for having none.
//!
//! - With the limits of the CPU (255 atoms, 1,000 branches) every row has the result of the CPU.
//! - With the limits of the device some rows are too large, and nothing else differs.
//! - The tests detect errors planted in the source.
//! - A program compiled with sanitizers runs over a part of the texts, each in its own allocation.
//!
//! `MOLSIEVE_KEY_FILE` names a file with a SMILES at the beginning of each line, for large runs.

use std::{
    collections::BTreeMap,
    fs,
    process::{Command, Stdio},
};

use crate::kit::structure_key::{
    ATOMS_MAX, FUZZ_PER_SAMPLE, KeyOutcome, SOURCE, TOO_LARGE, assert_none, build, differences,
    first_words, fuzz, kernel_of, letters, outcomes_on_cpu, read, samples,
};
use crate::kit::{shim, skipped};
use molsieve::{identity::Reason, sieve::conformance::conform_on_keys};

/// The limits of the CPU.
const AS_ON_CPU: [&str; 3] = ["-DATOMS_MAX=255", "-DDEPTH_MAX=12", "-DLEAVES_MAX=1000"];

/// With the limits of the CPU, a row may be too large only if it is too large for the CPU.
fn only_beyond_the_cpu(_: &[u8], cpu: u8) -> bool {
    [Reason::Size, Reason::Symmetry]
        .iter()
        .any(|&reason| cpu == 1 + reason as u8)
}

/// Compares all rows and returns the number of rows per status.
fn compare(texts: &[Vec<u8>]) -> BTreeMap<u8, usize> {
    let cpu = outcomes_on_cpu(texts);
    let source = read(SOURCE);
    let as_on_cpu = kernel_of(&source, &[&["-O2"], &AS_ON_CPU[..]].concat()).outcomes(texts);
    assert_none(&differences(texts, &cpu, &as_on_cpu, only_beyond_the_cpu));
    let device = kernel_of(&source, &["-O2"]).outcomes(texts);
    assert_none(&differences(texts, &cpu, &device, |_, _| true));
    let mut counts = BTreeMap::new();
    for (status, _) in &device {
        *counts.entry(*status).or_default() += 1;
    }
    let deep = texts
        .iter()
        .zip(&device)
        .filter(|(text, (status, _))| *status == TOO_LARGE && letters(text) <= ATOMS_MAX);
    println!(
        "{} rows, by status {counts:?}; too deep {}",
        texts.len(),
        deep.count()
    );
    counts
}

#[test]
fn samples_have_the_keys_and_reasons_of_the_cpu() {
    let samples = samples();
    let counts = compare(&samples);
    assert!(counts[&0] > 1_800, "{counts:?}");
    assert!(counts[&TOO_LARGE] < 50, "{counts:?}");
}

#[test]
fn changed_texts_have_the_keys_and_reasons_of_the_cpu_slow() {
    let texts = fuzz(&samples(), FUZZ_PER_SAMPLE);
    assert!(texts.len() > 200_000, "{}", texts.len());
    let counts = compare(&texts);
    // Keys, and every reason except the two that the device can't have.
    for status in (0..=13).filter(|&status| status != 1 + Reason::Size as u8) {
        assert!(counts.contains_key(&status), "{status}: {counts:?}");
    }
}

#[test]
fn a_named_file_has_the_keys_and_reasons_of_the_cpu() {
    if let Ok(path) = std::env::var("MOLSIEVE_KEY_FILE") {
        compare(&first_words(&path));
    }
}

#[test]
fn blocks_of_any_size_are_filled() {
    let samples = samples();
    let kernel = kernel_of(&read(SOURCE), &["-O1"]);
    for rows in [0, 1, 2, 127, 128, 129, 256, 257] {
        let texts = &samples[..rows];
        let cpu = outcomes_on_cpu(texts);
        assert_none(&differences(
            texts,
            &cpu,
            &kernel.outcomes(texts),
            |_, _| true,
        ));
    }
}

#[test]
fn errors_planted_in_the_source_are_detected_slow() {
    let mut texts = samples();
    texts.extend(fuzz(&texts, 10));
    let cpu = outcomes_on_cpu(&texts);
    let source = read(SOURCE);
    let planted = [
        ("tens != '0' ?", "true ?"),
        ("if (isotope > 999)", "if (isotope > 9999)"),
        ("oxides < 2 ||", "oxides < 1 ||"),
        (
            "bool fits = is_empty(known) &&",
            "bool fits = !is_empty(known) &&",
        ),
        ("take_from(known, last);", ""),
        (
            "matching.way[length] = matching.partner[other];",
            "return false;",
        ),
        ("waiting = either(waiting, next);", ""),
        (
            "mol.atoms[index].number == CARBON && mol.atoms[index].charge != 0",
            "false",
        ),
        (
            "rotate_left(colours.seen[index], 17)",
            "rotate_left(colours.seen[index], 16)",
        ),
        (
            "odd ^ (lone && atom.closures == 1",
            "odd ^ (lone && atom.closures == 2",
        ),
        ("#define STEREO_RING_MIN 8", "#define STEREO_RING_MIN 7"),
        ("if (is_single(in_system))", "if (is_empty(in_system))"),
        ("if (ways < 2)", "if (ways < 3)"),
        ("two_double_bonds ||", ""),
        ("times == size - 2 ||", ""),
        ("is_less(key, search.least)", "is_less(search.least, key)"),
        ("kinds[one] != kinds[other]", "true"),
        ("first &= kinds", "first |= kinds"),
        ("second += mix(seen)", "second += seen"),
        ("DEFINITION << 8 | mol.count", "DEFINITION << 8"),
        ("row == 0 ? 0 : text_end[row - 1]", "0"),
    ];
    let (mut unseen, mut unseen_by_doctor) = (Vec::new(), Vec::new());
    for (right, wrong) in planted {
        assert_eq!(source.matches(right).count(), 1, "{right}");
        let mut kernel = kernel_of(&source.replace(right, wrong), &["-O1"]);
        let wrong_rows = differences(&texts, &cpu, &kernel.outcomes(&texts), |_, _| true);
        println!("{wrong}: {} rows", wrong_rows.len());
        if wrong_rows.is_empty() {
            unseen.push(right);
        }
        if conform_on_keys(&mut kernel).is_ok() {
            unseen_by_doctor.push(right);
        }
    }
    assert!(unseen.is_empty(), "not detected: {unseen:?}");
    assert!(unseen_by_doctor.is_empty(), "{unseen_by_doctor:?}");
}

#[test]
fn nothing_is_read_or_written_out_of_bounds_slow() {
    let mut texts = samples();
    texts.extend(fuzz(&texts, 4));
    texts.retain(|text| !text.contains(&b'\n'));
    let flags = [
        "-O1",
        "-g",
        "-DMAIN",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
    ];
    let folder = match build(&read(SOURCE), &flags, "key") {
        Ok(folder) => folder,
        Err(message) => {
            let first = message.lines().next().unwrap_or_default();
            return skipped(&format!("the compiler has no sanitizers: {first}"));
        }
    };
    let mut lines = texts.join(&b'\n');
    lines.push(b'\n');
    let input = folder.path().join("lines");
    fs::write(&input, lines).unwrap();
    let output = Command::new(folder.path().join("key"))
        .stdin(fs::File::open(input).unwrap())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let outcomes: Vec<KeyOutcome> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(outcome_of)
        .collect();
    let cpu = outcomes_on_cpu(&texts);
    assert_none(&differences(&texts, &cpu, &outcomes, |_, _| true));
    println!("{} rows without a fault", outcomes.len());
}

/// A line of the program's.
fn outcome_of(line: &str) -> KeyOutcome {
    let words: Vec<&str> = line.split(' ').collect();
    let word = |i: usize| u64::from_str_radix(words[i], 16).unwrap();
    (words[0].parse().unwrap(), [word(1), word(2)])
}

#[test]
fn the_ptx_is_not_older_than_its_source() {
    shim::assert_ptx_is_of_its_source("structure_key");
}
