//! Quotas: how many jobs one user may have waiting and running, and what the running ones may occupy. Pure.
//!
//! An amount is a number, a percentage or unlimited. The percentage of `waiting` counts of
//! [`WAITING_JOBS_MAX`], that of threads, memory and GPUs of the node's budget. Parts of a thread or GPU count as
//! a whole one.
//!
//! For each key the user's own table decides, else the most generous of the user's groups, else the table for
//! each user, else the default: a quarter of the queue, and no limit to what runs. A running job takes nothing
//! from later jobs of others but time, which the scheduler shares out by recent use; a node that one user keeps
//! busy is not idle for the others' sake.

use std::{collections::HashMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize, de};

use super::job::{Demand, GpuDemand, Resources};
use crate::{
    limits::WAITING_JOBS_MAX,
    units::{ByteSize, counted},
};

/// Share of the queue that one user may fill by default, in percent.
const WAITING_PERCENT: u32 = 25;
const PERCENT_MAX: u32 = 100;
const UNLIMITED: &str = "unlimited";

/// The amount of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount<T> {
    /// A number.
    Absolute(T),
    /// 0 to 100 percent of what there is.
    Percent(u32),
    /// No limit.
    Unlimited,
}

impl<T: Copy + Into<u64>> Amount<T> {
    /// The amount of `all`, in its units; parts are rounded up.
    fn of(self, all: u64) -> u64 {
        match self {
            Self::Absolute(number) => number.into(),
            Self::Percent(percent) => {
                let part = u128::from(all) * u128::from(percent);
                u64::try_from(part.div_ceil(u128::from(PERCENT_MAX))).unwrap_or(u64::MAX)
            }
            Self::Unlimited => u64::MAX,
        }
    }
}

impl From<ByteSize> for u64 {
    fn from(size: ByteSize) -> Self {
        size.0
    }
}

impl<T: FromStr> FromStr for Amount<T>
where
    T::Err: fmt::Display,
{
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == UNLIMITED {
            return Ok(Self::Unlimited);
        }
        let Some(percent) = text.strip_suffix('%') else {
            let number = text.parse().map(Self::Absolute);
            return number.map_err(|error| error.to_string());
        };
        let number = percent.trim_end().parse().ok();
        number
            .filter(|percent| *percent <= PERCENT_MAX)
            .map(Self::Percent)
            .ok_or_else(|| format!("`{text}` is not a percentage from 0% to {PERCENT_MAX}%"))
    }
}

impl<T: Serialize> Serialize for Amount<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absolute(number) => number.serialize(serializer),
            Self::Percent(percent) => serializer.serialize_str(&format!("{percent}%")),
            Self::Unlimited => serializer.serialize_str(UNLIMITED),
        }
    }
}

impl<'de, T: FromStr + TryFrom<u64>> Deserialize<'de> for Amount<T>
where
    <T as FromStr>::Err: fmt::Display,
{
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Number(i64),
            Text(String),
        }
        match Raw::deserialize(deserializer)? {
            Raw::Number(number) => {
                let number = u64::try_from(number)
                    .ok()
                    .and_then(|number| number.try_into().ok());
                number
                    .map(Self::Absolute)
                    .ok_or_else(|| de::Error::custom("must not be negative"))
            }
            Raw::Text(text) => text.parse().map_err(de::Error::custom),
        }
    }
}

impl From<u64> for ByteSize {
    fn from(bytes: u64) -> Self {
        Self(bytes)
    }
}

/// The table of a user, of a group or of each user; a key that is not set is another table's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct QuotaTable {
    /// Waiting jobs.
    pub waiting: Option<Amount<u64>>,
    /// Running jobs.
    pub running: Option<Amount<u64>>,
    /// Threads of running jobs.
    pub threads: Option<Amount<u64>>,
    /// Memory of running jobs.
    pub memory: Option<Amount<ByteSize>>,
    /// GPUs of running jobs.
    pub gpus: Option<Amount<u64>>,
}

