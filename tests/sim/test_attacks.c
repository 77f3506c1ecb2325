/* SPDX-License-Identifier: MIT */
/*
 * What was reached once against the membership log, with the rule that ended it and, where that
 * rule is one function, without it: the attack must succeed then. tests/README.md has the whole
 * list ("Attacks"), with where each is shown.
 *
 * Unless it is the server, the attacker is laptop, with a daemon that believes what it made up and
 * tells everybody.
 */
#include "crypto/hash.h"
#include "hostile_mesh.h"
#include "tund/dated.h"

#define SUBNET "10.77.0.0/28"

/* The rule: nothing enters a log without the server's receipt (mk/variant.mk wraps it). */
static bool without_receipts;

int __real_receipt_verify(const uint8_t order_key[KEY_LEN], const uint8_t cluster_id[HASH_LEN],
			  const struct order *o, const uint8_t entry_hash[HASH_LEN],
			  const uint8_t sig[SIG_LEN]);
int __wrap_receipt_verify(const uint8_t order_key[KEY_LEN], const uint8_t cluster_id[HASH_LEN],
			  const struct order *o, const uint8_t entry_hash[HASH_LEN],
			  const uint8_t sig[SIG_LEN]);

int __wrap_receipt_verify(const uint8_t order_key[KEY_LEN], const uint8_t cluster_id[HASH_LEN],
			  const struct order *o, const uint8_t entry_hash[HASH_LEN],
			  const uint8_t sig[SIG_LEN])
{
	return without_receipts ? 0
				: __real_receipt_verify(order_key, cluster_id, o, entry_hash, sig);
}

/* The rule: what is dated more than ten minutes ahead is held back. */
static bool without_dates;

void __real_mlog_take_until(struct mlog *l, const struct span *records, size_t n, uint64_t latest_s,
			    struct mlog_take *ret);
void __wrap_mlog_take_until(struct mlog *l, const struct span *records, size_t n, uint64_t latest_s,
			    struct mlog_take *ret);

void __wrap_mlog_take_until(struct mlog *l, const struct span *records, size_t n, uint64_t latest_s,
			    struct mlog_take *ret)
{
	__real_mlog_take_until(l, records, n, without_dates ? UINT64_MAX : latest_s, ret);
}

/* The attacker puts the entry in order itself, and its daemon tells peers and server. */
static void make_up(struct mesh *m, const struct entry_bytes *e, ip4 address, uint64_t time_s)
{
	static const uint8_t own_key[SIGN_SEED_LEN] = { 5 };
	struct mlog *log = mesh_log_of(LAPTOP);
	struct head head = mlog_head(log);
	uint8_t receipt[SIG_LEN];
	struct record r = { .entry = mesh_span_of_entry(e), .receipt = receipt };
	struct record_bytes b;
	struct err err = { 0 };

	r.order = (struct order){ .seq = head.seq + 1, .time_s = time_s, .address = address };
	memcpy(r.order.prev, head.hash, HASH_LEN);
	sha256(r.entry, r.entry_hash);
	SIM_CHECK_OK(m->w,
		     receipt_make(own_key, mlog_cluster_id(log), &r.order, r.entry_hash, receipt));
	SIM_CHECK_OK(m->w, record_encode(&r, &b));
	if (mlog_reload(log, span_of(b.data, b.len), &err) < 0)
		ck_abort_msg("%s", err.text);
	mlog_commit(log);
	overlay_log_grew(tunnel_overlay(mesh_tunnel(LAPTOP)));
	session_log_grew(tunnel_session(mesh_tunnel(LAPTOP)));
}

static void cut_server(struct mesh *m, bool cut)
{
	for (size_t i = 0; i < 3; i++)
		world_link_cut(m->w, m->node[i].host, m->server_host, cut);
}

static bool knows(struct mesh_node *n, const char *name)
{
	return roster_by_name(mlog_roster(mesh_log_of(n)), span_str(name), ROSTER_CURRENT) != NULL;
}

