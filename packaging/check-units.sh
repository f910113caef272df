#!/usr/bin/env bash
set -euo pipefail

usage() {
    cat <<'TEXT'
Checks the systemd units: `systemd-analyze verify` must have nothing to say, and the exposure that
`systemd-analyze security` gives must not be above the figure set here for each.

usage: packaging/check-units.sh

Needs systemd-analyze (Debian: systemd); nothing is started. The units are checked under the names they are
installed with, next to an executable in the place of /usr/bin/molsieve.
TEXT
}

[ $# = 0 ] || {
    usage
    [[ $1 =~ ^(-h|--help)$ ]] && exit 0
    exit 2
}
cd "$(dirname "${BASH_SOURCE[0]}")/systemd"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# verify MANAGER UNIT…: checks the units as that manager would. On a machine without molsieve the copies name
# another command, which exists.
verify() {
    local manager=$1 said
    shift
    said=$(systemd-analyze --man=no "$manager" verify "$@" 2>&1) || true
    said=$(grep -F -e "$work" -e molsieve <<<"$said" || true)
    # systemd before 253 keeps the type that the units name before it.
    said=$(grep -v 'Failed to parse service type, ignoring: notify-reload$' <<<"$said" || true)
    if [ -z "$said" ]; then
        echo "verify    $manager: clean: ${*##*/}"
    else
        echo "$said" && failed=1
    fi
}

# exposure FILE AT_MOST
exposure() {
    local figure
    figure=$(systemd-analyze security --offline=true --no-pager "$1" | sed -n 's/.*: \([0-9.]*\) .*/\1/p' | tail -n 1)
    if awk -v is="$figure" -v most="$2" 'BEGIN { exit !(is != "" && is <= most) }'; then
        echo "security  ${1##*/}: $figure, at most $2"
    else
        echo "security  ${1##*/}: ${figure:-no figure}, and it must be at most $2" && failed=1
    fi
}

mkdir "$work/system" "$work/user"
cp molsieve.service molsieve.socket molsieve-single.service molsieve-single.socket "$work/system/"
cp molsieve-user.service "$work/user/molsieve.service"
cp molsieve-user.socket "$work/user/molsieve.socket"
if [ ! -x /usr/bin/molsieve ]; then
    sed -i 's|/usr/bin/molsieve|/bin/true|' "$work"/*/*.service
fi
verify --system "$work"/system/*
verify --user "$work"/user/*
exposure "$work/system/molsieve-single.service" 2.5
exposure "$work/system/molsieve.service" 2.5
exit "$failed"
