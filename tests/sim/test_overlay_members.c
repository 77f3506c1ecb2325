/* SPDX-License-Identifier: MIT */
/* Which nodes may be peers, and how the membership log travels between peers. */
#include <openssl/ssl.h>

#include "overlay_sim.h"
#include "quic/socket.h"

#define ALERT_HANDSHAKE_FAILURE 40

/* A bare end that only wants to connect. */
struct stranger {
	struct quic_socket *s;
	struct quic_conn *c;
	bool connected, closed, stream_opened;
	enum quic_close_reason reason;
	uint64_t error;
};

static void stranger_event(void *ctx, struct quic_conn *c, const struct quic_event *ev)
{
	struct stranger *s = ctx;

	(void)c;
	if (ev->type == QUIC_CONNECTED)
		s->connected = true;
	if (ev->type == QUIC_CLOSED) {
		s->closed = true;
		s->reason = ev->reason;
		s->error = ev->error;
	}
}

static const struct quic_conn_ops stranger_ops = { .event = stranger_event };

static void stranger_open(struct stranger *s, struct host *h, const struct identity *id)
{
	struct quic_socket_config cfg = { .identity = id };

	*s = (struct stranger){ 0 };
	ck_assert_int_eq(quic_socket_open(h, &cfg, NULL, &s->s), 0);
}

static void stranger_connect(struct stranger *s, struct fleet_node *to)
{
	struct quic_pin pin = { .by_key = true };
	struct wire_candidates c;

	memcpy(pin.key_sha256, identity_key_sha256(to->id), 32);
	overlay_candidates_get(to->o, &c);
	ck_assert_uint_ge(c.n, 1);
	ck_assert_int_eq(quic_connect(s->s, &peer_profile, &pin, 0, &c.item[0], &stranger_ops, s,
				      NULL, &s->c),
			 0);
}

static bool stranger_closed(void *ctx)
{
	return ((struct stranger *)ctx)->closed;
}

static void stranger_close(struct stranger *s)
{
	quic_conn_free(s->c);
	quic_socket_close(s->s);
}

/* [P4-2] */
START_TEST(a_key_that_is_no_members_is_refused_in_the_handshake)
{
	struct fleet m;
	struct stranger s;
	struct identity *id = kit_identity(77);

	fleet_init(&m, 2);
	fleet_start(&m.node[1]);
	stranger_open(&s, m.node[0].h, id);
	stranger_connect(&s, &m.node[1]);
	SIM_CHECK(m.w, world_run(m.w, 12 * NS_PER_S, stranger_closed, &s));
	ck_assert_int_eq(s.reason, QUIC_CLOSE_TLS);
	ck_assert_uint_eq(quic_socket_stats_get(overlay_socket(m.node[1].o)).accepted, 0);
	stranger_close(&s);
	identity_free(id);
	fleet_free(&m);
}
END_TEST

START_TEST(a_member_that_offers_only_x25519_is_refused)
{
	struct fleet m;
	struct stranger s;

	fleet_init(&m, 2);
	fleet_start(&m.node[1]);
	stranger_open(&s, m.node[0].h, m.node[0].id);
	ck_assert_int_eq(SSL_CTX_set1_groups_list(quic_tls_context(s.s->tls, false), "X25519"), 1);
	stranger_connect(&s, &m.node[1]);
	SIM_CHECK(m.w, world_run(m.w, 12 * NS_PER_S, stranger_closed, &s));
	ck_assert(!s.connected);
	ck_assert_int_eq(s.reason, QUIC_CLOSE_TLS);
	ck_assert_uint_eq(s.error, ALERT_HANDSHAKE_FAILURE);
	ck_assert_int_ne(fleet_peer(&m.node[1], &m.node[0]).state, PEER_UP);
	stranger_close(&s);
	fleet_free(&m);
}
END_TEST

