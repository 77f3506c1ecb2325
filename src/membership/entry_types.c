/* SPDX-License-Identifier: MIT */
/*
 * The form of each type of entry: one row a type, by which its body is written, read and checked.
 * What a type does in a log is a row in deeds.c.
 */
#include <stdlib.h>

#include "crypto/hash.h"
#include "membership/hostport.h"
#include "membership/internal.h"

int entry_malformed(struct err *err, const char *what)
{
	return refuse(err, -EBADMSG, REFUSAL_BAD_ENTRY, "the log entry is malformed: %s", what);
}

/* --- parts of bodies ------------------------------------------------------------------------ */

static void put_id(struct cbor_writer *w, const struct node_id *id)
{
	cbor_put_bytes(w, id->bytes, NODE_ID_LEN);
}

static void get_id(struct cbor_reader *r, struct node_id *id)
{
	cbor_get_bytes_fixed(r, id->bytes, NODE_ID_LEN);
}

static void put_ids(struct cbor_writer *w, const struct id_list *l)
{
	cbor_put_array(w, l->n);
	for (size_t i = 0; i < l->n; i++)
		put_id(w, &l->id[i]);
}

static void get_ids(struct cbor_reader *r, size_t max, struct id_list *l)
{
	l->n = cbor_get_array_len(r, max);
	for (size_t i = 0; i < l->n; i++)
		get_id(r, &l->id[i]);
}

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, NODE_ID_LEN);
}

static bool ids_ascend(const struct id_list *l)
{
	for (size_t i = 1; i < l->n; i++)
		if (compare_ids(&l->id[i - 1], &l->id[i]) >= 0)
			return false;
	return true;
}

void id_list_sort(struct id_list *l)
{
	size_t n = 0;

	qsort(l->id, l->n, sizeof(l->id[0]), compare_ids);
	for (size_t i = 0; i < l->n; i++)
		if (n == 0 || compare_ids(&l->id[n - 1], &l->id[i]) != 0)
			l->id[n++] = l->id[i];
	l->n = n;
}

bool id_list_has(const struct id_list *l, const struct node_id *id)
{
	return bsearch(id, l->id, l->n, sizeof(l->id[0]), compare_ids) != NULL;
}

static void put_server(struct cbor_writer *w, const struct log_server *s)
{
	cbor_put_array(w, 5);
	cbor_put_text(w, s->host);
	cbor_put_uint(w, s->port);
	cbor_put_bytes(w, s->cert, HASH_LEN);
	cbor_put_bytes(w, s->key, HASH_LEN);
	cbor_put_bytes(w, s->order_key, KEY_LEN);
}

static void get_server(struct cbor_reader *r, struct log_server *s)
{
	cbor_get_array(r, 5);
	cbor_get_text_copy(r, s->host, sizeof(s->host));
	s->port = (uint16_t)cbor_get_uint(r, UINT16_MAX);
	cbor_get_bytes_fixed(r, s->cert, HASH_LEN);
	cbor_get_bytes_fixed(r, s->key, HASH_LEN);
	cbor_get_bytes_fixed(r, s->order_key, KEY_LEN);
}

static int check_server(const struct log_server *s, struct err *err)
{
	if (!host_is_normal(s->host) || s->port == 0)
		return entry_malformed(err, "the signaling server's address has the wrong form");
	if (!key_ok(s->order_key))
		return entry_malformed(err, "the signaling server's order key cannot be used");
	return 0;
}

static int check_name(const char *what, const char *name, struct err *err)
{
	struct err why;

	if (label_check(what, name, &why) == 0)
		return 0;
	return refuse(err, -EBADMSG, REFUSAL_NAME_BAD, "%s", why.text);
}

static int check_key(const uint8_t key[KEY_LEN], struct err *err)
{
	return key_ok(key) ? 0 : entry_malformed(err, "a key in it cannot be used");
}

/* --- genesis -------------------------------------------------------------------------------- */

static void put_genesis(struct cbor_writer *w, const struct entry *e)
{
	const struct genesis *g = &e->genesis;

	cbor_put_array(w, 8);
	cbor_put_text(w, g->name);
	cbor_put_array(w, 2);
	cbor_put_uint(w, g->subnet.net);
	cbor_put_uint(w, g->subnet.bits);
	cbor_put_bytes(w, g->key, KEY_LEN);
	cbor_put_text(w, g->node_name);
	cbor_put_uint(w, g->address);
	put_server(w, &g->server);
	cbor_put_bytes(w, g->recovery, HASH_LEN);
	cbor_put_bytes(w, g->random, sizeof(g->random));
}

