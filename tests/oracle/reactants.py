"""The plain loop over rules of several reactants, held against the output of `molsieve run`.

For each parent, each rule, each reactant that the parent can be and each combination with reagents (in the order of
their files, the last set changing first), RDKit's RunReactants gives the outcomes. A product that equals its parent, or
that the same combination has given before, is left out; of equal products the first is kept. Every row is compared:
SMILES, parent, rule, site (the number of the outcome), ids and SMILES of the reagents. With --sampled the rows must be
rows of the plain loop's products, in its order.

Exit status: 0 equal, 1 differences, 2 usage or unusable input.
"""
import argparse
import itertools
import json
import os
import sys
import tomllib
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq

import plain_loop
from plain_loop import Chem, Unusable, finished

from rdkit.Chem import rdChemReactions

OUTCOMES_MAX = 1_000_000
PARENTS_PER_CHUNK = 5
LISTED_MAX = 10
_rules = None


class Rule:
    """A rule and the molecules of its sets."""

    def __init__(self, table, folder, named):
        self.name = table["name"]
        self.reaction = rdChemReactions.ReactionFromSmarts(table["smirks"])
        self.reaction.Initialize()
        self.exclude = [Chem.MolFromSmarts(smarts) for smarts in table.get("exclude", [])]
        self.require = Chem.MolFromSmarts(table["require"]) if "require" in table else None
        self.add_hydrogens = table.get("add_hydrogens", False)
        reactants = self.reaction.GetNumReactantTemplates()
        parent = table.get("parent", 1)
        self.places = range(reactants) if parent == "any" else [parent - 1]
        self.sets = {}
        for number, name in table.get("reagents", {}).items():
            path = named.get(name, folder / name)
            self.sets[int(number) - 1] = [self.ready(*reagent) for reagent in read_set(path)]
        self.reactants = reactants

    def ready(self, smiles, name):
        return smiles, name, self.with_hydrogens(Chem.MolFromSmiles(smiles))

    def with_hydrogens(self, mol):
        mol = Chem.AddHs(mol) if self.add_hydrogens else mol
        for query in self.exclude:
            for match in mol.GetSubstructMatches(query, maxMatches=OUTCOMES_MAX):
                for index in match:
                    mol.GetAtomWithIdx(index).SetProp("_protected", "1")
        return mol


def read_set(path):
    """SMILES and id of the rows that RDKit can read; the id is the word behind the SMILES and its extension."""
    with path.open("rb") as file:
        for number, line in enumerate(file):
            text = next(plain_loop.smiles_lines([line]), "")
            behind = line.decode("utf-8").strip()[len(text):].split()
            if Chem.MolFromSmiles(text) is not None:
                yield text, behind[0] if behind else str(number)


def start_worker(paths, named):
    global _rules
    plain_loop.RDLogger.DisableLog("rdApp.*")
    _rules = []
    for path in paths:
        for table in tomllib.loads(path.read_text(encoding="utf-8"))["rule"]:
            _rules.append(Rule(table, path.parent, named))


def work(texts):
    return [products_of(text) for text in texts]


def products_of(text):
    """The products of a parent: SMILES, rule, site, ids and SMILES of the reagents; and counts. None: it can't be read."""
    parent = plain_loop.parsed(text)
    if parent is None:
        return None
    canonical = Chem.MolToSmiles(parent)
    given, products, counts = set(), [], Counter()
    for rule in _rules:
        if rule.require is not None and not parent.HasSubstructMatch(rule.require):
            continue
        mol = rule.with_hydrogens(Chem.Mol(parent))
        for place in rule.places:
            sets = [rule.sets[i] for i in range(rule.reactants) if i != place]
            for reagents in itertools.product(*sets):
                mols = [mol for _, _, mol in reagents]
                mols.insert(place, mol)
                seen = set() if reagents else given
                outcomes = rule.reaction.RunReactants(tuple(mols), maxProducts=OUTCOMES_MAX)
                for site, outcome in enumerate(outcomes):
                    for product in outcome:
                        counts["products_made"] += 1
                        smiles = finished(product, rule.add_hydrogens)
                        if smiles is None:
                            counts["products_invalid"] += 1
                        elif smiles == canonical:
                            counts["products_unchanged"] += 1
                        elif smiles in seen:
                            counts["products_symmetric"] += 1
                        else:
                            seen.add(smiles)
                            ids = tuple(name for _, name, _ in reagents)
                            texts = tuple(smiles for smiles, _, _ in reagents)
                            products.append((smiles, rule.name, site, ids, texts))
    return products, counts


