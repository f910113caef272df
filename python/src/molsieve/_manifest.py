"""Answers of the program. python/generate.py writes this file from their definitions."""

from __future__ import annotations

from typing import TypedDict

from ._daemon_answers import Counts


class Software(TypedDict):
    """Versions of what wrote the files."""

    molsieve: str
    """molsieve."""
    rdkit: str
    """RDKit."""


class CleanCounts(TypedDict):
    """What `--clean` did."""

    changed_by: dict[str, int]
    """Parents that a step changed, by the step."""
    by_rdkit: int
    """Parents that were given to RDKit: of the others, the outcome is known without it."""
    checked: int
    """Of the others, those that RDKit has cleaned as well, to check the outcome."""
    tautomers_capped: int
    """Parents for which RDKit stopped before it had all tautomers."""


class ManifestFile(TypedDict):
    """A published file."""

    name: str
    """Path relative to the output directory. Schema 1 had the parts in the directory itself."""
    rows: int
    """Rows."""
    bytes: int
    """Size."""
    sha256: str
    """SHA-256, in hex."""


class _CappedParentAlways(TypedDict):
    row: int
    """0-based row over all inputs, or of the step before."""
    id: str
    """Its id, or that of the molecule of the library that it was made from."""
    caps: list[str]
    """The caps."""


class CappedParent(_CappedParentAlways, total=False):
    """A parent at which a cap took effect."""

    step: int | None
    """In a job of several steps: the step that it was a parent in."""


class ManifestFilter(TypedDict):
    """The filter as planned and at the end."""

    bits: int
    """Size in bits."""
    hashes: int
    """Hashes per key."""
    products_planned: int
    """Distinct products it was sized for."""
    false_positive_rate_planned: float
    """Rate of false positives it was sized for."""
    false_positive_rate_final: float
    """The rate at the end, computed from the number of keys."""
    false_positive_rate_observed: float | None
    """False positives per distinct product, as the exact deduplication found them; unknown with `--dedup bloom`."""
    products_settled: int
    """Distinct products that were false positives and that the exact deduplication restored."""
    expected_products_lost: float
    """Distinct products expected to be lost as false positives."""


class ManifestInput(TypedDict):
    """An input."""

    path: str
    """The file."""
    format: str
    """Its format."""
    bytes: int
    """Its size."""
    smiles_column: str | None
    """Name of the column (of an SDF, the tag) with the SMILES; a number in a table without header."""
    id_column: str | None
    """Name of the column with the id, likewise."""
    notes: list[str]
    """Remarks on how the columns were found."""


class RejectedReagent(TypedDict):
    """A row of a set of reagents that can't be used."""

    row: int
    """0-based row of the set."""
    id: str
    """Its id."""
    code: str
    """The code of the reason."""
    reason: str
    """Why it can't be used."""


class ReagentUse(TypedDict):
    """A rule that takes reagents from a set."""

    rule: str
    """Its name."""
    reactant: int
    """The reactant, from 1."""
    matching: int
    """Molecules of the set that match it."""


class ManifestReagents(TypedDict):
    """A set of reagents."""

    path: str
    """The file."""
    rows: int
    """Its rows."""
    rejected: int
    """Rows that can't be used."""
    without_match: int
    """Molecules that match no rule."""
    rejects: list[RejectedReagent]
    """The first of the rows that can't be used."""
    rules: list[ReagentUse]
    """The rules that take the set."""


class ManifestSample(TypedDict):
    """A sample of the combinations of parents with reagents."""

    step: int
    """The step, from 1."""
    drawn: int
    """Combinations drawn. A parent that does not match its reactant gives no product."""
    combinations: float
    """All combinations of parents and reagents."""


class RuleCounts(TypedDict):
    """What a rule made. `made` includes repeats, which no other count has."""

    name: str
    """The rule."""
    parents: int
    """Parents that have a site."""
    sites: int
    """Their sites."""
    made: int
    """Product molecules made, those included that a cap kept from being made or written."""
    unique: int
    """Rows written."""
    unchanged: int
    """Products equal to their parent."""
    invalid: int
    """Products that RDKit can't sanitize."""
    capped: int
    """Products that a cap kept from being made or written; of sites beyond the cap, at least as many."""
    filtered: int
    """Products that a filter leaves out."""
    seconds: float
    """Time spent on finding sites and making products, summed over threads."""


class FilterCounts(TypedDict):
    """What a filter left out."""

    filter: str
    """The filter: `where`, `require`, `reject` or `alerts` and what was given, with `parent` before it if it acts
    on parents."""
    left_out: int
    """Products, or parents, that fail it and none before it."""


class _StepCountsAlways(TypedDict):
    step: int
    """Its number, from 1."""
    counts: Counts
    """What became of parents and products."""
    rejected_by_code: dict[str, int]
    """Rejected parents by code."""
    products_left_out: int
    """Distinct products that `--max-products-per-step` left out."""
    first_part: int
    """Number of its first part, of those in `files`. Its last is the one before the first of the next step."""
    by_rule: list[RuleCounts]
    """What each rule made, in the order of the rules."""


class StepCounts(_StepCountsAlways, total=False):
    """What a step made of its parents: the molecules of the library in the first step, the products of the step
    before in any other."""

    by_filter: list[FilterCounts]
    """What each filter left out."""


class Disagreement(TypedDict):
    """A row on which RDKit disagrees."""

    fault: str
    """What is wrong."""
    row: int
    """0-based row over all inputs."""
    smiles: str
    """Its SMILES as written."""
    canonical: str | None
    """RDKit's canonical SMILES; none if RDKit can't read the row."""
    other_row: int | None
    """The row with the same key, where that is the fault."""


