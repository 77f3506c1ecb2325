# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Machines of tests/lab/lib.sh that have a whole Debian of their own: real firewalls, their own /etc
# and users. Used with lib.sh. A script that begins with system_begin has mounts of its own; they end
# with it.
#
# The system is made once by debootstrap (tests/minimal.sh) and kept in the cache; each machine works on
# an overlay of it, which is below $WORK/NAME.

. tests/minimal.sh

declare -A MACHINE_ROOT=()
SYSTEM= # folder of the system below all overlays

# system_begin SCRIPT ARGUMENT...: goes on in a mount namespace of its own.
system_begin() {
	if [ "$(id -u)" = 0 ] && [ -z "${MLSH_OWN_MOUNTS:-}" ] && unshare --mount true 2>/dev/null; then
		# Names of network namespaces, too: those of others are dead files here.
		# shellcheck disable=SC2016 # expanded by the inner shell
		MLSH_OWN_MOUNTS=1 exec unshare --mount --propagation private sh -c 'mkdir -p /run/netns &&
			mount -t tmpfs tmpfs /run/netns && exec "$@"' sh "$@"
	fi
}

# Makes the system with these packages and puts the programs and users into a layer above it. Prints
# a skip and returns 1 where that cannot be had.
system_with() { # case, package...
	local case=$1 layer=$WORK/layer program
	shift
	MINIMAL_WORK=$WORK
	if ! tools/need debootstrap unshare >"$WORK/system.log" 2>&1 ||
		! SYSTEM=$(system_of bookworm "$WORK/system.log" "$@"); then
		echo "skip - $case: no Debian 12 with its packages can be made here ($(tail -n 1 "$WORK/system.log"))"
		return 1
	fi
	mkdir -p "$layer/usr/local/bin" "$layer/usr/share/polkit-1/rules.d" "$layer/etc"
	for program in mlsh mlshtund mlsh-signal; do cp "$BIN/$program" "$layer/usr/local/bin/"; done
	cp contrib/polkit/50-mlshtund.rules "$layer/usr/share/polkit-1/rules.d/"
	cp "$SYSTEM/etc/passwd" "$SYSTEM/etc/group" "$layer/etc/"
	echo "mlsh:x:4242:" >>"$layer/etc/group"
	for program in "mlshtund $DAEMON_UID mlsh" "mlsh-signal 4244 mlsh-signal"; do
		# shellcheck disable=SC2086 # three words
		system_user "$layer" $program
	done
}

system_user() { # layer, name, id, state folder
	echo "$2:x:$3:$3::/var/lib/$4:/usr/sbin/nologin" >>"$1/etc/passwd"
	echo "$2:x:$3:" >>"$1/etc/group"
}

# A machine as `machine` makes it, with the system.
system_machine() { # name, number
	local over=$WORK/$1/over
	machine "$1" "$2"
	mkdir -p "$over/upper" "$over/work" "$WORK/$1/root"
	mount -t overlay overlay -o "lowerdir=$WORK/layer:$SYSTEM,upperdir=$over/upper,workdir=$over/work" \
		"$WORK/$1/root" || return 1
	LAB_MOUNTS+=("$WORK/$1/root")
	MACHINE_ROOT[$1]=$WORK/$1/root
	echo "127.0.0.1 localhost" >"$WORK/$1/root/etc/hosts"
	echo "$1" >"$WORK/$1/root/etc/hostname"
}

# In place of that of lib.sh: a machine with a system has that as its root.
# shellcheck disable=SC2016 # expanded by the inner shell
eval "plain_$(declare -f on_exec)"
# shellcheck disable=SC2016 # expanded by the inner shell
on_exec() { # machine, command...
	local name=$1
	[ -n "${MACHINE_ROOT[$name]:-}" ] || plain_on_exec "$@"
	shift
	exec ip netns exec "$LAB-$name" unshare --mount --propagation private env -i \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TERM=dumb HOME=/root \
		sh -c 'R=$1 RUN=$2
			shift 2
			mount -t proc proc "$R/proc" && mount --rbind /sys "$R/sys" && mount --rbind /dev "$R/dev" &&
			mount --bind "$RUN" "$R/run" && mount -t tmpfs tmpfs "$R/dev/net" &&
			mknod -m 666 "$R/dev/net/tun" c 10 200 && exec chroot "$R" "$@"' \
		sh "${MACHINE_ROOT[$name]}" "$WORK/$name/run" "$@"
}

# The server at its usual place on a machine with a system.
system_server() {
	on_bg signal signal.log mlsh-signal
	wait_until 10 listens signal :4433 && wait_until 5 eval 'test -n "$(token_of)"'
}

system_token() { on signal mlsh-signal token 2>/dev/null | grep -oE '[A-Z0-9-]{14}@[0-9a-f]{64}'; }

# Does a service answer at this address and port, with these first bytes?
# shellcheck disable=SC2016 # expanded by the inner shell
answers() { # machine, address, port, beginning
	[ "$(on "$1" timeout 3 bash -c 'exec 3<>"/dev/tcp/$1/$2" && head -c "$3" <&3' bash "$2" "$3" "${#4}" \
		2>/dev/null)" = "$4" ]
}

# A machine's ssh server, with keys of its own, and another service at port 8080.
system_services() { # machine
	on "$1" sh -c 'mkdir -p /etc/dropbear && dropbearkey -t ed25519 -f /etc/dropbear/key' >"$WORK/$1/key.out" 2>&1 &&
		on_bg "$1" ssh.log dropbear -F -E -r /etc/dropbear/key -p 22 &&
		on_bg "$1" other.log socat TCP4-LISTEN:8080,fork,reuseaddr SYSTEM:'echo other' &&
		wait_until 10 listens "$1" :22 -t && wait_until 10 listens "$1" :8080 -t
}
