/* SPDX-License-Identifier: MIT */
/* Identities, a cluster and its server from fixed seeds, and a forger. */
#include "log_kit.h"

void kit_seed(unsigned n, uint8_t out[SIGN_SEED_LEN])
{
	uint8_t number[4];

	store_be32(number, n);
	sha256_2(span_str("mlsh test"), span_of(number, 4), out);
}

void kit_key(unsigned n, uint8_t out[KEY_LEN])
{
	uint8_t seed[SIGN_SEED_LEN];

	kit_seed(n, seed);
	ck_assert_int_eq(seed_public(seed, out), 0);
}

struct node_id kit_id(unsigned n)
{
	uint8_t key[KEY_LEN];

	kit_key(n, key);
	return key_node_id(key);
}

struct identity *kit_identity(unsigned n)
{
	uint8_t seed[SIGN_SEED_LEN];
	struct identity *id = NULL;

	kit_seed(n, seed);
	ck_assert_int_eq(identity_from_seed(seed, NULL, &id), 0);
	return id;
}

struct span kit_span(const struct entry_bytes *b)
{
	return span_of(b->data, b->len);
}

struct log_server kit_server(unsigned order)
{
	struct log_server s = { .host = "signal.example.org", .port = 4433 };

	memset(s.cert, 0x11, HASH_LEN);
	memset(s.key, 0x22, HASH_LEN);
	kit_key(order, s.order_key);
	return s;
}

void kit_code_hash(unsigned code, uint8_t ret[HASH_LEN])
{
	uint8_t key[KEY_LEN];

	kit_key(code, key);
	sha256(span_of(key, KEY_LEN), ret);
}

struct genesis kit_genesis(const struct identity *admin)
{
	struct genesis g = {
		.name = "homelab",
		.subnet = { KIT_NET, 16 },
		.node_name = "nas",
		.address = KIT_NET + 1,
		.server = kit_server(KIT_ORDER),
	};

	memcpy(g.key, identity_key(admin), KEY_LEN);
	kit_code_hash(KIT_CODE, g.recovery);
	memset(g.random, 0x44, sizeof(g.random));
	return g;
}

struct mlog *kit_empty_log(void)
{
	static const uint8_t seed[16] = { 1, 2, 3 };
	struct mlog *l = mlog_new(seed);

	ck_assert_ptr_nonnull(l);
	return l;
}

ip4 kit_next_address(const struct mlog *l)
{
	return roster_highest_address(mlog_roster(l)) + 1;
}

int kit_check_invite(const struct mlog *l, struct span invite, const uint8_t sig[SIG_LEN],
		     uint64_t now_s, struct invite *ret, struct err *err)
{
	int r = invite_decode(invite, ret, err);

	return r < 0 ? r : rule_invite(l, ret, invite, sig, now_s, false, err);
}

int kit_order_at(const struct kit *k, struct mlog *l, struct span entry, ip4 address,
		 struct err *err)
{
	uint8_t seed[SIGN_SEED_LEN], key[KEY_LEN];
	struct ordering by = { k->now_s, address, seed, key };
	struct entry e;
	int r = entry_decode(entry, &e, err);

	kit_seed(k->order, seed);
	kit_key(k->order, key);
	return r < 0 ? r : mlog_order(l, &e, entry, &by, err);
}

int kit_order(const struct kit *k, struct mlog *l, struct span entry, struct err *err)
{
	return kit_order_at(k, l, entry, kit_next_address(l), err);
}

void kit_append(struct kit *k, const struct entry_bytes *b)
{
	struct err err = { .code = 0 };
	int r = kit_order(k, k->log, kit_span(b), &err);

	ck_assert_msg(r == 0, "%d: %s", r, err.text);
	mlog_commit(k->log);
}

struct kit kit_open(void)
{
	struct kit k = { kit_identity(0), kit_empty_log(), KIT_TIME, KIT_ORDER };
	struct genesis g = kit_genesis(k.admin);
	struct entry_bytes b;

	ck_assert_int_eq(genesis_make(&g, k.now_s, identity_signer(k.admin), &b, NULL), 0);
	ck_assert_int_eq(mlog_found(k.log, kit_span(&b), NULL), 0);
	mlog_commit(k.log);
	return k;
}

void kit_close(struct kit *k)
{
	mlog_free(k->log);
	identity_free(k->admin);
}

/* --- invites and admits --------------------------------------------------------------------- */

struct kit_invite kit_invite_fields(const struct kit *k, unsigned n)
{
	struct kit_invite i = { .len = 0 };

	kit_seed(KIT_ONE_TIME + n, i.one_time);
	ck_assert_int_eq(seed_public(i.one_time, i.inv.key), 0);
	memcpy(i.inv.cluster_id, mlog_cluster_id(k->log), HASH_LEN);
	strcpy(i.inv.cluster_name, "homelab");
	i.inv.sponsor = identity_node_id(k->admin);
	i.inv.issued = k->now_s;
	i.inv.expiry = k->now_s + 3600;
	store_be32(i.inv.nonce, n);
	i.inv.head = mlog_head(k->log);
	memset(i.inv.signal_key, 0x11, HASH_LEN);
	return i;
}