/* Have the honest ones the server's log of so many records, and no complaint? */
static void expect_peace(struct mesh *m, size_t records)
{
	struct head nas = mlog_head(mesh_log_of(NAS)), phone = mlog_head(mesh_log_of(PHONE));

	MESH_CHECK(m, mlog_count(mesh_log_of(NAS)) == records && mesh_server_log(m) == records);
	MESH_CHECK(m, memcmp(&nas, &phone, sizeof(nas)) == 0);
	MESH_CHECK(m, !mesh_has_proof(NAS) && !mesh_has_proof(PHONE));
	MESH_CHECK(m, !knows(NAS, "intruder") && !knows(PHONE, "intruder"));
}

static struct mesh *begin(bool rule, const char *subnet)
{
	struct mesh *m = mesh_new(sim_seed());

	without_receipts = false;
	if (subnet) {
		m->subnet = subnet;
		mesh_server_crash(m);
		mesh_server_start(m);
	}
	mesh_nodes(m, 3);
	mesh_join_all(m);
	mesh_direct(m, 10 * SECOND);
	without_receipts = !rule;
	return m;
}

static void end(struct mesh *m)
{
	mesh_free(m);
	without_receipts = false;
}

/* While the server cannot be reached by them, it admits another node in the same place. */
static void unordered_admission_with(bool rule)
{
	struct mesh *m = begin(rule, NULL);
	struct invite_url url = mesh_invite(NAS, 3600);
	struct entry_bytes e = mesh_admit_entry(NAS, "intruder", mesh_wall_s(NAS),
						mesh_wall_s(NAS) + 3600);
	struct mesh_node *tablet;

	cut_server(m, true);
	make_up(m, &e, IP(100, 64, 0, 4), mesh_wall_s(NAS));
	sim_pass(m->w, SECOND);
	MESH_CHECK(m, knows(NAS, "intruder") == !rule && knows(PHONE, "intruder") == !rule);
	mesh_nodes(m, 4);
	tablet = &m->node[3];
	mesh_adopt(tablet, url);
	mesh_connect(tablet);
	cut_server(m, false);
	sim_pass(m->w, 2 * MINUTE);
	if (rule) {
		expect_peace(m, 4);
		MESH_CHECK(m, mesh_peer(NAS, tablet).state == PEER_UP);
		MESH_CHECK(m, mesh_peer(PHONE, tablet).state == PEER_UP);
	} else { /* the nodes accuse the honest server, and the honest node is nobody to them */
		MESH_CHECK(m, mesh_has_proof(NAS) && mesh_has_proof(PHONE));
		MESH_CHECK(m, !knows(NAS, tablet->name) && !knows(PHONE, tablet->name));
	}
	end(m);
}

START_TEST(unordered_admission)
{
	unordered_admission_with(true);
	unordered_admission_with(false);
}
END_TEST

static void last_address_with(bool rule)
{
	struct mesh *m = begin(rule, SUBNET);
	struct invite_url url = mesh_invite(NAS, 3600);
	struct entry_bytes e = mesh_admit_entry(NAS, "intruder", mesh_wall_s(NAS),
						mesh_wall_s(NAS) + 3600);
	struct err err = { 0 };

	make_up(m, &e, IP(10, 77, 0, 14), mesh_wall_s(NAS));
	sim_pass(m->w, 10 * SECOND);
	mesh_nodes(m, 4);
	if (rule) {
		mesh_adopt(&m->node[3], url);
		MESH_CHECK(m, m->node[3].address == IP(10, 77, 0, 4));
		sim_pass(m->w, MINUTE);
		expect_peace(m, 4);
	} else {
		MESH_CHECK(m, mesh_try_adopt(&m->node[3], url, &err) < 0);
		MESH_CHECK(m, err.reason == REFUSAL_FULL);
	}
	end(m);
}

START_TEST(last_address)
{
	last_address_with(true);
	last_address_with(false);
}
END_TEST

