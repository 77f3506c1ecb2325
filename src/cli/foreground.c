/* SPDX-License-Identifier: MIT */
/* mlsh connect --foreground: the tunnel in the calling process, until Ctrl-C. */
#include <stdio.h>
#include <unistd.h>

#include "cli/daemon_status.h"
#include "cli/whose.h"
#include "os/split.h"
#include "os/user.h"
#include "tund/daemon_run.h"

struct foreground {
	struct cli *cli;
	struct split *split; /* NULL: this process itself writes files */
	struct tunnel_parts *parts;
	struct user owner; /* of the tunnel: who called */
	enum tunnel_state shown;
	bool ever_shown, json;
	int exit_code;
};

static void on_changed(void *ctx, struct tunnel *t)
{
	struct foreground *f = ctx;
	enum tunnel_state s = tunnel_state_get(t);
	const struct cluster_file *cf = tunnel_cluster(t);
	char ip[IP4_TEXT_MAX];

	if (f->ever_shown && s == f->shown)
		return;
	f->ever_shown = true;
	f->shown = s;
	if (f->json)
		connect_print_json(cf->cluster, tunnel_state_name(s), ip4_format(cf->address, ip),
				   tunnel_warning(t));
	else if (s == TUNNEL_CONNECTED)
		printf("Connected to %s: this node is %s.%s, %s. Ctrl-C disconnects.\n",
		       cf->cluster, cf->node_name, cf->cluster, ip4_format(cf->address, ip));
	else
		printf("%s: %s\n", cf->cluster, tunnel_state_name(s));
	fflush(stdout);
	if (s == TUNNEL_STOPPED) {
		f->exit_code = EXIT_FAILED;
		loop_stop(f->cli->host);
	}
}

static int load_parts(struct cli *c, const char *cluster, struct tunnel_parts *p, struct err *err)
{
	int rc = store_load_cluster(c->host, &c->store, cluster, &p->cluster, err);

	if (rc == 0)
		rc = store_identity(c->host, &c->store, cluster, &p->identity, err);
	if (rc == 0)
		rc = store_load_log(c->host, &c->store, &p->cluster, &p->log, NULL, err);
	return rc;
}

/* Another terminal may run it from the same files, whatever became of its socket. */
static int lock_cluster(struct cli *c, const char *cluster, struct file_lock **ret, struct err *err)
{
	char path[STORE_PATH_MAX], who[32] = "";
	struct err why = { 0 };
	int pid = 0, rc = store_cluster_path(&c->store, cluster, STORE_LOCK, path, err);

	if (rc < 0)
		return rc;
	rc = file_lock(c->host, path, &pid, &why, ret);
	if (pid > 0)
		snprintf(who, sizeof(who), ", process %d", pid);
	if (rc == -EBUSY)
		return err_set(err, rc,
			       "%s runs in the foreground of another terminal already%s: "
			       "end that first",
			       cluster, who);
	if (rc < 0)
		log_warn(host_log(c->host),
			 "a second mlsh may run this cluster at the same "
			 "time, since the lock failed: %s",
			 why.text);
	return 0;
}

/* The daemon, or another terminal, may have it already. */
static int check_not_connected(struct cli *c, const char *cluster, struct err *err)
{
	struct json_object *status = NULL;
	struct err ignored = { 0 };
	bool up;

	if (daemon_status(c, cluster, &ignored, &status) < 0)
		return 0;
	up = status && !status_is_stopped(status_cluster(status));
	json_object_put(status);
	return !up ? 0
		   : err_set(err, -EBUSY,
			     "%s is connected already, by mlshtund or in another terminal: end "
			     "that first (mlsh disconnect %s)",
			     cluster, cluster);
}

/* The files are the caller's: as root they would not be found. */
static int check_privileges(struct cli *c, const char *cluster, struct err *err)
{
	struct err why = { 0 };
	int rc = privs_check_tunnel(c->host, &why);

	if (rc == -EPERM)
		return err_set(err, rc,
			       "%.300s. `mlsh connect %s`, without --foreground, leaves "
			       "that to mlshtund",
			       why.text, cluster);
	return rc == 0 ? 0 : err_set(err, rc, "%s", why.text);
}

/* ---- the log, which is among the caller's files ---- */

