//! The cost of a product in chemistry, by stage: parse, find sites, react, finish, write.
//!
//! The unit is one product written. The time of a stage is its time in a whole pass over the parents, by
//! the transformer's clocks ([`Transformer::take_times`]), divided by the products of the pass. So it includes
//! the stage's time for discarded products (symmetric, unchanged and invalid ones) and for parents without
//! sites. `whole` is the wall clock of a pass: the stages and the work between them (keys of a parent's products,
//! copies into the slot, the clocks). Every benchmark runs its own passes, so the stages add up to `whole` only
//! within the noise. Throughput is products per second of one thread that only ran that stage.
//!
//! Two sets of rules: `fluorination`, one rule without exclusions, over the whole shipped library;
//! `shipped`, all shipped rules over every eighth parent. Two methods: the fast one, and the plain loop
//! that it is compared with. The fast one makes most products on flat graphs: `react` then includes the work that
//! replaces sanitization, and `finish` is the work of RDKit. The first pass, in which the memory of RDKit and of the
//! allocator grows, is part of criterion's warm-up (not with `--quick`).

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that can't go on stops there"
)]

mod common;

use std::time::{Duration, Instant};

use common::Parent;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use molsieve::{
    chem::{ChemistryTimes, Method, Transformer},
    rules::RuleSet,
    slot::Slot,
};

/// The part of a pass that is reported.
type Stage = fn(&Pass) -> Duration;

const STAGES: [(&str, Stage); 6] = [
    ("parse", |pass| pass.times.parse),
    ("find_sites", |pass| pass.times.find_sites),
    ("react", |pass| pass.times.react),
    ("finish", |pass| pass.times.finish),
    ("write", |pass| pass.times.write),
    ("whole", |pass| pass.wall),
];

/// One pass over the parents.
struct Pass {
    products: u64,
    wall: Duration,
    times: ChemistryTimes,
}

fn chemistry(criterion: &mut Criterion) {
    let library = common::parents();
    let eighth: Vec<Parent> = library.iter().step_by(8).cloned().collect();
    split(criterion, "fluorination", &common::fluorination(), &library);
    split(criterion, "shipped", &common::shipped_rules(), &eighth);
}

fn split(criterion: &mut Criterion, name: &str, rules: &RuleSet, parents: &[Parent]) {
    for (method_name, method) in [("fast", Method::Fast), ("reference", Method::Reference)] {
        let mut group = criterion.benchmark_group(format!("chemistry/{name}/{method_name}"));
        group.throughput(Throughput::Elements(1));
        let mut transformer = common::transformer(rules, method);
        let mut slot = Slot::new(common::layout());
        for (stage_name, stage) in STAGES {
            group.bench_function(stage_name, |bencher| {
                // An iteration is a pass; criterion plans by its wall clock.
                bencher.iter_custom(|passes| {
                    (0..passes)
                        .map(|_| {
                            let pass = pass(&mut transformer, parents, &mut slot);
                            stage(&pass).div_f64(pass.products as f64)
                        })
                        .sum()
                });
            });
        }
        group.finish();
    }
}

fn pass(transformer: &mut Transformer, parents: &[Parent], slot: &mut Slot) -> Pass {
    slot.clear();
    let _ = transformer.take_times();
    let began = Instant::now();
    let products = common::transform(transformer, parents, slot, &mut Slot::clear);
    Pass {
        products,
        wall: began.elapsed(),
        times: transformer.take_times(),
    }
}

criterion_group! { name = benches; config = common::criterion(); targets = chemistry }
criterion_main!(benches);