def main():
    args = parse_arguments()
    named = dict(argument.split("=", 1) for argument in args.reagents)
    named = {name: Path(path) for name, path in named.items()}
    texts = list(plain_loop.parent_texts(args))
    rows, counts = [], Counter(parents_read=len(texts))
    seen = set()
    workers = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(workers, initializer=start_worker, initargs=(args.rules, named)) as pool:
        starts = range(0, len(texts), PARENTS_PER_CHUNK)
        made = itertools.chain.from_iterable(pool.map(work, (texts[at:at + PARENTS_PER_CHUNK] for at in starts)))
        for row, (text, of_parent) in enumerate(zip(texts, made)):
            if of_parent is None:
                counts["parents_rejected"] += 1
                continue
            products, counted = of_parent
            counts.update(counted)
            for product in products:
                if product[0] in seen and not args.sampled:
                    counts["products_duplicate"] += 1
                else:
                    seen.add(product[0])
                    rows.append((product[0], row, text, *product[1:]))
    differences = compare_sample(args, rows) if args.sampled else compare(args.compare, rows, counts)
    print("equal" if differences == 0 else f"DIFFERENT: {differences} differences")
    sys.exit(1 if differences else 0)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", action="append", required=True, type=Path, metavar="FILE")
    parser.add_argument("--rules", action="append", required=True, type=Path, metavar="FILE")
    parser.add_argument("--reagents", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--sampled", action="store_true")
    parser.add_argument("--compare", required=True, type=Path, metavar="DIR")
    parser.set_defaults(smiles_column=None, smiles_bytes_max=None)
    return parser.parse_args()


COLUMNS = ("smiles", "parent_row", "parent_smiles", "rule", "site", "reagent_ids", "reagent_smiles")


def rows_of(directory):
    table = pq.read_table(directory / "products").to_pydict()
    table["reagent_ids"] = list(map(tuple, table["reagent_ids"]))
    table["reagent_smiles"] = list(map(tuple, table["reagent_smiles"]))
    return list(zip(*(table[name] for name in COLUMNS)))


def compare(directory, rows, counts):
    made = rows_of(directory)
    manifest = json.loads((directory / "manifest.json").read_text())
    differences = 0
    if manifest["filter"]["products_settled"]:
        made.sort()
        rows.sort()
    for number, (expected, found) in enumerate(itertools.zip_longest(rows, made)):
        if expected != found:
            differences += 1
            if differences <= LISTED_MAX:
                print(f"row {number}: expected {expected}, found {found}")
    for name, expected in counts.items():
        found = manifest["counts"][name]
        if found != expected:
            differences += 1
            print(f"{name} is {found}, expected {expected}")
    print(f"{len(rows)} rows, {manifest['chemistry_products']['on_graphs']} products on graphs")
    return differences


def compare_sample(args, rows):
    """Whether each row is a row of all combinations, in their order, and their products are distinct."""
    made = rows_of(args.compare)
    places = {row: number for number, row in enumerate(rows)}
    numbers = [places.get(row) for row in made]
    differences = sum(number is None for number in numbers)
    numbers = [number for number in numbers if number is not None]
    differences += numbers != sorted(numbers)
    differences += len(made) - len({row[0] for row in made})
    print(f"{len(made)} of {len(rows)} rows")
    return differences


if __name__ == "__main__":
    try:
        main()
    except Unusable as error:
        sys.exit(plain_loop.usage_error(error))
