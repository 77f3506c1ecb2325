/* SPDX-License-Identifier: MIT */
/* Long logs that callers hand over, and counts of what is verified at once. */
#include "os/paths.h"
#include "slices_kit.h"

struct counts slices_verified, slices_decoded;
struct world *slices_counted;
bool slices_is_short_of_time;

void slices_count(struct counts *c)
{
	uint64_t at = slices_counted ? world_now(slices_counted) : 0;

	if (!slices_counted)
		return;
	c->now = c->at == at ? c->now + 1 : 1;
	c->at = at;
	c->most = MAX(c->most, c->now);
}

void slices_count_in(struct world *w)
{
	slices_counted = w;
	slices_verified = slices_decoded = (struct counts){ .now = 0 };
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
	slices_count(&slices_decoded);
	return __real_entry_decode(bytes, ret, err);
}

int __wrap_key_verify(const uint8_t key[KEY_LEN], const char *purpose,
		      const uint8_t cluster_id[HASH_LEN], struct span bytes,
		      const uint8_t sig[SIG_LEN])
{
	slices_count(&slices_verified);
	return slices_is_short_of_time ? 0
				       : __real_key_verify(key, purpose, cluster_id, bytes, sig);
}

void slices_check(void)
{
	ck_assert_uint_gt(slices_decoded.most, 0);
	ck_assert_msg(slices_verified.most <= AT_ONCE, "%u signatures at once",
		      slices_verified.most);
	ck_assert_msg(slices_decoded.most <= READ_AT_ONCE, "%u entries at once",
		      slices_decoded.most);
}

struct kit slices_long_log(unsigned renames)
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

struct handover slices_files_of(const struct kit *k, unsigned n, unsigned key)
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

static void slices_on_message(void *ctx, struct local_conn *conn, struct span m)
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

static void slices_on_closed(void *ctx, struct local_conn *conn)
{
	struct caller *c = ctx;

	local_conn_close(conn);
	c->conn = NULL;
}

void slices_call(struct mesh_node *n, struct caller *c, unsigned uid, struct handover *files)
{
	static const struct local_ops ops = { .message = slices_on_message,
					      .closed = slices_on_closed };
	struct control_request r = handover_request(files, MESH_CLUSTER);
	uint8_t request[CONTROL_REQUEST_MAX];
	ptrdiff_t len = control_request_encode(&r, request, sizeof(request));

	*c = (struct caller){ .host = world_host_boot(n->host), .files = files };
	files->sent = 0;
	world_host_user(c->host, uid, GROUP);
	SIM_CHECK_OK(n->mesh->w, local_connect(c->host, CONTROL_SOCKET, &ops, c, NULL, &c->conn));
	SIM_CHECK_OK(n->mesh->w, local_send(c->conn, request, (size_t)len));
}

void slices_hang_up(struct caller *c)
{
	local_conn_close(c->conn);
	world_host_crash(c->host);
}

bool slices_has_reply(void *ctx)
{
	return ((struct caller *)ctx)->replies > 0;
}

void slices_until_verifying(struct mesh_node *n, struct caller *c)
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

struct mesh_node *slices_daemon_ready(struct mesh **ret)
{
	struct mesh *m = mesh_new(1);
	struct mesh_node *n = mesh_node(m, "nas");

	mesh_daemon_start(n);
	world_group_add(n->host, "mlsh", GROUP, 1 << 20);
	slices_count_in(m->w);
	*ret = m;
	return n;
}

void slices_mesh_end(struct mesh *m)
{
	slices_check();
	slices_counted = NULL;
	mesh_free(m);
}

void slices_begin(struct scene *s, unsigned key)
{
	s->k = slices_long_log(RENAMES);
	s->files = slices_files_of(&s->k, 1, key);
	s->n = slices_daemon_ready(&s->m);
}

void slices_finish(struct scene *s)
{
	handover_free(&s->files);
	kit_close(&s->k);
	slices_mesh_end(s->m);
}

void slices_hand_over(struct scene *s, unsigned uid)
{
	slices_call(s->n, &s->c, uid, &s->files);
}

void slices_until_reply(struct scene *s)
{
	mesh_until(s->m, MINUTE, slices_has_reply, &s->c);
}

void slices_hand_over_whole(struct scene *s, unsigned uid, const char *words)
{
	slices_hand_over(s, uid);
	slices_until_reply(s);
	ck_assert_msg(strstr(s->c.reply, words), "%s", s->c.reply);
	slices_hang_up(&s->c);
}

size_t slices_log_count(struct mesh_node *n)
{
	return mesh_tunnel(n) ? mlog_count(tunnel_log(mesh_tunnel(n))) : 0;
}
