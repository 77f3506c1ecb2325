#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What a relay, or who stands before it, can see and do; and what becomes of others whose addresses are misused.
#
#     signal 198.18.9.2 --- router --- gateway 198.18.11.2 (UDP to the server only) --- nas 10.72.11.2
#     laptop 198.18.12.2, desk 198.18.13.2, bystander 198.18.40.2 --- router
#
# nas reaches the server by tests/lab/tamper.py on its gateway.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh
. tests/lab/lib_nat.sh

lab_need_root relay
trap lab_down EXIT
lab_up
public signal 9
public laptop 12
public desk 13
public bystander 40
gateway 11 blocked "${MACHINE_IP[signal]}"
behind nas 11
ip netns exec "$LAB-gw-11" nft 'insert rule ip nat in ct state established accept
	add chain ip nat proxy { type nat hook prerouting priority dstnat; }
	add rule ip nat proxy iifname "lan" udp dport 4433 redirect to :5555'
must "server" signal_start
ip netns exec "$LAB-gw-11" tests/lab/tamper.py 5555 "${MACHINE_IP[signal]}" 4433 >"$WORK/tamper.out" 2>&1 &
tamper=$!
LAB_PIDS+=("$tamper")
wait_until 10 listens gw-11 :5555
must "three nodes" mesh_up lab laptop nas desk
relayed() { status_holds "$1" lab "any(p['name'] == '$2' and p['path'] == 'relay' for p in c['peers'])"; }
must "nas and laptop meet over the relay" wait_until 20 eval 'relayed nas laptop && pings laptop 100.64.0.2'

# --- a relay that alters, cuts, repeats, exchanges ---
read -r came again forged < <(tests/lab/stream.py 2000 "$LAB-nas" 100.64.0.2 "$LAB-laptop" 100.64.0.1)
check "of 4000 packets $came arrive" test "$came" -gt 2000
check "none arrives twice" test "$again" = 0
check "none arrives that was not sent" test "$forged" = 0
kill -USR1 "$tamper"
read -r came again forged < <(tests/lab/stream.py 500 "$LAB-nas" 100.64.0.2 "$LAB-laptop" 100.64.0.1)
check "with an honest relay all of 1000 arrive" test "$came $again $forged" = "1000 0 0"
check "in the same tunnel" status_holds laptop lab "any(p['name'] == 'nas' and p['uptime_s'] > 10 for p in c['peers'])"

# --- a slow line at the server ---
# The kernel would let four seconds of it wait in the server's socket.
if ip netns exec "$LAB-signal" tc qdisc add dev eth0 root tbf rate 10mbit burst 32k limit 10mb 2>"$WORK/tbf"; then
	on_bg nas sink socat -u UDP-RECV:7001,bind=100.64.0.2 OPEN:/dev/null
	wait_until 5 listens nas :7001
	on_bg laptop source socat -u -b 1200 OPEN:/dev/zero UDP:100.64.0.2:7001
	source=$BG
	on laptop ping -i 0.2 -c 60 -W 5 100.64.0.2 >"$WORK/ping" 2>&1
	sed -n '/transmitted/s/^/# /p; s/^rtt/# rtt/p' "$WORK/ping"
	check "a flood over a slow line leaves most pings, and soon" awk -F'[ /]' '
		/transmitted/ { came = $4 >= $1 / 2 } /^rtt/ { soon = $8 < 250 } END { exit !(came && soon) }' "$WORK/ping"
	stop "$source"
	ip netns exec "$LAB-signal" tc qdisc del dev eth0 root
else
	echo "# no slow line: $(head -n 1 "$WORK/tbf")"
fi

# --- what the server sees ---
capture() { # machine, device, file, filter...
	local name=$1 device=$2 file=$WORK/$3
	shift 3
	ip netns exec "$LAB-$name" tcpdump -i "$device" -s 0 -B 16384 -U -w "$file" "$@" >"$file.log" 2>&1 &
	CAPTURE=$!
	LAB_PIDS+=("$CAPTURE")
	wait_until 10 grep -q "listening on" "$file.log"
}
must "listening where the server is" capture signal eth0 server.pcap
wire=$CAPTURE
must "and inside the tunnel" capture nas mlsh0 inner.pcap
inner=$CAPTURE
marker=the-plaintext-that-the-relay-may-not-see-$RANDOM$RANDOM
on_bg nas received socat -u TCP-LISTEN:7002,bind=100.64.0.2 -
wait_until 5 listens nas :7002 -t
yes "$marker" 2>/dev/null | head -c 500000 | on laptop socat -u - TCP:100.64.0.2:7002
check "a plaintext goes over the relay" wait_until 20 eval '[ "$(stat -c %s "$WORK/nas/received")" = 500000 ]'
stop "$wire"
stop "$inner"
cat >"$WORK/forms.py" <<'PY'
"""forms.py CAPTURE MARKER: in how many forms is the marker in the capture; and the datagrams of relay frames there."""
import base64, sys, zlib
data, marker = open(sys.argv[1], "rb").read(), sys.argv[2].encode()
forms = [marker, marker[:16], marker[16:32], marker[::-1], marker.upper(), marker.hex().encode(),
         marker.swapcase(), marker.decode().encode("utf-16-le"), zlib.compress(marker)[2:-4], bytes(b ^ 0xff for b in marker)]
forms += [base64.b64encode(b"." * i + marker)[4:-4] for i in range(3)]
print(sum(f in data for f in forms))
PY
check "inside the tunnel it is to be seen" test "$(python3 "$WORK/forms.py" "$WORK/inner.pcap" "$marker")" -gt 0
check "where the server is it is not, in no form" test "$(python3 "$WORK/forms.py" "$WORK/server.pcap" "$marker")" = 0
check "though more than its size was captured there" test "$(stat -c %s "$WORK/server.pcap")" -gt 500000
check "nor is an inner address in a header" test -z "$(tcpdump -nr "$WORK/server.pcap" net 100.64.0.0/10 2>/dev/null)"
kill "$tamper"
wait "$tamper" 2>/dev/null
sed 's/^/# /' "$WORK/tamper.out"
check "each kind of tampering was tried" test "$(grep -cE '^[0-9]{2,} (flipped beyond|flipped any|cut|longer|three|an old|another)' "$WORK/tamper.out")" = 7
exit $LAB_FAILED
