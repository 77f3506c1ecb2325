/* SPDX-License-Identifier: MIT */
/* The file of a cluster's peers: its bytes, reading it, and writing it seldom. */
#include "tund/peers.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bucket.h"
#include "base/label.h"
#include "client/store.h"
#include "proto/signal_wire.h"

#define PEERS_VERSION 1
#define PEERS_VERSION_NAT 2 /* the same and what is known of the NAT */
#define PEERS_ELEMENTS 4
#define PEERS_ELEMENTS_NAT 5
#define LOOK_PERIOD (60 * NS_PER_S)
#define LOOK_SOON NS_PER_S /* after a change: several come together */
#define WRITES_A_MINUTE 60 /* in tokens, of which one comes a second: what a write costs */
#define WRITES_BURST 4

_Static_assert(PEERS_FILE_MAX >=
		       128 + OVERLAY_HINTS_MAX * (19 + CANDIDATES_MAX * (1 + ADDR_WIRE_LEN)),
	       "the largest file must fit");

struct peers_file *peers_file_new(size_t n)
{
	return calloc(1, sizeof(struct peers_file) + n * sizeof(struct peer_hint));
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void put_nat(struct cbor_writer *w, const struct nat_memory *m)
{
	cbor_put_array(w, 4);
	wire_put_addr(w, &m->echo);
	wire_put_addr(w, &m->observed);
	cbor_put_uint(w, m->wall_s);
	cbor_put_uint(w, m->filtering);
}

static void get_nat(struct cbor_reader *r, struct nat_memory *ret)
{
	cbor_get_array(r, 4);
	wire_get_addr(r, &ret->echo);
	wire_get_addr(r, &ret->observed);
	ret->wall_s = cbor_get_uint(r, UINT32_MAX);
	ret->filtering = (enum nat_filtering)cbor_get_uint(r, FILTERINGS - 1);
}

ptrdiff_t peers_file_encode(const struct peers_file *f, void *buf, size_t cap)
{
	struct cbor_writer w = cbor_writer_of(buf, cap);
	struct span out;

	cbor_put_array(&w, f->has_nat ? PEERS_ELEMENTS_NAT : PEERS_ELEMENTS);
	cbor_put_uint(&w, f->has_nat ? PEERS_VERSION_NAT : PEERS_VERSION);
	cbor_put_bytes(&w, f->cluster_id, sizeof(f->cluster_id));
	cbor_put_uint(&w, f->port);
	cbor_put_array(&w, f->n);
	for (size_t i = 0; i < f->n; i++) {
		cbor_put_array(&w, 2);
		cbor_put_bytes(&w, f->peer[i].id.bytes, NODE_ID_LEN);
		wire_put_candidates(&w, &f->peer[i].at);
	}
	if (f->has_nat)
		put_nat(&w, &f->nat);
	out = cbor_writer_span(&w);
	return out.len ? (ptrdiff_t)out.len : -ENOSPC;
}

int peers_file_decode(struct span in, struct peers_file **ret)
{
	struct cbor_reader r = cbor_reader_of(in);
	struct peers_file head = { .n = 0 }, *f;
	uint64_t version;
	size_t elements;

	if (cbor_file_version(in) > PEERS_VERSION_NAT)
		return -EPROTONOSUPPORT;
	elements = cbor_get_array_len(&r, PEERS_ELEMENTS_NAT);
	version = cbor_get_uint(&r, UINT32_MAX);
	head.has_nat = version == PEERS_VERSION_NAT;
	if ((version != PEERS_VERSION || elements != PEERS_ELEMENTS) &&
	    (version != PEERS_VERSION_NAT || elements != PEERS_ELEMENTS_NAT))
		return -EBADMSG;
	cbor_get_bytes_fixed(&r, head.cluster_id, sizeof(head.cluster_id));
	head.port = (uint16_t)cbor_get_uint(&r, UINT16_MAX);
	head.n = cbor_get_array_len(&r, OVERLAY_HINTS_MAX);
	if (r.failed || head.port < PEERS_PORT_MIN)
		return -EBADMSG;
	f = peers_file_new(head.n);
	if (!f)
		return -ENOMEM;
	*f = head;
	for (size_t i = 0; i < head.n && !r.failed; i++) {
		cbor_get_array(&r, 2);
		cbor_get_bytes_fixed(&r, f->peer[i].id.bytes, NODE_ID_LEN);
		wire_get_candidates(&r, &f->peer[i].at);
	}
	if (f->has_nat)
		get_nat(&r, &f->nat);
	if (cbor_reader_end(&r) < 0) {
		free(f);
		return -EBADMSG;
	}
	*ret = f;
	return 0;
}

/* --- the file --------------------------------------------------------------------------------- */

static int peers_path(const char *state_dir, const char *cluster, char out[STORE_PATH_MAX],
		      struct err *err)
{
	int rc = label_check("cluster name", cluster, err);
	int n;

