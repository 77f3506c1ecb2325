/* SPDX-License-Identifier: MIT */
/*
 * A whole mesh on a simulated internet: a signal server and nodes, each a machine of its own with a
 * user's files, a daemon, and commands that are run one after another as a person would.
 *
 *	struct mesh *m = mesh_new(seed);	all of this: mesh_of(seed, 2)
 *	struct mesh_node *a = mesh_node(m, "nas"), *b = mesh_node(m, "laptop");
 *	mesh_setup(a); mesh_connect(a);
 *	mesh_adopt(b, mesh_invite(a, 3600)); mesh_connect(b);
 *	mesh_reach(m, 5 * NS_PER_S);
 *	mesh_free(m);
 *
 * The functions without "try" in their name expect success: else they show the world and fail the
 * test. The server's database is a real file in a folder of its own; all else is simulated.
 */
#ifndef MLSH_TESTS_MESH_H
#define MLSH_TESTS_MESH_H

#include "client/handover.h"
#include "client/invite_new.h"
#include "client/join.h"
#include "membership/invite_url.h"
#include "os/paths.h"
#include "signal/server.h"
#include "sim.h"
#include "tund/daemon.h"

#define MESH_CLUSTER "homelab"
#define MESH_SIGNAL "signal.example"
#define MESH_NODES_MAX 8
#define MESH_PING_MIN 84
#define MESH_PING_MAX 1400

#define MS NS_PER_MS
#define SECOND NS_PER_S
#define MINUTE (60 * NS_PER_S)
#define HOUR (3600 * NS_PER_S)

struct mesh;

struct mesh_node {
	struct mesh *mesh;
	unsigned index;
	char name[LABEL_MAX + 1];
	ip4 ip;		   /* on the simulated internet */
	struct host *host; /* the user's process: commands */
	struct store store;
	struct host *daemon_host; /* the daemon's process, or NULL */
	struct daemon *daemon;
	ip4 address;		   /* in the overlay; 0 if it is not a member */
	uint16_t port;		   /* of daemons that are started from now on; 0 for any */
	bool suspended, unplugged; /* kept by the test */
};

struct mesh {
	struct world *w;
	char dir[64];		      /* of the server's database and its copies */
	struct host *server_host;     /* of the last server process */
	struct signal_server *server; /* NULL: down */
	char token[SETUP_TOKEN_TEXT_MAX];
	uint64_t relay_node_rate, relay_cluster_rate; /* of servers that are started from now on */
	const char *subnet;			      /* the same; NULL: the server's default */
	uint64_t watchdog; /* of programs started from now on; 0 without a service manager */
	struct mesh_node node[MESH_NODES_MAX];
	size_t n_nodes;
	const char *cluster; /* that commands and packets are about; MESH_CLUSTER */
	unsigned tun;	     /* index of its TUN on the machines */
	bool has_cluster;    /* somebody has set it up */
	char recovery_code[RECOVERY_CODE_TEXT_MAX]; /* that the last setup has shown */
	uint8_t cluster_id[HASH_LEN];
	struct daemon **dead; /* of processes that crashed: freed with the world */
	size_t n_dead;
	struct join **dead_joins;
	size_t n_dead_joins;
	size_t ping_len; /* MESH_PING_MIN unless the test says otherwise */
	uint32_t ping_seq;
	uint32_t pings_sent[MESH_NODES_MAX][MESH_NODES_MAX];
	uint32_t pings_got[MESH_NODES_MAX][MESH_NODES_MAX]; /* [to][from] */
	uint32_t newest[MESH_NODES_MAX][MESH_NODES_MAX];    /* [to][from]: sequence number */
	uint32_t doubled;
	uint32_t unreachable; /* packets that a node's own overlay reported as undeliverable */
};

#define MESH_CHECK(m, expr) SIM_CHECK((m)->w, expr)

/* A world with a running server, OpenSSL's randomness from the seed too. */
struct mesh *mesh_new(uint64_t seed);
/* Memory for one more in an array of n. */
void *mesh_grow(void *array, size_t n, size_t entry_bytes);
void mesh_free(struct mesh *m);
/* The same with n connected nodes (nas, laptop, phone, ...), the first of them the admin. */
struct mesh *mesh_of(uint64_t seed, size_t n);
/* In its two steps: the machines, and what is done on them. */
void mesh_nodes(struct mesh *m, size_t n);
void mesh_join_all(struct mesh *m);
/* The same link between every two machines, the server's included. */
void mesh_links(struct mesh *m, struct link_params p);
/* Runs until `done` says so, or fails after `within`. */
void mesh_until(struct mesh *m, uint64_t within, bool (*done)(void *ctx), void *ctx);

/* --- the server ------------------------------------------------------------------------------- */

void mesh_server_start(struct mesh *m);
/* The error is in *err; the process has ended then. */
int mesh_try_server_start(struct mesh *m, struct err *err) MUST_CHECK;
void mesh_server_crash(struct mesh *m); /* kill -9 */
void mesh_server_stop(struct mesh *m);	/* SIGTERM: says goodbye, takes up to two seconds */
/* While it is down: keeps a copy of the database under a name, and puts it in place again. */
void mesh_server_save(struct mesh *m, const char *copy);
void mesh_server_restore(struct mesh *m, const char *copy);
/* `mlsh-signal token`, while it runs. */
void mesh_server_token(struct mesh *m);
int mesh_try_server_token(struct mesh *m, struct err *err) MUST_CHECK;
/* Entries in the server's log of the cluster; 0 if it does not know the cluster. */
size_t mesh_server_log(struct mesh *m);
size_t mesh_server_sessions(struct mesh *m);
void mesh_server_db(const struct mesh *m, char out[96]); /* its path */

