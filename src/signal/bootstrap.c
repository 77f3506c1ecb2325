/* SPDX-License-Identifier: AGPL-3.0-only */
/* The first start. */
#include "signal/bootstrap.h"

#include "identity/codes.h"
#include "identity/identity.h"

#include <stdio.h>

#define SETTING_CERT "certificate"
#define SETTING_KEY "key"
#define SETTING_SIGNING_KEY "token_signing_key"
#define SETTING_ORDER_KEY "order_key"	/* the private half */
#define SETTING_FIRST_CODE "first_code" /* present once a first code was made */

int bootstrap_identity(struct db *db, struct identity **ret, struct err *err)
{
	struct buf cert = { 0 }, key = { 0 };
	int r;

	if ((r = db_setting_get(db, SETTING_CERT, &cert, err)) == 0 &&
	    (r = db_setting_get(db, SETTING_KEY, &key, err)) == 0)
		r = identity_from_pem(span_of(cert.data, cert.len), span_of(key.data, key.len),
				      false, err, ret);
	buf_free(&cert);
	buf_free(&key);
	return r;
}

static int make_identity(struct host *h, struct db *db, struct identity **ret, struct err *err)
{
	struct buf cert = { 0 }, key = { 0 };
	struct identity *id = NULL;
	int r;

	if ((r = identity_new(h, err, &id)) == 0 &&
	    (r = identity_to_pem(id, &cert, &key, err)) == 0 &&
	    (r = db_setting_put(db, SETTING_CERT, span_of(cert.data, cert.len), err)) == 0)
		r = db_setting_put(db, SETTING_KEY, span_of(key.data, key.len), err);
	buf_free(&cert);
	buf_free(&key);
	if (r < 0)
		identity_free(id);
	else
		*ret = id;
	return r;
}

static int read_secret(struct db *db, const char *name, uint8_t ret[32], struct err *err)
{
	struct buf b = { 0 };
	int r = db_setting_get(db, name, &b, err);

	if (r == 0 && b.len != 32)
		r = err_set(err, -EINVAL, "the key \"%s\" in the database is damaged.", name);
	if (r == 0)
		memcpy(ret, b.data, 32);
	secret_wipe(b.data, b.len);
	buf_free(&b);
	return r;
}

static int make_secret(struct host *h, struct db *db, const char *name, uint8_t ret[32],
		       struct err *err)
{
	int r = read_secret(db, name, ret, err);

	if (r != -ENOENT)
		return r;
	random_fill(h, ret, 32);
	return db_setting_put(db, name, span_of(ret, 32), err);
}

static int public_half(struct server_keys *keys, struct err *err)
{
	if (seed_public(keys->order_seed, keys->order_key) < 0)
		return err_set(err, -EIO, "the order key in the database cannot be used.");
	return 0;
}

/*
 * Returns -ENOENT if something is still to be made. Needs no lock, which another program may hold.
 */
static int read_keys(struct db *db, struct identity **ret, struct server_keys *keys,
		     struct err *err)
{
	struct identity *id = NULL;
	int r = read_secret(db, SETTING_SIGNING_KEY, keys->tokens, err);

	if (r == 0)
		r = read_secret(db, SETTING_ORDER_KEY, keys->order_seed, err);
	if (r == 0)
		r = public_half(keys, err);
	if (r == 0 && ret)
		r = bootstrap_identity(db, &id, err);
	if (r == 0 && ret)
		*ret = id;
	return r;
}

static int make_secrets(struct host *h, struct db *db, struct server_keys *keys, struct err *err)
{
	int r = make_secret(h, db, SETTING_SIGNING_KEY, keys->tokens, err);

	if (r == 0)
		r = make_secret(h, db, SETTING_ORDER_KEY, keys->order_seed, err);
	return r < 0 ? r : public_half(keys, err);
}

int bootstrap_code_add(struct host *h, struct db *db, const char *preset, uint64_t ttl_s,
		       char ret[BOOTSTRAP_CODE_TEXT_MAX], struct err *err)
{
	uint8_t salt[CODE_SALT_LEN];
	int64_t now_s = clock_wall_s(h);

	if (preset)
		snprintf(ret, BOOTSTRAP_CODE_TEXT_MAX, "%s", preset);
	else
		bootstrap_code_new(h, ret);
	random_fill(h, salt, sizeof(salt));
	return db_code_add(db, ret, salt, now_s, ttl_s > 0 ? now_s + (int64_t)ttl_s : 0, err);
}

int bootstrap_keys(struct host *h, struct db *db, struct identity **ret,
		   struct server_keys *ret_keys, struct err *err)
{
	struct identity *id = NULL;
	int r = read_keys(db, ret, ret_keys, err);

	if (r != -ENOENT)
		return r;
	if ((r = db_begin(db, err)) < 0)
		return r;
	if (ret) {
		r = bootstrap_identity(db, &id, err);
		if (r == -ENOENT)
			r = make_identity(h, db, &id, err);
	}
	if (r == 0)
		r = make_secrets(h, db, ret_keys, err);
	if (r == 0)
		r = db_commit(db, err);
	if (r < 0) {
		db_rollback(db);
		identity_free(id);
		return r;
	}
	if (ret)
		*ret = id;
	return 0;
}

/* Returns 1 if a code is to be made, else 0. Sets *ret_first if it is the first one ever. */
static int first_code_due(struct host *h, struct db *db, const char *preset, bool *ret_first,
			  struct err *err)
{
	struct buf b = { 0 };
	struct code_info info;
	int r = db_setting_get(db, SETTING_FIRST_CODE, &b, err);

	buf_free(&b);
	*ret_first = r == -ENOENT;
	if (r < 0 && !*ret_first)
		return r;
	if (!*preset)
		return *ret_first;
	r = db_code_find(db, preset, clock_wall_s(h), &info, err);
	return r < 0 ? r : info.state == CODE_UNKNOWN;
}

/* In the open transaction. */
static int make_first_code(struct host *h, struct db *db, const char *preset,
			   char ret[BOOTSTRAP_CODE_TEXT_MAX], struct err *err)
{
	bool first;
	int r = first_code_due(h, db, preset, &first, err);

	if (r <= 0)
		return r;
	r = bootstrap_code_add(h, db, *preset ? preset : NULL, 0, ret, err);
	if (r == 0 && first)
		r = db_setting_put(db, SETTING_FIRST_CODE, span_str("made"), err);
	return r;
}

int bootstrap_first_code(struct host *h, struct db *db, const char *preset,
			 char ret[BOOTSTRAP_CODE_TEXT_MAX], struct err *err)
{
	bool first;
	int r = first_code_due(h, db, preset, &first, err);

	*ret = '\0';
	if (r <= 0)
		return r;
	if ((r = db_begin(db, err)) < 0)
		return r;
	r = make_first_code(h, db, preset, ret, err);
	if (r == 0)
		return db_commit(db, err);
	db_rollback(db);
	return r;
}

void bootstrap_token_format(const char *code, const struct identity *id,
			    char out[SETUP_TOKEN_TEXT_MAX])
{
	char fingerprint[2 * HASH_LEN + 1];

	hex_encode(identity_cert_sha256(id), HASH_LEN, fingerprint);
	snprintf(out, SETUP_TOKEN_TEXT_MAX, "%s@%s", code, fingerprint);
}
