//! Recent use of the node, by user.

use super::{JobStoreError, Tx};
use crate::daemon::schedule::RecentUse;

impl Tx<'_> {
    /// The recent use of every user who has some.
    pub(in crate::daemon) fn recent_use(&self) -> Result<Vec<RecentUse>, JobStoreError> {
        self.run(|connection| {
            let mut statement = connection.prepare("SELECT uid, share, at FROM recent_use")?;
            let rows = statement.query_map([], |row| {
                Ok(RecentUse {
                    uid: row.get(0)?,
                    share: row.get(1)?,
                    at: row.get(2)?,
                })
            })?;
            rows.collect()
        })
    }

    /// Stores the recent use of these users; forgets those whose share is 0.
    pub(in crate::daemon) fn save_use(&self, changed: &[RecentUse]) -> Result<(), JobStoreError> {
        self.run(|connection| {
            let mut write = connection.prepare_cached(
                "INSERT INTO recent_use (uid, share, at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (uid) DO UPDATE SET share = excluded.share, at = excluded.at",
            )?;
            for RecentUse { uid, share, at } in changed {
                write.execute(rusqlite::params![uid, share, at])?;
            }
            connection
                .prepare_cached("DELETE FROM recent_use WHERE share <= 0")?
                .execute([])?;
            Ok(())
        })
    }
}
