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
        shortage: None,
    })
}

/// The end of a process that found the disk full.
fn full(exit_code: i32, rows_read: u64) -> JobEvent {
    let JobEvent::Ended(end) = ended(Some(exit_code), rows_read) else {
        unreachable!("it is an end");
    };
    JobEvent::Ended(ProcessEnd {
        reason: Some("the disk is full".into()),
        shortage: Some(Shortage {
            path: "/o".into(),
            needed_bytes: 1_000,
            free_bytes: 10,
            quota: false,
        }),
        ..end
    })
}

fn after(events: impl IntoIterator<Item = JobEvent>) -> Job {
    let mut job = submitted(Mode::Refuse);
    for event in events {
        job.apply(event, 200, &POLICY).unwrap();
    }
    job
}

use JobEvent::{
    Admitted, Begun, CancelAsked, DrainAsked, NotSpawned, Opened, Orphaned, SpaceFound, Spawned,
};

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
        ("waits for space", with(at_work(), full(1, 5))),
        ("done", with(at_work(), ended(Some(0), 9))),
        ("failed", with(at_work(), ended(Some(2), 0))),
        ("cancelled", after([CancelAsked])),
    ]
}

/// What each event makes of each situation; `-` is impossible. Columns: admitted, spawned, not
/// spawned, begun, opened, cancel asked, changed, drain asked, ended with 0, 1, 75, killed, orphaned, ended with 1 and
/// with 75 for a full disk, space found.
const TABLE: &str = "
queued:                         S - - - - C Q - - - - - - - - -
admitted:                       - S I - - X S X - - - - I - - -
planning:                       - - - R - X S X I F I I I I I -
running:                        - - - - R X R X D F I I I I I -
cancelled before it is spawned: - X C - - X X X - - - - C - - -
planning and cancelled:         - - - - - X X X C C C C C C C -
drained while planning:         - - - - - X X X I F I I I I I -
running and cancelled:          - - - - X X X X D C C C C C C -
drained:                        - - - - X X X X D F I I I I I -
interrupted:                    S - - - - C I - - - - - - - - -
waits for space:                S - - - - C I - - - - - - - - I
done:                           - - - - - - - - - - - - - - - -
failed:                         - - - - - - - - - - - - - - - -
cancelled:                      - - - - - - - - - - - - - - - -
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
        full(1, 9),
        full(75, 9),
        SpaceFound,
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
    assert!(
        job.space.is_none() || state == State::Interrupted,
        "{job:?}"
    );
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
fn a_job_waits_for_disk_space_for_ever_and_with_growing_pauses() {
    let mut job = running();
    job.apply(full(75, 40), 0, &POLICY).unwrap();
    let mut pauses: Vec<Millis> = job.course.retry_at.into_iter().collect();
    for _ in 0..40 {
        assert!(job.note_full_disk(Some(20), 0));
        pauses.extend(job.course.retry_at);
    }
    assert_eq!(
        pauses[..9],
        [1, 2, 4, 8, 16, 32, 64, 128, 180].map(|seconds| seconds * 1_000)
    );
    assert!(
        pauses[9..]
            .iter()
            .all(|pause| *pause == space::PAUSE_MS_MAX)
    );
    let waits = job.course.space.clone().unwrap();
    assert_eq!((waits.shortage.free_bytes, waits.since), (20, 0));
    // Attempts that find the disk full again are no failures, and the pause does not begin anew.
    for _ in 0..20 {
        for event in [SpaceFound, Admitted, Spawned(process()), Begun, full(1, 40)] {
            job.apply(event, 0, &POLICY).unwrap();
        }
        assert_eq!(
            (job.course.state, job.course.failures),
            (State::Interrupted, 0)
        );
        assert_eq!(job.course.retry_at, Some(space::PAUSE_MS_MAX));
    }
    // Progress makes it short again.
    for event in [SpaceFound, Admitted, Spawned(process()), Begun, full(1, 41)] {
        job.apply(event, 0, &POLICY).unwrap();
    }
    assert_eq!(job.course.retry_at, Some(1_000));
    job.apply(SpaceFound, 7, &POLICY).unwrap();
    assert_eq!(
        (job.course.space.as_ref(), job.course.retry_at),
        (None, Some(7))
    );
    assert!(!job.note_full_disk(None, 8));
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
        State::Interrupted if job.course.space.is_some() => {
            vec![SpaceFound, SpaceFound, CancelAsked, raised()]
        }
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
            possible.extend([
                ended(Some(75), rows),
                ended(None, rows),
                full(1, rows),
                Orphaned,
            ]);
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

/// A job that waits for job 3, which must be done, and for job 4, which must have ended.
fn waiting_for_two() -> Job {
    let mut submission = Submission::plain();
    submission.options.after = vec![JobId(3)];
    submission.options.after_any = vec![JobId(4)];
    submission.options.unmet = vec![JobId(3), JobId(4)];
    Job::new(JobId(17), submission, 100)
}

#[test]
fn a_job_waits_until_those_before_it_have_ended_as_they_must() {
    let ended = JobEvent::DependencyEnded;
    let mut job = waiting_for_two();
    assert_eq!(job.course.waits_for_jobs, [JobId(3), JobId(4)]);
    assert_eq!(job.submission.options.unmet, []);
    assert!(job.clone().apply(Admitted, 1, &POLICY).is_err());
    job.apply(ended(JobId(4), State::Failed), 1, &POLICY)
        .unwrap();
    assert_eq!((job.course.state, job.course.seq), (State::Queued, 2));
    assert!(
        job.clone()
            .apply(ended(JobId(4), State::Done), 1, &POLICY)
            .is_err()
    );
    let waits = job.clone();
    job.apply(ended(JobId(3), State::Done), 1, &POLICY).unwrap();
    job.apply(Admitted, 2, &POLICY).unwrap();

    for (state, words) in [
        (State::Failed, "has failed"),
        (State::Cancelled, "was cancelled"),
    ] {
        let mut job = waits.clone();
        job.apply(ended(JobId(3), state), 9, &POLICY).unwrap();
        assert_eq!(job.course.state, State::Cancelled);
        assert_eq!((job.course.ended_at, job.course.ending), (Some(9), None));
        let error = job.course.error.unwrap();
        assert!(error.contains("job 3") && error.contains(words), "{error}");
    }
    let mut cancelled = waits;
    cancelled.apply(CancelAsked, 9, &POLICY).unwrap();
    assert_eq!(cancelled.course.waits_for_jobs, []);
}

#[test]
fn a_job_without_retries_fails_at_its_first_interruption_without_progress() {
    let mut submission = Submission::plain();
    submission.options.retries = Some(0);
    let mut job = Job::new(JobId(17), submission, 100);
    for event in [Admitted, Spawned(process()), Begun, ended(None, 5)] {
        job.apply(event, 200, &POLICY).unwrap();
    }
    // It got further.
    assert_eq!(job.course.state, State::Interrupted);
    for event in [Admitted, Spawned(process()), Begun, ended(None, 5)] {
        job.apply(event, 300, &POLICY).unwrap();
    }
    assert_eq!((job.course.state, job.course.attempts), (State::Failed, 2));
}
