//! Structure keys on a device: SMILES in, a [`KeyOutcome`] for each out. `kernels/structure_key.cu` repeats the code of
//! [`crate::identity`], and its keys are the same bit for bit. Only NVIDIA GPUs compute structure keys; with the
//! engines `wgpu` and `cpu` the workers compute them.
//!
//! The worker that filled the batch handles the rows for which a device has no key: RDKit decides those that need it,
//! and the CPU those that are only too large for the device. The slot goes on to the sieve after that. So keys are
//! computed before the sieve and not in it.
//!
//! | module | contents |
//! |---|---|
//! | `device` | the trait of a device, and what it returns |
//! | `batch` | texts on the host, and room for the outcomes |
//! | `devices` | the devices of a job, which its workers share |

mod batch;
pub(in crate::sieve) mod device;
mod devices;

pub use batch::KeyBatch;
pub use device::{KeyDevice, KeyOutcome, KeyRoom};
pub use devices::{KeyDevices, TakenDevice};
