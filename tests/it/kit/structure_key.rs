//! Test texts for structure keys on devices, the results of the CPU, and the CUDA source compiled for the host.

use std::{fs, path::Path};

use libloading::Library;
use molsieve::{
    identity::StructureKeys,
    sieve::{EngineError, Keyed, Texts, structure_key::KeyDevice},
};
use tempfile::TempDir;

use super::{draw::Draw, shim::Build};

pub const SOURCE: &str = "kernels/structure_key.cu";

/// The status of a row that is too large for the device.
pub const TOO_LARGE: u8 = 255;

/// Texts made from each of the samples by changing bytes; together more than 200,000.
pub const FUZZ_PER_SAMPLE: usize = 100;

/// Molecules whose atoms refinement does not distinguish: cages, and several copies of one molecule, the last two with
/// too many branches. Then an atom with too many neighbours, numbers out of range, and texts that detect the
/// errors planted in the source.
const UNCOMMON: [&str; 18] = [
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
    "CS(C)(C)(C)=O",
];

pub fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The first word of each line of a file.
pub fn first_words(path: &str) -> Vec<Vec<u8>> {
    let text = read(path);
    let lines = text.lines().filter(|line| !line.starts_with("# "));
    lines
        .map(|line| line.split(' ').next().unwrap_or_default().into())
        .collect()
}

pub fn samples() -> Vec<Vec<u8>> {
    let mut samples: Vec<Vec<u8>> = UNCOMMON.iter().map(|&text| text.into()).collect();
    for path in [
        "tests/parse/cases.smi",
        "tests/oracle/kinds.smi",
        "tests/oracle/crossed.smi",
    ] {
        samples.extend(first_words(path));
    }
    let hard = read("tests/identity/hard.smi");
    let hard = hard.lines().filter(|line| !line.starts_with('#'));
    samples.extend(hard.flat_map(str::split_whitespace).map(|text| text.into()));
    let mut products =
        csv::Reader::from_reader(fs::File::open("examples/natural_products.csv").unwrap());
    samples.extend(products.records().map(|row| row.unwrap()[1].into()));
    assert!(samples.len() > 2_300, "{}", samples.len());
    samples
}

const ALPHABET: &[u8] = b"CNOFPSIBcnopsb[]()=#-+:/\\@.%0123456789HlrieaKZ* \xff\0";

/// Changes a text at random in a few places.
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

/// `per_sample` changed copies of each sample.
pub fn fuzz(samples: &[Vec<u8>], per_sample: usize) -> Vec<Vec<u8>> {
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
pub type KeyOutcome = (u8, [u64; 2]);

/// The status and key of each text on the CPU.
pub fn outcomes_on_cpu(texts: &[Vec<u8>]) -> Vec<KeyOutcome> {
    let mut keys = StructureKeys::new();
    let outcome = |text: &Vec<u8>| match keys.key(text) {
        Ok(key) => (0, key.words()),
        Err(reason) => (1 + reason as u8, [0; 2]),
    };
    texts.iter().map(outcome).collect()
}

/// A library compiled from a source, and its folder.
pub struct Kernel {
    library: Library,
    _folder: TempDir,
}

pub fn build(source: &str, flags: &[&str], output: &str) -> Result<TempDir, String> {
    let build = Build {
        kernels: "structure_key.cu",
        source,
        entry: "structure_key_host.cc",
        flags,
        output,
    };
    build.run()
}

pub fn kernel_of(source: &str, flags: &[&str]) -> Kernel {
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
    /// The results of the kernel for rows stored contiguously, as in a slot.
    pub fn outcomes(&self, texts: &[Vec<u8>]) -> Vec<KeyOutcome> {
        let text = texts.concat();
        let ends = texts.iter().scan(0, |end, text| {
            *end += text.len() as u32;
            Some(*end)
        });
        let ends: Vec<u32> = ends.collect();
        // The kernel must overwrite these values.
        let mut keys = vec![[u64::MAX; 2]; texts.len()];
        let mut statuses = vec![0xa5; texts.len()];
        self.run(&text, &ends, &mut keys, &mut statuses);
        statuses.into_iter().zip(keys).collect()
    }

    fn run(&self, text: &[u8], ends: &[u32], keys: &mut [[u64; 2]], statuses: &mut [u8]) {
        // The kernel writes keys as aligned 128-bit words.
        let mut written = vec![u128::MAX; ends.len()];
        // SAFETY: only the address is taken here.
        let symbol = unsafe { self.library.get::<StructureKey>(b"host_structure_key") }.unwrap();
        // SAFETY: that is its type; the buffers are as long as so many rows need, and the kernel's index is a
        // static of a library that nobody else has.
        unsafe {
            symbol(
                text.as_ptr(),
                ends.as_ptr(),
                ends.len() as u32,
                written.as_mut_ptr(),
                statuses.as_mut_ptr(),
            );
        }
        for (key, written) in keys.iter_mut().zip(written) {
            *key = [written as u64, (written >> 64) as u64];
        }
    }
}

impl KeyDevice for Kernel {
    fn name(&self) -> &'static str {
        "host"
    }

    fn compute_keys(&mut self, texts: Texts<'_>, to: &mut Keyed<'_>) -> Result<(), EngineError> {
        self.run(texts.bytes, texts.ends, to.keys, to.codes);
        Ok(())
    }
}

/// Compares row by row. `may_be_too_large` says whether the device may leave a row to the CPU.
pub fn differences(
    texts: &[Vec<u8>],
    cpu: &[KeyOutcome],
    device: &[KeyOutcome],
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

pub fn assert_none(differences: &[String]) {
    let shown = &differences[..differences.len().min(10)];
    assert!(
        differences.is_empty(),
        "{} differ:\n{}",
        differences.len(),
        shown.join("\n")
    );
}

/// An upper bound of the atoms in a text: each has a letter or a star.
pub fn letters(text: &[u8]) -> usize {
    let letters = text
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic() || **byte == b'*');
    letters.count()
}

/// The device's limit: larger molecules are left to the CPU.
pub const ATOMS_MAX: usize = 64;
