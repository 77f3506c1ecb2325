#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What people are told of the ways: mlsh ping, why, netcheck and status, by the real programs and by a user who is not
# root, where the truth is known.
#
#     signal 10.71.9.2; nas .1.2 and laptop .2.2 behind NATs that take a random port for each destination (outside
#     203.0.113.1 and .2); desk .3.2 without; one router
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root see
trap lab_down EXIT
lab_up
for m in signal:9 nas:1 laptop:2 desk:3; do machine "${m%:*}" "${m#*:}"; done
router() { ip netns exec "$LAB-router" "$@"; }

# The router is each one's NAT, and lets the two networks behind NATs not talk to each other.
hard_nats() {
	ip -n "$LAB-router" addr add 203.0.113.1/32 dev lo && ip -n "$LAB-router" addr add 203.0.113.2/32 dev lo &&
		router nft -f - <<-'END'
			table ip hard {
				chain out {
					type nat hook postrouting priority 100;
					ip saddr 10.71.1.2 oifname "to-signal" udp sport 1-65535 snat to 203.0.113.1:1024-65535 fully-random
					ip saddr 10.71.2.2 oifname "to-signal" udp sport 1-65535 snat to 203.0.113.2:1024-65535 fully-random
				}
				chain local {
					type filter hook input priority 0;
					meta l4proto udp drop
				}
				chain between {
					type filter hook forward priority 0;
					iifname "to-nas" oifname "to-laptop" drop
					iifname "to-laptop" oifname "to-nas" drop
				}
			}
		END
}
must "two hard NATs" hard_nats
ip -n "$LAB-signal" route add 203.0.113.0/24 via 10.71.9.1

# A user of the group mlsh on the nas; the others are root.
echo 'mlsh:x:2000:ann' >>"$WORK/nas/group"
echo 'ann:x:1501:1501::/nonexistent:/bin/sh' >>"$WORK/nas/passwd"
mkdir -p "$WORK/nas/ann" && chown 1501:1501 "$WORK/nas/ann"
ann() { on nas setpriv --reuid 1501 --regid 1501 --groups 2000 env HOME="$WORK/nas/ann" "$@"; }

must "server" signal_start
must "a cluster of the user's own" eval 'daemon_start nas && ann mlsh setup homelab --signal-host "${MACHINE_IP[signal]}" \
	--token "$(new_token)" --name nas && ann mlsh connect homelab'
for m in laptop desk; do
	must "$m joins" eval 'ann mlsh invite homelab --no-qr | grep -oE "mlsh://[^ '"'"']+" | head -n 1 |
		on $m mlsh adopt - --name $m && node_up $m homelab'
done
path_of() { ann mlsh status homelab --json | json_holds "[p['path'] for p in d['clusters'][0]['peers'] if p['name'] == '$1'] == ['$2']"; }
must "desk is reached directly" wait_until 15 path_of desk direct
must "laptop over the relay" wait_until 15 path_of laptop relay
json() { tests/lab/json_documented "$1"; } # kind; JSON on standard input

# --- netcheck ---
netcheck_says() { ann mlsh netcheck homelab --json | json_holds "$1"; }
check "netcheck finds that this NAT maps by destination" wait_until 10 netcheck_says \
	"d['nat']['mapping'] == 'dependent' and d['nat']['filtering'] == 'port'"
check "and where the server sees this machine" netcheck_says "d['observed'].startswith('203.0.113.1:')"
check "and that the server answers" netcheck_says "d['server']['reachable'] and d['server']['rtt_ms'] < 1000"
check "and lists the addresses" netcheck_says \
	"{'lan', 'observed'} <= {c['kind'] for c in d['candidates']} and d['ip4'] and not d['ip6']"
check "a machine without NAT is told apart" eval 'on desk mlsh netcheck --json |
	json_holds "d[\"nat\"][\"mapping\"] == \"none\" and d[\"nat\"][\"filtering\"] == \"open\""'
check "its JSON is as documented" eval 'ann mlsh netcheck --json | json netcheck'
check "in words" eval 'ann mlsh netcheck | has "another port for each destination" && ann mlsh netcheck | has "reached over UDP"'
for c in "netcheck garage" "status garage" "ping desk.garage" "why desk.garage"; do
	check_fails "$c: a cluster that is not there" 1 "there is no cluster garage here; there is homelab$" eval "ann mlsh $c"
done
check_fails "another user sees nothing" 1 "no cluster|not connected" on nas setpriv --reuid 1600 --regid 1600 --clear-groups \
	env HOME=/nonexistent mlsh netcheck

# --- why ---
why_says() { ann mlsh why "$1" --json | json_holds "$2"; } # node, expression
check "why: two hard NATs do not meet" wait_until 15 why_says laptop "d['reason'] == 'hard-nats'"
check "what each does" why_says laptop "d['nat'] == d['peer_nat'] == {'mapping': 'dependent', 'filtering': 'port'}"
check "which addresses were tried, without answer" why_says laptop \
	"[p for p in d['paths'] if p['endpoint'].startswith('10.71.2.2:') and p['pings'] > 3 and p['pongs'] == 0]"
