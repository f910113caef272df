//! Memory as kernels see it: every access must lie within one variable or buffer and be aligned to its size.

use std::fmt;

use super::program::{LOCAL_BASE, Layout};

/// What went wrong with an access, or with an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Within no variable or buffer.
    Outside {
        address: u64,
        bytes: usize,
    },
    Misaligned {
        address: u64,
        bytes: usize,
    },
    /// Bytes that the thread has not written.
    Uninitialised {
        address: u64,
    },
    /// A write to a buffer that the host declared read-only.
    ReadOnly {
        buffer: String,
    },
    /// A buffer that is written, and read by `ld.global.nc` in the same launch.
    ReadAsConstant {
        buffer: String,
    },
    DivisionByZero,
    Trap,
    BranchTable {
        index: u64,
    },
    TooLong,
    /// Threads of a block wait at different barriers.
    Barriers,
    /// Something in the arguments of the launch.
    Launch(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside { address, bytes } => {
                write!(
                    f,
                    "{bytes} bytes at {address:#x} lie in no variable or buffer"
                )
            }
            Self::Misaligned { address, bytes } => {
                write!(f, "{bytes} bytes at {address:#x} are not aligned")
            }
            Self::Uninitialised { address } => {
                write!(f, "the byte at {address:#x} is read before it is written")
            }
            Self::ReadOnly { buffer } => write!(f, "{buffer} is written, but only to be read"),
            Self::ReadAsConstant { buffer } => {
                write!(
                    f,
                    "{buffer} is written in a launch that reads it by ld.global.nc"
                )
            }
            Self::DivisionByZero => f.write_str("division by zero"),
            Self::Trap => f.write_str("trap, or the end of a function without ret"),
            Self::BranchTable { index } => write!(f, "the branch table has no place {index}"),
            Self::TooLong => f.write_str("the thread runs for too long"),
            Self::Barriers => f.write_str("threads of a block wait at different barriers"),
            Self::Launch(what) => f.write_str(what),
        }
    }
}

/// A value of 1, 2, 4 or 8 bytes.
#[inline(always)]
pub fn read(bytes: &[u8], at: usize, size: usize) -> u64 {
    match size {
        1 => u64::from(bytes[at]),
        2 => u64::from(u16::from_le_bytes(
            bytes[at..at + 2].try_into().expect("2 bytes"),
        )),
        4 => u64::from(u32::from_le_bytes(
            bytes[at..at + 4].try_into().expect("4 bytes"),
        )),
        _ => u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes")),
    }
}

/// Writes the low bytes of a value.
#[inline(always)]
pub fn write(bytes: &mut [u8], at: usize, size: usize, value: u64) {
    match size {
        1 => bytes[at] = value as u8,
        2 => bytes[at..at + 2].copy_from_slice(&(value as u16).to_le_bytes()),
        4 => bytes[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes()),
        _ => bytes[at..at + 8].copy_from_slice(&value.to_le_bytes()),
    }
}

/// Checks the alignment of an access of `size` bytes, a power of two.
#[inline(always)]
pub fn check_alignment(address: u64, bytes: usize) -> Result<(), Trouble> {
    match address & (bytes as u64 - 1) {
        0 => Ok(()),
        _ => Err(Trouble::Misaligned { address, bytes }),
    }
}

/// Where an access to variables of a layout lies.
#[inline(always)]
pub fn place(layout: &Layout, address: u64, bytes: usize) -> Result<usize, Trouble> {
    check_alignment(address, bytes)?;
    layout
        .place(address, bytes)
        .ok_or(Trouble::Outside { address, bytes })
}

/// Local memory of a thread, with a record of the written bytes. A compiler might copy unwritten bytes such as padding;
/// the compiler in use does not, so reading them is a fault.
pub struct Local {
    bytes: Vec<u8>,
    written: Vec<bool>,
}

impl Local {
    pub fn new(layout: &Layout) -> Self {
        Self {
            bytes: vec![0; layout.bytes],
            written: vec![false; layout.bytes],
        }
    }

    /// Resets for a new thread: nothing is written, and the content is noise.
    pub fn reset(&mut self, noise: u8) {
        self.bytes.fill(noise);
        self.written.fill(false);
    }

    #[inline(always)]
    pub fn load(&self, layout: &Layout, address: u64, size: usize) -> Result<u64, Trouble> {
        let at = place(layout, address, size)?;
        if let Some(i) = self.written[at..at + size].iter().position(|w| !w) {
            let address = LOCAL_BASE + (at + i) as u64;
            return Err(Trouble::Uninitialised { address });
        }
        Ok(read(&self.bytes, at, size))
    }

    #[inline(always)]
    pub fn store(
        &mut self,
        layout: &Layout,
        address: u64,
        size: usize,
        value: u64,
    ) -> Result<(), Trouble> {
        let at = place(layout, address, size)?;
        self.written[at..at + size].fill(true);
        write(&mut self.bytes, at, size, value);
        Ok(())
    }
}

/// The shared memory of a block.
pub struct Shared {
    bytes: Vec<u8>,
}

