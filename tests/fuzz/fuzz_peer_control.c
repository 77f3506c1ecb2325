/* SPDX-License-Identifier: MIT */
/*
 * The control stream of a peer, as a state machine: whatever bytes come, after the hello or before
 * it, in two pieces, it goes on or closes the connection; the log never gets shorter and what is
 * sent stays bounded. QUIC and the rest of the overlay are small fakes around the real file.
 */
#include <stdlib.h>

#include "overlay/peering/peering.h"
#include "overlay/peering/control.h"
#include "overlay/peering/link.h"
#include "overlay/peering/path.h"
#include "overlay/peering/peer.h"
#include "overlay/peering/peer_log.h"
#include "overlay/peering/effects.h"

#define SENT_MAX (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct {
	struct span in;
	size_t at, sent;
	struct record_bytes record[3];
	struct identity *id[3];
	unsigned forks, grew;
} fake;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static struct span fake_peek(struct quic_conn *c, int64_t id, bool *ret_fin)
{
	(void)c;
	(void)id;
	*ret_fin = false;
	return span_of(fake.in.data + fake.at, fake.in.len - fake.at);
}

static void fake_consume(struct quic_conn *c, int64_t id, size_t n)
{
	(void)c;
	(void)id;
	must(n > 0 && n <= fake.in.len - fake.at);
	fake.at += n;
}

static int fake_write(struct quic_conn *c, int64_t id, const void *data, size_t len, bool fin)
{
	(void)c;
	(void)id;
	(void)data;
	must(!fin && len > FRAME_PREFIX_LEN && len <= FRAME_PREFIX_LEN + PEER_MESSAGE_MAX);
	if (fake.sent + len > SENT_MAX)
		return -ENOBUFS;
	fake.sent += len;
	return 0;
}

static int fake_export(struct quic_conn *c, const char *label, struct span context, uint8_t *out,
		       size_t len)
{
	(void)c;
	(void)label;
	(void)context;
	memset(out, 0x55, len);
	return 0;
}

static bool fake_remote(const struct peering *o, const struct quic_conn *c, struct addr *ret)
{
	(void)o;
	(void)c;
	*ret = addr_v4(0xcb007101, 4000);
	return true;
}

static void fake_close(struct link *l, uint64_t app_error, const char *phrase)
{
	(void)app_error;
	(void)phrase;
	must(l->conn != NULL);
	l->conn = NULL;
}

static void fake_malformed(struct link *l, const char *what)
{
	fake_close(l, PEER_CLOSE_MALFORMED, what);
}

static void fake_up(struct link *l)
{
	must(l->hello_got);
}

static void fake_lost(struct peer *p, const char *why, enum peer_loss loss)
{
	(void)p;
	(void)why;
	(void)loss;
}

static void fake_observed(struct peer *p, const struct addr *a)
{
	(void)p;
	(void)a;
}

static void fake_learnt(struct peering *o)
{
	(void)o;
	fake.grew++;
}

static uint64_t fake_clock(struct host *h)
{
	(void)h;
	return 1000 * NS_PER_S;
}

static struct log *fake_log(struct host *h)
{
	(void)h;
	return NULL;
}

#define quic_stream_peek fake_peek
#define quic_stream_consume fake_consume
#define quic_stream_write fake_write
#define quic_conn_export fake_export
#define path_remote fake_remote
#define link_close fake_close
#define link_malformed fake_malformed
#define peer_link_up fake_up
#define peer_lost fake_lost
#define effects_observed_by fake_observed
#define clock_now fake_clock
#define host_log fake_log
#include "../../src/overlay/peering/control_send.c"
#include "../../src/overlay/peering/log_send.c"
#include "../../src/overlay/peering/control.c"
#include "../../src/overlay/peering/peer_log.c"
#include "crypto/init.h"
#include "identity/identity.h"

static void on_fork(void *ctx, const struct log_proof *proof, const struct member *from)
{
	(void)ctx;
	(void)from;
	must(proof != NULL);
	fake.forks++;
}

static const struct overlay_ops ops = { .fork = on_fork };

