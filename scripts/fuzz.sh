#!/usr/bin/env bash
set -euo pipefail
shopt -s inherit_errexit

usage() {
    cat <<'TEXT'
Fuzzes everything that reads bytes from outside: requests to the daemon, rule files, libraries, SMILES for
structure keys, and the files of a run that resumes (tests/fuzz).

usage: scripts/fuzz.sh [SECONDS] [TARGET…]

  SECONDS  how long each target runs   (default: 300)
  TARGET   what is fuzzed: request, rules, sealed, source_delimited, source_parquet,
           source_sdf, source_smiles, spill, structure_key   (default: all of them)

Two targets run at a time. Each begins with tests/fuzz/corpus and tests/fuzz/findings. New inputs of
interest go to the build folder (fuzz/corpus), where the next run begins; log and findings are beside
them. Prints per target how many inputs were run and whether one was a finding: a panic, a failed check,
20 seconds for one input, or more than 2 GiB of memory. Ends with 1 if there was any.

Fix a finding where the fault is, and put its input into tests/fuzz/findings/TARGET. The tests replay
the inputs there.

FUZZ_JOBS         targets at a time   (default: 2)
CARGO_TARGET_DIR  the build folder    (default: target)
TEXT
}

die() {
    echo "fuzz: $1" >&2
    exit "${2:-1}"
}

# Longest input of a target, in bytes.
bytes_max() {
    case $1 in
        source_parquet) echo 8192 ;;
        structure_key) echo 256 ;;
        *) echo 4096 ;;
    esac
}

# Builds with the nightly toolchain, or with the stable one and RUSTC_BOOTSTRAP.
cargo_fuzz() {
    if command -v rustup >/dev/null && rustup run nightly rustc --version >/dev/null 2>&1; then
        rustup run nightly cargo fuzz "$@"
    else
        RUSTC_BOOTSTRAP=1 cargo fuzz "$@"
    fi
}

# Without a sanitizer, because mimalloc replaces malloc and RDKit's libraries are not instrumented. The
# Rust code has its assertions and overflow checks.
build() {
    cargo_fuzz build --fuzz-dir tests/fuzz --sanitizer none --target-dir "$builds"
}

fuzz() {
    local target=$1 status=0
    mkdir -p "$kept/corpus/$target" "$kept/artifacts/$target" "$work/$target"
    rm -f "$kept/artifacts/$target"/*
    local folders=("$kept/corpus/$target" "tests/fuzz/corpus/$target")
    [ ! -d "tests/fuzz/findings/$target" ] || folders+=("tests/fuzz/findings/$target")
    TMPDIR=$work/$target "$binaries/$target" "${folders[@]}" \
        -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len="$(bytes_max "$target")" \
        -artifact_prefix="$kept/artifacts/$target/" -print_final_stats=1 \
        >"$kept/$target.log" 2>&1 || status=$?
    echo "$status" >"$work/$target.status"
}

# One line for a target; fails if there was a finding.
report() {
    local target=$1 executions finding=none
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$kept/$target.log")
    if [ "$(cat "$work/$target.status")" != 0 ]; then
        finding=$(find "$kept/artifacts/$target" -type f | head -n 1)
        finding="${finding:-no input} (see $kept/$target.log)"
    fi
    printf '%-18s %12s executions   finding: %s\n' "$target" "${executions:-?}" "$finding"
    [ "$finding" = none ]
}

case ${1:-} in
    -h | --help)
        usage
        exit 0
        ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=300
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
    seconds=$1
    shift
fi
targets=("$@")
if [ $# = 0 ]; then
    for file in tests/fuzz/targets/*.rs; do targets+=("$(basename "$file" .rs)"); done
fi
for target in "${targets[@]}"; do
    [ -f "tests/fuzz/targets/$target.rs" ] || die "there is no target $target; see --help" 2
done

. scripts/setup.sh
cargo fuzz --version >/dev/null 2>&1 ||
    die "cargo-fuzz is missing; install it with: cargo install --locked cargo-fuzz"
builds=${CARGO_TARGET_DIR:-$PWD/target}
kept=$builds/fuzz
binaries=$builds/$(rustc -vV | sed -n 's/^host: //p')/release
build
work=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")")
trap 'rm -rf "$work"' EXIT

for target in "${targets[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "${FUZZ_JOBS:-2}" ]; do wait -n; done
    fuzz "$target" &
done
wait
failed=0
for target in "${targets[@]}"; do report "$target" || failed=1; done
exit $failed
