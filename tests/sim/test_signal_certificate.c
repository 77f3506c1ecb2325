/* SPDX-License-Identifier: MIT */
/* The server's certificate: exchanged while it runs, and one that its clusters do not accept. */
#include "identity/identity.h"
#include "signal_steps.h"

static struct sig g;
static char logged[4096];

static void keep_line(void *ctx, enum log_level level, const char *line)
{
	size_t at = strlen(logged);

	(void)ctx;
	if (level <= LOG_LEVEL_WARN)
		snprintf(logged + at, sizeof(logged) - at, "%s\n", line);
}

static struct identity *another(void)
{
	struct identity *id = NULL;

	ck_assert_int_eq(identity_new(g.h, NULL, &id), 0);
	return id;
}

START_TEST(a_new_certificate_is_for_new_connections)
{
	struct raw *before, *after, *outdated;
	struct signal_reply reply;
	struct identity *id;
	uint8_t none[HASH_LEN] = { 0 };

	sig_start(&g);
	id = another();
	before = raw_new(&g);
	raw_greet(before);
	ck_assert_int_eq(signal_server_identity_set(g.s, id, NULL), 0); /* no cluster minds */
	ck_assert_mem_eq(signal_server_fingerprint(g.s), identity_cert_sha256(id), HASH_LEN);
	ck_assert_int_eq(raw_offer(before, g.code, NULL, &reply), REFUSAL_NONE); /* goes on */
	outdated = raw_new(&g);
	ck_assert(!raw_try_connect(outdated));
	memcpy(g.cert, identity_cert_sha256(id), sizeof(g.cert));
	after = raw_new(&g);
	raw_connect(after);
	ck_assert_int_eq(raw_hello(after, none, &reply), REFUSAL_NONE);
	raw_free(after);
	raw_free(outdated);
	raw_free(before);
	sig_stop(&g);
	identity_free(id);
}
END_TEST

START_TEST(one_that_cuts_a_cluster_off_is_not_taken)
{
	struct raw *founder;
	struct identity *id;
	struct err err;

	sig_start(&g);
	founder = raw_founder(&g);
	id = another();
	ck_assert_int_eq(signal_server_identity_set(g.s, id, &err), -EKEYREJECTED);
	ck_assert_ptr_nonnull(strstr(err.text, mlog_genesis(founder->log)->name));
	ck_assert_ptr_nonnull(strstr(err.text, "same key"));
	raw_hang_up(founder);
	raw_session(founder); /* the one before stays */
	raw_free(founder);
	sig_stop(&g);
	identity_free(id);
}
END_TEST

START_TEST(a_start_with_a_key_that_no_cluster_accepts_says_so)
{
	struct raw *founder;
	struct identity *id;

	sig_start(&g);
	founder = raw_founder(&g);
	id = another();
	*logged = '\0';
	sig_crash(&g);
	g.cfg.identity = id;
	g.h = world_host_boot(g.h);
	host_log(g.h)->sink = keep_line;
	sig_open(&g);
	ck_assert_msg(strstr(logged, "1 of 1 clusters"), "%s", logged);
	ck_assert_ptr_nonnull(strstr(logged, mlog_genesis(founder->log)->name));
	ck_assert_ptr_nonnull(strstr(logged, "Remove quic.cert_path")); /* the other one would do */
	*logged = '\0';
	sig_crash(&g);
	g.cfg.identity = NULL;
	g.h = world_host_boot(g.h);
	host_log(g.h)->sink = keep_line;
	sig_open(&g);
	ck_assert_str_eq(logged, "");
	raw_hang_up(founder);
	raw_session(founder);
	raw_free(founder);
	sig_stop(&g);
	identity_free(id);
}
END_TEST

UNIT_MAIN("signal/certificate", a_new_certificate_is_for_new_connections,
	  one_that_cuts_a_cluster_off_is_not_taken,
	  a_start_with_a_key_that_no_cluster_accepts_says_so)
