/* SPDX-License-Identifier: AGPL-3.0-only */
/* What the first start makes and later ones keep: certificate, keys, one-time code. */
#ifndef MLSH_SIGNAL_BOOTSTRAP_H
#define MLSH_SIGNAL_BOOTSTRAP_H

#include "identity/codes.h"
#include "signal/db.h"

struct identity;

#define SETUP_TOKEN_TEXT_MAX (BOOTSTRAP_CODE_TEXT_MAX + 1 + 2 * HASH_LEN)

/* Secret, but for the last. */
struct server_keys {
	uint8_t tokens[32];		   /* of node tokens */
	uint8_t order_seed[SIGN_SEED_LEN]; /* signs receipts */
	uint8_t order_key[KEY_LEN];	   /* its public half */
};

/*
 * Reads the self-signed identity (not asked for when `ret` is NULL) and the other keys; makes what
 * is missing, in one transaction. The caller frees and wipes.
 */
int bootstrap_keys(struct host *h, struct db *db, struct identity **ret,
		   struct server_keys *ret_keys, struct err *err) MUST_CHECK;
/*
 * At the first start a code: `preset`, or a random one if that is "". Later only a preset one that
 * the database has never known: a burned one stays burned. "" in `ret` when none was made.
 */
int bootstrap_first_code(struct host *h, struct db *db, const char *preset,
			 char ret[BOOTSTRAP_CODE_TEXT_MAX], struct err *err) MUST_CHECK;
/* Only reads; -ENOENT before the first start. The caller frees. */
int bootstrap_identity(struct db *db, struct identity **ret, struct err *err) MUST_CHECK;
/* A further code that lives `ttl_s` seconds (0: until it is used). */
int bootstrap_code_add(struct host *h, struct db *db, const char *preset, uint64_t ttl_s,
		       char ret[BOOTSTRAP_CODE_TEXT_MAX], struct err *err) MUST_CHECK;
/* "CODE@fingerprint". */
void bootstrap_token_format(const char *code, const struct identity *id,
			    char out[SETUP_TOKEN_TEXT_MAX]);

#endif
