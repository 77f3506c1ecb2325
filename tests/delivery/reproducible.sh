#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Builds the source twice, without a cache of objects, and compares everything that is given out, byte by
# byte: in another folder, with another home, umask, language and time zone, a year later.
set -uo pipefail
# shellcheck source=tests/delivery/lib.sh
. "$(dirname "$0")/lib.sh"

cache=$(tools/sysroot cache)
key=$(readlink build/sysroot) && key=${key##*/}
goals="deb dist"
tools/need --optional rpmbuild faketime
if command -v rpmbuild >/dev/null; then goals="deb rpm dist"; else echo "# rpm is not installed: without its packages"; fi

# The source as it is here, as an archive of it would have it.
copy_source() { # target
	mkdir -p "$1" && tar --exclude=./build --exclude=./dist --exclude=./.git -cf - . | tar -xf - -C "$1" &&
		printf '%s\ndate %s\n' 0123456789ab "$(tools/epoch)" >"$1/.commit"
}

# shellcheck disable=SC2086 # a word for each goal
build() { # folder, home, umask, NAME=VALUE or command...
	local folder=$1 home=$2 mask=$3
	shift 3
	copy_source "$folder" && mkdir -p "$home/.cache/mlsh" || return 1
	# Libraries of its own: where they really are must not show.
	[ -z "$key" ] || cp -al "$cache/$key" "$home/.cache/mlsh/$key" || cp -aT "$cache/$key" "$home/.cache/mlsh/$key" ||
		return 1
	(cd "$folder" && umask "$mask" &&
		env -i PATH="$PATH" HOME="$home" CCACHE_DISABLE=1 MLSH_LOCKED="${MLSH_LOCKED:-0}" "$@" \
			sh -c 'make -j"$1" $2 && make ARCHS="$3" signal-image node-image' sh "$(nproc)" "$goals" "$arch")
}
one() { build "$work/one/src" "$work/one/home" 022; }
two() {
	local later=(TZ=Asia/Tokyo LC_ALL=C)
	if command -v faketime >/dev/null; then later+=(faketime -f +400d); fi
	build "$work/another folder/s r c" "$work/another folder/home" 077 "${later[@]}"
}

# The same names, and under each the same bytes.
same() {
	local names
	cd "$work/one/src/dist" && names=(*) && [ ${#names[@]} -ge 7 ] &&
		diff -r . "$work/another folder/s r c/dist"
}
programs() {
	local name
	for name in mlsh mlshtund mlsh-signal; do
		cmp "$work/one/src/build/bin/$name" "$work/another folder/s r c/build/bin/$name" || return 1
		# The commit is in it, and no folder of this machine.
		grep -q 0123456789ab "$work/one/src/build/bin/$name" || { echo "$name: no commit" && return 1; }
		! grep -aobF -e "$work" -e "$cache" "$work/one/src/build/release/bin/$name" || return 1
	done
}

check "a build without git" one
check "another one, elsewhere and later" two
check "makes the same programs" programs
check "and the same packages, archives and images" eval '(same)'
exit $failed
