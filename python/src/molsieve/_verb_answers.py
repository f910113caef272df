"""Answers of the program. python/generate.py writes this file from their definitions."""

from __future__ import annotations

from typing import TypedDict


class MemoryItem(TypedDict):
    """One line of the memory sum."""

    name: str
    """What it is for."""
    bytes: int
    """Its bound."""
    detail: str
    """How the bound is computed."""


class PlannedMemory(TypedDict):
    """The memory sum of a plan."""

    budget_bytes: int
    """`--memory`."""
    total_bytes: int
    """Sum of the items."""
    items: list[MemoryItem]
    """What the memory is for."""


class Planned(TypedDict):
    """The plan of a job."""

    parents: int
    """Rows of the inputs."""
    parents_exact: bool
    """Whether they were counted rather than estimated."""
    sampled: int
    """Rows in the sample from which the rest is estimated."""
    sampled_rejects: int
    """Rows of the sample that can't be used."""
    products_per_parent: float
    """Distinct products per parent."""
    products: int
    """Products expected, repeats between parents counted."""
    disk_bytes: int
    """Bytes of all parts."""
    disk_bytes_while_running: int
    """Bytes that the output directory needs beside the parts until the end."""
    settle_bytes: int
    """Memory for the exact deduplication at the end."""
    threads: int
    """Chemistry workers."""
    slots: int
    """Slots in the ring."""
    slot_bytes: int
    """Bytes of a slot."""
    batch_parents: int
    """Parents that a worker takes at once."""
    engine: str
    """The engine."""
    engine_chosen: str
    """The engine, and why it was chosen."""
    filter_bits: int
    """Bits of the filter."""
    filter_hashes: int
    """Hashes per key."""
    memory: PlannedMemory
    """The memory sum."""


class Share(TypedDict):
    """Of the rows of a step or a rule, those that only one output has."""

    name: str
    """The step's number, or the rule's name."""
    only: int
    """Rows that the other output has not."""
    rows: int
    """All its rows, as the manifest says."""


class WrittenFile(TypedDict):
    """A file that was written."""

    path: str
    """Where it is."""
    rows: int
    """Its rows."""
    bytes: int
    """Its size."""


class _SideCountsAlways(TypedDict):
    directory: str
    """The output directory."""
    rows: int
    """Its rows."""
    keys: int
    """Its distinct keys."""
    only: int
    """Distinct keys that the other one has not."""


class SideCounts(_SideCountsAlways, total=False):
    """What one of two outputs has."""

    by_step: list[Share]
    """By step, in a job of several: rows whose key the other one has not."""
    by_rule: list[Share]
    """The same by rule, in the order of the rules."""
    file: WrittenFile | None
    """The file of these rows, if it was wanted."""


class _DifferenceAlways(TypedDict):
    a: SideCounts
    """Of the first."""
    b: SideCounts
    """Of the second."""
    both: int
    """Keys that both have."""
    key: str
    """The column of the keys."""


class Difference(_DifferenceAlways, total=False):
    """What only one of two outputs has."""

    rdkit: list[str] | None
    """Releases of RDKit that wrote the canonical SMILES, where they differ: one molecule may have two keys then."""
