#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The whole life of a cluster with the real programs: first start, setup, invite, adopt, connect, traffic, names, the
# server and the daemon killed, disconnect, foreground.
#
#     signal 10.71.9.2, nas .1.2, laptop .2.2, desk .3.2, other (a second server) .8.2, one router
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root lifecycle
trap lab_down EXIT
lab_up
for m in signal:9 other:8 nas:1 laptop:2 desk:3; do machine "${m%:*}" "${m#*:}"; done
sed -i '/^mlshtund:/d' "$WORK/desk/passwd" # an installation from before, until further below
server=${MACHINE_IP[signal]}
config_of() { echo "$WORK/$1/home/.config/mlsh"; }
nothing_left() { [ ! -e "$WORK/$1/home/.config/mlsh" ]; }
mode_is() { [ "$(stat -c %a "$1")" = "$2" ]; } # file, mode
# What was printed by a command goes to a file that nobody else reads.
setup() { # machine, cluster, token, extra arguments
	local name=$1 cluster=$2 token=$3
	shift 3
	on "$name" mlsh setup "$cluster" --signal-host "$server" --token "$token" "$@"
}
adopt() { # machine, URL, extra arguments
	local name=$1 url=$2
	shift 2
	on "$name" mlsh adopt - "$@" <<<"$url"
}

# --- the server's first start ---
signal_start
token=$(new_token)
must "first start prints a setup token" test -n "$token"
check "the database is the owner's only" mode_is "$WORK/signal/signal.db" 600
check "the code itself is not in the database" \
	sh -c "! grep -aq '${token%@*}' '$WORK'/signal/signal.db*"
