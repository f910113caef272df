//! The node: what jobs occupy of its budget, its memory and load, its GPUs.

use ratatui::text::{Line, Span};

use super::super::{look::Look, model::Model};
use crate::{
    daemon::{job::State, view::NodeView},
    nvidia::NvidiaDevice,
    units::{ByteSize, count, counted},
};

/// Columns of a bar.
const BAR_COLUMNS: usize = 12;
/// GPUs that have a line; of a node with more, the others are counted.
const GPUS_MAX: usize = 8;

/// The first line: the program, and the number of jobs by state.
pub(super) fn title(model: &Model, look: Look) -> Line<'static> {
    let mut spans = vec![Span::styled("molsieve", look.strong())];
    if let Some(node) = &model.node {
        spans.push(Span::raw(format!(" {}", node.molsieve)));
        for state in State::ALL {
            let jobs = node.jobs.get(&state).copied().unwrap_or(0);
            if jobs > 0 {
                spans.push(Span::raw(" · "));
                let text = format!("{} {state}", count(jobs));
                spans.push(Span::styled(text, look.state(state)));
            }
        }
        if node.jobs.values().sum::<u64>() == 0 {
            spans.push(Span::raw(" · no jobs"));
        }
    }
    if model.unlisted() > 0 {
        let text = format!(" · {} not listed here", count(model.unlisted()));
        spans.push(Span::styled(text, look.faint()));
    }
    Line::from(spans)
}

/// The resources in as few lines of `width` as they need.
pub(super) fn resources(node: &NodeView, look: Look, width: usize) -> Vec<Line<'static>> {
    let (used, budget) = (&node.admitted, &node.budget);
    let memory = [used.memory_bytes, budget.memory_bytes].map(ByteSize);
    let memory = format!("{} of {}", memory[0], memory[1]);
    let threads = format!("{} of {}", used.threads, budget.threads);
    let mut parts = vec![
        part(
            look,
            "memory",
            used.memory_bytes,
            budget.memory_bytes,
            memory,
        ),
        part(
            look,
            "threads",
            used.threads.into(),
            budget.threads.into(),
            threads,
        ),
    ];
    if budget.gpus > 0 {
        let text = format!("{} of {}", used.gpus, budget.gpus);
        parts.push(part(
            look,
            "GPUs",
            used.gpus.into(),
            budget.gpus.into(),
            text,
        ));
    }
    let free = ByteSize(node.memory_available_bytes);
    parts.push(vec![Span::raw(format!("{free} of memory free"))]);
    let [one, five, fifteen] = node.load;
    parts.push(vec![Span::raw(format!(
        "load {one:.1} {five:.1} {fifteen:.1}"
    ))]);
    let mut lines = flow(parts, width);
    lines.extend(devices(&node.devices, look));
    lines
}

/// A resource with its bar.
fn part(look: Look, label: &str, used: u64, all: u64, text: String) -> Vec<Span<'static>> {
    let [filled, rest] = look.bar(used, all, BAR_COLUMNS);
    let label = Span::styled(format!("{label} "), look.faint());
    vec![label, filled, rest, Span::raw(format!(" {text}"))]
}

/// Parts one after the other, in lines of at most `width` unless one part is wider.
fn flow(parts: Vec<Vec<Span<'static>>>, width: usize) -> Vec<Line<'static>> {
    const GAP: &str = "   ";
    let mut lines: Vec<Line<'static>> = Vec::new();
    for part in parts {
        let part = Line::from(part);
        match lines.last_mut() {
            Some(line) if line.width() + GAP.len() + part.width() <= width => {
                line.push_span(Span::raw(GAP));
                line.extend(part.spans);
            }
            _ => lines.push(part),
        }
    }
    lines
}

fn devices(devices: &[NvidiaDevice], look: Look) -> Vec<Line<'static>> {
    let shown = devices.iter().take(GPUS_MAX).enumerate();
    let mut lines: Vec<_> = shown.map(|(at, gpu)| device(at, gpu, look)).collect();
    if devices.len() > GPUS_MAX {
        let more = counted((devices.len() - GPUS_MAX) as u64, "more GPU");
        lines.push(Line::styled(more, look.faint()));
    }
    lines
}

fn device(at: usize, gpu: &NvidiaDevice, look: Look) -> Line<'static> {
    let mut spans = vec![Span::styled(format!("GPU {at} "), look.faint())];
    if let Some(busy) = gpu.utilisation_percent {
        spans.extend(look.bar(busy.into(), 100, BAR_COLUMNS));
        spans.push(Span::raw(format!(" {busy} %  ")));
    }
    if let Some(celsius) = gpu.temperature_celsius {
        spans.push(Span::raw(format!("{celsius} °C  ")));
    }
    if let (Some(all), Some(free)) = (gpu.memory_bytes, gpu.free_bytes) {
        let [used, all] = [all.saturating_sub(free), all].map(ByteSize);
        spans.push(Span::raw(format!("{used} of {all}  ")));
    }
    if let Some(name) = &gpu.name {
        spans.push(Span::raw(name.clone()));
    }
    if !gpu.slowed_by.is_empty() {
        let why = format!("  slowed down: {}", gpu.slowed_by.join(", "));
        spans.push(Span::styled(why, look.alarm()));
    }
    Line::from(spans)
}
