//! The structure key on a GPU is the one of the CPU: `kernels/structure_key.cu`, compiled for the host
//! (`tests/shim/`), gives every text the same key, or the same reason why it has none.
//!
//! - With the CPU's own limits (255 atoms, 1,000 ways to set atoms apart) every row is told as on the CPU.
//! - With the device's limits some are too large, and nothing else is different.
//! - Errors planted in the source are seen.
//! - A program made with the compiler's sanitizers runs over a part of the texts, each in memory of its own.
//!
//! `MOLSIEVE_KEY_FILE` names a file with a SMILES at the beginning of each line, for large runs.

#![allow(clippy::unwrap_used, reason = "this is test code outside #[test]")]

#[path = "common/draw.rs"]
mod draw;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "common/shim.rs"]
mod shim;

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use draw::Draw;
use libloading::Library;
use molsieve::identity::{Reason, StructureKeys};
use shim::Build;
use tempfile::TempDir;

const SOURCE: &str = "kernels/structure_key.cu";

/// The status of a row that is too large for the device.
const TOO_LARGE: u8 = 255;

/// The CPU's limits.
const AS_ON_CPU: [&str; 3] = ["-DATOMS_MAX=255", "-DDEPTH_MAX=12", "-DLEAVES_MAX=1000"];

/// Texts made from each of the samples by changing bytes; together more than 200,000.
const FUZZ_PER_SAMPLE: usize = 100;

/// Molecules whose colours do not tell them: cages, and several of the same, of which the last two have too many
/// ways. Then an atom with more neighbours than there is room for, numbers that are out of range, and what else
/// errors planted in the source need to be seen.
const UNCOMMON: [&str; 17] = [
    "CC1C[C@H](C)C[C@@H](C)C1",
    "[1000CH4]",
    "C12C3C4C1C5C2C3C45",
    "C12C3C1C23",
    "C1C2CC3CC1CC(C2)C3",
    "C12C3C4C5C1C6C7C2C8C3C9C4C%10C5C6C%11C7C8C9C%10%11",
    "C1=CC2C=CC1C=C2",
    "F[C@H]1C[C@@H](F)C[C@H](F)C1",
    "C12C3C4C1C5C2C3C45.C12C3C4C1C5C2C3C45",
    "C12C3C4C1C5C2C3C45.C12C3C4C1C5C2C3C45.C12C3C4C1C5C2C3C45.C12C3C4C1C5C2C3C45",
    "[U](C)(C)(C)(C)(C)(C)(C)(C)C",
    "[1000CH4]",
    "C%01CC%01",
    "CN(=O)=C",
    "C1=CC2=CC=C12",
    "C[C@H]1CCCCC1",
    "C1CCC1",
];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The texts of a file at the beginnings of its lines.
fn first_words(path: &str) -> Vec<Vec<u8>> {
    let text = read(path);
    let lines = text.lines().filter(|line| !line.starts_with("# "));
    lines
        .map(|line| line.split(' ').next().unwrap_or_default().into())
        .collect()
}

fn samples() -> Vec<Vec<u8>> {
    let mut samples: Vec<Vec<u8>> = UNCOMMON.iter().map(|&text| text.into()).collect();
    for path in [
        "tests/parse/cases.smi",
        "tests/oracle/kinds.smi",
        "tests/oracle/crossed.smi",
    ] {
        samples.extend(first_words(path));
    }
    let mut products =
        csv::Reader::from_reader(fs::File::open("examples/natural_products.csv").unwrap());
    samples.extend(products.records().map(|row| row.unwrap()[1].into()));
    assert!(samples.len() > 2_300, "{}", samples.len());
    samples
}

const ALPHABET: &[u8] = b"CNOFPSIBcnopsb[]()=#-+:/\\@.%0123456789HlrieaKZ* \xff\0";

/// Changes a text in a few places.
fn edit(text: &mut Vec<u8>, draw: &mut Draw) {
    for _ in 0..[1, 1, 1, 2, 3, 5][draw.below(6)] {
        if text.is_empty() {
            return;
        }
        let at = draw.below(text.len());
        match draw.below(12) {
            0 | 1 => drop(text.remove(at)),
            2 | 3 => {
                let other = draw.below(text.len());
                text.swap(at, other);
            }
            4..=6 => text.insert(at, ALPHABET[draw.below(ALPHABET.len())]),
            7 | 8 => text[at] = ALPHABET[draw.below(ALPHABET.len())],
            9 => text.truncate(at),
            _ => {
                let end = text.len().min(at + 1 + draw.below(8));
                let again = text[at..end].to_vec();
                text.splice(at..at, again);
            }
        }
    }
}

