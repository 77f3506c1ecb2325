/* SPDX-License-Identifier: MIT */
/* mlsh recover: the paper code makes this machine an admin, when those that were are gone. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/ask_log.h"
#include "cli/code.h"
#include "cli/governing.h"
#include "cli/hand_over.h"
#include "cli/new_server.h"
#include "cli/table.h"
#include "cli/waiting.h"
#include "client/recovery.h"
#include "client/recovery_send.h"
#include "client/rotation.h"
#include "crypto/hash.h"
#include "identity/identity.h"
#include "membership/hostport.h"
#include "os/loop.h"

#define LOOK_GAP (200 * NS_PER_MS)
#define LOOKS 25 /* until the daemon has the record */

enum { REMOVE, KEEP_ADMINS, AT, SIGNAL_HOST, TOKEN, YES, JSON };

struct run {
	struct cli *cli;
	struct copy copy;
	const struct options_given *given;
	uint8_t seed[SIGN_SEED_LEN], key[KEY_LEN]; /* of the code that was typed */
	struct recovery_plan plan;
	struct entry_bytes earlier; /* an attempt that is to be superseded, or sent again */
	struct entry earlier_read;
	bool again;
	struct entry_bytes entry; /* what is sent */
	struct identity *identity;
	struct new_server server; /* with --signal-host */
	struct err err;		  /* how sending it ended */
};

/* --- an earlier attempt ----------------------------------------------------------------------- */

static bool is_over(const struct run *run)
{
	const struct entry *e = &run->earlier_read;

	return mlog_find(run->copy.log, e->payload_hash) != 0 ||
	       !mlog_has_head(run->copy.log, &e->base);
}

/* Was one sent that is not in the log? Then the code that is typed says what becomes of it. */
static int look_back(struct run *run, struct err *err)
{
	struct cli *c = run->cli;
	const struct recover *before = &run->earlier_read.recover;
	uint8_t hash[HASH_LEN];
	int rc = recovery_load(c->host, &c->store, run->copy.cluster, &run->earlier, err);

	if (rc == -ENOENT)
		return 0;
	if (rc == 0)
		rc = entry_decode(span_of(run->earlier.data, run->earlier.len), &run->earlier_read,
				  err);
	if (rc < 0)
		return rc;
	run->again = memcmp(before->key, run->key, KEY_LEN) == 0;
	if (run->again)
		return 0;
	if (is_over(run)) {
		run->earlier.len = 0;
		rc = recovery_drop(c->host, &c->store, run->copy.cluster);
		return rc < 0 ? err_set(err, rc, "the finished recovery cannot be removed") : 0;
	}
	sha256(span_of(run->key, KEY_LEN), hash);
	if (memcmp(before->next, hash, HASH_LEN) == 0)
		return 0;
	return err_set(err, -EACCES,
		       "a recovery of %s was sent before and is not in the log. The code that "
		       "it was made with sends it again; the code that was printed then makes "
		       "another in its place. The code that you gave is neither of them.",
		       run->copy.cluster);
}

/* Are all of these the names of former members? NULL stands for no names. */
static bool all_left(const struct mlog *log, const char *names)
{
	const char *at = names ? names : "";

	while (*at) {
		size_t len = strcspn(at, ",");
		const struct member *m = roster_by_name(mlog_roster(log), span_of(at, len),
							ROSTER_ALL);

		if (!m || member_is_current(m))
			return false;
		at += len + (at[len] == ',');
	}
	return true;
}

/* Is the server in force the one that is wished? */
static bool is_there(const struct run *run)
{
	const struct log_server *now = mlog_server(run->copy.log);
	char host[HOST_TEXT_MAX + 1];
	uint16_t port;

	return !run->given->value[SIGNAL_HOST] ||
	       (hostport_parse(run->given->value[SIGNAL_HOST], SIGNAL_PORT, host, &port, NULL) ==
			0 &&
		strcmp(host, now->host) == 0 && port == now->port);
}

/*
 * Did the code that was typed do all that already, by the record that put the next one in force?
 * Then that entry is in run->entry.
 */
