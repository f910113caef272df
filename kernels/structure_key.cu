// The structure key on an NVIDIA GPU: the key of a molecule from the text of its SMILES. src/identity.rs and
// its modules are the definition and give the reasons. This file repeats them in CUDA, function by function, so
// that keys and reasons are the same bit for bit.
//
//   structure_key   keys of a slot's rows, and which rows have none
//
// One thread per row, BLOCK_ROWS threads a block. All working memory of a thread is one `Work` in its local memory. So
// arrays are small, lists of an atom's bonds are packed in words, and parts that are not needed at the same time
// share memory. No function is recursive. This file is CUDA C++ for NVRTC, without headers. tests/shim/ defines
// the words of CUDA in plain C++, so that the tests run this source on the host. scripts/ptx.sh compiles it to
// kernels/structure_key.ptx.
//
//   text       reads SMILES
//   valence    hydrogens, nitro groups, valences
//   bonds      assigns double and triple bonds, from the atoms alone
//   refine     colours of atoms
//   stereo     which marks are stereo, and what they add to colours
//   canon      from colours to the key

typedef unsigned char u8;
typedef signed char s8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

// Threads of a block, one for each of its rows.
#define BLOCK_ROWS 128u
// The most atoms of a molecule, hydrogens that are written as atoms included; at most 255.
#ifndef ATOMS_MAX
#define ATOMS_MAX 64
#endif
// The most atoms that are individualised one after the other, and the most leaves of that search.
#ifndef DEPTH_MAX
#define DEPTH_MAX 3
#endif
#ifndef LEAVES_MAX
#define LEAVES_MAX 16
#endif
// ── From src/identity: tables, limits and numbers, written by the test in src/identity/device.rs ──

// Part of every key.
#define DEFINITION 3
// The most neighbours of an atom; ring closure numbers; the most branches that are open at a time; the
// most signs of a charge, a larger charge takes a number.
#define NEIGHBOURS_MAX 8
#define RING_NUMBERS 100
#define BRANCHES_MAX 64
#define SIGNS_MAX 2
// RDKit's limit: double bonds in smaller rings can only be cis.
#define STEREO_RING_MIN 8
// The bits by which a neighbour's colour is rotated for each order of the bond.
#define ORDER_BITS 11
// The constants that are mixed into colours.
#define MIX_FIRST 0x3c79ac492ba7b653ull
#define MIX_SECOND 0x1c69b3f74ac4ae35ull
#define STEREO_MIX 0xa5ull
#define INDIVIDUALISED 0x5bd1e99500000001ull
#define BY_PHOSPHORUS 0x5050ull
// The parity of a centre; the geometry of a double bond, added at both ends.
#define CENTRE_EVEN 1
#define CENTRE_ODD 2
#define SAME_SIDE 4
#define OTHER_SIDE 32

// The order of a bond; 1 to 3 count pairs of electrons.
enum : u8 { SINGLE = 1, DOUBLE = 2, TRIPLE = 3, AROMATIC = 4 };

// Elements with a name.
enum : u8 {
    HYDROGEN = 1,
    BORON = 5,
    CARBON = 6,
    NITROGEN = 7,
    OXYGEN = 8,
    PHOSPHORUS = 15,
    SULFUR = 16,
    ARSENIC = 33,
    SELENIUM = 34,
    TELLURIUM = 52,
};

// The status of a row: a key, or 1 + the number of the reason why RDKit has to compute the key.
// TOO_LARGE: too many atoms for the device, or a search for equal atoms that takes too long here;
// the CPU has to compute the key.
enum class Status : u8 {
    KEY,
    TEXT,
    SIZE,
    DEGREE,
    WILDCARD,
    ATOM_MAP,
    VALENCE,
    HYDROGEN,
    AROMATIC,
    BONDS,
    MARKS,
    CHIRALITY,
    NITROGEN_CENTRE,
    RING_STEREO,
    SYMMETRY,
    TOO_LARGE = 255,
};

// Symbols in the order of the atomic numbers, from hydrogen; two bytes each.
__constant__ const u8 SYMBOLS[] = {
    72, 32, 72, 101, 76, 105, 66, 101, 66, 32, 67, 32, 78, 32, 79, 32, 70, 32, 78, 101, 78, 97, 77, 103,
    65, 108, 83, 105, 80, 32, 83, 32, 67, 108, 65, 114, 75, 32, 67, 97, 83, 99, 84, 105, 86, 32, 67, 114,
    77, 110, 70, 101, 67, 111, 78, 105, 67, 117, 90, 110, 71, 97, 71, 101, 65, 115, 83, 101, 66, 114, 75, 114,
    82, 98, 83, 114, 89, 32, 90, 114, 78, 98, 77, 111, 84, 99, 82, 117, 82, 104, 80, 100, 65, 103, 67, 100,
    73, 110, 83, 110, 83, 98, 84, 101, 73, 32, 88, 101, 67, 115, 66, 97, 76, 97, 67, 101, 80, 114, 78, 100,
    80, 109, 83, 109, 69, 117, 71, 100, 84, 98, 68, 121, 72, 111, 69, 114, 84, 109, 89, 98, 76, 117, 72, 102,
    84, 97, 87, 32, 82, 101, 79, 115, 73, 114, 80, 116, 65, 117, 72, 103, 84, 108, 80, 98, 66, 105, 80, 111,
    65, 116, 82, 110, 70, 114, 82, 97, 65, 99, 84, 104, 80, 97, 85, 32, 78, 112, 80, 117, 65, 109, 67, 109,
    66, 107, 67, 102, 69, 115, 70, 109, 77, 100, 78, 111, 76, 114, 82, 102, 68, 98, 83, 103, 66, 104, 72, 115,
    77, 116, 68, 115, 82, 103, 67, 110, 78, 104, 70, 108, 77, 99, 76, 118, 84, 115, 79, 103,
};
#define SYMBOLS_COUNT 118
// By letter, from A to z: the element that it means outside brackets; 0 for none.
__constant__ const u8 PLAIN[] = {
    0, 5, 6, 0, 0, 9, 0, 0, 53, 0, 0, 0, 0, 7, 8, 15, 0, 0, 16, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 8, 15,
    0, 0, 16, 0, 0, 0, 0, 0, 0, 0,
};

// By the atomic number: the kind of valences.
__constant__ const u8 KINDS[] = {
    0, 0, 1, 1, 1, 2, 3, 4, 5, 6, 1, 1, 1, 1, 7, 8, 9, 6, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 7, 10, 11, 6, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 11, 6, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
};
// The kind of elements that have a certain valence only without bonds.
#define ALONE 1
// By the kind and the charge, from -2 to 1: a bit per certain valence.
__constant__ const u8 CERTAIN[] = {
    0, 0, 2, 1, 0, 0, 0, 0, 0, 16, 8, 0, 0, 8, 16, 8, 0, 4, 8, 16, 1, 2, 4, 8,
    0, 1, 2, 0, 0, 0, 16, 0, 0, 64, 40, 16, 1, 2, 84, 8, 0, 0, 40, 16, 1, 2, 84, 8,
};
// By the kind and the charge, from -1 to 1: the valence of an aromatic atom; 0 for none.
__constant__ const u8 AROMATIC_VALENCES[] = {
    0, 0, 0, 0, 0, 0, 0, 3, 0, 3, 4, 3, 2, 3, 4, 0, 2, 3, 0, 0, 0, 0, 0, 0,
    0, 3, 4, 0, 2, 3, 0, 0, 0, 0, 2, 3,
};
// By the kind and the electron pairs in bonds, up to 7: hydrogens of an atom outside brackets; 255 for no such state.
__constant__ const u8 HYDROGENS[] = {
    1, 0, 255, 255, 255, 255, 255, 255, 1, 0, 255, 255, 255, 255, 255, 255, 3, 2, 1, 0, 255, 255, 255, 255,
    4, 3, 2, 1, 0, 255, 255, 255, 3, 2, 1, 0, 255, 255, 255, 255, 2, 1, 0, 255, 255, 255, 255, 255,
    1, 0, 255, 255, 255, 255, 255, 255, 1, 0, 255, 255, 255, 255, 255, 255, 3, 2, 1, 0, 1, 0, 255, 255,
    2, 1, 0, 1, 0, 1, 0, 255, 1, 0, 255, 255, 255, 255, 255, 255, 1, 0, 255, 255, 255, 255, 255, 255,
};

// ── To here from src/identity ───────────────────────────────────────────────────────────────────────────────────

// For large functions that are called in several places: their code is not inlined.
#define CALLED __device__ __noinline__ static

// A loop that is not unrolled: few of them are long, and the code of all of them should fit the instruction cache.
#define FOR _Pragma("unroll 1") for

// As Rust's `?`. Not in loops and branches: if one of two paths may return, threads that diverge there reconverge only
// at the return. Instead, a loop continues while its status is KEY, and a branch sets the status.
#define TRY(call)                                                                                            \
    do {                                                                                                     \
        Status tried = call;                                                                                 \
        if (tried != Status::KEY)                                                                            \
            return tried;                                                                                    \
    } while (0)

// ── The molecule ────────────────────────────────────────────────────────────────────────────────────────────

// The index of no atom, and of no slot.
#define NO_ATOM 255
#define NO_SLOT 255u

// The mark of a tetrahedral centre, seen from its first neighbour: none, `@`, `@@`.
#define NO_CHIRALITY 0
#define COUNTER_CLOCKWISE 1
#define CLOCKWISE 2

// An atom with its neighbours in the order of the text.
struct __align__(16) Atom {
    // A byte per slot.
    u64 neighbours;
    // Bond orders, four bits per slot: as written, and as assigned.
    u32 orders;
    u32 assigned;
    // Four bits per slot, signed: the side of a double bond on which a mark places the neighbour.
    u32 sides;
    // Mass number; 0 for the natural mixture.
    u16 isotope;
    u8 number;
    s8 charge;
    // Hydrogens that are not atoms of the molecule.
    u8 hydrogens;
    u8 aromatic : 1;
    u8 bracket : 1;
    // Whether it is the first atom of the text or of a component.
    u8 first : 1;
    u8 chirality : 2;
    u8 hydrogen_was_atom : 1;
    // Whether moving a hydrogen that was written as an atom to the front of the neighbours is an odd permutation.
    u8 hydrogen_odd : 1;
    // The number of its ring closures.
    u8 closures : 4;
    // The side on which a mark places a hydrogen that was written as an atom.
    s8 hydrogen_side : 2;
    u8 degree;
    // A bit per slot: the bond is in a ring.
    u8 in_ring;
    // Electron pairs in bonds beyond the first of each, and those of them that are not yet assigned.
    u8 unsaturation;
    u8 open;
};

struct Molecule {
    Atom atoms[ATOMS_MAX];
    u32 count;
    bool any_chirality, any_side, any_aromatic, any_hydrogen_atom;
};

// A set of atoms, a bit each. Work on each atom of a set is one loop over its bits, so that the threads of a warp stay
// together whatever the indices of their atoms.
#define SET_WORDS ((ATOMS_MAX + 63) / 64)
struct Set {
    u64 words[SET_WORDS];
};

__device__ static inline Set empty_set() { return Set(); }

// The first `count` atoms.
__device__ static inline Set first_atoms(u32 count) {
    Set set;
    for (u32 i = 0; i < SET_WORDS; i++)
        set.words[i] = count >= 64 * (i + 1) ? ~0ull : count > 64 * i ? (1ull << (count - 64 * i)) - 1 : 0;
    return set;
}

__device__ static inline bool is_empty(const Set &set) {
    u64 all = 0;
    for (u32 i = 0; i < SET_WORDS; i++)
        all |= set.words[i];
    return all == 0;
}

__device__ static inline bool holds(const Set &set, u32 index) { return set.words[index / 64] >> (index & 63) & 1; }

__device__ static inline void add_to(Set &set, u32 index) { set.words[index / 64] |= 1ull << (index & 63); }

__device__ static inline void take_from(Set &set, u32 index) { set.words[index / 64] &= ~(1ull << (index & 63)); }

__device__ static inline Set both(Set a, const Set &b) {
    for (u32 i = 0; i < SET_WORDS; i++)
        a.words[i] &= b.words[i];
    return a;
}

