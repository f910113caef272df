#!/usr/bin/env bash
set -euo pipefail

usage() {
    cat <<'TEXT'
Puts a daemon under load: 1,000 connections that are slow, broken or idle, 10,000 submissions, bodies of
1 GiB; measures its memory and how long a list of jobs takes meanwhile. For a machine that is quiet.

usage: scripts/daemon-load.sh
TEXT
}

if [[ $# -gt 0 ]]; then
    usage
    [[ $1 =~ ^(-h|--help)$ ]] && exit 0
    exit 2
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/setup.sh
. scripts/setup.sh
MOLSIEVE_LOAD=full cargo test --release --locked --test it -- daemon_load:: --nocapture
