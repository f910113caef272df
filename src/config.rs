//! What a job is: the flags of `molsieve run` and the keys of a job file say the same, and become one
//! checked [`JobSpec`].

mod engine_flag;

use std::{
    io::ErrorKind,
    num::NonZeroUsize,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::{
    chem::Method,
    identity,
    limits::{
        PART_BYTES_DEFAULT, PRODUCTS_PER_PARENT_DEFAULT, PRODUCTS_PER_PARENT_MAX, SLOT_BYTES_MAX,
        SLOT_BYTES_MIN, SLOTS_MAX, SLOTS_MIN,
    },
    sieve::EngineChoice,
    store::{Existing, plain},
    table::source::names_a_format,
    units::ByteSize,
};

/// Everything a job can be told. As flags every one is optional here; [`JobSpec`] knows what must be
/// there. As keys of a job file they have the same names with underscores.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSettings {
    /// Library to read: Parquet, SMILES, CSV, TSV or SDF files (text also packed with gzip,
    /// bzip2, xz or zstd), directories with all that is in them, or
    /// patterns such as 'lib/*.parquet'; - is standard input. May be repeated; read in the order given
    #[arg(short, long = "input", value_name = "FILE", num_args = 1..)]
    #[serde(default, alias = "inputs", skip_serializing_if = "Vec::is_empty")]
    pub input: Vec<PathBuf>,

    /// Reaction rules: TOML, YAML or CSV. May be repeated. Without rules the library is cleaned:
    /// parsed, written as canonical SMILES and deduplicated
    #[arg(short, long, value_name = "FILE", num_args = 1..)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<PathBuf>,

    /// Directory for the derivative library
    #[arg(short, long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<PathBuf>,

    /// What computes keys and probes the filter
    #[arg(long, value_enum, value_name = "ENGINE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineChoice>,

    /// Chemistry workers [default: the CPUs this process may use]
    #[arg(short, long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<NonZeroUsize>,

    /// Bound on the resident memory of the process, for example 2GiB [default: half of what the
    /// machine or its cgroup has]
    #[arg(short, long, value_name = "SIZE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteSize>,

    /// How products seen before are recognised [default: exact]
    #[arg(long, value_enum, value_name = "HOW")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedup: Option<Dedup>,

    /// What tells molecules apart [default: canonical]
    #[arg(long, value_enum, value_name = "KEY")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyKind>,

    /// What the job does; `molsieve dedup` sets it. In a job file: task = "dedup"
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,

    /// `molsieve dedup --canonical`
    #[arg(skip)]
    #[serde(default, skip_serializing_if = "is_false")]
    pub canonical: bool,

    /// `molsieve dedup --check`
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<u64>,

    /// Output directory of an earlier run whose products are left out: they count as seen before. May
    /// be repeated
    #[arg(long, value_name = "DIR", num_args = 1..)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<PathBuf>,

    /// Distinct products the filter is made for [default: estimated from a sample of the input]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_products: Option<u64>,

    /// Rate of false positives the filter is made for [default: 1e-9]
    #[arg(long, value_name = "P")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub false_positive_rate: Option<f64>,

    /// Column that holds the SMILES, by its name or its number from 1 [default: the first of
    /// isomeric_smiles, smiles, canonical_smiles, structure, …]
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smiles_column: Option<String>,

    /// Column that holds the id, by its name or its number from 1 [default: the first of id, identifier,
    /// compound_id, chembl_id, …, name; else the row number]
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_column: Option<String>,

    /// The text files have no header: their first line is a row
    #[arg(long)]
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_header: bool,

    /// Add molecular weight, logP, TPSA, H-bond donors and acceptors and rotatable bonds
    #[arg(long)]
    #[serde(default, skip_serializing_if = "is_false")]
    pub properties: bool,

    /// Replace what an earlier job wrote into the output directory
    #[arg(long, conflicts_with = "resume")]
    #[serde(skip)]
    pub overwrite: bool,

    /// The job file that these settings came from, if any
    #[arg(skip)]
    #[serde(skip)]
    pub job_file: Option<PathBuf>,

    /// Go on from the last checkpoint in the output directory, with the settings in its job.toml; where
    /// nothing was begun, start
    #[arg(long)]
    #[serde(skip)]
    pub resume: bool,

    /// Most distinct products of one parent; a parent with more is named in the manifest
    #[arg(long, value_name = "N", help_heading = "Limits and tuning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_products_per_parent: Option<u32>,

    /// CPU seconds that one parent may use without giving a product; it is then tried once more alone, and
    /// rejected if it exceeds them again. A parent that gives products may take any time [default: 120]
    #[arg(long, value_name = "SECONDS", help_heading = "Limits and tuning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_timeout: Option<u64>,

    /// Size at which a Parquet part is closed [default: 64MiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits and tuning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_size: Option<ByteSize>,

    /// Size of a slot of the ring [default: from the memory budget]
    #[arg(long, value_name = "SIZE", help_heading = "Limits and tuning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot_size: Option<ByteSize>,

    /// Slots of the ring, at least 2 [default: two a worker, as the budget allows]
    #[arg(long, value_name = "N", help_heading = "Limits and tuning")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<usize>,

    /// How products are finished: the fast way, or the plain loop it is checked against
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        help_heading = "Limits and tuning"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chemistry: Option<Chemistry>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// `--dedup`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dedup {
    /// Every distinct product exactly once
    Exact,
    /// What the Bloom filter may have seen is dropped; how many products that costs is reported
    Bloom,
}

