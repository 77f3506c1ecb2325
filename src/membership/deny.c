/* SPDX-License-Identifier: MIT */
/* The removals that wait for their order, and whom they deny. */
#include "membership/deny.h"

#include <stdlib.h>

#include "membership/internal.h"

struct denial {
	uint8_t payload_hash[HASH_LEN];
	struct node_id author;
	uint64_t time_s, serial;
	struct id_list targets;
	size_t len;
	uint8_t entry[];
};

struct denials {
	struct denial *held[DENIALS_MAX]; /* the oldest first */
	size_t n;
	uint64_t last_serial;
};

struct denials *denials_new(void)
{
	return calloc(1, sizeof(struct denials));
}

void denials_free(struct denials *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++)
		free(d->held[i]);
	free(d);
}

static bool denied_by(const struct denials *d, const struct node_id *author,
		      const struct node_id *id)
{
	for (size_t i = 0; i < d->n; i++)
		if (node_id_equal(&d->held[i]->author, author) &&
		    id_list_has(&d->held[i]->targets, id))
			return true;
	return false;
}

static size_t count_by(const struct denials *d, const struct node_id *author)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		n += node_id_equal(&d->held[i]->author, author);
	return n;
}

static bool is_held(const struct denials *d, const uint8_t payload_hash[HASH_LEN])
{
	for (size_t i = 0; i < d->n; i++)
		if (memcmp(d->held[i]->payload_hash, payload_hash, HASH_LEN) == 0)
			return true;
	return false;
}

/*
 * Does its author deny somebody by it whom it does not deny already? What other authors say does
 * not count: a stolen admin could deny itself first, and take that back later.
 */
static bool is_news(const struct denials *d, const struct mlog *l, const struct entry *e)
{
	for (size_t i = 0; i < e->remove.n; i++) {
		const struct node_id *id = &e->remove.id[i];

		if (roster_by_id(mlog_roster(l), id, ROSTER_CURRENT) &&
		    !denied_by(d, &e->author, id))
			return true;
	}
	return false;
}

/* The newest entry of the author that holds most places, if that is more than `author` holds. */
static size_t find_surplus(const struct denials *d, const struct node_id *author)
{
	size_t most = count_by(d, author) + 1, found = d->n;

	for (size_t i = 0; i < d->n; i++) {
		size_t n = count_by(d, &d->held[i]->author);

		if (n > most || (found < d->n && n == most)) {
			most = n;
			found = i;
		}
	}
	return found;
}

/* Makes a place for an entry of the author. Returns false if its own entries hold all. */
static bool make_place(struct denials *d, const struct node_id *author)
{
	size_t i;

	if (d->n < DENIALS_MAX)
		return true;
	i = find_surplus(d, author);
	if (i == d->n)
		return false;
	free(d->held[i]);
	memmove(&d->held[i], &d->held[i + 1], (--d->n - i) * sizeof(d->held[0]));
	return true;
}

/* Could it be the next record? That is the whole rule; the clock has no part in it. */
static int check(const struct mlog *l, const struct entry *e, struct err *err)
{
	if (e->type != ENTRY_REMOVE)
		return refuse(err, -EBADMSG, REFUSAL_BAD_ENTRY, "the entry is not a removal");
	return mlog_would_order(l, e, mlog_last_time_s(l), err);
}

static struct denial *denial_new(const struct entry *e, struct span bytes)
{
	struct denial *n = malloc(sizeof(*n) + bytes.len);

	if (!n)
		return NULL;
	*n = (struct denial){
		.author = e->author, .time_s = e->time_s, .targets = e->remove, .len = bytes.len
	};
	memcpy(n->payload_hash, e->payload_hash, HASH_LEN);
	memcpy(n->entry, bytes.data, bytes.len);
	return n;
}

int denials_add(struct denials *d, const struct mlog *l, struct span entry, struct err *err)
{
	struct denial *n;
	struct entry e;
	int r = entry_decode(entry, &e, err);

	if (r < 0)
		return r;
	if (is_held(d, e.payload_hash) || mlog_find(l, e.payload_hash) != 0)
		return 0;
	r = check(l, &e, err);
	if (r < 0)
		return r;
	if (!is_news(d, l, &e))
		return 0;
	n = denial_new(&e, entry);
	if (!n)
		return refuse(err, -ENOMEM, REFUSAL_INTERNAL, "out of memory");
	if (!make_place(d, &e.author)) {
		free(n);
		return refuse(err, -ENOSPC, REFUSAL_FULL,
			      "%d removals wait for the signal server already", DENIALS_MAX);
	}
	n->serial = ++d->last_serial;
	d->held[d->n++] = n;
	return 1;
}

size_t denials_update(struct denials *d, const struct mlog *l)
{
	size_t kept = 0, before = d->n;

	for (size_t i = 0; i < before; i++) {
		struct denial *n = d->held[i];
		struct entry e;

		if (entry_decode(span_of(n->entry, n->len), &e, NULL) == 0 &&
		    check(l, &e, NULL) == 0)
			d->held[kept++] = n;
		else
			free(n);
	}
	d->n = kept;
	return before - kept;
}

bool denials_denied(const struct denials *d, const struct node_id *id)
{
	for (size_t i = 0; i < d->n; i++)
		if (id_list_has(&d->held[i]->targets, id))
			return true;
	return false;
}

bool denials_author(const struct denials *d, const struct node_id *id, struct node_id *ret_author,
		    uint64_t *ret_time_s)
{
	for (size_t i = 0; i < d->n; i++) {
		if (!id_list_has(&d->held[i]->targets, id))
			continue;
		*ret_author = d->held[i]->author;
		*ret_time_s = d->held[i]->time_s;
		return true;
	}
	return false;
}

size_t denials_count(const struct denials *d)
{
	return d->n;
}

struct span denials_entry(const struct denials *d, size_t i)
{
	return i < d->n ? span_of(d->held[i]->entry, d->held[i]->len) : span_of(NULL, 0);
}

struct span denials_next(const struct denials *d, uint64_t *serial)
{
	for (size_t i = 0; i < d->n; i++) {
		if (d->held[i]->serial <= *serial)
			continue;
		*serial = d->held[i]->serial;
		return denials_entry(d, i);
	}
	return span_of(NULL, 0);
}

bool removal_of_record(struct span record, uint64_t from, struct span *ret_entry)
{
	struct record r;

	if (record_decode(record, &r, NULL) < 0 || r.genesis || r.order.seq < from ||
	    entry_peek(r.entry) != ENTRY_REMOVE)
		return false;
	*ret_entry = r.entry;
	return true;
}
