/* SPDX-License-Identifier: MIT */
/* Sessions of nodes, and what they tell. */
#include "client_session_kit.h"

static void kit_on_state(void *ctx)
{
	((struct kit_node *)ctx)->states++;
}

static void kit_on_grew(void *ctx)
{
	struct kit_node *n = ctx;

	n->grew++;
	ck_assert_int_eq(store_save_log(n->host, &n->store, &n->cluster, n->log, NULL), 0);
}

static void kit_on_fork(void *ctx, const struct log_proof *proof)
{
	struct kit_node *n = ctx;

	ck_assert(span_equal(proof->ours, mlog_record(n->log, proof->seq)));
	ck_assert_uint_gt(proof->n_shown, 0);
	ck_assert_uint_gt(strlen(proof->why), 10);
	n->forks++;
	n->fork_seq = proof->seq;
}

void kit_show(struct kit_node *n, struct span record)
{
	struct mlog_take take;

	mlog_take(n->log, &record, 1, &take);
	ck_assert_msg(take.result == TAKEN && take.added == 1, "%s", take.why.text);
	mlog_commit(n->log);
}

bool kit_has_entry(const struct mlog *l, uint64_t seq, const struct entry_bytes *e)
{
	struct record r;
	struct entry decoded;

	return mlog_get(l, seq, &r, &decoded) == 0 && span_equal(r.entry, span_of(e->data, e->len));
}

static void kit_on_presence(void *ctx, const struct member *m, bool online,
			    const struct wire_candidates *c)
{
	struct kit_node *n = ctx;
	size_t i = 0;

	if (!m) {
		n->resets++;
		n->n_seen = 0;
		return;
	}
	ck_assert(!node_id_equal(&m->id, &n->cluster.node_id));
	while (i < n->n_seen && !node_id_equal(&n->seen[i].id, &m->id))
		i++;
	if (i == n->n_seen) {
		ck_assert_uint_lt(n->n_seen, KIT_NODES);
		n->seen[n->n_seen++].told = 0;
	}
	n->seen[i].id = m->id;
	n->seen[i].online = online;
	n->seen[i].candidates = *c;
	n->seen[i].told++;
}

static void kit_on_observed(void *ctx, const struct addr *a, const struct addr *server)
{
	(void)server;
	((struct kit_node *)ctx)->observed = *a;
}

static void kit_on_relay(void *ctx, const struct member *m, const struct relay_end *end,
			 const struct err *why)
{
	struct kit_node *n = ctx;

	ck_assert(m || !end);
	if (m)
		n->relay_to = m->id;
	if (end)
		n->relay = *end;
	if (why)
		n->relay_why = *why;
	if (!m)
		n->relays_lost++;
	else if (end)
		n->relays++;
	else
		n->relays_gone++;
}

static void kit_on_stopped(void *ctx, const struct err *err)
{
	struct kit_node *n = ctx;

	ck_assert(!n->stopped);
	n->stopped = true;
	n->stop_err = *err;
}

static const struct session_ops kit_session_ops = {
	.state = kit_on_state,
	.log_grew = kit_on_grew,
	.fork = kit_on_fork,
	.presence = kit_on_presence,
	.observed = kit_on_observed,
	.relay = kit_on_relay,
	.stopped = kit_on_stopped,
};

void kit_node_up(struct kit_node *n)
{
	struct quic_socket_config cfg = { .max_conns = 16 };
	struct err err = { 0 };

	kit_load(n);
	cfg.identity = n->id;
	SIM_CHECK_OK(n->kit->w, quic_socket_open(n->host, &cfg, &err, &n->socket));
	SIM_CHECK_OK(n->kit->w, session_new(n->host, n->socket, &n->cluster, n->id, n->log,
					    &kit_session_ops, n, &err, &n->session));
}

struct session_status kit_status(struct kit_node *n)
{
	struct session_status s;

	session_status_get(n->session, &s);
	return s;
}

bool kit_is_up(void *ctx)
{
	return kit_status(ctx).state == SESSION_UP;
}

bool kit_is_not_up(void *ctx)
{
	return !kit_is_up(ctx);
}

bool kit_sees(struct kit_node *n, struct kit_node *of)
{
	for (size_t i = 0; i < n->n_seen; i++) {
		if (node_id_equal(&n->seen[i].id, &of->cluster.node_id))
			return n->seen[i].online;
	}
	return false;
}

void kit_join_by(struct kit_node *n, struct kit_node *sponsor)
{
	struct invite_url url = kit_invite_url(sponsor);

	kit_adopt(n, &url);
	KIT_JOINED(n);
}

bool kit_port_is_dead(void *dead, struct host *from, const struct addr *src, const struct addr *dst,
		      uint8_t *data, size_t *len)
{
	uint16_t port = ((const struct addr *)dead)->port;

	(void)from, (void)data, (void)len;
	return src->port != port && dst->port != port;
}

void kit_mesh(struct kit *k, size_t n)
{
	static const char *const names[KIT_NODES] = { "nas", "laptop", "phone", "desk" };

	kit_world_open(k);
	for (size_t i = 0; i < n; i++)
		kit_node(k, names[i]);
	kit_setup(&k->node[0]);
	KIT_JOINED(&k->node[0]);
	for (size_t i = 1; i < n; i++)
		kit_join_by(&k->node[i], &k->node[0]);
}

void kit_all_up(struct kit *k)
{
	for (size_t i = 0; i < k->n_nodes; i++)
		kit_node_up(&k->node[i]);
	for (size_t i = 0; i < k->n_nodes; i++)
		KIT_UP_WITHIN(&k->node[i], 5 * NS_PER_S);
	sim_pass(k->w, NS_PER_S);
}
