//! An address on this machine only.

use std::{fmt, net::SocketAddr, str::FromStr};

use serde::{Deserialize, Serialize};

/// An address and port of TCP that only this machine can reach, such as `127.0.0.1:9477` or `[::1]:9477`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Loopback(SocketAddr);

/// Why an address can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoopbackError {
    /// It is not an address with a port.
    #[error("`{0}` is not an address with a port, such as 127.0.0.1:9477")]
    NoAddress(String),
    /// Other machines can reach it.
    #[error("{0} is not a loopback address; other machines reach it through a proxy of yours")]
    NotLoopback(SocketAddr),
}

impl Loopback {
    /// The address.
    pub fn address(self) -> SocketAddr {
        self.0
    }
}

impl TryFrom<SocketAddr> for Loopback {
    type Error = LoopbackError;

    fn try_from(address: SocketAddr) -> Result<Self, LoopbackError> {
        match address.ip().is_loopback() {
            true => Ok(Self(address)),
            false => Err(LoopbackError::NotLoopback(address)),
        }
    }
}

impl FromStr for Loopback {
    type Err = LoopbackError;

    fn from_str(text: &str) -> Result<Self, LoopbackError> {
        let address = text.parse::<SocketAddr>();
        let address = address.map_err(|_| LoopbackError::NoAddress(text.into()))?;
        address.try_into()
    }
}

impl TryFrom<String> for Loopback {
    type Error = LoopbackError;

    fn try_from(text: String) -> Result<Self, LoopbackError> {
        text.parse()
    }
}

impl From<Loopback> for String {
    fn from(loopback: Loopback) -> Self {
        loopback.to_string()
    }
}

impl fmt::Display for Loopback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_taken() {
        for good in ["127.0.0.1:9477", "127.9.9.9:1", "[::1]:9477", "127.0.0.1:0"] {
            assert_eq!(good.parse::<Loopback>().unwrap().to_string(), good);
        }
        for (bad, reason) in [
            ("0.0.0.0:9477", "is not a loopback address"),
            ("[::]:9477", "is not a loopback address"),
            ("10.0.0.1:9477", "is not a loopback address"),
            ("localhost:9477", "is not an address with a port"),
            ("127.0.0.1", "is not an address with a port"),
            ("9477", "is not an address with a port"),
        ] {
            let error = bad.parse::<Loopback>().unwrap_err().to_string();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }
}
