#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Root connects a cluster, as README does with sudo. A user of the group mlsh sees it, is told what takes sudo, and is
# never sent to make a second one; a user outside of the group learns nothing of it.
#
#     signal 10.71.9.2, nas .1.2 and desk .2.2 (root's, with the users ann, in the group, and bob), one router
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root group
trap lab_down EXIT
lab_up
for m in signal:9 nas:1 desk:2; do machine "${m%:*}" "${m#*:}"; done
must "server" signal_start
must "root's cluster" mesh_up homelab nas desk
check "the server's only cluster needs no name" eval 'on signal env MLSH_SIGNAL_DB="$WORK/signal/signal.db" mlsh-signal nodes | has "^desk " &&
	on signal env MLSH_SIGNAL_DB="$WORK/signal/signal.db" mlsh-signal log | has "desk joined"'
check "has its tunnel" wait_until 10 pings desk 100.64.0.1

for user in ann:1501 bob:1502; do
	install -d -o "${user#*:}" -g "${user#*:}" -m 700 "$WORK/desk/${user%:*}"
	echo "${user%:*}:x:${user#*:}:${user#*:}::$WORK/desk/${user%:*}:/bin/sh" >>"$WORK/desk/passwd"
done
echo "mlsh:x:4242:ann" >>"$WORK/desk/group"
ann() { on desk setpriv --reuid 1501 --regid 1501 --clear-groups env HOME="$WORK/desk/ann" "$@"; }
bob() { on desk setpriv --reuid 1502 --regid 1502 --clear-groups env HOME="$WORK/desk/bob" "$@"; }

# --- the group sees ---
check "status" eval 'ann mlsh status | has "homelab: connected" && ann mlsh status | has "owner  *root: .*sudo"'
check "in JSON" eval 'ann mlsh status --json | tests/lab/json_documented status && ann mlsh status --json |
	json_holds "d[\"clusters\"][0][\"owner_uid\"] == 0"'
check "root is not told so" eval '! on desk mlsh status | has owner'
check "nodes" eval 'ann mlsh nodes | has "desk \(this\).*self" -E && ann mlsh nodes homelab --json | tests/lab/json_documented nodes'
check "ping" eval 'ann mlsh ping nas -c 1 | has "nas.homelab answers"'
check "why" eval 'ann mlsh why nas.homelab | has "nas.homelab .100.64.0.1."'
check "netcheck" eval 'ann mlsh netcheck | has "^homelab:" && ann mlsh netcheck homelab | has "reached over UDP"'
check_fails "not who left" 1 "cannot read the membership log, which --all needs: .*root's on this machine: sudo mlsh nodes homelab" \
	ann mlsh nodes --all
check_fails "nor proof" 1 "root's on this machine: sudo mlsh log homelab" eval 'ann mlsh log --proof >"$WORK/proof"'
check_fails "also by the cluster's name" 1 "homelab is root's.*use sudo" eval 'ann mlsh log homelab --proof >"$WORK/proof"'

# --- and is told what takes sudo ---
token=$(new_token)
for c in connect disconnect invite invites rotate leave "renew" recover log; do
	for name in "" homelab; do
		check_fails "$c${name:+ $name}" 1 "homelab is root's on this machine.*sudo( mlsh ${c%% *} homelab)?$" \
			eval "ann mlsh $c $name </dev/null"
	done
done
for c in "forget" "forget homelab --yes" "move --signal-host x.example --token $token" "promote nas" "remove nas --yes" \
	"rename nas tv.homelab" "rename nas.homelab tv" "cancel 0b1c2d3e" "demote desk.homelab"; do
	check_fails "$c" 1 "root's on this machine.*sudo|cannot be used|is not a name" eval "ann mlsh $c </dev/null"
done
check_fails "a misspelled name" 1 "there is homelab, which is root's" ann mlsh invite homlbb
for c in invite connect disconnect "nodes shed" forget "log shed" "status shed"; do ann mlsh $c; done </dev/null >"$WORK/said" 2>&1
check "nobody is sent to make another one" eval 'has homelab <"$WORK/said" && ! has setup <"$WORK/said"'
check_fails "nor can one be made under its name" 1 "root has connected a cluster homelab on this machine" \
	ann mlsh setup homelab --signal-host "${MACHINE_IP[signal]}" --token "$token" --name x
check_fails "or be joined" 1 "root has connected a cluster homelab" ann mlsh adopt "$(invite_url nas homelab)"
check "the cluster is as it was" pings desk 100.64.0.1
check "and nothing was made" test -z "$(find "$WORK/desk/ann" -type f)"
on desk mlsh disconnect homelab >/dev/null
check "stopped, it is still seen" eval 'ann mlsh status | has "homelab" && ann mlsh status | has "stopped|not connected" -E'
check_fails "what connects it is said" 1 "sudo mlsh connect homelab" ann mlsh ping nas
on desk mlsh connect homelab >/dev/null

# --- a cluster of one's own beside it ---
check "one of ann's own" eval 'ann mlsh setup garage --signal-host "${MACHINE_IP[signal]}" --token "$token" --name desk >"$WORK/garage" &&
	has "^Next: mlsh connect garage$" <"$WORK/garage" && ann mlsh connect garage'
check "is the one that is meant" eval 'ann mlsh nodes --json | json_holds "d[\"cluster\"] == \"garage\"" && ann mlsh invite --json | has garage'
check "both are seen" eval 'ann mlsh status --json | json_holds "sorted(c[\"name\"] for c in d[\"clusters\"]) == [\"garage\", \"homelab\"]"'
check "root's by its name" eval 'ann mlsh nodes homelab | has "^nas "'
check "root sees whose it is" eval 'on desk mlsh status garage | has "owner  *the user with id 1501"'

# --- others learn nothing ---
check "bob sees none" eval 'bob mlsh status --json | json_holds "d[\"clusters\"] == []"'
for c in "status homelab" "nodes homelab" "ping nas" "why nas" "netcheck" "log homelab" "disconnect homelab" "invite homelab"; do
	check_fails "bob: $c" 1 "." eval "bob mlsh $c"
	check "the same words as for one that is not there: $c" test "$(bob mlsh $c 2>&1)" = \
		"$(bob mlsh ${c/homelab/homelap} 2>&1 | sed s/homelap/homelab/g)"
done
check "but what to try" eval '{ bob mlsh invite 2>&1 || true; } | joined | has "If you used sudo for setup or adopt, use it here, too"'
check "who is outside is told how to connect a cluster of their own" eval 'bob mlsh setup shed \
	--signal-host "${MACHINE_IP[signal]}" --token "$(new_token)" --name desk >"$WORK/shed" &&
	has "^Next: sudo usermod -aG mlsh .USER " <"$WORK/shed" && has "^Then: mlsh connect shed$" <"$WORK/shed"'
check_fails "since it takes the group" 1 "usermod -aG mlsh" bob mlsh connect shed
without=$(sed 's/^mlsh:.*/mlsh:x:4242:/' "$WORK/desk/group") && echo "$without" >"$WORK/desk/group" # in place: it is mounted
check "who leaves the group sees no more of it" eval 'ann mlsh status --json | json_holds "[c[\"name\"] for c in d[\"clusters\"]] == [\"garage\"]"'
exit $LAB_FAILED
