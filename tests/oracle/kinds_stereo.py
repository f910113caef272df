"""Writes molecules made from scratch in which stereo is everywhere, as SMILES with an id that names the
kind: what tests/oracle/kinds.py, which changes molecules that exist, has too little of.

usage: kinds_stereo.py OUT.smi --rows N [--seed N]

The kinds take turns: pieces joined at random, chains and rings of double bonds, sugars and rings of sugars,
peptides, cages, the same piece on either side (meso), random ring systems, radicals, dative bonds and metals,
centres on S, P, Si and N. Every possible centre and double bond gets stereo at random, one in six none; then
three in five get one more change (isotopes, charges, atom maps, a salt, hydrogens as atoms), and the SMILES
is written in one of five ways. The same arguments give the same file.
"""

import argparse
import random

from kinds import charged, isotopes, kekule, mapped, random_order, salt
from rdkit import Chem, RDLogger

ATOMS_MAX = 100
# The wildcard is where a piece is joined.
PIECES = """
*C *CC *O *OC *N *N(C)C *F *Cl *Br *C#N *C(=O)O *C(N)=O *C(C)C *C(C)(C)C *C(C)=O *S(C)(=O)=O *[N+](=O)[O-]
*c1ccccc1 *c1ccc(O)cc1 *c1ccncc1 *c1ccc[nH]1 *c1ccco1 *C1CC1 *C1CCCC1 *C1CCCCC1 *C1CCOCC1 *C1CO1 *C(O)C
*C=CC *C=CC=C *C(C)=CC *C=NO *C(C)=NO *N=CC *N=Nc1ccccc1 *C=C=CC *C#CC *S(C)=O *P(C)(=O)O *OC(C)=O *C(O)CO
*Oc1ccccc1O *c1c[nH]c2ccccc12 *C(F)(F)F *B(O)O *[Si](C)(C)C *OP(=O)(O)O *SC *N1CCOCC1 *C(C)N *C(CO)O *C(Cl)Br
""".split()
CORES = """
C(*)(*)C(*)* C(*)(*)=C(*)* C1(*)CC(*)C1 C1(*)CCC(*)CC1 C1(*)CC(*)CC(*)C1 c1(*)ccc(*)cc1 c1(*)cc(*)cc(*)c1 C1(*)C(*)C1*
N1C(*)C(*)CC1* C1(*)OC(*)C(*)O1 c1(*)oc(*)cc1* C1(*)CC2CCC(*)CC2C1 C1(*)=CC(*)CC=C1 C1(*)C2CC(*)C1CC2 O=C1C(*)=C(*)CN1*
C(*)(O)C(*)(O)C(*)O C(*)(*)=CC=C(*)* C(*)=C(*)C(*)C(*)=C* N(*)C(*)=N* C(*)(*)=NN=C(*)* C1(*)CC1(*)C(*)=C* S(*)(*)=O
P(*)(*)(=O)O* [Si](*)(*)(*)C c1(*)c2ccccc2c(*)c2ccccc12 c1(*)nc(*)c(*)[nH]1 O=c1c(*)c(*)oc2ccc(*)cc12 C12(*)CC(*)CC1CC(*)C2
C1(*)CC2(C1)CC(*)C2 C1(*)(*)CCC(*)(*)CC1 C(*)(C(*)O)C(*)O C1(*)CCC2(*)C(C1)CCC1(*)C2CCC2(C)C1CCC2* [N+](*)(*)(C)C C(*)(*)=C=C(*)*
""".split()
MIRRORS = """
C(O)(*)C(O)* C(*)C* C1(*)CC(*)C1 C1(*)CCC(*)CC1 C(*)C(O)C* C1(*)CC(*)CC(*)C1 C(*)=CC=C* C1(*)CC2(C1)CC(*)C2 C1(*)C(*)C1 N(*)*
S(*)(*)=O c1(*)ccc(*)cc1 C1(*)OCC(*)O1 C(*)(*)=C(*)* C(*)(*)(*)* C(O)(*)* C1(*)C(*)C(*)C1* C(*)=C* C(*)=NN=C* C1(*)CC(*)C=C1
""".split()
HALVES = "*C(O)C *C=CC *C(C)CC *C(O)C(N)C *C1CC1C *C(C)=CC *C(F)Cl *C1CCC(C)CC1 *C(C)C=CC *C=CC(O)C *C=NO *S(C)=O".split()
CAGES = """
C1C2CC3CC1CC(C2)C3 C12C3C4C1C5C2C3C45 C1CC2CCC1C2 C1CC2CCC1CC2 C12C3C1C1C2C31 C1N2CN3CN1CN(C2)C3 C1CN2CCC1CC2 C1CC2CCC1N2C
C1CC2CC1C=C2 C1CC23CCC1C2CCC3 C12C=CC(C=C1)C=C2 O1C2CC3CC1CC(C2)C3 C1CC2C3CCC(C3)C2C1 C1CC2CC3CCC2CC3C1 C1CC2OC1C=C2 C1CCC2CCCCC2C1
""".split()
RESIDUES = """
C CO C(C)O C(C)C C(C)CC CS CCSC Cc1ccccc1 Cc1ccc(O)cc1 Cc1c[nH]c2ccccc12 CCCCN CC(=O)O CC(N)=O CCCNC(=N)N Cc1cnc[nH]1
""".split()
UNITS = "C=C C=C C(C)=C C=N C(O) C=C=C C(C) C(F)=C C(=CC) N=N C(Cl)=C(Br) C#C C(O)C(C) C=NN=C".split()
METALS = """
[Fe+2].c1c[cH-]cc1.c1c(%)[cH-]cc1 Cl[Pt]1(Cl)<-NCCN->1% N->[Pt](Cl)(Cl)<-N% [Ti+4].[Cl-].[Cl-].c1c[cH-]cc1.c1c(%)[cH-]cc1
C1=CC=CC=N1->[Zn](Cl)(Cl)<-N1=CC=CC(%)=C1 O=C(O[Cu]OC(=O)C(O)%)C(O)C C[Hg]C(O)% c1ccccc1[Sn](C)(C)C(O)% F[B-](F)(F)C(O)%
O=C(O)C(%)N->[Cu]<-NC(%)C(=O)O [Ru+2].N.N.OC(F)% C[Mg]C=C% [Li]C(C)=CC% Cl[Pd](Cl)(<-N(C)C(C)%)<-N(C)C c1ccc(O[Al](O)OC(C)%)cc1
""".split()
RADICALS = """
[CH2]C(O)% C[CH]C=C% [O]C(C)% [NH]C(C)C% CC1(C)CC(O)CC(C)(C)N1[O].C% C[C](O)C=C% c1ccccc1[C](C)% [CH]C(O)% C[N]C=C%
[O]c1ccc(C(O)C%)cc1 C[Si](C)C% [S]C(C)% [c]1ccc(C(O)%)cc1 C[C]=C% OC1C[CH]CC1%
""".split()
CENTRES = """
CS(=O)% CP(=O)(O)% C[Si](F)(Cl)% CC[N+](C)(CC=C)% C[S+](CC)% CP(c1ccccc1)% C[Se](=O)% CN1CC1% C[As](=O)(O)% CS(=N)(=O)%
CN=S(C)(=O)% C[Ge](C)(F)% C[B-](F)(Cl)% CC(O)S(=O)CC(O)% CP(=S)(OC)OC(C)% CC(N)[P+](C)(CC)% C1CS(=O)CC1% CC([2H])(O)% CC([2H])=C%
""".split()


