#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The shells' completion of names: of clusters, nodes and invites, from the daemon and from the user's files. It keeps
# nobody waiting, says nothing where nothing is known, and runs nothing that a name holds.
#
#     signal 10.71.9.2; nas .1.2 and laptop .2.2
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root completion
tools/need --optional zsh fish
trap lab_down EXIT
lab_up
for m in signal:9 nas:1 laptop:2; do machine "${m%:*}" "${m#*:}"; done
must "server" signal_start
must "two nodes" mesh_up homelab nas laptop

# names KIND WORD, EXPECTED in a line: what mlsh says to a shell on the nas, and that it says nothing else. It waits
# for nobody longer than 0.3 s, and says less when this machine is busy: what it has to say is asked for again.
names() { wait_until 5 said_names "$@" || said_names "$@"; }
said_names() { # kind, word, expected
	local got
	got=$(on nas mlsh __complete "$1" "$2" 2>&1 | paste -sd ' ')
	[ "$got" = "$3" ] || { echo "$1 '$2': '$got', not '$3'" && false; }
}
# shell_offers SHELL, EXPECTED in a line, WORD...: on the nas
shell_offers() { wait_until 5 shell_offered "$@" || shell_offered "$@"; }
shell_offered() {
	local got shell=$1 expected=$2
	shift 2
	got=$(on nas env COMPLETE_DUMP="$WORK/zcompdump" tests/complete "$shell" "$@" 2>&1 | paste -sd ' ')
	[ "$got" = "$expected" ] || { echo "$shell: $*: '$got', not '$expected'" && false; }
}
check "clusters" names clusters "" homelab
check "nodes" names nodes "" "laptop nas"
check "nodes with their cluster, once a dot is typed" names nodes nas. "laptop.homelab nas.homelab"
check "an unknown kind has no names" names nosuch "" ""
must "an invite" eval 'on nas mlsh invite homelab --no-qr >"$WORK/invite.out"'
id=$(on nas mlsh invites homelab --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["invites"][0]["id"])')
check "invites" names invites "" "$id"

of_shell() { # shell
	shell_offers "$1" homelab mlsh disconnect '' && shell_offers "$1" homelab mlsh status --json ho &&
		shell_offers "$1" "laptop nas" mlsh ping '' && shell_offers "$1" laptop mlsh why la &&
		shell_offers "$1" nas.homelab mlsh ping nas. && shell_offers "$1" "" mlsh ping nobody &&
		shell_offers "$1" laptop mlsh invite --replace l && shell_offers "$1" "$id" mlsh cancel '' &&
		shell_offers "$1" "laptop nas" mlsh remove laptop '' && shell_offers "$1" nas mlsh rename n &&
		shell_offers "$1" "laptop nas" mlsh recover --remove '' &&
		shell_offers "$1" "$([ "$1" = zsh ] || echo nas,)laptop" mlsh recover --remove nas,l &&
		shell_offers "$1" homelab mlsh invite --ttl 1h --no-qr ho &&
		{ [ "$1" = zsh ] || shell_offers "$1" "" mlsh rename nas ''; } # zsh offers options then
}
for shell in bash zsh fish; do
	if command -v $shell >/dev/null; then
		check "$shell completes names" of_shell $shell
	else
		echo "skip - $shell completes names: it is not installed"
	fi
done

# Who has no cluster is told of none.
stranger() { on nas setpriv --reuid 1600 --regid 1600 --clear-groups env HOME=/nonexistent mlsh __complete "$1" "" 2>&1; }
check "another user learns nothing" eval '[ -z "$(stranger clusters)$(stranger nodes)$(stranger invites)" ]'

# Members of the group mlsh see what root has connected.
member() { on nas setpriv --reuid 1601 --regid 1601 --groups 2000 env HOME=/nonexistent mlsh __complete "$1" "" 2>&1; }
echo 'mlsh:x:2000:' >>"$WORK/nas/group"
check "a member of the group completes root's clusters" wait_until 5 eval \
	'[ "$(member clusters)" = homelab ] && [ "$(member nodes | paste -sd " ")" = "laptop nas" ]'
check "but no invites of root's" eval '[ -z "$(member invites)" ]'

# The server's clusters, by its own program and database.
server_offers() { wait_until 5 server_offered "$@" || server_offered "$@"; }
server_offered() { # shell
	local got
	got=$(on signal env MLSH_SIGNAL_DB="$WORK/signal/signal.db" COMPLETE_DUMP="$WORK/zcompdump" \
		tests/complete "$1" mlsh-signal nodes '' 2>&1)
	[ "$got" = homelab ] || { echo "$1: '$got'" && false; }
}
for shell in bash zsh fish; do
	if command -v $shell >/dev/null; then check "$shell completes the server's clusters" server_offers $shell; fi
