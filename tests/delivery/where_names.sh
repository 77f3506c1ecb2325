#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Names on a machine without systemd-resolved: real dnsmasq and unbound with the lines of docs/where-it-runs.md, and
# /etc/hosts, in a whole Debian system. Upstream there is a name server that gives every name the address 192.0.2.80.
#
#     signal 10.71.9.2 (upstream DNS too), nas .1.2 (Debian), laptop .2.2; one router
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh
. tests/delivery/lib_system.sh
. tests/delivery/lib_where.sh
system_begin "$0" "$@"

lab_need_root where_names
trap lab_down EXIT
lab_up
where_system where_names || exit 77
for m in signal:9 laptop:2; do machine "${m%:*}" "${m#*:}"; done
must "Debian on nas" system_machine nas 1
must "server" signal_start
must "two nodes" mesh_up homelab laptop nas
on_bg signal upstream.log python3 tests/lab/upstream.py 10.71.9.2
finds() { [ "$(on nas getent ahostsv4 "$1" | awk 'NR == 1 { print $1 }')" = "$2" ]; } # name, address

# The document's lines for a program, with the cluster's name and this node's address in their place.
lines_of() { # program
	sed -n "/^With \*\*$1\*\*/,/^With\|^\*\*\|^##\|^|/{/^    /p}" docs/where-it-runs.md | sed "s/^    //; s/100\.64\.0\.1/100.64.0.2/"
}

printf 'nameserver 10.71.9.2\n' >"$WORK/nas/root/etc/resolv.conf"
check "names of the internet" wait_until 5 finds www.example.org 192.0.2.80
check "without a resolver names of the mesh go upstream and are not known there" finds laptop.homelab 192.0.2.80
check "status says what to do" eval 'on nas mlsh status | joined | has "no systemd-resolved here.*dnsmasq, unbound"'

# --- /etc/hosts ---
hosts=$(sed -n 's/^    \(mlsh nodes homelab | .*\) | sudo tee -a .*/\1/p' docs/where-it-runs.md)
check "the document has a line for /etc/hosts" test -n "$hosts"
on nas sh -c "$hosts" >>"$WORK/nas/root/etc/hosts"
check "names by /etc/hosts" eval 'finds laptop.homelab 100.64.0.1 && finds nas.homelab 100.64.0.2'
check "ping by name" on nas ping -n -c 1 -W 2 laptop.homelab
sed -i /homelab/d "$WORK/nas/root/etc/hosts"

resolver() { # program, its own words for the upstream, command...
	local program=$1 upstream=$2 lines
	shift 2
	: >"$WORK/signal/upstream.log"
	lines=$(lines_of "$program")
	printf '%s\n%s\n' "$lines" "$upstream" >"$WORK/nas/root/etc/$program-test.conf"
	must "the document has lines for $program" test -n "$lines"
	on_bg nas "$program.log" "$@"
	RESOLVER=$BG
	printf 'nameserver 127.0.0.1\n' >"$WORK/nas/root/etc/resolv.conf"
	check "$program: names of the mesh" wait_until 10 finds laptop.homelab 100.64.0.1
	check "$program: of the internet" wait_until 10 finds www.example.org 192.0.2.80
	check "$program: no name of the mesh went upstream" eval '! grep homelab "$WORK/signal/upstream.log"'
	check "$program: the node's own DNS server answers beside it" eval \
		'[ "$(ip netns exec "$LAB-nas" dig +short +tries=1 +time=2 @100.64.0.2 laptop.homelab)" = 100.64.0.1 ]'
	stop "$RESOLVER"
	wait_until 5 eval '! listens nas 127.0.0.1:53'
}
resolver dnsmasq $'no-resolv\nserver=10.71.9.2\nuser=root' dnsmasq --keep-in-foreground --conf-file=/etc/dnsmasq-test.conf
resolver unbound $'server:\n  interface: 127.0.0.1\n  username: ""\n  chroot: ""\n  pidfile: ""\n  use-syslog: no\n  module-config: "iterator"\nforward-zone:\n  name: "."\n  forward-addr: 10.71.9.2' \
	unbound -d -c /etc/unbound-test.conf
[ $LAB_FAILED = 0 ] || show_logs 20
exit $LAB_FAILED
