/* SPDX-License-Identifier: MIT */
/*
 * Long membership logs, which take seconds to verify: the daemon does it in slices, and everybody
 * else is served between them. The linker puts the counters in (mk/variant.mk).
 */
#include "slices_kit.h"

/* [P5-8] */
START_TEST(a_long_log_is_verified_in_slices)
{
	struct scene s;

	slices_begin(&s, 1);
	slices_hand_over(&s, ALICE);
	slices_until_verifying(s.n, &s.c);
	for (int i = 0; i < 20; i++) { /* others do not wait */
		user_expect(s.n, user_ask_as(s.n, BOB, BOB, CONTROL_STATUS, ""), "\"clusters\":[]");
		ck_assert_uint_eq(s.c.replies, 0);
	}
	slices_until_reply(&s);
	ck_assert_str_eq(s.c.reply, user_ok);
	ck_assert_uint_eq(slices_log_count(s.n), mlog_count(s.k.log));
	slices_hang_up(&s.c);
	slices_finish(&s);
}
END_TEST

/* The words are those of a short log, and the tunnel does not suffer from it. */
START_TEST(what_is_wrong_behind_a_long_log_is_said)
{
	struct kit k = slices_long_log(RENAMES);
	struct handover wrong_key = slices_files_of(&k, 1, 2), bad_end = slices_files_of(&k, 1, 1);
	struct buf *log = &bad_end.file[CONTROL_FILE_LOG];
	struct mesh *m;
	struct mesh_node *n = slices_daemon_ready(&m);
	struct caller c;

	slices_call(n, &c, ALICE, &wrong_key);
	mesh_until(m, MINUTE, slices_has_reply, &c);
	ck_assert_msg(strstr(c.reply, "made with another key"), "%s", c.reply);
	slices_hang_up(&c);
	/* the last byte of the last record but one: the last one might be a crash's */
	log->data[log->len - (12 + mlog_record(k.log, mlog_head(k.log).seq).len) - 1] ^= 1;
	slices_call(n, &c, ALICE, &bad_end);
	mesh_until(m, MINUTE, slices_has_reply, &c);
	ck_assert_msg(strstr(c.reply, "is damaged: record 1239 is not what was written"), "%s",
		      c.reply);
	ck_assert_ptr_null(daemon_find(n->daemon, MESH_CLUSTER));
	slices_hang_up(&c);
	handover_free(&wrong_key);
	handover_free(&bad_end);
	kit_close(&k);
	slices_mesh_end(m);
}
END_TEST

/* A user that hands over long logs again and again waits; root and other users do not. */
/* [P5-9] */
START_TEST(a_user_does_not_keep_the_daemon_verifying)
{
	struct scene s;
	unsigned tries = 0;

	slices_begin(&s, 2);
	slices_is_short_of_time = true;
	for (bool refused = false; !refused; tries++) {
		ck_assert_uint_lt(tries, 100);
		slices_hand_over(&s, ALICE);
		slices_until_reply(&s);
		refused = strstr(s.c.reply, "so many long membership logs");
		if (refused) /* before it was asked for anything */
			ck_assert_uint_eq(s.c.acks, 0);
		slices_hang_up(&s.c);
	}
	/* 70 s of debts, 1.2 s each, some of which is paid meanwhile */
	ck_assert_uint_gt(tries, 30);
	slices_hand_over_whole(&s, BOB, "made with another key");
	slices_hand_over_whole(&s, ROOT, "made with another key");
	sim_pass(s.m->w, 5 * SECOND);
	slices_hand_over_whole(&s, ALICE, "made with another key");
	slices_is_short_of_time = false;
	slices_finish(&s);
}
END_TEST

