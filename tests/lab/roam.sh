#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A stream of a thousand packets a second each way while the network changes under it: the relay, a direct path, another
# uplink, another address, a NAT that forgets, a machine that sleeps, a server that is restarted. What is lost, and how long
# nothing came.
#
#     nas 10.71.1.2 ------------------- router --- signal 10.71.9.2
#     laptop 10.71.2.2, behind a NAT ---'  |
#            10.71.3.2, a second uplink ---'
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh
COUNTER=$PWD/build/release/lab/counter

lab_need_root roam
trap lab_down EXIT
lab_up
for m in signal:9 nas:1 laptop:2; do machine "${m%:*}" "${m#*:}"; done
router() { ip netns exec "$LAB-router" "$@"; }
router nft -f - <<'NFT'
table ip nat {
	chain out {
		type nat hook postrouting priority 100;
		ip saddr 10.71.2.0/24 masquerade fully-random
	}
}
table ip walls {
	chain forward {
		type filter hook forward priority 0;
		jump between
		oifname "to-laptop" ct state new drop
	}
	chain between { }
}
NFT
block() {
	router nft add rule ip walls between ip saddr 10.71.1.2 ip daddr != 10.71.9.2 drop
	router nft add rule ip walls between ip daddr 10.71.1.2 ip saddr != 10.71.9.2 drop
}
unblock() { router nft flush chain ip walls between; }

# One way: the report goes to REPORT.
receive() { on_bg "$1" "$2" "$COUNTER" receive 7000; } # machine, log
report() { sed -n 's/.*\(lost.*\)/\1/p' "$WORK/$1/counter.log"; }
number() { report "$1" | grep -oE "$2 [0-9]+" | grep -oE '[0-9]+'; } # machine, "lost" or "gap"

# stream NAME SECONDS EVENT: both ways, the event under way and so many seconds more; LOST and GAP are the worse of both.
stream() {
	local name=$1 seconds=$2 a b s t
	shift 2
	receive nas counter.log
	a=$BG
	receive laptop counter.log
	b=$BG
	wait_until 5 listens nas :7000 && wait_until 5 listens laptop :7000
	on_bg nas send.log "$COUNTER" send 100.64.0.2 7000
	s=$BG
	on_bg laptop send.log "$COUNTER" send 100.64.0.1 7000
	t=$BG
	wait_until 5 grep -q begun "$WORK/nas/counter.log"
	wait_until 5 grep -q begun "$WORK/laptop/counter.log"
	"$@"
	pause "$seconds"
	kill -USR1 "$s" "$t"
	wait "$a" "$b"
	kill "$s" "$t"
	{ wait "$s" "$t"; } 2>/dev/null
	printf '# %-42s to nas: %s; to laptop: %s\n' "$name" "$(report nas)" "$(report laptop)"
	LOST=$(($(number nas lost) > $(number laptop lost) ? $(number nas lost) : $(number laptop lost)))
	GAP=$(($(number nas gap) > $(number laptop gap) ? $(number nas gap) : $(number laptop gap)))
}
# The nas has heard nothing of the laptop for that long.
silent_for() { status_holds nas homelab "c['peers'][0]['last_heard_s'] >= $1"; } # seconds
path_is() { status_holds nas homelab "c['peers'][0]['path'] == '$1'"; }

block
must "the counter is built" test -x "$COUNTER"
must "server" signal_start
must "two nodes" mesh_up homelab nas laptop
check "the relay carries them" wait_until 5 path_is relay

# --- upgrades: nothing is lost ---
to_direct() { unblock; wait_until 30 path_is direct; }
stream "relay to direct" 1 to_direct
check "relay to direct: nothing lost" test "$LOST" = 0
check "it is direct" path_is direct

# --- the direct path dies ---
stream "direct path dies, to the relay" 1.5 block
check "back within a second" test "$GAP" -lt 1000
check "by the relay" path_is relay
stream "relay to direct again" 1 to_direct
check "relay to direct again: nothing lost" test "$LOST" = 0

# --- the NAT forgets everything, and gives other ports ---
flush() {
	router python3 -c 'import socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)  # NETLINK_NETFILTER
s.send(struct.pack("=IHHIIBBH", 20, 1 << 8 | 2, 5, 1, 0, 2, 0, 0))  # CTNETLINK, CT_DELETE: all of it
assert struct.unpack("=i", s.recv(100)[16:20])[0] == 0'
}
stream "the router is rebooted: mappings gone" 1.5 flush
check "back within five seconds" test "$GAP" -lt 5000
check "the tunnel is the same" wait_until 5 peer_up nas homelab laptop

# --- another address ---
new_address() {
	ip -n "$LAB-laptop" addr add 10.71.2.77/24 dev eth0
	ip -n "$LAB-laptop" addr del 10.71.2.2/24 dev eth0
	ip -n "$LAB-laptop" addr add 10.71.2.77/24 dev eth0 2>/dev/null
	ip -n "$LAB-laptop" route replace default via 10.71.2.1
}
stream "laptop gets another address" 1.5 new_address
check "back within five seconds" test "$GAP" -lt 5000

