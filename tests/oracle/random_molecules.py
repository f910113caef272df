"""Random molecules of all kinds for tests/oracle/generated.py: what reaction rules may meet and what a fast way to
RDKit's answer may trip over.

Some come from the libraries of this repository, some are pieced together by kinds_stereo.py and made_up.py, and some
are made here: small rings with double bonds, bridged and fused ring systems that are conjugated throughout, cumulenes,
metal complexes, radicals, heteroaromatic systems with substituents. The same `random.Random` gives the same molecules.
"""

import csv
import functools
from pathlib import Path

import kinds
import kinds_stereo
import made_up
from rdkit import Chem

ATOMS_MAX = 36
REPOSITORY = Path(__file__).parents[2]

AROMATICS = """
c1ccccc1 c1ccncc1 c1ccoc1 c1ccsc1 c1cc[nH]c1 c1cnc[nH]1 c1ncnc2[nH]cnc12 c1ccc2[nH]ccc2c1 c1ccc2ncccc2c1 c1ccc2cccc-2cc1
c1cc[o+]cc1 [O-][n+]1ccccc1 c1nnn[nH]1 c1ncncn1 B1=NB=NB=N1 B1NBNBN1 c1cc[se]c1 c1cc[cH-]c1 c1ccc[cH+]cc1 c1ccn2cccc2c1
c1ccc2c[nH]cc2c1 c1ccc2c(c1)oc1ccccc12 C1=Cc2cccc3cccc1c23 c1ccc2c(c1)-c1ccccc1-2 C1=CC2=CC=CC2=C1 C1=CC2=CC=CC=CC2=C1
C1=Cc2cccc3cccc(c23)C1 c1cc2ccc3cccc4ccc(c1)c2c34 O=c1cc[nH]cc1 O=c1ccocc1 O=C1C=CC(=O)C=C1 c1ccpcc1 c1cc[te]c1 c1csc[n+]1C
O=c1[nH]cnc2nc[nH]c12 c1cnc2ccccc2n1 c1ccc(-c2ccccc2)cc1 c1ccc(-n2cccc2)cc1 c1csc(-c2cccs2)c1 C1=CC=NC=C1 O=C1C=CC=CC=C1 C1=CC=CC=CC=C1
C1=CC2CCC1C=C2 c1ccc2c(c1)C1CCC2C1 C1CC2=CC=C1C=C2 c1cc2cccc3c2c(c1)CC3 N1C=CC=CC=C1 c1cc2cc(c1)CCCCCC2 C1=CC2=CC=C1CCCC2
C1=CC2=CC3=CC=C(N3)C=C3C=CC(=N3)C=C3C=CC(N3)=CC1=N2 c1cc2ccc3ccc4ccc1n4c2n3 C1=CC=C2C=CC=C2C=C1 C1=CC(=C2C=CC=C2)C=C1 S1(=O)C=CC=C1
c1ccs(=O)c1 C1=CN=CN1 c1cc2cccc2c1 c1ccc2cscc2c1 c1nsnc1 c1conn1 [n+]1([O-])onc2ccccc21 C1=CSC=CS1 C1=COC=CO1 c1ccc2c(c1)Oc1ccccc1O2
""".split()
METALS = """
[NH3]->[Zn] [NH3]->[Cu] C[NH2]->[Fe+2] CN->[Zn+2]<-NC O->[Mg+2]<-O C[O](C)->[Al](Cl)(Cl)Cl CP(C)(C)->[Pd](Cl)Cl [C-]#[O+]->[Fe] C#N->[Cu+]
N->[Pt](Cl)(Cl)<-N Cl[Pt]1(Cl)<-NCCN->1 [BH3]<-[NH](C)C F[B-](F)(F)F C[N](C)(C)->[BH3] c1ccn(->[Cu+2])cc1 c1ccc[n]2->[Zn]<-n3ccccc3-c12
C[Mg]Br C[Zn]C CC[Li] [Na]OC(C)=O C[Hg]C=C O=[Os](=O)(=O)=O Cl[Ti](Cl)(Cl)Cl [Fe+2].c1cc[cH-]c1.c1cc[cH-]c1 C=C->[Pt](Cl)Cl
O=C(O->[Cu+2])C OC(C)=O->[Zn+2] C1CO->[Na+]<-OCCO1 [Cl-]->[Fe+3] [OH2]->[Al+3] C[Si](C)(C)O[Ti] [NH3]->[Co+3](<-[NH3])<-[Cl-] S->[Au] C[S](C)->[BH3]
C1=CC2=CC3=CC=C(N3[Zn]N12)C=C CC1=[O]->[Cu]2(<-[O]=C(C)C=C(C)O2)OC(C)=C1 C[Al](C)C [SnH3]C C[Pb](C)(C)C
CC(=O)C=C(C)O[Cu] N1->[Ni]<-NCC1 [NH2]1->[Ni+2]<-[NH2]CC1 C[Sn](C)(C)C=CC c1ccccc1[Pd]Br [Ag]C#CC C=C[Cu] CC[Ge](C)C
""".split()
RADICALS = "[CH3] C[CH2] C[CH]C CC[O] C=C[CH2] C[N]C c1ccccc1[O] [CH2]c1ccccc1 CC(=O)[CH2] [O][O] C[S] CC1(C)CCCC(C)(C)N1[O] C1[CH]C1 [C]1C=C1 [CH]=C C[C]=O".split()
CUMULENES = """
C=C=C CC=C=CC CC(F)=C=C(Cl)C C=C=C=C CC=C=C=CC C1=C=CCCCCC1 C1=C=CCCC1 O=C=O C=C=O CN=C=O CN=C=NC S=C=NC C=C=CC=C=C CC(=C=O)C CC=C=NC C[C@H]=C=CC
O=C=C=C=O [N-]=[N+]=NC C=[N+]=[N-] CC(C)=C=CC=CC C1CC1=C=C C=C=C1CCC1 C1CCCCC=C=CC1 F/C(C)=C=C=C(/F)C
""".split()
OXIMES = """
C/C=N/O CC(C)=NO C/C=C/C=O C/C=N/N=C/C O/N=C1/CCCC1 CC=NN CC(=NN)C c1ccccc1C=NO CC(/C=C/C)=N\\O C/C(=N\\O)/C=C/C O=CC=CC=O N=CC=C CC(=O)C=CC
C/N=N/C CN=NC CC(C=C)=NO C(=NO)C=NO C/C=C/C=C/C C/C=C\\C=C/C CC=CC(C=CC)=NO C/C=C/C(=O)/C=C/C CC(=NO)C(C)=NO C\\C=C/C=N/NC FC=CF F/C=C/F F/C=C\\C=O
""".split()


