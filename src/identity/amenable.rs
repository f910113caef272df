//! Whether the stable colours of a molecule identify it: the test of Arvind, Köbler, Rattan and Verbitsky (2015) for
//! *amenable* graphs.

use bytemuck::Zeroable;

use super::{
    atom::{Atom, FEW, NO_ATOM, ONES, PLACES, sum_of_bytes},
    colours::Colours,
    list::List,
    molecule::Molecule,
};

/// The cells of a molecule: a cell has the atoms of one colour, and the first of them is its number.
#[derive(Debug, Zeroable)]
pub(super) struct Cells {
    /// For each cell, its number of atoms; 0 for `NO_ATOM`.
    size: [u8; PLACES],
    /// The cells with several atoms.
    large: List<u8>,
}

impl Cells {
    /// Sorts atoms into cells. At least one cell must have several atoms.
    pub fn fill(&mut self, colours: &Colours, count: usize) {
        self.size[..count].fill(0);
        self.large.clear();
        for &cell in &colours.representative[..count] {
            let size = &mut self.size[usize::from(cell)];
            *size += 1;
            self.large.push_if(*size == 2, cell);
        }
    }
}

/// Working memory for the test. Two cells of several atoms are joined if an atom of one has some, but not all, atoms of
/// the other as neighbours. For each cell:
#[derive(Debug, Zeroable)]
pub(super) struct Amenable {
    /// A cell of the same component; see `root`.
    joined: [u8; PLACES],
    /// The number of cells that it is joined to.
    edges: [u8; PLACES],
    faulty: [bool; PLACES],
    /// Whether some of its atoms are neighbours of each other, and some are not.
    mixed: [bool; PLACES],
}

/// The sum over the cells of a component.
#[derive(Clone, Copy)]
struct Component {
    cells: u8,
    edges: u16,
    mixed: u8,
    faulty: bool,
    /// A cell of the least size, a mixed one if there is one.
    least: u8,
    one_size: bool,
}

impl Amenable {
    /// The cell whose atoms must be individualised first. `None` if the colours identify the graph.
    pub fn first_fault(&mut self, graph: Graph<'_>) -> Option<u8> {
        if graph.is_simple() {
            return None;
        }
        self.look_at_all(graph);
        self.check_components(graph);
        let fault = |&&cell: &&u8| self.faulty[usize::from(self.root(cell))];
        // Of the faulty components, the smallest cell, which takes the fewest leaves; then the least colour.
        let rank = |&&cell: &&u8| (graph.size(cell), graph.colours.of[usize::from(cell)]);
        let faulty = graph.cells.large.iter().filter(fault);
        faulty.min_by_key(rank).copied()
    }

    fn root(&self, mut cell: u8) -> u8 {
        while self.joined[usize::from(cell)] != cell {
            cell = self.joined[usize::from(cell)];
        }
        cell
    }

    fn look_at_all(&mut self, graph: Graph<'_>) {
        for &cell in graph.cells.large.iter() {
            let at = usize::from(cell);
            (self.joined[at], self.edges[at]) = (cell, 0);
            (self.faulty[at], self.mixed[at]) = (false, false);
        }
        for &cell in graph.cells.large.iter() {
            self.look_at(graph, cell);
        }
    }

