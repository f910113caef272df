//! Small working files of a run: one JSON value with version and checksum, replaced as a whole.
//!
//! ```text
//! molsieve KIND VERSION\n        for example "molsieve checkpoint 1"
//! SHA-256 of the rest, 64 hex digits\n
//! JSON\n
//! ```
//!
//! A write creates `NAME.tmp`, syncs it, renames it and syncs the directory, so that after any interruption
//! either the old or the new file is there. A reader allocates at most [`SEALED_BYTES_MAX`].

use std::{io::Write, path::Path};

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{
    StoreError,
    disk::{self, DiskFile},
};
use crate::limits::SEALED_BYTES_MAX;

/// A kind of file: its name and the version of its layout.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Name of the file in the folder.
    pub name: &'static str,
    /// Raised when the meaning of the JSON changes.
    pub version: u32,
}

/// Characters of a parser's message that an error shows.
const MESSAGE_CHARS_MAX: usize = 200;

/// The error of [`decode`] for a file of another version.
const OTHER_VERSION: &str = "another version of molsieve wrote it";

/// Writes `value` into `folder`.
pub fn write(folder: &Path, kind: Kind, value: &impl Serialize) -> Result<(), StoreError> {
    let temporary = folder.join(format!("{}.tmp", kind.name));
    let written = write_temporary(&temporary, kind, value);
    if written.is_err() {
        // On a full disk the next attempt needs the space; the first error is the one to report.
        let _ = disk::remove(&temporary);
        return written;
    }
    disk::rename(&temporary, &folder.join(kind.name))?;
    disk::sync_dir(folder)
}

fn write_temporary(path: &Path, kind: Kind, value: &impl Serialize) -> Result<(), StoreError> {
    let mut file = DiskFile::create(path)?;
    file.write_all(&encode(kind, value))
        .map_err(|error| StoreError::io(path, "write", &error))?;
    file.sync()
}

/// Reads the file in `folder`; `None` if there is none.
pub fn read<T: DeserializeOwned>(folder: &Path, kind: Kind) -> Result<Option<T>, StoreError> {
    let path = folder.join(kind.name);
    let Some(content) = disk::read(&path, SEALED_BYTES_MAX)? else {
        return Ok(None);
    };
    decode(kind, &content).map(Some).map_err(|reason| {
        if reason == OTHER_VERSION {
            return StoreError::OtherVersion(folder.into());
        }
        StoreError::damaged(&path, reason)
    })
}

/// The bytes of the file that holds `value`.
pub fn encode(kind: Kind, value: &impl Serialize) -> Vec<u8> {
    let mut json = serde_json::to_vec(value).expect("what is sealed has string keys only");
    json.push(b'\n');
    encode_json(kind, &json)
}

/// The bytes of a file with `json` as its value, which a test may choose not to be JSON.
pub fn encode_json(kind: Kind, json: &[u8]) -> Vec<u8> {
    let head = format!(
        "molsieve {} {}\n{}\n",
        kind.name,
        kind.version,
        hex(Sha256::digest(json).as_slice())
    );
    [head.as_bytes(), json].concat()
}

/// The value in the bytes of a file; an error says what is wrong with them.
pub fn decode<T: DeserializeOwned>(kind: Kind, content: &[u8]) -> Result<T, String> {
    let mut lines = content.splitn(3, |byte| *byte == b'\n');
    let (head, sum, json) = (lines.next(), lines.next(), lines.next());
    let expected = format!("molsieve {} {}", kind.name, kind.version);
    match head.map(String::from_utf8_lossy) {
        Some(head) if head == expected => {}
        Some(head) if head.starts_with(&format!("molsieve {} ", kind.name)) => {
            return Err(OTHER_VERSION.into());
        }
        _ => return Err(format!("it does not begin with \"{expected}\"")),
    }
    let (Some(sum), Some(json)) = (sum, json) else {
        return Err("it is cut short".into());
    };
    if hex(Sha256::digest(json).as_slice()).as_bytes() != sum {
        return Err("its checksum does not fit".into());
    }
    serde_json::from_slice(json).map_err(|error| one_line(&error.to_string()))
}

/// Bytes in a sealed value, as hex digits.
pub mod as_hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// See the module.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::hex(bytes))
    }

    /// See the module.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let bytes = pairs
            .iter()
            .map(|[high, low]| Some((digit(*high)? << 4) | digit(*low)?));
        let bytes = bytes.collect::<Option<Vec<u8>>>();
        bytes
            .filter(|_| rest.is_empty())
            .ok_or_else(|| D::Error::custom("bytes are not in hex digits"))
    }
}

/// A parser's message on one line and cut, because it may repeat text of the file.
fn one_line(message: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let line = message.chars().map(|c| if breaks(c) { ' ' } else { c });
    line.take(MESSAGE_CHARS_MAX).collect()
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind {
        name: "checkpoint",
        version: 3,
    };

    #[test]
    fn what_was_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read::<Vec<u64>>(dir.path(), KIND).unwrap(), None);
        for value in [vec![1u64, 2], vec![u64::MAX]] {
            write(dir.path(), KIND, &value).unwrap();
            assert_eq!(read(dir.path(), KIND).unwrap(), Some(value));
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_not_what_was_written_is_refused() {
        let whole = encode(KIND, &"text");
        assert_eq!(decode::<String>(KIND, &whole).unwrap(), "text");
        for end in 0..whole.len() {
            decode::<String>(KIND, &whole[..end]).unwrap_err();
        }
        for i in 0..whole.len() {
            let mut other = whole.clone();
            other[i] ^= 1;
            decode::<String>(KIND, &other).unwrap_err();
        }
        let newer = Kind { version: 4, ..KIND };
        let error = decode::<String>(newer, &whole).unwrap_err();
        assert!(error.contains("another version"), "{error}");
        decode::<u64>(KIND, &whole).unwrap_err();
    }

    #[test]
    fn real_numbers_come_back_to_the_last_bit() {
        for text in ["423.20917087271323", "500.51128279500443", "5e-324"] {
            let value: f64 = text.parse().unwrap();
            let read: f64 = decode(KIND, &encode(KIND, &value)).unwrap();
            assert_eq!(read.to_bits(), value.to_bits(), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_on_one_line() {
        #[derive(Debug, serde::Deserialize)]
        enum Phase {
            Reading,
        }
        let name = format!("\n\u{2028}{}", "x".repeat(1 << 20));
        let error = decode::<Phase>(KIND, &encode(KIND, &name)).unwrap_err();
        assert!(error.starts_with("unknown variant `  xx"), "{error}");
        assert_eq!(error.chars().count(), MESSAGE_CHARS_MAX);
        let reading = encode(KIND, &"Reading");
        assert!(matches!(decode(KIND, &reading), Ok(Phase::Reading)));
    }
}
