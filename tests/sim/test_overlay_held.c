/* SPDX-License-Identifier: MIT */
/*
 * Records that a peer shows and that are not taken: removals among those that are dated too far
 * ahead, and pages that bring nothing. What they may cost.
 */
#include "rogue_member.h"

#define HELD_REMOVALS 100

/* So many removals that the server has ordered, behind node 0's log. Returns their last date. */
static uint64_t held_message(struct fleet *m, uint8_t *out, size_t cap, size_t *ret_n)
{
	struct kit k = m->kit;
	uint64_t count = mlog_count(k.log);
	uint8_t seed[SIGN_SEED_LEN], receipt[SIG_LEN];
	struct peer_message *msg = calloc(1, sizeof(*msg));
	struct record_bytes *record = calloc(HELD_REMOVALS, sizeof(*record));
	struct record_bytes first;
	struct entry_bytes b;
	struct head head;
	struct record r;
	ptrdiff_t n;

	ck_assert(msg && record);
	head = mlog_head(k.log);
	for (size_t i = 0; i < HELD_REMOVALS; i++) {
		k.now_s++;
		b = kit_remove(&k, 1, 2);
		first = kit_record(&k, kit_span(&b), 0, KIT_ORDER);
		ck_assert_int_eq(record_decode(kit_record_span(&first), &r, NULL), 0);
		r.order.seq = count + i;
		memcpy(r.order.prev, head.hash, HASH_LEN);
		r.receipt = NULL;
		if (i + 1 == HELD_REMOVALS) {
			kit_seed(KIT_ORDER, seed);
			ck_assert_int_eq(receipt_make(seed, mlog_cluster_id(k.log), &r.order,
						      r.entry_hash, receipt),
					 0);
			r.receipt = receipt;
		}
		ck_assert_int_eq(record_encode(&r, &record[i]), 0);
		ck_assert_int_eq(record_decode(kit_record_span(&record[i]), &r, NULL), 0);
		memcpy(head.hash, r.hash, HASH_LEN);
		msg->entries.item[msg->entries.n++] = kit_record_span(&record[i]);
	}
	msg->type = PEER_LOG;
	msg->first = count;
	n = peer_message_encode(msg, out, cap);
	ck_assert_int_gt(n, 0);
	*ret_n = (size_t)n;
	free(record);
	free(msg);
	return k.now_s;
}

/* Node 0 is shown them `times`, dated ahead, and judges them so. */
static void show_held(struct fleet *m, struct rogue *r, enum removal_shown judges, unsigned times)
{
	size_t cap = PEER_MESSAGE_MAX + FRAME_PREFIX_LEN, n;
	uint8_t *buf = malloc(cap);

	ck_assert_ptr_nonnull(buf);
	rogue_connect(r, m);
	m->node[0].latest_s = held_message(m, buf, cap, &n) - HELD_REMOVALS;
	m->node[0].judges = judges;
	for (unsigned i = 0; i < times; i++) {
		ck_assert_int_eq(quic_stream_write(r->c, r->control, buf, n, false), 0);
		sim_pass(m->w, 200 * NS_PER_MS);
	}
	ck_assert(!r->closed);
	ck_assert_uint_eq(m->node[0].held, times);
	free(buf);
}

/* As dear as those that come alone, so no more of them. */
START_TEST(refused_removals_among_held_records_cost_little)
{
	struct fleet m;
	struct rogue r;

	show_held(&m, &r, REMOVAL_REFUSED, 10);
	ck_assert_uint_ge(m.node[0].shown, DENIALS_MAX);
	ck_assert_uint_le(m.node[0].shown, DENIALS_MAX + 3);
	rogue_end(&r);
}
END_TEST

/* Each is shown to others at once, which uses the memory that the message was decoded into. */
/* [P2-52] */
START_TEST(good_removals_among_held_records_are_all_looked_at)
{
	struct fleet m;
	struct rogue r;

	show_held(&m, &r, REMOVAL_TAKEN, 1);
	ck_assert_uint_eq(m.node[0].shown, HELD_REMOVALS);
	rogue_end(&r);
}
END_TEST

/* A record far behind node 0's log: it asks for those before it. */
static size_t gap_message(struct fleet *m, uint8_t *out, size_t cap)
{
	struct kit *k = &m->kit;
	struct entry_bytes b = kit_rename(k, 0, 1, "later");
	struct record_bytes last = kit_record(k, kit_span(&b), 0, KIT_ORDER), bytes;
	struct peer_message msg = { .type = PEER_LOG, .entries.n = 1 };
	struct record r;
	ptrdiff_t n;

	ck_assert_int_eq(record_decode(kit_record_span(&last), &r, NULL), 0);
	r.order.seq += 9;
	ck_assert_int_eq(record_encode(&r, &bytes), 0);
	msg.entries.item[0] = kit_record_span(&bytes);
	n = peer_message_encode(&msg, out, cap);
	ck_assert_int_gt(n, 0);
	return (size_t)n;
}

/* It is asked for each, so it would be free; but it never brings what was asked for. */
START_TEST(pages_that_bring_nothing_are_counted)
{
	struct fleet m;
	struct rogue r;
	uint8_t buf[2048];
	unsigned sent = 0;
	size_t n;

	rogue_connect(&r, &m);
	n = gap_message(&m, buf, sizeof(buf));
	while (!r.closed && sent < 20000) {
		for (int i = 0; i < 20 && quic_stream_write(r.c, r.control, buf, n, false) == 0;
		     i++)
			sent++;
		sim_pass(m.w, 10 * NS_PER_MS);
	}
	ck_assert_uint_eq(r.error, PEER_CLOSE_MALFORMED);
	ck_assert_uint_lt(sent, 8000);
	rogue_end(&r);
}
END_TEST

UNIT_MAIN("overlay/held", refused_removals_among_held_records_cost_little,
	  good_removals_among_held_records_are_all_looked_at, pages_that_bring_nothing_are_counted)
