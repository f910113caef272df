"""Answers of the daemon and the program. python/generate.py writes this file from them."""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class _CountsAlways(TypedDict):
    parents_capped: int
    """Parents at which a cap took effect."""
    parents_read: int
    """Rows of the input."""
    parents_rejected: int
    """Rows that can't be used; they are in `rejects.parquet`."""
    parents_transformed: int
    """Rows whose products were made."""
    products_capped: int
    """Products that a cap kept from being made or written; of sites beyond the cap, at least as many."""
    products_duplicate: int
    """Products given before by another parent; until they are settled, as far as the filter can tell."""
    products_invalid: int
    """Products that RDKit can't sanitize."""
    products_made: int
    """Product molecules made, those included that a cap kept from being made or written."""
    products_maybe: int
    """Products that the filter took for seen: settled exactly, or dropped with `--dedup bloom`."""
    products_symmetric: int
    """Products that the same parent had given before."""
    products_unchanged: int
    """Products equal to their parent."""
    products_unique: int
    """Rows written."""


class Counts(_CountsAlways, total=False):
    """What became of parents and products. Every parent read and every product made is counted in one place:
    `parents_read = parents_transformed + parents_rejected + parents_filtered`, and `products_made` is the sum of
    unique, duplicate, symmetric, unchanged, invalid, capped and filtered ones."""

    enhanced_stereo_dropped: int
    """Parents with enhanced stereo (CXSMILES), which is in none of their products' SMILES."""
    parents_cleaned: int
    """Parents that `--clean` has changed."""
    parents_filtered: int
    """Parents that a filter leaves out: no rule is applied to them."""
    products_expanded: int
    """Products with open stereo centres that `--expand-stereo` has replaced by their stereoisomers. They are in no
    other count; the stereoisomers are."""
    products_expanded_in_part: int
    """Of those, products that have more stereoisomers than were asked for."""
    products_filtered: int
    """Products that a filter leaves out."""


class Demand(TypedDict):
    """Resources that a job occupies while it runs."""

    gpu: GpuDemand
    """A GPU."""
    memory_bytes: int
    """Memory budget."""
    threads: int
    """Chemistry workers."""


class Error(TypedDict):
    """The body of every answer that is not a success."""

    error: ErrorDetail
    """What is wrong."""


ErrorCode = Literal[
    "not_found", "method_not_allowed", "content_type", "body_too_large", "body_too_slow", "invalid", "forbidden",
    "not_ended", "idempotency_conflict", "too_large", "busy", "store", "encode"
]
"""The fixed words for kinds of errors."""


class _ErrorDetailAlways(TypedDict):
    code: ErrorCode
    """A fixed word for each kind of error."""
    message: str
    """The error in one line, for people."""


class ErrorDetail(_ErrorDetailAlways, total=False):
    """An error."""

    field: str
    """The header, the parameter or the part of the body that is wrong, such as `settings.input[0]`."""
    needs: Demand
    """With `too_large`: the resources that the job needs."""
    node: Resources
    """With `too_large`: the resources that the node has for jobs."""


EventKind = Literal["state", "progress"]
"""Kinds of server-sent events."""


GpuDemand = Literal["none", "if_free", "one"]
"""Whether a job needs a GPU."""


class Job(TypedDict):
    """A job as clients see it."""

    attempts: int
    """Number of job processes started for it."""
    cancel_asked: bool
    """Whether it was cancelled."""
    demand: Demand
    """Resources that it occupies while it runs."""
    ended_at: str | None
    """Time at which it reached a final state."""
    error: str | None
    """Why it failed, or why it was interrupted last."""
    exit_code: int | None
    """Exit code of its last process."""
    failures: int
    """Consecutive interruptions without progress."""
    id: int
    """Number of the job: 1, 2, 3 … in the order of submission."""
    mode: Mode
    """What the job does with an output directory that is not empty."""
    name: str | None
    """Name that its user gave to it."""
    priority: int
    """Higher goes first."""
    progress: Progress | None
    retry_at: str | None
    """Time at which an interrupted job starts again at the earliest."""
    seq: int
    """Number of its last state event."""
    settings: dict[str, Any]
    """As submitted; memory and threads are set."""
    started_at: str | None
    """Time at which it was first started."""
    state: State
    """Current state."""
    submitted_at: str
    """Time of submission."""
    user: JobUser
    """The user who submitted it."""
    worker_pid: int | None
    """Process id of its process, while there is one."""


