//! What RDKit's MolStandardize makes of a molecule, as far as that can be known from the text without RDKit.
//!
//! The rules of MolStandardize are conditions on elements, charges, hydrogens and bonds. For most molecules none of them
//! holds, so nothing changes. For the usual salts the outcome is the largest fragment, with protons moved. Whatever is not
//! listed here is left to RDKit. docs/cleaning.md has the argument for each kind of charge.

use super::{
    atom::{
        Atom, BORON, BROMINE, CARBON, CHLORINE, Chirality, DOUBLE, NITROGEN, OXYGEN, PHOSPHORUS,
        PLACES, SINGLE, SULFUR,
    },
    molecule::Molecule,
    structure_keys::StructureKeys,
};
use crate::{
    cleaning::{CleanStep, CleanSteps},
    key::Key,
};

/// What cleaning makes of a molecule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CleanOutcome {
    /// The same molecule, which has this structure key.
    Unchanged(Key),
    /// The molecule of [`QuickCleaner::text`], if that is written in canonical SMILES with as many marked centres.
    Changed {
        /// Its structure key.
        key: Key,
        /// The steps that changed it.
        steps: CleanSteps,
        /// Centres that are marked in the text, if charges were removed.
        centres: Option<u8>,
    },
    /// RDKit has to clean it.
    ByRdKit,
}

/// Decides molecules without RDKit. Each thread has one.
#[derive(Debug)]
pub struct QuickCleaner {
    keys: StructureKeys,
    steps: CleanSteps,
    pieces: Pieces,
    text: Vec<u8>,
}

/// What is known of a charged atom that MolStandardize does not touch unless it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Charge {
    /// Of N+ and its only negative neighbour, O- or N-: nitro groups, N-oxides, azides. Stays.
    Pair,
    /// O- of a carboxylate or a sulfonate: takes a proton.
    Acid,
    /// N+ with hydrogens: gives a proton.
    Proton,
    /// N+ with four neighbours: stays.
    Fixed,
    /// A halide or metal ion.
    Ion,
}

/// The fragments of a text.
#[derive(Debug)]
struct Pieces {
    count: usize,
    /// Per atom: its piece, and where its symbol begins and ends in the text.
    piece: [u8; PLACES],
    begin: [u8; PLACES],
    end: [u8; PLACES],
    /// Per piece: where it begins and ends in the text, and its atoms with their hydrogens.
    span: [(u8, u8); PIECES_MAX],
    size: [u16; PIECES_MAX],
}

const PIECES_MAX: usize = 16;
/// Longest text with charges or fragments that is decided here.
const TEXT_BYTES_MAX: usize = 255;

const SILICON: u8 = 14;
const FLUORINE: u8 = 9;
const IODINE: u8 = 53;

/// Per atomic number: whether MolStandardize has no rule for the neutral atom, but for sulfoxides.
const ORDINARY: [bool; 256] = {
    let mut ordinary = [false; 256];
    let numbers = [
        BORON, CARBON, NITROGEN, OXYGEN, FLUORINE, SILICON, PHOSPHORUS, SULFUR, CHLORINE, BROMINE,
        IODINE,
    ];
    let mut i = 0;
    while i < numbers.len() {
        ordinary[numbers[i] as usize] = true;
        i += 1;
    }
    ordinary
};

impl QuickCleaner {
    /// Decides for these steps.
    pub fn new(steps: CleanSteps) -> Self {
        Self {
            keys: StructureKeys::new(),
            steps,
            pieces: Pieces::new(),
            text: Vec::new(),
        }
    }

