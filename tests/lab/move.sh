#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A cluster moves to another server with the real programs: `mlsh move` on the admin's machine, a node that follows at
# once, one that was off and asks the old server, one that nobody tells, earlier invites and new ones.
#
#     signal 10.71.9.2 (the old server), second .8.2 (the new one), nas .1.2, laptop .2.2, desk .3.2, tv .4.2, one router
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root move
trap lab_down EXIT
lab_up
for m in signal:9 second:8 nas:1 laptop:2 desk:3 tv:4; do machine "${m%:*}" "${m#*:}"; done
new=${MACHINE_IP[second]}
at() { status_holds "$1" homelab "c['state'] == 'connected' and c['signal']['host'].startswith('$2')"; } # machine, host
at_new() { at "$1" "$new"; }
second_token() {
	on second env MLSH_SIGNAL_DB="$WORK/second/signal.db" mlsh-signal token 2>/dev/null | grep -oE '[A-Z0-9-]{14}@[0-9a-f]{64}'
}
move() { on nas mlsh move homelab --signal-host "$new" --token "$token" "$@" </dev/null; }

must "the old server starts" signal_start
must "a mesh of four comes up" mesh_up homelab nas laptop desk tv
on_bg second signal.log env MLSH_SIGNAL_DB="$WORK/second/signal.db" mlsh-signal
second_pid=$BG
must "the new server starts" wait_until 10 listens second :4433
token=$(second_token)
must "it has a token" test -n "$token"
old_invite=$(invite_url nas homelab)

# --- what is refused changes nothing ---
check_fails "a move wants --yes where nobody can be asked" 2 "add --yes" move
check_fails "only an admin moves a cluster" 1 "not an admin of homelab" \
	on laptop mlsh move homelab --signal-host "$new" --token "$token" --yes
check_fails "another fingerprint is refused" 1 "fingerprint|certificate" \
	on nas mlsh move homelab --yes --signal-host "$new" --token "${token%@*}@$(tr 0-9a-f 1-9a-f0 <<<"${token#*@}")"
check_fails "a token that nobody made is refused" 1 "token is not known" \
	on nas mlsh move homelab --yes --signal-host "$new" --token "AAAA-BBBB-CCCC@${token#*@}"
check "and nobody has moved" status_holds nas homelab "c['signal']['host'].startswith('${MACHINE_IP[signal]}')"

# --- the move ---
stop "${DAEMON_PID[laptop]}"
stop "${DAEMON_PID[desk]}"
must "mlsh move" eval 'move --yes --json >"$WORK/nas/move.json"'
check "its JSON is as documented" tests/lab/json_documented move <"$WORK/nas/move.json"
check "it says where the cluster is" json_holds "d['moved'] and d['host'] == '$new' and d['seq'] > 3" <"$WORK/nas/move.json"
check "the admin's node follows" wait_until 10 at_new nas
check "so does one that is told by the old server" wait_until 10 at_new tv
check "they reach each other" wait_until 10 pings nas 100.64.0.4
check "the cluster file names the new server" grep -q "$new" "$WORK/nas/home/.config/mlsh/clusters/homelab.toml"
check "once more is no failure" eval 'move --yes | has "already"'
check "a node that was off asks the old server" eval 'daemon_start laptop && wait_until 20 at_new laptop'

# --- invites ---
machine van 5
check_fails "an earlier invite says where the cluster is" 1 "moved to the server $new.*new invite|new invite.*moved to the server $new" \
	on van mlsh adopt - --name van <<<"$old_invite"

# --- without the old server ---
stop "$SIGNAL_PID" KILL
check_fails "another server is not followed" 1 "fingerprint|certificate" \
	on desk mlsh move homelab --follow "$new@$(tr 0-9a-f 1-9a-f0 <<<"${token#*@}")"
check "a node that nobody tells is told" eval 'on desk mlsh move homelab --follow "$new@${token#*@}" | has "is at $new now"'
check "and connects there" eval 'daemon_start desk && on desk mlsh connect homelab && at_new desk'
check "an invite of now is good" mesh_join homelab nas van
check "the new server alone carries the mesh" wait_until 10 peer_up nas homelab van

# --- that server is gone for good as well: the code on paper names a third one ---
stop "${DAEMON_PID[laptop]}"
stop "$second_pid" KILL
on_bg signal third.log env MLSH_SIGNAL_DB="$WORK/signal/third.db" mlsh-signal
must "a third server starts" wait_until 10 listens signal :4433
third=${MACHINE_IP[signal]}
token=$(on signal env MLSH_SIGNAL_DB="$WORK/signal/third.db" mlsh-signal token 2>/dev/null | grep -oE '[A-Z0-9-]{14}@[0-9a-f]{64}')
recover() { # with the code that setup printed
	grep -oE '([0-9A-Z]{4}-){6}[0-9A-Z]{4}' "$WORK/nas/setup.out" | head -n 1 | on nas mlsh recover homelab --yes "$@"
}
must "mlsh recover to it" recover --signal-host "$third" --token "$token"
for m in nas desk tv van; do check "$m is there" wait_until 20 at "$m" "$third"; done
check "the node that was off hears of it from a peer, and follows by itself" eval \
	'daemon_start laptop && wait_until 30 at laptop "$third"'
check "it reaches the others" wait_until 10 pings laptop 100.64.0.1
[ $LAB_FAILED = 0 ] || show_logs
exit $LAB_FAILED
