/* SPDX-License-Identifier: MIT */
/* Steps of raw clients: greet, found, join, adopt, recover. */
#include "signal_steps.h"

uint64_t raw_now_s(const struct raw *r)
{
	return (uint64_t)clock_wall_s(r->h);
}

struct entry raw_entry(const struct raw *r, enum entry_type type)
{
	struct node_id id = identity_node_id(r->id);

	return (struct entry){
		.type = type, .time_s = raw_now_s(r), .author = id, .base = mlog_head(r->log)
	};
}

struct entry_bytes raw_sign(const struct raw *r, const struct entry *e)
{
	struct signer signer = *identity_signer(r->id);
	struct err err = { .code = 0 };
	struct entry_bytes b;
	int rc = entry_make(e, r->cluster_id, &signer, NULL, &b, &err);

	ck_assert_msg(rc == 0, "%s", err.text);
	return b;
}

enum refusal raw_hello(struct raw *r, const uint8_t cluster_id[HASH_LEN],
		       struct signal_reply *reply)
{
	struct signal_request rq = { .type = SIGNAL_HELLO, .agent = span_str("raw/1") };

	memcpy(rq.cluster_id, cluster_id, HASH_LEN);
	return raw_ask(r, &rq, reply);
}

void raw_greet(struct raw *r)
{
	struct signal_reply reply;

	raw_connect(r);
	ck_assert_int_eq(raw_hello(r, r->cluster_id, &reply), REFUSAL_NONE);
}

/* --- setup --- */

enum refusal raw_offer(struct raw *r, const char *code, const char *subnet,
		       struct signal_reply *reply)
{
	struct signal_request rq = { .type = SIGNAL_SETUP_OFFER, .code = span_str(code) };

	if (subnet) {
		rq.has_subnet = true;
		ck_assert_int_eq(prefix4_parse(subnet, &rq.subnet, NULL), 0);
	}
	if (raw_ask(r, &rq, reply) == REFUSAL_NONE)
		memcpy(r->g->order_key, reply->order_key, KEY_LEN);
	return reply->refusal;
}

void raw_code_hash(const uint8_t code[SIGN_SEED_LEN], uint8_t ret[HASH_LEN])
{
	uint8_t key[KEY_LEN];

	ck_assert_int_eq(seed_public(code, key), 0);
	sha256(span_of(key, sizeof(key)), ret);
}

struct genesis raw_genesis(struct raw *r, const char *name, struct prefix4 subnet, ip4 address)
{
	struct genesis x = { .subnet = subnet,
			     .address = address,
			     .node_name = "nas",
			     .server = { .host = "signal.example", .port = SIGNAL_PORT } };

	snprintf(x.name, sizeof(x.name), "%s", name);
	memcpy(x.key, identity_key(r->id), KEY_LEN);
	memcpy(x.server.cert, r->g->cert, HASH_LEN);
	memcpy(x.server.key, quic_conn_peer_key_sha256(r->c), HASH_LEN);
	memcpy(x.server.order_key, r->g->order_key, KEY_LEN);
	random_fill(r->h, r->code, sizeof(r->code));
	raw_code_hash(r->code, x.recovery);
	random_fill(r->h, x.random, sizeof(x.random));
	return x;
}

struct entry_bytes raw_genesis_sign(struct raw *r, const struct genesis *x)
{
	struct entry_bytes b;
	struct err err = { .code = 0 };
	int rc = genesis_make(x, raw_now_s(r), identity_signer(r->id), &b, &err);

	ck_assert_msg(rc == 0, "%s", err.text);
	return b;
}

enum refusal raw_setup_send(struct raw *r, const char *code, const struct entry_bytes *genesis,
			    struct signal_reply *reply)
{
	struct signal_request rq = { .type = SIGNAL_SETUP,
				     .code = span_str(code),
				     .entry = span_of(genesis->data, genesis->len) };

	return raw_ask(r, &rq, reply);
}

void raw_founded(struct raw *r, const struct entry_bytes *genesis, const struct signal_reply *reply)
{
	static const uint8_t seed[16];

	r->log = mlog_new(seed);
	ck_assert_int_eq(mlog_found(r->log, span_of(genesis->data, genesis->len), NULL), 0);
	mlog_commit(r->log);
	memcpy(r->cluster_id, mlog_cluster_id(r->log), HASH_LEN);
	memcpy(r->token, reply->node_token, HASH_LEN);
	r->address = mlog_genesis(r->log)->address;
}

