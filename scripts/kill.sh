#!/usr/bin/env bash
set -euo pipefail

usage() {
    cat <<'TEXT'
Kills a run with SIGKILL at random instants, again and again, and resumes it each time.

usage: scripts/kill.sh [KILLS] [SEED]

  KILLS  how many kills     (default: 200; about a second each)
  SEED   of the instants    (default: another one every time)

Does the set-up of scripts/test.sh and runs tests/it/kill.rs, which is part of the test suite, with more
kills. After each kill the test reads every visible file, with pyarrow too. Ends with 1 if a file can't be
read, if a manifest names a missing file, or if a run does not end with the same bytes as an uninterrupted
one.
TEXT
}

kills=${1:-200}
seed=${2:-$RANDOM}
if [[ $# -gt 2 || ! $kills =~ ^[1-9][0-9]*$ || ! $seed =~ ^[1-9][0-9]*$ ]]; then
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
echo "seed $seed"
MOLSIEVE_KILLS=$kills MOLSIEVE_KILL_SEED=$seed MOLSIEVE_PYTHON=$PWD/.venv/bin/python \
    cargo test --release --locked --test it -- kill::
