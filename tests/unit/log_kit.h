/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the membership log share: identities from fixed seeds, a cluster "homelab" with
 * its first admin "nas", and a forger that signs whatever it is given.
 */
#ifndef MLSH_TESTS_LOG_KIT_H
#define MLSH_TESTS_LOG_KIT_H

#include "membership/internal.h"
#include "unit.h"

#define KIT_TIME 1800000000u /* of genesis */
#define KIT_NET 0x64600000u  /* 100.96.0.0/16 */

/* SHA-256("mlsh test" || n as four bytes, most significant first): node n's private key. */
static inline void kit_seed(unsigned n, uint8_t out[SIGN_SEED_LEN])
{
	uint8_t number[4];

	store_be32(number, n);
	sha256_2(span_str("mlsh test"), span_of(number, 4), out);
}

static inline struct identity *kit_identity(unsigned n)
{
	uint8_t seed[SIGN_SEED_LEN];
	struct identity *id = NULL;

	kit_seed(n, seed);
	ck_assert_int_eq(identity_from_seed(seed, NULL, &id), 0);
	return id;
}

static inline struct span kit_span(const struct entry_bytes *b)
{
	return span_of(b->data, b->len);
}

static inline struct genesis kit_genesis(const struct identity *admin)
{
	struct genesis g = {
		.name = "homelab",
		.subnet = { KIT_NET, 16 },
		.node_name = "nas",
		.address = KIT_NET + 1,
		.signal_host = "signal.example.org",
		.signal_port = 4433,
	};

	memcpy(g.key, identity_key(admin), KEY_LEN);
	memset(g.signal_cert, 0x11, HASH_LEN);
	memset(g.signal_key, 0x22, HASH_LEN);
	memset(g.recovery, 0x33, HASH_LEN);
	memset(g.random, 0x44, sizeof(g.random));
	return g;
}

struct kit {
	struct identity *admin; /* node 0 */
	struct mlog *log;
	uint64_t now_s;
};

static inline struct mlog *kit_empty_log(void)
{
	static const uint8_t seed[16] = { 1, 2, 3 };
	struct mlog *l = mlog_new(seed);

	ck_assert_ptr_nonnull(l);
	return l;
}

static inline void kit_append(struct mlog *l, const struct entry_bytes *b)
{
	struct err err = { .code = 0 };
	int r = mlog_append(l, kit_span(b), &err);

	ck_assert_msg(r == 0, "%d: %s", r, err.text);
}

/* A log with genesis. */
static inline struct kit kit_open(void)
{
	struct kit k = { kit_identity(0), kit_empty_log(), KIT_TIME };
	struct genesis g = kit_genesis(k.admin);
	struct entry_bytes b;

	ck_assert_int_eq(genesis_make(&g, k.now_s, k.admin, &b, NULL), 0);
	kit_append(k.log, &b);
	return k;
}

static inline void kit_close(struct kit *k)
{
	mlog_free(k->log);
	identity_free(k->admin);
}

struct kit_invite {
	struct invite inv;
	uint8_t bytes[INVITE_MAX_BYTES];
	size_t len;
	uint8_t sig[SIG_LEN];
	uint8_t one_time[SIGN_SEED_LEN];
};

/* The fields of invite n of the admin, good for an hour, not yet signed. */
static inline struct kit_invite kit_invite_fields(const struct kit *k, unsigned n)
{
	struct kit_invite i = { .len = 0 };

	kit_seed(1000000 + n, i.one_time);
	ck_assert_int_eq(seed_public(i.one_time, i.inv.key), 0);
	memcpy(i.inv.cluster_id, mlog_cluster_id(k->log), HASH_LEN);
	strcpy(i.inv.cluster_name, "homelab");
	i.inv.sponsor = identity_node_id(k->admin);
	i.inv.issued = k->now_s;
	i.inv.expiry = k->now_s + 3600;
	store_be32(i.inv.nonce, n);
	i.inv.head = mlog_head(k->log);
	memset(i.inv.signal_cert, 0x11, HASH_LEN);
	return i;
}

static inline void kit_invite_sign(struct kit_invite *i, const struct identity *signer)
{
	struct err err = { .code = 0 };
	int r = invite_make(&i->inv, signer, i->bytes, &i->len, i->sig, &err);

	ck_assert_msg(r == 0, "%s", err.text);
}

