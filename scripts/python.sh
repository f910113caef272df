# Sourced by the scripts that compare with Python: a Python that has tests/oracle/requirements.txt.
# shellcheck shell=bash

# shellcheck source=scripts/rdkit-release.sh
. "$(dirname "${BASH_SOURCE[0]}")/rdkit-release.sh"

# Makes .venv in the repository, with the pinned release of RDKit, once for each version of the requirements. Fails if pip
# can't install them: RDKit has wheels for some versions of Python.
make_venv() {
    make_venv_for "$(pinned_release)" .venv
}

# The same in folder $2, with release $1 of RDKit.
make_venv_for() {
    local venv=$2 wanted
    wanted=$(sed "s/^rdkit\$/rdkit==$(package_version "$1")/" tests/oracle/requirements.txt)
    [ "$wanted" = "$(cat "$venv/requirements.txt" 2>/dev/null)" ] && return
    echo "molsieve: installing the Python packages for comparisons in $venv (once)" >&2
    rm -rf "$venv"
    python3 -m venv "$venv" >&2 &&
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --use-pep517 \
            --requirement <(echo "$wanted") >&2 &&
        echo "$wanted" >"$venv/requirements.txt"
}
