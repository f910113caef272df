# Sourced by the scripts that compare with Python: a Python that has tests/oracle/requirements.txt.
# shellcheck shell=bash

# Makes .venv in the repository, once for each version of the requirements. Fails if pip can't install
# them: RDKit 2025.03.6 has wheels for Python 3.10 to 3.13.
make_venv() {
    local requirements=tests/oracle/requirements.txt
    cmp -s "$requirements" .venv/requirements.txt && return
    echo "molsieve: installing the Python packages for comparisons in .venv (once)" >&2
    rm -rf .venv
    python3 -m venv .venv >&2 &&
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --use-pep517 \
            --requirement "$requirements" >&2 &&
        cp "$requirements" .venv/requirements.txt
}
