# Sourced by prove-systemd.sh: a Debian that boots in a folder under systemd-nspawn, and how commands run in it.
# The caller sets `folder`, `release` and `log`.
# shellcheck shell=bash
# shellcheck disable=SC2154

# What the package depends on, what an administrator has on a server, and a user's own manager.
machine_packages=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,curl,procps,adduser,passwd
machine_packages+=,libstdc++6,libgcc-s1,libc6,ca-certificates
machine=
machine_leader=
nspawn=

# Why it can't run here; nothing if it can.
machine_missing() {
    local tool
    [ "$(id -u)" = 0 ] || { echo "needs root"; return; }
    for tool in mmdebstrap systemd-nspawn nsenter python3; do
        command -v "$tool" >/dev/null || { echo "$tool is missing (apt-get install mmdebstrap systemd-container)"; return; }
    done
    unshare --mount --pid --fork true 2>/dev/null || echo "namespaces can't be made here"
}

# A new Debian in $folder/machine. The unpacked system is kept for the next time.
machine_make() {
    local base=$folder/systemd-$release
    machine=$folder/machine
    if [ ! -f "$base/.complete" ]; then
        rm -rf "$base"
        mmdebstrap --variant=minbase --include="$machine_packages" "$release" "$base" "$(debian_mirror)" >>"$log" 2>&1 ||
            return 1
        touch "$base/.complete"
    fi
    rm -rf --one-file-system "$machine"
    cp -a --reflink=auto "$base" "$machine"
    rm "$machine/.complete"
    # systemd-nspawn gives a machine the controllers of cgroup v1 read-only, and systemd then sets no limits.
    cat >"$machine/usr/local/sbin/prove-init" <<'INIT'
#!/bin/sh
for controller in memory cpu pids; do
    mount -o remount,bind,rw "/sys/fs/cgroup/$controller" 2>/dev/null
done
exec /lib/systemd/systemd
INIT
    chmod +x "$machine/usr/local/sbin/prove-init"
}

# Boots it and waits until all units have started.
machine_boot() {
    systemd-nspawn --register=no --keep-unit --quiet --directory="$machine" --private-network --console=pipe \
        /usr/local/sbin/prove-init </dev/null >>"$folder/console.log" 2>&1 &
    nspawn=$!
    within 60 machine_started
}

machine_started() {
    local state
    machine_leader=$(pgrep --parent "$nspawn" | head -n 1)
    [ -n "$machine_leader" ] || return 1
    state=$(inside_machine systemctl is-system-running 2>/dev/null)
    [[ $state = running || $state = degraded ]]
}

# machine_reboot: as an administrator does. With --keep-unit, systemd-nspawn ends with 133 where it is to start again.
machine_reboot() {
    local code=0
    inside_machine systemctl reboot || return 1
    machine_ended 120 || return 1
    wait "$nspawn" || code=$?
    [ "$code" = 133 ] || return 1
    machine_boot
}

# The power fails: every process is gone at once.
machine_power_failure() {
    kill -KILL "$machine_leader"
    machine_ended 30 || return 1
    wait "$nspawn"
    machine_boot
}

machine_ended() {
    within "$1" bash -c '! kill -0 "$1" 2>/dev/null || [ "$(cut -d" " -f3 "/proc/$1/stat")" = Z ]' - "$nspawn"
}

machine_stop() {
    [ -n "$nspawn" ] || return 0
    kill -KILL "$machine_leader" 2>/dev/null
    machine_ended 30
    nspawn=
}

# inside_machine COMMAND…: as root, in all of its namespaces.
inside_machine() {
    nsenter --target "$machine_leader" --all env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        LC_ALL=C.UTF-8 HOME=/root DEBIAN_FRONTEND=noninteractive SYSTEMD_PAGER= SYSTEMD_COLORS=0 "$@"
}

# as USER COMMAND…: in the machine, as that user with their groups, in their home.
as() {
    local user=$1 uid
    shift
    uid=$(inside_machine id -u "$user") || return 1
    inside_machine setpriv --reuid="$user" --regid="$user" --init-groups --reset-env env --chdir=/ \
        XDG_RUNTIME_DIR="/run/user/$uid" SYSTEMD_PAGER= "$@"
}

# put_file PLACE: writes standard input there, in the machine.
put_file() {
    inside_machine install -D -m 0644 /dev/stdin "$1"
}

# within SECONDS COMMAND…: whether it succeeds in that time.
within() {
    local until=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 0.2
    done
}