/* --- commands --------------------------------------------------------------------------------- */

/* A fresh machine, or one with an IPv6 address beside or in place of the IPv4 one. */
enum mesh_families { MESH_IP4, MESH_IP6, MESH_BOTH };
struct mesh_node *mesh_node_with(struct mesh *m, const char *name, enum mesh_families f);
struct mesh_node *mesh_node(struct mesh *m, const char *name);

/* A setup or adopt under way. */
struct mesh_join {
	struct mesh_node *node;
	struct join *join;
	bool done;
	struct err err; /* code 0: success */
	bool completed_pending;
	char recovery_code[RECOVERY_CODE_TEXT_MAX]; /* "": setup has shown none */
};

void mesh_setup_start(struct mesh_node *n, const char *token, struct mesh_join *ret);
void mesh_adopt_start(struct mesh_node *n, const struct invite_url *url, struct mesh_join *ret);
/* Waits for its result (0 or the error's code) and frees it. */
int mesh_join_finish(struct mesh_join *j);
/* The command is killed (kill -9). */
void mesh_join_kill(struct mesh_join *j);

void mesh_setup(struct mesh_node *n);
void mesh_adopt(struct mesh_node *n, struct invite_url url);
/* The refusal is in *err. */
int mesh_try_adopt(struct mesh_node *n, struct invite_url url, struct err *err) MUST_CHECK;
/* Made from the daemon's log if there is one, else from the user's files; told to the daemon. */
struct invite_url mesh_invite(struct mesh_node *n, uint64_t ttl_s);
/* What is set of time, role and names in `wish`; `promote`: as `mlsh invite --yes`. */
struct invite_url mesh_invite_wish(struct mesh_node *n, const struct invite_params *wish,
				   bool promote);

/* The cluster file and log as the user has them. The caller frees the log. */
struct cluster_file mesh_cluster_file(struct mesh_node *n);
struct mlog *mesh_user_log(struct mesh_node *n);

/* --- the daemon ------------------------------------------------------------------------------- */

/* Starts the process, which restores the clusters that it had. */
void mesh_daemon_start(struct mesh_node *n);
/* The error is in *err; the process has ended then. */
int mesh_try_daemon_start(struct mesh_node *n, struct err *err) MUST_CHECK;
void mesh_daemon_crash(struct mesh_node *n); /* kill -9; does nothing when none runs */
void mesh_daemon_stop(struct mesh_node *n);  /* a clean end */
/* `mlsh connect` without waiting; starts the daemon if none runs. */
void mesh_connect(struct mesh_node *n);
/* A request over the local socket: the whole reply, to be freed. */
char *mesh_control(struct mesh_node *n, enum control_verb verb);
char *mesh_control_request(struct mesh_node *n, const struct control_request *r);
/*
 * A request that may fail. *files: sent from their start if the daemon asks for them; may be NULL.
 * The reply is the caller's; NULL with an error.
 */
int mesh_try_call(struct mesh_node *n, const struct control_request *r, struct handover *files,
		  struct err *err, char **ret_reply) MUST_CHECK;
/* `mlsh connect` with these files, sent from their start. The same. */
char *mesh_hand_over(struct mesh_node *n, const char *cluster, struct handover *files);

struct tunnel *mesh_tunnel(struct mesh_node *n); /* or NULL */
bool mesh_connected(struct mesh_node *n);	 /* has a session with the server */
struct peer_status mesh_peer(struct mesh_node *n, struct mesh_node *peer);

/* Every machine with a daemon has a session. */
void mesh_all_connected(struct mesh *m, uint64_t within);

/* Of a mesh: every node has a session, and the last one has not failed. For mesh_until. */
bool mesh_at_peace(void *mesh);

/* --- packets ---------------------------------------------------------------------------------- */

/* A packet into one's TUN, addressed to the other. No TUN: it is lost. */
void mesh_ping(struct mesh_node *from, struct mesh_node *to);
void mesh_ping_pairs(struct mesh *m);
/* Takes what came out of the TUNs: must be what was put in, where it was meant to go. */
void mesh_take(struct mesh *m);
/* How many packets from it the others have taken. */
uint32_t mesh_taken_from(struct mesh *m, const struct mesh_node *from);
/* Pings two nodes all the time. Returns when the last packet was taken; 0 if all were dropped. */
uint64_t mesh_last_taken(struct mesh_node *from, struct mesh_node *a, struct mesh_node *b,
			 uint64_t for_ns, uint64_t every);
/* All pairs of nodes with a daemon reach each other. Returns how long it took. */
uint64_t mesh_reach(struct mesh *m, uint64_t within);
/* The same, and none of them by the server's relay any more. */
void mesh_direct(struct mesh *m, uint64_t within);
/*
 * All pairs send `rate` packets a second each: begin, run (any number of times), then end returns
 * how many got lost on the way (one more second is waited for the last ones).
 */
void mesh_flow_begin(struct mesh *m);
void mesh_flow_run(struct mesh *m, uint64_t for_ns, unsigned rate);
uint32_t mesh_flow_end(struct mesh *m);
/* All three. */
uint32_t mesh_flow(struct mesh *m, uint64_t for_ns, unsigned rate);

/* Asks the node's own DNS for an A record: the number of answers, the last one in *ret. */
int mesh_dns(struct mesh_node *n, const char *name, ip4 *ret, unsigned *ret_rcode);

#endif
