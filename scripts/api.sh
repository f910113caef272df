#!/usr/bin/env bash
set -euo pipefail

usage() {
    cat <<'TEXT'
Tests the daemon against its OpenAPI document: schemathesis sends requests that the document allows and requests
that it does not. Every answer must be one that the document names.

usage: scripts/api.sh [SEED]

Does the set-up of scripts/test.sh and installs tests/api/requirements.txt into .venv-api/. Ends with 1 if
schemathesis finds anything.
TEXT
}

if [[ $# -gt 1 || ${1:-1} =~ [^0-9] ]]; then
    usage
    [[ ${1:-} =~ ^(-h|--help)$ ]] && exit 0
    exit 2
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/setup.sh
. scripts/setup.sh
if [[ ! -x .venv-api/bin/schemathesis ]]; then
    python3 -m venv .venv-api
    .venv-api/bin/pip install --quiet --requirement tests/api/requirements.txt
fi
cargo build --release --locked
.venv-api/bin/python tests/api/check.py target/release/molsieve "$@"
