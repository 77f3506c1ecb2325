#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A machine that cannot send to the server: its kernel refuses, for one reason or another, or a router on the way says no.
# The commands say at once what it is and do not blame the server. And a server that comes up while adopt waits for it.
#
#     signal 10.71.9.2; nas .1.2, which has the cluster; laptop .2.2, which wants to join; one router
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root refused
trap lab_down EXIT
lab_up
for m in signal:9 nas:1 laptop:2; do machine "${m%:*}" "${m#*:}"; done
laptop() { ip -n "$LAB-laptop" "$@"; }
router() { ip netns exec "$LAB-router" "$@"; }
SERVER=${MACHINE_IP[signal]}

must "server" signal_start
must "cluster" mesh_up homelab nas
must "invite" eval 'invite_url nas homelab >"$WORK/url" && test -s "$WORK/url"'
adopt() { on laptop mlsh adopt - --name laptop <"$WORK/url"; }
setup() { on laptop mlsh setup another --signal-host "$SERVER" --token "ABCD-EFGH-JKMN@$(printf '0%.0s' {1..64})" --name laptop; }

# It ends with exit code 5, in much less than the ten seconds that it would wait for an answer.
at_once() { # pattern, command...
	local pattern=$1 begin=$SECONDS rc out
	shift
	out=$("$@" 2>&1)
	rc=$?
	echo "exit $rc after $((SECONDS - begin)) s: $out"
	[ $rc = 5 ] && [ $((SECONDS - begin)) -lt 5 ] && joined <<<"$out" | has -E -- "$pattern" &&
		! joined <<<"$out" | has "do firewalls let"
}
both_at_once() { at_once "$1" adopt && at_once "$1" setup; } # pattern

output_rule() { ip netns exec "$LAB-laptop" nft "add table inet f; add chain inet f o { type filter hook output priority 0; }; add rule inet f o udp dport 4433 $1"; }
no_rules() { ip netns exec "$LAB-laptop" nft flush ruleset; }

# The server's firewall drops what comes: nobody here can see that, and it is said what to open where.
server_rule() { ip netns exec "$LAB-signal" nft "$@"; }
must "the server's firewall" server_rule "add table inet f; add chain inet f i { type filter hook input priority 0; }; add rule inet f i udp dport 4433 drop"
setup >"$WORK/setup.out" 2>&1
check "no answer: the exit code" test $? = 5
for words in "UDP port 4433 open to everybody, in two firewalls: that of its provider" "sudo ufw allow 4433/udp" \
	"firewall-cmd --permanent --add-port=4433/udp" "nft add rule inet filter input udp dport 4433 accept" "sudo ss -ulpn sport = :4433"; do
	check "it says: $words" eval 'joined <"$WORK/setup.out" | has -F -- "$words"'
done
check "in 80 columns" eval 'fits <"$WORK/setup.out"'
server_rule flush ruleset
output_rule drop
check "its own firewall drops it" both_at_once "this machine cannot send .* firewall on this machine.*not permitted"
no_rules
output_rule reject
check "its own firewall rejects it" both_at_once "this machine cannot send .* firewall on this machine"
no_rules
laptop link set eth0 mtu 1200
check "its interface is too narrow" both_at_once "this machine cannot send .* 1200 bytes .*MTU"
laptop link set eth0 mtu 1500
laptop route add prohibit "$SERVER"
check "a prohibiting route" both_at_once "this machine cannot send .*prohibits"
laptop route del prohibit "$SERVER"
laptop route add blackhole "$SERVER"
check "a black hole" both_at_once "this machine cannot send .*discards"
laptop route del blackhole "$SERVER"
laptop route add unreachable "$SERVER"
check "an unreachable route" both_at_once "this machine cannot send .*no route"
laptop route del unreachable "$SERVER"
laptop route del default
check "no route" both_at_once "this machine cannot send .*no route to that IPv4 address"
laptop link set eth0 down
check "no network" both_at_once "this machine cannot send .*no route"
laptop link set eth0 up
laptop addr flush dev eth0
laptop -6 addr add fd71:2::2/64 dev eth0 nodad
laptop -6 route add default via fd71:2::1
check "IPv6 only, and the server has an IPv4 address" both_at_once "this machine cannot send .*IPv4"
laptop addr flush dev eth0
laptop addr add 10.71.2.2/24 dev eth0
laptop route add default via 10.71.2.1

# --- word from others: a hint, after all time is up ---
in_the_end() { # pattern, seconds at least, command...
	local pattern=$1 least=$2 begin=$SECONDS rc out
	shift 2
	out=$("$@" 2>&1)
	rc=$?
	echo "exit $rc after $((SECONDS - begin)) s: $out"
	[ $rc = 5 ] && [ $((SECONDS - begin)) -ge "$least" ] && joined <<<"$out" | has -E -- "$pattern"
}
router nft 'add table ip f; add chain ip f f { type filter hook forward priority 0; }; add rule ip f f ip saddr 10.71.2.2 udp dport 4433 reject with icmp type admin-prohibited'
check "a router that rejects it is named" in_the_end "no answer .*10\.71\.2\.1 says: " 9 adopt
router nft flush ruleset

# --- names ---
printf 'nameserver 127.0.0.1\n' >"$WORK/laptop/resolv.conf"
dns_says() { # pattern
	local out rc
	out=$(on laptop mlsh setup another --signal-host signal.example --token "ABCD-EFGH-JKMN@$(printf '0%.0s' {1..64})" --name laptop 2>&1)
	rc=$?
	echo "exit $rc: $out"
	[ $rc = 5 ] && joined <<<"$out" | has -E -- "$1"
}
check "nobody answers at the name server's address" dns_says "signal.example: no name server could be asked"
printf 'nameserver 10.71.1.99\n' >"$WORK/laptop/resolv.conf"
check "the name server is silent" dns_says "signal.example: no name server (answered|could be asked)"
printf '# no resolver\n' >"$WORK/laptop/resolv.conf"

# --- the daemon: its session, connect, status and netcheck ---
stop "$SIGNAL_PID"
late() { # comes up 7.5 s after adopt has begun
	(sleep 7.5; exec 3>&-; on_exec signal env MLSH_SIGNAL_DB="$WORK/signal/signal.db" mlsh-signal) >>"$WORK/signal/signal.log" 2>&1 </dev/null &
	LAB_PIDS+=("$!")
	adopt
}
check "a server that comes up after 7.5 s is found" late
must "laptop connects" node_up laptop homelab
output_rule drop
session_err() { on laptop mlsh status homelab 2>&1 | joined | has -E "cannot send .*firewall on this machine"; }
check "status says that this machine's firewall drops it" wait_until 20 session_err
netcheck_says() { on laptop mlsh netcheck homelab >"$WORK/nc" 2>&1; cat "$WORK/nc"; joined <"$WORK/nc" | has "This machine itself does not let out"; }
check "so does netcheck" netcheck_says
connect_says() {
	on laptop mlsh disconnect homelab >/dev/null
	on laptop mlsh connect homelab --wait 3 >"$WORK/co" 2>&1
	cat "$WORK/co"
	joined <"$WORK/co" | has -E "cannot send .*firewall on this machine"
}
check "and connect" connect_says
no_rules
check "and it connects again without the rule" wait_until 15 connected laptop homelab

[ $LAB_FAILED = 0 ] || show_logs 30
exit $LAB_FAILED
