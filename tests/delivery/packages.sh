#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The Debian packages in fresh minimal systems without systemd: installed, upgraded, removed, purged.
# Then what they ask of systemd, of which a script of this test plays systemctl.
#
# SUITES="bookworm trixie noble": the systems; none if it is empty.
set -uo pipefail
# shellcheck source=tests/delivery/lib.sh
. "$(dirname "$0")/lib.sh"
need_root "packages in minimal systems"

packages=(mlsh mlsh-signal)
debs=()
for package in "${packages[@]}"; do debs+=("dist/${package}_${packaged}_$arch.deb"); done
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

# Each source that is named as linked in has its licences in the package, and no other one has.
linked_in() { # package
	local deb=dist/$1_${packaged}_$arch.deb field root=$work/contents/$1
	mkdir -p "$root" && dpkg-deb -x "$deb" "$root" || return 1
	field=$(dpkg-deb -f "$deb" Static-Built-Using)
	grep -q 'openssl (= .*, tinycbor (= ' <<<"$field" || { echo "only $field" && return 1; }
	cmp <(tr ',' '\n' <<<"$field" | sed 's/ *(.*//; s/^ *//' | sort) \
		<(cd "$root/usr/share/doc/$1/third-party" && printf '%s\n' * | sort)
}
for package in "${packages[@]}"; do check "$package has the licences of what is linked in" linked_in "$package"; done

# --- in minimal systems ----------------------------------------------------------------------

# The same packages as a later version.
later() {
	local package
	for package in "${packages[@]}"; do
		rm -rf "$work/later"
		dpkg-deb -R "dist/${package}_${packaged}_$arch.deb" "$work/later" &&
			sed -i "s/^Version: .*/Version: $packaged+later/" "$work/later/DEBIAN/control" &&
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
		test -e /usr/share/doc/mlsh-signal/examples/mlsh-signal-backup.timer
		grep -x ExecStart=/usr/bin/mlsh-signal /usr/lib/systemd/system/mlsh-signal.service
		for unit in mlshtund mlsh-signal; do
			test -h /etc/systemd/system/multi-user.target.wants/$unit.service
		done'
}

# Earlier state, made up: packages do not look inside.
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

# Settings of a time when the server began as root, or with a secret in them. Root's group could write:
# the server's must not.
lets_server_read() {
	install_debs && in_system sh -ec '
		chmod 770 /etc/mlsh-signal && chmod 660 /etc/mlsh-signal/config.toml
		as_server() { setpriv --reuid mlsh-signal --regid mlsh-signal --clear-groups "$@"; }
		if as_server mlsh-signal 2>/refused; then exit 1; fi
		cat /refused && tr "\n" " " </refused | grep -E "chgrp +mlsh-signal +/etc/mlsh-signal/config.toml"
		dpkg -i /debs/mlsh-signal-later.deb
		as_server cat /etc/mlsh-signal/config.toml
		stat -c "%a %U:%G" /etc/mlsh-signal /etc/mlsh-signal/config.toml | paste -sd, |
			grep -x "750 root:mlsh-signal,640 root:mlsh-signal"
		rm /refused
		dpkg -P mlsh mlsh-signal' && nothing_left
}

# A file system of its own for a node's state, the server's elsewhere behind a link, a certificate in /etc.
purges_kindly() {
	install_debs && in_system sh -ec '
		mkdir -p /var/lib/mlsh /srv/keys
		mount -t tmpfs tmpfs /var/lib/mlsh && echo key >/var/lib/mlsh/homelab.state
		ln -s /srv/keys /var/lib/mlsh-signal && echo database >/srv/keys/signal.db
		echo certificate >/etc/mlsh-signal/cert.pem
		dpkg -P mlsh mlsh-signal
		if dpkg-query -W mlsh || dpkg-query -W mlsh-signal; then exit 1; fi
		test -z "$(ls -A /var/lib/mlsh)" && test -z "$(ls -A /srv/keys)" && test ! -h /var/lib/mlsh-signal
		test "$(ls -A /etc/mlsh-signal)" = cert.pem
		rm -r /etc/mlsh-signal /srv/keys; umount /var/lib/mlsh; rmdir /var/lib/mlsh' && nothing_left
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
	check "$system: a purge empties mounts and links, and leaves certificates" purges_kindly
	check "$system: an upgrade lets the server read what only root could" lets_server_read
}

# --- what they ask of systemd ----------------------------------------------------------------

