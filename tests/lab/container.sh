#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# mlsh container, the first process of a node's container, on machines that have no systemd-resolved.
# With an engine: tests/delivery/node_image.sh.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root container
trap lab_down EXIT
lab_up
machine signal 9
machine nas 1
machine web 2
must "server" signal_start
must "a first node" mesh_up homelab nas

container() { # log, environment
	local log=$1
	shift
	on_bg web "$log" env "$@" mlsh container
	CONTAINER=$BG
}
said() { joined <"$WORK/web/$1" | has -E -- "$2"; } # log, pattern
# The process that was started is the daemon, and nobody is left beside it.
is_daemon() { [ "$(tr '\0' ' ' <"/proc/$CONTAINER/cmdline")" = "mlshtund " ]; }
alone() { [ "$(ip netns pids "$LAB-web" | wc -l)" = 1 ]; }

check_fails "without an invite it says where one comes from" 1 "in no cluster yet.*MLSH_INVITE" on web mlsh container
check_fails "a wrong word for MLSH_DNS is named" 1 "MLSH_DNS can be on or off, not 'yes'" \
	on web env MLSH_DNS=yes mlsh container

# --- process 1, from which the kernel keeps what it does not handle, ends while it joins ---
invite_url nas homelab >"$WORK/web/invite"
token=$(new_token)
first() { cat "/proc/$BG/task/$BG/children" 2>/dev/null; } # the process that $BG, unshare, has made
gone() { [ -z "$(first)" ]; }
waits() { [ -n "$(on web ss -Huan)" ]; } # for the server
ends_by() { # signal, exit code, NAME=VALUE..., command...
	local signal=$1 code=$2
	shift 2
	on_bg web ends.log unshare --pid --fork --mount-proc env --default-signal=INT "$@"
	wait_until 10 waits && kill "-$signal" "$(first)"
	wait_until 1 gone || kill -KILL "$(first)"
	wait "$BG"
	[ $? = "$code" ]
}
kill -STOP "$SIGNAL_PID"
check "SIGTERM ends a container that joins" ends_by TERM 143 MLSH_INVITE="$(cat "$WORK/web/invite")" mlsh container
check "Ctrl-C ends a setup" ends_by INT 130 HOME="$WORK/web/other" mlsh setup garage \
	--signal-host "${MACHINE_IP[signal]}" --token "$token" --name web
kill -CONT "$SIGNAL_PID"

# --- it joins, and is the daemon ---
printf 'nameserver 10.71.9.2\n' >"$WORK/web/resolv.conf"
container first.log MLSH_INVITE_FILE="$WORK/web/invite" MLSH_NAME=web
must "it joins and connects" wait_until 10 said first.log "Welcome.* Connected to homelab: this node is web.homelab"
check "it is the daemon now" is_daemon
check "and alone" wait_until 5 alone
check "the node is in front of the list of name servers" wait_until 5 eval \
	'[ "$(grep ^nameserver "$WORK/web/resolv.conf" | paste -sd " ")" = "nameserver 100.64.0.2 nameserver 10.71.9.2" ]'
check "a program finds another node by its name" eval 'on web getent hosts nas.homelab | has "^100.64.0.1 "'
check "status says so" eval 'on web mlsh status | has "/etc/resolv.conf names this node"'
check "SIGTERM ends it with success" stop "$CONTAINER"
container second.log MLSH_INVITE_FILE="$WORK/web/invite"
check "it connects again, and does not use the invite" wait_until 10 said second.log "already: the invite is not used.* Connected"
check "the list has the node once" test "$(grep -c 100.64 "$WORK/web/resolv.conf")" = 1
stop "$CONTAINER"
container third.log MLSH_INVITE_FILE="$WORK/web/nothing"
check "it connects without the file of the invite" wait_until 10 said third.log "goes on without the invite.*/nothing.* Connected"
stop "$CONTAINER"
container fourth.log MLSH_INVITE=mlsh://of/another/time
check "and with one that it does not understand" wait_until 10 said fourth.log "goes on without the invite.* Connected"
stop "$CONTAINER"

# --- a list of name servers that is too long to be changed ---
cp "$WORK/web/resolv.conf" "$WORK/web/list" && printf '#%070000d\n' 0 >>"$WORK/web/resolv.conf"
container long.log MLSH_DNS=off
check "it connects, and says what it leaves" wait_until 10 said long.log "goes on.*/etc/resolv.conf.* Connected"
stop "$CONTAINER"
container longer.log
check "it says that names are not found" wait_until 10 said longer.log "Connected.*do not find nodes by name.*/etc/resolv.conf"
check "the daemon goes on" is_daemon
stop "$CONTAINER"
cat "$WORK/web/list" >"$WORK/web/resolv.conf"
rm "$WORK/web/home/.config/mlsh/identity/homelab/key.pem"
check_fails "files that are not whole end it" 1 "key" on web mlsh container
check "the list is as it was before the node" test "$(cat "$WORK/web/resolv.conf")" = "nameserver 10.71.9.2"
exit "$LAB_FAILED"
