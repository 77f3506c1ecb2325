#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The container image of the server, in podman: this machine's architecture, and arm64 under qemu where
# it was built (make ARCH=arm64).
cd "$(dirname "$0")/../.." || exit 1
. tests/delivery/engine.sh

engine_enter image "$0"
. tests/lab/lib.sh
trap 'rm -rf "$WORK"' EXIT
readonly volume=mlsh-signal-data:/var/lib/mlsh-signal
image=localhost/mlsh-signal:$(tools/version)
archs=$(dpkg --print-architecture)
foreign=""
if [ "$archs" = amd64 ] && [ -x build/arm64/bin/mlsh-signal ]; then foreign=arm64; fi

write() { tools/image signal "$1" "$archs" ${foreign:+"$foreign"}; } # file
said() { podman logs "$1" 2>&1 | has -E -- "$2"; } # container, pattern
token() { podman logs "$1" 2>/dev/null | grep -xE '[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}@[0-9a-f]{64}'; } # container
serves() { wait_until 10 said "$1" 'mlsh-signal .* on \[::\]:4433'; } # container
certificate() { podman logs "$1" 2>&1 | grep -oE 'certificate [0-9a-f]{64}' | tail -n 1; } # container
# A server in the background, as docs/containers.md says.
run() { # name, options
	local name=$1
	shift
	podman run -d --name "$name" -p 4433:4433/udp "$@"
}
pid_1() { podman inspect -f '{{.State.Pid}}' "$1"; } # container
# The user and the rights of a container's first process.
rights() { awk '/^(Uid|CapEff|NoNewPrivs|Seccomp):/ { print $2 }' "/proc/$(pid_1 "$1")/status" | paste -sd ' '; } # container
# SIGTERM ends it, which is process 1: soon, and with success.
ends() { # container
	local begin=$SECONDS
	podman stop -t 60 "$1" && [ "$(podman wait "$1")" = 0 ] && [ $((SECONDS - begin)) -lt 30 ]
}

# --- the archive ---
must "the archive is written" write "$WORK/one.tar"
check "a second time, later and elsewhere, with the same bytes" eval 'touch build/bin/mlsh-signal &&
	(umask 077 && TZ=Asia/Tokyo write "$WORK/two.tar") && cmp "$WORK/one.tar" "$WORK/two.tar"'
must "podman loads it" podman load -i "$WORK/one.tar"
check "under its name and version" podman image exists "$image"
layer=$(podman image mount "$image")
check "it holds the program and the folder of its state" test \
	"$(cd "$layer" && find . -mindepth 1 | sort | paste -sd ' ')" = \
	"./usr ./usr/bin ./usr/bin/mlsh-signal ./var ./var/lib ./var/lib/mlsh-signal"
check "the program is the one that was built" cmp build/bin/mlsh-signal "$layer/usr/bin/mlsh-signal"
podman image unmount "$image" >/dev/null

# --- the documented command ---
must "the server starts by the documented command" run signal -v "$volume" "$image"
must "its log shows the setup token" wait_until 10 token signal
check "it is a user of its own without rights" eval '[ "$(rights signal)" = "61044 0000000000000000 1 2" ]'
# Nothing where the kernel gives the 2 MiB that are asked for.
check "its log says if the kernel gives it little" eval \
	'[ "$(cat /proc/sys/net/core/rmem_max)" -ge 2097152 ] || said signal "this kernel lets [0-9]+ KiB of packets wait"'
check "another token is had by exec" eval 'podman exec signal mlsh-signal token | has @'
check "so is the list of clusters" eval 'podman exec signal mlsh-signal clusters 2>&1 | has "no cluster yet"'

# --- what it sees of those who call ---
ip netns add outside
ip link add to-outside type veth peer name eth0 netns outside
ip addr add 198.51.100.1/24 dev to-outside && ip link set to-outside up
ip -n outside addr add 198.51.100.2/24 dev eth0 && ip -n outside link set eth0 up
ip -n outside link set lo up
outside() { ip netns exec outside env -i PATH="$BIN:$PATH" HOME="$WORK" "$@"; }
outside mlshtund >"$WORK/mlshtund.log" 2>&1 &
observed() { outside mlsh status --json | json_holds "d['clusters'][0]['signal'].get('observed', '').startswith('$1:')"; }
must "a machine outside sets up a cluster through the published port" eval \
	'token signal | outside mlsh setup homelab --signal-host 198.51.100.1 --token - --name nas'
