# Sourced by prove-systemd.sh: its checks, each a function that says what it saw and returns whether that is right.
# shellcheck shell=bash
# The caller's: package, older, folder, machine, log.
# shellcheck disable=SC2154

# -- install and upgrade --

# with_version PACKAGE SUFFIX FILE: the same package with another version.
with_version() {
    local work
    work=$(mktemp -d)
    dpkg-deb --raw-extract "$1" "$work/tree" && sed -i "s/^Version: .*/&$2/" "$work/tree/DEBIAN/control" &&
        dpkg-deb --root-owner-group -Zgzip -z1 --build "$work/tree" "$3"
    local code=$?
    rm -rf "$work"
    return "$code"
}

# The names under which docs/operating.md has them.
page_package=molsieve_0.1.0-1_amd64.deb

bring_packages() {
    cp "$package" "$machine/root/$page_package" || return 1
    if [ -n "$older" ]; then
        cp "$older" "$machine/root/older.deb"
    else
        with_version "$package" "~older" "$machine/root/older.deb"
    fi
}

install_older() {
    inside_machine bash -c 'apt-get install -y /root/older.deb'
}

nothing_enabled() {
    local unit
    for unit in molsieve.service molsieve.socket molsieve-single.service molsieve-single.socket; do
        echo "$unit"
        [ "$(inside_machine systemctl is-enabled "$unit")" = disabled ] || return 1
        [ "$(inside_machine systemctl is-active "$unit")" = inactive ] || return 1
    done
}

upgrade() {
    local before
    before=$(property molsieve.service MainPID)
    paged "apt-get install ./$page_package" && [ "$(property molsieve.service MainPID)" != "$before" ] &&
        inside_machine systemctl is-active molsieve.service && inside_machine systemctl is-active molsieve.socket
}

# -- what the page says of the system service --

activated() {
    [ "$(inside_machine systemctl is-active molsieve.service)" = inactive ] && as alice molsieve ls &&
        inside_machine systemctl is-active molsieve.service
}

# modes: path, mode, owner and group, as in the table of the page.
modes() {
    local path mode owner found
    while read -r path mode owner; do
        found=$(inside_machine stat --format '%a %U:%G' "$path") || return 1
        [ "$found" = "$mode $owner" ] || { echo "$path: $found, not $mode $owner"; return 1; }
    done
}

job_is_its_users() {
    local pid
    pid=$(job alice "$1" worker_pid)
    # shellcheck disable=SC2046
    set -- $(inside_machine cat "/proc/$pid/status" | awk '/^(Uid|Gid|CapEff|CapBnd|NoNewPrivs):/ { print $2 }')
    echo "uid $1, gid $2, capabilities $3"
    [ "$1" = "$(inside_machine id -u alice)" ] && [ "$2" = "$(inside_machine id -g alice)" ] && [ "$3" = 0000000000000000 ]
}

owned_by() {
    [ -z "$(inside_machine find "$2" ! -user "$1")" ]
}

another_sees_nothing() {
    as bob molsieve ls | contains '^no jobs$' && said "no job" as bob molsieve status "$1" &&
        said "no job" as bob molsieve cancel "$1" && said "no job" as bob molsieve logs "$1" &&
        ! as bob molsieve ls --user alice | contains running && is alice "$1" state running
}

root_sees_all() {
    inside_machine molsieve ls | contains "^ *$1 .*alice"
}

reads_only_its_own() {
    local id
    as alice bash -c 'umask 077; cp /srv/libraries/library.smi ~/secret.smi' || return 1
    id=$(as bob molsieve submit --json --input /home/alice/secret.smi --rules /srv/libraries/rules.toml \
        --output /home/bob/stolen --memory 200MiB --threads 1 | field id) || return 1
    within 60 is bob "$id" state failed && job bob "$id" error
}

metrics() {
    paged 'curl --unix-socket /run/molsieve/molsieve.sock http://molsieve/metrics' | contains '^molsieve_' &&
        inside_machine curl --fail --silent --unix-socket /run/molsieve/molsieve.sock http://molsieve/readyz
}

