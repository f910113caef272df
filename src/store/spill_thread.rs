//! A spill that a thread of its own writes, so that who makes the blocks does not wait while the kernel takes them.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{self, Receiver, SyncSender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    StoreError,
    spill::{Block, Kind, SpillLength, SpillWriter},
};
use crate::{limits::SPILL_RECORDS_WAITING, machine};

/// Appends blocks to a spill, in order. Once the thread has failed to write, every call returns that error.
#[derive(Debug)]
pub struct SpillThread {
    path: PathBuf,
    /// `None` while this is dropped: the thread ends when there are no more.
    orders: Option<SyncSender<Order>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    failure: OnceLock<StoreError>,
    /// Not yet reported.
    work_nanoseconds: AtomicU64,
    cpu_nanoseconds: AtomicU64,
}

enum Order {
    Append(Vec<Block>),
    /// Does something when all that was ordered before is done, and replies.
    Do(fn(&mut SpillWriter) -> Answer, SyncSender<Answer>),
    /// Begins the file again.
    Restart,
}

type Answer = Result<SpillLength, StoreError>;

impl SpillThread {
    /// A new spill at `path`, or the first `length` of the one that is there.
    pub fn open(path: &Path, kind: Kind, length: Option<SpillLength>) -> Result<Self, StoreError> {
        let spill = SpillWriter::open(path, kind, length)?;
        let (orders, received) = mpsc::sync_channel(SPILL_RECORDS_WAITING);
        let shared = Arc::<Shared>::default();
        let mut writing = Writing {
            spill,
            path: path.to_owned(),
            kind,
            shared: Arc::clone(&shared),
        };
        let thread = thread::Builder::new()
            .name("spill".into())
            .spawn(move || writing.obey(&received))
            .map_err(|error| StoreError::io(path, "start a thread to write", &error))?;
        Ok(Self {
            path: path.to_owned(),
            orders: Some(orders),
            thread: Some(thread),
            shared,
        })
    }

    /// Appends blocks. Waits while many are waiting.
    pub fn push(&mut self, blocks: Vec<Block>) -> Result<(), StoreError> {
        self.send(Order::Append(blocks))
    }

    /// All blocks are in the file when this returns, though perhaps not yet on the disk.
    pub fn flush(&mut self) -> Answer {
        self.ask(|reply| Order::Do(SpillWriter::flush, reply))
    }

    /// All blocks are on the disk when this returns.
    pub fn sync(&mut self) -> Answer {
        self.ask(|reply| Order::Do(SpillWriter::sync, reply))
    }

    /// Discards all blocks. The file may be emptied later.
    pub fn restart(&mut self) -> Result<(), StoreError> {
        self.send(Order::Restart)
    }

    /// Time that the thread has worked since the last call.
    pub fn take_work(&self) -> Duration {
        Duration::from_nanos(self.shared.work_nanoseconds.swap(0, Relaxed))
    }

    /// CPU time that the thread has used.
    pub fn cpu_time(&self) -> Duration {
        Duration::from_nanos(self.shared.cpu_nanoseconds.load(Relaxed))
    }

    fn send(&self, order: Order) -> Result<(), StoreError> {
        if let Some(failure) = self.shared.failure.get() {
            return Err(failure.clone());
        }
        let sent = self.orders.as_ref().map(|orders| orders.send(order));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(self.gone()),
        }
    }

    fn ask(&self, order: impl FnOnce(SyncSender<Answer>) -> Order) -> Answer {
        let (reply, answer) = mpsc::sync_channel(1);
        self.send(order(reply))?;
        answer.recv().unwrap_or_else(|_| Err(self.gone()))
    }

    /// The error for a thread that has panicked.
    fn gone(&self) -> StoreError {
        StoreError::io(
            &self.path,
            "write",
            &io::Error::other("its thread has ended"),
        )
    }
}

impl Drop for SpillThread {
    fn drop(&mut self) {
        self.orders = None;
        // A panic was reported when it happened.
        self.thread.take().map(JoinHandle::join);
    }
}

/// What the thread has.
struct Writing {
    spill: SpillWriter,
    path: PathBuf,
    kind: Kind,
    shared: Arc<Shared>,
}