/// A group with a table of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct QuotaGroup {
    /// The group.
    pub gid: u32,
    /// Its members beside those whose primary group it is, in ascending order.
    pub members: Vec<u32>,
    /// Its table.
    pub table: QuotaTable,
}

/// All quotas.
#[derive(Clone, Debug, PartialEq)]
pub struct QuotaRules {
    /// For each user.
    pub each: QuotaTable,
    /// By user.
    pub users: HashMap<u32, QuotaTable>,
    /// By group.
    pub groups: Vec<QuotaGroup>,
}

impl Default for QuotaRules {
    fn default() -> Self {
        Self {
            each: QuotaTable {
                waiting: Some(Amount::Percent(WAITING_PERCENT)),
                ..QuotaTable::default()
            },
            users: HashMap::new(),
            groups: Vec::new(),
        }
    }
}

/// The quota of one user: the most of each kind; `u64::MAX` where there is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Waiting jobs.
    pub waiting: u64,
    /// Running jobs.
    pub running: u64,
    /// Threads of running jobs.
    pub threads: u64,
    /// Memory of running jobs.
    pub memory_bytes: u64,
    /// GPUs of running jobs.
    pub gpus: u64,
}

/// What a user has waiting or running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Waiting jobs.
    pub waiting: u64,
    /// Running jobs.
    pub running: u64,
    /// Threads of running jobs.
    pub threads: u64,
    /// Memory of running jobs.
    pub memory_bytes: u64,
    /// GPUs of running jobs.
    pub gpus: u64,
}

impl QuotaRules {
    /// The quota of a user with this primary group.
    pub fn of(&self, uid: u32, gid: u32, budget: &Resources) -> Quota {
        let own = self.users.get(&uid);
        let groups = self.groups.iter().filter(|group| group.has(uid, gid));
        let pick = |amount: &dyn Fn(&QuotaTable) -> Option<u64>| {
            let of_groups = || {
                groups
                    .clone()
                    .filter_map(|group| amount(&group.table))
                    .max()
            };
            let found = own.and_then(amount).or_else(of_groups);
            found.or_else(|| amount(&self.each)).unwrap_or(u64::MAX)
        };
        let (threads, gpus) = (budget.threads.into(), budget.gpus.into());
        Quota {
            waiting: pick(&|table| Some(table.waiting?.of(WAITING_JOBS_MAX as u64))),
            running: pick(&|table| Some(table.running?.of(u64::MAX))),
            threads: pick(&|table| Some(table.threads?.of(threads))),
            memory_bytes: pick(&|table| Some(table.memory?.of(budget.memory_bytes))),
            gpus: pick(&|table| Some(table.gpus?.of(gpus))),
        }
    }
}

impl QuotaGroup {
    fn has(&self, uid: u32, gid: u32) -> bool {
        self.gid == gid || self.members.binary_search(&uid).is_ok()
    }
}

impl Quota {
    /// No limit at all.
    pub const UNLIMITED: Self = Self {
        waiting: u64::MAX,
        running: u64::MAX,
        threads: u64::MAX,
        memory_bytes: u64::MAX,
        gpus: u64::MAX,
    };

    /// Whether a job may run when the user's running jobs use so much already. A GPU counts if the job needs one.
    pub fn allows(&self, used: &Used, demand: &Demand) -> bool {
        let within =
            |used: u64, more: u64, most: u64| used.checked_add(more).is_some_and(|sum| sum <= most);
        within(used.running, 1, self.running)
            && within(used.threads, demand.threads.into(), self.threads)
            && within(used.memory_bytes, demand.memory_bytes, self.memory_bytes)
            && within(used.gpus, (demand.gpu == GpuDemand::One).into(), self.gpus)
    }

    /// Whether a job may run when nothing else of its user does.
    pub fn allows_alone(&self, demand: &Demand) -> bool {
        self.allows(&Used::default(), demand)
    }

