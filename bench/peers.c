/* SPDX-License-Identifier: MIT */
/*
 * Memory of a node: an overlay in a process of its own, and PEERS others in another, each with a
 * tunnel to it. What the daemon has besides (session, DNS, local socket) is not in it.
 *
 *	peers [PEERS]		prints one JSON object
 */
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/init.h"
#include "node.h"
#include "os/posix/watch.h"

#define ASK_AGAIN (200 * NS_PER_MS)
#define CONNECT_LIMIT (60 * NS_PER_S)
#define PEERS_MAX 1000

struct end {
	struct node *node;
	struct bench_node n;
};

/* What the node's process says: when it is open, and when all tunnels are up. */
struct report {
	uint64_t rss_bytes, heap_used, heap_free;
	uint64_t since_start_ns;
	size_t up;
};

/* The process of the node that is looked at. */
struct node {
	struct host *h;
	struct end end;
	struct timer *timer;
	struct wire_candidates *where; /* of peer 1 on */
	uint64_t started, first_up;
	size_t up;
	int fd;
};

static size_t peers = 100;

static void on_candidates(void *ctx, const struct wire_candidates *c)
{
	(void)ctx;
	(void)c;
}

static size_t count_up(const struct end *e)
{
	size_t up = 0;

	for (unsigned i = 1; i <= peers; i++) {
		struct identity *id = kit_identity(i);
		struct node_id node = identity_node_id(id);
		struct peer_status s;

		up += overlay_peer_status(e->n.o,
					  roster_by_id(mlog_roster(e->n.log), &node,
						       ROSTER_CURRENT),
					  &s) &&
		      s.state == PEER_UP;
		identity_free(id);
	}
	return up;
}

static void on_peer_changed(void *ctx, const struct member *m)
{
	struct end *e = ctx;
	struct peer_status s;

	if (!e->node || !overlay_peer_status(e->n.o, m, &s) || s.state != PEER_UP)
		return;
	if (e->node->first_up == 0)
		e->node->first_up = clock_refresh(e->node->h);
}

static const struct overlay_ops ops = {
	.log_grew = bench_log_grew,
	.fork = bench_fork,
	.candidates = on_candidates,
	.peer_changed = on_peer_changed,
};

static void end_open(struct end *e, struct host *h, unsigned number, const struct mlog *log)
{
	struct overlay_config cfg = { .ops = &ops, .ctx = e, .no_port_mapping = true };

	bench_node_open(&e->n, h, number, log, &cfg);
}

static struct kit log_of_all(void)
{
	struct kit kit = kit_open();

	for (unsigned i = 1; i <= peers; i++)
		kit_join(&kit, i);
	return kit;
}

/* --- the node that is looked at --------------------------------------------------------------- */

static void say(struct node *n)
{
	struct mallinfo2 heap = mallinfo2();
	struct report r = { .heap_used = heap.uordblks + heap.hblkhd,
			    .heap_free = heap.fordblks,
			    .since_start_ns = n->first_up ? n->first_up - n->started : 0,
			    .up = n->up };
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%*u %lu", &pages), 1);
	fclose(f);
	r.rss_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
	ck_assert_int_eq(write(n->fd, &r, sizeof(r)), sizeof(r));
}

/* Large clusters build a tunnel when it is asked for: by a ping. */
static void ask(void *ctx)
{
	struct node *n = ctx;

	n->up = count_up(&n->end);
	if (n->up == peers || clock_refresh(n->h) - n->started > CONNECT_LIMIT) {
		loop_stop(n->h);
		return;
	}
	for (unsigned i = 1; i <= peers; i++) {
		struct identity *id = kit_identity(i);
		struct node_id node = identity_node_id(id);
		const struct member *m = roster_by_id(mlog_roster(n->end.n.log), &node,
						      ROSTER_CURRENT);
		struct peer_status s;
		uint64_t nonce;

		if (!overlay_peer_status(n->end.n.o, m, &s) || s.state == PEER_IDLE) {
			overlay_presence(n->end.n.o, m, true, &n->where[i]);
			(void)!overlay_ping(n->end.n.o, m, &nonce);
		}
		identity_free(id);
	}
	timer_set_in(n->timer, ASK_AGAIN);
}

