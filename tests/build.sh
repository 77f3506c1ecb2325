#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The build and the installation on machines that are set up in an unusual way: folders with
# spaces, no home, a strict umask, a mirror that has moved on. Nothing is fetched or compiled here.
set -uo pipefail

top=$PWD
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
odd="$scratch/a b"
mkdir -p "$odd"
failed=0

check() { # name, command...; what it printed is shown if it fails
	local name=$1
	shift
	if "$@" >"$scratch/out" 2>&1; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		sed 's/^/    /' "$scratch/out"
		failed=1
	fi
}

# --- where the libraries are kept ---

cache_is() { # expected folder, variable of the environment...
	local got expected=$1
	shift
	got=$(env -u HOME -u XDG_CACHE_HOME "$@" tools/sysroot cache)
	[ "$got" = "$expected" ] || { echo "'$got' in place of '$expected'" && false; }
}
: >"$scratch/file"
check "the cache is in HOME" cache_is "$odd/.cache/mlsh" HOME="$odd"
check "or where XDG_CACHE_HOME says" cache_is "$odd/x/mlsh" HOME="$odd" XDG_CACHE_HOME="$odd/x"
check "a relative XDG_CACHE_HOME is ignored" cache_is "$odd/.cache/mlsh" HOME="$odd" XDG_CACHE_HOME=x
check "no HOME" cache_is "$top/build/cache"
check "a HOME that is missing" cache_is "$top/build/cache" HOME="$scratch/missing"
check "a HOME that is not a folder" cache_is "$top/build/cache" HOME="$scratch/file"
check "a HOME that cannot be written" cache_is "$top/build/cache" HOME=/proc/self

# --- make, with spaces in the path of the source and of the libraries ---

# make reads its files again after it has written build/config.mk. It must not do so forever.
make_in_odd_folders() {
	local key
	mkdir -p "$odd/src" "$odd/cache/mlsh" &&
		tar --exclude=./build --exclude=./dist --exclude=./.git -cf - . | tar -xf - -C "$odd/src" &&
		key=$(readlink build/sysroot) &&
		ln -s "$key" "$odd/cache/mlsh/${key##*/}" &&
		cd "$odd/src" &&
		XDG_CACHE_HOME="$odd/cache" MLSH_SYSROOT=always MAKEFLAGS='' \
			timeout 120 make --no-print-directory -n "MLSH_LOCKED=${MLSH_LOCKED:-0}" all >"$scratch/commands" &&
		[ "$(readlink build/sysroot)" = "$odd/cache/mlsh/${key##*/}" ] &&
		grep -q 'src/base/log\.c' "$scratch/commands" && ! grep -F "$odd" "$scratch/commands"
}
if [ -e build/sysroot ]; then
	check "make with spaces in HOME and in the path" eval '(make_in_odd_folders)'
else
	echo "skip - make with spaces in HOME and in the path: builds with this machine's libraries"
fi

cxx_of() { # CC
	MAKEFLAGS='' make --no-print-directory -s -f - CC="$1" <<-'END'
		include mk/flags.mk
		all:; @echo "$(CXX)"
	END
}
check "CXX follows CC" eval '[ "$(cxx_of gcc)" = g++ ] && [ "$(cxx_of clang)" = clang++ ] &&
	[ "$(cxx_of "ccache /opt/clang/bin/clang-19")" = "ccache /opt/clang/bin/clang++-19" ]'

# Another compiler sees other things in the same lines.
werror_of() { # name, version
	mkdir -p "$scratch/cc" && printf '#!/bin/sh\necho %s\n' "$2" >"$scratch/cc/$1" && chmod 755 "$scratch/cc/$1" &&
		MAKEFLAGS='' make --no-print-directory -s -f - CC="env $scratch/cc/$1" goals_build=all <<-'END'
			include mk/flags.mk
			all:; @echo "$(WERROR)"
		END
}
check "a warning of Debian 12's compilers stops the build" eval \
	'[ "$(werror_of gcc 12)$(werror_of clang 14.0.6)" = -Werror-Werror ]'
check "of others it does not" eval '[ -z "$(werror_of gcc 14)$(werror_of gcc-14 14.2.0)$(werror_of clang-19 19.1.7)" ]'

# --- another architecture ---

