#!/usr/bin/env bash
set -euo pipefail
shopt -s inherit_errexit

usage() {
    cat <<'TEXT'
Builds the Debian package twice and compares the two byte by byte; where they differ, it names the files that do.

usage: packaging/reproducible.sh [--binary]

The second build runs in another folder, with another time zone, locale, umask and home directory. Without --binary both
pack target/release/molsieve. With --binary each compiles the program anew, in a clone of HEAD at
the same path (twice over ten minutes on two cores): the path of the sources is part of a program, as are the
compiler and the C++ library.

Ends with 1 if anything differs.
TEXT
}

compile=no
case ${1:-} in
    '') ;;
    --binary) compile=yes ;;
    *)
        usage
        [[ $1 =~ ^(-h|--help)$ ]] && exit 0
        exit 2
        ;;
esac
[ $# -le 1 ] || exit 2
cd "$(dirname "${BASH_SOURCE[0]}")/.."
repository=$PWD
# shellcheck source=scripts/setup.sh
. scripts/setup.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

# compiled NAME: the program of HEAD as $work/NAME.
compiled() {
    git clone --quiet --no-hardlinks "$repository" "$work/clone"
    ln -s "$CONDA_PREFIX" "$work/clone/.rdkit"
    (cd "$work/clone" && cargo build --quiet --release --locked --bin molsieve)
    mv "$work/clone/target/release/molsieve" "$work/$1"
    rm -rf "$work/clone"
}

if [ "$compile" = yes ]; then
    compiled first
    compiled second
    if cmp "$work/first" "$work/second"; then
        echo "reproducible: two compilations give the same program: $(sha256sum <"$work/first" | cut -d' ' -f1)"
    else
        echo "reproducible: two compilations DIFFER"
        # Which sections.
        for name in first second; do
            objcopy --dump-section .text="$work/$name.text" --dump-section .rodata="$work/$name.rodata" \
                --dump-section .data="$work/$name.data" "$work/$name" /dev/null
        done
        for section in text rodata data; do
            cmp -s "$work/first.$section" "$work/second.$section" || echo "reproducible: section .$section differs"
        done
        exit 1
    fi
    export MOLSIEVE=$work/first
else
    export MOLSIEVE=$repository/target/release/molsieve
    [ -x "$MOLSIEVE" ] || {
        echo "reproducible: there is no $MOLSIEVE; build it with: cargo build --release --locked" >&2
        exit 2
    }
fi

packaging/build-deb.sh "$work/one" >/dev/null
mkdir "$work/home"
ln -s "${CARGO_HOME:-$HOME/.cargo}" "$work/home/.cargo"
ln -s "${RUSTUP_HOME:-$HOME/.rustup}" "$work/home/.rustup"
(
    umask 077
    HOME=$work/home TZ=Pacific/Chatham LC_ALL=C packaging/build-deb.sh "$work/another folder" >/dev/null
)
one=$(find "$work/one" -name '*.deb')
two=$(find "$work/another folder" -name '*.deb')
if cmp -s "$one" "$two"; then
    echo "reproducible: two builds give the same package: $(sha256sum <"$one" | cut -d' ' -f1)"
    exit 0
fi
echo "reproducible: the packages DIFFER"
for part in one two; do
    dpkg-deb --raw-extract "${!part}" "$work/tree-$part"
done
diff --recursive --brief "$work/tree-one" "$work/tree-two" || true
diff <(dpkg-deb --contents "$one") <(dpkg-deb --contents "$two") || true
exit 1
