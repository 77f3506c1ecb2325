/* SPDX-License-Identifier: MIT */
/*
 * A mesh of three (nas, the admin; laptop; phone) whose signal server is a hostile one from now on,
 * and entries of their own making for it to play with.
 */
#ifndef MLSH_TESTS_HOSTILE_MESH_H
#define MLSH_TESTS_HOSTILE_MESH_H

#include "identity/identity.h"
#include "rogue.h"

#define NAS (&m->node[0])
#define LAPTOP (&m->node[1])
#define PHONE (&m->node[2])

struct mlog *mesh_log_of(struct mesh_node *n);
struct node_id mesh_id_of(struct mesh_node *n);
struct identity *mesh_identity_of(struct mesh_node *n);
uint64_t mesh_wall_s(struct mesh_node *n);

/* Signed by the node on the log that it has, now. */
struct entry_bytes mesh_signed_by(struct mesh_node *n, struct entry e);

struct entry_bytes mesh_rename_entry(struct mesh_node *by, struct mesh_node *whom,
				     const char *name);
struct entry_bytes mesh_remove_entry(struct mesh_node *by, struct mesh_node *whom);

/* A stranger's, with an invite of the node's that is good until `expiry`. */
struct entry_bytes mesh_admit_entry(struct mesh_node *sponsor, const char *name, uint64_t time_s,
				    uint64_t expiry);

struct span mesh_span_of_entry(const struct entry_bytes *b);
bool mesh_all_listen(void *ctx);

/* Three nodes with direct tunnels; the hostile server, with their log, in place of the true one. */
struct mesh *hostile_mesh(struct rogue **ret);

/* --- who notices, how soon -------------------------------------------------------------------- */

bool mesh_has_proof(struct mesh_node *n);
bool mesh_all_have_proof(void *ctx);

/* The node has so many records within this time. */
void mesh_await_records(struct mesh_node *n, size_t records, uint64_t within);

#endif
