//! Where a daemon listens: at a Unix socket of this machine, or of another one that ssh reaches.
//!
//! `ssh://[user@]node[:port][/path/of/the/socket]` is a socket of another machine; without a path it is the system
//! socket. One ssh process serves all requests of a client ([`super::tunnel`]).

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    error::ClientError,
    ssh_address::{SCHEME, SshAddress},
    tunnel::{Prompts, Tunnel},
};

/// Where a daemon listens. Clones share one connection of ssh.
#[derive(Clone, Debug)]
pub struct Place {
    /// As the user has written it.
    name: Arc<PathBuf>,
    remote: Option<Arc<Remote>>,
}

#[derive(Debug)]
struct Remote {
    address: SshAddress,
    tunnel: Mutex<Option<Tunnel>>,
}

impl Place {
    /// A socket by its path, or by its address. Connects to nothing.
    pub fn new(name: PathBuf) -> Result<Self, ClientError> {
        let text = name.to_str().filter(|text| text.starts_with(SCHEME));
        let remote = text.map(|text| {
            SshAddress::parse(text).map_err(|reason| ClientError::Address {
                address: text.into(),
                reason,
            })
        });
        let remote = remote.transpose()?.map(|address| {
            Arc::new(Remote {
                address,
                tunnel: Mutex::default(),
            })
        });
        Ok(Self {
            name: Arc::new(name),
            remote,
        })
    }

    /// The socket or address as it was given.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Whether the daemon is on another machine, and so are the files of its jobs.
    pub fn is_remote(&self) -> bool {
        self.remote.is_some()
    }

    /// Connects to the other machine, if it is one; ssh may ask the user for a password. Returns the socket of this
    /// machine that leads to the daemon.
    pub fn open(&self) -> Result<PathBuf, ClientError> {
        match &self.remote {
            Some(remote) => remote.open(&self.name, Prompts::Allowed),
            None => Ok(self.name.to_path_buf()),
        }
    }

    /// The socket of this machine that leads to the daemon. Connects again if ssh has ended, and then asks nothing.
    pub(super) async fn socket(&self) -> Result<PathBuf, ClientError> {
        let Some(remote) = &self.remote else {
            return Ok(self.name.to_path_buf());
        };
        if let Some(socket) = remote.socket() {
            return Ok(socket);
        }
        let (remote, name) = (Arc::clone(remote), Arc::clone(&self.name));
        let opened = tokio::task::spawn_blocking(move || remote.open(&name, Prompts::None)).await;
        opened.unwrap_or_else(|error| Err(ClientError::Start(error.to_string())))
    }

    /// Whether ssh, if it is needed, is still connected.
    pub fn is_open(&self) -> bool {
        self.remote
            .as_ref()
            .is_none_or(|remote| remote.socket().is_some())
    }

    /// What ssh said last, once.
    pub(super) fn said(&self) -> Option<String> {
        self.remote.as_ref()?.lock().as_ref()?.said()
    }

    /// Ends the connection of ssh, if there is one.
    pub fn close(&self) {
        if let Some(remote) = &self.remote {
            remote.lock().take();
        }
    }
}

impl Remote {
    fn lock(&self) -> MutexGuard<'_, Option<Tunnel>> {
        self.tunnel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The socket of a connection that is up.
    fn socket(&self) -> Option<PathBuf> {
        let mut tunnel = self.lock();
        let tunnel = tunnel.as_mut()?;
        tunnel.is_open().then(|| tunnel.socket())
    }

    fn open(&self, name: &Path, prompts: Prompts) -> Result<PathBuf, ClientError> {
        if let Some(socket) = self.socket() {
            return Ok(socket);
        }
        let mut tunnel = self.lock();
        *tunnel = None;
        let new = Tunnel::start(&self.address, name, prompts)?;
        Ok(tunnel.insert(new).socket())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_can_pass_nothing_else_to_ssh() {
        for text in [
            "ssh://",
            "ssh:///run/s",
            "ssh://-oProxyCommand=x",
            "ssh://-x@node",
            "ssh://a b",
            "ssh://node:no",
            "ssh://node:70000",
            "ssh://[::1",
            "ssh://node/a:b",
            "ssh://node/a'b",
            "ssh://node/$HOME",
            "ssh://node/a b",
        ] {
            assert!(SshAddress::parse(text).is_err(), "{text}");
            let error = Place::new(text.into()).unwrap_err().to_string();
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }

    #[test]
    fn a_path_is_a_path() {
        let place = Place::new("/run/s".into()).unwrap();
        assert!(!place.is_remote() && place.is_open());
        assert_eq!(place.open().unwrap(), Path::new("/run/s"));
    }
}