@functools.cache
def library():
    """SMILES of the libraries in this repository."""
    oracle = Path(__file__).parent
    texts = [line.split()[0] for name in ("kinds.smi", "crossed.smi") for line in (oracle / name).open() if line.strip()]
    with (REPOSITORY / "examples/natural_products.csv").open() as lines:
        texts += [row["smiles"] for row in csv.DictReader(lines)]
    return texts + kinds.HARD


def from_library(pick):
    return parsed(pick.choice(library()))


def parsed(text):
    mol = Chem.MolFromSmiles(text)
    if mol is None:
        raise ValueError(text)
    return Chem.RWMol(mol)


def one_of(texts):
    return lambda pick: parsed(pick.choice(texts))


def by_text(make):
    return lambda pick: parsed(make(pick))


def small_ring(pick):
    """A ring of 3 to 9 atoms, or of up to 12, with double bonds and marks."""
    text = "C1"
    size = pick.choice([3, 4, 4, 5, 5, 6, 6, 6, 7, 7, 8, 9, 10, 12])
    marked = pick.random() < 0.3
    for _ in range(size - 1):
        bond = pick.choice(["", "", "", "=", "/", "\\"] if marked else ["", "", "="])
        text += bond + pick.choice("C C C C C C C N O S C(C) C(C) C(=O) C(O) C(F) N(C) [C@H](C) [C@@](F)(C) C(=C) C(=NO) C(=CC)".split())
    return text + pick.choice(["1", "1", "=1"])


def ring_system(pick):
    """Rings fused, bridged and spiro; as many double bonds as there is room for, or some."""
    mol, size = Chem.RWMol(), pick.randrange(3, 8)
    for _ in range(size):
        mol.AddAtom(Chem.Atom(6))
    for i in range(size):
        mol.AddBond(i, (i + 1) % size, Chem.BondType.SINGLE)
    for _ in range(pick.choice([1, 1, 2, 2, 2, 3, 3, 4])):
        add_bridge(mol, pick)
    if pick.random() < 0.5:
        hetero(mol, pick)
    double(mol, pick, pick.choice([1.0, 1.0, 0.8, 0.5, 0.3]))
    Chem.SanitizeMol(mol)
    return mol


def add_bridge(mol, pick):
    """A path of 0 to 4 new atoms between two atoms."""
    free = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetDegree() < pick.choice([3, 3, 3, 4])]
    if len(free) < 2:
        return
    one, other = pick.sample(free, 2)
    if pick.random() < 0.4:  # fused rather than bridged
        other = pick.choice([n.GetIdx() for n in mol.GetAtomWithIdx(one).GetNeighbors()])
    last = one
    for _ in range(pick.choice([0, 1, 1, 2, 2, 3, 3, 4])):
        new = mol.AddAtom(Chem.Atom(6))
        mol.AddBond(last, new, Chem.BondType.SINGLE)
        last = new
    if last != other and not mol.GetBondBetweenAtoms(last, other) and mol.GetAtomWithIdx(other).GetDegree() < 4:
        mol.AddBond(last, other, Chem.BondType.SINGLE)