START_TEST(a_member_that_accepts_only_x25519_gets_no_tunnel)
{
	struct fleet m;

	fleet_init(&m, 2);
	m.server_down = true;
	fleet_start(&m.node[0]);
	fleet_start(&m.node[1]);
	ck_assert_int_eq(SSL_CTX_set1_groups_list(quic_tls_context(m.node[1].o->peering.socket->tls,
								   true),
						  "X25519"),
			 1);
	fleet_tell(&m.node[1], &m.node[0]);
	sim_pass(m.w, 20 * NS_PER_S);
	struct peer_status st = fleet_peer(&m.node[0], &m.node[1]);
	ck_assert_int_ne(st.state, PEER_UP);
	ck_assert_uint_gt(strlen(st.detail), 5);
	ck_assert_uint_eq(st.last_heard, 0);
	fleet_free(&m);
}
END_TEST

/* [P4-4] */
START_TEST(a_connection_without_control_stream_is_closed)
{
	struct fleet m;
	struct stranger s;

	fleet_init(&m, 2);
	fleet_start(&m.node[1]);
	stranger_open(&s, m.node[0].h, m.node[0].id);
	stranger_connect(&s, &m.node[1]);
	sim_pass(m.w, 4 * NS_PER_S);
	SIM_CHECK(m.w, s.connected && !s.closed);
	SIM_CHECK(m.w, world_run(m.w, 2 * NS_PER_S, stranger_closed, &s));
	ck_assert_int_eq(s.reason, QUIC_CLOSE_REMOTE_APP);
	ck_assert_uint_eq(s.error, PEER_CLOSE_NO_CONTROL);
	stranger_close(&s);
	fleet_free(&m);
}
END_TEST

/* --- the log --- */

static void shorten(struct fleet_node *n, size_t entries)
{
	struct node_id id = identity_node_id(n->id);
	struct mlog *l = fleet_copy_log(n->log, entries);

	mlog_free(n->log);
	n->log = l;
	n->self = roster_by_id(mlog_roster(l), &id, ROSTER_CURRENT);
	ck_assert_ptr_nonnull(n->self);
}

static bool all_logs_equal(void *ctx)
{
	struct fleet *m = ctx;

	for (size_t i = 1; i < m->n; i++) {
		if (mlog_count(m->node[i].log) != mlog_count(m->node[0].log))
			return false;
	}
	return true;
}

/* [P4-25] [P4-27] */
START_TEST(whoever_is_behind_learns_from_its_peer)
{
	for (unsigned behind = 0; behind < 2; behind++) {
		struct fleet m;

		fleet_init(&m, 2);
		for (unsigned i = 2; i < 12; i++)
			kit_join(&m.kit, i);
		mlog_free(m.node[1 - behind].log);
		m.node[1 - behind].log = fleet_copy_log(m.kit.log, mlog_count(m.kit.log));
		shorten(&m.node[1 - behind], mlog_count(m.kit.log));
		fleet_start(&m.node[0]);
		fleet_start(&m.node[1]);
		SIM_CHECK(m.w, world_run(m.w, 2 * NS_PER_S, all_logs_equal, &m));
		sim_pass(m.w, 100 * NS_PER_MS);
		ck_assert_uint_eq(mlog_count(m.node[behind].log), 12);
		ck_assert_uint_ge(m.node[behind].grew, 1);
		ck_assert_uint_eq(m.node[1 - behind].grew, 0);
		ck_assert_uint_eq(m.node[0].forks + m.node[1].forks, 0);
		/* The new members are routed to. */
		ck_assert(world_has_route(m.node[behind].h, (struct prefix4){ KIT_NET + 12, 32 },
					  overlay_ifindex(m.node[behind].o)));
		SIM_CHECK(m.w, fleet_linked(&m.node[0], &m.node[1]));
		fleet_free(&m);
	}
}
END_TEST

