#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Nodes without their server: it dies and nobody notices; nodes crash, reboot and lose files meanwhile and find each other
# again by what they keep; it comes back, at the same address or at another one that DNS names.
#
#     signal 10.71.9.2, later moved .7.2, dns .8.2, nas .1.2, laptop .2.2, desk .3.2, one router
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root independence
trap lab_down EXIT
lab_up
for m in signal:9 moved:7 dns:8 nas:1 laptop:2 desk:3; do machine "${m%:*}" "${m#*:}"; done

# A DNS server that answers every A question with the address in a file, for ten seconds.
cat >"$WORK/dns/server.py" <<'PY'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 53))
while True:
    q, who = s.recvfrom(512)
    end = q.index(b"\0", 12) + 5
    address = socket.inet_aton(open(sys.argv[1]).read().strip())
    is_a = q[end - 4:end - 2] == b"\0\1"
    head = q[:2] + b"\x81\x80" + q[4:6] + (b"\0\1" if is_a else b"\0\0") + b"\0\0\0\0"
    answer = b"\xc0\x0c\0\1\0\1\0\0\0\x0a\0\4" + address if is_a else b""
    s.sendto(head + q[12:end] + answer, who)
PY
dns_says() { echo "$1" >"$WORK/dns/new" && mv "$WORK/dns/new" "$WORK/dns/address"; } # address
dns_says "${MACHINE_IP[signal]}"
on_bg dns dns.log python3 "$WORK/dns/server.py" "$WORK/dns/address"
for m in nas laptop desk; do echo "nameserver ${MACHINE_IP[dns]}" >"$WORK/$m/resolv.conf"; done
MACHINE_IP[signal]=signal.lab # what setup names it
must "the name server answers" wait_until 5 on nas dig +short +tries=1 +time=1 signal.lab

declare -A OVERLAY=([nas]=100.64.0.1 [laptop]=100.64.0.2 [desk]=100.64.0.3)
# Both ways, between this machine and all others.
all_reached() { # machine
	local other
	for other in nas laptop desk; do
		[ "$other" = "$1" ] || { pings "$1" "${OVERLAY[$other]}" && pings "$other" "${OVERLAY[$1]}"; } || return 1
	done
}
reached_everywhere() { all_reached nas && all_reached laptop; }
direct_to_all() { # machine
	status_holds "$1" homelab "len(c['peers']) == 2 and all(p['state'] == 'connected' and p['path'] == 'direct' for p in c['peers'])"
}
direct_everywhere() { direct_to_all nas && direct_to_all laptop && direct_to_all desk; }
kept() { [ -s "$WORK/$1/state/mlsh/homelab.peers" ]; } # machine
# The UDP port of its tunnel, as its file has it.
port_of() { python3 -c 'import sys; print(int.from_bytes(open(sys.argv[1], "rb").read()[37:39]))' "$WORK/$1/state/mlsh/homelab.peers"; } # machine
elapsed_ms() { echo $(((${EPOCHREALTIME/./} - ${1/./}) / 1000)); } # since

signal_start
must "a mesh of three, by the server's name" mesh_up homelab nas laptop desk
must "all tunnels are up and direct" wait_until 15 direct_everywhere
check "each has a file of its peers" wait_until 10 eval 'kept nas && kept laptop && kept desk'
check "which is root's only" sh -c "[ \"\$(stat -c %a '$WORK'/*/state/mlsh/homelab.peers | sort -u)\" = 600 ]"
declare -A PORT=()
for m in nas laptop desk; do
	PORT[$m]=$(port_of $m)
	check "$m: its UDP port is in it" listens $m ":${PORT[$m]}"
done

# --- the server dies: nobody notices ---
pinged() { # name of the output, packets
	grep -q "$2 packets transmitted, $2 received, 0% packet loss" "$WORK/laptop/$1"
}
on_bg laptop ping.out ping -n -i 0.02 -c 300 -W 2 100.64.0.1
pinging=$BG
wait_until 5 grep -q icmp_seq=50 "$WORK/laptop/ping.out"
stop "$SIGNAL_PID" KILL
wait "$pinging"
check "server killed: no packet of a running ping is lost" pinged ping.out 300

