#!/bin/sh
# Boots a new Debian 12 with systemd as its first process, and takes the package through its life there:
#
#   deploy/debian/boot.sh target/debian/sluice_*.deb
#
# Needs root, debootstrap, systemd-container and two minutes. It looks at what only systemd does: the sandbox, readiness,
# reload, restart after a crash, watchdog, socket activation, stop.
set -eu
[ -f "$1" ] || { echo "no package $1"; exit 2; }
deb=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
work=$(mktemp -d)
root="$work/root"
nspawn=
init=
finish() {
    [ -z "$nspawn" ] || { kill "$nspawn" 2>/dev/null; wait "$nspawn" 2>/dev/null || true; }
    rm -rf --one-file-system "$work"
}
trap finish EXIT
say() { printf -- '-- %s\n' "$1"; }
inside() { nsenter -t "$init" -a -- /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
# This system's Python, in that system's network.
ask() { nsenter -t "$init" -n -- python3 "$here/ask.py" 1344; }
property() { inside systemctl show -p "$1" --value sluice; }
fail() {
    echo "$1"
    inside systemctl status --no-pager --lines=30 sluice || true
    exit 1
}
# Waits up to a minute for a command to succeed.
wait_for() {
    for _ in $(seq 60); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 1
    done
    fail "waited in vain for: $*"
}
another_than() { [ "$(property MainPID)" != "$1" ] && [ "$(property ActiveState)" = active ]; }

say "a new Debian 12 with systemd"
debootstrap --variant=minbase --include=systemd-sysv,dbus,adduser,procps bookworm "$root" >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log"; exit 1; }
cp "$deb" "$root/opt/sluice.deb"
systemd-nspawn -q -D "$root" --register=no --keep-unit --private-network --boot </dev/null >"$work/console" 2>&1 &
nspawn=$!
for _ in $(seq 60); do
    init=$(pgrep -P "$nspawn" -o || true)
    state=$([ -n "$init" ] && inside systemctl is-system-running 2>/dev/null || true)
    case $state in running | degraded) break ;; esac
    sleep 1
done
case $state in running | degraded) ;; *) cat "$work/console"; exit 1 ;; esac

say "install: nothing is started that nobody configured"
inside dpkg -i /opt/sluice.deb
[ "$(property ActiveState)" = inactive ] || fail "it was started"

say "start: it is ready when systemctl returns"
inside systemctl enable --now sluice || fail "it does not start"
ask || fail "it does not answer"
pid=$(property MainPID)
inside systemd-analyze security --no-pager sluice | tail -n 1
nsenter -t "$init" -n -- python3 - <<'HEAVY'
import socket
head = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n"
sock = socket.create_connection(("127.0.0.1", 1344))
sock.sendall(b"RESPMOD icap://a/respmod ICAP/1.0\r\nHost: a\r\nAllow: 204\r\nConnection: close\r\nEncapsulated: res-hdr=0, res-body=%d\r\n\r\n"
             % len(head) + head + (b"%x\r\n" % (1 << 20) + b"a pen " * 174762 + b"a pe\r\n") * 32 + b"0\r\n\r\n")
assert b"ICAP/1.0 20" in sock.recv(65536)
HEAVY
inside ps -L -o ni= -p "$pid" | grep -qx ' *5' || fail "threads for heavy work do not step back"

say "reload: the same process"
inside systemctl reload sluice || fail "it does not reload"
[ "$(property MainPID)" = "$pid" ] || fail "it was restarted"
ask

say "a crash: another process"
inside kill -9 "$pid"
wait_for another_than "$pid"
ask

say "a process that hangs: the watchdog ends it"
pid=$(property MainPID)
inside kill -STOP "$pid"
wait_for another_than "$pid"
ask

say "a configuration that is wrong: no start, and a reason"
cp "$root/etc/sluice/sluice.toml" "$work/sluice.toml"
echo 'wrong = 1' >>"$root/etc/sluice/sluice.toml"
if inside systemctl restart sluice 2>/dev/null; then fail "it started"; fi
inside journalctl --no-pager -n 30 -u sluice | grep -q 'wrong' || fail "no reason is told"
inside systemctl stop sluice
cp "$work/sluice.toml" "$root/etc/sluice/sluice.toml"

say "socket activation: who comes first starts it"
sed 's/0\.0\.0\.0/127.0.0.1/' "$root/usr/share/doc/sluice/examples/sluice.socket" >"$root/etc/systemd/system/sluice.socket"
inside systemctl daemon-reload
inside systemctl reset-failed sluice
inside systemctl start sluice.socket
[ "$(property ActiveState)" = inactive ] || fail "it was started"
ask
[ "$(property ActiveState)" = active ] || fail "somebody else answered"

say "stop and purge"
inside systemctl stop sluice.socket sluice
[ "$(property Result)" = success ] || fail "it did not end well"
rm "$root/etc/systemd/system/sluice.socket"
inside dpkg --purge sluice
inside systemctl daemon-reload
left=$(find "$root/etc" "$root/usr" "$root/var" "$root/run" -name '*sluice*' -not -path '*/dpkg/*' -not -path '*/log/*')
[ -z "$left" ] || { echo "left: $left"; exit 1; }
echo "booted, and lived through"
