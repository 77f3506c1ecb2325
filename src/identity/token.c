/* SPDX-License-Identifier: MIT */
/* The token by which the server knows a member. */
#include "identity/token.h"

#include "crypto/hash.h"

/* sizeof of it counts the NUL, which ends the domain in what is hashed. */
static const char token_domain[] = "mlsh/1 node-token";

void node_token(const uint8_t signing_key[32], const uint8_t cluster_id[HASH_LEN],
		const struct node_id *id, uint8_t out[HASH_LEN])
{
	uint8_t text[sizeof(token_domain) + HASH_LEN + NODE_ID_LEN];

	memcpy(text, token_domain, sizeof(token_domain));
	memcpy(text + sizeof(token_domain), cluster_id, HASH_LEN);
	memcpy(text + sizeof(token_domain) + HASH_LEN, id->bytes, NODE_ID_LEN);
	hmac_sha256(signing_key, span_of(text, sizeof(text)), out);
}