void kit_invite_sign(struct kit_invite *i, const struct identity *signer)
{
	struct err err = { .code = 0 };
	int r = invite_make(&i->inv, identity_signer(signer), i->bytes, &i->len, i->sig, &err);

	ck_assert_msg(r == 0, "%s", err.text);
}

struct kit_invite kit_invite(const struct kit *k, unsigned n)
{
	struct kit_invite i = kit_invite_fields(k, n);

	kit_invite_sign(&i, k->admin);
	return i;
}

struct kit_invite kit_invite_replace(const struct kit *k, unsigned n, struct node_id old)
{
	struct kit_invite i = kit_invite_fields(k, n);

	i.inv.replaces = true;
	i.inv.replace = old;
	kit_invite_sign(&i, k->admin);
	return i;
}

struct entry_bytes kit_admit(const struct kit *k, const struct kit_invite *i, unsigned n)
{
	struct identity *joiner = kit_identity(n);
	struct entry_bytes b = { .len = 0 };
	struct err err = { .code = 0 };
	char name[32] = "";
	int r;

	if (!i->inv.replaces)
		snprintf(name, sizeof(name), "node%u", n);
	r = admit_make(k->now_s, identity_signer(joiner), name, span_of(i->bytes, i->len), i->sig,
		       i->one_time, &b, &err);
	ck_assert_msg(r == 0, "%s", err.text);
	identity_free(joiner);
	return b;
}

void kit_join(struct kit *k, unsigned n)
{
	struct kit_invite i = kit_invite(k, n);
	struct entry_bytes b = kit_admit(k, &i, n);

	kit_append(k, &b);
}

struct kit kit_open_with(unsigned joins)
{
	struct kit k = kit_open();

	for (unsigned n = 1; n <= joins; n++)
		kit_join(&k, n);
	return k;
}

const struct member *kit_member(const struct kit *k, unsigned n)
{
	struct node_id id = kit_id(n);

	return roster_by_id(mlog_roster(k->log), &id, ROSTER_ALL);
}

/* --- the other types ------------------------------------------------------------------------ */

struct entry kit_entry(const struct kit *k, unsigned type, unsigned n)
{
	return (struct entry){
		.type = type, .time_s = k->now_s, .author = kit_id(n), .base = mlog_head(k->log)
	};
}

struct entry_bytes kit_sign(const struct kit *k, const struct entry *e, unsigned author,
			    unsigned consent)
{
	uint8_t seeds[2][SIGN_SEED_LEN];
	struct signer signers[2] = { { .seed = seeds[0] }, { .seed = seeds[1] } };
	struct entry_bytes b;
	struct err err = { .code = 0 };
	int r;

	kit_seed(author, seeds[0]);
	kit_seed(consent, seeds[1]);
	r = entry_make(e, mlog_cluster_id(k->log), &signers[0], consent ? &signers[1] : NULL, &b,
		       &err);
	ck_assert_msg(r == 0, "%s", err.text);
	return b;
}

struct entry_bytes kit_cancel(const struct kit *k, const uint8_t nonce[NONCE_LEN])
{
	struct entry e = kit_entry(k, ENTRY_CANCEL, 0);

	memcpy(e.cancel.nonce, nonce, NONCE_LEN);
	return kit_sign(k, &e, 0, 0);
}

struct entry_bytes kit_remove(const struct kit *k, unsigned author, unsigned whom)
{
	struct entry e = kit_entry(k, ENTRY_REMOVE, author);

	e.remove.id[e.remove.n++] = kit_id(whom);
	return kit_sign(k, &e, author, 0);
}

struct entry_bytes kit_promote(const struct kit *k, unsigned author, unsigned whom)
{
	struct entry e = kit_entry(k, ENTRY_PROMOTE, author);
	uint8_t key[KEY_LEN];

	kit_key(whom, key);
	key_spki_sha256(key, e.promote.key_sha256);
	e.promote.id = kit_id(whom);
	return kit_sign(k, &e, author, 0);
}

struct entry_bytes kit_demote(const struct kit *k, unsigned author, unsigned whom)
{
	struct entry e = kit_entry(k, ENTRY_DEMOTE, author);

	e.demote.id = kit_id(whom);
	return kit_sign(k, &e, author, 0);
}

struct entry_bytes kit_rename(const struct kit *k, unsigned author, unsigned whom, const char *name)
{
	struct entry e = kit_entry(k, ENTRY_RENAME, author);

	e.rename.id = kit_id(whom);
	strcpy(e.rename.name, name);
	return kit_sign(k, &e, author, 0);
}

struct entry_bytes kit_rotate(const struct kit *k, unsigned n, unsigned old, unsigned key)
{
	struct entry e = kit_entry(k, ENTRY_ROTATE, n);

	kit_key(key, e.rotate.key);
	return kit_sign(k, &e, old, key);
}

struct entry_bytes kit_signal(const struct kit *k, unsigned author, unsigned order)
{
	struct entry e = kit_entry(k, ENTRY_SIGNAL, author);

	e.signal = kit_server(order);
	return kit_sign(k, &e, author, 0);
}

