"""Random reaction rules (SMIRKS of one reactant) for tests/oracle/generated.py.

Most are taken out of molecules: a connected piece becomes the reactant, and the product is that piece with some atoms,
bonds, rings, marks, charges or hydrogens changed. So they match often. Others are rules of this repository with a few
signs of their products changed. As chemistry all of it is nonsense. Many are no rules: who calls asks RDKit.
"""

import functools
import re
import tomllib
from pathlib import Path

from rdkit import Chem

REPOSITORY = Path(__file__).parents[2]
RING_FIRST = 50  # ring closures of templates; fragments use the numbers below
SINGLE, DOUBLE, TRIPLE, AROMATIC, DATIVE = (
    Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE, Chem.BondType.AROMATIC, Chem.BondType.DATIVE,
)  # fmt: skip
FRAGMENTS = """
F Cl Br O N C CC C=C C#C C#N C=O OC N(C)C S(C)(=O)=O [N+](=O)[O-] N(=O)=O C(F)(F)F =O =C =N =S =NO =N/O =N\\O =C/C =C\\C =NN =N/N =N\\N/C
=C/C=C =C(/C)C =C(C)\\C /C=C/C /C=C\\C C=C/C /C=C \\C=C\\C /C=N/O C=N/O C/C=C/C C(/C)=C/C N=NC /N=N/C C=C=C =C=C [2H] [H] [13CH3] [O-] [NH3+] [S-]
c1ccccc1 -c1ccccc1 c1ccncc1 c1ccc[nH]1 n1cccc1 c1ccccc1c1ccccc1 c1ccccc1-c1ccccc1 c1ccncc1c1cccs1 n1cccc1c1ccccc1 c1ccccc1-:c1ccccc1
C1CC1 C1=CC1 C1CCCCC1 C1CC=CCC1 C1C/C=C/CCC1 C1C/C=C\\CC1 C1C/C=C/C1 C1/C=C/CCCCCC1 C1CC/C=C/CCCC1 C1=CC=CC=C1 C1=CC=CC=CC=C1 C1=C\\CCCC/1 C1CCCC=1
C1=CC2=CC=CC2=C1 C1C=CC2=C1C=CC=C2 c1c2ccccc2cc1 c1ccc2cccc-2cc1 C1OCCO1 B1OCCO1 B(O)O [Si](C)(C)C [SiH3] [Na] [Mg]Br [Zn]C O[Ti] ->[Zn] ->[Pt](Cl)Cl
<-N <-O [Pt]<-N [Cu]<-[NH3] ->[BH3] P(=O)=O OP(=O)(O)O S(F)(F)(F)(F)F [C@H](F)Cl [C@@H](O)C [C@](F)(Cl)Br [C@H]1CO1 C([H])([H])[H] [Si]([H])([H])[H] N([H])[H]
O[O] [CH2] [CH]C [N] [Se]C [As](C)C I(=O)=O * *C C~C C:C c:c c1:c:c:c:c:c:1 c1cc2ccc1CC2 n1ccnc1 [n+]1ccccc1 [o+]1ccccc1 c1cc(=O)cc[nH]1
""".split()
ADDED_BONDS = ["", "", "", "-", "-", "=", "#", ":", "~", "/", "\\", "->", "<-"]
BRIDGES = ["", "C", "CC", "CCC", "O", "OC", "C=C", "N", "cc", "cccc", "ccc", "CC=CC", "C/C=C/C", "/C=C/", "c:c:c:c", "ncn", "C=CC=C", "[Pt]", "CCCCC"]


class Template:
    """One side of a rule: texts of atoms without brackets and map, bonds, and what hangs on atoms as text."""

    def __init__(self):
        self.atoms, self.maps, self.branches, self.bonds = {}, {}, {}, {}
        self.roomy = set()  # atoms with hydrogens to replace, where most changes are to be valid

    def add(self, index, text, number=0):
        self.atoms[index], self.maps[index], self.branches[index] = text, number, []

    def new_index(self):
        return max(self.atoms, default=-1) + 1

    def remove(self, index):
        for kept in (self.atoms, self.maps, self.branches):
            del kept[index]
        self.bonds = {ends: symbol for ends, symbol in self.bonds.items() if index not in ends}

    def neighbours(self, index):
        return [other for ends in self.bonds for other in ends if index in ends and other != index]

    def ends_of(self, one, other):
        return (one, other) if (one, other) in self.bonds else (other, one)

    def atom_text(self, index):
        number, text = self.maps[index], self.atoms[index]
        return f"[{text}:{number}]" if number else f"[{text}]"


