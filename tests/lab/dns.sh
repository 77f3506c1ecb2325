#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Port 53 beside other resolvers: one that is there first, one that comes later, with and without leave to share. DNS
# over TCP, from this host and through the tunnel.
#
#     signal 10.71.9.2, nas .1.2, laptop .2.2, one router
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root dns
trap lab_down EXIT
lab_up
for m in signal:9 nas:1 laptop:2; do machine "${m%:*}" "${m#*:}"; done
must "server" signal_start
must "two nodes" mesh_up homelab nas laptop
must "their tunnel" wait_until 10 pings laptop 100.64.0.1

# resolver.py HOW: has port 53 at all addresses, UDP and TCP, and says NOTIMP; "reuse" as dnsmasq opens it, "port" by
# SO_REUSEPORT, "alone" with neither.
cat >"$WORK/resolver.py" <<'PY'
import select, socket, sys
def opened(kind):
    s = socket.socket(socket.AF_INET, kind)
    if sys.argv[1] == "reuse" or kind == socket.SOCK_STREAM: s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sys.argv[1] == "port": s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind(("0.0.0.0", 53))
    return s
udp, tcp = opened(socket.SOCK_DGRAM), opened(socket.SOCK_STREAM)
tcp.listen()
print("ready", flush=True)
no = lambda q: q[:2] + b"\x80\x04" + q[4:6] + bytes(6) + q[12:]
while True:
    for s in select.select([udp, tcp], [], [])[0]:
        if s is udp:
            q, a = udp.recvfrom(2000)
            udp.sendto(no(q), a)
        else:
            c, a = tcp.accept()
            q = c.recv(2000)
            c.sendall(q[:2] + no(q[2:]))
            c.close()
PY
dig_at() { # machine, address, arguments...
	local name=$1 address=$2
	shift 2
	ip netns exec "$LAB-$name" dig +tries=1 +time=2 "@$address" "$@"
}
ours() { # machine that asks, arguments...: the answer of laptop's server
	[ "$(dig_at "$1" 100.64.0.2 +short nas.homelab "${@:2}")" = 100.64.0.1 ]
}
theirs() { dig_at laptop 127.0.0.1 nas.homelab "$@" | has NOTIMP; }
both() { ours laptop && ours laptop +tcp && ours nas && ours nas +tcp && theirs && theirs +tcp; }
server_is() { status_holds laptop homelab "c['dns']['server'] == '$1'"; }
resolver() { # how
	on_bg laptop resolver.log python3 -u "$WORK/resolver.py" "$1"
	RESOLVER=$BG
	wait_until 5 grep -q ready "$WORK/laptop/resolver.log"
}
reconnect() { on laptop mlsh disconnect homelab >/dev/null; on laptop mlsh connect homelab >/dev/null && wait_until 10 pings laptop 100.64.0.1; }

check "the zone is answered by UDP and TCP, here and through the tunnel" eval \
	'ours laptop && ours laptop +tcp && ours nas && ours nas +tcp'
check "status says so" server_is on
for how in reuse port alone; do
	check "mlsh first: another resolver ($how) starts all the same" resolver $how
	check "mlsh first: both answer ($how)" both
	check "another resolver ($how) first: mlsh connects" reconnect
	check "another resolver ($how) first: both answer" both
	stop "$RESOLVER"
	check "it has gone: ours goes on ($how)" eval 'ours laptop && ours nas +tcp'
done
check "many questions in a row on one connection" test "$(for _ in $(seq 30); do echo "nas.homelab A"; done |
	dig_at laptop 100.64.0.2 +tcp +keepopen +short -f - | grep -c '^100.64.0.1$')" = 30
check "SOA is answered" eval 'dig_at laptop 100.64.0.2 homelab SOA | has -E "ANSWER: 1,"'
check "a name that does not exist comes with the SOA" eval 'dig_at laptop 100.64.0.2 +tcp no.homelab | has -E "NXDOMAIN" &&
	dig_at laptop 100.64.0.2 +tcp no.homelab | has -E "AUTHORITY: 1,"'

# A firewall of others sees port 53, and connection tracking the same ports both ways: nothing is invalid.
ip netns exec "$LAB-laptop" nft -f - <<'N'
table inet strict {
	chain in {
		type filter hook input priority 0; policy drop;
		ct state invalid counter drop
		ct state established,related accept
		meta l4proto { udp, tcp } th dport 53 counter accept
		meta l4proto icmp accept
		udp sport 4433 accept
		ip saddr 10.71.0.0/16 udp dport != 53 accept
	}
	chain out { type filter hook output priority 0; ct state invalid counter drop; }
}
N
check "behind a strict firewall too" eval 'ours laptop && ours laptop +tcp && ours nas && ours nas +tcp'
check "which saw nothing invalid" eval '! ip netns exec "$LAB-laptop" nft list table inet strict | has -E "invalid counter packets [1-9]"'
[ "$LAB_FAILED" = 0 ] || show_logs
exit $LAB_FAILED
