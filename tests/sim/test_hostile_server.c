/* SPDX-License-Identifier: MIT */
/*
 * A signal server that has turned hostile, keys and database and all, and what it does with the
 * order of the log: nothing false is believed, and this says who notices, and how soon. Further
 * forgeries are in test_mesh_trust.c and test_client_hostile.c.
 */
#include "hostile_mesh.h"
#include "identity/identity.h"
#include "tund/dated.h"

/* Peers tell each other what they learn at once: a round trip and what the turn takes. */
#define BY_PEERS SECOND

/* --- two orders ------------------------------------------------------------------------------- */

/* Not by the bytes: of records that are taken together the log keeps the last one's receipt. */
static bool has_record(struct mesh_node *n, uint64_t seq, const struct record_bytes *b)
{
	struct head h = { .seq = seq };
	struct record r;

	ck_assert_int_eq(record_decode(span_of(b->data, b->len), &r, NULL), 0);
	memcpy(h.hash, r.hash, HASH_LEN);
	return mlog_has_head(mesh_log_of(n), &h);
}

static void expect_two_logs(struct mesh *m, const struct record_bytes *const ours[3])
{
	mesh_until(m, BY_PEERS, mesh_all_have_proof, m);
	for (size_t i = 0; i < 3; i++) {
		const char *fork = tunnel_fork(mesh_tunnel(&m->node[i]), PROOF_SERVER);

		MESH_CHECK(m, strstr(fork, "two different records 3"));
		/* each keeps what it had first */
		MESH_CHECK(m, has_record(&m->node[i], 3, ours[i]));
	}
	MESH_CHECK(m, mesh_flow(m, 10 * SECOND, 5) == 0);
}

