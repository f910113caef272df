"""Compares a run with --smiles direct with the same run with --key structure: every row with its provenance, after RDKit
has made the SMILES of both canonical; every row's key; the rejects; the counts.

usage: direct.py CANONICAL DIRECT        two output directories

RDKit's canonical SMILES of a few molecules changes when RDKit reads it again, so those of both runs are read once.
"""

import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
from rdkit import Chem, RDLogger

SHOWN = 10
ROWS_AT_A_TIME = 20_000


def canonical(texts):
    RDLogger.DisableLog("rdApp.*")
    mols = [Chem.MolFromSmiles(text) for text in texts]
    return [Chem.MolToSmiles(mol) if mol else None for mol in mols]


def batches(folder):
    """The rows of all parts, some at a time: the SMILES, and the other columns as tuples."""
    for path in sorted(Path(folder).glob("products/part-*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(ROWS_AT_A_TIME):
            names = [name for name in batch.schema.names if name != "smiles"]
            yield batch["smiles"].to_pylist(), list(zip(*(batch[name].to_pylist() for name in names)))


def read_rejects(folder):
    path = Path(folder) / "rejects.parquet"
    return pq.read_table(path).to_pylist() if path.exists() else []


def flat(folder):
    for texts, rest in batches(folder):
        yield from zip(texts, rest)


def pieces(rows, size):
    piece = []
    for row in rows:
        piece.append(row)
        if len(piece) == size:
            yield piece
            piece = []
    if piece:
        yield piece


def compare_piece(piece):
    """Of pairs of rows: those that differ, and how many texts differ between the runs."""
    ours, theirs = [pair[0] for pair in piece], [pair[1] for pair in piece]
    read = [canonical([text for text, _ in rows]) for rows in (ours, theirs)]
    differ = [
        (one, other)
        for one, other, mine, yours in zip(ours, theirs, *read)
        if mine is None or mine != yours or one[1] != other[1]
    ]
    return differ, sum(one[0] != other[0] for one, other in piece)


def compare(one, other):
    pairs = zip(flat(one), flat(other), strict=True)
    rows = written_otherwise = differences = 0
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        waiting = []
        for piece in pieces(pairs, ROWS_AT_A_TIME):
            rows += len(piece)
            waiting.append(pool.submit(compare_piece, piece))
            if len(waiting) > 2 * os.cpu_count():
                differ, otherwise = waiting.pop(0).result()
                differences, written_otherwise = note(differ, differences), written_otherwise + otherwise
        for piece in waiting:
            differ, otherwise = piece.result()
            differences, written_otherwise = note(differ, differences), written_otherwise + otherwise
    manifests = [json.loads((Path(folder) / "manifest.json").read_text()) for folder in (one, other)]
    for name, count in manifests[0]["counts"].items():
        if count != manifests[1]["counts"][name]:
            differences += 1
            print(f"{name}: {count:,} and {manifests[1]['counts'][name]:,}")
    rejects = [read_rejects(folder) for folder in (one, other)]
    if rejects[0] != rejects[1]:
        differences += 1
        print(f"rejects: {len(rejects[0])} and {len(rejects[1])}", *(r[:SHOWN] for r in rejects), sep="\n")
    by_rule = [[{k: v for k, v in rule.items() if k != "seconds"} for rule in m["by_rule"]] for m in manifests]
    if by_rule[0] != by_rule[1]:
        differences += 1
        print("the counts by rule differ")
    print(f"{rows:,} rows, {written_otherwise:,} of them written otherwise; {differences:,} differences")
    seconds = [sum(m["chemistry_seconds"].values()) for m in manifests]
    print(f"chemistry {seconds[0]:.1f} and {seconds[1]:.1f} s, ratio {seconds[0] / seconds[1]:.2f}")
    return differences


def note(differ, before):
    for pair in differ[: max(0, SHOWN - before)]:
        print("<", *pair[0], "\n>", *pair[1])
    return before + len(differ)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(1 if compare(*sys.argv[1:]) else 0)


if __name__ == "__main__":
    main()
