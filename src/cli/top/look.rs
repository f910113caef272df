//! Colours and bars. With NO_COLOR there are none of the former; bold, dim and reversed text remain.

use std::time::Instant;

use jiff::Timestamp;
use ratatui::{
    style::{Color, Modifier, Style},
    text::Span,
};

use crate::{cli::live::bar_parts, daemon::job::State};

/// How things look, and the time that it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) colours: bool,
    pub(super) now: Timestamp,
    pub(super) at: Instant,
}

impl Look {
    fn colour(self, colour: Color) -> Style {
        match self.colours {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }

    pub(super) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Something is wrong.
    pub(super) fn alarm(self) -> Style {
        self.colour(Color::Red).add_modifier(Modifier::BOLD)
    }

    pub(super) fn filled(self) -> Style {
        self.colour(Color::Cyan)
    }

    /// The style of a state.
    pub(super) fn state(self, state: State) -> Style {
        match state {
            State::Running => self.colour(Color::Green),
            State::Starting | State::Stopping | State::Interrupted => self.colour(Color::Yellow),
            State::Failed => self.colour(Color::Red),
            State::Queued => Style::new(),
            State::Done | State::Cancelled => self.faint(),
        }
    }

    /// A bar of so many columns.
    pub(super) fn bar(self, done: u64, of: u64, columns: usize) -> [Span<'static>; 2] {
        let [filled, rest] = bar_parts(done, of, columns);
        [
            Span::styled(filled, self.filled()),
            Span::styled(rest, self.faint()),
        ]
    }
}
