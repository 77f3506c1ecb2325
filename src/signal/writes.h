/* SPDX-License-Identifier: AGPL-3.0-only */
/* Requests that wait for the database. They are queued here; batch.c runs and answers them. */
#ifndef MLSH_SIGNAL_WRITES_H
#define MLSH_SIGNAL_WRITES_H

#include "signal/caller.h"

struct write {
	struct list link;
	struct caller *caller; /* NULL if its connection has ended meanwhile */
	int64_t stream;
	uint64_t since; /* clock */
	enum signal_request_type type;
	int result;
	struct signal_reply reply;
	struct err err;
	size_t len;
	uint8_t message[];
};

static inline struct write *write_at(struct list *it)
{
	return list_entry(it, struct write, link);
}

/* Keeps a copy of the request until it can be answered together with others. -ENOMEM. */
int write_later(struct caller *c, int64_t stream, enum signal_request_type type,
		struct span message, struct err *err) MUST_CHECK;
/* Has a batch come soon, for the registry's notes if no request waits. */
void writes_soon(struct signal_server *s);
/* Has a batch come soon if requests wait. */
void writes_schedule(struct signal_server *s);
/* Forgets the requests of a connection that has ended. */
void writes_forget(struct caller *c);
/* Takes it out of its list and frees it. */
void write_free(struct signal_server *s, struct write *w);

#endif
