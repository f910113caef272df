"""Answers of the daemon. python/generate.py writes this file from their definitions."""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class Change(TypedDict, total=False):
    """What to change of a job that has not ended. What is left out stays as it is."""

    memory: int | str | None
    """The setting `memory` of a job that waits."""
    priority: int
    """Higher goes first; above 0 for admins only."""
    threads: int | None
    """The setting `threads` of a job that waits."""


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


class EndList(TypedDict):
    """Those of several jobs that have ended."""

    ended: list[JobEnd]
    """The jobs, in the order of their numbers."""


class Error(TypedDict):
    """The body of every answer that is not a success."""

    error: ErrorDetail
    """What is wrong."""


ErrorCode = Literal[
    "not_found", "method_not_allowed", "content_type", "body_too_large", "body_too_slow", "invalid", "forbidden",
    "not_ended", "ended", "not_waiting", "idempotency_conflict", "too_large", "quota", "queue_full", "busy",
    "store", "state_full", "encode"
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

    after: list[int]
    """Jobs that must be done before it starts."""
    after_any: list[int]
    """Jobs that must have ended before it starts, in whatever way."""
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
    labels: list[str]
    """Words to find it by."""
    mode: Mode
    """What the job does with an output directory that is not empty."""
    name: str | None
    """Name that its user gave to it."""
    notify: str | None
    """Command or local address that reports its end."""
    priority: int
    """Higher goes first."""
    progress: Progress | None
    retries: int | None
    """Restarts without progress that it asks for; null for those of the daemon."""
    retry_at: str | None
    """Time at which an interrupted job starts again at the earliest, or at which the daemon checks again whether
    the disk has the space that the job waits for."""
    seq: int
    """Number of its last state event."""
    settings: dict[str, Any]
    """As submitted; memory and threads are set, and may have been changed since."""
    started_at: str | None
    """Time at which it was first started."""
    state: State
    """Current state."""
    submitted_at: str
    """Time of submission."""
    user: JobUser
    """The user who submitted it."""
    waits_for: WaitsFor | None
    waits_for_jobs: list[int]
    """Those of `after` and `after_any` that it still waits for."""
    waits_for_space: SpaceWait | None
    worker_pid: int | None
    """Process id of its process, while there is one."""


class JobEnd(TypedDict):
    """How a job has ended."""

    exit_code: int | None
    """Exit code of its last process."""
    id: int
    """Number of the job."""
    state: State
    """Its state: done, failed or cancelled."""


class JobGpu(TypedDict):
    """A GPU for jobs as the daemon shows it."""

    jobs: int
    """Jobs that have it."""
    jobs_max: int
    """Most jobs that it takes at a time."""
    left_out: str | None
    """Why it takes no further job; null if it does."""
    memory_bytes: int | None
    """All of its memory."""
    uuid: str | None
    """UUID of the device, or of a slice of a divided one."""


class JobList(TypedDict):
    """One page of jobs, newest first."""

    jobs: list[Job]
    """The jobs."""
    next_before: int | None
    """Value of `before` for the next page; null if this is the last."""
    total: int | None
    """With `count`: number of the jobs on all pages; else null."""


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


class _NodeAlways(TypedDict):
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


class Node(_NodeAlways, total=False):
    """The node: its budget, what running jobs occupy, and its devices."""

    gpus: list[JobGpu]
    """The GPUs for jobs, and why some are left out."""


class _NvidiaDeviceAlways(TypedDict):
    slowed_by: list[str]
    """Why its clocks are reduced; empty if they are not."""


class NvidiaDevice(_NvidiaDeviceAlways, total=False):
    """A device and its health."""

    bus_id: str | None
    """Address on the PCI bus, for example `00000000:17:00.0`."""
    ecc: bool | None
    """Whether memory errors are corrected."""
    fault: str | None
    """Why NVML can't reach it, for example because it has fallen off the bus."""
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
    slices: list[NvidiaSlice]
    """The slices of a divided device."""
    slowdown_celsius: int | None
    """Temperature from which on the device reduces its clocks."""
    temperature_celsius: int | None
    """Degrees Celsius."""
    uncorrected_errors: int | None
    """Memory errors since the driver was loaded that could not be corrected."""
    utilisation_percent: int | None
    """Share of the time in which a kernel ran lately, in percent."""
    uuid: str | None
    """`GPU-` and 32 hex digits."""


class NvidiaSlice(TypedDict, total=False):
    """A slice of a divided device (MIG device)."""

    free_bytes: int | None
    """Free memory."""
    memory_bytes: int | None
    """All of its memory."""
    uuid: str | None
    """`MIG-` and 32 hex digits."""


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


class Quota(TypedDict):
    """A quota; null where there is no limit."""

    gpus: int | None
    """GPUs of running jobs."""
    memory_bytes: int | None
    """Memory of running jobs."""
    running: int | None
    """Running jobs."""
    threads: int | None
    """Threads of running jobs."""
    waiting: int | None
    """Waiting jobs."""


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


class SelectedJob(TypedDict):
    """A job that was cancelled or forgotten."""

    id: int
    """Number of the job."""
    state: State
    """Its state after that."""


class SelectedJobs(TypedDict):
    """The jobs that one request has cancelled or forgotten, newest first."""

    jobs: list[SelectedJob]
    """The jobs."""
    next_before: int | None
    """Value of `before` for the next request; null if there are no more."""


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


class SpaceWait(TypedDict):
    """The disk space that a job waits for."""

    free_bytes: int
    """Bytes that were free when the daemon last checked."""
    needed_bytes: int
    """Free bytes with which the job continues."""
    path: str
    """A directory on the file system that is full."""
    quota: bool
    """Whether a quota is used up, and not the file system."""
    since: str
    """Time since which the job waits."""


State = Literal["queued", "starting", "running", "stopping", "done", "failed", "cancelled", "interrupted"]
"""State of a job; done, failed and cancelled are final."""


class _SubmissionAlways(TypedDict):
    settings: JobSettings
    """The keys of a job file. Paths are absolute. `overwrite` and `resume` are not settings: see `mode`."""


class Submission(_SubmissionAlways, total=False):
    """A job to submit."""

    after: list[int]
    """Jobs that must be done before it starts. If one of them fails or is cancelled, so is this job."""
    after_any: list[int]
    """Jobs that must have ended before it starts, in whatever way."""
    labels: list[str]
    """Words to find the job by, plain or KEY=VALUE."""
    mode: Mode
    """What to do with an output directory that is not empty."""
    name: str | None
    """What you call the job."""
    notify: str
    """A command, or `http://127.0.0.1:PORT/PATH` or `unix:/PATH` for a POST, that reports its end."""
    priority: int
    """Higher goes first; above 0 for admins only."""
    retries: int
    """Restarts without progress after which it fails: at most those of the daemon, which are the default."""


class Used(TypedDict):
    """What a user has waiting and running."""

    gpus: int
    """GPUs of running jobs."""
    memory_bytes: int
    """Memory of running jobs."""
    running: int
    """Running jobs."""
    threads: int
    """Threads of running jobs."""
    waiting: int
    """Waiting jobs."""


class User(TypedDict):
    """A user's quota, and what is used of it."""

    exempt: bool
    """Whether no quota holds: root, the daemon's own user and admins."""
    quota: Quota
    """The most that the user may have waiting and running."""
    recent_use: float
    """The user's recent use of the node, 0 to 1: the mean dominant share, in which a time counts half for each
    half-life that it is ago."""
    used: Used
    """What the user has waiting and running."""
    user: JobUser
    """The user."""


class Wait(TypedDict):
    """The jobs to wait for."""

    jobs: list[int]
    """Numbers of the jobs."""


WaitsFor = Literal["larger_budget", "jobs", "disk_space", "retry", "resources", "gpu"]
"""What a job waits for."""
