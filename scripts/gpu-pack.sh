#!/usr/bin/env bash
set -euo pipefail

usage() {
    cat <<'TEXT'
Packs molsieve for a machine with an NVIDIA GPU that has no network, no cargo and no RDKit: the release
binary, the RDKit libraries it needs, the examples, and gpu-check.sh, the one command to run there.

usage: scripts/gpu-pack.sh [FOLDER]        (default: target/gpu-pack)

Builds first if target/release/molsieve is missing or older than its sources. FOLDER is replaced if it is
an earlier pack, and must not exist otherwise. The pack runs from wherever it is carried to:

  FOLDER/gpu-check.sh RESULTS

The other machine needs x86-64 Linux with a glibc and a libstdc++ no older than this one's, and the NVIDIA
driver. Ends with 1 if the packed binary takes an RDKit library from outside the pack, or if the pack
takes more than 64 MiB.
TEXT
}

pack=${1:-target/gpu-pack}
if [[ $# -gt 1 || $pack == -* ]]; then
    usage
    [[ ${1:-} =~ ^(-h|--help)$ ]] && exit 0
    exit 2
fi
die() {
    echo "gpu-pack: $1" >&2
    exit 1
}
pack=$(realpath -m "$pack")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/setup.sh
. scripts/setup.sh
cargo build --release --locked --bin molsieve
binary=target/release/molsieve
[ ! -e "$pack" ] || [ -f "$pack/gpu-check.sh" ] || die "$pack exists and is no pack"

rm -rf "$pack"
mkdir -p "$pack/bin" "$pack/lib/molsieve" "$pack/examples/rules"
cp "$binary" "$pack/bin/"
cp scripts/gpu-check.sh "$pack/"
cp examples/natural_products.csv "$pack/examples/"
cp examples/rules/natural_products.toml "$pack/examples/rules/"
# What the loader takes from the RDKit prefix; the system's own libraries stay the other system's.
prefix=$(realpath "$CONDA_PREFIX")
ldd "$binary" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | while read -r library; do
    case $(realpath "$(dirname "$library")") in
    "$prefix"/*) cp --dereference "$library" "$pack/lib/molsieve/" ;;
    esac
done

# The binary looks in ../lib/molsieve first, then in the prefix it was built with, which won't be there.
outside=$(env -i "$(command -v ldd)" "$pack/bin/molsieve" | grep -F -e "$prefix/" -e "not found" || true)
[ -z "$outside" ] || die "the packed binary needs from outside the pack: $outside"
env -i "$pack/bin/molsieve" --version >/dev/null || die "the packed binary does not start"
mebibytes=$(du -sm "$pack" | cut -f1)
[ "$mebibytes" -le 64 ] || die "the pack takes $mebibytes MiB"
echo "$pack: $mebibytes MiB; on the machine with the GPU: gpu-check.sh RESULTS"
