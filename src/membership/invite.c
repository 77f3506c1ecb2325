/* SPDX-License-Identifier: MIT */
/* The bytes of an invite, written, signed and read. */
#include <inttypes.h>

#include "membership/internal.h"

#define INVITE_VERSION 1
#define INVITE_FIELDS 15

void invite_put(struct cbor_writer *w, const struct invite *inv)
{
	cbor_put_array(w, INVITE_FIELDS);
	cbor_put_uint(w, INVITE_VERSION);
	cbor_put_uint(w, 0); /* flags */
	cbor_put_bytes(w, inv->cluster_id, HASH_LEN);
	cbor_put_text(w, inv->cluster_name);
	cbor_put_bytes(w, inv->sponsor.bytes, NODE_ID_LEN);
	cbor_put_uint(w, inv->role);
	cbor_put_uint(w, inv->issued);
	cbor_put_uint(w, inv->expiry);
	cbor_put_bytes(w, inv->nonce, NONCE_LEN);
	cbor_put_uint(w, inv->head.seq);
	cbor_put_bytes(w, inv->head.hash, HASH_LEN);
	cbor_put_bytes(w, inv->signal_key, HASH_LEN);
	cbor_put_text(w, inv->node_name);
	if (inv->replaces)
		cbor_put_bytes(w, inv->replace.bytes, NODE_ID_LEN);
	else
		cbor_put_null(w);
	cbor_put_bytes(w, inv->key, KEY_LEN);
}

static void invite_get(struct cbor_reader *r, struct invite *inv)
{
	cbor_get_bytes_fixed(r, inv->cluster_id, HASH_LEN);
	cbor_get_text_copy(r, inv->cluster_name, sizeof(inv->cluster_name));
	cbor_get_bytes_fixed(r, inv->sponsor.bytes, NODE_ID_LEN);
	inv->role = (enum member_role)cbor_get_uint(r, ROLE_ADMIN);
	inv->issued = cbor_get_uint(r, LOG_TIME_MAX_S);
	inv->expiry = cbor_get_uint(r, LOG_TIME_MAX_S);
	cbor_get_bytes_fixed(r, inv->nonce, NONCE_LEN);
	inv->head.seq = cbor_get_uint(r, LOG_MAX_ENTRIES - 1);
	cbor_get_bytes_fixed(r, inv->head.hash, HASH_LEN);
	cbor_get_bytes_fixed(r, inv->signal_key, HASH_LEN);
	cbor_get_text_copy(r, inv->node_name, sizeof(inv->node_name));
	inv->replaces = !cbor_get_null(r);
	if (inv->replaces)
		cbor_get_bytes_fixed(r, inv->replace.bytes, NODE_ID_LEN);
	cbor_get_bytes_fixed(r, inv->key, KEY_LEN);
}

static int damaged(struct err *err, const char *what)
{
	return refuse(err, -EBADMSG, REFUSAL_TAMPERED,
		      "the invite is damaged (%s): copy it again as a whole, or ask for a new one",
		      what);
}

static int check_content(const struct invite *inv, struct err *err)
{
	if (!label_ok(span_str(inv->cluster_name)))
		return damaged(err, "the cluster's name");
	if (inv->node_name[0] && !label_ok(span_str(inv->node_name)))
		return damaged(err, "the node's name");
	if (inv->issued > inv->expiry)
		return damaged(err, "it ends before it begins");
	if (!key_ok(inv->key))
		return damaged(err, "its key");
	return 0;
}

int invite_decode(struct span bytes, struct invite *ret, struct err *err)
{
	struct cbor_reader r = cbor_reader_of(bytes);
	uint8_t again[INVITE_MAX_BYTES];
	struct cbor_writer w = cbor_writer_of(again, sizeof(again));
	struct invite inv = { .issued = 0 };
	size_t fields = cbor_get_array_len(&r, 64);
	uint64_t version = cbor_get_uint(&r, UINT64_MAX), flags;
	int rc;

	if (bytes.len > INVITE_MAX_BYTES)
		return damaged(err, "it is too long");
	if (!r.failed && version != INVITE_VERSION)
		return refuse(err, -EPROTONOSUPPORT, REFUSAL_VERSION,
			      "the invite is of version %" PRIu64 ", which this mlsh does not "
			      "know: upgrade mlsh on this machine",
			      version);
	flags = cbor_get_uint(&r, UINT64_MAX);
	if (!r.failed && flags != 0)
		return refuse(err, -EPROTONOSUPPORT, REFUSAL_VERSION,
			      "the invite asks for something that this mlsh does not know: upgrade "
			      "mlsh on this machine");
	invite_get(&r, &inv);
	if (cbor_reader_end(&r) < 0 || fields != INVITE_FIELDS)
		return damaged(err, "a field has the wrong form");
	invite_put(&w, &inv);
	if (!span_equal(cbor_writer_span(&w), bytes))
		return damaged(err, "it is not in the one valid encoding");
	rc = check_content(&inv, err);
	if (rc < 0)
		return rc;
	*ret = inv;
	return 0;
}

int invite_make(const struct invite *inv, const struct signer *sponsor,
		uint8_t ret[INVITE_MAX_BYTES], size_t *ret_len, uint8_t ret_sig[SIG_LEN],
		struct err *err)
{
	uint8_t buf[INVITE_MAX_BYTES], sig[SIG_LEN];
	struct cbor_writer w = cbor_writer_of(buf, sizeof(buf));
	struct invite again;
	struct span bytes;
	int r;

	invite_put(&w, inv);
	bytes = cbor_writer_span(&w);
	r = invite_decode(bytes, &again, err);
	if (r < 0) {
		if (err)
			err->code = -EINVAL;
		return -EINVAL;
	}
	r = signer_sign(sponsor, SIGN_INVITE, inv->cluster_id, bytes, sig);
	if (r < 0)
		return err_set(err, r, "cannot sign the invite");
	memcpy(ret, bytes.data, bytes.len);
	*ret_len = bytes.len;
	memcpy(ret_sig, sig, SIG_LEN);
	return 0;
}
