/* SPDX-License-Identifier: MIT */
/*
 * Name resolution with c-ares, which knows /etc/hosts and /etc/resolv.conf. A channel for each
 * request: it reads both again, so that a machine that moved asks the right servers.
 */
#include "os/resolve.h"

#include <ares.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/list.h"
#include "os/posix/watch.h"

#define NAME_MAX_BYTES 255 /* RFC 1035 section 2.3.4, and a final dot */
#define TRY_TIMEOUT_MS 1500
#define TRIES 3

/* A socket of c-ares. */
struct query_socket {
	struct list entry;
	struct resolve *owner;
	struct fd_watch *watch;
	ares_socket_t fd;
};

struct resolve {
	struct host *host;
	resolve_fn fn;
	void *ctx;
	char name[NAME_MAX_BYTES + 1];
	uint16_t port;
	ares_channel_t *channel; /* NULL for a literal */
	struct list sockets;
	struct timer *deadline, *retry;
	struct deferred *finish;
	/* the result stands; whatever c-ares still says is of no interest */
	bool finished;
	bool in_fn;
	struct err err; /* code 0: success */
	struct addr addrs[RESOLVE_MAX];
	size_t n;
};

/* ---- c-ares on the loop ---- */

static void resolve_free(struct resolve *r)
{
	if (!r)
		return;
	r->finished = true;
	if (r->channel)
		ares_destroy(r->channel); /* calls back for what is pending, and for each socket */
	list_for_each(it, &r->sockets) {
		struct query_socket *s = list_entry(it, struct query_socket, entry);
		fd_watch_free(s->watch);
		free(s);
	}
	timer_free(r->deadline);
	timer_free(r->retry);
	deferred_free(r->finish);
	free(r);
}

static void rearm(struct resolve *r)
{
	struct timeval tv;
	timer_set(r->retry, TIME_NEVER);
	if (!r->finished && ares_timeout(r->channel, NULL, &tv))
		timer_set_in(r->retry,
			     (uint64_t)tv.tv_sec * NS_PER_S + (uint64_t)tv.tv_usec * NS_PER_US);
}

static void on_retry(void *ctx)
{
	struct resolve *r = ctx;
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	rearm(r);
}

static void on_socket_event(void *ctx)
{
	struct query_socket *s = ctx;
	struct resolve *r = s->owner;
	ares_process_fd(r->channel, fd_watch_is_readable(s->watch) ? s->fd : ARES_SOCKET_BAD,
			fd_watch_is_writable(s->watch) ? s->fd : ARES_SOCKET_BAD); /* may free s */
	rearm(r);
}

static struct query_socket *socket_find(struct resolve *r, ares_socket_t fd)
{
	list_for_each(it, &r->sockets) {
		struct query_socket *s = list_entry(it, struct query_socket, entry);
		if (s->fd == fd)
			return s;
	}
	return NULL;
}

/* c-ares opened a socket, wants other events of it, or (neither) is about to close it. */
static void on_socket_state(void *ctx, ares_socket_t fd, int readable, int writable)
{
	struct resolve *r = ctx;
	struct query_socket *s = socket_find(r, fd);
	if (s && !readable && !writable) {
		fd_watch_free(s->watch);
		list_remove(&s->entry);
		free(s);
	} else if (s) {
		fd_watch_set(s->watch, readable, writable);
	} else if (readable || writable) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return; /* unheard, it runs into its timeout */
		*s = (struct query_socket){ .owner = r, .fd = fd };
		s->watch = fd_watch_new(r->host, fd, readable, writable, on_socket_event, s);
		if (!s->watch) {
			free(s);
			return;
		}
		list_append(&r->sockets, &s->entry);
	}
}

/* ---- the result ---- */

static void on_finish(void *ctx)
{
	struct resolve *r = ctx;
	r->in_fn = true;
	r->fn(r->ctx, r->err.code ? &r->err : NULL, r->addrs, r->n);
	resolve_free(r);
}

static void finish(struct resolve *r)
{
	r->finished = true;
	deferred_call(r->finish);
}

static void on_deadline(void *ctx)
{
	struct resolve *r = ctx;
	if (r->finished)
		return;
	err_set(&r->err, -ETIMEDOUT, "no name server answered for %s", r->name);
	finish(r);
}

static void set_error(struct resolve *r, int status)
{
	switch (status) {
	case ARES_ENOTFOUND:
		err_set(&r->err, -ENOENT, "there is no host with the name %s", r->name);
		break;
	case ARES_ENODATA:
		err_set(&r->err, -ENOENT, "%s has no IP address", r->name);
		break;
	case ARES_EBADNAME:
		err_set(&r->err, -EINVAL, "%s is not a host name", r->name);
		break;
	case ARES_ETIMEOUT:
		err_set(&r->err, -ETIMEDOUT, "no name server answered for %s", r->name);
		break;
	case ARES_ECONNREFUSED:
	case ARES_ENOSERVER:
		err_set(&r->err, -ECONNREFUSED, "no name server could be asked for %s", r->name);
		break;
	case ARES_ENOMEM:
		err_set(&r->err, -ENOMEM, "out of memory");
		break;
	default:
		err_set(&r->err, -EIO, "cannot resolve %s: %s", r->name, ares_strerror(status));
	}
}

