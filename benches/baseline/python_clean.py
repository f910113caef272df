"""Cleans and deduplicates a library the usual way: processes clean with RDKit's MolStandardize, one keeps a set.

usage: python_clean.py LIBRARY.smi OUT.parquet [--processes N]

What `molsieve dedup --clean` is measured against; docs/cleaning.md names the calls. What can be made once is made once for
each process. Prints its own time, files included, without the interpreter's start.
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
from rdkit import Chem, RDLogger
from rdkit.Chem.MolStandardize import rdMolStandardize

CHUNK_ROWS = 500


def begin():
    global uncharger
    RDLogger.DisableLog("rdApp.*")
    uncharger = rdMolStandardize.Uncharger()


def cleaned(smiles):
    mol = Chem.MolFromSmiles(smiles)
    if mol is None:
        return None
    try:
        mol = rdMolStandardize.Cleanup(mol)
        mol = rdMolStandardize.FragmentParent(mol, skipStandardize=True)
        return Chem.MolToSmiles(uncharger.uncharge(mol))
    except Exception:
        return None


def clean_all(smiles):
    return [cleaned(one) for one in smiles]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library")
    parser.add_argument("out")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    began = time.monotonic()
    with open(arguments.library) as lines:
        smiles = [line.split()[0] for line in lines if line.strip()]
    chunks = [smiles[at : at + CHUNK_ROWS] for at in range(0, len(smiles), CHUNK_ROWS)]
    seen, rows, forms = set(), [], []
    with ProcessPoolExecutor(arguments.processes, initializer=begin) as pool:
        for row, form in enumerate(form for chunk in pool.map(clean_all, chunks) for form in chunk):
            if form is not None and form not in seen:
                seen.add(form)
                rows.append(row)
                forms.append(form)
    table = {"smiles": forms, "parent_row": rows, "input_smiles": [smiles[row] for row in rows]}
    pq.write_table(pa.table(table), arguments.out)
    print(f"{time.monotonic() - began:.1f} s, {len(rows):,} of {len(smiles):,} kept")


if __name__ == "__main__":
    main()
