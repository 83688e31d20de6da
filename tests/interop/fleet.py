#!/usr/bin/env python3
"""A fleet on loopback: three nodes, one signed bundle, Debian's HAProxy in front (deploy/haproxy/haproxy.cfg).

  fleet.py PATH/TO/sluice [SECONDS A PHASE]

Under a mixed load of EICAR, a word that only the bundle knows, and clean bodies: a rolling update of the bundle, a rolling
restart and a kill -9. Not one bad body may pass at any time; a connection that breaks is counted and the request asked
again. All nodes must show one ISTag before and one after the update. Prints a line a case and `N passed, N failed`.
"""
import collections
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from interop import EICAR, free_port, wait_port

NODES = 3
CLIENTS = 8
WORD = b"fleet-" + b"canary-word"
passed = failed = 0


def case(name, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(f"{'ok  ' if good else 'FAIL'} {name}{'' if good else ': ' + str(detail)[:400]}", flush=True)


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    return done.stdout


class Bundle:
    """A signed pack in its versions, as an operator would make it."""

    def __init__(self, sluice, folder):
        self.sluice, self.folder = sluice, folder
        run(sluice, "rules", "keygen", "fleet", cwd=folder)
        with open(f"{folder}/fleet.pub", encoding="ascii") as file:
            self.key = file.read().split("\n")[1].strip()

    def pack(self, version):
        rules = f"{self.folder}/rules-{version}"
        os.makedirs(f"{rules}/literal")
        with open(f"{rules}/bundle.toml", "w", encoding="ascii") as file:
            file.write(f'name = "fleet"\nversion = "{version}.0.0"\n')
        with open(f"{rules}/literal/words.toml", "w", encoding="ascii") as file:
            for number in range(version):
                word = WORD.decode() if number == 0 else f"other-word-of-version-{number}"
                file.write(f'[[rule]]\nid = "fleet/word-{number}"\ncategory = "malware"\nseverity = "high"\n'
                           f'description = "a word"\ntext = "{word}"\n\n')
        pack = f"{self.folder}/fleet-{version}.tar.zst"
        run(self.sluice, "rules", "pack", rules, "-o", pack)
        run(self.sluice, "rules", "sign", pack, "--key", f"{self.folder}/fleet.key")
        return pack


class Node:
    def __init__(self, sluice, bundle, name):
        self.sluice, self.bundle, self.name = sluice, bundle, name
        self.folder = f"{bundle.folder}/{name}"
        os.makedirs(f"{self.folder}/store")
        self.icap, self.admin, self.process = free_port(), free_port(), None
        self.config = f"{self.folder}/sluice.toml"
        with open(self.config, "w", encoding="ascii") as file:
            file.write(f"""
[server]
listen = []
admin = "127.0.0.1:{self.admin}"
[[listeners]]
address = "127.0.0.1:{self.icap}"
proxies = ["127.0.0.1/32"]
allow = ["127.0.0.7/32"]
[rules]
store = "{self.folder}/store"
trusted-keys = ["{bundle.key}"]
[spool]
directory = "{self.folder}"
[audit]
to = "{self.folder}/audit.jsonl"
""")

    def install(self, pack):
        run(self.sluice, "rules", "update", "--store", f"{self.folder}/store", "--key", f"{self.bundle.folder}/fleet.pub", pack)

    def start(self):
        with open(f"{self.folder}/log", "ab") as log:
            self.process = subprocess.Popen([self.sluice, "serve", "--config", self.config], stdout=log, stderr=log)
        wait_port(self.admin)
        wait_port(self.icap)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(40)

    def fetch(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=10) as answer:
            return answer.read().decode()

    def metric(self, beginning):
        return sum(float(line.rsplit(" ", 1)[1]) for line in self.fetch("/metrics").splitlines() if line.startswith(beginning))

    def istag(self):
        """Asked through the PROXY protocol as the balancer does, for the client that is let in."""
        with socket.create_connection(("127.0.0.1", self.icap), 10) as sock:
            sock.sendall(b"PROXY TCP4 127.0.0.7 127.0.0.1 40000 1344\r\n"
                         b"OPTIONS icap://sluice/reqmod ICAP/1.0\r\nHost: sluice\r\nConnection: close\r\n\r\n")
            head = b""
            while b"\r\n\r\n" not in head and (piece := sock.recv(65536)):
                head += piece
        tags = [line[6:].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"istag:")]
        return tags[0] if tags else head


