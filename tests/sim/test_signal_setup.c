/* SPDX-License-Identifier: MIT */
/* Setup of clusters at a simulated server: codes, subnets, addresses, lost replies. */
#include "signal_steps.h"

/* [P3-31] */
START_TEST(setup_registers_the_first_admin_and_burns_the_code)
{
	struct sig g;
	struct raw *a, *b;
	struct signal_reply reply;
	struct entry_bytes e;
	struct genesis x;

	sig_start(&g);
	a = raw_new(&g);
	raw_setup(a, g.code, "homelab", NULL);
	ck_assert_uint_eq(a->address, IP(100, 64, 0, 1));
	ck_assert_uint_eq(sig_stats(&g).clusters, 1);
	raw_session(a);

	b = raw_new(&g);
	raw_greet(b);
	ck_assert_int_eq(raw_offer(b, g.code, NULL, &reply), REFUSAL_USED_CODE);
	x = raw_genesis(b, "other", g.cfg.subnet, IP(100, 64, 0, 2));
	e = raw_genesis_sign(b, &x);
	ck_assert_int_eq(raw_setup_send(b, g.code, &e, &reply), REFUSAL_USED_CODE);
	ck_assert_uint_eq(sig_stats(&g).clusters, 1);
	raw_free(b);
	raw_free(a);
	sig_stop(&g);
}
END_TEST

START_TEST(setup_refuses_wrong_codes)
{
	static const char *const wrong[] = { "AAAA-AAAA-AAAA", "x", "AAAA-AAAA-AAA!", "AAAA" };
	struct signal_reply reply;
	struct sig g;
	struct raw *a;

	sig_start(&g);
	a = raw_new(&g);
	raw_greet(a);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		ck_assert_int_eq(raw_offer(a, wrong[i], NULL, &reply), REFUSAL_BAD_CODE);
	ck_assert_int_eq(raw_offer(a, g.code, NULL, &reply), REFUSAL_NONE);
	raw_free(a);
	sig_stop(&g);
}
END_TEST

/* [P3-34] */
START_TEST(setup_answers_a_lost_reply_again)
{
	struct sig g;
	struct raw *a;
	struct signal_reply reply;
	struct entry_bytes e;
	struct genesis x;
	uint8_t token[HASH_LEN];

	sig_start(&g);
	a = raw_new(&g);
	raw_greet(a);
	ck_assert_int_eq(raw_offer(a, g.code, NULL, &reply), REFUSAL_NONE);
	x = raw_genesis(a, "homelab", reply.subnet, reply.address);
	e = raw_genesis_sign(a, &x);
	ck_assert_int_eq(raw_setup_send(a, g.code, &e, &reply), REFUSAL_NONE);
	memcpy(token, reply.node_token, sizeof(token));

	/* the same again: on this connection, on another, after a restart, a day later */
	ck_assert_int_eq(raw_setup_send(a, g.code, &e, &reply), REFUSAL_NONE);
	ck_assert_mem_eq(token, reply.node_token, sizeof(token));
	raw_greet(a);
	ck_assert_int_eq(raw_setup_send(a, g.code, &e, &reply), REFUSAL_NONE);
	sig_crash(&g);
	sig_boot(&g);
	world_host_wall_skew(g.h, 86400);
	raw_greet(a);
	ck_assert_int_eq(raw_setup_send(a, g.code, &e, &reply), REFUSAL_NONE);
	ck_assert_mem_eq(token, reply.node_token, sizeof(token));
	ck_assert_uint_eq(sig_stats(&g).clusters, 1);
	raw_founded(a, &e, &reply);
	raw_session(a);
	raw_free(a);
	sig_stop(&g);
}
END_TEST

/* Only the node whose genesis it is gets its token. */
START_TEST(setup_gives_the_token_to_the_holder_of_the_key)
{
	struct sig g;
	struct raw *a, *thief;
	struct signal_reply reply;
	struct entry_bytes e;
	struct genesis x;

	sig_start(&g);
	a = raw_new(&g);
	raw_greet(a);
	ck_assert_int_eq(raw_offer(a, g.code, NULL, &reply), REFUSAL_NONE);
	x = raw_genesis(a, "homelab", reply.subnet, reply.address);
	e = raw_genesis_sign(a, &x);
	thief = raw_new(&g);
	raw_greet(thief);
	ck_assert_int_eq(raw_setup_send(thief, g.code, &e, &reply), REFUSAL_NOT_ALLOWED);
	ck_assert_int_eq(raw_setup_send(a, g.code, &e, &reply), REFUSAL_NONE);
	ck_assert_int_eq(raw_setup_send(thief, g.code, &e, &reply), REFUSAL_NOT_ALLOWED);
	raw_free(thief);
	raw_free(a);
	sig_stop(&g);
}
END_TEST

