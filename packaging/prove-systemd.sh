#!/usr/bin/env bash
set -uo pipefail

usage() {
    cat <<'TEXT'
Boots a Debian under systemd-nspawn, installs the package there, and follows docs/operating.md: the three units, jobs
of several users, every way in which a daemon or a machine stops, upgrade, removal and purge. Each job must end with
the same bytes as an uninterrupted run. Started by: packaging/prove.sh systemd

usage: packaging/prove-systemd.sh PACKAGE [OLDER]

  OLDER  the package that is installed first and upgraded with a job running (default: PACKAGE again, with a lower
         version)

Prints a line per check and ends with 1 if one fails. Where it can't run it says SKIPPED and why, and ends with 0;
with MOLSIEVE_REQUIRE_SYSTEMD=1 it ends with 1.

PROVE_FOLDER   where the machine goes, 2 GiB       (default: target/prove)
PROVE_RELEASE  the release of Debian               (default: bookworm)
PROVE_SECONDS  about how long a job of the tests takes (default: 15); at least 10, because apt-get takes some of it
TEXT
}

if [[ $# -lt 1 || $# -gt 2 || $1 == -* ]]; then
    usage
    [[ ${1:-} =~ ^(-h|--help)$ ]] && exit 0
    exit 2
fi
[ -f "$1" ] || {
    echo "prove: there is no package $1; make one with packaging/build-deb.sh" >&2
    exit 2
}
package=$(realpath "$1")
older=${2:+$(realpath "$2")}
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
# shellcheck source=packaging/debian-root.sh
. packaging/debian-root.sh
# shellcheck source=packaging/systemd-machine.sh
. packaging/systemd-machine.sh
# shellcheck source=packaging/systemd-checks.sh
. packaging/systemd-checks.sh
folder=$(realpath -m "${PROVE_FOLDER:-target/prove}")
release=${PROVE_RELEASE:-bookworm}
log=$folder/systemd.log
failed=0

missing=$(machine_missing)
if [ -n "$missing" ]; then
    echo "prove: SKIPPED systemd: $missing"
    exit "${MOLSIEVE_REQUIRE_SYSTEMD:-0}"
fi
mkdir -p "$folder"
: >"$log"
: >"$folder/console.log"
trap machine_stop EXIT

# check WHAT COMMAND…: runs it, its output in the log, and says how it went. Returns whether it succeeded.
check() {
    local what=$1 began=$SECONDS
    shift
    echo "== $what" >>"$log"
    if "$@" >>"$log" 2>&1; then
        echo "  ok      $what ($((SECONDS - began)) s)"
    else
        echo "  FAILED  $what (see $log)"
        tail -n 12 "$log" | sed 's/^/          /'
        failed=$((failed + 1))
        return 1
    fi
}

# must WHAT COMMAND…: as check, and without it nothing else makes sense.
must() {
    check "$@" || finish
}

finish() {
    inside_machine journalctl --no-pager >"$folder/systemd-journal.log" 2>/dev/null
    if [ "$failed" = 0 ]; then
        echo "prove: systemd: all checks passed"
    else
        echo "prove: systemd: $failed checks FAILED; see $log and $folder/systemd-journal.log"
    fi
    exit $((failed > 0))
}

# paged COMMAND [FLAG]: runs a command that docs/operating.md shows, as root.
paged() {
    grep -qF -- "$1" docs/operating.md || { echo "docs/operating.md does not show: $1"; return 1; }
    inside_machine bash -c "cd /root && $1 ${2:-}"
}

# paged_as USER COMMAND
paged_as() {
    grep -qF -- "$2" docs/operating.md || { echo "docs/operating.md does not show: $2"; return 1; }
    as "$1" bash -c "$2"
}

# contains PATTERN: whether a line of standard input does. It reads all, so that no writer sees a closed pipe.
contains() {
    local found
    found=$(grep -E -e "$1")
    [ -n "$found" ]
}

property() {
    inside_machine systemctl show --value --property "$2" "$1"
}

# said MESSAGE COMMAND…: the command fails, and says that.
said() {
    local wanted=$1 output
    shift
    output=$("$@" 2>&1) && { echo "no failure: $output"; return 1; }
    echo "$output"
    grep -qF -- "$wanted" <<<"$output"
}

# -- jobs --

# submit USER OUTPUT FLAG…: prints the job's number.
submit() {
    local user=$1 output=$2
    shift 2
    as "$user" molsieve submit --json --input /srv/libraries/library.smi --rules /srv/libraries/rules.toml \
        --output "$output" --memory 200MiB --threads 1 --engine cpu "$@" | field id
}

# field NAME: that field of the JSON object on standard input.
field() {
    python3 -c 'import json, sys; print(json.loads(sys.stdin.readline()).get(sys.argv[1]))' "$1"
}

# job USER ID FIELD
job() {
    as "$1" molsieve status "$2" --json | field "$3"
}

is() {
    local found
    found=$(job "$1" "$2" "$3")
    [ "$found" = "$4" ]
}

# It has made some rows, so that an interruption has something to lose.
works() {
    as "$1" molsieve status "$2" --json | python3 -c '
import json, sys
job = json.loads(sys.stdin.readline())
sys.exit(job["state"] != "running" or not (job["progress"] or {}).get("parents", 0) > 0)'
}

# done_right USER ID OUTPUT ATTEMPTS: it ends by itself, within its time, with the bytes of an uninterrupted run,
# after at least so many attempts.
done_right() {
    local user=$1 id=$2 output=$3 attempts
    within $((12 * seconds + 120)) is "$user" "$id" state "done" || {
        as "$user" molsieve status "$id"
        return 1
    }
    attempts=$(job "$user" "$id" attempts)
    echo "job $id: $attempts attempts"
    [ "$attempts" -ge "$4" ] && sums "$output" | diff "$folder/expected.sums" -
}

sums() {
    inside_machine bash -c "cd '$1/products' && sha256sum *"
}

# About 15 s of work for one thread, whatever this machine and this build: measured, not guessed.
seconds=${PROVE_SECONDS:-15}
library() {
    python3 - "$1" <<'PYTHON'
import itertools, sys
tails = ["C" * n for n in range(1, 9)] + ["C(C)C", "CC(C)C", "C(C)(C)C", "CCO", "CCN", "CCOC", "CC(=O)C", "CCS(=O)C"]
cores = ["Oc1ccc({})cc1", "Oc1cccc({})c1", "Oc1cc(O)cc({})c1", "O=c1c(O)c(-c2ccc({})cc2)oc2cc(O)cc(O)c12",
         "Oc1ccc(/C=C/c2cc(O)cc({})c2)cc1", "COc1cc({})ccc1O", "OC(=O)c1ccc({})cc1", "Nc1ccc({})cc1"]
count = 0
for length in itertools.count(1):
    for parts in itertools.product(tails, repeat=length):
        for core in cores:
            print(core.format("O".join(parts)), f"m{count}")
            count += 1
            if count == int(sys.argv[1]):
                sys.exit()
PYTHON
}

# run_alone LINES OUTPUT: prints the milliseconds of an uninterrupted run over so many molecules.
run_alone() {
    local began
    library "$1" | put_file /srv/libraries/library.smi
    began=$(date +%s%3N)
    inside_machine molsieve run --input /srv/libraries/library.smi --rules /srv/libraries/rules.toml --output "$2" \
        --memory 200MiB --threads 1 --engine cpu >>"$log" 2>&1 || return 1
    echo $(($(date +%s%3N) - began))
}

# The start of a program costs the same for any library, so the number of molecules is approached in steps.
prepare_jobs() {
    local took lines=4000 output=/root/expected-1 step
    put_file /srv/libraries/rules.toml <examples/rules/natural_products.toml
    for step in 1 2 3 4; do
        output=/root/expected-$step
        took=$(run_alone "$lines" "$output") || return 1
        echo "$lines molecules: $took ms"
        [ "$took" -lt $((seconds * 800)) ] || break
        lines=$((lines * seconds * 1000 / took + 1))
    done
    sums "$output" >"$folder/expected.sums"
    seconds=$((took / 1000 > seconds ? took / 1000 : seconds))
}

users() {
    inside_machine bash -euc 'for user in alice bob carol; do useradd --create-home "$user"; done'
}

# -- in this order --

echo "prove: $package under systemd of Debian $release; the log is $log"
must "a Debian is made" machine_make
must "it boots" machine_boot
must "(the packages are brought, and three users)" bring_packages
must "(three users)" users
must "apt-get install" install_older
check "nothing is enabled" nothing_enabled
must "(a library for jobs of about $seconds s, and what they must write)" prepare_jobs
must "molsieve.socket is enabled" paged 'systemctl enable --now molsieve.socket'
check "the first connection starts the daemon" activated
interrupted "upgrade with a job running" upgrade

check "its figure of systemd-analyze security" exposure molsieve.service 2.1
check "modes of socket and queue" modes <<'MODES'
/run/molsieve/molsieve.sock 666 root:root
/var/lib/molsieve 700 root:root
/var/lib/molsieve/jobs.sqlite3 600 root:root
MODES
attempts_min=1
interrupted "a job process is its user, without capabilities" job_is_its_users
check "its output is its user's" owned_by alice "/home/alice/out-$runs"
interrupted "another user sees nothing of the job" another_sees_nothing
check "a job can't read another user's file" reads_only_its_own
check "metrics and readiness" metrics
check "the journal has jobs as fields" journal_has_fields
check "a wrong flag: exit code 2, not restarted, named in the journal" wrong_flag
must "flags in /etc/default/molsieve" right_flag
check "a job that can never fit is refused" too_large
check "members of --admin-group see all jobs" admins_see_all
check "molsieve doctor" paged 'molsieve doctor'
interrupted "systemctl reload leaves a job alone" reload
if inside_machine molsieve serve --help | contains check-config; then
    check "the page's configuration files" page_configuration
    check "systemctl reload applies the configuration file, a wrong one changes nothing" reload_configuration
fi
attempts_min=2
interrupted "systemctl restart" restart
interrupted "SIGKILL of the whole unit" kill_all
interrupted "watchdog: SIGSTOP of the daemon" watchdog
check "MemoryMax= is reached: the job process dies, and the job resumes with more memory" memory_max
interrupted "reboot" reboot
interrupted "power failure" power_failure
if inside_machine molsieve admin --help >/dev/null 2>&1; then
    check "backup while it runs, and going back to it" backup
fi

check "molsieve-single.socket" single
check "its figure of systemd-analyze security" exposure molsieve-single.service 0.7
check "a job of its group, as the user molsieve" single_job
check "others can't connect" single_keeps_others_out
check "systemctl restart of it" single_restart
check "its drop-in as on the page" single_drop_in
check "the two system services exclude each other" single_ends_the_other
check "a user's own daemon: job, restart, modes" user_unit
check "it can be disabled" user_unit_ends

check "apt-get remove with a job running" remove
check "installed again, the job resumes" reinstalled
check "apt-get purge" purge
finish