static inline struct kit_invite kit_invite(const struct kit *k, unsigned n)
{
	struct kit_invite i = kit_invite_fields(k, n);

	kit_invite_sign(&i, k->admin);
	return i;
}

/* The admit entry of node n, named "node<n>", at the next place and address. */
static inline struct entry_bytes kit_admit(const struct kit *k, const struct kit_invite *i,
					   unsigned n)
{
	struct identity *joiner = kit_identity(n);
	struct head head = mlog_head(k->log);
	struct entry_bytes b = { .len = 0 };
	struct err err = { .code = 0 };
	char name[32];
	int r;

	snprintf(name, sizeof(name), "node%u", n);
	r = admit_make(&head, k->now_s, joiner, name, mlog_next_address(k->log),
		       mlog_cluster_id(k->log), span_of(i->bytes, i->len), i->sig, i->one_time, &b,
		       &err);
	ck_assert_msg(r == 0, "%s", err.text);
	identity_free(joiner);
	return b;
}

static inline void kit_join(struct kit *k, unsigned n)
{
	struct kit_invite i = kit_invite(k, n);
	struct entry_bytes b = kit_admit(k, &i, n);

	kit_append(k->log, &b);
}

static inline struct entry_bytes kit_cancel(const struct kit *k, const uint8_t nonce[NONCE_LEN])
{
	struct head head = mlog_head(k->log);
	struct entry_bytes b;

	ck_assert_int_eq(cancel_make(&head, k->now_s, k->admin, mlog_cluster_id(k->log), nonce, &b,
				     NULL),
			 0);
	return b;
}

/* --- the forger ----------------------------------------------------------------------------- */

/*
 * Signs the fields of `e` with these nodes' keys (or one-time keys, from 1000000), no check at
 * all.
 */
struct kit_forgery {
	const char *purpose;
	const uint8_t *cluster_id;
	const uint8_t *seeds[ENTRY_SIGS_MAX];
};

static inline struct entry_bytes kit_forge(const struct entry *e, const struct kit_forgery *f)
{
	uint8_t payload[ENTRY_MAX_BYTES], sigs[ENTRY_SIGS_MAX][SIG_LEN];
	const uint8_t *list[ENTRY_SIGS_MAX] = { sigs[0], sigs[1] };
	struct cbor_writer w = cbor_writer_of(payload, sizeof(payload));
	struct entry_bytes b;
	struct span s;

	entry_put_payload(&w, e);
	s = cbor_writer_span(&w);
	for (size_t i = 0; i < entry_sig_count(e->type); i++)
		ck_assert_int_eq(seed_sign(f->seeds[i], f->purpose, f->cluster_id, s, sigs[i]), 0);
	w = cbor_writer_of(b.data, sizeof(b.data));
	entry_put(&w, s, list, entry_sig_count(e->type));
	b.len = cbor_writer_span(&w).len;
	ck_assert_uint_gt(b.len, 0);
	return b;
}

/* The log refuses it, with this code and reason, says why, and is not changed. */
static inline void kit_refused_(struct mlog *l, struct span entry, int code, int reason,
				const char *where, int line)
{
	struct head before = mlog_head(l), after;
	size_t count = mlog_count(l), members = roster_count(mlog_roster(l), ROSTER_CURRENT);
	ip4 next = mlog_next_address(l);
	struct err err = { .code = 0 }, check_err = { .code = 0 };
	int check = mlog_check(l, entry, &check_err), r = mlog_append(l, entry, &err);

	ck_assert_msg(r == code && err.code == code && err.reason == reason, "%s:%d: %d, %s: %s",
		      where, line, r, refusal_name(err.reason), err.text);
	ck_assert_int_eq(check, r);
	ck_assert_int_eq(check_err.reason, err.reason);
	ck_assert_uint_gt(strlen(err.text), 10);
	after = mlog_head(l);
	ck_assert_mem_eq(&before, &after, sizeof(before));
	ck_assert_uint_eq(mlog_count(l), count);
	ck_assert_uint_eq(roster_count(mlog_roster(l), ROSTER_CURRENT), members);
	ck_assert_uint_eq(mlog_next_address(l), next);
}

#define kit_refused(l, entry, code, reason) kit_refused_(l, entry, code, reason, __FILE__, __LINE__)

#endif
