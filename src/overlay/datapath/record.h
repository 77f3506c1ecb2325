/* SPDX-License-Identifier: MIT */
/*
 * Records (docs/protocol/07-records.md): sealing and opening of inner packets with the keys of one
 * connection, epochs, and the window against replays. Pure: bytes in, bytes out.
 */
#ifndef MLSH_OVERLAY_RECORD_H
#define MLSH_OVERLAY_RECORD_H

#include "crypto/aead.h"
#include "overlay/datapath/count.h"
#include "overlay/datapath/window.h"

#define RECORD_TYPE 0x20
#define RECORD_TAG_LEN 8
#define RECORD_HEADER 16 /* type, counter, tag of the connection: in front */
#define RECORD_OVERHEAD (RECORD_HEADER + AEAD_TAG_LEN)
#define RECORD_EXPORTER "EXPORTER-mlsh-record"
#define RECORD_SECRET_LEN 32
#define RECORD_EXPORT_LEN (RECORD_TAG_LEN + 2 * RECORD_SECRET_LEN)
#define RECORD_EPOCH_BITS 22		      /* counters of one key */
#define RECORD_EPOCHS_AHEAD 4		      /* that the receiver accepts */
#define RECORD_KEYS (RECORD_EPOCHS_AHEAD + 2) /* these, the newest seen, and the one before it */
#define RECORD_FORGED_MAX (UINT64_C(1) << 36)

/* One key of the receiving side. */
struct record_key {
	struct aead *aead; /* NULL until it is derived */
	uint64_t epoch;
	uint8_t secret[RECORD_SECRET_LEN]; /* of this epoch */
};

struct records {
	uint8_t tag[RECORD_TAG_LEN];
	enum aead_kind kind;
	/* out */
	struct aead *seal;
	uint8_t secret[RECORD_SECRET_LEN]; /* of the epoch of `counter` */
	uint64_t counter;		   /* of the next record */
	/*
	 * In. The key of an epoch is at its remainder by RECORD_KEYS, which is another one for each
	 * epoch that is accepted. Keys ahead of the newest seen are derived when a record names
	 * them, authentic or not, and kept: a forger makes us derive each one once.
	 */
	struct record_key key[RECORD_KEYS];
	struct record_key *newest;
	uint64_t derived; /* keys, since the beginning */
	struct window window;
	uint64_t forged;
};

/* `exported` is from the TLS exporter; the caller wipes it. -ENOMEM. */
int records_new(enum aead_kind kind, bool client, const uint8_t exported[RECORD_EXPORT_LEN],
		struct records **ret) MUST_CHECK;
void records_free(struct records *r); /* wipes; NULL allowed */

/*
 * Seals the `len` bytes that lie at record + RECORD_HEADER and writes the rest around them. Returns
 * the record's length, len + RECORD_OVERHEAD.
 */
size_t record_seal(struct records *r, uint8_t *record, size_t len);

/* Returns the tag of a record, as a view; NULL if the datagram has not the form of a record. */
const uint8_t *record_tag(const uint8_t *data, size_t len);
/*
 * Opens, in place, a record whose tag is that of `r`, and takes its counter: what was sealed, as a
 * view. DROP_NONE, DROP_in_replay or DROP_in_forged.
 */
enum overlay_drop record_open(struct records *r, uint8_t *data, size_t len, struct span *ret)
	MUST_CHECK;

#endif
