#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A server that sees all clients at one private address, as behind a container's published port: nodes and server say so,
# and neither blames the nodes' NATs.
#
#     signal 10.71.9.2, published by the router as 198.18.9.9, which puts its own 10.71.9.1 in place of the sources
#     nas and laptop behind gateways 198.18.10.2 and 198.18.20.2, see lib_nat.sh
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh
. tests/lab/lib_nat.sh

lab_need_root published
trap lab_down EXIT
lab_up
machine signal 9
# shellcheck disable=SC2034,SC2154 # the array of lib.sh
MACHINE_IP[signal]=198.18.9.9
ip -n "$LAB-router" addr add 198.18.9.9/32 dev lo
must "a published port" ip netns exec "$LAB-router" nft -f - <<-NFT
	table ip published {
		chain in { type nat hook prerouting priority dstnat; ip daddr 198.18.9.9 dnat to 10.71.9.2; }
		chain out { type nat hook postrouting priority srcnat; oifname "to-signal" masquerade; }
	}
NFT
must "two NATs" eval 'gateway 10 port && behind nas 10 && gateway 20 remembers && behind laptop 20'
must "server" signal_start
must "two nodes" mesh_up lab nas laptop

netcheck_says() { on "$1" mlsh netcheck lab --json | json_holds "$2"; } # machine, expression
for m in nas laptop; do
	check "netcheck on $m: the server's side rewrites addresses" wait_until 10 netcheck_says "$m" \
		"d['server']['rewrites'] and d['observed'].startswith('10.71.9.1:') and 'in front of the signal server' in d['text']"
	check "nothing is said of its NAT" netcheck_says "$m" "d['nat']['mapping'] == d['nat']['filtering'] == 'unknown'"
	check "and that address is offered to nobody" netcheck_says "$m" \
		"not [c for c in d['candidates'] if c['address'].startswith('10.71.9.1:')]"
	check "its JSON is as documented" eval 'on $m mlsh netcheck --json | tests/lab/json_documented netcheck'
done
why_says() { on "$1" mlsh why "$2" --json | json_holds "d['path'] == 'relay' and d['reason'] == 'server-rewrites'"; }
check "why: the same reason on both sides" wait_until 20 eval 'why_says nas laptop && why_says laptop nas'
check "the server says it once" test "$(grep -c 'all nodes come from 10.71.9.1' "$WORK/signal/signal.log")" = 1
check "a node says it once" test "$(grep -c 'something in front of it rewrites addresses' "$WORK/nas/mlshtund.log")" = 1
exit $LAB_FAILED
