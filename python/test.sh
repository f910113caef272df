#!/usr/bin/env bash
set -euo pipefail
shopt -s inherit_errexit

usage() {
    cat <<'TEXT'
Tests the Python package as users get it: makes the wheel of a binary, installs it in a venv, runs the tests there, mypy
and ruff included, and then installs it in bare Debian systems (packaging/wheel-check.sh).

usage: python/test.sh [BINARY]        (default: target/release/molsieve)

The wheel goes to target/wheel, the venv to target/python. Bare systems are SKIPPED, and the script says so, where
wheel-check.sh can't unpack them, and on other systems than Debian.

PYTHON  the Python of the venv (default: python3)
TEXT
}

[[ ${1:-} =~ ^(-h|--help)$ ]] && usage && exit 0
[ $# -le 1 ] || {
    usage >&2
    exit 2
}
binary=$(realpath -m "${1:-target/release/molsieve}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/setup.sh
. scripts/python.sh
venv=$PWD/target/python

package_tests() {
    local python=${PYTHON:-python3} wanted
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        echo "python/test.sh: SKIPPED the tests of the package: $("$python" --version) is too old for NumPy in" \
            "python/tests/requirements.txt" >&2
        return
    fi
    wanted=$(requirements python/tests/requirements.txt "$(pinned_release)")
    venv_with "$wanted" "$venv" "$python"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$wheel"
    # mypy and ruff are among the tests.
    (cd python && "$venv/bin/python" -m pytest -p no:cacheprovider tests)
}

bare_systems() {
    local name
    name=$(. /etc/os-release && echo "$ID")
    if [ "$name" != debian ]; then
        echo "python/test.sh: SKIPPED bare Debian systems: this is $name, which may lack Debian's keys" >&2
        return
    fi
    [ "$(id -u)" != 0 ] || command -v debootstrap >/dev/null || apt_install debootstrap debian-archive-keyring
    packaging/wheel-check.sh "$wheel" bookworm trixie
}

rm -rf target/wheel
packaging/wheel.sh "$binary" target/wheel
wheel=$(realpath target/wheel/molsieve-*.whl)
package_tests
bare_systems
