//! Who is at the other end of a connection, and as which user a job runs.
//!
//! The kernel reports user and group of the connected process; the account database of the machine has names
//! and further groups. A look-up in a network database can take seconds. So results are cached for a minute,
//! for at most [`ACCOUNTS_MAX`] users, and the main thread leaves look-ups to threads for blocking calls.

use std::{
    collections::HashMap,
    ffi::CString,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use nix::unistd::{Gid, Uid, User, getgrouplist};

use super::{action::Caller, protocol::RunAs, settings::ServeSettings};
use crate::store::plain;

/// Maximum number of cached accounts.
pub const ACCOUNTS_MAX: usize = 1_024;
/// How long an account is cached.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// Whom the daemon serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerPolicy {
    /// The user that the daemon runs as. A daemon of root runs each job as the user who submits it.
    pub daemon_uid: u32,
    /// The group whose members may connect. Without it, a daemon of root serves everybody, and a daemon of
    /// another user serves that user.
    pub group: Option<u32>,
    /// The group whose members may see and stop every job.
    pub admin_group: Option<u32>,
    /// Whether a caller's group is that of the account: groups have quotas, and a program can set the group of the
    /// socket's credentials.
    pub account_group: bool,
}

impl PeerPolicy {
    /// The policy of a daemon that runs as this process's user.
    pub fn of(settings: &ServeSettings) -> Self {
        Self {
            daemon_uid: Uid::effective().as_raw(),
            group: settings.group,
            admin_group: settings.admin_group,
            account_group: !settings.quotas.groups.is_empty(),
        }
    }
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
    /// All groups of the user, including the primary one.
    pub groups: Vec<u32>,
}

/// Why a user is not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The policy does not allow the user.
    #[error("user {0} may not use this daemon")]
    NotServed(u32),
    /// A job would have to run as a user without an account.
    #[error("user {0} has no account on this machine")]
    NoAccount(u32),
    /// The account database cannot be read.
    #[error("the account of user {uid} cannot be looked up: {reason}")]
    LookUp {
        /// The user.
        uid: u32,
        /// The system's message.
        reason: String,
    },
}

/// Looks users up.
#[derive(Debug)]
pub struct Peers {
    policy: Mutex<PeerPolicy>,
    accounts: Mutex<Accounts>,
}

/// The cached account of each user, and since when.
type Accounts = HashMap<u32, (Instant, Option<Arc<Account>>)>;

impl Peers {
    /// Serves the users that `policy` allows.
    pub fn new(policy: PeerPolicy) -> Self {
        Self {
            policy: Mutex::new(policy),
            accounts: Mutex::default(),
        }
    }

    /// Changes whom the daemon serves. Connections that are open keep what they may.
    pub fn set_policy(&self, policy: PeerPolicy) {
        *self.policy.lock().unwrap_or_else(PoisonError::into_inner) = policy;
    }

    fn policy(&self) -> PeerPolicy {
        *self.policy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The caller, if the policy allows it. `uid` and `gid` are the credentials of the socket.
    pub fn caller(&self, uid: u32, gid: u32) -> Result<Caller, Denied> {
        let policy = self.policy();
        let owner = uid == 0 || uid == policy.daemon_uid;
        let admin = owner || self.is_member(uid, gid, policy.admin_group)?;
        let served = admin
            || match policy.group {
                None => policy.daemon_uid == 0,
                group => self.is_member(uid, gid, group)?,
            };
        if !served {
            return Err(Denied::NotServed(uid));
        }
        let gid = match policy.account_group {
            true => self.account(uid)?.map_or(gid, |account| account.gid),
            false => gid,
        };
        Ok(Caller { uid, gid, admin })
    }

    /// The user that the jobs of this user run as; `None` if the daemon is not root and runs all jobs as itself.
    /// The group is that of the account: the credentials of the socket may have one set by a program.
    pub fn run_as(&self, uid: u32) -> Result<Option<RunAs>, Denied> {
        if self.policy().daemon_uid != 0 {
            return Ok(None);
        }
        let account = self.account(uid)?.ok_or(Denied::NoAccount(uid))?;
        Ok(Some(RunAs {
            uid,
            gid: account.gid,
            name: account.name.clone(),
        }))
    }

    /// Looks up an account on a thread for blocking calls, so that the next look-up finds it in the cache.
    pub async fn look_up_beside(self: &Arc<Self>, uid: u32) {
        let peers = Arc::clone(self);
        let look_up = tokio::task::spawn_blocking(move || peers.account(uid).map(drop));
        // The next look-up reports the error.
        look_up.await.ok();
    }

    /// The user's account; `None` if there is none.
    pub fn account(&self, uid: u32) -> Result<Option<Arc<Account>>, Denied> {
        let kept = self.accounts().get(&uid).cloned();
        if let Some((since, account)) = kept
            && since.elapsed() < KEPT_FOR
        {
            return Ok(account);
        }
        // Other callers do not wait for this look-up: the lock is not held.
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
        // A panic cannot leave a partial entry.
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

    const NOBODY_UID: u32 = 65_534;
    /// No account has it.
    const STRANGER: u32 = 3_999_999_999;
    const SOME_GROUP: u32 = 3_999_999_998;

    fn peers(daemon_uid: u32, group: Option<u32>, admin_group: Option<u32>) -> Peers {
        Peers::new(PeerPolicy {
            daemon_uid,
            group,
            admin_group,
            account_group: false,
        })
    }

    #[test]
    fn roots_daemon_serves_everybody_and_runs_jobs_as_the_user() {
        let peers = peers(0, None, None);
        let nobody = peers.caller(NOBODY_UID, NOBODY_UID).unwrap();
        assert_eq!((nobody.uid, nobody.admin), (NOBODY_UID, false));
        assert!(peers.caller(0, 0).unwrap().admin);
        let run_as = peers.run_as(NOBODY_UID).unwrap().unwrap();
        assert_eq!((run_as.uid, run_as.gid), (NOBODY_UID, NOBODY_UID));
        assert_eq!(run_as.name, "nobody");
    }

    #[test]
    fn a_user_without_an_account_may_look_but_has_no_job_run() {
        let peers = peers(0, None, None);
        assert!(!peers.caller(STRANGER, STRANGER).unwrap().admin);
        let denied = Denied::NoAccount(STRANGER);
        assert_eq!(peers.run_as(STRANGER), Err(denied));
    }

    #[test]
    fn a_users_daemon_serves_that_user_and_root_only() {
        let peers = peers(1_000, None, None);
        assert!(peers.caller(1_000, 1_000).unwrap().admin);
        assert!(peers.caller(0, 0).unwrap().admin);
        let denied = Denied::NotServed(NOBODY_UID);
        assert_eq!(peers.caller(NOBODY_UID, NOBODY_UID), Err(denied));
        assert_eq!(peers.run_as(1_000), Ok(None));
    }

    #[test]
    fn members_of_the_groups_are_let_in() {
        // By the group of the socket's credentials, and by the account's groups.
        let by_account = peers(1_000, Some(NOBODY_UID), None);
        assert!(!by_account.caller(NOBODY_UID, 100).unwrap().admin);
        let by_socket = peers(0, Some(SOME_GROUP), None);
        assert!(!by_socket.caller(NOBODY_UID, SOME_GROUP).unwrap().admin);
        let denied = Denied::NotServed(NOBODY_UID);
        assert_eq!(by_socket.caller(NOBODY_UID, NOBODY_UID), Err(denied));
        let admins = peers(1_000, None, Some(NOBODY_UID));
        assert!(admins.caller(NOBODY_UID, NOBODY_UID).unwrap().admin);
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
