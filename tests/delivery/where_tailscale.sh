#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Beside Tailscale, whose range is mlsh's own, 100.64.0.0/10. Its device, routes and packet rules are played as its Linux
# client leaves them: the address 100.101.102.103, routes to peers in table 52 behind rule 5270, and a rule that drops
# what comes from the range by another interface. The machines' own firewall closes port 8080 behind Tailscale's rules.
#
#     signal 10.71.9.2; nas .1.2; laptop .2.2 and desk .3.2 have Tailscale; one router
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root where_tailscale
trap lab_down EXIT
lab_up
for m in signal:9 nas:1 laptop:2 desk:3; do machine "${m%:*}" "${m#*:}"; done
tailscale() { # machine
	ip -n "$LAB-$1" tuntap add dev tailscale0 mode tun && ip -n "$LAB-$1" addr add 100.101.102.103/32 dev tailscale0 &&
		ip -n "$LAB-$1" link set tailscale0 up || return 1
	for peer in 100.100.100.100 100.77.1.2; do ip -n "$LAB-$1" route add "$peer" dev tailscale0 table 52; done
	ip -n "$LAB-$1" rule add pref 5270 lookup 52
	ip netns exec "$LAB-$1" nft -f - <<-'NFT'
		table ip filter {
			chain ts-input {
				iifname "lo" ip saddr 100.101.102.103 accept
				iifname != "tailscale0" ip saddr 100.115.92.0/23 return
				iifname != "tailscale0" ip saddr 100.64.0.0/10 drop
				iifname "tailscale0" accept
			}
			chain input {
				type filter hook input priority 0;
				jump ts-input;
				tcp dport 8080 drop
			}
		}
	NFT
}
must "server" signal_start
must "a cluster in the usual range" mesh_up homelab nas
must "Tailscale on two machines" eval 'tailscale laptop && tailscale desk'

# --- a cluster that is made there takes another range by itself ---
check "setup takes another range" eval 'on laptop mlsh setup mine --signal-host "${MACHINE_IP[signal]}" --token "$(new_token)" \
	--name laptop && ! grep -q "subnet.*100\.64" "$WORK/laptop/home/.config/mlsh/clusters/mine.toml"'
must "it connects" node_up laptop mine
must "the other machine with Tailscale joins" mesh_join mine laptop desk
address_of() { on "$1" mlsh status "$2" --json | python3 -c 'import json, sys
print(json.load(sys.stdin)["clusters"][0]["address"])'; }
check "packets pass both ways" wait_until 10 eval 'pings desk "$(address_of laptop mine)" && pings laptop "$(address_of desk mine)"'
check "nothing collides" status_holds laptop mine "c['conflicts'] == []"
check "routes of Tailscale are as before" eval 'ip -n "$LAB-laptop" route get 100.77.1.2 | has "dev tailscale0"'

# --- a machine that joins a cluster in the usual range is told why nothing arrives ---
must "a node joins the other cluster" eval 'invite_url nas homelab | on laptop mlsh adopt - --name laptop && node_up laptop homelab'
claimed() { on laptop mlsh status homelab | joined | has "tailscale0 on this host claims 100.64.0.0/10"; }
check "status says who claims the range" wait_until 10 claimed
check "what members send is dropped" eval '! pings laptop "$(address_of nas homelab)"'

# --- the documented exception ---
# shellcheck disable=SC2034 # the eval below uses it
exception=$(sed -n 's/^    sudo \(nft insert rule ip filter ts-input .*\)/\1/p' docs/where-it-runs.md)
check "opened by the documented command" eval '[ -n "$exception" ] && ip netns exec "$LAB-laptop" sh -c "$exception"'
check "now packets pass" wait_until 10 pings laptop "$(address_of nas homelab)"
on_bg laptop closed.log python3 -m http.server 8080
on_bg laptop open.log python3 -m http.server 8081
gets() { on nas curl -s -m 2 -o /dev/null "http://$(address_of laptop homelab):$1/"; } # port
check "an open port answers" wait_until 10 gets 8081
check "what the machine's firewall closes stays closed" eval '! gets 8080'
check "and still do in the other cluster" pings laptop "$(address_of desk mine)"
[ $LAB_FAILED = 0 ] || show_logs 20
exit $LAB_FAILED