fingerprint=${token#*@}
code=${token%@*}

# --- setup: refusals, each of which leaves nothing behind ---
wrong=$(tr 0-9a-f 1-9a-f0 <<<"$fingerprint")
check_fails "wrong fingerprint is refused" 1 "fingerprint|certificate" setup nas homelab "$code@$wrong"
check "and leaves nothing behind" nothing_left nas
check_fails "unknown code is refused" 1 "refused" setup nas homelab "AAAA-BBBB-CCCC@$fingerprint"
check "and leaves nothing behind" nothing_left nas
check_fails "garbled token is refused" 1 "token" setup nas homelab "hello"
for bad in ../x Homelab home.lab lab- "home
lab" "$(printf 'x%.0s' {1..64})" localhost local ""; do
	printf -v shown '%q' "${bad:0:20}"
	check_fails "cluster name $shown is refused" 1 "cannot be used|special|keeps|gives|always|never" \
		setup nas "$bad" "$token"
	check_fails "node name $shown is refused" 1 "cannot be used" setup nas homelab "$token" --name \
		"$([ "${bad#local}" = "$bad" ] && echo "$bad" || echo "_$bad")"
done
check_fails "a public top-level domain needs --force" 1 "force" setup nas dev "$token"
echo "search desk.bureau" >>"$WORK/nas/resolv.conf"
check_fails "so does the machine's own search domain" 1 "search domain desk.bureau .*--force" setup nas bureau "$token"
printf '# no resolver yet\n' >"$WORK/nas/resolv.conf"
check_fails "a subnet of others' addresses is refused" 1 "subnet|range|10\\." setup nas homelab "$token" --subnet 8.8.0.0/16
check_fails "a wrong command line is told apart" 2 "token" on nas mlsh setup homelab --signal-host "$server"
check "all of that left nothing behind" nothing_left nas

# --- setup ---
must "setup, the token on standard input" eval 'setup nas homelab - --name nas --json <<<"$token" >"$WORK/nas/setup.json"'
check "setup prints the recovery code first" eval 'head -n 1 "$WORK/nas/setup.json" | json_holds "len(d[\"recovery_code\"]) == 34" &&
	head -n 1 "$WORK/nas/setup.json" | tests/lab/json_documented recover-code'
check "then the name and the first address" eval 'tail -n 1 "$WORK/nas/setup.json" | json_holds \
	"d[\"cluster\"] == \"homelab\" and d[\"name\"] == \"nas\" and d[\"address\"] == \"100.64.0.1\"" &&
	tail -n 1 "$WORK/nas/setup.json" | tests/lab/json_documented setup'
config=$(config_of nas)
check "the cluster file is the owner's only" mode_is "$config/clusters/homelab.toml" 600
check "the folders are the owner's only" sh -c "[ \"\$(stat -c %a '$config' '$config/clusters' '$config/identity' '$config/identity/homelab' | sort -u)\" = 700 ]"
check "key and certificate are the owner's only" sh -c "[ \"\$(stat -c %a '$config'/identity/homelab/* | sort -u)\" = 600 ]"
check "nothing is pending" sh -c "! ls '$config'/clusters/*.pending 2>/dev/null"
check_fails "the same cluster again is refused on this machine" 1 "homelab" setup nas homelab "$token"
check_fails "a used token is refused" 1 "used|burned" setup desk other "$token"
check "and leaves nothing behind" nothing_left desk
second=$(new_token)
check "the running server makes another token" test -n "$second" -a "$second" != "$token"
check "with the same fingerprint" test "${second#*@}" = "$fingerprint"

# --- without a daemon ---
check_fails "connect without a daemon says how to start one" 4 "mlshtund" on nas mlsh connect homelab
check_fails "status without a daemon too" 4 "mlshtund" on nas mlsh status
check_fails "connect to an unknown cluster says so" 1 "no cluster|setup" on nas mlsh connect nosuch
on nas mlsh nodes homelab --json >"$WORK/nas/nodes.json"
check "nodes come from the log then" json_holds "[(n['name'], n['online'], n['path'], n['self']) for n in d['nodes']] ==
	[('nas', None, None, True)]" <"$WORK/nas/nodes.json"
check "as documented" tests/lab/json_documented nodes <"$WORK/nas/nodes.json"
check_fails "and that it is not connected is said" 0 "log: homelab is not connected" on nas mlsh nodes homelab
check_fails "but not when it is not known" 0 "log: mlshtund cannot be asked: .*passwd is not a socket" \
	on nas env MLSH_SOCKET=/etc/passwd mlsh nodes homelab

# --- invite ---
must "daemon starts" daemon_start nas
check "its socket's folder is there" test -S "$WORK/nas/run/mlsh/mlshtund.sock"
for c in "ping laptop" "why laptop" netcheck; do
	check_fails "$c before that says which command connects" 1 "homelab is not connected; run: mlsh connect homelab" \
		eval "on nas mlsh $c"
done
check "status too" eval 'on nas mlsh status | joined | has "homelab is not connected; run: mlsh connect homelab"'
check "a machine without any cluster says so" eval 'on nas env HOME="$WORK/nas/nobody" mlsh status | joined |
	has "No cluster is connected, and .* has none; .mlsh setup. makes one"'
must "connect waits for the session" on nas mlsh connect homelab
# What an intruder in the running daemon reaches.
reaches() { # what the kernel says, path, way
	[ "$(build/release/lab/reach "${DAEMON_PID[nas]}" "$2" "$3")" = "$1" ]
}
if has 'Landlock [0-9]' "$WORK/nas/mlshtund.log"; then
	check "the daemon reaches its state" reaches open /var/lib/mlsh/new create
	rm -f "$WORK/nas/state/mlsh/new"
	check "but makes no file of root's" reaches EACCES /etc/new create
	check "changes none" reaches EACCES /etc/passwd write
	check "and reads none in root's home" reaches EACCES /root read
fi
check "it runs as its own user, with two capabilities" is_daemon_user "${DAEMON_PID[nas]}"
check "says so" grep -q "started by root, and going on as the user mlshtund ($DAEMON_UID)" "$WORK/nas/mlshtund.log"
check "and its state is that user's" state_is_of nas "$DAEMON_UID"
check "what only root reads in /etc, it does not" reaches EACCES /etc/shadow read
rm "$WORK/nas/run/mlsh/mlshtund.sock"
check "a socket that was removed is there again soon" wait_until 10 on nas mlsh status
rm -r "$WORK/nas/run/mlsh"
check "a folder is not, and the log says so" wait_until 10 grep -q "socket .* was removed, and no command .*/run/mlsh: Permission denied" \
	"$WORK/nas/mlshtund.log"
install -d -o "$DAEMON_UID" "$WORK/nas/run/mlsh" # as systemd makes it
check "as soon as that is, the socket is" wait_until 10 on nas mlsh status
: >"$WORK/roots"
check "it opens none of root's files to others, or as setuid" reaches ENOSYS "$WORK/roots" mode
url=$(invite_url nas homelab)
check "an invite's envelope begins eyJ" grep -qE '^mlsh://10\.71\.9\.2/adopt/eyJ[A-Za-z0-9_-]+$' <<<"$url"
ttl_said() { on nas mlsh invite homelab --ttl "$1" | has "within $2, paste it into:"; }
check "how long it is good for, in words" eval 'ttl_said 10 "10 seconds" && ttl_said 2592000 "30 days" && ttl_said 3600 "1 hour" && ttl_said 30m "30 minutes" && ttl_said 7d "7 days"'
check "the URL is printed once" eval '[ "$(on nas mlsh invite homelab | grep -c mlsh://)" = 1 ]'
check "on a terminal there is a QR code" eval 'on nas script -qec "mlsh invite homelab" /dev/null | has "█"'
check "none where its characters cannot be shown" eval 'on nas env LC_ALL=C script -qec "mlsh invite homelab" /dev/null |
	has "no QR code: the locale is not UTF-8"'
check "--no-qr leaves it out" eval '! on nas script -qec "mlsh invite homelab --no-qr" /dev/null | has "█"'
on nas mlsh invite homelab --json >"$WORK/nas/invite.json"
check "its JSON is as documented" tests/lab/json_documented invite <"$WORK/nas/invite.json"
check "invite --json" json_holds "d['role'] == 'node' and d['name'] is None and d['url'].startswith('mlsh://10.71.9.2/adopt/eyJ')" <"$WORK/nas/invite.json"

# Changes a URL's envelope: the expression sees e (a dict) and changes it.
tamper() { # URL, statement
	python3 -c 'import base64, json, sys
head, body = sys.argv[1].rsplit("/", 1)
e = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
def flip(s, at):
    b = bytearray(base64.urlsafe_b64decode(s + "=" * (-len(s) % 4)))
    b[at] ^= 1
    return base64.urlsafe_b64encode(bytes(b)).decode().rstrip("=")
exec(sys.argv[2])
print(head + "/" + base64.urlsafe_b64encode(json.dumps(e, separators=(",", ":")).encode()).decode().rstrip("="))' "$1" "$2"
}
check "taking an envelope apart changes nothing" test "$(tamper "$url" pass)" = "$url"
altered="tamper|altered|changed|damaged|does not fit|not valid|invalid|incomplete"
check_fails "an invite with another signature is refused" 1 "$altered" adopt laptop "$(tamper "$url" 'e["sig"] = flip(e["sig"], 3)')"
check_fails "an invite with another content is refused" 1 "$altered|refused" adopt laptop "$(tamper "$url" 'e["invite"] = flip(e["invite"], 60)')"
check_fails "an invite with another key is refused" 1 "$altered" adopt laptop "$(tamper "$url" 'e["key"] = flip(e["key"], 3)')"
check_fails "an invite with another pin is refused" 1 "$altered|fingerprint" adopt laptop \
	"$(tamper "$url" 'e["signal"] = e["signal"][::-1]')"
check_fails "half an invite is refused" 1 "cut off" adopt laptop "${url:0:200}"
on nas mlsh invite homelab --json --ttl 1 >"$WORK/nas/short.json"
run_out() { json_holds "__import__('time').time() > d['expires'] + 1" <"$WORK/nas/short.json"; }
wait_until 10 run_out
check_fails "an expired invite is refused" 1 "expired|ran out" \
	adopt laptop "$(grep -oE 'mlsh://[^"]+' "$WORK/nas/short.json")"
on_bg other signal.log env MLSH_SIGNAL_DB="$WORK/other/signal.db" mlsh-signal
wait_until 10 listens other :4433
check_fails "an invite led to another server is refused by its certificate" 1 "fingerprint|certificate" \
	adopt laptop "${url/10.71.9.2/10.71.8.2}"
check_fails "a bad node name is refused" 1 "cannot be used" adopt laptop "$url" --name Lap_Top
check "all of that left nothing behind" nothing_left laptop

# --- adopt ---
must "adopt, the URL on standard input, blanks around it" adopt laptop "	 $url  " --name laptop
check_fails "an invite works once" 1 "used" adopt desk "$url" --name desk
check_fails "a name that is taken is refused" 1 "taken|name" adopt desk "$(invite_url nas homelab)" --name laptop
check "and leaves nothing behind" nothing_left desk
must "daemon starts on the laptop" daemon_start laptop
begin=$EPOCHREALTIME
must "connect on the laptop" eval 'on laptop mlsh connect homelab --json >"$WORK/laptop/connect.json"'
check "its JSON is as documented" tests/lab/json_documented connect <"$WORK/laptop/connect.json"
check "connect, connected: without waiting" eval 'on laptop mlsh connect homelab --wait 0 | has "^Connected to homelab" &&
	on laptop mlsh connect homelab --no-wait | has "^Connected to homelab"'
check "ping laptop to nas within 5 s" wait_until 5 pings laptop 100.64.0.1
check "ping nas to laptop within 5 s" wait_until 5 pings nas 100.64.0.2
check "both within 5 s of connect" test $(((${EPOCHREALTIME/./} - ${begin/./}) / 1000000)) -lt 5
check "a third node, by a URL that a mail has broken into lines" eval \
	'invite_url nas homelab | fold -w 72 | on desk mlsh adopt - --name desk'
check "comes up" node_up desk homelab
check "and reaches the second" wait_until 5 pings desk 100.64.0.2
on desk mlsh nodes homelab --json >"$WORK/desk/nodes.json"
check "addresses are given in order" json_holds "[(n['name'], n['address']) for n in d['nodes']] ==
	[('nas', '100.64.0.1'), ('laptop', '100.64.0.2'), ('desk', '100.64.0.3')]" <"$WORK/desk/nodes.json"
check "roles and sponsors" json_holds "[(n['role'], n['sponsor']) for n in d['nodes']] ==
	[('admin', None), ('node', 'nas'), ('node', 'nas')]" <"$WORK/desk/nodes.json"

# --- what is printed for machines is what is documented ---
check "nodes --json is as documented" tests/lab/json_documented nodes <"$WORK/desk/nodes.json"
check "every tunnel is up" wait_until 10 peer_up laptop homelab desk
on laptop mlsh status --json >"$WORK/laptop/status.json"
check "status --json is as documented" tests/lab/json_documented status <"$WORK/laptop/status.json"
check "status shows the key exchange" json_holds "all(p['key_exchange'] == 'X25519MLKEM768' for c in d['clusters']
	for p in c['peers']) and d['clusters'][0]['signal']['key_exchange'] == 'X25519MLKEM768'" <"$WORK/laptop/status.json"
