#!/usr/bin/env python3
"""A long run at 70 % load: tests/soak/soak.py PATH_TO_SLUICE [SECONDS, 1800 by default]

Starts a server with a plain and a TLS listener on ports of the system's choice, finds out how many answers a second this
client gets from it, and then sends honest messages at seven tenths of that rate for the whole time. Meanwhile, all the time:
reloads of which every other one changes a rule, swaps of the certificate, and hostile connections (bombs, broken framing,
bodies that stop in the middle, heads that never end, resets, garbage in place of a TLS hello).

Fails when an honest message gets a wrong verdict, an error or no answer; when a hostile one passes; when a swapped certificate
is not presented; when memory grows by 1 MiB a minute or more after the first quarter; and when the p99 of the last tenth of the
run is more than 1.2 times that of the first tenth after the warm-up. A run below ten minutes is too short for such figures: its
limits are 8 MiB a minute and 5 times, between the medians of the first and of the last three tenths, lest one pause of the
machine decide. Needs openssl.
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


class Times:
    """Latencies in tenths of the run, from the moment that each request was due."""

    def __init__(self, begun, seconds):
        self.begun, self.seconds, self.tenths = begun, seconds, [[] for _ in range(10)]

    def add(self, due, now):
        tenth = int((due - self.begun) / self.seconds * 10)
        self.tenths[min(max(tenth, 0), 9)].append(now - due)


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
    """One kept-open connection: a request every `pace` seconds, or one after another when that is 0."""
    reader, writer = await way()
    at, due, answers = number, time.monotonic() + pace * random.random(), 0
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
        answers += 1
        if times:
            times.add(due, time.monotonic())
        due += pace
    writer.close()
    return answers


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
    return sorted(times)[len(times) * 99 // 100] * 1000 if times else float("inf")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def load(ways, pace, seconds, times, faults):
    until = time.monotonic() + seconds
    tasks = [honest(way, number, pace, until, times, faults) for number, way in enumerate(ways)]
    return sum(await asyncio.gather(*tasks))


async def run(program, seconds, folder):
    for name in ("first", "second"):
        certificate(folder, name)
    install(folder, "first")
    rule(folder, "soak-marker-0")
    port, tls_port = free_port(), free_port()
    with open(f"{folder}/sluice.toml", "w", encoding="ascii") as file:
        file.write(f'[server]\nlisten = ["127.0.0.1:{port}"]\nadmin = "127.0.0.1:0"\n'
                   f'[rules]\nbundles = ["{folder}/own.toml"]\n[audit]\nrecords = "off"\n'
                   f'[[listeners]]\naddress = "127.0.0.1:{tls_port}"\n'
                   f'[listeners.tls]\ncertificate = "{folder}/tls.crt"\nkey = "{folder}/tls.key"\n')
    server = subprocess.Popen([program, "serve", "--config", f"{folder}/sluice.toml"], stdout=subprocess.DEVNULL, stderr=open(f"{folder}/log", "wb"))
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", tls_port), 1).close()
                break
            except OSError:
                await asyncio.sleep(0.05)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = lambda: asyncio.open_connection("127.0.0.1", port)
        secure = lambda: asyncio.open_connection("127.0.0.1", tls_port, ssl=context)
        ways = [plain] * CONNECTIONS + [secure] * TLS_CONNECTIONS
        faults, samples = [], []
        warm = min(10, seconds / 6)
        rate = await load(ways, 0, warm, None, faults) / warm * LOAD
        begun = time.monotonic()
        until, times = begun + seconds, Times(begun, seconds)
        results = await asyncio.gather(
            load(ways, len(ways) / rate, seconds, times, faults),
            hostile(port, tls_port, until, faults),
            changes(server, folder, tls_port, until, faults),
            memory(server.pid, begun, until, samples))
        if server.poll() is not None:
            faults.append("the server is gone")
    finally:
        server.terminate()
        code = server.wait(60)
    if code != 0:
        faults.append(f"the server ended with {code}")
    short = seconds < SHORT_SECONDS
    edge = 3 if short else 1
    tenths = [p99(tenth) for tenth in times.tenths]
    first, last, growth = statistics.median(tenths[:edge]), statistics.median(tenths[-edge:]), slope(samples)
    print(f"{results[0]} honest answers in {seconds:.0f} s ({rate:.0f}/s, {LOAD:.0%} of what this client reaches), "
          f"{results[1]} hostile connections, {results[2]} changes")
    print(f"p99 {first:.1f} ms at the beginning, {last:.1f} ms at the end; memory {samples[len(samples) // 4][1]:.1f} MiB "
          f"after a quarter, {samples[-1][1]:.1f} MiB at the end, {growth:+.2f} MiB a minute")
    if growth >= (8 if short else 1):
        faults.append("memory grows")
    if last > first * (5 if short else 1.2):
        faults.append("the p99 of the last tenth is too far above that of the first")
    for fault in sorted(set(faults))[:20]:
        print("FAULT:", fault, f"({faults.count(fault)} times)")
    return bool(faults)


def main():
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 1800
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(asyncio.run(run(sys.argv[1], seconds, folder)))


main()
