//! Estimates the number of rows of a library and draws a sample of them.

use super::batch::ParentBatch;
use super::error::SourceError;
use super::file_rows::FileRows;
use super::input_file::InputFile;
use crate::limits::{ESTIMATE_HEAD_BYTES, SAMPLE_BYTES_MAX, SAMPLE_SPOTS_MAX};

/// The number of rows of a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowsEstimate {
    /// Rows over all inputs.
    pub rows: u64,
    /// Whether the number is exact and not an estimate.
    pub exact: bool,
}

/// The number of rows of all `files`: from the footer, or estimated from the size of a row in the head.
pub(super) fn estimate_rows(files: &[InputFile]) -> Result<RowsEstimate, SourceError> {
    let mut all = RowsEstimate {
        rows: 0,
        exact: true,
    };
    for file in files {
        let one = match file.rows {
            Some(rows) => RowsEstimate { rows, exact: true },
            None => estimate_text(file)?,
        };
        all.rows = all.rows.saturating_add(one.rows);
        all.exact &= one.exact;
    }
    Ok(all)
}

fn estimate_text(file: &InputFile) -> Result<RowsEstimate, SourceError> {
    let mut rows = file.open_rows()?;
    let mut batch = ParentBatch::new();
    let mut seen = 0u64;
    while rows.next_row(seen, &mut batch)? {
        batch.clear();
        seen += 1;
        let FileRows::Text { lines, .. } = &mut rows else {
            break;
        };
        if lines.position() >= ESTIMATE_HEAD_BYTES {
            let bytes = lines.disk_bytes_of_position()?.max(1.0);
            // The file ends here or later.
            let estimate = seen as f64 * (file.bytes as f64 / bytes);
            return Ok(RowsEstimate {
                rows: (estimate.round() as u64).max(seen),
                exact: false,
            });
        }
    }
    Ok(RowsEstimate {
        rows: seen,
        exact: true,
    })
}

/// Up to `rows` rows, spread evenly over the bytes of all `files`, in input order and numbered from 0. The result
/// depends on the files and `rows` alone.
pub(super) fn sample(files: &[InputFile], rows: usize) -> Result<ParentBatch, SourceError> {
    let bytes_all: u64 = files.iter().map(|file| file.bytes).sum();
    let spots = rows.min(SAMPLE_SPOTS_MAX);
    let mut batch = ParentBatch::new();
    let mut file_start = 0;
    let mut spot = 0;
    for file in files {
        let mut reader = SpotReader { file, rows: None };
        while spot < spots {
            let offset = share(bytes_all, spot, spots) - file_start;
            if offset >= file.bytes {
                break;
            }
            let quota = share(rows as u64, spot + 1, spots) - share(rows as u64, spot, spots);
            spot += 1;
            reader.read(offset, quota, &mut batch)?;
            if batch.text_bytes() >= SAMPLE_BYTES_MAX {
                return Ok(batch);
            }
        }
        file_start += file.bytes;
    }
    Ok(batch)
}

/// `whole · part / parts`, without overflow.
fn share(whole: u64, part: usize, parts: usize) -> u64 {
    (u128::from(whole) * part as u128 / parts as u128) as u64
}

/// Reads rows of one file at increasing offsets, never the same row twice.
struct SpotReader<'a> {
    file: &'a InputFile,
    rows: Option<FileRows>,
}

impl SpotReader<'_> {
    /// Appends up to `quota` rows from byte `offset`, or from the end of the previous rows if that is later. Of a
    /// compressed file it reads the head only.
    fn read(
        &mut self,
        offset: u64,
        quota: u64,
        batch: &mut ParentBatch,
    ) -> Result<(), SourceError> {
        self.seek(offset)?;
        let Some(rows) = &mut self.rows else {
            return Ok(());
        };
        for _ in 0..quota {
            let row = batch.len() as u64;
            if batch.text_bytes() >= SAMPLE_BYTES_MAX || !rows.next_row(row, batch)? {
                break;
            }
        }
        Ok(())
    }

    fn seek(&mut self, offset: u64) -> Result<(), SourceError> {
        let file = self.file;
        let seekable = file.rows.is_none() && !file.packing.is_packed();
        match &mut self.rows {
            Some(FileRows::Text { lines, .. }) => {
                if seekable && lines.position() < offset {
                    self.rows = Some(FileRows::open_text_at(&file.path, &file.layout, offset)?);
                }
            }
            None if seekable => {
                self.rows = Some(FileRows::open_text_at(&file.path, &file.layout, offset)?)
            }
            None => self.rows = Some(file.open_rows()?),
            Some(FileRows::Parquet(_)) => {}
        }
        if let (Some(FileRows::Parquet(rows)), Some(rows_all)) = (&mut self.rows, file.rows) {
            let part = u128::from(offset) * u128::from(rows_all) / u128::from(file.bytes);
            rows.skip_rows((part as u64).saturating_sub(rows.rows_read()))?;
        }
        Ok(())
    }
}
