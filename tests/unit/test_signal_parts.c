/* SPDX-License-Identifier: MIT */
/* Parts of the signaling server by themselves: presence, rates, command line, further tokens. */
#include <getopt.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/init.h"
#include "identity/identity.h"
#include "proto/limits.h"
#include "signal/presence.h"
#include "signal/ratelimit.h"
#include "signal/recall.h"
#include "signal/relay_internal.h"
#include "signal/token.h"
#include "signal/usage.h"
#include "unit.h"

static const uint8_t seed[16] = { 5 };
static const uint8_t epoch[EPOCH_LEN] = { 1, 2 };
static const struct wire_candidates nowhere;

static struct node_id node(unsigned n)
{
	struct node_id id = { { 0 } };

	store_be32(id.bytes, n);
	return id;
}

static void set(struct presence *p, unsigned n, uint64_t session_id, void *session, void *replaced)
{
	struct node_id id = node(n);
	void *old = &id;

	ck_assert_int_eq(presence_set(p, &id, session_id, session, &nowhere, &old), 0);
	ck_assert_ptr_eq(old, replaced);
}

static void clear(struct presence *p, unsigned n, uint64_t session_id)
{
	struct node_id id = node(n);

	presence_clear(p, &id, session_id);
}

static uint64_t session_of(struct presence *p, unsigned n)
{
	struct node_id id = node(n);

	return presence_get(p, &id)->session_id;
}

/* --- presence --------------------------------------------------------------------------------- */

START_TEST(only_the_own_session_ends_a_presence)
{
	struct presence *p = presence_new(seed, epoch);
	struct node_id id = node(1);
	int first, second;
	uint64_t cursor;

	set(p, 1, 10, &first, NULL);
	cursor = presence_cursor(p);
	set(p, 1, 10, &first, NULL); /* again: no news */
	set(p, 1, 11, &second, &first);
	ck_assert_uint_eq(presence_cursor(p), cursor);
	clear(p, 1, 10); /* the loser goes */
	ck_assert(presence_online(presence_get(p, &id)));
	clear(p, 1, 11);
	ck_assert(!presence_online(presence_get(p, &id)));
	ck_assert_uint_eq(presence_cursor(p), cursor + 1);
	clear(p, 1, 11);
	clear(p, 2, 1);
	ck_assert_uint_eq(presence_cursor(p), cursor + 1);
	presence_free(p);
	presence_free(NULL);
}
END_TEST

/* A node that is a member no longer: not offline, but gone; its place is free for others. */
START_TEST(a_forgotten_node_is_told_to_nobody)
{
	struct presence *p = presence_new(seed, epoch);
	struct node_id id = node(1);
	uint64_t cursor;
	int session;

	set(p, 1, 10, &session, NULL);
	set(p, 2, 11, &session, NULL);
	cursor = presence_cursor(p);
	clear(p, 1, 10);
	presence_forget(p, &id);
	presence_forget(p, &id);
	ck_assert_ptr_null(presence_get(p, &id));
	ck_assert_ptr_null(presence_after(p, cursor));
	for (unsigned n = 0; n < MEMBERS_MAX + 10; n++) {
		id = node(100 + n);
		set(p, 100 + n, 20 + n, &session, NULL);
		presence_forget(p, &id);
	}
	ck_assert_ptr_nonnull(presence_after(p, 0));
	ck_assert_ptr_null(presence_next(p, presence_after(p, 0)));
	presence_free(p);
}
END_TEST

START_TEST(a_cursor_gives_each_change_once)
{
	struct unit_rng rng = unit_rng_new("a_cursor_gives_each_change_once");
	enum { NODES = 40 };
	bool online[NODES] = { false }, seen[NODES] = { false };
	struct presence *p = presence_new(seed, epoch);
	uint64_t cursor = 0, session = 0;
	int someone;

	for (int step = 0; step < 5000; step++) {
		unsigned n = (unsigned)unit_random_below(&rng, NODES);

		if (online[n])
			clear(p, n, session_of(p, n));
		else
			set(p, n, ++session, &someone, NULL);
		online[n] = !online[n];
		if (unit_random_below(&rng, 10) > 0)
			continue;
		for (struct presence_item *i = presence_after(p, cursor); i;
		     i = presence_next(p, i)) {
			ck_assert_uint_gt(i->changed, cursor);
			cursor = i->changed;
			seen[load_be32(i->id.bytes)] = presence_online(i);
		}
		ck_assert_uint_eq(cursor, presence_cursor(p));
		ck_assert_mem_eq(seen, online, sizeof(seen));
	}
	presence_free(p);
}
END_TEST

