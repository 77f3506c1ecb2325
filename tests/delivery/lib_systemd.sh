# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Machines with systemd as process 1, in containers of systemd-nspawn, on one network:
#
#     machine NAME ADDRESS    makes one; its files are an overlay of the suite's system
#     boot NAME..., on NAME COMMAND..., types NAME FOLDER LINE, reboot NAME
#
# To be sourced after lib.sh. The system has systemd-nspawn itself, so that the host needs none; the
# containers have a network, processes and a cgroup of their own, and all goes when the script ends.

readonly net=10.72.0
# What a machine has before anybody installs mlsh. polkitd and systemd-resolved are what README names.
readonly systemd_packages=(systemd systemd-sysv systemd-container systemd-resolved dbus libpam-systemd
	polkitd openssh-server openssh-client sudo iproute2 iputils-ping ca-certificates)
declare -A NSPAWN=() # process ids

# Prints the folder of the suite's system with systemd, which is made if it is missing.
systemd_system_of() { # suite, log
	local base list
	list=$(cksum <<<"${systemd_packages[*]}")
	base=$(tools/sysroot cache)/systemd-$1-$(dpkg --print-architecture)-${list%% *} || return 1
	if [ ! -d "$base" ]; then
		(
			exec 8>"$base.lock"
			flock 8
			[ -d "$base" ] || bootstrap "$1" "$base" "${systemd_packages[@]}"
		) >"$2" 2>&1 || return 1
	fi
	echo "$base"
}

