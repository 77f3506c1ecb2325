/* SPDX-License-Identifier: MIT */
/* A signal server that lies: what it shows is reported, refused, or changes nothing. */
#include "accept_kit.h"
#include "identity/identity.h"
#include "rogue.h"

/* The node has proof, and keeps its own. */
static void expect_fork(struct mesh_node *n, struct span ours)
{
	struct mesh *m = n->mesh;
	struct tunnel *t = mesh_tunnel(n);
	const char *fork = tunnel_fork(t, PROOF_SERVER);

	if (!strstr(fork, "lies") || !strstr(fork, "two different records 1")) {
		world_dump(m->w);
		ck_abort_msg("%s does not report the fork: \"%s\"", n->name, fork);
	}
	MESH_CHECK(m, span_equal(mlog_record(tunnel_log(t), 1), ours));
}

static struct mlog *copy_log(struct mesh_node *n)
{
	struct mlog *copy = mlog_new((const uint8_t[16]){ 1 });
	const struct mlog *l = tunnel_log(mesh_tunnel(n));

	for (size_t i = 0; i < mlog_count(l); i++)
		ck_assert_int_eq(mlog_reload(copy, mlog_record(l, i), NULL), 0);
	mlog_commit(copy);
	return copy;
}

/* The attacker's own key and name in an admit entry, by an invite that `sponsor` has signed. */
static struct entry_bytes forge_admit(struct mesh *m, const struct mlog *log,
				      const struct identity *sponsor, struct node_id named)
{
	struct identity *intruder = NULL;
	struct invite inv = { .sponsor = identity_node_id(sponsor), .head = mlog_head(log) };
	uint8_t one_time[SIGN_SEED_LEN] = { 7 }, bytes[INVITE_MAX_BYTES], sig[SIG_LEN];
	struct entry_bytes e = { .len = 0 };
	struct err err = { 0 };
	size_t len;

	SIM_CHECK_OK(m->w, identity_new(m->server_host, &err, &intruder));
	memcpy(inv.cluster_id, mlog_cluster_id(log), HASH_LEN);
	snprintf(inv.cluster_name, sizeof(inv.cluster_name), MESH_CLUSTER);
	inv.issued = (uint64_t)clock_wall_s(m->server_host);
	inv.expiry = inv.issued + 3600;
	memcpy(inv.signal_key, mlog_server(log)->key, HASH_LEN);
	SIM_CHECK_OK(m->w, seed_public(one_time, inv.key));
	SIM_CHECK_OK(m->w, invite_make(&inv, identity_signer(sponsor), bytes, &len, sig, &err));
	if (!node_id_equal(&named, &inv.sponsor)) { /* in the name of another: not signed by it */
		struct span at = span_of(bytes, len);

		for (size_t i = 0; i + NODE_ID_LEN <= at.len; i++) {
			if (memcmp(bytes + i, inv.sponsor.bytes, NODE_ID_LEN) == 0)
				memcpy(bytes + i, named.bytes, NODE_ID_LEN);
		}
	}
	SIM_CHECK_OK(m->w, admit_make(inv.issued, identity_signer(intruder), "intruder",
				      span_of(bytes, len), sig, one_time, &e, &err));
	identity_free(intruder);
	return e;
}

/* --- forks ------------------------------------------------------------------------------------ */

/*
 * An old copy of the database is put in place while all nodes are away, and another node joins: the
 * server holds genesis and phone, the nodes genesis and laptop.
 */
static struct mesh *mesh_with_fork(struct mlog **ret_ours)
{
	struct mesh *m = mesh_new(sim_seed());
	struct mesh_node *nas, *laptop, *phone;
	struct invite_url first, second;
	char db[96];

	mesh_nodes(m, 3);
	nas = &m->node[0];
	laptop = &m->node[1];
	phone = &m->node[2];
	mesh_setup(nas);
	first = mesh_invite(nas, 3600);
	second = mesh_invite(nas, 3600);
	mesh_server_stop(m);
	mesh_server_save(m, "old");
	mesh_server_start(m);
	mesh_adopt(laptop, first);
	mesh_connect(nas);
	mesh_connect(laptop);
	mesh_reach(m, 5 * SECOND);
	*ret_ours = copy_log(nas);

	world_link_cut(m->w, nas->host, m->server_host, true);
	world_link_cut(m->w, laptop->host, m->server_host, true);
	mesh_server_crash(m);
	mesh_server_restore(m, "old");
	mesh_server_start(m);
	mesh_server_db(m, db);
	server_accept(m->server_host, db);
	mesh_adopt(phone, second);
	MESH_CHECK(m, mesh_server_log(m) == 2 && phone->address == laptop->address);
	return m;
}

static bool reports(void *ctx)
{
	return tunnel_fork(mesh_tunnel(ctx), PROOF_SERVER)[0];
}