/// `--key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// The MurmurHash3_x64_128 of the canonical SMILES
    Canonical,
    /// The structure key, as molsieve key prints it
    Structure,
}

impl KeyKind {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Canonical => "canonical",
            Self::Structure => "structure",
        }
    }

    /// Which definition of it this is, where that may change.
    pub fn definition(self) -> Option<u8> {
        match self {
            Self::Canonical => None,
            Self::Structure => Some(identity::DEFINITION),
        }
    }

    /// The column of the output that holds it.
    pub fn column(self) -> &'static str {
        match self {
            Self::Canonical => "key",
            Self::Structure => "structure_key",
        }
    }
}

/// What a job does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Applies rules, or cleans where there are none: every molecule goes through RDKit.
    #[default]
    Derive,
    /// Keeps the first writing of every molecule as it is.
    Dedup,
}

impl Task {
    /// As in a job file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Derive => "derive",
            Self::Dedup => "dedup",
        }
    }
}

/// `--chemistry`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Chemistry {
    /// Short cuts where they provably give the same answer
    Fast,
    /// The plain loop: full sanitization of every product
    Reference,
}

impl From<Chemistry> for Method {
    fn from(chemistry: Chemistry) -> Self {
        match chemistry {
            Chemistry::Fast => Self::Fast,
            Chemistry::Reference => Self::Reference,
        }
    }
}

/// A job whose settings have been checked one by one. Whether its files can be used is found out when
/// they are opened, whether it fits its budget when it is planned.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSpec {
    /// Files, directories and patterns, in order.
    pub input: Vec<PathBuf>,
    /// Rule files; none for a cleaning job.
    pub rules: Vec<PathBuf>,
    /// Output directory.
    pub output: PathBuf,
    /// Whether the output directory may be emptied.
    pub overwrite: bool,
    /// Whether to go on from the last checkpoint.
    pub resume: bool,
    /// What computes keys and holds the filter.
    pub engine: EngineChoice,
    /// How products seen before are recognised.
    pub dedup: Dedup,
    /// What tells molecules apart.
    pub key: KeyKind,
    /// What the job does.
    pub task: Task,
    /// Whether a deduplicated library is written as canonical SMILES.
    pub canonical: bool,
    /// Distinct molecules whose rows RDKit checks.
    pub check: u64,
    /// Output directories of earlier runs whose products are left out.
    pub exclude: Vec<PathBuf>,
    /// Chemistry workers asked for.
    pub threads: Option<NonZeroUsize>,
    /// Bound on resident memory.
    pub memory: ByteSize,
    /// Distinct products to size the filter for, if given.
    pub expected_products: Option<u64>,
    /// Rate of false positives to size the filter for.
    pub false_positive_rate: f64,
    /// Column of the SMILES, if given.
    pub smiles_column: Option<String>,
    /// Column of the id, if given.
    pub id_column: Option<String>,
    /// Whether text files have no header.
    pub no_header: bool,
    /// Whether to compute the property columns.
    pub properties: bool,
    /// Cap on distinct products per parent.
    pub products_per_parent_max: u32,
    /// CPU time that a parent may use without giving a product.
    pub parent_timeout: Duration,
    /// Bytes at which a part is closed.
    pub part_bytes: u64,
    /// Bytes of a slot, if given.
    pub slot_bytes: Option<usize>,
    /// Number of slots, if given.
    pub slots: Option<usize>,
    /// How products are finished.
    pub method: Method,
}

