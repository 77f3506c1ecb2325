/* SPDX-License-Identifier: MIT */
/*
 * Makes entries and signs them. What was made is read back, so that nothing malformed leaves
 * here.
 */
#include "crypto/hash.h"
#include "membership/internal.h"

static int signing_failed(struct err *err, int r)
{
	if (r == -ENOKEY)
		return err_set(err, r, "this identity has no Ed25519 key to sign with");
	return err_set(err, r, "cannot sign the log entry");
}

static int sign_one(const struct signer *s, const char *purpose, const uint8_t *cluster_id,
		    struct span payload, uint8_t ret[SIG_LEN], struct err *err)
{
	int r = signer_sign(s, purpose, cluster_id, payload, ret);

	return r < 0 ? signing_failed(err, r) : 0;
}

/* The payload, in `buf`. */
static int payload_make(const struct entry *e, uint8_t buf[ENTRY_MAX_BYTES], struct span *ret,
			struct err *err)
{
	struct cbor_writer w = cbor_writer_of(buf, ENTRY_MAX_BYTES);

	entry_put_payload(&w, e);
	*ret = cbor_writer_span(&w);
	if (ret->len == 0)
		return err_set(err, -EINVAL, "the log entry would be too long");
	return 0;
}

typedef int (*decode_fn)(struct span bytes, struct entry *ret, struct err *err);

/* Puts the frame around them, and reads it back; a fault in it is one of the caller's arguments. */
static int put_together(struct span payload, const uint8_t *const *sigs, size_t n, decode_fn decode,
			struct entry_bytes *ret, struct err *err)
{
	struct entry_bytes made;
	struct cbor_writer w = cbor_writer_of(made.data, sizeof(made.data));
	struct entry e;
	int r;

	entry_put(&w, payload, sigs, n);
	made.len = cbor_writer_span(&w).len;
	if (made.len == 0)
		return err_set(err, -EINVAL, "the log entry would be too long");
	r = decode(span_of(made.data, made.len), &e, err);
	if (r < 0 && err)
		err->code = -EINVAL;
	if (r < 0)
		return -EINVAL;
	memcpy(ret->data, made.data, made.len);
	ret->len = made.len;
	return 0;
}

int entry_make(const struct entry *e, const uint8_t cluster_id[HASH_LEN],
	       const struct signer *author, const struct signer *consent, struct entry_bytes *ret,
	       struct err *err)
{
	uint8_t buf[ENTRY_MAX_BYTES], sigs[ENTRY_SIGS_MAX][SIG_LEN];
	const uint8_t *sig_list[ENTRY_SIGS_MAX] = { sigs[0], sigs[1] };
	struct span payload;
	int r = payload_make(e, buf, &payload, err);

	if (r == 0)
		r = sign_one(author, SIGN_ENTRY, cluster_id, payload, sigs[0], err);
	if (r == 0 && consent)
		r = sign_one(consent, SIGN_CONSENT, cluster_id, payload, sigs[1], err);
	return r < 0 ? r : put_together(payload, sig_list, consent ? 2 : 1, entry_decode, ret, err);
}

int entry_make_half(const struct entry *e, const uint8_t cluster_id[HASH_LEN],
		    const struct signer *author, struct entry_bytes *ret, struct err *err)
{
	uint8_t buf[ENTRY_MAX_BYTES], sig[SIG_LEN];
	const uint8_t *sigs[] = { sig };
	struct span payload;
	int r = payload_make(e, buf, &payload, err);

	if (r == 0)
		r = sign_one(author, SIGN_ENTRY, cluster_id, payload, sig, err);
	return r < 0 ? r : put_together(payload, sigs, 1, entry_decode_half, ret, err);
}

int entry_consent(const struct entry *half, const uint8_t cluster_id[HASH_LEN],
		  const struct signer *consent, struct entry_bytes *ret, struct err *err)
{
	uint8_t sig[SIG_LEN];
	const uint8_t *sigs[ENTRY_SIGS_MAX] = { half->sig[0], sig };
	int r = sign_one(consent, SIGN_CONSENT, cluster_id, half->payload, sig, err);

	return r < 0 ? r : put_together(half->payload, sigs, 2, entry_decode, ret, err);
}

int genesis_make(const struct genesis *g, uint64_t time_s, const struct signer *admin,
		 struct entry_bytes *ret, struct err *err)
{
	struct entry e = { .type = ENTRY_GENESIS, .time_s = time_s, .genesis = *g };
	uint8_t key[KEY_LEN];

	if (signer_key(admin, key) < 0 || memcmp(g->key, key, KEY_LEN) != 0)
		return err_set(err, -EINVAL, "the first admin's key is not this identity's");
	e.author = key_node_id(key);
	return entry_make(&e, zero_hash, admin, NULL, ret, err);
}

static int check_one_time(const struct invite *inv, const uint8_t one_time[SIGN_SEED_LEN],
			  struct err *err)
{
	uint8_t key[KEY_LEN];
	int r = seed_public(one_time, key);

	if (r < 0)
		return signing_failed(err, r);
	if (memcmp(key, inv->key, KEY_LEN) != 0)
		return refuse(err, -EINVAL, REFUSAL_TAMPERED,
			      "the invite's one-time key does not belong to it: ask for a new "
			      "invite");
	return 0;
}

int admit_make(uint64_t time_s, const struct signer *joiner, const char *node_name,
	       struct span invite, const uint8_t invite_sig[SIG_LEN],
	       const uint8_t one_time[SIGN_SEED_LEN], struct entry_bytes *ret, struct err *err)
{
	struct entry e = { .type = ENTRY_ADMIT, .time_s = time_s };
	struct signer consent = { .seed = one_time };
	struct admit *a = &e.admit;
	int r = invite_decode(invite, &a->invite_decoded, err);

	if (r == 0 && node_name[0])
		r = label_check("node name", node_name, err);
	if (r == 0)
		r = check_one_time(&a->invite_decoded, one_time, err);
	if (r < 0)
		return r;
	r = signer_key(joiner, a->key);
	if (r < 0)
		return signing_failed(err, r);
	e.author = key_node_id(a->key);
	e.base = a->invite_decoded.head;
	memcpy(a->node_name, node_name, strlen(node_name) + 1);
	a->invite = invite;
	memcpy(a->invite_sig, invite_sig, SIG_LEN);
	return entry_make(&e, a->invite_decoded.cluster_id, joiner, &consent, ret, err);
}
