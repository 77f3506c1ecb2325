/* SPDX-License-Identifier: MIT */
/*
 * The rules of the log against a model of them. The input is a program: every four bytes make one
 * entry, well signed, with at most one thing wrong in it, and the server must order it exactly if
 * the model does. A node is shown each record, and the rest of the input in its place: it must hold
 * the same log, and never believe that the server lies.
 */
#include <stdlib.h>

#include "identity/identity.h"
#include "membership/internal.h"

#define KEYS 8
#define NAMES 8
#define NONCES 16
#define NET 0x64600000u
#define START_S 1800000000u
#define LIFE_S 1000
#define STEPS_MAX 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum fault {
	FAULT_NONE,
	FAULT_AUTHOR_SIG,
	FAULT_CONSENT,
	FAULT_PURPOSE,
	FAULT_CLUSTER,
	FAULT_BASE,
	FAULT_TIME,
	FAULT_ADDRESS,
	FAULT_SPONSOR,
	FAULT_SPONSOR_SIG,
	FAULT_INVITE_CLUSTER,
	FAULT_AUTHOR,
	FAULT_COUNT
};

enum step { STEP_ADMIT, STEP_CANCEL, STEP_REMOVE, STEP_PROMOTE, STEP_DEMOTE, STEP_RENAME, STEPS };

