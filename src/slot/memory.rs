//! The memory of a slab: ordinary, or page-locked for a device.

/// Host memory for a slot's slab, or for anything else that a device copies. An engine may page-lock it, so that its
/// GPU copies straight out of a slot.
#[derive(Debug)]
pub enum HostMemory {
    /// Ordinary memory, zeroed.
    Pageable(Vec<u64>),
    /// Memory that an engine has allocated, page-locked for its device.
    Foreign(Box<dyn HostWords>),
}

/// Memory that is allocated and freed elsewhere, always the same words.
pub trait HostWords: Send + Sync + std::fmt::Debug {
    /// All of it.
    fn words(&self) -> &[u64];
    /// All of it, to be written.
    fn words_mut(&mut self) -> &mut [u64];
}

impl HostMemory {
    /// `bytes` rounded up to whole 64-bit words.
    pub fn pageable(bytes: usize) -> Self {
        Self::Pageable(vec![0; bytes.div_ceil(size_of::<u64>())])
    }

    /// All of it.
    pub fn words(&self) -> &[u64] {
        match self {
            Self::Pageable(words) => words,
            Self::Foreign(memory) => memory.words(),
        }
    }

    /// All of it, to be written.
    pub fn words_mut(&mut self) -> &mut [u64] {
        match self {
            Self::Pageable(words) => words,
            Self::Foreign(memory) => memory.words_mut(),
        }
    }
}