check "in lines of 80 columns" eval 'on laptop mlsh status | fits && on laptop mlsh netcheck | fits'
check "status for people" eval 'on laptop mlsh status | has -E "nas +100.64.0.1 +direct +10.71.1.2:[0-9]+ "'
check "the server tells where it sees us" status_holds laptop homelab "c['signal']['observed'].startswith('10.71.2.2:')"

# --- TCP ---
transfer() { # from, to, the receiver's address
	local receiver
	head -c 20000000 /dev/urandom >"$WORK/$1/sent"
	rm -f "$WORK/$2/received"
	on_bg "$2" socat.log socat -u "TCP-LISTEN:7000,bind=$3,reuseaddr" "OPEN:$WORK/$2/received,creat"
	receiver=$BG
	wait_until 5 listens "$2" :7000 -t &&
		on "$1" timeout 30 socat -u "OPEN:$WORK/$1/sent" "TCP:$3:7000,connect-timeout=5" &&
		wait "$receiver" && cmp "$WORK/$1/sent" "$WORK/$2/received"
}
check "20 MB over TCP, laptop to nas" transfer laptop nas 100.64.0.1
check "20 MB over TCP, nas to laptop" transfer nas laptop 100.64.0.2

check "packets of the full 1400 bytes, both ways" eval 'on laptop ping -n -c 5 -i 0.1 -W 1 -M do -s 1372 100.64.0.1 &&
	on nas ping -n -c 5 -i 0.1 -W 1 -M do -s 1372 100.64.0.2'
