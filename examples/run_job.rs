//! Runs a job through the library, as `molsieve run` does: writes a small library and one rule into a
//! temporary folder, prepares the job, runs it, and prints what it counted.
//!
//! ```sh
//! cargo run --release --example run_job
//! cargo run --release --example run_job -- target/release/molsieve
//! ```
//!
//! With the path of the `molsieve` program the parents of the sample are tried in processes of their own, so
//! that one that crashes RDKit takes down such a process only. Without it they are tried in this process,
//! which is good enough for molecules that are known.

use std::{
    error::Error,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use molsieve::{
    config::JobSettings,
    pipeline::{self, Job, Outcome},
    units::ByteSize,
};

/// Six molecules. The last is the first one again, written another way.
const LIBRARY: &str = "\
c1ccccc1 benzene
Cc1ccccc1 toluene
Oc1ccccc1 phenol
CCO ethanol
c1ccc2ccccc2c1 naphthalene
C1=CC=CC=C1 benzene-again
";

/// Fluorine in place of each aromatic hydrogen in turn.
const RULES: &str = "\
[[rule]]
name = \"aromatic_fluorination\"
smirks = \"[cH:1]>>[c:1]F\"
";

fn main() -> Result<(), Box<dyn Error>> {
    let program = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = std::env::temp_dir().join(format!("molsieve-run-job-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let ran = run(&folder, program.as_deref(), &mut io::stdout());
    fs::remove_dir_all(&folder)?;
    ran
}

/// Runs the job with all its files in `folder`.
pub fn run(
    folder: &Path,
    program: Option<&Path>,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let (library, rules) = (folder.join("library.smi"), folder.join("rules.toml"));
    fs::write(&library, LIBRARY)?;
    fs::write(&rules, RULES)?;

    // 1. Settings: the keys of a job file. Those left out have their defaults.
    let settings = JobSettings {
        input: vec![library],
        rules: vec![rules],
        output: Some(folder.join("out")),
        memory: Some(ByteSize(256 << 20)),
        ..JobSettings::default()
    };
    // 2. A checked job: ranges hold, defaults are filled in.
    let spec = settings.check()?;
    // 3. A job that is ready: rules compiled, inputs opened, memory planned. Nothing is written yet.
    let job = Job::prepare(spec, program)?;
    writeln!(out, "rules             {}", job.rules.total())?;
    // 4. The run. Setting `stop` would end it at a checkpoint, from which a job with `resume` continues.
    let stop = AtomicBool::new(false);
    match pipeline::run(&job, &stop, &mut |_progress| {})? {
        Outcome::Done(manifest) => {
            let counts = &manifest.counts;
            writeln!(out, "parents           {}", counts.parents_read)?;
            writeln!(out, "products made     {}", counts.products_made)?;
            writeln!(out, "products written  {}", counts.products_unique)?;
            Ok(())
        }
        Outcome::Stopped { .. } => Err("the job was stopped".into()),
        Outcome::TimedOut { row } => Err(format!("row {row} took too long").into()),
    }
}
