/* SPDX-License-Identifier: MIT */
/* mlsh forget: removes a cluster from this machine, and from nowhere else. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cli/copy.h"
#include "cli/daemon_status.h"
#include "cli/names.h"
#include "cli/roots.h"
#include "cli/table.h"
#include "cli/whose.h"
#include "client/cluster_file.h"
#include "os/paths.h"

enum { YES, JSON };

/* What there is of the cluster here. */
struct found {
	char cluster[LABEL_MAX + 1];
	char node[LABEL_MAX + 1]; /* this node's name; "" if it is not known, or no member's */
	bool left;		  /* it is not a member any more, by the newest log here */
	bool only_admin;	  /* of the cluster, by this machine's copy of the log */
	bool files, pending;	  /* of this user */
	bool of_root;		  /* the daemon's: the caller, who is not root, may look */
	bool daemon;		  /* mlshtund keeps something */
	bool connected;
	bool no_daemon; /* it does not run */
	bool copy_left; /* and may keep something all the same */
};

/* --- what there is ---------------------------------------------------------------------------- */

/* What the log says of this node. */
static void look_at_log(const struct mlog *log, const struct node_id *id, struct found *f)
{
	const struct roster *r = mlog_roster(log);
	const struct member *self = roster_by_id(r, id, ROSTER_ALL);

	f->left = self && !member_is_current(self);
	f->only_admin = self && !f->left && self->role == ROLE_ADMIN && roster_admins(r) == 1;
	if (f->left)
		f->node[0] = '\0';
}

/* Damaged files are no reason not to forget: then less is said about what that means. */
static void look_at_files(struct cli *c, struct found *f)
{
	struct cluster_file file = { 0 };
	struct copy copy = { 0 };
	struct err why = { 0 };

	f->files = store_has_any(c->host, &c->store, f->cluster);
	f->pending = store_has_pending(c->host, &c->store, f->cluster);
	if (store_load_cluster(c->host, &c->store, f->cluster, &file, NULL) < 0)
		return;
	snprintf(f->node, sizeof(f->node), "%s", file.node_name);
	if (copy_open(c, f->cluster, &copy, &why) == 0)
		look_at_log(copy.log, &file.node_id, f);
	copy_free(&copy);
	secret_wipe(&file, sizeof(file));
}

/* Is there, or may there be, something that a daemon would start again from? */
static bool may_have_copy(const char *cluster)
{
	const char *dir = cli_env("MLSH_STATE_DIR", DAEMON_STATE_DIR);
	char path[STORE_PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%.400s/%s.state", dir, cluster);
	return lstat(path, &st) == 0 || errno != ENOENT;
}

static int look_at_daemon(struct cli *c, struct found *f, struct err *err)
{
	struct json_object *status = NULL;
	int rc = daemon_status(c, f->cluster, err, &status);

	f->of_root = roots_is(status_cluster(status));
	f->daemon = status && !f->of_root;
	f->connected = f->daemon && !status_is_stopped(status_cluster(status));
	json_object_put(status);
	f->no_daemon = daemon_is_absent(rc);
	f->copy_left = f->no_daemon && may_have_copy(f->cluster);
	return f->no_daemon ? 0 : rc;
}

/* --- doing it --------------------------------------------------------------------------------- */

static int confirm(const struct found *f, bool yes)
{
	const char *name = f->node[0] ? f->node : "this machine";
	char text[900];
	int n = snprintf(text, sizeof(text),
			 "This removes %s from this machine, with the key of this machine. To come "
			 "back it takes a new invite.",
			 f->cluster);

	if (!f->left)
		n += snprintf(
			text + n, sizeof(text) - (size_t)n,
			" It changes nothing elsewhere: %s stays a member for the others until "
			"an admin runs `mlsh remove`, or `mlsh leave %s` is run here before.",
			name, f->cluster);
	if (f->only_admin)
		n += snprintf(text + n, sizeof(text) - (size_t)n,
			      " %s is the only admin of %s: without it nobody can invite or remove "
			      "machines.",
			      name, f->cluster);
	if (f->pending)
		snprintf(text + n, sizeof(text) - (size_t)n,
			 " An unfinished setup or adopt is forgotten, too. If the server has "
			 "carried it out, what it made there is lost.");
	return cli_confirm("forget", yes, text);
}

static int forget_in_daemon(struct cli *c, const struct found *f, struct err *err)
{
	struct control_request r = { .verb = CONTROL_FORGET };
	struct daemon_reply reply = { 0 };
	int rc;

	if (!f->daemon)
		return 0;
	snprintf(r.cluster, sizeof(r.cluster), "%s", f->cluster);
	rc = daemon_call(c, &r, err, &reply);
	if (rc == 0)
		rc = daemon_reply_check(&reply, err);
	daemon_reply_free(&reply);
	return rc;
}

/* A foreground tunnel, whose files these are, would go on and write them again. */
static int forget_files(struct cli *c, const struct found *f, struct err *err)
{
	char path[STORE_PATH_MAX];
	struct file_lock *lock = NULL;
	int pid = 0, rc = 0;

	if (!f->files)
		return 0;
	if (store_has_cluster(c->host, &c->store, f->cluster) &&
	    store_cluster_path(&c->store, f->cluster, STORE_LOCK, path, NULL) == 0)
		rc = file_lock(c->host, path, &pid, NULL, &lock);
	if (rc == -EBUSY)
		return err_set(err, rc,
			       "%s runs in the foreground of another terminal: end that "
			       "first",
			       f->cluster);
	rc = store_forget(c->host, &c->store, f->cluster, err);
	file_unlock(lock);
	return rc;
}

/* --- saying it -------------------------------------------------------------------------------- */

static void print_json(const struct found *f)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "cluster",
			       f->cluster[0] ? json_object_new_string(f->cluster) : NULL);
	json_object_object_add(o, "forgotten", json_object_new_boolean(f->files || f->daemon));
	json_object_object_add(o, "was_connected",
			       f->no_daemon ? NULL : json_object_new_boolean(f->connected));
	json_object_object_add(o, "node", f->node[0] ? json_object_new_string(f->node) : NULL);
	json_object_object_add(o, "copy_left", json_object_new_boolean(f->copy_left));
	json_print(o);
}

