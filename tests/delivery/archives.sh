#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The archives: what install.sh does in a minimal system, what the bill of materials says, and that sums
# and signature are refused when they do not fit.
set -uo pipefail
# shellcheck source=tests/delivery/lib.sh
. "$(dirname "$0")/lib.sh"

if ! tools/git-here rev-parse HEAD >/dev/null 2>&1; then
	echo "skip - the archives: sums are signed, and the source archive made, in a checkout of git only"
	exit 77
fi
name=mlsh-$version-linux-$arch
sbom=dist/$name.spdx.json
[ -e "dist/$name.tar.gz" ] && [ -e "$sbom" ] || { echo "not ok - dist/$name.tar.gz is there: run make dist"; exit 1; }
tar -xzf "dist/$name.tar.gz" -C "$work" || exit 1
unpacked=$work/$name

# --- the bill of materials -------------------------------------------------------------------

check "the bill of materials fits the programs, itself and the lock" python3 - "$sbom" "$unpacked/bin" "${MLSH_LOCKED:-0}" <<'END'
import hashlib, json, sys
sbom, folder = json.load(open(sys.argv[1], encoding="utf-8")), sys.argv[2]
packages = {p["SPDXID"]: p for p in sbom["packages"]}
assert len(packages) == len(sbom["packages"]), "an id is given twice"
ids = set(packages) | {"SPDXRef-DOCUMENT"}
for r in sbom["relationships"]:
    assert r["spdxElementId"] in ids and r["relatedSpdxElement"] in ids, r
related = {r["relatedSpdxElement"] for r in sbom["relationships"]}
assert related == set(packages), set(packages) - related
names = {p["name"]: p for p in packages.values()}
for name in ("mlsh", "mlshtund", "mlsh-signal"):
    sha256 = hashlib.sha256(open(f"{folder}/{name}", "rb").read()).hexdigest()
    assert names[name]["checksums"][0]["checksumValue"] == sha256, name
def linked(program):
    return {packages[r["relatedSpdxElement"]]["name"] for r in sbom["relationships"]
            if r["spdxElementId"] == f"SPDXRef-program-{program}"}
assert "libsqlite3-dev" in linked("mlsh-signal") and "libsqlite3-dev" not in linked("mlsh")
assert "libtomlplusplus-dev" in linked("mlsh") and "libtomlplusplus-dev" not in linked("mlshtund")
for program in ("mlsh", "mlshtund", "mlsh-signal"):
    assert {"libssl-dev", "libc6-dev"} <= linked(program), linked(program)
    assert not {"check", "libsubunit-dev", "linux-libc-dev"} & linked(program), linked(program)
lock = {}
for line in open("mk/deps.lock", encoding="utf-8"):
    words = line.split()
    if not line.startswith("#") and words:
        lock[words[0], words[1]] = lock.get((words[0], words[1]), set()) | {words[2]}
others = []
compared = 0
for p in packages.values():
    if p["primaryPackagePurpose"] != "LIBRARY" or "checksums" not in p:
        continue  # a program, or of this machine's own libraries
    if (p["name"], p["versionInfo"]) in lock:
        assert p["checksums"][0]["checksumValue"] in lock[p["name"], p["versionInfo"]], p["name"]
        compared += 1
    else:
        others.append(p["name"])
print(compared, "compared with the lock, others:", others)
# Debian may have updated a few since the lock was written; the others are of it.
assert compared > len(others) if sys.argv[3] == "0" else not others, "the lock is not what was linked"
END

check "each file has its own, with the licences of what is linked in" python3 tests/delivery/materials.py dist

# --- the source ------------------------------------------------------------------------------

source_archive() {
	local folder=$work/mlsh-$version
	tar -xzf "dist/mlsh-$version.tar.gz" -C "$work" &&
		diff <(git ls-tree -r --name-only HEAD | sort) \
			<(cd "$folder" && find . -type f ! -name .commit -o -type l | cut -c3- | sort) &&
		[ "$("$folder/tools/version" commit)" = "$(git rev-parse HEAD | cut -c1-12)" ] &&
		[ "$(cd "$folder" && tools/epoch)" = "$(git log -1 --format=%ct)" ]
}
if [ -e .git ]; then
	check "the source archive is the commit, and knows it" source_archive
else
	echo "skip - the source archive: this is no checkout of git"
fi

