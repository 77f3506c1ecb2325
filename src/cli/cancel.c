/* SPDX-License-Identifier: MIT */
/* mlsh cancel: ends an open invite before its time. */
#include <json-c/json.h>
#include <stdio.h>

#include "cli/governing.h"
#include "cli/names.h"
#include "cli/notes.h"
#include "cli/table.h"

#define ID_MIN 4

enum { JSON };

struct found {
	const char *id; /* as it was typed */
	char cluster[LABEL_MAX + 1];
	uint8_t nonce[NONCE_LEN];
	size_t n; /* invites that have it */
};

static bool begins_with(const uint8_t nonce[NONCE_LEN], const char *id)
{
	char hex[2 * NONCE_LEN + 1];

	hex_encode(nonce, NONCE_LEN, hex);
	return strncmp(hex, id, strlen(id)) == 0;
}

static void add(struct found *f, const char *cluster, const uint8_t nonce[NONCE_LEN])
{
	if (f->n > 0 && memcmp(f->nonce, nonce, NONCE_LEN) == 0)
		return;
	f->n++;
	memcpy(f->nonce, nonce, NONCE_LEN);
	snprintf(f->cluster, sizeof(f->cluster), "%s", cluster);
}

static void look_in_book(struct cli *c, const char *cluster, struct found *f)
{
	struct invite_book b = { .n = 0 };

	if (invite_book_load(c->host, &c->store, cluster, &b, NULL) < 0)
		return;
	for (size_t i = 0; i < b.n; i++)
		if (begins_with(b.item[i].note.nonce, f->id))
			add(f, cluster, b.item[i].note.nonce);
	invite_book_free(&b);
}

/* One that is not in the list any more was used or cancelled, and the log says which. */
static void look_in_log(struct cli *c, const char *cluster, struct found *f)
{
	struct copy p = { .log = NULL };
	struct record r;
	struct entry e;

	if (copy_open(c, cluster, &p, NULL) < 0)
		return;
	for (uint64_t seq = 0; mlog_get(p.log, seq, &r, &e) == 0; seq++) {
		const uint8_t *nonce = e.type == ENTRY_ADMIT ? e.admit.invite_decoded.nonce
				       : e.type == ENTRY_CANCEL && e.cancel.what == CANCEL_INVITE
					       ? e.cancel.nonce
					       : NULL;

		if (nonce && begins_with(nonce, f->id))
			add(f, cluster, nonce);
	}
	copy_free(&p);
}

static int find(struct cli *c, struct found *f, struct err *err)
{
	struct cluster_names l;

	names_list(c, &l);
	if (l.n == 0) {
		char none[LABEL_MAX + 1];

		return copy_name(c, NULL, none, err);
	}
	for (size_t i = 0; i < l.n; i++)
		look_in_book(c, l.name[i], f);
	for (size_t i = 0; f->n == 0 && i < l.n; i++)
		look_in_log(c, l.name[i], f);
	if (f->n == 1)
		return 0;
	if (f->n > 1)
		return err_set(err, -EINVAL, "several invites have the id %s: type more of it",
			       f->id);
	return err_set(err, -ENOENT,
		       "you made no invite %s on this machine; `mlsh invites` lists your open "
		       "invites",
		       f->id);
}

static int check_id(const char *id, struct err *err)
{
	size_t n = strlen(id);

	if (n >= ID_MIN && n <= 2 * NONCE_LEN && strspn(id, "0123456789abcdef") == n)
		return 0;
	return err_set(err, -EINVAL,
		       "'%.40s' is not the id of an invite: `mlsh invites` shows them, such as "
		       "0b1c2d3e",
		       id);
}

static int make(void *ctx, const struct govern *g, struct entry_bytes *ret, struct err *err)
{
	const struct found *f = ctx;

	return govern_cancel_invite(g, f->nonce, ret, err);
}

/* It is in the log: the list does not need it any more. */
static void strike_off(struct cli *c, const struct found *f)
{
	struct invite_book b = { .n = 0 };
	struct err err = { 0 };
	size_t kept = 0;
	int rc = invite_book_load(c->host, &c->store, f->cluster, &b, &err);

	for (size_t i = 0; i < b.n; i++)
		if (memcmp(b.item[i].note.nonce, f->nonce, NONCE_LEN) != 0)
			b.item[kept++] = b.item[i];
	b.n = kept;
	if (rc == 0)
		rc = invite_book_save(c->host, &c->store, f->cluster, &b, &err);
	if (rc < 0)
		log_warn(host_log(c->host), "%s", err.text);
	invite_book_free(&b);
}

static void print(const struct governing *g, const struct found *f, const struct governed *r,
		  bool json)
{
	char id[INVITE_ID_LEN + 1];
	struct json_object *o;

	invite_id(f->nonce, id);
	if (!json) {
		table_line("",
			   r->changed ? "The invite %s is cancelled."
				      : "The invite %s was cancelled already.",
			   id);
		return;
	}
	o = governed_json(g, r);
	json_object_object_add(o, "id", json_object_new_string(id));
	json_print(o);
}

static int cancel(struct cli *c, const struct options_given *o)
{
	struct found f = { .id = o->arg[0] };
	struct governing g = { .cli = c };
	struct governed r;
	struct err err = { 0 };
	int rc = check_id(f.id, &err);

	if (rc < 0)
		return cli_usage("cancel", "%s", err.text);
	rc = find(c, &f, &err);
	if (rc == 0)
		rc = governing_open(c, f.cluster, &g, &err);
	if (rc == 0)
		rc = governing_submit(&g, make, &f, &r, &err);
	if (rc == 0) {
		strike_off(c, &f);
		print(&g, &f, &r, o->value[JSON] != NULL);
	}
	governing_close(&g);
	return rc < 0 ? cli_fail(&err) : EXIT_OK;
}

const struct command cancel_command = {
	.name = "cancel",
	.summary = "end an open invite before its time",
	.options = {
		.program = "mlsh cancel",
		.usage = "<id> [--json]",
		.about = "Ends an invite that was made on this machine and that nobody has used: "
			 "from then on nobody can join with it. `mlsh invites` shows the ids. It "
			 "is no error if it was cancelled before; if it was used, the message says "
			 "by whom.",
		.missing = "the id of one invite is needed (`mlsh invites` shows them)",
		.min_args = 1,
		.max_args = 1,
		.row = { [JSON] = { "json", 0, NULL, "print the result as JSON" } },
	},
	.run = cancel,
};
