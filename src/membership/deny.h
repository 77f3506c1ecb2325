/* SPDX-License-Identifier: MIT */
/*
 * Removals that no server has ordered yet (docs/protocol/02-membership-log.md, "Removal before
 * order"). Such an entry denies its targets among the nodes that hold it, for as long as it could
 * be the next record of the log: so a server that swallows a removal keeps nobody in. It allows
 * nothing.
 */
#ifndef MLSH_MEMBERSHIP_DENY_H
#define MLSH_MEMBERSHIP_DENY_H

#include "membership/mlog.h"

/* Held at once. When there are more, the author that has most gives one back. */
#define DENIALS_MAX 256

/* What became of a removal that a peer or the server showed. */
enum removal_shown {
	REMOVAL_TAKEN,	 /* or it is known */
	REMOVAL_LACKING, /* its base is in records that this node lacks: they are asked for */
	REMOVAL_REFUSED
};

struct denials;

struct denials *denials_new(void); /* empty; NULL without memory */
void denials_free(struct denials *d);

/*
 * Takes the bytes of a remove entry. Returns 1 if it is held now and denies somebody, 0 if it
 * changes nothing: it is held already, ordered, or its author denies all of its targets. On failure
 * err->reason tells the cause: REFUSAL_UNKNOWN_HEAD means that its base is in records that this log
 * lacks. -EBADMSG, -EKEYREJECTED, -EACCES, -ESTALE, -ENOSPC, -ENOMEM.
 */
int denials_add(struct denials *d, const struct mlog *l, struct span entry, struct err *err)
	MUST_CHECK;
/*
 * The log has grown: drops what the log has, or what could not be ordered any more. Returns how
 * many were dropped.
 */
size_t denials_update(struct denials *d, const struct mlog *l);

/* Is the current member denied? */
bool denials_denied(const struct denials *d, const struct node_id *id);
/* Who denies it: the author of the oldest entry; false if nobody does. */
bool denials_author(const struct denials *d, const struct node_id *id, struct node_id *ret_author,
		    uint64_t *ret_time_s);

size_t denials_count(const struct denials *d);
/* The i-th entry's bytes; empty past the end. Valid until the next change. */
struct span denials_entry(const struct denials *d, size_t i);
/*
 * The first entry that was taken behind the one with this serial number, which becomes its own; 0
 * is before all. Returns an empty span after the last one. Numbers only grow, so a caller that
 * remembers one sees each entry once.
 */
struct span denials_next(const struct denials *d, uint64_t *serial);

/*
 * Is the record, one of seq `from` or later, a removal? Then a view of its entry: a removal denies
 * although its record is not taken yet.
 */
bool removal_of_record(struct span record, uint64_t from, struct span *ret_entry);

#endif
