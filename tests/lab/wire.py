#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""wire.py NS DEVICE MS NS DEVICE MS: a link between two namespaces that takes time.

Makes a TAP device in each of the two and passes Ethernet frames between them, so many milliseconds after they came from
each side. Prints "ready" when both are there; runs until it is ended. (For kernels without sch_netem.)"""
import collections
import fcntl
import os
import select
import struct
import sys
import time

from netns import inside

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
FRAME_MAX = 2000


class End:
    """One end: where frames come from, and when each is to come out at the other one."""

    def __init__(self, namespace, device, ms):
        with inside(namespace):
            self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH", device.encode(), IFF_TAP | IFF_NO_PI))
        self.delay, self.waiting = float(ms) / 1000, collections.deque()

    def take(self):
        self.waiting.append((time.monotonic() + self.delay, os.read(self.fd, FRAME_MAX)))

    def pass_on(self, other):
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            try:
                os.write(other.fd, self.waiting.popleft()[1])
            except OSError:
                pass  # the device is down, or full: frames may get lost


one, two = End(*sys.argv[1:4]), End(*sys.argv[4:7])
print("ready", flush=True)
while True:
    due = [end.waiting[0][0] - time.monotonic() for end in (one, two) if end.waiting]
    readable, _, _ = select.select([one.fd, two.fd], [], [], max(min(due), 0) if due else None)
    for end in (one, two):
        if end.fd in readable:
            end.take()
    one.pass_on(two)
    two.pass_on(one)
