"""Which rows of a library are repeats of which, by RDKit and DuckDB, held against `duplicates.parquet` of `molsieve dedup`.

usage: duplicates.py OUTPUT INPUT…

INPUT are the files in their order: CSV with a header or Parquet, with columns id and smiles; or SMILES files. A row that RDKit
reads and that is not in the output was merged into the row of the output with the same canonical SMILES, if there is one.

Exit status: 0 equal, 1 differences.
"""
import csv
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from rdkit import Chem, RDLogger

RDLogger.DisableLog("rdApp.*")
SCHEMA = pa.schema([
    pa.field("row", pa.uint64(), nullable=False),
    pa.field("id", pa.string(), nullable=False),
    pa.field("smiles", pa.string(), nullable=False),
    pa.field("kept_row", pa.uint64()),
    pa.field("kept_id", pa.string()),
])


def main():
    output, inputs = Path(sys.argv[1]), [Path(path) for path in sys.argv[2:]]
    library = [pair for path in inputs for pair in rows(path)]
    canonical = [canonical_of(smiles) for _, smiles in library]
    connection = duckdb.connect()
    connection.register("library", pa.table({
        "row": pa.array(range(len(library)), pa.uint64()),
        "id": [id for id, _ in library],
        "smiles": [smiles for _, smiles in library],
        "molecule": pa.array(canonical, pa.string()),
    }))
    parts = [pq.read_table(part) for part in sorted((output / "products").glob("*.parquet"))]
    connection.register("kept", pa.concat_tables(parts).select(["parent_row", "parent_id"]))
    expected = connection.execute("""
        with kept_molecules as (
            select molecule, parent_row, parent_id from kept join library on row = parent_row
        )
        select row, id, smiles, parent_row as kept_row, parent_id as kept_id
        from library left join kept_molecules using (molecule)
        where molecule is not null and row not in (select parent_row from kept)
        order by row
    """).fetchall()
    table = pq.read_table(output / "duplicates.parquet")
    found = [tuple(row.values()) for row in table.to_pylist()]
    differences = []
    if not table.schema.equals(SCHEMA):
        differences.append(f"other columns: {table.schema}")
    if found != expected:
        pairs = [(a, b) for a, b in zip(found, expected) if a != b]
        differences.append(f"{len(found)} rows, expected {len(expected)}; {pairs[:3]}")
    print(f"{len(found)} duplicates, {sum(row[3] is None for row in found)} without a kept row")
    print("\n".join(differences) or "equal")
    sys.exit(1 if differences else 0)


def rows(path):
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return list(zip(table["id"].to_pylist(), table["smiles"].to_pylist()))
    if path.suffix == ".csv":
        with open(path, newline="", encoding="utf-8") as file:
            return [(row["id"], row["smiles"]) for row in csv.DictReader(file)]
    lines = path.read_text(encoding="utf-8").splitlines()
    return [(line.split(maxsplit=1)[1], line.split()[0]) for line in lines]


def canonical_of(smiles):
    molecule = Chem.MolFromSmiles(smiles)
    return None if molecule is None or molecule.GetNumAtoms() == 0 else Chem.MolToSmiles(molecule)


main()
