/* SPDX-License-Identifier: MIT */
/* A question and its answer over a TCP socket that never blocks. */
#include "os/exchange.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/posix/system.h"
#include "os/posix/watch.h"

struct exchange {
	int fd;
	struct fd_watch *watch;
	struct timer *timer;
	exchange_fn fn;
	void *ctx;
	size_t sent, request_len, len;
	uint8_t request[EXCHANGE_REQUEST_MAX];
	uint8_t answer[EXCHANGE_ANSWER_MAX];
};

/* A socket whose connection is under way. */
static int begin(const struct addr *to)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(to->port) };
	int fd;
	if (!addr_is_v4(to))
		return -EAFNOSUPPORT;
	sa.sin_addr.s_addr = htonl(addr_ip4(to));
	fd = socket_open(AF_INET, SOCK_STREAM);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 && errno != EINPROGRESS) {
		int code = errno;
		close(fd);
		return -code;
	}
	return fd;
}

void exchange_cancel(struct exchange *x)
{
	if (!x)
		return;
	fd_watch_free(x->watch);
	timer_free(x->timer);
	close(x->fd);
	free(x);
}

static void finish(void *ctx)
{
	struct exchange *x = ctx;
	x->fn(x->ctx, span_of(x->answer, x->len));
	exchange_cancel(x);
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EINTR || errno == EINPROGRESS || errno == ENOTCONN;
}

static void on_ready(void *ctx)
{
	struct exchange *x = ctx;
	ssize_t n;
	if (x->sent < x->request_len) {
		n = send(x->fd, x->request + x->sent, x->request_len - x->sent, MSG_NOSIGNAL);
		if (n < 0 && !would_block()) {
			finish(x);
			return;
		}
		x->sent += n > 0 ? (size_t)n : 0;
		if (x->sent == x->request_len)
			fd_watch_set(x->watch, true, false);
		return;
	}
	n = recv(x->fd, x->answer + x->len, sizeof(x->answer) - x->len, 0);
	if (n < 0 && would_block())
		return;
	x->len += n > 0 ? (size_t)n : 0;
	if (n <= 0 || x->len == sizeof(x->answer))
		finish(x);
}

int exchange_start(struct host *h, const struct addr *to, struct span request, uint64_t timeout_ns,
		   exchange_fn fn, void *ctx, struct exchange **ret)
{
	struct exchange *x;
	int fd;
	if (request.len > EXCHANGE_REQUEST_MAX)
		return -EINVAL;
	fd = begin(to);
	if (fd < 0)
		return fd;
	x = calloc(1, sizeof(*x));
	if (!x) {
		close(fd);
		return -ENOMEM;
	}
	x->fd = fd;
	x->fn = fn;
	x->ctx = ctx;
	x->request_len = request.len;
	memcpy(x->request, request.data, request.len);
	x->timer = timer_new(h, finish, x);
	x->watch = fd_watch_new(h, fd, false, true, on_ready, x);
	if (!x->timer || !x->watch) {
		exchange_cancel(x);
		return -ENOMEM;
	}
	timer_set_in(x->timer, timeout_ns);
	*ret = x;
	return 0;
}

/* Returns false if it does not become ready within what is left of the time. */
static bool ready(struct host *h, int fd, short events, uint64_t until)
{
	struct pollfd p = { .fd = fd, .events = events };
	uint64_t now = clock_refresh(h);
	return now < until && poll(&p, 1, (int)((until - now) / NS_PER_MS) + 1) == 1;
}

void exchange_say(struct host *h, const struct addr *to, struct span request, uint64_t timeout_ns)
{
	uint64_t until = clock_refresh(h) + timeout_ns;
	uint8_t answer[512];
	int fd = begin(to);
	if (fd < 0)
		return;
	if (ready(h, fd, POLLOUT, until) &&
	    send(fd, request.data, request.len, MSG_NOSIGNAL) == (ssize_t)request.len &&
	    ready(h, fd, POLLIN, until))
		(void)!recv(fd, answer, sizeof(answer), 0);
	close(fd);
}
