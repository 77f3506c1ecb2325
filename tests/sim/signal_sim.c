/* SPDX-License-Identifier: MIT */
/* A signal server on a simulated host, and raw clients of it. */
#include "signal_sim.h"

/* --- the server --- */

void sig_open(struct sig *g)
{
	struct err err = { .code = 0 };
	int r = signal_server_open(g->h, &g->cfg, &err, &g->s);
	const char *token;

	ck_assert_msg(r == 0, "%s", err.text);
	memcpy(g->cert, signal_server_fingerprint(g->s), sizeof(g->cert));
	token = signal_server_first_token(g->s);
	if (token) {
		uint8_t cert[HASH_LEN];

		ck_assert_int_eq(setup_token_parse(token, g->code, cert, NULL), 0);
		ck_assert_mem_eq(cert, g->cert, sizeof(cert));
		signal_server_forget_token(g->s);
		ck_assert_ptr_null(signal_server_first_token(g->s));
	}
}

/* A server on the machine `name` of a world, with a folder of its own. */
static void sig_place(struct sig *g, struct world *w, const char *name, ip4 ip, const char *subnet)
{
	const char *tmp = getenv("TMPDIR");

	memset(g, 0, sizeof(*g));
	g->w = w;
	g->h = world_host(g->w, name, ip);
	snprintf(g->dir, sizeof(g->dir), "%.40s/mlsh-signal-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(g->dir));
	snprintf(g->cfg.db_path, sizeof(g->cfg.db_path), "%s/signal.db", g->dir);
	g->cfg.bind.port = SIGNAL_PORT;
	g->at = addr_v4(ip, SIGNAL_PORT);
	ck_assert_int_eq(prefix4_parse(subnet, &g->cfg.subnet, NULL), 0);
}

void sig_init(struct sig *g, const char *subnet)
{
	struct world *w = sim_new();

	world_seed_tls(w);
	ck_assert_int_eq(crypto_init(NULL), 0);
	sig_place(g, w, "signal", SIGNAL_SIM_IP, subnet);
}

void sig_beside(struct sig *g, const struct sig *first, const char *name, ip4 ip,
		const char *subnet)
{
	sig_place(g, first->w, name, ip, subnet);
}

void sig_start(struct sig *g)
{
	sig_init(g, "100.64.0.0/10");
	sig_open(g);
}

void sig_crash(struct sig *g)
{
	world_host_crash(g->h);
	signal_server_close(g->s);
	g->s = NULL;
}

void sig_boot(struct sig *g)
{
	g->h = world_host_boot(g->h);
	sig_open(g);
}

void sig_copy(const char *from, const char *to)
{
	static char buf[1 << 16];
	FILE *in = fopen(from, "rb"), *out;
	size_t n;

	if (!in) {
		unlink(to);
		return;
	}
	out = fopen(to, "wb");
	ck_assert_ptr_nonnull(out);
	while ((n = fread(buf, 1, sizeof(buf), in)) > 0)
		ck_assert_uint_eq(fwrite(buf, 1, n, out), n);
	fclose(in);
	ck_assert_int_eq(fclose(out), 0);
}

void sig_backup(struct sig *g, bool restore)
{
	static const char *const parts[] = { "", "-wal" };
	char file[600], copy[600];

	ck_assert_ptr_null(g->s);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		snprintf(file, sizeof(file), "%s%s", g->cfg.db_path, parts[i]);
		snprintf(copy, sizeof(copy), "%s.backup%s", g->cfg.db_path, parts[i]);
		sig_copy(restore ? copy : file, restore ? file : copy);
	}
}

void sig_remove(struct sig *g)
{
	/* benchmarks have the list of sessions on the real disk, too */
	static const char *const parts[] = { "",	  "-wal", "-shm", ".backup", ".backup-wal",
					     ".sessions", ".mark" };
	char file[600];

	signal_server_close(g->s);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		snprintf(file, sizeof(file), "%s%s", g->cfg.db_path, parts[i]);
		unlink(file);
	}
	ck_assert_int_eq(rmdir(g->dir), 0);
}

