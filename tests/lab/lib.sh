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

export LC_ALL=C.UTF-8 # numbers and messages are the same in every language
umask 022
PATH=$PATH:/usr/sbin:/sbin # "su" without "-" leaves them out
BIN=${BIN:-$PWD/build/bin}
LAB=mlsh$$
# Sockets' paths are short, and commands that are shown can be copied: other folders will not do.
lab_tmp=${TMPDIR:-/tmp}
if [[ ! $lab_tmp =~ ^/[A-Za-z0-9/._-]{1,40}$ || ! -w $lab_tmp ]]; then lab_tmp=/tmp; fi
WORK=$(mktemp -d "$lab_tmp/mlsh-lab.XXXXXX") || exit 1
chmod 711 "$WORK" # for the tests with other users
DAEMON_UID=4243 # of the user mlshtund
# The mode of each machine's own TUN device, as udev makes it; empty where the real one has it. In a
# container it is often open to root alone.
LAB_TUN=666
if [ "$(stat -c %a /dev/net/tun 2>/dev/null)" = 666 ]; then LAB_TUN=""; fi
declare -A MACHINE_IP=()
declare -a LAB_PIDS=() LAB_MOUNTS=()

lab_need_root() {
	local missing
	missing=$(lab_missing)
	if [ -n "$missing" ]; then
		echo "skip - $1: $missing"
		rm -rf "$WORK"
		exit 77
	fi
	lab_need
}

# The commands that the lab's scripts and the demo call are there, or are installed.
lab_need() { "$(dirname "${BASH_SOURCE[0]}")/../../tools/need" lab || exit 1; }

