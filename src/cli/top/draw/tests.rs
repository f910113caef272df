//! What is on terminals of several sizes.

use std::time::{Duration, Instant};

use ratatui::{Terminal, backend::TestBackend, style::Color};

use super::*;
use crate::{
    cli::top::{
        keys::Action,
        messages::{Answer, Listing},
        samples::{job, node, progress},
    },
    daemon::{
        job::State,
        view::{JobView, NodeView},
    },
    nvidia::NvidiaDevice,
};

fn look() -> Look {
    Look {
        colours: true,
        now: "2026-11-30T10:00:00Z".parse().unwrap(),
        at: Instant::now(),
    }
}

fn jobs() -> Vec<JobView> {
    use State::{Cancelled, Done, Failed, Interrupted, Queued, Running, Starting, Stopping};
    let states = [
        Running,
        Starting,
        Stopping,
        Queued,
        Interrupted,
        Done,
        Failed,
        Cancelled,
    ];
    let jobs = states.into_iter().enumerate();
    let mut jobs: Vec<JobView> = jobs.map(|(at, state)| job(at as u64 + 1, state)).collect();
    jobs[0].name = Some("phenols of the whole library, methylated".into());
    jobs[0].progress = Some(Box::new(progress(283_499, 500, 1_000)));
    jobs[3].name = Some("\u{1b}[31m苯酚\n".into());
    jobs
}

fn model_of(jobs: &[JobView], node: NodeView) -> Model {
    let mut model = Model::new(1000, Duration::from_secs(1));
    let listing = Listing {
        jobs: jobs.to_vec(),
        node,
    };
    let begin = Instant::now();
    for (second, made) in [(0, 0), (1, 40_000), (2, 100_000)] {
        let mut listing = listing.clone();
        if let Some(progress) = listing
            .jobs
            .first_mut()
            .and_then(|job| job.progress.as_mut())
        {
            progress.counts.products_made = made;
            progress.elapsed_seconds = second as f64;
        }
        model.take(
            Answer::Listing(Box::new(listing)),
            begin + Duration::from_secs(second),
        );
    }
    model
}

fn model() -> Model {
    let jobs = jobs();
    model_of(&jobs, node(&jobs))
}

fn terminal(width: u16, height: u16, model: &Model, look: Look) -> (Terminal<TestBackend>, Drawn) {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let mut drawn = Drawn::default();
    terminal
        .draw(|frame| drawn = draw(frame, model, look, drawn))
        .unwrap();
    (terminal, drawn)
}

/// The screen as lines without blanks at their ends.
fn screen(width: u16, height: u16, model: &Model) -> Vec<String> {
    let (terminal, _) = terminal(width, height, model, look());
    let cells = terminal.backend().buffer().content();
    let rows = cells.chunks(width.into());
    rows.map(|row| {
        let text: String = row.iter().map(|cell| cell.symbol()).collect();
        text.trim_end().to_owned()
    })
    .collect()
}

#[track_caller]
fn assert_has(screen: &[String], texts: &[&str]) {
    for text in texts {
        let found = screen.iter().any(|line| line.contains(text));
        assert!(found, "{text}\n{}", screen.join("\n"));
    }
}

#[test]
fn a_wide_terminal_shows_everything() {
    let screen = screen(160, 50, &model());
    assert_has(
        &screen,
        &[
            "molsieve 0.1.0 · 1 queued · 1 starting · 1 running",
            "memory ━━━━━╸────── 192 MiB of 400 MiB   threads ━━━━━━╸───── 1 of 2   12 GiB of memory free   load 1.5 0.8 0.2",
            "ID  NAME                      USER  STATE        PRIO",
            " 1  phenols of the whole lib  ada   running         0  ━━━━━━╸─────   50.0 %  45,120  141,749  150 MiB of 192 MiB  3 min 05 s     1 h",
            "Job 1  phenols of the whole library, methylated  of ada",
            "state      running: it is running",
            "rows       step 1 of 2: 500 of 1,000 rows, 3 min 05 s left",
            "of these   3 invalid",
            "busiest    chemistry (97 %)",
            "input      /data/library.smi",
            "output     /data/out",
            "products/s: 60,0",
            "q quit  ? help",
        ],
    );
    let at = |text: &str| screen.iter().position(|line| line.contains(text)).unwrap();
    assert!(at("running  ") < at("queued  ") && at("queued  ") < at("done  "));
    // Another user's text moves no cursor.
    assert!(!screen.iter().any(|line| line.contains('\u{1b}')));
}

#[test]
fn a_narrow_terminal_keeps_what_matters() {
    let screen = screen(40, 10, &model());
    assert_has(
        &screen,
        &[
            "molsieve 0.1.0",
            "ID",
            "STATE",
            "running",
            "50.0 %",
            "q quit",
        ],
    );
    assert!(
        !screen.iter().any(|line| line.contains("busiest")),
        "{screen:#?}"
    );
    let screen = self::screen(80, 24, &model());
    assert_has(
        &screen,
        &[
            "NAME",
            "PRIO",
            "LEFT",
            "3 min 05 s",
            "45,120",
            "Job 1",
            "rows       step 1 of 2",
        ],
    );
}

