//! The tables, limits and numbers of this module that `kernels/structure_key.cu` needs. A part of that source is
//! generated here, so that each of them is defined once. With `MOLSIEVE_WRITE=1` the test writes the part; otherwise
//! it compares.

use std::{array::from_fn, env, fmt::Write, fs, path::Path};

use super::{
    atom::{
        AROMATIC, Atom, BORON, CARBON, DOUBLE, HYDROGEN, NEIGHBOURS_MAX, NITROGEN, NO_ATOM, OXYGEN,
        PHOSPHORUS, SELENIUM, SINGLE, SULFUR, TELLURIUM,
    },
    bracket::SIGNS_MAX,
    canon::{DEFINITION, INDIVIDUALISED},
    colours::{self, ORDER_BITS},
    elements,
    kinds::BY_PHOSPHORUS,
    reason::Reason,
    rings::BRANCHES_MAX,
    stereo::{CENTRE_EVEN, CENTRE_ODD, OTHER_SIDE, SAME_SIDE, STEREO_MIX},
    stereo_bond::STEREO_RING_MIN,
    text::RING_NUMBERS,
};

const BEGIN: &str = "// ── From src/identity";
const END: &str = "// ── To here from src/identity";

/// Charges of bonded atoms for which some valence is certain.
const CHARGES: std::ops::RangeInclusive<i8> = -2..=1;
/// Charges of aromatic atoms.
const AROMATIC_CHARGES: std::ops::RangeInclusive<i8> = -1..=1;
const VALENCES: u8 = 8;

/// The valences of an element.
#[derive(PartialEq, Eq, Clone, Copy)]
struct Kind {
    /// Whether it has a certain valence only without bonds.
    alone: bool,
    /// For each charge, a bit per certain valence.
    certain: [u8; 4],
    /// For each charge; 0 for none.
    aromatic: [u8; 3],
    /// For each number of electron pairs in bonds, outside brackets; [`NO_ATOM`] for none.
    hydrogens: [u8; VALENCES as usize],
}

fn kind_of(number: u8) -> Kind {
    let atom = |charge, degree| Atom {
        number,
        charge,
        degree,
        ..Atom::NONE
    };
    let certain = |charge, degree| {
        let atom = atom(charge, degree);
        (0..VALENCES).fold(0, |bits, valence| {
            bits | u8::from(elements::is_certain(&atom, valence)) << valence
        })
    };
    let alone = certain(9, 0) == 1;
    for charge in -9..=9 {
        let bonded = certain(charge, 1);
        let expected = if alone { 1 } else { bonded };
        assert_eq!(certain(charge, 0), expected, "{number} {charge}");
        let known = CHARGES.contains(&charge) && !alone;
        assert!(known || bonded == 0, "{number} {charge}");
        let aromatic = elements::aromatic_valence(&atom(charge, 2));
        assert!(AROMATIC_CHARGES.contains(&charge) || aromatic.is_none());
    }
    let aromatic = |charge| elements::aromatic_valence(&atom(charge, 2)).unwrap_or(0);
    let hydrogens = |used| elements::implicit_hydrogens(number, used).unwrap_or(NO_ATOM);
    Kind {
        alone,
        certain: from_fn(|i| certain(CHARGES.start() + i as i8, 1)),
        aromatic: from_fn(|i| aromatic(AROMATIC_CHARGES.start() + i as i8)),
        hydrogens: from_fn(|used| hydrogens(used as u8)),
    }
}

fn define(to: &mut String, name: &str, value: impl std::fmt::Display) {
    writeln!(to, "#define {name} {value}").unwrap();
}

fn table(to: &mut String, name: &str, values: impl IntoIterator<Item = u8>) {
    writeln!(to, "__constant__ const u8 {name}[] = {{").unwrap();
    let values: Vec<_> = values.into_iter().map(|value| value.to_string()).collect();
    for line in values.chunks(24) {
        writeln!(to, "    {},", line.join(", ")).unwrap();
    }
    to.push_str("};\n");
}

fn statuses(to: &mut String) {
    to.push_str("\n// The status of a row: a key, or 1 + the number of the reason why RDKit has to compute the key.\n");
    to.push_str("// TOO_LARGE: too many atoms for the device, or a search for equal atoms that takes too long here;\n");
    to.push_str("// the CPU has to compute the key.\nenum class Status : u8 {\n    KEY,\n");
    for reason in Reason::ALL {
        writeln!(
            to,
            "    {},",
            reason.name().to_uppercase().replace(' ', "_")
        )
        .unwrap();
    }
    to.push_str("    TOO_LARGE = 255,\n};\n");
}

