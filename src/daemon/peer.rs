//! Who is at the other end of a connection, and as whom a job runs.
//!
//! The kernel tells the user and group of the process that has connected; the accounts of the machine
//! tell names and further groups. Where accounts come over a network a look-up can take seconds, so
//! what was found is kept for a minute, for at most [`ACCOUNTS_MAX`] users; callers on the daemon's main
//! thread look up in a thread meant for waiting.

use std::{
    collections::HashMap,
    ffi::CString,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use nix::unistd::{Gid, Uid, User, getgrouplist};

use super::{action::Caller, protocol::RunAs};
use crate::store::plain;

/// Accounts that are kept.
pub const ACCOUNTS_MAX: usize = 1_024;
/// How long they are.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// Whom the daemon serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerPolicy {
    /// The user the daemon runs as. Root's daemon does each job as the user who submits it.
    pub daemon_uid: u32,
    /// Whose members may connect. Root's daemon without one serves everybody; that of another user
    /// without one serves this user.
    pub group: Option<u32>,
    /// Whose members may see and stop every job.
    pub admin_group: Option<u32>,
}

/// An account of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user's name.
    pub name: String,
    /// Primary group.
    pub gid: u32,
    /// Home directory.
    pub home: PathBuf,
    /// All groups of the user, the primary one among them.
    pub groups: Vec<u32>,
}

/// Why somebody is not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The user is none of those it serves.
    #[error("user {uid} is not one of those this daemon serves")]
    NotServed {
        /// The user.
        uid: u32,
    },
    /// A job must run as a user that has no account.
    #[error("user {uid} has no account on this machine")]
    NoAccount {
        /// The user.
        uid: u32,
    },
    /// The accounts can't be read.
    #[error("the account of user {uid} cannot be looked up: {reason}")]
    LookUp {
        /// The user.
        uid: u32,
        /// What the system says.
        reason: String,
    },
}

/// Answers who somebody is.
#[derive(Debug)]
pub struct Peers {
    policy: PeerPolicy,
    accounts: Mutex<Accounts>,
}

/// What was found of each user, and when.
type Accounts = HashMap<u32, (Instant, Option<Arc<Account>>)>;

impl Peers {
    /// Serves those whom `policy` names.
    pub fn new(policy: PeerPolicy) -> Self {
        Self {
            policy,
            accounts: Mutex::default(),
        }
    }

    /// The caller, if it is one that is served. `uid` and `gid` are what the socket tells.
    pub fn caller(&self, uid: u32, gid: u32) -> Result<Caller, Denied> {
        let policy = &self.policy;
        let owner = uid == 0 || uid == policy.daemon_uid;
        let admin = owner || self.is_member(uid, gid, policy.admin_group)?;
        let served = admin
            || match policy.group {
                None => policy.daemon_uid == 0,
                group => self.is_member(uid, gid, group)?,
            };
        if !served {
            return Err(Denied::NotServed { uid });
        }
        Ok(Caller { uid, gid, admin })
    }

    /// As whom a job of this user is done; `None` if the daemon is not root's, and does all as itself.
    /// The group is that of the account: what the socket tells may be one lent by a program.
    pub fn run_as(&self, uid: u32) -> Result<Option<RunAs>, Denied> {
        if self.policy.daemon_uid != 0 {
            return Ok(None);
        }
        let account = self.account(uid)?.ok_or(Denied::NoAccount { uid })?;
        Ok(Some(RunAs {
            uid,
            gid: account.gid,
            name: account.name.clone(),
        }))
    }

    /// Looks a user's account up on a thread meant for waiting, so that it is known when it is asked for next.
    pub async fn look_up_beside(self: &Arc<Self>, uid: u32) {
        let peers = Arc::clone(self);
        let look_up = tokio::task::spawn_blocking(move || peers.account(uid).map(drop));
        // Whoever asks next meets the error again.
        look_up.await.ok();
    }

    /// The user's name; the number, if there is none.
    pub fn user_name(&self, uid: u32) -> String {
        match self.account(uid) {
            Ok(Some(account)) => account.name.clone(),
            Ok(None) | Err(_) => uid.to_string(),
        }
    }

