/* SPDX-License-Identifier: AGPL-3.0-only */
/* What the database holds, printed: made as JSON, and put into tables for people. */
#include <json-c/json.h>
#include <stdio.h>

#include "base/options.h"
#include "base/table.h"
#include "membership/words.h"
#include "signal/operator.h"

#define ID_SHOWN 8

static struct json_object *text_or_null(const char *text)
{
	return text && *text ? json_object_new_string(text) : NULL;
}

static const char *member_of(struct json_object *o, const char *key)
{
	const char *s = json_object_get_string(json_object_object_get(o, key));

	return s ? s : "-";
}

static const char *time_of(struct json_object *o, const char *key, char out[WORDS_TIME_MAX])
{
	struct json_object *v = json_object_object_get(o, key);

	return v ? words_time(json_object_get_uint64(v), out) : "-";
}

/* Prints and frees. */
static void print_json(struct json_object *o)
{
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
						       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

static struct json_object *begin(void)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "schema", json_object_new_int(1));
	return o;
}

/* Begins what is printed about one cluster; finds the cluster and its log. */
static int begin_about(const struct view *v, const char *cluster,
		       const struct view_cluster **ret_cluster, const struct mlog **ret_log,
		       struct json_object **ret, struct err *err)
{
	int r = view_find(v, cluster, ret_cluster, err);

	if (r == 0)
		r = view_log(v, *ret_cluster, ret_log, err);
	if (r < 0)
		return r;
	*ret = begin();
	json_object_object_add(*ret, "cluster", text_or_null((*ret_cluster)->name));
	json_object_object_add(*ret, "id", json_object_new_string((*ret_cluster)->id_text));
	return 0;
}

/* Prints on standard error, so that programs that read the list are not disturbed. */
static void say_unknown(const struct view *v)
{
	if (!v->server.running)
		fputs("(no mlsh-signal serves this database now)\n", stderr);
	else if (!v->sessions)
		fputs("(the server's list of sessions cannot be read)\n", stderr);
}

/* --- clusters --------------------------------------------------------------------------------- */

static struct json_object *online_count(const struct view *v, const struct view_cluster *c,
					const struct mlog *log)
{
	const struct member *m = NULL;
	int n = 0;

	if (!v->sessions)
		return NULL;
	while ((m = roster_next(mlog_roster(log), m, ROSTER_CURRENT)))
		n += view_online(v, c, &m->id);
	return json_object_new_int(n);
}

/* The number of the record that it waits for, until a node has brought that. */
static struct json_object *lacks_of(const struct db_missing *m, const struct mlog *log)
{
	struct head head = { .seq = m->seq };

	memcpy(head.hash, m->hash, sizeof(head.hash));
	return m->seq == 0 || (log && mlog_has_head(log, &head)) ? NULL
								 : json_object_new_uint64(m->seq);
}

/* Fields of a cluster whose log cannot be read are null. */
static int add_cluster(const struct view *v, const struct view_cluster *c, struct json_object *list,
		       struct err *err)
{
	struct json_object *o = json_object_new_object();
	char subnet[PREFIX4_TEXT_MAX];
	const struct mlog *log = NULL;
	struct db_missing missing = { .seq = 0 };
	int waits = db_waiting(v->db, c->id, &missing, err);
	int parted = waits < 0 ? waits : db_parted(v->db, c->id, err);
	int r = parted < 0 ? parted : view_log(v, c, &log, err);

	json_object_object_add(o, "name", text_or_null(c->name));
	json_object_object_add(o, "id", json_object_new_string(c->id_text));
	json_object_object_add(o, "members",
			       log ? json_object_new_uint64(roster_count(mlog_roster(log),
									 ROSTER_CURRENT))
				   : NULL);
	json_object_object_add(o, "online", log ? online_count(v, c, log) : NULL);
	json_object_object_add(o, "records", log ? json_object_new_uint64(mlog_count(log)) : NULL);
	json_object_object_add(o, "changed",
			       log ? json_object_new_uint64(mlog_last_time_s(log)) : NULL);
	json_object_object_add(o, "subnet",
			       json_object_new_string(prefix4_format(c->subnet, subnet)));
	json_object_object_add(o, "waiting", json_object_new_boolean(waits > 0));
	json_object_object_add(o, "lacks", lacks_of(&missing, log));
	json_object_object_add(o, "parted", json_object_new_boolean(parted > 0));
	json_object_object_add(o, "error", r < 0 ? json_object_new_string(err->text) : NULL);
	json_object_array_add(list, o);
	return r;
}

