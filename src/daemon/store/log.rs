//! The log of a job, in numbered chunks of 8 KiB. The middle chunks of a long log are deleted, so every stored
//! chunk except the last is complete.

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::row::{integer, number};
use crate::daemon::job::JobId;

/// Bytes of a chunk.
pub(super) const CHUNK_BYTES: usize = 8 << 10;
/// Bytes that are kept at the beginning.
pub(super) const HEAD_BYTES: usize = 512 << 10;
/// Bytes that are kept at the end; up to one chunk more.
pub(super) const TAIL_BYTES: usize = 512 << 10;

/// Appends `bytes` to a log.
pub(super) fn append(connection: &Connection, id: JobId, mut bytes: &[u8]) -> Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let (mut chunk, mut begun) = last(connection, id)?.unwrap_or_default();
    let mut write = connection.prepare_cached(
        "INSERT INTO logs (job_id, chunk, bytes) VALUES (?1, ?2, ?3)
         ON CONFLICT (job_id, chunk) DO UPDATE SET bytes = excluded.bytes",
    )?;
    while !bytes.is_empty() {
        if begun.len() >= CHUNK_BYTES {
            chunk += 1;
            begun.clear();
        }
        let (now, later) = bytes.split_at(bytes.len().min(CHUNK_BYTES - begun.len()));
        begun.extend_from_slice(now);
        write.execute(params![integer(id.0), integer(chunk), begun])?;
        bytes = later;
    }
    trim(connection, id, chunk)
}

/// Deletes the chunks between the kept beginning and the kept end; `last` is the last chunk.
fn trim(connection: &Connection, id: JobId, last: u64) -> Result<()> {
    let head = (HEAD_BYTES / CHUNK_BYTES) as u64;
    let tail = last.saturating_sub((TAIL_BYTES / CHUNK_BYTES) as u64);
    if tail > head {
        connection
            .prepare_cached("DELETE FROM logs WHERE job_id = ?1 AND chunk >= ?2 AND chunk < ?3")?
            .execute(params![integer(id.0), integer(head), integer(tail)])?;
    }
    Ok(())
}

/// The number of the last chunk, and its bytes.
fn last(connection: &Connection, id: JobId) -> Result<Option<(u64, Vec<u8>)>> {
    connection
        .prepare_cached(
            "SELECT chunk, bytes FROM logs WHERE job_id = ?1 ORDER BY chunk DESC LIMIT 1",
        )?
        .query_row([integer(id.0)], |row| Ok((number(row, 0)?, row.get(1)?)))
        .optional()
}

/// At most `max` bytes from byte `from` on, or from where the log continues after it, and where they
/// begin. They end where something is missing.
pub(super) fn read(
    connection: &Connection,
    id: JobId,
    from: u64,
    max: usize,
) -> Result<(u64, Vec<u8>)> {
    let size = CHUNK_BYTES as u64;
    let mut statement = connection.prepare_cached(
        "SELECT chunk, bytes FROM logs WHERE job_id = ?1 AND chunk >= ?2 ORDER BY chunk",
    )?;
    let mut rows = statement.query(params![integer(id.0), integer(from / size)])?;
    let (mut begins_at, mut found) = (from, Vec::new());
    while let Some(row) = rows.next()? {
        let place = number(row, 0)? * size;
        let chunk = row.get_ref(1)?.as_blob()?;
        if found.is_empty() {
            begins_at = from.max(place);
        } else if place != begins_at + found.len() as u64 {
            break;
        }
        let at = begins_at + found.len() as u64;
        let skip = usize::try_from(at - place).unwrap_or(usize::MAX);
        let new = chunk.get(skip..).unwrap_or_default();
        found.extend_from_slice(&new[..new.len().min(max - found.len())]);
        if found.len() >= max {
            break;
        }
    }
    Ok((begins_at, found))
}
