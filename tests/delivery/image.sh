#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The container image of the server, in podman.
cd "$(dirname "$0")/../.." || exit 1
. tests/delivery/engine.sh

engine_enter image "$0"
. tests/lab/lib.sh
trap 'rm -rf "$WORK"' EXIT
readonly volume=mlsh-signal-data:/var/lib/mlsh-signal
image=localhost/mlsh-signal:$(tools/version)
arch=$(dpkg --print-architecture)

said() { podman logs "$1" 2>&1 | has -E -- "$2"; } # container, pattern
# The exit status that a container ended with.
ended() { [ "$(podman wait "$1")" = "$2" ]; }

# --- the archive ---
must "the archive is written" tools/image signal "$WORK/one.tar" "$arch"
check "a second time with the same bytes" eval 'touch build/bin/mlsh-signal &&
	TZ=Asia/Tokyo tools/image signal "$WORK/two.tar" "$arch" && cmp "$WORK/one.tar" "$WORK/two.tar"'
must "podman loads it" podman load -i "$WORK/one.tar"
check "under its name and version" podman image exists "$image"
layer=$(podman image mount "$image")
check "it holds the program and the folder of its state" test \
	"$(cd "$layer" && find . -mindepth 1 | sort | paste -sd ' ')" = \
	"./usr ./usr/bin ./usr/bin/mlsh-signal ./var ./var/lib ./var/lib/mlsh-signal"
check "the program is the one that was built" cmp build/bin/mlsh-signal "$layer/usr/bin/mlsh-signal"
podman image unmount "$image" >/dev/null

# --- the server ---
must "the server starts by the documented command" \
	podman run -d --name signal -p 4433:4433/udp -v "$volume" "$image"
must "its log shows the setup token" wait_until 10 said signal \
	'^[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}@[0-9a-f]{64}$'
check "another token is had by exec" eval 'podman exec signal mlsh-signal token | has @'
check "SIGTERM ends it, which is process 1, with success" eval 'podman stop -t 10 signal && ended signal 0'
exit "$LAB_FAILED"
