#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Who belongs, with the real programs: rename, promote, demote, remove and leave, with and without daemon and server.
#
#     signal 10.71.9.2, nas .1.2, laptop .2.2, desk .3.2, phone .4.2, one router
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root membership
trap lab_down EXIT
lab_up
for m in signal:9 nas:1 laptop:2 desk:3 phone:4; do machine "${m%:*}" "${m#*:}"; done
signal_start
mesh_up homelab nas laptop desk phone
for m in laptop desk phone; do
	must "$m reaches nas" wait_until 10 pings "$m" 100.64.0.1
	use_own_dns "$m" "$(on "$m" mlsh status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["clusters"][0]["address"])')"
done
use_own_dns nas 100.64.0.1
finds() { on "$1" ping -n -c 1 -W 1 "$2" 2>/dev/null | has "from $3"; } # machine, name, address
documented() { tee "$WORK/last.json" | tests/lab/json_documented "$1" && json_holds "$2" <"$WORK/last.json"; }
stopped_because() { on "$1" mlsh status | joined | has -E "$2"; }
pinging() { # machine, address: pings ten times a second from now on
	on_bg "$1" pinging.log ping -n -D -i 0.1 "$2"
}

# --- rename ---
check "a name in DNS" wait_until 5 finds desk phone.homelab 100.64.0.4
check "rename" eval 'on nas mlsh rename phone tablet | joined | has "phone is called tablet now: tablet.homelab"'
check "others find it by its new name" wait_until 2 finds desk tablet.homelab 100.64.0.4
check "and not by the old one" eval '! finds desk phone.homelab 100.64.0.4'
check "it knows it itself" wait_until 2 eval 'on phone mlsh status --json | json_holds "d[\"clusters\"][0][\"node\"] == \"tablet\""'
check "once more: nothing to do" eval 'on nas mlsh rename tablet.homelab tablet --json | documented rename \
	"d[\"changed\"] is False and d[\"seq\"] is None and d[\"node\"] == \"tablet\""'
check_fails "a name that was a node's is taken" 1 "a name is never given again" on nas mlsh rename laptop phone
check_fails "no name" 1 "node name" on nas mlsh rename laptop "Lap Top"
check_fails "a plain node may not" 1 "only admins can" on laptop mlsh rename desk bureau
check_fails "no such node" 1 "no node|there is and was no node" on nas mlsh rename nosuch other
check "back to what it was, by its address" on nas mlsh rename 100.64.0.4 phone

# --- promote, demote ---
check_fails "the last admin stays one" 1 "promote another node first" on nas mlsh demote nas
check "promote" eval 'on nas mlsh promote laptop --json | documented promote "d[\"changed\"] and d[\"ordered\"] and d[\"role\"] == \"admin\""'
check "again: it is one already" eval 'on nas mlsh promote laptop | has "laptop is an admin of homelab already"'
check "it governs at once" wait_until 5 on laptop mlsh rename desk bureau
check "demote oneself" eval 'on laptop mlsh demote laptop | has "laptop is a plain node of homelab now"'
check "again: it is one already" eval 'on nas mlsh demote laptop | has "already"'
check_fails "it governs no more" 1 "only admins can" on laptop mlsh rename bureau desk
check "the name is desk again" on nas mlsh rename bureau desk

