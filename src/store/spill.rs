//! Files to which a run appends items, and which it reads back once, from start to end.
//!
//! Layout, little-endian:
//!
//! ```text
//! file    b"MOLSPILL", version u32 = 1, kind u32, blocks
//! block   bytes of the payload u32, items in it u32, checksum u64, payload
//! ```
//!
//! The checksum is the first word of MurmurHash3_x64_128 (seed 0) of the payload, xor the number of
//! items. What an item is depends on the kind. A block's payload has at most [`SPILL_BLOCK_BYTES_MAX`] bytes, and a reader
//! never allocates more, whatever the file says.
//!
//! The checkpoint has the length of a spill ([`SpillLength`]). A resumed run cuts off what was written after the
//! checkpoint.

use std::{
    io::{BufReader, Read, Seek, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{StoreError, disk::DiskFile, early_sync::EarlySync};
use crate::{
    key::Key,
    limits::{SPILL_BLOCK_BYTES_MAX, SPILL_BUFFER_BYTES, SPILL_EARLY_SYNC_BYTES},
};

const MAGIC: &[u8] = b"MOLSPILL";
const VERSION: u32 = 1;
const FILE_HEAD_BYTES: u64 = 16;
const BLOCK_HEAD_BYTES: usize = 16;

/// The kind of a spill's items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// Keys of new rows, 16 bytes each.
    Keys = 1,
    /// Keys with the ordinal of their row (u64), 24 bytes each.
    NumberedKeys = 2,
    /// Ordinals, u64 each, ascending.
    Ordinals = 3,
    /// Rows, packed; see [`crate::settle`].
    Rows = 4,
    /// Rejected parents; see [`crate::table::sink::RejectLog`].
    Rejects = 5,
    /// Rows of the unfinished part; see [`crate::table::sink`]'s `row_log`.
    PartRows = 6,
    /// Items in the order of their bytes; see [`crate::store::sorter`].
    Sorted = 7,
    /// Rows that a deduplication has seen; see [`crate::table::sink`]'s `seen_rows`.
    SeenRows = 8,
}

/// The length of a spill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpillLength {
    /// Bytes of the file.
    pub bytes: u64,
    /// Items in it.
    pub items: u64,
}

impl SpillLength {
    /// A spill without items.
    pub const EMPTY: Self = Self {
        bytes: FILE_HEAD_BYTES,
        items: 0,
    };
}

/// Appends items to a spill.
#[derive(Debug)]
pub struct SpillWriter {
    file: DiskFile,
    /// Bytes that are not yet written, block heads included.
    length: SpillLength,
    payload: Vec<u8>,
    items: u32,
    /// For a spill that is synced early: what has begun, and the bytes written since.
    early_sync: Option<(EarlySync, usize)>,
}

impl SpillWriter {
    /// The same, which syncs what it writes from time to time, so that little is left for [`Self::sync`].
    pub fn synced_early(mut self) -> Self {
        self.early_sync = Some(Default::default());
        self
    }

    /// Creates a spill at `path`; an earlier file is replaced.
    pub fn create(path: &Path, kind: Kind) -> Result<Self, StoreError> {
        let mut file = DiskFile::create(path)?;
        file.write_all(&file_head(kind))
            .map_err(|error| StoreError::io(path, "write", &error))?;
        Ok(Self::behind(file, SpillLength::EMPTY))
    }

    /// A spill at `path`: a new one, or one to which is appended after its first `begun`.
    pub fn open(path: &Path, kind: Kind, begun: Option<SpillLength>) -> Result<Self, StoreError> {
        match begun {
            Some(length) => Self::resume(path, length),
            None => Self::create(path, kind),
        }
    }

    /// Opens a spill to append after its first `length`.
    pub fn resume(path: &Path, length: SpillLength) -> Result<Self, StoreError> {
        let file = DiskFile::open_behind(path, length.bytes)?;
        Ok(Self::behind(file, length))
    }

    fn behind(file: DiskFile, length: SpillLength) -> Self {
        Self {
            file,
            length,
            payload: Vec::new(),
            items: 0,
            early_sync: None,
        }
    }

