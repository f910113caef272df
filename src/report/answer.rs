//! What the other verbs print with `--json`: one JSON object a line, with `"event"`.

use serde::{Deserialize, Serialize};

/// What `molsieve rules check` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum RulesAnswer {
    /// A fault in a rule file.
    Fault {
        /// The fault, with file, line and column.
        error: String,
    },
    /// A warning on a rule.
    Warning {
        /// The warning, with file, line and column.
        error: String,
    },
    /// What is worth knowing of a rule.
    Note {
        /// The note, with file, line and column.
        note: String,
    },
    /// The result of the check.
    Checked(Checked),
    /// With `--table`, behind the result: what a rule matches in the sample library.
    Matches(RuleMatches),
    /// With `--table`, last: the sample library.
    Sample(RuleSample),
}

/// What a rule matches in a sample library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleMatches {
    /// The rule's name.
    pub rule: String,
    /// Parents that have a site.
    pub parents: u64,
    /// Their sites.
    pub sites: u64,
    /// Products made, repeats and capped ones included.
    pub made: u64,
    /// Molecules that this rule made first in the sample.
    pub distinct: u64,
    /// Products equal to their parent.
    pub unchanged: u64,
    /// Products that RDKit can't sanitize.
    pub invalid: u64,
    /// Products that a cap kept from being made, at least.
    pub capped: u64,
    /// Time spent on finding sites and making products.
    pub nanoseconds: u64,
}

/// The rows of a sample library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSample {
    /// The library; `None` is the one that molsieve ships.
    pub library: Option<String>,
    /// Rows read.
    pub rows: u64,
    /// Rows that RDKit can't use.
    pub rejected: u64,
    /// Rows whose products took too long and were not all made.
    pub late: u64,
}

/// The result of `molsieve rules check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Rules in the files.
    pub rules: u64,
    /// Rules with a fault.
    pub rules_faulty: u64,
    /// Examples that were run.
    pub examples: u64,
    /// Faults.
    pub faults: u64,
    /// Warnings.
    pub warnings: u64,
    /// Rules without an example.
    pub rules_without_examples: u64,
    /// Rules with a pattern that RDKit has to search for.
    pub rules_searched_by_rdkit: u64,
}

/// What the verbs of the daemon's client print. A job, `J`, is the object that the daemon's API gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum ClientAnswer<J> {
    /// The state of a watched job changed.
    State {
        /// The job.
        job: J,
    },
    /// The user stopped watching; the job continues.
    Left {
        /// Number of the job.
        id: u64,
    },
    /// A line of a job's log.
    Log {
        /// The line, without its end.
        line: String,
    },
    /// `molsieve ui` serves its page.
    Listening {
        /// The address, with the token that opens it once.
        address: String,
    },
    /// The daemon has cancelled a job, or asked it to stop.
    Cancelled {
        /// Number of the job.
        id: u64,
        /// Its state after that.
        state: String,
    },
    /// The daemon has forgotten a job.
    Forgotten {
        /// Number of the job.
        id: u64,
    },
}

/// What `molsieve admin` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum AdminAnswer {
    /// The daemon's state was copied.
    Backup {
        /// The copy.
        file: String,
        /// Jobs in it.
        jobs: u64,
        /// Its bytes.
        bytes: u64,
    },
}

/// The line to print, without the line end.
pub fn line(answer: &impl Serialize) -> String {
    let object = serde_json::to_value(answer).expect("an answer has string keys");
    object.to_string()
}
