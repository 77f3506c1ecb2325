#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A removal under traffic with the real programs: directly, over the relay, and while the server swallows it.
#
#     signal 10.71.9.2, nas .1.2, laptop .2.2, gone .3.2, one router
cd "$(dirname "$0")/../.." || exit 1
. tests/lab/lib.sh
. tests/lab/lib_removal.sh

lab_need_root removal
trap lab_down EXIT
removal_up || must "three machines form a mesh" false

# No packet is taken later than two seconds after the command's return.
soon() { awk '{ exit !($1 <= 2000 && $2 <= 2000) }' "$WORK/times"; }
# It says who, and has given the host back what it had.
is_out() { on gone mlsh status homelab 2>/dev/null | joined | has "nas removed $1"; } # name

removal_join gone1 direct || must "gone1 joins" false
must "nas removes gone1 under traffic" removal_measure gone1
check "and nobody hears of it after 2 s: $(cat "$WORK/times") ms" soon
check "gone1 learns it from the log" wait_until 10 is_out gone1
check "and has taken its routes back" wait_until 5 no_traces gone
removal_leave

cut_direct
removal_join gone2 relay || must "gone2 joins by relay" false
must "nas removes gone2 under traffic over the relay" removal_measure gone2
check "and nobody hears of it after 2 s: $(cat "$WORK/times") ms" soon
mend_direct
removal_leave

# --- a server that takes everything in, and answers nothing; and TCP both ways ---
denied() { on "$1" mlsh nodes homelab | has "gone3 .*denied (removal waits)"; }
waits() { # machine
	on "$1" mlsh status homelab | joined |
		has -E "removal of gone3 waits for the server since 20..-..-.. ..:.. UTC \\(by nas\\).*not ordered yet: .+"
}
no_route() { [ -z "$(ip -n "$LAB-$1" route show table all | grep -E "^$2 dev mlsh0")" ]; } # machine, address
removal_join gone3 direct || must "gone3 joins" false
gone3=$(inner gone)
kill -STOP "$SIGNAL_PID"
must "nas removes gone3, and the server swallows it" removal_measure gone3 --bulk
check "and nobody hears of it after 2 s: $(cut -d ' ' -f 1-4 "$WORK/times") ms" soon
# The command waits for the server for seconds: the removal holds from its start.
holds_at_once() { awk '{ exit !($3 <= 2000 && $4 <= 2000) }' "$WORK/times"; }
check "nor 2 s after the command began, beside $(cut -d ' ' -f 5 "$WORK/times") Mbit/s" holds_at_once
check "the command says that it waits" has -iE "not (been )?ordered|wait" "$WORK/remove.out"
for m in nas laptop; do
	check "$m: nodes marks it" denied $m
	check "$m: status says since when, by whom, and why" waits $m
	check "$m has no route to it" no_route $m "$gone3"
done
stop "${DAEMON_PID[laptop]}" KILL
daemon_start laptop
check "a killed daemon still denies it" denied laptop
check "it is in its own file" test -s "$WORK/laptop/state/mlsh/homelab.removals"
kill -CONT "$SIGNAL_PID"
check "the server orders it by itself" wait_until 30 is_out gone3
no_file() { [ ! -e "$WORK/$1/state/mlsh/homelab.removals" ]; }
for m in nas laptop; do check "$m: nothing waits any more" wait_until 10 no_file $m; done
[ $LAB_FAILED = 0 ] || show_logs 30
exit $LAB_FAILED
