# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Machines in network namespaces, for the demo and the lab tests.
#
#     nas 10.71.1.2 ----.
#     laptop 10.71.2.2 --- router 10.71.N.1 --- signal 10.71.9.2
#     desk 10.71.3.2 ---'
#
# Each machine has a network of its own behind the router, and its own home, /run, state folder and
# resolv.conf. Nothing outside the namespaces and the work folder is touched; all of it goes when the
# script ends.

set -uo pipefail

BIN=${BIN:-$PWD/build/bin}
LAB=mlsh$$
WORK=$(mktemp -d "${TMPDIR:-/tmp}/mlsh-lab.XXXXXX")
declare -A MACHINE_IP=()
declare -a LAB_PIDS=()

lab_need_root() {
	if [ "$(id -u)" != 0 ]; then
		echo "skip - $1: needs root, for network namespaces and TUN devices"
		exit 77
	fi
	"$(dirname "${BASH_SOURCE[0]}")/../../tools/need" ip ping curl socat dig nft python3 tcpdump || exit 1
}

# Ends what this lab started (by process id), then removes its namespaces and files.
lab_down() {
	local ns pid
	trap - ERR
	set +eE
	for pid in "${LAB_PIDS[@]}"; do kill "$pid" 2>/dev/null; done
	for ns in $(ip netns list | awk '{ print $1 }' | grep "^$LAB-"); do
		for pid in $(ip netns pids "$ns" 2>/dev/null); do kill "$pid" 2>/dev/null; done
	done
	for ns in $(ip netns list | awk '{ print $1 }' | grep "^$LAB-"); do
		wait_until 3 ns_empty "$ns" ||
			for pid in $(ip netns pids "$ns" 2>/dev/null); do kill -9 "$pid" 2>/dev/null; done
		ip netns del "$ns" 2>/dev/null
	done
	rm -rf "$WORK"
}

ns_empty() { [ -z "$(ip netns pids "$1" 2>/dev/null)" ]; }

lab_up() {
	mount --make-rprivate / 2>/dev/null || true
	ip netns add "$LAB-router"
	ip -n "$LAB-router" link set lo up
	ip netns exec "$LAB-router" sysctl -qw net.ipv4.ip_forward=1
}

# machine NAME NUMBER: 10.71.NUMBER.2 behind the router.
machine() {
	local name=$1 n=$2 ns=$LAB-$1
	ip netns add "$ns"
	ip -n "$ns" link set lo up
	ip link add "eth0" netns "$ns" type veth peer name "to-$name" netns "$LAB-router"
	ip -n "$LAB-router" addr add "10.71.$n.1/24" dev "to-$name"
	ip -n "$LAB-router" link set "to-$name" up
	ip -n "$ns" addr add "10.71.$n.2/24" dev eth0
	ip -n "$ns" link set eth0 up
	ip -n "$ns" route add default via "10.71.$n.1"
	MACHINE_IP[$name]=10.71.$n.2
	mkdir -p "$WORK/$name/home" "$WORK/$name/run" "$WORK/$name/state"
	printf '# no resolver yet\n' >"$WORK/$name/resolv.conf"
}

# on NAME COMMAND...: on that machine, in its own namespaces.
on() {
	local name=$1
	shift
	ip netns exec "$LAB-$name" unshare --mount --propagation private env -i \
		PATH="$BIN:/usr/sbin:/usr/bin:/sbin:/bin" LC_ALL=C.UTF-8 TERM="${TERM:-dumb}" \
		HOME="$WORK/$name/home" W="$WORK/$name" \
		sh -c 'mount --bind "$W/run" /run && mount --bind "$W/resolv.conf" /etc/resolv.conf &&
			mount --bind "$W/state" /var/lib && exec "$@"' sh "$@"
}

# on_bg NAME LOG COMMAND...: the same in the background; its process id is in $BG.
on_bg() {
	local name=$1 log=$WORK/$1/$2
	shift 2
	on "$name" "$@" >"$log" 2>&1 </dev/null &
	BG=$!
	LAB_PIDS+=("$BG")
}

# wait_until SECONDS COMMAND...: tries it again and again until it succeeds.
wait_until() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# The process that really is COMMAND, below the shell and namespaces tools that started it.
lab_pid() { # machine, program name
	local pid
	for pid in $(ip netns pids "$LAB-$1" 2>/dev/null); do
		[ "$(tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | head -n 1 | xargs -r basename)" = "$2" ] &&
			echo "$pid" && return 0
	done
	return 1
}

token_of() { grep -hoE '[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}@[0-9a-f]{64}' "$WORK/signal/signal.log" | head -n 1; }

# Starts mlsh-signal on the machine `signal`; extra arguments are environment assignments.
signal_start() {
	on_bg signal signal.log env MLSH_SIGNAL_DB="$WORK/signal/signal.db" "$@" mlsh-signal
	SIGNAL_PID=$BG
	wait_until 10 signal_ready
}

signal_ready() { ip netns exec "$LAB-signal" ss -Hlun 'sport = :4433' | grep -q .; }

# The machine asks its own node's DNS server for everything: these namespaces have no systemd-resolved.
use_own_dns() { # machine, overlay address
	printf 'nameserver %s\n' "$2" >"$WORK/$1/resolv.conf"
}

# --- reporting ---
LAB_FAILED=0
pass() { echo "ok - $*"; }
fail() {
	echo "not ok - $*"
	LAB_FAILED=1
}
# check NAME COMMAND...: one case; what the command printed is shown when it fails.
check() {
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then
		pass "$name"
	else
		fail "$name"
		printf '%s\n' "$out" | sed 's/^/    /'
	fi
}
# check_fails NAME CODE PATTERN COMMAND...: must exit with CODE and print PATTERN.
check_fails() {
	local name=$1 code=$2 pattern=$3 out rc
	shift 3
	out=$("$@" 2>&1)
	rc=$?
	if [ $rc = "$code" ] && grep -qiE -- "$pattern" <<<"$out"; then
		pass "$name"
	else
		fail "$name: exit $rc instead of $code, or no '$pattern'"
		printf '%s\n' "$out" | sed 's/^/    /'
	fi
}
show_logs() {
	local log
	for log in "$WORK"/*/*.log; do
		[ -s "$log" ] && echo "--- ${log#"$WORK"/}" && tail -n "${1:-20}" "$log"
	done
}
