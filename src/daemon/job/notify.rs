//! Whom to notify of the end of a job: a command, or a local address that takes a POST.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::limits::NOTIFY_BYTES_MAX;

/// A checked text that says whom to notify.
///
/// | text | target |
/// |---|---|
/// | `http://127.0.0.1:PORT/PATH`, with any address of the loopback network, `[::1]` or `localhost` | that address |
/// | `unix:/PATH` | the Unix socket at that path |
/// | anything else | a command: words as a shell splits them, but no shell runs |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Notify(String);

/// Whom to notify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifyTarget {
    /// A program with its arguments; at least one word.
    Command(Vec<String>),
    /// A server on this machine: its address, the host as given, and the path to post to.
    Http {
        /// A loopback address.
        address: SocketAddr,
        /// Host and port as given.
        host: String,
        /// Path and query, from `/`.
        path: String,
    },
    /// A server at a Unix socket; it gets a POST of `/`.
    Unix(PathBuf),
}

impl Notify {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whom it names.
    pub fn target(&self) -> Result<NotifyTarget, String> {
        target(&self.0)
    }
}

impl FromStr for Notify {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > NOTIFY_BYTES_MAX {
            return Err(format!("has more than {NOTIFY_BYTES_MAX} bytes"));
        }
        target(text).map(|_| Self(text.into()))
    }
}

impl TryFrom<String> for Notify {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Notify> for String {
    fn from(notify: Notify) -> Self {
        notify.0
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn target(text: &str) -> Result<NotifyTarget, String> {
    if text.contains(char::is_control) {
        return Err("contains a control character".into());
    }
    if let Some(rest) = text.strip_prefix("http://") {
        return http(rest);
    }
    if let Some(socket) = text.strip_prefix("unix:") {
        let socket = Path::new(socket);
        return match socket.is_absolute() {
            true => Ok(NotifyTarget::Unix(socket.into())),
            false => Err("the path of a Unix socket must be absolute".into()),
        };
    }
    if text.starts_with("https://") {
        return Err("a webhook is http:// to this machine only; a command can call others".into());
    }
    command(text)
}

fn http(rest: &str) -> Result<NotifyTarget, String> {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the path of a webhook is visible ASCII characters without blanks".into());
    }
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
        _ => (host, Some(80)),
    };
    let address: Option<IpAddr> = match name {
        "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
        name => name.trim_matches(['[', ']']).parse().ok(),
    };
    let (Some(address), Some(port)) = (address.filter(IpAddr::is_loopback), port) else {
        return Err(
            "a webhook is at 127.0.0.1, [::1] or localhost; a command can call others".into(),
        );
    };
    let path = match path.strip_prefix('/') {
        Some(_) => path.into(),
        None => format!("/{path}"),
    };
    Ok(NotifyTarget::Http {
        address: SocketAddr::new(address, port),
        host: host.into(),
        path,
    })
}

fn command(text: &str) -> Result<NotifyTarget, String> {
    let words = shlex::split(text).ok_or("a quote or a backslash in the command has no end")?;
    match words.first().map(String::as_str) {
        None | Some("") => Err("names no command".into()),
        Some(program) if program.contains('/') && !program.starts_with('/') => {
            Err("the path of a command must be absolute".into())
        }
        Some(_) => Ok(NotifyTarget::Command(words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<NotifyTarget, String> {
        let notify: Notify = text.parse()?;
        assert_eq!(notify.as_str(), text);
        notify.target()
    }

    #[test]
    fn a_command_is_words_and_no_shell_runs() {
        let words = |words: &[&str]| {
            Ok(NotifyTarget::Command(
                words.iter().map(|word| (*word).into()).collect(),
            ))
        };
        assert_eq!(
            parsed("mail -s 'a job' ada"),
            words(&["mail", "-s", "a job", "ada"])
        );
        assert_eq!(
            parsed("/bin/echo $HOME;ls"),
            words(&["/bin/echo", "$HOME;ls"])
        );
        assert_eq!(
            parsed(r#"sh -c "echo \"$MOLSIEVE_JOB\"""#),
            words(&["sh", "-c", "echo \"$MOLSIEVE_JOB\""])
        );
    }

    #[test]
    fn webhooks_are_local() {
        let http = |address: &str, host: &str, path: &str| {
            Ok(NotifyTarget::Http {
                address: address.parse().unwrap(),
                host: host.into(),
                path: path.into(),
            })
        };
        assert_eq!(
            parsed("http://127.0.0.1:8080/hook?x=1"),
            http("127.0.0.1:8080", "127.0.0.1:8080", "/hook?x=1")
        );
        assert_eq!(parsed("http://[::1]:9"), http("[::1]:9", "[::1]:9", "/"));
        assert_eq!(parsed("http://[::1]/a"), http("[::1]:80", "[::1]", "/a"));
        assert_eq!(
            parsed("http://localhost?a"),
            http("127.0.0.1:80", "localhost", "/?a")
        );
        assert_eq!(
            parsed("unix:/run/a b.sock"),
            Ok(NotifyTarget::Unix("/run/a b.sock".into()))
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, words) in [
            ("", "names no command"),
            ("   ", "names no command"),
            ("bin/x", "absolute"),
            ("echo 'a", "has no end"),
            ("echo a\nb", "control character"),
            ("https://127.0.0.1/", "http:// to this machine"),
            ("http://example.org/", "127.0.0.1"),
            ("http://192.168.0.1/", "127.0.0.1"),
            ("http://127.0.0.1@example.org/", "127.0.0.1"),
            ("http://127.0.0.1:99999/", "127.0.0.1"),
            ("http://127.0.0.1/a b", "visible ASCII"),
            ("unix:run/x", "absolute"),
            (&"x".repeat(NOTIFY_BYTES_MAX + 1), "more than"),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
