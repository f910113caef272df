"""Combines every molecule of one file with every molecule of another in a plain RDKit loop, on several processes.

The way a chemist would write it, without waste: reagents are parsed once per process, each product is sanitized and
written as canonical SMILES, and the distinct ones are counted in a set. Prints one line with the rate.

    python python_reactants.py ACIDS.smi AMINES.smi SMIRKS [--processes N]
"""
import argparse
import time
from concurrent.futures import ProcessPoolExecutor

from rdkit import Chem, RDLogger
from rdkit.Chem import rdChemReactions

_reaction = None
_reagents = None


def start(smirks, texts):
    global _reaction, _reagents
    RDLogger.DisableLog("rdApp.*")
    _reaction = rdChemReactions.ReactionFromSmarts(smirks)
    _reaction.Initialize()
    _reagents = [mol for mol in map(Chem.MolFromSmiles, texts) if mol is not None]


def products_of(text):
    parent = Chem.MolFromSmiles(text)
    made, distinct = 0, set()
    for reagent in _reagents if parent is not None else ():
        for outcome in _reaction.RunReactants((parent, reagent)):
            for product in outcome:
                made += 1
                try:
                    Chem.SanitizeMol(product)
                    distinct.add(Chem.MolToSmiles(product))
                except ValueError:
                    pass
    return made, distinct


def smiles(path):
    with open(path) as file:
        return [line.split()[0] for line in file if line.strip()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parents")
    parser.add_argument("reagents")
    parser.add_argument("smirks")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    made, distinct = 0, set()
    began = time.time()
    initargs = (args.smirks, smiles(args.reagents))
    with ProcessPoolExecutor(args.processes, initializer=start, initargs=initargs) as pool:
        for count, of_parent in pool.map(products_of, smiles(args.parents), chunksize=4):
            made += count
            distinct |= of_parent
    seconds = time.time() - began
    print(f"{made} products, {len(distinct)} distinct, {seconds:.1f} s, {made / seconds:.0f} products/s")


if __name__ == "__main__":
    main()
