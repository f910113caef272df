//! Bridges: bonds that are the only connection of two parts of the open atoms (Tarjan 1974), and their electron pairs.

use bytemuck::Zeroable;

use super::{atom::PLACES, list::List, molecule::Molecule};

/// The state of an atom in the depth-first search.
#[derive(Clone, Copy, Debug, Zeroable)]
struct Visit {
    /// Number in the order of visits, from 1.
    order: u8,
    /// The least order that it or its descendants reach by another bond.
    low: u8,
    /// Its parent in the search tree.
    above: u8,
    /// Bonds still to follow.
    left: u8,
    /// Whether it and its descendants have an odd number of pairs to assign.
    odd: bool,
}

/// A bond between an atom and its parent in the search tree.
#[derive(Clone, Copy, Debug, Zeroable)]
pub(super) struct Bridge {
    pub here: u8,
    pub above: u8,
    /// Whether it must take a pair, which makes the count of both parts even.
    pub odd: bool,
}

/// Working memory for the search.
#[derive(Debug, Zeroable)]
pub(super) struct Bridges {
    visits: [Visit; PLACES],
    visited: u8,
    found: List<Bridge>,
}

impl Bridges {
    /// Finds all bridges, descendants before ancestors.
    pub fn find(&mut self, mol: &Molecule, open: &[u8]) -> &[Bridge] {
        self.visited = 0;
        self.found.clear();
        for &index in open {
            self.visits[usize::from(index)].order = 0;
        }
        for &root in open {
            let waits = self.visits[usize::from(root)].order == 0;
            if waits && mol.atoms[usize::from(root)].may_take != 0 {
                self.search(mol, root);
            }
        }
        &self.found
    }

    fn search(&mut self, mol: &Molecule, root: u8) {
        self.visit(mol, root, root);
        let mut here = root;
        loop {
            let now = &mut self.visits[usize::from(here)];
            if now.left == 0 {
                if here == root {
                    return;
                }
                here = self.leave(mol, here);
                continue;
            }
            let slot = now.left.trailing_zeros() as usize;
            now.left &= now.left - 1;
            let next = mol.atoms[usize::from(here)].neighbours[slot];
            let order = self.visits[usize::from(next)].order;
            if order == 0 {
                self.visit(mol, next, here);
                here = next;
            } else {
                let now = &mut self.visits[usize::from(here)];
                if next != now.above {
                    now.low = now.low.min(order);
                }
            }
        }
    }

    fn visit(&mut self, mol: &Molecule, index: u8, above: u8) {
        self.visited += 1;
        let atom = &mol.atoms[usize::from(index)];
        self.visits[usize::from(index)] = Visit {
            order: self.visited,
            low: self.visited,
            above,
            left: atom.may_take,
            odd: atom.open % 2 == 1,
        };
    }

    /// Returns to the parent.
    fn leave(&mut self, mol: &Molecule, here: u8) -> u8 {
        let done = self.visits[usize::from(here)];
        let above = &mut self.visits[usize::from(done.above)];
        above.low = above.low.min(done.low);
        above.odd ^= done.odd;
        let open = |index: u8| mol.atoms[usize::from(index)].open;
        if done.low > above.order && open(here).min(open(done.above)) == 1 {
            let Visit { above, odd, .. } = done;
            self.found.push(Bridge { here, above, odd });
        }
        done.above
    }
}
