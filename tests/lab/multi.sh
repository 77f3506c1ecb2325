#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Two clusters at once on the same nodes, of one server, with the same names of nodes in both; subnets of one's own
# choice, and those that collide.
#
#     signal 10.71.9.2, nas .1.2 and laptop .2.2 (in both clusters), one router
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root multi
trap lab_down EXIT
lab_up
for m in signal:9 nas:1 laptop:2; do machine "${m%:*}" "${m#*:}"; done
server=${MACHINE_IP[signal]}
must "server" signal_start
must "the first cluster" mesh_up homelab nas laptop
must "the second cluster, the names of the nodes the other way round" eval 'on laptop mlsh setup garage --signal-host "$server" \
	--token "$(new_token)" --name nas && node_up laptop garage &&
	invite_url laptop garage | on nas mlsh adopt - --name laptop && node_up nas garage'
address() { on "$1" mlsh status "$2" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["clusters"][0]["address"])'; }
check "addresses are unique over both" test \
	"$(address nas homelab) $(address laptop homelab) $(address laptop garage) $(address nas garage)" = \
	"100.64.0.1 100.64.0.2 100.64.0.3 100.64.0.4"
check "each has a device of its own" test "$(ip -n "$LAB-nas" -o link show | grep -oE 'mlsh[0-9]+:' | sort | xargs)" = "mlsh0: mlsh1:"
check "the first reaches" wait_until 5 pings laptop 100.64.0.1
check "the second reaches" wait_until 5 pings laptop 100.64.0.4
check "the route of each leads into its own device" eval 'ip -n "$LAB-nas" route get 100.64.0.2 | has "dev mlsh0.*src 100.64.0.1" &&
	ip -n "$LAB-nas" route get 100.64.0.3 | has "dev mlsh1.*src 100.64.0.4"'
ask() { on nas dig +short +tries=1 +time=2 "@$1" "$2"; }
check "the same name in each means another node" test "$(ask 100.64.0.1 nas.homelab) $(ask 100.64.0.4 nas.garage)" = "100.64.0.1 100.64.0.3"
check "a zone's server does not know the other zone" eval 'on nas dig +tries=1 +time=2 @100.64.0.1 nas.garage | has "status: REFUSED"'
check "status shows both" eval 'on nas mlsh status --json | json_holds "[c[\"name\"] for c in d[\"clusters\"]] == [\"homelab\", \"garage\"]"'
check "and peers only of their own cluster" eval 'on nas mlsh status --json | json_holds \
	"[[p[\"address\"] for p in c[\"peers\"]] for c in d[\"clusters\"]] == [[\"100.64.0.2\"], [\"100.64.0.3\"]]"'
check "an address of the other cluster does not get through as source" eval \
	'! on laptop ping -n -c 2 -i 0.2 -W 1 -I 100.64.0.2 100.64.0.4'

