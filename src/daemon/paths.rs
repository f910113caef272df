//! Where the daemon's socket and its state are, when nothing is said.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// Variable that names the socket for clients.
pub const SOCKET_VARIABLE: &str = "MOLSIEVE_SOCKET";
/// The socket of the node's daemon.
const NODE_SOCKET: &str = "/run/molsieve/molsieve.sock";
/// The state of the node's daemon.
const NODE_STATE: &str = "/var/lib/molsieve";
/// The socket below a user's runtime directory.
const SOCKET: &str = "molsieve/molsieve.sock";

/// Who looks for a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A client: uses what is there.
    Client,
    /// A daemon: makes its own.
    Daemon,
}

/// Why there is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing says where this user's socket could be.
    #[error("XDG_RUNTIME_DIR is not set; say with --socket where to listen")]
    NoRuntimeDirectory,
    /// Nothing says where this user's state could be.
    #[error("neither XDG_STATE_HOME nor HOME is set; say with --state where to keep jobs")]
    NoHome,
}

/// Where the socket is: what the flag says; for a client also what `MOLSIEVE_SOCKET` says, then the
/// socket of the user's own daemon if there is one, then the node's. A daemon of root listens at the
/// node's, any other in the user's runtime directory.
pub fn socket(flag: Option<PathBuf>, side: Side) -> Result<PathBuf, PathError> {
    Surroundings::look().socket(flag, side)
}

/// Where the daemon keeps its state: what the flag says, else the directory that systemd has made for
/// it, else the node's for root and one below the home directory for others.
pub fn state_dir(flag: Option<PathBuf>) -> Result<PathBuf, PathError> {
    Surroundings::look().state_dir(flag)
}

/// What of a process's surroundings decides.
struct Surroundings<'a> {
    root: bool,
    variable: &'a dyn Fn(&str) -> Option<OsString>,
    exists: &'a dyn Fn(&Path) -> bool,
}

impl Surroundings<'static> {
    fn look() -> Self {
        Self {
            root: nix::unistd::Uid::effective().is_root(),
            variable: &|name| env::var_os(name),
            exists: &|path| path.exists(),
        }
    }
}

impl Surroundings<'_> {
    /// A variable that holds an absolute path; the XDG specification has others ignored.
    fn directory(&self, name: &str) -> Option<PathBuf> {
        let path = (self.variable)(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    }

    fn socket(&self, flag: Option<PathBuf>, side: Side) -> Result<PathBuf, PathError> {
        if let Some(path) = flag {
            return Ok(path);
        }
        let users = self
            .directory("XDG_RUNTIME_DIR")
            .map(|folder| folder.join(SOCKET));
        match side {
            Side::Daemon if self.root => Ok(NODE_SOCKET.into()),
            Side::Daemon => users.ok_or(PathError::NoRuntimeDirectory),
            Side::Client => {
                let named = (self.variable)(SOCKET_VARIABLE).filter(|path| !path.is_empty());
                let users = users.filter(|path| (self.exists)(path));
                let found = named.map(PathBuf::from).or(users);
                Ok(found.unwrap_or_else(|| NODE_SOCKET.into()))
            }
        }
    }

    fn state_dir(&self, flag: Option<PathBuf>) -> Result<PathBuf, PathError> {
        if let Some(path) = flag {
            return Ok(path);
        }
        // Where a unit has several, systemd puts colons between them; the first is ours.
        let systemd = (self.variable)("STATE_DIRECTORY").and_then(|directories| {
            let first = directories.to_str()?.split(':').next()?.to_owned();
            Some(PathBuf::from(first)).filter(|path| path.is_absolute())
        });
        if let Some(path) = systemd {
            return Ok(path);
        }
        if self.root {
            return Ok(NODE_STATE.into());
        }
        let home = || self.directory("HOME").map(|home| home.join(".local/state"));
        let states = self.directory("XDG_STATE_HOME").or_else(home);
        Ok(states.ok_or(PathError::NoHome)?.join("molsieve"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Variables<'a> = &'a [(&'a str, &'a str)];

    fn look<T>(root: bool, set: Variables<'_>, there: &str, ask: impl Fn(&Surroundings) -> T) -> T {
        ask(&Surroundings {
            root,
            variable: &|name| {
                let found = set.iter().find(|(set, _)| *set == name);
                found.map(|(_, value)| value.into())
            },
            exists: &|path| path == Path::new(there),
        })
    }

    #[test]
    fn a_client_finds_the_nearest_daemon() {
        let own = "/run/user/7/molsieve/molsieve.sock";
        let runtime = ("XDG_RUNTIME_DIR", "/run/user/7");
        let named = ("MOLSIEVE_SOCKET", "x.sock");
        for (set, there, expected) in [
            (&[runtime, named][..], own, "x.sock"),
            (&[runtime], own, own),
            (&[runtime], "", NODE_SOCKET),
            (
                &[("XDG_RUNTIME_DIR", "here")],
                "here/molsieve/molsieve.sock",
                NODE_SOCKET,
            ),
            (&[("MOLSIEVE_SOCKET", "")], "", NODE_SOCKET),
            (&[], "", NODE_SOCKET),
        ] {
            let found = look(false, set, there, |s| s.socket(None, Side::Client));
            assert_eq!(found, Ok(expected.into()), "{set:?}");
        }
        let found = look(false, &[named], own, |s| {
            s.socket(Some("f".into()), Side::Client)
        });
        assert_eq!(found, Ok("f".into()));
    }

    #[test]
    fn a_daemon_listens_at_its_own_place() {
        let set = &[
            ("XDG_RUNTIME_DIR", "/run/user/7"),
            ("MOLSIEVE_SOCKET", "/x"),
        ];
        let at = |root, set| look(root, set, "", |s| s.socket(None, Side::Daemon));
        assert_eq!(at(true, set), Ok(NODE_SOCKET.into()));
        assert_eq!(
            at(false, set),
            Ok("/run/user/7/molsieve/molsieve.sock".into())
        );
        assert_eq!(at(false, &[]), Err(PathError::NoRuntimeDirectory));
    }

    #[test]
    fn state_is_where_systemd_or_the_user_keeps_it() {
        let systemd = ("STATE_DIRECTORY", "/var/lib/private/m:/var/lib/n");
        let home = ("HOME", "/home/ada");
        let state = ("XDG_STATE_HOME", "/s");
        for (root, set, expected) in [
            (false, &[systemd, home][..], "/var/lib/private/m"),
            (true, &[systemd], "/var/lib/private/m"),
            (true, &[home, state], NODE_STATE),
            (false, &[home, state], "/s/molsieve"),
            (false, &[home], "/home/ada/.local/state/molsieve"),
        ] {
            let found = look(root, set, "", |s| s.state_dir(None));
            assert_eq!(found, Ok(expected.into()), "{root} {set:?}");
        }
        assert_eq!(
            look(false, &[], "", |s| s.state_dir(None)),
            Err(PathError::NoHome)
        );
    }
}