/// Each sample many times, changed.
fn fuzz(samples: &[Vec<u8>], per_sample: usize) -> Vec<Vec<u8>> {
    let mut draw = Draw(1);
    let all = samples
        .iter()
        .flat_map(|text| std::iter::repeat_n(text, per_sample));
    all.map(|text| {
        let mut text = text.clone();
        edit(&mut text, &mut draw);
        text
    })
    .collect()
}

/// A row's status and key.
type Told = (u8, [u64; 2]);

/// What the CPU says.
fn told_by_cpu(texts: &[Vec<u8>]) -> Vec<Told> {
    let mut keys = StructureKeys::new();
    let tell = |text: &Vec<u8>| match keys.key(text) {
        Ok(key) => (0, key.words()),
        Err(reason) => (1 + reason as u8, [0; 2]),
    };
    texts.iter().map(tell).collect()
}

/// A library made from a source, in a folder that lasts as long.
struct Kernel {
    library: Library,
    _folder: TempDir,
}

fn build(source: &str, flags: &[&str], output: &str) -> Result<TempDir, String> {
    let build = Build {
        kernels: "structure_key.cu",
        source,
        entry: "structure_key_host.cc",
        flags,
        output,
    };
    build.run()
}

fn kernel_of(source: &str, flags: &[&str]) -> Kernel {
    let flags = [&["-shared", "-fPIC"], flags].concat();
    let folder = build(source, &flags, "libkey.so").unwrap_or_else(|message| panic!("{message}"));
    // SAFETY: the library has no initialisers but those of its own empty vectors.
    let library = unsafe { Library::new(folder.path().join("libkey.so")) }.unwrap();
    Kernel {
        library,
        _folder: folder,
    }
}

type StructureKey = unsafe extern "C" fn(*const u8, *const u32, u32, *mut u128, *mut u8);

impl Kernel {
    /// What the kernel writes for rows that lie one behind the other, as in a slot.
    fn tell(&self, texts: &[Vec<u8>]) -> Vec<Told> {
        let text = texts.concat();
        let ends = texts.iter().scan(0, |end, text| {
            *end += text.len() as u32;
            Some(*end)
        });
        let ends: Vec<u32> = ends.collect();
        // What stands there before must not matter.
        let mut keys = vec![u128::MAX; texts.len()];
        let mut statuses = vec![0xa5; texts.len()];
        // SAFETY: only the address is taken here.
        let symbol = unsafe { self.library.get::<StructureKey>(b"host_structure_key") }.unwrap();
        // SAFETY: that is its type; the buffers are as long as so many rows need, and the kernel's index is a
        // static of a library that nobody else has.
        unsafe {
            symbol(
                text.as_ptr(),
                ends.as_ptr(),
                texts.len() as u32,
                keys.as_mut_ptr(),
                statuses.as_mut_ptr(),
            );
        }
        let words = keys.iter().map(|&key| [key as u64, (key >> 64) as u64]);
        statuses.into_iter().zip(words).collect()
    }
}

/// Compares row by row. `may_be_too_large` is asked of rows that the device leaves to the CPU.
fn differences(
    texts: &[Vec<u8>],
    cpu: &[Told],
    device: &[Told],
    may_be_too_large: impl Fn(&[u8], u8) -> bool,
) -> Vec<String> {
    assert_eq!(device.len(), texts.len());
    let rows = texts.iter().zip(cpu).zip(device);
    let wrong = rows.filter(|((text, cpu), device)| match device.0 {
        TOO_LARGE => device.1 != [0; 2] || !may_be_too_large(text, cpu.0),
        _ => cpu != device,
    });
    wrong
        .map(|((text, cpu), device)| {
            format!("{}: {cpu:x?}, {device:x?}", String::from_utf8_lossy(text))
        })
        .collect()
}

fn assert_none(differences: &[String]) {
    let shown = &differences[..differences.len().min(10)];
    assert!(
        differences.is_empty(),
        "{} differ:\n{}",
        differences.len(),
        shown.join("\n")
    );
}

