//! `molsieve doctor`.

use std::path::{Path, PathBuf};

use super::{CliError, Exit, say};
use crate::{
    chem::RdKit,
    doctor::{Checks, EngineFinding, EngineState, Findings, Found, KernelImages},
    machine::{FileSystem, Limits},
    nvidia::{Nvidia, NvidiaDevice},
    report::answer,
    sieve::{EngineChoice, cuda::KernelImage},
    units::{ByteSize, count},
};

#[derive(clap::Args, Debug)]
pub(super) struct DoctorArgs {
    /// Directory that jobs would write to
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Check only this engine, on each of its devices; repeatable [default: all engines of this machine]
    #[arg(long = "engine", value_name = "NAME")]
    engines: Vec<EngineChoice>,
    /// Check each engine with one filter instead of twelve, and no structure keys
    #[arg(long)]
    quick: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

/// Checks the machine and prints the findings, on one screen.
pub(super) fn doctor(args: &DoctorArgs) -> Result<Exit, CliError> {
    let folder = &args.folder;
    let checks = Checks {
        engines: args.engines.clone(),
        quick: args.quick,
    };
    let findings = Findings::look(RdKit::initialise()?, folder, &checks)?;
    if args.json {
        say(&answer::line(&findings));
    } else {
        say(&text(&findings, folder));
    }
    Ok(if findings.all_usable() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn text(findings: &Findings, folder: &Path) -> String {
    let Findings {
        molsieve,
        rdkit,
        boost,
        ..
    } = findings;
    let mut lines = vec![
        format!("molsieve {molsieve}, RDKit {rdkit}, Boost {boost}"),
        String::new(),
    ];
    let mut say = |name: &str, what: String| lines.push(format!("  {name:<12} {what}"));
    limits(&findings.limits, &mut say);
    say("disk", disk(&findings.file_system, folder));
    nvidia(&findings.nvidia, &mut say);
    // Without a library, the engine's line says so.
    if let Found::There(file) = &findings.libcuda {
        say("libcuda", file.clone());
    }
    for engine in &findings.engines {
        let whose = format!("engine {}", engine.engine);
        say(&whose, state(engine, &engine.state, "fastbloom on"));
        if let Some(keys) = &engine.keys {
            let whose = format!("keys {}", engine.engine);
            let reference = "the structure keys of the CPU on";
            say(&whose, state(engine, keys, reference));
        }
        if let Some(images) = &engine.kernels {
            say("kernels", kernels(images));
        }
    }
    say("--engine auto", format!("takes {}", findings.auto));
    lines.join("\n")
}

fn limits(limits: &Limits, say: &mut dyn FnMut(&str, String)) {
    let allows = |what: Option<String>| match what {
        Some(what) => format!(", of which the control group allows {what}"),
        None => String::new(),
    };
    let processors = allows(limits.cgroup_processors.map(|allowed| allowed.to_string()));
    say("processors", format!("{}{processors}", limits.processors));
    let allowed = limits.cgroup_memory_bytes;
    let usable = allowed.map_or(limits.memory_bytes, |bytes| bytes.min(limits.memory_bytes));
    let cgroup = allows(allowed.map(|bytes| ByteSize(bytes).to_string()));
    let (memory, job) = (ByteSize(limits.memory_bytes), ByteSize(usable / 2));
    say(
        "memory",
        format!("{memory}{cgroup}; a job uses at most {job} without --memory"),
    );
    let locked = match limits.locked_memory_bytes {
        Some(bytes) => format!("at most {} (ulimit -l)", ByteSize(bytes)),
        None => "no limit".into(),
    };
    say(
        "pinned",
        format!("{locked}; the CUDA driver ignores this limit when it pins slots"),
    );
}

fn disk(found: &Found<FileSystem>, folder: &Path) -> String {
    let folder = folder.display();
    match found {
        Found::There(disk) => format!(
            "{} of {} free, {} mounted at {}",
            ByteSize(disk.free_bytes),
            ByteSize(disk.bytes),
            disk.kind,
            disk.mounted_at
        ),
        Found::Missing { missing } => format!("{folder}: {missing}"),
    }
}

fn nvidia(found: &Found<Nvidia>, say: &mut dyn FnMut(&str, String)) {
    let found = match found {
        Found::There(found) => found,
        Found::Missing { missing } => return say("NVIDIA", missing.clone()),
    };
    let unknown = || "unknown".to_owned();
    let driver = found.driver.clone().unwrap_or_else(unknown);
    let cuda = found.cuda.clone().unwrap_or_else(unknown);
    say("NVIDIA", format!("driver {driver}, CUDA up to {cuda}"));
    for (index, gpu) in found.devices.iter().enumerate() {
        say(&format!("GPU {index}"), device(gpu));
    }
}

/// The properties of a GPU, in one line.
fn device(gpu: &NvidiaDevice) -> String {
    let mut facts: Vec<String> = [&gpu.name, &gpu.uuid]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let size = |bytes: Option<u64>| bytes.map(|bytes| ByteSize(bytes).to_string());
    if let (Some(free), Some(all)) = (size(gpu.free_bytes), size(gpu.memory_bytes)) {
        facts.push(format!("{free} of {all} free"));
    }
    let (celsius, watts, ecc) = (gpu.temperature_celsius, gpu.power_watts, gpu.ecc);
    facts.extend(celsius.map(|celsius| format!("{celsius} °C")));
    facts.extend(watts.map(|watts| format!("{watts} W")));
    facts.extend(ecc.map(|ecc| format!("ECC {}", if ecc { "on" } else { "off" })));
    let errors = gpu.uncorrected_errors.filter(|errors| *errors > 0);
    facts.extend(errors.map(|errors| format!("{} uncorrected memory errors", count(errors))));
    if gpu.mig == Some(true) {
        let slices = gpu.slices.iter().filter_map(|slice| slice.uuid.clone());
        let slices = std::iter::once("divided (MIG)".to_owned()).chain(slices);
        facts.push(slices.collect::<Vec<_>>().join(", "));
    }
    if !gpu.slowed_by.is_empty() {
        facts.push(format!("slowed down: {}", gpu.slowed_by.join(", ")));
    }
    if let Some(trouble) = gpu.trouble(None, None) {
        facts.push(format!("NOT FIT FOR JOBS: {trouble}"));
    }
    facts.join(" · ")
}

/// The form in which the kernels were loaded.
fn kernels(images: &KernelImages) -> String {
    let shown = |image: Option<KernelImage>| match image {
        Some(image) => image.to_string(),
        None => "not loaded".into(),
    };
    let (sieve, structure_key) = (shown(images.sieve), shown(images.structure_key));
    if sieve == structure_key {
        return sieve;
    }
    format!("sieve: {sieve}; structure key: {structure_key}")
}

/// The state of an engine or of a part of it, whose reference is `agrees_with`.
fn state(engine: &EngineFinding, state: &EngineState, agrees_with: &str) -> String {
    let device = match (&engine.device, engine.software) {
        (Some(device), true) => format!("{device}, software: "),
        (Some(device), false) => format!("{device}: "),
        (None, _) => String::new(),
    };
    match state {
        EngineState::Conforms { rows, seconds } => format!(
            "{device}agrees with {agrees_with} {} rows ({seconds:.1} s)",
            count(*rows)
        ),
        EngineState::Fails(reason) => format!("{device}MUST NOT BE USED: {reason}"),
        EngineState::Absent(missing) => format!("not available: {missing}"),
    }
}