static void get_genesis(struct cbor_reader *r, struct entry *e)
{
	struct genesis *g = &e->genesis;

	cbor_get_array(r, 8);
	cbor_get_text_copy(r, g->name, sizeof(g->name));
	cbor_get_array(r, 2);
	g->subnet.net = (ip4)cbor_get_uint(r, UINT32_MAX);
	g->subnet.bits = (uint8_t)cbor_get_uint(r, 32);
	cbor_get_bytes_fixed(r, g->key, KEY_LEN);
	cbor_get_text_copy(r, g->node_name, sizeof(g->node_name));
	g->address = (ip4)cbor_get_uint(r, UINT32_MAX);
	get_server(r, &g->server);
	cbor_get_bytes_fixed(r, g->recovery, HASH_LEN);
	cbor_get_bytes_fixed(r, g->random, sizeof(g->random));
}

static int check_genesis(struct entry *e, struct err *err)
{
	const struct genesis *g = &e->genesis;
	struct err why;
	int r;

	if (e->base.seq != 0 || memcmp(e->base.hash, zero_hash, HASH_LEN) != 0)
		return entry_malformed(err, "the first entry names a base");
	r = check_name("cluster name", g->name, err);
	if (r == 0)
		r = check_name("node name", g->node_name, err);
	if (r < 0)
		return r;
	if (overlay_subnet_check(g->subnet, &why) < 0)
		return refuse(err, -EBADMSG, REFUSAL_SUBNET, "%s", why.text);
	if (g->address < prefix4_first(g->subnet) || g->address > prefix4_last(g->subnet))
		return entry_malformed(err, "the first node's address is not in the subnet");
	r = check_key(g->key, err);
	return r < 0 ? r : check_server(&g->server, err);
}

/* --- admit ---------------------------------------------------------------------------------- */

static void put_admit(struct cbor_writer *w, const struct entry *e)
{
	cbor_put_array(w, 4);
	cbor_put_bytes(w, e->admit.key, KEY_LEN);
	cbor_put_text(w, e->admit.node_name);
	cbor_put_bytes(w, e->admit.invite.data, e->admit.invite.len);
	cbor_put_bytes(w, e->admit.invite_sig, SIG_LEN);
}

static void get_admit(struct cbor_reader *r, struct entry *e)
{
	cbor_get_array(r, 4);
	cbor_get_bytes_fixed(r, e->admit.key, KEY_LEN);
	cbor_get_text_copy(r, e->admit.node_name, sizeof(e->admit.node_name));
	e->admit.invite = cbor_get_bytes(r, 1, INVITE_MAX_BYTES);
	cbor_get_bytes_fixed(r, e->admit.invite_sig, SIG_LEN);
}

static int check_admit(struct entry *e, struct err *err)
{
	struct admit *a = &e->admit;
	const struct head *head = &a->invite_decoded.head;
	int r = invite_decode(a->invite, &a->invite_decoded, err);

	if (r < 0)
		return r;
	if (a->invite_decoded.replaces != (a->node_name[0] == '\0'))
		return entry_malformed(err, "it names a node and replaces one, or neither");
	if (!a->invite_decoded.replaces) {
		r = check_name("node name", a->node_name, err);
		if (r < 0)
			return r;
	}
	if (e->base.seq != head->seq || memcmp(e->base.hash, head->hash, HASH_LEN) != 0)
		return entry_malformed(err, "its base is not that of its invite");
	return check_key(a->key, err);
}

/* --- cancel --------------------------------------------------------------------------------- */

static void put_cancel(struct cbor_writer *w, const struct entry *e)
{
	cbor_put_array(w, 2);
	cbor_put_uint(w, e->cancel.what);
	if (e->cancel.what == CANCEL_INVITE)
		cbor_put_bytes(w, e->cancel.nonce, NONCE_LEN);
	else
		cbor_put_bytes(w, e->cancel.hash, HASH_LEN);
}

static void get_cancel(struct cbor_reader *r, struct entry *e)
{
	cbor_get_array(r, 2);
	e->cancel.what = (enum cancel_what)cbor_get_uint(r, CANCEL_REMOVAL);
	if (e->cancel.what == CANCEL_INVITE)
		cbor_get_bytes_fixed(r, e->cancel.nonce, NONCE_LEN);
	else
		cbor_get_bytes_fixed(r, e->cancel.hash, HASH_LEN);
}

/* --- remove --------------------------------------------------------------------------------- */

