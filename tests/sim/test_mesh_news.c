/* SPDX-License-Identifier: MIT */
/*
 * Beacons in a whole mesh: how fresh each log is, and who notices that a server withholds news.
 */
#include "hostile_mesh.h"
#include "membership/beacon.h"
#include "tund/fresh.h"

static struct fresh_status fresh(struct mesh_node *n)
{
	struct fresh_status s;

	tunnel_fresh(mesh_tunnel(n), &s);
	return s;
}

static uint64_t age_s(struct mesh_node *n)
{
	return mesh_wall_s(n) - fresh(n).time_s;
}

static bool is_by(struct mesh_node *n, const char *name)
{
	struct fresh_status s = fresh(n);

	return s.by && strcmp(s.by->name, name) == 0;
}

/* Every node knows when the admin spoke last: soon after a change, and each hour. */
START_TEST(every_node_knows_how_fresh_its_log_is)
{
	struct mesh *m = mesh_of(sim_seed(), 3);
	uint64_t first;
	char *json;

	sim_pass(m->w, 2 * MINUTE); /* one a minute at most: of the last join, then */
	for (size_t i = 0; i < 3; i++)
		MESH_CHECK(m, is_by(&m->node[i], "nas") && age_s(&m->node[i]) < 120);
	first = fresh(PHONE).time_s;
	sim_pass(m->w, 65 * MINUTE);
	for (size_t i = 0; i < 3; i++)
		MESH_CHECK(m, fresh(&m->node[i]).time_s > first && age_s(&m->node[i]) < 3600 &&
				      !fresh(&m->node[i]).unseen_by);
	json = mesh_control(PHONE, CONTROL_STATUS);
	ck_assert_msg(strstr(json, "\"news_by\":\"nas\"") && strstr(json, "\"unseen\":null"), "%s",
		      json);
	free(json);
	/* Nobody signs for an admin that is off. */
	mesh_daemon_crash(NAS);
	sim_pass(m->w, 3 * HOUR);
	MESH_CHECK(m, age_s(LAPTOP) > 2 * 3600 && is_by(LAPTOP, "nas"));
	mesh_free(m);
}
END_TEST

/* The server keeps them in memory: after its restart it has them from any node. */
START_TEST(a_server_hears_them_again)
{
	struct mesh *m = mesh_of(sim_seed(), 3);

	sim_pass(m->w, 2 * MINUTE);
	MESH_CHECK(m, is_by(LAPTOP, "nas"));
	mesh_daemon_crash(NAS);
	mesh_daemon_crash(PHONE);
	mesh_server_crash(m);
	mesh_server_start(m);
	mesh_all_connected(m, MINUTE);
	sim_pass(m->w, 10 * SECOND);
	world_link_cut(m->w, PHONE->host, LAPTOP->host, true);
	mesh_daemon_start(PHONE);
	mesh_all_connected(m, MINUTE);
	sim_pass(m->w, SECOND);
	MESH_CHECK(m, is_by(PHONE, "nas"));
	mesh_free(m);
}
END_TEST

/* What an event with these bytes would be. */
static void say_beacon(struct rogue *r, struct span bytes)
{
	struct signal_event ev = { .type = SIGNAL_EV_BEACON, .beacon = bytes };

	rogue_say(r, &ev);
}

static struct beacon_bytes beacon_of(struct mesh_node *by, uint64_t time_s)
{
	struct identity *id = mesh_identity_of(by);
	struct node_id self = mesh_id_of(by);
	struct beacon_bytes b;

	SIM_CHECK_OK(by->mesh->w,
		     beacon_make(mesh_log_of(by), &self, identity_signer(id), time_s, &b));
	identity_free(id);
	return b;
}

static bool knows_unseen(void *ctx)
{
	return fresh(ctx).unseen_by != NULL;
}

/*
 * The server shows a record to all but one node. That one asks its peers once it hears of the
 * record; if nobody shows it, it says so, until somebody does.
 */
START_TEST(a_withheld_record_is_noticed)
{
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct entry_bytes e = mesh_rename_entry(NAS, LAPTOP, "desk");
	struct beacon_bytes b;
	struct fresh_status s;
	char *json;

	world_link_cut(m->w, PHONE->host, NAS->host, true);
	world_link_cut(m->w, PHONE->host, LAPTOP->host, true);
	sim_pass(m->w, MINUTE);
	r->shows_only[2] = 3;
	rogue_order(r, mesh_span_of_entry(&e), 0);
	rogue_tell(r, 3);
	sim_pass(m->w, 10 * SECOND);
	MESH_CHECK(m, mlog_count(mesh_log_of(NAS)) == 4 && mlog_count(mesh_log_of(PHONE)) == 3);
	b = beacon_of(NAS, mesh_wall_s(NAS) + 60);
	say_beacon(r, span_of(b.data, b.len));
	sim_pass(m->w, 50 * SECOND);
	MESH_CHECK(m, !knows_unseen(PHONE)); /* it may be on its way */
	mesh_until(m, 15 * SECOND, knows_unseen, PHONE);
	s = fresh(PHONE);
	MESH_CHECK(m, s.unseen_seq == 3 && strcmp(s.unseen_by->name, "nas") == 0);
	json = mesh_control(PHONE, CONTROL_STATUS);
	ck_assert_msg(strstr(json, "\"unseen\":{\"record\":3,\"by\":\"nas\""), "%s", json);
	free(json);
	MESH_CHECK(m, !knows_unseen(LAPTOP));

	/* A peer shows the record: all is well, though the server still withholds it. */
	world_link_cut(m->w, PHONE->host, LAPTOP->host, false);
	sim_pass(m->w, 2 * MINUTE);
	MESH_CHECK(m, mlog_count(mesh_log_of(PHONE)) == 4 && !knows_unseen(PHONE));
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

/* Forged, of a plain member, dated ahead, and old ones. */
/* [P2-65] */
START_TEST(bad_beacons_change_nothing)
{
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct beacon_bytes b;
	uint64_t time_s;

	sim_pass(m->w, 2 * MINUTE);
	b = beacon_of(NAS, mesh_wall_s(NAS) + 20);
	say_beacon(r, span_of(b.data, b.len));
	sim_pass(m->w, SECOND);
	time_s = fresh(PHONE).time_s;
	MESH_CHECK(m, time_s == mesh_wall_s(PHONE) + 19);
	b = beacon_of(NAS, mesh_wall_s(NAS) + 60);
	b.data[b.len - 1] ^= 1;
	say_beacon(r, span_of(b.data, b.len));
	b = beacon_of(NAS, mesh_wall_s(NAS) + BEACON_AHEAD_MAX_S + 60);
	say_beacon(r, span_of(b.data, b.len));
	b = beacon_of(LAPTOP, mesh_wall_s(NAS) + 60);
	say_beacon(r, span_of(b.data, b.len));
	b = beacon_of(NAS, mesh_wall_s(NAS) - 3600);
	say_beacon(r, span_of(b.data, b.len));
	say_beacon(r, span_str("x"));
	sim_pass(m->w, 10 * SECOND);
	for (size_t i = 0; i < 3; i++)
		MESH_CHECK(m, fresh(&m->node[i]).time_s == time_s && is_by(&m->node[i], "nas") &&
				      !mesh_has_proof(&m->node[i]));
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/mesh_news", every_node_knows_how_fresh_its_log_is, a_server_hears_them_again,
	  a_withheld_record_is_noticed, bad_beacons_change_nothing)
