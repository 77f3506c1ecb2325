/* SPDX-License-Identifier: MIT */
/* mlsh log: the audit trail in words; proof against a server that lies, and its verification. */
#include <json-c/json.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/daemon_status.h"
#include "cli/roots.h"
#include "cli/table.h"
#include "client/proof_file.h"
#include "membership/words.h"

enum { PROOF, CODE_PROOF, VERIFY, JSON };

/* --- the trail -------------------------------------------------------------------------------- */

static const char *name_of(const struct mlog *l, const struct node_id *id)
{
	const struct member *m = roster_by_id(mlog_roster(l), id, ROSTER_ALL);

	return m ? m->name : NULL;
}

/* Whose keys made the signatures: the author's, and the second one's if the type has one. */
static struct json_object *signers_of(const struct mlog *l, const struct entry *e)
{
	struct json_object *list = json_object_new_array();
	const char *author = name_of(l, &e->author), *second = NULL;

	if (e->type == ENTRY_ADMIT)
		second = name_of(l, &e->admit.invite_decoded.sponsor);
	else if (e->type == ENTRY_RENEW && !e->renew.by_code)
		second = name_of(l, &e->renew.second);
	json_object_array_add(list, json_object_new_string(author ? author : "recovery code"));
	if (second)
		json_object_array_add(list, json_object_new_string(second));
	return list;
}

static struct json_object *json_of(const struct mlog *l, const struct record *r,
				   const struct entry *e)
{
	struct json_object *o = json_object_new_object();
	struct record_words w;

	words_record(l, r, e, &w);
	json_object_object_add(o, "seq", json_object_new_uint64(r->order.seq));
	json_object_object_add(o, "generation", json_object_new_uint64(r->order.generation));
	json_object_object_add(o, "time", json_object_new_uint64(w.time_s));
	json_object_object_add(o, "signed", json_object_new_uint64(e->time_s));
	json_object_object_add(o, "type", json_object_new_string(entry_type_name(e->type)));
	json_object_object_add(o, "author", w.author ? json_object_new_string(w.author) : NULL);
	json_object_object_add(o, "signers", signers_of(l, e));
	json_object_object_add(o, "text", json_object_new_string(w.text));
	json_object_object_add(o, "hash", json_object_new_string(w.hash));
	return o;
}

/* `log`: of the daemon's status; NULL without one. */
static void trail_json(const struct copy *p, struct json_object *log)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	char id[2 * HASH_LEN + 1];
	struct record r;
	struct entry e;

	hex_encode(mlog_cluster_id(p->log), HASH_LEN, id);
	json_object_object_add(o, "schema", json_object_new_int(1));
	json_object_object_add(o, "cluster", json_object_new_string(p->cluster));
	json_object_object_add(o, "id", json_object_new_string(id));
	for (uint64_t seq = 0; mlog_get(p->log, seq, &r, &e) == 0; seq++)
		json_object_array_add(list, json_of(p->log, &r, &e));
	json_object_object_add(o, "records", list);
	for (size_t i = 0; i < STATUS_PROOFS; i++) {
		const char *name = status_proofs[i].member;

		json_object_object_add(o, name,
				       *js(log, name) ? json_object_new_string(js(log, name))
						      : NULL);
	}
	json_print(o);
}

/* "   3  2026-11-30 12:01  nas removed laptop": when by the server's clock, in UTC. */
static void trail_text(const struct copy *p)
{
	char when[WORDS_TIME_MAX];
	struct record_words w;
	struct record r;
	struct entry e;

	for (uint64_t seq = 0; mlog_get(p->log, seq, &r, &e) == 0; seq++) {
		words_record(p->log, &r, &e, &w);

		int at = printf("%4llu  %s  ", (unsigned long long)seq, words_time(w.time_s, when));

		options_wrap(stdout, w.text, (size_t)at, (size_t)at);
		putchar('\n');
	}
}