/// Rate of false positives when none is given: of 10^8 products it costs fewer than one.
pub const FALSE_POSITIVE_RATE_DEFAULT: f64 = 1e-9;
/// Seconds that a parent may take when nothing is said.
pub const PARENT_TIMEOUT_DEFAULT: u64 = 120;
/// Most distinct molecules that can be checked: each is kept until the end.
pub const CHECK_MAX: u64 = 1_000_000;
/// Smallest part: below it the footers outweigh the rows.
const PART_BYTES_MIN: u64 = 64 << 10;

/// Why settings make no job. All of them are the user's to mend (exit code 2).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// The job file can't be read.
    #[error("{}: {reason}", path.display())]
    Unreadable {
        /// The job file.
        path: PathBuf,
        /// The operating system's words.
        reason: String,
    },
    /// What is given as a job file is another file.
    #[error(
        "{}: is no job file, which is TOML with the settings of a job; say {flag} {}",
        path.display(),
        path.display()
    )]
    NoJobFile {
        /// The file.
        path: PathBuf,
        /// The flag that takes it.
        flag: &'static str,
    },
    /// The job file is not TOML, or says something a job does not know.
    #[error("{}:{line}:{column}: {reason}", path.display())]
    Syntax {
        /// The job file.
        path: PathBuf,
        /// 1-based line.
        line: usize,
        /// 1-based column.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A setting that every job needs is not given.
    #[error("no {0} is given; see molsieve run --help")]
    Missing(&'static str),
    /// A setting has a value it can't have.
    #[error("{setting}: {reason}")]
    Value {
        /// The flag.
        setting: &'static str,
        /// What it may be.
        reason: String,
    },
}

/// How [`written_path`] begins what it escapes: no path holds this character.
const ESCAPED: char = '\0';

/// A path as TOML and JSON can hold it: one that is not UTF-8 with a NUL before it and with `%XX` for each
/// byte that is not, and for each `%`. [`read_path`] makes the path of it again.
pub fn written_path(path: &Path) -> PathBuf {
    if path.to_str().is_some() {
        return path.into();
    }
    let mut text = String::from(ESCAPED);
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        text.push_str(&chunk.valid().replace('%', "%25"));
        text.extend(chunk.invalid().iter().map(|byte| format!("%{byte:02X}")));
    }
    text.into()
}

/// The path that [`written_path`] has written.
pub fn read_path(path: PathBuf) -> PathBuf {
    let Some(text) = path.to_str().and_then(|text| text.strip_prefix(ESCAPED)) else {
        return path;
    };
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or(("", part));
        bytes.extend(u8::from_str_radix(digits, 16).ok());
        bytes.extend_from_slice(rest.as_bytes());
    }
    std::ffi::OsString::from_vec(bytes).into()
}

fn no_job_file(path: &Path, flag: &'static str) -> ConfigError {
    let path = path.into();
    ConfigError::NoJobFile { path, flag }
}

