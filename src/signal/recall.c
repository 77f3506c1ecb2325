/* SPDX-License-Identifier: AGPL-3.0-only */
/* The sessions of a server that crashed: kept in a file, and called back by the next process. */
#include "signal/recall.h"

#include <stdio.h>
#include <stdlib.h>

#include "os/file.h"
#include "proto/cbor.h"
#include "proto/signal_wire.h"
#include "signal/caller.h"

#define RECALL_VERSION 1
#define PATH_BYTES 600
#define CALL_GAP (10 * NS_PER_MS)    /* so that the nodes do not all return at once */
#define CALL_AGAIN (500 * NS_PER_MS) /* after the first round: a datagram may get lost */
#define ROUNDS 2
#define SAVE_DELAY (100 * NS_PER_MS)	  /* several changes come together */
#define SAVE_DELAY_EACH (500 * NS_PER_US) /* longer with each session: a save writes them all */

struct recall {
	struct signal_server *server;
	char path[PATH_BYTES];
	struct recall_list *lost; /* the list in the file at the start; NULL without a file */
	size_t next;		  /* next item of `lost` to be called */
	unsigned round;
	uint64_t began;
	struct timer *call, *save;
	bool stopped;
	struct file_slot *file; /* NULL if it could not be opened */
	struct log_limit failures;
};

/* --- bytes ------------------------------------------------------------------------------------ */

ptrdiff_t recall_encode(const struct recall_list *l, void *buf, size_t cap)
{
	struct cbor_writer w = cbor_writer_of(buf, cap);
	struct span out;

	cbor_put_array(&w, 2);
	cbor_put_uint(&w, RECALL_VERSION);
	cbor_put_array(&w, l->n);
	for (size_t i = 0; i < l->n; i++) {
		const struct recall_item *it = &l->item[i];

		cbor_put_array(&w, 5);
		cbor_put_bytes(&w, it->cluster_id, sizeof(it->cluster_id));
		cbor_put_bytes(&w, it->node.bytes, NODE_ID_LEN);
		cbor_put_bytes(&w, it->how.id, sizeof(it->how.id));
		wire_put_addr(&w, &it->how.remote);
		wire_put_addr(&w, &it->how.local);
	}
	out = cbor_writer_span(&w);
	return out.len ? (ptrdiff_t)out.len : -ENOSPC;
}

static struct recall_list *list_new(size_t n)
{
	return calloc(1, sizeof(struct recall_list) + n * sizeof(struct recall_item));
}

int recall_decode(struct span in, struct recall_list **ret)
{
	struct cbor_reader r = cbor_reader_of(in);
	struct recall_list *l;
	size_t n;

	if (cbor_file_version(in) > RECALL_VERSION)
		return -EPROTONOSUPPORT;
	cbor_get_array(&r, 2);
	if (cbor_get_uint(&r, UINT32_MAX) != RECALL_VERSION)
		return -EBADMSG;
	n = cbor_get_array_len(&r, SIGNAL_CONNS_MAX);
	if (r.failed)
		return -EBADMSG;
	l = list_new(n);
	if (!l)
		return -ENOMEM;
	for (; l->n < n && !r.failed; l->n++) {
		struct recall_item *it = &l->item[l->n];

		cbor_get_array(&r, 5);
		cbor_get_bytes_fixed(&r, it->cluster_id, sizeof(it->cluster_id));
		cbor_get_bytes_fixed(&r, it->node.bytes, NODE_ID_LEN);
		cbor_get_bytes_fixed(&r, it->how.id, sizeof(it->how.id));
		wire_get_addr(&r, &it->how.remote);
		wire_get_addr(&r, &it->how.local);
	}
	if (cbor_reader_end(&r) < 0) {
		free(l);
		return -EBADMSG;
	}
	*ret = l;
	return 0;
}

/* --- the file --------------------------------------------------------------------------------- */

static bool has_returned(const struct recall *r, const struct recall_item *it)
{
	struct cluster *c = registry_find(r->server->registry, it->cluster_id);
	const struct presence_item *p = c ? presence_get(c->presence, &it->node) : NULL;

	return p && presence_online(p);
}

static bool item_of(const struct caller *c, struct recall_item *ret)
{
	memcpy(ret->cluster_id, c->cluster->id, sizeof(ret->cluster_id));
	ret->node = c->node;
	return quic_conn_revocation(c->quic, &ret->how);
}

/* Lists the sessions, and those of the process before while their nodes may still use them. */
static struct recall_list *list_make(const struct recall *r)
{
	const struct signal_server *s = r->server;
	bool keep = r->lost && clock_now(s->host) - r->began < SIGNAL_IDLE_TIMEOUT;
	struct recall_list *l = list_new(s->n_sessions + (keep ? r->lost->n : 0));

	if (!l)
		return NULL;
	list_for_each(it, &s->sessions) {
		if (item_of(list_entry(it, struct caller, in_server), &l->item[l->n]))
			l->n++;
	}
	for (size_t i = 0; keep && i < r->lost->n && l->n < SIGNAL_CONNS_MAX; i++) {
		if (!has_returned(r, &r->lost->item[i]))
			l->item[l->n++] = r->lost->item[i];
	}
	l->n = MIN(l->n, (size_t)SIGNAL_CONNS_MAX);
	return l;
}

