#!/usr/bin/env bash
set -euo pipefail
shopt -s inherit_errexit

usage() {
    cat <<'TEXT'
Installs a wheel where nothing else of molsieve is, and runs the Python example of README.md there: it must print
what README.md shows.

usage: packaging/wheel-check.sh WHEEL [WHERE…]        (default: bookworm trixie)

WHERE is one of
  a suite of Debian  a minimal system, unpacked in memory (1 GiB) by debootstrap, with Python from the distribution,
                     and without a compiler; needs root, debootstrap and a Debian mirror
  a Python           a command such as python3.12, or a path; the wheel goes into a temporary venv

pip fetches what the wheel depends on from the package index, with this machine's settings of pip. A suite is
SKIPPED, and the script says so, without root, without the right to mount, or if its glibc is older than the wheel
needs. With MOLSIEVE_REQUIRE_DEBIAN=1 that is an error.

PROVE_FOLDER  where Debian's packages are kept for the next time (default: target/prove)
TEXT
}

die() {
    echo "wheel-check: $1" >&2
    exit "${2:-1}"
}
# skipped WHAT WHY
skipped() {
    echo "  SKIPPED $1: $2"
    [ "${MOLSIEVE_REQUIRE_DEBIAN:-}" != 1 ] || die "MOLSIEVE_REQUIRE_DEBIAN is set, and $1 was skipped"
}

# step WHAT COMMAND…: runs it, its output in the log, and says how it went.
step() {
    local what=$1 began=$SECONDS
    shift
    if "$@" >>"$log" 2>&1; then
        echo "  ok      $what ($((SECONDS - began)) s)"
    else
        echo "  FAILED  $what; the end of the log:"
        tail -n 20 "$log"
        exit 1
    fi
}

# pip install, which says so if it was the index that failed.
pip_install() {
    "$@" -m pip install --no-cache-dir --no-input --disable-pip-version-check "$install" ||
        {
            echo "pip can't install the wheel; if pip found no version of a package, it can't reach the package index"
            return 1
        }
}

