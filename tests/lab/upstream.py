# SPDX-License-Identifier: MIT
"""upstream.py ADDRESS: a DNS server for tests. Every name has the address 192.0.2.80, for this
moment; each name that is asked for is printed."""
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 53))
while True:
    q, who = s.recvfrom(2048)
    name, at = [], 12
    while q[at]:
        name.append(q[at + 1:at + 1 + q[at]].decode("latin1"))
        at += 1 + q[at]
    print(".".join(name), flush=True)
    a = q[at + 1:at + 3] == b"\0\1"
    s.sendto(q[:2] + b"\x81\x80\0\1" + (b"\0\1" if a else b"\0\0") + b"\0\0\0\0" + q[12:at + 5] +
             (b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\xc0\0\2\x50" if a else b""), who)
