/* SPDX-License-Identifier: MIT */
/*
 * Beacons: what an admin's node says its newest record is, and when it said so
 * (docs/protocol/02-membership-log.md, "Beacons"). A beacon carries the place that it names and the
 * server's receipt for it, so nobody can invent a head. It changes nothing in the log: it tells how
 * fresh a node's log is, and that records exist which the node lacks.
 */
#ifndef MLSH_MEMBERSHIP_BEACON_H
#define MLSH_MEMBERSHIP_BEACON_H

#include "membership/mlog.h"

#define BEACON_AHEAD_MAX_S 600 /* by the clock of who takes it */
#define BEACON_GAP_S 10	       /* at least, between two of one author that are taken */

struct beacon {
	uint8_t cluster_id[HASH_LEN];
	struct order order;
	uint8_t entry_hash[HASH_LEN];
	const uint8_t *receipt; /* view */
	uint64_t time_s;
	struct node_id author;
	struct head head;    /* that it names */
	struct span payload; /* view */
	const uint8_t *sig;  /* view */
};

struct beacon_bytes {
	uint8_t data[BEACON_MAX_BYTES];
	size_t len;
};

/*
 * Signs the head of the log. `author` is a current admin, `key` is its key in force. -ENODATA: the
 * log has genesis only; or the codes of signing.
 */
int beacon_make(const struct mlog *l, const struct node_id *author, const struct signer *key,
		uint64_t now_s, struct beacon_bytes *ret) MUST_CHECK;
/* Form only, in the one encoding. -EBADMSG. */
int beacon_decode(struct span bytes, struct beacon *ret, struct err *err) MUST_CHECK;
/*
 * Does it count, by this log? -EACCES: of another cluster, or the author is not an admin now;
 * -ESTALE: from before a recovery; -EKEYREJECTED: a signature or the receipt; -EAGAIN: all that is
 * right, but it is dated too far ahead.
 */
int beacon_check(const struct mlog *l, const struct beacon *b, uint64_t now_s, struct err *err)
	MUST_CHECK;

/* --- the newest of each admin ---------------------------------------------------------------- */

struct beacons;

struct beacons *beacons_new(void); /* empty; NULL without memory */
void beacons_free(struct beacons *s);
/*
 * 1: it is the newest of its author now; 0: one that is as new, or nearly, is held. On failure as
 * beacon_decode and beacon_check.
 */
int beacons_add(struct beacons *s, const struct mlog *l, struct span bytes, uint64_t now_s,
		struct err *err) MUST_CHECK;
/* The log has grown: drops those of members that are not admins now, or have another key. */
void beacons_update(struct beacons *s, const struct mlog *l);
/* Drops that of this author, if there is one. */
void beacons_drop(struct beacons *s, const struct node_id *author);
/*
 * The first that was taken behind the one with this serial number, which becomes its own; 0 is
 * before all. Returns an empty span after the last one. Valid until the next change.
 */
struct span beacons_next(const struct beacons *s, uint64_t *serial);
/* The one with the latest date; views, until the next change. Returns false if there is none. */
bool beacons_newest(const struct beacons *s, struct beacon *ret);
/* The one with the highest head that the log lacks. Returns false if it lacks none. */
bool beacons_lacking(const struct beacons *s, const struct mlog *l, struct beacon *ret);

#endif
