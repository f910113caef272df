"""What only one of two outputs has, by DuckDB, held against what `molsieve diff A B --json --output DIR` gave.

usage: diff.py A B DIR FILE

FILE has the line that it printed. Counts of rows, of distinct keys, by step and by rule are compared, and the files in DIR: the
same rows in the same order with the same columns and Arrow types as in their output.

Exit status: 0 equal, 1 differences.
"""
import json
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

NAMES = ["only-in-a.parquet", "only-in-b.parquet"]


def main():
    outputs, directory, printed = sys.argv[1:3], Path(sys.argv[3]), json.loads(Path(sys.argv[4]).read_text())
    tables = [whole(Path(output)) for output in outputs]
    key = "key" if "key" in tables[0].column_names else "structure_key"
    differences = []
    for name, table, other, file in zip("ab", tables, reversed(tables), NAMES):
        only = only_in(table, other, key)
        expected = {
            "rows": len(table),
            "keys": distinct(table, key),
            "only": len(only),
            "by_step": counted(table, only, "step"),
            "by_rule": counted(table, only, "rule"),
        }
        side = printed[name]
        for what, value in expected.items():
            found = side.get(what, [])
            if what.startswith("by_"):
                found = sorted((share["name"], share["only"], share["rows"]) for share in found if share["rows"])
            if found != value:
                differences.append(f"{name} {what}: {found} is not {value}")
        written = pq.read_table(directory / file)
        if written.schema != only.schema:
            differences.append(f"{file}: {written.schema} is not {only.schema}")
        elif rows(written) != rows(only):
            differences.append(f"{file}: other rows")
        if side["file"]["rows"] != len(only) or side["file"]["bytes"] != (directory / file).stat().st_size:
            differences.append(f"{file}: printed as {side['file']}")
        print(f"only in {name}: {len(only)}")
    both = distinct(tables[0], key) - printed["a"]["only"]
    if printed["both"] != both:
        differences.append(f"both: {printed['both']} is not {both}")
    print("\n".join(differences) or "equal")
    sys.exit(1 if differences else 0)


def whole(output):
    parts = [pq.read_table(part) for part in sorted((output / "products").glob("*.parquet"))]
    return pa.concat_tables(part.unify_dictionaries() for part in parts)


def rows(table):
    return table.to_pylist()


def only_in(table, other, key):
    """The rows whose key the other table has not, in their order."""
    numbered = table.append_column("number", pa.array(range(len(table)), pa.int64()))
    mine, theirs = numbered.select([key, "number"]), other.select([key])
    connection = duckdb.connect()
    connection.register("mine", mine)
    connection.register("theirs", theirs)
    found = connection.execute(
        f"select number from mine where {key} in (select {key} from mine except select {key} from theirs) order by number"
    ).fetchall()
    return table.take(pa.array([number for number, in found], pa.int64()))


def distinct(table, key):
    connection = duckdb.connect()
    connection.register("t", table.select([key]))
    return connection.execute(f"select count(distinct {key}) from t").fetchone()[0]


def counted(table, only, column):
    if column not in table.column_names:
        return []
    counts = {}
    for place, of in enumerate([only, table]):
        for value in of.column(column).to_pylist():
            counts.setdefault(str(value), [0, 0])[place] += 1
    return sorted((name, *of) for name, of in counts.items())


main()
