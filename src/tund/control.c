/* SPDX-License-Identifier: MIT */
/*
 * Requests over the local socket. Every request is allowed by a row of one table, by the kernel's
 * word of who asks.
 */
#include "tund/control.h"

#include <stdio.h>
#include <stdlib.h>

#include "tund/control_internal.h"
#include "tund/report.h"

#define CONTROL_CONNS_MAX 64
#define CONTROL_CONNS_OF_USER_MAX 16
#define LOOK_GAP (20 * NS_PER_MS)
#define LOOKS_MAX 40

void control_reply_part(struct control_conn *c, const void *data, size_t len, bool last)
{
	uint8_t piece[CONTROL_PIECE_MAX + 1];
	size_t at = 0;

	if (c->stuck)
		return;
	do {
		size_t n = MIN(len - at, (size_t)CONTROL_PIECE_MAX);

		piece[0] = last && at + n == len ? CONTROL_LAST : CONTROL_MORE;
		if (n > 0)
			memcpy(piece + 1, (const uint8_t *)data + at, n);
		if (local_send(c->conn, piece, n + 1) < 0) {
			c->stuck = true;
			return;
		}
		at += n;
	} while (at < len);
}

void control_reply(struct control_conn *c, const void *data, size_t len)
{
	control_reply_part(c, data, len, true);
}

void control_reply_json(struct control_conn *c, char *json)
{
	static const char no_memory[] =
		"{\"ok\":false,\"error\":\"the daemon is out of memory\",\"code\":-12}";

	if (json)
		control_reply(c, json, strlen(json));
	else
		control_reply(c, no_memory, sizeof(no_memory) - 1);
	free(json);
}

void control_reply_result(struct control_conn *c, int rc, const struct err *err)
{
	control_reply_json(c, rc < 0 ? report_error(err) : report_ok());
}

static void report_of(struct daemon_cluster **list, size_t n, struct report_cluster *ret)
{
	for (size_t i = 0; i < n; i++) {
		ret[i].name = list[i]->state.cluster;
		ret[i].tunnel = list[i]->tunnel;
		ret[i].proofs = &list[i]->proofs;
		ret[i].error = list[i]->error;
		ret[i].owner = list[i]->state.owner;
	}
}

/* ---- who may do what ---- */

/* SEES: of root's clusters the state, the members and the paths to them. */
enum access { ACCESS_NONE, ACCESS_SEES, ACCESS_OWNS };

/* It takes reading files: once a request. */
static bool is_in_group(struct control_conn *c)
{
	if (c->group == GROUP_UNKNOWN)
		c->group = local_conn_in_group(c->conn, CONTROL_GROUP) ? GROUP_MEMBER
								       : GROUP_STRANGER;
	return c->group == GROUP_MEMBER;
}

static bool is_owner(const struct control_conn *c, const struct daemon_cluster *cl)
{
	struct user user = local_conn_user(c->conn);

	return user_is_admin(user) || user_equal(cl->state.owner, user);
}

/* May those of the group see it? */
static bool is_shared(const struct daemon_cluster *cl)
{
	return user_is_admin(cl->state.owner) && !cl->ownerless;
}

static enum access access_to(struct control_conn *c, const struct daemon_cluster *cl)
{
	if (is_owner(c, cl))
		return ACCESS_OWNS;
	return is_shared(cl) && is_in_group(c) ? ACCESS_SEES : ACCESS_NONE;
}

static char *status_of(struct daemon *d, struct daemon_cluster **list, size_t n)
{
	struct report_cluster rc[DAEMON_CLUSTERS_MAX];

	report_of(list, n, rc);
	return report_status(daemon_host(d), rc, n, daemon_started(d));
}

bool control_may_create(struct control_conn *c)
{
	return user_is_admin(local_conn_user(c->conn)) || is_in_group(c);
}

/* ---- the other requests ---- */

