#!/usr/bin/env bash
set -euo pipefail
shopt -s inherit_errexit

usage() {
    cat <<'TEXT'
Makes the Python wheel: the package in python/, the binary, its RDKit libraries, the shipped rules and library,
and the licences. The wheel works with any Python from 3.10 on; nothing in it is compiled for one of them.

usage: packaging/wheel.sh BINARY OUT_FOLDER

  BINARY      a release build, such as target/release/molsieve
  OUT_FOLDER  where molsieve-VERSION-py3-none-manylinux_2_NN_x86_64.whl goes

2.NN is the oldest glibc that the wheel runs on. It follows from the symbol versions of all programs and
libraries in the wheel. auditwheel and twine check the wheel. A wheel of more than 40 MiB is an error. The
same commit and the same binary give the same bytes: times are the commit's, files are sorted.

Needs git, binutils, cargo (which knows the licences of the crates), Python with venv, and a package index; its
tools come from packaging/wheel-requirements.txt and go to target/wheel-tools.

CONDA_PREFIX       the prefix that the binary was built with (scripts/setup.sh sets it)
SOURCE_DATE_EPOCH  the time of all files (default: that of the last commit)
TEXT
}

die() {
    echo "wheel: $1" >&2
    exit "${2:-1}"
}

MIB_MAX=40

# The package in python/ as a wheel of its own, unpacked in $work/wheel.
build_package() {
    local source=$work/source/python
    mkdir -p "$source"
    # Only what git knows or would take: no caches.
    git ls-files -z --cached --others --exclude-standard python | xargs -0 cp --parents -t "$work/source"
    cp Cargo.toml "$work/source/"
    cp LICENSE-MIT LICENSE-APACHE "$source/"
    packaging/copyright.py --wheel >"$source/LICENSE-THIRD-PARTY"
    find "$source" -type f -exec chmod 0644 {} +
    "$tools/bin/python" -m build --wheel --no-isolation --outdir "$work/pure" "$source" >"$work/build.log" 2>&1 ||
        die "the package in python/ can't be built: $(tail -n 5 "$work/build.log")"
    "$tools/bin/wheel" unpack --dest "$work/wheel" "$work"/pure/molsieve-*.whl >/dev/null
    package=$(find "$work/wheel" -mindepth 1 -maxdepth 1 -name 'molsieve-*')
    [ "${package##*/}" = "molsieve-$version" ] || die "python/ names version ${package##*-}, the binary is $version"
}

add_binary() {
    packaging/stage.sh "$binary" "$work/stage" '$ORIGIN/../lib/molsieve'
    install -D -m 0755 "$work/stage/usr/bin/molsieve" "$package/molsieve/bin/molsieve"
    install -d "$package/molsieve/lib/molsieve"
    install -m 0644 "$work"/stage/usr/lib/molsieve/* "$package/molsieve/lib/molsieve/"
    install -d "$package/molsieve-$version.dist-info/sboms"
    packaging/sbom.py "$package" --wheel >"$package/molsieve-$version.dist-info/sboms/molsieve.cdx.json"
    install -D -m 0644 examples/rules/natural_products.toml "$package/molsieve/rules/natural_products.toml"
    install -D -m 0644 examples/natural_products.csv "$package/molsieve/rules/natural_products.csv"
}

# The newest GLIBC_2.N among the symbols that the programs and libraries need: N.
newest_glibc() {
    objdump -T "$package/molsieve/bin/molsieve" "$package"/molsieve/lib/molsieve/* |
        grep -o 'GLIBC_2\.[0-9]*' | grep -o '[0-9]*$' | sort -n | tail -n 1
}

# pack TAG: writes the wheel with that tag into $work/TAG and prints its path.
pack() {
    sed -i "s/^Tag: .*/Tag: py3-none-$1/; s/^Root-Is-Purelib: .*/Root-Is-Purelib: false/" "$package"/*.dist-info/WHEEL
    mkdir "$work/$1"
    "$tools/bin/wheel" pack --dest-dir "$work/$1" "$package" >/dev/null
    echo "$work/$1/molsieve-$version-py3-none-$1.whl"
}

# The platform tag that auditwheel gives the wheel: the policy that its symbol versions, of libstdc++ too, fulfil.
audited_tag() {
    local said
    said=$("$tools/bin/auditwheel" show "$1" 2>&1) || die "auditwheel: $said"
    tr '\n' ' ' <<<"$said" | grep -o 'platform tag: *"[a-z0-9_]*"' | grep -o '"[a-z0-9_]*"' | tr -d '"' ||
        die "auditwheel names no platform tag: $said"
}

check_size() {
    local bytes
    bytes=$(stat -c %s "$1")
    [ "$bytes" -le $((MIB_MAX * 1024 * 1024)) ] || die "the wheel has $bytes bytes, more than $MIB_MAX MiB"
}

[[ ${1:-} =~ ^(-h|--help)$ ]] && usage && exit 0
[ $# = 2 ] || {
    usage >&2
    exit 2
}
[ -x "$1" ] || die "there is no program $1; build it with: cargo build --release --locked" 2
binary=$(realpath "$1")
folder=$(realpath -m "$2")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/python.sh
. scripts/python.sh
tools=$PWD/target/wheel-tools
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH PYTHONDONTWRITEBYTECODE=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022

venv_with "$(cat packaging/wheel-requirements.txt)" "$tools"
version=$(sed -n '/^\[package\]/,/^\[/ s/^version = "\(.*\)"/\1/p' Cargo.toml)
said=$("$binary" --version)
[ "$said" = "molsieve $version" ] || die "Cargo.toml names version $version, the binary says: $said"
build_package
add_binary
glibc=$(newest_glibc)
draft=$(pack linux_x86_64)
tag=$(audited_tag "$draft")
# A newer libstdc++ can demand a newer system than glibc does; an older one is a fault.
if ! [[ $tag =~ ^manylinux_2_([0-9]+)_x86_64$ && ${BASH_REMATCH[1]} -ge $glibc ]]; then
    die "the wheel needs glibc 2.$glibc, auditwheel says $tag"
fi
oldest=${BASH_REMATCH[1]}
wheel=$(pack "$tag")
[ "$(audited_tag "$wheel")" = "$tag" ] || die "auditwheel does not agree with the tag $tag"
"$tools/bin/twine" check --strict "$wheel" >"$work/twine.log" 2>&1 || die "twine: $(cat "$work/twine.log")"
check_size "$wheel"
mkdir -p "$folder"
mv "$wheel" "$folder/"
wheel=$folder/${wheel##*/}
echo "$wheel: $(du -m "$wheel" | cut -f1) MiB, needs glibc 2.$oldest or newer"