def parsed(text):
    return Chem.RWMol(Chem.MolFromSmiles(text))


def joined(mol, choose):
    """Puts a piece in the place of every wildcard."""
    while ends := [atom for atom in mol.GetAtoms() if atom.GetAtomicNum() == 0]:
        end, anchor = ends[0].GetIdx(), ends[0].GetNeighbors()[0].GetIdx()
        shift = mol.GetNumAtoms()
        mol = Chem.RWMol(Chem.CombineMols(mol, Chem.MolFromSmiles(choose())))
        mol.AddBond(anchor, shift + 1, Chem.BondType.SINGLE)
        mol.RemoveAtom(shift)
        mol.RemoveAtom(end)
    Chem.SanitizeMol(mol)
    return mol


def pieces(pick):
    return joined(parsed(pick.choice(CORES)), lambda: pick.choice(PIECES))


def mirrored(pick):
    half = pick.choice(HALVES)
    return joined(parsed(pick.choice(MIRRORS)), lambda: half)


def tail(pick):
    return pick.choice(PIECES)[1:]


def templates(texts):
    return lambda pick: parsed("".join(tail(pick) if c == "%" else c for c in pick.choice(texts)))


def double_bonds(pick):
    inner = "".join(pick.choice(UNITS) for _ in range(pick.randrange(2, 8)))
    if pick.random() < 0.4:
        return parsed(f"C9C{inner}{'C' * pick.randrange(2, 10)}9")
    return parsed(f"{pick.choice(['C', 'OC', 'c8ccccc8', 'CC(=O)'])}{inner}{tail(pick)}")


def sugar(pick):
    """Up to seven hexoses or pentoses, each the substituent of the last one's anomeric carbon, or a ring."""
    count = pick.randrange(1, 8)
    anomeric = "%99" if count > 3 and pick.random() < 0.5 else f"({tail(pick)})"
    first = "O%99" if anomeric == "%99" else pick.choice(["O", "N", "CO", "C=CCO"])
    text = ""
    for number in range(11, 11 + count):
        label, arm = f"%{number}", pick.choice(["(CO)", "(CO)", "(C)", "", "(C(=O)O)"])
        text = f"C{label}C{arm}OC{anomeric}C(O)C{label}{pick.choice('ON')}"
        anomeric = f"(O{text})"
    return parsed(first + text)


def peptide(pick):
    chain = "".join(f"NC({pick.choice(RESIDUES)})C(=O)" for _ in range(pick.randrange(2, 8)))
    if pick.random() < 0.4:
        return parsed("N9" + chain[1:].removesuffix("(=O)") + "9=O")
    return parsed(chain + pick.choice(["O", "N", "OC", "NCC=CC"]))