/* Disconnect, and forget. */
static void do_end(struct control_conn *c, struct daemon_cluster *cl,
		   const struct control_request *r)
{
	struct err err = { 0 };
	int (*end)(struct daemon *d, struct daemon_cluster *c,
		   struct err *err) = r->verb == CONTROL_FORGET ? daemon_forget : daemon_disconnect;

	control_reply_result(c, end(c->control->daemon, cl, &err), &err);
}

enum needs { NEEDS_NOTHING, NEEDS_CLUSTER, NEEDS_TUNNEL };

static int find_allowed(struct control_conn *c, const struct control_request *r,
			struct daemon_cluster **ret, struct err *err);

/* What is to be shown: one cluster, or all that the caller may see. */
static size_t status_list(struct control_conn *c, struct daemon_cluster *cl,
			  struct daemon_cluster *list[DAEMON_CLUSTERS_MAX])
{
	struct daemon_cluster *all[DAEMON_CLUSTERS_MAX];
	size_t n = cl ? 0 : daemon_list(c->control->daemon, all), found = 0;

	if (cl)
		list[found++] = cl;
	for (size_t i = 0; i < n; i++)
		if (access_to(c, all[i]) != ACCESS_NONE)
			list[found++] = all[i];
	return found;
}

static void reply_status(struct control_conn *c, struct daemon_cluster *cl)
{
	struct daemon_cluster *list[DAEMON_CLUSTERS_MAX];

	control_reply_json(c, status_of(c->control->daemon, list, status_list(c, cl, list)));
}

/* Is everything that would be shown as connected known to be so? What is not is tested. */
static bool look(struct control_conn *c, struct daemon_cluster *cl)
{
	struct daemon_cluster *list[DAEMON_CLUSTERS_MAX];
	size_t n = status_list(c, cl, list);
	bool sure = true;

	for (size_t i = 0; i < n; i++) {
		if (list[i]->tunnel)
			sure &= overlay_look(tunnel_overlay(list[i]->tunnel));
	}
	return sure;
}

static void on_look(void *ctx)
{
	struct control_conn *c = ctx;
	struct daemon_cluster *cl = NULL;
	struct err err = { 0 };
	int rc = find_allowed(c, &c->status, &cl, &err);

	if (rc == 0 && --c->looks > 0 && !look(c, cl)) {
		timer_set_in(c->look_timer, LOOK_GAP);
		return;
	}
	c->looks = 0;
	if (rc < 0)
		control_reply_result(c, rc, &err);
	else
		reply_status(c, cl);
}

/* Answered as soon as it is known who is really there: at once, when all were heard from lately. */
static void do_status(struct control_conn *c, struct daemon_cluster *cl,
		      const struct control_request *r)
{
	if (c->looks > 0) { /* each request gets its answer */
		c->looks = 1;
		on_look(c);
	}
	if (!c->look_timer)
		c->look_timer = timer_new(daemon_host(c->control->daemon), on_look, c);
	if (look(c, cl) || !c->look_timer) {
		reply_status(c, cl);
		return;
	}
	c->status = *r;
	c->looks = LOOKS_MAX;
	timer_set_in(c->look_timer, LOOK_GAP);
}

/* At once: a shell waits for it while a person types. */
static void do_names(struct control_conn *c, struct daemon_cluster *cl,
		     const struct control_request *r)
{
	struct daemon_cluster *list[DAEMON_CLUSTERS_MAX];
	struct report_cluster rc[DAEMON_CLUSTERS_MAX];
	size_t n = status_list(c, cl, list);

	report_of(list, n, rc);
	control_reply_json(c, report_names(rc, n, r->verb == CONTROL_NAMES));
}

static void do_watch(struct control_conn *c, struct daemon_cluster *cl,
		     const struct control_request *r)
{
	snprintf(c->watching, sizeof(c->watching), "%s", r->cluster);
	reply_status(c, cl);
}

static void reply_proof(struct control_conn *c, const struct daemon_cluster *cl,
			enum proof_kind kind)
{
	struct buf b = { 0 };
	struct err err = { 0 };
	int rc = proofs_read(&cl->proofs, kind, &b, &err);