# --- nas is installed again: nothing of it is left but its name and address ---
ssh_serve() { # machine: its root lets in the visitor's key; the key of the server is new each time
	local w=$WORK/$1
	rm -f "$w/host.key"
	mkdir -p "$w/home/.ssh"
	cp "$WORK/visitor.pub" "$w/home/.ssh/authorized_keys"
	sed -i "s|^root:.*|root:x:0:0::$w/home:/bin/sh|" "$w/passwd"
	dropbearkey -t ed25519 -f "$w/host.key" | sed -n "s/^ssh-/$1.homelab ssh-/p" >"$WORK/known_hosts"
	on_bg "$1" ssh.log dropbear -F -E -s -r "$w/host.key" -p 22 -P "$w/ssh.pid"
}
ssh_to() { # machine, other machine, command
	on "$1" ssh -F none -i "$WORK/visitor" -o BatchMode=yes -o ConnectTimeout=2 -o StrictHostKeyChecking=yes \
		-o UserKnownHostsFile="$WORK/known_hosts" "root@$2.homelab" "$3"
}
met_at() { ssh_to "$1" nas 'echo "$SSH_CONNECTION"' | has -E "^100\.64\.0\.[0-9]+ [0-9]+ $2 22$"; } # machine, address
ssh-keygen -q -t ed25519 -N "" -C visitor -f "$WORK/visitor"
ssh_serve nas
for m in laptop desk phone; do must "ssh nas.homelab from $m" wait_until 5 met_at "$m" 100.64.0.1; done
must "desk can invite" on nas mlsh promote desk
stop "$BG"
stop "${DAEMON_PID[nas]}" KILL
rm -rf "$WORK/nas/state/mlsh" "$WORK/nas/run/mlsh" "$WORK/nas/home/.config/mlsh" "$WORK/nas/home/.ssh"
must "nas is itself again" eval 'invite_url desk homelab --replace nas | on nas mlsh adopt - | has nas && node_up nas homelab'
ssh_serve nas
for m in laptop desk phone; do
	check "ssh nas.homelab from $m, at the old address, with no restart" wait_until 5 met_at "$m" 100.64.0.1
	check "its daemon is still the same one" kill -0 "${DAEMON_PID[$m]}"
done
stop "$BG"
must "nas is an admin again" on desk mlsh promote nas
must "and desk a plain node" wait_until 5 on nas mlsh demote desk

# --- remove ---
check_fails "remove cannot ask here" 2 "add --yes" on nas mlsh remove phone </dev/null
check_fails "on a terminal it asks, and no is no" 1 "phone.*Nothing was changed" \
	on nas script -qec "mlsh remove phone" /dev/null <<<n
check_fails "not itself" 1 "mlsh leave homelab" on nas mlsh remove nas --yes
check_fails "a plain node may not" 1 "only admins can" on laptop mlsh remove phone --yes
pinging desk 100.64.0.4
check "the target is pinged" wait_until 5 eval '[ "$(grep -c "bytes from" "$WORK/desk/pinging.log")" -ge 5 ]'
check "remove" eval 'on nas mlsh remove phone --yes --json | documented remove "d[\"ordered\"] and d[\"removed\"] == [\"phone\"]"'
at=$(date +%s.%N)
check "the removed node says who and when" wait_until 5 stopped_because phone "nas removed phone on 20[0-9-]+ [0-9:]+ UTC"
check "and takes back what it did to its host" wait_until 5 no_traces phone
check "it is gone from DNS" wait_until 2 eval '! on desk getent hosts phone.homelab'
check "and from the list" eval '! on desk mlsh nodes homelab | has "^phone "'
check "former members are listed when asked for" eval 'on desk mlsh nodes homelab --all | has -E "^phone +100.64.0.4 +.*nas removed phone on 20"'
check "as documented" eval 'on desk mlsh nodes homelab --all --json | documented nodes-all "sorted(n[\"name\"] for n in d[\"former\"]) == [\"nas\", \"phone\"]"'
stop "$BG"
last=$(sed -n 's/^\[\([0-9.]*\)\].*bytes from.*/\1/p' "$WORK/desk/pinging.log" | tail -n 1)
check "the last answer came within 2 s of the command ($(python3 -c "print(round($last - $at, 3))") s)" \
	python3 -c "import sys; sys.exit($last - $at > 2)"
check "nobody reaches it" eval '! pings nas 100.64.0.4 && ! pings laptop 100.64.0.4'
check "nor does it reach anybody" eval '! pings phone 100.64.0.1'
check "again: nothing to do" eval 'on nas mlsh remove phone --yes | joined | has "Nothing to do: nas removed phone on"'
check "with a new invite it comes back" eval 'url=$(invite_url nas homelab) && on phone mlsh forget homelab --yes &&
	on phone mlsh adopt - --name phone2 <<<"$url" && on phone mlsh connect homelab'
check "and reaches the others" wait_until 10 pings phone 100.64.0.1

# --- whom they let in ---
check "laptop is an admin again" on nas mlsh promote laptop
stop "${DAEMON_PID[phone]}"
check "it lets in phone, under another name" wait_until 5 eval 'url=$(invite_url laptop homelab) && rm -rf "$WORK/phone/state/mlsh" "$WORK/phone/home/.config/mlsh" &&
	on phone mlsh adopt - --name guest <<<"$url"'
