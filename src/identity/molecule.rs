//! A molecule as flat arrays of fixed size, reused for every text.

#[cfg(target_arch = "x86_64")]
use super::simd::{Modern, Simd};
use super::{
    atom::{Atom, PLACES},
    colours::Around,
};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Molecule {
    pub atoms: [Atom; PLACES],
    /// What atoms see; set by [`super::refine::begin`].
    pub around: Around,
    /// Set if the processor can work on eight atoms at a time.
    #[cfg(target_arch = "x86_64")]
    pub simd: Option<Simd>,
    /// Set if the processor can work on four atoms at a time.
    #[cfg(target_arch = "x86_64")]
    pub modern: Option<Modern>,
    pub count: usize,
    pub any_chirality: bool,
    pub any_side: bool,
    pub any_aromatic: bool,
    pub any_hydrogen_atom: bool,
}

impl Molecule {
    pub fn new() -> Self {
        Self {
            atoms: [Atom::NONE; PLACES],
            around: Around::new(),
            #[cfg(target_arch = "x86_64")]
            simd: Simd::detect(),
            #[cfg(target_arch = "x86_64")]
            modern: Modern::detect(),
            count: 0,
            any_chirality: false,
            any_side: false,
            any_aromatic: false,
            any_hydrogen_atom: false,
        }
    }

    /// Uses only the instructions that every processor has, for tests.
    pub fn use_plain_instructions(&mut self) {
        #[cfg(target_arch = "x86_64")]
        {
            (self.simd, self.modern) = (None, None);
        }
    }

    pub fn clear(&mut self) {
        self.count = 0;
        self.any_chirality = false;
        self.any_side = false;
        self.any_aromatic = false;
        self.any_hydrogen_atom = false;
    }

    pub fn atoms(&self) -> &[Atom] {
        &self.atoms[..self.count]
    }

    pub fn atoms_mut(&mut self) -> &mut [Atom] {
        &mut self.atoms[..self.count]
    }

    /// The other atom of a bond, and the bond's index there.
    pub fn twin(&self, atom: usize, slot: usize) -> (usize, usize) {
        let other = usize::from(self.atoms[atom].neighbours[slot]);
        let twin = self.atoms[other].slot_of(atom as u8);
        (
            other,
            twin.expect("a bond is in the lists of both its atoms"),
        )
    }
}
