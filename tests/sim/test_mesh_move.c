/* SPDX-License-Identifier: MIT */
/*
 * A mesh whose cluster moves to another signal server: by a record that the old server orders, or
 * one by the recovery code. All nodes follow that record, and nobody's word.
 */
#include "client/follow.h"
#include "client/import.h"
#include "hostile_mesh.h"
#include "signal/caller.h"

#define NEW_NAME "signal2.example"
#define NEW_IP IP(192, 0, 2, 2)

/* --- the new server --- */

struct second {
	struct mesh *m;
	struct host *host;
	struct signal_server *server;
	char code[BOOTSTRAP_CODE_TEXT_MAX];
	uint8_t cert[HASH_LEN];
};

static void second_open(struct second *s)
{
	struct signal_config cfg = { .log_level = LOG_LEVEL_INFO };
	struct err err = { 0 };
	const char *token;

	if (!world_host_alive(s->host))
		s->host = world_host_boot(s->host);
	snprintf(cfg.db_path, sizeof(cfg.db_path), "%s/signal2.db", s->m->dir);
	SIM_CHECK_OK(s->m->w, addr_parse(CONFIG_BIND_DEFAULT, &cfg.bind));
	SIM_CHECK_OK(s->m->w, prefix4_parse(CONFIG_SUBNET_DEFAULT, &cfg.subnet, &err));
	SIM_CHECK_OK(s->m->w, signal_server_open(s->host, &cfg, &err, &s->server));
	token = signal_server_first_token(s->server);
	if (token)
		SIM_CHECK_OK(s->m->w, setup_token_parse(token, s->code, s->cert, &err));
}

static void second_start(struct second *s, struct mesh *m)
{
	struct addr at = addr_v4(NEW_IP, 0);

	*s = (struct second){ .m = m, .host = world_host(m->w, "signal2", NEW_IP) };
	SIM_CHECK_OK(m->w, world_dns_set(m->w, NEW_NAME, &at));
	second_open(s);
}

static void second_crash(struct second *s)
{
	world_host_crash(s->host);
	signal_server_close(s->server);
	s->server = NULL;
}

static void end(struct mesh *m, struct second *s)
{
	if (s->server)
		second_crash(s);
	mesh_free(m);
}

static size_t second_log(const struct second *s)
{
	const struct cluster *c = registry_find(s->server->registry, s->m->cluster_id);

	return c && c->log ? mlog_count(c->log) : 0;
}

/* --- handing the log over --- */

struct handing {
	bool done;
	struct err err;
	struct log_server server;
};