REVERSED = {"->": "<-", "<-": "->", "/": "\\", "\\": "/"}


def written(template, pick):
    """The template as SMARTS: from a random atom, in random order."""
    left, pieces = set(template.atoms), []
    numbers = iter(range(RING_FIRST, 100))
    while left:
        start = pick.choice(sorted(left))
        closures = {}
        tree = spanning(template, start, pick, left, closures, numbers)
        pieces.append(branch_text(template, start, tree, closures, pick))
    return pieces


def spanning(template, start, pick, left, closures, numbers):
    """Children of each atom in a random depth-first tree; bonds that close rings get numbers."""
    tree, used = {}, set()

    def visit(atom):
        left.discard(atom)
        tree[atom] = []
        others = template.neighbours(atom)
        pick.shuffle(others)
        for other in others:
            ends = template.ends_of(atom, other)
            if ends in used:
                continue
            used.add(ends)
            if other in left:
                tree[atom].append(other)
                visit(other)
            else:
                number = f"%{next(numbers)}"
                # `other` is written first: the bond is written there, or at both ends.
                symbol = bond_symbol(template, other, atom)
                closures.setdefault(other, []).append(symbol + number)
                closures.setdefault(atom, []).append(pick.choice(["", REVERSED.get(symbol, symbol)]) + number)

    visit(start)
    return tree


def bond_symbol(template, one, other):
    ends = template.ends_of(one, other)
    symbol = template.bonds[ends]
    return symbol if ends == (one, other) else REVERSED.get(symbol, symbol)


def branch_text(template, atom, tree, closures, pick):
    text = template.atom_text(atom) + "".join(closures.get(atom, []))
    branches = [bond_symbol(template, atom, child) + branch_text(template, child, tree, closures, pick)
                for child in tree[atom]]  # fmt: skip
    branches += template.branches[atom]
    pick.shuffle(branches)
    if not branches:
        return text
    return text + "".join(f"({branch})" for branch in branches[:-1]) + branches[-1]


# ---- reactants -----------------------------------------------------------------------------------


def piece_of(mol, pick):
    """Indices of a random connected piece; rings are often taken whole."""
    rings = [ring for ring in mol.GetRingInfo().AtomRings() if len(ring) <= 9]
    size = pick.choice([1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 6, 8])
    heavy = [atom.GetIdx() for atom in mol.GetAtoms()]
    interesting = [
        atom.GetIdx()
        for bond in mol.GetBonds()
        if bond.GetBondType() != SINGLE or bond.IsInRing()
        for atom in (bond.GetBeginAtom(), bond.GetEndAtom())
    ]
    chosen = [pick.choice(interesting if interesting and pick.random() < 0.6 else heavy)]
    if rings and pick.random() < 0.15:
        chosen = list(pick.choice(rings))
        size = len(chosen) + pick.choice([0, 0, 1, 2])
    return enlarged(mol, chosen, size, pick)


def enlarged(mol, chosen, size, pick):
    """The atoms with random neighbours added, up to a size."""
    chosen = list(chosen)
    while len(chosen) < size:
        edge = sorted({n.GetIdx() for i in chosen for n in mol.GetAtomWithIdx(i).GetNeighbors()} - set(chosen))
        if not edge:
            break
        chosen.append(pick.choice(edge))
    return chosen


def add_bonds(template, mol, chosen, general, pick):
    """Adds the bonds of the molecule between the chosen atoms."""
    for bond in mol.GetBonds():
        ends = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        if set(ends) <= set(chosen):
            template.bonds[ends] = bond_query(bond, general, pick)


def reactant_of(mol, chosen, pick, tame):
    template = Template()
    general = pick.choice([0.0, 0.0, 0.2, 0.4] if tame else [0.0, 0.2, 0.2, 0.6, 0.9])
    unmapped = pick.choice([0, 0, 0, 0.2, 0.4])
    for number, index in enumerate(chosen, 1):
        mapped = pick.random() >= unmapped or number == 1
        template.add(index, atom_query(mol.GetAtomWithIdx(index), general, pick), number if mapped else 0)
    add_bonds(template, mol, chosen, general, pick)
    if pick.random() < 0.08:  # hydrogens as atoms
        template.branches[pick.choice(chosen)].append(pick.choice(["[H]", "[H]", "[#1]", "[2H]", "[H:40]"]))
    return template


def symbol_of(atom):
    symbol = atom.GetSymbol()
    return symbol.lower() if atom.GetIsAromatic() else symbol


