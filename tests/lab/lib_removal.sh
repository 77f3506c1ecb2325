# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# A node is removed while packets run: for the lab test and for bench/removal.sh. The machines are signal, nas (the
# admin), laptop, and gone, which joins again under another name after each removal.

export -f on_exec
export LAB WORK BIN LAB_TUN

removal_up() {
	local m
	lab_up
	for m in signal:9 nas:1 laptop:2 gone:3; do machine "${m%:*}" "${m#*:}"; done
	signal_start && mesh_up homelab nas laptop
}

inner() { # machine
	ip -n "$LAB-$1" -j -4 addr show dev mlsh0 | python3 -c 'import json, sys
print([a["local"] for i in json.load(sys.stdin) for a in i.get("addr_info", [])][0])'
}

path_is() { # machine, peer, path
	status_holds "$1" homelab \
		"any(p['name'] == '$2' and p['state'] == 'connected' and p['path'] == '$3' for p in c['peers'])"
}

# Between gone and the others only the server's relay is left.
cut_direct() {
	ip netns exec "$LAB-router" nft "table ip cut { chain forward { type filter hook forward priority 0;
		ip saddr ${MACHINE_IP[gone]} ip daddr != ${MACHINE_IP[signal]} drop;
		ip daddr ${MACHINE_IP[gone]} ip saddr != ${MACHINE_IP[signal]} drop; }; }"
}
mend_direct() { ip netns exec "$LAB-router" nft delete table ip cut 2>/dev/null; }

# gone joins under this name, and has tunnels with both others by this path.
removal_join() { # name, path
	local m
	invite_url nas homelab | on gone mlsh adopt - --name "$1" >"$WORK/gone/adopt.out" 2>&1 &&
		node_up gone homelab || return 1
	for m in nas laptop; do wait_until 20 path_is "$m" "$1" "$2" || return 1; done
}

removal_leave() { on gone mlsh forget homelab --yes >"$WORK/gone/forget.out" 2>&1; }

# nas removes it while packets run. $WORK/times: what removal.py prints; $WORK/remove.out: what the command does.
removal_measure() { # name, [--bulk]
	tests/lab/removal.py ${2:+"$2"} "$LAB-gone" "$(inner gone)" "$LAB-nas" "$(inner nas)" "$LAB-laptop" "$(inner laptop)" -- \
		bash -c 'on_exec "$@"' sh nas mlsh remove "$1" --yes >"$WORK/times" 2>"$WORK/remove.out"
}
