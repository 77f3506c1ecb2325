#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The rules for nftables in docs/where-it-runs.md: nothing comes in, and in the end nothing goes out,
# but what they name. The rules are read from the document.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh
. tests/delivery/lib_system.sh
. tests/delivery/lib_where.sh
system_begin "$0" "$@"

firewall_on() {
	{ echo "flush ruleset" && documented_block "table inet filter {"; } >"$WORK/$1/root/etc/nftables.conf"
	[ "$(wc -l <"$WORK/$1/root/etc/nftables.conf")" -gt 5 ] && on "$1" nft -f /etc/nftables.conf
}
firewall_open_server() { documented signal "nft add rule inet filter input udp dport 4433 accept"; }
firewall_open_ssh() { documented "$1" "nft add rule inet filter input iifname mlsh0 tcp dport 22 accept"; }
firewall_open_overlay() { documented "$1" "nft add rule inet filter input iifname mlsh0 accept"; }

again() { on nas mlsh disconnect homelab && on nas mlsh connect homelab; }
path_is() { status_holds nas homelab "[p['path'] for p in c['peers'] if p['name'] == 'desk'] == ['$1']"; }

# What else the machine's owner loads, with the flush at its beginning, and what may go out.
firewall_more() {
	fence_stays() { plain_on nas nft list tables | grep -x "table inet mlsh0"; }
	check "loading the rules again leaves the fence of mlsh alone" eval 'firewall_on nas && fence_stays'
	check "and packets pass" wait_until 10 pings laptop 100.64.0.1
	documented_block "table inet outward {" >"$WORK/nas/root/etc/outward"
	check "nothing goes out but what is named" eval '[ -s "$WORK/nas/root/etc/outward" ] && on nas nft -f /etc/outward &&
		! on nas timeout 3 bash -c ": >/dev/tcp/${MACHINE_IP[laptop]}/22"'
	check "the node connects" again
	check "and is direct" wait_until 20 path_is direct
	check "members are pinged" wait_until 10 pings nas "$(address_of desk)"
	check "so they are invited from there" eval 'invite_url nas homelab | has mlsh://'
	without_daemon() {
		sed -i /skuid/d "$WORK/nas/root/etc/outward" && on nas mlsh disconnect homelab &&
			on nas nft delete table inet outward && on nas nft -f /etc/outward &&
			on nas conntrack -F && on nas mlsh connect homelab
	}
	check "without the line of the daemon, nothing known from before" without_daemon
	check "the path is the relay" wait_until 20 path_is relay
	check "members are pinged" wait_until 10 pings nas "$(address_of desk)"
}
firewall_story nftables
