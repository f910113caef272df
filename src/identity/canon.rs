//! From colours to the key.
//!
//! If the stable colours of a graph are *amenable* (Arvind, Köbler, Rattan and Verbitsky 2015), every graph with
//! the same colours is the same graph, so its key is a sum of hashes of what atoms see. Most molecules are amenable
//! once they are refined. Otherwise each atom of one colour is individualised in turn, and the least key is taken,
//! which does not depend on the order of the text either (McKay 1981).

use bytemuck::Zeroable;

use super::{
    amenable::{Amenable, Cells, Graph},
    colours::{Colours, mix},
    molecule::Molecule,
    reason::Reason,
    refine::{refine, sum_up},
    stereo::Stereo,
};
use crate::key::Key;

/// The version of the definition of the structure key. Keys of different versions must not be compared.
pub const DEFINITION: u8 = 3;

/// The most leaves of the search; a molecule that needs more is left to RDKit.
const LEAVES_MAX: usize = 1_000;
/// The most atoms that are individualised one after the other.
const DEPTH_MAX: usize = 12;
/// Mixed into the colour of an individualised atom.
pub(super) const INDIVIDUALISED: u64 = 0x5bd1_e995_0000_0001;

/// Colours and stereo after an atom was individualised.
#[derive(Debug)]
struct Level {
    colours: Colours,
    stereo: Stereo,
}

/// Working memory for keys.
#[derive(Debug)]
pub(super) struct Canon {
    cells: Cells,
    amenable: Amenable,
    leaves: usize,
    /// A level for each individualised atom.
    levels: [Option<Box<Level>>; DEPTH_MAX],
}

impl Canon {
    pub fn new() -> Self {
        Self {
            cells: Cells::zeroed(),
            amenable: Amenable::zeroed(),
            leaves: 0,
            levels: [const { None }; DEPTH_MAX],
        }
    }

    /// The key of a molecule whose colours are refined and include its stereo.
    pub fn key(
        &mut self,
        mol: &Molecule,
        colours: &mut Colours,
        stereo: &Stereo,
    ) -> Result<Key, Reason> {
        self.leaves = 0;
        self.search(mol, colours, stereo, 0)
    }

    fn search(
        &mut self,
        mol: &Molecule,
        colours: &mut Colours,
        stereo: &Stereo,
        depth: usize,
    ) -> Result<Key, Reason> {
        let Some(one) = self.atom_to_individualise(mol, stereo, colours) else {
            self.leaves += 1;
            return if self.leaves > LEAVES_MAX {
                Err(Reason::Symmetry)
            } else {
                Ok(key_of(mol, colours))
            };
        };
        self.individualise(mol, colours, stereo, one, depth)
    }

    /// The least of the keys that individualising each atom of a cell gives.
    #[cold]
    fn individualise(
        &mut self,
        mol: &Molecule,
        colours: &Colours,
        stereo: &Stereo,
        one: u8,
        depth: usize,
    ) -> Result<Key, Reason> {
        if depth == DEPTH_MAX {
            return Err(Reason::Symmetry);
        }
        let mut least: Option<Key> = None;
        for member in (0..mol.count).filter(|&index| colours.same(one, index as u8)) {
            // Taken out while deeper levels use theirs.
            let mut level = self.levels[depth].take().unwrap_or_else(|| {
                Box::new(Level {
                    colours: Colours::new(),
                    stereo: Stereo::zeroed(),
                })
            });
            let Level {
                colours: own,
                stereo: own_stereo,
            } = &mut *level;
            own.copy_from(colours, mol.count);
            own_stereo.copy_pending(stereo);
            let colour = &mut own.of[member];
            *colour = mix(*colour ^ INDIVIDUALISED);
            own.distinct = colours.distinct + 1;
            refine(mol, own);
            while own_stereo.apply(mol, own)? {
                refine(mol, own);
            }
            let key = self.search(mol, own, own_stereo, depth + 1)?;
            self.levels[depth] = Some(level);
            least = Some(least.map_or(key, |least| least.min(key)));
        }
        least.ok_or(Reason::Symmetry)
    }

    /// An atom that must be individualised before the colours identify the graph; `None` if they do.
    fn atom_to_individualise(
        &mut self,
        mol: &Molecule,
        stereo: &Stereo,
        colours: &Colours,
    ) -> Option<u8> {
        if colours.distinct == mol.count {
            return None;
        }
        // For a pending centre: the first of its neighbours that have equal colours.
        let colour = |index: u8| colours.of[usize::from(index)];
        let alike = stereo.pending.iter().filter_map(|&index| {
            let neighbours = || {
                mol.atoms[usize::from(index)]
                    .neighbours()
                    .map(|(_, other)| other)
            };
            let like = |one: u8| {
                neighbours()
                    .filter(|&other| colours.same(one, other))
                    .count()
            };
            let twice = neighbours().filter(|&other| like(other) > 1);
            Some((index, twice.min_by_key(|&other| colour(other))?))
        });
        let first = alike.min_by_key(|&(index, twice)| (colour(index), colour(twice)));
        if let Some((_, one)) = first {
            return Some(one);
        }
        self.cells.fill(colours, mol.count);
        let cells = &self.cells;
        self.amenable.first_fault(Graph {
            cells,
            mol,
            colours,
        })
    }
}

/// The key of a molecule that its colours identify.
fn key_of(mol: &Molecule, colours: &mut Colours) -> Key {
    let whole = u64::from(DEFINITION) << 8 | mol.count as u64;
    Key::from_words(sum_up(mol, colours).map(|sum| mix(sum ^ whole)))
}
