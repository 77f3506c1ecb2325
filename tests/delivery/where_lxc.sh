#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A node in an unprivileged container of a real LXC, which is what Proxmox uses: what mlshtund says while
# the container lacks its device, and the lines of docs/where-it-runs.md that give it one.
#
#     signal 10.71.9.2, nas .1.2; host .4.2 with a bridge, on it the container box .4.3; one router
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh
. tests/delivery/lib_system.sh
. tests/delivery/lib_where.sh
system_begin "$0" "$@"

lab_need_root where_lxc
trap 'container_stop; container_clean; lab_down' EXIT
group=mlsh-where-$$ # control group of all that runs on the host
lab_up

# The host: its uplink is a port of a bridge, and containers are others.
host_up() {
	system_machine host 4 && mkdir -p "$WORK/box"/{upper,work,root,run,state} &&
		mount -t overlay overlay -o "lowerdir=$WORK/layer:$SYSTEM,upperdir=$WORK/box/upper,workdir=$WORK/box/work" \
			"$WORK/box/root" || return 1
	LAB_MOUNTS+=("$WORK/box/root")
	echo "127.0.0.1 localhost" >"$WORK/box/root/etc/hosts"
	ip -n "$LAB-host" link add vmbr0 type bridge && ip -n "$LAB-host" addr flush dev eth0 &&
		ip -n "$LAB-host" link set eth0 master vmbr0 && ip -n "$LAB-host" addr add 10.71.4.2/24 dev vmbr0 &&
		ip -n "$LAB-host" link set vmbr0 up && ip -n "$LAB-host" route add default via 10.71.4.1
}

