//! From colours to the key.
//!
//! If the stable colours of a graph are *amenable* (Arvind, Köbler, Rattan and Verbitsky 2015), every graph with
//! the same colours is the same graph, so its key is a hash of what atoms of each colour see. Most molecules are
//! so once they are refined. Else atoms of one colour are set apart one after the other and the least of the keys
//! is taken, which does not depend on the order of the text either (McKay 1981).

use super::{
    Reason,
    molecule::{ATOMS_MAX, Molecule, PLACES},
    refine::{Colours, Sight, mix, refine},
    stereo::Stereo,
};
use crate::key::Key;

/// Ways to set atoms apart that are tried; beyond that the molecule is RDKit's business.
const LEAVES_MAX: usize = 1_000;
/// Atoms that are set apart one after the other.
const DEPTH_MAX: usize = 12;
/// In front of what is hashed. Another definition has another number.
const VERSION: u8 = 1;
/// Bytes hashed of an atom and of the whole.
const ATOM_BYTES_MAX: usize = 8 + super::molecule::NEIGHBOURS_MAX;
const BYTES_MAX: usize = 8 + ATOMS_MAX * ATOM_BYTES_MAX;

/// Atoms in the order of their colours. A cell holds those of one colour.
#[derive(Debug)]
struct Cells {
    order: [u8; PLACES],
    /// Per atom: where its cell begins in the order.
    of: [u8; PLACES],
    /// Per beginning of a cell: its atoms.
    size: [u8; PLACES],
}

/// What making keys needs beside the molecule.
#[derive(Debug)]
pub(super) struct Canon {
    cells: Cells,
    /// Colours whose last byte is the atom.
    sorted: [u64; PLACES],
    bytes: [u8; BYTES_MAX],
    leaves: usize,
    /// Colours and stereo of the atoms set apart, a level each.
    levels: Vec<(Colours, Stereo)>,
}

impl Canon {
    pub fn new() -> Self {
        Self {
            cells: Cells {
                order: [0; PLACES],
                of: [0; PLACES],
                size: [0; PLACES],
            },
            sorted: [0; PLACES],
            bytes: [0; BYTES_MAX],
            leaves: 0,
            levels: Vec::with_capacity(DEPTH_MAX),
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
        if depth == DEPTH_MAX {
            return Err(Reason::Symmetry);
        }
        if self.levels.len() == depth {
            self.levels.push((Colours::new(), Stereo::new()));
        }
        let mut members = [0u8; PLACES];
        let size = usize::from(self.cells.size[cell]);
        members[..size].copy_from_slice(&self.cells.order[cell..cell + size]);
        let (mut own, mut own_stereo) =
            std::mem::replace(&mut self.levels[depth], (Colours::new(), Stereo::new()));
        let mut least: Option<Key> = None;
        for &member in &members[..size] {
            own.of[..mol.count].copy_from_slice(&colours.of[..mol.count]);
            own_stereo.copy(stereo, mol.count);
            let colour = &mut own.of[usize::from(member)];
            *colour = mix(*colour ^ 0x5bd1_e995_0000_0001);
            own.distinct = colours.distinct + 1;
            refine(mol, Sight::Full, &mut own);
            while own_stereo.say(mol, &mut own)? {
                refine(mol, Sight::Full, &mut own);
            }
            let key = self.search(mol, &own, &own_stereo, depth + 1)?;
            least = Some(least.map_or(key, |least| least.min(key)));
        }
        self.levels[depth] = (own, own_stereo);
        least.ok_or(Reason::Symmetry)
    }

    fn sort(&mut self, mol: &Molecule, colours: &Colours) {
        let count = mol.count;
        let sorted = &mut self.sorted[..count];
        for (index, place) in sorted.iter_mut().enumerate() {
            *place = colours.of[index] & !0xff | index as u64;
        }
        sorted.sort_unstable();
        let cells = &mut self.cells;
        let mut begin = 0;
        for at in 0..count {
            if at > 0 && sorted[at] >> 8 != sorted[at - 1] >> 8 {
                begin = at;
            }
            let atom = sorted[at] as u8;
            cells.order[at] = atom;
            cells.of[usize::from(atom)] = begin as u8;
            cells.size[begin] = (at - begin + 1) as u8;
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
            Amenable::new(&self.cells, mol).first_fault()
        }
    }

    fn hash(&mut self, mol: &Molecule, stereo: &Stereo) -> Key {
        let bytes = &mut self.bytes;
        (bytes[0], bytes[1]) = (VERSION, mol.count as u8);
        let mut end = 2;
        for &index in &self.cells.order[..mol.count] {
            let index = usize::from(index);
            let atom = &mol.atoms[index];
            let [isotope_low, isotope_high] = atom.isotope.to_le_bytes();
            let own = [
                atom.number,
                isotope_low,
                isotope_high << 4 | atom.hydrogens,
                atom.charge as u8,
                atom.unsaturation << 4 | atom.degree,
                stereo.codes[index],
            ];
            bytes[end..end + own.len()].copy_from_slice(&own);
            end += own.len();
            let begin = end;
            for (_, other) in atom.neighbours() {
                bytes[end] = self.cells.of[usize::from(other)];
                end += 1;
            }
            sort_few(&mut bytes[begin..end]);
        }
        Key::of(&bytes[..end])
    }
}

/// Sorts a handful.
fn sort_few(bytes: &mut [u8]) {
    for i in 1..bytes.len() {
        let mut at = i;
        while at > 0 && bytes[at - 1] > bytes[at] {
            bytes.swap(at - 1, at);
            at -= 1;
        }
    }
}

/// How a cell of several atoms lies among the others.
struct Amenable<'a> {
    cells: &'a Cells,
    mol: &'a Molecule,
    /// Per beginning of a cell: the component it belongs to, as the beginning of another; see `root`.
    joined: [u8; PLACES],
}

