"""The plain loop: what a molsieve job makes, written as simply as RDKit allows.

For each parent that parses, for each rule in file order, each outcome of RDKit's RunReactants
in its order, each product molecule of the outcome: sanitize (failure: `invalid`), write canonical
SMILES, leave it out when it equals the parent (`unchanged`) or when the same parent has already
given it (`symmetric`). Of equal products of different parents the first in input order stays.
With no rules the product of a parent is its own canonical SMILES.

With --compare DIR the output of `molsieve run` in DIR is held against this, row by row.
Run molsieve with `--dedup bloom --false-positive-rate 1e-12` or `--dedup exact` for that, so that
no product is lost to the filter.

Inputs are SMILES files (`SMILES[ |extension|][ id]`; blank lines, lines that start with `#` and a header, a first
row whose SMILES is a usual name of a SMILES column, are no rows) or CSV/TSV with a header (extension
.csv/.tsv, blank lines are no rows), each also gzipped. A row whose SMILES is empty, is not UTF-8
or does not parse is rejected and keeps its row number.

Exit status: 0 equal (or nothing to compare), 1 differences, 2 usage or unusable input.
"""
import argparse
import csv
import gzip
import io
import itertools
import json
import os
import sys
import time
import tomllib
from collections import Counter, deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path

from rdkit import Chem, RDLogger
from rdkit.Chem import AllChem

OUTCOMES_MAX = 1_000_000  # RDKit stops at 1,000 unless told otherwise
MATCHES_MAX = 1_000_000_000  # same, for the substructure matches of `exclude`
PARENTS_PER_CHUNK = 50
LISTED_MAX = 20  # differences of one kind that are printed
# As SMILES_NAMES in src/table/source/columns.rs, the likeliest first. Names compare in lower case, without
# blanks, dots, dashes and underscores.
SMILES_COLUMNS = (
    "isomericsmiles", "smilesisomeric", "isosmiles", "openeyeisosmiles", "pubchemopeneyeisosmiles",
    "absolutesmiles", "stereosmiles", "smiles", "canonicalsmiles", "smilescanonical", "cansmiles",
    "standardizedsmiles", "rdkitsmiles", "pubchemsmiles", "cxsmiles", "smi", "smile", "smilesstring",
    "smilescode", "structure", "structuresmiles", "molsmiles", "moleculesmiles", "compoundsmiles",
    "ligandsmiles", "drugsmiles", "inputsmiles", "parentsmiles", "openeyecansmiles",
    "pubchemopeneyecansmiles", "connectivitysmiles", "pubchemconnectivitysmiles", "flatsmiles",
    "nonstereosmiles", "nonisomericsmiles",
)
RULE_KEYS = {"name", "smirks", "exclude", "require", "add_hydrogens", "label", "tags", "examples"}
# What the loop counts, as named in manifest.json.
COUNTS = (
    "parents_read",
    "parents_rejected",
    "products_made",
    "products_invalid",
    "products_unchanged",
    "products_symmetric",
    "products_duplicate",
    "products_unique",
)


class Unusable(Exception):
    """An input, rule or output directory that can't be used; the message says which and why."""


def main():
    args = parse_arguments()
    started = time.monotonic()
    try:
        specs = read_rules(args.rules)
        products, counts, rejected, failed = run(args, specs)
    except (Unusable, OSError, csv.Error, EOFError, BrokenProcessPool) as error:
        sys.exit(usage_error(error))
    seconds = time.monotonic() - started
    for name in COUNTS:
        print(f"{name} {counts[name]}")
    print(f"seconds {seconds:.1f}")
    for row, rule, message in failed[:LISTED_MAX]:
        print(f"RunReactants raised: row {row} rule {rule}: {message}")
    if failed:
        print(f"RunReactants raised {len(failed)} times; those outcomes are missing here")

    if args.out:
        with open(args.out, "w", encoding="utf-8") as out:
            out.writelines(f"{smiles}\n" for smiles in sorted(products))
    if args.compare:
        try:
            differences = compare(args, specs, products, counts, rejected)
        except (Unusable, OSError) as error:
            sys.exit(usage_error(error))
        print("equal" if differences == 0 else f"DIFFERENT: {differences} differences")
        sys.exit(1 if differences else 0)


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--input", action="append", required=True, type=Path, metavar="FILE",
                        help="SMILES, CSV or TSV, also gzipped; may be repeated")
    parser.add_argument("--rules", action="append", default=[], type=Path, metavar="FILE",
                        help="molsieve rule file (TOML); may be repeated; none: clean the library")
    parser.add_argument("--smiles-column", metavar="NAME", help="column of a CSV or TSV input")
    parser.add_argument("--smiles-bytes-max", type=int, metavar="N",
                        help="reject rows with a longer SMILES (default: no limit)")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), metavar="N",
                        help="processes (default: the CPUs this process may use)")
    parser.add_argument("--out", type=Path, metavar="FILE",
                        help="write the distinct products, sorted, one a line")
    parser.add_argument("--compare", type=Path, metavar="DIR",
                        help="compare with molsieve's output directory DIR")
    return parser.parse_args()


