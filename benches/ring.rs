//! The cost of sending a slot around the ring: acquire, submit, next, release.
//!
//! Nothing is written into the slots, so this is the cost of the ring alone, per slot. In a job
//! a slot has about 25,000 products, which take a worker about a second: microseconds here are noise
//! there. `same_thread` is the lock and the ordering without waking a thread. With workers, waking
//! threads is most of the cost, and depends on the operating system and on the number of free processors.
//! Every slot is a separate batch, the most expensive case: the oldest batch changes with each.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that can't go on stops there"
)]

mod common;

use std::{
    hint::black_box,
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use molsieve::{
    limits::{SLOT_BYTES_MIN, SLOTS_MIN},
    property::PropertySet,
    ring::Ring,
    slot::SlotLayout,
};

fn ring(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring");
    group.throughput(Throughput::Elements(1));
    group.bench_function("same_thread", |bencher| {
        bencher.iter_custom(on_same_thread);
    });
    for workers in [1, 4] {
        group.bench_function(format!("workers/{workers}"), |bencher| {
            bencher.iter_custom(|slots| with_workers(workers, slots));
        });
    }
    group.finish();
}

fn layout() -> SlotLayout {
    SlotLayout::new(SLOT_BYTES_MIN, PropertySet::NONE).unwrap()
}

fn on_same_thread(slots: u64) -> Duration {
    let ring = Ring::new(SLOTS_MIN, &layout());
    let began = Instant::now();
    for batch in 0..slots {
        let slot = ring.acquire(batch).unwrap();
        ring.submit(slot, batch, 0, true);
        black_box(ring.next().unwrap().unwrap());
    }
    began.elapsed()
}

/// Sends `slots` slots around the ring, from `workers` threads to this one. The ring has as many slots as the plan
/// gives that many workers. Threads start outside the timing.
fn with_workers(workers: usize, slots: u64) -> Duration {
    let ring = Ring::new(2 * workers + 2, &layout());
    let (next, ready) = (AtomicU64::new(0), Barrier::new(workers + 1));
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                ready.wait();
                work(&ring, &next, slots);
            });
        }
        ready.wait();
        let began = Instant::now();
        while let Some(slot) = ring.next().unwrap() {
            black_box(slot);
        }
        began.elapsed()
    })
}

fn work(ring: &Arc<Ring>, next: &AtomicU64, slots: u64) {
    loop {
        let batch = next.fetch_add(1, Relaxed);
        if batch >= slots {
            ring.finish(slots);
            return;
        }
        let slot = ring.acquire(batch).unwrap();
        ring.submit(slot, batch, 0, true);
    }
}

criterion_group! { name = benches; config = common::criterion(); targets = ring }
criterion_main!(benches);