/* What the server says to such an invite, by its own clock, is in test_signal_adopt.c. */
static void expired_invite_with(bool rule)
{
	struct mesh *m = begin(rule, NULL);
	uint64_t then = mesh_wall_s(NAS);
	struct entry_bytes e;

	sim_pass(m->w, 2 * HOUR);
	e = mesh_admit_entry(NAS, "intruder", then, then + 600);
	make_up(m, &e, IP(100, 64, 0, 4), then + 60);
	sim_pass(m->w, 10 * SECOND);
	if (rule)
		expect_peace(m, 3);
	else /* it is the server's member, too */
		MESH_CHECK(m, knows(NAS, "intruder") && knows(PHONE, "intruder") &&
				      mesh_server_log(m) == 4);
	end(m);
}

START_TEST(expired_invite)
{
	expired_invite_with(true);
	expired_invite_with(false);
}
END_TEST

static bool is_out(void *ctx)
{
	struct mesh *m = ctx;

	return mesh_server_log(m) == 4 && !knows(NAS, "phone") && !knows(LAPTOP, "phone");
}

/* The nodes have given the record to the honest server, which can order nothing behind it. */
static void expect_frozen(struct mesh *m)
{
	struct invite_url url = mesh_invite(NAS, 3600);
	struct err err = { 0 };

	mesh_nodes(m, 4);
	MESH_CHECK(m, mesh_try_adopt(&m->node[3], url, &err) < 0);
	MESH_CHECK(m, strstr(err.text, "clock is"));
}

/* The removal holds from the moment in which it is shown, and the next server orders it. */
static void expect_moving(struct mesh *m)
{
	mesh_until(m, 2 * MINUTE, is_out, m);
	mesh_nodes(m, 4);
	mesh_adopt(&m->node[3], mesh_invite(NAS, 3600));
	MESH_CHECK(m, mesh_server_log(m) == 5);
	MESH_CHECK(m, !mesh_has_proof(NAS) && !mesh_has_proof(LAPTOP));
}

/* A hostile server orders a removal ten years ahead; then an honest one takes its place. */
static void dated_ahead_with(bool rule)
{
	struct rogue *r;
	struct mesh *m;
	struct entry_bytes e;
	struct dated_status d;
	struct node_id phone;
	uint64_t then;

	without_dates = !rule;
	m = hostile_mesh(&r);
	e = mesh_remove_entry(NAS, PHONE);
	then = mesh_wall_s(NAS) + 10 * 365 * 86400;
	phone = mesh_id_of(PHONE);
	r->only_says_yes = true; /* to those that hold the removal, and have it ordered */
	rogue_order_at(r, mesh_span_of_entry(&e), 0, then);
	rogue_tell(r, 3);
	sim_pass(m->w, SECOND);
	tunnel_dated(mesh_tunnel(NAS), &d);
	MESH_CHECK(m, (d.held.seq == 3) == rule && knows(NAS, "phone") == rule);
	if (rule) {
		MESH_CHECK(m, d.held.time_s == then);
		MESH_CHECK(m, denials_denied(tunnel_denials(mesh_tunnel(LAPTOP)), &phone));
		sim_pass(m->w, 5 * MINUTE); /* it is asked for again and again, and held back */
		tunnel_dated(mesh_tunnel(LAPTOP), &d);
		MESH_CHECK(m, d.held.seq == 3 && mlog_count(mesh_log_of(LAPTOP)) == 3);
		MESH_CHECK(m, r->sessions <= 3 * 5);
	}
	rogue_stop(r);
	mesh_server_start(m);
	if (rule) {
		expect_moving(m);
	} else {
		sim_pass(m->w, MINUTE);
		MESH_CHECK(m, mesh_server_log(m) == 4);
		expect_frozen(m);
	}
	mesh_free(m);
	without_dates = false;
}

START_TEST(dated_ahead)
{
	dated_ahead_with(true);
	dated_ahead_with(false);
}
END_TEST

UNIT_MAIN("sim/attacks", unordered_admission, last_address, expired_invite, dated_ahead)