static bool is_done(struct run *run)
{
	const struct mlog *log = run->copy.log;
	uint64_t seq = code_record(log);
	struct record r;
	struct entry e;

	if (seq == 0 || mlog_get(log, seq, &r, &e) < 0 || e.type != ENTRY_RECOVER ||
	    memcmp(e.recover.key, run->key, KEY_LEN) != 0 ||
	    !id_list_has(&e.recover.admins, &run->copy.file.node_id))
		return false;
	if (run->given->value[AT] || !all_left(log, run->given->value[REMOVE]) || !is_there(run) ||
	    (run->given->value[KEEP_ADMINS] && e.recover.admins.n == 1))
		return false;
	memcpy(run->entry.data, r.entry.data, r.entry.len);
	run->entry.len = r.entry.len;
	return true;
}

/* --- what is to be done ----------------------------------------------------------------------- */

static void add_waiting(void *ctx, const struct member *removed, const struct member *by)
{
	struct id_list *ids = ctx;

	(void)by;
	if (ids->n < REMOVE_IDS_MAX)
		ids->id[ids->n++] = removed->id;
}

static int parse_at(const struct run *run, uint64_t *ret, struct err *err)
{
	const char *at = run->given->value[AT];
	uint64_t newest = mlog_count(run->copy.log) - 1;
	uint64_t fixed = run->earlier.len > 0 ? run->earlier_read.base.seq : newest;
	int rc;

	*ret = fixed;
	if (!at)
		return 0;
	rc = cli_parse_number("--at", at, 0, newest, ret, NULL);
	if (rc < 0)
		return err_set(err, rc, "--at is the number of a record, from 0 to %llu",
			       (unsigned long long)newest);
	if (run->earlier.len > 0 && *ret != fixed)
		return err_set(err, -EINVAL,
			       "the attempt before built on record %llu, and so must this one",
			       (unsigned long long)fixed);
	return 0;
}

static uint64_t now_s(const struct run *run)
{
	return (uint64_t)MAX(clock_wall_s(run->cli->host), 0);
}

static int make_entry(struct run *run, const uint8_t next[KEY_LEN], struct err *err)
{
	const struct log_server *to = run->given->value[SIGNAL_HOST] ? &run->server.to : NULL;

	return recovery_make(&run->plan, run->seed, next, to,
			     span_of(run->earlier.data, run->earlier.len), now_s(run), &run->entry,
			     err);
}

static int make_plan(struct run *run, struct err *err)
{
	struct recovery_wish w = { .log = run->copy.log,
				   .self = run->copy.file.node_id,
				   .keep_admins = run->given->value[KEEP_ADMINS] != NULL,
				   .remove = run->given->value[REMOVE] };
	int rc = parse_at(run, &w.at, err);

	if (rc < 0)
		return rc;
	waiting_each(run->cli, &run->copy, add_waiting, &w.waiting);
	id_list_sort(&w.waiting);
	rc = recovery_plan(run->cli->host, &w, &run->plan, err);
	if (rc < 0)
		return rc;
	/* Would it be accepted? Nothing is printed, let alone kept, if it would not. */
	rc = make_entry(run, run->key, err);
	return rc == -EACCES && err->reason == REFUSAL_RECOVERY_CODE
		       ? code_refuse(run->copy.log, err)
		       : rc;
}

/* --- saying it -------------------------------------------------------------------------------- */

static void put_names(const struct run *run, const struct id_list *ids, char *out, size_t cap)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < ids->n && at < cap; i++) {
		const struct member *m = roster_by_id(mlog_roster(run->plan.log), &ids->id[i],
						      ROSTER_ALL);

		at += (size_t)snprintf(out + at, cap - at, "%s%s", i ? ", " : "",
				       m ? m->name : "?");
	}
}

static void list_demoted(const struct run *run, struct id_list *ret)
{
	const struct member *m = NULL;

	ret->n = 0;
	while ((m = roster_next(mlog_roster(run->plan.log), m, ROSTER_CURRENT)))
		if (m->role == ROLE_ADMIN && !id_list_has(&run->plan.admins, &m->id) &&
		    !id_list_has(&run->plan.removed, &m->id) && ret->n < REMOVE_IDS_MAX)
			ret->id[ret->n++] = m->id;
}

