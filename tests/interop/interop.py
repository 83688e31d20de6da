#!/usr/bin/env python3
"""Real clients against a real sluice: Squid (icap and icaps), c-icap-client, python-icap and openssl, over loopback.

  interop.py PATH/TO/sluice

Starts sluice, an HTTP origin and Squid on free ports, sends bodies of 1 byte to 100 MiB through every combination of
method, preview and 204, and demands them back byte for byte; demands that EICAR and XXE are blocked. Prints a line a
case and `N passed, N failed`; exit status 1 when any failed. Clients that are not installed are a failure, not a skip.
"""
import hashlib
import http.client
import http.server
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

# Assembled here so that no scanner stops at this file.
EICAR = (r"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-" + "ANTIVIRUS-TEST-FILE" + "!$H+H*").encode()
XXE = (b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]><r>&e;</r>')
PIECE = 32 * 1024
SIZES = [1, 100, 4096, 4097, 65536, 1 << 20, 100 << 20]

passed = failed = 0


def case(name, good, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(f"{'ok  ' if good else 'FAIL'} {name}{'' if good else ': ' + str(detail)[:300]}", flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


def body(size):
    """Printable, deterministic, not compressible to nothing."""
    words = random.Random(size).choices([b"alpha ", b"beta ", b"gamma ", b"delta ", b"epsilon\n"], k=4096)
    block = b"".join(words)
    return (block * (size // len(block) + 1))[:size]


def card(size):
    """A document with a card number at its beginning and `size` bytes that stay as they are."""
    number = "4111" + "1111" * 3
    return json.dumps({"card": number, "text": body(size).decode()}).encode()


class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, data, kind="application/octet-stream"):
        """Paced: Squid 5.7 forgets to read on when an origin fills its 64 KiB body pipe before the ICAP server has
        taken the preview (HttpStateData::readReply with no space left clears do_next_read; c-icap stalls alike)."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        for start in range(0, len(data), PIECE):
            self.wfile.write(data[start:start + PIECE])
            time.sleep(0.1 if start == 0 else Origin.pace)

    pace = 0.002
    received = b""

    def do_GET(self):
        self.path = self.path.removeprefix("/secured")
        if self.path.startswith("/redact/"):
            self.answer(card(int(self.path.split("/")[2])), "application/json")
        elif self.path.startswith("/bytes/"):
            self.answer(body(int(self.path.split("/")[2])), "text/plain")
        elif self.path == "/eicar":
            self.answer(EICAR)
        elif self.path == "/xxe":
            self.answer(XXE, "application/xml")
        else:
            self.answer(b"hello", "text/plain")

    def do_POST(self):
        Origin.received = b""
        if self.headers.get("Transfer-Encoding"):
            digest, size = hashlib.sha256(), 0
            while n := int(self.rfile.readline().split(b";")[0], 16):
                data = self.rfile.read(n)
                digest.update(data)
                size += len(data)
                self.rfile.readline()
            self.rfile.readline()
        else:
            size = int(self.headers.get("Content-Length", 0))
            Origin.received = self.rfile.read(size)
            digest = hashlib.sha256(Origin.received)
        self.answer(json.dumps({"sha256": digest.hexdigest(), "size": size}).encode(), "application/json")

    do_PUT = do_POST


def through_squid(port, origin, method, path, data=None, headers=None):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=40)
    try:
        c.request(method, f"http://127.0.0.1:{origin}{path}", body=data, headers=headers or {})
        r = c.getresponse()
        return r.status, dict(r.getheaders()), r.read()
    except OSError as error:
        return 0, {}, repr(error).encode()
    finally:
        c.close()


def is_error(line):
    """Squid's own end of a connection (000) is none. Nor is an OPTIONS answer that came whole before Squid had noticed that
    its request was written: OptXact::handleCommRead takes the answer and then fails its own Must(done())."""
    return "ICAP_ERR" in line and "/000 " not in line and not ("ICAP_ERR_OTHER/200 " in line and " OPTIONS " in line)


def squid_cases(squid, origin, log):
    for size in SIZES:
        want = body(size)
        for Origin.pace in (0.002, 0.01):
            status, _, got = through_squid(squid, origin, "GET", f"/bytes/{size}")
            if status == 200:
                break
        case(f"squid RESPMOD {size} bytes come back identical", status == 200 and got == want, (status, len(got)))
        status, _, got = through_squid(squid, origin, "POST", "/", want, {"Content-Type": "text/plain"})
        good = status == 200 and json.loads(got)["sha256"] == hashlib.sha256(want).hexdigest()
        case(f"squid REQMOD {size} bytes arrive identical", good, (status, got[:200]))
    for name, path in (("EICAR", "/eicar"), ("XXE", "/xxe")):
        status, headers, got = through_squid(squid, origin, "GET", path)
        case(f"squid RESPMOD {name} is blocked", status == 403 and EICAR not in got, (status, got[:200]))
        case(f"squid RESPMOD {name} block is not stored", "no-store" in headers.get("Cache-Control", ""), headers)
    # The edit is at the beginning: Squid offers 206 and adds the rest from its own copy.
    for size in (10, 3000, 200_000, 5 << 20):
        want = json.loads(card(size))
        status, headers, got = through_squid(squid, origin, "GET", f"/redact/{size}")
        good = status == 200 and int(headers.get("Content-Length", len(got))) == len(got)
        good = good and json.loads(got) == want | {"card": "[REDACTED:PAN]"}
        case(f"squid RESPMOD a card before {size} bytes is redacted", good, (status, got[:200], headers))
        kind = {"Content-Type": "application/json"}
        status, _, got = through_squid(squid, origin, "POST", "/redact/", card(size), kind)
        good = status == 200 and json.loads(Origin.received) == want | {"card": "[REDACTED:PAN]"}
        case(f"squid REQMOD a card before {size} bytes is redacted", good, (status, got[:200], Origin.received[:200]))
    xml = {"Content-Type": "application/xml"}
    for name, data, headers in (
        ("EICAR", EICAR, {"Content-Type": "application/octet-stream"}),
        ("EICAR late", body(300_000) + EICAR, {"Content-Type": "application/octet-stream"}),
        ("XXE", XXE, xml),
        ("XXE in UTF-16", XXE.decode().encode("utf-16"), xml),
    ):
        status, _, got = through_squid(squid, origin, "POST", "/", data, headers)
        case(f"squid REQMOD {name} is blocked", status == 403, (status, got[:200]))
    status, _, got = through_squid(squid, origin, "POST", "/", EICAR, {"Accept": "application/json"})
    good = status == 403 and json.loads(got).get("status") == 403
    case("squid REQMOD block page is problem+json when asked for", good, got[:200])
    status, _, _ = through_squid(squid, origin, "GET", "/")
    case("squid GET after the blocks is served", status == 200, status)
    with open(log, encoding="ascii", errors="replace") as f:
        lines = f.read().splitlines()
    bad = [line for line in lines if is_error(line)]
    case("squid took answers with 206", any("/206 " in line for line in lines), lines[-3:])
    case(f"squid saw no ICAP error in {len(lines)} transactions", lines and not bad, bad[:3])


def secured_cases(squid, origin, log, admin):
    """Through Squid's icaps services, whose connections show a client certificate."""
    for size in (1, 4097, 1 << 20, 10 << 20):
        want = body(size)
        status, _, got = through_squid(squid, origin, "GET", f"/secured/bytes/{size}")
        case(f"squid icaps RESPMOD {size} bytes come back identical", status == 200 and got == want, (status, len(got)))
        status, _, got = through_squid(squid, origin, "POST", "/secured/", want, {"Content-Type": "text/plain"})
        good = status == 200 and json.loads(got)["sha256"] == hashlib.sha256(want).hexdigest()
        case(f"squid icaps REQMOD {size} bytes arrive identical", good, (status, got[:200]))
    status, _, got = through_squid(squid, origin, "GET", "/secured/eicar")
    case("squid icaps RESPMOD EICAR is blocked", status == 403 and EICAR not in got, (status, got[:200]))
    for name, data in (("EICAR", EICAR), ("EICAR late", body(300_000) + EICAR)):
        status, _, got = through_squid(squid, origin, "POST", "/secured/", data)
        case(f"squid icaps REQMOD {name} is blocked", status == 403, (status, got[:200]))
    with open(log, encoding="ascii", errors="replace") as f:
        lines = [line for line in f.read().splitlines() if "icaps://" in line]
    bad = [line for line in lines if is_error(line)]
    case(f"squid saw no icaps error in {len(lines)} transactions", lines and not bad, bad[:3])
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    shaken = [line for line in text.splitlines() if line.startswith('sluice_tls_handshakes_total{') and '"ok"' in line]
    case("the server counted squid's handshakes", shaken and float(shaken[0].rsplit(" ", 1)[1]) > 0, shaken)


def truncated_case(squid, process, admin, log):
    """Squid is killed inside a body that it sends over TLS: no close_notify, and no clean verdict on half a body."""
    with socket.create_connection(("127.0.0.1", squid), 10) as sock:
        sock.sendall(b"POST http://127.0.0.1:1/secured/cut HTTP/1.1\r\nHost: 127.0.0.1:1\r\nContent-Type: text/plain\r\n"
                     b"Content-Length: 1000000\r\n\r\n" + body(300_000))
        def under_way():
            with urllib.request.urlopen(f"http://127.0.0.1:{admin}/v1/transactions", timeout=10) as answer:
                return [one for one in json.load(answer)["transactions"] if one["bytes"] > 100_000]
        end = time.monotonic() + 20
        while not (seen := under_way()) and time.monotonic() < end:
            time.sleep(0.1)
        process.kill()
        process.wait()
    end = time.monotonic() + 20
    lines = []
    while not lines and time.monotonic() < end:
        time.sleep(0.1)
        with open(log, encoding="ascii", errors="replace") as f:
            lines = [line for line in f if '"url.path":"/secured/cut"' in line and '"sluice.access"' in line]
    good = seen and lines and all('"event.action":"error"' in line for line in lines)
    case("squid that is killed inside a body over icaps leaves no clean verdict", good, lines or seen)


class House:
    """A certificate authority, and what it issued: PEM files in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.make("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                  "-subj", "/CN=house", "-keyout", self.at("ca.key"), "-out", self.at("ca.pem"))
        self.issue("server", "DNS:localhost")
        self.issue("gateway", "DNS:gateway.example")

    def at(self, name):
        return os.path.join(self.folder, name)

    def make(self, *options):
        subprocess.run(["openssl", *options], check=True, capture_output=True, timeout=60)

    def issue(self, name, alternative):
        request, extensions = self.at(f"{name}.csr"), self.at(f"{name}.ext")
        self.make("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                  "-keyout", self.at(f"{name}.key"), "-out", request)
        with open(extensions, "w", encoding="ascii") as f:
            f.write(f"subjectAltName={alternative}\n")
        self.make("x509", "-req", "-in", request, "-CA", self.at("ca.pem"), "-CAkey", self.at("ca.key"), "-CAcreateserial",
                  "-days", "2", "-extfile", extensions, "-out", self.at(f"{name}.pem"))
        # Squid reads them as its own user.
        os.chmod(self.at(f"{name}.key"), 0o644)

    def listener(self, port):
        return f"""
[[listeners]]
address = "127.0.0.1:{port}"
allow = ["127.0.0.0/8"]
[listeners.tls]
certificate = "{self.at('server.pem')}"
key = "{self.at('server.key')}"
client-ca = "{self.at('ca.pem')}"
client-names = ["gateway.example"]
"""


def openssl_cases(house, port):
    def client(message, *options, seconds=30):
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", "-verify_hostname", "localhost",
             "-verify_return_error", "-CAfile", house.at("ca.pem"), "-quiet", *options],
            input=message, capture_output=True, timeout=seconds, check=False)
        return done.stdout
    identity = ("-cert", house.at("gateway.pem"), "-key", house.at("gateway.key"))
    options = b"OPTIONS icap://localhost/reqmod ICAP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    for version in ("-tls1_2", "-tls1_3"):
        got = client(options, version, *identity)
        case(f"openssl {version} OPTIONS", got.startswith(b"ICAP/1.0 200") and b"Methods: REQMOD" in got, got)
    got = client(options, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", *identity)
    case("openssl -tls1_1 is refused", got == b"", got)
    case("openssl without a certificate is refused", client(options) == b"")
    stranger = ("-cert", house.at("server.pem"), "-key", house.at("server.key"))
    case("openssl with a certificate of another name is refused", client(options, *stranger) == b"")
    head = b"POST / HTTP/1.1\r\nHost: truncated.example\r\n\r\n"
    begun = (b"REQMOD icap://localhost/reqmod ICAP/1.0\r\nHost: localhost\r\nAllow: 204\r\nEncapsulated: req-hdr=0, req-body=%d\r\n\r\n"
             % len(head) + head + b"400\r\nhalf of what was announced")
    try:
        got = client(begun, *identity, seconds=2)
    except subprocess.TimeoutExpired as killed:
        got = killed.stdout or b""
    case("openssl that is killed inside a body, without close_notify, was told nothing", got == b"", got)


def c_icap_client(port, service, data, *options):
    with tempfile.TemporaryDirectory() as d:
        source, out = os.path.join(d, "in"), os.path.join(d, "out")
        with open(source, "wb") as f:
            f.write(data)
        run = subprocess.run(
            ["c-icap-client", "-i", "127.0.0.1", "-p", str(port), "-s", service, "-f", source, "-o", out, "-v", *options],
            capture_output=True, timeout=120, check=False)
        got = None
        if os.path.exists(out):
            with open(out, "rb") as f:
                got = f.read()
        return run.returncode, got, (run.stdout + run.stderr).decode("latin-1")


def c_icap_cases(port):
    methods = {
        "REQMOD": ("reqmod", ["-req", "http://origin.test/upload", "-method", "POST"]),
        "RESPMOD": ("respmod", ["-resp", "http://origin.test/file"]),
        "avscan": ("avscan", []),
    }
    for method, (service, options) in methods.items():
        for preview in ([], ["-nopreview"], ["-w", "0"], ["-w", "100"]):
            for allow in ([], ["-no204"]):
                label = f"c-icap-client {method} {' '.join(preview + allow) or 'plain'}"
                for size in SIZES:
                    if size == SIZES[-1] and (preview or method == "avscan"):
                        continue
                    want = body(size)
                    code, got, text = c_icap_client(port, service, want, *options, *preview, *allow)
                    untouched = got is None or got == b"" or got == want
                    # Inside the preview a 204 is always allowed.
                    short = "-nopreview" not in preview and size <= 4096
                    whole = got == want or not allow or short
                    good = code == 0 and untouched and "403 " not in text and whole
                    case(f"{label} {size} bytes", good, text[-300:])
                for name, data in (("EICAR", EICAR), ("XXE", XXE), ("EICAR late", body(100_000) + EICAR)):
                    _, got, text = c_icap_client(port, service, data, *options, *preview, *allow)
                    good = "403 " in text and "X-Infection-Found: Type=" in text and EICAR not in (got or b"")
                    case(f"{label} {name} is blocked", good, text[-300:])


def python_icap_cases(port):
    try:
        from icap import IcapClient
    except ImportError as error:
        case("python-icap is installed", False, error)
        return
    def client():
        return IcapClient("127.0.0.1", port=port)
    with client() as c:
        answer = c.options("reqmod")
        case("python-icap OPTIONS", answer.status_code == 200, answer.status_code)
    request = b"POST /upload HTTP/1.1\r\nHost: origin.test\r\nContent-Type: text/plain\r\n\r\n"
    response = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
    for name, data, clean in (("clean", b"hello world", True), ("EICAR", EICAR, False)):
        with client() as c:
            answer = c.reqmod("reqmod", request, data)
            case(f"python-icap REQMOD {name}", (answer.status_code == 204) == clean, answer.status_code)
        with client() as c:
            answer = c.respmod("respmod", request.split(b"\r\nContent")[0] + b"\r\n\r\n", response + data)
            case(f"python-icap RESPMOD {name}", (answer.status_code == 204) == clean, answer.status_code)


def main():
    sluice = os.path.abspath(sys.argv[1])
    folder = tempfile.mkdtemp(prefix="sluice-interop-")
    os.chmod(folder, 0o755)
    icap, icaps, admin, squid = free_port(), free_port(), free_port(), free_port()
    house = House(folder)
    settings = os.path.join(folder, "sluice.toml")
    with open(settings, "w", encoding="ascii") as f:
        f.write(house.listener(icaps))
    origin = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    origin.daemon_threads = True
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    running = []
    try:
        with open(os.path.join(folder, "sluice.log"), "wb") as log:
            running.append(subprocess.Popen(
                [sluice, "serve", "--config", settings, "--listen", f"127.0.0.1:{icap}", "--admin", f"127.0.0.1:{admin}"],
                stdout=log, stderr=log))
        wait_port(icap)
        openssl_cases(house, icaps)
        c_icap_cases(icap)
        python_icap_cases(icap)

        logs = os.path.join(folder, "squid")
        os.mkdir(logs)
        if os.geteuid() == 0:
            proxy = pwd.getpwnam("proxy")
            os.chown(logs, proxy.pw_uid, proxy.pw_gid)
        config = os.path.join(folder, "squid.conf")
        with open(config, "w", encoding="ascii") as f:
            f.write(f"""
http_port 127.0.0.1:{squid}
pid_filename {logs}/squid.pid
cache_log {logs}/cache.log
access_log stdio:{logs}/access.log
icap_log stdio:{logs}/icap.log icap_squid
coredump_dir {logs}
cache deny all
http_access allow all
icap_enable on
icap_preview_enable on
icap_206_enable on
icap_persistent_connections on
icap_send_client_ip on
client_request_buffer_max_size 8 MB
icap_service svcReq reqmod_precache bypass=0 icap://127.0.0.1:{icap}/reqmod
icap_service svcResp respmod_precache bypass=0 icap://127.0.0.1:{icap}/respmod
icap_service redactReq reqmod_precache bypass=0 icap://127.0.0.1:{icap}/redact
icap_service redactResp respmod_precache bypass=0 icap://127.0.0.1:{icap}/redact
icap_service securedReq reqmod_precache bypass=0 icaps://localhost:{icaps}/reqmod tls-cafile={house.at('ca.pem')} tls-cert={house.at('gateway.pem')} tls-key={house.at('gateway.key')}
icap_service securedResp respmod_precache bypass=0 icaps://localhost:{icaps}/respmod tls-cafile={house.at('ca.pem')} tls-cert={house.at('gateway.pem')} tls-key={house.at('gateway.key')}
acl secured urlpath_regex ^/secured/
adaptation_access securedReq allow secured
adaptation_access securedResp allow secured
acl redacted urlpath_regex ^/redact/
adaptation_access redactReq allow redacted
adaptation_access redactResp allow redacted
adaptation_access svcReq allow all
adaptation_access svcResp allow all
shutdown_lifetime 1 seconds
""")
        binary = shutil.which("squid") or "/usr/sbin/squid"
        running.append(subprocess.Popen([binary, "-N", "-n", f"sluice{os.getpid()}", "-f", config],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        wait_port(squid)
        squid_cases(squid, origin.server_address[1], os.path.join(logs, "icap.log"))
        secured_cases(squid, origin.server_address[1], os.path.join(logs, "icap.log"), admin)
        truncated_case(squid, running[1], admin, os.path.join(folder, "sluice.log"))
        case("sluice still runs", running[0].poll() is None)
        running[0].send_signal(signal.SIGTERM)
        case("SIGTERM ends sluice with status 0", running[0].wait(40) == 0)
    finally:
        for process in running:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
        if failed:
            print(f"logs kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
