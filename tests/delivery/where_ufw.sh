#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The commands for ufw in docs/where-it-runs.md, with a real ufw in whole Debian systems.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh
. tests/lab/lib_nat.sh
. tests/delivery/lib_system.sh
. tests/delivery/lib_where.sh
system_begin "$0" "$@"

firewall_on() { on "$1" ufw --force enable; }
firewall_open_server() { documented signal "ufw allow 4433/udp"; }
firewall_open_ssh() { documented "$1" "ufw allow in on mlsh0 to any port 22 proto tcp"; }
firewall_open_overlay() { documented "$1" "ufw allow in on mlsh0"; }

# A peer whose NAT takes another port for each destination does not get through a firewall that lets answers in only,
# but through an open port.
firewall_more() {
	must "a node behind a symmetric NAT" eval 'gateway 20 symmetric && behind hard 20 && mesh_join homelab nas hard'
	tried() { on nas mlsh why hard --json | json_holds "d['path'] == 'relay' and d['reason'] != 'trying'"; }
	check "over the relay, after all has been tried" wait_until 20 tried
	stop "${DAEMON_PID[nas]}"
	check "opened by the documented command: a port" documented nas "ufw allow 41414/udp"
	on_exec nas env "$(sed -n 's/^    Environment=\(MLSH_PORT=.*\)/\1/p' docs/where-it-runs.md)" mlshtund \
		>>"$WORK/nas/mlshtund.log" 2>&1 </dev/null &
	DAEMON_PID[nas]=$!
	LAB_PIDS+=("$!")
	check "the daemon has that port" wait_until 10 listens nas :41414
	check "direct" wait_until 30 direct nas hard
	check "packets pass" wait_until 10 pings hard 100.64.0.1
}
firewall_story ufw
