/* SPDX-License-Identifier: MIT */
/* mlsh renew --ask and --consent: what two admins say and sign. */
#include "cli/renew_two.h"

#include <stdio.h>

#include "cli/code.h"
#include "cli/table.h"
#include "cli/waiting.h"
#include "cli/whom.h"
#include "client/renewal.h"
#include "membership/words.h"

/* --- to ask ----------------------------------------------------------------------------------- */

static int print_request(const struct governing *g, const struct member *second,
			 const struct renewal *r, bool json)
{
	char text[RENEWAL_TEXT_MAX];
	struct json_object *o;
	struct entry e;

	renewal_format(r, text);
	if (!json) {
		printf("Within 10 minutes, on %s:\n\n    mlsh renew %s --consent %s\n\n",
		       second->name, g->copy.cluster, text);
		table_line("",
			   "Until %s has agreed the old code stays in force: keep both papers "
			   "until `mlsh log` shows that the code was replaced, or a record that is "
			   "dated more than 10 minutes later.",
			   second->name);
		return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
	}
	if (entry_decode_half(span_of(r->half.data, r->half.len), &e, NULL) < 0)
		return EXIT_FAILED;
	o = json_object_new_object();
	json_object_object_add(o, "state", json_object_new_string("request"));
	json_object_object_add(o, "cluster", json_object_new_string(g->copy.cluster));
	json_object_object_add(o, "node", json_object_new_string(second->name));
	json_object_object_add(o, "request", json_object_new_string(text));
	json_object_object_add(o, "expires", json_object_new_uint64(e.time_s + ENTRY_WINDOW_S));
	json_print(o);
	return EXIT_OK;
}

int renew_ask(struct governing *g, const struct renew_two *o)
{
	struct govern author = governing_author(g);
	const struct member *second;
	uint8_t next[KEY_LEN] = { 0 };
	struct err err = { 0 };
	struct renewal r;
	int rc = whom_find(g, o->what, &second, &err);

	/* Would it be accepted? No code is printed if it would not. */
	if (rc == 0)
		rc = renewal_ask(&author, second, next, &r, &err);
	if (rc < 0)
		return cli_fail(&err);
	rc = code_announce(g->cli, g->copy.log, "renew", o->yes, o->json,
			   "Is the new code written down? It takes the place of the old one as "
			   "soon as the other admin agrees.",
			   next);
	if (rc != EXIT_OK)
		return rc;
	author = governing_author(g);
	if (renewal_ask(&author, second, next, &r, &err) < 0)
		return code_void(cli_fail(&err));
	return print_request(g, second, &r, o->json);
}

/* --- to consent ------------------------------------------------------------------------------- */

struct consent {
	struct renewal renewal;
	char author[LABEL_MAX + 1];
};

static int make(void *ctx, const struct govern *g, struct entry_bytes *ret, struct err *err)
{
	return renewal_consent(g, &((struct consent *)ctx)->renewal, ret, err);
}

static int read_request(const char *what, struct consent *ret, struct err *err)
{
	char text[RENEWAL_TEXT_MAX];
	int rc = cli_read_secret("request", what, text, sizeof(text), err);

	return rc < 0 ? rc : renewal_parse(text, &ret->renewal, err);
}

/* Whose request is it, and is it good? 1: it was carried out before. */
static int check(const struct governing *g, struct consent *c, struct err *err)
{
	struct govern author = governing_author(g);
	const struct member *m;
	struct entry_bytes b; /* not given to anybody yet */
	int rc = renewal_author(&author, &c->renewal, &m, err);

	if (rc < 0)
		return rc;
	snprintf(c->author, sizeof(c->author), "%s", m->name);
	return renewal_consent(&author, &c->renewal, &b, err);
}

/* A denied admin counts as one until its removal is ordered, and may be a thief by now. */
static void note_denied(void *ctx, const struct member *removed, const struct member *by)
{
	const struct consent *c = ctx;

	if (strcmp(removed->name, c->author) == 0)
		cli_note(
			"Take care: a removal of %s by %s waits for the signal server. Its key may "
			"be somebody else's by now.",
			removed->name, by ? by->name : "an admin");
}

static int ask_person(const struct governing *g, struct consent *c, bool yes)
{
	char when[WORDS_TIME_MAX];
	struct entry e;

	if (entry_decode_half(span_of(c->renewal.half.data, c->renewal.half.len), &e, NULL) < 0)
		return EXIT_FAILED;
	cli_note("%s asks to replace the recovery code of %s (signed with its key, %s).", c->author,
		 g->copy.cluster, words_time_utc(e.time_s, when));
	cli_note("Whoever has the new code can take the cluster over. %s printed it; the old "
		 "paper is worth nothing after this.",
		 c->author);
	waiting_each(g->cli, &g->copy, note_denied, c);
	return cli_confirm("renew", yes, "Do you know that the admin of that machine wants this?");
}

static void print(const struct governing *g, const struct consent *c, const struct governed *r,
		  bool json)
{
	struct json_object *o;

	if (json) {
		o = governed_json(g, r);
		json_object_object_add(o, "node", json_object_new_string(c->author));
		json_print(o);
	} else if (r->changed) {
		table_line("", "The code that %s printed is the recovery code of %s (record %llu).",
			   c->author, g->copy.cluster, (unsigned long long)r->seq);
	} else {
		table_line("", "The code that %s printed is the recovery code of %s already.",
			   c->author, g->copy.cluster);
	}
}

/* It failed with `err`: is the new code in force? Returns 0 if it is, else the error. */
static int look_again(struct governing *g, struct consent *c, const struct err *err,
		      struct governed *ret)
{
	struct err other = { 0 };
	struct entry e;

	if (g->copy.connected)
		copy_refresh(g->cli, &g->copy);
	if (entry_decode_half(span_of(c->renewal.half.data, c->renewal.half.len), &e, NULL) == 0 &&
	    check(g, c, &other) == GOVERN_DONE) {
		*ret = (struct governed){ .changed = true,
					  .ordered = true,
					  .seq = mlog_find(g->copy.log, e.payload_hash) };
		return 0;
	}
	if (err->reason == REFUSAL_UNREACHABLE)
		cli_note("The request put no code in force.");
	else if (governed_may_be_ordered(err))
		cli_note("The server may have put the new code in force all the same. The same "
			 "command again, within the 10 minutes of the request, does it or says "
			 "that it is done. Keep both papers until then.");
	else
		cli_note("The request put no code in force. Keep both papers until `mlsh log` "
			 "shows another renewal, or a record that is dated more than 10 minutes "
			 "after the request: until then a server that lies could still take it.");
	return err->code;
}

int renew_consent(struct governing *g, const struct renew_two *o)
{
	struct governed done = { .changed = false, .ordered = true };
	struct err err = { 0 };
	struct consent c;
	int rc = read_request(o->what, &c, &err), code = EXIT_OK;

	if (rc == 0)
		rc = check(g, &c, &err);
	if (rc == 0)
		code = ask_person(g, &c, o->yes);
	if (rc == 0 && code == EXIT_OK) {
		rc = governing_submit(g, make, &c, &done, &err);
		if (rc < 0)
			rc = look_again(g, &c, &err, &done);
	}
	if (rc >= 0 && code == EXIT_OK)
		print(g, &c, &done, o->json);
	return rc < 0 ? cli_fail(&err) : code;
}
