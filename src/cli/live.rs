//! A few lines on a terminal that are redrawn in place.
//!
//! The terminal's width may change at any time, and most terminals then wrap the lines again: a line of 80
//! columns takes three rows of 30. So no drawn line is wider than the terminal was, no line ends in blanks, and
//! the next draw moves up by the rows that the lines take now. The cursor stays in the row below.

use std::{
    cell::{Cell, RefCell},
    ffi::OsStr,
    io::Write,
    time::{Duration, Instant},
};

/// Time between two draws.
const DRAW_EVERY: Duration = Duration::from_millis(200);
/// Columns of the bar. A terminal with less than twice as many shows no bar.
const BAR_COLUMNS: usize = 40;
/// Columns of a terminal of unknown width.
const WIDTH_DEFAULT: usize = 80;

/// Lines on the terminal that standard error is.
pub(super) struct Live {
    /// Columns of each drawn line.
    drawn: RefCell<Vec<usize>>,
    drawn_at: Cell<Option<Instant>>,
    colours: bool,
}

impl Live {
    pub(super) fn new() -> Self {
        Self {
            drawn: RefCell::default(),
            drawn_at: Cell::new(None),
            colours: Self::has_colours(),
        }
    }

    /// Whether the terminal can move its cursor.
    pub(super) fn is_possible() -> bool {
        std::env::var_os("TERM").as_deref() != Some(OsStr::new("dumb"))
    }

    /// Whether colours are wanted.
    pub(super) fn has_colours() -> bool {
        std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
    }

    /// Draws `text` with a bar that is filled to `done` of `of`, if it is time.
    pub(super) fn show(&self, text: impl FnOnce() -> (String, u64, u64)) {
        let drawn_at = self.drawn_at.get();
        if drawn_at.is_some_and(|at| at.elapsed() < DRAW_EVERY) {
            return;
        }
        let (text, done, of) = text();
        put(&self.draw(&text, done, of, terminal_size()));
        self.drawn_at.set(Some(Instant::now()));
    }

    /// Removes what is drawn.
    pub(super) fn clear(&self) {
        put(&self.erase(terminal_size().0));
        self.drawn_at.set(None);
    }

    /// The output that redraws `text` on a terminal of `size`.
    fn draw(&self, text: &str, done: u64, of: u64, size: (usize, usize)) -> String {
        let (width, height) = size;
        let mut out = self.erase(width);
        let mut drawn = Vec::new();
        for (i, line) in text.lines().take(height.max(2) - 1).enumerate() {
            // The last column stays free: a terminal may wrap a line that fills it.
            let mut room = width - 1;
            if i == 0 && width >= 2 * BAR_COLUMNS {
                out += &bar(done, of, self.colours);
                out.push(' ');
                room -= BAR_COLUMNS + 1;
            }
            let cut: String = line.chars().take(room).collect();
            let cut = cut.trim_end();
            drawn.push(width - 1 - room + cut.chars().count());
            // A carriage return: a terminal in raw mode adds none.
            out += cut;
            out += "\r\n";
        }
        self.drawn.replace(drawn);
        out
    }

    /// The output that removes the drawn lines, on a terminal of `width` columns.
    fn erase(&self, width: usize) -> String {
        let drawn = self.drawn.take();
        let rows: usize = drawn.iter().map(|line| line.div_ceil(width).max(1)).sum();
        match rows {
            0 => String::new(),
            rows => format!("\r\x1b[{rows}A\x1b[J"),
        }
    }
}

/// A bar of [`BAR_COLUMNS`].
fn bar(done: u64, of: u64, colours: bool) -> String {
    let [filled, rest] = bar_parts(done, of, BAR_COLUMNS);
    let [cyan, dim, end] = match colours {
        true => ["\x1b[36m", "\x1b[2m", "\x1b[0m"],
        false => [""; 3],
    };
    format!("{cyan}{filled}{end}{dim}{rest}{end}")
}

/// The filled part of a bar of so many columns, and the rest.
pub(super) fn bar_parts(done: u64, of: u64, columns: usize) -> [String; 2] {
    let share = done as f64 / of.max(1) as f64;
    let filled = share.clamp(0.0, 1.0) * columns as f64;
    let full = filled as usize;
    let head = usize::from(filled > 0.0 && full < columns);
    let rest = columns - full - head;
    ["━".repeat(full) + &"╸".repeat(head), "─".repeat(rest)]
}

/// Writes in one call, so that no other output comes in between.
fn put(text: &str) {
    // Nobody reads a closed terminal.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Columns and rows of the terminal that standard error is; at least two columns.
fn terminal_size() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    let (columns, rows) = size.map_or((0, 0), |size| (size.ws_col.into(), size.ws_row.into()));
    let or = |size: usize, default| if size == 0 { default } else { size };
    (or(columns, WIDTH_DEFAULT).max(2), or(rows, usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live() -> Live {
        Live {
            colours: false,
            ..Live::new()
        }
    }

    #[test]
    fn a_draw_goes_up_by_the_rows_that_lines_take_after_a_change_of_width() {
        let (live, text) = (live(), "0123456789\nab\n0123456789012345678\n");
        let first = live.draw(text, 0, 1, (15, 24));
        assert_eq!(first, "0123456789\r\nab\r\n01234567890123\r\n");
        // 10, 2 and 14 columns fold into 3, 1 and 4 rows of 4.
        let second = live.draw(text, 0, 1, (4, 24));
        assert_eq!(second, "\r\x1b[8A\x1b[J012\r\nab\r\n012\r\n");
        let third = live.draw(text, 0, 1, (100, 3));
        let bar = "─".repeat(BAR_COLUMNS);
        assert_eq!(third, format!("\r\x1b[3A\x1b[J{bar} 0123456789\r\nab\r\n"));
        assert_eq!(live.erase(100), "\r\x1b[2A\x1b[J");
        assert_eq!(live.erase(100), "", "nothing is left to remove");
    }

    #[test]
    fn a_bar_is_as_wide_whatever_is_done() {
        for (done, of) in [(0, 0), (0, 9), (1, 9), (9, 9), (10, 9), (u64::MAX, 1)] {
            assert_eq!(bar(done, of, false).chars().count(), BAR_COLUMNS);
        }
        assert!(bar(1, 2, false).starts_with(&"━".repeat(20)));
    }
}