/* The server says so of the node, without proof: it tries again. */
static bool is_nobody_there(void *ctx)
{
	struct session_status s;

	session_status_get(tunnel_session(mesh_tunnel(ctx)), &s);
	return s.state == SESSION_RECONNECTING && s.last_err.reason == REFUSAL_NOT_MEMBER;
}

START_TEST(fork_by_a_restored_server)
{
	struct mlog *ours, *theirs;
	struct mesh *m = mesh_with_fork(&ours);
	struct mesh_node *nas = &m->node[0], *laptop = &m->node[1], *phone = &m->node[2];

	theirs = mesh_user_log(phone);
	MESH_CHECK(m, mlog_count(theirs) == 2);
	world_link_cut(m->w, nas->host, m->server_host, false);
	world_link_cut(m->w, laptop->host, m->server_host, false);
	mesh_until(m, MINUTE, reports, nas);
	expect_fork(nas, mlog_record(ours, 1));
	/* laptop is nobody to that server, is shown nothing of its log, and does not give up */
	mesh_until(m, MINUTE, is_nobody_there, laptop);
	/* they go on among themselves, over restarts too */
	MESH_CHECK(m, mesh_flow(m, MINUTE, 2) == 0);
	mesh_daemon_crash(nas);
	mesh_daemon_start(nas);
	sim_pass(m->w, MINUTE);
	expect_fork(nas, mlog_record(ours, 1));
	/* the server's branch is not theirs: phone is nobody here */
	mesh_connect(phone);
	sim_pass(m->w, MINUTE);
	for (size_t i = 0; i < 2; i++) {
		const struct mlog *l = tunnel_log(mesh_tunnel(&m->node[i]));

		MESH_CHECK(m, mlog_count(l) == 2);
		MESH_CHECK(m, !roster_by_name(mlog_roster(l), span_str("phone"), ROSTER_CURRENT));
	}
	MESH_CHECK(m, mesh_server_log(m) == 2);
	mlog_free(ours);
	mlog_free(theirs);
	mesh_free(m);
}
END_TEST

/* A lying server shows the other branch as news to nodes that are connected. */
START_TEST(fork_shown_by_a_hostile_server)
{
	struct mlog *ours, *theirs;
	struct mesh *m = mesh_with_fork(&ours);
	struct rogue *r;

	theirs = mesh_user_log(&m->node[2]);
	mesh_server_crash(m);
	r = rogue_start(m);
	rogue_add_log(r, ours, 2);
	world_link_cut(m->w, m->node[0].host, m->server_host, false);
	world_link_cut(m->w, m->node[1].host, m->server_host, false);
	mesh_all_connected(m, 15 * SECOND);
	MESH_CHECK(m, tunnel_fork(mesh_tunnel(&m->node[0]), PROOF_SERVER)[0] == '\0');
	r->n_records = 0;
	rogue_add_log(r, theirs, 2);
	rogue_tell(r, 1);
	mesh_until(m, 10 * SECOND, reports, &m->node[0]);
	mesh_until(m, 10 * SECOND, reports, &m->node[1]);
	expect_fork(&m->node[0], mlog_record(ours, 1));
	expect_fork(&m->node[1], mlog_record(ours, 1));
	MESH_CHECK(m, mesh_flow(m, 10 * SECOND, 5) == 0);
	rogue_stop(r);
	mlog_free(ours);
	mlog_free(theirs);
	mesh_free(m);
}
END_TEST

/* --- forged entries --------------------------------------------------------------------------- */

/* Shows the last record to the connected nodes as news, and again to those who fetch. */
static void show_forged(struct mesh *m, struct rogue *r, const char *what)
{
	size_t before = r->n_records - 1;
	struct head heads[MESH_NODES_MAX];

	for (size_t i = 0; i < m->n_nodes; i++)
		heads[i] = mlog_head(tunnel_log(mesh_tunnel(&m->node[i])));
	rogue_tell(r, before);
	MESH_CHECK(m, mesh_flow(m, MINUTE, 1) == 0); /* nobody minds */
	for (size_t i = 0; i < m->n_nodes; i++) {
		struct tunnel *t = mesh_tunnel(&m->node[i]);
		struct head now = mlog_head(tunnel_log(t));
		struct session_status s;

		session_status_get(tunnel_session(t), &s);
		if (memcmp(&now, &heads[i], sizeof(now)) != 0 ||
		    tunnel_state_get(t) == TUNNEL_STOPPED || s.last_err.code == 0) {
			world_dump(m->w);
			ck_abort_msg("%s and %s: %s", m->node[i].name, what, s.last_err.text);
		}
	}
	r->n_records = before;
	rogue_hang_up(r, SIGNAL_CLOSE_SHUTDOWN);
	mesh_until(m, MINUTE, mesh_at_peace, m); /* the lie is taken back */
}

