//! A setting that is given by a flag or in the file, and where it came from.

use std::ops::RangeInclusive;

use serde::Serialize;

use super::{
    file::{Place, Table},
    kind::Setting,
};
use crate::config::ConfigError;

/// Where the value of a setting came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// A flag of the command line.
    Flag,
    /// The configuration file, at this place.
    File(Place),
    /// Neither: the default.
    #[default]
    Default,
}

/// A setting if it is given by a flag or else in the file, and where. Its range is checked.
pub(super) fn given<T: Setting>(
    key: &'static str,
    flag: Option<T>,
    file: &mut Option<Table>,
    range: Option<RangeInclusive<T>>,
) -> Result<(Option<T>, Origin), ConfigError> {
    let range = range.as_ref();
    let flag = flag.map(|value| value.checked(key, range)).transpose()?;
    // Also read if the flag wins, so that an error in the file is found.
    let in_file = match file {
        Some(table) => table.take_checked(key, range)?,
        None => None,
    };
    Ok(match (flag, in_file) {
        (Some(value), _) => (Some(value), Origin::Flag),
        (None, Some((value, place))) => (Some(value), Origin::File(place)),
        (None, None) => (None, Origin::Default),
    })
}

/// A value as the file would have it.
pub(super) fn written<T: Serialize>(value: &T) -> String {
    toml::Value::try_from(value).map_or_else(|error| error.to_string(), |value| value.to_string())
}