def surroundings(atom, general, pick, depth):
    """SMARTS of a piece of the atom's molecule that begins at the atom."""
    mol = atom.GetOwningMol()
    chosen = enlarged(mol, [atom.GetIdx()], pick.choice([2, 2, 3, 4, 5, 7]), pick)
    template = Template()
    for index in chosen:
        template.add(index, atom_query(mol.GetAtomWithIdx(index), general, pick, depth + 1))
    add_bonds(template, mol, chosen, general, pick)
    closures = {}
    tree = spanning(template, chosen[0], pick, set(chosen), closures, iter(range(RING_FIRST, 100)))
    return branch_text(template, chosen[0], tree, closures, pick)


def recursive_query(atom, general, pick, depth):
    """A recursive SMARTS, which often matches the atom."""
    if pick.random() < 0.7:
        return f"$({surroundings(atom, general, pick, depth)})"
    other = pick.choice(list(atom.GetOwningMol().GetAtoms()))
    return pick.choice(["!", "!", ""]) + f"$({surroundings(other, general, pick, depth)})"


def atom_query(atom, general, pick, depth=0):
    symbol = symbol_of(atom)
    charge, hydrogens = atom.GetFormalCharge(), atom.GetTotalNumHs()
    head, plain = symbol, True
    if pick.random() < general:
        wide = "a" if atom.GetIsAromatic() else "A"
        head = pick.choice(["*", "*", wide, f"#{atom.GetAtomicNum()}", f"{symbol},{pick.choice('CNOcn')}", f"$({symbol}~*)", "!#1"])
        plain = False
    if atom.GetSymbol() == "H" or atom.GetAtomicNum() == 0:
        head, plain = f"#{atom.GetAtomicNum()}", False
    text = head
    if plain:
        if atom.GetIsotope() and pick.random() < 0.5:
            text = f"{atom.GetIsotope()}{text}"
        if pick.random() < (0.3 if atom.GetChiralTag() else 0.02):
            text += pick.choice(["@", "@@"])
    rings = atom.GetOwningMol().GetRingInfo()
    ringed = rings.NumAtomRings(atom.GetIdx())
    options = [f"H{hydrogens}", "!H0" if hydrogens else "H0", f"X{atom.GetTotalDegree()}", f"D{atom.GetDegree()}",
               f"v{atom.GetTotalValence()}", f"{charge:+d}", "R" if ringed else "!R",
               f"R{ringed}", f"r{rings.MinAtomRingSize(atom.GetIdx())}" if ringed else "R0"]  # fmt: skip
    for option in pick.sample(options, pick.choice([0, 0, 1, 1, 2])):
        text += ";" + option
    while depth < 2 and pick.random() < general / 2:
        text += ";" + ",".join(recursive_query(atom, general, pick, depth) for _ in range(pick.choice([1, 1, 2])))
    return text


def bond_query(bond, general, pick):
    ring = "@" if bond.IsInRing() else "!@"
    choices = {
        SINGLE: ["-", "-", "-", "", "", f"-;{ring}", "-,=", "-,:"],
        DOUBLE: ["=", "=", "=", "=", f"=;{ring}", "=,#", "-,="],
        TRIPLE: ["#", "#", "#,="],
        AROMATIC: ["", "", ":", ":", f":;{ring}", "-,:", "=,:"],
        DATIVE: ["->", "->", "->"],
    }.get(bond.GetBondType(), ["~"])
    if pick.random() < general * 0.5:
        return pick.choice(["~", "~", ring])
    beside = any(b.GetStereo() > Chem.BondStereo.STEREOANY for a in (bond.GetBeginAtom(), bond.GetEndAtom()) for b in a.GetBonds())
    if bond.GetBondType() == SINGLE and pick.random() < (0.3 if beside else 0.03):
        return pick.choice("/\\")
    return pick.choice(choices)


# ---- products ------------------------------------------------------------------------------------


