/* SPDX-License-Identifier: MIT */
/* Where the server is, by the log. */
#include "client/follow.h"

#include <stdio.h>

static bool place_is(const struct cluster_file *f, const struct log_server *s)
{
	return f->signal_port == s->port && strcmp(f->signal_host, s->host) == 0;
}

static void place_set(struct cluster_file *f, const struct log_server *s)
{
	snprintf(f->signal_host, sizeof(f->signal_host), "%s", s->host);
	f->signal_port = s->port;
}

bool follow_log(struct cluster_file *f, const struct mlog *log)
{
	const struct log_server *s = mlog_server(log);

	if (memcmp(f->signal_key, s->key, HASH_LEN) == 0) {
		if (place_is(f, s) || !mlog_server_was(log, f->signal_host, f->signal_port))
			return false;
		place_set(f, s);
		return true;
	}
	place_set(f, s);
	memcpy(f->signal_cert, s->cert, HASH_LEN);
	memcpy(f->signal_key, s->key, HASH_LEN);
	secret_wipe(f->node_token, sizeof(f->node_token));
	return true;
}