/* What a change costs does not depend on how many there are. */
START_TEST(telling_costs_what_changed)
{
	struct presence *p = presence_new(seed, epoch);
	struct presence_item *i;
	uint64_t cursor;
	int someone;

	for (unsigned n = 0; n < MEMBERS_MAX; n++)
		set(p, n, n + 1, &someone, NULL);
	cursor = presence_cursor(p);
	ck_assert_ptr_null(presence_after(p, cursor));
	clear(p, 17, 18);
	clear(p, 5, 6);
	i = presence_after(p, cursor);
	ck_assert_uint_eq(load_be32(i->id.bytes), 17);
	i = presence_next(p, i);
	ck_assert_uint_eq(load_be32(i->id.bytes), 5);
	ck_assert_ptr_null(presence_next(p, i));
	/* more nodes than a cluster can have are refused */
	{
		struct node_id id = node(MEMBERS_MAX);
		void *old;

		ck_assert_int_eq(presence_set(p, &id, 1, &someone, &nowhere, &old), -ENOMEM);
	}
	presence_free(p);
}
END_TEST

/* --- rates ------------------------------------------------------------------------------------ */

static unsigned take_all(struct ratelimit *l, const struct addr *a, uint64_t now)
{
	unsigned n = 0;

	while (n < 1000 && ratelimit_take(l, a, now))
		n++;
	return n;
}

START_TEST(a_source_is_an_address_or_a_network)
{
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 },
			     same_net[16] = { 0x20, 0x01, 0x0d, 0xb8, [8] = 9, [15] = 7 },
			     other_net[16] = { 0x20, 0x01, 0x0d, 0xb8, [7] = 1, [15] = 1 };
	struct ratelimit *l = ratelimit_new(seed, 100);
	struct addr a = addr_v4(0x01020304, 5), same = addr_v4(0x01020304, 6),
		    next = addr_v4(0x01020305, 5), a6 = addr_v6(v6, 1),
		    same6 = addr_v6(same_net, 2), other6 = addr_v6(other_net, 1);
	uint64_t now = 5 * NS_PER_S;

	ck_assert_uint_eq(take_all(l, &a, now), SIGNAL_REQUESTS_BURST);
	ck_assert_uint_eq(take_all(l, &same, now), 0); /* another port is no other source */
	ck_assert_uint_eq(take_all(l, &next, now), SIGNAL_REQUESTS_BURST);
	ck_assert_uint_eq(take_all(l, &a6, now), SIGNAL_REQUESTS_BURST);
	ck_assert_uint_eq(take_all(l, &same6, now), 0);
	ck_assert_uint_eq(take_all(l, &other6, now), SIGNAL_REQUESTS_BURST);

	now += 60 * NS_PER_S;
	ck_assert_uint_eq(take_all(l, &a, now), SIGNAL_REQUESTS_PER_MINUTE);
	ratelimit_give_back(l, &a, 3);
	ck_assert_uint_eq(take_all(l, &a, now), 3);
	ratelimit_give_back(l, &a, 100000); /* never more than a full purse */
	ck_assert_uint_eq(take_all(l, &a, now), SIGNAL_REQUESTS_BURST);
	ck_assert(!ratelimit_take(l, &a, now));
	ck_assert(ratelimit_take(l, &a, now + ratelimit_retry_after_s() * NS_PER_S));
	ratelimit_free(l);
	ratelimit_free(NULL);
}
END_TEST

START_TEST(many_sources_do_not_fill_the_memory)
{
	struct ratelimit *l = ratelimit_new(seed, 100);
	struct addr busy = addr_v4(1, 1);

	for (ip4 ip = 1000; ip < 20000; ip++) {
		struct addr a = addr_v4(ip, 1);

		ck_assert(ratelimit_take(l, &a, 1));
		/* who is heard of all the time is not forgotten */
		if (ip < 1000 + SIGNAL_REQUESTS_BURST)
			ck_assert(ratelimit_take(l, &busy, 1));
		else
			ck_assert(!ratelimit_take(l, &busy, 1));
	}
	ratelimit_free(l);
}
END_TEST

/* --- command line ----------------------------------------------------------------------------- */

