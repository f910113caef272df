//! Plans and summaries, for people and for machines.

use serde_json::{Value, json};

use super::progress::{bottleneck, rate, remaining};
use crate::{
    config::{Dedup, Task},
    machine,
    pipeline::{Job, Kept, Manifest, RuleCounts, Snapshot},
    plan::{Estimate, Plan},
    table::source::{InputFile, InputFormat},
    units::{ByteSize, count, counted, duration, percent},
};

/// `molsieve plan`.
pub(super) fn plan(job: &Job) -> String {
    let (plan, estimate) = (&job.plan, &job.plan.estimate);
    let files = job.library.files();
    let bytes = files.iter().map(|file| file.bytes).sum();
    let about = if estimate.parents_exact { "" } else { "about " };
    let rules = match job.rules.len() {
        0 if job.spec.task() == Task::Dedup => "none: the library is deduplicated".into(),
        0 => "none: the library is cleaned".into(),
        n => count(n as u64),
    };
    let inputs = match files {
        [one] => format!(
            "{} ({}, {})",
            one.path.display(),
            one.format,
            ByteSize(one.bytes)
        ),
        many => format!("{} files, {}", many.len(), ByteSize(bytes)),
    };
    format!(
        "Job\n\
         \x20 input      {inputs}\n\
         {}\
         \x20 rows       {about}{}\n\
         \x20 rules      {rules}\n\
         \nEstimate from {} rows{}\n\
         \x20 products   {:.1} per parent, about {} in all (repeats between parents counted)\n\
         \x20 disk       about {}, and up to {} more until the end\n\
         \nRun\n\
         \x20 threads    {}, {} parents at a time\n\
         \x20 engine     {}\n\
         \x20 filter     {} bits, {} hashes\n\
         \nMemory\n{}",
        columns(job)
            .into_iter()
            .map(|line| line + "\n")
            .collect::<String>(),
        count(estimate.parents),
        count(estimate.sampled),
        rejects_of_sample(estimate),
        estimate.products_per_parent,
        count(estimate.products()),
        ByteSize(estimate.disk_bytes()),
        ByteSize(estimate.disk_bytes_while_running()),
        plan.threads,
        plan.batch_parents,
        plan.engine.description(),
        count(plan.filter.bits as u64),
        plan.filter.hashes,
        plan.memory,
    )
}

fn rejects_of_sample(estimate: &Estimate) -> String {
    match estimate.sampled_rejects {
        0 => String::new(),
        n => format!(" ({} of them can't be used)", count(n)),
    }
}

/// A plan for machines. Sizes in bytes.
pub(super) fn plan_json(plan: &Plan) -> Value {
    let estimate = &plan.estimate;
    let items: Vec<Value> = plan
        .memory
        .items
        .iter()
        .map(|item| json!({ "name": item.name, "bytes": item.bytes, "detail": item.detail }))
        .collect();
    json!({
        "event": "planned",
        "parents": estimate.parents,
        "parents_exact": estimate.parents_exact,
        "sampled": estimate.sampled,
        "sampled_rejects": estimate.sampled_rejects,
        "products_per_parent": estimate.products_per_parent,
        "products": estimate.products(),
        "disk_bytes": estimate.disk_bytes(),
        "disk_bytes_while_running": estimate.disk_bytes_while_running(),
        "settle_bytes": plan.settle_bytes,
        "threads": plan.threads,
        "slots": plan.slots,
        "slot_bytes": plan.slot.bytes,
        "batch_parents": plan.batch_parents,
        "engine": plan.engine.name(),
        "engine_chosen": plan.engine.description(),
        "filter_bits": plan.filter.bits,
        "filter_hashes": plan.filter.hashes,
        "memory": { "budget_bytes": plan.memory.budget.0, "total_bytes": plan.memory.total(), "items": items },
    })
}

/// Where a job stands, for machines. Times in seconds, sizes in bytes.
pub(super) fn progress_json(job: &Job, now: &Snapshot) -> Value {
    json!({
        "event": "progress",
        "elapsed_seconds": now.elapsed.as_secs_f64(),
        "remaining_seconds": remaining(job, now).map(|left| left.as_secs_f64()),
        "parents": job.plan.estimate.parents,
        "parents_exact": job.plan.estimate.parents_exact,
        "rows_read": now.rows_read,
        "counts": now.counts,
        "products_per_second": rate(now),
        "memory_bytes": machine::memory_bytes(),
        "memory_budget_bytes": job.spec.memory.0,
        "ring": { "slots": now.ring.slots, "free": now.ring.free, "workers_waiting": now.ring.waiting },
        "busiest": bottleneck(job, &Snapshot::default(), now),
        "bytes_written": now.bytes_written,
        "parts": now.parts,
        "settling": now.settled.map(|(done, of)| json!({ "done": done, "of": of })),
    })
}

/// How a job ended, for machines: the manifest.
pub(super) fn done_json(manifest: &Manifest) -> Value {
    json!({ "event": "done", "manifest": manifest })
}

