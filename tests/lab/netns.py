# SPDX-License-Identifier: MIT
"""Sockets in network namespaces, and the daemon's status, for one process that looks at several machines."""
import contextlib
import ctypes
import json
import os
import re
import socket

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


def _enter(fd):
    if _libc.setns(fd, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(namespace):
    """What is opened inside stays in that namespace."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        _enter(there)
        yield
    finally:
        _enter(home)
        os.close(home)
        os.close(there)


def socket_in(namespace, kind, family=socket.AF_INET, proto=0):
    with inside(namespace):
        return socket.socket(family, kind, proto)


def _control_version():
    header = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../src/proto/control.h")
    with open(header, encoding="utf-8") as f:
        return int(re.search(r"^#define CONTROL_VERSION (\d+)$", f.read(), re.M).group(1))


class Daemon:
    """The local socket of an mlshtund (docs/protocol/05-local.md)."""

    def __init__(self, path):
        self.path = path
        self.version = _control_version()

    def ask(self, verb, cluster=""):
        name = cluster.encode()
        assert len(name) < 24 and verb < 24 and self.version < 24
        request = bytes([0x8C, self.version, verb, 0x60 + len(name)]) + name + b"\x50" + bytes(16) + b"\x00\xf4\x60\x00\x00\xf4\x80\x40"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.settimeout(5)
            s.connect(self.path)
            s.send(request)
            reply, last = b"", False
            while not last:
                piece = s.recv(40000)
                assert piece, "the daemon has hung up"
                last, reply = piece[0] == 1, reply + piece[1:]
        return json.loads(reply)

    def peer(self, cluster, address):
        """The peer's part of the status, or None."""
        try:
            status = self.ask(3)
        except OSError:
            return None
        for c in status["clusters"]:
            for p in c.get("peers", []) if c["name"] == cluster else []:
                if p["address"] == address:
                    return p
        return None
