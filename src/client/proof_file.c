/* SPDX-License-Identifier: MIT */
/* The proof file: its bytes, and its judgement by the code that a node judges with. */
#include "client/proof_file.h"

#include <stdlib.h>

#include "proto/cbor.h"
#include "proto/signal.h"

#define PROOF_VERSION 1
#define HEAD_MAX 5 /* bytes before a record or the records */

/* --- bytes ------------------------------------------------------------------------------------ */

static size_t room_for(const struct mlog *l, const struct log_proof *proof)
{
	size_t len = 4 * HEAD_MAX;

	for (uint64_t seq = 0; seq < mlog_count(l); seq++)
		len += HEAD_MAX + mlog_record(l, seq).len;
	for (size_t i = 0; i < proof->n_shown; i++)
		len += HEAD_MAX + proof->shown[i].len;
	return len;
}

int proof_file_encode(const struct mlog *l, const struct log_proof *proof, struct buf *ret)
{
	size_t room = room_for(l, proof);
	uint8_t *bytes = room <= PROOF_FILE_MAX ? malloc(room) : NULL;
	struct cbor_writer w = cbor_writer_of(bytes, room);

	if (!bytes)
		return room <= PROOF_FILE_MAX ? -ENOMEM : -EFBIG;
	cbor_put_array(&w, 3);
	cbor_put_uint(&w, PROOF_VERSION);
	cbor_put_array(&w, mlog_count(l));
	for (uint64_t seq = 0; seq < mlog_count(l); seq++) {
		struct span record = mlog_record(l, seq);

		cbor_put_bytes(&w, record.data, record.len);
	}
	cbor_put_array(&w, proof->n_shown);
	for (size_t i = 0; i < proof->n_shown; i++)
		cbor_put_bytes(&w, proof->shown[i].data, proof->shown[i].len);
	*ret = (struct buf){ bytes, cbor_writer_span(&w).len };
	return 0;
}

/* -ENOMEM; what is malformed shows at the end. */
static int get_records(struct cbor_reader *r, size_t max, struct span **ret, size_t *ret_n)
{
	size_t n = cbor_get_array_len(r, max);

	*ret = n ? calloc(n, sizeof(**ret)) : NULL;
	if (n && !*ret)
		return -ENOMEM;
	*ret_n = n;
	for (size_t i = 0; i < n; i++)
		(*ret)[i] = cbor_get_bytes(r, 1, RECORD_MAX_BYTES);
	return 0;
}

int proof_file_decode(struct span in, struct proof_read *ret)
{
	struct cbor_reader r = cbor_reader_of(in);
	struct proof_read p = { .n_ours = 0 };
	int rc;

	if (in.len > PROOF_FILE_MAX)
		return -EFBIG;
	if (cbor_file_version(in) > PROOF_VERSION)
		return -EPROTONOSUPPORT;
	cbor_get_array(&r, 3);
	if (cbor_get_uint(&r, UINT32_MAX) != PROOF_VERSION)
		return -EBADMSG;
	rc = get_records(&r, LOG_MAX_ENTRIES, &p.ours, &p.n_ours);
	if (rc == 0)
		rc = get_records(&r, ENTRIES_PER_MESSAGE_MAX, &p.theirs, &p.n_theirs);
	if (rc == 0 && (cbor_reader_end(&r) < 0 || p.n_ours == 0 || p.n_theirs == 0))
		rc = -EBADMSG;
	if (rc < 0) {
		proof_read_free(&p);
		return rc;
	}
	*ret = p;
	return 0;
}

void proof_read_free(struct proof_read *p)
{
	free(p->ours);
	free(p->theirs);
	*p = (struct proof_read){ .n_ours = 0 };
}

int proof_file_generation(struct span in, uint64_t *ret)
{
	struct proof_read p;
	struct record last;
	int rc = proof_file_decode(in, &p);

	if (rc < 0)
		return rc;
	rc = record_decode(p.ours[p.n_ours - 1], &last, NULL);
	if (rc == 0)
		*ret = last.genesis ? 0 : last.order.generation;
	proof_read_free(&p);
	return rc;
}

/* --- judgement -------------------------------------------------------------------------------- */

void proof_verdict_free(struct proof_verdict *v)
{
	mlog_free(v->log);
	v->log = NULL;
}

/* Is the log that somebody accuses with one itself? */
static int verify_ours(const struct proof_read *p, struct mlog *l, struct err *err)
{
	struct mlog_take take;

	mlog_take(l, p->ours, p->n_ours, &take);
	mlog_commit(l);
	if (take.result == TAKEN && take.added == p->n_ours)
		return 0;
	if (take.result == TAKEN_NO_MEMORY)
		return err_set(err, -ENOMEM, "out of memory");
	if (take.result == TAKEN_UPGRADE)
		return err_set(err, -EPROTONOSUPPORT,
			       "it holds a record that this version of mlsh does not know: upgrade "
			       "mlsh on this machine");
	return err_set(err, -EKEYREJECTED,
		       "the log that it accuses with is not valid at record %zu: %s", mlog_count(l),
		       take.why.text[0] ? take.why.text : "its records do not follow each other");
}

static struct span find_shown(const struct proof_read *p, uint64_t seq)
{
	struct record r;

	for (size_t i = 0; i < p->n_theirs; i++)
		if (record_decode(p->theirs[i], &r, NULL) == 0 && r.order.seq == seq)
			return p->theirs[i];
	return (struct span){ NULL, 0 };
}

static int judge(const struct proof_read *p, struct proof_verdict *v, struct err *err)
{
	int rc = verify_ours(p, v->log, err);

	if (rc < 0)
		return rc;
	mlog_take(v->log, p->theirs, p->n_theirs, &v->take);
	rc = mlog_rollback(v->log);
	if (rc < 0 || v->take.result == TAKEN_NO_MEMORY)
		return err_set(err, -ENOMEM, "out of memory");
	v->shown = find_shown(p, v->take.seq);
	if (v->take.result == TAKEN_LIE || v->take.result == TAKEN_CODE_MISUSED)
		return 0;
	return err_set(err, -EKEYREJECTED, "what it shows does not contradict the log%s%s",
		       v->take.why.text[0] ? ": " : "", v->take.why.text);
}

int proof_file_verify(struct host *h, struct span in, struct proof_verdict *ret, struct err *err)
{
	struct proof_read p = { .n_ours = 0 };
	uint8_t seed[16];
	int rc = proof_file_decode(in, &p);

	*ret = (struct proof_verdict){ .log = NULL };
	if (rc < 0)
		return err_set(err, rc, "%s",
			       rc == -EPROTONOSUPPORT
				       ? "it was written by a newer mlsh: upgrade this one"
			       : rc == -ENOMEM ? "out of memory"
			       : rc == -EFBIG  ? "it is too large"
					       : "it is not a proof of mlsh, or it is damaged");
	random_fill(h, seed, sizeof(seed));
	ret->log = mlog_new(seed);
	rc = ret->log ? judge(&p, ret, err) : err_set(err, -ENOMEM, "out of memory");
	if (ret->shown.len == 0 || rc < 0)
		ret->shown = (struct span){ NULL, 0 };
	proof_read_free(&p);
	return rc;
}
