use proptest::prelude::*;

use super::*;
use crate::units::ByteSize;

const POLICY: RetryPolicy = RetryPolicy {
    failures_max: 8,
    first_delay_ms: 1_000,
    delay_ms_max: 300_000,
};

fn submitted(mode: Mode) -> Job {
    let submission = Submission {
        mode,
        ..Submission::plain()
    };
    Job::new(JobId(17), submission, 100)
}

fn process() -> ProcessIdentity {
    ProcessIdentity {
        pid: 4_321,
        started_ticks: 99,
        boot_id: "b".into(),
    }
}

fn ended(exit_code: Option<i32>, rows_read: u64) -> JobEvent {
    JobEvent::Ended(ProcessEnd {
        exit_code,
        reason: None,
        rows_read,
        progress: None,
    })
}

fn after(events: impl IntoIterator<Item = JobEvent>) -> Job {
    let mut job = submitted(Mode::Refuse);
    for event in events {
        job.apply(event, 200, &POLICY).unwrap();
    }
    job
}

use JobEvent::{Admitted, Begun, CancelAsked, DrainAsked, NotSpawned, Opened, Orphaned, Spawned};

fn raised() -> JobEvent {
    JobEvent::Changed(JobChange {
        priority: Some(3),
        ..JobChange::default()
    })
}

fn running() -> Job {
    after([Admitted, Spawned(process()), Begun])
}

/// A job in each situation that matters, its name first.
fn situations() -> Vec<(&'static str, Job)> {
    let planning = || vec![Admitted, Spawned(process())];
    let at_work = || [planning(), vec![Begun]].concat();
    let with = |mut events: Vec<JobEvent>, last| {
        events.push(last);
        after(events)
    };
    vec![
        ("queued", after([])),
        ("admitted", after([Admitted])),
        ("planning", after(planning())),
        ("running", after(at_work())),
        (
            "cancelled before it is spawned",
            after([Admitted, CancelAsked]),
        ),
        ("planning and cancelled", with(planning(), CancelAsked)),
        ("drained while planning", with(planning(), DrainAsked)),
        ("running and cancelled", with(at_work(), CancelAsked)),
        ("drained", with(at_work(), DrainAsked)),
        ("interrupted", with(at_work(), ended(None, 5))),
        ("done", with(at_work(), ended(Some(0), 9))),
        ("failed", with(at_work(), ended(Some(2), 0))),
        ("cancelled", after([CancelAsked])),
    ]
}

/// What each event makes of each situation; `-` is impossible. Columns: admitted, spawned, not
/// spawned, begun, opened, cancel asked, changed, drain asked, ended with 0, 1, 75, killed, orphaned.
const TABLE: &str = "
queued:                         S - - - - C Q - - - - - -
admitted:                       - S I - - X S X - - - - I
planning:                       - - - R - X S X I F I I I
running:                        - - - - R X R X D F I I I
cancelled before it is spawned: - X C - - X X X - - - - C
planning and cancelled:         - - - - - X X X C C C C C
drained while planning:         - - - - - X X X I F I I I
running and cancelled:          - - - - X X X X D C C C C
drained:                        - - - - X X X X D F I I I
interrupted:                    S - - - - C I - - - - - -
done:                           - - - - - - - - - - - - -
failed:                         - - - - - - - - - - - - -
cancelled:                      - - - - - - - - - - - - -
";

#[test]
fn every_pair_of_situation_and_happening_is_as_the_table_says() {
    let events = [
        Admitted,
        Spawned(process()),
        NotSpawned("no memory".into()),
        Begun,
        Opened,
        CancelAsked,
        raised(),
        DrainAsked,
        ended(Some(0), 9),
        ended(Some(1), 9),
        ended(Some(75), 9),
        ended(None, 9),
        Orphaned,
    ];
    let letter = |state| match state {
        State::Queued => "Q",
        State::Starting => "S",
        State::Running => "R",
        State::Stopping => "X",
        State::Done => "D",
        State::Failed => "F",
        State::Cancelled => "C",
        State::Interrupted => "I",
    };
    let rows: Vec<_> = TABLE.trim().lines().collect();
    let situations = situations();
    assert_eq!(rows.len(), situations.len());
    for (row, (name, job)) in rows.into_iter().zip(situations) {
        let (row_name, expected) = row.split_once(':').unwrap();
        assert_eq!(row_name, name);
        let found = events.clone().map(|event| {
            let mut next = job.clone();
            match next.apply(event, 300, &POLICY) {
                Ok(()) => {
                    assert_eq!(next.course.seq, job.course.seq + 1);
                    check(&next.course);
                    letter(next.course.state)
                }
                Err(_) => {
                    assert_eq!(next, job, "refused, and changed all the same");
                    "-"
                }
            }
        });
        assert_eq!(found.join(" "), expected.trim(), "{name}");
    }
}