# Prints what this machine or its container does not permit, and what to do; nothing if all is well.
lab_missing() {
	local why
	if [ "$(id -u)" != 0 ]; then
		echo "needs root, for network namespaces and TUN devices (sudo make ...)"
	elif ! why=$(unshare --net --mount true 2>&1); then
		echo "no network namespaces may be made here (${why##*: });" \
			"in a container: docker run --privileged"
	elif [ ! -c /dev/net/tun ]; then
		echo "/dev/net/tun is missing; modprobe tun, or docker run --device /dev/net/tun"
	elif ! why=$(unshare --net sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward' 2>&1); then
		echo "/proc/sys/net cannot be written here; in a container: docker run --privileged"
	fi
}

# set_kernel NAMESPACE NAME=VALUE...: kernel parameters of a network namespace, named as for sysctl.
set_kernel() {
	local ns=$1 setting
	shift
	for setting in "$@"; do
		# shellcheck disable=SC2016 # expanded by the inner shell
		ip netns exec "$ns" sh -c 'echo "$2" >"/proc/sys/$1"' sh \
			"$(tr . / <<<"${setting%%=*}")" "${setting#*=}" || return 1
	done
}

# Ends what this lab started (by process id), then removes its namespaces and files.
lab_down() {
	local ns pid mounted
	trap - ERR
	set +eE
	for pid in "${LAB_PIDS[@]}"; do kill "$pid" 2>/dev/null; done
	for ns in $(ip netns list 2>/dev/null | awk '{ print $1 }' | grep "^$LAB-"); do
		for pid in $(ip netns pids "$ns" 2>/dev/null); do kill "$pid" 2>/dev/null; done
	done
	for ns in $(ip netns list 2>/dev/null | awk '{ print $1 }' | grep "^$LAB-"); do
		wait_until 3 ns_empty "$ns" ||
			for pid in $(ip netns pids "$ns" 2>/dev/null); do kill -9 "$pid" 2>/dev/null; done
		ip netns del "$ns" 2>/dev/null
	done
	for mounted in "${LAB_MOUNTS[@]}"; do umount -l "$mounted" 2>/dev/null; done
	rm -rf "$WORK"
}

# A file system of its own, of that many kilobytes, to be filled up.
small_disk() { # folder, kilobytes
	mkdir -p "$1" && mount -t tmpfs -o "size=$2k,mode=700" tmpfs "$1" && LAB_MOUNTS+=("$1")
}

fill() { # folder: to the last byte
	! head -c 100000000 /dev/zero >"$1/ballast" 2>/dev/null
}

ns_empty() { [ -z "$(ip netns pids "$1" 2>/dev/null)" ]; }

# Tests with other users run the programs, too: below /root, or built under umask 077, those users
# do not reach them, so they get a copy.
reachable_programs() {
	if ! setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$BIN/mlsh"; then
		mkdir -p "$WORK/bin" && cp -a "$BIN/." "$WORK/bin/" && chmod -R a+rX "$WORK/bin" &&
			BIN=$WORK/bin
	fi
}

lab_up() {
	reachable_programs
	mount --make-rprivate / 2>/dev/null || true
	ip netns add "$LAB-router"
	ip -n "$LAB-router" link set lo up
	set_kernel "$LAB-router" net.ipv4.ip_forward=1
}

# machine NAME NUMBER: 10.71.NUMBER.2 behind the router.
machine() { machine_at "$1" router "10.71.$2"; }

# machine_at NAME UPSTREAM NET [LAST]: NET.LAST (2) behind NET.1 in the namespace UPSTREAM.
machine_at() {
	local name=$1 upstream=$LAB-$2 net=$3 last=${4:-2} ns=$LAB-$1
	ip netns add "$ns"
	ip -n "$ns" link set lo up
	ip link add "eth0" netns "$ns" type veth peer name "to-$name" netns "$upstream"
	ip -n "$upstream" addr add "$net.1/24" dev "to-$name"
	ip -n "$upstream" link set "to-$name" up
	ip -n "$ns" addr add "$net.$last/24" dev eth0
	ip -n "$ns" link set eth0 up
	ip -n "$ns" route add default via "$net.1"
	MACHINE_IP[$name]=$net.$last
	mkdir -p "$WORK/$name/home" "$WORK/$name/run" "$WORK/$name/state"
	printf '# no resolver yet\n' >"$WORK/$name/resolv.conf"
	cp /etc/passwd /etc/group "$WORK/$name/"
	# The daemon's user, whether or not this machine has it, as make install and packages make it.
	sed -i '/^mlshtund:/d' "$WORK/$name/passwd" "$WORK/$name/group"
	echo "mlshtund:x:$DAEMON_UID:$DAEMON_UID::/var/lib/mlsh:/usr/sbin/nologin" >>"$WORK/$name/passwd"
	echo "mlshtund:x:$DAEMON_UID:" >>"$WORK/$name/group"
}

# on NAME COMMAND...: on that machine, in its own namespaces.
on() { (on_exec "$@"); }

# The same in place of this shell: "on_exec nas sleep 5 &" leaves the process id of sleep itself in $!.
on_exec() {
	local name=$1
	shift
	exec ip netns exec "$LAB-$name" unshare --mount --propagation private env -i \
		PATH="$BIN:/usr/sbin:/usr/bin:/sbin:/bin" LC_ALL=C.UTF-8 TERM="${TERM:-dumb}" \
		HOME="$WORK/$name/home" W="$WORK/$name" \
		TUN="$LAB_TUN" sh -c 'mount --bind "$W/run" /run && mount --bind "$W/resolv.conf" /etc/resolv.conf &&
			mount --bind "$W/passwd" /etc/passwd && mount --bind "$W/group" /etc/group &&
			mount --bind "$W/state" /var/lib &&
			if [ -n "$TUN" ]; then mount -t tmpfs tmpfs /dev/net && mknod -m "$TUN" /dev/net/tun c 10 200; fi &&
			exec "$@"' sh "$@"
}

# on_bg NAME LOG COMMAND...: the same in the background; its process id is in $BG.
on_bg() {
	local name=$1 log=$WORK/$1/$2
	shift 2
	on_exec "$name" "$@" >"$log" 2>&1 </dev/null &
	BG=$!
	LAB_PIDS+=("$BG")
}

# wait_until SECONDS COMMAND...: tries it again and again until it succeeds. The seconds are those of
# an idle machine; a busy one gets ten times as many before this fails.
wait_until() {
	local end=$((SECONDS + 10 * $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# Lets that much time pass: for what a kernel or a NAT does on its own clock.
pause() { sleep "$1"; } # seconds

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

signal_ready() { listens signal :4433; }

# Is there a socket on this port? UDP unless -t is given.
listens() { [ -n "$(ip netns exec "$LAB-$1" ss -Hln "${3:--u}" "sport = $2")" ]; } # machine, ":port"

# The machine asks its own node's DNS server for everything: these namespaces have no systemd-resolved.
use_own_dns() { # machine, overlay address
	printf 'nameserver %s\n' "$2" >"$WORK/$1/resolv.conf"
}

# grep -q that reads to the end: what writes into it is not killed for writing.
has() { grep "$@" >/dev/null; }

# What a person reads is broken into lines of 80 columns: all of it in one line.
joined() { tr -s '\n ' ' ' | sed 's/ $//'; }

# Fails if a line is wider than a terminal of 80 columns; rows of tables may be.
fits() { ! grep -vE '[^ ]  +[^ ]+.*[^ ]  +[^ ]' | grep -E '.{81}'; }

# --- nodes ---

declare -A DAEMON_PID=()

# Starts mlshtund on a machine; what it says goes to mlshtund.log there, after what is in it.
daemon_start() { # machine, extra arguments
	daemon_launch "$@"
	wait_until 10 on "$1" mlsh status
}

# The same, without waiting until it is there.
daemon_launch() { # machine, extra arguments
	local name=$1
	shift
	on_exec "$name" mlshtund "$@" >>"$WORK/$name/mlshtund.log" 2>&1 </dev/null &
	DAEMON_PID[$name]=$!
	LAB_PIDS+=("$!")
}

# The process is the user mlshtund, with CAP_NET_ADMIN and CAP_NET_BIND_SERVICE and no way to more.
is_daemon_user() { # process id
	[ "$(awk '/^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp):/ { $1 = $1; print }' "/proc/$1/status" | paste -sd ' ')" = \
		"Uid: $DAEMON_UID $DAEMON_UID $DAEMON_UID $DAEMON_UID Gid: $DAEMON_UID $DAEMON_UID $DAEMON_UID $DAEMON_UID Groups:$(
		)$(printf ' Cap%s: %016x' Inh 0 Prm 5120 Eff 5120 Bnd 5120 Amb 0) NoNewPrivs: 1 Seccomp: 2" ]
}

# All of the daemon's state on a machine belongs to this user.
state_is_of() { # machine, user id
	[ -s "$WORK/$1/state/mlsh/homelab.node" ] && [ -z "$(find "$WORK/$1/state/mlsh" ! -uid "$2")" ]
}

# Ends a process that this lab started, and waits until it is gone; returns its exit status.
stop() { # process id, signal
	kill "-${2:-TERM}" "$1" 2>/dev/null
	{ wait "$1"; } 2>/dev/null
}

# Makes the cluster on the first machine and lets the others join, each with a running daemon.
mesh_up() { # cluster, machine...
	local cluster=$1 first=$2 m
	shift 2
	on "$first" mlsh setup "$cluster" --signal-host "${MACHINE_IP[signal]}" \
		--token "$(new_token)" --name "$first" >"$WORK/$first/setup.out" &&
		node_up "$first" "$cluster" && mesh_join "$cluster" "$first" "$@"
}

# Lets machines join that know nothing of the cluster yet; one that is connected invites them.
mesh_join() { # cluster, who invites, machine...
	local cluster=$1 first=$2 m
	shift 2
	for m in "$@"; do
		invite_url "$first" "$cluster" | on "$m" mlsh adopt - --name "$m" >"$WORK/$m/adopt.out" &&
			node_up "$m" "$cluster" || return 1
	done
}

# The same, all of them at a time.
mesh_join_together() { # cluster, who invites, machine...
	local cluster=$1 first=$2 m failed=0
	local -a urls pids=()
	shift 2
	mapfile -t urls < <(on "$first" mlsh invite "$cluster" --no-qr --count $# | grep '^mlsh://')
	for m in "$@"; do
		on "$m" mlsh adopt - --name "$m" <<<"${urls[0]}" >"$WORK/$m/adopt.out" 2>&1 &
		pids+=("$!")
		urls=("${urls[@]:1}")
	done
	for m in "${pids[@]}"; do wait "$m" || failed=1; done
	[ $failed = 0 ] || return 1
	for m in "$@"; do [ -S "$WORK/$m/run/mlsh/mlshtund.sock" ] || daemon_launch "$m"; done
	for m in "$@"; do
		wait_until 10 on "$m" mlsh status && on "$m" mlsh connect "$cluster" --no-wait >>"$WORK/$m/connect.out" 2>&1 ||
			return 1
	done
	for m in "$@"; do wait_until 10 connected "$m" "$cluster" || return 1; done
}

node_up() { # machine, cluster
	[ -S "$WORK/$1/run/mlsh/mlshtund.sock" ] || daemon_start "$1" || return 1
	on "$1" mlsh connect "$2" >>"$WORK/$1/connect.out" 2>&1
}

# A setup token that nobody has used: the first start's, then new ones.
new_token() {
	if [ ! -e "$WORK/signal/first-token-taken" ]; then
		touch "$WORK/signal/first-token-taken"
		wait_until 5 eval 'test -n "$(token_of)"' >&2 # it is shown after the port is bound
		token_of
	else
		on signal env MLSH_SIGNAL_DB="$WORK/signal/signal.db" mlsh-signal token 2>/dev/null |
			grep -oE '[A-Z0-9-]{14}@[0-9a-f]{64}'
	fi
}

invite_url() { # machine, cluster, extra arguments
	local name=$1 cluster=$2
	shift 2
	on "$name" mlsh invite "$cluster" --no-qr "$@" | grep -oE "mlsh://[^ ']+" | head -n 1
}

# What must hold of some JSON on standard input: a Python expression over d.
json_holds() {
	python3 -c 'import json, sys
d = json.load(sys.stdin)
sys.exit(0 if eval("(" + sys.argv[1] + ")") else 1)' "$1"
}

# The same of a cluster's status on a machine, as c.
status_holds() { # machine, cluster, expression
	on "$1" mlsh status "$2" --json 2>/dev/null |
		json_holds "(lambda c: $3)(d['clusters'][0])"
}

connected() { status_holds "$1" "$2" "c['state'] == 'connected'"; } # machine, cluster

# The tunnel to this peer is up.
peer_up() { # machine, cluster, peer
	status_holds "$1" "$2" "any(p['name'] == '$3' and p['state'] == 'connected' for p in c['peers'])"
}

pings() { on "$1" ping -n -c 1 -W 1 "$2" >/dev/null 2>&1; } # machine, address

# Everything that mlsh has added to a machine's network: devices, rules and routes.
traces_of() { # machine
	ip -n "$LAB-$1" -o link show | grep -oE ' mlsh[0-9]+:'
	ip -n "$LAB-$1" rule show | grep -E '^519[01]:'
	ip -n "$LAB-$1" route show table all proto 109
}

no_traces() { [ -z "$(traces_of "$1")" ]; }

# --- reporting ---
LAB_FAILED=0
pass() { echo "ok - $*"; }
fail() {
	echo "not ok - $*"
	LAB_FAILED=1
}
# check NAME COMMAND...: one case; what the command printed is shown when it fails. Not in a subshell, so that a function
# can start things; "check NAME eval '...'" for more than one command.
check() {
	local name=$1
	shift
	if "$@" >"$WORK/check.out" 2>&1; then
		pass "$name"
	else
		fail "$name"
		sed 's/^/    /' "$WORK/check.out"
	fi
}
# The same for what all the rest stands on: without it the script ends.
must() {
	local failed=$LAB_FAILED
	LAB_FAILED=0
	check "$@"
	if [ $LAB_FAILED = 1 ]; then
		show_logs
		exit 1
	fi
	LAB_FAILED=$failed
}

# check_fails NAME CODE PATTERN COMMAND...: must exit with CODE and print PATTERN.
check_fails() {
	local name=$1 code=$2 pattern=$3 out rc
	shift 3
	out=$("$@" 2>&1)
	rc=$?
	if [ $rc = "$code" ] && joined <<<"$out" | has -iE -- "$pattern"; then
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
