#!/usr/bin/env bash
set -euo pipefail

usage() {
    cat <<'TEXT'
The daemon over a long time: JOBS short jobs, then a day without any on a clock that runs 1,440 times as fast
(libfaketime). Memory, descriptors, threads and state must not grow beyond what docs/operating.md says.

usage: scripts/daemon-soak.sh [JOBS]        (default: 10000)

Does the set-up of scripts/test.sh and runs a test of the test suite with more jobs. Ends with 1 if something grows.
TEXT
}

jobs=${1:-10000}
if [[ $# -gt 1 || ! $jobs =~ ^[1-9][0-9]*$ ]]; then
    usage
    [[ ${1:-} =~ ^(-h|--help)$ ]] && exit 0
    exit 2
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/setup.sh
. scripts/setup.sh
[ -e /usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1 ] || apt_install libfaketime
MOLSIEVE_SOAK=$jobs cargo test --release --locked --test it -- daemon_soak:: --nocapture