    /// Which part of the quota does not allow a job, with what is used, as a clause: "of 8 threads 6 are used".
    pub fn holds(&self, used: &Used, demand: &Demand) -> Option<String> {
        if self.allows(used, demand) {
            return None;
        }
        let beyond = |used: u64, more: u64, most: u64| used.saturating_add(more) > most;
        let (threads, memory) = (demand.threads.into(), demand.memory_bytes);
        Some(if beyond(used.running, 1, self.running) {
            let quota = counted(self.running, "running job");
            format!("{quota}, of which {} run", used.running)
        } else if beyond(used.threads, threads, self.threads) {
            let quota = counted(self.threads, "thread");
            format!(
                "{quota}, of which {} are in use; the job needs {threads}",
                used.threads
            )
        } else if beyond(used.memory_bytes, memory, self.memory_bytes) {
            let [quota, used, memory] =
                [self.memory_bytes, used.memory_bytes, memory].map(ByteSize);
            format!("{quota} of memory, of which {used} are in use; the job needs {memory}")
        } else {
            let quota = counted(self.gpus, "GPU");
            format!(
                "{quota}, of which {} are in use; the job needs one",
                used.gpus
            )
        })
    }
}

impl Used {
    /// Adds a running job.
    pub fn add(&mut self, demand: &Demand, gpu: bool) {
        self.running += 1;
        self.threads += u64::from(demand.threads);
        self.memory_bytes = self.memory_bytes.saturating_add(demand.memory_bytes);
        self.gpus += u64::from(gpu);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Resources = Resources {
        memory_bytes: 1_000,
        threads: 10,
        gpus: 1,
    };

    #[test]
    fn amounts_are_numbers_percentages_or_unlimited() {
        let read = |text: &str| text.parse::<Amount<u64>>();
        assert_eq!(read("25%"), Ok(Amount::Percent(25)));
        assert_eq!(read("7"), Ok(Amount::Absolute(7)));
        assert_eq!(read("unlimited"), Ok(Amount::Unlimited));
        assert!(read("101%").is_err() && read("-1%").is_err() && read("all").is_err());
        let size = "2KiB".parse::<Amount<ByteSize>>();
        assert_eq!(size, Ok(Amount::Absolute(ByteSize(2_048))));
        // Half of one GPU is one.
        assert_eq!(Amount::<u64>::Percent(50).of(1), 1);
        assert_eq!(Amount::<u64>::Percent(0).of(1), 0);
        assert_eq!(Amount::<u64>::Percent(100).of(u64::MAX), u64::MAX);
    }

    #[test]
    fn the_own_table_wins_then_the_most_generous_group() {
        let threads = |number| QuotaTable {
            threads: Some(Amount::Absolute(number)),
            ..QuotaTable::default()
        };
        let group = |gid, members: &[u32], number| QuotaGroup {
            gid,
            members: members.to_vec(),
            table: threads(number),
        };
        let rules = QuotaRules {
            users: HashMap::from([(1, threads(1))]),
            groups: vec![group(10, &[1, 2, 3], 4), group(11, &[3], 6)],
            ..QuotaRules::default()
        };
        let threads_of = |uid, gid| rules.of(uid, gid, &BUDGET).threads;
        assert_eq!(threads_of(1, 10), 1);
        assert_eq!(threads_of(2, 100), 4);
        assert_eq!(threads_of(3, 100), 6);
        assert_eq!(threads_of(4, 11), 6);
        assert_eq!(threads_of(5, 100), u64::MAX);
        // What the own table does not set is the default's.
        assert_eq!(
            rules.of(1, 10, &BUDGET).waiting,
            WAITING_JOBS_MAX as u64 / 4
        );
    }

    #[test]
    fn a_quota_says_what_it_does_not_allow() {
        let quota = Quota {
            threads: 4,
            gpus: 0,
            ..Quota::UNLIMITED
        };
        let mut used = Used::default();
        let mut demand = Demand {
            memory_bytes: 10,
            threads: 3,
            gpu: GpuDemand::IfFree,
        };
        assert_eq!(quota.holds(&used, &demand), None);
        used.add(&demand, false);
        let held = quota.holds(&used, &demand).unwrap();
        assert_eq!(held, "4 threads, of which 3 are in use; the job needs 3");
        demand.gpu = GpuDemand::One;
        assert!(!quota.allows_alone(&demand));
    }
}
