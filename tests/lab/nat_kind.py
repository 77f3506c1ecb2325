#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nat_kind.py NODE_NS SERVER_NS ADDRESS SECOND THIRD: what the NAT before a node does (RFC 4787).

Prints "mapping filtering": each "any" (endpoint-independent), "address" or "port"; and "remembers" if a datagram that
came unasked takes the port away from the mapping to where it came from, and from later ones. "none" when the server
sees the node's own address; "blocked" when only ADDRESS is reached."""
import socket
import sys

from netns import socket_in

node_ns, server_ns, first, second, third = sys.argv[1:]
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
one = server(first)
asked = {"port": server(first), "address": server(second)}  # by the node, unasked
strangers = {"address": server(third), "port": server(first)}  # these send to the node first


def seen_at(sock):
    """Where the node's datagram to this socket comes from."""
    node.sendto(b"!", sock.getsockname())
    return heard(sock)


def gets_through(sender):
    sender.sendto(b"?", mapped)
    return heard(node) is not None


mapped = seen_at(one)
assert mapped, "the server hears nothing"
assert gets_through(one), "no answer gets back"
# The mapping first, with sockets that have not sent anything: the NAT may remember those that have.
mapped_port, mapped_address = seen_at(asked["port"]), seen_at(asked["address"])
if mapped_address is None:
    print("blocked")
    sys.exit()
mapping = "port" if mapped_port != mapped else "address" if mapped_address != mapped else "any"
filtering = "any" if gets_through(strangers["address"]) else "address" if gets_through(strangers["port"]) else "port"
kind = f"{mapping} {filtering}"
another = seen_at(strangers["port"])
if mapping == "any" and another != mapped and seen_at(server(first)) == another:
    kind += " remembers"
print("none" if mapped[0] == local_addresses(socket_in(node_ns, socket.SOCK_DGRAM), (first, 9))[0] else kind)