own=$(dpkg --print-architecture)
make_says() { # what it says, argument...
	local says=$1
	shift
	! MAKEFLAGS='' make --no-print-directory -n "$@" >"$scratch/out" 2>&1 && grep -qE "$says" "$scratch/out"
}
builds_in() { # folder, argument...
	[ "$(MAKEFLAGS='' make --no-print-directory --eval='where:; @echo "$(B)$(CROSS)"' where "${@:2}")" = "$1" ]
}
on_arm64() { # argument...: tools/arch as on such a machine
	mkdir -p "$scratch/arm64" && printf '#!/bin/sh\necho arm64\n' >"$scratch/arm64/dpkg" &&
		chmod 755 "$scratch/arm64/dpkg" && PATH="$scratch/arm64:$PATH" tools/arch "$@"
}
flags_for_arm64() { # argument...
	MAKEFLAGS='' make --no-print-directory -s -f - CROSS=aarch64-linux-gnu- ARCH=arm64 \
		TRIPLET=aarch64-linux-gnu "$@" 2>&1 <<-'END'
			include mk/flags.mk
			all:; @echo "$(CC) $(CXX) $(AR) $(STRIP)"
		END
}
locked_for() { # architecture: packages of mk/packages that mk/deps.lock lacks
	comm -23 <(sed 's/#.*//' mk/packages | awk -v a="$1" 'NF && (NF < 4 || $4 == a) { print $1 }' | sort) \
		<(awk -v a="$1" 'length($3) == 64 && $4 == a && $5 ~ /^pool\// { print $1 }' mk/deps.lock | sort)
}
for arch in $(tools/arch list); do
	check "every library is locked for $arch" eval '[ -z "$(locked_for "$arch")" ]'
done
check "an unknown ARCH is told the known ones" make_says 'ARCH=mips: the build knows amd64 arm64 armhf' ARCH=mips
check "also when the environment names it" eval '(export ARCH=mips; make_says "ARCH=mips: the build knows")'
check "this machine's own ARCH is the plain build" builds_in build "ARCH=$own"
check "the lab is this machine's own" make_says '"make lab" is for this machine' \
	"ARCH=$([ "$own" = armhf ] && echo arm64 || echo armhf)" lab
check "amd64 is foreign on arm64" eval '[ "$(on_arm64 prefix amd64)" = x86_64-linux-gnu- ] &&
	[ "$(on_arm64 folder amd64)" = build/amd64 ] && [ "$(on_arm64 emulator amd64)" = qemu-x86_64 ] &&
	[ "$(on_arm64 folder)" = build ] && [ -z "$(on_arm64 prefix arm64)" ]'
if command -v aarch64-linux-gnu-gcc >/dev/null; then
	check "all tools are the target's" eval '[ "$(flags_for_arm64)" = "aarch64-linux-gnu-gcc \
aarch64-linux-gnu-g++ aarch64-linux-gnu-ar aarch64-linux-gnu-strip" ]'
	check "a compiler for another machine is refused" eval \
		'[[ $(flags_for_arm64 CC="ccache gcc") == *"CC=ccache gcc compiles for "*" name aarch64-linux-gnu-gcc"* ]]'
else
	echo "skip - all tools are the target's: aarch64-linux-gnu-gcc is missing"
fi

# An image for several of them is not made when one cannot be built.
image_lacks() { # what it says, ARCHS...
	local says=$1
	shift
	printf '#!/bin/sh\ncase "$*" in *ARCH=arm64*) exit 2 ;; esac\n' >"$scratch/make" && chmod 755 "$scratch/make" &&
		! MAKE="$scratch/make" tools/make-archs linked "$@" >"$scratch/said" 2>&1 &&
		grep -F "nothing is made: arm64 cannot be built here (see above).$says" "$scratch/said"
}
check "an image that would lack arm64 is not made" image_lacks ' To leave it out: ARCHS="amd64 armhf"' amd64 arm64 armhf
check "nor is one for it alone" image_lacks '' arm64

# --- a mirror that has newer versions than mk/deps.lock ---

