//! An interpreter of PTX, the assembly in which the kernels are embedded.
//!
//! It runs one thread at a time, exactly and with every access to memory checked, and knows nothing of warps, caches
//! or time. Only whole numbers: the kernels have no others.
//!
//! | module | what |
//! |---|---|
//! | `lex`, `parse` | text into statements; `types` names what they are made of |
//! | `compile` | names, labels and variables get their places; `decode*` does single instructions |
//! | `program` | what comes of it: instructions of fixed size over one file of registers |
//! | `machine` | blocks and threads; `execute` and `integers` say what each instruction does |
//! | `memory` | spaces, bounds, alignment, counts of loads |
//! | `kernels` | the kernels in the place of a GPU |
//! | `compare` | each kernel beside the CPU: `sieve`, `structure_key`, `probes` |
//! | `mutants` | kernels with one instruction changed |
//! | `semantics`, `refusals` | single instructions beside values worked out by hand; what must not pass |

pub mod compare;
mod compile;
mod decode;
mod decode_arithmetic;
mod decode_flow;
mod decode_memory;
mod decode_moves;
mod decode_predicates;
mod execute;
mod integers;
pub mod kernels;
mod lex;
mod machine;
mod memory;
pub mod mutants;
mod parse;
pub mod probes;
mod program;
mod refusals;
mod semantics;
pub mod sieve;
pub mod structure_key;
mod types;