# --- sums and signature ----------------------------------------------------------------------

# A copy whose dist/ may be spoilt, and which is a commit of its own.
tree=$work/tree
commit_tree() { git -C "$tree" -c user.name=test -c user.email=test@example.org commit -q --allow-empty -m "$1"; }
# All files as made of that commit.
record_all() {
	local commit
	commit=$(cd "$tree" && tools/version tree) &&
		(cd "$tree/dist" && sha256sum mlsh*) | awk -v c="$commit" '{ print $1, $2, c }' >"$tree/build/given-out"
}
sign() { (cd "$tree" && SIGN_KEY=$work/key tools/sums make); }
spoil() { # command... in dist/
	rm -rf "$tree" && mkdir -p "$tree/src/base" "$tree/build" "$tree/dist" && cp -a tools mk "$tree" &&
		cp src/base/version.h "$tree/src/base" && cp dist/mlsh*[-_]{"$version","$packaged"}[-._]* "$tree/dist" &&
		printf '/dist/\n/build/\n' >"$tree/.gitignore" && git init -q "$tree" && git -C "$tree" add -A &&
		commit_tree first && record_all && sign && (cd "$tree/dist" && "$@")
}
verify() { (cd "$tree" && KEYS=$work/keys "$@" tools/sums verify); }
refused() { # words of the refusal, command that spoils...
	local words=$1
	shift
	spoil "$@" && ! verify env && grep -q -e "$words" "$work/out"
}
make_keys() {
	ssh-keygen -q -t ed25519 -N '' -C '' -f "$work/key" && ssh-keygen -q -t ed25519 -N '' -C '' -f "$work/other" &&
		echo "somebody namespaces=\"mlsh-dist\" $(cat "$work/key.pub")" >"$work/keys"
}
# "make deb rpm dist" with jobs: the sums come last.
sums_name_all() {
	local file
	for file in dist/*[-_]{"$version","$packaged"}[-._]*{deb,rpm,gz,json}; do
		[ ! -e "$file" ] || grep -F "  ${file#dist/}" dist/SHA256SUMS || { echo "$file is missing"; return 1; }
	done
}
check "the sums name all that was made" sums_name_all
tools/need ssh-keygen
check "a signature by a known key is good" eval 'make_keys && spoil true && verify env && grep -q somebody "$work/out"'
check "one by another key is refused" refused "not of any key" \
	sh -c "rm SHA256SUMS.sig; ssh-keygen -q -Y sign -n mlsh-dist -f '$work/other' SHA256SUMS"
check "changed sums are refused" refused "not of any key" sed -i 's/^0*./f/' SHA256SUMS
check "a changed file is refused" refused "not those of SHA256SUMS" \
	sh -c 'for f in *.tar.gz; do printf x >>"$f"; done'
check "a missing file is named" refused "No such file" sh -c 'rm mlsh*.spdx.json'
check "a file that is not in the sums is named" refused "nobody vouches for it: mlsh-$version-other" \
	touch "mlsh-$version-other.tar.gz"
check "so is one of another version" refused "nobody vouches for it: mlsh_0.9.9_amd64.deb" touch mlsh_0.9.9_amd64.deb
check "and one that differs in a capital" refused "nobody vouches for it: Mlsh_${packaged}_amd64.deb" \
	touch "Mlsh_${packaged}_amd64.deb"
check "and a folder" refused "nobody vouches for it: mlsh" mkdir mlsh
check "a link is refused" refused "links in dist/.*mlsh_0.9.9_amd64.deb" ln -s /dev/null mlsh_0.9.9_amd64.deb
check "and one in the place of a file" refused "links in dist/.*mlsh-$version.tar.gz" \
	sh -c "mv mlsh-$version.tar.gz '$work/moved' && ln -s '$work/moved' mlsh-$version.tar.gz"
# Where dist/ is a link itself, what it leads to is looked at.
link_to() { # command... there
	mv "$tree/dist" "$work/led" && ln -s "$work/led" "$tree/dist" && "$@"
}
link_away() { rm -rf "$work/led"; }
check "dist/ may be a link" eval 'spoil link_to true && verify env && link_away'
check "but a file that is not in the sums is named there, too" eval \
	'refused "nobody vouches for it: mlsh_0.9.9_amd64.deb" link_to touch mlsh_0.9.9_amd64.deb && link_away'
check "signed files of an earlier version are refused" refused "is of version $version, this source is 99.0.0" \
	sed -i 's/\(MLSH_VERSION \).*/\1"99.0.0"/' ../src/base/version.h
sign_again() { # sed command...: sums that the right key signs, but that make dist does not write
	rm SHA256SUMS.sig && sed -i "$@" SHA256SUMS && ssh-keygen -q -Y sign -n mlsh-dist -f "$work/key" SHA256SUMS
}
check "sums without a version are refused" refused "does not begin with a version" sign_again 1d
check "a name with a folder is refused" refused 'names "../.*", which is not a file' sign_again '$s,  ,  ../,'
check "signed sums of no commit are refused" refused "names commit \".*-changed\"" \
	sign_again '1s/$/-changed/'
check "a signature that is gone is refused" refused "SHA256SUMS.sig is missing" rm SHA256SUMS.sig
check "unless sums alone will do" verify env UNSIGNED=ok
not_signed() { # words of the refusal, command that spoils...
	local words=$1
	shift
	spoil "$@" && rm "$tree"/dist/SHA256SUMS* && ! sign && grep -qE -e "$words" "$work/out" &&
		[ ! -e "$tree/dist/SHA256SUMS.sig" ]
}
check "changes that are not committed are not signed" not_signed "changes that are in no commit" \
	sh -c 'echo "#" >>../mk/licences'
check "nor is a new file" not_signed "changes that are in no commit" touch ../src/new.c
check "nor one that is ignored by its own folder" not_signed "changes that are in no commit" \
	sh -c 'echo "*" >../src/.gitignore; touch ../src/new.c'
check "or by this clone alone" not_signed "changes that are in no commit" \
	sh -c 'mkdir -p ../.git/info; echo new.c >>../.git/info/exclude; touch ../src/new.c'
check "files of another commit are not signed" not_signed \
	"not made here of commit [0-9a-f]{12}: .*mlsh-$version.tar.gz.* Make them again" commit_tree second
check "nor is a file from elsewhere" not_signed "not made here of commit [0-9a-f]{12}: mlsh_${version}_other.deb. Make" \
	touch "mlsh_${version}_other.deb"
check "nor without git" not_signed "only in a checkout of git" rm -rf ../.git
check "a key that cannot be read makes no signature" eval \
	'! (cd "$tree" && SIGN_KEY=$work/none tools/sums make) && [ ! -e "$tree/dist/SHA256SUMS.sig" ]'

# --- install.sh ------------------------------------------------------------------------------

in_tree() { # what install.sh is given...
	in_system sh -c 'cd /unpacked && sh ./install.sh "$@"' sh "$@"
}
installed() {
	in_tree && in_system sh -ec '
		mlsh --version && mlshtund --version && mlsh-signal --version
		getent passwd mlshtund mlsh-signal && getent group mlsh
		test -s /usr/local/share/man/man1/mlsh.1
		grep -x ExecStart=/usr/local/bin/mlshtund /etc/systemd/system/mlshtund.service'
}
everything() { in_system find /usr/local /etc ! -path '/etc/*-' ! -name passwd ! -name group \
	! -name '*shadow' ! -name 'sub[ug]id' | sort; }
removed() {
	in_tree uninstall && everything >"$work/after" && diff "$work/before" "$work/after" &&
		in_system test -d /var/lib
}

# An earlier version, which has a page, a setting and a unit's folder that this one does not have.
older() {
	rm -rf "$over/upper/older" && cp -a "$unpacked" "$over/upper/older" && cd "$over/upper/older" &&
		cp docs/man/mlsh-ping.1 docs/man/mlsh-older.1 && echo '# older' >>contrib/mlsh-signal/config.toml &&
		cd "$OLDPWD" && in_system sh /older/install.sh UNITDIR=/etc/systemd/system.older &&
		in_system test -e /usr/local/share/man/man1/mlsh-older.1
}
upgraded() {
	older && in_tree && in_system sh -ec '
		test ! -e /usr/local/share/man/man1/mlsh-older.1 && test ! -e /etc/systemd/system.older/mlshtund.service
		grep -x "# older" /etc/mlsh-signal/config.toml' && removed
}
older_goes() { older && removed; }
# One of two parts: the other one stays, and then goes with what both had.
parts_go() {
	in_tree && in_tree uninstall PARTS=mlsh && in_system sh -c 'mlsh-signal --version && ! mlsh --version' && removed
}
# Somebody else's list is none: it could name anything.
other_list() {
	in_tree && in_system sh -c 'echo precious >/srv/file
		printf "mlsh\tfile\t-\t/srv/file\n" >>/usr/local/share/mlsh/installed
		chown nobody /usr/local/share/mlsh/installed' && in_tree uninstall &&
		in_system grep precious /srv/file || return 1
	in_system sh -c "rm /srv/file && sed -i '\$d' /usr/local/share/mlsh/installed &&
		chown root /usr/local/share/mlsh/installed" && removed
}
# There is no make where an archive is unpacked.
speaks_of_itself() {
	! in_tree PROGRAMS=/none 2>"$work/words" && ! in_tree PREFIX=here 2>>"$work/words" &&
		! in_tree PREFIX=/proc/none 2>>"$work/words" && cat "$work/words" && ! grep -wi make "$work/words" &&
		[ "$(grep -c '^mlsh: ./install.sh: ' "$work/words")" = 3 ]
}

# The advice of the Debian packages, which find units of an earlier "make install": the daemons go on.
play_systemctl() {
	mkdir -p "$over/upper/usr/bin" "$over/upper/run/systemd/system"
	cat >"$over/upper/usr/bin/systemctl" <<-'SCRIPT'
		#!/bin/sh
		echo "$*" >>/asked
	SCRIPT
	chmod 755 "$over/upper/usr/bin/systemctl"
}
package_takes_over() {
	mkdir -p "$over/upper/debs" && cp dist/mlsh{,-signal}_"${packaged}_$arch.deb" "$over/upper/debs" &&
		play_systemctl && in_tree && in_system sh -c 'dpkg -i /debs/*.deb' &&
		rm "$over/upper/asked" && in_tree uninstall && cat "$over/upper/asked" || return 1
	in_system sh -ec '
		if grep -wE "disable|stop|mask" /asked; then exit 1; fi
		for unit in mlshtund mlsh-signal; do
			grep -wx "try-restart $unit" /asked
			test -e /usr/lib/systemd/system/$unit.service
			test ! -e /etc/systemd/system/$unit.service
		done
		test "$(command -v mlsh)" = /usr/bin/mlsh && mlsh --version
		dpkg --verify mlsh-signal && test -s /etc/mlsh-signal/config.toml'
}
# The other way round: install.sh says that its units stand before the packages', which are there already.
says_what_it_hides() {
	in_tree 2>"$work/words" || return 1
	cat "$work/words"
	for unit in mlshtund mlsh-signal; do
		grep -F "$unit: /etc/systemd/system/$unit.service stands before /" "$work/words" || return 1
	done
	in_tree uninstall
}
alone() { # a unit that no package has is stopped and disabled
	in_system dpkg -P mlsh mlsh-signal && rm -f "$over/upper/asked" && play_systemctl && in_tree &&
		in_tree uninstall && in_system grep -x -e "--quiet disable --now mlshtund" /asked
}
if [ "$(id -u)" != 0 ]; then
	echo "skip - install.sh in a minimal system: needs root"
elif fresh_system bookworm; then
	cp -a "$unpacked" "$over/upper/unpacked"
	everything >"$work/before"
	check "$system: install.sh" installed
	check "$system: once more" installed
	check "$system: install.sh uninstall leaves nothing" removed
	check "$system: so does it after an earlier version" older_goes
	check "$system: files of an earlier version go with an upgrade" upgraded
	check "$system: one part goes, and then the other" parts_go
	check "$system: a list of somebody else's is not heeded" other_list
	check "$system: it does not send anybody to make" speaks_of_itself
	check "$system: spaces in PREFIX" eval 'in_tree PREFIX="/opt/my apps" DESTDIR="/some where" PARTS=mlsh &&
		in_system "/some where/opt/my apps/bin/mlsh" --version &&
		! in_system test -e "/some where/opt/my apps/bin/mlsh-signal"'
	if [ -e "dist/mlsh_${packaged}_$arch.deb" ]; then
		check "$system: uninstall hands the daemons over to the packages" package_takes_over
		check "$system: install.sh says whose units it hides" says_what_it_hides
		check "$system: and stops them where there is no package" alone
	else
		echo "skip - $system: uninstall beside packages: they are not built (make deb)"
	fi
fi
exit $failed