/* It gives one place to two entries, one for each half of the nodes. */
START_TEST(orders_twice)
{
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct entry_bytes a = mesh_rename_entry(NAS, LAPTOP, "desk");
	struct entry_bytes b = mesh_rename_entry(NAS, PHONE, "cell");
	const struct record_bytes *ours[3];

	rogue_branch_off(r, 3);
	rogue_order(r, mesh_span_of_entry(&a), 0);
	rogue_swap(r);
	rogue_order(r, mesh_span_of_entry(&b), 0);
	rogue_swap(r);
	r->shows_other[2] = true;
	rogue_tell(r, 3);
	for (size_t i = 0; i < 3; i++)
		ours[i] = i < 2 ? &r->record[3] : &r->other.record[3];
	expect_two_logs(m, ours);
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

/* It shows two entries in one order first, to everybody, and later in the other. */
START_TEST(reorders)
{
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct entry_bytes a = mesh_rename_entry(NAS, LAPTOP, "desk");
	struct entry_bytes b = mesh_rename_entry(NAS, PHONE, "cell");
	const struct record_bytes *ours[3];

	rogue_branch_off(r, 3);
	rogue_order(r, mesh_span_of_entry(&a), 0);
	rogue_order(r, mesh_span_of_entry(&b), 0);
	rogue_tell(r, 3);
	sim_pass(m->w, BY_PEERS);
	MESH_CHECK(m, !mesh_has_proof(NAS) && mlog_count(mesh_log_of(PHONE)) == 5);
	rogue_swap(r);
	rogue_order(r, mesh_span_of_entry(&b), 0);
	rogue_order(r, mesh_span_of_entry(&a), 0);
	for (size_t i = 0; i < 3; i++)
		ours[i] = &r->other.record[3];
	rogue_tell(r, 3);
	expect_two_logs(m, ours);
	for (size_t i = 0; i < 3; i++)
		MESH_CHECK(m, mlog_count(mesh_log_of(&m->node[i])) == 5);
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

/* --- withholding ------------------------------------------------------------------------------ */

static bool knows_phone(struct mesh *m, struct mesh_node *n)
{
	struct node_id id = mesh_id_of(PHONE);

	return roster_by_id(mlog_roster(mesh_log_of(n)), &id, ROSTER_CURRENT) != NULL;
}

/* What it shows to the author alone, or keeps from one, comes by peers. */
START_TEST(withholds)
{
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct entry_bytes e = mesh_rename_entry(NAS, LAPTOP, "desk");

	r->shows_only[1] = r->shows_only[2] = 3;
	rogue_order(r, mesh_span_of_entry(&e), 0);
	rogue_tell(r, 3);
	mesh_await_records(LAPTOP, 4, BY_PEERS);
	mesh_await_records(PHONE, 4, BY_PEERS);

	/* one that reaches nobody but the server cannot know, and learns it from the first peer */
	world_link_cut(m->w, PHONE->host, NAS->host, true);
	world_link_cut(m->w, PHONE->host, LAPTOP->host, true);
	r->shows_only[1] = 0;
	r->shows_only[2] = 4;
	e = mesh_rename_entry(NAS, LAPTOP, "table");
	rogue_order(r, mesh_span_of_entry(&e), 0);
	rogue_tell(r, 4);
	mesh_await_records(LAPTOP, 5, BY_PEERS);
	sim_pass(m->w, MINUTE);
	MESH_CHECK(m, mlog_count(mesh_log_of(PHONE)) == 4 && !mesh_has_proof(PHONE));
	world_link_cut(m->w, PHONE->host, NAS->host, false);
	mesh_await_records(PHONE, 5, MINUTE);
	for (size_t i = 0; i < 3; i++)
		MESH_CHECK(m, !mesh_has_proof(&m->node[i])); /* nothing proves it */
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

/* Packets of the pair that come through now, of one a second and direction. */
static uint32_t packets_between(struct mesh *m, size_t a, size_t b, uint64_t time)
{
	uint32_t before = m->pings_got[a][b] + m->pings_got[b][a];

	for (uint64_t t = 0; t < time; t += SECOND) {
		mesh_ping(&m->node[a], &m->node[b]);
		mesh_ping(&m->node[b], &m->node[a]);
		sim_pass(m->w, SECOND);
		mesh_take(m);
	}
	return m->pings_got[a][b] + m->pings_got[b][a] - before;
}

/*
 * It orders a removal and shows it to the admin alone; it keeps the session of the removed node,
 * and says that this is there.
 */
START_TEST(keeps_a_removed_node)
{
	static struct wire_presence phone;
	struct signal_event ev = { .type = SIGNAL_EV_PRESENCE,
				   .presence = &phone,
				   .n_presence = 1 };
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct entry_bytes e = mesh_remove_entry(NAS, PHONE);
	struct node_id id = mesh_id_of(PHONE);

	MESH_CHECK(m, packets_between(m, 1, 2, 2 * SECOND) == 4);
	r->shows_only[1] = r->shows_only[2] = 3;
	rogue_order(r, mesh_span_of_entry(&e), 0);
	rogue_tell(r, 3);
	mesh_await_records(LAPTOP, 4, BY_PEERS);
	MESH_CHECK(m, !knows_phone(m, NAS) && !knows_phone(m, LAPTOP));
	memcpy(phone.node_id, id.bytes, NODE_ID_LEN);
	phone.online = true;
	phone.candidates.n = 1;
	phone.candidates.item[0] = addr_v4(PHONE->ip, 51820);
	for (int i = 0; i < 10; i++) {
		ev.cursor++;
		rogue_say(r, &ev);
		MESH_CHECK(m, packets_between(m, 1, 2, 3 * SECOND) == 0);
		MESH_CHECK(m, packets_between(m, 0, 2, 3 * SECOND) == 0);
	}
	MESH_CHECK(m, !knows_phone(m, NAS) && !knows_phone(m, LAPTOP));
	/* the others have lost nothing */
	MESH_CHECK(m, packets_between(m, 0, 1, 5 * SECOND) == 10);
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

/* --- late ------------------------------------------------------------------------------------- */

static bool session_has_proof(struct mesh_node *n, const char *what)
{
	struct session_status s;

	session_status_get(tunnel_session(mesh_tunnel(n)), &s);
	return s.last_err.reason == REFUSAL_FORK && strstr(s.last_err.text, what);
}

/* Shows record 3 to all. Nobody takes it; everybody has proof, or nobody. It is taken back then. */
static void shown_and_refused(struct mesh *m, struct rogue *r, bool proves, const char *what)
{
	rogue_tell(r, 3);
	sim_pass(m->w, BY_PEERS);
	for (size_t i = 0; i < 3; i++) {
		struct mesh_node *n = &m->node[i];

		if (mlog_count(mesh_log_of(n)) != 3 || session_has_proof(n, "") != proves) {
			world_dump(m->w);
			ck_abort_msg("%s, %s: %zu records, \"%s\"", n->name, what,
				     mlog_count(mesh_log_of(n)),
				     tunnel_fork(mesh_tunnel(n), PROOF_SERVER));
		}
	}
	MESH_CHECK(m, mesh_flow(m, 2 * SECOND, 5) == 0);
	r->n_records = 3;
	rogue_hang_up(r, SIGNAL_CLOSE_SHUTDOWN);
	mesh_until(m, MINUTE, mesh_at_peace, m);
	sim_pass(m->w, 2 * SECOND); /* and all listen */
}

/* Do all remark on this record, and no other? */
static void expect_late(struct mesh *m, uint64_t seq)
{
	for (size_t i = 0; i < 3; i++) {
		struct dated_status d;

		tunnel_dated(mesh_tunnel(&m->node[i]), &d);
		MESH_CHECK(m, d.late_seq == seq);
	}
}

/* Hours later the place is proof, unless the server lies about the time and nothing came since. */
/* [P2-53] */
START_TEST(delays_an_entry)
{
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct entry_bytes late = mesh_rename_entry(NAS, LAPTOP, "desk"), next;
	uint64_t then = mesh_wall_s(NAS);

	sim_pass(m->w, 3 * HOUR);
	rogue_order(r, mesh_span_of_entry(&late), 0);
	shown_and_refused(m, r, true, "an entry that is ordered three hours late");
	next = mesh_rename_entry(NAS, PHONE, "cell");
	rogue_order(r, mesh_span_of_entry(&next), 0);
	rogue_tell(r, 3);
	sim_pass(m->w, BY_PEERS);
	rogue_order_at(r, mesh_span_of_entry(&late), 0, then + 60);
	rogue_tell(r, 4);
	sim_pass(m->w, BY_PEERS);
	for (size_t i = 0; i < 3; i++) {
		MESH_CHECK(m, mlog_count(mesh_log_of(&m->node[i])) == 4);
		MESH_CHECK(m, session_has_proof(&m->node[i], "dated before the one before"));
	}
	rogue_stop(r);
	mesh_free(m);

	/* in a quiet cluster it can date the place back: SECURITY.md and the nodes say so */
	m = hostile_mesh(&r);
	late = mesh_rename_entry(NAS, LAPTOP, "desk");
	then = mesh_wall_s(NAS);
	sim_pass(m->w, 3 * HOUR);
	rogue_order_at(r, mesh_span_of_entry(&late), 0, then + 60);
	rogue_tell(r, 3);
	for (size_t i = 0; i < 3; i++) {
		struct dated_status d;

		mesh_await_records(&m->node[i], 4, BY_PEERS);
		MESH_CHECK(m, !mesh_has_proof(&m->node[i]));
		tunnel_dated(mesh_tunnel(&m->node[i]), &d);
		MESH_CHECK(m, d.late_seq == 3 && d.late_time_s == then + 60);
		MESH_CHECK(m, d.late_at_s - then >= 3 * 3600);
	}
	/* what is ordered in time is nothing to tell of */
	next = mesh_rename_entry(NAS, PHONE, "cell");
	rogue_order(r, mesh_span_of_entry(&next), 0);
	rogue_tell(r, 4);
	mesh_await_records(PHONE, 5, BY_PEERS);
	expect_late(m, 3);
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

/* --- forgeries -------------------------------------------------------------------------------- */

/* Record `seq` gets another receipt: of this key, or none. */
static void reseal(struct rogue *r, size_t seq, const uint8_t *order_seed)
{
	struct record_bytes *b = &r->record[seq], old = *b;
	uint8_t receipt[SIG_LEN];
	struct record x, genesis;

	ck_assert_int_eq(record_decode(span_of(old.data, old.len), &x, NULL), 0);
	ck_assert_int_eq(record_decode(span_of(r->record[0].data, r->record[0].len), &genesis,
				       NULL),
			 0);
	if (order_seed)
		ck_assert_int_eq(receipt_make(order_seed, genesis.hash, &x.order, x.entry_hash,
					      receipt),
				 0);
	x.receipt = order_seed ? receipt : NULL;
	ck_assert_int_eq(record_encode(&x, b), 0);
}

/* The first place of `from` in the entry becomes `to`. */
static struct entry_bytes altered(struct entry_bytes e, const void *from, const void *to,
				  size_t len)
{
	uint8_t *at = memmem(e.data, e.len, from, len);

	ck_assert_ptr_nonnull(at);
	memcpy(at, to, len);
	return e;
}

START_TEST(forges_receipts)
{
	static const uint8_t other_key[SIGN_SEED_LEN] = { 3 };
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct entry_bytes e = mesh_rename_entry(NAS, LAPTOP, "desk");
	struct record before;
	struct record_bytes last;

	rogue_order(r, mesh_span_of_entry(&e), 0);
	reseal(r, 3, NULL);
	shown_and_refused(m, r, false, "no receipt");
	rogue_order(r, mesh_span_of_entry(&e), 0);
	reseal(r, 3, other_key);
	shown_and_refused(m, r, false, "a receipt of another key");
	rogue_order(r, mesh_span_of_entry(&e), 0);
	last = r->record[2];
	ck_assert_int_eq(record_decode(span_of(last.data, last.len), &before, NULL), 0);
	memcpy(r->record[3].data + r->record[3].len - SIG_LEN, before.receipt, SIG_LEN);
	shown_and_refused(m, r, false, "the receipt of the record before");
	/* with its receipt it is good */
	e = mesh_rename_entry(NAS, LAPTOP, "desk"); /* and new enough */
	rogue_order(r, mesh_span_of_entry(&e), 0);
	rogue_tell(r, 3);
	mesh_await_records(PHONE, 4, BY_PEERS);
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

START_TEST(swaps_names_keys_and_addresses)
{
	static const ip4 bad[] = { IP(100, 64, 0, 1),	   IP(100, 64, 0, 3), IP(100, 64, 0, 0),
				   IP(100, 127, 255, 255), IP(8, 8, 8, 8),    0 };
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct entry_bytes good = mesh_admit_entry(NAS, "visitor", mesh_wall_s(NAS),
						   mesh_wall_s(NAS) + 86400),
			   e;
	struct record_bytes ours;
	struct record x;
	struct identity *key = NULL;
	struct entry decoded;
	char what[64];

	SIM_CHECK_OK(m->w, entry_decode(mesh_span_of_entry(&good), &decoded, NULL));
	SIM_CHECK_OK(m->w, identity_new(m->server_host, NULL, &key));
	e = altered(good, decoded.admit.key, identity_key(key), KEY_LEN);
	rogue_order(r, mesh_span_of_entry(&e), IP(100, 64, 0, 4));
	shown_and_refused(m, r, true, "another key");
	e = altered(good, "visitor", "intrude", 7);
	rogue_order(r, mesh_span_of_entry(&e), IP(100, 64, 0, 4));
	shown_and_refused(m, r, true, "another name");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(what, sizeof(what), "address %zu", i);
		rogue_order(r, mesh_span_of_entry(&good), bad[i]);
		shown_and_refused(m, r, true, what);
	}
	/* the same of what they have: another address for laptop */
	ours = r->record[1];
	SIM_CHECK_OK(m->w, record_decode(span_of(ours.data, ours.len), &x, NULL));
	r->n_records = 1;
	rogue_order_at(r, x.entry, IP(100, 64, 0, 9), x.order.time_s);
	rogue_tell(r, 1);
	sim_pass(m->w, BY_PEERS);
	for (size_t i = 0; i < 3; i++) {
		MESH_CHECK(m, session_has_proof(&m->node[i], "two different records 1"));
		MESH_CHECK(m, has_record(&m->node[i], 1, &ours));
	}
	identity_free(key);
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

/* The log of a cluster that it founded itself, with its own order key. */
START_TEST(answers_with_another_cluster)
{
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct genesis g = *mlog_genesis(mesh_log_of(NAS));
	struct identity *key = NULL;
	struct entry_bytes e;
	struct record x = { .genesis = true };
	struct record_bytes ours = r->record[0], b;
	struct session_status s;

	SIM_CHECK_OK(m->w, identity_new(m->server_host, NULL, &key));
	memcpy(g.key, identity_key(key), KEY_LEN);
	SIM_CHECK_OK(m->w, genesis_make(&g, mesh_wall_s(NAS), identity_signer(key), &e, NULL));
	x.entry = mesh_span_of_entry(&e);
	SIM_CHECK_OK(m->w, record_encode(&x, &b));
	r->n_records = 0;
	rogue_add(r, span_of(b.data, b.len));
	rogue_tell(r, 0);
	sim_pass(m->w, BY_PEERS);
	for (size_t i = 0; i < 3; i++) {
		MESH_CHECK(m, mlog_count(mesh_log_of(&m->node[i])) == 3 &&
				      !mesh_has_proof(&m->node[i]));
		session_status_get(tunnel_session(mesh_tunnel(&m->node[i])), &s);
		MESH_CHECK(m, strstr(s.last_err.text, "another cluster"));
		MESH_CHECK(m, span_equal(mlog_record(mesh_log_of(&m->node[i]), 0),
					 span_of(ours.data, ours.len)));
	}
	MESH_CHECK(m, mesh_flow(m, MINUTE, 1) == 0);
	identity_free(key);
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

/* --- words ------------------------------------------------------------------------------------ */

/* Its word for a removal ends no tunnel, whoever says it how often. */
START_TEST(says_removed)
{
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct session_status s;

	r->says_removed = true;
	mesh_flow_begin(m);
	rogue_hang_up(r, SIGNAL_CLOSE_REMOVED);
	mesh_flow_run(m, 10 * MINUTE, 1);
	MESH_CHECK(m, mesh_flow_end(m) == 0);
	for (size_t i = 0; i < 3; i++) {
		struct tunnel *t = mesh_tunnel(&m->node[i]);

		session_status_get(tunnel_session(t), &s);
		MESH_CHECK(m, tunnel_state_get(t) == TUNNEL_RECONNECTING && !tunnel_left(t));
		MESH_CHECK(m, strstr(s.last_err.text, "no record") && !mesh_has_proof(&m->node[i]));
	}
	MESH_CHECK(m, r->sessions <= 3 * 22); /* slowly */
	rogue_stop(r);
	mesh_server_start(m);
	mesh_all_connected(m, MINUTE);
	mesh_free(m);
}
END_TEST

/* It says that nobody is there, that all are at a bystander's, that strangers are. */
START_TEST(lies_about_presence)
{
	static struct wire_presence p[3];
	struct signal_event ev = { .type = SIGNAL_EV_PRESENCE, .presence = p, .n_presence = 3 };
	struct addr bystander = addr_v4(IP(192, 0, 2, 200), 9);
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);

	world_host(m->w, "bystander", IP(192, 0, 2, 200));
	mesh_flow_begin(m);
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < 3; i++) {
			struct node_id id = mesh_id_of(&m->node[i]);

			memcpy(p[i].node_id, id.bytes, NODE_ID_LEN);
			p[i].online = round % 2;
			p[i].candidates.n = 1;
			p[i].candidates.item[0] = bystander;
		}
		if (round % 5 == 4) /* a stranger */
			memset(p[2].node_id, round, NODE_ID_LEN);
		ev.reset = round % 7 == 6;
		ev.cursor++;
		rogue_say(r, &ev);
		mesh_flow_run(m, 3 * SECOND, 2);
	}
	MESH_CHECK(m, mesh_flow_end(m) == 0);
	for (size_t i = 0; i < 3; i++)
		MESH_CHECK(m, mlog_count(mesh_log_of(&m->node[i])) == 3 &&
				      !mesh_has_proof(&m->node[i]));
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/hostile_server", orders_twice, reorders, withholds, keeps_a_removed_node,
	  delays_an_entry, forges_receipts, swaps_names_keys_and_addresses,
	  answers_with_another_cluster, says_removed, lies_about_presence)
