//! The steps of `--clean`, and sets of them.
//!
//! This table is the only definition: flag, job file, HTTP and OpenAPI follow from it. The C++ side does the work
//! (`src/chem/clean`); RDKit's function for each step is the reference.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::named::named;

named! {
    /// A step of cleaning, in the order in which they are done.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum CleanStep {
        /// `rdMolStandardize.Cleanup`: part of every cleaning.
        Cleanup = "cleanup",
        /// `rdMolStandardize.FragmentParent`: the largest fragment.
        Fragment = "fragment",
        /// `rdMolStandardize.Uncharger`: neutral as far as moving protons makes it.
        Uncharge = "uncharge",
        /// `rdMolStandardize.TautomerEnumerator().Canonicalize`.
        Tautomer = "tautomer",
        /// `Chem.RemoveStereochemistry`.
        Stereo = "stereo",
    }
}

/// Some of the steps. Those of a job, if there are any, include [`CleanStep::Cleanup`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CleanSteps(u8);

/// Names of the usual steps and of none.
const USUAL: &str = "usual";
const NONE: &str = "none";

impl CleanSteps {
    /// Nothing is cleaned.
    pub const NONE: Self = Self(0);
    /// The steps of `--clean` alone.
    pub const USUAL: Self = Self(
        1 << CleanStep::Cleanup as u8
            | 1 << CleanStep::Fragment as u8
            | 1 << CleanStep::Uncharge as u8,
    );

    /// Whether a step is among them.
    pub const fn has(self, step: CleanStep) -> bool {
        self.0 >> step as u8 & 1 == 1
    }

    /// Whether nothing is cleaned.
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// The steps in their order.
    pub fn iter(self) -> impl Iterator<Item = CleanStep> {
        let steps = CleanStep::ALL.into_iter();
        steps.filter(move |step| self.has(*step))
    }

    /// A bit for each, by its number.
    pub fn bits(self) -> u32 {
        self.0.into()
    }

    /// The set of these steps alone: for what a molecule was changed by, which is not always [`CleanStep::Cleanup`].
    pub fn exactly(steps: impl IntoIterator<Item = CleanStep>) -> Self {
        let bits = steps.into_iter().map(|step| 1 << step as u8);
        Self(bits.fold(0, |set, bits| set | bits))
    }

    /// The set of these bits; other bits are dropped.
    pub(crate) fn of_bits(bits: u32) -> Self {
        Self(bits as u8 & ((1 << CleanStep::ALL.len()) - 1))
    }
}

impl FromIterator<CleanStep> for CleanSteps {
    fn from_iter<I: IntoIterator<Item = CleanStep>>(steps: I) -> Self {
        let cleanup = 1 << CleanStep::Cleanup as u8;
        let bits = steps.into_iter().map(|step| 1 << step as u8 | cleanup);
        Self(bits.fold(0, |set, bits| set | bits))
    }
}

/// A name that no step has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no cleaning step \"{name}\"; there are {}", CleanStep::ALL.map(CleanStep::name).join(", "))]
pub struct UnknownStep {
    name: String,
}

impl FromStr for CleanStep {
    type Err = UnknownStep;

    fn from_str(name: &str) -> Result<Self, UnknownStep> {
        let found = Self::ALL.into_iter().find(|step| step.name() == name);
        found.ok_or_else(|| UnknownStep { name: name.into() })
    }
}

/// `usual`, `none`, or names with commas between them.
impl FromStr for CleanSteps {
    type Err = UnknownStep;

    fn from_str(text: &str) -> Result<Self, UnknownStep> {
        match text {
            USUAL => Ok(Self::USUAL),
            NONE => Ok(Self::NONE),
            names => names.split(',').map(|name| name.trim().parse()).collect(),
        }
    }
}

impl fmt::Display for CleanSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str(NONE);
        }
        let names: Vec<_> = self.iter().map(CleanStep::name).collect();
        f.write_str(&names.join(","))
    }
}

/// A list of names; no steps are `false`.
impl Serialize for CleanSteps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_empty() {
            return serializer.serialize_bool(false);
        }
        serializer.collect_seq(self.iter().map(CleanStep::name))
    }
}

/// Reads a list of names, or a truth value: the usual steps or none.
impl<'de> Deserialize<'de> for CleanSteps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "clean must be a list of names, true or false")]
        enum Given {
            Whether(bool),
            Names(Vec<String>),
        }
        match Given::deserialize(deserializer)? {
            Given::Whether(true) => Ok(Self::USUAL),
            Given::Whether(false) => Ok(Self::NONE),
            Given::Names(names) => {
                let steps = names.iter().map(|name| name.parse::<CleanStep>());
                steps.collect::<Result<_, _>>().map_err(D::Error::custom)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_make_a_set_in_the_order_of_the_steps() {
        let steps: CleanSteps = "stereo, fragment".parse().unwrap();
        assert_eq!(steps.to_string(), "cleanup,fragment,stereo");
        assert_eq!("usual".parse(), Ok(CleanSteps::USUAL));
        assert_eq!("fragment,uncharge".parse(), Ok(CleanSteps::USUAL));
        assert_eq!("none".parse(), Ok(CleanSteps::NONE));
        assert_eq!(CleanSteps::of_bits(steps.bits()), steps);
        for wrong in ["", "fragment,", "Fragment", "salts"] {
            let refused = wrong.parse::<CleanSteps>().unwrap_err().to_string();
            let names = "there are cleanup, fragment, uncharge, tautomer, stereo";
            assert!(refused.contains(names), "{refused}");
        }
    }

    #[test]
    fn a_set_is_a_list_or_a_truth_value() {
        let read = |text: &str| serde_json::from_str::<CleanSteps>(text).map_err(|e| e.to_string());
        assert_eq!(read("true"), Ok(CleanSteps::USUAL));
        assert_eq!(read("false"), Ok(CleanSteps::NONE));
        assert!(read(r#"["salts"]"#).unwrap_err().contains("\"salts\""));
        for steps in [
            CleanSteps::NONE,
            CleanSteps::USUAL,
            "tautomer".parse().unwrap(),
        ] {
            assert_eq!(read(&serde_json::to_string(&steps).unwrap()), Ok(steps));
        }
    }
}
