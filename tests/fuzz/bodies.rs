//! The bodies of the fuzz targets. A body runs on one input and panics if it finds a fault of molsieve.
//!
//! The fuzz binaries in `targets/` run them on inputs from libFuzzer; `tests/it/corpora.rs` runs
//! them on the inputs that are kept in `corpus/` and `findings/`, on every toolchain.

mod request;
mod rules;
mod sealed;
mod sources;
mod spill;
mod structure_key;

pub use request::request;
pub use rules::rules;
pub use sealed::sealed;
pub use sources::{source_delimited, source_parquet, source_sdf, source_smiles};
pub use spill::spill;
pub use structure_key::structure_key;

/// Runs on one input.
pub type Body = fn(&[u8]);

/// Every target, by the name of its binary and of its folders.
pub const TARGETS: [(&str, Body); 9] = [
    ("request", request),
    ("rules", rules),
    ("sealed", sealed),
    ("source_delimited", source_delimited),
    ("source_parquet", source_parquet),
    ("source_sdf", source_sdf),
    ("source_smiles", source_smiles),
    ("spill", spill),
    ("structure_key", structure_key),
];

/// Fails unless `message` is a single non-empty line.
fn assert_one_line(message: &str) {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    assert!(
        !message.is_empty() && !message.contains(breaks),
        "not one line: {message:?}"
    );
}
