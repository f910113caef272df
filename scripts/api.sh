#!/usr/bin/env bash
set -euo pipefail

usage() {
    cat <<'TEXT'
Tests the daemon's interface with the tools of others:
  metrics   the parsers of prometheus_client and promtool read /metrics
  clients   clients generated in Python and TypeScript submit and follow a job
  document  schemathesis sends requests that the OpenAPI document allows and requests that it does not. Every answer
            must be one that the document names.

usage: scripts/api.sh [SEED | --quick]

SEED is schemathesis's; --quick leaves `document` out. Does the set-up of scripts/test.sh and
installs tests/api/requirements.txt and, if there is npm, tests/api/typescript/package-lock.json into .venv-api/. What
is missing (npm, promtool) is SKIPPED, and the script says so. Ends with 1 if anything is found.
TEXT
}

if [[ $# -gt 1 || ! ${1:-1} =~ ^([0-9]+|--quick)$ ]]; then
    usage
    [[ ${1:-} =~ ^(-h|--help)$ ]] && exit 0
    exit 2
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/setup.sh
. scripts/setup.sh
wanted=tests/api/requirements.txt
if ! cmp --silent "$wanted" .venv-api/installed.txt; then
    rm -rf .venv-api
    python3 -m venv .venv-api
    .venv-api/bin/pip install --quiet --requirement "$wanted"
    cp "$wanted" .venv-api/installed.txt
fi
if command -v npm >/dev/null; then
    packages=.venv-api/typescript
    if ! cmp --silent tests/api/typescript/package-lock.json "$packages/installed.json"; then
        mkdir -p "$packages"
        cp tests/api/typescript/package{,-lock}.json "$packages/"
        npm ci --prefix "$packages" --silent --no-audit --no-fund --ignore-scripts
        cp "$packages/package-lock.json" "$packages/installed.json"
    fi
fi
cargo build --release --locked
export PYTHONDONTWRITEBYTECODE=1
.venv-api/bin/python tests/api/metrics.py target/release/molsieve
.venv-api/bin/python tests/api/clients.py target/release/molsieve .venv-api
[ "${1:-}" = --quick ] || .venv-api/bin/python tests/api/check.py target/release/molsieve "$@"
