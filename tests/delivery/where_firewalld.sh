#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The commands for firewalld in docs/where-it-runs.md, with a real firewalld in whole Debian systems.
# Its default zone lets ssh in from everywhere, and so over the mesh.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh
. tests/delivery/lib_system.sh
. tests/delivery/lib_where.sh
system_begin "$0" "$@"

firewall_on() {
	mkdir -p "$WORK/$1/run/dbus"
	on_bg "$1" bus.log dbus-daemon --system --nofork --nopidfile
	wait_until 10 test -S "$WORK/$1/run/dbus/system_bus_socket" || return 1
	on_bg "$1" firewalld.log firewalld --nofork
	wait_until 20 on "$1" firewall-cmd --state
}
reload="firewall-cmd --reload"
firewall_open_server() { documented signal "firewall-cmd --permanent --add-port=4433/udp" && documented signal "$reload"; }
firewall_open_overlay() {
	documented "$1" "firewall-cmd --permanent --zone=trusted --add-interface=mlsh0" && documented "$1" "$reload"
}
firewall_more() {
	fence_stays() { plain_on nas nft list tables | grep -x "table inet mlsh0"; }
	check "a reload of firewalld leaves the fence of mlsh alone" fence_stays
}
firewall_story firewalld ssh-is-open
