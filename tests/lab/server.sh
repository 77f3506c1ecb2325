#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# mlsh-signal as a program: what it prints, its exit status, its files, how it ends. On 127.0.0.1,
# without namespaces.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
PATH=$PWD/build/bin:$PATH

failed=0 pid=""
umask 022 # other users are to read what is made here
work=$(mktemp -d)
trap '[ -n "$pid" ] && kill -9 "$pid" 2>/dev/null; rm -rf "$work"' EXIT
export MLSH_SIGNAL_CONFIG=$work/config.toml MLSH_SIGNAL_DB=$work/state/signal.db
unset MLSH_CLUSTER_SECRET MLSH_OVERLAY_SUBNET MLSH_LOG
port=$((20000 + $$ % 20000))
token_form='^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}@[0-9a-f]{64}$'

check() { # name, command...
	local name=$1
	shift
	if "$@"; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		sed 's/^/  | /' "$work/out" "$work/err" 2>/dev/null
		failed=1
	fi
}
configure() { printf '%s\n' "$@" >"$MLSH_SIGNAL_CONFIG"; }
bind_line() { echo "bind = \"127.0.0.1:$port\""; }

# Exit status, and a message on standard error with this in it.
ends_with() { # status, text, arguments...
	local status=$1 text=$2 got
	shift 2
	timeout 20 mlsh-signal "$@" >"$work/out" 2>"$work/err" </dev/null
	got=$?
	[ $got = "$status" ] && grep -qF -- "$text" "$work/err"
}

up() { grep -q "mlsh-signal .* on 127.0.0.1:$port" "$work/err"; }
# shellcheck disable=SC2120 # check passes them on
start() { # environment assignments...
	: >"$work/out"
	: >"$work/err"
	env "$@" mlsh-signal >"$work/out" 2>"$work/err" </dev/null &
	pid=$!
	for ((i = 0; i < 200; i++)); do
		up && return 0
		kill -0 "$pid" 2>/dev/null || return 1
		sleep 0.05 # looked at again, ten seconds at most
	done
	return 1
}
# Ends with 0 within two seconds.
stops_on() { # signal
	local begin=${EPOCHREALTIME/./} status
	kill "-$1" "$pid"
	wait "$pid"
	status=$?
	pid=""
	[ $status = 0 ] && [ $((${EPOCHREALTIME/./} - begin)) -lt 2000000 ]
}
printed_a_token() { [ "$(wc -l <"$work/out")" = 1 ] && grep -qE "$token_form" "$work/out"; }
printed_nothing() { [ ! -s "$work/out" ]; }
nothing_made() { [ ! -e "$work/state" ]; }

# --- refused before anything is made or bound -------------------------------------------------
configure "[quic]" "$(bind_line)" "bnid = 1"
check "an unknown key is named with its line" \
	ends_with 2 "$MLSH_SIGNAL_CONFIG:3: quic.bnid: unknown key"
configure 'overlay_subnet = "100.64.0.0/99"'
check "a bad subnet is named with its line" \
	ends_with 2 "$MLSH_SIGNAL_CONFIG:1: overlay_subnet:"
configure "[quic]" "cert_path = \"$work/none\"" "key_path = \"$work/none\""
check "an unreadable certificate is named with its line" \
	ends_with 2 "$MLSH_SIGNAL_CONFIG:2: quic.cert_path:"
configure "[quic]" "$(bind_line)"
check "a bad variable is named" env MLSH_OVERLAY_SUBNET=10.0.0.1/8 \
	bash -c "$(declare -f ends_with); work=$work ends_with 2 MLSH_OVERLAY_SUBNET"
check "an unknown word is refused" ends_with 2 "--help" serve
check "a token before the first start is refused" ends_with 1 "There is no database" token
check "so is a list" ends_with 1 "There is no database" clusters
check "nothing was made by all that" nothing_made

# --- the first start and later ones -----------------------------------------------------------
check "the first start comes up" start
check "it prints one line, the setup token" printed_a_token
first=$(cat "$work/out")
check "its list says that there is no cluster, and nothing else" \
	test "$(mlsh-signal clusters 2>&1)" = "no cluster yet; for a setup token: mlsh-signal token"
check "and beside it the line to type with it" grep -qF "sudo mlsh setup NAME --signal-host HOST:$port --token -" "$work/err"
check "its state is its owner's only" \
	test "$(stat -c %a "$work/state" "$MLSH_SIGNAL_DB" | paste -sd ' ')" = "700 600"
check "the code is not in its files" bash -c "! grep -aqF '${first%@*}' $work/state/*"
if [ "$(id -u)" = 0 ]; then
	check "it has no capability left" \
		test "$(grep -cE '^Cap(Inh|Prm|Eff|Bnd|Amb):.*[1-9a-f]' "/proc/$pid/status")" = 0
