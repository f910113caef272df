//! The jobs as a table. Columns that do not fit are left out, the least important first.

use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Rect},
    text::{Line, Span},
    widgets::{Row, Table, TableState},
};

use super::{
    super::{look::Look, model::Model},
    Drawn, done_of,
};
use crate::{
    cli::jobs::shown,
    daemon::{job::State, view::JobView},
    units::{ByteSize, count, duration},
};

/// Columns of the bar of a job.
const BAR_COLUMNS: usize = 12;
/// Place of the name among the columns.
const NAME: usize = 1;
/// Width of the names where there is little room.
const NAME_WIDTH_MIN: usize = 14;
/// Columns between two columns.
const GAP: usize = 2;

struct Column {
    title: &'static str,
    right: bool,
    /// Columns with higher numbers are left out first; 0 stays.
    leave: u8,
    /// Widest that it gets.
    width_max: usize,
    cell: fn(&JobView, Look) -> Line<'static>,
}

const fn column(
    title: &'static str,
    right: bool,
    leave: u8,
    width_max: usize,
    cell: fn(&JobView, Look) -> Line<'static>,
) -> Column {
    Column {
        title,
        right,
        leave,
        width_max,
        cell,
    }
}

static COLUMNS: [Column; 12] = [
    column("ID", true, 0, 20, |job, _| job.id.to_string().into()),
    column("NAME", false, 3, 24, |job, _| {
        job.name.as_deref().map_or("-".into(), shown::plain).into()
    }),
    column("USER", false, 7, 12, |job, _| shown::user(job).into()),
    column("STATE", false, 0, 22, |job, look| {
        Line::styled(shown::state(job), look.state(job.state))
    }),
    column("PRIO", true, 5, 4, |job, _| job.priority.to_string().into()),
    column("", false, 6, BAR_COLUMNS, bar),
    column("ROWS", true, 0, 12, |job, _| shown::share(job).into()),
    column("PER S", true, 2, 14, |job, _| rate(job).into()),
    column("UNIQUE", true, 4, 20, |job, _| unique(job).into()),
    column("MEMORY", true, 8, 24, |job, _| memory(job).into()),
    column("LEFT", true, 1, 14, |job, _| left(job).into()),
    column("SINCE", true, 9, 8, |job, look| since(job, look).into()),
];

const NOTHING: &str = "-";

fn bar(job: &JobView, look: Look) -> Line<'static> {
    let progress = job.progress.as_deref().filter(|_| !job.state.is_final());
    match progress {
        Some(progress) if job.state == State::Running || job.state == State::Stopping => {
            let (done, of) = done_of(progress);
            Line::from(look.bar(done, of, BAR_COLUMNS).to_vec())
        }
        _ => Line::default(),
    }
}

fn rate(job: &JobView) -> String {
    match &job.progress {
        Some(progress) if job.state == State::Running => count(progress.products_per_second),
        _ => NOTHING.into(),
    }
}

fn unique(job: &JobView) -> String {
    let progress = job.progress.as_ref();
    progress.map_or(NOTHING.into(), |progress| {
        count(progress.counts.products_unique)
    })
}

fn memory(job: &JobView) -> String {
    let allowed = ByteSize(job.demand.memory_bytes);
    match &job.progress {
        _ if job.state.is_final() => NOTHING.into(),
        Some(progress) if job.state.holds_process() => {
            format!("{} of {allowed}", ByteSize(progress.memory_bytes))
        }
        _ => allowed.to_string(),
    }
}

fn left(job: &JobView) -> String {
    let progress = job
        .progress
        .as_ref()
        .filter(|_| job.state == State::Running);
    let seconds = progress.and_then(|progress| match progress.settling {
        Some(_) => None,
        None => progress.remaining_seconds,
    });
    let time = seconds.and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok());
    time.map_or(NOTHING.into(), duration)
}

/// How long the job is in what its state says: waiting, working, or ended.
fn since(job: &JobView, look: Look) -> String {
    let since = match job.state {
        State::Queued => Some(job.submitted_at),
        state if state.is_final() => job.ended_at,
        _ => job.started_at,
    };
    let since = since.unwrap_or(job.submitted_at);
    shown::age(shown::between(since, look.now))
}

/// Draws the jobs that the filter takes.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    model: &Model,
    look: Look,
    before: Drawn,
) -> Drawn {
    let jobs = model.shown();
    let cells: Vec<Vec<Line<'static>>> = jobs
        .iter()
        .map(|job| {
            COLUMNS
                .iter()
                .map(|column| (column.cell)(job, look))
                .collect()
        })
        .collect();
    let widths = widths(&cells, area.width.into());
    let kept = fitting(&widths, area.width.into());
    let pick = |mut row: Vec<Line<'static>>| {
        let cells = kept.iter().map(|at| {
            let cell = std::mem::take(&mut row[*at]);
            match COLUMNS[*at].right {
                true => cell.alignment(Alignment::Right),
                false => cell,
            }
        });
        Row::new(cells.collect::<Vec<_>>())
    };
    let rows: Vec<Row<'static>> = cells.into_iter().map(pick).collect();
    let head = COLUMNS
        .iter()
        .map(|column| Line::from(Span::raw(column.title)));
    let head = pick(head.collect()).style(look.strong());
    let constraints = kept.iter().map(|at| Constraint::Length(widths[*at] as u16));
    let table = Table::new(rows, constraints)
        .header(head)
        .column_spacing(GAP as u16)
        .row_highlight_style(look.selected());
    let mut state = TableState::new()
        .with_offset(before.offset)
        .with_selected(model.selected().map(|(_, place)| place));
    frame.render_stateful_widget(table, area, &mut state);
    Drawn {
        page: usize::from(area.height.saturating_sub(1)),
        rows: jobs.len(),
        offset: state.offset(),
    }
}

/// The width of each column. Where not all of them fit, names are cut first.
fn widths(cells: &[Vec<Line<'static>>], room: usize) -> Vec<usize> {
    let width = |(at, column): (usize, &Column)| {
        let widest = cells.iter().map(|row| row[at].width()).max();
        let widest = widest.unwrap_or(0).max(column.title.len());
        widest.min(column.width_max)
    };
    let mut widths: Vec<usize> = COLUMNS.iter().enumerate().map(width).collect();
    let taken: usize = widths.iter().map(|width| width + GAP).sum();
    if taken > room + GAP {
        widths[NAME] = widths[NAME].min(NAME_WIDTH_MIN);
    }
    widths
}

/// The columns that fit into `room`.
fn fitting(widths: &[usize], room: usize) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..COLUMNS.len()).filter(|at| widths[*at] > 0).collect();
    loop {
        let taken: usize = kept.iter().map(|at| widths[*at] + GAP).sum();
        let next = kept.iter().max_by_key(|at| COLUMNS[**at].leave);
        match next {
            Some(next) if taken > room + GAP && COLUMNS[*next].leave > 0 => {
                let next = *next;
                kept.retain(|at| *at != next);
            }
            _ => return kept,
        }
    }
}
