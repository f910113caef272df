#!/usr/bin/env bash
set -euo pipefail
shopt -s inherit_errexit

usage() {
    cat <<'TEXT'
Compares `molsieve dedup` with the same job done the usual way in Python (benches/baseline/python_dedup.py).

usage: scripts/compare-dedup.sh LIBRARY.smi [--pairs N] [--threads N] [--memory SIZE]

  --pairs N      runs of each, taken in turns    (default: 3)
  --threads N    molsieve's threads and Python's processes (default: the CPUs this process may use)
  --memory SIZE  of molsieve                     (default: 256MiB)

benches/baseline/raw_library.py makes a library to try it on. Prints seconds of each, files included, their
ratio, and molsieve's peak memory; then how many rows both keep, and those that only one of them does. Python's
seconds are without the interpreter's start, molsieve's are those of the whole process. Ends with 1 if more than
one row in 100,000 is kept by only one: RDKit has several canonical SMILES for a few molecules, and Python then
keeps them twice.

MOLSIEVE  the binary to run     (default: target/release/molsieve)
PYTHON    a Python with the packages of tests/oracle/requirements.txt
          (default: .venv in the repository, made when missing; Python 3.11 or later)
TEXT
}

die() {
    echo "compare-dedup: $1" >&2
    exit "${2:-1}"
}

run_molsieve() {
    local status=0 began=${EPOCHREALTIME/,/.}
    "$molsieve" dedup --input "$library" --output "$work/out" --overwrite --threads "$threads" \
        --memory "$memory" >"$work/molsieve.log" 2>&1 || status=$?
    local ended=${EPOCHREALTIME/,/.}
    # 4: done, and some rows were rejected
    if [[ $status -ne 0 && $status -ne 4 ]]; then
        cat "$work/molsieve.log" >&2
        die "molsieve ended with $status"
    fi
    echo "$began $ended"
}

compare_rows() {
    "$python" - "$work" "$library" <<'TEXT'
import sys
from pathlib import Path

import pyarrow.parquet as pq

work, library = Path(sys.argv[1]), Path(sys.argv[2])
ours = set()
for part in sorted((work / "out/products").glob("part-*.parquet")):
    ours |= set(pq.read_table(part, columns=["parent_row"])["parent_row"].to_pylist())
theirs = set(pq.read_table(work / "out.parquet", columns=["parent_row"])["parent_row"].to_pylist())
lines = library.read_text().splitlines()
only = sorted(ours ^ theirs)
print(f"\nrows     {len(lines):,} read; {len(ours & theirs):,} kept by both, {len(ours - theirs):,} by molsieve only, "
      f"{len(theirs - ours):,} by Python only")
for row in only[:20]:
    print(f"  {'molsieve' if row in ours else 'python':9} row {row}: {lines[row].split()[0]}")
sys.exit(len(only) * 100_000 > len(lines))
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/python.sh
. "$root/scripts/python.sh"
pairs=3 threads=$(nproc) memory=256MiB library=
while [[ $# -gt 0 ]]; do
    case $1 in
        -h | --help) usage && exit 0 ;;
        --pairs | --threads)
            [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "$1 needs a whole number above 0" 2
            declare "${1#--}=$2"
            shift 2
            ;;
        --memory)
            memory=${2:-}
            shift 2 || die "--memory needs a size" 2
            ;;
        -*) die "unknown option $1; see --help" 2 ;;
        *)
            [[ -z $library ]] || die "too many arguments; see --help" 2
            library=$1
            shift
            ;;
    esac
done
[[ -n $library ]] || die "which library? See --help" 2
[[ -f $library ]] || die "no such file: $library" 2
molsieve=${MOLSIEVE:-$root/target/release/molsieve}
[[ -x $molsieve ]] || die "no molsieve at $molsieve; build it with: cargo build --release" 2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PYTHON:-$root/.venv/bin/python}
[[ -n ${PYTHON:-} ]] || (cd "$root" && make_venv) || die "the Python packages cannot be installed"

model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
echo "machine  $(nproc) cores, ${model:-unknown CPU}; $threads threads or processes, --memory $memory"
printf '%-8s%12s%12s%8s%16s\n' pair "molsieve s" "python s" ratio "molsieve MiB"
for ((pair = 1; pair <= pairs; pair++)); do
    took=$(run_molsieve)
    read -r began ended <<<"$took"
    theirs=$("$python" "$root/benches/baseline/python_dedup.py" "$library" "$work/out.parquet" --processes "$threads")
    peak=$(grep -oE '"peak_memory_bytes": *[0-9]+' "$work/out/manifest.json" | grep -oE '[0-9]+$')
    awk -v pair="$pair" -v began="$began" -v ended="$ended" -v theirs="${theirs%% *}" -v peak="$peak" \
        'BEGIN { ours = ended - began
                 printf "%-8s%12.2f%12.1f%8.1f%16.0f\n", pair, ours, theirs, theirs / ours, peak / 1048576 }'
done
compare_rows
