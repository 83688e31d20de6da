#!/usr/bin/env python3
"""Client A at full blast, client B at 10 requests a second: how B's p99 changes.

    tests/interop/fairness.py target/release/sluice

A and B are two loopback addresses, so two ICAP clients. Both send REQMOD /reqmod with JSON bodies; A over many
connections, as fast as it is answered. Prints B's percentiles alone and beside A, and what A got done.

With QUIET=1 (root, two cores) other programs disturb as little as they can: the server has one core, the clients the
other, and the server and B, which in life have machines of their own, have priority."""
import json, multiprocessing, os, random, socket, subprocess, sys, tempfile, time

SECONDS = float(os.environ.get("SECONDS_EACH", "8"))
QUIET = os.environ.get("QUIET") == "1"
A_CONNECTIONS = int(os.environ.get("A_CONNECTIONS", "32"))

def request(size):
    rng = random.Random(7)
    items, length = [], 0
    while length < size:
        item = {"id": rng.randrange(10**6), "name": "".join(rng.choice("abcdefghij ") for _ in range(40)), "n": rng.random()}
        length += len(json.dumps(item)) + 2
        items.append(item)
    body = json.dumps(items).encode()
    head = b"POST /orders HTTP/1.1\r\nHost: api.example\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    return (b"REQMOD icap://sluice/reqmod ICAP/1.0\r\nHost: sluice\r\nAllow: 204\r\nEncapsulated: req-hdr=0, req-body=%d\r\n\r\n"
            % len(head) + head + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")

def connect(port, source):
    sock = socket.socket()
    sock.bind((source, 0))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.connect(("127.0.0.1", port))
    return sock

def ask(sock, data):
    sock.sendall(data)
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = sock.recv(65536)
        if not piece:
            raise OSError("closed")
        answer += piece
    return answer[9:12]

def blast(port, data, stop, done):
    import selectors
    if QUIET:
        os.nice(-15)
    sel = selectors.DefaultSelector()
    for _ in range(A_CONNECTIONS):
        sock = connect(port, "127.0.0.2")
        sock.sendall(data)
        sel.register(sock, selectors.EVENT_READ)
    while not stop.is_set():
        for key, _ in sel.select(0.1):
            answer = key.fileobj.recv(65536)
            if answer:
                done.value += 1
                key.fileobj.sendall(data)

def streams(port, stop, done):
    """Eight connections, each with one body of 100 MiB after the other."""
    import threading
    if QUIET:
        os.nice(-15)
    piece = (b"%x\r\n" % 65536) + bytes(random.Random(3).randrange(32, 127) for _ in range(65536)) + b"\r\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n"
    request = (b"RESPMOD icap://sluice/respmod ICAP/1.0\r\nHost: sluice\r\nAllow: 204\r\nEncapsulated: res-hdr=0, res-body=%d\r\n\r\n"
               % len(head) + head)
    def one():
        sock = connect(port, "127.0.0.2")
        while not stop.is_set():
            sock.sendall(request)
            for _ in range(1600):
                sock.sendall(piece)
                done.value += 65536
                if stop.is_set():
                    return
            ask(sock, b"0\r\n\r\n")
    threads = [threading.Thread(target=one, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    stop.wait()

def alone_on(core, scheduler=os.SCHED_OTHER):
    if QUIET:
        os.sched_setaffinity(0, {core})
        os.setpriority(os.PRIO_PROCESS, 0, -20)
        if scheduler != os.SCHED_OTHER:
            os.sched_setscheduler(0, scheduler | os.SCHED_RESET_ON_FORK, os.sched_param(2))

def steady(port, data, seconds):
    sock, times = connect(port, "127.0.0.3"), []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        status = ask(sock, data)
        times.append(time.perf_counter() - began)
        assert status == b"204", status
        time.sleep(max(0.0, 0.1 - times[-1]))
    return sorted(times)

def show(name, times):
    at = lambda p: times[min(len(times) - 1, int(p * len(times)))] * 1000
    print(f"{name}: {len(times)} requests, p50 {at(.5):.2f} ms, p90 {at(.9):.2f} ms, p99 {at(.99):.2f} ms")
    return at(.99)

def main():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    alone_on(1, os.SCHED_FIFO)
    server = subprocess.Popen([sys.argv[1], "serve", "--listen", f"127.0.0.1:{port}", "--admin", "127.0.0.1:0"],
                              preexec_fn=lambda: alone_on(0), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(2)
        for size_a, size_b in [(1 << 10, 1 << 10), (256 << 10, 16 << 10), (1 << 20, 1 << 10)]:
            data_a, data_b = request(size_a), request(size_b)
            alone = show(f"B {size_b >> 10} KiB alone", steady(port, data_b, SECONDS))
            stop, done = multiprocessing.Event(), multiprocessing.Value("q", 0)
            other = multiprocessing.Process(target=blast, args=(port, data_a, stop, done))
            other.start()
            time.sleep(0.5)
            beside = show(f"B {size_b >> 10} KiB beside A ({A_CONNECTIONS} connections, {size_a >> 10} KiB)", steady(port, data_b, SECONDS))
            stop.set()
            other.join()
            print(f"  A: {done.value / (SECONDS + 0.5):.0f} requests a second; B's p99 x {beside / alone:.2f}")
        data = request(1 << 10)
        alone = show("1 KiB on a quiet server", steady(port, data, SECONDS))
        stop, done = multiprocessing.Event(), multiprocessing.Value("q", 0)
        other = multiprocessing.Process(target=streams, args=(port, stop, done))
        other.start()
        time.sleep(1)
        beside = show("1 KiB beside 8 streams of 100 MiB", steady(port, data, SECONDS))
        stop.set()
        other.join()
        print(f"  streams: {done.value / (SECONDS + 1) / 2**20:.0f} MiB a second; p99 x {beside / alone:.2f}")
    finally:
        server.terminate()
        server.wait()

if __name__ == "__main__":
    main()
