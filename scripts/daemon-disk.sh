#!/usr/bin/env bash
set -euo pipefail

usage() {
    cat <<'TEXT'
Fills the disks of a daemon and of its jobs in random orders while jobs run, and frees them again.

usage: scripts/daemon-disk.sh [ORDERS] [SEED]

  ORDERS  how many orders     (default: 20; about 20 seconds each)
  SEED    of the first order  (default: another one every time)

The disks are small file systems, tmpfs and ext4 in turns, so this needs root. Does the set-up of scripts/test.sh and
runs a test of the test suite with more orders. Ends with 1 unless every job is done by itself, with the same bytes as
an uninterrupted run.
TEXT
}

orders=${1:-20}
seed=${2:-$RANDOM}
if [[ $# -gt 2 || ! $orders =~ ^[1-9][0-9]*$ || ! $seed =~ ^[1-9][0-9]*$ ]]; then
    usage
    [[ ${1:-} =~ ^(-h|--help)$ ]] && exit 0
    exit 2
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/setup.sh
. scripts/setup.sh
echo "seed $seed"
MOLSIEVE_DISK_ORDERS=$orders MOLSIEVE_DISK_SEED=$seed \
    cargo test --release --locked --test it -- full_disk::every_job_is_done --nocapture
