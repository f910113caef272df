#!/usr/bin/env bash
set -euo pipefail
shopt -s inherit_errexit

usage() {
    cat <<'TEXT'
Tests the Debian package and the Dockerfile in Debian systems that are unpacked in a folder. Needs root,
debootstrap and a Debian mirror; no container engine.

usage: packaging/prove.sh deb [PACKAGE]        (default: the one in target/deb)
       packaging/prove.sh dockerfile [--binary FILE]
       packaging/prove.sh systemd [PACKAGE [OLDER]]

deb         installs PACKAGE with apt-get in a fresh Debian 12 (minbase), runs what it installed, removes and
            purges it, and compares the files with those before; then the same with systemd's tools
            installed, which check units, accounts and folders.
dockerfile  follows the Dockerfile instruction by instruction (packaging/dockerfile.py), and runs the
            healthcheck and a job as the image's user. With --binary, FILE stands in for
            the result of `cargo build` (over ten minutes on two cores); everything else runs.

What differs from the real thing:
  - base images: Debian 12 by debootstrap; for rust:* this machine's ~/.cargo and ~/.rustup are mounted
    where that image has its own, and gcc is installed
  - layers, caches and the network of a container engine: a folder, copied per stage, and this machine's network
  - user namespaces and limits of an engine: chroot and setpriv; /proc is this machine's
  - the mirror, certificates and proxy variables: this machine's, found when the script runs
For deb and dockerfile there is no init in the roots: units are checked, not started.

systemd     boots a Debian under systemd-nspawn, with systemd as its init, and follows docs/operating.md there: units,
            jobs, every way to stop, upgrade, removal (packaging/prove-systemd.sh). SKIPPED where it can't run.

PROVE_FOLDER  where the roots go, 3 GiB   (default: target/prove)
TEXT
}

die() {
    echo "prove: $1" >&2
    exit "${2:-1}"
}
note() {
    echo "prove: $1" >&2
}

# shellcheck source=packaging/debian-root.sh
. "$(dirname "${BASH_SOURCE[0]}")/debian-root.sh"

# fresh NAME: a new Debian root in $folder/NAME. The unpacked system is kept for the next time.
fresh() {
    if [ ! -f "$folder/debian/.complete" ]; then
        note "unpacking Debian 12 (once)"
        rm -rf "$folder/debian"
        debootstrap --variant=minbase bookworm "$folder/debian" "$(debian_mirror)" >"$folder/debootstrap.log" ||
            die "debootstrap failed; see $folder/debootstrap.log"
        network_settings "$folder/debian"
        chroot "$folder/debian" apt-get update -qq
        touch "$folder/debian/.complete"
    fi
    discard "$1"
    cp -a --reflink=auto "$folder/debian" "$folder/$1"
    rm "$folder/$1/.complete"
}

# Mounts are made in namespaces that end with the command, so a root is plain files.
discard() {
    if [ -e "$folder/$1" ]; then rm -rf --one-file-system "${folder:?}/$1"; fi
}

# Every file and folder of ROOT but for what apt, dpkg, accounts and systemd keep of what was.
inventory() {
    (cd "$1" && find . -xdev -mindepth 1 \
        \( -path ./var/lib/dpkg -o -path ./var/cache -o -path ./var/lib/apt -o -path ./var/log -o -path ./tmp \
        -o -path ./proc -o -path ./sys -o -path ./dev -o -path ./run/systemd \) -prune \
        -o -printf '%p %M %u:%g\n' | grep -v -E '^\./etc/(passwd|group|shadow|gshadow)-? |^\./etc/\.pwd\.lock ' | LC_ALL=C sort)
}

# step WHAT COMMAND…: runs it, its output in the log, and says how it went.
step() {
    local what=$1
    shift
    if "$@" >>"$log" 2>&1; then
        echo "  ok      $what"
    else
        echo "  FAILED  $what (see $log)"
        tail -n 20 "$log"
        exit 1
    fi
}

# Packages that the package needs are left there when it goes; they are installed before the first look.
deb_dependencies() {
    inside "$root" apt-get install -qq -y --no-install-recommends libstdc++6 libgcc-s1 libc6 passwd "$@"
}

deb_run() {
    local exit_code=0
    inside "$root" /usr/bin/molsieve run --input /usr/share/molsieve/natural_products.csv \
        --rules /usr/share/molsieve/rules/natural_products.toml --memory 256MiB --output /tmp/out --threads 2 ||
        exit_code=$?
    [[ $exit_code = 0 || $exit_code = 4 ]] && [ -s "$root/tmp/out/manifest.json" ]
}

# The libraries come from the package, and nothing is missing.
deb_libraries() {
    local lines
    lines=$(inside "$root" ldd /usr/bin/molsieve)
    ! grep 'not found' <<<"$lines" && ! grep -E 'RDKit|boost' <<<"$lines" | grep -v '=> /usr/lib/molsieve/'
}

deb_manual() {
    local pages
    pages=$(find "$root/usr/share/man/man1" -name 'molsieve*.1.gz' | wc -l)
    echo "$pages man pages"
    [ "$pages" -gt 0 ]
}

# What a running daemon would have left.
deb_state() {
    install -d -m 0700 "$root/var/lib/molsieve" "$root/var/lib/molsieve-single/jobs/of-a-user"
    echo queue >"$root/var/lib/molsieve-single/jobs.sqlite"
    echo job >"$root/var/lib/molsieve/jobs.sqlite"
}

