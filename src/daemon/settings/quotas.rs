//! The tables of quotas in the configuration file: `[quota]` for each user, `[quota.user.NAME]` and
//! `[quota.group.NAME]` for exceptions. A name may be a number.
//!
//! The members of a group are those that the account database names when the file is read. Users whose primary
//! group it is belong to it in any case.

use nix::unistd::{Group, User};

use super::{
    file::{Place, Table},
    value::{Origin, written},
};
use crate::{
    config::ConfigError,
    daemon::quota::{Amount, QuotaGroup, QuotaRules, QuotaTable},
    store::plain,
};

/// The keys of a table.
const KEYS: &[&str] = &["waiting", "running", "threads", "memory", "gpus"];
/// The keys of `[quota]`.
const OUTER_KEYS: &[&str] = &[
    "waiting", "running", "threads", "memory", "gpus", "user", "group",
];

/// A table as `--check-config` shows it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ShownQuota {
    /// Its header, such as `quota.user.ada`.
    pub header: String,
    /// Key, value as the file would have it, and origin.
    pub rows: Vec<(&'static str, String, Origin)>,
}

/// Takes the quotas out of the file, or the defaults.
pub(super) fn read(file: &mut Option<Table>) -> Result<(QuotaRules, Vec<ShownQuota>), ConfigError> {
    let mut rules = QuotaRules::default();
    let outer = match file {
        Some(file) => file.take_table("quota")?,
        None => None,
    };
    let Some(mut outer) = outer else {
        let default = shown("quota", &rules.each, &Rows::default());
        return Ok((rules, vec![default]));
    };
    let users = outer.take_table("user")?;
    let groups = outer.take_table("group")?;
    let (each, rows) = table(&mut outer)?;
    outer.finish(OUTER_KEYS)?;
    rules.each = QuotaTable {
        waiting: each.waiting.or(rules.each.waiting),
        ..each
    };
    let mut tables = vec![shown("quota", &rules.each, &rows)];
    for (name, place, mut own) in inner(users)? {
        let (table, rows) = table(&mut own)?;
        let uid = uid(&name).map_err(|reason| own.wrong(place, reason))?;
        own.finish(KEYS)?;
        rules.users.insert(uid, table);
        tables.push(shown(&format!("quota.user.{}", key(&name)), &table, &rows));
    }
    for (name, place, mut own) in inner(groups)? {
        let (table, rows) = table(&mut own)?;
        let (gid, members) = group(&name).map_err(|reason| own.wrong(place, reason))?;
        own.finish(KEYS)?;
        rules.groups.push(QuotaGroup {
            gid,
            members,
            table,
        });
        tables.push(shown(&format!("quota.group.{}", key(&name)), &table, &rows));
    }
    Ok((rules, tables))
}

fn inner(table: Option<Table>) -> Result<Vec<(String, Place, Table)>, ConfigError> {
    table.map_or_else(|| Ok(Vec::new()), |mut table| table.take_tables())
}

/// The place of each key that is set.
type Rows = [Option<Place>; KEYS.len()];

fn table(from: &mut Table) -> Result<(QuotaTable, Rows), ConfigError> {
    let waiting = from.take::<Amount<u64>>("waiting")?;
    let running = from.take::<Amount<u64>>("running")?;
    if let Some((Amount::Percent(_), place)) = running {
        let reason = "running must be a whole number or \"unlimited\"";
        return Err(from.wrong(place, reason.into()));
    }
    let threads = from.take::<Amount<u64>>("threads")?;
    let memory = from.take("memory")?;
    let gpus = from.take::<Amount<u64>>("gpus")?;
    let rows = [
        waiting.map(|set| set.1),
        running.map(|set| set.1),
        threads.map(|set| set.1),
        memory.map(|set| set.1),
        gpus.map(|set| set.1),
    ];
    let table = QuotaTable {
        waiting: waiting.map(|set| set.0),
        running: running.map(|set| set.0),
        threads: threads.map(|set| set.0),
        memory: memory.map(|set| set.0),
        gpus: gpus.map(|set| set.0),
    };
    Ok((table, rows))
}

fn shown(header: &str, table: &QuotaTable, places: &Rows) -> ShownQuota {
    let values = [
        table.waiting.as_ref().map(written),
        table.running.as_ref().map(written),
        table.threads.as_ref().map(written),
        table.memory.as_ref().map(written),
        table.gpus.as_ref().map(written),
    ];
    let rows = KEYS.iter().zip(values).zip(places);
    let rows = rows.filter_map(|((key, value), place)| {
        Some((*key, value?, place.map_or(Origin::Default, Origin::File)))
    });
    ShownQuota {
        header: header.into(),
        rows: rows.collect(),
    }
}

/// A name as a key of TOML.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match name.chars().all(bare) {
        true => name.into(),
        false => toml::Value::from(name).to_string(),
    }
}

fn uid(name: &str) -> Result<u32, String> {
    if let Ok(uid) = name.parse() {
        return Ok(uid);
    }
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user.uid.as_raw()),
        Ok(None) => Err(format!("there is no user \"{name}\"")),
        Err(error) => Err(format!(
            "cannot look up the user \"{name}\": {}",
            plain(&error.into())
        )),
    }
}

/// A group and the users whom the account database names as its members.
fn group(name: &str) -> Result<(u32, Vec<u32>), String> {
    let found = match name.parse::<u32>() {
        Ok(gid) => Group::from_gid(gid.into()),
        Err(_) => Group::from_name(name),
    };
    let group = match found {
        Ok(Some(group)) => group,
        Ok(None) => return Err(format!("there is no group \"{name}\"")),
        Err(error) => {
            return Err(format!(
                "cannot look up the group \"{name}\": {}",
                plain(&error.into())
            ));
        }
    };
    let members = group.mem.iter();
    // A member without an account can submit nothing.
    let mut members: Vec<u32> = members.filter_map(|member| uid(member).ok()).collect();
    members.sort_unstable();
    members.dedup();
    Ok((group.gid.as_raw(), members))
}
