//! From colours to the key.
//!
//! If the stable colours of a graph are *amenable* (Arvind, Köbler, Rattan and Verbitsky 2015), every graph with
//! the same colours is the same graph, so its key is a hash of what atoms of each colour see. Most molecules are
//! so once they are refined. Else atoms of one colour are set apart one after the other and the least of the keys
//! is taken, which does not depend on the order of the text either (McKay 1981).

use super::{
    Reason,
    amenable::{Amenable, Graph},
    molecule::{ATOMS_MAX, Atom, Molecule, NEIGHBOURS_MAX, NOBODY, PLACES},
    refine::{Colours, FEW, mix, refine},
    stereo::Stereo,
};
use crate::key::Key;

/// Ways to set atoms apart that are tried; beyond that the molecule is RDKit's business.
const LEAVES_MAX: usize = 1_000;
/// Atoms that are set apart one after the other.
const DEPTH_MAX: usize = 12;
/// Parts into which colours are divided to sort them; a power of two.
const BUCKETS: usize = 64;
/// In front of what is hashed. Another definition has another number.
const VERSION: u8 = 1;
/// Bytes hashed of an atom itself, with its neighbours, and of the whole.
const OWN_BYTES: usize = 6;
const ATOM_BYTES_MAX: usize = OWN_BYTES + NEIGHBOURS_MAX;
const BYTES_MAX: usize = 8 + ATOMS_MAX * ATOM_BYTES_MAX;

/// Atoms in the order of their colours. A cell holds those of one colour.
#[derive(Debug)]
pub(super) struct Cells {
    pub order: [u8; PLACES],
    /// Per atom: where its cell begins in the order. Nobody's is behind all.
    pub of: [u8; PLACES],
    /// Per beginning of a cell: its atoms.
    pub size: [u8; PLACES],
    /// The beginnings of the cells of several atoms.
    large: [u8; PLACES],
    large_count: usize,
}

impl Cells {
    fn new() -> Self {
        Self {
            order: [0; PLACES],
            of: [NOBODY; PLACES],
            size: [0; PLACES],
            large: [0; PLACES],
            large_count: 0,
        }
    }

    /// The beginnings of the cells of several atoms.
    pub fn large(&self) -> &[u8] {
        &self.large[..self.large_count]
    }

    /// To be called before the cells are filled.
    pub fn clear(&mut self) {
        self.large_count = 0;
    }

    /// The cell that begins here has one more atom, and so many now.
    #[inline(always)]
    pub fn grow(&mut self, begin: u8, size: u8) {
        self.size[usize::from(begin)] = size;
        // Kept if it is the second, else written over by the next.
        self.large[self.large_count] = begin;
        self.large_count += usize::from(size == 2);
    }

    /// The cells of an atom's neighbours.
    pub fn beside(&self, atom: &Atom) -> [u8; NEIGHBOURS_MAX] {
        atom.neighbours.map(|other| self.of[usize::from(other)])
    }
}

/// Colours and stereo once an atom is set apart.
#[derive(Debug)]
struct Level {
    colours: Colours,
    stereo: Stereo,
}

impl Level {
    fn new() -> Box<Self> {
        Box::new(Self {
            colours: Colours::new(),
            stereo: Stereo::new(),
        })
    }
}

/// What making keys needs beside the molecule.
#[derive(Debug)]
pub(super) struct Canon {
    cells: Cells,
    amenable: Amenable,
    /// Colours whose last byte is the atom.
    sorted: [u64; PLACES],
    bytes: [u8; BYTES_MAX],
    leaves: usize,
    /// A level for each atom that is set apart.
    levels: [Option<Box<Level>>; DEPTH_MAX],
}

impl Canon {
    pub fn new() -> Self {
        Self {
            cells: Cells::new(),
            amenable: Amenable::new(),
            sorted: [0; PLACES],
            bytes: [0; BYTES_MAX],
            leaves: 0,
            levels: [const { None }; DEPTH_MAX],
        }
    }

    /// The key of a molecule whose colours are refined and hold what its stereo says.
    pub fn key(
        &mut self,
        mol: &Molecule,
        colours: &Colours,
        stereo: &Stereo,
    ) -> Result<Key, Reason> {
        self.leaves = 0;
        self.search(mol, colours, stereo, 0)
    }

    fn search(
        &mut self,
        mol: &Molecule,
        colours: &Colours,
        stereo: &Stereo,
        depth: usize,
    ) -> Result<Key, Reason> {
        self.sort(mol, colours);
        let Some(cell) = self.cell_to_split(mol, stereo, colours) else {
            self.leaves += 1;
            return if self.leaves > LEAVES_MAX {
                Err(Reason::Symmetry)
            } else {
                Ok(self.hash(mol, stereo))
            };
        };
        self.set_apart(mol, colours, stereo, cell, depth)
    }

    /// The least of the keys that come of setting apart one atom of a cell.
    #[cold]
    fn set_apart(
        &mut self,
        mol: &Molecule,
        colours: &Colours,
        stereo: &Stereo,
        cell: usize,
        depth: usize,
    ) -> Result<Key, Reason> {
        if depth == DEPTH_MAX {
            return Err(Reason::Symmetry);
        }
        let mut members = [0u8; PLACES];
        let size = usize::from(self.cells.size[cell]);
        members[..size].copy_from_slice(&self.cells.order[cell..cell + size]);
        let mut least: Option<Key> = None;
        for &member in &members[..size] {
            // Taken out for as long as those below work on theirs.
            let mut level = self.levels[depth].take().unwrap_or_else(Level::new);
            let Level {
                colours: own,
                stereo: own_stereo,
            } = &mut *level;
            own.of[..mol.count].copy_from_slice(&colours.of[..mol.count]);
            own_stereo.copy(stereo, mol.count);
            let colour = &mut own.of[usize::from(member)];
            *colour = mix(*colour ^ 0x5bd1_e995_0000_0001);
            own.distinct = colours.distinct + 1;
            refine(mol, own);
            while own_stereo.say(mol, own)? {
                refine(mol, own);
            }
            let key = self.search(mol, own, own_stereo, depth + 1)?;
            self.levels[depth] = Some(level);
            least = Some(least.map_or(key, |least| least.min(key)));
        }
        least.ok_or(Reason::Symmetry)
    }

