//! A device on the host: the CUDA source, compiled as C++ with `tests/shim/`.

use std::{ffi::c_void, sync::Arc};

use libloading::Library;
use molsieve::sieve::{
    EngineError, Keyed, Texts,
    gpu::{Device, Kernel, Room},
};
use tempfile::TempDir;

use crate::kit::shim;

/// A library made from a CUDA source.
pub struct Kernels {
    library: Arc<Library>,
    /// Kept as long as the library: the loader takes a file with the inode of a loaded library for that library.
    _folder: TempDir,
}

/// Compiles a source; panics if it does not compile.
pub fn kernels_of(source: &str) -> Kernels {
    let folder = shim::compile(source, "sieve_host.cc", "libsieve.so");
    // SAFETY: the library has no initialisers but those of its own empty vectors.
    let library = unsafe { Library::new(folder.path().join("libsieve.so")) }.unwrap();
    Kernels {
        library: Arc::new(library),
        _folder: folder,
    }
}

impl Kernels {
    /// Number of reads that the source marks with `COUNTED`.
    pub fn look_up_reads(&self) -> u64 {
        // SAFETY: the function of that type in `sieve_host.cc`.
        let reads = unsafe {
            self.library
                .get::<unsafe extern "C" fn() -> u64>(b"host_look_up_reads")
        };
        // SAFETY: it reads a number that no thread writes meanwhile.
        unsafe { reads.unwrap()() }
    }

    /// A device with an empty filter.
    pub fn device(&self, room: Room) -> HostDevice {
        HostDevice {
            library: Arc::clone(&self.library),
            lanes: (0..LANES).map(|_| Lane::new(&room)).collect(),
            filter: vec![0; room.filter.bits / 64],
            room,
        }
    }
}

/// As many as on a GPU; each executes its work immediately.
const LANES: usize = 3;

/// Buffers as on a GPU.
pub struct HostDevice {
    library: Arc<Library>,
    lanes: Vec<Lane>,
    filter: Vec<u64>,
    room: Room,
}

/// `u128` where a kernel reads lines of 16 bytes.
struct Lane {
    text: Vec<u128>,
    text_end: Vec<u32>,
    keys: Vec<u128>,
    table: Vec<u32>,
    places: Vec<u32>,
    verdicts: Vec<u8>,
    tally: [u32; 3],
}

impl Lane {
    fn new(room: &Room) -> Self {
        Self {
            text: vec![0; room.text_bytes() / 16],
            text_end: vec![0; room.rows_max],
            keys: vec![0; room.rows_max],
            table: vec![0; room.table_len()],
            places: vec![0; room.rows_max],
            verdicts: vec![0; room.rows_max],
            tally: [0; 3],
        }
    }
}

type HashRows = unsafe extern "C" fn(*const u128, *const u32, u32, *mut u128);
type ClaimRows = unsafe extern "C" fn(*const u128, u32, *mut u32, u32, *mut u32);
type LookUp = unsafe extern "C" fn(
    *const u128,
    u32,
    *const u32,
    *const u32,
    *const u64,
    u64,
    u32,
    *mut u8,
    *mut u32,
);
type InsertNew = unsafe extern "C" fn(*const u128, u32, *const u8, *mut u64, u64, u32);
type InsertKeys = unsafe extern "C" fn(*const u128, u32, *mut u64, u64, u32);
type FillAtRandom = unsafe extern "C" fn(*const u128, u32, *mut u64, u64);
type ReadAtRandom = unsafe extern "C" fn(*mut u128, u32, *const u64, u64, u32);
type AddAtRandom = unsafe extern "C" fn(*mut u128, u32, *mut u64, u64, u32);

impl HostDevice {
    fn symbol(&self, kernel: Kernel) -> *const c_void {
        let name = format!("host_{}", kernel.name());
        // SAFETY: only the address is taken here; who calls it gives it its type.
        let symbol = unsafe { self.library.get::<*const c_void>(name.as_bytes()) }.unwrap();
        *symbol
    }
}