def reqmod(body):
    head = b"POST /orders HTTP/1.1\r\nHost: api.example\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body)
    return (b"REQMOD icap://sluice/reqmod ICAP/1.0\r\nHost: sluice\r\nAllow: 204\r\nEncapsulated: req-hdr=0, req-body=%d\r\n\r\n"
            % len(head) + head + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")


CLEAN = b"an ordinary order of seven pens and a ruler. "
MESSAGES = [("clean", reqmod(CLEAN)), ("eicar", reqmod(EICAR)), ("clean", reqmod(CLEAN * 3000)),
            ("word", reqmod(CLEAN * 40 + WORD)), ("late eicar", reqmod(CLEAN * 2500 + EICAR))]


class Load:
    """Clients with persistent connections through the balancer; what each answer meant, and which connections broke."""

    def __init__(self, port):
        self.port, self.stop, self.seen, self.lock = port, threading.Event(), collections.Counter(), threading.Lock()
        self.threads = [threading.Thread(target=self.client, args=(n,)) for n in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def finish(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def note(self, what):
        with self.lock:
            self.seen[what] += 1

    def client(self, number):
        sock, at, asked = None, number, 0
        while not self.stop.is_set():
            kind, message = MESSAGES[at % len(MESSAGES)]
            try:
                if sock is None:
                    sock = socket.socket()
                    sock.bind(("127.0.0.7", 0))
                    sock.settimeout(20)
                    sock.connect(("127.0.0.1", self.port))
                    asked = 0
                asked += 1
                verdict, last = self.ask(sock, message)
            except OSError:
                # Nothing was said about the message: a gateway fails closed or asks again, as we do.
                self.note("broken")
                sock.close()
                sock = None
                time.sleep(0.02)
                continue
            self.note((kind, verdict))
            at += 1
            if last or asked >= 40:
                sock.close()
                sock = None
        if sock:
            sock.close()

    def ask(self, sock, message):
        sock.sendall(message)
        data = b""
        while b"\r\n\r\n" not in data:
            piece = sock.recv(65536)
            if not piece:
                raise OSError("closed")
            data += piece
        head, rest = data.split(b"\r\n\r\n", 1)
        last = b"connection: close" in head.lower()
        status = head.split(b" ", 2)[1]
        if status == b"200":
            while not rest.endswith(b"\r\n0\r\n\r\n"):
                piece = sock.recv(65536)
                if not piece:
                    raise OSError("closed")
                rest += piece
            blocked = rest.startswith(b"HTTP/1.1 403 ") and b"X-Infection-Found: " in head
            return ("blocked" if blocked else "passed"), last
        return {b"204": "passed", b"503": "shed"}.get(status, status.decode()), last


def wait_until(what, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.1)
    return False


def judge(label, load, before):
    now = collections.Counter(load.seen)
    now.subtract(before)
    bad = {key: n for key, n in now.items() if n and isinstance(key, tuple) and key not in GOOD}
    blocked = sum(n for key, n in now.items() if isinstance(key, tuple) and key[1] == "blocked")
    total = sum(n for key, n in now.items() if isinstance(key, tuple))
    print(f"     {label}: {total} answers, {blocked} blocked, {now['broken']} connections broken", flush=True)
    case(f"{label}: both verdicts were given, and no message got the wrong one", min(blocked, total - blocked) > 20 and not bad, dict(now))
    return now["broken"]


GOOD = {("clean", "passed"), ("eicar", "blocked"), ("word", "blocked"), ("late eicar", "blocked"),
        ("clean", "shed"), ("eicar", "shed"), ("word", "shed"), ("late eicar", "shed")}


def phases(nodes, load, bundle, seconds):
    before = collections.Counter(load.seen)
    time.sleep(seconds)
    case("calm: no connection broke", judge("calm", load, before) == 0)
    counts = [node.metric("sluice_transactions_total") for node in nodes]
    case("every node serves its share", min(counts) > 0.1 * sum(counts), counts)

    before = collections.Counter(load.seen)
    pack = bundle.pack(2)
    for node in nodes:
        node.install(pack)
        node.process.send_signal(signal.SIGHUP)
        wait_until(lambda n=node: n.metric('sluice_reload_total{result="ok"') >= 1, 20)
    time.sleep(seconds / 2)
    case("rolling update: no connection broke", judge("rolling update", load, before) == 0)
    case("one ISTag again after the update", len({node.istag() for node in nodes}) == 1, [node.istag() for node in nodes])

    before = collections.Counter(load.seen)
    for node in nodes:
        case(f"{node.name} drains and ends with status 0", node.stop() == 0)
        node.start()
        time.sleep(2.5)
    broken = judge("rolling restart", load, before)
    case(f"rolling restart: at most each client's idle connection to each node broke ({broken})", broken <= CLIENTS * NODES, broken)

    before = collections.Counter(load.seen)
    victim = nodes[0]
    victim.process.kill()
    victim.process.wait()
    time.sleep(seconds)
    left = collections.Counter(load.seen)
    left.subtract(before)
    case("two nodes carry on", sum(n for key, n in left.items() if isinstance(key, tuple)) > 50, left)
    victim.start()
    served = wait_until(lambda: victim.metric("sluice_transactions_total") > 20)
    judge("kill -9", load, before)
    case("the killed node serves again, with nothing repaired", served)
    case("its ISTag is that of the others", len({node.istag() for node in nodes}) == 1, [node.istag() for node in nodes])


def main():
    sluice = os.path.abspath(sys.argv[1])
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 4
    here = os.path.dirname(os.path.abspath(__file__))
    folder = tempfile.mkdtemp(prefix="sluice-fleet-")
    nodes, balancer, load = [], None, None
    try:
        bundle = Bundle(sluice, folder)
        pack = bundle.pack(1)
        for number in range(NODES):
            nodes.append(Node(sluice, bundle, f"node{number + 1}"))
            nodes[-1].install(pack)
            nodes[-1].start()
        tags = {node.istag() for node in nodes}
        case("three nodes, one bundle, one ISTag", len(tags) == 1 and next(iter(tags)).startswith(b'"'), tags)
        port = free_port()
        places = {f"SLUICE_NODE{n + 1}": f"127.0.0.1:{node.icap}" for n, node in enumerate(nodes)}
        with open(f"{folder}/haproxy.log", "wb") as log:
            balancer = subprocess.Popen(
                [shutil.which("haproxy") or "/usr/sbin/haproxy", "-db", "-f", os.path.join(here, "../../deploy/haproxy/haproxy.cfg")],
                env=dict(os.environ, SLUICE_BIND=f"127.0.0.1:{port}", **places), stdout=log, stderr=log)
        wait_port(port)
        load = Load(port)
        phases(nodes, load, bundle, seconds)
        load.finish()
        with open(f"{nodes[1].folder}/audit.jsonl", encoding="ascii") as file:
            case("the access records name the client behind the balancer", '"127.0.0.7' in file.read())
        for node in nodes:
            case(f"{node.name} ends in order", node.stop() == 0)
    finally:
        if load:
            load.finish()
        for process in [node.process for node in nodes if node.process] + [balancer]:
            if process and process.poll() is None:
                process.kill()
                process.wait()
        if failed or not passed or sys.exc_info()[0]:
            print(f"logs kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
