#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The finished programs of another machine, run by an emulator: a server, a cluster that is set up at it,
# a second machine that joins. The network is a loopback of its own. ARCH says which machine; its
# build folder is B.
set -uo pipefail

arch=$(tools/arch name "${ARCH:+$ARCH}")
B=${B:-$(tools/arch folder "$arch")}
read -ra emulator <<<"$(tools/arch emulator "$arch")"
namespace=(unshare --net)
[ "$(id -u)" = 0 ] || namespace+=(--map-root-user)
if [ -z "${EMULATED_INSIDE:-}" ]; then
	tools/need --optional ip unshare >&2
	if "${namespace[@]}" true 2>/dev/null && command -v ip >/dev/null; then
		exec "${namespace[@]}" env EMULATED_INSIDE=1 "$0"
	fi
	echo "skip - programs for $arch: needs a network namespace (root), and ip"
	exit 0
fi
ip link set lo up
work=$(mktemp -d)
server=
stop() {
	[ -z "$server" ] || kill "$server" 2>/dev/null
	rm -rf "$work"
}
trap stop EXIT
failed=0

check() { # name, command...; what it printed is shown if it fails
	local name="$1 ($arch)"
	shift
	if "$@" >"$work/out" 2>&1; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		sed 's/^/    /' "$work/out" "$work/server.err"
		failed=1
	fi
}
run() { # program, argument...
	local name=$1
	shift
	"${emulator[@]}" "$B/bin/$name" "$@"
}
mlsh() { # machine, argument...
	local machine=$1
	shift
	mkdir -p "$work/$machine"
	HOME=$work/$machine XDG_CONFIG_HOME='' SUDO_UID='' MLSH_SOCKET=$work/none run mlsh "$@" </dev/null
}
until_it() { # command...; at most a minute
	local end=$((SECONDS + 60))
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}
versions() {
	local name
	for name in mlsh mlshtund mlsh-signal; do
		run "$name" --version | grep -x "$name $(tools/version).*" || return 1
	done
}

export MLSH_SIGNAL_CONFIG=$work/config.toml MLSH_SIGNAL_DB=$work/state/signal.db
printf '[quic]\nbind = "127.0.0.1:4433"\n' >"$MLSH_SIGNAL_CONFIG"
mkdir "$work/state"
chmod 755 "$work" # for the user that the server becomes
chmod 777 "$work/state"
: >"$work/server.err"
check "the programs tell their version" versions
"${emulator[@]}" "$B/bin/mlsh-signal" >"$work/token" 2>"$work/server.err" </dev/null &
server=$!
check "the server prints a token" until_it grep -q @ "$work/token"
token=$(head -n 1 "$work/token")
invite_of() { mlsh nas invite --name laptop >"$work/said" 2>&1 && invite=$(grep -oE 'mlsh://[^ ]+' "$work/said") || { cat "$work/said"; false; }; }
check "another token is refused" eval '! mlsh nas setup homelab --name nas --signal-host 127.0.0.1 \
	--token "AAAA-AAAA-AAAA@${token#*@}"'
check "a cluster is set up" mlsh nas setup homelab --name nas --signal-host 127.0.0.1 --token "$token"
check "its admin invites a machine" invite_of
check "which joins" mlsh laptop adopt "${invite:-}"
check "the server knows the cluster" eval 'run mlsh-signal clusters | grep homelab'
check "and both machines" eval '[ "$(run mlsh-signal nodes homelab | grep -cE "nas|laptop")" = 2 ]'
kill "$server"
check "the server ends when it is told to" wait "$server"
server=
exit $failed
