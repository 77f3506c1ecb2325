/* SPDX-License-Identifier: MIT */
/* Asking the daemon: one connection a request, the loop runs until the reply is whole. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "os/local.h"

#define CALL_TIMEOUT (20 * NS_PER_S)

struct call {
	struct cli *cli;
	struct local_conn *conn;
	struct timer *timer;
	struct daemon_reply reply;
	size_t cap;
	int (*fn)(void *ctx,
		  const struct daemon_reply *reply); /* NULL: the first reply ends the call */
	void *ctx;
	int result;
	bool done;
};

void daemon_reply_free(struct daemon_reply *r)
{
	free(r->data);
	*r = (struct daemon_reply){ 0 };
}

bool daemon_is_absent(int rc)
{
	return rc == -ENOENT || rc == -ECONNREFUSED;
}

static void call_finish(struct call *c, int result)
{
	if (c->done)
		return;
	c->done = true;
	c->result = result;
	loop_stop(c->cli->host);
}

static int call_append(struct call *c, const uint8_t *data, size_t len)
{
	if (c->reply.len + len > CONTROL_REPLY_MAX)
		return -EFBIG;
	if (c->reply.len + len + 1 > c->cap) {
		size_t cap = MAX(c->cap * 2, c->reply.len + len + 1);
		uint8_t *grown = realloc(c->reply.data, cap);

		if (!grown)
			return -ENOMEM;
		c->reply.data = grown;
		c->cap = cap;
	}
	memcpy(c->reply.data + c->reply.len, data, len);
	c->reply.len += len;
	c->reply.data[c->reply.len] = '\0';
	return 0;
}

static void on_message(void *ctx, struct local_conn *conn, struct local_message *m)
{
	struct call *c = ctx;

	(void)conn;
	if (c->done)
		return;
	if (m->len < 1 || m->n_fds || call_append(c, m->data + 1, m->len - 1) < 0) {
		call_finish(c, -EBADMSG);
		return;
	}
	if (m->data[0] == 0)
		return;
	if (!c->fn) {
		call_finish(c, 0);
		return;
	}
	int rc = c->fn(c->ctx, &c->reply);
	c->reply.len = 0;
	if (rc)
		call_finish(c, rc);
}

static void on_closed(void *ctx, struct local_conn *conn)
{
	(void)conn;
	call_finish(ctx, -EPIPE);
}

static void on_timeout(void *ctx)
{
	call_finish(ctx, -ETIMEDOUT);
}

/* Which socket, why not, and what to do. */
static int no_connection(const char *path, int rc, const struct err *why, struct err *err)
{
	bool usual = strcmp(path, CONTROL_SOCKET) == 0;

	if (daemon_is_absent(rc) && usual)
		return err_set(err, rc, "mlshtund is not running (%s). Start it with `sudo "
			       "systemctl start mlshtund`, or `sudo mlshtund &`, or connect "
			       "without it: `sudo mlsh connect <cluster> --foreground`", why->text);
	if (daemon_is_absent(rc))
		return err_set(err, rc, "mlshtund is not running there (%.160s, which MLSH_SOCKET "
			       "names). Start it with `sudo mlshtund --socket %.160s`, or unset "
			       "MLSH_SOCKET to ask the one at " CONTROL_SOCKET, why->text, path);
	if (usual)
		return err_set(err, rc, "mlshtund can not be asked: %s%s", why->text,
			       rc == -EACCES ? ". It should be open to every user of this machine, "
					       "no group is needed: start mlshtund anew" : "");
	return err_set(err, rc, "mlshtund can not be asked: %.240s. MLSH_SOCKET names it; unset, "
		       "the one at " CONTROL_SOCKET " is asked, which is open to all users",
		       why->text);
}