struct model {
	struct mlog *log, *node;
	uint64_t now_s;
	bool known[KEYS], member[KEYS], admin[KEYS], nonces[NONCES];
	int held[NAMES]; /* 1 + who holds or held the name; 0 while it is free */
	int name[KEYS];
	size_t members, admins;
	ip4 next;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* Node 0 is the first admin; KEYS is a stranger; above it the one-time keys, and the order key. */
static void seed_of(unsigned n, uint8_t seed[SIGN_SEED_LEN])
{
	memset(seed, 0, SIGN_SEED_LEN);
	seed[0] = (uint8_t)(n + 1);
}

static const uint8_t *key_of(unsigned n)
{
	static uint8_t keys[KEYS + 2 + NONCES][KEY_LEN];
	static bool made[KEYS + 2 + NONCES];
	uint8_t seed[SIGN_SEED_LEN];

	seed_of(n, seed);
	if (!made[n])
		must(seed_public(seed, keys[n]) == 0);
	made[n] = true;
	return keys[n];
}

#define ORDER_KEY (KEYS + 1 + NONCES)

static void sign(unsigned n, const char *purpose, const uint8_t *cluster, struct span bytes,
		 uint8_t ret[SIG_LEN])
{
	uint8_t seed[SIGN_SEED_LEN];

	seed_of(n, seed);
	must(seed_sign(seed, purpose, cluster, bytes, ret) == 0);
}

static void put_label(char *out, unsigned n)
{
	strcpy(out, "node-a");
	out[5] = (char)('a' + n);
}

static void begin(struct model *m)
{
	static const uint8_t map_seed[16];
	struct genesis g = { .name = "fuzz", .subnet = { NET, 24 }, .address = NET + 1 };
	uint8_t seed[SIGN_SEED_LEN];
	struct identity *first = NULL;
	struct entry_bytes b;

	*m = (struct model){ .log = mlog_new(map_seed),
			     .node = mlog_new(map_seed),
			     .now_s = START_S,
			     .members = 1,
			     .admins = 1,
			     .next = NET + 2 };
	seed_of(0, seed);
	must(identity_from_seed(seed, NULL, &first) == 0);
	strcpy(g.server.host, "::1");
	g.server.port = 1;
	memcpy(g.server.order_key, key_of(ORDER_KEY), KEY_LEN);
	put_label(g.node_name, 0);
	memcpy(g.key, key_of(0), KEY_LEN);
	must(m->log && m->node &&
	     genesis_make(&g, m->now_s, identity_signer(first), &b, NULL) == 0);
	must(mlog_found(m->log, span_of(b.data, b.len), NULL) == 0);
	must(mlog_found(m->node, span_of(b.data, b.len), NULL) == 0);
	mlog_commit(m->log);
	mlog_commit(m->node);
	m->known[0] = m->member[0] = m->admin[0] = true;
	m->held[0] = 1;
	identity_free(first);
}

static struct entry entry_of(const struct model *m, unsigned type, unsigned author)
{
	return (struct entry){ .type = type,
			       .time_s = m->now_s,
			       .author = key_node_id(key_of(author)),
			       .base = mlog_head(m->log) };
}

static struct entry_bytes sign_entry(const struct model *m, struct entry *e, unsigned author,
				     unsigned consent, enum fault fault)
{
	uint8_t payload[ENTRY_MAX_BYTES], sigs[ENTRY_SIGS_MAX][SIG_LEN], cluster[HASH_LEN];
	const uint8_t *list[] = { sigs[0], sigs[1] };
	struct cbor_writer w = cbor_writer_of(payload, sizeof(payload));
	struct entry_bytes b;
	struct span p;

	memcpy(cluster, mlog_cluster_id(m->log), HASH_LEN);
	cluster[30] ^= fault == FAULT_CLUSTER;
	e->author.bytes[3] ^= fault == FAULT_AUTHOR;
	e->base.hash[7] ^= fault == FAULT_BASE;
	e->time_s -= fault == FAULT_TIME ? 601 : 0;
	entry_put_payload(&w, e);
	p = cbor_writer_span(&w);
	sign(author, fault == FAULT_PURPOSE ? SIGN_INVITE : SIGN_ENTRY, cluster, p, sigs[0]);
	sign(consent, SIGN_CONSENT, cluster, p, sigs[1]);
	sigs[0][50] ^= fault == FAULT_AUTHOR_SIG;
	sigs[1][50] ^= fault == FAULT_CONSENT;
	w = cbor_writer_of(b.data, sizeof(b.data));
	entry_put(&w, p, list, entry_sig_count(e));
	b.len = cbor_writer_span(&w).len;
	return b;
}

/* The server orders it if the model says so, and the node takes the record. */
static void order(struct model *m, const struct entry_bytes *b, ip4 address, bool expected)
{
	struct ordering by = { .now_s = m->now_s, .address = address };
	uint8_t seed[SIGN_SEED_LEN];
	struct err err = { .code = 0 };
	struct mlog_take t;
	struct span record;
	struct entry e;
	int r = entry_decode(span_of(b->data, b->len), &e, &err);

	seed_of(ORDER_KEY, seed);
	by.order_seed = seed;
	by.order_key = key_of(ORDER_KEY);
	if (r == 0)
		r = mlog_order(m->log, &e, span_of(b->data, b->len), &by, &err);
	must((r == 0) == expected);
	must(r == 0 || (err.code == r && err.reason != 0));
	must(roster_count(mlog_roster(m->log), ROSTER_CURRENT) == m->members);
	must(roster_admins(mlog_roster(m->log)) == m->admins);
	mlog_commit(m->log);
	if (r < 0)
		return;
	record = mlog_record(m->log, mlog_count(m->log) - 1);
	mlog_take(m->node, &record, 1, &t);
	must(t.result == TAKEN && t.added == 1);
	mlog_commit(m->node);
}

static bool is_admin(const struct model *m, unsigned n)
{
	return m->member[n] && m->admin[n];
}

static void admit(struct model *m, unsigned key, unsigned name, unsigned nonce, enum fault fault)
{
	struct invite inv = { .cluster_name = "fuzz",
			      .issued = m->now_s,
			      .expiry = m->now_s + LIFE_S,
			      .nonce = { (uint8_t)nonce },
			      .head = mlog_head(m->log) };
	unsigned sponsor = fault == FAULT_SPONSOR ? KEYS : 0;
	struct entry e = entry_of(m, ENTRY_ADMIT, key);
	uint8_t invite[INVITE_MAX_BYTES];
	struct cbor_writer w = cbor_writer_of(invite, sizeof(invite));
	struct entry_bytes b;
	bool good = (fault == FAULT_NONE || fault == FAULT_TIME) && !m->known[key] &&
		    !m->held[name] && !m->nonces[nonce] && is_admin(m, 0);

	inv.sponsor = key_node_id(key_of(sponsor));
	memcpy(inv.cluster_id, mlog_cluster_id(m->log), HASH_LEN);
	inv.cluster_id[7] ^= fault == FAULT_INVITE_CLUSTER;
	inv.head.hash[7] ^= fault == FAULT_BASE;
	memcpy(inv.key, key_of(KEYS + 1 + nonce), KEY_LEN);
	invite_put(&w, &inv);
	e.admit.invite = cbor_writer_span(&w);
	sign(sponsor, SIGN_INVITE, inv.cluster_id, e.admit.invite, e.admit.invite_sig);
	e.admit.invite_sig[40] ^= fault == FAULT_SPONSOR_SIG;
	put_label(e.admit.node_name, name);
	memcpy(e.admit.key, key_of(key), KEY_LEN);
	b = sign_entry(m, &e, key, KEYS + 1 + nonce, fault);
	m->members += good;
	if (good) {
		m->known[key] = m->member[key] = m->nonces[nonce] = true;
		m->held[name] = (int)key + 1;
		m->name[key] = (int)name;
	}
	order(m, &b, fault == FAULT_ADDRESS ? NET + 1 : m->next, good);
	m->next += good;
}

/* Faults that an entry has which is not an admit. */
static bool is_faulty(enum fault fault)
{
	return (fault >= FAULT_AUTHOR_SIG && fault <= FAULT_TIME && fault != FAULT_CONSENT) ||
	       fault == FAULT_AUTHOR;
}

static void govern(struct model *m, enum step step, unsigned author, unsigned whom, unsigned what,
		   enum fault fault)
{
	static const unsigned types[STEPS] = { ENTRY_ADMIT,   ENTRY_CANCEL, ENTRY_REMOVE,
					       ENTRY_PROMOTE, ENTRY_DEMOTE, ENTRY_RENAME };
	struct entry e = entry_of(m, types[step], author);
	struct node_id id = key_node_id(key_of(whom));
	unsigned name = what % NAMES;
	bool late = step == STEP_REMOVE && fault == FAULT_TIME;
	bool good = is_admin(m, author) && (late || !is_faulty(fault));
	struct entry_bytes b;

