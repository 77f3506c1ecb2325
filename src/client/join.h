/* SPDX-License-Identifier: MIT */
/*
 * Becoming a member: `setup` (first node of a new cluster) and `adopt` (with an invite).
 * Asynchronous; one result. The pending request (what was signed and sent) is written to
 * `<cluster>.pending` before it is sent and removed when there is an answer, so that the next run
 * after a lost reply sends the identical request and completes. After a refusal nothing is left
 * behind.
 */
#ifndef MLSH_CLIENT_JOIN_H
#define MLSH_CLIENT_JOIN_H

#include "client/store.h"

struct invite_url;
struct join;

#define JOIN_NOTE_MAX 320

struct join_result {
	struct cluster_file cluster; /* already saved, with the log */
	bool completed_pending;	     /* an earlier run's request was completed */
	uint64_t signed_s;	     /* setup: when its request was signed */
	/*
	 * What this host uses itself of the cluster's addresses, or of the server's usual ones so
	 * that setup chose others: a sentence, or "".
	 */
	char note[JOIN_NOTE_MAX];
	bool pending; /* of a failure: the request is kept, since it may have been carried out */
};

/*
 * `err` NULL on success, else err->reason tells the cause and err->text everything that a person
 * needs; of the result only `pending` counts then. Called once, from the loop; the join is to be
 * freed then or later.
 */
typedef void (*join_fn)(void *ctx, const struct err *err, const struct join_result *r);
/* One line about what is being waited for ("resolving ...", "connecting to ..."). */
typedef void (*join_progress_fn)(void *ctx, const char *line);

struct setup_params {
	const char *cluster, *node_name;
	const char *host;
	uint16_t port;
	const char *code; /* normalised bootstrap code */
	uint8_t signal_cert[HASH_LEN];
	bool has_subnet;
	struct prefix4 subnet;
};

/*
 * Shows the recovery code of the cluster that is about to be founded. Nothing was written or sent
 * before, and nothing will be if it returns false. The code is wiped afterwards: no file has it.
 */
typedef bool (*setup_code_fn)(void *ctx, const char *recovery_code);

/*
 * Sends the code only after the server's certificate was verified to be the pinned one. Fails at
 * once, without touching anything, when the names cannot be used, there is a cluster of that name
 * here already (-EEXIST), or something else of that name is unfinished. Parameters are copied.
 * `show` is not called if an earlier run's request is completed.
 */
int setup_start(struct host *h, const struct store *s, const struct setup_params *p,
		setup_code_fn show, join_fn fn, join_progress_fn progress, void *ctx,
		struct err *err, struct join **ret) MUST_CHECK;
/*
 * The same with an invite. Whether that is still good is the server's clock's business, not ours:
 * a machine without a clock can join. A request of an earlier run is completed first; if the server
 * refuses that, this run's invite and name are tried.
 */
int adopt_start(struct host *h, const struct store *s, const struct invite_url *url,
		const char *node_name, join_fn fn, join_progress_fn progress, void *ctx,
		struct err *err, struct join **ret) MUST_CHECK;
/* A request that was sent stays pending. NULL allowed. */
void join_free(struct join *j);

#endif
