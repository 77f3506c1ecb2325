/* SPDX-License-Identifier: MIT */
/* mlsh rotate: a new key for this node. */
#include <json-c/json.h>
#include <stdio.h>

#include "cli/ask_log.h"
#include "cli/governing.h"
#include "cli/hand_over.h"
#include "cli/notes.h"
#include "cli/table.h"
#include "cli/waiting.h"
#include "client/rotation.h"
#include "identity/identity.h"

enum { JSON };

struct result {
	size_t invites;	 /* open ones, which are worth nothing now */
	size_t removals; /* by this node, which wait and were signed again */
	size_t lost;	 /* that could not be signed again */
};

static int make(void *ctx, const struct govern *g, struct entry_bytes *ret, struct err *err)
{
	return govern_rotate(g, ctx, ret, err);
}

/* --- what the new key costs ------------------------------------------------------------------- */

/* The sponsor's key is in the invites: they end with it. */
static void drop_invites(struct cli *c, const struct copy *p)
{
	struct invite_book b = { .n = 0 };
	struct err err = { 0 };

	if (notes_open(c, p->cluster, NULL, &b, &err) == 0) {
		b.n = 0;
		if (invite_book_save(c->host, &c->store, p->cluster, &b, &err) < 0)
			log_warn(host_log(c->host), "%s", err.text);
	}
	invite_book_free(&b);
}

/* How many are open, by the earlier log: the rotation ended all of them. */
static uint64_t count_invites(struct cli *c, const struct copy *p)
{
	struct invite_book b = { .n = 0 };
	uint64_t n = notes_open(c, p->cluster, p->log, &b, NULL) == 0 ? b.n : 0;

	invite_book_free(&b);
	return n;
}

struct own_removals {
	struct node_id self;
	struct id_list ids;
};

/* Such a removal ends with the key that signed it. */
static void add_own(void *ctx, const struct member *removed, const struct member *by)
{
	struct own_removals *own = ctx;

	if (by && node_id_equal(&by->id, &own->self) && own->ids.n < REMOVE_IDS_MAX)
		own->ids.id[own->ids.n++] = removed->id;
}

static int make_removal(void *ctx, const struct govern *g, struct entry_bytes *ret, struct err *err)
{
	return govern_remove(g, ctx, ret, err);
}

static void sign_again(struct cli *c, const char *cluster, struct id_list *ids, struct result *ret)
{
	struct governing g = { .cli = c };
	struct governed r;
	struct err err = { 0 };
	int rc;

	if (ids->n == 0)
		return;
	rc = governing_open(c, cluster, &g, &err);
	if (rc == 0)
		rc = governing_submit(&g, make_removal, ids, &r, &err);
	if (rc == 0)
		ret->removals = ids->n;
	else
		ret->lost = ids->n;
	governing_close(&g);
}

/* --- the command ------------------------------------------------------------------------------ */

/* It is in the log: the files get the new key, then the daemon. */
static int put_in_place(struct cli *c, struct copy *p, bool resumed, struct err *err)
{
	int rc = 1;

	copy_refresh(c, p);
	if (!resumed)
		rc = rotation_settle(c->host, &c->store, p->cluster, p->log, err);
	if (rc == 0)
		rc = err_set(err, -EAGAIN,
			     "the new key of this node is ordered, but this machine's copy of the "
			     "log does not show it yet: run `mlsh connect %s`",
			     p->cluster);
	if (rc < 0)
		return rc;
	return p->connected ? cli_hand_over(c, p->cluster, err, NULL) : 0;
}

/* Asks the server; an unknown one, or one that cannot be reached, is no failure here. */
static void fetch_newer(struct cli *c, struct governing *g)
{
	const struct cluster_file *f = &g->copy.file;
	struct ask_log a = ask_log_of(c, &g->copy, g->identity, f);
	struct err err = { 0 };

	if (ask_log(&a, &err) < 0 || store_save_log(c->host, &c->store, f, g->copy.log, &err) < 0)
		log_debug(host_log(c->host), "%s", err.text);
}

/*
 * A rotation that was begun may have been ordered: the server then knows only the new key of this
 * node. *ret: it is complete now, and nothing is left to be signed.
 */
static int resume(struct cli *c, struct governing *g, bool *ret, struct err *err)
{
	int rc;

	*ret = false;
	if (!rotation_begun(c->host, &c->store, g->copy.cluster))
		return 0;
	if (!g->copy.connected)
		fetch_newer(c, g);
	rc = rotation_settle(c->host, &c->store, g->copy.cluster, g->copy.log, err);
	if (rc <= 0)
		return rc;
	*ret = !rotation_begun(c->host, &c->store, g->copy.cluster);
	identity_free(g->identity);
	g->identity = NULL;
	return store_identity(c->host, &c->store, g->copy.cluster, &g->identity, err);
}

