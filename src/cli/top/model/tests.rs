//! Keys and answers, without a terminal.

use super::*;
use crate::{
    cli::top::samples::{job, node},
    daemon::job::State,
};

const UID: u32 = 1000;

fn model() -> (Model, Instant) {
    (Model::new(UID, Duration::from_secs(1)), Instant::now())
}

fn listing(jobs: &[JobView]) -> Answer {
    Answer::Listing(Box::new(Listing {
        jobs: jobs.to_vec(),
        node: node(jobs),
    }))
}

/// A model with these jobs, all but the last of user `ada`.
fn with(states: &[State]) -> (Model, Instant, Vec<JobView>) {
    let (mut model, now) = model();
    let jobs = states.iter().enumerate();
    let mut jobs: Vec<JobView> = jobs.map(|(at, state)| job(at as u64 + 1, *state)).collect();
    if let Some(last) = jobs.last_mut() {
        last.user.uid = UID + 1;
    }
    model.take(listing(&jobs), now);
    (model, now, jobs)
}

fn selected(model: &Model) -> Option<u64> {
    model.selected().map(|(job, _)| job.id.0)
}

#[test]
fn the_selection_stays_with_its_job() {
    use State::{Done, Queued, Running};
    let (mut model, now, mut jobs) = with(&[Queued, Queued, Queued, Queued]);
    assert_eq!(selected(&model), Some(1));
    model.act(Action::Move(1), now);
    model.act(Action::Move(1), now);
    assert_eq!(selected(&model), Some(3));
    // The job moves up in the list.
    jobs[2].state = Running;
    model.take(listing(&jobs), now);
    assert_eq!(
        model.selected().map(|(job, place)| (job.id.0, place)),
        Some((3, 0))
    );
    // It is gone: the job in its place.
    jobs.remove(2);
    model.take(listing(&jobs), now);
    assert_eq!(selected(&model), Some(1));
    model.act(Action::Last, now);
    assert_eq!(selected(&model), Some(4));
    model.act(Action::Page(-1), now);
    model.act(Action::Move(-5), now);
    assert_eq!(selected(&model), Some(1));
    model.take(listing(&[]), now);
    assert_eq!(selected(&model), None);
    model.act(Action::Watch, now);
    assert_eq!(
        (&model.view, model.note()),
        (&View::List, Some("no job is selected"))
    );
    model.take(listing(&[job(9, Done)]), now);
    assert_eq!(selected(&model), Some(9));
}

#[test]
fn a_job_is_cancelled_after_a_yes_only() {
    let (mut model, now, _) = with(&[State::Running, State::Done]);
    assert_eq!(model.act(Action::Cancel, now), None);
    assert_eq!(model.mode(), Mode::Question);
    assert_eq!(model.act(Action::Answer(false), now), None);
    assert_eq!((&model.overlay, model.mode()), (&None, Mode::Browse));
    model.act(Action::Cancel, now);
    let effect = model.act(Action::Answer(true), now);
    assert_eq!(effect, Some(Effect::Ask(Request::Cancel(1))));
    // A job that works is not removed, and one that has ended not cancelled.
    model.act(Action::Remove, now);
    assert_eq!(model.overlay, None);
    assert!(model.note().unwrap().contains("only an ended job"));
    model.act(Action::Last, now);
    model.act(Action::Cancel, now);
    assert_eq!(model.note(), Some("job 2 has ended: it is done"));
    model.act(Action::Remove, now);
    let effect = model.act(Action::Answer(true), now);
    assert_eq!(effect, Some(Effect::Ask(Request::Remove(2))));
}

#[test]
fn a_priority_is_shown_at_once_and_until_the_daemon_has_it() {
    let (mut model, now, jobs) = with(&[State::Queued, State::Queued]);
    model.act(Action::Last, now);
    let raise = |model: &mut Model, priority| {
        let effect = model.act(Action::Priority(1), now);
        assert_eq!(effect, Some(Effect::Ask(Request::Priority(2, priority))));
    };
    raise(&mut model, 1);
    raise(&mut model, 2);
    // It comes first now, is selected still, and a poll from before changes nothing.
    model.take(listing(&jobs), now);
    let place = |model: &Model| {
        model
            .selected()
            .map(|(job, place)| (job.id.0, job.priority, place))
    };
    assert_eq!(place(&model), Some((2, 2, 0)));
    model.take(Answer::Done(Request::Priority(2, 1), "done".into()), now);
    model.take(listing(&jobs), now);
    assert_eq!(place(&model), Some((2, 2, 0)));
    let refused = Answer::Refused(Request::Priority(2, 2), "only an admin".into());
    model.take(refused, now);
    model.take(listing(&jobs), now);
    assert_eq!(place(&model), Some((2, 0, 1)));
    assert_eq!(model.note(), Some("only an admin"));
    for _ in 0..30 {
        model.act(Action::Priority(-1), now);
    }
    assert_eq!(place(&model), Some((2, -10, 1)));
    assert_eq!(model.note(), Some("a priority is from -10 to 10"));
    model.not_sent(Request::Priority(2, -10), now);
    assert!(model.note().unwrap().contains("slow"));
}