	switch (step) {
	case STEP_CANCEL:
		e.cancel.nonce[0] = (uint8_t)(what % NONCES);
		good = good && !m->nonces[what % NONCES];
		m->nonces[what % NONCES] |= good;
		break;
	case STEP_REMOVE:
		e.remove.id[e.remove.n++] = id;
		good = (good || (author == whom && (late || !is_faulty(fault)))) &&
		       m->member[whom] && !(m->admin[whom] && m->admins == 1) && m->member[author];
		m->member[whom] &= !good;
		m->members -= good;
		m->admins -= good && m->admin[whom];
		break;
	case STEP_PROMOTE:
		e.promote.id = id;
		key_spki_sha256(key_of(whom), e.promote.key_sha256);
		good = good && m->member[whom] && !m->admin[whom];
		m->admin[whom] |= good;
		m->admins += good;
		break;
	case STEP_DEMOTE:
		e.demote.id = id;
		good = good && m->member[whom] && m->admin[whom] && m->admins > 1;
		m->admin[whom] &= !good;
		m->admins -= good;
		break;
	case STEP_RENAME:
		e.rename.id = id;
		put_label(e.rename.name, name);
		good = good && m->member[whom] && m->name[whom] != (int)name &&
		       (!m->held[name] || m->held[name] == (int)whom + 1);
		if (good) {
			m->held[name] = (int)whom + 1;
			m->name[whom] = (int)name;
		}
		break;
	case STEP_ADMIT:
	case STEPS:
		break;
	}
	b = sign_entry(m, &e, author, author, fault);
	order(m, &b, 0, good);
}

/* A record of which somebody altered a part: never proof of anything. */
static void show(struct model *m, struct span in)
{
	struct head before = mlog_head(m->node), after;
	struct mlog_take t;

	mlog_take(m->node, &in, 1, &t);
	mlog_commit(m->node);
	after = mlog_head(m->node);
	must(t.result != TAKEN_LIE && t.result != TAKEN_UPGRADE);
	must(memcmp(before.hash, after.hash, HASH_LEN) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model m;
	size_t at = 0;

	begin(&m);
	for (int step = 0; step < STEPS_MAX && size - at >= 4; step++, at += 4) {
		unsigned key = data[at + 2] % KEYS, whom = data[at + 2] / KEYS % KEYS;
		unsigned what = data[at + 1];
		enum fault fault = (enum fault)(data[at + 3] % FAULT_COUNT);
		enum step kind = (enum step)(data[at] % STEPS);

		m.now_s += data[at] >> 3;
		if (kind == STEP_ADMIT)
			admit(&m, key, what / NONCES % NAMES, what % NONCES, fault);
		else
			govern(&m, kind, key, whom, what, fault);
	}
	show(&m, span_of(data + at, size - at));
	show(&m, span_of(data, size));
	mlog_free(m.log);
	mlog_free(m.node);
	return 0;
}
