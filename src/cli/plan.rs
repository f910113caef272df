//! The plan of a job, for people.

use super::report::{columns, reagents};
use crate::{
    config::Task,
    pipeline::Job,
    plan::Estimate,
    units::{ByteSize, count},
};

/// `molsieve plan`.
pub(super) fn plan(job: &Job) -> String {
    let (plan, estimate) = (&job.plan, &job.plan.estimate);
    let files = job.library.files();
    let bytes = files.iter().map(|file| file.bytes).sum();
    let about = if estimate.parents_exact { "" } else { "about " };
    let inputs = match files {
        [one] => format!(
            "{} ({}, {})",
            one.path.display(),
            one.format,
            ByteSize(bytes)
        ),
        many => format!("{} files, {}", many.len(), ByteSize(bytes)),
    };
    let columns = columns(job).into_iter().map(|line| line + "\n");
    let sets = job.reagents.as_ref().map_or(&[][..], |read| &read.sets);
    let reagents_of = reagents(sets).into_iter().map(|line| line + "\n");
    let rejects = match estimate.sampled_rejects {
        0 => String::new(),
        n => format!(" ({} of them can't be used)", count(n)),
    };
    format!(
        "Job\n\
         \x20 input      {inputs}\n\
         {}\
         \x20 rows       {about}{}\n\
         \x20 rules      {}\n\
         {}\
         \nEstimate from {} rows{rejects}\n\
         \x20 products   {}\n\
         \x20 disk       about {}, and up to {} more while it runs\n\
         \nRun\n\
         \x20 threads    {}, {} parents at a time\n\
         \x20 engine     {}\n\
         \x20 filter     {} bits, {} hashes\n\
         \nMemory\n{}",
        columns.collect::<String>(),
        count(estimate.parents),
        rules(job),
        reagents_of.collect::<String>(),
        count(estimate.sampled),
        products(estimate),
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

/// The number of rules, of each step where they differ.
fn rules(job: &Job) -> String {
    let of_steps = job.rules.counts();
    match (of_steps.as_slice(), job.spec.task()) {
        ([0], Task::Dedup) => "none: the job deduplicates the library".into(),
        ([0], Task::Derive) => "none: the job cleans the library".into(),
        ([n], _) => count(*n as u64),
        (steps, _) => {
            let steps = steps.iter().map(|n| count(*n as u64));
            let steps: Vec<_> = steps.collect();
            format!("{} in {} steps", steps.join(", "), steps.len())
        }
    }
}

/// The products that are expected, of each step if there are several.
fn products(estimate: &Estimate) -> String {
    let of_steps = estimate.products_by_step();
    let all = count(estimate.products());
    let per_parent = estimate.products_per_parent;
    match of_steps.as_slice() {
        [_] => format!(
            "{per_parent:.1} per parent, about {all} in all (repeats between parents included)"
        ),
        steps => {
            let steps = steps.iter().map(|products| count(products.ceil() as u64));
            let steps = steps.collect::<Vec<_>>().join(", ");
            format!(
                "{per_parent:.1} per parent, about {steps} by step, {all} in all (repeats between parents included)"
            )
        }
    }
}
