#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The examples of contrib/container: compose, quadlets, and an engine without root.
cd "$(dirname "$0")/../.." || exit 1
. tests/delivery/engine.sh

engine_enter image_examples "$0"
. tests/lab/lib.sh
trap 'rm -rf "$WORK"' EXIT

load() { # image, name
	tools/image "$1" "$WORK/$1.tar" "$(dpkg --print-architecture)" && podman load -i "$WORK/$1.tar" &&
		podman tag "$2:$(tools/version)" "$2"
}
said() { podman logs "$1" 2>&1 | has -E -- "$2"; } # container, pattern
token() { podman logs "$1" 2>/dev/null | grep -xE '[A-Z0-9-]{14}@[0-9a-f]{64}'; } # container
is_connected() { podman exec "$1" mlsh status --json | json_holds "d['clusters'][0]['state'] == 'connected'"; } # container
invite() { podman exec nas mlsh invite --no-qr | grep -oE "mlsh://[^ ']+" | head -n 1; }
# What a program beside nas reads at that address.
reads() { podman run --rm --network container:nas localhost/busybox /busybox wget -qO - "$1"; } # URL

must "server and node are loaded" eval 'load signal mlsh-signal && load node mlsh'
# In the place of nginx, which no test fetches: another web server under its name.
tar -C /usr/bin -cf - busybox | podman import - localhost/busybox >/dev/null 2>&1
mkdir -p "$WORK/root/www" && cp /usr/bin/busybox "$WORK/root/" && echo "hello from web" >"$WORK/root/www/index.html"
tar -C "$WORK/root" -cf - . | podman import -c 'CMD ["/busybox","httpd","-f","-p","80","-h","/www"]' \
	- docker.io/library/nginx >/dev/null 2>&1

# --- compose ---
cp -r contrib/container/server contrib/container/node "$WORK/"
compose() { (cd "$WORK/$1" && shift && podman-compose "$@"); } # folder, arguments
must "podman-compose starts the server" compose server up -d
must "it shows a token" wait_until 10 token server_mlsh-signal_1
must "the first node" eval 'token server_mlsh-signal_1 | podman run --rm -i -v nas:/var/lib/mlsh mlsh setup homelab \
	--signal-host "$(ip -4 -o addr show podman1 | grep -oE "10[.0-9]+" | head -n 1)" --token - --name nas'
must "connects" eval 'podman run -d --name nas --cap-add NET_ADMIN --device /dev/net/tun -v nas:/var/lib/mlsh mlsh &&
	wait_until 10 is_connected nas'
must "podman-compose starts a node and a web server beside it" eval \
	'MLSH_INVITE=$(invite) MLSH_NAME=web compose node up -d && wait_until 10 is_connected node_mlsh_1'
check "the web server is reached by the node's name" wait_until 10 eval '[ "$(reads http://web.homelab/)" = "hello from web" ]'
check "and starts again without the invite" eval 'compose node down && MLSH_NAME=web compose node up -d &&
	wait_until 10 is_connected node_mlsh_1 && wait_until 10 eval "[ \"\$(reads http://web.homelab/)\" = \"hello from web\" ]"'
compose node down >/dev/null 2>&1

# --- quadlets ---
mkdir -p /etc/containers/systemd && cp contrib/container/quadlet/* /etc/containers/systemd/
# The command of a unit as podman writes it for systemd. Without systemd here there are no cgroups.
unit() { # name
	/usr/lib/systemd/system-generators/podman-system-generator --dryrun 2>/dev/null |
		sed -n "/^---$1.service---/,/^---/s/^ExecStart=//p" |
		sed "s,%t,$WORK,g; s,%N,$1,g; s,--cgroups=split,--cgroups=disabled,"
}
start() { eval "$(unit "$1")"; } # unit's name; its quotes are those of a shell
check "podman's generator takes all three" eval \
	'for each in mlsh-signal mlsh web; do unit "$each" | has "^/usr/bin/podman run " || return 1; done'
check "systemd finds no fault in them" eval '/usr/lib/systemd/system-generators/podman-system-generator --dryrun 2>&1 |
	{ ! grep -iE "error|warn|unsupported|converting"; }'
for each in mlsh-signal mlsh; do
	check "$each is never fetched, and gains no rights" eval \
		'unit "$each" | has -E -- "--pull[= ]never .*localhost/$each" && unit "$each" | has -E -- "no-new-privileges"'
done
check "nor does compose fetch them" test "$(grep -h -A 1 "image: localhost/mlsh" contrib/container/*/compose.yaml |
	grep -c "pull_policy: never")" = 2