must "and connects" eval 'wait_until 10 outside mlsh status && outside mlsh connect'
check "the server sees its true address behind podman's bridge" wait_until 10 observed 198.51.100.2
check "its cluster is in the list" eval 'podman exec signal mlsh-signal clusters | has homelab'
check "SIGTERM ends it soon, with success" ends signal
check "nothing is left beside the database that a copy would lack" eval \
	'[ ! -s "$(podman volume inspect -f "{{.Mountpoint}}" mlsh-signal-data)/signal.db-wal" ]'
before=$(certificate signal)
must "a new container takes over the volume, with no right and a root that is read-only" eval 'podman rm signal &&
	run signal --read-only --read-only-tmpfs=false --cap-drop all --security-opt no-new-privileges -v "$volume" "$image" &&
	serves signal'
check "it is the same server" test "$(certificate signal)" = "$before"
check "and shows no token" eval '! token signal'
check "the machine outside is connected again" wait_until 20 observed 198.51.100.2
check "a backup is whole" eval 'podman exec signal mlsh-signal backup - >"$WORK/backup" &&
	podman run --rm -i "$image" restore - --check <"$WORK/backup"'
podman rm -f -t 5 signal >/dev/null
must "in its host's network" eval 'podman run -d --name signal --network host -v "$volume" "$image" && serves signal'
check "it sees true addresses, too" wait_until 20 observed 198.51.100.2
podman rm -f -t 5 signal >/dev/null

# --- folders and settings ---
mkdir "$WORK/data" && chmod 755 "$WORK/data"
check_fails "a folder of root's is named, with what to do" 1 "user id 61044.* chown 61044:61044 /var/lib/mlsh-signal; " \
	podman run --rm -v "$WORK/data:/var/lib/mlsh-signal" "$image"
must "with --user 0 it takes the folder over" eval 'run signal --user 0 -v "$WORK/data:/var/lib/mlsh-signal" "$image" &&
	wait_until 10 token signal'
check "and is its own user then" eval '[ "$(rights signal)" = "61044 0000000000000000 1 2" ]'
check "commands go on as that user" eval 'podman exec signal mlsh-signal token | has @'
check "so it ends" ends signal
must "from then on it needs no more than others" eval 'podman rm signal &&
	run signal -v "$WORK/data:/var/lib/mlsh-signal" "$image" && serves signal'
podman rm -f -t 5 signal >/dev/null
printf 'log = "debug"\n[quic]\nbind = "0.0.0.0:4433"\n' >"$WORK/config.toml"
check "it reads a file that is mounted" eval 'run signal -v "$WORK/config.toml:/etc/mlsh-signal/config.toml:ro" "$image" &&
	wait_until 10 said signal "on 0.0.0.0:4433"'
podman rm -f -t 5 signal >/dev/null
check_fails "a wrong variable ends it at once" 2 "MLSH_OVERLAY_SUBNET" \
	podman run --rm -e MLSH_OVERLAY_SUBNET=10.0.0.0/33 "$image"

# --- another architecture ---
if [ -z "$foreign" ]; then
	echo "skip - the image for arm64: it is not built (make ARCH=arm64 signal)"
else
	must "podman takes the other image out of the archive" \
		podman pull --arch arm64 "oci-archive:$WORK/one.tar"
	must "it runs under qemu" podman run -d --name arm --arch arm64 --entrypoint /qemu \
		-v /usr/bin/qemu-aarch64:/qemu:ro "$image" /usr/bin/mlsh-signal
	check "and shows a token" wait_until 20 token arm
	check "its program is the one that was built" eval 'podman cp arm:/usr/bin/mlsh-signal - | tar -xOf - |
		cmp - build/arm64/bin/mlsh-signal'
	check "it ends soon, too" ends arm
fi
[ "$LAB_FAILED" = 0 ] || cat "$WORK/mlshtund.log"
exit "$LAB_FAILED"
