//! What the value of a setting can be: how a flag and a job file are merged, and the JSON schema of the value.

use std::{fmt, num::NonZeroUsize, ops::RangeInclusive, path::PathBuf};

use clap::{ValueEnum, builder::PossibleValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::error::ConfigError;
use crate::{
    chem::Method, identity::KeyKind, limits::JOB_PATHS_MAX, sieve::EngineChoice, units::ByteSize,
};

/// `--dedup`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Dedup {
    /// Write every distinct product exactly once
    Exact,
    /// Drop products that the Bloom filter may have seen, and report how many that is expected to lose
    Bloom,
}

/// What a job does.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Apply rules to each molecule; without rules, clean the library
    #[default]
    Derive,
    /// Keep the first record of each molecule as it is
    Dedup,
}

impl Task {
    /// The word in a job file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Derive => "derive",
            Self::Dedup => "dedup",
        }
    }

    /// The subcommand that has the settings of this task.
    pub(super) fn command(self) -> &'static str {
        match self {
            Self::Derive => "molsieve run",
            Self::Dedup => "molsieve dedup",
        }
    }
}

impl ValueEnum for EngineChoice {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.about()))
    }
}

impl ValueEnum for KeyKind {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Canonical, Self::Structure]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Canonical => "MurmurHash3_x64_128 of the canonical SMILES",
            Self::Structure => "The structure key, as molsieve key prints it",
        };
        Some(PossibleValue::new(self.name()).help(help))
    }
}

impl ValueEnum for Method {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Fast, Self::Reference]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Fast => PossibleValue::new("fast")
                .help("Shortcuts where they provably give the same answer"),
            Self::Reference => {
                PossibleValue::new("reference").help("The plain loop: sanitize every product fully")
            }
        })
    }
}

/// What is known of a setting beside its type.
#[derive(Debug, PartialEq, Eq)]
pub struct SettingInfo {
    /// The key in a job file; the flag is the same with hyphens.
    pub name: &'static str,
    /// The only task that has it; `None`: every job has it.
    pub task: Option<Task>,
    /// Whether the files a job writes depend on it, so that a resumed run must have the same value. Paths
    /// and sizes that are compared in another way (by content, by the plan) do not count.
    pub same_on_resume: bool,
    /// What a resumed run says of the value when it is not given.
    pub(super) unset: &'static str,
}

/// A setting as it may be given: `Option<V>`, `Vec<PathBuf>` or `bool`.
pub trait Given: Sized {
    /// Type of a value that is given.
    type Value: Value;
    /// What a resumed run says of a value that is not given.
    const UNSET: &'static str = "not given";

    fn is_unset(&self) -> bool;
    /// This value if it is given, else `other`.
    fn or(self, other: Self) -> Self;
    /// The values that are given.
    fn values_mut(&mut self) -> &mut [Self::Value];
    fn schema(range: Option<RangeInclusive<Self::Value>>) -> Json;
}

impl<V: Value> Given for Option<V> {
    type Value = V;

    fn is_unset(&self) -> bool {
        self.is_none()
    }

    fn or(self, other: Self) -> Self {
        Option::or(self, other)
    }

    fn values_mut(&mut self) -> &mut [V] {
        self.as_mut_slice()
    }

    fn schema(range: Option<RangeInclusive<V>>) -> Json {
        let mut schema = V::schema(range.as_ref());
        if let Some(choices) = schema["anyOf"].as_array_mut() {
            choices.push(json!({ "type": "null" }));
        }
        if let Some(words) = schema["enum"].as_array_mut() {
            words.push(Json::Null);
        }
        if schema["type"].is_string() {
            schema["type"] = json!([schema["type"], "null"]);
        }
        schema
    }
}

impl Given for Vec<PathBuf> {
    type Value = PathBuf;

    fn is_unset(&self) -> bool {
        self.is_empty()
    }

    fn or(self, other: Self) -> Self {
        if self.is_empty() { other } else { self }
    }

    fn values_mut(&mut self) -> &mut [PathBuf] {
        self
    }