class JobList(TypedDict):
    """One page of jobs, newest first."""

    jobs: list[Job]
    """The jobs."""
    next_before: int | None
    """Value of `before` for the next page; null if this is the last."""


class _JobSettingsAlways(TypedDict):
    input: list[str]
    """Library to read: files, directories or patterns; - is standard input."""
    output: str
    """Directory to write the products to; - prints them."""


class JobSettings(_JobSettingsAlways, total=False):
    """The keys of a job file. Paths are absolute. `overwrite` and `resume` are not settings: see `mode`."""

    alerts: list[Literal["pains", "pains_a", "pains_b", "pains_c", "brenk", "nih", "zinc", "chembl", "chembl_bms", "chembl_dundee", "chembl_glaxo", "chembl_inpharmatica", "chembl_lint", "chembl_mlsmr", "chembl_surechembl"]] | None
    """Leave out products that match a catalogue of structural alerts."""
    canonical: bool
    """Write the molecules that remain as canonical SMILES."""
    check: int | None
    """Have RDKit check all records of N molecules drawn at random."""
    chemistry: Literal["fast", "reference"] | None
    """How products are finished [default: fast]."""
    clean: list[Literal["cleanup", "fragment", "uncharge", "tautomer", "stereo"]] | bool | None
    """Remove salts and charges first, or do these steps."""
    columns: list[str] | None
    """Columns to write, in this order, such as smiles,parent_id [default: all]."""
    compression: str | None
    """Compression of Parquet parts: zstd[:1-9], snappy, lz4 or none [default: zstd:1]."""
    coordinates: Literal["stereo", "2d"] | None
    """Molecules of an SDF that have 2D coordinates [default: stereo]."""
    dedup: Literal["exact", "bloom"] | None
    """How to treat products that were seen before [default: exact]."""
    duplicates: bool
    """Write which rows were merged into which to duplicates.parquet."""
    engine: Literal["auto", "cpu", "cuda", "wgpu"] | None
    """What computes keys and probes the filter [default: auto]."""
    exclude: list[str]
    """Output directory of an earlier job whose products are left out."""
    expand_stereo: int | None
    """Replace products with open stereo centres by their stereoisomers, at most N of each."""
    expected_products: int | None
    """Distinct products to size the filter for [default: estimated]."""
    explain_drops: int | None
    """Write a sample of what is left out, N for each reason, to drops.parquet."""
    false_positive_rate: float | None
    """False-positive rate to size the filter for [default: 1e-6; 1e-9 with --dedup bloom]."""
    filter_last: bool
    """Filter only the products of the last step."""
    format: Literal["parquet", "smi", "smi.gz", "smi.zst", "csv", "csv.gz", "csv.zst", "sdf", "sdf.gz", "sdf.zst"] | None
    """Format of the parts: parquet, smi, csv or sdf [default: parquet]."""
    id_column: str | None
    """Column of the id, by name or number [default: by its name]."""
    keep_columns: list[str] | bool | None
    """Carry columns of the input to the products: all, or those named, such as price,vendor."""
    key: Literal["canonical", "structure"] | None
    """What tells molecules apart [default: canonical]."""
    max_products_per_parent: int | None
    """Most distinct products of one parent [default: 25000]."""
    max_products_per_step: int | None
    """Most distinct products of a step: those with the least keys are kept."""
    memory: int | str | None
    """Most resident memory [default: half of what there is]."""
    new_only: bool
    """Leave out products that are in the library itself."""
    no_header: bool
    """The text files have no header: the first line is a row."""
    parent_alerts: list[Literal["pains", "pains_a", "pains_b", "pains_c", "brenk", "nih", "zinc", "chembl", "chembl_bms", "chembl_dundee", "chembl_glaxo", "chembl_inpharmatica", "chembl_lint", "chembl_mlsmr", "chembl_surechembl"]] | None
    """Don't transform parents that match a catalogue of structural alerts."""
    parent_reject_smarts: list[str]
    """Don't transform parents that a SMARTS matches."""
    parent_require_smarts: list[str]
    """Transform only parents that a SMARTS matches."""
    parent_timeout: int | None
    """CPU seconds a parent may use without giving a product [default: 120]."""
    parent_where: list[str]
    """Transform only parents for which this holds."""
    part_size: int | str | None
    """Size at which a part is closed [default: 64MiB]."""
    properties: list[Literal["mw", "clogp", "tpsa", "hbd", "hba", "rotatable_bonds", "exact_mass", "heavy_atoms", "rings", "aromatic_rings", "fraction_csp3", "charge", "stereo_centres"]] | bool | None
    """Add columns of properties: all, or those named, such as mw,clogp."""
    reagents: list[str]
    """Reagents for rules of several reactants."""
    reject_smarts: list[str]
    """Leave out products that a SMARTS matches, or any SMARTS of a file."""
    require_smarts: list[str]
    """Keep only products that a SMARTS matches."""
    rules: list[str]
    """Reaction rules: TOML, YAML, CSV, JSON or text files."""
    sample: int | None
    """Combine parents with reagents N times in all, drawn evenly [default: in all ways]."""
    slot_size: int | str | None
    """Size of a slot of the ring [default: from the memory limit]."""
    slots: int | None
    """Slots of the ring [default: two per thread, as the memory limit allows]."""
    smiles: Literal["canonical", "direct"] | None
    """How products are written [default: canonical]."""
    smiles_column: str | None
    """Column of the SMILES, by name or number [default: by its name]."""
    step: list[dict[str, Any]]
    """The steps, each with rules of its own."""
    steps: int | None
    """How often to apply the rules, each time to what is new [default: 1]."""
    task: Literal["derive", "dedup"] | None
    """What the job does: derive (apply rules, or clean the library where there are none) or dedup (keep the first
    record of each molecule)."""
    threads: int | None
    """Cores to keep busy [default: the CPUs this process may use]."""
    where: list[str]
    """Keep only products for which this holds, such as 'mw <= 500'."""


