#!/usr/bin/env python3
"""Measures five jobs with a release of molsieve, and compares two such measurements.

usage: bench-history.py run BINARY [--output FILE] [--library FILE] [--repeat N] [--rows N] [--note TEXT] [--commit ID]
       bench-history.py pair OLD_BINARY NEW_BINARY [the same flags]
       bench-history.py compare OLD.json NEW.json

  run      runs each job N times (default: 5) and writes the figures, by default to benches/results/VERSION.json
  pair     runs two binaries in turns (A B A B …), compares them, and writes the figures of the new one
  compare  prints the change of each figure in percent, and which changes are beyond noise: those of which the range of all
           runs before and the range of all runs after do not meet. Compare measurements of one machine only.

  --library  a .smi file, or one with .gz, of 50,000 natural products: RDKit's Regress/Data/znp.50k.smi.gz.
             Without it, the shipped library of 621 molecules, read 20 times over, takes its place.
  --commit   of the release that is measured (default: that of this clone)
  --rows     rows of the library that are used (default: all; a tenth of them for --properties)

Times are whole processes, in seconds of the wall clock. The checksum of a job's parts shows whether two releases wrote the
same bytes. Ends with 1 if a job fails; `compare` and `pair` end with 1 if a figure is worse by more than 3 % and beyond
noise.
"""

import argparse
import datetime
import gzip
import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "examples/natural_products.csv"
SHIPPED_RULES = ROOT / "examples/rules/natural_products.toml"
FIVE_RULES = ROOT / "tests/oracle/five.toml"
SCHEMA_VERSION = 1
# A change for the worse of more than this, beyond noise, is a regression.
TOLERANCE = 0.03


def jobs(folder: Path) -> dict[str, list[str]]:
    """The five jobs, by name."""
    library, few = str(folder / "library.smi"), str(folder / "few.smi")
    return {
        "shipped_library_all_rules": ["run", "--input", str(SHIPPED), "--rules", str(SHIPPED_RULES)],
        "library_five_rules_256mib": ["run", "--input", library, "--rules", str(FIVE_RULES), "--memory", "256MiB"],
        "dedup": ["dedup", "--input", library],
        "key_structure": ["run", "--input", library, "--rules", str(FIVE_RULES), "--key", "structure"],
        "properties": ["run", "--input", few, "--rules", str(FIVE_RULES), "--properties"],
    }