/* The same for an entry that the server puts in order, though no node would: proof that it lies. */
static void show_ordered(struct mesh *m, struct rogue *r, const struct entry_bytes *e, ip4 address,
			 const char *what)
{
	rogue_order(r, span_of(e->data, e->len), address);
	show_forged(m, r, what);
	for (size_t i = 0; i < m->n_nodes; i++)
		MESH_CHECK(m, strstr(tunnel_fork(mesh_tunnel(&m->node[i]), PROOF_SERVER), "lies"));
}

static struct entry_bytes forge_cancel(struct mesh *m, const struct mlog *log,
				       const struct identity *author)
{
	struct signer signer = *identity_signer(author);
	struct entry e = { .type = ENTRY_CANCEL,
			   .time_s = (uint64_t)clock_wall_s(m->server_host),
			   .author = identity_node_id(author),
			   .base = mlog_head(log),
			   .cancel.nonce = { 1 } };
	struct entry_bytes b;

	SIM_CHECK_OK(m->w, entry_make(&e, mlog_cluster_id(log), &signer, NULL, &b, NULL));
	return b;
}

START_TEST(forged_records_are_refused)
{
	struct mesh *m = mesh_of(sim_seed(), 3);
	struct mesh_node *nas = &m->node[0];
	struct identity *laptop = NULL, *stranger = NULL;
	ip4 next = IP(100, 64, 0, 4);
	uint8_t garbage[100];
	struct entry_bytes e;
	struct mlog *log;
	struct rogue *r;
	struct err err = { 0 };
	struct node_id admin;

	mesh_direct(m, 5 * SECOND);
	log = copy_log(nas);
	admin = roster_next(mlog_roster(log), NULL, ROSTER_ALL)->id;
	SIM_CHECK_OK(m->w, store_identity(m->node[1].host, &m->node[1].store, MESH_CLUSTER, &laptop,
					  &err));
	mesh_server_crash(m);
	r = rogue_start(m);
	rogue_add_log(r, log, 3);
	SIM_CHECK_OK(m->w, identity_new(m->server_host, &err, &stranger));
	mesh_all_connected(m, 15 * SECOND);

	/* what no receipt vouches for proves nothing */
	e = forge_admit(m, log, laptop, identity_node_id(laptop));
	rogue_order(r, span_of(e.data, e.len), next);
	r->record[3].data[r->record[3].len - 1] ^= 1;
	show_forged(m, r, "a record with a false receipt");
	memset(garbage, 0xff, sizeof(garbage));
	rogue_add(r, span_of(garbage, sizeof(garbage)));
	show_forged(m, r, "no record at all");
	for (size_t i = 0; i < m->n_nodes; i++)
		MESH_CHECK(m, !tunnel_fork(mesh_tunnel(&m->node[i]), PROOF_SERVER)[0]);

	show_ordered(m, r, &e, next, "an admit sponsored by a plain node");
	e = forge_admit(m, log, stranger, identity_node_id(stranger));
	show_ordered(m, r, &e, next, "an admit sponsored by a stranger");
	e = forge_admit(m, log, stranger, admin);
	show_ordered(m, r, &e, next, "an admit in the admin's name, not signed by it");
	e = forge_cancel(m, log, laptop);
	show_ordered(m, r, &e, 0, "a cancel by a plain node");

	/* a shorter log is no reason to forget anything; they push what it lacks */
	r->n_records = 1;
	MESH_CHECK(m, r->pushes == 0);
	rogue_hang_up(r, SIGNAL_CLOSE_SHUTDOWN);
	sim_pass(m->w, MINUTE);
	MESH_CHECK(m, r->pushes >= 3);
	for (size_t i = 0; i < 3; i++)
		MESH_CHECK(m, mlog_count(tunnel_log(mesh_tunnel(&m->node[i]))) == 3);

	rogue_stop(r);
	mesh_server_start(m);
	mesh_all_connected(m, MINUTE);
	MESH_CHECK(m, mesh_server_log(m) == 3);
	identity_free(laptop);
	identity_free(stranger);
	mlog_free(log);
	mesh_free(m);
}
END_TEST

/* --- joiners ---------------------------------------------------------------------------------- */

/* It may have been carried out, so it stays to be asked for again; there is no cluster of it. */
static void expect_joiner_refuses(struct mesh *m, const struct invite_url *url, enum refusal why,
				  const char *what)
{
	struct mesh_node *late = &m->node[2];
	struct err err;

	MESH_CHECK(m, mesh_try_adopt(late, *url, &err) < 0);
	if (err.reason != (int)why) {
		world_dump(m->w);
		ck_abort_msg("%s: %s (%s)", what, refusal_name(err.reason), err.text);
	}
	MESH_CHECK(m, !store_has_cluster(late->host, &late->store, MESH_CLUSTER));
	MESH_CHECK(m, store_has_pending(late->host, &late->store, MESH_CLUSTER));
}

