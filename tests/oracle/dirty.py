"""Writes a dirty catalogue: the molecules of a library with salts, charges, metals and other forms of their groups.

usage: dirty.py LIBRARY OUT.smi --rows N [--seed S] [--clean-share P]

LIBRARY is a SMILES or CSV file. Each row is a molecule of it, drawn at random: as it is with probability P, otherwise
after one to three random changes. The same seed gives the same rows.
"""

import argparse
import csv
import random

from rdkit import Chem, RDLogger
from rdkit.Chem import rdChemReactions

# From RDKit's Data/Salts.txt and the usual salts of catalogues: neutral, and as ions.
COUNTERIONS = """Cl Br I O N [Cl-] [Br-] [I-] [F-] [Na+] [K+] [Li+] [Ca+2] [Mg+2] [Zn+2] [NH4+] [Na] [Cl] [Cu+2] [Ag+] [OH-]
OS(=O)(=O)O O=S(=O)([O-])[O-] OS(=O)(=O)[O-] O=[N+]([O-])O O=[N+]([O-])[O-] ON(=O)=O OP(=O)(O)O OP(=O)(O)[O-] F[P-](F)(F)(F)(F)F
F[B-](F)(F)F CS(=O)(=O)O CS(=O)(=O)[O-] Cc1ccc(S(=O)(=O)O)cc1 Cc1ccc(S(=O)(=O)[O-])cc1 CC(=O)O CC(=O)[O-] OC(=O)C(F)(F)F
O=C([O-])C(F)(F)F OC(=O)/C=C/C(=O)O OC(=O)/C=C\\C(=O)O OC(=O)C(=O)O O=C([O-])C(=O)[O-] OC(=O)C(O)C(O)C(=O)O
OC(=O)[C@H](O)[C@@H](O)C(=O)O C1CCCCC1NC1CCCCC1 CCN(CC)CC CC[NH+](CC)CC OCl(=O)(=O)=O [O-]Cl(=O)(=O)=O CO CCO CN(C)C=O
OC(=O)CC(O)(CC(=O)O)C(=O)O O=C(O)c1ccccc1 Oc1c([N+](=O)[O-])cc([N+](=O)[O-])cc1[N+](=O)[O-] NC(CO)(CO)CO [H+] [H][H] [H]O[H] [H]Cl O=C=O""".split()

# What a group is rewritten to: the first match of the pattern, by RDKit's reactions.
FORMS = [
    ("protonate amine", "[NX3;!$(N-[C,S,N,P]=*);!$(N-a);+0:1]>>[N+1:1]"),
    ("protonate pyridine", "[nX2;+0:1]>>[nH+:1]"),
    ("protonate amidine", "[NX2;+0:1]=[C:2]>>[NH+:1]=[C:2]"),
    ("protonate any nitrogen", "[NX3;+0:1]>>[N+1:1]"),
    ("acid to anion", "[OX2H:1][C:2]=[O:3]>>[O-:1][C:2]=[O:3]"),
    ("phenol to anion", "[OX2H:1][c:2]>>[O-:1][c:2]"),
    ("alcohol to anion", "[OX2H:1][CX4:2]>>[O-:1][C:2]"),
    ("sulfonic acid to anion", "[OX2H:1][S:2]>>[O-:1][S:2]"),
    ("phosphoric acid to anion", "[OX2H:1][P:2]>>[O-:1][P:2]"),
    ("amide to anion", "[NX3H:1][C:2]=[O:3]>>[N-:1][C:2]=[O:3]"),
    ("ring nitrogen to anion", "[nH:1]>>[n-:1]"),
    ("thiol to anion", "[SX2H:1]>>[S-:1]"),
    ("carbanion", "[CX4H:1][C:2]=[O:3]>>[C-:1][C:2]=[O:3]"),
    ("quaternary", "[NX3H0;!$(N-[C,S,N,P]=*);!$(N-a);+0:1]>>[N+1:1]C"),
    ("N-alkyl pyridinium", "[nX2;+0:1]>>[n+1:1]C"),
    ("N-oxide", "[NX3H0;!$(N-[C,S,N,P]=*);+0:1]>>[N+1:1][O-]"),
    ("pyridine oxide", "[nX2;+0:1]>>[n+1:1][O-]"),
    ("nitro", "[cH:1]>>[c:1][N+](=O)[O-]"),
    ("nitro on carbon", "[CX4;H2,H3:1]>>[C:1][N+](=O)[O-]"),
    ("nitrate", "[OX2H:1][CX4:2]>>[O:1]([C:2])[N+](=O)[O-]"),
    ("azide", "[cH:1]>>[c:1][N]=[N+]=[N-]"),
    ("azide, other form", "[CX4;H2,H3:1]>>[C:1][N-][N+]#N"),
    ("diazonium", "[cH:1]>>[c:1][N+]#N"),
    ("isocyanide", "[cH:1]>>[c:1][N+]#[C-]"),
    ("sulfoxide", "[CX4;H2,H3:1]>>[C:1]S(=O)C"),
    ("charged sulfoxide", "[CX4;H2,H3:1]>>[C:1][S+]([O-])C"),
    ("charged sulfone", "[CX4;H2,H3:1]>>[C:1][S+2]([O-])([O-])C"),
    ("sulfonamide", "[cH:1]>>[c:1]S(=O)(=O)N"),
    ("sulfonic acid", "[cH:1]>>[c:1]S(=O)(=O)O"),
    ("phosphonate", "[cH:1]>>[c:1]P(=O)(O)O"),
    ("charged phosphonate", "[cH:1]>>[c:1][P+]([O-])([O-])C"),
    ("guanidinium", "[cH:1]>>[c:1]NC(=[NH2+])N"),
    ("iminium", "[CX4;H2,H3:1]>>[C:1]C(O)=[N+](C)C"),
    ("amidinium", "[CX4;H2,H3:1]>>[C:1]C(N)=[N+](C)C"),
    ("oxide of enol", "[CX4;H2,H3:1]>>[C:1]C([O-])=[N+](C)C"),
    ("sodium alkoxide", "[OX2H:1][#6:2]>>[O:1]([#6:2])[Na]"),
    ("silver carboxylate", "[OX2H:1][C:2]=[O:3]>>[O:1]([C:2]=[O:3])[Ag]"),
    ("aryl zinc", "[cH:1]>>[c:1][Zn]Cl"),
    ("alkyl tin", "[CX4;H2,H3:1]>>[C:1][Sn](C)(C)C"),
    ("alkyl platinum", "[CX4;H2,H3:1]>>[C:1][Pt]Cl"),
    ("alkyl lithium", "[CX4;H3:1]>>[C:1][Li]"),
    ("boronic acid", "[cH:1]>>[c:1]B(O)O"),
    ("boronate", "[cH:1]>>[c:1][B-](F)(F)F"),
    ("enol", "[CX4;H2,H3:1][C;!$(C-[O,N]):2]=[O:3]>>[C:1]=[C:2][O:3]"),
    ("lactim", "[NX3H:1][C:2]=[O:3]>>[N:1]=[C:2][O:3]"),
    ("thione", "[OX1:1]=[C:2]>>[S:1]=[C:2]"),
    ("carbon 13", "[CX4:1]>>[13C:1]"),
    ("deuterium", "[CX4H3:1]>>[C:1][2H]"),
    ("silane", "[CX4H3:1]>>[C:1][Si](C)(C)C"),
    ("selenide", "[CX4H3:1]>>[C:1][Se]C"),
    ("radical", "[CX4H3:1]>>[CH2:1]"),
    ("dummy", "[cH:1]>>[c:1]*"),
    ("carbonate anion", "[OX2H:1][#6:2]>>[O:1]([#6:2])C(=O)[O-]"),
    ("carbamate zwitterion", "[CX4H3:1]>>[C:1][N+](C)(C)CC(=O)[O-]"),
    ("amino acid", "[CX4H3:1]>>[C:1]C([NH3+])C(=O)[O-]"),
    ("carboxylic acid", "[cH:1]>>[c:1]C(=O)O"),
    ("thiophenolate", "[cH:1]>>[c:1][S-]"),
]


