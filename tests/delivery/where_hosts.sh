#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Hosts that lack something: IPv6, IPv4, a disk that can be written, /proc, everything but the programs.
#
# Public addresses (RFC 2544 and 3849), one router: signal 198.18.9.2, 2001:db8:9::2; nas 198.18.1.2; four 198.18.3.2,
# without IPv6; six 2001:db8:4::2 and six2 2001:db8:5::2, without IPv4; bare 198.18.6.2.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh
. tests/lab/lib_nat.sh

lab_need_root where_hosts
trap lab_down EXIT
lab_up
for m in signal:9 nas:1 four:3 six:4 six2:5 bare:6; do public "${m%:*}" "${m#*:}"; done
set_kernel "$LAB-router" net.ipv6.conf.all.forwarding=1
give_ip6() { # machine, number: 2001:db8:NUMBER::2 behind 2001:db8:NUMBER::1
	ip -n "$LAB-router" addr add "2001:db8:$2::1/64" dev "to-$1" nodad &&
		ip -n "$LAB-$1" addr add "2001:db8:$2::2/64" dev eth0 nodad &&
		ip -n "$LAB-$1" route add default via "2001:db8:$2::1"
}

# --- without IPv6: switched off, or no part of the kernel ---
# A program without AF_INET6, as with ipv6.disable=1: the system call says what such a kernel says.
cat >"$WORK/no-ip6.py" <<'PY'
import ctypes, errno, os, platform, struct, sys
numbers = {"x86_64": (41, 317), "aarch64": (198, 277)}  # socket, seccomp
SOCKET, SECCOMP = numbers[platform.machine()]
def step(code, k, yes=0, no=0):
    return struct.pack("HBBI", code, yes, no, k)
steps = (step(0x20, 0) + step(0x15, SOCKET, 0, 3) + step(0x20, 16) + step(0x15, 10, 0, 1) +
         step(0x06, 0x00050000 | errno.EAFNOSUPPORT) + step(0x06, 0x7fff0000))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_char_p)]
program = Program(len(steps) // 8, steps)
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)  # no_new_privs
if libc.syscall(SECCOMP, 1, 0, ctypes.byref(program)):
    sys.exit("no filter: " + os.strerror(ctypes.get_errno()))
os.execvp(sys.argv[1], sys.argv[1:])
PY
no_ip6=(python3 "$WORK/no-ip6.py")
lacks_ip6() { ! on "$1" "${no_ip6[@]}" python3 -c "import socket; socket.socket(socket.AF_INET6)" 2>"$WORK/no-ip6" && grep "family not supported" "$WORK/no-ip6"; }
must "a kernel without IPv6 is played" lacks_ip6 four
on_bg signal signal.log "${no_ip6[@]}" env MLSH_SIGNAL_DB="$WORK/signal/signal.db" mlsh-signal
FIRST_SIGNAL=$BG
must "the server runs without IPv6" wait_until 10 signal_ready
must "a node" mesh_up homelab nas
check "adopt without IPv6" eval 'invite_url nas homelab | on four "${no_ip6[@]}" mlsh adopt - --name four'
on_bg four mlshtund.log "${no_ip6[@]}" mlshtund
check "the daemon without IPv6" wait_until 10 on four mlsh status
check "it connects" on four mlsh connect homelab
check "packets pass" wait_until 10 pings four 100.64.0.1
stop "$BG"
set_kernel "$LAB-four" net.ipv6.conf.all.disable_ipv6=1
rm -f "$WORK/four/run/mlsh/mlshtund.sock"
must "IPv6 switched off: the daemon" daemon_start four
check "packets pass" wait_until 15 pings four 100.64.0.1

# --- without IPv4 ---
stop "$FIRST_SIGNAL"
give_ip6 signal 9
must "the server with both" signal_start
for m in six:4 six2:5; do
	give_ip6 "${m%:*}" "${m#*:}"
	ip -n "$LAB-${m%:*}" addr del "198.18.${m#*:}.2/24" dev eth0