/// What joins two cells.
struct Edge {
    from: u8,
    to: u8,
}

impl<'a> Amenable<'a> {
    fn new(cells: &'a Cells, mol: &'a Molecule) -> Self {
        let mut joined = [0; PLACES];
        for (index, place) in joined.iter_mut().enumerate() {
            *place = index as u8;
        }
        Self { cells, mol, joined }
    }

    fn root(&self, mut cell: u8) -> u8 {
        while self.joined[usize::from(cell)] != cell {
            cell = self.joined[usize::from(cell)];
        }
        cell
    }

    /// The first cell of a component that colours do not tell.
    fn first_fault(&mut self) -> Option<usize> {
        let count = self.mol.count;
        let mut faulty = [false; PLACES];
        let mut mixed = [0u8; PLACES];
        let mut cells = [0u8; PLACES];
        let mut cells_count = 0;
        let mut at = 0;
        while at < count {
            let size = usize::from(self.cells.size[at]);
            if size > 1 {
                cells[cells_count] = at as u8;
                cells_count += 1;
                self.look_at(at, &mut faulty, &mut mixed);
            }
            at += size;
        }
        let cells = &cells[..cells_count];
        self.check_components(cells, &mut faulty, &mixed);
        // Of the faulty components the cell that comes first; a small cell is cheaper to set apart.
        let fault = |&&cell: &&u8| faulty[usize::from(self.root(cell))];
        let rank = |&&cell: &&u8| (self.cells.size[usize::from(cell)], cell);
        cells
            .iter()
            .filter(fault)
            .min_by_key(rank)
            .map(|&cell| usize::from(cell))
    }

    /// Judges the bonds of a cell's atoms, of which the first speaks for all.
    fn look_at(&mut self, cell: usize, faulty: &mut [bool; PLACES], mixed: &mut [u8; PLACES]) {
        let size = self.cells.size[cell];
        let atom = &self.mol.atoms[usize::from(self.cells.order[cell])];
        let neighbours = &atom.neighbours[..usize::from(atom.degree)];
        let of = |i: usize| self.cells.of[usize::from(neighbours[i])];
        for i in 0..neighbours.len() {
            let other = of(i);
            let times = (0..neighbours.len()).filter(|&j| of(j) == other).count() as u8;
            let first = (0..i).all(|j| of(j) != other);
            let other_size = self.cells.size[usize::from(other)];
            if !first || other_size == 1 {
                continue;
            }
            if usize::from(other) == cell {
                // Nobody or everybody is plain; pairs, all but pairs, and the ring of five are told too.
                if times != size - 1 {
                    mixed[cell] = 1;
                    faulty[cell] |= !(times == 1 || times == size - 2 || (times == 2 && size == 5));
                }
            } else if times != other_size {
                // Stars: an atom of one of the two has one neighbour in the other.
                let back = u32::from(times) * u32::from(size) / u32::from(other_size);
                faulty[cell] |= !(times == 1 || back == 1);
                let (a, b) = (self.root(cell as u8), self.root(other));
                self.joined[usize::from(a.max(b))] = a.min(b);
            }
        }
    }

    /// Components must be trees, with cells that grow away from the least, and one mixed cell at most, the least.
    fn check_components(&self, cells: &[u8], faulty: &mut [bool; PLACES], mixed: &[u8; PLACES]) {
        for &root in cells.iter().filter(|&&cell| self.root(cell) == cell) {
            let members = || {
                cells
                    .iter()
                    .copied()
                    .filter(|&cell| self.root(cell) == root)
            };
            let mut fault = members().any(|cell| faulty[usize::from(cell)]);
            let count = members().count();
            if count > 1 && !fault {
                let size = |cell: u8| self.cells.size[usize::from(cell)];
                let mixed_count = members()
                    .filter(|&cell| mixed[usize::from(cell)] != 0)
                    .count();
                // The mixed one first among those of the least size.
                let least =
                    members().min_by_key(|&cell| (size(cell), mixed[usize::from(cell)] == 0));
                let least = least.unwrap_or(root);
                fault = mixed_count > 1 || (mixed_count == 1 && mixed[usize::from(least)] == 0);
                let edges = members()
                    .map(|cell| self.edges(cell).count())
                    .sum::<usize>()
                    / 2;
                fault |= edges != count - 1 || !self.grows(least, ATOMS_MAX as u8);
            }
            faulty[usize::from(root)] = fault;
        }
    }

    /// The cells that stars join to a cell.
    fn edges(&self, cell: u8) -> impl Iterator<Item = Edge> + '_ {
        let atom = &self.mol.atoms[usize::from(self.cells.order[usize::from(cell)])];
        let neighbours = &atom.neighbours[..usize::from(atom.degree)];
        let of = move |i: usize| self.cells.of[usize::from(neighbours[i])];
        (0..neighbours.len()).filter_map(move |i| {
            let to = of(i);
            let times = (0..neighbours.len()).filter(|&j| of(j) == to).count();
            let size = usize::from(self.cells.size[usize::from(to)]);
            let joins = to != cell && size > 1 && times != size && (0..i).all(|j| of(j) != to);
            joins.then_some(Edge { from: cell, to })
        })
    }

    /// Whether no cell is smaller than the one before it, on all ways from here. Only to be asked of a tree.
    fn grows(&self, cell: u8, above: u8) -> bool {
        self.edges(cell)
            .filter(|edge| edge.to != above)
            .all(|edge| {
                let size = |cell: u8| self.cells.size[usize::from(cell)];
                size(edge.to) >= size(edge.from) && self.grows(edge.to, edge.from)
            })
    }
}
