/* SPDX-License-Identifier: MIT */
/* The local socket: connections of SOCK_SEQPACKET and their messages. */
#include "os/local.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/list.h"
#include "os/file.h"
#include "os/local_room.h"
#include "os/posix/local_internal.h"
#include "os/posix/watch.h"

#define QUEUE_MESSAGES_MAX 2560
#define QUEUE_BYTES_MAX (4u << 20)	 /* that each connection may have */
#define QUEUE_USER_BYTES_MAX (66u << 20) /* with those of the user's other connections */
#define SEND_BUFFER_BYTES (4 * LOCAL_MESSAGE_MAX)
#define LOOK_PERIOD_NS NS_PER_S /* whether the path is still there: a system call */
#define BACKLOG 64
#define CONNECT_TIMEOUT_S 5		  /* for a daemon whose backlog is full */
#define ACCEPT_PAUSE_NS (100 * NS_PER_MS) /* when there is no descriptor left */

struct message {
	struct list entry;
	size_t len;
	uint8_t data[];
};

struct local_conn {
	struct list entry; /* of its listener's */
	struct host *host;
	int fd;
	struct fd_watch *watch;
	const struct local_ops *ops;
	void *ctx;
	struct local_cred cred;
	uint64_t used_at; /* the last message either way */
	bool ended;	  /* nothing is read any more */
	bool evicted;
	struct local_listener *listener; /* whose requests wait while replies are queued; or NULL */
	struct list queue;
	size_t n_queued, queued_bytes;
	bool *gone; /* set when it is closed within a callback */
};

struct local_listener {
	struct host *host;
	int fd;
	struct fd_watch *watch;
	struct timer *resume, *look;
	bool lost; /* something removed the path, which was said */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	dev_t dev; /* of the socket at the path */
	ino_t ino;
	struct local_limits limits;
	const struct local_ops *ops;
	void *(*accepted)(void *ctx, struct local_conn *c);
	void *ctx;
	struct list conns;
};

/* ---- sending ---- */

/* What is sent may be a private key. */
static void message_free(struct message *m)
{
	list_remove(&m->entry);
	secret_wipe(m->data, m->len);
	free(m);
}

