//! `molsieve top`: a live view of the daemon on the terminal.
//!
//! | module | what |
//! |---|---|
//! | `model` | what is shown, and how keys and answers change it; pure |
//! | `messages` | requests to the daemon and its answers |
//! | `keys` | keys and what they mean |
//! | `order`, `rates` | the order and the filter of the jobs; their rates over time |
//! | `feed` | the requests to the daemon, in two threads |
//! | `screen` | the terminal: set up, given back |
//! | `draw`, `look` | the drawing |
//!
//! One thread waits for inputs, changes the model and draws. Keys, answers and signals arrive through one bounded
//! channel. Nothing in that thread waits for the daemon.

mod draw;
mod feed;
mod keys;
mod look;
mod messages;
mod model;
mod order;
mod rates;
#[cfg(test)]
mod samples;
mod screen;

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use ratatui::crossterm::event::{Event, KeyEventKind};

use self::{
    draw::{Drawn, draw},
    feed::Feed,
    look::Look,
    messages::Answer,
    model::{Effect, Model},
    screen::Screen,
};
use super::{CliError, Exit, jobs::SocketArgs, live::Live};

/// Inputs that wait to be handled.
const INPUTS_MAX: usize = 64;
/// Longest time between two drawings: ages are in seconds.
const DRAW_EVERY: Duration = Duration::from_secs(1);

/// `molsieve top`.
#[derive(clap::Args, Debug)]
pub(super) struct TopArgs {
    #[command(flatten)]
    daemon: SocketArgs,
    /// Seconds between two looks at the daemon, 0.2 to 60
    #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    interval: Duration,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.2..=60.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("must be a number from 0.2 to 60".into()),
    }
}

/// What the loop waits for.
#[derive(Debug)]
enum Input {
    /// From the terminal.
    Terminal(Event),
    /// From the daemon.
    Answer(Answer),
    /// A signal asks the program to end.
    Quit,
    /// The terminal can no longer be read; why.
    Broken(String),
}

/// `molsieve top`.
pub(super) fn top(args: &TopArgs) -> Result<Exit, CliError> {
    if !Screen::is_possible() || !Live::is_possible() {
        return Err(CliError::NoTerminal);
    }
    let place = args.daemon.place()?;
    let (inputs, waiting) = sync_channel(INPUTS_MAX);
    let feed = Feed::start(&place, args.interval, &inputs)?;
    screen::listen_for_signals(&inputs)?;
    let mut screen = Screen::open()?;
    screen::read_keys(inputs)?;
    let uid = rustix::process::geteuid().as_raw();
    let model = Model::new(uid, args.interval);
    let end = Loop { model, feed }.run(&mut screen, &waiting);
    drop(screen);
    // The threads of the feed hold it until the process has ended.
    place.close();
    end.map(|()| Exit::Done)
}

struct Loop {
    model: Model,
    feed: Feed,
}

impl Loop {
    /// Draws and handles inputs until one ends the program.
    fn run(mut self, screen: &mut Screen, inputs: &Receiver<Input>) -> Result<(), CliError> {
        let colours = Live::has_colours();
        let mut drawn = Drawn::default();
        loop {
            let look = Look {
                colours,
                now: Timestamp::now(),
                at: Instant::now(),
            };
            let model = &self.model;
            screen.draw(|frame| drawn = draw(frame, model, look, drawn))?;
            (self.model.page, self.model.rows) = (drawn.page, drawn.rows);
            let first = match inputs.recv_timeout(DRAW_EVERY) {
                Ok(input) => Some(input),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            self.model.tick(Instant::now());
            // Whatever has arrived together is drawn once.
            for input in first.into_iter().chain(inputs.try_iter().take(INPUTS_MAX)) {
                if self.handle(input)? {
                    return Ok(());
                }
            }
        }
    }

    /// Returns whether the program ends.
    fn handle(&mut self, input: Input) -> Result<bool, CliError> {
        let now = Instant::now();
        let effect = match input {
            Input::Terminal(Event::Key(key)) if key.kind != KeyEventKind::Release => {
                let action = keys::action(self.model.mode(), key);
                action.and_then(|action| self.model.act(action, now))
            }
            // The next drawing has the new size.
            Input::Terminal(_) => None,
            Input::Answer(answer) => self.model.take(answer, now),
            Input::Quit => Some(Effect::Quit),
            Input::Broken(why) => return Err(CliError::Terminal(why)),
        };
        match effect {
            Some(Effect::Quit) => return Ok(true),
            Some(Effect::Ask(request)) if !self.feed.ask(request) => {
                self.model.not_sent(request, now);
            }
            _ => {}
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_bounded() {
        for (text, milliseconds) in [("1", 1_000), ("0.2", 200), ("60", 60_000)] {
            assert_eq!(seconds(text), Ok(Duration::from_millis(milliseconds)));
        }
        for text in ["0", "0.1", "61", "-1", "NaN", "inf", "x", ""] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