# Output of jobs outlives even purge; then it goes, for the comparison.
deb_output() {
    [ "$(cd "$root/var/lib/molsieve-single" && find . | sort | xargs)" = ". ./jobs ./jobs/of-a-user" ] &&
        rm -r "$root/var/lib/molsieve-single"
}

deb_left() {
    inventory "$root" >"$folder/after.txt"
    diff "$folder/before.txt" "$folder/after.txt"
}

# Units, accounts and folders as systemd's own tools take them; the units' commands are installed here.
deb_units() {
    local said
    said=$(inside "$root" bash -c 'cd /lib/systemd/system && systemd-analyze --man=no verify molsieve*.service molsieve*.socket' 2>&1) || true
    echo "$said"
    # The systemd of Debian 12 keeps the type before this one (molsieve.service).
    said=$(grep -v 'Failed to parse service type, ignoring: notify-reload$' <<<"$said" || true)
    ! grep -q molsieve <<<"$said" &&
        inside "$root" bash -euc 'id -nG molsieve | grep -qw render
            [ "$(stat -c "%a %U:%G" /var/lib/molsieve-single)" = "710 molsieve:molsieve" ]
            [ "$(stat -c "%a %U:%G" /var/lib/molsieve-single/jobs)" = "2750 molsieve:molsieve" ]'
}

# install_and_remove PACKAGE MORE…: the whole life of the package in a root that has MORE too.
install_and_remove() {
    local package=$1
    shift
    fresh deb
    step "what it depends on${1:+, and $*}" deb_dependencies "$@"
    inventory "$root" >"$folder/before.txt"
    cp "$package" "$root/tmp/molsieve.deb"
    step "apt-get install" inside "$root" apt-get install -y --no-install-recommends /tmp/molsieve.deb
    step "user and group molsieve are there" inside "$root" bash -c 'id molsieve && getent group molsieve'
    step "molsieve --version" inside "$root" molsieve --version
    step "its libraries are the package's" deb_libraries
    if [ $# -gt 0 ]; then
        step "units, accounts and folders with systemd's tools" deb_units
    else
        try_it_out
    fi
    step "installing it again" inside "$root" apt-get install -y --reinstall --no-install-recommends /tmp/molsieve.deb
    step "(state, as a daemon leaves it)" deb_state
    step "apt-get remove" inside "$root" apt-get remove -y molsieve
    step "the command is gone, state and settings are not" inside "$root" bash -c \
        '! command -v molsieve && [ -f /var/lib/molsieve/jobs.sqlite ] && [ -f /etc/default/molsieve ]'
    step "apt-get purge" inside "$root" apt-get purge -y molsieve
    step "purge says what it removes" grep -q 'molsieve: removing /var/lib/molsieve' "$log"
    step "of the other state only the output of jobs is there" deb_output
    step "no file is left (the account stays, on purpose)" deb_left
    discard deb
}

try_it_out() {
    step "a job on the shipped library" deb_run
    step "molsieve doctor" inside "$root" molsieve doctor /tmp
    step "rules check" inside "$root" molsieve rules check /usr/share/molsieve/rules/natural_products.toml
    if deb_manual >>"$log"; then
        echo "  ok      man pages are there"
    else
        echo "  SKIPPED man pages: the package was built with --partial"
    fi
}

# The newest package in target/deb.
newest_package() {
    local package
    package=$(find target/deb -name 'molsieve_*_amd64.deb' 2>/dev/null | sort -V | tail -n 1) || true
    [ -n "$package" ] || die "there is no package; make one with packaging/build-deb.sh" 2
    echo "$package"
}

prove_deb() {
    local package=${1:-} root=$folder/deb
    [ -n "$package" ] || package=$(newest_package)
    log=$folder/deb.log
    : >"$log"
    note "$package; the log is $log"
    install_and_remove "$package"
    install_and_remove "$package" systemd
}

prove_dockerfile() {
    local binary=()
    if [ "${1:-}" = --binary ]; then
        [ -x "${2:-}" ] || die "--binary needs a file that can be run" 2
        binary=(--binary "$(realpath "$2")")
        note "NOT A FULL PROOF: $2 stands in for what cargo build makes"
        shift 2
    fi
    [ $# = 0 ] || die "too many arguments; see --help" 2
    fresh debian-slim
    fresh rust
    note "gcc and certificates for the stand-in of rust:*"
    inside "$folder/rust" apt-get install -qq -y --no-install-recommends gcc libc6-dev ca-certificates \
        >"$folder/rust.log" 2>&1
    python3 packaging/dockerfile.py Dockerfile --folder "$folder/stages" \
        --base "debian:=$folder/debian-slim" --base "rust:=$folder/rust" \
        --cargo "$HOME/.cargo" --rustup "$(rustc --print sysroot)" "${binary[@]}"
}

case ${1:-} in
    -h | --help)
        usage
        exit 0
        ;;
    deb | dockerfile | systemd) what=$1 && shift ;;
    *)
        usage >&2
        exit 2
        ;;
esac
if [ "$what" = systemd ] && [ $# -gt 0 ]; then exec "$(dirname "${BASH_SOURCE[0]}")/prove-systemd.sh" "$@"; fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ "$what" = systemd ]; then
    newest=$(newest_package)
    exec packaging/prove-systemd.sh "$newest"
fi
[ "$(id -u)" = 0 ] || die "needs root, for chroot and mounts"
command -v debootstrap >/dev/null || die "debootstrap is missing; install it with: apt-get install debootstrap"
folder=$(realpath -m "${PROVE_FOLDER:-target/prove}")
mkdir -p "$folder"
"prove_$what" "$@"
