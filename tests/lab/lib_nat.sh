# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Machines with public addresses, and machines behind NATs made of nftables. Used with lib.sh.
#
#     machine 198.18.N.2 ------------------------ router 198.18.N.1 --- ...
#     machine 10.72.N.2 --- lan (gw-N) 198.18.N.2 --'
#     machine 10.72.N.3 --'
#
# None of these addresses is in the other's /24, and 198.18.0.0/15 (RFC 2544) is not private.

# A machine on the internet.
public() { machine_at "$1" router "198.18.$2"; } # name, number

# gateway NUMBER KIND [SERVER]: a NAT at 198.18.NUMBER.2, with nothing behind it yet.
#
# The port of a mapping is the inner one wherever it is free, and there is one machine behind most of them. Mappings and
# filters end 20 s after the last packet from the inside; most NATs keep them for 30 s and longer. What nobody inside has
# asked for is dropped in silence, as routers do; but not by the kind "remembers", a masquerade without any filter as
# libvirt, LXC and routers set up by hand have it: what comes unasked is the router's own, and conntrack keeps the port
# for the stranger.
gateway() {
	local n=$1 ns=$LAB-gw-$1
	ip netns add "$ns"
	ip -n "$ns" link set lo up
	set_kernel "$ns" net.ipv4.ip_forward=1
	ip link add wan netns "$ns" type veth peer name "to-gw-$n" netns "$LAB-router"
	ip -n "$LAB-router" addr add "198.18.$n.1/24" dev "to-gw-$n"
	ip -n "$LAB-router" link set "to-gw-$n" up
	ip -n "$ns" addr add "198.18.$n.2/24" dev wan
	ip -n "$ns" link set wan up
	ip -n "$ns" route add default via "198.18.$n.1"
	ip -n "$ns" link add lan type bridge
	ip -n "$ns" addr add "10.72.$n.1/24" dev lan
	ip -n "$ns" link set lan up
	gateway_rules "$@" | ip netns exec "$ns" nft -f - &&
		set_kernel "$ns" net.netfilter.nf_conntrack_udp_timeout=20 \
			net.netfilter.nf_conntrack_udp_timeout_stream=20
}

# Each new mapping gets the next of these ports.
ports_in_turn() { seq 0 4095 | awk -v ip="$1" '{ printf "%s%d : %s . %d", (NR > 1 ? ", " : ""), $1, ip, 30000 + $1 }'; }

gateway_rules() { # number, kind, the server's address
	local inside=10.72.$1.2 translate=masquerade strangers=drop
	case $2 in
	remembers) strangers=accept ;;
	symmetric) translate="masquerade random,fully-random" ;;
	in-turn) translate="meta l4proto udp snat ip to numgen inc mod 4096 map { $(ports_in_turn "198.18.$1.2") }" ;;
	esac
	cat <<-NFT
		table ip nat {
			set mapped { type inet_service; flags dynamic,timeout; timeout 20s; }
			set talked { type inet_service . ipv4_addr; flags dynamic,timeout; timeout 20s; }
			chain in { type filter hook input priority 0; iifname "wan" $strangers; }
			chain out { type nat hook postrouting priority srcnat; oifname "wan" $translate
			}
	NFT
	case $2 in
	full-cone)
		cat <<-NFT
			chain note { type filter hook forward priority 0; oifname "wan" update @mapped { udp sport }; }
			chain cone { type nat hook prerouting priority dstnat; iifname "wan" udp dport @mapped dnat to $inside
			}
		NFT
		;;
	address)
		cat <<-NFT
			chain note { type filter hook forward priority 0; oifname "wan" update @talked { udp sport . ip daddr }; }
			chain cone { type nat hook prerouting priority dstnat; iifname "wan" udp dport . ip saddr @talked dnat to $inside
			}
		NFT
		;;
	port | symmetric | in-turn | remembers) ;; # conntrack's own filter
	blocked)
		cat <<-NFT
			chain block { type filter hook forward priority 0; ip saddr != $3 ip daddr != $3 meta l4proto udp drop; }
		NFT
		;;
	*) echo "no NAT is called $2" >&2 && return 1 ;;
	esac
	echo "}"
}

# behind NAME NUMBER [LAST]: a machine 10.72.NUMBER.LAST in the gateway's LAN (2).
behind() {
	machine_at "$1" "gw-$2" "10.72.$2" "${3:-2}"
	ip -n "$LAB-gw-$2" addr del "10.72.$2.1/24" dev "to-$1"
	ip -n "$LAB-gw-$2" link set "to-$1" master lan
}
