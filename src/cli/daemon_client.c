/* SPDX-License-Identifier: MIT */
/* Asking the daemon: one connection a request, the loop runs until the reply is whole. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "os/paths.h"

#define CALL_TIMEOUT (20 * NS_PER_S)

struct call {
	struct cli *cli;
	struct local_conn *conn;
	struct timer *timer;
	struct handover *files; /* sent when the daemon asks for it; NULL without files */
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

/* The daemon wants the files from there on. */
static int send_on(struct call *c, struct span m)
{
	uint64_t received;
	int rc = c->files ? control_ack_decode(m, &received) : -EBADMSG;

	if (rc == 0)
		rc = handover_send(c->files, c->conn, received);
	timer_set_in(c->timer, CALL_TIMEOUT);
	return rc == -EPIPE ? 0 : rc; /* `closed` follows, or why it went */
}

static int take(struct call *c, struct span m)
{
	int rc;

	if (m.data[0] == CONTROL_ACK)
		return send_on(c, m);
	if (m.data[0] > CONTROL_LAST)
		return -EBADMSG;
	rc = call_append(c, m.data + 1, m.len - 1);
	if (rc < 0 || m.data[0] == CONTROL_MORE)
		return rc;
	if (!c->fn) {
		call_finish(c, 0);
		return 0;
	}
	rc = c->fn(c->ctx, &c->reply);
	c->reply.len = 0;
	if (rc)
		call_finish(c, rc);
	return 0;
}

static void on_message(void *ctx, struct local_conn *conn, struct span m)
{
	struct call *c = ctx;

	(void)conn;
	if (!c->done && take(c, m) < 0)
		call_finish(c, -EBADMSG);
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
		return err_set(err, rc,
			       "mlshtund is not running (%s). Start it with `sudo "
			       "systemctl start mlshtund`, or `sudo mlshtund &`, or connect "
			       "without it: `sudo mlsh connect <cluster> --foreground`",
			       why->text);
	if (daemon_is_absent(rc))
		return err_set(err, rc,
			       "mlshtund is not running there (%.160s, which MLSH_SOCKET "
			       "names). Start it with `sudo mlshtund --socket %.160s`, or unset "
			       "MLSH_SOCKET to ask the one at " CONTROL_SOCKET,
			       why->text, path);
	if (usual)
		return err_set(err, rc, "mlshtund cannot be asked: %s%s", why->text,
			       rc == -EACCES ? ". It should be open to every user of this machine, "
					       "no group is needed: restart mlshtund"
					     : "");
	return err_set(err, rc,
		       "mlshtund cannot be asked: %.240s. MLSH_SOCKET names it; unset, "
		       "the one at " CONTROL_SOCKET " is asked, which is open to all users",
		       why->text);
}

static int call_connect(struct call *c, struct err *err)
{
	static const struct local_ops ops = { .message = on_message, .closed = on_closed };
	const char *path = c->cli->socket_path;
	struct err why = { 0 };
	int rc = local_connect(c->cli->host, path, &ops, c, &why, &c->conn);

	if (rc < 0)
		return no_connection(path, rc, &why, err);
	rc = local_check_listener(c->conn, path, CONTROL_USER, &why);
	return rc < 0 ? err_set(err, rc, "this may not be your mlshtund, and was sent nothing: %s",
				why.text)
		      : 0;
}

static int call_run(struct call *c, const struct control_request *r, uint64_t timeout_ns,
		    struct err *err)
{
	uint8_t request[CONTROL_REQUEST_MAX];
	ptrdiff_t n = control_request_encode(r, request, sizeof(request));
	int rc = n < 0 ? err_set(err, (int)n, "the request is too long") : call_connect(c, err);

	if (rc < 0)
		return rc;
	c->timer = timer_new(c->cli->host, on_timeout, c);
	if (!c->timer)
		return err_set(err, -ENOMEM, "no memory");
	timer_set_in(c->timer, timeout_ns);
	rc = local_send(c->conn, request, (size_t)n);
	if (rc < 0)
		return err_set(err, rc, "the request could not be sent to mlshtund");
	rc = loop_run(c->cli->host);
	if (rc < 0)
		return err_set(err, rc, "the event loop failed");
	if (!c->done)
		return err_set(err, -EINTR, "interrupted");
	if (c->result == -EPIPE)
		return err_set(err, -EPIPE,
			       "mlshtund closed the connection; its log says "
			       "why (`sudo journalctl -u mlshtund`)");
	if (c->result == -ETIMEDOUT)
		return err_set(err, -ETIMEDOUT,
			       "mlshtund did not answer in time; its log may "
			       "say why (`sudo journalctl -u mlshtund`)");
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

static int call_once(struct call *c, const struct control_request *r, struct err *err,
		     struct daemon_reply *ret)
{
	int rc = call_run(c, r, CALL_TIMEOUT, err);

	call_end(c);
	if (rc < 0) {
		daemon_reply_free(&c->reply);
		return rc;
	}
	*ret = c->reply;
	return 0;
}

int daemon_call(struct cli *cli, const struct control_request *r, struct err *err,
		struct daemon_reply *ret)
{
	struct call c = { .cli = cli };

	return call_once(&c, r, err, ret);
}

int daemon_hand_over(struct cli *cli, const char *cluster, struct handover *o, struct err *err,
		     struct daemon_reply *ret)
{
	struct control_request r = handover_request(o, cluster);
	struct call c = { .cli = cli, .files = o };

	return call_once(&c, &r, err, ret);
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
	int rc = call_run(&c, r, timeout_ns, err);

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
				   *code = json_object_object_get(o, "code"),
				   *reason = json_object_object_get(o, "reason");
		const char *s = json_object_get_string(text);

		rc = json_object_get_int(code);
		rc = err_set(err, rc < 0 ? rc : -EIO, "%s",
			     s ? s : "mlshtund refused without a reason");
		if (err)
			err->reason = json_object_get_int(reason);
	}
	json_object_put(o);
	return rc;
}