/// The flag that a file belongs to which is no job file, as far as its name and its keys tell.
fn flag_of(path: &Path, text: &str) -> Option<&'static str> {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    if extension == "yaml" || extension == "yml" {
        return Some("--rules");
    }
    if names_a_format(path) {
        let header = text.lines().next().unwrap_or_default();
        let is_rules = header.to_ascii_lowercase().contains("smirks");
        return Some(if is_rules { "--rules" } else { "--input" });
    }
    let keys: toml::Table = text.parse().ok()?;
    let lists_rules = ["rule", "rules", "reactions"]
        .iter()
        .filter_map(|key| keys.get(*key)?.as_array()?.first())
        .any(toml::Value::is_table);
    lists_rules.then_some("--rules")
}

impl JobSettings {
    /// Reads a job file. Relative paths in it are taken from the folder it lies in.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
            ErrorKind::InvalidData | ErrorKind::IsADirectory => no_job_file(path, "--input"),
            _ => ConfigError::Unreadable {
                path: path.into(),
                reason: plain(&error),
            },
        })?;
        if let Some(flag) = flag_of(path, &text) {
            return Err(no_job_file(path, flag));
        }
        let mut settings: Self = toml::from_str(&text).map_err(|error| {
            let before = &text[..error.span().map_or(0, |span| span.start)];
            ConfigError::Syntax {
                path: path.into(),
                line: before.matches('\n').count() + 1,
                column: before.chars().rev().take_while(|c| *c != '\n').count() + 1,
                reason: error.message().lines().collect::<Vec<_>>().join(" "),
            }
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let paths = settings
            .input
            .iter_mut()
            .chain(&mut settings.rules)
            .chain(&mut settings.exclude)
            .chain(&mut settings.output);
        for path in paths {
            *path = folder.join(read_path(std::mem::take(path)));
        }
        settings.job_file = Some(path.into());
        Ok(settings)
    }

    /// These settings where they are given, else those of `file`.
    pub fn over(self, file: Self) -> Self {
        let first = |mine: Vec<PathBuf>, theirs| if mine.is_empty() { theirs } else { mine };
        Self {
            input: first(self.input, file.input),
            rules: first(self.rules, file.rules),
            output: self.output.or(file.output),
            engine: self.engine.or(file.engine),
            threads: self.threads.or(file.threads),
            memory: self.memory.or(file.memory),
            dedup: self.dedup.or(file.dedup),
            key: self.key.or(file.key),
            task: self.task.or(file.task),
            canonical: self.canonical || file.canonical,
            check: self.check.or(file.check),
            exclude: first(self.exclude, file.exclude),
            expected_products: self.expected_products.or(file.expected_products),
            false_positive_rate: self.false_positive_rate.or(file.false_positive_rate),
            smiles_column: self.smiles_column.or(file.smiles_column),
            id_column: self.id_column.or(file.id_column),
            no_header: self.no_header || file.no_header,
            properties: self.properties || file.properties,
            overwrite: self.overwrite,
            resume: self.resume,
            job_file: self.job_file.or(file.job_file),
            max_products_per_parent: self
                .max_products_per_parent
                .or(file.max_products_per_parent),
            parent_timeout: self.parent_timeout.or(file.parent_timeout),
            part_size: self.part_size.or(file.part_size),
            slot_size: self.slot_size.or(file.slot_size),
            slots: self.slots.or(file.slots),
            chemistry: self.chemistry.or(file.chemistry),
        }
    }

    /// Checks every setting; `memory` is the budget when none is given.
    pub fn check(self, memory: ByteSize) -> Result<JobSpec, ConfigError> {
        if self.input.is_empty() {
            return Err(ConfigError::Missing("--input"));
        }
        let rate = self
            .false_positive_rate
            .unwrap_or(FALSE_POSITIVE_RATE_DEFAULT);
        let products = self
            .max_products_per_parent
            .unwrap_or(PRODUCTS_PER_PARENT_DEFAULT);
        let part_bytes = self.part_size.map_or(PART_BYTES_DEFAULT, |size| size.0);
        let slot_bytes = self.slot_size.map(|size| size.0 as usize);
        let timeout = self.parent_timeout.unwrap_or(PARENT_TIMEOUT_DEFAULT);
        within("--parent-timeout", timeout, 1, 7 * 24 * 3600)?;
        within("--false-positive-rate", rate, 1e-15, 0.5)?;
        within(
            "--max-products-per-parent",
            products,
            1,
            PRODUCTS_PER_PARENT_MAX,
        )?;
        within(
            "--part-size",
            ByteSize(part_bytes),
            ByteSize(PART_BYTES_MIN),
            ByteSize(1 << 40),
        )?;
        within(
            "--expected-products",
            self.expected_products.unwrap_or(1),
            1,
            1 << 40,
        )?;
        within(
            "--slots",
            self.slots.unwrap_or(SLOTS_MIN),
            SLOTS_MIN,
            SLOTS_MAX,
        )?;
        within(
            "--threads",
            self.threads.map_or(1, NonZeroUsize::get),
            1,
            THREADS_MAX,
        )?;
        within(
            "--slot-size",
            ByteSize(slot_bytes.unwrap_or(SLOT_BYTES_MIN) as u64),
            ByteSize(SLOT_BYTES_MIN as u64),
            ByteSize(SLOT_BYTES_MAX as u64),
        )?;
        let task = self.task.unwrap_or_default();
        let check = self.check.unwrap_or(0);
        within("--check", check, 0, CHECK_MAX)?;
        let refuse = |setting, reason: &str| {
            let reason = reason.to_owned();
            Err(ConfigError::Value { setting, reason })
        };
        if task == Task::Dedup {
            if !self.rules.is_empty() {
                return refuse(
                    "--rules",
                    "deduplication takes none; molsieve run applies rules",
                );
            }
            if self.properties {
                return refuse(
                    "--properties",
                    "deduplication works none out; molsieve run does",
                );
            }
            if self.key == Some(KeyKind::Canonical) {
                return refuse(
                    "--key",
                    "deduplication is by structure keys; molsieve run without rules \
                     cleans by canonical SMILES",
                );
            }
        } else if self.canonical || check > 0 {
            return refuse("--canonical, --check", "they belong to molsieve dedup");
        }
        let key = match task {
            Task::Dedup => KeyKind::Structure,
            Task::Derive => self.key.unwrap_or(KeyKind::Canonical),
        };
        Ok(JobSpec {
            key,
            task,
            canonical: self.canonical,
            check,
            input: self.input,
            rules: self.rules,
            output: self.output.ok_or(ConfigError::Missing("--output"))?,
            overwrite: self.overwrite,
            resume: self.resume,
            engine: self.engine.unwrap_or(EngineChoice::Auto),
            dedup: self.dedup.unwrap_or(Dedup::Exact),
            exclude: self.exclude,
            threads: self.threads,
            memory: self.memory.unwrap_or(memory),
            expected_products: self.expected_products,
            false_positive_rate: rate,
            smiles_column: self.smiles_column,
            id_column: self.id_column,
            no_header: self.no_header,
            properties: self.properties,
            products_per_parent_max: products,
            parent_timeout: Duration::from_secs(timeout),
            part_bytes,
            slot_bytes,
            slots: self.slots,
            method: self.chemistry.map_or(Method::Fast, Method::from),
        })
    }
}

