/* SPDX-License-Identifier: MIT */
/* The process of the signal server: it serves, and answers questions on a pair of sockets. */
#include "server.h"

#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "signal/caller.h"
#include "signal/config.h"
#include "signal/token.h"
#include "os/posix/watch.h"

/* What the server says when it is up; the codes follow. */
struct greeting {
	uint16_t port;
	uint8_t cert[HASH_LEN];
};

static void read_all(int fd, void *to, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = read(fd, (uint8_t *)to + at, len - at);

		ck_assert_int_gt(n, 0);
		at += (size_t)n;
	}
}

static void write_all(int fd, const void *from, size_t len)
{
	ck_assert_int_eq(write(fd, from, len), (ssize_t)len);
}

/* --- in the server's process ------------------------------------------------------------------ */

struct serving {
	struct sig *g;
	int fd;
};

static uint64_t timeval_ns(struct timeval t)
{
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_usec * 1000;
}

static uint64_t resident_bytes(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%*u %lu", &pages), 1);
	fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static struct server_sample sample(const struct signal_server *s)
{
	struct mallinfo2 heap = mallinfo2();
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (struct server_sample){
		.user_ns = timeval_ns(r.ru_utime),
		.system_ns = timeval_ns(r.ru_stime),
		.rss_bytes = resident_bytes(),
		.heap_used = heap.uordblks + heap.hblkhd,
		.heap_free = heap.fordblks,
		.stats = signal_server_stats_get(s),
		.udp = quic_socket_stats_get(s->socket).udp,
	};
}

static void asked(void *ctx)
{
	struct serving *v = ctx;
	struct server_sample now;
	char byte;

	if (read(v->fd, &byte, 1) <= 0) {
		loop_stop(v->g->h);
		return;
	}
	now = sample(v->g->s);
	write_all(v->fd, &now, sizeof(now));
}

static void make_code(struct sig *g, char code[BOOTSTRAP_CODE_TEXT_MAX])
{
	char token[SETUP_TOKEN_TEXT_MAX];
	uint8_t cert[HASH_LEN];

	ck_assert_int_eq(token_make(g->h, &g->cfg, 0, token, NULL), 0);
	ck_assert_int_eq(setup_token_parse(token, code, cert, NULL), 0);
}

static void serve(struct sig *g, int fd, size_t clusters)
{
	struct serving v = { g, fd };
	struct greeting hello = { 0 };
	struct fd_watch *watch;

	g->cfg.bind = addr_v4(IP(127, 0, 0, 1), 0);
	sig_open(g);
	hello.port = signal_server_local(g->s).port;
	memcpy(hello.cert, g->cert, sizeof(hello.cert));
	write_all(fd, &hello, sizeof(hello));
	for (size_t i = 0; i < clusters; i++) {
		char code[BOOTSTRAP_CODE_TEXT_MAX] = "";

		if (i == 0)
			memcpy(code, g->code, sizeof(code));
		else
			make_code(g, code);
		write_all(fd, code, sizeof(code));
	}
	watch = fd_watch_new(g->h, fd, true, false, asked, &v);
	ck_assert_ptr_nonnull(watch);
	ck_assert_int_eq(loop_run(g->h), 0);
	fd_watch_free(watch);
	sig_stop(g);
}

/* --- in the clients' process ------------------------------------------------------------------ */

void server_child_start(struct server_child *c, struct sig *g, size_t clusters,
			char (*codes)[BOOTSTRAP_CODE_TEXT_MAX])
{
	struct greeting hello;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	c->pid = fork();
	ck_assert_int_ge(c->pid, 0);
	if (c->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		sig_init(g, "100.64.0.0/10");
		serve(g, pair[1], clusters);
		_exit(0);
	}
	close(pair[1]);
	c->fd = pair[0];
	read_all(c->fd, &hello, sizeof(hello));
	memset(g, 0, sizeof(*g));
	ck_assert_int_eq(crypto_init(NULL), 0);
	g->w = world_new();
	g->h = g->w->h;
	g->at = addr_v4(IP(127, 0, 0, 1), hello.port);
	memcpy(g->cert, hello.cert, sizeof(g->cert));
	read_all(c->fd, codes, clusters * sizeof(*codes));
}

struct server_sample server_child_sample(const struct server_child *c)
{
	struct server_sample s;

	write_all(c->fd, "?", 1);
	read_all(c->fd, &s, sizeof(s));
	return s;
}

void server_child_stop(struct server_child *c, struct sig *g)
{
	close(c->fd);
	ck_assert_int_eq(waitpid(c->pid, NULL, 0), c->pid);
	world_free(g->w);
}

struct raw *server_client_new(struct sig *g, struct quic_socket_config *cfg)
{
	struct raw *r = calloc(1, sizeof(*r));

	ck_assert_ptr_nonnull(r);
	r->g = g;
	r->h = g->h;
	ck_assert_int_eq(identity_new(r->h, NULL, &r->id), 0);
	cfg->identity = r->id;
	ck_assert_int_eq(quic_socket_open(r->h, cfg, NULL, &r->socket), 0);
	return r;
}