static void note_forks(struct json_object *log, const char *cluster)
{
	for (size_t i = 0; i < STATUS_PROOFS; i++) {
		const struct status_proof *p = &status_proofs[i];

		if (*js(log, p->member))
			cli_note("FORK: %s. `mlsh log %s --%s > FILE` gives out the proof.",
				 js(log, p->member), cluster, p->option);
	}
}

static int trail(struct cli *c, const char *cluster, bool json)
{
	struct json_object *status = NULL, *log;
	struct copy p = { .log = NULL };
	struct err err = { 0 };

	if (copy_open(c, cluster, &p, &err) < 0)
		return cli_fail(&err);
	if (daemon_status(c, p.cluster, NULL, &status) < 0)
		status = NULL; /* no daemon: nothing is proven here */
	log = json_object_object_get(status_cluster(status), "log");
	if (json)
		trail_json(&p, log);
	else
		trail_text(&p);
	note_forks(log, p.cluster);
	json_object_put(status);
	if (!p.connected)
		cli_note("%s is not connected here: this is the log as it was when it was last "
			 "saved",
			 p.cluster);
	copy_free(&p);
	return EXIT_OK;
}

/* --- the proof -------------------------------------------------------------------------------- */

static int print_proof(struct cli *c, const char *named, enum control_verb verb)
{
	struct control_request r = { .verb = verb };
	struct daemon_reply reply = { 0 };
	struct err err = { 0 };
	bool absent = false;
	int rc;

	if (isatty(STDOUT_FILENO))
		return cli_usage("log", "a proof is a file: add > FILE");
	rc = copy_name(c, named, r.cluster, &err);
	if (rc == 0) {
		rc = daemon_call(c, &r, &err, &reply);
		absent = daemon_is_absent(rc);
	}
	/* The file is no JSON; a refusal is. */
	if (rc == 0 && (reply.len == 0 || reply.data[0] == '{'))
		rc = daemon_reply_check(&reply, &err);
	if (rc == 0)
		fwrite(reply.data, 1, reply.len, stdout);
	daemon_reply_free(&reply);
	if (rc == 0)
		return EXIT_OK;
	(void)cli_fail(&err);
	return absent ? EXIT_NO_DAEMON : EXIT_FAILED;
}

/* --- verifying one ---------------------------------------------------------------------------- */

/* A record of either side in words; false if there is none to show. */
static bool side_words(const struct mlog *l, struct span record, char ret[WORDS_TEXT_MAX])
{
	struct record r;
	struct entry e;

	if (!record.len || record_decode(record, &r, NULL) < 0 ||
	    entry_decode(r.entry, &e, NULL) < 0)
		return false;
	words_entry(l, &r, &e, ret);
	return true;
}

static void verdict_text(const struct proof_verdict *v)
{
	bool code = v->take.result == TAKEN_CODE_MISUSED;
	const char *name = mlog_genesis(v->log)->name;
	char id[2 * HASH_LEN + 1], key[2 * KEY_LEN + 1], text[WORDS_TEXT_MAX];

	hex_encode(mlog_cluster_id(v->log), HASH_LEN, id);
	hex_encode(mlog_server(v->log)->order_key, KEY_LEN, key);
	table_line("", "PROVEN: %s of cluster %s %s: %s.",
		   code ? "the recovery code" : "the signal server", name,
		   code ? "was misused" : "lied, or was restored from an old copy and written to",
		   v->take.why.text);
	printf("\n");
	if (side_words(v->log, mlog_record(v->log, v->take.seq), text))
		table_line("  ours    ", "record %llu: %s", (unsigned long long)v->take.seq, text);
	if (side_words(v->log, v->shown, text))
		table_line("  theirs  ", "record %llu: %s", (unsigned long long)v->take.seq, text);
	printf("\n  cluster id %s\n  order key  %s\n\n", id, key);
	table_line("", "It proves something about your cluster only if that is its id: `mlsh "
		       "status --json` has it as log.cluster_id.");
}

