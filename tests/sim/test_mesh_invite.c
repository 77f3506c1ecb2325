/* SPDX-License-Identifier: MIT */
/* Invites: used once, in time, by whoever holds them, and never otherwise. */
#include "identity/identity.h"
#include "mesh.h"

/* After a refusal nothing is left on the machine. */
static void expect_untouched(struct mesh_node *n)
{
	struct mesh *m = n->mesh;

	MESH_CHECK(m,
		   !file_exists(n->host, "/root/.config/mlsh/identity/" MESH_CLUSTER "/key.pem"));
	MESH_CHECK(m,
		   !file_exists(n->host, "/root/.config/mlsh/identity/" MESH_CLUSTER "/cert.pem"));
	MESH_CHECK(m, !store_has_cluster(n->host, &n->store, MESH_CLUSTER));
	MESH_CHECK(m, !file_exists(n->host,
				   "/root/.config/mlsh/clusters/" MESH_CLUSTER STORE_PENDING));
}

static void expect_refused(struct mesh_node *n, const struct invite_url *url, enum refusal why)
{
	struct mesh *m = n->mesh;
	struct err err;

	MESH_CHECK(m, mesh_try_adopt(n, *url, &err) < 0);
	if (err.reason != (int)why) {
		world_dump(m->w);
		ck_abort_msg("%s instead of %s: %s", refusal_name(err.reason), refusal_name(why),
			     err.text);
	}
	expect_untouched(n);
}

/* Two machines, the second one `later` than the first. */
static void use_twice(uint64_t later)
{
	struct mesh *m = mesh_of(sim_seed(), 1);
	struct mesh_node *a = mesh_node(m, "laptop"), *b = mesh_node(m, "phone");
	struct invite_url url = mesh_invite(&m->node[0], 3600);
	struct mesh_join ja, jb;
	const struct mesh_join *loser;
	int ra, rb;

	mesh_adopt_start(a, &url, &ja);
	sim_pass(m->w, later);
	mesh_adopt_start(b, &url, &jb);
	ra = mesh_join_finish(&ja);
	rb = mesh_join_finish(&jb);
	MESH_CHECK(m, (ra == 0) != (rb == 0));
	loser = ra == 0 ? &jb : &ja;
	MESH_CHECK(m, loser->err.reason == REFUSAL_INVITE_USED);
	expect_untouched(loser->node);
	MESH_CHECK(m, mesh_server_log(m) == 2);
	mesh_connect(ra == 0 ? a : b);
	mesh_reach(m, 5 * SECOND);
	mesh_free(m);
}

START_TEST(used_twice_at_the_same_moment)
{
	for (uint64_t later = 0; later <= 60 * MS; later += 5 * MS)
		use_twice(later);
}
END_TEST

