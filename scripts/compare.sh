#!/usr/bin/env bash
set -euo pipefail
shopt -s inherit_errexit

usage() {
    cat <<'TEXT'
Compares molsieve with the same job done the usual way in Python (benches/baseline).

usage: scripts/compare.sh [LIBRARY] [SMIRKS] [--pairs N] [--threads N] [--repeat N]

  LIBRARY      .smi or .csv, or either with .gz   (default: examples/natural_products.csv)
  SMIRKS       the rule, one reactant             (default: [cH:1]>>[c:1]F)
  --pairs N    runs of each, taken in turns       (default: 3)
  --threads N  molsieve's threads and Python's processes (default: the CPUs this process may use)
  --repeat N   read the library N times over      (default: 20 for the shipped library, else 1)

The shipped library is small, so by default it is repeated. The chemistry is done, and costs the
same, for every repeat; only deduplication has more repeats to drop than in a real library.

Prints per pair and as medians: products per second of each (valid ones made, repeats included),
their ratio, and peak memory: for molsieve the peak resident set it reports, for Python the sum over
its processes as RSS (shared pages count once per process) and as PSS (shared pages divided).
Each tool's time is its own, without the start of the interpreter. Ends with 1 if the two did not
make the same number of products.

MOLSIEVE  the binary to run     (default: target/release/molsieve)
PYTHON    a Python with the packages of tests/oracle/requirements.txt
          (default: .venv in the repository, made when missing; Python 3.11 or later)
TEXT
}

die() {
    echo "compare: $1" >&2
    exit "${2:-1}"
}

# Prints a Python that has the pinned packages; makes .venv for that when PYTHON is not set.
python_with_packages() {
    if [ -n "${PYTHON:-}" ]; then
        echo "$PYTHON"
        return
    fi
    (cd "$root" && make_venv) || die "the Python packages of tests/oracle/requirements.txt cannot be installed"
    echo "$root/.venv/bin/python"
}

# Writes LIBRARY $repeat times over, unpacked, and keeps one CSV header.
repeat_library() {
    local plain=$work/plain
    gzip --decompress --force --stdout "$library" >"$plain"
    case $extension in
        csv) head -n 1 "$plain" && for ((i = 0; i < repeat; i++)); do awk 'NR > 1' "$plain"; done ;;
        *) for ((i = 0; i < repeat; i++)); do awk 1 "$plain"; done ;;
    esac
    rm "$plain"
}

run_molsieve() {
    local pair=$1 status=0
    "$molsieve" run --input "$input" --rules "$work/rule.toml" --output "$work/out" \
        --threads "$threads" --dedup bloom >"$work/molsieve.log" 2>&1 || status=$?
    # 4: done, and some rows were rejected or capped
    if [[ $status -ne 0 && $status -ne 4 ]]; then
        cat "$work/molsieve.log" >&2
        die "molsieve ended with $status"
    fi
    mv "$work/out/manifest.json" "$work/molsieve-$pair.json"
    rm -r "$work/out"
}

run_python() {
    local pair=$1
    "$python" "$root/benches/baseline/python_pipeline.py" "$input" "$smirks" "$work/out.parquet" \
        --workers "$threads" >"$work/python-$pair.json"
    rm "$work/out.parquet"
}

describe_machine() {
    local model memory
    model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
    memory=$(awk '/^MemTotal:/ { printf "%.1f GiB", $2 / 1048576 }' /proc/meminfo)
    echo "machine  $(nproc) cores, ${model:-unknown CPU}, $memory RAM"
}

report() {
    "$python" - "$work" "$pairs" <<'TEXT'
import json, statistics, sys
from pathlib import Path

work, pairs = Path(sys.argv[1]), int(sys.argv[2])
MIB = 2**20
rows, made = [], set()
for pair in range(1, pairs + 1):
    ours = json.loads((work / f"molsieve-{pair}.json").read_text())
    theirs = json.loads((work / f"python-{pair}.json").read_text())
    counts = ours["counts"]
    valid = counts["products_made"] - counts["products_invalid"] - counts["products_capped"]
    made |= {("molsieve", valid), ("python", theirs["products"])}
    rate = valid / ours["elapsed_seconds"]
    rows.append((rate, theirs["products_per_second"], rate / theirs["products_per_second"],
                 ours["peak_memory_bytes"] / MIB, theirs["peak_rss_bytes"] / MIB,
                 theirs["peak_pss_bytes"] / MIB))

print(f"parents  {theirs['parents']:,} read by Python, {ours['counts']['parents_read']:,} by molsieve")
print(f"products {theirs['products']:,} made by Python, {theirs['unique']:,} of them kept; "
      f"{valid:,} by molsieve, {ours['counts']['products_unique']:,} kept")
print(f"\n{'':8}{'products/s':^24}{'':8}{'peak memory, MiB':^36}")
print(f"{'pair':8}{'molsieve':>12}{'python':>12}{'ratio':>8}{'molsieve':>12}{'python RSS':>12}{'PSS':>12}")
medians = [statistics.median(column) for column in zip(*rows)]
for label, row in [*enumerate(rows, 1), ("median", medians)]:
    print(f"{label:<8}{row[0]:12,.0f}{row[1]:12,.0f}{row[2]:8.2f}{row[3]:12,.0f}{row[4]:12,.0f}{row[5]:12,.0f}")
if len({number for _, number in made}) > 1:
    sys.exit(f"compare: not the same number of products, so the ratio means nothing: {sorted(made)}")
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/python.sh
. "$root/scripts/python.sh"
pairs=3
threads=$(nproc)
repeat=
positional=()
while [[ $# -gt 0 ]]; do
    case $1 in
        -h | --help)
            usage
            exit 0
            ;;
        --pairs | --threads | --repeat)
            [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "$1 needs a whole number above 0" 2
            declare "${1#--}=$2"
            shift 2
            ;;
        -*) die "unknown option $1; see --help" 2 ;;
        *)
            positional+=("$1")
            shift
            ;;
    esac
done
[[ ${#positional[@]} -le 2 ]] || die "too many arguments; see --help" 2
library=${positional[0]:-$root/examples/natural_products.csv}
smirks=${positional[1]:-[cH:1]>>[c:1]F}
[[ -n $repeat ]] || repeat=$([[ ${#positional[@]} -eq 0 ]] && echo 20 || echo 1)
molsieve=${MOLSIEVE:-$root/target/release/molsieve}

[[ -f $library ]] || die "no such file: $library" 2
case ${library%.gz} in
    *.csv) extension=csv ;;
    *.smi) extension=smi ;;
    *) die "not .smi, .csv, .smi.gz or .csv.gz: $library" 2 ;;
esac
[[ $smirks != *"'"* ]] || die "the SMIRKS holds a quote: $smirks" 2
[[ -x $molsieve ]] || die "no molsieve at $molsieve; build it with: cargo build --release" 2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$(python_with_packages)
input=$library
if [[ $repeat -gt 1 ]]; then
    input=$work/library.$extension
    repeat_library >"$input"
fi
printf '[[rule]]\nname = "rule"\nsmirks = '"'%s'"'\n' "$smirks" >"$work/rule.toml"

describe_machine
echo "library  ${library#"$root"/}, read $repeat times over; rule $smirks; $threads threads or processes"
for ((pair = 1; pair <= pairs; pair++)); do
    run_molsieve "$pair"
    run_python "$pair"
    echo "pair $pair of $pairs done" >&2
done
report