# apt-get and apt-cache of such a mirror; it serves no packages.
moved_mirror() {
	mkdir -p "$scratch/bin"
	cat >"$scratch/bin/apt-get" <<-'END'
		#!/bin/sh
		case " $* " in *" download "*) echo "no packages here" >&2; exit 100 ;; esac
	END
	cat >"$scratch/bin/apt-cache" <<-'END'
		#!/bin/sh
		for package; do :; done
		for suite in trixie trixie-backports; do
			echo " $package | 9:99 | http://mirror.invalid $suite/main amd64 Packages"
		done
	END
	chmod 755 "$scratch/bin/apt-get" "$scratch/bin/apt-cache"
}
sysroot_fails() { # what it says, variable of the environment...
	local says=$1
	shift
	! env PATH="$scratch/bin:$PATH" XDG_CACHE_HOME="$odd/empty" MLSH_MIRROR=http://mirror.invalid \
		MLSH_LOCKED=0 "$@" tools/sysroot build && grep -qE "$says" "$scratch/out"
}
moved_mirror
check "MLSH_LOCKED=1 refuses other versions" sysroot_fails \
	'MLSH_LOCKED: [a-z0-9-]+ is locked at .* the mirror has 9:99.*snapshot' MLSH_LOCKED=1
check "else one line tells of them" sysroot_fails 'NOTE +Debian has updated ([0-9]+) of \1 packages'
check "a failed download says what to do" sysroot_fails 'cannot be downloaded .*MLSH_MIRROR'
check "nothing half made is left" eval '[ -z "$(ls "$odd/empty/mlsh")" ] &&
	! ls -d "$odd"/empty/mlsh/.making.*'

# --- which version, and which commit ---

plain="$scratch/plain" # sources without git
mkdir -p "$plain/src/base" "$plain/tools"
cp src/base/version.h "$plain/src/base/" && cp tools/{version,git-here} "$plain/tools/"
version_says() { # text, arguments of tools/version...
	local got expected=$1
	shift
	got=$("$plain/tools/version" "$@" 2>&1)
	[ "$got" = "$expected" ] || { echo "'$got' in place of '$expected'" && false; }
}
in_plain() { git -C "$plain" -c user.name=x -c user.email=x@example.org "$@"; }
check "no git and no file: no commit" version_says "" commit
echo 0123456789ab >"$plain/.commit"
check "the commit of a source archive" version_says 0123456789ab commit
echo "0123456789ab\"" >"$plain/.commit"
check "an invalid commit is not taken" version_says "tools/version: .commit holds no commit" commit
rm "$plain/.commit"
if command -v git >/dev/null; then
	git init -q "$scratch" && git -C "$scratch" -c user.name=x -c user.email=x@example.org \
		commit -q --allow-empty -m other
	check "a repository around the sources is another one" version_says "" commit
	rm -rf "$scratch/.git"
	git init -q "$plain" && in_plain add -A && in_plain commit -q -m first
	digits=$(in_plain rev-parse HEAD)
	check "the commit that git knows" version_says "${digits:0:12}" commit
	check "not that of GIT_DIR" eval 'GIT_DIR="$top/.git" version_says "${digits:0:12}" commit'
	touch "$plain/src/new.c"
	check "new files are told of" version_says "${digits:0:12}-changed" commit
	mkdir -p "$plain/.git/info" && echo new.c >>"$plain/.git/info/exclude"
	check "also those that this clone ignores" version_says "${digits:0:12}-changed" commit
	echo "*" >"$plain/src/.gitignore"
	check "and those that their folder ignores" version_says "${digits:0:12}-changed" commit
	rm "$plain/src/.gitignore" "$plain/src/new.c" && touch "$plain/new.md"
	check "what is not compiled is none" version_says "${digits:0:12}" commit
	check "but of the tree" version_says "${digits:0:12}-changed" tree
	rm "$plain/new.md"
	echo "/* */" >>"$plain/src/base/version.h"
	check "changes are told of" version_says "${digits:0:12}-changed" commit
else
	echo "skip - the commit that git knows: git is not installed"
fi
check "a tag is the version's" tools/version tag "v$(tools/version)"
check "or refused" eval '! tools/version tag v99.0.0 && grep -q "the tag of that is v" "$scratch/out"'

# --- make install ---

