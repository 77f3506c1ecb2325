# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# OpenVPN over UDP with TLS and AES-256-GCM, in user space.
driver_needs() { need_programs openvpn openssl; }
driver_version() { "$(program openvpn)" --version | head -n 1 | cut -d ' ' -f 1-2; }
driver_prepare() {
	local side ca
	ca=$(folder a)/ca
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$ca.key" \
		-subj /CN=bench -days 2 -out "$ca.crt" 2>/dev/null || return 1
	for side in a b; do
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$(folder $side)/key" \
			-subj "/CN=$side" -out "$(folder $side)/csr" 2>/dev/null &&
			openssl x509 -req -in "$(folder $side)/csr" -CA "$ca.crt" -CAkey "$ca.key" -CAcreateserial -days 2 \
				-out "$(folder $side)/crt" 2>/dev/null || return 1
	done
}
driver_start() { # side
	local role=(--tls-client --remote "$IP_B" --nobind --connect-retry 1)
	[ "$1" = b ] && role=(--tls-server --dh none)
	daemon "$1" "$(program openvpn)" --dev ovpn0 --dev-type tun --proto udp --port 1194 "${role[@]}" \
		--ca "$(folder a)/ca.crt" --cert "$(folder "$1")/crt" --key "$(folder "$1")/key" \
		--ifconfig "$(inner "$1")" "$(inner "$(other "$1")")" --data-ciphers AES-256-GCM --cipher AES-256-GCM \
		--disable-dco --sndbuf 2097152 --rcvbuf 2097152 --tun-mtu 1420 --mssfix 0 --txqueuelen 1000 --verb 1
}
