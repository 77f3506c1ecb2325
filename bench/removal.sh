#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# How soon does a removal hold? Three machines behind a router send each other a datagram every 2 ms, `mlsh remove`
# removes one of them, and the time from its return to the last datagram of that one which any other took is noted:
#
#     direct   over direct paths
#     relay    over the server's relay, with no direct path
#     alone    while the server is down: nobody has ordered the removal
#     bulk-direct, bulk-relay, bulk-alone    the same with TCP both ways, as much as the path takes
#
#   bench/removal.sh		RUNS=20 of each of MODES="direct relay alone bulk-direct bulk-relay bulk-alone"
#
# Prints the worst and the median in milliseconds, also of what the removed one took from others, and of the time from the
# command's start. A number below 0 was over before the command returned.
cd "$(dirname "$0")/.." || exit 1
. tests/lab/lib.sh
. tests/lab/lib_removal.sh

RUNS=${RUNS:-20}
read -ra modes <<<"${MODES:-direct relay alone bulk-direct bulk-relay bulk-alone}"
lab_need_root bench-removal
trap lab_down EXIT
trap 'exit 130' INT TERM
die() {
	echo "bench/removal.sh: $*" >&2
	exit 1
}

server_up() {
	signal_ready || signal_start || return 1
	wait_until 20 connected nas homelab && wait_until 20 connected laptop homelab
}
table() { # mode
	python3 -c 'import statistics, sys
rows = [[float(x) for x in line.split()] for line in sys.stdin]
for what, times in zip(("returned, others took from it", "returned, it took from others",
                        "began, others took from it", "began, it took from others"), zip(*rows)):
    print(f"{sys.argv[1]:12}{len(rows):3} runs: after the command {what:30} until {max(times):7.1f} ms at worst,",
          f"{statistics.median(times):7.1f} median", flush=True)
rates = [row[4] for row in rows if len(row) > 4]
if rates:
    print(f"{sys.argv[1]:12}{len(rows):3} runs: TCP carried {min(rates):.0f} to {max(rates):.0f} Mbit/s,",
          f"{statistics.median(rates):.0f} median", flush=True)' "$1"
}

removal_up || die "the machines form no mesh"
n=0
for mode in "${modes[@]}"; do
	: >"$WORK/all"
	path=direct
	[ "${mode#bulk-}" = relay ] && path=relay && cut_direct
	bulk=
	[ "$mode" != "${mode#bulk-}" ] && bulk=--bulk
	for ((i = 0; i < RUNS; i++)); do
		name=gone$((++n))
		removal_join "$name" "$path" || die "$name has no $path path"
		[ "${mode#bulk-}" = alone ] && stop "$SIGNAL_PID" KILL
		removal_measure "$name" $bulk || die "$(cat "$WORK/remove.out")"
		cat "$WORK/times" >>"$WORK/all"
		server_up || die "the server does not come back"
		removal_leave || die "$(cat "$WORK/gone/forget.out")"
	done
	mend_direct
	table "$mode" <"$WORK/all"
done
