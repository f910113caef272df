//! Helpers of the integration tests. A test runs the real binary on real files in a temporary folder and checks what a
//! user sees: exit code, terminal, output directory.

pub mod adapters;
pub mod daemon;
pub mod disk;
pub mod draw;
pub mod library;
pub mod output;
pub mod process;
pub mod shim;
pub mod skip;
pub mod sshd;
pub mod structure_key;
pub mod tmux;
pub mod ui;

pub use process::{
    Folder, Molsieve, Run, Running, alone, assert_absent, only_test, run_command,
    run_command_within, wait_until,
};
pub(crate) use skip::args;
pub use skip::{Python, report, skip_engine, skipped};
