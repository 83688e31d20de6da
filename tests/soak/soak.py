#!/usr/bin/env python3
"""A long run at 70 % load: tests/soak/soak.py PATH_TO_SLUICE [SECONDS, 1800 by default]

Starts a server with a plain and a TLS listener on ports of the system's choice. At the beginning of each tenth of the run it
finds out how many answers a second this client gets from it, and sends honest messages at seven tenths of that rate until the
next: a machine that became slower meanwhile is then still at seven tenths, not beyond what it can do. All the time there are
reloads of which every other one changes a rule, swaps of the certificate, and hostile connections (bombs, broken framing, bodies
that stop in the middle, heads that never end, resets, garbage in place of a TLS hello). At the end the server that has been
through all this and one that has just started get the same load by turns.

Fails when an honest message gets a wrong verdict, an error or no answer; when a hostile one passes; when a swapped certificate
is not presented; when memory grows by 1 MiB a minute or more after the first quarter; when the aged server's p99 (the median of
the turns) is more than 1.2 times the fresh one's; and when the p99 of the last tenth of the run (the median of its seconds) is
more than 1.2 times that of the first. Where another guest takes half of the machine for some seconds, seven tenths of what it
could do are more than it can do, and messages queue: the p99 of a whole tenth, which is shown as well, is then that of those
seconds. In a run below ten minutes memory may grow by 16 MiB a minute (a rule set that stays behind at each reload is ten times
that), the aged server's p99 may be twice the fresh one's, and the tenths are shown but not judged: they are seconds long, and a
pause of the machine decides them.
Needs openssl.
"""

import asyncio
import gzip
import json
import os
import random
import re
import signal
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib

CONNECTIONS = 48
TLS_CONNECTIONS = 16
LOAD = 0.7
TURNS = 15
EICAR = ("X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-" + "ANTIVIRUS-TEST-FILE!$H+H*").encode()
SHORT_SECONDS = 600


def request(kind, body, coding=None, preview=False):
    head = f"POST /x HTTP/1.1\r\nHost: origin\r\nContent-Type: {kind}\r\n"
    head += f"Content-Encoding: {coding}\r\n\r\n" if coding else "\r\n"
    icap = (f"REQMOD icap://h/reqmod ICAP/1.0\r\nHost: h\r\nAllow: 204\r\n"
            + (f"Preview: {len(body)}\r\n" if preview else "")
            + f"Encapsulated: req-hdr=0, req-body={len(head)}\r\n\r\n{head}{len(body):x}\r\n")
    return icap.encode() + body + (b"\r\n0; ieof\r\n\r\n" if preview else b"\r\n0\r\n\r\n")