class CheckAccount(TypedDict):
    """What `--check` found."""

    molecules: int
    """Distinct molecules whose rows RDKit checked."""
    decisions: int
    """Their rows, of those read since the run began or was last resumed."""
    disagreements: int
    """Rows on which RDKit disagrees."""
    listed: list[Disagreement]
    """The first of them."""


class Stages(TypedDict):
    """Seconds of work per stage, summed over threads."""

    source: float
    """Reading and decoding."""
    chemistry: float
    """RDKit."""
    sieve: float
    """Keys and filter."""
    sink: float
    """Encoding and writing."""
    settle: float
    """Exact deduplication, with the writing of the rows that survive it."""


class ChemistryStages(TypedDict):
    """Seconds of chemistry, summed over threads."""

    parse: float
    """Parsing and sanitizing parents."""
    find_sites: float
    """Finding the sites of rules."""
    react: float
    """Running reactions."""
    finish: float
    """Finishing products, so that their SMILES can be written."""
    write: float
    """Writing SMILES."""
    describe: float
    """Computing properties."""
    keys: float
    """Making structure keys, with `--smiles direct`."""


class ChemistryProducts(TypedDict):
    """How products were made."""

    on_graphs: int
    """On flat graphs. RDKit made the others."""
    checked: int
    """On graphs and, for comparison, by RDKit too."""
    described_by_rdkit: int
    """Products whose properties RDKit computed; those of the others were computed on graphs."""


class ChemistrySearches(TypedDict):
    """How patterns of rules were searched for in parents."""

    on_graphs: int
    """On flat graphs."""
    by_rdkit: int
    """By RDKit."""


class TimelinePoint(TypedDict):
    """A job at one time."""

    seconds: float
    """Time since the start, without that between attempts."""
    parents: int
    """Rows of the input that were read and whose products were written or left out."""
    products: int
    """Products made."""
    unique: int
    """Rows written."""
    memory_bytes: int
    """Resident memory of the process."""


class _ManifestAlways(TypedDict):
    schema_version: int
    """Version of the schema."""
    software: Software
    """What wrote the files."""
    counts: Counts
    """What became of parents and products."""
    rejected_by_code: dict[str, int]
    """Rejected parents by code."""
    files: list[ManifestFile]
    """The published parts."""
    rejects: ManifestFile | None
    """The rejected rows' file, if there are any."""
    capped_parents: list[CappedParent]
    """Parents at which a cap took effect: the first thousand; `counts` has their number."""
    capped_parents_named_max: int
    """Parents named at most in `capped_parents`."""
    filter: ManifestFilter
    """The filter as planned and at the end."""
    inputs: list[ManifestInput]
    """The inputs, in the order given."""
    rules: int
    """Number of rules."""
    by_rule: list[RuleCounts]
    """What each rule made, in the order of the rules."""
    dedup: str
    """How products that the filter had seen were treated."""
    task: str
    """What the job did."""
    key: str
    """The kind of key."""
    key_definition: int | None
    """Definition of the structure key: keys of two definitions can't be compared."""
    keys_by_rdkit: dict[str, int]
    """Rows for whose structure key RDKit was needed, by reason."""
    keys_made_by: str
    """The engine that made the keys; of structure keys, those for which RDKit was not needed."""
    keys_too_large_for_device: int
    """Rows whose structure key a device left to the CPU because they are too large for it."""
    left_as_written: int
    """Rows that `--canonical` left as written because RDKit can't read them."""
    without_mol_block: int
    """Rows of SDF parts whose mol block is empty because RDKit makes none."""
    check: CheckAccount | None
    """What RDKit found for the sampled molecules, with `--check`."""
    products_left_out: int
    """Distinct products that `--max-products-per-step` left out; they are among the capped ones."""
    products_excluded: int
    """Products of earlier runs that were excluded."""
    interruptions: int
    """Times the run was interrupted and resumed."""
    engine: str
    """The engine that ran."""
    engine_lost: str | None
    """Why the engine is not the one that was chosen, if that one failed."""
    threads: int
    """Chemistry workers."""
    memory_budget_bytes: int
    """Bound on resident memory."""
    peak_memory_bytes: int
    """Largest resident memory of the process (VmHWM)."""
    elapsed_seconds: float
    """Wall-clock time."""
    stage_seconds: Stages
    """Work per stage, summed over threads."""
    chemistry_seconds: ChemistryStages
    """Work of the chemistry by step."""
    chemistry_products: ChemistryProducts
    """How products were made."""
    chemistry_searches: ChemistrySearches
    """Searches for patterns."""
    slot_wait_seconds: float
    """Time that workers waited for a slot, summed over workers."""
    slot_waits: int
    """Times a worker waited for a slot."""


class Manifest(_ManifestAlways, total=False):
    """What a job made, from what, and how."""

    cleaning: CleanCounts | None
    """With `--clean`: what was done to the molecules."""
    drops: ManifestFile | None
    """With `--explain-drops`: the file of the sample, if anything was left out."""
    duplicates: ManifestFile | None
    """With `--duplicates`: the file that says which rows were merged into which."""
    reagents: list[ManifestReagents]
    """The sets of reagents that rules combine parents with."""
    samples: list[ManifestSample]
    """With `--sample`: what each step has drawn."""
    by_filter: list[FilterCounts]
    """What each filter left out, in the order in which filters are decided; those of products come first."""
    steps: list[StepCounts]
    """What each step made, in a job of several: all other counts are sums over the steps."""
    smiles: str | None
    """How the SMILES of rows are written; `None`: as they were read."""
    timeline: list[TimelinePoint]
    """How the job went over time."""
