#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The programs as they are shipped: one file each that needs nothing else, able to
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

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
for name in mlsh mlshtund mlsh-signal; do
	program=build/bin/$name
	if [ ! -x "$program" ]; then
		echo "not ok - $name was built"
		failed=1
		continue
	fi
	cp "$program" "$root/$name"
	if [ "$(id -u)" != 0 ]; then
		echo "skip - $name runs in an empty root: needs root"
		continue
	fi
	output=$(chroot "$root" "/$name" --version 2>&1) && problem="" || problem="exit status $?"
	[ -n "$output" ] || problem+=" prints nothing"
	result "$name runs in an empty root" "${problem:+$problem: $output}"
done

commit=$(tools/version commit)
for name in mlsh mlshtund mlsh-signal; do
	for option in --version -V; do
		result "$name $option tells version and commit" "$(said=$("build/bin/$name" $option 2>&1)
			[ "$said" = "$name $(tools/version)${commit:+ (commit $commit)}" ] || echo "$said")"
	done
done

# The daemon has no parser of users' files, and nothing of C++, in it. That of mlsh shows that the
# names would be seen.
foreign() { nm "build/release/bin/$1" | grep -E ' (_Z|toml_|cluster_file_decode)' | head -n 3; }
result "mlshtund holds no TOML and no C++" "$(foreign mlshtund)"
result "mlsh holds it" "$([ "$(foreign mlsh | wc -l)" = 3 ] || echo "no name is found there")"

# A wrong command brings one complaint, with what was probably meant.
for words in "conect connect" "up connect" "down disconnect" "join adopt" "ls nodes" "version --version" "--vers --version" "--hlep --help"; do
	result "mlsh ${words% *}: did you mean ${words#* }" "$(said=$(build/bin/mlsh "${words% *}" 2>&1)
		[ $? = 2 ] && grep -qF "did you mean '${words#* }'?" <<<"$said" && [ "$(wc -l <<<"$said")" = 2 ] || echo "$said")"
done
for wrong in frobnicate --frobnicate; do
	result "mlsh $wrong is no other word" "$(build/bin/mlsh $wrong 2>&1 | grep "did you mean")"
done

# Every --help, and the answer to every wrong word, fits a terminal of 80 columns.
wide() { # command...: lines that are too wide; an exit status other than 0 or 2
	local text status
	text=$("$@" 2>&1 </dev/null)
	status=$?
	awk -v OFS= 'length > 80 { print length, " columns: ", $0 }' <<<"$text"
	[ $status = 0 ] || [ $status = 2 ] || echo "exit status $status"
	[ -n "$text" ] || echo "prints nothing"
}
commands=$(build/bin/mlsh --help | sed -n 's/^  \([a-z]*\) .*/\1/p')
result "mlsh lists its commands" "$([ "$(wc -w <<<"$commands")" -ge 10 ] || echo "$commands")"
for arguments in "mlsh" "mlsh --help" "mlsh frobnicate" "mlsh help setup" "mlshtund --help" \
	"mlshtund --lgo x" "mlshtund x" "mlsh-signal --help" "mlsh-signal token --help" \
	"mlsh-signal clusters --help" "mlsh-signal nodes --help" "mlsh-signal log --help" "mlsh-signal log a b" \
	"mlsh-signal backup --help" "mlsh-signal backup" \
	"mlsh-signal restore --help" "mlsh-signal restore --check --accept x" "mlsh-signal accept --help" \
	"mlsh-signal tokne" "mlsh-signal --port 1"; do
	read -ra words <<<"$arguments"
	result "$arguments fits 80 columns" "$(wide "build/bin/${words[0]}" "${words[@]:1}")"
done
for command in $commands; do
	for arguments in "--help" "--jsno" "a b c" "--json=x"; do
		[ "$command $arguments" != "remove a b c" ] || arguments= # it takes that many
		read -ra words <<<"$command $arguments"
		result "mlsh ${words[*]} fits 80 columns" "$(wide build/bin/mlsh "${words[@]}")"
	done
done

# forget removes what there is of a cluster and nothing else, asks where it can and never twice for nothing.
home=$root/home/.config/mlsh
mkdir -p "$home/clusters" "$home/identity/homelab" "$home/identity/office"
touch "$home"/clusters/{homelab,office}.{toml,log} "$home"/identity/{homelab,office}/{key,cert}.pem
forget() {
	env HOME="$root/home" XDG_CONFIG_HOME= SUDO_UID= MLSH_SOCKET="$root/none" MLSH_STATE_DIR="$root/state" \
		build/bin/mlsh forget "$@" </dev/null 2>&1
}
result "forget wants --yes where nobody can be asked" "$(said=$(forget homelab)
	[ $? = 2 ] && [ -e "$home/identity/homelab/key.pem" ] || echo "exit status $?: $said")"
result "forget wants to know which of two" "$(forget --yes >/dev/null && echo "exit status 0")"
result "forget takes all of one cluster" "$(said=$(forget homelab --yes) && ! find "$home" | grep homelab || echo "$said")"
result "and nothing of the other" "$([ "$(find "$home" -type f | wc -l)" = 4 ] || find "$home")"
result "once more is no failure" "$(said=$(forget homelab --yes) && grep -q "nothing of homelab" <<<"$said" || echo "$said")"
result "the only one needs no name" "$(said=$(forget --yes) && ! find "$home" -type f | grep . || echo "$said")"
mkdir "$root/state" && touch "$root/state/homelab.state"
result "a copy that a daemon left is told of" "$(said=$(forget homelab --yes)
	[ $? = 4 ] && grep -q "mlshtund is not running" <<<"$said" || echo "$said")"

# Output that is lost is a failure; a pipe whose reader has gone ends a program as it ends others.
lost() { # exit status, words on standard error, command...
	local status=$1 expected=$2 said got
	shift 2
	said=$("$@" 2>&1 >&3)
	got=$?
	[ "$got:$said" = "$status:$expected" ] || echo "exit status $got: $said"
}
exec 3>/dev/full
result "a full disk is a failure" "$(lost 1 "mlsh: writing the output failed" build/bin/mlsh help)"
exec 3> >(exec true)
wait $!
result "a broken pipe ends it quietly" "$(lost 141 "" build/bin/mlsh help)"
exec 3>&-
result "so is a closed output" "$(said=$(build/bin/mlsh help 2>&1 >&-) && echo "exit status 0: $said")"
exit $failed
