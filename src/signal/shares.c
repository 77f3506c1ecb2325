/* SPDX-License-Identifier: AGPL-3.0-only */
/* Equal shares, from what was taken a turn ago. */
#include "signal/shares.h"

#define TURNS_PER_S (NS_PER_S / SHARES_TURN)

static void roll(struct shares *s, uint64_t turn)
{
	if (s->turn == turn)
		return;
	s->before = s->turn + 1 == turn ? s->gathered : (struct share_sum){ 0 };
	s->gathered = (struct share_sum){ 0 };
	s->turn = turn;
}

/* A user takes little if it leaves more than half of an equal part. */
static bool is_light(const struct shares *s, uint64_t bytes, uint64_t rate)
{
	unsigned users = MAX(s->before.light + s->before.heavy, 1u);

	return bytes < rate / TURNS_PER_S / users / 2;
}

void shares_count(struct shares *s, struct share_user *u, size_t bytes, uint64_t rate, uint64_t now)
{
	uint64_t turn = 1 + now / SHARES_TURN;

	roll(s, turn);
	if (u->turn != turn) {
		uint64_t took = u->turn + 1 == turn ? u->bytes : 0;

		if (is_light(s, took, rate)) {
			s->gathered.light++;
			s->gathered.light_bytes += took;
		} else {
			s->gathered.heavy++;
		}
		*u = (struct share_user){ .turn = turn };
	}
	u->bytes += bytes;
}

uint64_t shares_of(const struct shares *s, uint64_t rate)
{
	/* until this turn's sum is whole, the larger of both */
	const struct share_sum *sum = s->gathered.heavy > s->before.heavy ? &s->gathered
									  : &s->before;
	uint64_t light = MIN(sum->light_bytes * TURNS_PER_S, rate / 2);

	return sum->heavy > 0 ? (rate - light) / sum->heavy : rate;
}