play_systemctl() {
	mkdir -p "$over/upper/usr/bin" "$over/upper/run/systemd/system" "$over/upper/active"
	cat >"$over/upper/usr/bin/systemctl" <<-'END'
		#!/bin/sh
		for unit; do :; done
		unit=${unit%.service}
		case " $* " in
		*" is-enabled "*) echo enabled; exit ;;
		*" is-active "*) test -e /active/$unit; exit ;;
		*" start "*) : >/active/$unit; echo start $unit >>/asked ;;
		*" stop "*) rm -f /active/$unit; echo stop $unit >>/asked ;;
		*" try-restart "*) if [ -e /active/$unit ]; then echo restart $unit >>/asked; fi ;;
		*" restart "*) echo forced restart $unit >>/asked ;;
		esac
	END
	chmod 755 "$over/upper/usr/bin/systemctl"
}
asked() { # what systemd was to do with mlshtund, command...
	local expected=$1 got
	shift
	rm -f "$over/upper/asked"
	"$@" || return 1
	got=$(grep mlshtund "$over/upper/asked" 2>/dev/null | paste -sd ,)
	[ "$got" = "$expected" ] || { echo "asked for \"$got\"" && return 1; }
}
upgrade() { in_system sh -c 'dpkg -i /debs/*-later.deb'; }

# A package that dpkg cannot install where mlsh is: it has a file of it, or it takes its place and fails.
rival() { # name, field of control that takes the place...
	local root=$work/rival
	rm -rf "$root" && mkdir -p "$root/DEBIAN" "$root/usr/bin" && : >"$root/usr/bin/mlsh" || return 1
	printf '%s\n' "Package: $1" "Version: 1" "Architecture: all" "Maintainer: test <test@example.org>" \
		"Description: rival" "${@:2}" >"$root/DEBIAN/control"
	if [ $# != 1 ]; then
		printf '#!/bin/sh\nexit 1\n' >"$root/DEBIAN/preinst" && chmod 755 "$root/DEBIAN/preinst" || return 1
	fi
	dpkg-deb --root-owner-group -Znone -b "$root" "$over/upper/debs/$1.rival"
}
names_left() { in_system sh -c 'find / -xdev -name "mlsh*" ! -path "/debs/*" ! -path "/active/*" | sort'; }
# dpkg stops mlsh in favour of the rival, whose preinst fails then.
removal_fails() {
	rival usurper "Conflicts: mlsh" "Replaces: mlsh" && ! in_system dpkg -i /debs/usurper.rival &&
		in_system sh -c 'dpkg-query -W -f "\${db:Status-Status}" mlsh | grep -x installed'
}
installation_fails() {
	names_left >"$work/names" && rival squatter && in_system dpkg -i /debs/squatter.rival &&
		! in_system sh -c 'dpkg -i /debs/mlsh_*.deb' && in_system dpkg -P squatter &&
		names_left | diff "$work/names" -
}
# The machine is switched off between dpkg's two steps.
unpacked_then_booted() {
	in_system sh -c 'dpkg --unpack /debs/mlsh_*.deb' && find "$over/upper/run" -name '*mlsh*' -delete &&
		in_system dpkg --configure mlsh
}
policy() { # exit status of policy-rc.d
	printf '#!/bin/sh\nexit %s\n' "$1" >"$over/upper/usr/sbin/policy-rc.d" &&
		chmod 755 "$over/upper/usr/sbin/policy-rc.d"
}

with_systemctl() {
	fresh_system bookworm || return 0
	put_debs >"$work/out" 2>&1 && play_systemctl
	check "an installation starts the daemon" asked "start mlshtund" install_debs
	check "an upgrade restarts one that runs" asked "restart mlshtund" upgrade
	check "a removal stops it" asked "stop mlshtund" in_system dpkg -r mlsh
	check "another installation starts it again" asked "start mlshtund" install_debs
	rm "$over/upper/active/mlshtund"
	check "an upgrade leaves one alone that was stopped" asked "" upgrade
	check "so does a removal that dpkg gives up" asked "stop mlshtund" removal_fails
	: >"$over/upper/active/mlshtund"
	check "which lets one that ran go on" asked "stop mlshtund,start mlshtund" removal_fails
	in_system dpkg -r mlsh >"$work/out"
	check "an installation that dpkg gives up leaves nothing" asked "" installation_fails
	check "one after a reboot between unpacking and configuring starts the daemon" \
		asked "start mlshtund" unpacked_then_booted
	in_system dpkg -P mlsh mlsh-signal >"$work/out"
	mkdir -p "$over/upper/usr/sbin" && policy 101
	check "nothing is started where policy-rc.d forbids it" asked "" install_debs
}

with_systemctl
for suite in ${SUITES-bookworm trixie noble}; do in_suite "$suite"; done
exit $failed