    /// Checks the bonds of a cell. All of its atoms have the same, so it checks the first.
    fn look_at(&mut self, graph: Graph<'_>, cell: u8) {
        let (own, size) = (usize::from(cell), graph.size(cell));
        for (other, times) in graph.beside(cell) {
            let other_size = graph.size(other);
            if other == cell {
                // Colours identify the empty and the complete graph; also pairs, all but pairs, and the ring of five.
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

    /// Components must be trees in which cells grow with the distance from the least one, and only the least cell may be
    /// mixed.
    fn check_components(&mut self, graph: Graph<'_>) {
        for &root in graph.cells.large.iter() {
            if self.joined[usize::from(root)] == root {
                let fault = self.is_faulty(graph, &self.sum_up(graph, root));
                self.faulty[usize::from(root)] = fault;
            }
        }
    }

    fn sum_up(&self, graph: Graph<'_>, root: u8) -> Component {
        let mut sum = Component {
            cells: 0,
            edges: 0,
            mixed: 0,
            faulty: false,
            least: NO_ATOM,
            one_size: true,
        };
        let large = graph.cells.large.iter();
        for &cell in large.filter(|&&cell| self.root(cell) == root) {
            let at = usize::from(cell);
            let rank = |cell: u8| (graph.size(cell), !self.mixed[usize::from(cell)]);
            if sum.least != NO_ATOM {
                sum.one_size &= graph.size(sum.least) == graph.size(cell);
            }
            if sum.least == NO_ATOM || rank(cell) < rank(sum.least) {
                sum.least = cell;
            }
            sum.cells += 1;
            sum.edges += u16::from(self.edges[at]);
            sum.mixed += u8::from(self.mixed[at]);
            sum.faulty |= self.faulty[at];
        }
        sum
    }

    fn is_faulty(&self, graph: Graph<'_>, sum: &Component) -> bool {
        if sum.cells == 1 || sum.faulty {
            return sum.faulty;
        }
        sum.mixed > 1
            || (sum.mixed == 1 && !self.mixed[usize::from(sum.least)])
            || sum.edges / 2 != u16::from(sum.cells) - 1
            || !(sum.one_size || graph.grows(sum.least, NO_ATOM))
    }
}

/// A molecule and the cells of its atoms.
#[derive(Clone, Copy)]
pub(super) struct Graph<'a> {
    pub cells: &'a Cells,
    pub mol: &'a Molecule,
    pub colours: &'a Colours,
}

impl<'a> Graph<'a> {
    fn size(self, cell: u8) -> u8 {
        self.cells.size[usize::from(cell)]
    }

    /// Whether all cells have at most two atoms and are joined to at most one other cell: the frequent case, in which every
    /// component is a tree.
    fn is_simple(self) -> bool {
        let simple = |&cell: &u8| {
            let atom = self.first_atom(cell);
            let beside = self.cells_beside(atom);
            let joins = |slot: usize| {
                let other = (beside >> (8 * slot)) as u8;
                let once = same_bytes(beside, other).is_power_of_two();
                u8::from((self.size(other) > 1) & (other != cell) & once)
            };
            let edges = (0..FEW).map(joins).sum::<u8>();
            (self.size(cell) == 2) & (usize::from(atom.degree) <= FEW) & (edges <= 1)
        };
        self.cells.large.iter().all(simple)
    }

    /// The first atom of a cell, which stands for all of its atoms.
    fn first_atom(self, cell: u8) -> &'a Atom {
        &self.mol.atoms[usize::from(cell)]
    }

    /// The cells of an atom's neighbours, a byte per bond.
    fn cells_beside(self, atom: &Atom) -> u64 {
        let cell = |other: u8| self.colours.representative[usize::from(other)];
        u64::from_le_bytes(atom.neighbours.map(cell))
    }

    /// The neighbouring cells with several atoms, each once, and how many neighbours an atom has there.
    fn beside(self, cell: u8) -> impl Iterator<Item = (u8, u8)> + use<'a> {
        let cells = self.cells;
        let atom = self.first_atom(cell);
        let beside = self.cells_beside(atom);
        (0..usize::from(atom.degree)).filter_map(move |slot| {
            let other = (beside >> (8 * slot)) as u8;
            if cells.size[usize::from(other)] == 1 {
                return None;
            }
            let same = same_bytes(beside, other);
            let first = same.trailing_zeros() as usize / 8 == slot;
            first.then(|| (other, sum_of_bytes(same)))
        })
    }

    /// The cells that a cell is joined to.
    fn joined_to(self, cell: u8) -> impl Iterator<Item = u8> + use<'a> {
        let cells = self.cells;
        self.beside(cell)
            .filter(move |&(other, times)| other != cell && times != cells.size[usize::from(other)])
            .map(|(other, _)| other)
    }

    /// Whether no cell is smaller than its parent, on all paths from here. Valid only for a tree.
    fn grows(self, cell: u8, above: u8) -> bool {
        self.joined_to(cell)
            .filter(|&to| to != above)
            .all(|to| self.size(to) >= self.size(cell) && self.grows(to, cell))
    }
}

/// A one in each byte of a word that equals this one.
fn same_bytes(word: u64, byte: u8) -> u64 {
    let differ = word ^ (u64::from(byte) * ONES);
    let low_bits = 0x7f * ONES;
    // The highest bit of a byte is set if it was set, or by a carry from the bits below it.
    let set = ((differ & low_bits) + low_bits) | differ;
    !set >> 7 & ONES
}