static int parse(struct usage *u, const char *a, const char *b, const char *c)
{
	static char name[] = "mlsh-signal", first[32], second[32], third[32]; /* u->arg is one */
	char *argv[5] = { name };
	const char *words[] = { a, b, c };
	char *room[] = { first, second, third };
	int argc = 1;
	struct err err = { .code = 0 };
	int r;

	for (size_t i = 0; i < 3 && words[i]; i++) {
		snprintf(room[i], 32, "%s", words[i]);
		argv[argc++] = room[i];
	}
	r = usage_parse(argc, argv, u, &err);
	if (r < 0)
		ck_assert_uint_gt(strlen(err.text), 10);
	return r;
}

START_TEST(the_command_line_is_understood)
{
	struct usage u;

	ck_assert_int_eq(parse(&u, NULL, NULL, NULL), 0);
	ck_assert_int_eq(u.command, COMMAND_SERVE);
	ck_assert_int_eq(parse(&u, "--help", NULL, NULL), 0);
	ck_assert_int_eq(u.command, COMMAND_HELP);
	ck_assert_int_eq(parse(&u, "--version", NULL, NULL), 0);
	ck_assert_int_eq(u.command, COMMAND_VERSION);
	ck_assert_int_eq(parse(&u, "token", NULL, NULL), 0);
	ck_assert_int_eq(u.command, COMMAND_TOKEN);
	ck_assert_uint_eq(u.ttl_s, 0);
	ck_assert_int_eq(parse(&u, "token", "--ttl", "3600"), 0);
	ck_assert_uint_eq(u.ttl_s, 3600);
	ck_assert_int_eq(parse(&u, "token", "--ttl=60", NULL), 0);
	ck_assert_uint_eq(u.ttl_s, 60);
	ck_assert_int_eq(parse(&u, "token", "--ttl", "2h"), 0);
	ck_assert_uint_eq(u.ttl_s, 7200);
	ck_assert_int_eq(parse(&u, "token", "--help", NULL), 0);
	ck_assert_int_eq(u.command, COMMAND_HELP);
	ck_assert_str_eq(u.help->program, "mlsh-signal token");
	ck_assert_int_eq(parse(&u, "nodes", "homelab", "--json"), 0);
	ck_assert_int_eq(u.command, COMMAND_NODES);
	ck_assert_str_eq(u.arg, "homelab");
	ck_assert(u.json);
	ck_assert_int_eq(parse(&u, "log", "homelab", NULL), 0);
	ck_assert_int_eq(u.command, COMMAND_LOG);
	ck_assert(!u.json);
	/* the only cluster needs no name */
	ck_assert_int_eq(parse(&u, "nodes", "--all", NULL), 0);
	ck_assert(!u.arg && u.all);
}
END_TEST

START_TEST(wrong_usage_is_refused)
{
	static const char *const wrong[][3] = {
		{ "--nonsense" },
		{ "tokn" },
		{ "serve" },
		{ "token", "--ttl" },
		{ "token", "--ttl", "0" },
		{ "token", "--ttl", "-1" },
		{ "token", "extra" },
		{ "token", "--ttl", "" },
		{ "token", "--ttl", "1w" },
		{ "clusters", "x" },
		{ "nodes", "a", "b" },
		{ "log", "a", "b" },
		{ "accept", "a", "b" },
		{ "token", "--port" },
		{ "token", "--ttl", "99999999999999999999" },
	};
	struct usage u;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		ck_assert_int_eq(parse(&u, wrong[i][0], wrong[i][1], wrong[i][2]), -EINVAL);
}
END_TEST

/* --- further tokens --------------------------------------------------------------------------- */

