# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Contestants of the benchmark: each has two machines of its own behind the lab's router, and two
# daemons. Their processor time is taken from control groups, from /proc where there are none.
#
# A driver (bench/drivers/NAME.sh) runs in a subshell and has
#	driver_needs		optional: succeeds if its programs are here, else says what is missing
#	driver_version		prints one line
#	driver_prepare		makes keys and configuration
#	driver_start SIDE	starts the daemon of side a or b; b is started first
#	driver_address		optional: the inner address of b
# and may use: daemon, folder, inner, outer, other, machine_of, device, device_up, await, program,
# need_programs, all of tests/lab/lib.sh, and $A, $B, $IP_A, $IP_B.

BENCH_BIN=$PWD/build/release/bench
IPERF_PORT=5201
ECHO_PORT=5202
CONTESTANTS=()
declare -A INNER_B=() INDEX=()

# --- for drivers ---
other() { [ "$1" = a ] && echo b || echo a; }
machine_of() { [ "$1" = a ] && echo "$A" || echo "$B"; }
folder() { echo "$WORK/$(machine_of "$1")"; }
outer() { [ "$1" = a ] && echo "$IP_A" || echo "$IP_B"; }
inner() { [ "$1" = a ] && echo "10.98.${INDEX[$NAME]}.1" || echo "10.98.${INDEX[$NAME]}.2"; }
daemon() { # side, command...
	local m
	m=$(machine_of "$1")
	shift
	spawn "$m" "$m" daemon.log "$@"
}
device() { ip -n "$LAB-$(machine_of "$1")" link show "$2" >/dev/null 2>&1; } # side, name
device_up() { # side, name, MTU
	local ns
	ns=$LAB-$(machine_of "$1")
	ip -n "$ns" addr add "$(inner "$1")" peer "$(inner "$(other "$1")")" dev "$2" &&
		ip -n "$ns" link set "$2" mtu "$3" txqueuelen 1000 up
}
await() { # command...: at most two seconds, in small steps
	local i
	for ((i = 0; i < 400; i++)); do
		"$@" && return 0
		sleep 0.005
	done
	return 1
}
# Where a program is: newer ones than the system's may be unpacked in BENCH_PEER_PATH.
program() { PATH="${BENCH_PEER_PATH:-}:$PATH:/usr/sbin:/sbin" command -v "$1"; }
need_programs() {
	local p
	for p in "$@"; do
		program "$p" >/dev/null || {
			echo "$p is not installed"
			return 1
		}
	done
}