static bool addr_of_node(const struct ares_addrinfo_node *node, uint16_t port, struct addr *ret)
{
	if (node->ai_family == AF_INET && node->ai_addrlen >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in a;
		memcpy(&a, node->ai_addr, sizeof(a));
		*ret = addr_v4(ntohl(a.sin_addr.s_addr), port);
		return true;
	}
	if (node->ai_family == AF_INET6 && node->ai_addrlen >= sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 a;
		memcpy(&a, node->ai_addr, sizeof(a));
		*ret = addr_v6(a.sin6_addr.s6_addr, port);
		ret->scope = a.sin6_scope_id;
		return true;
	}
	return false;
}

/*
 * Takes the families in turn, beginning with the one that c-ares sorted first (RFC 6724; RFC 8305
 * section 4).
 */
static size_t interleave(const struct addr *sorted, size_t n, struct addr *out)
{
	size_t at[2] = { 0, 0 }, filled = 0;
	bool v4 = n && addr_is_v4(&sorted[0]);
	while (filled < n) {
		size_t *i = &at[v4];
		while (*i < n && addr_is_v4(&sorted[*i]) != v4)
			++*i;
		if (*i < n)
			out[filled++] = sorted[(*i)++];
		v4 = !v4;
	}
	return filled;
}

static void on_answer(void *ctx, int status, int timeouts, struct ares_addrinfo *info)
{
	struct resolve *r = ctx;
	struct addr sorted[RESOLVE_MAX];
	size_t n = 0;
	(void)timeouts;
	if (!r->finished) {
		const struct ares_addrinfo_node *node = info ? info->nodes : NULL;
		for (; node && n < RESOLVE_MAX; node = node->ai_next)
			n += addr_of_node(node, r->port, &sorted[n]);
		r->n = interleave(sorted, n, r->addrs);
		if (r->n == 0)
			set_error(r, status == ARES_SUCCESS ? ARES_ENODATA : status);
		finish(r);
	}
	if (info)
		ares_freeaddrinfo(info);
}

/* ---- start and end ---- */

static int ask(struct resolve *r)
{
	char lookups[] = "fb"; /* the file, then the servers */
	struct ares_options options = {
		.timeout = TRY_TIMEOUT_MS,
		.tries = TRIES,
		.lookups = lookups,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = r,
	};
	int status = ares_init_options(&r->channel, &options,
				       ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
					       ARES_OPT_SOCK_STATE_CB);
	if (status != ARES_SUCCESS) {
		r->channel = NULL;
		return status == ARES_ENOMEM ? -ENOMEM : -EIO;
	}
	const struct ares_addrinfo_hints hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_DGRAM,
	};
	ares_getaddrinfo(r->channel, r->name, NULL, &hints, on_answer, r);
	rearm(r);
	return 0;
}

int resolve_start(struct host *h, const char *name, uint16_t port, uint64_t timeout_ns,
		  resolve_fn fn, void *ctx, struct err *err, struct resolve **ret)
{
	if (*name == '\0' || strlen(name) > NAME_MAX_BYTES)
		return err_set(err, -EINVAL, "\"%s\" is not a host name", name);
	struct resolve *r = calloc(1, sizeof(*r));
	if (!r)
		return err_set(err, -ENOMEM, "out of memory");
	*r = (struct resolve){ .host = h, .fn = fn, .ctx = ctx, .port = port };
	list_init(&r->sockets);
	memcpy(r->name, name, strlen(name) + 1);
	r->deadline = timer_new(h, on_deadline, r);
	r->retry = timer_new(h, on_retry, r);
	r->finish = deferred_new(h, on_finish, r);
	int code = r->deadline && r->retry && r->finish ? 0 : -ENOMEM;
	if (code == 0 && addr_parse_ip(name, &r->addrs[0]) == 0) {
		r->addrs[0].port = port;
		r->n = 1;
		finish(r);
	} else if (code == 0) {
		timer_set_in(r->deadline, timeout_ns);
		code = ask(r);
	}
	if (code < 0) {
		resolve_free(r);
		return err_set(err, code, "cannot resolve %s: %s", name, strerror(-code));
	}
	*ret = r;
	return 0;
}

void resolve_cancel(struct resolve *r)
{
	if (r && !r->in_fn)
		resolve_free(r);
}
