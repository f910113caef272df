//! The daemon's socket, if systemd passes none.

use nix::unistd::Uid;

use super::{
    settings::ServeSettings,
    systemd::{self, Listening, SocketError},
};

/// Creates the socket. Its directory must exist.
pub(super) fn listen(settings: &ServeSettings) -> Result<Listening, SocketError> {
    systemd::bind(
        &settings.socket,
        socket_mode(settings.group),
        settings.group,
    )
}

/// Mode of the socket: who may connect.
pub(super) fn socket_mode(group: Option<u32>) -> u32 {
    match (group, Uid::effective().is_root()) {
        (Some(_), _) => 0o660,
        (None, true) => 0o666,
        (None, false) => 0o600,
    }
}
