#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""stream.py COUNT NS ADDRESS NS ADDRESS: datagrams whose content is known, both ways over the overlay, one each 4 ms.
Prints how many came, how many of them came again, and how many came that nobody sent."""
import hashlib
import select
import socket
import struct
import sys
import time

from netns import socket_in

PORT = 7701
GAP_S = 0.004
count = int(sys.argv[1])


def content(way, n):
    return struct.pack("!BI", way, n) + hashlib.shake_256(b"%d %d" % (way, n)).digest(40 + n * 37 % 1000)


def sock_of(namespace):
    s = socket_in(namespace, socket.SOCK_DGRAM)
    s.bind(("", PORT))
    return s


socks = [sock_of(sys.argv[2]), sock_of(sys.argv[4])]
to = [(sys.argv[5], PORT), (sys.argv[3], PORT)]
sent = [{content(way, n) for n in range(count)} for way in range(2)]
seen = [set(), set()]
again = forged = n = 0
end = time.monotonic() + count * GAP_S + 1
due = time.monotonic()
while (now := time.monotonic()) < end:
    if n < count and now >= due:
        for way in range(2):
            socks[way].sendto(content(way, n), to[way])
        n, due = n + 1, due + GAP_S
    for s in select.select(socks, [], [], GAP_S / 2)[0]:
        data, way = s.recv(65535), 1 - socks.index(s)
        forged += data not in sent[way]
        again += data in seen[way]
        seen[way].add(data)
print(len(seen[0]) + len(seen[1]), again, forged)
