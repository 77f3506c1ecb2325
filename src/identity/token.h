/* SPDX-License-Identifier: MIT */
/* The token by which the server knows a member. */
#ifndef MLSH_IDENTITY_TOKEN_H
#define MLSH_IDENTITY_TOKEN_H

#include "base/ids.h"

/* Node token: HMAC-SHA256(signing key, "mlsh/1 node-token" || 0 || cluster id || node id). */
void node_token(const uint8_t signing_key[32], const uint8_t cluster_id[HASH_LEN],
		const struct node_id *id, uint8_t out[HASH_LEN]);

#endif