static void ping_wakes(struct fleet *m, unsigned asks)
{
	const struct fleet_node *n = &m->node[asks];
	const struct member *to = roster_by_id(mlog_roster(n->log), &m->node[1 - asks].self->id,
					       ROSTER_CURRENT);
	uint64_t nonce;

	ck_assert_int_eq(overlay_ping(n->o, to, &nonce), -ENOTCONN);
	sim_pass(m->w, 300 * NS_PER_MS);
	SIM_CHECK(m->w, fleet_linked(&m->node[0], &m->node[1]));
	ck_assert_int_eq(overlay_ping(n->o, to, &nonce), 0);
	ck_assert_int_eq(overlay_ping(n->o, n->self, &nonce), -ENOENT);
}

/* In large clusters only what is asked for is built, by whichever side asks. */
/* [P4-14] */
START_TEST(a_large_cluster_builds_tunnels_on_the_first_packet)
{
	for (unsigned asks = 0; asks < 2; asks++) {
		struct fleet m;

		fleet_init(&m, 2);
		for (unsigned i = 2; i < OVERLAY_EAGER_MAX + 1; i++)
			kit_join(&m.kit, i);
		for (unsigned i = 0; i < 2; i++) {
			mlog_free(m.node[i].log);
			m.node[i].log = fleet_copy_log(m.kit.log, mlog_count(m.kit.log));
			shorten(&m.node[i], mlog_count(m.kit.log));
			fleet_start(&m.node[i]);
		}
		sim_pass(m.w, 30 * NS_PER_S);
		ck_assert_int_eq(fleet_peer(&m.node[0], &m.node[1]).state, PEER_IDLE);
		ck_assert_int_eq(fleet_peer(&m.node[1], &m.node[0]).state, PEER_IDLE);
		fleet_send(&m.node[asks], &m.node[1 - asks], 84, 1);
		sim_pass(m.w, 300 * NS_PER_MS);
		SIM_CHECK(m.w, fleet_linked(&m.node[0], &m.node[1]));
		SIM_CHECK(m.w, fleet_received(&m.node[asks], &m.node[1 - asks], 84, 1));
		/* What nobody uses is closed after ten minutes, and stays so. */
		sim_pass(m.w, 590 * NS_PER_S);
		SIM_CHECK(m.w, fleet_linked(&m.node[0], &m.node[1]));
		sim_pass(m.w, 60 * NS_PER_S);
		ck_assert_int_eq(fleet_peer(&m.node[0], &m.node[1]).state, PEER_LOST);
		ck_assert_int_eq(fleet_peer(&m.node[1], &m.node[0]).state, PEER_LOST);
		fleet_send(&m.node[1 - asks], &m.node[asks], 84, 2);
		sim_pass(m.w, 300 * NS_PER_MS);
		SIM_CHECK(m.w, fleet_received(&m.node[1 - asks], &m.node[asks], 84, 2));
		/* Somebody who pings asks for one, too. */
		sim_pass(m.w, 650 * NS_PER_S);
		ck_assert_int_eq(fleet_peer(&m.node[0], &m.node[1]).state, PEER_LOST);
		ping_wakes(&m, asks);
		fleet_free(&m);
	}
}
END_TEST

/* [P4-29] */
START_TEST(an_entry_that_one_learns_reaches_all_without_a_server)
{
	struct fleet m;

	fleet_init(&m, 4);
	shorten(&m.node[0], 3); /* does not know node 3 yet, nor do the others */
	shorten(&m.node[1], 3);
	shorten(&m.node[2], 3);
	m.n = 3;
	for (unsigned i = 0; i < 3; i++)
		fleet_start(&m.node[i]);
	fleet_wait_up(&m, 2 * NS_PER_S);
	fleet_learn(&m.node[1], m.kit.log, 3);
	overlay_log_grew(m.node[1].o);
	SIM_CHECK(m.w, world_run(m.w, NS_PER_S, all_logs_equal, &m));
	ck_assert_uint_eq(mlog_count(m.node[0].log), 4);
	sim_pass(m.w, NS_PER_S);
	ck_assert_uint_eq(m.node[0].grew, 1);
	ck_assert_uint_eq(m.node[2].grew, 1);
	/* The newcomer is a peer at once. */
	m.n = 4;
	fleet_start(&m.node[3]);
	fleet_wait_up(&m, 2 * NS_PER_S);
	fleet_free(&m);
}
END_TEST