compose server down >/dev/null 2>&1
must "the server's unit runs" start mlsh-signal
must "and shows a token" wait_until 10 token mlsh-signal
podman rm -f nas >/dev/null && podman volume rm nas >/dev/null
must "the first node of another cluster" eval 'token mlsh-signal | podman run --rm -i -v nas:/var/lib/mlsh mlsh setup homelab \
	--signal-host "$(podman inspect -f "{{.NetworkSettings.IPAddress}}" mlsh-signal)" --token - --name nas &&
	podman run -d --name nas --cap-add NET_ADMIN --device /dev/net/tun -v nas:/var/lib/mlsh mlsh && wait_until 10 is_connected nas'
must "the node's unit runs with the invite as a secret" eval \
	'podman exec nas mlsh invite --no-qr --name web | grep -oE "mlsh://[^ ]+" | head -n 1 | podman secret create mlsh-invite - &&
	start mlsh && wait_until 10 is_connected mlsh'
check "it is healthy" podman healthcheck run mlsh
check "the unit beside it is reached by name" eval 'start web &&
	wait_until 10 eval "[ \"\$(reads http://web.homelab/)\" = \"hello from web\" ]"'
podman rm -f -a >/dev/null 2>&1

# --- without root ---
useradd -m -u 1000 joe && mkdir -p /run/user/1000 && chown joe /run/user/1000
chmod 711 "$WORK" && chmod 644 "$WORK"/*.tar
mkdir -p /home/joe/.config/containers && printf '[storage]\ndriver = "vfs"\n' >/home/joe/.config/containers/storage.conf
chown -R joe /home/joe
as_joe() { (cd / && setpriv --reuid joe --regid joe --clear-groups env -i HOME=/home/joe XDG_RUNTIME_DIR=/run/user/1000 PATH="$PATH" "$@"); }
joe_said() { as_joe podman logs "$1" 2>&1 | has -E -- "$2"; } # container, pattern
if ! as_joe unshare --user true 2>"$WORK/why"; then
	echo "skip - an engine without root: $(head -n 1 "$WORK/why")"
	exit "$LAB_FAILED"
fi
ip netns add outside
ip link add to-outside type veth peer name eth0 netns outside
ip addr add 198.51.100.1/24 dev to-outside && ip link set to-outside up && ip route add default via 198.51.100.2
ip -n outside addr add 198.51.100.2/24 dev eth0 && ip -n outside link set eth0 up && ip -n outside link set lo up
outside() { ip netns exec outside env -i PATH="$BIN:$PATH" HOME="$WORK" "$@"; }
outside mlshtund >"$WORK/mlshtund.log" 2>&1 &
seen_at() { outside mlsh status --json | json_holds "d['clusters'][0]['signal'].get('observed', '').startswith('$1')"; } # address

server=mlsh-signal:$(tools/version)
must "an engine without root loads both" eval 'as_joe podman load -i "$WORK/signal.tar" && as_joe podman load -i "$WORK/node.tar"'
must "it runs the server" as_joe podman run -d --name signal -p 4433:4433/udp -v data:/var/lib/mlsh-signal "$server"
check "which shows its token" wait_until 20 joe_said signal '^[A-Z0-9-]{14}@[0-9a-f]{64}$'
must "a machine outside sets up a cluster and connects" eval 'as_joe podman logs signal 2>/dev/null | grep @ |
	outside mlsh setup homelab --signal-host 198.51.100.1 --token - --name nas && outside mlsh connect'
check "podman's own network shows the server true addresses" wait_until 10 seen_at 198.51.100.2:
as_joe podman rm -f -t 10 signal >/dev/null && as_joe podman network create mesh >/dev/null
must "the server goes on in a network that was made" as_joe podman run -d --name signal --network mesh -p 4433:4433/udp \
	-v data:/var/lib/mlsh-signal "$server"
check "which hides them, as docs/containers.md says" wait_until 20 seen_at 10.
must "a node joins there" eval 'as_joe podman run -d --name web --network mesh --cap-add NET_ADMIN --device /dev/net/tun \
	-v web:/var/lib/mlsh -e MLSH_INVITE="$(outside mlsh invite --no-qr --name web | grep -oE "mlsh://[^ '"'"']+" | head -n 1)" "mlsh:$(tools/version)"'
check "and connects" wait_until 20 joe_said web "Connected to homelab"
check "the two reach each other" wait_until 20 outside ping -n -c 1 -W 1 100.64.0.2
exit "$LAB_FAILED"