static int call_run(struct call *c, const struct control_request *r, const int *fds, size_t n_fds,
		    uint64_t timeout_ns, struct err *err)
{
	static const struct local_ops ops = { .message = on_message, .closed = on_closed };
	uint8_t request[CONTROL_REQUEST_MAX];
	struct err why = { 0 };
	ptrdiff_t n = control_request_encode(r, request, sizeof(request));
	int rc = n < 0 ? (int)n
		       : local_connect(c->cli->host, c->cli->socket_path, &ops, c, &why, &c->conn);

	if (rc < 0)
		return no_connection(c->cli->socket_path, rc, &why, err);
	c->timer = timer_new(c->cli->host, on_timeout, c);
	if (!c->timer)
		return err_set(err, -ENOMEM, "no memory");
	timer_set_in(c->timer, timeout_ns);
	rc = local_send(c->conn, request, (size_t)n, fds, n_fds);
	if (rc < 0)
		return err_set(err, rc, "the request could not be sent to mlshtund");
	rc = loop_run(c->cli->host);
	if (rc < 0)
		return err_set(err, rc, "the event loop failed");
	if (!c->done)
		return err_set(err, -EINTR, "interrupted");
	if (c->result == -EPIPE)
		return err_set(err, -EPIPE, "mlshtund closed the connection; its log says why");
	if (c->result == -ETIMEDOUT)
		return err_set(err, -ETIMEDOUT, "mlshtund did not answer in time");
	if (c->result == -EBADMSG)
		return err_set(err, -EBADMSG,
			       "mlshtund's answer was not understood: is it of the same version?");
	return c->result;
}

static void call_end(struct call *c)
{
	local_conn_close(c->conn);
	timer_free(c->timer);
}

int daemon_call(struct cli *cli, const struct control_request *r, const int *fds, size_t n_fds,
		struct err *err, struct daemon_reply *ret)
{
	struct call c = { .cli = cli };
	int rc = call_run(&c, r, fds, n_fds, CALL_TIMEOUT, err);

	call_end(&c);
	if (rc < 0) {
		daemon_reply_free(&c.reply);
		return rc;
	}
	*ret = c.reply;
	return 0;
}

int daemon_watch(struct cli *cli, const char *cluster, uint64_t timeout_ns,
		 int (*fn)(void *ctx, const struct daemon_reply *reply), void *ctx, struct err *err)
{
	struct control_request r = { .verb = CONTROL_WATCH };

	snprintf(r.cluster, sizeof(r.cluster), "%s", cluster);
	return daemon_stream(cli, &r, timeout_ns, fn, ctx, err);
}

int daemon_stream(struct cli *cli, const struct control_request *r, uint64_t timeout_ns,
		  int (*fn)(void *ctx, const struct daemon_reply *reply), void *ctx,
		  struct err *err)
{
	struct call c = { .cli = cli, .fn = fn, .ctx = ctx };
	int rc = call_run(&c, r, NULL, 0, timeout_ns, err);

	call_end(&c);
	daemon_reply_free(&c.reply);
	return rc;
}

static void on_waited(void *ctx)
{
	struct call *c = ctx;

	call_finish(c, 0);
}

int cli_wait(struct cli *cli, uint64_t ns)
{
	struct call c = { .cli = cli };
	int rc;

	c.timer = timer_new(cli->host, on_waited, &c);
	if (!c.timer)
		return -ENOMEM;
	timer_set_in(c.timer, ns);
	rc = loop_run(cli->host);
	timer_free(c.timer);
	return rc == 0 && !c.done ? -EINTR : rc;
}

int daemon_reply_check(const struct daemon_reply *r, struct err *err)
{
	struct json_object *o = json_tokener_parse((const char *)r->data), *v;
	int rc = 0;

	if (!o)
		return err_set(err, -EBADMSG,
			       "mlshtund's answer was not understood: is it of the same version?");
	if (json_object_object_get_ex(o, "ok", &v) && !json_object_get_boolean(v)) {
		struct json_object *text = json_object_object_get(o, "error"),
				   *code = json_object_object_get(o, "code");
		const char *s = json_object_get_string(text);

		rc = json_object_get_int(code);
		rc = err_set(err, rc < 0 ? rc : -EIO, "%s",
			     s ? s : "mlshtund refused without a reason");
	}
	json_object_put(o);
	return rc;
}