/// What is true of every job.
fn check(job: &Course) {
    let state = job.state;
    assert_eq!(job.ended_at.is_some(), state.is_final(), "{job:?}");
    assert_eq!(
        job.retry_at.is_some(),
        state == State::Interrupted,
        "{job:?}"
    );
    assert_eq!(job.started_at.is_some(), job.attempts > 0, "{job:?}");
    assert!(job.process.is_none() || state.holds_process(), "{job:?}");
    assert!(job.failures <= POLICY.failures_max, "{job:?}");
    assert!(job.begun || !job.opened, "{job:?}");
    match state {
        State::Stopping => assert!(job.ending.is_some(), "{job:?}"),
        State::Cancelled => assert_eq!(job.ending, Some(Ending::Cancel), "{job:?}"),
        State::Done | State::Failed => {
            assert_ne!(job.ending, Some(Ending::Drain), "{job:?}")
        }
        _ => assert_eq!(job.ending, None, "{job:?}"),
    }
    match state {
        State::Done => assert_eq!(job.error, None, "{job:?}"),
        State::Failed | State::Interrupted => assert!(job.error.is_some(), "{job:?}"),
        _ => {}
    }
}

#[test]
fn an_error_names_job_state_and_happening() {
    let mut job = submitted(Mode::Refuse);
    let error = job.apply(ended(Some(0), 1), 300, &POLICY).unwrap_err();
    assert_eq!(
        error.to_string(),
        "job 17: event ended is not possible in state queued"
    );
}

#[test]
fn names_of_states_are_those_in_json() {
    for state in State::ALL {
        assert_eq!(serde_json::to_value(state).unwrap(), state.to_string());
        assert_eq!(State::from_name(state.name()), Some(state));
    }
    assert_eq!(State::from_name("Queued"), None);
}

#[test]
fn a_job_that_gets_no_further_is_given_up_with_the_reason() {
    let mut job = submitted(Mode::Refuse);
    let mut waits = Vec::new();
    while !job.course.state.is_final() {
        job.apply(Admitted, 0, &POLICY).unwrap();
        job.apply(NotSpawned("no such file".into()), 0, &POLICY)
            .unwrap();
        waits.extend(job.course.retry_at);
    }
    assert_eq!(
        (job.course.state, job.course.attempts, job.course.failures),
        (State::Failed, 8, 8)
    );
    assert_eq!(
        waits,
        [1, 2, 4, 8, 16, 32, 64].map(|seconds| seconds * 1_000)
    );
    assert_eq!(
        job.course.error.unwrap(),
        "failed after 8 attempts in a row without progress; the last error: no such file"
    );
}

#[test]
fn what_the_daemon_causes_is_not_counted_and_waits_for_nothing() {
    for last in [Orphaned, DrainAsked] {
        let mut job = running();
        job.apply(last.clone(), 500, &POLICY).unwrap();
        if last == DrainAsked {
            job.apply(ended(Some(75), 0), 500, &POLICY).unwrap();
        }
        assert_eq!(
            (job.course.state, job.course.failures),
            (State::Interrupted, 0)
        );
        assert_eq!(job.course.retry_at, Some(500));
    }
}

#[test]
fn cancel_wins_over_drain_whichever_comes_first() {
    for both in [[CancelAsked, DrainAsked], [DrainAsked, CancelAsked]] {
        let mut job = running();
        for event in both {
            job.apply(event, 500, &POLICY).unwrap();
        }
        job.apply(ended(Some(75), 40), 600, &POLICY).unwrap();
        assert_eq!(job.course.state, State::Cancelled);
        assert_eq!(
            (job.course.ended_at, job.course.exit_code),
            (Some(600), Some(75))
        );
    }
}

#[test]
fn a_change_of_the_priority_changes_nothing_else() {
    for (name, mut job) in situations() {
        let before = job.clone();
        let changed = job.apply(raised(), 700, &POLICY).is_ok();
        assert_eq!(changed, !before.course.state.is_final(), "{name}");
        let mut expected = before;
        if changed {
            expected.submission.priority = 3;
            expected.course.seq += 1;
        }
        assert_eq!(job, expected, "{name}");
        let made = JobChange {
            priority: Some(3),
            ..JobChange::default()
        };
        assert_eq!(made.is_made(&job), changed, "{name}");
        assert!(JobChange::default().is_made(&job));
    }
}

#[test]
fn memory_and_threads_change_only_while_the_job_waits_and_its_settings_with_them() {
    let less = JobChange {
        memory: Some(ByteSize(150 << 20)),
        threads: std::num::NonZeroUsize::new(1),
        ..JobChange::default()
    };
    for (name, mut job) in situations() {
        let before = job.clone();
        let changed = job.apply(JobEvent::Changed(less), 700, &POLICY).is_ok();
        assert_eq!(changed, before.course.state.is_waiting(), "{name}");
        let mut expected = before;
        if changed {
            expected.submission.demand.memory_bytes = 150 << 20;
            expected.submission.demand.threads = 1;
            expected.submission.settings["memory"] = "150MiB".into();
            expected.submission.settings["threads"] = 1.into();
            expected.course.seq += 1;
        }
        assert_eq!(job, expected, "{name}");
        assert_eq!(less.is_made(&job), changed, "{name}");
    }
}

