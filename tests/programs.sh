#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The programs as they are shipped: one file each that needs nothing else, hardened, and able to
# run where there is nothing but itself (an empty root folder).
set -uo pipefail

failed=0
result() { # name, then what is wrong with it (nothing: fine)
	if [ -z "$2" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1: $2"
		failed=1
	fi
}

hardening() { # program
	local headers dynamic
	headers=$(readelf -lW "$1")
	dynamic=$(readelf -dW "$1")
	if grep -q INTERP <<<"$headers"; then echo "wants an interpreter"; fi
	if grep -q '(NEEDED)' <<<"$dynamic"; then echo "wants shared libraries"; fi
	if ! grep -q GNU_RELRO <<<"$headers"; then echo "not read-only after its start"; fi
	if grep -qE 'GNU_STACK.* RWE' <<<"$headers"; then echo "executable stack"; fi
	if ! readelf -hW "$1" | grep -q 'Type: *DYN'; then echo "loaded at a fixed address"; fi
	if readelf -SW "$1" | grep -q '\.debug_info'; then echo "not stripped"; fi
}

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
for name in mlsh mlshtund mlsh-signal; do
	program=build/bin/$name
	if [ ! -x "$program" ]; then
		echo "not ok - $name was built"
		failed=1
		continue
	fi
	result "$name is static and hardened" "$(hardening "$program" | paste -sd ,)"
	cp "$program" "$root/$name"
	if [ "$(id -u)" != 0 ]; then
		echo "skip - $name runs in an empty root: needs root"
		continue
	fi
	output=$(chroot "$root" "/$name" --version 2>&1) && problem="" || problem="exit status $?"
	[ -n "$output" ] || problem+=" prints nothing"
	result "$name runs in an empty root" "${problem:+$problem: $output}"
done
exit $failed
