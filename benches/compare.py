#!/usr/bin/env python3
"""sluice beside c-icap, on this machine, in one run.

  compare.py PATH/TO/sluice [--runs 3] [--out results.jsonl] [--only NAME,..]
  compare.py --render results.jsonl > tables.md        also writes one SVG a table beside the results

Starts sluice (embedded rules, nothing configured) and c-icap (Debian's package, its `echo` service, two processes of 50
threads, no keep-alive limit, no access log), then loads them in turn with `sluice bench`, run after run, so that what
else the machine does meets both. Counts the processor time of the server's whole process tree: answers, or MiB, per
second of it compare better between noisy minutes than rates do. c-icap's echo inspects nothing; sluice's /reqmod and
/respmod inspect everything.
"""
import argparse
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20

# name, what is sent, sluice's inspecting service, unit of the figure
SCENARIOS = [
    ("REQMOD 1 KiB JSON", ["--method", "reqmod", "--body-bytes", "1024", "--connections", "32"], "reqmod", "answers"),
    ("REQMOD 1 KiB JSON, a connection each",
     ["--method", "reqmod", "--body-bytes", "1024", "--connections", "16", "--no-keep-alive"], "reqmod", "answers"),
    ("REQMOD 10 KiB JSON, preview 1024",
     ["--method", "reqmod", "--body-bytes", "10240", "--preview", "1024", "--connections", "32"], "reqmod", "answers"),
    ("RESPMOD 10 KiB HTML", ["--method", "respmod", "--html", "10240", "--connections", "32"], "respmod", "answers"),
    ("RESPMOD 100 KiB HTML", ["--method", "respmod", "--html", "102400", "--connections", "16"], "respmod", "MiB"),
    ("RESPMOD 10 MiB text, 204 allowed", ["--method", "respmod", "--text", str(10 * MIB), "--connections", "2"], "respmod", "MiB"),
    ("RESPMOD 10 MiB text, back", ["--method", "respmod", "--text", str(10 * MIB), "--connections", "2", "--no-204"], "respmod", "MiB"),
    ("OPTIONS", ["--method", "options", "--connections", "32"], "reqmod", "answers"),
]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port):
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


def tree(pid):
    """The processes under `pid`, itself included."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as f:
                    parents[int(entry)] = int(f.read().rpartition(")")[2].split()[1])
            except OSError:
                pass
    found = [pid]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def cpu_seconds(pid):
    total = 0
    for process in tree(pid):
        try:
            with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as f:
                fields = f.read().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return total / TICKS


def peak_mib(pid):
    total = 0
    for process in tree(pid):
        try:
            with open(f"/proc/{process}/status", encoding="ascii") as f:
                total += next((int(l.split()[1]) for l in f if l.startswith("VmHWM")), 0)
        except OSError:
            pass
    return round(total / 1024, 1)


def start_sluice(binary, folder):
    port, admin = free_port(), free_port()
    log = open(os.path.join(folder, "sluice.log"), "wb")
    process = subprocess.Popen([binary, "serve", "--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{admin}"],
                               stdout=subprocess.DEVNULL, stderr=log)
    wait_port(port)
    return process, port


def start_c_icap(folder):
    port = free_port()
    config = os.path.join(folder, "c-icap.conf")
    with open(config, "w", encoding="ascii") as f:
        f.write(f"""Port 127.0.0.1:{port}
