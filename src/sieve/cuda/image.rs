//! The compiled kernels, and which form of them a GPU loads.
//!
//! - Machine code for `sm_80` runs on GPUs of compute capability 8.0 and higher minor numbers, that for `sm_90` on
//!   9.0. The driver loads it unchanged.
//! - PTX for compute capability 7.0 serves every other GPU, Volta and everything newer. The driver compiles it in
//!   each process, which takes seconds and about 100 MiB for `structure_key`. PTX 8.0 needs driver 525 or newer.
//!
//! `scripts/ptx.sh` compiles all of them; `kernels/SHA256` shows that none is older than its source.

use std::{fmt, sync::Arc};

use cudarc::{
    driver::{CudaContext, CudaModule, DriverError, sys::CUresult},
    nvrtc::Ptx,
};
use serde::{Serialize, Serializer};

use super::driver::or_failed;
use crate::sieve::error::EngineError;

/// A source in `kernels/`, compiled.
pub(super) struct CompiledKernels {
    /// The source's name, without `.cu`.
    name: &'static str,
    ptx: &'static str,
    machine_code: [MachineCode; 2],
}

/// Machine code for a GPU.
struct MachineCode {
    /// NVIDIA's name for it.
    architecture: &'static str,
    /// Its compute capability.
    capability: (i32, i32),
    cubin: &'static [u8],
}

macro_rules! compiled {
    ($name:literal, $architecture:literal, $capability:expr) => {
        MachineCode {
            architecture: $architecture,
            capability: $capability,
            cubin: include_bytes!(concat!(
                "../../../kernels/",
                $name,
                ".",
                $architecture,
                ".cubin"
            )),
        }
    };
    ($name:literal) => {
        CompiledKernels {
            name: $name,
            ptx: include_str!(concat!("../../../kernels/", $name, ".ptx")),
            machine_code: [
                compiled!($name, "sm_80", (8, 0)),
                compiled!($name, "sm_90", (9, 0)),
            ],
        }
    };
}

pub(super) const SIEVE: CompiledKernels = compiled!("sieve");
pub(super) const STRUCTURE_KEY: CompiledKernels = compiled!("structure_key");

/// The form in which kernels were loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelImage {
    /// Machine code for this architecture, such as `sm_90`.
    MachineCode(&'static str),
    /// PTX, which the driver has compiled.
    Ptx,
}

impl fmt::Display for KernelImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MachineCode(architecture) => write!(f, "machine code for {architecture}"),
            Self::Ptx => f.write_str("PTX, compiled by the driver"),
        }
    }
}

/// As `sm_90` or `ptx`.
impl Serialize for KernelImage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::MachineCode(architecture) => architecture,
            Self::Ptx => "ptx",
        })
    }
}

impl CompiledKernels {
    /// Loads machine code if there is some for the GPU and the driver accepts it, PTX otherwise.
    pub(super) fn load(
        &self,
        context: &Arc<CudaContext>,
    ) -> Result<(Arc<CudaModule>, KernelImage), EngineError> {
        let capability = or_failed("cuDeviceGetAttribute", context.compute_capability())?;
        let (module, image) = match self.load_machine_code(context, capability)? {
            Some((module, architecture)) => (module, KernelImage::MachineCode(architecture)),
            None => {
                let module = context.load_module(Ptx::from_src(self.ptx));
                (or_failed("cuModuleLoadData", module)?, KernelImage::Ptx)
            }
        };
        let (major, minor) = capability;
        tracing::debug!(
            "kernels {}: {image}; the GPU has compute capability {major}.{minor}",
            self.name
        );
        Ok((module, image))
    }