installed() {
	(umask 077 && make --no-print-directory install DESTDIR="$odd/root" PREFIX="/opt/my apps") &&
		[ -z "$(find "$odd/root" -type d ! -perm 755)" ] &&
		[ -z "$(find "$odd/root/etc" -type f ! -perm 644)" ] &&
		[ -z "$(find "$odd/root/opt/my apps/bin" -type f ! -perm 755)" ] &&
		"$odd/root/opt/my apps/bin/mlshtund" --version &&
		grep -xF 'ExecStart="/opt/my apps/bin/mlshtund"' \
			"$odd/root/etc/systemd/system/mlshtund.service" &&
		grep -xF 'ExecStartPre=-+"/opt/my apps/bin/mlsh-signal" take-over' \
			"$odd/root/etc/systemd/system/mlsh-signal.service" &&
		grep -q "^u mlshtund " "$odd/root/etc/sysusers.d/mlsh.conf" &&
		grep -q "^u mlsh-signal " "$odd/root/etc/sysusers.d/mlsh-signal.conf" &&
		grep -q mlshtund "$odd/root/etc/polkit-1/rules.d/50-mlshtund.rules" &&
		[ "$(ls -A)" = "$listed" ]
}
listed=$(ls -A)
check "install with spaces and umask 077" installed
# It builds nothing, whatever is newer and whoever runs it: the compiler here would fail.
check "install needs no compiler" eval 'make --no-print-directory install DESTDIR="$odd/bare" \
	PREFIX=/usr CC=/none/cc CXX=/none/c++ && "$odd/bare/usr/bin/mlsh" --version'
check "without programs it says what to do" eval '! tools/install DESTDIR="$odd/none" PROGRAMS=/none &&
	grep -q "/none/mlsh is missing; first run: make" "$scratch/out" && [ ! -e "$odd/none" ]'
changed_settings() {
	local settings="$odd/root/etc/mlsh-signal/config.toml"
	echo 'log = "debug"' >>"$settings" && installed && grep -q debug "$settings"
}
check "a second install leaves changed settings alone" changed_settings
uninstall() { make --no-print-directory uninstall DESTDIR="$odd/root" PREFIX="/opt/my apps" CC=/none/cc; }
left() { (cd "$odd/root" && find . -type f | sort | paste -sd ,); }
: >"$odd/root/other"
check "uninstall leaves changed settings, and what is not its own" eval \
	'uninstall && [ "$(left)" = ./etc/mlsh-signal/config.toml,./other ]'
check "and nothing where they are as they came" eval 'rm "$odd/root/etc/mlsh-signal/config.toml" &&
	installed && uninstall && [ "$(left)" = ./other ] && [ ! -e "$odd/root/etc/mlsh-signal" ]'

# --- the settings that come with the server ---

# Every key that the server knows is in the file, and what stands there as its default is valid: the
# server gets as far as missing its database.
settings_are_valid() {
	local file="$scratch/all.toml"
	sed 's/^#\([a-z_]* = \)/\1/; /^[a-z_]* = ""/d; s,/var/lib/mlsh-signal,/none,' contrib/mlsh-signal/config.toml >"$file"
	grep -q '^cluster_rate = 0' "$file" &&
		! MLSH_SIGNAL_CONFIG=$file build/bin/mlsh-signal clusters && grep -q "no database /none" "$scratch/out"
}
settings_are_all() {
	diff <(sed -n '/config_keys\[\]/,/NULL/s/^\t"\(.*\)",$/\1/p' src/signal/config.c | sort) \
		<(sed -n 's/^\[\(.*\)\]$/\1./p; s/^#\([a-z_]*\) = .*/\1/p' contrib/mlsh-signal/config.toml |
			awk '/\.$/ { table = $0; next } { print table $0 }' | sort)
}
check "the settings that come with it are valid" settings_are_valid
check "and all there are" settings_are_all

# --- make install fails ---

install_fails() { # what it says, DESTDIR, PREFIX
	! DESTDIR=$2 PREFIX=$3 UNITDIR=/units SYSUSERSDIR=/sysusers POLKITDIR=/polkit tools/install && grep -qE "$1" "$scratch/out"
}
check "a folder that cannot be written is named" \
	install_fails 'cannot write to /proc/none/usr/bin; try' /proc/none /usr
check "a relative PREFIX is refused" install_fails 'PREFIX must be an absolute path' "" here
check "a mistyped word is named" eval '! tools/install PERFIX=/usr && grep -q "unknown word .PERFIX=/usr" "$scratch/out"'

exit $failed
