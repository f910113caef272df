//! What the value of a setting can be.

use std::{ops::RangeInclusive, path::Path, path::PathBuf};

use serde::{Serialize, de::DeserializeOwned};

use super::{LogFormat, LogLevel};
use crate::{
    config::{ConfigError, within},
    daemon::{loopback::Loopback, quota::Amount},
    units::ByteSize,
};

/// The type of a setting: as a flag it is parsed by clap, in the file by serde.
pub trait Setting: DeserializeOwned + Serialize {
    /// What a message calls a value of this type.
    const EXPECTED: &'static str;

    /// Whether a value of the file has a fitting TOML type.
    fn takes(value: &toml::Value) -> bool;

    /// The value as it counts for a file in this folder.
    fn in_folder(self, _folder: &Path) -> Self {
        self
    }

    /// Refuses a value out of range; only numbers have ranges.
    fn checked(
        self,
        _key: &'static str,
        _range: Option<&RangeInclusive<Self>>,
    ) -> Result<Self, ConfigError> {
        Ok(self)
    }
}

macro_rules! setting {
    ($($type:ty: $expected:literal, $($kind:ident)|+;)*) => { $(
        impl Setting for $type {
            const EXPECTED: &'static str = $expected;

            fn takes(value: &toml::Value) -> bool {
                matches!(value, $(toml::Value::$kind(_))|+)
            }
        }
    )* };
}

macro_rules! number {
    ($($type:ty: $expected:literal, $($kind:ident)|+;)*) => { $(
        impl Setting for $type {
            const EXPECTED: &'static str = $expected;

            fn takes(value: &toml::Value) -> bool {
                matches!(value, $(toml::Value::$kind(_))|+)
            }

            fn checked(
                self,
                key: &'static str,
                range: Option<&RangeInclusive<Self>>,
            ) -> Result<Self, ConfigError> {
                range.map_or(Ok(self), |range| within(key, self, range))
            }
        }
    )* };
}

number! {
    u32: "a whole number", Integer;
    u64: "a whole number", Integer;
    ByteSize: "a size such as \"2GiB\"", String | Integer;
}

setting! {
    Loopback: "a loopback address with a port, such as \"127.0.0.1:9477\"", String;
    Amount<u64>: "a whole number, a percentage such as \"25%\" or \"unlimited\"", String | Integer;
    Amount<ByteSize>: "a size, a percentage such as \"25%\" or \"unlimited\"", String | Integer;
    bool: "true or false", Boolean;
    String: "a text", String;
    Vec<String>: "a list of texts", Array;
    LogFormat: "a text", String;
    LogLevel: "a text", String;
}

impl Setting for PathBuf {
    const EXPECTED: &'static str = "a path";

    fn takes(value: &toml::Value) -> bool {
        value.is_str()
    }

    fn in_folder(self, folder: &Path) -> Self {
        folder.join(self)
    }
}
