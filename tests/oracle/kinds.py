"""Writes molecules of many kinds, as SMILES with an id that names the kind: what a fast way to RDKit's
answer may trip over.

usage: kinds.py OUT.smi --rows N [--seed N] LIBRARY...

LIBRARY: lines of SMILES (first field; a CSV header is passed over), or the molsets wheel. Every molecule
is changed in one way, taken in turns: stereo at random on all centres and double bonds, isotopes,
charges, salts, Kekulé form, hydrogens in brackets, hydrogens as atoms, closed to a macrocycle, a metal
or a wildcard added, atom maps. What comes out is written in random order. The same arguments give the
same file. The hand-made cases come last.
"""

import argparse
import gzip
import io
import random
import zipfile

from rdkit import Chem, RDLogger
from rdkit.Chem.EnumerateStereoisomers import EnumerateStereoisomers, StereoEnumerationOptions

HARD = """
C[C@H]1CC[C@@H](C)CC1 O[C@H]1CC[C@@H](O)CC1 C[C@H](O)C[C@@H](C)O C[C@H](O)[C@@H](O)[C@H](C)O
C/C=C/C(/C=C\\C)=C/c1ccc(O)cc1 c1ccccc1/C=C/C=C\\C=C\\c1ccccc1O OC1CC2CCC1CC2 C12C3C4C1C5C2C3C45c1ccccc1
Oc1ccccc1[Fe]c1ccccc1 c1ccccc1[Si](C)(C)C [O-][n+]1ccccc1O O=[N+]([O-])c1ccccc1O O=N(=O)c1ccccc1O
C1=CC=CC=C1O C[S@](=O)c1ccccc1 C[P@](=O)(O)c1ccccc1 [2H]c1ccccc1O [H]c1ccccc1O C=C=Cc1ccccc1
CC=C=C(C)c1ccccc1 [nH]1cccc1CO O=c1cc[nH]cc1 OC(=O)/C=C/c1ccc(O)c(O)c1 N[C@@H](Cc1ccccc1)C(=O)N[C@@H](CO)C(=O)O
OC[C@H]1O[C@@H](Oc2ccccc2)[C@H](O)[C@@H](O)[C@@H]1O C1CCCCCCCCCCC/C=C/1 O=C1CCCCCCC/C=C\\CCCCCCO1
CC1(C)C2CCC1(C)C(O)C2 O=C1C=CC(=O)C=C1 OC1=CC=CO1 C1=COC=CC1O OC1C=COC=C1 c1ccc2c(c1)C=CC2O OC1=CC=CC=CC1=O
c1cc2ccc3cccc4ccc(c1)c2c34 C1CC1/C=N/O c1ccccc1/N=N/c1ccccc1 [CH3:1][c:2]1ccccc1 *c1ccccc1 C[N+](C)(C)Cc1ccccc1
[Na+].[O-]c1ccccc1 c1ccccc1B(O)O c1ccccc1[Se]C F/C=C/c1ccccc1 C(/F)(\\Cl)=C(/Br)c1ccccc1
OC(/C=C/c1ccccc1)=C\\C(=O)/C=C/c1ccccc1 [O]c1ccccc1 [CH2]c1ccccc1 c1ccccc1[I+]c1ccccc1 OI(=O)(=O)c1ccccc1
O=Cl(=O)(=O)c1ccccc1 CS(C)(=O)(=O)c1ccccc1 FS(F)(F)(F)(F)c1ccccc1 [C@]12(CCO1)CCO2 C[C@@]12CC[C@H](CC1)C2(C)C
N1[C@@H](C)C1c1ccccc1 C[N@]1C[C@@H]1c1ccccc1 c12N(C3N(CCN=3)C(=O)c1cccc2)C C1CCC2(CC1)OCCO2
OC[C@H]1O[C@@H]2O[C@H]3[C@H](O)[C@@H](O)[C@@H](O[C@H]4[C@H](O)[C@@H](O)[C@@H](O[C@H]1[C@H](O)[C@H]2O)O[C@@H]4CO)O[C@@H]3CO
[Fe+2].c1cc[cH-]c1.c1cc[cH-]c1 C[N+]1=CC=CC=C1 c1ccc(cc1)C1=NN=NN1 O=C1NC(=O)c2ccccc21 C[N+]([O-])(C)C N#[N+]c1ccccc1
CC(C)(C)[Si](C)(C)OCC1CO1 C1#CCCCCCC1 [13CH3]c1cc[15nH]c1 OC1=C(O)C(=O)C1=O C1=CC2=CC=CC2=C1 c1ccc2[nH]c3ccccc3c2c1
N->[Pt](Cl)(Cl)<-N C[Hg]c1ccccc1O O=S1(=O)NC(=O)c2ccccc12 C/C(=N\\O)/C(/C)=N/O O/N=C1/CCc2ccccc21 CC(=O)/C=C(/C)O
""".split()


def stereo(mol, pick):
    options = StereoEnumerationOptions(maxIsomers=1, rand=pick.randrange(1 << 30), onlyUnassigned=False)
    return next(iter(EnumerateStereoisomers(mol, options=options)))