check "bigger ones are told so at once" eval '! on laptop ping -n -c 1 -W 1 -M do -s 1373 100.64.0.1'

# --- names, over the wire ---
dig_on() { on laptop dig +tries=1 +time=2 @100.64.0.2 "$@"; }
check "A with AA and TTL 1" eval 'dig_on nas.homelab A | has -E "flags: qr aa rd;" &&
	dig_on nas.homelab A +noall +answer | has -E "^nas\.homelab\.[[:space:]]+1[[:space:]]+IN[[:space:]]+A[[:space:]]+100\.64\.0\.1$"'
check "AAAA of a known name is NOERROR without data" eval 'dig_on nas.homelab AAAA | has "status: NOERROR.*" &&
	[ -z "$(dig_on nas.homelab AAAA +short)" ] && dig_on nas.homelab AAAA +noall +authority | has SOA'
check "an unknown name is NXDOMAIN" eval 'dig_on tv.homelab | has "status: NXDOMAIN"'
check "the bare cluster name is this node" test "$(dig_on +short homelab)" = 100.64.0.2
check "case does not matter" test "$(dig_on +short NaS.HOMElab)" = 100.64.0.1
check "PTR" test "$(dig_on +short -x 100.64.0.3)" = desk.homelab.
check "PTR of an unused address is NXDOMAIN" eval 'dig_on -x 100.64.0.200 | has "status: NXDOMAIN"'
check "other zones are refused" eval 'dig_on example.org | has "status: REFUSED"'
check "garbage to the DNS port is survived" eval 'for i in 1 2 3 4 5 6 7 8; do
	on laptop socat -u "EXEC:head -c $((i * 9)) /dev/urandom" UDP:100.64.0.2:53; done; [ "$(dig_on +short nas.homelab)" = 100.64.0.1 ]'

# --- who may command ---
as_user() { # machine, uid, command...
	local m=$1 uid=$2
	shift 2
	on "$m" setpriv --reuid "$uid" --regid "$uid" --clear-groups env HOME="$WORK/$m/user$uid" "$@"
}
for uid in 1500 1501; do
	install -d -o $uid -g $uid -m 700 "$WORK/desk/user$uid"
	echo "user$uid:x:$uid:$uid::$WORK/desk/user$uid:/bin/sh" >>"$WORK/desk/passwd"
done
echo "mlsh:x:4242:user1501" >>"$WORK/desk/group"
check_fails "another user may not disconnect it" 1 "no cluster homelab here" as_user desk 1500 mlsh disconnect homelab
check_fails "nor see its status" 1 "no cluster homelab here, and no other" as_user desk 1500 mlsh status homelab
check "which tells them whose they would see" eval 'as_user desk 1500 mlsh status | joined |
	has "No cluster of yours is connected.*If you used sudo.*the group mlsh sees"'
check "their list of clusters is empty" json_holds "d['clusters'] == []" <<<"$(as_user desk 1500 mlsh status --json)"
check "a user makes a cluster of their own" as_user desk 1500 mlsh setup garage --signal-host "$server" --token "$second" --name desk
check_fails "root's is pointed to" 1 "no cluster homelab .*If homelab was made with sudo, it is root's" \
	as_user desk 1500 mlsh invite homelab
by_sudo() { on desk env SUDO_UID=1500 SUDO_USER=user1500 "$@"; }
for c in "invite garage" "connect garage" "nodes garage" "status garage"; do
	check_fails "with sudo, $c says whose it is" 1 "no cluster garage .*user1500 has a cluster garage: run this without sudo" \
		eval "by_sudo mlsh $c"
done
check_fails "a misspelled one is guessed" 1 "no cluster garge .*did you mean garage" as_user desk 1500 mlsh invite garge
check_fails "but may not bring it up for the first time" 1 "group mlsh|root" as_user desk 1500 mlsh connect garage
check "nothing of it was kept" sh -c "! ls '$WORK'/desk/state/mlsh/garage* 2>/dev/null"
check "a user of the group makes one" as_user desk 1501 mlsh setup atelier --signal-host "$server" --token "$(new_token)" --name desk
check "and may bring it up" as_user desk 1501 mlsh connect atelier
check_fails "another may not take it down" 1 "no cluster atelier here; there is garage" as_user desk 1500 mlsh disconnect atelier
without=$(sed '/^mlsh:/d' "$WORK/desk/group") && echo "$without" >"$WORK/desk/group" # in place: it is mounted
check "its owner may take it down, in the group or not" as_user desk 1501 mlsh disconnect atelier
check "and up again" as_user desk 1501 mlsh connect atelier
sed -i "s|^root:.*|root:x:0:0::$WORK/desk/home:/bin/sh|" "$WORK/desk/passwd"
check_fails "sudo that keeps HOME makes no files of root's there, and says so" 0 "would be in another user's folder" \
	by_sudo env HOME="$WORK/desk/user1501" mlsh setup loft --signal-host "$server" --token "$(new_token)" --name desk
check "they are in root's own" eval 'test -e "$WORK/desk/home/.config/mlsh/clusters/loft.toml" &&
	[ -z "$(find "$WORK/desk/user1501" -uid 0)" ]'
