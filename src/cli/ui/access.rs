//! The token of the printed address, and the session that it is exchanged for.

use std::{
    fs::File,
    hint::black_box,
    io::{self, Read},
    sync::atomic::{AtomicBool, Ordering},
};

use hyper::header::{COOKIE, HeaderMap};

/// 32 bytes from the operating system, as hex.
pub(super) struct Secret(String);

impl Secret {
    pub(super) fn random() -> io::Result<Self> {
        let mut bytes = [0u8; 32];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(Self(
            bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        ))
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// Whether `given` is this secret. The time depends on the length of `given` only.
    pub(super) fn is(&self, given: &str) -> bool {
        let pairs = self.0.bytes().zip(given.bytes());
        let different = pairs.fold(0, |different, (own, given)| {
            black_box(different | (own ^ given))
        });
        given.len() == self.0.len() && different == 0
    }
}

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    /// It is exchanged for the session now.
    Granted,
    /// It was exchanged before.
    Used,
    /// It is not the token.
    Wrong,
}

/// Who may use this server: one browser, which has shown the token of the address.
pub(super) struct Access {
    token: Secret,
    token_used: AtomicBool,
    session: Secret,
    cookie_name: String,
}

impl Access {
    pub(super) fn new(token: Secret, port: u16) -> io::Result<Self> {
        Ok(Self {
            token,
            token_used: AtomicBool::new(false),
            session: Secret::random()?,
            // A browser sends the cookies of a host to all of its ports.
            cookie_name: format!("molsieve-{port}"),
        })
    }

    /// Exchanges the token for the session. It succeeds once.
    pub(super) fn exchange(&self, token: &str) -> Exchange {
        if !self.token.is(token) {
            return Exchange::Wrong;
        }
        match self.token_used.swap(true, Ordering::Relaxed) {
            false => Exchange::Granted,
            true => Exchange::Used,
        }
    }

    /// The value of `Set-Cookie` that gives a browser the session, until the browser or this program ends.
    pub(super) fn cookie(&self) -> String {
        format!(
            "{}={}; Path=/; HttpOnly; SameSite=Strict",
            self.cookie_name,
            self.session.text()
        )
    }

    /// Whether a request has the session's cookie.
    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        let lines = headers.get_all(COOKIE).iter();
        let mut pairs = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        pairs.any(|(name, value)| name == self.cookie_name && self.session.is(value))
    }
}
