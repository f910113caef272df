"""The job done the usual way in Python, to compare molsieve with.

A pool of processes applies one rule to batches of parents with RDKit; each product becomes a dict;
the main process drops those a Bloom filter has seen and writes the others, batch by batch, with
Table.from_pylist into one Parquet file. It is meant to be fair: compiled reaction per process,
batches big enough that passing them costs little, no work that the job does not need.

Reads .smi and .csv (a header with a `smiles` column), each also as .gz.
Needs the packages of tests/oracle/requirements.txt.

Prints one line of JSON: parents, products (valid ones, repeats included), invalid, unique, seconds,
products_per_second, peak_rss_bytes and peak_pss_bytes. The peaks are sums over the main process
and its workers, sampled every 0.2 s. RSS counts a page that processes share once for each of them;
PSS divides it among them, so it is the lower and fairer figure.
"""
import argparse
import csv
import gzip
import json
import multiprocessing
import os
import threading
import time

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from pybloom_live import BloomFilter
from rdkit import Chem, RDLogger
from rdkit.Chem import rdChemReactions

PARENTS_PER_BATCH = 500
BLOOM_CAPACITY = 10_000_000
BLOOM_ERROR_RATE = 0.001
SAMPLE_SECONDS = 0.2
COLUMNS = pa.schema(
    [(name, pa.string()) for name in ("smiles", "parent_smiles", "parent_id", "rule")]
)


def main():
    args = parse_arguments()
    peak = PeakMemory()
    peak.start()
    started = time.perf_counter()

    parents = read_parents(args.input)
    starts = range(0, len(parents), PARENTS_PER_BATCH)
    batches = (parents[start : start + PARENTS_PER_BATCH] for start in starts)
    seen = BloomFilter(capacity=BLOOM_CAPACITY, error_rate=BLOOM_ERROR_RATE)
    products = invalid = unique = 0
    with (
        pq.ParquetWriter(args.output, COLUMNS) as writer,
        multiprocessing.Pool(args.workers, start_worker, (args.smirks,)) as pool,
    ):
        for rows, made, failed in pool.imap_unordered(transform, batches):
            fresh = [row for row in rows if not seen.add(row["smiles"])]
            if fresh:
                writer.write_table(pa.Table.from_pylist(fresh, schema=COLUMNS))
            products, invalid, unique = products + made, invalid + failed, unique + len(fresh)

    seconds = time.perf_counter() - started
    peak.stop()
    print(json.dumps({
        "parents": len(parents),
        "products": products,
        "invalid": invalid,
        "unique": unique,
        "seconds": round(seconds, 3),
        "products_per_second": round(products / seconds, 1),
        "peak_rss_bytes": peak.rss_bytes,
        "peak_pss_bytes": peak.pss_bytes,
    }))


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("input", help="library: .smi, .csv, or either with .gz")
    parser.add_argument("smirks", help="the rule, one reactant")
    parser.add_argument("output", help="Parquet file to write")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), metavar="N",
                        help="processes (default: the CPUs this process may use)")
    return parser.parse_args()


def read_parents(path):
    """(SMILES, id) of every row; the row number stands in for a missing id."""
    opened = gzip.open if path.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        if not path.removesuffix(".gz").endswith(".csv"):
            rows = (line.split(None, 1) for line in file if not line.isspace())
            return [(row[0], row[1].strip() if len(row) > 1 else str(i))
                    for i, row in enumerate(rows)]
        table = csv.DictReader(file)
        fields = {name.strip().lower(): name for name in table.fieldnames or []}
        if "smiles" not in fields:
            raise SystemExit(f"{path}: no column smiles among {table.fieldnames}")
        id_field = fields.get("id", fields.get("name"))
        return [(row[fields["smiles"]] or "", row.get(id_field) or str(i))
                for i, row in enumerate(table)]


_reaction = None


def start_worker(smirks):
    global _reaction
    RDLogger.DisableLog("rdApp.*")
    _reaction = rdChemReactions.ReactionFromSmarts(smirks)
    _reaction.Initialize()


def transform(batch):
    """Rows of the distinct products of each parent, how many were made, how many were invalid."""
    rows, made, failed = [], 0, 0
    for parent_smiles, parent_id in batch:
        parent = Chem.MolFromSmiles(parent_smiles)
        if parent is None:
            continue
        distinct = set()
        # RDKit stops at 1,000 outcomes by default; molsieve does not.
        for outcome in _reaction.RunReactants((parent,), maxProducts=1_000_000):
            for product in outcome:
                try:
                    Chem.SanitizeMol(product)
                except Exception:  # RDKit raises several types
                    failed += 1
                    continue
                made += 1
                smiles = Chem.MolToSmiles(product)
                if smiles not in distinct:
                    distinct.add(smiles)
                    rows.append({"smiles": smiles, "parent_smiles": parent_smiles,
                                 "parent_id": parent_id, "rule": "rule"})
    return rows, made, failed


class PeakMemory:
    """Samples the memory of this process and its children in a thread."""

    def __init__(self):
        self.rss_bytes = self.pss_bytes = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self):
        self._thread.start()

    def stop(self):
        self._stopped.set()
        self._thread.join()

    def _watch(self):
        me = psutil.Process()
        while not self._stopped.wait(SAMPLE_SECONDS):
            rss_bytes = pss_bytes = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    memory = process.memory_full_info()
                    rss_bytes += memory.rss
                    pss_bytes += memory.pss
                except psutil.Error:  # it has just ended
                    pass
            self.rss_bytes = max(self.rss_bytes, rss_bytes)
            self.pss_bytes = max(self.pss_bytes, pss_bytes)


if __name__ == "__main__":
    main()