void raw_setup(struct raw *r, const char *code, const char *name, const char *subnet)
{
	struct signal_reply reply;
	struct entry_bytes b;
	struct genesis x;

	raw_greet(r);
	ck_assert_int_eq(raw_offer(r, code, subnet, &reply), REFUSAL_NONE);
	x = raw_genesis(r, name, reply.subnet, reply.address);
	b = raw_genesis_sign(r, &x);
	ck_assert_int_eq(raw_setup_send(r, code, &b, &reply), REFUSAL_NONE);
	raw_founded(r, &b, &reply);
}

/* --- adopt --- */

struct raw_invite raw_invite_fields(struct raw *sponsor, uint64_t ttl_s)
{
	struct raw_invite i = { .len = 0 };

	random_fill(sponsor->h, i.one_time, sizeof(i.one_time));
	random_fill(sponsor->h, i.inv.nonce, sizeof(i.inv.nonce));
	ck_assert_int_eq(seed_public(i.one_time, i.inv.key), 0);
	memcpy(i.inv.cluster_id, sponsor->cluster_id, HASH_LEN);
	strcpy(i.inv.cluster_name, mlog_genesis(sponsor->log)->name);
	i.inv.sponsor = identity_node_id(sponsor->id);
	i.inv.issued = raw_now_s(sponsor);
	i.inv.expiry = i.inv.issued + ttl_s;
	i.inv.head = mlog_head(sponsor->log);
	memcpy(i.inv.signal_key, quic_conn_peer_key_sha256(sponsor->c), HASH_LEN);
	return i;
}

void raw_invite_sign(struct raw_invite *i, const struct raw *signer)
{
	ck_assert_int_eq(invite_make(&i->inv, identity_signer(signer->id), i->bytes, &i->len,
				     i->sig, NULL),
			 0);
}

struct raw_invite raw_invite(struct raw *sponsor)
{
	struct raw_invite i = raw_invite_fields(sponsor, 3600);

	raw_invite_sign(&i, sponsor);
	return i;
}

void raw_fetch(struct raw *r)
{
	static const uint8_t seed[16];
	struct signal_request rq = { .type = SIGNAL_LOG };
	struct signal_reply reply;

	if (!r->log)
		r->log = mlog_new(seed);
	do {
		rq.generation = mlog_generation(r->log);
		rq.from = mlog_count(r->log);
		ck_assert_int_eq(raw_ask(r, &rq, &reply), REFUSAL_NONE);
		ck_assert_uint_le(reply.first, rq.from);
		raw_take(r, &reply.entries);
	} while (reply.entries.n > 0);
	ck_assert_uint_eq(reply.head.seq + 1, mlog_count(r->log));
	ck_assert_uint_eq(reply.head.generation, mlog_generation(r->log));
	r->log_gap = false;
}

struct entry_bytes raw_admit_entry(struct raw *r, const struct raw_invite *i, const char *name)
{
	struct entry_bytes b;
	struct err err = { .code = 0 };
	int rc = admit_make(raw_now_s(r), identity_signer(r->id), name, span_of(i->bytes, i->len),
			    i->sig, i->one_time, &b, &err);

	ck_assert_msg(rc == 0, "%s", err.text);
	return b;
}

enum refusal raw_admit(struct raw *r, const struct entry_bytes *b, struct signal_reply *reply)
{
	struct signal_request rq = { .type = SIGNAL_ADMIT, .entry = span_of(b->data, b->len) };

	return raw_ask(r, &rq, reply);
}

void raw_adopt_begin(struct raw *r, const struct raw_invite *i)
{
	memcpy(r->cluster_id, i->inv.cluster_id, HASH_LEN);
	raw_greet(r);
}

void raw_admitted(struct raw *r, const struct signal_reply *reply)
{
	struct node_id id = identity_node_id(r->id);
	const struct member *self;
	struct head head = { .seq = reply->head.seq };

	memcpy(head.hash, reply->head.hash, HASH_LEN);
	memcpy(r->token, reply->node_token, HASH_LEN);
	raw_fetch(r);
	ck_assert(mlog_has_head(r->log, &head));
	self = roster_by_id(mlog_roster(r->log), &id, ROSTER_CURRENT);
	ck_assert_ptr_nonnull(self);
	ck_assert_uint_eq(self->joined_seq, head.seq);
	r->address = self->address;
}