    /// The molecule that the last text was changed to.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// What cleaning makes of the molecule of a SMILES.
    pub fn decide(&mut self, smiles: &[u8]) -> CleanOutcome {
        if self.steps.has(CleanStep::Tautomer) {
            return CleanOutcome::ByRdKit;
        }
        // A text with a certain key is a molecule whose valences, hydrogens, bonds and stereo are RDKit's.
        let Ok(key) = self.keys.key(smiles) else {
            return CleanOutcome::ByRdKit;
        };
        let mol = &self.keys.mol;
        let marked = mol.any_chirality || mol.any_side;
        if marked && self.steps.has(CleanStep::Stereo) {
            return CleanOutcome::ByRdKit;
        }
        let mut charged = false;
        for atom in mol.atoms() {
            if atom.charge != 0 {
                charged = true;
            } else if !ORDINARY[usize::from(atom.number)] || is_sulfoxide(atom) {
                return CleanOutcome::ByRdKit;
            }
        }
        // The text decides: of a fragment that begins with a hydrogen atom, the molecule no longer says where it begins.
        match (charged, smiles.contains(&b'.')) {
            (false, false) => CleanOutcome::Unchanged(key),
            _ => self
                .decide_parts(smiles, key)
                .unwrap_or(CleanOutcome::ByRdKit),
        }
    }

    /// The same for a text with charges or fragments.
    fn decide_parts(&mut self, smiles: &[u8], key: Key) -> Option<CleanOutcome> {
        let mol = &self.keys.mol;
        self.pieces.read(smiles, mol)?;
        let kept = match (self.pieces.count, self.steps.has(CleanStep::Fragment)) {
            (1, _) => 0,
            (_, true) => self.pieces.largest(smiles)?,
            (_, false) => return None,
        };
        let edits = self.edits(kept)?;
        let cut = self.pieces.count > 1;
        if !cut && edits.is_empty() {
            return Some(CleanOutcome::Unchanged(key));
        }
        if !edits.is_empty() && mol.any_side {
            return None;
        }
        let in_kept = |index: usize| usize::from(self.pieces.piece[index]) == kept;
        let atoms = mol.atoms().iter().enumerate();
        let centres = atoms
            .filter(|(index, atom)| in_kept(*index) && atom.chirality != Chirality::None)
            .count();
        let centres = (!edits.is_empty()).then_some(centres as u8);
        let steps = [
            cut.then_some(CleanStep::Fragment),
            (!edits.is_empty()).then_some(CleanStep::Uncharge),
        ];
        self.write(smiles, kept, &edits);
        Some(CleanOutcome::Changed {
            key: self.keys.key(&self.text).ok()?,
            // Cleanup itself has changed nothing.
            steps: CleanSteps::exactly(steps.into_iter().flatten()),
            centres,
        })
    }

    /// The atoms of a piece whose charge is removed; `None` if RDKit has to decide that.
    fn edits(&self, kept: usize) -> Option<Vec<u8>> {
        let mol = &self.keys.mol;
        let (mut acids, mut protons) = (Vec::new(), Vec::new());
        let (mut fixed, mut any_acid) = (0, false);
        for (index, atom) in mol.atoms().iter().enumerate() {
            if atom.charge == 0 {
                continue;
            }
            let charge = charge_of(mol, atom)?;
            any_acid |= charge == Charge::Acid;
            if usize::from(self.pieces.piece[index]) != kept {
                continue;
            }
            match charge {
                Charge::Pair => {}
                Charge::Acid => acids.push(index as u8),
                Charge::Proton => protons.push(index as u8),
                Charge::Fixed => fixed += 1,
                Charge::Ion => return None,
            }
        }
        // The reionizer would move the proton of a stronger acid to a carboxylate, wherever the two are.
        if any_acid && mol.atoms().iter().any(|atom| is_strong_acid(mol, atom)) {
            return None;
        }
        if !self.steps.has(CleanStep::Uncharge) {
            return Some(Vec::new());
        }
        let mut edits = protons;
        match (fixed, acids.len()) {
            // As many anions as there are cations that stay remain charged.
            (fixed, acids) if fixed == acids => {}
            (0, _) => edits.extend(acids),
            (_, 0) => {}
            _ => return None,
        }
        let plain = |index: &u8| {
            let atom = &mol.atoms[usize::from(*index)];
            atom.isotope == [0; 2] && atom.chirality == Chirality::None
        };
        edits.sort_unstable();
        edits.iter().all(plain).then_some(edits)
    }