__device__ static inline Set either(Set a, const Set &b) {
    for (u32 i = 0; i < SET_WORDS; i++)
        a.words[i] |= b.words[i];
    return a;
}

__device__ static inline Set without(Set a, const Set &b) {
    for (u32 i = 0; i < SET_WORDS; i++)
        a.words[i] &= ~b.words[i];
    return a;
}

// The least atom of a set that is not empty. Searches halves of a word, since the hardware finds bits in 32-bit words.
__device__ static inline u32 least_of(const Set &set) {
    u32 i = 0;
    while (i + 1 < SET_WORDS && set.words[i] == 0)
        i++;
    u32 low = static_cast<u32>(set.words[i]), high = static_cast<u32>(set.words[i] >> 32);
    return 64 * i + (low != 0 ? 0 : 32) + static_cast<u32>(__ffs(low != 0 ? low : high)) - 1;
}

// The same, and removes it.
__device__ static inline u32 pop(Set &set) {
    u32 index = least_of(set);
    take_from(set, index);
    return index;
}

__device__ static inline u32 size_of(const Set &set) {
    u32 size = 0;
    for (u32 i = 0; i < SET_WORDS; i++)
        size += __popcll(set.words[i]);
    return size;
}

__device__ static inline bool is_single(const Set &set) { return size_of(set) == 1; }

// The bond symbol before an atom or a ring closure. Order 0: none is written, as with a stereo mark.
struct Link {
    u8 order;
    s8 side;
};

// A ring closure whose other end has not been read yet.
struct OpenRing {
    u8 number, atom, slot;
    Link link;
};

// Working memory for reading.
struct Reading {
    OpenRing rings[RING_NUMBERS];
    u8 branches[BRANCHES_MAX];
    // For each atom: its parent in the tree, and its depth below the first atom of its component.
    u8 above[ATOMS_MAX], depth[ATOMS_MAX];
    u32 rings_open, branches_open;
};

// The state of an atom in the depth-first search.
struct Visit {
    // Number in the order of visits, from 1; 0 before its visit.
    u8 order;
    // The least order that it or its descendants reach by another bond.
    u8 low;
    // Its parent in the search tree.
    u8 above;
    // Pairs that it and its descendants have to assign; only their parity matters.
    u8 pairs;
};

struct Bridge {
    u8 here, above;
    bool odd;
};

// Working memory for finding bridges: bonds that are the only connection of two parts.
struct Bridging {
    Visit visits[ATOMS_MAX];
    Bridge bridges[ATOMS_MAX];
};

// Working memory for finding partners.
struct Matching {
    u8 partner[ATOMS_MAX];
    // The atoms of the path, and the next atom of each.
    u8 way[ATOMS_MAX], by[ATOMS_MAX];
};

// Working memory for assigning bonds.
struct Assignment {
    // For each atom that has pairs to assign: its neighbours, and those of them that may take a pair.
    Set beside[ATOMS_MAX], ways[ATOMS_MAX];
    // For each such atom, some of these bonds: those in a ring of six; those that the search for bridges has still to
    // follow; those by which it may find a partner.
    Set marked[ATOMS_MAX];
    // Atoms that have pairs to assign, and those of them with only one bond that can take them.
    Set open, single;
    union {
        Bridging bridging;
        Matching matching;
    };
};

// A colour per atom, and the number of distinct colours.
struct Colours {
    u64 of[ATOMS_MAX];
    u64 seen[ATOMS_MAX];
    // Atoms that may share their colour. An atom with a unique colour keeps it unique.
    Set alike;
    u32 distinct;
};

// The stereo marks of a molecule.
struct Stereo {
    // The ends of double bonds with stereo; marked centres whose neighbours do not differ yet.
    Set ends, pending;
    // What a round adds to colours.
    u8 now[ATOMS_MAX];
};

// Working memory for finding the marks that are stereo.
struct Perceiving {
    u8 bonds_a[ATOMS_MAX], bonds_b[ATOMS_MAX];
    u32 bonds_count;
    // Atoms that may be aromatic, found when first needed.
    Set sharing;
    bool sharing_known;
    // For each atom, a hash of its surroundings; see `step_kinds`.
    u64 kinds[ATOMS_MAX];
};

// Atoms that share their colours, in the order of the colours. A cell has the atoms of one colour.
struct Cells {
    u8 order[ATOMS_MAX];
    u32 count;
    // For each atom: where its cell begins in the order; NO_ATOM if its colour is unique.
    u8 of[ATOMS_MAX];
    // For each beginning of a cell: the number of its atoms.
    u8 size[ATOMS_MAX];
};

// The state before an atom was individualised.
struct Level {
    u64 colours[ATOMS_MAX];
    // The atoms that are still to be individualised.
    Set members;
    Set pending;
    u32 distinct;
};

// Working memory for individualising atoms.
struct Splitting {
    // For each beginning of a cell: the beginning of another cell of its component; see `root_of`.
    u8 joined[ATOMS_MAX];
    // Beginnings of cells.
    Set faulty, mixed;
    u8 stack[ATOMS_MAX], above[ATOMS_MAX];
    Level levels[DEPTH_MAX];
};

// All working memory of a thread.
struct Work {
    Molecule mol;
    Colours colours;
    Stereo stereo;
    Cells cells;
    union {
        Reading reading;
        Assignment assignment;
        Perceiving perceiving;
        Splitting splitting;
    };
};

// The number of the lowest set bit; NO_SLOT or more if there is none.
__device__ static inline u32 first_bit(u32 bits) { return static_cast<u32>(__ffs(bits)) - 1; }

__device__ static inline u8 byte_of(u64 list, u32 slot) { return static_cast<u8>(list >> 8 * slot); }

__device__ static inline u64 with_byte(u64 list, u32 slot, u8 byte) {
    return (list & ~(0xffull << 8 * slot)) | static_cast<u64>(byte) << 8 * slot;
}

__device__ static inline u8 order_in(u32 list, u32 slot) { return list >> 4 * slot & 15; }

// Signed.
__device__ static inline int side_in(u32 list, u32 slot) { return static_cast<int>((list >> 4 * slot & 15) ^ 8) - 8; }

__device__ static inline u32 with_four_bits(u32 list, u32 slot, int bits) {
    return (list & ~(15u << 4 * slot)) | (static_cast<u32>(bits) & 15) << 4 * slot;
}

__device__ static inline u8 neighbour(const Atom &atom, u32 slot) { return byte_of(atom.neighbours, slot); }

// The index in four bytes of the first that equals one; 4 if none does. A zero byte borrows from its highest bit, and
// the lowest such bit is always correct.
__device__ static inline u32 place_of(u32 bytes, u32 one) {
    u32 differ = bytes ^ one * 0x01010101u;
    u32 same = (differ - 0x01010101u) & ~differ & 0x80808080u;
    return same == 0 ? 4 : first_bit(same) / 8;
}

// The index of a neighbour in the list.
__device__ static inline u32 slot_of(const Atom &atom, u32 other) {
    u32 slot = place_of(static_cast<u32>(atom.neighbours), other);
    if (slot == 4 && atom.degree > 4)
        slot += place_of(static_cast<u32>(atom.neighbours >> 32), other);
    return slot < atom.degree ? slot : NO_SLOT;
}

// The neighbours of an atom.
__device__ static inline Set set_beside(const Atom &atom) {
    Set beside = empty_set();
    FOR (u32 slot = 0; slot < atom.degree; slot++)
        add_to(beside, neighbour(atom, slot));
    return beside;
}

// The first bit of each slot in a list of four bits per slot.
#define FIRST_BITS 0x11111111u

// A list of ones for so many slots.
__device__ static inline u32 ones_for(u32 slots) { return slots >= 8 ? FIRST_BITS : FIRST_BITS & ((1u << 4 * slots) - 1); }

// Neighbours and hydrogens.
__device__ static inline u32 total_degree(const Atom &atom) { return atom.degree + atom.hydrogens; }

__device__ static inline bool has(u32 bits, u32 slot) { return bits >> slot & 1; }

// ── text ────────────────────────────────────────────────────────────────────────────────────────────────────

struct Text {
    const u8 *bytes;
    u32 length;
};

// 0 past the end.
__device__ static inline u32 peek(const Text &text, u32 at) { return at < text.length ? text.bytes[at] : 0; }

__device__ static inline bool is_digit(u32 byte) { return byte - '0' < 10; }

__device__ static inline bool is_none(Link link) { return link.order == 0 && link.side == 0; }

__device__ static inline bool is_link(u32 byte) {
    return byte == '-' || byte == '=' || byte == '#' || byte == ':' || byte == '/' || byte == '\\';
}

__device__ static inline Link link_of(u32 byte) {
    Link link;
    link.order = 0;
    switch (byte) {
    case '-':
        link.order = SINGLE;
        break;
    case '=':
        link.order = DOUBLE;
        break;
    case '#':
        link.order = TRIPLE;
        break;
    case ':':
        link.order = AROMATIC;
        break;
    }
    link.side = byte == '/' ? 1 : byte == '\\' ? -1 : 0;
    return link;
}

__device__ static inline u8 order_of(Link link, bool both_aromatic) {
    return link.order != 0 ? link.order : both_aromatic ? AROMATIC : SINGLE;
}

__device__ static Status push(Atom &atom, u8 other, u8 order, int side) {
    u32 slot = atom.degree;
    if (slot == NEIGHBOURS_MAX)
        return Status::DEGREE;
    atom.neighbours = with_byte(atom.neighbours, slot, other);
    atom.orders = with_four_bits(atom.orders, slot, order);
    atom.sides = with_four_bits(atom.sides, slot, side);
    atom.degree = slot + 1;
    return Status::KEY;
}

// Reads a symbol in brackets that is not aromatic: its number, 0 if there is none. It has two letters if the second is
// lower-case.
CALLED u8 symbol(u32 a, u32 b, u32 &bytes) {
    if (a - 'A' >= 26)
        return 0;
    bytes = b - 'a' < 26 ? 2 : 1;
    if (bytes == 1) {
        switch (a) {
        case 'C':
            return CARBON;
        case 'N':
            return NITROGEN;
        case 'O':
            return OXYGEN;
        case 'H':
            return HYDROGEN;
        case 'S':
            return SULFUR;
        }
        b = ' ';
    }
    FOR (u32 i = 0; i < SYMBOLS_COUNT; i++)
        if (SYMBOLS[2 * i] == a && SYMBOLS[2 * i + 1] == b)
            return i + 1;
    return 0;
}

// Reads the symbol of an aromatic atom in brackets; 0 if there is none.
__device__ static u8 aromatic_symbol(u32 a, u32 b, u32 &bytes) {
    bytes = 2;
    if (a == 's' && b == 'e')
        return SELENIUM;
    if (a == 't' && b == 'e')
        return TELLURIUM;
    if ((a == 's' || a == 't' || a == 'a') && (b == 'i' || b == 's'))
        return 0;
    bytes = 1;
    switch (a) {
    case 'c':
        return CARBON;
    case 'n':
        return NITROGEN;
    case 'o':
        return OXYGEN;
    case 's':
        return SULFUR;
    case 'p':
        return PHOSPHORUS;
    case 'b':
        return BORON;
    }
    return 0;
}

__device__ static s8 read_charge(const Text &text, u32 &at) {
    u32 byte = peek(text, at);
    if (byte != '+' && byte != '-')
        return 0;
    at++;
    u32 size = 1;
    if (is_digit(peek(text, at))) {
        size = peek(text, at) - '0';
        at++;
    } else {
        while (peek(text, at) == byte && size < SIGNS_MAX) {
            size++;
            at++;
        }
    }
    return byte == '+' ? static_cast<int>(size) : -static_cast<int>(size);
}

