#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Three machines with systemd, from the packages to their removal: README's ten minutes word for
# word, reboots, kills, hangs, an upgrade. Beside them, what only systemd does: users, readiness,
# watchdogs, restarts.
#
#     server 10.72.0.1, signal.example.org; nas 10.72.0.2; laptop 10.72.0.3
#
# SUITES="bookworm trixie noble": the systems, one after the other. OLD=folder: packages of an earlier commit,
# with which the machines begin, to be upgraded to those in dist/; the mishaps are left out then.
set -uo pipefail
# shellcheck source=tests/delivery/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/delivery/lib_systemd.sh
. tests/delivery/lib_systemd.sh
need_root "machines with systemd"
tools/need openssl ssh-keygen ip nsenter unshare || exit 1
down() { systemd_down; }
why=$(nesting_missing)
if [ -n "$why" ]; then
	echo "skip - machines with systemd: $why"
	exit 77
fi

for package in mlsh mlsh-signal; do
	[ -e "dist/${package}_${packaged}_$arch.deb" ] ||
		{ echo "not ok - dist/${package}_${packaged}_$arch.deb is there: run make deb"; exit 1; }
done

# --- what the machines are asked --------------------------------------------------------------

# grep -q that reads to the end: what writes into it is not killed for writing.
has() { grep "$@" >/dev/null; }

property() { on "$1" systemctl show --value --property="$3" "$2"; } # machine, unit, property
is() { [ "$(property "$1" "$2" "$3")" = "$4" ]; }                   # machine, unit, property, value
active() { is "$1" "$2" ActiveState active; }                       # machine, unit
restarts() { property "$1" "$2" NRestarts; }                        # machine, unit
says() { property "$1" "$2" StatusText | has -E -- "$3"; }        # machine, unit, pattern

daemons() { # command...: for each daemon, with its machine and unit behind
	"$@" server mlsh-signal && "$@" nas mlshtund && "$@" laptop mlshtund
}

# The daemon's process is of the user that is named after its unit, with these rights and no more.
confined() { # machine, unit
	local bound=0000000000001400 rights=0000000000001400 # CAP_NET_ADMIN, CAP_NET_BIND_SERVICE
	[ "$2" = mlshtund ] || bound=0000000000000400 rights=0000000000000000
	on "$1" sh -ec 'set -- "$(systemctl show --value --property=MainPID "$1")" "$@"
		test "$(ps -o user= -p $1)" = "$2"
		grep -x "CapEff:.$3" /proc/$1/status && grep -x "CapPrm:.$3" /proc/$1/status
		grep -x "CapBnd:.$4" /proc/$1/status
		grep -x "NoNewPrivs:.1" /proc/$1/status && grep -x "Seccomp:.2" /proc/$1/status' \
		sh "$2" "$rights" "$bound"
}

reaches() { [ "$(types laptop . "ssh nas.homelab hostname")" = nas ]; }
resolves() { on laptop resolvectl query nas.homelab | has "^nas.homelab: 100.64.0.1 .*link: mlsh0"; }
ready() { wait_for 60 daemons active && wait_for 60 reaches; }
serves() { wait_for 30 says server mlsh-signal "^1 cluster, 2 nodes connected$"; }
connected() { wait_for 30 says "$1" mlshtund "^1 of 1 cluster connected, tunnels to 1 of 1 node$"; } # machine

# --- README -----------------------------------------------------------------------------------

# Each line of the ten minutes that was typed, to see at the end that none was left out.
typed=()
readme_lines() { sed -n '/^## Ten minutes/,/^## Every day/s/^    //p' README.md; }

# Types a line as README has it, as the user anna. Standard input is what she pastes.
readme() { # machine, line
	readme_lines | has -xF -- "$2" || { echo "README has no line \"$2\""; return 1; }
	typed+=("$2")
	types "$1" . "$2"
}

# The command of README's table for Debian: the server's, or that of a machine.
install_line() { # column
	awk -F'|' -v column="$1" '/^\| Debian, Ubuntu / {
		gsub(/^ *`|` *$/, "", $column); print $column }' README.md
}

token() { readme server "sudo mlsh-signal token"; }
setup() {
	token >"$work/token" && readme nas "sudo mlsh setup homelab --signal-host signal.example.org --token - --name nas" \
		<"$work/token" >"$work/setup.out" && grep -q "ecovery code" "$work/setup.out"
}
invite() { readme nas "sudo mlsh invite" >"$work/invite.out"; }
adopt() {
	grep -oE "mlsh://[^ ']+" "$work/invite.out" | head -n 1 >"$work/url"
	readme laptop "sudo mlsh adopt -" <"$work/url"
}
logs_in() { readme laptop "ssh nas.homelab" <<<hostname >"$work/ssh.out" && grep -qx nas "$work/ssh.out"; }
whole() { diff <(readme_lines) <(printf '%s\n' "${typed[@]}"); }