static int send_now(const struct local_conn *c, const void *data, size_t len)
{
	for (;;) {
		if (send(c->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno != EINTR)
			return errno == ECONNRESET ? -EPIPE : -errno;
	}
}

static void watch_conn(struct local_conn *c)
{
	fd_watch_set(c->watch, !c->ended && !(c->listener && c->n_queued), c->n_queued > 0);
}

static size_t queued_of_user(const struct local_listener *l, unsigned uid)
{
	size_t n = 0;
	list_for_each(it, &l->conns) {
		const struct local_conn *c = list_entry(it, struct local_conn, entry);
		n += c->cred.uid == uid ? c->queued_bytes : 0;
	}
	return n;
}

/* A long reply fits, if the same user has no other one waiting. */
static bool has_room(const struct local_conn *c, size_t len)
{
	if (c->n_queued == QUEUE_MESSAGES_MAX)
		return false;
	return c->queued_bytes + len <= QUEUE_BYTES_MAX ||
	       (c->listener &&
		queued_of_user(c->listener, c->cred.uid) + len <= QUEUE_USER_BYTES_MAX);
}

static int enqueue(struct local_conn *c, const void *data, size_t len)
{
	if (!has_room(c, len))
		return -ENOBUFS;
	struct message *m = malloc(sizeof(*m) + len);
	if (!m)
		return -ENOMEM;
	m->entry = (struct list){ 0 };
	m->len = len;
	memcpy(m->data, data, len);
	list_append(&c->queue, &m->entry);
	c->n_queued++;
	c->queued_bytes += len;
	watch_conn(c);
	return 0;
}

int local_send(struct local_conn *c, const void *data, size_t len)
{
	if (len == 0 || len > LOCAL_MESSAGE_MAX)
		return -EMSGSIZE;
	if (c->ended || c->evicted)
		return -EPIPE;
	c->used_at = clock_now(c->host);
	int r = c->n_queued ? -EAGAIN : send_now(c, data, len);
	return r == -EAGAIN ? enqueue(c, data, len) : r;
}

static void queue_clear(struct local_conn *c)
{
	list_for_each(it, &c->queue)
		message_free(list_entry(it, struct message, entry));
	c->n_queued = c->queued_bytes = 0;
}

/* ---- receiving ---- */

static void conn_end(struct local_conn *c)
{
	c->ended = true;
	queue_clear(c);
	fd_watch_set(c->watch, false, false);
	c->ops->closed(c->ctx, c); /* may close c */
}

static void on_writable(struct local_conn *c)
{
	while (c->n_queued) {
		struct message *m = list_entry(c->queue.next, struct message, entry);
		int r = send_now(c, m->data, m->len);
		if (r == -EAGAIN)
			return;
		if (r < 0 && c->listener) { /* nobody is there for what it asked either */
			conn_end(c);
			return;
		}
		if (r < 0) { /* the other end is gone, which reading will tell */
			queue_clear(c);
			break;
		}
		c->n_queued--;
		c->queued_bytes -= m->len;
		message_free(m);
	}
	watch_conn(c);
}

/*
 * One message a call: the callback may close the connection. Descriptors that came with the message
 * are dropped by the kernel, because recv has no room for them.
 */
static void on_readable(struct local_conn *c)
{
	uint8_t data[LOCAL_MESSAGE_MAX];
	ssize_t n = c->evicted ? 0 : recv(c->fd, data, sizeof(data), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* An empty message looks like the end, and nobody sends one. */
	if (n <= 0 || (size_t)n > sizeof(data)) {
		conn_end(c);
		return;
	}
	c->used_at = clock_now(c->host);
	c->ops->message(c->ctx, c, span_of(data, (size_t)n));
	secret_wipe(data, (size_t)n);
}

static void on_conn_event(void *ctx)
{
	struct local_conn *c = ctx;
	bool gone = false;
	bool write_too = fd_watch_is_writable(c->watch);
	c->gone = &gone;
	if (fd_watch_is_readable(c->watch) && !c->ended && !(c->listener && c->n_queued))
		on_readable(c);
	if (gone)
		return;
	c->gone = NULL;
	if (write_too && c->n_queued)
		on_writable(c);
}

/* ---- connections ---- */

/* Takes fd over, also when it fails. */
static struct local_conn *conn_new(struct host *h, int fd, const struct local_ops *ops, void *ctx)
{
	int bytes = SEND_BUFFER_BYTES;
	struct local_conn *c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return NULL;
	}
	*c = (struct local_conn){ .host = h, .fd = fd, .ops = ops, .ctx = ctx };
	c->used_at = clock_now(h);
	list_init(&c->queue);
	c->cred = local_cred_of(fd);
	/* The default is enough for a message; this is for a few of them. */
	(void)!setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	c->watch = fd_watch_new(h, fd, true, false, on_conn_event, c);
	if (!c->watch) {
		local_conn_close(c);
		return NULL;
	}
	return c;
}

struct local_cred local_conn_cred(const struct local_conn *c)
{
	return c->cred;
}

struct user local_conn_user(const struct local_conn *c)
{
	return user_of_number(c->cred.uid);
}

bool local_conn_in_group(const struct local_conn *c, const char *group)
{
	return local_cred_in_group(c->host, &c->cred, group);
}

void local_conn_close(struct local_conn *c)
{
	if (!c)
		return;
	if (c->gone)
		*c->gone = true;
	list_remove(&c->entry);
	queue_clear(c);
	fd_watch_free(c->watch);
	close(c->fd);
	free(c);
}

/* ---- addresses ---- */

static int address_of(const char *path, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(ret->sun_path) || path[0] == '\0')
		return -ENAMETOOLONG;
	memcpy(ret->sun_path, path, strlen(path) + 1);
	return 0;
}