/* Says what keeps the server from ordering anything in the cluster. */
static void note_state(struct table *t, struct json_object *o)
{
	struct json_object *lacks = json_object_object_get(o, "lacks");
	char note[LABEL_MAX + 160];

	if (json_object_get_boolean(json_object_object_get(o, "parted")))
		table_note(t, "this server has signed two logs of it: nothing is ordered until it "
			      "is recovered with its recovery code");
	if (!json_object_get_boolean(json_object_object_get(o, "waiting")))
		return;
	snprintf(note, sizeof(note),
		 "put back to an older copy, without record %s: nobody can join until a node "
		 "brings it, or `mlsh-signal accept %s`",
		 member_of(o, "lacks"), member_of(o, "name"));
	table_note(t, lacks ? note
			    : "restored from a backup: nobody can join until an admin connects");
}

static void print_clusters(struct json_object *list)
{
	static const char *const head[] = { "NAME", "ID",      "MEMBERS",  "ONLINE",
					    "LOG",  "CHANGED", "ADDRESSES" };
	char id[ID_SHOWN + 1], when[WORDS_TIME_MAX];
	struct table t;

	table_init(&t, 0, head, ARRAY_LEN(head));
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		snprintf(id, sizeof(id), "%s", member_of(o, "id"));
		table_cell(&t, member_of(o, "name"));
		table_cell(&t, id);
		table_cell(&t, member_of(o, "members"));
		table_cell(&t, member_of(o, "online"));
		table_cell(&t, member_of(o, "records"));
		table_cell(&t, time_of(o, "changed", when));
		table_cell(&t, member_of(o, "subnet"));
		note_state(&t, o);
		if (json_object_object_get(o, "error"))
			table_note(&t, member_of(o, "error"));
	}
	table_print(&t);
}

int operator_clusters(const struct view *v, bool json, struct err *err)
{
	struct json_object *o = begin(), *list = json_object_new_array();
	struct err why = { 0 };
	size_t bad = 0;

	for (size_t i = 0; i < v->n_clusters; i++)
		bad += add_cluster(v, &v->cluster[i], list, &why) < 0;
	json_object_object_add(o, "running", json_object_new_boolean(v->server.running));
	json_object_object_add(o, "clusters", list);
	if (!json && v->n_clusters > 0)
		print_clusters(list);
	if (!json && v->n_clusters == 0)
		fputs("no cluster yet; for a setup token: mlsh-signal token\n", stderr);
	if (json)
		print_json(o);
	else
		json_object_put(o);
	if (!json)
		say_unknown(v);
	return bad > 0 ? err_set(err, -EIO, "%zu of %zu logs cannot be read.", bad, v->n_clusters)
		       : 0;
}

/* --- nodes ------------------------------------------------------------------------------------ */

static struct json_object *node_of(const struct view *v, const struct view_cluster *c,
				   const struct mlog *log, const struct member *m)
{
	const struct roster *all = mlog_roster(log);
	const struct member *sponsor = roster_by_id(all, &m->sponsor, ROSTER_ALL);
	const struct member *by = roster_by_id(all, &m->left_by, ROSTER_ALL);
	bool current = member_is_current(m);
	struct json_object *o = json_object_new_object();
	char ip[IP4_TEXT_MAX], id[NODE_ID_TEXT_MAX];

	json_object_object_add(o, "name", json_object_new_string(m->name));
	json_object_object_add(o, "address", json_object_new_string(ip4_format(m->address, ip)));
	json_object_object_add(o, "node_id", json_object_new_string(node_id_format(&m->id, id)));
	json_object_object_add(o, "role",
			       json_object_new_string(m->role == ROLE_ADMIN ? "admin" : "node"));
	json_object_object_add(o, "promotion_pending",
			       json_object_new_boolean(member_awaits_promotion(m)));
	json_object_object_add(o, "sponsor",
			       text_or_null(sponsor && sponsor != m ? sponsor->name : NULL));
	json_object_object_add(o, "joined", json_object_new_uint64(m->joined_s));
	json_object_object_add(o, "online",
			       v->sessions ? json_object_new_boolean(current &&
								     view_online(v, c, &m->id))
					   : NULL);
	json_object_object_add(o, "left", current ? NULL : json_object_new_uint64(m->left_s));
	json_object_object_add(o, "left_by", text_or_null(!current && by ? by->name : NULL));
	return o;
}