def read_library(path: Path | None, rows: int | None) -> list[bytes]:
    """The lines of the library."""
    if path is None:
        table = [line.split(b",") for line in SHIPPED.read_bytes().splitlines()[1:]]
        lines = [b" ".join(row[:2]) for row in table] * 20
    else:
        data = path.read_bytes()
        lines = (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines()
    return lines[:rows]


def checksum(parts: Path) -> str:
    """SHA-256 of the parts' bytes, one after the other."""
    whole = hashlib.sha256()
    for part in sorted(parts.iterdir()):
        whole.update(part.read_bytes())
    return whole.hexdigest()


def run_once(binary: Path, name: str, arguments: list[str], folder: Path) -> dict:
    """Runs a job and gives its figures."""
    output = folder / "out"
    started = time.monotonic()
    ended = subprocess.run(
        [binary, *arguments, "--output", output, "--overwrite"], capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - started
    # 4: done, and some rows were rejected or capped
    if ended.returncode not in (0, 4):
        sys.exit(f"bench-history: {name} ended with {ended.returncode}: {ended.stderr}")
    manifest = json.loads((output / "manifest.json").read_text("utf-8"))
    return {
        "seconds": seconds,
        "peak_memory_bytes": manifest["peak_memory_bytes"],
        "rows_written": sum(file["rows"] for file in manifest["files"]),
        "parts_sha256": checksum(output / "products"),
    }


def summary(runs: list[dict], arguments: list[str]) -> dict:
    """The figures of a job: medians, and every run's time."""
    checksums = {run["parts_sha256"] for run in runs}
    if len(checksums) != 1:
        sys.exit(f"bench-history: two runs of one job wrote different parts: {checksums}")
    shown = [Path(word).name if word.startswith("/") else word for word in arguments]
    return {
        "command": " ".join(["molsieve", *shown]),
        "seconds_median": round(statistics.median(run["seconds"] for run in runs), 3),
        "seconds": [round(run["seconds"], 3) for run in runs],
        "peak_memory_bytes_median": int(statistics.median(run["peak_memory_bytes"] for run in runs)),
        "peak_memory_bytes": [run["peak_memory_bytes"] for run in runs],
        "rows_written": runs[0]["rows_written"],
        "parts_sha256": checksums.pop(),
    }


def machine() -> dict:
    """What the figures depend on."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": models[0] if models else "unknown",
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": memory_bytes,
        "system": f"{platform.system()} {platform.release()}",
    }


def version(binary: Path) -> str:
    """As `molsieve --version` says it."""
    return subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]


def commit() -> str:
    """The commit of this clone, with a mark if files differ from it."""
    git = ["git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    ended = subprocess.run(git, capture_output=True, text=True, check=False)
    return ended.stdout.strip() or "unknown"


def measure(binaries: list[Path], options: argparse.Namespace) -> list[dict]:
    """Runs all jobs with each binary, in turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = read_library(options.library, options.rows)
        (folder / "library.smi").write_bytes(b"\n".join(lines) + b"\n")
        (folder / "few.smi").write_bytes(b"\n".join(lines[: max(1, len(lines) // 10)]) + b"\n")
        figures: list[dict[str, dict]] = [{} for _ in binaries]
        for job, arguments in jobs(folder).items():
            runs: list[list[dict]] = [[] for _ in binaries]
            for _ in range(options.repeat):
                for binary, so_far in zip(binaries, runs):
                    so_far.append(run_once(binary, job, arguments, folder))
            for of_binary, of_job in zip(figures, runs):
                of_binary[job] = summary(of_job, arguments)
            print(f"{job}: {[of_binary[job]['seconds_median'] for of_binary in figures]} s", file=sys.stderr)
        library = options.library.name if options.library else f"{SHIPPED.name}, 20 times over"
    return [
        {
            "schema_version": SCHEMA_VERSION,
            "molsieve": version(binary),
            "commit": options.commit or (commit() if binary == binaries[-1] else "unknown"),
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "machine": machine(),
            "library": {"name": library, "rows": len(lines)},
            "note": options.note,
            "jobs": of_binary,
        }
        for binary, of_binary in zip(binaries, figures)
    ]


def write(figures: dict, path: Path) -> None:
    """Writes the figures of a release."""
    path.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    print(f"wrote {path}", file=sys.stderr)


def compare(old: dict, new: dict) -> int:
    """Prints the changes; gives 1 if one is a regression."""
    for key in ("machine", "library"):
        if old[key] != new[key]:
            print(f"not the same {key}: {old[key]} and {new[key]}; the changes say little")
    print(f"{old['molsieve']} ({old['commit']}, {old['date']}) → {new['molsieve']} ({new['commit']}, {new['date']})\n")
    print(f"{'job':28}{'figure':8}{'before':>12}{'after':>12}{'change':>9}")
    worse = False
    for job, after in new["jobs"].items():
        before = old["jobs"].get(job)
        if before is None:
            print(f"{job:28}new")
            continue
        for label, key, unit in (("time, s", "seconds", 1), ("MiB", "peak_memory_bytes", 2**20)):
            left, right = before[f"{key}_median"] / unit, after[f"{key}_median"] / unit
            change = right / left - 1
            beyond = min(after[key]) > max(before[key]) or max(after[key]) < min(before[key])
            verdict = "beyond noise" if beyond else "within noise"
            worse |= beyond and change > TOLERANCE
            print(f"{job:28}{label:8}{left:12.3f}{right:12.3f}{change:+9.1%}  {verdict}")
        if before["parts_sha256"] != after["parts_sha256"]:
            print(f"{job:28}the parts differ: {before['rows_written']:,} rows before, {after['rows_written']:,} after")
    return int(worse)


def main() -> int:
    """Parses the command line."""
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].removeprefix("usage: "), add_help=False)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("verb", nargs="?", choices=["run", "pair", "compare"])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--library", type=Path)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--note", default="")
    parser.add_argument("--commit")
    options = parser.parse_args()
    wanted = {"run": 1, "pair": 2, "compare": 2, None: -1}[options.verb]
    if options.help or len(options.files) != wanted:
        print(__doc__.strip())
        return 0 if options.help else 2
    if options.verb == "compare":
        return compare(*(json.loads(path.read_text("utf-8")) for path in options.files))
    figures = measure([path.resolve() for path in options.files], options)
    newest = figures[-1]
    write(newest, options.output or ROOT / "benches/results" / f"{newest['molsieve']}.json")
    return compare(*figures) if options.verb == "pair" else 0


if __name__ == "__main__":
    sys.exit(main())
