//! Keys, and what they mean: in a list, in a text that is typed, in a question.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What the user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Moves the selection or the text by lines; up if negative.
    Move(i32),
    /// Moves by pages.
    Page(i32),
    /// To the first line.
    First,
    /// To the last line.
    Last,
    /// Shows one job on the whole screen.
    Watch,
    /// Shows the log of a job.
    Log,
    /// Cancels a job, after a question.
    Cancel,
    /// Changes the priority of a job by so much.
    Priority(i32),
    /// Removes an ended job from the list, after a question.
    Remove,
    /// Begins to type a filter.
    Filter,
    /// Shows only the user's own jobs, or all.
    Mine,
    /// Shows the keys.
    Help,
    /// Back to the list; from the list without a filter.
    Back,
    /// Back to the list; from the list, ends the program.
    Leave,
    /// Ends the program.
    Quit,
    /// Answers a question.
    Answer(bool),
    /// Adds to the filter.
    Type(char),
    /// Removes the last character of the filter.
    Erase,
    /// Keeps the filter.
    Accept,
}

/// What a key is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// A list or a text.
    Browse,
    /// A question to be answered with y or n.
    Question,
    /// A text that is typed.
    Typing,
}

/// The action of a key; none if it has no meaning.
pub(super) fn action(mode: Mode, key: KeyEvent) -> Option<Action> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Action::Quit),
            _ => None,
        };
    }
    match mode {
        Mode::Browse => browse(key.code),
        Mode::Question => question(key.code),
        Mode::Typing => typing(key.code),
    }
}

fn browse(code: KeyCode) -> Option<Action> {
    Some(match code {
        KeyCode::Up | KeyCode::Char('k') => Action::Move(-1),
        KeyCode::Down | KeyCode::Char('j') => Action::Move(1),
        KeyCode::PageUp => Action::Page(-1),
        KeyCode::PageDown | KeyCode::Char(' ') => Action::Page(1),
        KeyCode::Home | KeyCode::Char('g') => Action::First,
        KeyCode::End | KeyCode::Char('G') => Action::Last,
        KeyCode::Enter | KeyCode::Char('w') => Action::Watch,
        KeyCode::Char('l') => Action::Log,
        KeyCode::Char('c') => Action::Cancel,
        KeyCode::Char('+' | '=') => Action::Priority(1),
        KeyCode::Char('-') => Action::Priority(-1),
        KeyCode::Char('r') => Action::Remove,
        KeyCode::Char('/') => Action::Filter,
        KeyCode::Char('u') => Action::Mine,
        KeyCode::Char('?') | KeyCode::F(1) => Action::Help,
        KeyCode::Esc => Action::Back,
        KeyCode::Char('q') => Action::Leave,
        _ => return None,
    })
}

fn question(code: KeyCode) -> Option<Action> {
    match code {
        KeyCode::Char('y' | 'Y') => Some(Action::Answer(true)),
        KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc => Some(Action::Answer(false)),
        _ => None,
    }
}

fn typing(code: KeyCode) -> Option<Action> {
    match code {
        KeyCode::Char(c) => Some(Action::Type(c)),
        KeyCode::Backspace => Some(Action::Erase),
        KeyCode::Enter => Some(Action::Accept),
        KeyCode::Esc => Some(Action::Back),
        _ => None,
    }
}

/// Every key and what it does, for the help.
pub(super) const HELP: [(&str, &str); 14] = [
    ("↑ ↓ k j", "select a job, or move the log"),
    ("PgUp PgDn", "move by a page"),
    ("Home End g G", "to the first or the last"),
    ("Enter w", "watch the job on the whole screen"),
    ("l", "show the log of the job"),
    ("c", "cancel the job; asks first"),
    ("+ -", "raise or lower the priority of the job"),
    ("r", "remove an ended job from the list; asks first"),
    ("/", "show only jobs that have a text"),
    ("u", "show only your own jobs, or all"),
    ("Esc", "back; in the list: without the filter"),
    ("?", "this help"),
    ("q", "back; in the list: quit"),
    ("Ctrl-C", "quit"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn press(mode: Mode, code: KeyCode) -> Option<Action> {
        action(mode, KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn a_key_means_what_the_mode_says() {
        let c = KeyCode::Char('c');
        assert_eq!(press(Mode::Browse, c), Some(Action::Cancel));
        assert_eq!(press(Mode::Typing, c), Some(Action::Type('c')));
        assert_eq!(press(Mode::Question, c), None);
        assert_eq!(press(Mode::Browse, KeyCode::Char('x')), None);
        for mode in [Mode::Browse, Mode::Typing, Mode::Question] {
            let interrupt = KeyEvent::new(c, KeyModifiers::CONTROL);
            assert_eq!(action(mode, interrupt), Some(Action::Quit));
        }
        let no = Some(Action::Answer(false));
        assert_eq!(press(Mode::Question, KeyCode::Esc), no);
        let yes = press(Mode::Question, KeyCode::Char('y'));
        assert_eq!(yes, Some(Action::Answer(true)));
        let shifted = KeyEvent::new(KeyCode::Char('G'), KeyModifiers::SHIFT);
        assert_eq!(action(Mode::Browse, shifted), Some(Action::Last));
    }
}
