# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# One function for each figure. Each adds a line of JSON to $RAW.

MODE=offload

# What the machines' network cards can do: "offload": super-packets cross the wire whole, as on one
# host; "wire": they are cut before it, and the receiving host may join them again, as a card does.
underlay() { # mode
	local name on=on gro=off
	[ "$1" = wire ] && on=off gro=on
	MODE=$1
	for name in "${!INDEX[@]}"; do
		for side in a b; do
			ip netns exec "$LAB-$side${INDEX[$name]}" ethtool -K eth0 tso $on tx-udp-segmentation $on gro $gro
			ip netns exec "$LAB-router" ethtool -K "to-$side${INDEX[$name]}" tso $on \
				tx-udp-segmentation $on gro off
		done
	done >/dev/null 2>&1
}
# Random loss in both directions, in hundredths of a percent.
loss() { # contestant, amount
	local i=${INDEX[$1]}
	ip netns exec "$LAB-router" nft delete table ip bench 2>/dev/null
	[ "$2" = 0 ] || ip netns exec "$LAB-router" nft -f - <<-END
		table ip bench {
			chain forward {
				type filter hook forward priority 0;
				iifname { "to-a$i", "to-b$i" } numgen random mod 10000 < $2 drop
			}
		}
	END
}

# A way of so many ms between the machines of all contestants, on top of what it is; 0: gone again.
delay() { # milliseconds each way
	local i r=$LAB-router
	if [ "$1" = 0 ]; then
		stop "$DELAY_PID"
		ip -n "$r" rule flush && ip -n "$r" rule add lookup main
		DELAY_MS=0
		return
	fi
	ip netns exec "$r" "$BENCH_BIN/delay" delay0 "$1" &
	DELAY_PID=$!
	LAB_PIDS+=("$DELAY_PID")
	await ip -n "$r" link set delay0 up 2>/dev/null || return 1
	set_kernel "$r" net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.delay0.rp_filter=0
	ip -n "$r" route replace default dev delay0 table 100
	for i in "${INDEX[@]}"; do
		ip -n "$r" rule add iif "to-a$i" lookup 100
		ip -n "$r" rule add iif "to-b$i" lookup 100
	done
	DELAY_MS=$1
}
DELAY_MS=0

