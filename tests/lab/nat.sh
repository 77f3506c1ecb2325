#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The real programs behind NATs of every kind: who talks directly and who over the relay, and how soon. All pairs at once;
# and some pairs alone, each kind in both roles. NAT_CELLS=all: each with each alone, too, in two minutes more, and what is
# printed behind "# " is then the table of docs/connectivity.md. The simulation always has all (test_paths_nat).
#
#     signal 198.18.9.2 and .9.3        a-KIND behind gateway 198.18.1N.2, b-KIND behind 198.18.2N.2, see lib_nat.sh
#     lan-one 10.72.30.2 and lan-two 10.72.30.3 behind gateway 198.18.30.2
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh
. tests/lab/lib_nat.sh

kinds=(open full-cone address port remembers symmetric blocked)
# Symmetric, too, but with ports that can be foretold.
all_kinds=("${kinds[@]}" in-turn)
declare -A is=([open]=none [full-cone]="any any" [address]="any address" [port]="any port" [remembers]="any port remembers" [symmetric]="port port" [blocked]=blocked [in-turn]="port port")

lab_need_root nat
trap lab_down EXIT
lab_up
public signal 9
server=${MACHINE_IP[signal]}
for n in 3 4; do ip -n "$LAB-signal" addr add "198.18.9.$n/24" dev eth0; done
declare -a nodes=()
for side in a:10 b:20; do
	n=${side#*:}
	for kind in "${all_kinds[@]}"; do
		name=${side%:*}-$kind
		if [ "$kind" = open ]; then
			public "$name" "$n"
		else
			gateway "$n" "$kind" "$server" && behind "$name" "$n"
		fi
		nodes+=("$name")
		n=$((n + 1))
	done
done
declare -a probes=()
for kind in "${all_kinds[@]}"; do
	tests/lab/nat_kind.py "$LAB-b-$kind" "$LAB-signal" "$server" 198.18.9.3 198.18.9.4 >"$WORK/kind-$kind" &
	probes+=("$!")
done
wait "${probes[@]}"
for kind in "${all_kinds[@]}"; do
	check "the NAT \"$kind\" is what it is called" test "$(<"$WORK/kind-$kind")" = "${is[$kind]}"
done

# A filter that looks at the port, and a port that cannot be known: nothing gets through.
theory() { # kind, kind
	case "$1 $2" in
	*blocked* | "symmetric symmetric" | "symmetric port" | "port symmetric" | "in-turn symmetric" | "symmetric in-turn") echo relay ;;
	"symmetric remembers" | "remembers symmetric") echo relay ;;
	*) echo direct ;;
	esac
}

address_of() { on "$1" mlsh status lab --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["clusters"][0]["address"])'; }
# Those of side a have the lower addresses: they are the clients of their tunnels.
sixteen_up() {
	mesh_up lab a-open && mesh_join_together lab a-open "${nodes[@]:1:${#all_kinds[@]}-1}" &&
		mesh_join_together lab a-open "${nodes[@]:${#all_kinds[@]}}"
}
must "server" signal_start
must "sixteen nodes" sixteen_up
declare -A address=()
for m in "${nodes[@]}"; do
	address[$m]=$(address_of "$m")
done

# --- all at once, and for longer than the NATs remember ---
as_theory_says() {
	local a b
	for a in "${kinds[@]}"; do
		on "a-$a" mlsh status lab --json | json_holds "all(
			any(p['name'] == 'b-' + k and p['path'] == w for p in d['clusters'][0]['peers'])
			for k, w in ($(for b in "${kinds[@]}"; do echo "('$b', '$(theory "$a" "$b")'),"; done)))" || return 1
	done
}
all_pairs_ping() {
	local a
	for a in "${kinds[@]}"; do
		# shellcheck disable=SC2016 # expanded by the inner shell
		on "a-$a" sh -c 'for to; do ping -n -c 1 -W 1 "$to" || exit 1; done' sh "${others[@]}" || return 1
	done
}
declare -a others=()
for b in "${kinds[@]}"; do others+=("${address[b-$b]}"); done
check "all pairs at once reach each other" wait_until 10 all_pairs_ping
check "by the paths that theory gives them" wait_until 20 as_theory_says
idle_since=$SECONDS

# --- meanwhile one LAN behind one NAT that would not let them meet outside ---
gateway 30 symmetric
behind lan-one 30 2
behind lan-two 30 3
must "two more nodes" mesh_join_together lab a-open lan-one lan-two
sees_at() { status_holds "$1" lab "any(p['name'] == '$2' and p['path'] == 'direct' and p['endpoint'].startswith('$3:') for p in c['peers'])"; }
check "two nodes on one LAN talk over it" wait_until 10 eval 'sees_at lan-one lan-two 10.72.30.3 && sees_at lan-two lan-one 10.72.30.2'
ip netns exec "$LAB-gw-30" nft 'add chain ip nat watch { type filter hook forward priority 0; }
	add rule ip nat watch oifname "wan" meta length 1030-1180 counter'