static int connect_to(const char *path, int *ret_fd)
{
	struct sockaddr_un a;
	struct timeval timeout = { .tv_sec = CONNECT_TIMEOUT_S };
	int r = address_of(path, &a);
	if (r < 0)
		return r;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static bool is_no_socket(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISSOCK(st.st_mode);
}

static int path_too_long(const char *path, struct err *err)
{
	return err_set(err, -ENAMETOOLONG,
		       "%.40s... is too long: the path of a socket has at most "
		       "%zu characters",
		       path, sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
}

/* The kernel refuses a connection to another file in the same way as to a dead socket, or as to one
 * that may not be opened. */
static int connect_failed(const char *path, int r, struct err *err)
{
	if ((r == -ECONNREFUSED || r == -EACCES) && is_no_socket(path))
		r = -ENOTSOCK;
	switch (r) {
	case -ENOENT:
		return err_set(err, r, "there is nothing at %s", path);
	case -ECONNREFUSED:
		return err_set(err, r, "no process listens at %s", path);
	case -ENOTSOCK:
		return err_set(err, r, "%s is not a socket", path);
	case -EPROTOTYPE:
		return err_set(err, r, "%s is another kind of socket", path);
	case -EACCES:
		return err_set(err, r,
			       "no permission for %s, or for a folder above it "
			       "(`namei -l %s` shows which)",
			       path, path);
	case -ENAMETOOLONG:
		return path_too_long(path, err);
	default:
		return err_set(err, r, "cannot connect to %s: %s", path, strerror(-r));
	}
}

int local_connect(struct host *h, const char *path, const struct local_ops *ops, void *ctx,
		  struct err *err, struct local_conn **ret)
{
	int fd = -1;
	int r = connect_to(path, &fd);
	if (r < 0)
		return connect_failed(path, r, err);
	struct local_conn *c = conn_new(h, fd, ops, ctx);
	if (!c)
		return err_set(err, -ENOMEM, "out of memory");
	*ret = c;
	return 0;
}

struct host *local_conn_host(const struct local_conn *c)
{
	return c->host;
}

/* ---- listening ---- */

/*
 * Makes room for a connection of `uid`: the connection that has to give way reads its end. Returns
 * false if the new one has to.
 */
static bool make_room(struct local_listener *l, unsigned uid)
{
	struct local_seat seats[LOCAL_CONNS_MAX];
	struct local_conn *conns[LOCAL_CONNS_MAX];
	size_t n = 0;
	list_for_each(it, &l->conns) {
		struct local_conn *c = list_entry(it, struct local_conn, entry);
		if (c->ended || c->evicted)
			continue;
		conns[n] = c;
		seats[n++] = (struct local_seat){ user_of_number(c->cred.uid),
						  .used_at = c->used_at };
	}
	ptrdiff_t gives_way = local_room(seats, n, &l->limits, user_of_number(uid));
	if (gives_way >= 0) {
		conns[gives_way]->evicted = true;
		shutdown(conns[gives_way]->fd, SHUT_RDWR);
	}
	return gives_way != LOCAL_ROOM_FULL;
}

static void on_resume(void *ctx)
{
	struct local_listener *l = ctx;
	fd_watch_set(l->watch, true, false);
}

static void on_connection(void *ctx)
{
	struct local_listener *l = ctx;
	int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			fd_watch_set(l->watch, false, false);
			timer_set_in(l->resume, ACCEPT_PAUSE_NS);
		}
		return;
	}
	struct local_conn *c = conn_new(l->host, fd, l->ops, NULL);
	if (!c)
		return;
	if (!make_room(l, c->cred.uid)) {
		local_conn_close(c);
		return;
	}
	bool gone = false;
	c->listener = l;
	list_append(&l->conns, &c->entry);
	c->gone = &gone;
	void *conn_ctx = l->accepted(l->ctx, c); /* may close c, or l with it */
	if (gone)
		return;
	c->gone = NULL;
	c->ctx = conn_ctx;
	if (!conn_ctx)
		local_conn_close(c);
}

/* A socket file that nobody listens on any more. */
static bool is_dead_socket(const char *path)
{
	struct stat st;
	int fd = -1;
	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	int r = connect_to(path, &fd);
	if (fd >= 0)
		close(fd);
	return r == -ECONNREFUSED;
}

