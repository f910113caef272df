#!/usr/bin/env bash
set -euo pipefail

usage() {
    cat <<'TEXT'
Makes a large library of cheap molecules (examples/synthetic_library.rs), runs jobs on it, and checks:
memory stays within --memory, in settling too; each distinct product appears once; settling takes under a
quarter of the time.

usage: scripts/large.sh [MOLECULES] [MEMORY]

  MOLECULES  size of the library     (default: 4000000, which make 22 million products)
  MEMORY     --memory                (default: 256MiB)

Runs the job four times: with MEMORY; with MEMORY and a filter that is wrong every other time, so that
half of all products are settled; with default settings; and with a filter so large (1e-12) that the
Bloom filter alone decides, as the reference for the others. Prints for each run the products, the time,
the share of settling and the peak memory (VmHWM as the kernel counts it). Ends with 1 if a check fails or
if the rows of two runs differ. Takes some minutes per million molecules and 3 GB of disk in $TMPDIR.
TEXT
}

molecules=${1:-4000000}
memory=${2:-256MiB}
if [[ $# -gt 2 || ! $molecules =~ ^[1-9][0-9]*$ ]]; then
    usage
    [[ ${1:-} =~ ^(-h|--help)$ ]] && exit 0
    exit 2
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/setup.sh
. scripts/setup.sh
# shellcheck source=scripts/python.sh
. scripts/python.sh
make_venv
cargo build --release --locked --bin molsieve --example synthetic_library
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
target/release/examples/synthetic_library "$molecules" >"$work/library.smi"

# run NAME FLAGS: GNU time is not everywhere, so the manifest's own VmHWM is read, which is the kernel's.
run() {
    local name=$1
    shift
    target/release/molsieve run --input "$work/library.smi" --rules examples/rules/synthetic.toml \
        --output "$work/$name" "$@" >"$work/$name.log" 2>&1 || {
        tail -n 3 "$work/$name.log" >&2
        exit 1
    }
    .venv/bin/python tests/oracle/large.py "$name" "$work/$name"
}

run within --memory "$memory"
run bad-filter --memory "$memory" --false-positive-rate 0.5
run default
run reference --memory 4GiB --dedup bloom --false-positive-rate 1e-12
.venv/bin/python tests/oracle/large.py --same "$work"/{reference,within,bad-filter,default}
