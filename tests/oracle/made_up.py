"""Makes up molecules that no library has, for tests/oracle/structure_key.py: rings and chains of atoms drawn at random.

usage: made_up.py OUT.smi [--rows N] [--seed N]

Of three kinds in turn: a ring of 3 to 9 atoms about a marked centre, some of them fused; a ring of 8 to 18 with marks
of double bonds; a chain with branches. Atoms are of all elements that a structure key is made of without RDKit, in
the states it knows and some that it does not, so that what RDKit makes of them (aromatic rings, charges, marks that
fall away) is seen in every combination. Only what RDKit reads is written. The same arguments give the same file.
"""

import argparse
import random
from pathlib import Path

from rdkit import Chem, RDLogger

CENTRES = """
[P@] [P@@] [S@+] [S@@+] [Se@+] [N@] [N@@] [S@](=O) [S@] [Se@](=O) [P@@](=O) [P@+] [As@] [N@+] [C@H] [C@] [C@@-] [Si@H]
[B@-] [C@@H] [Te@+] [Se@] [P@](=S) [P@](=N)
""".split()
RING_ATOMS = """
C C C C C C N N N O O S S P [NH+] [N+] [O+] B [Se] [SiH2] C(C) C(=O) [CH-] [CH+] S(=O) P(=O) [N-] [S+] N(C) C(F) P(C)
C(F)(Cl) [P@](C) [S@+](C) [C@H](F) [te] [Te] [As] [BH-] [B-](C) C(O) C(=N) [nH] c o s p n c(C) [s+](C) [n+](C) [se]
""".split()
LARGE_RING_ATOMS = """
C C C C C C C C N O S C(C) C(F) C(=O) [nH] c n CC [CH-] [CH+] C(C)(C) [N-] P [NH+] C(/F) C(\\C) C(/C) [C@H](F) [C@@H](C)
[C@](F)(C) [P@](C) [S@+](C) [S@](=O) [N@](C)
""".split()
CHAIN_ATOMS = """
C C C N O S C(F) C(=O) N(C) [C@H](F) [C@@H](Cl) [C@](F)(Cl) P P(=O)(C) [P@](=O)(C) [S@](=O) S(=O) [N+](C)(C) [nH]
c1ccccc1 C1CC1 [C@H]1C[C@@H]1 [CH-] [CH+] [O-] [NH-] [S-] [NH3+] [B-](F)(F) B [Se] [Te] [As] [Si](C)(C) [SiH] N=O
N(=O)=O [N+](=O)[O-] P(=N) Cl(=O) I [PH] [PH2] S(=N) S(=O)(=N) S(N) C#C C#N [C-]#[N+] N=[N+]=[N-] [N-][N+]#N N=N#N
""".split()
BRANCHES = "(C) (=O) (F) (/C) (\\F) (=C) (O) (=N) ([O-]) (Cl) (=S)".split()
BONDS, MARKED_BONDS = ["", "", "", "="], ["", "", "=", "=", "/", "/", "\\", "\\"]


def small_ring(pick):
    centre = pick.choice(CENTRES)
    end = centre.index("]") + 1
    text = pick.choice(["C", "F", "CC", "O", "c1ccccc1", "N", ""]) + centre[:end] + "1" + centre[end:]
    text += pick.choice(["", "", "", "(C)", "(F)", "(O)"])
    size, fused = pick.randint(2, 8), pick.random() < 0.3
    for place in range(size):
        joined = fused and place in (0, min(2, size - 1))
        atom = pick.choice("C N c n P".split()) + "2" if joined else pick.choice(RING_ATOMS)
        text += pick.choice(BONDS) + atom
    return text + pick.choice(["1", "1", "=1"])


def large_ring(pick):
    text = pick.choice(["C", "N", "O", "S", "C(C)"]) + "1"
    for _ in range(pick.randint(7, 17)):
        text += pick.choice(MARKED_BONDS) + pick.choice(LARGE_RING_ATOMS)
    return text + pick.choice(["1", "=1", "/1", "\\1"])


def chain(pick):
    text = pick.choice(CHAIN_ATOMS)
    for _ in range(pick.randint(1, 8)):
        text += pick.choice(["", "", "", "=", "/", "\\"]) + pick.choice(CHAIN_ATOMS)
        if pick.random() < 0.15:
            text += pick.choice(BRANCHES)
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    RDLogger.DisableLog("rdApp.*")
    pick = random.Random(arguments.seed)
    makers = [small_ring, large_ring, chain]
    with arguments.out.open("w") as out:
        for row in range(arguments.rows):
            maker = makers[row % len(makers)]
            text = maker(pick)
            while Chem.MolFromSmiles(text) is None:
                text = maker(pick)
            out.write(f"{text} {maker.__name__}-{row}\n")


if __name__ == "__main__":
    main()
