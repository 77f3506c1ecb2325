/* SPDX-License-Identifier: MIT */
/* Removals and renames in a whole mesh: an admin's entry, and what every machine does then. */
#include "identity/identity.h"
#include "membership/deny.h"
#include "membership/entry.h"
#include "mesh.h"
#include "tund/peers.h"

struct ordered {
	struct mesh_node *by;
	struct entry entry;
	struct identity *id;
	bool done;
	int code;
};

static int make(void *ctx, const struct head *head, struct entry_bytes *ret, struct err *err)
{
	struct ordered *o = ctx;
	struct tunnel *t = mesh_tunnel(o->by);
	const struct signer self = *identity_signer(o->id);

	o->entry.base = *head;
	o->entry.time_s = (uint64_t)clock_wall_s(o->by->host);
	o->entry.author = identity_node_id(o->id);
	return entry_make(&o->entry, tunnel_cluster(t)->cluster_id, &self, NULL, ret, err);
}

static void on_done(void *ctx, const struct err *err)
{
	struct ordered *o = ctx;

	o->done = true;
	o->code = err ? err->code : 0;
}

static bool is_done(void *ctx)
{
	return ((struct ordered *)ctx)->done;
}

/* The entry is in the log of the node that made it when this returns. */
static void order(struct mesh_node *by, const struct entry *e)
{
	struct ordered o = { .by = by, .entry = *e };
	struct mesh *m = by->mesh;
	struct err err = { 0 };

	SIM_CHECK_OK(m->w, store_identity(by->host, &by->store, m->cluster, &o.id, &err));
	SIM_CHECK_OK(m->w,
		     session_append(tunnel_session(mesh_tunnel(by)), make, on_done, &o, &err));
	mesh_until(m, 5 * SECOND, is_done, &o);
	ck_assert_int_eq(o.code, 0);
	identity_free(o.id);
}

static const struct member *member_at(struct mesh_node *at, const struct mesh_node *of)
{
	return roster_by_address(mlog_roster(tunnel_log(mesh_tunnel(at))), of->address, ROSTER_ALL);
}

static void remove_node(struct mesh_node *by, struct mesh_node *whom)
{
	struct entry e = { .type = ENTRY_REMOVE };

	e.remove.id[e.remove.n++] = member_at(by, whom)->id;
	order(by, &e);
}

static bool has_left(void *ctx)
{
	struct mesh_node *n = ctx;

	return mesh_tunnel(n) && tunnel_left(mesh_tunnel(n));
}

static void check_name(struct mesh_node *at, const char *name, const struct mesh_node *of)
{
	unsigned rcode = 99;
	ip4 a = 0;
	int n = mesh_dns(at, name, &a, &rcode);

	if (!of) {
		MESH_CHECK(at->mesh, n == 0 && rcode == 3);
		return;
	}
	MESH_CHECK(at->mesh, n == 1 && rcode == 0 && a == of->address);
}

static void check_gone(struct mesh_node *at, struct mesh_node *gone)
{
	const struct member *m = member_at(at, gone);
	struct overlay *o = tunnel_overlay(mesh_tunnel(at));
	struct peer_status s;

	MESH_CHECK(at->mesh, m && !member_is_current(m));
	MESH_CHECK(at->mesh, !overlay_peer_status(o, m, &s));
	MESH_CHECK(at->mesh, !overlay_routes_to(o, m));
	MESH_CHECK(at->mesh,
		   !world_has_route(at->daemon_host, (struct prefix4){ gone->address, 32 },
				    overlay_ifindex(o)));
	check_name(at, "phone.homelab", NULL);
}