done
check "without a database it says nothing" eval '[ -z "$(on signal env MLSH_SIGNAL_DB=/nonexistent/db \
	mlsh-signal __complete clusters "" 2>&1)" ]'
server_stranger() {
	on signal setpriv --reuid 1600 --regid 1600 --clear-groups env MLSH_SIGNAL_DB="$WORK/signal/signal.db" \
		mlsh-signal __complete clusters "" 2>&1
}
check "and to another user neither" eval '[ -z "$(server_stranger)" ]'

# How long a person waits who presses Tab, for who looks at it.
tries=20
began=$EPOCHREALTIME
# shellcheck disable=SC2016 # for the inner shell
on nas sh -c 'for i in $(seq "$1"); do mlsh __complete nodes ""; done' sh $tries >/dev/null
echo "# $(((${EPOCHREALTIME/./} - ${began/./}) / tries / 1000)) ms for the names of nodes"

# A second cluster, with a node of the same name.
must "a second cluster" eval 'on nas mlsh setup lodge --signal-host "${MACHINE_IP[signal]}" --token "$(new_token)" \
	--name nas >/dev/null && on nas mlsh connect lodge >/dev/null'
check "two clusters" names clusters "" "homelab lodge"
check "a name that two nodes have is told with its cluster" names nodes "" "laptop nas.homelab nas.lodge"
check "a cluster that is stopped has names, too" eval 'on nas mlsh disconnect lodge >/dev/null &&
	names nodes "" "laptop nas.homelab nas.lodge"'

# --- without the daemon, or with one that hangs ---

kill -STOP "${DAEMON_PID[nas]}"
check "a daemon that hangs keeps nobody waiting, and the names come from the files" wait_until 5 eval \
	'[ "$(on nas timeout 2 mlsh __complete nodes "" | paste -sd " ")" = "laptop nas.homelab nas.lodge" ]'
kill -CONT "${DAEMON_PID[nas]}"
stop "${DAEMON_PID[nas]}"
check "without a daemon they do as well" names nodes "" "laptop nas.homelab nas.lodge"
check "and the clusters" names clusters "" "homelab lodge"

# What lies in the folder and is no cluster. A name that a shell would run is no name.
clusters=$WORK/nas/home/.config/mlsh/clusters
touch "$clusters/\$(id).toml" "$clusters/a b.toml" "$clusters/-rf.toml" "$clusters/;id.toml"
check "odd files are no clusters" names clusters "" "homelab lodge"

# A daemon that lies: it is asked, since root runs it, and what it says is looked at.
lying() { # socket; answers each request with odd names
	# shellcheck disable=SC2016 # names that a shell would run
	exec python3 -c 'import json, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
s.listen()
ran = "touch " + sys.argv[2]
while True:
    c, _ = s.accept()
    c.recv(65536)
    c.send(b"\1" + json.dumps({"clusters": [
        {"name": "good", "nodes": ["$(%s)" % ran, "`%s`" % ran, "-rf", "a b", "x;%s" % ran, "new\nline", "fine", 7.5, None]},
        {"name": "$(%s)" % ran, "nodes": ["hidden"]}, {"name": "none"}, 5]}).encode())
    c.close()' "$1" "$WORK/ran"
}
mkdir -p "$WORK/nas/run/liar"
lying_socket() { [ -S "$WORK/nas/run/liar/sock" ]; }
lying "$WORK/nas/run/liar/sock" &
LAB_PIDS+=("$!")
must "a daemon that lies" wait_until 10 lying_socket
lied() { wait_until 5 said_after_lies "$@" || said_after_lies "$@"; }
said_after_lies() { # kind, expected
	local got
	got=$(on nas env HOME=/nonexistent MLSH_SOCKET=/run/liar/sock mlsh __complete "$1" "" 2>&1 | paste -sd ' ')
	[ "$got" = "$2" ] || { echo "$1: '$got', not '$2'" && false; }
}
check "its odd names of nodes are passed over" lied nodes fine
check "and of clusters" lied clusters "good none"
for shell in bash zsh fish; do
	if command -v $shell >/dev/null; then
		check "$shell is not led astray" wait_until 5 eval "on nas env HOME='$WORK/nobody' MLSH_SOCKET=/run/liar/sock \
			COMPLETE_DUMP='$WORK/zcompdump' tests/complete $shell mlsh ping '' | has '^fine\$'"
	fi
done
check "nothing that a name holds was run" [ ! -e "$WORK/ran" ]
[ $LAB_FAILED = 0 ] || show_logs
exit $LAB_FAILED