impl Device for HostDevice {
    fn name(&self) -> &'static str {
        "cuda source on the host"
    }

    fn lanes(&self) -> usize {
        self.lanes.len()
    }

    unsafe fn copy_rows_in(&mut self, lane: usize, texts: Texts<'_>) -> Result<(), EngineError> {
        let lane = &mut self.lanes[lane];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut lane.text);
        bytes[..texts.bytes.len()].copy_from_slice(texts.bytes);
        // Bytes after the text must not matter.
        bytes[texts.bytes.len()..].fill(0xa5);
        lane.text_end[..texts.ends.len()].copy_from_slice(texts.ends);
        lane.table.fill(0);
        lane.tally = [0; 3];
        Ok(())
    }

    fn copy_keys_in(&mut self, lane: usize, keys: &[[u64; 2]]) -> Result<(), EngineError> {
        let words: &mut [[u64; 2]] = bytemuck::cast_slice_mut(&mut self.lanes[lane].keys);
        words[..keys.len()].copy_from_slice(keys);
        Ok(())
    }

    #[allow(
        clippy::multiple_unsafe_ops_per_block,
        reason = "a transmute and a call belong together"
    )]
    fn launch(&mut self, lane: usize, kernel: Kernel, rows: u32) -> Result<(), EngineError> {
        let symbol = self.symbol(kernel);
        let (bits, hashes) = (self.room.filter.bits as u64, self.room.filter.hashes);
        let lane = &mut self.lanes[lane];
        let (keys, filter) = (lane.keys.as_mut_ptr(), self.filter.as_mut_ptr());
        let (table, places) = (lane.table.as_mut_ptr(), lane.places.as_mut_ptr());
        let (verdicts, tally) = (lane.verdicts.as_mut_ptr(), lane.tally.as_mut_ptr());
        let (text, ends) = (lane.text.as_ptr(), lane.text_end.as_ptr());
        let mask = lane.table.len() as u32 - 1;
        assert!(rows as usize <= self.room.rows_max);
        // SAFETY: each symbol is the function of that type in `sieve_host.cc`; the buffers are as long
        // as `Room` says for `rows` rows, and nobody else touches them. One thread at a time: the
        // shim's block is a static, so tests that share a library run one after the other.
        unsafe {
            match kernel {
                Kernel::HashRows => {
                    std::mem::transmute::<*const c_void, HashRows>(symbol)(text, ends, rows, keys)
                }
                Kernel::ClaimRows => std::mem::transmute::<*const c_void, ClaimRows>(symbol)(
                    keys, rows, table, mask, places,
                ),
                Kernel::LookUp => std::mem::transmute::<*const c_void, LookUp>(symbol)(
                    keys, rows, table, places, filter, bits, hashes, verdicts, tally,
                ),
                Kernel::InsertNew => std::mem::transmute::<*const c_void, InsertNew>(symbol)(
                    keys, rows, verdicts, filter, bits, hashes,
                ),
                Kernel::InsertKeys => std::mem::transmute::<*const c_void, InsertKeys>(symbol)(
                    keys, rows, filter, bits, hashes,
                ),
                Kernel::FillAtRandom => std::mem::transmute::<*const c_void, FillAtRandom>(symbol)(
                    keys, rows, filter, bits,
                ),
                Kernel::ReadAtRandom => std::mem::transmute::<*const c_void, ReadAtRandom>(symbol)(
                    keys, rows, filter, bits, hashes,
                ),
                Kernel::AddAtRandom => std::mem::transmute::<*const c_void, AddAtRandom>(symbol)(
                    keys, rows, filter, bits, hashes,
                ),
            }
        }
        Ok(())
    }

    unsafe fn copy_rows_out(&mut self, lane: usize, to: &mut Keyed<'_>) -> Result<(), EngineError> {
        let lane = &self.lanes[lane];
        let words: &[[u64; 2]] = bytemuck::cast_slice(&lane.keys);
        to.keys.copy_from_slice(&words[..to.keys.len()]);
        to.codes.copy_from_slice(&lane.verdicts[..to.codes.len()]);
        Ok(())
    }

    fn finish(&mut self, lane: usize, _to: &mut Keyed<'_>) -> Result<[u32; 3], EngineError> {
        Ok(self.lanes[lane].tally)
    }

    fn copy_filter_out(&mut self, words: &mut [u64]) -> Result<(), EngineError> {
        words.copy_from_slice(&self.filter);
        Ok(())
    }
}