journal_has_fields() {
    paged 'journalctl -u molsieve' | tail -n 5
    inside_machine journalctl --unit molsieve --output json | contains '"MOLSIEVE_JOB"'
}

wrong_flag() {
    local result
    echo 'MOLSIEVE_SERVE_ARGS="--memori 4GiB"' | put_file /etc/default/molsieve
    inside_machine systemctl restart molsieve.service && { echo "it started"; return 1; }
    sleep 4
    result="$(property molsieve.service ExecMainStatus) $(property molsieve.service ActiveState)"
    echo "$result"
    [ "$result" = "2 failed" ] && inside_machine journalctl --unit molsieve --lines 30 | contains memori
}

right_flag() {
    echo 'MOLSIEVE_SERVE_ARGS="--memory 1GiB --threads 4 --gpus 0 --admin-group adm --retry-delay 1"' |
        put_file /etc/default/molsieve
    inside_machine systemctl reset-failed molsieve.service molsieve.socket
    inside_machine systemctl restart molsieve.socket molsieve.service &&
        as alice molsieve ls >/dev/null &&
        inside_machine curl --silent --unix-socket /run/molsieve/molsieve.sock http://molsieve/v1/node | contains 1073741824
}

admins_see_all() {
    inside_machine adduser carol adm && as carol molsieve ls | contains alice
}

too_large() {
    said "the job needs more than the node has for jobs" as alice molsieve submit --input /srv/libraries/library.smi --output /home/alice/large \
        --memory 900GiB
}

exposure() {
    local figure
    figure=$(inside_machine systemd-analyze security --no-pager "$1" | sed -n 's/.*Overall exposure level for .*: \([0-9.]*\) .*/\1/p')
    echo "$1: ${figure:-no figure}, at most $2"
    awk -v is="$figure" -v most="$2" 'BEGIN { exit !(is != "" && is <= most) }'
}

# -- every way to stop --

# interrupted WHAT COMMAND…: a job of alice works, COMMAND stops it, and it ends by itself with the right bytes.
runs=0
interrupted() {
    local what=$1 id output
    shift
    runs=$((runs + 1))
    output=/home/alice/out-$runs
    id=$(submit alice "$output") || return 1
    check "$what: a job works" within 60 works alice "$id" || return
    check "$what" "$@" "$id" || return
    check "$what: the job ends by itself, with the same bytes" done_right alice "$id" "$output" "$attempts_min"
}
attempts_min=2

restart() {
    inside_machine systemctl restart molsieve.service && as alice molsieve ls
}

kill_all() {
    local before
    before=$(property molsieve.service MainPID)
    inside_machine systemctl kill --signal=KILL --kill-whom=all molsieve.service
    within 30 restarted "$before"
}

restarted() {
    local now
    now=$(property molsieve.service MainPID)
    [ "$now" != 0 ] && [ "$now" != "$1" ] && [ "$(inside_machine systemctl is-active molsieve.service)" = active ]
}

# Longer than WatchdogSec=, and then systemd has to end it.
watchdog() {
    local before
    before=$(property molsieve.service MainPID)
    inside_machine kill -STOP "$before"
    within 90 restarted "$before" &&
        inside_machine journalctl --unit molsieve | contains 'Watchdog timeout'
}

# The kernel kills the job process, not the daemon; with more memory the job resumes by itself.
memory_max() {
    local before id code=0
    before=$(property molsieve.service MainPID)
    inside_machine systemctl set-property --runtime molsieve.service MemoryMax=56M || return 1
    id=$(as alice molsieve submit --json --input /srv/libraries/library.smi --rules /srv/libraries/rules.toml \
        --output /home/alice/small --memory 900MiB --threads 4 --engine cpu | field id)
    within 60 was_killed "$id" || code=1
    as alice molsieve status "$id"
    inside_machine systemctl set-property --runtime molsieve.service MemoryMax=infinity
    # Only a daemon that was killed too needs this.
    inside_machine systemctl reset-failed molsieve.service molsieve.socket
    inside_machine systemctl start molsieve.socket molsieve.service
    [ "$code" = 0 ] && within $((12 * seconds + 120)) is alice "$id" state "done" &&
        [ "$(property molsieve.service MainPID)" = "$before" ]
}