	if (rc < 0)
		control_reply_result(c, rc, &err);
	else
		control_reply(c, b.data, b.len);
	buf_free(&b);
}

static void do_proof(struct control_conn *c, struct daemon_cluster *cl,
		     const struct control_request *r)
{
	(void)r;
	reply_proof(c, cl, PROOF_SERVER);
}

static void do_code_proof(struct control_conn *c, struct daemon_cluster *cl,
			  const struct control_request *r)
{
	(void)r;
	reply_proof(c, cl, PROOF_CODE);
}

static const struct {
	control_run *run;
	enum needs needs;
	enum access takes; /* of the cluster, if there is one; CONNECT asks by itself */
} verbs[CONTROL_VERBS] = {
	[CONTROL_CONNECT] = { control_connect, NEEDS_NOTHING, ACCESS_SEES },
	[CONTROL_DISCONNECT] = { do_end, NEEDS_CLUSTER, ACCESS_OWNS },
	[CONTROL_STATUS] = { do_status, NEEDS_NOTHING, ACCESS_SEES },
	[CONTROL_NODES] = { control_nodes, NEEDS_TUNNEL, ACCESS_SEES },
	[CONTROL_WATCH] = { do_watch, NEEDS_CLUSTER, ACCESS_OWNS },
	[CONTROL_LOG] = { control_log, NEEDS_TUNNEL, ACCESS_OWNS },
	[CONTROL_INVITE_MADE] = { control_invite_made, NEEDS_TUNNEL, ACCESS_OWNS },
	[CONTROL_PING] = { control_ping, NEEDS_TUNNEL, ACCESS_SEES },
	[CONTROL_NETCHECK] = { control_netcheck, NEEDS_TUNNEL, ACCESS_SEES },
	[CONTROL_FORGET] = { do_end, NEEDS_CLUSTER, ACCESS_OWNS },
	[CONTROL_PROOF] = { do_proof, NEEDS_CLUSTER, ACCESS_OWNS },
	[CONTROL_CODE_PROOF] = { do_code_proof, NEEDS_CLUSTER, ACCESS_OWNS },
	[CONTROL_WHY] = { control_why, NEEDS_TUNNEL, ACCESS_SEES },
	[CONTROL_SUBMIT] = { control_submit, NEEDS_TUNNEL, ACCESS_OWNS },
	[CONTROL_NAMES] = { do_names, NEEDS_NOTHING, ACCESS_SEES },
	[CONTROL_CLUSTERS] = { do_names, NEEDS_NOTHING, ACCESS_SEES },
};

/* A cluster of somebody else's is answered like one that does not exist: in words that are true of
 * both. */
static int find_allowed(struct control_conn *c, const struct control_request *r,
			struct daemon_cluster **ret, struct err *err)
{
	enum needs needs = verbs[r->verb].needs;
	struct daemon_cluster *cl = r->cluster[0] ? daemon_find(c->control->daemon, r->cluster)
						  : NULL;
	bool admin = user_is_admin(local_conn_user(c->conn));
	bool ends = r->verb == CONTROL_DISCONNECT || r->verb == CONTROL_FORGET;

	enum access access = cl ? access_to(c, cl) : ACCESS_NONE;
	if (access == ACCESS_NONE)
		cl = NULL;
	if (cl && access < verbs[r->verb].takes)
		return err_set(err, -EPERM,
			       "cluster %s is root's on this machine, and the group %s sees its "
			       "state and members only: use sudo",
			       r->cluster, CONTROL_GROUP);
	if (!cl && (needs != NEEDS_NOTHING || (r->verb != CONTROL_CONNECT && r->cluster[0])))
		return err_set(err, -ENOENT, "cluster %s is not connected%s%s%s", r->cluster,
			       admin ? "" : ", or another user has connected it",
			       ends ? ": nothing to do" : "; run: mlsh connect ",
			       ends ? "" : r->cluster);
	if (needs == NEEDS_TUNNEL && !cl->tunnel)
		return err_set(err, -ENOTCONN, "cluster %s is stopped; run: %smlsh connect %s",
			       r->cluster, access == ACCESS_OWNS ? "" : "sudo ", r->cluster);
	*ret = cl;
	return 0;
}