check "and the one of its NAT" why_says laptop "[p for p in d['paths'] if p['endpoint'].startswith('203.0.113.2:')]"
check "the same from the other side" eval 'on laptop mlsh why nas.homelab --json | json_holds "d[\"reason\"] == \"hard-nats\""'
check "why: a direct path in the LAN" why_says desk "d['reason'] == 'direct-lan' and d['path'] == 'direct'"
check "its JSON is as documented" eval 'ann mlsh why laptop --json | json why && ann mlsh why desk --json | json why'
check "in words" eval 'ann mlsh why laptop | has "No direct path to laptop is possible" && ann mlsh why laptop | has "UPnP"'
check "in lines of 80 columns" eval 'ann mlsh why laptop | fits && ann mlsh status | fits && ann mlsh netcheck | fits'
check_fails "a misspelled node" 1 "another node lpatop: did you mean laptop" ann mlsh why lpatop
check_fails "an invalid address" 1 "not an IPv4 address" ann mlsh why 300.1.1.1
check "by its overlay address" eval 'ann mlsh why 100.64.0.2 | has laptop.homelab'
for name in Desk desk. DESK.Homelab desk.homelab. Desk.HomeLab.; do
	check "by the name $name, as DNS would take it" eval "ann mlsh why $name | has 'desk.homelab (100.64.0.3)' &&
		ann mlsh ping $name -c 1 | has '^desk.homelab answers'"
done
for name in . desk.. .homelab desk..homelab "desk.homelab.$(printf 'x%.0s' {1..200})"; do
	check_fails "but not by ${name:0:20}" 1 "cannot be used|too long" ann mlsh why "$name"
done
check_fails "an unknown node" 1 "no connected cluster has another node nobody" ann mlsh why nobody
check_fails "an unknown node of a cluster" 1 "no node nobody in cluster homelab" ann mlsh why nobody.homelab
check_fails "no node at all" 2 "one node" ann mlsh why

# --- status ---
check "status points to why" eval 'ann mlsh status | joined | has "over the relay; .mlsh why laptop.homelab. says why"'
check "its JSON is as documented" eval 'ann mlsh status --json | json status'

# --- ping ---
check "ping: direct" eval 'ann mlsh ping desk -c 3 -i 0.2 >"$WORK/ping.out" &&
	[ "$(grep -cE "^desk.homelab answers by direct 10.71.3.2:[0-9]+ in [0-9.]+ ms$" "$WORK/ping.out")" = 3 ]'
check "ping: over the relay, by its server" eval 'ann mlsh ping laptop.homelab -c 2 -i 0.2 |
	has -E "^laptop.homelab answers by relay 10.71.9.2:4433 in [0-9.]+ ms$"'