HONEST = [
    (request("application/json", b'{"a":[1,2,3],"b":"' + b"x" * 900 + b'"}'), 204),
    (request("application/json", json.dumps([{"id": n, "name": f"item {n}"} for n in range(20)]).encode(), preview=True), 204),
    (request("text/plain", b"harmless words " * 4000), 204),
    (request("text/plain", EICAR), 200),
    (request("application/json", gzip.compress(b'{"k":"' + b"word " * 2000 + b'"}'), coding="gzip"), 204),
    (request("application/x-www-form-urlencoded", b"user=kim&note=see+you+at+noon"), 204),
    (request("application/x-www-form-urlencoded", b"q=1%27+UNION+SELECT+password+FROM+users--+-"), 200),
    (request("application/xml", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'), 200),
]

# What must never be answered 204, and what may only be closed on us.
BOMB = request("application/json", gzip.compress(b"\0" * (64 << 20)), coding="gzip")
DEEP = request("application/json", b"[" * 100_000)
BROKEN = [
    b"REQMOD icap://h/reqmod ICAP/1.0\r\nHost: h\r\nEncapsulated: req-hdr=9, req-body=3\r\n\r\n",
    b"REQMOD icap://h/reqmod ICAP/1.0\r\nHost: h\r\nEncapsulated: req-body=0\r\n\r\nzz\r\n",
    b"GARBAGE " + bytes(range(256)) + b"\r\n\r\n",
    request("text/plain", b"half")[:-9] + b"\r\nfffffffff\r\n",
]


async def answer(reader):
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
    status = int(head[9:12])
    sections = re.search(rb"(?:req|res)-body=(\d+)", head)
    if sections:
        await reader.readexactly(int(sections[1]))
        while True:
            size = int((await reader.readline()).split(b";")[0], 16)
            await reader.readexactly(size + 2)
            if size == 0:
                break
    return status, b"Connection: close" in head


async def honest(way, number, pace, until, times, faults):
    """One kept-open connection: a request every `pace` seconds, or one after another when that is 0. To `times` go the moment of
    each answer and how long it took since it was due."""
    reader, writer = await way()
    at, due = number, time.monotonic() + pace * random.random()
    while (now := time.monotonic()) < until:
        if pace and due > now:
            await asyncio.sleep(due - now)
        due = due if pace else now
        out, wanted = HONEST[at % len(HONEST)]
        at += 1
        try:
            writer.write(out)
            status, last = await answer(reader)
            if status != wanted:
                faults.append(f"honest: {status} where {wanted} was due")
            if last:
                writer.close()
                reader, writer = await way()
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
            faults.append(f"honest: {error!r}")
            reader, writer = await way()
        now = time.monotonic()
        times.append((now, now - due))
        due += pace
    writer.close()


async def hostile(port, tls_port, until, faults):
    """One bad connection after another; a few a second."""
    count = 0
    while time.monotonic() < until:
        kind = count % 7
        count += 1
        reader, writer = await asyncio.open_connection("127.0.0.1", tls_port if kind == 6 else port)
        try:
            if kind in (0, 1):
                writer.write((BOMB, DEEP)[kind])
                status, _ = await answer(reader)
                if status == 204:
                    faults.append("hostile: a bomb passed")
            elif kind == 2:
                writer.write(BROKEN[count % len(BROKEN)])
                head = await asyncio.wait_for(reader.read(12), 30)
                if head.startswith(b"ICAP/1.0 204"):
                    faults.append("hostile: broken framing was answered 204")
            elif kind == 3:
                # A body that stops in the middle: there is nobody left to answer to.
                writer.write(HONEST[2][0][:20_000])
                await writer.drain()
            elif kind == 4:
                writer.write(b"OPTIONS icap://h/reqmod ICAP/1.0\r\n" + b"X-A: b\r\n" * 20_000)
                await asyncio.wait_for(reader.read(64), 30)
            elif kind == 5:
                writer.write(HONEST[0][0])
                await writer.drain()
                raw = writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                writer.write(zlib.compress(os.urandom(300)))
                await asyncio.wait_for(reader.read(64), 30)
        except (OSError, asyncio.IncompleteReadError):
            pass  # a close is an answer to such a peer
        except asyncio.TimeoutError:
            faults.append(f"hostile: no answer to kind {kind}")
        writer.close()
        await asyncio.sleep(0.2)
    return count


def certificate(folder, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost", "-keyout", f"{folder}/{name}.key",
                    "-out", f"{folder}/{name}.crt"], check=True, capture_output=True)


def install(folder, name):
    """Puts a certificate in force, key and chain each by a rename."""
    for kind in ("key", "crt"):
        with open(f"{folder}/{name}.{kind}", "rb") as source, open(f"{folder}/new.{kind}", "wb") as target:
            target.write(source.read())
        os.rename(f"{folder}/new.{kind}", f"{folder}/tls.{kind}")


def presented(port):
    """The certificate that a new connection is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 10) as plain, context.wrap_socket(plain) as secure:
        return secure.getpeercert(True)


async def changes(server, folder, tls_port, until, faults):
    """Reloads, rule changes and certificate swaps, one of them every two seconds or so."""
    names = ["first", "second"]
    der = {name: ssl.PEM_cert_to_DER_cert(open(f"{folder}/{name}.crt", encoding="ascii").read()) for name in names}
    count = 0
    while time.monotonic() + 15 < until:
        count += 1
        if count % 2:
            rule(folder, f"soak-marker-{count}")
        if count % 5 == 0:
            name = names[count // 5 % 2]
            install(folder, name)
            server.send_signal(signal.SIGHUP)
            for _ in range(100):
                if await asyncio.to_thread(presented, tls_port) == der[name]:
                    break
                await asyncio.sleep(0.1)
            else:
                faults.append("a swapped certificate was not presented within ten seconds")
        server.send_signal(signal.SIGHUP)
        await asyncio.sleep(2)
    return count


def rule(folder, marker):
    with open(f"{folder}/own.toml.new", "w", encoding="ascii") as file:
        file.write(f'[[rule]]\nid = "soak/marker"\ncategory = "malware"\nseverity = "high"\ndescription = "a marker"\n'
                   f'text = "{marker}"\nmatch = ["a {marker} b"]\nclean = ["nothing"]\n')
    os.rename(f"{folder}/own.toml.new", f"{folder}/own.toml")


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) / 1024


async def memory(pid, begun, until, samples):
    while time.monotonic() < until:
        samples.append(((time.monotonic() - begun) / 60, resident(pid)))
        await asyncio.sleep(0.5)


def slope(samples):
    """MiB a minute, by least squares, after the first quarter."""
    samples = samples[len(samples) // 4:]
    mean_x = sum(x for x, _ in samples) / len(samples)
    mean_y = sum(y for _, y in samples) / len(samples)
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread


def p99(times):
    """Milliseconds."""
    return sorted(took for _, took in times)[len(times) * 99 // 100] * 1000 if times else float("inf")


def p99_of_seconds(times):
    """The p99 of each second, and of these the median: half of the seconds were at least as good."""
    seconds = {}
    for answer in times:
        seconds.setdefault(int(answer[0]), []).append(answer)
    return statistics.median(map(p99, seconds.values())) if seconds else float("inf")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server of our own, with a plain and a TLS listener."""

    def __init__(self, program, folder, name):
        self.port, self.tls_port = free_port(), free_port()
        config = f"{folder}/{name}.toml"
        with open(config, "w", encoding="ascii") as file:
            file.write(f'[server]\nlisten = ["127.0.0.1:{self.port}"]\nadmin = "127.0.0.1:0"\n'
                       f'[rules]\nbundles = ["{folder}/own.toml"]\n[audit]\nrecords = "off"\n'
                       f'[[listeners]]\naddress = "127.0.0.1:{self.tls_port}"\n'
                       f'[listeners.tls]\ncertificate = "{folder}/tls.crt"\nkey = "{folder}/tls.key"\n')
        with open(f"{folder}/{name}.log", "wb") as log:
            self.process = subprocess.Popen([program, "serve", "--config", config], stdout=subprocess.DEVNULL, stderr=log)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.tls_port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = lambda: asyncio.open_connection("127.0.0.1", self.port)
        secure = lambda: asyncio.open_connection("127.0.0.1", self.tls_port, ssl=context)
        self.ways = [plain] * CONNECTIONS + [secure] * TLS_CONNECTIONS

    async def load(self, pace, until, faults):
        """Honest messages until then: when each was answered and how long it took from the moment that it was due, in seconds."""
        times = []
        await asyncio.gather(*(honest(way, number, pace, until, times, faults) for number, way in enumerate(self.ways)))
        return times

    async def reached(self, seconds, faults):
        """Answers a second, one message after another on each connection."""
        return len(await self.load(0, time.monotonic() + seconds, faults)) / seconds

    def pace(self, rate):
        """Seconds between two messages on a connection, for this many a second on all of them."""
        return len(self.ways) / rate

    def end(self, faults):
        if self.process.poll() is not None:
            faults.append("the server is gone")
        self.process.terminate()
        if (code := self.process.wait(60)) != 0:
            faults.append(f"the server ended with {code}")


async def tenths(server, begun, seconds, faults):
    """For each tenth of the run the p99 of all answers and the median of its seconds' p99; and the number of answers."""
    figures, answers = [], 0
    for number in range(1, 11):
        rate = await server.reached(min(5, seconds / 60), faults) * LOAD
        times = await server.load(server.pace(rate), begun + seconds * number / 10, faults)
        figures.append((p99(times), p99_of_seconds(times)))
        answers += len(times)
    return figures, answers


async def by_turns(aged, fresh, faults):
    """The p99 of both servers under the same load, one after the other: the medians of some turns."""
    figures = {aged: [], fresh: []}
    for turn in range(TURNS):
        pair = (aged, fresh) if turn % 2 else (fresh, aged)
        rate = min([await server.reached(1, faults) for server in pair]) * LOAD
        for server in pair:
            figures[server].append(p99(await server.load(server.pace(rate), time.monotonic() + 3, faults)))
    return statistics.median(figures[aged]), statistics.median(figures[fresh])


async def run(program, seconds, folder):
    for name in ("first", "second"):
        certificate(folder, name)
    install(folder, "first")
    rule(folder, "soak-marker-0")
    faults, samples = [], []
    servers = [Server(program, folder, "aged")]
    try:
        aged = servers[0]
        await aged.reached(min(10, seconds / 6), faults)
        begun = time.monotonic()
        until = begun + seconds
        (figures, answers), hostiles, changed, _ = await asyncio.gather(
            tenths(aged, begun, seconds, faults),
            hostile(aged.port, aged.tls_port, until, faults),
            changes(aged.process, folder, aged.tls_port, until, faults),
            memory(aged.process.pid, begun, until, samples))
        servers.append(Server(program, folder, "fresh"))
        old, new = await by_turns(*servers, faults)
    finally:
        for server in servers:
            server.end(faults)
    short, growth = seconds < SHORT_SECONDS, slope(samples)
    print(f"{answers} honest answers in {seconds:.0f} s at {LOAD:.0%} of what this client reaches, "
          f"{hostiles} hostile connections, {changed} changes")
    whole, usual = zip(*figures)
    print("p99 of each tenth, ms:", " ".join(f"{figure:.1f}" for figure in whole))
    print("median of its seconds' p99, ms:", " ".join(f"{figure:.1f}" for figure in usual))
    print(f"p99 by turns: {old:.1f} ms, of a server that has just started {new:.1f} ms")
    print(f"memory {samples[len(samples) // 4][1]:.1f} MiB after a quarter, {samples[-1][1]:.1f} MiB at the end, "
          f"{growth:+.2f} MiB a minute")
    if growth >= (16 if short else 1):
        faults.append("memory grows")
    if old > new * (2 if short else 1.2):
        faults.append("the server's p99 is too far above that of a fresh one")
    if not short and usual[-1] > usual[0] * 1.2:
        faults.append("the p99 of the last tenth's seconds is too far above that of the first's")
    for fault in sorted(set(faults))[:20]:
        print("FAULT:", fault, f"({faults.count(fault)} times)")
    return bool(faults)


def main():
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 1800
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(asyncio.run(run(sys.argv[1], seconds, folder)))


main()
