#!/usr/bin/env bash
set -euo pipefail
shopt -s inherit_errexit

usage() {
    cat <<'TEXT'
Makes a Debian package from a release build: binary, its RDKit libraries, systemd units, man pages, shell
completions, example rules. Needs dpkg-deb, no other packaging tools.

usage: packaging/build-deb.sh [--partial] [FOLDER]        (default: target/deb)

  FOLDER     where molsieve_VERSION_amd64.deb goes
  --partial  leave out what the binary can't write yet (man pages, completions) and say so; without it
             that is an error

Builds first if target/release/molsieve is older than its sources. The same commit gives the same package:
times are the commit's, owners are root, files are sorted.

MOLSIEVE           the binary to pack; nothing is built then (default: target/release/molsieve)
SOURCE_DATE_EPOCH  the time of all files  (default: that of the last commit)
DEBFULLNAME, DEBEMAIL  whom the package names as its maintainer
TEXT
}

die() {
    echo "build-deb: $1" >&2
    exit "${2:-1}"
}

# left_out WHAT: with --partial says so, else ends.
left_out() {
    [ "$partial" = yes ] || die "the binary can't write $1; --partial leaves them out"
    echo "build-deb: SKIPPED: $1" >&2
}

# put MODE FILE PLACE: installs FILE as PLACE in the package.
put() {
    install -D -m "$1" "$2" "$tree/$3"
}

# put_gz FILE PLACE
put_gz() {
    install -d "$tree/$(dirname "$2")"
    gzip -9n <"$1" >"$tree/$2.gz"
    chmod 0644 "$tree/$2.gz"
}

programs() {
    packaging/stage.sh "$binary" "$tree"
    chmod 0644 "$tree"/usr/lib/molsieve/*
}

units() {
    local unit
    for unit in molsieve molsieve-single; do
        put 0644 "packaging/systemd/$unit.service" "lib/systemd/system/$unit.service"
        put 0644 "packaging/systemd/$unit.socket" "lib/systemd/system/$unit.socket"
    done
    put 0644 packaging/systemd/molsieve-user.service usr/lib/systemd/user/molsieve.service
    put 0644 packaging/systemd/molsieve-metrics.socket lib/systemd/system/molsieve-metrics.socket
    put 0644 packaging/logrotate/molsieve usr/share/doc/molsieve/examples/logrotate
    put 0644 packaging/systemd/molsieve-user.socket usr/lib/systemd/user/molsieve.socket
    put 0644 packaging/systemd/molsieve.sysusers.conf usr/lib/sysusers.d/molsieve.conf
    put 0644 packaging/systemd/molsieve.tmpfiles.conf usr/lib/tmpfiles.d/molsieve.conf
    put 0644 packaging/deb/default etc/default/molsieve
    put 0644 packaging/deb/molsieve.toml etc/molsieve/molsieve.toml
}

manual() {
    local page
    mkdir "$work/man"
    if ! "$binary" man "$work/man" >/dev/null 2>&1; then
        left_out "man pages"
        return
    fi
    for page in "$work"/man/*.1; do put_gz "$page" "usr/share/man/man1/${page##*/}"; done
}

completions() {
    local shell
    if ! "$binary" completions bash >/dev/null 2>&1; then
        left_out "shell completions"
        return
    fi
    for shell in bash zsh fish; do "$binary" completions "$shell" >"$work/$shell"; done
    put 0644 "$work/bash" usr/share/bash-completion/completions/molsieve
    put 0644 "$work/zsh" usr/share/zsh/vendor-completions/_molsieve
    put 0644 "$work/fish" usr/share/fish/vendor_completions.d/molsieve.fish
}

documents() {
    local doc=usr/share/doc/molsieve
    packaging/copyright.py >"$work/copyright"
    put 0644 "$work/copyright" "$doc/copyright"
    packaging/sbom.py "$tree" >"$work/sbom"
    put 0644 "$work/sbom" "$doc/molsieve.cdx.json"
    put_gz README.md "$doc/README.md"
    # Flat, because the systemd units name operating.md.gz here. The pages for developers stay out.
    local page
    for page in docs/*.md; do
        case $page in docs/SUMMARY.md | docs/index.md | docs/architecture.md | docs/gpu.md) continue ;; esac
        put_gz "$page" "$doc/${page##*/}"
    done
    put_gz CHANGELOG.md "$doc/changelog"
    cat >"$work/changelog" <<TEXT