    /// Appends an item.
    ///
    /// # Panics
    /// If the item is longer than a block may be.
    pub fn push(&mut self, item: &[u8]) -> Result<(), StoreError> {
        assert!(item.len() <= SPILL_BLOCK_BYTES_MAX, "{} bytes", item.len());
        if self.payload.len() + item.len() > SPILL_BUFFER_BYTES {
            self.end_block()?;
        }
        self.payload.extend_from_slice(item);
        self.items += 1;
        Ok(())
    }

    /// Appends `items` items as one block.
    pub fn push_block(&mut self, payload: &[u8], items: u32) -> Result<(), StoreError> {
        self.end_block()?;
        self.write_block(payload, items)
    }

    /// Appends a block that was sealed before.
    pub fn push_sealed(&mut self, block: &Block) -> Result<(), StoreError> {
        self.end_block()?;
        self.write_sealed(&block.bytes, block.items)
    }

    /// Writes all appended items to the file, without a sync.
    pub fn flush(&mut self) -> Result<SpillLength, StoreError> {
        self.end_block()?;
        Ok(self.length)
    }

    /// Writes and syncs all appended items: they are on the disk when this returns.
    pub fn sync(&mut self) -> Result<SpillLength, StoreError> {
        self.end_block()?;
        if let Some((early, _)) = &mut self.early_sync {
            early.end(&self.file)?;
        }
        self.file.sync()?;
        Ok(self.length)
    }

    /// Bytes in the file and not yet written.
    pub fn bytes(&self) -> u64 {
        self.length.bytes + self.payload.len() as u64
    }

    fn end_block(&mut self) -> Result<(), StoreError> {
        if self.items > 0 {
            let payload = std::mem::take(&mut self.payload);
            self.write_block(&payload, self.items)?;
            self.payload = payload;
            self.payload.clear();
            self.items = 0;
        }
        Ok(())
    }

    fn write_block(&mut self, payload: &[u8], items: u32) -> Result<(), StoreError> {
        let mut block = Block::with_capacity(payload.len());
        block.extend(payload);
        self.write_sealed(&block.sealed(items).bytes, items)
    }

    fn write_sealed(&mut self, block: &[u8], items: u32) -> Result<(), StoreError> {
        self.file
            .write_all(block)
            .map_err(|error| StoreError::io(self.file.path(), "write", &error))?;
        self.length.bytes += block.len() as u64;
        self.length.items += u64::from(items);
        if let Some((early, bytes)) = &mut self.early_sync {
            *bytes += block.len();
            if *bytes >= SPILL_EARLY_SYNC_BYTES {
                *bytes = 0;
                early.begin(&self.file)?;
            }
        }
        Ok(())
    }
}

/// A block by itself: what makes it needs no file.
#[derive(Clone, Debug)]
pub struct Block {
    /// Head and payload. The head is made when the block is sealed.
    bytes: Vec<u8>,
    items: u32,
}

impl Block {
    /// An empty block, with room for a payload.
    pub fn with_capacity(payload_bytes: usize) -> Self {
        let mut bytes = Vec::with_capacity(BLOCK_HEAD_BYTES + payload_bytes);
        bytes.resize(BLOCK_HEAD_BYTES, 0);
        Self { bytes, items: 0 }
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[BLOCK_HEAD_BYTES..]
    }

    /// Adds to the payload.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Ends the block, which holds `items` items.
    ///
    /// # Panics
    /// If the payload is longer than a block's may be.
    pub fn sealed(mut self, items: u32) -> Self {
        let (head, payload) = self.bytes.split_at_mut(BLOCK_HEAD_BYTES);
        assert!(payload.len() <= SPILL_BLOCK_BYTES_MAX);
        let lengths = payload.len() as u128 | u128::from(items) << 32;
        let number = lengths | u128::from(checksum(payload, items)) << 64;
        head.copy_from_slice(&number.to_le_bytes());
        self.items = items;
        self
    }
}

fn file_head(kind: Kind) -> Vec<u8> {
    let numbers = [VERSION, kind as u32].map(u32::to_le_bytes);
    [MAGIC, numbers.as_flattened()].concat()
}

