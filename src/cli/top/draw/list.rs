//! The first screen: the node, the jobs, and more of the selected one.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::Line,
    widgets::{Block, Borders, Paragraph},
};

use super::{
    super::{
        look::Look,
        model::{Link, Model},
    },
    Drawn, node, one, table, trouble,
};
use crate::cli::jobs::shown;

/// Rows from which on there is a pane for the selected job.
const ROWS_FOR_PANE: u16 = 17;

pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    model: &Model,
    look: Look,
    before: Drawn,
) -> Drawn {
    let mut head = vec![trouble(model, look).unwrap_or_else(|| node::title(model, look))];
    if let Some(node) = &model.node {
        let lines = node::resources(node, look, area.width.into());
        // A third of the screen at most.
        let room = usize::from(area.height / 3).saturating_sub(1);
        head.extend(lines.into_iter().take(room));
    }
    let pane = match area.height >= ROWS_FOR_PANE && model.selected().is_some() {
        true => (area.height * 2 / 5).clamp(7, 16),
        false => 0,
    };
    let [head_area, list, pane] = Layout::vertical([
        Constraint::Length(head.len() as u16),
        Constraint::Min(0),
        Constraint::Length(pane),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(head), head_area);
    let drawn = table::draw(frame, list, model, look, before);
    if model.link == Link::Up && drawn.rows == 0 {
        let text = match model.jobs.is_empty() {
            true => "no jobs; molsieve submit adds one",
            false => "no job has this; Esc shows all",
        };
        let below_head = Rect {
            y: list.y + list.height.min(1),
            height: list.height.saturating_sub(1).min(1),
            ..list
        };
        frame.render_widget(Line::styled(text, look.faint()), below_head);
    }
    if let Some((job, _)) = model.selected()
        && pane.height > 0
    {
        let title = format!(" {} ", shown::title(job));
        let block = Block::new().borders(Borders::TOP).title(title);
        let inner = block.inner(pane);
        frame.render_widget(block, pane);
        one::pane(frame, inner, model, job, look);
    }
    drawn
}
