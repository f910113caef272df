# Sourced by the other scripts: installs what molsieve is built with, where it is missing.
#
# - system packages: a C++20 compiler, Python with pip and venv (apt-get, on Debian and Ubuntu)
# - Rust, with rustup where it is missing or too old
# - RDKit, laid out in .rdkit/ from pinned Python wheels; or, with RDKIT_PREFIX set, the RDKit that is installed there
#   (a conda environment), of the same year and month
#
# Sets CONDA_PREFIX, which the build reads.
# shellcheck shell=bash

RUST_MINIMUM=1.91
# shellcheck source=scripts/rdkit-release.sh
. scripts/rdkit-release.sh

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs Debian's packages of these names.
apt_install() {
    if ! command -v apt-get >/dev/null; then
        echo "molsieve: please install: $*" >&2
        return 1
    fi
    echo "molsieve: installing $*" >&2
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        "$@" >/dev/null
}

# lavapipe, a Vulkan driver in software, for the tests of the engine wgpu. Nothing else needs it.
install_lavapipe() {
    compgen -G '/usr/share/vulkan/icd.d/lvp_icd*.json' >/dev/null ||
        apt_install mesa-vulkan-drivers libvulkan1
}

install_packages() {
    local missing=()
    command -v g++ >/dev/null || missing+=(g++)
    command -v nm >/dev/null || missing+=(binutils)
    command -v python3 >/dev/null || missing+=(python3)
    python3 -c 'import pip' 2>/dev/null || missing+=(python3-pip)
    python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
    # For rustup, and for the test that runs the commands shown in docs/.
    command -v curl >/dev/null || missing+=(curl ca-certificates)
    [ ${#missing[@]} = 0 ] && return
    apt_install "${missing[@]}"
}

# Whether version $1 is at least version $2.
at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

install_rust() {
    [ -f "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"
    local version
    version=$(rustc --version 2>/dev/null | cut -d' ' -f2) || version=
    if [ -n "$version" ] && at_least "$version" "$RUST_MINIMUM"; then return; fi
    if [ -n "$version" ]; then
        echo "molsieve: Rust $version is too old, $RUST_MINIMUM or newer is needed" >&2
    else
        echo "molsieve: Rust is missing" >&2
    fi
    if command -v rustup >/dev/null; then
        echo "molsieve: updating it with rustup" >&2
        rustup toolchain install stable --profile default
        rustup default stable
    else
        echo "molsieve: installing it with rustup, for this user" >&2
        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile default
        . "$HOME/.cargo/env"
    fi
}

find_rdkit() {
    if [ -n "${RDKIT_PREFIX:-}" ]; then
        if [ ! -f "$RDKIT_PREFIX/include/rdkit/GraphMol/ROMol.h" ]; then
            echo "molsieve: RDKIT_PREFIX is $RDKIT_PREFIX, which has no RDKit headers" >&2
            exit 1
        fi
        local needed found
        needed=$(pinned_release)
        found=$(release_of_prefix "$RDKIT_PREFIX")
        if [ "${found%.*}" != "${needed%.*}" ]; then
            echo "molsieve: RDKit $needed is needed, and the one in RDKIT_PREFIX, $RDKIT_PREFIX, is ${found:-unknown}." \
                "Unset RDKIT_PREFIX, and scripts/rdkit-prefix.sh .rdkit lays the right one out" >&2
            exit 1
        fi
        export CONDA_PREFIX=$RDKIT_PREFIX
    else
        ./scripts/rdkit-prefix.sh .rdkit
        CONDA_PREFIX=$(realpath .rdkit)
        export CONDA_PREFIX
    fi
}

install_packages
install_rust
find_rdkit
