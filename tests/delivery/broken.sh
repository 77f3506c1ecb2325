#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What is left in dist/ when making packages, archives or images ends badly: by kill -9 at each step that
# touches dist/, by a full disk, by two makes at once. Under a final name there is never half a file, and
# the next make puts right what is there.
set -uo pipefail
if [ "$(id -u)" = 0 ] && [ -z "${MLSH_OWN_MOUNTS:-}" ] && unshare --mount true 2>/dev/null; then
	MLSH_OWN_MOUNTS=1 exec unshare --mount --propagation private "$0" "$@"
fi
# shellcheck source=tests/delivery/lib.sh
. "$(dirname "$0")/lib.sh"
need_root "file systems of a size of their own"
[ -n "${MLSH_OWN_MOUNTS:-}" ] || { echo "skip - full disks: no mounts of one's own here"; exit 77; }
[ -e build/linked ] || { echo "not ok - build/linked is there: run make deb"; exit 1; }
tools/need --optional rpmbuild ssh-keygen

# The file systems of this test end before the folder they are in.
down() { umount "$tree/dist" "$tmp" 2>/dev/null; }

# The source with small programs in place of the real ones: what matters is how files come into dist/.
tree=$work/tree ref=$work/ref tmp=$work/tmp
make_tree() {
	local name
	mkdir -p "$tree/build/bin" "$tree/dist" "$tmp" &&
		tar --exclude=./build --exclude=./dist --exclude=./.git -cf - . | tar -xf - -C "$tree" &&
		cp -a build/config.mk build/linked "$tree/build/" || return 1
	[ ! -e build/sysroot ] || cp -a build/sysroot "$tree/build/sysroot" || return 1
	for name in mlsh mlshtund mlsh-signal; do
		head -c 300000 /dev/urandom >"$tree/build/bin/$name" && chmod 755 "$tree/build/bin/$name" || return 1
	done
	ssh-keygen -q -t ed25519 -N '' -C '' -f "$work/key" && cd "$tree" && git init -q && git add -A &&
		git -c user.name=test -c user.email=test@example.org commit -q -m test
}

# A file system of this size, in KiB, on a folder. Temporary files are on another one than dist/, so that
# moving a file into it means to copy it.
small() { # folder, size
	if mountpoint -q "$1"; then umount "$1"; fi
	mount -t tmpfs -o "size=${2}k,mode=755" tmpfs "$1"
}
readonly roomy=100000

run() { # goal
	(
		cd "$tree" || exit 1
		export TMPDIR=$tmp MAKEFLAGS='' MLSH_LOCKED="${MLSH_LOCKED:-0}"
		[ "$1" != signed ] || export SIGN_KEY=$work/key
		case $1 in
		image) setsid -w tools/package-image signal "$arch" ;;
		signed) setsid -w make -o all -o build/linked -o build/config.mk dist ;;
		*) setsid -w make -o all -o build/linked -o build/config.mk "$1" ;;
		esac
	)
}

# dist/ as after a make of an earlier time: each file is there, with other contents.
begin() { # size
	local name
	small "$tree/dist" "$1" && for name in "$ref"/*; do echo old >"$tree/dist/${name##*/}" || return 1; done
}
# Each file is the whole new one or the whole old one. A signature is one of the sums beside it.
whole() {
	local file name
	for file in "$tree"/dist/*; do
		name=${file##*/}
		if [ ! -e "$ref/$name" ]; then echo "dist/$name is too many" && return 1; fi
		cmp -s "$file" "$ref/$name" || [ "$(cat "$file")" = old ] || { echo "half a file: dist/$name" && return 1; }
	done
	[ ! -e "$tree/dist/SHA256SUMS.sig" ] || [ "$(cat "$tree"/dist/SHA256SUMS.sig)" = old ] ||
		cmp "$tree/dist/SHA256SUMS" "$ref/SHA256SUMS"
}
mended() { run "$1" && diff -r "$ref" "$tree/dist"; } # goal

