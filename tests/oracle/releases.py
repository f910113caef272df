"""Shows what two releases of RDKit make of the same molecules, grouped by kind, with the smallest inputs.

usage: releases.py ONE_PYTHON OTHER_PYTHON LIBRARY... [--limit N] [--show N]

Each Python has a release of RDKit. LIBRARY: lines of SMILES (first field; a header of a .csv is passed over, and its
column `smiles` read), or the same with .gz.

For each molecule: whether it is read, its canonical SMILES, whether that is what RDKit writes again for it, and the
properties that molsieve has columns for. With --describe (how the two Pythons are called) reads SMILES and prints all of
this, a JSON line each.
"""

import argparse
import csv
import gzip
import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path


def describe(smiles, chem, described):
    """What the release at hand makes of a SMILES."""
    try:
        mol = chem.MolFromSmiles(smiles)
    except Exception:  # RDKit raises for some inputs that it cannot read
        mol = None
    if mol is None:
        return {"smiles": None}
    written = chem.MolToSmiles(mol)
    again = chem.MolFromSmiles(written)
    return {
        "smiles": written,
        "stable": again is not None and chem.MolToSmiles(again) == written,
        "aromatic": sorted(atom.GetIdx() for atom in mol.GetAtoms() if atom.GetIsAromatic()),
        "properties": {name: round(value, 6) for name, value in described(mol).items()},
    }


def describe_all():
    from rdkit import Chem, RDLogger, rdBase
    from properties import described

    RDLogger.DisableLog("rdApp.*")
    print(json.dumps(rdBase.rdkitVersion))
    for line in sys.stdin:
        print(json.dumps(describe(line.strip(), Chem, described)))


def read_library(path, limit):
    opened = gzip.open(path, "rt") if path.endswith(".gz") else open(path)
    with opened as lines:
        if ".csv" in path:
            found = [row["smiles"] for row in csv.DictReader(lines)]
        else:
            found = [line.split()[0] for line in lines if line.strip()]
    return found[:limit]


def without(pattern, text):
    return re.sub(pattern, "", text)


def kinds(one, other):
    """The kinds in which two descriptions differ, each with what is in its place in both."""
    a, b = one["smiles"], other["smiles"]
    if (a is None) != (b is None):
        yield f"read by {'the other' if a is None else 'the first'} only", a, b
    if a is None or b is None:
        return
    if a != b:
        if without(r"[/\\]", a) == without(r"[/\\]", b):
            yield "canonical SMILES: marks of double bonds", a, b
        elif without(r"@", a) == without(r"@", b):
            yield "canonical SMILES: marks of centres", a, b
        elif one["aromatic"] != other["aromatic"]:
            yield "canonical SMILES: aromaticity", a, b
        elif sorted(without(r"[/\\@]", a)) == sorted(without(r"[/\\@]", b)):
            yield "canonical SMILES: order of atoms", a, b
        else:
            yield "canonical SMILES: atoms, charges or hydrogens", a, b
    if one["stable"] != other["stable"]:
        yield f"read again, RDKit writes the same only in {'the first' if one['stable'] else 'the other'}", a, b
    for name, value in one["properties"].items():
        if abs(value - other["properties"][name]) > 1e-4:
            yield f"property {name}", value, other["properties"][name]


def outcomes(python, smiles):
    """The release that a Python has, and its descriptions."""
    command = [python, __file__, "--describe"]
    done = subprocess.run(command, input="\n".join(smiles), capture_output=True, text=True, check=True)
    release, *described = map(json.loads, done.stdout.splitlines())
    assert len(described) == len(smiles), f"{python} described {len(described)} of {len(smiles)}"
    return release, described


def main():
    if sys.argv[1:] == ["--describe"]:
        return describe_all()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("one")
    parser.add_argument("other")
    parser.add_argument("libraries", nargs="+")
    parser.add_argument("--limit", type=int, default=20_000, help="molecules of each library (20000)")
    parser.add_argument("--show", type=int, default=3, help="inputs to show of each kind (3)")
    args = parser.parse_args()
    for library in args.libraries:
        smiles = read_library(library, args.limit)
        (release, ones), (release_other, others) = (outcomes(python, smiles) for python in (args.one, args.other))
        found = defaultdict(list)
        for text, one, other in zip(smiles, ones, others):
            for kind, a, b in kinds(one, other):
                found[kind].append((len(text), text, a, b))
        print(f"{Path(library).name}: {len(smiles):,} molecules; the first is {release}, the other {release_other}")
        for kind, cases in sorted(found.items(), key=lambda item: -len(item[1])):
            print(f"  {kind}: {len(cases):,}")
            for _, text, a, b in sorted(cases, key=lambda case: case[:2])[: args.show]:
                print(f"    {text}\n      {a}\n      {b}")
        if not found:
            print("  no differences")


if __name__ == "__main__":
    main()