fn checksum(payload: &[u8], items: u32) -> u64 {
    Key::of(payload).words()[0] ^ u64::from(items)
}

/// Reads a spill from start to end.
#[derive(Debug)]
pub struct SpillReader<R = BufReader<DiskFile>> {
    from: R,
    path: PathBuf,
    /// End of the last block, in bytes.
    bytes_left: u64,
    payload: Vec<u8>,
    head: Option<BlockHead>,
}

#[derive(Clone, Copy, Debug)]
struct BlockHead {
    bytes: usize,
    items: u32,
    checksum: u64,
}

impl SpillReader {
    /// Reads the first `length` of the spill at `path`.
    pub fn open(path: &Path, kind: Kind, length: SpillLength) -> Result<Self, StoreError> {
        let file = BufReader::with_capacity(SPILL_BUFFER_BYTES, DiskFile::open(path)?);
        Self::over(file, path, kind, length.bytes)
    }
}

impl<R: Read> SpillReader<R> {
    /// Reads a spill of `bytes` bytes from any reader; errors name `path`.
    pub fn over(mut from: R, path: &Path, kind: Kind, bytes: u64) -> Result<Self, StoreError> {
        let mut head = [0; FILE_HEAD_BYTES as usize];
        read_exact(&mut from, &mut head, path)?;
        if head[..] != file_head(kind) || bytes < FILE_HEAD_BYTES {
            return Err(StoreError::damaged(path, "it has another beginning"));
        }
        Ok(Self {
            from,
            path: path.into(),
            bytes_left: bytes - FILE_HEAD_BYTES,
            payload: Vec::new(),
            head: None,
        })
    }

    /// The next block: its payload and its number of items; `None` at the end.
    pub fn next_block(&mut self) -> Result<Option<(&[u8], u32)>, StoreError> {
        let Some(head) = self.peek()? else {
            return Ok(None);
        };
        self.head = None;
        self.payload.resize(head.bytes, 0);
        read_exact(&mut self.from, &mut self.payload, &self.path)?;
        if checksum(&self.payload, head.items) != head.checksum {
            return Err(self.damaged("a checksum does not fit"));
        }
        Ok(Some((&self.payload, head.items)))
    }

    /// The number of items of the next block, without reading the block; `None` at the end.
    pub fn peek_items(&mut self) -> Result<Option<u32>, StoreError> {
        Ok(self.peek()?.map(|head| head.items))
    }

    fn peek(&mut self) -> Result<Option<BlockHead>, StoreError> {
        if self.head.is_some() || self.bytes_left == 0 {
            return Ok(self.head);
        }
        let mut head = [0; BLOCK_HEAD_BYTES];
        if self.bytes_left < BLOCK_HEAD_BYTES as u64 {
            return Err(self.damaged("it ends inside a block"));
        }
        read_exact(&mut self.from, &mut head, &self.path)?;
        let head = u128::from_le_bytes(head);
        let bytes = head as u32 as usize;
        let block_bytes = (BLOCK_HEAD_BYTES + bytes) as u64;
        if bytes > SPILL_BLOCK_BYTES_MAX || block_bytes > self.bytes_left {
            return Err(self.damaged("a block is longer than it can be"));
        }
        self.bytes_left -= block_bytes;
        self.head = Some(BlockHead {
            bytes,
            items: (head >> 32) as u32,
            checksum: (head >> 64) as u64,
        });
        Ok(self.head)
    }

    /// The error for a fault in this file.
    pub fn damaged(&self, reason: &str) -> StoreError {
        StoreError::damaged(&self.path, reason)
    }
}

impl<R: Read + Seek> SpillReader<BufReader<R>> {
    /// Skips the next block.
    pub fn skip(&mut self) -> Result<(), StoreError> {
        if let Some(head) = self.peek()? {
            self.head = None;
            self.from
                .seek_relative(head.bytes as i64)
                .map_err(|error| StoreError::io(&self.path, "read", &error))?;
        }
        Ok(())
    }
}

/// Reads items of a fixed size one by one.
#[derive(Debug)]
pub struct Items<const N: usize> {
    reader: SpillReader,
    /// Where the next item begins in the reader's block.
    at: usize,
}

