/* SPDX-License-Identifier: MIT */
/* Proof files: a true one convinces a stranger, an altered one and a false accusation do not. */
#include "client/proof_file.h"
#include "log_kit.h"

/* A server that has put two entries in one place, and what a node that held one log was shown. */
struct scene {
	struct host *h;
	struct kit k, other;
	struct buf file;
};

static void open_scene(struct scene *s)
{
	*s = (struct scene){ .k = kit_open() };
	ck_assert_int_eq(host_new(NULL, &s->h), 0);
	for (unsigned n = 1; n <= 3; n++)
		kit_join(&s->k, n);
	s->other = s->k;
	s->other.log = kit_copy(s->k.log, 2);
}

static void close_scene(struct scene *s)
{
	buf_free(&s->file);
	mlog_free(s->other.log);
	kit_close(&s->k);
	host_free(s->h);
}

/* What a node makes of it that holds our log and is shown these records. */
static struct mlog_take accuse(struct scene *s, const struct span *shown, size_t n)
{
	struct mlog_take t;
	struct log_proof proof;

	buf_free(&s->file);
	mlog_take(s->k.log, shown, n, &t);
	mlog_commit(s->k.log);
	proof = mlog_proof(s->k.log, &t, shown, n);
	ck_assert_int_eq(proof_file_encode(s->k.log, &proof, &s->file), 0);
	return t;
}

static struct span bytes_of(const struct scene *s)
{
	return span_of(s->file.data, s->file.len);
}

static void proves(const struct scene *s, enum mlog_taken what, uint64_t seq)
{
	struct proof_verdict v;
	struct err err = { 0 };
	int rc = proof_file_verify(s->h, bytes_of(s), &v, &err);

	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_int_eq(v.take.result, what);
	ck_assert_uint_eq(v.take.seq, seq);
	ck_assert_mem_eq(mlog_cluster_id(v.log), mlog_cluster_id(s->k.log), HASH_LEN);
	proof_verdict_free(&v);
}

static void proves_nothing(const struct scene *s, int code)
{
	struct proof_verdict v;
	struct err err = { 0 };

	ck_assert_int_eq(proof_file_verify(s->h, bytes_of(s), &v, &err), code);
	ck_assert_uint_gt(strlen(err.text), 10);
	proof_verdict_free(&v);
}

START_TEST(two_orders)
{
	struct scene s;
	struct span shown[2];

	open_scene(&s);
	kit_join(&s.other, 7);
	kit_join(&s.other, 8);
	shown[0] = mlog_record(s.other.log, 2);
	shown[1] = mlog_record(s.other.log, 3);
	ck_assert_int_eq(accuse(&s, shown, 2).result, TAKEN_LIE);
	proves(&s, TAKEN_LIE, 2);
	close_scene(&s);
}
END_TEST

/* The server has signed what breaks a rule: a name that is taken. */
START_TEST(broken_rule)
{
	struct scene s;
	struct kit_invite i;
	struct entry_bytes b;
	struct record_bytes r;
	struct span shown;

	open_scene(&s);
	i = kit_invite(&s.k, 50);
	b = kit_admit(&s.k, &i, 5);
	r = kit_record(&s.k, kit_span(&b), KIT_NET + 2, KIT_ORDER); /* an address that was given */
	shown = kit_record_span(&r);
	ck_assert_int_eq(accuse(&s, &shown, 1).result, TAKEN_LIE);
	proves(&s, TAKEN_LIE, 4);
	close_scene(&s);
}
END_TEST

/* Every altered byte is noticed. */
/* [P2-49] */
START_TEST(altered)
{
	struct scene s;
	struct span shown;

	open_scene(&s);
	kit_join(&s.other, 7);
	shown = mlog_record(s.other.log, 2);
	ck_assert_int_eq(accuse(&s, &shown, 1).result, TAKEN_LIE);
	for (size_t at = 0; at < s.file.len; at += 1 + at % 7) {
		struct proof_verdict v;
		struct err err = { 0 };
		int rc;

		s.file.data[at] ^= 0x20;
		rc = proof_file_verify(s.h, bytes_of(&s), &v, &err);
		/* the receipts of records before the last one vouch for nothing */
		ck_assert_msg(rc < 0 || memcmp(mlog_cluster_id(v.log), mlog_cluster_id(s.k.log),
					       HASH_LEN) == 0,
			      "byte %zu", at);
		ck_assert_msg(rc < 0 || v.take.seq == 2, "byte %zu", at);
		proof_verdict_free(&v);
		s.file.data[at] ^= 0x20;
	}
	proves(&s, TAKEN_LIE, 2);
	for (size_t cut = 0; cut < s.file.len; cut += 13) {
		size_t whole = s.file.len;

		s.file.len = cut;
		proves_nothing(&s, -EBADMSG);
		s.file.len = whole;
	}
	close_scene(&s);
}
END_TEST

/* An accuser of an honest server has its signatures on one history only. */
/* [P2-49] */
START_TEST(false_accusation)
{
	struct scene s;
	struct kit_invite i;
	struct entry_bytes b;
	struct record_bytes r;
	struct span shown;

	open_scene(&s);
	/* a record of the accuser's making, by another order key */
	i = kit_invite(&s.other, 70);
	b = kit_admit(&s.other, &i, 7);
	r = kit_record(&s.other, kit_span(&b), KIT_NET + 9, 77);
	shown = kit_record_span(&r);
	ck_assert_int_eq(accuse(&s, &shown, 1).result, TAKEN_UNPROVEN);
	proves_nothing(&s, -EKEYREJECTED);
	/* the same log twice */
	shown = mlog_record(s.k.log, 2);
	accuse(&s, &shown, 1);
	proves_nothing(&s, -EKEYREJECTED);
	/* another cluster's log, which does contradict this one */
	struct kit stranger = { kit_identity(9), kit_empty_log(), KIT_TIME, KIT_ORDER };
	struct genesis g = kit_genesis(stranger.admin);

	ck_assert_int_eq(genesis_make(&g, KIT_TIME, identity_signer(stranger.admin), &b, NULL), 0);
	ck_assert_int_eq(mlog_found(stranger.log, kit_span(&b), NULL), 0);
	mlog_commit(stranger.log);
	shown = mlog_record(stranger.log, 0);
	accuse(&s, &shown, 1);
	proves_nothing(&s, -EKEYREJECTED);
	kit_close(&stranger);
	close_scene(&s);
}
END_TEST

START_TEST(later_version)
{
	static uint8_t bytes[] = { 0x83, 0x02, 0x80, 0x80 };
	struct scene s;

	open_scene(&s);
	s.file = (struct buf){ malloc(sizeof(bytes)), sizeof(bytes) };
	memcpy(s.file.data, bytes, sizeof(bytes));
	proves_nothing(&s, -EPROTONOSUPPORT);
	s.file.data[1] = 1;
	proves_nothing(&s, -EBADMSG); /* nothing is in it */
	close_scene(&s);
}
END_TEST

UNIT_MAIN("client/proof_file", two_orders, broken_rule, altered, false_accusation, later_version)