def usage_error(error):
    print(f"plain_loop: {error}", file=sys.stderr)
    return 2


# ---- the loop ------------------------------------------------------------------------------------


@dataclass
class Rule:
    name: str
    reaction: object
    exclude: list  # query molecules: atoms they match are protected
    require: object  # query molecule the parent must match, or None
    add_hydrogens: bool  # applied to the parent with its hydrogens as atoms


@dataclass
class Chunk:
    """What one chunk of parents gave. Plain values: it crosses a process boundary."""

    products: list  # (SMILES, place) in the order made
    counts: Counter
    rejected: list  # row numbers
    failed: list  # (row, rule name, message) where RunReactants itself raised
    described: list = field(default_factory=list)  # what `describe` says of each product, if asked for


def products_of(parent, row, rules, chunk, describe=None):
    """Appends to `chunk` what `parent` gives under `rules`: the reference itself."""
    parent_smiles = Chem.MolToSmiles(parent)
    if not rules:
        chunk.counts["products_made"] += 1
        chunk.products.append((parent_smiles, place(row, 0, 0)))
        return
    given = set()
    for rule_index, rule in enumerate(rules):
        reactant = Chem.AddHs(parent) if rule.add_hydrogens else parent
        for site, outcome in enumerate(outcomes_of(reactant, row, rule, chunk)):
            for product in outcome:
                chunk.counts["products_made"] += 1
                smiles = finished(product, rule.add_hydrogens)
                if smiles is None:
                    chunk.counts["products_invalid"] += 1
                elif smiles == parent_smiles:
                    chunk.counts["products_unchanged"] += 1
                elif smiles in given:
                    chunk.counts["products_symmetric"] += 1
                else:
                    given.add(smiles)
                    chunk.products.append((smiles, place(row, rule_index, site)))
                    if describe:
                        chunk.described.append(describe(Chem.RemoveHs(product) if rule.add_hydrogens else product))


def outcomes_of(parent, row, rule, chunk):
    """RDKit's outcomes of one rule, with the atoms that `exclude` matches protected."""
    if rule.require is not None and not parent.HasSubstructMatch(rule.require):
        return ()
    protected = {
        index
        for query in rule.exclude
        for match in parent.GetSubstructMatches(query, maxMatches=MATCHES_MAX)
        for index in match
    }
    for index in protected:
        parent.GetAtomWithIdx(index).SetProp("_protected", "1")
    try:
        outcomes = rule.reaction.RunReactants((parent,), maxProducts=OUTCOMES_MAX)
    except Exception as error:  # RDKit raises ValueError and RuntimeError alike
        chunk.failed.append((row, rule.name, str(error).strip()))
        outcomes = ()
    for index in protected:
        parent.GetAtomWithIdx(index).ClearProp("_protected")
    if len(outcomes) >= OUTCOMES_MAX:
        raise Unusable(f"row {row}, rule {rule.name}: {OUTCOMES_MAX} outcomes or more, cut off")
    return outcomes


def finished(product, remove_hydrogens=False):
    """Canonical SMILES of a product, or None for one that is not a valid molecule."""
    try:
        Chem.SanitizeMol(product)
        if remove_hydrogens:
            product = Chem.RemoveHs(product)
        return Chem.MolToSmiles(product)
    except Exception:  # sanitization raises several types
        return None