    fn schema(_: Option<RangeInclusive<PathBuf>>) -> Json {
        json!({ "type": "array", "items": PathBuf::schema(None), "maxItems": JOB_PATHS_MAX })
    }
}

impl Given for bool {
    type Value = bool;
    const UNSET: &'static str = "false";

    fn is_unset(&self) -> bool {
        !self
    }

    fn or(self, other: Self) -> Self {
        self || other
    }

    fn values_mut(&mut self) -> &mut [bool] {
        std::slice::from_mut(self)
    }

    fn schema(_: Option<RangeInclusive<bool>>) -> Json {
        json!({ "type": "boolean" })
    }
}

/// The type of one value of a setting.
pub trait Value: Sized {
    /// The JSON schema of values in `range`.
    fn schema(range: Option<&RangeInclusive<Self>>) -> Json;

    fn path_mut(&mut self) -> Option<&mut PathBuf> {
        None
    }
}

impl Value for PathBuf {
    fn schema(_: Option<&RangeInclusive<Self>>) -> Json {
        json!({ "type": "string", "pattern": "^/[^\\u0000]*$" })
    }

    fn path_mut(&mut self) -> Option<&mut PathBuf> {
        Some(self)
    }
}

impl Value for String {
    fn schema(_: Option<&RangeInclusive<Self>>) -> Json {
        json!({ "type": "string" })
    }
}

impl Value for bool {
    fn schema(_: Option<&RangeInclusive<Self>>) -> Json {
        json!({ "type": "boolean" })
    }
}

macro_rules! numbers {
    ($($type:ty => $kind:literal),*) => { $(
        impl Value for $type {
            fn schema(range: Option<&RangeInclusive<Self>>) -> Json {
                match range {
                    Some(range) => json!({
                        "type": $kind, "minimum": range.start(), "maximum": range.end(),
                    }),
                    None => json!({ "type": $kind }),
                }
            }
        }
    )* };
}

numbers!(u32 => "integer", u64 => "integer", usize => "integer", NonZeroUsize => "integer", f64 => "number");

macro_rules! words {
    ($($type:ty),*) => { $(
        impl Value for $type {
            fn schema(_: Option<&RangeInclusive<Self>>) -> Json {
                let words: Vec<_> = Self::value_variants()
                    .iter()
                    .filter_map(Self::to_possible_value)
                    .map(|value| value.get_name().to_owned())
                    .collect();
                json!({ "type": "string", "enum": words })
            }
        }
    )* };
}

words!(EngineChoice, Dedup, KeyKind, Task, Method);

impl Value for ByteSize {
    /// A number of bytes, or a text whose unit keeps every number of up to three digits in the range.
    fn schema(range: Option<&RangeInclusive<Self>>) -> Json {
        const UNITS: [(char, u32); 4] = [('K', 10), ('M', 20), ('G', 30), ('T', 40)];
        let all = ByteSize(1)..=ByteSize(u64::MAX);
        let range = range.unwrap_or(&all);
        let fits = |(_, shift): &(char, u32)| {
            range.start().0 <= 1 << shift && 999 << shift <= range.end().0
        };
        let units: String = UNITS
            .iter()
            .filter(|unit| fits(unit))
            .map(|(unit, _)| unit)
            .collect();
        json!({ "anyOf": [
            { "type": "integer", "minimum": range.start().0, "maximum": range.end().0 },
            { "type": "string", "pattern": format!("^[1-9][0-9]{{0,2}} ?[{units}](i?B)?$") },
        ]})
    }
}

/// Refuses a value outside of its range.
pub(super) fn within<V: PartialOrd + fmt::Display>(
    setting: &'static str,
    value: Option<&V>,
    range: &RangeInclusive<V>,
) -> Result<(), ConfigError> {
    match value {
        Some(value) if !range.contains(value) => {
            let (least, most) = (range.start(), range.end());
            let reason = format!("{value} is not between {least} and {most}");
            Err(ConfigError::Value { setting, reason })
        }
        _ => Ok(()),
    }
}
