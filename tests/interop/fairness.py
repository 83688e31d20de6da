#!/usr/bin/env python3
"""Client A at full blast, client B at 50 requests a second: how B's percentiles change.

    tests/interop/fairness.py target/release/sluice [1|16|256|1024|streams|broken ...]

A and B are two loopback addresses, so two ICAP clients. B sends REQMOD /reqmod with 1 KiB of JSON; A the same over many
connections with bodies of so many KiB, as fast as it is answered, or eight streams of 100 MiB to /respmod, or as many of 60 MiB
that must be kept for the answer and are broken off. B alone and B
beside A take turns.

With QUIET=1 (root, two cores, Linux 6.12 for the short slices) other programs disturb as little as they can: the server has
one core, the clients the other, and the server and B, which in life have machines of their own, have priority."""
import ctypes, functools, json, multiprocessing, os, random, socket, struct, subprocess, sys, tempfile, time

SECONDS = float(os.environ.get("SECONDS_EACH", "4"))
ROUNDS = int(os.environ.get("ROUNDS", "2"))
RATE = float(os.environ.get("RATE", "50"))
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

def blast(port, stop, done, data):
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

def eight(port, stop, done, allow, each):
    """Eight connections to /respmod; `each` gets the request's head, one piece of its body, and what counts its bytes."""
    import threading
    if QUIET:
        os.nice(-15)
    piece = (b"%x\r\n" % 65536) + bytes(random.Random(3).randrange(32, 127) for _ in range(65536)) + b"\r\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n"
    request = (b"RESPMOD icap://sluice/respmod ICAP/1.0\r\nHost: sluice\r\n%sEncapsulated: res-hdr=0, res-body=%d\r\n\r\n"
               % (allow, len(head)) + head)
    def send(sock, pieces):
        sock.sendall(request)
        for _ in range(pieces):
            sock.sendall(piece)
            done.value += 65536
            if stop.is_set():
                return
    for _ in range(8):
        threading.Thread(target=each, args=(lambda: connect(port, "127.0.0.2"), send, stop), daemon=True).start()
    stop.wait()

def streams(port, stop, done):
    """One body of 100 MiB after the other."""
    def each(connection, send, stop):
        sock = connection()
        while not stop.is_set():
            send(sock, 1600)
            if not stop.is_set():
                ask(sock, b"0\r\n\r\n")
    eight(port, stop, done, b"Allow: 204\r\n", each)

def broken(port, stop, done):
    """60 MiB of a body that has to be kept, since it goes back, and no end: the server closes its file."""
    def each(connection, send, stop):
        while not stop.is_set():
            with connection() as sock:
                send(sock, 960)
    eight(port, stop, done, b"", each)

def alone_on(core, scheduler=os.SCHED_OTHER):
    if QUIET:
        os.sched_setaffinity(0, {core})
        os.setpriority(os.PRIO_PROCESS, 0, -20)
        if scheduler == os.SCHED_OTHER:
            # A slice of 0.1 ms: one that wakes goes before whoever has a longer one (Linux 6.12). sched_setattr(2).
            attributes = struct.pack("=IIQiIQQQ", 48, scheduler, 0, -20, 0, 100_000, 0, 0)
            ctypes.CDLL(None).syscall(314, 0, attributes, 0)
        else:
            os.sched_setscheduler(0, scheduler | os.SCHED_RESET_ON_FORK, os.sched_param(2))

def steady(port, data, seconds):
    sock, times = connect(port, "127.0.0.3"), []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        status = ask(sock, data)
        times.append(time.perf_counter() - began)
        assert status == b"204", status
        time.sleep(max(0.0, 1 / RATE - times[-1]))
    return times

def at(times, share):
    times = sorted(times)
    return times[min(len(times) - 1, int(share * len(times)))] * 1000

def show(name, times):
    print(f"  {name}: {len(times)} requests, p50 {at(times, .5):.2f} ms, p90 {at(times, .9):.2f} ms, p99 {at(times, .99):.2f} ms", flush=True)

def compare(port, name, data, load):
    """B alone and beside A, by turns: what else runs on the machine meets both."""
    alone, beside, done, spent = [], [], 0, 0.0
    for _ in range(ROUNDS):
        alone += steady(port, data, SECONDS)
        stop, count = multiprocessing.Event(), multiprocessing.Value("q", 0)
        other = multiprocessing.Process(target=load, args=(port, stop, count))
        other.start()
        time.sleep(1)
        before, began = count.value, time.monotonic()
        beside += steady(port, data, SECONDS)
        done, spent = done + count.value - before, spent + time.monotonic() - began
        stop.set()
        other.join()
    ratio = at(beside, .99) / at(alone, .99)
    print(name)
    show("alone", alone)
    show("beside", beside)
    print(f"  A: {done / spent:.0f} a second; p50 x {at(beside, .5) / at(alone, .5):.2f}, p99 x {ratio:.2f}", flush=True)
    return ratio

def main():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    alone_on(1, os.SCHED_FIFO)
    server = subprocess.Popen([sys.argv[1], "serve", "--listen", f"127.0.0.1:{port}", "--admin", "127.0.0.1:0"],
                              preexec_fn=lambda: alone_on(0), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(2)
        data = request(1 << 10)
        loads = {str(kib): functools.partial(blast, data=request(kib << 10)) for kib in (1, 16, 256, 1024)}
        loads |= {"streams": streams, "broken": broken}
        for name in sys.argv[2:] or loads:
            compare(port, f"B 1 KiB, A {name}", data, loads[name])
    finally:
        server.terminate()
        server.wait()

if __name__ == "__main__":
    main()