on lan-one ping -q -n -i 0.01 -c 200 -s 1000 -W 1 "$(address_of lan-two)" >"$WORK/lan.ping"
check "200 packets of 1000 bytes get there and back" grep -q "200 received" "$WORK/lan.ping"
passed=$(ip netns exec "$LAB-gw-30" nft list chain ip nat watch | grep -oP 'packets \K\d+')
check "not by the NAT, which lets $passed of that size out meanwhile" test "$passed" -lt 40
for m in lan-one lan-two; do on "$m" mlsh disconnect lab >/dev/null; done

left=$((idle_since + 22 - SECONDS))
[ $left -le 0 ] || pause $left
check "idle for longer than the NATs remember, they are still there" as_theory_says
check "and carry the first packet" all_pairs_ping
reason() { # kind, kind: what is known to be true
	case "$(theory "$1" "$2") $1 $2" in
	direct*) echo direct-public ;;
	# A NAT of its own is behind "blocked": with a symmetric one it is hopeless even without the block.
	*symmetric*) echo hard-nats ;;
	*) echo blocked ;;
	esac
}
why_knows() { # kind
	local b
	# shellcheck disable=SC2016 # expanded by the inner shell
	on "a-$1" sh -c 'for b; do mlsh why "b-$b" --json; done' sh "${kinds[@]}" >"$WORK/why.json" || return 1
	for b in "${kinds[@]}"; do reason "$1" "$b"; done | python3 -c 'import json, sys
sys.exit("\n".join(got for got, want in zip(open(sys.argv[1]), sys.stdin) if json.loads(got)["reason"] != want.strip()) or None)' "$WORK/why.json"
}
for kind in "${kinds[@]}"; do check "mlsh why knows the truth about each pair of $kind" why_knows "$kind"; done

# --- pairs alone ---
declare -a leaving=()
for m in "${nodes[@]}"; do
	on "$m" mlsh disconnect lab >/dev/null &
	leaving+=("$!")
done
wait "${leaving[@]}"
export -f on_exec
export LAB WORK BIN

# One cell: the second connects, the first is there already.
cell() { # kind, kind
	local a=a-$1 b=b-$2 want patience=-
	want=$(theory "$1" "$2")
	[ "$want" = direct ] && patience=10
	read -r first direct path_a path_b lost doubled < <(tests/lab/pair.py lab $patience \
		"$LAB-$a" "$WORK/$a/run/mlsh/mlshtund.sock" "${address[$a]}" \
		"$LAB-$b" "$WORK/$b/run/mlsh/mlshtund.sock" "${address[$b]}" \
		bash -c 'on_exec "$@"' sh "$b" mlsh connect lab)
	check "$1 with $2: $want" test "$path_a $path_b" = "$want $want"
	check "$1 with $2: nothing is lost or doubled on the way there" test "$lost $doubled" = "0 0"
	[ "$want" = direct ] && row+=" | $path_a $first/$direct" || row+=" | $path_a $first"
	on "$b" mlsh disconnect lab >/dev/null
}

# Each time the first of the pair alone, and then the second, too.
pair_alone() { # kind, kind
	on "a-$1" mlsh connect lab >/dev/null
	cell "$1" "$2"
	on "a-$1" mlsh disconnect lab >/dev/null
}
row=""
if [ "${NAT_CELLS:-}" = all ]; then
	table=("| ms$(printf ' | %s' "${kinds[@]}") |" "|---$(printf '|---%.0s' "${kinds[@]}")|")
	for a in "${kinds[@]}"; do
		row="| $a"
		for b in "${kinds[@]}"; do pair_alone "$a" "$b"; done
		table+=("$row |")
	done
	# Ports in turn are guessed, where one side can be reached by them.
	table+=("" "| ms | in-turn first | in-turn second |" "|---|---|---|")
	for kind in port address symmetric; do
		row="| $kind"
		pair_alone in-turn "$kind"
		pair_alone "$kind" in-turn
		table+=("$row |")
	done
	printf '# %s\n' "${table[@]}"
else
	for pair in "open symmetric" "full-cone port" "address remembers" "port address" "remembers port" \
		"remembers remembers" "symmetric open" "symmetric port" "blocked full-cone" "port in-turn" "in-turn port" \
		"in-turn symmetric"; do
		# shellcheck disable=SC2086
		pair_alone $pair
	done
	echo "# alone, ms$row"
fi
exit $LAB_FAILED