def product_of(mol, reactant, pick, pool, tame):
    template = Template()
    style = pick.random()
    if tame:
        template.roomy = {index for index in reactant.atoms if mol.GetAtomWithIdx(index).GetTotalNumHs() > 0}
    for index, number in reactant.maps.items():
        if number:
            template.add(index, product_atom(mol.GetAtomWithIdx(index), reactant.atoms[index], style, pick, tame), number)
    default = pick.uniform(0.1, 1) if tame else pick.random()
    for (one, other), _ in reactant.bonds.items():
        if one in template.atoms and other in template.atoms:
            template.bonds[one, other] = product_bond(mol.GetBondBetweenAtoms(one, other), default, pick, tame)
    if any(":40]" in text for texts in reactant.branches.values() for text in texts) and pick.random() < 0.7:
        template.branches[pick.choice(sorted(template.atoms))].append("[H:40]")
    for _ in range(pick.choice([1, 1, 1, 1, 1, 2] if tame else [0, 1, 1, 1, 1, 2, 2, 3])):
        pick.choice(TAME_CHANGES if tame else CHANGES)(template, mol, pick, pool)
    return template


def product_atom(atom, query, style, pick, tame):
    symbol = symbol_of(atom)
    if atom.GetAtomicNum() in (0, 1) or (style < 0.25 and pick.random() < 0.8):
        return pick.choice(["*", "*", f"#{max(1, atom.GetAtomicNum())}"])
    text = symbol
    if tame and pick.random() < 0.85:
        return text
    handed = "@@" if "@@" in query else "@" if "@" in query.split(";")[0] else ""
    if pick.random() < 0.03:
        text = f"{pick.choice([0, 2, 13, 15])}{text}"
    if handed and pick.random() < 0.8:
        text += pick.choice([handed, handed, "@", "@@"])
    elif pick.random() < 0.04:
        text += pick.choice(["@", "@@"])
    if pick.random() < 0.1:
        text += pick.choice([f"H{atom.GetTotalNumHs()}", "H", "H0", "H2"])
    charge = atom.GetFormalCharge()
    if pick.random() < (0.3 if charge else 0.08):
        text += pick.choice([f"{charge:+d}", "+0", f"{charge:+d}", "+", "-"])
    return text


def product_bond(bond, default, pick, tame):
    kind = bond.GetBondType()
    explicit = {SINGLE: "-", DOUBLE: "=", TRIPLE: "#", AROMATIC: ":", DATIVE: "->"}.get(kind, "~")
    if pick.random() < (0.02 if tame else 0.06):
        return pick.choice(["-", "=", "#", ":", "~", "", "->", "<-", "/", "\\"])
    if default < 0.1:
        return "~"
    if kind in (SINGLE, AROMATIC) and default < 0.6:
        return ""
    return explicit


def any_atom(template, pick):
    roomy = sorted(template.roomy & template.atoms.keys())
    return pick.choice(roomy if roomy and pick.random() < 0.85 else sorted(template.atoms))


def two_atoms(template, pick):
    roomy = sorted(template.roomy & template.atoms.keys())
    return pick.sample(roomy if len(roomy) > 1 and pick.random() < 0.85 else sorted(template.atoms), 2)


def add_fragment(template, mol, pick, pool):
    text = fragment(pick, pool)
    if text[0] not in "-=#:~/\\<":
        text = pick.choice(ADDED_BONDS if pick.random() < 0.3 else ["", "-"]) + text
    template.branches[any_atom(template, pick)].append(text)


def fragment(pick, pool):
    draw = pick.random()
    if draw < 0.6:
        return with_marks(pick.choice(FRAGMENTS), pick, 0.04)
    if draw < 0.8:
        return ring_fragment(pick)
    mol = pick.choice(pool)
    atoms = pick.choice([atoms for atoms in Chem.GetMolFrags(mol)])
    if len(atoms) > 14:
        atoms = piece_of(mol, pick)
    text = Chem.MolFragmentToSmiles(mol, atoms)
    if pick.random() < 0.5:
        text = re.sub(r"(?<=[\w\])])-(?=[a-z\[])", "", text)  # biaryls without dash
    return with_marks(text, pick, pick.choice([0, 0.1, 0.25]))


def ring_fragment(pick):
    text = "C1"
    for _ in range(pick.randrange(2, 9)):
        text += pick.choice(["", "", "", "=", "/", "\\"]) + pick.choice("C C C C N O C(C) C(=O)".split())
    return text + pick.choice(["1", "1", "=1", "/1"])


ATOM_START = re.compile(r"(?<=[A-Za-z\]\d)(])(?=[A-Z\[])")


def with_marks(text, pick, share):
    """Marks put in at random between atoms."""
    if not share:
        return text
    inside = 0
    places = []
    for match in ATOM_START.finditer(text):
        at = match.start()
        inside = text.count("[", 0, at) - text.count("]", 0, at)
        if not inside and text[at - 1 : at + 1] not in ("Cl", "Br"):
            places.append(at)
    for at in reversed(places):
        if pick.random() < share:
            text = text[:at] + pick.choice("/\\") + text[at:]
    return text