def changed(mol, reaction, draw):
    """One product of the reaction, or the molecule itself."""
    products = reaction.RunReactants((mol,), maxProducts=8)
    if not products:
        return mol
    product = draw.choice(products)[0]
    product.UpdatePropertyCache(strict=False)
    return product


def dirty(mol, forms, draw):
    for _ in range(draw.choice([0, 1, 1, 2, 3])):
        mol = changed(mol, draw.choice(forms), draw)
        mol = Chem.MolFromSmiles(Chem.MolToSmiles(mol), sanitize=True)
        if mol is None:
            return None
    return mol


def written(mol, draw):
    """A SMILES of the molecule: canonical, in random order, in Kekulé form, or with nitro groups of five bonds."""
    way = draw.random()
    if way < 0.5:
        return Chem.MolToSmiles(mol)
    if way < 0.8:
        return Chem.MolToSmiles(mol, doRandom=True)
    if way < 0.9:
        return Chem.MolToSmiles(mol, kekuleSmiles=True)
    return Chem.MolToSmiles(mol).replace("[N+](=O)[O-]", "N(=O)=O").replace("[N-]=[N+]=N", "N#N=N")


def read(path):
    if path.endswith(".csv"):
        with open(path) as lines:
            return [row["smiles"] for row in csv.DictReader(lines)]
    with open(path) as lines:
        return [line.split()[0] for line in lines if line.strip()]


def rows(library, count, seed, clean_share):
    draw = random.Random(seed)
    forms = [
        rdChemReactions.ReactionFromSmarts(smirks) for _, smirks in FORMS
    ]
    while count > 0:
        smiles = draw.choice(library)
        if draw.random() < clean_share:
            yield smiles
            count -= 1
            continue
        mol = Chem.MolFromSmiles(smiles)
        mol = mol and dirty(mol, forms, draw)
        if mol is None:
            continue
        text = written(mol, draw)
        parts = [text] + draw.choices(COUNTERIONS, k=draw.choice([0, 0, 1, 1, 1, 2]))
        if draw.random() < 0.02:
            parts.append(draw.choice(library))
        draw.shuffle(parts)
        yield ".".join(parts)
        count -= 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("library")
    parser.add_argument("out")
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clean-share", type=float, default=0.0)
    args = parser.parse_args()
    RDLogger.DisableLog("rdApp.*")
    library = read(args.library)
    with open(args.out, "w") as out:
        for number, smiles in enumerate(rows(library, args.rows, args.seed, args.clean_share)):
            out.write(f"{smiles} D{number}\n")


if __name__ == "__main__":
    main()
