"""A run as a notebook shows it: its counts, and a few of its structures."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._run import Run

# Structures that are shown: two rows of a grid.
STRUCTURES = 6
STRUCTURE_PIXELS = (200, 150)
# Counts of the manifest that are shown where they are not 0.
COUNTS = {
    "parents_read": "rows read",
    "parents_rejected": "rows rejected",
    "products_made": "products made",
    "products_unique": "unique",
    "products_duplicate": "made from another molecule",
    "products_symmetric": "made twice from one molecule",
    "products_unchanged": "unchanged",
    "products_invalid": "invalid",
    "products_filtered": "left out by filters",
    "products_capped": "capped",
}


def page(run: Run) -> str:
    """The HTML of a run."""
    counts: dict[str, int] = {**run.manifest["counts"]}  # type: ignore[dict-item]
    rows = [(name, f"{counts[key]:,}") for key, name in COUNTS.items() if counts.get(key)]
    codes = run.manifest["rejected_by_code"]
    if codes:
        rows.append(("rejected as", ", ".join(f"{count:,} {code}" for code, count in codes.items())))
    cells = "".join(
        f"<tr><td>{escape(name)}</td><td style='text-align:right'>{escape(value)}</td></tr>" for name, value in rows
    )
    return f"<div><b>{escape(str(run.path))}</b><table>{cells}</table>{structures(first_smiles(run))}</div>"


def first_smiles(run: Run) -> list[str]:
    """The SMILES of the first rows; none of parts that are not Parquet."""
    import pyarrow.parquet as pq

    for file in run.files:
        if file.suffix != ".parquet":
            return []
        with pq.ParquetFile(file) as part:
            if "smiles" not in part.schema_arrow.names:
                return []
            for batch in part.iter_batches(batch_size=STRUCTURES, columns=["smiles"]):
                return [str(smiles) for smiles in batch.column(0).to_pylist()]
    return []


def structures(smiles: Iterable[str]) -> str:
    """The molecules as pictures if RDKit can be imported, else as SMILES."""
    return "".join(picture(one) or f"<code>{escape(one)}</code><br>" for one in smiles)


def picture(smiles: str) -> str | None:
    try:
        from rdkit.Chem import MolFromSmiles
        from rdkit.Chem.Draw.rdMolDraw2D import MolDraw2DSVG
    except ImportError:
        return None
    molecule = MolFromSmiles(smiles)
    if molecule is None:
        return None
    drawing = MolDraw2DSVG(*STRUCTURE_PIXELS)
    drawing.DrawMolecule(molecule)
    drawing.FinishDrawing()
    svg = drawing.GetDrawingText().partition("?>")[2]
    return f"<span title='{escape(smiles, quote=True)}'>{svg}</span>"