void sig_stop(struct sig *g)
{
	sig_remove(g);
	world_free(g->w);
}

struct signal_server_stats sig_stats(const struct sig *g)
{
	return signal_server_stats_get(g->s);
}

/* --- the client --- */

struct raw_peer *raw_peer(struct raw *r, const struct node_id *id)
{
	for (size_t i = 0; i < r->n_peers; i++) {
		if (memcmp(r->peer[i].id, id->bytes, NODE_ID_LEN) == 0)
			return &r->peer[i];
	}
	ck_assert_uint_lt(r->n_peers, RAW_PEERS);
	memcpy(r->peer[r->n_peers].id, id->bytes, NODE_ID_LEN);
	return &r->peer[r->n_peers++];
}

bool raw_sees(struct raw *r, const struct raw *other)
{
	struct node_id id = identity_node_id(other->id);

	return raw_peer(r, &id)->online;
}

static void raw_presence(struct raw *r, const struct signal_event *ev)
{
	struct node_id own = identity_node_id(r->id);

	r->presence_events++;
	if (ev->reset) {
		r->resets++;
		for (size_t i = 0; i < r->n_peers; i++)
			r->peer[i].online = false;
	}
	ck_assert_uint_ge(ev->cursor, r->cursor);
	r->cursor = ev->cursor;
	for (size_t i = 0; i < ev->n_presence; i++) {
		struct node_id id;
		struct raw_peer *p;

		memcpy(id.bytes, ev->presence[i].node_id, NODE_ID_LEN);
		ck_assert(!node_id_equal(&id, &own)); /* never one's own */
		/* [P3-74] its admission comes first */
		if (r->log && !r->log_gap)
			ck_assert_ptr_nonnull(roster_by_id(mlog_roster(r->log), &id,
							   ROSTER_CURRENT));
		p = raw_peer(r, &id);
		p->online = ev->presence[i].online;
		p->candidates = ev->presence[i].candidates;
		p->told++;
		r->presence_items++;
	}
}

void raw_take(struct raw *r, const struct wire_entries *records)
{
	struct mlog_take take;

	mlog_take(r->log, records->item, records->n, &take);
	if (take.result == TAKEN_GAP)
		r->log_gap = true;
	else
		ck_assert_msg(take.result == TAKEN, "%s", take.why.text);
	mlog_commit(r->log);
}

static void raw_log(struct raw *r, const struct signal_event *ev)
{
	r->log_events++;
	r->log_entries += (unsigned)ev->entries.n;
	r->log_first = ev->first;
	if (r->log)
		raw_take(r, &ev->entries);
}

static void raw_event(struct raw *r, struct span message)
{
	static struct wire_presence presence[PRESENCE_PER_EVENT_MAX];
	struct signal_event ev = { .presence = presence };

	ck_assert_int_eq(signal_event_decode(message, &ev), 0);
	switch (ev.type) {
	case SIGNAL_EV_LOG:
		raw_log(r, &ev);
		break;
	case SIGNAL_EV_PRESENCE:
		raw_presence(r, &ev);
		break;
	case SIGNAL_EV_OBSERVED:
		r->observed = ev.observed;
		r->observed_events++;
		break;
	case SIGNAL_EV_SHUTDOWN:
		r->shutdowns++;
		break;
	case SIGNAL_EV_RELAY:
		r->relay = ev;
		r->relay_events++;
		break;
	case SIGNAL_EV_RELAY_CLOSED:
		r->relay_closed = ev;
		r->relay_closed_events++;
		break;
	case SIGNAL_EV_REMOVAL:
		r->removal_events++;
		break;
	case SIGNAL_EV_BEACON:
		r->beacon_events++;
		break;
	}
}