/* Orders the entry in `l`, as a server with the seed would. */
static void order(struct mlog *l, const struct entry_bytes *b, const uint8_t seed[SIGN_SEED_LEN])
{
	struct span bytes = span_of(b->data, b->len);
	struct ordering by = { .now_s = 1800000000, .order_seed = seed };
	uint8_t key[KEY_LEN];
	struct entry e;

	must(seed_public(seed, key) == 0);
	by.order_key = key;
	must(entry_decode(bytes, &e, NULL) == 0 && mlog_order(l, &e, bytes, &by, NULL) == 0);
	mlog_commit(l);
}

static void keep_record(struct mlog *l, int i)
{
	struct span record = mlog_record(l, (uint64_t)i);

	memcpy(fake.record[i].data, record.data, record.len);
	fake.record[i].len = record.len;
}

/* Genesis and two cancels: a log of three records, of which nodes begin with two. */
static void make_records(void)
{
	struct genesis g = { .name = "homelab",
			     .subnet = { 0x64400000, 16 },
			     .node_name = "nas",
			     .address = 0x64400001,
			     .server = { .host = "signal.example.org", .port = 4433 } };
	struct mlog *l = mlog_new((const uint8_t[16]){ 1 });
	uint8_t seed[SIGN_SEED_LEN] = { 7 };
	struct signer signer = { .seed = seed };
	struct entry_bytes b;

	must(l && identity_from_seed(seed, NULL, &fake.id[0]) == 0);
	memcpy(g.key, identity_key(fake.id[0]), KEY_LEN);
	memcpy(g.server.order_key, g.key, KEY_LEN);
	must(genesis_make(&g, 1800000000, identity_signer(fake.id[0]), &b, NULL) == 0);
	must(mlog_found(l, span_of(b.data, b.len), NULL) == 0);
	mlog_commit(l);
	keep_record(l, 0);
	for (uint8_t i = 1; i < 3; i++) {
		struct entry e = { .type = ENTRY_CANCEL,
				   .time_s = 1800000000,
				   .author = identity_node_id(fake.id[0]),
				   .base = mlog_head(l),
				   .cancel.nonce = { i } };

		must(entry_make(&e, mlog_cluster_id(l), &signer, NULL, &b, NULL) == 0);
		order(l, &b, seed);
		keep_record(l, i);
	}
	mlog_free(l);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	must(crypto_init(NULL) == 0);
	make_records();
	return 0;
}

/* A connection that is only looked at for being there. */
static struct quic_conn *conn_there(void)
{
	static char there;

	return (struct quic_conn *)(void *)&there;
}

static void run(struct peering *o, const uint8_t *data, size_t size)
{
	static struct member member;
	struct peer p = { .g = o, .member = &member };
	struct link l = { .peer = &p, .conn = conn_there(), .their_next = UINT64_MAX };
	uint8_t first = size ? data[0] : 0;

	strcpy(member.name, "rogue");
	bucket_init(&l.messages, 100, 2048, fake_clock(NULL));
	p.active = &l;
	must(control_start(&l) == 0);
	must(l.hello_sent);
	l.hello_got = first & 1;
	fake.in = span_of(data + (size ? 1 : 0), size ? size - 1 : 0);
	fake.in.len = (first & 2) ? fake.in.len / 2 : fake.in.len;
	control_readable(&l);
	fake.in = span_of(data + (size ? 1 : 0), size ? size - 1 : 0);
	if (l.conn)
		control_readable(&l);
	if (l.conn && l.hello_got)
		control_push(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct peering *o = calloc(1, sizeof(*o));

	fake.at = fake.sent = fake.forks = fake.grew = 0;
	must(o != NULL);
	o->ops = &ops;
	o->log_learnt = fake_learnt;
	o->log = mlog_new((const uint8_t[16]){ 1 });
	must(o->log != NULL);
	for (int i = 0; i < 2; i++)
		must(mlog_reload(o->log, span_of(fake.record[i].data, fake.record[i].len), NULL) ==
		     0);
	mlog_commit(o->log);
	run(o, data, size);
	must(mlog_count(o->log) == 2 || (mlog_count(o->log) == 3 && fake.grew == 1));
	must(fake.forks <= 1);
	mlog_free(o->log);
	free(o);
	return 0;
}
