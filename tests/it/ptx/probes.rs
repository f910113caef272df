//! Compares the kernels that only `molsieve bench` launches (random fill, random reads, random atomics) with the same
//! arithmetic on the host.

use super::{
    kernels::{Kernels, bytes_of},
    machine::{Argument, Fault},
    memory::{Memory, Pointer},
};
use crate::kit::draw::Draw;

/// Threads of a block; `BLOCK_ROWS` in `kernels/sieve.cu`.
const BLOCK_ROWS: u32 = 256;
const ROWS: u32 = 300;
/// Instruction limit per thread.
const INSTRUCTIONS_MAX: u64 = 10_000;

/// Accesses of each row, about those that the compiler takes together.
const ACCESSES: [u32; 7] = [0, 1, 7, 8, 9, 30, 33];

/// A filter and keys, on the host and in the interpreter.
struct Probe<'k> {
    kernels: &'k Kernels,
    memory: Memory,
    keys: Pointer,
    filter: Pointer,
    keys_expected: Vec<[u64; 2]>,
    filter_expected: Vec<u64>,
}

/// Compares all three.
pub fn compare(kernels: &Kernels) -> Result<String, String> {
    for words in [1, 299, 300, 1_001] {
        let mut probe = Probe::new(kernels, words);
        probe.fill()?;
        for accesses in ACCESSES {
            probe.read(accesses)?;
            probe.add(accesses)?;
        }
    }
    Ok(format!("{ROWS} rows, filters of up to 1,001 words"))
}

impl<'k> Probe<'k> {
    fn new(kernels: &'k Kernels, words: usize) -> Self {
        let mut draw = Draw(words as u64);
        let mut word = || draw.below(usize::MAX) as u64;
        let keys_expected: Vec<_> = (0..ROWS).map(|_| [word(), word()]).collect();
        let filter_expected = vec![0; words];
        let mut memory = kernels.memory();
        Self {
            keys: memory.allocate("the keys", bytes_of(&keys_expected)),
            filter: memory.allocate("the filter", bytes_of(&filter_expected)),
            kernels,
            memory,
            keys_expected,
            filter_expected,
        }
    }

    /// Launches a kernel and compares keys and filter.
    fn launch(&mut self, kernel: &str, accesses: Option<u32>) -> Result<(), String> {
        let bits = 64 * self.filter_expected.len() as u64;
        let mut arguments = vec![
            Argument::Long(self.keys.address()),
            Argument::Word(ROWS),
            Argument::Long(self.filter.address()),
            Argument::Long(bits),
        ];
        arguments.extend(accesses.map(Argument::Word));
        let mut machine = self.kernels.machine(kernel, bits);
        machine.instructions_max = INSTRUCTIONS_MAX;
        let grid = ROWS.div_ceil(BLOCK_ROWS);
        let launched = machine.launch(&mut self.memory, grid, BLOCK_ROWS, &arguments);
        launched.map_err(|fault: Fault| fault.to_string())?;
        let differs = |what| Err(format!("{kernel}, {accesses:?} accesses: {what} differs"));
        if self.memory.buffer(self.keys).bytes != bytes_of(&self.keys_expected) {
            return differs("a key");
        }
        if self.memory.buffer(self.filter).bytes != bytes_of(&self.filter_expected) {
            return differs("the filter");
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), String> {
        for (row, key) in self.keys_expected.iter().enumerate() {
            let mut state = key[0];
            for word in (row..self.filter_expected.len()).step_by(ROWS as usize) {
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                self.filter_expected[word] = finalise(state);
            }
        }
        self.launch("fill_at_random", None)
    }

    fn read(&mut self, accesses: u32) -> Result<(), String> {
        for [state, sum] in &mut self.keys_expected {
            for _ in 0..accesses {
                *state = next_state(*state);
                let word = self.filter_expected[place(*state, self.filter_expected.len())];
                *sum = sum.wrapping_add(word);
            }
        }
        self.launch("read_at_random", Some(accesses))
    }

    fn add(&mut self, accesses: u32) -> Result<(), String> {
        let words = self.filter_expected.len();
        for [state, _] in &mut self.keys_expected {
            for _ in 0..accesses {
                *state = next_state(*state);
                self.filter_expected[place(*state, words)] |= 1 << (*state >> 20 & 63);
            }
        }
        self.launch("add_at_random", Some(accesses))
    }
}

/// The word that a state stands for.
fn place(state: u64, words: usize) -> usize {
    ((u128::from(state) * words as u128) >> 64) as usize
}

/// Knuth's linear congruential generator for words of 64 bits.
fn next_state(state: u64) -> u64 {
    state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407)
}

/// The last step of MurmurHash3.
fn finalise(mut word: u64) -> u64 {
    word = (word ^ word >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    word = (word ^ word >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    word ^ word >> 33
}