static void raw_events(struct raw *r, struct span in)
{
	struct span message;
	size_t used, at = 0;

	ck_assert_uint_le(r->buffered + in.len, sizeof(r->buffer));
	memcpy(r->buffer + r->buffered, in.data, in.len);
	r->buffered += in.len;
	while (frame_next(span_of(r->buffer + at, r->buffered - at), SIGNAL_MESSAGE_MAX, &message,
			  &used) == 1) {
		raw_event(r, message);
		at += used;
	}
	r->buffered -= at;
	memmove(r->buffer, r->buffer + at, r->buffered);
}

static void raw_readable(struct raw *r, int64_t stream)
{
	bool fin;
	struct span in = quic_stream_peek(r->c, stream, &fin);
	size_t len = in.len;

	if (!quic_stream_is_bidi(stream) && r->hold)
		return;
	if (!quic_stream_is_bidi(stream)) {
		raw_events(r, in);
	} else if (stream == r->stream) {
		ck_assert_uint_le(r->reply_len + len, sizeof(r->reply));
		memcpy(r->reply + r->reply_len, in.data, len);
		r->reply_len += len;
		r->answered = fin;
	}
	quic_stream_consume(r->c, stream, len);
}

static void raw_quic_event(void *ctx, struct quic_conn *c, const struct quic_event *ev)
{
	struct raw *r = ctx;

	(void)c;
	switch (ev->type) {
	case QUIC_CONNECTED:
		r->connected = true;
		break;
	case QUIC_STREAM_READABLE:
		raw_readable(r, ev->stream);
		break;
	case QUIC_STREAM_RESET:
		r->reset = true;
		break;
	case QUIC_CLOSED:
		r->closed = true;
		r->reason = ev->reason;
		r->error = ev->error;
		break;
	case QUIC_STREAM_WRITABLE:
	case QUIC_PATH_CHANGED:
	case QUIC_PATH_FAILED:
		break;
	}
}

const struct quic_conn_ops raw_ops = { .event = raw_quic_event };

static void raw_other(void *ctx, struct udp_rx *rx)
{
	struct raw *r = ctx;

	if (relay_rate_channel(span_of(rx->data, rx->len))) {
		memcpy(r->rate_word, rx->data, rx->len);
		r->rate_words++;
		return;
	}
	ck_assert_uint_le(rx->len, sizeof(r->frame));
	memcpy(r->frame, rx->data, rx->len);
	r->frame_len = rx->len;
	r->frame_from = rx->from;
	r->frame_bytes += rx->len;
	r->frames++;
	if (r->on_frame)
		r->on_frame(r);
}

struct raw *raw_new(struct sig *g)
{
	struct raw *r = calloc(1, sizeof(*r));
	struct quic_socket_config cfg = { .udp = { .bind = { .port = 5000 } }, .max_conns = 128 };
	char name[32];

	ck_assert_ptr_nonnull(r);
	r->g = g;
	g->ids++;
	snprintf(name, sizeof(name), "node%llu", (unsigned long long)g->ids);
	r->h = world_host(g->w, name, IP(198, 51, 100, 0) + (ip4)g->ids);
	ck_assert_int_eq(identity_new(r->h, NULL, &r->id), 0);
	cfg.identity = r->id;
	cfg.other = raw_other;
	cfg.ctx = r;
	ck_assert_int_eq(quic_socket_open(r->h, &cfg, NULL, &r->socket), 0);
	return r;
}

struct raw *raw_beside(struct raw *of, uint16_t port)
{
	struct quic_socket_config cfg = { .udp = { .bind = { .port = port } }, .max_conns = 128 };
	struct raw *r = calloc(1, sizeof(*r));

	ck_assert_ptr_nonnull(r);
	r->g = of->g;
	r->h = of->h;
	ck_assert_int_eq(identity_new(r->h, NULL, &r->id), 0);
	cfg.identity = r->id;
	cfg.ctx = r;
	ck_assert_int_eq(quic_socket_open(r->h, &cfg, NULL, &r->socket), 0);
	return r;
}

