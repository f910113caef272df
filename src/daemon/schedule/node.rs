//! The resources of the node in use, and by whom; what the order of users depends on.

use std::collections::HashMap;

use super::{Running, Turns, Waiting, fits_node, recent::Recent};
use crate::{
    daemon::{
        gpus::GpusLeft,
        job::{Demand, GpuDemand, Millis, Resources},
        quota::{Quota, QuotaRules, Used},
    },
    plan::device_bytes_max,
    units::ByteSize,
};

/// What the order of users depends on, besides the node.
pub(super) struct Order<'a> {
    pub turns: &'a mut Turns,
    pub recent: &'a Recent,
    pub quotas: &'a QuotaRules,
    pub now: Millis,
}

/// A share of the node, in units of 2^-32.
pub(super) type Share = u64;

/// The resources of the node in use, and by whom.
pub(super) struct Node {
    pub budget: Resources,
    free: Resources,
    gpus: GpusLeft,
    users: HashMap<u32, Used>,
}

/// The result of an attempt to start a job.
pub(super) enum Taken {
    /// It starts, perhaps with the GPU of this place.
    Room { place: Option<usize> },
    /// The node has no room.
    NoRoom,
    /// The user's quota holds it back.
    Held,
}

impl Node {
    pub fn new(budget: &Resources, gpus: GpusLeft, running: &[Running]) -> Self {
        let mut node = Self {
            budget: *budget,
            free: *budget,
            gpus,
            users: HashMap::new(),
        };
        for job in running {
            // The budget may be smaller than when they started; then nothing is free.
            node.free.memory_bytes = node
                .free
                .memory_bytes
                .saturating_sub(job.demand.memory_bytes);
            node.free.threads = node.free.threads.saturating_sub(job.demand.threads);
            node.free.gpus = node.free.gpus.saturating_sub(job.gpu.into());
            node.charge(job.uid, &job.demand, job.gpu);
        }
        node
    }

    /// Whether a quota holds back the first job of a user that could run at all.
    pub fn holds_first<'a>(
        &self,
        mut jobs: impl Iterator<Item = &'a Waiting>,
        quotas: &QuotaRules,
    ) -> bool {
        let quota = |job: &Waiting| job.quota(quotas, &self.budget);
        let first =
            jobs.find(|job| self.could_run(&job.demand) && quota(job).allows_alone(&job.demand));
        first.is_some_and(|job| !self.allows(job, &quota(job)))
    }

    /// Whether a job can start when nothing else runs, on GPUs as they are now.
    pub fn could_run(&self, demand: &Demand) -> bool {
        let has_gpu = || self.gpus.could_take(device_bytes(demand));
        fits_node(demand, &self.budget) && (demand.gpu != GpuDemand::One || has_gpu())
    }

    pub fn is_full(&self) -> bool {
        self.free.memory_bytes == 0 || self.free.threads == 0
    }

    fn used(&self, uid: u32) -> Used {
        self.users.get(&uid).copied().unwrap_or_default()
    }

    pub fn allows(&self, waiting: &Waiting, quota: &Quota) -> bool {
        quota.allows(&self.used(waiting.uid), &waiting.demand)
    }

    /// Occupies what a job needs, if the quota allows it and all of it is free.
    pub fn take(&mut self, waiting: &Waiting, quota: &Quota) -> Taken {
        let (uid, demand) = (waiting.uid, &waiting.demand);
        if !self.allows(waiting, quota) {
            return Taken::Held;
        }
        let bytes = device_bytes(demand);
        let may = self.used(uid).gpus < quota.gpus && self.free.gpus > 0;
        let place = match demand.gpu {
            GpuDemand::None => None,
            GpuDemand::IfFree => self.gpus.find(bytes).filter(|_| may),
            GpuDemand::One => match self.gpus.find(bytes) {
                Some(place) => Some(place),
                None => return Taken::NoRoom,
            },
        };
        let gpu = place.is_some();
        let left = || {
            Some(Resources {
                memory_bytes: self.free.memory_bytes.checked_sub(demand.memory_bytes)?,
                threads: self.free.threads.checked_sub(demand.threads)?,
                gpus: self.free.gpus.checked_sub(gpu.into())?,
            })
        };
        let Some(left) = left() else {
            return Taken::NoRoom;
        };
        self.free = left;
        self.charge(uid, demand, gpu);
        if let Some(place) = place {
            self.gpus.take(place, bytes);
        }
        Taken::Room { place }
    }

    fn charge(&mut self, uid: u32, demand: &Demand, gpu: bool) {
        self.users.entry(uid).or_default().add(demand, gpu);
    }

    /// A user's dominant share.
    pub fn share(&self, uid: u32) -> Share {
        self.users.get(&uid).map_or(0, |used| self.share_of(used))
    }

    /// The dominant share of each user who has running jobs, 0 to 1.
    pub fn shares(&self) -> HashMap<u32, f64> {
        let shares = self.users.iter();
        let share = |used| (self.share_of(used) as f64 / WHOLE).min(1.0);
        shares.map(|(uid, used)| (*uid, share(used))).collect()
    }

    fn share_of(&self, used: &Used) -> Share {
        part(used.memory_bytes, self.budget.memory_bytes)
            .max(part(used.threads, self.budget.threads.into()))
            .max(part(used.gpus, self.budget.gpus.into()))
    }
}

/// Memory of a GPU that a job may need.
pub(in crate::daemon) fn device_bytes(demand: &Demand) -> u64 {
    device_bytes_max(ByteSize(demand.memory_bytes), demand.threads)
}

/// The whole node as a share.
pub(super) const WHOLE: f64 = (1_u64 << 32) as f64;

fn part(of: u64, whole: u64) -> Share {
    let part = (u128::from(of) << 32) / u128::from(whole.max(1));
    part.try_into().unwrap_or(Share::MAX)
}
