/* SPDX-License-Identifier: MIT */
/* The files of a cluster as they come over the local socket. */
#include "tund/upload.h"

#include <stdlib.h>

#define PEM_MAX 8192

static const struct {
	const char *name;
	size_t max;
} files[CONTROL_FILES] = {
	[CONTROL_FILE_CLUSTER] = { "description of the cluster", CLUSTER_BYTES_MAX },
	[CONTROL_FILE_LOG] = { "membership log", LOG_FILE_MAX },
	[CONTROL_FILE_CERT] = { "certificate", PEM_MAX },
	[CONTROL_FILE_KEY] = { "private key", PEM_MAX },
};

int upload_check(const uint64_t size[CONTROL_FILES], struct err *err)
{
	for (size_t i = 0; i < CONTROL_FILES; i++) {
		if (size[i] == 0)
			return err_set(err, -EINVAL, "the %s is empty", files[i].name);
		if (size[i] > files[i].max)
			return err_set(err, -EFBIG, "the %s is larger than %zu bytes",
				       files[i].name, files[i].max);
	}
	return 0;
}

uint64_t upload_total(const struct upload *u)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < CONTROL_FILES; i++)
		sum += u->size[i];
	return sum;
}

int upload_begin(struct upload *u, struct err *err)
{
	for (size_t i = 0; i < CONTROL_FILES; i++) {
		u->file[i].data = malloc((size_t)u->size[i]);
		if (!u->file[i].data)
			return err_set(err, -ENOMEM, "the daemon has no memory for the %s",
				       files[i].name);
	}
	return 0;
}

int upload_add(struct upload *u, struct span piece)
{
	while (piece.len > 0) {
		struct buf *b;
		size_t n;

		if (u->at == CONTROL_FILES)
			return -EMSGSIZE;
		b = &u->file[u->at];
		n = MIN(piece.len, (size_t)u->size[u->at] - b->len);
		memcpy(b->data + b->len, piece.data, n);
		b->len += n;
		u->received += n;
		u->at += b->len == u->size[u->at];
		piece = span_of(piece.data + n, piece.len - n);
	}
	return u->at == CONTROL_FILES;
}

bool upload_owes_ack(struct upload *u)
{
	if (u->received - u->acknowledged < CONTROL_WINDOW)
		return false;
	u->acknowledged = u->received;
	return true;
}

void upload_end(struct upload *u)
{
	for (size_t i = 0; i < CONTROL_FILES; i++) {
		if (u->file[i].data)
			secret_wipe(u->file[i].data, u->file[i].len);
		free(u->file[i].data);
	}
	*u = (struct upload){ 0 };
}

/* --- debts --- */

#define COST_RECORD NS_PER_MS
#define BYTES_A_RECORD 16384u

/* Root's uploads are not counted: root can stop the daemon. */
void upload_charge(struct upload_debts *d, struct user user, size_t verified, uint64_t bytes,
		   uint64_t now)
{
	uint64_t cost = (verified + bytes / BYTES_A_RECORD) * COST_RECORD;
	size_t at = 0;

	if (user_is_admin(user) || cost == 0)
		return;
	/* the user's own place, or that of whoever owes least */
	for (size_t i = 0; i < UPLOAD_DEBTORS_MAX; i++) {
		if (user_equal(d->of[i].user, user)) {
			at = i;
			break;
		}
		if (d->of[i].until < d->of[at].until)
			at = i;
	}
	if (!user_equal(d->of[at].user, user))
		d->of[at].until = 0;
	d->of[at].user = user;
	d->of[at].until = MAX(d->of[at].until, now) + cost;
}

uint64_t upload_debt_wait(const struct upload_debts *d, struct user user, uint64_t now)
{
	for (size_t i = 0; i < UPLOAD_DEBTORS_MAX; i++)
		if (user_equal(d->of[i].user, user) && d->of[i].until > now + UPLOAD_DEBT_MAX)
			return d->of[i].until - now - UPLOAD_DEBT_MAX;
	return 0;
}
