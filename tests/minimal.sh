# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Minimal systems for tests: made once by debootstrap (variant minbase), as root, and kept in the
# cache beside the libraries (tools/sysroot cache). MINIMAL_WORK is a folder for what is in between.

readonly ubuntu_mirror=${MLSH_UBUNTU_MIRROR:-http://archive.ubuntu.com/ubuntu}
# Ubuntu's archive keys, for a machine that does not have them: this package, with this hash.
readonly ubuntu_keys=pool/main/u/ubuntu-keyring/ubuntu-keyring_2023.11.28.1_all.deb
readonly ubuntu_keys_sha256=36de43b15853ccae0028e9a767613770c704833f82586f28eb262f0311adb8a8

# Prints the file with Debian's archive keys: the machine's, or that of this project as gpgv reads it.
debian_keyring() {
	local own=/usr/share/keyrings/debian-archive-keyring.gpg
	if [ -r "$own" ]; then
		echo "$own"
		return
	fi
	sed -n '/^$/,/^=/p' mk/debian-archive.asc | grep -v '^=' | base64 -d >"$MINIMAL_WORK/debian.gpg" &&
		echo "$MINIMAL_WORK/debian.gpg"
}

# The same with Ubuntu's keys, which are fetched where the machine has none.
ubuntu_keyring() {
	local own=/usr/share/keyrings/ubuntu-archive-keyring.gpg
	if [ -r "$own" ]; then
		echo "$own"
		return
	fi
	curl -fsS -m 60 -o "$MINIMAL_WORK/keys.deb" "$ubuntu_mirror/$ubuntu_keys" >&2 &&
		echo "$ubuntu_keys_sha256  $MINIMAL_WORK/keys.deb" | sha256sum --quiet -c - >&2 &&
		dpkg-deb -x "$MINIMAL_WORK/keys.deb" "$MINIMAL_WORK/keys" && echo "$MINIMAL_WORK/keys$own"
}

# Makes the minimal system of a suite, with more packages if they are named: complete under its
# name, or absent.
bootstrap() { # suite, target, package...
	local suite=$1 target=$2 mirror components=main keyring script=() making packages=""
	shift 2
	[ $# = 0 ] || packages=--include=$(tr ' ' , <<<"$*")
	case $suite in
	bookworm | trixie)
		mirror=$(tools/sysroot mirror) && keyring=$(debian_keyring) || return 1
		;;
	noble)
		mirror=$ubuntu_mirror components=main,universe
		keyring=$(ubuntu_keyring) || return 1
		script=(/usr/share/debootstrap/scripts/gutsy) # an older debootstrap lacks the name
		;;
	*)
		echo "unknown suite: $suite"
		return 1
		;;
	esac
	mkdir -p "$(dirname "$target")"
	rm -rf "$target".making.*
	making=$target.making.$$
	debootstrap --variant=minbase --components=$components --keyring="$keyring" \
		${packages:+"$packages"} "$suite" "$making" "$mirror" "${script[@]}" &&
		rm -f "$making"/var/cache/apt/archives/*.deb && mv -T "$making" "$target"
}

# Prints the folder of the minimal system of a suite, with more packages if they are named; it is made
# if it is missing. What went wrong goes to the log.
system_of() { # suite, log, package...
	local base suite=$1 log=$2
	shift 2
	base=$(tools/sysroot cache)/root-$suite-$(dpkg --print-architecture) || return 1
	if [ ! -d "$base" ]; then
		# Another test may be making the same one.
		(
			exec 8>"$base.lock"
			flock 8
			[ -d "$base" ] || bootstrap "$suite" "$base"
		) >"$log" 2>&1 || return 1
	fi
	[ $# = 0 ] || base=$(packages_in "$base" "$log" "$@") || return 1
	echo "$base"
}

# The same system with these packages: they are installed by apt, where debootstrap stumbles over some.
packages_in() { # system, log, package...
	local base=$1 log=$2 full making
	shift 2
	full=$base-$(sha256sum <<<"$*" | cut -c 1-8) making=$full.making.$$
	[ -d "$full" ] || (
		exec 8>"$full.lock"
		flock 8
		[ ! -d "$full" ] || exit 0
		rm -rf "$full".making.*
		cp -a "$base" "$making" && install_packages "$making" "$@" && mv -T "$making" "$full"
	) >"$log" 2>&1 || return 1
	echo "$full"
}

# Their services are not started.
# shellcheck disable=SC2016 # expanded by the inner shell
install_packages() { # folder, package...
	unshare --mount --pid --fork --kill-child env DEBIAN_FRONTEND=noninteractive LC_ALL=C \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin bash -c 'set -e
		root=$1
		shift
		mount --make-rprivate /
		mount -t proc proc "$root/proc"
		mount --bind /dev "$root/dev"
		cat /etc/resolv.conf >"$root/etc/resolv.conf"
		printf "#!/bin/sh\nexit 101\n" >"$root/usr/sbin/policy-rc.d"
		chmod 755 "$root/usr/sbin/policy-rc.d"
		chroot "$root" apt-get -qq update
		chroot "$root" apt-get -qq -y -o APT::Sandbox::User=root install --no-install-recommends "$@"
		chroot "$root" apt-get clean
		: >"$root/etc/resolv.conf"' bash "$@"
}

# Runs inside new mount and process namespaces: enters an overlay of the system and runs a command.
# shellcheck disable=SC2016 # expanded by the inner shell
readonly enter='set -e
base=$1 over=$2
shift 2
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$base,upperdir=$over/upper,workdir=$over/work" "$over/root"
mount -t proc proc "$over/root/proc"
mount --rbind /sys "$over/root/sys"
mount --rbind /dev "$over/root/dev"
cat /etc/resolv.conf >"$over/root/etc/resolv.conf"
exec chroot "$over/root" "$@"'

inside() { # suite's system, overlay, command...
	unshare --mount --pid --fork --kill-child bash -c "$enter" enter "$@"
}
