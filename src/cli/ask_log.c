/* SPDX-License-Identifier: MIT */
/* Asks a server for the log of a cluster of the caller's, as this node under each of its keys. */
#include "cli/ask_log.h"

#include "client/fetch.h"
#include "client/rotation.h"
#include "identity/identity.h"
#include "os/loop.h"

struct ask_log ask_log_of(struct cli *c, struct copy *copy, const struct identity *identity,
			  const struct cluster_file *f)
{
	return (struct ask_log){ .cli = c,
				 .copy = copy,
				 .identity = identity,
				 .host = f->signal_host,
				 .port = f->signal_port,
				 .cert = f->signal_cert,
				 .key = f->signal_key,
				 .node_token = f->node_token };
}

struct asking {
	struct host *host;
	struct err err;
};

static void on_fetched(void *ctx, const struct err *err)
{
	struct asking *a = ctx;

	if (err)
		a->err = *err;
	loop_stop(a->host);
}

static int ask_as(const struct ask_log *a, const struct identity *as, struct err *err)
{
	struct fetch_params p = { .identity = as,
				  .node_token = a->node_token,
				  .log = a->copy->log,
				  .host = a->host,
				  .port = a->port,
				  .cert = a->cert,
				  .key = a->key };
	struct asking asking = { .host = a->cli->host };
	struct fetch *fetch = NULL;
	int rc = fetch_start(a->cli->host, &p, on_fetched, &asking, err, &fetch);

	progress_show("asking %s for the membership log ...", a->host);
	if (rc == 0 && loop_run(a->cli->host) < 0)
		rc = err_set(err, -EIO, "the event loop failed");
	fetch_free(fetch);
	progress_clear();
	if (rc == 0 && asking.err.code) {
		*err = asking.err;
		rc = err->code;
	}
	return rc;
}

/* Returns true if the server accepted one of them. */
static bool ask_as_others(const struct ask_log *a)
{
	struct cli *c = a->cli;
	struct err err = { 0 };
	bool accepted = false;

	for (size_t n = 0; !accepted; n++) {
		struct identity *other = NULL;

		if (rotation_other(c->host, &c->store, a->copy->cluster, a->identity, n, &other,
				   &err) < 0)
			break;
		accepted = ask_as(a, other, &err) == 0;
		identity_free(other);
		if (!accepted && err.reason != REFUSAL_BAD_TOKEN)
			break;
	}
	return accepted;
}

int ask_log(const struct ask_log *a, struct err *err)
{
	int rc = ask_as(a, a->identity, err);

	return rc < 0 && err->reason == REFUSAL_BAD_TOKEN && ask_as_others(a) ? 0 : rc;
}
