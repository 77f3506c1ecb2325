/* SPDX-License-Identifier: MIT */
/*
 * Long logs that callers hand over, and counts of what the daemon verifies and reads in one turn of
 * its loop.
 */
#ifndef MLSH_TESTS_SLICES_KIT_H
#define MLSH_TESTS_SLICES_KIT_H

#include "../unit/log_kit.h"
#include "daemon_kit.h"
#include "identity/identity.h"

#define AT_ONCE 64	 /* signatures that may be verified in one turn of the loop */
#define READ_AT_ONCE 600 /* entries that may be read in one */
#define NODES 40
#define RENAMES 1200

/* In one moment of the simulated time, of all that came; one turn is one moment. */
static struct counts {
	uint64_t at;
	unsigned now, most;
} verified, decoded;
static struct world *counted;
static bool is_short_of_time; /* signatures are counted only: those here are good */

static void count(struct counts *c)
{
	uint64_t at = counted ? world_now(counted) : 0;

	if (!counted)
		return;
	c->now = c->at == at ? c->now + 1 : 1;
	c->at = at;
	c->most = MAX(c->most, c->now);
}

static void count_in(struct world *w)
{
	counted = w;
	verified = decoded = (struct counts){ .now = 0 };
}

int __real_entry_decode(struct span bytes, struct entry *ret, struct err *err);
int __real_key_verify(const uint8_t key[KEY_LEN], const char *purpose,
		      const uint8_t cluster_id[HASH_LEN], struct span bytes,
		      const uint8_t sig[SIG_LEN]);
int __wrap_entry_decode(struct span bytes, struct entry *ret, struct err *err);
int __wrap_key_verify(const uint8_t key[KEY_LEN], const char *purpose,
		      const uint8_t cluster_id[HASH_LEN], struct span bytes,
		      const uint8_t sig[SIG_LEN]);

int __wrap_entry_decode(struct span bytes, struct entry *ret, struct err *err)
{
	count(&decoded);
	return __real_entry_decode(bytes, ret, err);
}

int __wrap_key_verify(const uint8_t key[KEY_LEN], const char *purpose,
		      const uint8_t cluster_id[HASH_LEN], struct span bytes,
		      const uint8_t sig[SIG_LEN])
{
	count(&verified);
	return is_short_of_time ? 0 : __real_key_verify(key, purpose, cluster_id, bytes, sig);
}

static void check_slices(void)
{
	ck_assert_uint_gt(decoded.most, 0);
	ck_assert_msg(verified.most <= AT_ONCE, "%u signatures at once", verified.most);
	ck_assert_msg(decoded.most <= READ_AT_ONCE, "%u entries at once", decoded.most);
}

/* A log of `renames` records and some, by a server that is nowhere. */
static struct kit long_log(unsigned renames)
{
	struct kit k = kit_open_with(NODES);
	char name[32];

	for (unsigned i = 0; i < renames; i++) {
		struct entry_bytes b;

		snprintf(name, sizeof(name), "name%u", i);
		b = kit_rename(&k, 0, 1 + i % NODES, name);
		kit_append(&k, &b);
	}
	return k;
}

/* What node `n` of it hands over, with the key of node `key`. */
static struct handover files_of(const struct kit *k, unsigned n, unsigned key)
{
	const struct genesis *g = mlog_genesis(k->log);
	const struct member *self = kit_member(k, n);
	struct identity *id = kit_identity(key);
	struct handover o = { .sent = 0 };
	struct cluster_file f = { .node_id = self->id, .address = self->address };
	uint8_t fields[CLUSTER_BYTES_MAX];
	ptrdiff_t len;

	snprintf(f.cluster, sizeof(f.cluster), "%s", g->name);
	memcpy(f.cluster_id, mlog_cluster_id(k->log), HASH_LEN);
	snprintf(f.node_name, sizeof(f.node_name), "%s", self->name);
	f.subnet = g->subnet;
	snprintf(f.signal_host, sizeof(f.signal_host), "%s", g->server.host);
	f.signal_port = g->server.port;
	memcpy(f.signal_cert, g->server.cert, HASH_LEN);
	memcpy(f.signal_key, g->server.key, HASH_LEN);
	len = cluster_encode(&f, fields, sizeof(fields));
	ck_assert_int_gt(len, 0);
	o.file[CONTROL_FILE_CLUSTER].data = malloc((size_t)len);
	memcpy(o.file[CONTROL_FILE_CLUSTER].data, fields, (size_t)len);
	o.file[CONTROL_FILE_CLUSTER].len = (size_t)len;
	ck_assert_int_eq(log_file_encode(k->log, &o.file[CONTROL_FILE_LOG]), 0);
	ck_assert_int_eq(identity_to_pem(id, &o.file[CONTROL_FILE_CERT], &o.file[CONTROL_FILE_KEY],
					 NULL),
			 0);
	identity_free(id);
	return o;
}

