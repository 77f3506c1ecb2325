/* SPDX-License-Identifier: MIT */
/*
 * A user who hands over long membership logs, for the lab: makes a cluster whose log has so many
 * records, and hands it over to a daemon so many times.
 *
 *	upload SOCKET CLUSTER RECORDS TIMES own|other
 *
 * "other": with a key that is not the node's, which the daemon finds out when all is verified. It
 * prints "handing over" before each time, and the daemon's answer after it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/handover.h"
#include "crypto/init.h"
#include "identity/identity.h"
#include "membership/mlog.h"

static struct host *host;
static struct handover files;

static _Noreturn void give_up(const char *what, const struct err *err)
{
	fprintf(stderr, "upload: %s: %s\n", what, err->text);
	exit(1);
}

static void need(int rc, const char *what, const struct err *err)
{
	if (rc < 0)
		give_up(what, err);
}

/* --- the cluster: one node, which gives itself a new name again and again --- */

struct founder {
	struct identity *id;
	uint8_t order_seed[SIGN_SEED_LEN], order_key[KEY_LEN];
	uint64_t now_s;
	struct mlog *log;
};

static void found(struct founder *f, const char *cluster)
{
	struct genesis g = { .node_name = "node",
			     .subnet = { 0x64600000, 16 },
			     .address = 0x64600001,
			     .server = { .host = "signal.invalid", .port = 4433 } };
	struct entry_bytes b;
	struct err err = { 0 };
	uint8_t seed[16];

	need(identity_new(host, &err, &f->id), "a key", &err);
	random_fill(host, f->order_seed, sizeof(f->order_seed));
	need(seed_public(f->order_seed, f->order_key), "a key", &err);
	f->now_s = (uint64_t)clock_wall_s(host);
	snprintf(g.name, sizeof(g.name), "%s", cluster);
	memcpy(g.key, identity_key(f->id), KEY_LEN);
	memcpy(g.server.order_key, f->order_key, KEY_LEN);
	random_fill(host, g.recovery, sizeof(g.recovery));
	random_fill(host, seed, sizeof(seed));
	f->log = mlog_new(seed);
	need(genesis_make(&g, f->now_s, identity_signer(f->id), &b, &err), "genesis", &err);
	need(mlog_found(f->log, span_of(b.data, b.len), &err), "genesis", &err);
}

static void rename_it(struct founder *f, unsigned n)
{
	struct entry e = { .type = ENTRY_RENAME,
			   .time_s = f->now_s,
			   .author = identity_node_id(f->id),
			   .base = mlog_head(f->log) };
	struct signer by = *identity_signer(f->id);
	struct ordering order = { f->now_s, 0, f->order_seed, f->order_key };
	struct entry_bytes b;
	struct err err = { 0 };

	e.rename.id = e.author;
	snprintf(e.rename.name, sizeof(e.rename.name), "name%u", n);
	need(entry_make(&e, mlog_cluster_id(f->log), &by, NULL, &b, &err), "an entry", &err);
	need(entry_decode(span_of(b.data, b.len), &e, &err), "an entry", &err);
	need(mlog_order(f->log, &e, span_of(b.data, b.len), &order, &err), "an order", &err);
}

static void make_files(const struct founder *f, bool other_key)
{
	const struct genesis *g = mlog_genesis(f->log);
	const struct node_id id = identity_node_id(f->id);
	const struct member *self = roster_by_id(mlog_roster(f->log), &id, ROSTER_ALL);
	struct cluster_file c = { .node_id = id, .address = self->address, .subnet = g->subnet };
	struct identity *used = f->id;
	struct buf *fields = &files.file[CONTROL_FILE_CLUSTER];
	struct err err = { 0 };

	snprintf(c.cluster, sizeof(c.cluster), "%s", g->name);
	snprintf(c.node_name, sizeof(c.node_name), "%s", self->name);
	snprintf(c.signal_host, sizeof(c.signal_host), "%s", g->server.host);
	c.signal_port = g->server.port;
	memcpy(c.cluster_id, mlog_cluster_id(f->log), HASH_LEN);
	fields->data = malloc(CLUSTER_BYTES_MAX);
	fields->len = (size_t)cluster_encode(&c, fields->data, CLUSTER_BYTES_MAX);
	if (other_key)
		need(identity_new(host, &err, &used), "a key", &err);
	need(identity_to_pem(used, &files.file[CONTROL_FILE_CERT], &files.file[CONTROL_FILE_KEY],
			     &err),
	     "a key", &err);
	need(log_file_encode(f->log, &files.file[CONTROL_FILE_LOG]), "the log", &err);
}

/* --- handing it over --- */

static void on_message(void *ctx, struct local_conn *conn, struct span m)
{
	uint64_t received;

	(void)ctx;
	if (control_ack_decode(m, &received) == 0) {
		if (handover_send(&files, conn, received) == 0)
			return;
		fputs("upload: the daemon takes no more\n", stderr);
	} else {
		printf("%.*s\n", (int)m.len - 1, (const char *)m.data + 1);
	}
	loop_stop(host);
}

static void on_closed(void *ctx, struct local_conn *conn)
{
	(void)ctx, (void)conn;
	puts("closed");
	loop_stop(host);
}

static void hand_over(const char *path, const char *cluster)
{
	static const struct local_ops ops = { .message = on_message, .closed = on_closed };
	struct control_request r = handover_request(&files, cluster);
	uint8_t request[CONTROL_REQUEST_MAX];
	ptrdiff_t len = control_request_encode(&r, request, sizeof(request));
	struct local_conn *conn = NULL;
	struct err err = { 0 };

	files.sent = 0;
	puts("handing over");
	fflush(stdout);
	need(local_connect(host, path, &ops, NULL, &err, &conn), "no connection", &err);
	need(local_send(conn, request, (size_t)len), "the request", &err);
	need(loop_run(host), "the loop", &err);
	fflush(stdout);
	local_conn_close(conn);
}

int main(int argc, char **argv)
{
	struct founder f = { .log = NULL };
	struct err err = { 0 };
	unsigned records, times;

	if (argc != 6 || sscanf(argv[3], "%u", &records) != 1 || sscanf(argv[4], "%u", &times) != 1)
		return 2;
	need(crypto_init(&err), "crypto", &err);
	need(host_new(&err, &host), "the host", &err);
	found(&f, argv[2]);
	for (unsigned n = 1; n < records; n++)
		rename_it(&f, n);
	make_files(&f, strcmp(argv[5], "other") == 0);
	mlog_free(f.log);
	for (unsigned n = 0; n < times; n++)
		hand_over(argv[1], argv[2]);
	handover_free(&files);
	host_free(host);
	return 0;
}
