"""The plain loop over several steps, breadth first, held against the output of `molsieve run --steps`.

Step 0 is the library. The parents of step s are the molecules that step s-1 made, in their order, each read from its
SMILES. A product that an earlier step or an earlier parent has made, or with --new-only the library holds, is left out.
Every row is compared: SMILES, key of the parent, step, root, parent, rule, site; and where settling has brought no row
back, which then stands behind the others of its step, so is the order. With --ways N, all shortest
ways to N products of the last step are compared with what `molsieve route --all` prints.

Exit status: 0 equal, 1 differences, 2 usage or unusable input.
"""
import argparse
import itertools
import json
import os
import random
import subprocess
import sys
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import mmh3
import pyarrow.parquet as pq

import plain_loop
from plain_loop import Chem, Chunk, Unusable, placed

PARENTS_PER_CHUNK = 50
LISTED_MAX = 10


def main():
    args = parse_arguments()
    steps = [[path] for path in args.step] or [args.rules] * args.steps
    steps = [plain_loop.read_rules(paths) for paths in steps]
    rows, ways, counts = run(args, steps)
    differences = compare(args.compare, rows, counts)
    if args.ways:
        differences += compare_ways(args, rows, ways)
    print("equal" if differences == 0 else f"DIFFERENT: {differences} differences")
    sys.exit(1 if differences else 0)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", action="append", required=True, type=Path, metavar="FILE")
    parser.add_argument("--rules", action="append", default=[], type=Path, metavar="FILE")
    parser.add_argument("--steps", type=int, default=1, metavar="K")
    parser.add_argument("--step", action="append", default=[], type=Path, metavar="FILE",
                        help="rule file of the next step, in place of --rules and --steps")
    parser.add_argument("--new-only", action="store_true")
    parser.add_argument("--max-products-per-step", type=int, metavar="N", help="keep those with the least keys")
    parser.add_argument("--ways", type=int, default=0, metavar="N")
    parser.add_argument("--molsieve", metavar="PROGRAM", help="for --ways")
    parser.add_argument("--compare", required=True, type=Path, metavar="DIR")
    parser.set_defaults(smiles_column=None, smiles_bytes_max=None)
    return parser.parse_args()


def start_worker(specs):
    plain_loop.start_worker(specs, None)


def work(texts):
    """Of each parent: None if it can't be read, else its canonical SMILES and its products with their places."""
    made = []
    for row, text in enumerate(texts):
        parent = plain_loop.parsed(text)
        if parent is None:
            made.append(None)
            continue
        chunk = Chunk([], Counter(), [], [])
        plain_loop.products_of(parent, row, plain_loop._rules, chunk)
        if chunk.failed:
            raise Unusable(f"RunReactants raised: {chunk.failed[0]}")
        made.append((Chem.MolToSmiles(parent), chunk.products, chunk.counts))
    return made


def made_by(specs, texts):
    workers = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(workers, initializer=start_worker, initargs=(specs,)) as pool:
        starts = range(0, len(texts), PARENTS_PER_CHUNK)
        for made in pool.map(work, (texts[at:at + PARENTS_PER_CHUNK] for at in starts)):
            yield from made


def run(args, steps):
    """The rows of all steps, all ways to each product from the step before, and the counts of each step."""
    library = list(plain_loop.parent_texts(args))
    parents = [(text, row) for row, text in enumerate(library)]
    seen = set()
    if args.new_only:
        seen.update(made[0] for made in made_by([], library) if made)
    rows, ways, counts = [], defaultdict(list), []
    for step, specs in enumerate(steps, 1):
        of_step, counted, new = [], Counter(), set()
        for row, made in enumerate(made_by(specs, [text for text, _ in parents])):
            text, root = parents[row]
            counted["parents_read"] += 1
            if made is None:
                counted["parents_rejected"] += 1
                continue
            canonical, products, of_parent = made
            counted.update(of_parent)
            for smiles, where in products:
                _, rule, site = placed(where)
                ways[step, smiles].append((row, text))
                if smiles in seen or smiles in new:
                    counted["products_duplicate"] += 1
                    continue
                new.add(smiles)
                key = mmh3.hash_bytes(canonical, 0, x64arch=True)
                of_step.append((smiles, step, root, row, text, key, specs[rule][0], site))
        if args.max_products_per_step and len(of_step) > args.max_products_per_step:
            kept = set(sorted(new, key=hashed)[:args.max_products_per_step])
            counted["products_capped"] = len(of_step) - len(kept)
            of_step = [row for row in of_step if row[0] in kept]
        seen.update(row[0] for row in of_step)
        counted["products_unique"] = len(of_step)
        counts.append(counted)
        rows.extend(of_step)
        parents = [(row[0], row[2]) for row in of_step]
    return rows, ways, counts