PidFile {folder}/c-icap.pid
CommandsSocket {folder}/c-icap.ctl
ServerLog {folder}/c-icap.log
TmpDir {folder}
Timeout 300
KeepAliveTimeout 600
MaxRequestsPerChild 0
MaxKeepAliveRequests -1
StartServers 2
MaxServers 4
MinSpareThreads 8
MaxSpareThreads 100000
ThreadsPerChild 50
MaxMemObject 131072
Pipelining on
SupportBuggyClients off
ModulesDir {module_folder()}
ServicesDir {module_folder()}
TemplateDir /usr/share/c_icap/templates/
TemplateDefaultLanguage en
LoadMagicFile /etc/c-icap/c-icap.magic
RemoteProxyUsers off
Service echo srv_echo.so
""")
    process = subprocess.Popen([shutil.which("c-icap") or "/usr/bin/c-icap", "-N", "-f", config],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_port(port)
    return process, port


def module_folder():
    for folder in (f"/usr/lib/{platform.machine()}-linux-gnu/c_icap", "/usr/lib/c_icap", "/usr/lib64/c_icap"):
        if os.path.exists(os.path.join(folder, "srv_echo.so")):
            return folder
    raise SystemExit("c-icap's srv_echo.so is not installed")


def bodies(arguments, folder):
    """Replaces --html N and --text N by a file of that size and its type."""
    out, rest = [], list(arguments)
    while rest:
        word = rest.pop(0)
        if word not in ("--html", "--text"):
            out.append(word)
            continue
        size = int(rest.pop(0))
        path = os.path.join(folder, f"{word[2:]}-{size}")
        if word == "--html":
            row, kind = '<li class="row"><a href="/items/%d">Item %d</a> in stock</li>\n', "text/html"
            make = lambda n: row % (n, n * 7)
            head = "<!DOCTYPE html>\n<html><head><title>Items</title></head><body><ul>\n"
        else:
            kind, head = "text/plain", ""
            make = lambda n: f"line {n}: the quick brown fox jumps over the lazy dog, {n * 31 % 1009} times\n"
        if not os.path.exists(path):
            with open(path, "w", encoding="ascii") as f:
                number, written = 0, f.write(head[:size])
                while written < size:
                    written += f.write(make(number)[:size - written])
                    number += 1
        out += ["--body", path, "--content-type", kind]
    return out


def measure(sluice, url, pid, arguments, seconds):
    before = cpu_seconds(pid)
    done = subprocess.run([sluice, "bench", url, "--json", "--seconds", str(seconds), *arguments],
                          capture_output=True, text=True, check=False)
    if not done.stdout.startswith("{"):
        raise SystemExit(f"{url}: {done.stderr}")
    result = json.loads(done.stdout)
    result["cpu_seconds"] = round(cpu_seconds(pid) - before, 3)
    result["peak_mib"] = peak_mib(pid)
    return result


def run(options):
    folder = tempfile.mkdtemp(prefix="sluice-compare-")
    os.chmod(folder, 0o755)
    running = []
    try:
        sluice, sluice_port = start_sluice(options.sluice, folder)
        running.append(sluice)
        c_icap, c_icap_port = start_c_icap(folder)
        running.append(c_icap)
        with open(options.out, "w", encoding="ascii") as out:
            for name, arguments, service, unit in SCENARIOS:
                if options.only and not any(word in name for word in options.only.split(",")):
                    continue
                sent = bodies(arguments, folder)
                peers = [("c-icap echo", c_icap.pid, f"icap://127.0.0.1:{c_icap_port}/echo"),
                         ("sluice /echo", sluice.pid, f"icap://127.0.0.1:{sluice_port}/echo"),
                         (f"sluice /{service}", sluice.pid, f"icap://127.0.0.1:{sluice_port}/{service}")]
                for number in range(options.runs):
                    for peer, pid, url in peers:
                        result = measure(options.sluice, url, pid, sent, options.seconds)
                        result |= {"scenario": name, "peer": peer, "unit": unit, "run": number}
                        out.write(json.dumps(result) + "\n")
                        out.flush()
                        print(f"{name}: {peer}: {figure(result):,.0f} {unit}/CPU-s, p99 "
                              f"{result['latency_us']['p99'] / 1000:.2f} ms, {result['statuses']} {result['failures']}",
                              file=sys.stderr, flush=True)
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(folder, ignore_errors=True)


def figure(result):
    cpu = max(result["cpu_seconds"], 0.01)
    if result["unit"] == "answers":
        return result["answers"] / cpu
    return result["mib_per_second"] * result["seconds"] / cpu


def render(path):
    rows = {}
    with open(path, encoding="ascii") as f:
        for line in f:
            result = json.loads(line)
            rows.setdefault(result["scenario"], {}).setdefault(result["peer"], []).append(result)
    print("| work | server | per second of its CPU: median (min to max) | × c-icap echo | p50 ms | p99 ms | peak MiB |")
    print("|---|---|---:|---:|---:|---:|---:|")
    bars = []
    for scenario, peers in rows.items():
        medians = {peer: statistics.median(map(figure, results)) for peer, results in peers.items()}
        floor = medians.get("c-icap echo", 0)
        for peer, results in peers.items():
            values = [figure(result) for result in results]
            middle = lambda key: statistics.median(r["latency_us"][key] for r in results) / 1000
            share = f"{medians[peer] / floor:.2f}" if floor else "–"
            print(f"| {scenario} | {peer} | {medians[peer]:,.0f} {results[0]['unit']} ({min(values):,.0f} to "
                  f"{max(values):,.0f}) | {share} | {middle('p50'):.2f} | {middle('p99'):.2f} | "
                  f"{max(r['peak_mib'] for r in results):.0f} |")
            bars.append((f"{scenario} · {peer}", medians[peer] / floor if floor else 0))
    with open(os.path.splitext(path)[0] + ".svg", "w", encoding="utf-8") as f:
        f.write(chart(bars))


def chart(bars):
    """Horizontal bars, c-icap echo = 1."""
    top = max(value for _, value in bars) or 1
    height = 22 * len(bars) + 30
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="860" height="{height}" font-family="sans-serif" '
             'font-size="12"><text x="8" y="16">work per second of server CPU, c-icap echo = 1</text>']
    for at, (label, value) in enumerate(bars):
        y = 26 + 22 * at
        colour = "#8a8a8a" if "c-icap" in label else "#3b7dd8" if "/echo" in label else "#2a9d62"
        parts.append(f'<text x="8" y="{y + 12}">{label}</text><rect x="400" y="{y}" width="{380 * value / top:.1f}" '
                     f'height="16" fill="{colour}"/><text x="{406 + 380 * value / top:.1f}" y="{y + 12}">{value:.2f}</text>')
    return "\n".join([*parts, "</svg>\n"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sluice", nargs="?")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--out", default="results.jsonl")
    parser.add_argument("--only")
    parser.add_argument("--render", metavar="FILE")
    options = parser.parse_args()
    if options.render:
        render(options.render)
    elif options.sluice:
        options.sluice = os.path.abspath(options.sluice)
        run(options)
    else:
        parser.error("which sluice?")


if __name__ == "__main__":
    main()