static void on_import(void *ctx, const struct err *err, const struct log_server *server,
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

static bool is_handed(void *ctx)
{
	return ((struct handing *)ctx)->done;
}

static struct handing try_import(struct mesh_node *n, struct second *s)
{
	struct mesh *m = n->mesh;
	struct identity *id = identity_of(n);
	struct import_params p = { .identity = id,
				   .log = log_of(n),
				   .host = NEW_NAME,
				   .port = SIGNAL_PORT,
				   .cert = s->cert,
				   .code = s->code };
	struct import *im = NULL;
	struct handing h = { .done = false };
	struct err err = { 0 };

	SIM_CHECK_OK(m->w, import_start(n->host, &p, on_import, NULL, &h, &err, &im));
	mesh_until(m, 30 * SECOND, is_handed, &h);
	import_free(im);
	identity_free(id);
	return h;
}

static struct log_server import_log(struct mesh_node *n, struct second *s)
{
	struct handing h = try_import(n, s);

	if (h.err.code)
		ck_abort_msg("the log was not taken: %s", h.err.text);
	ck_assert_uint_eq(second_log(s), mlog_count(log_of(n)));
	return h.server;
}

/* --- the record --- */

struct ordering_of {
	struct entry_bytes entry;
	bool done;
	struct err err;
};

static int give(void *ctx, const struct head *head, struct entry_bytes *ret, struct err *err)
{
	(void)head, (void)err;
	*ret = ((struct ordering_of *)ctx)->entry;
	return 0;
}

static void on_ordered(void *ctx, const struct err *err)
{
	struct ordering_of *o = ctx;

	o->done = true;
	if (err)
		o->err = *err;
}

static struct entry_bytes signal_entry(struct mesh_node *n, const struct log_server *to)
{
	return signed_by(n, (struct entry){ .type = ENTRY_SIGNAL, .signal = *to });
}

/* The admin's node has the old server order it. */
static void ask_to_order(struct mesh_node *n, const struct log_server *to, struct ordering_of *o)
{
	struct err err = { 0 };

	*o = (struct ordering_of){ .entry = signal_entry(n, to) };
	SIM_CHECK_OK(n->mesh->w,
		     session_append(tunnel_session(mesh_tunnel(n)), give, on_ordered, o, &err));
}

static bool is_ordered(void *ctx)
{
	return ((struct ordering_of *)ctx)->done;
}

static bool is_at(struct mesh_node *n, ip4 ip)
{
	struct session_status s;

	if (!mesh_tunnel(n))
		return true;
	session_status_get(tunnel_session(mesh_tunnel(n)), &s);
	return s.state == SESSION_UP && addr_ip4(&s.server) == ip;
}

static bool all_moved(void *ctx)
{
	struct mesh *m = ctx;

	for (size_t i = 0; i < m->n_nodes; i++)
		if (m->node[i].daemon && !is_at(&m->node[i], NEW_IP))
			return false;
	return true;
}

static void move(struct mesh_node *admin, struct second *s)
{
	struct log_server to = import_log(admin, s);
	struct ordering_of o;

	ask_to_order(admin, &to, &o);
	mesh_until(admin->mesh, 10 * SECOND, is_ordered, &o);
	ck_assert_msg(o.err.code == 0, "%s", o.err.text);
}

static struct mesh *begin(struct second *s, size_t n)
{
	struct mesh *m = mesh_of(sim_seed(), n);

	mesh_direct(m, 10 * SECOND);
	second_start(s, m);
	return m;
}

/* --- cases --- */

START_TEST(all_nodes_follow)
{
	struct second s;
	struct mesh *m = begin(&s, 3);
	struct invite_url old = mesh_invite(NAS, 3600), url;
	struct mesh_node *tv, *van;
	struct err err = { 0 };
	uint64_t began;

	mesh_flow_begin(m);
	mesh_flow_run(m, SECOND, 50);
	began = world_now(m->w);
	move(NAS, &s);
	while (!all_moved(m) && world_now(m->w) - began < 20 * SECOND)
		mesh_flow_run(m, 20 * MS, 50);
	printf("all are at the new server after %.2f s\n", (double)(world_now(m->w) - began) / 1e9);
	MESH_CHECK(m, all_moved(m) && world_now(m->w) - began < 3 * SECOND);
	mesh_flow_run(m, SECOND, 50);
	MESH_CHECK(m, mesh_flow_end(m) == 0 && m->doubled == 0);
	ck_assert_str_eq(tunnel_cluster(mesh_tunnel(LAPTOP))->signal_host, NEW_NAME);

	/* a daemon that is started again, from files of before, is at the new one at once */
	mesh_daemon_stop(PHONE);
	mesh_connect(PHONE);
	mesh_until(m, 10 * SECOND, all_moved, m);

	/* an invite of before says what to do; one of now is the new server's */
	tv = mesh_node(m, "tv");
	ck_assert_int_lt(mesh_try_adopt(tv, old, &err), 0);
	ck_assert_int_eq(err.reason, REFUSAL_MOVED_AWAY);
	ck_assert_ptr_nonnull(strstr(err.text, NEW_NAME));
	ck_assert_ptr_nonnull(strstr(err.text, "new invite"));
	mesh_server_crash(m);
	van = mesh_node(m, "van");
	url = mesh_invite(NAS, 3600);
	ck_assert_str_eq(url.host, NEW_NAME);
	ck_assert_mem_eq(url.signal_key, identity_key_sha256(s.server->identity), HASH_LEN);
	mesh_adopt(van, url);
	mesh_connect(van);
	mesh_until(m, 10 * SECOND, all_moved, m);
	mesh_reach(m, 10 * SECOND);
	end(m, &s);
}
END_TEST

/* One that was off finds the record at the old server; or from a peer, if that is gone. */
static void one_was_off(bool old_lives)
{
	struct second s;
	struct mesh *m = begin(&s, 3);

	sim_pass(m->w, 10 * SECOND);
	mesh_daemon_stop(PHONE);
	move(NAS, &s);
	mesh_until(m, 10 * SECOND, all_moved, m);
	if (!old_lives)
		mesh_server_crash(m);
	sim_pass(m->w, MINUTE);
	mesh_daemon_start(PHONE);
	mesh_until(m, MINUTE, all_moved, m);
	mesh_reach(m, 20 * SECOND);
	end(m, &s);
}

START_TEST(who_was_off_asks_the_old_server)
{
	one_was_off(true);
}
END_TEST

START_TEST(who_was_off_asks_a_peer)
{
	one_was_off(false);
}
END_TEST

/* Each server crashes at each step, and what was begun can be begun again. */
START_TEST(crashes_at_each_step)
{
	struct second s;
	struct mesh *m = begin(&s, 2);
	struct log_server to;
	struct ordering_of o;
	struct handing h;

	/* the new one is down, then dies in the middle, then when it has the log */
	second_crash(&s);
	h = try_import(NAS, &s);
	ck_assert_int_eq(h.err.reason, REFUSAL_UNREACHABLE);
	second_open(&s);
	(void)import_log(NAS, &s);
	second_crash(&s);
	second_open(&s);
	to = import_log(NAS, &s); /* with the token of before */

	/* the old one dies before it has ordered: the same entry is good afterwards */
	ask_to_order(NAS, &to, &o);
	mesh_server_crash(m);
	sim_pass(m->w, 3 * SECOND);
	second_crash(&s); /* and the new one, just then */
	mesh_server_start(m);
	mesh_until(m, MINUTE, is_ordered, &o);
	ck_assert_msg(o.err.code == 0, "%s", o.err.text);

	/* the nodes come when it does, and bring the record */
	mesh_server_crash(m);
	sim_pass(m->w, 10 * SECOND);
	mesh_reach(m, 5 * SECOND);
	second_open(&s);
	ck_assert_uint_eq(second_log(&s) + 1, mlog_count(log_of(NAS)));
	mesh_until(m, MINUTE, all_moved, m);
	ck_assert_uint_eq(second_log(&s), mlog_count(log_of(NAS)));
	end(m, &s);
}
END_TEST

/* The old server refuses to order: nobody moves, and nothing is lost. */
START_TEST(a_server_that_swallows_the_move)
{
	struct second s;
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct log_server to;
	struct ordering_of o;

	second_start(&s, m);
	to = import_log(NAS, &s);
	r->swallows = true;
	ask_to_order(NAS, &to, &o);
	sim_pass(m->w, MINUTE);
	ck_assert(!o.done);
	ck_assert_str_eq(mlog_server(log_of(LAPTOP))->host, MESH_SIGNAL);
	mesh_reach(m, 5 * SECOND);
	rogue_stop(r);
	end(m, &s);
}
END_TEST

/* It orders the move, and keeps it from the others: they learn it from a peer. */
START_TEST(a_server_that_keeps_its_nodes)
{
	struct second s;
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct log_server to;
	struct ordering_of o;

	second_start(&s, m);
	to = import_log(NAS, &s);
	for (size_t i = 1; i < 3; i++)
		r->shows_only[i] = r->n_records;
	ask_to_order(NAS, &to, &o);
	mesh_until(m, MINUTE, is_ordered, &o);
	mesh_until(m, MINUTE, all_moved, m);
	rogue_stop(r);
	end(m, &s);
}
END_TEST

/* Its word alone moves nobody: neither "moved-away" without a record nor an invented record. */
START_TEST(a_word_moves_nobody)
{
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct log_server to = *mlog_server(log_of(NAS));
	struct entry_bytes e;

	snprintf(to.host, sizeof(to.host), NEW_NAME);
	to.key[0] ^= 1;
	e = signal_entry(LAPTOP, &to); /* no admin */
	rogue_order(r, span_of_entry(&e), 0);
	rogue_tell(r, r->n_records - 1);
	sim_pass(m->w, MINUTE);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_str_eq(mlog_server(log_of(&m->node[i]))->host, MESH_SIGNAL);
		ck_assert_str_eq(tunnel_cluster(mesh_tunnel(&m->node[i]))->signal_host,
				 MESH_SIGNAL);
	}
	mesh_reach(m, 5 * SECOND);
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("mesh/move", all_nodes_follow, who_was_off_asks_the_old_server, who_was_off_asks_a_peer,
	  crashes_at_each_step, a_server_that_swallows_the_move, a_server_that_keeps_its_nodes,
	  a_word_moves_nobody)
