/* SPDX-License-Identifier: MIT */
/* Sealing and opening records; the keys of their epochs; what has been seen. */
#include "overlay/record.h"

#include <errno.h>
#include <stdlib.h>

#include "identity/identity.h"

#define EPOCH_LEN_COUNTERS (UINT64_C(1) << RECORD_EPOCH_BITS)
#define COUNTER_MASK ((UINT64_C(1) << 56) - 1)

/* --- keys ------------------------------------------------------------------------------------ */

/* HKDF-Expand with one block (RFC 5869 section 2.3). */
static void expand(const uint8_t secret[RECORD_SECRET_LEN], const char *label,
		   uint8_t out[RECORD_SECRET_LEN])
{
	uint8_t text[32];
	size_t len = strlen(label);

	memcpy(text, label, len);
	text[len] = 1;
	hmac_sha256(secret, span_of(text, len + 1), out);
}

static void step(uint8_t secret[RECORD_SECRET_LEN])
{
	uint8_t next[RECORD_SECRET_LEN];

	expand(secret, "mlsh record next", next);
	memcpy(secret, next, sizeof(next));
	secret_wipe(next, sizeof(next));
}

static void use_secret(struct aead *a, const uint8_t secret[RECORD_SECRET_LEN])
{
	uint8_t key[RECORD_SECRET_LEN], iv[RECORD_SECRET_LEN];

	expand(secret, "mlsh record key", key);
	expand(secret, "mlsh record iv", iv);
	aead_key(a, key, iv);
	secret_wipe(key, sizeof(key));
	secret_wipe(iv, sizeof(iv));
}

int records_new(enum aead_kind kind, bool client, const uint8_t exported[RECORD_EXPORT_LEN],
		struct records **ret)
{
	const uint8_t *secrets[2] = { exported + RECORD_TAG_LEN,
				      exported + RECORD_TAG_LEN + RECORD_SECRET_LEN };
	struct records *r = calloc(1, sizeof(*r));
	int rc = r ? aead_new(kind, AEAD_SEAL, &r->seal) : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(r->key); i++)
		rc = aead_new(kind, AEAD_OPEN, &r->key[i].aead);
	if (rc < 0) {
		records_free(r);
		return rc;
	}
	memcpy(r->tag, exported, RECORD_TAG_LEN);
	memcpy(r->secret, secrets[client ? 0 : 1], RECORD_SECRET_LEN);
	memcpy(r->key[0].secret, secrets[client ? 1 : 0], RECORD_SECRET_LEN);
	r->key[0].valid = true;
	use_secret(r->seal, r->secret);
	use_secret(r->key[0].aead, r->key[0].secret);
	*ret = r;
	return 0;
}

void records_free(struct records *r)
{
	if (!r)
		return;
	aead_free(r->seal);
	for (size_t i = 0; i < ARRAY_LEN(r->key); i++)
		aead_free(r->key[i].aead);
	secret_wipe(r, sizeof(*r));
	free(r);
}

/* --- out ------------------------------------------------------------------------------------- */

size_t record_seal(struct records *r, uint8_t *record, size_t len)
{
	uint64_t counter = r->counter++;

	if (counter > 0 && counter % EPOCH_LEN_COUNTERS == 0) {
		step(r->secret);
		use_secret(r->seal, r->secret);
	}
	store_be64(record, (uint64_t)RECORD_TYPE << 56 | counter);
	memcpy(record + 8, r->tag, RECORD_TAG_LEN);
	aead_seal(r->seal, counter, span_of(record, RECORD_HEADER), record + RECORD_HEADER, len);
	return len + RECORD_OVERHEAD;
}

/* --- in -------------------------------------------------------------------------------------- */

const uint8_t *record_tag(const uint8_t *data, size_t len)
{
	return len > RECORD_OVERHEAD && data[0] == RECORD_TYPE ? data + 8 : NULL;
}

/* The key of an epoch that is not in use yet, in the place of the oldest one that is not needed. */
static struct record_key *key_ahead(struct records *r, uint64_t epoch)
{
	struct record_key *from = &r->key[r->newest];
	struct record_key *k = NULL;

	if (epoch - from->epoch > RECORD_EPOCHS_AHEAD)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(r->key); i++) {
		if (!r->key[i].valid || r->key[i].epoch + 1 < from->epoch ||
		    r->key[i].epoch > from->epoch)
			k = &r->key[i];
	}
	if (!k)
		return NULL;
	memcpy(k->secret, from->secret, sizeof(k->secret));
	for (k->epoch = from->epoch; k->epoch < epoch; k->epoch++)
		step(k->secret);
	use_secret(k->aead, k->secret);
	k->valid = true;
	return k;
}

static struct record_key *key_of(struct records *r, uint64_t epoch)
{
	struct record_key *newest = &r->key[r->newest];

	if (newest->epoch == epoch)
		return newest;
	for (size_t i = 0; i < ARRAY_LEN(r->key); i++) {
		if (r->key[i].valid && r->key[i].epoch == epoch && epoch + 1 >= newest->epoch)
			return &r->key[i];
	}
	return epoch > newest->epoch ? key_ahead(r, epoch) : NULL;
}

enum overlay_drop record_open(struct records *r, uint8_t *data, size_t len, struct span *ret)
{
	uint64_t counter = load_be64(data) & COUNTER_MASK;
	struct record_key *k;

	if (!window_allows(&r->window, counter))
		return DROP_in_replay;
	k = key_of(r, counter >> RECORD_EPOCH_BITS);
	if (!k || !aead_open(k->aead, counter, span_of(data, RECORD_HEADER), data + RECORD_HEADER,
			     len - RECORD_HEADER)) {
		r->forged++;
		return DROP_in_forged;
	}
	window_take(&r->window, counter);
	if (k->epoch > r->key[r->newest].epoch) {
		secret_wipe(r->key[r->newest].secret, RECORD_SECRET_LEN); /* its key is enough */
		r->newest = (unsigned)(k - r->key);
	}
	*ret = span_of(data + RECORD_HEADER, len - RECORD_OVERHEAD);
	return DROP_NONE;
}