def mark_double_bond(template, mol, pick, pool):
    """Marks beside a double bond: whole, half or surplus; an end without neighbour may get one."""
    doubles = [ends for ends, symbol in template.bonds.items() if symbol == "="]
    if not doubles:
        if not template.bonds:
            template.branches[any_atom(template, pick)].append(pick.choice(["/C=C/C", "=N/O", "/C=C", "=C/C", "/C=N\\O"]))
            return
        doubles = sorted(template.bonds)
    ends = pick.choice(sorted(doubles))
    template.bonds[ends] = "="
    for end in ends:
        if pick.random() < 0.15:
            continue
        singles = sorted(e for e, symbol in template.bonds.items() if end in e and e != ends and symbol in ("-", "", ":"))
        if singles and pick.random() < 0.8:
            template.bonds[pick.choice(singles)] = pick.choice("/\\")
        if not singles or pick.random() < 0.2:
            template.branches[end].append(pick.choice("/\\") + pick.choice(["C", "F", "O", "[H]", "C=C", "C=C/C", "c1ccccc1"]))


def add_bond(template, mol, pick, pool):
    atoms = sorted(template.atoms)
    if len(atoms) < 2:
        return add_fragment(template, mol, pick, pool)
    one, other = two_atoms(template, pick)
    template.bonds[template.ends_of(one, other)] = pick.choice(ADDED_BONDS)


def add_bridge(template, mol, pick, pool):
    atoms = sorted(template.atoms)
    if len(atoms) < 2:
        return add_fragment(template, mol, pick, pool)
    one, other = two_atoms(template, pick)
    symbol = pick.choice(["", "", "-", "=", ":", "/"])
    path = pick.choice(BRIDGES)
    if path:
        bridge(template, one, other, path, symbol)
    else:
        add_bond(template, mol, pick, pool)


def bridge(template, one, other, path, symbol):
    """New atoms between two: a path of atoms and bonds as in a SMILES, then a bond to the other."""
    last = one
    for bond, atom in re.findall(r"([-=:/\\]?)(\[[^\]]*\]|Cl|Br|[A-Za-z])", path):
        new = template.new_index() + 1000
        template.add(new, atom.strip("[]"))
        template.bonds[last, new] = bond
        last = new
    template.bonds[last, other] = symbol


def break_bond(template, mol, pick, pool):
    if template.bonds:
        del template.bonds[pick.choice(sorted(template.bonds))]


def change_bond(template, mol, pick, pool):
    if template.bonds:
        template.bonds[pick.choice(sorted(template.bonds))] = pick.choice(["-", "=", "=", "#", ":", "~", "", "->", "<-"])


def all_bonds(template, mol, pick, pool):
    symbol = pick.choice(["", "~", ":", ":", "=", "-"])
    for ends in sorted(template.bonds):
        if pick.random() < 0.8:
            template.bonds[ends] = symbol


def drop_atom(template, mol, pick, pool):
    if len(template.atoms) > 1:
        template.remove(any_atom(template, pick))


def change_element(template, mol, pick, pool):
    at = any_atom(template, pick)
    template.atoms[at] = pick.choice(["C", "N", "O", "S", "c", "n", "*", "Si", "P", "B", "#6", "F", "C@", "N+", "CH", "CH2", "O-"])


def change_case(template, mol, pick, pool):
    """Aromatic atoms written aliphatic, and the other way; all of them or one."""
    atoms = sorted(template.atoms) if pick.random() < 0.6 else [any_atom(template, pick)]
    lower = pick.random() < 0.5
    for at in atoms:
        text = template.atoms[at]
        if re.match(r"\d*[BCNOPSbcnops](?![a-z])", text):
            template.atoms[at] = text.lower() if lower else re.sub("[bcnops]", lambda m: m[0].upper(), text, count=1)
            template.atoms[at] = template.atoms[at].replace("h", "H")
    if pick.random() < 0.5:
        for ends in sorted(template.bonds):
            template.bonds[ends] = pick.choice(["", ":"]) if lower else pick.choice(["-", "=", "", "="])


def set_charge(template, mol, pick, pool):
    at = any_atom(template, pick)
    text = re.sub(r"[+-]\d*", "", template.atoms[at])
    template.atoms[at] = text + pick.choice(["+", "-", "+0", "+2", "-1", "+1"])