static int file_save(struct recall *r, struct err *err)
{
	struct recall_list *l = list_make(r);
	size_t cap = l ? 64 + 104 * l->n : 0;
	uint8_t *buf = l ? malloc(cap) : NULL;
	ptrdiff_t len = buf ? recall_encode(l, buf, cap) : -ENOMEM;
	int rc = len < 0 ? (int)len : file_slot_write(r->file, buf, (size_t)len);

	free(buf);
	free(l);
	return rc < 0 ? err_set(err, rc, "cannot write %s: %s", r->path, strerror(-rc)) : 0;
}

static void cannot_save(struct recall *r, const struct err *err)
{
	struct host *h = r->server->host;

	log_limited(host_log(h), &r->failures, clock_now(h), LOG_LEVEL_WARN,
		    "after a crash nodes will need up to %u s to return: %s",
		    (unsigned)(SIGNAL_KEEP_ALIVE / NS_PER_S), err->text);
}

static void on_save(void *ctx)
{
	struct recall *r = ctx;
	struct err err = { 0 };

	if (file_save(r, &err) < 0)
		cannot_save(r, &err);
}

void recall_changed(struct recall *r)
{
	if (r && r->file && !r->stopped && !timer_is_set(r->save))
		timer_set_in(r->save, SAVE_DELAY + r->server->n_sessions * SAVE_DELAY_EACH);
}

/* Real machines have it: the database is there. In a simulation that is a file of the test's. */
static int folder_make(struct recall *r, struct err *err)
{
	const char *slash = strrchr(r->path, '/');
	char folder[PATH_BYTES];

	if (!slash || slash == r->path)
		return 0;
	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - r->path), r->path);
	return dir_make(r->server->host, folder, 0700, err);
}

static void file_load(struct recall *r)
{
	struct host *h = r->server->host;
	struct err err = { 0 };
	struct buf b = { 0 };
	int rc = folder_make(r, &err);

	if (rc == 0)
		rc = file_read(h, r->path, RECALL_FILE_MAX, &err, &b);
	if (rc == 0) {
		rc = recall_decode(span_of(b.data, b.len), &r->lost);
		buf_free(&b);
		if (rc < 0)
			err_set(&err, rc, "%s is %s", r->path,
				rc == -EPROTONOSUPPORT ? "of a newer mlsh-signal"
						       : "empty or damaged");
	}
	if (rc < 0 && rc != -ENOENT)
		log_debug(host_log(h), "no nodes are called back: %s", err.text);
	if (file_slot_open(h, r->path, 0600, &err, &r->file) < 0)
		cannot_save(r, &err);
}

/* --- calling ---------------------------------------------------------------------------------- */

/* Calls one node each CALL_GAP, and all of them ROUNDS times, except those that have returned. */
static void on_call(void *ctx)
{
	struct recall *r = ctx;

	while (r->next < r->lost->n) {
		const struct recall_item *it = &r->lost->item[r->next++];

		if (has_returned(r, it))
			continue;
		quic_socket_revoke(r->server->socket, &it->how);
		timer_set_in(r->call, CALL_GAP);
		return;
	}
	r->next = 0;
	if (++r->round < ROUNDS)
		timer_set_in(r->call, CALL_AGAIN);
}

int recall_new(struct signal_server *s, const char *db_path, struct recall **ret)
{
	struct recall *r = calloc(1, sizeof(*r));
	int n;

	if (!r)
		return -ENOMEM;
	r->server = s;
	r->began = clock_now(s->host);
	r->failures = (struct log_limit){ .period_ns = 600 * NS_PER_S, .burst = 1 };
	r->call = timer_new(s->host, on_call, r);
	r->save = timer_new(s->host, on_save, r);
	n = snprintf(r->path, sizeof(r->path), "%s" RECALL_SUFFIX, db_path);
	if (!r->call || !r->save || n < 0 || (size_t)n >= sizeof(r->path)) {
		recall_free(r);
		return -ENOMEM;
	}
	file_load(r);
	if (r->lost && r->lost->n > 0) {
		log_info(host_log(s->host),
			 "%zu nodes had a session when the server ended without "
			 "a word: they are called back",
			 r->lost->n);
		timer_set_in(r->call, 0);
	}
	*ret = r;
	return 0;
}

void recall_stop(struct recall *r)
{
	static const struct recall_list nobody;
	uint8_t buf[16];
	ptrdiff_t len;

	if (!r || r->stopped)
		return;
	r->stopped = true;
	timer_set(r->save, TIME_NEVER);
	timer_set(r->call, TIME_NEVER);
	len = recall_encode(&nobody, buf, sizeof(buf));
	if (r->file && file_slot_write(r->file, buf, (size_t)MAX(len, 0)) < 0)
		log_debug(host_log(r->server->host), "%s could not be written", r->path);
}

void recall_free(struct recall *r)
{
	if (!r)
		return;
	timer_free(r->call);
	timer_free(r->save);
	file_slot_close(r->file);
	free(r->lost);
	free(r);
}
