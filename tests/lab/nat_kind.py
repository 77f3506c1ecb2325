#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nat_kind.py NODE_NS SERVER_NS ADDRESS OTHER_ADDRESS: what the NAT before a node does (RFC 4787).

Prints "mapping filtering": each "any" (endpoint-independent), "address" or "port"; "none" when the server sees the
node's own address; "blocked" when only ADDRESS is reached."""
import socket
import sys

from netns import socket_in

node_ns, server_ns, first, second = sys.argv[1:]
WAIT_S = 0.3


def heard(sock):
    """Where the next datagram came from, and who it says that it is for; None after a while."""
    try:
        return sock.recvfrom(100)[1]
    except TimeoutError:
        return None


def server(address):
    s = socket_in(server_ns, socket.SOCK_DGRAM)
    s.bind((address, 0))
    s.settimeout(WAIT_S)
    return s


def local_addresses(sock, to):
    sock.connect(to)
    return sock.getsockname()


node = socket_in(node_ns, socket.SOCK_DGRAM)
node.bind(("", 0))
node.settimeout(WAIT_S)
one, one_more, other = server(first), server(first), server(second)

node.sendto(b"1", one.getsockname())
mapped = heard(one)
assert mapped, "the server hears nothing"


def gets_through(sender):
    sender.sendto(b"?", mapped)
    return heard(node) is not None


assert gets_through(one), "no answer gets back"
# The filter first: what the mapping is asked with opens it.
filtering = "any" if gets_through(other) else "address" if gets_through(one_more) else "port"
node.sendto(b"2", one_more.getsockname())
mapped_port = heard(one_more)
node.sendto(b"3", other.getsockname())
mapped_address = heard(other)
if mapped_address is None:
    print("blocked")
    sys.exit()
mapping = "address" if mapped_address != mapped else "any"
if mapped_port != mapped:
    mapping = "port"
own = local_addresses(socket_in(node_ns, socket.SOCK_DGRAM), (first, 9))[0]
print("none" if mapped[0] == own else f"{mapping} {filtering}")
