#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""removal.py NS ADDRESS NS ADDRESS [NS ADDRESS...] -- COMMAND...: what a removal lets through.

The node in the first namespace and each of the others send each other a datagram every 2 ms over the overlay. After
half a second COMMAND removes the first one. Prints four numbers, all in milliseconds: from COMMAND's return to the last
datagram of the removed node that any other took, and to the last one of any other that the removed node took (below 0:
it came before the return), then the same from COMMAND's start. The times are the kernel's, of each datagram when it left
the tunnel."""
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
WATCH_S = 3  # after the command's return
GIVE_UP_S = 60
SO_TIMESTAMPNS = 35


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
            for level, kind, data in control:
                if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                    seconds, ns = struct.unpack("@qq", data[:16])
                    self.last[sender[0]] = seconds + ns / 1e9


split = sys.argv.index("--")
places, command = sys.argv[1:split], sys.argv[split + 1:]
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


last = [max(o.last[gone.address] for o in others), max(gone.last.values())]
print(*[f"{1000 * (t - since):.1f}" for since in (returned[0], started) for t in last])
