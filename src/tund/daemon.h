/* SPDX-License-Identifier: MIT */
/*
 * The daemon: its clusters and the local socket. The same object serves `mlshtund` (state folder,
 * all clusters) and `mlsh connect
 * --foreground` (one cluster, the user's own files).
 */
#ifndef MLSH_TUND_DAEMON_H
#define MLSH_TUND_DAEMON_H

#include "base/list.h"
#include "os/manager.h"
#include "os/user.h"
#include "tund/proofs.h"
#include "tund/state.h"

#define DAEMON_CLUSTERS_MAX 64

struct daemon;

struct daemon_config {
	const char *socket_path;
	const char *state_dir; /* NULL: foreground, nothing is kept but the log */
	/* foreground: saves the log among its user's files */
	int (*save_log)(void *ctx, const struct cluster_file *f, const struct mlog *l,
			struct err *err);
	uint16_t port;	      /* of the first cluster, see daemon_port.c; 0 for any */
	bool no_port_mapping; /* gateways are not asked to map our ports */
	void (*changed)(void *ctx, struct tunnel *t); /* may be NULL */
	void (*restored)(void *ctx);		      /* daemon_restore is through; may be NULL */
	void *ctx;
};

/*
 * Takes the state folder's lock (-EBUSY names the process that has it), undoes what a crashed one
 * left on the host and listens at the local socket (foreground: if nobody else does). Clusters are
 * started by daemon_restore or daemon_add.
 */
int daemon_new(struct host *h, const struct daemon_config *cfg, struct err *err,
	       struct daemon **ret) MUST_CHECK;
/*
 * Starts every enabled cluster of the state folder, by rank; what cannot start is logged and shown
 * in status. Then the service manager hears that the daemon serves. Long logs are read in slices:
 * the last ones may start after it has returned.
 */
void daemon_restore(struct daemon *d);
/* Foreground: starts one cluster from its parts, which become the daemon's on success. */
int daemon_add(struct daemon *d, struct tunnel_parts *p, struct user owner, struct err *err)
	MUST_CHECK;
void daemon_free(struct daemon *d); /* stops all tunnels; NULL allowed */

/* --- for control.c --- */

struct daemon_cluster {
	struct list link;
	struct daemon *daemon;
	uint64_t edition;  /* another one after each start and stop, and for each cluster */
	bool start_wanted; /* from its files, as soon as those before it are started */
	struct cluster_state state;
	struct tunnel *tunnel;	     /* NULL: stopped */
	bool loading;		     /* removals that wait, from their file */
	struct peers_keeper *keeper; /* saves its peers' addresses; may be NULL */
	struct timer *save_timer;    /* when the log is saved again that could not be */
	struct timer *port_timer;    /* when its fixed port is tried again */
	uint16_t port;		     /* that fixed port; 0 if there is none */
	bool port_waits;	     /* another program has it, which was logged */
	struct mlog *parked; /* its log: it is to be connected, and did not start. Or NULL */
	struct timer *removals_timer; /* when removals that wait are saved */
	uint64_t removals_saved;      /* when they were last */
	bool log_unsaved;
	struct proofs proofs;	/* for `mlsh log --proof` */
	struct log_place saved; /* how much of the log its file has */
	uint64_t marked_seq;	/* up to which it is marked as verified */
	bool newer;	/* its files are of a newer version: left as they are, `error` says which */
	bool ownerless; /* and whose it is cannot be read: root's alone */
	char error[480];
};

/* --- daemon_line.c --- */

/* A manager_status_fn of a struct daemon. */
void daemon_line(void *daemon, char out[MANAGER_STATUS_MAX]);

/* --- daemon_removals.c --- */

/* Writes the removals that wait; a loop_fn of a struct daemon_cluster with a tunnel. */
void daemon_save_removals(void *cluster);
/* They have changed; as tunnel_ops has it. */
void daemon_removals_changed(void *cluster, struct tunnel *t);
/* The new tunnel takes those of the file. */
void daemon_load_removals(struct daemon_cluster *c);

/* --- daemon_rank.c --- */

/* The rank of a cluster that is new here. */
uint64_t daemon_next_rank(struct daemon *d);
/* As struct tunnel_ops has them, of a struct daemon_cluster. */
bool daemon_senior(void *cluster, ip4 ip, char *what);
void daemon_claim(void *cluster, ip4 ip);
/*
 * This log is the cluster's now: junior clusters whose own address is a member's by it stop. Others
 * look again at what they may have.
 */