def cage(pick):
    mol = parsed(pick.choice(CAGES))
    free = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetTotalNumHs() > 0]
    for index in pick.sample(free, min(len(free), pick.randrange(1, 5))):
        mol.AddBond(index, mol.AddAtom(Chem.Atom(0)), Chem.BondType.SINGLE)
    return joined(mol, lambda: pick.choice(PIECES))


def ring_system(pick):
    """A random tree of 8 to 24 atoms, up to five more bonds, some of them double."""
    mol, room = Chem.RWMol(), []
    for number in range(pick.randrange(8, 25)):
        element = pick.choice([6] * 8 + [7, 8, 16])
        mol.AddAtom(Chem.Atom(element))
        room.append({6: 4, 7: 3}.get(element, 2))
        others = [i for i in range(number) if room[i] > 0]
        if others:
            bond(mol, room, number, pick.choice(others[-4:]))
    for _ in range(pick.randrange(1, 6)):
        one, other = pick.sample(range(len(room)), 2)
        if room[one] and room[other] and not mol.GetBondBetweenAtoms(one, other):
            bond(mol, room, one, other)
    for edge in pick.sample(list(mol.GetBonds()), mol.GetNumBonds() // 3):
        one, other = edge.GetBeginAtomIdx(), edge.GetEndAtomIdx()
        if room[one] and room[other]:
            edge.SetBondType(Chem.BondType.DOUBLE)
            room[one] -= 1
            room[other] -= 1
    Chem.SanitizeMol(mol)
    return mol


def bond(mol, room, one, other):
    mol.AddBond(one, other, Chem.BondType.SINGLE)
    room[one] -= 1
    room[other] -= 1


def with_stereo(mol, pick):
    """Stereo at random wherever RDKit sees that there can be some."""
    for place in Chem.FindPotentialStereo(mol, cleanIt=False, flagPossible=True):
        draw = pick.randrange(6)
        if place.type == Chem.StereoType.Atom_Tetrahedral and draw:
            tags = [Chem.ChiralType.CHI_TETRAHEDRAL_CW, Chem.ChiralType.CHI_TETRAHEDRAL_CCW]
            mol.GetAtomWithIdx(place.centeredOn).SetChiralTag(tags[draw % 2])
        elif place.type == Chem.StereoType.Bond_Double and draw:
            ends = [i for i in place.controllingAtoms if i < mol.GetNumAtoms()]
            edge = mol.GetBondWithIdx(place.centeredOn)
            begin = [i for i in ends if mol.GetBondBetweenAtoms(i, edge.GetBeginAtomIdx())]
            end = [i for i in ends if mol.GetBondBetweenAtoms(i, edge.GetEndAtomIdx())]
            edge.SetStereoAtoms(begin[0], end[0])
            edge.SetStereo([Chem.BondStereo.STEREOCIS, Chem.BondStereo.STEREOTRANS][draw % 2])
    return mol


def with_hydrogens(mol, pick):
    """Some hydrogens as atoms, one in four of them deuterium."""
    bearers = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetTotalNumHs() > 0]
    before = mol.GetNumAtoms()
    mol = Chem.RWMol(Chem.AddHs(mol, onlyOnAtoms=pick.sample(bearers, (len(bearers) + 2) // 3)))
    for index in range(before, mol.GetNumAtoms()):
        if pick.random() < 0.25:
            mol.GetAtomWithIdx(index).SetIsotope(2)
    return mol


def unchanged(mol, _):
    return mol


KINDS = [("pieces", pieces), ("double-bonds", double_bonds), ("mirrored", mirrored), ("sugar", sugar), ("cage", cage),
         ("rings", ring_system), ("peptide", peptide), ("pieces-again", pieces), ("double-bonds-again", double_bonds),
         ("metal", templates(METALS)), ("radical", templates(RADICALS)), ("centre", templates(CENTRES))]
CHANGES = [unchanged] * 4 + [isotopes, charged, mapped, with_hydrogens, with_hydrogens]
WRITINGS = [random_order, random_order, kekule, salt, Chem.MolToSmiles,
            lambda mol: Chem.MolToSmiles(mol, allHsExplicit=True, doRandom=True)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    RDLogger.DisableLog("rdApp.*")
    pick = random.Random(arguments.seed)
    Chem.rdBase.SeedRandomNumberGenerator(arguments.seed)
    written = number = 0
    with open(arguments.out, "w") as out:
        while written < arguments.rows:
            name, make = KINDS[number % len(KINDS)]
            number += 1
            try:
                mol = pick.choice(CHANGES)(with_stereo(make(pick), pick), pick)
                text = pick.choice(WRITINGS)(mol)
            except Exception:  # not everything fits together
                continue
            if mol.GetNumAtoms() <= ATOMS_MAX:
                written += 1
                out.write(f"{text} {name}-{number}\n")


if __name__ == "__main__":
    main()