# --- the run ----------------------------------------------------------------------------------

# Files of a machine before and after; not what systemd and others write while they run.
listing() { # machine
	on "$1" find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /debs \
		-o -path '/var/log/*' -o -path '/var/tmp/*' -o -path '/var/cache/*' -o -path '/var/lib/dpkg/*' -o -path '/var/lib/systemd/*' \
		-o -path '/var/lib/apt/*' -o -path '/home/anna/*' \) -prune -o -print | sort
}

# A user who may sudo, with a key that opens her account on all machines.
people() { # machine...
	local name
	[ -e "$work/key" ] || ssh-keygen -q -t ed25519 -N "" -f "$work/key"
	for name; do
		on "$name" useradd --create-home --shell /bin/bash anna &&
			on "$name" sh -ec 'echo "anna ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/anna
				mkdir -m 700 /home/anna/.ssh' &&
			on "$name" sh -c 'cat >/home/anna/.ssh/id_ed25519' <"$work/key" &&
			on "$name" sh -c 'cat >/home/anna/.ssh/authorized_keys' <"$work/key.pub" &&
			on "$name" sh -ec 'printf "BatchMode yes\nConnectTimeout 5\nStrictHostKeyChecking accept-new\n" >/home/anna/.ssh/config
				chmod 600 /home/anna/.ssh/*; chown -R anna: /home/anna' || return 1
	done
}

machines_up() {
	network_up && machine server 1 && machine nas 2 && machine laptop 3 && boot server nas laptop &&
		people server nas laptop
}

# A package under the name that README's line for it has.
put() { # machine, column, file
	local line
	line=$(install_line "$2")
	on "$1" sh -c 'cat >"/debs/$1"' sh "${line##*/}" <"$3"
}
put_debs() {
	local from=${OLD:-dist}
	put server 3 "$from"/mlsh-signal_*_"$arch.deb" && put nas 4 "$from"/mlsh_*_"$arch.deb" &&
		put laptop 4 "$from"/mlsh_*_"$arch.deb"
}

install() {
	types server /debs "$(install_line 3)" && types nas /debs "$(install_line 4)" &&
		types laptop /debs "$(install_line 4)"
}

ten_minutes() {
	check "setup, as README has it" setup
	check "connect" readme nas "sudo mlsh connect"
	check "invite" invite
	check "adopt on the next machine" adopt
	check "connect there" readme laptop "sudo mlsh connect"
	check "ssh nas.homelab" logs_in
	check "these are all lines of README's ten minutes" whole
}

at_work() {
	check "the daemons are users of their own, without other rights" daemons confined
	check "systemd-resolved asks mlsh for the zone" resolves
	check "systemctl status shows what the server does" serves
	check "and what the nodes do" eval 'connected nas && connected laptop'
}

run_in() { # suite
	if ! base=$(systemd_system_of "$1" "$work/log"); then
		tail -n 3 "$work/log" | sed 's/^/# /'
		echo "skip - $1: its system with systemd cannot be fetched (see above)"
		return
	fi
	check "three machines of $1 boot" machines_up
	put_debs
	for name in server nas laptop; do listing "$name" >"$work/$name.before"; done
	check "the packages are installed, as README has it" install
	check "both daemons run" daemons active
	ten_minutes
	if [ -z "${OLD:-}" ]; then
		at_work
		mishaps
	fi
	check "an upgrade keeps all and restarts what ran" upgrades
	at_work
	check "removed: the daemons stop, keys and state stay" removes
	check "installed again: all is back" comes_again
	check "purged: nothing is left" purges
	systemd_down
	rm -rf "$work"/{server,nas,laptop}
	typed=()
}

# --- mishaps ------------------------------------------------------------------------------------

reboots() { reboot "$1" && wait_for 60 active "$1" "$2" && ready; } # machine, unit

# What happens to the daemon's process is not what systemd was asked for: it starts another one.
comes_back() { # machine, unit, signal, result that systemd names
	local before
	before=$(restarts "$1" "$2")
	on "$1" systemctl kill --signal="$3" "$2" || return 1
	wait_for 60 restarted "$1" "$2" "$before" && wait_for 60 active "$1" "$2" && ready &&
		on "$1" journalctl --unit="$2" | has "Failed with result '$4'"
}
restarted() { [ "$(restarts "$1" "$2")" -gt "$3" ]; } # machine, unit, how often before

