//! `--keep-columns`: the columns of the input that the rows of a job carry.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The columns that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeepColumns {
    /// All but the columns that SMILES and ids are taken from.
    All,
    /// Those of these names, in this order; none without names.
    Named(Vec<String>),
}

const ALL: &str = "all";
const NONE: &str = "none";

impl Default for KeepColumns {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

impl KeepColumns {
    /// Whether no column is kept.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The columns of these names.
    fn named(names: Vec<String>) -> Result<Self, String> {
        if let Some(twice) = (names.iter().enumerate()).find(|(i, name)| names[..*i].contains(name))
        {
            return Err(format!("the column `{}` is named twice", twice.1));
        }
        match names.iter().any(|name| name.trim().is_empty()) {
            true => {
                Err("a name is empty; give names of columns, such as price,vendor, or all".into())
            }
            false => Ok(Self::Named(names)),
        }
    }
}

/// `all`, `none`, or names with commas between them.
impl FromStr for KeepColumns {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            ALL => Ok(Self::All),
            NONE => Ok(Self::default()),
            names => Self::named(
                names
                    .split(',')
                    .map(|name| name.trim().to_owned())
                    .collect(),
            ),
        }
    }
}

impl fmt::Display for KeepColumns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str(ALL),
            Self::Named(names) if names.is_empty() => f.write_str(NONE),
            Self::Named(names) => f.write_str(&names.join(",")),
        }
    }
}

/// A list of names; all columns are `true`, none `false`.
impl Serialize for KeepColumns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_bool(true),
            Self::Named(names) if names.is_empty() => serializer.serialize_bool(false),
            Self::Named(names) => serializer.collect_seq(names),
        }
    }
}

impl<'de> Deserialize<'de> for KeepColumns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "keep_columns must be a list of names, true or false"
        )]
        enum Given {
            Whether(bool),
            Names(Vec<String>),
        }
        match Given::deserialize(deserializer)? {
            Given::Whether(true) => Ok(Self::All),
            Given::Whether(false) => Ok(Self::default()),
            Given::Names(names) => Self::named(names).map_err(D::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_order_and_a_wrong_list_is_refused() {
        let named = |names: &[&str]| KeepColumns::Named(names.iter().map(|&n| n.into()).collect());
        assert_eq!("price, vendor".parse(), Ok(named(&["price", "vendor"])));
        assert_eq!("all".parse(), Ok(KeepColumns::All));
        assert_eq!("none".parse(), Ok(KeepColumns::default()));
        for wrong in ["", "price,", "price,price"] {
            assert!(wrong.parse::<KeepColumns>().is_err(), "{wrong}");
        }
        for set in [
            KeepColumns::All,
            KeepColumns::default(),
            named(&["b,c", "a"]),
        ] {
            let text = serde_json::to_string(&set).unwrap();
            assert_eq!(serde_json::from_str::<KeepColumns>(&text).unwrap(), set);
        }
        assert!(serde_json::from_str::<KeepColumns>("3").is_err());
    }
}
