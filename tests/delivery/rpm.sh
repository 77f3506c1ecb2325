#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The RPM packages in a root of its own (rpm --root): installed, upgraded, removed. The root is a minimal
# Debian with a database of RPM's that knows only these packages, hence --nodeps; a script of this test
# plays systemctl. What a distribution of RPM's does beyond that was not tried.
set -uo pipefail
# shellcheck source=tests/delivery/lib.sh
. "$(dirname "$0")/lib.sh"
need_root "RPM packages in a root of its own"
tools/need --optional rpmbuild
command -v rpmbuild >/dev/null || { echo "skip - RPM packages: rpm is not installed"; exit 77; }

rpm_arch=$(uname -m)
rpms=("dist/mlsh-$version-1.$rpm_arch.rpm" "dist/mlsh-signal-$version-1.$rpm_arch.rpm")
for rpm in "${rpms[@]}"; do
	[ -e "$rpm" ] || { echo "not ok - $rpm is there: run make rpm"; exit 1; }
done

# rpm from outside on the system of fresh_system, whose scripts run in it.
# shellcheck disable=SC2016 # expanded by the inner shell
rpm_in() {
	local nodeps=--nodeps
	[ "$1" != -q ] || nodeps= # a query refuses it
	# shellcheck disable=SC2086 # no word where it is empty
	unshare --mount --pid --fork --kill-child bash -c 'set -e
		mount --make-rprivate /
		mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
		mount -t proc proc "$2/root/proc"
		mount --rbind /dev "$2/root/dev"
		root=$2/root
		shift 2
		exec rpm --root "$root" "$@"' rpm_in "$base" "$over" $nodeps "$@"
}

# The same packages as version 0.1.0+later: built from the same files.
later() {
	local tree=$work/tree
	mkdir -p "$tree/build" && tar --exclude=./build --exclude=./dist --exclude=./.git -cf - . | tar -xf - -C "$tree" &&
		cp -a build/bin build/linked "$tree/build/" && ln -s "$PWD/build/sysroot" "$tree/build/sysroot" &&
		sed -i "s/\(MLSH_VERSION \".*\)\"/\1+later\"/" "$tree/src/base/version.h" &&
		(cd "$tree" && SOURCE_DATE_EPOCH=$(($(date +%s) - 60)) ARCH=$arch PROGRAMS=build/bin LINKED=build/linked \
			tools/package-rpm)
}
install_later() { rpm_in -U "$work"/tree/dist/*.rpm; }

play_systemctl() {
	mkdir -p "$over/upper/usr/bin" "$over/upper/run/systemd/system"
	cat >"$over/upper/usr/bin/systemctl" <<-'END'
		#!/bin/sh
		echo "$*" | sed 's/--quiet //' >>/asked
	END
	chmod 755 "$over/upper/usr/bin/systemctl"
}
asked() { # what systemd was to do with mlshtund, command...
	local expected=$1 got
	shift
	rm -f "$over/upper/asked"
	"$@" || return 1
	got=$(sed -n 's/ mlshtund.service//p' "$over/upper/asked" | paste -sd ,)
	[ "$got" = "$expected" ] || { echo "asked for \"$got\"" && return 1; }
}

installed() {
	rpm_in -V mlsh mlsh-signal && in_system sh -ec '
		mlsh --version && mlshtund --version && mlsh-signal --version
		getent passwd mlshtund mlsh-signal && getent group mlsh
		grep -x ExecStart=/usr/bin/mlshtund /usr/lib/systemd/system/mlshtund.service
		test -s /usr/share/man/man8/mlshtund.8.gz'
}
# Beside what the packages have to say about themselves.
same_files_as_deb() { # package
	diff <(dpkg-deb -c "dist/$1_${version}_$arch.deb" | awk '$1 ~ /^-/ { print substr($6, 2) }' |
		grep -vE '^/usr/share/(doc|lintian)/' | sed 's,/zsh/vendor-completions/,/zsh/site-functions/,' | sort) \
		<(rpm -qlp "dist/$1-$version-1.$rpm_arch.rpm" | grep -vE "^/usr/share/doc/|^/etc/$1\$" | sort)
}
gone() {
	! rpm_in -q mlsh && ! in_system mlsh --version && ! in_system mlsh-signal --version &&
		in_system sh -c '! find /usr /etc -path "*mlsh*" ! -path "*/rpm/*" ! -name config.toml.rpmsave \
			! -path /etc/mlsh-signal | grep .'
}

for package in mlsh mlsh-signal; do
	check "$package holds the files of the Debian package" same_files_as_deb "$package"
done
if fresh_system bookworm; then
	play_systemctl
	check "an installation starts the daemon" asked enable,start rpm_in -i "${rpms[@]}"
	check "all files are there and as packaged" installed
	in_system sh -c 'mkdir -p /var/lib/mlsh; echo key >/var/lib/mlsh/homelab.state
		echo "log = \"debug\"" >>/etc/mlsh-signal/config.toml
		chmod 600 /etc/mlsh-signal/config.toml'
	check "a later version is made" later
	check "an upgrade restarts the daemon if it runs" asked try-restart install_later
	check "and keeps state and settings" in_system sh -ec '
		grep key /var/lib/mlsh/homelab.state; grep debug /etc/mlsh-signal/config.toml'
	check "the server can read settings that only root could" in_system setpriv --reuid mlsh-signal \
		--regid mlsh-signal --clear-groups cat /etc/mlsh-signal/config.toml
	check "it is the later version" eval '[ "$(rpm_in -q mlsh)" = "mlsh-$version+later-1.$rpm_arch" ]'
	check "a removal stops it" asked disable,stop rpm_in -e mlsh mlsh-signal
	check "and leaves state, and nothing else" eval 'gone && in_system grep -q key /var/lib/mlsh/homelab.state'
fi
exit $failed