class JobUser(TypedDict):
    """The user of a job."""

    name: str | None
    """User name; null if the user has no account."""
    uid: int
    """User id."""


Mode = Literal["refuse", "overwrite", "resume"]
"""What to do with an output directory that is not empty: refuse it, replace what an earlier job wrote there, or
resume that job."""


class Node(TypedDict):
    """The node: its budget, what running jobs occupy, and its devices."""

    admitted: Resources
    """Resources that running jobs occupy."""
    budget: Resources
    """Resources that all running jobs together may occupy."""
    devices: list[NvidiaDevice]
    """The NVIDIA devices that NVML reports."""
    jobs: dict[str, int]
    """Number of jobs by state."""
    load: list[float]
    """Load averages over 1, 5 and 15 minutes."""
    memory_available_bytes: int
    """Free memory of the node."""
    molsieve: str
    """Version of molsieve."""


class _NvidiaDeviceAlways(TypedDict):
    slowed_by: list[str]
    """Why its clocks are reduced; empty if they are not."""


class NvidiaDevice(_NvidiaDeviceAlways, total=False):
    """A device and its health."""

    bus_id: str | None
    """Address on the PCI bus, for example `00000000:17:00.0`."""
    ecc: bool | None
    """Whether memory errors are corrected."""
    free_bytes: int | None
    """Free memory."""
    memory_bytes: int | None
    """All of its memory."""
    mig: bool | None
    """Whether the device is divided (multi-instance GPU)."""
    name: str | None
    """Marketing name."""
    power_watts: int | None
    """Power drawn."""
    temperature_celsius: int | None
    """Degrees Celsius."""
    uncorrected_errors: int | None
    """Memory errors since the driver was loaded that could not be corrected."""
    uuid: str | None
    """`GPU-` and 32 hex digits."""


