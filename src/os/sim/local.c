/* SPDX-License-Identifier: MIT */
/* Local sockets between processes of one machine. */
#include "os/local.h"

#include <fcntl.h>
#include <unistd.h>

#include "os/sim/sim.h"

#define QUEUE_MESSAGES_MAX 256
#define PATH_MAX_BYTES 108	/* sun_path */

struct message {
	struct list in_queue;
	uint8_t *data;
	size_t len;
	int fds[LOCAL_FDS_MAX];
	size_t n_fds;
};

/* One end. Both ends point at each other until one is closed. */
struct local_conn {
	struct list in_host;
	struct list in_listener;	/* of the accepting end */
	struct local_listener *listener;
	struct local_conn *other;
	struct host *host;
	struct local_cred peer;
	const struct local_ops *ops;
	void *ctx;
	struct event event;		/* something to take, or the end */
	struct list queue;		/* of struct message, to be received here */
	size_t n_queued;
	uint64_t used_at;
	bool accept_due, closed_told;
	bool *ret_freed;		/* set when it is freed: for a callback under way */
};

struct local_listener {
	struct list in_machine;
	struct host *host;
	char path[PATH_MAX_BYTES];
	size_t max_conns;
	const struct local_ops *ops;
	void *(*accepted)(void *ctx, struct local_conn *c);
	void *ctx;
	struct list conns;
};

struct group_member {
	struct list in_machine;
	char group[64];
	unsigned gid, uid;
};

static void message_free(struct message *msg, bool close_fds)
{
	for (size_t i = 0; close_fds && i < msg->n_fds; i++)
		close(msg->fds[i]);
	list_remove(&msg->in_queue);
	free(msg->data);
	free(msg);
}

static void conn_wake(struct local_conn *c)
{
	if (c->host->alive && !event_is_set(&c->event))
		event_set(c->host->world, &c->event, c->host->world->now);
}

static void conn_deliver(struct local_conn *c)
{
	struct message *msg = list_entry(c->queue.next, struct message, in_queue);
	struct local_message m = { .data = msg->data, .len = msg->len, .n_fds = msg->n_fds };

	memcpy(m.fds, msg->fds, sizeof(m.fds));
	list_remove(&msg->in_queue);
	c->n_queued--;
	c->used_at = c->host->world->now;
	if (!list_empty(&c->queue) || !c->other)
		conn_wake(c);
	c->ops->message(c->ctx, c, &m); /* may close c */
	message_free(msg, false);
}

static void conn_accept(struct local_conn *c)
{
	bool freed = false;
	void *ctx;

	c->accept_due = false;
	c->ret_freed = &freed;
	conn_wake(c);
	ctx = c->listener->accepted(c->listener->ctx, c); /* may close c */
	if (freed)
		return;
	c->ret_freed = NULL;
	c->ctx = ctx;
}

static void conn_fire(struct event *e)
{
	struct local_conn *c = container_of(e, struct local_conn, event);

	if (c->accept_due) {
		conn_accept(c);
	} else if (!list_empty(&c->queue)) {
		conn_deliver(c);
	} else if (!c->other && !c->closed_told) {
		c->closed_told = true;
		c->ops->closed(c->ctx, c);
	}
}

/* The other end will see the end after what was sent before. */
static void conn_part(struct local_conn *c)
{
	if (!c->other)
		return;
	c->other->other = NULL;
	conn_wake(c->other);
	c->other = NULL;
}

static void queue_clear(struct local_conn *c)
{
	list_for_each(it, &c->queue)
		message_free(list_entry(it, struct message, in_queue), true);
	c->n_queued = 0;
}

static struct local_conn *conn_new(struct host *h, struct host *peer, const struct local_ops *ops,
				   void *ctx)
{
	struct local_conn *c = sim_alloc(sizeof(*c));

	c->host = h;
	c->peer = (struct local_cred){ .uid = peer->uid, .gid = peer->gid, .pid = peer->pid };
	c->ops = ops;
	c->ctx = ctx;
	c->used_at = h->world->now;
	list_init(&c->queue);
	event_init(&c->event, h, conn_fire);
	list_append(&h->conns, &c->in_host);
	return c;
}

void local_conn_close(struct local_conn *c)
{
	if (!c)
		return;
	conn_part(c);
	queue_clear(c);
	event_cancel(c->host->world, &c->event);
	list_remove(&c->in_host);
	list_remove(&c->in_listener);
	if (c->ret_freed)
		*c->ret_freed = true;
	free(c);
}

static struct local_listener *listener_at(const struct machine *m, const char *path)
{
	list_for_each(it, &m->listeners) {
		struct local_listener *l = list_entry(it, struct local_listener, in_machine);

		if (l->host->alive && strcmp(l->path, path) == 0)
			return l;
	}
	return NULL;
}

