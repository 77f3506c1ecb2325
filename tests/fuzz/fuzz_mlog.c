/* SPDX-License-Identifier: MIT */
/*
 * The rules of the log against a model of them. The input is a program: every four bytes make one
 * entry, well signed, with at most one thing wrong in it, and the log must accept it exactly if the
 * model does. At last the rest of the input is appended as it is, and must be refused.
 */
#include <stdlib.h>

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
	FAULT_JOINER_SIG,
	FAULT_ONE_TIME_SIG,
	FAULT_PURPOSE,
	FAULT_CLUSTER,
	FAULT_SEQ,
	FAULT_PREV,
	FAULT_TIME,
	FAULT_ADDRESS_LOW,
	FAULT_ADDRESS_OUTSIDE,
	FAULT_SPONSOR,
	FAULT_SPONSOR_SIG,
	FAULT_HEAD,
	FAULT_INVITE_CLUSTER,
	FAULT_ISSUED,
	FAULT_AUTHOR,
	FAULT_COUNT
};

struct model {
	struct mlog *log;
	uint64_t now_s;
	bool keys[KEYS], names[NAMES], nonces[NONCES];
	size_t members;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* Node 0 is the first admin; KEYS is a stranger; above it the one-time keys. */
static const struct identity *node(unsigned n)
{
	static struct identity *ids[KEYS + 1 + NONCES];
	uint8_t seed[SIGN_SEED_LEN] = { (uint8_t)(n + 1) };

	if (!ids[n])
		must(identity_from_seed(seed, NULL, &ids[n]) == 0);
	return ids[n];
}

static void put_label(char *out, unsigned n)
{
	strcpy(out, "node-a");
	out[5] = (char)('a' + n);
}

static void begin(struct model *m)
{
	static const uint8_t map_seed[16];
	struct genesis g = { .name = "fuzz",
			     .subnet = { NET, 24 },
			     .address = NET + 1,
			     .signal_host = "::1",
			     .signal_port = 1 };
	struct entry_bytes b;

	*m = (struct model){ .log = mlog_new(map_seed), .now_s = START_S, .members = 1 };
	put_label(g.node_name, 0);
	memcpy(g.key, identity_key(node(0)), KEY_LEN);
	must(m->log && genesis_make(&g, m->now_s, node(0), &b, NULL) == 0);
	must(mlog_append(m->log, span_of(b.data, b.len), NULL) == 0);
	m->keys[0] = m->names[0] = true;
}

/* An invite issued now: `bytes` and `sig` of it. */
static void make_invite(const struct model *m, unsigned nonce, enum fault fault,
			uint8_t bytes[INVITE_MAX_BYTES], size_t *len, uint8_t sig[SIG_LEN])
{
	const struct identity *sponsor = node(fault == FAULT_SPONSOR ? KEYS : 0);
	struct invite inv = { .cluster_name = "fuzz",
			      .sponsor = identity_node_id(sponsor),
			      .issued = m->now_s,
			      .expiry = m->now_s + LIFE_S,
			      .nonce = { (uint8_t)nonce },
			      .head = mlog_head(m->log) };

	memcpy(inv.cluster_id, mlog_cluster_id(m->log), HASH_LEN);
	memcpy(inv.key, identity_key(node(KEYS + 1 + nonce)), KEY_LEN);
	if (fault == FAULT_HEAD)
		inv.head.hash[7] ^= 1;
	if (fault == FAULT_INVITE_CLUSTER)
		inv.cluster_id[7] ^= 1;
	if (fault == FAULT_ISSUED)
		inv.issued = START_S - 1;
	must(invite_make(&inv, sponsor, bytes, len, sig, NULL) == 0);
	if (fault == FAULT_SPONSOR_SIG)
		sig[40] ^= 1;
}

/* The frame of the next entry, with the faults that any type can have. */
static struct entry next_entry(const struct model *m, enum entry_type type,
			       const struct identity *author, enum fault fault)
{
	struct head head = mlog_head(m->log);
	struct entry e = { .type = type,
			   .seq = head.seq + 1,
			   .time_s = m->now_s,
			   .author = identity_node_id(author) };

	memcpy(e.prev, head.hash, HASH_LEN);
	e.seq += fault == FAULT_SEQ;
	e.prev[9] ^= fault == FAULT_PREV;
	e.author.bytes[3] ^= fault == FAULT_AUTHOR;
	if (fault == FAULT_TIME)
		e.time_s = START_S - 1;
	return e;
}

static struct entry_bytes sign(const struct model *m, const struct entry *e, const char *purpose,
			       const struct identity *const *signers, enum fault fault)
{
	uint8_t payload[ENTRY_MAX_BYTES], sigs[ENTRY_SIGS_MAX][SIG_LEN], cluster[HASH_LEN];
	const uint8_t *list[] = { sigs[0], sigs[1] };
	struct cbor_writer w = cbor_writer_of(payload, sizeof(payload));
	struct entry_bytes b;
	struct span p;

	memcpy(cluster, mlog_cluster_id(m->log), HASH_LEN);
	cluster[30] ^= fault == FAULT_CLUSTER;
	if (fault == FAULT_PURPOSE)
		purpose = "invite";
	entry_put_payload(&w, e);
	p = cbor_writer_span(&w);
	for (size_t i = 0; i < entry_sig_count(e->type); i++)
		must(identity_sign(signers[i], purpose, cluster, p, sigs[i]) == 0);
	sigs[0][50] ^= fault == FAULT_JOINER_SIG;
	sigs[1][50] ^= fault == FAULT_ONE_TIME_SIG;
	w = cbor_writer_of(b.data, sizeof(b.data));
	entry_put(&w, p, list, entry_sig_count(e->type));
	b.len = cbor_writer_span(&w).len;
	return b;
}

static void append(struct model *m, const struct entry_bytes *b, bool expected)
{
	size_t count = mlog_count(m->log);
	struct err err = { .code = 0 };
	int r = mlog_append(m->log, span_of(b->data, b->len), &err);

	must((r == 0) == expected);
	must(r == 0 || (err.code == r && err.reason != 0));
	must(mlog_count(m->log) == count + expected);
	must(roster_count(mlog_roster(m->log), ROSTER_CURRENT) == m->members);
}

static void admit(struct model *m, unsigned key, unsigned name, unsigned nonce, enum fault fault)
{
	const struct identity *signers[] = { node(key), node(KEYS + 1 + nonce) };
	struct entry e = next_entry(m, ENTRY_ADMIT, node(key), fault);
	uint8_t invite[INVITE_MAX_BYTES];
	struct entry_bytes b;
	bool good = fault == FAULT_NONE && !m->keys[key] && !m->names[name] && !m->nonces[nonce];
	size_t len;

	make_invite(m, nonce, fault, invite, &len, e.admit.invite_sig);
	e.admit.invite = span_of(invite, len);
	put_label(e.admit.node_name, name);
	memcpy(e.admit.key, identity_key(node(key)), KEY_LEN);
	e.admit.address = mlog_next_address(m->log);
	if (fault == FAULT_ADDRESS_LOW)
		e.admit.address--;
	if (fault == FAULT_ADDRESS_OUTSIDE)
		e.admit.address = NET + 255;
	b = sign(m, &e, "admit", signers, fault);
	m->members += good;
	append(m, &b, good);
	if (good)
		m->keys[key] = m->names[name] = m->nonces[nonce] = true;
}

static void cancel(struct model *m, unsigned key, unsigned nonce, enum fault fault)
{
	const struct identity *signers[] = { node(key) };
	struct entry e = next_entry(m, ENTRY_CANCEL, node(key), fault);
	/* the other faults are those of an admit */
	bool faulty = (fault >= FAULT_JOINER_SIG && fault <= FAULT_TIME &&
		       fault != FAULT_ONE_TIME_SIG) ||
		      fault == FAULT_AUTHOR;
	bool good = !faulty && key == 0 && !m->nonces[nonce];
	struct entry_bytes b;

	e.cancel.nonce[0] = (uint8_t)nonce;
	b = sign(m, &e, "cancel", signers, fault);
	append(m, &b, good);
	m->nonces[nonce] |= good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model m;
	size_t at = 0;

	begin(&m);
	for (int step = 0; step < STEPS_MAX && size - at >= 4; step++, at += 4) {
		unsigned nonce = data[at + 1] % NONCES, key = data[at + 2] % KEYS;
		enum fault fault = (enum fault)(data[at + 3] % FAULT_COUNT);

		m.now_s += data[at] >> 2;
		if (data[at] & 1)
			admit(&m, key, data[at + 1] / NONCES % NAMES, nonce, fault);
		else
			cancel(&m, key, nonce, fault);
	}
	must(mlog_append(m.log, span_of(data + at, size - at), NULL) < 0);
	must(mlog_check(m.log, span_of(data, size), NULL) < 0);
	mlog_free(m.log);
	return 0;
}
