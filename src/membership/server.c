/* SPDX-License-Identifier: MIT */
/* The signal server of a log, and those before it. */
#include "membership/internal.h"

const struct log_server *mlog_server(const struct mlog *l)
{
	return l->s.n_slots > 0 ? &l->s.server : NULL;
}

const uint8_t *mlog_order_key(const struct mlog *l, uint64_t seq)
{
	for (size_t i = l->s.n_epochs; i-- > 0;)
		if (l->s.epochs[i].by < seq)
			return l->s.epochs[i].key;
	return l->s.epochs[0].key;
}

/* The server that the record names; NULL if it names none. `e` is what it was read to. */
static const struct log_server *server_named(const struct entry *e)
{
	switch (e->type) {
	case ENTRY_GENESIS:
		return &e->genesis.server;
	case ENTRY_SIGNAL:
		return &e->signal;
	case ENTRY_RECOVER:
		return e->recover.has_server ? &e->recover.server : NULL;
	default:
		return NULL;
	}
}

bool mlog_server_was(const struct mlog *l, const char *host, uint16_t port)
{
	for (size_t i = 0; i + 1 < l->s.n_epochs; i++) {
		const struct log_server *s;
		struct record r;
		struct entry e;

		if (mlog_get(l, l->s.epochs[i].by, &r, &e) < 0 || !(s = server_named(&e)))
			continue;
		if (s->port == port && strcmp(s->host, host) == 0)
			return true;
	}
	return false;
}

int mlog_order_key_seq(const struct mlog *l, const uint8_t key[KEY_LEN], uint64_t *ret)
{
	for (size_t i = l->s.n_epochs; i-- > 0;) {
		if (memcmp(l->s.epochs[i].key, key, KEY_LEN) != 0)
			continue;
		*ret = l->s.epochs[i].by;
		return 0;
	}
	return -ENOENT;
}