struct entry_bytes kit_renew(const struct kit *k, unsigned author, unsigned second, unsigned next)
{
	struct entry e = kit_entry(k, ENTRY_RENEW, author);

	kit_code_hash(next, e.renew.next);
	e.renew.second = kit_id(second);
	return kit_sign(k, &e, author, second);
}

struct entry kit_recover_fields(const struct kit *k, unsigned code, unsigned next, unsigned n)
{
	struct entry e = kit_entry(k, ENTRY_RECOVER, code);

	kit_key(code, e.recover.key);
	kit_code_hash(next, e.recover.next);
	e.recover.admins.id[e.recover.admins.n++] = kit_id(n);
	return e;
}

struct entry_bytes kit_recover(const struct kit *k, unsigned code, unsigned next, unsigned n)
{
	struct entry e = kit_recover_fields(k, code, next, n);

	return kit_sign(k, &e, code, 0);
}

struct entry_bytes kit_recover_again(const struct kit *k, unsigned code, unsigned next, unsigned n,
				     const struct entry_bytes *earlier)
{
	struct entry e = kit_recover_fields(k, code, next, n);

	e.recover.supersedes = span_of(earlier->data, earlier->len);
	return kit_sign(k, &e, code, 0);
}

/* --- the forger ----------------------------------------------------------------------------- */

struct entry_bytes kit_forge_for(const struct entry *e, const char *purpose,
				 const uint8_t cluster_id[HASH_LEN], unsigned author,
				 unsigned consent)
{
	uint8_t payload[ENTRY_MAX_BYTES], sigs[ENTRY_SIGS_MAX][SIG_LEN], seed[SIGN_SEED_LEN];
	const uint8_t *list[ENTRY_SIGS_MAX] = { sigs[0], sigs[1] };
	struct cbor_writer w = cbor_writer_of(payload, sizeof(payload));
	struct entry_bytes b;
	struct span s;

	entry_put_payload(&w, e);
	s = cbor_writer_span(&w);
	kit_seed(author, seed);
	ck_assert_int_eq(seed_sign(seed, purpose, cluster_id, s, sigs[0]), 0);
	kit_seed(consent, seed);
	ck_assert_int_eq(seed_sign(seed, SIGN_CONSENT, cluster_id, s, sigs[1]), 0);
	w = cbor_writer_of(b.data, sizeof(b.data));
	entry_put(&w, s, list, entry_sig_count(e));
	b.len = cbor_writer_span(&w).len;
	ck_assert_uint_gt(b.len, 0);
	return b;
}

struct entry_bytes kit_forge(const struct kit *k, const struct entry *e, unsigned author,
			     unsigned consent)
{
	return kit_forge_for(e, SIGN_ENTRY, mlog_cluster_id(k->log), author, consent);
}

void kit_refused_(const struct kit *k, struct span entry, int code, int reason, const char *where,
		  int line)
{
	struct head before = mlog_head(k->log), after;
	size_t members = roster_count(mlog_roster(k->log), ROSTER_CURRENT);
	struct err err = { .code = 0 };
	int r = kit_order(k, k->log, entry, &err);

	ck_assert_msg(r == code && err.code == code && err.reason == reason, "%s:%d: %d, %s: %s",
		      where, line, r, refusal_name(err.reason), err.text);
	ck_assert_uint_gt(strlen(err.text), 10);
	after = mlog_head(k->log);
	ck_assert_mem_eq(&before, &after, sizeof(before));
	ck_assert_uint_eq(roster_count(mlog_roster(k->log), ROSTER_CURRENT), members);
}

/* --- records -------------------------------------------------------------------------------- */

struct record_bytes kit_record(const struct kit *k, struct span entry, ip4 address, unsigned order)
{
	return kit_record_as(k, entry,
			     (struct order){ .generation = mlog_generation(k->log),
					     .time_s = k->now_s,
					     .address = address },
			     order);
}

struct record_bytes kit_record_as(const struct kit *k, struct span entry, struct order as,
				  unsigned order)
{
	struct head head = mlog_head(k->log);
	struct record r = { .entry = entry, .order = as };
	uint8_t seed[SIGN_SEED_LEN], receipt[SIG_LEN];
	struct record_bytes b;

	r.order.seq = head.seq + 1;
	memcpy(r.order.prev, head.hash, HASH_LEN);
	sha256(entry, r.entry_hash);
	kit_seed(order, seed);
	ck_assert_int_eq(receipt_make(seed, mlog_cluster_id(k->log), &r.order, r.entry_hash,
				      receipt),
			 0);
	r.receipt = receipt;
	ck_assert_int_eq(record_encode(&r, &b), 0);
	return b;
}

struct span kit_record_span(const struct record_bytes *b)
{
	return span_of(b->data, b->len);
}

struct mlog *kit_copy(const struct mlog *from, uint64_t n)
{
	struct mlog *l = kit_empty_log();

	for (uint64_t seq = 0; seq < n; seq++) {
		struct err err = { .code = 0 };

		ck_assert_msg(mlog_reload(l, mlog_record(from, seq), &err) == 0, "%s", err.text);
	}
	mlog_commit(l);
	return l;
}
