//! Reads the output of a job: rows, rejects, manifest, checksums.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use arrow::{
    array::{AsArray, RecordBatch},
    datatypes::{SchemaRef, UInt16Type, UInt64Type},
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sha2::{Digest, Sha256};

/// A row of the parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub smiles: String,
    pub key: Vec<u8>,
    pub parent_row: u64,
    pub parent_id: String,
    pub parent_smiles: String,
    pub rule: String,
    pub site: u16,
}

/// A row of `rejects.parquet`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    pub row: u64,
    pub id: String,
    pub text: String,
    pub reason: String,
    pub code: String,
}

/// The parts in an output directory, in order.
pub fn parts(output: &Path) -> Vec<PathBuf> {
    let products = products(output);
    names(&products)
        .into_iter()
        .map(|name| products.join(name))
        .collect()
}

/// The folder of the parts.
pub fn products(output: &Path) -> PathBuf {
    output.join("products")
}

/// The path of the part with this number, which need not exist.
pub fn part(output: &Path, number: usize) -> PathBuf {
    products(output).join(format!("part-{number:05}.parquet"))
}

/// The sorted names in a directory; empty if the directory does not exist.
pub fn names(directory: &Path) -> Vec<String> {
    let Ok(listing) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut names: Vec<String> = listing
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Names and content of the parts.
pub fn part_bytes(output: &Path) -> Vec<(String, Vec<u8>)> {
    parts(output)
        .iter()
        .map(|part| {
            let name = part.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(part).unwrap())
        })
        .collect()
}

/// The schema of a Parquet file and its batches.
pub fn read_parquet(path: &Path) -> (SchemaRef, Vec<RecordBatch>) {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let schema = builder.schema().clone();
    let batches = builder.build().unwrap().map(Result::unwrap).collect();
    (schema, batches)
}

/// All rows, in the order of the parts.
pub fn rows(output: &Path) -> Vec<Row> {
    parts(output)
        .iter()
        .flat_map(|part| read_parquet(part).1)
        .flat_map(|batch| rows_of(&batch))
        .collect()
}

fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let keys = batch.column_by_name("key");
    let keys = keys.unwrap_or_else(|| column("structure_key"));
    let text = |name, i| column(name).as_string::<i32>().value(i).to_owned();
    let rules = column("rule").as_dictionary::<UInt16Type>();
    let rule_names = rules.values().as_string::<i32>();
    (0..batch.num_rows())
        .map(|i| Row {
            smiles: text("smiles", i),
            key: keys.as_fixed_size_binary().value(i).to_vec(),
            parent_row: column("parent_row").as_primitive::<UInt64Type>().value(i),
            parent_id: text("parent_id", i),
            parent_smiles: text("parent_smiles", i),
            rule: rule_names.value(rules.key(i).unwrap()).to_owned(),
            site: column("site").as_primitive::<UInt16Type>().value(i),
        })
        .collect()
}

/// The SMILES column, in order.
pub fn smiles(output: &Path) -> Vec<String> {
    rows(output).into_iter().map(|row| row.smiles).collect()
}

/// The SMILES column, sorted.
pub fn smiles_sorted(output: &Path) -> Vec<String> {
    let mut all = smiles(output);
    all.sort();
    all
}

/// The rejected rows, in order; empty if there is no such file.
pub fn rejects(output: &Path) -> Vec<Reject> {
    let path = output.join("rejects.parquet");
    if !path.exists() {
        return Vec::new();
    }
    let (_, batches) = read_parquet(&path);
    let reject = |batch: &RecordBatch, i: usize| {
        let text = |name: &str| {
            let column = batch.column_by_name(name).unwrap();
            column.as_string::<i32>().value(i).to_owned()
        };
        Reject {
            row: batch["row"].as_primitive::<UInt64Type>().value(i),
            id: text("id"),
            text: text("text"),
            reason: text("reason"),
            code: text("code"),
        }
    };
    batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(move |i| reject(batch, i)))
        .collect()
}

