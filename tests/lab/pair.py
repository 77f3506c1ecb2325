#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""pair.py CLUSTER DIRECT NS SOCKET ADDRESS NS SOCKET ADDRESS COMMAND...: how two nodes come together.

Each of the two sends the other a datagram every 5 ms over the overlay. COMMAND makes the second one connect. Prints

    milliseconds to the first datagram in both directions
    milliseconds until both say that their path is direct, or -
    the path of each in the end, as "direct" or "relay"
    how many of those sent after that first moment were lost, how many of all came twice

from the start of COMMAND on. DIRECT is the number of seconds that a direct path is waited for, after the first
datagrams; "-": none is expected, and the end is a second after the first ones."""
import select
import socket
import struct
import subprocess
import sys
import time

from netns import Daemon, socket_in

PORT = 7700
GAP_S = 0.005
LOOK_S = 0.02
GIVE_UP_S = 15
SETTLE_S = 0.3  # datagrams under way


class Side:
    def __init__(self, namespace, path, address):
        self.sock = socket_in(namespace, socket.SOCK_DGRAM)
        self.sock.bind(("", PORT))
        self.sock.setblocking(False)
        self.daemon, self.address = Daemon(path), address
        self.sent = self.sent_at_first = 0
        self.got, self.doubled, self.first_at = set(), 0, None

    def send(self, to):
        self.sent += 1
        try:
            self.sock.sendto(struct.pack("!Q", self.sent), (to.address, PORT))
        except OSError:
            pass  # no device, no route yet

    def take(self, now):
        while True:
            try:
                data = self.sock.recv(100)
            except BlockingIOError:
                return
            except OSError:
                continue
            n, = struct.unpack("!Q", data)
            self.doubled += n in self.got
            self.got.add(n)
            self.first_at = self.first_at or now

    def path(self, cluster, to):
        p = self.daemon.peer(cluster, to.address)
        return p["path"] if p and p["state"] == "connected" else "none"

    def lost_from(self, other):
        """What waited for the tunnel may have overflowed its queue: that is no loss."""
        return len(set(range(other.sent_at_first + 1, other.sent + 1)) - self.got)


cluster, patience = sys.argv[1], sys.argv[2]
a, b = Side(*sys.argv[3:6]), Side(*sys.argv[6:9])
begin = time.monotonic()
command = subprocess.Popen(sys.argv[9:], stdout=subprocess.DEVNULL)
next_send = next_look = begin
first = direct = None
sending = True
while True:
    now = time.monotonic()
    if sending and now >= next_send:
        a.send(b)
        b.send(a)
        next_send = max(next_send + GAP_S, now)
    select.select([a.sock, b.sock], [], [], max(0, next_send - now) if sending else GAP_S)
    now = time.monotonic()
    a.take(now)
    b.take(now)
    if first is None and a.first_at and b.first_at:
        first = max(a.first_at, b.first_at)
        a.sent_at_first, b.sent_at_first = a.sent, b.sent
    if sending and direct is None and now >= next_look:
        next_look = now + LOOK_S
        if a.path(cluster, b) == "direct" and b.path(cluster, a) == "direct":
            direct = time.monotonic()
    wait_s = 1 if patience == "-" else SETTLE_S if direct else float(patience)
    if sending and ((first and now - max(first, direct or 0) > wait_s) or now - begin > GIVE_UP_S):
        sending, end = False, now
    if not sending and now - end > SETTLE_S:
        break
command.wait()


def ms(t):
    return "-" if t is None else round((t - begin) * 1000)


losses = f"{a.lost_from(b) + b.lost_from(a)} {a.doubled + b.doubled}" if first else "- -"
print(ms(first), ms(direct), a.path(cluster, b), b.path(cluster, a), losses)