static int save_log(void *ctx, const struct cluster_file *f, const struct mlog *l, struct err *err)
{
	struct foreground *fg = ctx;
	struct buf bytes = { 0 };
	int rc;

	if (!fg->split)
		return store_save_log(fg->cli->host, &fg->cli->store, f, l, err);
	rc = log_file_encode(l, &bytes);
	rc = rc < 0 ? err_set(err, rc, "out of memory")
		    : split_ask(fg->split, span_of(bytes.data, bytes.len), err);
	buf_free(&bytes);
	return rc;
}

/* What the keeper knows: the worker cannot make it write anything but a longer log of the same. */
struct kept {
	struct cli *cli;
	struct tunnel_parts *parts;
};

static int keep_log(void *ctx, struct span request, struct err *err)
{
	struct kept *k = ctx;
	struct tunnel_parts *p = k->parts;
	struct log_read read = { .log = NULL };
	int rc = log_file_decode(k->cli->host, request, p->cluster.cluster_id,
				 &(struct log_trust){ .known = p->log }, &read, err);

	if (rc == 0)
		rc = parts_merge_log(p, &read.log, err);
	if (rc == 0)
		rc = store_save_log(k->cli->host, &k->cli->store, &p->cluster, p->log, err);
	mlog_free(read.log);
	return rc;
}

/*
 * Root's files stay root's, so that a daemon of another user cannot write them: this process keeps
 * them and root's rights, and another one, which is the daemon, asks it to. Returns 1 in the
 * daemon, also if no other user is to be had; 0 in the keeper, when all is over.
 */
static int split_off(struct foreground *f, struct err *err)
{
	struct kept kept = { f->cli, f->parts };
	int rc = split_fork(f->cli->host, err, &f->split);

	if (rc != 0)
		return rc;
	f->exit_code = split_keep(f->split, LOG_FILE_MAX, keep_log, &kept);
	return 0;
}

/* ---- from the start to the end ---- */

static int became(void *ctx, struct err *err)
{
	struct foreground *f = ctx;
	int rc = f->split ? split_end_together(f->split) : 0;

	return rc == 0 ? 0
		       : err_set(err, rc, "cannot end with the process that began: %s",
				 strerror(-rc));
}

static int start(void *ctx, struct daemon *d, struct err *err)
{
	struct foreground *f = ctx;

	return daemon_add(d, f->parts, f->owner, err);
}

static int run_daemon(struct foreground *f, struct daemon_run *r, struct err *err)
{
	r->folder = f->split ? NULL : f->cli->store.dir;
	return daemon_run(f->cli->host, r, err);
}

int foreground_run(struct cli *c, const char *cluster, bool json)
{
	struct tunnel_parts p = { 0 };
	struct foreground f = { .cli = c,
				.parts = &p,
				.owner = user_self(c->host),
				.json = json,
				.exit_code = EXIT_OK };
	struct daemon_run run = { .config = { .socket_path = c->socket_path,
					      .save_log = save_log,
					      .changed = on_changed,
					      .ctx = &f },
				  .account = { .reaches = true },
				  .became = became,
				  .start = start,
				  .ctx = &f };
	struct daemon_config *cfg = &run.config;
	const struct privs_state state = { .user = CONTROL_USER };
	struct file_lock *lock = NULL;
	struct err err = { 0 };
	int rc;

	if (cli_log_level(cli_env("MLSH_LOG", "info"), &host_log(c->host)->level, &err) < 0 ||
	    cli_fixed_port(cli_env("MLSH_PORT", NULL), &cfg->port, &err) < 0 ||
	    cli_port_mapping(cli_env("MLSH_PORT_MAPPING", "on"), &cfg->no_port_mapping, &err) < 0)
		return cli_usage("connect", "%s", err.text);
	rc = load_parts(c, cluster, &p, &err);
	if (rc < 0)
		whose_explain(c, cluster, false, &err);
	if (rc == 0)
		rc = check_not_connected(c, cluster, &err);
	if (rc == 0)
		rc = lock_cluster(c, cluster, &lock, &err);
	if (rc == 0)
		rc = check_privileges(c, cluster, &err);
	if (rc == 0)
		rc = privs_give_state(c->host, &state, &err, &run.account);
	if (rc == 0)
		rc = run.account.differs ? split_off(&f, &err) : 1;
	if (rc > 0)
		rc = run_daemon(&f, &run, &err);
	split_free(f.split);
	file_unlock(lock);
	tunnel_parts_free(&p);
	return rc < 0 ? cli_fail(&err) : f.exit_code;
}