impl JobSpec {
    /// What to do with an output directory that holds files.
    pub fn existing(&self) -> Existing {
        match (self.overwrite, self.resume) {
            (true, _) => Existing::Overwrite,
            (false, true) => Existing::Resume,
            (false, false) => Existing::Refuse,
        }
    }
}

/// Most chemistry workers: far beyond any node, and the plan's sums stay small numbers.
const THREADS_MAX: usize = 4_096;

fn within<T: PartialOrd + std::fmt::Display>(
    setting: &'static str,
    value: T,
    least: T,
    most: T,
) -> Result<(), ConfigError> {
    if value >= least && value <= most {
        return Ok(());
    }
    let reason = format!("{value} is not between {least} and {most}");
    Err(ConfigError::Value { setting, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<JobSettings, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("job.toml");
        std::fs::write(&path, text).unwrap();
        JobSettings::from_file(&path).map(|settings| JobSettings {
            // What remains must not depend on the temporary folder.
            job_file: None,
            input: settings
                .input
                .iter()
                .map(|p| p.strip_prefix(dir.path()).unwrap().into())
                .collect(),
            rules: settings
                .rules
                .iter()
                .map(|p| p.strip_prefix(dir.path()).unwrap().into())
                .collect(),
            ..settings
        })
    }

    #[test]
    fn flags_win_over_the_job_file() {
        let file = settings("input = ['a.smi']\nmemory = '2GiB'\nthreads = 4\n").unwrap();
        let flags = JobSettings {
            threads: NonZeroUsize::new(8),
            ..JobSettings::default()
        };
        let both = flags.over(file);
        assert_eq!(both.threads, NonZeroUsize::new(8));
        assert_eq!(both.memory, Some(ByteSize(2 << 30)));
        assert_eq!(both.input, [PathBuf::from("a.smi")]);
    }

    #[test]
    fn a_job_file_is_faulted_where_it_is_wrong() {
        let error = settings("input = ['a.smi']\nmemroy = '2GiB'\n").unwrap_err();
        let ConfigError::Syntax {
            line,
            column,
            reason,
            ..
        } = &error
        else {
            panic!("{error}")
        };
        assert_eq!((*line, *column), (2, 1));
        assert!(
            reason.contains("memroy") && !reason.contains('\n'),
            "{reason}"
        );
        let error = settings("memory = 'lots'\n").unwrap_err();
        assert!(
            error.to_string().contains("`lots` is not a size"),
            "{error}"
        );
    }

    #[test]
    fn values_out_of_range_name_their_flag() {
        let settings = JobSettings {
            input: vec!["a.smi".into()],
            output: Some("out".into()),
            false_positive_rate: Some(1.5),
            ..JobSettings::default()
        };
        let error = settings.clone().check(ByteSize(1 << 30)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "--false-positive-rate: 1.5 is not between 0.000000000000001 and 0.5"
        );
        let missing = JobSettings {
            input: Vec::new(),
            ..settings
        };
        assert_eq!(
            missing.check(ByteSize(1)),
            Err(ConfigError::Missing("--input"))
        );
    }

    #[test]
    fn a_path_that_is_not_utf8_survives_being_written() {
        let paths: [&[u8]; 5] = [
            b"/a/b.smi",
            b"/100%/\xFF\xFEx.smi",
            b"\xC3",
            "/é%41\u{1}".as_bytes(),
            b"%\xFF%",
        ];
        for bytes in paths {
            let path = Path::new(std::ffi::OsStr::from_bytes(bytes));
            let written = JobSettings {
                input: vec![written_path(path)],
                ..JobSettings::default()
            };
            let text = toml::to_string(&written).unwrap();
            let read: JobSettings = toml::from_str(&text).unwrap();
            assert_eq!(read_path(read.input[0].clone()), path, "{text}");
        }
        assert_eq!(
            written_path(Path::new(std::ffi::OsStr::from_bytes(b"/50%\xFF"))),
            Path::new("\0/50%25%FF")
        );
    }

    #[test]
    fn settings_survive_being_written_as_a_job_file() {
        let settings = JobSettings {
            input: vec!["/a/b.smi".into()],
            output: Some("/out".into()),
            dedup: Some(Dedup::Bloom),
            memory: Some(ByteSize(256 << 20)),
            false_positive_rate: Some(1e-12),
            ..JobSettings::default()
        };
        let text = toml::to_string(&settings).unwrap();
        assert_eq!(
            toml::from_str::<JobSettings>(&text).unwrap(),
            settings,
            "{text}"
        );
    }
}