#[test]
fn no_size_panics_whatever_is_shown() {
    let mut model = model();
    let now = Instant::now();
    let views = [
        vec![],
        vec![Action::Help],
        vec![Action::Cancel],
        vec![Action::Filter],
        vec![Action::Watch],
        vec![Action::Log],
        vec![Action::Last],
        vec![Action::Watch, Action::Help],
    ];
    for actions in views {
        for action in actions {
            model.act(action, now);
        }
        let lines = vec!["a long line ".repeat(20), String::new(), "short".into()];
        model.take(Answer::Log(1, Ok(lines)), now);
        for (width, height) in [
            (0, 0),
            (1, 1),
            (2, 3),
            (7, 2),
            (40, 10),
            (39, 9),
            (80, 24),
            (300, 90),
        ] {
            terminal(width, height, &model, look());
        }
        for _ in 0..2 {
            model.act(Action::Back, now);
        }
    }
    terminal(80, 24, &Model::new(1, Duration::from_secs(1)), look());
    let empty = model_of(&[], node(&[]));
    assert_has(
        &screen(80, 24, &empty),
        &["no jobs; molsieve submit adds one"],
    );
}

#[test]
fn a_long_list_scrolls_to_the_selected_job() {
    let jobs: Vec<JobView> = (1..=100).map(|id| job(id, State::Queued)).collect();
    let mut model = model_of(&jobs, node(&jobs));
    model.act(Action::Last, Instant::now());
    let (_, drawn) = terminal(80, 24, &model, look());
    assert_eq!((drawn.rows, drawn.offset), (100, 100 - drawn.page));
    assert_has(&screen(80, 24, &model), &["100  -", "Job 100"]);
    let mut more = node(&jobs);
    more.jobs.insert(State::Done, 1_234);
    let model = model_of(&jobs, more);
    assert_has(&screen(80, 24, &model), &["1,234 not listed here"]);
}

#[test]
fn gpus_have_lines_of_their_own() {
    let jobs = jobs();
    let mut node = node(&jobs);
    node.budget.gpus = 2;
    node.devices = vec![
        NvidiaDevice {
            name: Some("NVIDIA H200".into()),
            memory_bytes: Some(139 << 30),
            free_bytes: Some(127 << 30),
            temperature_celsius: Some(61),
            utilisation_percent: Some(50),
            slowed_by: vec!["power cap".into()],
            ..NvidiaDevice::default()
        },
        NvidiaDevice::default(),
    ];
    let screen = screen(160, 40, &model_of(&jobs, node));
    assert_has(
        &screen,
        &[
            "GPUs ──────────── 0 of 2",
            "GPU 0 ━━━━━━╸───── 50 %  61 °C  12 GiB of 139 GiB  NVIDIA H200  slowed down: power cap",
            "GPU 1",
        ],
    );
}

#[test]
fn a_job_is_watched_on_the_whole_screen() {
    let mut model = model();
    let now = Instant::now();
    model.act(Action::Watch, now);
    assert_has(
        &screen(100, 30, &model),
        &[
            "Job 1  phenols of the whole library, methylated  of ada · running · priority 0",
            "━╸─",
            " 50.0 %",
            "products  100,000 made · ",
            "busiest   chemistry (97 %)",
            "products/s: 60,0",
            "input      /data/library.smi",
        ],
    );
    model.act(Action::Back, now);
    model.act(Action::Last, now);
    model.act(Action::Watch, now);
    assert_has(&screen(100, 30, &model), &["was cancelled"]);
    model.act(Action::Log, now);
    let lines = (0..50).map(|line| format!("line {line}")).collect();
    let id = model.selected().unwrap().0.id.0;
    model.take(Answer::Log(id, Ok(lines)), now);
    let log = screen(60, 12, &model);
    assert_has(&log, &["Log of job", "line 49", "line 40"]);
    assert!(!log.iter().any(|line| line == "line 39"), "{log:#?}");
}

#[test]
fn a_lost_daemon_and_a_question_are_said() {
    let mut model = model();
    let now = Instant::now();
    model.take(Answer::Lost("no daemon listens at /run/s".into()), now);
    model.act(Action::Cancel, now);
    assert_has(
        &screen(100, 30, &model),
        &[
            "no answer for 0.0 s: no daemon listens at /run/s; trying again",
            "Cancel job 1? Its files stay. y/n",
        ],
    );
}

#[test]
fn without_colours_there_are_none() {
    let coloured = |colours| {
        let look = Look { colours, ..look() };
        let (terminal, _) = terminal(160, 50, &model(), look);
        let cells = terminal.backend().buffer().content();
        let coloured =
            |cell: &ratatui::buffer::Cell| cell.fg != Color::Reset || cell.bg != Color::Reset;
        cells.iter().any(coloured)
    };
    assert!(coloured(true) && !coloured(false));
}
