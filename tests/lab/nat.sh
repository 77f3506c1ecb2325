#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The real programs behind NATs of every kind, each with each: who talks directly and who over the relay, and how soon.
# What is printed behind "# " is the table of docs/connectivity.md.
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
for kind in "${all_kinds[@]}"; do
	check "the NAT \"$kind\" is what it is called" test \
		"$(tests/lab/nat_kind.py "$LAB-b-$kind" "$LAB-signal" "$server" 198.18.9.3 198.18.9.4)" = "${is[$kind]}"
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
must "server" signal_start
must "sixteen nodes" mesh_up lab "${nodes[@]}"
declare -A address=()
for m in "${nodes[@]}"; do
	address[$m]=$(address_of "$m")
done

# --- all at once, and for longer than the NATs remember ---
all_pairs() { # command, with the two kinds behind it
	local a b
	for a in "${kinds[@]}"; do
		for b in "${kinds[@]}"; do "$@" "$a" "$b" || return 1; done
	done
}
as_theory_says() {
	local a b
	for a in "${kinds[@]}"; do
		on "a-$a" mlsh status lab --json | json_holds "all(
			any(p['name'] == 'b-' + k and p['path'] == w for p in d['clusters'][0]['peers'])
			for k, w in ($(for b in "${kinds[@]}"; do echo "('$b', '$(theory "$a" "$b")'),"; done)))" || return 1
	done
}
pair_pings() { pings "a-$1" "${address[b-$2]}"; }
check "all pairs at once reach each other" wait_until 10 all_pairs pair_pings
check "by the paths that theory gives them" wait_until 20 as_theory_says
pause 22
check "idle for longer than the NATs remember, they are still there" as_theory_says
check "and carry the first packet" all_pairs pair_pings
why_is() { # kind, kind: the reason that is known to be true
	local want=direct-public
	if [ "$(theory "$1" "$2")" = relay ]; then
		# A NAT of its own is behind "blocked": with a symmetric one it is hopeless even without the block.
		case "$1 $2" in *symmetric*) want=hard-nats ;; *) want=blocked ;; esac
	fi
	on "a-$1" mlsh why "b-$2" --json >"$WORK/why.json"
	json_holds "d['reason'] == '$want'" <"$WORK/why.json" && return
	echo "$1 with $2: not $want but $(cat "$WORK/why.json")"
	return 1
}
check "mlsh why knows the truth about each pair" all_pairs why_is

# --- each pair alone ---
for m in "${nodes[@]}"; do on "$m" mlsh disconnect lab >/dev/null; done
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

table=("| ms$(printf ' | %s' "${kinds[@]}") |" "|---$(printf '|---%.0s' "${kinds[@]}")|")
for a in "${kinds[@]}"; do
	on "a-$a" mlsh connect lab >/dev/null
	row="| $a"
	for b in "${kinds[@]}"; do cell "$a" "$b"; done
	table+=("$row |")
	on "a-$a" mlsh disconnect lab >/dev/null
done

# --- ports in turn are guessed, where one side can be reached by them ---
in_turn=("| ms | in-turn first | in-turn second |" "|---|---|---|")
for kind in port address symmetric; do
	row="| $kind"
	for pair in "in-turn $kind" "$kind in-turn"; do
		on "a-${pair% *}" mlsh connect lab >/dev/null
		# shellcheck disable=SC2086
		cell $pair
		on "a-${pair% *}" mlsh disconnect lab >/dev/null
	done
	in_turn+=("$row |")
done

# --- one LAN behind one NAT that would not let them meet outside ---
gateway 30 symmetric
behind lan-one 30 2
behind lan-two 30 3
must "two more nodes" eval 'on a-open mlsh connect lab && mesh_join lab a-open lan-one lan-two'
sees_at() { status_holds "$1" lab "any(p['name'] == '$2' and p['path'] == 'direct' and p['endpoint'].startswith('$3:') for p in c['peers'])"; }
check "two nodes on one LAN talk over it" wait_until 10 eval 'sees_at lan-one lan-two 10.72.30.3 && sees_at lan-two lan-one 10.72.30.2'
ip netns exec "$LAB-gw-30" nft 'add chain ip nat watch { type filter hook forward priority 0; }
	add rule ip nat watch oifname "wan" meta length 1030-1180 counter'
on lan-one ping -q -n -i 0.01 -c 200 -s 1000 -W 1 "$(address_of lan-two)" >"$WORK/lan.ping"
check "200 packets of 1000 bytes get there and back" grep -q "200 received" "$WORK/lan.ping"
passed=$(ip netns exec "$LAB-gw-30" nft list chain ip nat watch | grep -oP 'packets \K\d+')
check "not by the NAT, which lets $passed of that size out meanwhile" test "$passed" -lt 40
printf '# %s\n' "${table[@]}" "" "${in_turn[@]}"
exit $LAB_FAILED