/* It knows from the log, says by whom, and has given the host back what it had. */
static void check_is_out(struct mesh_node *n, const char *sentence)
{
	struct addr own = addr_v4(n->address, 0);

	mesh_until(n->mesh, 30 * SECOND, has_left, n);
	MESH_CHECK(n->mesh, tunnel_state_get(mesh_tunnel(n)) == TUNNEL_STOPPED);
	ck_assert_msg(strstr(tunnel_failure(mesh_tunnel(n)), sentence), "%s",
		      tunnel_failure(mesh_tunnel(n)));
	MESH_CHECK(n->mesh, world_routes(n->daemon_host, NULL, 0) == 0);
	MESH_CHECK(n->mesh, !world_has_addr(n->daemon_host, &own));
}

/* The file of addresses for the next start. */
static void check_not_kept(struct mesh_node *at, struct mesh_node *gone)
{
	const struct cluster_file *f = tunnel_cluster(mesh_tunnel(at));
	struct peers_file *kept = NULL;
	struct err err = { 0 };

	SIM_CHECK_OK(at->mesh->w, peers_file_load(at->daemon_host, DAEMON_STATE_DIR, f->cluster,
						  f->cluster_id, &err, &kept));
	MESH_CHECK(at->mesh, kept->n == 1);
	for (size_t i = 0; i < kept->n; i++)
		MESH_CHECK(at->mesh, !node_id_equal(&kept->peer[i].id, &member_at(at, gone)->id));
	free(kept);
}

START_TEST(a_removed_node_is_out_at_once_everywhere)
{
	for (unsigned relayed = 0; relayed < 2; relayed++) {
		struct mesh *m = mesh_of(sim_seed(), 3);
		struct mesh_node *nas = &m->node[0], *laptop = &m->node[1], *phone = &m->node[2];
		uint32_t taken;

		mesh_reach(m, 5 * SECOND);
		if (!relayed)
			mesh_direct(m, 10 * SECOND);
		if (relayed) {
			world_link_cut(m->w, phone->daemon_host, nas->daemon_host, true);
			world_link_cut(m->w, phone->daemon_host, laptop->daemon_host, true);
			sim_pass(m->w, 5 * SECOND);
			MESH_CHECK(m, mesh_peer(nas, phone).path == PEER_PATH_RELAY);
		}
		remove_node(nas, phone);
		check_gone(nas, phone);
		uint64_t since = world_now(m->w);
		uint64_t last = mesh_last_taken(phone, nas, laptop, 30 * SECOND, 10 * MS);

		last = MAX(since, last);
		printf("%s: the last packet of the removed node was taken after %llu ms\n",
		       relayed ? "relay" : "direct", (unsigned long long)((last - since) / MS));
		ck_assert_uint_le(last - since, 100 * MS);
		check_gone(nas, phone);
		check_gone(laptop, phone);
		check_is_out(phone, "nas removed phone on ");
		MESH_CHECK(m, mesh_peer(nas, laptop).state == PEER_UP);
		MESH_CHECK(m, mesh_server_sessions(m) <= 3);
		check_not_kept(nas, phone);
		check_not_kept(laptop, phone);
		/* Nor after restarts of all of them. */
		for (unsigned i = 0; i < 3; i++) {
			mesh_daemon_crash(&m->node[i]);
			mesh_daemon_start(&m->node[i]);
		}
		mesh_until(m, 10 * SECOND, has_left, phone);
		taken = mesh_taken_from(m, phone);
		for (unsigned i = 0; i < 60; i++) {
			mesh_ping(phone, nas);
			mesh_ping(nas, phone);
			sim_pass(m->w, SECOND);
		}
		ck_assert_uint_eq(mesh_taken_from(m, phone), taken);
		check_gone(nas, phone);
		check_is_out(phone, "nas removed phone on ");
		MESH_CHECK(m, mesh_peer(nas, laptop).state == PEER_UP);
		mesh_free(m);
	}
}
END_TEST

