/* SPDX-License-Identifier: AGPL-3.0-only */
/* Setup of a cluster: a one-time code, an offer of subnet and address, genesis. */
#include <stdio.h>

#include "identity/codes.h"
#include "identity/identity.h"
#include "identity/token.h"
#include "signal/caller.h"

int code_find(struct caller *c, struct span text, struct code_info *ret, struct err *err)
{
	struct signal_server *s = c->server;
	char raw[CODE_TEXT_MAX + 1], code[BOOTSTRAP_CODE_TEXT_MAX];
	int r;

	snprintf(raw, sizeof(raw), "%.*s", (int)text.len, (const char *)text.data);
	r = bootstrap_code_normalise(raw, code);
	if (r < 0)
		r = refuse(err, r, REFUSAL_BAD_CODE, "The token's code has a wrong form.");
	else
		r = db_code_find(s->db, code, clock_wall_s(s->host), ret, err);
	secret_wipe(raw, sizeof(raw));
	secret_wipe(code, sizeof(code));
	if (r < 0 && err->reason == 0) {
		log_error(host_log(s->host), "%s", err->text);
		return refuse(err, r, REFUSAL_INTERNAL, "The server could not read its database.");
	}
	if (r == 0 && ret->state == CODE_UNKNOWN)
		return refuse(err, -EACCES, REFUSAL_BAD_CODE,
			      "The token is not one of this server's.");
	return r;
}

int code_open(const struct code_info *code, struct err *err)
{
	switch (code->state) {
	case CODE_OPEN:
		return 0;
	case CODE_EXPIRED:
		return refuse(err, -ETIME, REFUSAL_EXPIRED_CODE,
			      "The token has expired; make another with mlsh-signal token.");
	case CODE_USED:
		return refuse(err, -EACCES, REFUSAL_USED_CODE,
			      "The token has been used; make another with mlsh-signal token.");
	case CODE_UNKNOWN:
		break;
	}
	return refuse(err, -EACCES, REFUSAL_BAD_CODE, "The token is not one of this server's.");
}

int answer_setup_offer(struct caller *c, const struct signal_request *rq,
		       struct signal_reply *reply, struct err *err)
{
	struct registry *registry = c->server->registry;
	struct code_info code;
	int r;

	reply->subnet = rq->has_subnet ? rq->subnet : c->server->subnet;
	if ((r = code_find(c, rq->code, &code, err)) < 0 || (r = code_open(&code, err)) < 0 ||
	    (r = registry_subnet_check(registry, reply->subnet, err)) < 0)
		return r;
	memcpy(reply->order_key, c->server->keys.order_key, sizeof(reply->order_key));
	return registry_next_address(registry, reply->subnet, &reply->address, err);
}

/* Checks what only this connection shows: the author of genesis and the server that it names. */
static int setup_check(const struct caller *c, const struct entry *e, struct err *err)
{
	const struct identity *id = c->server->identity;
	const struct log_server *named = &e->genesis.server;

	if (e->type != ENTRY_GENESIS)
		return refuse(err, -EBADMSG, REFUSAL_BAD_ENTRY, "The entry is not a genesis.");
	if (memcmp(e->genesis.key, c->key, sizeof(c->key)) != 0)
		return refuse(err, -EACCES, REFUSAL_NOT_ALLOWED,
			      "The first admin's key is not that of the connection.");
	if (memcmp(named->cert, identity_cert_sha256(id), HASH_LEN) != 0 ||
	    memcmp(named->key, identity_key_sha256(id), HASH_LEN) != 0 ||
	    memcmp(named->order_key, c->server->keys.order_key, KEY_LEN) != 0)
		return refuse(err, -EINVAL, REFUSAL_BAD_ENTRY, "Genesis names another server.");
	return 0;
}

int check_setup(struct caller *c, const struct signal_request *rq, struct err *err)
{
	struct code_info code;

	return code_find(c, rq->code, &code, err);
}

int answer_setup(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		 struct err *err)
{
	struct registry *registry = c->server->registry;
	struct cluster *cluster;
	struct code_info code;
	struct entry e;
	bool again;
	int r;

	if ((r = code_find(c, rq->code, &code, err)) < 0 ||
	    (r = entry_decode(rq->entry, &e, err)) < 0 || (r = setup_check(c, &e, err)) < 0)
		return r;
	/* the reply to this same request was lost: answer it again */
	again = code.state == CODE_USED && memcmp(code.cluster_id, e.hash, HASH_LEN) == 0;
	cluster = again ? registry_find(registry, e.hash) : NULL;
	if (!cluster) {
		if ((r = code_open(&code, err)) < 0 ||
		    (r = registry_setup(registry, code.id, &e, rq->entry, err, &cluster)) < 0)
			return r;
	}
	node_token(c->server->keys.tokens, cluster->id, &c->node, reply->node_token);
	return 0;
}
