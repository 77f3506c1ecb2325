#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Nobody can have a node flood a third: not a member that names the third's address as its own, and not somebody on the
# way who sends a node's pings again as if they came from there.
#
#     signal 198.18.9.2, laptop .12.2 (names the bystander's address), desk .13.2, bystander .40.2, one router
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh
. tests/lab/lib_nat.sh

lab_need_root flood
trap lab_down EXIT
lab_up
for m in signal:9 laptop:12 desk:13 bystander:40; do public "${m%:*}" "${m#*:}"; done
ip netns exec "$LAB-bystander" nft 'add table ip count
	add chain ip count in { type filter hook input priority 0; }
	add rule ip count in ip saddr 198.18.13.2 counter drop'
from_desk() { ip netns exec "$LAB-bystander" nft list table ip count | grep -oP 'packets \K\d+'; }
must "server" signal_start
must "two nodes" mesh_up lab laptop desk
must "their tunnel" wait_until 10 pings laptop 100.64.0.2
check "nothing goes to the bystander" test "$(from_desk)" = 0

# --- a member with a forged candidate, and takes it back, again and again ---
ip -n "$LAB-laptop" addr add 198.18.40.2/32 dev eth0
tried() { [ "$(from_desk)" -gt 0 ]; }
check "a named address is tried" wait_until 10 tried
begin=$SECONDS
for change in del add del add del add; do
	ip -n "$LAB-laptop" addr $change 198.18.40.2/32 dev eth0
	pause 2
done
n=$(from_desk)
check "but $n pings in $((SECONDS - begin)) s are no flood" test "$n" -le $((80 + 2 * (SECONDS - begin)))

# --- somebody on the way who repeats a ping, from a forged source ---
ip -n "$LAB-laptop" addr del 198.18.40.2/32 dev eth0
ip netns exec "$LAB-router" tcpdump -i to-laptop -U -w "$WORK/pings.pcap" \
	'src 198.18.12.2 and dst 198.18.13.2 and udp[8] = 1' >"$WORK/pings.log" 2>&1 &
capture=$!
LAB_PIDS+=("$capture")
wait_until 10 grep -q "listening on" "$WORK/pings.log"
captured() { pings laptop 100.64.0.2 && [ "$(tcpdump -nr "$WORK/pings.pcap" 2>/dev/null | wc -l)" -gt 0 ]; }
must "a ping on the wire" wait_until 20 captured
stop "$capture"
before=$(from_desk)
ip netns exec "$LAB-router" tests/lab/spoof.py "$WORK/pings.pcap" 198.18.40.2 5000
pause 2
n=$(($(from_desk) - before))
check "5000 repeated pings with the bystander's address bring it nothing, but $n" test "$n" = 0
ip netns exec "$LAB-laptop" nft 'add table ip count
	add chain ip count in { type filter hook input priority 0; }
	add rule ip count in ip saddr 198.18.13.2 @th,64,8 2 counter'
# Those that come in one run are one packet to nft: at least so many as whole packets of 80 bytes.
pongs() { echo $(($(ip netns exec "$LAB-laptop" nft list table ip count | grep -oP 'bytes \K\d+') / 80)); }
begin=$SECONDS
ip netns exec "$LAB-router" tests/lab/spoof.py "$WORK/pings.pcap" 198.18.12.2 5000
pause 2
n=$(pongs)
check "though they were valid: from the right address they have an answer" test "$n" -ge 50
check "but no flood of them, $n" test "$n" -le $((150 + 20 * (SECONDS - begin)))
check "the tunnel is as it was" pings laptop 100.64.0.2
exit $LAB_FAILED
