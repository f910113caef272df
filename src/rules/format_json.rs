//! Reads JSON into the common tree.

use serde::de::IgnoredAny;

use super::error::{RuleFault, printable};
use super::place::Position;
use super::source::{Entry, Node, Source, Value};

/// The whole file as one node.
///
/// # Errors
/// The first syntax error, or a key that an object has twice.
pub(super) fn read(source: &Source<'_>) -> Result<Node, (Position, RuleFault)> {
    // The walk below relies on this check, which bounds the depth too (to 128).
    if let Err(error) = serde_json::from_str::<IgnoredAny>(source.text) {
        let (line, column) = (error.line().max(1), error.column().max(1));
        let said = error.to_string();
        let end = said.rfind(" at line ").unwrap_or(said.len());
        let fault = RuleFault::Syntax(printable(&said[..end]));
        return Err((in_characters(source.text, line, column), fault));
    }
    let mut walk = Walk {
        text: source.text,
        at: 0,
        repeated: None,
    };
    let node = walk.node();
    match walk.repeated {
        None => Ok(node),
        Some((at, key)) => {
            let message = format!("the key \"{}\" is there twice", printable(&key));
            Err((source.position(at), RuleFault::Syntax(message)))
        }
    }
}

/// The position of a line and a column that counts bytes.
fn in_characters(text: &str, line: usize, byte: usize) -> Position {
    let content = text.split('\n').nth(line - 1).unwrap_or_default();
    let before = content.floor_char_boundary(byte - 1);
    let column = content[..before].chars().count() + 1;
    Position { line, column }
}

/// Goes through valid JSON.
struct Walk<'t> {
    text: &'t str,
    at: usize,
    /// The first key that its object has already.
    repeated: Option<(usize, String)>,
}

impl Walk<'_> {
    /// The value at the next character that is no blank.
    fn node(&mut self) -> Node {
        let first = self.peek();
        let at = self.at;
        let value = match first {
            Some(b'{') => Value::Table(self.members()),
            Some(b'[') => Value::List(self.items()),
            Some(b'"') => Value::Text(self.string()),
            _ => self.word(),
        };
        Node { at, value }
    }

    /// The next byte that is no blank; the walk stands there.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// Whether another member follows the `members` ones read. Steps over a comma or the closing bracket.
    fn another(&mut self, members: usize, closing: u8) -> bool {
        let next = self.peek();
        if next.is_none_or(|byte| byte == closing) {
            self.at += 1;
            return false;
        }
        if members > 0 {
            self.at += 1;
            self.peek();
        }
        true
    }

    fn items(&mut self) -> Vec<Node> {
        let mut items = Vec::new();
        self.at += 1;
        while self.another(items.len(), b']') {
            items.push(self.node());
        }
        items
    }

    fn members(&mut self) -> Vec<Entry> {
        let mut members: Vec<Entry> = Vec::new();
        let mut keys = std::collections::HashSet::new();
        self.at += 1;
        while self.another(members.len(), b'}') {
            let key_at = self.at;
            let key = self.string();
            if !keys.insert(key.clone()) && self.repeated.is_none() {
                self.repeated = Some((key_at, key.clone()));
            }
            // The colon.
            self.peek();
            self.at += 1;
            let node = self.node();
            members.push(Entry { key, key_at, node });
        }
        members
    }

    /// The string at the walk's place, decoded.
    fn string(&mut self) -> String {
        let begin = self.at;
        let bytes = self.text.as_bytes();
        self.at += 1;
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        self.at = (self.at + 1).min(bytes.len());
        let raw = self.text.get(begin..self.at).unwrap_or_default();
        serde_json::from_str(raw).unwrap_or_default()
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Value {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| c.is_ascii_whitespace() || ",]}".contains(c));
        let word = &rest[..end.unwrap_or(rest.len())];
        self.at += word.len();
        match word {
            "true" => Value::Flag(true),
            "false" => Value::Flag(false),
            "null" | "" => Value::Null,
            number => number
                .parse()
                .map_or(Value::Other("a number"), Value::Whole),
        }
    }
}
