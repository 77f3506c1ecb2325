/* SPDX-License-Identifier: MIT */
/* Reads where the new server is, and hands the cluster's log to it. */
#include "cli/new_server.h"

#include <json-c/json.h>

#include "cli/table.h"
#include "identity/codes.h"
#include "membership/hostport.h"
#include "os/loop.h"

int new_server_read(struct cli *c, const char *cluster, const char *host, const char *token,
		    struct new_server *ret, struct err *err)
{
	char text[128];
	int rc;

	ret->cli = c;
	rc = hostport_parse(host, SIGNAL_PORT, ret->host, &ret->port, err);
	if (rc == 0 && host_in_zone(ret->host, cluster))
		rc = err_set(err, -EINVAL,
			     "the server's name %s is in the cluster's own zone, .%s: connected "
			     "nodes would not find it. Give another name of it, or its address",
			     ret->host, cluster);
	if (rc == 0)
		rc = cli_read_secret("setup token", token, text, sizeof(text), err);
	if (rc < 0)
		return rc;
	rc = setup_token_parse(text, ret->code, ret->cert, err);
	secret_wipe(text, sizeof(text));
	return rc;
}

static void on_import(void *ctx, const struct err *err, const struct log_server *server,
		      const struct wire_head *head)
{
	struct new_server *s = ctx;

	if (err) {
		s->err = *err;
	} else {
		s->to = *server;
		s->head = *head;
	}
	loop_stop(s->cli->host);
}

static void on_progress(void *ctx, const char *line)
{
	(void)ctx;
	progress_show("%s", line);
}

int new_server_import(struct new_server *s, const struct identity *id, const struct mlog *log,
		      struct err *err)
{
	struct import_params p = { .identity = id,
				   .log = log,
				   .host = s->host,
				   .port = s->port,
				   .cert = s->cert,
				   .code = s->code };
	int rc = import_start(s->cli->host, &p, on_import, on_progress, s, err, &s->import);

	if (rc == 0 && loop_run(s->cli->host) < 0)
		rc = err_set(err, -EIO, "the event loop failed");
	if (rc == 0 && s->err.code) {
		*err = s->err;
		rc = err->code;
	}
	progress_clear();
	return rc;
}

void new_server_free(struct new_server *s)
{
	import_free(s->import);
	secret_wipe(s, sizeof(*s));
}

void moved_print_json(const char *cluster, const char *host, uint16_t port, uint64_t seq,
		      bool moved)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "cluster", json_object_new_string(cluster));
	json_object_object_add(o, "host", json_object_new_string(host));
	json_object_object_add(o, "port", json_object_new_int(port));
	json_object_object_add(o, "seq", seq ? json_object_new_uint64(seq) : NULL);
	json_object_object_add(o, "moved", json_object_new_boolean(moved));
	json_print(o);
}
