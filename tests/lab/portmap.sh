#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Port mappings from a real miniupnpd: two nodes, each behind a symmetric NAT of its own, talk
# directly as soon as one of the gateways maps ports, whatever it speaks.
#
#     nas 192.168.1.2 -- gw-nas 192.168.1.1, 44.128.1.2 ------.
#     laptop 192.168.2.2 -- gw-laptop 192.168.2.1, 44.128.2.2 - router -- signal 10.71.9.2
#
# 44.128/16 stands for public addresses (miniupnpd gives nothing away behind private or documentation ones).
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root portmap
tools/need miniupnpd || exit 1

# Puts a gateway with a symmetric NAT between a machine and the router: every flow gets a port of its own,
# and only what was asked for or is mapped comes in.
behind_nat() { # machine, number
	local gw=$LAB-gw-$1
	ip netns add "$gw"
	ip -n "$gw" link set lo up
	ip -n "$LAB-$1" link set eth0 netns "$gw" name wan
	ip -n "$gw" addr add "44.128.$2.2/24" dev wan
	ip -n "$gw" link set wan up
	ip -n "$LAB-router" addr flush dev "to-$1"
	ip -n "$LAB-router" addr add "44.128.$2.1/24" dev "to-$1"
	ip -n "$gw" route add default via "44.128.$2.1"
	ip link add eth0 netns "$LAB-$1" type veth peer name lan netns "$gw"
	ip -n "$gw" addr add "192.168.$2.1/24" dev lan
	ip -n "$gw" link set lan up
	ip -n "$LAB-$1" addr add "192.168.$2.2/24" dev eth0
	ip -n "$LAB-$1" link set eth0 up
	ip -n "$LAB-$1" route add default via "192.168.$2.1"
	set_kernel "$gw" net.ipv4.ip_forward=1
	ip netns exec "$gw" nft -f - <<-NFT
		table inet filter {
			chain miniupnpd { }
			chain prerouting_miniupnpd { }
			chain postrouting_miniupnpd { }
			chain forward {
				type filter hook forward priority 0; policy drop
				ct state established,related accept
				iifname "lan" accept
				jump miniupnpd
			}
			chain input {
				type filter hook input priority 0
				iifname "wan" ct state new udp dport 1024-65535 drop
			}
			chain prerouting {
				type nat hook prerouting priority -100
				jump prerouting_miniupnpd
			}
			chain postrouting {
				type nat hook postrouting priority 100
				jump postrouting_miniupnpd
				oifname "wan" masquerade fully-random
			}
		}
	NFT
}

# Starts miniupnpd on a machine's gateway with further lines of configuration.
gateway_start() { # machine, line...
	local name=$1 gw=$LAB-gw-$1 conf=$WORK/$1/miniupnpd.conf
	shift
	printf '%s\n' ext_ifname=wan listening_ip=lan http_port=5000 min_lifetime=120 \
		secure_mode=yes system_uptime=no "$@" "allow 1024-65535 192.168.0.0/16 1024-65535" \
		"deny 0-65535 0.0.0.0/0 0-65535" >"$conf"
	ip netns exec "$gw" /usr/sbin/miniupnpd -d -f "$conf" -P "$WORK/$name/miniupnpd.pid" \
		>>"$WORK/$name/miniupnpd.log" 2>&1 </dev/null &
	GATEWAY_PID=$!
	LAB_PIDS+=("$!")
	wait_until 10 gateway_ready "$gw" "$@"
}

gateway_ready() { [ -n "$(ip netns exec "$1" ss -Hlun "sport = :5351 or sport = :1900")" ]; }

forwards() { ip netns exec "$LAB-gw-$1" nft list chain inet filter prerouting_miniupnpd | grep -c dnat; } # machine

path_is() { # machine, peer, path
	status_holds "$1" homelab "any(p['name'] == '$2' and p['path'] == '$3' for p in c['peers'])"
}

both_direct() { path_is nas laptop direct && path_is laptop nas direct; }

mapping_is() { # machine, expression over m
	status_holds "$1" homelab "(lambda m: $2)(c['mapping'])"
}

restart_node() { # machine
	stop "${DAEMON_PID[$1]}"
	daemon_start "$1" "${@:2}"
}

trap lab_down EXIT
lab_up
for m in signal:9 nas:1 laptop:2; do machine "${m%:*}" "${m#*:}"; done
behind_nat nas 1
behind_nat laptop 2
must "server" signal_start
must "two nodes behind symmetric NATs" mesh_up homelab nas laptop
check "packets pass" wait_until 10 pings laptop 100.64.0.1
check "the gateway is asked, in vain" wait_until 20 mapping_is nas "m['state'] == 'none' and m['gateway'] == '192.168.1.1'"
check "so it is the relay" eval 'path_is nas laptop relay && path_is laptop nas relay'

# One after the other on the gateway of nas. A node that is started again asks again.
try() { # method, line of miniupnpd's configuration...
	local method=$1
	shift
	must "$method: miniupnpd" gateway_start nas "$@"
	must "$method: nas starts again" restart_node nas
	check "$method: the port is mapped" wait_until 20 mapping_is nas \
		"m['method'] == '$method' and m['external'].startswith('44.128.1.2:') and m['expires_s'] > 60"
	check "$method: the gateway has the mapping" test "$(forwards nas)" = 1
	check "$method: the tunnel becomes direct" wait_until 20 both_direct
	check "$method: packets pass" wait_until 5 pings nas 100.64.0.2
	check "$method: people are told" eval 'on nas mlsh status | has "mapping .*44\.128\.1\.2:.*$method"'
}

# (A restart alone shows in the gateway's epoch, each minute: tests/sim/test_paths_mapping.c.)
try pcp enable_natpmp=yes enable_upnp=no
must "the gateway is started again, and forgot everything" eval 'stop "$GATEWAY_PID"; ip netns exec "$LAB-gw-nas" \
	nft "flush chain inet filter prerouting_miniupnpd; flush chain inet filter miniupnpd" &&
	gateway_start nas enable_natpmp=yes enable_upnp=no && test "$(forwards nas)" = 0'
ip -n "$LAB-nas" addr add 192.168.1.3/24 dev eth0
check "after a change of the network the node asks again" wait_until 10 eval 'test "$(forwards nas)" = 1'
check "a clean end takes the mapping away" eval 'stop "${DAEMON_PID[nas]}"; wait_until 5 eval "test \$(forwards nas) = 0"'
check "turned off, nothing is asked" eval 'daemon_start nas --port-mapping off && wait_until 10 connected nas homelab &&
	mapping_is nas "m[\"state\"] == \"off\"" && test "$(forwards nas)" = 0'
stop "${DAEMON_PID[nas]}"
stop "$GATEWAY_PID"

# This miniupnpd always speaks PCP: a filter makes an older gateway of it, which is silent about PCP.
ip netns exec "$LAB-gw-nas" nft 'add table inet old; add chain inet old input { type filter hook input priority 0; };
	add rule inet old input udp dport 5351 @th,64,8 2 drop'
daemon_start nas
try nat-pmp enable_natpmp=yes enable_upnp=no
check "nat-pmp: a clean end takes the mapping away" eval 'stop "${DAEMON_PID[nas]}"; wait_until 5 eval "test \$(forwards nas) = 0"'
ip netns exec "$LAB-gw-nas" nft delete table inet old
stop "$GATEWAY_PID"

daemon_start nas
try upnp enable_natpmp=no enable_upnp=yes
check "upnp: a clean end takes the mapping away" eval 'stop "${DAEMON_PID[nas]}"; wait_until 5 eval "test \$(forwards nas) = 0"'
exit $LAB_FAILED
