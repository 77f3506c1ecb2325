#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A server at home: a machine in the LAN, to which the router forwards UDP port 4433 of its public address. It is a node
# itself; others are in its LAN, in another home and on the internet. With a router that hairpins (sends what the LAN
# sends to its public address back into the LAN), as most do, and with one that does not.
#
#     signal 10.72.10.2 (server and node) --- lan --- gw-10 198.18.10.2 --- router --- gw-20 198.18.20.2 --- laptop 10.72.20.2
#     nas 10.72.10.3 ------------------------'                                '----- vps 198.18.30.2
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh
. tests/lab/lib_nat.sh

lab_need_root where_home
trap lab_down EXIT
lab_up
must "two homes" eval 'gateway 10 port && behind signal 10 && behind nas 10 3 && gateway 20 port && behind laptop 20'
public vps 30
# As routers have it: rules are for what is routed, not for what their switch passes on.
if [ -e /proc/sys/net/bridge ]; then set_kernel "$LAB-gw-10" net.bridge.bridge-nf-call-iptables=0; fi
HOME_ADDRESS=198.18.10.2
router_rules() { ip netns exec "$LAB-gw-10" nft -f -; }

must "server" signal_start
TOKEN=$(new_token)
# shellcheck disable=SC2034,SC2154 # the array of lib.sh
MACHINE_IP[signal]=$HOME_ADDRESS
from_outside() { on laptop mlsh setup homelab --signal-host "$HOME_ADDRESS" --token "$TOKEN" --name laptop; }
check_fails "without a forwarded port there is no answer" 5 "no answer" from_outside
must "the router forwards the port" router_rules <<-'NFT'
	table ip forward {
		chain in { type nat hook prerouting priority dstnat; iifname "wan" udp dport 4433 dnat to 10.72.10.2; }
	}
NFT
must "setup from another home" from_outside
must "a node there" node_up laptop homelab
holds() { status_holds "$1" homelab "any(p['name'] == '$2' and $3 for p in c['peers'])"; } # machine, peer, of p
path_is() { holds "$1" "$2" "p['path'] == '$3'" && holds "$2" "$1" "p['path'] == '$3'"; }
reason_is() { on "$1" mlsh why "$2" --json | json_holds "d['reason'] == '$3'"; } # machine, peer, reason
address_of() { on "$1" mlsh status homelab --json | python3 -c 'import json, sys
print(json.load(sys.stdin)["clusters"][0]["address"])'; }

# --- a router that does not hairpin: the LAN needs another way to the server ---
invite_url laptop homelab >"$WORK/url"
check_fails "from the LAN the public address does not lead there" 5 "no answer" eval 'on nas mlsh adopt - --name nas <"$WORK/url"'
# As the router's own name server, or /etc/hosts, would give the server's name.
must "by its inner address it does" eval 'sed -i "s/198\.18\.10\.2/10.72.10.2/" "$WORK/url" &&
	on nas mlsh adopt - --name nas <"$WORK/url" && node_up nas homelab'
check "packets pass to the other home" wait_until 10 pings nas "$(address_of laptop)"
check "over the relay, which is at home" path_is nas laptop relay
check "why: nobody there knows this home's public address" wait_until 15 reason_is nas laptop own-address
check "and on the other side" wait_until 15 reason_is laptop nas other-lan

# --- a router that hairpins ---
must "the router hairpins" router_rules <<-'NFT'
	table ip hairpin {
		chain in { type nat hook prerouting priority dstnat; iifname "lan" ip daddr 198.18.10.2 udp dport 4433 dnat to 10.72.10.2; }
		chain out { type nat hook postrouting priority srcnat; iifname "lan" oifname "lan" masquerade; }
	}
NFT
sed -i 's/10\.72\.10\.2/198.18.10.2/' "$WORK/nas/home/.config/mlsh/clusters/homelab.toml"
must "the public address leads there" eval 'on nas mlsh disconnect homelab && on nas mlsh connect homelab'
check "the server sees the router there" wait_until 5 status_holds nas homelab "c['signal']['observed'].startswith('10.72.10.1:')"
check "packets pass to the other home" wait_until 10 pings nas "$(address_of laptop)"
check "over the relay" path_is nas laptop relay
check "why: the same reasons" wait_until 15 eval 'reason_is nas laptop own-address && reason_is laptop nas other-lan'
must "the server's machine joins" eval 'invite_url laptop homelab | on signal mlsh adopt - --name signal && node_up signal homelab'
check "at home the path is direct" wait_until 15 path_is nas signal direct

# --- a node with a public address, which tells the others where it sees them ---
must "a node on the internet joins" eval 'invite_url laptop homelab | on vps mlsh adopt - --name vps && node_up vps homelab'
for pair in nas:vps laptop:vps signal:vps nas:laptop; do
	check "direct: ${pair%:*} and ${pair#*:}" wait_until 30 path_is "${pair%:*}" "${pair#*:}" direct
done

# --- the server's machine is switched off: tunnels stay ---
stop "$SIGNAL_PID"
check "without the server packets pass" eval 'pings nas "$(address_of laptop)" && pings vps "$(address_of nas)"'
[ $LAB_FAILED = 0 ] || show_logs 20
exit $LAB_FAILED