def set_chirality(template, mol, pick, pool):
    at = any_atom(template, pick)
    if re.fullmatch(r"\d*[A-Z][a-z]?", template.atoms[at]):
        template.atoms[at] += pick.choice(["@", "@@", "@H", "@@H"])
        template.branches[at] += pick.sample(["F", "Cl", "O", "C", "[H]"], pick.choice([0, 1, 2]))


def add_hydrogens(template, mol, pick, pool):
    template.branches[any_atom(template, pick)].append(pick.choice(["[H]", "[H]", "[2H]", "[H][H]"]))


def unite(template, mol, pick, pool):
    """Dehydrogenation: single bonds become double bonds or aromatic."""
    singles = sorted(ends for ends, symbol in template.bonds.items() if symbol in ("-", ""))
    for ends in singles:
        if pick.random() < 0.6:
            template.bonds[ends] = pick.choice(["=", "=", ":"])


def twice(template, mol, pick, pool):
    at = any_atom(template, pick)
    template.branches[any_atom(template, pick)].append(template.atom_text(at))


CHANGES = [
    *[add_fragment] * 6, *[mark_double_bond] * 4, add_bond, add_bond, add_bridge, add_bridge, break_bond, break_bond,
    change_bond, change_bond, change_bond, all_bonds, drop_atom, change_element, change_case, change_case, set_charge,
    set_chirality, add_hydrogens, unite, unite, twice,
]  # fmt: skip


# Changes after which the product is often a valid molecule.
TAME_CHANGES = [
    *[add_fragment] * 8, *[mark_double_bond] * 4, add_bond, *[add_bridge] * 3, break_bond, break_bond, change_bond, drop_atom,
    change_case, set_charge, unite, unite, unite, change_element,
]  # fmt: skip


# ---- rules ---------------------------------------------------------------------------------------


def derived(pick, pool, tame=False):
    mol = pick.choice(pool)
    reactant = reactant_of(mol, piece_of(mol, pick), pick, tame)
    product = product_of(mol, reactant, pick, pool, tame)
    [left] = written(reactant, pick)
    pieces = written(product, pick)
    right = ".".join(pieces)
    if len(pieces) > 1 and pick.random() < 0.4:
        right = f"({right})"
    return f"{left}>>{right}"


SIGNS = ["", "-", "=", "~", ":", "/", "\\", "/", "\\", "->", "@", "@@", "+", "C", "c", "[H]", "(F)", "(/C)", "#"]


@functools.cache
def repository_rules():
    files = [*sorted((REPOSITORY / "examples/rules").glob("*.toml")), REPOSITORY / "tests/oracle/nasty_rules.toml"]
    return [rule["smirks"] for file in files for rule in tomllib.loads(file.read_text())["rule"]]


def mutated(pick, pool):
    """A rule of this repository with one to three signs of its product changed."""
    left, right = pick.choice(repository_rules()).split(">>")
    for _ in range(pick.randrange(1, 4)):
        draw, at = pick.random(), pick.randrange(len(right))
        if draw < 0.3:
            right = right[:at] + pick.choice(SIGNS) + right[at:]
        elif draw < 0.6:
            right = right[:at] + pick.choice(SIGNS) + right[at + 1 :]
        elif draw < 0.8:
            right = with_marks(right, pick, 0.3)
        else:
            right = right + fragment(pick, pool)
    return f"{left}>>{right}"


def grown(pick, pool):
    """Something added to an atom: rings, biaryls, double bonds with marks."""
    at = pick.choice(["[OX2H:1]", "[CX4;!H0:1]", "[cH:1]", "[*;!H0:1]", "[NX3;!H0:1]", "[CX3;H1:1]=[O:2]", "[CX3:1]=[CX3:2]", "[#6;R;!H0:1]"])
    left = at
    kept = "*" if pick.random() < 0.5 else {"O": "O", "c": "c", "N": "N"}.get(at[1], "C" if at[1] == "C" else "*")
    text = fragment(pick, pool)
    if at.startswith("[CX3;H1") or text[0] in "=":
        return f"{left}>>[{kept}:1]{'' if text[0] in '=-' else '='}{text}"
    rest = pick.choice(["", "=[C:2]", "[C:2]"]) if ":2]" in at else ""
    return f"{left}>>[{kept}:1]({text}){rest}" if rest else f"{left}>>[{kept}:1]{text}"


