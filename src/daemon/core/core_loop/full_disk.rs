//! A full disk of the state directory.
//!
//! While it is full, the core takes what ends jobs, deletes them or keeps running ones going, with space from the
//! store's reserve. It refuses new jobs and changes, starts no waiting job, and drops what job processes write into
//! their logs, with a note in the log afterwards. It checks every second whether there is space, makes the reserve whole,
//! and then goes back to normal. While there is space, it looks every [`LOOK_EVERY`], so that `/readyz` reports a full
//! disk before a request meets it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{CoreLoop, STORE_PAUSE};
use crate::{
    daemon::{
        core::{
            message::{Message, ProcessMessage},
            take,
        },
        job::JobId,
        snapshot::Figures,
        store::{JobStoreError, Tx},
    },
    units::ByteSize,
};

/// Longest time between two looks at the disk.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(15);

/// What is known of the disk of the state directory.
#[derive(Debug, Default)]
pub(super) struct FullDisk {
    /// Since when it is full.
    since: Option<Instant>,
    /// When it was looked at last.
    looked: Option<Instant>,
    /// Bytes that were dropped of logs, by job.
    dropped: BTreeMap<JobId, u64>,
}

impl FullDisk {
    /// Whether it is full.
    pub(super) fn is_full(&self) -> bool {
        self.since.is_some()
    }
}

impl CoreLoop {
    /// Commits what a full disk must not prevent, and refuses or drops the rest.
    pub(super) fn commit_from_reserve(&mut self, batch: Vec<Message>) {
        self.note_full_disk();
        let batch: Vec<Message> = batch
            .into_iter()
            .filter_map(|message| self.admissible(message))
            .collect();
        let (terms, settings) = (self.terms(), self.shared.settings());
        let waiting = (&self.waits, settings.as_ref());
        let work = |tx: &Tx<'_>| take::take_all(tx, &batch, &terms, waiting);
        let effects = self.store.write_from_reserve(work);
        match effects {
            Ok(effects) => {
                for (message, effect) in batch.into_iter().zip(effects) {
                    self.follow(message, effect);
                }
            }
            Err(error) => self.not_stored(batch, &error),
        }
    }

    /// The message, unless it only adds to the store: then it is refused or dropped.
    fn admissible(&mut self, message: Message) -> Option<Message> {
        match message {
            Message::Submit(..) | Message::Set(..) => {
                let refusal = self.shared.state_full();
                message.answer(Err(refusal), || Ok(Figures::default()));
                None
            }
            Message::Process(id, ProcessMessage::Said(text)) => {
                *self.full_disk.dropped.entry(id).or_default() += text.len() as u64;
                None
            }
            message => Some(message),
        }
    }

    /// The disk has no space for a change.
    pub(super) fn note_full_disk(&mut self) {
        if self.full_disk.is_full() {
            return;
        }
        self.full_disk.since = Some(Instant::now());
        self.shared.set_state_full(true);
        let settings = self.shared.settings();
        let state = settings.state_dir.display();
        tracing::error!(
            "{state}: the disk is full: no job is accepted or started until there is space"
        );
        // Jobs that ended long ago are forgotten earlier than in an hour.
        self.again.push(Message::Prune);
    }

    /// Makes the reserve whole if it is not, and notes whether there is space for new jobs.
    pub(super) fn look_at_state_disk(&mut self) {
        let (_, whole) = self.store.reserve();
        let is_full = self.full_disk.is_full();
        let pause = match whole && !is_full {
            true => LOOK_EVERY,
            false => STORE_PAUSE,
        };
        let looked = self.full_disk.looked;
        if looked.is_some_and(|at: Instant| at.elapsed() < pause) {
            return;
        }
        self.full_disk.looked = Some(Instant::now());
        self.store.refill();
        match self.store.has_space(!is_full) {
            Ok(true) => self.note_space(),
            Ok(false) => self.note_full_disk(),
            Err(error) => tracing::error!("{error}"),
        }
    }

    /// The disk has space again.
    fn note_space(&mut self) {
        let Some(since) = self.full_disk.since.take() else {
            return;
        };
        self.shared.set_state_full(false);
        let settings = self.shared.settings();
        let state = settings.state_dir.display();
        let seconds = Duration::from_secs(since.elapsed().as_secs());
        tracing::info!("{state}: the disk has space again, after {seconds:?}");
        let dropped = std::mem::take(&mut self.full_disk.dropped);
        let noted = self.store.write(|tx| {
            dropped.iter().try_for_each(|(id, bytes)| {
                let bytes = ByteSize(*bytes);
                let note = format!(
                    "\nmolsieve: {bytes} of this log were dropped: the disk of the daemon's state directory was full\n"
                );
                tx.append_log(*id, note.as_bytes())
            })
        });
        if let Err(error) = noted {
            // They are noted when there is space the next time.
            let error: JobStoreError = error;
            tracing::warn!("{error}");
            self.full_disk.dropped = dropped;
        }
    }
}
