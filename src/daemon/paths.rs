//! Default paths of the daemon's socket and state.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// Environment variable with the socket for clients.
pub const SOCKET_VARIABLE: &str = "MOLSIEVE_SOCKET";
/// The socket of the system daemon.
pub const NODE_SOCKET: &str = "/run/molsieve/molsieve.sock";
/// The state directory of the system daemon.
const NODE_STATE: &str = "/var/lib/molsieve";
/// The configuration file of the system daemon.
const NODE_CONFIG: &str = "/etc/molsieve/molsieve.toml";
/// The configuration file in a configuration directory of systemd.
const CONFIG: &str = "molsieve.toml";
/// The socket in a user's runtime directory.
const SOCKET: &str = "molsieve/molsieve.sock";

/// Which side needs a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A client: uses an existing socket.
    Client,
    /// A daemon: creates its own.
    Daemon,
}

/// Why there is no default path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The user has no runtime directory.
    #[error("XDG_RUNTIME_DIR is not set; give the path of the socket with --socket")]
    NoRuntimeDirectory,
    /// The user has no home directory.
    #[error("neither XDG_STATE_HOME nor HOME is set; give the state directory with --state")]
    NoHome,
}

/// The path of the socket: the flag; for a client then `MOLSIEVE_SOCKET`, the socket of the user's own daemon if
/// it exists, and the system socket. A daemon of root listens at the system socket, any other in the user's
/// runtime directory.
pub fn socket(flag: Option<PathBuf>, side: Side) -> Result<PathBuf, PathError> {
    Surroundings::look().socket(flag, side)
}

/// The state directory: the flag, else the directory that systemd has created, else the system directory for
/// root and one in the home directory for others.
pub fn state_dir(flag: Option<PathBuf>) -> Result<PathBuf, PathError> {
    Surroundings::look().state_dir(flag)
}

/// The configuration file if it exists: in the directory that systemd names, else that of the system for root, else
/// in the user's configuration directory.
pub fn config_file() -> Option<PathBuf> {
    Surroundings::look().config_file()
}

/// The environment of a process, as far as it matters here.
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
    /// A variable with an absolute path; the XDG specification requires relative ones to be ignored.
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

    /// The first of the directories that systemd names in a variable, separated by colons.
    fn of_systemd(&self, name: &str) -> Option<PathBuf> {
        let directories = (self.variable)(name)?;
        let first = directories.to_str()?.split(':').next()?.to_owned();
        Some(PathBuf::from(first)).filter(|path| path.is_absolute())
    }

    fn config_file(&self) -> Option<PathBuf> {
        let users = || {
            let home = || self.directory("HOME").map(|home| home.join(".config"));
            let configs = self.directory("XDG_CONFIG_HOME").or_else(home)?;
            Some(configs.join("molsieve").join(CONFIG))
        };
        let path = match self.of_systemd("CONFIGURATION_DIRECTORY") {
            Some(folder) => Some(folder.join(CONFIG)),
            None if self.root => Some(NODE_CONFIG.into()),
            None => users(),
        };
        path.filter(|path| (self.exists)(path))
    }

    fn state_dir(&self, flag: Option<PathBuf>) -> Result<PathBuf, PathError> {
        if let Some(path) = flag {
            return Ok(path);
        }
        if let Some(path) = self.of_systemd("STATE_DIRECTORY") {
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
    fn the_configuration_is_the_systems_or_the_users_if_it_exists() {
        let systemd = ("CONFIGURATION_DIRECTORY", "/etc/m");
        let home = ("HOME", "/home/ada");
        let configs = ("XDG_CONFIG_HOME", "/c");
        for (root, set, file) in [
            (false, &[systemd, home][..], "/etc/m/molsieve.toml"),
            (true, &[home, configs], NODE_CONFIG),
            (false, &[home, configs], "/c/molsieve/molsieve.toml"),
            (false, &[home], "/home/ada/.config/molsieve/molsieve.toml"),
        ] {
            let found = look(root, set, file, |s| s.config_file());
            assert_eq!(found, Some(file.into()), "{root} {set:?}");
            assert_eq!(look(root, set, "", |s| s.config_file()), None);
        }
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
