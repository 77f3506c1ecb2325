#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Split DNS with a real systemd-resolved and polkit, which are not installed: their packages are downloaded and unpacked
# into build/cache, and they run with a D-Bus of their own in the machine's namespaces. Upstream there is a name server that
# gives every name the address 192.0.2.80, and writes down what it was asked.
#
#     signal 10.71.9.2 (upstream DNS too), nas .1.2 (with resolved), laptop .2.2 (without), one router
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh

lab_need_root resolved
trap lab_down EXIT
lab_up
for m in signal:9 nas:1 laptop:2; do machine "${m%:*}" "${m#*:}"; done

# --- without resolved ---
must "server" signal_start
must "two nodes" mesh_up homelab nas laptop
hint="names in \.homelab are not resolved by this host: .*; .mlsh status. says what to do"
# shellcheck disable=SC2034 # the eval below uses it
remedy="no systemd-resolved here .* Install it, or tell a forwarding resolver .* to ask 100\.64\.0\.2 for \.homelab; .* dig @100\.64\.0\.2 laptop\.homelab"
hints() { [ "$(grep -c "$hint" "$WORK/laptop/mlshtund.log")" = 1 ]; }
check "without systemd-resolved a hint is in the log" wait_until 10 hints
check "and status says what to do" eval 'on laptop mlsh status | joined | has "$remedy"'
check "status says so" status_holds laptop homelab "c['dns']['state'] == 'unavailable' and c['dns']['detail']"
check "it is still answered when asked directly" test "$(on laptop dig +short +tries=1 +time=2 @100.64.0.2 nas.homelab)" = 100.64.0.1
must "tunnel" wait_until 10 pings laptop 100.64.0.1
stop "$SIGNAL_PID" KILL
signal_start
again() { status_holds laptop homelab "c['state'] == 'connected' and c['signal']['since_s'] < 8"; }
check "the hint comes once" eval 'wait_until 15 again && hints'
check "resolv.conf is not touched" grep -q "no resolver yet" "$WORK/laptop/resolv.conf"