def dative(pick, pool):
    """A rule on a dative bond of one of the molecules."""
    bonds = [bond for mol in pool for bond in mol.GetBonds() if bond.GetBondType() == DATIVE]
    if not bonds:
        return derived(pick, pool)
    bond = pick.choice(bonds)
    donor, metal = symbol_of(bond.GetBeginAtom()), symbol_of(bond.GetEndAtom())
    left = f"[{donor}:1]->[{metal}:2]" if pick.random() < 0.7 else f"[{metal}:2]<-[{donor}:1]"
    right = pick.choice(["[*:1].[*:2]", "[*:1]", "[*:2]", "[*:2]Cl", "[*:2]<-O", "[*:1][*:2]", "[*:2]<-[*:1]C", "[*:1]C", "[*:1]->[*:2]->[Zn]",
                         f"[{donor}+0:1].[{metal}:2]", f"[{donor}:1]->[{metal}+:2]", "[*:1]~[*:2]", "[*:1]->[Cu:2]"])  # fmt: skip
    return f"{left}>>{right}"


def tame(pick, pool):
    """A rule most of whose products are valid molecules."""
    return derived(pick, pool, tame=True)


# What can be attached by a single bond and gives a valid molecule.
SOUND_FRAGMENTS = """
C CC C=C C/C=C/C /C=C/C C=C/C /C=C \\C=C\\C C(C)=C/C C=NO /C=N/O C=N/O C=N\\O C=NN /C=N/N=C/C C/C=C/C=C\\C C(=O)/C=C/c1ccccc1 C#CC C=C=CC F Cl Br
c1ccccc1 c1ccncc1 c1cccs1 c1ccc[nH]1 n1cccc1 n1ccnc1 c1ccccc1c1ccccc1 c1ccccc1-c1ccccc1 c1ccncc1c1cccs1 c1cccc2ccccc12 c1cc2cccc-2ccc1 c1c2ccccc2cc1
C1=CC=CC=C1 C1=CC=CN1 C1=CC2=CC=CC=C2C=C1 C1CC1 C1CCCCC1 C1CCC=CC1 C1OCCO1 C1C2CCC1CC2 C1CC2=CC=C1C2 C1=CC=CC=CC1 C1=CC=CC=CC=C1 C1C=CC2=CC=CC=C12
[C@H](F)Cl [C@@H](O)C [C@](F)(Cl)Br [C@H]1CO1 [C@@H]1CCCN1 [13CH3] [2H] C([2H])C O OC OC(C)=O N NC N(C)C N=NC /N=N/C N=C=O SC S(C)(=O)=O S(=O)C P(C)(=O)O
[N+](=O)[O-] [N+](C)(C)C [Si](C)(C)C B(O)O [Se]C C([H])([H])[H] C[O-] C=[N+](C)C c1cc[nH+]cc1 c1ccc(=O)[nH]c1 C1=CC(=O)C=CC1=O C1C=CC=C1 c1ccc2[nH]ccc2c1
""".split()
CHAIN_UNITS = ["C", "C=C", "C=C", "C(C)=C", "C=N", "N=N", "C(F)=C", "CC", "C=C=C", "c1ccccc1", "O", "C(=O)", "C(=C)", "C(/C)=C", "C(C=C)=C"]


def sound_fragment(pick, pool):
    draw = pick.random()
    if draw < 0.35:
        return pick.choice(SOUND_FRAGMENTS)
    if draw < 0.55:  # a chain of double bonds, marked at random
        text = pick.choice(["", "", "/", "\\"])
        for _ in range(pick.randrange(1, 5)):
            text += pick.choice(CHAIN_UNITS) + pick.choice(["", "", "/", "\\"])
        return text + pick.choice(["C", "O", "F", "C=C"])
    if draw < 0.75:  # a ring with one or two double bonds, marked at random
        marked = pick.random() < 0.6
        text, left = "C1", pick.randrange(2, 10)
        while left > 0:
            text += pick.choice(["", "", "/", "\\"] if marked else [""])
            text += pick.choice(["C", "C", "C", "C=C", "C=C", "C(C)=C", "C=N", "O", "C(=O)"])
            left -= 2
        return text + pick.choice(["C1", "C/1", "C\\1"] if marked else ["C1"])
    for _ in range(5):
        mol = pick.choice(pool)
        roots = [a.GetIdx() for a in mol.GetAtoms() if a.GetAtomicNum() == 6 and a.GetTotalNumHs() and not a.GetNumRadicalElectrons()]
        if roots and len(Chem.GetMolFrags(mol)) == 1 and mol.GetNumAtoms() < 25:
            mol = Chem.RWMol(mol)
            if pick.random() < 0.3:
                Chem.Kekulize(mol, clearAromaticFlags=True)
            for atom in mol.GetAtoms():
                atom.SetAtomMapNum(0)
            text = Chem.MolToSmiles(mol, rootedAtAtom=pick.choice(roots))
            return re.sub(r"(?<=[\w\])])-(?=[a-z\[])", "", text) if pick.random() < 0.6 else text
    return "C"