    /// The user's account; `None` if there is none.
    pub fn account(&self, uid: u32) -> Result<Option<Arc<Account>>, Denied> {
        let kept = self.accounts().get(&uid).cloned();
        if let Some((since, account)) = kept
            && since.elapsed() < KEPT_FOR
        {
            return Ok(account);
        }
        // Nobody waits for this look-up but those who asked for it.
        let account = look_up(uid)?.map(Arc::new);
        let mut accounts = self.accounts();
        if accounts.len() >= ACCOUNTS_MAX {
            accounts.retain(|_, (since, _)| since.elapsed() < KEPT_FOR);
        }
        if accounts.len() >= ACCOUNTS_MAX {
            accounts.clear();
        }
        accounts.insert(uid, (Instant::now(), account.clone()));
        Ok(account)
    }

    fn is_member(&self, uid: u32, gid: u32, group: Option<u32>) -> Result<bool, Denied> {
        let Some(group) = group else {
            return Ok(false);
        };
        if gid == group {
            return Ok(true);
        }
        let account = self.account(uid)?;
        Ok(account.is_some_and(|account| account.groups.contains(&group)))
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        // It holds whole entries only, whoever panicked.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn look_up(uid: u32) -> Result<Option<Account>, Denied> {
    let failed = |errno: nix::Error| Denied::LookUp {
        uid,
        reason: plain(&errno.into()),
    };
    let Some(user) = User::from_uid(Uid::from_raw(uid)).map_err(failed)? else {
        return Ok(None);
    };
    let Ok(name) = CString::new(user.name.as_str()) else {
        return Ok(None);
    };
    let groups = getgrouplist(&name, user.gid).map_err(failed)?;
    Ok(Some(Account {
        name: user.name,
        gid: user.gid.as_raw(),
        home: user.dir,
        groups: groups.into_iter().map(Gid::as_raw).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: u32 = 65_534;
    /// No account has it.
    const STRANGER: u32 = 3_999_999_999;
    const SOME_GROUP: u32 = 3_999_999_998;

    fn peers(daemon_uid: u32, group: Option<u32>, admin_group: Option<u32>) -> Peers {
        Peers::new(PeerPolicy {
            daemon_uid,
            group,
            admin_group,
        })
    }

    #[test]
    fn roots_daemon_serves_everybody_and_runs_jobs_as_the_user() {
        let peers = peers(0, None, None);
        let nobody = peers.caller(NOBODY, NOBODY).unwrap();
        assert_eq!((nobody.uid, nobody.admin), (NOBODY, false));
        assert!(peers.caller(0, 0).unwrap().admin);
        let run_as = peers.run_as(NOBODY).unwrap().unwrap();
        assert_eq!((run_as.uid, run_as.gid), (NOBODY, NOBODY));
        assert_eq!(run_as.name, "nobody");
    }

    #[test]
    fn a_user_without_an_account_may_look_but_has_no_job_run() {
        let peers = peers(0, None, None);
        assert!(!peers.caller(STRANGER, STRANGER).unwrap().admin);
        let denied = Denied::NoAccount { uid: STRANGER };
        assert_eq!(peers.run_as(STRANGER), Err(denied));
        assert_eq!(peers.user_name(STRANGER), STRANGER.to_string());
        assert_eq!(peers.user_name(0), "root");
    }

    #[test]
    fn a_users_daemon_serves_that_user_and_root_only() {
        let peers = peers(1_000, None, None);
        assert!(peers.caller(1_000, 1_000).unwrap().admin);
        assert!(peers.caller(0, 0).unwrap().admin);
        let denied = Denied::NotServed { uid: NOBODY };
        assert_eq!(peers.caller(NOBODY, NOBODY), Err(denied));
        assert_eq!(peers.run_as(1_000), Ok(None));
    }

    #[test]
    fn members_of_the_groups_are_let_in() {
        // By the group that the socket tells, and by the account's.
        let by_account = peers(1_000, Some(NOBODY), None);
        assert!(!by_account.caller(NOBODY, 100).unwrap().admin);
        let by_socket = peers(0, Some(SOME_GROUP), None);
        assert!(!by_socket.caller(NOBODY, SOME_GROUP).unwrap().admin);
        let denied = Denied::NotServed { uid: NOBODY };
        assert_eq!(by_socket.caller(NOBODY, NOBODY), Err(denied));
        let admins = peers(1_000, None, Some(NOBODY));
        assert!(admins.caller(NOBODY, NOBODY).unwrap().admin);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let peers = peers(0, None, None);
        for uid in 0..2 * ACCOUNTS_MAX as u32 {
            peers.account(3_000_000_000 + uid).unwrap();
        }
        assert!(peers.accounts().len() <= ACCOUNTS_MAX);
    }
}