install -d -m 700 "$WORK/desk/user1500/root's/mlsh"
check_fails "files of root's in one's home: what to type" 1 "belongs to root: .*sudo chown -R 1500 .*/mlsh" \
	as_user desk 1500 env XDG_CONFIG_HOME="$WORK/desk/user1500/root's" mlsh adopt "$(invite_url nas homelab)" --name desk2
check "root has a node of its own in it" eval 'as_user desk 1501 mlsh invite atelier --no-qr --role admin | grep -oE "mlsh://[^ ]+" |
	on desk mlsh adopt - --name roots'
check "which is meant to be an admin" eval 'on desk mlsh nodes atelier | has -E "^roots .* node \(to be admin\) "'
check_fails "root's connect does not pass for the other's" 1 "as its node desk, by the user with id 1501" on desk mlsh connect atelier
check "root may too" on desk mlsh disconnect atelier
echo "mlsh:x:4242:" >>"$WORK/desk/group"
check_fails "what is stopped is not said to be connected" 1 "atelier on this host is another user's, and stopped.*sudo mlsh forget atelier" \
	on desk setpriv --reuid 1500 --regid 1500 --groups 4242 env HOME="$WORK/desk/user1500" sh -c \
	'mlsh setup atelier --signal-host "$1" --token "$2" --name b >/dev/null && mlsh connect atelier' - "$server" "$(new_token)"
check_fails "who is not in the group is not told that there is one" 1 "connecting atelier .* takes the group mlsh" \
	as_user desk 1500 mlsh connect atelier
check "the first cluster was not disturbed" pings desk 100.64.0.1
check_fails "the daemon needs root, and says so" 1 "root" as_user desk 1500 mlshtund --socket "$WORK/desk/user1500/sock" \
	--state-dir "$WORK/desk/user1500/state"
check_fails "the foreground too" 1 "root" as_user desk 1500 mlsh connect garage --foreground
check "without a user for it the daemon stays root, and says so" \
	grep -q "going on as root, not as mlshtund: there is no such user" "$WORK/desk/mlshtund.log"
check_fails "a second daemon on the same socket is refused" 1 "mlshtund\.sock" on desk mlshtund
check_fails "and told which process is the first" 1 "process ${DAEMON_PID[desk]}\b" on desk mlshtund
rm -r "$WORK/desk/run/mlsh" # as systemd does when a unit with this RuntimeDirectory fails
check_fails "also when the socket of the first is gone" 1 "process ${DAEMON_PID[desk]}\b" on desk mlshtund
check "which is there again soon" wait_until 10 on desk mlsh status
check "and kept its cluster" connected desk homelab
kill -HUP "${DAEMON_PID[desk]}"
kill -USR1 "${DAEMON_PID[desk]}"
check "a terminal that goes does not end it" eval 'pause 0.3; kill -0 "${DAEMON_PID[desk]}"'
check "nor does it go without a word" grep -q SIGHUP "$WORK/desk/mlshtund.log"
for c in "status --json" "netcheck --json" "ping laptop -c 1 --json" "why laptop --json" "nodes homelab"; do
	# shellcheck disable=SC2086 # several words
	check "without HOME: mlsh $c" on desk env -u HOME mlsh $c
done
check_fails "a zone that hides the server's name is refused" 1 "signal\.lan" on desk \
	mlsh setup lan --signal-host signal.lan --token "$second" --name desk
check_fails "a server that others cannot find is named" 5 "localhost leads every machine to itself" on desk \
	mlsh setup hereby --signal-host localhost --token "$second" --name desk
check "the first one goes on" pings desk 100.64.0.1
check_fails "another user's files are not taken" 1 "." as_user desk 1500 env HOME="$WORK/desk/user1501" mlsh connect atelier

# --- the server is killed while traffic flows ---
on_bg laptop ping.out ping -n -i 0.02 -c 300 -W 2 100.64.0.1
pinging=$BG
wait_until 5 grep -q icmp_seq=50 "$WORK/laptop/ping.out"
stop "$SIGNAL_PID" KILL
wait "$pinging"
check "server killed: no packet of a running ping is lost" grep -q "300 received, 0% packet loss" "$WORK/laptop/ping.out"
check_fails "invites need no server, adopting does" 5 "no answer|reach" as_user nas 0 env HOME="$WORK/nas/nobody" mlsh adopt "$(invite_url nas homelab)"
check "on laptop: tunnels stay up without it" pings laptop 100.64.0.3
stop "${DAEMON_PID[desk]}" KILL
check "killed daemon leaves no device" wait_until 3 sh -c "! ip -n $LAB-desk link show mlsh0"
check "it starts again without a server" daemon_start desk
check_fails "connect says that it is still trying" 3 "not connected to homelab after 1 s: .+" on desk mlsh connect homelab --wait 1
restarted=$SECONDS
signal_start
again() { status_holds "$1" homelab "c['state'] == 'connected' and c['signal']['since_s'] < 11"; }
for m in nas laptop desk; do check "$m is registered again within 10 s" wait_until $((restarted + 10 - SECONDS)) again $m; done
check "the node that was restarted meanwhile has its tunnels again" wait_until 10 pings desk 100.64.0.1

