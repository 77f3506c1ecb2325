# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# nebula with AES-256-GCM and fixed addresses instead of a lighthouse.
driver_needs() { need_programs nebula nebula-cert; }
driver_version() { "$(program nebula)" -version 2>&1 | head -n 1; }
driver_prepare() {
	local side ca cert
	ca=$(folder a)/ca cert=$(program nebula-cert)
	"$cert" ca -name bench -duration 24h -out-crt "$ca.crt" -out-key "$ca.key" || return 1
	for side in a b; do
		"$cert" sign -name $side -ip "$(inner $side)/24" -ca-crt "$ca.crt" -ca-key "$ca.key" \
			-out-crt "$(folder $side)/crt" -out-key "$(folder $side)/key" || return 1
		cat >"$(folder $side)/conf.yml" <<-END
			pki: { ca: $ca.crt, cert: $(folder $side)/crt, key: $(folder $side)/key }
			static_host_map: { "$(inner "$(other $side)")": ["$(outer "$(other $side)"):4242"] }
			lighthouse: { am_lighthouse: false }
			listen: { host: 0.0.0.0, port: 4242, batch: 64, read_buffer: 4194304, write_buffer: 4194304 }
			cipher: aes
			tun: { dev: nebula0, mtu: 1420, tx_queue: 1000 }
			logging: { level: error }
			firewall:
			  outbound: [ { port: any, proto: any, host: any } ]
			  inbound: [ { port: any, proto: any, host: any } ]
		END
	done
}
driver_start() { daemon "$1" "$(program nebula)" -config "$(folder "$1")/conf.yml"; }
