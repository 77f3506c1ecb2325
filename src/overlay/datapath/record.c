/* SPDX-License-Identifier: MIT */
/* Seals and opens records, derives the keys of their epochs, remembers their counters. */
#include "overlay/datapath/record.h"

#include <errno.h>
#include <stdlib.h>

#include "crypto/hash.h"

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

static int key_begin(struct records *r, struct record_key *k, uint64_t epoch,
		     const uint8_t secret[RECORD_SECRET_LEN])
{
	int rc = aead_new(r->kind, AEAD_OPEN, &k->aead);

	if (rc < 0)
		return rc;
	k->epoch = epoch;
	memcpy(k->secret, secret, RECORD_SECRET_LEN);
	return 0;
}

/* Overwrites a key that is not needed any more. */
static void key_end(struct record_key *k)
{
	aead_free(k->aead);
	secret_wipe(k, sizeof(*k));
}

int records_new(enum aead_kind kind, bool client, const uint8_t exported[RECORD_EXPORT_LEN],
		struct records **ret)
{
	const uint8_t *secrets[2] = { exported + RECORD_TAG_LEN,
				      exported + RECORD_TAG_LEN + RECORD_SECRET_LEN };
	struct records *r = calloc(1, sizeof(*r));
	int rc = r ? aead_new(kind, AEAD_SEAL, &r->seal) : -ENOMEM;

	if (rc == 0) {
		r->kind = kind;
		r->newest = &r->key[0];
		rc = key_begin(r, r->newest, 0, secrets[client ? 1 : 0]);
	}
	if (rc < 0) {
		records_free(r);
		return rc;
	}
	memcpy(r->tag, exported, RECORD_TAG_LEN);
	memcpy(r->secret, secrets[client ? 0 : 1], RECORD_SECRET_LEN);
	use_secret(r->seal, r->secret);
	use_secret(r->newest->aead, r->newest->secret);
	*ret = r;
	return 0;
}

void records_free(struct records *r)
{
	if (!r)
		return;
	aead_free(r->seal);
	for (size_t i = 0; i < ARRAY_LEN(r->key); i++)
		key_end(&r->key[i]);
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

/*
 * The key of an epoch ahead of the newest seen, from that of the epoch before it; those between are
 * kept as well. The record that names the epoch may be forged: it costs a derivation only the first
 * time. NULL without memory.
 */
static struct record_key *key_ahead(struct records *r, uint64_t epoch)
{
	const struct record_key *from = r->newest;
	struct record_key *k = NULL;

	for (uint64_t e = from->epoch + 1; e <= epoch; e++) {
		k = &r->key[e % RECORD_KEYS];
		if (!k->aead) {
			if (key_begin(r, k, e, from->secret) < 0)
				return NULL;
			step(k->secret);
			use_secret(k->aead, k->secret);
			r->derived++;
		}
		from = k;
	}
	return k;
}

/* NULL for an epoch that is not accepted. */
static struct record_key *key_of(struct records *r, uint64_t epoch)
{
	uint64_t newest = r->newest->epoch;
	struct record_key *k;

	if (epoch == newest)
		return r->newest;
	if (epoch + 1 < newest || epoch > newest + RECORD_EPOCHS_AHEAD)
		return NULL;
	k = &r->key[epoch % RECORD_KEYS];
	if (k->aead)
		return k;
	return epoch > newest ? key_ahead(r, epoch) : NULL;
}

/* An authentic record of a later epoch is here: records of the epochs before it stay closed. */
static void advance(struct records *r, struct record_key *newest)
{
	for (size_t i = 0; i < ARRAY_LEN(r->key); i++) {
		struct record_key *k = &r->key[i];

		if (!k->aead || k->epoch >= newest->epoch)
			continue;
		if (k->epoch + 1 < newest->epoch)
			key_end(k);
		else
			secret_wipe(k->secret, sizeof(k->secret)); /* its key is enough */
	}
	r->newest = newest;
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
	if (k->epoch > r->newest->epoch)
		advance(r, k);
	*ret = span_of(data + RECORD_HEADER, len - RECORD_OVERHEAD);
	return DROP_NONE;
}
