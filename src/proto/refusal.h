/* SPDX-License-Identifier: MIT */
/*
 * Why something was refused: the codes that travel in a signal reply (docs/protocol/03-signal.md)
 * and in struct err.
 */
#ifndef MLSH_PROTO_REFUSAL_H
#define MLSH_PROTO_REFUSAL_H

#include "base/err.h"

enum refusal {
	REFUSAL_NONE = 0,
	REFUSAL_MALFORMED = 1,	 /* not a valid message */
	REFUSAL_VERSION = 2,	 /* upgrade one side */
	REFUSAL_RATE = 3,	 /* too many requests: retry_after_s says when */
	REFUSAL_INTERNAL = 4,	 /* the server could not: its database, its disk */
	REFUSAL_NOT_ALLOWED = 5, /* not in this phase or not by this node */
	REFUSAL_BAD_CODE = 6,	 /* setup token unknown */
	REFUSAL_USED_CODE = 7,	 /* setup token burned */
	REFUSAL_EXPIRED_CODE = 8,
	REFUSAL_CLUSTER_UNKNOWN = 9,
	REFUSAL_STALE = 10,	/* head or address moved: fetch and try again */
	REFUSAL_SUBNET = 11,	/* overlaps another cluster's or not permitted */
	REFUSAL_FULL = 12,	/* no address left, too many members, clusters, ... */
	REFUSAL_BAD_ENTRY = 13, /* breaks a rule of the log */
	REFUSAL_TAMPERED = 14,	/* invite: a signature or a part does not fit */
	REFUSAL_WRONG_CLUSTER = 15,
	REFUSAL_SPONSOR_UNKNOWN = 16,
	REFUSAL_SPONSOR_REMOVED = 17,
	REFUSAL_SPONSOR_NOT_ADMIN = 18,
	REFUSAL_INVITE_EXPIRED = 19,
	REFUSAL_INVITE_USED = 20,
	REFUSAL_INVITE_CANCELLED = 21,
	REFUSAL_NAME_TAKEN = 22,
	REFUSAL_NAME_BAD = 23,
	REFUSAL_KEY_KNOWN = 24,	    /* this key is or was in the cluster already */
	REFUSAL_NOT_MEMBER = 25,    /* node unknown or removed */
	REFUSAL_BAD_TOKEN = 26,	    /* node token wrong */
	REFUSAL_UNKNOWN_HEAD = 27,  /* log older than what is known: stale or forked */
	REFUSAL_UNSUPPORTED = 28,   /* a request that the server does not know: it is older */
	REFUSAL_LAST_ADMIN = 30,    /* nobody would be left to govern the cluster */
	REFUSAL_TOO_OLD = 31,	    /* the entry's time is not near the server's */
	REFUSAL_RECOVERY_CODE = 32, /* not the code in force */
	REFUSAL_MOVED_AWAY = 33,    /* the cluster has another server by its log */
	REFUSAL_SUPERSEDED = 34,    /* a later attempt of this recovery is in the log */
	REFUSAL_AHEAD = 35,	    /* dated ahead of the server's clock: again later */
	REFUSAL_RESTORED = 29,	    /* the server waits for an admin since it was restored */
	/* Causes on our side, never on the wire. */
	REFUSAL_UNREACHABLE = 100,
	REFUSAL_FINGERPRINT = 101, /* server certificate is not the pinned one */
	REFUSAL_TIMEOUT = 102,
	REFUSAL_FORK = 103,
	REFUSAL_BUSY = 104, /* the server asked to be called again later */
	REFUSAL_MOVED = 105 /* the server named a place that is not followed */
};

/* A short word for machines ("invite-used"); never NULL. */
const char *refusal_name(int reason);
/* The errno value (negative) that goes with a reason. */
int refusal_code(enum refusal reason);
/*
 * Sets the sentence for a person and the reason for a machine, and returns `code`; 0 stands for the
 * code that goes with the reason. `err` may be NULL.
 */
int refuse(struct err *err, int code, enum refusal reason, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Before it is told to others: a cause on our side, or none, becomes REFUSAL_BAD_ENTRY. */
void refusal_make_public(struct err *err);

#endif