def hashed(smiles):
    """The words of a key, as numbers."""
    return mmh3.hash64(smiles, 0, x64arch=True, signed=False)


COLUMNS = ("smiles", "step", "root_row", "parent_row", "parent_smiles", "parent_key", "rule", "site")


def compare(directory, rows, counts):
    table = pq.read_table(directory / "products").to_pydict()
    made = list(zip(*(table[name] for name in COLUMNS)))
    manifest = json.loads((directory / "manifest.json").read_text())
    differences = misnamed_parents(table)
    if manifest["filter"]["products_settled"]:
        without_parent_row = [row[:3] + row[4:] for row in made]
        made, rows = sorted(without_parent_row), sorted(row[:3] + row[4:] for row in rows)
    for number, (expected, found) in enumerate(itertools.zip_longest(rows, made)):
        if expected != found:
            differences += 1
            if differences <= LISTED_MAX:
                print(f"row {number}: expected {expected}, found {found}")
    for number, (root, root_id) in enumerate(zip(table["root_row"], table["root_id"])):
        if table["step"][number] == 1 and table["parent_id"][number] != root_id:
            differences += 1
            print(f"row {number}: the root's id is {root_id} and the parent's {table['parent_id'][number]}")
    ids = dict(zip(table["root_row"], table["root_id"]))
    for root, root_id in zip(table["root_row"], table["root_id"]):
        differences += ids[root] != root_id
    for counted, step in itertools.zip_longest(counts, manifest.get("steps", [])):
        for name, expected in (counted or {}).items():
            found = step and step["counts"][name]
            if found != expected:
                differences += 1
                print(f"step {step and step['step']}: {name} is {found}, expected {expected}")
    print(f"{len(rows)} rows")
    return differences


def misnamed_parents(table):
    """Rows whose parent_row is not the row of their parent in the step before."""
    by_step = defaultdict(list)
    for smiles, step in zip(table["smiles"], table["step"]):
        by_step[step].append(smiles)
    parents = zip(table["step"], table["parent_row"], table["parent_smiles"])
    wrong = [row for row in parents if row[0] > 1 and by_step[row[0] - 1][row[1]] != row[2]]
    for row in wrong[:LISTED_MAX]:
        print(f"step, parent_row, parent_smiles: {row} is not a row of the step before")
    return len(wrong)


def compare_ways(args, rows, ways):
    last = rows[-1][1]
    products = sorted(row[0] for row in rows if row[1] == last)
    differences = 0
    for smiles in random.Random(5).sample(products, min(args.ways, len(products))):
        expected = {tuple(way) for way in all_ways(rows, ways, last, smiles)}
        command = [args.molsieve, "route", str(args.compare), smiles, "--all", "--json"]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found = Counter()
        for line in printed.splitlines():
            route = json.loads(line)
            found[route["root"]["row"], *(step["smiles"] for step in route["steps"])] += 1
        if set(found) != expected or max(found.values()) > 1:
            differences += 1
            print(f"{smiles}: {len(expected)} ways expected, {sum(found.values())} found")
    return differences


def all_ways(rows, ways, step, smiles):
    """The row in the library, then the molecules on the way, of each way."""
    for parent_row, text in ways[step, smiles]:
        if step == 1:
            yield (parent_row, smiles)
        else:
            for way in all_ways(rows, ways, step - 1, text):
                yield (*way, smiles)


if __name__ == "__main__":
    try:
        main()
    except Unusable as error:
        sys.exit(plain_loop.usage_error(error))
