//! A node that runs what the scheduler grants, on a clock of its own, and watches every round.

use std::collections::BTreeMap;

use super::*;

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
        }
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
        let reserved = self.queue.reserved;
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
            (other.uid, other.priority, other.demand)
                == (started.uid, started.priority, started.demand)
                && other.ready_at <= self.now
        };
        let smaller = self.waiting.range(..grant.id).map(|(_, other)| other);
        let overtaken = smaller.filter(before).collect::<Vec<_>>();
        assert!(overtaken.is_empty(), "{started:?} before {overtaken:?}");
        match started.demand.gpu {
            GpuDemand::None => assert!(!grant.gpu),
            GpuDemand::IfFree => assert_eq!(grant.gpu, self.free().gpus > 0),
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
        self.running.push((running, self.now + runs_ms));
        self.started.insert(grant.id, self.now);
        self.free();
    }

    fn check_what_still_waits(&self) {
        assert_eq!(self.queue.len(), self.waiting.len());
        let free = self.free();
        for (id, arrival) in &self.waiting {
            let waiting = self.queue.get(*id).unwrap();
            assert!(waiting.passed <= PASSES_MAX, "{waiting:?}");
            let could_start =
                arrival.waiting.ready_at <= self.now && fits_node(&waiting.demand, &free);
            assert!(
                !could_start || self.queue.reserved.is_some(),
                "idle: {waiting:?}"
            );
        }
    }

    /// Free resources.
    ///
    /// # Panics
    /// If more is taken than there is.
    pub fn free(&self) -> Resources {
        let mut free = self.budget;
        for (Running { demand, gpu, .. }, _) in &self.running {
            let left = || {
                Some(Resources {
                    memory_bytes: free.memory_bytes.checked_sub(demand.memory_bytes)?,
                    threads: free.threads.checked_sub(demand.threads)?,
                    gpus: free.gpus.checked_sub(u32::from(*gpu))?,
                })
            };
            free = left().expect("the node is over-committed");
        }
        free
    }
}
