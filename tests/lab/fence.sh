#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The fence: somebody on a node's LAN who is in no cluster, a node that routes, containers behind it, and another VPN in
# the same range.
#
#     signal 10.71.9.2, nas .1.2, laptop .2.2; the router is the attacker on nas's LAN
#     behind nas: a container 172.31.0.2 on the bridge box0, and a second LAN 10.81.1.2 (thief) that nas is the router of
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root fence
trap lab_down EXIT
lab_up
for m in signal:9 nas:1 laptop:2; do machine "${m%:*}" "${m#*:}"; done
nas() { ip netns exec "$LAB-nas" "$@"; }
evil() { ip netns exec "$LAB-router" "$@"; }

# A container on a bridge, as an engine makes it, and a LAN that nas is the router of. nas masquerades whatever it
# forwards.
ip netns add "$LAB-box"
ip -n "$LAB-nas" link add box0 type bridge
ip -n "$LAB-nas" addr add 172.31.0.1/24 dev box0
ip link add eth0 netns "$LAB-box" type veth peer name port0 netns "$LAB-nas"
ip -n "$LAB-nas" link set port0 master box0
ip -n "$LAB-nas" link set port0 up
ip -n "$LAB-nas" link set box0 up
ip -n "$LAB-box" addr add 172.31.0.2/24 dev eth0
ip -n "$LAB-box" link set eth0 up
ip -n "$LAB-box" route add default via 172.31.0.1
machine_at thief nas 10.81.1
set_kernel "$LAB-nas" net.ipv4.ip_forward=1
nas nft -f - <<'N'
table ip nat {
	chain post { type nat hook postrouting priority srcnat; oifname "mlsh0" masquerade; }
}
N
must "server" signal_start
must "two nodes" mesh_up homelab nas laptop
must "their tunnel" wait_until 10 pings laptop 100.64.0.1

# Says what arrives, with its source, and answers.
cat >"$WORK/service.py" <<'PY'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 7777))
while True:
    data, source = s.recvfrom(2000)
    print(data.decode(), source[0], flush=True)
    s.sendto(b"answer", source)
PY
# attack.py ask|forge SOURCE DESTINATION TEXT: a datagram, from its own address or a forged one.
# attack.py flood SOURCE DESTINATION TEXT: datagrams until it is killed, which no host forwards.
# attack.py option SOURCE DESTINATION TEXT: a datagram to 10.71.1.2, which is to send it on by its options (LSRR).
# attack.py error SOURCE DESTINATION BYTES: that a packet is too large of nas's to a member, in fragments of so many bytes.
cat >"$WORK/attack.py" <<'PY'
import socket, struct, sys
kind, source, to, text = sys.argv[1:]
if kind == "ask":
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(1)
    s.sendto(text.encode(), (to, 7777))
    try: print(s.recv(100).decode())
    except OSError: pass
    sys.exit()
if kind == "flood":
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
    while True:
        try: s.sendto(text.encode(), (to, 7777))
        except OSError: pass
def sum_of(b):
    s = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    s = (s & 0xffff) + (s >> 16)
    return ~(s + (s >> 16)) & 0xffff
def packet(source, to, protocol, data, offset=0, options=b""):
    words = 5 + len(options) // 4
    h = struct.pack("!BBHHHBBH4s4s", 0x40 | words, 0, 4 * words + len(data), 1, offset, 64, protocol, 0,
                    socket.inet_aton(source), socket.inet_aton(to)) + options
    return h[:10] + struct.pack("!H", sum_of(h)) + h[12:] + data
def send(p, to): socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW).sendto(p, (to, 0))
datagram = struct.pack("!HHHH", 4444, 7777, 8 + len(text), 0) + text.encode()
if kind == "forge":
    send(packet(source, to, 17, datagram), to)
elif kind == "option":
    send(packet(source, "10.71.1.2", 17, datagram, options=bytes([131, 7, 4]) + socket.inet_aton(to) + b"\0"), "10.71.1.2")
