# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# This project: a signal server on a third machine, then a tunnel between the two.
driver_version() { "$BIN/mlsh" --version | head -n 1; }
driver_prepare() {
	[ -n "${MACHINE_IP[signal]:-}" ] && signal_ready || return 1
	on "$A" mlsh setup bench --signal-host "${MACHINE_IP[signal]}" --token "$(new_token)" --name a &&
		invite_url "$A" bench | on "$B" mlsh adopt - --name b
}
driver_start() { daemon "$1" "$BIN/mlsh" connect bench --foreground; }
driver_address() {
	wait_until 10 has_address && address
}
address() { ip -n "$LAB-$B" -j -4 addr show dev mlsh0 | jq -r '.[0].addr_info[0].local // empty'; }
has_address() { [ -n "$(address)" ]; }