__device__ static Status read_bracket(const Text &text, u32 &at, Atom &atom) {
    at++;
    atom.bracket = true;
    if (peek(text, at) == '0')
        return Status::TEXT;
    u32 isotope = 0;
    while (is_digit(peek(text, at)) && isotope <= 999) {
        isotope = 10 * isotope + (peek(text, at) - '0');
        at++;
    }
    if (isotope > 999)
        return Status::TEXT;
    atom.isotope = isotope;
    u32 a = peek(text, at), b = peek(text, at + 1), bytes = 0;
    atom.number = aromatic_symbol(a, b, bytes);
    atom.aromatic = atom.number != 0;
    if (atom.number == 0)
        atom.number = symbol(a, b, bytes);
    if (atom.number == 0)
        return Status::WILDCARD;
    at += bytes;
    bool uncommon = false;
    if (peek(text, at) == '@') {
        at++;
        atom.chirality = COUNTER_CLOCKWISE;
        if (peek(text, at) == '@') {
            at++;
            atom.chirality = CLOCKWISE;
        }
        u32 next = peek(text, at);
        uncommon = (next != 'H' && next != '+' && next != '-' && next != ']') || atom.number == HYDROGEN;
    }
    if (uncommon)
        return Status::CHIRALITY;
    if (peek(text, at) == 'H') {
        at++;
        atom.hydrogens = 1;
        if (is_digit(peek(text, at))) {
            atom.hydrogens = peek(text, at) - '0';
            at++;
        }
    }
    atom.charge = read_charge(text, at);
    u32 end = peek(text, at);
    at++;
    return end == ']' ? Status::KEY : end == ':' ? Status::ATOM_MAP : Status::TEXT;
}

__device__ static Status read_atom(const Text &text, u32 &at, Atom &atom) {
    u32 byte = peek(text, at);
    if (byte == '[')
        return read_bracket(text, at, atom);
    if (byte == '*')
        return Status::WILDCARD;
    if (byte < 'A' || byte > 'z' || PLAIN[byte - 'A'] == 0)
        return Status::TEXT;
    atom.number = PLAIN[byte - 'A'];
    u32 next = peek(text, ++at);
    if (byte == 'C' && next == 'l') {
        atom.number = 17;
        at++;
    } else if (byte == 'B' && next == 'r') {
        atom.number = 35;
        at++;
    }
    atom.aromatic = byte >= 'a';
    return Status::KEY;
}

// Reads the number of a ring closure; RING_NUMBERS if it is not valid.
__device__ static u32 ring_number(const Text &text, u32 &at) {
    u32 digit = peek(text, at);
    if (is_digit(digit)) {
        at++;
        return digit - '0';
    }
    u32 tens = peek(text, at + 1), ones = peek(text, at + 2);
    at += 3;
    return is_digit(tens) && is_digit(ones) && tens != '0' ? 10 * (tens - '0') + (ones - '0') : RING_NUMBERS;
}

__device__ static Status add(Work &work, Atom atom, u8 from, Link link, u8 &active) {
    Molecule &mol = work.mol;
    u32 index = mol.count;
    if (index == ATOMS_MAX)
        return Status::TOO_LARGE;
    mol.any_chirality |= atom.chirality != NO_CHIRALITY;
    mol.any_aromatic |= atom.aromatic;
    mol.any_hydrogen_atom |= atom.number == HYDROGEN && atom.isotope == 0 && atom.charge == 0;
    atom.first = from == NO_ATOM;
    mol.count++;
    work.reading.above[index] = from;
    work.reading.depth[index] = 0;
    Status status = Status::KEY;
    if (from != NO_ATOM) {
        work.reading.depth[index] = work.reading.depth[from] + 1;
        Atom &other = mol.atoms[from];
        u8 order = order_of(link, other.aromatic && atom.aromatic);
        mol.any_side |= link.side != 0;
        status = push(other, index, order, link.side);
        // The first of its neighbours, so there is room.
        push(atom, from, order, -link.side);
    }
    mol.atoms[index] = atom;
    active = index;
    return status;
}

// Marks the bonds on the path between two atoms as ring bonds.
__device__ static Status mark_ring(Work &work, u32 a, u32 b) {
    // NO_ATOM: the closure joins two components.
    u32 up = 0;
    while (a != b && up != NO_ATOM) {
        u32 &lower = work.reading.depth[a] >= work.reading.depth[b] ? a : b;
        up = work.reading.above[lower];
        if (up != NO_ATOM) {
            // The parent is the first of the neighbours.
            work.mol.atoms[lower].in_ring |= 1;
            Atom &above = work.mol.atoms[up];
            above.in_ring |= 1u << slot_of(above, lower);
            lower = up;
        }
    }
    return up != NO_ATOM ? Status::KEY : Status::TEXT;
}

__device__ static Status ring(Work &work, u8 active, u32 number, Link link) {
    Molecule &mol = work.mol;
    Reading &reading = work.reading;
    Atom &here = mol.atoms[active];
    // RDKit orders ring closures after a branch of a centre differently.
    if (here.chirality != NO_CHIRALITY && active + 1u != mol.count)
        return Status::TEXT;
    here.closures++;
    mol.any_side |= link.side != 0;
    u32 at = 0;
    while (at < reading.rings_open && reading.rings[at].number != number)
        at++;
    if (at == reading.rings_open) {
        OpenRing open;
        open.number = number;
        open.atom = active;
        open.slot = here.degree;
        open.link = link;
        TRY(push(here, NO_ATOM, 0, 0));
        reading.rings[at] = open;
        reading.rings_open++;
        return Status::KEY;
    }
    OpenRing open = reading.rings[at];
    reading.rings_open--;
    reading.rings[at] = reading.rings[reading.rings_open];
    if (open.atom == active || slot_of(here, open.atom) != NO_SLOT)
        return Status::TEXT;
    Atom &there = mol.atoms[open.atom];
    u8 order = open.link.order != 0 ? open.link.order : link.order;
    if (link.order != 0 && link.order != order)
        return Status::TEXT;
    if (order == 0)
        order = here.aromatic && there.aromatic ? AROMATIC : SINGLE;
    // Either end may have the mark, each as seen from that end.
    int side = open.link.side != 0 ? open.link.side : -link.side;
    if (link.side != 0 && link.side != -side)
        return Status::MARKS;
    there.neighbours = with_byte(there.neighbours, open.slot, active);
    there.orders = with_four_bits(there.orders, open.slot, order);
    there.sides = with_four_bits(there.sides, open.slot, side);
    u32 slot = here.degree;
    TRY(push(here, open.atom, order, -side));
    there.in_ring |= 1u << open.slot;
    here.in_ring |= 1u << slot;
    return mark_ring(work, open.atom, active);
}

// Whether a byte can't follow an opening parenthesis: a branch starts with a bond or an atom.
__device__ static inline bool begins_no_branch(u32 byte) {
    return byte == 0 || byte == '(' || byte == ')' || byte == '.' || byte == '%' || is_digit(byte);
}

// Reads a whole text.
__device__ static Status read(const Text &text, Work &work) {
    Molecule &mol = work.mol;
    Reading &reading = work.reading;
    mol.count = 0;
    mol.any_chirality = mol.any_side = mol.any_aromatic = mol.any_hydrogen_atom = false;
    reading.rings_open = reading.branches_open = 0;
    u32 at = 0;
    u8 active = NO_ATOM;
    const Link none = {0, 0};
    Link link = none;
    Status status = Status::KEY;
    while (at < text.length && status == Status::KEY) {
        u32 byte = text.bytes[at];
        bool bare = is_none(link);
        if (byte == '(' && active != NO_ATOM && bare && reading.branches_open < BRANCHES_MAX) {
            at++;
            if (begins_no_branch(peek(text, at)))
                status = Status::TEXT;
            reading.branches[reading.branches_open++] = active;
        } else if (byte == ')' && reading.branches_open > 0 && bare) {
            at++;
            active = reading.branches[--reading.branches_open];
        } else if (byte == '.' && active != NO_ATOM && bare && reading.branches_open == 0) {
            at++;
            active = NO_ATOM;
            if (at == text.length)
                status = Status::TEXT;
        } else if (is_link(byte) && active != NO_ATOM && bare) {
            at++;
            link = link_of(byte);
        } else if ((is_digit(byte) || byte == '%') && active != NO_ATOM) {
            // The bond at the start of a branch is followed by an atom.
            bool begins = !bare && at >= 2 && peek(text, at - 2) == '(';
            u32 number = ring_number(text, at);
            status = begins || number == RING_NUMBERS ? Status::TEXT : ring(work, active, number, link);
            link = none;
        } else {
            Atom atom = Atom();
            status = read_atom(text, at, atom);
            if (status == Status::KEY)
                status = add(work, atom, active, link, active);
            link = none;
        }
    }
    TRY(status);
    bool ended = reading.branches_open == 0 && reading.rings_open == 0 && is_none(link);
    return ended && mol.count > 0 ? Status::KEY : Status::TEXT;
}

// ── valence ─────────────────────────────────────────────────────────────────────────────────────────────────

// No valence, or no number of hydrogens.
#define NO_COUNT 255u

// The valence of an aromatic atom. If it is one more than the atom's bonds and hydrogens, the atom needs a double bond
// in its ring.
__device__ static u32 aromatic_valence(const Atom &atom) {
    u32 charge = static_cast<u32>(atom.charge + 1);
    u32 valence = charge < 3 ? AROMATIC_VALENCES[3 * KINDS[atom.number] + charge] : 0;
    return valence == 0 ? NO_COUNT : valence;
}

// The hydrogens of an atom outside brackets whose bonds use `used` valences. NO_COUNT if there is no such state, or if
// RDKit has to decide it.
__device__ static u32 implicit_hydrogens(u32 number, u32 used) {
    return used < 8 ? HYDROGENS[8 * KINDS[number] + used] : NO_COUNT;
}

// The valences that an atom can have without being a radical, and RDKit agrees; a bit each.
__device__ static u32 certain_valences(const Atom &atom) {
    u32 kind = KINDS[atom.number], charge = static_cast<u32>(atom.charge + 2);
    // Single ions and atoms; bonds of metals are left to RDKit.
    if (kind == ALONE)
        return total_degree(atom) == 0 ? 1 : 0;
    return charge < 4 ? CERTAIN[4 * kind + charge] : 0;
}

__device__ static bool is_certain(const Atom &atom, u32 valence) {
    return valence < 8 && has(certain_valences(atom), valence);
}

// The electron pairs in bonds that are not aromatic, and the number of aromatic bonds.
__device__ static void pairs_in_bonds(const Atom &atom, u32 &pairs, u32 &aromatic) {
    aromatic = __popc(atom.orders >> 2 & FIRST_BITS);
    // The others take two bits each, which are added in pairs, then in all four bytes at once.
    u32 others = atom.orders & 3 * FIRST_BITS;
    others = (others & 0x0f0f0f0fu) + (others >> 4 & 0x0f0f0f0fu);
    pairs = others * 0x01010101u >> 24;
}

__device__ static Status complete_aromatic(Atom &atom, u32 pairs, u32 aromatic) {
    if (aromatic < 2 || atom.in_ring == 0)
        return Status::AROMATIC;
    u32 valence = aromatic_valence(atom);
    if (valence == NO_COUNT)
        return Status::AROMATIC;
    if (!atom.bracket) {
        // An aromatic bond counts as one and a half.
        u32 used = pairs + (3 * aromatic + 1) / 2;
        atom.hydrogens = valence > used ? valence - used : 0;
    }
    // An atom has at most one double bond in its ring; others are outside of it.
    u32 used = pairs + aromatic + atom.hydrogens;
    // RDKit accepts an excess of one and a half, as at the nitrogen of pyrrole.
    if (3 * aromatic + 2 * (pairs + atom.hydrogens) > 2 * valence + 3)
        return Status::AROMATIC;
    if (valence < used || valence - used > 1)
        return Status::AROMATIC;
    atom.unsaturation = pairs + aromatic - atom.degree + (valence - used);
    return Status::KEY;
}

// Rewrites N(=O)=O with charges, as RDKit does.
__device__ static Status charge_nitro(Molecule &mol, Atom &nitrogen) {
    u32 found = NO_SLOT, oxides = 0;
    FOR (u32 slot = 0; slot < nitrogen.degree; slot++) {
        const Atom &other = mol.atoms[neighbour(nitrogen, slot)];
        if (order_in(nitrogen.orders, slot) == DOUBLE && other.number == OXYGEN && other.degree == 1 &&
            !other.bracket && other.isotope == 0) {
            if (oxides == 0)
                found = slot;
            oxides++;
        }
    }
    if (oxides < 2 || nitrogen.degree != 3)
        return Status::VALENCE;
    nitrogen.orders = with_four_bits(nitrogen.orders, found, SINGLE);
    nitrogen.charge = 1;
    nitrogen.unsaturation = 1;
    Atom &oxygen = mol.atoms[neighbour(nitrogen, found)];
    // Treated as in brackets from now on: it has no hydrogens, in whichever order the two atoms are completed.
    oxygen.orders = with_four_bits(oxygen.orders, 0, SINGLE);
    oxygen.charge = -1;
    oxygen.bracket = true;
    oxygen.hydrogens = oxygen.unsaturation = 0;
    return Status::KEY;
}

