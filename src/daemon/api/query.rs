//! What stands behind the `?` of a request. A name that is not known, or comes twice, is an error.

use std::borrow::Cow;

use hyper::Uri;
use serde::{
    Deserialize,
    de::{IntoDeserializer, value},
};

use super::ApiError;
use crate::daemon::job::State;

/// The parameters that have not been taken yet.
pub(super) struct Query<'a> {
    left: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// No request has more parameters than this.
const PARAMETERS_MAX: usize = 8;

impl<'a> Query<'a> {
    pub(super) fn of(uri: &'a Uri) -> Result<Self, ApiError> {
        let text = uri.query().unwrap_or_default();
        let mut left: Vec<(Cow<str>, Cow<str>)> = Vec::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if name.is_empty() {
                return Err(ApiError::invalid("query", "has a parameter without a name"));
            }
            if left.iter().any(|(known, _)| *known == name) {
                return Err(ApiError::invalid(name, "is given twice"));
            }
            if left.len() == PARAMETERS_MAX {
                return Err(ApiError::invalid(name, "is one parameter too many"));
            }
            left.push((name, value));
        }
        Ok(Self { left })
    }

    /// Fails if there is a parameter that nothing has asked for.
    pub(super) fn end(&self) -> Result<(), ApiError> {
        match self.left.first() {
            None => Ok(()),
            Some((name, _)) => Err(ApiError::invalid(
                name,
                "there is no such parameter for this request",
            )),
        }
    }

    pub(super) fn number(
        &mut self,
        name: &'static str,
        least: u64,
        most: u64,
    ) -> Result<Option<u64>, ApiError> {
        self.take(name)
            .map(|text| number(&text, least, most))
            .transpose()
            .map_err(|reason| ApiError::invalid(name, reason))
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Result<bool, ApiError> {
        match self.take(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(ApiError::invalid(name, "must be true or false")),
        }
    }

    /// States with commas between them.
    pub(super) fn states(&mut self, name: &'static str) -> Result<Vec<State>, ApiError> {
        let Some(text) = self.take(name) else {
            return Ok(Vec::new());
        };
        let mut states = text
            .split(',')
            .map(|word| State::deserialize(word.into_deserializer()))
            .collect::<Result<Vec<_>, value::Error>>()
            .map_err(|error| ApiError::invalid(name, error))?;
        states.sort_unstable();
        states.dedup();
        Ok(states)
    }

    fn take(&mut self, name: &str) -> Option<Cow<'a, str>> {
        let at = self.left.iter().position(|(known, _)| known == name)?;
        Some(self.left.swap_remove(at).1)
    }
}

/// Digits and nothing else.
pub(super) fn number(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|number| digits && (least..=most).contains(number))
        .ok_or_else(|| format!("must be a number from {least} to {most}"))
}