START_TEST(joiner_believes_only_the_log)
{
	struct mesh *m = mesh_of(sim_seed(), 2);
	struct identity *stranger = NULL;
	struct invite_url url;
	struct mlog *log;
	struct entry_bytes e;
	struct rogue *r;
	struct err err = { 0 };

	mesh_reach(m, 5 * SECOND); /* so that the inviter has heard of both entries */
	url = mesh_invite(&m->node[0], 3600);
	log = copy_log(&m->node[0]);
	mesh_nodes(m, 3);
	mesh_daemon_stop(&m->node[0]);
	mesh_daemon_stop(&m->node[1]);
	mesh_server_crash(m);
	r = rogue_start(m);

	/* it says "yes", and shows a log without the joiner */
	expect_joiner_refuses(m, &url, REFUSAL_UNKNOWN_HEAD, "an empty log");
	rogue_add_log(r, log, 1);
	expect_joiner_refuses(m, &url, REFUSAL_UNKNOWN_HEAD, "a log older than the invite");
	rogue_add_log(r, log, 1);
	expect_joiner_refuses(m, &url, REFUSAL_BAD_ENTRY, "genesis twice");
	r->n_records = 0;
	rogue_add(r, mlog_record(log, 1));
	expect_joiner_refuses(m, &url, REFUSAL_UNKNOWN_HEAD, "no genesis");
	r->n_records = 0;
	rogue_add_log(r, log, 2);
	expect_joiner_refuses(m, &url, REFUSAL_BAD_ENTRY, "a log without the joiner");
	SIM_CHECK_OK(m->w, identity_new(m->server_host, &err, &stranger));
	e = forge_admit(m, log, stranger, identity_node_id(stranger));
	rogue_order(r, span_of(e.data, e.len), IP(100, 64, 0, 3));
	expect_joiner_refuses(m, &url, REFUSAL_SPONSOR_UNKNOWN, "a forged member");

	/* addresses that are another's, or outside */
	r->n_records = 2;
	r->next_address = IP(100, 64, 0, 2);
	expect_joiner_refuses(m, &url, REFUSAL_BAD_ENTRY, "another's address");
	r->n_records = 2;
	r->next_address = IP(8, 8, 8, 8);
	expect_joiner_refuses(m, &url, REFUSAL_BAD_ENTRY, "an address outside of the subnet");

	identity_free(stranger);
	mlog_free(log);
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

/* Somebody else at the server's address: nothing is said to it. */
START_TEST(impostor_is_recognised)
{
	struct mesh *m = mesh_new(sim_seed()), *other;
	struct mesh_node *nas = mesh_node(m, "nas");
	struct mesh_join j;
	char path[96], token[SETUP_TOKEN_TEXT_MAX];

	snprintf(token, sizeof(token), "%s", m->token);
	mesh_server_crash(m);
	mesh_server_db(m, path);
	ck_assert_int_eq(remove(path), 0); /* and so it has another key */
	mesh_server_start(m);
	MESH_CHECK(m, strcmp(token, m->token) != 0);
	mesh_setup_start(nas, token, &j);
	MESH_CHECK(m, mesh_join_finish(&j) < 0 && j.err.reason == REFUSAL_FINGERPRINT);
	MESH_CHECK(m,
		   !file_exists(nas->host, "/root/.config/mlsh/identity/" MESH_CLUSTER "/key.pem"));
	MESH_CHECK(m, signal_server_stats_get(m->server).requests == 0);
	mesh_free(m);

	other = mesh_of(sim_seed(), 2);
	mesh_direct(other, 5 * SECOND);
	mesh_server_crash(other);
	mesh_server_db(other, path);
	ck_assert_int_eq(remove(path), 0);
	mesh_server_start(other);
	MESH_CHECK(other, mesh_flow(other, 10 * MINUTE, 1) == 0);
	MESH_CHECK(other, signal_server_stats_get(other->server).requests == 0);
	for (size_t i = 0; i < 2; i++) {
		struct session_status s;

		session_status_get(tunnel_session(mesh_tunnel(&other->node[i])), &s);
		MESH_CHECK(other, s.state == SESSION_RECONNECTING);
		MESH_CHECK(other, s.last_err.reason == REFUSAL_FINGERPRINT);
	}
	mesh_free(other);
}
END_TEST

UNIT_MAIN("sim/mesh_trust", fork_by_a_restored_server, fork_shown_by_a_hostile_server,
	  forged_records_are_refused, joiner_believes_only_the_log, impostor_is_recognised)