# --- the daemon is killed and restarted ---
before=$(traces_of nas)
stop "${DAEMON_PID[nas]}" KILL
check "daemon killed: it starts again" daemon_start nas
check "as its user" is_daemon_user "${DAEMON_PID[nas]}"
check "the cluster comes back by itself" wait_until 10 connected nas homelab
check "and the tunnels" wait_until 10 pings nas 100.64.0.2
check "nothing is doubled" test "$(traces_of nas)" = "$before"
stop "${DAEMON_PID[nas]}"
check "daemon stopped: nothing is left" no_traces nas
check "daemon started: it comes back by itself" daemon_start nas
check "with its tunnels" wait_until 10 pings laptop 100.64.0.1

# --- the daemon gets a user of its own, by root and by systemd, and loses it again ---
state=$WORK/desk/state/mlsh
stop "${DAEMON_PID[desk]}" KILL
check "the state was root's" state_is_of desk 0
echo "root's" >"$WORK/desk/letter"
ln -s "$WORK/desk/letter" "$state/a.peers" && ln "$WORK/desk/letter" "$state/b.peers"
echo "mlshtund:x:$DAEMON_UID:$DAEMON_UID::/:/bin/false" >>"$WORK/desk/passwd"
check "with a user for it the daemon starts" daemon_start desk
check "as that user" is_daemon_user "${DAEMON_PID[desk]}"
check "it says that the state changed hands" grep -q "mlshtund ($DAEMON_UID); the state folder is that user's now" "$WORK/desk/mlshtund.log"
check "a link is not followed, and a file with two names stays root's" test "$(stat -c %u "$WORK/desk/letter")" = 0
check "which the log tells" grep -q "b.peers in the state folder keeps its owner" "$WORK/desk/mlshtund.log"
rm "$state/a.peers" "$state/b.peers"
check "all else is the user's" state_is_of desk "$DAEMON_UID"
check "the cluster comes back from it" wait_until 10 pings desk 100.64.0.1
stop "${DAEMON_PID[desk]}" KILL
on_exec desk setpriv --reuid "$DAEMON_UID" --regid "$DAEMON_UID" --clear-groups --no-new-privs \
	--inh-caps=-all,+net_admin,+net_bind_service --ambient-caps=-all,+net_admin,+net_bind_service \
	--bounding-set=-all,+net_admin,+net_bind_service mlshtund >>"$WORK/desk/mlshtund.log" 2>&1 </dev/null &
DAEMON_PID[desk]=$!
LAB_PIDS+=("$!")
check "as the unit starts it, it starts, too" wait_until 10 on desk mlsh status
check "with the same rights" is_daemon_user "${DAEMON_PID[desk]}"
check "and the cluster" wait_until 10 pings desk 100.64.0.1
check "connect hands over to that user's daemon" on desk mlsh connect homelab
stop "${DAEMON_PID[desk]}"
check "stopped, it leaves nothing" no_traces desk
sed -i '/^mlshtund:/d' "$WORK/desk/passwd"
check "without the user it is root's daemon again" eval 'daemon_start desk && grep -q "no such user; the state folder is root.s again" "$WORK/desk/mlshtund.log"'
check "with its state" eval 'state_is_of desk 0 && wait_until 10 pings desk 100.64.0.1'

# --- disconnect ---
check "disconnect, the only cluster" eval 'on laptop mlsh disconnect | has "Disconnected from homelab"'
check "and once more: nothing was connected" eval 'on laptop mlsh disconnect homelab | has "homelab was not connected"'
check "no device and no route is left" no_traces laptop
check "no DNS server is left, and no fence" eval \
	'! listens laptop :53 && ! ip netns exec "$LAB-laptop" nft list tables | has mlsh'
check "status says stopped" status_holds laptop homelab "c['state'] == 'stopped' and c['address'] is None"
on laptop mlsh status --json >"$WORK/laptop/status.json"
check "as documented" tests/lab/json_documented status <"$WORK/laptop/status.json"
laptop_is_gone() {
	on nas mlsh nodes homelab --json | json_holds "[n['online'] for n in d['nodes'] if n['name'] == 'laptop'] == [False]"
}
check "the others see it go" wait_until 10 laptop_is_gone
stop "${DAEMON_PID[laptop]}"
check "the daemon starts" daemon_start laptop
check "and does not bring back what was disconnected" status_holds laptop homelab "c['state'] == 'stopped'"
for c in "ping nas" "why nas"; do
	check_fails "$c says so, and which command connects" 1 "the cluster homelab is not connected; run: mlsh connect homelab" \
		eval "on laptop mlsh $c"
done
check "connect brings it back, the only cluster" eval 'on laptop mlsh connect | has "^Connected to homelab"'
check "and reaches the others" wait_until 5 pings laptop 100.64.0.1
stop "${DAEMON_PID[laptop]}"

# --- wrong usage is told apart ---
check_fails "an unknown log level" 2 "unknown log level 'loud': it can be error, warn, info, debug or trace" on laptop mlshtund --log loud
check_fails "in the environment" 2 "log level 'loud'" on laptop env MLSH_LOG=loud mlshtund
check_fails "in the foreground" 2 "log level 'loud'" on laptop env MLSH_LOG=loud mlsh connect homelab --foreground
check_fails "neither on nor off" 2 "'on' or 'off', not 'maybe'" on laptop mlshtund --port-mapping maybe
check_fails "in the foreground" 2 "'on' or 'off', not 'maybe'" on laptop env MLSH_PORT_MAPPING=maybe mlsh connect homelab --foreground

