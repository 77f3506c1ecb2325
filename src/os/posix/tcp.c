/* SPDX-License-Identifier: MIT */
/* TCP sockets that never block. */
#include "os/tcp.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/posix/system.h"
#include "os/posix/watch.h"

#define BACKLOG 16

struct tcp {
	struct host *host;
	int fd;
	struct fd_watch *watch;
};

/* Takes the descriptor over, and closes it when it fails. */
static int tcp_new(struct host *h, int fd, loop_fn ready, void *ctx, struct tcp **ret)
{
	struct tcp *t = calloc(1, sizeof(*t));

	if (t) {
		t->host = h;
		t->fd = fd;
		t->watch = fd_watch_new(h, fd, true, false, ready, ctx);
	}
	if (!t || !t->watch) {
		close(fd);
		free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

static struct sockaddr_in name_of_addr(const struct addr *a)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(a->port),
				     .sin_addr = { htonl(addr_ip4(a)) } };
}

static int listen_at(const struct addr *bind_to)
{
	struct sockaddr_in name = name_of_addr(bind_to);
	int on = 1, fd = socket_open(AF_INET, SOCK_STREAM);

	if (fd < 0)
		return -errno;
	/* Connections of an earlier process may still linger at the port. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)&name, sizeof(name)) < 0 || listen(fd, BACKLOG) < 0) {
		int code = errno;

		close(fd);
		return -code;
	}
	return fd;
}

int tcp_listen(struct host *h, const struct addr *bind_to, loop_fn ready, void *ctx,
	       struct err *err, struct tcp **ret)
{
	int fd = addr_is_v4(bind_to) ? listen_at(bind_to) : -EAFNOSUPPORT;
	int r = fd < 0 ? fd : tcp_new(h, fd, ready, ctx, ret);
	char text[ADDR_TEXT_MAX];

	if (r < 0)
		return err_set(err, r, "cannot open TCP %s: %s", addr_format(bind_to, text),
			       r == -EADDRINUSE ? "another program has this port" : strerror(-r));
	return 0;
}

int tcp_accept(struct tcp *listener, loop_fn ready, void *ctx, struct addr *ret_from,
	       struct tcp **ret)
{
	struct sockaddr_in name = { 0 };
	socklen_t len = sizeof(name);
	int on = 1, fd = socket_accept(listener->fd, (struct sockaddr *)&name, &len);

	if (fd < 0)
		return errno == EINTR || errno == ECONNABORTED ? -EAGAIN : -errno;
	/* An answer is whole when it is written: there is nothing to wait for. */
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	*ret_from = addr_v4(ntohl(name.sin_addr.s_addr), ntohs(name.sin_port));
	return tcp_new(listener->host, fd, ready, ctx, ret);
}

struct addr tcp_local(const struct tcp *t)
{
	struct sockaddr_in name = { 0 };
	socklen_t len = sizeof(name);

	if (getsockname(t->fd, (struct sockaddr *)&name, &len) < 0)
		return (struct addr){ 0 };
	return addr_v4(ntohl(name.sin_addr.s_addr), ntohs(name.sin_port));
}

void tcp_watch(struct tcp *t, bool read, bool write)
{
	fd_watch_set(t->watch, read, write);
}

static int again_or_error(void)
{
	return errno == EINTR || errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

int tcp_read(struct tcp *t, void *out, size_t cap)
{
	ssize_t n = recv(t->fd, out, MIN(cap, (size_t)INT32_MAX), 0);

	return n < 0 ? again_or_error() : (int)n;
}

int tcp_write(struct tcp *t, const void *data, size_t len)
{
	ssize_t n = send(t->fd, data, MIN(len, (size_t)INT32_MAX), MSG_NOSIGNAL);

	return n < 0 ? again_or_error() : (int)n;
}

void tcp_close(struct tcp *t)
{
	if (!t)
		return;
	fd_watch_free(t->watch);
	close(t->fd);
	free(t);
}
