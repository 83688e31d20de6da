#!/usr/bin/env python3
"""Reloads under load: tests/soak/reload.py PATH_TO_SLUICE [SECONDS] [RELOADS]

Starts a server on ports of the system's choice, drives it with 64 connections and mixed bodies for a quiet minute, then for a
minute with 100 reloads, of which every other one changes a rule file. Fails on an error, on a wrong verdict (a body that every
set blocks passes, or the other way round), on growth of memory after the first third, and when the p99 of the second minute is
more than twice that of the first. Prints what it measured.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

CONNECTIONS = 64
EICAR = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-" + "ANTIVIRUS-TEST-FILE!$H+H*"


def rule(marker):
    return (f'[[rule]]\nid = "soak/marker"\ncategory = "malware"\nseverity = "high"\ndescription = "a marker"\n'
            f'text = "{marker}"\nmatch = ["a {marker} b"]\nclean = ["nothing"]\n')


def request(kind, body):
    head = f"POST /x HTTP/1.1\r\nHost: origin\r\nContent-Type: {kind}\r\n\r\n"
    return (f"REQMOD icap://h/reqmod ICAP/1.0\r\nHost: h\r\nAllow: 204\r\n"
            f"Encapsulated: req-hdr=0, req-body={len(head)}\r\n\r\n{head}{len(body):x}\r\n").encode() + body + b"\r\n0\r\n\r\n"


REQUESTS = [
    (request("application/json", b'{"a":[1,2,3],"b":"' + b"x" * 900 + b'"}'), 204),
    (request("text/plain", b"harmless words " * 4000), 204),
    (request("text/plain", EICAR.encode()), 200),
    (request("application/xml", b"<a>" + b"<b>text</b>" * 200 + b"</a>"), 204),
]


async def client(port, until, number, times, errors):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    at = number
    while time.monotonic() < until():
        bytes_out, wanted = REQUESTS[at % len(REQUESTS)]
        at += 1
        begun = time.monotonic()
        try:
            writer.write(bytes_out)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            status = int(head[9:12])
            if status == 200:
                sections = re.search(rb"Encapsulated:.*?res-body=(\d+)", head)
                await reader.readexactly(int(sections[1]))
                while True:
                    size = int((await reader.readline()).split(b";")[0], 16)
                    await reader.readexactly(size + 2)
                    if size == 0:
                        break
            if status != wanted:
                errors.append(f"{status} where {wanted} was due")
            if b"Connection: close" in head:
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
            errors.append(repr(error))
            return
        times.append(time.monotonic() - begun)
    writer.close()


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) / 1024


def p99(times):
    return sorted(times)[len(times) * 99 // 100] * 1000


async def minute(server, port, seconds, reloads, rules):
    times, errors, memory = [], [], []
    end = time.monotonic() + seconds
    tasks = [asyncio.create_task(client(port, lambda: end, n, times, errors)) for n in range(CONNECTIONS)]
    begun = time.monotonic()
    done = 0
    while time.monotonic() < end:
        await asyncio.sleep(0.05)
        memory.append(resident(server.pid))
        if done < reloads and time.monotonic() - begun >= done * seconds / reloads:
            if done % 2:
                with open(rules + ".new", "w", encoding="ascii") as file:
                    file.write(rule(f"marker-{done}"))
                os.rename(rules + ".new", rules)
            server.send_signal(signal.SIGHUP)
            done += 1
    await asyncio.gather(*tasks)
    third = len(memory) // 3
    return times, errors, max(memory[:third * 2]), max(memory[third * 2:])


async def main():
    program = sys.argv[1]
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60
    reloads = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    with tempfile.TemporaryDirectory() as folder:
        rules, config = os.path.join(folder, "own.toml"), os.path.join(folder, "sluice.toml")
        with open(rules, "w", encoding="ascii") as file:
            file.write(rule("marker-0"))
        with open(config, "w", encoding="ascii") as file:
            file.write(f'[rules]\nbundles = [{json.dumps(rules)}]\n[audit]\nrecords = "off"\n')
        os.chmod(rules, 0o644)
        server = subprocess.Popen([program, "serve", "--config", config, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"],
                                  stderr=open(os.path.join(folder, "log"), "wb"))
        try:
            log = os.path.join(folder, "log")
            while True:
                text = open(log, encoding="ascii", errors="replace").read()
                found = re.search(r'"listening for ICAP".*?address":"[^"]*:(\d+)"|address":"127.0.0.1:(\d+)"[^\n]*listening for ICAP', text)
                if found:
                    break
                await asyncio.sleep(0.05)
            port = int(found[1] or found[2])
            await minute(server, port, min(5, seconds), 2, rules)
            quiet = await minute(server, port, seconds, 0, rules)
            loaded = await minute(server, port, seconds, reloads, rules)
            text = open(log, encoding="ascii", errors="replace").read()
        finally:
            server.terminate()
            server.wait()
    taken = text.count("are in force")
    print(f"quiet: {len(quiet[0])} requests, p99 {p99(quiet[0]):.1f} ms")
    print(f"{reloads} reloads: {len(loaded[0])} requests, p99 {p99(loaded[0]):.1f} ms; {taken} sets in force; "
          f"memory {loaded[2]:.0f} MiB in the first two thirds, {loaded[3]:.0f} MiB after")
    faults = quiet[1] + loaded[1]
    if taken < reloads // 2:
        faults.append(f"{taken} sets came into force of the {reloads // 2} that differ")
    if "refused" in text:
        faults.append("a reload was refused")
    if loaded[3] > loaded[2] * 1.1 + 8:
        faults.append("memory grows")
    if p99(loaded[0]) > 2 * p99(quiet[0]):
        faults.append("the p99 is more than twice that of the quiet minute")
    for fault in faults[:10]:
        print("FAULT:", fault)
    sys.exit(bool(faults))


asyncio.run(main())
