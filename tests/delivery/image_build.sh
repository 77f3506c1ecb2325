#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# contrib/container/Containerfile: the images from source by podman, compared with those of tools/image.
# It compiles everything in a Debian 12 of its own, which takes minutes and the network.
cd "$(dirname "$0")/../.." || exit 1
. tests/delivery/engine.sh

engine_enter image_build "$0" bookworm
. tests/lab/lib.sh
trap 'rm -rf "$WORK"' EXIT

# In a container no limit may be raised, which podman tries.
limits=(--ulimit "nofile=$(ulimit -Hn):$(ulimit -Hn)" --ulimit "nproc=$(ulimit -Hu):$(ulimit -Hu)")
arch=$(dpkg --print-architecture)
settings() { podman image inspect -f '{{json .Config}}' "$1" | python3 -c 'import json, sys
c = json.load(sys.stdin)
c.pop("Labels", None)
print(json.dumps(c, sort_keys=True))'; } # image
files() { (cd "$(podman image mount "$1")" && find . -mindepth 1 -printf '%p %M %U:%G\n' | sort); } # image
build() { # target
	podman build --isolation chroot --network host "${limits[@]}" -f contrib/container/Containerfile --target "$1" \
		--build-arg COMMIT=0123456789ab -t "localhost/built/$1" .
}
compare() { # image, its name
	tools/image "$1" "$WORK/$1.tar" "$arch" >/dev/null 2>&1 && podman load -q -i "$WORK/$1.tar" >/dev/null
	check "$2: the settings are those of tools/image" diff <(settings "localhost/built/$2") <(settings "$2:$(tools/version)")
	check "$2: so are files, modes and owners" diff <(files "localhost/built/$2") <(files "$2:$(tools/version)")
}

tar -C /base -cf - . | podman import -q - docker.io/library/debian:12 >/dev/null
must "the server is built" build mlsh-signal
must "a node, too" build mlsh
compare signal mlsh-signal
compare node mlsh
check "the server runs" eval 'podman run --rm --network none localhost/built/mlsh-signal --version | has "commit 0123456789ab"'
check "the node, too" eval 'podman run --rm --network none localhost/built/mlsh --version | has "commit 0123456789ab"'
exit "$LAB_FAILED"