# --- processes ---
cgroup_up() {
	CGROUP=""
	if [ -e /sys/fs/cgroup/cpuacct/cpuacct.usage ]; then
		CGROUP=/sys/fs/cgroup/cpuacct CGROUP_USAGE=cpuacct.usage
	elif [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		CGROUP=/sys/fs/cgroup CGROUP_USAGE=cpu.stat
	fi
	CGROUP_TOP=$CGROUP
	[ -n "$CGROUP" ] && CGROUP+=/$LAB && mkdir -p "$CGROUP" 2>/dev/null || CGROUP=""
}
cgroup_down() {
	[ -n "$CGROUP" ] && find "$CGROUP" -depth -type d -exec rmdir {} \; 2>/dev/null
}
enter() { # group
	if [ -n "$CGROUP" ]; then
		mkdir -p "$CGROUP/$1" && echo "$BASHPID" >"$CGROUP/$1/cgroup.procs"
	fi
	echo "$BASHPID" >>"$WORK/pids.$1"
}
spawn() { # group, machine, log, command...
	local group=$1 name=$2 log=$WORK/$2/$3
	shift 3
	(
		enter "$group"
		on_exec "$name" "$@"
	) >>"$log" 2>&1 </dev/null &
	disown
}
# A load generator in the foreground.
tool() { # machine, command...
	local name=$1
	shift
	(
		enter tools
		exec ip netns exec "$LAB-$name" "$@"
	)
}
pids_of() { # group
	local pid
	for pid in $(if [ -n "$CGROUP" ]; then cat "$CGROUP/$1/cgroup.procs"; else cat "$WORK/pids.$1"; fi 2>/dev/null); do
		[ -e "/proc/$pid" ] && echo "$pid"
	done
}
none_of() { [ -z "$(pids_of "$1")" ]; }
stop_group() { # group
	local pid
	for pid in $(pids_of "$1"); do kill "$pid" 2>/dev/null; done
	wait_until 3 none_of "$1" || for pid in $(pids_of "$1"); do kill -9 "$pid" 2>/dev/null; done
	wait_until 3 none_of "$1"
}
rss_kb() { # group
	local pid sum=0
	for pid in $(pids_of "$1"); do
		sum=$((sum + $(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status" 2>/dev/null || echo 0)))
	done
	echo $sum
}

# --- processor time ---
usage_ns() { # folder of a control group
	case $CGROUP_USAGE in
	cpuacct.usage) cat "$1/$CGROUP_USAGE" ;;
	*) awk '/^usage_usec/ { print $2 * 1000 }' "$1/$CGROUP_USAGE" ;;
	esac 2>/dev/null || echo 0
}
proc_ns() { # group
	local pid
	for pid in $(pids_of "$1"); do cat "/proc/$pid/task/"*/schedstat 2>/dev/null; done |
		awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}
group_ns() { if [ -n "$CGROUP" ]; then usage_ns "$CGROUP/$1"; else proc_ns "$1"; fi; }
# Everything of the machine, and what the hypervisor gave to others.
machine_ns() {
	local tick_ns=$((1000000000 / $(getconf CLK_TCK)))
	local steal
	steal=$(awk -v t=$tick_ns '/^cpu / { printf "%.0f", $9 * t }' /proc/stat)
	if [ -n "$CGROUP" ]; then
		echo $(($(usage_ns "$CGROUP_TOP") + steal))
	else
		awk -v t=$tick_ns '/^cpu / { printf "%.0f\n", ($2 + $3 + $4 + $7 + $8 + $9) * t }' /proc/stat
	fi
}
ours_ns() {
	local f sum=0
	if [ -n "$CGROUP" ] && [ "$CGROUP_USAGE" = cpuacct.usage ]; then
		usage_ns "$CGROUP"
	else
		for f in "$WORK"/pids.*; do sum=$((sum + $(group_ns "${f##*pids.}"))); done
		echo $sum
	fi
}
# a, b, tools, machine, ours, clock
cpu_now() { # contestant
	local i=${INDEX[$1]}
	echo "$(group_ns "a$i") $(group_ns "b$i") $(group_ns tools) $(machine_ns) $(ours_ns) $(date +%s%N)"
}
# What happened between two of these, as members of a JSON object. "foreign": the share of all
# processors that processes which are not the benchmark's had.
cpu_between() {
	awk -v cores="$(nproc)" -v before="$1" -v after="$2" 'BEGIN {
		split(before, x, " ")
		split(after, y, " ")
		for (i = 1; i <= 6; i++) d[i] = (y[i] - x[i]) / 1e9
		foreign = (d[4] - d[5]) / (d[6] * cores)
		printf "{\"cpu_a\":%.4f,\"cpu_b\":%.4f,\"cpu_tools\":%.4f,\"foreign\":%.4f}", d[1], d[2], d[3],
			foreign < 0 ? 0 : foreign
	}'
}

# --- contestants ---
# Runs functions of a driver.
drive() { # contestant, function, arguments...
	(
		NAME=$1 A=a${INDEX[$1]} B=b${INDEX[$1]}
		IP_A=${MACHINE_IP[$A]} IP_B=${MACHINE_IP[$B]}
		driver_needs() { :; }
		driver_address() { inner b; }
		# shellcheck source=/dev/null
		. "bench/drivers/$1.sh"
		shift
		"$@"
	)
}
emit() { jq -nc "$@" >>"$RAW"; }
first_echo() { # contestant, since; prints ms
	ip netns exec "$LAB-a${INDEX[$1]}" "$BENCH_BIN/probe" first "${INNER_B[$1]}" $ECHO_PORT "$2"
}
# Sets one up; leaves it out with a word when that fails.
contestant_up() { # contestant, index
	local name=$1 i=$2 why
	INDEX[$name]=$i
	machine "a$i" $((20 + 2 * i))
	machine "b$i" $((21 + 2 * i))
	if ! why=$(drive "$name" driver_needs); then
		echo "  $name: left out, $why"
		return
	fi
	if ! drive "$name" driver_prepare >"$WORK/a$i/prepare.log" 2>&1; then
		echo "  $name: left out, it could not be set up:"
		tail -n 3 "$WORK/a$i/prepare.log"
		return
	fi
	spawn tools "b$i" iperf.log "$(program iperf3)" -s -p $IPERF_PORT
	spawn tools "b$i" echo.log "$BENCH_BIN/probe" echo $ECHO_PORT
	wait_until 5 listens "b$i" ":$IPERF_PORT" -t
	drive "$name" driver_start b >>"$WORK/b$i/daemon.log" 2>&1
	drive "$name" driver_start a >>"$WORK/a$i/daemon.log" 2>&1
	INNER_B[$name]=$(drive "$name" driver_address)
	if ! first_echo "$name" "$("$BENCH_BIN/probe" now)" >/dev/null; then
		echo "  $name: left out, no packet came through"
		tail -n 3 "$WORK/a$i/daemon.log" "$WORK/b$i/daemon.log"
		return
	fi
	CONTESTANTS+=("$name")
	emit --arg who "$name" --arg version "$(drive "$name" driver_version 2>/dev/null | head -n 1)" \
		'{k: "contestant", $who, $version}'
	echo "  $name"
}