# The unit with other settings, for as long as the machine runs.
changed() { # machine, unit, line...
	local name=$1 unit=$2
	shift 2
	printf '%s\n' '[Service]' "$@" |
		on "$name" sh -ec 'mkdir -p "/run/systemd/system/$1.service.d"
			cat >"/run/systemd/system/$1.service.d/test.conf"; systemctl daemon-reload' sh "$unit"
}
unchanged() { # machine, unit
	on "$1" sh -ec 'rm -r "/run/systemd/system/$1.service.d"; systemctl daemon-reload
		systemctl reset-failed "$1"; systemctl restart "$1"' sh "$2" && ready
}

# The daemon stands still, as one that hangs in a loop or on a dead disk: SIGSTOP.
hangs() { # machine, unit
	changed "$1" "$2" WatchdogSec=2 && on "$1" systemctl restart "$2" && ready &&
		comes_back "$1" "$2" STOP watchdog && unchanged "$1" "$2"
}

# A start that fails is tried for as long as it takes: here more often than systemd does by itself.
never_gives_up() { # machine, unit, line of the unit that makes it fail
	changed "$1" "$2" RestartSec=50ms "$3" && { on "$1" systemctl restart "$2"; true; } &&
		wait_for 60 restarted "$1" "$2" 12 && ! active "$1" "$2" && unchanged "$1" "$2"
}
# What no second attempt can mend is not tried again.
gives_up() { # machine, unit, line of the unit that makes it fail
	changed "$1" "$2" RestartSec=50ms "$3" && { on "$1" systemctl restart "$2"; true; } &&
		is "$1" "$2" ActiveState failed && is "$1" "$2" ExecMainStatus 2 && is "$1" "$2" NRestarts 0 &&
		unchanged "$1" "$2"
}
wrong_settings() {
	on server sh -c 'echo nonsense >>/etc/mlsh-signal/config.toml'
	on server systemctl restart mlsh-signal
	is server mlsh-signal ActiveState failed && is server mlsh-signal NRestarts 0 &&
		on server journalctl --unit=mlsh-signal | has "/etc/mlsh-signal/config.toml" || return 1
	on server sed -i '/^nonsense/d' /etc/mlsh-signal/config.toml
	on server systemctl restart mlsh-signal && ready
}
reloads() {
	local pid
	pid=$(property server mlsh-signal MainPID)
	on server systemctl reload mlsh-signal && wait_for 30 active server mlsh-signal &&
		[ "$(property server mlsh-signal MainPID)" = "$pid" ] &&
		on server journalctl --unit=mlsh-signal | has "configuration read again" && serves
}

# Root puts a copy of the database back, by hand.
copied_back() {
	on server sh -ec 'cd /var/lib/mlsh-signal
		systemctl stop mlsh-signal
		mv signal.db /root/copy.db; cp /root/copy.db signal.db; chmod 600 signal.db; rm /root/copy.db
		test "$(stat -c %U signal.db)" = root
		systemctl start mlsh-signal
		test "$(stat -c %U signal.db)" = mlsh-signal' && ready && serves
}

# Another server, with a certificate that only root can read.
own_certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=signal.example.org \
		-days 30 -keyout "$work/tls.key" -out "$work/tls.crt" || return 1
	on server sh -ec 'mkdir -m 700 /root/tls; cat >/root/tls/key.pem; chmod 600 /root/tls/key.pem' <"$work/tls.key" &&
		on server sh -ec 'cat >/root/tls/cert.pem
			printf "quic.cert_path = \"/root/tls/cert.pem\"\nquic.key_path = \"/root/tls/key.pem\"\n" \
				>/etc/mlsh-signal/config.toml
			systemctl stop mlsh-signal
			mv /var/lib/mlsh-signal /root/before
			! systemctl start mlsh-signal
			journalctl --unit=mlsh-signal | grep "LoadCredential=cert.pem:/root/tls/cert.pem"' <"$work/tls.crt" &&
		changed server mlsh-signal LoadCredential=cert.pem:/root/tls/cert.pem \
			LoadCredential=key.pem:/root/tls/key.pem &&
		on server systemctl restart mlsh-signal && on server mlsh-signal token |
			has "@$(openssl x509 -in "$work/tls.crt" -outform DER | sha256sum | cut -d' ' -f1)"
}
settings_as_before() {
	on server sh -ec 'systemctl stop mlsh-signal; rm -r /var/lib/mlsh-signal /root/tls
		mv /root/before /var/lib/mlsh-signal; cat >/etc/mlsh-signal/config.toml' \
		<contrib/mlsh-signal/config.toml && unchanged server mlsh-signal
}

