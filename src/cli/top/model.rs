//! What is shown, and how keys and answers of the daemon change it. Pure: no terminal and no socket.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    keys::{Action, Mode},
    messages::{Answer, Listing, Request},
    order::{self, Filter},
    rates::Rates,
};
use crate::{
    daemon::view::{JobView, NodeView},
    limits::PRIORITY_MAX,
    units::counted,
};

/// How long a message stays.
const NOTE_STAYS: Duration = Duration::from_secs(6);
/// Shortest silence of the daemon that is said, beside the time between two polls.
const SILENCE_MIN: Duration = Duration::from_secs(3);
/// Longest filter, in characters.
const FILTER_CHARS_MAX: usize = 60;

/// What a key or an answer makes the program do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Send a request.
    Ask(Request),
    /// End.
    Quit,
}

/// Whether the daemon answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Link {
    /// It was not asked before.
    Connecting,
    /// It answers.
    Up,
    /// It has not answered since then; why.
    Lost(Instant, String),
}

/// What the screen shows.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum View {
    /// The node and the list of jobs.
    List,
    /// One job.
    Watch(u64),
    /// The log of a job.
    Log(LogView),
}

/// The log of a job.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LogView {
    pub(super) id: u64,
    /// Its last lines; none if there was no answer yet.
    pub(super) lines: Option<Vec<String>>,
    /// Lines below the screen.
    pub(super) below: usize,
    /// Whether an answer is on its way.
    asked: bool,
}

/// What is drawn over the view, or takes the keys.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Overlay {
    /// The keys.
    Help,
    /// A question, and what yes does.
    Question(String, Request),
    /// The filter is being typed.
    Typing,
}

/// All that is shown.
#[derive(Debug)]
pub(super) struct Model {
    /// Jobs in the order of the list, those that the filter hides included.
    pub(super) jobs: Vec<JobView>,
    pub(super) node: Option<NodeView>,
    pub(super) link: Link,
    /// When the daemon listed its jobs last.
    listed: Option<Instant>,
    pub(super) filter: Filter,
    pub(super) view: View,
    pub(super) overlay: Option<Overlay>,
    pub(super) rates: Rates,
    /// A message, and when it goes.
    note: Option<(Instant, String)>,
    /// The selected job, and its place among those that are shown.
    selected: Option<(u64, usize)>,
    /// Priorities that were sent and not confirmed.
    sent: BTreeMap<u64, i32>,
    /// The user of this program.
    uid: u32,
    /// How long a daemon may be silent before that is said.
    patience: Duration,
    /// Rows of a page, and of the whole text, as they were drawn last.
    pub(super) page: usize,
    pub(super) rows: usize,
}

impl Model {
    pub(super) fn new(uid: u32, interval: Duration) -> Self {
        Self {
            jobs: Vec::new(),
            node: None,
            link: Link::Connecting,
            listed: None,
            filter: Filter::default(),
            view: View::List,
            overlay: None,
            rates: Rates::default(),
            note: None,
            selected: None,
            sent: BTreeMap::new(),
            uid,
            patience: 2 * interval + SILENCE_MIN,
            page: 10,
            rows: 0,
        }
    }

    /// What a key is taken for now.
    pub(super) fn mode(&self) -> Mode {
        match self.overlay {
            Some(Overlay::Typing) => Mode::Typing,
            Some(Overlay::Question(..)) => Mode::Question,
            Some(Overlay::Help) | None => Mode::Browse,
        }
    }

    /// The jobs that the filter takes.
    pub(super) fn shown(&self) -> Vec<&JobView> {
        let jobs = self.jobs.iter();
        jobs.filter(|job| self.filter.takes(job)).collect()
    }

    /// The selected job and its place among those that are shown.
    pub(super) fn selected(&self) -> Option<(&JobView, usize)> {
        let (id, place) = self.selected?;
        self.job(id).map(|job| (job, place))
    }

    /// A listed job.
    pub(super) fn job(&self, id: u64) -> Option<&JobView> {
        self.jobs.iter().find(|job| job.id.0 == id)
    }

    /// The message to show.
    pub(super) fn note(&self) -> Option<&str> {
        self.note.as_ref().map(|(_, text)| text.as_str())
    }

    /// Number of jobs that the daemon has and that are not listed.
    pub(super) fn unlisted(&self) -> u64 {
        let all = self
            .node
            .as_ref()
            .map_or(0, |node| node.jobs.values().sum());
        all.saturating_sub(self.jobs.len() as u64)
    }

    /// Since when a daemon that did answer is silent, if that is long.
    pub(super) fn silent_since(&self, now: Instant) -> Option<Instant> {
        let silent = |since: &Instant| now.saturating_duration_since(*since) > self.patience;
        self.listed.filter(silent)
    }