# --- what the server's operator sees, while it runs ---
operator() { on signal env MLSH_SIGNAL_DB="$WORK/signal/signal.db" mlsh-signal "$@"; }
check "the server's clusters" eval 'operator clusters --json | json_holds "d[\"running\"] and sorted((c[\"name\"], c[\"members\"],
	c[\"records\"], c[\"subnet\"], c[\"error\"]) for c in d[\"clusters\"]) ==
	[(\"garage\", 2, 2, \"100.64.0.0/10\", None), (\"homelab\", 2, 2, \"100.64.0.0/10\", None)]"'
all_online() { operator clusters --json | json_holds '[c["online"] for c in d["clusters"]] == [2, 2]'; }
check "who is online soon shows" wait_until 3 all_online
check "for people, too" eval 'operator clusters | has -E "^homelab +[0-9a-f]{8} +2 +2 +2 +20..-..-.. ..:.. +100.64.0.0/10$" &&
	operator clusters | fits'
check "its nodes" eval 'operator nodes garage --json | json_holds "[(n[\"name\"], n[\"address\"], n[\"role\"], n[\"sponsor\"],
	n[\"online\"]) for n in d[\"nodes\"]] == [(\"nas\", \"100.64.0.3\", \"admin\", None, True),
	(\"laptop\", \"100.64.0.4\", \"node\", \"nas\", True)]"'
check "by its id, too" eval 'operator nodes "$(operator clusters | awk "/^garage/ { print \$2 }")" | has "laptop +100.64.0.4 +node +nas" -E'
check "the audit trail" eval 'operator log garage | joined | has -E "nas set the cluster garage up .* laptop joined at 100.64.0.4, invited by nas$"'
check "in 80 columns" eval 'operator log garage | fits'
for what in clusters "nodes garage" "nodes garage --all" "log garage"; do
	check "$what as documented" eval 'operator $what --json | tests/lab/json_documented "signal-${what%% *}"'
done
check_fails "a misspelled name" 1 "There is no cluster .homelap. here: did you mean .homelab.\?" operator nodes homelap
check_fails "an unknown one" 1 "There is no cluster .shed. here; .mlsh-signal clusters. lists them" operator log shed
for what in nodes log accept; do
	check_fails "which of two, for $what" 1 "Which cluster\? There are (homelab, garage|garage, homelab)\." operator $what
done
check "a cluster that does not wait can be accepted" eval 'operator accept homelab | has "^homelab does not wait$"'
check "a token" eval 'operator token | has -E "^[A-Z0-9-]{14}@[0-9a-f]{64}$"'
check "no file of root's is left beside the database" test -z "$(find "$WORK/signal" -name 'signal.db*' -uid 0)"

# --- one goes, the other stays ---
on_bg laptop ping.out ping -n -i 0.02 -c 100 -W 2 100.64.0.1
wait_until 5 grep -q icmp_seq=10 "$WORK/laptop/ping.out"
pinging=$BG
check "disconnect of one" on nas mlsh disconnect garage
wait "$pinging"
check "does not disturb the other" grep -q "100 received, 0% packet loss" "$WORK/laptop/ping.out"
check "and takes only its device" test "$(ip -n "$LAB-nas" -o link show | grep -oE 'mlsh[0-9]+:' | xargs)" = "mlsh0:"
check "only its own address is gone" eval '! pings laptop 100.64.0.4'
check_fails "a node that no other cluster has may be of that one" 1 "another node tv;.* Not connected: garage" on nas mlsh ping tv
check "netcheck passes over the stopped one" eval 'on nas mlsh netcheck | has "^homelab:" && ! on nas mlsh netcheck | has garage'
check "in JSON, too" eval '[ "$(on nas mlsh netcheck --json | grep -c .)" = 1 ]'
check_fails "but not when it is named" 1 "garage is stopped; run: mlsh connect garage" on nas mlsh netcheck garage
check "disconnect of both" on nas mlsh disconnect homelab
check_fails "either can be connected then" 1 "no cluster is connected; run: mlsh connect (homelab .or garage|garage .or homelab)" \
	on nas mlsh why laptop
check "connect brings back the one" eval 'on nas mlsh connect homelab && wait_until 5 pings laptop 100.64.0.1'
check "connect brings it back" on nas mlsh connect garage
check "with its tunnel" wait_until 5 pings laptop 100.64.0.4
stop "${DAEMON_PID[nas]}" KILL
check "daemon killed and started again" daemon_start nas
check "the first comes back" wait_until 10 pings laptop 100.64.0.1
check "the second too" wait_until 10 pings laptop 100.64.0.4
stop "${DAEMON_PID[nas]}"
check "stopped, it leaves nothing" no_traces nas
daemon_start nas

# --- subnets ---
check "a subnet of one's own" on nas mlsh setup attic --signal-host "$server" --token "$(new_token)" --name nas --subnet 10.99.0.0/24
check "is connected" on nas mlsh connect attic
check "its first address is the subnet's first" test "$(address nas attic)" = 10.99.0.1
token=$(new_token)
check_fails "a subnet within another cluster's is refused" 1 "overlap|subnet|taken" on laptop mlsh setup cellar \
	--signal-host "$server" --token "$token" --name laptop --subnet 10.99.0.0/28
check_fails "a public subnet is refused" 1 "subnet|range" on laptop mlsh setup cellar --signal-host "$server" --token "$token" \
	--name laptop --subnet 203.0.113.0/24
check_fails "a subnet with host bits is refused" 1 "10.98.0" on laptop mlsh setup cellar --signal-host "$server" --token "$token" \
	--name laptop --subnet 10.98.0.5/24
ip -n "$LAB-laptop" addr add 10.74.0.200/24 dev eth0
check_fails "one of the host's own LAN is refused, before the server is asked" 1 "10\.74\.0\.0/24 overlaps.*network 10\.74.*not used" \
	on laptop mlsh setup cellar --signal-host "$server" --token "$token" --name laptop --subnet 10.74.0.0/24
check "the token was not used up by that" on laptop mlsh setup cellar --signal-host "$server" --token "$token" --name laptop \
	--subnet 10.72.0.0/24
ip -n "$LAB-laptop" addr add 10.72.0.200/24 dev eth0 # later than the cluster
on laptop mlsh connect cellar --wait 5 >"$WORK/laptop/cellar.out" 2>&1
check "a subnet that is the host's own LAN does not take over its routes" eval \
	'ip -n "$LAB-laptop" route get 10.72.0.7 | has "dev eth0" && ip -n "$LAB-laptop" route get 10.72.0.200 | has "dev lo"'
check "and status or connect says so" eval '{ cat "$WORK/laptop/cellar.out"; on laptop mlsh status cellar --json; } |
	has -iE "own network|conflict|overlap|covers|already|in use|uses"'
on laptop mlsh disconnect cellar >/dev/null
ip -n "$LAB-laptop" addr add 10.73.0.200/24 dev eth0
ip -n "$LAB-laptop" route add 198.51.100.0/24 via 10.73.0.1
check "a cluster whose first node has the address of another's gateway" eval 'on nas mlsh setup shed --signal-host "$server" \
	--token "$(new_token)" --name nas --subnet 10.73.0.0/24 && node_up nas shed &&
	invite_url nas shed | on laptop mlsh adopt - --name laptop && node_up laptop shed'
check "does not cut it off from its gateway" eval 'ip -n "$LAB-laptop" route get 198.51.100.1 | has "via 10.73.0.1 dev eth0" &&
	ip -n "$LAB-laptop" route get 10.73.0.1 | has "dev eth0"'
check "and that is said" grep -q "10\.73\.0\.1 is .*gateway" "$WORK/laptop/mlshtund.log"
check "a subnet whose first address" on laptop mlsh setup vault --signal-host "$server" \
	--token "$(new_token)" --name laptop --subnet 10.75.0.0/24
ip -n "$LAB-laptop" addr add 10.75.0.200/24 dev eth0 && ip -n "$LAB-laptop" route add 192.0.2.0/24 via 10.75.0.1
check_fails "is later one's own gateway cannot be connected; why, and what to do is said" 1 \
	"10\.75\.0\.1 is a gateway.*mlsh forget vault.*setup vault --subnet" on laptop mlsh connect vault
check "the network is as it was" on laptop ping -n -c 1 -W 2 10.71.9.2
check "the other clusters are as they were" eval 'pings laptop 100.64.0.1 && pings laptop 100.64.0.4'
exit $LAB_FAILED