static void print_text(struct cli *c, const struct found *f)
{
	char other[160];

	if (f->files || f->daemon) {
		printf("%s%s is forgotten on this machine.\n", f->connected ? "Disconnected: " : "",
		       f->cluster);
		if (f->node[0])
			table_line("",
				   "%s stays a member for the others until an admin runs `mlsh "
				   "remove %s.%s`.",
				   f->node, f->node, f->cluster);
		return;
	}
	whose_other(c, f->cluster, other, sizeof(other));
	table_line("", "There is nothing of %s on this machine%s%s.", f->cluster, *other ? "." : "",
		   other);
}

static int finish(struct cli *c, const struct found *f, bool json)
{
	if (json)
		print_json(f);
	else if (!f->copy_left || f->files)
		print_text(c, f);
	if (!f->copy_left)
		return EXIT_OK;
	fflush(stdout);
	cli_complain("mlshtund is not running, and may have kept a copy of %s in its state folder, "
		     "with the key. When it starts it may connect again. Start it and run this "
		     "command again",
		     f->cluster);
	return EXIT_NO_DAEMON;
}

static int forget(struct cli *c, const struct options_given *g)
{
	struct found f = { .files = false };
	struct cluster_names of_root;
	struct err err = { 0 };
	int rc = names_choose(c, g->n_args ? g->arg[0] : NULL, "which cluster is to be forgotten",
			      f.cluster, &err);
	int code;

	if (rc < 0)
		return cli_fail(&err);
	if (!f.cluster[0])
		roots_list(c, &of_root);
	if (!f.cluster[0] && of_root.n > 0) {
		(void)!roots_refuse(c, of_root.name[0], &err);
		return cli_fail(&err);
	}
	if (!f.cluster[0]) {
		if (g->value[JSON])
			print_json(&f);
		else
			printf("There is no cluster on this machine.\n");
		return EXIT_OK;
	}
	rc = look_at_daemon(c, &f, &err);
	if (rc < 0)
		return cli_fail(&err);
	look_at_files(c, &f);
	if (!f.files && f.of_root) {
		(void)!roots_refuse(c, f.cluster, &err);
		return cli_fail(&err);
	}
	if (!f.files && !f.daemon)
		return finish(c, &f, g->value[JSON] != NULL);
	code = confirm(&f, g->value[YES] != NULL);
	if (code != EXIT_OK)
		return code;
	err = (struct err){ 0 };
	rc = forget_in_daemon(c, &f, &err);
	if (rc == 0)
		rc = forget_files(c, &f, &err);
	if (rc < 0) {
		whose_explain(c, f.cluster, false, &err);
		return cli_fail(&err);
	}
	return finish(c, &f, g->value[JSON] != NULL);
}

const struct command forget_command = {
	.name = "forget",
	.summary = "remove a cluster from this machine only",
	.options = {
		.program = "mlsh forget",
		.usage = "[<cluster>] [--yes] [--json]",
		.about = "Disconnects the cluster and removes all that is kept of it on this "
			 "machine: its file, its membership log, this machine's key, an unfinished "
			 "setup or adopt, and mlshtund's copy. The name may be left out where "
			 "there is one cluster.\n"
			 "It tells nobody: this machine stays a member for the others until an "
			 "admin removes it with `mlsh remove`; `mlsh leave` does that from here. "
			 "`mlsh adopt` with a new invite joins again, with a new key and another "
			 "name; with one of `mlsh invite --replace` it gets its name back.",
		.max_args = 1,
		.row = {
			[YES] = { "yes", 0, NULL, "do not ask; needed where there is no terminal" },
			[JSON] = { "json", 0, NULL, "print the result as JSON" },
		},
	},
	.run = forget,
};