was_killed() {
    job alice "$1" error | contains 'signal 9|SIGKILL|killed'
}

reload() {
    local before
    before=$(property molsieve.service MainPID)
    inside_machine systemctl reload molsieve.service && [ "$(property molsieve.service MainPID)" = "$before" ] &&
        [ "$(inside_machine systemctl is-active molsieve.service)" = active ]
}

# The page's examples of a configuration file, each by itself, with the users and groups that they name.
page_configuration() {
    local example examples
    inside_machine bash -c 'useradd ada; groupadd students'
    examples=$(grep -c '^```toml$' docs/operating.md) || return 1
    for example in $(seq "$examples"); do
        awk -v example="$example" '/^```toml$/ { on = ++n == example; next } /^```$/ { on = 0 } on' docs/operating.md |
            put_file /root/page.toml
        inside_machine molsieve serve --check-config --config /root/page.toml || return 1
    done
}

# A reload applies a quota without a restart; one with a wrong file fails and changes nothing.
reload_configuration() {
    local two_threads=(as bob molsieve submit --input /srv/libraries/library.smi --memory 200MiB --threads 2)
    printf '[quota.user.bob]\nthreads = 1\n' | put_file /etc/molsieve/molsieve.toml
    paged 'molsieve serve --check-config' && reload && said quota "${two_threads[@]}" --output /home/bob/two || return 1
    echo 'colour = "red"' | put_file /etc/molsieve/molsieve.toml
    said colour inside_machine molsieve serve --check-config || return 1
    inside_machine systemctl reload molsieve.service
    sleep 1
    inside_machine journalctl --unit molsieve --lines 20 | contains colour &&
        said quota "${two_threads[@]}" --output /home/bob/two || return 1
    inside_machine rm /etc/molsieve/molsieve.toml
    reload && "${two_threads[@]}" --output /home/bob/two
}

reboot() {
    inside_machine systemctl enable molsieve.service && machine_reboot && after_boot
}

power_failure() {
    machine_power_failure && after_boot
}

# No client has connected, and the daemon is there.
after_boot() {
    within 60 inside_machine systemctl is-active molsieve.service
}

backup() {
    local jobs
    paged 'molsieve admin backup /root/molsieve.backup' || return 1
    [ "$(inside_machine stat --format '%a %U' /root/molsieve.backup)" = "600 root" ] || return 1
    said "exists" inside_machine molsieve admin backup /root/molsieve.backup || return 1
    jobs=$(inside_machine molsieve ls --json --limit 1000 | wc -l)
    [ "$jobs" -gt 3 ] || return 1
    paged 'systemctl stop molsieve.socket molsieve.service' && paged 'mv /var/lib/molsieve /var/lib/molsieve.before' &&
        paged 'install -d -m 0700 /var/lib/molsieve' &&
        paged 'install -m 0600 /root/molsieve.backup /var/lib/molsieve/jobs.sqlite3' &&
        paged 'systemctl start molsieve.socket molsieve.service' || return 1
    [ "$(inside_machine molsieve ls --json --limit 1000 | wc -l)" = "$jobs" ]
}

# -- the other two units --

single() {
    paged 'systemctl enable --now molsieve-single.socket' &&
        [ "$(inside_machine systemctl is-active molsieve.socket)" != active ] &&
        modes <<'MODES' &&
/run/molsieve/molsieve.sock 660 molsieve:molsieve
/var/lib/molsieve-single 710 molsieve:molsieve
/var/lib/molsieve-single/jobs 2750 molsieve:molsieve
MODES
        inside_machine adduser carol molsieve && inside_machine id -nG molsieve | contains render
}