def place(row, rule_index, site):
    """Where a product was made, as one integer (a tuple would triple the memory)."""
    return row << 40 | rule_index << 24 | site


def placed(value):
    """(parent row, rule index, site) of a `place`."""
    return value >> 40, value >> 24 & 0xFFFF, value & 0xFFFFFF


# ---- processes -----------------------------------------------------------------------------------

_rules = []
_smiles_bytes_max = None


def start_worker(specs, smiles_bytes_max):
    global _rules, _smiles_bytes_max
    RDLogger.DisableLog("rdApp.*")
    _rules, _smiles_bytes_max = [compiled(spec) for spec in specs], smiles_bytes_max


def work(first_row, texts):
    chunk = Chunk([], Counter(), [], [])
    for row, text in enumerate(texts, first_row):
        parent = parsed(text)
        if parent is None:
            chunk.rejected.append(row)
        else:
            products_of(parent, row, _rules, chunk)
    chunk.counts["parents_read"] += len(texts)
    chunk.counts["parents_rejected"] += len(chunk.rejected)
    return chunk


def parsed(text):
    """The parent molecule, or None for a row to reject."""
    if not text or not is_utf8(text):
        return None
    if _smiles_bytes_max is not None and len(text.encode()) > _smiles_bytes_max:
        return None
    return Chem.MolFromSmiles(text)


def is_utf8(text):
    """False for a text that was read with bytes escaped as lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def run(args, specs):
    """The distinct products with the place of their first occurrence, and the counts.

    Chunks are taken in input order, so the first occurrence is the one met first. At most
    8 chunks per worker are under way, so that memory is the products and little else.
    """
    products, counts, rejected, failed = {}, Counter(), [], []

    def take(chunk):
        for smiles, where in chunk.products:
            products.setdefault(smiles, where)
        counts.update(chunk.counts)
        counts["products_duplicate"] += len(chunk.products)
        rejected.extend(chunk.rejected)
        failed.extend(chunk.failed)

    start_worker(specs, args.smiles_bytes_max)  # a rule that is wrong fails here, with its name
    texts, row, under_way = parent_texts(args), 0, deque()
    with ProcessPoolExecutor(args.workers, initializer=start_worker,
                             initargs=(specs, args.smiles_bytes_max)) as pool:
        while batch := list(itertools.islice(texts, PARENTS_PER_CHUNK)):
            under_way.append(pool.submit(work, row, batch))
            row += len(batch)
            if len(under_way) >= 8 * args.workers:
                take(under_way.popleft().result())
        while under_way:
            take(under_way.popleft().result())
    counts["products_unique"] = len(products)
    counts["products_duplicate"] -= len(products)
    return products, counts, rejected, failed


# ---- rules and inputs ----------------------------------------------------------------------------


def read_rules(paths):
    """(name, smirks, exclude SMARTS, require SMARTS or None, add_hydrogens) of every rule, in order."""
    specs = []
    for path in paths:
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8")).get("rule", [])
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise Unusable(f"{path}: {error}") from error
        for table in tables:
            unknown = set(table) - RULE_KEYS
            if unknown or not isinstance(table.get("require", ""), str):
                raise Unusable(f"{path}: rule {table.get('name')}: this reference does not know "
                               f"{sorted(unknown) or 'a `require` that is not one SMARTS'}")
            if "name" not in table or "smirks" not in table:
                raise Unusable(f"{path}: a rule without name or smirks: {table}")
            specs.append((table["name"], table["smirks"], table.get("exclude", []),
                          table.get("require"), table.get("add_hydrogens", False)))
    if paths and not specs:
        raise Unusable("the rule files hold no rule")
    repeated = [name for name, n in Counter(spec[0] for spec in specs).items() if n > 1]
    if repeated:
        raise Unusable(f"rule names occur twice: {repeated}")
    return specs


def compiled(spec):
    name, smirks, exclude, require, add_hydrogens = spec
    try:
        reaction = AllChem.ReactionFromSmarts(smirks)
    except ValueError as error:
        raise Unusable(f"rule {name}: {error}") from error
    if reaction.GetNumReactantTemplates() != 1:
        raise Unusable(f"rule {name}: not one reactant")
    reaction.Initialize()
    return Rule(name, reaction, [query(name, smarts) for smarts in exclude],
                query(name, require) if require is not None else None, add_hydrogens)


def query(name, smarts):
    molecule = Chem.MolFromSmarts(smarts)
    if molecule is None:
        raise Unusable(f"rule {name}: not a SMARTS: {smarts}")
    return molecule


def parent_texts(args):
    """The SMILES text of every row of every input, in order; bad bytes as lone surrogates."""
    for path in args.input:
        with open(path, "rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
        name = path.name.lower().removesuffix(".gz")
        with gzip.open(path, "rb") if zipped else open(path, "rb") as file:
            if name.endswith((".csv", ".tsv")):
                delimiter = "\t" if name.endswith(".tsv") else ","
                yield from delimited_texts(file, path, delimiter, args.smiles_column)
            else:
                yield from smiles_lines(file)


def smiles_lines(file):
    """The SMILES of every line that is a row: not blank, no comment, no header.

    That is the first word, with the extension of CXSMILES (between bars) that may follow it. A line
    that begins with a tab, or has a single word after spaces, has an empty SMILES.
    """
    header_possible = True
    for number, line in enumerate(file):
        line = (line.removeprefix(b"\xef\xbb\xbf") if number == 0 else line).rstrip()
        words = line.split(None, 1)
        if not words or words[0].startswith(b"#"):
            continue
        blanks = line[:len(line) - len(line.lstrip())]
        if blanks and (b"\t" in blanks or len(words) == 1):
            yield ""
            header_possible = False
            continue
        text = words[0].decode("utf-8", "surrogateescape")
        if not (header_possible and normal(text) in SMILES_COLUMNS):
            yield text + extension(words[1] if len(words) > 1 else b"")
        header_possible = False


def normal(name):
    """A column's name as names are compared."""
    return "".join(c for c in name.lower() if not (c.isspace() or c in ".-_"))


