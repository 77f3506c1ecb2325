#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The tools that make packages: what comes before a version is before it for dpkg and RPM, too; folders
# with spaces are no obstacle; a tool that fails leaves no package.
set -uo pipefail
# shellcheck source=tests/delivery/lib.sh
. "$(dirname "$0")/lib.sh"

if [ ! -e build/linked ]; then echo "not ok - build/linked is there: run make deb"; exit 1; fi
tools/need --optional rpmbuild
tree=$work/tree
kinds=(deb)
if command -v rpmbuild >/dev/null; then
	kinds+=(rpm)
	rpm_arch=$(uname -m)
else
	echo "skip - packages of RPM's: rpm is not installed"
fi

# --- versions --------------------------------------------------------------------------------

# In the order that semver.org has for them.
readonly ascending=(0.1.9 0.2.0-alpha 0.2.0-beta.2 0.2.0-rc.1 0.2.0-rc.1-2 0.2.0-rc.2 0.2.0-rc.10 0.2.0 0.2.0+hot-fix 0.2.1)
as_packaged() { # version
	mkdir -p "$work/plain/src/base" "$work/plain/tools" && cp tools/version "$work/plain/tools" &&
		echo "#define MLSH_VERSION \"$1\"" >"$work/plain/src/base/version.h" && "$work/plain/tools/version" package
}
in_order() { # command that compares two, as words
	local before='' version now
	for version in "${ascending[@]}"; do
		now=$(as_packaged "$version") || return 1
		[ -z "$before" ] || "$@" "$before" "$now" || { echo "$before is not before $now ($version)" && return 1; }
		before=$now
	done
}
dpkg_orders() { dpkg --compare-versions "$1" lt "$2"; }
rpm_orders() { [ "$(rpm --eval "%{lua: print(rpm.vercmp('$1', '$2'))}")" = -1 ]; }
is_no_version() { # text
	! as_packaged "$1" 2>"$work/words" && grep -F "\"$1\": it must be like" "$work/words"
}

check "dpkg orders versions as semver.org does" in_order dpkg_orders
if [ "${#kinds[@]}" = 2 ]; then check "RPM does, too" in_order rpm_orders; fi
for text in 0.2 0.2.0- 0.2.0_rc1 v0.2.0; do check "\"$text\" is refused as a version" is_no_version "$text"; done

# --- a version before another one, made in a folder with spaces ------------------------------

names() { # the files that must be there: each package, and what it is made of
	{
		printf '%s\n' "mlsh_0.2.0~rc.1_$arch.deb" "mlsh-signal_0.2.0~rc.1_$arch.deb"
		[ "${#kinds[@]}" = 1 ] ||
			printf '%s\n' "mlsh-0.2.0~rc.1-1.$rpm_arch.rpm" "mlsh-signal-0.2.0~rc.1-1.$rpm_arch.rpm"
	} | sed 'p; s/$/.spdx.json/'
}
made() {
	local kind
	tree_of "$tree" 0.2.0-rc.1 && mkdir -p "$work/some where" || return 1
	for kind in "${kinds[@]}"; do TMPDIR="$work/some where" tool_in "$tree" "tools/package-$kind" || return 1; done
	diff <(names | sort) <(cd "$tree/dist" && printf '%s\n' * | sort)
}
told() {
	[ "$(dpkg-deb -f "$tree/dist/mlsh_0.2.0~rc.1_$arch.deb" Version)" = "0.2.0~rc.1" ] || return 1
	[ "${#kinds[@]}" = 1 ] ||
		[ "$(rpm -qp --qf '%{VERSION}' "$tree/dist/mlsh-0.2.0~rc.1-1.$rpm_arch.rpm")" = "0.2.0~rc.1" ]
}
summed() { # the sums name them, and no file of the version itself
	touch "$tree/dist/mlsh_0.2.0_$arch.deb" && (cd "$tree" && tools/sums make) &&
		diff <(names | sort) <(sed -n '1!s/.*  //p' "$tree/dist/SHA256SUMS" | sort) &&
		rm "$tree/dist/mlsh_0.2.0_$arch.deb" && printf '%s\ndate 1\n' 0123456789ab >"$tree/.commit" &&
		(cd "$tree" && tools/sums make && UNSIGNED=ok tools/sums verify)
}
check "packages of 0.2.0-rc.1 are made in a folder with spaces" made
check "they say 0.2.0~rc.1" told
check "and the sums name them" summed

# --- a tool that fails -----------------------------------------------------------------------

# gzip as it is on a full disk, for the pages of the manual.
full_disk() { # kind of packages
	mkdir -p "$work/bin" && printf '#!/bin/sh\ncase $* in *mlsh.1*) echo "gzip: No space left on device" >&2; exit 1 ;; esac\nexec %s "$@"\n' \
		"$(command -v gzip)" >"$work/bin/gzip" && chmod 755 "$work/bin/gzip" && rm -rf "$tree/dist" || return 1
	! PATH=$work/bin:$PATH tool_in "$tree" "tools/package-$1" 2>"$work/words" && cat "$work/words" &&
		grep -F "No space left" "$work/words" && [ -z "$(ls "$tree/dist" 2>/dev/null)" ]
}
for kind in "${kinds[@]}"; do check "a page that cannot be packed fails make $kind" full_disk "$kind"; done
exit $failed
