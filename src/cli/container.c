/* SPDX-License-Identifier: MIT */
/*
 * mlsh container: process 1 of a node's container. It joins a cluster once, by an invite from the
 * environment, and becomes mlshtund; a child connects the clusters and tells the container's
 * resolver of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/adopt.h"
#include "cli/daemon_status.h"
#include "cli/names.h"
#include "cli/resolv_conf.h"
#include "membership/invite_url.h"
#include "os/become.h"
#include "os/privs.h"

#define INVITE_FILE_MAX (2 * INVITE_URL_MAX)
#define LOOK_EVERY (50 * NS_PER_MS) /* for the daemon, which starts beside */

/* --- joining ---------------------------------------------------------------------------------- */

/* The text of the environment's invite, "" if there is none. The caller wipes. */
static int read_invite(struct cli *c, char out[INVITE_URL_MAX], struct err *err)
{
	const char *text = cli_env("MLSH_INVITE", ""), *path = cli_env("MLSH_INVITE_FILE", "");
	struct buf b = { 0 };
	int rc;

	if (*text && *path)
		return err_set(err, -EINVAL,
			       "MLSH_INVITE and MLSH_INVITE_FILE are both set: one invite is "
			       "needed, unset one of them");
	if (*text)
		return cli_read_secret("invite in MLSH_INVITE", text, out, INVITE_URL_MAX, err);
	*out = '\0';
	if (!*path)
		return 0;
	rc = file_read(c->host, path, INVITE_FILE_MAX, err, &b);
	if (rc < 0)
		return err_prefix(err, "MLSH_INVITE_FILE");
	rc = cli_read_secret("invite in MLSH_INVITE_FILE", (const char *)b.data, out,
			     INVITE_URL_MAX, err);
	buf_free(&b);
	return rc;
}

/* An invite is used once: at later starts it says nothing new. */
static int join_by(struct cli *c, const struct invite_url *url)
{
	const char *cluster = url->invite.cluster_name, *name = cli_env("MLSH_NAME", "");

	if (!store_has_cluster(c->host, &c->store, cluster) ||
	    store_has_pending(c->host, &c->store, cluster))
		return adopt_invite(c, url, *name ? name : NULL, JOIN_BRIEF);
	log_info(host_log(c->host),
		 "this node is in %s already: the invite is not used. To join with it all the "
		 "same, run in this container: mlsh forget %s --yes; and restart it",
		 cluster, cluster);
	return EXIT_OK;
}

/* The invite of the environment. Returns 1, or 0 if there is none. The caller wipes. */
static int parse_invite(struct cli *c, struct invite_url *ret, struct err *err)
{
	char text[INVITE_URL_MAX];
	int rc = read_invite(c, text, err);

	if (rc == 0 && *text) {
		rc = invite_url_parse(text, ret, err);
		rc = rc < 0 ? rc : 1;
	}
	secret_wipe(text, sizeof(text));
	return rc;
}

/* Is it in a cluster, with no join that an invite has to finish? */
static bool has_joined(struct cli *c)
{
	struct cluster_names names;

	names_list(c, &names);
	for (size_t i = 0; i < names.n; i++)
		if (store_has_pending(c->host, &c->store, names.name[i]))
			return false;
	return names.n > 0;
}

/* Returns an exit code, negative with a message. */
static int join_once(struct cli *c, struct err *err)
{
	struct invite_url url;
	int rc = parse_invite(c, &url, err);

	if (rc < 0 && has_joined(c)) {
		log_warn(host_log(c->host),
			 "this node has joined, and goes on without the invite: %s", err->text);
		return EXIT_OK;
	}
	if (rc <= 0)
		return rc;
	rc = join_by(c, &url);
	invite_url_wipe(&url);
	return rc;
}

/* --- connecting, in the child ----------------------------------------------------------------- */

/* A daemon that cannot start says so, and ends this process, too. */
static int await_daemon(struct cli *c, struct err *err)
{
	struct json_object *status = NULL;
	int rc;

	while (daemon_is_absent(rc = daemon_status(c, NULL, err, &status)))
		if (cli_wait(c, LOOK_EVERY) < 0)
			return err_set(err, -EINTR, "interrupted");
	json_object_put(status);
	return rc;
}

