#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# mlshtund with a fixed UDP port, behind a firewall that lets in this port and nothing else that was not asked for.
#
#     signal 10.71.9.2, nas .1.2 (behind its firewall) and laptop .2.2 (behind a NAT that takes a random port for each
#     destination), one router
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root fixed_port
trap lab_down EXIT
lab_up
for m in signal:9 nas:1 laptop:2; do machine "${m%:*}" "${m#*:}"; done
must "a firewall and a NAT" eval 'ip netns exec "$LAB-nas" nft -f - <<-END
	table inet host {
		chain in {
			type filter hook input priority 0; policy drop;
			iifname { "lo", "mlsh*" } accept
			ct state established,related accept
			meta l4proto { icmp, ipv6-icmp } accept
			udp dport 41641-41642 accept
		}
	}
END
	ip -n "$LAB-router" addr add 203.0.113.2/32 dev lo && ip netns exec "$LAB-router" nft -f - <<-END
	table ip hard {
		chain out {
			type nat hook postrouting priority 100;
			ip saddr 10.71.2.2 meta l4proto udp snat to 203.0.113.2:1024-65535 fully-random
		}
		chain between {
			type filter hook forward priority 0;
			iifname "to-nas" oifname "to-laptop" ct state new drop
		}
		chain local {
			type filter hook input priority 0;
			meta l4proto udp drop
		}
	}
END'
must "server" signal_start
for wrong in 0 65536 x 41641x -1; do
	check_fails "--port $wrong is refused" 2 "port.*a whole number from 1 to 65535" eval "on nas mlshtund --port=$wrong"
done
check_fails "in the environment, too" 2 "MLSH_PORT. takes a whole number from 1 to 65535.*.ssh" on nas env MLSH_PORT=ssh mlshtund
must "the first cluster" eval 'daemon_start nas --port 41641 && on nas mlsh setup homelab --signal-host "${MACHINE_IP[signal]}" \
	--token "$(new_token)" --name nas && on nas mlsh connect homelab'
port_of() { on nas mlsh netcheck "$1" --json | json_holds "d['port'] == $2"; } # cluster, port
check "has the port" port_of homelab 41641
must "laptop" eval 'daemon_start laptop && invite_url nas homelab | on laptop mlsh adopt - --name laptop && node_up laptop homelab'
direct() { on laptop mlsh status homelab --json | json_holds "[p['path'] for p in d['clusters'][0]['peers']] == ['direct']"; }
check "a hard NAT reaches it directly through the firewall" wait_until 20 direct
check "at that port" eval 'on laptop mlsh status homelab --json | has "10.71.1.2:41641"'
check "a second cluster has the next port" eval 'on nas mlsh setup attic --signal-host "${MACHINE_IP[signal]}" --token "$(new_token)" --name nas &&
	on nas mlsh connect attic && port_of attic 41642'
pause 1.5 # both are saved by then
stop "${DAEMON_PID[nas]}" KILL
check "killed and started again" eval 'daemon_start nas --port 41641 && wait_until 10 port_of homelab 41641 && port_of attic 41642'

# --- taken by another program ---
stop "${DAEMON_PID[nas]}"
on_bg nas other.out socat -u UDP6-RECV:41641 OPEN:/dev/null
other=$BG
wait_until 5 listens nas :41641
daemon_start nas --port 41641
check "a port that another program has is waited for, and said" eval 'on nas mlsh status homelab | joined |
	has "stopped.*another program has UDP port 41641.*tries again each 5 s"'
check_fails "by connect, too" 1 "another program has UDP port 41641" on nas mlsh connect homelab
check "the other cluster is up" port_of attic 41642
stop "$other"
check "it takes the port when that is free" wait_until 15 port_of homelab 41641
check "and is connected" wait_until 10 connected nas homelab
must "one cluster is left" on nas mlsh forget attic --yes
stop "${DAEMON_PID[nas]}"

# --- a port that other users of the machine cannot take ---
daemon_start nas --port 443
check "a port below 1024" wait_until 10 port_of homelab 443
pause 1.5 # it is saved by then
stop "${DAEMON_PID[nas]}" KILL
daemon_start nas
check "it is known after a crash" wait_until 2 port_of homelab 443
stop "${DAEMON_PID[nas]}"
on_bg nas foreground.out env MLSH_PORT=41642 mlsh connect homelab --foreground
check "in the foreground, too" eval 'wait_until 10 listens nas :41642'
exit $LAB_FAILED