    /// Removes a message that was shown long enough. Returns whether there was one.
    pub(super) fn tick(&mut self, now: Instant) -> bool {
        self.note.take_if(|(until, _)| *until <= now).is_some()
    }

    fn say(&mut self, text: impl Into<String>, now: Instant) {
        self.note = Some((now + NOTE_STAYS, text.into()));
    }

    /// Takes an answer.
    pub(super) fn take(&mut self, answer: Answer, now: Instant) -> Option<Effect> {
        match answer {
            Answer::Listing(listing) => return self.listing(*listing, now),
            Answer::Lost(why) => {
                let since = match self.link {
                    Link::Lost(since, _) => since,
                    _ => now,
                };
                self.link = Link::Lost(since, why);
            }
            Answer::Log(id, lines) => self.log(id, lines, now),
            Answer::Done(request, text) => {
                self.settled(request);
                self.say(text, now);
            }
            Answer::Refused(request, why) => {
                self.settled(request);
                self.say(why, now);
            }
        }
        None
    }

    /// A request that could not be sent, because too many wait for their answers.
    pub(super) fn not_sent(&mut self, request: Request, now: Instant) {
        self.settled(request);
        self.say(
            "the daemon is slow; the last key was not sent, press it again",
            now,
        );
    }

    fn settled(&mut self, request: Request) {
        match request {
            Request::Priority(id, priority) => {
                // A later key may have sent another one.
                if self.sent.get(&id) == Some(&priority) {
                    self.sent.remove(&id);
                }
            }
            Request::Log(_) => {
                if let View::Log(log) = &mut self.view {
                    log.asked = false;
                }
            }
            Request::Cancel(_) | Request::Remove(_) => {}
        }
    }

    fn listing(&mut self, listing: Listing, now: Instant) -> Option<Effect> {
        if let Link::Lost(..) = self.link {
            self.say("the daemon answers again", now);
        }
        self.link = Link::Up;
        self.listed = Some(now);
        self.node = Some(listing.node);
        self.jobs = listing.jobs;
        for job in &mut self.jobs {
            job.priority = *self.sent.get(&job.id.0).unwrap_or(&job.priority);
        }
        order::sort(&mut self.jobs);
        self.rates.take(&self.jobs);
        self.keep_selection();
        let watched = match &self.view {
            View::List => return None,
            View::Watch(id) => *id,
            View::Log(log) => log.id,
        };
        let Some(job) = self.job(watched) else {
            self.view = View::List;
            self.say(format!("job {watched} is no longer listed"), now);
            return None;
        };
        let grows = !job.state.is_final();
        match &self.view {
            View::Log(log) if grows && !log.asked => self.ask_for_log(watched),
            _ => None,
        }
    }

    fn ask_for_log(&mut self, id: u64) -> Option<Effect> {
        if let View::Log(log) = &mut self.view {
            log.asked = true;
        }
        Some(Effect::Ask(Request::Log(id)))
    }

    fn log(&mut self, id: u64, lines: Result<Vec<String>, String>, now: Instant) {
        let View::Log(log) = &mut self.view else {
            return;
        };
        if log.id != id {
            return;
        }
        log.asked = false;
        match lines {
            Ok(lines) => {
                // Whoever reads further up keeps the place.
                if log.below > 0 {
                    let before = log.lines.as_ref().map_or(0, Vec::len);
                    log.below += lines.len().saturating_sub(before);
                }
                log.lines = Some(lines);
            }
            Err(why) => self.say(why, now),
        }
    }

    /// Keeps the selected job selected; if it is gone, the one in its place.
    fn keep_selection(&mut self) {
        let ids: Vec<u64> = self.shown().iter().map(|job| job.id.0).collect();
        let before = self.selected;
        let place = before.and_then(|(id, _)| ids.iter().position(|shown| *shown == id));
        let place = place.or(before.map(|(_, place)| place)).unwrap_or(0);
        self.select(&ids, place);
    }

    fn select(&mut self, ids: &[u64], place: usize) {
        let place = place.min(ids.len().saturating_sub(1));
        self.selected = ids.get(place).map(|id| (*id, place));
    }

    /// Does what a key asks for.
    pub(super) fn act(&mut self, action: Action, now: Instant) -> Option<Effect> {
        if action == Action::Quit {
            return Some(Effect::Quit);
        }
        match self.overlay.take() {
            // Any key ends the help.
            Some(Overlay::Help) => return None,
            Some(Overlay::Question(_, request)) => {
                return (action == Action::Answer(true)).then_some(Effect::Ask(request));
            }
            Some(Overlay::Typing) => {
                self.typed(action);
                return None;
            }
            None => {}
        }
        match action {
            Action::Move(lines) => self.move_by(lines as isize),
            Action::Page(pages) => self.move_by(pages as isize * self.page.max(1) as isize),
            Action::First => self.move_by(isize::MIN / 2),
            Action::Last => self.move_by(isize::MAX / 2),
            Action::Help => self.overlay = Some(Overlay::Help),
            Action::Filter if self.view == View::List => self.overlay = Some(Overlay::Typing),
            Action::Mine if self.view == View::List => self.mine(now),
            Action::Leave if self.view == View::List => return Some(Effect::Quit),
            Action::Back if self.view == View::List => {
                self.filter = Filter::default();
                self.keep_selection();
            }
            Action::Back | Action::Leave => self.view = View::List,
            action => return self.on_job(action, now),
        }
        None
    }

