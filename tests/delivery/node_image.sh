#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The container image of a node, in podman: two nodes, and containers that share their networks and
# reach each other by name.
cd "$(dirname "$0")/../.." || exit 1
. tests/delivery/engine.sh

engine_enter node_image "$0"
. tests/lab/lib.sh
trap 'rm -rf "$WORK"' EXIT
server=localhost/mlsh-signal:$(tools/version)
node=localhost/mlsh:$(tools/version)

# run NAME OPTION...: a node in the background, as docs/containers.md says.
run() {
	local name=$1
	shift
	podman run -d --name "$name" --network mesh --cap-add NET_ADMIN --device /dev/net/tun \
		-v "$name:/var/lib/mlsh" "$@"
}
# A command of another program beside a node, in its network.
beside() { # node, command...
	local name=$1
	shift
	podman run --rm --network "container:$name" localhost/busybox "$@"
}
invite() { podman exec nas mlsh invite --no-qr "$@" | grep -oE "mlsh://[^ ']+" | head -n 1; }
holds() { podman exec "$1" mlsh status --json | json_holds "(lambda c: $2)(d['clusters'][0])"; } # node, expression
is_connected() { holds "$1" "c['state'] == 'connected'"; }
pid_1() { podman inspect -f '{{.State.Pid}}' "$1"; }
# How many processes a container has.
processes() { # container
	local of pid n=0
	of=$(readlink "/proc/$(pid_1 "$1")/ns/pid")
	for pid in /proc/[0-9]*; do [ "$(readlink "$pid/ns/pid")" != "$of" ] || n=$((n + 1)); done
	echo $n
}

# --- the archive ---
load() { tools/image "$1" "$WORK/$1.tar" "$(dpkg --print-architecture)" && podman load -i "$WORK/$1.tar"; }
must "podman loads the server" load signal
must "and the node" load node
layer=$(podman image mount "$node")
check "it holds two programs, two tables of users and a folder" test \
	"$(cd "$layer" && find . -mindepth 1 -type f -o -type d -empty | sort | paste -sd ' ')" = \
	"./etc/group ./etc/passwd ./usr/bin/mlsh ./usr/bin/mlshtund ./var/lib/mlsh"
podman image unmount "$node" >/dev/null
tar -C /usr/bin -cf - busybox | podman import - localhost/busybox >/dev/null 2>&1

# --- what is missing is named ---
podman network create mesh >/dev/null
check_fails "without NET_ADMIN it says so" 1 "CAP_NET_ADMIN.*--cap-add NET_ADMIN" \
	podman run --rm --device /dev/net/tun "$node"
check_fails "without the device, too" 1 "/dev/net/tun.*--device /dev/net/tun" \
	podman run --rm --cap-add NET_ADMIN "$node"
check_fails "without an invite it says where one comes from" 1 "in no cluster yet.*MLSH_INVITE" \
	podman run --rm --cap-add NET_ADMIN --device /dev/net/tun "$node"
check_fails "an invalid invite is named" 1 "invite" \
	podman run --rm --cap-add NET_ADMIN --device /dev/net/tun -e MLSH_INVITE=hello "$node"
check_fails "so are two at once" 1 "both set" podman run --rm --cap-add NET_ADMIN --device /dev/net/tun \
	-e MLSH_INVITE=a -e MLSH_INVITE_FILE=b "$node"
check_fails "and a file that is missing" 1 "MLSH_INVITE_FILE.*/nothing" podman run --rm --cap-add NET_ADMIN \
	--device /dev/net/tun -e MLSH_INVITE_FILE=/nothing "$node"

# --- the first node ---
must "a server" podman run -d --name signal --network mesh "$server"
must "its token" wait_until 10 eval 'podman logs signal 2>/dev/null | has @'
must "the first node sets up a cluster" eval 'podman logs signal 2>/dev/null | head -n 1 |
	podman run --rm -i -v nas:/var/lib/mlsh --network mesh "$node" setup homelab \
	--signal-host signal --token - --name nas'
must "it runs" run nas "$node"
must "and connects" wait_until 10 is_connected nas
check "its daemon is process 1, a user of its own without other rights" eval \
	'[ "$(awk "/^(Uid|CapEff|NoNewPrivs|Seccomp):/ { print \$2 }" "/proc/$(pid_1 nas)/status" | paste -sd " ")" = \
	"$(podman run --rm --entrypoint /usr/bin/mlsh "$node" --version >/dev/null && echo 61044) 0000000000001400 1 2" ]'

