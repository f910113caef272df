//! The order of the jobs in the list, and which of them are shown.

use std::cmp::Reverse;

use crate::{
    cli::jobs::shown,
    daemon::{job::State, view::JobView},
};

/// Sorts jobs: those with a process first, then the waiting ones in the order of the queue, then those that have
/// ended, the last end first.
pub(super) fn sort(jobs: &mut [JobView]) {
    jobs.sort_by_key(|job| {
        let ended = job.ended_at.map_or(0, |at| at.as_millisecond());
        match job.state {
            state if state.holds_process() => (0, 0, Reverse(0), job.id),
            state if state.is_waiting() => (1, -job.priority, Reverse(0), job.id),
            _ => (2, 0, Reverse(ended), job.id),
        }
    });
}

/// Which jobs are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// Only jobs that have this text, in any case of letters.
    pub(super) text: String,
    /// Only jobs of this user.
    pub(super) uid: Option<u32>,
}

impl Filter {
    /// Whether everything is shown.
    pub(super) fn is_open(&self) -> bool {
        self.text.is_empty() && self.uid.is_none()
    }

    /// Whether a job is shown.
    pub(super) fn takes(&self, job: &JobView) -> bool {
        if self.uid.is_some_and(|uid| uid != job.user.uid) {
            return false;
        }
        let wanted = self.text.to_lowercase();
        let has = |text: &str| text.to_lowercase().contains(&wanted);
        wanted.is_empty()
            || job.id.to_string() == wanted
            || job.name.as_deref().is_some_and(has)
            || has(&shown::user(job))
            || has(job.state.name())
            || job.error.as_deref().is_some_and(has)
            || shown::paths(job).iter().any(|path| has(path))
    }
}

/// The states of jobs that a list asks for together, and the number of jobs to ask for. Lists begin with the newest,
/// so those of one group cannot displace those of another.
pub(super) const GROUPS: [(&[State], u32); 3] = [
    (&[State::Starting, State::Running, State::Stopping], 200),
    (&[State::Queued, State::Interrupted], 300),
    (&[State::Done, State::Failed, State::Cancelled], 100),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::top::samples::job;

    #[test]
    fn active_jobs_come_first_then_the_queue_then_the_last_ended() {
        let mut jobs = vec![
            job(1, State::Done),
            job(2, State::Queued),
            job(3, State::Running),
            job(4, State::Failed),
            job(5, State::Interrupted),
            job(6, State::Starting),
        ];
        jobs[4].priority = 2;
        jobs[0].ended_at = Some("2026-11-30T10:00:00Z".parse().unwrap());
        jobs[3].ended_at = Some("2026-11-30T11:00:00Z".parse().unwrap());
        sort(&mut jobs);
        let ids: Vec<u64> = jobs.iter().map(|job| job.id.0).collect();
        assert_eq!(ids, [3, 6, 5, 2, 4, 1]);
    }

    #[test]
    fn every_state_is_asked_for_once() {
        let mut asked: Vec<State> = GROUPS
            .iter()
            .flat_map(|(states, _)| *states)
            .copied()
            .collect();
        asked.sort();
        let mut all = State::ALL.to_vec();
        all.sort();
        assert_eq!(asked, all);
    }

    #[test]
    fn a_filter_looks_at_what_is_shown_of_a_job() {
        let mut phenols = job(17, State::Running);
        phenols.name = Some("Phenols".into());
        let takes = |text: &str, uid| {
            let filter = Filter {
                text: text.into(),
                uid,
            };
            filter.takes(&phenols)
        };
        for text in ["", "phenol", "RUNNING", "ada", "17", "library.smi", "/out"] {
            assert!(takes(text, None), "{text}");
        }
        assert!(!takes("queued", None) && !takes("1", None));
        assert!(takes("", Some(1000)) && !takes("", Some(1001)));
    }
}