/// With the CPU's limits, what is too large is what the CPU has no room for either.
fn only_beyond_the_cpu(_: &[u8], cpu: u8) -> bool {
    [Reason::Size, Reason::Symmetry]
        .iter()
        .any(|&reason| cpu == 1 + reason as u8)
}

/// Atoms of a text at most: each has a letter or a star.
fn letters(text: &[u8]) -> usize {
    let letters = text
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic() || **byte == b'*');
    letters.count()
}

/// What is left to the CPU by need.
const ATOMS_MAX: usize = 64;

/// Compares all and prints how many rows have which status.
fn compare(texts: &[Vec<u8>]) -> BTreeMap<u8, usize> {
    let cpu = told_by_cpu(texts);
    let source = read(SOURCE);
    let as_on_cpu = kernel_of(&source, &[&["-O2"], &AS_ON_CPU[..]].concat()).tell(texts);
    assert_none(&differences(texts, &cpu, &as_on_cpu, only_beyond_the_cpu));
    let device = kernel_of(&source, &["-O2"]).tell(texts);
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
fn texts_with_faults_have_the_keys_and_reasons_of_the_cpu() {
    let texts = fuzz(&samples(), FUZZ_PER_SAMPLE);
    assert!(texts.len() > 200_000, "{}", texts.len());
    let counts = compare(&texts);
    // Keys, and every reason but the two that are beyond the device.
    for status in (0..=13).filter(|&status| status != 1 + Reason::Size as u8) {
        assert!(counts.contains_key(&status), "{status}: {counts:?}");
    }
}

#[test]
fn a_file_of_choice_has_the_keys_and_reasons_of_the_cpu() {
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
        let cpu = told_by_cpu(texts);
        assert_none(&differences(texts, &cpu, &kernel.tell(texts), |_, _| true));
    }
}

#[test]
fn errors_planted_in_the_source_are_seen() {
    let mut texts = samples();
    texts.extend(fuzz(&texts, 10));
    let cpu = told_by_cpu(&texts);
    let source = read(SOURCE);
    let planted = [
        ("tens != '0' ?", "true ?"),
        ("if (isotope > 999)", "if (isotope > 9999)"),
        ("oxides < 2 ||", "oxides < 1 ||"),
        (
            "knows == (i == 0 && length == 5)",
            "knows == (i == 0 && length == 4)",
        ),
        (
            "matching.way[length] = matching.partner[other];",
            "return false;",
        ),
        (
            "order == DOUBLE && mol.atoms[other].number",
            "order == AROMATIC && mol.atoms[other].number",
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
        ("if (in_system > 1)", "if (in_system > 0)"),
        ("times == size - 2 ||", ""),
        ("is_less(key, least)", "is_less(least, key)"),
        (
            "byte_of(rising, at) <= byte",
            "byte_of(rising, at) < byte - 1",
        ),
        ("in_second ? hash.word : 0", "hash.word"),
        ("row == 0 ? 0 : text_end[row - 1]", "0"),
    ];
    let mut unseen = Vec::new();
    for (right, wrong) in planted {
        assert_eq!(source.matches(right).count(), 1, "{right}");
        let kernel = kernel_of(&source.replace(right, wrong), &["-O1"]);
        let wrong_rows = differences(&texts, &cpu, &kernel.tell(&texts), |_, _| true);
        println!("{wrong}: {} rows", wrong_rows.len());
        if wrong_rows.is_empty() {
            unseen.push(right);
        }
    }
    assert!(unseen.is_empty(), "nobody saw: {unseen:?}");
}

#[test]
fn nothing_is_read_or_written_out_of_bounds() {
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
        Err(message) => return skip(&message),
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
    let told: Vec<Told> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(told_of)
        .collect();
    let cpu = told_by_cpu(&texts);
    assert_none(&differences(&texts, &cpu, &told, |_, _| true));
    println!("{} rows without a fault", told.len());
}

/// A line of the program's.
fn told_of(line: &str) -> Told {
    let words: Vec<&str> = line.split(' ').collect();
    let word = |i: usize| u64::from_str_radix(words[i], 16).unwrap();
    (words[0].parse().unwrap(), [word(1), word(2)])
}

/// Says past the harness that the compiler has no sanitizers.
fn skip(message: &str) {
    let first = message.lines().next().unwrap_or_default();
    let line = format!("SKIPPED: the compiler makes no program with sanitizers: {first}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

#[test]
fn the_ptx_is_not_older_than_its_source() {
    shim::assert_ptx_is_of_its_source("structure_key");
}