START_TEST(a_further_token_needs_a_servers_database)
{
	struct signal_config cfg = { .log_level = LOG_LEVEL_INFO };
	char dir[64], token[SETUP_TOKEN_TEXT_MAX], code[BOOTSTRAP_CODE_TEXT_MAX];
	const char *tmp = getenv("TMPDIR");
	uint8_t cert[HASH_LEN];
	struct server_keys keys;
	struct identity *id = NULL;
	struct host *h = NULL;
	struct code_info info;
	struct db *db = NULL;
	struct err err;

	ck_assert_int_eq(crypto_init(NULL), 0);
	ck_assert_int_eq(host_new(NULL, &h), 0);
	snprintf(dir, sizeof(dir), "%.40s/mlsh-token-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(cfg.db_path, sizeof(cfg.db_path), "%s/signal.db", dir);
	ck_assert_int_eq(token_make(h, &cfg, 0, token, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "start mlsh-signal first"));
	ck_assert_int_ne(access(cfg.db_path, F_OK), 0); /* and none was made */

	ck_assert_int_eq(db_open(cfg.db_path, true, NULL, &db), 0);
	ck_assert_int_eq(token_make(h, &cfg, 0, token, &err), -ENOENT); /* never started */
	ck_assert_int_eq(bootstrap_keys(h, db, &id, &keys, NULL), 0);
	ck_assert_int_eq(token_make(h, &cfg, 60, token, &err), 0);
	ck_assert_int_eq(setup_token_parse(token, code, cert, NULL), 0);
	ck_assert_mem_eq(cert, identity_cert_sha256(id), HASH_LEN);
	ck_assert_int_eq(db_code_find(db, code, clock_wall_s(h), &info, NULL), 0);
	ck_assert_int_eq(info.state, CODE_OPEN);
	ck_assert_int_eq(db_code_find(db, code, clock_wall_s(h) + 62, &info, NULL), 0);
	ck_assert_int_eq(info.state, CODE_EXPIRED);
	identity_free(id);
	db_close(db);
	ck_assert_int_eq(unlink(cfg.db_path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	host_free(h);
}
END_TEST

START_TEST(the_first_start_makes_what_later_ones_keep)
{
	char dir[64], path[128], code[BOOTSTRAP_CODE_TEXT_MAX];
	const char *tmp = getenv("TMPDIR");
	uint8_t order_key[KEY_LEN], cert[HASH_LEN];
	struct server_keys keys, again;
	struct identity *id = NULL;
	struct host *h = NULL;
	struct db *db = NULL;

	ck_assert_int_eq(crypto_init(NULL), 0);
	ck_assert_int_eq(host_new(NULL, &h), 0);
	snprintf(dir, sizeof(dir), "%.40s/mlsh-first-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/signal.db", dir);
	ck_assert_int_eq(db_open(path, true, NULL, &db), 0);
	ck_assert_int_eq(bootstrap_keys(h, db, &id, &keys, NULL), 0);
	memcpy(cert, identity_cert_sha256(id), sizeof(cert));
	identity_free(id);
	id = NULL;
	/* killed before it made a code: the next start does */
	ck_assert_int_eq(bootstrap_keys(h, db, &id, &again, NULL), 0);
	ck_assert_mem_eq(&keys, &again, sizeof(keys));
	ck_assert_int_eq(seed_public(keys.order_seed, order_key), 0);
	ck_assert_mem_eq(keys.order_key, order_key, sizeof(order_key));
	ck_assert_mem_ne(keys.order_seed, keys.tokens, sizeof(keys.tokens));
	ck_assert_mem_eq(cert, identity_cert_sha256(id), sizeof(cert));
	ck_assert_int_eq(bootstrap_first_code(h, db, "", code, NULL), 0);
	ck_assert_uint_eq(strlen(code), 14);
	ck_assert_int_eq(bootstrap_first_code(h, db, "", code, NULL), 0);
	ck_assert_str_eq(code, "");
	ck_assert_int_eq(bootstrap_first_code(h, db, "0000-0000-0001", code, NULL), 0);
	ck_assert_str_eq(code, "0000-0000-0001"); /* a preset one that is new */
	ck_assert_int_eq(bootstrap_first_code(h, db, "0000-0000-0001", code, NULL), 0);
	ck_assert_str_eq(code, "");
	identity_free(id);
	db_close(db);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	host_free(h);
}
END_TEST

/* --- the list of sessions -------------------------------------------------------------------- */

static struct recall_list *list_of(size_t n)
{
	struct recall_list *l = calloc(1, sizeof(*l) + n * sizeof(l->item[0]));

	ck_assert_ptr_nonnull(l);
	for (l->n = 0; l->n < n; l->n++) {
		struct recall_item *it = &l->item[l->n];

		memset(it->cluster_id, (int)l->n, sizeof(it->cluster_id));
		it->node = node((unsigned)l->n);
		memset(it->how.id, 0xa0 + (int)l->n % 16, sizeof(it->how.id));
		it->how.remote = addr_v4(0xc6336401u, (uint16_t)(1024 + l->n));
		if (l->n % 2)
			it->how.local = addr_v4(0xc6336402u, 4433);
	}
	return l;
}

START_TEST(the_list_of_sessions_is_read_as_it_was_written)
{
	static const size_t sizes[] = { 0, 1, 2, 300, SIGNAL_CONNS_MAX };
	uint8_t *buf = malloc(RECALL_FILE_MAX);

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct recall_list *a = list_of(sizes[i]), *b = NULL;
		ptrdiff_t len = recall_encode(a, buf, RECALL_FILE_MAX);

		ck_assert_int_gt(len, 0);
		ck_assert_int_lt(recall_encode(a, buf, (size_t)len - 1), 0);
		ck_assert_int_eq(recall_encode(a, buf, RECALL_FILE_MAX), len);
		ck_assert_int_eq(recall_decode(span_of(buf, (size_t)len), &b), 0);
		ck_assert_uint_eq(b->n, a->n);
		for (size_t k = 0; k < a->n; k++) {
			ck_assert_mem_eq(a->item[k].cluster_id, b->item[k].cluster_id, HASH_LEN);
			ck_assert(node_id_equal(&a->item[k].node, &b->item[k].node));
			ck_assert_mem_eq(a->item[k].how.id, b->item[k].how.id, QUIC_REVOKE_ID_LEN);
			ck_assert(addr_equal(&a->item[k].how.remote, &b->item[k].how.remote));
			ck_assert(addr_equal(&a->item[k].how.local, &b->item[k].how.local));
		}
		for (ptrdiff_t cut = 0; cut < MIN(len, (ptrdiff_t)300); cut++)
			ck_assert_int_eq(recall_decode(span_of(buf, (size_t)cut), &b), -EBADMSG);
		free(a);
		free(b);
	}
	free(buf);
}
END_TEST

START_TEST(a_list_of_another_form_is_refused)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{ "\x83\x01\x80\x00", 4 },
		{ "\x81\x01", 2 },
		{ "\x82\x00\x80", 3 },
		{ "\x82\x01\x80\x00", 4 },
		{ "\x82\x01\x81", 3 },
		{ "\x82\x01\xa0", 3 },
		{ "\x82\x01\x9a\x7f\xff\xff\xff", 7 },
	};
	struct recall_list *l = NULL;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_int_eq(recall_decode(span_of(bad[i].bytes, bad[i].len), &l), -EBADMSG);
	/* whatever follows the version */
	ck_assert_int_eq(recall_decode(span_of("\x82\x02\x80", 3), &l), -EPROTONOSUPPORT);
	ck_assert_int_eq(recall_decode(span_of("\x83\x02\xf5\x01", 4), &l), -EPROTONOSUPPORT);
	ck_assert_ptr_null(l);
}
END_TEST