else:
    about = packet("100.64.0.1", "100.64.0.2", 17, struct.pack("!HHHH", 7777, 9, 1400, 0))
    e = struct.pack("!BBHHH", 3, 4, 0, 0, 600) + about
    e = e[:2] + struct.pack("!H", sum_of(e)) + e[4:]
    for at in range(0, len(e), int(text)):
        more = 0x2000 if at + int(text) < len(e) else 0
        send(packet(source, to, 1, e[at:at + int(text)], more | at // 8), to)
PY
on_bg nas seen python3 -u "$WORK/service.py" 100.64.0.1
on_bg laptop seen python3 -u "$WORK/service.py" 100.64.0.2
mkdir -p "$WORK/box"
ip netns exec "$LAB-box" python3 -u "$WORK/service.py" 172.31.0.2 >"$WORK/box/seen" 2>&1 </dev/null &
LAB_PIDS+=("$!")
on_bg nas tcp.log socat TCP-LISTEN:7778,bind=100.64.0.1,fork,reuseaddr EXEC:"echo hello"
for m in nas laptop box; do wait_until 5 listens "$m" :7777; done
wait_until 5 listens nas :7778 -t

at() { # namespace, ask or forge, its arguments
	local ns=$LAB-$1
	shift
	ip netns exec "$ns" python3 "$WORK/attack.py" "$@"
}
flood() { # text; the process in $flood
	ip netns exec "$LAB-router" python3 "$WORK/attack.py" flood - 100.64.0.1 "$1" &
	flood=$!
	LAB_PIDS+=("$flood")
}
answered() { [ "$(at "$1" ask - "$2" "$3")" = answer ]; } # namespace, destination, text
# A packet that a member sends after the attack has arrived: so what the attack sent would have, too.
settle() { # text
	answered laptop 100.64.0.1 "$1" && answered nas 100.64.0.2 "$1" && answered nas 172.31.0.2 "$1"
}
nowhere() { ! grep -h "$1" "$WORK/nas/seen" "$WORK/laptop/seen" "$WORK/box/seen"; } # text
rp_filter() { nas sh -c "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo $1 >\$f; done"; }

evil ip route replace 100.64.0.0/24 via 10.71.1.2
evil ip route replace 172.31.0.0/24 via 10.71.1.2
for rp in 0 1 2; do
	rp_filter $rp
	check "rp_filter $rp: a service on the overlay address does not answer the LAN (UDP)" \
		eval "! answered router 100.64.0.1 udp-$rp"
	check "rp_filter $rp: nor by TCP" eval '[ -z "$(evil timeout 1 socat -T1 - TCP:100.64.0.1:7778,connect-timeout=1 2>/dev/null)" ]'
	check "rp_filter $rp: nor to a ping" eval '! evil ping -n -c 1 -W 1 100.64.0.1'
	check "rp_filter $rp: nor its DNS server" eval '[ -z "$(evil dig +short +time=1 +tries=1 @100.64.0.1 laptop.homelab | grep ^100)" ]'
	for to in 100.64.0.1 100.64.0.2 172.31.0.2 10.71.1.2; do at router forge 100.64.0.2 $to "posing-$rp"; done
	at thief forge 100.64.0.2 172.31.0.2 "posing-$rp"
	# through nas into the tunnel, masqueraded as nas: with an address of its own, a container's, another member's
	for from in 10.71.1.1 172.31.0.2 100.64.0.77; do at router forge $from 100.64.0.2 "through-$rp"; done
	at thief forge 10.81.1.2 100.64.0.2 "through-$rp"
	must "rp_filter $rp: members and containers are reached as before" settle "settle-$rp"
	check "rp_filter $rp: nobody on the LAN poses as a member, here or to what nas forwards" nowhere "posing-$rp"
	check "rp_filter $rp: nobody on the LAN gets into the tunnel through nas" nowhere "through-$rp"
	check "rp_filter $rp: the container behind nas reaches a member" \
		answered box 100.64.0.2 boxed
	check "rp_filter $rp: and the service of nas" \
		answered box 100.64.0.1 boxed
done
check "status tells what was kept out" status_holds nas homelab \
	"c['fence']['state'] == 'up' and c['fence']['detail'] == '' and c['fence']['dropped'] >= 20"
check "in words, too" eval 'on nas mlsh status | has "kept out"'

# --- what is not in the header that routing goes by ---
nas sh -c 'for f in /proc/sys/net/ipv4/conf/*/accept_source_route; do echo 1 >$f; done'
at router option 10.71.1.1 100.64.0.1 source-routed
must "after a packet with a route in it" settle source-routed-settled
check "a source route does not lead to the overlay address" nowhere 'source-routed '
for size in 64 8; do at router error 10.71.1.1 10.71.1.2 $size; done
must "after ICMP errors" settle errors-settled
check "the LAN does not shrink packets to members (ICMP)" eval '! nas ip route get 100.64.0.2 | has mtu'

# --- a container cannot pose as a member either ---
at box forge 100.64.0.2 100.64.0.1 posing-box
must "after that" settle settle-box
check "a container does not pose as a member" nowhere posing-box

# --- another VPN in the same range, and a network of the host's that overlaps it ---
ip netns add "$LAB-far"
ip link add tailscale0 netns "$LAB-nas" type veth peer name eth0 netns "$LAB-far"
ip -n "$LAB-nas" addr add 100.101.102.103/32 dev tailscale0
ip -n "$LAB-nas" link set tailscale0 up
ip -n "$LAB-nas" route add 100.77.1.2 dev tailscale0 src 100.101.102.103
ip -n "$LAB-far" addr add 100.77.1.2/32 dev eth0
ip -n "$LAB-far" link set eth0 up
ip -n "$LAB-far" route add 100.101.102.103 dev eth0
check "another VPN with addresses of 100.64.0.0/10 goes on working" pings nas 100.77.1.2
check "from its other side, too" ip netns exec "$LAB-far" ping -n -c 1 -W 2 100.101.102.103

# --- when the filter is changed by others, and at the end ---
has_table() { nas nft list table inet mlsh0; }
check "people find it by its name" eval "nas nft list ruleset | has 'table inet mlsh0'"
nas nft flush ruleset
check "it survives a flush of all rules" eval 'has_table | has saddr && ! answered router 100.64.0.1 flushed'
check "and the tunnel does" pings laptop 100.64.0.1
check "disconnect takes it down" eval 'on nas mlsh disconnect homelab >/dev/null && ! has_table'
check "connect puts it up" eval 'on nas mlsh connect homelab >/dev/null && has_table'
flood flooded
for _ in 1 2 3; do on nas mlsh disconnect homelab && on nas mlsh connect homelab; done >/dev/null
stop "$flood"
check "nothing gets in while the interface comes and goes" nowhere flooded
nas ip link add docker9 type bridge
check "a bridge that is new is inside soon" wait_until 10 eval 'nas nft list set inet mlsh0 inside | has docker9'
flood at-the-end
floods() { [ "$(dropped)" -gt "$1" ]; }
dropped() { nas nft list table inet mlsh0 | grep -oP 'daddr .*packets \K\d+'; }
must "a flood from the LAN is dropped" wait_until 10 floods "$(dropped)"
stop "${DAEMON_PID[nas]}" KILL
check "it ends with a killed daemon" eval '! has_table'
stop "$flood"
check "but not before the interface does" nowhere at-the-end
must "the daemon starts again" daemon_start nas
check "and it is back" wait_until 10 has_table
[ "$LAB_FAILED" = 0 ] || show_logs
exit $LAB_FAILED