# container_start DEVICE LINE...: the container begins, with these lines of its configuration, on a host
# whose /dev/net/tun has this mode and belongs to nobody in the container ("660:0": to its root).
# shellcheck disable=SC2016 # expanded by the inner shell
container_start() {
	local mode=${1%:*} owner=100000
	[[ $1 != *:* ]] || owner=${1#*:}
	shift
	mkdir -p "$WORK/host/root/ct/root"
	{
		cat <<-'CONF'
			lxc.include = /usr/share/lxc/config/common.conf
			lxc.rootfs.path = dir:/ct/root
			lxc.uts.name = box
			lxc.idmap = u 0 0 65536
			lxc.idmap = g 0 0 65536
			lxc.apparmor.profile = unconfined
			lxc.mount.auto = proc:mixed sys:mixed
			lxc.net.0.type = veth
			lxc.net.0.link = vmbr0
			lxc.net.0.flags = up
			lxc.net.0.ipv4.address = 10.71.4.3/24
			lxc.net.0.ipv4.gateway = 10.71.4.1
		CONF
		printf '%s\n' "$@" | sed 's/^\(lxc[^:]*\): /\1 = /'
	} >"$WORK/host/root/ct/config"
	ip netns exec "$LAB-host" unshare --mount --propagation private env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
		sh -ec 'cd "$1"
		mount -t proc proc proc
		mount -t sysfs sysfs sys
		mount -t cgroup2 none sys/fs/cgroup
		mkdir -p "sys/fs/cgroup/$3"
		echo $$ >"sys/fs/cgroup/$3/cgroup.procs"
		mount --rbind /dev dev
		mount -t tmpfs tmpfs dev/net
		mknod -m "$4" dev/net/tun c 10 200
		chown "$5:$5" dev/net/tun
		mount -t tmpfs tmpfs run
		mount --bind "$2" ct/root
		mkdir -p .outside
		pivot_root . .outside
		umount -l /.outside
		exec lxc-execute -n box -f /ct/config -l INFO -o /tmp/lxc.log -- sleep infinity' \
		sh "$WORK/host/root" "$WORK/box/root" "$group" "$mode" "$owner" >"$WORK/host/lxc.log" 2>&1 </dev/null &
	CONTAINER=$!
	LAB_PIDS+=("$CONTAINER")
	wait_until 10 on_box true
}

on_box() { (on_box_exec "$@"); }
on_box_exec() { # command...: in the container
	exec nsenter --target "$CONTAINER" --mount --net lxc-attach -n box --clear-env -v PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		-v HOME=/root -v LC_ALL=C.UTF-8 -- "$@"
}

container_stop() {
	[ -n "${CONTAINER:-}" ] || return 0
	nsenter --target "$CONTAINER" --mount --net lxc-stop -n box -k 2>/dev/null
	wait "$CONTAINER" 2>/dev/null
	CONTAINER=
}

# The control groups are the machine's own: none is left behind.
container_clean() {
	local folder=$WORK/groups
	mkdir -p "$folder" && mount -t cgroup2 none "$folder" || return
	wait_until 3 eval '! grep -q . "$folder/$group/cgroup.procs"'
	find "$folder/$group" -depth -type d -exec rmdir {} \; 2>/dev/null
	umount "$folder"
}

where_system where_lxc || exit 77
for m in signal:9 nas:1; do machine "${m%:*}" "${m#*:}"; done
must "server" signal_start
must "a node" mesh_up homelab nas
must "a host with a bridge" host_up
if ! container_start 666; then
	echo "skip - where_lxc: LXC cannot start a container here ($(tail -n 1 "$WORK/host/lxc.log"))"
	exit $LAB_FAILED
fi
check "its root has no right over the host" eval '! on_box mknod /dev/x c 10 200'
check "to adopt takes no device" eval 'invite_url nas homelab | on_box mlsh adopt - --name box'

# mlshtund ends with this message, which does not send root to sudo.
daemon_says() { # pattern
	local out rc
	out=$(on_box timeout 10 mlshtund 2>&1)
	rc=$?
	echo "exit $rc: $out"
	[ $rc = 1 ] && joined <<<"$out" | has -E "$1" && ! joined <<<"$out" | has sudo
}
foreground_says() { # pattern
	local out
	out=$(on_box timeout 10 mlsh connect homelab --foreground 2>&1)
	echo "$out"
	joined <<<"$out" | has -E "$1" && ! joined <<<"$out" | has "without --foreground"
}
check "without the device: its host has to give it" daemon_says "this is a container and its host has to give it"
check "without the daemon, too" foreground_says "this is a container and its host has to give it"

mapfile -t lines < <(grep -E '^    lxc\.[a-z0-9.]+: ' docs/where-it-runs.md | sed 's/^ *//')
must "the document has two lines for LXC" test "${#lines[@]}" = 2
container_stop
must "with the device, but not allowed" container_start 666 "${lines[1]}" "lxc.cgroup2.devices.deny: c 10:200 rwm"
check "the host does not let it" daemon_says "the host of this container does not let it"
container_stop
must "with both lines, on a host where it is root's alone" container_start 600 "${lines[@]}"
check "the device is not open to it" daemon_says "not open to this user.*on its host"
container_stop
# What dev0 of Proxmox and unix-char of Incus make where no mode is given.
must "with a device of its root's, mode 660" container_start 660:0 "${lines[@]}"
as_unit() { # command...: as the systemd unit starts it
	on_box setpriv --reuid mlshtund --regid mlshtund --clear-groups --inh-caps=-all,+net_admin,+net_bind_service \
		--ambient-caps=-all,+net_admin,+net_bind_service --bounding-set=-all,+net_admin,+net_bind_service "$@"
}
check "the unit's user may not open it" eval 'as_unit timeout 10 mlshtund >"$WORK/unit" 2>&1; cat "$WORK/unit"; joined <"$WORK/unit" | has "not open to this user"'
container_stop
must "with both lines" container_start 666 "${lines[@]}"
on_box_exec mlshtund >"$WORK/box/mlshtund.log" 2>&1 </dev/null &
LAB_PIDS+=("$!")
check "the daemon runs" wait_until 10 on_box mlsh status
check "as its own user" eval 'on_box ps -o user= -C mlshtund | has mlshtund'
check "it connects" on_box mlsh connect homelab
box_holds() { on_box mlsh status homelab --json | json_holds "(lambda c: $1)(d['clusters'][0])"; }
check "directly" wait_until 15 box_holds "c['peers'][0]['path'] == 'direct'"
check "packets pass" eval 'wait_until 10 on_box ping -n -c 1 -W 1 100.64.0.1 && pings nas 100.64.0.2'
check "the fence is up" eval 'on_box nft list tables | has "inet mlsh0"'
check "at the host nothing is added" no_traces host
[ $LAB_FAILED = 0 ] || show_logs 30
exit $LAB_FAILED
