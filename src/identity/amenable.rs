//! Whether the stable colours of a molecule tell it: the test of Arvind, Köbler, Rattan and Verbitsky (2015) for
//! *amenable* graphs.

use super::{
    canon::Cells,
    molecule::{Atom, Molecule, NOBODY, PLACES},
};

/// The cell whose atoms must be set apart first, as the number of its beginning. `None`: colours tell the graph.
pub(super) fn first_fault(cells: &Cells, mol: &Molecule) -> Option<usize> {
    let mut graph = CellGraph::new(cells, mol);
    graph.look_at_all();
    graph.check_components();
    graph.first_fault()
}

/// Cells of several atoms, joined where an atom of one has some neighbours in the other and not all.
struct CellGraph<'a> {
    cells: &'a Cells,
    mol: &'a Molecule,
    /// The beginnings of the cells of several atoms.
    large: [u8; PLACES],
    large_count: usize,
    /// Per cell: the component it belongs to, as another of its cells; see `root`.
    joined: [u8; PLACES],
    /// Per cell: how many it is joined to.
    edges: [u8; PLACES],
    faulty: [bool; PLACES],
    /// Per cell: some of its atoms are neighbours of each other, and some are not.
    mixed: [bool; PLACES],
}

/// A component while it is summed up.
#[derive(Clone, Copy)]
struct Component {
    cells: u8,
    edges: u16,
    mixed: u8,
    faulty: bool,
    /// Of the least size, a mixed one if there is.
    least: u8,
    one_size: bool,
}

impl<'a> CellGraph<'a> {
    fn new(cells: &'a Cells, mol: &'a Molecule) -> Self {
        Self {
            cells,
            mol,
            large: [0; PLACES],
            large_count: 0,
            joined: [0; PLACES],
            edges: [0; PLACES],
            faulty: [false; PLACES],
            mixed: [false; PLACES],
        }
    }

    fn large(&self) -> &[u8] {
        &self.large[..self.large_count]
    }

    fn size(&self, cell: u8) -> u8 {
        self.cells.size[usize::from(cell)]
    }

    /// The atom that speaks for a cell.
    fn first_atom(&self, cell: u8) -> &'a Atom {
        &self.mol.atoms[usize::from(self.cells.order[usize::from(cell)])]
    }

    fn root(&self, mut cell: u8) -> u8 {
        while self.joined[usize::from(cell)] != cell {
            cell = self.joined[usize::from(cell)];
        }
        cell
    }

    fn look_at_all(&mut self) {
        let mut at = 0;
        while at < self.mol.count {
            let size = usize::from(self.cells.size[at]);
            if size > 1 {
                self.large[self.large_count] = at as u8;
                self.large_count += 1;
                self.joined[at] = at as u8;
            }
            at += size;
        }
        for i in 0..self.large_count {
            self.look_at(self.large[i]);
        }
    }

    /// Judges the bonds of a cell's atoms, of which the first speaks for all.
    fn look_at(&mut self, cell: u8) {
        let (own, size) = (usize::from(cell), self.size(cell));
        for (other, times) in self.beside(cell) {
            let other_size = self.size(other);
            if other == cell {
                // Nobody or everybody is plain; pairs, all but pairs, and the ring of five are told too.
                if times != size - 1 {
                    self.mixed[own] = true;
                    self.faulty[own] |=
                        !(times == 1 || times == size - 2 || (times == 2 && size == 5));
                }
            } else if times != other_size {
                // Stars: an atom of one of the two has one neighbour in the other.
                let back = u32::from(times) * u32::from(size) / u32::from(other_size);
                self.faulty[own] |= !(times == 1 || back == 1);
                self.edges[own] += 1;
                let (a, b) = (self.root(cell), self.root(other));
                self.joined[usize::from(a.max(b))] = a.min(b);
            }
        }
    }

    /// The cells of several atoms beside a cell, each once, and how many neighbours an atom has there.
    fn beside(&self, cell: u8) -> impl Iterator<Item = (u8, u8)> + use<'a> {
        let (cells, atom) = (self.cells, self.first_atom(cell));
        let beside = cells.beside(atom);
        (0..usize::from(atom.degree)).filter_map(move |i| {
            let other = beside[i];
            if cells.size[usize::from(other)] == 1 || beside[..i].contains(&other) {
                return None;
            }
            let times = beside.iter().filter(|&&cell| cell == other).count();
            Some((other, times as u8))
        })
    }

    /// The cells that a cell is joined to.
    fn joined_to(&self, cell: u8) -> impl Iterator<Item = u8> + use<'a> {
        let cells = self.cells;
        self.beside(cell)
            .filter(move |&(other, times)| {
                other != cell && times != cells.size[usize::from(other)]
            })
            .map(|(other, _)| other)
    }

    /// Components must be trees, with cells that grow away from the least, and one mixed cell at most, the least.
    fn check_components(&mut self) {
        for i in 0..self.large_count {
            let root = self.large[i];
            if self.joined[usize::from(root)] == root {
                let fault = self.is_faulty(&self.sum_up(root));
                self.faulty[usize::from(root)] = fault;
            }
        }
    }

    fn sum_up(&self, root: u8) -> Component {
        let mut sum = Component {
            cells: 0,
            edges: 0,
            mixed: 0,
            faulty: false,
            least: NOBODY,
            one_size: true,
        };
        for &cell in self.large().iter().filter(|&&cell| self.root(cell) == root) {
            let at = usize::from(cell);
            let rank = |cell: u8| (self.size(cell), !self.mixed[usize::from(cell)]);
            if sum.least != NOBODY {
                sum.one_size &= self.size(sum.least) == self.size(cell);
            }
            if sum.least == NOBODY || rank(cell) < rank(sum.least) {
                sum.least = cell;
            }
            sum.cells += 1;
            sum.edges += u16::from(self.edges[at]);
            sum.mixed += u8::from(self.mixed[at]);
            sum.faulty |= self.faulty[at];
        }
        sum
    }

    fn is_faulty(&self, sum: &Component) -> bool {
        if sum.cells == 1 || sum.faulty {
            return sum.faulty;
        }
        sum.mixed > 1
            || (sum.mixed == 1 && !self.mixed[usize::from(sum.least)])
            || sum.edges / 2 != u16::from(sum.cells) - 1
            || !(sum.one_size || self.grows(sum.least, NOBODY))
    }

    /// Whether no cell is smaller than the one before it, on all ways from here. Only to be asked of a tree.
    fn grows(&self, cell: u8, above: u8) -> bool {
        self.joined_to(cell)
            .filter(|&to| to != above)
            .all(|to| self.size(to) >= self.size(cell) && self.grows(to, cell))
    }

    /// Of the faulty components the cell that comes first; a small cell is cheaper to set apart.
    fn first_fault(&self) -> Option<usize> {
        let fault = |&&cell: &&u8| self.faulty[usize::from(self.root(cell))];
        let rank = |&&cell: &&u8| (self.size(cell), cell);
        let first = self.large().iter().filter(fault).min_by_key(rank);
        first.map(|&cell| usize::from(cell))
    }
}