    /// Writes a piece of a text without these charges.
    fn write(&mut self, smiles: &[u8], kept: usize, edits: &[u8]) {
        let pieces = &self.pieces;
        let (mut at, end) = pieces.span[kept];
        self.text.clear();
        for &index in edits {
            let (atom, index) = (&self.keys.mol.atoms[usize::from(index)], usize::from(index));
            let (begin, after) = (pieces.begin[index], pieces.end[index]);
            self.text
                .extend_from_slice(&smiles[usize::from(at)..usize::from(begin)]);
            self.text.push(match (atom.number, atom.aromatic) {
                (OXYGEN, _) => b'O',
                (_, true) => b'n',
                (_, false) => b'N',
            });
            at = after;
        }
        self.text
            .extend_from_slice(&smiles[usize::from(at)..usize::from(end)]);
    }
}

/// Whether the normalizer may write it as S+ and O-.
fn is_sulfoxide(atom: &Atom) -> bool {
    atom.number == SULFUR && atom.total_degree() == 3 && atom.unsaturation > 0
}

/// What is known of a charged atom; `None`: RDKit has to decide.
fn charge_of(mol: &Molecule, atom: &Atom) -> Option<Charge> {
    match (atom.number, atom.charge) {
        (NITROGEN, 1) => of_cation(mol, atom),
        (OXYGEN | NITROGEN, -1) => of_anion(mol, atom),
        (FLUORINE | CHLORINE | BROMINE | IODINE, -1) if atom.degree == 0 => Some(Charge::Ion),
        // Lithium, sodium and potassium; magnesium, calcium and zinc.
        (3 | 11 | 19, 1) | (12 | 20 | 30, 2) if atom.degree == 0 => Some(Charge::Ion),
        _ => None,
    }
}

fn of_cation(mol: &Molecule, atom: &Atom) -> Option<Charge> {
    let charge = |other: u8| mol.atoms[usize::from(other)].charge;
    let negative = atom.neighbours().filter(|(_, other)| charge(*other) < 0);
    match (negative.count(), atom.hydrogens) {
        (1, _) => Some(Charge::Pair),
        (0, 0) => (!atom.aromatic && atom.unsaturation == 0).then_some(Charge::Fixed),
        (0, _) => (atom.unsaturation <= 1).then_some(Charge::Proton),
        _ => None,
    }
}

fn of_anion(mol: &Molecule, atom: &Atom) -> Option<Charge> {
    if atom.degree != 1 || atom.hydrogens != 0 {
        return None;
    }
    let centre = &mol.atoms[usize::from(atom.neighbours[0])];
    if (centre.number, centre.charge) == (NITROGEN, 1) {
        return Some(Charge::Pair);
    }
    let mut oxo = 0;
    for (slot, other) in centre.neighbours() {
        let other = &mol.atoms[usize::from(other)];
        if other.charge != 0 && !std::ptr::eq(other, atom) {
            return None;
        }
        oxo += u8::from(centre.orders[slot] == DOUBLE && other.number == OXYGEN);
    }
    let acid = match centre.number {
        CARBON => oxo == 1 && centre.total_degree() == 3,
        SULFUR => oxo == 2 && centre.degree == 4,
        _ => false,
    };
    let is_acid = acid && centre.charge == 0 && atom.number == OXYGEN && atom.orders[0] == SINGLE;
    is_acid.then_some(Charge::Acid)
}

/// Whether it is a hydroxyl group of sulfur or phosphorus.
fn is_strong_acid(mol: &Molecule, atom: &Atom) -> bool {
    let number = |other: u8| mol.atoms[usize::from(other)].number;
    let mut neighbours = atom.neighbours();
    atom.number == OXYGEN
        && atom.hydrogens > 0
        && neighbours.any(|(_, other)| matches!(number(other), SULFUR | PHOSPHORUS))
}

