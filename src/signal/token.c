/* SPDX-License-Identifier: AGPL-3.0-only */
/* Further setup tokens. */
#include "signal/token.h"

#include "base/duration.h"
#include "identity/identity.h"

int token_ttl_parse(const char *text, uint64_t *ret, struct err *err)
{
	uint64_t n;

	if (duration_parse(text, &n) < 0 || n == 0 || n > TOKEN_TTL_MAX_S)
		return err_set(err, -EINVAL,
			       "--ttl takes " DURATION_FORMS ", from 1 to %llu s, not '%.40s'",
			       (unsigned long long)TOKEN_TTL_MAX_S, text);
	*ret = n;
	return 0;
}

/* Makes the code, in a transaction of its own. */
static int add_code(struct host *h, struct db *db, uint64_t ttl_s,
		    char code[BOOTSTRAP_CODE_TEXT_MAX], struct err *err)
{
	struct err later = { 0 };
	int r = db_begin(db, err);

	if (r < 0)
		return r;
	r = bootstrap_code_add(h, db, NULL, ttl_s, code, err);
	if (r == 0)
		r = db_commit(db, err);
	else
		db_rollback(db);
	/* if a server runs, it does that with its own next commit */
	if (r == 0 && db_checkpoint(db, false, &later) < 0)
		log_debug(host_log(h), "%s", later.text);
	return r;
}

int token_make(struct host *h, const struct signal_config *cfg, uint64_t ttl_s,
	       char ret[SETUP_TOKEN_TEXT_MAX], struct err *err)
{
	char code[BOOTSTRAP_CODE_TEXT_MAX] = "";
	struct identity *own = NULL;
	struct db *db = NULL;
	int r = db_open(cfg->db_path, false, err, &db);

	if (r == -ENOENT)
		err_set(err, r,
			"There is no database %s: start mlsh-signal first, it prints the "
			"first token.",
			cfg->db_path);
	if (r == -EACCES)
		err_set(err, r,
			"The database %s belongs to another user: run this as root (`sudo "
			"mlsh-signal token`), or as the user that the server runs as.",
			cfg->db_path);
	if (r == 0 && !cfg->identity) {
		r = bootstrap_identity(db, &own, err);
		if (r == -ENOENT)
			err_set(err, r,
				"The database %s is empty: start mlsh-signal first, it "
				"prints the first token.",
				cfg->db_path);
	}
	if (r == 0)
		r = add_code(h, db, ttl_s, code, err);
	if (r == 0)
		bootstrap_token_format(code, own ? own : cfg->identity, ret);
	secret_wipe(code, sizeof(code));
	identity_free(own);
	db_close(db);
	return r;
}
