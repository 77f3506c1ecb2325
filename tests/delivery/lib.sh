#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What the tests of packages and archives share. To be sourced first; it changes to the folder of the
# source. $work is a folder of the test's own, which goes with it.
# shellcheck disable=SC2034 # the variables are for those who source it
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. tests/minimal.sh

version=$(tools/version)
packaged=$(tools/version package) # as the names of packages have it
arch=$(dpkg --print-architecture)
failed=0
work=$(mktemp -d /var/tmp/mlsh-delivery.XXXXXX)
MINIMAL_WORK=$work
# A test may have more to take down: it defines "down".
down() { :; }
trap 'down; umount -l "$work/over" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

need_root() { # what needs it
	[ "$(id -u)" = 0 ] && return
	echo "skip - $1: needs root"
	exit 77
}

# A case: a command, whose output is shown if it fails.
check() { # name, command...
	local name=$1
	shift
	if "$@" >"$work/out" 2>&1; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		tail -n 40 "$work/out" | sed 's/^/    /'
		failed=1
	fi
}

# A copy of the source with the programs that are built, as if it were of another version.
tree_of() { # folder, version
	rm -rf "$1" && mkdir -p "$1/build" && tar --exclude=./build --exclude=./dist --exclude=./.git -cf - . | tar -xf - -C "$1" &&
		cp -a build/bin build/linked "$1/build/" && ln -s "$PWD/build/sysroot" "$1/build/sysroot" &&
		sed -i "s/\(MLSH_VERSION \).*/\1\"$2\"/" "$1/src/base/version.h"
}
# What "make deb", for one, runs there.
tool_in() { # folder, tool
	(cd "$1" && SOURCE_DATE_EPOCH=$(($(date +%s) - 60)) ARCH=$arch PROGRAMS=build/bin LINKED=build/linked "$2")
}

# Begins with a fresh overlay of a minimal system, in which "in_system COMMAND..." runs then. Skips the
# rest of the test where the system cannot be made.
fresh_system() { # suite
	over=$work/over
	umount -l "$over" 2>/dev/null
	rm -rf "$over"
	mkdir -p "$over"/{upper,work,root}
	tools/need debootstrap unshare curl || exit 1
	if ! base=$(system_of "$1" "$work/log"); then
		tail -n 3 "$work/log" | sed 's/^/# /'
		echo "skip - $1: its minimal system cannot be fetched (see above)"
		return 1
	fi
	# An overlay cannot be written to another one, which is what a container's own root is.
	if ! inside "$base" "$over" true 2>/dev/null; then
		mount -t tmpfs -o mode=755 tmpfs "$over" && mkdir "$over"/{upper,work,root}
	fi
	if ! inside "$base" "$over" true 2>"$work/log"; then
		tail -n 3 "$work/log" | sed 's/^/# /'
		echo "skip - $1: no overlay of its minimal system can be mounted (see above)"
		return 1
	fi
	system=$(. "$base/etc/os-release" && echo "$PRETTY_NAME")
}

in_system() { # command...
	inside "$base" "$over" env -i TERM=dumb DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@" </dev/null
}