/* Two invites, used at the same moment: both are members, one after the other. */
START_TEST(two_join_at_the_same_moment)
{
	struct mesh *m = mesh_of(sim_seed(), 1);
	struct mesh_join j[6];

	for (size_t i = 0; i < ARRAY_LEN(j); i++) {
		struct invite_url url = mesh_invite(&m->node[0], 3600);

		mesh_nodes(m, i + 2);
		mesh_adopt_start(&m->node[i + 1], &url, &j[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(j); i++) {
		if (mesh_join_finish(&j[i]) < 0) {
			world_dump(m->w);
			ck_abort_msg("%s: %s", m->node[i + 1].name, j[i].err.text);
		}
		mesh_connect(&m->node[i + 1]);
	}
	MESH_CHECK(m, mesh_server_log(m) == 7);
	for (size_t i = 0; i < 7; i++) {
		for (size_t k = 0; k < i; k++)
			MESH_CHECK(m, m->node[i].address != m->node[k].address);
		MESH_CHECK(m, m->node[i].address <= IP(100, 64, 0, 7));
	}
	mesh_reach(m, 10 * SECOND);
	mesh_free(m);
}
END_TEST

/* It leaves no record in the log, and nothing in the sponsor's list. */
START_TEST(expired)
{
	struct mesh *m = mesh_of(sim_seed(), 2);
	struct invite_url url = mesh_invite(&m->node[0], 60);
	struct mesh_node *late = mesh_node(m, "late");

	sim_pass(m->w, 61 * SECOND);
	expect_refused(late, &url, REFUSAL_INVITE_EXPIRED);
	/* the joiner's clock says nothing about it */
	world_host_wall_skew(late->host, -300);
	expect_refused(late, &url, REFUSAL_INVITE_EXPIRED);
	/* nor does the server's, once the log has gone on */
	mesh_adopt(mesh_node(m, "phone"), mesh_invite(&m->node[0], 3600));
	world_host_wall_skew(m->server_host, -300);
	expect_refused(late, &url, REFUSAL_INVITE_EXPIRED);
	world_host_wall_skew(m->server_host, 0);
	sim_pass(m->w, 3 * HOUR);
	MESH_CHECK(m, mesh_server_log(m) == 3);
	MESH_CHECK(m, tunnel_invites(mesh_tunnel(&m->node[0]))->n == 0);
	mesh_free(m);
}
END_TEST

/* --- replacing -------------------------------------------------------------------------------- */

/* A machine is installed again: it gets its name and its address, and all reach it there. */
START_TEST(replaced)
{
	struct mesh *m = mesh_of(sim_seed(), 3);
	struct mesh_node *nas = &m->node[0], *again = mesh_node(m, "new");
	ip4 address = m->node[2].address;
	struct invite_params wish = { .ttl_s = 3600, .replace = m->node[2].name };
	struct invite_url url = mesh_invite_wish(nas, &wish, false);

	mesh_reach(m, 10 * SECOND);
	mesh_daemon_crash(&m->node[2]);
	memcpy(again->name, m->node[2].name, sizeof(again->name));
	mesh_adopt(again, url);
	MESH_CHECK(m, again->address == address);
	mesh_connect(again);
	mesh_reach(m, 10 * SECOND);
	MESH_CHECK(m, mesh_server_log(m) == 4);
	expect_refused(mesh_node(m, "later"), &url, REFUSAL_NAME_BAD);
	mesh_free(m);
}
END_TEST

/* --- admins ----------------------------------------------------------------------------------- */

static const struct invite_params admin_wish = { .ttl_s = 3600, .role = ROLE_ADMIN };

static bool laptop_is_admin(void *ctx)
{
	struct mesh *m = ctx;

	for (size_t i = 0; i < 2; i++) {
		const struct mlog *l = tunnel_log(mesh_tunnel(&m->node[i]));
		const struct member *x = roster_by_name(mlog_roster(l), span_str("laptop"),
							ROSTER_CURRENT);

		if (!x || x->role != ROLE_ADMIN)
			return false;
	}
	return true;
}

/* The sponsor has agreed in advance: its daemon promotes the node, once, also after a crash. */
static void promotes(bool crash)
{
	struct mesh *m = mesh_of(sim_seed(), 1);
	struct mesh_node *nas = &m->node[0], *laptop = mesh_node(m, "laptop");
	struct invite_url url = mesh_invite_wish(nas, &admin_wish, true);

	if (crash)
		mesh_daemon_crash(nas);
	mesh_adopt(laptop, url);
	mesh_connect(laptop);
	if (crash) {
		sim_pass(m->w, 30 * SECOND);
		mesh_daemon_start(nas);
	}
	mesh_until(m, 30 * SECOND, laptop_is_admin, m);
	sim_pass(m->w, 5 * MINUTE);
	MESH_CHECK(m, mesh_server_log(m) == 3);
	MESH_CHECK(m, tunnel_invites(mesh_tunnel(nas))->n == 0);
	mesh_free(m);
}

START_TEST(promotes_by_itself)
{
	promotes(false);
	promotes(true);
}
END_TEST

/* Otherwise a person does, whom the status tells. */
START_TEST(promotes_nobody_unasked)
{
	struct mesh *m = mesh_of(sim_seed(), 1);
	struct mesh_node *nas = &m->node[0], *laptop = mesh_node(m, "laptop");
	char *json;

	mesh_adopt(laptop, mesh_invite_wish(nas, &admin_wish, false));
	mesh_connect(laptop);
	sim_pass(m->w, 5 * MINUTE);
	MESH_CHECK(m, mesh_server_log(m) == 2);
	json = mesh_control(nas, CONTROL_STATUS);
	MESH_CHECK(m, strstr(json, "\"promotions\":[\"laptop\"]"));
	free(json);
	mesh_free(m);
}
END_TEST

START_TEST(refused_for_good_reasons)
{
	struct mesh *m = mesh_of(sim_seed(), 2);
	struct mesh_node *nas = &m->node[0], *late = mesh_node(m, "late");
	struct invite_url url = mesh_invite(nas, 3600), bad = url;

	bad.invite_sig[10] ^= 1;
	expect_refused(late, &bad, REFUSAL_TAMPERED);
	bad = url;
	bad.signal_key[0] ^= 1;
	expect_refused(late, &bad, REFUSAL_FINGERPRINT);
	bad = url;
	bad.port = 4434;
	expect_refused(late, &bad, REFUSAL_UNREACHABLE);
	memcpy(late->name, "laptop", sizeof("laptop"));
	expect_refused(late, &url, REFUSAL_NAME_TAKEN);
	memcpy(late->name, "late", sizeof("late"));
	mesh_server_crash(m);
	expect_refused(late, &url, REFUSAL_UNREACHABLE);
	mesh_server_start(m);
	mesh_adopt(late, url); /* it was good all the time */
	MESH_CHECK(m, late->address == IP(100, 64, 0, 3) && mesh_server_log(m) == 3);
	expect_refused(mesh_node(m, "later"), &url, REFUSAL_INVITE_USED);
	mesh_free(m);
}
END_TEST

/* A plain node can neither make an invite nor sign one that anybody takes. */
START_TEST(only_admins_invite)
{
	struct mesh *m = mesh_of(sim_seed(), 2);
	struct mesh_node *laptop = &m->node[1], *late = mesh_node(m, "late");
	struct cluster_file f = mesh_cluster_file(laptop);
	struct mlog *log = mesh_user_log(laptop);
	struct invite_url url = mesh_invite(&m->node[0], 3600);
	struct invite_params p = { .cluster = &f,
				   .log = log,
				   .ttl_s = 60,
				   .now_s = (uint64_t)clock_wall_s(laptop->host) };
	struct identity *id = NULL;
	struct err err = { 0 };

	SIM_CHECK_OK(m->w, store_identity(laptop->host, &laptop->store, MESH_CLUSTER, &id, &err));
	p.identity = id;
	MESH_CHECK(m, invite_new(laptop->host, &p, &err, &url) < 0);
	MESH_CHECK(m, err.reason == REFUSAL_SPONSOR_NOT_ADMIN);
	url.invite.sponsor = identity_node_id(id);
	SIM_CHECK_OK(m->w, invite_make(&url.invite, identity_signer(id), url.invite_bytes,
				       &url.invite_len, url.invite_sig, &err));
	expect_refused(late, &url, REFUSAL_SPONSOR_NOT_ADMIN);
	MESH_CHECK(m, mesh_server_log(m) == 2);
	identity_free(id);
	mlog_free(log);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/mesh_invite", used_twice_at_the_same_moment, two_join_at_the_same_moment, expired,
	  replaced, promotes_by_itself, promotes_nobody_unasked, refused_for_good_reasons,
	  only_admins_invite)
