//! What the value of a setting can be: how a flag and a job file are merged, and the JSON schema of the value.

use std::{fmt, num::NonZeroUsize, ops::RangeInclusive, path::PathBuf, str::FromStr};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::error::ConfigError;
use crate::{
    chem::{Method, SmilesForm},
    cleaning::{CleanStep, CleanSteps},
    filter::{Catalogue, Catalogues, Comparison, Condition, SmartsSource},
    identity::KeyKind,
    limits::{FILTERS_MAX, JOB_PATHS_MAX, REAGENT_SETS_MAX, STEPS_MAX},
    property::{Property, PropertySet},
    sieve::EngineChoice,
    table::sink::Coordinates,
    units::ByteSize,
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
    /// The subcommand that has the settings of this task.
    pub(super) fn command(self) -> &'static str {
        match self {
            Self::Derive => "molsieve run",
            Self::Dedup => "molsieve dedup",
        }
    }
}

/// Gives an enum of a library module its words on the command line, each with its text in `--help`.
macro_rules! command_line_words {
    ($type:ty { $($variant:ident: $word:literal, $help:literal;)* }) => {
        impl clap::ValueEnum for $type {
            fn value_variants<'a>() -> &'a [Self] {
                &[$( Self::$variant ),*]
            }

            fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
                let (word, help) = match self {
                    $( Self::$variant => ($word, $help), )*
                };
                Some(clap::builder::PossibleValue::new(word).help(help))
            }
        }
    };
}

pub(crate) use command_line_words;

command_line_words!(EngineChoice {
    Auto: "auto", "The best engine this machine has";
    Cpu: "cpu", "fastbloom on the CPU";
    Cuda: "cuda", "An NVIDIA GPU";
    Wgpu: "wgpu", "Any other GPU";
});

command_line_words!(Coordinates {
    Stereo: "stereo", "Molecules with stereo";
    All: "2d", "All molecules";
});

command_line_words!(KeyKind {
    Canonical: "canonical", "MurmurHash3_x64_128 of the canonical SMILES";
    Structure: "structure", "The structure key, as molsieve key prints it";
});

command_line_words!(SmilesForm {
    Canonical: "canonical", "RDKit's canonical SMILES";
    Direct: "direct", "A valid SMILES, written straight from the product";
});

command_line_words!(Method {
    Fast: "fast", "Shortcuts where they provably give the same answer";
    Reference: "reference", "The plain loop: sanitize every product fully";
});

/// What is known of a setting beside its type.
pub struct SettingInfo {
    /// The key in a job file; the flag is the same with hyphens.
    pub(super) name: &'static str,
    /// The doc comment of its entry.
    pub(super) documentation: &'static str,
    /// The only task that has it; `None`: every job has it.
    pub(super) task: Option<Task>,
    /// Whether the files a job writes depend on it, so that a resumed run must have the same value. Paths
    /// and sizes that are compared in another way (by content, by the plan) do not count.
    pub(super) same_on_resume: bool,
    /// What a resumed run says of the value when it is not given.
    pub(super) unset: &'static str,
    /// Its JSON schema.
    pub(super) schema: fn() -> Json,
}

/// A setting as it may be given: `Option<V>`, `Vec<PathBuf>` or `bool`. Its default means that it is not given.
pub trait Given: Default + PartialEq {
    /// Type of a value that is given.
    type Value;
    /// What a resumed run says of a value that is not given.
    const UNSET: &'static str = "not given";

    fn is_unset(&self) -> bool {
        *self == Self::default()
    }

    /// This value if it is given, else `other`.
    fn or(self, other: Self) -> Self {
        if self.is_unset() { other } else { self }
    }

    fn schema(range: Option<RangeInclusive<Self::Value>>) -> Json;
}

impl<V: Value + PartialEq> Given for Option<V> {
    type Value = V;

    fn schema(range: Option<RangeInclusive<V>>) -> Json {
        let mut schema = V::schema(range.as_ref());
        if let Some(Json::Array(choices)) = schema.get_mut("anyOf") {
            choices.push(json!({ "type": "null" }));
        }
        if let Some(Json::Array(words)) = schema.get_mut("enum") {
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

    fn schema(_: Option<RangeInclusive<PathBuf>>) -> Json {
        json!({ "type": "array", "items": PathBuf::schema(None), "maxItems": JOB_PATHS_MAX })
    }
}

/// A step of a job: a `[[step]]` table of a job file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StepSettings {
    /// Its rule files.
    pub rules: Vec<PathBuf>,
    /// Conditions on its products, beside those of the job.
    #[serde(skip_serializing_if = "Given::is_unset")]
    pub r#where: Vec<Condition>,
    /// Catalogues of alerts that its products must not match.
    #[serde(skip_serializing_if = "Given::is_unset")]
    pub alerts: Option<Catalogues>,
    /// SMARTS that its products must match.
    #[serde(skip_serializing_if = "Given::is_unset")]
    pub require_smarts: Vec<SmartsSource>,
    /// SMARTS that its products must not match.
    #[serde(skip_serializing_if = "Given::is_unset")]
    pub reject_smarts: Vec<SmartsSource>,
}

impl StepSettings {
    /// Every path in it.
    pub(super) fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let smarts = self
            .require_smarts
            .iter_mut()
            .chain(&mut self.reject_smarts);
        self.rules
            .iter_mut()
            .chain(smarts.filter_map(SmartsSource::path_mut))
    }
}

impl Given for Vec<StepSettings> {
    type Value = StepSettings;

