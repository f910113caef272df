//! What all connections share, and who is at the other end of one.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};
use tokio::{net::unix::UCred, sync::watch};

use super::{
    counts::HttpCounts,
    limits::Limits,
    names::Names,
    shares::{Held, Shares, UserShares},
};
use crate::daemon::{action::Caller, api::ApiError, core::Core};

/// Decides whether the process at the other end of a connection may use the daemon, and as whom: the caller, or the
/// reason for the refusal in one line.
type Access = dyn Fn(&UCred) -> Result<Caller, String> + Send + Sync;

/// What all connections share.
pub struct Edge {
    pub(super) core: Core,
    pub(super) access: Box<Access>,
    pub(super) limits: Limits,
    pub(super) counts: HttpCounts,
    pub(super) shares: Shares,
    pub(super) names: Names,
}

impl Edge {
    /// The HTTP side of a core.
    pub fn new(
        core: Core,
        access: impl Fn(&UCred) -> Result<Caller, String> + Send + Sync + 'static,
        limits: Limits,
    ) -> Arc<Self> {
        Arc::new(Self {
            core,
            access: Box::new(access),
            shares: Shares::new(&limits),
            limits,
            counts: HttpCounts::default(),
            names: Names::default(),
        })
    }
}

/// The other end of a connection. Every request carries it as an extension.
pub(super) struct Peer {
    pub(super) edge: Arc<Edge>,
    pub(super) caller: Result<Caller, String>,
    pub(super) share: Arc<UserShares>,
    pub(super) ending: watch::Receiver<bool>,
}

/// A peer that may use the daemon: every handler asks for it, so that no other peer gets past one.
pub(super) struct Session {
    pub(super) peer: Arc<Peer>,
    pub(super) caller: Caller,
}

impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let peer = parts.extensions.get::<Arc<Peer>>();
        let peer = Arc::clone(peer.expect("every connection adds its peer to its requests"));
        let caller = peer.caller.clone().map_err(ApiError::Denied)?;
        Ok(Self { peer, caller })
    }
}

impl Session {
    pub(super) fn core(&self) -> &Core {
        &self.peer.edge.core
    }

    /// The name of a user, if the user has an account.
    pub(super) async fn user_name(&self, uid: u32) -> Option<String> {
        self.peer.edge.names.of(uid).await
    }

    /// Waits for a permit for so many bytes of memory.
    pub(super) async fn memory(&self, bytes: usize) -> Held {
        self.peer.share.bytes(bytes).await
    }

    /// A permit for one more stream.
    pub(super) fn stream(&self) -> Result<Held, ApiError> {
        let permit = self.peer.share.stream();
        permit.ok_or(ApiError::TooMany("streams"))
    }
}
