#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The systemd units: systemd reads them without a word, and what it says of their exposure (from 0, none,
# to 10) stays below what we promise.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

if ! systemd-analyze security --help 2>/dev/null | grep -e '--offline' >/dev/null; then
	echo "skip - the units: systemd-analyze is missing here, or older than systemd 250"
	exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

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

# systemd takes the unit, and has not a word to say about it; other units of this machine may have their
# faults.
reads() { # unit
	local status=0
	systemd-analyze verify --man=no "$work/$1" >"$work/words" 2>&1 || status=$?
	cat "$work/words"
	! grep -qF "$1" "$work/words" && [ "$status" = 0 ]
}
refuses() { # name, lines of the unit...
	local name=$1
	shift
	printf '%s\n' "$@" >"$work/$name"
	! reads "$name"
}
# A systemd-analyze that fails without a word has read nothing.
refuses_silence() {
	mkdir -p "$work/bin" && printf '#!/bin/sh\nexit 1\n' >"$work/bin/systemd-analyze" &&
		chmod 755 "$work/bin/systemd-analyze" && ! PATH=$work/bin:$PATH reads open.service
}
below() { # unit, tenths
	systemd-analyze security --offline=true --no-pager --threshold=$(($2 - 1)) "$work/$1"
}
refuses_what_is_open() { ! below open.service 30; }

printf '[Service]\nExecStart=/bin/true\n' >"$work/open.service"
if ! reads open.service >"$work/out"; then
	sed 's/^/# /' "$work/out"
	echo "skip - the units: systemd-analyze verify cannot read the plainest unit here (see above)"
	exit 77
fi
check "a unit with an unknown word is not taken" refuses word.service '[Service]' 'ExecStart=/bin/true' 'Restartt=no'
check "nor one whose program is missing" refuses program.service '[Service]' 'ExecStart=/nowhere/program'
check "nor one that needs a unit that there is not" refuses needs.service '[Unit]' 'Requires=no-such.service' \
	'[Service]' 'ExecStart=/bin/true'
check "a systemd-analyze that fails is no approval" refuses_silence
for unit in mlshtund mlsh-signal; do
	sed "s|@PREFIX@/bin|$PWD/build/bin|" "contrib/systemd/$unit.service" >"$work/$unit.service"
	check "systemd reads $unit.service" reads "$unit.service"
done
check "exposure of mlsh-signal.service is below 2.0" below mlsh-signal.service 20
check "exposure of mlshtund.service is below 3.0" below mlshtund.service 30
check "and a unit without any fence is above that" refuses_what_is_open
exit $failed