/* Everybody may connect; a confined daemon cannot change a mode afterwards. */
static int bind_open_to_all(int fd, const struct sockaddr_un *a)
{
	mode_t before = umask(0111);
	int r = bind(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 ? -errno : 0;
	umask(before);
	return r;
}

static int bind_and_listen(struct local_listener *l)
{
	struct sockaddr_un a;
	struct stat st;
	int r = address_of(l->path, &a);
	if (r < 0)
		return r;
	l->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return -errno;
	r = bind_open_to_all(l->fd, &a);
	if (r < 0) {
		if (r != -EADDRINUSE || !is_dead_socket(l->path))
			return r;
		if (unlink(l->path) < 0)
			return -errno;
		r = bind_open_to_all(l->fd, &a);
		if (r < 0)
			return r;
	}
	if (stat(l->path, &st) < 0)
		return -errno;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return listen(l->fd, BACKLOG) < 0 ? -errno : 0;
}

static int listen_failed(const char *path, int r, struct err *err)
{
	return err_set(err, r, "cannot listen at %s: %s", path,
		       r != -EADDRINUSE	    ? strerror(-r)
		       : is_no_socket(path) ? "a file that is not a socket is in the way"
					    : "another process does");
}

/* The folder may be gone as well. */
static int folder_make(const struct local_listener *l, struct err *err)
{
	char folder[sizeof(l->path)];
	snprintf(folder, sizeof(folder), "%s", l->path);
	char *slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return 0;
	*slash = '\0';
	return dir_make(l->host, folder, 0755, err);
}

static bool is_lost(const struct local_listener *l)
{
	struct stat st;
	return lstat(l->path, &st) < 0 || st.st_dev != l->dev || st.st_ino != l->ino;
}

/* Connections that are there go on. */
static int listen_again(struct local_listener *l, struct err *err)
{
	struct local_listener old = *l;
	struct fd_watch *watch = NULL;
	int r = folder_make(l, err);
	if (r < 0)
		return r;
	r = bind_and_listen(l);
	if (r == 0) {
		watch = fd_watch_new(l->host, l->fd, true, false, on_connection, l);
		r = watch ? 0 : -ENOMEM;
	}
	if (r < 0) {
		if (l->fd >= 0 && l->fd != old.fd)
			close(l->fd);
		l->fd = old.fd;
		l->dev = old.dev;
		l->ino = old.ino;
		return listen_failed(l->path, r, err);
	}
	fd_watch_free(old.watch);
	close(old.fd);
	l->watch = watch;
	return 0;
}

static void on_look(void *ctx)
{
	struct local_listener *l = ctx;
	struct err err = { 0 };
	timer_set_in(l->look, LOOK_PERIOD_NS);
	if (!is_lost(l))
		return;
	bool again = listen_again(l, &err) == 0;
	if (again)
		log_warn(host_log(l->host),
			 "the local socket %s was removed; this process has made it again",
			 l->path);
	else if (!l->lost)
		log_error(host_log(l->host),
			  "the local socket %s was removed, and no command reaches this process "
			  "until it can make the socket again, as after a restart: %s",
			  l->path, err.text);
	l->lost = !again;
}

int local_listen(struct host *h, const char *path, struct local_limits limits,
		 const struct local_ops *ops, void *(*accepted)(void *ctx, struct local_conn *c),
		 void *ctx, struct err *err, struct local_listener **ret)
{
	struct sockaddr_un a;
	struct local_listener *l = NULL;
	int r = limits.conns <= LOCAL_CONNS_MAX ? address_of(path, &a) : -EINVAL;
	if (r == 0) {
		l = calloc(1, sizeof(*l));
		r = l ? 0 : -ENOMEM;
	}
	if (r == -ENAMETOOLONG)
		return path_too_long(path, err);
	if (r < 0)
		return err_set(err, r, "cannot listen at %s: %s", path, strerror(-r));
	l->host = h;
	l->fd = -1;
	l->limits = limits;
	l->ops = ops;
	l->accepted = accepted;
	l->ctx = ctx;
	list_init(&l->conns);
	memcpy(l->path, a.sun_path, sizeof(l->path));
	r = bind_and_listen(l);
	if (r == 0) {
		l->resume = timer_new(h, on_resume, l);
		l->look = timer_new(h, on_look, l);
		l->watch = fd_watch_new(h, l->fd, true, false, on_connection, l);
		r = l->resume && l->look && l->watch ? 0 : -ENOMEM;
	}
	if (r < 0) {
		local_listener_close(l);
		return listen_failed(path, r, err);
	}
	timer_set_in(l->look, LOOK_PERIOD_NS);
	*ret = l;
	return 0;
}

void local_listener_close(struct local_listener *l)
{
	struct stat st;
	if (!l)
		return;
	list_for_each(it, &l->conns)
		local_conn_close(list_entry(it, struct local_conn, entry));
	fd_watch_free(l->watch);
	timer_free(l->resume);
	timer_free(l->look);
	if (l->fd >= 0)
		close(l->fd);
	/* Only ours: another daemon may have taken the place. */
	if (l->ino && lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
	free(l);
}
