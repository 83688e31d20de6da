#!/bin/sh
# Installs, starts, asks, and purges the package, and demands that nothing is left of it:
#
#   deploy/debian/check.sh target/debian/sluice_*.deb            # over this system, in a layer that is thrown away
#   deploy/debian/check.sh target/debian/sluice_*.deb fresh      # in a new Debian 12, by debootstrap
#
# Needs root. systemd is not there (boot.sh has it), so the unit's command is run as the unit runs it: as the user sluice, on
# a read-only root, after the same check of the configuration, with its environment and its folders.
set -eu
[ -f "$1" ] || { echo "no package $1"; exit 2; }
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 0; }
deb=$(realpath "$1")
kind=${2:-layer}
here=$(realpath "$(dirname "$0")")
unit=$here/../systemd/sluice.service
work=$(mktemp -d)
mount -t tmpfs -o mode=0755 tmpfs "$work" || { echo "skipped: nothing can be mounted here"; rmdir "$work"; exit 0; }
root="$work/root"
server=
finish() {
    [ -z "$server" ] || kill -9 "$server" 2>/dev/null || true
    umount "$root/proc" 2>/dev/null || true
    umount "$root/var/lib/sluice" 2>/dev/null || true
    umount "$root" 2>/dev/null || true
    umount "$work" 2>/dev/null || true
    # Never across a mount point: what could not be unmounted is left.
    rm -rf --one-file-system "$work"
}
trap finish EXIT
say() { printf -- '-- %s\n' "$1"; }
enter() { exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
inside() { (enter "$@"); }
# Logs, caches and locks of the package system, and the copies that passwd tools keep, are not traces.
kept='^\./\(proc\|tmp\|dev\|var/log\|var/cache\|var/lib/dpkg\)\(/\|$\)\|^\./etc/[a-z]*-$\|^\./run/adduser$'
accounts() {
    cat "$root/etc/passwd" "$root/etc/group"
    sed -n 's/^Package: //p' "$root/var/lib/dpkg/status"
}
# What is on the disk: all files of a fresh system; over this system, what became different from it.
listing() {
    accounts
    if [ "$kind" = fresh ]; then
        (cd "$root" && find . -xdev) | grep -v "$kept" | sort
        return
    fi
    (cd "$work/upper" && find . ! -name .) | grep -v "$kept" | sort | while read -r path; do
        if [ -d "$work/upper/$path" ] && [ -d "/$path" ]; then continue; fi
        cmp -s "$work/upper/$path" "/$path" || echo "$path"
    done
}

if [ "$kind" = fresh ]; then
    say "a fresh Debian 12"
    mkdir "$root"
    debootstrap --variant=minbase --include=adduser bookworm "$root" >"$work/log" 2>&1 || { tail -n 20 "$work/log"; exit 1; }
    umount "$root/proc" "$root/sys" 2>/dev/null || true
    # A mount of its own, which can be made read-only.
    mount --bind "$root" "$root"
else
    say "this Debian, with a layer above it that takes all writes"
    mkdir "$work/upper" "$work/inner" "$root"
    mount -t overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/inner" overlay "$root" ||
        { echo "skipped: no layer can be put over this system"; exit 0; }
fi
mount -t proc proc "$root/proc"
listing >"$work/before"

say "install"
cp "$deb" "$root/tmp/sluice.deb"
inside dpkg -i /tmp/sluice.deb
rm "$root/tmp/sluice.deb"
inside dpkg --verify sluice
for file in usr/bin/sluice etc/sluice/sluice.toml usr/share/man/man1/sluice.1.gz usr/share/man/man1/sluice-serve.1.gz \
    usr/share/bash-completion/completions/sluice usr/share/zsh/vendor-completions/_sluice \
    usr/share/fish/vendor_completions.d/sluice.fish; do
    [ -s "$root/$file" ] || { echo "missing: $file"; exit 1; }
done
cmp "$unit" "$(find "$root/lib/systemd/system" "$root/usr/lib/systemd/system" -name sluice.service 2>/dev/null | head -n 1)"

say "start as the unit does"
inside install -d -o sluice -g sluice -m 0700 /var/lib/sluice
as_the_unit() {
    enter SLUICE__PROCESS__CONFINE_WRITES=on SLUICE__SPOOL__DIRECTORY=/var/lib/sluice/spool \
        setpriv --reuid=sluice --regid=sluice --clear-groups --no-new-privs --bounding-set=-all /usr/bin/sluice "$@"
}
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port)
# As ProtectSystem=strict does: nothing can be written but the state folder.
mount -t tmpfs -o mode=0700 tmpfs "$root/var/lib/sluice"
inside chown sluice:sluice /var/lib/sluice
inside install -d -o sluice -g sluice -m 0700 /var/lib/sluice/spool
mount -o remount,bind,ro "$root"
if inside touch /var/tmp/written 2>/dev/null; then echo "the root can be written"; exit 1; fi
(as_the_unit check --config /etc/sluice/sluice.toml)
as_the_unit serve --config /etc/sluice/sluice.toml \
    --listen "127.0.0.1:$port" --admin "127.0.0.1:$(free_port)" >"$work/server" 2>&1 &
server=$!

say "ask"
if ! python3 "$here/ask.py" "$port"
then
    cat "$work/server"
    exit 1
fi
kill "$server" || { cat "$work/server"; exit 1; }
wait "$server"
server=
umount "$root/var/lib/sluice"
mount -o remount,bind,rw "$root"

say "purge"
listing >"$work/installed"
! cmp -s "$work/before" "$work/installed" || { echo "the listing does not see the package"; exit 1; }
inside dpkg --purge sluice
listing >"$work/after"
diff "$work/before" "$work/after" || { echo "traces are left"; exit 1; }
echo "no trace is left"