/* [P3-32] [P3-33] */
START_TEST(setup_refuses_a_genesis_that_does_not_fit)
{
	struct sig g;
	struct raw *a;
	struct signal_reply reply;
	struct entry_bytes e;
	struct genesis x;
	struct prefix4 other = { IP(10, 1, 0, 0), 16 };

	sig_start(&g);
	a = raw_new(&g);
	raw_greet(a);
	ck_assert_int_eq(raw_offer(a, g.code, NULL, &reply), REFUSAL_NONE);

	x = raw_genesis(a, "homelab", g.cfg.subnet, IP(100, 64, 0, 2)); /* not the next address */
	e = raw_genesis_sign(a, &x);
	ck_assert_int_eq(raw_setup_send(a, g.code, &e, &reply), REFUSAL_STALE);
	x = raw_genesis(a, "homelab", g.cfg.subnet, IP(100, 64, 0, 1));
	x.server.cert[0] ^= 1;
	e = raw_genesis_sign(a, &x);
	ck_assert_int_eq(raw_setup_send(a, g.code, &e, &reply), REFUSAL_BAD_ENTRY);
	x.server.cert[0] ^= 1;
	memcpy(x.server.order_key, x.key, KEY_LEN); /* whose receipts it could not make */
	e = raw_genesis_sign(a, &x);
	ck_assert_int_eq(raw_setup_send(a, g.code, &e, &reply), REFUSAL_BAD_ENTRY);
	x = raw_genesis(a, "homelab", g.cfg.subnet, IP(100, 64, 0, 1));
	e = raw_genesis_sign(a, &x);
	e.data[e.len - 1] ^= 1; /* the signature */
	ck_assert_int_ne(raw_setup_send(a, g.code, &e, &reply), REFUSAL_NONE);
	e.len = 20;
	ck_assert_int_ne(raw_setup_send(a, g.code, &e, &reply), REFUSAL_NONE);
	world_host_wall_skew(a->h, 3600); /* a clock that is an hour ahead */
	x = raw_genesis(a, "homelab", g.cfg.subnet, IP(100, 64, 0, 1));
	e = raw_genesis_sign(a, &x);
	ck_assert_int_eq(raw_setup_send(a, g.code, &e, &reply), REFUSAL_BAD_ENTRY);
	world_host_wall_skew(a->h, 300); /* five minutes are fine */

	ck_assert_uint_eq(sig_stats(&g).clusters, 0);
	x = raw_genesis(a, "homelab", other, IP(10, 1, 0, 1)); /* another subnet: fine */
	e = raw_genesis_sign(a, &x);
	ck_assert_int_eq(raw_setup_send(a, g.code, &e, &reply), REFUSAL_NONE);
	raw_free(a);
	sig_stop(&g);
}
END_TEST

/* A further code for a running server, as `mlsh-signal token` makes it. */
static void further_code(struct sig *g, uint64_t ttl_s, char code[BOOTSTRAP_CODE_TEXT_MAX])
{
	struct db *db = NULL;

	ck_assert_int_eq(db_open(g->cfg.db_path, false, NULL, &db), 0);
	ck_assert_int_eq(bootstrap_code_add(g->h, db, NULL, ttl_s, code, NULL), 0);
	db_close(db);
}

/* [P3-35] [P3-47] */
START_TEST(setup_of_further_clusters_gives_out_unique_addresses)
{
	char code[BOOTSTRAP_CODE_TEXT_MAX];
	struct signal_reply reply;
	struct sig g;
	struct raw *a, *b, *c, *d;

	sig_start(&g);
	a = raw_new(&g);
	raw_setup(a, g.code, "homelab", NULL);
	further_code(&g, 0, code);
	b = raw_new(&g);
	raw_setup(b, code, "office", NULL); /* the same subnet: one sequence */
	ck_assert_uint_eq(b->address, IP(100, 64, 0, 2));

	further_code(&g, 0, code);
	c = raw_new(&g);
	raw_greet(c);
	ck_assert_int_eq(raw_offer(c, code, "100.100.0.0/16", &reply), REFUSAL_SUBNET);
	ck_assert_int_eq(raw_offer(c, code, "8.8.8.0/24", &reply), REFUSAL_SUBNET);
	ck_assert_int_eq(raw_offer(c, code, "10.0.0.0/30", &reply), REFUSAL_SUBNET);
	raw_setup(c, code, "lab", "10.9.0.0/16");
	ck_assert_uint_eq(c->address, IP(10, 9, 0, 1));

	/* an address once given out stays out, also over a restart */
	sig_crash(&g);
	sig_boot(&g);
	further_code(&g, 0, code);
	d = raw_new(&g);
	raw_setup(d, code, "attic", NULL);
	ck_assert_uint_eq(d->address, IP(100, 64, 0, 3));
	raw_free(d);
	raw_free(c);
	raw_free(b);
	raw_free(a);
	sig_stop(&g);
}
END_TEST