    /// Sorts the atoms by their colours into cells.
    fn sort(&mut self, mol: &Molecule, colours: &Colours) {
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = mol.simd
            && simd.has_room(mol)
        {
            return simd.divide(mol.count, colours, &mut self.cells);
        }
        let count = mol.count;
        let of = &colours.of[..count];
        // Colours are spread evenly, so their first bits say nearly where they stand.
        let bucket = |colour: u64| (colour >> (64 - BUCKETS.trailing_zeros())) as usize;
        let mut ends = [0u8; BUCKETS];
        for &colour in of {
            ends[bucket(colour)] += 1;
        }
        let mut end = 0;
        for place in &mut ends {
            end += *place;
            *place = end;
        }
        let sorted = &mut self.sorted[..count];
        for (index, &colour) in of.iter().enumerate().rev() {
            let place = &mut ends[bucket(colour)];
            *place -= 1;
            sorted[usize::from(*place)] = colour & !0xff | index as u64;
        }
        for i in 1..count {
            let own = sorted[i];
            let mut at = i;
            while at > 0 && sorted[at - 1] > own {
                sorted[at] = sorted[at - 1];
                at -= 1;
            }
            sorted[at] = own;
        }
        self.divide(count);
    }

    /// Divides what is sorted into cells.
    fn divide(&mut self, count: usize) {
        let cells = &mut self.cells;
        cells.clear();
        let mut begin = 0;
        let mut before = u64::MAX;
        for (at, &own) in self.sorted[..count].iter().enumerate() {
            begin = if own >> 8 == before { begin } else { at };
            before = own >> 8;
            let atom = own as u8;
            cells.order[at] = atom;
            cells.of[usize::from(atom)] = begin as u8;
            cells.grow(begin as u8, (at - begin + 1) as u8);
        }
    }

    /// The cell whose atoms must be set apart before the graph is told by its cells; `None`: there is none.
    fn cell_to_split(
        &mut self,
        mol: &Molecule,
        stereo: &Stereo,
        colours: &Colours,
    ) -> Option<usize> {
        // A centre that still waits: the first of its neighbours that are alike.
        let waiting = &stereo.waiting[..stereo.waiting_count];
        let alike = waiting.iter().filter_map(|&index| {
            let atom = &mol.atoms[usize::from(index)];
            let cells = || {
                atom.neighbours()
                    .map(|(_, other)| self.cells.of[usize::from(other)])
            };
            let twice = cells()
                .filter(|cell| cells().filter(|other| other == cell).count() > 1)
                .min()?;
            Some((self.cells.of[usize::from(index)], twice))
        });
        if let Some((_, cell)) = alike.min() {
            return Some(usize::from(cell));
        }
        if colours.distinct == mol.count {
            None
        } else {
            let cells = &self.cells;
            self.amenable.first_fault(Graph { cells, mol })
        }
    }

    fn hash(&mut self, mol: &Molecule, stereo: &Stereo) -> Key {
        let bytes = &mut self.bytes;
        (bytes[0], bytes[1]) = (VERSION, mol.count as u8);
        let mut end = 2;
        for &index in &self.cells.order[..mol.count] {
            let index = usize::from(index);
            let atom = &mol.atoms[index];
            let own = record(atom, stereo.codes[index]);
            // What is too much is written over by the next.
            bytes[end..end + 8].copy_from_slice(&own.to_le_bytes());
            end += OWN_BYTES;
            if usize::from(atom.degree) > FEW {
                let mut all = self.cells.beside(atom);
                all.sort_unstable();
                bytes[end..end + NEIGHBOURS_MAX].copy_from_slice(&all);
            } else {
                let [a, b, c, d, ..] = atom.neighbours;
                let few = in_order([a, b, c, d].map(|other| self.cells.of[usize::from(other)]));
                bytes[end..end + FEW].copy_from_slice(&few.to_le_bytes());
            }
            end += usize::from(atom.degree);
        }
        Key::of(&bytes[..end])
    }
}

/// What is hashed of an atom itself: [`OWN_BYTES`] bytes, the first the lowest.
fn record(atom: &Atom, code: u8) -> u64 {
    let [
        number,
        hydrogens,
        degree,
        low,
        high,
        charge,
        unsaturation,
        _,
    ] = atom.itself().to_le_bytes().map(u64::from);
    number
        | low << 8
        | (high << 4 & 0xf0 | hydrogens) << 16
        | charge << 24
        | (unsaturation << 4 & 0xf0 | degree) << 32
        | u64::from(code) << 40
}

/// Cells in rising order, the least in the lowest byte.
fn in_order(cells: [u8; FEW]) -> u32 {
    let [a, b, c, d] = cells.map(u32::from);
    let (a, b) = (a.min(b), a.max(b));
    let (c, d) = (c.min(d), c.max(d));
    let (a, c) = (a.min(c), a.max(c));
    let (b, d) = (b.min(d), b.max(d));
    let (b, c) = (b.min(c), b.max(c));
    a | b << 8 | c << 16 | d << 24
}
