"""Deduplicates a library the usual way: processes canonicalise SMILES with RDKit, one keeps a set. First wins.

usage: python_dedup.py LIBRARY.smi OUT.parquet [--processes N]

What `molsieve dedup` is measured against. Prints its own time, files included, without the interpreter's start.
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
from rdkit import Chem, RDLogger

CHUNK_ROWS = 2_000


def canonical(smiles):
    RDLogger.DisableLog("rdApp.*")
    mols = (Chem.MolFromSmiles(one) for one in smiles)
    return [Chem.MolToSmiles(mol) if mol else None for mol in mols]


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
    seen, rows = set(), []
    with ProcessPoolExecutor(arguments.processes) as pool:
        forms = (form for chunk in pool.map(canonical, chunks) for form in chunk)
        for row, form in enumerate(forms):
            if form is not None and form not in seen:
                seen.add(form)
                rows.append(row)
    pq.write_table(pa.table({"smiles": [smiles[row] for row in rows], "parent_row": rows}), arguments.out)
    print(f"{time.monotonic() - began:.1f} s, {len(rows):,} of {len(smiles):,} kept")


if __name__ == "__main__":
    main()
