/* SPDX-License-Identifier: MIT */
/* What setup and adopt share: files, connection, the pending request's fate, the result. */
#ifndef MLSH_CLIENT_JOIN_INTERNAL_H
#define MLSH_CLIENT_JOIN_INTERNAL_H

#include "client/join.h"
#include "client/visit.h"
#include "membership/invite_url.h"

#define JOIN_DEADLINE (120 * NS_PER_S)

/* What becomes of a pending request after the server's answer to it. */
enum join_verdict {
	JOIN_FORGET, /* refused for good, it was not carried out and never will be */
	JOIN_KEEP    /* the answer does not say whether it was carried out */
};

/* `sent_before`: it may have reached the server in an earlier run. Pure. */
enum join_verdict join_verdict(enum refusal reason, bool sent_before);

struct join;

struct join_kind {
	enum pending_kind pending;
	/* Connected and greeted: makes the first request. */
	void (*ready)(struct join *j);
	/*
	 * The server accepted the pending request: gets and checks the log, fills in the cluster
	 * file, then join_succeed.
	 */
	void (*accepted)(struct join *j);
	/* The server refused an earlier run's request for good: would another one be different? */
	bool (*go_on)(const struct join *j);
};

struct join {
	struct host *host;
	const struct join_kind *kind;
	struct store store;
	struct identity *identity; /* on disk with the pending request, and after success */
	uint8_t seed[SIGN_SEED_LEN];
	struct visit *visit;	/* from join_connect on */
	uint64_t server_time_s; /* as hello told it */
	struct timer *retry, *deadline;
	uint64_t deadline_at;
	struct err busy; /* what a server said that had no time for us; reason 0 before that */
	/* What is to be done. */
	char cluster_name[LABEL_MAX + 1], node_name[LABEL_MAX + 1];
	char server[HOST_TEXT_MAX + 1];
	uint16_t port;
	uint8_t signal_pin[HASH_LEN]; /* setup: of the certificate; adopt: of its key */
	uint8_t cluster_id[HASH_LEN]; /* zeros for setup */
	struct setup_params setup;    /* texts are not kept in it */
	setup_code_fn show_code;
	char code[BOOTSTRAP_CODE_TEXT_MAX];
	struct invite_url url;
	/* What was made of it. */
	struct mlog *log;
	struct cluster_file cluster_file;
	struct wire_head head;	/* adopt: of our own record, by the server */
	unsigned subnets_tried; /* of those that setup chose itself */
	bool subnet_chosen;	/* and why: */
	char subnet_why[160];
	struct pending pending;
	bool has_pending; /* `pending` holds a request, and it is on disk */
	bool old_pending; /* it comes from an earlier run */
	bool sent;	  /* it was sent in this run, */
	bool resent;	  /* and once more */
	/* How it ended. */
	bool ended;
	struct join_result result;
	join_fn fn;
	join_progress_fn progress;
	void *ctx;
};

/*
 * Checks names and files, loads or makes the identity. The fields from `cluster_name` to `url` are
 * set by the caller afterwards, then join_connect.
 */
int join_new(struct host *h, const struct store *s, const struct join_kind *kind,
	     const char *cluster, const char *node_name, struct err *err, struct join **ret)
	MUST_CHECK;
int join_connect(struct join *j, struct err *err) MUST_CHECK;
void join_progress(struct join *j, const char *fmt, ...) PRINTF_LIKE(2, 3);
/*
 * The date for an entry, in seconds since 1970: our clock's, or the server's if ours is ahead of
 * it. A cluster that was founded in the future could order nothing until then.
 */
uint64_t join_time_s(const struct join *j);
/* Sends a request; failing to ends the join. */
void join_request(struct join *j, const struct signal_request *m, rpc_reply_fn fn);
/* Writes the request in j->pending to disk, with the key that signed it, and sends it. */
void join_send_new(struct join *j);
/* Sends the pending request. */
void join_send_pending(struct join *j);
/* Ends it with an error; what is pending stays if it may have been carried out. */
void join_fail(struct join *j, const struct err *err);
/* Ends it with a refusal of the server's to something that changes nothing there. */
void join_refused(struct join *j, const struct signal_reply *reply);
/* Did what was accepted yield a log and a cluster file? Saves them and ends it. */
void join_succeed(struct join *j);
/*
 * A reply that only asks us to wait: connects again then, and returns true, if there is time left.
 */
bool join_wait_asked(struct join *j, const struct signal_reply *reply);

#endif