/* It hangs up, sends more, or the daemon ends: nothing is left of it, the next one is served. */
START_TEST(a_caller_that_goes_ends_it)
{
	struct scene s;

	slices_begin(&s, 1);
	slices_hand_over(&s, ALICE);
	slices_until_verifying(s.n, &s.c);
	slices_hang_up(&s.c);
	sim_pass(s.m->w, 10 * MS);
	slices_verified.most = 0;
	sim_pass(s.m->w, SECOND);
	ck_assert_uint_eq(slices_verified.most, 0);
	slices_hand_over(&s, ALICE);
	slices_until_verifying(s.n, &s.c);
	SIM_CHECK_OK(s.m->w, local_send(s.c.conn, "x", 1));
	mesh_until(s.m, SECOND, slices_has_reply, &s.c);
	ck_assert_msg(strstr(s.c.reply, "more came of the files"), "%s", s.c.reply);
	slices_hang_up(&s.c);
	slices_hand_over(&s, ALICE);
	slices_until_verifying(s.n, &s.c);
	mesh_daemon_stop(s.n);
	sim_pass(s.m->w, 10 * MS);
	ck_assert_ptr_null(s.c.conn);
	slices_hang_up(&s.c);
	mesh_daemon_start(s.n);
	ck_assert_ptr_null(daemon_find(s.n->daemon, MESH_CLUSTER));
	slices_hand_over_whole(&s, ALICE, user_ok);
	slices_finish(&s);
}
END_TEST

/* Somebody who has connected it, with half of the log. */
static void connect_first(struct mesh_node *n, const struct kit *k, struct handover *whole)
{
	struct kit half = { .admin = k->admin, .now_s = k->now_s };
	struct handover files;
	char *reply;

	slices_counted = NULL;
	half.log = kit_copy(k->log, 600);
	slices_counted = n->mesh->w;
	files = slices_files_of(&half, 1, 1);
	reply = user_hand_over_as(n, ALICE, GROUP, MESH_CLUSTER, &files);
	user_expect(n, reply, user_ok);
	ck_assert_uint_eq(slices_log_count(n), 600);
	handover_free(&files);
	mlog_free(half.log);
	*whole = slices_files_of(k, 1, 1);
}

/* The log of the running tunnel grows while that of a user is verified: nothing of it is lost. */
START_TEST(the_own_log_may_grow_meanwhile)
{
	struct kit k = slices_long_log(RENAMES);
	struct handover files;
	struct mesh *m;
	struct mesh_node *n = slices_daemon_ready(&m);
	struct mlog *own;
	struct caller c;

	connect_first(n, &k, &files);
	/* another server in the file, so that the tunnel starts again with what was handed over */
	files.file[CONTROL_FILE_CLUSTER].data[files.file[CONTROL_FILE_CLUSTER].len - 1] ^= 1;
	slices_call(n, &c, ALICE, &files);
	slices_until_verifying(n, &c);
	own = tunnel_log(mesh_tunnel(n));
	slices_counted = NULL;
	for (uint64_t seq = 600; seq < mlog_count(k.log); seq++)
		ck_assert_int_eq(mlog_reload(own, mlog_record(k.log, seq), NULL), 0);
	for (unsigned i = 0; i < 3; i++) { /* behind what the user has */
		char name[32];
		struct entry_bytes b;

		snprintf(name, sizeof(name), "later%u", i);
		b = kit_rename(&k, 0, 1 + i, name);
		kit_append(&k, &b);
		ck_assert_int_eq(mlog_reload(own, mlog_record(k.log, mlog_count(k.log) - 1), NULL),
				 0);
	}
	mlog_commit(own);
	slices_counted = m->w;
	mesh_until(m, MINUTE, slices_has_reply, &c);
	ck_assert_str_eq(c.reply, user_ok);
	ck_assert_ptr_ne(tunnel_log(mesh_tunnel(n)), own);
	ck_assert_uint_eq(slices_log_count(n), mlog_count(k.log));
	slices_hang_up(&c);
	handover_free(&files);
	kit_close(&k);
	slices_mesh_end(m);
}
END_TEST

