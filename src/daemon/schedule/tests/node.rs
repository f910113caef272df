//! A node that runs what the scheduler grants, on a clock of its own, and watches every round.

use std::{collections::BTreeMap, sync::Arc};

use super::*;

/// The half-life of recent use.
pub const HALF_LIFE_MS: Millis = 24 * 3_600_000;

/// A job, when it is submitted, and how long it runs.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    pub waiting: Waiting,
    pub submitted_at: Millis,
    pub runs_ms: Millis,
}

#[derive(Debug)]
pub struct SimulatedNode {
    pub budget: Resources,
    pub now: Millis,
    pub queue: Queue,
    pub waiting: BTreeMap<JobId, Arrival>,
    /// Each with the time of its end.
    pub running: Vec<(Running, Millis)>,
    /// When each was started.
    pub started: BTreeMap<JobId, Millis>,
    pub quotas: QuotaRules,
}

impl SimulatedNode {
    pub fn new(budget: Resources) -> Self {
        Self {
            budget,
            now: 0,
            queue: Queue::default(),
            waiting: BTreeMap::new(),
            running: Vec::new(),
            started: BTreeMap::new(),
            quotas: QuotaRules::default(),
        }
    }

    /// Changes the quotas.
    pub fn set_quotas(&mut self, quotas: QuotaRules) {
        self.queue
            .set_policy(Arc::new(quotas.clone()), HALF_LIFE_MS, self.now);
        self.quotas = quotas;
    }

    /// Changes the budget; what runs goes on.
    pub fn set_budget(&mut self, budget: Resources) {
        self.budget = budget;
    }

    pub fn submit(&mut self, arrival: Arrival) {
        self.waiting.insert(arrival.waiting.id, arrival);
        self.queue.insert(arrival.waiting);
    }

    /// Runs until every arrival has been started.
    pub fn run_all(&mut self, arrivals: &[Arrival]) {
        let mut arrivals = arrivals.iter().peekable();
        loop {
            while let Some(arrival) = arrivals.next_if(|next| next.submitted_at <= self.now) {
                self.submit(*arrival);
            }
            self.round();
            let end = self.running.iter().map(|(_, end)| *end).min();
            let arrival = arrivals.peek().map(|next| next.submitted_at);
            let wake = self.queue.next_wake(self.now);
            match [end, arrival, wake].into_iter().flatten().min() {
                Some(next) => self.now = next,
                None => break,
            }
        }
        assert!(self.waiting.is_empty(), "never started: {:?}", self.waiting);
    }

    /// Ends what has run its time, plays a round and checks it.
    pub fn round(&mut self) -> Vec<Grant> {
        self.running.retain(|(_, end)| *end > self.now);
        let running: Vec<_> = self.running.iter().map(|(running, _)| *running).collect();
        // A changed budget or quota ends a reservation.
        let reserved = self.queue.reserved.filter(|id| {
            let holder = self.queue.get(*id);
            holder.is_some_and(|holder| self.can_run(holder) && !self.is_held(holder))
        });
        let grants = self.queue.round(&self.budget, &running, self.now);
        if let Some(holder) = reserved {
            assert!(grants.first().is_none_or(|first| first.id == holder));
        }
        for grant in &grants {
            // It may have been given the reservation when one that stands before it was not ready.
            if reserved != Some(grant.id) {
                self.check_order(grant);
            }
            self.start(grant);
        }
        self.check_what_still_waits();
        grants
    }

