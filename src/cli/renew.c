/* SPDX-License-Identifier: MIT */
/* mlsh renew: puts a new recovery code in the place of the one on paper. */
#include <json-c/json.h>
#include <stdio.h>

#include "cli/code.h"
#include "cli/governing.h"
#include "cli/table.h"
#include "os/loop.h"

enum { YES, JSON };

struct wish {
	uint8_t seed[SIGN_SEED_LEN], key[KEY_LEN]; /* of the code in force */
	uint8_t next[KEY_LEN];
	uint64_t now_s;
};

/* The code signs it, so that any member may bring it. */
static int make(void *ctx, const struct govern *g, struct entry_bytes *ret, struct err *err)
{
	struct wish *w = ctx;
	struct signer signer = { .seed = w->seed };
	struct entry e = { .type = ENTRY_RENEW,
			   .time_s = MAX(w->now_s, mlog_last_time_s(g->log)),
			   .author = key_node_id(w->key),
			   .base = mlog_head(g->log) };

	e.renew.by_code = true;
	memcpy(e.renew.key, w->key, KEY_LEN);
	sha256(span_of(w->next, KEY_LEN), e.renew.next);
	return entry_make(&e, mlog_cluster_id(g->log), &signer, NULL, ret, err);
}

static int check_code(const struct governing *g, const struct wish *w, struct err *err)
{
	uint8_t hash[HASH_LEN];

	sha256(span_of(w->key, KEY_LEN), hash);
	return mlog_recovery_is(g->copy.log, hash)
		       ? 0
		       : err_set(err, -EACCES,
				 "the recovery code is not the one of cluster %s that is in force",
				 g->copy.cluster);
}

/* Prints the next code and asks. Returns an exit code; EXIT_OK: to be sent. */
static int announce(struct governing *g, struct wish *w, const struct options_given *o)
{
	char next[RECOVERY_CODE_TEXT_MAX];
	bool printed;

	if (recovery_code_new(g->cli->host, mlog_genesis(g->copy.log)->random, next, w->next) < 0) {
		cli_complain("cannot make a recovery code");
		return EXIT_FAILED;
	}
	printed = code_print(g->copy.cluster, next, o->value[JSON] != NULL);
	secret_wipe(next, sizeof(next));
	if (!printed) {
		cli_complain("the new recovery code could not be printed; nothing was sent");
		return EXIT_FAILED;
	}
	return cli_confirm(
		"renew", o->value[YES] != NULL,
		"Is the new code written down? The old one is worth nothing after this.");
}

static void print(const struct governing *g, const struct governed *r, bool json)
{
	if (json)
		json_print(governed_json(g, r));
	else
		table_line("",
			   "The new code is the recovery code of %s (record %llu). Burn the old "
			   "paper.",
			   g->copy.cluster, (unsigned long long)r->seq);
}

static int renew(struct cli *c, const struct options_given *o)
{
	struct governing g = { .cli = c };
	struct wish w = { .now_s = (uint64_t)MAX(clock_wall_s(c->host), 0) };
	struct governed r = { .changed = false };
	struct err err = { 0 };
	int rc = governing_open(c, o->n_args ? o->arg[0] : NULL, &g, &err), code = EXIT_OK;

	if (rc == 0)
		rc = code_read(mlog_genesis(g.copy.log)->random, w.seed, w.key, &err);
	if (rc == 0)
		rc = check_code(&g, &w, &err);
	if (rc == 0)
		code = announce(&g, &w, o);
	if (rc == 0 && code == EXIT_OK) {
		rc = governing_submit(&g, make, &w, &r, &err);
		if (rc == 0)
			print(&g, &r, o->value[JSON] != NULL);
		else
			cli_note("If the record was made all the same, the new code is in force: "
				 "`mlsh log` shows it. Else the old one is.");
	}
	governing_close(&g);
	secret_wipe(&w, sizeof(w));
	return rc < 0 ? cli_fail(&err) : code;
}

const struct command renew_command = {
	.name = "renew",
	.summary = "put a new recovery code in the place of the old one",
	.options = {
		.program = "mlsh renew",
		.usage = "[<cluster>] [options]",
		.about = "For a paper that others may have seen. Asks for the recovery code in "
			 "force, or reads it from standard input, and prints a new one, which "
			 "takes its place; nothing else changes. A paper that is lost cannot be "
			 "renewed by this: it takes the code.",
		.max_args = 1,
		.row = {
			[YES] = { "yes", 0, NULL, "do not ask" },
			[JSON] = { "json", 0, NULL,
				   "print a line of JSON for the code, and one at the end" },
		},
	},
	.run = renew,
};