impl<const N: usize> Items<N> {
    /// Reads the items of the first `length` of the spill at `path`.
    pub fn open(path: &Path, kind: Kind, length: SpillLength) -> Result<Self, StoreError> {
        let reader = SpillReader::open(path, kind, length)?;
        Ok(Self { reader, at: 0 })
    }

    /// The next item; `None` at the end.
    pub fn next_item(&mut self) -> Result<Option<[u8; N]>, StoreError> {
        if self.at == self.reader.payload.len() {
            self.at = 0;
            if self.reader.next_block()?.is_none() {
                self.reader.payload.clear();
                return Ok(None);
            }
        }
        match self.reader.payload[self.at..].first_chunk() {
            Some(item) => {
                self.at += N;
                Ok(Some(*item))
            }
            None => Err(self.damaged("an item is cut short")),
        }
    }

    /// The error for a fault in this file.
    pub fn damaged(&self, reason: &str) -> StoreError {
        self.reader.damaged(reason)
    }
}

fn read_exact(from: &mut impl Read, bytes: &mut [u8], path: &Path) -> Result<(), StoreError> {
    from.read_exact(bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => StoreError::damaged(path, "it is cut short"),
        _ => StoreError::io(path, "read", &error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys_of(path: &Path, length: SpillLength) -> Result<Vec<u8>, StoreError> {
        let mut reader = SpillReader::open(path, Kind::Keys, length)?;
        let (mut all, mut items) = (Vec::new(), 0);
        while let Some((payload, n)) = reader.next_block()? {
            all.extend_from_slice(payload);
            items += u64::from(n);
        }
        assert_eq!(items, length.items);
        Ok(all)
    }

    #[test]
    fn what_lies_behind_the_checkpoint_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let mut writer = SpillWriter::create(&path, Kind::Keys).unwrap();
        let key = |i: u64| Key::of(&i.to_le_bytes()).bytes();
        (0..10_000).for_each(|i| writer.push(&key(i)).unwrap());
        let length = writer.sync().unwrap();
        assert_eq!(length.items, 10_000);
        (10_000..20_000).for_each(|i| writer.push(&key(i)).unwrap());
        drop(writer); // as a kill would, with a block half written
        let mut writer = SpillWriter::resume(&path, length).unwrap();
        (20_000..20_003).for_each(|i| writer.push(&key(i)).unwrap());
        let length = writer.sync().unwrap();
        let expected: Vec<u8> = (0..10_000).chain(20_000..20_003).flat_map(key).collect();
        assert_eq!(keys_of(&path, length).unwrap(), expected);
        assert_eq!(path.metadata().unwrap().len(), length.bytes);
    }

    #[test]
    fn damage_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let mut writer = SpillWriter::create(&path, Kind::Keys).unwrap();
        (0..40u64).for_each(|i| writer.push(&[i as u8; 16]).unwrap());
        let length = writer.sync().unwrap();
        let whole = std::fs::read(&path).unwrap();
        for i in 0..whole.len() {
            let mut other = whole.clone();
            other[i] ^= 0x40;
            std::fs::write(&path, &other).unwrap();
            let error = keys_of(&path, length).unwrap_err();
            assert!(matches!(error, StoreError::Damaged { .. }), "{i}: {error}");
        }
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        keys_of(&path, length).unwrap_err();
        SpillWriter::resume(&path, length).unwrap_err();
    }

    #[test]
    fn blocks_can_be_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows");
        let mut writer = SpillWriter::create(&path, Kind::Rows).unwrap();
        for i in 0..5u8 {
            let payload = vec![i; 1000 * usize::from(i)];
            writer.push_block(&payload, u32::from(i)).unwrap();
        }
        let length = writer.flush().unwrap();
        let mut reader = SpillReader::open(&path, Kind::Rows, length).unwrap();
        for i in 0..5u8 {
            assert_eq!(reader.peek_items().unwrap(), Some(u32::from(i)));
            if i % 2 == 0 {
                reader.skip().unwrap();
            } else {
                assert_eq!(reader.next_block().unwrap().unwrap().0[0], i);
            }
        }
        assert!(reader.next_block().unwrap().is_none());
    }
}
