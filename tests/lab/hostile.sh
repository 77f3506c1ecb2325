#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What strangers and other users can do with the real programs: garbage at every socket, listening on the wire, packets
# that must not leave, packets that must not arrive.
#
#     signal 10.71.9.2, nas .1.2, laptop .2.2, mallory (in no cluster) .4.2, one router
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root hostile
trap lab_down EXIT
lab_up
for m in signal:9 nas:1 laptop:2 mallory:4; do machine "${m%:*}" "${m#*:}"; done
must "server" signal_start
must "two nodes" mesh_up homelab nas laptop
must "their tunnel" wait_until 10 pings laptop 100.64.0.1
nas_port=$(on laptop mlsh status --json | python3 -c 'import json, sys
print(json.load(sys.stdin)["clusters"][0]["peers"][0]["endpoint"].rsplit(":", 1)[1])')

# --- what is on the wire ---
capture() { # machine, device, file, filter...
	local name=$1 device=$2 file=$WORK/$3
	shift 3
	ip netns exec "$LAB-$name" tcpdump -i "$device" -U -w "$file" "$@" >"$file.log" 2>&1 &
	CAPTURE=$!
	LAB_PIDS+=("$CAPTURE")
	wait_until 10 grep -q "listening on" "$file.log"
}
captured() { tcpdump -nr "$1" 2>/dev/null | wc -l; } # file
marker=mlsh-lab-marker-$RANDOM$RANDOM
must "listening on the router" capture router to-nas wire.pcap
wire=$CAPTURE
must "and inside the tunnel" capture nas mlsh0 inner.pcap
inner=$CAPTURE
on_bg nas received socat -u UDP-RECV:7001,bind=100.64.0.1 -
wait_until 5 listens nas :7001
for _ in $(seq 20); do echo "$marker"; done | on laptop socat -u - UDP:100.64.0.1:7001
on_bg nas received.tcp socat -u TCP-LISTEN:7002,bind=100.64.0.1 -
wait_until 5 listens nas :7002 -t
yes "$marker" 2>/dev/null | head -c 300000 | on laptop socat -u - TCP:100.64.0.1:7002
on laptop ping -n -c 3 -i 0.1 -p 6d6c73682d6d61726b6572 100.64.0.1 >/dev/null
check "the marker arrived" wait_until 5 grep -aq "$marker" "$WORK/nas/received.tcp"
larger() { [ "$(stat -c %s "$1")" -gt "$2" ]; } # file, bytes
check "it was captured on its way" wait_until 5 larger "$WORK/wire.pcap" 300000
stop "$wire"
stop "$inner"
check "inside the tunnel the marker is to be seen" grep -aq "$marker" "$WORK/inner.pcap"
check "on the wire it is not" eval '! grep -aq "$marker" "$WORK/wire.pcap"'
check "nor is the pattern of the ping" eval '! grep -aq mlsh-marker "$WORK/wire.pcap"'
check "nor any overlay address in a header" test -z "$(tcpdump -nr "$WORK/wire.pcap" net 100.64.0.0/10 2>/dev/null)"
# (the gateway says by ICMP that it maps no ports)
check "all of it is UDP between the nodes and the server" test -z \
	"$(tcpdump -nr "$WORK/wire.pcap" 'ip and not (udp and net 10.71.0.0/16) and not (icmp and src 10.71.1.1)' 2>/dev/null)"

# --- garbage at the UDP sockets, while traffic flows ---
cat >"$WORK/garbage.py" <<'PY'
"""garbage.py ADDRESS PORT COUNT: datagrams of all kinds, from a printed seed."""
import os, random, socket, struct, sys, time
seed = int(os.environ.get("MLSH_TEST_SEED", random.randrange(1 << 32)))
print(f"MLSH_TEST_SEED={seed}")
rng = random.Random(seed)
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.connect((sys.argv[1], int(sys.argv[2])))
def long_header(version):
    cid = lambda: rng.randbytes(rng.randrange(21))
    d, s = cid(), cid()
    return (bytes([0xc0 | rng.randrange(64)]) + struct.pack("!I", version) + bytes([len(d)]) + d + bytes([len(s)]) + s)
for i in range(int(sys.argv[3])):
    kind = i % 8
    data = rng.randbytes(rng.randrange(1, 1400))
    if kind == 0: data = b""
    elif kind == 1: data = rng.randbytes(1)
    elif kind == 2: data = bytes([data[0] & 0x3f]) + data[1:]           # a probe or relay frame
    elif kind == 3: data = bytes([0x40 | data[0] & 0x3f]) + data[1:]    # a short header
    elif kind == 4: data = long_header(1) + rng.randbytes(1200)         # an Initial or so
    elif kind == 5: data = long_header(rng.randrange(1 << 32)) + rng.randbytes(1200)
    elif kind == 6: data = long_header(0) + rng.randbytes(40)           # version negotiation
    if i % 40 == 0: time.sleep(0.004)                                   # not a flood that fills the socket
    try: sock.send(data)
    except OSError: pass                                                # ICMP from before
PY
pinging() { # log
	on_bg laptop "$1" ping -n -i 0.02 -c 150 -W 2 100.64.0.1
	PINGING=$BG
	wait_until 5 grep -q icmp_seq=5 "$WORK/laptop/$1"
}
no_loss() {
	wait "$PINGING"
	tail -n 3 "$WORK/laptop/$1"
	grep -q "150 received, 0% packet loss" "$WORK/laptop/$1"
}
rss_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
pinging ping1
on mallory python3 "$WORK/garbage.py" 10.71.9.2 4433 4000
on mallory python3 "$WORK/garbage.py" 10.71.1.2 "$nas_port" 4000
on laptop python3 "$WORK/garbage.py" 100.64.0.1 53 1000
check "9000 datagrams of garbage: no packet of the tunnel is lost" no_loss ping1
check "the server still serves" eval 'on nas mlsh invite homelab --no-qr >/dev/null && connected nas homelab'
check "names still resolve" test "$(on laptop dig +short +tries=1 +time=2 @100.64.0.1 laptop.homelab)" = 100.64.0.2
check "the server does not grow" test "$(rss_kb "$SIGNAL_PID")" -lt 150000
check "the node does not grow" test "$(rss_kb "${DAEMON_PID[nas]}")" -lt 150000
check "the log does not grow" test "$(cat "$WORK"/signal/signal.log "$WORK"/nas/mlshtund.log | wc -c)" -lt 20000
check "a stranger with an invite is served after it" eval 'on mallory mlsh adopt - --name desk <<<"$(invite_url nas homelab)"'

# --- garbage at the local socket, from another user ---
cat >"$WORK/local.py" <<'PY'
"""local.py PATH VERSION: connections that stay, and messages that mean nothing."""
import os, random, socket, sys
seed = int(os.environ.get("MLSH_TEST_SEED", random.randrange(1 << 32)))
print(f"MLSH_TEST_SEED={seed}")
rng = random.Random(seed)
HUGE = b"\x84" + 4 * (b"\x1b" + 8 * b"\xff")
def request(verb, cluster, sizes):
    head = bytes([0x8c, int(sys.argv[2]), verb, 0x60 + len(cluster)]) + cluster
    return head + b"\x50" + bytes(16) + b"\x00\xf4\x60\x00\x00\xf4" + sizes + b"\x40"
kept = []
for i in range(200):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(2)
    try:
        s.connect(sys.argv[1])
        if i % 2: s.send(rng.randbytes(rng.randrange(1, 60000)))
        if i % 5 == 0: socket.send_fds(s, [request(1, b"homelab", HUGE)], [0, 1, 2, 0])
        if i % 7 == 0: s.send(request(3, b"", b"\x80"))
        if i % 11 == 0: s.send(request(1, b"homelab", b"\x84\x01\x01\x01\x01"))
        if i == 14 and b'"clusters":[]' in s.recv(65536): print("understood")
    except OSError:
        pass
    kept.append(s)
print("ready", flush=True)
sys.stdin.read()
PY
mkfifo "$WORK/hold"
setpriv --reuid 1500 --regid 1500 --clear-groups /usr/bin/python3 "$WORK/local.py" "$WORK/nas/run/mlsh/mlshtund.sock" \
	"$(sed -n 's/^#define CONTROL_VERSION //p' src/proto/control.h)" <"$WORK/hold" >"$WORK/local.out" 2>&1 &
user=$!
LAB_PIDS+=("$user")
exec 7>"$WORK/hold"
check "another user fills the local socket" wait_until 20 grep -q ready "$WORK/local.out"
check "with requests that are understood, too" grep -q understood "$WORK/local.out"
check "the owner is still answered" connected nas homelab
exec 7>&-
wait "$user"
check "descriptors are not kept" test "$(find "/proc/${DAEMON_PID[nas]}/fd" -mindepth 1 | wc -l)" -lt 100
check "the tunnel is as it was" pings laptop 100.64.0.1

# --- a user of the group hands over long logs, and does not read its own ---
must "the uploader is built" make -s build/release/lab/upload
cp build/release/lab/upload "$WORK/upload" && chmod 755 "$WORK/upload"
echo "mallet:x:1500:1500::/:/bin/sh" >>"$WORK/nas/passwd"
echo "mlsh:x:4242:mallet" >>"$WORK/nas/group"
socket=$WORK/nas/run/mlsh/mlshtund.sock
mallet() { on_bg nas "$1" setpriv --reuid 1500 --regid 1500 --clear-groups "${@:2}"; } # log, command
ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
mallet upload.other "$WORK/upload" "$socket" long 8000 2 other
must "a user has a cluster with 8000 records" wait_until 300 grep -q handing "$WORK/nas/upload.other"
begin=$(ms)
on_bg laptop rtt ping -n -i 0.05 100.64.0.1
pinging=$BG
check "twice they are found wrong in the end" wait_until 300 eval '[ "$(grep -c "another key" "$WORK/nas/upload.other")" = 2 ]'
took=$(($(ms) - begin))
stop "$pinging" INT
longest=$(sed -n 's|^rtt .* = [^/]*/[^/]*/\([0-9]*\).*|\1|p' "$WORK/laptop/rtt")
echo "# two uploads took $took ms, the longest round trip meanwhile $longest ms"
check "no packet waits for them" test $((8 * ${longest:-999999})) -lt "$took"
# The last one may be under way when ping is ended.
check "and none is lost" awk '/ packets transmitted, / { all = $4 > 0 && $1 - $4 <= 1 } END { exit !all }' "$WORK/laptop/rtt"
mallet upload.own "$WORK/upload" "$socket" long 20000 1 own
must "with the right key it is connected" wait_until 300 grep -q '"ok":true' "$WORK/nas/upload.own"
cat >"$WORK/unread.py" <<'PY'
"""unread.py PATH VERSION: asks for a long log a thousand times on each of ten connections, and reads nothing."""
import socket, sys
kept = []
for _ in range(10):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(sys.argv[1])
    s.setblocking(False)
    request = bytes([0x8c, int(sys.argv[2]), 6, 0x64]) + b"long\x50" + bytes(16) + b"\x00\xf4\x60\x00\x00\xf4\x80\x40"
    try:
        for i in range(1000): s.send(request)
    except BlockingIOError:
        pass
    kept.append(s)
print("asked", i, flush=True)
sys.stdin.read()
PY
mkfifo "$WORK/hold2"
before=$(rss_kb "${DAEMON_PID[nas]}")
setpriv --reuid 1500 --regid 1500 --clear-groups /usr/bin/python3 "$WORK/unread.py" "$socket" \
	"$(sed -n 's/^#define CONTROL_VERSION //p' src/proto/control.h)" <"$WORK/hold2" >"$WORK/unread.out" 2>&1 &
user=$!
LAB_PIDS+=("$user")
exec 7>"$WORK/hold2"
must "it asks for that log and does not read" wait_until 20 grep -q asked "$WORK/unread.out"
check "the owner of another one is answered" eval 'for _ in 1 2 3; do connected nas homelab || return 1; done'
check "the tunnel is as it was" pings laptop 100.64.0.1
echo "# the daemon had $before kB, and has $(rss_kb "${DAEMON_PID[nas]}") kB"
check "what is kept for it is bounded" test "$(rss_kb "${DAEMON_PID[nas]}")" -lt $((before + 90000))
exec 7>&-
wait "$user"
on nas mlsh disconnect long >/dev/null 2>&1

# --- another user listens in the daemon's place, before it or instead of it ---
cat >"$WORK/squat.py" <<'PY'
"""squat.py PATH: listens there, and prints what it gets."""
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
s.listen()
print("ready", flush=True)
while True:
    print("got", len(s.accept()[0].recv(65536)), flush=True)
PY
mkdir -m 1777 "$WORK/common"
setpriv --reuid 1500 --regid 1500 --clear-groups /usr/bin/python3 "$WORK/squat.py" "$WORK/common/sock" >"$WORK/squat.out" 2>&1 &
squatter=$!
LAB_PIDS+=("$squatter")
must "a squatter" wait_until 20 grep -q ready "$WORK/squat.out"
for command in connect status; do
	check_fails "$command: another user's socket is found out" 1 "user 1500 listens" \
		on nas env MLSH_SOCKET="$WORK/common/sock" mlsh $command homelab
done
check "they came, each with nothing" wait_until 5 eval '[ "$(grep -c ^got "$WORK/squat.out")" = 2 ] && ! grep -q "got [1-9]" "$WORK/squat.out"'
kill "$squatter"

# --- a key whose read never ends ---
cat >"$WORK/hang.py" <<'PY'
"""hang.py FOLDER: mounts a file system (FUSE) with one file, key.pem, whose reads are never answered."""
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
dev = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={dev},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
if libc.mount(b"hang", sys.argv[1].encode(), b"fuse", 0, options):
    sys.exit(f"mount: {os.strerror(ctypes.get_errno())}")
LOOKUP, FORGET, GETATTR, OPEN, READ, INIT, INTERRUPT, BATCH_FORGET = 1, 2, 3, 14, 15, 26, 36, 42
def attr(ino):
    mode = 0o40755 if ino == 1 else 0o100600
    return struct.pack("<6Q10I", ino, 119, 1, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)
print("ready", flush=True)
while True:
    request = os.read(dev, 1 << 20)
    _, op, unique, node = struct.unpack_from("<IIQQ", request)
    def reply(body, error=0): os.write(dev, struct.pack("<IiQ", 16 + len(body), -error, unique) + body)
    if op == INIT: reply(struct.pack("<4I2H2I2HI", 7, 31, 65536, 0, 12, 10, 65536, 1, 1, 0, 0) + bytes(28))
    elif op == LOOKUP and request[40:].rstrip(b"\0") == b"key.pem": reply(struct.pack("<4Q2I", 2, 0, 1, 1, 0, 0) + attr(2))
    elif op == LOOKUP: reply(b"", 2)
    elif op == GETATTR: reply(struct.pack("<QII", 1, 0, 0) + attr(node))
    elif op == OPEN: reply(bytes(16))
    elif op == READ: print("read", flush=True)
    elif op not in (FORGET, INTERRUPT, BATCH_FORGET): reply(b"", 38)
PY
if [ -c /dev/fuse ]; then
	cp -rp "$WORK/nas/home" "$WORK/nas/home2"
	rm -r "$WORK/nas/home2/.config/mlsh/identity/homelab"
	mkdir "$WORK/nas/home2/.config/mlsh/identity/homelab"
	on_bg nas hang.out env HOME="$WORK/nas/home2" at="$WORK/nas/home2/.config/mlsh/identity/homelab" sh -c \
		'python3 "$0" "$at" & until [ -e "$at/key.pem" ]; do sleep 0.05; done; exec mlsh connect homelab' "$WORK/hang.py"
	check "a command hangs in its own file" wait_until 10 grep -q read "$WORK/nas/hang.out"
	check "and the daemon does not" connected nas homelab
	check "nor does the tunnel" pings laptop 100.64.0.1
else
	echo "# no /dev/fuse here: a key that hangs is not tried"
fi

# --- packets for nobody stay here ---
must "listening on the router" capture router to-laptop leak.pcap net 100.64.0.0/10
nowhere() { # address
	local begin=$EPOCHREALTIME
	! on laptop ping -n -c 1 -W 3 "$1" && [ $(((${EPOCHREALTIME/./} - ${begin/./}) / 1000)) -lt 1500 ]
}
check "an address that no node has fails at once" nowhere 100.64.0.77
check "a TCP connection to it too" eval '! on laptop timeout 2 socat -u /dev/null TCP:100.64.0.77:22 && [ $? != 124 ]'
stop "${DAEMON_PID[nas]}" KILL
on laptop ping -n -c 5 -i 0.1 -W 1 100.64.0.1 >/dev/null 2>&1
daemon_start nas
check "a node that is away comes back" wait_until 10 pings laptop 100.64.0.1
stop "$CAPTURE"
check "no overlay packet ever left by eth0" test "$(captured "$WORK/leak.pcap")" = 0

# --- a member that lies about who it is ---
ip -n "$LAB-laptop" addr add 100.64.0.99/32 dev lo
must "listening inside the tunnel" capture nas mlsh0 lies.pcap host 100.64.0.99
on laptop ping -n -c 3 -i 0.1 -W 1 -I 100.64.0.99 100.64.0.1 >/dev/null 2>&1
check "the tunnel goes on" pings laptop 100.64.0.1
stop "$CAPTURE"
check "a foreign source address does not arrive" test "$(captured "$WORK/lies.pcap")" = 0
check "and is counted" eval "status_holds laptop homelab 'sum(c[\"drops\"].values()) >= 3' || status_holds nas homelab 'sum(c[\"drops\"].values()) >= 3'"

# --- a classical key exchange ---
must "the test client is built" make -s build/release/lab/dial
dial() { on nas timeout 20 "$PWD/build/release/lab/dial" "$1" "$2" "$3" "$WORK/nas/home/.config/mlsh/identity/homelab"; }
laptop_port=$(on nas mlsh status --json | python3 -c 'import json, sys
print(json.load(sys.stdin)["clusters"][0]["peers"][0]["endpoint"].rsplit(":", 1)[1])')
stop "${DAEMON_PID[nas]}" # so that its place as a peer is free
for to in "signal 10.71.9.2:4433" "peer 10.71.2.2:$laptop_port"; do
	check "${to% *}: a client with X25519MLKEM768 is let in" test "$(dial "${to% *}" X25519MLKEM768 "${to#* }")" = \
		"connected X25519MLKEM768"
	for groups in X25519 P-256 X25519:P-256:P-384; do
		check "${to% *}: one with $groups only is refused" test "$(dial "${to% *}" $groups "${to#* }")" = "refused: TLS alert 40"
	done
done
exit $LAB_FAILED