# --- two uplinks, of which one is lost ---
ip link add eth1 netns "$LAB-laptop" type veth peer name to-laptop2 netns "$LAB-router"
ip -n "$LAB-router" addr add 10.71.3.1/24 dev to-laptop2
ip -n "$LAB-router" link set to-laptop2 up
ip -n "$LAB-laptop" addr add 10.71.3.2/24 dev eth1
ip -n "$LAB-laptop" link set eth1 up
ip -n "$LAB-laptop" route add default via 10.71.3.1 metric 100
set_kernel "$LAB-router" net.ipv4.conf.all.rp_filter=0
stream "a second uplink is there" 2 true
check "that disturbs nothing" test "$LOST" = 0
lose_eth0() { ip -n "$LAB-laptop" link set eth0 down; }
stream "one of two uplinks is lost" 1.5 lose_eth0
check "back within a second" test "$GAP" -lt 1000
eth0_back() {
	ip -n "$LAB-laptop" link set eth0 up
	ip -n "$LAB-laptop" route add default via 10.71.2.1
}
stream "it comes back" 3 eth0_back
# Where the first ARP request finds no carrier yet, the kernel asks again after a second.
check "back within three seconds" test "$GAP" -lt 3000

# --- all uplinks are lost for three seconds ---
all_down() {
	local begin=${EPOCHREALTIME/./}
	ip -n "$LAB-laptop" link set eth0 down
	ip -n "$LAB-laptop" link set eth1 down
	wait_until 10 silent_for 3
	SILENT=$?
	ip -n "$LAB-laptop" link set eth1 up
	ip -n "$LAB-laptop" route add default via 10.71.3.1
	DOWN_MS=$(((${EPOCHREALTIME/./} - begin) / 1000))
}
stream "no uplink for 3 s" 1.5 all_down
check "the other side heard nothing for so long" test "$SILENT" = 0
check "back within five seconds" test "$GAP" -lt $((DOWN_MS + 5000))

# --- behind the NAT again; it forgets while nothing is sent: sooner than most, and sooner than anything keeps it alive ---
ip -n "$LAB-laptop" link set eth1 down
eth0_back
behind_nat() { status_holds nas homelab "c['peers'][0]['path'] == 'direct' and not c['peers'][0]['endpoint'].startswith('10.71.3.')"; }
check "behind the NAT again" wait_until 30 behind_nat
set_kernel "$LAB-router" net.netfilter.nf_conntrack_udp_timeout=2 net.netfilter.nf_conntrack_udp_timeout_stream=2
forgets() { # a socket that is silent for 3 s comes from another port
	PYTHONPATH=tests/lab python3 -c 'import socket, sys, time
from netns import socket_in
nas, laptop = (socket_in(ns, socket.SOCK_DGRAM) for ns in sys.argv[1:])
nas.bind(("10.71.1.2", 0))
nas.settimeout(2)
def port():
    laptop.sendto(b"?", nas.getsockname())
    return nas.recvfrom(10)[1][1]
before = port()
time.sleep(3)  # what the NAT is to do in that time is the question
sys.exit(port() == before)' "$LAB-nas" "$LAB-laptop"
}
check "it forgets within three seconds" forgets
pause 6 # idle: that is what happens here
begin=${EPOCHREALTIME/./}
check "after six idle seconds packets pass within five" wait_until 5 pings nas 100.64.0.2
printf '# %-42s %s ms until a ping of nas is answered\n' "the NAT has forgotten the mapping" $(((${EPOCHREALTIME/./} - begin) / 1000))

# --- and then a machine that sleeps: its daemon stands still, what came meanwhile is late or lost ---
daemon_of_laptop=$(lab_pid laptop mlshtund)
nap() {
	local begin=${EPOCHREALTIME/./}
	kill -STOP "$daemon_of_laptop"
	wait_until 6 not_up # the other side says so
	NOTICED=$?
	wait_until 10 silent_for 5 # some more of the same
	SILENT=$?
	kill -CONT "$daemon_of_laptop"
	NAP_MS=$(((${EPOCHREALTIME/./} - begin) / 1000))
}
not_up() { ! peer_up nas homelab laptop; }
stream "laptop sleeps" 1.5 nap
check "the other side does not show it as connected" test "$NOTICED" = 0
check "and hears nothing of it" test "$SILENT" = 0
check "back within five seconds of waking" test "$GAP" -lt $((NAP_MS + 5000))
check "packets pass" wait_until 5 pings nas 100.64.0.2

# --- the server is restarted ---
set_kernel "$LAB-router" net.netfilter.nf_conntrack_udp_timeout=30 net.netfilter.nf_conntrack_udp_timeout_stream=120
wait_until 20 path_is direct
restart() {
	stop "$SIGNAL_PID" KILL
	signal_start
}
stream "the server is killed and started" 2 restart
check "nothing is lost" test "$LOST" = 0
exit $LAB_FAILED
