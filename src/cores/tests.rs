//! One scenario body, run by the operating system's scheduler and, with the feature `shuttle`, by one that tries
//! thousands of interleavings and reports deadlocks.

use std::sync::Arc;

use super::*;

#[cfg(not(feature = "shuttle"))]
use std::thread;

#[cfg(feature = "shuttle")]
use shuttle::thread;

/// Who works at a moment, and how many did at the most.
#[derive(Default)]
struct Busy(Mutex<(usize, usize)>);

impl Busy {
    fn work(&self) {
        {
            let mut busy = self.0.lock().unwrap();
            busy.0 += 1;
            busy.1 = busy.1.max(busy.0);
        }
        thread::yield_now();
        self.0.lock().unwrap().0 -= 1;
    }
}

/// Workers, a sieve and a sink that each do a few rounds of work. Nobody waits for ever, at most `count` work at a time,
/// and all cores are free at the end.
fn scenario(count: usize, workers: usize) {
    let cores = Cores::with_patience(count, Duration::from_secs(600));
    let busy = Arc::new(Busy::default());
    let mut threads: Vec<_> = (0..workers)
        .map(|_| {
            let (cores, busy) = (Arc::clone(&cores), Arc::clone(&busy));
            thread::spawn(move || {
                let mut core = cores.take(Rank::Worker);
                for _ in 0..3 {
                    busy.work();
                    core.give_way();
                    core.lend(thread::yield_now);
                }
            })
        })
        .collect();
    for rank in [Rank::Sieve, Rank::Sink] {
        let (cores, busy) = (Arc::clone(&cores), Arc::clone(&busy));
        threads.push(thread::spawn(move || {
            for _ in 0..2 {
                let _core = cores.take(rank);
                busy.work();
                if let Some(_another) = cores.take_free(rank) {
                    busy.work();
                }
            }
        }));
    }
    for thread in threads {
        thread.join().unwrap();
    }
    let state = cores.lock();
    assert_eq!(state.free, count as isize);
    assert_eq!(state.waiting, [0; RANKS]);
    assert_eq!(state.handed, [0; RANKS]);
    assert_eq!(cores.urgent.load(Relaxed), 0);
    let most = busy.0.lock().unwrap().1;
    assert!((1..=count).contains(&most), "{most} of {count}");
}

#[cfg(feature = "shuttle")]
mod under_shuttle {
    use super::*;

    #[test]
    fn no_more_threads_work_than_there_are_cores() {
        shuttle::check_random(|| scenario(1, 2), 2_000);
        shuttle::check_pct(|| scenario(1, 2), 2_000, 3);
        shuttle::check_random(|| scenario(2, 3), 2_000);
        shuttle::check_pct(|| scenario(2, 3), 2_000, 3);
    }
}

#[cfg(not(feature = "shuttle"))]
mod under_the_operating_system {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn no_more_threads_work_than_there_are_cores() {
        for round in 0..200 {
            scenario(1 + round % 3, 1 + round % 4);
        }
    }

    /// Waits until so many of a rank wait.
    fn until_waiting(cores: &Cores, rank: Rank, count: usize) {
        while cores.lock().waiting[rank as usize] < count {
            thread::yield_now();
        }
    }

    #[test]
    fn the_highest_rank_goes_first() {
        let cores = Cores::new(1);
        let mut core = cores.take(Rank::Worker);
        let (sender, order) = mpsc::channel();
        thread::scope(|scope| {
            for rank in [Rank::Worker, Rank::Sieve, Rank::Sink] {
                let (cores, sender) = (&cores, sender.clone());
                scope.spawn(move || {
                    let _core = cores.take(rank);
                    sender.send(rank).unwrap();
                });
                until_waiting(cores, rank, 1);
            }
            core.give_way();
            drop(core);
        });
        drop(sender);
        let order: Vec<_> = order.iter().collect();
        assert_eq!(order, [Rank::Sink, Rank::Sieve, Rank::Worker]);
    }

    #[test]
    fn nobody_gives_way_to_workers() {
        let cores = Cores::new(1);
        let mut core = cores.take(Rank::Worker);
        thread::scope(|scope| {
            scope.spawn(|| drop(cores.take(Rank::Worker)));
            until_waiting(&cores, Rank::Worker, 1);
            core.give_way();
            assert_eq!(cores.lock().waiting[Rank::Worker as usize], 1);
            drop(core);
        });
    }

    #[test]
    fn the_sink_does_not_wait_for_a_worker_that_does_not_return() {
        let cores = Cores::new(1);
        let stuck = cores.take(Rank::Worker);
        let began = Instant::now();
        let core = cores.take(Rank::Sink);
        assert!(began.elapsed() >= PATIENCE);
        assert_eq!(cores.lock().free, -1);
        assert!(cores.take_free(Rank::Sieve).is_none());
        drop(core);
        assert!(cores.take_free(Rank::Sieve).is_none());
        drop(stuck);
        assert!(cores.take_free(Rank::Sieve).is_some());
    }

    #[test]
    fn a_core_is_taken_back_when_the_wait_panics() {
        let cores = Cores::new(1);
        let held = Arc::clone(&cores);
        let panicked = thread::spawn(move || {
            let mut core = held.take(Rank::Worker);
            core.lend(|| panic!("on purpose"));
        });
        assert!(panicked.join().is_err());
        assert_eq!(cores.lock().free, 1);
    }
}