# --- foreground ---
foreground() { # log
	on_bg laptop "$1" mlsh connect homelab --foreground
	FOREGROUND=$BG
	wait_until 10 grep -q "Connected to homelab" "$WORK/laptop/$1"
}
rm -rf "$WORK/laptop/run/mlsh" # as on a machine that never had a daemon
check "foreground connects" foreground foreground.log
check "and carries packets" wait_until 5 pings laptop 100.64.0.1
check "status works beside it" connected laptop homelab
check "its tunnel is not root's" is_daemon_user "$(tr -d ' ' <"/proc/$FOREGROUND/task/$FOREGROUND/children")"
log=$(config_of laptop)/clusters/homelab.log
before=$(stat -c %s "$log")
check "a node joins meanwhile" eval 'invite_url nas homelab | on desk env HOME="$WORK/desk/late" mlsh adopt - --name late'
log_grew() { [ "$(stat -c %s "$log")" -gt "$before" ]; }
check "the log is written for it, as root's file" eval 'wait_until 10 log_grew && [ "$(stat -c %u:%a "$log")" = 0:600 ]'
check_fails "it is ended where it runs" 1 "foreground|Ctrl-C" on laptop mlsh disconnect homelab
stop "$FOREGROUND" INT
check "Ctrl-C ends it well" test $? = 0
check "and leaves nothing" no_traces laptop
check "not even a socket" test ! -e "$WORK/laptop/run/mlsh/mlshtund.sock"
check "foreground once more" foreground foreground2.log
stop "$FOREGROUND" KILL
check_fails "--no-wait makes no sense there" 2 "no-wait is for the daemon" on laptop mlsh connect homelab --foreground --no-wait
check_fails "nor --wait" 2 "wait is for the daemon" on laptop mlsh connect homelab --wait 3 --foreground
check_fails "nor both together" 2 "exclude" on laptop mlsh connect homelab --wait 3 --no-wait
check "killed hard, it starts again" foreground foreground3.log
check "with nothing doubled" test "$(traces_of laptop | sort | uniq -d)" = ""
stop "$FOREGROUND" INT
check "and leaves nothing" no_traces laptop
# As a terminal's Ctrl-C: every process of the group gets it, and the first one hands it on as well.
ctrl_c() { # seconds after the start
	on_exec laptop setsid env --default-signal=INT mlsh connect homelab --foreground \
		>"$WORK/laptop/ctrl_c.log" 2>&1 </dev/null &
	local pid=$!
	LAB_PIDS+=("$pid")
	wait_until 10 grep -q confined "$WORK/laptop/ctrl_c.log" && pause "$1" && kill -INT -- "-$pid" &&
		wait_until 10 eval '! kill -0 '"$pid" && ns_empty "$LAB-laptop" && no_traces laptop &&
		[ ! -e "$WORK/laptop/run/mlsh/mlshtund.sock" ]
}
for after in 0 .01 .02 .03 .05 .1 .2 .5; do
	check "Ctrl-C in a terminal after $after s leaves nothing" ctrl_c $after
done
on_bg laptop foreground.json mlsh connect homelab --foreground --json
FOREGROUND=$BG
changes() { grep '^{' "$WORK/laptop/foreground.json"; }
last_change() {
	changes | tail -n 1 | json_holds "d == {'name': 'homelab', 'state': '$1', 'address': '100.64.0.2', 'warning': None}"
}
check "in JSON: it is connected" wait_until 10 last_change connected
stop "$SIGNAL_PID" KILL
check "in JSON: the server is gone" wait_until 60 last_change reconnecting
signal_start
check "and is back" wait_until 20 last_change connected
stop "$FOREGROUND" INT
check "each line is as documented" eval 'changes | tests/lab/json_documented connect'

# --- forget: without the server, without the daemon, and with both ---
check_fails "forget cannot ask here" 2 "add --yes" on laptop mlsh forget homelab </dev/null
check "foreground once more" foreground foreground4.log
check_fails "forget does not pull the files from under it" 1 "foreground|Ctrl-C" on laptop mlsh forget homelab --yes
check "it goes on" pings laptop 100.64.0.1
stop "$FOREGROUND" INT
check_fails "on a terminal it asks, and no is no" 1 "stays a member.*Nothing was changed" \
	on laptop script -qec "mlsh forget homelab" /dev/null <<<n
