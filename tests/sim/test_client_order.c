/* SPDX-License-Identifier: MIT */
/* One entry over a short session of its own, where no daemon has the cluster connected. */
#include "client/govern.h"
#include "client/order.h"
#include "identity/identity.h"
#include "mesh.h"

struct command {
	struct mesh_node *node;
	struct cluster_file file;
	struct identity *identity;
	struct mlog *log;
	const char *rename_to; /* NULL if it leaves */
	struct ordered *order;
	unsigned made;
	bool done;
	struct err err;
};

static int make_entry(void *ctx, const struct head *head, struct entry_bytes *ret, struct err *err)
{
	struct command *c = ctx;
	struct govern g = { .log = c->log,
			    .identity = c->identity,
			    .now_s = (uint64_t)clock_wall_s(c->node->host) };
	const struct member *self;
	int r = govern_self(&g, &self, err);

	(void)head;
	c->made++;
	if (r < 0)
		return r;
	return c->rename_to ? govern_rename(&g, self, c->rename_to, ret, err)
			    : govern_leave(&g, ret, err);
}

static void on_done(void *ctx, const struct err *err)
{
	struct command *c = ctx;

	c->done = true;
	if (err)
		c->err = *err;
}

static bool is_done(void *ctx)
{
	return ((struct command *)ctx)->done;
}

static void begin(struct command *c, struct mesh_node *n, const char *rename_to)
{
	*c = (struct command){ .node = n, .rename_to = rename_to };
	struct order_params p = {
		.cluster = &c->file, .make = make_entry, .done = on_done, .ctx = c
	};

	c->file = mesh_cluster_file(n);
	c->log = mesh_user_log(n);
	SIM_CHECK_OK(n->mesh->w,
		     store_identity(n->host, &n->store, MESH_CLUSTER, &c->identity, NULL));
	p.identity = c->identity;
	p.log = c->log;
	SIM_CHECK_OK(n->mesh->w, order_start(n->host, &p, NULL, &c->order));
}

static void end(struct command *c)
{
	order_free(c->order);
	identity_free(c->identity);
	mlog_free(c->log);
}

/* A mesh of a connected admin and a member whose daemon does not run. */
static struct mesh *mesh_with_one_off(struct mesh_node **ret)
{
	struct mesh *m = mesh_of(sim_seed(), 2);

	mesh_daemon_stop(&m->node[1]);
	*ret = &m->node[1];
	return m;
}

static bool has_left(void *ctx)
{
	struct mesh_node *n = ctx;

	return !roster_by_name(mlog_roster(tunnel_log(mesh_tunnel(n))), span_str("laptop"),
			       ROSTER_CURRENT);
}

START_TEST(leaves_without_a_daemon)
{
	struct mesh_node *laptop;
	struct mesh *m = mesh_with_one_off(&laptop);
	struct command c;

	begin(&c, laptop, NULL);
	mesh_until(m, 5 * SECOND, is_done, &c);
	MESH_CHECK(m, c.err.code == 0);
	MESH_CHECK(m, roster_count(mlog_roster(c.log), ROSTER_CURRENT) == 1);
	mesh_until(m, 2 * SECOND, has_left, &m->node[0]);
	end(&c);
	mesh_free(m);
}
END_TEST

/* The user's files know nothing of what came since: the entry is made on the server's log. */
START_TEST(takes_the_log_first)
{
	struct mesh_node *laptop;
	struct mesh *m = mesh_with_one_off(&laptop);
	struct mesh_node *phone = mesh_node(m, "phone");
	struct command c;

	mesh_adopt(phone, mesh_invite(&m->node[0], 3600));
	begin(&c, laptop, "tablet");
	mesh_until(m, 5 * SECOND, is_done, &c);
	MESH_CHECK(m, c.made == 1);
	MESH_CHECK(m, c.err.reason == REFUSAL_NOT_ALLOWED); /* a plain node */
	MESH_CHECK(m, roster_count(mlog_roster(c.log), ROSTER_CURRENT) == 3);
	MESH_CHECK(m, mesh_server_log(m) == 3);
	end(&c);
	mesh_free(m);
}
END_TEST

START_TEST(gives_up_without_a_server)
{
	struct mesh_node *laptop;
	struct mesh *m = mesh_with_one_off(&laptop);
	struct command c;

	mesh_server_crash(m);
	begin(&c, laptop, NULL);
	mesh_until(m, ORDER_WAIT + SECOND, is_done, &c);
	MESH_CHECK(m, c.made == 0);
	MESH_CHECK(m, c.err.reason == REFUSAL_UNREACHABLE);
	MESH_CHECK(m, strstr(c.err.text, "nothing was changed"));
	end(&c);
	mesh_free(m);
}
END_TEST

/* Killed at any moment: the member is in or out, and the next run ends it. */
START_TEST(killed_at_any_moment)
{
	for (uint64_t after = 0; after <= 100 * MS; after += 20 * MS) {
		struct mesh_node *laptop;
		struct mesh *m = mesh_with_one_off(&laptop);
		struct command c;

		begin(&c, laptop, NULL);
		sim_pass(m->w, after);
		end(&c);
		begin(&c, laptop, NULL);
		mesh_until(m, 11 * SECOND, is_done, &c);
		MESH_CHECK(m, mesh_server_log(m) == 3);
		mesh_until(m, 2 * SECOND, has_left, &m->node[0]);
		end(&c);
		mesh_free(m);
	}
}
END_TEST

UNIT_MAIN("client/order", leaves_without_a_daemon, takes_the_log_first, gives_up_without_a_server,
	  killed_at_any_moment)
