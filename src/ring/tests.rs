//! One scenario body, run by the operating system's scheduler and, with the feature `shuttle`, by
//! one that tries thousands of interleavings and reports deadlocks.

use std::sync::Arc;

use super::*;
use crate::limits::SLOT_BYTES_MIN;

#[cfg(not(feature = "shuttle"))]
use std::thread;

#[cfg(feature = "shuttle")]
use shuttle::thread;

fn layout() -> SlotLayout {
    SlotLayout::new(SLOT_BYTES_MIN, false).unwrap()
}

/// Workers fill the batches, `parts[batch]` slots each, marked with batch and part; the consumer
/// checks that the marks come in order and that every slot is back at the end.
fn scenario(workers: usize, slots: usize, parts: &'static [u64]) {
    let ring = Ring::new(slots, &layout());
    let dispenser = Arc::new(Mutex::new(0usize));
    let handles: Vec<_> = (0..workers)
        .map(|_| {
            let (ring, dispenser) = (Arc::clone(&ring), Arc::clone(&dispenser));
            thread::spawn(move || {
                loop {
                    let batch = {
                        let mut next = dispenser.lock().unwrap();
                        *next += 1;
                        *next - 1
                    };
                    if batch >= parts.len() {
                        ring.finish(parts.len() as u64);
                        return;
                    }
                    for part in 0..parts[batch] {
                        let mut slot = ring.acquire(batch as u64).unwrap();
                        assert_eq!(slot.rows(), 0, "a fresh slot is empty");
                        slot.columns_mut().key[0] = [batch as u64, part];
                        slot.set_filled(1, 0);
                        ring.submit(slot, batch as u64, part, part + 1 == parts[batch]);
                    }
                }
            })
        })
        .collect();
    for (batch, count) in parts.iter().enumerate() {
        for part in 0..*count {
            let slot = ring.next().unwrap().expect("a slot for every part");
            assert_eq!(slot.columns().key[0], [batch as u64, part]);
        }
    }
    assert!(ring.next().unwrap().is_none());
    for handle in handles {
        handle.join().unwrap();
    }
    assert_eq!(ring.state().free, slots);
}

const PARTS: &[u64] = &[1, 3, 1, 1, 5, 2];

/// A worker that waits for a slot, and one that waits for a batch, both hear of a stop.
fn stop_scenario() {
    let ring = Ring::new(SLOTS_MIN, &layout());
    let held = ring.acquire(0).unwrap();
    let worker = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || ring.acquire(1).map(drop))
    };
    let consumer = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || ring.next().map(drop))
    };
    ring.stop();
    assert_eq!(worker.join().unwrap(), Err(Stopped));
    assert_eq!(consumer.join().unwrap(), Err(Stopped));
    drop(held);
    assert_eq!(ring.state().free, SLOTS_MIN);
}

#[cfg(feature = "shuttle")]
mod under_shuttle {
    use super::*;

    #[test]
    fn every_interleaving_tried_ends_in_order() {
        shuttle::check_random(|| scenario(3, SLOTS_MIN, PARTS), 2_000);
        shuttle::check_pct(|| scenario(3, SLOTS_MIN, PARTS), 2_000, 3);
        shuttle::check_random(|| scenario(4, 3, PARTS), 1_000);
    }

    #[test]
    fn a_stop_is_heard_in_every_interleaving_tried() {
        shuttle::check_random(stop_scenario, 2_000);
    }
}

#[cfg(not(feature = "shuttle"))]
mod under_the_operating_system {
    use super::*;

    #[test]
    fn sixteen_workers_on_the_fewest_slots_finish_a_thousand_times() {
        for _ in 0..1_000 {
            scenario(16, SLOTS_MIN, PARTS);
        }
    }

    #[test]
    fn a_stop_is_heard() {
        for _ in 0..200 {
            stop_scenario();
        }
    }

    #[test]
    fn a_batch_ahead_leaves_the_last_slot_to_the_oldest() {
        let ring = Ring::new(SLOTS_MIN, &layout());
        let ahead = ring.acquire(5).unwrap();
        let blocked = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || ring.acquire(6).map(drop))
        };
        while ring.state().waiting == 0 {
            thread::yield_now();
        }
        let oldest = ring.acquire(0).expect("the oldest gets the reserve");
        assert_eq!(
            ring.state(),
            RingState {
                waits: 1,
                free: 0,
                waiting: 1,
                slots: 2,
                ..ring.state()
            }
        );
        drop(oldest);
        drop(ahead);
        blocked.join().unwrap().unwrap();
    }

    #[test]
    fn a_dropped_permit_gives_its_slot_back() {
        let ring = Ring::new(SLOTS_MIN, &layout());
        let result = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || {
                let _slot = ring.acquire(0).unwrap();
                panic!("a worker dies with a slot in its hands (this message is expected)");
            })
            .join()
        };
        assert!(result.is_err());
        assert_eq!(ring.state().free, SLOTS_MIN);
    }
}
