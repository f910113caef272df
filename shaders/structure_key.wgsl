// The structure key on any GPU: the key of a molecule from the text of its SMILES. src/identity.rs and the files
// beside it are the definition, and say why; kernels/structure_key.cu says the same in CUDA, function by function
// under the same names, with the same limits, so that keys and statuses are the same to the bit.
//
//   structure_key   keys of a slot's rows, and which rows have none
//
// One invocation per row. All that it needs is in its private memory, about 6 KiB.
//
// What differs: WGSL has no 64-bit integers, so they are pairs of 32-bit words, the low one first; it has no
// bytes, so lists of bytes are in words, four statuses share a word, and the small parts of an atom do too; what
// is not needed at the same time lies in the same lists, which is said beside their numbers. Drivers write a
// function's code out wherever it is called. So what is large is called from one place each: `search` does all
// refining, before it finds the marks that count and after, and `peel` gives all pairs, those of bridges too.
//
//   text       the text
//   valence    hydrogens, nitro groups, valences
//   bonds      where double bonds are, from the atoms alone
//   refine     colours of atoms
//   stereo     which marks count, and what they say
//   canon      from colours to the key

struct Shape {
    rows: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> text: array<u32>;
@group(0) @binding(2) var<storage, read> text_end: array<u32>;
@group(0) @binding(3) var<storage, read_write> keys: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> statuses: array<atomic<u32>>;

// Invocations of a workgroup, and so rows.
const BLOCK_ROWS = 64;
// Most atoms, hydrogens written as atoms among them, that a molecule may have here.
const ATOMS_MAX = 64u;
// Atoms that are set apart one after the other, and ways to do so that are tried.
const DEPTH_MAX = 3u;
const LEAVES_MAX = 100u;
// Most neighbours of an atom.
const NEIGHBOURS_MAX = 8u;
// Numbers that a ring closure may have.
const RING_NUMBERS = 100u;
// Branches that may be open at a time.
const BRANCHES_MAX = 64u;
// Signs that a charge may be written with; more take a number.
const SIGNS_MAX = 2;
// Bears on every key, as `DEFINITION` in src/identity.rs.
const DEFINITION = 2u;

// What becomes of a row. From STATUS_TEXT on: 1 + the number of the reason in src/identity.rs, for which RDKit has
// to be asked. STATUS_TOO_LARGE: too many atoms for the device, or atoms that look alike and take too long to set
// apart here; the engine on the CPU has to be asked.
const KEY = 0u;
const STATUS_TEXT = 1u;
const STATUS_DEGREE = 3u;
const STATUS_WILDCARD = 4u;
const STATUS_ATOM_MAP = 5u;
const STATUS_VALENCE = 6u;
const STATUS_HYDROGEN = 7u;
const STATUS_AROMATIC = 8u;
const STATUS_BONDS = 9u;
const STATUS_MARKS = 10u;
const STATUS_CHIRALITY = 11u;
const STATUS_NITROGEN_CENTRE = 12u;
const STATUS_RING_STEREO = 13u;
const STATUS_TOO_LARGE = 255u;

// A status, and where it is KEY the answer to a question.
struct Answer {
    status: u32,
    yes: bool,
}

// ── 64-bit arithmetic ───────────────────────────────────────────────────────────────────────────────────────

fn add(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2(low, a.y + b.y + select(0u, 1u, low < a.x));
}

// The whole product of two words.
fn multiply_words(a: u32, b: u32) -> vec2<u32> {
    let a_low = a & 0xffffu;
    let a_high = a >> 16u;
    let b_low = b & 0xffffu;
    let b_high = b >> 16u;
    let low = a_low * b_low;
    // Neither sum exceeds 32 bits: (2^16 - 1)^2 + 2 (2^16 - 1) = 2^32 - 1.
    let middle = a_high * b_low + (low >> 16u);
    let other = a_low * b_high + (middle & 0xffffu);
    return vec2(other << 16u | (low & 0xffffu), a_high * b_high + (middle >> 16u) + (other >> 16u));
}

// The low 64 bits of the product.
fn multiply(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = multiply_words(a.x, b.x);
    return vec2(low.x, low.y + a.x * b.y + a.y * b.x);
}

// By 1 to 63 bits, but not by 32.
fn rotate_left(a: vec2<u32>, by: u32) -> vec2<u32> {
    let turned = select(a, a.yx, by > 32u);
    return turned << vec2(by & 31u) | turned.yx >> vec2(32u - (by & 31u));
}

// a ^ a >> 27
fn fold_27(a: vec2<u32>) -> vec2<u32> {
    return a ^ vec2(a.x >> 27u | a.y << 5u, a.y >> 27u);
}

// a ^ a >> 33
fn fold_33(a: vec2<u32>) -> vec2<u32> {
    return vec2(a.x ^ a.y >> 1u, a.y);
}

fn is_greater(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.y > b.y || (a.y == b.y && a.x > b.x);
}

// A byte of eight.
fn byte_of(list: vec2<u32>, slot: u32) -> u32 {
    return select(list.x, list.y, slot >= 4u) >> (8u * (slot & 3u)) & 0xffu;
}

fn with_byte(list: vec2<u32>, slot: u32, byte: u32) -> vec2<u32> {
    let word = insertBits(select(list.x, list.y, slot >= 4u), byte, 8u * (slot & 3u), 8u);
    return select(vec2(word, list.y), vec2(list.x, word), slot >= 4u);
}

fn without_byte(list: vec2<u32>, slot: u32) -> vec2<u32> {
    let below = (1u << (8u * (slot & 3u))) - 1u;
    if slot >= 4u {
        return vec2(list.x, (list.y & below) | (list.y >> 8u & ~below));
    }
    return vec2((list.x & below) | ((list.x >> 8u | list.y << 24u) & ~below), list.y >> 8u);
}

// ── The molecule ────────────────────────────────────────────────────────────────────────────────────────────

// Stands where no atom does, and where no slot is.
const NOBODY = 255u;
const NO_SLOT = 255u;

// Elements that are dealt with by name.
const HYDROGEN = 1u;
const BORON = 5u;
const CARBON = 6u;
const NITROGEN = 7u;
const OXYGEN = 8u;
const FLUORINE = 9u;
const SILICON = 14u;
const PHOSPHORUS = 15u;
const SULFUR = 16u;
const CHLORINE = 17u;
const GERMANIUM = 32u;
const ARSENIC = 33u;
const SELENIUM = 34u;
const BROMINE = 35u;
const TELLURIUM = 52u;
const IODINE = 53u;

// The order of a bond; 1 to 3 count pairs of electrons.
const SINGLE = 1u;
const DOUBLE = 2u;
const TRIPLE = 3u;
const AROMATIC = 4u;
const ALL_SINGLE = 0x11111111u;

// The mark of a tetrahedral centre, seen from its first neighbour: none, `@`, `@@`.
const NO_TURN = 0u;
const LEFT = 1u;
const RIGHT = 2u;

// An atom with its neighbours in the order of the text.
struct Atom {
    // A byte per slot.
    neighbours: vec2<u32>,
    // Four bits per slot: as written; and as they are: forced, or aromatic.
    orders: u32,
    settled: u32,
    // Four bits per slot, with a sign: the side of a double bond on which a mark puts the neighbour.
    sides: u32,
    // From the lowest bit on: isotope 10 bits, 0 as it comes; number 7; charge 5, with a sign; hydrogens that are
    // no atoms of their own 5.
    nature: u32,
    // From the lowest bit on: degree 4 bits; the bits below; turn 2; ring closures 4; the side on which a mark
    // puts a hydrogen that was an atom 2, with a sign.
    written: u32,
    // A byte each. Two have a bit per slot: the bond is in a ring; the bond may take a pair. Pairs of electrons in
    // bonds beyond the first of each; of those, how many the settled bonds leave over.
    electrons: u32,
}

// In `written`.
const IS_AROMATIC = 0x10u;
const IN_BRACKETS = 0x20u;
// It begins the text or a part of it.
const IS_FIRST = 0x40u;
const HYDROGEN_WAS_ATOM = 0x80u;
// A hydrogen that was an atom takes an odd number of steps to come first among the neighbours.
const HYDROGEN_ODD = 0x100u;
const TURN_BIT = 9u;
const CLOSURES_BIT = 11u;
const HYDROGEN_SIDE_BIT = 15u;

// In `nature`.
const NUMBER_BIT = 10u;
const CHARGE_BIT = 17u;
const HYDROGENS_BIT = 22u;
const ONE_HYDROGEN = 0x400000u;

// In `electrons`.
const MAY_TAKE_BIT = 8u;
const UNSATURATION_BIT = 16u;
const OPEN_BIT = 24u;

// With a place more, for an atom that may turn out to be one too many.
var<private> atoms: array<Atom, 65>;
var<private> atom_count: u32;
var<private> any_turn: bool;
var<private> any_side: bool;
var<private> any_aromatic: bool;
var<private> any_hydrogen_atom: bool;

fn degree(index: u32) -> u32 {
    return atoms[index].written & 15u;
}

fn is_written(index: u32, bit: u32) -> bool {
    return (atoms[index].written & bit) != 0u;
}

fn turn(index: u32) -> u32 {
    return atoms[index].written >> TURN_BIT & 3u;
}

fn closures(index: u32) -> u32 {
    return atoms[index].written >> CLOSURES_BIT & 15u;
}

fn hydrogen_side(index: u32) -> i32 {
    return extractBits(bitcast<i32>(atoms[index].written), HYDROGEN_SIDE_BIT, 2u);
}

fn isotope(index: u32) -> u32 {
    return atoms[index].nature & 0x3ffu;
}

fn number(index: u32) -> u32 {
    return atoms[index].nature >> NUMBER_BIT & 0x7fu;
}

fn charge(index: u32) -> i32 {
    return extractBits(bitcast<i32>(atoms[index].nature), CHARGE_BIT, 5u);
}

fn set_charge(index: u32, size: i32) {
    atoms[index].nature = insertBits(atoms[index].nature, bitcast<u32>(size), CHARGE_BIT, 5u);
}

fn hydrogens(index: u32) -> u32 {
    return atoms[index].nature >> HYDROGENS_BIT & 31u;
}

fn set_hydrogens(index: u32, count: u32) {
    atoms[index].nature = insertBits(atoms[index].nature, count, HYDROGENS_BIT, 5u);
}

fn in_ring(index: u32) -> u32 {
    return atoms[index].electrons & 0xffu;
}

fn may_take(index: u32) -> u32 {
    return atoms[index].electrons >> MAY_TAKE_BIT & 0xffu;
}

fn set_may_take(index: u32, slots: u32) {
    atoms[index].electrons = insertBits(atoms[index].electrons, slots, MAY_TAKE_BIT, 8u);
}

fn unsaturation(index: u32) -> u32 {
    return atoms[index].electrons >> UNSATURATION_BIT & 0xffu;
}

fn set_unsaturation(index: u32, pairs: u32) {
    atoms[index].electrons = insertBits(atoms[index].electrons, pairs, UNSATURATION_BIT, 8u);
}

fn open_pairs(index: u32) -> u32 {
    return atoms[index].electrons >> OPEN_BIT;
}

fn order_in(list: u32, slot: u32) -> u32 {
    return list >> (4u * slot) & 15u;
}

// With the sign.
fn side_in(list: u32, slot: u32) -> i32 {
    return bitcast<i32>(order_in(list, slot) ^ 8u) - 8;
}

fn with_four_bits(list: u32, slot: u32, bits: u32) -> u32 {
    return insertBits(list, bits, 4u * slot, 4u);
}

fn neighbour(index: u32, slot: u32) -> u32 {
    return byte_of(atoms[index].neighbours, slot);
}

// The lowest byte of a word that is zero, in bits 7 to 31; 0 if there is none.
fn zero_byte(word: u32) -> u32 {
    return (word - 0x01010101u) & ~word & 0x80808080u;
}

// The place of a neighbour in the list.
fn slot_of(index: u32, other: u32) -> u32 {
    let unlike = atoms[index].neighbours ^ vec2(other * 0x01010101u);
    let low = firstTrailingBit(zero_byte(unlike.x));
    let high = firstTrailingBit(zero_byte(unlike.y));
    // Of no bit the number is all ones, so shifted it is larger than any degree.
    let slot = select(low >> 3u, 4u + (high >> 3u), low == ~0u);
    return select(NO_SLOT, slot, slot < degree(index));
}

// Neighbours and hydrogens.
fn total_degree(index: u32) -> u32 {
    return degree(index) + hydrogens(index);
}

fn has(bits: u32, slot: u32) -> bool {
    return (bits >> slot & 1u) != 0u;
}

// Lists of ATOMS_MAX bytes.
const LIST_WORDS = 16u;
var<private> lists: array<u32, 320>;

fn entry(list: u32, at: u32) -> u32 {
    return lists[LIST_WORDS * list + (at >> 2u)] >> (8u * (at & 3u)) & 0xffu;
}

fn set_entry(list: u32, at: u32, byte: u32) {
    let word = LIST_WORDS * list + (at >> 2u);
    lists[word] = insertBits(lists[word], byte, 8u * (at & 3u), 8u);
}

// Whether an atom is the end of a double bond that has said something.
const ENDS = 0u;
// Marked centres that wait for their neighbours to differ.
const WAITING = 1u;
// What is said in a round.
const NOW = 2u;
// Atoms in the order of their colours. A cell holds those of one colour.
const ORDER = 3u;
// Per atom: where its cell begins in the order.
const CELL = 4u;
// Per beginning of a cell: its atoms.
const CELL_SIZE = 5u;
// Two lists, for counting colours: an atom of that colour; NOBODY: none has come here.
const TABLE = 6u;

// From here on lists are used more than once. For reading, per atom: the one it hangs on, and how many there are
// up to the first of its part.
const ABOVE = 8u;
const DEPTH = 9u;
const BRANCHES = 10u;
// Ring closures that wait for their other end, a word each: number 8 bits, atom 8, slot 4, order 4, side 4.
const OPEN_RINGS = 11u;

// For settling bonds. Two lists of atoms that have a single way.
const QUEUE = 8u;
// A bit per bond of each atom: it is in a ring of six.
const SIX_RINGS = 10u;
// For finding bonds that alone hold two parts together: what a search in depth notes of an atom. Number in the
// order of visits, from 1; 0: it was not visited.
const VISIT_ORDER = 11u;
// The least that it or those below it reach by another bond.
const VISIT_LOW = 12u;
// Where it was come from.
const VISIT_ABOVE = 13u;
// Bonds still to follow.
const VISIT_LEFT = 14u;
// Pairs that it and those below it have to place; only whether they are odd matters.
const VISIT_PAIRS = 15u;
// The bonds found: their ends, and whether they take a pair.
const BRIDGE_HERE = 16u;
const BRIDGE_ABOVE = 17u;
const BRIDGE_ODD = 18u;
// For finding partners.
const MATCH_SIDES = 11u;
const PARTNER = 12u;
const SEEN = 13u;
// The atoms on the way, and the next slot of each.
const WAY = 14u;
const WAY_NEXT = 15u;

// For finding the marks that count.
const BONDS_A = 8u;
const BONDS_B = 9u;
const ABLE = 10u;
const SYSTEMS = 11u;
const DISTANCE = 12u;
const STEPS = 13u;

// For setting atoms apart. Per beginning of a cell: the component it belongs to, as the beginning of another; see
// `root_of`.
const JOINED = 8u;
const FAULTY = 9u;
const MIXED = 10u;
const LARGE = 11u;
const STACK = 12u;
const STACK_ABOVE = 13u;
// DEPTH_MAX lists each: how things were before an atom was set apart, and those that are set apart in turn.
const LEVEL_WAITING = 14u;
const LEVEL_MEMBERS = 17u;

// ── text ────────────────────────────────────────────────────────────────────────────────────────────────────

const HASH = 0x23u;
const PERCENT = 0x25u;
const OPEN_BRANCH = 0x28u;
const CLOSE_BRANCH = 0x29u;
const STAR = 0x2au;
const PLUS = 0x2bu;
const MINUS = 0x2du;
const DOT = 0x2eu;
const SLASH = 0x2fu;
const DIGIT_0 = 0x30u;
const COLON = 0x3au;
const EQUALS = 0x3du;
const AT_SIGN = 0x40u;
const UPPER_A = 0x41u;
const UPPER_B = 0x42u;
const UPPER_C = 0x43u;
const UPPER_F = 0x46u;
const UPPER_H = 0x48u;
const UPPER_I = 0x49u;
const UPPER_N = 0x4eu;
const UPPER_O = 0x4fu;
const UPPER_P = 0x50u;
const UPPER_S = 0x53u;
const OPEN_BRACKET = 0x5bu;
const BACKSLASH = 0x5cu;
const CLOSE_BRACKET = 0x5du;
const LOWER_A = 0x61u;
const LOWER_B = 0x62u;
const LOWER_C = 0x63u;
const LOWER_E = 0x65u;
const LOWER_I = 0x69u;
const LOWER_L = 0x6cu;
const LOWER_N = 0x6eu;
const LOWER_O = 0x6fu;
const LOWER_P = 0x70u;
const LOWER_R = 0x72u;
const LOWER_S = 0x73u;
const LOWER_T = 0x74u;

// The row's bytes in the text, and how many of them are read.
var<private> text_begin: u32;
var<private> text_bytes: u32;
var<private> cursor: u32;

var<private> rings_open: u32;
var<private> branches_open: u32;

// The byte so many behind the cursor; 0 behind the end.
fn peek(ahead: u32) -> u32 {
    let at = cursor + ahead;
    if at >= text_bytes {
        return 0u;
    }
    let byte = text_begin + at;
    return text[byte >> 2u] >> (8u * (byte & 3u)) & 0xffu;
}

fn is_digit(byte: u32) -> bool {
    return byte - DIGIT_0 < 10u;
}

// What stands before an atom or a ring closure. Order 0: it does not say, as a mark of a side does not.
struct Link {
    order: u32,
    side: i32,
}

fn is_none(link: Link) -> bool {
    return link.order == 0u && link.side == 0;
}

fn is_link(byte: u32) -> bool {
    return byte == MINUS || byte == EQUALS || byte == HASH || byte == COLON || byte == SLASH || byte == BACKSLASH;
}

fn link_of(byte: u32) -> Link {
    switch byte {
        case MINUS: { return Link(SINGLE, 0); }
        case EQUALS: { return Link(DOUBLE, 0); }
        case HASH: { return Link(TRIPLE, 0); }
        case COLON: { return Link(AROMATIC, 0); }
        case SLASH: { return Link(0u, 1); }
        default: { return Link(0u, -1); }
    }
}

fn order_of(link: Link, both_aromatic: bool) -> u32 {
    return select(select(SINGLE, AROMATIC, both_aromatic), link.order, link.order != 0u);
}

fn push(index: u32, other: u32, order: u32, side: i32) -> u32 {
    let slot = degree(index);
    if slot == NEIGHBOURS_MAX {
        return STATUS_DEGREE;
    }
    atoms[index].neighbours = with_byte(atoms[index].neighbours, slot, other);
    atoms[index].orders = with_four_bits(atoms[index].orders, slot, order);
    atoms[index].sides = with_four_bits(atoms[index].sides, slot, bitcast<u32>(side));
    // The degree is in the lowest bits.
    atoms[index].written += 1u;
    return KEY;
}

// Symbols in the order of the atomic numbers, from hydrogen on; two bytes each, two symbols a word.
const SYMBOLS = array<u32, 59>(
    0x65482048u, 0x6542694cu, 0x20432042u, 0x204f204eu, 0x654e2046u, 0x674d614eu, // H He Li Be B C N O F Ne Na Mg
    0x69536c41u, 0x20532050u, 0x72416c43u, 0x6143204bu, 0x69546353u, 0x72432056u, // Al Si P S Cl Ar K Ca Sc Ti V Cr
    0x65466e4du, 0x694e6f43u, 0x6e5a7543u, 0x65476147u, 0x65537341u, 0x724b7242u, // Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
    0x72536252u, 0x725a2059u, 0x6f4d624eu, 0x75526354u, 0x64506852u, 0x64436741u, // Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd
    0x6e536e49u, 0x65546253u, 0x65582049u, 0x61427343u, 0x6543614cu, 0x644e7250u, // In Sn Sb Te I Xe Cs Ba La Ce Pr Nd
    0x6d536d50u, 0x64477545u, 0x79446254u, 0x72456f48u, 0x62596d54u, 0x6648754cu, // Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf
    0x20576154u, 0x734f6552u, 0x74507249u, 0x67487541u, 0x62506c54u, 0x6f506942u, // Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po
    0x6e527441u, 0x61527246u, 0x68546341u, 0x20556150u, 0x7550704eu, 0x6d436d41u, // At Rn Fr Ra Ac Th Pa U Np Pu Am Cm
    0x66436b42u, 0x6d467345u, 0x6f4e644du, 0x6652724cu, 0x67536244u, 0x73486842u, // Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs
    0x7344744du, 0x6e436752u, 0x6c46684eu, 0x764c634du, 0x674f7354u, // Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
);
const SYMBOLS_COUNT = 118u;

// A symbol and its length.
struct Symbol {
    // The atomic number; 0: there is none.
    number: u32,
    bytes: u32,
}

// A symbol in brackets, not aromatic. Two letters if the second is a small one.
fn symbol(a: u32, b: u32) -> Symbol {
    if a - UPPER_A >= 26u {
        return Symbol(0u, 0u);
    }
    let bytes = select(1u, 2u, b - LOWER_A < 26u);
    if bytes == 1u {
        switch a {
            case UPPER_C: { return Symbol(CARBON, 1u); }
            case UPPER_N: { return Symbol(NITROGEN, 1u); }
            case UPPER_O: { return Symbol(OXYGEN, 1u); }
            case UPPER_H: { return Symbol(HYDROGEN, 1u); }
            case UPPER_S: { return Symbol(SULFUR, 1u); }
            default: {}
        }
    }
    // A symbol of one letter stands there with a space.
    let letters = a | select(0x20u, b, bytes == 2u) << 8u;
    for (var i = 0u; i < SYMBOLS_COUNT; i++) {
        if (SYMBOLS[i >> 1u] >> (16u * (i & 1u)) & 0xffffu) == letters {
            return Symbol(i + 1u, bytes);
        }
    }
    return Symbol(0u, 0u);
}

// A symbol of an aromatic atom in brackets.
fn aromatic_symbol(a: u32, b: u32) -> Symbol {
    if a == LOWER_S && b == LOWER_E {
        return Symbol(SELENIUM, 2u);
    }
    if a == LOWER_T && b == LOWER_E {
        return Symbol(TELLURIUM, 2u);
    }
    if (a == LOWER_S || a == LOWER_T || a == LOWER_A) && (b == LOWER_I || b == LOWER_S) {
        return Symbol(0u, 0u);
    }
    switch a {
        case LOWER_C: { return Symbol(CARBON, 1u); }
        case LOWER_N: { return Symbol(NITROGEN, 1u); }
        case LOWER_O: { return Symbol(OXYGEN, 1u); }
        case LOWER_S: { return Symbol(SULFUR, 1u); }
        case LOWER_P: { return Symbol(PHOSPHORUS, 1u); }
        case LOWER_B: { return Symbol(BORON, 1u); }
        default: { return Symbol(0u, 0u); }
    }
}

fn read_charge() -> i32 {
    let byte = peek(0u);
    if byte != PLUS && byte != MINUS {
        return 0;
    }
    cursor++;
    var size = 1;
    if is_digit(peek(0u)) {
        size = i32(peek(0u) - DIGIT_0);
        cursor++;
    } else {
        while peek(0u) == byte && size < SIGNS_MAX {
            size++;
            cursor++;
        }
    }
    return select(-size, size, byte == PLUS);
}

// The mark of a tetrahedral centre.
fn read_turn(index: u32) -> u32 {
    if peek(0u) != AT_SIGN {
        return KEY;
    }
    cursor++;
    var turn = LEFT;
    if peek(0u) == AT_SIGN {
        cursor++;
        turn = RIGHT;
    }
    atoms[index].written |= turn << TURN_BIT;
    let next = peek(0u);
    let ends = next == UPPER_H || next == PLUS || next == MINUS || next == CLOSE_BRACKET;
    return select(STATUS_CHIRALITY, KEY, ends && number(index) != HYDROGEN);
}

fn read_bracket(index: u32) -> u32 {
    cursor++;
    atoms[index].written |= IN_BRACKETS;
    if peek(0u) == DIGIT_0 {
        return STATUS_TEXT;
    }
    var isotope = 0u;
    while is_digit(peek(0u)) {
        isotope = 10u * isotope + (peek(0u) - DIGIT_0);
        cursor++;
        if isotope > 999u {
            return STATUS_TEXT;
        }
    }
    let a = peek(0u);
    let b = peek(1u);
    var found = aromatic_symbol(a, b);
    if found.number != 0u {
        atoms[index].written |= IS_AROMATIC;
    } else {
        found = symbol(a, b);
    }
    if found.number == 0u {
        return STATUS_WILDCARD;
    }
    cursor += found.bytes;
    atoms[index].nature = isotope | found.number << NUMBER_BIT;
    let turned = read_turn(index);
    if turned != KEY {
        return turned;
    }
    if peek(0u) == UPPER_H {
        cursor++;
        var hydrogens = 1u;
        if is_digit(peek(0u)) {
            hydrogens = peek(0u) - DIGIT_0;
            cursor++;
        }
        set_hydrogens(index, hydrogens);
    }
    set_charge(index, read_charge());
    let end = peek(0u);
    cursor++;
    return select(select(STATUS_TEXT, STATUS_ATOM_MAP, end == COLON), KEY, end == CLOSE_BRACKET);
}

// A symbol outside of brackets.
fn read_symbol(byte: u32, next: u32) -> Symbol {
    switch byte {
        case UPPER_C: {
            if next == LOWER_L {
                return Symbol(CHLORINE, 2u);
            }
            return Symbol(CARBON, 1u);
        }
        case UPPER_B: {
            if next == LOWER_R {
                return Symbol(BROMINE, 2u);
            }
            return Symbol(BORON, 1u);
        }
        case UPPER_N, LOWER_N: { return Symbol(NITROGEN, 1u); }
        case UPPER_O, LOWER_O: { return Symbol(OXYGEN, 1u); }
        case UPPER_F: { return Symbol(FLUORINE, 1u); }
        case UPPER_S, LOWER_S: { return Symbol(SULFUR, 1u); }
        case UPPER_P, LOWER_P: { return Symbol(PHOSPHORUS, 1u); }
        case UPPER_I: { return Symbol(IODINE, 1u); }
        case LOWER_C: { return Symbol(CARBON, 1u); }
        case LOWER_B: { return Symbol(BORON, 1u); }
        default: { return Symbol(0u, 1u); }
    }
}

fn read_atom(index: u32) -> u32 {
    let byte = peek(0u);
    if byte == OPEN_BRACKET {
        return read_bracket(index);
    }
    let found = read_symbol(byte, peek(1u));
    if found.number == 0u {
        return select(STATUS_TEXT, STATUS_WILDCARD, byte == STAR);
    }
    cursor += found.bytes;
    atoms[index].nature = found.number << NUMBER_BIT;
    if byte >= LOWER_A {
        atoms[index].written |= IS_AROMATIC;
    }
    return KEY;
}

// The number of a ring closure; RING_NUMBERS if it is none.
fn ring_number() -> u32 {
    let digit = peek(0u);
    if is_digit(digit) {
        cursor++;
        return digit - DIGIT_0;
    }
    let tens = peek(1u);
    let ones = peek(2u);
    cursor += 3u;
    let fits = is_digit(tens) && is_digit(ones) && tens != DIGIT_0;
    return select(RING_NUMBERS, 10u * (tens - DIGIT_0) + (ones - DIGIT_0), fits);
}

// Takes the atom that was read, the one behind all, into the molecule.
fn add_atom(above: u32, link: Link) -> u32 {
    let index = atom_count;
    if index == ATOMS_MAX {
        return STATUS_TOO_LARGE;
    }
    any_turn |= turn(index) != NO_TURN;
    any_aromatic |= is_written(index, IS_AROMATIC);
    any_hydrogen_atom |= is_hydrogen_atom(index);
    atom_count++;
    set_entry(ABOVE, index, above);
    set_entry(DEPTH, index, 0u);
    if above == NOBODY {
        atoms[index].written |= IS_FIRST;
        return KEY;
    }
    set_entry(DEPTH, index, entry(DEPTH, above) + 1u);
    let order = order_of(link, is_written(above, IS_AROMATIC) && is_written(index, IS_AROMATIC));
    any_side |= link.side != 0;
    let pushed = push(above, index, order, link.side);
    if pushed != KEY {
        return pushed;
    }
    return push(index, above, order, -link.side);
}

// The bonds on the way from one atom to the other are in a ring.
fn mark_ring(one: u32, other: u32) -> u32 {
    var a = one;
    var b = other;
    while a != b {
        let is_a = entry(DEPTH, a) >= entry(DEPTH, b);
        let lower = select(b, a, is_a);
        let up = entry(ABOVE, lower);
        // The closure joins two parts.
        if up == NOBODY {
            return STATUS_TEXT;
        }
        // The atom above is the first of the neighbours.
        atoms[lower].electrons |= 1u;
        atoms[up].electrons |= 1u << slot_of(up, lower);
        a = select(a, up, is_a);
        b = select(up, b, is_a);
    }
    return KEY;
}

// Where the open ring closure of this number stands among those that are open; `rings_open` if it is not there.
fn open_ring(number: u32) -> u32 {
    var at = 0u;
    while at < rings_open && (lists[LIST_WORDS * OPEN_RINGS + at] & 0xffu) != number {
        at++;
    }
    return at;
}

fn ring(here: u32, number: u32, link: Link) -> u32 {
    // RDKit has an order of its own for closures that stand behind a branch of a centre.
    if turn(here) != NO_TURN && here + 1u != atom_count {
        return STATUS_TEXT;
    }
    atoms[here].written += 1u << CLOSURES_BIT;
    any_side |= link.side != 0;
    let place = LIST_WORDS * OPEN_RINGS + open_ring(number);
    let slot = degree(here);
    let is_open = place - LIST_WORDS * OPEN_RINGS < rings_open;
    if !is_open {
        let side = (bitcast<u32>(link.side) & 15u) << 24u;
        lists[place] = number | here << 8u | slot << 16u | link.order << 20u | side;
        rings_open++;
        return push(here, NOBODY, 0u, 0);
    }
    let open = lists[place];
    rings_open--;
    lists[place] = lists[LIST_WORDS * OPEN_RINGS + rings_open];
    let there = open >> 8u & 0xffu;
    if there == here || slot_of(here, there) != NO_SLOT {
        return STATUS_TEXT;
    }
    return close_ring(here, there, open >> 16u & 15u, link, Link(open >> 20u & 15u, side_in(open, 6u)));
}

// Binds two atoms by a ring closure that was open in a slot of the other.
fn close_ring(here: u32, there: u32, there_slot: u32, link: Link, open: Link) -> u32 {
    if open.order != 0u && link.order != 0u && link.order != open.order {
        return STATUS_TEXT;
    }
    let both_aromatic = is_written(here, IS_AROMATIC) && is_written(there, IS_AROMATIC);
    let order = select(order_of(link, both_aromatic), open.order, open.order != 0u);
    // Either end may bear the mark, each as seen from itself.
    if open.side != 0 && link.side != 0 && link.side != -open.side {
        return STATUS_MARKS;
    }
    let side = select(open.side, -link.side, open.side == 0);
    atoms[there].neighbours = with_byte(atoms[there].neighbours, there_slot, here);
    atoms[there].orders = with_four_bits(atoms[there].orders, there_slot, order);
    atoms[there].sides = with_four_bits(atoms[there].sides, there_slot, bitcast<u32>(side));
    let slot = degree(here);
    let pushed = push(here, there, order, -side);
    if pushed != KEY {
        return pushed;
    }
    atoms[there].electrons |= 1u << there_slot;
    atoms[here].electrons |= 1u << slot;
    return mark_ring(there, here);
}

// Whether what stands behind a bracket can't begin a branch: that begins with a bond or an atom.
fn begins_no_branch(byte: u32) -> bool {
    let is_bracket = byte == OPEN_BRANCH || byte == CLOSE_BRANCH;
    return byte == 0u || is_bracket || byte == DOT || byte == PERCENT || is_digit(byte);
}

// Reads all of a text.
fn read_text() -> u32 {
    var here = NOBODY;
    var link = Link(0u, 0);
    while cursor < text_bytes {
        let byte = peek(0u);
        let bare = is_none(link);
        if byte == OPEN_BRANCH && here != NOBODY && bare && branches_open < BRANCHES_MAX {
            cursor++;
            if begins_no_branch(peek(0u)) {
                return STATUS_TEXT;
            }
            set_entry(BRANCHES, branches_open, here);
            branches_open++;
        } else if byte == CLOSE_BRANCH && branches_open > 0u && bare {
            cursor++;
            branches_open--;
            here = entry(BRANCHES, branches_open);
        } else if byte == DOT && here != NOBODY && bare && branches_open == 0u {
            cursor++;
            here = NOBODY;
            if cursor == text_bytes {
                return STATUS_TEXT;
            }
        } else if is_link(byte) && here != NOBODY && bare {
            cursor++;
            link = link_of(byte);
        } else if (is_digit(byte) || byte == PERCENT) && here != NOBODY {
            // Behind the bond with which a branch begins comes an atom.
            if !bare && cursor >= 2u && peek(~1u) == OPEN_BRANCH {
                return STATUS_TEXT;
            }
            let number = ring_number();
            if number == RING_NUMBERS {
                return STATUS_TEXT;
            }
            let closed = ring(here, number, link);
            if closed != KEY {
                return closed;
            }
            link = Link(0u, 0);
        } else {
            let index = atom_count;
            let known = read_atom(index);
            if known != KEY {
                return known;
            }
            let added = add_atom(here, link);
            if added != KEY {
                return added;
            }
            here = index;
            link = Link(0u, 0);
        }
    }
    let ended = branches_open == 0u && rings_open == 0u && is_none(link);
    return select(STATUS_TEXT, KEY, ended && atom_count > 0u);
}

// ── valence ─────────────────────────────────────────────────────────────────────────────────────────────────

// No valence, no number of hydrogens.
const NO_COUNT = 255u;

// The valence of an aromatic atom, for which its ring has to find a double bond if it takes one more than its
// bonds and hydrogens.
fn aromatic_valence(number: u32, charge: i32) -> u32 {
    switch number {
        case CARBON: { return select(select(NO_COUNT, 3u, abs(charge) == 1), 4u, charge == 0); }
        case NITROGEN: { return select(NO_COUNT, u32(3 + charge), abs(charge) <= 1); }
        case PHOSPHORUS: { return select(NO_COUNT, u32(3 + charge), charge == 0 || charge == 1); }
        case BORON: { return select(NO_COUNT, 3u, charge == 0); }
        case OXYGEN, SULFUR, SELENIUM, TELLURIUM: {
            return select(NO_COUNT, u32(2 + charge), charge == 0 || charge == 1);
        }
        default: { return NO_COUNT; }
    }
}

// The hydrogens of an atom outside brackets whose bonds take `used`. NO_COUNT: no such state, or one that is
// RDKit's business.
fn implicit_hydrogens(number: u32, used: u32) -> u32 {
    // The least and the greatest; others lie between, two apart.
    var least = 1u;
    var greatest = 1u;
    switch number {
        case BORON, NITROGEN: {
            least = 3u;
            greatest = 3u;
        }
        case CARBON: {
            least = 4u;
            greatest = 4u;
        }
        case OXYGEN: {
            least = 2u;
            greatest = 2u;
        }
        case PHOSPHORUS: {
            least = 3u;
            greatest = 5u;
        }
        case SULFUR: {
            least = 2u;
            greatest = 6u;
        }
        default: {}
    }
    if used > greatest {
        return NO_COUNT;
    }
    if used <= least {
        return least - used;
    }
    return (used - least) & 1u;
}

// Valences that an atom may have without a radical, and that RDKit takes so: a bit per valence.
fn certain_valences(index: u32) -> u32 {
    let charge = charge(index);
    switch number(index) {
        case HYDROGEN: { return select(select(0u, 0x1u, charge == 1), 0x2u, charge == 0); }
        case BORON: { return select(select(0u, 0x10u, charge == -1), 0x8u, charge == 0); }
        case CARBON: { return select(select(0u, 0x8u, abs(charge) == 1), 0x10u, charge == 0); }
        case SILICON, GERMANIUM: { return select(0u, 0x10u, charge == 0); }
        case NITROGEN: { return select(0u, 1u << u32(3 + charge), abs(charge) <= 1); }
        case OXYGEN: { return select(0u, 1u << u32(2 + charge), charge >= -2 && charge <= 1); }
        case SULFUR, SELENIUM, TELLURIUM: {
            // Uncharged 2, 4 and 6.
            let charged = select(0u, 1u << u32(2 + charge), charge >= -2 && charge <= 1);
            return select(charged, 0x54u, charge == 0);
        }
        case PHOSPHORUS, ARSENIC: {
            if charge == -1 && number(index) == PHOSPHORUS {
                return 0x40u;
            }
            return select(select(0u, 0x10u, charge == 1), 0x28u, charge == 0);
        }
        case FLUORINE, CHLORINE, BROMINE, IODINE: {
            return select(select(0u, 0x1u, charge == -1), 0x2u, charge == 0);
        }
        default: {
            // Ions and atoms on their own; bonds of metals are RDKit's business.
            return select(0u, 0x1u, degree(index) == 0u && hydrogens(index) == 0u);
        }
    }
}

fn is_certain(index: u32, valence: u32) -> bool {
    return valence < 8u && has(certain_valences(index), valence);
}

// What the bonds of an atom take.
struct Used {
    // Pairs of electrons in bonds that are not aromatic.
    pairs: u32,
    // The number of those that are.
    aromatic: u32,
}

fn pairs_in_bonds(index: u32) -> Used {
    let orders = atoms[index].orders;
    var used = Used(0u, 0u);
    for (var slot = 0u; slot < degree(index); slot++) {
        let order = order_in(orders, slot);
        if order == AROMATIC {
            used.aromatic++;
        } else {
            used.pairs += order;
        }
    }
    return used;
}

fn complete_aromatic(index: u32, pairs: u32, aromatic: u32) -> u32 {
    if aromatic < 2u || in_ring(index) == 0u {
        return STATUS_AROMATIC;
    }
    let valence = aromatic_valence(number(index), charge(index));
    if valence == NO_COUNT {
        return STATUS_AROMATIC;
    }
    if !is_written(index, IN_BRACKETS) {
        // An aromatic bond counts as one and a half.
        let counted = pairs + (3u * aromatic + 1u) / 2u;
        set_hydrogens(index, max(valence, counted) - counted);
    }
    // A ring has one double bond at most for an atom; others lie outside of it.
    let used = pairs + aromatic + hydrogens(index);
    // RDKit overlooks one and a half too much, such as that of pyrrole's nitrogen.
    if 3u * aromatic + 2u * (pairs + hydrogens(index)) > 2u * valence + 3u {
        return STATUS_AROMATIC;
    }
    if valence < used || valence - used > 1u {
        return STATUS_AROMATIC;
    }
    set_unsaturation(index, pairs + aromatic - degree(index) + (valence - used));
    return KEY;
}

// N(=O)=O is written with charges by RDKit.
fn charge_nitro(nitrogen: u32) -> u32 {
    var found = NO_SLOT;
    var oxides = 0u;
    for (var slot = 0u; slot < degree(nitrogen); slot++) {
        let other = neighbour(nitrogen, slot);
        if order_in(atoms[nitrogen].orders, slot) == DOUBLE && number(other) == OXYGEN && degree(other) == 1u
            && !is_written(other, IN_BRACKETS) && isotope(other) == 0u {
            if oxides == 0u {
                found = slot;
            }
            oxides++;
        }
    }
    if oxides < 2u || degree(nitrogen) != 3u {
        return STATUS_VALENCE;
    }
    atoms[nitrogen].orders = with_four_bits(atoms[nitrogen].orders, found, SINGLE);
    set_charge(nitrogen, 1);
    set_unsaturation(nitrogen, 1u);
    // In brackets from now on: it takes no hydrogen, whichever of the two is looked at first.
    let oxygen = neighbour(nitrogen, found);
    atoms[oxygen].orders = with_four_bits(atoms[oxygen].orders, 0u, SINGLE);
    atoms[oxygen].written |= IN_BRACKETS;
    set_charge(oxygen, -1);
    set_hydrogens(oxygen, 0u);
    set_unsaturation(oxygen, 0u);
    return KEY;
}

// The list of four bits per slot without one of them.
fn without_four_bits(list: u32, slot: u32) -> u32 {
    let below = (1u << (4u * slot)) - 1u;
    return (list & below) | (list >> 4u & ~below);
}

fn take_out(heavy: u32, hydrogen: u32) -> u32 {
    let slot = slot_of(heavy, hydrogen);
    if slot == NO_SLOT {
        return STATUS_HYDROGEN;
    }
    var atom = atoms[heavy];
    let side = side_in(atom.sides, slot);
    if side != 0 {
        let before = hydrogen_side(heavy);
        if before != 0 && hydrogens(heavy) > 0u && before != -side {
            return STATUS_MARKS;
        }
        atom.written = insertBits(atom.written, bitcast<u32>(side), HYDROGEN_SIDE_BIT, 2u);
    }
    atom.written = (atom.written & ~HYDROGEN_ODD) | HYDROGEN_WAS_ATOM | select(0u, HYDROGEN_ODD, (slot & 1u) != 0u);
    atom.nature += ONE_HYDROGEN;
    atom.neighbours = without_byte(atom.neighbours, slot);
    atom.orders = without_four_bits(atom.orders, slot);
    atom.sides = without_four_bits(atom.sides, slot);
    let rings = atom.electrons & 0xffu;
    let below = rings & ((1u << slot) - 1u);
    atom.electrons = insertBits(atom.electrons, below | rings >> (slot + 1u) << slot, 0u, 8u);
    // The degree is in the lowest bits.
    atom.written -= 1u;
    atoms[heavy] = atom;
    return KEY;
}

fn is_hydrogen_atom(index: u32) -> bool {
    return number(index) == HYDROGEN && isotope(index) == 0u && charge(index) == 0;
}

// Takes hydrogens that are atoms out of the lists of their neighbours, as RDKit does, and numbers the atoms that
// are left from 0 on.
fn count_hydrogen_atoms() -> u32 {
    var count = 0u;
    for (var index = 0u; index < atom_count; index++) {
        if !is_hydrogen_atom(index) {
            set_entry(ABOVE, index, count);
            count++;
            continue;
        }
        if degree(index) != 1u || hydrogens(index) != 0u {
            return STATUS_HYDROGEN;
        }
        let heavy = neighbour(index, 0u);
        if number(heavy) == HYDROGEN {
            return STATUS_HYDROGEN;
        }
        let taken = take_out(heavy, index);
        if taken != KEY {
            return taken;
        }
        // It is gone.
        set_entry(ABOVE, index, NOBODY);
    }
    for (var index = 0u; index < atom_count; index++) {
        let place = entry(ABOVE, index);
        if place == NOBODY {
            continue;
        }
        var atom = atoms[index];
        for (var slot = 0u; slot < degree(index); slot++) {
            let other = entry(ABOVE, byte_of(atom.neighbours, slot));
            atom.neighbours = with_byte(atom.neighbours, slot, other);
        }
        atoms[place] = atom;
    }
    atom_count = count;
    return KEY;
}

// Gives an atom that is not aromatic its hydrogens and its unsaturation.
fn complete_plain(index: u32, pairs: u32) -> u32 {
    if !is_written(index, IN_BRACKETS) {
        let hydrogens = implicit_hydrogens(number(index), pairs);
        if hydrogens == NO_COUNT {
            return STATUS_VALENCE;
        }
        set_hydrogens(index, hydrogens);
    } else if !is_certain(index, pairs + hydrogens(index)) {
        return STATUS_VALENCE;
    }
    set_unsaturation(index, pairs - degree(index));
    // RDKit writes some of these with charges.
    let two_double_bonds = number(index) == PHOSPHORUS && charge(index) == 0 && unsaturation(index) > 1u;
    // In an aromatic ring these would not be read.
    let no_valence = aromatic_valence(number(index), charge(index)) == NO_COUNT;
    let uncommon = is_written(index, IN_BRACKETS) && unsaturation(index) > 0u && no_valence;
    if two_double_bonds || (uncommon && total_degree(index) <= 3u) {
        return STATUS_VALENCE;
    }
    return KEY;
}

// Gives every atom its hydrogens and its unsaturation; hydrogens that are atoms become counted ones.
fn complete() -> u32 {
    for (var index = 0u; index < atom_count; index++) {
        let used = pairs_in_bonds(index);
        var status = KEY;
        if used.aromatic > 0u && !is_written(index, IS_AROMATIC) {
            status = STATUS_AROMATIC;
        } else if is_written(index, IS_AROMATIC) {
            status = complete_aromatic(index, used.pairs, used.aromatic);
        } else if number(index) == NITROGEN && used.pairs == 5u && !is_written(index, IN_BRACKETS) {
            status = charge_nitro(index);
        } else {
            status = complete_plain(index, used.pairs);
        }
        if status != KEY {
            return status;
        }
    }
    if any_hydrogen_atom {
        return count_hydrogen_atoms();
    }
    return KEY;
}

// ── bonds ───────────────────────────────────────────────────────────────────────────────────────────────────

var<private> queue_count: u32;
var<private> bridge_count: u32;

// Puts an atom that has a single way into the queue. An error: it has none at all.
fn look_at(index: u32) -> u32 {
    if open_pairs(index) == 0u {
        return KEY;
    }
    let ways = countOneBits(may_take(index));
    if ways == 0u {
        return STATUS_BONDS;
    }
    if ways == 1u {
        // Twice at most: when its last way but one goes, and when a double bond leaves it open.
        if queue_count == 2u * ATOMS_MAX {
            return STATUS_TOO_LARGE;
        }
        set_entry(QUEUE, queue_count, index);
        queue_count++;
    }
    return KEY;
}

// The bond in this slot takes no more.
fn close_slot(index: u32, slot: u32) {
    set_may_take(index, may_take(index) & ~(1u << slot));
}

// An atom that has given all takes no more.
fn shut(index: u32) -> u32 {
    var left = may_take(index);
    set_may_take(index, 0u);
    while left != 0u {
        let other = neighbour(index, firstTrailingBit(left));
        left &= left - 1u;
        close_slot(other, slot_of(other, index));
        let looked = look_at(other);
        if looked != KEY {
            return looked;
        }
    }
    return KEY;
}

// Puts pairs into a bond; with that it is settled.
fn give(index: u32, slot: u32, pairs: u32) -> u32 {
    if slot >= NEIGHBOURS_MAX {
        return STATUS_BONDS;
    }
    let other = neighbour(index, slot);
    if pairs > 2u || open_pairs(other) < pairs || open_pairs(index) < pairs {
        return STATUS_BONDS;
    }
    let back = slot_of(other, index);
    for (var i = 0u; i < 2u; i++) {
        let end = select(index, other, i == 1u);
        let end_slot = select(slot, back, i == 1u);
        atoms[end].settled = with_four_bits(atoms[end].settled, end_slot, SINGLE + pairs);
        atoms[end].electrons -= pairs << OPEN_BIT;
        close_slot(end, end_slot);
    }
    for (var i = 0u; i < 2u; i++) {
        let end = select(index, other, i == 1u);
        var status = KEY;
        if open_pairs(end) == 0u {
            status = shut(end);
        } else {
            status = look_at(end);
        }
        if status != KEY {
            return status;
        }
    }
    return KEY;
}

// Settles the bridges that were found, then the bonds of atoms that have a single way, until there are none.
fn peel() -> u32 {
    var bridge = 0u;
    while bridge < bridge_count || queue_count > 0u {
        var index = 0u;
        var slot = 0u;
        var pairs = 0u;
        if bridge < bridge_count {
            index = entry(BRIDGE_HERE, bridge);
            slot = slot_of(index, entry(BRIDGE_ABOVE, bridge));
            // None: it is a single bond, and only its ends are looked at.
            pairs = entry(BRIDGE_ODD, bridge);
            bridge++;
            if !has(may_take(index), slot) {
                // Another bridge has settled it: it must have done so in the same way.
                if (order_in(atoms[index].settled, slot) > SINGLE) != (pairs == 1u) {
                    return STATUS_BONDS;
                }
                continue;
            }
        } else {
            queue_count--;
            index = entry(QUEUE, queue_count);
            slot = firstTrailingBit(may_take(index));
            pairs = open_pairs(index);
            if pairs == 0u {
                continue;
            }
        }
        let given = give(index, slot, pairs);
        if given != KEY {
            return given;
        }
    }
    return KEY;
}

fn begin_bonds() {
    for (var index = 0u; index < atom_count; index++) {
        let pairs = unsaturation(index);
        atoms[index].electrons = in_ring(index) | pairs << UNSATURATION_BIT | pairs << OPEN_BIT;
        atoms[index].settled = ALL_SINGLE;
    }
    for (var index = 0u; index < atom_count; index++) {
        if open_pairs(index) == 0u {
            continue;
        }
        var slots = 0u;
        for (var slot = 0u; slot < degree(index); slot++) {
            slots |= select(0u, 1u << slot, open_pairs(neighbour(index, slot)) > 0u);
        }
        set_may_take(index, slots);
    }
}

// Marks the bonds of a way that closes; an atom a byte.
fn mark_six_ring(way: vec2<u32>) {
    var before = byte_of(way, 5u);
    for (var i = 0u; i < 6u; i++) {
        let index = byte_of(way, i);
        let behind = byte_of(way, select(i + 1u, 0u, i == 5u));
        let bonds = 1u << slot_of(index, before) | 1u << slot_of(index, behind);
        set_entry(SIX_RINGS, index, entry(SIX_RINGS, index) | bonds);
        before = index;
    }
}

// Whether an atom may go on with a way: it is not on it, and no chord leads to it.
fn fits(next: u32, way: vec2<u32>, length: u32) -> bool {
    for (var i = 0u; i < length; i++) {
        let other = byte_of(way, i);
        let knows = slot_of(next, other) != NO_SLOT;
        if other == next || (i != length - 1u && knows != (i == 0u && length == 5u)) {
            return false;
        }
    }
    return true;
}

// Goes on with a way of two open atoms until it closes after six. No chord: beside its neighbours in the ring an
// atom knows none of them.
fn find_ring(first: u32, second: u32) {
    // The atoms on the way, and the bonds of each that are still to follow; a byte each.
    var way = vec2(first | second << 8u, 0u);
    var left = vec2(may_take(second) << 8u, 0u);
    var length = 2u;
    while length >= 2u {
        let here = byte_of(left, length - 1u);
        if here == 0u {
            length--;
            continue;
        }
        left = with_byte(left, length - 1u, here & (here - 1u));
        let next = neighbour(byte_of(way, length - 1u), firstTrailingBit(here));
        if length == 6u {
            if next == first {
                mark_six_ring(way);
                return;
            }
            continue;
        }
        if fits(next, way, length) {
            way = with_byte(way, length, next);
            left = with_byte(left, length, may_take(next));
            length++;
        }
    }
}

// Marks the bonds of six-membered rings without chords whose atoms are all open.
fn mark_six_rings() {
    for (var index = 0u; index < atom_count; index++) {
        set_entry(SIX_RINGS, index, 0u);
    }
    for (var index = 0u; index < atom_count; index++) {
        var left = may_take(index) & ~entry(SIX_RINGS, index);
        while left != 0u {
            let slot = firstTrailingBit(left);
            left &= left - 1u;
            if !has(entry(SIX_RINGS, index), slot) {
                find_ring(index, neighbour(index, slot));
            }
        }
    }
}

// The first visit of an atom.
fn visit(index: u32, above: u32, order: u32) {
    set_entry(VISIT_ORDER, index, order);
    set_entry(VISIT_LOW, index, order);
    set_entry(VISIT_ABOVE, index, above);
    set_entry(VISIT_LEFT, index, may_take(index));
    set_entry(VISIT_PAIRS, index, open_pairs(index));
}

// Goes back from an atom, below which all was visited, to the one above. The bond between them may be a bridge.
fn go_back(here: u32) -> u32 {
    let above = entry(VISIT_ABOVE, here);
    let low = entry(VISIT_LOW, here);
    let pairs = entry(VISIT_PAIRS, here);
    set_entry(VISIT_LOW, above, min(low, entry(VISIT_LOW, above)));
    set_entry(VISIT_PAIRS, above, entry(VISIT_PAIRS, above) + pairs);
    if low > entry(VISIT_ORDER, above) && min(open_pairs(here), open_pairs(above)) == 1u {
        set_entry(BRIDGE_HERE, bridge_count, here);
        set_entry(BRIDGE_ABOVE, bridge_count, above);
        set_entry(BRIDGE_ODD, bridge_count, pairs & 1u);
        bridge_count++;
    }
    return above;
}

// Finds bonds that alone hold two parts of the open atoms together; `peel` settles them.
fn find_bridges() {
    for (var index = 0u; index < atom_count; index++) {
        set_entry(VISIT_ORDER, index, 0u);
    }
    bridge_count = 0u;
    var order = 0u;
    for (var root = 0u; root < atom_count; root++) {
        if may_take(root) == 0u || entry(VISIT_ORDER, root) != 0u {
            continue;
        }
        var here = root;
        var above = root;
        loop {
            if entry(VISIT_ORDER, here) == 0u {
                order++;
                visit(here, above, order);
            }
            let left = entry(VISIT_LEFT, here);
            if left == 0u {
                if here == root {
                    break;
                }
                here = go_back(here);
                continue;
            }
            set_entry(VISIT_LEFT, here, left & (left - 1u));
            let next = neighbour(here, firstTrailingBit(left));
            let seen = entry(VISIT_ORDER, next);
            if seen == 0u {
                above = here;
                here = next;
            } else if next != entry(VISIT_ABOVE, here) && seen < entry(VISIT_LOW, here) {
                set_entry(VISIT_LOW, here, seen);
            }
        }
    }
}

// Finds an atom a partner, if need be by having others change theirs (Kuhn 1955). Partners are bound by bonds
// that the text has as aromatic.
fn find_partner(index: u32) -> bool {
    set_entry(WAY, 0u, index);
    set_entry(WAY_NEXT, 0u, 0u);
    var length = 1u;
    while length > 0u {
        let here = entry(WAY, length - 1u);
        let slot = entry(WAY_NEXT, length - 1u);
        if slot == degree(here) {
            length--;
            continue;
        }
        set_entry(WAY_NEXT, length - 1u, slot + 1u);
        let other = neighbour(here, slot);
        if !has(may_take(here), slot) || order_in(atoms[here].orders, slot) != AROMATIC
            || entry(SEEN, other) == index + 1u {
            continue;
        }
        set_entry(SEEN, other, index + 1u);
        if entry(PARTNER, other) == NOBODY {
            // All on the way take the one that they were looking at.
            for (var i = 0u; i < length; i++) {
                let atom = entry(WAY, i);
                set_entry(PARTNER, neighbour(atom, entry(WAY_NEXT, i) - 1u), atom);
            }
            return true;
        }
        set_entry(WAY, length, entry(PARTNER, other));
        set_entry(WAY_NEXT, length, 0u);
        length++;
    }
    return false;
}

// Sides 1 and 2 at the two ends of every bond that is open; 0 is none.
fn take_sides(root: u32) -> u32 {
    set_entry(MATCH_SIDES, root, 1u);
    set_entry(WAY, 0u, root);
    var height = 1u;
    while height > 0u {
        height--;
        let here = entry(WAY, height);
        let side = entry(MATCH_SIDES, here);
        var left = may_take(here);
        while left != 0u {
            let other = neighbour(here, firstTrailingBit(left));
            left &= left - 1u;
            let both = (atoms[other].written ^ atoms[here].written) & IS_AROMATIC;
            if both != 0u || entry(MATCH_SIDES, other) == side {
                return STATUS_AROMATIC;
            }
            if entry(MATCH_SIDES, other) == 0u {
                set_entry(MATCH_SIDES, other, 3u - side);
                set_entry(WAY, height, other);
                height++;
            }
        }
    }
    return KEY;
}

// Rings that the text has as aromatic must have a form with double bonds. (Those that it has with double bonds
// have one.)
fn match_rings() -> u32 {
    for (var index = 0u; index < atom_count; index++) {
        set_entry(MATCH_SIDES, index, 0u);
        set_entry(SEEN, index, 0u);
        set_entry(PARTNER, index, NOBODY);
    }
    for (var root = 0u; root < atom_count; root++) {
        if open_pairs(root) == 0u || entry(MATCH_SIDES, root) != 0u {
            continue;
        }
        let taken = take_sides(root);
        if taken != KEY {
            return taken;
        }
    }
    var matched = 0u;
    var all_open = 0u;
    for (var index = 0u; index < atom_count; index++) {
        if open_pairs(index) > 0u && is_written(index, IS_AROMATIC) {
            all_open++;
            if entry(MATCH_SIDES, index) == 1u && find_partner(index) {
                matched += 2u;
            }
        }
    }
    return select(STATUS_AROMATIC, KEY, matched == all_open);
}

fn is_all_in_six_rings() -> bool {
    for (var index = 0u; index < atom_count; index++) {
        if (may_take(index) & ~entry(SIX_RINGS, index)) != 0u {
            return false;
        }
    }
    return true;
}

fn is_any_open() -> bool {
    for (var index = 0u; index < atom_count; index++) {
        if open_pairs(index) > 0u {
            return true;
        }
    }
    return false;
}

// All that is open is in rings of six: their bonds are aromatic.
fn settle_rings() -> u32 {
    for (var index = 0u; index < atom_count; index++) {
        let open = open_pairs(index);
        if open == 0u {
            continue;
        }
        let number = number(index);
        let charge = charge(index);
        let plain = (number == CARBON && charge == 0) || (number == NITROGEN && (charge == 0 || charge == 1))
            || ((number == OXYGEN || number == SULFUR) && charge == 1);
        if !plain || open > 1u {
            return STATUS_BONDS;
        }
        var left = entry(SIX_RINGS, index);
        while left != 0u {
            atoms[index].settled = with_four_bits(atoms[index].settled, firstTrailingBit(left), AROMATIC);
            left &= left - 1u;
        }
    }
    if any_aromatic {
        return match_rings();
    }
    return KEY;
}

// What is settled must be what the text says, where it says it.
fn compare_with_text() -> u32 {
    for (var index = 0u; index < atom_count; index++) {
        for (var slot = 0u; slot < degree(index); slot++) {
            let written = order_in(atoms[index].orders, slot);
            let settled = order_in(atoms[index].settled, slot);
            var same = written == settled || (settled == AROMATIC && written <= DOUBLE);
            if written == AROMATIC {
                same = settled == SINGLE || has(in_ring(index), slot);
            }
            if !same {
                return STATUS_AROMATIC;
            }
        }
    }
    return KEY;
}

// Settles all bonds; `settled` then holds them.
fn settle() -> u32 {
    begin_bonds();
    for (var index = 0u; index < atom_count; index++) {
        let looked = look_at(index);
        if looked != KEY {
            return looked;
        }
    }
    loop {
        let peeled = peel();
        if peeled != KEY {
            return peeled;
        }
        if !is_any_open() {
            break;
        }
        mark_six_rings();
        if is_all_in_six_rings() {
            let settled = settle_rings();
            if settled != KEY {
                return settled;
            }
            break;
        }
        find_bridges();
        if bridge_count == 0u {
            return STATUS_BONDS;
        }
    }
    return compare_with_text();
}

// ── refine ──────────────────────────────────────────────────────────────────────────────────────────────────

// A colour per atom: as they are, and behind them as they were a step before.
var<private> colours: array<vec2<u32>, 128>;
const BEFORE = 64u;
// How many different ones there are.
var<private> distinct_colours: u32;

// Who looks: all there is; or what counts for ranks by the rules of Cahn, Ingold and Prelog as RDKit applies them:
// no charges.
var<private> only_ranks: bool;

// By how many bits a neighbour's colour is turned for each order of the bond to it, to set orders apart.
const ORDER_BITS = 11u;

// Mixes a word: every bit of it bears on every bit of the result, and different words stay different.
fn mix_word(word: vec2<u32>) -> vec2<u32> {
    let once = multiply(fold_27(word), vec2(0x2ba7b653u, 0x3c79ac49u));
    return fold_27(multiply(fold_33(once), vec2(0x4ac4ae35u, 0x1c69b3f7u)));
}

// What an atom is by itself.
fn begin() {
    for (var index = 0u; index < atom_count; index++) {
        let isotope = isotope(index);
        var label = vec2(number(index) | hydrogens(index) << 8u | degree(index) << 16u | isotope << 24u, isotope >> 8u);
        if !only_ranks {
            label.y |= (bitcast<u32>(charge(index)) & 0xffu) << 8u | unsaturation(index) << 16u;
        }
        label.y |= 0x80000000u;
        colours[index] = mix_word(label);
    }
    distinct_colours = 0u;
}

// What an atom sees of the colours that begin at a place. They are mixed already, so their sum tells what is around it.
fn see(index: u32, begin: u32) -> vec2<u32> {
    let neighbours = atoms[index].neighbours;
    let settled = atoms[index].settled;
    let own = colours[begin + index];
    var sum = add(own, vec2(own.x << 2u, own.y << 2u | own.x >> 30u));
    for (var slot = 0u; slot < degree(index); slot++) {
        let other = byte_of(neighbours, slot);
        let order = order_in(settled, slot);
        sum = add(sum, rotate_left(colours[begin + other], ORDER_BITS * order));
    }
    return mix_word(sum);
}

// From the colours that begin at one place to those that begin at the other.
fn step_colours(old: u32, new_ones: u32) {
    for (var index = 0u; index < atom_count; index++) {
        colours[new_ones + index] = see(index, old);
    }
}

// How many different ones there are.
fn count_distinct() -> u32 {
    var places = 64u;
    while places < 2u * atom_count {
        places *= 2u;
    }
    // Four places a word, nobody in any.
    for (var word = 0u; word < places / 4u; word++) {
        lists[LIST_WORDS * TABLE + word] = ~0u;
    }
    var distinct = 0u;
    for (var index = 0u; index < atom_count; index++) {
        let colour = colours[index];
        var place = colour.x & (places - 1u);
        loop {
            let held = entry(TABLE, place);
            if held == NOBODY {
                set_entry(TABLE, place, index);
                distinct++;
                break;
            }
            if all(colours[held] == colour) {
                break;
            }
            place = (place + 1u) & (places - 1u);
        }
    }
    return distinct;
}

// Refines until nothing changes.
fn refine() {
    // Few molecules are done with fewer rounds than two, so nothing is counted before.
    while distinct_colours < atom_count {
        for (var i = 0u; i < 2u; i++) {
            step_colours(BEFORE * i, BEFORE * (1u - i));
        }
        let distinct = count_distinct();
        let stable = distinct == distinct_colours;
        distinct_colours = distinct;
        if stable {
            break;
        }
    }
}

// What ranks do not see is seen at last, on top of what they have set apart.
fn see_the_rest() {
    for (var index = 0u; index < atom_count; index++) {
        colours[BEFORE + index] = colours[index];
    }
    only_ranks = false;
    begin();
    for (var index = 0u; index < atom_count; index++) {
        colours[index] = mix_word(colours[index] ^ rotate_left(colours[BEFORE + index], 17u));
    }
}

// ── stereo ──────────────────────────────────────────────────────────────────────────────────────────────────

// RDKit's bound: double bonds in smaller rings are cis by need.
const STEREO_RING_MIN = 8u;

const CENTRE_EVEN = 1u;
const CENTRE_ODD = 2u;
// Added to the code of both ends of a double bond; an atom may be the end of two.
const SAME_SIDE = 4u;
const OTHER_SIDE = 32u;

var<private> waiting_count: u32;
// Double bonds with marks.
var<private> bonds_count: u32;

fn same(a: u32, b: u32) -> bool {
    return all(colours[a] == colours[b]);
}

fn neighbours_differ(index: u32) -> bool {
    for (var i = 1u; i < degree(index); i++) {
        for (var j = 0u; j < i; j++) {
            if same(neighbour(index, i), neighbour(index, j)) {
                return false;
            }
        }
    }
    return true;
}

// Whether the centre is `@@`, seen with its neighbours in the order of their colours, its hydrogen first.
fn is_odd(index: u32) -> bool {
    var odd = turn(index) == RIGHT;
    for (var i = 1u; i < degree(index); i++) {
        for (var j = 0u; j < i; j++) {
            odd = odd != is_greater(colours[neighbour(index, j)], colours[neighbour(index, i)]);
        }
    }
    let lone = degree(index) == 3u && hydrogens(index) == 0u;
    // In brackets the hydrogen stands behind the atom before, if there is one.
    if hydrogens(index) == 1u {
        let was_atom = is_written(index, HYDROGEN_WAS_ATOM);
        odd = odd != select(!is_written(index, IS_FIRST), is_written(index, HYDROGEN_ODD), was_atom);
    }
    // RDKit's way with a centre of three that closes one ring.
    return odd != (lone && closures(index) == 1u && unsaturation(index) == 0u);
}

// The side of the neighbour of the higher colour at one end of a double bond, as its mark tells.
struct Side {
    status: u32,
    // The neighbours are not alike.
    tells: bool,
    mark: i32,
}

fn side_at(index: u32, other_end: u32) -> Side {
    var tells = false;
    var colour = vec2(0u);
    var mark = 0;
    for (var slot = 0u; slot < degree(index); slot++) {
        let other = neighbour(index, slot);
        if other == other_end {
            continue;
        }
        let next = colours[other];
        let next_mark = side_in(atoms[index].sides, slot);
        if !tells {
            colour = next;
            mark = next_mark;
            tells = true;
        } else if all(colour == next) {
            return Side(KEY, false, 0);
        } else if mark != 0 && mark == next_mark {
            return Side(STATUS_MARKS, false, 0);
        } else if is_greater(colour, next) {
            // One mark tells of both neighbours.
            mark = select(-next_mark, mark, mark != 0);
        } else {
            mark = select(-mark, next_mark, next_mark != 0);
            colour = next;
        }
    }
    if !tells {
        return Side(KEY, false, 0);
    }
    let of_hydrogen = hydrogen_side(index);
    if mark == 0 {
        mark = -of_hydrogen;
    } else if of_hydrogen == mark {
        return Side(STATUS_MARKS, false, 0);
    }
    return Side(KEY, true, mark);
}

// Whether a mark tells the neighbours of one end of a double bond apart.
fn has_mark(index: u32, other_end: u32) -> Answer {
    var heavy = false;
    var marked = false;
    for (var slot = 0u; slot < degree(index); slot++) {
        if neighbour(index, slot) != other_end {
            heavy = true;
            marked |= side_in(atoms[index].sides, slot) != 0;
        }
    }
    let of_hydrogen = hydrogen_side(index) != 0;
    // Here RDKit would keep the hydrogen as an atom.
    if of_hydrogen && !heavy {
        return Answer(STATUS_HYDROGEN, false);
    }
    return Answer(KEY, marked || of_hydrogen);
}

// Whether the bond is in a ring in which RDKit sees no double bonds' stereo.
fn in_small_ring(index: u32, slot: u32) -> bool {
    if !has(in_ring(index), slot) {
        return false;
    }
    let goal = neighbour(index, slot);
    for (var i = 0u; i < atom_count; i++) {
        set_entry(DISTANCE, i, 0u);
    }
    set_entry(STEPS, 0u, index);
    set_entry(DISTANCE, index, 1u);
    var count = 1u;
    for (var at = 0u; at < count; at++) {
        let here = entry(STEPS, at);
        let distance = entry(DISTANCE, here) + 1u;
        // As many atoms as the way has so far; with the goal one more.
        if distance >= STEREO_RING_MIN {
            return false;
        }
        for (var next = 0u; next < degree(here); next++) {
            if here == index && next == slot {
                continue;
            }
            let other = neighbour(here, next);
            if other == goal {
                return true;
            }
            if entry(DISTANCE, other) == 0u {
                set_entry(DISTANCE, other, distance);
                set_entry(STEPS, count, other);
                count++;
            }
        }
    }
    return false;
}

// More neighbours, hydrogens counted, leave an atom no electrons to share.
fn may_share(index: u32) -> bool {
    return in_ring(index) != 0u && total_degree(index) <= 3u;
}

// Whether an atom lies in a ring of such atoms, or between two. What is so may be aromatic or not; nothing else is.
fn may_be_aromatic(index: u32) -> bool {
    if !may_share(index) {
        return false;
    }
    for (var here = 0u; here < atom_count; here++) {
        set_entry(STEPS, here, select(0u, 1u, may_share(here)));
    }
    // Those fall off from which no way leads on, until there is none.
    loop {
        var any = false;
        for (var here = 0u; here < atom_count; here++) {
            if entry(STEPS, here) == 0u {
                continue;
            }
            var ways = 0u;
            for (var slots = in_ring(here); slots != 0u; slots &= slots - 1u) {
                ways += entry(STEPS, neighbour(here, firstTrailingBit(slots)));
            }
            if ways < 2u {
                set_entry(STEPS, here, 0u);
                any = true;
            }
        }
        if !any {
            break;
        }
    }
    return entry(STEPS, index) != 0u;
}

fn in_ring_of_three(index: u32) -> bool {
    for (var i = 1u; i < 3u; i++) {
        for (var j = 0u; j < i; j++) {
            if slot_of(neighbour(index, i), neighbour(index, j)) != NO_SLOT {
                return true;
            }
        }
    }
    return false;
}

fn nitrogen_of_three(index: u32) -> Answer {
    if unsaturation(index) > 0u {
        return Answer(KEY, false);
    }
    if charge(index) != 0 {
        return Answer(STATUS_CHIRALITY, false);
    }
    var conjugated = false;
    for (var slot = 0u; slot < 3u; slot++) {
        conjugated |= unsaturation(neighbour(index, slot)) > 0u;
    }
    let in_rings = countOneBits(in_ring(index) & 7u);
    if in_rings <= 1u && !conjugated {
        return Answer(KEY, false);
    }
    // In a ring of three, or where rings meet: what RDKit makes of it depends on its rings.
    if conjugated || in_rings == 3u {
        return Answer(STATUS_NITROGEN_CENTRE, false);
    }
    return Answer(KEY, in_ring_of_three(index));
}

fn centre_of_three(index: u32) -> Answer {
    let charge = charge(index);
    let unsaturation = unsaturation(index);
    switch number(index) {
        case CARBON: { return Answer(KEY, false); }
        case NITROGEN: { return nitrogen_of_three(index); }
        case SULFUR, SELENIUM: {
            return Answer(KEY, (charge == 0 && unsaturation == 1u) || (charge == 1 && unsaturation == 0u));
        }
        case PHOSPHORUS: { return Answer(select(STATUS_CHIRALITY, KEY, unsaturation == 0u), true); }
        case BORON: { return Answer(select(STATUS_CHIRALITY, KEY, charge == 0), false); }
        default: { return Answer(STATUS_CHIRALITY, false); }
    }
}

fn may_be_centre(index: u32) -> Answer {
    let degree = total_degree(index);
    let hydrogens = hydrogens(index);
    let number = number(index);
    if degree >= 5u || (hydrogens >= 1u && (number == PHOSPHORUS || number == ARSENIC)) {
        return Answer(STATUS_CHIRALITY, false);
    }
    if degree == 3u && hydrogens == 0u {
        return centre_of_three(index);
    }
    return Answer(KEY, degree == 4u && hydrogens <= 1u);
}

// Whether a centre with neighbours that are alike may be one by its ring.
fn is_ring_centre(index: u32) -> bool {
    let rings = in_ring(index);
    if rings == 0u {
        return false;
    }
    var outside = 0u;
    var count = 0u;
    var distinct = 0u;
    var first_outside = 0u;
    var second_outside = 0u;
    for (var slot = 0u; slot < degree(index); slot++) {
        let other = neighbour(index, slot);
        if !has(rings, slot) {
            if outside == 2u {
                return false;
            }
            first_outside = select(first_outside, other, outside == 0u);
            second_outside = other;
            outside++;
            continue;
        }
        var is_new = true;
        for (var i = 0u; i < slot; i++) {
            if has(rings, i) && same(neighbour(index, i), other) {
                is_new = false;
            }
        }
        distinct += select(0u, 1u, is_new);
        count++;
    }
    if outside == 2u {
        return !same(first_outside, second_outside);
    }
    if outside == 1u {
        return count >= 2u;
    }
    return (count == 4u && distinct == 3u) || (count == 3u && distinct == 2u);
}

// Says what the marked centres say whose neighbours differ; the others go on waiting. Whether there was one.
fn say_centres() -> bool {
    var any = false;
    var waiting = 0u;
    for (var i = 0u; i < waiting_count; i++) {
        let index = entry(WAITING, i);
        if neighbours_differ(index) {
            let code = select(CENTRE_EVEN, CENTRE_ODD, is_odd(index));
            set_entry(NOW, index, entry(NOW, index) + code);
            any = true;
        } else {
            set_entry(WAITING, waiting, index);
            waiting++;
        }
    }
    waiting_count = waiting;
    return any;
}

// The same of the marked double bonds.
fn say_bonds() -> Answer {
    var any = false;
    var bonds = 0u;
    for (var i = 0u; i < bonds_count; i++) {
        let a = entry(BONDS_A, i);
        let b = entry(BONDS_B, i);
        let at_a = side_at(a, b);
        if at_a.status != KEY {
            return Answer(at_a.status, false);
        }
        let at_b = side_at(b, a);
        if at_b.status != KEY {
            return Answer(at_b.status, false);
        }
        if at_a.tells && at_b.tells {
            let code = select(OTHER_SIDE, SAME_SIDE, at_a.mark == at_b.mark);
            set_entry(NOW, a, entry(NOW, a) + code);
            set_entry(NOW, b, entry(NOW, b) + code);
            set_entry(ENDS, a, 1u);
            set_entry(ENDS, b, 1u);
            any = true;
        } else {
            set_entry(BONDS_A, bonds, a);
            set_entry(BONDS_B, bonds, b);
            bonds++;
        }
    }
    bonds_count = bonds;
    return Answer(KEY, any);
}

// One round over what waits. Whether something was said.
fn say() -> Answer {
    if waiting_count == 0u && bonds_count == 0u {
        return Answer(KEY, false);
    }
    for (var index = 0u; index < atom_count; index++) {
        set_entry(NOW, index, 0u);
    }
    let by_centres = say_centres();
    let by_bonds = say_bonds();
    if by_bonds.status != KEY || !(by_centres || by_bonds.yes) {
        return by_bonds;
    }
    for (var index = 0u; index < atom_count; index++) {
        let code = entry(NOW, index);
        if code != 0u {
            colours[index] = mix_word(colours[index] ^ vec2(0xa5u, code << 24u));
        }
    }
    return Answer(KEY, true);
}

// Kinds: hashes of what surrounds atoms, without regard to how often, by which bonds and with what charge. Whatever
// RDKit counts of that for its ranks, atoms of different kinds have different ranks. The next round's stand where
// colours stood a step before.
var<private> kinds: array<vec2<u32>, 64>;

fn step_kinds() {
    for (var index = 0u; index < atom_count; index++) {
        let own = kinds[index];
        var sum = add(own, vec2(own.x << 2u, own.y << 2u | own.x >> 30u));
        for (var slot = 0u; slot < degree(index); slot++) {
            let kind = kinds[neighbour(index, slot)];
            var first = true;
            for (var before = 0u; before < slot; before++) {
                first &= any(kinds[neighbour(index, before)] != kind);
            }
            if first {
                sum = add(sum, kind);
            }
        }
        colours[BEFORE + index] = mix_word(sum);
    }
    for (var index = 0u; index < atom_count; index++) {
        kinds[index] = colours[BEFORE + index];
    }
}

// Whether kinds tell those neighbours of an atom apart that colours do; NOBODY, or an end that is left out.
fn kinds_tell(index: u32, end: u32) -> bool {
    for (var slot = 0u; slot < degree(index); slot++) {
        let one = neighbour(index, slot);
        for (var before = 0u; before < slot; before++) {
            let other = neighbour(index, before);
            let like = all(kinds[one] == kinds[other]);
            if one != end && other != end && like && !same(one, other) {
                return false;
            }
        }
    }
    return true;
}

fn kinds_tell_all() -> bool {
    for (var i = 0u; i < waiting_count; i++) {
        if !kinds_tell(entry(WAITING, i), NOBODY) {
            return false;
        }
    }
    for (var i = 0u; i < bonds_count; i++) {
        let a = entry(BONDS_A, i);
        let b = entry(BONDS_B, i);
        if !kinds_tell(a, b) || !kinds_tell(b, a) {
            return false;
        }
    }
    return true;
}

// In the kind of an atom with a double bond to phosphorus.
const BY_PHOSPHORUS = 0x5050u;

fn begin_kinds() {
    for (var index = 0u; index < atom_count; index++) {
        let label = number(index) | hydrogens(index) << 8u | isotope(index) << 16u;
        kinds[index] = mix_word(vec2(label, 1u << 24u));
    }
    // Its double bonds RDKit counts as half a single one, and nothing else so.
    for (var index = 0u; index < atom_count; index++) {
        if number(index) != PHOSPHORUS || (degree(index) != 3u && degree(index) != 4u) {
            continue;
        }
        for (var slot = 0u; slot < degree(index); slot++) {
            let other = neighbour(index, slot);
            if order_in(atoms[index].settled, slot) == DOUBLE {
                kinds[other] = mix_word(kinds[other] ^ vec2(BY_PHOSPHORUS, 0u));
            }
        }
    }
}

// Wherever colours tell neighbours apart, RDKit's ranks must, or the mark may be none to it.
fn compare_with_ranks() -> u32 {
    begin_kinds();
    // What the whole molecule tells apart, so many rounds do.
    for (var round = 0u; round <= atom_count; round++) {
        if kinds_tell_all() {
            return KEY;
        }
        step_kinds();
    }
    return STATUS_CHIRALITY;
}

// Refines, then says and refines until nothing more is said. Whether something was. At first what colours tell is
// compared with RDKit's ranks.
fn say_all(at_first: bool) -> Answer {
    var any = false;
    var to_compare = at_first;
    loop {
        refine();
        if to_compare {
            to_compare = false;
            let compared = compare_with_ranks();
            if compared != KEY {
                return Answer(compared, false);
            }
        }
        let said = say();
        if said.status != KEY || !said.yes {
            return Answer(said.status, any);
        }
        any = true;
    }
    return Answer(KEY, any);
}

fn collect_centres() -> u32 {
    if !any_turn {
        return KEY;
    }
    for (var index = 0u; index < atom_count; index++) {
        if turn(index) == NO_TURN {
            continue;
        }
        let may = may_be_centre(index);
        if may.status != KEY {
            return may.status;
        }
        if !may.yes {
            continue;
        }
        if may_be_aromatic(index) {
            return STATUS_AROMATIC;
        }
        set_entry(WAITING, waiting_count, index);
        waiting_count++;
    }
    return KEY;
}

fn may_be_end(index: u32) -> bool {
    return degree(index) == 2u || degree(index) == 3u;
}

// Whether both ends of a double bond have marks.
fn have_marks(a: u32, b: u32) -> Answer {
    let at_a = has_mark(a, b);
    if at_a.status != KEY || !at_a.yes {
        return at_a;
    }
    return has_mark(b, a);
}

fn is_usual_end(index: u32) -> bool {
    return number(index) == CARBON || number(index) == NITROGEN;
}

fn collect_bonds() -> u32 {
    if !any_side {
        return KEY;
    }
    for (var index = 0u; index < atom_count; index++) {
        for (var slot = 0u; slot < degree(index); slot++) {
            let other = neighbour(index, slot);
            if other < index || order_in(atoms[index].settled, slot) != DOUBLE {
                continue;
            }
            let marked = have_marks(index, other);
            if marked.status != KEY {
                return marked.status;
            }
            if marked.yes && may_be_end(index) && may_be_end(other) && !in_small_ring(index, slot) {
                // Of others RDKit writes some as other molecules.
                if !is_usual_end(index) || !is_usual_end(other) {
                    return STATUS_CHIRALITY;
                }
                if has(in_ring(index), slot) && may_be_aromatic(index) && may_be_aromatic(other) {
                    return STATUS_AROMATIC;
                }
                if bonds_count == ATOMS_MAX {
                    return STATUS_TOO_LARGE;
                }
                set_entry(BONDS_A, bonds_count, index);
                set_entry(BONDS_B, bonds_count, other);
                bonds_count++;
            }
        }
    }
    return KEY;
}

// Atoms that bonds in rings join.
fn mark_ring_system(first: u32, system: u32) {
    set_entry(STEPS, 0u, first);
    set_entry(SYSTEMS, first, system);
    var height = 1u;
    while height > 0u {
        height--;
        let here = entry(STEPS, height);
        var left = in_ring(here);
        while left != 0u {
            let other = neighbour(here, firstTrailingBit(left));
            left &= left - 1u;
            if entry(SYSTEMS, other) == 0u {
                set_entry(SYSTEMS, other, system);
                set_entry(STEPS, height, other);
                height++;
            }
        }
    }
}

// Whether one of the marked centres that are kept has the same colour.
fn is_like_one_kept(index: u32) -> bool {
    for (var i = 0u; i < waiting_count; i++) {
        if same(entry(WAITING, i), index) {
            return true;
        }
    }
    return false;
}

// Whether another of the marked centres that are kept, in the same system of rings, has the same colour.
fn has_like(one: u32) -> bool {
    for (var i = 0u; i < waiting_count; i++) {
        let other = entry(WAITING, i);
        if other != one && entry(SYSTEMS, other) == entry(SYSTEMS, one) && same(one, other) {
            return true;
        }
    }
    return false;
}

// Keeps those of the able centres that are in a system of rings with another.
fn keep_those_with_others(count: u32) {
    for (var index = 0u; index < atom_count; index++) {
        set_entry(SYSTEMS, index, 0u);
    }
    for (var i = 0u; i < count; i++) {
        if entry(SYSTEMS, entry(ABLE, i)) == 0u {
            mark_ring_system(entry(ABLE, i), i + 1u);
        }
    }
    for (var i = 0u; i < count; i++) {
        let index = entry(ABLE, i);
        var in_system = 0u;
        for (var j = 0u; j < count; j++) {
            in_system += select(0u, 1u, entry(SYSTEMS, entry(ABLE, j)) == entry(SYSTEMS, index));
        }
        if in_system > 1u {
            set_entry(WAITING, waiting_count, index);
            waiting_count++;
        }
    }
}

// Whether beside a centre that is kept there are, in its system of rings, one like it and two others alike.
fn pairs_meet(one: u32) -> bool {
    var like = false;
    var unlike = false;
    for (var j = 0u; j < waiting_count; j++) {
        let other = entry(WAITING, j);
        if other == one || entry(SYSTEMS, other) != entry(SYSTEMS, one) {
            continue;
        }
        if same(one, other) {
            like = true;
        } else if !unlike {
            unlike = has_like(other);
        }
    }
    return like && unlike;
}

// Centres whose neighbours are alike stay if they are in a ring with another such one. Where only some of those
// that look alike are marked, RDKit may write two molecules alike, so it has to be asked.
fn keep_ring_centres() -> u32 {
    var count = 0u;
    for (var i = 0u; i < waiting_count; i++) {
        let index = entry(WAITING, i);
        if is_ring_centre(index) {
            set_entry(ABLE, count, index);
            count++;
        }
    }
    waiting_count = 0u;
    if count == 0u {
        return KEY;
    }
    keep_those_with_others(count);
    if waiting_count == 0u {
        return KEY;
    }
    for (var index = 0u; index < atom_count; index++) {
        if turn(index) == NO_TURN && is_like_one_kept(index) {
            return STATUS_RING_STEREO;
        }
    }
    // Two that are alike beside two others that are, in one system of rings: here too.
    for (var i = 0u; i < waiting_count; i++) {
        if pairs_meet(entry(WAITING, i)) {
            return STATUS_RING_STEREO;
        }
    }
    return KEY;
}

fn is_end(index: u32) -> bool {
    return entry(ENDS, index) != 0u;
}

// Whether a neighbour of one end of a double bond has a double bond's stereo.
fn says_beside(index: u32, end: u32) -> bool {
    for (var slot = 0u; slot < degree(index); slot++) {
        let other = neighbour(index, slot);
        if other != end && is_end(other) {
            return true;
        }
    }
    return false;
}

// Whether a double bond without stereo stands between two that have it. Their marks stand on either side of it
// then, and RDKit may write what it does not mean.
fn marks_meet() -> bool {
    for (var index = 0u; index < atom_count; index++) {
        for (var slot = 0u; slot < degree(index); slot++) {
            let other = neighbour(index, slot);
            if order_in(atoms[index].settled, slot) != DOUBLE || other <= index {
                continue;
            }
            if !(is_end(index) && is_end(other)) && says_beside(index, other) && says_beside(other, index)
                && !in_small_ring(index, slot) {
                return true;
            }
        }
    }
    return false;
}

fn clear_stereo() {
    for (var index = 0u; index < atom_count; index++) {
        set_entry(ENDS, index, 0u);
    }
    waiting_count = 0u;
}

// Charges of others show in their bonds and hydrogens too.
fn is_for_ranks() -> bool {
    for (var index = 0u; index < atom_count; index++) {
        if number(index) == CARBON && charge(index) != 0 {
            return true;
        }
    }
    return false;
}

// Finds the marks that may count.
fn collect_marks() -> u32 {
    clear_stereo();
    bonds_count = 0u;
    let collected = collect_centres();
    if collected != KEY {
        return collected;
    }
    return collect_bonds();
}

// When what the marks say is in the colours: whether something is said, or waits to be.
fn perceive(any_said: bool) -> Answer {
    let kept = keep_ring_centres();
    if kept != KEY {
        return Answer(kept, false);
    }
    if any_side && marks_meet() {
        return Answer(STATUS_MARKS, false);
    }
    return Answer(KEY, any_said || waiting_count > 0u);
}

// ── canon ───────────────────────────────────────────────────────────────────────────────────────────────────

fn sort() {
    for (var index = 0u; index < atom_count; index++) {
        let colour = colours[index];
        var at = index;
        while at > 0u {
            let before = entry(ORDER, at - 1u);
            if !is_greater(colours[before], colour) {
                break;
            }
            set_entry(ORDER, at, before);
            at--;
        }
        set_entry(ORDER, at, index);
    }
    var first = 0u;
    var before = vec2(0u);
    for (var at = 0u; at < atom_count; at++) {
        let index = entry(ORDER, at);
        let colour = colours[index];
        if at == 0u || any(colour != before) {
            first = at;
        }
        before = colour;
        set_entry(CELL, index, first);
        set_entry(CELL_SIZE, first, at - first + 1u);
    }
}

// The cells of an atom's neighbours, a byte per slot.
fn cells_beside(index: u32) -> vec2<u32> {
    var beside = vec2(0u);
    for (var slot = 0u; slot < degree(index); slot++) {
        beside = with_byte(beside, slot, entry(CELL, neighbour(index, slot)));
    }
    return beside;
}

// How often a cell is among those beside an atom.
struct Times {
    times: u32,
    // It is not there before this slot.
    first: bool,
}

fn times_in(beside: vec2<u32>, degree: u32, slot: u32) -> Times {
    let unlike = beside ^ vec2(byte_of(beside, slot) * 0x01010101u);
    // Bit 7 of each byte that is the same.
    let low = ~((unlike.x & 0x7f7f7f7fu) + 0x7f7f7f7fu | unlike.x | 0x7f7f7f7fu);
    let high = ~((unlike.y & 0x7f7f7f7fu) + 0x7f7f7f7fu | unlike.y | 0x7f7f7f7fu);
    // A bit per slot.
    let same = (gather(low) | gather(high) << 4u) & ((1u << degree) - 1u);
    return Times(countOneBits(same), firstTrailingBit(same) == slot);
}

// Bits 7, 15, 23 and 31 side by side.
fn gather(bits: u32) -> u32 {
    return bits >> 7u & 1u | bits >> 14u & 2u | bits >> 21u & 4u | bits >> 28u & 8u;
}

fn root_of(start: u32) -> u32 {
    var cell = start;
    while entry(JOINED, cell) != cell {
        cell = entry(JOINED, cell);
    }
    return cell;
}

fn add_fault(cell: u32, fault: bool) {
    set_entry(FAULTY, cell, entry(FAULTY, cell) | select(0u, 1u, fault));
}

// Judges the bonds of a cell's atoms, of which the first speaks for all.
fn look_at_cell(cell: u32) {
    let size = entry(CELL_SIZE, cell);
    let index = entry(ORDER, cell);
    let beside = cells_beside(index);
    for (var slot = 0u; slot < degree(index); slot++) {
        let other = byte_of(beside, slot);
        let other_size = entry(CELL_SIZE, other);
        let found = times_in(beside, degree(index), slot);
        let times = found.times;
        if !found.first || other_size == 1u {
            continue;
        }
        if other == cell {
            // Nobody or everybody is plain; pairs, all but pairs, and the ring of five are told too.
            if times != size - 1u {
                set_entry(MIXED, cell, 1u);
                add_fault(cell, !(times == 1u || times == size - 2u || (times == 2u && size == 5u)));
            }
        } else if times != other_size {
            // Stars: an atom of one of the two has one neighbour in the other.
            let back = times * size / other_size;
            add_fault(cell, !(times == 1u || back == 1u));
            let a = root_of(cell);
            let b = root_of(other);
            set_entry(JOINED, max(a, b), min(a, b));
        }
    }
}

// Whether a star joins the cell of an atom to the one that is beside it in this slot, and no slot before.
fn joins(beside: vec2<u32>, degree: u32, slot: u32, cell: u32) -> bool {
    let other = byte_of(beside, slot);
    let size = entry(CELL_SIZE, other);
    let found = times_in(beside, degree, slot);
    return other != cell && size > 1u && found.times != size && found.first;
}

// The number of cells that stars join to a cell.
fn edges(cell: u32) -> u32 {
    let index = entry(ORDER, cell);
    let beside = cells_beside(index);
    var count = 0u;
    for (var slot = 0u; slot < degree(index); slot++) {
        count += select(0u, 1u, joins(beside, degree(index), slot, cell));
    }
    return count;
}

// Whether no cell is smaller than the one before it, on all ways from here. Only to be asked of a tree.
fn grows(start: u32) -> bool {
    set_entry(STACK, 0u, start);
    set_entry(STACK_ABOVE, 0u, NOBODY);
    var height = 1u;
    while height > 0u {
        height--;
        let cell = entry(STACK, height);
        let above = entry(STACK_ABOVE, height);
        let index = entry(ORDER, cell);
        let beside = cells_beside(index);
        for (var slot = 0u; slot < degree(index); slot++) {
            let other = byte_of(beside, slot);
            if other == above || !joins(beside, degree(index), slot, cell) {
                continue;
            }
            if entry(CELL_SIZE, other) < entry(CELL_SIZE, cell) || height == ATOMS_MAX {
                return false;
            }
            set_entry(STACK, height, other);
            set_entry(STACK_ABOVE, height, cell);
            height++;
        }
    }
    return true;
}

// Whether colours do not tell a component: it must be a tree, with cells that grow away from the least, and one
// mixed cell at most, the least.
fn is_faulty(root: u32, large_count: u32) -> bool {
    var count = 0u;
    var mixed_count = 0u;
    var ends = 0u;
    var least = NOBODY;
    var least_size = NOBODY + 1u;
    var least_mixed = 0u;
    var fault = false;
    for (var i = 0u; i < large_count; i++) {
        let cell = entry(LARGE, i);
        if root_of(cell) != root {
            continue;
        }
        let size = entry(CELL_SIZE, cell);
        let mixed = entry(MIXED, cell);
        count++;
        fault |= entry(FAULTY, cell) != 0u;
        mixed_count += mixed;
        ends += edges(cell);
        // The mixed one first among those of the least size.
        if size < least_size || (size == least_size && mixed > least_mixed) {
            least = cell;
            least_size = size;
            least_mixed = mixed;
        }
    }
    if count == 1u || fault {
        return fault;
    }
    let plain = mixed_count == 0u || (mixed_count == 1u && least_mixed == 1u);
    return !plain || ends / 2u != count - 1u || !grows(least);
}

// The first cell of a component that colours do not tell; NOBODY: there is none.
fn first_fault() -> u32 {
    var large_count = 0u;
    for (var at = 0u; at < atom_count; at += entry(CELL_SIZE, at)) {
        set_entry(JOINED, at, at);
        set_entry(FAULTY, at, 0u);
        set_entry(MIXED, at, 0u);
    }
    for (var at = 0u; at < atom_count; at += entry(CELL_SIZE, at)) {
        if entry(CELL_SIZE, at) > 1u {
            set_entry(LARGE, large_count, at);
            large_count++;
            look_at_cell(at);
        }
    }
    for (var i = 0u; i < large_count; i++) {
        let cell = entry(LARGE, i);
        if root_of(cell) == cell {
            set_entry(FAULTY, cell, select(0u, 1u, is_faulty(cell, large_count)));
        }
    }
    // Of the faulty components the cell that comes first; a small cell is cheaper to set apart.
    var found = NOBODY;
    var found_size = NOBODY + 1u;
    for (var i = 0u; i < large_count; i++) {
        let cell = entry(LARGE, i);
        if entry(FAULTY, root_of(cell)) != 0u && entry(CELL_SIZE, cell) < found_size {
            found = cell;
            found_size = entry(CELL_SIZE, cell);
        }
    }
    return found;
}

// The cell whose atoms must be set apart before the graph is told by its cells; NOBODY: there is none.
fn cell_to_split() -> u32 {
    if distinct_colours == atom_count {
        return NOBODY;
    }
    sort();
    // A centre that still waits: the first of its neighbours that are alike.
    var first = ~0u;
    for (var i = 0u; i < waiting_count; i++) {
        let index = entry(WAITING, i);
        let beside = cells_beside(index);
        for (var slot = 0u; slot < degree(index); slot++) {
            let candidate = entry(CELL, index) << 8u | byte_of(beside, slot);
            if candidate < first && times_in(beside, degree(index), slot).times > 1u {
                first = candidate;
            }
        }
    }
    if first != ~0u {
        return first & 255u;
    }
    return first_fault();
}

// The key of a molecule that its colours tell: what all atoms see once more, added up in two ways, so that their order
// does not matter.
fn key_of() -> vec4<u32> {
    var first = vec2(0u);
    var second = vec2(0u);
    for (var index = 0u; index < atom_count; index++) {
        let seen = see(index, 0u);
        first = add(first, seen);
        second = add(second, mix_word(seen));
    }
    let whole = vec2(DEFINITION << 8u | atom_count, 0u);
    return vec4(mix_word(first ^ whole), mix_word(second ^ whole));
}

// A word with its bytes the other way round.
fn turned(word: u32) -> u32 {
    return word >> 24u | (word >> 8u & 0xff00u) | (word << 8u & 0xff0000u) | word << 24u;
}

// Keys are compared byte by byte.
fn is_less(a: vec4<u32>, b: vec4<u32>) -> bool {
    if a.x != b.x {
        return turned(a.x) < turned(b.x);
    }
    if a.y != b.y {
        return turned(a.y) < turned(b.y);
    }
    if a.z != b.z {
        return turned(a.z) < turned(b.z);
    }
    return turned(a.w) < turned(b.w);
}

// How things were before an atom was set apart: the colours of each level behind those of the one before.
var<private> level_colours: array<vec2<u32>, 192>;

struct Level {
    distinct: u32,
    waiting_count: u32,
    size: u32,
    next: u32,
}

var<private> levels: array<Level, 3>;

// Keeps things as they are before the atoms of a cell are set apart.
fn keep(cell: u32, level: u32) {
    for (var index = 0u; index < atom_count; index++) {
        level_colours[ATOMS_MAX * level + index] = colours[index];
    }
    for (var i = 0u; i < waiting_count; i++) {
        set_entry(LEVEL_WAITING + level, i, entry(WAITING, i));
    }
    let size = entry(CELL_SIZE, cell);
    for (var i = 0u; i < size; i++) {
        set_entry(LEVEL_MEMBERS + level, i, entry(ORDER, cell + i));
    }
    levels[level] = Level(distinct_colours, waiting_count, size, 0u);
}

// Sets the next atom of a level apart.
fn set_apart(level: u32) {
    for (var index = 0u; index < atom_count; index++) {
        colours[index] = level_colours[ATOMS_MAX * level + index];
    }
    waiting_count = levels[level].waiting_count;
    for (var i = 0u; i < waiting_count; i++) {
        set_entry(WAITING, i, entry(LEVEL_WAITING + level, i));
    }
    let member = entry(LEVEL_MEMBERS + level, levels[level].next);
    levels[level].next++;
    colours[member] = mix_word(colours[member] ^ vec2(0x00000001u, 0x5bd1e995u));
    distinct_colours = levels[level].distinct + 1u;
}

// The key.
var<private> least: vec4<u32>;

// Colours with all that is to be seen, and then the least of the keys of all ways to set atoms apart.
fn search() -> u32 {
    // First what marks say is found out, where there are any.
    var to_perceive = any_turn || any_side;
    only_ranks = to_perceive && is_for_ranks();
    let collected = collect_marks();
    if collected != KEY {
        return collected;
    }
    begin();
    var leaves = 0u;
    var depth = 0u;
    loop {
        let said = say_all(to_perceive);
        if said.status != KEY {
            return said.status;
        }
        if to_perceive {
            to_perceive = false;
            let perceived = perceive(said.yes);
            if perceived.status != KEY {
                return perceived.status;
            }
            bonds_count = 0u;
            if !perceived.yes {
                clear_stereo();
                only_ranks = false;
                begin();
                continue;
            }
            if only_ranks {
                see_the_rest();
                continue;
            }
        }
        let cell = cell_to_split();
        if cell == NOBODY {
            let key = key_of();
            if leaves == 0u || is_less(key, least) {
                least = key;
            }
            leaves++;
            if leaves > LEAVES_MAX {
                return STATUS_TOO_LARGE;
            }
        } else {
            if depth == DEPTH_MAX {
                return STATUS_TOO_LARGE;
            }
            keep(cell, depth);
            depth++;
        }
        while depth > 0u && levels[depth - 1u].next == levels[depth - 1u].size {
            depth--;
        }
        if depth == 0u {
            return KEY;
        }
        set_apart(depth - 1u);
    }
    return STATUS_TOO_LARGE;
}

// ── The kernel ──────────────────────────────────────────────────────────────────────────────────────────────

fn key() -> u32 {
    var status = read_text();
    if status == KEY {
        status = complete();
    }
    if status == KEY {
        status = settle();
    }
    if status == KEY {
        status = search();
    }
    return status;
}

// Whether all loops have ended where they should. A driver may end the loops of an invocation when together they
// have gone round too often, and say nothing: Mesa's lavapipe does so after 65,535 rounds, those of the invocations
// beside it among them. From then on no loop goes round twice, so this one does not either. It ends by a number
// that the compiler doesn't know.
fn loops_were_whole() -> bool {
    let wanted = 1u + min(shape.rows, 1u);
    var rounds = 0u;
    while rounds < wanted {
        rounds++;
    }
    return rounds == wanted;
}

// Writes the key of each row and its status; where there is no key, zeroes. `text_end` says where a row's bytes
// end in `text`, and so where the next one's begin. Statuses are all 0 at first: four rows share a word.
@compute @workgroup_size(BLOCK_ROWS)
fn structure_key(@builtin(global_invocation_id) thread: vec3<u32>) {
    let row = thread.x;
    if row >= shape.rows {
        return;
    }
    if row > 0u {
        text_begin = text_end[row - 1u];
    }
    text_bytes = text_end[row] - text_begin;
    let told = key();
    let status = select(STATUS_TOO_LARGE, told, loops_were_whole());
    keys[row] = select(vec4(0u), least, status == KEY);
    atomicOr(&statuses[row >> 2u], status << (8u * (row & 3u)));
}
