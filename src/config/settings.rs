//! The list of all settings. A new setting is an entry here and code that uses it, nothing else: flags, help,
//! job file, HTTP body, OpenAPI, `job.toml` and the identity of a run follow. A setting that is a path is
//! in [`JobSettings::paths_mut`] too. `define` says what the parts of an entry mean.

use std::{num::NonZeroUsize, ops::RangeInclusive, path::PathBuf};

use serde_json::{Value as Json, json};

use super::{
    define::{checked_type, checked_value, given_value, plain, settings},
    error::ConfigError,
    value::{Dedup, Given, ReagentFile, SettingInfo, StepSettings, Task, Value, within},
};
use crate::{
    chem::{Method, SmilesForm},
    cleaning::CleanSteps,
    filter::{Catalogues, Condition, SmartsSource},
    identity::KeyKind,
    limits::{
        DROPS_MAX, JOB_MEMORY_BYTES_MAX, PART_BYTES_DEFAULT, PRODUCTS_PER_PARENT_DEFAULT,
        PRODUCTS_PER_PARENT_MAX, SLOT_BYTES_MAX, SLOT_BYTES_MIN, SLOTS_MAX, SLOTS_MIN, STEPS_MAX,
        STEREOISOMERS_MAX,
    },
    machine,
    property::PropertySet,
    sieve::EngineChoice,
    table::{
        sink::{ColumnNames, Coordinates, OutputFormat, parquet_file::PartCompression},
        source::KeepColumns,
    },
    units::ByteSize,
};

/// Default false-positive rate with `--dedup exact`, where settling restores every false positive. A lower one takes
/// more memory and time; with a higher one more rows stand behind all others, where settling writes them.
pub const FALSE_POSITIVE_RATE_EXACT: f64 = 1e-6;
/// Default false-positive rate with `--dedup bloom`: of 10^8 products it costs less than one.
pub const FALSE_POSITIVE_RATE_BLOOM: f64 = 1e-9;
/// Default of `--parent-timeout`, seconds.
pub const PARENT_TIMEOUT_DEFAULT: u64 = 120;
/// Most distinct molecules that can be checked: each is kept until the end.
pub const CHECK_MAX: u64 = 1_000_000;
/// Smallest part: in a smaller one the footer outweighs the rows.
pub const PART_BYTES_MIN: u64 = 64 << 10;
const PART_BYTES_MAX: u64 = 1 << 40;
/// Most chemistry threads: more than any node has, and small enough that the sums of a plan do not overflow.
pub const THREADS_MAX: NonZeroUsize = NonZeroUsize::new(4_096).expect("4,096 is not 0");
/// Most products a filter can be sized for.
const EXPECTED_PRODUCTS_MAX: u64 = 1 << 40;
const PARENT_TIMEOUT_MAX: u64 = 7 * 24 * 3600;

const TUNING: &str = "Limits and tuning";
const FILTERS: &str = "Filters";

