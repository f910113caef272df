//! Draws the model. What does not fit is left out, down to a terminal of a few columns.

mod list;
mod node;
mod one;
mod table;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::{Block, Clear, Paragraph},
};

use super::{
    keys::HELP,
    look::Look,
    model::{Link, Model, Overlay, View},
};
use crate::{report::event::Progress, units::duration};

/// What the last drawing has shown, which the next keys depend on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Drawn {
    /// Rows of a page.
    pub(super) page: usize,
    /// Rows of the whole text, if it is a text that scrolls.
    pub(super) rows: usize,
    /// The first job of the list on the screen.
    pub(super) offset: usize,
}

/// Draws everything. `before` is what was drawn last.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, look: Look, before: Drawn) -> Drawn {
    let [body, foot] =
        Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(frame.area());
    let drawn = match &model.view {
        View::List => list::draw(frame, body, model, look, before),
        View::Watch(id) => one::watch(frame, body, model, *id, look),
        View::Log(log) => one::log(frame, body, log, look),
    };
    frame.render_widget(footer(model, look), foot);
    if model.overlay == Some(Overlay::Help) {
        help(frame, body, look);
    }
    drawn
}

/// The last line: a question, the filter that is typed, a message, or the keys.
fn footer<'a>(model: &'a Model, look: Look) -> Line<'a> {
    match &model.overlay {
        Some(Overlay::Question(question, _)) => {
            return Line::styled(question.as_str(), look.alarm());
        }
        Some(Overlay::Typing) => {
            let text = Span::styled(format!("/{}", model.filter.text), look.strong());
            let hint = Span::styled("▏ Enter keeps it, Esc removes it", look.faint());
            return Line::from(vec![text, hint]);
        }
        _ => {}
    }
    if let Some(note) = model.note() {
        return Line::styled(note, look.strong());
    }
    let keys = match &model.view {
        View::List => {
            "q quit  ? help  Enter watch  l log  c cancel  +/- priority  r remove  / filter  u mine"
        }
        View::Watch(_) => "Esc back  ? help  l log  c cancel  +/- priority",
        View::Log(_) => "Esc back  ↑ ↓ PgUp PgDn move  End last line  w watch",
    };
    let keys = Span::styled(keys, look.faint());
    match model.filtered().filter(|_| model.view == View::List) {
        Some(filtered) => Line::from(vec![
            Span::styled(filtered, look.strong()),
            Span::styled(" (Esc shows all)  ", look.faint()),
            keys,
        ]),
        None => Line::from(keys),
    }
}

/// How far a job is in its step: done, and all.
fn done_of(progress: &Progress) -> (u64, u64) {
    match progress.settling {
        Some(settling) => (settling.done, settling.of),
        None => (progress.rows_done(), progress.parents),
    }
}

/// What is wrong with the connection.
fn trouble(model: &Model, look: Look) -> Option<Line<'static>> {
    let age = |since| duration(look.at.saturating_duration_since(since));
    let text = match (&model.link, model.silent_since(look.at)) {
        (Link::Connecting, _) => return Some(Line::styled("asking the daemon …", look.faint())),
        (Link::Lost(since, why), _) => {
            format!("no answer for {}: {why}; trying again", age(*since))
        }
        (Link::Up, Some(since)) => format!("the daemon is slow: no answer for {}", age(since)),
        (Link::Up, None) => return None,
    };
    Some(Line::styled(text, look.alarm()))
}

fn help(frame: &mut Frame<'_>, body: Rect, look: Look) {
    let keys = HELP.iter().map(|(keys, what)| {
        let keys = Span::styled(format!(" {keys:<13}"), look.strong());
        Line::from(vec![keys, Span::raw(*what)])
    });
    let lines: Vec<Line<'_>> = keys.collect();
    let width = lines.iter().map(Line::width).max().unwrap_or(0) as u16 + 3;
    let height = lines.len() as u16 + 2;
    let area = body.centered(
        Constraint::Length(width.min(body.width)),
        Constraint::Length(height.min(body.height)),
    );
    frame.render_widget(Clear, area);
    let block = Block::bordered().title(" Keys ");
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

#[cfg(test)]
mod tests;
