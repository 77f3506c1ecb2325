#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The admin's machine is gone: another node recovers the cluster with the code on paper.
#
#     signal 10.71.9.2, second .8.2 (takes over at last), nas .1.2 (admin), laptop .2.2, desk .3.2, late .4.2, one router
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root recover
trap lab_down EXIT
lab_up
for m in signal:9 second:8 nas:1 laptop:2 desk:3 late:4; do machine "${m%:*}" "${m#*:}"; done
config_of() { echo "$WORK/$1/home/.config/mlsh/clusters"; }
roles() { # machine
	on "$1" mlsh nodes homelab --json | python3 -c 'import json, sys
print(",".join(sorted(n["name"] + ":" + n["role"] for n in json.load(sys.stdin)["nodes"])))'
}
roles_are() { [ "$(roles "$1")" = "$2" ]; } # machine, what
recover() { # machine, code, extra arguments
	local name=$1 code=$2
	shift 2
	on "$name" mlsh recover homelab "$@" <<<"$code"
}
recover_to() { # file, machine, code, extra arguments
	local file=$1
	shift
	recover "$@" >"$file"
}
code_in() { python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())["recovery_code"])' <"$1"; }
crash() { # machine
	kill -9 "${DAEMON_PID[$1]}"
	wait "${DAEMON_PID[$1]}" 2>/dev/null
}

signal_start
must "setup" eval 'on nas mlsh setup homelab --signal-host "${MACHINE_IP[signal]}" --token "$(new_token)" --name nas --json >"$WORK/nas/setup.json"'
first=$(code_in "$WORK/nas/setup.json")
must "three nodes are up" eval 'daemon_start nas && on nas mlsh connect homelab && mesh_join homelab nas laptop desk'

# --- the admin's machine is gone ---
crash nas
check_fails "recover wants --yes where nobody can be asked" 2 "add --yes" recover laptop "$first"
check_fails "a wrong code is told apart" 1 "not the one of cluster|not the one in force" \
	recover laptop 0000-0000-0000-0000-0000-0000-0000 --yes
check_fails "and so is an invalid code" 1 "seven groups" recover laptop hello --yes
check_fails "a node that does not exist cannot be removed" 1 "no node" recover laptop "$first" --yes --remove nobody
check "nothing is left of these" eval '! ls "$(config_of laptop)" | has recovery'

# The server takes it only later: the code is on paper, and the entry on disk, but not the code.
stop "$SIGNAL_PID" KILL
recover_offline() { recover laptop "$first" --yes --json | tee "$WORK/laptop/first.json"; return "${PIPESTATUS[0]}"; }
check_fails "without a server it fails" 5 "taken the recovery all the same" recover_offline
second=$(code_in "$WORK/laptop/first.json")
check "the entry waits, its owner's only" test "$(stat -c %a "$(config_of laptop)/homelab.recovery")" = 600
check "no code is on a disk" eval '! grep -raq -e "$first" -e "$second" "$WORK/laptop/home" "$WORK/laptop/state"'
check_fails "another code is neither of the two" 1 "neither" recover laptop 0000-0000-0000-0000-0000-0000-0000 --yes
signal_start
# The second attempt supersedes the first, which is signed and may have been sent.
must "another attempt with the new code" recover_to "$WORK/laptop/second.json" laptop "$second" --yes --json --keep-admins
third=$(code_in "$WORK/laptop/second.json")
check "the machine is an admin, and so is the old one" wait_until 10 roles_are laptop "desk:node,laptop:admin,nas:admin"
check "all nodes know" wait_until 10 roles_are desk "desk:node,laptop:admin,nas:admin"
check "its daemon is connected again" wait_until 10 connected laptop homelab
check "nothing is pending" eval '! ls "$(config_of laptop)" | has recovery'
check "it says what it did" json_holds "d['state'] == 'recovered' and d['record'] == 3 and d['generation'] == 5" \
	<<<"$(tail -n 1 "$WORK/laptop/second.json")"
check "as documented" eval 'tail -n 1 "$WORK/laptop/second.json" | tests/lab/json_documented recover &&
	head -n 1 "$WORK/laptop/second.json" | tests/lab/json_documented recover-code'
check_fails "a used code is good for nothing" 1 "not the one" recover desk "$second" --yes