impl Pieces {
    fn new() -> Self {
        Self {
            count: 0,
            piece: [0; PLACES],
            begin: [0; PLACES],
            end: [0; PLACES],
            span: [(0, 0); PIECES_MAX],
            size: [0; PIECES_MAX],
        }
    }

    /// Divides a text. `None` if it is too long, has too many pieces, or a bond leads from one piece to another.
    fn read(&mut self, text: &[u8], mol: &Molecule) -> Option<()> {
        // Atoms would have other numbers than in the text.
        if text.len() > TEXT_BYTES_MAX || mol.any_hydrogen_atom {
            return None;
        }
        let (mut at, mut atoms, mut piece, mut piece_begin) = (0, 0, 0, 0);
        while at < text.len() {
            let begin = at;
            at += match (text[at], text.get(at + 1)) {
                (b'[', _) => 1 + text[at..].iter().position(|byte| *byte == b']')?,
                (b'C', Some(b'l')) | (b'B', Some(b'r')) => 2,
                (b'%', _) => 3,
                _ => 1,
            };
            match text[begin] {
                b'.' => {
                    self.span[piece] = (piece_begin, begin as u8);
                    piece += 1;
                    if piece == PIECES_MAX {
                        return None;
                    }
                    (self.size[piece], piece_begin) = (0, at as u8);
                }
                byte if byte == b'[' || byte.is_ascii_alphabetic() => {
                    let place = atoms % PLACES;
                    (self.begin[place], self.end[place]) = (begin as u8, at as u8);
                    self.piece[place] = piece as u8;
                    atoms += 1;
                }
                _ => {}
            }
        }
        self.span[piece] = (piece_begin, text.len() as u8);
        self.count = piece + 1;
        self.size[..self.count].fill(0);
        if atoms != mol.count {
            return None;
        }
        for (index, atom) in mol.atoms().iter().enumerate() {
            let piece = self.piece[index];
            let mut others = atom
                .neighbours()
                .map(|(_, other)| self.piece[usize::from(other)]);
            if others.any(|other| other != piece) {
                return None;
            }
            self.size[usize::from(piece)] += 1 + u16::from(atom.hydrogens);
        }
        Some(())
    }