single_job() {
    local id output=/var/lib/molsieve-single/jobs/carol
    id=$(submit carol "$output") || return 1
    done_right carol "$id" "$output" 1 && owned_by molsieve "$output" && as carol cat "$output/manifest.json" >/dev/null
}

single_keeps_others_out() {
    said "you are not allowed to use this daemon" as bob molsieve ls
}

single_drop_in() {
    local id
    inside_machine install -d -o molsieve -g molsieve /srv/results
    inside_machine install -d /etc/systemd/system/molsieve-single.service.d
    awk '/^```ini$/ { on = 1; next } /^```$/ { on = 0 } on' docs/operating.md |
        sed 's|/srv/libraries|/srv/results|' | put_file /etc/systemd/system/molsieve-single.service.d/override.conf
    inside_machine systemctl daemon-reload && inside_machine systemctl restart molsieve-single.service
    id=$(submit carol /srv/results/carol) || return 1
    done_right carol "$id" /srv/results/carol 1
}

single_restart() {
    local id output=/var/lib/molsieve-single/jobs/again
    id=$(submit carol "$output") || return 1
    within 60 works carol "$id" && inside_machine systemctl restart molsieve-single.service &&
        done_right carol "$id" "$output" 2
}

single_ends_the_other() {
    inside_machine systemctl start molsieve.socket &&
        [ "$(inside_machine systemctl is-active molsieve-single.socket)" = inactive ] &&
        inside_machine systemctl start molsieve.service &&
        [ "$(inside_machine systemctl is-active molsieve-single.service)" = inactive ]
}

user_unit() {
    local id
    paged 'loginctl enable-linger alice' && within 30 as alice systemctl --user is-active basic.target &&
        paged_as alice 'systemctl --user enable --now molsieve.socket' || return 1
    id=$(submit alice /home/alice/own) || return 1
    [ "$id" = 1 ] && within 60 works alice "$id" && as alice systemctl --user restart molsieve.service &&
        done_right alice "$id" /home/alice/own 2 && owned_by alice /home/alice/own &&
        as alice bash -c '[ "$(stat -c %a ~/.local/state/molsieve)" = 700 ] && [ "$(stat -c %a "$XDG_RUNTIME_DIR/molsieve")" = 700 ]'
}

user_unit_ends() {
    as alice systemctl --user disable --now molsieve.socket molsieve.service &&
        [ "$(as alice systemctl --user is-active molsieve.service)" = inactive ]
}

# -- remove and purge, with a job running --

remove() {
    local id
    id=$(submit alice /home/alice/last) || return 1
    within 60 works alice "$id" && paged 'apt-get remove molsieve' -y && ! inside_machine pgrep --full '/usr/bin/molsieve|self/exe' &&
        inside_machine bash -c '! command -v molsieve && [ -s /var/lib/molsieve/jobs.sqlite3 ] && [ -f /etc/default/molsieve ]'
}

reinstalled() {
    local id
    paged "apt-get install ./$page_package" && paged 'systemctl enable --now molsieve.socket' || return 1
    id=$(as alice molsieve ls --json | head -n 1 | field id)
    done_right alice "$id" /home/alice/last 2
}

purge() {
    paged 'apt-get purge molsieve' -y | tee -a "$log" | contains 'molsieve: removing /var/lib/molsieve' &&
        inside_machine bash -c 'for path in /var/lib/molsieve /var/cache/molsieve /etc/default/molsieve /run/molsieve \
                /usr/bin/molsieve /usr/lib/molsieve /lib/systemd/system/molsieve.service; do
                [ ! -e "$path" ] || { echo "$path is left"; exit 1; }
            done
            [ "$(ls /var/lib/molsieve-single)" = jobs ] && [ -s /home/alice/last/manifest.json ]
            id molsieve && [ "$(passwd --status molsieve | cut -d" " -f2)" = L ]' &&
        ! inside_machine systemctl list-units --all --plain --no-legend 'molsieve*' | grep -v not-found
}
