/* SPDX-License-Identifier: MIT */
/* Local sockets between processes of one machine. */
#include "os/local.h"

#include <stdio.h>
#include <stdlib.h>

#include "os/file.h"
#include "os/local_room.h"
#include "os/sim/sim.h"

#define QUEUE_MESSAGES_MAX 2560
#define QUEUE_BYTES_MAX (4u << 20)	 /* that each connection may have */
#define QUEUE_USER_BYTES_MAX (66u << 20) /* with those of the user's other connections */
#define PATH_MAX_BYTES 108		 /* sun_path */

struct message {
	struct list in_queue;
	uint8_t *data;
	size_t len;
};

/* One end. Both ends point at each other until one is closed. */
struct local_conn {
	struct list in_host;
	struct list in_listener; /* of the accepting end */
	struct local_listener *listener;
	struct local_conn *other;
	struct host *host;
	unsigned peer_uid, peer_gid;
	const struct local_ops *ops;
	void *ctx;
	struct event event; /* something to take, or the end */
	struct list queue;  /* of struct message, to be received here */
	size_t n_queued, queued_bytes;
	uint64_t used_at;
	bool accept_due, closed_told;
	bool *ret_freed; /* set when it is freed: for a callback under way */
};

struct local_listener {
	struct list in_machine;
	struct host *host;
	char path[PATH_MAX_BYTES];
	struct local_limits limits;
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

static void message_free(struct message *msg)
{
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

	list_remove(&msg->in_queue);
	c->n_queued--;
	c->queued_bytes -= msg->len;
	c->used_at = c->host->world->now;
	if (!list_empty(&c->queue) || !c->other)
		conn_wake(c);
	c->ops->message(c->ctx, c, span_of(msg->data, msg->len)); /* may close c */
	message_free(msg);
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
	if (!ctx)
		local_conn_close(c);
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
		message_free(list_entry(it, struct message, in_queue));
	c->n_queued = c->queued_bytes = 0;
}

static struct local_conn *conn_new(struct host *h, struct host *peer, const struct local_ops *ops,
				   void *ctx)
{
	struct local_conn *c = sim_alloc(sizeof(*c));

	c->host = h;
	c->peer_uid = peer->uid;
	c->peer_gid = peer->gid;
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

int local_listen(struct host *h, const char *path, struct local_limits limits,
		 const struct local_ops *ops, void *(*accepted)(void *ctx, struct local_conn *c),
		 void *ctx, struct err *err, struct local_listener **ret)
{
	struct local_listener *l;

	if (limits.conns > LOCAL_CONNS_MAX)
		return err_set(err, -EINVAL, "too many connections wanted");
	if (strlen(path) >= PATH_MAX_BYTES)
		return err_set(err, -ENAMETOOLONG, "socket path too long: %s", path);
	if (listener_at(h->machine, path))
		return err_set(err, -EADDRINUSE, "%s: another process listens there", path);
	if (file_exists(h, path))
		return err_set(err, -EADDRINUSE, "%s: a file that is not a socket is in the way",
			       path);
	if (!machine_has_folder_of(h->machine, path))
		return err_set(err, -ENOENT, "cannot listen at %s: %s", path, strerror(ENOENT));
	l = sim_alloc(sizeof(*l));
	strcpy(l->path, path);
	l->host = h;
	l->limits = limits;
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

/* Parts the connection that gives way to one of `uid`. Returns false if the new one has to. */
static bool listener_make_room(struct local_listener *l, unsigned uid)
{
	struct local_seat seats[LOCAL_CONNS_MAX];
	struct local_conn *conns[LOCAL_CONNS_MAX];
	ptrdiff_t gives_way;
	size_t n = 0;

	list_for_each(it, &l->conns) {
		struct local_conn *c = list_entry(it, struct local_conn, in_listener);

		if (!c->other)
			continue;
		conns[n] = c;
		seats[n++] = (struct local_seat){ user_of_number(c->peer_uid),
						  .used_at = c->used_at };
	}
	gives_way = local_room(seats, n, &l->limits, user_of_number(uid));
	if (gives_way >= 0) {
		conn_part(conns[gives_way]);
		conn_wake(conns[gives_way]);
	}
	return gives_way != LOCAL_ROOM_FULL;
}

int local_connect(struct host *h, const char *path, const struct local_ops *ops, void *ctx,
		  struct err *err, struct local_conn **ret)
{
	struct local_listener *l = listener_at(h->machine, path);
	struct local_conn *c, *served;

	if (strlen(path) >= PATH_MAX_BYTES)
		return err_set(err, -ENAMETOOLONG, "socket path too long: %s", path);
	if (!l && file_exists(h, path))
		return err_set(err, -ENOTSOCK, "%s is not a socket", path);
	if (!l)
		return err_set(err, -ENOENT, "there is nothing at %s", path);
	c = conn_new(h, l->host, ops, ctx);
	if (!listener_make_room(l, h->uid)) {
		conn_wake(c); /* reads its end */
		*ret = c;
		return 0;
	}
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

/* A user is known by the group of its own name. */
static bool is_user(struct host *h, unsigned uid, const char *name)
{
	list_for_each(it, &h->machine->groups) {
		const struct group_member *g = list_entry(it, struct group_member, in_machine);

		if (g->uid == uid && strcmp(g->group, name) == 0)
			return true;
	}
	return false;
}

int local_check_listener(const struct local_conn *c, const char *path, const char *daemon,
			 struct err *err)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX_BYTES] = "/";
	int mode;

	if (c->peer_uid != 0 && c->peer_uid != c->host->uid &&
	    !is_user(c->host, c->peer_uid, daemon))
		return err_set(err, -EPERM,
			       "user %u listens at %s, and is neither root nor %s nor you",
			       c->peer_uid, path, daemon);
	if (slash && slash > path)
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	mode = world_file_mode(c->host, dir);
	if (mode >= 0 && (mode & 022) && !(mode & 01000))
		return err_set(err, -EPERM,
			       "other users may write to the folder %s (mode %04o): "
			       "run chmod go-w on it",
			       dir, (unsigned)mode);
	return 0;
}

/* What waits for the user at the other ends of a listener's connections. */
static size_t queued_for_user(const struct local_listener *l, unsigned uid)
{
	size_t n = 0;

	list_for_each(it, &l->conns) {
		const struct local_conn *c = list_entry(it, struct local_conn, in_listener);

		n += c->peer_uid == uid && c->other ? c->other->queued_bytes : 0;
	}
	return n;
}

static bool has_room(const struct local_conn *c, size_t len)
{
	if (c->other->n_queued >= QUEUE_MESSAGES_MAX)
		return false;
	return c->other->queued_bytes + len <= QUEUE_BYTES_MAX ||
	       (c->listener &&
		queued_for_user(c->listener, c->peer_uid) + len <= QUEUE_USER_BYTES_MAX);
}

int local_send(struct local_conn *c, const void *data, size_t len)
{
	struct local_conn *to = c->other;
	struct message *msg;

	if (len == 0 || len > LOCAL_MESSAGE_MAX)
		return -EMSGSIZE;
	if (!host_may_send(c->host))
		return 0;
	if (!to)
		return -EPIPE;
	if (!has_room(c, len))
		return -ENOBUFS;
	msg = sim_alloc(sizeof(*msg));
	msg->data = sim_copy(data, len);
	msg->len = len;
	list_append(&to->queue, &msg->in_queue);
	to->n_queued++;
	to->queued_bytes += len;
	c->used_at = c->host->world->now;
	conn_wake(to);
	return 0;
}

struct user local_conn_user(const struct local_conn *c)
{
	return user_of_number(c->peer_uid);
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

unsigned world_groups_asked(const struct host *h)
{
	return h->machine->groups_asked;
}

static bool is_in_group(struct host *h, unsigned uid, unsigned gid, const char *group)
{
	h->machine->groups_asked++;
	list_for_each(it, &h->machine->groups) {
		const struct group_member *g = list_entry(it, struct group_member, in_machine);

		if (strcmp(g->group, group) == 0 && (g->gid == gid || g->uid == uid))
			return true;
	}
	return false;
}

bool local_conn_in_group(const struct local_conn *c, const char *group)
{
	return is_in_group(c->host, c->peer_uid, c->peer_gid, group);
}

bool user_self_in_group(struct host *h, const char *group)
{
	return is_in_group(h, h->uid, h->gid, group);
}