impl Shared {
    /// Fills it with noise, as before a block runs.
    pub fn new(layout: &Layout, noise: u8) -> Self {
        Self {
            bytes: vec![noise; layout.bytes],
        }
    }

    pub fn load(&self, layout: &Layout, address: u64, size: usize) -> Result<u64, Trouble> {
        place(layout, address, size).map(|at| read(&self.bytes, at, size))
    }

    pub fn store(
        &mut self,
        layout: &Layout,
        address: u64,
        size: usize,
        value: u64,
    ) -> Result<(), Trouble> {
        let at = place(layout, address, size)?;
        write(&mut self.bytes, at, size, value);
        Ok(())
    }
}

/// Address space reserved per buffer; the buffer begins in the middle of it.
const REGION_SHIFT: u32 = 36;
const REGION_MIDDLE: u64 = 1 << (REGION_SHIFT - 1);
/// Regions of the module's variables; the regions after them hold the caller's buffers.
const MODULE_REGIONS: usize = 128;

/// The address of a module's variable by its number.
pub fn module_address(number: usize) -> u64 {
    assert!(number < MODULE_REGIONS, "a module has too many variables");
    region_address(number)
}

fn region_address(region: usize) -> u64 {
    ((region as u64 + 1) << REGION_SHIFT) + REGION_MIDDLE
}

/// A buffer in global memory.
#[derive(Default)]
pub struct Buffer {
    name: String,
    pub bytes: Vec<u8>,
    /// Loads of any size; that of a vector is one.
    pub loads: u64,
    pub read_only: bool,
    written: bool,
    read_as_constant: bool,
}

/// A buffer that the host has allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointer(usize);

impl Pointer {
    /// The address passed to a kernel.
    pub fn address(self) -> u64 {
        region_address(self.0)
    }
}

/// Global memory.
#[derive(Default)]
pub struct Memory {
    /// By region.
    buffers: Vec<Buffer>,
}

impl Memory {
    /// With the variables of a module, by their first bytes and sizes.
    pub fn new(variables: impl Iterator<Item = (String, Vec<u8>)>) -> Self {
        let mut memory = Self::default();
        for (name, bytes) in variables {
            memory.buffers.push(Buffer {
                name,
                bytes,
                ..Buffer::default()
            });
        }
        memory.buffers.resize_with(MODULE_REGIONS, Buffer::default);
        memory
    }

    /// A new buffer.
    pub fn allocate(&mut self, name: &str, bytes: Vec<u8>) -> Pointer {
        self.buffers.push(Buffer {
            name: name.into(),
            bytes,
            ..Buffer::default()
        });
        Pointer(self.buffers.len() - 1)
    }

    pub fn buffer(&self, pointer: Pointer) -> &Buffer {
        &self.buffers[pointer.0]
    }

    pub fn buffer_mut(&mut self, pointer: Pointer) -> &mut Buffer {
        &mut self.buffers[pointer.0]
    }

    /// To be called before each launch.
    pub fn begin_launch(&mut self) {
        for buffer in &mut self.buffers {
            buffer.written = false;
            buffer.read_as_constant = false;
        }
    }

    #[inline(always)]
    fn place(&mut self, address: u64, bytes: usize) -> Result<(&mut Buffer, usize), Trouble> {
        check_alignment(address, bytes)?;
        let region = ((address >> REGION_SHIFT) as usize).wrapping_sub(1);
        let at = (address & (2 * REGION_MIDDLE - 1)).wrapping_sub(REGION_MIDDLE) as usize;
        match self.buffers.get_mut(region) {
            Some(buffer) if at < buffer.bytes.len() && at + bytes <= buffer.bytes.len() => {
                Ok((buffer, at))
            }
            _ => Err(Trouble::Outside { address, bytes }),
        }
    }

    /// `counted`: not for the further parts of a vector. `as_constant`: by `ld.global.nc`.
    #[inline(always)]
    pub fn load(
        &mut self,
        address: u64,
        size: usize,
        counted: bool,
        as_constant: bool,
    ) -> Result<u64, Trouble> {
        let (buffer, at) = self.place(address, size)?;
        buffer.loads += u64::from(counted);
        if as_constant {
            buffer.read_as_constant = true;
            buffer.check_use()?;
        }
        Ok(read(&buffer.bytes, at, size))
    }

    #[inline(always)]
    pub fn store(&mut self, address: u64, size: usize, value: u64) -> Result<(), Trouble> {
        let (buffer, at) = self.place(address, size)?;
        buffer.written = true;
        buffer.check_use()?;
        write(&mut buffer.bytes, at, size, value);
        Ok(())
    }
}

impl Buffer {
    #[inline(always)]
    fn check_use(&self) -> Result<(), Trouble> {
        if !self.written {
            return Ok(());
        }
        let buffer = || self.name.clone();
        match (self.read_only, self.read_as_constant) {
            (true, _) => Err(Trouble::ReadOnly { buffer: buffer() }),
            (_, true) => Err(Trouble::ReadAsConstant { buffer: buffer() }),
            _ => Ok(()),
        }
    }
}
