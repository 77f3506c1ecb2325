#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The RPM packages in a root of its own (rpm --root): installed, upgraded, removed. The root is a minimal
# Debian with a database of RPM's that knows only these packages and one that this test makes, with the
# names of what they ask for; a script of this test plays systemctl. What a distribution of RPM's does
# beyond that was not tried.
set -uo pipefail
# shellcheck source=tests/delivery/lib.sh
. "$(dirname "$0")/lib.sh"
need_root "RPM packages in a root of its own"
tools/need --optional rpmbuild
command -v rpmbuild >/dev/null || { echo "skip - RPM packages: rpm is not installed"; exit 77; }

rpm_arch=$(uname -m)
rpms=("dist/mlsh-$packaged-1.$rpm_arch.rpm" "dist/mlsh-signal-$packaged-1.$rpm_arch.rpm")
for rpm in "${rpms[@]}"; do
	[ -e "$rpm" ] || { echo "not ok - $rpm is there: run make rpm"; exit 1; }
done

# rpm from outside on the system of fresh_system, whose scripts run in it.
# shellcheck disable=SC2016 # expanded by the inner shell
rpm_in() {
	unshare --mount --pid --fork --kill-child bash -c 'set -e
		mount --make-rprivate /
		mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
		mount -t proc proc "$2/root/proc"
		mount --rbind /dev "$2/root/dev"
		root=$2/root
		shift 2
		exec rpm --root "$root" "$@"' rpm_in "$base" "$over" "$@"
}

# The same packages as version 0.1.0+later: built from the same files.
later() { tree_of "$work/tree" "$version+later" && tool_in "$work/tree" tools/package-rpm; }
install_later() { rpm_in -U "$work"/tree/dist/*.rpm; }

play_systemctl() {
	mkdir -p "$over/upper/usr/bin" "$over/upper/run/systemd/system"
	cat >"$over/upper/usr/bin/systemctl" <<-'END'
		#!/bin/sh
		case "$*" in
		*is-enabled*) ! [ -e /preset-says-no ] ;;
		*) echo "$*" | sed 's/--quiet //' >>/asked ;;
		esac
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
	diff <(dpkg-deb -c "dist/$1_${packaged}_$arch.deb" | awk '$1 ~ /^-/ { print substr($6, 2) }' |
		grep -vE '^/usr/share/(doc|lintian)/' | cat - <(echo "/usr/lib/systemd/system-preset/85-$1.preset") | sed 's,/zsh/vendor-completions/,/zsh/site-functions/,' | sort) \
		<(rpm -qlp "dist/$1-$packaged-1.$rpm_arch.rpm" | grep -vE "^/usr/share/(doc|licenses)/|^/etc/$1\$" | sort)
}
gone() {
	! rpm_in -q mlsh && ! in_system mlsh --version && ! in_system mlsh-signal --version &&
		in_system sh -c '! find /usr /etc -path "*mlsh*" ! -path "*/rpm/*" ! -name config.toml.rpmsave \
			! -path /etc/mlsh-signal | grep .'
}

# What the packages ask for, in a package of its own.
base_system() { # name, what it provides
	printf '%s\n' "Name: $1" "Version: 1" "Release: 1" "Summary: test" "License: MIT" "Provides: $2" "BuildArch: noarch" \
		%description test %files >"$work/$1.spec" &&
		rpmbuild --quiet -bb --define "_topdir $work/rpms" --define "_rpmfilename %{NAME}.rpm" "$work/$1.spec"
}
# Without the tools that make users, the packages are refused: their users would be missing.
needs_shadow() {
	base_system base "/bin/sh, coreutils" && base_system shadow-utils "useradd" &&
		rpm_in -i "$work/rpms/RPMS/base.rpm" && ! rpm_in -i "${rpms[@]}" 2>"$work/refused" &&
		grep -F "shadow-utils or shadow) is needed by mlsh-signal" "$work/refused" && rpm_in -i "$work/rpms/RPMS/shadow-utils.rpm" && rpm_in -i --test "${rpms[@]}"
}

# Licences are there where documents are not wanted.
notices() { # package
	local file
	rpm -qp --licensefiles "dist/$1-$packaged-1.$rpm_arch.rpm" | sort >"$work/licences"
	for file in copyright third-party/openssl third-party/common-licenses/GPL-2; do
		grep -x "/usr/share/licenses/$1/$file" "$work/licences" || { echo "$file is missing" && return 1; }
	done
	! rpm -qdp "dist/$1-$packaged-1.$rpm_arch.rpm" | grep -xFf "$work/licences"
}

# The presets: of the packages, of a distribution that starts nothing, of an administrator.
preset_gives() { # what comes of it
	local got
	systemctl --root="$work/presets" --quiet preset mlshtund.service
	got=$(systemctl --root="$work/presets" is-enabled mlshtund.service)
	[ "$got" = "$1" ] || { echo "it is $got" && return 1; }
}
presets() {
	local root=$work/presets
	mkdir -p "$root/etc/systemd/system-preset" && cp "${rpms[0]}" "$work/mlsh.rpm" &&
		rpm2archive "$work/mlsh.rpm" && tar -xzf "$work/mlsh.rpm.tgz" -C "$root" &&
		echo "disable *" >"$root/usr/lib/systemd/system-preset/99-default-disable.preset" &&
		preset_gives enabled &&
		echo "disable mlshtund.service" >"$root/etc/systemd/system-preset/00-admin.preset" &&
		preset_gives disabled
}

for package in mlsh mlsh-signal; do
	check "$package brings its licences as such" notices "$package"
	check "$package holds the files of the Debian package" same_files_as_deb "$package"
done
if command -v systemctl >/dev/null; then
	check "the presets of the administrator come before the packages'" presets
else
	echo "skip - presets: systemctl is not installed"
fi
check "its licences are those of what is linked in, too" eval '[[ $(rpm -qp --qf "%{LICENSE}" "${rpms[1]}") == \
	"AGPL-3.0-only AND MIT AND Apache-2.0 AND "*" AND LGPL-2.1-or-later AND "* ]]'
if fresh_system bookworm; then
	play_systemctl
	check "an installation asks for what makes users" needs_shadow
	: >"$over/upper/preset-says-no"
	check "it starts no daemon that a preset forbids" asked preset rpm_in -i "${rpms[@]}"
	rm "$over/upper/preset-says-no"
	rpm_in -e mlsh mlsh-signal >"$work/out" 2>&1
	check "an installation starts the daemon" asked preset,start rpm_in -i "${rpms[@]}"
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
	check "it is the later version" eval '[ "$(rpm_in -q mlsh)" = "mlsh-$packaged+later-1.$rpm_arch" ]'
	check "a removal stops it" asked disable,stop rpm_in -e mlsh mlsh-signal
	check "and leaves state, and nothing else" eval 'gone && in_system grep -q key /var/lib/mlsh/homelab.state'
fi
exit $failed
