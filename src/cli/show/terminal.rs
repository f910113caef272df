//! Pictures in terminals that have a protocol for them: kitty's (kitty, Ghostty, Konsole) and iTerm2's (iTerm2, WezTerm).

use std::{
    env,
    io::{IsTerminal, Write},
};

use base64::{Engine, engine::general_purpose::STANDARD};

/// Bytes of text that kitty takes at once.
const KITTY_CHUNK: usize = 4_096;

/// How a terminal takes pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Kitty,
    Iterm,
}

impl Protocol {
    /// That of the terminal that this process runs in, by its environment.
    pub(super) fn of_terminal() -> Option<Self> {
        Self::of(|name| env::var(name).ok())
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let is = |name: &str, values: &[&str]| {
            variable(name).is_some_and(|value| values.contains(&value.as_str()))
        };
        // Programs that divide a terminal pass no pictures on.
        if variable("TMUX").is_some() || variable("STY").is_some() {
            return None;
        }
        if is("TERM_PROGRAM", &["iTerm.app", "WezTerm", "vscode"]) || is("LC_TERMINAL", &["iTerm2"])
        {
            return Some(Self::Iterm);
        }
        let kitty = [
            "KITTY_WINDOW_ID",
            "GHOSTTY_RESOURCES_DIR",
            "KONSOLE_VERSION",
        ];
        let by_name = is("TERM", &["xterm-kitty", "xterm-ghostty"]);
        (by_name || kitty.into_iter().any(|name| variable(name).is_some())).then_some(Self::Kitty)
    }

    /// The output that shows a PNG.
    fn shown(self, png: &[u8]) -> String {
        let text = STANDARD.encode(png);
        match self {
            Self::Iterm => format!(
                "\x1b]1337;File=inline=1;size={};preserveAspectRatio=1:{text}\x07\n",
                png.len()
            ),
            Self::Kitty => {
                let mut output = String::new();
                let chunks = text.as_bytes().chunks(KITTY_CHUNK);
                let last = chunks.len() - 1;
                for (number, chunk) in chunks.enumerate() {
                    let first = if number == 0 { "a=T,f=100," } else { "" };
                    let more = u8::from(number < last);
                    output += &format!("\x1b_G{first}m={more};");
                    output += std::str::from_utf8(chunk).expect("Base64 is ASCII");
                    output += "\x1b\\";
                }
                output + "\n"
            }
        }
    }
}

/// Shows a PNG in the terminal.
pub(super) fn print_png(png: &[u8]) {
    if let Some(protocol) = Protocol::of_terminal() {
        // Nobody looks at a closed terminal.
        let _ = std::io::stdout().write_all(protocol.shown(png).as_bytes());
    }
}

/// Columns of the terminal that standard output is, if it is one.
pub(super) fn width() -> Option<usize> {
    let out = std::io::stdout();
    let size = out
        .is_terminal()
        .then(|| rustix::termios::tcgetwinsize(&out).ok())??;
    (size.ws_col > 0).then_some(size.ws_col.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_told_apart_by_their_variables() {
        let of = |set: &[(&str, &str)]| {
            let set: Vec<_> = set.to_vec();
            Protocol::of(move |name| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[("TERM", "xterm-256color")]), None);
        assert_eq!(of(&[("TERM", "xterm-kitty")]), Some(Protocol::Kitty));
        assert_eq!(of(&[("KONSOLE_VERSION", "240201")]), Some(Protocol::Kitty));
        assert_eq!(of(&[("TERM_PROGRAM", "WezTerm")]), Some(Protocol::Iterm));
        assert_eq!(of(&[("TERM", "xterm-kitty"), ("TMUX", "/tmp/x")]), None);
    }

    #[test]
    fn a_large_picture_goes_to_kitty_in_chunks_of_which_the_last_says_so() {
        let shown = Protocol::Kitty.shown(&vec![7; 10_000]);
        let chunks: Vec<_> = shown
            .trim_end()
            .split("\x1b\\")
            .filter(|chunk| !chunk.is_empty())
            .collect();
        assert_eq!(chunks.len(), 4);
        assert!(chunks[0].starts_with("\x1b_Ga=T,f=100,m=1;"));
        assert!(
            chunks[1..3]
                .iter()
                .all(|chunk| chunk.starts_with("\x1b_Gm=1;"))
        );
        assert!(chunks[3].starts_with("\x1b_Gm=0;"));
        let text: String = chunks
            .iter()
            .filter_map(|chunk| chunk.split_once(';'))
            .map(|(_, text)| text)
            .collect();
        assert_eq!(STANDARD.decode(text).unwrap(), vec![7; 10_000]);
    }
}
