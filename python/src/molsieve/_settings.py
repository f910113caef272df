"""Settings of jobs. python/generate.py writes this file from the program's own definitions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypedDict

AnyPath = str | os.PathLike[str]
"""A file or a folder."""
AnyPaths = AnyPath | Sequence[AnyPath]
"""One or more of them."""

Alerts = Literal[
    "pains", "pains_a", "pains_b", "pains_c", "brenk", "nih", "zinc", "chembl", "chembl_bms", "chembl_dundee",
    "chembl_glaxo", "chembl_inpharmatica", "chembl_lint", "chembl_mlsmr", "chembl_surechembl"
]
Chemistry = Literal["fast", "reference"]
Clean = Literal["cleanup", "fragment", "uncharge", "tautomer", "stereo"]
Coordinates = Literal["stereo", "2d"]
Dedup = Literal["exact", "bloom"]
Engine = Literal["auto", "cpu", "cuda", "wgpu"]
Format = Literal["parquet", "smi", "smi.gz", "smi.zst", "csv", "csv.gz", "csv.zst", "sdf", "sdf.gz", "sdf.zst"]
Key = Literal["canonical", "structure"]
Properties = Literal[
    "mw", "clogp", "tpsa", "hbd", "hba", "rotatable_bonds", "exact_mass", "heavy_atoms", "rings", "aromatic_rings",
    "fraction_csp3", "charge", "stereo_centres"
]
Smiles = Literal["canonical", "direct"]


class _StepAlways(TypedDict):
    rules: AnyPaths
    """Rule files of the step."""


class Step(_StepAlways, total=False):
    """A step with rules and filters of its own."""

    alerts: Alerts | Sequence[Alerts]
    reject_smarts: str | Sequence[str]
    require_smarts: str | Sequence[str]
    where: str | Sequence[str]


class Settings(TypedDict, total=False):
    """Settings that all jobs have."""

    clean: Clean | Sequence[Clean] | bool | None
    """Remove salts and charges first, or do these steps."""
    columns: str | Sequence[str] | None
    """Columns to write, in this order, such as smiles,parent_id [default: all]."""
    compression: str | None
    """Compression of Parquet parts: zstd[:1-9], snappy, lz4 or none [default: zstd:1]."""
    coordinates: Coordinates | None
    """Molecules of an SDF that have 2D coordinates [default: stereo]."""
    dedup: Dedup | None
    """How to treat products that were seen before [default: exact]."""
    engine: Engine | None
    """What computes keys and probes the filter [default: auto]."""
    exclude: AnyPaths | None
    """Output directory of an earlier job whose products are left out."""
    expected_products: int | None
    """Distinct products to size the filter for [default: estimated]."""
    false_positive_rate: float | None
    """False-positive rate to size the filter for [default: 1e-6; 1e-9 with --dedup bloom]."""
    format: Format | None
    """Format of the parts: parquet, smi, csv or sdf [default: parquet]."""
    id_column: str | int | None
    """Column of the id, by name or number [default: by its name]."""
    keep_columns: str | Sequence[str] | bool | None
    """Carry columns of the input to the products: all, or those named, such as price,vendor."""
    memory: int | str | None
    """Most resident memory [default: half of what there is]."""
    no_header: bool | None
    """The text files have no header: the first line is a row."""
    parent_timeout: int | None
    """CPU seconds a parent may use without giving a product [default: 120]."""
    part_size: int | str | None
    """Size at which a part is closed [default: 64MiB]."""
    slot_size: int | str | None
    """Size of a slot of the ring [default: from the memory limit]."""
    slots: int | None
    """Slots of the ring [default: two per thread, as the memory limit allows]."""
    smiles_column: str | int | None
    """Column of the SMILES, by name or number [default: by its name]."""
    threads: int | None
    """Cores to keep busy [default: the CPUs this process may use]."""
    overwrite: bool
    """Replace the files of an earlier job in the output directory."""
    resume: bool
    """Continue from the last checkpoint in the output directory."""


class RunSettings(Settings, total=False):
    """Settings of `molsieve.run`."""

    alerts: Alerts | Sequence[Alerts] | None
    """Leave out products that match a catalogue of structural alerts."""
    chemistry: Chemistry | None
    """How products are finished [default: fast]."""
    expand_stereo: int | None
    """Replace products with open stereo centres by their stereoisomers, at most N of each."""
    explain_drops: int | None
    """Write a sample of what is left out, N for each reason, to drops.parquet."""
    filter_last: bool | None
    """Filter only the products of the last step."""
    key: Key | None
    """What tells molecules apart [default: canonical]."""
    max_products_per_parent: int | None
    """Most distinct products of one parent [default: 25000]."""
    max_products_per_step: int | None
    """Most distinct products of a step: those with the least keys are kept."""
    new_only: bool | None
    """Leave out products that are in the library itself."""
    parent_alerts: Alerts | Sequence[Alerts] | None
    """Don't transform parents that match a catalogue of structural alerts."""
    parent_reject_smarts: str | Sequence[str] | None
    """Don't transform parents that a SMARTS matches."""
    parent_require_smarts: str | Sequence[str] | None
    """Transform only parents that a SMARTS matches."""
    parent_where: str | Sequence[str] | None
    """Transform only parents for which this holds."""
    properties: Properties | Sequence[Properties] | bool | None
    """Add columns of properties: all, or those named, such as mw,clogp."""
    reagents: str | Sequence[str] | None
    """Reagents for rules of several reactants."""
    reject_smarts: str | Sequence[str] | None
    """Leave out products that a SMARTS matches, or any SMARTS of a file."""
    require_smarts: str | Sequence[str] | None
    """Keep only products that a SMARTS matches."""
    sample: int | None
    """Combine parents with reagents N times in all, drawn evenly [default: in all ways]."""
    smiles: Smiles | None
    """How products are written [default: canonical]."""
    step: Sequence[Step] | None
    """The steps, each with rules of its own."""
    steps: int | None
    """How often to apply the rules, each time to what is new [default: 1]."""
    where: str | Sequence[str] | None
    """Keep only products for which this holds, such as 'mw <= 500'."""