static int turn(struct cli *c, struct governing *g, struct governed *ret, struct err *err)
{
	struct identity *next = NULL;
	int rc = 0;

	/* A daemon that has an older key than the files could have nothing ordered. */
	if (g->copy.connected && !rotation_begun(c->host, &c->store, g->copy.cluster))
		rc = cli_hand_over(c, g->copy.cluster, err, NULL);
	if (rc == 0)
		rc = rotation_next(c->host, &c->store, g->copy.cluster, &next, err);
	if (rc == 0)
		rc = governing_submit(g, make, next, ret, err);
	identity_free(next);
	return rc;
}

static void print_text(const struct copy *p, const struct result *r)
{
	table_line("",
		   "This node has a new key in %s. Its name, its address and what it may do "
		   "stay as they are.",
		   p->cluster);
	if (r->invites)
		table_line("",
			   "%zu open invite%s of this machine ended with the old key: `mlsh "
			   "invite %s` makes new ones.",
			   r->invites, r->invites == 1 ? "" : "s", p->cluster);
	if (r->removals)
		table_line("", "%zu removal%s that wait%s for the server %s signed again.",
			   r->removals, r->removals == 1 ? "" : "s", r->removals == 1 ? "s" : "",
			   r->removals == 1 ? "was" : "were");
}

static void note_lost(const struct result *r)
{
	if (r->lost)
		cli_note("%zu removal%s that waited for the server ended with the old key: "
			 "`mlsh status` shows who is in, `mlsh remove` removes again",
			 r->lost, r->lost == 1 ? "" : "s");
}

static void print(const struct governing *g, const struct governed *done, const struct result *r,
		  bool json)
{
	struct json_object *o;

	note_lost(r);
	if (!json) {
		print_text(&g->copy, r);
		return;
	}
	o = governed_json(g, done);
	json_object_object_add(o, "invites_ended", json_object_new_uint64(r->invites));
	json_object_object_add(o, "removals_signed", json_object_new_uint64(r->removals));
	json_object_object_add(o, "removals_lost", json_object_new_uint64(r->lost));
	json_print(o);
}

static int rotate(struct cli *c, const struct options_given *o)
{
	struct governing g = { .cli = c };
	struct own_removals own = { .ids = { .n = 0 } };
	struct governed done = { .changed = false, .ordered = true };
	struct result r = { .invites = 0 };
	struct err err = { 0 };
	bool resumed = false;
	int rc = governing_open(c, o->n_args ? o->arg[0] : NULL, &g, &err);

	if (rc == 0) {
		own.self = g.copy.file.node_id;
		waiting_each(c, &g.copy, add_own, &own);
		id_list_sort(&own.ids);
		r.invites = count_invites(c, &g.copy);
		rc = resume(c, &g, &resumed, &err);
	}
	if (rc == 0 && !resumed)
		rc = turn(c, &g, &done, &err);
	if (rc == 0) {
		/* what ended with the old key, also where the new one cannot be put in place yet */
		rc = put_in_place(c, &g.copy, resumed, &err);
		drop_invites(c, &g.copy);
		if (rc == 0)
			sign_again(c, g.copy.cluster, &own.ids, &r);
		else
			r.lost = own.ids.n;
		if (rc == 0)
			print(&g, &done, &r, o->value[JSON] != NULL);
		else
			note_lost(&r);
	}
	governing_close(&g);
	return rc < 0 ? cli_fail(&err) : EXIT_OK;
}

const struct command rotate_command = {
	.name = "rotate",
	.summary = "give this node a new key",
	.options = {
		.program = "mlsh rotate",
		.usage = "[<cluster>] [--json]",
		.about = "Makes a new key for this node and has it entered in the log, signed by "
			 "the old one and the new one. The others go on with this node in a "
			 "moment; name, address and role stay. At most 16 times in a node's life.\n"
			 "It is hygiene, for a key that has become old. It does not lock out a "
			 "thief who has the key and can do the same. A machine that was stolen or "
			 "broken into is removed with `mlsh remove`.\n"
			 "Open invites of this node end with the key that signed them. After an "
			 "interruption run the same command again.",
		.max_args = 1,
		.row = { [JSON] = { "json", 0, NULL, "print the result as JSON" } },
	},
	.run = rotate,
};