    fn schema(_: Option<RangeInclusive<StepSettings>>) -> Json {
        let rules = <Vec<PathBuf> as Given>::schema(None);
        let step = json!({
            "type": "object",
            "properties": {
                "rules": rules,
                "where": <Vec<Condition> as Given>::schema(None),
                "alerts": <Option<Catalogues> as Given>::schema(None),
                "require_smarts": <Vec<SmartsSource> as Given>::schema(None),
                "reject_smarts": <Vec<SmartsSource> as Given>::schema(None),
            },
            "required": ["rules"],
            "additionalProperties": false,
        });
        json!({
            "type": "array",
            "items": step,
            "maxItems": STEPS_MAX,
            "examples": [[{ "rules": ["/rules/first.toml"] }], [{ "rules": ["/rules/second.toml"] }]],
        })
    }
}

/// A set of reagents as it is given: `NAME=FILE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReagentFile {
    /// What rules call it.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
}

impl FromStr for ReagentFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, path)) if !name.trim().is_empty() && !path.is_empty() => Ok(Self {
                name: name.trim().to_owned(),
                path: path.into(),
            }),
            _ => Err(format!(
                "`{text}` is not NAME=FILE, such as amines=amines.smi"
            )),
        }
    }
}

impl TryFrom<String> for ReagentFile {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ReagentFile> for String {
    fn from(ReagentFile { name, path }: ReagentFile) -> Self {
        format!("{name}={}", path.display())
    }
}

impl Given for Vec<ReagentFile> {
    type Value = ReagentFile;

    fn schema(_: Option<RangeInclusive<ReagentFile>>) -> Json {
        json!({
            "type": "array",
            "items": { "type": "string", "pattern": "^[^=\\u0000]+=/[^\\u0000]*$" },
            "maxItems": REAGENT_SETS_MAX,
            "examples": [["amines=/sets/amines.smi"], ["acids=/sets/acids.smi"]],
        })
    }
}

impl Given for Vec<Condition> {
    type Value = Condition;

    fn schema(_: Option<RangeInclusive<Condition>>) -> Json {
        let names = Property::ALL.map(Property::name).join("|");
        let comparisons = Comparison::ALL.map(Comparison::name).join("|");
        json!({
            "type": "array",
            "items": {
                "type": "string",
                "pattern": format!("^({names}) ?({comparisons}) ?-?[0-9]{{1,9}}(\\.[0-9]{{1,9}})?$"),
            },
            "maxItems": FILTERS_MAX,
            "examples": [["mw <= 500"], ["mw <= 500", "clogp <= 5"]],
        })
    }
}

impl Given for Vec<SmartsSource> {
    type Value = SmartsSource;

    fn schema(_: Option<RangeInclusive<SmartsSource>>) -> Json {
        json!({
            "type": "array",
            // A SMARTS, or a file with @ before its absolute path.
            "items": { "type": "string", "pattern": "^(@/[^\\u0000]*|[!-?A-~][!-~]*)$" },
            "maxItems": FILTERS_MAX,
            "examples": [["@/lists/alerts.smarts"], ["[N+](=O)[O-]"]],
        })
    }
}

impl Given for bool {
    type Value = bool;
    const UNSET: &'static str = "false";

    fn schema(_: Option<RangeInclusive<bool>>) -> Json {
        json!({ "type": "boolean" })
    }
}

/// The type of one value of a setting.
pub trait Value: Sized {
    /// The JSON schema of values in `range`.
    fn schema(range: Option<&RangeInclusive<Self>>) -> Json;
}

impl Value for PathBuf {
    fn schema(_: Option<&RangeInclusive<Self>>) -> Json {
        json!({ "type": "string", "pattern": "^/[^\\u0000]*$" })
    }
}

impl Value for String {
    fn schema(_: Option<&RangeInclusive<Self>>) -> Json {
        json!({ "type": "string" })
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

words!(
    EngineChoice,
    Dedup,
    KeyKind,
    Task,
    Method,
    SmilesForm,
    Coordinates
);

impl Value for PropertySet {
    fn schema(_: Option<&RangeInclusive<Self>>) -> Json {
        let names = Property::ALL.map(Property::name);
        json!({
            "anyOf": [
                { "type": "array", "items": { "type": "string", "enum": names } },
                { "type": "boolean" },
            ],
            "examples": [["mw", "clogp"], true],
        })
    }
}

impl Value for Catalogues {
    fn schema(_: Option<&RangeInclusive<Self>>) -> Json {
        let names = Catalogue::ALL.map(Catalogue::name);
        json!({
            "type": "array",
            "items": { "type": "string", "enum": names },
            "examples": [["pains", "brenk"], ["chembl"]],
        })
    }
}

impl Value for CleanSteps {
    fn schema(_: Option<&RangeInclusive<Self>>) -> Json {
        let names = CleanStep::ALL.map(CleanStep::name);
        json!({
            "anyOf": [
                { "type": "array", "items": { "type": "string", "enum": names } },
                { "type": "boolean" },
            ],
            "examples": [["fragment", "uncharge"], ["cleanup"]],
        })
    }
}

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

/// The value of a setting or flag, if it is in its range.
pub fn within<V: PartialOrd + fmt::Display>(
    setting: &'static str,
    value: V,
    range: &RangeInclusive<V>,
) -> Result<V, ConfigError> {
    if range.contains(&value) {
        return Ok(value);
    }
    let (least, most) = (range.start(), range.end());
    let reason = format!("{value} is not between {least} and {most}");
    Err(ConfigError::Value { setting, reason })
}