class DedupSettings(Settings, total=False):
    """Settings of `molsieve.dedup`."""

    canonical: bool | None
    """Write the molecules that remain as canonical SMILES."""
    check: int | None
    """Have RDKit check all records of N molecules drawn at random."""
    duplicates: bool | None
    """Write which rows were merged into which to duplicates.parquet."""


class AllSettings(RunSettings, DedupSettings, total=False):
    """Settings of either."""


class Flag(NamedTuple):
    """How a setting is passed to the program, and which functions have it."""

    how: Literal["switch", "value", "list", "switch or list", "repeated", "table"]
    verbs: list[str]


FLAGS = {
    "alerts": Flag("list", ["run"]),
    "canonical": Flag("switch", ["dedup"]),
    "check": Flag("value", ["dedup"]),
    "chemistry": Flag("value", ["run"]),
    "clean": Flag("switch or list", ["run", "dedup"]),
    "columns": Flag("list", ["run", "dedup"]),
    "compression": Flag("value", ["run", "dedup"]),
    "coordinates": Flag("value", ["run", "dedup"]),
    "dedup": Flag("value", ["run", "dedup"]),
    "duplicates": Flag("switch", ["dedup"]),
    "engine": Flag("value", ["run", "dedup"]),
    "exclude": Flag("repeated", ["run", "dedup"]),
    "expand_stereo": Flag("value", ["run"]),
    "expected_products": Flag("value", ["run", "dedup"]),
    "explain_drops": Flag("value", ["run"]),
    "false_positive_rate": Flag("value", ["run", "dedup"]),
    "filter_last": Flag("switch", ["run"]),
    "format": Flag("value", ["run", "dedup"]),
    "id_column": Flag("value", ["run", "dedup"]),
    "keep_columns": Flag("list", ["run", "dedup"]),
    "key": Flag("value", ["run"]),
    "max_products_per_parent": Flag("value", ["run"]),
    "max_products_per_step": Flag("value", ["run"]),
    "memory": Flag("value", ["run", "dedup"]),
    "new_only": Flag("switch", ["run"]),
    "no_header": Flag("switch", ["run", "dedup"]),
    "parent_alerts": Flag("list", ["run"]),
    "parent_reject_smarts": Flag("repeated", ["run"]),
    "parent_require_smarts": Flag("repeated", ["run"]),
    "parent_timeout": Flag("value", ["run", "dedup"]),
    "parent_where": Flag("repeated", ["run"]),
    "part_size": Flag("value", ["run", "dedup"]),
    "properties": Flag("switch or list", ["run"]),
    "reagents": Flag("repeated", ["run"]),
    "reject_smarts": Flag("repeated", ["run"]),
    "require_smarts": Flag("repeated", ["run"]),
    "sample": Flag("value", ["run"]),
    "slot_size": Flag("value", ["run", "dedup"]),
    "slots": Flag("value", ["run", "dedup"]),
    "smiles": Flag("value", ["run"]),
    "smiles_column": Flag("value", ["run", "dedup"]),
    "step": Flag("table", ["run"]),
    "steps": Flag("value", ["run"]),
    "threads": Flag("value", ["run", "dedup"]),
    "where": Flag("repeated", ["run"]),
    "overwrite": Flag("switch", ["run", "dedup"]),
    "resume": Flag("switch", ["run", "dedup"]),
}
