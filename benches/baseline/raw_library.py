"""Makes a library as vendors send them: molecules of several libraries in random order, many of them again.

usage: raw_library.py OUT.smi LIBRARY.smi... [--rows N] [--again SHARE] [--seed N]

Of N lines (1,000,000), a share (one third) are other writings, at random by RDKit, of molecules that other lines
have as they stand. Lines of the libraries are drawn in proportion to their length, but from each at most all. The
same arguments give the same file. Uses two processes.
"""

import argparse
import random
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rdkit import Chem, RDLogger

PROCESSES, CHUNK_MOLECULES = 2, 2_000


def rewritten(job):
    RDLogger.DisableLog("rdApp.*")
    seed, texts = job
    pick = random.Random(seed)
    out = []
    for text in texts:
        mol = Chem.MolFromSmiles(text)
        if mol is not None:
            order = list(range(mol.GetNumAtoms()))
            pick.shuffle(order)
            out.append(Chem.MolToSmiles(Chem.RenumberAtoms(mol, order), canonical=False))
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("libraries", nargs="+", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--again", type=float, default=1 / 3)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    pick = random.Random(arguments.seed)
    lines = [line.split()[0] for path in arguments.libraries for line in path.read_text().splitlines() if line.strip()]
    once = pick.sample(lines, min(len(lines), round(arguments.rows * (1 - arguments.again))))
    again = pick.choices(once, k=arguments.rows - len(once))
    chunks = [(pick.random(), again[at : at + CHUNK_MOLECULES]) for at in range(0, len(again), CHUNK_MOLECULES)]
    with ProcessPoolExecutor(PROCESSES) as pool:
        rows = once + [text for chunk in pool.map(rewritten, chunks) for text in chunk]
    pick.shuffle(rows)
    arguments.out.write_text("".join(f"{text} {row}\n" for row, text in enumerate(rows)))
    print(f"{len(rows):,} rows, {len(again):,} of them again")


if __name__ == "__main__":
    main()
