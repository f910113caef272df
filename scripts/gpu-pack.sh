#!/usr/bin/env bash
set -euo pipefail

usage() {
    cat <<'TEXT'
Packs molsieve for a machine with an NVIDIA GPU that has no network, no cargo and no RDKit: gpu-check.sh,
the one command to run there, and beside it an archive of the release binary, the RDKit libraries it needs
and the examples, all without symbols.

usage: scripts/gpu-pack.sh [FOLDER]        (default: target/gpu-pack)

Builds first if target/release/molsieve is missing or older than its sources. FOLDER is replaced if it is
an earlier pack, and must not exist otherwise. The pack runs from wherever it is carried to:

  FOLDER/gpu-check.sh RESULTS

The other machine needs x86-64 Linux with a glibc and a libstdc++ no older than this one's, bash, coreutils,
tar, gzip and the NVIDIA driver. The pack travels together with the files that git tracks. Ends with 1 if
both together take more than 56 MiB, or if the packed binary takes an RDKit library from outside the pack.

MOLSIEVE  the binary to pack, in place of building one; CONDA_PREFIX then names the RDKit it was built with
TEXT
}

readonly MIB=$((1 << 20))
readonly BYTES_MAX=$((56 * MIB))

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
# A size in MiB, rounded up to a tenth.
mebibytes() {
    local tenths=$((($1 * 10 + MIB - 1) / MIB))
    echo "$((tenths / 10)).$((tenths % 10)) MiB"
}

pack=$(realpath -m "$pack")
binary=${MOLSIEVE:+$(realpath "$MOLSIEVE")}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ -z "$binary" ]; then
    # shellcheck source=scripts/setup.sh
    . scripts/setup.sh
    cargo build --release --locked --bin molsieve
    binary=target/release/molsieve
fi
prefix=$(realpath "${CONDA_PREFIX:?is not set: it names the RDKit that MOLSIEVE was built with}")
[ "$prefix" != /usr ] || die "RDKit in /usr cannot be packed; build without RDKIT_PREFIX"
[ ! -e "$pack" ] || [ -f "$pack/gpu-check.sh" ] || die "$pack exists and is no pack; name another folder"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
files=$work/files unpacked=$work/unpacked
mkdir -p "$files/bin" "$files/lib/molsieve" "$files/examples/rules" "$unpacked"
cp examples/natural_products.csv "$files/examples/"
cp examples/rules/natural_products.toml "$files/examples/rules/"
strip -o "$files/bin/molsieve" "$binary"
# The libraries that the loader takes from the RDKit prefix; the other machine has its own system libraries.
ldd "$binary" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | while read -r library; do
    case $(realpath "$(dirname "$library")") in
    "$prefix" | "$prefix"/*) strip --strip-unneeded -o "$files/lib/molsieve/$(basename "$library")" "$library" ;;
    esac
done

rm -rf "$pack"
mkdir -p "$pack"
cp scripts/gpu-check.sh "$pack/"
tar -C "$files" --owner=0 --group=0 -cf - . | gzip -9 >"$pack/pack.tar.gz"

# Check the packed binary itself. It looks in ../lib/molsieve first, then in the prefix it was built with,
# which the other machine does not have.
tar -C "$unpacked" -xzf "$pack/pack.tar.gz"
outside=$(env -i "$(command -v ldd)" "$unpacked/bin/molsieve" | grep -F -e "$prefix/" -e "not found" || true)
[ -z "$outside" ] || die "the packed binary needs from outside the pack: $outside"
env -i "$unpacked/bin/molsieve" --version >/dev/null || die "the packed binary does not start"
env -i "$unpacked/bin/molsieve" rules check "$unpacked/examples/rules/natural_products.toml" >/dev/null ||
    die "the packed binary does not work with the packed RDKit"

pack_bytes=$(stat -c %s "$pack"/* | awk '{ sum += $1 } END { print sum }')
# Skips files that are deleted but still tracked.
tracked_bytes=$(git ls-files -z | { xargs -0 stat -c %s 2>/dev/null || true; } | awk '{ sum += $1 } END { print sum + 0 }')
[ "$tracked_bytes" -gt 0 ] || die "git tracks no file here: what travels with the pack cannot be added up"
sum_bytes=$((pack_bytes + tracked_bytes))
sizes="the pack takes $(mebibytes "$pack_bytes"), the files that git tracks $(mebibytes "$tracked_bytes")"
[ "$sum_bytes" -le "$BYTES_MAX" ] ||
    die "$sizes: together $(mebibytes "$sum_bytes"), and at most $(mebibytes "$BYTES_MAX") can travel"
echo "$pack: $sizes, together $(mebibytes "$sum_bytes") of $(mebibytes "$BYTES_MAX")"
echo "on the machine with the GPU: gpu-check.sh RESULTS"
