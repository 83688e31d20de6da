#!/usr/bin/env python3
"""Asks the server on a port of loopback for its options, with EICAR, and with a clean body: ask.py PORT"""
import socket
import sys
import time

port = int(sys.argv[1])
eicar = (r"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-" + "ANTIVIRUS-TEST-FILE" + "!$H+H*").encode()
def ask(message):
    for _ in range(300):
        try:
            sock = socket.create_connection(("127.0.0.1", port), 10)
            break
        except OSError:
            time.sleep(0.1)
    sock.sendall(message)
    sock.shutdown(socket.SHUT_WR)
    return b"".join(iter(lambda: sock.recv(65536), b""))
def reqmod(body):
    head = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n" % len(body)
    return (b"REQMOD icap://a/reqmod ICAP/1.0\r\nHost: a\r\nAllow: 204\r\nConnection: close\r\nEncapsulated: req-hdr=0, req-body=%d\r\n\r\n"
            % len(head) + head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
options = ask(b"OPTIONS icap://a/reqmod ICAP/1.0\r\nHost: a\r\nConnection: close\r\n\r\n")
assert options.startswith(b"ICAP/1.0 200") and b"Methods: REQMOD" in options, options
blocked = ask(reqmod(eicar))
assert blocked.startswith(b"ICAP/1.0 200") and b"HTTP/1.1 403" in blocked and eicar not in blocked, blocked
clean = ask(reqmod(b"seven pens and a ruler"))
assert clean.startswith(b"ICAP/1.0 204"), clean
print("OPTIONS answered, EICAR blocked, a clean body passed")
