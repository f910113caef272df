//! One job: the pane below the list, the whole screen, its log.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph, Sparkline, Wrap},
};

use super::{
    super::{
        look::Look,
        model::{LogView, Model},
    },
    Drawn, done_of, trouble,
};
use crate::{
    cli::{jobs::shown, progress},
    daemon::view::JobView,
    report::event::Progress,
    units::{count, percent},
};

/// Columns from which on the rates are beside the facts.
const COLUMNS_FOR_RATES: u16 = 90;
/// Rows of the rates below the facts.
const RATES_ROWS: u16 = 3;

/// The pane below the list.
pub(super) fn pane(frame: &mut Frame<'_>, area: Rect, model: &Model, job: &JobView, look: Look) {
    let rates = job.state.holds_process();
    let [facts, rates] = match rates {
        true if area.width >= COLUMNS_FOR_RATES => {
            let columns = [Constraint::Fill(3), Constraint::Fill(2)];
            Layout::horizontal(columns).spacing(2).areas(area)
        }
        true if area.height > 4 + RATES_ROWS => {
            let rows = [Constraint::Min(0), Constraint::Length(RATES_ROWS)];
            Layout::vertical(rows).areas(area)
        }
        _ => [area, Rect::ZERO],
    };
    draw_facts(frame, facts, model, job, look);
    draw_rates(frame, rates, model, job, look);
}

fn draw_facts(frame: &mut Frame<'_>, area: Rect, model: &Model, job: &JobView, look: Look) {
    let line = |(label, text): (&str, String)| {
        let label = Span::styled(format!("{label:<10} "), look.faint());
        Line::from(vec![label, Span::raw(text)])
    };
    let lines: Vec<Line<'_>> = facts(model, job, look).into_iter().map(line).collect();
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), area);
}

/// What is known of a job, the most important first.
fn facts(model: &Model, job: &JobView, look: Look) -> Vec<(&'static str, String)> {
    let node = model.node.as_ref().filter(|_| job.state.is_waiting());
    let mut facts = shown::facts(job, node, look.now);
    if let Some(progress) = &job.progress {
        let at = facts.iter().position(|(label, _)| *label == "products");
        let more = counts(progress).map(|text| ("of these", text));
        let busiest = (!progress.busiest.is_empty()).then(|| ("busiest", progress.busiest.clone()));
        let after = at.map_or(facts.len(), |at| at + 1);
        let busiest = busiest.filter(|_| job.state.holds_process());
        facts.splice(after..after, more.into_iter().chain(busiest));
    }
    // Times are in the list already.
    let late = ["submitted", "started", "ended", "exit code", "priority"];
    facts.sort_by_key(|(label, _)| late.contains(label));
    facts
}

/// What became of the products and rows that are not unique products.
fn counts(progress: &Progress) -> Option<String> {
    let counts = &progress.counts;
    let parts = [
        (counts.products_duplicate, "duplicates"),
        (counts.products_filtered, "filtered out"),
        (counts.products_invalid, "invalid"),
        (counts.parents_rejected, "rows rejected"),
        (counts.parents_capped, "rows capped"),
    ];
    let parts = parts.iter().filter(|(n, _)| *n > 0);
    let parts: Vec<String> = parts
        .map(|(n, what)| format!("{} {what}", count(*n)))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn draw_rates(frame: &mut Frame<'_>, area: Rect, model: &Model, job: &JobView, look: Look) {
    if area.height < 2 || area.width == 0 {
        return;
    }
    let rates = model.rates.of(job.id.0, area.width.into());
    let last = rates.last().map_or("-".into(), |rate| count(*rate));
    let most = count(rates.iter().copied().max().unwrap_or(0));
    let [title, bars] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    let text = format!("products/s: {last} now, {most} at most");
    frame.render_widget(Line::styled(text, look.faint()), title);
    frame.render_widget(Sparkline::default().data(rates).style(look.filled()), bars);
}

/// One job on the whole screen.
pub(super) fn watch(
    frame: &mut Frame<'_>,
    area: Rect,
    model: &Model,
    id: u64,
    look: Look,
) -> Drawn {
    let Some(job) = model.job(id) else {
        return Drawn::default();
    };
    let mut head = vec![title(job, look)];
    head.extend(trouble(model, look));
    if let Some(progress) = job.progress.as_deref().filter(|_| !job.state.is_final()) {
        let (done, of) = done_of(progress);
        let share = format!(" {}", percent(done.min(of), of));
        let columns = usize::from(area.width).saturating_sub(share.len() + 1);
        let mut bar = look.bar(done, of, columns).to_vec();
        bar.push(Span::raw(share));
        head.push(Line::from(bar));
        head.extend(
            progress::lines(progress)
                .lines()
                .map(|line| Line::raw(line.to_owned())),
        );
    } else if job.state.is_final() {
        let ended = shown::ended(job, job.progress.as_deref().unwrap_or(&Progress::default()));
        head.extend(ended.lines().map(|line| Line::raw(line.to_owned())));
    }
    head.push(Line::default());
    let rates = match job.state.holds_process() {
        true => area.height.saturating_sub(head.len() as u16 + 6).min(10),
        false => 0,
    };
    let [head_area, rates, facts] = Layout::vertical([
        Constraint::Length(head.len() as u16),
        Constraint::Length(rates),
        Constraint::Min(0),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(head), head_area);
    draw_rates(frame, rates, model, job, look);
    draw_facts(frame, facts, model, job, look);
    Drawn::default()
}

fn title(job: &JobView, look: Look) -> Line<'static> {
    Line::from(vec![
        Span::styled(shown::title(job), look.strong()),
        Span::raw(" · "),
        Span::styled(job.state.name(), look.state(job.state)),
        Span::raw(format!(" · priority {}", job.priority)),
    ])
}

/// The log of a job.
pub(super) fn log(frame: &mut Frame<'_>, area: Rect, log: &LogView, look: Look) -> Drawn {
    let title = format!(" Log of job {} ", log.id);
    let block = Block::new().borders(Borders::TOP).title(title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let Some(lines) = &log.lines else {
        frame.render_widget(Line::styled("asking the daemon …", look.faint()), inner);
        return Drawn::default();
    };
    if lines.is_empty() {
        frame.render_widget(
            Line::styled("its processes have written nothing", look.faint()),
            inner,
        );
    }
    let page = usize::from(inner.height);
    let rows = folded(lines, inner.width.into());
    let end = rows
        .len()
        .saturating_sub(log.below)
        .max(page.min(rows.len()));
    let first = end.saturating_sub(page);
    let visible = rows[first..end].iter().map(|row| Line::raw(row.as_str()));
    frame.render_widget(Paragraph::new(visible.collect::<Vec<_>>()), inner);
    Drawn {
        page,
        rows: rows.len(),
        offset: 0,
    }
}

/// Lines in rows of at most `width` characters.
fn folded(lines: &[String], width: usize) -> Vec<String> {
    let mut rows = Vec::new();
    for line in lines {
        let characters: Vec<char> = line.chars().collect();
        if characters.is_empty() {
            rows.push(String::new());
        }
        rows.extend(
            characters
                .chunks(width.max(1))
                .map(|row| row.iter().collect()),
        );
    }
    rows
}
