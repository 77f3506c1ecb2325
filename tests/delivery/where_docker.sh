#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A node on a machine that runs Docker: its bridge and its packet rules are played as Docker leaves them, with a container
# whose port 80 is published as 8080, and a firewall that lets nothing in.
#
#     signal 10.71.9.2; nas .1.2, on it the container web 172.17.0.2; laptop .2.2; one router
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root where_docker
trap lab_down EXIT
lab_up
for m in signal:9 nas:1 laptop:2; do machine "${m%:*}" "${m#*:}"; done
must "server" signal_start
must "two nodes" mesh_up homelab nas laptop
must "packets pass" wait_until 10 pings laptop 100.64.0.1

container() {
	local web=$LAB-web
	set_kernel "$LAB-nas" net.ipv4.ip_forward=1
	ip -n "$LAB-nas" link add docker0 type bridge && ip -n "$LAB-nas" addr add 172.17.0.1/16 dev docker0 &&
		ip -n "$LAB-nas" link set docker0 up && ip netns add "$web" && ip -n "$web" link set lo up &&
		ip link add eth0 netns "$web" type veth peer name veth0 netns "$LAB-nas" &&
		ip -n "$LAB-nas" link set veth0 master docker0 up && ip -n "$web" addr add 172.17.0.2/16 dev eth0 &&
		ip -n "$web" link set eth0 up && ip -n "$web" route add default via 172.17.0.1
}
docker_rules() {
	ip netns exec "$LAB-nas" nft -f - <<-'NFT'
		table ip nat {
			chain PREROUTING { type nat hook prerouting priority dstnat; fib daddr type local jump DOCKER; }
			chain OUTPUT { type nat hook output priority -100; ip daddr != 127.0.0.0/8 fib daddr type local jump DOCKER; }
			chain POSTROUTING {
				type nat hook postrouting priority srcnat
				oifname != "docker0" ip saddr 172.17.0.0/16 masquerade
			}
			chain DOCKER { iifname != "docker0" tcp dport 8080 dnat to 172.17.0.2:80; }
		}
		table ip filter {
			chain FORWARD {
				type filter hook forward priority filter; policy drop
				oifname "docker0" ct state established,related accept
				iifname != "docker0" oifname "docker0" ip daddr 172.17.0.2 tcp dport 80 accept
				iifname "docker0" accept
			}
			chain INPUT {
				type filter hook input priority filter; policy drop
				iifname "lo" accept
				ct state established,related accept
			}
		}
	NFT
}
# shellcheck disable=SC2016 # expanded by the inner shell
serves() { # machine, address, port: a word comes back
	[ "$(ip netns exec "$LAB-$1" timeout 3 bash -c 'exec 3<>"/dev/tcp/$1/$2" && head -n 1 <&3' bash "$2" "$3" 2>/dev/null)" = web ]
}
must "a container on a bridge" container
must "the rules of Docker" docker_rules
ip netns exec "$LAB-web" socat TCP4-LISTEN:80,fork,reuseaddr SYSTEM:'echo web' >/dev/null 2>&1 &
LAB_PIDS+=("$!")
must "its service runs" wait_until 10 serves web 127.0.0.1 80
ip netns exec "$LAB-nas" socat TCP4-LISTEN:80,fork,reuseaddr SYSTEM:'echo web' >/dev/null 2>&1 &
LAB_PIDS+=("$!")
must "so does one of the machine" wait_until 10 serves nas 127.0.0.1 80

check "the firewall keeps members from the machine's service" eval '! serves laptop 100.64.0.1 80'
check "and not from the published port" wait_until 10 serves laptop 100.64.0.1 8080
check "the container reaches members" wait_until 10 ip netns exec "$LAB-web" ping -n -c 1 -W 1 100.64.0.2
ip -n "$LAB-laptop" route add 172.17.0.0/16 dev mlsh0
check "its own address is not reached over the mesh" eval '! serves laptop 172.17.0.2 80'
check "and the node is direct" status_holds laptop homelab "c['peers'][0]['path'] == 'direct'"
check "the bridge takes nothing from the mesh" status_holds nas homelab "c['conflicts'] == []"
exit $LAB_FAILED