# --- once more, and the old admin is a plain node ---
must "the next code" recover_to "$WORK/laptop/third.json" laptop "$third" --yes --json
fourth=$(code_in "$WORK/laptop/third.json")
check "now the old admin is none" wait_until 10 roles_are desk "desk:node,laptop:admin,nas:node"
must "invites work again" mesh_join homelab laptop late
must "the old admin's machine comes back" daemon_start nas
check "as a plain node" wait_until 20 roles_are nas "desk:node,laptop:admin,late:node,nas:node"
check "and is connected" wait_until 20 connected nas homelab
check_fails "it invites nobody" 1 "admin" on nas mlsh invite homelab

# --- a machine that was removed ---
must "two nodes are removed by a recovery" recover_to "$WORK/laptop/fourth.json" laptop "$fourth" --yes --json --remove desk,late
fifth=$(code_in "$WORK/laptop/fourth.json")
check "it is gone" wait_until 10 roles_are nas "laptop:admin,nas:node"
check "and knows" wait_until 20 status_holds desk homelab "c['state'] == 'stopped'"
crash laptop
must "a removed machine recovers, too" recover_to "$WORK/desk/fifth.json" desk "$fifth" --yes --json --remove laptop
sixth=$(code_in "$WORK/desk/fifth.json")
check "and is the admin" wait_until 20 roles_are nas "desk:admin,nas:node"
must "it connects again" on desk mlsh connect homelab
check "desk and nas reach each other" wait_until 20 pings desk 100.64.0.1
must "the old admin's machine, off until now, comes back" daemon_start laptop
check "it is out" wait_until 20 status_holds laptop homelab "c['state'] == 'stopped'"
check "and says why" eval 'on laptop mlsh status | joined | has -E "the recovery of 20[0-9-]+ [0-9:]+ UTC left laptop out"'
check "its host is as before" wait_until 5 no_traces laptop
check_fails "and it governs nobody" 1 "not in homelab any more" on laptop mlsh remove nas --yes

# --- the server is gone for good, and somebody else has seen the paper ---
must "nas saves the log of now" eval 'on nas mlsh log homelab >/dev/null'
crash nas
stop "$SIGNAL_PID" KILL
on_bg second signal.log env MLSH_SIGNAL_DB="$WORK/second/signal.db" mlsh-signal
must "another server starts" wait_until 10 listens second :4433
token=$(on second env MLSH_SIGNAL_DB="$WORK/second/signal.db" mlsh-signal token 2>/dev/null | grep -oE '[A-Z0-9-]{14}@[0-9a-f]{64}')
at_second() { status_holds "$1" homelab "c['state'] == 'connected' and c['signal']['host'].startswith('${MACHINE_IP[second]}')"; }
check_fails "a host without a token is not enough" 2 "go together" recover desk "$sixth" --yes --signal-host "${MACHINE_IP[second]}"
must "the code takes the cluster to it" recover_to "$WORK/desk/sixth.json" desk "$sixth" --yes --json \
	--signal-host "${MACHINE_IP[second]}" --token "$token"
check "its node is there" wait_until 20 at_second desk
check "the cluster file names the new server" grep -q "${MACHINE_IP[second]}" "$(config_of desk)/homelab.toml"
seventh=$(code_in "$WORK/desk/sixth.json")
# The same code on another machine, at a server that has not heard of the recovery.
signal_start
must "a thief uses the same code at the old server" recover_to "$WORK/nas/theft.json" nas "$sixth" --yes --json
# If its daemon met desk before that server, it would follow desk, and nobody would have both logs.
stop "${DAEMON_PID[desk]}"
must "and goes on" daemon_start nas
must "with its own log" wait_until 10 roles_are nas "desk:node,nas:admin"
must "desk comes back" daemon_start desk
used_twice() { status_holds "$1" homelab "'the code was used twice' in (c['log']['code_misused'] or '') and c['log']['proofs'] == ['recovery-code']"; }
for m in desk nas; do
	check "$m sees both: the code was used twice" wait_until 30 used_twice $m
	check "$m says so in status, and what to do" eval 'on $m mlsh status homelab | joined | has "FORK .* used twice.*Somebody else has had the code: .mlsh recover homelab. once more"'
	check "and with its log" eval 'on $m mlsh log homelab 2>&1 >/dev/null | joined | has "FORK: .* used twice.*mlsh log homelab --code-proof"'