int local_listen(struct host *h, const char *path, size_t max_conns, const struct local_ops *ops,
		 void *(*accepted)(void *ctx, struct local_conn *c), void *ctx, struct err *err,
		 struct local_listener **ret)
{
	struct local_listener *l;

	if (strlen(path) >= PATH_MAX_BYTES)
		return err_set(err, -ENAMETOOLONG, "socket path too long: %s", path);
	if (listener_at(h->machine, path))
		return err_set(err, -EADDRINUSE, "%s: another process listens there", path);
	l = sim_alloc(sizeof(*l));
	strcpy(l->path, path);
	l->host = h;
	l->max_conns = max_conns;
	l->ops = ops;
	l->accepted = accepted;
	l->ctx = ctx;
	list_init(&l->conns);
	list_append(&h->machine->listeners, &l->in_machine);
	*ret = l;
	return 0;
}

void local_listener_close(struct local_listener *l)
{
	if (!l)
		return;
	list_for_each(it, &l->conns) {
		struct local_conn *c = list_entry(it, struct local_conn, in_listener);

		local_conn_close(c);
	}
	list_remove(&l->in_machine);
	free(l);
}

/* Parts the connection that was unused for the longest time, when there are too many. */
static void listener_make_room(struct local_listener *l)
{
	struct local_conn *oldest = NULL;
	size_t n = 0;

	list_for_each(it, &l->conns) {
		struct local_conn *c = list_entry(it, struct local_conn, in_listener);

		if (!c->other)
			continue;
		n++;
		if (!oldest || c->used_at < oldest->used_at)
			oldest = c;
	}
	if (n < l->max_conns || !oldest)
		return;
	conn_part(oldest);
	conn_wake(oldest);
}

int local_connect(struct host *h, const char *path, const struct local_ops *ops, void *ctx,
		  struct err *err, struct local_conn **ret)
{
	struct local_listener *l = listener_at(h->machine, path);
	struct local_conn *c, *served;

	if (!l)
		return err_set(err, -ENOENT, "there is nothing at %s", path);
	listener_make_room(l);
	c = conn_new(h, l->host, ops, ctx);
	served = conn_new(l->host, h, l->ops, NULL);
	served->listener = l;
	list_append(&l->conns, &served->in_listener);
	c->other = served;
	served->other = c;
	served->accept_due = true;
	conn_wake(served);
	*ret = c;
	return 0;
}

int local_send(struct local_conn *c, const void *data, size_t len, const int *fds, size_t n_fds)
{
	struct local_conn *to = c->other;
	struct message *msg;

	if (len > LOCAL_MESSAGE_MAX || n_fds > LOCAL_FDS_MAX)
		return -EMSGSIZE;
	if (!c->host->alive)
		return 0;
	if (!to)
		return -EPIPE;
	if (to->n_queued >= QUEUE_MESSAGES_MAX)
		return -ENOBUFS;
	msg = sim_alloc(sizeof(*msg));
	for (; msg->n_fds < n_fds; msg->n_fds++) {
		msg->fds[msg->n_fds] = fcntl(fds[msg->n_fds], F_DUPFD_CLOEXEC, 0);
		if (msg->fds[msg->n_fds] < 0) {
			message_free(msg, true);
			return -EBADF;
		}
	}
	msg->data = sim_copy(data, len);
	msg->len = len;
	list_append(&to->queue, &msg->in_queue);
	to->n_queued++;
	c->used_at = c->host->world->now;
	conn_wake(to);
	return 0;
}

struct local_cred local_conn_cred(const struct local_conn *c)
{
	return c->peer;
}

void machine_local_kill(struct host *h)
{
	list_for_each(it, &h->conns)
		conn_part(list_entry(it, struct local_conn, in_host));
}

void world_group_add(struct host *h, const char *group, unsigned gid, unsigned uid)
{
	struct group_member *g = sim_alloc(sizeof(*g));

	if (strlen(group) >= sizeof(g->group))
		world_die(h->world, "group name too long: %s", group);
	strcpy(g->group, group);
	g->gid = gid;
	g->uid = uid;
	list_append(&h->machine->groups, &g->in_machine);
}

void machine_groups_free(struct machine *m)
{
	list_for_each(it, &m->groups)
		free(list_entry(it, struct group_member, in_machine));
}

bool local_cred_in_group(struct host *h, const struct local_cred *cred, const char *group)
{
	list_for_each(it, &h->machine->groups) {
		const struct group_member *g = list_entry(it, struct group_member, in_machine);

		if (strcmp(g->group, group) == 0 && (g->gid == cred->gid || g->uid == cred->uid))
			return true;
	}
	return false;
}