def hetero(mol, pick):
    for atom in mol.GetAtoms():
        if pick.random() < 0.15 and atom.GetDegree() <= 3:
            atom.SetAtomicNum(pick.choice([7, 7, 8, 16] if atom.GetDegree() == 2 else [7, 7, 15]))


def double(mol, pick, share):
    edges = list(mol.GetBonds())
    pick.shuffle(edges)
    taken = set()
    for edge in edges:
        ends = {edge.GetBeginAtomIdx(), edge.GetEndAtomIdx()}
        fits = all(
            mol.GetAtomWithIdx(i).GetDegree() < {6: 4, 7: 3}.get(mol.GetAtomWithIdx(i).GetAtomicNum(), 0) for i in ends
        )
        if fits and not ends & taken and pick.random() < share:
            edge.SetBondType(Chem.BondType.DOUBLE)
            taken |= ends


def decorated(pick):
    """A ring system or an aromatic with up to three substituents."""
    mol = ring_system(pick) if pick.random() < 0.5 else parsed(pick.choice(AROMATICS))
    for _ in range(pick.randrange(1, 4)):
        bearers = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetTotalNumHs() > 0]
        if not bearers:
            break
        shift = mol.GetNumAtoms()
        at = pick.choice(bearers)
        piece = Chem.MolFromSmiles(pick.choice(kinds_stereo.PIECES))
        mol = Chem.RWMol(Chem.CombineMols(mol, piece))
        anchor = mol.GetAtomWithIdx(shift).GetNeighbors()[0].GetIdx()
        mol.AddBond(at, anchor, Chem.BondType.SINGLE)
        hydrogens = mol.GetAtomWithIdx(at).GetNumExplicitHs()
        mol.GetAtomWithIdx(at).SetNumExplicitHs(max(0, hydrogens - 1))
        mol.RemoveAtom(shift)
        Chem.SanitizeMol(mol)
    return mol


def salt(pick):
    return parsed(pick.choice(kinds_stereo.PIECES)[1:] + pick.choice([".[Na+]", ".Cl", ".[Cl-]", ".O", ".c1ccccc1O", ".CC=CC"]))


KINDS = [
    from_library, from_library, from_library, from_library, one_of(AROMATICS), decorated, decorated, decorated,
    by_text(small_ring), by_text(small_ring), by_text(small_ring), ring_system, ring_system, ring_system,
    one_of(CUMULENES), one_of(METALS), one_of(METALS), one_of(RADICALS), one_of(OXIMES), one_of(OXIMES), salt,
    kinds_stereo.pieces, kinds_stereo.pieces, decorated, decorated,
    kinds_stereo.pieces, kinds_stereo.mirrored, kinds_stereo.cage, kinds_stereo.ring_system, kinds_stereo.double_bonds,
    kinds_stereo.double_bonds, kinds_stereo.templates(kinds_stereo.METALS), kinds_stereo.templates(kinds_stereo.RADICALS),
    kinds_stereo.templates(kinds_stereo.CENTRES), by_text(made_up.small_ring), by_text(made_up.large_ring),
    by_text(made_up.chain),
]  # fmt: skip
CHANGES = [kinds.plain] * 8 + [kinds.isotopes, kinds.charged, kinds.mapped, kinds_stereo.with_hydrogens]


def in_random_order(mol, pick):
    """Not by RDKit's `doRandom`: what that writes depends on what it wrote before."""
    order = list(range(mol.GetNumAtoms()))
    pick.shuffle(order)
    return Chem.MolToSmiles(Chem.RenumberAtoms(mol, order), canonical=False)


def kekule(mol, pick):
    Chem.Kekulize(mol, clearAromaticFlags=True)
    return in_random_order(mol, pick)


def canonical(mol, _):
    return Chem.MolToSmiles(mol)


WRITINGS = [canonical] * 2 + [in_random_order] * 3 + [kekule]


def molecule(pick):
    """SMILES of a molecule that RDKit reads."""
    while True:
        try:
            mol = pick.choice(KINDS)(pick)
            if pick.random() < 0.4:
                mol = kinds_stereo.with_stereo(mol, pick)
            text = pick.choice(WRITINGS)(pick.choice(CHANGES)(Chem.RWMol(mol), pick), pick)
        except Exception:  # not everything fits together
            continue
        mol = Chem.MolFromSmiles(text)
        if mol is not None and 0 < mol.GetNumAtoms() <= ATOMS_MAX:
            return text