impl Writing {
    fn obey(&mut self, orders: &Receiver<Order>) {
        for order in orders {
            let began = Instant::now();
            match order {
                Order::Append(blocks) => {
                    let _ = self.unless_failed(|writing| writing.append(&blocks));
                }
                Order::Do(work, reply) => {
                    let answer = self.unless_failed(|writing| work(&mut writing.spill));
                    let _ = reply.send(answer);
                }
                Order::Restart => {
                    let _ = self.unless_failed(Self::restart);
                }
            }
            let nanoseconds = |time: Duration| time.as_nanos() as u64;
            let Shared {
                work_nanoseconds,
                cpu_nanoseconds,
                ..
            } = &*self.shared;
            work_nanoseconds.fetch_add(nanoseconds(began.elapsed()), Relaxed);
            cpu_nanoseconds.store(nanoseconds(machine::thread_cpu_time()), Relaxed);
        }
    }

    /// Does `work` if all before has succeeded. Keeps its failure.
    fn unless_failed<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Some(failure) = self.shared.failure.get() {
            return Err(failure.clone());
        }
        work(self).inspect_err(|error| {
            let _ = self.shared.failure.set(error.clone());
        })
    }

    fn append(&mut self, blocks: &[Block]) -> Result<(), StoreError> {
        let mut blocks = blocks.iter();
        blocks.try_for_each(|block| self.spill.push_sealed(block))
    }

    fn restart(&mut self) -> Result<(), StoreError> {
        self.spill = SpillWriter::create(&self.path, self.kind)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::spill::SpillReader;

    fn block(payload: &[u8]) -> Block {
        let mut block = Block::with_capacity(payload.len());
        block.extend(payload);
        block.sealed(1)
    }

    fn payloads(path: &Path, length: SpillLength) -> Vec<Vec<u8>> {
        let mut reader = SpillReader::open(path, Kind::PartRows, length).unwrap();
        let mut read = Vec::new();
        while let Some((payload, _)) = reader.next_block().unwrap() {
            read.push(payload.to_vec());
        }
        read
    }

    #[test]
    fn blocks_are_in_the_file_in_their_order_after_a_flush() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spill");
        let mut spill = SpillThread::open(&path, Kind::PartRows, None).unwrap();
        let texts: Vec<_> = (0..100)
            .map(|number| vec![number; 1 + 100 * usize::from(number)])
            .collect();
        for pair in texts.chunks(2) {
            spill
                .push(pair.iter().map(|text| block(text)).collect())
                .unwrap();
        }
        let half = spill.flush().unwrap();
        assert_eq!(half.items, 100);
        assert_eq!(payloads(&path, half), texts);
        assert!(spill.cpu_time() > Duration::ZERO && spill.take_work() > Duration::ZERO);
        spill.push(vec![block(b"more")]).unwrap();
        drop(spill);
        // What was pushed after the flush is cut off.
        let mut spill = SpillThread::open(&path, Kind::PartRows, Some(half)).unwrap();
        spill.push(vec![block(b"other")]).unwrap();
        let length = spill.sync().unwrap();
        assert_eq!(payloads(&path, length).last().unwrap(), b"other");
        assert_eq!(length.items, 101);
        spill.restart().unwrap();
        assert_eq!(spill.flush().unwrap(), SpillLength::EMPTY);
    }

    #[test]
    fn a_failure_is_returned_by_every_later_call() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spill");
        // A pipe whose other end is closed takes no more.
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        let reader = thread::spawn({
            let path = path.clone();
            move || std::fs::File::open(path).unwrap()
        });
        let mut spill = SpillThread::open(&path, Kind::PartRows, None).unwrap();
        drop(reader.join().unwrap());
        spill.push(vec![block(b"lost")]).unwrap();
        let failure = spill.flush().unwrap_err();
        assert!(matches!(failure, StoreError::Io { .. }), "{failure:?}");
        assert_eq!(spill.push(vec![block(b"more")]).unwrap_err(), failure);
        assert_eq!(spill.sync().unwrap_err(), failure);
    }
}