def extension(rest):
    """The extension of CXSMILES that what follows a SMILES begins with, after a space, or nothing.

    Bars between `$` are text of labels. An extension without end is all of the line, for RDKit to refuse.
    """
    if not rest.startswith(b"|"):
        return ""
    end, in_labels = len(rest), False
    for i, byte in enumerate(rest[1:], 1):
        if byte == ord("$"):
            in_labels = not in_labels
        elif byte == ord("|") and not in_labels:
            end = i + 1
            break
    return " " + rest[:end].decode("utf-8", "surrogateescape")


def delimited_texts(file, path, delimiter, column):
    csv.field_size_limit(1 << 30)
    text = io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="")
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL  # TSV has no quotes
    records = csv.reader(text, delimiter=delimiter, quoting=quoting)
    header = [normal(name.strip().strip('"')) for name in next(records, [])]
    wanted = [normal(column)] if column else SMILES_COLUMNS
    index = next((header.index(name) for name in wanted if name in header), None)
    if index is None:
        raise Unusable(f"{path}: no column {' or '.join(wanted)} among {header}")
    for record in records:
        if record:
            smiles = record[index].strip() if index < len(record) else ""
            quoted = delimiter == "\t" and len(smiles) > 1 and smiles[0] == smiles[-1] == '"'
            yield smiles[1:-1] if quoted else smiles


# ---- comparing -----------------------------------------------------------------------------------


class Differences:
    """Counts differences by kind and prints the first few of each."""

    def __init__(self):
        self.by_kind = Counter()

    def add(self, kind, text):
        self.by_kind[kind] += 1
        if self.by_kind[kind] <= LISTED_MAX:
            print(f"  {kind}: {text}")


