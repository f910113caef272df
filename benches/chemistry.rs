//! What a product costs in chemistry, stage by stage: parse, find sites, react, finish, write.
//!
//! The unit is one product written. The time of a stage is that of a whole pass over the parents, as
//! the transformer's own clocks sum it up ([`Transformer::take_times`]), divided by the products of the
//! pass; so it also carries the stage's share of what comes to nothing (symmetric, unchanged and
//! invalid products, and parents without any site). `whole` is the wall clock around a pass: the
//! stages and what lies between them (keys of a parent's products, copying into the slot, the clocks
//! themselves). Every benchmark runs passes of its own, so the stages add up to `whole` only within
//! the noise. Throughput is products per second of one thread, as if there were that stage alone.
//!
//! Two sets of rules: `fluorination`, one rule without exclusions, over the whole shipped library;
//! `shipped`, all shipped rules over every eighth parent. Two methods: the fast one and the plain loop
//! it is checked against. The fast one makes most products on flat graphs: what it takes to do without
//! sanitization is then part of `react`, and `finish` is what RDKit had to do. The first pass, in which RDKit's and the
//! allocator's memory grows, falls into criterion's warm-up (not with `--quick`).

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

/// What of a pass is reported.
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
                // An iteration is a pass; criterion plans by the wall clock around it.
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