static void put_remove(struct cbor_writer *w, const struct entry *e)
{
	cbor_put_array(w, 1);
	put_ids(w, &e->remove);
}

static void get_remove(struct cbor_reader *r, struct entry *e)
{
	cbor_get_array(r, 1);
	get_ids(r, REMOVE_IDS_MAX, &e->remove);
}

static int check_remove(struct entry *e, struct err *err)
{
	if (e->remove.n == 0)
		return entry_malformed(err, "it names no member to remove");
	if (!ids_ascend(&e->remove))
		return entry_malformed(err, "its members are not in order");
	return 0;
}

/* --- promote, demote ------------------------------------------------------------------------ */

static void put_promote(struct cbor_writer *w, const struct entry *e)
{
	cbor_put_array(w, 2);
	put_id(w, &e->promote.id);
	cbor_put_bytes(w, e->promote.key_sha256, HASH_LEN);
}

static void get_promote(struct cbor_reader *r, struct entry *e)
{
	cbor_get_array(r, 2);
	get_id(r, &e->promote.id);
	cbor_get_bytes_fixed(r, e->promote.key_sha256, HASH_LEN);
}

static void put_demote(struct cbor_writer *w, const struct entry *e)
{
	cbor_put_array(w, 1);
	put_id(w, &e->demote.id);
}

static void get_demote(struct cbor_reader *r, struct entry *e)
{
	cbor_get_array(r, 1);
	get_id(r, &e->demote.id);
}

/* --- rename, rotate ------------------------------------------------------------------------- */

static void put_rename(struct cbor_writer *w, const struct entry *e)
{
	cbor_put_array(w, 2);
	put_id(w, &e->rename.id);
	cbor_put_text(w, e->rename.name);
}

static void get_rename(struct cbor_reader *r, struct entry *e)
{
	cbor_get_array(r, 2);
	get_id(r, &e->rename.id);
	cbor_get_text_copy(r, e->rename.name, sizeof(e->rename.name));
}

static int check_rename(struct entry *e, struct err *err)
{
	return check_name("node name", e->rename.name, err);
}

static void put_rotate(struct cbor_writer *w, const struct entry *e)
{
	cbor_put_array(w, 1);
	cbor_put_bytes(w, e->rotate.key, KEY_LEN);
}

static void get_rotate(struct cbor_reader *r, struct entry *e)
{
	cbor_get_array(r, 1);
	cbor_get_bytes_fixed(r, e->rotate.key, KEY_LEN);
}

static int check_rotate(struct entry *e, struct err *err)
{
	return check_key(e->rotate.key, err);
}

/* --- signal --------------------------------------------------------------------------------- */

static void put_signal(struct cbor_writer *w, const struct entry *e)
{
	cbor_put_array(w, 1);
	put_server(w, &e->signal);
}

static void get_signal(struct cbor_reader *r, struct entry *e)
{
	cbor_get_array(r, 1);
	get_server(r, &e->signal);
}

static int check_signal(struct entry *e, struct err *err)
{
	return check_server(&e->signal, err);
}

/* --- recover, renew ------------------------------------------------------------------------- */

static void put_recover(struct cbor_writer *w, const struct entry *e)
{
	const struct recover *c = &e->recover;

	cbor_put_array(w, 7);
	cbor_put_bytes(w, c->key, KEY_LEN);
	put_ids(w, &c->admins);
	put_ids(w, &c->removed);
	cbor_put_array(w, c->n_reserved);
	for (size_t i = 0; i < c->n_reserved; i++) {
		cbor_put_array(w, 2);
		cbor_put_text(w, c->reserved[i].name);
		cbor_put_uint(w, c->reserved[i].address);
	}
	cbor_put_bytes(w, c->next, HASH_LEN);
	if (c->has_server)
		put_server(w, &c->server);
	else
		cbor_put_null(w);
	if (c->supersedes.len > 0)
		cbor_put_bytes(w, c->supersedes.data, c->supersedes.len);
	else
		cbor_put_null(w);
}

static void get_recover(struct cbor_reader *r, struct entry *e)
{
	struct recover *c = &e->recover;

	cbor_get_array(r, 7);
	cbor_get_bytes_fixed(r, c->key, KEY_LEN);
	get_ids(r, RECOVER_ADMINS_MAX, &c->admins);
	get_ids(r, RECOVER_REMOVED_MAX, &c->removed);
	c->n_reserved = cbor_get_array_len(r, RECOVER_RESERVED_MAX);
	for (size_t i = 0; i < c->n_reserved; i++) {
		cbor_get_array(r, 2);
		cbor_get_text_copy(r, c->reserved[i].name, sizeof(c->reserved[i].name));
		c->reserved[i].address = (ip4)cbor_get_uint(r, UINT32_MAX);
	}
	cbor_get_bytes_fixed(r, c->next, HASH_LEN);
	c->has_server = !cbor_get_null(r);
	if (c->has_server)
		get_server(r, &c->server);
	if (!cbor_get_null(r))
		c->supersedes = cbor_get_bytes(r, 1, ENTRY_MAX_BYTES);
}

