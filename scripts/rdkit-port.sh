#!/usr/bin/env bash
set -euo pipefail
shopt -s inherit_errexit

usage() {
    cat <<'TEXT'
Builds molsieve with a release of RDKit, runs every proof, and prints what differs from the pinned release.

usage: scripts/rdkit-port.sh RELEASE [--seconds N] [--library FILE]... [--without-tests] [--work DIR]

  RELEASE          year, month and number, as RDKit writes it; it needs wheels in the package index
  --seconds N      how long to make up rules and molecules for  (default: 300)
  --library FILE   a library of your own beside the shipped one; may be repeated
  --without-tests  does not build and run the tests that look into molecules (parser, keys, examples), which takes
                   most of the time
  --work DIR       where everything is laid out and built  (default: target/rdkit-RELEASE)

Steps: lays the release out beside the pinned one, builds, compares both releases from Python (what is read,
canonical SMILES, rings, properties), and then proves molsieve against the release: the examples of the shipped rules,
the fast way against the reference and against the plain loop in Python, and structure keys against canonical SMILES.
One line for each, then what failed with the smallest inputs. Everything that was printed is in DIR/*.log.

Ends with 0 if every proof holds, else with 1. docs/chemistry.md, "Porting to a release", says how to go on.
TEXT
}

die() {
    echo "rdkit-port: $1" >&2
    exit "${2:-1}"
}

failed=()

# Runs a step with its output in DIR/NAME.log and prints a line on it: `step NAME WHAT COMMAND...`.
step() {
    local name=$1 what=$2 began=$SECONDS verdict=holds
    shift 2
    if ! "$@" >"$work/$name.log" 2>&1; then
        verdict=FAILED
        failed+=("$name")
    fi
    printf '%-10s %-66s %s, %d s\n' "$name" "$what" "$verdict" $((SECONDS - began))
}

build() {
    # What was built for the pinned release need not be built again, apart from what links RDKit.
    if [ ! -d "$work/target" ] && [ -d target/release/deps ]; then
        mkdir -p "$work/target"
        cp -a target/release "$work/target/"
    fi
    cargo build --release --locked
    [ -z "$tests" ] || cargo test --release --locked --test it --no-run
}

compare_releases() {
    "$python_pinned" tests/oracle/releases.py "$python_pinned" "$PYTHON" "${libraries[@]}" tests/oracle/kinds.smi
}

check_rules() { "$MOLSIEVE" rules check examples/rules/*.toml; }

run_tests() {
    MOLSIEVE_PYTHON=$PYTHON MOLSIEVE_REQUIRE_PYTHON=1 \
        cargo test --release --locked --test it -- parse:: identity:: examples:: inputs::properties
}

check_equality() {
    local library
    for library in "${libraries[@]}"; do
        ./scripts/equal.sh "$library"
        ./scripts/equal.sh "$library" --rules tests/oracle/nasty_rules.toml
    done
    ./scripts/equal.sh tests/oracle/kinds.smi --rules tests/oracle/five.toml
    ./scripts/equal.sh tests/oracle/kinds.smi --rules tests/oracle/nasty_rules.toml
}

# Loops in Python and molsieve make the same products from rules and molecules that are made up.
check_generated() { ./scripts/equal.sh --generated "$seconds" --seed "$((RANDOM + 1))"; }

check_keys() {
    "$PYTHON" tests/oracle/made_up.py "$work/made_up.smi" --rows 20000
    "$PYTHON" tests/oracle/kinds_stereo.py "$work/stereo.smi" --rows 10000
    "$PYTHON" tests/oracle/structure_key.py "$work/made_up.smi" "$work/stereo.smi" tests/oracle/kinds.smi \
        "${libraries[@]}" --binary "$MOLSIEVE" --list 3
}

# The part of a log that says what is wrong.
show() {
    echo
    echo "── $1 ($work/$1.log)"
    case $1 in
        build) grep -E -A 3 '(error|warning: RDKit)' "$work/build.log" | head -n 40 ;;
        tests) grep -E '^test .* FAILED|panicked|^  (left|right)|differs|^(fast|RDKit):' "$work/tests.log" | head -n 40 ;;
        keys) grep -E -A 10 '^false (merge|split)' "$work/keys.log" | head -n 60 ;;
        *) tail -n 40 "$work/$1.log" ;;
    esac || tail -n 40 "$work/$1.log"
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/python.sh
. scripts/python.sh
release=
seconds=300
libraries=(examples/natural_products.csv)
tests=yes
work=
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help)
            usage
            exit 0
            ;;
        --seconds)
            [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "--seconds needs a whole number above 0" 2
            seconds=$2
            shift 2
            ;;
        --library)
            [ -f "${2:-}" ] || die "--library needs a file" 2
            libraries+=("$(realpath "$2")")
            shift 2
            ;;
        --without-tests)
            tests=
            shift
            ;;
        --work)
            work=${2:?--work needs a folder}
            shift 2
            ;;
        -*) die "unknown option $1; see --help" 2 ;;
        *)
            release=$1
            shift
            ;;
    esac
done
[ -n "$release" ] || die "which release? See --help" 2
package_version "$release" >/dev/null || exit 2
release=$(package_version "$release" | tr . ' ' | as_release)
work=$(realpath -m "${work:-target/rdkit-$release}")
mkdir -p "$work"

echo "RDKit $release beside the pinned $(pinned_release), in $work"
./scripts/rdkit-prefix.sh "$work/prefix" "$release"
make_venv || die "the Python packages of tests/oracle/requirements.txt cannot be installed"
make_venv_for "$release" "$work/venv" || die "there is no RDKit $release for $(python3 --version)"
python_pinned=$PWD/.venv/bin/python
export PYTHON=$work/venv/bin/python MOLSIEVE=$work/target/release/molsieve
export CONDA_PREFIX=$work/prefix MOLSIEVE_RDKIT_RELEASE=$release CARGO_TARGET_DIR=$work/target

step releases "what both releases make of the same molecules, from Python" compare_releases
step build "molsieve builds with it" build
if [[ ${failed[*]} != *build* ]]; then
    step rules "the examples of the shipped rules" check_rules
    [ -z "$tests" ] || step tests "tests of parser, keys, examples and properties" run_tests
    step equality "the fast way makes what the reference makes" check_equality
    step keys "structure keys distinguish molecules as canonical SMILES do" check_keys
    step generated "random rules on random molecules: fast, reference and Python" check_generated
fi
echo
cat "$work/releases.log"
for name in "${failed[@]}"; do
    show "$name"
done
[ ${#failed[@]} = 0 ]
