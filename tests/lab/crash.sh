#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What goes wrong on the machines themselves: kill -9 at random moments, full disks, damaged files, wrong configuration.
# The random moments come from MLSH_TEST_SEED, which is printed.
#
#     signal 10.71.9.2, nas .1.2, laptop .2.2 and a machine n1, n2, ... for each joiner, one router
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root crash
trap lab_down EXIT
lab_up
for m in signal:9 nas:1 laptop:2; do machine "${m%:*}" "${m#*:}"; done
server=${MACHINE_IP[signal]}
RANDOM=${MLSH_TEST_SEED:=$RANDOM}
echo "MLSH_TEST_SEED=$MLSH_TEST_SEED"

# --- wrong configuration: said before anything is bound ---
conf=$WORK/signal/config.toml
serve_with() { # environment...
	on signal env MLSH_SIGNAL_DB="$WORK/signal/none.db" MLSH_SIGNAL_CONFIG="$conf" "$@" timeout 5 mlsh-signal
}
printf 'db = "/nowhere"\n\n[quic]\nbnid = "[::]:4433"\n' >"$conf"
check_fails "an unknown key" 2 "config\.toml:4.*bnid" serve_with
printf 'log = "info"\noverlay_subnet = "100.64.0.0/99"\n' >"$conf"
check_fails "a bad subnet" 2 "config\.toml:2.*overlay_subnet" serve_with
printf '[quic]\nbind = "everywhere"\n' >"$conf"
check_fails "a bad address" 2 "config\.toml:2.*quic\.bind" serve_with
printf '[quic]\ncert_path = "/nowhere/cert.pem"\nkey_path = "/nowhere/key.pem"\n' >"$conf"
check_fails "a certificate that is not there" 2 "config\.toml:2.*cert_path.*/nowhere/cert\.pem" serve_with
printf 'log = "info\n' >"$conf"
check_fails "a file that is no TOML" 2 "config\.toml:1" serve_with
rm "$conf"
check_fails "a file that was asked for and is not there" 2 "config\.toml" serve_with
printf 'log = "info"\n' >"$conf"
check_fails "a bad subnet in the environment" 2 "MLSH_OVERLAY_SUBNET" serve_with MLSH_OVERLAY_SUBNET=8.8.8.0/24
check_fails "a folder that cannot be" 1 "config\.toml/x" serve_with MLSH_SIGNAL_DB="$conf/x/signal.db"
head -c 8192 /dev/urandom >"$WORK/signal/damaged.db"
check_fails "a file that is not a database" 1 "damaged\.db" serve_with MLSH_SIGNAL_DB="$WORK/signal/damaged.db"
check "nothing was made by all that" test ! -e "$WORK/signal/none.db"

# --- full disks ---
must "a small disk" small_disk "$WORK/signal/small" 400
start_on_small() {
	on_bg signal signal.log env MLSH_SIGNAL_DB="$WORK/signal/small/signal.db" mlsh-signal
	SIGNAL_PID=$BG
	wait_until 10 signal_ready
}
must "server on it" start_on_small
token=$(token_of)
fill "$WORK/signal/small"
setup() { on "$1" mlsh setup "$2" --signal-host "$server" --token "$token" --name "$1"; }
setup_kept() { setup nas homelab >"$WORK/nas/setup.out"; }
check_fails "the server's disk is full: setup is refused in words" 1 "could not|disk|full|database" setup_kept
code=$(grep -oE '[0-9A-Z]{4}(-[0-9A-Z]{4}){6}' "$WORK/nas/setup.out")
check "the recovery code was printed before, and is on no disk" eval 'test -n "$code" && ! grep -raqF -e "$code" "$WORK/nas/home"'
check "the server lives on" kill -0 "$SIGNAL_PID"
rm "$WORK/signal/small/ballast"
check "with room again the same setup succeeds" setup_kept
check "and says that the code is the one printed then" eval 'joined <"$WORK/nas/setup.out" | has "one that was printed then" &&
	! has -E "([0-9A-Z]{4}-){6}" <"$WORK/nas/setup.out"'
check_fails "it is: recover knows it, and asks for --yes" 2 "add --yes" on nas mlsh recover homelab <<<"$code"
must "server stops" eval 'stop "$SIGNAL_PID"'
mkdir -p "$WORK/signal/kept" && cp -p "$WORK"/signal/small/signal.db* "$WORK/signal/kept/"
server_start() {
	on_bg signal signal.log env MLSH_SIGNAL_DB="$WORK/signal/kept/signal.db" mlsh-signal
	SIGNAL_PID=$BG
	wait_until 10 signal_ready
}
must "server elsewhere, with the copied database" server_start
must "a daemon" daemon_start nas
must "connected" on nas mlsh connect homelab
must "a node with a small disk" small_disk "$WORK/laptop/home/.config" 64
url=$(invite_url nas homelab)
fill "$WORK/laptop/home/.config"
adopt() { on "$1" mlsh adopt - --name "$1" <<<"$2"; }
check_fails "a node's disk is full: adopt says so" 1 "space|full" adopt laptop "$url"
rm "$WORK/laptop/home/.config/ballast"
check "nothing but empty folders is left" test -z "$(find "$WORK/laptop/home/.config" -type f)"
check "with room again the same invite is good" adopt laptop "$url"