settings! {
    /// Settings of every kind of job.
    common CommonFlags {
        /// Library to read: files, directories or patterns; - is standard input
        ///
        /// Parquet, SMILES, CSV, TSV or SDF files; text files may be compressed with gzip, bzip2, xz or zstd.
        /// A directory stands for all files in it, a pattern such as 'lib/*.parquet' for the files it matches.
        /// May be repeated; files are read in the order given.
        #[arg(short, long = "input", value_name = "FILE", num_args = 1..)]
        #[same_on_resume(false)]
        #[serde(alias = "inputs")]
        input: Vec<PathBuf>;

        /// Directory to write the products to; - prints them
        ///
        /// With - the products go to standard output, a SMILES and a name on each line, and everything else to standard error.
        #[arg(short, long, value_name = "DIR")]
        #[same_on_resume(false)]
        output: Option<PathBuf>, else return Err(ConfigError::Missing("output"));

        /// Output directory of an earlier job whose products are left out
        ///
        /// They count as seen before. May be repeated.
        #[arg(long, value_name = "DIR", num_args = 1.., hide_short_help = true)]
        #[same_on_resume(false)]
        exclude: Vec<PathBuf>;

        /// Column of the SMILES, by name or number [default: by its name]
        ///
        /// Numbers start at 1. Default: the first column named isomeric_smiles, smiles, canonical_smiles,
        /// structure, …
        #[arg(long, value_name = "NAME", hide_short_help = true)]
        #[same_on_resume(true)]
        smiles_column: Option<String>;

        /// Column of the id, by name or number [default: by its name]
        ///
        /// Numbers start at 1. Default: the first column named id, identifier, compound_id, chembl_id, …, name;
        /// without such a column, the row number.
        #[arg(long, value_name = "NAME", hide_short_help = true)]
        #[same_on_resume(true)]
        id_column: Option<String>;

        /// The text files have no header: the first line is a row
        #[arg(long, hide_short_help = true)]
        #[same_on_resume(true)]
        no_header: bool;

        /// Remove salts and charges first, or do these steps
        ///
        /// RDKit's MolStandardize. Steps: cleanup (part of every cleaning), fragment, uncharge, tautomer, stereo, done in
        /// this order. Without a list: fragment,uncharge. The SMILES as read is in the column input_smiles.
        #[arg(long, value_name = "STEP,…", num_args = 0..=1, require_equals = true, default_missing_value = "usual")]
        #[same_on_resume(true)]
        clean: Option<CleanSteps>, else CleanSteps::NONE;
        /// Carry columns of the input to the products: all, or those named, such as price,vendor
        ///
        /// Each row has the values of the input row that it goes back to, behind all other columns; with dedup, those of the
        /// record that is kept. Types stay as they are in Parquet; columns of CSV, TSV and SDF are text. In a job file, a
        /// list of names, or true for all.
        #[arg(long, value_name = "NAME,…", hide_short_help = true)]
        #[same_on_resume(true)]
        keep_columns: Option<KeepColumns>, else KeepColumns::default();

        /// How to treat products that were seen before [default: exact]
        #[arg(long, value_enum, value_name = "HOW", hide_short_help = true)]
        #[same_on_resume(true)]
        dedup: Option<Dedup>, else Dedup::Exact;

        /// What computes keys and probes the filter [default: auto]
        #[arg(long, value_enum, value_name = "ENGINE", hide_short_help = true)]
        #[same_on_resume(false)]
        engine: Option<EngineChoice>, else EngineChoice::Auto;

        /// Cores to keep busy [default: the CPUs this process may use]
        ///
        /// All stages share them. A thread that only waits, or writes to files, takes none.
        #[arg(short, long, value_name = "N")]
        #[same_on_resume(false)]
        threads: Option<NonZeroUsize>, in NonZeroUsize::MIN..=THREADS_MAX;

        /// Most resident memory [default: half of what there is]
        ///
        /// For example 2GiB. The job refuses to start if it can't keep the limit. Default: half of the memory of the machine or
        /// of its cgroup.
        #[arg(short, long, value_name = "SIZE")]
        #[same_on_resume(false)]
        memory: Option<ByteSize>, in ByteSize(0)..=ByteSize(JOB_MEMORY_BYTES_MAX),
            else ByteSize(machine::memory_limit().0 / 2);

        /// Distinct products to size the filter for [default: estimated]
        ///
        /// Default: estimated from a sample of the input.
        #[arg(long, value_name = "N", help_heading = TUNING, hide_short_help = true)]
        #[same_on_resume(false)]
        expected_products: Option<u64>, in 1..=EXPECTED_PRODUCTS_MAX;

        /// False-positive rate to size the filter for [default: 1e-6; 1e-9 with --dedup bloom]
        ///
        /// With --dedup exact a false positive costs no product: its row is written after all others.
        #[arg(long, value_name = "P", help_heading = TUNING, hide_short_help = true)]
        #[same_on_resume(false)]
        false_positive_rate: Option<f64>, in 1e-15..=0.5;

        /// CPU seconds a parent may use without giving a product [default: 120]
        ///
        /// A parent that exceeds them is tried once more alone, and rejected if it exceeds them again. A
        /// parent that gives products may take any time.
        #[arg(long, value_name = "SECONDS", help_heading = TUNING, hide_short_help = true)]
        #[same_on_resume(false)]
        parent_timeout: Option<u64>, in 1..=PARENT_TIMEOUT_MAX, else PARENT_TIMEOUT_DEFAULT;

        /// Format of the parts: parquet, smi, csv or sdf [default: parquet]
        ///
        /// Text may be compressed: smi.gz, smi.zst, csv.gz, csv.zst, sdf.gz, sdf.zst. A line of smi is a SMILES, a tab and a
        /// name of the row; csv and sdf have all columns. A job of several steps writes Parquet, from which molsieve export
        /// makes any other format.
        #[arg(long, value_name = "FORMAT", hide_short_help = true)]
        #[same_on_resume(true)]
        format: Option<OutputFormat>, else OutputFormat::Parquet;

        /// Columns to write, in this order, such as smiles,parent_id [default: all]
        ///
        /// For parquet, csv and sdf.
        #[arg(long, value_name = "NAME,…", hide_short_help = true)]
        #[same_on_resume(true)]
        columns: Option<ColumnNames>;

        /// Molecules of an SDF that have 2D coordinates [default: stereo]
        ///
        /// A mol block states stereo by coordinates. Where there are none, they are 0.
        #[arg(long, value_enum, value_name = "WHICH", hide_short_help = true)]
        #[same_on_resume(true)]
        coordinates: Option<Coordinates>;

        /// Size at which a part is closed [default: 64MiB]
        #[arg(long, value_name = "SIZE", help_heading = TUNING, hide_short_help = true)]
        #[same_on_resume(true)]
        part_size: Option<ByteSize>, in ByteSize(PART_BYTES_MIN)..=ByteSize(PART_BYTES_MAX),
            else ByteSize(PART_BYTES_DEFAULT);

        /// Compression of Parquet parts: zstd[:1-9], snappy, lz4 or none [default: zstd:1]
        #[arg(long, value_name = "HOW", help_heading = TUNING, hide_short_help = true)]
        #[same_on_resume(true)]
        compression: Option<PartCompression>;

        /// Size of a slot of the ring [default: from the memory limit]
        #[arg(long, value_name = "SIZE", help_heading = TUNING, hide_short_help = true)]
        #[same_on_resume(false)]
        slot_size: Option<ByteSize>, in ByteSize(SLOT_BYTES_MIN as u64)..=ByteSize(SLOT_BYTES_MAX as u64);

        /// Slots of the ring [default: two per thread, as the memory limit allows]
        #[arg(long, value_name = "N", help_heading = TUNING, hide_short_help = true)]
        #[same_on_resume(false)]
        slots: Option<usize>, in SLOTS_MIN..=SLOTS_MAX;
    }

    /// Apply rules to each molecule; without rules, clean the library: parse each molecule, write its
    /// canonical SMILES, deduplicate.
    Derive DeriveFlags, DeriveWork {
        /// Reaction rules: TOML, YAML, CSV, JSON or text files
        ///
        /// May be repeated. Without rules the library is cleaned: each molecule is parsed, written as canonical
        /// SMILES and deduplicated.
        #[arg(short, long, value_name = "FILE", num_args = 1..)]
        #[same_on_resume(false)]
        rules: Vec<PathBuf>;

        /// Reagents for rules of several reactants
        ///
        /// SET is NAME=FILE, such as amines=amines.smi: a file of molecules, as for --input, and what rules call it, or the
        /// number of the reactant. May be repeated. A rule can also name a file itself, as in
        /// reagents = { 2 = "amines.smi" }.
        #[arg(long, value_name = "SET", num_args = 1.., hide_short_help = true)]
        #[same_on_resume(false)]
        reagents: Vec<ReagentFile>;

        /// Combine parents with reagents N times in all, drawn evenly [default: in all ways]
        ///
        /// Of all combinations of a step N are drawn by a hash, each as likely as any other, and only these are made.
        /// Rules of one reactant are applied as always.
        #[arg(long, value_name = "N", hide_short_help = true)]
        #[same_on_resume(true)]
        sample: Option<u64>, in 1..=EXPECTED_PRODUCTS_MAX;

        /// How often to apply the rules, each time to what is new [default: 1]
        ///
        /// Each step transforms the products of the step before. A molecule that an earlier step has made is not made
        /// again. In a job file, tables named step give each step rules of its own.
        #[arg(long, value_name = "K")]
        #[same_on_resume(true)]
        steps: Option<u32>, in 1..=STEPS_MAX, else 1;

        /// Leave out products that are in the library itself
        #[arg(long, hide_short_help = true)]
        #[same_on_resume(true)]
        new_only: bool;

        /// What tells molecules apart [default: canonical]
        #[arg(long, value_enum, value_name = "KEY", hide_short_help = true)]
        #[same_on_resume(true)]
        key: Option<KeyKind>, else KeyKind::Canonical;

        /// How products are written [default: canonical]
        ///
        /// direct is faster: the SMILES is valid and states the same molecule, but RDKit would write
        /// another text. Products are then recognised by the structure key. molsieve canonicalize makes the library
        /// canonical when the text is wanted.
        #[arg(long, value_enum, value_name = "FORM", hide_short_help = true)]
        #[same_on_resume(true)]
        smiles: Option<SmilesForm>, else SmilesForm::Canonical;

        /// Add columns of properties: all, or those named, such as mw,clogp
        ///
        /// Names: mw, clogp, tpsa, hbd, hba, rotatable_bonds, exact_mass, heavy_atoms, rings, aromatic_rings,
        /// fraction_csp3, charge, stereo_centres. The values are RDKit's. Columns are in this order.
        #[arg(long, value_name = "NAME,…", num_args = 0..=1, default_missing_value = "all")]
        #[same_on_resume(true)]
        properties: Option<PropertySet>, else PropertySet::NONE;

        /// Keep only products for which this holds, such as 'mw <= 500'
        ///
        /// A property of --properties, one of <= < >= > == !=, a number. May be repeated; all must hold. What a filter
        /// leaves out is counted by filter, and no further step transforms it.
        #[arg(long, value_name = "CONDITION")]
        #[same_on_resume(true)]
        r#where: Vec<Condition>;

        /// Leave out products that match a catalogue of structural alerts
        ///
        /// The catalogues are RDKit's: pains, pains_a, pains_b, pains_c, brenk, nih, zinc, chembl, chembl_bms,
        /// chembl_dundee, chembl_glaxo, chembl_inpharmatica, chembl_lint, chembl_mlsmr, chembl_surechembl.
        #[arg(long, value_name = "NAME,…", help_heading = FILTERS, hide_short_help = true)]
        #[same_on_resume(true)]
        alerts: Option<Catalogues>;

        /// Keep only products that a SMARTS matches
        ///
        /// A SMARTS, or a file of them, one on each line with a name behind it: the name of a file ends with .smarts, .sma,
        /// .txt, .smi or .tsv, or begins with @. One SMARTS of a file must match. May be repeated; all must hold.
        #[arg(long, value_name = "SMARTS", help_heading = FILTERS, hide_short_help = true)]
        #[same_on_resume(true)]
        require_smarts: Vec<SmartsSource>;

        /// Leave out products that a SMARTS matches, or any SMARTS of a file
        #[arg(long, value_name = "SMARTS", help_heading = FILTERS, hide_short_help = true)]
        #[same_on_resume(true)]
        reject_smarts: Vec<SmartsSource>;

        /// Transform only parents for which this holds
        ///
        /// In a job of several steps, a product that is written may be no parent of the next step.
        #[arg(long, value_name = "CONDITION", help_heading = FILTERS, hide_short_help = true)]
        #[same_on_resume(true)]
        parent_where: Vec<Condition>;

        /// Don't transform parents that match a catalogue of structural alerts
        #[arg(long, value_name = "NAME,…", help_heading = FILTERS, hide_short_help = true)]
        #[same_on_resume(true)]
        parent_alerts: Option<Catalogues>;

        /// Transform only parents that a SMARTS matches
        #[arg(long, value_name = "SMARTS", help_heading = FILTERS, hide_short_help = true)]
        #[same_on_resume(true)]
        parent_require_smarts: Vec<SmartsSource>;

        /// Don't transform parents that a SMARTS matches
        #[arg(long, value_name = "SMARTS", help_heading = FILTERS, hide_short_help = true)]
        #[same_on_resume(true)]
        parent_reject_smarts: Vec<SmartsSource>;

        /// Filter only the products of the last step
        ///
        /// Products of earlier steps are written and transformed whatever they are. Filters of parents and those of
        /// tables named step act as always.
        #[arg(long, help_heading = FILTERS, hide_short_help = true)]
        #[same_on_resume(true)]
        filter_last: bool;

        /// Write a sample of what is left out, N for each reason, to drops.parquet
        ///
        /// Products and parents that a filter leaves out, and products that RDKit can't sanitize, each with the reason.
        #[arg(long, value_name = "N", help_heading = FILTERS, hide_short_help = true)]
        #[same_on_resume(true)]
        explain_drops: Option<u32>, in 1..=DROPS_MAX;

        /// Replace products with open stereo centres by their stereoisomers, at most N of each
        ///
        /// RDKit enumerates them. If a product has more, N are drawn. Filters act on the product before.
        #[arg(long, value_name = "N", hide_short_help = true)]
        #[same_on_resume(true)]
        expand_stereo: Option<u32>, in 1..=STEREOISOMERS_MAX;

        /// Most distinct products of one parent [default: 25000]
        ///
        /// The manifest names each parent that has more.
        #[arg(long, value_name = "N", help_heading = TUNING, hide_short_help = true)]
        #[same_on_resume(true)]
        max_products_per_parent: Option<u32>, in 1..=PRODUCTS_PER_PARENT_MAX,
            else PRODUCTS_PER_PARENT_DEFAULT;

        /// Most distinct products of a step: those with the least keys are kept
        ///
        /// A sample that depends on the products alone, not on their order. What it leaves out is counted as capped, and
        /// no further step transforms it.
        #[arg(long, value_name = "N", help_heading = TUNING, hide_short_help = true)]
        #[same_on_resume(true)]
        max_products_per_step: Option<u64>, in 1..=EXPECTED_PRODUCTS_MAX;

        /// How products are finished [default: fast]
        #[arg(long, value_enum, value_name = "HOW", help_heading = TUNING, hide_short_help = true)]
        #[same_on_resume(true)]
        chemistry: Option<Method>, else Method::Fast;

        /// The steps, each with rules of its own
        #[arg(skip)]
        #[same_on_resume(false)]
        step: Vec<StepSettings>;
    }

    /// Keep the first record of each molecule as it is.
    Dedup DedupFlags, DedupWork {
        /// Write the molecules that remain as canonical SMILES
        #[arg(long)]
        #[same_on_resume(true)]
        canonical: bool;

        /// Write which rows were merged into which to duplicates.parquet
        ///
        /// One row for each row of the input that is left out because another one has its molecule: row number, id and SMILES,
        /// and row number and id of the row that is kept.
        #[arg(long)]
        #[same_on_resume(true)]
        duplicates: bool;

        /// Have RDKit check all records of N molecules drawn at random
        ///
        /// Records for which RDKit disagrees are listed in manifest.json, and the exit code is 4.
        #[arg(long, value_name = "N")]
        #[same_on_resume(false)]
        check: Option<u64>, in 0..=CHECK_MAX;
    }
}

