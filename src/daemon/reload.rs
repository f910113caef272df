//! Reloads: the daemon reads its configuration file again and applies what needs no restart.

use std::sync::Arc;

use super::{
    core::Core,
    listen::socket_mode,
    peer::{PeerPolicy, Peers},
    settings::{Change, Loaded, LogLevel, ServeSettings, ServeSource},
    systemd::{self, SocketFile},
};
use crate::units::ByteSize;

/// Changes what is logged.
pub type SetLevel = Box<dyn Fn(&LogLevel)>;

/// The settings that the daemon has, and everything that follows them.
pub(super) struct Reloader {
    /// Flags and file.
    pub source: ServeSource,
    /// As they were read last without an error.
    pub loaded: Loaded,
    /// Changes what is logged.
    pub set_level: SetLevel,
    /// The core.
    pub core: Core,
    /// Who may use the daemon.
    pub peers: Arc<Peers>,
    /// The socket, if the daemon has created it.
    pub socket: Option<SocketFile>,
}

impl Reloader {
    /// Reads the configuration again. Wrong settings change nothing; log and status say why.
    pub(super) async fn reload(&mut self) {
        systemd::reloading();
        let source = self.source.clone();
        // It looks up users and groups.
        let read = tokio::task::spawn_blocking(move || source.load()).await;
        let applied = match read {
            Ok(Ok(new)) => self.loaded.reload(new).map_err(|error| error.to_string()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(failed) => Err(failed.to_string()),
        };
        let status = match applied {
            Ok((loaded, changes)) => {
                self.apply(loaded, &changes).await;
                status(&self.loaded.settings)
            }
            Err(error) => {
                tracing::error!("the configuration was not reloaded, the settings stay: {error}");
                let status = status(&self.loaded.settings);
                format!("{status}; the last reload failed: {error}")
            }
        };
        tracing::info!("{status}");
        systemd::ready(&status);
    }

    async fn apply(&mut self, loaded: Loaded, changes: &[Change]) {
        for change in changes {
            let Change { key, applied, .. } = change;
            let value = change.value.as_deref();
            let now = match (*key, value) {
                ("quota", None) => "the quotas have changed".to_owned(),
                (_, Some(value)) => format!("{key} = {value}"),
                (_, None) => format!("{key} is not set any more"),
            };
            match applied {
                true => tracing::info!("reloaded: {now}"),
                false => tracing::warn!("not reloaded, restart the daemon: {now}"),
            }
        }
        if changes.is_empty() {
            tracing::info!("reloaded: no setting has changed");
        }
        let settings = &loaded.settings;
        (self.set_level)(&settings.log_level);
        self.peers.set_policy(PeerPolicy::of(settings));
        if let Some(socket) = &self.socket
            && self.loaded.settings.group != settings.group
            && let Err(error) = socket.permit(socket_mode(settings.group), settings.group)
        {
            tracing::error!("{error}");
        }
        self.core.reload(settings.clone()).await;
        self.loaded = loaded;
    }
}

/// The daemon in one line, for the log and for systemd.
pub(super) fn status(settings: &ServeSettings) -> String {
    let budget = settings.budget;
    format!(
        "accepting jobs; together they may use {}, {} threads and {} GPUs",
        ByteSize(budget.memory_bytes),
        budget.threads,
        budget.gpus
    )
}
