#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The commands for ufw in docs/where-it-runs.md, with a real ufw in whole Debian systems.
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh
. tests/delivery/lib_system.sh
. tests/delivery/lib_where.sh
system_begin "$0" "$@"

firewall_on() { on "$1" ufw --force enable; }
firewall_open_server() { documented signal "ufw allow 4433/udp"; }
firewall_open_ssh() { documented "$1" "ufw allow in on mlsh0 to any port 22 proto tcp"; }
firewall_open_overlay() { documented "$1" "ufw allow in on mlsh0"; }
firewall_story ufw
