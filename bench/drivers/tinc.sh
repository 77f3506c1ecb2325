# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# tinc 1.0 in router mode over UDP. It has no AEAD: AES-256-CBC and SHA-256 instead of its old default.
driver_needs() { need_programs tincd openssl; }
driver_version() { "$(program tincd)" --version | head -n 1; }
driver_prepare() {
	local side dir
	for side in a b; do
		dir=$(folder $side)/tinc
		mkdir -p "$dir/hosts"
		printf '%s\n' "Name = $side" "Interface = tinc0" "Mode = router" "AddressFamily = ipv4" \
			"UDPRcvBuf = 2097152" "UDPSndBuf = 2097152" >"$dir/tinc.conf"
		openssl genrsa -traditional -out "$dir/rsa_key.priv" 2048 2>/dev/null || return 1
		{
			printf '%s\n' "Address = $(outer $side)" "Subnet = $(inner $side)/32" \
				"Cipher = aes-256-cbc" "Digest = sha256" "PMTU = 1500"
			openssl rsa -in "$dir/rsa_key.priv" -RSAPublicKey_out 2>/dev/null
		} >"$dir/hosts/$side"
	done
	cp "$(folder a)/tinc/hosts/a" "$(folder b)/tinc/hosts/" && cp "$(folder b)/tinc/hosts/b" "$(folder a)/tinc/hosts/" &&
		echo "ConnectTo = b" >>"$(folder a)/tinc/tinc.conf"
}
driver_start() { # side
	daemon "$1" "$(program tincd)" -D -c "$(folder "$1")/tinc" --pidfile="$(folder "$1")/tinc.pid"
	await device "$1" tinc0 && device_up "$1" tinc0 1400
}
