/* SPDX-License-Identifier: MIT */
/*
 * The pending request: what `setup` or `adopt` signed and is about to send, kept in
 * `<cluster>.pending` (0600) until there is an answer, so that the next run can send the identical
 * bytes again. The key that signed them is in the same file: there is never one without the other,
 * and a request that came to nothing leaves no key behind. Deterministic CBOR:
 *
 *	[version: 1, kind: 1 setup or 2 adopt, cluster: tstr, node_name: tstr, host: tstr,
 *	 port: uint, signal_pin: bstr(32), key: bstr(32), entry: bstr,
 *	 setup: [code: tstr], adopt: [invite: bstr, invite_sig: bstr(64)]]
 *
 * The recovery code of a setup is not in it: it was shown before the file was written, so the one
 * that was shown last is the one whose hash the entry has.
 */
#ifndef MLSH_CLIENT_PENDING_H
#define MLSH_CLIENT_PENDING_H

#include "identity/codes.h"
#include "membership/entry.h"

#define PENDING_FILE_MAX 8192

enum pending_kind { PENDING_SETUP = 1, PENDING_ADOPT = 2 };

struct pending {
	enum pending_kind kind;
	char cluster[LABEL_MAX + 1], node_name[LABEL_MAX + 1];
	char host[HOST_TEXT_MAX + 1];
	uint16_t port;
	uint8_t signal_pin[HASH_LEN];	    /* setup: of its certificate; adopt: of its key */
	uint8_t seed[SIGN_SEED_LEN];	    /* the identity that signed it */
	struct entry_bytes entry;	    /* genesis or admit */
	char code[BOOTSTRAP_CODE_TEXT_MAX]; /* setup */
	uint8_t invite[INVITE_MAX_BYTES];   /* adopt */
	size_t invite_len;
	uint8_t invite_sig[SIG_LEN]; /* adopt */
};

/* The number of bytes, or -ENOSPC. */
ptrdiff_t pending_encode(const struct pending *p, void *out, size_t cap) MUST_CHECK;
/* -EBADMSG; -EPROTONOSUPPORT for one that a newer mlsh wrote. */
int pending_decode(struct span bytes, struct pending *ret) MUST_CHECK;
void pending_wipe(struct pending *p);

#endif
