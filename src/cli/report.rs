//! The summary of a job, for people.

mod filters;

use crate::{
    account::RejectCounts,
    config::{Dedup, Task},
    pipeline::{Job, Kept},
    report::manifest::{Manifest, ManifestReagents, ManifestSample, RuleCounts, StepCounts},
    table::source::{InputFile, InputFormat},
    units::{ByteSize, count, counted, duration, percent},
};

/// The summary at the end: what the job made, and everything that it left out.
pub(super) fn summary(job: &Job, manifest: &Manifest) -> String {
    let mut lines = results(job, manifest);
    lines.extend(steps(manifest));
    lines.extend(reagents(&manifest.reagents));
    lines.extend(samples(manifest));
    lines.extend(unmatched(&manifest.by_rule));
    lines.extend(invalid(&manifest.by_rule));
    lines.extend(columns(job));
    lines.extend(cleaned(manifest));
    lines.extend(described(job, manifest));
    lines.extend(new_only(job));
    lines.extend(left_out_of_steps(job, manifest));
    lines.extend(duplicates(manifest));
    lines.extend(remarks(manifest));
    lines.extend(left_out(manifest));
    lines.join("\n")
}

/// What was made, and with what memory.
fn results(job: &Job, manifest: &Manifest) -> Vec<String> {
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    let output = match job.is_stream {
        true => format!("standard output: {}", ByteSize(bytes)),
        false => format!(
            "{}: {} in {}",
            job.spec.output.display(),
            ByteSize(bytes),
            counted(manifest.files.len() as u64, "part"),
        ),
    };
    vec![
        headline(manifest),
        format!("  output     {output}"),
        match manifest.task {
            Task::Derive => made(manifest),
            Task::Dedup => keys(manifest),
        },
        format!(
            "  memory     {} at most, {} allowed",
            ByteSize(manifest.peak_memory_bytes),
            ByteSize(manifest.memory_budget_bytes),
        ),
        format!("  filter     {}", filter(manifest)),
    ]
}

/// What each step made, in a job of several.
fn steps(manifest: &Manifest) -> Vec<String> {
    let line = |step: &StepCounts| {
        let counts = &step.counts;
        let parents = if step.step == 1 {
            "molecule"
        } else {
            "product"
        };
        format!(
            "  step {}     {} from {}: {} made, {} seen before",
            step.step,
            counted(counts.products_unique, "unique product"),
            counted(counts.parents_transformed, parents),
            count(counts.products_made),
            count(counts.products_duplicate),
        )
    };
    manifest.steps.iter().map(line).collect()
}

/// The sets of reagents: how much of them is used.
pub(super) fn reagents(sets: &[ManifestReagents]) -> Vec<String> {
    let line = |set: &ManifestReagents| {
        let used = set.rows - set.rejected - set.without_match;
        let mut left = Vec::new();
        if set.without_match > 0 {
            left.push(format!("{} match no rule", count(set.without_match)));
        }
        if set.rejected > 0 {
            left.push(format!(
                "{} can't be used, see manifest.json",
                count(set.rejected)
            ));
        }
        let left = match left.as_slice() {
            [] => String::new(),
            left => format!(" ({})", left.join(", ")),
        };
        let of = counted(set.rows, "molecule");
        format!("  reagents   {}: {} of {of}{left}", set.path, count(used))
    };
    sets.iter().map(line).collect()
}

/// With `--sample`: what was drawn.
fn samples(manifest: &Manifest) -> Vec<String> {
    let line = |sample: &ManifestSample| {
        let step = match manifest.steps.is_empty() {
            true => String::new(),
            false => format!("step {}: ", sample.step),
        };
        let all = count(sample.combinations as u64);
        format!(
            "  sample     {step}{} of {all} combinations",
            count(sample.drawn)
        )
    };
    manifest.samples.iter().map(line).collect()
}

/// With `--properties`: for how many products RDKit computed them, which takes longest.
fn described(job: &Job, manifest: &Manifest) -> Option<String> {
    let properties = job.spec.properties();
    let by_rdkit = match manifest.chemistry_products.described_by_rdkit {
        0 => String::new(),
        products => format!("; computed by RDKit for {}", counted(products, "product")),
    };
    (!properties.is_empty()).then(|| format!("  properties {properties}{by_rdkit}"))
}