static void print_nodes(struct json_object *list)
{
	static const char *const head[] = {
		"NAME", "ADDRESS", "ROLE", "SPONSOR", "SINCE", "ONLINE"
	};
	char when[WORDS_TIME_MAX], note[LABEL_MAX + 64];
	struct table t;

	table_init(&t, 0, head, ARRAY_LEN(head));
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		struct json_object *pending = json_object_object_get(o, "promotion_pending");
		struct json_object *online = json_object_object_get(o, "online");

		table_cell(&t, member_of(o, "name"));
		table_cell(&t, member_of(o, "address"));
		table_cell(&t, json_object_get_boolean(pending) ? "node (to be admin)"
								: member_of(o, "role"));
		table_cell(&t, member_of(o, "sponsor"));
		table_cell(&t, time_of(o, "joined", when));
		table_cell(&t, !online ? "-" : json_object_get_boolean(online) ? "yes" : "no");
		if (json_object_object_get(o, "left")) {
			snprintf(note, sizeof(note), "former: left %s, by %s",
				 time_of(o, "left", when), member_of(o, "left_by"));
			table_note(&t, note);
		}
	}
	table_print(&t);
}

int operator_nodes(const struct view *v, const char *cluster, bool all, bool json, struct err *err)
{
	enum roster_scope scope = all ? ROSTER_ALL : ROSTER_CURRENT;
	struct json_object *o, *list;
	const struct view_cluster *c = NULL;
	const struct member *m = NULL;
	const struct mlog *log = NULL;
	int r = begin_about(v, cluster, &c, &log, &o, err);

	if (r < 0)
		return r;
	list = json_object_new_array();
	while ((m = roster_next(mlog_roster(log), m, scope)))
		json_object_array_add(list, node_of(v, c, log, m));
	json_object_object_add(o, "nodes", list);
	if (json) {
		print_json(o);
		return 0;
	}
	print_nodes(list);
	json_object_put(o);
	say_unknown(v);
	return 0;
}

/* --- log -------------------------------------------------------------------------------------- */

static struct json_object *record_of(const struct mlog *log, const struct record *r,
				     const struct entry *e)
{
	struct json_object *o = json_object_new_object();
	struct record_words w;

	words_record(log, r, e, &w);
	json_object_object_add(o, "seq", json_object_new_uint64(r->order.seq));
	json_object_object_add(o, "generation", json_object_new_uint64(r->order.generation));
	json_object_object_add(o, "time", json_object_new_uint64(w.time_s));
	json_object_object_add(o, "signed", json_object_new_uint64(e->time_s));
	json_object_object_add(o, "type", json_object_new_string(entry_type_name(e->type)));
	json_object_object_add(o, "author", text_or_null(w.author));
	json_object_object_add(o, "text", json_object_new_string(w.text));
	json_object_object_add(o, "hash", json_object_new_string(w.hash));
	return o;
}

static void print_record(struct json_object *o)
{
	char when[WORDS_TIME_MAX];
	int at = printf("%4s  %s  ", member_of(o, "seq"), time_of(o, "time", when));

	options_wrap(stdout, member_of(o, "text"), (size_t)at, (size_t)at);
	putchar('\n');
}

int operator_log(const struct view *v, const char *cluster, bool json, struct err *err)
{
	struct json_object *o, *list;
	const struct view_cluster *c = NULL;
	const struct mlog *log = NULL;
	struct record rec;
	struct entry e;
	int r = begin_about(v, cluster, &c, &log, &o, err);

	if (r < 0)
		return r;
	list = json_object_new_array();
	json_object_object_add(o, "records", list);
	for (uint64_t seq = 0; mlog_get(log, seq, &rec, &e) == 0; seq++)
		json_object_array_add(list, record_of(log, &rec, &e));
	if (json) {
		print_json(o);
		return 0;
	}
	for (size_t i = 0; i < json_object_array_length(list); i++)
		print_record(json_object_array_get_idx(list, i));
	json_object_put(o);
	return 0;
}

/* --- backup and restore ---------------------------------------------------------------------- */

