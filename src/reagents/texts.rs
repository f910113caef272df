//! Ids and SMILES of reagents, by number: in memory, or in a file.
//!
//! A record is the length of its id (u16, little-endian), the id, and the SMILES. A file has all records one after the
//! other; a second one, whose name ends in `.ends`, has the end of each as u64.

use std::path::{Path, PathBuf};

use crate::store::{StoreError, disk::DiskFile};

/// The reagents of a job, by number.
#[derive(Debug)]
pub struct Reagents {
    place: Place,
    count: u32,
}

#[derive(Debug)]
enum Place {
    Memory { records: Vec<u8>, ends: Vec<u64> },
    File { records: DiskFile, ends: DiskFile },
}

/// Id and SMILES of a reagent.
#[derive(Debug, Default)]
pub struct ReagentText {
    record: Vec<u8>,
}

const LENGTH_BYTES: usize = size_of::<u16>();
const END_BYTES: usize = size_of::<u64>();

impl ReagentText {
    /// Its id.
    pub fn id(&self) -> &[u8] {
        self.record.get(LENGTH_BYTES..self.id_end()).unwrap_or(&[])
    }

    /// Its SMILES as read.
    pub fn smiles(&self) -> &[u8] {
        self.record.get(self.id_end()..).unwrap_or(&[])
    }

    fn id_end(&self) -> usize {
        let length = self
            .record
            .first_chunk()
            .map_or(0, |length| u16::from_le_bytes(*length));
        LENGTH_BYTES + usize::from(length)
    }
}

impl Reagents {
    /// No reagents.
    pub fn none() -> Self {
        Self::in_memory([])
    }

    /// Reagents with these ids and SMILES.
    pub fn in_memory<'a>(texts: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut writer = ReagentWriter::in_memory(usize::MAX);
        for (id, smiles) in texts {
            writer.push_in_memory(id, smiles);
        }
        writer.into_memory().unwrap_or_else(Self::none)
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of memory that they take.
    pub fn bytes(&self) -> usize {
        match &self.place {
            Place::Memory { records, ends } => records.capacity() + END_BYTES * ends.capacity(),
            Place::File { .. } => 0,
        }
    }

    /// Reads one.
    ///
    /// # Errors
    /// Where the file can't be read.
    ///
    /// # Panics
    /// If there is none with this number.
    pub fn read(&self, number: u32, text: &mut ReagentText) -> Result<(), StoreError> {
        assert!(number < self.count, "reagent {number} of {}", self.count);
        text.record.clear();
        match &self.place {
            Place::Memory { records, ends } => {
                let index = number as usize;
                let begin = index.checked_sub(1).map_or(0, |before| ends[before]);
                let record = &records[begin as usize..ends[index] as usize];
                text.record.extend_from_slice(record);
                Ok(())
            }
            Place::File { records, ends } => {
                let mut bytes = [0; 2 * END_BYTES];
                // The first record begins at 0.
                let (skipped, place) = match number {
                    0 => (END_BYTES, 0),
                    _ => (0, u64::from(number - 1) * END_BYTES as u64),
                };
                read_exact(ends, &mut bytes[skipped..], place)?;
                let [begin, end] = [0, END_BYTES].map(|at| {
                    let end = bytes[at..].first_chunk();
                    end.map_or(0, |end| u64::from_le_bytes(*end))
                });
                text.record.resize(end.saturating_sub(begin) as usize, 0);
                read_exact(records, &mut text.record, begin)
            }
        }
    }
}