fi
check "its system calls are filtered" grep -q '^Seccomp:.*2' "/proc/$pid/status"
# The user mlsh-signal, or the one without a name; in a folder above which root's own begins.
server_uid=$(sed -n 's/^mlsh-signal:[^:]*:\([0-9]*\):.*/\1/p' /etc/passwd)
all_owned() { # folder
	[ -z "$(find "$1" ! -uid "${server_uid:-61044}")" ]
}
if [ "$(id -u)" = 0 ]; then
	check "it is not root" \
		test "$(grep -cE '^[UG]id:.*\s0(\s|$)' "/proc/$pid/status")" = 0
	check "it has none of root's groups" grep -qE '^Groups:\s*$' "/proc/$pid/status"
	check "its files are its own" all_owned "$work/state"
	check "it says what confines it" grep -q 'confined: user [1-9]' "$work/err"
fi

check "a further token comes from the running server's file" \
	bash -c "mlsh-signal token --ttl 60 2>/dev/null | grep -qE '$token_form'"
check "it has the same fingerprint" \
	test "$(mlsh-signal token | sed 's/.*@//')" = "${first#*@}"
check "the line to type with it is said" bash -c "mlsh-signal token 2>&1 >/dev/null | grep -qF 'sudo mlsh setup NAME --signal-host HOST:$port --token -'"
check "nodes of no cluster" ends_with 1 "no cluster on this server yet" nodes
check "it lists no cluster yet" ends_with 0 "no cluster yet" clusters
check "and says so of one that is asked for" ends_with 1 "no cluster 'homelab' here" nodes homelab
if [ "$(id -u)" = 0 ]; then
	as_nobody() { cp "$(command -v mlsh-signal)" "$work/reached" && chmod 711 "$work" "$work/reached" && MLSH_SIGNAL_CONFIG='' \
		timeout 20 setpriv --reuid 65534 --regid 65534 --clear-groups "$work/reached" "$@" 2>&1 </dev/null || true; }
	check "another user is told whom to run it as" eval 'as_nobody clusters | tr -s "\n " "  " | grep -q "belongs to another user: run this as root"'
	check "and that systemd runs the server" eval 'as_nobody | tr -s "\n " "  " | grep -q "Permission denied: .*systemctl status mlsh-signal"'
	chmod 700 "$work"
fi
mkdir -m 700 "$work/kept"
check "a backup is made while it runs" ends_with 0 "keep it as secret" backup "$work/kept/one"
check "by whoever asked, for them alone" test "$(stat -c '%a %u' "$work/kept/one")" = "600 $(id -u)"
check "no other file is left" test "$(ls -A "$work/kept")" = one
check "it is not replaced unasked" ends_with 1 "--force" backup "$work/kept/one"
check "but when asked" ends_with 0 "keep it as secret" backup --force "$work/kept/one"
check "its JSON is as documented" eval 'mlsh-signal backup --json "$work/kept/two" 2>/dev/null | tests/lab/json_documented signal-backup'
check "a pipe gets it, too" eval 'mlsh-signal backup - 2>/dev/null | cmp - "$work/kept/one"'
check "the database itself is no place for it" ends_with 1 "is a file of the server" backup --force "$MLSH_SIGNAL_DB"
check "a folder that is missing is named" ends_with 1 "$work/none/x" backup "$work/none/x"
[ "$(id -u)" != 0 ] || check "and leaves no file of root's" all_owned "$work/state"
cp "$work/err" "$work/first.err"
check "a second server on the port says so" ends_with 1 "127.0.0.1:$port"
check "and names the first" grep -q "process $pid" "$work/err"
check "also with a database of its own" \
	env MLSH_SIGNAL_DB="$work/other.db" bash -c 'mlsh-signal 2>&1 | grep -q "127.0.0.1:'"$port"'"'
cp "$work/first.err" "$work/err"
check "a backup is verified while it runs" ends_with 0 "no cluster is in it" restore --check "$work/kept/one"
check "from standard input, too" eval 'mlsh-signal restore --check - <"$work/kept/one" 2>&1 | grep -q "no cluster is in it"'
check "but not put in its place" ends_with 1 "Stop it first" restore "$work/kept/one"
check "a text is no backup" ends_with 1 "it is not a database" restore --check "$MLSH_SIGNAL_CONFIG"
check "SIGTERM ends it well and soon" stops_on TERM
check "a backup that only root can read is put in place" ends_with 0 "The backup is in place" restore "$work/kept/one"
check "the database before is kept" eval 'test -s "$MLSH_SIGNAL_DB".before-restore-*'
rm "$MLSH_SIGNAL_DB".before-restore-*
[ "$(id -u)" != 0 ] || check "the database is the server's user's" all_owned "$work/state"

