//! Names of users. A look-up may ask a directory server and take long. So it never runs on the main thread, one
//! runs at a time, and results are cached.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use nix::unistd::{Uid, User};

use crate::limits::HTTP_USER_NAMES_MAX;

/// How long a result is cached.
const BELIEVED: Duration = Duration::from_secs(600);

#[derive(Default)]
pub(super) struct Names {
    known: Mutex<HashMap<u32, (Instant, Option<String>)>>,
    looking: tokio::sync::Mutex<()>,
}

impl Names {
    /// The name of a user, if there is one.
    pub(super) async fn of(&self, uid: u32) -> Option<String> {
        if let Some(name) = self.known(uid) {
            return name;
        }
        let _only = self.looking.lock().await;
        if let Some(name) = self.known(uid) {
            return name;
        }
        let name = tokio::task::spawn_blocking(move || look_up(uid)).await;
        let name = name.unwrap_or_default();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= HTTP_USER_NAMES_MAX {
            known.clear();
        }
        known.insert(uid, (Instant::now(), name.clone()));
        name
    }

    fn known(&self, uid: u32) -> Option<Option<String>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked, name) = known.get(&uid)?;
        (asked.elapsed() < BELIEVED).then(|| name.clone())
    }
}

fn look_up(uid: u32) -> Option<String> {
    let user = User::from_uid(Uid::from_raw(uid)).ok()??;
    Some(user.name)
}