// Removes a slot from a list of four bits or of a byte per slot.
__device__ static inline u32 without_four_bits(u32 list, u32 slot) {
    u32 below = (1u << 4 * slot) - 1;
    return (list & below) | (list >> 4 & ~below);
}

__device__ static inline u64 without_byte(u64 list, u32 slot) {
    u64 below = (1ull << 8 * slot) - 1;
    return (list & below) | (list >> 8 & ~below);
}

__device__ static Status take_out(Atom &atom, u32 hydrogen) {
    u32 slot = slot_of(atom, hydrogen);
    if (slot == NO_SLOT)
        return Status::HYDROGEN;
    int side = side_in(atom.sides, slot);
    if (side != 0) {
        if (atom.hydrogen_side != 0 && atom.hydrogens > 0 && atom.hydrogen_side != -side)
            return Status::MARKS;
        atom.hydrogen_side = side;
    }
    atom.hydrogen_was_atom = true;
    atom.hydrogen_odd = slot & 1;
    atom.hydrogens++;
    atom.neighbours = without_byte(atom.neighbours, slot);
    atom.orders = without_four_bits(atom.orders, slot);
    atom.sides = without_four_bits(atom.sides, slot);
    u32 below = atom.in_ring & ((1u << slot) - 1);
    atom.in_ring = below | atom.in_ring >> (slot + 1) << slot;
    atom.degree--;
    return Status::KEY;
}

// Removes hydrogens that are written as atoms, as RDKit does, and renumbers the remaining atoms from 0.
__device__ static Status count_hydrogen_atoms(Work &work) {
    Molecule &mol = work.mol;
    // NO_ATOM for a removed atom.
    u8 *numbers = work.reading.above;
    u32 count = 0;
    FOR (u32 index = 0; index < mol.count; index++) {
        const Atom &atom = mol.atoms[index];
        if (atom.number != HYDROGEN || atom.isotope != 0 || atom.charge != 0) {
            numbers[index] = count++;
            continue;
        }
        if (atom.degree != 1 || atom.hydrogens != 0)
            return Status::HYDROGEN;
        Atom &heavy = mol.atoms[neighbour(atom, 0)];
        if (heavy.number == HYDROGEN)
            return Status::HYDROGEN;
        TRY(take_out(heavy, index));
        numbers[index] = NO_ATOM;
    }
    FOR (u32 index = 0; index < mol.count; index++) {
        if (numbers[index] == NO_ATOM)
            continue;
        Atom atom = mol.atoms[index];
        FOR (u32 slot = 0; slot < atom.degree; slot++)
            atom.neighbours = with_byte(atom.neighbours, slot, numbers[neighbour(atom, slot)]);
        mol.atoms[numbers[index]] = atom;
    }
    mol.count = count;
    return Status::KEY;
}

// Completes an atom that is not aromatic.
__device__ static Status complete_plain(Atom &atom, u32 pairs) {
    if (!atom.bracket) {
        u32 hydrogens = implicit_hydrogens(atom.number, pairs);
        if (hydrogens == NO_COUNT)
            return Status::VALENCE;
        atom.hydrogens = hydrogens;
    } else if (!is_certain(atom, pairs + atom.hydrogens)) {
        return Status::VALENCE;
    }
    atom.unsaturation = pairs - atom.degree;
    // RDKit writes some of these with charges.
    bool two_double_bonds = atom.number == PHOSPHORUS && atom.charge == 0 && atom.unsaturation > 1;
    // RDKit does not read these in an aromatic ring.
    bool uncommon = atom.bracket && atom.unsaturation > 0 && aromatic_valence(atom) == NO_COUNT;
    return two_double_bonds || (uncommon && total_degree(atom) <= 3) ? Status::VALENCE : Status::KEY;
}

// Sets the hydrogens and the unsaturation of every atom; hydrogens written as atoms become counts.
__device__ static Status complete(Work &work) {
    Molecule &mol = work.mol;
    Status status = Status::KEY;
    FOR (u32 index = 0; index < mol.count && status == Status::KEY; index++) {
        Atom &atom = mol.atoms[index];
        u32 pairs, aromatic;
        pairs_in_bonds(atom, pairs, aromatic);
        if (aromatic > 0 && !atom.aromatic)
            status = Status::AROMATIC;
        else if (atom.aromatic)
            status = complete_aromatic(atom, pairs, aromatic);
        else if (atom.number == NITROGEN && pairs == 5 && !atom.bracket)
            status = charge_nitro(mol, atom);
        else
            status = complete_plain(atom, pairs);
    }
    TRY(status);
    return mol.any_hydrogen_atom ? count_hydrogen_atoms(work) : Status::KEY;
}

// ── bonds ───────────────────────────────────────────────────────────────────────────────────────────────────

// Adds an atom to the queue if only one bond can take its pairs. Fails if none can.
__device__ static inline Status look_at(Work &work, u32 index) {
    Assignment &assignment = work.assignment;
    if (!holds(assignment.open, index))
        return Status::KEY;
    if (is_empty(assignment.ways[index]))
        return Status::BONDS;
    if (is_single(assignment.ways[index]))
        add_to(assignment.single, index);
    return Status::KEY;
}

// Assigns pairs to the bond of two atoms. The other bonds of an atom without pairs left are excluded.
__device__ static Status give(Work &work, u32 index, u32 other, u32 pairs) {
    Molecule &mol = work.mol;
    Assignment &assignment = work.assignment;
    if (pairs > 2 || mol.atoms[other].open < pairs || mol.atoms[index].open < pairs)
        return Status::BONDS;
    // The atoms that lose a bond.
    Set losing = empty_set();
    FOR (u32 end = 0; end < 2; end++) {
        u32 here = end == 0 ? index : other, there = end == 0 ? other : index;
        Atom &atom = mol.atoms[here];
        atom.assigned = with_four_bits(atom.assigned, slot_of(atom, there), SINGLE + pairs);
        atom.open -= pairs;
        take_from(assignment.ways[here], there);
        add_to(losing, here);
        if (atom.open > 0)
            continue;
        take_from(assignment.open, here);
        Set left = assignment.ways[here];
        assignment.ways[here] = empty_set();
        losing = either(losing, left);
        while (!is_empty(left))
            take_from(assignment.ways[pop(left)], here);
    }
    Status status = Status::KEY;
    while (!is_empty(losing) && status == Status::KEY)
        status = look_at(work, pop(losing));
    return status;
}

// Assigns the pairs of all atoms with only one possible bond, until there are none. The order does not matter.
CALLED Status peel(Work &work) {
    Assignment &assignment = work.assignment;
    Status status = Status::KEY;
    while (!is_empty(assignment.single) && status == Status::KEY) {
        u32 index = pop(assignment.single);
        const Set &ways = assignment.ways[index];
        if (!holds(assignment.open, index))
            continue;
        status = is_empty(ways) ? Status::BONDS : give(work, index, least_of(ways), work.mol.atoms[index].open);
    }
    return status;
}

__device__ static Status begin_bonds(Work &work) {
    Molecule &mol = work.mol;
    Assignment &assignment = work.assignment;
    assignment.open = assignment.single = empty_set();
    FOR (u32 index = 0; index < mol.count; index++) {
        Atom &atom = mol.atoms[index];
        atom.open = atom.unsaturation;
        atom.assigned = SINGLE * ones_for(atom.degree);
        if (atom.open > 0)
            add_to(assignment.open, index);
    }
    Status status = Status::KEY;
    FOR (Set left = assignment.open; !is_empty(left) && status == Status::KEY;) {
        u32 index = pop(left);
        Set beside = set_beside(mol.atoms[index]);
        assignment.beside[index] = beside;
        assignment.ways[index] = both(beside, assignment.open);
        status = look_at(work, index);
    }
    return status;
}

// Extends a path of two open atoms until it closes after six, and marks the bonds of that ring. The ring has no chord:
// no atom has another neighbour in the ring than its two. Returns whether there is such a ring.
__device__ static bool mark_ring_by(Assignment &assignment, u32 first, u32 second) {
    // The atoms of the path, a byte each, and the bonds of each but the first that are still to be tried.
    u64 way = first | second << 8;
    Set on_way = empty_set(), left[5];
    add_to(on_way, first);
    add_to(on_way, second);
    left[1] = without(assignment.ways[second], on_way);
    u32 length = 2;
    bool closed = false;
    while (length >= 2 && !closed) {
        u32 last = byte_of(way, length - 1);
        if (is_empty(left[length - 1])) {
            take_from(on_way, last);
            length--;
            continue;
        }
        u32 next = pop(left[length - 1]);
        Set known = both(assignment.beside[next], on_way);
        take_from(known, last);
        if (length == 5)
            take_from(known, first);
        bool fits = is_empty(known) && (length < 5 || holds(assignment.ways[first], next));
        if (fits) {
            way = with_byte(way, length, next);
            closed = length == 5;
        }
        if (fits && !closed) {
            add_to(on_way, next);
            left[length] = without(assignment.ways[next], on_way);
            length++;
        }
    }
    if (!closed)
        return false;
    u32 before = byte_of(way, 5);
    FOR (u32 i = 0; i < 6; i++) {
        u32 here = byte_of(way, i);
        add_to(assignment.marked[here], before);
        add_to(assignment.marked[before], here);
        before = here;
    }
    return true;
}

// Marks the bonds of six-membered rings without chords whose atoms are all open. False once a bond is in none.
__device__ static bool mark_six_rings(Assignment &assignment) {
    FOR (Set left = assignment.open; !is_empty(left);)
        assignment.marked[pop(left)] = empty_set();
    Set left = assignment.open;
    bool all = true;
    while (all && !is_empty(left)) {
        Set to = empty_set();
        u32 index = 0;
        while (is_empty(to) && !is_empty(left)) {
            index = least_of(left);
            to = without(assignment.ways[index], assignment.marked[index]);
            if (is_empty(to))
                take_from(left, index);
        }
        if (!is_empty(to))
            all = mark_ring_by(assignment, index, least_of(to));
    }
    return all;
}

__device__ static Status assign_bridge(Work &work, Bridge bridge) {
    Assignment &assignment = work.assignment;
    if (!holds(assignment.ways[bridge.here], bridge.above)) {
        // Another bridge has assigned it already: both must agree.
        const Atom &atom = work.mol.atoms[bridge.here];
        u32 order = order_in(atom.assigned, slot_of(atom, bridge.above));
        return (order > SINGLE) == bridge.odd ? Status::KEY : Status::BONDS;
    }
    if (bridge.odd)
        return give(work, bridge.here, bridge.above, 1);
    take_from(assignment.ways[bridge.here], bridge.above);
    take_from(assignment.ways[bridge.above], bridge.here);
    TRY(look_at(work, bridge.here));
    return look_at(work, bridge.above);
}

// The first visit of an atom.
__device__ static void visit(Work &work, u32 index, u32 above, u32 order) {
    Visit visit;
    visit.order = visit.low = order;
    visit.above = above;
    visit.pairs = work.mol.atoms[index].open;
    work.assignment.bridging.visits[index] = visit;
    work.assignment.marked[index] = work.assignment.ways[index];
}

