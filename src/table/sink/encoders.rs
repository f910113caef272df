//! The threads that turn rows into arrays, encode row groups and make text.

use std::{
    ops::{AddAssign, Range},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use super::error::{SinkError, encode_error};
use crate::{
    cores::{Cores, Rank},
    limits::STAGE_STACK_BYTES,
};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use parquet::{
    arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, compute_leaves},
    errors::ParquetError,
};

/// A pool of threads. A panic on one of them is an error of the task.
pub struct Encoders {
    pool: rayon::ThreadPool,
    threads: usize,
    cores: Arc<Cores>,
}

/// A task on the pool.
pub struct Task<T>(mpsc::Receiver<(T, Duration)>);

/// Time that tasks took, and that others waited for them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// On the pool.
    pub work: Duration,
    /// In [`Task::join`].
    pub waited: Duration,
}

impl AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        self.work += other.work;
        self.waited += other.waited;
    }
}

impl<T> Task<T> {
    /// Waits for the end of the task.
    pub fn join(self) -> Result<(T, Spent), SinkError> {
        let began = Instant::now();
        let ended = self.0.recv();
        let waited = began.elapsed();
        let (done, work) = ended.map_err(|_| encode_error("a thread of the sink has panicked"))?;
        Ok((done, Spent { work, waited }))
    }
}

impl Encoders {
    /// Starts the threads, which work on `cores`.
    pub fn new(threads: usize, cores: &Arc<Cores>) -> Result<Self, SinkError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("sink-{i}"))
            // RDKit, which writes mol blocks, recurses; only the pages that are used become resident.
            .stack_size(STAGE_STACK_BYTES)
            // The task's sender is dropped, which its owner notices.
            .panic_handler(|_| {})
            .build()
            .map_err(|error| SinkError::Threads(error.to_string()))?;
        Ok(Self {
            pool,
            threads,
            cores: Arc::clone(cores),
        })
    }

    /// Number of threads: so many row groups are encoded at a time, and so many slots gathered.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Starts a task.
    pub fn start<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Task<T> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let cores = Arc::clone(&self.cores);
        self.pool.spawn(move || {
            let _core = cores.take(Rank::Sink);
            let began = Instant::now();
            let done = work();
            // Nobody waits for it if the job has stopped.
            let _ = sender.send((done, began.elapsed()));
        });
        Task(receiver)
    }
}

/// Encoded columns of a row group.
pub(super) type Columns = Result<Vec<ArrowColumnChunk>, ParquetError>;

/// Encodes these columns of a row group, each with the next of the writers; to be called in the pool.
pub(super) fn encode_columns(
    columns: Range<usize>,
    writers: Vec<ArrowColumnWriter>,
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Columns {
    let (mut writers, mut chunks) = (writers.into_iter(), Vec::new());
    for index in columns {
        let field = &schema.fields()[index];
        // A struct or a map has several columns of values.
        let mut own: Vec<ArrowColumnWriter> = Vec::new();
        for batch in batches {
            for (nth, leaf) in compute_leaves(field, batch.column(index))?
                .iter()
                .enumerate()
            {
                if nth == own.len() {
                    let missing = || ParquetError::General("a column has no writer".to_owned());
                    own.push(writers.next().ok_or_else(missing)?);
                }
                own[nth].write(leaf)?;
            }
        }
        for writer in own {
            chunks.push(writer.close()?);
        }
    }
    Ok(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_on_the_pool_is_an_error_of_its_task() {
        let encoders = Encoders::new(1, &Cores::new(1)).unwrap();
        let panics = encoders.start(|| panic!("on purpose"));
        let works = encoders.start(|| 7);
        assert!(panics.join().is_err());
        assert_eq!(works.join().unwrap().0, 7);
    }
}