done
check "the log's JSON has it, too" eval 'on desk mlsh log homelab --json 2>/dev/null | tee "$WORK/desk/log.json" | json_holds "\"used twice\" in d[\"code_misused\"]"'
check "as documented" tests/lab/json_documented log <"$WORK/desk/log.json"
check "the proof is good without the cluster" eval 'on desk mlsh log homelab --code-proof >"$WORK/proof" && on late mlsh log --verify "$WORK/proof" | joined | has "PROVEN: the recovery code of cluster homelab was misused"'
check "each keeps its own log" eval 'roles_are desk "desk:admin,nas:node" && roles_are nas "desk:node,nas:admin"'
must "the cure: the next code, which the thief does not have" recover_to "$WORK/desk/cure.json" desk "$seventh" --yes --json
check "the other hears it from its peer, and follows" wait_until 20 at_second nas
check "and is a plain node" wait_until 10 roles_are nas "desk:admin,nas:node"
for m in desk nas; do
	check "$m says no more that two logs exist, and keeps the proof" status_holds $m homelab \
		"not c['log']['code_misused'] and c['log']['proofs'] == ['recovery-code']"
	check "in words" eval 'on $m mlsh status homelab | joined | has "proof .*before the last recovery.*--code-proof" && ! on $m mlsh log homelab 2>&1 | has FORK'
done
check_fails "no proof against the server" 1 "but one that the recovery code was misused" on desk mlsh log homelab --proof
check_fails "what the thief's machine printed is worth nothing" 1 "not the one" recover nas "$(code_in "$WORK/nas/theft.json")" --yes
# --- a paper that others have seen ---
seventh=$(code_in "$WORK/desk/cure.json")
renew() { on desk mlsh renew homelab "${@:2}" <<<"$1"; }
check_fails "the code that was used renews nothing" 1 "in force" renew "$sixth" --yes
renew_to() { renew "${@:2}" >"$1"; } # file, code, extra arguments
must "mlsh renew" renew_to "$WORK/desk/renew.json" "$seventh" --yes --json
eighth=$(code_in "$WORK/desk/renew.json")
check "its JSON is as documented" eval 'tail -n 1 "$WORK/desk/renew.json" | tests/lab/json_documented renew'
check_fails "the old paper is worth nothing" 1 "not the one" recover desk "$seventh" --yes
# --- a paper that is lost: two admins renew it ---
ask() { on nas mlsh renew homelab --ask desk "$@" </dev/null; }
consent() { on desk mlsh renew homelab --consent - "$@" <<<"$request"; }
check_fails "one admin alone cannot" 1 "nas is not an admin" ask --yes
must "nas becomes the second admin" on desk mlsh promote nas
must "and knows it" wait_until 10 roles_are nas "desk:admin,nas:admin"
check_fails "it wants --yes where nobody can be asked" 2 "add --yes" ask
check_fails "it takes another admin" 1 "another admin" on nas mlsh renew homelab --ask nas --yes
must "nas asks" eval 'ask --yes --json >"$WORK/nas/ask.json"'
check "its JSON is as documented" eval 'head -n 1 "$WORK/nas/ask.json" | tests/lab/json_documented recover-code &&
	tail -n 1 "$WORK/nas/ask.json" | tests/lab/json_documented renew-request'
ninth=$(code_in "$WORK/nas/ask.json")
request=$(tail -n 1 "$WORK/nas/ask.json" | python3 -c 'import json, sys; print(json.load(sys.stdin)["request"])')
check "no code is in the request, nor on a disk" eval '! grep -raq -e "$ninth" "$WORK/nas/home" "$WORK/nas/state" && ! has "$ninth" <<<"$request"'
check_fails "nas cannot consent itself" 1 "for desk" on nas mlsh renew homelab --consent "$request" --yes
check_fails "desk is asked, too" 2 "nas asks to replace.*add --yes" consent
check_fails "a piece of the line is not enough" 1 "copy the line again" on desk mlsh renew --consent "${request%????}" --yes
must "desk consents" eval 'consent --yes --json >"$WORK/desk/consent.json"'
check "its JSON is as documented" tests/lab/json_documented renew-consent <"$WORK/desk/consent.json"
check "once more is no failure" eval 'consent --yes | has "already"'
check "the log says who did it" eval 'on nas mlsh log homelab | has "nas and desk replaced the recovery code"'
check_fails "the lost paper is worth nothing" 1 "not the one" recover desk "$eighth" --yes
must "the new one recovers" recover desk "$ninth" --yes
check "late stays out" eval '! roles desk | has late'
exit "$LAB_FAILED"
