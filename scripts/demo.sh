#!/usr/bin/env bash
# Installs what is missing, builds molsieve, and runs the main job on the shipped library: 621 natural
# products, 108 reaction rules.
#
# usage: scripts/demo.sh [OUTPUT_DIR]        (default: demo-output)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
output=${1:-demo-output}
. scripts/setup.sh

cargo build --release --locked
exec target/release/molsieve run \
    --input examples/natural_products.csv \
    --rules examples/rules/natural_products.toml \
    --memory 256MiB --output "$output" --overwrite
