//! Runs a [`Program`]: blocks in random order, the threads of a block likewise, each until it waits at a
//! barrier or ends. So a kernel whose result depends on the order is detected sooner or later. As on GPUs since Volta, a
//! barrier does not wait for threads that have ended; all waiting threads must wait at the same instruction.

use std::{collections::BTreeSet, fmt, sync::Arc};

use super::{
    execute::{Place, Stop, Thread},
    memory::{Memory, Shared, Trouble},
    program::{Program, Special},
};
use crate::kit::draw::Draw;

/// The fault that stopped a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kernel: String,
    /// Of the PTX file; 0 before the first instruction.
    pub line: u32,
    pub block: u32,
    pub thread: u32,
    pub trouble: Trouble,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kernel,
            line,
            block,
            thread,
            trouble,
        } = self;
        write!(
            f,
            "{kernel}, line {line}, thread {thread} of block {block}: {trouble}"
        )
    }
}

/// An argument of a kernel.
#[derive(Clone, Copy, Debug)]
pub enum Argument {
    Word(u32),
    /// A number of 64 bits or an address.
    Long(u64),
}

/// Instruction limit per thread; a thread over it is considered endless.
const INSTRUCTIONS_MAX: u64 = 40_000_000;

/// A program with the state of its threads, reused between launches.
pub struct Machine {
    program: Arc<Program>,
    idle: Vec<Thread>,
    draw: Draw,
    /// Instructions run so far. A vector access counts as several, a predicated instruction as two.
    pub executed: u64,
    /// Whether each instruction has run, if requested.
    reached: Option<Vec<bool>>,
    pub instructions_max: u64,
}

/// A launch in progress.
struct Launch<'m> {
    memory: &'m mut Memory,
    params: Vec<u8>,
    grid: u32,
    block: u32,
}

impl Machine {
    pub fn new(program: Arc<Program>, seed: u64) -> Self {
        Self {
            program,
            idle: Vec::new(),
            draw: Draw(seed),
            executed: 0,
            reached: None,
            instructions_max: INSTRUCTIONS_MAX,
        }
    }

    /// From now on, records which instructions run.
    pub fn note_reached(&mut self) {
        self.reached = Some(vec![false; self.program.code.len()]);
    }

    /// Whether each instruction has run since recording began.
    pub fn reached(&self) -> &[bool] {
        self.reached.as_deref().unwrap_or_default()
    }

    /// The lines of the file whose instructions have run.
    pub fn lines_reached(&self) -> BTreeSet<u32> {
        let lines = self.program.lines.iter().zip(self.reached());
        lines
            .filter(|(_, reached)| **reached)
            .map(|(line, _)| *line)
            .collect()
    }

    /// Runs `grid` blocks of `block` threads.
    pub fn launch(
        &mut self,
        memory: &mut Memory,
        grid: u32,
        block: u32,
        arguments: &[Argument],
    ) -> Result<(), Fault> {
        let params = self.params(block, arguments).map_err(|what| Fault {
            kernel: self.program.name.clone(),
            line: 0,
            block: 0,
            thread: 0,
            trouble: Trouble::Launch(what),
        })?;
        memory.begin_launch();
        let mut launch = Launch {
            memory,
            params,
            grid,
            block,
        };
        for number in self.shuffled(grid) {
            self.block(&mut launch, number)?;
        }
        Ok(())
    }

    /// The parameter space with the arguments in it.
    fn params(&self, block: u32, arguments: &[Argument]) -> Result<Vec<u8>, String> {
        let pieces = &self.program.params;
        if pieces.len() != arguments.len() {
            return Err(format!("{} arguments expected", pieces.len()));
        }
        if self.program.threads_max.is_some_and(|max| block > max) {
            return Err(format!("a block of {block} threads is too large"));
        }
        let mut params = vec![0xa5; self.program.param_bytes];
        for (i, (piece, argument)) in pieces.iter().zip(arguments).enumerate() {
            let bytes = match argument {
                Argument::Word(word) => word.to_le_bytes().to_vec(),
                Argument::Long(long) => long.to_le_bytes().to_vec(),
            };
            if bytes.len() != piece.bytes {
                return Err(format!("argument {i} has {} bytes", piece.bytes));
            }
            params[piece.at..piece.at + piece.bytes].copy_from_slice(&bytes);
        }
        Ok(params)
    }