/* A caller that hands them over and lets the test go on meanwhile. */
struct caller {
	struct host *host;
	struct local_conn *conn;
	struct handover *files;
	unsigned acks, replies;
	char reply[CONTROL_PIECE_MAX + 2];
};

static void on_message(void *ctx, struct local_conn *conn, struct span m)
{
	struct caller *c = ctx;
	uint64_t received;

	if (control_ack_decode(m, &received) == 0) {
		c->acks++;
		ck_assert_int_eq(handover_send(c->files, conn, received), 0);
		return;
	}
	ck_assert_uint_eq(m.data[0], CONTROL_LAST);
	memcpy(c->reply, m.data + 1, m.len - 1);
	c->reply[m.len - 1] = '\0';
	c->replies++;
}

static void on_closed(void *ctx, struct local_conn *conn)
{
	struct caller *c = ctx;

	local_conn_close(conn);
	c->conn = NULL;
}

static void call(struct mesh_node *n, struct caller *c, unsigned uid, struct handover *files)
{
	static const struct local_ops ops = { .message = on_message, .closed = on_closed };
	struct control_request r = handover_request(files, MESH_CLUSTER);
	uint8_t request[CONTROL_REQUEST_MAX];
	ptrdiff_t len = control_request_encode(&r, request, sizeof(request));

	*c = (struct caller){ .host = world_host_boot(n->host), .files = files };
	files->sent = 0;
	world_host_user(c->host, uid, GROUP);
	SIM_CHECK_OK(n->mesh->w, local_connect(c->host, CONTROL_SOCKET, &ops, c, NULL, &c->conn));
	SIM_CHECK_OK(n->mesh->w, local_send(c->conn, request, (size_t)len));
}

static void hang_up(struct caller *c)
{
	local_conn_close(c->conn);
	world_host_crash(c->host);
}

static bool has_reply(void *ctx)
{
	return ((struct caller *)ctx)->replies > 0;
}

/* It was asked for all of its files, and they are being verified. */
static void until_verifying(struct mesh_node *n, struct caller *c)
{
	uint64_t size = 0;

	for (size_t i = 0; i < CONTROL_FILES; i++)
		size += c->files->file[i].len;
	for (int ms = 0; c->files->sent < size; ms++) {
		ck_assert_int_lt(ms, 1000);
		sim_pass(n->mesh->w, MS);
	}
	sim_pass(n->mesh->w, 10 * MS);
	ck_assert_uint_eq(c->replies, 0);
}

static struct mesh_node *daemon_ready(struct mesh **ret)
{
	struct mesh *m = mesh_new(1);
	struct mesh_node *n = mesh_node(m, "nas");

	mesh_daemon_start(n);
	world_group_add(n->host, "mlsh", GROUP, 1 << 20);
	count_in(m->w);
	*ret = m;
	return n;
}

static void end(struct mesh *m)
{
	check_slices();
	counted = NULL;
	mesh_free(m);
}

/* Most tests: a long log, what node 1 hands over of it, a daemon, and a caller. */
struct scene {
	struct kit k;
	struct handover files;
	struct mesh *m;
	struct mesh_node *n;
	struct caller c;
};

/* The files name node 1, and have the key of node `key`. */
static void scene_begin(struct scene *s, unsigned key)
{
	s->k = long_log(RENAMES);
	s->files = files_of(&s->k, 1, key);
	s->n = daemon_ready(&s->m);
}

static void scene_end(struct scene *s)
{
	handover_free(&s->files);
	kit_close(&s->k);
	end(s->m);
}

static void hand_over(struct scene *s, unsigned uid)
{
	call(s->n, &s->c, uid, &s->files);
}

static void until_reply(struct scene *s)
{
	mesh_until(s->m, MINUTE, has_reply, &s->c);
}

/* It is served to its end, and answered with these words. */
static void hand_over_whole(struct scene *s, unsigned uid, const char *words)
{
	hand_over(s, uid);
	until_reply(s);
	ck_assert_msg(strstr(s->c.reply, words), "%s", s->c.reply);
	hang_up(&s->c);
}

static size_t log_count(struct mesh_node *n)
{
	return mesh_tunnel(n) ? mlog_count(tunnel_log(mesh_tunnel(n))) : 0;
}

#endif