static int request_refused(struct span m, int rc, struct err *err)
{
	uint64_t version = control_request_version(m);

	if (rc != -EPROTONOSUPPORT)
		return err_set(err, rc, "the daemon did not understand the request");
	return err_set(err, rc,
		       "mlsh and the running mlshtund are of different versions (%llu and "
		       "%d of what they speak): %s",
		       (unsigned long long)version, CONTROL_VERSION,
		       version > CONTROL_VERSION ? "restart mlshtund"
						 : "use the mlsh that came with mlshtund");
}

static void on_message(void *ctx, struct local_conn *conn, struct span m)
{
	struct control_conn *c = ctx;
	struct daemon_cluster *cl = NULL;
	struct control_request r;
	struct err err = { 0 };
	int rc;

	(void)conn;
	if (c->deaf || c->stuck)
		return;
	if (c->log.runs) { /* its answer is not whole yet: another one would come into it */
		c->stuck = true;
		return;
	}
	if (c->upload_state != UPLOAD_NONE) {
		upload_message(c, m);
		return;
	}
	c->group = GROUP_UNKNOWN;
	rc = control_request_decode(m, &r);
	if (rc < 0)
		rc = request_refused(m, rc, &err);
	else
		rc = find_allowed(c, &r, &cl, &err);
	if (rc < 0)
		control_reply_result(c, rc, &err);
	else
		verbs[r.verb].run(c, cl, &r);
}

static void control_conn_free(struct control_conn *c)
{
	ping_free(c->ping);
	submit_free(c->submit);
	timer_free(c->look_timer);
	upload_drop(c);
	slices_remove(&c->log.slice);
	free(c);
}

static void on_closed(void *ctx, struct local_conn *conn)
{
	struct control_conn *c = ctx;
	struct control *ctl = c->control;

	list_remove(&c->link);
	control_conn_free(c); /* charges its user, whom the connection knows */
	local_conn_close(conn);
	uploads_start(ctl);
}

static const struct local_ops local_ops = { .message = on_message, .closed = on_closed };

static void *on_accepted(void *ctx, struct local_conn *conn)
{
	struct control *ctl = ctx;
	struct control_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->control = ctl;
	c->conn = conn;
	list_append(&ctl->conns, &c->link);
	return c;
}

int control_new(struct daemon *d, const char *socket_path, struct err *err, struct control **ret)
{
	static const struct local_limits limits = { .conns = CONTROL_CONNS_MAX,
						    .of_user = CONTROL_CONNS_OF_USER_MAX };
	struct control *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return err_set(err, -ENOMEM, "no memory for the local socket");
	c->daemon = d;
	list_init(&c->conns);
	rc = local_listen(daemon_host(d), socket_path, limits, &local_ops, on_accepted, c, err,
			  &c->listener);
	if (rc < 0) {
		free(c);
		return rc;
	}
	*ret = c;
	return 0;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	list_for_each(it, &c->conns)
		control_conn_free(list_entry(it, struct control_conn, link));
	local_listener_close(c->listener); /* and the connections */
	free(c);
}

void control_changed(struct control *c, struct daemon_cluster *cluster)
{
	char *json = NULL;

	if (!c)
		return;
	list_for_each(it, &c->conns) {
		struct control_conn *conn = list_entry(it, struct control_conn, link);

		/* the name may be another user's by now */
		if (strcmp(conn->watching, cluster->state.cluster) != 0 || !is_owner(conn, cluster))
			continue;
		if (!json)
			json = status_of(c->daemon, &cluster, 1);
		if (json)
			control_reply(conn, json, strlen(json));
	}
	free(json);
}