def isotopes(mol, pick):
    for index in pick.sample(range(mol.GetNumAtoms()), min(2, mol.GetNumAtoms())):
        mol.GetAtomWithIdx(index).SetIsotope(pick.choice([2, 13, 14, 15, 18]))
    return mol


def charged(mol, pick):
    for atom in mol.GetAtoms():
        basic = atom.GetAtomicNum() == 7 and not atom.GetIsAromatic() and atom.GetTotalDegree() == 3
        acid = atom.GetAtomicNum() == 8 and atom.GetTotalNumHs() == 1 and not atom.GetFormalCharge()
        if pick.random() < 0.7 and not atom.GetFormalCharge() and (basic or acid):
            atom.SetFormalCharge(1 if basic else -1)
            atom.SetNumExplicitHs(atom.GetTotalNumHs() + (1 if basic else -1))
            atom.SetNoImplicit(True)
    Chem.SanitizeMol(mol)
    return mol


def ring_closed(mol, pick):
    """A long chain between two atoms that bear hydrogens."""
    free = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetTotalNumHs() > 0]
    last = pick.choice(free)
    for number in [6] * pick.randrange(9, 16):
        new = mol.AddAtom(Chem.Atom(number))
        mol.AddBond(last, new, Chem.BondType.SINGLE)
        last = new
    others = [index for index in free if not mol.GetBondBetweenAtoms(index, last)]
    mol.AddBond(last, pick.choice(others), Chem.BondType.SINGLE)
    Chem.SanitizeMol(mol)
    return stereo(mol, pick)


def decorated(numbers):
    def change(mol, pick):
        at = pick.choice([atom.GetIdx() for atom in mol.GetAtoms() if atom.GetTotalNumHs() > 0])
        new = mol.AddAtom(Chem.Atom(pick.choice(numbers)))
        mol.AddBond(at, new, Chem.BondType.SINGLE)
        Chem.SanitizeMol(mol)
        return mol

    return change


def mapped(mol, pick):
    for atom in mol.GetAtoms():
        if pick.random() < 0.2:
            atom.SetAtomMapNum(atom.GetIdx() + 1)
    return mol


def plain(mol, _):
    return mol


def random_order(mol):
    return Chem.MolToSmiles(mol, doRandom=True)


def kekule(mol):
    Chem.Kekulize(mol, clearAromaticFlags=True)
    return Chem.MolToSmiles(mol, kekuleSmiles=True, doRandom=True)


def salt(mol):
    ions = [".[Na+].[Cl-]", ".O", ".CC(=O)O", ".[K+]", ".c1ccccc1O", ".OC(=O)/C=C/C(=O)O"]
    text = random_order(mol)
    return text + ions[len(text) % len(ions)]


KINDS = [
    ("stereo", stereo, random_order),
    ("stereo-kekule", stereo, kekule),
    ("stereo-brackets", stereo, lambda mol: Chem.MolToSmiles(mol, allHsExplicit=True, doRandom=True)),
    ("isotopes", isotopes, random_order),
    ("stereo-salt", stereo, salt),
    ("charged", charged, random_order),
    ("macrocycle", ring_closed, random_order),
    ("hydrogens", lambda mol, _: Chem.AddHs(mol), random_order),
    ("stereo-again", stereo, random_order),
    ("metal", decorated([3, 11, 12, 26, 29, 30, 46, 50, 78, 80]), random_order),
    ("wildcard", decorated([0]), random_order),
    ("maps", mapped, random_order),
    ("plain", plain, random_order),
]


def smiles_of(path):
    if path.endswith(".whl"):
        packed = zipfile.ZipFile(path).read("moses/dataset/data/test.csv.gz")
        lines = io.TextIOWrapper(gzip.GzipFile(fileobj=io.BytesIO(packed)))
    else:
        lines = open(path)
    return [line.replace(",", " ").split()[0] for line in lines if line.strip()]


def molecules(paths, pick):
    found = [smiles_of(path) for path in paths]
    for lines in found:
        pick.shuffle(lines)
    for number in range(max(map(len, found))):
        for lines in found:
            mol = Chem.MolFromSmiles(lines[number]) if number < len(lines) else None
            if mol is not None and 3 < mol.GetNumAtoms() < 70:
                yield mol


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("libraries", nargs="+")
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    RDLogger.DisableLog("rdApp.*")
    pick = random.Random(arguments.seed)
    Chem.rdBase.SeedRandomNumberGenerator(arguments.seed)
    written = 0
    with open(arguments.out, "w") as out:
        for number, mol in enumerate(molecules(arguments.libraries, pick)):
            if written == arguments.rows - len(HARD):
                break
            name, change, write = KINDS[number % len(KINDS)]
            try:
                text = write(change(Chem.RWMol(mol), pick))
            except Exception:  # not every change suits every molecule
                continue
            written += 1
            out.write(f"{text} {name}-{number}\n")
        for number, text in enumerate(HARD):
            out.write(f"{text} hard-{number}\n")


if __name__ == "__main__":
    main()
