#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The Debian packages in fresh minimal systems without systemd: installed, upgraded, removed, purged. A
# systemctl of the test's own notes what the packages ask of systemd.
set -uo pipefail
# shellcheck source=tests/delivery/lib.sh
. "$(dirname "$0")/lib.sh"
need_root "packages in minimal systems"

packages=(mlsh mlsh-signal)
debs=()
for package in "${packages[@]}"; do debs+=("dist/${package}_${version}_$arch.deb"); done
for deb in "${debs[@]}"; do
	[ -e "$deb" ] || { echo "not ok - $deb is there: run make deb"; exit 1; }
done

# --- the files themselves --------------------------------------------------------------------

tools/need --optional lintian
if command -v lintian >/dev/null; then
	check "lintian finds no error" lintian --allow-root --fail-on error "${debs[@]}"
else
	echo "skip - lintian: not installed"
fi

# --- in minimal systems ----------------------------------------------------------------------

# The same packages as a later version.
later() {
	local package
	for package in "${packages[@]}"; do
		rm -rf "$work/later"
		dpkg-deb -R "dist/${package}_${version}_$arch.deb" "$work/later" &&
			sed -i "s/^Version: .*/Version: $version+later/" "$work/later/DEBIAN/control" &&
			dpkg-deb --root-owner-group -Znone -b "$work/later" "$over/upper/debs/$package-later.deb" ||
			return 1
	done
}

put_debs() {
	mkdir -p "$over/upper/debs" && cp "${debs[@]}" "$over/upper/debs" && later
}

install_debs() { in_system sh -c 'cd /debs && dpkg -i mlsh_*.deb mlsh-signal_*.deb'; }

# What the system has besides the packages' own database and logs.
listing() { # file
	in_system find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /debs -o -path /run \
		-o -path /tmp -o -path /var/lib/dpkg -o -path '/var/log/*' -o -path '/var/cache/*' \) -prune \
		-o -print | sort >"$1"
}

installed() {
	in_system sh -ec '
		mlsh --version && mlshtund --version && mlsh-signal --version
		for user in mlshtund mlsh-signal; do
			getent passwd $user | grep :/usr/sbin/nologin$
		done
		getent group mlsh
		test -e /usr/lib/systemd/system/mlshtund.service
		grep -x ExecStart=/usr/bin/mlsh-signal /usr/lib/systemd/system/mlsh-signal.service
		for unit in mlshtund mlsh-signal; do
			test -h /etc/systemd/system/multi-user.target.wants/$unit.service
		done'
}

# State of before, made up: packages do not look inside.
with_state() {
	in_system sh -ec '
		mkdir -p /var/lib/mlsh /var/lib/mlsh-signal
		echo key >/var/lib/mlsh/homelab.state
		echo database >/var/lib/mlsh-signal/signal.db
		echo "log = \"debug\"" >>/etc/mlsh-signal/config.toml'
}
state_is_there() {
	in_system grep -q key /var/lib/mlsh/homelab.state &&
		in_system grep -q database /var/lib/mlsh-signal/signal.db &&
		in_system grep -q debug /etc/mlsh-signal/config.toml
}

nothing_left() {
	listing "$work/after"
	diff "$work/before" "$work/after" | grep -vE '^[0-9]|^---|^[<>] /etc/(passwd|group|g?shadow|subuid|subgid)-?$' |
		grep . && return 1
	return 0
}

in_suite() { # suite
	fresh_system "$1" || return 0
	listing "$work/before"
	check "$system: dpkg -i" eval 'put_debs && install_debs'
	check "$system: programs, users and units are there" installed
	with_state
	check "$system: an upgrade keeps state and settings" eval \
		'in_system sh -c "dpkg -i /debs/*-later.deb" && state_is_there'
	check "$system: so does a removal" eval \
		'in_system dpkg -r mlsh mlsh-signal && state_is_there && ! in_system mlsh --version'
	check "$system: and another installation" eval 'install_debs && state_is_there && installed'
	check "$system: a purge leaves nothing" eval \
		'in_system dpkg -P mlsh mlsh-signal && nothing_left'
	check "$system: a purge after a removal, too" eval 'install_debs && with_state &&
		in_system dpkg -r mlsh mlsh-signal && in_system dpkg -P mlsh mlsh-signal && nothing_left'
}

in_suite bookworm
in_suite trixie
exit $failed