    fn check_order(&self, grant: &Grant) {
        let started = &self.waiting[&grant.id].waiting;
        assert!(started.ready_at <= self.now);
        let before = |other: &&Arrival| {
            let other = &other.waiting;
            (other.uid, other.priority, other.demand, other.exempt)
                == (
                    started.uid,
                    started.priority,
                    started.demand,
                    started.exempt,
                )
                && other.ready_at <= self.now
        };
        let smaller = self.waiting.range(..grant.id).map(|(_, other)| other);
        let overtaken = smaller.filter(before).collect::<Vec<_>>();
        assert!(overtaken.is_empty(), "{started:?} before {overtaken:?}");
        match started.demand.gpu {
            GpuDemand::None => assert!(!grant.gpu),
            GpuDemand::IfFree => {
                let quota = started.quota(&self.quotas, &self.budget);
                let may = self.used(started.uid).gpus < quota.gpus;
                assert_eq!(grant.gpu, may && self.free().gpus > 0);
            }
            GpuDemand::One => assert!(grant.gpu),
        }
    }

    fn start(&mut self, grant: &Grant) {
        let Arrival {
            waiting, runs_ms, ..
        } = self.waiting.remove(&grant.id).unwrap();
        let running = Running {
            id: grant.id,
            uid: waiting.uid,
            demand: waiting.demand,
            gpu: grant.gpu,
        };
        let free = self.free();
        let demand = &waiting.demand;
        assert!(
            demand.memory_bytes <= free.memory_bytes
                && demand.threads <= free.threads
                && u32::from(grant.gpu) <= free.gpus,
            "{waiting:?} exceeds {free:?}"
        );
        self.running.push((running, self.now + runs_ms));
        self.started.insert(grant.id, self.now);
        let (used, quota) = (
            self.used(waiting.uid),
            waiting.quota(&self.quotas, &self.budget),
        );
        assert!(within_quota(&used, &quota), "{used:?} exceeds {quota:?}");
    }

    fn used(&self, uid: u32) -> Used {
        used_by(uid, self.running.iter().map(|(running, _)| *running))
    }

    fn check_what_still_waits(&self) {
        assert_eq!(self.queue.len(), self.waiting.len());
        let free = self.free();
        for (id, arrival) in &self.waiting {
            let waiting = self.queue.get(*id).unwrap();
            assert!(waiting.passed <= PASSES_MAX, "{waiting:?}");
            let could_start = arrival.waiting.ready_at <= self.now
                && fits_node(&waiting.demand, &free)
                && !self.is_held(waiting)
                && !self.waits_for_own(waiting);
            assert!(
                !could_start || self.queue.reserved.is_some(),
                "idle: {waiting:?}"
            );
        }
    }

    /// Whether the quota of its user holds a job back.
    fn is_held(&self, waiting: &Waiting) -> bool {
        let quota = waiting.quota(&self.quotas, &self.budget);
        !quota.allows(&self.used(waiting.uid), &waiting.demand)
    }

    /// Whether a job of the same user waits for the user's quota, and may not be passed any more.
    fn waits_for_own(&self, waiting: &Waiting) -> bool {
        let mut others = self.waiting.keys().filter_map(|id| self.queue.get(*id));
        others.any(|other| {
            other.uid == waiting.uid
                && other.passed == PASSES_MAX
                && self.can_run(other)
                && self.is_held(other)
        })
    }

    /// Whether a job can run at all.
    pub fn can_run(&self, waiting: &Waiting) -> bool {
        let quota = waiting.quota(&self.quotas, &self.budget);
        fits_node(&waiting.demand, &self.budget) && quota.allows_alone(&waiting.demand)
    }

    /// Free resources; nothing of what runs above a budget that was reduced.
    pub fn free(&self) -> Resources {
        let mut free = self.budget;
        for (Running { demand, gpu, .. }, _) in &self.running {
            free = Resources {
                memory_bytes: free.memory_bytes.saturating_sub(demand.memory_bytes),
                threads: free.threads.saturating_sub(demand.threads),
                gpus: free.gpus.saturating_sub(u32::from(*gpu)),
            };
        }
        free
    }
}

/// Whether nothing is above its quota.
fn within_quota(used: &Used, quota: &Quota) -> bool {
    used.running <= quota.running
        && used.threads <= quota.threads
        && used.memory_bytes <= quota.memory_bytes
        && used.gpus <= quota.gpus
}
