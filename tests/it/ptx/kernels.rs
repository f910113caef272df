//! The committed kernels in the interpreter, used like a GPU: a sieve device and a structure key device.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use bytemuck::{AnyBitPattern, NoUninit};
use molsieve::sieve::{
    EngineError, Keyed, Texts,
    gpu::{BLOCK_ROWS, Device, Kernel, Room, TEXT_PAD_BYTES},
};

use super::{
    compile::compile,
    machine::{Argument, Fault, Machine},
    memory::{Memory, Pointer},
    parse::parse,
    program::Program,
    types::Space,
};
use crate::kit::structure_key::KeyOutcome;

/// Kernels, and the global variables of the file that they are from.
#[derive(Clone, Default)]
pub struct Kernels {
    programs: BTreeMap<String, Arc<Program>>,
    /// Names and first bytes.
    variables: Vec<(String, Vec<u8>)>,
}

impl Kernels {
    /// Compiles all kernels of a text.
    pub fn of(ptx: &str) -> Result<Self, String> {
        Self::default().replaced(ptx, |_| true)
    }

    /// Replaces one kernel by that of another text.
    pub fn with(&self, ptx: &str, kernel: &str) -> Result<Self, String> {
        self.clone().replaced(ptx, |name| name == kernel)
    }

    fn replaced(mut self, ptx: &str, wanted: impl Fn(&str) -> bool) -> Result<Self, String> {
        let module = parse(ptx)?;
        let entries = module.functions.iter().filter(|f| f.is_entry);
        for entry in entries.filter(|entry| wanted(entry.name)) {
            let program = compile(&module, entry.name)?;
            self.programs.insert(entry.name.into(), Arc::new(program));
        }
        let globals = module.variables.iter().filter(|v| v.space == Space::Global);
        let variables = globals.map(|variable| {
            let mut bytes = variable.initial.clone();
            bytes.resize(variable.bytes, 0);
            (variable.name.to_owned(), bytes)
        });
        self.variables = variables.collect();
        Ok(self)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.programs.keys().map(String::as_str)
    }

    /// # Panics
    /// If there is no such kernel.
    pub fn program(&self, kernel: &str) -> &Arc<Program> {
        let program = self.programs.get(kernel);
        program.unwrap_or_else(|| panic!("there is no kernel {kernel}"))
    }

    pub fn machine(&self, kernel: &str, seed: u64) -> Machine {
        Machine::new(Arc::clone(self.program(kernel)), seed)
    }

    /// Global memory as it is before the first launch.
    pub fn memory(&self) -> Memory {
        Memory::new(self.variables.iter().cloned())
    }
}

/// Little-endian bytes of words.
pub fn bytes_of<T: NoUninit>(words: &[T]) -> Vec<u8> {
    bytemuck::cast_slice(words).to_vec()
}

fn failed(fault: &Fault) -> EngineError {
    EngineError::Failed {
        engine: "ptx",
        call: "cuLaunchKernel",
        reason: fault.to_string(),
    }
}

/// A device of the sieve with an empty filter.
pub struct SieveDevice {
    machines: [Machine; Kernel::ALL.len()],
    memory: Memory,
    lanes: Vec<Lane>,
    filter: Pointer,
    room: Room,
    notes: Notes,
}

/// What all devices made from the same kernels have done; readable after an engine has taken the devices.
#[derive(Clone, Default)]
pub struct Notes(Arc<Mutex<Noted>>);

#[derive(Default)]
pub struct Noted {
    /// Instructions run.
    pub executed: u64,
    /// Lines of the file whose instructions have run, by kernel; empty unless requested.
    pub lines_reached: BTreeMap<&'static str, BTreeSet<u32>>,
}

impl Notes {
    pub fn get(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().expect("nobody panics with the notes in hand")
    }
}

/// Buffers of a slot, as `kernels/sieve.cu` takes them.
struct Lane {
    text: Pointer,
    text_end: Pointer,
    keys: Pointer,
    table: Pointer,
    places: Pointer,
    verdicts: Pointer,
    tally: Pointer,
}

/// As many as on a GPU; each executes its work immediately.
const LANES: usize = 3;

/// Instruction limit per thread: enough for the longest row, and for a nearly full table.
const INSTRUCTIONS_MAX: u64 = 1_000_000;

