#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The commands for iptables in docs/where-it-runs.md, with the rules of Oracle Cloud's images: what is not named is
# rejected by a last rule, so that a rule behind it does nothing. They let ssh in from everywhere.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh
. tests/delivery/lib_system.sh
. tests/delivery/lib_where.sh
system_begin "$0" "$@"

firewall_on() {
	on "$1" iptables-restore <<-'RULES'
		*filter
		:INPUT ACCEPT [0:0]
		:FORWARD ACCEPT [0:0]
		:OUTPUT ACCEPT [0:0]
		-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
		-A INPUT -p icmp -j ACCEPT
		-A INPUT -i lo -j ACCEPT
		-A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -j ACCEPT
		-A INPUT -j REJECT --reject-with icmp-host-prohibited
		-A FORWARD -j REJECT --reject-with icmp-host-prohibited
		COMMIT
	RULES
}
firewall_open_server() { documented signal "iptables -I INPUT -p udp --dport 4433 -j ACCEPT"; }
firewall_open_overlay() { documented "$1" "iptables -I INPUT -i mlsh0 -j ACCEPT"; }
firewall_story iptables ssh-is-open
