#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""removal.py [--bulk] NS ADDRESS NS ADDRESS [NS ADDRESS...] -- COMMAND...: what a removal lets through.

The node in the first namespace and each of the others send each other a datagram every 2 ms over the overlay. After
half a second COMMAND removes the first one. Prints four numbers, all in milliseconds: from COMMAND's return to the last
datagram of the removed node that any other took, and to the last one of any other that the removed node took (below 0:
it came before the return), then the same from COMMAND's start. The times are the kernel's, of each datagram when it left
the tunnel.

With --bulk a TCP connection in each of these directions also carries as much as the path takes. What it brought counts
like the datagrams, and a fifth number says how much that was before COMMAND began, in Mbit/s, all directions together."""
import contextlib
import os
import pickle
import select
import socket
import struct
import subprocess
import sys
import threading
import time

from netns import socket_in

PORT = 7702
GAP_S = 0.002
WARM_S = 0.5
WARM_BULK_S = 1.5
BULK_PORT = 7703
CHUNK = b"x" * (1 << 18)
WATCH_S = 3  # after the command's return
GIVE_UP_S = 60
SO_TIMESTAMPNS = 35


def time_in(control):
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, ns = struct.unpack("@qq", data[:16])
            return seconds + ns / 1e9
    return 0


class Side:
    def __init__(self, namespace, address):
        self.sock = socket_in(namespace, socket.SOCK_DGRAM)
        self.sock.bind(("", PORT))
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.address, self.last = address, {}

    def send(self, to):
        try:
            self.sock.sendto(b"x" * 100, (to.address, PORT))
        except OSError:
            pass  # no route any more

    def take(self):
        while True:
            try:
                _, control, _, sender = self.sock.recvmsg(200, 100)
            except BlockingIOError:
                return
            except OSError:
                continue
            self.last[sender[0]] = time_in(control)


class Stream:
    """One TCP connection over the overlay, which carries what it can."""

    def __init__(self, sender, receiver):
        self.sender, self.receiver, self.bytes, self.last = sender[1], receiver[1], 0, 0
        with socket_in(receiver[0], socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((receiver[1], BULK_PORT))
            listener.listen()
            self.out = socket_in(sender[0], socket.SOCK_STREAM)
            self.out.settimeout(10)
            self.out.connect((receiver[1], BULK_PORT))
            self.into, _ = listener.accept()
        self.into.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.out.setblocking(False)
        self.into.setblocking(False)

    def send(self):
        self.out.send(CHUNK)

    def take(self):
        data, control, _, _ = self.into.recvmsg(len(CHUNK), 100)
        self.bytes += len(data)
        self.last = max(self.last, time_in(control))


class Bulk:
    """Streams between the first place and each other, in a process of their own."""

    def __init__(self, places):
        first, *rest = places
        self.pipe, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            self.pipe.close()
            try:
                self.run([s for p in rest for s in (Stream(first, p), Stream(p, first))], theirs)
            finally:
                os._exit(0)
        theirs.close()

    @staticmethod
    def run(streams, pipe):
        actions = {s.out: s.send for s in streams} | {s.into: s.take for s in streams}
        began = time.monotonic()
        while True:
            asked, can_send, _ = select.select([pipe, *(s.into for s in streams)], [s.out for s in streams], [])
            for sock in (s for s in (*asked, *can_send) if s is not pipe):
                with contextlib.suppress(OSError):
                    actions[sock]()
            if pipe in asked and not pipe.recv(1):
                return
            if pipe in asked:
                pipe.sendall(pickle.dumps((time.monotonic() - began,
                                           [(s.sender, s.receiver, s.bytes, s.last) for s in streams])))

    def ask(self):
        self.pipe.sendall(b"?")
        return pickle.loads(self.pipe.recv(1 << 16))

    def end(self):
        self.pipe.close()
        os.waitpid(self.pid, 0)


def bulk_begin():
    bulk = Bulk([tuple(places[i:i + 2]) for i in range(0, len(places), 2)])
    begun = time.monotonic()
    run_until(lambda: begun + WARM_BULK_S)
    seconds, streams = bulk.ask()
    if any(count == 0 for _, _, count, _ in streams):
        sys.exit("a stream carries nothing")
    return bulk, sum(count for _, _, count, _ in streams) * 8 / seconds / 1e6


def bulk_end(bulk):
    by_address = {side.address: side for side in everybody}
    for sender, receiver, _, last in bulk.ask()[1]:
        side = by_address[receiver]
        side.last[sender] = max(side.last[sender], last)
    bulk.end()


with_bulk = sys.argv[1] == "--bulk"
split = sys.argv.index("--")
places, command = sys.argv[2 if with_bulk else 1:split], sys.argv[split + 1:]
gone, *others = [Side(*places[i:i + 2]) for i in range(0, len(places), 2)]
everybody = [gone, *others]
returned = [None, 1]


def remove():
    code = subprocess.run(command, stdout=sys.stderr, check=False).returncode
    returned[:] = [time.time(), code]


def run_until(end):
    due = time.monotonic()
    while (now := time.monotonic()) < end():
        if now >= due:
            for other in others:
                gone.send(other)
                other.send(gone)
            due = max(due + GAP_S, now - 10 * GAP_S)
        select.select([s.sock for s in everybody], [], [], GAP_S / 2)
        for side in everybody:
            side.take()


begun = time.monotonic()
run_until(lambda: begun + WARM_S)
if any(gone.address not in o.last or o.address not in gone.last for o in others):
    sys.exit("they do not reach each other")
bulk, rate = bulk_begin() if with_bulk else (None, 0)
thread = threading.Thread(target=remove)
started = time.time()
thread.start()
began = time.monotonic()
run_until(lambda: 0 if returned[0] else began + GIVE_UP_S)
thread.join()
if returned[1] != 0:
    sys.exit(f"the command ended with {returned[1]}")
after = time.monotonic()
run_until(lambda: after + WATCH_S)
if bulk:
    bulk_end(bulk)

last = [max(o.last[gone.address] for o in others), max(gone.last.values())]
print(*[f"{1000 * (t - since):.1f}" for since in (returned[0], started) for t in last], *([f"{rate:.0f}"] if bulk else []))
