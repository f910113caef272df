//! Paths in TOML and JSON, which hold only Unicode.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

/// The first character of an escaped path: no path contains it.
const ESCAPED: char = '\0';

/// A path as TOML and JSON can hold it. A path that is not UTF-8 becomes a NUL, then its text with `%XX` for
/// each byte that is not UTF-8 and for each `%`. [`read_path`] restores it.
pub fn written_path(path: &Path) -> PathBuf {
    if path.to_str().is_some() {
        return path.into();
    }
    let mut text = String::from(ESCAPED);
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        text.push_str(&chunk.valid().replace('%', "%25"));
        text.extend(chunk.invalid().iter().map(|byte| format!("%{byte:02X}")));
    }
    text.into()
}

/// The path that [`written_path`] wrote.
pub fn read_path(path: PathBuf) -> PathBuf {
    let Some(text) = path.to_str().and_then(|text| text.strip_prefix(ESCAPED)) else {
        return path;
    };
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or(("", part));
        bytes.extend(u8::from_str_radix(digits, 16).ok());
        bytes.extend_from_slice(rest.as_bytes());
    }
    OsString::from_vec(bytes).into()
}
