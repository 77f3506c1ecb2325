#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Underlays of 1500, 1492, 1420 and 1280 bytes, IPv4 and IPv6, with and without ICMP, directly and over the relay: full-size
# pings, full-size UDP and bulk TCP pass; what is too big for the overlay is answered.
#
#     nas 10.71.1.2 fd71:1::2 ---.
#     laptop 10.71.2.2 fd71:2::2 --- router --- signal 10.71.9.2 fd71:9::2
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root mtu
trap lab_down EXIT
lab_up
router() { ip netns exec "$LAB-router" "$@"; }
set_kernel "$LAB-router" net.ipv6.conf.all.forwarding=1
for m in signal:9 nas:1 laptop:2; do
	machine "${m%:*}" "${m#*:}"
	ip -n "$LAB-router" addr add "fd71:${m#*:}::1/64" dev "to-${m%:*}" nodad
	ip -n "$LAB-${m%:*}" addr add "fd71:${m#*:}::2/64" dev eth0 nodad
	ip -n "$LAB-${m%:*}" route add default via "fd71:${m#*:}::1"
done
router nft -f - <<'NFT'
table inet walls {
	chain forward {
		type filter hook forward priority 0;
		jump peers
		jump family
	}
	chain output {
		type filter hook output priority 0;
		jump quiet
	}
	chain peers { }
	chain family { }
	chain quiet { }
}
NFT
rule() { router nft add rule inet walls "$@"; }
# Only the router's side of the nodes' links: the nodes do not know.
set_mtu() { for m in nas laptop; do ip -n "$LAB-router" link set "to-$m" mtu "$1"; done; }
family() { # 4 or 6: nodes talk to each other by this one only
	router nft flush chain inet walls family
	if [ "$1" = 6 ]; then
		rule family ip saddr 10.71.1.2 ip daddr 10.71.2.2 drop
		rule family ip saddr 10.71.2.2 ip daddr 10.71.1.2 drop
	else
		rule family ip6 saddr fd71:1::2 ip6 daddr fd71:2::2 drop
		rule family ip6 saddr fd71:2::2 ip6 daddr fd71:1::2 drop
	fi
}
icmp() { # with, without
	router nft flush chain inet walls quiet
	[ "$1" = with ] && return
	rule quiet icmp type destination-unreachable drop
	rule quiet icmpv6 type packet-too-big drop
}
relay_only() {
	rule peers ip saddr '{ 10.71.1.2, 10.71.2.2 }' ip daddr '{ 10.71.1.2, 10.71.2.2 }' drop
	rule peers ip6 saddr '{ fd71:1::2, fd71:2::2 }' ip6 daddr '{ fd71:1::2, fd71:2::2 }' drop
}

must "server" signal_start
must "two nodes" mesh_up homelab nas laptop
head -c 4000000 /dev/urandom >"$WORK/laptop/sent"
path_is() { status_holds laptop homelab "c['peers'][0]['path'] == '$1' and ('$2' in str(c['peers'][0]['endpoint']))"; }

full_ping() { on "$1" ping -n -c 3 -i 0.1 -W 1 -M "do" -s 1372 "$2" | has "3 received"; }
bulk() {
	local receiver
	rm -f "$WORK/nas/received"
	on_bg nas socat.log socat -u TCP-LISTEN:7000,bind=100.64.0.1,reuseaddr "OPEN:$WORK/nas/received,creat"
	receiver=$BG
	wait_until 5 listens nas :7000 -t &&
		on laptop timeout 20 socat -u "OPEN:$WORK/laptop/sent" TCP:100.64.0.1:7000,connect-timeout=5 &&
		wait "$receiver" && cmp "$WORK/laptop/sent" "$WORK/nas/received"
}
udp() { # full datagrams: 1372 bytes of data, echoed
	local echo_pid
	on_bg nas udp.log socat -T 3 UDP4-LISTEN:7001,bind=100.64.0.1,reuseaddr,fork EXEC:cat
	echo_pid=$BG
	wait_until 5 listens nas :7001 && head -c 1372 "$WORK/laptop/sent" >"$WORK/laptop/datagram" &&
		on laptop sh -c 'socat -t 2 -b 1372 - UDP4:100.64.0.1:7001 <$W/datagram >$W/echo' &&
		cmp "$WORK/laptop/datagram" "$WORK/laptop/echo"
	local rc=$?
	stop "$echo_pid"
	return $rc
}
passes() {
	local begin=${EPOCHREALTIME/./}
	wait_until 5 full_ping laptop 100.64.0.1 && full_ping nas 100.64.0.2 || return 1
	PING_MS=$(((${EPOCHREALTIME/./} - begin) / 1000))
	udp && begin=${EPOCHREALTIME/./} && bulk || return 1
	BULK_MBIT=$((8 * 4000000 / (${EPOCHREALTIME/./} - begin)))
}
cell() { # what, mtu, icmp
	set_mtu "$2"
	icmp "$3"
	BULK_MBIT=0 PING_MS=0
	check "$1, $2 bytes, $3 ICMP: full pings, UDP and bulk TCP pass" passes
	echo "#   pings of both sides after $PING_MS ms, TCP at $BULK_MBIT Mbit/s"
}

# The tunnel lives on from cell to cell: from wide to narrow it has to notice by itself.
family 4
must "a direct path" wait_until 20 path_is direct 10.71.
for mtu in 1500 1492 1420 1280; do
	for icmp in with without; do cell "IPv4" $mtu $icmp; done
	set_mtu 1500
done
family 6
must "a direct path by IPv6" wait_until 40 path_is direct fd71:
for mtu in 1500 1492 1420 1280; do
	for icmp in with without; do cell "IPv6" $mtu $icmp; done
	set_mtu 1500
done
relay_only
must "the relay" wait_until 20 path_is relay ""
for mtu in 1500 1420 1280; do cell "relayed" $mtu without; done

# --- what is too big for the overlay itself ---
check "a packet above 1400 bytes with DF is answered by the sender's kernel" eval \
	'{ on laptop ping -n -c 1 -W 1 -M do -s 1373 100.64.0.1 2>&1; true; } | has -iE "too long|mtu ?= ?1400"'
check "without DF it passes in fragments" eval 'on laptop ping -n -c 2 -i 0.2 -W 2 -M dont -s 3000 100.64.0.1 | has "2 received"'
check "no packet was dropped as too big" eval 'for m in nas laptop; do on $m mlsh status --json |
	json_holds "all(c[\"drops\"].get(\"out_too_big\", 0) == 0 for c in d[\"clusters\"])" || exit 1; done'
exit $LAB_FAILED
