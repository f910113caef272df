#!/usr/bin/env bash
# Builds the book in docs/ with mdBook into target/book/ and checks each link and anchor in it.
#
# usage: scripts/docs.sh
#
# Uses the mdbook on the path if that has the pinned version. Otherwise cargo installs that version into
# target/docs-tools, which takes about three minutes of CPU time once. Building and checking take under a
# second. Links that lead out of the book are not fetched.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

MDBOOK_VERSION=0.5.4
tools=target/docs-tools

has_version() {
    [ "$("$1" --version 2>/dev/null)" = "mdbook v$MDBOOK_VERSION" ]
}

if has_version mdbook; then
    mdbook=mdbook
else
    mdbook=$tools/bin/mdbook
    has_version "$mdbook" || cargo install mdbook --locked --version "$MDBOOK_VERSION" \
        --no-default-features --features search --root "$tools" --target-dir "$tools/target"
fi

log=$("$mdbook" build docs 2>&1) || {
    echo "$log" >&2
    exit 1
}
# mdBook only warns of some faults, such as a file that can't be included.
if grep -E '^ *(WARN|ERROR)' <<<"$log" >&2; then exit 1; fi
python3 scripts/docs_links.py target/book
