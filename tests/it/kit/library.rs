//! Inputs of the tests: libraries and rules, and writers of other formats.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use parquet::arrow::ArrowWriter;

use super::process::{Folder, Molsieve};

/// The library that ships with molsieve: 621 natural products.
pub fn shipped_library() -> PathBuf {
    repository().join("examples/natural_products.csv")
}

/// The rules that ship with molsieve.
pub fn shipped_rules() -> PathBuf {
    repository().join("examples/rules/natural_products.toml")
}

/// The output directories of a job with the shipped rules, by the fast way and by the reference. `flags`: `run` and what
/// follows.
pub fn made_both_ways(folder: &Folder, flags: &str, input: &Path) -> [PathBuf; 2] {
    ["fast", "reference"].map(|chemistry| {
        let out = folder.path(chemistry);
        Molsieve::new(flags)
            .arg("--chemistry")
            .arg(chemistry)
            .input(input)
            .rules(shipped_rules())
            .output(&out)
            .run()
            .ends_with(0);
        out
    })
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The release of RDKit that is pinned, as RDKit writes it: year, month and a number.
pub fn rdkit_release() -> String {
    let pins = std::fs::read_to_string(repository().join("scripts/rdkit-wheels.txt")).unwrap();
    let pin = pins.lines().find_map(|line| line.strip_prefix("rdkit=="));
    let numbers: Vec<u32> = pin
        .unwrap()
        .split(|c: char| !c.is_ascii_digit())
        .map_while(|number| number.parse().ok())
        .collect();
    format!("{}.{:02}.{}", numbers[0], numbers[1], numbers[2])
}

/// (id, SMILES) of the first `n` molecules of the shipped library.
pub fn shipped_molecules(n: usize) -> Vec<(String, String)> {
    let mut table = csv::Reader::from_path(shipped_library()).unwrap();
    let molecules: Vec<_> = table
        .records()
        .map(|record| record.unwrap())
        .map(|record| (record[0].to_owned(), record[1].to_owned()))
        .take(n)
        .collect();
    assert_eq!(molecules.len(), n, "the shipped library is smaller");
    molecules
}

/// The first `n` molecules of the shipped library as a SMILES file, numbered by their ids.
pub fn smiles_lines(n: usize) -> String {
    shipped_molecules(n)
        .iter()
        .map(|(id, smiles)| format!("{smiles} {id}\n"))
        .collect()
}

/// A TOML rule file of (name, SMIRKS).
pub fn rule_file(folder: &Folder, rules: &[(&str, &str)]) -> PathBuf {
    let text: String = rules
        .iter()
        .map(|(name, smirks)| format!("[[rule]]\nname = '{name}'\nsmirks = '{smirks}'\n"))
        .collect();
    folder.write("rules.toml", text)
}

/// Three rules that apply to most natural products and give a few products of each.
pub const THREE_RULES: [(&str, &str); 3] = [
    ("methylation", "[c:1][OX2H:2]>>[c:1][O:2]C"),
    ("fluorination", "[cH:1]>>[c:1]F"),
    ("acetylation", "[CX4:1][OX2H:2]>>[C:1][O:2]C(C)=O"),
];

/// A molecule whose aromatic CH (four per ring) are all inequivalent: meta-linked rings with an OH at one end and a
/// nitrile at the other. `tail` stands between the OH and the first ring.
pub fn chain_of_rings(rings: usize, tail: &str) -> String {
    let links = "-c1cccc(c1)".repeat(rings - 1);
    format!("O{tail}c1cccc(c1){links}C#N")
}

pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(text).unwrap();
    packed.finish().unwrap()
}

/// Writes a Parquet file of (id, SMILES) with the given column names, in row groups of `group_rows` rows.
pub fn parquet_file(
    path: &Path,
    [id_name, smiles_name]: [&str; 2],
    molecules: &[(String, String)],
    group_rows: usize,
) {
    let schema = Arc::new(Schema::new(vec![
        Field::new(id_name, DataType::Utf8, false),
        Field::new(smiles_name, DataType::Utf8, true),
        Field::new("number", DataType::Int64, false),
    ]));
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), Arc::clone(&schema), None).unwrap();
    for group in molecules.chunks(group_rows) {
        let texts = |of: fn(&(String, String)) -> &str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(group.iter().map(of)))
        };
        let numbers = Int64Array::from_iter_values(0..group.len() as i64);
        let columns = vec![
            texts(|molecule| &molecule.0),
            texts(|molecule| &molecule.1),
            Arc::new(numbers),
        ];
        writer
            .write(&RecordBatch::try_new(Arc::clone(&schema), columns).unwrap())
            .unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
}

/// Phenol and p-cresol as RDKit writes them.
pub const PHENOL_AND_CRESOL_SDF: &str = "phenol
     RDKit          2D

  7  7  0  0  0  0  0  0  0  0999 V2000
    2.5714    0.0000    0.0000 O   0  0  0  0  0  0  0  0  0  0  0  0
    1.0714   -0.0000    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
    0.3214   -1.2990    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
   -1.1786   -1.2990    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
   -1.9286    0.0000    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
   -1.1786    1.2990    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
    0.3214    1.2990    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
  1  2  1  0
  2  3  2  0
  3  4  1  0
  4  5  2  0
  5  6  1  0
  6  7  2  0
  7  2  1  0
M  END
> <vendor>
A-17

$$$$
cresol
     RDKit          2D

  8  8  0  0  0  0  0  0  0  0999 V2000
    3.0000    0.0000    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
    1.5000   -0.0000    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
    0.7500   -1.2990    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
   -0.7500   -1.2990    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
   -1.5000    0.0000    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
   -3.0000    0.0000    0.0000 O   0  0  0  0  0  0  0  0  0  0  0  0
   -0.7500    1.2990    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
    0.7500    1.2990    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
  1  2  1  0
  2  3  2  0
  3  4  1  0
  4  5  2  0
  5  6  1  0
  5  7  1  0
  7  8  2  0
  8  2  1  0
M  END
$$$$
";

/// A job of a third of a second, small enough to run some hundred times, with every kind of file: several parts,
/// rejects, rows to settle.
pub struct SmallJob {
    pub folder: Folder,
    pub input: PathBuf,
    pub rules: PathBuf,
}

impl SmallJob {
    pub fn new() -> Self {
        let folder = Folder::new();
        let lines = smiles_lines(200);
        let input = folder.write("a.smi", format!("{lines}C1CC broken\n{lines}"));
        let rules = rule_file(&folder, &THREE_RULES);
        Self {
            folder,
            input,
            rules,
        }
    }

    /// Starts or resumes the job.
    pub fn run(&self, output: &Path) -> Molsieve {
        self.run_within("256MiB", output)
    }

    pub fn run_within(&self, memory: &str, output: &Path) -> Molsieve {
        Molsieve::new("run --resume --threads 2 --part-size 64KiB --slot-size 512KiB")
            .args("--false-positive-rate 0.5 --memory")
            .arg(memory)
            .input(&self.input)
            .rules(&self.rules)
            .output(output)
    }
}