/* A member's own invention, in order by nobody: not taken, and the member is cut off. */
/* [P4-28] [P4-31] */
START_TEST(a_record_without_the_servers_receipt_is_not_taken)
{
	struct fleet m;
	struct kit_invite invite;
	struct entry_bytes admit;
	struct record_bytes forged;

	fleet_init(&m, 2);
	for (unsigned i = 0; i < 2; i++)
		fleet_start(&m.node[i]);
	fleet_wait_up(&m, 2 * NS_PER_S);
	invite = kit_invite(&m.kit, 2);
	admit = kit_admit(&m.kit, &invite, 2);
	forged = kit_record(&m.kit, kit_span(&admit), kit_next_address(m.kit.log), KIT_ORDER_NEXT);
	ck_assert_int_eq(mlog_reload(m.node[1].log, kit_record_span(&forged), NULL), 0);
	mlog_commit(m.node[1].log);
	overlay_log_grew(m.node[1].o);
	sim_pass(m.w, 100 * NS_PER_MS);
	ck_assert(!fleet_linked(&m.node[0], &m.node[1]));
	sim_pass(m.w, 2 * NS_PER_S);
	ck_assert_uint_eq(mlog_count(m.node[0].log), 2);
	ck_assert_uint_eq(m.node[0].forks, 0);
	fleet_free(&m);
}
END_TEST

/* A recovery that dropped records replaces them at whoever has them, without a server. */
START_TEST(a_recovery_reaches_peers)
{
	struct fleet m;
	struct entry_bytes recovery;
	struct entry e;
	struct head base;

	fleet_init(&m, 2);
	base = mlog_head(m.kit.log);
	kit_join(&m.kit, 2);
	kit_join(&m.kit, 3);
	for (unsigned i = 0; i < 2; i++) {
		fleet_learn(&m.node[i], m.kit.log, 2);
		fleet_learn(&m.node[i], m.kit.log, 3);
		fleet_start(&m.node[i]);
	}
	fleet_wait_up(&m, 2 * NS_PER_S);
	e = kit_recover_fields(&m.kit, KIT_CODE, KIT_CODE_NEXT, 0);
	e.base = base;
	recovery = kit_sign(&m.kit, &e, KIT_CODE, 0);
	kit_append(&m.kit, &recovery);
	kit_join(&m.kit, 4);
	ck_assert_uint_eq(mlog_count(m.kit.log), 4);
	fleet_learn(&m.node[1], m.kit.log, 2);
	fleet_learn(&m.node[1], m.kit.log, 3);
	ck_assert_uint_eq(mlog_generation(m.node[1].log), generation_of(1, 0));
	overlay_log_grew(m.node[1].o);
	sim_pass(m.w, NS_PER_S);
	ck_assert_uint_eq(mlog_generation(m.node[0].log), generation_of(1, 0));
	ck_assert_uint_eq(mlog_count(m.node[0].log), 4);
	base = mlog_head(m.kit.log);
	ck_assert(mlog_has_head(m.node[0].log, &base));
	ck_assert_uint_eq(m.node[0].forks + m.node[1].forks, 0);
	SIM_CHECK(m.w, fleet_linked(&m.node[0], &m.node[1]));
	fleet_free(&m);
}
END_TEST