/* The members that changed their key since: the old one, which may be stolen, counts again. */
static void list_old_keys(const struct run *run, struct id_list *ret)
{
	const struct member *m = NULL;

	ret->n = 0;
	while ((m = roster_next(mlog_roster(run->plan.log), m, ROSTER_CURRENT))) {
		const struct member *now = roster_by_id(mlog_roster(run->copy.log), &m->id,
							ROSTER_ALL);

		if (now && memcmp(now->key, m->key, KEY_LEN) != 0 &&
		    !id_list_has(&run->plan.removed, &m->id) && ret->n < REMOVE_IDS_MAX)
			ret->id[ret->n++] = m->id;
	}
}

static void say_plan(const struct run *run)
{
	char names[600];
	struct id_list demoted, keys;

	cli_note("This recovers %s from record %llu; %llu records after it are dropped, and all "
		 "open invites end.",
		 run->copy.cluster, (unsigned long long)mlog_head(run->plan.log).seq,
		 (unsigned long long)run->plan.dropped);
	put_names(run, &run->plan.admins, names, sizeof(names));
	cli_note("Admins: %s.", names);
	list_demoted(run, &demoted);
	put_names(run, &demoted, names, sizeof(names));
	if (demoted.n)
		cli_note("Admins until now, plain nodes from now on: %s. Remove one that is lost.",
			 names);
	put_names(run, &run->plan.removed, names, sizeof(names));
	if (run->plan.removed.n)
		cli_note("Removed: %s.", names);
	list_old_keys(run, &keys);
	put_names(run, &keys, names, sizeof(names));
	if (keys.n)
		cli_note("The old key counts again for: %s. If somebody else may have it, run "
			 "`mlsh rotate` there afterwards, or remove the node.",
			 names);
}

static int say_done(const struct run *run)
{
	struct record r;
	struct entry e;
	uint64_t seq;
	struct json_object *o;

	if (entry_decode(span_of(run->entry.data, run->entry.len), &e, NULL) < 0)
		return EXIT_FAILED;
	seq = mlog_find(run->copy.log, e.payload_hash);
	if (!run->given->value[JSON]) {
		printf("%s is recovered (record %llu): this machine is an admin.\n",
		       run->copy.cluster, (unsigned long long)seq);
		if (!run->copy.connected)
			printf("Next: mlsh connect %s\n", run->copy.cluster);
		return EXIT_OK;
	}
	o = json_object_new_object();
	json_object_object_add(o, "state", json_object_new_string("recovered"));
	json_object_object_add(o, "cluster", json_object_new_string(run->copy.cluster));
	json_object_object_add(o, "record", json_object_new_uint64(seq));
	json_object_object_add(o, "generation",
			       json_object_new_uint64(mlog_get(run->copy.log, seq, &r, &e) == 0
							      ? r.order.generation
							      : 0));
	json_print(o);
	return EXIT_OK;
}

/* --- sending it ------------------------------------------------------------------------------- */

static void on_sent(void *ctx, const struct err *err)
{
	struct run *run = ctx;

	if (err)
		run->err = *err;
	loop_stop(run->cli->host);
}

static void on_progress(void *ctx, const char *line)
{
	(void)ctx;
	progress_show("%s", line);
}

/* The server that is to order it: that in force, or the new one, which has given no token yet. */
static struct cluster_file server_file(const struct run *run)
{
	struct cluster_file f = run->copy.file;
	const struct log_server *to = &run->server.to;

	if (!run->given->value[SIGNAL_HOST])
		return f;
	snprintf(f.signal_host, sizeof(f.signal_host), "%s", to->host);
	f.signal_port = to->port;
	memcpy(f.signal_cert, to->cert, HASH_LEN);
	memcpy(f.signal_key, to->key, HASH_LEN);
	memset(f.node_token, 0, HASH_LEN);
	return f;
}

static int send_entry(struct run *run, struct err *err)
{
	struct cluster_file file = server_file(run);
	struct recovery_send_params p = { .cluster = &file,
					  .identity = run->identity,
					  .log = run->copy.log,
					  .entry = span_of(run->entry.data, run->entry.len) };
	struct recovery_send *s = NULL;
	int rc = recovery_send_start(run->cli->host, &p, on_sent, on_progress, run, err, &s);

	run->err = (struct err){ 0 };
	if (rc == 0)
		rc = loop_run(run->cli->host);
	recovery_send_free(s);
	progress_clear();
	if (rc == 0 && run->err.code) {
		*err = run->err;
		rc = err->code;
	}
	return rc;
}