# --- a second one, by an invite ---
invite --name web >"$WORK/invite"
must "another joins by a file with an invite" run web -v "$WORK/invite:/run/secrets/invite:ro" \
	-e MLSH_INVITE_FILE=/run/secrets/invite "$node"
must "it connects" wait_until 10 is_connected web
must "a third by the environment, under a name that is given" eval \
	'MLSH_INVITE=$(invite) run desk -e MLSH_INVITE -e MLSH_NAME=desk "$node"'
check "it connects" wait_until 10 is_connected desk
check "the invite is in no environment of the daemon" eval \
	'! tr "\0" "\n" <"/proc/$(pid_1 desk)/environ" | grep MLSH_INVITE='
check "nobody is left of who connected it" wait_until 10 eval '[ "$(processes desk)" = 1 ]'

# --- names ---
must "a web server shares the network of nas" eval 'mkdir "$WORK/www" && echo "hello from nas" >"$WORK/www/index.html" &&
	podman run -d --name app --network container:nas -v "$WORK/www:/www:ro" localhost/busybox \
	/busybox httpd -f -p 80 -h /www'
check "a container that shares the network of web reaches it by name" wait_until 10 eval \
	'[ "$(beside web /busybox wget -qO - http://nas.homelab/)" = "hello from nas" ]'
check "one beside desk, too" wait_until 10 eval \
	'[ "$(beside desk /busybox wget -qO - http://nas.homelab/)" = "hello from nas" ]'
check_fails "names of the engine's network are still found" 1 "Connecting to signal \(10\..*:80\)" \
	beside web /busybox wget -O - http://signal/
check "status says who is asked for names" eval \
	'podman exec web mlsh status | has "dns *./etc/resolv.conf names this node, for .homelab"'
check "a healthy node answers" podman exec web mlsh status

# --- a restart ---
check "SIGTERM ends it with success" eval 'podman stop -t 10 web && [ "$(podman wait web)" = 0 ]'
check "it starts again with the invite that was used" eval 'podman start web && wait_until 10 is_connected web'
check "and says what that invite is now" eval 'podman logs web 2>&1 | joined | has "already: the invite is not used"'
check "the list of name servers has it once" test "$(beside web /busybox grep -c 100.64 /etc/resolv.conf)" = 1
address=$(podman exec web mlsh status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["clusters"][0]["address"])')
must "a new container takes over the volume" eval 'podman rm -f web && run web "$node"'
check "as the same node" wait_until 10 holds web "c['state'] == 'connected' and c['address'] == '$address'"
must "with a root that is read-only" eval 'podman rm -f web && run web --read-only "$node"'
check "it is the same node again" wait_until 10 is_connected web
check "but says that it cannot give its names to others" wait_until 10 eval \
	'podman logs web 2>&1 | joined | has "do not find nodes by name .*Read-only file system"'
must "MLSH_DNS=off leaves the list alone" eval 'podman rm -f desk && run desk -e MLSH_DNS=off "$node" &&
	wait_until 10 is_connected desk && ! beside desk /busybox grep 100.64 /etc/resolv.conf'

# --- the end ---
check "a node that was removed says so" eval 'podman exec nas mlsh remove desk --yes &&
	wait_until 10 holds desk "c[\"state\"] == \"stopped\"" && podman exec desk mlsh status | has removed'
check "and joins again, when it has forgotten, by a new invite" eval \
	'podman exec desk mlsh forget homelab --yes && podman rm -f desk &&
	run desk -e "MLSH_INVITE=$(invite --replace desk)" "$node" && wait_until 10 is_connected desk'

# --- another architecture ---
# Only what needs no second program: qemu runs one.
if [ "$(dpkg --print-architecture)" != amd64 ] || [ ! -x build/arm64/bin/mlshtund ]; then
	echo "skip - the image for arm64: it is not built (make ARCH=arm64 cli)"
else
	must "the archive of both is written" tools/image node "$WORK/both.tar" amd64 arm64
	must "podman takes the other image out of it" podman pull --arch arm64 "oci-archive:$WORK/both.tar"
	for program in mlsh mlshtund; do
		check "$program runs under qemu" eval 'podman run --rm --arch arm64 -v /usr/bin/qemu-aarch64:/qemu:ro \
			--entrypoint /qemu "$node" "/usr/bin/$program" --version | has "^$program $(tools/version)"'
	done
fi
[ "$LAB_FAILED" = 0 ] || for name in nas web desk signal; do echo "--- $name"; podman logs --tail 20 "$name" 2>&1; done
exit "$LAB_FAILED"
