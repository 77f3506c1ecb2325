/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * The certificate, the keys and the one-time code: the first start makes them, later ones keep
 * them.
 */
#ifndef MLSH_SIGNAL_BOOTSTRAP_H
#define MLSH_SIGNAL_BOOTSTRAP_H

#include "identity/codes.h"
#include "signal/db.h"

struct identity;

#define SETUP_TOKEN_TEXT_MAX (BOOTSTRAP_CODE_TEXT_MAX + 1 + 2 * HASH_LEN)

/* All but the last are secret. */
struct server_keys {
	uint8_t tokens[32];		   /* of node tokens */
	uint8_t order_seed[SIGN_SEED_LEN]; /* signs receipts */
	uint8_t order_key[KEY_LEN];	   /* its public half */
};

/*
 * Reads the self-signed identity (unless `ret` is NULL) and the other keys, and makes the missing
 * ones, in one transaction. The caller frees and wipes them.
 */
int bootstrap_keys(struct host *h, struct db *db, struct identity **ret,
		   struct server_keys *ret_keys, struct err *err) MUST_CHECK;
/*
 * Makes a code at the first start: `preset`, or a random one if that is "". Later it makes only a
 * preset code that the database has never had: a burned code stays burned. `ret` is "" if no code
 * was made.
 */
int bootstrap_first_code(struct host *h, struct db *db, const char *preset,
			 char ret[BOOTSTRAP_CODE_TEXT_MAX], struct err *err) MUST_CHECK;
/* Reads the identity and makes nothing. -ENOENT before the first start. The caller frees *ret. */
int bootstrap_identity(struct db *db, struct identity **ret, struct err *err) MUST_CHECK;
/* Makes a further code that lives `ttl_s` seconds (0: until it is used). */
int bootstrap_code_add(struct host *h, struct db *db, const char *preset, uint64_t ttl_s,
		       char ret[BOOTSTRAP_CODE_TEXT_MAX], struct err *err) MUST_CHECK;
/* "CODE@fingerprint". */
void bootstrap_token_format(const char *code, const struct identity *id,
			    char out[SETUP_TOKEN_TEXT_MAX]);

#endif