# --- systemd-resolved, unpacked ---
packages="systemd-resolved libsystemd-shared dbus-daemon libdbus-1-3 libapparmor1 libexpat1 libkmod2 libcap-ng0 libaudit1"
root=$PWD/build/cache/resolved polkit=$PWD/build/cache/polkit
unpack() ( # folder, package...
	into=$1
	shift
	[ -e "$into/done" ] && return 0
	rm -rf "$into" && mkdir -p "$into/deb" && cd "$into/deb" || return 1
	apt-get -o APT::Sandbox::User=root download "$@" ||
		{ apt-get update && apt-get -o APT::Sandbox::User=root download "$@"; }
	for deb in "$into"/deb/*.deb; do dpkg-deb -x "$deb" "$into" || return 1; done
	touch "$into/done"
)
# Libraries of the same packages, whatever the machine has.
libraries() { find "${1:-$root}" -name '*.so*' -printf '%h\n' | sort -u | paste -sd :; }
usable() { # folder, program...
	local libraries
	libraries=$(libraries "$1")
	shift
	! env LD_LIBRARY_PATH="$libraries" ldd "$@" 2>&1 | has -E "not found|not a dynamic"
}
resolved=$root/lib/systemd/systemd-resolved bus=$root/usr/bin/dbus-daemon
# shellcheck disable=SC2086 # several names
if ! unpack "$root" $packages >"$WORK/unpack.log" 2>&1 || ! [ -x "$resolved" ] || ! [ -x "$bus" ] ||
	! usable "$root" "$resolved" "$bus"; then
	echo "skip - systemd-resolved: its packages could not be downloaded ($(tail -n 1 "$WORK/unpack.log"))"
	exit $LAB_FAILED
fi
# polkit with the rules of this project and those of systemd-resolved's package, and nothing of this machine's.
# It is there before the bus starts, which reads at its start who may have polkit's name.
polkit_unpack() {
	local glib=libglib2.0-0
	apt-cache show libglib2.0-0t64 >/dev/null 2>&1 && glib+=t64
	unpack "$polkit" polkitd libpolkit-gobject-1-0 libpolkit-agent-1-0 libduktape207 $glib &&
		usable "$polkit" "$polkit/usr/lib/polkit-1/polkitd"
}
polkit_unpacked=false
polkit_unpack >"$WORK/polkit.log" 2>&1 && polkit_unpacked=true
polkit_there() { $polkit_unpacked && on nas mount -t overlay overlay -o "lowerdir=$WORK/share:/usr/share" /usr/share; }
cat >"$WORK/nas/bus.conf" <<XML
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <include>$root/usr/share/dbus-1/system.d/org.freedesktop.resolve1.conf</include>
  <include ignore_missing="yes">$polkit/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf</include>
</busconfig>
XML
echo "systemd-resolve:x:991:991::/:/usr/sbin/nologin" >>"$WORK/nas/passwd"
echo "systemd-resolve:x:991:" >>"$WORK/nas/group"
mkdir -p "$WORK/nas/run/dbus" "$WORK/nas/run/systemd"
bus_start() {
	on_bg nas bus.log env LD_LIBRARY_PATH="$(libraries)" "$bus" --config-file="$WORK/nas/bus.conf" --nofork
	BUS_PID=$BG
	wait_until 5 test -S "$WORK/nas/run/dbus/system_bus_socket"
}
polkit_start() {
	rm -f "$WORK/nas/polkit.log"
	# shellcheck disable=SC2016 # expanded by the inner shell
	on_bg nas polkit.log sh -c 'mount -t overlay overlay -o "lowerdir=$1:/usr/share" /usr/share &&
		LD_LIBRARY_PATH=$2 exec "$3"' sh "$WORK/share" "$(libraries "$polkit")" "$polkit/usr/lib/polkit-1/polkitd"
	wait_until 10 grep -q "Acquired the name" "$WORK/nas/polkit.log"
}
sed -i '/^polkitd:/d' "$WORK/nas/passwd" "$WORK/nas/group"
echo "polkitd:x:992:992::/:/usr/sbin/nologin" >>"$WORK/nas/passwd"
echo "polkitd:x:992:" >>"$WORK/nas/group"
mkdir -p "$WORK/share/polkit-1/rules.d" "$WORK/share/polkit-1/actions"
cp contrib/polkit/50-mlshtund.rules "$WORK/share/polkit-1/rules.d/"
cp "$root"/usr/share/polkit-1/actions/*.policy "$WORK/share/polkit-1/actions/"
resolvectl() { on nas env LD_LIBRARY_PATH="$(libraries)" "$root/usr/bin/resolvectl" --no-pager "$@"; }
resolved_start() {
	on_exec nas env LD_LIBRARY_PATH="$(libraries)" "$resolved" >>"$WORK/nas/resolved.log" 2>&1 </dev/null &
	RESOLVED_PID=$!
	LAB_PIDS+=("$RESOLVED_PID")
	wait_until 10 resolvectl dns eth0 "${MACHINE_IP[signal]}"
}
on_bg signal upstream.log python3 tests/lab/upstream.py "${MACHINE_IP[signal]}"
stub() { on nas dig +tries=1 +time=3 @127.0.0.53 "$@"; }
resolves() { [ "$(stub +short "$1")" = "$2" ]; }
dns_is() { status_holds nas homelab "c['dns']['state'] == '$1'"; }

# --- it appears while a cluster is up ---
check "no bus yet: unavailable" dns_is unavailable
must "D-Bus" bus_start
must "systemd-resolved" resolved_start
reconnect() { on nas mlsh disconnect homelab >/dev/null; on nas mlsh connect homelab; }
must "connected again" reconnect
has_polkit=false
if polkit_there >>"$WORK/polkit.log" 2>&1; then
	has_polkit=true
	check "mlshtund is not root" is_daemon_user "${DAEMON_PID[nas]}"
	check "without polkit the zone is refused" wait_until 10 dns_is refused
	check "and status says what to do" eval 'on nas mlsh status | joined | has "polkit has to let the user mlshtund.*50-mlshtund\.rules"'
	must "polkit" polkit_start
	must "connected again" reconnect
	check_fails "to another user it stays closed" 1 "authentication|denied" on nas setpriv --reuid 65534 --regid 65534 \
		--clear-groups env LD_LIBRARY_PATH="$(libraries)" "$root/usr/bin/resolvectl" domain mlsh0 x.test
else
	echo "skip - polkit: its packages cannot be used here ($(tail -n 1 "$WORK/polkit.log")); mlshtund stays root"
	stop "${DAEMON_PID[nas]}"
	sed -i '/^mlshtund:/d' "$WORK/nas/passwd"
	must "daemon as root" daemon_start nas
fi
check "the zone is registered" wait_until 10 dns_is active
capture() {
	ip netns exec "$LAB-nas" tcpdump -i lo -nl udp dst port 53 and dst host 100.64.0.1 >"$WORK/nas/asked" 2>"$WORK/nas/tcpdump.log" &
	LAB_PIDS+=("$!")
	wait_until 10 grep -q "listening on" "$WORK/nas/tcpdump.log"
}
must "listening at the node's DNS server" capture
check "a name of the cluster resolves through the stub" wait_until 5 resolves laptop.homelab 100.64.0.2
check "this node's own too" resolves nas.homelab 100.64.0.1
check "in any case" resolves LapTop.HomeLab 100.64.0.2
check "an unknown name of the cluster is NXDOMAIN" eval 'stub tv.homelab | has "status: NXDOMAIN"'
check "AAAA of a known name is NOERROR" eval 'stub AAAA laptop.homelab | has "status: NOERROR"'
check "other names are resolved by the others" resolves www.example.org 192.0.2.80
use_own_dns nas 127.0.0.53
check "programs find it" test "$(on nas getent ahostsv4 laptop.homelab | awk 'NR == 1 { print $1 }')" = 100.64.0.2
check "the tunnel is back" wait_until 15 pings nas 100.64.0.2
check "ping by name" on nas ping -c 1 -W 2 laptop.homelab
check "only the zone is asked for here" eval 'grep -q homelab "$WORK/nas/asked" && ! grep -q "example" "$WORK/nas/asked"'
check "nothing of the zone went upstream" eval \
	'grep -q www.example.org "$WORK/signal/upstream.log" && ! grep -qi homelab "$WORK/signal/upstream.log"'
check "as a routing domain only" eval 'resolvectl domain mlsh0 | has "~homelab" && resolvectl default-route mlsh0 | has "no"'
check "eth0 keeps its server" eval 'resolvectl dns eth0 | has 10.71.9.2'

# --- resolved restarts ---
stop "$RESOLVED_PID" KILL
must "systemd-resolved killed and started again" resolved_start
check "the zone is registered again" wait_until 10 resolves laptop.homelab 100.64.0.2
stop "$RESOLVED_PID" TERM
stop "$BUS_PID" KILL
rm -f "$WORK/nas/run/dbus/system_bus_socket"
check "without the bus the tunnel is as it was" pings nas 100.64.0.2
check "and status tells the truth" wait_until 10 dns_is unavailable
must "the bus again" bus_start
! $has_polkit || must "polkit again" polkit_start
must "systemd-resolved again" resolved_start
check "the zone is registered by itself" wait_until 30 resolves laptop.homelab 100.64.0.2

# --- and undone ---
gone() { resolves "$1" 192.0.2.80; }
check "disconnect" on nas mlsh disconnect homelab
check "the zone is reverted" wait_until 5 gone a.homelab
check "connect" on nas mlsh connect homelab
check "and it is back" wait_until 5 resolves laptop.homelab 100.64.0.2
stop "${DAEMON_PID[nas]}" KILL
check "daemon killed: the zone is gone" wait_until 5 gone b.homelab
must "daemon started again" daemon_start nas
check "names are back" wait_until 10 resolves laptop.homelab 100.64.0.2
check "once" test "$(resolvectl domain | grep -c homelab)" = 1
stop "${DAEMON_PID[nas]}" TERM
check "daemon stopped: the zone is gone" wait_until 5 gone c.homelab
check "other names never stopped" resolves www.example.com 192.0.2.80
exit $LAB_FAILED