// Assigns bridges: bonds that are the only connection of two parts of the open atoms. Returns whether there was one.
CALLED Status assign_bridges(Work &work, bool &any) {
    const Molecule &mol = work.mol;
    Assignment &assignment = work.assignment;
    Visit(&visits)[ATOMS_MAX] = assignment.bridging.visits;
    Set roots = assignment.open;
    FOR (Set left = roots; !is_empty(left);)
        visits[pop(left)].order = 0;
    u32 count = 0, order = 0;
    while (!is_empty(roots)) {
        u32 root = pop(roots);
        if (visits[root].order != 0)
            continue;
        visit(work, root, root, ++order);
        u32 here = root;
        bool over = false;
        while (!over) {
            if (!is_empty(assignment.marked[here])) {
                u32 next = pop(assignment.marked[here]);
                if (visits[next].order == 0) {
                    visit(work, next, here, ++order);
                    here = next;
                } else if (next != visits[here].above && visits[next].order < visits[here].low) {
                    visits[here].low = visits[next].order;
                }
            } else if (here == root) {
                over = true;
            } else {
                Visit done = visits[here];
                Visit &above = visits[done.above];
                if (done.low < above.low)
                    above.low = done.low;
                above.pairs += done.pairs;
                u32 open = mol.atoms[here].open, open_above = mol.atoms[done.above].open;
                if (done.low > above.order && (open < open_above ? open : open_above) == 1) {
                    Bridge bridge;
                    bridge.here = here;
                    bridge.above = done.above;
                    bridge.odd = done.pairs & 1;
                    assignment.bridging.bridges[count++] = bridge;
                }
                here = done.above;
            }
        }
    }
    Status status = Status::KEY;
    FOR (u32 i = 0; i < count && status == Status::KEY; i++)
        status = assign_bridge(work, assignment.bridging.bridges[i]);
    any = count > 0;
    return status;
}

// Open atoms that the text has as aromatic.
__device__ static Set open_aromatic(const Work &work) {
    Set aromatic = empty_set();
    FOR (Set left = work.assignment.open; !is_empty(left);) {
        u32 index = pop(left);
        if (work.mol.atoms[index].aromatic)
            add_to(aromatic, index);
    }
    return aromatic;
}

// Gives the two open atoms of every bond different sides, and returns one side. Fails if that is impossible, or if a
// bond joins an aromatic atom and another one.
__device__ static Status tell_sides(const Assignment &assignment, const Set &aromatic, Set &one_side) {
    Set other_side = empty_set(), waiting = empty_set(), roots = assignment.open;
    one_side = empty_set();
    bool right = true;
    while (right && !(is_empty(waiting) && is_empty(roots))) {
        if (is_empty(waiting)) {
            u32 root = pop(roots);
            add_to(one_side, root);
            add_to(waiting, root);
        }
        u32 here = pop(waiting);
        bool is_one = holds(one_side, here), is_aromatic = holds(aromatic, here);
        const Set &ways = assignment.ways[here];
        Set same_side = both(ways, is_one ? one_side : other_side);
        Set unlike = is_aromatic ? without(ways, aromatic) : both(ways, aromatic);
        right = is_empty(same_side) && is_empty(unlike);
        Set next = without(ways, either(one_side, other_side));
        waiting = either(waiting, next);
        one_side = is_one ? one_side : either(one_side, next);
        other_side = is_one ? either(other_side, next) : other_side;
        roots = without(roots, next);
    }
    return right ? Status::KEY : Status::AROMATIC;
}

// Finds a partner for an atom, if necessary by changing the partners of others (Kuhn 1955).
__device__ static bool find_partner(Assignment &assignment, u32 index, Set &matched) {
    Matching &matching = assignment.matching;
    Set seen = empty_set();
    matching.way[0] = index;
    u32 length = 1;
    bool found = false;
    while (length > 0 && !found) {
        u32 here = matching.way[length - 1];
        Set to = without(assignment.marked[here], seen);
        if (is_empty(to)) {
            length--;
            continue;
        }
        Set free = without(to, matched);
        found = !is_empty(free);
        u32 other = least_of(found ? free : to);
        matching.by[length - 1] = other;
        add_to(seen, other);
        if (!found) {
            matching.way[length] = matching.partner[other];
            length++;
        }
    }
    if (found)
        add_to(matched, matching.by[length - 1]);
    // Each atom of the path takes the next one as its partner.
    FOR (u32 i = 0; i < length; i++)
        matching.partner[matching.by[i]] = matching.way[i];
    return found;
}

// Rings that the text has as aromatic must have a Kekulé form. (Those that it has with double bonds have one.)
__device__ static Status match_rings(Work &work) {
    const Molecule &mol = work.mol;
    Assignment &assignment = work.assignment;
    Set aromatic = open_aromatic(work), side;
    TRY(tell_sides(assignment, aromatic, side));
    // Partners are connected by bonds that the text has as aromatic.
    FOR (Set left = both(aromatic, side); !is_empty(left);) {
        u32 index = pop(left);
        const Atom &atom = mol.atoms[index];
        Set partners = empty_set();
        FOR (u32 slots = atom.orders >> 2 & FIRST_BITS; slots != 0; slots &= slots - 1)
            add_to(partners, neighbour(atom, first_bit(slots) / 4));
        assignment.marked[index] = both(partners, assignment.ways[index]);
    }
    Set matched = empty_set();
    bool found = true;
    FOR (Set left = both(aromatic, side); !is_empty(left) && found;)
        found = find_partner(assignment, pop(left), matched);
    return found && size_of(matched) == size_of(without(aromatic, side)) ? Status::KEY : Status::AROMATIC;
}

// Whether RDKit perceives such an atom as aromatic in a ring of six.
__device__ static inline bool is_plain(const Atom &atom) {
    u32 neutral = 1u << CARBON | 1u << NITROGEN, charged = 1u << NITROGEN | 1u << OXYGEN | 1u << SULFUR;
    u32 numbers = atom.charge == 0 ? neutral : atom.charge == 1 ? charged : 0;
    return atom.number < 32 && has(numbers, atom.number) && atom.open == 1;
}

__device__ static Status assign_rings(Work &work) {
    Molecule &mol = work.mol;
    Assignment &assignment = work.assignment;
    Status status = Status::KEY;
    while (status == Status::KEY && !mark_six_rings(assignment)) {
        bool any = false;
        status = assign_bridges(work, any);
        if (status == Status::KEY)
            status = any ? peel(work) : Status::BONDS;
    }
    FOR (Set left = assignment.open; !is_empty(left) && status == Status::KEY;) {
        u32 index = pop(left);
        Atom &atom = mol.atoms[index];
        if (!is_plain(atom))
            status = Status::BONDS;
        FOR (u32 slot = 0; slot < atom.degree; slot++)
            if (holds(assignment.marked[index], neighbour(atom, slot)))
                atom.assigned = with_four_bits(atom.assigned, slot, AROMATIC);
    }
    return status == Status::KEY && mol.any_aromatic ? match_rings(work) : status;
}

// A bit per slot as the first of four.
__device__ static inline u32 first_of_four(u32 bits) {
    bits = (bits | bits << 12) & 0x000f000fu;
    bits = (bits | bits << 6) & 0x03030303u;
    return (bits | bits << 3) & FIRST_BITS;
}

// The assigned bonds must be those of the text, where the text has them. Checks all bonds of an atom at once: 4 is
// aromatic, 3 a triple bond, 1 a single one.
__device__ static Status compare_with_text(const Molecule &mol) {
    u32 faults = 0;
    FOR (u32 index = 0; index < mol.count; index++) {
        const Atom &atom = mol.atoms[index];
        u32 written = atom.orders, assigned = atom.assigned, differ = written ^ assigned;
        u32 may_be_form = written >> 2 & (first_of_four(atom.in_ring) | (assigned & ~(assigned >> 1)));
        u32 may_be_aromatic = assigned >> 2 & ~(written & written >> 1);
        faults |= (differ | differ >> 1 | differ >> 2) & FIRST_BITS & ~(may_be_form | may_be_aromatic);
    }
    return faults == 0 ? Status::KEY : Status::AROMATIC;
}

// Assigns all bonds, in `assigned`.
__device__ static Status assign(Work &work) {
    TRY(begin_bonds(work));
    TRY(peel(work));
    TRY(is_empty(work.assignment.open) ? Status::KEY : assign_rings(work));
    return compare_with_text(work.mol);
}

// ── refine ──────────────────────────────────────────────────────────────────────────────────────────────────

// Which properties of atoms count: all of them, or those that count for ranks by the rules of Cahn, Ingold and Prelog
// as RDKit applies them: no charges.
enum class Sight : u8 { FULL, RANKS };

// Entries of the table in which colours are counted: a power of two.
#define TABLE (ATOMS_MAX <= 32 ? 64 : ATOMS_MAX <= 64 ? 128 : ATOMS_MAX <= 128 ? 256 : 512)

// Mixes a word: every bit of the word affects every bit of the result, and different words stay different.
__device__ static inline u64 mix(u64 word) {
    word = (word ^ word >> 27) * MIX_FIRST;
    word = (word ^ word >> 33) * MIX_SECOND;
    return word ^ word >> 27;
}

__device__ static inline u64 rotate_left(u64 x, u32 by) { return x << by | x >> (64 - by); }

// The properties of an atom that do not depend on its neighbours.
__device__ static void begin(const Molecule &mol, Sight sight, Colours &colours) {
    FOR (u32 index = 0; index < mol.count; index++) {
        const Atom &atom = mol.atoms[index];
        u64 label = atom.number | static_cast<u32>(atom.hydrogens) << 8 | static_cast<u32>(atom.degree) << 16 |
                    static_cast<u64>(atom.isotope) << 24;
        if (sight == Sight::FULL)
            label |= static_cast<u64>(static_cast<u8>(atom.charge)) << 40 | static_cast<u64>(atom.unsaturation) << 48;
        colours.of[index] = mix(label | 1ull << 63);
    }
    colours.distinct = 0;
    colours.alike = first_atoms(mol.count);
}

// What an atom sees. Colours are mixed already, so their sum identifies the neighbours.
__device__ static inline u64 see(const Molecule &mol, u32 index, const u64 (&colours)[ATOMS_MAX]) {
    const Atom &atom = mol.atoms[index];
    u64 neighbours = atom.neighbours, sum = colours[index] * 5;
    u32 assigned = atom.assigned;
    FOR (u32 slot = 0; slot < atom.degree; slot++) {
        u32 other = neighbours & 255;
        u32 order = assigned & 15;
        neighbours >>= 8;
        assigned >>= 4;
        sum += rotate_left(colours[other], ORDER_BITS * order);
    }
    return mix(sum);
}

__device__ static inline void step(const Molecule &mol, const u64 (&from)[ATOMS_MAX], u64 (&to)[ATOMS_MAX]) {
    FOR (u32 index = 0; index < mol.count; index++)
        to[index] = see(mol, index, from);
}

// Counts the colours of atoms that may share them, and keeps in that set the atoms that do.
__device__ static u32 count_distinct(Colours &colours, u32 count) {
    u32 alike = size_of(colours.alike), places = 16;
    while (places < 2 * alike)
        places *= 2;
    // An atom of that colour; NO_ATOM if the entry is free.
    u64 words[TABLE / 8];
    u8 *table = reinterpret_cast<u8 *>(words);
    FOR (u32 i = 0; i < places / 8; i++)
        words[i] = ~0ull;
    u32 distinct = count - alike;
    Set left = colours.alike;
    colours.alike = empty_set();
    while (!is_empty(left)) {
        u32 index = pop(left);
        u64 colour = colours.of[index];
        u32 place = static_cast<u32>(colour) & (places - 1), other;
        while (other = table[place], other != NO_ATOM && colours.of[other] != colour)
            place = (place + 1) & (places - 1);
        if (other == NO_ATOM) {
            table[place] = index;
            distinct++;
        } else {
            add_to(colours.alike, index);
            add_to(colours.alike, other);
        }
    }
    return distinct;
}

// Refines until nothing changes.
__device__ static void refine(const Molecule &mol, Colours &colours) {
    // Few molecules need fewer than two rounds, so colours are not counted before.
    bool stable = false;
    while (colours.distinct < mol.count && !stable) {
        step(mol, colours.of, colours.seen);
        step(mol, colours.seen, colours.of);
        u32 distinct = count_distinct(colours, mol.count);
        stable = distinct == colours.distinct;
        colours.distinct = distinct;
    }
}

// Adds to the colours what ranks do not see, on top of what ranks distinguish. The caller refines them.
__device__ static void see_the_rest(const Molecule &mol, Colours &colours) {
    FOR (u32 index = 0; index < mol.count; index++)
        colours.seen[index] = colours.of[index];
    begin(mol, Sight::FULL, colours);
    FOR (u32 index = 0; index < mol.count; index++)
        colours.of[index] = mix(colours.of[index] ^ rotate_left(colours.seen[index], 17));
}

// ── stereo ──────────────────────────────────────────────────────────────────────────────────────────────────

__device__ static inline bool same(const Colours &colours, u32 a, u32 b) { return colours.of[a] == colours.of[b]; }

