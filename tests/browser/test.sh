#!/usr/bin/env bash
set -euo pipefail
shopt -s inherit_errexit

usage() {
    cat <<'TEXT'
Tests the pages that molsieve writes and serves: runs the program, opens its pages in a headless Chromium, and reads them as
a person, a keyboard, a printer and a screen reader (axe-core) do.

usage: tests/browser/test.sh [BINARY] [PYTEST-ARGUMENT...]    (default: target/release/molsieve)

Chromium and its driver are the system's. On Debian they are installed where they are missing; elsewhere the tests are SKIPPED
then, and the script says so. The venv goes to target/browser.

PYTHON  the Python of the venv (default: python3)
TEXT
}

[[ ${1:-} =~ ^(-h|--help)$ ]] && usage && exit 0
binary=$(realpath -m "${1:-target/release/molsieve}")
shift $(($# > 0))
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
[ -x "$binary" ] || {
    echo "tests/browser/test.sh: $binary is missing; build it with cargo build --release --locked" >&2
    exit 2
}
. scripts/setup.sh
. scripts/python.sh
venv=$PWD/target/browser

if ! command -v chromium >/dev/null || ! command -v chromedriver >/dev/null; then
    name=$(. /etc/os-release && echo "$ID")
    if [ "$name" != debian ]; then
        echo "tests/browser/test.sh: SKIPPED the pages: there is no chromium with chromedriver, and $name has no" \
            "packages of both" >&2
        exit
    fi
    apt_install chromium chromium-driver
fi
venv_with "$(cat tests/browser/requirements.txt)" "$venv" "${PYTHON:-python3}"
MOLSIEVE=$binary "$venv/bin/python" -m pytest -p no:cacheprovider tests/browser "$@"