/// With `--clean`: what it changed, by step.
fn cleaned(manifest: &Manifest) -> Option<String> {
    let cleaning = manifest.cleaning.as_ref()?;
    let changed = counted(manifest.counts.parents_cleaned, "molecule");
    let steps = cleaning.changed_by.iter();
    let steps: Vec<_> = steps
        .map(|(step, molecules)| format!("{} by {step}", count(molecules)))
        .collect();
    let steps = match steps.is_empty() {
        true => String::new(),
        false => format!(": {}", steps.join(", ")),
    };
    let capped = match cleaning.tautomers_capped {
        0 => String::new(),
        molecules => format!("; RDKit did not list all tautomers of {}", count(molecules)),
    };
    Some(format!("  cleaned    {changed} changed{steps}{capped}"))
}

/// With `--max-products-per-step`: what it left out.
fn left_out_of_steps(job: &Job, manifest: &Manifest) -> Option<String> {
    let most = job.spec.products_per_step_max()?;
    Some(format!(
        "  sample     {} left out, to keep at most {} a step",
        counted(manifest.products_left_out, "distinct product"),
        count(most),
    ))
}

/// With `--new-only`: what it means for the counts.
fn new_only(job: &Job) -> Option<String> {
    let text = "  new only   a product that is in the library counts as a duplicate";
    job.spec.new_only().then(|| text.into())
}

/// With `--duplicates`: the file.
fn duplicates(manifest: &Manifest) -> Option<String> {
    let file = manifest.duplicates.as_ref()?;
    let rows = counted(file.rows, "row");
    Some(format!(
        "  merged     {rows}; {} says into which row each",
        file.name
    ))
}