impl Value for KeepColumns {
    fn schema(_: Option<&RangeInclusive<Self>>) -> Json {
        json!({
            "anyOf": [
                { "type": "array", "items": { "type": "string", "minLength": 1 }, "uniqueItems": true },
                { "type": "boolean" },
            ],
            "examples": [["price", "vendor"], true],
        })
    }
}

impl Value for PartCompression {
    fn schema(_: Option<&RangeInclusive<Self>>) -> Json {
        json!({
            "type": "string",
            "pattern": "^(zstd(:[1-9])?|snappy|lz4|none)$",
            "examples": ["zstd:3", "snappy"],
        })
    }
}

impl Value for OutputFormat {
    fn schema(_: Option<&RangeInclusive<Self>>) -> Json {
        json!({ "type": "string", "enum": Self::names().collect::<Vec<_>>() })
    }
}

impl Value for ColumnNames {
    fn schema(_: Option<&RangeInclusive<Self>>) -> Json {
        json!({
            "type": "array",
            "items": { "type": "string", "minLength": 1 },
            "minItems": 1,
            "uniqueItems": true,
            "examples": [["smiles"], ["smiles", "parent_id"]],
        })
    }
}

/// What to do with files in the output directory.
#[derive(clap::Args, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModeFlags {
    /// Replace the files of an earlier job in the output directory
    #[arg(long, conflicts_with = "resume")]
    pub overwrite: bool,

    /// Continue from the last checkpoint in the output directory
    ///
    /// The settings are those in its job.toml; flags win. If no job was begun there, start one.
    #[arg(long)]
    pub resume: bool,
}