	if (rc < 0)
		return rc;
	n = snprintf(out, STORE_PATH_MAX, "%s/%s%s", state_dir, cluster, PEERS_SUFFIX);
	return n < 0 || n >= STORE_PATH_MAX
		       ? err_set(err, -ENAMETOOLONG, "path too long: %s", state_dir)
		       : 0;
}

int peers_file_load(struct host *h, const char *state_dir, const char *cluster,
		    const uint8_t cluster_id[HASH_LEN], struct err *err, struct peers_file **ret)
{
	char path[STORE_PATH_MAX];
	struct peers_file *f;
	struct buf b = { 0 };
	int rc = peers_path(state_dir, cluster, path, err);

	if (rc == 0)
		rc = file_read(h, path, PEERS_FILE_MAX, err, &b);
	if (rc < 0)
		return rc;
	rc = peers_file_decode(span_of(b.data, b.len), &f);
	buf_free(&b);
	if (rc < 0)
		return err_set(err, rc,
			       "%s is %s: peers are found by the signal server, and it "
			       "is written again",
			       path,
			       rc == -ENOMEM		? "too large"
			       : rc == -EPROTONOSUPPORT ? "of a newer version of mlsh"
							: "damaged");
	if (memcmp(f->cluster_id, cluster_id, HASH_LEN) != 0) {
		free(f);
		return -ENOENT;
	}
	*ret = f;
	return 0;
}

int peers_file_remove(struct host *h, const char *state_dir, const char *cluster)
{
	char path[STORE_PATH_MAX];
	int rc = peers_path(state_dir, cluster, path, NULL);

	if (rc == 0)
		rc = file_forget(h, path);
	return rc;
}

void peers_file_give(const struct peers_file *f, struct overlay *o)
{
	if (f->has_nat && quic_socket_local(overlay_socket(o)).port == f->port)
		overlay_nat_remember(o, &f->nat);
	overlay_hints_set(o, f->peer, f->n);
}

/* --- keeping it up to date -------------------------------------------------------------------- */

struct peers_keeper {
	struct host *h;
	const struct overlay *o;
	struct timer *timer;
	uint64_t look_at;
	struct bucket writes;
	struct log_limit log_limit;
	struct buf written; /* what the file has, if we wrote it */
	uint8_t cluster_id[HASH_LEN];
	char cluster[LABEL_MAX + 1];
	char path[STORE_PATH_MAX];
};

/* The file's bytes as they should be. */
static int keeper_encode(const struct peers_keeper *k, struct buf *ret)
{
	struct peers_file *f = peers_file_new(OVERLAY_HINTS_MAX);
	struct buf b = { .data = malloc(PEERS_FILE_MAX) };
	ptrdiff_t n = -ENOMEM;

	if (f && b.data) {
		memcpy(f->cluster_id, k->cluster_id, HASH_LEN);
		f->port = quic_socket_local(overlay_socket((struct overlay *)k->o)).port;
		f->has_nat = overlay_nat_memory(k->o, &f->nat);
		f->n = overlay_hints_get(k->o, f->peer, OVERLAY_HINTS_MAX);
		n = peers_file_encode(f, b.data, PEERS_FILE_MAX);
	}
	free(f);
	if (n < 0) {
		free(b.data);
		return (int)n;
	}
	b.len = (size_t)n;
	*ret = b;
	return 0;
}

static bool is_written(const struct peers_keeper *k, const struct buf *b)
{
	return b->len == k->written.len && memcmp(b->data, k->written.data, b->len) == 0;
}

static void keeper_save(struct peers_keeper *k, bool last)
{
	uint64_t now = clock_now(k->h);
	struct err err = { 0 };
	struct buf b = { 0 };
	int rc = keeper_encode(k, &b);

	if (rc == 0 &&
	    (is_written(k, &b) || (!bucket_take(&k->writes, WRITES_A_MINUTE, now) && !last))) {
		buf_free(&b);
		return;
	}
	if (rc == 0)
		rc = file_write(k->h, k->path, b.data, b.len, 0600, &err);
	if (rc == 0) {
		buf_free(&k->written);
		k->written = b;
		return;
	}
	buf_free(&b);
	log_limited(host_log(k->h), &k->log_limit, now, LOG_LEVEL_WARN,
		    "%s: the peers' addresses were not saved: %s", k->cluster,
		    err.code ? err.text : "no memory");
}

static void look_in(struct peers_keeper *k, uint64_t delay)
{
	k->look_at = clock_now(k->h) + delay;
	timer_set(k->timer, k->look_at);
}

static void on_look(void *ctx)
{
	struct peers_keeper *k = ctx;

	keeper_save(k, false);
	look_in(k, LOOK_PERIOD);
}

int peers_keeper_new(struct host *h, const char *state_dir, const char *cluster,
		     const uint8_t cluster_id[HASH_LEN], const struct overlay *o,
		     struct peers_keeper **ret)
{
	struct peers_keeper *k = calloc(1, sizeof(*k));
	int rc;

	if (!k)
		return -ENOMEM;
	k->h = h;
	k->o = o;
	k->log_limit = (struct log_limit){ .period_ns = 3600 * NS_PER_S, .burst = 1 };
	bucket_init(&k->writes, 1, (uint64_t)WRITES_BURST * WRITES_A_MINUTE, clock_now(h));
	memcpy(k->cluster_id, cluster_id, HASH_LEN);
	snprintf(k->cluster, sizeof(k->cluster), "%s", cluster);
	rc = peers_path(state_dir, cluster, k->path, NULL);
	k->timer = rc == 0 ? timer_new(h, on_look, k) : NULL;
	if (!k->timer) {
		free(k);
		return rc < 0 ? rc : -ENOMEM;
	}
	look_in(k, LOOK_SOON);
	*ret = k;
	return 0;
}

void peers_keeper_touch(struct peers_keeper *k)
{
	if (k->look_at > clock_now(k->h) + LOOK_SOON)
		look_in(k, LOOK_SOON);
}

void peers_keeper_free(struct peers_keeper *k)
{
	if (!k)
		return;
	keeper_save(k, true);
	timer_free(k->timer);
	buf_free(&k->written);
	free(k);
}