#[test]
fn a_filter_is_typed_and_removed() {
    let (mut model, now, _) = with(&[State::Running, State::Queued, State::Queued]);
    model.act(Action::Filter, now);
    assert_eq!(model.mode(), Mode::Typing);
    for c in "queuedd".chars() {
        model.act(Action::Type(c), now);
    }
    assert_eq!((model.shown().len(), selected(&model)), (0, None));
    model.act(Action::Erase, now);
    assert_eq!((model.shown().len(), selected(&model)), (2, Some(2)));
    model.act(Action::Accept, now);
    assert_eq!(model.filtered().unwrap(), "2 jobs with \"queued\"");
    model.act(Action::Mine, now);
    assert_eq!(model.filtered().unwrap(), "1 job of yours with \"queued\"");
    model.act(Action::Back, now);
    assert_eq!((model.shown().len(), model.filtered()), (3, None));
    model.act(Action::Filter, now);
    for _ in 0..2 * FILTER_CHARS_MAX {
        model.act(Action::Type('é'), now);
    }
    assert_eq!(model.filter.text.chars().count(), FILTER_CHARS_MAX);
    model.act(Action::Back, now);
    assert_eq!(
        (model.filter.text.as_str(), model.mode()),
        ("", Mode::Browse)
    );
}

#[test]
fn a_daemon_that_goes_away_keeps_its_last_jobs_and_comes_back() {
    let (mut model, now, jobs) = with(&[State::Running]);
    model.take(Answer::Lost("gone".into()), now);
    let later = now + Duration::from_secs(9);
    model.take(Answer::Lost("still gone".into()), later);
    assert_eq!(model.link, Link::Lost(now, "still gone".into()));
    assert_eq!(selected(&model), Some(1));
    model.take(listing(&jobs), later);
    assert_eq!(
        (&model.link, model.note()),
        (&Link::Up, Some("the daemon answers again"))
    );
    assert!(model.tick(later + NOTE_STAYS) && model.note().is_none());
    assert_eq!(model.silent_since(later + Duration::from_secs(4)), None);
    assert_eq!(
        model.silent_since(later + Duration::from_secs(6)),
        Some(later)
    );
}

#[test]
fn a_log_is_asked_for_again_while_its_job_works() {
    let (mut model, now, mut jobs) = with(&[State::Running]);
    let ask = Some(Effect::Ask(Request::Log(1)));
    assert_eq!(model.act(Action::Log, now), ask);
    // One request at a time.
    assert_eq!(model.take(listing(&jobs), now), None);
    let lines = |n: usize| Ok((0..n).map(|line| line.to_string()).collect());
    model.take(Answer::Log(1, lines(30)), now);
    (model.page, model.rows) = (10, 30);
    let below = |model: &Model| match &model.view {
        View::Log(log) => log.below,
        _ => panic!("no log"),
    };
    model.act(Action::Page(-1), now);
    assert_eq!(below(&model), 10);
    assert_eq!(model.take(listing(&jobs), now), ask);
    // Whoever reads further up keeps the place.
    model.take(Answer::Log(1, lines(35)), now);
    assert_eq!(below(&model), 15);
    model.act(Action::First, now);
    assert_eq!(below(&model), 20);
    model.act(Action::Last, now);
    assert_eq!(below(&model), 0);
    // The log of another job, or an error, changes no line.
    model.take(Answer::Log(2, lines(1)), now);
    model.take(Answer::Log(1, Err("broken".into())), now);
    assert_eq!(model.note(), Some("broken"));
    jobs[0].state = State::Done;
    assert_eq!(model.take(listing(&jobs), now), None);
    // The job is removed meanwhile.
    model.take(listing(&[]), now);
    assert_eq!(
        (&model.view, model.note()),
        (&View::List, Some("job 1 is no longer listed"))
    );
}

#[test]
fn keys_lead_back_to_the_list_and_out() {
    let (mut model, now, _) = with(&[State::Running]);
    model.act(Action::Help, now);
    assert_eq!(model.overlay, Some(Overlay::Help));
    assert_eq!(model.act(Action::Leave, now), None);
    assert_eq!(model.overlay, None);
    for leave in [Action::Leave, Action::Back] {
        model.act(Action::Watch, now);
        assert_eq!(model.view, View::Watch(1));
        assert_eq!(model.act(leave, now), None);
        assert_eq!(model.view, View::List);
    }
    assert_eq!(model.act(Action::Leave, now), Some(Effect::Quit));
    model.act(Action::Cancel, now);
    assert_eq!(model.act(Action::Quit, now), Some(Effect::Quit));
}
