# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# A container engine for tests, out of everybody's way: podman in a minimal Debian 13 of its own, in
# namespaces of its own. A script begins with
#
#     . tests/delivery/engine.sh
#     engine_enter image "$0"
#
# Outside, that makes the system (once, kept in the cache), runs the script in it and ends with its
# exit status. Inside it returns; there the source is the working folder, and nothing that is mounted,
# started or stored outlives the script. With a suite as a third word the script has its minimal
# system in /base, to make a base image of, and the machine's network, for a build that fetches
# packages: such a script makes no network of its own.

. tests/minimal.sh

readonly engine_packages="podman crun netavark aardvark-dns nftables podman-compose uidmap catatonit passt
	iproute2 iputils-ping qemu-user busybox-static"

# Runs in new namespaces: enters an overlay of the system, with the source and a folder for images.
# shellcheck disable=SC2016 # expanded by the inner shell
readonly engine_inner='set -e
base=$1 over=$2 source=$3 image=$4
shift 4
mount --make-rprivate /
root=$over/root
mount -t overlay overlay -o "lowerdir=$base,upperdir=$over/upper,workdir=$over/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 none "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root/src" "$root/store" "$root/base" "$root/.outside"
if [ -n "$image" ]; then
	mount --bind -o ro "$image" "$root/base"
	cat /etc/resolv.conf >"$root/etc/resolv.conf"
fi
mount --bind "$source" "$root/src"
mount --bind "$over/store" "$root/store"
cd "$root"
pivot_root . .outside
umount -l /.outside
[ -n "$image" ] || ip link set lo up
cd /src
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root TERM=dumb MLSH_ENGINE=1 \
	${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
	${no_proxy:+no_proxy="$no_proxy"} "$@"'

engine_skip() { # test, reason
	echo "skip - $1: $2"
	exit 77
}

# Prints where the system is, which is made if it is missing; what went wrong goes to the log. Of qemu's
# programs, which are half of it, one stays.
engine_system() { # log
	local base
	base=$(tools/sysroot cache)/root-podman-$(dpkg --print-architecture)-$(
		sha256sum <<<"$engine_packages" | cut -c1-8) || return 1
	if [ ! -d "$base" ]; then
		# Another test may be making the same one.
		(
			exec 8>"$base.lock"
			flock 8
			# shellcheck disable=SC2086 # a word for each package
			[ -d "$base" ] || bootstrap trixie "$base" $engine_packages &&
				find "$base/usr/bin" -name 'qemu-*' ! -name qemu-aarch64 -delete
		) >"$1" 2>&1 || return 1
	fi
	echo "$base"
}

# The engine runs containers where no process may be limited, as in another container, too.
engine_configure() {
	cat >/etc/containers/storage.conf <<-END
		[storage]
		driver = "overlay"
		graphroot = "/store"
		runroot = "/run/containers"
	END
	cat >/etc/containers/containers.conf <<-END
		[containers]
		cgroups = "disabled"
		pids_limit = 0
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		runtime = "crun"
	END
	# A device that other users may open, as udev makes it: in a container it is often root's alone.
	mount -t tmpfs tmpfs /dev/net && mknod -m 666 /dev/net/tun c 10 200
}

engine_enter() { # name of the test, script, suite
	local base image="" status why network=--net
	if [ -n "${MLSH_ENGINE:-}" ]; then
		engine_configure
		return
	fi
	[ "$(id -u)" = 0 ] || engine_skip "$1" "needs root, for namespaces and mounts (sudo make ...)"
	why=$(unshare --net --mount true 2>&1) || engine_skip "$1" "no namespaces may be made here: $why"
	tools/need debootstrap unshare curl ip || exit 1
	MINIMAL_WORK=$(mktemp -d /var/tmp/mlsh-engine.XXXXXX)
	# Its mounts end with the namespaces of the processes that made them.
	trap 'rm -rf "$MINIMAL_WORK"' EXIT
	if ! base=$(engine_system "$MINIMAL_WORK/log"); then
		tail -n 3 "$MINIMAL_WORK/log" | sed 's/^/# /'
		engine_skip "$1" "the system with podman cannot be fetched (see above)"
	fi
	if [ -n "${3:-}" ]; then
		network=
		image=$(system_of "$3" "$MINIMAL_WORK/log") ||
			engine_skip "$1" "the minimal system of $3 cannot be fetched"
	fi
	mkdir -p "$MINIMAL_WORK"/{upper,work,root,store}
	# shellcheck disable=SC2086 # one word or none
	unshare --mount $network --pid --uts --ipc --fork --kill-child bash -c "$engine_inner" enter \
		"$base" "$MINIMAL_WORK" "$PWD" "$image" "$2"
	status=$?
	exit $status
}