/* What stands against it is said, and is no reason to end: `mlsh status` shows it. */
static void connect_one(struct cli *c, const char *cluster)
{
	struct options_given g = { .n_args = 1, .arg = { cluster } };

	(void)connect_command.run(c, &g);
	fflush(stdout);
}

static int tell_names(struct cli *c, const struct cluster_names *names, struct err *err)
{
	int rc = resolv_conf_tell(c, names, err);

	if (rc == 0)
		printf("Programs in this container, and in those that share its network, find "
		       "nodes by name (/etc/resolv.conf).\n");
	return rc;
}

static int connect_all(struct cli *c, const struct cluster_names *names)
{
	struct err err = { 0 };
	int rc = await_daemon(c, &err);

	for (size_t i = 0; rc == 0 && i < names->n; i++)
		connect_one(c, names->name[i]);
	if (rc == 0 && strcmp(cli_env("MLSH_DNS", "on"), "off") != 0)
		rc = tell_names(c, names, &err);
	return rc < 0 ? cli_fail(&err) : EXIT_OK;
}

/* --- from the start to the end ---------------------------------------------------------------- */

static int check_environment(struct cli *c, struct err *err)
{
	const char *dns = cli_env("MLSH_DNS", "on");
	int rc = privs_check_tunnel(c->host, err);

	if (rc < 0)
		return err_set(err, rc,
			       "%.300s. A container gets both with --cap-add NET_ADMIN "
			       "--device /dev/net/tun",
			       err->text);
	if (strcmp(dns, "on") != 0 && strcmp(dns, "off") != 0)
		return err_set(err, -EINVAL, "MLSH_DNS can be on or off, not '%.40s'", dns);
	return 0;
}

/* Whole files are shown to the daemon: what is wrong with them ends the container. */
static int check_clusters(struct cli *c, struct cluster_names *names, struct err *err)
{
	int rc = 0;

	names_list(c, names);
	if (names->n == 0)
		return err_set(err, -ENOENT,
			       "this node is in no cluster yet. Make an invite on another machine "
			       "(mlsh invite), and give it to this container in MLSH_INVITE, or in "
			       "a file that MLSH_INVITE_FILE names");
	for (size_t i = 0; rc == 0 && i < names->n; i++) {
		struct handover files = { .sent = 0 };

		rc = handover_read(c->host, &c->store, names->name[i], &files, err);
		handover_free(&files);
	}
	return rc;
}

/* The lines of an earlier start. A list that cannot be changed is no reason to end. */
static void clear_names(struct cli *c)
{
	struct err err = { 0 };

	if (resolv_conf_untell(c, &err) < 0)
		log_warn(host_log(c->host),
			 "this node goes on; name servers of an earlier start may be left: %s",
			 err.text);
}

static int container(struct cli *c, const struct options_given *g)
{
	struct cluster_names names = { .n = 0 };
	struct err err = { 0 };
	int rc;

	(void)g;
	host_log(c->host)->level = LOG_LEVEL_INFO;
	rc = check_environment(c, &err);
	if (rc == 0) {
		clear_names(c);
		rc = join_once(c, &err);
	}
	if (rc > 0)
		return rc;
	if (rc == 0)
		rc = check_clusters(c, &names, &err);
	if (rc == 0) {
		unsetenv("MLSH_INVITE");
		rc = become_program(c->host, "mlshtund", &err);
	}
	host_log(c->host)->level = LOG_LEVEL_WARN;
	return rc < 0 ? cli_fail(&err) : connect_all(c, &names);
}

const struct command container_command = {
	.name = "container",
	.summary = "run this node as the first process of a container",
	.options = {
		.program = "mlsh container",
		.usage = "",
		.about = "Joins a cluster with the invite in MLSH_INVITE, or in the file that "
			 "MLSH_INVITE_FILE names, unless this node has joined it; then becomes the "
			 "tunnel daemon mlshtund, and connects. MLSH_NAME is the node's name "
			 "(default: the invite's, or made from the host name). The container's "
			 "/etc/resolv.conf is told of the clusters' names (MLSH_DNS=off: it is "
			 "not). The container image of mlsh starts it (docs/containers.md).",
		.row = { { NULL } },
	},
	.run = container,
};