check "its JSON is as documented" eval 'ann mlsh ping laptop -c 2 -i 0.2 --json | tee "$WORK/ping.json" | json ping &&
	tail -n 1 "$WORK/ping.json" | json_holds "d[\"event\"] == \"end\" and d[\"answered\"] == d[\"sent\"] == 2 and
		d[\"lost_percent\"] == 0 and 0 < d[\"rtt_min_ms\"] <= d[\"rtt_avg_ms\"] <= d[\"rtt_max_ms\"] and d[\"path\"] == \"relay\""'
check "ping: sums up" eval 'tail -n 2 "$WORK/ping.out" | joined |
	has -E "^desk.homelab: 3 sent, 3 answered, 0% lost round trip min/avg/max [0-9.]+/[0-9.]+/[0-9.]+ ms$"'
twice_in() { [ "$(grep -c "$2" "$1")" -ge 2 ]; } # file, what
# Ended by a signal after the second answer: like the last one of so many.
interrupted() { # file, what an answer looks like, signal, extra arguments
	# shellcheck disable=SC2034 # the eval below uses it
	local file=$WORK/nas/$1 answer=$2 signal=$3
	shift 3
	ann mlsh ping desk -c 1000 -i 0.2 "$@" >"$file" 2>&1 &
	LAB_PIDS+=("$!")
	wait_until 10 twice_in "$file" "$answer" && stop "$(lab_pid nas mlsh)" "$signal"
	wait $!
}
check "ping: Ctrl-C ends it well" interrupted ctrl-c.out "answers by" INT
check "and it sums up" eval 'tail -n 2 "$WORK/nas/ctrl-c.out" | joined |
	has -E "^desk.homelab: [2-9] sent, [2-9] answered, 0% lost round trip min/avg/max [0-9.]+/[0-9.]+/[0-9.]+ ms$"'
check "SIGTERM too, as JSON" interrupted ctrl-c.json "\"answer\"" TERM --json
check "with a last line as documented" eval 'json ping <"$WORK/nas/ctrl-c.json" &&
	tail -n 1 "$WORK/nas/ctrl-c.json" | json_holds "d[\"answered\"] == d[\"sent\"] >= 2 and d[\"rtt_max_ms\"] > 0"'
check_fails "until direct: not to be had" 1 "why laptop" ann mlsh ping laptop --until-direct -c 3 -i 0.2
check_fails "ping of oneself" 1 "nas is this machine itself" ann mlsh ping nas
check_fails "an invalid count" 2 "count" ann mlsh ping desk -c 0
ann mlsh ping laptop --until-direct -c 120 -i 0.5 >"$WORK/nas/direct.out" 2>&1 &
waiting=$!
LAB_PIDS+=("$waiting")
wait_until 10 grep -q "by relay" "$WORK/nas/direct.out"
router nft delete table ip hard
ip -n "$LAB-nas" addr add 10.99.0.1/32 dev eth0 # its candidates change: a round begins
check "until direct: ends with the first direct answer" wait "$waiting"
check "having said so at once" eval 'grep -E "is now reached by direct 10.71.2.2:" "$WORK/nas/direct.out" &&
	tail -n 3 "$WORK/nas/direct.out" | has "answers by direct 10.71.2.2:"'

# --- when things are down ---
stop "${DAEMON_PID[laptop]}"
offline() { why_says laptop "d['reason'] == 'offline'"; }
check "why: a node that is off" wait_until 30 offline
ann mlsh ping laptop -c 3 >"$WORK/nas/early.out" 2>&1 &
early=$!
LAB_PIDS+=("$early")
catches() { grep -qE '^Sig(Cgt|Blk):.*[2367abef]$' "/proc/$(lab_pid nas mlsh)/status"; } # SIGINT
wait_until 5 catches && stop "$(lab_pid nas mlsh)" INT
wait "$early"
check "ping: Ctrl-C before the first probe's end" grep -qx "laptop.homelab: 0 sent, 0 answered" "$WORK/nas/early.out"
check_fails "ping: no answer" 1 "no tunnel to laptop|no answer from laptop" eval \
	'ann mlsh ping laptop -c 1 | tee "$WORK/ping.out"; exit "${PIPESTATUS[0]}"'
check "sums up, too" grep -qx "laptop.homelab: 1 sent, 0 answered, 100% lost" "$WORK/ping.out"
check "its JSON is as documented" eval '{ ann mlsh ping laptop -c 1 --json || [ $? = 1 ]; } | tee "$WORK/ping.json" | json ping &&
	tail -n 1 "$WORK/ping.json" | json_holds "d[\"sent\"] == 1 and d[\"lost_percent\"] == 100 and d[\"rtt_min_ms\"] is None"'
daemon_start laptop
check "ping waits for the tunnel of one that has just come back" ann mlsh ping laptop -c 1
stop "$SIGNAL_PID" KILL
unreachable() { ann mlsh netcheck homelab >"$WORK/netcheck.out" 2>&1; [ $? = 5 ]; }
check "netcheck: the server is gone" wait_until 60 unreachable
check "it says what to look at" grep -q "is its UDP port open" "$WORK/netcheck.out"
check "its JSON is as documented" eval '{ ann mlsh netcheck --json || [ $? = 5 ]; } | json netcheck'
check "tunnels that are up are still explained" why_says desk "d['reason'] == 'direct-lan'"
check "and answer" ann mlsh ping desk -c 1
ip -n "$LAB-nas" link set eth0 down
no_network() { ann mlsh netcheck homelab >"$WORK/netcheck.out" 2>&1; [ $? = 5 ] && grep -q "no network" "$WORK/netcheck.out"; }
check "netcheck without a network does not blame the server" wait_until 5 no_network
check "nor shows what was true before" eval 'has "seen as *unknown" <"$WORK/netcheck.out" && has "IPv6 *no, no$" <"$WORK/netcheck.out" &&
	! has observed <"$WORK/netcheck.out"'
check "its JSON is as documented" eval '{ ann mlsh netcheck --json || [ $? = 5 ]; } | json netcheck'
stop "${DAEMON_PID[nas]}"
for c in "ping desk" "why desk" "netcheck"; do
	check_fails "$c without a daemon" 4 "mlshtund is not running" eval "ann mlsh $c"
done
there=$WORK/nas/ann
check_fails "a socket that is not there" 4 "nothing at $there/no.sock, which MLSH_SOCKET names.*--socket $there/no.sock.*unset" \
	ann env MLSH_SOCKET="$there/no.sock" mlsh status
check_fails "a file that is not a socket" 1 "/etc/passwd is not a socket. MLSH_SOCKET names it; unset, the one at /run/mlsh" \
	ann env MLSH_SOCKET=/etc/passwd mlsh status
mkdir -m 700 "$WORK/nas/closed"
check_fails "one that others may not see" 1 "no permission for .*closed/sock.*namei.*MLSH_SOCKET" \
	ann env MLSH_SOCKET="$WORK/nas/closed/sock" mlsh status
[ $LAB_FAILED = 0 ] || show_logs 30
exit $LAB_FAILED
