# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# A forwarder without crypto: what user space costs at least.
FLOOR_OPTIONS=()
driver_version() { echo "bench/floor.c ${FLOOR_OPTIONS[*]}, MTU 1420"; }
driver_prepare() { :; }
driver_start() { # side
	daemon "$1" "$BENCH_BIN/floor" "${FLOOR_OPTIONS[@]}" bench0 7000 "$(outer "$(other "$1")")" 7000
	await device "$1" bench0 && device_up "$1" bench0 1420
}