static void node_run(int fd)
{
	struct node n = { .fd = fd };
	struct kit kit = log_of_all();
	char end;

	ck_assert_int_eq(host_new(NULL, &n.h), 0);
	ck_assert_int_eq(crypto_init(NULL), 0);
	host_log(n.h)->level = LOG_LEVEL_ERROR;
	n.where = calloc(peers + 1, sizeof(*n.where));
	ck_assert_ptr_nonnull(n.where);
	n.timer = timer_new(n.h, ask, &n);
	n.started = clock_refresh(n.h);
	n.end.node = &n;
	end_open(&n.end, n.h, 0, kit.log);
	say(&n);
	ck_assert_int_eq(recv(fd, n.where, (peers + 1) * sizeof(*n.where), MSG_WAITALL),
			 (ssize_t)((peers + 1) * sizeof(*n.where)));
	n.started = clock_refresh(n.h);
	timer_set_in(n.timer, 0);
	ck_assert_int_eq(loop_run(n.h), 0);
	say(&n);
	(void)!read(fd, &end, 1);
	_exit(0);
}

/* --- the others ------------------------------------------------------------------------------- */

static void others_done(void *ctx)
{
	loop_stop(ctx);
}

static struct report hear(int fd)
{
	struct report r;

	ck_assert_int_eq(recv(fd, &r, sizeof(r), MSG_WAITALL), sizeof(r));
	return r;
}

static void print(const struct report *x, const struct report *y)
{
	printf("{\"peers\":%zu,\"mb_idle\":%.1f,\"mb\":%.1f,\"kb_per_peer\":%.1f,"
	       "\"heap_kb_per_peer\":%.1f,\"heap_free_mb\":%.1f,\"first_tunnel_ms\":%.1f}\n",
	       y->up, (double)x->rss_bytes / 1e6, (double)y->rss_bytes / 1e6,
	       (double)(y->rss_bytes - x->rss_bytes) / 1e3 / (double)y->up,
	       (double)(y->heap_used - x->heap_used) / 1e3 / (double)y->up,
	       (double)y->heap_free / 1e6, (double)y->since_start_ns / 1e6);
}

START_TEST(tunnels)
{
	struct wire_candidates *where = calloc(peers + 1, sizeof(*where));
	struct end *end = calloc(peers + 1, sizeof(*end));
	struct report before, after;
	struct fd_watch *watch;
	struct host *h;
	struct kit kit;
	int pair[2], pid;

	ck_assert(where && end);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		node_run(pair[1]);
	}
	close(pair[1]);
	before = hear(pair[0]);
	ck_assert_int_eq(host_new(NULL, &h), 0);
	ck_assert_int_eq(crypto_init(NULL), 0);
	host_log(h)->level = LOG_LEVEL_ERROR;
	kit = log_of_all();
	for (unsigned i = 1; i <= peers; i++) {
		end_open(&end[i], h, i, kit.log);
		overlay_candidates_get(end[i].n.o, &where[i]);
	}
	ck_assert_int_eq(write(pair[0], where, (peers + 1) * sizeof(*where)),
			 (ssize_t)((peers + 1) * sizeof(*where)));
	watch = fd_watch_new(h, pair[0], true, false, others_done, h);
	ck_assert_int_eq(loop_run(h), 0);
	after = hear(pair[0]);
	fd_watch_free(watch);
	print(&before, &after);
	close(pair[0]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	for (unsigned i = 1; i <= peers; i++)
		bench_node_close(&end[i].n);
	kit_close(&kit);
	host_free(h);
	free(end);
	free(where);
	ck_assert_uint_eq(after.up, peers);
}
END_TEST

int main(int argc, char **argv)
{
	if (argc > 1)
		peers = strtoull(argv[1], NULL, 10);
	if (peers == 0 || peers > PEERS_MAX)
		return EXIT_FAILURE;
	return path_main(tunnels);
}
