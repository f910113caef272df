//! Watching a job to its end: `molsieve watch` and `molsieve submit --wait`.

use std::io::Write;

use serde::Deserialize;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    line_of,
    shown::{self, Shown},
};
use crate::{
    cli::{CliError, Exit, progress::Display, say},
    daemon::{
        client::{Client, Heard, Watched, has_ended},
        job::State,
    },
    report::{answer::ClientAnswer, event::Progress},
};

/// Shows `job` until it has ended; its exit code.
pub(super) fn watch(client: &Client, job: &Value, json: bool) -> Result<Exit, CliError> {
    let first = Shown::read(client, job)?;
    let mut view = View::new(first.id, client, json);
    view.state(job);
    if has_ended(job) {
        return view.end(job);
    }
    if let Some(progress) = job.get("progress").filter(|progress| progress.is_object()) {
        view.hear(Heard::Progress(progress.clone()));
    }
    let watched = client.watch(first.id, first.seq, asked_to_leave(), &mut |heard| {
        view.hear(heard)
    });
    view.clear();
    match watched? {
        Watched::Ended(job) => view.end(&job),
        Watched::Left => Ok(view.leave()),
    }
}

/// Done when this process gets a SIGINT (Ctrl-C) or a SIGTERM.
async fn asked_to_leave() {
    let (interrupt, terminate) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    );
    let (Ok(mut interrupt), Ok(mut terminate)) = (interrupt, terminate) else {
        // Without handlers a signal ends the process, which leaves the job alone too.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

struct View<'a> {
    id: u64,
    client: &'a Client,
    /// None with `--json`.
    display: Option<Display>,
    /// The job's last progress.
    progress: Progress,
    /// Where the job stood when it was told last.
    told: Option<State>,
}

impl<'a> View<'a> {
    fn new(id: u64, client: &'a Client, json: bool) -> Self {
        Self {
            id,
            client,
            display: (!json).then(Display::new),
            progress: Progress::default(),
            told: None,
        }
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::State(job) => self.state(&job),
            Heard::Progress(event) => match &mut self.display {
                Some(display) => {
                    // A daemon of another version may report other things.
                    if let Ok(progress) = Progress::deserialize(&event) {
                        self.progress = progress;
                        display.show(|| self.progress.clone());
                    }
                }
                None => say(&event.to_string()),
            },
            Heard::Lost => self.say("the daemon does not answer; waiting for it to come back"),
            Heard::Back => self.say("the daemon is back"),
        }
    }

    /// Says a line beside what is shown; with `--json` too, to standard error.
    fn say(&self, text: &str) {
        let line = format!("molsieve: {text}");
        match &self.display {
            Some(display) => display.say(&line),
            None => write_line(&line),
        }
    }

    fn state(&mut self, job: &Value) {
        if self.display.is_none() {
            return say(&line_of(ClientAnswer::State { job }));
        }
        let Ok(job) = Shown::read(self.client, job) else {
            return;
        };
        // How it ended is told at the end. Not every event is another state.
        if !job.state.is_final() && self.told.replace(job.state) != Some(job.state) {
            self.say(&format!(
                "job {} {}",
                self.id,
                job.stands(jiff::Timestamp::now())
            ));
        }
    }

    fn clear(&self) {
        if let Some(display) = &self.display {
            display.finish();
        }
    }

    fn end(&self, job: &Value) -> Result<Exit, CliError> {
        let job = Shown::read(self.client, job)?;
        let exit = job.exit();
        if self.display.is_some() {
            let text = shown::ended(&job, &self.progress);
            match job.state {
                State::Done => say(&text),
                _ => self.say(&text),
            }
        }
        Ok(exit)
    }

    fn leave(&self) -> Exit {
        if self.display.is_none() {
            say(&line_of(ClientAnswer::Left { id: self.id }));
        }
        self.say(&format!(
            "job {0} goes on; molsieve watch {0} shows it again",
            self.id
        ));
        Exit::Stopped
    }
}

fn write_line(line: &str) {
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(std::io::stderr(), "{line}");
}
