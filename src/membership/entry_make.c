/* SPDX-License-Identifier: MIT */
/*
 * Makes entries and signs them. What was made is read back, so that nothing malformed leaves
 * here.
 */
#include "membership/internal.h"

static int signing_failed(struct err *err, int r)
{
	if (r == -ENOKEY)
		return err_set(err, r, "this identity has no Ed25519 key to sign with");
	return err_set(err, r, "cannot sign the log entry");
}

/* Reads back; a fault in it is one of the caller's arguments. */
static int check_made(const struct entry_bytes *made, struct err *err)
{
	struct entry e;
	int r = entry_decode(span_of(made->data, made->len), &e, err);

	if (r < 0 && err)
		err->code = -EINVAL;
	return r < 0 ? -EINVAL : 0;
}

/* Who signs the payload: an identity, or a bare seed. */
struct signer {
	const struct identity *identity;
	const uint8_t *seed;
};

static int entry_sign(const struct entry *e, const char *purpose, const uint8_t *cluster_id,
		      const struct signer *signers, struct entry_bytes *ret, struct err *err)
{
	uint8_t payload_buf[ENTRY_MAX_BYTES], sigs[ENTRY_SIGS_MAX][SIG_LEN];
	const uint8_t *sig_list[ENTRY_SIGS_MAX] = { sigs[0], sigs[1] };
	struct cbor_writer w = cbor_writer_of(payload_buf, sizeof(payload_buf));
	struct span payload, all;
	struct entry_bytes made;
	int r;

	entry_put_payload(&w, e);
	payload = cbor_writer_span(&w);
	if (payload.len == 0)
		return err_set(err, -EINVAL, "the log entry would be too long");
	for (size_t i = 0; i < entry_sig_count(e->type); i++) {
		const struct signer *s = &signers[i];

		r = s->identity ? identity_sign(s->identity, purpose, cluster_id, payload, sigs[i])
				: seed_sign(s->seed, purpose, cluster_id, payload, sigs[i]);
		if (r < 0)
			return signing_failed(err, r);
	}
	w = cbor_writer_of(made.data, sizeof(made.data));
	entry_put(&w, payload, sig_list, entry_sig_count(e->type));
	all = cbor_writer_span(&w);
	if (all.len == 0)
		return err_set(err, -EINVAL, "the log entry would be too long");
	made.len = all.len;
	r = check_made(&made, err);
	if (r < 0)
		return r;
	memcpy(ret->data, made.data, made.len);
	ret->len = made.len;
	return 0;
}

int genesis_make(const struct genesis *g, uint64_t time_s, const struct identity *admin,
		 struct entry_bytes *ret, struct err *err)
{
	struct entry e = { .type = ENTRY_GENESIS, .time_s = time_s, .genesis = *g };
	struct signer signer = { .identity = admin };

	if (!identity_key(admin) || memcmp(g->key, identity_key(admin), KEY_LEN) != 0)
		return err_set(err, -EINVAL, "the first admin's key is not this identity's");
	e.author = identity_node_id(admin);
	return entry_sign(&e, SIGN_GENESIS, zero_hash, &signer, ret, err);
}

/* An entry on top of `prev`. */
static struct entry entry_after(const struct head *prev, enum entry_type type, uint64_t time_s,
				const struct identity *author)
{
	struct entry e = { .type = type, .seq = prev->seq + 1, .time_s = time_s };

	memcpy(e.prev, prev->hash, HASH_LEN);
	e.author = identity_node_id(author);
	return e;
}

int admit_make(const struct head *prev, uint64_t time_s, const struct identity *joiner,
	       const char *node_name, ip4 address, const uint8_t cluster_id[HASH_LEN],
	       struct span invite, const uint8_t invite_sig[SIG_LEN],
	       const uint8_t one_time[SIGN_SEED_LEN], struct entry_bytes *ret, struct err *err)
{
	struct entry e = entry_after(prev, ENTRY_ADMIT, time_s, joiner);
	struct signer signers[] = { { .identity = joiner }, { .seed = one_time } };
	struct admit *a = &e.admit;
	uint8_t one_time_key[KEY_LEN];
	int r = invite_decode(invite, &a->invite_decoded, err);

	if (r < 0)
		return r;
	r = label_check("node name", node_name, err);
	if (r < 0)
		return r;
	if (!identity_key(joiner))
		return signing_failed(err, -ENOKEY);
	r = seed_public(one_time, one_time_key);
	if (r < 0)
		return signing_failed(err, r);
	if (memcmp(one_time_key, a->invite_decoded.key, KEY_LEN) != 0)
		return refuse(err, -EINVAL, REFUSAL_TAMPERED,
			      "the invite's one-time key does not belong to it: ask for a new "
			      "invite");
	memcpy(a->key, identity_key(joiner), KEY_LEN);
	memcpy(a->node_name, node_name, strlen(node_name) + 1);
	a->address = address;
	a->invite = invite;
	memcpy(a->invite_sig, invite_sig, SIG_LEN);
	return entry_sign(&e, SIGN_ADMIT, cluster_id, signers, ret, err);
}

int cancel_make(const struct head *prev, uint64_t time_s, const struct identity *sponsor,
		const uint8_t cluster_id[HASH_LEN], const uint8_t nonce[NONCE_LEN],
		struct entry_bytes *ret, struct err *err)
{
	struct entry e = entry_after(prev, ENTRY_CANCEL, time_s, sponsor);
	struct signer signer = { .identity = sponsor };

	memcpy(e.cancel.nonce, nonce, NONCE_LEN);
	return entry_sign(&e, SIGN_CANCEL, cluster_id, &signer, ret, err);
}