START_TEST(setup_refuses_an_expired_code)
{
	char code[BOOTSTRAP_CODE_TEXT_MAX];
	struct signal_reply reply;
	struct sig g;
	struct raw *a;

	sig_start(&g);
	further_code(&g, 60, code);
	a = raw_new(&g);
	raw_greet(a);
	ck_assert_int_eq(raw_offer(a, code, NULL, &reply), REFUSAL_NONE);
	world_host_wall_skew(g.h, 61);
	ck_assert_int_eq(raw_offer(a, code, NULL, &reply), REFUSAL_EXPIRED_CODE);
	raw_free(a);
	sig_stop(&g);
}
END_TEST

/* Two have an offer for the same code: one transaction burns it. */
/* [P3-31] */
START_TEST(setup_burns_a_code_once)
{
	struct sig g;
	struct raw *a, *b;
	struct signal_reply ra, rb;
	struct entry_bytes ea, eb;
	struct genesis x;
	struct signal_request qa = { .type = SIGNAL_SETUP }, qb = qa;
	enum refusal fa, fb;

	sig_start(&g);
	a = raw_new(&g);
	b = raw_new(&g);
	raw_greet(a);
	raw_greet(b);
	ck_assert_int_eq(raw_offer(a, g.code, NULL, &ra), REFUSAL_NONE);
	ck_assert_int_eq(raw_offer(b, g.code, NULL, &rb), REFUSAL_NONE);
	x = raw_genesis(a, "homelab", ra.subnet, ra.address);
	ea = raw_genesis_sign(a, &x);
	x = raw_genesis(b, "homelab", rb.subnet, rb.address);
	eb = raw_genesis_sign(b, &x);
	qa.code = qb.code = span_str(g.code);
	qa.entry = span_of(ea.data, ea.len);
	qb.entry = span_of(eb.data, eb.len);
	raw_send(a, &qa);
	raw_send(b, &qb);
	fa = raw_reply(a, SIGNAL_SETUP, &ra);
	fb = raw_reply(b, SIGNAL_SETUP, &rb);
	ck_assert((fa == REFUSAL_NONE) != (fb == REFUSAL_NONE));
	ck_assert_int_eq(fa == REFUSAL_NONE ? fb : fa, REFUSAL_USED_CODE);
	ck_assert_uint_eq(sig_stats(&g).clusters, 1);
	raw_free(b);
	raw_free(a);
	sig_stop(&g);
}
END_TEST

START_TEST(a_preset_code_is_never_armed_again)
{
	struct signal_reply reply;
	struct sig g;
	struct raw *a;

	sig_init(&g, "100.64.0.0/10");
	strcpy(g.cfg.secret, "ABCD-EFGH-JKMN");
	sig_open(&g);
	ck_assert_str_eq(g.code, "ABCD-EFGH-JKMN");
	a = raw_new(&g);
	raw_setup(a, "abcd-efgh-jkmn", "homelab", NULL);
	sig_crash(&g);
	memset(g.code, 0, sizeof(g.code));
	sig_boot(&g);
	ck_assert_str_eq(g.code, "");
	memset(a->cluster_id, 0, sizeof(a->cluster_id));
	raw_greet(a);
	ck_assert_int_eq(raw_offer(a, g.cfg.secret, NULL, &reply), REFUSAL_USED_CODE);
	raw_free(a);
	sig_stop(&g);
}
END_TEST

UNIT_MAIN("signal/setup", setup_registers_the_first_admin_and_burns_the_code,
	  setup_refuses_wrong_codes, setup_answers_a_lost_reply_again,
	  setup_gives_the_token_to_the_holder_of_the_key, setup_refuses_a_genesis_that_does_not_fit,
	  setup_of_further_clusters_gives_out_unique_addresses, setup_refuses_an_expired_code,
	  setup_burns_a_code_once, a_preset_code_is_never_armed_again)