    /// The piece that is larger than all others, as RDKit counts: in atoms, hydrogens included. One that occurs several
    /// times is the same molecule each time.
    fn largest(&self, text: &[u8]) -> Option<usize> {
        let sizes = &self.size[..self.count];
        let most = sizes.iter().max()?;
        let mut candidates = (0..self.count).filter(|piece| sizes[*piece] == *most);
        let span = |piece: usize| {
            let (begin, end) = self.span[piece];
            &text[usize::from(begin)..usize::from(end)]
        };
        let first = candidates.next()?;
        candidates
            .all(|other| span(other) == span(first))
            .then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text that the usual steps lead to, or why there is none.
    fn cleaned(smiles: &str) -> String {
        let mut quick = QuickCleaner::new(CleanSteps::USUAL);
        match quick.decide(smiles.as_bytes()) {
            CleanOutcome::Unchanged(_) => "unchanged".into(),
            CleanOutcome::ByRdKit => "by RDKit".into(),
            CleanOutcome::Changed { steps, .. } => {
                format!("{} {steps}", String::from_utf8_lossy(quick.text()))
            }
        }
    }

    #[test]
    fn what_mol_standardize_leaves_alone_is_unchanged() {
        for smiles in [
            "CC(=O)Oc1ccccc1C(=O)O",
            "O=[N+]([O-])c1ccccc1",
            "O=N(=O)c1ccccc1",
            "C[n+]1ccccc1",
            "[O-][n+]1ccccc1",
            "CC[N+](C)(C)C",
            "C[N+](C)(C)CC(=O)[O-]",
            "CS(=O)(=O)N",
            "CP(=O)(O)O",
            "CN=[N+]=[N-]",
            "C[C@H](N)C(=O)O",
            "[2H]OC",
            "CS(C)=O",
            "C[S+](C)[O-]",
            "[Na]OC",
            "[O-]c1ccccc1",
            "CC(O)=[N+](C)C",
            "C",
            "[Cl]",
        ] {
            let expected = match smiles {
                "C[n+]1ccccc1" | "[2H]OC" | "CS(C)=O" | "C[S+](C)[O-]" | "[Na]OC"
                | "[O-]c1ccccc1" | "CC(O)=[N+](C)C" | "[Cl]" => "by RDKit",
                _ => "unchanged",
            };
            assert_eq!(cleaned(smiles), expected, "{smiles}");
        }
    }

    #[test]
    fn usual_salts_are_their_largest_fragment_without_charges() {
        for (smiles, expected) in [
            ("CCN.Cl", "CCN fragment"),
            ("CC[NH3+].[Cl-]", "CCN fragment,uncharge"),
            ("[Na+].CC(=O)[O-]", "CC(=O)O fragment,uncharge"),
            ("[NH3+]CC(=O)[O-]", "NCC(=O)O uncharge"),
            ("c1cc[nH+]cc1.OS(=O)(=O)O", "c1ccncc1 fragment,uncharge"),
            ("CCCC[N+](C)(C)C.[Br-]", "CCCC[N+](C)(C)C fragment"),
            ("C[N+](C)(C)CC(=O)[O-].Cl", "C[N+](C)(C)CC(=O)[O-] fragment"),
            ("CCCN.CCCN.OS(=O)(=O)O", "CCCN fragment"),
            // The larger one is the acid.
            ("C[NH3+].CCS(=O)(=O)[O-]", "CCS(=O)(=O)O fragment,uncharge"),
            // The reionizer moves a proton.
            ("CC(=O)[O-].OS(=O)(=O)CCCC.[Na+]", "by RDKit"),
            ("CCCO.CCCS", "by RDKit"),
            ("C1.C1", "by RDKit"),
            // Hydrogens as atoms, which are none of the molecule.
            ("[H]O[H].CCO", "by RDKit"),
            ("CCO.[H]O[H]", "by RDKit"),
            ("O.[H]c1ccc([H])c([H])c1", "by RDKit"),
            ("C[N@H+](CC)CCC.[Cl-]", "by RDKit"),
            ("C/C=C/[NH3+].[Cl-]", "by RDKit"),
            ("C/C=C/N.Cl", "C/C=C/N fragment"),
        ] {
            assert_eq!(cleaned(smiles), expected, "{smiles}");
        }
    }

    #[test]
    fn each_step_is_done_only_if_it_is_asked_for() {
        let decide = |steps: &str, smiles: &str| {
            let mut quick = QuickCleaner::new(steps.parse().unwrap());
            let outcome = quick.decide(smiles.as_bytes());
            (outcome, String::from_utf8_lossy(quick.text()).into_owned())
        };
        let (outcome, text) = decide("fragment", "CC[NH3+].[Cl-]");
        assert!(matches!(outcome, CleanOutcome::Changed { .. }));
        assert_eq!(text, "CC[NH3+]");
        let unchanged = |outcome| matches!(outcome, CleanOutcome::Unchanged(_));
        assert!(unchanged(decide("fragment", "CC[NH3+]").0));
        assert!(unchanged(decide("stereo", "CCO").0));
        for (steps, smiles) in [
            ("uncharge", "CC[NH3+].[Cl-]"),
            ("stereo", "C[C@H](N)O"),
            ("tautomer", "CCO"),
        ] {
            assert_eq!(decide(steps, smiles).0, CleanOutcome::ByRdKit);
        }
    }
}
