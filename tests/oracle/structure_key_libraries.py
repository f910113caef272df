"""Makes the libraries on which tests/oracle/structure_key.py proves `molsieve key`.

usage: structure_key_libraries.py OUT_DIR [--rows N] [--seed N] MOLSETS.whl

druglike.smi          the wheel's molecules, train and test, as they are: no stereo, no charges
druglike_stereo.smi   300,000 with a random mark on each centre and double bond that may have one, none on one
                      in four (atoms that look alike together); two stereoisomers of most molecules, and
                      marks that mean nothing stay
fragments.smi         the BRICS fragments, hydrogen where they were cut, and Murcko scaffolds of 100,000
salts_charged.smi     50,000 with counter-ions, protonated amines, deprotonated acids and zwitterions, half
                      of them with stereo as above

--rows: at most so many lines of each, and fragments of so many molecules. Every line ends with an id that
names the kind. All but the first are drawn at random, written in random order and distinct by canonical
SMILES. The same arguments give the same files. Uses two processes.
"""

import argparse
import random
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import mmh3
from rdkit import Chem, RDLogger
from rdkit.Chem import BRICS
from rdkit.Chem.Scaffolds import MurckoScaffold
from structure_key import at_random, done_in_order, parsed, read_library

PROCESSES = 2
CHUNK_MOLECULES = 1_000
STEREO_ROWS, FRAGMENT_SOURCES, CHARGED_ROWS = 300_000, 100_000, 50_000
STEREOISOMERS = 2
TAGS = [Chem.ChiralType.CHI_TETRAHEDRAL_CW, Chem.ChiralType.CHI_TETRAHEDRAL_CCW]
SIDES = [Chem.BondStereo.STEREOCIS, Chem.BondStereo.STEREOTRANS]

# Not amides, anilines, enamines, sulfonamides, hydrazines; and pyridines, imidazoles.
BASES = Chem.MolFromSmarts(
    "[$([NX3;!$(N-[#6]=[!#6]);!$(N-a);!$(N-[#6]=[#6]);!$(N-[!#6;!#1])]),$([nX2;r6]),$([nX2]:[cX3]:[nX3])]")
# Phenols, sulfonamides, imides, carboxylic, sulfonic and phosphonic acids, tetrazoles.
ACIDS = Chem.MolFromSmarts(
    "[$([OX2H]c),$([NX3;!H0]S(=O)=O),$([NX3;H1](C=O)C=O),$([OX2H]C=O),$([OX2H][S,P]=O),$([nH]:n:n:n)]")
BEARERS = Chem.MolFromSmarts("[#6;!H0]")
# The first atom is joined.
CATIONS = "C[NH3+] [N+](C)(C)C [n+]1ccccc1 C[NH+](C)C [P+](C)(C)C C[S+](C)C C(N)=[NH2+] NC(N)=[NH2+]".split()
ANIONS = """
C(=O)[O-] S(=O)(=O)[O-] P(=O)([O-])O P(=O)([O-])[O-] c1nn[n-]n1 [S-] [O-] [B-](O)(O)O OS(=O)(=O)[O-]
""".split()
COUNTER_CATIONS = """
[Na+] [K+] [Li+] [NH4+] C[N+](C)(C)C OCC[NH+](CCO)CCO C[NH2+]C[C@H](O)[C@@H](O)[C@H](O)[C@H](O)CO
""".split()
COUNTER_ANIONS = """
[Cl-] [Br-] [I-] OS(=O)(=O)[O-] [O-][N+](=O)[O-] OC(=O)/C=C\\C(=O)[O-] OC(=O)/C=C/C(=O)[O-] CS(=O)(=O)[O-]
O[C@@H]([C@H](O)C(=O)O)C(=O)[O-] Cc1ccc(S(=O)(=O)[O-])cc1 [O-]C(=O)C(F)(F)F F[P-](F)(F)(F)(F)F F[B-](F)(F)F
""".split()
NEUTRALS = """
Cl Br O O.O OC(=O)/C=C/C(=O)O CC(=O)O OS(=O)(=O)O CS(C)=O CO.CCO OC(=O)C(F)(F)F [Na+].[Cl-] c1ccncc1
""".split()


def marked(mol, pick):
    """A random mark wherever RDKit sees that there can be stereo, one in four times none. Atoms that look alike
    are marked together or not at all: who draws a ring marks all of it."""
    ranks = list(Chem.CanonicalRankAtoms(mol, breakTies=False))
    draws = {}
    for place in Chem.FindPotentialStereo(mol, cleanIt=False, flagPossible=True):
        draw = draws.setdefault((place.type, ranks[place.centeredOn]), pick.randrange(4)) \
            if place.type == Chem.StereoType.Atom_Tetrahedral else pick.randrange(4)
        if place.type == Chem.StereoType.Atom_Tetrahedral and draw:
            mol.GetAtomWithIdx(place.centeredOn).SetChiralTag(pick.choice(TAGS))
        elif place.type == Chem.StereoType.Bond_Double and draw:
            edge = mol.GetBondWithIdx(place.centeredOn)
            near = [index for index in place.controllingAtoms if index < mol.GetNumAtoms()]
            ends = [[index for index in near if mol.GetBondBetweenAtoms(index, end)]
                    for end in (edge.GetBeginAtomIdx(), edge.GetEndAtomIdx())]
            if all(ends):  # an end may bear only hydrogen
                edge.SetStereoAtoms(ends[0][0], ends[1][0])
                edge.SetStereo(pick.choice(SIDES))
    return mol


def seed_of(pick):
    return pick.randrange(1, 2**31)


def stereoisomers(mol, pick):
    if list(Chem.FindPotentialStereo(mol, cleanIt=False, flagPossible=True)):
        for _ in range(STEREOISOMERS):
            yield "stereo", at_random(marked(Chem.RWMol(mol), pick), seed_of(pick))


