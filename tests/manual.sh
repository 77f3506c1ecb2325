#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The man pages and completions in the tree are those that `make manual` writes, and programs that
# read them find no fault. The completion of names is in tests/lab/completion.sh.
set -uo pipefail

failed=0
result() { # name, then what is wrong with it (nothing: fine)
	if [ -z "$2" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1"
		head -n 40 <<<"$2"
		failed=1
	fi
}
has() { # command, name: says so if the command is missing
	command -v "$1" >/dev/null || { echo "skip - $2: $1 is not installed"; false; }
}

if [ "${B:-build}" != build ]; then
	echo "skip - man pages and completions: they are the same for each architecture"
	exit 77
fi
tools/need --optional mandoc troff zsh fish
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
pages=(docs/man/*.[1-9])

# --- they are current, and whole ---

mkdir "$scratch/man" "$scratch/completion"
said=$(build/release/bin/manual docs/man/src "$scratch/man" tools/manual "$scratch/completion" 2>&1)
result "each command has a page, each key of the configuration its words" "$said"
stale=$(diff -r --exclude=src docs/man "$scratch/man"; diff -r contrib/completion "$scratch/completion")
result "man pages and completions are current" "${stale:+run: make manual
$stale}"
commands=$(build/bin/mlsh --help | sed -n 's/^  \([a-z]*\) .*/\1/p')
result "the commands of mlsh --help have pages" "$(for command in $commands; do
	[ -e "docs/man/mlsh-$command.1" ] || echo "mlsh-$command.1"
done; [ "$(wc -w <<<"$commands")" -gt 20 ] || echo "only: $commands")"

# Each variable that a program reads is told of in a page. These are not for people to set.
read_by_others="TERM LANG LC_ALL LC_CTYPE SUDO_USER SUDO_UID JOURNAL_STREAM NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID"
variables=$(grep -rhoE '(getenv|cli_env)\("[A-Z_]+"' src --exclude-dir=sim | sed 's/.*"\(.*\)"/\1/' | sort -u)
result "variables of the environment are told of" "$(for variable in $variables; do
	grep -qw "$variable" <<<"$read_by_others" ||
		grep -qE "^\.(It )?Ev.* ?$variable( |\$)|^\.It Ev $variable" "${pages[@]}" || echo "$variable"
done; grep -q MLSH_SOCKET <<<"$variables" || echo "not one is found")"

# --- they have no faults ---

result "pages refer to pages that exist" "$(grep -ohE '^\.(It )?Xr mlsh[^ ]* [0-9]' "${pages[@]}" | sort -u |
	sed 's/.*Xr //' | while read -r name section; do
		[ -e "docs/man/$name.$section" ] || echo "$name($section)"
	done)"
result "help names pages that exist" "$(for program in mlsh mlshtund mlsh-signal; do
	for command in '' $commands token clusters; do
		# A command of another program is a complaint, and names no page.
		build/bin/$program ${command:+"$command"} --help 2>/dev/null </dev/null |
			sed -n 's/^The manual: man //p' | while read -r page; do
				compgen -G "docs/man/$page.[1-9]" >/dev/null || echo "$page"
			done
	done
done)"
if has mandoc "mandoc finds no fault"; then
	# Whether other pages are installed does not matter, nor what a BSD's own pages are to look like.
	faults() { mandoc -Tlint -Wstyle "$@" 2>/dev/null | grep -vE 'referenced manual not found|outdated mandoc.db|Os mlsh'; }
	result "mandoc finds no fault" "$(faults "${pages[@]}")"
	sed 's/^\.El$//' docs/man/mlsh.1 >"$scratch/mlsh.1"
	result "and it would" "$([ -n "$(faults "$scratch/mlsh.1")" ] || echo "a list without an end is none")"
fi
if has troff "groff finds no fault"; then
	result "groff finds no fault" "$(for page in "${pages[@]}"; do
		groff -mandoc -Tutf8 -rLL=78n -ww -z "$page" 2>&1
	done)"
fi
result "pages fit 80 columns" "$(command -v troff >/dev/null || exit 0
	for page in "${pages[@]}"; do
		groff -mandoc -Tutf8 -rLL=78n -P-c "$page" 2>/dev/null | sed 's/.\x08//g' |
			awk -v page="$page" 'length > 80 { print page ": " $0 }'
	done)"

# --- completion ---

# What --help lists, in the form of an offer.
listed() { # command: its options, a line each
	build/bin/mlsh "$1" --help | sed -n 's/^  \(-[a-z], \)\?\(--[a-z-]*\).*/\2/p' | sort
}
offers() { # shell, expected offers in a line, program, word...
	local got shell=$1 expected=$2
	shift 2
	got=$(timeout 60 tests/complete "$shell" "$@" 2>&1 | paste -sd ' ')
	[ "$got" = "$expected" ] || echo "$*: '$got', not '$expected'"
}
of_program() { # shell
	offers "$1" "$(printf '%s\n' help $commands | sort | paste -sd ' ')" mlsh ''
	offers "$1" "invite invites" mlsh inv
	offers "$1" "why" mlsh help wh
	offers "$1" "--replace" mlsh invite --repl
	offers "$1" "admin node" mlsh invite --role ''
	offers "$1" "admin" mlsh invite --yes --role ad
	offers "$1" "" mlsh invite --ttl ''
	[ "$1" = zsh ] || offers "$1" "" mlsh setup '' # zsh offers options where there is nothing else
	offers "$1" "" mlsh nosuch ''
	offers "$1" "README.md" mlsh log --verify READM
	offers "$1" "debug error info trace warn" mlshtund --log ''
	offers "$1" "off on" mlshtund --port-mapping o
	offers "$1" "--accept --check --help --json" mlsh-signal restore --
	offers "$1" "README.md" mlsh-signal restore READM
	offers "$1" "token" mlsh-signal tok
}
export COMPLETE_DUMP=$scratch/zcompdump HOME=$scratch PATH=$PWD/build/bin:$PATH
for shell in bash zsh fish; do
	files=(contrib/completion/*."$shell")
	[ $shell != zsh ] || files=(contrib/completion/_*)
	if ! command -v $shell >/dev/null; then
		echo "skip - completions for $shell: it is not installed"
		continue
	fi
	result "$shell reads its completions" "$(for file in "${files[@]}"; do $shell -n "$file" 2>&1; done)"
	result "$shell offers commands, options, values and files" "$(of_program $shell)"
	result "$shell says nothing where mlsh is missing" "$(PATH=/usr/bin:/bin offers $shell "" mlsh ping na)"
	some=$commands
	[ $shell != zsh ] || some="invite ping recover" # a terminal each takes its time
	result "$shell offers each option of --help" "$(for command in $some; do
		offers $shell "$(listed "$command" | paste -sd ' ')" mlsh "$command" --
	done)"
done
exit $failed