static void verdict_json(const struct proof_verdict *v, const struct err *why)
{
	struct json_object *o = json_object_new_object();
	bool proven = why->code == 0, code = v->take.result == TAKEN_CODE_MISUSED;
	const struct mlog *l = proven ? v->log : NULL;
	char id[2 * HASH_LEN + 1], key[2 * KEY_LEN + 1];

	if (l) {
		hex_encode(mlog_cluster_id(l), HASH_LEN, id);
		hex_encode(mlog_server(l)->order_key, KEY_LEN, key);
	}
	json_object_object_add(o, "proven", json_object_new_boolean(proven));
	json_object_object_add(o, "against",
			       proven ? json_object_new_string(code ? "recovery-code" : "server")
				      : NULL);
	json_object_object_add(o, "cluster",
			       l ? json_object_new_string(mlog_genesis(l)->name) : NULL);
	json_object_object_add(o, "id", l ? json_object_new_string(id) : NULL);
	json_object_object_add(o, "order_key", l ? json_object_new_string(key) : NULL);
	json_object_object_add(o, "seq", l ? json_object_new_uint64(v->take.seq) : NULL);
	json_object_object_add(o, "why",
			       json_object_new_string(proven ? v->take.why.text : why->text));
	json_print(o);
}

/* Offline, and without a cluster: whoever has the file can do it. */
static int verify(struct cli *c, const char *path, bool json)
{
	struct proof_verdict v = { .log = NULL };
	struct err err = { 0 };
	struct buf b = { 0 };
	int rc = file_read(c->host, path, PROOF_FILE_MAX, &err, &b);

	if (rc < 0)
		return cli_fail(&err);
	rc = proof_file_verify(c->host, span_of(b.data, b.len), &v, &err);
	if (rc < 0)
		err_prefix(&err, "%s proves nothing", path);
	if (json)
		verdict_json(&v, &err);
	else if (rc == 0)
		verdict_text(&v);
	else
		(void)cli_fail(&err);
	proof_verdict_free(&v);
	buf_free(&b);
	return rc < 0 ? EXIT_FAILED : EXIT_OK;
}

static int show_log(struct cli *c, const struct options_given *g)
{
	const char *cluster = g->n_args ? g->arg[0] : NULL;
	bool json = g->value[JSON] != NULL, proof = g->value[PROOF] || g->value[CODE_PROOF];

	if (g->value[VERIFY] && (cluster || proof))
		return cli_usage("log", "--verify needs a file only");
	if (g->value[PROOF] && g->value[CODE_PROOF])
		return cli_usage("log", "--proof and --code-proof are two files");
	if (proof && json)
		return cli_usage("log", "a proof is a file, not JSON");
	if (g->value[VERIFY])
		return verify(c, g->value[VERIFY], json);
	if (!proof)
		return trail(c, cluster, json);
	return print_proof(c, cluster, g->value[PROOF] ? CONTROL_PROOF : CONTROL_CODE_PROOF);
}

const struct command log_command = {
	.name = "log",
	.summary = "show who did what and when; proof of a lying server",
	.options = {
		.program = "mlsh log",
		.usage = "[<cluster>] [--json] | --proof > FILE | --code-proof > FILE | "
			 "--verify FILE",
		.about = "Prints the membership log in words: which nodes joined, were removed or "
			 "promoted, when (UTC, by the server's clock), and by whose signature. "
			 "This machine has verified every one of them.\n"
			 "A server that has signed two different histories is caught by its own "
			 "signatures: `mlsh status` says so then, and --proof prints them. "
			 "So is a recovery code that was used twice, with --code-proof. "
			 "Whoever has that file can check it with --verify, on any machine, "
			 "without a cluster and without the server.",
		.max_args = 1,
		.row = {
			[PROOF] = { "proof", 0, NULL,
				    "print the proof against the server that this node has kept" },
			[CODE_PROOF] = { "code-proof", 0, NULL,
					 "the same of a recovery code that was misused" },
			[VERIFY] = { "verify", 0, "FILE",
				     "check a proof; the exit code is 0 if it holds" },
			[JSON] = { "json", 0, NULL, "print JSON (docs/json.md)" },
		},
	},
	.run = show_log,
};
