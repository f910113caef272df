//! Permits for connections, streams and bytes in memory. Each permit is taken from the user's share first and
//! from the total second, so that one user cannot use up everything.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::Limits;

/// Bytes per permit.
const BYTES_PER_PERMIT: usize = 1 << 10;

/// The permits for all users.
pub(super) struct Shares {
    limits: Limits,
    connections: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    /// The connected users.
    users: Mutex<HashMap<u32, Weak<UserShares>>>,
}

/// The permits for one user.
pub(super) struct UserShares {
    pub(super) connections: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    all_streams: Arc<Semaphore>,
    all_bytes: Arc<Semaphore>,
}

/// A permit from the user's share and one from the total.
pub(super) struct Held(OwnedSemaphorePermit, OwnedSemaphorePermit);

impl Shares {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            limits: *limits,
            connections: semaphore(limits.connections),
            streams: semaphore(limits.streams),
            bytes: semaphore(limits.bytes / BYTES_PER_PERMIT),
            users: Mutex::default(),
        }
    }

    /// Waits for a permit for one more connection.
    pub(super) async fn connection(&self) -> OwnedSemaphorePermit {
        acquire(&self.connections, 1).await
    }

    /// The share of a user; it exists as long as a connection holds it.
    pub(super) fn of(&self, uid: u32) -> Arc<UserShares> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = users.get(&uid).and_then(Weak::upgrade) {
            return share;
        }
        users.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(UserShares {
            connections: semaphore(self.limits.connections_per_user),
            streams: semaphore(self.limits.streams_per_user),
            bytes: semaphore(self.limits.bytes_per_user / BYTES_PER_PERMIT),
            all_streams: self.streams.clone(),
            all_bytes: self.bytes.clone(),
        });
        users.insert(uid, Arc::downgrade(&share));
        share
    }
}

impl UserShares {
    /// A permit for one more stream, if there is one.
    pub(super) fn stream(&self) -> Option<Held> {
        let own = self.streams.clone().try_acquire_owned().ok()?;
        let all = self.all_streams.clone().try_acquire_owned().ok()?;
        Some(Held(own, all))
    }

    /// Waits for permits for so many bytes. A caller must not hold such permits already.
    pub(super) async fn bytes(&self, bytes: usize) -> Held {
        let permits = permits(bytes);
        let own = acquire(&self.bytes, permits).await;
        Held(own, acquire(&self.all_bytes, permits).await)
    }
}

impl Held {
    /// Releases what is held beyond `bytes`.
    pub(super) fn shrink(&mut self, bytes: usize) {
        for permit in [&mut self.0, &mut self.1] {
            let beyond = permit.num_permits().saturating_sub(permits(bytes) as usize);
            drop(permit.split(beyond));
        }
    }
}

fn semaphore(permits: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits))
}

fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(BYTES_PER_PERMIT)).unwrap_or(u32::MAX)
}

async fn acquire(semaphore: &Arc<Semaphore>, permits: u32) -> OwnedSemaphorePermit {
    let permit = semaphore.clone().acquire_many_owned(permits).await;
    permit.expect("these semaphores are never closed")
}