def compare(args, specs, products, counts, rejected):
    """Holds DIR against the reference; returns the number of differences, which it prints.

    `products` is used up: the place of a product that was met is replaced by its complement,
    so that a second row with the same SMILES is told from one that should not exist.
    """
    differences = Differences()
    parts = sorted((args.compare / "products").glob("part-*.parquet"))
    if not parts and not (args.compare / "manifest.json").exists():
        raise Unusable(f"{args.compare}: neither products/part-*.parquet nor manifest.json")
    names = [spec[0] for spec in specs]
    texts = list(parent_texts(args))
    rows = sum(compare_part(part, names, texts, products, differences) for part in parts)
    for smiles, where in products.items():
        if where >= 0:
            differences.add("missing", f"{smiles} from {described(where, names)}")
    print(f"rows {rows} in {len(parts)} parts; expected {len(products)} distinct products: "
          f"{differences.by_kind['missing']} missing, {differences.by_kind['extra']} extra, "
          f"{differences.by_kind['repeated']} repeated")
    compare_rejects(args.compare, rejected, differences)
    compare_counts(args.compare, counts, differences)
    for kind, number in differences.by_kind.items():
        print(f"{kind}: {number}")
    return differences.by_kind.total()


def compare_part(part, names, texts, products, differences):
    """Checks every row of one part; returns how many it has."""
    import mmh3
    import pyarrow.parquet as pq

    rows = 0
    file = pq.ParquetFile(part)
    columns = ["smiles", "key", "parent_row", "rule", "site", "parent_smiles"]
    absent = [name for name in columns if name not in file.schema_arrow.names]
    if absent:
        raise Unusable(f"{part}: no column {', '.join(absent)}")
    for batch in file.iter_batches(columns=columns):
        values = (batch.column(name).to_pylist() for name in columns)
        for smiles, key, parent_row, rule, site, parent_smiles in zip(*values):
            rows += 1
            if key != mmh3.hash_bytes(smiles, 0, x64arch=True):
                differences.add("wrong key", f"{smiles}: {key.hex()}")
            where = products.get(smiles)
            if where is None:
                differences.add("extra", f"{smiles} from row {parent_row} rule {rule} site {site}")
                continue
            if where < 0:
                differences.add("repeated", f"{smiles} again, in {part.name}")
                continue
            products[smiles] = ~where
            row, rule_index, expected_site = placed(where)
            # A job without rules files its rows under this name.
            rule_agrees = rule == (names[rule_index] if names else "canonical")
            if parent_row != row or not rule_agrees:
                differences.add("not the first occurrence", f"{smiles} from row {parent_row} rule "
                                f"{rule} site {site}; first: {described(where, names)}")
            elif site != expected_site:
                differences.add("wrong site", f"{smiles} from row {row} rule {rule}: site {site}, "
                                f"expected {expected_site}")
            if parent_row < len(texts) and (parent_smiles or "").strip() != texts[parent_row]:
                differences.add("wrong parent_smiles", f"row {parent_row}: {parent_smiles}")
    return rows


def described(where, names):
    row, rule_index, site = placed(where)
    return f"row {row} rule {names[rule_index] if names else '(none)'} site {site}"


def compare_rejects(directory, rejected, differences):
    import pyarrow.parquet as pq

    path = directory / "rejects.parquet"
    rows = []
    if path.exists():
        table = pq.read_table(path)
        column = next((name for name in ("row", "parent_row") if name in table.column_names), None)
        if column is None:
            raise Unusable(f"{path}: no column row or parent_row among {table.column_names}")
        rows = table.column(column).to_pylist()
    else:
        print("no rejects.parquet")
    for row in (Counter(rejected) - Counter(rows)).elements():
        differences.add("not rejected", f"row {row}")
    for row in (Counter(rows) - Counter(rejected)).elements():
        differences.add("wrongly rejected or twice", f"row {row}")
    print(f"rejects: {len(rows)} rows, expected {len(rejected)}")


def compare_counts(directory, counts, differences):
    path = directory / "manifest.json"
    if not path.exists():
        print("no manifest.json: counts not compared")
        return
    told = json.loads(path.read_text(encoding="utf-8")).get("counts", {})
    for name in COUNTS:
        if name not in told:
            print(f"manifest.json has no counts.{name}: not compared")
        elif told[name] != counts[name]:
            differences.add("wrong count", f"{name} {told[name]}, expected {counts[name]}")
    for name in ("parents_capped", "products_capped"):
        if told.get(name):
            print(f"note: {name} {told[name]}; nothing is capped in the reference")


if __name__ == "__main__":
    main()
