"""Holds the output of large runs to their promises; see scripts/large.sh.

    large.py NAME DIR         one line about the run in DIR; fails if a bar is missed
    large.py --same DIR DIR…  fails unless all have the same rows, all columns but the order

Rows are compared by a 64-bit hash of each over all columns, sorted: 8 bytes a row.

Exit status: 0 as promised, 1 not, 2 usage.
"""
import json
import sys
from pathlib import Path

import numpy as np
import polars as pl

MIB = 2**20
# At the default settings settling takes less than this of a run's time.
SETTLE_SHARE_MAX = 0.25


def tell(name: str, directory: Path) -> bool:
    manifest = json.loads((directory / "manifest.json").read_text())
    counts, seconds = manifest["counts"], manifest["elapsed_seconds"]
    settle = manifest["stage_seconds"]["settle"] / seconds
    peak, budget = manifest["peak_memory_bytes"], manifest["memory_budget_bytes"]
    print(
        f"{name:<11}{counts['products_made']:>12,} made {counts['products_unique']:>12,} unique "
        f"{manifest['filter']['products_settled']:>11,} brought back by settling"
        f"{seconds:8,.0f} s, settle {settle:5.1%}; VmHWM {peak / MIB:,.1f} of {budget / MIB:,.0f} MiB",
        flush=True,
    )
    made = sum(counts[f"products_{kind}"] for kind in
               ("unique", "duplicate", "symmetric", "unchanged", "invalid", "capped"))
    faults = []
    if made != counts["products_made"]:
        faults.append("the counts do not balance")
    if counts["parents_read"] != counts["parents_transformed"] + counts["parents_rejected"]:
        faults.append("the parents do not balance")
    if peak > budget:
        faults.append("over its memory")
    if name == "default" and settle >= SETTLE_SHARE_MAX:
        faults.append(f"settling takes {settle:.0%} of the time")
    for fault in faults:
        print(f"large: {name}: {fault}", file=sys.stderr)
    return not faults


def row_hashes(directory: Path) -> np.ndarray:
    hashes = []
    for part in sorted(directory.glob("products/part-*.parquet")):
        rows = pl.read_parquet(part).with_columns(pl.col("rule").cast(pl.String))
        hashes.append(rows.hash_rows(seed=1).to_numpy())
    return np.sort(np.concatenate(hashes))


def distinct_keys(directory: Path) -> int:
    keys = np.concatenate([
        np.frombuffer(b"".join(pl.read_parquet(part, columns=["key"])["key"].to_list()), "<u8")
        for part in sorted(directory.glob("products/part-*.parquet"))
    ]).reshape(-1, 2)
    return len(np.unique(keys.view("<u8,<u8")))


def same(directories: list[Path]) -> bool:
    expected = row_hashes(directories[0])
    distinct = distinct_keys(directories[0])
    if distinct != len(expected):
        print(f"large: {len(expected)} rows have {distinct} keys", file=sys.stderr)
        return False
    differ = [d.name for d in directories[1:] if not np.array_equal(expected, row_hashes(d))]
    for name in differ:
        print(f"large: {name} has other rows than {directories[0].name}", file=sys.stderr)
    if not differ:
        print(f"all {len(directories)} have the same {len(expected):,} rows, each key once")
    return not differ


if len(sys.argv) > 3 and sys.argv[1] == "--same":
    sys.exit(not same([Path(argument) for argument in sys.argv[2:]]))
if len(sys.argv) != 3:
    sys.exit(2)
sys.exit(not tell(sys.argv[1], Path(sys.argv[2])))
