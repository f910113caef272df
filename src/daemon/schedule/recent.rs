//! Recent use: how much of the node each user has had lately.
//!
//! A user's recent use is the mean of the user's dominant share over the past, in which a time counts half for each
//! half-life that it is ago: after time t with the share s, use u becomes u × 2^(-t/h) + s × (1 − 2^(-t/h)). It is
//! between 0 and 1. HTCondor computes the priorities of its users in this way (`PRIORITY_HALFLIFE`).

use std::collections::HashMap;

use crate::daemon::job::Millis;

/// Use below this is as good as none: some 10 ms of the whole node in 24 h.
const USE_MIN: f64 = 1e-7;

/// The recent use of one user, as it was at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::daemon) struct RecentUse {
    /// The user.
    pub uid: u32,
    /// 0 to 1.
    pub share: f64,
    /// When.
    pub at: Millis,
}

/// The recent use of all users who have some. About 40 bytes for each.
#[derive(Debug)]
pub(super) struct Recent {
    half_life_ms: Millis,
    users: HashMap<u32, Used>,
}

#[derive(Clone, Copy, Debug)]
struct Used {
    share: f64,
    at: Millis,
    /// The user's share of the node since then.
    running: f64,
    /// Whether it differs from what is stored.
    changed: bool,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            half_life_ms: 24 * 3_600_000,
            users: HashMap::new(),
        }
    }
}

impl Recent {
    /// Sets the half-life for the time from `now` on.
    pub(super) fn set_half_life(&mut self, half_life_ms: Millis, now: Millis) {
        let half_life_now = self.half_life_ms;
        self.users
            .values_mut()
            .for_each(|used| used.advance(now, half_life_now));
        self.half_life_ms = half_life_ms.max(1);
    }

    /// Takes up what was stored.
    pub(super) fn restore(&mut self, stored: impl IntoIterator<Item = RecentUse>) {
        for RecentUse { uid, share, at } in stored {
            let used = Used {
                share: if share.is_finite() {
                    share.clamp(0.0, 1.0)
                } else {
                    0.0
                },
                at,
                running: 0.0,
                changed: false,
            };
            self.users.insert(uid, used);
        }
    }

    /// A user's recent use.
    pub(super) fn of(&self, uid: u32, now: Millis) -> f64 {
        let used = self.users.get(&uid).copied();
        used.map_or(0.0, |mut used| {
            used.advance(now, self.half_life_ms);
            used.share
        })
    }

    /// States which share of the node each user occupies from now on; those not named occupy nothing.
    pub(super) fn occupy(&mut self, shares: &HashMap<u32, f64>, now: Millis) {
        let half_life_ms = self.half_life_ms;
        for (uid, used) in &mut self.users {
            let running = shares.get(uid).copied().unwrap_or(0.0);
            if used.running > 0.0 || running > 0.0 {
                used.advance(now, half_life_ms);
                used.changed = true;
                used.running = running;
            }
        }
        for (&uid, &running) in shares {
            self.users.entry(uid).or_insert(Used {
                share: 0.0,
                at: now,
                running,
                changed: true,
            });
        }
    }

    /// What has changed since the last call, for the store. Users without recent use are forgotten: their share is 0.
    pub(super) fn take_changed(&mut self, now: Millis) -> Vec<RecentUse> {
        let half_life_ms = self.half_life_ms;
        let mut changed = Vec::new();
        self.users.retain(|&uid, used| {
            let mut current = *used;
            current.advance(now, half_life_ms);
            let forgotten = current.running == 0.0 && current.share < USE_MIN;
            if used.changed || used.running > 0.0 || forgotten {
                *used = Used {
                    changed: false,
                    ..current
                };
                changed.push(RecentUse {
                    uid,
                    share: if forgotten { 0.0 } else { used.share },
                    at: used.at,
                });
            }
            !forgotten
        });
        changed
    }
}

impl Used {
    fn advance(&mut self, now: Millis, half_life_ms: Millis) {
        // The clock may have been set back.
        let passed = now.saturating_sub(self.at).max(0);
        let kept = (-(passed as f64) / half_life_ms as f64).exp2();
        self.share = self.share * kept + self.running * (1.0 - kept);
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Millis = 3_600_000;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    #[test]
    fn use_grows_to_the_share_and_halves_in_each_half_life() {
        let mut recent = Recent::default();
        recent.occupy(&HashMap::from([(1, 0.5)]), 0);
        near(recent.of(1, 0), 0.0);
        near(recent.of(1, 24 * HOUR), 0.25);
        near(recent.of(1, 48 * HOUR), 0.375);
        // In two steps as in one.
        recent.occupy(&HashMap::from([(1, 0.5)]), 10 * HOUR);
        near(recent.of(1, 24 * HOUR), 0.25);
        recent.occupy(&HashMap::new(), 24 * HOUR);
        near(recent.of(1, 48 * HOUR), 0.125);
        near(recent.of(2, 48 * HOUR), 0.0);
        // A clock that was set back changes nothing.
        near(recent.of(1, 0), 0.25);
    }

    #[test]
    fn what_is_stored_and_taken_up_again_is_the_same() {
        let mut recent = Recent::default();
        recent.occupy(&HashMap::from([(1, 1.0)]), 0);
        let stored = recent.take_changed(12 * HOUR);
        assert_eq!(stored.len(), 1);
        let mut later = Recent::default();
        later.restore(stored);
        near(
            later.of(1, 24 * HOUR),
            recent.of(1, 12 * HOUR) / 2.0_f64.sqrt(),
        );
        assert!(later.take_changed(24 * HOUR).is_empty());
        // Long after, the user is forgotten, also in the store.
        let gone = later.take_changed(10_000 * HOUR);
        assert_eq!((gone.len(), gone[0].share), (1, 0.0));
        assert!(later.take_changed(10_000 * HOUR).is_empty());
    }
}
