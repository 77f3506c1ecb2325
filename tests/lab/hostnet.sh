#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The network of the host around the tunnel: other software takes parts of mlsh0 away, networks that collide come and go, and
# there are many routes.
#
#     nas 10.71.1.2 ------- router --- signal 10.71.9.2
#     laptop 10.71.2.2 -----' |
#            wwan0 -----------'  100.64.0.1/16, a carrier's network
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root hostnet
trap lab_down EXIT
lab_up
for m in signal:9 nas:1 laptop:2; do machine "${m%:*}" "${m#*:}"; done
must "server" signal_start
must "two nodes" mesh_up homelab nas laptop
must "packets pass" wait_until 10 pings laptop 100.64.0.1
laptop() { ip -n "$LAB-laptop" "$@"; }
holds() { status_holds laptop homelab "$1"; }
same_device() { [ "$(laptop -o link show dev mlsh0 | grep -o 'mtu [0-9]*')" = "mtu 1400" ]; }

# --- what is taken away comes back, and nothing leaves in the clear ---
on_bg laptop tcpdump.log tcpdump -n -l -U -i eth0 net 100.64.0.0/10
wait_until 5 grep -q "listening on" "$WORK/laptop/tcpdump.log"
seen() { grep -c "100\.[0-9.]* > 100\.\|> 100\." "$WORK/laptop/tcpdump.log"; }
pings laptop 100.80.1.1 # of the range, but no member's
check "what leaves in the clear would be seen" wait_until 5 eval '[ "$(seen)" -gt 0 ]'
before=$(seen)
on_bg laptop ping.log ping -n -i 0.002 -W 1 100.64.0.1
PINGS=$BG
N=0
taken() { # what, command...: the count goes up, and packets pass again
	local what=$1
	shift
	N=$((N + 1))
	"$@"
	check "$what: put back" wait_until 5 eval 'holds "c[\"repairs\"][\"count\"] >= N and c[\"state\"] == \"connected\"" &&
		pings laptop 100.64.0.1 && same_device'
	N=$(on laptop mlsh status homelab --json | python3 -c 'import json, sys
print(json.load(sys.stdin)["clusters"][0]["repairs"]["count"])')
}
holds() { status_holds laptop homelab "(lambda N: $1)($N)"; }
taken "routes flushed" laptop route flush proto 109
taken "address flushed" laptop addr flush dev mlsh0
taken "link down" laptop link set mlsh0 down
taken "other MTU" laptop link set mlsh0 mtu 9000
rename() { laptop link set mlsh0 down && laptop link set mlsh0 name other0; }
stop "$PINGS" INT
must "the daemon is started again" eval 'stop "${DAEMON_PID[laptop]}"; daemon_start laptop && wait_until 10 pings laptop 100.64.0.1'
N=0
on_bg laptop ping.log ping -n -i 0.002 -W 1 100.64.0.1
PINGS=$BG
taken "other name" rename
taken "rule deleted" laptop rule del pref 5191
taken "link deleted" laptop link del mlsh0
check "status says what" holds "c['repairs']['what'] == 'interface'"
stop "$PINGS" INT
check "nothing left in the clear" test "$(seen)" = "$before"

# --- somebody insists ---
(while ip -n "$LAB-laptop" route flush proto 109; do sleep 0.02; done) 2>/dev/null &
FIGHT=$!
LAB_PIDS+=("$FIGHT")
check "status does not say connected while somebody insists" wait_until 20 holds "c['state'] == 'interrupted' and c['repairs']['missing'] == 'routes'"
stop "$FIGHT"
check "and all is well afterwards" wait_until 30 eval 'holds "c[\"state\"] == \"connected\"" && pings laptop 100.64.0.1'

# --- a VPN for everything ---
laptop tuntap add dev tun9 mode tun
laptop link set tun9 up
for half in 0.0.0.0/1 128.0.0.0/1; do laptop route add "$half" dev tun9; done
laptop route add 10.71.0.0/16 via 10.71.2.1
way() { laptop route get 100.64.0.1 2>/dev/null; }
check "members are not sent into a VPN" eval 'way | has mlsh0'
check "which collides with nothing" holds "c['conflicts'] == []"
laptop link del tun9
laptop route del 10.71.0.0/16

# --- a network of containers in the overlay's range ---
conflict() { on laptop mlsh status homelab --json | json_holds "any('$1' in x for x in d['clusters'][0]['conflicts'])"; }
no_conflict() { holds "c['conflicts'] == [] and c['warning'] is None"; }
laptop link add br9 type bridge
laptop addr add 100.64.0.129/25 dev br9
laptop link set br9 up
check "containers in the range are named" wait_until 5 conflict "on br9"
check "the node is reached all the same" wait_until 5 pings laptop 100.64.0.1
laptop link del br9
check "and forgotten when they are gone" wait_until 10 no_conflict

# --- a carrier's network with our addresses: the host keeps its gateway ---
ip link add wwan0 netns "$LAB-laptop" type veth peer name to-wwan netns "$LAB-router"
ip -n "$LAB-router" addr add 100.64.0.1/16 dev to-wwan
ip -n "$LAB-router" link set to-wwan up
ip netns exec "$LAB-router" nft -f - <<'NFT'
table ip carrier {
	chain out {
		type nat hook postrouting priority 100;
		ip saddr 100.64.0.0/16 oifname != "to-wwan" masquerade
	}
}
NFT
laptop link set eth0 down
laptop addr add 100.64.0.200/16 dev wwan0
laptop link set wwan0 up
laptop route replace default via 100.64.0.1 dev wwan0
check "the gateway is the host's" wait_until 5 eval 'laptop route get 100.64.0.1 | has "dev wwan0"'
check "there is a way out" wait_until 5 pings laptop 10.71.9.2
check "status says who is lost" wait_until 5 conflict "nas cannot be reached from here: 100.64.0.1 is a gateway"
check "and so does why" eval 'on laptop mlsh why nas | joined | has "is a gateway of this host"'
check "and netcheck" eval 'on laptop mlsh netcheck | joined | has "is a gateway of this host"'
check "why as documented" eval 'on laptop mlsh why nas --json | tests/lab/json_documented why'
check "status as documented" eval 'on laptop mlsh status --json | tests/lab/json_documented status'
check "netcheck as documented" eval 'on laptop mlsh netcheck --json | tests/lab/json_documented netcheck'
laptop link del wwan0
laptop link set eth0 up
laptop route add default via 10.71.2.1
check "at home all is as before" wait_until 10 eval 'no_conflict && pings laptop 100.64.0.1'

# --- many routes, and changes: less than reading them a few times costs ---
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
python3 -c 'for i in range(20000): print(f"route add {20 + i // 65536}.{i // 256 % 256}.{i % 256}.0/24 via 10.71.2.1")' |
	laptop -batch -
# The daemon has taken in what was added: a few ticks a second are its pings and whatever else runs here.
is_quiet() { # process id
	local before
	before=$(ticks "$1") && pause 1 && [ $(($(ticks "$1") - before)) -le 5 ]
}
pid=$(lab_pid laptop mlshtund)
check "they are taken in" wait_until 10 is_quiet "$pid"
read_ticks=$(bash -c 'ip -n "$1" route show >/dev/null; ip -n "$1" route show >/dev/null; times' _ "$LAB-laptop" | tail -n 1 |
	sed 's/[ms]/ /g' | awk '{ print int(($2 + $4) * 100) }')
begin=$(ticks "$pid")
python3 -c 'import time
for i in range(150):
    print("route", ("add", "del")[i % 2], "203.0.113.0/24 via 10.71.2.1", flush=True); time.sleep(0.02)' | laptop -batch -
cost=$(($(ticks "$pid") - begin))
printf '# 150 changes among 20000 routes: %s ticks; reading them twice: %s\n' "$cost" "$read_ticks"
check "changes that do not concern it cost next to nothing" test "$cost" -lt $((5 * read_ticks + 15))
check "packets pass" wait_until 5 pings laptop 100.64.0.1

# --- and nothing is left behind ---
on laptop mlsh disconnect homelab >/dev/null
check "nothing is left on the host" wait_until 5 no_traces laptop
exit $LAB_FAILED