/* --- what the relay can carry ----------------------------------------------------------------- */

/* A second of batches that never come to the end of what waits. Returns the limit that follows. */
static uint64_t limit_after(size_t known, uint64_t bytes)
{
	struct relay *r = relay_new(seed, 0, 0);
	const struct relay_batch b = { .known = known, .bytes = bytes };
	uint64_t limit;

	for (uint64_t ms = 0; ms < 1000; ms++)
		relay_rate_batch(r, &b, ms * NS_PER_MS);
	limit = r->carry.limit;
	relay_free(r);
	return limit;
}

/* A flood of strangers' datagrams must not bring down what members may send. */
START_TEST(only_members_bring_the_relay_to_its_end)
{
	uint64_t full = limit_after(UDP_BATCH_MAX, 50000); /* 50 MB a second */

	ck_assert_uint_gt(full, 40000000);
	ck_assert_uint_lt(full, 50000000);
	ck_assert_uint_eq(limit_after(1, 50000), 0);
	ck_assert_uint_eq(limit_after(0, 0), 0);
}
END_TEST

UNIT_MAIN("signal/parts", only_members_bring_the_relay_to_its_end,
	  only_the_own_session_ends_a_presence, a_forgotten_node_is_told_to_nobody,
	  a_cursor_gives_each_change_once, telling_costs_what_changed,
	  a_source_is_an_address_or_a_network, many_sources_do_not_fill_the_memory,
	  the_command_line_is_understood, wrong_usage_is_refused,
	  a_further_token_needs_a_servers_database, the_first_start_makes_what_later_ones_keep,
	  the_list_of_sessions_is_read_as_it_was_written, a_list_of_another_form_is_refused)
