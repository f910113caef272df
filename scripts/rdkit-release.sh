# Sourced by the other scripts: releases of RDKit. scripts/rdkit-wheels.txt alone says which one molsieve is built with.
# shellcheck shell=bash

RDKIT_WHEELS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/rdkit-wheels.txt

# The pinned release, as RDKit writes it: 2026.09.1.
pinned_release() {
    sed -nE 's/^rdkit==([0-9]+)\.([0-9]+)\.([0-9]+).*/\1 \2 \3/p' "$RDKIT_WHEELS" | as_release
}

# The release whose headers are in prefix $1; nothing if they do not say.
release_of_prefix() {
    sed -nE 's/.*RDKIT_VERSION_CHECK\(([0-9]+), *([0-9]+), *([0-9]+)\).*/\1 \2 \3/p' \
        "$1/include/rdkit/RDGeneral/versions.h" | tail -n 1 | as_release
}

as_release() {
    local year month revision
    if read -r year month revision; then
        printf '%d.%02d.%d\n' "$year" "$month" "$revision"
    fi
}

# Release $1 as its packages are numbered: 2026.9.1.
package_version() {
    [[ $1 =~ ^(20[0-9][0-9])\.0?([1-9]|1[0-2])\.([0-9]+)$ ]] || {
        echo "molsieve: $1 is no release of RDKit; one is written 2026.09.1" >&2
        return 2
    }
    echo "${BASH_REMATCH[1]}.${BASH_REMATCH[2]}.${BASH_REMATCH[3]}"
}
