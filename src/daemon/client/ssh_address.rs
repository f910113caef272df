//! Addresses of sockets on other machines.

use crate::daemon::paths::NODE_SOCKET;

/// The beginning of an address.
pub(super) const SCHEME: &str = "ssh://";

/// A socket of another machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SshAddress {
    pub(super) user: Option<String>,
    pub(super) node: String,
    pub(super) port: Option<u16>,
    /// The socket there.
    pub(super) socket: String,
}

impl SshAddress {
    /// Takes an address apart. The error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text.strip_prefix(SCHEME).ok_or("it is no address of ssh")?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (user, machine) = match authority.rsplit_once('@') {
            Some((user, machine)) => (Some(user), machine),
            None => (None, authority),
        };
        let (node, port) = match machine.strip_prefix('[') {
            Some(inner) => {
                let (node, after) = inner.split_once(']').ok_or("a bracket is not closed")?;
                let port = after.strip_prefix(':');
                if port.is_none() && !after.is_empty() {
                    return Err("a port follows a bracket after a colon");
                }
                (node, port)
            }
            None => match machine.split_once(':') {
                Some((node, port)) => (node, Some(port)),
                None => (machine, None),
            },
        };
        let port = port.map(|port| port.parse().map_err(|_| "the port is no number"));
        let is_word = |word: &str| {
            let mut bytes = word.bytes();
            let first = bytes.next().is_some_and(|byte| byte != b'-');
            first
                && word
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-:%".contains(&b))
        };
        if !is_word(node) || user.is_some_and(|user| !is_word(user)) {
            return Err("the node or the user is missing or has other characters than names have");
        }
        // ssh itself gives a meaning to some characters of a path, and so does the shell of the node.
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-+@,=".contains(&b);
        if !path.bytes().all(plain) {
            return Err("the path of the socket has characters that can't be passed to ssh");
        }
        Ok(Self {
            user: user.map(str::to_owned),
            node: node.to_owned(),
            port: port.transpose()?,
            socket: match path {
                "" | "/" => NODE_SOCKET.to_owned(),
                path => path.to_owned(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let parsed = |text: &str| {
            let found = SshAddress::parse(text).unwrap();
            let user = found.user.unwrap_or_default();
            let port = found.port.map_or(0, u32::from);
            format!("{user} {} {port} {}", found.node, found.socket)
        };
        for (text, expected) in [
            ("ssh://node", " node 0 /run/molsieve/molsieve.sock"),
            ("ssh://node/", " node 0 /run/molsieve/molsieve.sock"),
            (
                "ssh://ada@n-1.example:2222/run/a.sock",
                "ada n-1.example 2222 /run/a.sock",
            ),
            ("ssh://[fe80::1%eth0]:22/s", " fe80::1%eth0 22 /s"),
        ] {
            assert_eq!(parsed(text), expected);
        }
        let error = SshAddress::parse("ssh://[::1]22/s").unwrap_err();
        assert!(error.contains("bracket"), "{error}");
    }
}