#[test]
fn the_next_attempt_goes_on_with_what_is_there() {
    let modes = |mode| {
        let mut job = submitted(mode);
        let mut modes = vec![job.mode_of_next_attempt()];
        for event in [Admitted, Spawned(process()), Begun, Opened] {
            job.apply(event, 200, &POLICY).unwrap();
            modes.push(job.mode_of_next_attempt());
        }
        modes
    };
    use Mode::{Overwrite, Refuse, Resume};
    assert_eq!(modes(Refuse), [Refuse, Refuse, Refuse, Resume, Resume]);
    assert_eq!(
        modes(Overwrite),
        [Overwrite, Overwrite, Overwrite, Overwrite, Resume]
    );
    assert_eq!(modes(Resume), [Resume; 5]);
}

/// What a supervisor can meet next. `pick` chooses among it, `rows` is how far the worker comes.
fn next_of_a_supervisor(job: &Job, alive: &mut bool, pick: usize, rows: u64) -> Option<JobEvent> {
    let mut possible = match job.course.state {
        State::Queued | State::Interrupted => vec![Admitted, Admitted, CancelAsked, raised()],
        State::Starting | State::Stopping if !*alive => {
            vec![Spawned(process()), NotSpawned("no memory".into()), Orphaned]
        }
        State::Starting => vec![Begun, Begun, ended(Some(2), 0), ended(None, 0)],
        State::Running => vec![Opened, ended(Some(0), rows), ended(Some(4), rows)],
        State::Stopping => vec![ended(Some(0), rows), ended(Some(1), rows), DrainAsked],
        State::Done | State::Failed | State::Cancelled => return None,
    };
    if job.course.state.holds_process() {
        possible.extend([DrainAsked, CancelAsked, raised()]);
        if *alive {
            possible.extend([ended(Some(75), rows), ended(None, rows), Orphaned]);
        }
    }
    let next = possible.swap_remove(pick % possible.len());
    match next {
        Spawned(_) => *alive = true,
        JobEvent::Ended(_) | Orphaned => *alive = false,
        _ => {}
    }
    Some(next)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_a_supervisor_meets_is_possible_and_ends_well(
        steps in prop::collection::vec((any::<usize>(), 0..50u64, 0..100_000i64), 1..200),
    ) {
        let (mut job, mut alive, mut now) = (submitted(Mode::Refuse), false, 0);
        for (pick, rows, passes) in steps {
            now += passes;
            let rows = job.course.rows_reached.saturating_sub(10) + rows;
            let Some(next) = next_of_a_supervisor(&job, &mut alive, pick, rows) else {
                let late = [Admitted, Begun, CancelAsked, raised(), DrainAsked, ended(Some(0), 1), Orphaned];
                for late in late {
                    let end = job.clone();
                    prop_assert!(job.apply(late, now, &POLICY).is_err());
                    prop_assert_eq!(&job, &end);
                }
                break;
            };
            let before = job.clone();
            job.apply(next.clone(), now, &POLICY).unwrap();
            check(&job.course);
            prop_assert_eq!(job.course.seq, before.course.seq + 1);
            prop_assert!(job.course.rows_reached >= before.course.rows_reached);
            if let JobEvent::Ended(end) = next {
                let done = before.course.begun && matches!(end.exit_code, Some(0 | 4));
                prop_assert_eq!(job.course.state == State::Done, done);
                prop_assert_eq!(job.course.exit_code, end.exit_code);
            }
        }
    }

    #[test]
    fn a_job_that_gets_further_each_time_is_never_given_up(
        further in prop::collection::vec((1..1_000u64, 0..8usize), 1..60),
    ) {
        let (mut job, mut rows) = (submitted(Mode::Refuse), 0);
        for (more, stuck) in further {
            rows += more;
            for _ in 0..=stuck {
                for event in [Admitted, Spawned(process()), Begun, ended(None, rows)] {
                    job.apply(event, 0, &POLICY).unwrap();
                }
                prop_assert_eq!(job.course.state, State::Interrupted);
            }
        }
    }

    #[test]
    fn the_wait_grows_and_is_bounded(
        first_delay_ms in 1..i64::MAX,
        delay_ms_max in 1..i64::MAX,
        failures in any::<u32>(),
    ) {
        let policy = RetryPolicy { failures_max: 8, first_delay_ms, delay_ms_max };
        let (wait, next) = (policy.delay_ms(failures), policy.delay_ms(failures.saturating_add(1)));
        prop_assert!(0 < wait && wait <= next && next <= delay_ms_max, "{wait} {next}");
    }
}
