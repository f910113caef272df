//! What a user asks of a job besides the settings of its run: labels, jobs to wait for, retries, and a
//! notification at its end.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{JobId, RetryPolicy, State, notify::Notify};
use crate::limits::JOB_LABEL_BYTES_MAX;

/// A word that jobs are found by: plain, or `KEY=VALUE`. 1 to 64 letters, digits and `. _ : = / @ + -`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

impl Label {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:=/@+-".contains(&byte);
        if !text.bytes().all(allowed) || !(1..=JOB_LABEL_BYTES_MAX).contains(&text.len()) {
            return Err(format!(
                "a label is 1 to {JOB_LABEL_BYTES_MAX} letters, digits and . _ : = / @ + -"
            ));
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for Label {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a user asks of a job besides the settings of its run. Stored as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubmitOptions {
    /// Its labels, sorted, each once.
    pub labels: Vec<Label>,
    /// Jobs that must be done before it starts, sorted, each once.
    pub after: Vec<JobId>,
    /// Jobs that must have ended in whatever way before it starts, sorted, each once, none of them in `after`.
    pub after_any: Vec<JobId>,
    /// Restarts without progress after which it fails; the daemon's own number if that is lower, or if it is none.
    pub retries: Option<u32>,
    /// What to run or to call when it has ended.
    pub notify: Option<Notify>,
    /// Those of `after` and `after_any` that it has to wait for when it is stored; then in [`super::Course`].
    #[serde(skip)]
    pub unmet: Vec<JobId>,
}

impl SubmitOptions {
    /// The retry policy of the job on a daemon with this policy.
    pub fn retry(&self, daemon: &RetryPolicy) -> RetryPolicy {
        let own = self.retries.map(|retries| retries.saturating_add(1));
        RetryPolicy {
            failures_max: own.map_or(daemon.failures_max, |own| own.min(daemon.failures_max)),
            ..*daemon
        }
    }

    /// Whether a job that it waits for may have ended so.
    pub fn accepts(&self, id: JobId, state: State) -> bool {
        state == State::Done || self.after_any.binary_search(&id).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_words_of_few_characters() {
        for good in [
            "a",
            "campaign=2026-11",
            "array=9f1c",
            "x/y:z@w+1.2_3",
            &"l".repeat(64),
        ] {
            assert_eq!(good.parse::<Label>().map(String::from), Ok(good.into()));
        }
        for bad in ["", "a b", "a,b", "ü", "a\n", "'", &"l".repeat(65)] {
            assert!(bad.parse::<Label>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_job_may_ask_for_fewer_retries_than_the_daemon_allows() {
        let daemon = RetryPolicy {
            failures_max: 8,
            first_delay_ms: 5,
            delay_ms_max: 9,
        };
        let failures_max = |retries| {
            let options = SubmitOptions {
                retries,
                ..SubmitOptions::default()
            };
            options.retry(&daemon).failures_max
        };
        assert_eq!(failures_max(None), 8);
        assert_eq!(failures_max(Some(0)), 1);
        assert_eq!(failures_max(Some(3)), 4);
        assert_eq!(failures_max(Some(u32::MAX)), 8);
    }
}
