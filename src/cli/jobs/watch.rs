//! Watching a job to its end: `molsieve watch` and `molsieve submit --wait`.

use tokio::signal::unix::{SignalKind, signal};

use super::{line_of, shown};
use crate::{
    cli::{CliError, Exit, progress::Display, say, say_aside},
    daemon::{
        client::{Client, WatchEvent, Watched},
        job::State,
        view::JobView,
    },
    report::{
        answer::ClientAnswer,
        event::{Event, Progress},
    },
};

/// Shows `job` until it has ended. Returns the exit code for it.
pub(super) fn watch(client: &Client, job: &JobView, json: bool) -> Result<Exit, CliError> {
    let mut view = View::new(job.id.0, json);
    view.state(job);
    if job.state.is_final() {
        return Ok(view.end(job));
    }
    if let Some(progress) = &job.progress {
        view.take(WatchEvent::Progress(progress.clone()));
    }
    let watched = client.watch(job.id.0, job.seq, asked_to_leave(), &mut |event| {
        view.take(event)
    });
    if let Some(display) = &view.display {
        display.clear();
    }
    match watched? {
        Watched::Ended(job) => Ok(view.end(&job)),
        Watched::Left => Ok(view.leave()),
    }
}

/// Ready when this process receives SIGINT (Ctrl-C) or SIGTERM.
pub(in crate::cli) async fn asked_to_leave() {
    let (interrupt, terminate) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    );
    let (Ok(mut interrupt), Ok(mut terminate)) = (interrupt, terminate) else {
        // Without handlers a signal ends this process, and the job continues.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

struct View {
    id: u64,
    /// None with `--json`.
    display: Option<Display>,
    /// The job's last progress.
    progress: Progress,
    /// The state that was shown last, and how many jobs the job waited for.
    shown: Option<(State, usize)>,
}

impl View {
    fn new(id: u64, json: bool) -> Self {
        Self {
            id,
            display: (!json).then(Display::new),
            progress: Progress::default(),
            shown: None,
        }
    }

    fn take(&mut self, event: WatchEvent) {
        match event {
            WatchEvent::State(job) => self.state(&job),
            WatchEvent::Progress(progress) => match &mut self.display {
                Some(display) => {
                    self.progress = *progress;
                    display.show(|| self.progress.clone());
                }
                None => say(&Event::Progress(progress).line()),
            },
            WatchEvent::Lost => self.say("the daemon does not answer; waiting for it to return"),
            WatchEvent::Back => self.say("the daemon answers again"),
        }
    }

    /// Writes a line to standard error, with `--json` too.
    fn say(&self, text: &str) {
        match &self.display {
            Some(display) => display.say(text),
            None => say_aside(text),
        }
    }

    fn state(&mut self, job: &JobView) {
        if self.display.is_none() {
            return say(&line_of(ClientAnswer::State { job }));
        }
        let now = (job.state, job.waits_for_jobs.len());
        // The end is shown by `end`. Not every event changes the state.
        if !job.state.is_final() && self.shown.replace(now) != Some(now) {
            let stands = shown::stands(job, jiff::Timestamp::now());
            self.say(&format!("job {} {stands}", self.id));
        }
    }

    fn end(&self, job: &JobView) -> Exit {
        if self.display.is_some() {
            let text = shown::ended(job, &self.progress);
            match job.state {
                State::Done => say(&text),
                _ => self.say(&text),
            }
        }
        shown::exit(job)
    }

    fn leave(&self) -> Exit {
        if self.display.is_none() {
            say(&line_of(ClientAnswer::Left { id: self.id }));
        }
        self.say(&format!(
            "job {0} continues; molsieve watch {0} shows it again",
            self.id
        ));
        Exit::Stopped
    }
}