molsieve ($version) unstable; urgency=medium

  * Built from commit $commit; changelog.gz lists the changes.

 -- $maintainer  $(date --utc --rfc-email --date="@$SOURCE_DATE_EPOCH")
TEXT
    put_gz "$work/changelog" "$doc/changelog.Debian"
    put 0644 packaging/deb/lintian-overrides usr/share/lintian/overrides/molsieve
    put 0644 examples/natural_products.csv usr/share/molsieve/natural_products.csv
    put 0644 examples/rules/natural_products.toml usr/share/molsieve/rules/natural_products.toml
}

# The packages that the binary and its libraries need: from dpkg-shlibdeps, or from the symbol versions.
dependencies() {
    if command -v dpkg-shlibdeps >/dev/null; then
        mkdir -p "$work/source/debian"
        printf 'Source: molsieve\n\nPackage: molsieve\nArchitecture: amd64\n' >"$work/source/debian/control"
        (cd "$work/source" && dpkg-shlibdeps -O --warnings=0 -l"$tree/usr/lib/molsieve" \
            "$tree/usr/bin/molsieve" "$tree"/usr/lib/molsieve/*) | sed -n 's/^shlibs:Depends=//p'
        return
    fi
    local glibc glibcxx gcc
    glibc=$(newest GLIBC)
    glibcxx=$(newest GLIBCXX)
    # Which GCC brought these: see "ABI Policy and Guidelines" of libstdc++.
    case $glibcxx in
        3.4.3[1-9]*) gcc=13 ;;
        3.4.30) gcc=12 ;;
        3.4.29) gcc=11 ;;
        *) gcc=9 ;;
    esac
    echo "libc6 (>= $glibc), libgcc-s1, libstdc++6 (>= $gcc)"
}

# newest NAME: the newest version of NAME among the symbols that are needed.
newest() {
    objdump -T "$tree/usr/bin/molsieve" "$tree"/usr/lib/molsieve/* |
        grep -o "\*UND\*.*(\?$1_[0-9.]*" | grep -o '[0-9.]*$' | sort -V | tail -n 1
}

control() {
    local size
    size=$(du -k -s --apparent-size "$tree" | cut -f1)
    mkdir "$tree/DEBIAN"
    cat >"$tree/DEBIAN/control" <<TEXT
Package: molsieve
Version: $version
Architecture: amd64
Maintainer: $maintainer
Installed-Size: $size
Depends: $(dependencies)
Suggests: libcuda1, libvulkan1
Section: science
Priority: optional
Description: chemical libraries into derivative libraries, in bounded memory
 Reads molecules (SMILES in Parquet, SMILES files, CSV, TSV, SDF), applies
 reaction rules to every one of them with RDKit, and writes each distinct
 product once, into Parquet, with the parent, rule and site it came from.
 .
 Memory is bounded whatever the size of the library, and an interrupted run
 resumes from its last checkpoint. A daemon accepts jobs over a Unix socket;
 its units are installed and not enabled.
TEXT
    printf '%s\n' /etc/default/molsieve /etc/molsieve/molsieve.toml >"$tree/DEBIAN/conffiles"
    for script in postinst prerm postrm; do put 0755 "packaging/deb/$script" "DEBIAN/$script"; done
    (cd "$tree" && find usr lib -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
    chmod 0644 "$tree"/DEBIAN/{control,conffiles,md5sums}
}

partial=no
folder=target/deb
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help)
            usage
            exit 0
            ;;
        --partial) partial=yes ;;
        -*) die "unknown option $1; see --help" 2 ;;
        *) folder=$1 ;;
    esac
    shift
done
folder=$(realpath -m "$folder")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/setup.sh
. scripts/setup.sh
if [ -z "${MOLSIEVE:-}" ]; then
    cargo build --release --locked --bin molsieve
fi
binary=$(realpath "${MOLSIEVE:-target/release/molsieve}")
commit=$(git rev-parse --short HEAD)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
version=$("$binary" --version | cut -d' ' -f2)-1
maintainer="${DEBFULLNAME:-The molsieve developers} <${DEBEMAIL:-maintainers@molsieve.invalid}>"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
umask 022
mkdir -p "$tree" "$folder"
programs
units
manual
completions
documents
control
find "$tree" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
deb=$folder/molsieve_${version}_amd64.deb
dpkg-deb --root-owner-group --uniform-compression -Zxz --build "$tree" "$deb" >/dev/null
echo "$deb: $(du -m "$deb" | cut -f1) MiB"
