# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# wireguard-go with wg from wireguard-tools.
driver_needs() { need_programs wireguard-go wg; }
driver_version() { "$(program wireguard-go)" --version 2>&1 | head -n 1; }
driver_prepare() {
	local side
	for side in a b; do
		wg genkey >"$(folder $side)/key" && wg pubkey <"$(folder $side)/key" >"$(folder $side)/public" || return 1
	done
	for side in a b; do
		cat >"$(folder $side)/conf" <<-END
			[Interface]
			PrivateKey = $(cat "$(folder $side)/key")
			ListenPort = 51820
			[Peer]
			PublicKey = $(cat "$(folder "$(other $side)")/public")
			AllowedIPs = $(inner "$(other $side)")/32
			Endpoint = $(outer "$(other $side)"):51820
		END
	done
}
driver_start() { # side
	local m=$1
	daemon "$1" env LOG_LEVEL=error "$(program wireguard-go)" -f wg0
	await device "$1" wg0 && await test -S "$(folder "$1")/run/wireguard/wg0.sock" &&
		on "$(machine_of "$m")" wg setconf wg0 "$(folder "$m")/conf" && device_up "$m" wg0 1420
}