/* The server is down, or swallows it. The nodes that talk to each other deny its target. */
/* [P2-60] */
static void removal_without_order(uint64_t seed)
{
	struct mesh *m = mesh_of(seed, 3);
	struct mesh_node *nas = &m->node[0], *laptop = &m->node[1], *phone = &m->node[2];
	struct ordered o = { .by = nas, .entry.type = ENTRY_REMOVE };
	struct entry_bytes b;
	struct err err = { 0 };
	struct peer_status s;
	uint32_t taken;

	mesh_direct(m, 10 * SECOND);
	mesh_server_crash(m);
	struct head head = mlog_head(tunnel_log(mesh_tunnel(nas)));
	o.entry.remove.id[o.entry.remove.n++] = member_at(nas, phone)->id;
	SIM_CHECK_OK(m->w, store_identity(nas->host, &nas->store, m->cluster, &o.id, &err));
	SIM_CHECK_OK(m->w, make(&o, &head, &b, &err));
	ck_assert_int_eq(tunnel_deny(mesh_tunnel(nas), span_of(b.data, b.len), &err), 1);
	ck_assert_int_eq(tunnel_deny(mesh_tunnel(nas), span_of(b.data, b.len), &err), 0);
	check_name(nas, "phone.homelab", NULL);
	sim_pass(m->w, 20 * MS); /* to the others */
	check_name(laptop, "phone.homelab", NULL);
	sim_pass(m->w, 20 * MS);
	taken = mesh_taken_from(m, phone);
	for (unsigned i = 0; i < 600; i++) {
		mesh_ping(phone, nas);
		mesh_ping(phone, laptop);
		mesh_ping(nas, phone);
		sim_pass(m->w, 100 * MS);
	}
	ck_assert_uint_eq(mesh_taken_from(m, phone), taken);
	MESH_CHECK(m, !overlay_peer_status(tunnel_overlay(mesh_tunnel(nas)), member_at(nas, phone),
					   &s));
	MESH_CHECK(m, !overlay_routes_to(tunnel_overlay(mesh_tunnel(laptop)),
					 member_at(laptop, phone)));
	MESH_CHECK(m, mesh_peer(nas, laptop).state == PEER_UP);
	char *status = mesh_control(nas, CONTROL_STATUS);
	ck_assert_msg(strstr(status, "\"removals_waiting\":[{\"name\":\"phone\",\"by\":\"nas\","),
		      "%s", status);
	free(status);
	/* Nor after a restart of a node that holds it. */
	mesh_daemon_crash(laptop);
	mesh_daemon_start(laptop);
	sim_pass(m->w, 10 * SECOND);
	MESH_CHECK(m, !overlay_routes_to(tunnel_overlay(mesh_tunnel(laptop)),
					 member_at(laptop, phone)));
	check_name(laptop, "phone.homelab", NULL);
	/* Another node than its author has it ordered, once there is a server. */
	mesh_daemon_stop(nas);
	mesh_daemon_crash(laptop);
	mesh_daemon_start(laptop); /* of the file alone */
	MESH_CHECK(m, denials_count(tunnel_denials(mesh_tunnel(laptop))) == 1);
	mesh_server_start(m);
	check_is_out(phone, "nas removed phone on ");
	sim_pass(m->w, SECOND);
	check_gone(laptop, phone);
	mesh_daemon_start(nas);
	sim_pass(m->w, 10 * SECOND);
	check_gone(nas, phone);
	identity_free(o.id);
	mesh_free(m);
}

START_TEST(a_removal_without_order_denies)
{
	removal_without_order(sim_seed());
}
END_TEST

/* With this seed the server puts the removal into the log between the phone's session and its
 * subscribe, which it then refuses: the phone asks again at once. */
START_TEST(a_removal_between_session_and_subscribe_is_heard)
{
	removal_without_order(5);
}
END_TEST

