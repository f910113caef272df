"""Compares what filters of molsieve leave with RDKit's answers in Python.

usage: filters.py [--workers N] UNFILTERED CASES.json

CASES.json: a list of {"filtered": DIR, "where": [CONDITION…], "alerts": [NAME…], "require_smarts": [SMARTS…],
"reject_smarts": [SMARTS…]}; what is not given is empty.

UNFILTERED and DIR are outputs of the same job without filters and with them. RDKit reads the SMILES of every product of the
first and decides the filters in molsieve's order: conditions, required SMARTS, rejected SMARTS, alerts. The rows that pass must be
those of the second, provenance included. If no product was made twice, the counts by filter must be equal too. A SMARTS that
is a file is one on each line with a name behind it, of which one must match, or none may.

Exit status: 0 equal, 1 differences, 2 usage.
"""

import argparse
import json
import operator
import os
import re
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import pyarrow.dataset as dataset
from properties import REFERENCE
from rdkit import Chem, RDLogger
from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams

COMPARISONS = {"<=": operator.le, ">=": operator.ge, "==": operator.eq, "!=": operator.ne, "<": operator.lt,
               ">": operator.gt}
CONDITION = re.compile(r"\s*(\w+)\s*(<=|>=|==|!=|<|>)\s*(\S+)\s*")
ROWS_PER_CHUNK = 2_000
SHOWN = 5
COLUMNS = ["smiles", "parent_row", "rule", "site"]


def patterns_of(source):
    """The SMARTS of a text, or of a file."""
    path = Path(source.removeprefix("@"))
    if not source.endswith((".smarts", ".txt")) and not source.startswith("@"):
        return [Chem.MolFromSmarts(source)]
    lines = [line.strip() for line in path.read_text().splitlines()]
    return [Chem.MolFromSmarts(line.split()[0]) for line in lines if line and not line.startswith("#")]


def catalogue_of(name):
    parameters = FilterCatalogParams()
    names = {known.lower(): value for known, value in FilterCatalogParams.FilterCatalogs.names.items()}
    parameters.AddCatalog(names[name])
    return FilterCatalog(parameters)


@cache
def filters_of(where, alerts, require, reject):
    """Each filter as a function: whether a molecule passes."""
    filters = []
    for text in where:
        name, comparison, number = CONDITION.fullmatch(text).groups()
        filters.append(lambda mol, n=name, c=COMPARISONS[comparison], v=float(number): c(REFERENCE[n](mol), v))
    for source in require:
        filters.append(lambda mol, p=patterns_of(source): any(mol.HasSubstructMatch(pattern) for pattern in p))
    for source in reject:
        filters.append(lambda mol, p=patterns_of(source): not any(mol.HasSubstructMatch(pattern) for pattern in p))
    for name in alerts:
        filters.append(lambda mol, c=catalogue_of(name): not c.HasMatch(mol))
    return filters


def first_failed(texts, given):
    """Per SMILES the number of the first filter that it fails, or None."""
    RDLogger.DisableLog("rdApp.*")
    filters, failed = filters_of(*given), []
    for text in texts:
        mol = Chem.MolFromSmiles(text)
        failed.append(next((number for number, passes in enumerate(filters) if not passes(mol)), None))
    return failed


def rows_of(out):
    table = dataset.dataset(out / "products", format="parquet")
    columns = [name for name in COLUMNS if name in table.schema.names]
    return list(zip(*(column.to_pylist() for column in table.to_table(columns=columns).columns)))


def compare(unfiltered, rows, case, pool):
    """Prints how a filtered output compares; returns the number of differences."""
    given = tuple(tuple(case.get(key, ())) for key in ("where", "alerts", "require_smarts", "reject_smarts"))
    filtered = Path(case["filtered"])
    chunks = [rows[begin : begin + ROWS_PER_CHUNK] for begin in range(0, len(rows), ROWS_PER_CHUNK)]
    texts = ([row[0] for row in chunk] for chunk in chunks)
    failed = [number for chunk in pool.map(first_failed, texts, [given] * len(chunks)) for number in chunk]
    expected = {row for row, number in zip(rows, failed) if number is None}
    found = set(rows_of(filtered))
    wrong = 0
    for what, difference in (("missing", expected - found), ("too many", found - expected)):
        wrong += len(difference)
        for row in sorted(difference)[:SHOWN]:
            print(f"  {what}: {row}")
    before, after = (json.loads((out / "manifest.json").read_text()) for out in (unfiltered, filtered))
    left_out = [filter["left_out"] for filter in after.get("by_filter", [])]
    counted = Counter(number for number in failed if number is not None)
    by_filter = [counted[number] for number in range(len(left_out))]
    made = [manifest["counts"]["products_made"] for manifest in (before, after)]
    once = before["counts"]["products_duplicate"] == 0
    faults = [
        (made[0] != made[1], f"made {made[0]} without filters and {made[1]} with them"),
        (sum(left_out) != after["counts"]["products_filtered"], f"the filters left out {left_out}"),
        (once and left_out != by_filter, f"left out {left_out}, expected {by_filter}"),
        (any(n < least for n, least in zip(left_out, by_filter)), f"left out {left_out}, at least {by_filter}"),
    ]
    for is_fault, text in faults:
        if is_fault:
            print(f"  counts: {text}")
            wrong += 1
    verdict = "different" if wrong else "equal"
    print(f"{given}: {len(rows):,} rows, {len(expected):,} pass, left out {left_out}: {verdict}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
    parser.add_argument("unfiltered", type=Path, metavar="UNFILTERED")
    parser.add_argument("cases", type=Path, metavar="CASES.json")
    arguments = parser.parse_args()
    rows, cases = rows_of(arguments.unfiltered), json.loads(arguments.cases.read_text())
    with ProcessPoolExecutor(arguments.workers) as pool:
        wrong = [compare(arguments.unfiltered, rows, case, pool) for case in cases]
    sys.exit(1 if sum(wrong) else 0)


if __name__ == "__main__":
    main()
