#!/usr/bin/env python3
"""The wall clock jumps while the server works: tests/interop/clock.py PATH_TO_SLUICE

Debian's libfaketime sets the server's wall clock, and nothing else's, ten years ahead, five back, an hour ahead and right
again, while requests go on. Fails when an answer is wrong or late, when a connection that waits (idle, or in the middle of a
body) is dropped or kept too long because of it, or when a request rate that is paid off is still refused. Then, where the
machine allows it, the same server in a time namespace whose monotonic clock began years ago (`unshare --time`)."""

import glob
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
JUMPS = [("ten years ahead", "+3650d"), ("five years back", "-1825d"), ("an hour ahead", "+3600"), ("right again", "+0")]
STALL_SECONDS = 2.0
CONFIG = """
[timeouts]
body-idle-ms = 2000
idle-ms = 60000
[quotas.user]
requests-per-second = 1
requests-burst = 1
[log]
format = "json"
"""


def request(body, more=""):
    head = b"POST /x HTTP/1.1\r\nHost: origin\r\nContent-Type: text/plain\r\n\r\n"
    return (f"REQMOD icap://h/reqmod ICAP/1.0\r\nHost: h\r\nAllow: 204\r\n{more}Encapsulated: req-hdr=0, req-body={len(head)}\r\n\r\n"
            .encode() + head + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")


def connect(port):
    sock = socket.create_connection(("127.0.0.1", port))
    sock.settimeout(15)
    return sock


def answer(sock):
    """The ICAP status, and whether the message was blocked."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            raise OSError("closed")
        data += piece
    status = int(data[9:12])
    while status == 200 and not data.endswith(b"\r\n0\r\n\r\n"):
        data += sock.recv(65536)
    return status, b"HTTP/1.1 403 " in data


def ask(sock, body, more=""):
    sock.sendall(request(body, more))
    return answer(sock)


class Server:
    def __init__(self, program, folder, before=(), environment=None):
        path = os.path.join(folder, "sluice.toml")
        with open(path, "w") as file:
            file.write(CONFIG)
        with socket.socket() as one, socket.socket() as other:
            for probe in (one, other):
                probe.bind(("127.0.0.1", 0))
            self.port, self.admin = one.getsockname()[1], other.getsockname()[1]
        self.log = os.path.join(folder, "log")
        self.child = subprocess.Popen(
            [*before, program, "serve", "--config", path, "--listen", f"127.0.0.1:{self.port}", "--admin", f"127.0.0.1:{self.admin}"],
            stdout=open(self.log, "w"), stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})})
        for _ in range(600):
            try:
                connect(self.port).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("the server does not start")

    def years(self):
        """Of the access lines' stamps."""
        with open(self.log) as file:
            return {year for line in file for year in re.findall(r'"@timestamp":"(\d{4})', line)}

    def stop(self):
        self.child.terminate()
        self.child.wait(30)


def steady(port, stop, faults, count):
    sock = connect(port)
    while not stop.is_set():
        began = time.monotonic()
        for body, wanted in ((b"harmless", (204, False)), (EICAR, (200, True))):
            got = ask(sock, body)
            if got != wanted:
                faults.append(f"{body[:8]!r}: {got}")
            count[0] += 1
        if time.monotonic() - began > 5:
            faults.append("an answer took more than 5 s")
        time.sleep(0.002)


def check(server, jump):
    """What holds before, during and after a jump; `jump` sets the clock."""
    idle, half, stalled = connect(server.port), connect(server.port), connect(server.port)
    assert ask(idle, b"x") == (204, False)
    whole = request(b"y" * 1000)
    for sock in (half, stalled):
        sock.sendall(whole[:-500])
    time.sleep(0.2)
    began = time.monotonic()
    jump()
    time.sleep(0.5)
    half.sendall(whole[-500:])
    assert answer(half) == (204, False), "a body across the jump"
    assert ask(idle, EICAR) == (200, True), "an idle connection across the jump"
    user = f"X-Authenticated-User: u{began}\r\n"
    assert ask(half, b"x", user) == (204, False)
    time.sleep(1.2)
    assert ask(half, b"x", user) == (204, False), "a rate that was paid off"
    # The body that never goes on meets its deadline, no sooner and not much later.
    try:
        while stalled.recv(65536):
            pass
    except ConnectionResetError:
        pass
    waited = time.monotonic() - began
    assert STALL_SECONDS - 0.5 < waited < STALL_SECONDS + 3, f"a stalled body was kept for {waited:.1f} s"


def jumps(program, library):
    with tempfile.TemporaryDirectory() as folder:
        clock = os.path.join(folder, "clock")

        def set_clock(text):
            with open(clock + ".new", "w") as file:
                file.write(text + "\n")
            os.replace(clock + ".new", clock)

        set_clock("+0")
        server = Server(program, folder, environment={
            "LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": clock, "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
        stop, faults, count = threading.Event(), [], [0]
        threads = [threading.Thread(target=steady, args=(server.port, stop, faults, count)) for _ in range(4)]
        try:
            for thread in threads:
                thread.start()
            for name, text in JUMPS:
                check(server, lambda text=text: set_clock(text))
                print(f"ok: {name}")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            server.stop()
        assert not faults, faults[:5]
        years = server.years()
        assert len(years) == 3, f"the server's clock did not jump: {years}"
        print(f"ok: {count[0]} answers meanwhile, none wrong; stamps of the years {sorted(years)}")


def namespace(program):
    before = ["unshare", "--time", "--monotonic", "100000000", "--boottime", "100000000", "--fork", "--kill-child"]
    if subprocess.run([*before, "true"], capture_output=True).returncode != 0:
        return print("left out: no time namespace here")
    with tempfile.TemporaryDirectory() as folder:
        server = Server(program, folder, before)
        try:
            check(server, lambda: None)
        finally:
            # unshare keeps SIGTERM to itself; its child dies with it.
            server.child.kill()
            server.child.wait()
    print("ok: a monotonic clock that began three years ago")


def main():
    program = sys.argv[1]
    libraries = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    if libraries:
        jumps(program, libraries[0])
    else:
        print("left out: no libfaketime here")
    namespace(program)


if __name__ == "__main__":
    main()
