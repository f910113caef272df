#!/usr/bin/env bash
# Compiles each kernels/*.cu with NVRTC to a .ptx and to machine code beside it. Needs python3 with pip,
# but no GPU, no driver and no CUDA. The results are committed, so building molsieve needs none of this.
#
# usage: scripts/ptx.sh [--check]
#
# --check: compiles and compares with what is committed, and writes nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
pins=scripts/nvrtc-wheels.txt

if ! cmp -s "$pins" .nvrtc/pins; then
    echo "molsieve: unpacking NVRTC in .nvrtc (once; 23 MB)" >&2
    rm -rf .nvrtc
    mkdir -p .nvrtc/wheels
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
        --only-binary=:all: --platform manylinux1_x86_64 --dest .nvrtc/wheels --requirement "$pins"
    python3 -m zipfile -e .nvrtc/wheels/*.whl .nvrtc
    rm -r .nvrtc/wheels
    cp "$pins" .nvrtc/pins
fi
exec python3 scripts/ptx.py .nvrtc/nvidia/cuda_nvrtc/lib "$@"