static bool has_entry(const struct run *run)
{
	struct entry e;

	return entry_decode(span_of(run->entry.data, run->entry.len), &e, NULL) == 0 &&
	       mlog_find(run->copy.log, e.payload_hash) != 0;
}

/* The daemon's session brings the record; true when it has. */
static bool daemon_has_it(struct run *run)
{
	for (int i = 0; run->copy.connected && i < LOOKS && !has_entry(run); i++) {
		struct copy now = { .log = NULL };
		struct err err = { 0 };

		if (cli_wait(run->cli, LOOK_GAP) < 0 ||
		    copy_open(run->cli, run->copy.cluster, &now, &err) < 0)
			return false;
		copy_free(&run->copy);
		run->copy = now;
	}
	return has_entry(run);
}

/* From the server that has ordered it. */
static int fetch_log(struct run *run, struct err *err)
{
	struct cluster_file file = server_file(run);
	struct ask_log a = ask_log_of(run->cli, &run->copy, run->identity, &file);
	int rc = ask_log(&a, err);

	secret_wipe(&file, sizeof(file));
	if (rc == 0 && !has_entry(run))
		rc = err_set(err, -EBADMSG,
			     "the signal server accepted the recovery and does not show it in the "
			     "log");
	return rc;
}

/*
 * The cluster's file names the new server, the key is in place that is in force now (the recovery
 * may have dropped a rotation), and a daemon that is up goes on with both.
 */
static void settle(struct run *run, bool moves, bool daemon)
{
	struct cli *c = run->cli;
	struct copy now = { .log = NULL };
	struct err err = { 0 };
	int rc = copy_open(c, run->copy.cluster, &now, &err);
	bool turned = false;

	if (rc == 0)
		rc = rotation_settle(c->host, &c->store, run->copy.cluster, now.log, &err);
	turned = rc == 1;
	copy_free(&now);
	if (rc >= 0 && daemon && (moves || turned)) {
		rc = cli_hand_over(c, run->copy.cluster, &err, NULL);
		run->copy.connected = rc == 0;
	}
	if (rc < 0)
		log_warn(host_log(c->host), "%s", err.text);
}

static int deliver(struct run *run, struct err *err)
{
	struct cli *c = run->cli;
	bool moves = run->given->value[SIGNAL_HOST] != NULL, daemon = run->copy.connected;
	int rc = send_entry(run, err);

	/* The daemon may have stopped, since this node was removed; or it asks the old server. */
	if (rc == 0 && (moves || !daemon_has_it(run))) {
		rc = has_entry(run) ? 0 : fetch_log(run, err);
		run->copy.connected = false;
	}
	if (rc == 0 && !run->copy.connected)
		rc = store_save_log(c->host, &c->store, &run->copy.file, run->copy.log, err);
	if (rc == 0)
		settle(run, moves, daemon);
	if (rc == 0 && recovery_drop(c->host, &c->store, run->copy.cluster) < 0)
		log_warn(host_log(c->host), "%s" STORE_RECOVERY " could not be removed",
			 run->copy.cluster);
	return rc;
}

/* --- the command ------------------------------------------------------------------------------ */

/* Prints the next code, asks, and signs. Returns an exit code; EXIT_OK: to be sent. */
static int sign_new(struct run *run, struct err *err)
{
	struct cli *c = run->cli;
	uint8_t next[KEY_LEN];
	int rc = make_plan(run, err);

	if (rc < 0)
		return cli_fail(err);
	say_plan(run);
	rc = code_announce(
		c, run->copy.log, "recover", run->given->value[YES] != NULL,
		run->given->value[JSON] != NULL,
		"Is the new code written down? The old one is used up when this is sent.", next);
	if (rc != EXIT_OK)
		return rc;
	if (make_entry(run, next, err) < 0 ||
	    recovery_save(c->host, &c->store, run->copy.cluster, &run->entry, err) < 0)
		return code_void(cli_fail(err));
	return EXIT_OK;
}

static int send_again(struct run *run)
{
	run->entry.len = run->earlier.len;
	memcpy(run->entry.data, run->earlier.data, run->earlier.len);
	cli_note("The recovery that was begun before is sent again, as it was. The next recovery "
		 "code is the one that was printed then.");
	return EXIT_OK;
}