__device__ static bool neighbours_differ(const Atom &atom, const Colours &colours) {
    bool differ = true;
    FOR (u32 i = 1; i < atom.degree; i++)
        FOR (u32 j = 0; j < i; j++)
            differ &= !same(colours, neighbour(atom, i), neighbour(atom, j));
    return differ;
}

// Whether the centre is `@@` with its neighbours in the order of their colours, its hydrogen first.
__device__ static bool is_odd(const Atom &atom, const Colours &colours) {
    bool odd = atom.chirality == CLOCKWISE;
    FOR (u32 i = 1; i < atom.degree; i++)
        FOR (u32 j = 0; j < i; j++)
            odd ^= colours.of[neighbour(atom, j)] > colours.of[neighbour(atom, i)];
    bool lone = atom.degree == 3 && atom.hydrogens == 0;
    // In brackets the hydrogen follows the preceding atom, if there is one.
    if (atom.hydrogens == 1)
        odd ^= atom.hydrogen_was_atom ? atom.hydrogen_odd : !atom.first;
    // RDKit treats a centre of three neighbours with one ring closure this way.
    return odd ^ (lone && atom.closures == 1 && atom.unsaturation == 0);
}

// The side of the neighbour of the higher colour at one end of a double bond, by its mark. `differ`: whether the
// neighbours differ.
__device__ static Status side_at(const Atom &atom, u32 other_end, const Colours &colours, bool &differ, int &mark) {
    differ = false;
    u64 colour = 0;
    mark = 0;
    // An end has at most two other neighbours.
    bool alike = false, contradict = false;
    FOR (u32 slot = 0; slot < atom.degree; slot++) {
        u32 other = neighbour(atom, slot);
        if (other == other_end)
            continue;
        u64 next = colours.of[other];
        int next_mark = side_in(atom.sides, slot);
        if (!differ) {
            colour = next;
            mark = next_mark;
            differ = true;
        } else if (colour == next) {
            alike = true;
        } else if (mark != 0 && mark == next_mark) {
            contradict = true;
        } else if (colour > next) {
            // One mark places both neighbours.
            mark = mark != 0 ? mark : -next_mark;
        } else {
            mark = next_mark != 0 ? next_mark : -mark;
            colour = next;
        }
    }
    differ &= !alike;
    if (contradict || (differ && mark != 0 && atom.hydrogen_side == mark))
        return Status::MARKS;
    if (mark == 0)
        mark = -atom.hydrogen_side;
    return Status::KEY;
}

// Whether a mark distinguishes the neighbours of one end of a double bond.
__device__ static Status has_mark(const Atom &atom, u32 other_end, bool &marked) {
    bool heavy = false;
    marked = false;
    FOR (u32 slot = 0; slot < atom.degree; slot++) {
        if (neighbour(atom, slot) != other_end) {
            heavy = true;
            marked |= side_in(atom.sides, slot) != 0;
        }
    }
    // RDKit keeps such a hydrogen as an atom.
    if (atom.hydrogen_side != 0 && !heavy)
        return Status::HYDROGEN;
    marked |= atom.hydrogen_side != 0;
    return Status::KEY;
}

// Whether the bond is in a ring that is too small for RDKit to see stereo at its double bonds.
CALLED bool in_small_ring(const Molecule &mol, u32 index, u32 slot) {
    if (!has(mol.atoms[index].in_ring, slot))
        return false;
    u32 goal = neighbour(mol.atoms[index], slot);
    Set reached = empty_set(), last = empty_set();
    add_to(reached, index);
    add_to(last, index);
    bool found = false;
    // The atoms of the path so far; the goal adds one.
    FOR (u32 length = 1; length + 1 < STEREO_RING_MIN && !found; length++) {
        Set next = empty_set();
        while (!is_empty(last))
            next = either(next, set_beside(mol.atoms[pop(last)]));
        if (length == 1)
            take_from(next, goal);
        found = holds(next, goal);
        last = without(next, reached);
        reached = either(reached, next);
    }
    return found;
}

// An atom with more neighbours, hydrogens included, has no electrons to share.
__device__ static inline bool may_share(const Atom &atom) { return atom.in_ring != 0 && total_degree(atom) <= 3; }

// Atoms in a ring of such atoms, or between two such rings. Only these can be aromatic.
CALLED Set sharing_atoms(const Molecule &mol) {
    Set sharing = empty_set();
    FOR (u32 index = 0; index < mol.count; index++)
        if (may_share(mol.atoms[index]))
            add_to(sharing, index);
    // Repeatedly drop atoms with fewer than two remaining ring neighbours.
    Set off;
    do {
        off = empty_set();
        FOR (Set left = sharing; !is_empty(left);) {
            u32 index = pop(left), ways = 0;
            const Atom &atom = mol.atoms[index];
            FOR (u32 slots = atom.in_ring; slots != 0; slots &= slots - 1)
                ways += holds(sharing, neighbour(atom, first_bit(slots)));
            if (ways < 2)
                add_to(off, index);
        }
        sharing = without(sharing, off);
    } while (!is_empty(off));
    return sharing;
}

__device__ static bool may_be_aromatic(Work &work, u32 index) {
    if (!may_share(work.mol.atoms[index]))
        return false;
    if (!work.perceiving.sharing_known)
        work.perceiving.sharing = sharing_atoms(work.mol);
    work.perceiving.sharing_known = true;
    return holds(work.perceiving.sharing, index);
}

__device__ static bool in_ring_of_three(const Molecule &mol, const Atom &atom) {
    FOR (u32 i = 1; i < 3; i++)
        FOR (u32 j = 0; j < i; j++)
            if (slot_of(mol.atoms[neighbour(atom, i)], neighbour(atom, j)) != NO_SLOT)
                return true;
    return false;
}

__device__ static Status centre_of_three(const Molecule &mol, const Atom &atom, bool &may) {
    may = false;
    switch (atom.number) {
    case CARBON:
        return Status::KEY;
    case NITROGEN: {
        if (atom.unsaturation > 0)
            return Status::KEY;
        if (atom.charge != 0)
            return Status::CHIRALITY;
        bool conjugated = false;
        FOR (u32 slot = 0; slot < 3; slot++)
            conjugated |= mol.atoms[neighbour(atom, slot)].unsaturation > 0;
        u32 in_rings = __popc(atom.in_ring & 7);
        if (in_rings <= 1 && !conjugated)
            return Status::KEY;
        // In a ring of three, or shared by rings: RDKit's result depends on its set of rings.
        if (conjugated || in_rings == 3)
            return Status::NITROGEN_CENTRE;
        may = in_ring_of_three(mol, atom);
        return Status::KEY;
    }
    case SULFUR:
    case SELENIUM:
        may = (atom.charge == 0 && atom.unsaturation == 1) || (atom.charge == 1 && atom.unsaturation == 0);
        return Status::KEY;
    case PHOSPHORUS:
        may = atom.unsaturation == 0;
        return may ? Status::KEY : Status::CHIRALITY;
    case BORON:
        return atom.charge == 0 ? Status::KEY : Status::CHIRALITY;
    }
    return Status::CHIRALITY;
}

__device__ static Status may_be_centre(const Molecule &mol, const Atom &atom, bool &may) {
    may = false;
    u32 degree = total_degree(atom), hydrogens = atom.hydrogens;
    if (degree >= 5)
        return Status::CHIRALITY;
    if (hydrogens >= 1 && (atom.number == PHOSPHORUS || atom.number == ARSENIC))
        return Status::CHIRALITY;
    if (degree == 3 && hydrogens == 0)
        return centre_of_three(mol, atom, may);
    may = degree == 4 && hydrogens <= 1;
    return Status::KEY;
}

// Whether a centre with equal neighbours may be a ring stereo centre.
__device__ static bool is_ring_centre(const Atom &atom, const Colours &colours) {
    if (atom.in_ring == 0)
        return false;
    u32 out = 0, count = 0, distinct = 0, first_out = 0, second_out = 0;
    FOR (u32 slot = 0; slot < atom.degree; slot++) {
        u32 other = neighbour(atom, slot);
        if (!has(atom.in_ring, slot)) {
            if (out == 2)
                return false;
            (out == 0 ? first_out : second_out) = other;
            out++;
            continue;
        }
        bool is_new = true;
        FOR (u32 i = 0; i < slot; i++)
            if (has(atom.in_ring, i) && same(colours, neighbour(atom, i), other))
                is_new = false;
        distinct += is_new;
        count++;
    }
    if (out == 2)
        return distinct < count && !same(colours, first_out, second_out);
    if (out == 1)
        return distinct < count;
    return (count == 4 && distinct == 3) || (count == 3 && distinct == 2);
}

// Records what an atom adds to its colour in a round.
__device__ static inline void note(Stereo &stereo, Set &saying, u32 index, u32 code) {
    stereo.now[index] = (holds(saying, index) ? stereo.now[index] : 0) + code;
    add_to(saying, index);
}

// One round over all pending marks. `any`: whether any was added to the colours.
__device__ static Status apply_marks(Work &work, u32 &bonds_count, bool &any) {
    const Molecule &mol = work.mol;
    Stereo &stereo = work.stereo;
    Colours &colours = work.colours;
    Set saying = empty_set();
    FOR (Set left = stereo.pending; !is_empty(left);) {
        u32 index = pop(left);
        const Atom &atom = mol.atoms[index];
        if (neighbours_differ(atom, colours)) {
            note(stereo, saying, index, is_odd(atom, colours) ? CENTRE_ODD : CENTRE_EVEN);
            take_from(stereo.pending, index);
        }
    }
    u32 bonds = 0;
    Status status = Status::KEY;
    FOR (u32 i = 0; i < bonds_count && status == Status::KEY; i++) {
        u32 a = work.perceiving.bonds_a[i], b = work.perceiving.bonds_b[i];
        bool a_differ, b_differ;
        int at_a, at_b;
        status = side_at(mol.atoms[a], b, colours, a_differ, at_a);
        if (status == Status::KEY)
            status = side_at(mol.atoms[b], a, colours, b_differ, at_b);
        if (a_differ && b_differ) {
            u32 code = at_a == at_b ? SAME_SIDE : OTHER_SIDE;
            note(stereo, saying, a, code);
            note(stereo, saying, b, code);
            add_to(stereo.ends, a);
            add_to(stereo.ends, b);
        } else {
            work.perceiving.bonds_a[bonds] = a;
            work.perceiving.bonds_b[bonds] = b;
            bonds++;
        }
    }
    bonds_count = bonds;
    any = !is_empty(saying);
    while (!is_empty(saying)) {
        u32 index = pop(saying);
        u64 code = stereo.now[index];
        colours.of[index] = mix(colours.of[index] ^ code << 56 ^ STEREO_MIX);
    }
    return status;
}

__device__ static Status collect_centres(Work &work) {
    const Molecule &mol = work.mol;
    Status status = Status::KEY;
    u32 count = mol.any_chirality ? mol.count : 0;
    FOR (u32 index = 0; index < count && status == Status::KEY; index++) {
        if (mol.atoms[index].chirality == NO_CHIRALITY)
            continue;
        bool may;
        status = may_be_centre(mol, mol.atoms[index], may);
        if (status == Status::KEY && may) {
            add_to(work.stereo.pending, index);
            if (may_be_aromatic(work, index))
                status = Status::AROMATIC;
        }
    }
    return status;
}

__device__ static inline bool may_be_end(const Atom &atom) { return atom.degree == 2 || atom.degree == 3; }

__device__ static inline bool is_usual_end(const Atom &atom) {
    return atom.number == CARBON || atom.number == NITROGEN;
}

// Records a double bond to an atom of a higher number if its marks may be stereo.
__device__ static Status collect_bond(Work &work, u32 index, u32 slot) {
    const Molecule &mol = work.mol;
    const Atom &atom = mol.atoms[index];
    u32 other = neighbour(atom, slot);
    const Atom &end = mol.atoms[other];
    bool marked, marked_end = false;
    TRY(has_mark(atom, other, marked));
    TRY(marked ? has_mark(end, index, marked_end) : Status::KEY);
    if (!marked_end || !may_be_end(atom) || !may_be_end(end) || in_small_ring(mol, index, slot))
        return Status::KEY;
    // RDKit writes some double bonds of other elements as another molecule.
    if (!is_usual_end(atom) || !is_usual_end(end))
        return Status::CHIRALITY;
    if (has(atom.in_ring, slot) && may_be_aromatic(work, index) && may_be_aromatic(work, other))
        return Status::AROMATIC;
    u32 count = work.perceiving.bonds_count;
    if (count == ATOMS_MAX)
        return Status::TOO_LARGE;
    work.perceiving.bonds_a[count] = index;
    work.perceiving.bonds_b[count] = other;
    work.perceiving.bonds_count = count + 1;
    return Status::KEY;
}

