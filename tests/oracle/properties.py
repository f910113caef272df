"""Compares the property columns of molsieve with RDKit's functions in Python over libraries.

usage: properties.py --molsieve FILE [--workers N] [--rows N] [--skip N] LIBRARY…

Each library is a SMILES file (SMILES, then perhaps an id), which may be compressed with gzip. A job without rules
(`molsieve run --properties`) cleans it; then RDKit reads the SMILES of each row as the job did and computes every
property. Counts must be equal, reals may differ by 1e-9. Prints the molecules, the differences for each property and
the share of rows for which molsieve asked RDKit.

--rows N takes the first N lines of each library, --skip N leaves out as many before.

Exit status: 0 no difference, 1 differences, 2 usage or unusable input.
"""

import argparse
import gzip
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rdkit import Chem, RDLogger
from rdkit.Chem import rdMolDescriptors as descriptors

REALS_DIFFER_MAX = 1e-9
ROWS_PER_CHUNK = 5_000
SHOWN = 5  # differences of a property that are printed
# In the order of the columns.
REFERENCE = {
    "mw": descriptors._CalcMolWt,
    "clogp": lambda mol: descriptors.CalcCrippenDescriptors(mol)[0],
    "tpsa": descriptors.CalcTPSA,
    "hbd": descriptors.CalcNumHBD,
    "hba": descriptors.CalcNumHBA,
    "rotatable_bonds": descriptors.CalcNumRotatableBonds,
    "exact_mass": descriptors.CalcExactMolWt,
    "heavy_atoms": descriptors.CalcNumHeavyAtoms,
    "rings": descriptors.CalcNumRings,
    "aromatic_rings": descriptors.CalcNumAromaticRings,
    "fraction_csp3": descriptors.CalcFractionCSP3,
    "charge": Chem.GetFormalCharge,
    "stereo_centres": descriptors.CalcNumAtomStereoCenters,
}


def described(mol):
    """Every property of a molecule, by name."""
    return {name: value_of(mol) for name, value_of in REFERENCE.items()}


def differences(found, expected):
    """The names of the properties whose values differ."""
    return [name for name, value in expected.items() if not abs(found[name] - value) <= REALS_DIFFER_MAX]


def compare_chunk(texts, rows):
    """(name, SMILES, found, expected) of every difference, and how many rows RDKit read."""
    RDLogger.DisableLog("rdApp.*")
    found, read = [], 0
    for text, row in zip(texts, rows):
        mol = Chem.MolFromSmiles(text)
        if mol is None:
            found.append(("unreadable", text, "a row", "none"))
            continue
        read += 1
        expected = described(mol)
        found += [(name, text, row[name], expected[name]) for name in differences(row, expected)]
    return found, read


def chunks_of(out):
    """The texts as read and the properties of the rows, some at a time."""
    import pyarrow.parquet as pq  # releases.py uses this file with other Pythons, which may lack it

    for part in sorted(out.glob("products/part-*.parquet")):
        columns = ["parent_smiles", *REFERENCE]
        for batch in pq.ParquetFile(part).iter_batches(batch_size=ROWS_PER_CHUNK, columns=columns):
            yield batch.column("parent_smiles").to_pylist(), batch.select(list(REFERENCE)).to_pylist()


def compare(arguments, library, pool):
    """Runs the job over a library and compares its rows. Returns the number of differences."""
    with tempfile.TemporaryDirectory(prefix="molsieve-properties-") as folder:
        given, out = Path(folder, "library.smi"), Path(folder, "out")
        with open(library, "rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
        with gzip.open(library, "rb") if zipped else open(library, "rb") as file, open(given, "wb") as target:
            end = arguments.rows and arguments.skip + arguments.rows
            target.writelines(itertools.islice(file, arguments.skip, end))
        command = [arguments.molsieve, "run", "--input", given, "--output", out, "--properties"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 4):
            print(f"properties: molsieve ended with {done.returncode}: {done.stderr.strip()}", file=sys.stderr)
            sys.exit(2)
        manifest = json.loads((out / "manifest.json").read_text())
        by_rdkit = manifest["chemistry_products"]["described_by_rdkit"]
        counts, molecules = Counter(), 0
        texts, rows = zip(*chunks_of(out))
        for found, read in pool.map(compare_chunk, texts, rows):
            molecules += read
            for name, *difference in found:
                counts[name] += 1
                if counts[name] <= SHOWN:
                    print(f"  {name}: {difference}")
    differing = ", ".join(f"{name} {number:,}" for name, number in counts.items()) or "none"
    print(f"{library.name}: {molecules:,} molecules, {by_rdkit / max(molecules, 1):.2%} by RDKit; differences: {differing}")
    return counts.total()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--molsieve", required=True, type=Path, metavar="FILE", help="the program")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
    parser.add_argument("--rows", type=int, metavar="N", help="of each library (default: all)")
    parser.add_argument("--skip", type=int, default=0, metavar="N", help="lines before them")
    parser.add_argument("library", type=Path, nargs="+", metavar="LIBRARY")
    arguments = parser.parse_args()
    if not os.access(arguments.molsieve, os.X_OK):
        print(f"properties: no such program: {arguments.molsieve}", file=sys.stderr)
        sys.exit(2)
    with ProcessPoolExecutor(arguments.workers) as pool:
        found = [compare(arguments, library, pool) for library in arguments.library]
    sys.exit(1 if sum(found) else 0)


if __name__ == "__main__":
    main()