impl SieveDevice {
    pub fn new(kernels: &Kernels, room: Room, seed: u64) -> Self {
        let mut memory = kernels.memory();
        let lanes = (0..LANES).map(|_| Lane::new(&mut memory, &room)).collect();
        let filter = memory.allocate("the filter", vec![0; room.filter.bytes()]);
        Self {
            machines: Kernel::ALL.map(|kernel| {
                let mut machine = kernels.machine(kernel.name(), seed);
                machine.instructions_max = INSTRUCTIONS_MAX;
                machine
            }),
            memory,
            lanes,
            filter,
            room,
            notes: Notes::default(),
        }
    }

    /// Records notes when the device is dropped; lines too if requested.
    pub fn with_notes(mut self, notes: &Notes, lines: bool) -> Self {
        self.notes = notes.clone();
        if lines {
            self.machines.iter_mut().for_each(Machine::note_reached);
        }
        self
    }

    /// How often a kernel has loaded a word of the filter.
    pub fn filter_loads(&self) -> u64 {
        self.memory.buffer(self.filter).loads
    }

    /// Writes the filter's bits.
    pub fn fill_filter(&mut self, words: &[u64]) {
        self.memory.buffer_mut(self.filter).bytes = bytes_of(words);
    }

    /// Allocates a buffer of exactly the size that a slot needs, so that any access beyond is detected.
    fn fit(&mut self, buffer: Pointer, bytes: usize) {
        self.memory.buffer_mut(buffer).bytes.resize(bytes, 0xa5);
    }

    fn write<T: NoUninit>(&mut self, to: Pointer, words: &[T]) {
        let bytes = bytemuck::cast_slice(words);
        self.memory.buffer_mut(to).bytes[..bytes.len()].copy_from_slice(bytes);
    }

    fn read<T: AnyBitPattern + NoUninit>(&self, from: Pointer, words: &mut [T]) {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(words);
        bytes.copy_from_slice(&self.memory.buffer(from).bytes[..bytes.len()]);
    }

    /// What `cuda/buffers.rs` gives a kernel.
    fn arguments(&self, lane: &Lane, kernel: Kernel, rows: u32) -> Vec<Argument> {
        let at = |pointer: Pointer| Argument::Long(pointer.address());
        let rows = Argument::Word(rows);
        let mask = Argument::Word(self.room.table_len() as u32 - 1);
        let bits = Argument::Long(self.room.filter.bits as u64);
        let hashes = Argument::Word(self.room.filter.hashes);
        let (keys, filter) = (at(lane.keys), at(self.filter));
        let (table, places) = (at(lane.table), at(lane.places));
        let (verdicts, tally) = (at(lane.verdicts), at(lane.tally));
        match kernel.name() {
            "hash_rows" => vec![at(lane.text), at(lane.text_end), rows, keys],
            "claim_rows" => vec![keys, rows, table, mask, places],
            "look_up" => vec![
                keys, rows, table, places, filter, bits, hashes, verdicts, tally,
            ],
            "insert_new" => vec![keys, rows, verdicts, filter, bits, hashes],
            "insert_keys" => vec![keys, rows, filter, bits, hashes],
            other => panic!("no slot is put to {other}"),
        }
    }
}

impl Drop for SieveDevice {
    fn drop(&mut self) {
        let mut noted = self.notes.get();
        for (kernel, machine) in Kernel::ALL.iter().zip(&self.machines) {
            noted.executed += machine.executed;
            let lines = noted.lines_reached.entry(kernel.name()).or_default();
            lines.extend(machine.lines_reached());
        }
    }
}

impl Lane {
    fn new(memory: &mut Memory, room: &Room) -> Self {
        let mut empty = |name| memory.allocate(name, Vec::new());
        let lane = Self {
            text: empty("the text"),
            text_end: empty("the ends of rows"),
            keys: empty("the keys"),
            places: empty("the places"),
            verdicts: empty("the verdicts"),
            table: memory.allocate("the table", vec![0; 4 * room.table_len()]),
            tally: memory.allocate("the tally", vec![0; 12]),
        };
        for only_read in [lane.text, lane.text_end] {
            memory.buffer_mut(only_read).read_only = true;
        }
        lane
    }
}