# shellcheck disable=SC2034 # the eval below uses it
old_id=$(on laptop mlsh nodes homelab --json | python3 -c 'import json, sys
print([n["node_id"] for n in json.load(sys.stdin)["nodes"] if n["self"]][0])')
key=$(config_of laptop)/identity/homelab/key.pem
check "nothing was touched" test -e "$key"
check_fails "without the daemon it says what may be left" 4 "laptop stays a member.*may have kept a copy" \
	on laptop mlsh forget homelab --yes
check "the files are gone, the key first of all" eval '[ ! -e "$key" ] && ! ls -A "$(config_of laptop)"/* | has homelab'
check "and connect says so" eval '! on laptop mlsh connect homelab'
stop "$SIGNAL_PID" KILL
check "the daemon brings back its copy" daemon_start laptop
check "which is forgotten, too, without a server" eval 'on laptop mlsh forget homelab --yes --json >"$WORK/laptop/forget.json" &&
	json_holds "d[\"forgotten\"] and d[\"was_connected\"] and not d[\"copy_left\"]" <"$WORK/laptop/forget.json"'
check "as documented" tests/lab/json_documented forget <"$WORK/laptop/forget.json"
check "nothing is left on the host" no_traces laptop
check "nor in the daemon's folder" eval '! find "$WORK/laptop/state/mlsh" | has homelab'
check "once more: there is nothing" eval 'on laptop mlsh forget homelab --yes | has "nothing of homelab"'
check "in JSON, too" eval 'on laptop mlsh forget --yes --json | json_holds "d[\"cluster\"] is None and not d[\"forgotten\"]"'
signal_start
check "the others keep it in their lists" eval 'on nas mlsh nodes | has "^laptop "'
url=$(invite_url nas homelab)
check_fails "its name is taken" 1 "taken" adopt laptop "$url" --name laptop
check "with another one it joins again" adopt laptop "$url" --name laptop2
check "as another node" eval 'on laptop mlsh nodes homelab --json | json_holds "
	[n[\"node_id\"] != \"$old_id\" for n in d[\"nodes\"] if n[\"self\"]] == [True]"'
check "and reaches the others" eval 'on laptop mlsh connect homelab && wait_until 10 pings laptop 100.64.0.1'
check "yes is yes" eval 'on laptop script -qec "mlsh forget" /dev/null <<<y | has "Disconnected: homelab is forgotten"'
check "the others see it go at once" wait_until 5 eval '! peer_up nas homelab laptop2'

# --- a machine that is installed again ---
overlay_address() { on "$1" mlsh status homelab --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["clusters"][0]["address"])'; }
stop "${DAEMON_PID[laptop]}"
rm -rf "$WORK/laptop/state/mlsh" "$(config_of laptop)"
url=$(invite_url nas homelab --replace laptop)
check "the invite is listed" eval 'on nas mlsh invites | has -E "^[0-9a-f]{8} +in place of laptop +node +20"'
check "as documented" eval 'on nas mlsh invites --json | tests/lab/json_documented invites'
check "it joins without a name" adopt laptop "$url"
check "its daemon starts" daemon_start laptop
check "and connects" on laptop mlsh connect homelab
check "it has its old address" eval 'on laptop mlsh status --json | json_holds "d[\"clusters\"][0][\"address\"] == \"100.64.0.2\""'
for m in nas desk; do
	check "$m reaches it there" wait_until 10 pings $m 100.64.0.2
	check "and finds it by its name" eval '[ "$(on $m dig +short +tries=1 +time=2 "@$(overlay_address $m)" laptop.homelab)" = 100.64.0.2 ]'
done
check "the invite is used up" eval '! on nas mlsh invites | has "in place of"'
check "the audit trail" eval 'on nas mlsh log homelab | joined | has -E "nas set the cluster homelab up .* laptop .*in the place of|laptop"'
check "as documented" eval 'on nas mlsh log homelab --json | tests/lab/json_documented log'
check_fails "there is no proof" 1 "no proof against the signal server" eval 'on nas mlsh log homelab --proof | cat >/dev/null; exit ${PIPESTATUS[0]}'
check_fails "another file proves nothing" 1 "proves nothing: it is not a proof" on nas mlsh log --verify /etc/hostname

# --- a new key ---
id_of() { on "$1" mlsh nodes homelab --json | python3 -c 'import json, sys
print([n["node_id"] for n in json.load(sys.stdin)["nodes"] if n["self"]][0])'; }
# shellcheck disable=SC2034 # the evals below use it
old_id=$(id_of laptop) old_key=$(sha256sum <"$(config_of laptop)/identity/homelab/key.pem")
check "rotate" eval 'on laptop mlsh rotate --json >"$WORK/laptop/rotate.json"'
check "as documented" tests/lab/json_documented rotate <"$WORK/laptop/rotate.json"
check "the key is another one" eval '[ "$(sha256sum <"$(config_of laptop)/identity/homelab/key.pem")" != "$old_key" ]'
check "the node is the same" eval '[ "$(id_of laptop)" = "$old_id" ]'
for m in nas desk; do check "$m reaches it again" wait_until 10 pings $m 100.64.0.2; done
url=$(invite_url nas homelab)
# shellcheck disable=SC2034 # in an eval
id=$(on nas mlsh invites --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["invites"][-1]["id"])')
check "an invite is cancelled" eval 'on nas mlsh cancel "$id" --json | tests/lab/json_documented cancel'
check "twice is no error" eval 'on nas mlsh cancel "$id" | has "was cancelled already"'
check_fails "nobody joins with it" 1 "cancelled" eval 'on laptop env HOME="$WORK/laptop/other" mlsh adopt "$url" --name other'
check_fails "an id that nobody knows" 1 "no invite 00000000" on nas mlsh cancel 00000000
check "the sponsor's invites end with its key" eval 'on nas mlsh rotate | joined | has "open invites of this machine ended"'
check "and all go on" eval 'wait_until 10 pings nas 100.64.0.2 && ! on nas mlsh invites | has -E "^[0-9a-f]{8} "'
check "many at once, a URL a line" eval '[ "$(on nas mlsh invite homelab --count 20 | grep -c "^mlsh://")" = 20 ]'
check "as JSON a list" eval 'on nas mlsh invite homelab --count 3 --json >"$WORK/nas/several.json" && json_holds "len(d) == 3 and
	len({i[\"id\"] for i in d}) == 3" <"$WORK/nas/several.json"'
stop "${DAEMON_PID[laptop]}"

# --- the server's end ---
stop "$SIGNAL_PID" TERM
check "the server ends well on SIGTERM" test $? = 0
for m in nas desk; do
	stop "${DAEMON_PID[$m]}"
	check "$m leaves nothing on its host" no_traces $m
done
[ $LAB_FAILED = 0 ] || show_logs 25
exit $LAB_FAILED