fn valences(to: &mut String) {
    let mut kinds: Vec<Kind> = Vec::new();
    let mut of_element = vec![0];
    for number in 1..=elements::SYMBOLS.len() as u8 {
        let kind = kind_of(number);
        let place = kinds.iter().position(|known| *known == kind);
        of_element.push(place.unwrap_or(kinds.len()) as u8);
        if place.is_none() {
            kinds.push(kind);
        }
    }
    to.push_str("\n// By the atomic number: the kind of valences.\n");
    table(to, "KINDS", of_element);
    to.push_str("// The kind of elements that have a certain valence only without bonds.\n");
    let alone: Vec<_> = (0..kinds.len()).filter(|&kind| kinds[kind].alone).collect();
    assert_eq!(alone.len(), 1);
    define(to, "ALONE", alone[0]);
    to.push_str("// By the kind and the charge, from -2 to 1: a bit per certain valence.\n");
    table(to, "CERTAIN", kinds.iter().flat_map(|kind| kind.certain));
    to.push_str(
        "// By the kind and the charge, from -1 to 1: the valence of an aromatic atom; 0 for none.\n",
    );
    let aromatic = kinds.iter().flat_map(|kind| kind.aromatic);
    table(to, "AROMATIC_VALENCES", aromatic);
    to.push_str(
        "// By the kind and the electron pairs in bonds, up to 7: hydrogens of an atom outside brackets; 255 for no such state.\n",
    );
    table(
        to,
        "HYDROGENS",
        kinds.iter().flat_map(|kind| kind.hydrogens),
    );
}

fn symbols(to: &mut String) {
    to.push_str(
        "\n// Symbols in the order of the atomic numbers, from hydrogen; two bytes each.\n",
    );
    let bytes = elements::SYMBOLS
        .iter()
        .flat_map(|symbol| [symbol[0], *symbol.get(1).unwrap_or(&b' ')]);
    table(to, "SYMBOLS", bytes);
    define(to, "SYMBOLS_COUNT", elements::SYMBOLS.len());
    to.push_str(
        "// By letter, from A to z: the element that it means outside brackets; 0 for none.\n",
    );
    let plain = (b'A'..=b'z').map(|letter| {
        let mut known = elements::PLAIN_LETTERS.iter().zip(elements::PLAIN);
        let found = known.find(|(known, _)| **known == letter);
        found.map_or(0, |(_, (number, _))| number)
    });
    table(to, "PLAIN", plain);
}

/// The generated part.
fn part() -> String {
    let [first, second] = colours::MIX;
    let mut to = format!(
        "{BEGIN}: tables, limits and numbers, written by the test in src/identity/device.rs ──

// Part of every key.
#define DEFINITION {DEFINITION}
// The most neighbours of an atom; ring closure numbers; the most branches that are open at a time; the
// most signs of a charge, a larger charge takes a number.
#define NEIGHBOURS_MAX {NEIGHBOURS_MAX}
#define RING_NUMBERS {RING_NUMBERS}
#define BRANCHES_MAX {BRANCHES_MAX}
#define SIGNS_MAX {SIGNS_MAX}
// RDKit's limit: double bonds in smaller rings can only be cis.
#define STEREO_RING_MIN {STEREO_RING_MIN}
// The bits by which a neighbour's colour is rotated for each order of the bond.
#define ORDER_BITS {ORDER_BITS}
// The constants that are mixed into colours.
#define MIX_FIRST {first:#x}ull
#define MIX_SECOND {second:#x}ull
#define STEREO_MIX {STEREO_MIX:#x}ull
#define INDIVIDUALISED {INDIVIDUALISED:#x}ull
#define BY_PHOSPHORUS {BY_PHOSPHORUS:#x}ull
// The parity of a centre; the geometry of a double bond, added at both ends.
#define CENTRE_EVEN {CENTRE_EVEN}
#define CENTRE_ODD {CENTRE_ODD}
#define SAME_SIDE {SAME_SIDE}
#define OTHER_SIDE {OTHER_SIDE}

// The order of a bond; 1 to 3 count pairs of electrons.
enum : u8 {{ SINGLE = {SINGLE}, DOUBLE = {DOUBLE}, TRIPLE = 3, AROMATIC = {AROMATIC} }};

// Elements with a name.
enum : u8 {{
    HYDROGEN = {HYDROGEN},
    BORON = {BORON},
    CARBON = {CARBON},
    NITROGEN = {NITROGEN},
    OXYGEN = {OXYGEN},
    PHOSPHORUS = {PHOSPHORUS},
    SULFUR = {SULFUR},
    ARSENIC = 33,
    SELENIUM = {SELENIUM},
    TELLURIUM = {TELLURIUM},
}};
"
    );
    statuses(&mut to);
    symbols(&mut to);
    valences(&mut to);
    to.push('\n');
    to
}

#[test]
fn the_device_has_the_tables_of_the_cpu() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels/structure_key.cu");
    let source = fs::read_to_string(&path).unwrap();
    let begin = source.find(BEGIN).unwrap();
    let end = source.find(END).unwrap();
    if env::var_os("MOLSIEVE_WRITE").is_some() {
        let written = format!("{}{}{}", &source[..begin], part(), &source[end..]);
        fs::write(&path, written).unwrap();
        return;
    }
    assert!(
        source[begin..end] == part(),
        "kernels/structure_key.cu has other tables than src/identity: run this test with MOLSIEVE_WRITE=1, then \
         scripts/ptx.sh"
    );
}
