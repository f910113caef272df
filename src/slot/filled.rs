//! How far a slot is filled.

/// How far the columns of a slot are filled.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Filled {
    pub rows: usize,
    pub text_bytes: usize,
    pub parents: usize,
    pub parent_text_bytes: usize,
}