pub fn manifest(output: &Path) -> serde_json::Value {
    let text = fs::read_to_string(output.join("manifest.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A count of the manifest.
pub fn counted(output: &Path, name: &str) -> u64 {
    manifest(output)["counts"][name]
        .as_u64()
        .unwrap_or_else(|| panic!("counts.{name} is missing"))
}

pub fn sha256(path: &Path) -> String {
    let digest = Sha256::digest(fs::read(path).unwrap());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What must not depend on interruptions, threads or engines: the files, and the counts and list of files in the
/// manifest.
#[derive(PartialEq)]
pub struct Made {
    files: Vec<(String, Vec<u8>)>,
    pub counts: serde_json::Value,
    listed: serde_json::Value,
}

impl Made {
    /// Reads a complete output directory.
    #[track_caller]
    pub fn at(output: &Path) -> Self {
        assert_complete(output);
        let mut files = part_bytes(output);
        let rejects = fs::read(output.join("rejects.parquet")).unwrap_or_default();
        files.push(("rejects.parquet".into(), rejects));
        let manifest = manifest(output);
        Self {
            files,
            counts: manifest["counts"].clone(),
            listed: manifest["files"].clone(),
        }
    }

    /// Number of parts.
    pub fn parts(&self) -> usize {
        self.files.len() - 1
    }

    #[track_caller]
    pub fn assert_is(&self, expected: &Self) {
        assert_eq!(self.counts, expected.counts);
        assert_eq!(self.listed, expected.listed);
        assert!(*self == *expected, "the bytes differ");
    }
}

/// Fails unless the manifest matches the files, its counts balance, and it lists every file.
#[track_caller]
pub fn assert_complete(output: &Path) {
    let manifest = manifest(output);
    let mut expected = vec!["job.toml", "manifest.json", "products"];
    let mut rows_listed = 0;
    let files = manifest["files"].as_array().unwrap();
    for (i, file) in files.iter().enumerate() {
        assert_eq!(file["name"], format!("products/part-{i:05}.parquet"));
        rows_listed += file["rows"].as_u64().unwrap();
    }
    let rejects = Some(&manifest["rejects"]).filter(|file| !file.is_null());
    let duplicates = Some(&manifest["duplicates"]).filter(|file| !file.is_null());
    for file in files.iter().chain(rejects).chain(duplicates) {
        let name = file["name"].as_str().unwrap();
        let path = output.join(name);
        let rows: usize = read_parquet(&path)
            .1
            .iter()
            .map(RecordBatch::num_rows)
            .sum();
        assert_eq!(file["rows"], rows, "rows of {name}");
        assert_eq!(file["bytes"], path.metadata().unwrap().len(), "{name}");
        assert_eq!(file["sha256"], sha256(&path), "{name}");
    }
    expected.extend(rejects.map(|_| "rejects.parquet"));
    expected.extend(duplicates.map(|_| "duplicates.parquet"));
    expected.sort_unstable();
    assert_eq!(names(output), expected, "no file but those of the manifest");
    assert_eq!(
        parts(output).len(),
        files.len(),
        "the manifest lists every part"
    );
    assert_counts_balance(&manifest["counts"], rows_listed);
}

#[track_caller]
fn assert_counts_balance(counts: &serde_json::Value, rows: u64) {
    let count = |name: &str| counts[name].as_u64().unwrap_or_else(|| panic!("{name}"));
    let sum = |names: &[&str]| names.iter().map(|name| count(name)).sum::<u64>();
    assert_eq!(
        count("parents_read"),
        sum(&[
            "parents_transformed",
            "parents_rejected",
            "parents_filtered"
        ]),
        "{counts}"
    );
    assert_eq!(
        count("products_made"),
        sum(&[
            "products_unique",
            "products_duplicate",
            "products_symmetric",
            "products_unchanged",
            "products_invalid",
            "products_capped",
            "products_filtered"
        ]),
        "{counts}"
    );
    assert_eq!(count("products_unique"), rows, "{counts}");
}