impl Device for SieveDevice {
    fn name(&self) -> &'static str {
        "the committed PTX"
    }

    fn lanes(&self) -> usize {
        LANES
    }

    unsafe fn copy_rows_in(&mut self, lane: usize, texts: Texts<'_>) -> Result<(), EngineError> {
        let Lane {
            text: to,
            text_end: ends,
            table,
            tally,
            ..
        } = self.lanes[lane];
        // Bytes after the text must not matter.
        let padded = (texts.bytes.len() + TEXT_PAD_BYTES).next_multiple_of(16);
        self.fit(to, padded);
        self.memory.buffer_mut(to).bytes[texts.bytes.len()..].fill(0xa5);
        self.write(to, texts.bytes);
        self.fit(ends, 4 * texts.ends.len());
        self.write(ends, texts.ends);
        self.memory.buffer_mut(table).bytes.fill(0);
        self.memory.buffer_mut(tally).bytes.fill(0);
        Ok(())
    }

    fn copy_keys_in(&mut self, lane: usize, keys: &[[u64; 2]]) -> Result<(), EngineError> {
        let to = self.lanes[lane].keys;
        self.fit(to, 16 * keys.len());
        self.write(to, keys);
        Ok(())
    }

    fn launch(&mut self, lane: usize, kernel: Kernel, rows: u32) -> Result<(), EngineError> {
        assert!(rows as usize <= self.room.rows_max);
        let Lane {
            keys,
            places,
            verdicts,
            ..
        } = self.lanes[lane];
        for (buffer, row_bytes) in [(keys, 16), (places, 4), (verdicts, 1)] {
            self.fit(buffer, row_bytes * rows as usize);
        }
        let arguments = self.arguments(&self.lanes[lane], kernel, rows);
        let machine = &mut self.machines[kernel as usize];
        let grid = rows.div_ceil(BLOCK_ROWS);
        machine
            .launch(&mut self.memory, grid, BLOCK_ROWS, &arguments)
            .map_err(|fault| failed(&fault))
    }

    unsafe fn copy_rows_out(&mut self, lane: usize, to: &mut Keyed<'_>) -> Result<(), EngineError> {
        self.read(self.lanes[lane].keys, to.keys);
        self.read(self.lanes[lane].verdicts, to.codes);
        Ok(())
    }

    fn finish(&mut self, lane: usize, _to: &mut Keyed<'_>) -> Result<[u32; 3], EngineError> {
        let mut tally = [0; 3];
        self.read(self.lanes[lane].tally, &mut tally);
        Ok(tally)
    }

    fn copy_filter_out(&mut self, words: &mut [u64]) -> Result<(), EngineError> {
        self.read(self.filter, words);
        Ok(())
    }
}

/// Threads of a block of `structure_key`; `BLOCK_ROWS` in its source.
const KEY_BLOCK_ROWS: u32 = 128;

/// The results of `structure_key` for contiguous rows.
pub fn structure_keys(
    machine: &mut Machine,
    kernels: &Kernels,
    texts: &[&[u8]],
) -> Result<Vec<KeyOutcome>, Fault> {
    let rows = texts.len();
    let ends = texts.iter().scan(0, |end, text| {
        *end += text.len() as u32;
        Some(*end)
    });
    let ends: Vec<u32> = ends.collect();
    let mut memory = kernels.memory();
    let text = memory.allocate("the text", texts.concat());
    let text_end = memory.allocate("the ends of rows", bytes_of(&ends));
    // The initial content must not matter.
    let keys = memory.allocate("the keys", vec![0xff; 16 * rows]);
    let statuses = memory.allocate("the statuses", vec![0xa5; rows]);
    for only_read in [text, text_end] {
        memory.buffer_mut(only_read).read_only = true;
    }
    let at = |pointer: Pointer| Argument::Long(pointer.address());
    let arguments = [
        at(text),
        at(text_end),
        Argument::Word(rows as u32),
        at(keys),
        at(statuses),
    ];
    let grid = (rows as u32).div_ceil(KEY_BLOCK_ROWS);
    // A row alone needs no idle threads beside its own.
    let block = KEY_BLOCK_ROWS.min(rows as u32);
    machine.launch(&mut memory, grid, block, &arguments)?;
    let key_bytes = memory.buffer(keys).bytes.chunks_exact(16);
    let words = key_bytes.map(bytemuck::pod_read_unaligned::<[u64; 2]>);
    let statuses = memory.buffer(statuses).bytes.iter().copied();
    Ok(statuses.zip(words).collect())
}