def hydrogen_for_dummies(text):
    mol = Chem.RWMol(Chem.MolFromSmiles(text))
    mol.BeginBatchEdit()
    for dummy in [atom for atom in mol.GetAtoms() if atom.GetAtomicNum() == 0]:
        for bond in dummy.GetBonds():
            anchor = bond.GetOtherAtom(dummy)
            if anchor.GetNoImplicit() or anchor.GetIsAromatic():
                anchor.SetNumExplicitHs(anchor.GetNumExplicitHs() + int(bond.GetBondTypeAsDouble()))
        mol.RemoveAtom(dummy.GetIdx())
    mol.CommitBatchEdit()
    Chem.SanitizeMol(mol)
    return mol


def fragments(mol, pick):
    for text in sorted(BRICS.BRICSDecompose(mol)):
        yield "fragment", at_random(hydrogen_for_dummies(text), seed_of(pick))
    scaffold = MurckoScaffold.GetScaffoldForMol(mol)
    if scaffold.GetNumAtoms():
        yield "scaffold", at_random(scaffold, seed_of(pick))


def with_charge(mol, sites, groups, change, pick):
    """Adds a proton to a base or takes one from an acid, or joins a charged group where there is none."""
    found = [match[0] for match in mol.GetSubstructMatches(sites)]
    if found:
        atom = mol.GetAtomWithIdx(pick.choice(found))
        hydrogens = atom.GetTotalNumHs() + change
        atom.SetFormalCharge(atom.GetFormalCharge() + change)
        atom.SetNumExplicitHs(hydrogens)
        atom.SetNoImplicit(True)
    else:
        at, new = pick.choice(mol.GetSubstructMatches(BEARERS))[0], mol.GetNumAtoms()
        mol.InsertMol(Chem.MolFromSmiles(pick.choice(groups), sanitize=False))
        mol.AddBond(at, new, Chem.BondType.SINGLE)
    Chem.SanitizeMol(mol)
    return mol


def protonated(mol, pick):
    return with_charge(mol, BASES, CATIONS, 1, pick)


def deprotonated(mol, pick):
    return with_charge(mol, ACIDS, ANIONS, -1, pick)


def unchanged(mol, _):
    return mol


def zwitterion(mol, pick):
    return protonated(deprotonated(mol, pick), pick)


CHARGED = [("salt", unchanged, NEUTRALS), ("protonated", protonated, []), ("deprotonated", deprotonated, []),
           ("zwitterion", zwitterion, []), ("protonated-salt", protonated, COUNTER_ANIONS),
           ("deprotonated-salt", deprotonated, COUNTER_CATIONS), ("zwitterion-salt", zwitterion, NEUTRALS)]


def charged(mol, pick):
    name, change, partners = pick.choice(CHARGED)
    mol = change(Chem.RWMol(mol), pick)
    if pick.random() < 0.5:
        name, mol = f"{name}-stereo", marked(mol, pick)
    parts = [at_random(mol, seed_of(pick))] + ([pick.choice(partners)] if partners else [])
    pick.shuffle(parts)
    yield name, ".".join(parts)


def made(job):
    """(hash of the canonical SMILES, SMILES, kind, number of the source) of what a chunk gives."""
    make, seed, chunk, lines = job
    pick = random.Random(f"{seed} {make.__name__} {chunk}")
    rows = []
    for number, text in lines:
        mol = parsed(text)[0]
        try:
            several = list(make(mol, pick)) if mol else []
        except (ValueError, RuntimeError):  # not every change suits every molecule
            continue
        for kind, written in several:
            form = parsed(written)[1]
            if form:
                rows.append((mmh3.hash_bytes(form), written, kind, number))
    return rows


def write(path, make, sources, rows_max, seed):
    """Writes what `make` gives for the sources, distinct, until there are enough rows."""
    chunks = (sources[start:start + CHUNK_MOLECULES] for start in range(0, len(sources), CHUNK_MOLECULES))
    work = ((make, seed, number, lines) for number, lines in enumerate(chunks))
    seen = set()
    with open(path, "w") as out, ProcessPoolExecutor(PROCESSES, initializer=quiet) as pool:
        for rows in done_in_order(pool, made, work, 2 * PROCESSES):
            for form, text, kind, number in rows:
                if len(seen) == rows_max:
                    break
                if form not in seen:
                    seen.add(form)
                    out.write(f"{text} {kind}-{number}\n")
            if len(seen) == rows_max:
                break
    print(f"{path}: {len(seen):,} molecules", flush=True)


def quiet():
    RDLogger.DisableLog("rdApp.*")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT_DIR", type=Path)
    parser.add_argument("wheel", metavar="MOLSETS.whl")
    parser.add_argument("--rows", type=int, default=2**62)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    quiet()
    arguments.out.mkdir(parents=True, exist_ok=True)
    lines = [(number, text) for number, text, _ in read_library(arguments.wheel)]
    whole = lines[:arguments.rows]
    with open(arguments.out / "druglike.smi", "w") as out:
        out.writelines(f"{text} druglike-{number}\n" for number, text in whole)
    print(f"{out.name}: {len(whole):,} molecules", flush=True)
    random.Random(arguments.seed).shuffle(lines)
    rows = arguments.rows
    for name, make, sources, rows_max in (
        ("druglike_stereo", stereoisomers, len(lines), STEREO_ROWS),
        ("fragments", fragments, min(rows, FRAGMENT_SOURCES), rows),
        ("salts_charged", charged, len(lines), CHARGED_ROWS),
    ):
        write(arguments.out / f"{name}.smi", make, lines[:sources], min(rows, rows_max), arguments.seed)


if __name__ == "__main__":
    main()
