# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# The same forwarder, with AES-128-GCM on every datagram.
. bench/drivers/floor.sh
FLOOR_OPTIONS=(-a)
