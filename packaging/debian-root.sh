# Sourced by prove.sh and wheel-check.sh: how they run commands in a Debian system that is unpacked in a folder.
# shellcheck shell=bash

# The mirror that this machine's apt uses for Debian itself.
debian_mirror() {
    local found
    found=$(apt-get indextargets --format '$(SITE) $(RELEASE) $(CREATED_BY)' 2>/dev/null |
        awk '$2 ~ /^(bookworm|trixie|forky)$/ && $3 == "Packages" { print $1; exit }')
    echo "${found:-http://deb.debian.org/debian}"
}

# network_settings ROOT: the root reaches the same mirror the same way.
network_settings() {
    local root=$1 file
    for file in /etc/apt/apt.conf /etc/apt/apt.conf.d/*proxy*; do
        [ ! -f "$file" ] || cp "$file" "$root/etc/apt/apt.conf.d/"
    done
    cp /etc/resolv.conf "$root/etc/resolv.conf"
}

# inside ROOT COMMAND…: runs it there, with /proc, /sys and the device nodes that every program expects. The mounts
# are made in a namespace that ends with the command.
inside() {
    local root=$1
    shift
    unshare --mount --fork bash -euc '
        root=$1 && shift
        mount -t proc proc "$root/proc"
        mount -t sysfs -o ro sysfs "$root/sys" 2>/dev/null || true
        mount --rbind /dev "$root/dev"
        exec chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            LC_ALL=C.UTF-8 HOME=/root DEBIAN_FRONTEND=noninteractive "$@"' - "$root" "$@"
}
