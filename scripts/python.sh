# Sourced by scripts that need Python packages: venvs, each with a list of requirements.
# shellcheck shell=bash

# shellcheck source=scripts/rdkit-release.sh
. "$(dirname "${BASH_SOURCE[0]}")/rdkit-release.sh"

# Makes .venv in the repository for the comparisons: tests/oracle/requirements.txt, with the pinned release of RDKit. Fails if
# pip can't install them: RDKit has wheels for some versions of Python.
make_venv() {
    make_venv_for "$(pinned_release)" .venv
}

# The same in folder $2, with release $1 of RDKit.
make_venv_for() {
    local wanted
    wanted=$(requirements tests/oracle/requirements.txt "$1")
    venv_with "$wanted" "$2"
}

# The requirements in file $1, with release $2 of RDKit.
requirements() {
    sed "s/^rdkit\$/rdkit==$(package_version "$2")/" "$1"
}

# Makes a venv in folder $2 with the requirements in the text $1, once for each text. $3 is its Python, by default python3.
venv_with() {
    local wanted=$1 venv=$2 python=${3:-python3}
    [ "$wanted" = "$(cat "$venv/requirements.txt" 2>/dev/null)" ] && return
    echo "molsieve: installing Python packages in $venv (once)" >&2
    rm -rf "$venv"
    "$python" -m venv "$venv" >&2 &&
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --use-pep517 \
            --requirement <(echo "$wanted") >&2 &&
        echo "$wanted" >"$venv/requirements.txt" && return
    echo "molsieve: pip can't install what $venv needs; can it reach the package index?" >&2
    return 1
}