def sound(pick, pool):
    """A rule as people write them: something attached, a bond formed or turned into another, most of it valid."""
    mol = pick.choice(pool)
    chosen = piece_of(mol, pick)[: pick.choice([1, 2, 2, 3, 4, 6, 8])]
    changed = sound_change(mol, chosen, pick)
    reactant, product = Template(), Template()
    for number, index in enumerate(chosen, 1):
        atom = mol.GetAtomWithIdx(index)
        symbol, hydrogens = symbol_of(atom), changed.get(index, 0)
        if atom.GetAtomicNum() in (0, 1):
            symbol = f"#{atom.GetAtomicNum()}"
        needs = "" if not hydrogens else pick.choice([";!H0", ";!H0", f";H{atom.GetTotalNumHs()}"]) if hydrogens == 1 else ";!H0;!H1"
        extra = pick.choice(["", "", "", f";X{atom.GetTotalDegree()}", ";R" if atom.IsInRing() else ";!R", ";+0"])
        reactant.add(index, symbol + needs + extra, number)
        product.add(index, "*" if pick.random() < 0.1 else symbol, number)
    for bond in mol.GetBonds():
        ends = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        if set(ends) <= set(chosen):
            reactant.bonds[ends] = bond_query(bond, 0.1, pick)
            product.bonds[ends] = {SINGLE: pick.choice(["-", ""]), DOUBLE: "=", TRIPLE: "#", DATIVE: "->",
                                   AROMATIC: pick.choice(["", ":"])}.get(bond.GetBondType(), "~")  # fmt: skip
    for index, hydrogens in changed.items():
        if hydrogens == 1 and len(changed) == 1:
            product.branches[index].append(pick.choice(["", "-"]) + sound_fragment(pick, pool))
            if product.branches[index][-1].startswith(("-/", "-\\")):
                product.branches[index][-1] = product.branches[index][-1][1:]
        elif len(changed) == 1:
            product.branches[index].append(pick.choice(["=C", "=O", "=N/O", "=NO", "=N\\O", "=C/C", "=C\\C=C", "=C(/C)F", "=NN", "=C1CCCC1", "=C1C=CC=C1"]))
    if len(changed) == 2:
        one, other = changed
        ends = product.ends_of(one, other)
        if ends in product.bonds:
            product.bonds[ends] = "="
            if pick.random() < 0.6:
                mark_double_bond(product, mol, pick, pool)
        elif pick.random() < 0.4:
            product.bonds[ends] = pick.choice(["", "-"])
        else:
            bridge(product, one, other, pick.choice(["C", "CC", "CCC", "C=C", "CC=CC", "O", "OCO", "CC/C=C/CC", "/C=C/", "CCCCCC"]), "")
    elif not changed:
        pick.choice([mark_double_bond, mark_double_bond, break_bond, unite, change_case, drop_atom])(product, mol, pick, pool)
    if pick.random() < 0.15:
        pick.choice([mark_double_bond, drop_atom, set_charge, break_bond])(product, mol, pick, pool)
    pieces = written(product, pick)
    right = ".".join(pieces)
    return f"{written(reactant, pick)[0]}>>{f'({right})' if len(pieces) > 1 and pick.random() < 0.3 else right}"


def sound_change(mol, chosen, pick):
    """Atoms whose hydrogens the rule replaces, with how many: one, one with two, two with one each, or none."""
    bearing = [index for index in chosen if mol.GetAtomWithIdx(index).GetTotalNumHs() > 0]
    draw = pick.random()
    if len(bearing) > 1 and draw < 0.4:
        return dict.fromkeys(pick.sample(bearing, 2), 1)
    if bearing and draw < 0.85:
        index = pick.choice(bearing)
        return {index: pick.choice([1, 1, 2]) if mol.GetAtomWithIdx(index).GetTotalNumHs() > 1 else 1}
    return {}


MAKERS = [sound] * 14 + [derived] * 7 + [tame] * 5 + [mutated] * 2 + [grown] * 4 + [dative]


def rule(pick, pool):
    """A SMIRKS, or what only looks like one. `pool` are molecules."""
    return pick.choice(MAKERS)(pick, pool)