# In place of programs that write or rename files: at the call with the number STEP that touches dist/, half
# of it is done, and then the make and all its children are killed. A rename is not done by halves.
play_kill() {
	local name
	mkdir -p "$work/bin"
	cat >"$work/bin/mv" <<-'END'
		#!/bin/bash
		name=${0##*/} real=/usr/bin/${0##*/}
		touches=
		case $name:$PWD in
		mv:* | cp:* | install:* | ssh-keygen:*) for word; do case $word in dist | dist/*) touches=1 ;; esac; done ;;
		*:*/dist) touches=1 ;;
		esac
		[ -n "$touches" ] || exec "$real" "$@"
		count=$(($(cat "$STEPS") + 1))
		echo "$count" >"$STEPS"
		[ "$count" = "$STEP" ] || exec "$real" "$@"
		for target; do from=${to:-} to=$target; done
		case $name in
		sha256sum) "$real" "$@" | head -c 70 ;;
		ssh-keygen) "$real" "$@" && truncate -s 70 "$to.sig" ;;
		*)
			[ ! -d "$to" ] || to=$to/${from##*/}
			if [ "$name" != mv ] || [ "$(stat -c %d "$from")" != "$(stat -c %d "${to%/*}")" ]; then
				head -c "$(($(stat -c %s "$from") / 2))" "$from" >"$to"
			fi
			;;
		esac
		kill -9 0
	END
	for name in cp install ssh-keygen sha256sum; do cp "$work/bin/mv" "$work/bin/$name"; done
	chmod 755 "$work"/bin/*
}
survives_kills() { # goal
	local step status
	for ((step = 1; step < 50; step++)); do
		begin $roomy && echo 0 >"$work/steps" || return 1
		PATH=$work/bin:$PATH STEP=$step STEPS=$work/steps run "$1" >"$work/said" 2>&1
		status=$?
		[ $status != 0 ] || break
		[ "$(cat "$work/steps")" = $step ] || { cat "$work/said" && echo "step $step: $status" && return 1; }
		whole || { echo "after a kill at step $step" && return 1; }
		mended "$1" || { echo "after a kill at step $step" && return 1; }
	done
	echo "$((step - 1)) steps" | tee "$work/steps.of.$1"
	[ $step -gt 2 ]
}

# It fails, says why, and leaves nothing half; with room it goes on.
full_dist() { # goal
	local total part
	total=$(du -sk --apparent-size "$ref" | cut -f1)
	for part in 20 50 80; do
		begin $((total * part / 100)) || return 1
		if run "$1" >"$work/said" 2>&1; then echo "no failure with $part %" && return 1; fi
		whole && grep -q "No space left" "$work/said" && grep -qE "^mlsh: dist/.* is not " "$work/said" ||
			{ cat "$work/said" && echo "with $part %" && return 1; }
		[ ! -e "$tree/dist/.part" ] || return 1
		mount -o "remount,size=${roomy}k" "$tree/dist" && mended "$1" || return 1
	done
}
full_tmp() { # goal
	local size failures=0
	for size in 4 100 400 800 1600; do
		begin $roomy && small "$tmp" $size || return 1
		if run "$1" >"$work/said" 2>&1; then
			diff -r "$ref" "$tree/dist" || { echo "no failure with $size KiB" && return 1; }
		else
			failures=$((failures + 1))
			whole || { echo "with $size KiB" && return 1; }
		fi
	done
	small "$tmp" $roomy && mended "$1" && [ $failures -ge 2 ]
}

two_at_once() { # goal
	local first
	begin $roomy || return 1
	run "$1" >"$work/first" 2>&1 &
	first=$!
	run "$1" && wait $first || { cat "$work/first" && return 1; }
	diff -r "$ref" "$tree/dist"
}

check "a source with small programs" eval '(make_tree) && small "$tmp" $roomy'
play_kill
for goal in deb rpm dist signed image; do
	if [ $goal = rpm ] && ! command -v rpmbuild >/dev/null; then
		echo "skip - rpm: it is not installed"
		continue
	fi
	rm -rf "$ref" && mkdir "$ref"
	check "$goal: made" eval 'begin $roomy && run $goal && cp -a "$tree"/dist/. "$ref"'
	[ $failed = 0 ] || break
	check "$goal: kill -9 at each step leaves no half file, and the next one mends it" survives_kills $goal
	check "$goal: a full dist/ leaves no half file, and says so" full_dist $goal
	check "$goal: a full folder of temporary files is a failure" full_tmp $goal
	check "$goal: two at once" two_at_once $goal
	small "$tmp" $roomy
done
exit $failed