    /// The module and its architecture; `None` if the GPU or its driver accepts none of the machine code.
    fn load_machine_code(
        &self,
        context: &Arc<CudaContext>,
        capability: (i32, i32),
    ) -> Result<Option<(Arc<CudaModule>, &'static str)>, EngineError> {
        let Some(code) = self.machine_code_for(capability) else {
            return Ok(None);
        };
        let architecture = code.architecture;
        match context.load_module(Ptx::from_binary(code.cubin.to_vec())) {
            Ok(module) => Ok(Some((module, architecture))),
            Err(DriverError(
                refusal @ (CUresult::CUDA_ERROR_NO_BINARY_FOR_GPU
                | CUresult::CUDA_ERROR_INVALID_IMAGE),
            )) => {
                tracing::info!(
                    "kernels {}: the driver refuses the machine code for {architecture} ({refusal:?}) and compiles the PTX instead",
                    self.name
                );
                Ok(None)
            }
            Err(error) => or_failed("cuModuleLoadData", Err(error)),
        }
    }

    /// Machine code runs on GPUs with the same major number and the same or a higher minor number.
    fn machine_code_for(&self, (major, minor): (i32, i32)) -> Option<&MachineCode> {
        self.machine_code
            .iter()
            .find(|code| code.capability.0 == major && code.capability.1 <= minor)
    }

    /// The types of a kernel's parameters in the PTX.
    #[cfg(test)]
    pub(super) fn parameters(&self, kernel: &str) -> Vec<&'static str> {
        let entry = format!(".visible .entry {kernel}(");
        let (_, behind) = self.ptx.split_once(&entry).unwrap();
        let (list, _) = behind.split_once(')').unwrap();
        list.lines()
            .filter_map(|line| line.trim().strip_prefix(".param ."))
            .filter_map(|line| line.split(' ').next())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, path::Path};

    use sha2::{Digest, Sha256};

    use super::*;

    fn sum(content: &[u8]) -> String {
        let digest = Sha256::digest(content);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// `scripts/ptx.sh --check` compiles and compares; this test finds a stale file without a compiler.
    #[test]
    fn nothing_compiled_is_older_than_its_source() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
        let read = |name: &str| fs::read(folder.join(name)).unwrap();
        let manifest = String::from_utf8(read("SHA256")).unwrap();
        let mut listed: BTreeMap<&str, &str> = manifest
            .lines()
            .map(|line| line.split_once("  ").unwrap())
            .map(|(sum, name)| (name, sum))
            .collect();
        let mut embedded = BTreeMap::new();
        for kernels in [&SIEVE, &STRUCTURE_KEY] {
            let name = kernels.name;
            embedded.insert(format!("{name}.cu"), read(&format!("{name}.cu")));
            embedded.insert(format!("{name}.ptx"), kernels.ptx.into());
            for code in &kernels.machine_code {
                let file = format!("{name}.{}.cubin", code.architecture);
                embedded.insert(file, code.cubin.to_vec());
            }
        }
        for (name, content) in &embedded {
            let listed = listed.remove(name.as_str());
            assert_eq!(
                listed,
                Some(sum(content).as_str()),
                "kernels/{name} has changed since scripts/ptx.sh ran; run it again"
            );
        }
        assert!(listed.is_empty(), "listed but not embedded: {listed:?}");
    }

    #[test]
    fn a_gpu_takes_machine_code_of_its_own_major_number() {
        let taken = |capability| {
            let code = SIEVE.machine_code_for(capability);
            code.map(|code| code.architecture)
        };
        for (capability, expected) in [
            ((7, 0), None),
            ((7, 5), None),
            ((8, 0), Some("sm_80")),
            ((8, 6), Some("sm_80")),
            ((8, 9), Some("sm_80")),
            ((9, 0), Some("sm_90")),
            ((10, 0), None),
            ((12, 0), None),
        ] {
            assert_eq!(taken(capability), expected, "{capability:?}");
        }
    }

    #[test]
    fn machine_code_is_for_the_architecture_it_is_named_after() {
        /// Where an ELF file has its flags; NVIDIA's have the architecture in the lowest byte.
        const FLAGS: usize = 48;
        for code in SIEVE.machine_code.iter().chain(&STRUCTURE_KEY.machine_code) {
            let (major, minor) = code.capability;
            assert_eq!(code.architecture, format!("sm_{major}{minor}"));
            assert!(code.cubin.starts_with(b"\x7fELF"));
            assert_eq!(i32::from(code.cubin[FLAGS]), 10 * major + minor);
        }
    }
}
