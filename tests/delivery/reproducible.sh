#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Builds a commit twice, without a cache of objects, and compares everything that is given out, byte by
# byte. The first build is a clone's; the second one is of the source archive, in another folder, with
# another home, umask, language and time zone, a year later, and with settings of a person that alter what
# git, tar, gzip and rpm make. Without a checkout of git both are copies of the source that is here.
set -uo pipefail
# shellcheck source=tests/delivery/lib.sh
. "$(dirname "$0")/lib.sh"

cache=$(tools/sysroot cache)
key=$(readlink build/sysroot) && key=${key##*/}
goals="deb dist"
tools/need --optional rpmbuild faketime ssh-keygen
if command -v rpmbuild >/dev/null; then goals="deb rpm dist"; else echo "# rpm is not installed: without its packages"; fi
archive=mlsh-$version.tar.gz

# A repository with the commit that is checked out here, signed.
make_origin() {
	tools/git-here bundle create "$work/bundle" HEAD && git clone -q "$work/bundle" "$work/origin" &&
		ssh-keygen -q -t ed25519 -N '' -C '' -f "$work/key" &&
		echo "test@example.org $(cat "$work/key.pub")" >"$work/signers" &&
		git -C "$work/origin" -c user.name=test -c user.email=test@example.org -c gpg.format=ssh \
			-c user.signingkey="$work/key" commit -q --amend --no-edit -S &&
		commit=$(git -C "$work/origin" rev-parse HEAD) && commit=${commit:0:12}
}
make_copy() { # target
	mkdir -p "$1" && tar --exclude=./build --exclude=./dist --exclude=./.git -cf - . | tar -xf - -C "$1" &&
		printf '%s\ndate %s\n' "$commit" "$(tools/epoch)" >"$1/.commit"
}

# Settings that people may have.
personal() { # home
	mkdir -p "$1" &&
		printf '[tar]\n\tumask = 0077\n[log]\n\tshowSignature = true\n[core]\n\tautocrlf = true\n' >"$1/.gitconfig" &&
		printf '[gpg]\n\tformat = ssh\n[gpg "ssh"]\n\tallowedSignersFile = %s\n' "$work/signers" >>"$1/.gitconfig" &&
		printf '%%_binary_payload w1.gzdio\n%%packager somebody\n%%_docdir /usr/doc\n%%dist .mine\n' >"$1/.rpmmacros"
}
readonly habits=(TZ=Asia/Tokyo LC_ALL=C TAR_OPTIONS=--owner=somebody:77 GZIP=-1 XZ_DEFAULTS=-0)

# shellcheck disable=SC2086 # a word for each goal
build() { # folder, home, umask, NAME=VALUE or command...
	local folder=$1 home=$2 mask=$3
	shift 3
	mkdir -p "$home/.cache/mlsh" || return 1
	# Libraries of its own: where they really are must not show.
	[ -z "$key" ] || cp -al "$cache/$key" "$home/.cache/mlsh/$key" || cp -aT "$cache/$key" "$home/.cache/mlsh/$key" ||
		return 1
	(cd "$folder" && umask "$mask" &&
		env -i PATH="$PATH" HOME="$home" CCACHE_DISABLE=1 MLSH_LOCKED="${MLSH_LOCKED:-0}" "$@" \
			sh -c 'make -j"$1" ARCHS="$3" signal-image node-image $2' sh "$(nproc)" "$goals" "$arch")
}
one() {
	if [ -e .git ]; then git clone -q "$work/origin" "$work/one/src"; else make_copy "$work/one/src"; fi &&
		build "$work/one/src" "$work/one/home" 022
}
# The source archive from another clone, which the second build is made of.
source_archive() {
	local target="$work/another folder/s r c"
	personal "$work/personal" && git clone -q "$work/origin" "$work/again" &&
		(umask 077 && env "${habits[@]}" HOME="$work/personal" "$work/again/tools/package-source") &&
		cmp "$work/one/src/dist/$archive" "$work/again/dist/$archive" &&
		mkdir -p "$target/dist" && tar -xzf "$work/again/dist/$archive" -C "$target" --strip-components=1 &&
		cp "$work/again/dist/$archive" "$target/dist"
}
two() {
	local later=("${habits[@]}")
	if command -v faketime >/dev/null; then later+=(faketime -f +400d); fi
	[ -e "$work/another folder/s r c" ] || make_copy "$work/another folder/s r c"
	personal "$work/another folder/home" &&
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
		grep -q "$commit" "$work/one/src/build/bin/$name" || { echo "$name: no commit" && return 1; }
		! grep -aobF -e "$work" -e "$cache" "$work/one/src/build/release/bin/$name" || return 1
	done
}

commit=0123456789ab
if [ -e .git ]; then
	[ -z "$(tools/git-here status --porcelain)" ] || echo "# what is not committed is not compared"
	check "a clone" make_origin
	check "its build" one
	check "another clone makes the same source archive" source_archive
else
	echo "skip - the source archive: this is no checkout of git"
	check "a build without git" one
fi
check "another build, elsewhere and later" two
check "makes the same programs" programs
check "and the same packages, archives and images" eval '(same)'
check "each has its bill of materials, and images their notices" python3 tests/delivery/materials.py "$work/one/src/dist"
exit $failed