mishaps() {
	for name in server:mlsh-signal nas:mlshtund laptop:mlshtund; do
		check "${name%:*} reboots: all is back" reboots "${name%:*}" "${name#*:}"
	done
	check "mlsh-signal reads its configuration again" reloads
	for name in server:mlsh-signal nas:mlshtund; do
		check "${name#*:} is back after kill -9" comes_back "${name%:*}" "${name#*:}" KILL signal
		check "${name#*:} that hangs is started again" hangs "${name%:*}" "${name#*:}"
		check "${name#*:} never gives up" never_gives_up "${name%:*}" "${name#*:}" \
			"InaccessiblePaths=/var/lib/mlsh /var/lib/mlsh-signal"
		check "${name#*:} gives up over a wrong option" gives_up "${name%:*}" "${name#*:}" \
			"Environment=MLSH_LOG=nonsense"
	done
	check "mlsh-signal gives up over a wrong configuration" wrong_settings
	check "a database that root copied back is the server's again" copied_back
	check "a certificate that only root can read comes by LoadCredential=" own_certificate
	check "and goes again" settings_as_before
	check "systemd calls the exposure of mlsh-signal below 2.0" \
		on server systemd-analyze security --no-pager --threshold=19 mlsh-signal
	check "and that of mlshtund below 3.0" \
		on nas systemd-analyze security --no-pager --threshold=29 mlshtund
}

# --- the packages' end --------------------------------------------------------------------------

# The same packages as a later version.
later() { # package, file
	rm -rf "$work/later"
	dpkg-deb -R "dist/$1_${packaged}_$arch.deb" "$work/later" &&
		sed -i "s/^Version: .*/Version: $packaged+later/" "$work/later/DEBIAN/control" &&
		dpkg-deb --root-owner-group -Znone -b "$work/later" "$2"
}

upgrades() {
	local node server
	later mlsh "$work/mlsh-later.deb" && later mlsh-signal "$work/mlsh-signal-later.deb" || return 1
	on laptop systemctl stop mlshtund
	node=$(property nas mlshtund MainPID) server=$(property server mlsh-signal MainPID)
	on server sh -ec 'cat >/debs/later.deb; dpkg -i /debs/later.deb' <"$work/mlsh-signal-later.deb" &&
		on nas sh -ec 'cat >/debs/later.deb; dpkg -i /debs/later.deb' <"$work/mlsh-later.deb" &&
		on laptop sh -ec 'cat >/debs/later.deb; dpkg -i /debs/later.deb' <"$work/mlsh-later.deb" || return 1
	if active laptop mlshtund; then echo "mlshtund, which was stopped, runs on the laptop"; return 1; fi
	[ "$node" != "$(property nas mlshtund MainPID)" ] || { echo "the node's daemon was not restarted" && return 1; }
	[ "$server" != "$(property server mlsh-signal MainPID)" ] || { echo "the server was not restarted" && return 1; }
	on laptop systemctl start mlshtund && ready
}

each_package() { # dpkg's action
	on server dpkg "$1" mlsh-signal && on nas dpkg "$1" mlsh && on laptop dpkg "$1" mlsh
}
stopped() { ! active "$1" "$2" && ! on "$1" sh -c 'ls /run/mlsh /sys/class/net/mlsh0' 2>/dev/null; }
removes() {
	each_package --remove && daemons stopped && on server test -s /var/lib/mlsh-signal/signal.db &&
		on nas test -s /var/lib/mlsh/homelab.node && on nas test -s /root/.config/mlsh/clusters/homelab.toml
}
comes_again() {
	install && ready
}
# Of what people did, the cluster's files in root's home stay, as anybody's do; so do the users.
nothing_left() {
	local name
	for name in server nas laptop; do
		listing "$name" >"$work/$name.after"
		diff "$work/$name.before" <(grep -v '^/root/\.config' "$work/$name.after") || return 1
		on "$name" sh -c '! systemctl list-units --all --full --no-legend "mlsh*" | grep .' || return 1
	done
}
purges() { each_package --purge && nothing_left; }

for suite in ${SUITES:-bookworm trixie noble}; do run_in "$suite"; done
exit $failed