START_TEST(a_node_that_leaves_by_itself_is_out_as_well)
{
	struct mesh *m = mesh_of(sim_seed(), 3);
	struct mesh_node *phone = &m->node[2];
	struct entry e = { .type = ENTRY_REMOVE };

	mesh_reach(m, 5 * SECOND);
	e.remove.id[e.remove.n++] = member_at(phone, phone)->id;
	order(phone, &e);
	check_is_out(phone, "phone left on ");
	sim_pass(m->w, 2 * SECOND);
	for (unsigned i = 0; i < 2; i++)
		check_gone(&m->node[i], phone);
	mesh_free(m);
}
END_TEST

/* It was off, and learns of it when it is switched on. */
START_TEST(a_node_that_was_off_learns_that_it_is_out)
{
	struct mesh *m = mesh_of(sim_seed(), 3);
	struct mesh_node *phone = &m->node[2];

	mesh_reach(m, 5 * SECOND);
	mesh_daemon_stop(phone);
	remove_node(&m->node[0], phone);
	sim_pass(m->w, MINUTE);
	mesh_daemon_start(phone);
	check_is_out(phone, "nas removed phone on ");
	mesh_free(m);
}
END_TEST

struct asking {
	struct mesh *m;
	uint64_t before;
};

static uint64_t asked(struct mesh *m)
{
	return world_link_stats(m->w, m->node[1].daemon_host, m->server_host).sent;
}

static bool asks(void *ctx)
{
	struct asking *a = ctx;

	return asked(a->m) > a->before;
}

/* A recovery might bring it back. It asks forever, so it asks seldom: 21 to 24 hours apart. */
START_TEST(a_node_that_is_out_asks_once_a_day)
{
	struct mesh *m = mesh_of(sim_seed(), 2);
	struct mesh_node *laptop = &m->node[1];
	struct asking a = { .m = m };

	mesh_reach(m, 5 * SECOND);
	remove_node(&m->node[0], laptop);
	check_is_out(laptop, "nas removed laptop on ");
	for (unsigned day = 0; day < 2; day++) {
		sim_pass(m->w, MINUTE); /* for the end of the connection */
		a.before = asked(m);
		sim_pass(m->w, 20 * HOUR);
		ck_assert_uint_eq(asked(m), a.before);
		SIM_CHECK(m->w, world_run(m->w, 5 * HOUR, asks, &a));
		sim_pass(m->w, HOUR / 2);
		ck_assert_uint_lt(asked(m), a.before + 100);
	}
	check_is_out(laptop, "nas removed laptop on ");
	mesh_free(m);
}
END_TEST

START_TEST(names_follow_a_rename_and_tunnels_stay)
{
	struct mesh *m = mesh_of(sim_seed(), 3);
	struct mesh_node *nas = &m->node[0], *phone = &m->node[2];
	struct entry e = { .type = ENTRY_RENAME };
	uint64_t up[3];

	mesh_reach(m, 5 * SECOND);
	for (unsigned i = 0; i < 2; i++)
		up[i] = mesh_peer(&m->node[i], phone).up_since;
	e.rename.id = member_at(nas, phone)->id;
	strcpy(e.rename.name, "tablet");
	order(nas, &e);
	check_name(nas, "phone.homelab", NULL);
	check_name(nas, "tablet.homelab", phone);
	sim_pass(m->w, 100 * MS);
	for (unsigned i = 0; i < 3; i++) {
		check_name(&m->node[i], "phone.homelab", NULL);
		check_name(&m->node[i], "tablet.homelab", phone);
	}
	sim_pass(m->w, 5 * SECOND);
	for (unsigned i = 0; i < 2; i++)
		MESH_CHECK(m, mesh_peer(&m->node[i], phone).up_since == up[i]);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/mesh_removal", a_removed_node_is_out_at_once_everywhere,
	  a_removal_without_order_denies, a_removal_between_session_and_subscribe_is_heard,
	  a_node_that_leaves_by_itself_is_out_as_well, a_node_that_was_off_learns_that_it_is_out,
	  a_node_that_is_out_asks_once_a_day, names_follow_a_rename_and_tunnels_stay)