/// What a user sees at the end: what came of the job, and everything that was left out.
pub(super) fn summary(job: &Job, manifest: &Manifest) -> String {
    let counts = &manifest.counts;
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    let mut lines = vec![
        headline(manifest),
        format!(
            "  output     {}: {} in {}",
            job.spec.output.display(),
            ByteSize(bytes),
            counted(manifest.files.len() as u64, "part"),
        ),
        match manifest.task {
            Task::Derive => made(manifest),
            Task::Dedup => keys(manifest),
        },
        format!(
            "  memory     {} at most, {} allowed",
            ByteSize(manifest.peak_memory_bytes),
            ByteSize(manifest.memory_budget_bytes),
        ),
        format!("  filter     {}", filter(manifest),),
    ];
    lines.extend(invalid(&manifest.by_rule));
    lines.extend(columns(job));
    if counts.enhanced_stereo_dropped > 0 {
        lines.push(format!(
            "  stereo     {} with enhanced stereo (CXSMILES): what it says of racemic and relative centres \
             is not in the products' SMILES",
            counted(counts.enhanced_stereo_dropped, "molecule"),
        ));
    }
    if manifest.left_as_written > 0 {
        lines.push(format!(
            "  left       {} as written: RDKit cannot read them, please report it",
            counted(manifest.left_as_written, "row"),
        ));
    }
    if let Some(check) = &manifest.check {
        lines.push(format!(
            "  checked    {} of {} by RDKit: {}",
            counted(check.decisions, "row"),
            counted(check.molecules, "molecule"),
            match check.disagreements {
                0 => "it agrees on all".into(),
                n => format!("it disagrees on {}; see manifest.json", count(n)),
            },
        ));
    }
    if manifest.products_excluded > 0 {
        lines.push(format!(
            "  excluded   {} of earlier runs; what equals one of them counts as given before",
            counted(manifest.products_excluded, "product"),
        ));
    }
    if let Some(why) = &manifest.engine_lost {
        lines.push(format!("  engine     cpu, from a checkpoint on: {why}"));
    }
    if manifest.interruptions > 0 {
        lines.push(format!(
            "  resumed    {}; times and counts are those of the whole run",
            counted(manifest.interruptions, "time"),
        ));
    }
    if counts.parents_rejected > 0 {
        lines.push(format!(
            "  rejected   {}; rejects.parquet has {} text and the reason",
            counted(counts.parents_rejected, "row"),
            if counts.parents_rejected == 1 {
                "its"
            } else {
                "their"
            },
        ));
    }
    if counts.parents_capped > 0 {
        lines.push(format!(
            "  capped     {}, {} not made or not kept: {}",
            counted(counts.parents_capped, "molecule"),
            counted(counts.products_capped, "product"),
            capped(manifest),
        ));
    }
    lines.join("\n")
}

/// Inputs whose columns are listed one by one.
const INPUTS_SHOWN_MAX: usize = 5;

/// The columns that were read, once where all inputs have the same, and what there is to say of how
/// they were found.
fn columns(job: &Job) -> Vec<String> {
    let files = job.library.files();
    let mut said: Vec<(String, &InputFile)> = Vec::new();
    for file in files {
        let text = columns_of(file);
        if !said.iter().any(|(before, _)| *before == text) {
            said.push((text, file));
        }
    }
    let one = said.len() == 1;
    let more = said.len().saturating_sub(INPUTS_SHOWN_MAX);
    let mut lines: Vec<String> = said
        .into_iter()
        .take(INPUTS_SHOWN_MAX)
        .map(|(text, file)| match one {
            true => format!("  columns    {text}"),
            false => format!("  columns    {}: {text}", file.path.display()),
        })
        .collect();
    if more > 0 {
        lines.push(format!("  columns    {more} other ways; see manifest.json"));
    }
    lines
}

fn columns_of(file: &InputFile) -> String {
    let id = match (&file.id_column, file.format) {
        (Some(id), _) => format!("id `{id}`"),
        (None, InputFormat::Smiles) => "id behind it".into(),
        (None, InputFormat::Sdf) => "id from the title line".into(),
        (None, _) => "the row number as id".into(),
    };
    let smiles = match (&file.smiles_column, file.format) {
        (Some(smiles), _) => format!("SMILES `{smiles}`"),
        (None, InputFormat::Sdf) => "mol block".into(),
        (None, _) => "SMILES first on the line".into(),
    };
    let notes = file.notes.iter().map(|note| format!(" ({note})"));
    format!("{smiles}, {id}{}", notes.collect::<String>())
}

/// What a job that was stopped has made and need not make again.
pub(super) fn kept(kept: &Kept) -> String {
    let parts = counted(kept.parts as u64, "part");
    let place = match (kept.parts, kept.rows_under_way) {
        (_, 0) => parts,
        (0, _) => "a part under way".into(),
        (_, _) => format!("{parts} and one under way"),
    };
    let rows = counted(kept.rows + kept.rows_under_way, "row");
    format!("{rows} in {place}")
}

