//! The devices of a job. A worker takes one for a batch and returns it.
//!
//! Each has a [`KeyBatch`] of its own, so their number bounds the memory of batches. A worker that holds a device
//! waits for no other worker, so every worker gets a device in the end.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    batch::KeyBatch,
    device::{KeyDevice, KeyOutcome, KeyRoom},
};
use crate::sieve::error::{EngineError, injected_loss};

/// How often a worker that waits for a device checks whether the job stops.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Devices that compute structure keys, all of one engine.
pub struct KeyDevices {
    name: &'static str,
    free: Mutex<Vec<Lane>>,
    given_back: Condvar,
}

/// A device and its batch. The device is dropped first: it may still copy from and to the batch.
struct Lane {
    device: Box<dyn KeyDevice>,
    batch: KeyBatch,
}

impl KeyDevices {
    /// Devices that were opened with this room; `None` if there are none.
    pub fn new(
        devices: Vec<Box<dyn KeyDevice>>,
        room: KeyRoom,
    ) -> Result<Option<Self>, EngineError> {
        let Some(first) = devices.first() else {
            return Ok(None);
        };
        let name = first.name();
        let lane = |device: Box<dyn KeyDevice>| {
            let batch = KeyBatch::new(device.as_ref(), room)?;
            Ok(Lane { device, batch })
        };
        let lanes: Result<Vec<_>, EngineError> = devices.into_iter().map(lane).collect();
        Ok(Some(Self {
            name,
            free: Mutex::new(lanes?),
            given_back: Condvar::new(),
        }))
    }

    /// The name of their engine.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Takes a device, and waits until one is free; `None` if `stopped` returns true before that.
    pub fn take(&self, stopped: &dyn Fn() -> bool) -> Option<TakenDevice<'_>> {
        let mut free = self.lock();
        while !stopped() {
            if let Some(lane) = free.pop() {
                let lane = Some(lane);
                return Some(TakenDevice { of: self, lane });
            }
            let waited = self.given_back.wait_timeout(free, LOOK_EVERY);
            free = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Lane>> {
        // No code that can panic runs under this lock.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A device that a worker has taken. Dropping it returns the device, unless the device has failed.
pub struct TakenDevice<'a> {
    of: &'a KeyDevices,
    lane: Option<Lane>,
}

impl TakenDevice<'_> {
    /// Makes the device compute the keys of a batch of texts, and stores an outcome for each. The outcome is `None` for
    /// texts that are not for a device (`None`) and for those that the batch has no room for.
    pub fn compute_keys<'t>(
        mut self,
        texts: impl Iterator<Item = Option<&'t [u8]>>,
        outcomes: &mut Vec<Option<KeyOutcome>>,
    ) -> Result<(), EngineError> {
        // Taken out while it works: if anything fails, the device is not returned.
        let Some(mut lane) = self.lane.take() else {
            return Ok(());
        };
        injected_loss(self.of.name, "compute_keys")?;
        let Lane { device, batch } = &mut lane;
        let texts: Vec<_> = texts.collect();
        batch.fill(&texts);
        batch.compute_keys(device.as_mut())?;
        outcomes.clear();
        outcomes.extend((0..texts.len()).map(|place| batch.outcome(place)));
        self.lane = Some(lane);
        Ok(())
    }
}

impl Drop for TakenDevice<'_> {
    fn drop(&mut self) {
        if let Some(lane) = self.lane.take() {
            self.of.lock().push(lane);
            self.of.given_back.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering::Relaxed},
        thread,
    };

    use super::*;
    use crate::{
        identity::Reason,
        key::Key,
        sieve::rows::{Keyed, Texts},
    };

    /// Computes keys of the bytes. A row that begins with `?` has a reason, with `+` is too large, with `!` loses
    /// the device.
    struct Toy;

    impl KeyDevice for Toy {
        fn name(&self) -> &'static str {
            "toy"
        }

        fn compute_keys(
            &mut self,
            texts: Texts<'_>,
            to: &mut Keyed<'_>,
        ) -> Result<(), EngineError> {
            for (row, text) in texts.rows().enumerate() {
                to.keys[row] = Key::of(text).words();
                to.codes[row] = match text[0] {
                    b'?' => 1 + Reason::Valence as u8,
                    b'+' => u8::MAX,
                    b'!' => return Err(lost()),
                    _ => 0,
                };
            }
            Ok(())
        }
    }

    fn lost() -> EngineError {
        EngineError::Lost {
            engine: "toy",
            reason: "a row says so".into(),
        }
    }

    fn devices(count: usize) -> KeyDevices {
        let room = KeyRoom {
            rows_max: 5,
            text_bytes_max: 20,
        };
        let toys = (0..count).map(|_| -> Box<dyn KeyDevice> { Box::new(Toy) });
        KeyDevices::new(toys.collect(), room).unwrap().unwrap()
    }

    fn compute(
        devices: &KeyDevices,
        texts: &[Option<&str>],
    ) -> Result<Vec<Option<KeyOutcome>>, EngineError> {
        let mut outcomes = vec![Some(KeyOutcome::TooLarge); 3];
        let texts = texts.iter().map(|text| text.map(str::as_bytes));
        let device = devices.take(&|| false).unwrap();
        device.compute_keys(texts, &mut outcomes).map(|()| outcomes)
    }

    #[test]
    fn every_row_has_its_outcome() {
        let devices = devices(1);
        let key = |text: &str| Some(KeyOutcome::Key(Key::of(text.as_bytes())));
        let valence = Some(KeyOutcome::Reason(Reason::Valence));
        for _ in 0..2 {
            let texts = [None, Some("CC"), Some("?"), None, Some("+C"), Some("C")];
            let expected = [
                None,
                key("CC"),
                valence,
                None,
                Some(KeyOutcome::TooLarge),
                key("C"),
            ];
            assert_eq!(compute(&devices, &texts).unwrap(), expected);
        }
        assert_eq!(compute(&devices, &[]).unwrap(), []);
    }

    #[test]
    fn rows_beyond_the_room_have_no_outcome() {
        let devices = devices(1);
        let outcomes = compute(&devices, &[Some("C"); 7]).unwrap();
        assert_eq!(outcomes.iter().flatten().count(), 5);
        let (long, short) = ("C".repeat(21), "C".repeat(20));
        let outcomes = compute(&devices, &[Some(&long), Some(&short), Some("C")]).unwrap();
        let there: Vec<_> = outcomes.iter().map(Option::is_some).collect();
        assert_eq!(there, [false, true, false]);
    }

    #[test]
    fn a_waiting_worker_notices_that_the_job_stops() {
        let devices = devices(1);
        let stopping = AtomicBool::new(false);
        let taken = devices.take(&|| false);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| devices.take(&|| stopping.load(Relaxed)).is_some());
            thread::sleep(2 * LOOK_EVERY);
            assert!(!waiting.is_finished());
            stopping.store(true, Relaxed);
            assert!(!waiting.join().unwrap());
            drop(taken);
            let waiting = scope.spawn(|| devices.take(&|| false).is_some());
            assert!(waiting.join().unwrap());
        });
    }

    #[test]
    fn a_device_that_has_failed_is_not_returned() {
        let devices = devices(2);
        assert_eq!(compute(&devices, &[Some("!")]), Err(lost()));
        let left = devices.take(&|| false);
        assert!(left.is_some());
        let looks = std::cell::Cell::new(0);
        let stopped = || looks.replace(looks.get() + 1) > 1;
        assert!(devices.take(&stopped).is_none());
    }
}
