/* SPDX-License-Identifier: MIT */
/* A member of a fleet that breaks the rules. */
#include "rogue_member.h"

size_t rogue_hello(struct rogue *r, uint8_t *out, size_t cap)
{
	struct peer_message m = { .type = PEER_HELLO, .features = r->features };
	struct head head = mlog_head(r->m->kit.log);
	const uint8_t *id = mlog_cluster_id(r->m->kit.log);

	memcpy(m.cluster_id, id, HASH_LEN);
	m.head.seq = head.seq;
	memcpy(m.head.hash, head.hash, HASH_LEN);
	ck_assert_int_eq(quic_conn_export(r->c, PEER_EXPORTER, span_of(id, HASH_LEN), m.binding,
					  32),
			 0);
	ptrdiff_t n = peer_message_encode(&m, out, cap);
	ck_assert_int_gt(n, 0);
	return (size_t)n;
}

static void rogue_keys(struct rogue *r)
{
	uint8_t exported[RECORD_EXPORT_LEN];
	struct span id = span_of(mlog_cluster_id(r->m->kit.log), HASH_LEN);

	ck_assert_int_eq(quic_conn_export(r->c, RECORD_EXPORTER, id, exported, sizeof(exported)),
			 0);
	records_free(r->records);
	ck_assert_int_eq(records_new(AEAD_AES128_GCM, false, exported, &r->records), 0);
	ck_assert_int_eq(probe_keys_export(quic_conn_exporter, r->c, id, &r->probe), 0);
}

static void rogue_event(void *ctx, struct quic_conn *c, const struct quic_event *ev)
{
	struct rogue *r = ctx;

	if (c != r->c)
		return;
	switch (ev->type) {
	case QUIC_CONNECTED:
		r->connected = true;
		rogue_keys(r);
		break;
	case QUIC_STREAM_READABLE:
		if (quic_stream_is_bidi(ev->stream) && r->control < 0) {
			size_t n = rogue_hello(r, r->hello, sizeof(r->hello));

			r->control = ev->stream;
			if (!r->no_hello)
				ck_assert_int_eq(quic_stream_write(c, ev->stream, r->hello, n,
								   false),
						 0);
		}
		break;
	case QUIC_CLOSED:
		r->closed = true;
		r->reason = ev->reason;
		r->error = ev->error;
		break;
	case QUIC_STREAM_WRITABLE:
	case QUIC_STREAM_RESET:
	case QUIC_PATH_CHANGED:
	case QUIC_PATH_FAILED:
		break;
	}
}

size_t rogue_seal(struct rogue *r, size_t len, uint8_t record[1600])
{
	memcpy(record + RECORD_HEADER, r->inner, len);
	return record_seal(r->records, record, len);
}

void rogue_raw(struct rogue *r, const uint8_t *record, size_t len)
{
	struct addr to;

	ck_assert(quic_conn_remote_addr(r->c, &to));
	quic_socket_send_other(r->s, &to, record, len);
}

void rogue_send(struct rogue *r, size_t len)
{
	uint8_t record[1600];

	rogue_raw(r, record, rogue_seal(r, len, record));
}

void rogue_probe(struct rogue *r, enum probe_type type, uint64_t nonce, uint8_t flags,
		 const struct addr *seen)
{
	struct probe f = { .type = type,
			   .nonce = nonce,
			   .len = PROBE_PING_MIN,
			   .observed = *seen,
			   .counter = r->counter++,
			   .flags = flags | (r->own_proven ? PROBE_PROVEN : 0) };
	uint8_t frame[PROBE_MAX];

	memcpy(f.tag, r->probe.tag, PROBE_TAG_LEN);
	ptrdiff_t n = probe_encode(&f, r->probe.server, hmac_sha256, frame, sizeof(frame));

	ck_assert_int_gt(n, 0);
	rogue_raw(r, frame, (size_t)n);
}

/* It answers pings, so that its path stays proven. */
static void rogue_others(void *ctx, struct udp_rx *runs, size_t n)
{
	struct rogue *r = ctx;

	for (size_t i = 0; i < n && r->connected; i++) {
		for (size_t at = 0; at < runs[i].len; at += runs[i].segment) {
			size_t len = MIN(runs[i].segment, runs[i].len - at);
			struct probe f;

			if (probe_decode(span_of(runs[i].data + at, len), &f) < 0)
				continue;
			r->pings += f.type == PROBE_PING;
			r->pongs += f.type == PROBE_PONG;
			if (f.type == PROBE_PING)
				rogue_probe(r, PROBE_PONG, f.nonce, 0, &runs[i].from);
		}
	}
}