static int check_recover(struct entry *e, struct err *err)
{
	const struct recover *c = &e->recover;
	int r = check_key(c->key, err);

	if (r < 0)
		return r;
	if (c->admins.n == 0)
		return entry_malformed(err, "it leaves the cluster without an admin");
	if (!ids_ascend(&c->admins) || !ids_ascend(&c->removed))
		return entry_malformed(err, "its members are not in order");
	for (size_t i = 0; i < c->admins.n; i++)
		if (id_list_has(&c->removed, &c->admins.id[i]))
			return entry_malformed(err, "it removes one of its admins");
	for (size_t i = 0; i < c->n_reserved; i++) {
		r = check_name("reserved name", c->reserved[i].name, err);
		if (r < 0)
			return r;
		if (i > 0 && strcmp(c->reserved[i - 1].name, c->reserved[i].name) >= 0)
			return entry_malformed(err, "its reserved names are not in order");
	}
	return c->has_server ? check_server(&c->server, err) : 0;
}

static void put_renew(struct cbor_writer *w, const struct entry *e)
{
	cbor_put_array(w, 3);
	cbor_put_bytes(w, e->renew.next, HASH_LEN);
	if (e->renew.by_code) {
		cbor_put_null(w);
		cbor_put_bytes(w, e->renew.key, KEY_LEN);
	} else {
		put_id(w, &e->renew.second);
		cbor_put_null(w);
	}
}

static void get_renew(struct cbor_reader *r, struct entry *e)
{
	cbor_get_array(r, 3);
	cbor_get_bytes_fixed(r, e->renew.next, HASH_LEN);
	e->renew.by_code = cbor_get_null(r);
	if (e->renew.by_code) {
		cbor_get_bytes_fixed(r, e->renew.key, KEY_LEN);
	} else {
		get_id(r, &e->renew.second);
		if (!cbor_get_null(r))
			r->failed = true;
	}
}

static int check_renew(struct entry *e, struct err *err)
{
	if (e->renew.by_code)
		return check_key(e->renew.key, err);
	if (node_id_equal(&e->renew.second, &e->author))
		return entry_malformed(err, "its two admins are one");
	return 0;
}

/* --- the table ------------------------------------------------------------------------------ */

static const struct entry_ops types[ENTRY_TYPES] = {
	[ENTRY_GENESIS] = { "genesis", put_genesis, get_genesis, check_genesis },
	[ENTRY_ADMIT] = { "admit", put_admit, get_admit, check_admit },
	[ENTRY_CANCEL] = { "cancel", put_cancel, get_cancel, NULL },
	[ENTRY_REMOVE] = { "remove", put_remove, get_remove, check_remove },
	[ENTRY_PROMOTE] = { "promote", put_promote, get_promote, NULL },
	[ENTRY_DEMOTE] = { "demote", put_demote, get_demote, NULL },
	[ENTRY_RENAME] = { "rename", put_rename, get_rename, check_rename },
	[ENTRY_ROTATE] = { "rotate", put_rotate, get_rotate, check_rotate },
	[ENTRY_SIGNAL] = { "signal", put_signal, get_signal, check_signal },
	[ENTRY_RECOVER] = { "recover", put_recover, get_recover, check_recover },
	[ENTRY_RENEW] = { "renew", put_renew, get_renew, check_renew },
};

static const struct entry_ops skipped = { "unknown", NULL, NULL, NULL };

const struct entry_ops *entry_ops(unsigned type)
{
	if (type >= ENTRY_SKIPPABLE)
		return &skipped;
	return type > 0 && type < ENTRY_TYPES ? &types[type] : NULL;
}

const char *entry_type_name(unsigned type)
{
	const struct entry_ops *ops = entry_ops(type);

	return ops ? ops->name : "unknown";
}

size_t entry_sig_count(const struct entry *e)
{
	return e->type == ENTRY_ADMIT || e->type == ENTRY_ROTATE ||
			       (e->type == ENTRY_RENEW && !e->renew.by_code)
		       ? 2
		       : 1;
}