# Prints what this machine or its container does not permit; nothing if all is well.
nesting_missing() {
	local why
	if ! why=$(unshare --mount --net --propagation private sh -ec '
		mkdir /run/mlsh-cgroup.$$ && mount -t cgroup2 none /run/mlsh-cgroup.$$' 2>&1); then
		echo "no namespaces or no cgroup2 file system here (${why##*: }); in a container: docker run --privileged"
	elif [ ! -c /dev/net/tun ]; then
		echo "/dev/net/tun is missing; modprobe tun, or docker run --device /dev/net/tun"
	fi
	rmdir /run/mlsh-cgroup.* 2>/dev/null
	mkdir -p "$work/overlay"/{lower,upper,work,root}
	# shellcheck disable=SC2016 # expanded by the inner shell
	why=$(unshare --mount --propagation private sh -c 'cd "$1" &&
		mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work root' sh "$work/overlay" 2>&1) ||
		echo "no overlay file system can be mounted below ${work%/*} (${why##*: })"
	return 0
}

network_up() {
	ns=mlshsd$$
	ip netns add "$ns-net" && ip -n "$ns-net" link add br0 type bridge && ip -n "$ns-net" link set br0 up
}

# A network namespace on the bridge, and an overlay of the system with what is the machine's own.
machine() { # name, last number of its address
	local root=$work/$1/upper
	mkdir -p "$work/$1"/{upper,work,root} && ip netns add "$ns-$1" && ip -n "$ns-$1" link set lo up &&
		ip link add eth0 netns "$ns-$1" type veth peer name "to-$1" netns "$ns-net" &&
		ip -n "$ns-net" link set "to-$1" master br0 up &&
		ip -n "$ns-$1" addr add "$net.$2/24" dev eth0 && ip -n "$ns-$1" link set eth0 up &&
		ip -n "$ns-$1" route add default via "$net.254" || return 1
	mkdir -p "$root/etc/systemd/system" "$root/debs"
	echo "$1" >"$root/etc/hostname"
	printf '127.0.0.1 localhost\n%s.1 signal.example.org\n' "$net" >"$root/etc/hosts"
	ln -s ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
	: >"$root/etc/machine-id"
	ln -s /dev/null "$root/etc/systemd/system/console-getty.service"
	# In a container, the device is often open to root alone; udev makes it so:
	[ -e "$work/tun" ] || mknod -m 666 "$work/tun" c 10 200
}

# Runs in a mount namespace of its own: cgroup2 alone, as systemd wants it, an overlay of the system
# for the machine, and the system itself to run systemd-nspawn in.
# shellcheck disable=SC2016 # expanded by the inner shell
readonly boot_script='set -e
base=$1 own=$2 netns=$3 tun=$4 capability=$5
umount -l /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/$netns"
echo $$ >"/sys/fs/cgroup/$netns/cgroup.procs"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$own/upper,workdir=$own/work" "$own/root"
host=$own/host
mkdir -p "$host"
mount -t tmpfs tmpfs "$host"
mkdir "$host/upper" "$host/work" "$host/root"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$host/upper,workdir=$host/work" "$host/root"
host=$host/root
mount -t proc proc "$host/proc"
mount --rbind /sys "$host/sys"
mount --rbind /dev "$host/dev"
mount -t tmpfs tmpfs "$host/run"
mkdir "$host/run/machine"
mount --bind "$own/root" "$host/run/machine"
: >"$host/run/netns"
mount --bind "/run/netns/$netns" "$host/run/netns"
: >"$host/run/tun"
mount --bind "$tun" "$host/run/tun"
exec chroot "$host" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 systemd-nspawn \
	--register=no --keep-unit --network-namespace-path=/run/netns --resolv-conf=off --timezone=off \
	"$capability" \
	--system-call-filter="landlock_create_ruleset landlock_add_rule landlock_restrict_self" \
	--bind=/run/tun:/dev/net/tun --machine="${netns#*-}" --directory=/run/machine --boot'

start() { # name: process 1 begins. The server gets by without what a node needs for its interface
	local capability=--capability=CAP_NET_ADMIN
	[ "$1" != server ] || capability=--drop-capability=CAP_NET_ADMIN
	unshare --mount --propagation private bash -c "$boot_script" boot "$base" "$work/$1" "$ns-$1" \
		"$work/tun" "$capability" >>"$work/$1/console.log" 2>&1 </dev/null &
	NSPAWN[$1]=$!
}

boot() { # name...: all at a time, and waits until they are up
	local name
	for name; do start "$name"; done
	for name; do wait_for 120 booted "$name" || return 1; done
}

# Process 1 of a machine, as the host counts. (A bare "return" would be the signal's, in a trap.)
leader() { # name
	local pid children
	# (no new line at its end, which "read" returns as a failure)
	read -r -a children 2>/dev/null <"/proc/${NSPAWN[$1]}/task/${NSPAWN[$1]}/children" || true
	for pid in "${children[@]}"; do
		awk '/^NSpid:/ { exit !(NF > 2 && $NF == 1) }' "/proc/$pid/status" && echo "$pid" && return 0
	done
	return 1
}

# on NAME COMMAND...: on that machine, as root.
on() {
	local pid
	pid=$(leader "$1") || { echo "$1 does not run"; return 1; }
	shift
	nsenter -t "$pid" -m -u -i -n -p -C -r -w env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		LC_ALL=C.UTF-8 HOME=/root TERM=dumb "$@"
}

# A line of a shell, as the user anna, who may sudo, in a folder.
types() { # name, folder, line
	on "$1" runuser -u anna -- env HOME=/home/anna sh -c 'cd "$1" && eval "$2"' sh "$2" "$3"
}

booted() { on "$1" systemctl is-system-running 2>&1 | grep -E '^(running|degraded)$'; } # name

# wait_for SECONDS COMMAND...: until it succeeds; the seconds are a guard against hangs.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}

ended() { ! grep -q '^State:.[^Z]' "/proc/$1/status"; } # process id

# systemd-nspawn ends with 133 when its machine wants to be started again.
reboot() { # name
	on "$1" systemctl reboot
	wait "${NSPAWN[$1]}"
	boot "$1"
}

systemd_down() {
	local name pid
	for name in "${!NSPAWN[@]}"; do
		pid=$(leader "$name") && kill -9 "$pid" # all of the machine goes with its process 1
	done
	for pid in "${NSPAWN[@]}"; do
		wait_for 10 ended "$pid" || kill -9 "$pid"
		wait "$pid"
	done 2>/dev/null
	NSPAWN=()
	for name in $(ip netns list | awk '{ print $1 }' | grep "^$ns-"); do ip netns del "$name"; done
	wait_for 10 cgroups_removed
}

# Fails while a process of theirs is still about to end.
cgroups_removed() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare --mount --propagation private sh -c 'umount -l /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup
		for top in /sys/fs/cgroup/"$1"-*; do [ ! -d "$top" ] || find "$top" -depth -type d -exec rmdir {} + ; done
		! ls -d /sys/fs/cgroup/"$1"-*' sh "$ns"
}
