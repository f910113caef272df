//! What the core knows of users: their quotas, what they use, and their recent use, which the store keeps.

use std::time::{Duration, Instant};

use super::{CoreLoop, now};
use crate::daemon::{
    quota::Quota,
    schedule::used_by,
    snapshot::{Asked, Standing},
    store::JobStoreError,
};

/// Interval at which recent use is stored while it changes. A killed daemon forgets at most so much.
const SAVE_EVERY: Duration = Duration::from_secs(60);

impl CoreLoop {
    /// Takes the settings of the scheduler from the daemon's, at the start and after a reload.
    pub(super) fn set_policy(&mut self) {
        let settings = self.shared.settings();
        let quotas = settings.quotas.clone();
        self.waits
            .queue
            .set_policy(quotas, settings.half_life_ms, now());
    }

    /// Takes up the recent use that an earlier daemon has stored.
    pub(super) fn restore_use(&mut self) -> Result<(), JobStoreError> {
        let stored = self.store.write(|tx| tx.recent_use())?;
        self.waits.queue.restore_use(stored);
        Ok(())
    }

    /// Stores recent use, if the last time was long ago or `at_once`. It is not worth a retry if the store fails.
    pub(super) fn save_use(&mut self, at_once: bool) {
        if self.saved_at.elapsed() < SAVE_EVERY && !at_once {
            return;
        }
        self.saved_at = Instant::now();
        let changed = self.waits.queue.take_changed_use(now());
        if changed.is_empty() {
            return;
        }
        if let Err(error) = self.store.write(|tx| tx.save_use(&changed)) {
            tracing::error!("cannot store recent use: {error}");
        }
    }

    /// A user's quota and what it is used for.
    pub(super) fn standing(&self, asked: Asked) -> Standing {
        let Asked { uid, gid, admin } = asked;
        let settings = self.shared.settings();
        let waiting = self.waits.queue.user(uid);
        let gid = gid.or(waiting.map(|waiting| waiting.gid)).unwrap_or(uid);
        let exempt = admin || waiting.is_some_and(|waiting| waiting.exempt);
        let mut used = used_by(uid, self.active.values().map(|active| active.running));
        used.waiting = self.waits.count_of(uid);
        Standing {
            uid,
            exempt,
            quota: match exempt {
                true => Quota::UNLIMITED,
                false => settings.quotas.of(uid, gid, &settings.budget),
            },
            used,
            recent_use: self.waits.queue.recent_use(uid, now()),
        }
    }
}
