#!/usr/bin/env bash
# Does the same set-up as scripts/demo.sh and runs all tests: units, the ring under shuttle's
# scheduler, the binary on real files, the comparison with the plain loop in Python, the pages in Chromium, the daemon's
# interface with the tools of others, and the Python package.
#
# usage: scripts/test.sh
#
# A GPU engine whose device is missing is skipped, and the tests say so. MOLSIEVE_REQUIRE_ENGINES, a
# list, demands devices: here wgpu, which has one on every machine with Mesa's lavapipe.
#
# PYTHON: a Python that has tests/oracle/requirements.txt; by default one is made in .venv/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/setup.sh
. scripts/python.sh

if [ -n "${PYTHON:-}" ]; then
    export MOLSIEVE_PYTHON=$PYTHON MOLSIEVE_REQUIRE_PYTHON=1
elif make_venv; then
    export MOLSIEVE_PYTHON=$PWD/.venv/bin/python MOLSIEVE_REQUIRE_PYTHON=1
elif [ -n "${CI:-}" ]; then
    exit 1
else
    echo "molsieve: $(python3 --version) cannot install tests/oracle/requirements.txt; the" \
        "comparisons with Python are skipped" >&2
fi

# A name used twice or not defined, before anything is built.
if [ -n "${MOLSIEVE_PYTHON:-}" ]; then
    "$MOLSIEVE_PYTHON" -m ruff check --quiet --no-cache --select E9,F,PLE benches packaging python scripts tests
fi

install_lavapipe
export MOLSIEVE_REQUIRE_ENGINES=${MOLSIEVE_REQUIRE_ENGINES-wgpu}
# A terminal for the tests of top.
command -v tmux >/dev/null || apt_install tmux
export MOLSIEVE_REQUIRE_TMUX=1
# A server for the tests over ssh.
[ -x /usr/sbin/sshd ] && command -v ssh >/dev/null || apt_install openssh-server openssh-client
export MOLSIEVE_REQUIRE_SSHD=1
# Another clock for the idle day of the soak test.
[ -e /usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1 ] || apt_install libfaketime
# The embedded kernels are what their source compiles to; no GPU is needed to see that.
./scripts/ptx.sh --check

# Faults on purpose; first, so that the binary left behind is the one without them.
cargo test --release --locked --features failpoints --test it -- faults::
cargo test --release --locked --lib --bins --tests
# Ring and cores again, under a scheduler that tries thousands of interleavings.
cargo test --release --locked --features shuttle --lib -- ring:: cores::
target/release/molsieve rules check examples/rules/*.toml
# The pages of `report` and `ui` in Chromium.
tests/browser/test.sh
# The daemon's interface with clients that others generate, and the parsers of Prometheus.
scripts/api.sh --quick
# The wheel of this binary: the Python package, and bare Debian systems.
python/test.sh
