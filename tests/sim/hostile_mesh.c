/* SPDX-License-Identifier: MIT */
/* A mesh whose server is a hostile one, and entries for it. */
#include "hostile_mesh.h"

struct mlog *mesh_log_of(struct mesh_node *n)
{
	return tunnel_log(mesh_tunnel(n));
}

struct node_id mesh_id_of(struct mesh_node *n)
{
	return tunnel_cluster(mesh_tunnel(n))->node_id;
}

struct identity *mesh_identity_of(struct mesh_node *n)
{
	struct identity *id = NULL;
	struct err err = { 0 };

	SIM_CHECK_OK(n->mesh->w, store_identity(n->host, &n->store, MESH_CLUSTER, &id, &err));
	return id;
}

uint64_t mesh_wall_s(struct mesh_node *n)
{
	return (uint64_t)clock_wall_s(n->host);
}

struct entry_bytes mesh_signed_by(struct mesh_node *n, struct entry e)
{
	struct identity *id = mesh_identity_of(n);
	struct signer signer = *identity_signer(id);
	struct entry_bytes b;
	struct err err = { 0 };

	e.time_s = mesh_wall_s(n);
	e.author = mesh_id_of(n);
	e.base = mlog_head(mesh_log_of(n));
	SIM_CHECK_OK(n->mesh->w,
		     entry_make(&e, mlog_cluster_id(mesh_log_of(n)), &signer, NULL, &b, &err));
	identity_free(id);
	return b;
}

struct entry_bytes mesh_rename_entry(struct mesh_node *by, struct mesh_node *whom, const char *name)
{
	struct entry e = { .type = ENTRY_RENAME, .rename.id = mesh_id_of(whom) };

	snprintf(e.rename.name, sizeof(e.rename.name), "%s", name);
	return mesh_signed_by(by, e);
}

struct entry_bytes mesh_remove_entry(struct mesh_node *by, struct mesh_node *whom)
{
	struct entry e = { .type = ENTRY_REMOVE, .remove.n = 1 };

	e.remove.id[0] = mesh_id_of(whom);
	return mesh_signed_by(by, e);
}

struct entry_bytes mesh_admit_entry(struct mesh_node *sponsor, const char *name, uint64_t time_s,
				    uint64_t expiry)
{
	static uint8_t number;
	struct identity *by = mesh_identity_of(sponsor), *stranger = NULL;
	uint8_t one_time[SIGN_SEED_LEN] = { 9, ++number }, bytes[INVITE_MAX_BYTES], sig[SIG_LEN];
	struct invite inv = { .sponsor = mesh_id_of(sponsor),
			      .head = mlog_head(mesh_log_of(sponsor)),
			      .issued = MIN(time_s, expiry),
			      .expiry = expiry,
			      .nonce = { 9, number } };
	struct entry_bytes b = { .len = 0 };
	struct err err = { 0 };
	size_t len;

	memcpy(inv.cluster_id, mlog_cluster_id(mesh_log_of(sponsor)), HASH_LEN);
	snprintf(inv.cluster_name, sizeof(inv.cluster_name), MESH_CLUSTER);
	memcpy(inv.signal_key, mlog_server(mesh_log_of(sponsor))->key, HASH_LEN);
	SIM_CHECK_OK(sponsor->mesh->w, seed_public(one_time, inv.key));
	SIM_CHECK_OK(sponsor->mesh->w,
		     invite_make(&inv, identity_signer(by), bytes, &len, sig, &err));
	SIM_CHECK_OK(sponsor->mesh->w, identity_new(sponsor->host, &err, &stranger));
	SIM_CHECK_OK(sponsor->mesh->w, admit_make(time_s, identity_signer(stranger), name,
						  span_of(bytes, len), sig, one_time, &b, &err));
	identity_free(stranger);
	identity_free(by);
	return b;
}

struct span mesh_span_of_entry(const struct entry_bytes *b)
{
	return span_of(b->data, b->len);
}

bool mesh_all_listen(void *ctx)
{
	const struct rogue *r = ctx;
	size_t n = 0;

	for (size_t i = 0; i < r->n_callers; i++)
		n += r->caller[i].quic && r->caller[i].events >= 0;
	return n >= r->mesh->n_nodes;
}

struct mesh *hostile_mesh(struct rogue **ret)
{
	struct mesh *m = mesh_of(sim_seed(), 3);

	mesh_direct(m, 10 * SECOND);
	mesh_server_crash(m);
	*ret = rogue_start(m);
	rogue_add_log(*ret, mesh_log_of(NAS), mlog_count(mesh_log_of(NAS)));
	mesh_until(m, MINUTE, mesh_all_listen, *ret);
	sim_pass(m->w, SECOND);
	mesh_all_connected(m, SECOND);
	ck_assert_uint_eq((*ret)->n_records, 3);
	return m;
}

/* --- who notices, how soon -------------------------------------------------------------------- */

bool mesh_has_proof(struct mesh_node *n)
{
	return strstr(tunnel_fork(mesh_tunnel(n), PROOF_SERVER), "lies") != NULL;
}

bool mesh_all_have_proof(void *ctx)
{
	struct mesh *m = ctx;

	return mesh_has_proof(NAS) && mesh_has_proof(LAPTOP) && mesh_has_proof(PHONE);
}

struct awaited {
	struct mesh_node *node;
	size_t records;
};

static bool mesh_has_records(void *ctx)
{
	const struct awaited *a = ctx;

	return mlog_count(mesh_log_of(a->node)) >= a->records;
}

void mesh_await_records(struct mesh_node *n, size_t records, uint64_t within)
{
	struct awaited a = { n, records };

	mesh_until(n->mesh, within, mesh_has_records, &a);
}