check_fails "remove says whom it let in" 1 "nodes that they let in stay: guest" \
	on nas script -qec "mlsh remove laptop" /dev/null <<<n
check_fails "since when needs the other option" 2 "goes with --and-sponsored" on nas mlsh remove laptop --since 2d --yes
check_fails "and a time" 1 "such as 2d" on nas mlsh remove laptop --and-sponsored --since yesterday --yes
check_fails "none of them since a day to come" 1 "removes laptop from homelab" \
	on nas script -qec "mlsh remove laptop --and-sponsored --since 2199-01-01" /dev/null <<<n
check "all of them" eval 'on nas mlsh remove laptop --and-sponsored --since 1d --yes --json | documented remove \
	"sorted(d[\"removed\"]) == [\"guest\", \"laptop\"]"'
check "laptop says so" wait_until 5 stopped_because laptop "nas removed laptop"

# --- leave ---
check_fails "the last admin cannot leave" 1 "promote another node first" on nas mlsh leave --yes
check_fails "leave cannot ask here" 2 "add --yes" on desk mlsh leave </dev/null
check "leave" eval 'on desk mlsh leave --yes | joined | has "desk has left homelab. Its files are still here: .mlsh forget homelab. removes"'
check "the host is as before" wait_until 5 no_traces desk
check "status says it" stopped_because desk "desk left the cluster on 20|desk left"
check "the log is still there" test -e "$WORK/desk/home/.config/mlsh/clusters/homelab.log"
check "its own files know" eval 'on desk env MLSH_SOCKET=/none mlsh nodes homelab >"$WORK/left.out" && ! has "^desk " <"$WORK/left.out"'
check "the others know" wait_until 2 eval '! on nas mlsh nodes homelab | has "^desk "'
check "once more: nothing to do" eval 'on desk mlsh leave --yes --json | documented leave "d[\"changed\"] is False"'
check "forget after it, which nobody has to hear of" eval 'on desk mlsh forget homelab --yes | joined >"$WORK/forget.out" &&
	has "homelab is forgotten on this machine" <"$WORK/forget.out" && ! has "stays a member" <"$WORK/forget.out"'
check "and a new invite" eval 'url=$(invite_url nas homelab) && on desk mlsh adopt - --name desk2 <<<"$url"'

# --- without a daemon: desk2 was never connected ---
check "nas promotes it" on nas mlsh promote desk2
stop "${DAEMON_PID[desk]}"
check "nas renames it meanwhile" on nas mlsh rename desk2 desk9
check_fails "a name that is newer than this machine's log is found" 1 "desk9 is this machine itself" on desk mlsh remove desk9 --yes
check "without a daemon the command asks the server itself" eval 'on desk mlsh rename desk9 desk3 | joined | has "desk9 is called desk3 now"'
check "nas hears of it" wait_until 5 eval 'on nas mlsh nodes homelab | has "^desk3 "'
check "leave without a daemon" eval 'on desk mlsh leave --yes | joined | has "desk3 has left homelab"'
check "nas hears of it" wait_until 5 eval '! on nas mlsh nodes homelab | has "^desk3 "'

# --- without a server ---
check "another one" eval 'on desk mlsh forget homelab --yes; url=$(invite_url nas homelab) && on desk mlsh adopt - --name late <<<"$url"'
check "nas knows it" wait_until 5 eval 'on nas mlsh nodes homelab | has "^late "'
stop "$SIGNAL_PID" KILL
check "nas notices" wait_until 20 status_holds nas homelab "c['state'] == 'reconnecting'"
check_fails "rename changes nothing" 5 "nothing was changed" on nas mlsh rename late later
check_fails "nor does it without a daemon" 5 "nothing was changed" on desk mlsh leave --yes
check "remove waits" eval 'on nas mlsh remove late --yes --json | documented remove "d[\"ordered\"] is False and d[\"changed\"] and d[\"why\"]"'
check "status says so" eval 'on nas mlsh status | joined | has "late"'
signal_start
check "the server orders it when it is back" wait_until 20 eval 'on nas mlsh nodes homelab --all | has -E "^late .*nas removed late"'
stop "${DAEMON_PID[nas]}"
check "nas leaves nothing on its host" no_traces nas
[ $LAB_FAILED = 0 ] || show_logs 25
exit $LAB_FAILED
