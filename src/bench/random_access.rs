//! What the memory allows: independent reads of 8 bytes at random places of an array.

use std::{
    convert::Infallible,
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

use super::measure::Effort;

/// Reads of one thread between two looks at the clock.
const READS: u64 = 1 << 20;

/// Reads per second of `threads` threads together.
pub(super) fn rate(bytes: usize, threads: usize, effort: Effort) -> f64 {
    // Ones, not zeroes: memory that was never written to is one page, read again and again.
    let words = vec![1u64; bytes / 8];
    let reads = if effort.is_trial() { READS / 64 } else { READS };
    let mut seed = 1;
    let mut pass = |_| {
        seed += 1;
        Ok::<_, Infallible>(read(&words, threads, reads, seed))
    };
    match effort.time(1, &mut pass) {
        Ok(timing) => (threads as u64 * reads) as f64 / timing.seconds,
    }
}

/// The time from the first thread's start to the last one's end, at work.
fn read(words: &[u64], threads: usize, reads: u64, seed: u64) -> Duration {
    let read_some = |thread: usize| {
        let began = Instant::now();
        // Knuth's linear congruential generator: its upper bits choose the word, so the next address
        // does not wait for the word before.
        let mut state = seed << 32 | thread as u64;
        let mut sum = 0u64;
        for _ in 0..reads {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let place = (u128::from(state) * words.len() as u128) >> 64;
            sum = sum.wrapping_add(words[place as usize]);
        }
        black_box(sum);
        (began, Instant::now())
    };
    let times: Vec<_> = thread::scope(|scope| {
        let started: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || read_some(thread)))
            .collect();
        let ended = started.into_iter().map(|thread| thread.join());
        ended.flatten().collect()
    });
    let first = times.iter().map(|(began, _)| *began).min();
    let last = times.iter().map(|(_, ended)| *ended).max();
    first
        .zip(last)
        .map_or(Duration::ZERO, |(first, last)| last - first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read() {
        let rate = rate(1 << 20, 2, Effort { seconds: 0.01 });
        assert!((1e6..1e11).contains(&rate), "{rate}");
    }
}
