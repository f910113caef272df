#!/usr/bin/env bash
# Does the same set-up as scripts/demo.sh and runs all tests: units, the ring under shuttle's
# scheduler, the binary on real files, and the comparison with the plain loop in Python.
#
# usage: scripts/test.sh
#
# PYTHON: a Python that has tests/oracle/requirements.txt; by default one is made in .venv/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/setup.sh

if [ -z "${PYTHON:-}" ]; then
    wanted=$(sha256sum tests/oracle/requirements.txt | cut -d' ' -f1)
    if [ "$(cat .venv/.complete 2>/dev/null)" != "$wanted" ]; then
        echo "molsieve: making .venv for the comparison with Python's RDKit (once)" >&2
        rm -rf .venv
        python3 -m venv .venv
        .venv/bin/python -m pip install --quiet --disable-pip-version-check \
            --requirement tests/oracle/requirements.txt
        echo "$wanted" > .venv/.complete
    fi
    PYTHON=$PWD/.venv/bin/python
fi
export MOLSIEVE_PYTHON=$PYTHON MOLSIEVE_REQUIRE_PYTHON=1

cargo test --release --locked --lib --bins --tests
# The ring again, under a scheduler that tries thousands of interleavings.
cargo test --release --locked --features shuttle --lib ring::
target/release/molsieve rules check examples/rules/*.toml