/* The cluster is stopped or forgotten while it is handed over again: the later word counts. */
START_TEST(the_cluster_may_go_meanwhile)
{
	static const enum control_verb verbs[] = { CONTROL_DISCONNECT, CONTROL_FORGET };
	struct kit k = slices_long_log(RENAMES);

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		struct handover files;
		struct mesh *m;
		struct mesh_node *n = slices_daemon_ready(&m);
		struct caller c;

		connect_first(n, &k, &files);
		slices_call(n, &c, ALICE, &files);
		slices_until_verifying(n, &c);
		user_expect(n, user_ask_as(n, ALICE, GROUP, verbs[i], MESH_CLUSTER), user_ok);
		ck_assert_uint_eq(slices_log_count(n), 0);
		mesh_until(m, MINUTE, slices_has_reply, &c);
		ck_assert_str_eq(c.reply, user_ok);
		ck_assert_uint_eq(slices_log_count(n), mlog_count(k.log));
		slices_hang_up(&c);
		handover_free(&files);
		slices_mesh_end(m);
	}
	kit_close(&k);
}
END_TEST

/* --- a long log that is asked for --- */

struct asker {
	struct host *host;
	struct local_conn *conn;
	struct buf got;
	unsigned ends;
};

static struct counts pieces;

static void on_part(void *ctx, struct local_conn *conn, struct span m)
{
	struct asker *a = ctx;

	(void)conn;
	slices_count(&pieces);
	a->got.data = realloc(a->got.data, a->got.len + m.len);
	memcpy(a->got.data + a->got.len, m.data + 1, m.len - 1);
	a->got.len += m.len - 1;
	a->ends += m.data[0] == CONTROL_LAST;
}

static void on_gone(void *ctx, struct local_conn *conn)
{
	(void)ctx, (void)conn;
	ck_abort_msg("the daemon has closed the connection");
}

static void ask_log(struct mesh_node *n, struct asker *a, unsigned times)
{
	static const struct local_ops ops = { .message = on_part, .closed = on_gone };
	struct control_request r = { .verb = CONTROL_LOG, .cluster = MESH_CLUSTER };
	uint8_t request[CONTROL_REQUEST_MAX];
	ptrdiff_t len = control_request_encode(&r, request, sizeof(request));

	*a = (struct asker){ .host = world_host_boot(n->host) };
	world_host_user(a->host, ALICE, GROUP);
	SIM_CHECK_OK(n->mesh->w, local_connect(a->host, CONTROL_SOCKET, &ops, a, NULL, &a->conn));
	for (unsigned i = 0; i < times; i++)
		SIM_CHECK_OK(n->mesh->w, local_send(a->conn, request, (size_t)len));
}

static void asker_end(struct asker *a)
{
	local_conn_close(a->conn);
	world_host_crash(a->host);
	buf_free(&a->got);
}

START_TEST(a_long_log_is_sent_in_slices)
{
	struct kit k = slices_long_log(RENAMES);
	struct handover files = slices_files_of(&k, 1, 1);
	struct buf whole;
	struct mesh *m;
	struct mesh_node *n = slices_daemon_ready(&m);
	struct asker a;

	user_expect(n, user_hand_over_as(n, ALICE, GROUP, MESH_CLUSTER, &files), user_ok);
	ck_assert_int_eq(log_file_encode(tunnel_log(mesh_tunnel(n)), &whole), 0);
	pieces = (struct counts){ .now = 0 };
	ask_log(n, &a, 1);
	sim_pass(m->w, SECOND);
	ck_assert_uint_eq(a.ends, 1);
	ck_assert(span_equal(span_of(a.got.data, a.got.len), span_of(whole.data, whole.len)));
	ck_assert_msg(pieces.most <= 4, "%u pieces at once", pieces.most);
	asker_end(&a);
	/* another request in the middle: no answer is mixed with another */
	ask_log(n, &a, 3);
	sim_pass(m->w, SECOND);
	ck_assert_uint_le(a.ends, 1);
	ck_assert(a.got.len <= whole.len && memcmp(a.got.data, whole.data, a.got.len) == 0);
	asker_end(&a);
	/* the cluster goes in the middle: what came is the beginning of a log, and ends */
	ask_log(n, &a, 1);
	sim_pass(m->w, 3 * MS);
	ck_assert_uint_eq(a.ends, 0);
	user_expect(n, user_ask_as(n, ALICE, GROUP, CONTROL_FORGET, MESH_CLUSTER), user_ok);
	sim_pass(m->w, SECOND);
	ck_assert_uint_eq(a.ends, 1);
	ck_assert(a.got.len < whole.len && memcmp(a.got.data, whole.data, a.got.len) == 0);
	asker_end(&a);
	buf_free(&whole);
	handover_free(&files);
	kit_close(&k);
	slices_mesh_end(m);
}
END_TEST

