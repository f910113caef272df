"""The kept columns of a job, held against its input: the value of each row is that of the input row it goes back to.

    keep_columns.py make FILE.parquet LIBRARY.csv [--rows-per-group N]  a table of every type, with nulls, small pages
    keep_columns.py compare DIR COLUMNS INPUT …                         COLUMNS: names with commas between them
    keep_columns.py sdf FILE.sdf LIBRARY.csv                            an SD file with items that records lack

`compare` reads INPUT with pyarrow (Parquet), DuckDB (CSV and TSV, all columns as text) or RDKit (SDF), puts the files one
behind the other, takes row `root_row` or else `parent_row` for each row of the output, and compares value by value, in
the order of the output. With Parquet the types are compared too; a dictionary comes back as its values.

Exit status: 0 equal, 1 differences.
"""
import csv
import datetime
import decimal
import math
import sys
from pathlib import Path

import duckdb
import numpy
import pyarrow as pa
import pyarrow.parquet as pq


def main():
    task, *words = sys.argv[1:]
    differences = {"make": make, "compare": compare, "sdf": make_sdf}[task](*words)
    print("equal" if not differences else f"DIFFERENT: {differences} differences")
    sys.exit(1 if differences else 0)


def library(path, most=300):
    with open(path, newline="") as file:
        return [(row["name"], row["smiles"]) for row in csv.DictReader(file)][:most]


def make(path, names_and_smiles, rows_per_group="50"):
    molecules = library(names_and_smiles)
    rows = len(molecules)

    def column(of_type, value):
        values = [None if row % 7 == 3 else value(row) for row in range(rows)]
        return pa.array(values, type=of_type)

    day, epoch = datetime.timedelta(1), datetime.date(1960, 1, 1)
    number = decimal.Decimal
    struct = pa.struct([("x", pa.int64()), ("y", pa.string()), ("z", pa.list_(pa.int16()))])
    columns = {
        "id": pa.array([name for name, _ in molecules]),
        "i8": column(pa.int8(), lambda row: row % 100 - 50),
        "i16": column(pa.int16(), lambda row: row - 200),
        "i32": column(pa.int32(), lambda row: row * 1000),
        "i64": column(pa.int64(), lambda row: -row * 10**12),
        "u8": column(pa.uint8(), lambda row: row % 256),
        "u16": column(pa.uint16(), lambda row: row),
        "u32": column(pa.uint32(), lambda row: row + 2**31),
        "u64": column(pa.uint64(), lambda row: row + 2**63),
        "f16": column(pa.float16(), lambda row: numpy.float16(row / 3)),
        "f32": column(pa.float32(), lambda row: row / 3),
        "f64": column(pa.float64(), lambda row: math.nan if row % 11 == 0 else -row / 7),
        "truth": column(pa.bool_(), lambda row: row % 2 == 0),
        "vendor": column(pa.string(), lambda row: ["Enamine", "MolPort", ""][row % 3]),
        "large text": column(pa.large_string(), lambda row: "é" * (row % 50)),
        "text view": column(pa.string_view(), lambda row: "view " * (row % 9)),
        "bytes": column(pa.binary(), lambda row: bytes([row % 256]) * (row % 5)),
        "large_bytes": column(pa.large_binary(), lambda row: b"\xff" * (row % 5)),
        "byte_view": column(pa.binary_view(), lambda row: b"\x00v" * (row % 20)),
        "fixed": column(pa.binary(7), lambda row: bytes([row % 256]) * 7),
        "date32": column(pa.date32(), lambda row: epoch + row * day),
        "date64": column(pa.date64(), lambda row: epoch + row * day),
        "time_s": column(pa.time32("s"), lambda row: row),
        "time_ms": column(pa.time32("ms"), lambda row: row * 7),
        "time_us": column(pa.time64("us"), lambda row: row * 11),
        "time_ns": column(pa.time64("ns"), lambda row: row * 13),
        "stamp_s": column(pa.timestamp("s"), lambda row: row * 10**6 - 5),
        "stamp_us": column(pa.timestamp("us"), lambda row: row * 10**9),
        "stamp_zone": column(pa.timestamp("ms", tz="Europe/Berlin"), lambda row: row * 10**9),
        "stamp_ns": column(pa.timestamp("ns", tz="UTC"), lambda row: -row * 10**9 - 1),
        "duration": column(pa.duration("ms"), lambda row: row * 17),
        "price": column(pa.decimal128(12, 2), lambda row: number(row) / 100),
        "decimal256": column(pa.decimal256(50, 3), lambda row: number(-row) * 10**30),
        "category": column(pa.string(), lambda row: "abc"[row % 3]).dictionary_encode(),
        "list": column(pa.list_(pa.int32()), lambda row: [None, 1, row][: row % 4]),
        "large_list": column(pa.large_list(pa.string()), lambda row: ["t" * n for n in range(row % 4)]),
        "fixed_list": column(pa.list_(pa.float32(), 3), lambda row: [row, None, 2.0]),
        "struct": column(struct, lambda row: {"x": row, "y": None if row % 2 else "y", "z": [row]}),
        "map": column(pa.map_(pa.string(), pa.int64()), lambda row: [(f"k{n}", n) for n in range(row % 3)]),
        "nothing": pa.nulls(rows),
        "site": column(pa.int32(), lambda row: row),
        "smiles": pa.array([smiles for _, smiles in molecules]),
    }
    table = pa.table(columns)
    version = "1.0" if rows_per_group == "50" else "2.0"
    pq.write_table(
        table, path, row_group_size=int(rows_per_group), data_page_size=256, data_page_version=version
    )