fn headline(manifest: &Manifest) -> String {
    let (counts, seconds) = (&manifest.counts, manifest.elapsed_seconds);
    let time = duration(std::time::Duration::from_secs_f64(seconds));
    let rate = |n: u64| count((n as f64 / seconds.max(1e-3)) as u64);
    match manifest.task {
        Task::Derive => format!(
            "{} from {} in {time} ({} products/s)",
            counted(counts.products_unique, "unique product"),
            counted(counts.parents_transformed, "molecule"),
            rate(counts.products_worked_out()),
        ),
        Task::Dedup => format!(
            "{} in {} in {time} ({} rows/s)",
            counted(counts.products_unique, "unique molecule"),
            counted(counts.parents_read, "row"),
            rate(counts.parents_read),
        ),
    }
}

fn made(manifest: &Manifest) -> String {
    let counts = &manifest.counts;
    format!(
        "  made       {}: {} unique, {} given by another molecule, {} by the same one, \
         {} unchanged, {} invalid{}",
        count(counts.products_made),
        percent(counts.products_unique, counts.products_made),
        count(counts.products_duplicate),
        count(counts.products_symmetric),
        count(counts.products_unchanged),
        count(counts.products_invalid),
        match counts.products_capped {
            0 => String::new(),
            capped => format!(", {} capped", count(capped)),
        },
    )
}

/// What became of the rows of a library that was deduplicated, and how their keys were made.
fn keys(manifest: &Manifest) -> String {
    let counts = &manifest.counts;
    let by_rdkit: u64 = manifest.keys_by_rdkit.values().sum();
    let reasons = manifest.keys_by_rdkit.iter();
    let reasons: Vec<_> = reasons
        .map(|(reason, n)| format!("{reason} {}", count(*n)))
        .collect();
    let reasons = match reasons.as_slice() {
        [] => String::new(),
        reasons => format!(" ({})", reasons.join(", ")),
    };
    let on_device = match (manifest.keys_made_by, manifest.keys_too_large_for_device) {
        ("cpu", _) if manifest.engine == "wgpu" => "; the CPU made the others".into(),
        ("cpu", _) => String::new(),
        (engine, 0) => format!("; {engine} made the others"),
        (engine, left) => format!("; {engine} made the others but {}", count(left)),
    };
    format!(
        "  repeats    {}; {} of {} keys took RDKit{reasons}{on_device}",
        count(counts.products_duplicate),
        count(by_rdkit),
        count(counts.parents_transformed),
    )
}

/// Names the rules that make many products which are no molecules, the worst first.
fn invalid(by_rule: &[RuleCounts]) -> Option<String> {
    let mut worst: Vec<_> = by_rule.iter().filter(|rule| is_notable(rule)).collect();
    worst.sort_by_key(|rule| std::cmp::Reverse(rule.invalid));
    let named = worst.iter().take(INVALID_RULES_NAMED).map(|rule| {
        let made = rule.made - rule.capped;
        format!(
            "\"{}\" {} of {} ({})",
            rule.name,
            count(rule.invalid),
            count(made),
            percent(rule.invalid, made)
        )
    });
    let named: Vec<_> = named.collect();
    let more = match worst.len().saturating_sub(named.len()) {
        0 => String::new(),
        n => format!(" and {}", counted(n as u64, "more rule")),
    };
    (!named.is_empty()).then(|| {
        format!(
            "  invalid    RDKit rejects products of {}{more}; see by_rule in manifest.json",
            named.join(", ")
        )
    })
}

/// Rules named in the summary for their invalid products.
const INVALID_RULES_NAMED: usize = 5;

/// Whether the share of a rule's products that are invalid is one that its author would want to know: all
/// of them, or 1 % and at least ten.
fn is_notable(rule: &RuleCounts) -> bool {
    let made = rule.made - rule.capped;
    rule.invalid > 0 && (rule.invalid == made || (rule.invalid >= 10 && 100 * rule.invalid >= made))
}

/// The first capped parents by name.
fn capped(manifest: &Manifest) -> String {
    let named: Vec<_> = manifest
        .capped_parents
        .iter()
        .take(3)
        .map(|parent| format!("{} ({})", parent.id, parent.caps.join(", ")))
        .collect();
    let more = manifest.counts.parents_capped - named.len() as u64;
    let more = if more > 0 {
        format!(" and {} more", count(more))
    } else {
        String::new()
    };
    format!("{}{more}; see manifest.json", named.join("; "))
}

fn filter(manifest: &Manifest) -> String {
    let settled = manifest.filter.products_settled;
    match (manifest.dedup, settled) {
        (Dedup::Exact, 0) => "exact: it took no new product for one seen before".into(),
        (Dedup::Exact, n) => format!(
            "exact: it took {} for seen before, and settling brought them back",
            counted(n, "new product")
        ),
        (Dedup::Bloom, _) => lost(manifest.filter.expected_products_lost),
    }
}

fn lost(products: f64) -> String {
    match products.round() as u64 {
        0 => "its false positives are expected to have cost no product".into(),
        n => format!(
            "its false positives are expected to have cost {} products",
            count(n)
        ),
    }
}
