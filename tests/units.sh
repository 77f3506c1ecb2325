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

# Not a word about the unit; other units of this machine may have their faults.
reads() { # unit
	systemd-analyze verify --man=no "$work/$1" >"$work/words" 2>&1
	! grep -F "$1" "$work/words"
}
below() { # unit, tenths
	systemd-analyze security --offline=true --no-pager --threshold=$(($2 - 1)) "$work/$1"
}
refuses_what_is_open() { ! below open.service 30; }

for unit in mlshtund mlsh-signal; do
	sed "s|@PREFIX@/bin|$PWD/build/bin|" "contrib/systemd/$unit.service" >"$work/$unit.service"
	check "systemd reads $unit.service" reads "$unit.service"
done
check "exposure of mlsh-signal.service is below 2.0" below mlsh-signal.service 20
check "exposure of mlshtund.service is below 3.0" below mlshtund.service 30
printf '[Service]\nExecStart=/bin/true\n' >"$work/open.service"
check "and a unit without any fence is above that" refuses_what_is_open
exit $failed