/// What was special about this run; nothing of most.
fn remarks(manifest: &Manifest) -> Vec<String> {
    let mut lines = Vec::new();
    if manifest.counts.enhanced_stereo_dropped > 0 {
        lines.push(format!(
            "  stereo     {} with enhanced stereo (CXSMILES): the products' SMILES do not say which centres \
             are racemic or relative",
            counted(manifest.counts.enhanced_stereo_dropped, "molecule"),
        ));
    }
    if manifest.left_as_written > 0 {
        lines.push(format!(
            "  left       {} as written: RDKit cannot read them, please report it",
            counted(manifest.left_as_written, "row"),
        ));
    }
    if manifest.without_mol_block > 0 {
        lines.push(format!(
            "  mol blocks {} without atoms: RDKit makes no mol block of the SMILES, which is beside it",
            counted(manifest.without_mol_block, "record"),
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
            "  excluded   {} of earlier runs; a product equal to one of them counts as a duplicate",
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
    lines
}

/// The codes of the rejects, each with its number of rows: `3 syntax, 1 valence`.
fn by_code(counts: &RejectCounts) -> String {
    let codes = counts.iter();
    let codes = codes.map(|(code, rows)| format!("{} {code}", count(rows)));
    codes.collect::<Vec<_>>().join(", ")
}

/// Rows that were rejected, and what the caps left out.
fn left_out(manifest: &Manifest) -> Vec<String> {
    let counts = &manifest.counts;
    let mut lines = Vec::new();
    if counts.parents_rejected > 0 {
        let rows = counted(counts.parents_rejected, "row");
        let codes = by_code(&manifest.rejected_by_code);
        let whose = if counts.parents_rejected == 1 {
            "its"
        } else {
            "their"
        };
        lines.push(format!(
            "  rejected   {rows} ({codes}); rejects.parquet has {whose} text and the reason"
        ));
    }
    lines.extend(filters::lines(manifest));
    if counts.parents_capped > 0 {
        lines.push(format!(
            "  capped     {}, {} not made or not kept: {}",
            counted(counts.parents_capped, "molecule"),
            counted(counts.products_capped, "product"),
            capped(manifest),
        ));
    }
    lines
}

/// Inputs whose columns are listed one by one.
const INPUTS_SHOWN_MAX: usize = 5;

/// The columns that were read, in one line if all inputs have the same, with remarks on how they were found.
pub(super) fn columns(job: &Job) -> Vec<String> {
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

/// What the last checkpoint of a stopped job keeps.
pub(super) fn kept(kept: &Kept) -> String {
    let parts = counted(kept.parts as u64, "part");
    let place = match (kept.parts, kept.rows_under_way) {
        (_, 0) => parts,
        (0, _) => "an unfinished part".into(),
        (_, _) => format!("{parts} and an unfinished one"),
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
            counted(molecules(manifest), "molecule"),
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

/// Molecules of the library that were transformed.
fn molecules(manifest: &Manifest) -> u64 {
    let first = manifest.steps.first().map(|step| &step.counts);
    first.unwrap_or(&manifest.counts).parents_transformed
}

fn made(manifest: &Manifest) -> String {
    let counts = &manifest.counts;
    format!(
        "  made       {}: {} unique, {} made from another molecule, {} from the same one, \
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
        } + &match counts.products_filtered {
            0 => String::new(),
            filtered => format!(", {} filtered", count(filtered)),
        },
    )
}

/// Repeats in a deduplicated library, and how keys were made.
fn keys(manifest: &Manifest) -> String {
    let counts = &manifest.counts;
    let by_rdkit: u64 = manifest.keys_by_rdkit.values().sum();
    let reasons = manifest.keys_by_rdkit.iter();
    let reasons = reasons.map(|(reason, n)| format!("{reason} {}", count(*n)));
    let reasons = match reasons.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => none,
        reasons => format!(" ({reasons})"),
    };
    let on_device = match (
        manifest.keys_made_by.as_str(),
        manifest.keys_too_large_for_device,
    ) {
        ("cpu", _) if manifest.engine == "wgpu" => "; the CPU made the others".into(),
        ("cpu", _) => String::new(),
        (engine, 0) => format!("; {engine} made the others"),
        (engine, left) => format!("; {engine} made the others but {}", count(left)),
    };
    format!(
        "  repeats    {}; RDKit made {} of {} keys{reasons}{on_device}",
        count(counts.products_duplicate),
        count(by_rdkit),
        count(counts.parents_transformed),
    )
}

/// Names the rules that no molecule has a site of, where others have.
fn unmatched(by_rule: &[RuleCounts]) -> Option<String> {
    let none = by_rule.iter().filter(|rule| rule.parents == 0);
    let none: Vec<_> = none.collect();
    let named = none.iter().take(RULES_NAMED);
    let named: Vec<_> = named.map(|rule| format!("\"{}\"", rule.name)).collect();
    let more = match none.len().saturating_sub(named.len()) {
        0 => String::new(),
        n => format!(" and {}", counted(n as u64, "more rule")),
    };
    (!none.is_empty()).then(|| {
        format!(
            "  unmatched  {}{more}: no site in any molecule",
            named.join(", ")
        )
    })
}

/// Names the rules with many invalid products, the worst first.
fn invalid(by_rule: &[RuleCounts]) -> Option<String> {
    let mut worst: Vec<_> = by_rule.iter().filter(|rule| is_notable(rule)).collect();
    worst.sort_by_key(|rule| std::cmp::Reverse(rule.invalid));
    let named = worst.iter().take(RULES_NAMED).map(|rule| {
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

/// Rules that a line of the summary names.
const RULES_NAMED: usize = 5;

/// Whether the author of a rule should know of its invalid products: they are all of its products, or 1 % and at
/// least ten.
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
    let more = match manifest.counts.parents_capped - named.len() as u64 {
        0 => String::new(),
        n => format!(" and {} more", count(n)),
    };
    format!("{}{more}; see manifest.json", named.join("; "))
}

fn filter(manifest: &Manifest) -> String {
    let settled = manifest.filter.products_settled;
    match (manifest.dedup, settled) {
        (Dedup::Exact, 0) => "exact: no false positives".into(),
        (Dedup::Exact, n) => format!(
            "exact: {}, which settling restored",
            counted(n, "false positive")
        ),
        (Dedup::Bloom, _) => match manifest.filter.expected_products_lost.round() as u64 {
            0 => "no product is expected to be lost as a false positive".into(),
            n => format!(
                "{} products are expected to be lost as false positives",
                count(n)
            ),
        },
    }
}