# --- the server is killed at random moments while nodes join ---
members() { on nas mlsh nodes homelab --json; }
joiners=8
for i in $(seq $joiners); do machine "n$i" $((100 + i)); done
completed=0 lost=0
for i in $(seq $joiners); do
	url=$(invite_url nas homelab)
	on_exec "n$i" mlsh adopt - --name "n$i" <<<"$url" >"$WORK/n$i/adopt.log" 2>&1 &
	joining=$!
	LAB_PIDS+=("$joining")
	# a random moment of the exchange, which takes some 20 ms
	sleep "0.0$((RANDOM % 60 + 10))"
	[ $((i % 2)) = 0 ] && stop "$SIGNAL_PID" KILL || stop "$joining" KILL
	[ $((i % 2)) = 0 ] && server_start
	wait "$joining" 2>/dev/null && completed=$((completed + 1))
	# Killed after the cluster file was written and before the request was forgotten, it has both.
	if [ ! -e "$WORK/n$i/home/.config/mlsh/clusters/homelab.toml" ] ||
		[ -n "$(find "$WORK/n$i/home" -name '*.pending')" ]; then
		adopt "n$i" "$url" >>"$WORK/n$i/adopt.log" 2>&1 || lost=$((lost + 1))
	fi
done
check "server or joiner killed, the same command again completes: $joiners times" test $lost = 0
for i in $(seq $joiners); do [ -e "$WORK/n$i/home/.config/mlsh/clusters/homelab.toml" ] || tail -n 3 "$WORK/n$i/adopt.log"; done
all_there() { members | json_holds "sorted(n['name'] for n in d['nodes']) == sorted(['nas', 'laptop'] + ['n%d' % i for i in range(1, $joiners + 1)])"; }
check "each is a member, once" wait_until 15 all_there
check "no address was given twice or out of order" eval 'members | json_holds "(lambda a: a == sorted(set(a)))(
	[tuple(map(int, n[\"address\"].split(\".\"))) for n in d[\"nodes\"]])"'
check "nobody has left anything pending" test -z "$(find "$WORK"/n*/home -name '*.pending')"
check "the last one connects and reaches the first" eval 'node_up n8 homelab && wait_until 10 pings n8 100.64.0.1'

# --- the server is killed again and again ---
for _ in 1 2 3 4 5 6; do
	stop "$SIGNAL_PID" KILL
	server_start
	sleep "0.$((RANDOM % 30))"
done
check "killed six times: the database is whole" eval 'stop "$SIGNAL_PID"; server_start'
since() { status_holds "$1" homelab "c['state'] == 'connected'"; }
check "the nodes are connected" eval 'wait_until 15 since nas && wait_until 15 since n8'
check "all are still there" all_there

# --- a backup, and what came after it ---
database=$WORK/signal/kept/signal.db
operator() { on signal env MLSH_SIGNAL_DB="$database" mlsh-signal "$@"; }
for m in n9:109 n10:110; do machine "${m%:*}" "${m#*:}"; done
check "a backup while it runs" operator backup "$WORK/signal/kept.db"
late=$(invite_url nas homelab)
later=$(invite_url nas homelab)
check "it is verified" eval 'operator restore --check "$WORK/signal/kept.db" | has -E "^homelab +[0-9a-f]{8} +10 "'
check "as documented" eval 'operator restore --check --json "$WORK/signal/kept.db" | tests/lab/json_documented signal-restore'
check "a node joins after it" adopt n9 "$late"
check_fails "a running server keeps its database" 1 "mlsh-signal runs on it, .*Stop it first" operator restore "$WORK/signal/kept.db"
stop "${DAEMON_PID[nas]}"
stop "$SIGNAL_PID"
cp "$WORK/signal/kept.db" "$WORK/signal/cut.db" && truncate -s -5000 "$WORK/signal/cut.db"
check_fails "a damaged backup is not put in place" 1 "damaged|malformed" operator restore "$WORK/signal/cut.db"
cp "$WORK/signal/kept.db" "$WORK/signal/forged.db"
python3 - "$WORK/signal/forged.db" <<-'E'
	import sqlite3, sys
	d = sqlite3.connect(sys.argv[1])
	forged = bytearray(d.execute("SELECT bytes FROM record WHERE seq = 1").fetchone()[0])
	forged[-70] ^= 1  # before the receipt: in the entry's last signature
	d.execute("UPDATE record SET bytes = ? WHERE seq = 1", (bytes(forged),))
	d.commit()
E
check_fails "nor one with a forged log, which is named" 1 "the log of cluster homelab cannot be read: .*(signature|follow)" operator restore "$WORK/signal/forged.db"
check "nor is anything else changed" eval 'operator nodes homelab | has n9'
check "a backup of the stopped server" eval 'operator backup --force "$WORK/signal/kept.db" && server_start'
check "another node joins" adopt n10 "$later"
stop "$SIGNAL_PID"
check "the backup is put in place" eval 'operator restore "$WORK/signal/kept.db" >"$WORK/signal/restore.out" 2>&1'
check "in 80 columns" fits <"$WORK/signal/restore.out"
check "the database before is kept" eval 'operator restore --check "$(ls "$database".before-restore-*)" | has -E "^homelab .* 12 "'
server_start
check "the operator sees that the cluster waits" eval 'operator clusters | joined | has "homelab .* restored from a backup: nobody can join"'
machine n11 111
url=$(invite_url nas homelab)
check_fails "who joins is told why not, and what to do" 1 "restored from a backup .*mlsh connect. on an admin" adopt n11 "$url"
online() { operator nodes homelab --json | json_holds "any(n['name'] == 'nas' and n['online'] for n in d['nodes'])"; }
check "an admin connects" eval 'daemon_start nas && wait_until 15 online'
no_wait() { operator clusters --json | json_holds "not d['clusters'][0]['waiting']"; }
check "and the wait is over, ten seconds later at most" wait_until 10 no_wait
check "what came after the backup is back, with the node itself" eval 'node_up n10 homelab && operator nodes homelab | has n10'
check "and nodes join again" adopt n11 "$url"

# --- the daemon is killed at random moments ---
before=$(traces_of n8)
for _ in 1 2 3 4 5; do
	stop "${DAEMON_PID[n8]}" KILL
	on_exec n8 mlshtund >>"$WORK/n8/mlshtund.log" 2>&1 </dev/null &
	DAEMON_PID[n8]=$!
	LAB_PIDS+=("$!")
	sleep "0.0$((RANDOM % 90))"
done
stop "${DAEMON_PID[n8]}" KILL
must "daemon killed six times: it starts" daemon_start n8
check "the cluster comes back" wait_until 15 pings n8 100.64.0.1
check "nothing is doubled" test "$(traces_of n8)" = "$before"

# --- damaged files ---
state=$WORK/n8/state/mlsh
damage() { # file: cut in the middle
	truncate -s $(($(stat -c %s "$1") / 2)) "$1"
}
restart() { stop "${DAEMON_PID[n8]}" && daemon_start n8; }
damage "$state/homelab.state"
check "a damaged state file: the daemon starts" restart
check "and says which one" grep -q "homelab\.state is damaged" "$WORK/n8/mlshtund.log"
check "connect renews it" on n8 mlsh connect homelab
damage "$state/homelab.node"
check "a damaged copy of the cluster: the daemon starts" restart
check "and says which file" grep -qE "not restored.*homelab\.node is damaged" "$WORK/n8/mlshtund.log"
check "connect renews it, too" on n8 mlsh connect homelab
damage "$state/homelab/clusters/homelab.log"
check "a damaged log: the daemon starts" restart
check "and says so" grep -qE "not restored.*log" "$WORK/n8/mlshtund.log"
check "status shows why it is stopped" status_holds n8 homelab "c['state'] == 'stopped' and 'log' in c['error']"
check "connect renews that" on n8 mlsh connect homelab
check "and it reaches the others" wait_until 10 pings n8 100.64.0.1
config=$WORK/n8/home/.config/mlsh
cp -p "$config/clusters/homelab.toml" "$WORK/n8/good.toml"
sed -i 's/^address = .*/address = "here"/' "$config/clusters/homelab.toml"
line=$(grep -n '^address' "$config/clusters/homelab.toml" | cut -d: -f1)
check_fails "a damaged cluster file: line and key are named, and what to do" 1 ":$line:.*address.*Correct the file" \
	on n8 mlsh connect homelab
check "the tunnel goes on" pings n8 100.64.0.1
check "mlshtund starts again from its own copy" eval 'restart && wait_until 15 pings n8 100.64.0.1'
on n8 mlsh disconnect homelab >/dev/null
check_fails "without a tunnel it is the same" 1 ":$line:.*address" on n8 mlsh connect homelab
echo 'colour = "red"' >>"$config/clusters/homelab.toml"
cp -p "$WORK/n8/good.toml" "$config/clusters/homelab.toml"
chmod 644 "$config/identity/homelab/key.pem"
check_fails "a key that others can read is refused, with the remedy" 1 "chmod" on n8 mlsh invite homelab
chmod 600 "$config/identity/homelab/key.pem"
mv "$config/identity/homelab/key.pem" "$WORK/n8/key.pem"
check_fails "a lost key is named" 1 "key\.pem" on n8 mlsh connect homelab
ln -s "$WORK/n8/key.pem" "$config/identity/homelab/key.pem"
check_fails "a link in its place is not followed" 1 "key\.pem" on n8 mlsh connect homelab
rm "$config/identity/homelab/key.pem"
mv "$WORK/n8/key.pem" "$config/identity/homelab/key.pem"
check "with the key it connects" on n8 mlsh connect homelab
exit $LAB_FAILED
