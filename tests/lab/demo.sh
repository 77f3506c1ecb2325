#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# `make demo KEEP=1`: what it prints at its end works: shells on the machines, names in them, and the end.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root demo
trap 'take_down; lab_down' EXIT
out=$WORK/demo.out
command_of() { sed -n "s|^ *\\(/.*$1\\)\$|\\1|p" "$out"; } # how it ends
# With a `kill` that fails first in the path: a minimal system has the shell's own only.
take_down() { sed -n '/^To end it:/{n;p}' "$out" | PATH=$WORK/no-kill:$PATH bash 2>/dev/null; }
namespaces() { ip netns list | grep -c "^$demo-"; }

# A demo whose `mlsh invite` fails: a program beside the real ones, found first.
mkdir -p "$WORK/broken"
for program in "$BIN"/*; do ln -s "$(realpath "$program")" "$WORK/broken/${program##*/}"; done
rm "$WORK/broken/mlsh"
cat >"$WORK/broken/mlsh" <<END
#!/bin/sh
[ "\$1" != invite ] || { echo "no invite today" >&2; exit 9; }
exec "$BIN/mlsh" "\$@"
END
chmod 755 "$WORK/broken/mlsh"
check "a failure names the step and the command" eval '! BIN=$WORK/broken tools/demo >"$out" 2>&1 &&
	grep -F "DEMO FAILED at \"It invites the laptop\"" "$out" &&
	grep -F "exit status 9: nas\$ mlsh invite homelab --no-qr" "$out"'
check "a user who is not root is told what to do" eval '! setpriv --reuid 1500 --regid 1500 --clear-groups \
	env TMPDIR=/tmp tools/demo >"$out" 2>&1 && grep "needs root.*sudo make" "$out"'
check "before minutes of building" eval 'MAKEFLAGS="" make -n --no-print-directory demo >"$out" &&
	[ "$(head -n 1 "$out")" = "tools/demo check" ] && has -x tools/demo <"$out"'

must "the demo" eval 'KEEP=1 SUDO_USER="" tools/demo >"$out" 2>&1'
demo=$(grep -oE 'mlsh[0-9]+-' "$out" | head -n 1)
demo=${demo%-}
must "it stays up" test "$(namespaces)" = 4
on_laptop() { $(command_of laptop/shell) "$@"; }
on_nas() { $(command_of nas/shell) "$@"; }
folder_gone() { [ ! -e "$(dirname "$(dirname "$(command_of nas/shell)")")" ]; }
check "to root nothing is said of sudo, but for the other machine" eval '! grep -v "^    sudo mlsh adopt -$" "$out" | has sudo'
check "the server has a shell, too" eval '$(command_of signal/shell) ss -Hlun | has ":4433"'
check "a shell on a machine" eval 'echo "ip -o -4 addr show mlsh0" | on_nas | has -F "100.64.0.1/"'
check "names work in it" eval 'echo "ping -n -c 1 -W 2 nas.homelab" | on_laptop | has "from 100.64.0.1"'
check "on the other machine too" eval 'on_nas ping -n -c 1 -W 2 laptop.homelab | has "from 100.64.0.2"'
check "mlsh needs nothing more" eval 'on_laptop mlsh status | has "^homelab: connected"'
check "a command in place of a shell" eval '$(command_of "mlsh ping nas") | has "^nas.homelab answers"'
check "another setup token" eval '$(command_of signal/shell) mlsh-signal token | has "^[0-9A-Z]*-.*@"'
mkdir "$WORK/no-kill"
printf '#!/bin/sh\nexit 127\n' >"$WORK/no-kill/kill"
chmod 755 "$WORK/no-kill/kill"
pids=$(for m in signal nas laptop; do ip netns pids "$demo-$m"; done)
all_ended() { for pid in $pids; do [ ! -d "/proc/$pid" ] || return 1; done; }
take_down
check "the end ends its programs" eval '[ -n "$pids" ] && wait_until 3 all_ended'
check "the end leaves nothing" eval '[ "$(namespaces)" = 0 ] && folder_gone'
exit $LAB_FAILED