const struct quic_conn_ops rogue_ops = {
	.event = rogue_event,
};

static bool rogue_accept(void *ctx, struct quic_conn *c, const struct quic_profile *profile,
			 const struct quic_conn_ops **ret_ops, void **ret_ctx)
{
	struct rogue *r = ctx;

	(void)profile;
	quic_conn_free(r->c);
	r->c = c;
	r->control = -1;
	r->connected = r->closed = false;
	r->accepted++;
	*ret_ops = &rogue_ops;
	*ret_ctx = r;
	return true;
}

static bool rogue_any(void *ctx, const struct quic_profile *profile, const uint8_t key[32])
{
	(void)ctx;
	(void)profile;
	(void)key;
	return true;
}

void rogue_begin(struct rogue *r, struct fleet *m)
{
	static const struct quic_profile *const serve[] = { &peer_profile, NULL };
	struct quic_socket_config cfg = {
		.udp = { .bind = { .port = ROGUE_PORT } },
		.serve = serve,
		.key_allowed = rogue_any,
		.accepted = rogue_accept,
		.others = rogue_others,
		.ctx = r,
	};

	fleet_init(m, 3);
	*r = (struct rogue){ .m = m, .h = m->node[1].h, .control = -1, .own_proven = true };
	cfg.identity = m->node[1].id;
	ck_assert_int_eq(quic_socket_open(r->h, &cfg, NULL, &r->s), 0);
	fleet_start(&m->node[0]);
	fleet_start(&m->node[2]);
}

void rogue_introduce(struct rogue *r)
{
	struct wire_candidates c = { .n = 1 };
	struct fleet_node *to = &r->m->node[0];

	c.item[0] = addr_v4(IP(192, 0, 2, 11), ROGUE_PORT);
	overlay_presence(to->o,
			 roster_by_id(mlog_roster(to->log), &r->m->node[1].self->id,
				      ROSTER_CURRENT),
			 true, &c);
}

bool rogue_up(void *ctx)
{
	struct rogue *r = ctx;

	return r->connected && r->control >= 0 &&
	       fleet_peer(&r->m->node[0], &r->m->node[1]).state == PEER_UP;
}

bool rogue_closed(void *ctx)
{
	return ((struct rogue *)ctx)->closed;
}

void rogue_silent(struct rogue *r, struct fleet *m)
{
	rogue_begin(r, m);
	r->no_hello = true;
	rogue_introduce(r);
	while (r->control < 0)
		sim_pass(m->w, 10 * NS_PER_MS);
	SIM_CHECK(m->w, r->connected && !r->closed);
}

void rogue_connect(struct rogue *r, struct fleet *m)
{
	rogue_begin(r, m);
	rogue_introduce(r);
	SIM_CHECK(m->w, world_run(m->w, 2 * NS_PER_S, rogue_up, r));
	sim_pass(m->w, 2 * NS_PER_S); /* path MTU */
}

void rogue_end(struct rogue *r)
{
	struct fleet *m = r->m;

	SIM_CHECK(m->w, fleet_linked(&m->node[0], &m->node[2]));
	fleet_send(&m->node[2], &m->node[0], 90, 9);
	sim_pass(m->w, 100 * NS_PER_MS);
	SIM_CHECK(m->w, fleet_received(&m->node[2], &m->node[0], 90, 9));
	SIM_CHECK(m->w, fleet_tun_silent(&m->node[0]));
	quic_conn_free(r->c);
	records_free(r->records);
	quic_socket_close(r->s);
	fleet_free(m);
}

void rogue_packet(struct rogue *r, size_t len, uint8_t flags, enum overlay_drop d)
{
	struct fleet_node *n = &r->m->node[0];
	uint64_t before = fleet_drops(n, d), all = fleet_all_drops(n);

	r->inner[0] = flags;
	rogue_send(r, len);
	sim_pass(r->m->w, 100 * NS_PER_MS);
	SIM_CHECK(r->m->w, fleet_tun_silent(n));
	ck_assert_msg(fleet_drops(n, d) == before + 1 && fleet_all_drops(n) == all + 1,
		      "not counted as %s", overlay_drop_name(d));
}
