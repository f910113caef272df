#!/usr/bin/env bash
set -euo pipefail

usage() {
    cat <<'TEXT'
Puts molsieve to the test on a machine with an NVIDIA GPU. Needs no network and no cargo: runs the binary
of a pack (scripts/gpu-pack.sh), or target/release/molsieve.

usage: gpu-check.sh [--seconds S] [--max-filter SIZE] [RESULTS]

  RESULTS            folder for what comes out    (default: gpu-check)
  --seconds S        of molsieve bench            (default: 1)
  --max-filter SIZE  of molsieve bench            (default: as large as fits)

  doctor.txt, doctor.json     the machine, and every engine and its structure keys against the CPU's
  sanitizer-TOOL.txt          the same under compute-sanitizer, where that is on the PATH
  bench.json, bench.html      what the engines are worth
  run-ENGINE.txt              the shipped library with all shipped rules on cuda and cpu
  dedup-ENGINE.txt            what those made, twice, without repeats, on cuda and cpu
  summary.txt                 one screen, also printed at the end

Ends with 0 if all is well, 1 if anything fails or there is no GPU to test, 2 for a wrong call.

MOLSIEVE  the binary to run, if not the pack's
TEXT
}

seconds=1
results=
bench_flags=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --seconds) seconds=${2:-} && shift ;;
    --max-filter) bench_flags=(--max-filter "${2:-}") && shift ;;
    -*) usage && exit 2 ;;
    *) [ -z "$results" ] || { usage && exit 2; } && results=$1 ;;
    esac
    shift || { usage && exit 2; }
done
results=${results:-gpu-check}

home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ -x "$home/bin/molsieve" ]; then
    binary=$home/bin/molsieve
else
    home=$(dirname "$home")
    binary=$home/target/release/molsieve
fi
binary=${MOLSIEVE:-$binary}
if ! "$binary" --version >/dev/null 2>&1; then
    echo "gpu-check: $binary does not start:" >&2
    "$binary" --version >&2 || exit 1
fi
mkdir -p "$results"
results=$(realpath "$results")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

failed=0
summary=("molsieve GPU check, $(date -u +%Y-%m-%dT%H:%M:%SZ), $("$binary" --version), $(uname -n)")
note() {
    summary+=("$1")
    echo "$1" >&2
}
# check NAME COMMAND…: runs it and notes how it went and how long it took.
check() {
    local name=$1 began=$SECONDS
    shift
    if "$@"; then
        note "  ok      $name ($((SECONDS - began)) s)"
    else
        note "  FAILED  $name ($((SECONDS - began)) s)"
        failed=1
    fi
}
finish() {
    [ "$failed" = 0 ] && summary+=("all is well") || summary+=("SOMETHING FAILED; see the files in $results")
    echo
    printf '%s\n' "${summary[@]}" | tee "$results/summary.txt"
    exit "$failed"
}

doctor() {
    "$binary" doctor "$work" >"$results/doctor.txt" 2>"$results/doctor.err"
}
doctor_json() {
    "$binary" doctor "$work" --json >"$results/doctor.json" 2>>"$results/doctor.err"
}
check "doctor: every engine and its structure keys agree with the CPU" doctor
check "doctor --json" doctor_json
# The lines on devices, drivers and engines as doctor has them.
while read -r line; do
    summary+=("          $line")
done < <(grep -E '^ +(NVIDIA|GPU|engine|keys) ' "$results/doctor.txt")
if missing=$(grep -E '^ +engine cuda +not there' "$results/doctor.txt"); then
    note "  FAILED  there is no NVIDIA GPU to test:${missing#*not there:}"
    failed=1
    finish
fi

# sanitize TOOL: every engine against fastbloom again, under a tool that sees wrong accesses.
sanitize() {
    compute-sanitizer --tool "$1" --error-exitcode 9 "$binary" doctor "$work" \
        >"$results/sanitizer-$1.txt" 2>&1
}
if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck; do
        check "doctor under compute-sanitizer $tool" sanitize "$tool"
    done
else
    note "  skipped compute-sanitizer is not on the PATH"
fi

bench() {
    "$binary" bench --seconds "$seconds" "${bench_flags[@]}" --json --html "$results/bench.html" \
        >"$results/bench.json" 2>"$results/bench.err"
}
check "bench" bench

# on_engine ENGINE COMMAND FLAG…: a job; one that leaves the engine fails too.
on_engine() {
    local engine=$1 command=$2
    shift 2
    "$binary" "$command" --engine "$engine" --memory 1GiB --output "$work/$command-$engine" --overwrite "$@" \
        >"$results/$command-$engine.txt" 2>&1 &&
        grep -qE "\"engine\": *\"$engine\"" "$work/$command-$engine/manifest.json"
}
run() {
    on_engine "$1" run --input "$home/examples/natural_products.csv" \
        --rules "$home/examples/rules/natural_products.toml"
}
# Twice, so that half of the rows are repeats.
dedup() {
    on_engine "$1" dedup --input "$work/run-cpu/products" --input "$work/run-cuda/products" --check 1000 &&
        grep -qE "\"keys_made_by\": *\"$1\"" "$work/dedup-$1/manifest.json"
}
same_parts() {
    local part parts=0
    for part in "$work/$1"-cpu/products/part-*.parquet; do
        cmp "$part" "$work/$1-cuda/products/$(basename "$part")" || return 1
        parts=$((parts + 1))
    done
    [ "$parts" -gt 0 ] && [ "$parts" = "$(find "$work/$1-cuda" -name 'part-*.parquet' | wc -l)" ]
}
for command in run dedup; do
    check "$command on cuda" "$command" cuda
    check "$command on cpu" "$command" cpu
    check "both wrote the same bytes" same_parts "$command"
done
# What bench makes of it, sentence by sentence.
while read -r line; do
    summary+=("          $line")
done < <(grep -o '"words":\[[^]]*\]' "$results/bench.json" | grep -oE '"[A-Z][^"]*"' | tr -d '"')
finish