# --- nodes crash, without a server ---
for m in nas laptop desk; do
	stop "${DAEMON_PID[$m]}" KILL
	begin=$EPOCHREALTIME
	check "$m: the daemon is killed and starts again, no server" daemon_start $m
	check "it reaches the others within 5 s" wait_until 5 all_reached $m
	echo "# $(elapsed_ms "$begin") ms after its start"
	check "with the same UDP port" listens $m ":${PORT[$m]}"
	check "directly, as seen by all" wait_until 5 direct_everywhere
done
# --- the power fails everywhere ---
for m in nas laptop desk; do stop "${DAEMON_PID[$m]}" KILL; done
for m in nas laptop desk; do check "$m starts again" daemon_start $m; done
begin=$EPOCHREALTIME
check "all killed, no server: each reaches each within 5 s" wait_until 5 reached_everywhere
echo "# $(elapsed_ms "$begin") ms after the last one's start"
check "directly" wait_until 5 direct_everywhere
for m in nas laptop desk; do stop "${DAEMON_PID[$m]}"; done
for m in nas laptop desk; do check "$m starts after a clean end" daemon_start $m; done
check "all stopped, no server: each reaches each within 5 s" wait_until 5 reached_everywhere

# --- a port that is taken, a file that is damaged ---
stop "${DAEMON_PID[nas]}" KILL
on_bg nas socat.log socat -u "UDP-RECV:${PORT[nas]}" /dev/null
wait_until 5 listens nas ":${PORT[nas]}"
check "nas: its port is taken, it starts with another" daemon_start nas
check "says so" grep -q "instead of the one used before" "$WORK/nas/mlshtund.log"
check "and reaches the others all the same" wait_until 5 all_reached nas
stop "${DAEMON_PID[desk]}" KILL
head -c 40 "$WORK/desk/state/mlsh/homelab.peers" >"$WORK/desk/torn" && mv "$WORK/desk/torn" "$WORK/desk/state/mlsh/homelab.peers"
check "desk: its file is torn, it starts without" daemon_start desk
check "says so" grep -q "homelab.peers is damaged" "$WORK/desk/mlshtund.log"

# --- the server comes back ---
since_restart() { status_holds "$1" homelab "c['state'] == 'connected' and c['signal']['since_s'] < $((SECONDS - restarted + 2))"; }
on_bg laptop ping2.out ping -n -i 0.02 -c 500 -W 2 100.64.0.1
pinging=$BG
restarted=$SECONDS
signal_start
for m in nas laptop desk; do check "server back: $m has its session within 15 s" wait_until 15 since_restart $m; done
wait "$pinging"
check "no packet of a running ping is lost" pinged ping2.out 500
check "who had lost its file is reached again" wait_until 10 reached_everywhere
check "directly" wait_until 10 direct_everywhere
check "and has a file again" wait_until 10 kept desk

# --- it moves: the same database at another address, and DNS follows ---
on_bg laptop ping3.out ping -n -i 0.02 -c 1000 -W 2 100.64.0.1
pinging=$BG
stop "$SIGNAL_PID" KILL
on_bg moved signal.log env MLSH_SIGNAL_DB="$WORK/signal/signal.db" mlsh-signal
SIGNAL_PID=$BG
wait_until 10 listens moved :4433
dns_says "${MACHINE_IP[moved]}"
restarted=$SECONDS
for m in nas laptop desk; do check "server moved: $m finds it within 25 s" wait_until 25 since_restart $m; done
moved_to() { status_holds "$1" homelab "c['signal']['endpoint'] == '${MACHINE_IP[moved]}:4433'"; }
for m in nas laptop desk; do check "$m: at its new address" moved_to $m; done
wait "$pinging"
check "no packet of a running ping is lost" pinged ping3.out 1000
check "an invite by the name works there" eval 'invite_url nas homelab | grep -q signal.lab'

[ $LAB_FAILED = 0 ] || show_logs 25
exit $LAB_FAILED
