/* SPDX-License-Identifier: MIT */
/* The request for a new recovery code, and the second admin's consent to it. */
#include "client/renewal.h"

#include <stdio.h>

#include "client/refuse.h"
#include "crypto/hash.h"
#include "identity/identity.h"
#include "proto/cbor.h"

#define VERSION 1
#define BYTES_MAX 288 /* 230 are the most: a half entry has up to 192 */

static const char prefix[] = "mlsh-renew:";

_Static_assert(sizeof(prefix) + BASE64URL_LEN(BYTES_MAX) <= RENEWAL_TEXT_MAX, "the text has room");

/* --- the request ------------------------------------------------------------------------------ */

static int check_admin(const struct govern *g, const struct member *m, struct err *err)
{
	if (m->role == ROLE_ADMIN && member_is_current(m))
		return 0;
	return refuse(err, 0, REFUSAL_NOT_ALLOWED, "%s is not an admin of %s", m->name,
		      mlog_genesis(g->log)->name);
}

static int check_asked(const struct govern *g, const struct member *self,
		       const struct member *second, struct err *err)
{
	int r = check_admin(g, self, err);

	if (r == 0 && roster_admins(mlog_roster(g->log)) < 2)
		r = refuse(err, 0, REFUSAL_NOT_ALLOWED,
			   "%s has one admin only, and it takes two to renew a recovery code "
			   "without it: promote another node first",
			   mlog_genesis(g->log)->name);
	if (r == 0 && second == self)
		r = refuse(err, 0, REFUSAL_NOT_ALLOWED,
			   "%s is this machine: it takes another admin", self->name);
	return r < 0 ? r : check_admin(g, second, err);
}

int renewal_ask(const struct govern *g, const struct member *second, const uint8_t next[KEY_LEN],
		struct renewal *ret, struct err *err)
{
	struct entry e = { .type = ENTRY_RENEW,
			   .time_s = MAX(g->now_s, mlog_last_time_s(g->log)),
			   .base = mlog_head(g->log) };
	const struct member *self;
	int r = govern_self(g, &self, err);

	if (r == 0)
		r = check_asked(g, self, second, err);
	if (r < 0)
		return r;
	e.author = self->id;
	e.renew.second = second->id;
	sha256(span_of(next, KEY_LEN), e.renew.next);
	memcpy(ret->cluster_id, mlog_cluster_id(g->log), HASH_LEN);
	return entry_make_half(&e, ret->cluster_id, identity_signer(g->identity), &ret->half, err);
}

/* --- its text --------------------------------------------------------------------------------- */

void renewal_format(const struct renewal *r, char ret[RENEWAL_TEXT_MAX])
{
	uint8_t bytes[BYTES_MAX];
	struct cbor_writer w = cbor_writer_of(bytes, sizeof(bytes));
	struct span made;

	cbor_put_array(&w, 3);
	cbor_put_uint(&w, VERSION);
	cbor_put_bytes(&w, r->cluster_id, HASH_LEN);
	cbor_put_bytes(&w, r->half.data, r->half.len);
	made = cbor_writer_span(&w);
	memcpy(ret, prefix, sizeof(prefix) - 1);
	base64url_encode(made.data, made.len, ret + sizeof(prefix) - 1);
}

static int damaged(struct err *err)
{
	return err_set(err, -EBADMSG,
		       "this is not the whole request of another admin: copy the line again, from "
		       "\"%s\" to its end",
		       prefix);
}