void raw_hang_up(struct raw *r)
{
	quic_conn_free(r->c);
	r->c = NULL;
}

void raw_free(struct raw *r)
{
	raw_hang_up(r);
	if (!r->shared) {
		quic_socket_close(r->socket);
		identity_free(r->id);
	}
	mlog_free(r->log);
	free(r);
}

struct raw *raw_clone(const struct raw *of)
{
	struct raw *r = calloc(1, sizeof(*r));

	ck_assert_ptr_nonnull(r);
	r->g = of->g;
	r->h = of->h;
	r->id = of->id;
	r->socket = of->socket;
	r->shared = true;
	r->address = of->address;
	memcpy(r->cluster_id, of->cluster_id, HASH_LEN);
	memcpy(r->token, of->token, HASH_LEN);
	return r;
}

static bool raw_is_up(void *ctx)
{
	struct raw *r = ctx;

	return r->connected || r->closed;
}

static bool raw_is_closed(void *ctx)
{
	return ((struct raw *)ctx)->closed;
}

bool raw_is_answered(void *ctx)
{
	struct raw *r = ctx;

	return r->answered || r->closed || r->reset;
}

bool raw_try_connect(struct raw *r)
{
	struct quic_pin pin = { .by_cert = true };

	raw_hang_up(r);
	memcpy(pin.cert_sha256, r->g->cert, sizeof(pin.cert_sha256));
	r->connected = r->closed = false;
	r->buffered = 0;
	ck_assert_int_eq(quic_connect(r->socket, &signal_profile, &pin, 0, &r->g->at, &raw_ops, r,
				      NULL, &r->c),
			 0);
	SIM_CHECK(r->g->w, world_run(r->g->w, 20 * NS_PER_S, raw_is_up, r));
	return r->connected && !r->closed;
}

void raw_connect(struct raw *r)
{
	SIM_CHECK(r->g->w, raw_try_connect(r));
}

void raw_send_bytes(struct raw *r, const void *data, size_t len, bool fin)
{
	r->answered = r->reset = false;
	r->reply_len = 0;
	ck_assert_int_eq(quic_stream_open(r->c, true, &r->stream), 0);
	ck_assert_int_eq(quic_stream_write(r->c, r->stream, data, len, fin), 0);
}

void raw_send(struct raw *r, const struct signal_request *rq)
{
	static uint8_t frame[RAW_FRAME];
	ptrdiff_t len = signal_request_encode(rq, frame, sizeof(frame));

	ck_assert_int_gt(len, 0);
	raw_send_bytes(r, frame, (size_t)len, true);
}

enum refusal raw_reply(struct raw *r, enum signal_request_type to, struct signal_reply *reply)
{
	struct span message;
	size_t used;

	SIM_CHECK(r->g->w, world_run(r->g->w, 20 * NS_PER_S, raw_is_answered, r));
	SIM_CHECK(r->g->w, r->answered && !r->closed);
	ck_assert_int_eq(frame_next(span_of(r->reply, r->reply_len), SIGNAL_MESSAGE_MAX, &message,
				    &used),
			 1);
	ck_assert_uint_eq(used, r->reply_len);
	ck_assert_int_eq(signal_reply_decode(to, message, reply), 0);
	if (reply->refusal != REFUSAL_NONE)
		ck_assert_uint_gt(reply->text.len, 10);
	return reply->refusal;
}

enum refusal raw_ask(struct raw *r, const struct signal_request *rq, struct signal_reply *reply)
{
	raw_send(r, rq);
	return raw_reply(r, rq->type, reply);
}

void raw_await_close(struct raw *r, enum signal_close why)
{
	SIM_CHECK(r->g->w, world_run(r->g->w, 60 * NS_PER_S, raw_is_closed, r));
	SIM_CHECK(r->g->w, r->reason == QUIC_CLOSE_REMOTE_APP);
	ck_assert_uint_eq(r->error, why);
}