/* A new server gets the log before anything is signed: the entry names its order key. */
static int open_server(struct run *run, struct err *err)
{
	struct cli *c = run->cli;
	const char *host = run->given->value[SIGNAL_HOST], *token = run->given->value[TOKEN];
	const struct recover *before = &run->earlier_read.recover;
	int rc = store_identity(c->host, &c->store, run->copy.cluster, &run->identity, err);

	if (rc == 0 && host)
		rc = new_server_read(c, run->copy.cluster, host, token, &run->server, err);
	if (rc == 0 && host) {
		host_note(run->server.host, true);
		rc = new_server_import(&run->server, run->identity, run->copy.log, err);
	}
	if (rc < 0 || !run->again)
		return rc;
	if (before->has_server != (host != NULL) ||
	    (host && memcmp(before->server.order_key, run->server.to.order_key, KEY_LEN) != 0))
		return err_set(err, -EINVAL,
			       "the recovery that was begun before goes to another signal server. "
			       "The code that was printed then makes a new one in its place");
	return 0;
}

static int recover_run(struct run *run)
{
	struct err err = { 0 };
	int rc = code_read(mlog_genesis(run->copy.log)->random, run->seed, run->key, &err);

	if (rc == 0)
		rc = look_back(run, &err);
	if (rc == 0 && !run->again && is_done(run)) {
		cli_note("This recovery was done with this code before. The code that was "
			 "printed then is in force.");
		return say_done(run);
	}
	if (rc == 0)
		rc = open_server(run, &err);
	if (rc < 0)
		return cli_fail(&err);
	rc = run->again ? send_again(run) : sign_new(run, &err);
	if (rc != EXIT_OK)
		return rc;
	if (deliver(run, &err) == 0)
		return say_done(run);
	rc = cli_fail(&err);
	cli_note("The signal server may have taken the recovery all the same. `mlsh recover` "
		 "with the same code sends it again; with the new code it makes another in its "
		 "place.");
	return rc;
}

static int recover(struct cli *c, const struct options_given *g)
{
	struct run *run;
	struct err err = { 0 };
	int rc;

	if (!g->value[SIGNAL_HOST] != !g->value[TOKEN])
		return cli_usage("recover", "--signal-host and --token go together");
	run = calloc(1, sizeof(*run));
	if (!run) {
		cli_complain("out of memory");
		return EXIT_FAILED;
	}
	run->cli = c;
	run->given = g;
	rc = copy_open(c, g->n_args ? g->arg[0] : NULL, &run->copy, &err);
	rc = rc < 0 ? cli_fail(&err) : recover_run(run);
	new_server_free(&run->server);
	identity_free(run->identity);
	recovery_plan_free(&run->plan);
	copy_free(&run->copy);
	secret_wipe(run, sizeof(*run));
	free(run);
	return rc;
}

const struct command recover_command = {
	.name = "recover",
	.summary = "make this machine an admin with the recovery code",
	.options = {
		.program = "mlsh recover",
		.usage = "[<cluster>] [options]",
		.about = "For a cluster whose admins are lost. The recovery code, which is asked "
			 "for or read from standard input, makes this machine an admin and the "
			 "admins until now plain nodes. It is used up by that: a new code is "
			 "printed before anything is sent. A machine that was removed may do this, "
			 "too, if it still has the cluster's files.",
		.max_args = 1,
		.row = {
			[REMOVE] = { "remove", 0, "NAMES",
				     "nodes to remove as well, joined by commas" },
			[KEEP_ADMINS] = { "keep-admins", 0, NULL,
					  "the admins until now remain admins" },
			[AT] = { "at", 0, "RECORD",
				 "go back to this record of the log and drop what came after it; "
				 "removals after it are kept (default: the newest)" },
			[SIGNAL_HOST] = { "signal-host", 0, "HOST[:PORT]",
					  "take the cluster to this server as well, if the present "
					  "one is gone" },
			[TOKEN] = { "token", 0, "TOKEN",
				    "a setup token of that server; - reads it from standard input, "
				    "behind the code" },
			[YES] = { "yes", 0, NULL, "do not ask" },
			[JSON] = { "json", 0, NULL,
				   "print a line of JSON for the code, and one at the end" },
		},
	},
	.run = recover,
};
