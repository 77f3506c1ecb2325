/* SPDX-License-Identifier: MIT */
/* Tables of a socket: our connection IDs, and the stateless reset tokens of the other sides. */
#include <stdlib.h>

#include <ngtcp2/ngtcp2_crypto.h>

#include "quic/socket.h"

int cid_new(struct quic_conn *c, uint64_t generation, ngtcp2_cid *ret)
{
	struct cid *cid = calloc(1, sizeof(*cid));
	int r;

	if (!cid)
		return -ENOMEM;
	random_fill(c->s->h, cid->bytes, CID_LEN);
	cid->generation = generation;
	cid->conn = c;
	r = map_put(c->s->cids, cid->bytes, cid);
	if (r < 0) {
		free(cid);
		return r;
	}
	list_append(&c->cids, &cid->link);
	ngtcp2_cid_init(ret, cid->bytes, CID_LEN);
	return 0;
}

struct cid *cid_find(const struct quic_socket *s, const uint8_t bytes[CID_LEN])
{
	return map_get(s->cids, bytes);
}

static void cid_free(struct quic_socket *s, struct cid *cid)
{
	map_remove(s->cids, cid->bytes);
	list_remove(&cid->link);
	free(cid);
}

void cid_remove(struct quic_socket *s, const uint8_t bytes[CID_LEN])
{
	struct cid *cid = cid_find(s, bytes);

	if (cid)
		cid_free(s, cid);
}

void cids_free(struct quic_socket *s, struct list *cids)
{
	list_for_each(it, cids)
		cid_free(s, list_entry(it, struct cid, link));
}

void cid_reset_token(const struct quic_socket *s, const ngtcp2_cid *cid,
		     uint8_t out[NGTCP2_STATELESS_RESET_TOKENLEN])
{
	if (ngtcp2_crypto_generate_stateless_reset_token(out, s->reset_secret,
							 sizeof(s->reset_secret), cid) != 0)
		random_fill(s->h, out, NGTCP2_STATELESS_RESET_TOKENLEN); /* then it never matches */
}

void initial_key(const uint8_t *cid, size_t len, uint8_t out[1 + NGTCP2_MAX_CIDLEN])
{
	memset(out, 0, 1 + NGTCP2_MAX_CIDLEN);
	out[0] = (uint8_t)len;
	memcpy(out + 1, cid, MIN(len, (size_t)NGTCP2_MAX_CIDLEN));
}

/* --- reset tokens of the other side -------------------------------------------------------------
 */

void token_add(struct quic_conn *c, const uint8_t token[NGTCP2_STATELESS_RESET_TOKENLEN])
{
	for (size_t i = 0; i < CONN_TOKENS_MAX; i++) {
		if (c->token_used[i])
			continue;
		if (map_put(c->s->tokens, token, c) == 0) {
			memcpy(c->tokens[i], token, NGTCP2_STATELESS_RESET_TOKENLEN);
			c->token_used[i] = true;
		}
		return; /* a token that is not remembered costs an idle timeout */
	}
}

void token_remove(struct quic_conn *c, const uint8_t token[NGTCP2_STATELESS_RESET_TOKENLEN])
{
	for (size_t i = 0; i < CONN_TOKENS_MAX; i++) {
		if (!c->token_used[i] ||
		    memcmp(c->tokens[i], token, NGTCP2_STATELESS_RESET_TOKENLEN) != 0)
			continue;
		map_remove(c->s->tokens, c->tokens[i]);
		c->token_used[i] = false;
	}
}

void tokens_free(struct quic_conn *c)
{
	for (size_t i = 0; i < CONN_TOKENS_MAX; i++) {
		if (c->token_used[i])
			map_remove(c->s->tokens, c->tokens[i]);
		c->token_used[i] = false;
	}
}