done
no_ip4() { ! ip -n "$LAB-$1" -4 route get 198.18.9.2; }
check "they have no IPv4" eval 'no_ip4 six && no_ip4 six2'
must "set up over IPv6" on six mlsh setup sixlab --signal-host 2001:db8:9::2 --token "$(new_token)" --name six
must "connected" node_up six sixlab
must "another one joins" mesh_join sixlab six six2
path_is() { status_holds "$1" sixlab "[p['path'] for p in c['peers'] if p['name'] == '$2'] == ['$3']"; } # machine, peer, path
check "directly" wait_until 15 path_is six six2 direct
ip_of() { on "$1" mlsh status "$2" --json | python3 -c 'import json, sys
print(json.load(sys.stdin)["clusters"][0]["address"])'; }
check "IPv4 inside" wait_until 10 pings six "$(ip_of six2 sixlab)"

# --- one has IPv4 only, the other IPv6 only: the server is both families' ---
# The invite names it by its IPv4 address; a name in DNS would have both.
on six2 mlsh disconnect sixlab >/dev/null
check "a node without IPv4 joins one with IPv4" eval \
	'invite_url nas homelab | sed "s/198\.18\.9\.2/[2001:db8:9::2]/" | on six2 mlsh adopt - --name six2 && node_up six2 homelab'
mixed() { status_holds six2 homelab "[p['path'] for p in c['peers'] if p['name'] == 'nas'] == ['relay']"; }
check "they meet at the relay" wait_until 15 mixed
check "packets pass" wait_until 10 pings nas "$(on nas mlsh nodes homelab --json | python3 -c 'import json, sys
print([n["address"] for n in json.load(sys.stdin)["nodes"] if n["name"] == "six2"][0])')"
shares_none() { on "$1" mlsh why "$2.homelab" --json | json_holds "d['reason'] == 'other-family'"; }
check "why says that they share no family" wait_until 15 shares_none nas six2
check "on the other side, too" wait_until 15 shares_none six2 nas

# --- disks that cannot be written ---
check_fails "no state folder" 1 "/var/lib/mlsh: Read-only.*--state-dir \(or MLSH_STATE_DIR\)" \
	on bare sh -c 'mount -t tmpfs -o ro tmpfs /var/lib && exec timeout 10 mlshtund'
check_fails "no folder for the socket" 1 "/run/mlsh: Read-only.*--socket \(or MLSH_SOCKET\)" \
	on bare sh -c 'mount -t tmpfs -o ro tmpfs /run && exec timeout 10 mlshtund'
check_fails "the server has no folder for its database" 1 "/var/lib/mlsh-signal.*Read-only.*MLSH_SIGNAL_DB" \
	on bare sh -c 'mount -t tmpfs -o ro tmpfs /var/lib && exec timeout 10 mlsh-signal'

# --- an empty system: the programs, the device, and nothing else ---
root=$WORK/bare/root
mkdir -p "$root/dev/net" "$root/bin"
cp "$BIN/mlsh" "$BIN/mlshtund" "$root/bin/"
mknod -m 666 "$root/dev/net/tun" c 10 200
# shellcheck disable=SC2016 # expanded by the inner shell
empty() { on bare env -i HOME=/home PATH=/usr/sbin:/usr/bin chroot "$root" "$@"; }
check "adopt in an empty system" eval 'invite_url nas homelab | empty /bin/mlsh adopt - --name bare'
on_bg bare mlshtund.log env -i PATH=/usr/sbin:/usr/bin chroot "$root" /bin/mlshtund
check "the daemon starts" wait_until 10 empty /bin/mlsh status
check "it connects" empty /bin/mlsh connect homelab
check "packets pass" wait_until 10 pings bare 100.64.0.1
check "the programs made what they need" test -S "$root/run/mlsh/mlshtund.sock" -a -d "$root/var/lib/mlsh" -a -d "$root/home/.config/mlsh"
[ $LAB_FAILED = 0 ] || show_logs 20
exit $LAB_FAILED