fn read_exact(file: &DiskFile, mut bytes: &mut [u8], mut offset: u64) -> Result<(), StoreError> {
    while !bytes.is_empty() {
        let read = file.read_at(bytes, offset);
        match read.map_err(|error| StoreError::io(file.path(), "read", &error))? {
            0 => return Err(StoreError::damaged(file.path(), "it is cut short")),
            read => {
                bytes = &mut bytes[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}

/// The file of the ends of the records at `path`.
fn ends_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".ends");
    name.into()
}

/// Collects reagents.
pub struct ReagentWriter {
    /// The files of records and ends that they are written to; otherwise they stay in memory.
    files: Option<[DiskFile; 2]>,
    /// Of files: what is not written yet.
    records: Vec<u8>,
    ends: Vec<u64>,
    end: u64,
    count: u32,
    bytes_max: usize,
}

/// Bytes of records that are written at a time.
const WRITTEN_BYTES: usize = 1 << 20;

impl ReagentWriter {
    /// Collects them in memory as long as they take at most `bytes_max`, and otherwise only counts them.
    pub fn in_memory(bytes_max: usize) -> Self {
        Self {
            files: None,
            records: Vec::new(),
            ends: Vec::new(),
            end: 0,
            count: 0,
            bytes_max,
        }
    }

    /// Writes them into a file at `path` and one beside it.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            files: Some([DiskFile::create(path)?, DiskFile::create(&ends_of(path))?]),
            ..Self::in_memory(usize::MAX)
        })
    }

    /// Adds one and returns its number.
    pub fn push(&mut self, id: &[u8], smiles: &[u8]) -> Result<u32, StoreError> {
        let number = self.push_in_memory(id, smiles);
        if self.files.is_some() && self.records.len() >= WRITTEN_BYTES {
            self.write()?;
        }
        Ok(number)
    }

    fn push_in_memory(&mut self, id: &[u8], smiles: &[u8]) -> u32 {
        // An id is at most a KiB.
        let id = &id[..id.len().min(usize::from(u16::MAX))];
        self.end += (LENGTH_BYTES + id.len() + smiles.len()) as u64;
        if !self.is_over() {
            self.records.extend((id.len() as u16).to_le_bytes());
            self.records.extend([id, smiles].concat());
            self.ends.push(self.end);
        } else {
            (self.records, self.ends) = Default::default();
        }
        self.count += 1;
        self.count - 1
    }

    /// Whether they take more memory than they may.
    fn is_over(&self) -> bool {
        self.end + (END_BYTES as u64) * (u64::from(self.count) + 1) > self.bytes_max as u64
    }

    /// Writes what is not written yet.
    fn write(&mut self) -> Result<(), StoreError> {
        if let Some([records, ends]) = &self.files {
            records.write_at(&self.records, self.end - self.records.len() as u64)?;
            let written = u64::from(self.count) - self.ends.len() as u64;
            let bytes: Vec<u8> = self.ends.iter().flat_map(|end| end.to_le_bytes()).collect();
            ends.write_at(&bytes, written * END_BYTES as u64)?;
            self.records.clear();
            self.ends.clear();
        }
        Ok(())
    }

    /// Those collected so far.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The reagents, unless they take more memory than they may.
    pub fn into_memory(self) -> Option<Reagents> {
        let (mut records, mut ends) = (self.records, self.ends);
        records.shrink_to_fit();
        ends.shrink_to_fit();
        (ends.len() == self.count as usize).then_some(Reagents {
            place: Place::Memory { records, ends },
            count: self.count,
        })
    }

    /// Completes the files at `path` and opens them.
    pub fn into_file(mut self, path: &Path) -> Result<Reagents, StoreError> {
        self.write()?;
        Ok(Reagents {
            place: Place::File {
                records: DiskFile::open(path)?,
                ends: DiskFile::open(&ends_of(path))?,
            },
            count: self.count,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_file_hold_the_same_reagents() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reagents");
        let texts: Vec<(String, String)> = (0..40_000)
            .map(|i| ("x".repeat(i % 5), format!("C{}N", "C".repeat(i % 70))))
            .collect();
        let mut in_file = ReagentWriter::create(&path).unwrap();
        let mut in_memory = ReagentWriter::in_memory(usize::MAX);
        for (number, (id, smiles)) in texts.iter().enumerate() {
            for writer in [&mut in_file, &mut in_memory] {
                let pushed = writer.push(id.as_bytes(), smiles.as_bytes()).unwrap();
                assert_eq!(pushed as usize, number);
            }
        }
        let kept = [
            in_file.into_file(&path).unwrap(),
            in_memory.into_memory().unwrap(),
        ];
        assert_eq!(kept[0].bytes(), 0);
        let mut text = ReagentText::default();
        for reagents in &kept {
            for number in (0..40_000).rev().step_by(7).chain([0, 1, 39_999]) {
                reagents.read(number, &mut text).unwrap();
                let (id, smiles) = &texts[number as usize];
                assert_eq!(
                    (text.id(), text.smiles()),
                    (id.as_bytes(), smiles.as_bytes())
                );
            }
        }
        std::fs::write(&path, b"short").unwrap();
        assert!(kept[0].read(39_999, &mut text).is_err());
    }

    #[test]
    fn reagents_that_take_too_much_memory_are_only_counted() {
        let least = |bytes_max| {
            let mut writer = ReagentWriter::in_memory(bytes_max);
            (0..1_000).for_each(|number| assert_eq!(writer.push(b"A1", b"CCN"), Ok(number)));
            assert_eq!(writer.count(), 1_000);
            writer.into_memory().map(|reagents| reagents.bytes())
        };
        let needed = 1_000 * (2 + 2 + 3 + 8);
        assert_eq!(least(needed), Some(needed));
        assert_eq!(least(needed - 1), None);
    }
}