static void say(const char *text)
{
	options_wrap(stderr, text, 0, 2);
	fputc('\n', stderr);
}

static struct json_object *checked_cluster(const struct view *v, const struct view_cluster *c,
					   struct err *err)
{
	struct json_object *o = json_object_new_object();
	char hash[2 * HASH_LEN + 1] = "";
	const struct mlog *log = NULL;
	int r = view_log(v, c, &log, err);

	if (r == 0)
		hex_encode(mlog_head(log).hash, HASH_LEN, hash);
	json_object_object_add(o, "name", text_or_null(c->name));
	json_object_object_add(o, "id", json_object_new_string(c->id_text));
	json_object_object_add(o, "members",
			       log ? json_object_new_uint64(roster_count(mlog_roster(log),
									 ROSTER_CURRENT))
				   : NULL);
	json_object_object_add(o, "records", log ? json_object_new_uint64(mlog_count(log)) : NULL);
	json_object_object_add(o, "changed",
			       log ? json_object_new_uint64(mlog_last_time_s(log)) : NULL);
	json_object_object_add(o, "head", text_or_null(hash));
	json_object_object_add(o, "error", r < 0 ? json_object_new_string(err->text) : NULL);
	return o;
}

static void print_checked(struct json_object *list)
{
	static const char *const head[] = { "NAME", "ID", "MEMBERS", "LOG", "CHANGED", "HEAD" };
	char id[ID_SHOWN + 1], hash[2 * ID_SHOWN + 1], when[WORDS_TIME_MAX];
	struct table t;

	table_init(&t, 0, head, ARRAY_LEN(head));
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		snprintf(id, sizeof(id), "%s", member_of(o, "id"));
		snprintf(hash, sizeof(hash), "%s", member_of(o, "head"));
		table_cell(&t, member_of(o, "name"));
		table_cell(&t, id);
		table_cell(&t, member_of(o, "members"));
		table_cell(&t, member_of(o, "records"));
		table_cell(&t, time_of(o, "changed", when));
		table_cell(&t, hash);
		if (json_object_object_get(o, "error"))
			table_note(&t, member_of(o, "error"));
	}
	table_print(&t);
}

static void say_restored(const struct restored *done, bool accept)
{
	char text[RESTORE_KEPT_MAX + 200];

	if (done->replaced) {
		snprintf(text, sizeof(text), "The database before is kept as %s.", done->kept);
		say(text);
	}
	say(accept ? "The backup is in place. Start mlsh-signal."
		   : "The backup is in place. Start mlsh-signal; then let an admin of each cluster "
		     "connect (`mlsh connect`): nobody can join before.");
}

void operator_restore(const struct view *v, const char *file, const struct restored *done,
		      bool accept, bool json)
{
	struct json_object *o = begin(), *list = json_object_new_array();
	struct err err = { 0 };

	for (size_t i = 0; i < v->n_clusters; i++)
		json_object_array_add(list, checked_cluster(v, &v->cluster[i], &err));
	json_object_object_add(o, "file", text_or_null(file));
	json_object_object_add(o, "restored", json_object_new_boolean(done != NULL));
	json_object_object_add(o, "kept", text_or_null(done && done->replaced ? done->kept : NULL));
	json_object_object_add(o, "clusters", list);
	if (json) {
		print_json(o);
		return;
	}
	if (v->n_clusters > 0)
		print_checked(list);
	else
		say("no cluster is in it");
	json_object_put(o);
	if (done)
		say_restored(done, accept || v->n_clusters == 0);
}

void operator_backup(const char *file, size_t bytes, const struct signal_config *cfg, bool json)
{
	char text[2 * CONFIG_PATH_TEXT_MAX + 200];
	struct json_object *o;

	snprintf(text, sizeof(text),
		 "%s, %zu bytes. Its reader can pose as this server: keep it as secret as that.",
		 file ? file : "backup", bytes);
	if (!json)
		say(text);
	snprintf(text, sizeof(text), "Not in it, and needed, too: %s and %s.", cfg->cert_path,
		 cfg->key_path);
	if (cfg->identity)
		say(text);
	if (!json)
		return;
	o = begin();
	json_object_object_add(o, "file", text_or_null(file));
	json_object_object_add(o, "bytes", json_object_new_uint64(bytes));
	print_json(o);
}
