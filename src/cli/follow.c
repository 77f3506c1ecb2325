/* SPDX-License-Identifier: MIT */
/* mlsh move --follow: a node that nobody told goes to the server that its cluster has moved to. */
#include "cli/follow.h"

#include <stdio.h>

#include "cli/ask_log.h"
#include "cli/hand_over.h"
#include "cli/new_server.h"
#include "cli/table.h"
#include "client/follow.h"
#include "client/rotation.h"
#include "identity/identity.h"
#include "membership/hostport.h"

struct following {
	struct cli *cli;
	struct copy copy;
	struct identity *identity;
	char host[HOST_TEXT_MAX + 1];
	uint16_t port;
	uint8_t cert[HASH_LEN];
};

static int parse_where(struct following *f, const char *where, struct err *err)
{
	const char *at = strrchr(where, '@');
	char host[HOST_TEXT_MAX + 8];

	if (!at || (size_t)(at - where) >= sizeof(host) ||
	    hex_decode(at + 1, strlen(at + 1), f->cert, sizeof(f->cert)) < 0)
		return err_set(err, -EINVAL,
			       "--follow takes host[:port]@fingerprint, where the fingerprint has "
			       "64 digits: it stands behind the @ in the server's tokens");
	snprintf(host, sizeof(host), "%.*s", (int)(at - where), where);
	return hostport_parse(host, SIGNAL_PORT, f->host, &f->port, err);
}

/* Another server than the earlier one has given no token, and must not see that one's. */
static int ask_server(struct following *f, struct err *err)
{
	const struct cluster_file *file = &f->copy.file;
	bool same = memcmp(file->signal_cert, f->cert, HASH_LEN) == 0;
	struct ask_log a = { .cli = f->cli,
			     .copy = &f->copy,
			     .identity = f->identity,
			     .host = f->host,
			     .port = f->port,
			     .cert = f->cert,
			     .node_token = same ? file->node_token : NULL };

	return ask_log(&a, err);
}

/* The record decides, not the server: it may be that it only says that it is the one. */
static int check_record(struct following *f, struct err *err)
{
	const struct log_server *now = mlog_server(f->copy.log);

	if (memcmp(now->cert, f->cert, HASH_LEN) == 0)
		return 0;
	return err_set(err, -EACCES,
		       "no record says that %s has moved to %s: by the log that it shows the "
		       "server is %.200s. Nothing was changed",
		       f->copy.cluster, f->host, now->host);
}

static void print_result(const struct following *f, bool json)
{
	const struct log_server *now = mlog_server(f->copy.log);

	progress_clear();
	if (json)
		moved_print_json(f->copy.cluster, now->host, now->port, 0, true);
	else
		table_line("", "%s is at %.200s now%s.", f->copy.cluster, now->host,
			   f->copy.connected ? "; mlshtund connects there" : "");
}

/* A daemon goes on with the longer log, and with the server in it. */
static int follow(struct following *f, struct err *err)
{
	int rc = store_identity(f->cli->host, &f->cli->store, f->copy.cluster, &f->identity, err);

	if (rc == 0)
		rc = ask_server(f, err);
	if (rc == 0)
		rc = check_record(f, err);
	if (rc < 0)
		return rc;
	(void)follow_log(&f->copy.file, f->copy.log);
	rc = store_save_cluster(f->cli->host, &f->cli->store, &f->copy.file, f->copy.log, err);
	if (rc == 0)
		rc = MIN(rotation_settle(f->cli->host, &f->cli->store, f->copy.cluster, f->copy.log,
					 err),
			 0);
	return rc == 0 && f->copy.connected ? cli_hand_over(f->cli, f->copy.cluster, err, NULL)
					    : rc;
}

int follow_run(struct cli *c, const char *cluster, const char *where, bool json)
{
	struct following f = { .cli = c };
	struct err err = { 0 };
	int rc = parse_where(&f, where, &err);

	if (rc == 0)
		rc = copy_open(c, cluster, &f.copy, &err);
	if (rc == 0)
		rc = follow(&f, &err);
	progress_clear();
	if (rc == 0)
		print_result(&f, json);
	identity_free(f.identity);
	copy_free(&f.copy);
	return rc < 0 ? cli_fail(&err) : EXIT_OK;
}
