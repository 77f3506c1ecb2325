/* SPDX-License-Identifier: MIT */
/*
 * Removals that wait for their order in a whole mesh: whatever the server does, nothing of the
 * denied node is good for anything at nodes that talk to each other, and whoever is denied no more
 * is back by itself.
 */
#include "hostile_mesh.h"
#include "membership/deny.h"
#include "os/file.h"
#include "tund/removals.h"

static const struct member *member_at(struct mesh_node *at, struct mesh_node *of)
{
	return roster_by_address(mlog_roster(mesh_log_of(at)), of->address, ROSTER_ALL);
}

static bool denies(struct mesh_node *at, struct mesh_node *of)
{
	struct node_id id = mesh_id_of(of);

	return denials_denied(tunnel_denials(mesh_tunnel(at)), &id);
}

static void deny(struct mesh_node *at, const struct entry_bytes *b)
{
	struct err err = { 0 };
	int rc = tunnel_deny(mesh_tunnel(at), mesh_span_of_entry(b), &err);

	ck_assert_msg(rc == 1, "%d %s", rc, err.text);
}

/* It says why there is no answer. */
static void check_ping_refused(struct mesh_node *at, const char *node)
{
	const struct member *who;
	struct err err = { 0 };

	ck_assert_int_eq(tunnel_find_node(mesh_tunnel(at), node, &err, &who), -EACCES);
	ck_assert_ptr_nonnull(strstr(err.text, "waits for the server"));
}

/* It has no tunnel, route, name or relay at `at`. */
static void check_denied(struct mesh_node *at, struct mesh_node *of)
{
	struct overlay *o = tunnel_overlay(mesh_tunnel(at));
	const struct member *who = member_at(at, of);
	char name[2 * LABEL_MAX + 2];
	struct peer_status s;
	unsigned rcode = 99;
	uint64_t nonce;
	ip4 a = 0;

	MESH_CHECK(at->mesh, denies(at, of) && member_is_current(who));
	MESH_CHECK(at->mesh, !overlay_peer_status(o, who, &s) && !overlay_routes_to(o, who));
	MESH_CHECK(at->mesh, overlay_ping(o, who, &nonce) == -ENOENT);
	MESH_CHECK(at->mesh, !world_has_route(at->daemon_host, (struct prefix4){ of->address, 32 },
					      overlay_ifindex(o)));
	snprintf(name, sizeof(name), "%s." MESH_CLUSTER, of->name);
	MESH_CHECK(at->mesh, mesh_dns(at, name, &a, &rcode) == 0 && rcode == 3);
}

/* The denied one tries for so long to reach the others, and is heard by nobody. */
static void check_unheard(struct mesh *m, struct mesh_node *denied, uint64_t for_ns)
{
	uint32_t taken = mesh_taken_from(m, denied);

	for (uint64_t at = 0; at < for_ns; at += 200 * MS) {
		for (unsigned i = 0; i < m->n_nodes; i++) {
			if (&m->node[i] == denied)
				continue;
			mesh_ping(denied, &m->node[i]);
			mesh_ping(&m->node[i], denied);
		}
		sim_pass(m->w, 200 * MS);
	}
	ck_assert_uint_eq(mesh_taken_from(m, denied), taken);
}

static bool is_up(struct mesh_node *at, struct mesh_node *of)
{
	return mesh_peer(at, of).state == PEER_UP;
}

static void check_status(struct mesh_node *at, enum control_verb verb, const char *text)
{
	struct control_request r = { .verb = verb };
	char *json;

	snprintf(r.cluster, sizeof(r.cluster), MESH_CLUSTER);
	json = mesh_control_request(at, &r);
	ck_assert_msg(strstr(json, text), "no %s in %s", text, json);
	free(json);
}

/* --- whatever the server does ----------------------------------------------------------------- */