def make_sdf(path, names_and_smiles):
    from rdkit import Chem

    with Chem.SDWriter(path) as writer:
        for row, (name, smiles) in enumerate(library(names_and_smiles, 60)):
            molecule = Chem.MolFromSmiles(smiles)
            molecule.SetProp("_Name", name)
            if row % 3:
                molecule.SetProp("price", f"{row}.50")
            if row % 4 == 0:
                molecule.SetProp("remark", f"first line\n  second {row}")
            if row > 50:
                molecule.SetProp("late", "x")
            writer.write(molecule)


def read(path):
    if path.endswith(".parquet"):
        return pq.read_table(path)
    if path.endswith(".sdf"):
        from rdkit import Chem

        records = [molecule.GetPropsAsDict(autoConvertStrings=False) for molecule in Chem.SDMolSupplier(path)]
        names = {name: None for record in records for name in record if not name.startswith("_")}
        return pa.table({name: pa.array([r.get(name) for r in records], pa.string()) for name in names})
    options = "all_varchar = true, header = true, auto_detect = true, null_padding = false, parallel = false"
    table = duckdb.sql(f"SELECT * FROM read_csv('{path}', {options})").arrow()
    return table if isinstance(table, pa.Table) else table.read_all()


def compare(directory, names, *inputs):
    inputs = [read(path) for path in inputs]
    parts = sorted(Path(directory, "products").glob("*.parquet"))
    output = pa.concat_tables([pq.read_table(part) for part in parts])
    names = names.split(",")
    kept = output.column_names[-len(names) :]
    own = output.column_names[: -len(names)]
    expected_names = [f"input_{name}" if name in own else name for name in names]
    differences = 0
    if kept != expected_names:
        print(f"columns {kept}, expected {expected_names}")
        differences += 1
    rows = output.column("root_row" if "root_row" in own else "parent_row").to_numpy()
    for name, column in zip(names, kept):
        chunks = []
        expected_type = next(table.column(name).type for table in inputs if name in table.column_names)
        for table in inputs:
            there = name in table.column_names
            chunks += table.column(name).chunks if there else [pa.nulls(len(table), expected_type)]
        of_input = pa.chunked_array(chunks, expected_type)
        if pa.types.is_dictionary(expected_type):
            expected_type = expected_type.value_type
            of_input = of_input.cast(expected_type)
        found = output.column(column)
        if found.type != expected_type:
            print(f"{column}: is {found.type}, expected {expected_type}")
            differences += 1
            continue
        values = listed(of_input)
        for row, value in zip(rows, listed(found)):
            if not same(value, values[row]):
                print(f"{column}: {value!r} of input row {row}, expected {values[row]!r}")
                differences += 1
                if differences > 20:
                    return differences
    # DuckDB reads the parts as they are.
    counted = duckdb.sql(f"SELECT count(*), count(\"{kept[0]}\") FROM '{directory}/products/*.parquet'").fetchall()[0]
    if counted != (len(output), len(output) - output.column(kept[0]).null_count):
        print(f"DuckDB counts {counted}")
        differences += 1
    return differences + (len(output) == 0)


def listed(column):
    # Python's times have no nanoseconds.
    of_ns = pa.types.is_temporal(column.type) and getattr(column.type, "unit", None) == "ns"
    return (column.cast(pa.int64()) if of_ns else column).to_pylist()


def same(one, other):
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return one == other


if __name__ == "__main__":
    main()
