#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Two owners on one machine: root's cluster, and one that a user of the group mlsh connects, of another server and with
# the same range. Whatever the user's cluster says, root's keeps the addresses of its members, and the name of its interface.
#
#     signal 10.71.9.2, nas .1.2, desk .2.2, tv .3.2, cam .4.2, box .5.2: root's cluster `home`
#     signal2 .8.2, evil .6.2, imp .7.2: Ann's cluster `aaaa`, which she connects on desk, too; one router
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root seniors
trap lab_down EXIT
lab_up
for m in signal:9 signal2:8 nas:1 desk:2 tv:3 cam:4 box:5 evil:6 imp:7; do machine "${m%:*}" "${m#*:}"; done
export range=100.96.0.0/24
must "root's server" signal_start
must "root's cluster" eval 'on nas mlsh setup home --signal-host "${MACHINE_IP[signal]}" --token "$(new_token)" --name nas \
	--subnet "$range" && node_up nas home && mesh_join home nas desk tv'

on_bg signal2 signal.log env MLSH_SIGNAL_DB="$WORK/signal2/signal.db" mlsh-signal
must "Ann's server" wait_until 10 listens signal2 :4433
their_token() { grep -hoE '[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}@[0-9a-f]{64}' "$WORK/signal2/signal.log" | head -n 1; }
must "its token" wait_until 5 eval 'test -n "$(their_token)"'
must "Ann's cluster" eval 'on evil mlsh setup aaaa --signal-host "${MACHINE_IP[signal2]}" --token "$(their_token)" --name evil \
	--subnet "$range" && node_up evil aaaa'
# Its members have the addresses that root's cluster gives to others: .2 to a node that is never on, .3 to imp.
ghost() { invite_url evil aaaa | on evil env HOME="$WORK/evil/$1" mlsh adopt - --name "$1" >"$WORK/evil/$1.out"; }
must "with members" eval 'ghost two && mesh_join aaaa evil imp && ghost four'
install -d -o 1501 -g 1501 -m 700 "$WORK/desk/ann"
echo "ann:x:1501:1501::$WORK/desk/ann:/bin/sh" >>"$WORK/desk/passwd"
echo "mlsh:x:4242:ann" >>"$WORK/desk/group"
ann() { on desk setpriv --reuid 1501 --regid 1501 --clear-groups env HOME="$WORK/desk/ann" "$@"; }
must "Ann connects it on root's machine" eval 'invite_url evil aaaa | ann mlsh adopt - --name hers && ann mlsh connect aaaa >/dev/null'

goes() { ip -n "$LAB-desk" route get "100.96.0.$1" | has "dev $2 src 100.96.0.$3 "; } # last number, device, own one
fenced() { ip netns exec "$LAB-desk" nft list table inet "$1" | has -E "100\.96\.0\.$2[ ,-]"; } # device, last number
conflict() { ann mlsh status aaaa --json | json_holds "'$1' in str(d['clusters'][0])"; }
check "root's member is reached by root's interface" goes 3 mlsh0 2
check "and answers" wait_until 10 pings desk 100.96.0.3
check "what root's lacks is Ann's" goes 4 mlsh1 5
check "her status says what hers does not have" wait_until 5 conflict "100.96.0.3 is the cluster home"
check "her member with the address of root's does not get in" eval '! pings imp 100.96.0.5'

# --- a restart: `aaaa` comes first by its name, not by its rank ---
stop "${DAEMON_PID[desk]}"
must "the daemon again" daemon_start desk
check "both are back" eval 'wait_until 10 connected desk home && wait_until 10 connected desk aaaa'
check "root's member is still reached by root's interface" goes 3 mlsh0 2
check "the interface of each has the name that it had" goes 4 mlsh1 5
check "root's member answers" wait_until 10 pings desk 100.96.0.3
check "Ann's fence has nothing of root's" eval 'fenced mlsh0 3 && ! fenced mlsh1 3 && ! fenced mlsh1 2'
check "her member still does not get in" eval '! pings imp 100.96.0.5'
check "root's stopped, Ann's gets what hers lacked" eval 'on desk mlsh disconnect home && wait_until 5 goes 3 mlsh1 5'
stop "${DAEMON_PID[desk]}" KILL
must "the daemon again, with Ann's alone" daemon_start desk
check "which leaves the name mlsh0 to root's" eval 'wait_until 10 goes 3 mlsh1 5'
check "root's connected again takes its own back" eval 'on desk mlsh connect home >/dev/null && wait_until 5 goes 3 mlsh0 2'
check "and its member answers" wait_until 10 pings desk 100.96.0.3

# --- a UDP port that any user can take while the daemon is stopped ---
stop "${DAEMON_PID[desk]}"
on_bg desk other.out setpriv --reuid 1501 --regid 1501 --clear-groups socat -u UDP6-RECV:41641 OPEN:/dev/null
other=$BG
must "Ann takes root's fixed port" wait_until 5 listens desk :41641
must "the daemon again" daemon_start desk --port 41641
check "root's cluster waits, Ann's is up" eval 'wait_until 10 goes 4 mlsh1 5 && on desk mlsh status home | joined | has "another program has UDP port 41641"'
check "and has no member of root's" eval 'wait_until 5 conflict "100.96.0.3 is the cluster home" && ! goes 3 mlsh1 5 && ! fenced mlsh1 3'
stop "$other"
check "root's has its member when the port is free" eval 'wait_until 15 goes 3 mlsh0 2 && wait_until 10 pings desk 100.96.0.3'

# --- root's cluster grows ---
must "a member of root's that comes later" mesh_join home nas cam
check "takes its address over from Ann's" wait_until 10 goes 4 mlsh0 2
check "answers" wait_until 10 pings desk 100.96.0.4
check "is in the fence of root's interface alone" eval 'fenced mlsh0 4 && ! fenced mlsh1 4'
check "Ann reads so" wait_until 5 conflict "100.96.0.4 is the cluster home"
must "one that gets the address of Ann's own node" mesh_join home nas box
check "ends Ann's cluster here" wait_until 10 conflict "own address 100.96.0.5 is the cluster home"
check "and is reached" eval 'wait_until 10 goes 5 mlsh0 2 && wait_until 10 pings desk 100.96.0.5'
stop "${DAEMON_PID[desk]}"
must "after another restart" daemon_start desk
check "that is still so" eval 'wait_until 10 pings desk 100.96.0.5 && ! on desk ip link show mlsh1 2>/dev/null'
check "and said" conflict "100.96.0.5 is the cluster home"
exit $LAB_FAILED