void daemon_members_changed(struct daemon_cluster *c, const struct mlog *log);
/* The cluster has stopped: junior ones may have what it had. */
void daemon_juniors_look(struct daemon_cluster *c);
bool daemon_is_senior(const struct daemon_cluster *a, const struct daemon_cluster *b);

/* --- daemon_start.c --- */

struct starts;

int starts_new(struct daemon *d, struct err *err, struct starts **ret) MUST_CHECK;
void starts_free(struct starts *s); /* NULL allowed */
/*
 * The cluster is to be connected and did not start from these parts: junior ones do not have what
 * it has until daemon_unpark. Takes the log.
 */
void daemon_park(struct daemon_cluster *c, struct tunnel_parts *p);
void daemon_unpark(struct daemon_cluster *c);
/*
 * Makes all clusters of the state folder known and starts those that are enabled, the senior ones
 * first. Short logs are read at once, long ones in slices: daemon_restored is called at the end.
 * *n_kept: how many state files there are, told before the first start.
 */
void starts_restore(struct starts *s, size_t *n_kept);
/* Starts a cluster from its files. */
void starts_want(struct starts *s, struct daemon_cluster *c);

/* --- daemon_device.c --- */

/* The number that the interface is to have, and the first that no cluster has. */
void daemon_device(const struct daemon_cluster *c, unsigned *ret_number, unsigned *ret_spare);
/* The tunnel has an interface: its number is the cluster's from now on. */
void daemon_device_keep(struct daemon_cluster *c);

/* --- daemon_port.c --- */

/* The fixed port that the cluster is to have; 0 for any. `known`: of its peers, or NULL. */
uint16_t daemon_port(const struct daemon_cluster *c, const struct peers_file *known);
/* It did not start. Returns true if its port was the reason and is tried again; *err says so. */
bool daemon_port_wait(struct daemon_cluster *c, struct err *err);
void daemon_port_again(void *cluster); /* a loop_fn */

/* --- daemon.c --- */

int daemon_cluster_new(struct daemon *d, const struct cluster_state *s, struct err *err,
		       struct daemon_cluster **ret) MUST_CHECK;
/* On success the parts are the tunnel's. */
int daemon_cluster_start(struct daemon_cluster *c, struct tunnel_parts *p, struct err *err)
	MUST_CHECK;
/* Stops a tunnel. Status shows `why` until it is connected again; NULL shows nothing. */
void daemon_cluster_stop(struct daemon_cluster *c, const char *why);
void daemon_save_state(struct daemon *d, struct daemon_cluster *c); /* logs what fails */
size_t daemon_expected(const struct daemon *d);	    /* clusters, with those yet to be restored */
uint16_t daemon_first_port(const struct daemon *d); /* as struct daemon_config has it */
struct host *daemon_host(struct daemon *d);
struct slices *daemon_slices(struct daemon *d);
struct starts *daemon_starts(struct daemon *d);
void daemon_starting(struct daemon *d);		  /* one cluster was read: the next one */
void daemon_restored(struct daemon *d);		  /* all clusters that were kept were tried */
bool daemon_is_restoring(const struct daemon *d); /* not yet */
uint64_t daemon_started(const struct daemon *d);
const char *daemon_state_dir(const struct daemon *d); /* NULL: in the foreground */
struct daemon_cluster *daemon_find(struct daemon *d, const char *cluster);
/* Fills in all of them; returns how many. */
size_t daemon_list(struct daemon *d, struct daemon_cluster *out[DAEMON_CLUSTERS_MAX]);
/* Disconnects, and removes all that is kept of the cluster here. `c` is gone when it succeeds. */
int daemon_forget(struct daemon *d, struct daemon_cluster *c, struct err *err) MUST_CHECK;
int daemon_disconnect(struct daemon *d, struct daemon_cluster *c, struct err *err) MUST_CHECK;

/* --- daemon_connect.c --- */

/*
 * May this user bring the cluster up? Asked before anything that they passed is read. A user who
 * may not create one learns of no cluster but their own.
 */
int daemon_may_connect(struct daemon *d, const char *cluster, struct user user, bool may_create,
		       struct err *err) MUST_CHECK;
/* What the daemon itself has of the log of a cluster. */
struct own_log {
	uint8_t cluster_id[HASH_LEN];
	struct mlog *log;
};
/*
 * Connects the cluster `p` that `user` hands over. `may_create`: the user is root or in the
 * group. `own` is the daemon's present copy of the log of the cluster of this name, or NULL if the
 * daemon has no usable copy. On success the daemon takes over `p` and the log in `own`.
 */
int daemon_connect(struct daemon *d, struct tunnel_parts *p, struct own_log *own, struct user user,
		   bool may_create, struct err *err) MUST_CHECK;

#endif
