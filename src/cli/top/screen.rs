//! The terminal: the program's own screen, which is given back at every end, and what comes from it.

use std::{
    io::{self, IsTerminal, Stdout},
    panic,
    sync::mpsc::SyncSender,
    thread,
};

use ratatui::{
    Frame, Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor::Show,
        event, execute,
        terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use super::Input;
use crate::cli::CliError;

/// The program's own screen. When it is dropped, the terminal is as before.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Whether standard input and output are terminals.
    pub(super) fn is_possible() -> bool {
        io::stdin().is_terminal() && io::stdout().is_terminal()
    }

    /// Takes the terminal. A panic gives it back before it is reported, and ends the program, on whichever thread it
    /// is.
    pub(super) fn open() -> Result<Self, CliError> {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            give_back();
            report(panic);
            std::process::exit(crate::cli::Exit::Failed as i32);
        }));
        enable_raw_mode().map_err(failed)?;
        let terminal = execute!(io::stdout(), EnterAlternateScreen)
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        terminal.map(|terminal| Self { terminal }).map_err(|error| {
            give_back();
            failed(error)
        })
    }

    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> Result<(), CliError> {
        self.terminal.draw(draw).map(drop).map_err(failed)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// The terminal as before. If it is gone, there is nothing to give back.
fn give_back() {
    let _ = disable_raw_mode();
    let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
}

fn failed(error: io::Error) -> CliError {
    CliError::Terminal(crate::store::plain(&error))
}

/// Passes on what comes from the terminal.
pub(super) fn read_keys(inputs: SyncSender<Input>) -> Result<(), CliError> {
    let read = move || {
        loop {
            let input = match event::read() {
                Ok(event) => Input::Terminal(event),
                Err(error) => Input::Broken(crate::store::plain(&error)),
            };
            let last = matches!(input, Input::Broken(_));
            if inputs.send(input).is_err() || last {
                return;
            }
        }
    };
    let thread = thread::Builder::new().name("keys".into()).spawn(read);
    thread.map(drop).map_err(failed)
}

/// SIGTERM, SIGHUP and SIGINT end the program, and the terminal is given back.
pub(super) fn listen_for_signals(inputs: &SyncSender<Input>) -> Result<(), CliError> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).map_err(failed)?;
    let inputs = inputs.clone();
    let wait = move || {
        if signals.forever().next().is_some() {
            // The loop may have ended by itself.
            inputs.send(Input::Quit).ok();
        }
    };
    let thread = thread::Builder::new().name("signals".into()).spawn(wait);
    thread.map(drop).map_err(failed)
}
