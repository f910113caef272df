#!/usr/bin/env bash
set -euo pipefail

usage() {
    cat <<'TEXT'
Kills a daemon, its job processes, or both, with SIGKILL at random instants while 20 jobs run.

usage: scripts/daemon-kill.sh [KILLS] [SEED]

  KILLS  how many kills     (default: 100; about a second each)
  SEED   of the instants    (default: another one every time)

Does the set-up of scripts/test.sh and runs a test of the test suite with more kills and jobs. Ends with 1
unless every job is done once, with the same bytes as an uninterrupted run.
TEXT
}

kills=${1:-100}
seed=${2:-$RANDOM}
if [[ $# -gt 2 || ! $kills =~ ^[1-9][0-9]*$ || ! $seed =~ ^[1-9][0-9]*$ ]]; then
    usage
    [[ ${1:-} =~ ^(-h|--help)$ ]] && exit 0
    exit 2
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/setup.sh
. scripts/setup.sh
echo "seed $seed"
MOLSIEVE_DAEMON_KILLS=$kills MOLSIEVE_KILL_SEED=$seed \
    cargo test --release --locked --test it -- daemon::every_job_completes_once --nocapture
