//! `--where`: a condition on a property.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    named::named,
    property::{Property, UnknownProperty},
};

named! {
    /// How a property is compared with a number.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Comparison {
        /// Less than or equal.
        AtMost = "<=",
        /// Greater than or equal.
        AtLeast = ">=",
        /// Equal.
        Equal = "==",
        /// Not equal.
        NotEqual = "!=",
        /// Less.
        Below = "<",
        /// Greater.
        Above = ">",
    }
}

/// A condition on a property: `mw <= 500`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Condition {
    /// The property.
    pub property: Property,
    /// How it is compared.
    pub comparison: Comparison,
    /// The number.
    pub number: f64,
}

/// A text that is no condition. The message has two further lines: the text, and a caret under the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}\n  {text}\n  {:>width$}", "^", width = byte + 1)]
pub struct ConditionError {
    text: String,
    /// Where it is wrong, in characters.
    byte: usize,
    fault: ConditionFault,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum ConditionFault {
    #[error(transparent)]
    Property(#[from] UnknownProperty),
    #[error("a condition begins with a property, as in 'mw <= 500'")]
    NoProperty,
    #[error("a comparison is missing: <=, <, >=, >, == or !=")]
    Comparison,
    #[error("a number is missing, as in 'mw <= 500'")]
    NoNumber,
    #[error("this is not a number")]
    Number,
    #[error("a condition compares one property with one number; give --where once for each")]
    More,
}

impl Condition {
    /// Whether a value of the property fulfils it. No condition holds for what is not a number, but that it differs.
    pub fn holds(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::AtMost => value <= self.number,
            Comparison::AtLeast => value >= self.number,
            Comparison::Equal => value == self.number,
            Comparison::NotEqual => value != self.number,
            Comparison::Below => value < self.number,
            Comparison::Above => value > self.number,
        }
    }
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        let fault = |rest: &str, fault: ConditionFault| ConditionError {
            text: text.to_owned(),
            byte: text[..text.len() - rest.len()].chars().count(),
            fault,
        };
        let rest = text.trim_start();
        let name_end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        let (name, behind) = rest.split_at(name_end);
        if name.is_empty() {
            return Err(fault(rest, ConditionFault::NoProperty));
        }
        let property = name
            .parse()
            .map_err(|error| fault(rest, UnknownProperty::into(error)))?;
        let rest = behind.trim_start();
        // A single = is what many people write.
        let words = Comparison::ALL.map(|comparison| (comparison.name(), comparison));
        let found = words
            .into_iter()
            .chain([("=", Comparison::Equal)])
            .find_map(|(word, comparison)| Some((rest.strip_prefix(word)?, comparison)));
        let Some((behind, comparison)) = found else {
            return Err(fault(rest, ConditionFault::Comparison));
        };
        let rest = behind.trim_start();
        let number_end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (digits, behind) = rest.split_at(number_end);
        if digits.is_empty() {
            return Err(fault(rest, ConditionFault::NoNumber));
        }
        let number = digits
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite());
        let number = number.ok_or_else(|| fault(rest, ConditionFault::Number))?;
        let behind = behind.trim_start();
        if !behind.is_empty() {
            return Err(fault(behind, ConditionFault::More));
        }
        Ok(Self {
            property,
            comparison,
            number,
        })
    }
}

impl TryFrom<String> for Condition {
    type Error = ConditionError;

    fn try_from(text: String) -> Result<Self, ConditionError> {
        text.parse()
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> Self {
        condition.to_string()
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            property,
            comparison,
            number,
        } = self;
        write!(f, "{property} {comparison} {number}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_a_property_a_comparison_and_a_number() {
        for (text, written) in [
            ("mw <= 500", "mw <= 500"),
            ("mw<=500", "mw <= 500"),
            (" clogp > -1.5 ", "clogp > -1.5"),
            ("hbd=0", "hbd == 0"),
            ("charge != 0", "charge != 0"),
            ("fraction_csp3>=2.5e-1", "fraction_csp3 >= 0.25"),
        ] {
            let condition: Condition = text.parse().unwrap();
            assert_eq!(condition.to_string(), written);
            assert_eq!(written.parse(), Ok(condition));
        }
    }

    #[test]
    fn what_is_wrong_has_a_caret_under_it() {
        for (text, first, caret) in [
            ("weight <= 500", "there is no property \"weight\"", 0),
            ("<= 500", "begins with a property", 0),
            ("mw 500", "a comparison is missing", 3),
            ("mw <=", "a number is missing", 5),
            ("mw <= heavy", "not a number", 6),
            ("mw <= inf", "not a number", 6),
            ("mw <= 500 and clogp < 5", "give --where once for each", 10),
        ] {
            let message = text.parse::<Condition>().unwrap_err().to_string();
            let lines: Vec<_> = message.lines().collect();
            assert!(lines[0].contains(first), "{message}");
            assert_eq!(lines[1], format!("  {text}"));
            assert_eq!(lines[2].find('^'), Some(2 + caret), "{message}");
        }
    }
}