class _ProgressAlways(TypedDict):
    busiest: str
    """The busiest stage, with its share of the time it could have used."""
    bytes_written: int
    """Bytes written."""
    counts: Counts
    """What became of the rows and products of all steps that the sink has written."""
    elapsed_seconds: float
    """Time since the start of the run, that of earlier attempts included."""
    memory_budget_bytes: int
    """`--memory`."""
    memory_bytes: int
    """Resident memory of the process."""
    parents: int
    """Rows of its input."""
    parents_exact: bool
    """Whether they were counted rather than estimated."""
    parts: int
    """Parts published."""
    products_per_second: int
    """Mean rate in this step."""
    ring: RingProgress
    """The ring."""
    rows_read: int
    """Rows read from its input."""


class Progress(_ProgressAlways, total=False):
    """How far a job is."""

    earlier_rows: int
    """Rows that earlier steps have read, which `counts` has too."""
    remaining_seconds: float | None
    """Time until the last row of the step is read, at the mean rate so far."""
    settling: Settling | None
    step: int
    """The step in work, of which the first is 1; 0 reads what the library itself holds (`--new-only`)."""
    steps: int
    """Steps of the job."""


class Resources(TypedDict):
    """Memory, threads and GPUs."""

    gpus: int
    """GPUs."""
    memory_bytes: int
    """Memory."""
    threads: int
    """Chemistry workers."""


class RingProgress(TypedDict):
    """The slots of the ring."""

    free: int
    """Free ones."""
    slots: int
    """All."""
    workers_waiting: int
    """Workers that wait for a free one."""


class _ServerSentEventAlways(TypedDict):
    data: str
    """JSON of the event."""
    event: EventKind
    """Kind of the event."""


class ServerSentEvent(_ServerSentEventAlways, total=False):
    """What `text/event-stream` carries; see the description of the answer."""

    id: str
    """Number of the event."""


class Settling(TypedDict):
    """How far the exact deduplication is."""

    done: int
    """Keys and rows that were compared."""
    of: int
    """Keys and rows to compare."""


State = Literal["queued", "starting", "running", "stopping", "done", "failed", "cancelled", "interrupted"]
"""State of a job; done, failed and cancelled are final."""


class _SubmissionAlways(TypedDict):
    settings: JobSettings
    """The keys of a job file. Paths are absolute. `overwrite` and `resume` are not settings: see `mode`."""


class Submission(_SubmissionAlways, total=False):
    """A job to submit."""

    mode: Mode
    """What to do with an output directory that is not empty."""
    name: str | None
    """What you call the job."""
    priority: int
    """Higher goes first; above 0 for admins only."""


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


class Checked(TypedDict):
    """The result of `molsieve rules check`."""

    rules: int
    """Rules in the files."""
    rules_faulty: int
    """Rules with a fault."""
    examples: int
    """Examples that were run."""
    faults: int
    """Faults."""
    warnings: int
    """Warnings."""
    rules_without_examples: int
    """Rules without an example."""
    rules_searched_by_rdkit: int
    """Rules with a pattern that RDKit has to search for."""


class RouteRoot(TypedDict):
    """A molecule of the library."""

    row: int
    """0-based row over all inputs."""
    id: str
    """Its id, or its row number."""
    smiles: str
    """Its SMILES as read."""


class RouteReagent(TypedDict):
    """A reagent of a step."""

    id: str
    """Its id, or its row number in its set."""
    smiles: str
    """Its SMILES as read."""


class _RouteStepAlways(TypedDict):
    step: int
    """Its number, from 1."""
    rule: str
    """The rule that was applied."""
    site: int
    """Index of the match among the rule's matches."""
    smiles: str
    """What was made."""


class RouteStep(_RouteStepAlways, total=False):
    """A step of a route."""

    reagents: list[RouteReagent]
    """The reagents, if the rule has several reactants."""


class Route(TypedDict):
    """A way from a molecule of the library to a product."""

    root: RouteRoot
    """Where it begins."""
    steps: list[RouteStep]
    """What is made, step by step."""
