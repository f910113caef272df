"""Reads text output of molsieve with other programs and compares it with the Parquet output of the same job.

usage: formats.py [--obabel PATH] DIR TEXT_DIR…

DIR is the output directory of the job with --format parquet, each TEXT_DIR one of the same job with another format.
RDKit reads SMILES and SDF back to the canonical SMILES of the same rows, DuckDB and the csv module read CSV. With
--obabel, Open Babel reads SMILES and SDF too. One line per directory.

Exit status: 0 all agree, 1 a mismatch (each is printed), 2 a directory can't be used.
"""
import argparse
import csv
import io
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
from rdkit import Chem, RDLogger

RDLogger.DisableLog("rdApp.*")
faults = []


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--obabel", type=Path)
    parser.add_argument("directory", type=Path, metavar="DIR")
    parser.add_argument("texts", type=Path, nargs="+", metavar="TEXT_DIR")
    args = parser.parse_args()
    table = ds.dataset(args.directory / "products", format="parquet").to_table()
    parts = str(args.directory / "products" / "*.parquet")
    counted = duckdb.sql(f"select count(*) from read_parquet('{parts}')").fetchall()[0][0]
    check(counted == table.num_rows, args.directory, f"DuckDB reads {counted} rows of Parquet")
    for directory in args.texts:
        compare(table, directory, args.obabel)
    return 1 if faults else 0


def check(holds, where, fault):
    if not holds:
        faults.append(fault)
        print(f"{where}: {fault}")


def compare(table, directory, obabel):
    parts = sorted((directory / "products").iterdir())
    kinds = {part.name.split(".", 1)[1] for part in parts}
    if len(kinds) != 1:
        print(f"{directory}: parts of {kinds or 'no format'}", file=sys.stderr)
        sys.exit(2)
    (kind,) = kinds
    with tempfile.TemporaryDirectory() as folder:
        plain = []
        for part in parts:
            # pyarrow recognises gzip and Zstandard by the name.
            path = Path(folder) / f"{part.name.split('.')[0]}.{kind.split('.')[0]}"
            path.write_bytes(pa.input_stream(str(part)).read())
            plain.append(path)
        compared = {"smi": compare_smi, "csv": compare_csv, "sdf": compare_sdf}
        compared[kind.split(".")[0]](table, plain, directory)
        if obabel and not kind.startswith("csv"):
            compare_obabel(table, plain, directory, obabel)
    print(f"{directory}: {kind}, {len(parts)} parts, {table.num_rows} rows")


def names(table):
    """What names each row, as docs/formats.md says."""
    rows = table.to_pylist()
    if "rule" not in table.column_names or set(table["rule"].to_pylist()) == {"canonical"}:
        return [row["parent_id"] for row in rows]
    key = "key" if "key" in table.column_names else "structure_key"

    def name(row):
        reagents = "".join(f"+{reagent}" for reagent in row.get("reagent_ids", []))
        key_start = row[key].hex()[:16]
        return f"{row['parent_id']}{reagents}|{row['rule']}|{row['site']}|{key_start}"

    return [name(row) for row in rows]


def compare_molecules(table, molecules, directory, by):
    smiles = table["smiles"].to_pylist()
    check(len(molecules) == len(smiles), directory, f"{by} reads {len(molecules)} molecules")
    for row, (molecule, expected) in enumerate(zip(molecules, smiles)):
        read = "nothing" if molecule is None else Chem.MolToSmiles(molecule)
        canonical = Chem.CanonSmiles(expected)
        check(read == canonical, directory, f"{by}: row {row}: {read}, not {canonical}")


def compare_smi(table, parts, directory):
    lines = [line for part in parts for line in part.read_text("utf-8").splitlines()]
    expected = list(zip(table["smiles"].to_pylist(), names(table)))
    check([tuple(line.split("\t")) for line in lines] == expected, directory, "other lines")
    molecules = []
    for part in parts:
        supplier = Chem.SmilesMolSupplier(
            str(part), delimiter="\t", smilesColumn=0, nameColumn=1, titleLine=False
        )
        # Asked for its length first, it would read nothing.
        molecules.extend([molecule for molecule in supplier])
    compare_molecules(table, molecules, directory, "RDKit")
    titles = [molecule.GetProp("_Name") for molecule in molecules if molecule]
    check(titles == names(table), directory, "RDKit reads other names")


def text(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return ";".join(text(item) for item in value)
    return str(value)


def same(value, read):
    if isinstance(value, float):
        return float(read) == value
    return text(value) == read


def compare_csv(table, parts, directory):
    read = []
    for part in parts:
        content = part.read_text("utf-8")
        reader = csv.DictReader(io.StringIO(content, newline=""), strict=True)
        check(reader.fieldnames == table.column_names, directory, f"columns {reader.fieldnames}")
        rows = list(reader)
        by_duckdb = duckdb.sql(f"select * from read_csv('{part}', header = true)")
        check(by_duckdb.columns == table.column_names, directory, f"DuckDB: {by_duckdb.columns}")
        counted = len(by_duckdb.fetchall())
        check(counted == len(rows), directory, f"DuckDB reads {counted} rows, not {len(rows)}")
        read.extend(rows)
    check(len(read) == table.num_rows, directory, f"{len(read)} rows")
    for number, (row, expected) in enumerate(zip(read, table.to_pylist())):
        for column, value in expected.items():
            there = same(value, row[column])
            check(there, directory, f"row {number}: {column}: {row[column]!r}, not {value!r}")


def compare_sdf(table, parts, directory):
    molecules = [molecule for part in parts for molecule in Chem.SDMolSupplier(str(part))]
    compare_molecules(table, molecules, directory, "RDKit")
    for molecule, expected, name in zip(molecules, table.to_pylist(), names(table)):
        items = molecule.GetPropsAsDict(autoConvertStrings=False) if molecule else {}
        expected = {column: value for column, value in expected.items() if text(value) != ""}
        for column, value in expected.items():
            # As docs/formats.md says.
            if text(value).startswith((">", "$$$$")):
                expected[column] = " " + text(value)
        there = items.keys() == expected.keys() and all(
            same(value, items[column]) for column, value in expected.items()
        )
        check(there, directory, f"{name}: items {items}, not {expected}")
        title = molecule.GetProp("_Name") if molecule else None
        check(title == name, directory, f"title {title}, not {name}")


def compare_obabel(table, parts, directory, obabel):
    command = [str(obabel), *map(str, parts), "-osmi"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line.split("\t") for line in ended.stdout.splitlines()]
    molecules = [Chem.MolFromSmiles(line[0]) for line in lines]
    compare_molecules(table, molecules, directory, "Open Babel")
    titles = [line[1].strip() for line in lines]
    check(titles == names(table), directory, "Open Babel reads other names")


if __name__ == "__main__":
    sys.exit(main())