check "it starts again" start
check "a later start prints no token" printed_nothing
check "and keeps its certificate" grep -qF "${first#*@}" "$work/err"
check "SIGINT ends it well and soon" stops_on INT
start
kill -9 "$pid"
wait "$pid" 2>/dev/null
pid=""
check "it starts after kill -9" start
check "with the same certificate" grep -qF "${first#*@}" "$work/err"
stops_on TERM
if [ "$(id -u)" = 0 ]; then
	cp "$MLSH_SIGNAL_DB" "$work/backup"
	rm "$work"/state/*
	cp "$work/backup" "$MLSH_SIGNAL_DB"
	check "a backup that root put back is taken over" start
	check "with all that comes with it" all_owned "$work/state"
	check "and written to" bash -c "mlsh-signal token 2>/dev/null | grep -qE '$token_form'"
	check "by nobody but its user" all_owned "$work/state"
	stops_on TERM
	chown 0:0 "$MLSH_SIGNAL_DB"
	# what systemd does before each start
	check "mlsh-signal take-over does that without a server" mlsh-signal take-over
	check "for all that is root's" all_owned "$work/state"
	ln "$MLSH_SIGNAL_DB" "$work/trap"
	chown 0:0 "$MLSH_SIGNAL_DB"
	check "but not for a file with another name" ends_with 1 "(hard links)" take-over
	rm "$work/trap"
	chmod 711 "$work" # from here on its path is open to it
	chown -R 0:0 "$work/state"
	check "so are files that a server of root left behind" start
	check "with their folder" all_owned "$work/state"
	# what an intruder in the running server reaches
	reaches() { # what the kernel says, path, way
		local says
		says=$(build/release/lab/reach "$pid" "$2" "$3") && [ "$says" = "$1" ]
	}
	check "it reaches its database" reaches open "$MLSH_SIGNAL_DB" write
	check "but not root's files" reaches EACCES /etc/shadow read
	if grep -q 'Landlock [0-9]' "$work/err"; then
		check "nor any other folder" reaches EACCES "$(mktemp -u)" create
	fi
	stops_on TERM
	check "and no companion stays beside the database" \
		test -z "$(find "$work/state" -name '*-wal' -o -name '*-shm' -o -name '*-journal')"
fi

# --- hang-up: the configuration and the certificate are read again ------------------------------
certificate() { # name: another certificate of the key with that name
	[ -e "$work/$1.key" ] || openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256 -out "$work/$1.key" 2>/dev/null
	openssl req -new -x509 -key "$work/$1.key" -out "$work/cert.pem" -days 90 -subj /CN=signal.example.org \
		-set_serial "$RANDOM$RANDOM" 2>/dev/null && cp "$work/$1.key" "$work/key.pem" && chmod 644 "$work/key.pem"
}
fingerprint() { openssl x509 -in "$work/cert.pem" -outform DER | sha256sum | cut -d ' ' -f 1; }
hang_up() { # text that it answers with
	: >"$work/err"
	kill -HUP "$pid"
	for ((i = 0; i < 200; i++)); do
		grep -q SIGHUP "$work/err" && break
		sleep 0.05 # looked at again, ten seconds at most
	done
	grep -qF -- "$1" "$work/err" && kill -0 "$pid"
}
certificate one
configure "[quic]" "$(bind_line)" "cert_path = \"$work/cert.pem\"" "key_path = \"$work/key.pem\""
check "it starts with a certificate of the operator's" start
certificate two
check "after a hang-up it has the new one" hang_up "certificate $(fingerprint)"
echo rubbish >"$work/cert.pem"
check "a bad one is named, and not taken" hang_up "nothing was changed: $MLSH_SIGNAL_CONFIG:3: quic.cert_path"
certificate two
configure 'log = "debug"' "[quic]" "bind = \"127.0.0.1:1\"" "cert_path = \"$work/cert.pem\"" "key_path = \"$work/key.pem\""
check "what takes a restart is named" hang_up "quic.bind has changed; that takes a restart"
for s in USR1 USR2 PIPE TTOU XFSZ; do kill -"$s" "$pid"; done
check "other signals do not end it" eval 'sleep 0.2; kill -0 "$pid"'
stops_on TERM
configure "[quic]" "$(bind_line)"

# --- an address that comes later ----------------------------------------------------------------
configure "[quic]" "bind = \"192.0.2.77:$port\""
: >"$work/err"
mlsh-signal >"$work/out" 2>"$work/err" </dev/null &
pid=$!
check "an address that is not there yet is waited for" \
	eval 'for ((i = 0; i < 200; i++)); do grep -q " on 192.0.2.77:$port" "$work/err" && break; sleep 0.05; done; kill -0 "$pid"'
check "and that is said" grep -q "does not have the address yet" "$work/err"
stops_on TERM
configure "[quic]" "$(bind_line)"

# user_version, in the file's header (sqlite.org/fileformat.html section 1.3)
printf '\0\0\0\143' | dd of="$MLSH_SIGNAL_DB" bs=1 seek=60 conv=notrunc status=none
check "a newer database is refused" ends_with 1 "upgrade mlsh-signal"
check "also by a list" ends_with 1 "upgrade mlsh-signal" clusters
# As the version before it left it, after an upgrade and before the server starts again.
python3 - "$MLSH_SIGNAL_DB" <<-'END'
	import sqlite3, sys
	db = sqlite3.connect(sys.argv[1])
	db.executescript("DROP TABLE accepted; PRAGMA user_version = 4")
	for column in ("generation", "seq", "time_s", "hash"):
	    db.execute(f"ALTER TABLE waiting DROP COLUMN {column}")
	db.commit()
	db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
END
schema() { od -An -j63 -N1 -tu1 "$MLSH_SIGNAL_DB" | tr -d ' '; }
check "a list reads an older one" mlsh-signal clusters
check "and so do a backup and its check" eval 'mlsh-signal backup "$work/old.db" && mlsh-signal restore --check "$work/old.db"'
check "without changing it" test "$(schema)" = 4
mlsh-signal >/dev/null 2>"$work/err" </dev/null &
pid=$!
check "the server brings it up to date" \
	eval 'for ((i = 0; i < 200; i++)); do grep -q " on .*:$port" "$work/err" && break; sleep 0.05; done; [ "$(schema)" = 5 ]'
stops_on TERM
check "an older backup is restored" eval 'mlsh-signal restore "$work/old.db" && mlsh-signal clusters && [ "$(schema)" = 5 ]'
printf '\0\0\0\143' | dd of="$MLSH_SIGNAL_DB" bs=1 seek=60 conv=notrunc status=none

# --- a port that is taken at the first start --------------------------------------------------
export MLSH_SIGNAL_DB=$work/other/signal.db
mv "$work/state" "$work/old"
MLSH_SIGNAL_DB=$work/third/signal.db start
blocker=$pid
check "a first start that cannot bind fails" ends_with 1 "127.0.0.1:$port"
check "and prints no token" printed_nothing
kill -TERM "$blocker"
wait "$blocker"
pid=""
check "the next start prints it" start MLSH_CLUSTER_SECRET=abcd-efgh-jkmn
check "with the preset code" grep -q '^ABCD-EFGH-JKMN@' "$work/out"
stops_on TERM
check "which is not armed again" start MLSH_CLUSTER_SECRET=ABCD-EFGH-JKMN
check "so that nothing is printed" printed_nothing
stops_on TERM

# --- where the user cannot be changed, where there is nothing at all, and with root's own key -----
server_in() { # command before the program...
	: >"$work/out"
	: >"$work/err"
	"$@" mlsh-signal >"$work/out" 2>"$work/err" </dev/null &
	pid=$!
	for ((i = 0; i < 200; i++)); do
		up && return 0
		kill -0 "$pid" 2>/dev/null || return 1
		sleep 0.05 # looked at again, ten seconds at most
	done
	return 1
}
if [ "$(id -u)" = 0 ]; then
	export MLSH_SIGNAL_DB=$work/alone/signal.db
	if unshare --user --map-root-user true 2>/dev/null; then
		check "it starts in a user namespace of one user" server_in unshare --user --map-root-user
		check "and says that it stays root" grep -q "going on as root" "$work/err"
		stops_on TERM
	fi
	mkdir -p "$work/root/data"
	cp "$(command -v mlsh-signal)" "$MLSH_SIGNAL_CONFIG" "$work/root/"
	: >"$work/err"
	check "it starts in an empty root" server_in env PATH=/ MLSH_SIGNAL_CONFIG=/config.toml \
		MLSH_SIGNAL_DB=/data/own/signal.db /usr/sbin/chroot "$work/root"
	check "as its user" grep -q 'confined: user 61044' "$work/err"
	check "with its files" test -z "$(find "$work/root/data/own" ! -uid 61044)"
	stops_on TERM
	if ! command -v openssl >/dev/null; then
		echo "skip - a key that is root's alone: needs openssl"
		exit $failed
	fi
	openssl req -x509 -newkey ed25519 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" \
		-subj /CN=signal -days 30 2>/dev/null
	chmod 600 "$work/key.pem"
	configure "[quic]" "$(bind_line)" "cert_path = \"$work/cert.pem\"" "key_path = \"$work/key.pem\""
	export MLSH_SIGNAL_DB=$work/keyed/signal.db
	check "it reads a key that is root's alone" start
	check "and is not root" grep -q 'confined: user [1-9]' "$work/err"
	check "after a hang-up it cannot read it, and says what to do" \
		hang_up "has given up root's rights since it began: restart it"
	stops_on TERM
fi
exit $failed
