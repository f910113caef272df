//! One scenario body, run by the operating system's scheduler and, with the feature `shuttle`, by
//! one that tries thousands of interleavings and reports deadlocks.

use std::{collections::VecDeque, sync::Arc};

use super::*;
use crate::{limits::SLOT_BYTES_MIN, property::PropertySet};

#[cfg(not(feature = "shuttle"))]
use std::thread;

#[cfg(feature = "shuttle")]
use shuttle::thread;

fn layout() -> SlotLayout {
    SlotLayout::new(SLOT_BYTES_MIN, PropertySet::NONE).unwrap()
}

/// Slots of each batch.
const PARTS: &[u64] = &[1, 3, 1, 1, 5, 2];

/// Workers fill the batches, `parts[batch]` slots each, marked with batch and part. The consumer has up to
/// `held_max` slots in hand, taken from their permits, as the sieve's thread has, and waits only when it has none.
/// The marks come in order, and every slot is back at the end.
fn scenario(workers: usize, slots: usize, held_max: usize) {
    let ring = Ring::new(slots, &layout());
    let workers = fill(&ring, workers);
    let (mut held, mut seen) = (VecDeque::new(), Vec::new());
    loop {
        let next = match held.len() {
            0 => ring.next(),
            count if count < held_max => ring.next_now(),
            _ => Ok(None),
        };
        match next.unwrap() {
            Some(permit) => held.push_back(permit.split()),
            None => {
                let Some((ticket, slot)) = held.pop_front() else {
                    break;
                };
                seen.push(ticket.with(slot).columns().key[0]);
            }
        }
    }
    let parts = PARTS.iter().zip(0..);
    let marks = parts.flat_map(|(count, batch)| (0..*count).map(move |part| [batch, part]));
    assert_eq!(seen, marks.collect::<Vec<_>>());
    for worker in workers {
        worker.join().unwrap();
    }
    assert_eq!(ring.state().free, slots);
}

fn fill(ring: &Arc<Ring>, workers: usize) -> Vec<thread::JoinHandle<()>> {
    let dispenser = Arc::new(Mutex::new(0usize));
    (0..workers)
        .map(|_| {
            let (ring, dispenser) = (Arc::clone(ring), Arc::clone(&dispenser));
            thread::spawn(move || {
                loop {
                    let batch = {
                        let mut next = dispenser.lock().unwrap();
                        *next += 1;
                        *next - 1
                    };
                    if batch >= PARTS.len() {
                        ring.finish(PARTS.len() as u64);
                        return;
                    }
                    for part in 0..PARTS[batch] {
                        let mut slot = ring.acquire(batch as u64).unwrap();
                        assert_eq!(slot.rows(), 0, "a fresh slot is empty");
                        slot.columns_mut().key[0] = [batch as u64, part];
                        slot.set_filled(1, 0);
                        ring.submit(slot, batch as u64, part, part + 1 == PARTS[batch]);
                    }
                }
            })
        })
        .collect()
}

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
        shuttle::check_random(|| scenario(3, SLOTS_MIN, 1), 2_000);
        shuttle::check_pct(|| scenario(3, SLOTS_MIN, 1), 2_000, 3);
        shuttle::check_random(|| scenario(4, 3, 1), 1_000);
    }

    #[test]
    fn so_does_every_one_with_several_slots_in_hand() {
        let on_fewest = || scenario(3, SLOTS_MIN, 3);
        shuttle::check_random(on_fewest, 2_000);
        shuttle::check_pct(on_fewest, 2_000, 3);
        shuttle::check_random(|| scenario(4, 4, 3), 1_000);
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
            scenario(16, SLOTS_MIN, 1);
        }
    }

    #[test]
    fn so_they_do_with_several_slots_in_hand() {
        for _ in 0..500 {
            scenario(16, SLOTS_MIN, 3);
            scenario(4, 8, 3);
        }
    }

    #[test]
    fn what_is_not_filled_yet_is_not_waited_for() {
        let ring = Ring::new(4, &layout());
        assert!(ring.next_now().unwrap().is_none());
        let [first, second, ahead] = [(); 3].map(|()| ring.acquire(0).unwrap());
        ring.submit(ahead, 1, 0, true);
        ring.submit(second, 0, 1, true);
        assert!(ring.next_now().unwrap().is_none(), "part 0 comes first");
        ring.submit(first, 0, 0, false);
        for _ in 0..3 {
            assert!(ring.next_now().unwrap().is_some());
        }
        ring.finish(2);
        assert!(ring.next_now().unwrap().is_none());
        ring.stop();
        assert_eq!(ring.next_now().map(drop), Err(Stopped));
    }

    #[test]
    fn a_slot_that_does_not_come_back_is_missing_and_no_more() {
        let ring = Ring::new(3, &layout());
        let (ticket, slot) = ring.acquire(0).unwrap().split();
        assert_eq!(ring.state().free, 2);
        drop(ticket.with(slot));
        assert_eq!(ring.state().free, 3);
        drop(ring.acquire(0).unwrap().split());
        assert_eq!(ring.state().free, 2);
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