    fn mine(&mut self, now: Instant) {
        self.filter.uid = match self.filter.uid {
            None => Some(self.uid),
            Some(_) => None,
        };
        self.keep_selection();
        self.say(
            match self.filter.uid {
                Some(_) => "only your own jobs; u shows all",
                None => "the jobs of all users that you may see",
            },
            now,
        );
    }

    fn typed(&mut self, action: Action) {
        let text = &mut self.filter.text;
        self.overlay = Some(Overlay::Typing);
        match action {
            Action::Type(c) if text.chars().count() < FILTER_CHARS_MAX => text.push(c),
            Action::Erase => {
                text.pop();
            }
            Action::Accept => self.overlay = None,
            Action::Back => {
                text.clear();
                self.overlay = None;
            }
            _ => {}
        }
        self.keep_selection();
    }

    fn move_by(&mut self, lines: isize) {
        if let View::Log(log) = &mut self.view {
            let last = self.rows.saturating_sub(self.page);
            log.below = log.below.saturating_add_signed(-lines).min(last);
            return;
        }
        if self.view != View::List {
            return;
        }
        let ids: Vec<u64> = self.shown().iter().map(|job| job.id.0).collect();
        let place = self.selected.map_or(0, |(_, place)| place);
        self.select(&ids, place.saturating_add_signed(lines));
    }

    /// The job that keys act on.
    fn target(&self) -> Option<&JobView> {
        match &self.view {
            View::List => self.selected().map(|(job, _)| job),
            View::Watch(id) => self.job(*id),
            View::Log(log) => self.job(log.id),
        }
    }

    fn on_job(&mut self, action: Action, now: Instant) -> Option<Effect> {
        let Some(job) = self.target() else {
            self.say("no job is selected", now);
            return None;
        };
        let (id, state, priority) = (job.id.0, job.state, job.priority);
        match action {
            Action::Watch => self.view = View::Watch(id),
            Action::Log => {
                self.view = View::Log(LogView {
                    id,
                    lines: None,
                    below: 0,
                    asked: false,
                });
                return self.ask_for_log(id);
            }
            Action::Cancel if state.is_final() => {
                self.say(format!("job {id} has ended: it is {state}"), now);
            }
            Action::Cancel => {
                let question = format!("Cancel job {id}? Its files stay. y/n");
                self.overlay = Some(Overlay::Question(question, Request::Cancel(id)));
            }
            Action::Remove if !state.is_final() => {
                self.say(
                    format!("job {id} is {state}; only an ended job is removed"),
                    now,
                );
            }
            Action::Remove => {
                let question =
                    format!("Remove job {id} and its log from the list? Its output stays. y/n");
                self.overlay = Some(Overlay::Question(question, Request::Remove(id)));
            }
            Action::Priority(_) if state.is_final() => {
                self.say(
                    format!("job {id} has ended: its priority is of no use"),
                    now,
                );
            }
            Action::Priority(by) => return self.prioritise(id, priority + by, now),
            _ => {}
        }
        None
    }

    /// Shows the new priority at once, and sends it.
    fn prioritise(&mut self, id: u64, priority: i32, now: Instant) -> Option<Effect> {
        if !(-PRIORITY_MAX..=PRIORITY_MAX).contains(&priority) {
            self.say(
                format!("a priority is from -{PRIORITY_MAX} to {PRIORITY_MAX}"),
                now,
            );
            return None;
        }
        self.sent.insert(id, priority);
        if let Some(job) = self.jobs.iter_mut().find(|job| job.id.0 == id) {
            job.priority = priority;
        }
        order::sort(&mut self.jobs);
        self.keep_selection();
        Some(Effect::Ask(Request::Priority(id, priority)))
    }

    /// What the filter leaves of the list, in words.
    pub(super) fn filtered(&self) -> Option<String> {
        if self.filter.is_open() {
            return None;
        }
        let jobs = counted(self.shown().len() as u64, "job");
        let own = self.filter.uid.map_or("", |_| " of yours");
        let text = match self.filter.text.as_str() {
            "" => String::new(),
            text => format!(" with \"{text}\""),
        };
        Some(format!("{jobs}{own}{text}"))
    }
}

#[cfg(test)]
mod tests;
