/* SPDX-License-Identifier: MIT */
/* A second server, and a cluster that moves to it. */
#include "move_kit.h"

#include "signal/token.h"

/* --- the new server --- */

void second_db(const struct second *s, char out[96])
{
	snprintf(out, 96, "%s/signal2.db", s->m->dir);
}

static struct signal_config second_config(const struct second *s)
{
	struct signal_config cfg = { .log_level = LOG_LEVEL_INFO };
	struct err err = { 0 };

	second_db(s, cfg.db_path);
	SIM_CHECK_OK(s->m->w, addr_parse(CONFIG_BIND_DEFAULT, &cfg.bind));
	SIM_CHECK_OK(s->m->w, prefix4_parse(CONFIG_SUBNET_DEFAULT, &cfg.subnet, &err));
	return cfg;
}

int second_try_open(struct second *s, struct err *err)
{
	struct signal_config cfg = second_config(s);
	const char *token;
	int rc;

	if (!world_host_alive(s->host))
		s->host = world_host_boot(s->host);
	rc = signal_server_open(s->host, &cfg, err, &s->server);
	if (rc < 0) {
		world_host_crash(s->host);
		return rc;
	}
	token = signal_server_first_token(s->server);
	if (token)
		snprintf(s->token, sizeof(s->token), "%s", token);
	return 0;
}

int second_try_token(struct second *s, struct err *err)
{
	struct signal_config cfg = second_config(s);

	return token_make(s->host, &cfg, 0, s->token, err);
}

void second_open(struct second *s)
{
	struct err err = { 0 };

	SIM_CHECK_OK(s->m->w, second_try_open(s, &err));
	if (s->token[0])
		SIM_CHECK_OK(s->m->w, setup_token_parse(s->token, s->code, s->cert, &err));
}

void second_place(struct second *s, struct mesh *m)
{
	struct addr at = addr_v4(NEW_IP, 0);

	*s = (struct second){ .m = m, .host = world_host(m->w, "signal2", NEW_IP) };
	SIM_CHECK_OK(m->w, world_dns_set(m->w, NEW_NAME, &at));
}

void second_start(struct second *s, struct mesh *m)
{
	second_place(s, m);
	second_open(s);
}

void second_crash(struct second *s)
{
	world_host_crash(s->host);
	signal_server_close(s->server);
	s->server = NULL;
}

void move_end(struct mesh *m, struct second *s)
{
	if (s->server)
		second_crash(s);
	mesh_free(m);
}

size_t second_log(const struct second *s)
{
	const struct cluster *c = registry_find(s->server->registry, s->m->cluster_id);

	return c && c->log ? mlog_count(c->log) : 0;
}

/* --- handing the log over --- */

static void move_on_import(void *ctx, const struct err *err, const struct log_server *server,
			   const struct wire_head *head)
{
	struct handing *h = ctx;

	(void)head;
	h->done = true;
	if (err)
		h->err = *err;
	else
		h->server = *server;
}

static bool move_is_handed(void *ctx)
{
	return ((struct handing *)ctx)->done;
}

struct handing move_try_import(struct mesh_node *n, struct second *s)
{
	struct mesh *m = n->mesh;
	struct identity *id = mesh_identity_of(n);
	struct import_params p = { .identity = id,
				   .log = mesh_log_of(n),
				   .host = NEW_NAME,
				   .port = SIGNAL_PORT,
				   .cert = s->cert,
				   .code = s->code };
	struct import *im = NULL;
	struct handing h = { .done = false };
	struct err err = { 0 };

	SIM_CHECK_OK(m->w, import_start(n->host, &p, move_on_import, NULL, &h, &err, &im));
	mesh_until(m, 30 * SECOND, move_is_handed, &h);
	import_free(im);
	identity_free(id);
	return h;
}

struct log_server move_import_log(struct mesh_node *n, struct second *s)
{
	struct handing h = move_try_import(n, s);

	if (h.err.code)
		ck_abort_msg("the log was not taken: %s", h.err.text);
	ck_assert_uint_eq(second_log(s), mlog_count(mesh_log_of(n)));
	return h.server;
}

/* --- the record --- */

static int move_give(void *ctx, const struct head *head, struct entry_bytes *ret, struct err *err)
{
	(void)head, (void)err;
	*ret = ((struct ordering_of *)ctx)->entry;
	return 0;
}

static void move_on_ordered(void *ctx, const struct err *err)
{
	struct ordering_of *o = ctx;

	o->done = true;
	if (err)
		o->err = *err;
}

struct entry_bytes move_signal_entry(struct mesh_node *n, const struct log_server *to)
{
	return mesh_signed_by(n, (struct entry){ .type = ENTRY_SIGNAL, .signal = *to });
}

void move_ask_to_order(struct mesh_node *n, const struct log_server *to, struct ordering_of *o)
{
	struct err err = { 0 };

	*o = (struct ordering_of){ .entry = move_signal_entry(n, to) };
	SIM_CHECK_OK(n->mesh->w, session_append(tunnel_session(mesh_tunnel(n)), move_give,
						move_on_ordered, o, &err));
}

bool move_is_ordered(void *ctx)
{
	return ((struct ordering_of *)ctx)->done;
}

bool move_is_at(struct mesh_node *n, ip4 ip)
{
	struct session_status s;

	if (!mesh_tunnel(n))
		return true;
	session_status_get(tunnel_session(mesh_tunnel(n)), &s);
	return s.state == SESSION_UP && addr_ip4(&s.server) == ip;
}

bool move_all_moved(void *ctx)
{
	struct mesh *m = ctx;

	for (size_t i = 0; i < m->n_nodes; i++)
		if (m->node[i].daemon && !move_is_at(&m->node[i], NEW_IP))
			return false;
	return true;
}

void move_all(struct mesh_node *admin, struct second *s)
{
	struct log_server to = move_import_log(admin, s);
	struct ordering_of o;

	move_ask_to_order(admin, &to, &o);
	mesh_until(admin->mesh, 10 * SECOND, move_is_ordered, &o);
	ck_assert_msg(o.err.code == 0, "%s", o.err.text);
}

struct mesh *move_begin(struct second *s, size_t n)
{
	struct mesh *m = mesh_of(sim_seed(), n);

	mesh_direct(m, 10 * SECOND);
	second_start(s, m);
	return m;
}
