"""Compares the outputs of two runs of molsieve: every row with its provenance, the rejects, the counts.

usage: equal.py ONE OTHER        two output directories
       equal.py --rewrite IN.smi OUT.smi SEED
       equal.py --unstable IN.smi WRITINGS SEED

The second form writes every molecule anew in random order, the ids kept. The third lists molecules whose
canonical SMILES RDKit itself writes in more than one way, depending on how they are given.
"""

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rdkit import Chem, RDLogger

SHOWN = 10


def rows(folder, pattern):
    tables = [pq.read_table(path) for path in sorted(Path(folder).glob(pattern))]
    if not tables:
        return []
    columns = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in pa.concat_tables(tables, promote_options="permissive").columns
    ]
    return list(zip(*(column.to_pylist() for column in columns)))


def compare(one, other):
    differences = 0
    for pattern in ("products/part-*.parquet", "rejects.parquet"):
        ours, theirs = rows(one, pattern), rows(other, pattern)
        if ours == theirs:
            print(f"{pattern:23} {len(ours):12,} rows, the same")
            continue
        for sign, some, rest in (("<", ours, set(theirs)), (">", theirs, set(ours))):
            only = [row for row in some if row not in rest]
            differences += len(only)
            print(f"{sign} {len(only):,} rows of {pattern}", *only[:SHOWN], sep="\n  ")
        differences = differences or 1  # the order may be all
    manifests = [json.loads((Path(f) / "manifest.json").read_text()) for f in (one, other)]
    for name, count in manifests[0]["counts"].items():
        if count != manifests[1]["counts"][name]:
            differences += 1
            print(f"{name}: {count:,} and {manifests[1]['counts'][name]:,}")
    made = manifests[0]["counts"]["products_made"]
    seconds = [sum(m["chemistry_seconds"].values()) for m in manifests]
    graphs = manifests[0]["chemistry_products"]
    print(f"products made    {made:12,}, {graphs['on_graphs'] / max(made, 1):.1%} of them on graphs")
    print(f"chemistry        {seconds[0]:8.1f} and {seconds[1]:.1f} s, ratio {seconds[1] / seconds[0]:.2f}")
    return differences


def molecules(path):
    for line in open(path):
        text, _, name = line.strip().partition(" ")
        yield text, name, Chem.MolFromSmiles(text)


def rewrite(source, target, seed):
    Chem.rdBase.SeedRandomNumberGenerator(seed)
    with open(target, "w") as out:
        for text, name, mol in molecules(source):
            out.write(f"{Chem.MolToSmiles(mol, doRandom=True) if mol else text} {name}\n")


def list_unstable(source, writings, seed):
    Chem.rdBase.SeedRandomNumberGenerator(seed)
    seen = unstable = 0
    for text, name, mol in molecules(source):
        if mol is None:
            continue
        seen += 1
        forms = {Chem.MolToSmiles(mol)}
        for _ in range(writings):
            again = Chem.MolFromSmiles(Chem.MolToSmiles(mol, doRandom=True))
            forms.add(Chem.MolToSmiles(again) if again else "(does not parse)")
        if len(forms) > 1:
            unstable += 1
            print(f"| {name} | `{text}` | {'; '.join(f'`{form}`' for form in sorted(forms))} |")
    print(f"\n{unstable:,} of {seen:,} molecules, {writings} random writings each.")


def main():
    RDLogger.DisableLog("rdApp.*")
    match sys.argv[1:]:
        case ["--rewrite", source, target, seed]:
            rewrite(source, target, int(seed))
        case ["--unstable", source, writings, seed]:
            list_unstable(source, int(writings), int(seed))
        case [one, other]:
            sys.exit(1 if compare(one, other) else 0)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
