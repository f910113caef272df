"""Opens an output directory of molsieve with pyarrow, Polars and DuckDB.

usage: readers.py DIR

Checks that DIR/manifest.json tells the truth about its files (bytes, SHA-256, rows; no part
unlisted), that every part has exactly the documented columns, and that the three readers agree on
the types, the number of rows and the first and last row. One line per reader.

Exit status: 0 all agree, 1 a mismatch (each is printed), 2 DIR can't be used.
"""
import argparse
import hashlib
import json
import sys
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

ARROW, POLARS, DUCKDB = range(3)
# column: (arrow type, Polars type, DuckDB type). `rule` is a dictionary in Arrow, see arrow_type.
COLUMNS = {
    "smiles": (pa.string(), pl.String, "VARCHAR"),
    "key": (pa.binary(16), pl.Binary, "BLOB"),
    "parent_row": (pa.uint64(), pl.UInt64, "UBIGINT"),
    "parent_id": (pa.string(), pl.String, "VARCHAR"),
    "parent_smiles": (pa.string(), pl.String, "VARCHAR"),
    "rule": ("dictionary of utf8", pl.Categorical, "VARCHAR"),
    "site": (pa.uint16(), pl.UInt16, "USMALLINT"),
}
PROPERTIES = {
    "mw": (pa.float64(), pl.Float64, "DOUBLE"),
    "clogp": (pa.float64(), pl.Float64, "DOUBLE"),
    "tpsa": (pa.float64(), pl.Float64, "DOUBLE"),
    "hbd": (pa.uint16(), pl.UInt16, "USMALLINT"),
    "hba": (pa.uint16(), pl.UInt16, "USMALLINT"),
    "rotatable_bonds": (pa.uint16(), pl.UInt16, "USMALLINT"),
    "exact_mass": (pa.float64(), pl.Float64, "DOUBLE"),
    "heavy_atoms": (pa.uint16(), pl.UInt16, "USMALLINT"),
    "rings": (pa.uint16(), pl.UInt16, "USMALLINT"),
    "aromatic_rings": (pa.uint16(), pl.UInt16, "USMALLINT"),
    "fraction_csp3": (pa.float64(), pl.Float64, "DOUBLE"),
    "charge": (pa.int16(), pl.Int16, "SMALLINT"),
    "stereo_centres": (pa.uint16(), pl.UInt16, "USMALLINT"),
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path, metavar="DIR")
    directory = parser.parse_args().directory
    try:
        manifest = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
        listed = {entry["name"]: entry for entry in manifest["files"]}
        counts = manifest["counts"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"readers: {directory}/manifest.json: {error!r}", file=sys.stderr)
        sys.exit(2)

    parts = sorted(str(path) for path in (directory / "products").iterdir())
    mismatches = check_files(directory, parts, listed)
    rows_listed = sum(listed[name]["rows"] for name in map(listed_name, parts)
                      if name in listed)
    if counts.get("products_unique", rows_listed) != rows_listed:
        mismatches.append(f"manifest.json: counts.products_unique {counts['products_unique']}, "
                          f"rows of the parts {rows_listed}")
    try:
        mismatches += check_readers(parts, rows_listed) if parts else []
    except (pa.ArrowException, pl.exceptions.PolarsError, duckdb.Error) as error:
        mismatches.append(f"a reader refused the parts: {error}")
    if not parts:
        print("no parts: nothing for the readers to read")
    for mismatch in mismatches:
        print(f"MISMATCH {mismatch}")
    sys.exit(1 if mismatches else 0)


def listed_name(part):
    """The name of a part in the manifest: relative to DIR."""
    return f"products/{Path(part).name}"


def check_files(directory, parts, listed):
    """Holds the manifest's list of files against the files."""
    mismatches = [f"{name} is not in manifest.json" for name in map(listed_name, parts)
                  if name not in listed]
    for name, entry in listed.items():
        path = directory / name
        if not path.is_file():
            mismatches.append(f"{name} is in manifest.json and does not exist")
            continue
        with open(path, "rb") as file:
            found = {"sha256": hashlib.file_digest(file, "sha256").hexdigest(),
                     "bytes": path.stat().st_size}
        if name.endswith(".parquet"):
            try:
                found["rows"] = pq.read_metadata(path).num_rows
            except pa.ArrowException as error:
                mismatches.append(f"{name}: {error}")
        mismatches += [f"{name}: {key} {value}, manifest.json has {entry.get(key)}"
                       for key, value in found.items() if entry.get(key) != value]
    return mismatches


