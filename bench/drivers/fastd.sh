# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# fastd with its usual cipher.
driver_needs() { need_programs fastd; }
driver_version() { "$(program fastd)" --version; }
driver_prepare() {
	local side
	for side in a b; do "$(program fastd)" --generate-key >"$(folder $side)/keys" 2>/dev/null || return 1; done
	for side in a b; do
		cat >"$(folder $side)/conf" <<-END
			mode tun; interface "fastd0"; mtu 1420; method "salsa2012+umac"; bind any:10000; log level warn;
			secret "$(awk '/^Secret/ { print $2 }' "$(folder $side)/keys")";
			peer "other" {
				key "$(awk '/^Public/ { print $2 }' "$(folder "$(other $side)")/keys")";
				remote $(outer "$(other $side)"):10000;
			}
		END
	done
}
driver_start() { # side
	daemon "$1" "$(program fastd)" -c "$(folder "$1")/conf"
	await device "$1" fastd0 && device_up "$1" fastd0 1420
}
