"""Compares the stereoisomers that molsieve writes with RDKit's EnumerateStereoisomers in Python.

usage: stereoisomers.py [--most N] FLAT EXPANDED

FLAT and EXPANDED are outputs of the same job without --expand-stereo and with it. Each product of FLAT must stand in
EXPANDED as all its stereoisomers (itself, where nothing in it is open), and nothing else may. With --most N, a product
that has more must stand there as N of them.

Exit status: 0 equal, 1 differences, 2 usage.
"""

import argparse
import sys
from pathlib import Path

import pyarrow.dataset as dataset
from rdkit import Chem
from rdkit.Chem.EnumerateStereoisomers import EnumerateStereoisomers, StereoEnumerationOptions


def smiles_of(out):
    return dataset.dataset(out / "products", format="parquet").to_table(columns=["smiles"]).column(0).to_pylist()


def isomers_of(smiles):
    options = StereoEnumerationOptions(onlyUnassigned=True, unique=True)
    isomers = EnumerateStereoisomers(Chem.MolFromSmiles(smiles), options=options)
    return {Chem.CanonSmiles(Chem.MolToSmiles(isomer)) for isomer in isomers}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=1 << 20, metavar="N")
    parser.add_argument("flat", type=Path, metavar="FLAT")
    parser.add_argument("expanded", type=Path, metavar="EXPANDED")
    arguments = parser.parse_args()
    found, allowed, wrong = set(smiles_of(arguments.expanded)), set(), 0
    for smiles in smiles_of(arguments.flat):
        isomers = isomers_of(smiles)
        allowed |= isomers
        written = len(isomers & found)
        if written < min(len(isomers), arguments.most):
            print(f"  {smiles}: {written} of {len(isomers)} stereoisomers")
            wrong += 1
    for smiles in sorted(found - allowed):
        print(f"  {smiles}: no stereoisomer of a product")
        wrong += 1
    print(f"{len(found)} rows of {len(allowed)} stereoisomers: {'different' if wrong else 'equal'}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