# The oldest glibc that the wheel's name states: the N of 2.N.
oldest_glibc() {
    [[ ${wheel##*/} =~ manylinux_2_([0-9]+)_ ]] || die "$wheel is no manylinux wheel" 2
    echo "${BASH_REMATCH[1]}"
}

# What pip needs to reach the package index: this machine's certificates, proxies and settings of pip.
pip_settings() {
    local file
    mkdir -p "$root/etc/ssl/certs"
    [ ! -f /etc/ssl/certs/ca-certificates.crt ] || cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    for file in "$HOME/.config/pip/pip.conf" "$HOME/.pip/pip.conf" /etc/pip.conf; do
        [ ! -f "$file" ] || {
            cp "$file" "$root/etc/pip.conf"
            break
        }
    done
    mapfile -t pip_variables < <(env | grep -iE '^(PIP_[A-Z_]*|[a-z]+_proxy)=')
    [ ! -f "$root/etc/ssl/certs/ca-certificates.crt" ] || pip_variables+=(PIP_CERT=/etc/ssl/certs/ca-certificates.crt)
}

unpack() {
    local debs=$folder/debs-$suite script=/usr/share/debootstrap/scripts/$suite
    local options=(--variant=minbase --include=python3-venv "--cache-dir=$debs")
    mkdir -p "$debs"
    # An older debootstrap does not know the newest suites; they are unpacked as all others.
    [ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
    mount -t tmpfs -o size=3g,mode=0755 tmpfs "$root"
    debootstrap "${options[@]}" "$suite" "$root" "$(debian_mirror)" "$script" &&
        network_settings "$root" && pip_settings && return
    echo "debootstrap can't unpack $suite from $(debian_mirror); is the mirror reachable?"
    tail -n 5 "$root/debootstrap/debootstrap.log" 2>/dev/null
    return 1
}

# The system has Python alone: no compiler, no RDKit.
is_bare() {
    inside "$root" sh -c '! command -v cc c++ gcc g++ clang && ! python3 -c "import rdkit" 2>/dev/null'
}

in_venv() {
    inside "$root" env "${pip_variables[@]}" /tmp/venv/bin/python "$@"
}

# The example, in an empty folder; its output against README.md.
example_in_root() {
    inside "$root" sh -c 'mkdir /tmp/example && cd /tmp/example && /tmp/venv/bin/python /tmp/example.py' \
        >"$work/printed" && packaging/readme_example.py compare "$work/printed"
}

# The command on the PATH, its libraries, the machine, and the shipped rules.
command_in_root() {
    inside "$root" env PATH=/tmp/venv/bin:/usr/bin:/bin sh -euc '
        molsieve --version
        package=$(python -c "import pathlib, molsieve; print(pathlib.Path(molsieve.__file__).parent)")
        ldd "$package/bin/molsieve" >/tmp/libraries
        cat /tmp/libraries
        ! grep "not found" /tmp/libraries
        ! grep -E "RDKit|boost" /tmp/libraries | grep -v "=> $package/"
        molsieve rules check "$package/rules/natural_products.toml"
        molsieve doctor /tmp'
}

check_suite() {
    local glibc
    suite=$1
    [ "$(id -u)" = 0 ] || { skipped "$suite" "needs root, for chroot and mounts" && return; }
    command -v debootstrap >/dev/null ||
        { skipped "$suite" "debootstrap is missing; install it with: apt-get install debootstrap" && return; }
    [ -n "${WHEEL_CHECK_FOLDER:-}" ] || { skipped "$suite" "this container may not mount" && return; }
    root=$work/$suite
    install=/tmp/${wheel##*/}
    mkdir -p "$root"
    step "debootstrap" unpack
    glibc=$(inside "$root" getconf GNU_LIBC_VERSION | grep -o '[0-9]*$')
    if [ "$glibc" -lt "$(oldest_glibc)" ]; then
        skipped "$suite" "it has glibc 2.$glibc, the wheel needs 2.$(oldest_glibc)"
    else
        step "$(inside "$root" python3 --version), glibc 2.$glibc; no compiler, no RDKit" is_bare
        cp "$wheel" "$root/tmp/"
        packaging/readme_example.py code >"$root/tmp/example.py"
        step "python3 -m venv" inside "$root" python3 -m venv /tmp/venv
        step "pip install ${wheel##*/}" pip_install in_venv
        step "the example of README.md prints what it shows" example_in_root
        step "molsieve on the PATH, its libraries, its rules, doctor" command_in_root
    fi
    umount --recursive "$root"
}

example_in_venv() {
    mkdir "$venv/example"
    packaging/readme_example.py code >"$venv/example.py"
    (cd "$venv/example" && ../bin/python ../example.py >"$work/printed") &&
        packaging/readme_example.py compare "$work/printed" && "$venv/bin/molsieve" --version
}

check_python() {
    local python
    python=$(command -v "$1") || die "there is no Python $1" 2
    "$python" --version >/dev/null 2>&1 || die "$1 does not start" 2
    venv=$work/venv
    install=$wheel
    step "$("$python" --version): venv" "$python" -m venv "$venv"
    step "pip install ${wheel##*/}" pip_install "$venv/bin/python"
    step "the example of README.md prints what it shows" example_in_venv
    rm -rf "$venv"
}

# Runs this script in namespaces and ends with its exit code: mounts and processes end with it, whatever ends it.
in_namespaces() {
    local code=0
    WHEEL_CHECK_FOLDER=$work unshare --mount --pid --mount-proc --fork --kill-child "${BASH_SOURCE[0]}" "$@" &
    # unshare ignores all that SIGKILL is not; the rest follows it.
    trap 'kill -KILL $! 2>/dev/null || true; wait; rm -rf --one-file-system "$work"' EXIT
    wait $! || code=$?
    exit "$code"
}

[[ ${1:-} =~ ^(-h|--help)$ ]] && usage && exit 0
[ $# -ge 1 ] || {
    usage >&2
    exit 2
}
[ -f "$1" ] || die "there is no wheel $1; make one with packaging/wheel.sh" 2
work=${WHEEL_CHECK_FOLDER:-$(mktemp -d)}
if [ "$(id -u)" = 0 ] && [ -z "${WHEEL_CHECK_FOLDER:-}" ] && unshare --mount --pid --fork true 2>/dev/null; then
    in_namespaces "$@"
fi
wheel=$(realpath "$1")
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=packaging/debian-root.sh
. packaging/debian-root.sh
folder=$(realpath -m "${PROVE_FOLDER:-target/prove}")
[ -n "${WHEEL_CHECK_FOLDER:-}" ] || trap 'rm -rf "$work"' EXIT
echo "wheel-check: ${wheel##*/}: needs glibc 2.$(oldest_glibc) or newer"
[ $# -gt 0 ] || set -- bookworm trixie
# Suites at the same time, each with a log of its own.
declare -A running
for where in "$@"; do
    log=$work/${where//\//-}.log
    case $where in
        */* | python*) echo "$where" && check_python "$where" ;;
        *) (check_suite "$where") >"$work/$where.txt" 2>&1 & running[$where]=$! ;;
    esac
done
failed=0
for where in "$@"; do
    [ -n "${running[$where]:-}" ] || continue
    wait "${running[$where]}" || failed=1
    echo "$where"
    cat "$work/$where.txt"
done
exit "$failed"