/* [P2-56] */
START_TEST(a_server_that_swallows_removals_keeps_nobody_in)
{
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct entry_bytes b = mesh_remove_entry(NAS, PHONE);
	uint64_t since = world_now(m->w), last;

	r->swallows = true;
	deny(NAS, &b);
	check_denied(NAS, PHONE);
	last = mesh_last_taken(PHONE, NAS, LAPTOP, 10 * SECOND, 5 * MS);
	last = MAX(since, last);
	printf("the last packet of the denied node was taken after %llu ms\n",
	       (unsigned long long)((last - since) / MS));
	ck_assert_uint_le(last - since, 2 * SECOND);
	check_denied(LAPTOP, PHONE);
	check_ping_refused(LAPTOP, "phone");
	check_unheard(m, PHONE, MINUTE);
	MESH_CHECK(m, is_up(NAS, LAPTOP) && is_up(LAPTOP, NAS));
	MESH_CHECK(m, denies(PHONE, PHONE)); /* it knows, and by whom */
	check_status(PHONE, CONTROL_STATUS, "\"by\":\"nas\"");
	check_status(LAPTOP, CONTROL_NODES, "\"denied\":true");
	/* It ends few sessions by not answering, though all three ask. */
	size_t sessions = r->sessions;
	sim_pass(m->w, HOUR);
	printf("%zu sessions in an hour\n", r->sessions - sessions);
	ck_assert_uint_le(r->sessions - sessions, (size_t)3 * 10);
	check_denied(LAPTOP, PHONE);
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

/* It says yes, and shows a log without it: it is asked again, ever more rarely. */
START_TEST(a_server_that_only_says_yes_is_shown)
{
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct entry_bytes b = mesh_remove_entry(NAS, PHONE);
	size_t sessions = r->sessions, asked;

	r->only_says_yes = true;
	deny(NAS, &b);
	sim_pass(m->w, 10 * SECOND);
	check_denied(LAPTOP, PHONE);
	check_status(NAS, CONTROL_STATUS, "does not show it in the log");
	asked = r->appends;
	ck_assert_uint_ge(asked, 3); /* its author and the other holders */
	sim_pass(m->w, HOUR);
	printf("asked %zu times at once, %zu times in an hour\n", asked, r->appends - asked);
	ck_assert_uint_gt(r->appends, asked);
	ck_assert_uint_le(r->appends, 14 * asked);
	ck_assert_uint_eq(r->sessions, sessions);
	check_denied(LAPTOP, PHONE);
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

/* What the server shows denies as what a peer shows; records that are missing are fetched first. */
/* [P3-79] */
START_TEST(the_server_passes_on_what_it_cannot_order)
{
	struct signal_event ev = { .type = SIGNAL_EV_REMOVAL };
	struct entry_bytes b, first;
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);

	for (unsigned i = 1; i < 3; i++) {
		world_link_cut(m->w, NAS->daemon_host, m->node[i].daemon_host, true);
		r->shows_only[i] = 3;
	}
	r->swallows = true;
	first = mesh_rename_entry(NAS, LAPTOP, "desk");
	rogue_order(r, mesh_span_of_entry(&first), 0);
	rogue_tell(r, 3);
	mesh_await_records(NAS, 4, SECOND);
	ck_assert_uint_eq(mlog_count(mesh_log_of(LAPTOP)), 3);
	b = mesh_remove_entry(NAS, PHONE);
	ev.removal = mesh_span_of_entry(&b);
	rogue_say(r, &ev);
	sim_pass(m->w, SECOND);
	MESH_CHECK(m, !denies(LAPTOP, PHONE)); /* nobody shows it the base */
	r->shows_only[1] = 0;
	rogue_tell(r, 3);
	mesh_await_records(LAPTOP, 4, SECOND);
	check_denied(LAPTOP, PHONE);
	/* It comes with the base in one breath. */
	r->shows_only[2] = 0;
	rogue_say(r, &ev);
	sim_pass(m->w, SECOND);
	MESH_CHECK(m, denies(PHONE, PHONE));
	ck_assert_uint_eq(mlog_count(mesh_log_of(PHONE)), 4);
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

/* --- the end of it ---------------------------------------------------------------------------- */

static bool all_reach(void *ctx)
{
	struct mesh *m = ctx;

	return is_up(NAS, PHONE) && is_up(LAPTOP, PHONE) && is_up(PHONE, NAS) &&
	       is_up(PHONE, LAPTOP);
}

START_TEST(a_cancel_brings_it_back_without_a_restart)
{
	struct entry c = { .type = ENTRY_CANCEL, .cancel.what = CANCEL_REMOVAL };
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct entry_bytes b = mesh_remove_entry(NAS, PHONE), cancel;
	struct entry e;

	r->swallows = true;
	deny(NAS, &b);
	sim_pass(m->w, 20 * SECOND);
	check_denied(LAPTOP, PHONE);
	ck_assert_int_eq(entry_decode(mesh_span_of_entry(&b), &e, NULL), 0);
	memcpy(c.cancel.hash, e.payload_hash, HASH_LEN);
	cancel = mesh_signed_by(NAS, c);
	rogue_order(r, mesh_span_of_entry(&cancel), 0);
	mesh_until(m, MINUTE, mesh_all_listen, r);
	rogue_tell(r, 3);
	mesh_await_records(LAPTOP, 4, 5 * SECOND);
	mesh_await_records(NAS, 4, 5 * SECOND);
	MESH_CHECK(m, !denies(NAS, PHONE) && !denies(LAPTOP, PHONE));
	uint64_t since = world_now(m->w);
	mesh_until(m, 20 * SECOND, all_reach, m);
	printf("back after %llu ms\n", (unsigned long long)((world_now(m->w) - since) / MS));
	mesh_reach(m, SECOND);
	/* Nor does the same removal deny again, whoever shows it. */
	ck_assert_int_lt(tunnel_deny(mesh_tunnel(LAPTOP), mesh_span_of_entry(&b), NULL), 0);
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

/* --- over a restart --------------------------------------------------------------------------- */

static void damage(struct mesh_node *n, const char *path)
{
	struct buf b = { 0 };
	struct err err = { 0 };

	SIM_CHECK_OK(n->mesh->w, file_read(n->daemon_host, path, REMOVALS_FILE_MAX, &err, &b));
	((uint8_t *)b.data)[b.len / 2] ^= 1;
	SIM_CHECK_OK(n->mesh->w, file_write(n->daemon_host, path, b.data, b.len, 0600, &err));
	buf_free(&b);
}

/* What the file lost, peers show again. The target itself knows after a restart, too. */
/* [P2-56] */
START_TEST(it_survives_a_restart_and_a_damaged_file)
{
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct entry_bytes b = mesh_remove_entry(NAS, PHONE);
	char path[STORE_PATH_MAX];

	r->swallows = true;
	deny(NAS, &b);
	mesh_daemon_crash(NAS); /* it was written before anybody heard of it */
	mesh_daemon_start(NAS);
	MESH_CHECK(m, denies(NAS, PHONE));
	sim_pass(m->w, 10 * SECOND);
	check_denied(LAPTOP, PHONE);
	snprintf(path, sizeof(path), "%s/" MESH_CLUSTER REMOVALS_SUFFIX, DAEMON_STATE_DIR);
	damage(LAPTOP, path);
	mesh_daemon_crash(LAPTOP);
	mesh_daemon_start(LAPTOP);
	MESH_CHECK(m, !denies(LAPTOP, PHONE));
	sim_pass(m->w, 10 * SECOND);
	check_denied(LAPTOP, PHONE);
	for (unsigned i = 0; i < 3; i++) {
		mesh_daemon_crash(&m->node[i]);
		mesh_daemon_start(&m->node[i]);
	}
	for (unsigned i = 0; i < 3; i++)
		MESH_CHECK(m, denies(&m->node[i], PHONE));
	check_unheard(m, PHONE, 30 * SECOND);
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

/* --- two admins ------------------------------------------------------------------------------- */

static bool one_is_out(void *ctx)
{
	struct mesh *m = ctx;

	return tunnel_left(mesh_tunnel(NAS)) != tunnel_left(mesh_tunnel(LAPTOP));
}

/* Both are denied, by each other and by all, until the order decides. */
START_TEST(two_admins_that_remove_each_other)
{
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct entry p = { .type = ENTRY_PROMOTE, .promote.id = mesh_id_of(LAPTOP) };
	struct entry_bytes b, by_nas, by_laptop;

	memcpy(p.promote.key_sha256, member_at(NAS, LAPTOP)->key_sha256, HASH_LEN);
	b = mesh_signed_by(NAS, p);
	rogue_order(r, mesh_span_of_entry(&b), 0);
	rogue_tell(r, 3);
	for (unsigned i = 0; i < 3; i++)
		mesh_await_records(&m->node[i], 4, 5 * SECOND);
	r->swallows = true;
	by_nas = mesh_remove_entry(NAS, LAPTOP);
	by_laptop = mesh_remove_entry(LAPTOP, NAS);
	deny(NAS, &by_nas);
	deny(LAPTOP, &by_laptop);
	sim_pass(m->w, 2 * SECOND);
	for (unsigned i = 0; i < 2; i++) {
		check_denied(PHONE, &m->node[i]);
		check_denied(&m->node[1 - i], &m->node[i]);
	}
	/* The connections for the log carry both. */
	sim_pass(m->w, MINUTE);
	for (unsigned i = 0; i < 3; i++)
		MESH_CHECK(m, denies(&m->node[i], NAS) && denies(&m->node[i], LAPTOP));
	check_unheard(m, NAS, 5 * SECOND);
	check_unheard(m, LAPTOP, 5 * SECOND);
	rogue_stop(r);
	/* An honest server gets the log from whoever comes first, and what waits. */
	mesh_server_start(m);
	mesh_until(m, 2 * MINUTE, one_is_out, m);
	struct mesh_node *stays = tunnel_left(mesh_tunnel(NAS)) ? LAPTOP : NAS;
	for (uint64_t i = 0; i < 60 && !(is_up(stays, PHONE) && is_up(PHONE, stays)); i++)
		sim_pass(m->w, SECOND);
	MESH_CHECK(m, is_up(stays, PHONE) && is_up(PHONE, stays));
	MESH_CHECK(m, denials_count(tunnel_denials(mesh_tunnel(PHONE))) == 0);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/mesh_denial", a_server_that_swallows_removals_keeps_nobody_in,
	  a_server_that_only_says_yes_is_shown, the_server_passes_on_what_it_cannot_order,
	  a_cancel_brings_it_back_without_a_restart, it_survives_a_restart_and_a_damaged_file,
	  two_admins_that_remove_each_other)
