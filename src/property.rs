//! The properties that a job can compute of each product, and sets of them.
//!
//! This table is the only definition: flag, job file, HTTP, OpenAPI, columns and their order follow from it. The C++ side
//! computes the values (`src/chem/describe`); RDKit's function for each is the reference.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::named::named;

/// How a property is kept in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropertyKind {
    /// A 64-bit float.
    Real,
    /// A whole number that is not negative, in 16 bits.
    Count,
    /// A whole number in 16 bits.
    Signed,
}

/// Defines the properties in the order of their columns: value, name, kind, and what it is in a few words.
macro_rules! properties {
    ($( $value:ident = $name:literal, $kind:ident, $meaning:literal; )+) => {
        named! {
            /// A property of a product.
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub enum Property {
                $( #[doc = $meaning] $value = $name, )+
            }
        }

        impl Property {
            /// How it is kept.
            pub const fn kind(self) -> PropertyKind {
                match self {
                    $( Self::$value => PropertyKind::$kind, )+
                }
            }

            /// What it is.
            pub fn meaning(self) -> &'static str {
                match self {
                    $( Self::$value => $meaning, )+
                }
            }
        }
    };
}

properties! {
    Mw = "mw", Real, "molecular weight";
    Clogp = "clogp", Real, "logP (Wildman-Crippen)";
    Tpsa = "tpsa", Real, "topological polar surface area";
    Hbd = "hbd", Count, "hydrogen-bond donors";
    Hba = "hba", Count, "hydrogen-bond acceptors";
    RotatableBonds = "rotatable_bonds", Count, "rotatable bonds";
    ExactMass = "exact_mass", Real, "mass of the commonest isotopes";
    HeavyAtoms = "heavy_atoms", Count, "atoms other than hydrogen";
    Rings = "rings", Count, "rings";
    AromaticRings = "aromatic_rings", Count, "aromatic rings";
    FractionCsp3 = "fraction_csp3", Real, "share of the carbons that have four neighbours";
    Charge = "charge", Signed, "formal charge";
    StereoCentres = "stereo_centres", Count, "stereo centres of atoms, specified or not";
}

/// Some of the properties, in the order of their columns whatever the order they were named in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PropertySet(u32);

/// A bit for each property that is a real.
const REALS: u32 = {
    let (mut bits, mut number) = (0, 0);
    while number < Property::ALL.len() {
        if matches!(Property::ALL[number].kind(), PropertyKind::Real) {
            bits |= 1 << number;
        }
        number += 1;
    }
    bits
};

/// Names of the whole set and of the empty one.
const ALL: &str = "all";
const NONE: &str = "none";

impl PropertySet {
    /// No property.
    pub const NONE: Self = Self(0);
    /// Each property.
    pub const ALL: Self = Self((1 << Property::ALL.len()) - 1);

    /// The properties, in the order of their columns.
    pub fn iter(self) -> impl Iterator<Item = Property> {
        Property::ALL
            .into_iter()
            .filter(move |property| self.has(*property))
    }

    /// Whether a property is among them.
    pub fn has(self, property: Property) -> bool {
        self.0 >> property as u32 & 1 == 1
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// Those that are reals.
    pub fn reals(self) -> Self {
        Self(self.0 & REALS)
    }

    /// Those that are whole numbers.
    pub fn counts(self) -> Self {
        Self(self.0 & !REALS)
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// A bit for each, by its number.
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl FromIterator<Property> for PropertySet {
    fn from_iter<I: IntoIterator<Item = Property>>(properties: I) -> Self {
        Self(
            properties
                .into_iter()
                .fold(0, |bits, property| bits | 1 << property as u32),
        )
    }
}

/// A name that no property has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no property \"{name}\"; there are {}{}", Property::ALL.map(Property::name).join(", "), job_file_hint(name))]
pub struct UnknownProperty {
    name: String,
}

/// What to do about a job file that follows `--properties` and was taken for a list.
fn job_file_hint(name: &str) -> &'static str {
    match name.ends_with(".toml") {
        true => " (for all of them, put the job file before --properties)",
        false => "",
    }
}

impl FromStr for Property {
    type Err = UnknownProperty;

    fn from_str(name: &str) -> Result<Self, UnknownProperty> {
        let found = Self::ALL
            .into_iter()
            .find(|property| property.name() == name);
        found.ok_or_else(|| UnknownProperty { name: name.into() })
    }
}

/// `all`, `none`, or names with commas between them.
impl FromStr for PropertySet {
    type Err = UnknownProperty;

    fn from_str(text: &str) -> Result<Self, UnknownProperty> {
        match text {
            ALL => Ok(Self::ALL),
            NONE => Ok(Self::NONE),
            names => names
                .split(',')
                .map(|name| name.trim().parse::<Property>())
                .collect(),
        }
    }
}

impl fmt::Display for PropertySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str(NONE);
        }
        let names: Vec<_> = self.iter().map(Property::name).collect();
        f.write_str(&names.join(","))
    }
}

/// A list of names; no properties are `false`.
impl Serialize for PropertySet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_empty() {
            return serializer.serialize_bool(false);
        }
        serializer.collect_seq(self.iter().map(Property::name))
    }
}

/// Reads a list of names, or a truth value: all or none.
impl<'de> Deserialize<'de> for PropertySet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "properties must be a list of names, true or false"
        )]
        enum Given {
            Whether(bool),
            Names(Vec<String>),
        }
        match Given::deserialize(deserializer)? {
            Given::Whether(true) => Ok(Self::ALL),
            Given::Whether(false) => Ok(Self::NONE),
            Given::Names(names) => {
                let properties = names.iter().map(|name| name.parse::<Property>());
                properties
                    .collect::<Result<_, _>>()
                    .map_err(D::Error::custom)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_make_a_set_in_the_order_of_the_columns() {
        let set: PropertySet = "charge,mw, tpsa,mw".parse().unwrap();
        assert_eq!(set.to_string(), "mw,tpsa,charge");
        assert_eq!((set.reals().len(), set.counts().len()), (2, 1));
        assert_eq!("all".parse(), Ok(PropertySet::ALL));
        assert_eq!("none".parse(), Ok(PropertySet::NONE));
        assert_eq!(PropertySet::ALL.len(), Property::ALL.len());
        for wrong in ["", "mw,", "MW", "job.toml"] {
            let refused = wrong.parse::<PropertySet>().unwrap_err().to_string();
            assert!(refused.contains("there are mw, clogp, tpsa"), "{refused}");
        }
    }

    #[test]
    fn a_set_is_a_list_or_a_truth_value() {
        let read =
            |text: &str| serde_json::from_str::<PropertySet>(text).map_err(|e| e.to_string());
        assert_eq!(read("true"), Ok(PropertySet::ALL));
        assert_eq!(read("false"), Ok(PropertySet::NONE));
        assert_eq!(
            read(r#"["hba", "mw", "hba"]"#),
            Ok("mw,hba".parse().unwrap())
        );
        assert!(
            read(r#"["hba", "weight"]"#)
                .unwrap_err()
                .contains("\"weight\"")
        );
        assert!(read("3").unwrap_err().contains("a list of names"));
        for set in [
            PropertySet::NONE,
            PropertySet::ALL,
            "mw,charge".parse().unwrap(),
        ] {
            assert_eq!(read(&serde_json::to_string(&set).unwrap()), Ok(set));
        }
    }
}
