/* SPDX-License-Identifier: MIT */
/*
 * Memory of the signal server: a server in a process of its own, and SESSIONS nodes in another, in
 * clusters of 100, each with a socket, a session and its events.
 *
 *	sessions [SESSIONS]		prints one JSON object
 */
#include <inttypes.h>
#include <sys/resource.h>

#include "path.h"
#include "server.h"

#define CLUSTER_NODES 100
#define SETTLE (5 * NS_PER_S) /* until presence is told and what was closed is forgotten */

static size_t sessions = 10000;

struct nodes {
	struct sig *g;
	struct raw **node;
	size_t n;
};

/* Each from an address of its own: the server counts requests by source. */
static struct raw *node_new(struct sig *g)
{
	size_t i = g->ids++;
	ip4 own = IP(127, 1, 0, 0) + (ip4)(i / 250 * 256 + 1 + i % 250);
	struct quic_socket_config cfg = { .udp = { .bind = addr_v4(own, 0) } };

	return server_client_new(g, &cfg);
}

static void adopt(struct raw *r, struct raw *sponsor)
{
	struct raw_invite i = raw_invite(sponsor);
	char name[32];

	snprintf(name, sizeof(name), "node%" PRIu64, r->g->ids);
	r->log = sponsor->log; /* one for all of a cluster */
	raw_adopt(r, &i, name);
	raw_hang_up(r);
}

static void online(struct raw *r)
{
	struct signal_reply reply;

	raw_session(r);
	ck_assert_int_eq(raw_subscribe(r, &reply), REFUSAL_NONE);
}

static void cluster_open(struct nodes *all, const char *code, size_t members)
{
	struct raw **node = all->node + all->n;

	for (size_t i = 0; i < members; i++) {
		node[i] = node_new(all->g);
		if (i == 0)
			raw_setup(node[i], code, "homelab", NULL);
		else
			adopt(node[i], node[0]);
	}
	for (size_t i = 0; i < members; i++)
		online(node[i]);
	all->n += members;
}

static void print(const struct server_sample *x, const struct server_sample *y)
{
	double n = (double)y->stats.sessions;

	printf("{\"sessions\":%zu,\"strangers\":%zu,\"mb_idle\":%.1f,\"mb\":%.1f,"
	       "\"kb_per_session\":%.1f,\"heap_kb_per_session\":%.1f,\"heap_free_mb\":%.1f,"
	       "\"server_cpu_s\":%.1f}\n",
	       y->stats.sessions, y->stats.strangers, (double)x->rss_bytes / 1e6,
	       (double)y->rss_bytes / 1e6, (double)(y->rss_bytes - x->rss_bytes) / 1e3 / n,
	       (double)(y->heap_used - x->heap_used) / 1e3 / n, (double)y->heap_free / 1e6,
	       (double)(y->user_ns + y->system_ns) / 1e9);
}

static void descriptors_raise(void)
{
	struct rlimit most;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &most), 0);
	most.rlim_cur = most.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &most), 0);
	ck_assert_msg(most.rlim_cur > sessions + 100, "%zu sessions need as many descriptors",
		      sessions);
}

START_TEST(idle_sessions)
{
	size_t clusters = (sessions + CLUSTER_NODES - 1) / CLUSTER_NODES;
	char(*codes)[BOOTSTRAP_CODE_TEXT_MAX] = calloc(clusters, sizeof(*codes));
	struct server_sample before, after;
	struct server_child server;
	struct nodes all = { 0 };
	struct sig g;

	descriptors_raise();
	server_child_start(&server, &g, clusters, codes);
	all.g = &g;
	all.node = calloc(sessions, sizeof(struct raw *));
	ck_assert(codes && all.node);
	before = server_child_sample(&server);
	for (size_t i = 0; i < clusters; i++)
		cluster_open(&all, codes[i], MIN(sessions - all.n, (size_t)CLUSTER_NODES));
	sim_pass(g.w, SETTLE);
	after = server_child_sample(&server);
	print(&before, &after);
	for (size_t i = 0; i < all.n; i++) {
		if (i % CLUSTER_NODES)
			all.node[i]->log = NULL;
		raw_free(all.node[i]);
	}
	server_child_stop(&server, &g);
	free(all.node);
	free(codes);
	ck_assert_uint_eq(after.stats.sessions, sessions);
}
END_TEST

int main(int argc, char **argv)
{
	if (argc > 1)
		sessions = strtoull(argv[1], NULL, 10);
	return sessions == 0 ? EXIT_FAILURE : path_main(idle_sessions);
}