/* The same, told by hello to one that was away. */
/* [P4-27] */
START_TEST(a_recovery_is_found_by_hello)
{
	for (unsigned behind = 0; behind < 2; behind++) {
		struct fleet m;
		struct entry_bytes recovery;
		struct entry e;
		struct head base;

		fleet_init(&m, 2);
		base = mlog_head(m.kit.log);
		for (unsigned i = 2; i < 7; i++) {
			kit_join(&m.kit, i);
			fleet_learn(&m.node[0], m.kit.log, i);
			fleet_learn(&m.node[1], m.kit.log, i);
		}
		e = kit_recover_fields(&m.kit, KIT_CODE, KIT_CODE_NEXT, 0);
		e.base = base;
		recovery = kit_sign(&m.kit, &e, KIT_CODE, 0);
		kit_append(&m.kit, &recovery);
		fleet_learn(&m.node[1 - behind], m.kit.log, 2);
		fleet_start(&m.node[0]);
		fleet_start(&m.node[1]);
		sim_pass(m.w, 3 * NS_PER_S);
		ck_assert_uint_eq(mlog_generation(m.node[behind].log), generation_of(1, 0));
		ck_assert_uint_eq(mlog_count(m.node[behind].log), 3);
		SIM_CHECK(m.w, fleet_linked(&m.node[0], &m.node[1]));
		fleet_free(&m);
	}
}
END_TEST

static bool both_saw_a_fork(void *ctx)
{
	struct fleet *m = ctx;

	return m->node[0].forks && m->node[1].forks;
}

/* Two logs of the same cluster that part at entry `at` and have these lengths. */
static void fork_at(unsigned longer_first, unsigned longer_second)
{
	struct fleet m;
	struct kit other;

	fleet_init(&m, 2);
	other = m.kit;
	other.log = fleet_copy_log(m.kit.log, mlog_count(m.kit.log));
	for (unsigned i = 0; i < longer_first; i++)
		kit_join(&m.kit, 10 + i);
	for (unsigned i = 0; i < longer_second; i++)
		kit_join(&other, 30 + i);
	mlog_free(m.node[0].log);
	m.node[0].log = fleet_copy_log(m.kit.log, mlog_count(m.kit.log));
	shorten(&m.node[0], mlog_count(m.kit.log));
	mlog_free(m.node[1].log);
	m.node[1].log = fleet_copy_log(other.log, mlog_count(other.log));
	shorten(&m.node[1], mlog_count(other.log));
	fleet_start(&m.node[0]);
	fleet_start(&m.node[1]);
	SIM_CHECK(m.w, world_run(m.w, 3 * NS_PER_S, both_saw_a_fork, &m));
	ck_assert_uint_eq(m.node[0].fork_seq, 2);
	ck_assert_uint_eq(m.node[1].fork_seq, 2);
	sim_pass(m.w, 5 * NS_PER_S);
	ck_assert_uint_eq(m.node[0].forks, 1);
	ck_assert_uint_eq(m.node[0].grew + m.node[1].grew, 0);
	ck_assert_uint_eq(mlog_count(m.node[0].log), 2 + longer_first);
	SIM_CHECK(m.w, fleet_linked(&m.node[0], &m.node[1])); /* the tunnel stays */
	mlog_free(other.log);
	fleet_free(&m);
}

/* [P4-30] */
START_TEST(a_fork_is_reported_by_both_sides)
{
	fork_at(1, 1);
}
END_TEST

START_TEST(a_fork_is_found_when_one_log_is_longer)
{
	fork_at(1, 4);
	fork_at(5, 2);
}
END_TEST

UNIT_MAIN("overlay/members", a_key_that_is_no_members_is_refused_in_the_handshake,
	  a_member_that_offers_only_x25519_is_refused,
	  a_member_that_accepts_only_x25519_gets_no_tunnel,
	  a_connection_without_control_stream_is_closed, whoever_is_behind_learns_from_its_peer,
	  a_large_cluster_builds_tunnels_on_the_first_packet,
	  an_entry_that_one_learns_reaches_all_without_a_server,
	  a_record_without_the_servers_receipt_is_not_taken, a_recovery_reaches_peers,
	  a_recovery_is_found_by_hello, a_fork_is_reported_by_both_sides,
	  a_fork_is_found_when_one_log_is_longer)
