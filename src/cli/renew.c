/* SPDX-License-Identifier: MIT */
/* mlsh renew: puts a new recovery code in the place of the one on paper. */
#include <json-c/json.h>

#include "cli/code.h"
#include "cli/renew_two.h"
#include "cli/table.h"
#include "crypto/hash.h"
#include "os/loop.h"

enum { ASK, CONSENT, YES, JSON };

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

static bool in_force(const struct mlog *log, const uint8_t key[KEY_LEN])
{
	uint8_t hash[HASH_LEN];

	sha256(span_of(key, KEY_LEN), hash);
	return mlog_recovery_is(log, hash);
}

/* It failed with `err`: which code is in force? Returns 0 if it is the next one, else the error. */
static int look_again(struct governing *g, const struct wish *w, const struct err *err,
		      struct governed *ret)
{
	if (g->copy.connected)
		copy_refresh(g->cli, &g->copy);
	*ret = (struct governed){ .changed = true,
				  .ordered = true,
				  .seq = code_record(g->copy.log) };
	if (in_force(g->copy.log, w->next))
		return 0;
	if (in_force(g->copy.log, w->key) && err->reason == REFUSAL_UNREACHABLE)
		cli_note("The code that was printed just now is worth nothing: throw it away. The "
			 "old one stays in force.");
	else if (in_force(g->copy.log, w->key) && !governed_may_be_ordered(err))
		cli_note("The old code stays in force. Keep the new one, too, until the same "
			 "command has succeeded, or `mlsh log` shows a record that is dated more "
			 "than 10 minutes later: until then a server that lies could still take "
			 "it.");
	else if (in_force(g->copy.log, w->key))
		cli_note("Keep both codes: the old one is in force as far as this machine knows, "
			 "but the server may have taken the new one. `mlsh renew` takes the one "
			 "that is in force, and refuses the other.");
	else
		cli_note("The code that was printed just now is worth nothing: throw it away. The "
			 "one in force was printed for record %llu.",
			 (unsigned long long)ret->seq);
	return err->code;
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

static int by_code(struct governing *g, bool yes, bool json)
{
	struct wish w = { .now_s = 0 };
	struct governed r = { .changed = false };
	struct err err = { 0 };
	int rc = code_read(mlog_genesis(g->copy.log)->random, w.seed, w.key, &err), code = EXIT_OK;

	if (rc == 0)
		rc = in_force(g->copy.log, w.key) ? 0 : code_refuse(g->copy.log, &err);
	if (rc == 0)
		code = code_announce(g->cli, g->copy.log, "renew", yes, json,
				     "Is the new code written down? The old one is worth nothing "
				     "after this.",
				     w.next);
	if (rc == 0 && code == EXIT_OK) {
		w.now_s = governing_author(g).now_s; /* a person may take long */
		rc = governing_submit(g, make, &w, &r, &err);
		if (rc < 0)
			rc = look_again(g, &w, &err, &r);
		if (rc == 0)
			print(g, &r, json);
	}
	secret_wipe(&w, sizeof(w));
	return rc < 0 ? cli_fail(&err) : code;
}

static int renew(struct cli *c, const struct options_given *o)
{
	const char *ask = o->value[ASK], *consent = o->value[CONSENT];
	struct renew_two two = { .what = ask ? ask : consent,
				 .yes = o->value[YES] != NULL,
				 .json = o->value[JSON] != NULL };
	struct governing g = { .cli = c };
	struct err err = { 0 };
	int code;

	if (ask && consent)
		return cli_usage("renew", "--ask is for one admin, --consent for the other one");
	if (governing_open(c, o->n_args ? o->arg[0] : NULL, &g, &err) < 0)
		code = cli_fail(&err);
	else if (ask)
		code = renew_ask(&g, &two);
	else if (consent)
		code = renew_consent(&g, &two);
	else
		code = by_code(&g, two.yes, two.json);
	governing_close(&g);
	return code;
}

const struct command renew_command = {
	.name = "renew",
	.summary = "put a new recovery code in the place of the old one",
	.options = {
		.program = "mlsh renew",
		.usage = "[<cluster>] [options]",
		.about = "For a paper that others may have seen: asks for the recovery code in "
			 "force, or reads it from standard input, and prints a new one, which "
			 "takes its place. For a paper that is lost, two admins do it: one runs "
			 "this with --ask, and the other one types the line that it prints. "
			 "Nothing else changes. With one admin only a lost paper cannot be "
			 "renewed.",
		.max_args = 1,
		.row = {
			[ASK] = { "ask", 0, "NODE",
				  "without the code: prints a new one, and a request to the admin "
				  "NODE, good for 10 minutes" },
			[CONSENT] = { "consent", 0, "REQUEST",
				      "as that admin, agrees to the request; - reads it from "
				      "standard input" },
			[YES] = { "yes", 0, NULL, "do not ask" },
			[JSON] = { "json", 0, NULL,
				   "print a line of JSON for a code, and one at the end" },
		},
	},
	.run = renew,
};