    fn shuffled(&mut self, count: u32) -> Vec<u32> {
        let mut order: Vec<u32> = (0..count).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, self.draw.below(i + 1));
        }
        order
    }

    /// Runs a block from barrier to barrier.
    fn block(&mut self, launch: &mut Launch<'_>, number: u32) -> Result<(), Fault> {
        let noise = self.draw.below(256) as u8;
        let mut shared = Shared::new(&self.program.shared, noise);
        let mut waiting: Vec<Option<Thread>> = Vec::new();
        waiting.resize_with(launch.block as usize, || None);
        let mut begun = false;
        loop {
            let mut barrier = None;
            for index in self.shuffled(launch.block) {
                let thread = match waiting[index as usize].take() {
                    Some(thread) => thread,
                    None if begun => continue,
                    None => self.begin(launch, number, index),
                };
                let (thread, stopped) = self.step(thread, launch.memory, &mut shared);
                let fault = |pc: u32, trouble| Fault {
                    kernel: self.program.name.clone(),
                    line: self.program.lines[pc as usize],
                    block: number,
                    thread: index,
                    trouble,
                };
                match stopped {
                    Err(trouble) => return Err(fault(thread.pc - 1, trouble)),
                    Ok(Stop::End) => self.idle.push(thread),
                    Ok(Stop::Barrier) => {
                        // Each thread must be at the same one.
                        if *barrier.get_or_insert(thread.pc) != thread.pc {
                            return Err(fault(thread.pc - 1, Trouble::Barriers));
                        }
                        waiting[index as usize] = Some(thread);
                    }
                }
            }
            if barrier.is_none() {
                return Ok(());
            }
            begun = true;
        }
    }

    fn step(
        &mut self,
        mut thread: Thread,
        memory: &mut Memory,
        shared: &mut Shared,
    ) -> (Thread, Result<Stop, Trouble>) {
        let left = self.instructions_max;
        thread.left = left;
        let mut at = Place {
            program: &self.program,
            memory,
            shared,
        };
        let stopped = match &mut self.reached {
            Some(reached) => thread.run(&mut at, |pc| reached[pc] = true),
            None => thread.run(&mut at, |_| ()),
        };
        self.executed += left - thread.left;
        (thread, stopped)
    }

    /// A thread before its first instruction.
    fn begin(&mut self, launch: &Launch<'_>, block: u32, index: u32) -> Thread {
        let program = &*self.program;
        let thread = self.idle.pop();
        let mut thread = thread.unwrap_or_else(|| Thread::new(program));
        thread.reset(program, &launch.params, self.draw.below(256) as u8);
        let lane = index % 32;
        let first = |axis: usize, value: u32, others: u32| if axis == 0 { value } else { others };
        for &(special, register) in &program.specials {
            let value = match special {
                Special::Tid(axis) => first(axis, index, 0),
                Special::Ntid(axis) => first(axis, launch.block, 1),
                Special::Ctaid(axis) => first(axis, block, 0),
                Special::Nctaid(axis) => first(axis, launch.grid, 1),
                Special::LaneId => lane,
                Special::WarpId => index / 32,
                Special::LaneMaskLt => (1 << lane) - 1,
                Special::LaneMaskLe => u32::MAX >> (31 - lane),
                Special::LaneMaskGt => !(u32::MAX >> (31 - lane)),
                Special::LaneMaskGe => u32::MAX << lane,
                Special::LaneMaskEq => 1 << lane,
            };
            thread.registers[register as usize] = u64::from(value);
        }
        thread
    }
}