static bool is_up(void *ctx)
{
	return slices_log_count(ctx) > 0;
}

/* At its start the daemon answers at once, and begins no upload before its own clusters are up. */
START_TEST(a_start_reads_a_long_log_in_slices)
{
	struct scene s;
	static const char mark[] = DAEMON_STATE_DIR "/" MESH_CLUSTER
						    "/clusters/" MESH_CLUSTER STORE_VERIFIED;

	slices_begin(&s, 1);
	user_expect(s.n, user_hand_over_as(s.n, ALICE, GROUP, MESH_CLUSTER, &s.files), user_ok);
	for (int i = 0; i < 2; i++) { /* with the mark, and without */
		mesh_daemon_stop(s.n);
		if (i > 0)
			SIM_CHECK_OK(s.m->w, file_forget(s.n->host, mark));
		s.m->watchdog = MINUTE;
		slices_check();
		slices_count_in(s.m->w);
		mesh_daemon_start(s.n);
		ck_assert_uint_eq(slices_log_count(s.n), 0);
		ck_assert_str_eq(world_managed_words(s.n->daemon_host), "");
		slices_hand_over(&s, ALICE);
		sim_pass(s.m->w, 5 * MS);
		ck_assert_uint_eq(s.c.acks, 0);
		user_expect(s.n, user_ask_as(s.n, ALICE, GROUP, CONTROL_STATUS, ""),
			    "\"state\":\"stopped\"");
		mesh_until(s.m, MINUTE, is_up, s.n);
		sim_pass(s.m->w, 5 * MS);
		ck_assert_uint_eq(slices_log_count(s.n), mlog_count(s.k.log));
		ck_assert_str_eq(world_managed_words(s.n->daemon_host),
				 "EXTEND_TIMEOUT_USEC=300000000\nREADY=1\nSTATUS=0 of 1 "
				 "cluster connected, tunnels to 0 of 40 nodes\n");
		ck_assert_int_eq(slices_verified.most > 0, i > 0);
		slices_until_reply(&s);
		ck_assert_str_eq(s.c.reply, user_ok);
		slices_hang_up(&s.c);
	}
	slices_finish(&s);
}
END_TEST

/* A start that fails for another reason is tried again, and verifies nothing a second time. */
START_TEST(a_port_that_is_taken_costs_no_signatures)
{
	struct kit k = slices_long_log(RENAMES);
	struct handover files = slices_files_of(&k, 1, 1);
	struct mesh *m = mesh_new(1);
	struct mesh_node *n = mesh_node(m, "nas");
	struct sim_sink sink;
	struct host *other = world_host_boot(n->host);

	n->port = 41641;
	mesh_daemon_start(n);
	world_group_add(n->host, "mlsh", GROUP, 1 << 20);
	sim_sink_open(&sink, other, n->port);
	user_expect(n, user_hand_over_as(n, ALICE, GROUP, MESH_CLUSTER, &files),
		    "another program has UDP port 41641");
	slices_count_in(m->w);
	sim_pass(m->w, 12 * SECOND);
	ck_assert_uint_eq(slices_verified.most, 0);
	ck_assert_uint_gt(slices_decoded.most, 0);
	udp_close(sink.udp);
	world_host_crash(other);
	mesh_until(m, 10 * SECOND, is_up, n);
	handover_free(&files);
	kit_close(&k);
	slices_mesh_end(m);
}
END_TEST

UNIT_MAIN("tund/slices", a_long_log_is_verified_in_slices, what_is_wrong_behind_a_long_log_is_said,
	  a_user_does_not_keep_the_daemon_verifying, a_caller_that_goes_ends_it,
	  the_own_log_may_grow_meanwhile, the_cluster_may_go_meanwhile,
	  a_long_log_is_sent_in_slices, a_start_reads_a_long_log_in_slices,
	  a_port_that_is_taken_costs_no_signatures)
