#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The real programs behind NATs that remember strangers, and one that does not, on links of 0 to 80 ms, different ones
# there and back: each with each is direct, in both roles. See lib_nat.sh.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh
. tests/lab/lib_nat.sh

# name kind ms-from-it ms-to-it
nodes=("still remembers 0 0" "near remembers 1 1" "far remembers 80 80" "up remembers 80 0" "down remembers 0 80"
	"strict port 20 20" "slanted port 80 0")

lab_need_root nat_delay
trap lab_down EXIT
lab_up
public signal 9
slow() { # gateway, ms from it, ms to it: in place of its link to the router
	local n=$1 gw=$LAB-gw-$1
	ip -n "$gw" link del wan
	tests/lab/wire.py "$gw" wan "$2" "$LAB-router" "to-gw-$n" "$3" >"$WORK/wire-$n" 2>&1 </dev/null &
	LAB_PIDS+=("$!")
	wait_until 10 grep -q ready "$WORK/wire-$n" || { cat "$WORK/wire-$n" && return 1; }
	ip -n "$LAB-router" addr add "198.18.$n.1/24" dev "to-gw-$n" && ip -n "$LAB-router" link set "to-gw-$n" up &&
		ip -n "$gw" addr add "198.18.$n.2/24" dev wan && ip -n "$gw" link set wan up &&
		ip -n "$gw" route add default via "198.18.$n.1"
}
n=10
declare -a names=()
for node in "${nodes[@]}"; do
	read -r who kind up down <<<"$node"
	must "$who: $kind, $up ms out, $down ms in" eval 'gateway $n "$kind" && behind "$who" $n && slow $n "$up" "$down"'
	names+=("$who")
	n=$((n + 1))
done
must "server" signal_start
must "${#names[@]} nodes" mesh_up lab "${names[@]}"

takes() { on "$1" mlsh netcheck lab --json | json_holds "$2 <= d['server']['rtt_ms']"; } # machine, ms
check "the links take their time" eval 'takes far 160 && takes up 80 && takes down 80 && takes strict 40'
all_direct() { # machine
	status_holds "$1" lab "len(c['peers']) == ${#names[@]} - 1 and all(p['path'] == 'direct' for p in c['peers'])"
}
for m in "${names[@]}"; do
	check "$m is direct with all others" wait_until 60 all_direct "$m" || on "$m" mlsh status lab
	check "and netcheck knows what its NAT does" eval 'on $m mlsh netcheck lab --json |
		json_holds "d[\"nat\"][\"mapping\"] == \"independent\" and d[\"nat\"][\"filtering\"] == \"port\""'
done
exit $LAB_FAILED