__device__ static Status collect_bonds(Work &work) {
    const Molecule &mol = work.mol;
    Status status = Status::KEY;
    u32 count = mol.any_side ? mol.count : 0;
    FOR (u32 index = 0; index < count && status == Status::KEY; index++) {
        const Atom &atom = mol.atoms[index];
        FOR (u32 slot = 0; slot < atom.degree && status == Status::KEY; slot++)
            if (neighbour(atom, slot) >= index && order_in(atom.assigned, slot) == DOUBLE)
                status = collect_bond(work, index, slot);
    }
    return status;
}

// The atoms that ring bonds connect to one.
__device__ static Set ring_system_of(const Molecule &mol, u32 from) {
    Set system = empty_set(), waiting = empty_set();
    add_to(system, from);
    add_to(waiting, from);
    while (!is_empty(waiting)) {
        const Atom &atom = mol.atoms[pop(waiting)];
        Set next = empty_set();
        FOR (u32 slots = atom.in_ring; slots != 0; slots &= slots - 1)
            add_to(next, neighbour(atom, first_bit(slots)));
        waiting = either(waiting, without(next, system));
        system = either(system, next);
    }
    return system;
}

// The atoms of a set that have the colour of an atom.
__device__ static Set like(const Colours &colours, Set left, u32 index) {
    Set like = empty_set();
    while (!is_empty(left)) {
        u32 other = pop(left);
        if (same(colours, index, other))
            add_to(like, other);
    }
    return like;
}

// Whether there are two of one colour and two of another.
__device__ static bool are_two_pairs(const Colours &colours, Set left) {
    u32 pairs = 0;
    while (!is_empty(left)) {
        Set those = like(colours, left, least_of(left));
        left = without(left, those);
        pairs += size_of(those) > 1;
    }
    return pairs > 1;
}

// Keeps centres with equal neighbours that share a ring system with another such centre. If only some atoms of one
// colour are marked, RDKit may write the same SMILES for two molecules, so RDKit decides.
__device__ static Status keep_ring_centres(Work &work) {
    const Molecule &mol = work.mol;
    Set able = empty_set(), kept = empty_set();
    FOR (Set left = work.stereo.pending; !is_empty(left);) {
        u32 index = pop(left);
        if (is_ring_centre(mol.atoms[index], work.colours))
            add_to(able, index);
    }
    bool uncertain = false;
    while (!is_empty(able)) {
        Set system = ring_system_of(mol, least_of(able)), in_system = both(able, system);
        able = without(able, system);
        if (is_single(in_system))
            continue;
        kept = either(kept, in_system);
        // In one ring system RDKit decides too.
        uncertain |= are_two_pairs(work.colours, in_system);
    }
    work.stereo.pending = kept;
    u32 count = is_empty(kept) ? 0 : mol.count;
    FOR (u32 index = 0; index < count; index++)
        if (mol.atoms[index].chirality == NO_CHIRALITY)
            uncertain |= !is_empty(like(work.colours, kept, index));
    return uncertain ? Status::RING_STEREO : Status::KEY;
}

// Whether a neighbour of one end of a double bond is the end of another double bond with stereo.
__device__ static bool says_beside(const Work &work, const Atom &atom, u32 end) {
    FOR (u32 slot = 0; slot < atom.degree; slot++) {
        u32 other = neighbour(atom, slot);
        if (other != end && holds(work.stereo.ends, other))
            return true;
    }
    return false;
}

// Whether a double bond without stereo lies between two with stereo. Both of its ends then have marks, and RDKit may
// write SMILES that mean another molecule.
__device__ static bool marks_meet(const Work &work) {
    const Molecule &mol = work.mol;
    const Set &ends = work.stereo.ends;
    bool meet = false;
    FOR (u32 index = 0; index < mol.count; index++) {
        const Atom &atom = mol.atoms[index];
        FOR (u32 slot = 0; slot < atom.degree; slot++) {
            u32 other = neighbour(atom, slot);
            bool without_stereo = order_in(atom.assigned, slot) == DOUBLE && other > index &&
                                  !(holds(ends, index) && holds(ends, other));
            if (without_stereo && says_beside(work, atom, other) && says_beside(work, mol.atoms[other], index))
                meet |= !in_small_ring(mol, index, slot);
        }
    }
    return meet;
}

// One round of kinds: hashes of the surroundings of atoms, which ignore multiplicities, bonds and charges. Whatever of
// these RDKit counts for its ranks, atoms of different kinds have different ranks.
__device__ static void step_kinds(Work &work) {
    const Molecule &mol = work.mol;
    u64(&kinds)[ATOMS_MAX] = work.perceiving.kinds;
    u64(&next)[ATOMS_MAX] = work.colours.seen;
    FOR (u32 index = 0; index < mol.count; index++) {
        const Atom &atom = mol.atoms[index];
        u64 sum = kinds[index] * 5;
        FOR (u32 slot = 0; slot < atom.degree; slot++) {
            u64 kind = kinds[neighbour(atom, slot)];
            bool first = true;
            FOR (u32 before = 0; before < slot; before++)
                first &= kinds[neighbour(atom, before)] != kind;
            if (first)
                sum += kind;
        }
        next[index] = mix(sum);
    }
    FOR (u32 index = 0; index < mol.count; index++)
        kinds[index] = next[index];
}

// Whether kinds distinguish the neighbours of an atom that colours distinguish. `end` is left out; NO_ATOM for none.
__device__ static bool kinds_distinguish(const Work &work, u32 index, u32 end) {
    const Atom &atom = work.mol.atoms[index];
    const u64(&kinds)[ATOMS_MAX] = work.perceiving.kinds;
    bool distinguished = true;
    FOR (u32 slot = 0; slot < atom.degree; slot++) {
        u32 one = neighbour(atom, slot);
        FOR (u32 before = 0; before < slot; before++) {
            u32 other = neighbour(atom, before);
            distinguished &= one == end || other == end || kinds[one] != kinds[other] || same(work.colours, one, other);
        }
    }
    return distinguished;
}

__device__ static bool kinds_distinguish_all(const Work &work) {
    bool distinguished = true;
    FOR (Set left = work.stereo.pending; !is_empty(left) && distinguished;)
        distinguished = kinds_distinguish(work, pop(left), NO_ATOM);
    FOR (u32 i = 0; i < work.perceiving.bonds_count && distinguished; i++) {
        u32 a = work.perceiving.bonds_a[i], b = work.perceiving.bonds_b[i];
        distinguished = kinds_distinguish(work, a, b) && kinds_distinguish(work, b, a);
    }
    return distinguished;
}

__device__ static void begin_kinds(Work &work) {
    const Molecule &mol = work.mol;
    u64(&kinds)[ATOMS_MAX] = work.perceiving.kinds;
    FOR (u32 index = 0; index < mol.count; index++) {
        const Atom &atom = mol.atoms[index];
        u32 label = atom.number | static_cast<u32>(atom.hydrogens) << 8 | static_cast<u32>(atom.isotope) << 16;
        kinds[index] = mix(label | 1ull << 56);
    }
    // RDKit counts the double bonds of phosphorus, and no others, as half a single bond.
    FOR (u32 index = 0; index < mol.count; index++) {
        const Atom &atom = mol.atoms[index];
        if (atom.number != PHOSPHORUS || (atom.degree != 3 && atom.degree != 4))
            continue;
        FOR (u32 slot = 0; slot < atom.degree; slot++) {
            u32 other = neighbour(atom, slot);
            if (order_in(atom.assigned, slot) == DOUBLE)
                kinds[other] = mix(kinds[other] ^ BY_PHOSPHORUS);
        }
    }
}

// Where colours distinguish neighbours, RDKit's ranks must too, or RDKit may ignore the mark.
__device__ static Status compare_with_ranks(Work &work) {
    begin_kinds(work);
    // So many rounds reach the whole molecule.
    bool distinguished = kinds_distinguish_all(work);
    FOR (u32 round = 0; round < work.mol.count && !distinguished; round++) {
        step_kinds(work);
        distinguished = kinds_distinguish_all(work);
    }
    return distinguished ? Status::KEY : Status::CHIRALITY;
}

__device__ static void clear_stereo(Work &work) { work.stereo.ends = work.stereo.pending = empty_set(); }

// Finds the marks that may be stereo, once colours are refined.
__device__ static Status find_marks(Work &work) {
    work.perceiving.bonds_count = 0;
    work.perceiving.sharing_known = false;
    TRY(collect_centres(work));
    TRY(collect_bonds(work));
    return compare_with_ranks(work);
}

// The last step, once no mark changes colours any more. `any`: whether there is any stereo, pending centres included.
__device__ static Status end_marks(Work &work, bool &any) {
    TRY(keep_ring_centres(work));
    if (work.mol.any_side && marks_meet(work))
        return Status::MARKS;
    any |= !is_empty(work.stereo.pending);
    return Status::KEY;
}

// ── canon ───────────────────────────────────────────────────────────────────────────────────────────────────

__device__ static void sort(Work &work) {
    const u64(&colours)[ATOMS_MAX] = work.colours.of;
    Cells &cells = work.cells;
    FOR (u32 index = 0; index < work.mol.count; index++)
        cells.of[index] = NO_ATOM;
    u32 count = 0;
    FOR (Set left = work.colours.alike; !is_empty(left); count++) {
        u32 index = pop(left), at = count;
        u64 colour = colours[index];
        FOR (; at > 0 && colours[cells.order[at - 1]] > colour; at--)
            cells.order[at] = cells.order[at - 1];
        cells.order[at] = index;
    }
    cells.count = count;
    u32 begin = 0;
    u64 before = 0;
    FOR (u32 at = 0; at < count; at++) {
        u32 index = cells.order[at];
        if (at == 0 || colours[index] != before)
            begin = at;
        before = colours[index];
        cells.of[index] = begin;
        cells.size[begin] = at - begin + 1;
    }
}

__device__ static inline u32 cell_size(const Cells &cells, u32 cell) { return cell == NO_ATOM ? 1 : cells.size[cell]; }

// The cells of an atom's neighbours, a byte per slot.
__device__ static inline u64 cells_beside(const Cells &cells, const Atom &atom) {
    u64 beside = 0;
    FOR (u32 slot = 0; slot < atom.degree; slot++)
        beside |= static_cast<u64>(cells.of[neighbour(atom, slot)]) << 8 * slot;
    return beside;
}

// How many neighbours of an atom are in a cell. `first`: whether none of them precedes this slot.
__device__ static inline u32 times_in(u64 beside, u32 degree, u32 slot, bool &first) {
    u32 cell = byte_of(beside, slot), times = 0;
    first = true;
    FOR (u32 i = 0; i < degree; i++) {
        if (byte_of(beside, i) == cell) {
            times++;
            first &= i >= slot;
        }
    }
    return times;
}

__device__ static u32 root_of(const Splitting &splitting, u32 cell) {
    while (splitting.joined[cell] != cell)
        cell = splitting.joined[cell];
    return cell;
}

// Checks the bonds of a cell. All of its atoms have the same, so it checks the first.
__device__ static void look_at_cell(Work &work, u32 cell) {
    const Cells &cells = work.cells;
    Splitting &splitting = work.splitting;
    u32 size = cells.size[cell];
    const Atom &atom = work.mol.atoms[cells.order[cell]];
    u64 beside = cells_beside(cells, atom);
    FOR (u32 slot = 0; slot < atom.degree; slot++) {
        u32 other = byte_of(beside, slot), other_size = cell_size(cells, other);
        bool first;
        u32 times = times_in(beside, atom.degree, slot, first);
        if (!first || other_size == 1)
            continue;
        if (other == cell) {
            // Colours identify the empty and the complete graph; also pairs, all but pairs, and the ring of five.
            if (times != size - 1) {
                add_to(splitting.mixed, cell);
                if (!(times == 1 || times == size - 2 || (times == 2 && size == 5)))
                    add_to(splitting.faulty, cell);
            }
        } else if (times != other_size) {
            // Stars: an atom of one of the two has one neighbour in the other.
            u32 back = times * size / other_size;
            if (times != 1 && back != 1)
                add_to(splitting.faulty, cell);
            u32 a = root_of(splitting, cell), b = root_of(splitting, other);
            splitting.joined[a > b ? a : b] = a < b ? a : b;
        }
    }
}