int renewal_parse(const char *text, struct renewal *ret, struct err *err)
{
	uint8_t bytes[BYTES_MAX];
	size_t len = strlen(text), head = sizeof(prefix) - 1;
	struct cbor_reader r;
	struct span half;
	struct entry e;
	ptrdiff_t n;

	if (len <= head || memcmp(text, prefix, head) != 0)
		return damaged(err);
	n = base64url_decode(text + head, len - head, bytes, sizeof(bytes));
	if (n <= 0)
		return damaged(err);
	if (cbor_file_version(span_of(bytes, (size_t)n)) > VERSION)
		return err_set(err, -EPROTONOSUPPORT,
			       "the request was made by a newer mlsh: upgrade this one");
	r = cbor_reader_of(span_of(bytes, (size_t)n));
	cbor_get_array(&r, 3);
	if (cbor_get_uint(&r, UINT32_MAX) != VERSION)
		return damaged(err);
	cbor_get_bytes_fixed(&r, ret->cluster_id, HASH_LEN);
	half = cbor_get_bytes(&r, 1, BYTES_MAX);
	if (cbor_reader_end(&r) < 0 || entry_decode_half(half, &e, NULL) < 0 ||
	    e.type != ENTRY_RENEW)
		return damaged(err);
	memcpy(ret->half.data, half.data, half.len);
	ret->half.len = half.len;
	return 0;
}

/* --- the consent ------------------------------------------------------------------------------ */

static int read_half(const struct renewal *r, struct entry *ret, struct err *err)
{
	return entry_decode_half(span_of(r->half.data, r->half.len), ret, err);
}

static int check_mine(const struct govern *g, const struct renewal *r, const struct entry *e,
		      struct err *err)
{
	const char *cluster = mlog_genesis(g->log)->name;
	const struct member *self, *second;
	int x;

	if (memcmp(r->cluster_id, mlog_cluster_id(g->log), HASH_LEN) != 0)
		return refuse(err, 0, REFUSAL_WRONG_CLUSTER, "the request is not of cluster %s",
			      cluster);
	x = govern_self(g, &self, err);
	if (x < 0 || node_id_equal(&e->renew.second, &self->id))
		return x;
	second = roster_by_id(mlog_roster(g->log), &e->renew.second, ROSTER_ALL);
	return refuse(err, 0, REFUSAL_NOT_ALLOWED, "the request is for %s, not for this machine",
		      second ? second->name : "another admin");
}

int renewal_author(const struct govern *g, const struct renewal *r, const struct member **ret,
		   struct err *err)
{
	struct entry e;
	int x = read_half(r, &e, err);

	if (x == 0)
		x = check_mine(g, r, &e, err);
	if (x < 0)
		return x;
	*ret = roster_by_id(mlog_roster(g->log), &e.author, ROSTER_ALL);
	if (e.base.seq >= mlog_count(g->log))
		return refuse(err, 0, REFUSAL_STALE,
			      "the request builds on record %llu, and this machine knows %llu "
			      "of the log: connect it, and try again",
			      (unsigned long long)e.base.seq,
			      (unsigned long long)mlog_count(g->log) - 1);
	if (!*ret)
		return refuse(err, 0, REFUSAL_NOT_MEMBER,
			      "the request was made by a node that %s does not know",
			      mlog_genesis(g->log)->name);
	return 0;
}

static int replaced(const struct govern *g, uint64_t seq, struct err *err)
{
	const char *cluster = mlog_genesis(g->log)->name;

	return refuse(err, 0, REFUSAL_RECOVERY_CODE,
		      "the request was carried out (record %llu), and another code has taken the "
		      "place of that one since: `mlsh log %s` shows it",
		      (unsigned long long)seq, cluster);
}

int renewal_consent(const struct govern *g, const struct renewal *r, struct entry_bytes *ret,
		    struct err *err)
{
	struct entry half, whole;
	uint64_t seq;
	int x = read_half(r, &half, err);

	if (x == 0)
		x = check_mine(g, r, &half, err);
	if (x < 0)
		return x;
	seq = mlog_find(g->log, half.payload_hash);
	if (seq != 0)
		return mlog_recovery_is(g->log, half.renew.next) ? GOVERN_DONE
								 : replaced(g, seq, err);
	x = entry_consent(&half, r->cluster_id, identity_signer(g->identity), ret, err);
	if (x == 0)
		x = entry_decode(span_of(ret->data, ret->len), &whole, err);
	return x < 0 ? x
		     : mlog_would_order(g->log, &whole, MAX(g->now_s, mlog_last_time_s(g->log)),
					err);
}
