#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tamper.py PORT SERVER SERVER_PORT: a UDP proxy before a signal server that does what it likes with relay frames
(docs/protocol/06-paths.md) in both directions: sends them altered in place of the true ones, cut, longer, once more, late.
Everything else passes. On SIGUSR1 it becomes honest. Prints what it did when it ends."""
import os
import random
import select
import signal
import socket
import sys

port, server, server_port = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
seed = int(os.environ.get("MLSH_TEST_SEED", random.randrange(1 << 32)))
rng = random.Random(seed)
OVERHEAD, MACED = 17, 24  # in front of the packet; of the packet, that the frame's MAC covers
inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
inside.bind(("", port))
outside = {}  # the socket towards the server of each node
old, did, honest = [], {}, False


def be_honest(*_):
    global honest
    honest = True


def stop(*_):
    sys.exit()


def flip(data, begin):
    at = rng.randrange(begin, len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1:]


def altered(data):
    """The frames to send in place of this one, and the name of what was done."""
    kind = rng.randrange(10)
    old.append(data)
    del old[:-2000]
    if kind == 0 and len(data) > OVERHEAD + MACED:
        return [flip(data, OVERHEAD + MACED)], "flipped beyond the frame's MAC"
    if kind == 1:
        return [flip(data, 1), data], "flipped anywhere"
    if kind == 2:
        return [data[:rng.randrange(OVERHEAD, len(data))], data], "cut"
    if kind == 3:
        return [data + rng.randbytes(20), data], "longer"
    if kind == 4:
        return [data] * 3, "three times"
    if kind == 5:
        return [data, rng.choice(old)], "an old one again"
    if kind == 6 and len(old) > 1:
        other = rng.choice(old)
        return [data[:OVERHEAD] + other[OVERHEAD:], data], "another packet in the frame"
    return [data], "as it was"


def pass_on(data, send):
    frames, what = [data], "not a relay frame"
    if data[:1] == b"\x10" and len(data) > OVERHEAD and not honest:
        frames, what = altered(data)
    did[what] = did.get(what, 0) + 1
    for frame in frames:
        send(frame)


signal.signal(signal.SIGUSR1, be_honest)
signal.signal(signal.SIGTERM, stop)
print(f"MLSH_TEST_SEED={seed}", flush=True)
try:
    while True:
        ready = select.select([inside] + list(outside.values()), [], [])[0]
        for sock in ready:
            if sock is inside:
                data, node = inside.recvfrom(65535)
                if node not in outside:
                    outside[node] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    outside[node].connect((server, server_port))
                pass_on(data, outside[node].send)
            else:
                node = next(n for n, s in outside.items() if s is sock)
                pass_on(sock.recv(65535), lambda frame: inside.sendto(frame, node))
finally:
    for what, n in sorted(did.items()):
        print(f"{n} {what}")
