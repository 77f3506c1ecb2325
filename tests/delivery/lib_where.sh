# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# A server and two nodes behind one firewall program each, and a third node without. The script says
# how the firewall is turned on and opened; the story is the same for all: what is closed, what the
# messages say, what works without any opening, and what the documented commands open.
#
#     signal 10.71.9.2, nas .1.2, desk .3.2 (firewalls), laptop .2.2 (none); one router, no NAT

# All scripts share one system.
readonly where_packages=(conntrack dbus dnsmasq-base dropbear-bin firewalld iproute2 iptables iputils-ping lxc nftables
	procps python3 socat ufw unbound)

where_system() { system_with "$1" "${where_packages[@]}"; } # case

# documented MACHINE COMMAND: the command stands in the document, and does what it does there.
documented() {
	grep -qxF "    sudo $2" docs/where-it-runs.md || { echo "docs/where-it-runs.md has no line: sudo $2" && return 1; }
	on "$1" sh -ec "$2"
}

# The lines of a block of the document, from one that begins with the first word to a closing brace.
documented_block() { # beginning
	awk -v begin="    $1" 'index($0, begin) == 1 { on = 1 }
		on { print substr($0, 5) }
		on && /^    }/ { exit }' docs/where-it-runs.md
}

firewall_setup() { # token
	on nas timeout 60 mlsh setup homelab --signal-host "${MACHINE_IP[signal]}" --token "$1" --name nas
}

# Sets up, joins and connects all; the firewalls stay as they are.
firewall_mesh() { mesh_join homelab nas desk laptop; }

direct() { status_holds "$1" homelab "any(p['name'] == '$2' and p['path'] == 'direct' for p in c['peers'])"; }

message_is_documented() {
	local command n=0
	while read -r command; do
		grep -qxF "    $command" docs/where-it-runs.md || { echo "not in the document: $command" && return 1; }
		n=$((n + 1))
	done < <(grep -oE 'sudo (ufw|firewall-cmd|nft|iptables) .*' "$WORK/closed")
	[ "$n" -ge 3 ]
}

firewall_closed() {
	local token=$1
	check "the port of the server is closed: setup names it" eval '! firewall_setup "$token" >"$WORK/closed" 2>&1 &&
		cat "$WORK/closed" && joined <"$WORK/closed" | has "UDP port 4433"'
	check "and its commands are those of the document" message_is_documented
	check "opened by the documented command" firewall_open_server
	must "setup" firewall_setup "$token"
}

firewall_nodes() {
	must "the first node connects, nothing opened" node_up nas homelab
	must "so do the others" firewall_mesh
	for pair in nas:desk nas:laptop laptop:desk; do
		check "direct, nothing opened: ${pair%:*} and ${pair#*:}" \
			wait_until 15 eval 'direct "${pair%:*}" "${pair#*:}" && direct "${pair#*:}" "${pair%:*}"'
	done
	check "ping over the mesh" wait_until 10 pings laptop 100.64.0.1
	check "the node asks its own DNS server" eval \
		'[ "$(plain_on nas dig +short +tries=1 +time=2 @100.64.0.1 desk.homelab)" = "$(address_of desk)" ]'
}

# With the tools of this machine, in the other's network.
plain_on() { ip netns exec "$LAB-$1" "${@:2}"; }
address_of() { on "$1" mlsh status homelab --json | python3 -c 'import json, sys
print(json.load(sys.stdin)["clusters"][0]["address"])'; }

firewall_services() { # "ssh-is-open"
	must "services on nas" system_services nas
	check "they answer on the machine itself" eval 'answers nas 127.0.0.1 22 SSH- && answers nas 127.0.0.1 8080 other'
	check "closed over the mesh: port 8080" eval '! answers laptop 100.64.0.1 8080 other'
	if [ "$1" = ssh-is-open ]; then
		check "open over the mesh as everywhere: ssh" wait_until 10 answers laptop 100.64.0.1 22 SSH-
	else
		check "closed over the mesh: ssh" eval '! answers laptop 100.64.0.1 22 SSH-'
		check "opened by the documented command: ssh" firewall_open_ssh nas
		check "ssh answers over the mesh" wait_until 10 answers laptop 100.64.0.1 22 SSH-
		check "from elsewhere it is still closed" eval '! answers laptop "${MACHINE_IP[nas]}" 22 SSH-'
		check "and the other port, too" eval '! answers laptop 100.64.0.1 8080 other'
	fi
	check "opened for all members by the documented command" firewall_open_overlay nas
	check "the other port answers over the mesh" wait_until 10 answers laptop 100.64.0.1 8080 other
	check "from elsewhere it is still closed" eval '! answers laptop "${MACHINE_IP[nas]}" 8080 other'
	check "and members still ping" wait_until 10 pings laptop 100.64.0.1
}

firewall_story() { # name, "ssh-is-open": over the mesh, without another rule
	local m name=$1
	lab_need_root "$name"
	trap lab_down EXIT
	lab_up
	where_system "$name" || exit 77
	for m in signal:9 nas:1 desk:3; do must "Debian on ${m%:*}" system_machine "${m%:*}" "${m#*:}"; done
	machine laptop 2
	for m in signal nas desk; do must "firewall on $m" firewall_on "$m"; done
	must "server" system_server
	firewall_closed "$(token_of)"
	firewall_nodes
	firewall_services "${2:-}"
	! declare -F firewall_more >/dev/null || firewall_more
	[ $LAB_FAILED = 0 ] || show_logs 30
	exit $LAB_FAILED
}