def check_as_data_set(folder, rows_expected):
    """Reads the folder of the parts the way people do."""
    counted = {
        "pyarrow": pq.read_table(folder).num_rows,
        "polars": pl.read_parquet(folder).height,
        "duckdb": duckdb.sql(f"SELECT count(*) FROM '{folder}/*.parquet'").fetchall()[0][0],
    }
    return [f"{label}: {rows} rows in {folder}, manifest.json has {rows_expected}"
            for label, rows in counted.items() if rows != rows_expected]


def check_readers(parts, rows_expected):
    """Reads the parts with each reader; prints a line for each."""
    mismatches = [mismatch for part in parts for mismatch in check_schema(part)]
    mismatches += check_as_data_set(Path(parts[0]).parent, rows_expected)
    answers = []
    readers = (read_with_pyarrow, read_with_polars, read_with_duckdb)
    for dialect, reader in zip((ARROW, POLARS, DUCKDB), readers):
        label, columns, rows, first, last = reader(parts)
        print(f"{label}: {rows} rows in {len(parts)} parts, {len(columns)} columns; "
              f"first {first[0] if first else None}, last {last[0] if last else None}")
        if rows != rows_expected:
            mismatches.append(f"{label}: {rows} rows, manifest.json has {rows_expected}")
        mismatches += [f"{label}: {text}" for text in columns_wrong(columns, dialect)]
        answers.append((label, first, last))
    for label, first, last in answers[1:]:
        for which, one, other in (("first", answers[0][1], first), ("last", answers[0][2], last)):
            if one != other:
                mismatches.append(f"{which} row: {answers[0][0]} {one}, {label} {other}")
    return mismatches


def check_schema(part):
    """The Arrow schema of each part by itself, exactly."""
    schema = pq.read_schema(part)
    return [f"{Path(part).name}: {text}"
            for text in columns_wrong([(field.name, arrow_type(field)) for field in schema], ARROW)]


def columns_wrong(found, dialect):
    """What is wrong with a reader's (name, type) pairs: names, order, types."""
    expected = COLUMNS | PROPERTIES if len(found) > len(COLUMNS) else COLUMNS
    if [name for name, _ in found] != list(expected):
        return [f"columns {[name for name, _ in found]}, expected {list(expected)}"]
    return [f"column {name} is {kind}, expected {expected[name][dialect]}"
            for name, kind in found if kind != expected[name][dialect]]


def arrow_type(field):
    """The type of a field; any index width will do for a dictionary."""
    if pa.types.is_dictionary(field.type) and field.type.value_type == pa.string():
        return "dictionary of utf8"
    return field.type


def read_with_pyarrow(parts):
    table = pa.dataset.dataset(parts, format="parquet")
    rows = table.count_rows()

    def row(index):
        return tuple(table.take([index]).to_pylist()[0].values()) if rows else None

    columns = [(field.name, arrow_type(field)) for field in table.schema]
    return f"pyarrow {pa.__version__}", columns, rows, row(0), row(rows - 1)


def read_with_polars(parts):
    table = pl.scan_parquet(parts)
    rows = table.select(pl.len()).collect().item()

    def row(index):
        return table.slice(index, 1).collect().row(0) if rows else None

    columns = list(table.collect_schema().items())
    return f"polars {pl.__version__}", columns, rows, row(0), row(rows - 1)


def read_with_duckdb(parts):
    with duckdb.connect() as connection:
        table = connection.read_parquet(parts)
        rows = table.count("*").fetchall()[0][0]

        def row(index):
            return table.limit(1, index).fetchall()[0] if rows else None

        columns = list(zip(table.columns, map(str, table.types)))
        return f"duckdb {duckdb.__version__}", columns, rows, row(0), row(rows - 1)


if __name__ == "__main__":
    main()