measure_tcp() { # contestant, run, streams, up|down, [loss in hundredths of a percent], [seconds]
	local before json reverse=() seconds=${6:-$SECS}
	[ "$4" = down ] && reverse=(-R)
	before=$(cpu_now "$1")
	json=$(tool "a${INDEX[$1]}" timeout $((seconds + 15)) "$(program iperf3)" -c "${INNER_B[$1]}" -p $IPERF_PORT \
		-t "$seconds" -P "$3" -C cubic "${reverse[@]}" -J --connect-timeout 5000 2>/dev/null)
	emit --arg who "$1" --argjson run "$2" --argjson streams "$3" --arg direction "$4" --arg mode "$MODE" \
		--argjson loss "${5:-0}" --argjson delay "$DELAY_MS" --argjson cpu "$(cpu_between "$before" "$(cpu_now "$1")")" \
		--argjson j "${json:-{\}}" '{k: "tcp", $who, $mode, $streams, $direction, $loss, $delay, $run,
			mbps: (($j.end.sum_received.bits_per_second // 0) / 1e6),
			bytes: ($j.end.sum_received.bytes // 0),
			resent: ($j.end.sum_sent.retransmits // 0)} + $cpu'
}

# Prints: delivered Mbit/s, lost %, sent Mbit/s.
udp_try() { # contestant, Mbit/s, seconds
	local json
	json=$(tool "a${INDEX[$1]}" timeout $(($3 + 15)) "$(program iperf3)" -c "${INNER_B[$1]}" -p $IPERF_PORT -u -b "$2M" \
		-l 1200 -w 2M -t "$3" -J --connect-timeout 5000 2>/dev/null)
	jq -r '.end.sum | ((.bits_per_second // 0) / 1e6) as $sent | (.lost_percent // 100) as $lost
		| "\($sent * (1 - $lost / 100)) \($lost) \($sent)"' <<<"${json:-{\}}" 2>/dev/null || echo 0 100 0
}
# Rates in steps of 15 %.
udp_rate() { awk -v n="$1" 'BEGIN { printf "%.0f", 50 * 1.15 ^ n }'; }
udp_passes() { # contestant, step
	local rate delivered lost sent
	rate=$(udp_rate "$2")
	for _ in 1 2; do # one bad second is forgiven
		read -r delivered lost sent < <(udp_try "$1" "$rate" 1)
		awk "BEGIN { exit !($lost < 1 && $sent >= 0.95 * $rate && $delivered > 0) }" && return 0
	done
	return 1
}
# The highest step that loses less than 1 %.
udp_search() { # contestant
	local low=0 high=38 mid
	while [ $low -lt $high ]; do
		mid=$(((low + high + 1) / 2))
		if udp_passes "$1" $mid; then low=$mid; else high=$((mid - 1)); fi
	done
	echo $low
}
measure_udp() { # contestant, run, step
	local before delivered lost sent
	before=$(cpu_now "$1")
	read -r delivered lost sent < <(udp_try "$1" "$(udp_rate "$3")" "$SECS")
	emit --arg who "$1" --argjson run "$2" --argjson rate "$(udp_rate "$3")" --arg mode "$MODE" \
		--argjson mbps "$delivered" --argjson lost "$lost" --argjson sent "$sent" --argjson seconds "$SECS" \
		--argjson cpu "$(cpu_between "$before" "$(cpu_now "$1")")" \
		'{k: "udp", $who, $mode, $rate, $run, $mbps, $lost, $sent, bytes: ($mbps * 1e6 / 8 * $seconds)} + $cpu'
}
# The middle one of the losses at a rate so far.
udp_lost() { # contestant, step
	jq -s --arg who "$1" --argjson rate "$(udp_rate "$2")" --arg mode "$MODE" \
		'[.[] | select(.k == "udp" and .who == $who and .mode == $mode and .rate == $rate) | .lost] | sort
			| .[length / 2 | floor]' "$RAW"
}

measure_rtt() { # contestant, run, idle|loaded
	local before json pid=""
	if [ "$3" = loaded ]; then
		tool "a${INDEX[$1]}" timeout 15 "$(program iperf3)" -c "${INNER_B[$1]}" -p $IPERF_PORT -t 3 -P 4 -C cubic \
			>/dev/null 2>&1 &
		pid=$!
		sleep 0.8 # the streams reach their speed
	fi
	before=$(cpu_now "$1")
	json=$(tool "a${INDEX[$1]}" "$BENCH_BIN/probe" rtt "${INNER_B[$1]}" $ECHO_PORT 800 2000)
	emit --arg who "$1" --argjson run "$2" --arg load "$3" --arg mode "$MODE" --argjson j "${json:-{\}}" \
		--argjson cpu "$(cpu_between "$before" "$(cpu_now "$1")")" \
		'{k: "rtt", $who, $mode, $load, $run} + $j + $cpu'
	if [ -n "$pid" ]; then wait "$pid"; fi
}

# From starting the daemon of side a to the first echo from side b.
measure_join() { # contestant, run
	local since ms
	[ "$1" = none ] && return
	stop_group "a${INDEX[$1]}"
	: >"$WORK/pids.a${INDEX[$1]}"
	since=$("$BENCH_BIN/probe" now)
	drive "$1" driver_start a >>"$WORK/a${INDEX[$1]}/daemon.log" 2>&1 &
	ms=$(first_echo "$1" "$since")
	wait $!
	emit --arg who "$1" --argjson run "$2" --argjson ms "${ms:-null}" '{k: "join", $who, $run, $ms}'
}

measure_memory() { # contestant, idle|after
	emit --arg who "$1" --arg when "$2" --argjson a "$(rss_kb "a${INDEX[$1]}")" \
		--argjson b "$(rss_kb "b${INDEX[$1]}")" '{k: "memory", $who, $when, kb: ([$a, $b] | max)}'
}