void raw_adopt(struct raw *r, const struct raw_invite *i, const char *name)
{
	struct signal_reply reply;
	struct entry_bytes b = raw_admit_entry(r, i, name);

	raw_adopt_begin(r, i);
	ck_assert_int_eq(raw_admit(r, &b, &reply), REFUSAL_NONE);
	raw_admitted(r, &reply);
}

/* --- session --- */

static struct wire_candidates raw_candidates(const struct raw *r)
{
	struct wire_candidates c = { .n = 1 };

	c.item[0] = addr_v4(IP(203, 0, 113, 0) + (r->address & 0xff), 7000);
	return c;
}

enum refusal raw_session_ask(struct raw *r, struct signal_reply *reply)
{
	struct signal_request rq = { .type = SIGNAL_SESSION, .candidates = raw_candidates(r) };

	if (r->log) {
		struct head head = mlog_head(r->log);

		rq.head.generation = mlog_generation(r->log);
		rq.head.seq = head.seq;
		memcpy(rq.head.hash, head.hash, HASH_LEN);
	}
	memcpy(rq.node_token, r->token, HASH_LEN);
	return raw_ask(r, &rq, reply);
}

void raw_session(struct raw *r)
{
	struct signal_reply reply;

	raw_greet(r);
	ck_assert_int_eq(raw_session_ask(r, &reply), REFUSAL_NONE);
}

enum refusal raw_subscribe(struct raw *r, struct signal_reply *reply)
{
	struct signal_request rq = { .type = SIGNAL_SUBSCRIBE, .cursor = r->cursor };
	enum refusal refused;

	memcpy(rq.epoch, r->epoch, EPOCH_LEN);
	r->cursor = 0;
	refused = raw_ask(r, &rq, reply);
	if (refused == REFUSAL_NONE)
		memcpy(r->epoch, reply->epoch, EPOCH_LEN);
	return refused;
}

enum refusal raw_append(struct raw *r, const struct entry_bytes *b, struct signal_reply *reply)
{
	struct signal_request rq = { .type = SIGNAL_APPEND, .entry = span_of(b->data, b->len) };

	return raw_ask(r, &rq, reply);
}

struct entry_bytes raw_remove_entry(struct raw *r, const struct raw *target)
{
	struct entry e = raw_entry(r, ENTRY_REMOVE);

	e.remove.id[e.remove.n++] = identity_node_id(target->id);
	return raw_sign(r, &e);
}

struct entry_bytes raw_recover_entry(const struct raw *by, const struct raw *founder, uint64_t base,
				     const struct raw *admin)
{
	struct entry e = raw_entry(by, ENTRY_RECOVER);
	struct signer code = { .seed = founder->code };
	uint8_t next[SIGN_SEED_LEN] = { 9 };
	struct entry_bytes bytes;
	struct err err = { .code = 0 };
	struct record rec;

	ck_assert_int_eq(record_decode(mlog_record(by->log, base), &rec, NULL), 0);
	e.base.seq = base;
	memcpy(e.base.hash, rec.hash, HASH_LEN);
	ck_assert_int_eq(seed_public(founder->code, e.recover.key), 0);
	e.author = key_node_id(e.recover.key);
	e.recover.admins.id[e.recover.admins.n++] = identity_node_id(admin->id);
	raw_code_hash(next, e.recover.next);
	ck_assert_msg(entry_make(&e, by->cluster_id, &code, NULL, &bytes, &err) == 0, "%s",
		      err.text);
	return bytes;
}

enum refusal raw_recover(struct raw *r, const struct entry_bytes *entry, struct signal_reply *reply)
{
	struct signal_request rq = { .type = SIGNAL_RECOVER,
				     .entry = span_of(entry->data, entry->len) };

	return raw_ask(r, &rq, reply);
}

void raw_online(struct raw *r)
{
	struct signal_reply reply;

	raw_session(r);
	raw_fetch(r);
	ck_assert_int_eq(raw_subscribe(r, &reply), REFUSAL_NONE);
	sim_pass(r->g->w, NS_PER_S);
}

struct raw *raw_founder(struct sig *g)
{
	struct raw *r = raw_new(g);

	raw_setup(r, g->code, "homelab", NULL);
	raw_online(r);
	return r;
}

struct raw *raw_member(struct raw *sponsor, const char *name)
{
	struct raw *r = raw_new(sponsor->g);
	struct raw_invite i = raw_invite(sponsor);

	raw_adopt(r, &i, name);
	sim_pass(sponsor->g->w, NS_PER_S);
	return r;
}