// Whether a star joins the cell of an atom to the cell of the neighbour in this slot, and no earlier slot has it.
__device__ static bool joins(const Cells &cells, u64 beside, u32 degree, u32 slot, u32 cell) {
    u32 to = byte_of(beside, slot), size = cell_size(cells, to);
    bool first;
    u32 times = times_in(beside, degree, slot, first);
    return to != cell && size > 1 && times != size && first;
}

// The number of cells that stars join to a cell.
__device__ static u32 edges(const Work &work, u32 cell) {
    const Atom &atom = work.mol.atoms[work.cells.order[cell]];
    u64 beside = cells_beside(work.cells, atom);
    u32 count = 0;
    FOR (u32 slot = 0; slot < atom.degree; slot++)
        count += joins(work.cells, beside, atom.degree, slot, cell);
    return count;
}

// Whether no cell is smaller than its parent, on all paths from here. Valid only for a tree.
__device__ static bool grows(Work &work, u32 from) {
    const Cells &cells = work.cells;
    Splitting &splitting = work.splitting;
    splitting.stack[0] = from;
    splitting.above[0] = NO_ATOM;
    u32 height = 1;
    while (height > 0) {
        height--;
        u32 cell = splitting.stack[height], above = splitting.above[height];
        const Atom &atom = work.mol.atoms[cells.order[cell]];
        u64 beside = cells_beside(cells, atom);
        FOR (u32 slot = 0; slot < atom.degree; slot++) {
            u32 to = byte_of(beside, slot);
            if (to == above || !joins(cells, beside, atom.degree, slot, cell))
                continue;
            if (cells.size[to] < cells.size[cell] || height == ATOMS_MAX)
                return false;
            splitting.stack[height] = to;
            splitting.above[height] = cell;
            height++;
        }
    }
    return true;
}

// Whether colours do not identify a component: it must be a tree in which cells grow with the distance from the least
// one, and only the least cell may be mixed.
__device__ static bool is_faulty(Work &work, u32 root) {
    const Cells &cells = work.cells;
    const Splitting &splitting = work.splitting;
    u32 count = 0, mixed_count = 0, ends = 0, least = NO_ATOM;
    bool fault = false;
    FOR (u32 cell = 0; cell < cells.count; cell += cells.size[cell]) {
        if (root_of(splitting, cell) != root)
            continue;
        count++;
        fault |= holds(splitting.faulty, cell);
        bool mixed = holds(splitting.mixed, cell);
        mixed_count += mixed;
        ends += edges(work, cell);
        // The mixed one first among those of the least size.
        u32 size = cells.size[cell], least_size = least == NO_ATOM ? NO_ATOM + 1 : cells.size[least];
        if (size < least_size || (size == least_size && mixed && !holds(splitting.mixed, least)))
            least = cell;
    }
    if (count == 1 || fault)
        return fault;
    return mixed_count > 1 || (mixed_count == 1 && !holds(splitting.mixed, least)) || ends / 2 != count - 1 ||
           !grows(work, least);
}

// The first cell of a component that colours do not identify; NO_ATOM if there is none.
CALLED u32 first_fault(Work &work) {
    const Cells &cells = work.cells;
    Splitting &splitting = work.splitting;
    splitting.faulty = splitting.mixed = empty_set();
    FOR (u32 cell = 0; cell < cells.count; cell += cells.size[cell])
        splitting.joined[cell] = cell;
    FOR (u32 cell = 0; cell < cells.count; cell += cells.size[cell])
        look_at_cell(work, cell);
    Set faulty = empty_set();
    FOR (u32 cell = 0; cell < cells.count; cell += cells.size[cell])
        if (root_of(splitting, cell) == cell && is_faulty(work, cell))
            add_to(faulty, cell);
    // Of the faulty components, the smallest cell, which takes the fewest leaves; then the first.
    u32 found = NO_ATOM;
    if (!is_empty(faulty))
        FOR (u32 cell = 0; cell < cells.count; cell += cells.size[cell])
            if (holds(faulty, root_of(splitting, cell)) && (found == NO_ATOM || cells.size[cell] < cells.size[found]))
                found = cell;
    return found;
}

// The cell whose atoms must be individualised before the cells identify the graph; NO_ATOM if there is none.
__device__ static u32 cell_to_split(Work &work) {
    if (work.colours.distinct == work.mol.count)
        return NO_ATOM;
    sort(work);
    const Cells &cells = work.cells;
    // For a pending centre: the first of its neighbours that have equal colours.
    u32 found = NO_ATOM;
    u64 first = 0, first_beside = 0;
    FOR (Set left = work.stereo.pending; !is_empty(left);) {
        u32 index = pop(left);
        u64 colour = work.colours.of[index];
        const Atom &atom = work.mol.atoms[index];
        u64 beside = cells_beside(cells, atom);
        FOR (u32 slot = 0; slot < atom.degree; slot++) {
            bool is_first;
            u32 cell = byte_of(beside, slot);
            if (cell == NO_ATOM || times_in(beside, atom.degree, slot, is_first) < 2)
                continue;
            u64 colour_beside = work.colours.of[neighbour(atom, slot)];
            if (found == NO_ATOM || colour < first || (colour == first && colour_beside < first_beside)) {
                found = cell;
                first = colour;
                first_beside = colour_beside;
            }
        }
    }
    return found != NO_ATOM ? found : first_fault(work);
}

// The key of a molecule that its colours identify: what all atoms see in one more round, summed in two ways, so that
// their order does not matter.
__device__ static ulonglong2 key_of(const Work &work) {
    const Molecule &mol = work.mol;
    u64 first = 0, second = 0, whole = DEFINITION << 8 | mol.count;
    FOR (u32 index = 0; index < mol.count; index++) {
        u64 seen = see(mol, index, work.colours.of);
        first += seen;
        second += mix(seen);
    }
    ulonglong2 key;
    key.x = mix(first ^ whole);
    key.y = mix(second ^ whole);
    return key;
}

// The number that the bytes of a word make in the order of memory.
__device__ static u64 in_order_of_bytes(u64 word) {
    u64 turned = 0;
    FOR (u32 i = 0; i < 8; i++)
        turned = turned << 8 | byte_of(word, i);
    return turned;
}

// Keys are compared byte by byte.
__device__ static bool is_less(ulonglong2 a, ulonglong2 b) {
    return a.x != b.x ? in_order_of_bytes(a.x) < in_order_of_bytes(b.x) : in_order_of_bytes(a.y) < in_order_of_bytes(b.y);
}

// Saves the state before the atoms of a cell are individualised.
__device__ static void keep(const Work &work, u32 cell, Level &level) {
    FOR (u32 index = 0; index < work.mol.count; index++)
        level.colours[index] = work.colours.of[index];
    level.pending = work.stereo.pending;
    level.distinct = work.colours.distinct;
    level.members = empty_set();
    FOR (u32 i = 0; i < work.cells.size[cell]; i++)
        add_to(level.members, work.cells.order[cell + i]);
}

// Individualises the next atom of a level. The caller refines the colours.
__device__ static void set_apart(Work &work, Level &level) {
    Colours &colours = work.colours;
    FOR (u32 index = 0; index < work.mol.count; index++)
        colours.of[index] = level.colours[index];
    work.stereo.pending = level.pending;
    u32 member = pop(level.members);
    colours.of[member] = mix(colours.of[member] ^ INDIVIDUALISED);
    colours.distinct = level.distinct + 1;
    colours.alike = first_atoms(work.mol.count);
}

// The leaves of the search so far, and their least key.
struct Search {
    u32 depth, leaves;
    ulonglong2 least;
};

// Continues the search once colours are refined and include stereo. `over`: whether the search has ended.
__device__ static Status search_on(Work &work, Search &search, bool &over) {
    Level(&levels)[DEPTH_MAX] = work.splitting.levels;
    u32 cell = cell_to_split(work);
    if (cell == NO_ATOM) {
        ulonglong2 key = key_of(work);
        if (search.leaves == 0 || is_less(key, search.least))
            search.least = key;
        if (++search.leaves > LEAVES_MAX)
            return Status::TOO_LARGE;
    } else {
        if (search.depth == DEPTH_MAX)
            return Status::TOO_LARGE;
        keep(work, cell, levels[search.depth++]);
    }
    while (search.depth > 0 && is_empty(levels[search.depth - 1].members))
        search.depth--;
    over = search.depth == 0;
    if (!over)
        set_apart(work, levels[search.depth - 1]);
    return Status::KEY;
}

// The next step once colours are refined.
enum class Stage : u8 { FIND_MARKS, END_MARKS, SEARCH };

// For a molecule with marks: whether charges must be left out at first, since they would show nowhere else.
__device__ static Sight sight_for_marks(const Molecule &mol) {
    Sight sight = Sight::FULL;
    FOR (u32 index = 0; index < mol.count; index++)
        if (mol.atoms[index].number == CARBON && mol.atoms[index].charge != 0)
            sight = Sight::RANKS;
    return sight;
}

// Refines colours, adds stereo and individualises atoms until the key is known. All of this is one loop with one call
// that refines colours, so that the threads of a warp reconverge there whatever their molecules need.
__device__ static Status find_key(Work &work, ulonglong2 &key) {
    const Molecule &mol = work.mol;
    Colours &colours = work.colours;
    Search search = Search();
    bool marked = mol.any_chirality || mol.any_side, any_stereo = false, over = false;
    Stage stage = marked ? Stage::FIND_MARKS : Stage::SEARCH;
    Sight sight = marked ? sight_for_marks(mol) : Sight::FULL;
    u32 bonds_count = 0;
    clear_stereo(work);
    begin(mol, sight, colours);
    Status status = Status::KEY;
    while (!over && status == Status::KEY) {
        refine(mol, colours);
        if (stage == Stage::FIND_MARKS) {
            status = find_marks(work);
            bonds_count = work.perceiving.bonds_count;
            stage = Stage::END_MARKS;
        }
        bool to_refine = false;
        if (status == Status::KEY)
            status = apply_marks(work, bonds_count, to_refine);
        any_stereo |= to_refine;
        if (status == Status::KEY && !to_refine && stage == Stage::END_MARKS) {
            status = end_marks(work, any_stereo);
            stage = Stage::SEARCH;
            bonds_count = 0;
            to_refine = !any_stereo || sight == Sight::RANKS;
            if (!any_stereo) {
                clear_stereo(work);
                begin(mol, Sight::FULL, colours);
            } else if (sight == Sight::RANKS) {
                see_the_rest(mol, colours);
            }
        }
        if (status == Status::KEY && !to_refine)
            status = search_on(work, search, over);
    }
    key = search.least;
    return status;
}

// ── The kernel ──────────────────────────────────────────────────────────────────────────────────────────────

__device__ static Status key(const Text &text, Work &work, ulonglong2 &key) {
    TRY(read(text, work));
    TRY(complete(work));
    TRY(assign(work));
    return find_key(work, key);
}

// Writes the key of each row, or zeroes, and its status. `text_end` has the end of each row in `text`, where the next
// row begins.
extern "C" __global__ void __launch_bounds__(BLOCK_ROWS)
    structure_key(const u8 *__restrict__ text, const u32 *__restrict__ text_end, u32 rows,
                  ulonglong2 *__restrict__ keys, u8 *__restrict__ statuses) {
    u32 row = blockIdx.x * BLOCK_ROWS + threadIdx.x;
    if (row >= rows)
        return;
    u32 begin = row == 0 ? 0 : text_end[row - 1];
    Text of_row;
    of_row.bytes = text + begin;
    of_row.length = text_end[row] - begin;
    Work work;
    ulonglong2 found = ulonglong2();
    Status status = key(of_row, work, found);
    if (status != Status::KEY)
        found.x = found.y = 0;
    keys[row] = found;
    statuses[row] = static_cast<u8>(status);
}
